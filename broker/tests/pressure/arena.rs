//! One broker, its admin, and the honest ones; attackers are let in as they are needed.

use std::num::NonZeroU32;

use countersign::{Agent, Held, Invocation, Options, Outcome};
use countersign_protocol::{
    capability::{Amount, Rights},
    digest::Digest,
    join_token::JoinToken,
    name::PrincipalId,
    receipt::ActionOutcome,
    settings::{self, Scope},
    time::Lifetime,
};

use crate::{
    daemon::{DOMAIN, Daemon, Home},
    honest::Working,
};

/// Honest callers, each with a connection of its own.
const READERS: usize = 4;

pub(crate) struct Arena {
    daemon: Daemon,
    pub(crate) root: Agent,
    pub(crate) alice: Agent,
    readers: Vec<(Agent, Held)>,
}

/// The principal of that path.
pub(crate) fn principal(path: &str) -> PrincipalId {
    format!("spiffe://{DOMAIN}/{path}").parse().unwrap()
}

/// One rule for the honest and one for mallory's kind, who are let in like anyone.
fn rules() -> String {
    let rule = |agent: &str, service: &str| {
        format!(
            "[[grant_rule]]\noriginator = \"spiffe://{DOMAIN}/human/alice\"\n\
             principal = \"spiffe://{DOMAIN}/agent/{agent}\"\nlifetime = \"8h\"\n\
             audiences = [\"spiffe://{DOMAIN}/service/{service}\"]\ndelegations_left = 16\n\
             budget = {{ unit = \"calls\", ceiling = 100000000, per_call = 1 }}\n\
             [[grant_rule.capability]]\nresource = \"file:/data/**\"\nactions = [\"files:read\"]\n"
        )
    };
    format!("svid_lifetime = \"1h\"\n{}{}", rule("reader", "files"), rule("mallory", "sink"))
}

/// All that the rule allows, or the capabilities given.
pub(crate) fn rights(agent: &Agent, service: &str, capabilities: &str) -> Rights {
    let text = format!(
        "audiences = [\"spiffe://{DOMAIN}/service/{service}\"]\ndelegations_left = 16\n\
         budget = {{ unit = \"calls\", ceiling = 10000000, per_call = 1 }}\n{capabilities}"
    );
    let scope = settings::read("rights", &text, Scope::read).unwrap();
    scope.between(agent.now(), Lifetime::from_millis(60 * 60_000)).unwrap()
}

/// The whole of `/data`.
pub(crate) const ALL: &str = "[[capability]]\nresource = \"file:/data/**\"\nactions = [\"files:read\"]\n";

impl Arena {
    pub(crate) async fn open() -> Self {
        let (mut daemon, first) = Daemon::init(Home::Directory(tempfile::tempdir().unwrap()), &rules());
        daemon.start().await;
        let root = join(&first).await;
        let alice = join(&invite(&root, "human/alice").await).await;
        let mut arena = Self { daemon, root, alice, readers: Vec::new() };
        let files = arena.enter("service/files").await;
        tokio::spawn(async move { files.serve(answer, NonZeroU32::new(64).unwrap()).await });
        for _ in 0..READERS {
            let reader = arena.enter("agent/reader").await;
            let held = arena.grant(&reader, "files", ALL).await;
            arena.readers.push((reader, held));
        }
        arena
    }

    /// The broker's process.
    pub(crate) fn process(&self) -> u32 {
        self.daemon.process()
    }

    /// Another instance.
    pub(crate) async fn enter(&self, path: &str) -> Agent {
        join(&self.invite(path).await).await
    }

    /// A join token.
    pub(crate) async fn invite(&self, path: &str) -> JoinToken {
        invite(&self.root, path).await
    }

    /// Alice lets it read from that service.
    pub(crate) async fn grant(&self, agent: &Agent, service: &str, capabilities: &str) -> Held {
        let rights = rights(&self.alice, service, capabilities);
        let granted = self.alice.grant(agent.instance(), rights).await.unwrap();
        agent.held(granted.chain_id()).await.unwrap()
    }

    /// The honest ones begin to work.
    pub(crate) fn work(&self) -> Working {
        Working::begin(&self.readers, &self.root)
    }
}

async fn invite(root: &Agent, path: &str) -> JoinToken {
    root.create_join_token(&principal(path), Lifetime::from_millis(60_000)).await.unwrap()
}

async fn join(token: &JoinToken) -> Agent {
    let configuration = Digest::of(token.principal.as_str().as_bytes());
    Agent::join(token, Options::new(configuration)).await.unwrap()
}

async fn answer(invocation: Invocation) -> Outcome {
    Outcome { body: invocation.body, outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
}
