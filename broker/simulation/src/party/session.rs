//! A session, from its opening to its end or to wherever it breaks. The callee's stream and the
//! caller's are not modelled: what is said in it arrives, until something goes wrong with it.

use countersign_forge::{
    principal,
    session::{SIGN_EVERY, Strands, session_answer, session_opening},
};
use countersign_protocol::{
    capability::{Amount, Request},
    domain::{Actor, End, OpenSession, SessionCause},
    id::InvocationId,
    key::SigningKey,
    refusal::{Reason, Refusal},
    session::{SessionResult, Side},
    signed::{Signed, Statement},
    time::Lifetime,
    token::{SessionPermit, SessionUse},
};

use super::Holding;
use crate::{broker::Decided, plan::Step, scope, stop::Flow, world::World};

/// What goes wrong in a session; mostly nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    OpenedTwice,
    NotAnswered,
    AnsweredByAnother,
    RequestOutOfOrder,
    RequestLate,
    ResultOfAnother,
    ResultDear,
    ResultLate,
    HeadOfAnother,
    HeadUnsigned,
    CallerLeaves,
    ClosedUnsigned,
}

const WRONGS: [Wrong; 13] = [
    Wrong::Nothing,
    Wrong::OpenedTwice,
    Wrong::NotAnswered,
    Wrong::AnsweredByAnother,
    Wrong::RequestOutOfOrder,
    Wrong::RequestLate,
    Wrong::ResultOfAnother,
    Wrong::ResultDear,
    Wrong::ResultLate,
    Wrong::HeadOfAnother,
    Wrong::HeadUnsigned,
    Wrong::CallerLeaves,
    Wrong::ClosedUnsigned,
];

/// Who is in a session, and what was said.
struct Sitting {
    caller: Actor,
    keys: [SigningKey; 2],
    permit: SessionPermit,
    strands: Strands,
    wrong: Wrong,
}

impl World {
    /// A holder has several things done under one proof.
    pub fn sit(&mut self, step: &Step) -> Flow {
        let holdings = self.holdings();
        let Some(at) = usize::from(step.which).checked_rem(holdings.len()) else { return Ok(()) };
        let (who, holding) = holdings[at].clone();
        if !self.ready(who)? {
            return Ok(());
        }
        let wrong =
            if step.what < 128 { Wrong::Nothing } else { WRONGS[usize::from(step.what) % WRONGS.len()] };
        let Some(mut sitting) = self.sit_down(who, &holding, wrong)? else { return Ok(()) };
        for number in 0..1 + step.how % 7 {
            // Sometimes something that the chain may not allow.
            let wanted = scope::request(if step.how & 8 == 8 { number } else { step.how });
            let allowed =
                scope::REQUESTS.iter().find(|it| scope::allows(&holding.active.token().leaf().rights, it));
            let wanted = if step.how & 16 == 16 { wanted } else { allowed.cloned().unwrap_or(wanted) };
            if !self.have_done(&mut sitting, &wanted)? {
                break;
            }
            self.flush()?;
        }
        self.stand_up(&sitting)?;
        // What is said after the end is said to nobody.
        let late = sitting.strands.head(Side::Caller, self.now).sign(&sitting.keys[0]);
        let id = sitting.strands.id;
        self.decide(|state, context| state.decide_session_head(context, id, Side::Caller, &late))?;
        self.flush()
    }

    /// Opens a session, as far as it goes.
    fn sit_down(&mut self, who: usize, holding: &Holding, wrong: Wrong) -> Flow<Option<Sitting>> {
        let Some(process) = &self.process else { return Ok(None) };
        let (caller, now) = (self.parties[who].agent.clone(), self.now);
        if process.state.chain(&holding.chain).is_none() {
            return Ok(None);
        }
        let name = principal(scope::CALLEES[usize::from(who as u8) % scope::CALLEES.len()]);
        let opening = session_opening(&process.state, &mut self.rng, now, &caller, holding.chain, &name);
        let signed = opening.sign(&caller.key);
        let permit = match holding.active.permit_session(&signed, self.broker_now()) {
            Ok(permit) => permit,
            Err(refusal) => {
                self.tally.refused(refusal.reason());
                return Ok(None);
            }
        };
        let callee = self.callee(&name);
        let instance = callee.as_ref().map(|callee| callee.actor.instance.clone());
        let actor = caller.actor();
        let open = |world: &mut Self| {
            let open = OpenSession { permit: &permit, opening: &signed, callee: instance.as_ref() };
            world.decide(|state, context| state.decide_open_session(context, &actor, &open))
        };
        let opened = open(self)?;
        if wrong == Wrong::OpenedTwice {
            open(self)?;
        }
        let (Decided::Recorded(_), Some(callee)) = (opened, callee) else { return Ok(None) };
        self.flush()?;
        let id = opening.session_id;
        if wrong == Wrong::NotAnswered {
            return self.end_sitting(id, SessionCause::CalleeLeft).map(|()| None);
        }
        let agent = self.parties[callee.party].agent.clone();
        let answer = session_answer(&mut self.rng, now, &agent, &signed);
        let key = if wrong == Wrong::AnsweredByAnother { &caller.key } else { &agent.key };
        let answer = answer.sign(key);
        let answered = self.decide(|state, context| state.decide_session_answer(context, id, &answer))?;
        if !matches!(answered, Decided::Recorded(_)) {
            return self.end_sitting(id, SessionCause::CalleeFault).map(|()| None);
        }
        let strands = Strands::begin(id, &signed, &answer);
        let keys = [caller.key.clone(), agent.key];
        Ok(Some(Sitting { caller: caller.actor(), keys, permit, strands, wrong }))
    }

    /// One request and its result. Whether the session goes on.
    fn have_done(&mut self, sitting: &mut Sitting, wanted: &Request) -> Flow<bool> {
        let (id, deadline) = (sitting.strands.id, self.broker_now().plus(Lifetime::from_millis(20_000)));
        let mut request = sitting.strands.request(wanted, deadline);
        match sitting.wrong {
            Wrong::RequestOutOfOrder => request.seq += 1,
            Wrong::RequestLate => request.deadline = self.broker_now(),
            _ => {}
        }
        let permitted =
            sitting.permit.permit(request.clone(), wanted.arguments.clone(), b"", self.broker_now());
        let refusal = match permitted {
            Ok(used) => self.ask_in(sitting, &used)?,
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refusal {
            self.tally.refused(refusal.reason());
            let passed =
                self.decide(|state, context| state.decide_session_passed(context, id, &request, &refusal))?;
            if !matches!(passed, Decided::Recorded(_)) {
                return Ok(false);
            }
            sitting.strands.requests = sitting.strands.requests.with(&request);
            return self.sign_in(sitting, Side::Caller);
        }
        sitting.strands.requests = sitting.strands.requests.with(&request);
        self.flush()?;
        Ok(self.sign_in(sitting, Side::Caller)? && self.answer_in(sitting, request.seq)?)
    }

    fn ask_in(&mut self, sitting: &Sitting, used: &SessionUse) -> Flow<Option<Refusal>> {
        let (id, actor) = (sitting.strands.id, sitting.caller.clone());
        let decided =
            self.decide(|state, context| state.decide_session_request(context, &actor, id, used))?;
        Ok(match decided {
            Decided::Refused(refusal, _) => Some(refusal),
            _ => None,
        })
    }

    fn answer_in(&mut self, sitting: &mut Sitting, seq: u64) -> Flow<bool> {
        let (id, honest) = (sitting.strands.id, sitting.strands.result(1, self.now));
        let result = match sitting.wrong {
            Wrong::ResultOfAnother => SessionResult { request: sitting.strands.results.link, ..honest },
            Wrong::ResultDear => SessionResult { cost: Amount::new(1_000_000).unwrap(), ..honest },
            _ => honest,
        };
        if sitting.wrong == Wrong::ResultLate {
            let invocation = InvocationId::in_session(id, seq);
            self.decide(|state, context| state.decide_end(context, invocation, &End::Unknown))?;
        }
        let told = self.decide(|state, context| state.decide_session_result(context, id, &result))?;
        if !matches!(told, Decided::Recorded(_)) {
            return Ok(false);
        }
        sitting.strands.results = sitting.strands.results.with(&result);
        self.sign_in(sitting, Side::Callee)
    }

    /// A side signs where it must; whether the session goes on.
    fn sign_in(&mut self, sitting: &Sitting, side: Side) -> Flow<bool> {
        let links = match side {
            Side::Caller => sitting.strands.requests.count,
            Side::Callee => sitting.strands.results.count,
        };
        if !links.is_multiple_of(u64::from(SIGN_EVERY)) || sitting.wrong == Wrong::HeadUnsigned {
            return Ok(true);
        }
        let signed = self.sign_now(sitting, side)?;
        Ok(!matches!(signed, Decided::Refused(..)))
    }

    fn sign_now(&mut self, sitting: &Sitting, side: Side) -> Flow<Decided> {
        let (id, head) = (sitting.strands.id, sitting.strands.head(side, self.now));
        let signer = match (side, sitting.wrong) {
            (Side::Caller, Wrong::HeadOfAnother) | (Side::Callee, _) => &sitting.keys[1],
            (Side::Caller, _) => &sitting.keys[0],
        };
        let head: Signed = head.sign(signer);
        self.decide(|state, context| state.decide_session_head(context, id, side, &head))
    }

    /// The end: closed and signed for, or not.
    fn stand_up(&mut self, sitting: &Sitting) -> Flow {
        let id = sitting.strands.id;
        let open = self.process.iter().flat_map(|process| process.state.open_invocations());
        let open = open.filter(|(_, it)| it.session.is_some_and(|(session, _)| session == id));
        let open: Vec<InvocationId> = open.map(|(id, _)| *id).collect();
        for invocation in open {
            self.decide(|state, context| state.decide_end(context, invocation, &End::Unknown))?;
        }
        if sitting.wrong == Wrong::CallerLeaves {
            return self.end_sitting(id, SessionCause::CallerLeft);
        }
        if sitting.wrong != Wrong::ClosedUnsigned {
            self.sign_now(sitting, Side::Caller)?;
            self.sign_now(sitting, Side::Callee)?;
        }
        let closed =
            self.decide(|state, context| state.decide_end_session(context, id, SessionCause::Closed))?;
        match closed {
            Decided::Refused(refusal, _) if refusal.reason() == Reason::ProofInvalid => {
                self.end_sitting(id, SessionCause::CallerFault)
            }
            _ => Ok(()),
        }
    }

    fn end_sitting(&mut self, id: countersign_protocol::id::SessionId, cause: SessionCause) -> Flow {
        self.decide(|state, context| state.decide_end_session(context, id, cause))?;
        self.flush()
    }
}
