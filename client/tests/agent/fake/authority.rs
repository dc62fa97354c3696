//! A certificate authority for one domain, and TLS on its side.

use std::{sync::Arc, time::Duration};

use countersign_protocol::{
    digest::{Digest, SpkiHash},
    domain::Actor,
    name::InstanceId,
    time::Timestamp,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SubjectPublicKeyInfo,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
    broker: (CertificateDer<'static>, KeyPair),
}

impl Authority {
    pub(crate) fn new(domain: &str, now: Timestamp) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&format!("spiffe://{domain}"), now, 3_600_000);
        params.distinguished_name.push(DnType::CommonName, domain);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let broker = KeyPair::generate().unwrap();
        let name = format!("spiffe://{domain}/service/broker/i/01939f3e-0000-7000-8000-000000000001");
        let leaf = leaf(&issuer, &broker, &name, now, 3_600_000);
        Self { issuer, certificate, broker: (leaf, broker) }
    }

    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// Certifies a key, given as a SubjectPublicKeyInfo.
    pub(crate) fn certify(&self, spki: &[u8], instance: &InstanceId, now: Timestamp, millis: u64) -> Vec<u8> {
        let key = SubjectPublicKeyInfo::from_der(spki).unwrap();
        leaf(&self.issuer, &key, instance.as_str(), now, millis).to_vec()
    }

    /// TLS for those who have a certificate, or for those who have none yet.
    pub(crate) fn server(&self, mutual: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = match mutual {
            true => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            ),
            false => builder.with_no_client_auth(),
        };
        let (leaf, key) = &self.broker;
        let chain = vec![leaf.clone(), self.certificate.clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

fn leaf(
    issuer: &Issuer<'static, KeyPair>,
    key: &impl PublicKeyData,
    name: &str,
    now: Timestamp,
    millis: u64,
) -> CertificateDer<'static> {
    let mut params = params(name, now, millis);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.signed_by(key, issuer).unwrap().der().clone()
}

fn params(uri: &str, now: Timestamp, millis: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(now.as_millis() - 30_000);
    params.not_after = epoch + Duration::from_millis(now.as_millis() + millis);
    params
}

/// Who a verified client certificate names, and when it ends.
pub(crate) fn peer(der: &[u8]) -> (Actor, Timestamp) {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let GeneralName::URI(uri) = &names.value.general_names[0] else { panic!("no URI") };
    let spki = SpkiHash::from_bytes(Digest::of(certificate.public_key().raw).to_array());
    let ends = certificate.validity().not_after.timestamp() as u64 * 1_000;
    (Actor { instance: uri.parse().unwrap(), spki }, Timestamp::new(ends).unwrap())
}
