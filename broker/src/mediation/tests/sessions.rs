//! Sessions between a caller and a callee whose words the test chooses.

use std::time::Duration;

use countersign_forge::session::{Strands, session_answer, session_opening};
use countersign_protocol::{
    capability::{Arguments, Request},
    digest::{ChainId, Digest},
    domain::InvocationOutcome,
    id::{InvocationId, SessionId},
    payload::Payload,
    session::{SessionRequest, SessionResult, Side},
    signed::Statement,
    time::Lifetime,
};
use countersign_wire::v1::{
    OfferedSession, OpenSessionRequest, OpenSessionResponse, ServeRequest, ServedSession, SessionCall,
    SessionReply,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::world::{Callee, World, principal, reason, refused, rights, until};
use crate::{
    limits::{
        CALLEE_SESSIONS_MAX, SESSION_ANSWER_MAX, SESSION_CLOSE_MAX, SESSION_IN_FLIGHT_MAX,
        SESSION_UNTAKEN_BYTES,
    },
    mediation::{Saying, settle_unknown},
};

const SOON: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(60);

/// A caller, and what both sides have said.
pub(super) struct Caller {
    pub(super) world: World,
    say: mpsc::Sender<Result<OpenSessionRequest, Status>>,
    stream: Saying,
    pub(super) strands: Strands,
    first: OpenSessionResponse,
}

pub(super) fn wanted() -> Request {
    Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![]).unwrap(),
    }
}

/// The first message of a session of planner with files.
pub(super) fn first(
    world: &World,
    chain: ChainId,
) -> (OpenSessionRequest, countersign_protocol::signed::Signed, SessionId) {
    let agent = world.agent("planner").clone();
    let opening = world.say(|stage| {
        let (state, rng, now) = (stage.state, &mut *stage.rng, stage.now);
        session_opening(state, rng, now, &agent, chain, &principal("files"))
    });
    let opening = countersign_protocol::session::SessionOpening { sign_every: 256, ..opening };
    let signed = opening.sign(&agent.key);
    let message = OpenSessionRequest {
        trust_domain: "acme.example".into(),
        token: world.token_bytes(chain),
        opening: signed.to_bytes(),
        ..Default::default()
    };
    (message, signed, opening.session_id)
}

/// A callee that takes sessions.
pub(super) async fn serve(world: &World, capacity: u32, sessions: u32) -> Result<Callee, Status> {
    let hello =
        ServeRequest { trust_domain: "acme.example".into(), capacity, sessions, ..Default::default() };
    world.serve_with("files", hello).await
}

pub(super) async fn tell(callee: &Callee, id: SessionId, said: ServedSession) {
    let session = Some(ServedSession { session_id: id.to_string(), ..said });
    callee.say.send(Ok(ServeRequest { session, ..Default::default() })).await.unwrap();
}

pub(super) async fn hear(callee: &mut Callee) -> OfferedSession {
    callee.next().await.session.unwrap()
}

/// Opens a session that the callee answers.
pub(super) async fn sit(world: &World, chain: ChainId, callee: &mut Callee) -> Caller {
    let (message, signed, id) = first(world, chain);
    let (say, heard) = mpsc::channel(1_024);
    say.send(Ok(message)).await.unwrap();
    let opening = {
        let (world, actor) = (world.clone(), world.agent("planner").actor());
        tokio::spawn(async move { world.mediation.0.open_session(actor, ReceiverStream::new(heard)).await })
    };
    let offer = hear(callee).await;
    assert_eq!((offer.opening, offer.session_id), (signed.to_bytes(), id.to_string()));
    let answer = world.say(|stage| session_answer(stage.rng, stage.now, &callee.agent, &signed));
    let answer = answer.sign(&callee.agent.key);
    tell(callee, id, ServedSession { answer: answer.to_bytes(), ..Default::default() }).await;
    let mut stream = timeout(SOON, opening).await.unwrap().unwrap().unwrap();
    let first = timeout(SOON, stream.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.answer, answer.to_bytes());
    Caller { world: world.clone(), say, stream, strands: Strands::begin(id, &signed, &answer), first }
}

/// A world with a grant to planner, a callee of that capacity, and a session.
pub(super) async fn sitting(capacity: u32) -> (World, ChainId, Callee, Caller) {
    let world = World::new().await;
    let chain = world.grant(rights(500, 5)).await;
    let mut callee = serve(&world, capacity, 4).await.unwrap();
    let caller = sit(&world, chain, &mut callee).await;
    (world, chain, callee, caller)
}

impl Caller {
    pub(super) async fn say(&self, message: OpenSessionRequest) {
        self.say.send(Ok(message)).await.unwrap();
    }

    pub(super) async fn ask_for(&mut self, wanted: &Request, patience: u64) -> SessionRequest {
        let deadline = self.world.now().plus(Lifetime::from_millis(patience));
        let request = self.strands.request(wanted, deadline);
        self.strands.requests = self.strands.requests.with(&request);
        let call = SessionCall {
            request: request.to_bytes(),
            arguments: wanted.arguments.to_bytes(),
            body: Vec::new(),
            mac: vec![7; 32],
        };
        self.say(OpenSessionRequest { call: Some(call), ..Default::default() }).await;
        request
    }

    pub(super) async fn ask(&mut self) -> SessionRequest {
        self.ask_for(&wanted(), 20_000).await
    }

    pub(super) async fn sign(&self) {
        let head = self.strands.head(Side::Caller, self.world.now()).sign(&self.world.agent("planner").key);
        self.say(OpenSessionRequest { head: head.to_bytes(), ..Default::default() }).await;
    }

    pub(super) async fn next(&mut self) -> Result<OpenSessionResponse, Status> {
        timeout(SOON, self.stream.next()).await.expect("a word").expect("it is not over")
    }

    pub(super) async fn hears_nothing(&mut self) {
        let heard = timeout(A_WHILE, self.stream.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// Why it ended, after all that was said before.
    pub(super) async fn end(&mut self) -> Option<String> {
        loop {
            match timeout(SOON, self.stream.next()).await.expect("an end") {
                Some(Ok(_)) => {}
                Some(Err(status)) => return Some(reason(&status)),
                None => return None,
            }
        }
    }

    pub(super) fn outcome(&self, seq: u64) -> Option<InvocationOutcome> {
        let id = InvocationId::in_session(self.strands.id, seq);
        self.world.look(|state| state.invocation(&id).and_then(|it| it.outcome.clone()).map(|(end, _)| end))
    }
}

/// The callee's next result: of that request, which has that link.
pub(super) async fn answer(callee: &Callee, caller: &mut Caller, asked: &SessionRequest, body: &[u8]) {
    let result = SessionResult {
        seq: asked.seq,
        result: Digest::of(body),
        ..caller.strands.result(1, caller.world.now())
    };
    caller.strands.results = caller.strands.results.with(&result);
    let reply = SessionReply {
        result: result.to_bytes(),
        body: body.to_vec(),
        mac: vec![7; 32],
        ..Default::default()
    };
    tell(callee, caller.strands.id, ServedSession { reply: Some(reply), ..Default::default() }).await;
}

pub(super) async fn sign(callee: &Callee, caller: &Caller) {
    let head = caller.strands.head(Side::Callee, caller.world.now()).sign(&callee.agent.key);
    tell(callee, caller.strands.id, ServedSession { head: head.to_bytes(), ..Default::default() }).await;
}

#[tokio::test]
async fn what_is_asked_is_done_answered_and_signed_for() {
    let (world, chain, mut callee, mut caller) = sitting(4).await;
    assert!(caller.first.opened_leaf > 0);
    let asked = caller.ask().await;
    let call = hear(&mut callee).await.call.unwrap();
    assert_eq!(call.request, asked.to_bytes());
    answer(&callee, &mut caller, &asked, b"content").await;
    let reply = caller.next().await.unwrap().reply.unwrap();
    assert_eq!(reply.body, b"content");
    assert!(reply.intent_leaf < reply.result_leaf);
    assert_eq!(world.available(chain), 499);
    caller.sign().await;
    caller.say(OpenSessionRequest { close: true, ..Default::default() }).await;
    assert!(!hear(&mut callee).await.head.is_empty());
    assert!(hear(&mut callee).await.closing);
    sign(&callee, &caller).await;
    assert!(!caller.next().await.unwrap().head.is_empty());
    assert_eq!(caller.end().await, None);
    assert!(hear(&mut callee).await.over);
    assert_eq!(world.look(|state| state.open_sessions().count()), 0);
}

/// LOG-105 and LOG-106, within a session.
#[tokio::test]
async fn nothing_is_forwarded_or_answered_before_it_is_durable() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    world.store.hold();
    let asked = caller.ask().await;
    until(|| world.look(|state| state.open_invocations().count() == 1)).await;
    callee.hears_nothing().await;
    world.store.let_go();
    hear(&mut callee).await.call.unwrap();
    world.store.hold();
    answer(&callee, &mut caller, &asked, b"content").await;
    until(|| world.look(|state| state.open_invocations().count() == 0)).await;
    caller.hears_nothing().await;
    world.store.let_go();
    caller.next().await.unwrap().reply.unwrap();
}

#[tokio::test]
async fn what_is_refused_is_passed_over_and_the_session_goes_on() {
    let (_, _, mut callee, mut caller) = sitting(4).await;
    let wide = Request { resource: "file:/etc/shadow".parse().unwrap(), ..wanted() };
    let refused = caller.ask_for(&wide, 20_000).await;
    let asked = caller.ask().await;
    assert_eq!(hear(&mut callee).await.passed, Digest::of(&refused.to_bytes()).as_bytes());
    assert_eq!(hear(&mut callee).await.call.unwrap().request, asked.to_bytes());
    let told = caller.next().await.unwrap().refusal.unwrap();
    assert_eq!(told.seq, 1);
}

#[tokio::test]
async fn nothing_is_forwarded_in_a_session_after_its_chain_was_revoked() {
    let (world, chain, mut callee, mut caller) = sitting(4).await;
    let first = caller.ask().await;
    hear(&mut callee).await;
    world.store.hold();
    caller.ask().await;
    until(|| world.look(|state| state.open_invocations().count() == 2)).await;
    let revoking = {
        let (world, signed) = (world.clone(), world.revocation("alice", chain, 1));
        tokio::spawn(async move {
            let actor = world.agent("alice").actor();
            world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await.unwrap();
        })
    };
    until(|| world.look(|state| state.epoch() == 1)).await;
    world.store.let_go();
    revoking.await.unwrap();
    assert_eq!(caller.end().await.as_deref(), Some("REVOKED"));
    assert!(hear(&mut callee).await.over, "nothing else was forwarded");
    assert_eq!(caller.outcome(first.seq), Some(InvocationOutcome::Unknown), "the callee had it");
    assert_eq!(caller.outcome(2), Some(InvocationOutcome::Cancelled));
}

#[tokio::test]
async fn what_is_open_ends_when_a_side_leaves() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    let asked = caller.ask().await;
    hear(&mut callee).await;
    drop(callee);
    assert_eq!(caller.end().await.as_deref(), Some("OUTCOME_UNKNOWN"));
    assert_eq!(caller.outcome(asked.seq), Some(InvocationOutcome::Unknown));

    let mut callee = serve(&world, 4, 4).await.unwrap();
    let chain = world.grant(rights(5, 5)).await;
    let mut caller = sit(&world, chain, &mut callee).await;
    let asked = caller.ask().await;
    hear(&mut callee).await;
    let id = InvocationId::in_session(caller.strands.id, asked.seq);
    drop(caller);
    assert!(hear(&mut callee).await.over);
    let ended = world.look(|state| state.invocation(&id).unwrap().outcome.clone());
    assert_eq!(ended.map(|(end, _)| end), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn a_session_that_was_open_when_the_broker_stopped_has_ended_when_it_starts() {
    let (world, chain, mut callee, mut caller) = sitting(4).await;
    caller.ask().await;
    hear(&mut callee).await;
    let world = world.restarted().await;
    settle_unknown(&world.domain).await.unwrap();
    assert_eq!(world.look(|state| state.open_sessions().count()), 0);
    assert_eq!(world.look(|state| state.open_invocations().count()), 0);
    assert_eq!(world.available(chain), 499, "at the cost that was reserved");
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_given_up_and_its_late_result_heard() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    let asked = caller.ask_for(&wanted(), 1_000).await;
    hear(&mut callee).await;
    world.pass(1_000);
    assert_eq!(caller.next().await.unwrap().refusal.unwrap().seq, 1);
    assert_eq!(caller.outcome(1), Some(InvocationOutcome::Unknown));
    answer(&callee, &mut caller, &asked, b"late").await;
    assert_eq!(caller.next().await.unwrap().reply.unwrap().body, b"late");
    caller.ask().await;
    hear(&mut callee).await.call.unwrap();
}

#[tokio::test]
async fn a_callee_that_does_not_take_a_request_in_time_has_no_session() {
    let (world, _, _callee, mut caller) = sitting(4).await;
    caller.ask_for(&wanted(), 1_000).await;
    until(|| world.look(|state| state.open_invocations().count() == 1)).await;
    world.pass(1_000);
    assert_eq!(caller.end().await.as_deref(), Some("CALLEE_UNAVAILABLE"));
    assert_eq!(caller.outcome(1), Some(InvocationOutcome::Cancelled));
}

#[tokio::test]
async fn a_session_goes_over_its_callers_channel_and_to_its_own_callee() {
    let world = World::new().await;
    let chain = world.grant(rights(5, 5)).await;
    let (message, ..) = first(&world, chain);
    let open = async |on: &str, message: OpenSessionRequest| {
        let actor = world.agent(on).actor();
        let inbound = tokio_stream::iter([Ok(message)]);
        refused(world.mediation.0.open_session(actor, inbound).await)
    };
    assert_eq!(open("planner", message.clone()).await, "CALLEE_UNAVAILABLE", "nobody takes sessions");
    assert_eq!(open("mallory", message.clone()).await, "PROOF_INVALID");
    let call = OpenSessionRequest { call: Some(SessionCall::default()), ..message.clone() };
    assert_eq!(open("planner", call).await, "PAYLOAD_MALFORMED");
    let elsewhere = OpenSessionRequest { trust_domain: "other.example".into(), ..message };
    assert_eq!(open("planner", elsewhere).await, "WRONG_DOMAIN");
    let silent = world.mediation.0.open_session(world.agent("planner").actor(), tokio_stream::empty()).await;
    assert_eq!(refused(silent), "DEADLINE_PASSED");
}

#[tokio::test]
async fn a_callee_takes_so_many_sessions() {
    let world = World::new().await;
    let chain = world.grant(rights(5, 5)).await;
    assert_eq!(refused(serve(&world, 4, CALLEE_SESSIONS_MAX + 1).await.map(drop)), "LIMIT_EXCEEDED");
    drop(serve(&world, 4, CALLEE_SESSIONS_MAX).await.unwrap());
    let mut callee = serve(&world, 4, 1).await.unwrap();
    let caller = sit(&world, chain, &mut callee).await;
    let open = || async {
        let inbound = tokio_stream::iter([Ok(first(&world, chain).0)]);
        refused(world.mediation.0.open_session(world.agent("planner").actor(), inbound).await)
    };
    assert_eq!(open().await, "CALLEE_UNAVAILABLE");
    drop(caller);
    assert!(hear(&mut callee).await.over);
    sit(&world, chain, &mut callee).await;
}

#[tokio::test]
async fn a_callee_that_does_not_answer_an_opening_is_not_waited_for() {
    for early in [true, false] {
        let world = World::new().await;
        let chain = world.grant(rights(5, 5)).await;
        let mut callee = serve(&world, 4, 4).await.unwrap();
        let (message, _, id) = first(&world, chain);
        let opening = {
            let (world, actor) = (world.clone(), world.agent("planner").actor());
            let inbound = tokio_stream::iter([Ok(message)]).chain(tokio_stream::pending());
            tokio::spawn(async move { world.mediation.0.open_session(actor, inbound).await })
        };
        hear(&mut callee).await;
        world.pass(SESSION_ANSWER_MAX.as_millis() - 1);
        tokio::time::sleep(A_WHILE).await;
        assert!(!opening.is_finished());
        if early {
            tell(&callee, id, ServedSession { leave: true, ..Default::default() }).await;
        } else {
            world.pass(1);
        }
        assert_eq!(refused(timeout(SOON, opening).await.unwrap().unwrap()), "CALLEE_UNAVAILABLE");
        assert_eq!(world.look(|state| state.open_sessions().count()), 0);
    }
}

#[tokio::test]
async fn a_callee_that_does_not_sign_at_the_close_is_not_waited_for() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    let asked = caller.ask().await;
    hear(&mut callee).await;
    answer(&callee, &mut caller, &asked, b"content").await;
    caller.next().await.unwrap();
    caller.sign().await;
    caller.say(OpenSessionRequest { close: true, ..Default::default() }).await;
    hear(&mut callee).await;
    assert!(hear(&mut callee).await.closing);
    world.pass(SESSION_CLOSE_MAX.as_millis() - 1);
    caller.hears_nothing().await;
    world.pass(1);
    assert_eq!(caller.end().await.as_deref(), Some("CALLEE_FAULT"));
}

#[tokio::test]
async fn a_close_without_a_signature_is_no_close() {
    let (_, _, mut callee, mut caller) = sitting(4).await;
    let asked = caller.ask().await;
    hear(&mut callee).await;
    answer(&callee, &mut caller, &asked, b"content").await;
    sign(&callee, &caller).await;
    caller.say(OpenSessionRequest { close: true, ..Default::default() }).await;
    assert_eq!(caller.end().await.as_deref(), Some("PROOF_INVALID"));
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_session() {
    type Says = fn(&mut Caller) -> OpenSessionRequest;
    let cases: [(&str, Says); 4] = [
        ("PAYLOAD_MALFORMED", |_| OpenSessionRequest::default()),
        ("PAYLOAD_MALFORMED", |_| OpenSessionRequest { close: true, head: vec![1], ..Default::default() }),
        ("PAYLOAD_MALFORMED", |_| OpenSessionRequest {
            call: Some(SessionCall::default()),
            ..Default::default()
        }),
        ("OUT_OF_SEQUENCE", |caller| {
            let request =
                caller.strands.request(&wanted(), caller.world.now().plus(Lifetime::from_millis(9)));
            let request = SessionRequest { seq: 2, ..request }.to_bytes();
            let call = SessionCall { request, arguments: vec![], body: vec![], mac: vec![7; 32] };
            OpenSessionRequest { call: Some(call), ..Default::default() }
        }),
    ];
    for (expected, says) in cases {
        let (world, _, _callee, mut caller) = sitting(4).await;
        let message = says(&mut caller);
        caller.say(message).await;
        assert_eq!(caller.end().await.as_deref(), Some(expected));
        assert_eq!(world.look(|state| state.open_sessions().count()), 0);
    }
}

#[tokio::test]
async fn a_callee_that_breaks_the_rules_ends_the_session() {
    type Says = fn(&Caller, &SessionRequest) -> ServedSession;
    let cases: [Says; 5] = [
        |_, _| ServedSession::default(),
        |_, _| ServedSession { head: vec![1], ..Default::default() },
        |caller, asked| reply(caller, asked, b"content", b"other", 32),
        |caller, asked| reply(caller, asked, b"content", b"content", 31),
        |caller, _| {
            let head = caller.strands.head(Side::Callee, caller.world.now());
            let head = head.sign(&caller.world.agent("planner").key).to_bytes();
            ServedSession { head, ..Default::default() }
        },
    ];
    for says in cases {
        let (_, _, mut callee, mut caller) = sitting(4).await;
        let asked = caller.ask().await;
        hear(&mut callee).await;
        tell(&callee, caller.strands.id, says(&caller, &asked)).await;
        let end = caller.end().await;
        assert!(matches!(end.as_deref(), Some("CALLEE_FAULT" | "PROOF_INVALID")), "{end:?}");
        assert_eq!(caller.outcome(1), Some(InvocationOutcome::Unknown));
    }
}

fn reply(caller: &Caller, asked: &SessionRequest, said: &[u8], body: &[u8], mac: usize) -> ServedSession {
    let honest = caller.strands.result(1, caller.world.now());
    let result = SessionResult { seq: asked.seq, result: Digest::of(said), ..honest };
    let reply = SessionReply {
        result: result.to_bytes(),
        body: body.to_vec(),
        mac: vec![7; mac],
        ..Default::default()
    };
    ServedSession { reply: Some(reply), ..Default::default() }
}

#[tokio::test]
async fn a_session_has_so_many_requests_in_flight() {
    let (world, _, mut callee, mut caller) = sitting(1_024).await;
    for _ in 0..SESSION_IN_FLIGHT_MAX {
        caller.ask().await;
        hear(&mut callee).await;
    }
    caller.sign().await;
    caller.ask().await;
    callee.hears_nothing().await;
    assert_eq!(world.look(|state| state.open_invocations().count()), SESSION_IN_FLIGHT_MAX);
    let first = caller.strands.clone();
    let request = first_request(&world, first.id);
    let result = SessionResult { seq: 1, request, result: Digest::of(b""), ..first.result(1, world.now()) };
    let reply = SessionReply { result: result.to_bytes(), mac: vec![7; 32], ..Default::default() };
    tell(&callee, first.id, ServedSession { reply: Some(reply), ..Default::default() }).await;
    assert!(!hear(&mut callee).await.head.is_empty());
    hear(&mut callee).await.call.unwrap();
}

fn first_request(world: &World, id: SessionId) -> countersign_protocol::digest::SessionLink {
    world.look(|state| state.invocation(&InvocationId::in_session(id, 1)).unwrap().session.unwrap().1)
}

#[tokio::test]
async fn a_callee_of_one_place_is_given_one_request_after_another() {
    let (_, _, mut callee, mut caller) = sitting(1).await;
    let first = caller.ask().await;
    let link = caller.strands.clone();
    let second = caller.ask().await;
    assert_eq!(hear(&mut callee).await.call.unwrap().request, first.to_bytes());
    callee.hears_nothing().await;
    caller.strands = Strands { results: caller.strands.results, ..link };
    answer(&callee, &mut caller, &first, b"content").await;
    assert_eq!(hear(&mut callee).await.call.unwrap().request, second.to_bytes());
}

#[tokio::test]
async fn a_caller_takes_its_results_or_loses_its_session() {
    const LARGEST: usize = 1024 * 1024;
    let most = SESSION_UNTAKEN_BYTES / LARGEST;
    let (world, _, mut callee, mut caller) = sitting(64).await;
    // What the caller's connection has ahead is not counted.
    let ahead = 8;
    for _ in 0..most + ahead {
        let asked = caller.ask().await;
        hear(&mut callee).await;
        answer(&callee, &mut caller, &asked, &[7; LARGEST]).await;
    }
    until(|| world.look(|state| state.open_invocations().count() == 0)).await;
    assert_eq!(world.look(|state| state.open_sessions().count()), 1);
    let asked = caller.ask().await;
    hear(&mut callee).await;
    answer(&callee, &mut caller, &asked, &[7; LARGEST]).await;
    until(|| world.look(|state| state.open_sessions().count() == 0)).await;
    assert_eq!(caller.end().await.as_deref(), Some("OVERLOADED"));
}

#[tokio::test]
async fn a_broker_that_stops_ends_its_sessions() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    world.mediation.stop();
    let end = timeout(SOON, caller.stream.next()).await.unwrap().unwrap();
    assert_eq!(refused(end), "SESSION_OVER");
    assert!(hear(&mut callee).await.over);
    let id = caller.strands.id;
    assert!(world.look(|state| state.session(&id).unwrap().ended.is_some()));
}
