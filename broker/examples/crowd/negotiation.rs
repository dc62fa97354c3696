//! A whole negotiation of two counter rounds, beside what its moves must cost.

use std::time::{Duration, Instant};

use bytes::Bytes;
use countersign::{Agent, Ask, Held, Offer, OfferReply, RequestReply, Terms, Wanted};
use countersign_protocol::{capability::Rights, name::TrustDomain, time::Lifetime};
use countersign_store::{EmbeddedStore, Store as _};
use countersign_wire::v1::PreviewRevocationRequest;

use crate::{fan, real};

/// Request, offer, counter, offer, counter, offer, accept.
const MOVES: u32 = 7;

/// About as long as a move's entry.
const ENTRY: usize = 1_000;

pub(crate) async fn measure(root: &Agent, alice: &Agent, directory: &str, tls: &str, rounds: usize) {
    let delegator = real::join(&real::invite(root, "agent/planner").await).await;
    let delegatee = real::join(&real::invite(root, "agent/researcher").await).await;
    let rights = real::rights();
    let granted = alice.grant(delegator.instance(), rights.clone()).await.unwrap();
    let held = delegator.held(granted.chain_id()).await.unwrap();
    let (fan, _, mut client) = fan::start(tls).await;
    let store = EmbeddedStore::open(directory.as_ref()).unwrap();
    let domain: TrustDomain = "floor.example".parse().unwrap();
    let mut head = store.head(&domain).await.unwrap();
    let mut ratios = Vec::new();
    let mut whole = Vec::new();
    for round in 0..=rounds {
        let begun = Instant::now();
        negotiate(&delegator, &held, &delegatee, rights.clone()).await;
        let took = begun.elapsed();

        let mut floor = Duration::ZERO;
        for _ in 0..MOVES {
            let begun = Instant::now();
            head = store.append(&domain, head, vec![Bytes::from(vec![7; ENTRY])]).await.unwrap();
            client.preview_revocation(PreviewRevocationRequest::default()).await.unwrap();
            floor += begun.elapsed();
        }
        if round > 0 {
            whole.push(took.as_secs_f64() * 1e3);
            ratios.push(took.as_secs_f64() / floor.as_secs_f64());
        }
    }
    fan.end().await;
    let at = |all: &mut Vec<f64>, tenth: usize| {
        all.sort_by(f64::total_cmp);
        all[(all.len() - 1) * tenth / 10]
    };
    println!(
        "A negotiation with two counters: {:.1} ms; {:.2} ({:.2} to {:.2}, 8 of 10) times {MOVES} lone appends and empty calls",
        at(&mut whole, 5),
        at(&mut ratios, 5),
        at(&mut ratios, 1),
        at(&mut ratios, 9),
    );
}

async fn negotiate(delegator: &Agent, held: &Held, delegatee: &Agent, mut rights: Rights) {
    let second = Lifetime::from_millis(1_000);
    rights.delegations_left = 0;
    rights.budget.ceiling = rights.budget.per_call;
    let ask = Ask {
        rights: rights.clone(),
        purpose: "to measure".to_owned(),
        deadline: delegatee.now().plus(Lifetime::from_millis(60_000)),
        max_rounds: 3,
        award: None,
    };
    let mut offers = |wanted: &Wanted| {
        RequestReply::from(Terms::new(wanted.rights.clone(), second, Lifetime::from_millis(30_000)))
    };
    let mut answers = |offer: &Offer| match offer.round {
        1 | 2 => OfferReply::Counter(rights.clone()),
        _ => OfferReply::Accept,
    };
    let (delegated, agreed) = tokio::join!(
        delegator.delegate(held, &mut offers),
        delegatee.negotiate(delegator.instance().principal(), ask, &mut answers),
    );
    delegated.unwrap().outcome.unwrap();
    agreed.unwrap();
}
