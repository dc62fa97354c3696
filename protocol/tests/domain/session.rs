//! Sessions: one proof for many invocations, and what nobody can make of it.

use countersign_forge::{
    Change, Talk, World, principal, rights,
    session::{SIGN_EVERY, Strands, session_answer, session_opening},
};
use countersign_protocol::{
    capability::Request,
    contract::Acceptance,
    digest::ChainId,
    domain::{Context, Event, InvocationOutcome, OpenSession, SessionCause, State},
    id::{InvocationId, SessionId},
    limits::{
        CLOCK_SKEW_MS, PROOF_MAX_MS, RESULT_RETENTION_MS, SESSION_DEADLINE_MAX_MS, SESSION_HEAD_GRACE_MS,
        SESSION_SIGN_EVERY_MAX, SESSION_SIGN_WITHIN_MAX_MS, SESSION_SIGN_WITHIN_MIN_MS,
        SESSIONS_PER_INSTANCE,
    },
    negotiation::MoveKind,
    payload::Payload,
    refusal::{Reason, Refusal},
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side},
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::Nonce,
};

use crate::invocation::request;

/// A session of planner with files, under alice's grant.
pub(crate) struct Sitting {
    pub(crate) world: World,
    pub(crate) chain: ChainId,
    pub(crate) opening: Signed,
    pub(crate) strands: Strands,
}

pub(crate) fn after(world: &World, millis: u64) -> Timestamp {
    world.now.plus(Lifetime::from_millis(millis))
}

pub(crate) fn opening(world: &mut World, caller: &str, chain: ChainId) -> SessionOpening {
    let (agent, now) = (world.agent(caller), world.now);
    session_opening(&world.state, &mut world.rng, now, &agent, chain, &principal("files"))
}

/// Presents an opening over the channel of `on`.
pub(crate) fn present(
    world: &mut World,
    on: &str,
    chain: ChainId,
    signed: &Signed,
) -> Result<Vec<Event>, Reason> {
    let (actor, callee) = (world.agent(on).actor(), world.agent("files").id);
    let permit = world.active(chain).permit_session(signed, world.now).map_err(|refusal| refusal.reason())?;
    let open = OpenSession { permit: &permit, opening: signed, callee: Some(&callee) };
    world.decide(|state, context| state.decide_open_session(context, &actor, &open))
}

pub(crate) fn answer(
    world: &mut World,
    opened: &Signed,
    change: Change<SessionAnswer>,
    by: &str,
) -> Result<Signed, Reason> {
    let (files, now) = (world.agent("files"), world.now);
    let mut answer = session_answer(&mut world.rng, now, &files, opened);
    change(world, &mut answer);
    let id = opened.peek_unverified::<SessionOpening>().unwrap().session_id;
    let signed = answer.sign(&world.agent(by).key);
    world.decide(|state, context| state.decide_session_answer(context, id, &signed)).map(|_| signed)
}

impl Sitting {
    pub(crate) fn begin(calls: u64) -> Self {
        let mut world = World::new();
        let chain = world.grant(rights(calls, 3)).unwrap();
        Self::within(world, chain, "planner")
    }

    pub(crate) fn within(mut world: World, chain: ChainId, caller: &str) -> Self {
        let said = opening(&mut world, caller, chain);
        let opening = said.sign(&world.agent(caller).key);
        present(&mut world, caller, chain, &opening).unwrap();
        let answered = answer(&mut world, &opening, |_, _| {}, "files").unwrap();
        let strands = Strands::begin(said.session_id, &opening, &answered);
        Self { world, chain, opening, strands }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.strands.id
    }

    pub(crate) fn next(&self, wanted: &Request) -> SessionRequest {
        self.strands.request(wanted, after(&self.world, 20_000))
    }

    /// Decides a request that comes over the channel of `on`.
    pub(crate) fn ask_on(
        &mut self,
        on: &str,
        request: SessionRequest,
        wanted: &Request,
    ) -> Result<Vec<Event>, Reason> {
        let (id, actor, world) = (self.id(), self.world.agent(on).actor(), &mut self.world);
        let permit = world.active(self.chain).permit_session(&self.opening, self.opening_time());
        let used = permit.unwrap().permit(request, wanted.arguments.clone(), b"", self.world.now);
        let used = used.map_err(|refusal| refusal.reason())?;
        self.world.decide(|state, context| state.decide_session_request(context, &actor, id, &used))
    }

    fn opening_time(&self) -> Timestamp {
        self.opening.peek_unverified::<SessionOpening>().unwrap().issued
    }

    pub(crate) fn ask(&mut self) -> Result<Vec<Event>, Reason> {
        self.ask_changed(|_, _| {})
    }

    pub(crate) fn ask_changed(&mut self, change: Change<SessionRequest>) -> Result<Vec<Event>, Reason> {
        let mut asked = self.next(&request());
        change(&mut self.world, &mut asked);
        let events = self.ask_on("planner", asked.clone(), &request())?;
        self.strands.requests = self.strands.requests.with(&asked);
        Ok(events)
    }

    pub(crate) fn tell(&mut self, cost: u64) -> Result<Vec<Event>, Reason> {
        let result = self.strands.result(cost, self.world.now);
        self.tell_this(result)
    }

    pub(crate) fn tell_this(&mut self, result: SessionResult) -> Result<Vec<Event>, Reason> {
        let id = self.id();
        let told = self.world.decide(|state, context| state.decide_session_result(context, id, &result))?;
        self.strands.results = self.strands.results.with(&result);
        Ok(told)
    }

    pub(crate) fn sign(&mut self, side: Side) -> Result<Vec<Event>, Reason> {
        self.sign_changed(side, |_, _| {}, if side == Side::Caller { "planner" } else { "files" })
    }

    pub(crate) fn sign_changed(
        &mut self,
        side: Side,
        change: Change<SessionHead>,
        by: &str,
    ) -> Result<Vec<Event>, Reason> {
        let mut head = self.strands.head(side, self.world.now);
        change(&mut self.world, &mut head);
        let (id, head) = (self.id(), head.sign(&self.world.agent(by).key));
        self.world.decide(|state, context| state.decide_session_head(context, id, side, &head))
    }

    /// The next request is refused: it would be beyond the chain.
    pub(crate) fn pass_over(&mut self) {
        let (id, refused) = (self.id(), self.next(&request()));
        let refusal = Refusal::new("CHN-008", Reason::CheckFailed, "");
        let decide = |state: &State, context: &Context<'_>| {
            state.decide_session_passed(context, id, &refused, &refusal)
        };
        self.world.decide(decide).unwrap();
        self.strands.requests = self.strands.requests.with(&refused);
    }

    pub(crate) fn end(&mut self, cause: SessionCause) -> Result<Vec<Event>, Reason> {
        let id = self.id();
        self.world.decide(|state, context| state.decide_end_session(context, id, cause))
    }

    pub(crate) fn available(&self) -> u64 {
        self.world.state.chain(&self.chain).unwrap().account.available().get()
    }

    pub(crate) fn invocation(&self, seq: u64) -> InvocationId {
        InvocationId::in_session(self.id(), seq)
    }
}

#[test]
fn a_session_is_opened_used_signed_for_and_closed() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    assert_eq!(sitting.available(), 9, "reserved");
    sitting.tell(0).unwrap();
    assert_eq!(sitting.available(), 10, "settled at what it cost");
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    assert_eq!(sitting.available(), 9);
    let outcome = sitting.world.state.invocation(&sitting.invocation(2)).unwrap().outcome.clone();
    assert_eq!(outcome.map(|(outcome, _)| outcome), Some(InvocationOutcome::InSession));
    assert_eq!(sitting.end(SessionCause::Closed), Err(Reason::ProofInvalid), "nothing is signed for");
    assert_eq!(sitting.sign(Side::Caller).unwrap().len(), 1);
    assert_eq!(sitting.end(SessionCause::Closed), Err(Reason::ProofInvalid), "the results are not");
    sitting.sign(Side::Callee).unwrap();
    assert_eq!(sitting.sign(Side::Callee), Ok(vec![]), "there is no more to sign for");
    assert_eq!(sitting.end(SessionCause::Closed).unwrap().len(), 1);
    assert_eq!(sitting.end(SessionCause::Closed), Ok(vec![]), "once");
    assert_eq!(sitting.ask(), Err(Reason::SessionOver));
    assert_eq!(sitting.sign(Side::Caller), Err(Reason::SessionOver));
    assert_eq!(sitting.world.state.open_sessions().count(), 0);
}

/// Attack lines 8, 12 and 13: everything that an opening binds.
#[test]
fn an_opening_is_for_one_chain_one_caller_one_channel_and_one_time() {
    let cases: [(&str, Change<SessionOpening>, Result<(), Reason>); 17] = [
        ("as it should be", |_, _| {}, Ok(())),
        ("another domain", |_, o| o.domain = "other.example".parse().unwrap(), Err(Reason::ProofInvalid)),
        ("another chain", |_, o| o.chain_id = ChainId::from_bytes([7; 32]), Err(Reason::ProofInvalid)),
        ("another leaf", |w, o| o.activation_leaf = w.state.tree().size().last_leaf(), Ok(())),
        (
            "a later leaf",
            |w, o| o.activation_leaf = w.state.tree().size().next_leaf(),
            Err(Reason::ProofInvalid),
        ),
        ("another caller", |w, o| o.caller = w.agent("mallory").id, Err(Reason::ProofInvalid)),
        ("another channel", |w, o| o.channel = w.agent("mallory").spki, Err(Reason::ProofInvalid)),
        (
            "a callee that no link names",
            |_, o| o.callee = principal("fetcher"),
            Err(Reason::AudienceMismatch),
        ),
        ("as long as may be", |_, o| o.expires = o.issued.plus(Lifetime::from_millis(PROOF_MAX_MS)), Ok(())),
        (
            "longer",
            |_, o| o.expires = o.issued.plus(Lifetime::from_millis(PROOF_MAX_MS + 1)),
            Err(Reason::ProofExpired),
        ),
        ("no time", |_, o| o.expires = o.issued, Err(Reason::ProofExpired)),
        ("a clock that is ahead", |w, o| ahead(w, o, CLOCK_SKEW_MS), Ok(())),
        ("a clock that is too far ahead", |w, o| ahead(w, o, CLOCK_SKEW_MS + 1), Err(Reason::ProofExpired)),
        ("the last moment", |w, o| w.now = Timestamp::new(o.expires.as_millis() - 1).unwrap(), Ok(())),
        ("expired", |w, o| w.now = o.expires, Err(Reason::ProofExpired)),
        ("an old id", |w, o| o.session_id = id_of(w, RESULT_RETENTION_MS), Err(Reason::InvocationIdStale)),
        ("one that is just young", |w, o| o.session_id = id_of(w, RESULT_RETENTION_MS - 1), Ok(())),
    ];
    for (what, change, outcome) in cases {
        let mut world = World::new();
        let chain = world.grant(rights(10, 3)).unwrap();
        let mut said = opening(&mut world, "planner", chain);
        change(&mut world, &mut said);
        let signed = said.sign(&world.agent("planner").key);
        assert_eq!(present(&mut world, "planner", chain, &signed).map(drop), outcome, "{what}");
    }
}

fn ahead(world: &World, opening: &mut SessionOpening, millis: u64) {
    opening.issued = after(world, millis);
    opening.expires = opening.issued.plus(Lifetime::from_millis(1));
}

pub(crate) fn id_of(world: &mut World, age: u64) -> SessionId {
    let made = Timestamp::new(world.now.as_millis() - age).unwrap();
    SessionId::new(made, &mut world.rng)
}

#[test]
fn an_opening_counts_once_and_only_for_whom_it_is() {
    let mut world = World::new();
    let chain = world.grant(rights(10, 3)).unwrap();
    let said = opening(&mut world, "planner", chain);
    let signed = said.sign(&world.agent("planner").key);
    let stolen = said.sign(&world.agent("mallory").key);
    assert_eq!(present(&mut world, "planner", chain, &stolen), Err(Reason::ProofInvalid));
    assert_eq!(present(&mut world, "mallory", chain, &signed), Err(Reason::ChannelMismatch));
    present(&mut world, "planner", chain, &signed).unwrap();
    assert_eq!(present(&mut world, "planner", chain, &signed), Err(Reason::ProofReplayed));
    // The same session again, with a nonce that was not used.
    let again = SessionOpening { nonce: Nonce::new(&mut world.rng), ..said };
    let again = again.sign(&world.agent("planner").key);
    assert_eq!(present(&mut world, "planner", chain, &again), Err(Reason::IdAlreadyUsed));
}

/// What expires between the permit and the decision is refused by the decision.
#[test]
fn an_opening_that_expires_while_it_is_looked_at_is_refused() {
    let mut world = World::new();
    let chain = world.grant(rights(10, 3)).unwrap();
    let said = opening(&mut world, "planner", chain);
    let signed = said.sign(&world.agent("planner").key);
    let (actor, callee) = (world.agent("planner").actor(), world.agent("files").id);
    let permit = world.active(chain).permit_session(&signed, world.now).unwrap();
    let open = OpenSession { permit: &permit, opening: &signed, callee: Some(&callee) };
    let decided = |mut world: World, now: u64| {
        world.now = Timestamp::new(now).unwrap();
        world.decide(|state, context| state.decide_open_session(context, &actor, &open)).map(drop)
    };
    assert_eq!(decided(world.clone(), said.expires.as_millis() - 1), Ok(()), "the twin");
    assert_eq!(decided(world, said.expires.as_millis()), Err(Reason::ProofExpired));
}

#[test]
fn an_opening_states_how_often_heads_are_signed() {
    let mut world = World::new();
    let chain = world.grant(rights(10, 3)).unwrap();
    let reads = |every: u32, within: u64| {
        let said = opening(&mut world.clone(), "planner", chain);
        let said = SessionOpening { sign_every: every, sign_within: Lifetime::from_millis(within), ..said };
        SessionOpening::from_bytes(&said.to_bytes()).is_ok()
    };
    let within = SESSION_SIGN_WITHIN_MIN_MS..=SESSION_SIGN_WITHIN_MAX_MS;
    assert!([1, SESSION_SIGN_EVERY_MAX].iter().all(|every| reads(*every, *within.start())));
    assert!(![0, SESSION_SIGN_EVERY_MAX + 1].iter().any(|every| reads(*every, *within.start())));
    assert!(reads(1, *within.end()));
    assert!(!reads(1, within.start() - 1) && !reads(1, within.end() + 1));
}

#[test]
fn an_instance_has_only_so_many_sessions() {
    let mut world = World::new();
    let chain = world.grant(rights(10, 3)).unwrap();
    let open = |world: &mut World| {
        let said = opening(world, "planner", chain);
        let signed = said.sign(&world.agent("planner").key);
        present(world, "planner", chain, &signed).map(|_| said.session_id)
    };
    let mut sessions: Vec<_> = (0..SESSIONS_PER_INSTANCE).map(|_| open(&mut world).unwrap()).collect();
    assert_eq!(open(&mut world), Err(Reason::Overloaded));
    let over = sessions.pop().unwrap();
    world.decide(|state, context| state.decide_end_session(context, over, SessionCause::CalleeLeft)).unwrap();
    open(&mut world).unwrap();
}

#[test]
fn a_contract_that_asks_for_receipts_allows_no_session_anywhere_beneath_it() {
    for (first, second, outcome) in [
        (Acceptance::SessionResult, Acceptance::SessionResult, Ok(())),
        (Acceptance::SignedReceipt, Acceptance::SessionResult, Err(Reason::SessionNotAllowed)),
        (Acceptance::SessionResult, Acceptance::SignedReceipt, Err(Reason::SessionNotAllowed)),
    ] {
        let mut world = World::new();
        let grant = world.grant(rights(500, 5)).unwrap();
        let first = contract(&mut world, grant, ["planner", "researcher"], first, 4);
        let second = contract(&mut world, first, ["researcher", "fetcher"], second, 3);
        let said = opening(&mut world, "fetcher", second);
        let signed = said.sign(&world.agent("fetcher").key);
        assert_eq!(present(&mut world, "fetcher", second, &signed).map(drop), outcome);
    }
}

fn contract(
    world: &mut World,
    parent: ChainId,
    [by, to]: [&'static str; 2],
    accepts: Acceptance,
    left: u32,
) -> ChainId {
    let talk = Talk::new(world, by, to);
    talk.request(world, rights(100, left)).unwrap();
    let mut body = world.stage().contract_body(talk.id, [by, to], parent, rights(100, left));
    body.acceptance = accepts;
    let mut made = talk.bare(world, by, MoveKind::Offer);
    made.offer = Some(world.stage().offer(by, &body));
    talk.send(world, by, &made).unwrap();
    let mut made = talk.bare(world, to, MoveKind::Accept);
    made.accept = Some(world.stage().accept(to, &body));
    talk.send(world, to, &made).unwrap();
    world.state.negotiation(&talk.id).unwrap().outcome.unwrap()
}

#[test]
fn nothing_is_asked_before_the_callee_has_answered() {
    let mut world = World::new();
    let chain = world.grant(rights(10, 3)).unwrap();
    let said = opening(&mut world, "planner", chain);
    let opening = said.sign(&world.agent("planner").key);
    present(&mut world, "planner", chain, &opening).unwrap();
    let strands = Strands::begin(said.session_id, &opening, &opening);
    let mut sitting = Sitting { world, chain, opening, strands };
    assert_eq!(sitting.ask(), Err(Reason::SessionOver));
}

/// Reordered, replayed, dropped, and from another's channel.
#[test]
fn requests_come_in_their_order_and_over_their_callers_channel() {
    let mut sitting = Sitting::begin(10);
    let (first, second) = (sitting.next(&request()), SessionRequest { seq: 2, ..sitting.next(&request()) });
    assert_eq!(
        sitting.ask_on("planner", second.clone(), &request()),
        Err(Reason::OutOfSequence),
        "reordered"
    );
    assert_eq!(sitting.ask_on("mallory", first.clone(), &request()), Err(Reason::ChannelMismatch));
    sitting.ask_on("planner", first.clone(), &request()).unwrap();
    assert_eq!(sitting.ask_on("planner", first, &request()), Err(Reason::OutOfSequence), "replayed");
    sitting.ask_on("planner", second, &request()).unwrap();
    let fourth = SessionRequest { seq: 4, ..sitting.next(&request()) };
    assert_eq!(sitting.ask_on("planner", fourth, &request()), Err(Reason::OutOfSequence), "one was dropped");
}

#[test]
fn a_request_is_for_its_own_arguments_and_within_the_chain() {
    let mut sitting = Sitting::begin(10);
    let other =
        SessionRequest { arguments: request().arguments.digest(b"other"), ..sitting.next(&request()) };
    assert_eq!(sitting.ask_on("planner", other, &request()), Err(Reason::ProofInvalid));
    let wide = Request { resource: "file:/etc/shadow".parse().unwrap(), ..request() };
    let asked = sitting.next(&wide);
    assert_eq!(sitting.ask_on("planner", asked, &wide), Err(Reason::CheckFailed));
    sitting.ask().unwrap();
}

#[test]
fn a_request_waits_no_longer_than_it_may() {
    let mut sitting = Sitting::begin(10);
    assert_eq!(sitting.ask_changed(|w, r| r.deadline = w.now), Err(Reason::DeadlineExceeded));
    let far = sitting.ask_changed(|w, r| r.deadline = after(w, SESSION_DEADLINE_MAX_MS + 1));
    assert_eq!(far, Err(Reason::LimitExceeded));
    sitting.ask_changed(|w, r| r.deadline = after(w, SESSION_DEADLINE_MAX_MS)).unwrap();
    sitting.ask_changed(|w, r| r.deadline = after(w, 1)).unwrap();
}

#[test]
fn a_request_that_was_refused_stays_a_link_and_costs_nothing() {
    let mut sitting = Sitting::begin(1);
    sitting.ask().unwrap();
    assert_eq!(sitting.ask(), Err(Reason::BudgetExceeded));
    let (id, refused) = (sitting.id(), sitting.next(&request()));
    let refusal = countersign_protocol::refusal::Refusal::new("CTR-021", Reason::BudgetExceeded, "");
    let pass = |state: &countersign_protocol::domain::State,
                context: &countersign_protocol::domain::Context<'_>| {
        state.decide_session_passed(context, id, &refused, &refusal)
    };
    sitting.world.decide(pass).unwrap();
    assert_eq!(sitting.world.decide(pass), Err(Reason::OutOfSequence), "once");
    sitting.strands.requests = sitting.strands.requests.with(&refused);
    let first = SessionResult { seq: 2, ..sitting.strands.result(1, sitting.world.now) };
    assert_eq!(sitting.tell_this(first), Err(Reason::CalleeFault), "nothing of that number was permitted");
    sitting.sign(Side::Caller).unwrap();
    assert_eq!(sitting.available(), 0);
}

/// Beyond what both agreed on, nothing more is asked or told without a signature.
#[test]
fn a_tail_without_a_signature_is_bounded_in_number() {
    let mut sitting = Sitting::begin(100);
    for _ in 0..SIGN_EVERY {
        sitting.ask().unwrap();
        sitting.tell(1).unwrap();
    }
    assert_eq!(sitting.ask(), Err(Reason::LimitExceeded));
    sitting.sign(Side::Caller).unwrap();
    sitting.ask().unwrap();
    assert_eq!(sitting.tell(1), Err(Reason::CalleeFault), "nor may the callee");
    sitting.sign(Side::Callee).unwrap();
    sitting.tell(1).unwrap();
}

#[test]
fn a_tail_without_a_signature_is_bounded_in_time() {
    let due = 10_000 + SESSION_HEAD_GRACE_MS;
    let mut sitting = Sitting::begin(100);
    sitting.ask().unwrap();
    sitting.world.pass(due);
    sitting.ask().unwrap();
    sitting.world.pass(1);
    assert_eq!(sitting.ask(), Err(Reason::DeadlinePassed));
    sitting.sign(Side::Caller).unwrap();
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    sitting.world.pass(due + 1);
    sitting.sign(Side::Caller).unwrap();
    sitting.ask_changed(|w, r| r.deadline = after(w, 1)).unwrap();
    assert_eq!(sitting.tell(1), Err(Reason::CalleeFault));
    sitting.sign(Side::Callee).unwrap();
    sitting.tell(1).unwrap();
}

/// Spliced between sessions: what was said in one is worth nothing in another.
#[test]
fn what_was_said_in_one_session_fits_into_no_other() {
    let one = Sitting::begin(10);
    let mut two = Sitting::within(one.world.clone(), one.chain, "planner");
    two.ask().unwrap();
    let strands = Strands { id: two.id(), ..one.strands.clone() };
    let mut spliced =
        Sitting { strands, world: two.world.clone(), chain: two.chain, opening: two.opening.clone() };
    spliced.strands.requests = spliced.strands.requests.with(&spliced.next(&request()));
    assert_eq!(spliced.sign(Side::Caller), Err(Reason::ProofInvalid), "the head of another session's links");
    assert_eq!(spliced.tell(1), Err(Reason::CalleeFault), "a result for another session's request");
    two.tell(1).unwrap();
}

#[test]
fn nothing_is_asked_in_a_session_after_its_chain_or_callee_was_revoked() {
    for instance in [None, Some("files")] {
        let mut sitting = Sitting::begin(10);
        sitting.ask().unwrap();
        let (world, chain) = (&mut sitting.world, sitting.chain);
        let (by, of, count) = match instance {
            None => ("alice", (Some(chain), None), 1),
            Some(name) => ("root", (None, Some(world.agent(name).id)), 0),
        };
        let revoke = world.stage().revocation(by, of.0, of.1, count).sign(&world.agent(by).key);
        let actor = world.agent(by).actor();
        world.decide(|state, context| state.decide_revoke(context, &actor, &revoke)).unwrap();
        let reason = if instance.is_some() { Reason::CalleeUnavailable } else { Reason::Revoked };
        assert_eq!(sitting.ask(), Err(reason));
        let signed = opening(&mut sitting.world, "planner", chain).sign(&sitting.world.agent("planner").key);
        assert_eq!(present(&mut sitting.world, "planner", chain, &signed).map(drop), Err(reason));
    }
}

/// An invocation whose id its caller chose so that it would be a session's later.
#[test]
fn a_request_does_not_take_the_place_of_another_invocation() {
    let mut sitting = Sitting::begin(10);
    let (id, chain) = (sitting.invocation(1), sitting.chain);
    let proof = crate::invocation::proof(&mut sitting.world, "planner", chain, id);
    let signed = proof.sign(&sitting.world.agent("planner").key);
    crate::invocation::present(&mut sitting.world, "planner", chain, &signed).unwrap();
    assert_eq!(sitting.ask(), Err(Reason::InvocationConflict));
}

/// Nothing of a session is forgotten before it could come again.
#[test]
fn a_session_is_remembered_while_its_id_could_be_used() {
    let mut sitting = Sitting::begin(10);
    sitting.end(SessionCause::CallerLeft).unwrap();
    sitting.world.pass(RESULT_RETENTION_MS - 1);
    sitting.world.stay("mallory");
    assert!(sitting.world.state.session(&sitting.id()).is_some());
    sitting.world.pass(1);
    sitting.world.stay("mallory");
    assert!(sitting.world.state.session(&sitting.id()).is_none());
}

/// Whatever a session leaves in the ledger, an audit decides again to the same.
#[test]
fn an_audit_decides_a_session_again() {
    let mut sitting = Sitting::begin(10);
    for _ in 0..3 {
        sitting.ask().unwrap();
        sitting.tell(1).unwrap();
    }
    sitting.sign(Side::Caller).unwrap();
    sitting.sign(Side::Callee).unwrap();
    sitting.end(SessionCause::Closed).unwrap();
    let report = crate::audit::audit(&sitting.world);
    assert!(report.is_clean(), "{:?}", report.findings);
}
