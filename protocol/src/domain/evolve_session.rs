//! What the events of sessions do to the state.

use super::{
    event::{InvocationOutcome, SessionAnswered, SessionIntent, SessionOpened, SessionResulted},
    session::{Said, Session, Spoken, Strands},
    state::{Forget, Invocation, State, Trace},
};
use crate::{
    digest::{Digest, SessionLink},
    id::{InvocationId, SessionId},
    ledger::LeafIndex,
    limits::RESULT_RETENTION_MS,
    session::{SessionHead, SessionOpening, SessionRequest, Side, Strand},
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::Via,
};

impl State {
    pub(super) fn open_session(&mut self, event: &SessionOpened, leaf: LeafIndex) -> Option<()> {
        let opening: SessionOpening = event.opening.peek_unverified().ok()?;
        let known = event.chain.last() == Some(&opening.chain_id) && self.instance(&event.callee).is_some();
        if !known || event.chain.iter().any(|id| self.chain(id).is_none()) {
            return None;
        }
        self.instances.get_mut(&opening.caller)?.sessions += 1;
        self.nonces.insert((opening.caller.clone(), opening.nonce), opening.expires);
        self.forget.insert((opening.expires, Forget::Nonce(opening.caller.clone(), opening.nonce)));
        let session = Session {
            opening: event.opening.digest(),
            caller: opening.caller,
            callee: event.callee.clone(),
            chain: opening.chain_id,
            sign_every: opening.sign_every,
            sign_within: opening.sign_within,
            strands: None,
            opened: leaf,
            ended: None,
        };
        self.session_leaves.insert((opening.session_id, Said::Opening), leaf);
        self.sessions.insert(opening.session_id, session);
        Some(())
    }

    pub(super) fn answer_session(&mut self, event: &SessionAnswered, leaf: LeafIndex) -> Option<()> {
        let session = self.sessions.get_mut(&event.session_id)?;
        let answer = event.answer.digest();
        let spoken = |side| Spoken::begin(Strand::begin(side, &session.opening, &answer));
        session.strands = Some(Strands { requests: spoken(Side::Caller), results: spoken(Side::Callee) });
        self.session_leaves.insert((event.session_id, Said::Answer), leaf);
        Some(())
    }

    /// A request becomes a link, whether it was permitted or not.
    pub(super) fn ask(
        &mut self,
        id: SessionId,
        request: &SessionRequest,
        leaf: LeafIndex,
        now: Timestamp,
    ) -> Option<SessionLink> {
        let spoken = &mut self.sessions.get_mut(&id)?.strands.as_mut()?.requests;
        spoken.say(spoken.strand.with(request), now);
        let Strand { count, link } = spoken.strand;
        self.session_leaves.insert((id, Said::Link(Side::Caller, count)), leaf);
        Some(link)
    }

    pub(super) fn intend_in_session(
        &mut self,
        event: &SessionIntent,
        leaf: LeafIndex,
        now: Timestamp,
    ) -> Option<()> {
        let id = event.session_id;
        let session = self.session(&id)?;
        let (opening, chain) = (session.opening, session.chain);
        let (caller, callee) = (session.caller.clone(), session.callee.clone());
        let admitted = self.instance(&callee)?.admitted;
        let path: Vec<_> = self.path(chain).map(|(link, _)| link).collect();
        let link = self.ask(id, &event.request, leaf, now)?;
        for link in path {
            self.chains.get_mut(&link)?.account.use_window(event.reserved, now);
        }
        self.chains.get_mut(&chain)?.account.set_balance(event.after.clone(), leaf);
        self.instances.get_mut(&caller)?.invoking += 1;
        let invocation_id = InvocationId::in_session(id, event.request.seq);
        let session = Some((id, event.request.seq));
        let trace = Trace { intent: leaf, ended: None, chain, callee: admitted, session, told: None };
        self.traces.insert(invocation_id, trace);
        let invocation = Invocation {
            fingerprint: Digest::from_bytes(link.to_array()),
            proof: opening,
            via: Via::Broker,
            caller,
            callee,
            chain,
            reserved: event.reserved,
            intent: leaf,
            ended: None,
            outcome: None,
            session: Some((id, link)),
        };
        self.invocations.insert(invocation_id, invocation);
        Some(())
    }

    pub(super) fn result_in_session(
        &mut self,
        event: &SessionResulted,
        leaf: LeafIndex,
        now: Timestamp,
    ) -> Option<()> {
        let (id, result) = (event.session_id, &event.result);
        let spoken = &mut self.sessions.get_mut(&id)?.strands.as_mut()?.results;
        spoken.say(spoken.strand.with(result), now);
        self.session_leaves.insert((id, Said::Link(Side::Callee, spoken.strand.count)), leaf);
        let invocation_id = InvocationId::in_session(id, result.seq);
        self.traces.get_mut(&invocation_id)?.told = Some(result.number);
        let outcome = (InvocationOutcome::InSession, None);
        let invocation = self.invocations.get_mut(&invocation_id)?;
        if invocation.ended.is_some() {
            // It came too late to settle anything; that it came is known all the same.
            invocation.outcome = Some(outcome);
            return Some(());
        }
        self.conclude_invocation(invocation_id, outcome, event.settled, leaf, now)
    }

    pub(super) fn sign_session(&mut self, head: &Signed, leaf: LeafIndex) -> Option<()> {
        let head: SessionHead = head.peek_unverified().ok()?;
        let strands = self.sessions.get_mut(&head.session_id)?.strands.as_mut()?;
        let spoken = strands.of_mut(head.side);
        (spoken.covered, spoken.since) = (head.count, None);
        self.session_leaves.insert((head.session_id, Said::Head(head.side, head.count)), leaf);
        Some(())
    }

    pub(super) fn end_session(&mut self, id: SessionId, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let session = self.sessions.get_mut(&id).filter(|session| session.ended.is_none())?;
        session.ended = Some(leaf);
        let caller = self.instances.get_mut(&session.caller)?;
        caller.sessions = caller.sessions.saturating_sub(1);
        // Not before the id itself is too old to be used again (SES-015).
        let from = id.time()?.max(now);
        let kept_until = from.plus(Lifetime::from_millis(RESULT_RETENTION_MS));
        self.forget.insert((kept_until, Forget::Session(id)));
        Some(())
    }
}

impl Strands {
    /// What that side has said.
    pub fn of(&self, side: Side) -> &Spoken {
        match side {
            Side::Caller => &self.requests,
            Side::Callee => &self.results,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut Spoken {
        match side {
            Side::Caller => &mut self.requests,
            Side::Callee => &mut self.results,
        }
    }
}

impl Spoken {
    fn begin(strand: Strand) -> Self {
        Self { strand, covered: 0, since: None }
    }

    fn say(&mut self, strand: Strand, now: Timestamp) {
        self.strand = strand;
        self.since.get_or_insert(now);
    }

    /// How many links no signature covers.
    pub fn uncovered(&self) -> u64 {
        self.strand.count.saturating_sub(self.covered)
    }
}
