//! Staying an instance: the next certificate is asked for when about half the life of the current one has
//! passed, and a connection with it is open before the old one ends.

use std::{sync::Arc, time::Duration};

use countersign_protocol::{
    extension::Extensions,
    identity::RenewStatement,
    limits::CLOCK_SKEW_MS,
    payload::Payload,
    refusal::{Reason, Retry},
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{self, identity_client::IdentityClient};

use crate::{
    agent::{Inner, Standing},
    channel::Svid,
    clock::{some_of, wait_until},
    connection::Pauses,
    error::{About, CallerFault, Error, deceived},
};

/// Renews for as long as that works; then says why it does not.
pub(crate) async fn keep_fresh(inner: Arc<Inner>) {
    let mut pauses = Pauses::default();
    loop {
        // Copied out first: no lock is held while waiting.
        let renew_at = inner.standing().renew_at;
        wait_until(&*inner.clock, renew_at).await;
        match inner.renew().await {
            Ok(()) => pauses.reset(),
            Err(error) if is_final(&error) => return inner.end(error),
            Err(_) if inner.clock.now() >= inner.identity.not_after() => {
                return inner.end(CallerFault::IdentityEnded.into());
            }
            Err(_) => pauses.wait().await,
        }
    }
}

impl Inner {
    /// Asks for the next certificate. What was signed once is sent until it is answered: the broker
    /// takes two different renewals from one generation for two processes with one identity.
    async fn renew(&self) -> Result<(), Error> {
        let renewal = self.pending_renewal();
        // If the process ends after this, whoever goes on from what is kept sends the same bytes.
        self.keep()?;
        let request = v1::RenewRequest { trust_domain: self.domain.to_string(), renewal: renewal.to_bytes() };
        let reply = self.connection.call("renew the certificate", request, async |channel, request| {
            IdentityClient::new(channel).renew(request).await
        });
        let reply = match reply.await {
            Err(error) if error.reason() == Some(Reason::StatementStale) => {
                // Whoever says so of one that is not too old may have recorded it, and have it looked
                // like a copy's. Or this clock is ahead: then its time is still to come.
                if is_stale(&renewal, self.clock.now()) {
                    self.standing().pending = None;
                }
                return Err(error);
            }
            other => other?,
        };
        let certificate = reply.certificate;
        let certificate = certificate.ok_or_else(|| deceived(About::Answer, "it has no certificate"))?;
        let (svid, standing) = read(certificate, self.clock.now())?;
        let before = self.standing().generation;
        if standing.generation <= before {
            let why = format!("its generation is {}, the one before was {before}", standing.generation);
            return Err(deceived(About::Certificate, why));
        }
        self.identity.renew(svid).map_err(|error| deceived(About::Certificate, error))?;
        *self.standing() = standing;
        // What was kept before still holds the pending renewal, whose answer stays the same, and a
        // connection that does not open now is opened when the current one ends.
        let _ = (self.keep(), self.connection.replace().await);
        Ok(())
    }

    fn pending_renewal(&self) -> Signed {
        let mut standing = self.standing();
        let generation = standing.generation;
        let sign = || {
            RenewStatement {
                domain: self.domain.clone(),
                instance: self.identity.instance().clone(),
                spki: self.identity.key().spki_hash(),
                configuration: self.configuration,
                generation,
                issued: self.clock.now(),
                extensions: Extensions::none(),
            }
            .sign(&self.key)
        };
        standing.pending.get_or_insert_with(sign).clone()
    }

    fn end(&self, reason: Error) {
        self.ended.send_replace(Some(reason));
    }
}

/// Reads a certificate that is said to be this instance's. It is renewed when about half of what is
/// left of its life has passed: not all instances of a host at once, and not two copies of one
/// identity in the same millisecond, which would look like one that repeats itself.
pub(crate) fn read(certificate: v1::Certificate, now: Timestamp) -> Result<(Svid, Standing), Error> {
    let v1::Certificate { der, generation, .. } = certificate;
    let svid = Svid::parse([der.clone()]).map_err(|error| deceived(About::Certificate, error))?;
    let left = Duration::from_millis(svid.not_after().since(now).as_millis());
    let wait = left * 2 / 5 + some_of(left / 5);
    let wait = Lifetime::from_millis(u64::try_from(wait.as_millis()).unwrap_or_default());
    let standing = Standing { certificate: der, generation, renew_at: now.plus(wait), pending: None };
    Ok((svid, standing))
}

/// Whether a broker whose clock is right would not decide it any more.
fn is_stale(renewal: &Signed, now: Timestamp) -> bool {
    let claimed = renewal.peek_unverified::<RenewStatement>();
    let skew = Lifetime::from_millis(CLOCK_SKEW_MS);
    claimed.map_or(true, |claimed| claimed.issued.plus(skew) < now)
}

/// Whether no later try can succeed: this instance is revoked, locked or unknown.
fn is_final(error: &Error) -> bool {
    error.reason().is_some_and(|reason| reason.retry() == Retry::No)
}
