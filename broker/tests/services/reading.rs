//! Who sees what: grants, activations, contracts and negotiations, by id and in lists.

use countersign_forge::envelope::sealed;
use countersign_protocol::{
    contract::{ChangeKind, Side},
    digest::ChainId,
    id::{ContractId, NegotiationId},
    negotiation::MoveKind,
    payload::Payload as _,
    signed::Statement,
    time::Lifetime,
};
use countersign_wire::v1;
use tonic::Status;

use crate::{
    negotiating::{Talk, active, asked, contract, get, submit},
    world::*,
};

async fn get_contract(world: &World, name: &str, id: &str) -> Result<v1::GetContractResponse, Status> {
    let request = v1::GetContractRequest { trust_domain: DOMAIN.into(), contract_id: id.into() };
    inner(world.contracts.get_contract(world.call(name, request)).await)
}

async fn contracts(
    world: &World,
    name: &str,
    beneath: &[u8],
    page_size: u32,
    page_token: &str,
) -> Result<(Vec<v1::Link>, String), Status> {
    let request = v1::ListContractsRequest {
        trust_domain: DOMAIN.into(),
        page_size,
        page_token: page_token.into(),
        beneath: beneath.to_vec(),
    };
    let answer = inner(world.contracts.list_contracts(world.call(name, request)).await)?;
    Ok((answer.links, answer.next_page_token))
}

async fn grants(world: &World, name: &str) -> Vec<v1::Link> {
    let request =
        v1::ListGrantsRequest { trust_domain: DOMAIN.into(), page_size: 0, page_token: String::new() };
    inner(world.grants.list_grants(world.call(name, request)).await).unwrap().grants
}

async fn negotiations(world: &World, name: &str, page_size: u32, token: &str) -> (Vec<String>, String) {
    let request =
        v1::ListNegotiationsRequest { trust_domain: DOMAIN.into(), page_size, page_token: token.into() };
    let answer = inner(world.negotiations.list_negotiations(world.call(name, request)).await).unwrap();
    assert!(answer.negotiations.iter().all(|it| it.moves.is_empty()));
    (answer.negotiations.into_iter().map(|it| it.negotiation_id).collect(), answer.next_page_token)
}

/// alice → planner → researcher → fetcher, and beside it planner → researcher2.
async fn tree() -> (World, [v1::ActiveChain; 4]) {
    let mut world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let research = contract(&mut world, &grant, "planner", "researcher", rights(200, 4)).await;
    let fetch = contract(&mut world, &research, "researcher", "fetcher", rights(50, 3)).await;
    let beside = contract(&mut world, &grant, "planner", "researcher2", rights(100, 4)).await;
    (world, [grant, research, fetch, beside])
}

fn contract_id(world: &World, chain: &v1::ActiveChain) -> String {
    let id = ChainId::try_from(chain.chain_id.as_slice()).unwrap();
    world.domain.peek(|state, _| state.chain(&id).unwrap().contract.unwrap().0.to_string())
}

/// Attack lines 24 and 27: what is not for a stranger and what is not there look alike, to the byte.
#[tokio::test]
async fn a_stranger_cannot_tell_forbidden_from_absent() {
    let (mut world, [_, research, fetch, _]) = tree().await;
    let (mut other, talk, _) = asked().await;
    let nobody = Talk::new(&mut other, "planner", "researcher");
    for stranger in ["mallory", "files", "researcher2"] {
        let absent = all_of(get(&other, stranger, nobody.id).await);
        assert_eq!(all_of(get(&other, stranger, talk.id).await), absent);

        let mut bare = |talk: &Talk| talk.plain(&mut other, stranger, MoveKind::Withdraw);
        let (to_absent, to_existing) = (bare(&nobody), bare(&talk));
        let absent = all_of(submit(&other, stranger, &to_absent).await);
        assert_eq!(all_of(submit(&other, stranger, &to_existing).await), absent);

        let absent = all_of(world.activation(stranger, &[7; 32]).await);
        assert_eq!(all_of(world.activation(stranger, &research.chain_id).await), absent);

        let absent = all_of(contracts(&world, stranger, &[7; 32], 0, "").await);
        assert_eq!(all_of(contracts(&world, stranger, &fetch.chain_id, 0, "").await), absent);

        let id = ContractId::new(world.now(), &mut world.rng).to_string();
        let absent = get_contract(&world, stranger, &id).await;
        assert_eq!(reason(absent.clone()), "NOT_AVAILABLE");
        let there = get_contract(&world, stranger, &contract_id(&world, &research)).await;
        assert_eq!(all_of(there), all_of(absent));
    }
    // The twins: the parties see it, and an admin is told what is the matter.
    assert!(get(&other, "researcher", talk.id).await.is_ok());
    assert!(get_contract(&world, "planner", &contract_id(&world, &fetch)).await.is_ok());
    assert!(get_contract(&world, "root", &contract_id(&world, &fetch)).await.is_ok());
    let id = ContractId::new(world.now(), &mut world.rng).to_string();
    assert_eq!(reason(get_contract(&world, "root", &id).await), "NOT_FOUND");
}

/// Attack line 24: an opening says nothing of a negotiation that has the id, unless it would succeed.
#[tokio::test]
async fn an_opening_under_a_used_id_is_refused_as_under_a_free_one() {
    let (mut world, talk, _) = asked().await;
    world.clock.advance(Lifetime::from_millis(40_000));
    let mut theirs = Talk::new(&mut world, "planner", "mallory");
    let free = NegotiationId::new(start(), &mut world.rng);
    let mut open = |id| {
        theirs.id = id;
        theirs.request(&mut world, rights(1, 1))
    };
    let (on_free, on_used) = (open(free), open(talk.id));
    let refused = all_of(submit(&world, "mallory", &on_free).await);
    assert_eq!(all_of(submit(&world, "mallory", &on_used).await), refused, "both ids are of another time");

    let (mut world, talk, _) = asked().await;
    let mut theirs = Talk::new(&mut world, "planner", "mallory");
    let fresh = theirs.request(&mut world, rights(1, 1));
    theirs.id = talk.id;
    let used = theirs.request(&mut world, rights(1, 1));
    assert_eq!(reason(submit(&world, "mallory", &used).await), "ID_ALREADY_USED");
    assert!(submit(&world, "mallory", &fresh).await.is_ok(), "the twin");
}

fn start() -> countersign_protocol::time::Timestamp {
    countersign_protocol::time::Timestamp::new(START_MS).unwrap()
}

#[tokio::test]
async fn a_chain_is_seen_from_above_and_not_from_beside_or_beneath() {
    let (world, [grant, research, fetch, beside]) = tree().await;
    let sees = async |name: &str| {
        let mut seen = Vec::new();
        for chain in [&grant, &research, &fetch, &beside] {
            seen.push(world.activation(name, &chain.chain_id).await.is_ok());
        }
        let listed = contracts(&world, name, &[], 0, "").await.unwrap().0.len();
        assert_eq!(listed, seen.iter().skip(1).filter(|seen| **seen).count(), "{name}");
        seen
    };
    assert_eq!(sees("root").await, [true, true, true, true]);
    assert_eq!(sees("alice").await, [true, true, true, true]);
    assert_eq!(sees("planner").await, [true, true, true, true]);
    assert_eq!(sees("researcher").await, [false, true, true, false]);
    assert_eq!(sees("fetcher").await, [false, false, true, false]);
    assert_eq!(sees("researcher2").await, [false, false, false, true]);
    assert_eq!(sees("planner2").await, [false; 4], "another copy holds nothing");
    assert_eq!(sees("files").await, [false; 4]);
}

#[tokio::test]
async fn contracts_are_listed_beneath_a_chain_page_by_page() {
    let (world, [grant, research, fetch, beside]) = tree().await;
    let beneath = async |chain: &v1::ActiveChain| {
        let (links, _) = contracts(&world, "alice", &chain.chain_id, 0, "").await.unwrap();
        links.into_iter().map(|link| link.chain_id).collect::<Vec<_>>()
    };
    let id = |chain: &v1::ActiveChain| chain.chain_id.clone();
    assert_eq!(beneath(&grant).await.len(), 3);
    let mut under_research = beneath(&research).await;
    under_research.sort();
    let mut expected = vec![id(&research), id(&fetch)];
    expected.sort();
    assert_eq!(under_research, expected);
    assert_eq!(beneath(&beside).await, [id(&beside)]);

    let (first, token) = contracts(&world, "alice", &grant.chain_id, 2, "").await.unwrap();
    let (rest, end) = contracts(&world, "alice", &grant.chain_id, 2, &token).await.unwrap();
    assert_eq!((first.len(), rest.len(), end.as_str()), (2, 1, ""));
    let all = [first, rest].concat();
    assert!(all.is_sorted_by(|a, b| a.contract_id < b.contract_id), "in order of ids, each once");
    // A page token is of one listing, and of one caller.
    for refused in [
        contracts(&world, "alice", &research.chain_id, 2, &token).await,
        contracts(&world, "root", &grant.chain_id, 2, &token).await,
        contracts(&world, "alice", &grant.chain_id, 2, "AAAA").await,
    ] {
        assert_eq!(reason(refused), "PAYLOAD_MALFORMED");
    }
}

#[tokio::test]
async fn a_contract_comes_with_both_signatures_and_its_account() {
    let (world, [_, research, fetch, _]) = tree().await;
    let id = contract_id(&world, &research);
    let found = get_contract(&world, "researcher", &id).await.unwrap();
    let link = found.link.unwrap();
    assert_eq!((link.contract_id, link.state.as_str(), link.delegated), (id, "ACTIVE", 50));
    assert_eq!(link.holder, world.agent("researcher").id.as_str());
    use countersign_protocol::{contract::ContractBody, payload::Payload, signed::Signed};
    let signers = [world.agent("planner").key.public(), world.agent("researcher").key.public()];
    let body: ContractBody = Signed::from_bytes(&found.contract).unwrap().open(&signers).unwrap();
    assert_eq!(Some(body.hash()), active(&research).token().leaf().contract);
    assert_eq!(Some(body.contract_id.to_string().as_str()), Some(contract_id(&world, &research).as_str()));
    assert_ne!(contract_id(&world, &fetch), body.contract_id.to_string());
}

#[tokio::test]
async fn only_a_chain_in_force_is_activated() {
    let (mut world, [grant, research, fetch, beside]) = tree().await;
    world.revoke(&research.chain_id).await;
    assert_eq!(reason(world.activation("researcher", &research.chain_id).await), "REVOKED");
    assert_eq!(reason(world.activation("fetcher", &fetch.chain_id).await), "REVOKED");
    assert_eq!(reason(world.activation("mallory", &fetch.chain_id).await), "NOT_AVAILABLE");
    assert!(world.activation("researcher2", &beside.chain_id).await.is_ok(), "the twin");
    world.clock.advance(Lifetime::from_millis(3_600_000));
    // Its end counts, whether or not it is recorded already.
    assert_eq!(reason(world.activation("planner", &grant.chain_id).await), "CONTRACT_NOT_ACTIVE");
    world.tick().await;
    assert_eq!(reason(world.activation("planner", &grant.chain_id).await), "CONTRACT_NOT_ACTIVE");
}

#[tokio::test]
async fn what_is_held_up_is_not_activated_nor_anything_beneath_it() {
    let (mut world, [grant, research, fetch, beside]) = tree().await;
    let chain = active(&research).token().chain_id();
    for (kind, told) in [(ChangeKind::Suspend, "CONTRACT_SUSPENDED"), (ChangeKind::Resume, "")] {
        let root = world.agent("root");
        let signed = world.say(|stage| stage.change("root", Side::Admin, chain, kind)).sign(&root.key);
        let decided = world
            .domain
            .decide(|state, context| state.decide_change(context, &root.actor(), &signed), |_| Ok(()));
        decided.await.unwrap();
        for (holder, chain) in [("researcher", &research), ("fetcher", &fetch)] {
            match told {
                "" => assert!(world.activation(holder, &chain.chain_id).await.is_ok(), "the twin"),
                told => assert_eq!(reason(world.activation(holder, &chain.chain_id).await), told),
            }
        }
        assert!(world.activation("planner", &grant.chain_id).await.is_ok(), "what is above");
        assert!(world.activation("researcher2", &beside.chain_id).await.is_ok(), "what is beside it");
    }
}

#[tokio::test]
async fn a_grant_is_issued_once_and_answered_each_time() {
    let mut world = World::new().await;
    let request = world.grant_request(rights(500, 5));
    let alice = world.agent("alice").key;
    let signed = request.sign(&alice);
    let chain = world.issue("alice", &signed).await.unwrap();
    active(&chain);
    let size = world.size();
    assert_eq!(world.issue("alice", &signed).await.unwrap(), chain);
    // Long after it was signed and after a restart too: what counts is that it was issued.
    world.clock.advance(Lifetime::from_millis(600_000));
    let world = world.restart().await;
    assert_eq!(world.issue("alice", &signed).await.unwrap(), chain);
    assert_eq!(world.size(), size, "nothing is recorded twice");
    let mut other = request.clone();
    other.rights = rights(400, 5);
    assert_eq!(reason(world.issue("alice", &other.sign(&alice)).await), "ID_ALREADY_USED");
    for (name, count) in [("alice", 1), ("planner", 1), ("root", 1), ("mallory", 0), ("planner2", 0)] {
        assert_eq!(grants(&world, name).await.len(), count, "{name}");
    }
}

#[tokio::test]
async fn bad_grants_have_their_reasons() {
    let mut world = World::new().await;
    let honest = world.grant_request(rights(500, 5));
    let (alice, mallory) = (world.agent("alice"), world.agent("mallory"));
    type Change<'a> = &'a dyn Fn(&mut countersign_protocol::grant::GrantRequest);
    let cases: [(&str, Change<'_>, &str); 5] = [
        ("too much", &|it| it.rights = rights(1001, 5), "GRANT_NOT_ALLOWED"),
        ("to another", &|it| it.holder = mallory.id.clone(), "GRANT_NOT_ALLOWED"),
        ("for another", &|it| it.originator = mallory.id.clone(), "CHANNEL_MISMATCH"),
        ("elsewhere", &|it| it.domain = "other.example".parse().unwrap(), "WRONG_DOMAIN"),
        (
            "long ago",
            &|it| it.issued = countersign_protocol::time::Timestamp::new(1).unwrap(),
            "STATEMENT_STALE",
        ),
    ];
    for (what, change, expected) in cases {
        let mut request = honest.clone();
        change(&mut request);
        assert_eq!(reason(world.issue("alice", &request.sign(&alice.key)).await), expected, "{what}");
    }
    assert_eq!(reason(world.issue("alice", &honest.sign(&mallory.key)).await), "SIGNATURE_INVALID");
    assert_eq!(reason(world.issue("mallory", &honest.sign(&alice.key)).await), "SIGNATURE_INVALID");
    let renamed = sealed("application/vnd.countersign.revoke.v1", &honest.to_bytes(), &[&alice.key]);
    assert_eq!(reason(world.issue("alice", &renamed).await), "PAYLOAD_MALFORMED");
    assert_eq!(world.issue("alice", &honest.sign(&alice.key)).await.err().map(|_| ()), None, "the twin");
}

/// The three views of one refusal: a stranger's is constant, a party's has the cause, an operator's
/// the rule too.
#[tokio::test]
async fn a_refusal_says_as_much_as_its_reader_may_know() {
    let (mut world, [_, research, _, _]) = tree().await;
    world.revoke(&research.chain_id).await;
    let ask = async |name: &str| world.activation(name, &research.chain_id).await;
    assert_eq!((reason(ask("mallory").await), rule(ask("mallory").await)), ("NOT_AVAILABLE".into(), None));
    assert_eq!((reason(ask("planner").await), rule(ask("planner").await)), ("REVOKED".into(), None));
    assert_eq!(rule(ask("root").await).as_deref(), Some("CHN-050"));
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    let request = talk.request(&mut world, rights(1, 1));
    talk.send(&world, "researcher", &request).await.unwrap();
    let mut late = talk.bare(&mut world, "planner", MoveKind::Reject);
    late.seq = 7;
    let refused = submit(&world, "planner", &late.sign(&world.agent("planner").key)).await.unwrap_err();
    assert!(refused.message().ends_with("The next number is 1."), "{}", refused.message());
}

#[tokio::test]
async fn malformed_names_have_their_reason() {
    let world = World::new().await;
    for id in ["", "x", "0190a3b4-0000-7000-8000-00000000000G", "0190A3B4-0000-7000-8000-000000000000"] {
        assert_eq!(reason(get_contract(&world, "alice", id).await), "PAYLOAD_MALFORMED", "{id}");
    }
    for chain in [&[1; 31][..], &[1; 33], &[]] {
        assert_eq!(reason(world.activation("alice", chain).await), "PAYLOAD_MALFORMED");
    }
    let elsewhere = v1::GetActivationRequest { trust_domain: "other.example".into(), chain_id: vec![1; 32] };
    let answer = world.activations.get_activation(world.call("alice", elsewhere)).await;
    assert_eq!(reason(answer), "WRONG_DOMAIN");
    let no_gate = tonic::Request::new(v1::GetActivationRequest::default());
    assert_eq!(reason(world.activations.get_activation(no_gate).await), "NOT_ADMITTED");
}

#[tokio::test]
async fn a_request_is_seen_by_every_copy_until_one_has_answered() {
    let (mut world, mut talk, grant) = asked().await;
    for name in ["planner", "planner2", "researcher"] {
        assert!(get(&world, name, talk.id).await.is_ok(), "{name}");
        assert_eq!(negotiations(&world, name, 0, "").await.0, [talk.id.to_string()], "{name}");
    }
    assert!(get(&world, "researcher2", talk.id).await.is_err(), "the asking side is one instance");
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    assert_eq!(reason(get(&world, "planner2", talk.id).await), "NOT_AVAILABLE");
    assert!(negotiations(&world, "planner2", 0, "").await.0.is_empty());
}

#[tokio::test]
async fn negotiations_are_listed_for_their_parties_page_by_page() {
    let mut world = World::new().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        let grantee = if number % 2 == 0 { "researcher" } else { "fetcher" };
        let mut talk = Talk::new(&mut world, "planner", grantee);
        let request = talk.request(&mut world, rights(10, 1));
        talk.send(&world, grantee, &request).await.unwrap();
        expected.push(talk.id.to_string());
    }
    expected.sort();
    let (mut all, mut token) = (Vec::new(), String::new());
    for size in [3, 3, 1] {
        let (page, next) = negotiations(&world, "planner", 3, &token).await;
        assert_eq!(page.len(), size);
        all.extend(page);
        token = next;
    }
    assert_eq!((all, token.as_str()), (expected, ""));
    assert_eq!(negotiations(&world, "researcher", 0, "").await.0.len(), 4);
    assert_eq!(negotiations(&world, "root", 0, "").await.0.len(), 0, "an admin reads the ledger instead");
}

/// Attack line 29: a call that passed the gate before its caller was revoked, and whose message came
/// after, is answered as if it had come after.
#[tokio::test]
async fn a_call_that_was_begun_before_a_revocation_shows_nothing_after_it() {
    let (mut world, [_, research, fetch, _]) = tree().await;
    let contract = contract_id(&world, &fetch);
    for name in ["researcher", "root"] {
        assert!(get_contract(&world, name, &contract).await.is_ok(), "the twin: {name}");
    }
    world.revoke_instance("researcher").await;
    world.revoke_instance("root").await;

    for name in ["researcher", "root"] {
        assert_eq!(reason(get_contract(&world, name, &contract).await), "NOT_ADMITTED", "{name}");
        assert_eq!(reason(contracts(&world, name, &[], 0, "").await), "NOT_ADMITTED", "{name}");
        assert_eq!(reason(world.activation(name, &research.chain_id).await), "NOT_ADMITTED", "{name}");
    }
    let entries = v1::ListEntriesRequest { trust_domain: DOMAIN.into(), first_leaf: 0, page_size: 0 };
    assert_eq!(reason(world.ledger.list_entries(world.call("root", entries)).await), "NOT_ADMITTED");
    let checkpoint = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
    let told = world.ledger.get_checkpoint(world.call("root", checkpoint)).await;
    assert_eq!(reason(told), "NOT_ADMITTED");
}
