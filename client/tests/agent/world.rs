//! Agents in a domain of the fake broker.

use std::num::NonZeroU32;

use countersign::{
    About, Agent, Ask, Call, Delegated, Error, Held, Invocation, Offer, OfferReply, Options, Outcome,
    RequestReply, Terms, Wanted,
};
use countersign_protocol::{
    capability::{Amount, Arguments},
    digest::Digest,
    receipt::ActionOutcome,
    time::Lifetime,
};
use tokio::task::JoinHandle;

use crate::fake::{Fake, now, principal, rights};

pub(crate) fn options() -> Options {
    Options::new(Digest::of(b"model, prompt, tools"))
}

pub(crate) async fn join(fake: &Fake, name: &str) -> Agent {
    Agent::join(&fake.join_token(name), options()).await.unwrap()
}

/// A domain in which alice has granted planner 100 calls.
pub(crate) struct Granted {
    pub(crate) fake: Fake,
    pub(crate) alice: Agent,
    pub(crate) planner: Agent,
    pub(crate) grant: Held,
}

pub(crate) async fn granted() -> Granted {
    let fake = Fake::start().await;
    let (alice, planner) = (join(&fake, "alice").await, join(&fake, "planner").await);
    let grant = alice.grant(planner.instance(), rights(100, 4)).await.unwrap();
    Granted { fake, alice, planner, grant }
}

pub(crate) fn ask(calls: u64, delegations_left: u32) -> Ask {
    Ask {
        rights: rights(calls, delegations_left),
        purpose: "summarise the quarter".into(),
        deadline: now().plus(Lifetime::from_millis(60_000)),
        max_rounds: 5,
        award: None,
    }
}

pub(crate) fn terms(calls: u64, delegations_left: u32) -> Terms {
    let second = Lifetime::from_millis(1_000);
    Terms::new(rights(calls, delegations_left), second, Lifetime::from_millis(30_000))
}

/// Offers whatever is asked for.
pub(crate) fn generous(wanted: &Wanted) -> RequestReply {
    let second = Lifetime::from_millis(1_000);
    Terms::new(wanted.rights.clone(), second, Lifetime::from_millis(30_000)).into()
}

pub(crate) fn accept(_: &Offer) -> OfferReply {
    OfferReply::Accept
}

/// A contract for so many calls, each side agreeing at once. Both sides' results.
pub(crate) async fn agree(
    delegator: &Agent,
    held: &Held,
    delegatee: &Agent,
    calls: u64,
) -> (Result<Delegated, Error>, Result<Held, Error>) {
    let (mut offers, mut accepts) = (generous, accept);
    let ask = ask(calls, held.rights().delegations_left - 1);
    tokio::join!(
        delegator.delegate(held, &mut offers),
        delegatee.negotiate(delegator.instance().principal(), ask, &mut accepts),
    )
}

pub(crate) fn call() -> Call {
    Call {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(Vec::new()).unwrap(),
        body: b"please".to_vec(),
    }
}

/// Serves files for as long as the handle is not aborted.
pub(crate) async fn serve(fake: &Fake) -> (Agent, JoinHandle<()>) {
    let files = join(fake, "files").await;
    let serving = files.clone();
    let handle = tokio::spawn(async move {
        let error = serving.serve(answer, NonZeroU32::new(4).unwrap()).await.unwrap_err();
        panic!("serving ended: {error}");
    });
    // The stream is open once the broker knows of it.
    while !fake.serves("files") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    (files, handle)
}

pub(crate) async fn answer(invocation: Invocation) -> Outcome {
    Outcome {
        body: format!("content of {}", invocation.request.resource).into_bytes(),
        outcome: ActionOutcome::Done,
        cost: Amount::new(1).unwrap(),
    }
}

/// The result is the broker's lie about that.
#[track_caller]
pub(crate) fn assert_deceived<T: std::fmt::Debug>(result: Result<T, Error>, about: About) {
    match result {
        Err(Error::Deceived(deceit)) => assert_eq!(deceit.about, about, "{deceit}"),
        other => panic!("expected a deceit about the {about}, got {other:?}"),
    }
}
