//! How sessions may be held.

use countersign_forge::domain;
use countersign_protocol::{
    digest::ChainId,
    domain::{
        Event, InvocationOutcome, SessionAnswered, SessionCause, SessionIntent, SessionOpened,
        SessionResulted, SessionSigned,
    },
    id::{InvocationId, SessionId},
    name::InstanceId,
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, Side},
    signed::{Signed, Statement},
    time::Timestamp,
    token::Via,
};

use super::{
    Asked, Model, Use,
    verdict::{
        SKEW_MS,
        Verdict::{self, Happens, Refused},
        after, known_terms, must,
    },
};
use crate::invariant::Invariant::{Budget, Consent, Doubt, Holder, Record};

/// How long results are remembered, in milliseconds.
const RETENTION_MS: u64 = 600_000;
/// How long an opening lives at most, in milliseconds.
const OPENING_MS: u64 = 60_000;
/// How much later than agreed a head may come, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// How far ahead a request's deadline may be, in milliseconds.
const AHEAD_MS: u64 = 330_000;
/// How many sessions one caller may have open.
const SESSIONS: usize = 32;

/// A session.
#[derive(Clone, Debug)]
pub struct Sitting {
    /// Who calls,
    pub caller: InstanceId,
    /// whom,
    pub callee: InstanceId,
    /// and under which chain.
    pub chain: ChainId,
    opening: SessionOpening,
    answered: bool,
    asked: Spoken,
    told: Spoken,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// How much one side has said, how much of it is signed for, and when the rest began.
#[derive(Clone, Debug, Default)]
struct Spoken {
    links: u64,
    signed: u64,
    since: Option<Timestamp>,
}

impl Spoken {
    fn say(&mut self, now: Timestamp) {
        self.links += 1;
        self.since.get_or_insert(now);
    }

    fn may_say(&self, number: u64, terms: &SessionOpening, now: Timestamp) -> bool {
        let within = terms.sign_within.as_millis() + GRACE_MS;
        number == self.links + 1
            && self.links - self.signed < u64::from(terms.sign_every)
            && self.since.is_none_or(|since| now <= after(since, within))
    }
}

impl Model {
    fn signed_by<T: Statement>(&self, who: &InstanceId, signed: &Signed) -> Result<T, Verdict> {
        let key = self.members.get(who).map(|member| member.key).ok_or(Refused(Doubt, "nobody"))?;
        signed.open(&[key]).map_err(|_| Refused(Consent, "somebody else signed it"))
    }

    fn sitting(&self, id: &SessionId) -> Result<&Sitting, Verdict> {
        let known = self.sessions.get(id).ok_or(Refused(Holder, "no such session"))?;
        must(Holder, known.ended.is_none(), "the session is over")?;
        Ok(known)
    }

    pub(super) fn judge_sitting(&self, event: &Event, now: Timestamp) -> Result<Verdict, Verdict> {
        match event {
            Event::SessionOpened(event) => self.judge_session_opening(event, now)?,
            Event::SessionAnswered(event) => self.judge_answer(event)?,
            Event::SessionIntent(event) => self.judge_asked(event, now)?,
            Event::SessionPassed(event) => self.judge_turn(&event.session_id, &event.request, now)?,
            Event::SessionResulted(event) => self.judge_told(event, now)?,
            Event::SessionSigned(event) => self.judge_head(event)?,
            Event::SessionEnded(event) => {
                let sitting = self.sitting(&event.session_id)?;
                let signed = |it: &Spoken| it.links == it.signed;
                let whole = sitting.answered && signed(&sitting.asked) && signed(&sitting.told);
                must(Consent, event.cause != SessionCause::Closed || whole, "not all is signed for")?;
            }
            _ => return Err(Refused(Doubt, "nothing of a session")),
        }
        Ok(Happens(event.kind()))
    }

    fn judge_session_opening(&self, event: &SessionOpened, now: Timestamp) -> Result<(), Verdict> {
        let claimed: SessionOpening =
            event.opening.peek_unverified().map_err(|_| Refused(Doubt, "unreadable"))?;
        let link = self.links.get(&claimed.chain_id).ok_or(Refused(Consent, "no such chain"))?;
        let it: SessionOpening = self.signed_by(&link.holder, &event.opening)?;
        let member = self.members.get(&link.holder).ok_or(Refused(Doubt, "nobody"))?;
        must(Holder, it.caller == link.holder && it.channel == member.spki, "another caller or channel")?;
        must(Consent, it.domain == domain() && it.activation_leaf == link.leaf, "another activation")?;
        known_terms(&it.extensions)?;
        let short = it.issued < it.expires && it.expires.since(it.issued).as_millis() <= OPENING_MS;
        must(Holder, short && it.issued <= after(now, SKEW_MS) && now < it.expires, "its times")?;
        must(Holder, !self.nonces.contains_key(&(it.caller.clone(), it.nonce)), "it was used")?;
        must(Holder, !self.sessions.contains_key(&it.session_id), "its id was used")?;
        let made = it.session_id.time().ok_or(Refused(Holder, "an id of no time"))?;
        let young = made <= after(now, SKEW_MS) && now < after(made, RETENTION_MS);
        must(Holder, young, "an id of another time")?;
        must(Holder, self.in_force(it.chain_id, now), "a link is not in force")?;
        let path: Vec<ChainId> = self.path(it.chain_id).map(|(id, _)| id).collect();
        must(Holder, event.chain.iter().rev().eq(&path), "another chain")?;
        must(Consent, self.path(it.chain_id).all(|(_, link)| link.sessions), "a contract forbids it")?;
        let valid = self
            .path(it.chain_id)
            .all(|(_, link)| link.rights.not_before <= now && link.rights.audiences.has(&it.callee));
        must(Holder, valid, "a link is not valid")?;
        let open = self.sessions.values().filter(|it| it.caller == link.holder && it.ended.is_none());
        must(Doubt, open.count() < SESSIONS, "too many sessions")?;
        let ready = *event.callee.principal() == it.callee && self.is_live(&event.callee, now);
        must(Doubt, ready, "nobody to do it")
    }

    fn judge_answer(&self, event: &SessionAnswered) -> Result<(), Verdict> {
        let sitting = self.sitting(&event.session_id)?;
        must(Consent, !sitting.answered, "it was answered")?;
        let answer: SessionAnswer = self.signed_by(&sitting.callee, &event.answer)?;
        known_terms(&answer.extensions)?;
        let fits = answer.session_id == event.session_id && answer.callee == sitting.callee;
        must(Consent, fits, "an answer to something else")
    }

    fn judge_turn(&self, id: &SessionId, request: &SessionRequest, now: Timestamp) -> Result<(), Verdict> {
        let sitting = self.sitting(id)?;
        must(Holder, sitting.answered, "nobody has answered")?;
        let may = sitting.asked.may_say(request.seq, &sitting.opening, now);
        must(Holder, may, "out of order, or not signed for")
    }

    fn judge_asked(&self, event: &SessionIntent, now: Timestamp) -> Result<(), Verdict> {
        self.judge_turn(&event.session_id, &event.request, now)?;
        let sitting = self.sitting(&event.session_id)?;
        must(Holder, self.in_force(sitting.chain, now), "a link is not in force")?;
        must(Doubt, self.is_live(&sitting.callee, now), "nobody to do it")?;
        let deadline = event.request.deadline;
        must(Holder, now < deadline && deadline <= after(now, AHEAD_MS), "its deadline")?;
        let per_call = self.links.get(&sitting.chain).map(|link| link.rights.budget.per_call);
        must(Budget, per_call == Some(event.reserved), "another reserve")?;
        let reserved = event.reserved.get();
        must(Budget, self.windows_allow(sitting.chain, reserved, now), "the window is full")?;
        must(Budget, reserved <= self.available(sitting.chain), "the budget is used up")
    }

    fn judge_told(&self, event: &SessionResulted, now: Timestamp) -> Result<(), Verdict> {
        let (sitting, result) = (self.sitting(&event.session_id)?, &event.result);
        let may = sitting.told.may_say(result.number, &sitting.opening, now);
        must(Record, may, "out of order, or not signed for")?;
        let id = InvocationId::in_session(event.session_id, result.seq);
        let known = self.uses.get(&id).ok_or(Refused(Budget, "no such request"))?;
        must(Budget, result.cost.get() <= known.reserved, "dearer than it was reserved")?;
        let settled = match known.end {
            None => result.cost.get(),
            Some((InvocationOutcome::InSession, _)) => return Err(Refused(Budget, "it was answered")),
            Some(_) => 0,
        };
        must(Budget, event.settled.get() == settled, "another cost")
    }

    fn judge_head(&self, event: &SessionSigned) -> Result<(), Verdict> {
        let claimed: SessionHead = event.head.peek_unverified().map_err(|_| Refused(Doubt, "unreadable"))?;
        let sitting = self.sitting(&claimed.session_id)?;
        let (who, spoken) = match claimed.side {
            Side::Caller => (&sitting.caller, &sitting.asked),
            Side::Callee => (&sitting.callee, &sitting.told),
        };
        let head: SessionHead = self.signed_by(who, &event.head)?;
        known_terms(&head.extensions)?;
        must(Consent, head.count == spoken.links && spoken.signed < spoken.links, "not over what was said")
    }

    pub(super) fn sit(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::SessionOpened(event) => {
                let Ok(opening) = event.opening.peek_unverified::<SessionOpening>() else { return };
                self.nonces.insert((opening.caller.clone(), opening.nonce), opening.expires);
                let sitting = Sitting {
                    caller: opening.caller.clone(),
                    callee: event.callee.clone(),
                    chain: opening.chain_id,
                    answered: false,
                    asked: Spoken::default(),
                    told: Spoken::default(),
                    ended: None,
                    opening: opening.clone(),
                };
                self.sessions.insert(opening.session_id, sitting);
            }
            Event::SessionAnswered(event) => {
                self.sessions.entry(event.session_id).and_modify(|it| it.answered = true);
            }
            Event::SessionPassed(event) => {
                self.sessions.entry(event.session_id).and_modify(|it| it.asked.say(now));
            }
            Event::SessionIntent(event) => self.asked(event, now),
            Event::SessionResulted(event) => {
                self.sessions.entry(event.session_id).and_modify(|it| it.told.say(now));
                let id = InvocationId::in_session(event.session_id, event.result.seq);
                match self.uses.get_mut(&id) {
                    Some(Use { end: Some((outcome, _)), .. }) => *outcome = InvocationOutcome::InSession,
                    _ => self.end(id, InvocationOutcome::InSession, event.settled.get(), now),
                }
            }
            Event::SessionSigned(event) => {
                let Ok(head) = event.head.peek_unverified::<SessionHead>() else { return };
                let Some(sitting) = self.sessions.get_mut(&head.session_id) else { return };
                let spoken = match head.side {
                    Side::Caller => &mut sitting.asked,
                    Side::Callee => &mut sitting.told,
                };
                (spoken.signed, spoken.since) = (head.count, None);
            }
            Event::SessionEnded(event) => {
                self.sessions.entry(event.session_id).and_modify(|it| it.ended = Some(now));
            }
            _ => {}
        }
    }

    fn asked(&mut self, event: &SessionIntent, now: Timestamp) {
        let Some(sitting) = self.sessions.get_mut(&event.session_id) else { return };
        sitting.asked.say(now);
        let SessionRequest { seq, action, resource, arguments, .. } = &event.request;
        let asked = Asked {
            via: Via::Broker,
            callee: sitting.callee.principal().clone(),
            action: action.to_string(),
            resource: resource.to_string(),
            arguments: *arguments,
        };
        let begun = Use {
            asked,
            caller: sitting.caller.clone(),
            callee: sitting.callee.clone(),
            chain: sitting.chain,
            reserved: event.reserved.get(),
            at: now,
            end: None,
            forget: None,
        };
        self.uses.insert(InvocationId::in_session(event.session_id, *seq), begun);
    }
}
