use countersign::{About, Agent, Held, Link, Offer, OfferReply, RequestReply, TakenOver, Terms, Wanted};
use countersign_protocol::{contract::Rebind, refusal::Reason};

use crate::{
    fake::{Lie, principal},
    world::{Granted, ask, assert_deceived, call, granted, join, serve, terms},
};

/// The planner's contract with a researcher, which may be rebound as that rule says.
async fn agreed(domain: &Granted, researcher: &Agent, rebind: Rebind) -> Held {
    let mut offers = |_: &Wanted| RequestReply::from(Terms { rebind, ..terms(10, 3) });
    let mut accepts = |_: &Offer| OfferReply::Accept;
    let planner = principal("planner");
    let asking = researcher.negotiate(&planner, ask(10, 3), &mut accepts);
    let (_, held) = tokio::join!(domain.planner.delegate(&domain.grant, &mut offers), asking);
    held.unwrap()
}

/// The same, and the researcher as it is when its process has started again.
async fn restarted(rebind: Rebind) -> (Granted, Held, [Agent; 2], Link) {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let held = agreed(&domain, &researcher, rebind).await;
    agreed(&domain, &researcher, Rebind::Never).await;
    let again = join(&domain.fake, "researcher").await;
    let mut links = again.rebindable().await.unwrap();
    assert_eq!(links.len(), 1, "the other one is never rebound");
    (domain, held, [researcher, again], links.pop().unwrap())
}

#[tokio::test]
async fn what_a_process_held_is_taken_over_by_the_next_one() {
    let (domain, held, [researcher, again], link) = restarted(Rebind::Domain).await;
    let (_, _serving) = serve(&domain.fake).await;
    assert_eq!((link.chain_id, &link.holder), (held.chain_id(), researcher.instance()));
    let stale = again.take_over(&Link { chains: 2, ..link.clone() }).await.unwrap_err();
    assert_eq!(stale.reason(), Some(Reason::PreviewStale));
    domain.fake.lose_replies(1);
    let TakenOver::Held(taken) = again.take_over(&link).await.unwrap() else { panic!("nobody is asked") };
    assert_eq!(domain.fake.count("ChainRebound"), 1, "a retry is harmless");
    assert_eq!((taken.contract(), taken.rights()), (held.contract(), held.rights()));
    again.invoke(&taken, call()).await.unwrap();
    let refused = researcher.invoke(&held, call()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractNotActive));
    assert_eq!(again.holdings().await.unwrap().len(), 1);
    let refused = researcher.take_over(&link).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractNotActive));
}

#[tokio::test]
async fn a_grantor_is_asked_and_sees_who_asks() {
    let (domain, _, [_, again], link) = restarted(Rebind::GrantorConsent).await;
    assert!(domain.planner.rebinds_asked().await.unwrap().is_empty());
    assert!(matches!(again.take_over(&link).await.unwrap(), TakenOver::Asked));
    assert!(again.taken_over(&link).await.unwrap().is_none());
    let asked = domain.planner.rebinds_asked().await.unwrap();
    assert_eq!((asked.len(), &asked[0].by.instance), (1, again.instance()));
    domain.fake.lose_replies(1);
    let told = domain.planner.consent_to_rebind(&asked[0]).await.unwrap();
    assert_eq!((&told.holder, domain.fake.count("ChainRebound")), (again.instance(), 1));
    let taken = again.taken_over(&link).await.unwrap().unwrap();
    assert_eq!(taken.holder().instance, *again.instance());
}

/// Attack line 31: a broker that says that something was taken over which was not.
#[tokio::test]
async fn a_false_account_of_a_rebind_is_found() {
    for (lie, about) in [
        (Lie::RebindKeptBack, About::Ledger),
        (Lie::ContractOfAnother, About::Contract),
        (Lie::ContractAltered, About::Contract),
    ] {
        let (domain, _, [_, again], link) = restarted(Rebind::Domain).await;
        domain.fake.lie(lie);
        assert_deceived(again.take_over(&link).await, about);
    }
    let (domain, _, [_, again], link) = restarted(Rebind::Domain).await;
    domain.fake.lie(Lie::RebindOfAnother);
    assert!(matches!(
        again.take_over(&link).await,
        Err(countersign::Error::Deceived(_) | countersign::Error::Refused(_))
    ));
    let (domain, _, [_, again], link) = restarted(Rebind::GrantorConsent).await;
    again.take_over(&link).await.unwrap();
    let asked = domain.planner.rebinds_asked().await.unwrap();
    domain.fake.lie(Lie::RebindOfAnother);
    assert_deceived(domain.planner.consent_to_rebind(&asked[0]).await, About::Answer);
}
