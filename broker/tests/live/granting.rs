//! What `[[grant_rule]]` allows, and how long.

use std::time::Duration;

use countersign_broker::clock::ManualClock;
use countersign_protocol::{
    capability::Rights,
    extension::Extensions,
    grant::GrantRequest,
    id::GrantId,
    payload::Payload,
    settings::{self, Scope},
    signed::Statement,
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{self, grants_client::GrantsClient};
use rand::rngs::OsRng;
use tonic::Status;

use crate::support::{Agent, DOMAIN, Setting, TestBroker, reason};

/// What alice may grant the planner, and the text of the rule that says so.
const SCOPE: &str = r#"
audiences = ["spiffe://prod.acme.example/service/files"]
delegations_left = 2
budget = { unit = "calls", ceiling = 50, per_call = 1 }
PREFIXcapability]]
resource = "file:/data/**"
actions = ["files:read"]
"#;

fn rules() -> String {
    let head = "[[grant_rule]]\noriginator = \"spiffe://prod.acme.example/human/alice\"\n\
                principal = \"spiffe://prod.acme.example/agent/planner\"\nlifetime = \"2m\"\n";
    format!("{head}{}", SCOPE.replace("PREFIX", "[[grant_rule."))
}

fn rights(now: Timestamp, lifetime: u64) -> Rights {
    let scope = settings::read("scope", &SCOPE.replace("PREFIX", "[["), Scope::read).unwrap();
    scope.between(now, Lifetime::from_millis(lifetime)).unwrap()
}

async fn grant(originator: &Agent, holder: &Agent, rights: Rights) -> Result<v1::ActiveChain, Status> {
    let now = originator.clock.now();
    let request = GrantRequest {
        domain: DOMAIN.parse().unwrap(),
        grant_id: GrantId::new(now, &mut OsRng),
        originator: originator.instance().clone(),
        holder: holder.instance().clone(),
        rights,
        issued: now,
        extensions: Extensions::none(),
    };
    let grant_request = request.sign(&originator.key).to_bytes();
    let request = v1::IssueGrantRequest { trust_domain: DOMAIN.into(), grant_request };
    let answer = GrantsClient::new(originator.channel().await).issue_grant(request).await?;
    Ok(answer.into_inner().chain.unwrap())
}

async fn state_of_the_grant(agent: &Agent) -> String {
    let request = v1::ListGrantsRequest { trust_domain: DOMAIN.into(), ..Default::default() };
    let page = GrantsClient::new(agent.channel().await).list_grants(request).await.unwrap().into_inner();
    page.grants[0].state.clone()
}

#[tokio::test]
async fn a_rule_allows_what_it_says_and_nothing_more() {
    let broker = TestBroker::with(Setting { rules: rules(), ..Setting::default() }).await;
    let root = broker.admin().await;
    let alice = broker.agent(&root, "human/alice").await;
    let planner = broker.agent(&root, "agent/planner").await;
    let researcher = broker.agent(&root, "agent/researcher").await;
    let within = rights(broker.clock.now(), 100_000);
    let mut dearer = within.clone();
    dearer.budget.ceiling = countersign_protocol::capability::Amount::new(51).unwrap();
    for (case, originator, holder, asked) in [
        ("another holder", &alice, &researcher, within.clone()),
        ("another originator", &planner, &planner, within.clone()),
        ("an admin without a rule", &root, &planner, within.clone()),
        ("a longer life", &alice, &planner, rights(broker.clock.now(), 130_000)),
        ("a larger budget", &alice, &planner, dearer),
        ("more delegations", &alice, &planner, Rights { delegations_left: 3, ..within.clone() }),
    ] {
        let refused = grant(originator, holder, asked).await.unwrap_err();
        assert_eq!(reason(&refused), "GRANT_NOT_ALLOWED", "{case}");
    }
    assert!(grant(&alice, &planner, within).await.is_ok(), "the twin");
}

#[tokio::test]
async fn without_a_rule_nothing_is_granted() {
    let broker = TestBroker::start().await;
    let root = broker.admin().await;
    let planner = broker.agent(&root, "agent/planner").await;
    let refused = grant(&root, &planner, rights(broker.clock.now(), 60_000)).await.unwrap_err();
    assert_eq!(reason(&refused), "GRANT_NOT_ALLOWED");
}

#[tokio::test]
async fn what_is_over_ends_by_itself_and_stays_ended() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let setting = Setting { rules: rules(), clock: Some(clock.clone()) };
    let mut broker = TestBroker::with(setting).await;
    let root = broker.admin().await;
    let alice = broker.agent(&root, "human/alice").await;
    let planner = broker.agent(&root, "agent/planner").await;
    grant(&alice, &planner, rights(broker.clock.now(), 100_000)).await.unwrap();
    assert_eq!(state_of_the_grant(&planner).await, "ACTIVE");
    let before = ledger_size(&root).await;
    clock.advance(Lifetime::from_millis(100_000));
    // Nobody calls: the ledger grows by the deadline alone.
    let grown = async {
        while ledger_size(&root).await == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), grown).await.unwrap();
    assert_eq!(state_of_the_grant(&planner).await, "EXPIRED");
    broker.restart().await;
    assert_eq!(state_of_the_grant(&planner).await, "EXPIRED");
}

async fn ledger_size(agent: &Agent) -> u64 {
    let request = v1::ListEntriesRequest { trust_domain: DOMAIN.into(), ..Default::default() };
    let page = v1::ledger_client::LedgerClient::new(agent.channel().await).list_entries(request).await;
    page.unwrap().into_inner().next_leaf
}

#[tokio::test]
async fn a_broker_whose_clock_went_back_decides_nothing() {
    let now = Timestamp::new(1_800_000_000_000).unwrap();
    let clock = ManualClock::at(now);
    let setting = Setting { rules: rules(), clock: Some(clock.clone()) };
    let mut broker = TestBroker::with(setting).await;
    let root = broker.admin().await;
    let alice = broker.agent(&root, "human/alice").await;
    let planner = broker.agent(&root, "agent/planner").await;
    for restart in [false, true] {
        clock.set(Timestamp::new(now.as_millis() - 1).unwrap());
        if restart {
            broker.restart().await;
        }
        let refused = grant(&alice, &planner, rights(now, 60_000)).await.unwrap_err();
        assert_eq!(reason(&refused), "CLOCK_WENT_BACK", "{restart}");
        clock.set(now);
        assert!(grant(&alice, &planner, rights(now, 60_000)).await.is_ok(), "the twin");
    }
}
