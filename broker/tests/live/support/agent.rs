//! A process that joins a domain and calls its broker, with the SDK's channel and nothing else of it.

use std::sync::Arc;

use countersign::channel::{Anchor, Connector, Identity, Svid, TlsKey, Trust};
use countersign_broker::{channel::TlsTime, clock::Clock};
use countersign_protocol::{
    digest::Digest,
    domain::Actor,
    extension::Extensions,
    id::InstanceUuid,
    identity::{JoinStatement, RenewStatement},
    join_token::JoinToken,
    key::SigningKey,
    name::InstanceId,
    payload::Payload,
    signed::{Signed, Statement},
    trust::KeySet,
};
use countersign_wire::v1::{self, enrolment_client::EnrolmentClient, identity_client::IdentityClient};
use rand::rngs::OsRng;
use rustls::pki_types::CertificateDer;
use tonic::{
    Status,
    transport::{Channel, Endpoint, Error},
};
use tonic_types::StatusExt as _;

/// The public reason of a refusal.
pub(crate) type Reason = String;

/// The reason in a status; its code, where there is none.
pub(crate) fn reason(status: &Status) -> Reason {
    let info = status.get_details_error_info();
    info.map_or_else(|| format!("{:?}: {}", status.code(), status.message()), |info| info.reason)
}

/// A process that has made its keys and has not joined.
pub(crate) struct Newcomer {
    pub(crate) key: SigningKey,
    pub(crate) tls: TlsKey,
    pub(crate) uuid: InstanceUuid,
    pub(crate) configuration: Digest,
    clock: Arc<dyn Clock>,
}

impl Newcomer {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            key: SigningKey::generate(&mut OsRng),
            tls: TlsKey::generate().unwrap(),
            uuid: InstanceUuid::new(clock.now(), &mut OsRng),
            configuration: Digest::of(b"configuration"),
            clock: Arc::clone(clock),
        }
    }

    /// What an honest process claims who was given that token.
    pub(crate) fn statement(&self, token: &JoinToken) -> JoinStatement {
        JoinStatement {
            domain: token.domain.clone(),
            instance: token.principal.instance(self.uuid),
            key: self.key.public(),
            spki: self.tls.spki_hash(),
            configuration: self.configuration,
            evidence: token.secret.digest(),
            issued: self.clock.now(),
            extensions: Extensions::none(),
        }
    }

    /// The request for that statement.
    pub(crate) fn request(&self, token: &JoinToken, statement: &JoinStatement) -> v1::JoinRequest {
        let join = statement.sign(&self.key).to_bytes();
        v1::JoinRequest {
            trust_domain: token.domain.to_string(),
            spki_signature: self.tls.sign(&join).unwrap(),
            join,
            attestor: "join_token".into(),
            evidence: token.secret.as_bytes().to_vec(),
            spki: self.tls.spki_der().to_vec(),
        }
    }

    /// Sends a request where the token says, to whom the token says.
    pub(crate) async fn send(
        &self,
        token: &JoinToken,
        request: v1::JoinRequest,
    ) -> Result<v1::JoinResponse, Status> {
        let mut enrolment = EnrolmentClient::new(self.enrolment(token).await);
        Ok(enrolment.join(request).await?.into_inner())
    }

    /// A connection to the enrolment listener.
    pub(crate) async fn enrolment(&self, token: &JoinToken) -> Channel {
        let time = Arc::new(TlsTime(Arc::clone(&self.clock)));
        let connector = Connector::enrolment(Trust::fingerprint(token.authority), time).unwrap();
        connect(token.enrolment.as_str(), connector).await.unwrap()
    }

    /// Joins, honestly.
    pub(crate) async fn join(self, token: &JoinToken) -> Result<Agent, Status> {
        let request = self.request(token, &self.statement(token));
        let answer = self.send(token, request).await?;
        Ok(self.admitted(token, answer))
    }

    /// What it is, after that answer.
    pub(crate) fn admitted(self, token: &JoinToken, answer: v1::JoinResponse) -> Agent {
        let (certificate, bundle) = (answer.certificate.unwrap(), answer.bundle.unwrap());
        let svid = Svid::parse([certificate.der.clone()]).unwrap();
        let der = certificate.der.into();
        let identity = Arc::new(Identity::new(self.tls, svid).unwrap());
        let anchors = bundle.ca_certificates.iter().map(|der| Anchor::parse(der).unwrap()).collect();
        Agent {
            key: self.key,
            identity,
            trust: Trust::domain(&token.domain, anchors).unwrap(),
            keys: KeySet::from_bytes(&bundle.key_set).unwrap(),
            broker: token.broker.as_str().to_owned(),
            configuration: self.configuration,
            generation: certificate.generation,
            certificate: der,
            clock: self.clock,
        }
    }
}

/// An instance.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) key: SigningKey,
    pub(crate) identity: Arc<Identity>,
    pub(crate) trust: Trust,
    pub(crate) keys: KeySet,
    pub(crate) broker: String,
    pub(crate) configuration: Digest,
    pub(crate) generation: u32,
    /// The first one that it was given.
    certificate: CertificateDer<'static>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Agent {
    pub(crate) fn instance(&self) -> &InstanceId {
        self.identity.instance()
    }

    /// The certificate with which it joined.
    pub(crate) fn identity_certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// As the broker knows it.
    pub(crate) fn actor(&self) -> Actor {
        Actor { instance: self.instance().clone(), spki: self.identity.key().spki_hash() }
    }

    /// A connection of its own, with the certificate that is current.
    pub(crate) async fn channel(&self) -> Channel {
        self.try_channel().await.unwrap()
    }

    pub(crate) async fn try_channel(&self) -> Result<Channel, Error> {
        let time = Arc::new(TlsTime(Arc::clone(&self.clock)));
        let connector = Connector::mutual(Arc::clone(&self.identity), self.trust.clone(), time).unwrap();
        connect(&self.broker, connector).await
    }

    pub(crate) async fn identity_client(&self) -> IdentityClient<Channel> {
        IdentityClient::new(self.channel().await)
    }

    /// What it says to stay.
    pub(crate) fn renewal(&self) -> RenewStatement {
        RenewStatement {
            domain: self.instance().principal().domain(),
            instance: self.instance().clone(),
            spki: self.identity.key().spki_hash(),
            configuration: self.configuration,
            generation: self.generation,
            issued: self.clock.now(),
            extensions: Extensions::none(),
        }
    }

    /// Sends a renewal.
    pub(crate) async fn send_renewal(&self, renewal: &Signed) -> Result<v1::Certificate, Status> {
        let trust_domain = self.instance().principal().domain().to_string();
        let request = v1::RenewRequest { trust_domain, renewal: renewal.to_bytes() };
        let answer = self.identity_client().await.renew(request).await?;
        Ok(answer.into_inner().certificate.unwrap())
    }

    /// Renews its certificate, honestly.
    pub(crate) async fn renew(&mut self) -> Result<(), Status> {
        let certificate = self.send_renewal(&self.renewal().sign(&self.key)).await?;
        self.identity.renew(Svid::parse([certificate.der]).unwrap()).unwrap();
        self.generation = certificate.generation;
        Ok(())
    }
}

async fn connect(address: &str, connector: Connector) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.connect_with_connector(connector).await
}
