//! Two agents come to a contract through a real broker, each with its SDK, which believes nothing
//! that it cannot verify.

use std::time::Duration;

use countersign::{Agent, Ask, Ending, Error, Held, Offer, OfferReply, Options, RequestReply, Terms, Wanted};
use countersign_protocol::{
    capability::{Amount, Budget, Capability, Rights},
    digest::Digest,
    payload::{Ascending, Bounded, Payload},
    refusal::Reason,
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{
    self, activations_client::ActivationsClient, contracts_client::ContractsClient,
    ledger_client::LedgerClient, negotiations_client::NegotiationsClient,
};
use tonic::{Code, Status};

use crate::support::{Agent as RawAgent, DOMAIN, Setting, TestBroker, principal, reason};

const RULES: &str = r#"
[[grant_rule]]
originator = "spiffe://prod.acme.example/human/alice"
principal = "spiffe://prod.acme.example/agent/planner"
lifetime = "8h"
audiences = ["spiffe://prod.acme.example/service/files"]
delegations_left = 3
budget = { unit = "calls", ceiling = 500, per_call = 1 }

[[grant_rule.capability]]
resource = "file:/data/**"
actions = ["files:read"]
"#;

struct Parties {
    broker: TestBroker,
    admin: RawAgent,
    planner: Agent,
    researcher: Agent,
    grant: Held,
}

/// alice's grant to planner, and researcher beside them.
async fn parties() -> Parties {
    let broker = TestBroker::with(Setting { rules: RULES.into(), ..Setting::default() }).await;
    let admin = broker.admin().await;
    let alice = join(&broker, &admin, "human/alice").await;
    let planner = join(&broker, &admin, "agent/planner").await;
    let researcher = join(&broker, &admin, "agent/researcher").await;
    let grant = alice.grant(planner.instance(), rights(&broker, 500, 3)).await.unwrap();
    let grant = planner.held(grant.chain_id()).await.unwrap();
    Parties { broker, admin, planner, researcher, grant }
}

async fn join(broker: &TestBroker, admin: &RawAgent, path: &str) -> Agent {
    let token = broker.token(admin, path).await;
    Agent::join(&token, Options::new(Digest::of(path.as_bytes()))).await.unwrap()
}

fn in_an_hour(broker: &TestBroker) -> Timestamp {
    broker.clock.now().plus(Lifetime::from_millis(3_600_000))
}

/// Rights to read beneath `file:/data`, so many times, for the same hour as every other in this test.
fn rights(broker: &TestBroker, calls: u64, delegations_left: u32) -> Rights {
    let capability = Capability {
        resource: "file:/data/**".parse().unwrap(),
        actions: Ascending::new(vec!["files:read".parse().unwrap()]).unwrap(),
        constraints: Bounded::default(),
    };
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: Ascending::new(vec![principal("service/files")]).unwrap(),
        not_before: broker.clock.now(),
        not_after: in_an_hour(broker),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(calls).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left,
    }
}

/// What planner would give of its grant: so many calls.
fn less(grant: &Held, calls: u64) -> Rights {
    let mut rights = grant.rights().clone();
    rights.budget.ceiling = Amount::new(calls).unwrap();
    rights.delegations_left -= 1;
    rights
}

fn ask(parties: &Parties, calls: u64) -> Ask {
    Ask {
        rights: less(&parties.grant, calls),
        purpose: "the quarter's figures".into(),
        deadline: in_an_hour(&parties.broker),
        max_rounds: 5,
        award: None,
    }
}

fn terms(rights: Rights) -> RequestReply {
    Terms::new(rights, Lifetime::from_millis(1_000), Lifetime::from_millis(60_000)).into()
}

fn calls(rights: &Rights) -> u64 {
    rights.budget.ceiling.get()
}

/// researcher asks for 400; planner offers 100 each time; researcher asks twice for something else.
async fn negotiate(parties: &Parties) -> Held {
    let mut insist = |_: &Wanted| terms(less(&parties.grant, 100));
    let mut haggle = |offer: &Offer| match offer.round {
        3 => OfferReply::Accept,
        round => OfferReply::Counter(less(&parties.grant, 400 - 100 * u64::from(round))),
    };
    let delegator = principal("agent/planner");
    let (delegated, held) = tokio::join!(
        parties.planner.delegate(&parties.grant, &mut insist),
        parties.researcher.negotiate(&delegator, ask(parties, 400), &mut haggle),
    );
    let held = held.unwrap();
    assert_eq!(delegated.unwrap().outcome.unwrap(), held.chain_id(), "both know the same contract");
    held
}

#[tokio::test]
async fn two_rounds_end_in_a_contract_that_both_can_verify_and_that_survives_a_restart() {
    let mut parties = parties().await;
    let held = negotiate(&parties).await;
    assert_eq!(held.contract().unwrap().depth, 1);
    assert_eq!(calls(held.rights()), 100);
    let before = parties.researcher.ledger().checkpoint().await.unwrap().0;
    parties.broker.restart().await;
    // The same agents go on, over new connections, with what they had seen.
    let again = parties.researcher.held(held.chain_id()).await.unwrap();
    assert_eq!(again.signed_contract(), held.signed_contract());
    let links = parties.planner.contracts(Some(parties.grant.chain_id())).await.unwrap();
    assert_eq!(links.iter().map(|link| link.chain_id).collect::<Vec<_>>(), [held.chain_id()]);
    let after = parties.researcher.ledger().checkpoint().await.unwrap().0;
    assert!(before.size <= after.size);
    assert!(parties.researcher.ledger().contradiction().is_none());
}

#[tokio::test]
async fn a_negotiation_that_is_under_way_survives_a_restart() {
    let mut parties = parties().await;
    let (planner, researcher) = (parties.planner.clone(), parties.researcher.clone());
    let (grant, ask) = (parties.grant.clone(), ask(&parties, 50));
    let asking = tokio::spawn(async move {
        let delegator = principal("agent/planner");
        let mut accept = |_: &Offer| OfferReply::Accept;
        researcher.negotiate(&delegator, ask, &mut accept).await
    });
    // The request is in the ledger when planner has heard of it, and leaves it.
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let mut leave = |wanted: &Wanted| {
        heard.send(wanted.negotiation).unwrap();
        RequestReply::Leave
    };
    tokio::select! {
        ended = parties.planner.delegate(&parties.grant, &mut leave) => panic!("{ended:?}"),
        heard = hears.recv() => assert!(heard.is_some()),
    }
    parties.broker.restart().await;
    let mut give = |_: &Wanted| terms(less(&grant, 50));
    let delegated = planner.delegate(&grant, &mut give).await.unwrap();
    let held = asking.await.unwrap().unwrap();
    assert_eq!(delegated.outcome.unwrap(), held.chain_id());
}

#[tokio::test]
async fn accept_and_withdraw_race_to_one_end() {
    let parties = parties().await;
    let delegator = principal("agent/planner");
    for round in 0..6 {
        let (offered, mut offers) = tokio::sync::mpsc::unbounded_channel();
        let mut give = |_: &Wanted| terms(less(&parties.grant, 10));
        let mut accept = |offer: &Offer| {
            offered.send(offer.negotiation).unwrap();
            OfferReply::Accept
        };
        let withdraw = async {
            let negotiation = offers.recv().await.unwrap();
            tokio::time::sleep(Duration::from_millis(round)).await;
            parties.planner.withdraw(negotiation).await
        };
        let (delegated, held, withdrawn) = tokio::join!(
            parties.planner.delegate(&parties.grant, &mut give),
            parties.researcher.negotiate(&delegator, ask(&parties, 10), &mut accept),
            withdraw,
        );
        match (held, delegated.unwrap().outcome) {
            (Ok(held), Ok(chain)) => {
                assert_eq!(held.chain_id(), chain);
                assert!(withdrawn.is_err());
            }
            (Err(Error::Ended { .. }), Err(Error::Ended { .. })) => withdrawn.unwrap(),
            (held, delegated) => panic!("two ends of one negotiation: {held:?}, {delegated:?}"),
        }
    }
}

/// Everything of a refusal that goes over the wire, apart from when.
fn wire(status: Status) -> (Code, String, Vec<u8>, Vec<String>) {
    let mut names: Vec<String> =
        status.metadata().as_ref().keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    (status.code(), status.message().to_owned(), status.details().to_vec(), names)
}

/// Attack lines 24 and 27, as a stranger sees it on the wire.
#[tokio::test]
async fn on_the_wire_a_stranger_cannot_tell_forbidden_from_absent() {
    let parties = parties().await;
    let held = negotiate(&parties).await;
    let contract = held.contract().unwrap();
    let stranger = parties.broker.agent(&parties.admin, "agent/mallory").await;
    let channel = stranger.channel().await;
    let domain = || DOMAIN.to_owned();
    // Never made by anyone: the id of an instance stands for a contract, a negotiation, an invocation.
    let absent = stranger.instance().as_str().rsplit('/').next().unwrap().to_owned();

    let get = async |contract_id: String| {
        let request = v1::GetContractRequest { trust_domain: domain(), contract_id };
        wire(ContractsClient::new(channel.clone()).get_contract(request).await.unwrap_err())
    };
    let refused = get(absent.clone()).await;
    assert_eq!(refused.0, Code::NotFound);
    assert_eq!(get(contract.contract_id.to_string()).await, refused);

    let get = async |negotiation_id: String| {
        let request = v1::GetNegotiationRequest { trust_domain: domain(), negotiation_id };
        wire(NegotiationsClient::new(channel.clone()).get_negotiation(request).await.unwrap_err())
    };
    assert_eq!(get(contract.negotiation_id.to_string()).await, get(absent.clone()).await);

    let get = async |chain_id: &[u8]| {
        let request = v1::GetActivationRequest { trust_domain: domain(), chain_id: chain_id.to_vec() };
        wire(ActivationsClient::new(channel.clone()).get_activation(request).await.unwrap_err())
    };
    assert_eq!(get(held.chain_id().as_bytes()).await, get(&[7; 32]).await);
    assert_eq!(get(held.chain_id().as_bytes()).await, refused, "whatever it is that is not there");

    let request = v1::ExplainRequest { trust_domain: domain(), invocation_id: absent };
    assert_eq!(wire(LedgerClient::new(channel.clone()).explain(request).await.unwrap_err()), refused);
    let request = v1::ListEntriesRequest { trust_domain: domain(), first_leaf: 0, page_size: 1 };
    assert_eq!(wire(LedgerClient::new(channel).list_entries(request).await.unwrap_err()), refused);
}

#[tokio::test]
async fn a_grant_beyond_its_rule_and_an_offer_beyond_its_grant_are_refused() {
    let parties = parties().await;
    let alice = join(&parties.broker, &parties.admin, "human/alice").await;
    let too_much = alice.grant(parties.planner.instance(), rights(&parties.broker, 501, 3)).await;
    assert_eq!(too_much.unwrap_err().reason(), Some(Reason::GrantNotAllowed));
    let mut widen = |_: &Wanted| terms(less(&parties.grant, 501));
    let delegator = principal("agent/planner");
    let mut accept = |_: &Offer| OfferReply::Accept;
    let asking = parties.researcher.negotiate(&delegator, ask(&parties, 501), &mut accept);
    let widened = tokio::select! {
        delegated = parties.planner.delegate(&parties.grant, &mut widen) => delegated.map(|it| it.outcome),
        held = asking => panic!("{held:?}"),
    };
    let refused = widened.map_or_else(Some, Result::err).unwrap();
    assert_eq!(refused.reason(), Some(Reason::RightsWidened), "{refused}");
}

#[tokio::test]
async fn a_negotiation_that_is_rejected_ends_for_both() {
    let parties = parties().await;
    let mut reject = |_: &Wanted| RequestReply::Reject;
    let mut accept = |_: &Offer| OfferReply::Accept;
    let delegator = principal("agent/planner");
    let (delegated, held) = tokio::join!(
        parties.planner.delegate(&parties.grant, &mut reject),
        parties.researcher.negotiate(&delegator, ask(&parties, 1), &mut accept),
    );
    for ended in [delegated.unwrap().outcome.err().unwrap(), held.err().unwrap()] {
        assert!(matches!(ended, Error::Ended { ending: Ending::Rejected, .. }), "{ended:?}");
    }
}

#[tokio::test]
async fn checkpoints_go_on_over_a_restart() {
    let mut parties = parties().await;
    let size = async |agent: &RawAgent| {
        let request = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
        let answer = LedgerClient::new(agent.channel().await).get_checkpoint(request).await;
        let note = answer.map_err(|status| reason(&status)).unwrap().into_inner().checkpoint;
        note.parse::<countersign_protocol::ledger::SignedCheckpoint>().unwrap().peek_unverified().clone()
    };
    let before = size(&parties.admin).await;
    parties.broker.restart().await;
    let after = size(&parties.admin).await;
    assert!(before.size <= after.size);
    let request = v1::ProveConsistencyRequest {
        trust_domain: DOMAIN.into(),
        old_size: before.size.get(),
        new_size: after.size.get(),
    };
    let answer = LedgerClient::new(parties.admin.channel().await).prove_consistency(request).await.unwrap();
    let proof = countersign_protocol::ledger::ConsistencyProof::from_bytes(&answer.into_inner().proof);
    proof.unwrap().verify(before.root, after.root).unwrap();
}
