//! The people and services that are there all the time.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use countersign::{Agent, Invocation, Options, Outcome};
use countersign_protocol::{
    capability::Amount, digest::Digest, join_token::JoinToken, name::PrincipalId, receipt::ActionOutcome,
    time::Lifetime,
};
use tokio::{sync::broadcast, task::JoinHandle};

use crate::{aim::Moment, daemon::DOMAIN, pace::Pace, told::Told};

/// Teams that work side by side.
pub(crate) const TEAMS: usize = 4;

/// The principal of that path.
pub(crate) fn principal(path: &str) -> PrincipalId {
    format!("spiffe://{DOMAIN}/{path}").parse().unwrap()
}

/// Certificates that are renewed while the broker comes and goes, snapshots between kills, and what
/// alice may grant.
pub(crate) fn rules() -> String {
    let mut text = "svid_lifetime = \"30s\"\nsnapshot_every = 20\n".to_owned();
    for team in 0..TEAMS {
        text.push_str(&format!(
            "[[grant_rule]]\noriginator = \"spiffe://{DOMAIN}/human/alice\"\n\
             principal = \"spiffe://{DOMAIN}/agent/planner-{team}\"\nlifetime = \"8h\"\n{}",
            scope(500, "grant_rule.")
        ));
    }
    text
}

/// What is granted, with a budget of so many calls.
pub(crate) fn scope(calls: u64, prefix: &str) -> String {
    format!(
        "audiences = [\"spiffe://{DOMAIN}/service/files\"]\ndelegations_left = 2\n\
         budget = {{ unit = \"calls\", ceiling = {calls}, per_call = 2 }}\n\
         [[{prefix}capability]]\nresource = \"file:/data/**\"\nactions = [\"files:read\"]\n"
    )
}

pub(crate) struct Crew {
    pub(crate) root: Agent,
    pub(crate) alice: Agent,
    pub(crate) told: Arc<Told>,
    pub(crate) pace: Pace,
    pub(crate) moments: broadcast::Sender<Moment>,
    serving: JoinHandle<()>,
}

impl Crew {
    /// Joins all of them; files serves from now on.
    pub(crate) async fn gather(first: &JoinToken) -> Arc<Self> {
        let root = join(first).await;
        let told = Arc::new(Told::default());
        let (moments, _) = broadcast::channel(4096);
        let alice = join(&invite(&root, "human/alice").await).await;
        let files = join(&invite(&root, "service/files").await).await;
        [&root, &alice, &files].into_iter().for_each(|agent| told.admitted(agent));
        let serving = tokio::spawn(serve(files, Arc::clone(&told), moments.clone()));
        Arc::new(Self { root, alice, told, pace: Pace::new(), moments, serving })
    }

    /// Another instance, if the broker lets it in and says so.
    pub(crate) async fn recruit(&self, path: &str) -> Option<Agent> {
        let _busy = self.pace.step().await;
        let token = self.root.create_join_token(&principal(path), Lifetime::from_millis(60_000)).await;
        let token = self.told.outcome("make a join token", token)?;
        let joined = Agent::join(&token, Options::new(Digest::of(path.as_bytes()))).await;
        let agent = self.told.outcome("join", joined)?;
        self.told.admitted(&agent);
        Some(agent)
    }

    pub(crate) fn tell(&self, moment: Moment) {
        // Nobody may be listening.
        let _ = self.moments.send(moment);
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn invite(root: &Agent, path: &str) -> JoinToken {
    root.create_join_token(&principal(path), Lifetime::from_millis(60_000)).await.unwrap()
}

async fn join(token: &JoinToken) -> Agent {
    let configuration = Digest::of(token.principal.as_str().as_bytes());
    Agent::join(token, Options::new(configuration)).await.unwrap()
}

/// Serves for ever: connecting again is the SDK's affair.
async fn serve(files: Agent, told: Arc<Told>, moments: broadcast::Sender<Moment>) {
    let notes = Arc::clone(&told);
    let handler = move |invocation: Invocation| {
        notes.done(invocation.id);
        let _ = moments.send(Moment::Working);
        // Of its own choice, and the same whenever it is asked.
        let dice = u64::from(invocation.id.as_bytes().last().copied().unwrap_or_default());
        async move {
            tokio::time::sleep(Duration::from_millis(dice % 24)).await;
            let outcome = if dice % 5 == 0 { ActionOutcome::Failed } else { ActionOutcome::Done };
            Outcome { body: invocation.body, outcome, cost: Amount::new(dice % 3).unwrap() }
        }
    };
    loop {
        match files.serve(handler.clone(), NonZeroU32::new(32).unwrap()).await {
            Ok(never) => match never {},
            Err(error) if error.is_passing() => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => return told.wrong(format!("serve: {error}")),
        }
    }
}
