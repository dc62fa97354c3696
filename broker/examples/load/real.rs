//! The broker, its callee and its callers, as anyone runs them: `countersignd`'s own code and the SDK.

use std::{net::TcpListener, num::NonZeroU32, path::Path, sync::Arc};

use countersign::{Agent, Call, Clock as _, Held, Invocation, Options, Outcome, SessionTerms, SystemClock};
use countersign_broker::{
    config::Config,
    init,
    server::{self, Listeners},
};
use countersign_protocol::{
    capability::{Amount, Argument, Arguments, Budget, Capability, Rights, Value},
    digest::{ChainId, Digest},
    name::PrincipalId,
    payload::{Ascending, Bounded},
    receipt::ActionOutcome,
    time::Lifetime,
};
use tokio::sync::oneshot;

use crate::{
    drive,
    process::{Process, commands, say},
};

const DOMAIN: &str = "load.example";
/// Callers that have a connection, an identity and a chain of their own; there may be more who share them.
pub(crate) const CONNECTIONS: usize = 16;
/// Requests and results of a session that one signature covers.
pub(crate) const SIGN_EVERY: u32 = 256;
pub(crate) const BODY: &[u8] = &[7; 100];

fn principal(path: &str) -> String {
    format!("spiffe://{DOMAIN}/{path}")
}

/// Starts all of it, and has each caller granted what it needs.
pub(crate) async fn start(directory: &str) -> (Process, Process, Process) {
    let mut broker = Process::start(&["broker".to_owned(), directory.to_owned()]);
    let root = join(&broker.line().await).await;
    let alice = join(&invite(&root, "human/alice").await).await;
    let mut callee = Process::start(&["callee".to_owned(), invite(&root, "service/files").await]);
    callee.line().await;
    let mut arguments = vec!["callers".to_owned()];
    for _ in 0..CONNECTIONS {
        arguments.push(invite(&root, "agent/planner").await);
    }
    let mut callers = Process::start(&arguments);
    for _ in 0..CONNECTIONS {
        let instance = callers.line().await.parse().unwrap();
        let held = alice.grant(&instance, rights()).await.unwrap();
        callers.ask(&held.chain_id().to_string()).await;
    }
    (broker, callers, callee)
}

pub(crate) async fn invite(root: &Agent, path: &str) -> String {
    let token =
        root.create_join_token(&principal(path).parse().unwrap(), Lifetime::from_millis(60_000)).await;
    token.unwrap().to_text().to_string()
}

pub(crate) async fn join(token: &str) -> Agent {
    let configuration = Digest::of(b"load");
    Agent::join(&token.parse().unwrap(), Options::new(configuration)).await.unwrap()
}

pub(crate) fn rights() -> Rights {
    let capability = Capability {
        resource: "file:/data/**".parse().unwrap(),
        actions: Ascending::new(vec!["read".parse().unwrap()]).unwrap(),
        constraints: Bounded::default(),
    };
    let now = SystemClock.now();
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: Ascending::new(vec![principal("service/files").parse().unwrap()]).unwrap(),
        not_before: now,
        not_after: now.plus(Lifetime::from_millis(3_600_000)),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(1_000_000_000).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left: 1,
    }
}

pub(crate) async fn broker(directory: &str) {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (api, enrolment) = (bind(), bind());
    let text = format!(
        r#"
trust_domain = "{DOMAIN}"
data_dir = "data"
key_dir = "keys"
listen = "{api}"
enrolment_listen = "{enrolment}"
admins = ["{root}"]
svid_lifetime = "1h"

[[grant_rule]]
originator = "{alice}"
principal = "{planner}"
lifetime = "8h"
audiences = ["{files}"]
delegations_left = 3
budget = {{ unit = "calls", ceiling = 1000000000, per_call = 1 }}

[[grant_rule.capability]]
resource = "file:/**"
actions = ["read"]
"#,
        api = api.local_addr().unwrap(),
        enrolment = enrolment.local_addr().unwrap(),
        root = principal("human/root"),
        alice = principal("human/alice"),
        planner = principal("agent/planner"),
        files = principal("service/files"),
    );
    let config = Config::parse("load", &text, Path::new(directory)).unwrap();
    let clock = Arc::new(countersign_broker::clock::SystemClock);
    let join_token = init(&config, clock).await.unwrap().to_text().to_string();
    let (ready, bound) = oneshot::channel();
    let until = async {
        let _ = commands().next_line().await;
    };
    let options = server::Options {
        listeners: Some(Listeners { api, enrolment }),
        ready: Some(ready),
        ..server::Options::until(until)
    };
    let running = tokio::spawn(server::run(config, options));
    bound.await.expect("the broker starts");
    say(&join_token);
    running.await.unwrap().unwrap();
}

pub(crate) async fn callee(token: &str) {
    let agent = join(token).await;
    say("serves");
    let capacity = NonZeroU32::new(1_024).unwrap();
    let done = |invocation: Invocation| async move {
        Outcome { body: invocation.body, outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
    };
    agent.serve(done, capacity).await.expect("it serves");
}

pub(crate) async fn callers(tokens: &[String]) {
    let mut told = commands();
    let mut all: Vec<(Agent, Held)> = Vec::new();
    for token in tokens {
        let agent = join(token).await;
        say(agent.instance().as_str());
        let chain: ChainId = told.next_line().await.unwrap().unwrap().parse().unwrap();
        let held = agent.held(chain).await.unwrap();
        say("holds it");
        all.push((agent, held));
    }
    drop(told);
    let files: PrincipalId = principal("service/files").parse().unwrap();
    let terms = SessionTerms { sign_every: SIGN_EVERY, sign_within: Lifetime::from_millis(60_000) };
    let mut sessions = Vec::new();
    for (agent, held) in &all {
        sessions.push(agent.open_session(held, &files, terms).await.unwrap());
    }
    let in_session: drive::Call = Arc::new(move |caller| {
        let session = sessions[caller % sessions.len()].clone();
        Box::pin(async move { session.invoke(wanted()).await.map(drop).map_err(|error| error.to_string()) })
    });
    let all = Arc::new(all);
    let call: drive::Call = Arc::new(move |caller| {
        let all = Arc::clone(&all);
        Box::pin(async move {
            let (agent, held) = &all[caller % all.len()];
            agent.invoke(held, wanted()).await.map(drop).map_err(|error| error.to_string())
        })
    });
    drive::obey(&[("invoke", call), ("session", in_session)]).await;
}

fn wanted() -> Call {
    let argument = Argument { name: "max_bytes".parse().unwrap(), value: Value::Int(1_000) };
    Call {
        callee: principal("service/files").parse().unwrap(),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![argument]).unwrap(),
        body: BODY.to_vec(),
    }
}
