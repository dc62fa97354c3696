//! Alice, her planner, its researcher, and a files service, each with the SDK: a grant, a contract
//! after two rounds, and one invocation.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use countersign::{
    Agent as Sdk, Answer, Ask, Call, Chunks, Done, Error, Handler, Held, Invocation, Offer, OfferReply,
    Options, Outcome, Output, RequestReply, Terms, Wanted,
};
use countersign_protocol::{
    capability::{Amount, Arguments, Rights},
    digest::Digest,
    id::ContractId,
    receipt::ActionOutcome,
    settings::{self, Scope},
    time::Lifetime,
    trace_context::TraceContext,
};
use tokio::task::JoinHandle;

use super::{Agent, Setting, TestBroker, principal};

const RULES: &str = r#"
[[grant_rule]]
originator = "spiffe://prod.acme.example/human/alice"
principal = "spiffe://prod.acme.example/agent/planner"
lifetime = "1h"
audiences = ["spiffe://prod.acme.example/service/files"]
delegations_left = 3
budget = { unit = "calls", ceiling = 500, per_call = 1 }

[[grant_rule.capability]]
resource = "file:/data/**"
actions = ["files:read"]
"#;

/// The trace that everyone in the story is in.
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const TRACESTATE: &str = "vendor=1";

/// Rights under the rule: that many calls, that many hops, on files beneath that directory.
pub(crate) fn rights(agent: &Sdk, calls: u64, delegations_left: u32, directory: &str) -> Rights {
    let text = format!(
        "audiences = [\"spiffe://prod.acme.example/service/files\"]\n\
         delegations_left = {delegations_left}\n\
         budget = {{ unit = \"calls\", ceiling = {calls}, per_call = 1 }}\n\
         [[capability]]\nresource = \"file:{directory}/**\"\nactions = [\"files:read\"]\n"
    );
    let scope = settings::read("rights", &text, Scope::read).unwrap();
    scope
        .between(agent.now(), Lifetime::from_millis(30 * 60_000 - u64::from(3 - delegations_left) * 1_000))
        .unwrap()
}

pub(crate) struct Story {
    pub(crate) broker: TestBroker,
    pub(crate) root: Agent,
    pub(crate) alice: Sdk,
    pub(crate) planner: Sdk,
    pub(crate) researcher: Sdk,
    pub(crate) files: Sdk,
    /// The planner's, by alice.
    pub(crate) granted: Held,
    /// The researcher's, by the planner.
    pub(crate) contracted: Held,
    serving: JoinHandle<Error>,
}

impl Story {
    /// Up to the contract.
    pub(crate) async fn begin() -> Self {
        Self::configured("").await
    }

    /// The same, with a broker that is configured in some other way as well.
    pub(crate) async fn configured(settings: &str) -> Self {
        let rules = format!("{settings}{RULES}");
        let broker = TestBroker::with(Setting { rules, ..Setting::default() }).await;
        let root = broker.admin().await;
        let join = async |path: &str| {
            let token = broker.token(&root, path).await;
            let mut options = Options::new(Digest::of(path.as_bytes()));
            options.trace = Some(Arc::new(|| TraceContext::read(TRACEPARENT, TRACESTATE)));
            Sdk::join(&token, options).await.unwrap()
        };
        let (alice, planner) = (join("human/alice").await, join("agent/planner").await);
        let (researcher, files) = (join("agent/researcher").await, join("service/files").await);
        let granted = alice.grant(planner.instance(), rights(&alice, 500, 3, "/data")).await.unwrap();
        let granted = planner.held(granted.chain_id()).await.unwrap();
        let contracted = negotiate(&planner, &granted, &researcher).await;
        let serving = serve(&files);
        Self { broker, root, alice, planner, researcher, files, granted, contracted, serving }
    }

    /// Another contract of the two, in place of an earlier one if that is named.
    pub(crate) async fn renegotiate(&self, replaces: Option<ContractId>) -> Held {
        let rights = || self.contracted.rights().clone();
        let (staleness, life) = (Lifetime::from_millis(1_000), Lifetime::from_millis(60_000));
        let terms = || Terms { replaces, ..Terms::new(rights(), staleness, life) };
        let mut offers = |_: &Wanted| RequestReply::from(terms());
        let ask = Ask {
            rights: rights(),
            purpose: "to read on".into(),
            deadline: self.researcher.now().plus(Lifetime::from_millis(5 * 60_000)),
            max_rounds: 1,
            award: None,
        };
        let (planner, mut accept) = (principal("agent/planner"), |_: &Offer| OfferReply::Accept);
        let asking = self.researcher.negotiate(&planner, ask, &mut accept);
        let (delegated, held) = tokio::join!(self.planner.delegate(&self.granted, &mut offers), asking);
        let held = held.unwrap();
        assert_eq!(delegated.unwrap().outcome.unwrap(), held.chain_id());
        held
    }

    /// The researcher asks once for one file to be read.
    pub(crate) async fn read_once(&self, file: &str) -> Result<Answer, Error> {
        let call = Call {
            callee: principal("service/files"),
            action: "files:read".parse().unwrap(),
            resource: format!("file:{file}").parse().unwrap(),
            arguments: Arguments::new(Vec::new()).unwrap(),
            body: b"please".to_vec(),
        };
        self.researcher.invoke(&self.contracted, call).await
    }

    /// The researcher has one file read.
    pub(crate) async fn read(&self, file: &str) -> Result<Answer, Error> {
        let mut tries = 0;
        loop {
            match self.read_once(file).await {
                // The service's stream may not be open yet.
                Err(error) if error.is_passing() && tries < 50 => tries += 1,
                outcome => return outcome,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The researcher asks for too much, is offered less, asks for a little more, and takes it.
async fn negotiate(planner: &Sdk, granted: &Held, researcher: &Sdk) -> Held {
    let mut offers = |wanted: &Wanted| {
        let calls = if wanted.round == 1 { 50 } else { 100 };
        let rights = rights(planner, calls, 2, "/data/eu");
        RequestReply::from(Terms::new(rights, Lifetime::from_millis(1_000), Lifetime::from_millis(60_000)))
    };
    let mut replies = |offer: &Offer| match offer.round {
        1 => OfferReply::Counter(rights(researcher, 100, 2, "/data/eu")),
        _ => OfferReply::Accept,
    };
    let ask = Ask {
        rights: rights(researcher, 500, 2, "/data"),
        purpose: "to read what sold in Europe".into(),
        deadline: researcher.now().plus(Lifetime::from_millis(5 * 60_000)),
        max_rounds: 4,
        award: None,
    };
    let planner_id = principal("agent/planner");
    let asking = researcher.negotiate(&planner_id, ask, &mut replies);
    let (delegated, held) = tokio::join!(planner.delegate(granted, &mut offers), asking);
    let held = held.unwrap();
    assert_eq!(delegated.unwrap().outcome.unwrap(), held.chain_id());
    held
}

fn serve(files: &Sdk) -> JoinHandle<Error> {
    let files = files.clone();
    tokio::spawn(async move {
        match files.serve(Files, NonZeroU32::MIN).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    })
}

/// The trace that it belongs to, as it stands in headers.
fn traced(invocation: &Invocation) -> String {
    let trace = invocation.trace.iter();
    trace.map(|it| format!("{} {}", it.traceparent(), it.tracestate())).collect()
}

/// A service that says what it was told, and shouts what it is told in a stream.
struct Files;

impl Handler for Files {
    async fn handle(&self, invocation: Invocation) -> Outcome {
        let cost = Amount::new(1).unwrap();
        match invocation.request.resource.to_string().as_str() {
            "file:/data/eu/slow" => tokio::time::sleep(Duration::from_millis(700)).await,
            "file:/data/eu/stuck" => std::future::pending().await,
            "file:/data/eu/trace" => {
                let body = traced(&invocation).into_bytes();
                return Outcome { body, outcome: ActionOutcome::Done, cost };
            }
            _ => {}
        }
        let body = format!("{} said {:?}", invocation.request.resource, String::from_utf8(invocation.body));
        Outcome { body: body.into_bytes(), outcome: ActionOutcome::Done, cost }
    }

    fn streams(&self) -> u32 {
        2
    }

    async fn stream(&self, invocation: Invocation, mut input: Chunks, mut output: Output) -> Done {
        let cost = Amount::new(1).unwrap();
        if invocation.request.resource.to_string().ends_with("/deaf") {
            return std::future::pending().await;
        }
        if invocation.request.resource.to_string().ends_with("/hasty") {
            output.send(b"no").await.unwrap();
            return Done { outcome: ActionOutcome::Failed, cost };
        }
        if invocation.request.resource.to_string().ends_with("/trace") {
            output.send(traced(&invocation).as_bytes()).await.unwrap();
        }
        while let Some(chunk) = input.next().await {
            let Ok(chunk) = chunk else { break };
            if output.send(&chunk.to_ascii_uppercase()).await.is_err() {
                break;
            }
        }
        Done { outcome: ActionOutcome::Done, cost }
    }
}
