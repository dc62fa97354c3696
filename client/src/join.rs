//! Becoming an instance.

use std::sync::Arc;

use countersign_protocol::{
    extension::Extensions,
    id::InstanceUuid,
    identity::JoinStatement,
    join_token::JoinToken,
    key::SigningKey,
    payload::Payload,
    signed::{Signed, Statement},
};
use countersign_wire::v1::{self, enrolment_client::EnrolmentClient};

use crate::{
    agent::{Agent, Beginning, Options},
    bundle::Bundle,
    channel::{Connector, Identity, TlsKey, Trust},
    clock::{TlsTime, entropy},
    connection::Connection,
    error::{About, CallerFault, Error, deceived},
    renewal,
};

/// How a join token's secret is presented.
const ATTESTOR: &str = "join_token";

impl Agent {
    /// Joins a trust domain with a join token: makes the keys of a new instance, in memory, and has
    /// the broker certify them.
    ///
    /// The domain's keys are believed because they come from a broker that the authority in the join
    /// token has certified. Must be called within a Tokio runtime.
    pub async fn join(token: &JoinToken, options: Options) -> Result<Self, Error> {
        let local = |why: String| CallerFault::Local { why };
        let now = options.clock.now();
        let key = SigningKey::generate(&mut entropy());
        let tls = TlsKey::generate().map_err(|error| local(error.to_string()))?;
        let statement = JoinStatement {
            domain: token.domain.clone(),
            instance: token.principal.instance(InstanceUuid::new(now, &mut entropy())),
            key: key.public(),
            spki: tls.spki_hash(),
            configuration: options.configuration,
            evidence: token.secret.digest(),
            issued: now,
            extensions: Extensions::none(),
        };
        let request = request(token, &statement.sign(&key), &tls)?;
        let time = Arc::new(TlsTime(Arc::clone(&options.clock)));
        let connector = Connector::enrolment(Trust::fingerprint(token.authority), time);
        let connector = connector.map_err(|error| local(error.to_string()))?;
        let connection = Connection::new(token.enrolment.as_str(), connector)?;
        let reply = connection.call("join the trust domain", request, async |channel, request| {
            EnrolmentClient::new(channel).join(request).await
        });
        let v1::JoinResponse { certificate, bundle } = reply.await?;

        let missing = |what| deceived(About::Answer, format!("it has no {what}"));
        let bundle = Bundle::read(bundle.ok_or_else(|| missing("bundle"))?, &token.domain, token.authority)?;
        let certificate = certificate.ok_or_else(|| missing("certificate"))?;
        let (svid, standing) = renewal::read(certificate, options.clock.now())?;
        if *svid.instance() != statement.instance {
            return Err(deceived(About::Certificate, format!("it names {}", svid.instance())));
        }
        let identity = Identity::new(tls, svid).map_err(|error| deceived(About::Certificate, error))?;
        let (address, pinned) = (token.broker.as_str().to_owned(), token.authority);
        let agent = Self::begin(
            Beginning { key, identity, standing, bundle, pinned, address, checkpoint: None, fresh: true },
            options,
        )?;
        agent.inner.keep()?;
        Ok(agent)
    }
}

fn request(token: &JoinToken, join: &Signed, tls: &TlsKey) -> Result<v1::JoinRequest, Error> {
    let join = join.to_bytes();
    let signature = tls.sign(&join).map_err(|error| CallerFault::Local { why: error.to_string() })?;
    Ok(v1::JoinRequest {
        trust_domain: token.domain.to_string(),
        join,
        attestor: ATTESTOR.into(),
        evidence: token.secret.as_bytes().to_vec(),
        spki: tls.spki_der().to_vec(),
        spki_signature: signature,
    })
}
