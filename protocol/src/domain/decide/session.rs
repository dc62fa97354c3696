//! Opening a session, permitting what is asked within it, and ending it.

use super::{Actor, Context, Decision};
use crate::{
    capability::Amount,
    digest::ChainId,
    domain::{
        Event, InvocationOutcome, Session, SessionAnswered, SessionCause, SessionEnded, SessionIntent,
        SessionOpened, SessionPassed, SessionResulted, SessionSigned, State, Strands,
    },
    id::{InvocationId, SessionId},
    limits::{
        CLOCK_SKEW_MS, OPEN_INVOCATIONS_PER_INSTANCE, RESULT_RETENTION_MS, SESSION_DEADLINE_MAX_MS,
        SESSION_HEAD_GRACE_MS, SESSIONS_PER_INSTANCE,
    },
    name::{InstanceId, PrincipalId},
    refusal::{Reason, Refusal},
    require, require_some,
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side},
    signed::{NotOpened, Signed},
    time::{Lifetime, Timestamp},
    token::{SessionPermit, SessionUse, check_session_channel},
};

/// A session that opening and walk allow.
#[derive(Debug)]
pub struct OpenSession<'a> {
    /// Made by [`ActiveToken::permit_session`](crate::token::ActiveToken::permit_session).
    pub permit: &'a SessionPermit,
    /// The signed opening behind it.
    pub opening: &'a Signed,
    /// The instance that is ready for it, if one is.
    pub callee: Option<&'a InstanceId>,
}

/// The same, whoever did the walk.
#[derive(Debug)]
pub(crate) struct WantedSession<'a> {
    pub(crate) opening: &'a SessionOpening,
    /// From the grant to the leaf.
    pub(crate) chain: &'a [ChainId],
    pub(crate) signed: &'a Signed,
    pub(crate) callee: Option<&'a InstanceId>,
}

impl State {
    /// Decides what only the ledger knows of an opening: revocation, replay, and what the contracts say of
    /// sessions. The event is the linearization point of the session.
    pub fn decide_open_session(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        open: &OpenSession<'_>,
    ) -> Decision {
        let (opening, chain) = (open.permit.opening(), open.permit.chain());
        let wanted = WantedSession { opening, chain, signed: open.opening, callee: open.callee };
        self.decide_wanted_session(context, actor, &wanted)
    }

    pub(crate) fn decide_wanted_session(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        wanted: &WantedSession<'_>,
    ) -> Decision {
        self.check_clock(context.now)?;
        let caller = self.admitted(actor)?;
        let opening = wanted.opening;
        require!("CHN-012", opening.caller == actor.instance, Reason::ChannelMismatch);
        check_session_channel(opening, actor.spki)?;
        let replayed = self.nonces.contains_key(&(opening.caller.clone(), opening.nonce));
        require!("SES-014", !replayed, Reason::ProofReplayed);
        // A nonce is forgotten when its opening expires, which the permit may have seen just before.
        require!("SES-012", context.now < opening.expires, Reason::ProofExpired);
        self.check_in_force(context, wanted.chain)?;
        let used = self.session(&opening.session_id).is_some();
        require!("SES-015", !used, Reason::IdAlreadyUsed, "The session's id was used before.");
        let stale = Reason::InvocationIdStale;
        require!(
            "SES-019",
            is_young(context, opening.session_id),
            stale,
            "The session's id is of another time."
        );
        let links = wanted.chain.iter().filter_map(|id| self.chain(id));
        let refusing = links.into_iter().find(|link| !link.sessions);
        require!(
            "SES-016",
            refusing.is_none(),
            Reason::SessionNotAllowed,
            "The contract of {} asks for a receipt of each invocation.",
            refusing.map(|link| link.holder.as_str()).unwrap_or_default()
        );
        let busy = caller.sessions < SESSIONS_PER_INSTANCE;
        require!("SES-017", busy, Reason::Overloaded, "{} sessions are open.", caller.sessions);
        let callee = require_some!(
            "SES-018",
            wanted.callee.filter(|callee| self.is_ready(callee, &opening.callee, context.now)),
            Reason::CalleeUnavailable
        );
        let leaf = self.link(&opening.chain_id)?;
        Ok(vec![Event::SessionOpened(SessionOpened {
            opening: wanted.signed.clone(),
            chain: wanted.chain.to_vec(),
            originator: leaf.originator.clone(),
            callee: callee.clone(),
            policy: context.policy.digest,
            epoch: self.epoch(),
        })])
    }

    fn is_ready(&self, callee: &InstanceId, principal: &PrincipalId, now: Timestamp) -> bool {
        callee.principal() == principal && self.is_live(callee, now)
    }

    /// Records that the callee takes the session.
    pub fn decide_session_answer(&self, context: &Context<'_>, id: SessionId, signed: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let session = self.in_session(&id)?;
        require!("SES-022", session.strands.is_none(), Reason::SessionOver, "It was answered before.");
        let fault = Reason::CalleeFault;
        let answer: SessionAnswer = self
            .open_by(&session.callee, signed)
            .map_err(|error| Refusal::new("SES-020", fault, format!("{error}.")))?;
        require!("SES-021", answer.domain == *context.domain, fault, "It is for another domain.");
        require!("SES-021", answer.session_id == id, fault, "It is for another session.");
        require!("SES-021", answer.opening == session.opening, fault, "It is for another opening.");
        require!("SES-021", answer.callee == session.callee, fault, "It is by another callee.");
        answer.extensions.check()?;
        Ok(vec![Event::SessionAnswered(SessionAnswered { session_id: id, answer: signed.clone() })])
    }

    /// Decides a request within a session: the INTENT that it gives is the invocation's linearization
    /// point.
    pub fn decide_session_request(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        id: SessionId,
        used: &SessionUse,
    ) -> Decision {
        self.admitted(actor)?;
        let session = self.in_session(&id)?;
        require!("CHN-012", session.caller == actor.instance, Reason::ChannelMismatch);
        self.decide_wanted_request(context, id, used.request())
    }

    /// The same for a request that chain and channel allow.
    pub(crate) fn decide_wanted_request(
        &self,
        context: &Context<'_>,
        id: SessionId,
        request: &SessionRequest,
    ) -> Decision {
        self.check_clock(context.now)?;
        let session = self.in_session(&id)?;
        let before = self.check_turn(context, session, request)?.requests.strand;
        let chain: Vec<ChainId> = self.path(session.chain).map(|(id, _)| id).collect();
        self.check_in_force(context, &chain)?;
        let late = Reason::DeadlineExceeded;
        require!("SES-034", context.now < request.deadline, late, "Its deadline has passed.");
        let latest = context.now.plus(Lifetime::from_millis(SESSION_DEADLINE_MAX_MS));
        let far = Reason::LimitExceeded;
        require!("SES-039", request.deadline <= latest, far, "Its deadline is too far away.");
        let invoking = self.instance(&session.caller).map_or(0, |caller| caller.invoking);
        let busy = invoking < OPEN_INVOCATIONS_PER_INSTANCE;
        require!("API-032", busy, Reason::Overloaded, "{invoking} invocations are open.");
        let ready = self.is_live(&session.callee, context.now);
        require!("SES-036", ready, Reason::CalleeUnavailable);
        // An id that is another invocation's: 74 bits that its caller would have had to look for.
        let taken = self.trace(&InvocationId::in_session(id, request.seq)).is_some();
        require!("SES-004", !taken, Reason::InvocationConflict);
        let reserve = self.reserve(context, session.chain)?;
        Ok(vec![Event::SessionIntent(SessionIntent {
            session_id: id,
            request: request.clone(),
            before_link: before.link,
            seen_size: self.tree().size(),
            seen_root: self.tree().root(),
            policy: context.policy.digest,
            epoch: self.epoch(),
            reserved: reserve.amount,
            before: reserve.before,
            after: reserve.after,
            previous: reserve.previous,
        })])
    }

    /// Records that a request was refused: it stays a link, so that those after it fit.
    pub fn decide_session_passed(
        &self,
        context: &Context<'_>,
        id: SessionId,
        request: &SessionRequest,
        refusal: &Refusal,
    ) -> Decision {
        let word = |text: &str| text.to_lowercase().parse().ok();
        let (Some(reason), Some(rule)) = (word(refusal.reason().name()), word(refusal.rule())) else {
            return Ok(Vec::new());
        };
        self.decide_passed(context, SessionPassed { session_id: id, request: request.clone(), reason, rule })
    }

    /// The same for a refusal that is words already.
    pub(crate) fn decide_passed(&self, context: &Context<'_>, passed: SessionPassed) -> Decision {
        self.check_clock(context.now)?;
        let session = self.in_session(&passed.session_id)?;
        self.check_turn(context, session, &passed.request)?;
        Ok(vec![Event::SessionPassed(passed)])
    }

    /// Records the callee's result, and settles what it cost.
    pub fn decide_session_result(
        &self,
        context: &Context<'_>,
        id: SessionId,
        result: &SessionResult,
    ) -> Decision {
        self.check_clock(context.now)?;
        let fault = Reason::CalleeFault;
        let session = self.in_session(&id)?;
        let strands = answered(session)?;
        let spoken = &strands.results;
        let next = spoken.strand.count.checked_add(1) == Some(result.number);
        require!("SES-040", next, fault, "Result {} is out of order.", result.number);
        let tail = spoken.uncovered() < u64::from(session.sign_every);
        require!("SES-041", tail, fault, "{} results are not signed for.", spoken.uncovered());
        require!("SES-041", !is_overdue(session, spoken.since, context.now), fault, "Its head is overdue.");
        let invocation_id = InvocationId::in_session(id, result.seq);
        let invocation = self.invocation(&invocation_id);
        let invocation = require_some!("SES-042", invocation, fault, "Nothing of that number was asked.");
        let same = invocation.session == Some((id, result.request));
        require!("SES-042", same, fault, "It is for another request.");
        let again =
            invocation.outcome.as_ref().is_some_and(|(outcome, _)| *outcome == InvocationOutcome::InSession);
        require!("SES-042", !again, fault, "There was a result before.");
        let within = result.cost <= invocation.reserved;
        require!("SES-043", within, fault, "It costs more than was reserved.");
        let late = invocation.ended.is_some();
        let settled = if late { Amount::ZERO } else { result.cost };
        let before_link = spoken.strand.link;
        let resulted = SessionResulted { session_id: id, result: result.clone(), before_link, settled };
        let mut events = vec![Event::SessionResulted(resulted)];
        events.extend(self.fulfilled(invocation, settled).filter(|_| !late));
        Ok(events)
    }

    /// Records a side's signature over all that it has said: no more, no less.
    pub fn decide_session_head(
        &self,
        context: &Context<'_>,
        id: SessionId,
        side: Side,
        signed: &Signed,
    ) -> Decision {
        self.check_clock(context.now)?;
        let invalid = |error: NotOpened| Refusal::new("SES-050", Reason::ProofInvalid, format!("{error}."));
        let session = self.in_session(&id)?;
        let strands = answered(session)?;
        let head: SessionHead = self.open_by(session.side(side), signed).map_err(invalid)?;
        let reason = Reason::ProofInvalid;
        require!("SES-051", head.side == side, reason, "It is for the other side.");
        require!("SES-051", head.domain == *context.domain, reason, "It is for another domain.");
        require!("SES-051", head.session_id == id, reason, "It is for another session.");
        let spoken = strands.of(head.side);
        let said = (head.count, head.link) == (spoken.strand.count, spoken.strand.link);
        require!("SES-052", said, reason, "It is not over what was said: {} links.", spoken.strand.count);
        head.extensions.check()?;
        if spoken.uncovered() == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SessionSigned(SessionSigned { head: signed.clone() })])
    }

    /// Ends a session. What is open within it has been ended before.
    pub fn decide_end_session(&self, context: &Context<'_>, id: SessionId, cause: SessionCause) -> Decision {
        self.check_clock(context.now)?;
        let session = require_some!("SES-030", self.session(&id), Reason::SessionOver, "It is unknown.");
        if session.ended.is_some() {
            return Ok(Vec::new());
        }
        let covered = |strands: &Strands| strands.requests.uncovered() + strands.results.uncovered() == 0;
        let whole = cause != SessionCause::Closed || session.strands.as_ref().is_some_and(covered);
        require!("SES-053", whole, Reason::ProofInvalid, "Not all of it is signed for.");
        Ok(vec![Event::SessionEnded(SessionEnded { session_id: id, cause })])
    }

    /// A session that is open.
    fn in_session(&self, id: &SessionId) -> Result<&Session, Refusal> {
        let session = require_some!("SES-030", self.session(id), Reason::SessionOver, "It is unknown.");
        require!("SES-030", session.ended.is_none(), Reason::SessionOver);
        Ok(session)
    }

    /// The request is the next one, and enough of those before it is signed for.
    fn check_turn<'a>(
        &self,
        context: &Context<'_>,
        session: &'a Session,
        request: &SessionRequest,
    ) -> Result<&'a Strands, Refusal> {
        let strands = answered(session)?;
        let spoken = &strands.requests;
        let next = spoken.strand.count.checked_add(1) == Some(request.seq);
        require!("SES-031", next, Reason::OutOfSequence, "Request {} is out of order.", request.seq);
        let tail = spoken.uncovered() < u64::from(session.sign_every);
        let unsigned = Reason::LimitExceeded;
        require!("SES-032", tail, unsigned, "{} requests are not signed for.", spoken.uncovered());
        let overdue = is_overdue(session, spoken.since, context.now);
        require!("SES-033", !overdue, Reason::DeadlinePassed, "The caller's head is overdue.");
        Ok(strands)
    }

    fn open_by<T: crate::signed::Statement>(&self, by: &InstanceId, signed: &Signed) -> Result<T, NotOpened> {
        let key = self.instance(by).map(|instance| instance.statement.key).ok_or(NotOpened::Signers)?;
        signed.open(&[key])
    }
}

impl Session {
    /// Who that side is.
    pub fn side(&self, side: Side) -> &InstanceId {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }
}

impl SessionOpening {
    /// By when a side must have signed whose first uncovered link came then.
    pub fn head_due(&self, since: Timestamp) -> Timestamp {
        head_due(self.sign_within, since)
    }
}

fn head_due(within: Lifetime, since: Timestamp) -> Timestamp {
    since.plus(within).plus(Lifetime::from_millis(SESSION_HEAD_GRACE_MS))
}

/// An id is remembered for as long as it could come again.
fn is_young(context: &Context<'_>, id: SessionId) -> bool {
    let ahead = context.now.plus(Lifetime::from_millis(CLOCK_SKEW_MS));
    let retention = Lifetime::from_millis(RESULT_RETENTION_MS);
    id.time().is_some_and(|made| made <= ahead && context.now < made.plus(retention))
}

fn answered(session: &Session) -> Result<&Strands, Refusal> {
    Ok(require_some!("SES-030", session.strands.as_ref(), Reason::SessionOver, "It was not answered."))
}

fn is_overdue(session: &Session, since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| head_due(session.sign_within, since) < now)
}
