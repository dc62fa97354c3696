use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use countersign::{About, Agent, Delegatee, Ending, Error, Offer, OfferReply, RequestReply, Wanted};
use countersign_protocol::{digest::Digest, refusal::Reason};
use tokio::sync::Notify;

use crate::{
    fake::{Lie, rights},
    world::{accept, agree, ask, assert_deceived, generous, granted, join, terms},
};

#[tokio::test]
async fn two_sides_come_to_a_contract_over_two_rounds() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let planner = domain.planner.instance().principal();
    let mut asked = Vec::new();
    let mut delegator = |wanted: &Wanted| {
        assert_eq!(wanted.purpose, Digest::of(b"summarise the quarter"));
        asked.push(wanted.rights.budget.ceiling.get());
        RequestReply::from(terms(wanted.rights.budget.ceiling.get() / 2, 3))
    };
    let mut delegatee = |offer: &Offer| match offer.round {
        1 => OfferReply::Counter(rights(40, 3)),
        2 => OfferReply::Decline,
        _ => OfferReply::Accept,
    };
    let (delegated, held) = tokio::join!(
        domain.planner.delegate(&domain.grant, &mut delegator),
        researcher.negotiate(planner, ask(80, 3), &mut delegatee),
    );
    let (delegated, held) = (delegated.unwrap(), held.unwrap());
    assert_eq!(asked, [80, 40, 40], "a request, a counter, a declined offer");
    assert_eq!(held.rights().budget.ceiling.get(), 20);
    assert_eq!(delegated.outcome.unwrap(), held.chain_id());
    assert_eq!(delegated.delegatee, *researcher.instance());
    let contract = held.contract().unwrap();
    assert_eq!(contract.parent, domain.grant.chain_id());
    assert_eq!(held.originator(), domain.alice.instance().principal());
    let holdings = researcher.holdings().await.unwrap();
    assert_eq!(holdings.iter().map(|held| held.chain_id()).collect::<Vec<_>>(), [held.chain_id()]);
    assert_eq!(researcher.held(held.chain_id()).await.unwrap().contract(), Some(contract));
    let (_, body, _) = domain.planner.contract(contract.contract_id).await.unwrap();
    assert_eq!(body, *contract);
}

#[tokio::test]
async fn a_right_is_handed_on_and_on() {
    let domain = granted().await;
    let (researcher, fetcher) = (join(&domain.fake, "researcher").await, join(&domain.fake, "fetcher").await);
    let (_, first) = agree(&domain.planner, &domain.grant, &researcher, 50).await;
    let (_, second) = agree(&researcher, &first.unwrap(), &fetcher, 5).await;
    let second = second.unwrap();
    assert_eq!(second.token().depth(), 2);
    assert_eq!(second.originator(), domain.alice.instance().principal());
}

#[tokio::test]
async fn a_rejected_request_is_no_contract_and_nobodys_fault() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let planner = domain.planner.instance().principal();
    let (mut no, mut accepts) = (|_: &Wanted| RequestReply::Reject, accept);
    let (delegated, held) = tokio::join!(
        domain.planner.delegate(&domain.grant, &mut no),
        researcher.negotiate(planner, ask(80, 3), &mut accepts),
    );
    assert!(matches!(held, Err(Error::Ended { ending: Ending::Rejected, .. })), "{held:?}");
    let outcome = delegated.unwrap().outcome;
    assert!(matches!(outcome, Err(Error::Ended { ending: Ending::Rejected, .. })), "{outcome:?}");
}

/// Accepts an offer that has just been taken back.
struct TooLate<'a>(&'a Agent);

impl Delegatee for TooLate<'_> {
    async fn answer(&mut self, offer: &Offer) -> OfferReply {
        self.0.withdraw(offer.negotiation).await.unwrap();
        OfferReply::Accept
    }
}

#[tokio::test]
async fn an_offer_that_was_taken_back_cannot_be_accepted() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let planner = domain.planner.instance().principal();
    let (mut offers, mut too_late) = (generous, TooLate(&domain.planner));
    let (delegated, held) = tokio::join!(
        domain.planner.delegate(&domain.grant, &mut offers),
        researcher.negotiate(planner, ask(80, 3), &mut too_late),
    );
    assert!(matches!(held, Err(Error::Ended { ending: Ending::Withdrawn, .. })), "{held:?}");
    let outcome = delegated.unwrap().outcome;
    assert!(matches!(outcome, Err(Error::Ended { ending: Ending::Withdrawn, .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_offer_beyond_what_is_held_is_refused_and_the_loop_goes_on() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let (mut widening, mut accepts) = (|_: &Wanted| RequestReply::from(terms(101, 3)), accept);
    let planner = domain.planner.instance().principal();
    let mut ended = Vec::new();
    tokio::select! {
        _ = domain.planner.delegate_all(&domain.grant, &mut widening, |it| ended.push(it.outcome)) => {}
        _ = researcher.negotiate(planner, ask(101, 3), &mut accepts) => {}
        () = tokio::time::sleep(Duration::from_millis(500)) => {}
    }
    let reasons: Vec<_> = ended.iter().map(|outcome| outcome.as_ref().unwrap_err().reason()).collect();
    assert_eq!(reasons, [Some(Reason::RightsWidened)]);
}

#[tokio::test]
async fn lost_replies_do_not_move_twice() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    domain.fake.lose_replies(3);
    let (delegated, held) = agree(&domain.planner, &domain.grant, &researcher, 10).await;
    assert_eq!(delegated.unwrap().outcome.unwrap(), held.unwrap().chain_id());
    assert_eq!(domain.fake.count("Moved"), 3, "request, offer, accept");
}

#[tokio::test]
async fn a_false_account_of_what_was_said_is_found() {
    for lie in [Lie::MoveDropped, Lie::MoveAltered, Lie::StateInvented] {
        let domain = granted().await;
        let researcher = join(&domain.fake, "researcher").await;
        domain.fake.lie(lie);
        let planner = domain.planner.instance().principal();
        let asked = researcher.negotiate(planner, ask(80, 3), &mut accept).await;
        assert_deceived(asked, About::Negotiation);
    }
}

#[tokio::test]
async fn a_grantor_finds_that_its_contract_has_made_another_chain() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    domain.fake.lie(Lie::ChainInvented);
    let (delegated, _) = agree(&domain.planner, &domain.grant, &researcher, 10).await;
    assert_deceived(delegated, About::Chain);
}

#[tokio::test]
async fn a_false_chain_or_contract_is_found_and_the_true_one_believed() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let (_, first) = agree(&domain.planner, &domain.grant, &researcher, 10).await;
    let (_, second) = agree(&domain.planner, &domain.grant, &researcher, 10).await;
    let chain = second.unwrap().chain_id();
    assert_ne!(chain, first.unwrap().chain_id());
    for (lie, about) in [
        (Lie::TokenOfAnother, About::Chain),
        (Lie::TokenAltered, About::Chain),
        (Lie::ActivationMissing, About::Chain),
        (Lie::ActivationOfAnother, About::Chain),
        (Lie::ActivationForged, About::Chain),
        (Lie::ContractAltered, About::Contract),
        (Lie::ContractSignedByOne, About::Contract),
        (Lie::ContractOfAnother, About::Contract),
        (Lie::ContractNotLogged, About::Ledger),
    ] {
        domain.fake.lie(lie);
        assert_deceived(researcher.held(chain).await, about);
        assert_deceived(researcher.holdings().await, about);
        domain.fake.stop_lying();
        assert_eq!(researcher.held(chain).await.unwrap().chain_id(), chain);
    }
}

#[tokio::test]
async fn a_grant_that_its_originator_did_not_sign_is_found() {
    let domain = granted().await;
    domain.fake.lie(Lie::GrantAltered);
    let altered = domain.alice.grant(domain.planner.instance(), rights(7, 1)).await;
    assert_deceived(altered, About::Chain);
    domain.fake.stop_lying();
    domain.fake.lose_replies(2);
    domain.alice.grant(domain.planner.instance(), rights(7, 1)).await.unwrap();
    assert_eq!(domain.fake.count("GrantIssued"), 3, "none of them twice");
}

#[tokio::test]
async fn nothing_is_signed_on_a_ledger_with_two_views() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    researcher.ledger().checkpoint().await.unwrap();
    let planner = domain.planner.instance().principal();
    let mut lies = |_: &Offer| {
        domain.fake.lie(Lie::SplitView);
        OfferReply::Accept
    };
    let mut offers = generous;
    let delegating = domain.planner.delegate(&domain.grant, &mut offers);
    let (delegated, held) = tokio::join!(
        tokio::time::timeout(std::time::Duration::from_secs(1), delegating),
        researcher.negotiate(planner, ask(10, 3), &mut lies),
    );
    assert_deceived(held, About::Ledger);
    assert!(delegated.is_err(), "no contract was made");
    assert_eq!(domain.fake.count("ContractFinalized"), 0);
}

#[tokio::test]
async fn each_side_finds_that_the_other_was_shown_another_ledger() {
    for lie in [Lie::SplitView, Lie::RootReplaced] {
        let domain = granted().await;
        let researcher = join(&domain.fake, "researcher").await;
        let planner = domain.planner.instance().principal();
        // The whole time, researcher is shown a ledger of its own, which never contradicts itself.
        domain.fake.lie_to("researcher", lie);
        let (mut offers, mut accepts) = (generous, accept);
        let delegating = domain.planner.delegate(&domain.grant, &mut offers);
        let held = tokio::select! {
            it = delegating => panic!("{it:?}"),
            held = researcher.negotiate(planner, ask(10, 3), &mut accepts) => held,
        };
        assert_deceived(held, About::Ledger);
        assert_eq!(domain.fake.count("ContractFinalized"), 0);
    }
}

/// Accepts once it is let.
struct Hesitant<'a>(&'a Notify);

impl Delegatee for Hesitant<'_> {
    async fn answer(&mut self, _: &Offer) -> OfferReply {
        self.0.notified().await;
        OfferReply::Accept
    }
}

#[tokio::test]
async fn who_asks_beyond_what_a_delegator_follows_waits_for_a_place() {
    let domain = granted().await;
    let [first, second] = [join(&domain.fake, "researcher").await, join(&domain.fake, "fetcher").await];
    let planner = domain.planner.instance().principal();
    let (let_go, answered) = (Notify::new(), AtomicU32::new(0));
    let answers = || answered.load(Ordering::SeqCst);
    let until = async |so: &dyn Fn() -> bool| {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let delegating = async {
        let mut offers = |wanted: &Wanted| {
            answered.fetch_add(1, Ordering::SeqCst);
            generous(wanted)
        };
        for _ in 0..2 {
            domain.planner.delegate(&domain.grant, &mut offers).await.unwrap().outcome.unwrap();
        }
    };
    let (mut hesitant, mut at_once) = (Hesitant(&let_go), accept);
    let waiting = async {
        until(&|| answers() == 1).await;
        second.negotiate(planner, ask(10, 1), &mut at_once).await
    };
    let pacing = async {
        until(&|| domain.fake.count("Moved") == 3).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(answers(), 1, "it follows one at a time");
        let_go.notify_one();
    };
    let negotiating = first.negotiate(planner, ask(10, 1), &mut hesitant);
    let ((), first, second, ()) = tokio::join!(delegating, negotiating, waiting, pacing);
    assert!(first.is_ok() && second.is_ok(), "{first:?}, {second:?}");
    assert_eq!(answers(), 2);
}
