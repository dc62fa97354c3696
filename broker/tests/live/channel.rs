//! Who gets through the handshake, and for how long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use countersign::channel::{BrokerVerifier, TlsKey};
use countersign_broker::{
    channel::TlsTime,
    clock::ManualClock,
    keys::{KeyFiles, KeySource as _},
    limits::{CONNECTIONS_PER_HOLDER, HANDSHAKE_MAX},
};
use countersign_protocol::time::{Lifetime, Timestamp};
use countersign_wire::v1::{
    self, enrolment_client::EnrolmentClient, identity_client::IdentityClient, info_client::InfoClient,
};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SubjectPublicKeyInfo,
};
use rustls::{
    ClientConfig, HandshakeKind, SignatureScheme, SupportedProtocolVersion,
    client::{ResolvesClientCert, Resumption},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::support::{Agent, DOMAIN, Setting, TestBroker, reason};

/// Shows that chain, whatever the server asks for.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client of our own making: any versions, any certificates.
fn client(
    agent: &Agent,
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<(Vec<CertificateDer<'static>>, TlsKey)>,
) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = BrokerVerifier::new(agent.trust.clone(), Arc::clone(&provider));
    let builder = ClientConfig::builder_with_details(provider, Arc::new(TlsTime(Arc::clone(&agent.clock))))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match shown {
        Some((chain, key)) => {
            let certified = Arc::new(CertifiedKey::new(chain, Arc::new(key)));
            builder.with_client_cert_resolver(Arc::new(Shows(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

const TLS_1_3: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

async fn connect(address: &str, config: ClientConfig) -> Result<Channel, tonic::transport::Error> {
    let connector = TlsConnector::from(Arc::new(config));
    let address = address.to_owned();
    let connect = service_fn(move |_: Uri| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let tcp = TcpStream::connect(address).await?;
            let tls = connector.connect(ServerName::try_from("broker").unwrap(), tcp).await?;
            Ok::<_, std::io::Error>(TokioIo::new(tls))
        }
    });
    Endpoint::from_static("https://broker").connect_with_connector(connect).await
}

/// Whether a call goes through: the broker's reason if it was the broker that refused, and nothing
/// but the end of the connection if it was the handshake.
async fn call(address: &str, config: ClientConfig) -> Result<(), String> {
    let request = v1::GetBundleRequest { trust_domain: DOMAIN.into() };
    let channel = connect(address, config).await.map_err(|_| "no connection".to_owned())?;
    match IdentityClient::new(channel).get_bundle(request).await {
        Ok(_) => Ok(()),
        Err(status) if tonic_types::StatusExt::get_details_error_info(&status).is_some() => {
            Err(reason(&status))
        }
        Err(_) => Err("no connection".to_owned()),
    }
}

/// What a certificate of the domain's own authority says, when somebody else fills it in.
struct Forgery {
    uris: Vec<String>,
    ca: IsCa,
    usages: Vec<KeyUsagePurpose>,
    not_before: i64,
    not_after: i64,
    key: Option<Vec<u8>>,
}

impl Forgery {
    /// What the authority itself would issue to that agent, times in milliseconds from now.
    fn of(agent: &Agent) -> Self {
        Self {
            uris: vec![agent.instance().to_string()],
            ca: IsCa::ExplicitNoCa,
            usages: vec![KeyUsagePurpose::DigitalSignature],
            not_before: -30_000,
            not_after: 300_000,
            key: None,
        }
    }

    fn sign(self, agent: &Agent, issuer: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let uri = |uri: String| SanType::URI(uri.try_into().unwrap());
        params.subject_alt_names = self.uris.into_iter().map(uri).collect();
        let at = |offset: i64| {
            let millis = agent.clock.now().as_millis().checked_add_signed(offset).unwrap();
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(millis)
        };
        (params.not_before, params.not_after) = (at(self.not_before), at(self.not_after));
        params.is_ca = self.ca;
        params.key_usages = self.usages;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let spki = self.key.unwrap_or_else(|| agent.identity.key().spki_der().to_vec());
        let key = SubjectPublicKeyInfo::from_der(&spki).unwrap();
        params.signed_by(&key, issuer).unwrap().der().clone()
    }
}

/// The domain's authority in the hands of someone who signs anything.
fn stolen_authority(broker: &TestBroker) -> Issuer<'static, KeyPair> {
    let keys = KeyFiles::in_dir(broker.config.key_dir.clone()).load().unwrap();
    let key = KeyPair::from_pem(&keys.authority.danger_key_pem()).unwrap();
    Issuer::from_ca_cert_der(keys.authority.certificate_der(), key).unwrap()
}

#[tokio::test]
async fn a_certificate_is_of_this_domain_one_instance_and_now() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let authority = stolen_authority(&broker);
    let instance = agent.instance().to_string();
    let honest = || Forgery::of(&agent);
    let elsewhere = instance.replace(DOMAIN, "evil.example");
    for (case, forgery) in [
        ("expired", Forgery { not_before: -60_000, not_after: -1_000, ..honest() }),
        ("not valid yet", Forgery { not_before: 60_000, ..honest() }),
        ("of another domain", Forgery { uris: vec![elsewhere.clone()], ..honest() }),
        ("of two instances", Forgery { uris: vec![instance.clone(), elsewhere], ..honest() }),
        ("of nobody", Forgery { uris: vec![], ..honest() }),
        ("of a principal", Forgery { uris: vec![agent.instance().principal().to_string()], ..honest() }),
        ("of the domain", Forgery { uris: vec![format!("spiffe://{DOMAIN}")], ..honest() }),
        ("of an authority", Forgery { ca: IsCa::Ca(BasicConstraints::Constrained(0)), ..honest() }),
        (
            "that may sign certificates",
            Forgery {
                usages: vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
                ..honest()
            },
        ),
        ("that does not say that it is a leaf", Forgery { ca: IsCa::NoCa, ..honest() }),
    ] {
        let chain = vec![forgery.sign(&agent, &authority)];
        let config = client(&agent, TLS_1_3, Some((chain, agent.identity.key().clone())));
        assert_eq!(call(&agent.broker, config).await, Err("no connection".into()), "{case}");
    }
    let twin = vec![honest().sign(&agent, &authority)];
    let config = client(&agent, TLS_1_3, Some((twin, agent.identity.key().clone())));
    assert_eq!(call(&agent.broker, config).await, Ok(()), "the twin");
}

#[tokio::test]
async fn only_the_domains_authority_certifies() {
    let broker = TestBroker::start().await;
    let other = TestBroker::start().await;
    let (agent, foreign) = (broker.admin().await, other.admin().await);
    // An authority of the same name with another key, and an instance that the first one certified
    // to certify others.
    let impostor = stolen_authority(&other);
    let middle_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let middle = Forgery {
        ca: IsCa::Ca(BasicConstraints::Unconstrained),
        usages: vec![KeyUsagePurpose::KeyCertSign],
        key: Some(rcgen::PublicKeyData::subject_public_key_info(&middle_key)),
        ..Forgery::of(&agent)
    };
    let middle = middle.sign(&agent, &stolen_authority(&broker));
    let through = Issuer::from_ca_cert_der(&middle, middle_key).unwrap();
    for (case, chain) in [
        ("an impostor", vec![Forgery::of(&agent).sign(&agent, &impostor)]),
        ("an intermediate", vec![Forgery::of(&agent).sign(&agent, &through), middle.clone()]),
        ("itself", vec![foreign.identity_certificate()]),
    ] {
        let config = client(&agent, TLS_1_3, Some((chain, agent.identity.key().clone())));
        assert_eq!(call(&agent.broker, config).await, Err("no connection".into()), "{case}");
    }
    // Somebody else's good certificate, without its key.
    let config =
        client(&agent, TLS_1_3, Some((vec![agent.identity_certificate()], TlsKey::generate().unwrap())));
    assert_eq!(call(&agent.broker, config).await, Err("no connection".into()));
    let twin = (vec![agent.identity_certificate()], agent.identity.key().clone());
    assert_eq!(call(&agent.broker, client(&agent, TLS_1_3, Some(twin))).await, Ok(()), "the twin");
}

#[tokio::test]
async fn a_certified_stranger_to_the_ledger_is_not_admitted() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let authority = stolen_authority(&broker);
    // The authority's key alone makes no instance: the ledger does not know this one.
    let nobody = agent.instance().to_string().replace("human/root", "agent/nobody");
    let chain = vec![Forgery { uris: vec![nobody], ..Forgery::of(&agent) }.sign(&agent, &authority)];
    let config = client(&agent, TLS_1_3, Some((chain, agent.identity.key().clone())));
    assert_eq!(call(&agent.broker, config).await, Err("NOT_ADMITTED".into()));
    // Nor does it make another key that of an instance which the ledger knows.
    let key = TlsKey::generate().unwrap();
    let forgery = Forgery { key: Some(key.spki_der().to_vec()), ..Forgery::of(&agent) };
    let chain = vec![forgery.sign(&agent, &authority)];
    let config = client(&agent, TLS_1_3, Some((chain, key)));
    assert_eq!(call(&agent.broker, config).await, Err("NOT_ADMITTED".into()));
}

#[tokio::test]
async fn nothing_but_mutual_tls_1_3_with_http_2_comes_in() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let shown = || Some((vec![agent.identity_certificate()], agent.identity.key().clone()));
    assert_eq!(call(&agent.broker, client(&agent, TLS_1_3, shown())).await, Ok(()), "the twin");

    let none = client(&agent, TLS_1_3, None);
    assert_eq!(call(&agent.broker, none).await, Err("no connection".into()), "no certificate");
    let old = client(&agent, &[&rustls::version::TLS12], shown());
    assert_eq!(call(&agent.broker, old).await, Err("no connection".into()), "TLS 1.2");
    for protocols in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = client(&agent, TLS_1_3, shown());
        config.alpn_protocols = protocols.clone();
        assert_eq!(call(&agent.broker, config).await, Err("no connection".into()), "{protocols:?}");
    }
    for listener in [broker.bound.api, broker.bound.enrolment] {
        let mut plain = TcpStream::connect(listener).await.unwrap();
        plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), plain.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection is closed");
        // At most a TLS alert, never an HTTP/2 frame.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
}

#[tokio::test]
async fn no_session_is_resumed() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let shown = Some((vec![agent.identity_certificate()], agent.identity.key().clone()));
    let mut config = client(&agent, TLS_1_3, shown);
    config.resumption = Resumption::in_memory_sessions(32);
    config.enable_early_data = true;
    let connector = TlsConnector::from(Arc::new(config));
    for attempt in 0..3 {
        let tcp = TcpStream::connect(broker.bound.api).await.unwrap();
        let mut tls = connector.connect(ServerName::try_from("broker").unwrap(), tcp).await.unwrap();
        // Tickets come after the handshake: read until the server's first frame is there.
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut settings = [0; 9];
        tls.read_exact(&mut settings).await.unwrap();
        let (_, session) = tls.get_ref();
        assert_ne!(session.handshake_kind(), Some(HandshakeKind::Resumed), "{attempt}");
        assert_eq!(session.tls13_tickets_received(), 0, "{attempt}");
    }
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_that_opened_it() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let broker = TestBroker::with(Setting { clock: Some(clock.clone()), ..Setting::default() }).await;
    let admin = broker.admin().await;
    let mut agent = broker.agent(&admin, "agent/planner").await;
    let request = || v1::GetBundleRequest { trust_domain: DOMAIN.into() };
    let mut open = agent.identity_client().await;
    let mut watch = v1::negotiations_client::NegotiationsClient::new(agent.channel().await)
        .watch_negotiations(v1::WatchNegotiationsRequest {
            trust_domain: DOMAIN.into(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();

    clock.advance(Lifetime::from_millis(299_000));
    assert!(open.get_bundle(request()).await.is_ok(), "a second before the end");
    agent.renew().await.unwrap();
    let mut renewed = agent.identity_client().await;

    clock.advance(Lifetime::from_millis(1_000));
    let ended = open.get_bundle(request()).await.unwrap_err();
    assert!(tonic_types::StatusExt::get_details_error_info(&ended).is_none(), "{ended:?}");
    let rest = tokio::time::timeout(Duration::from_secs(5), async {
        while let Ok(Some(_)) = watch.message().await {}
    });
    assert!(rest.await.is_ok(), "an open stream ends too");
    assert!(renewed.get_bundle(request()).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_silent_handshake_holds_up_nobody_and_ends() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let (began, mut silent) = (Instant::now(), Vec::new());
    for _ in 0..50 {
        silent.push(TcpStream::connect(broker.bound.api).await.unwrap());
    }
    let quick = tokio::time::timeout(Duration::from_secs(4), agent.try_channel()).await;
    assert!(quick.unwrap().is_ok());
    let mut byte = [0];
    let ended = tokio::time::timeout(Duration::from_secs(20), silent[0].read(&mut byte)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    assert!(began.elapsed() >= HANDSHAKE_MAX, "nobody is cut off before: {:?}", began.elapsed());
}

#[tokio::test]
async fn each_listener_serves_what_is_its_own() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let newcomer = crate::support::Newcomer::new(&broker.clock);
    let outside = newcomer.enrolment(&broker.first).await;
    let inside = agent.channel().await;

    let info = v1::GetInfoRequest { trust_domain: DOMAIN.into() };
    let seen_outside = InfoClient::new(outside.clone()).get_info(info.clone()).await.unwrap().into_inner();
    let seen_inside = InfoClient::new(inside.clone()).get_info(info).await.unwrap().into_inner();
    assert_eq!(seen_outside.key_set, seen_inside.key_set);
    assert_eq!(seen_inside.spec_versions, ["0.1"]);
    assert_eq!(seen_inside.log_origin, format!("{DOMAIN}/ledger"));
    assert!(seen_inside.log_vkey.starts_with(&format!("{DOMAIN}/ledger+")));
    assert!(seen_inside.limits.is_sorted_by(|a, b| a.name < b.name) && seen_inside.limits.len() > 30);

    let bundle = v1::GetBundleRequest { trust_domain: DOMAIN.into() };
    let identity = IdentityClient::new(outside).get_bundle(bundle).await.unwrap_err();
    assert_eq!(identity.code(), tonic::Code::Unimplemented, "nothing of the domain is served outside");
    let enrolment = EnrolmentClient::new(inside).join(v1::JoinRequest::default()).await.unwrap_err();
    assert_eq!(enrolment.code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn health_and_reflection_stand_behind_the_gate_too() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let mut planner = broker.agent(&admin, "agent/planner").await;
    let mut copy = planner.clone();
    let mut health = HealthClient::new(planner.channel().await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    copy.renew().await.unwrap();
    copy.renew().await.unwrap();
    assert!(planner.renew().await.is_err());
    let locked = health.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(reason(&locked), "NOT_ADMITTED");
}

#[tokio::test]
async fn one_instance_does_not_take_the_connections_of_others() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let greedy = broker.agent(&admin, "agent/greedy").await;
    let request = || v1::GetBundleRequest { trust_domain: DOMAIN.into() };
    let mut open = Vec::new();
    for number in 0..CONNECTIONS_PER_HOLDER {
        let mut client = greedy.identity_client().await;
        assert!(client.get_bundle(request()).await.is_ok(), "{number}");
        open.push(client);
    }
    // Through its handshake, and closed before the first call.
    let over = match greedy.try_channel().await {
        Ok(channel) => IdentityClient::new(channel).get_bundle(request()).await.is_ok(),
        Err(_) => false,
    };
    assert!(!over, "one more");
    assert!(admin.identity_client().await.get_bundle(request()).await.is_ok(), "somebody else");
    open.clear();
    let freed = async {
        loop {
            let channel = greedy.try_channel().await;
            if let Ok(channel) = channel
                && IdentityClient::new(channel).get_bundle(request()).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(5), freed).await.is_ok(),
        "a place that was left is free"
    );
}

#[tokio::test]
async fn the_broker_renews_its_own_certificate() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let broker = TestBroker::with(Setting { clock: Some(clock.clone()), ..Setting::default() }).await;
    // Beyond half of its life, and then beyond the end of the one that it began with.
    clock.advance(Lifetime::from_millis(200_000));
    tokio::time::sleep(Duration::from_millis(500)).await;
    clock.advance(Lifetime::from_millis(200_000));
    let admin = broker.admin().await;
    assert!(admin.try_channel().await.is_ok());
}

/// How many streams the server at that address lets one connection have open, as it says at once.
async fn streams_allowed(address: std::net::SocketAddr, config: ClientConfig) -> u32 {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("broker").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    tls.write_all(&empty_settings).await.unwrap();
    let mut frame = [0; 9];
    tls.read_exact(&mut frame).await.unwrap();
    let [_, high, low, kind, ..] = frame;
    assert_eq!(kind, 4, "the first frame holds the settings");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    tls.read_exact(&mut settings).await.unwrap();
    let max_streams = settings.chunks_exact(6).find_map(|setting| setting.strip_prefix(&[0, 3]));
    max_streams.map_or(u32::MAX, |value| u32::from_be_bytes(value.try_into().unwrap()))
}

/// Attack line 36: a stranger makes the broker hold a few small requests, and no more. An instance,
/// which the broker knows, has room for its invocations.
#[tokio::test]
async fn a_strangers_connection_has_few_streams() {
    let broker = TestBroker::start().await;
    let agent = broker.admin().await;
    let outside = streams_allowed(broker.bound.enrolment, client(&agent, TLS_1_3, None)).await;
    assert!((2..=8).contains(&outside), "{outside}");
}
