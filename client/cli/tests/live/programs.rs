//! The programs that people grant rights to: a planner, a researcher and a files service.

use std::num::NonZeroU32;

use countersign::{
    Agent, Answer, Ask, Call, Chunks, Done, Error, Handler, Held, Invocation, OfferReply, Options, Outcome,
    Output, RequestReply, Terms,
};
use countersign_protocol::{
    capability::{Amount, Arguments, Rights},
    digest::Digest,
    receipt::ActionOutcome,
    settings::{self, Scope},
    time::{Lifetime, Timestamp},
};

use crate::broker::{DOMAIN, Site};

/// What the domain lets alice grant, and what she grants.
pub(crate) const SCOPE: &str = r#"
audiences = ["spiffe://prod.acme.example/service/files"]
delegations_left = 2
budget = { unit = "calls", ceiling = 100, per_call = 1 }
"#;

/// The rule of the domain and the file of rights name the same capability.
pub(crate) fn capability(prefix: &str) -> String {
    format!("[[{prefix}capability]]\nresource = \"file:/data/**\"\nactions = [\"files:read\"]\n")
}

/// The configuration's rule.
pub(crate) fn rules() -> String {
    format!(
        "[[grant_rule]]\noriginator = \"spiffe://{DOMAIN}/human/alice\"\n\
         principal = \"spiffe://{DOMAIN}/agent/planner\"\nlifetime = \"8h\"\n{SCOPE}\n{}",
        capability("grant_rule.")
    )
}

pub(crate) struct Programs {
    pub(crate) planner: Agent,
    pub(crate) researcher: Agent,
}

impl Programs {
    /// All of them join, and the files service serves.
    pub(crate) fn start(site: &Site) -> Self {
        let files = join(site, "service/files");
        site.runtime.spawn(async move { files.serve(Files, NonZeroU32::MIN).await });
        Self { planner: join(site, "agent/planner"), researcher: join(site, "agent/researcher") }
    }

    /// The researcher negotiates a right out of what the planner holds.
    pub(crate) fn negotiate(&self, site: &Site) -> Held {
        site.runtime.block_on(async {
            let parent = self.planner.holdings().await.unwrap().remove(0);
            let rights = narrowed(parent.rights());
            let ask = Ask {
                rights: rights.clone(),
                purpose: "the third quarter".into(),
                deadline: self.researcher.now().plus(Lifetime::from_millis(60_000)),
                max_rounds: 3,
                award: None,
            };
            let minute = Lifetime::from_millis(60_000);
            let mut offer = |_: &_| RequestReply::Offer(Box::new(Terms::new(rights.clone(), minute, minute)));
            let mut accept = |_: &_| OfferReply::Accept;
            let planner = self.planner.instance().principal();
            let (delegated, held) = tokio::join!(
                self.planner.delegate(&parent, &mut offer),
                self.researcher.negotiate(planner, ask, &mut accept),
            );
            let held = held.unwrap();
            assert_eq!(delegated.unwrap().outcome.unwrap(), held.chain_id());
            held
        })
    }

    /// The researcher reads a file.
    pub(crate) fn read(&self, site: &Site, held: &Held) -> Result<Answer, Error> {
        let call = Call {
            callee: format!("spiffe://{DOMAIN}/service/files").parse().unwrap(),
            action: "files:read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: Arguments::new(Vec::new()).unwrap(),
            body: Vec::new(),
        };
        site.runtime.block_on(self.researcher.invoke(held, call))
    }
}

fn join(site: &Site, path: &str) -> Agent {
    join_with(site, path, site.invite(path).trim_end())
}

/// A program joins with the token that it was handed.
pub(crate) fn join_with(site: &Site, path: &str, token: &str) -> Agent {
    let token = token.parse().unwrap();
    site.runtime.block_on(Agent::join(&token, Options::new(Digest::of(path.as_bytes())))).unwrap()
}

/// The files service: gives a file's content, or in a stream says line by line what it was told.
pub(crate) struct Files;

impl Handler for Files {
    async fn handle(&self, invocation: Invocation) -> Outcome {
        let body = format!("the content of {}", invocation.request.resource).into_bytes();
        Outcome { body, outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
    }

    fn streams(&self) -> u32 {
        1
    }

    async fn stream(&self, invocation: Invocation, mut input: Chunks, mut output: Output) -> Done {
        let mut told = vec![format!("about {}\n", invocation.request.resource).into_bytes()];
        while let Some(Ok(chunk)) = input.next().await {
            told.push(chunk.to_ascii_uppercase());
        }
        for piece in told {
            output.send(&piece).await.unwrap();
        }
        Done { outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
    }
}

/// One read, for half an hour.
pub(crate) fn some_rights(now: Timestamp) -> Rights {
    let text = format!(
        "audiences = [\"spiffe://{DOMAIN}/service/files\"]\ndelegations_left = 0\n\
         budget = {{ unit = \"calls\", ceiling = 1, per_call = 1 }}\n{}",
        capability("")
    );
    let scope = settings::read("rights.toml", &text, Scope::read).unwrap();
    scope.between(now, Lifetime::from_millis(1_000_000)).unwrap()
}

fn narrowed(wide: &Rights) -> Rights {
    let mut rights = wide.clone();
    rights.budget.ceiling = Amount::new(10).unwrap();
    rights.delegations_left = 0;
    rights
}
