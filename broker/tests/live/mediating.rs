//! Invocations over real connections.

use std::time::Duration;

use countersign_broker::{clock::ManualClock, mediation::RECEIPT_TRAILER};
use countersign_protocol::{
    capability::{Amount, Arguments, Budget, Capability, Rights},
    digest::{ChainId, Digest},
    extension::Extensions,
    grant::GrantRequest,
    id::{GrantId, InvocationId, RequestId},
    limits::BODY_MAX_BYTES,
    payload::{Ascending, Bounded, Payload},
    receipt::{ActionOutcome, Receipt},
    revocation::RevokeRequest,
    signed::{Signed, Statement as _},
    time::{Lifetime, Timestamp},
    token::{Activation, Nonce, Proof, Via},
};
use countersign_wire::v1::{
    self, grants_client::GrantsClient, mediation_client::MediationClient,
    revocations_client::RevocationsClient,
};
use rand::rngs::OsRng;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};

use crate::support::{Agent, DOMAIN, Setting, TestBroker, principal, reason};

const SOON: Duration = Duration::from_secs(10);
const LARGEST: usize = 4 * 1024 * 1024;

const RULES: &str = r#"
[[grant_rule]]
originator = "spiffe://prod.acme.example/human/alice"
principal = "spiffe://prod.acme.example/agent/planner"
lifetime = "1h"
audiences = ["spiffe://prod.acme.example/service/files"]
budget = { unit = "calls", ceiling = 100, per_call = 1 }
delegations_left = 3

[[grant_rule.capability]]
resource = "file:/data/**"
actions = ["read"]
"#;

/// A broker, and those who use it; planner holds a grant of alice's.
struct Parties {
    broker: TestBroker,
    alice: Agent,
    planner: Agent,
    files: Agent,
    mallory: Agent,
    chain: v1::ActiveChain,
}

impl Parties {
    async fn meet(clock: Option<ManualClock>) -> Self {
        let broker = TestBroker::with(Setting { rules: RULES.into(), clock }).await;
        let admin = broker.admin().await;
        let alice = broker.agent(&admin, "human/alice").await;
        let planner = broker.agent(&admin, "agent/planner").await;
        let files = broker.agent(&admin, "service/files").await;
        let mallory = broker.agent(&admin, "agent/mallory").await;
        let chain = grant(&alice, &planner).await;
        Self { broker, alice, planner, files, mallory, chain }
    }

    fn chain_id(&self) -> ChainId {
        self.chain.chain_id.as_slice().try_into().unwrap()
    }

    /// What that instance signs and sends to have one file read.
    fn request(&self, caller: &Agent, id: InvocationId, body: &[u8]) -> v1::InvokeRequest {
        let now = self.broker.clock.now();
        let activation: Activation =
            Signed::from_bytes(&self.chain.activation).unwrap().peek_unverified().unwrap();
        let proof = Proof {
            domain: DOMAIN.parse().unwrap(),
            invocation_id: id,
            chain_id: self.chain_id(),
            activation_leaf: activation.leaf,
            caller: caller.instance().clone(),
            callee: principal("service/files"),
            action: "read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: Arguments::new(vec![]).unwrap().digest(body),
            nonce: Nonce::new(&mut OsRng),
            issued: now,
            expires: now.plus(Lifetime::from_millis(30_000)),
            via: Via::Broker,
            channel: caller.actor().spki,
            extensions: Extensions::none(),
        };
        v1::InvokeRequest {
            trust_domain: DOMAIN.into(),
            token: self.chain.token.clone(),
            proof: proof.sign(&caller.key).to_bytes(),
            arguments: Vec::new(),
            body: body.to_vec(),
        }
    }

    fn id(&self) -> InvocationId {
        InvocationId::new(self.broker.clock.now(), &mut OsRng)
    }

    async fn invoke(&self, caller: &Agent, id: InvocationId) -> Result<v1::InvokeResponse, Status> {
        let request = self.request(caller, id, b"");
        timeout(SOON, send(&mut mediation(caller).await, request)).await.unwrap()
    }
}

async fn grant(alice: &Agent, planner: &Agent) -> v1::ActiveChain {
    let now = alice.clock.now();
    let capability = Capability {
        resource: "file:/data/**".parse().unwrap(),
        actions: Ascending::new(vec!["read".parse().unwrap()]).unwrap(),
        constraints: Bounded::default(),
    };
    let amount = |number| Amount::new(number).unwrap();
    let rights = Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: Ascending::new(vec![principal("service/files")]).unwrap(),
        not_before: now,
        not_after: now.plus(Lifetime::from_millis(1_800_000)),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: amount(50),
            per_call: amount(1),
            window: None,
        },
        delegations_left: 1,
    };
    let request = GrantRequest {
        domain: DOMAIN.parse().unwrap(),
        grant_id: GrantId::new(now, &mut OsRng),
        originator: alice.instance().clone(),
        holder: planner.instance().clone(),
        rights,
        issued: now,
        extensions: Extensions::none(),
    };
    let grant_request = request.sign(&alice.key).to_bytes();
    let request = v1::IssueGrantRequest { trust_domain: DOMAIN.into(), grant_request };
    let answer = GrantsClient::new(alice.channel().await).issue_grant(request).await.unwrap();
    answer.into_inner().chain.unwrap()
}

async fn mediation(agent: &Agent) -> MediationClient<Channel> {
    MediationClient::new(agent.channel().await)
        .max_decoding_message_size(LARGEST)
        .max_encoding_message_size(LARGEST)
}

async fn send(
    client: &mut MediationClient<Channel>,
    request: v1::InvokeRequest,
) -> Result<v1::InvokeResponse, Status> {
    client.invoke(request).await.map(tonic::Response::into_inner)
}

/// A callee of which the test decides what it answers.
struct Callee {
    agent: Agent,
    say: mpsc::Sender<v1::ServeRequest>,
    stream: Streaming<v1::ServeResponse>,
}

impl Callee {
    async fn of(agent: &Agent) -> Self {
        let (say, said) = mpsc::channel(8);
        say.send(v1::ServeRequest { trust_domain: DOMAIN.into(), capacity: 4, ..Default::default() })
            .await
            .unwrap();
        let stream = mediation(agent).await.serve(ReceiverStream::new(said)).await.unwrap().into_inner();
        Self { agent: agent.clone(), say, stream }
    }

    async fn next(&mut self) -> Result<v1::ServeResponse, Status> {
        timeout(SOON, self.stream.message()).await.unwrap().map(Option::unwrap)
    }

    async fn done(&self, asked: &v1::ServeResponse, body: &[u8]) {
        let proof = Signed::from_bytes(&asked.proof).unwrap();
        let claims: Proof = proof.peek_unverified().unwrap();
        let receipt = Receipt {
            domain: DOMAIN.parse().unwrap(),
            invocation_id: claims.invocation_id,
            chain_id: claims.chain_id,
            proof: proof.digest(),
            callee: self.agent.instance().clone(),
            outcome: ActionOutcome::Done,
            result: Digest::of(body),
            cost: Amount::new(1).unwrap(),
            finished: claims.issued,
            extensions: Extensions::none(),
        };
        let receipt = receipt.sign(&self.agent.key).to_bytes();
        let answer = v1::Answer { invocation_id: asked.invocation_id.clone(), receipt, body: body.to_vec() };
        self.say.send(v1::ServeRequest { answer: Some(answer), ..Default::default() }).await.unwrap();
    }

    /// Does whatever it is asked, for as long as it can.
    fn willing(mut self) {
        tokio::spawn(async move {
            while let Ok(Some(asked)) = self.stream.message().await {
                self.done(&asked, b"content").await;
            }
        });
    }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    reason(&outcome.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_answered_and_a_thief_is_not() {
    let parties = Parties::meet(None).await;
    Callee::of(&parties.files).await.willing();
    let id = parties.id();
    let answer = parties.invoke(&parties.planner, id).await.unwrap();
    assert_eq!(answer.body, b"content");
    assert_eq!(parties.invoke(&parties.planner, id).await.unwrap(), answer, "a retry");

    assert_eq!(refused(parties.invoke(&parties.mallory, parties.id()).await), "PROOF_INVALID");
    // The whole request of the holder, over the thief's own connection.
    let stolen = parties.request(&parties.planner, parties.id(), b"");
    let outcome = send(&mut mediation(&parties.mallory).await, stolen.clone()).await;
    assert_eq!(refused(outcome), "PROOF_INVALID");
    let mut planner = mediation(&parties.planner).await;
    assert!(send(&mut planner, stolen.clone()).await.is_ok(), "the twin");
    assert_eq!(refused(send(&mut planner, stolen).await), "PROOF_REPLAYED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_body_goes_through_and_a_larger_one_does_not() {
    let parties = Parties::meet(None).await;
    let mut callee = Callee::of(&parties.files).await;
    let mut planner = mediation(&parties.planner).await;
    let request = parties.request(&parties.planner, parties.id(), &vec![7; BODY_MAX_BYTES]);
    let sending = tokio::spawn(async move { send(&mut planner, request).await });
    let asked = callee.next().await.unwrap();
    assert_eq!(asked.body.len(), BODY_MAX_BYTES);
    callee.done(&asked, &vec![8; BODY_MAX_BYTES]).await;
    assert_eq!(sending.await.unwrap().unwrap().body.len(), BODY_MAX_BYTES);
    let request = parties.request(&parties.planner, parties.id(), &vec![7; BODY_MAX_BYTES + 1]);
    let outcome = send(&mut mediation(&parties.planner).await, request).await;
    assert_eq!(refused(outcome), "LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_receipt_and_not_the_body() {
    let mut parties = Parties::meet(None).await;
    Callee::of(&parties.files).await.willing();
    let id = parties.id();
    let answer = parties.invoke(&parties.planner, id).await.unwrap();
    parties.broker.restart().await;
    let status = parties.invoke(&parties.planner, id).await.unwrap_err();
    assert_eq!(reason(&status), "RESULT_NOT_RETAINED");
    let receipt = status.metadata().get_bin(RECEIPT_TRAILER).unwrap().to_bytes().unwrap();
    assert_eq!(receipt, answer.receipt);
}

/// The callee had it when the broker stopped: nobody can say whether it was done.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_the_broker_stopped_is_unknown() {
    let mut parties = Parties::meet(None).await;
    let mut callee = Callee::of(&parties.files).await;
    let id = parties.id();
    let request = parties.request(&parties.planner, id, b"");
    let mut planner = mediation(&parties.planner).await;
    let sending = tokio::spawn(async move { send(&mut planner, request).await });
    callee.next().await.unwrap();
    parties.broker.restart().await;
    assert!(sending.await.unwrap().is_err());
    assert_eq!(refused(parties.invoke(&parties.planner, id).await), "OUTCOME_UNKNOWN");
    Callee::of(&parties.files).await.willing();
    assert!(parties.invoke(&parties.planner, parties.id()).await.is_ok(), "the twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_own_deadline_is_kept() {
    let parties = Parties::meet(None).await;
    let mut callee = Callee::of(&parties.files).await;
    let id = parties.id();
    let mut request = Request::new(parties.request(&parties.planner, id, b""));
    request.set_timeout(Duration::from_millis(300));
    let mut planner = mediation(&parties.planner).await;
    let sending = tokio::spawn(async move { planner.invoke(request).await });
    callee.next().await.unwrap();
    assert!(timeout(SOON, sending).await.unwrap().unwrap().is_err());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(refused(parties.invoke(&parties.planner, id).await), "OUTCOME_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_connection_breaks_finds_its_answer_later() {
    let parties = Parties::meet(None).await;
    let mut callee = Callee::of(&parties.files).await;
    let id = parties.id();
    let request = parties.request(&parties.planner, id, b"");
    let mut planner = mediation(&parties.planner).await;
    let sending = tokio::spawn(async move { send(&mut planner, request).await });
    let asked = callee.next().await.unwrap();
    sending.abort();
    callee.done(&asked, b"content").await;
    assert_eq!(parties.invoke(&parties.planner, id).await.unwrap().body, b"content");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_callee_ends_with_its_certificate() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let mut parties = Parties::meet(Some(clock.clone())).await;
    let mut callee = Callee::of(&parties.files).await;
    // The others have renewed theirs.
    clock.advance(Lifetime::from_millis(200_000));
    parties.planner.renew().await.unwrap();
    clock.advance(Lifetime::from_millis(100_000));
    assert!(callee.next().await.is_err());
    sleep(Duration::from_millis(50)).await;
    assert_eq!(refused(parties.invoke(&parties.planner, parties.id()).await), "CALLEE_UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_acknowledged_and_told() {
    let parties = Parties::meet(None).await;
    Callee::of(&parties.files).await.willing();
    let watch = v1::WatchRevocationsRequest { trust_domain: DOMAIN.into(), from_leaf: 0 };
    let mut watcher = RevocationsClient::new(parties.planner.channel().await);
    let mut told = watcher.watch_revocations(watch).await.unwrap().into_inner();
    let id = parties.id();
    assert!(parties.invoke(&parties.planner, id).await.is_ok(), "the twin");
    let revoke = RevokeRequest {
        domain: DOMAIN.parse().unwrap(),
        sender: parties.alice.instance().clone(),
        chain: Some(parties.chain_id()),
        instance: None,
        chains: 1,
        request_id: RequestId::new(parties.broker.clock.now(), &mut OsRng),
        issued: parties.broker.clock.now(),
        extensions: Extensions::none(),
    };
    let revoke_request = revoke.sign(&parties.alice.key).to_bytes();
    let message = v1::RevokeRequest { trust_domain: DOMAIN.into(), revoke_request };
    let mut stranger = RevocationsClient::new(parties.mallory.channel().await);
    assert!(stranger.revoke(message.clone()).await.is_err(), "it is not mallory's to send");
    let mut alice = RevocationsClient::new(parties.alice.channel().await);
    assert_eq!(alice.revoke(message).await.unwrap().into_inner().epoch, 1);
    assert_eq!(refused(parties.invoke(&parties.planner, parties.id()).await), "REVOKED");
    assert_eq!(refused(parties.invoke(&parties.planner, id).await), "REVOKED");
    let heard = async {
        loop {
            let word = told.message().await.unwrap().unwrap();
            if !word.revoked.is_empty() {
                return word.revoked;
            }
        }
    };
    assert_eq!(timeout(SOON, heard).await.unwrap(), [parties.chain_id().as_bytes()]);
}
