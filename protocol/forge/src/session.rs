//! Sessions as honest parties would hold them: unsigned, for a test to change first.

use countersign_protocol::{
    capability::{Amount, Request},
    digest::{ChainId, Digest},
    domain::State,
    extension::Extensions,
    id::SessionId,
    name::PrincipalId,
    receipt::ActionOutcome,
    session::{
        Ephemeral, SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side, Strand,
    },
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::Nonce,
};
use rand::rngs::StdRng;

use crate::cast::{Agent, domain};

/// After how many links an honest side signs here.
pub const SIGN_EVERY: u32 = 4;

/// What a holder signs to open a session with a callee.
pub fn session_opening(
    state: &State,
    rng: &mut StdRng,
    now: Timestamp,
    caller: &Agent,
    chain: ChainId,
    callee: &PrincipalId,
) -> SessionOpening {
    SessionOpening {
        domain: domain(),
        session_id: SessionId::new(now, rng),
        chain_id: chain,
        activation_leaf: state.chain(&chain).unwrap().leaf,
        caller: caller.id.clone(),
        callee: callee.clone(),
        key: Ephemeral::generate(rng).public(),
        sign_every: SIGN_EVERY,
        sign_within: Lifetime::from_millis(10_000),
        nonce: Nonce::new(rng),
        issued: now,
        expires: now.plus(Lifetime::from_millis(30_000)),
        channel: caller.spki,
        extensions: Extensions::none(),
    }
}

/// What a callee answers to it.
pub fn session_answer(rng: &mut StdRng, now: Timestamp, callee: &Agent, opening: &Signed) -> SessionAnswer {
    let claimed: SessionOpening = opening.peek_unverified().unwrap();
    SessionAnswer {
        domain: domain(),
        session_id: claimed.session_id,
        opening: opening.digest(),
        callee: callee.id.clone(),
        key: Ephemeral::generate(rng).public(),
        answered: now,
        extensions: Extensions::none(),
    }
}

/// The two strands of a session, as both sides keep them.
#[derive(Clone, Debug)]
pub struct Strands {
    /// Which.
    pub id: SessionId,
    /// What was asked.
    pub requests: Strand,
    /// What was answered.
    pub results: Strand,
}

impl Strands {
    /// Before anything was said.
    pub fn begin(id: SessionId, opening: &Signed, answer: &Signed) -> Self {
        let begin = |side| Strand::begin(side, &opening.digest(), &answer.digest());
        Self { id, requests: begin(Side::Caller), results: begin(Side::Callee) }
    }

    /// The next request, without a body.
    pub fn request(&self, wanted: &Request, deadline: Timestamp) -> SessionRequest {
        SessionRequest {
            seq: self.requests.count + 1,
            action: wanted.action.clone(),
            resource: wanted.resource.clone(),
            arguments: wanted.arguments.digest(b""),
            deadline,
        }
    }

    /// The next result: of the last request, done at that cost.
    pub fn result(&self, cost: u64, now: Timestamp) -> SessionResult {
        SessionResult {
            number: self.results.count + 1,
            seq: self.requests.count,
            request: self.requests.link,
            outcome: ActionOutcome::Done,
            result: Digest::of(b"content"),
            cost: Amount::new(cost).unwrap(),
            finished: now,
        }
    }

    /// A side's head over all that it has said.
    pub fn head(&self, side: Side, now: Timestamp) -> SessionHead {
        let strand = match side {
            Side::Caller => self.requests,
            Side::Callee => self.results,
        };
        SessionHead {
            domain: domain(),
            session_id: self.id,
            side,
            count: strand.count,
            link: strand.link,
            signed: now,
            extensions: Extensions::none(),
        }
    }
}
