//! A team at work: a grant, contracts beneath it, uses of them, and their ends; then another.

use std::{sync::Arc, time::Duration};

use countersign::{
    Agent, Ask, Call, Delegated, Delegatee, Delegator, Held, Offer, OfferReply, RequestReply, Target, Terms,
    Wanted,
};
use countersign_protocol::{
    capability::{Amount, Arguments, Rights},
    refusal::Reason,
    settings::{self, Scope},
    time::Lifetime,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::broadcast,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    aim::Moment,
    crew::{Crew, principal, scope},
    told::Use,
};

/// How long a negotiation may take, over a kill or two.
const NEGOTIATION_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Team {
    crew: Arc<Crew>,
    planner: Agent,
    name: String,
    rng: StdRng,
}

/// Ends its task when it is dropped.
struct Background(JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Team {
    pub(crate) async fn form(crew: &Arc<Crew>, number: usize, seed: u64) -> Self {
        let name = format!("agent/planner-{number}");
        let planner = crew.recruit(&name).await.unwrap();
        let rng = StdRng::seed_from_u64(seed);
        Self { crew: Arc::clone(crew), planner, name, rng }
    }

    /// Works until it is dropped.
    pub(crate) async fn work(mut self) {
        loop {
            if Box::pin(self.season()).await.is_none() {
                // A broker that is gone must not be asked in a loop.
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// One grant, with what comes of it.
    async fn season(&mut self) -> Option<()> {
        let researcher = self.crew.recruit("agent/researcher").await?;
        let granted = self.grant().await?;
        let desk = delegate(Arc::clone(&self.crew), self.planner.clone(), granted.clone());
        let desk = Background(tokio::spawn(desk));
        let mut last = None;
        for _ in 0..self.rng.gen_range(2..5) {
            let Some(held) = self.negotiate(&researcher, &granted).await else { continue };
            for _ in 0..self.rng.gen_range(1..4) {
                self.use_twice(&researcher, &held).await;
            }
            let made = Use { by: researcher.clone(), held: held.clone(), call: call(&mut self.rng) };
            if self.rng.gen_bool(0.4) {
                self.revoke(&self.planner, &held, made).await;
            } else {
                last = Some(made);
            }
        }
        drop(desk);
        if let Some(made) = last.filter(|_| self.rng.gen_bool(0.6)) {
            self.revoke(&self.crew.alice, &granted, made).await;
        }
        Some(())
    }

    async fn grant(&mut self) -> Option<Held> {
        let Crew { alice, told, .. } = &*self.crew;
        let _busy = self.crew.pace.step().await;
        let text = scope(self.rng.gen_range(12..60), "");
        let scope = settings::read("rights", &text, Scope::read).unwrap();
        let rights = scope.between(alice.now(), Lifetime::from_millis(60 * 60_000)).unwrap();
        self.crew.tell(Moment::Writing);
        let writing = self.crew.pace.write();
        let granted = told.outcome("grant", alice.grant(self.planner.instance(), rights).await);
        drop(writing);
        let granted = granted?;
        told.active(&granted);
        told.outcome("read the grant", self.planner.held(granted.chain_id()).await)
    }

    async fn negotiate(&mut self, researcher: &Agent, granted: &Held) -> Option<Held> {
        let Crew { told, .. } = &*self.crew;
        let _busy = self.crew.pace.step().await;
        let wanted = narrowed(granted.rights(), self.rng.gen_range(4..12));
        let ask = Ask {
            rights: granted.rights().clone(),
            purpose: format!("whatever {} is for", self.name),
            deadline: researcher.now().plus(Lifetime::from_millis(90_000)),
            max_rounds: 3,
            award: None,
        };
        let mut asker = Asker { wanted, moments: self.crew.moments.clone() };
        let planner = principal(&self.name);
        let negotiation = researcher.negotiate(&planner, ask, &mut asker);
        let Ok(outcome) = timeout(NEGOTIATION_MAX, negotiation).await else {
            told.wrong("a negotiation does not go on".into());
            return None;
        };
        let held = told.outcome("negotiate", outcome)?;
        told.active(&held);
        told.saw_checkpoint(researcher);
        told.saw_checkpoint(&self.planner);
        Some(held)
    }

    async fn use_twice(&mut self, researcher: &Agent, held: &Held) {
        let calls = [call(&mut self.rng), call(&mut self.rng)];
        let _busy = self.crew.pace.step().await;
        self.crew.tell(Moment::Writing);
        let use_once = async |call: &Call| {
            let writing = self.crew.pace.write();
            let answer = researcher.invoke(held, call.clone()).await;
            drop(writing);
            if let Some(answer) = self.crew.told.outcome("invoke", answer) {
                let made = Use { by: researcher.clone(), held: held.clone(), call: call.clone() };
                self.crew.told.answered(made, &answer);
            }
        };
        tokio::join!(use_once(&calls[0]), use_once(&calls[1]));
    }

    /// Revokes a chain, and tries what stood at or beneath it.
    async fn revoke(&self, by: &Agent, held: &Held, made: Use) {
        let Crew { told, .. } = &*self.crew;
        let _busy = self.crew.pace.step().await;
        let target = Target::Chain(held.chain_id());
        let preview = by.preview_revocation(&target).await;
        let Some(preview) = told.outcome("preview a revocation", preview) else { return };
        if preview.chains == 0 {
            return;
        }
        let ends_it = preview.links.iter().any(|link| link.chain_id == made.held.chain_id());
        self.crew.tell(Moment::Writing);
        let writing = self.crew.pace.write();
        let revoked = by.revoke(&target, preview.chains).await;
        drop(writing);
        let Some(revoked) = told.outcome("revoke", revoked) else { return };
        told.revoked(held.chain_id(), revoked, ends_it.then(|| made.clone()));
        match made.by.invoke(&made.held, made.call).await {
            Ok(answer) => told.wrong(format!("{} was done after its revocation", answer.invocation)),
            Err(error) if ends_it && error.reason().is_some_and(|it| it != Reason::Revoked) => {
                told.wrong(format!("a revoked chain is refused otherwise: {error}"));
            }
            Err(error) => drop(told.outcome::<()>("use what is revoked", Err(error))),
        }
    }
}

fn call(rng: &mut StdRng) -> Call {
    let number: u32 = rng.r#gen();
    Call {
        callee: principal("service/files"),
        action: "files:read".parse().unwrap(),
        resource: format!("file:/data/{number}").parse().unwrap(),
        arguments: Arguments::new(Vec::new()).unwrap(),
        body: number.to_be_bytes().to_vec(),
    }
}

/// The same, for fewer calls and no further hop.
fn narrowed(rights: &Rights, calls: u64) -> Rights {
    let mut narrowed = rights.clone();
    narrowed.budget.ceiling = Amount::new(calls).unwrap();
    narrowed.delegations_left = 0;
    narrowed
}

/// Asks for everything, then for what it wants, and takes that.
struct Asker {
    wanted: Rights,
    moments: broadcast::Sender<Moment>,
}

impl Delegatee for Asker {
    async fn answer(&mut self, offer: &Offer) -> OfferReply {
        let _ = self.moments.send(Moment::Negotiating);
        sleep(Duration::from_millis(5)).await;
        if offer.contract.rights == self.wanted {
            OfferReply::Accept
        } else {
            OfferReply::Counter(self.wanted.clone())
        }
    }
}

/// Offers a little, then what is wanted.
struct Giver {
    granted: Rights,
    moments: broadcast::Sender<Moment>,
}

impl Delegator for Giver {
    async fn answer(&mut self, wanted: &Wanted) -> RequestReply {
        let _ = self.moments.send(Moment::Negotiating);
        sleep(Duration::from_millis(5)).await;
        if wanted.rights.not_before < self.granted.not_before {
            // Begun over the grant before, by somebody who gave up when nothing could be written.
            return RequestReply::Reject;
        }
        let rights = if wanted.round == 1 { narrowed(&wanted.rights, 2) } else { wanted.rights.clone() };
        Terms::new(rights, Lifetime::from_millis(1_000), Lifetime::from_millis(60_000)).into()
    }
}

/// Negotiates over the grant with whoever asks, whatever happens to the broker.
async fn delegate(crew: Arc<Crew>, planner: Agent, granted: Held) {
    loop {
        let mut giver = Giver { granted: granted.rights().clone(), moments: crew.moments.clone() };
        let ended = |delegated: Delegated| {
            crew.told.outcome("delegate", delegated.outcome);
        };
        let error = match planner.delegate_all(&granted, &mut giver, ended).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        crew.told.outcome::<()>("delegate", Err(error));
        sleep(Duration::from_millis(50)).await;
    }
}
