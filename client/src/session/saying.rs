//! What a session's caller says: requests in one order, and signatures over them.

use countersign_protocol::{
    digest::SessionLink,
    extension::Extensions,
    id::SessionId,
    payload::Payload,
    session::{MacKey, SessionHead, SessionRequest, Side, Strand},
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1;
use tokio::sync::mpsc;

use crate::{agent::Agent, connection::unavailable, error::Error, invoke::Call};

/// The requests so far.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) id: SessionId,
    pub(super) key: MacKey,
    pub(super) strand: Strand,
    pub(super) sign_every: u32,
    /// How many requests the last head covers.
    pub(super) covered: u64,
    /// When the first came that it does not cover.
    pub(super) since: Option<Timestamp>,
    /// Bounded by the requests that may be unanswered; gone once nothing more is to be said.
    pub(super) outgoing: Option<mpsc::UnboundedSender<v1::OpenSessionRequest>>,
}

impl Saying {
    /// Sends the next request, and a head where enough are not signed for.
    pub(super) fn ask(
        &mut self,
        agent: &Agent,
        call: Call,
        deadline: Timestamp,
    ) -> Result<(u64, SessionLink), Error> {
        let seq = self.strand.count + 1;
        let arguments = call.arguments.digest(&call.body);
        let Call { action, resource, .. } = call;
        let request = SessionRequest { seq, action, resource, arguments, deadline };
        let strand = self.strand.with(&request);
        let call = v1::SessionCall {
            request: request.to_bytes(),
            arguments: call.arguments.to_bytes(),
            body: call.body,
            mac: self.key.mac(&strand.link).to_vec(),
        };
        self.send(v1::OpenSessionRequest { call: Some(call), ..Default::default() })?;
        self.strand = strand;
        self.since.get_or_insert(agent.now());
        if self.strand.count - self.covered >= u64::from(self.sign_every) {
            self.sign(agent);
        }
        Ok((seq, strand.link))
    }

    /// Signs for all requests so far, where that is not done.
    pub(super) fn sign(&mut self, agent: &Agent) {
        if self.strand.count == self.covered {
            return;
        }
        let head = SessionHead {
            domain: agent.domain().clone(),
            session_id: self.id,
            side: Side::Caller,
            count: self.strand.count,
            link: self.strand.link,
            signed: agent.now(),
            extensions: Extensions::none(),
        };
        let head = agent.sign(&head).to_bytes();
        (self.covered, self.since) = (self.strand.count, None);
        // Where the stream has ended, so has the session.
        let _ = self.send(v1::OpenSessionRequest { head, ..Default::default() });
    }

    /// Signs, and says that nothing more comes.
    pub(super) fn close(&mut self, agent: &Agent) {
        self.sign(agent);
        let _ = self.send(v1::OpenSessionRequest { close: true, ..Default::default() });
        self.outgoing = None;
    }

    /// When this side signs for what it has not signed for: in time, whatever the network takes.
    pub(super) fn signs_at(&self, within: Lifetime) -> Option<Timestamp> {
        self.since.map(|since| since.plus(Lifetime::from_millis(within.as_millis() / 2)))
    }

    fn send(&self, message: v1::OpenSessionRequest) -> Result<(), Error> {
        let sent = self.outgoing.as_ref().is_some_and(|outgoing| outgoing.send(message).is_ok());
        if sent { Ok(()) } else { Err(unavailable("have it done", "the session has ended")) }
    }
}
