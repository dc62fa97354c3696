//! What a session's caller hears: each result is the next one, the callee's, and for what was asked.

use std::sync::Arc;

use countersign_protocol::{
    capability::Amount,
    digest::Digest,
    id::InvocationId,
    key::PublicKey,
    ledger::LeafIndex,
    payload::Payload,
    refusal::Reason,
    session::{MacKey, SessionHead, SessionResult, Side, Strand},
    signed::Signed,
    time::Lifetime,
};
use countersign_wire::v1;
use tokio::sync::watch;
use tonic::{Code, Status, Streaming};

use super::{Reply, Shared};
use crate::{
    clock::wait_until,
    connection::{error_of, unavailable},
    error::{About, Error, deceived},
};

/// The task that hears.
pub(super) struct Hearing {
    pub(super) shared: Arc<Shared>,
    /// The callee's instance key.
    pub(super) callee: PublicKey,
    pub(super) key: MacKey,
    pub(super) strand: Strand,
    pub(super) covered: u64,
    pub(super) sign_every: u32,
    pub(super) sign_within: Lifetime,
    pub(super) per_call: Amount,
}

impl Hearing {
    /// Hears until the session ends, signs in time, and tells whoever waits how it ended.
    pub(super) async fn run(
        mut self,
        mut inbound: Streaming<v1::OpenSessionResponse>,
        mut dropped: watch::Receiver<()>,
    ) {
        let ended = loop {
            let signs_at = self.shared.saying().signs_at(self.sign_within);
            // A request that comes meanwhile is looked at within this time.
            let signs_at = signs_at.unwrap_or_else(|| {
                self.shared.agent.now().plus(Lifetime::from_millis(self.sign_within.as_millis() / 4))
            });
            tokio::select! {
                message = inbound.message() => match message {
                    Ok(Some(message)) => match self.hear(message) {
                        Ok(()) => {}
                        Err(error) => break Err(error),
                    },
                    Ok(None) => break self.check_end(),
                    Err(status) => break Err(error_of("go on with the session", &status)),
                },
                () = wait_until(&*self.shared.agent.inner.clock, signs_at) => self.sign_if_due(),
                // Whoever closes it waits for its end; else nobody does.
                _ = dropped.changed() => break Err(unavailable("go on with the session", "it was dropped")),
            }
        };
        self.end(ended);
    }

    fn sign_if_due(&self) {
        let mut saying = self.shared.saying();
        if saying.signs_at(self.sign_within).is_some_and(|at| at <= self.shared.agent.now()) {
            saying.sign(&self.shared.agent);
        }
    }

    fn hear(&mut self, message: v1::OpenSessionResponse) -> Result<(), Error> {
        if let Some(reply) = message.reply {
            return self.answered(reply);
        }
        if let Some(refusal) = message.refusal {
            return self.refused(&refusal);
        }
        if !message.head.is_empty() {
            return self.signed(&message.head);
        }
        Err(deceived(About::Session, "it says nothing"))
    }

    fn answered(&mut self, reply: v1::SessionReply) -> Result<(), Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let result = SessionResult::from_bytes(&reply.result).map_err(|error| bad(&error))?;
        let strand = self.strand.with(&result);
        self.key.verify(&strand.link, &reply.mac).map_err(|error| bad(&error))?;
        let mut waiting = self.shared.waiting();
        let asked =
            waiting.requests.remove(&result.seq).ok_or_else(|| bad(&"nothing of that number was asked"))?;
        drop(waiting);
        let fits = [
            (result.number == strand.count, "is out of order"),
            (result.request == asked.link, "is for another request"),
            (result.result == Digest::of(&reply.body), "is for another result"),
            (result.cost <= self.per_call, "costs more than one call may"),
            (strand.count - self.covered <= u64::from(self.sign_every), "is not signed for in time"),
            (reply.intent_leaf < reply.result_leaf, "ended before it was permitted"),
        ];
        if let Some((_, what)) = fits.iter().find(|(fits, _)| !fits) {
            return Err(bad(&format!("a result {what}")));
        }
        self.strand = strand;
        let leaf = |index| LeafIndex::new(index).ok_or_else(|| bad(&"it names no leaf"));
        let reply = Reply {
            invocation: InvocationId::in_session(self.shared.id, result.seq),
            result,
            body: reply.body,
            intent: leaf(reply.intent_leaf)?,
            ended: leaf(reply.result_leaf)?,
        };
        if let Some(waits) = asked.reply {
            let _ = waits.send(Ok(reply));
        }
        Ok(())
    }

    /// The broker says that no result comes; one may come all the same, where it comes too late.
    fn refused(&self, refusal: &v1::SessionRefusal) -> Result<(), Error> {
        let error = error_of("have it done", &status_of(&refusal.status));
        let mut waiting = self.shared.waiting();
        let asked = waiting.requests.get_mut(&refusal.seq);
        let asked = asked.ok_or_else(|| deceived(About::Session, "it refuses what was not asked"))?;
        let waits = asked.reply.take();
        if error.reason() != Some(Reason::DeadlineExceeded) {
            waiting.requests.remove(&refusal.seq);
        }
        if let Some(waits) = waits {
            let _ = waits.send(Err(error));
        }
        Ok(())
    }

    fn signed(&mut self, head: &[u8]) -> Result<(), Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let signed = Signed::from_bytes(head).map_err(|error| bad(&error))?;
        let head: SessionHead = signed.open(&[self.callee]).map_err(|error| bad(&error))?;
        let fits = head.domain == *self.shared.agent.domain()
            && head.session_id == self.shared.id
            && head.side == Side::Callee
            && (head.count, head.link) == (self.strand.count, self.strand.link)
            && head.extensions.check().is_ok();
        if !fits {
            return Err(bad(&"the callee signed for something else than it said"));
        }
        self.covered = head.count;
        Ok(())
    }

    /// A session that ends well was closed here, and its callee signed for all results.
    fn check_end(&self) -> Result<(), Error> {
        let closed = self.shared.saying().outgoing.is_none();
        if closed && self.covered == self.strand.count {
            return Ok(());
        }
        Err(deceived(About::Session, "it ended without the callee's signature for all results"))
    }

    fn end(self, ended: Result<(), Error>) {
        let mut saying = self.shared.saying();
        self.shared.over.send_replace(Some(ended));
        saying.outgoing = None;
        drop(saying);
        let why = self.shared.why_over();
        let requests = std::mem::take(&mut self.shared.waiting().requests);
        for waits in requests.into_values().filter_map(|asked| asked.reply) {
            let _ = waits.send(Err(why.clone()));
        }
    }
}

/// The status that a refusal within a session carries.
fn status_of(bytes: &[u8]) -> Status {
    use prost::Message as _;
    match tonic_types::Status::decode(bytes) {
        Ok(status) => {
            let (code, details) = (Code::from_i32(status.code), bytes.to_vec());
            Status::with_details(code, status.message, details.into())
        }
        Err(_) => Status::unknown("a refusal that cannot be read"),
    }
}
