//! The service, asked by those who are a party to something and those who are not.

use countersign_protocol::{
    capability::{Arguments, Capability, Rights},
    digest::ChainId,
    payload::{Bounded, Payload as _},
};
use countersign_wire::v1::graph_server::Graph as _;
use tokio_stream::StreamExt as _;

use super::{feed::*, *};
use crate::{
    limits::{CAN_INSTEAD_MAX, CAN_TRIES_MAX},
    mediation::tests::world::{World, principal, reason, refused, rights},
};

fn graph(world: &World) -> Graph {
    Graph::new(Arc::clone(&world.domain))
}

/// A request over that caller's channel.
fn from<T>(world: &World, who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(world.agent(who).actor());
    request
}

/// Fills in the trust domain.
macro_rules! ask {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        v1::$name { trust_domain: "acme.example".into(), $($field: $value,)* ..Default::default() }
    };
}

async fn edges(
    world: &World,
    who: &str,
    request: v1::ListEdgesRequest,
) -> Result<v1::ListEdgesResponse, Status> {
    graph(world).list_edges(from(world, who, request)).await.map(Response::into_inner)
}

async fn can(world: &World, who: &str, request: v1::CanRequest) -> Result<v1::CanResponse, Status> {
    graph(world).can(from(world, who, request)).await.map(Response::into_inner)
}

fn ids(edges: &[v1::Edge]) -> Vec<ChainId> {
    edges.iter().map(|edge| ChainId::try_from(edge.chain_id.as_slice()).unwrap()).collect()
}

/// Reading a file under a chain.
fn under(chain: ChainId, resource: &str) -> v1::CanRequest {
    v1::CanRequest { chain_id: chain.as_bytes().to_vec(), ..by("", resource) }
}

/// Reading a file by a holder.
fn by(holder: &str, resource: &str) -> v1::CanRequest {
    ask!(CanRequest {
        holder: holder.into(),
        callee: principal("files").to_string(),
        action: "read".into(),
        resource: resource.into(),
    })
}

fn with(rights: Rights, resource: &str) -> Rights {
    let capability = Capability { resource: resource.parse().unwrap(), ..rights.capabilities[0].clone() };
    Rights { capabilities: Bounded::new(vec![capability]).unwrap(), ..rights }
}

/// Everything that a caller can tell apart.
fn bytes(status: Status) -> (i32, String, Vec<u8>) {
    (status.code() as i32, status.message().to_owned(), status.details().to_vec())
}

fn size(world: &World) -> u64 {
    world.look(|state| state.tree().size().get())
}

#[tokio::test]
async fn each_sees_its_own_part_of_the_graph() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let beside = world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    let mut below = vec![first, beside];
    below.sort();
    let all: Vec<ChainId> = std::iter::once(grant)
        .chain(below.into_iter().flat_map(|id| if id == first { vec![first, leaf] } else { vec![id] }))
        .collect();
    for (who, seen) in [
        ("root", all.clone()),
        ("alice", all.clone()),
        ("planner", all),
        ("researcher", vec![first, leaf]),
        ("fetcher", vec![leaf]),
        ("mallory", vec![beside]),
        ("files", vec![]),
    ] {
        let page = edges(&world, who, ask!(ListEdgesRequest {})).await.unwrap();
        assert_eq!((ids(&page.edges), page.size), (seen, size(&world)), "{who}");
    }
    let edge = &edges(&world, "root", ask!(ListEdgesRequest { beneath: leaf.as_bytes().to_vec() }))
        .await
        .unwrap()
        .edges[0];
    assert_eq!(edge.grantor, world.agent("researcher").id.to_string());
    assert_eq!((edge.state.as_str(), edge.ended_leaf), ("ACTIVE", None));
}

#[tokio::test]
async fn a_stranger_cannot_tell_an_absent_edge_from_a_forbidden_one() {
    let (world, [grant, _, leaf]) = World::with_chain().await;
    let absent = ChainId::from_bytes([9; 32]);
    let beneath = |chain: ChainId| ask!(ListEdgesRequest { beneath: chain.as_bytes().to_vec() });
    let forbidden = edges(&world, "mallory", beneath(grant)).await.unwrap_err();
    let nothing = edges(&world, "mallory", beneath(absent)).await.unwrap_err();
    assert_eq!((reason(&nothing).as_str(), bytes(nothing.clone())), ("NOT_AVAILABLE", bytes(forbidden)));
    // A holder does not see what its right came from, though its token names it.
    assert_eq!(refused(edges(&world, "fetcher", beneath(grant)).await), "NOT_AVAILABLE");
    assert!(edges(&world, "planner", beneath(grant)).await.is_ok(), "the twin");

    let file = "file:/data/eu/q3.csv";
    let nobody = principal("nobody").to_string();
    for request in
        [under(grant, file), under(absent, file), by(principal("fetcher").as_str(), file), by(&nobody, file)]
    {
        assert_eq!(bytes(can(&world, "mallory", request).await.unwrap_err()), bytes(nothing.clone()));
    }
    assert!(can(&world, "fetcher", under(leaf, file)).await.unwrap().allowed, "the twin");
    for holder in [principal("fetcher").to_string(), nobody] {
        let graph = graph(&world);
        let what = graph.what_can(from(&world, "mallory", ask!(WhatCanRequest { holder: holder.clone() })));
        assert_eq!(what.await.unwrap().into_inner().edges, []);
        let paths = graph.list_paths(from(&world, "mallory", ask!(ListPathsRequest { holder: holder })));
        assert_eq!(paths.await.unwrap().into_inner().paths, []);
    }
}

/// A page that was made up, or is of another list, leads nowhere.
#[tokio::test]
async fn pages_follow_one_another_as_of_one_size() {
    let (world, [grant, ..]) = World::with_chain().await;
    for _ in 0..4 {
        world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    }
    let whole = edges(&world, "root", ask!(ListEdgesRequest {})).await.unwrap();
    let (mut seen, mut token, mut as_of) = (Vec::new(), String::new(), 0);
    loop {
        let request = ask!(ListEdgesRequest { as_of: as_of, page_size: 2, page_token: token });
        let page = edges(&world, "root", request).await.unwrap();
        assert!(page.edges.len() <= 2);
        seen.extend(page.edges);
        (token, as_of) = (page.next_page_token, page.size);
        if token.is_empty() {
            break;
        }
        // Whatever is agreed meanwhile is not of that size.
        world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    }
    assert_eq!(ids(&seen), ids(&whole.edges));
    let first = edges(&world, "root", ask!(ListEdgesRequest { page_size: 2 })).await.unwrap();
    let other = ask!(ListEdgesRequest { ended: true, page_token: first.next_page_token });
    assert_eq!(refused(edges(&world, "root", other).await), "PAYLOAD_MALFORMED");
}

#[tokio::test]
async fn the_past_is_answered_as_it_was_and_the_future_is_not() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let began = world.look(|state| state.chain(&leaf).unwrap().leaf.get());
    let before = size(&world);
    let root = world.agent("root").actor();
    let signed = world.revocation("root", first, 2);
    world.decide(|state, context| state.decide_revoke(context, &root, &signed)).await.unwrap();
    let listed = async |as_of: u64, ended: bool| {
        ids(&edges(&world, "root", ask!(ListEdgesRequest { as_of: as_of, ended: ended }))
            .await
            .unwrap()
            .edges)
    };
    assert_eq!(listed(began, false).await, [grant, first], "not begun yet");
    assert_eq!(listed(began + 1, false).await, [grant, first, leaf]);
    assert_eq!(listed(before, false).await, [grant, first, leaf]);
    assert_eq!(listed(before + 1, false).await, [grant]);
    assert_eq!(listed(0, false).await, [grant], "now");
    assert_eq!(listed(0, true).await, [grant, first, leaf]);
    assert_eq!(listed(1, true).await, [], "the first entry is the domain's keys");
    let request = ask!(ListEdgesRequest { as_of: before, beneath: leaf.as_bytes().to_vec() });
    let then = edges(&world, "fetcher", request).await.unwrap().edges;
    assert_eq!((then[0].state.as_str(), then[0].ended_leaf), ("ACTIVE", None));
    let request = ask!(ListEdgesRequest { ended: true, beneath: leaf.as_bytes().to_vec() });
    let now = edges(&world, "fetcher", request).await.unwrap().edges;
    assert_eq!((now[0].state.as_str(), now[0].ended_leaf), ("REVOKED", Some(before)));

    let beyond = ask!(ListEdgesRequest { as_of: before + 2 });
    assert_eq!(refused(edges(&world, "fetcher", beyond).await), "NOT_FOUND");
}

#[tokio::test]
async fn who_can_is_answered_with_those_who_can_and_as_of_then() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let us =
        world.contract(grant, "planner", "mallory", with(rights(1, 1), "file:/data/us/*")).await.unwrap();
    let before = size(&world);
    let ask = async |who: &str, as_of: u64, resource: &str| {
        let request = ask!(WhoCanRequest {
            as_of: as_of,
            callee: principal("files").to_string(),
            action: "read".into(),
            resource: resource.into(),
            page_size: 1,
        });
        let (mut found, mut request) = (Vec::new(), request);
        loop {
            let answer =
                graph(&world).who_can(from(&world, who, request.clone())).await.unwrap().into_inner();
            let edges: Vec<_> = answer.abilities.into_iter().filter_map(|ability| ability.edge).collect();
            found.extend(ids(&edges));
            (request.page_token, request.as_of) = (answer.next_page_token, answer.size);
            if request.page_token.is_empty() {
                return found;
            }
        }
    };
    assert_eq!(ask("root", 0, "file:/data/eu/a").await, [grant, first, leaf]);
    let mut us_too = ask("root", 0, "file:/data/us/a").await;
    us_too.sort();
    let mut expected = vec![grant, first, leaf, us];
    expected.sort();
    assert_eq!(us_too, expected);
    assert_eq!(ask("root", 0, "file:/etc/a").await, []);
    assert_eq!(ask("researcher", 0, "file:/data/eu/a").await, [first, leaf], "as far as it sees");
    assert_eq!(ask("files", 0, "file:/data/eu/a").await, []);

    let planner = world.agent("planner").actor();
    let signed = world.revocation("planner", first, 2);
    world.decide(|state, context| state.decide_revoke(context, &planner, &signed)).await.unwrap();
    assert_eq!(ask("root", 0, "file:/data/eu/a").await, [grant]);
    assert_eq!(ask("root", before, "file:/data/eu/a").await, [grant, first, leaf]);
    assert_eq!(ask("fetcher", 0, "file:/data/eu/a").await, []);
    assert_eq!(ask("fetcher", before, "file:/data/eu/a").await, [leaf]);
    world.pass(3_600_000);
    assert_eq!(
        ask("root", 0, "file:/data/eu/a").await,
        [],
        "what is past its end is over before it is closed"
    );
}

#[tokio::test]
async fn what_a_holder_can_and_how_it_came_to_it() {
    let (mut world, [grant, first, leaf]) = World::with_chain().await;
    world.join("fetcher 2", "fetcher").await;
    world.swap("fetcher", "fetcher 2");
    let second = world.contract(first, "researcher", "fetcher", rights(5, 3)).await.unwrap();
    world.swap("fetcher", "fetcher 2");
    let what = async |who: &str, holder: &str| {
        let mut request = ask!(WhatCanRequest { holder: holder.into(), page_size: 1 });
        let mut found = Vec::new();
        loop {
            let answer =
                graph(&world).what_can(from(&world, who, request.clone())).await.unwrap().into_inner();
            found.extend(ids(&answer.edges));
            (request.page_token, request.as_of) = (answer.next_page_token, answer.size);
            if request.page_token.is_empty() {
                found.sort();
                return found;
            }
        }
    };
    let fetcher = principal("fetcher").to_string();
    let mut both = vec![leaf, second];
    both.sort();
    for who in ["root", "alice", "planner", "researcher"] {
        assert_eq!(what(who, &fetcher).await, both, "{who}");
        assert_eq!(what(who, world.agent("fetcher 2").id.as_str()).await, [second], "{who}");
    }
    assert_eq!(what("fetcher", &fetcher).await, [leaf], "its own, and not its sibling's");

    let paths = async |who: &str, originator: &str| {
        let request = ask!(ListPathsRequest { holder: fetcher.clone(), originator: originator.into() });
        let answer = graph(&world).list_paths(from(&world, who, request)).await.unwrap().into_inner();
        let mut paths: Vec<_> = answer.paths.iter().map(|path| ids(&path.edges)).collect();
        paths.sort_by_key(|path| path.last() != Some(&leaf));
        paths
    };
    let alice = principal("alice").to_string();
    assert_eq!(paths("root", &alice).await, [vec![grant, first, leaf], vec![grant, first, second]]);
    assert_eq!(paths("researcher", "").await, [vec![first, leaf], vec![first, second]], "from where it sees");
    assert_eq!(paths("root", &fetcher).await, Vec::<Vec<ChainId>>::new(), "another originator");
}

/// Whatever `Can` says, an invocation is told.
#[tokio::test]
async fn can_says_what_an_invocation_is_told_and_leaves_no_trace() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let _files = world.willing("files", 8).await;
    let invoked = async |resource: &str| {
        let mut call = world.call("fetcher", leaf);
        call.proof.resource = resource.parse().unwrap();
        world.send("fetcher", &call).await.map(drop).map_err(|status| reason(&status))
    };
    let asked = async |resource: &str| {
        let before = size(&world);
        let answer = can(&world, "fetcher", under(leaf, resource)).await.unwrap();
        assert_eq!(size(&world), before, "nothing is recorded");
        if answer.allowed { Ok(()) } else { Err(answer.reason) }
    };
    for resource in ["file:/data/eu/q3.csv", "file:/etc/passwd"] {
        assert_eq!(asked(resource).await, invoked(resource).await, "{resource}");
    }
    assert_eq!(asked("file:/etc/passwd").await, Err("CHECK_FAILED".to_owned()));
    // Ten calls were promised; one was made.
    for _ in 0..9 {
        assert_eq!(asked("file:/data/a").await, Ok(()));
        assert_eq!(invoked("file:/data/a").await, Ok(()));
    }
    assert_eq!(asked("file:/data/a").await, Err("CONTRACT_NOT_ACTIVE".to_owned()), "it is used up");
    assert_eq!(invoked("file:/data/a").await, asked("file:/data/a").await);
    let planner = world.agent("planner").actor();
    let signed = world.revocation("planner", first, 1);
    world.decide(|state, context| state.decide_revoke(context, &planner, &signed)).await.unwrap();
    assert_eq!(asked("file:/data/a").await, Err("REVOKED".to_owned()));
    assert_eq!(invoked("file:/data/a").await, asked("file:/data/a").await);
    world.pass(3_600_000);
    assert_eq!(asked("file:/data/a").await, Err("OUTSIDE_VALIDITY".to_owned()));
    let _ = grant;
}

#[tokio::test]
async fn a_budget_that_others_hold_is_told_as_such() {
    let world = World::new().await;
    let grant = world.grant(rights(10, 5)).await;
    assert!(can(&world, "planner", under(grant, "file:/data/a")).await.unwrap().allowed, "the twin");
    world.contract(grant, "planner", "mallory", rights(10, 1)).await.unwrap();
    let answer = can(&world, "planner", under(grant, "file:/data/a")).await.unwrap();
    assert_eq!((answer.allowed, answer.reason.as_str()), (false, "BUDGET_EXCEEDED"));
    assert_eq!(answer.fault.map(|edge| edge.chain_id), Some(grant.as_bytes().to_vec()));
}

/// Attack line 24: nothing of other chains shows in a hint, and of one's own no more than the token says.
#[tokio::test]
async fn a_denial_helps_within_what_the_asker_may_see() {
    let world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let eu = with(rights(50, 4), "file:/data/eu/*");
    let first = world.contract(grant, "planner", "researcher", eu.clone()).await.unwrap();
    let leaf =
        world.contract(first, "researcher", "fetcher", Rights { delegations_left: 1, ..eu }).await.unwrap();
    let us =
        world.contract(grant, "planner", "fetcher", with(rights(5, 0), "file:/data/us/*")).await.unwrap();
    let denied = async |who: &str| {
        let answer = can(&world, who, under(leaf, "file:/data/us/a")).await.unwrap();
        assert_eq!((answer.allowed, answer.reason.as_str()), (false, "CHECK_FAILED"), "{who}");
        assert_eq!(answer.rule.is_empty(), who != "root");
        answer
    };
    for who in ["root", "alice", "planner", "fetcher"] {
        let answer = denied(who).await;
        let (fault, nearest) = (answer.fault.unwrap(), answer.nearest.unwrap());
        assert_eq!(
            (fault.chain_id.as_slice(), nearest.chain_id.as_slice()),
            (first.as_bytes(), grant.as_bytes())
        );
        assert_eq!(fault.grantor, world.agent("planner").id.to_string(), "who signed the limit");
        assert_eq!(ids(&answer.instead), [us], "{who}");
        // The fetcher's token names both, and says no more of them than this.
        let shown = who != "fetcher";
        assert_eq!((nearest.leaf > 0, !fault.contract_id.is_empty()), (shown, shown), "{who}");
    }
    let answer = denied("researcher").await;
    assert_eq!(answer.instead, [], "the fetcher's other chain is not the researcher's to hear of");
    assert_eq!(answer.nearest.unwrap().chain_id, grant.as_bytes());
}

#[tokio::test]
async fn a_holder_is_asked_about_by_any_of_its_chains() {
    let world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let file = "file:/data/us/a";
    for _ in 0..3 {
        world.contract(grant, "planner", "fetcher", with(rights(5, 0), "file:/data/eu/*")).await.unwrap();
    }
    let fetcher = principal("fetcher").to_string();
    let answer = can(&world, "planner", by(&fetcher, file)).await.unwrap();
    assert_eq!((answer.allowed, answer.reason.as_str()), (false, "CHECK_FAILED"));
    assert_eq!(answer.edge.unwrap().holder, world.agent("fetcher").id.to_string());
    let us =
        world.contract(grant, "planner", "fetcher", with(rights(5, 0), "file:/data/us/*")).await.unwrap();
    for holder in [fetcher.as_str(), world.agent("fetcher").id.as_str()] {
        let answer = can(&world, "planner", by(holder, file)).await.unwrap();
        assert!(answer.allowed);
        assert_eq!(answer.edge.unwrap().chain_id, us.as_bytes());
    }
    for (chain, holder) in [(us.as_bytes(), fetcher.as_str()), (&[], "")] {
        let request = v1::CanRequest { chain_id: chain.to_vec(), ..by(holder, file) };
        assert_eq!(refused(can(&world, "planner", request).await), "PAYLOAD_MALFORMED");
    }
    let request = v1::CanRequest { arguments: vec![0xff], ..by(&fetcher, file) };
    assert_eq!(refused(can(&world, "planner", request).await), "PAYLOAD_MALFORMED");
    let none = Arguments::new(vec![]).unwrap().to_bytes();
    assert!(
        can(&world, "planner", v1::CanRequest { arguments: none, ..by(&fetcher, file) })
            .await
            .unwrap()
            .allowed
    );
}

/// Of chains that seem to allow it and have nothing left, so many are verified; the next is not asked.
#[tokio::test]
async fn so_many_chains_of_a_holder_are_tried() {
    let world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let mut chains = Vec::new();
    for _ in 0..=CAN_TRIES_MAX {
        chains.push(world.contract(grant, "planner", "researcher", rights(5, 3)).await.unwrap());
    }
    chains.sort();
    for (used_up, chain) in chains.into_iter().take(CAN_TRIES_MAX).enumerate() {
        let request = by(principal("researcher").as_str(), "file:/data/a");
        assert!(can(&world, "planner", request).await.unwrap().allowed, "{used_up} are used up");
        world.contract(chain, "researcher", "mallory", rights(5, 0)).await.unwrap();
    }
    let request = by(principal("researcher").as_str(), "file:/data/a");
    let answer = can(&world, "planner", request).await.unwrap();
    assert_eq!((answer.allowed, answer.reason.as_str()), (false, "BUDGET_EXCEEDED"), "the last is not tried");
}

#[tokio::test]
async fn so_many_other_chains_are_named() {
    let world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let narrow =
        world.contract(grant, "planner", "fetcher", with(rights(1, 0), "file:/data/eu/*")).await.unwrap();
    for others in 1..=CAN_INSTEAD_MAX + 1 {
        world.contract(grant, "planner", "fetcher", rights(1, 0)).await.unwrap();
        let answer = can(&world, "fetcher", under(narrow, "file:/data/us/a")).await.unwrap();
        assert_eq!(answer.instead.len(), others.min(CAN_INSTEAD_MAX));
    }
}

/// A list as of a size and the watch from there on are the graph; however the watch is cut into pieces
/// and resumed, nothing is missed and nothing told twice.
#[tokio::test]
async fn a_watch_resumes_anywhere_without_a_gap_or_a_repetition() {
    let (world, [grant, first, _]) = World::with_chain().await;
    for _ in 0..3 {
        world.contract(first, "researcher", "mallory", rights(1, 0)).await.unwrap();
    }
    // Five end with one leaf.
    let planner = world.agent("planner").actor();
    let signed = world.revocation("planner", first, 5);
    world.decide(|state, context| state.decide_revoke(context, &planner, &signed)).await.unwrap();
    world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    let told = |who: &str, most: Enough| {
        let request = from(&world, who, ());
        let caller = Caller::of(&request, &world.domain).unwrap();
        let mut next = Place { leaf: countersign_protocol::ledger::LeafIndex::ZERO, after: None };
        let (mut told, mut looks) = (Vec::new(), 0);
        loop {
            let look = world.look(|state| look_at(&caller, state, next, most));
            told.extend(look.changes);
            (next, looks) = (look.next, looks + 1);
            if look.all {
                return (told, looks);
            }
        }
    };
    for (who, turns) in [("root", 12), ("planner", 12), ("researcher", 10), ("mallory", 7), ("files", 0)] {
        let (whole, looks) = told(who, Enough { looked_at: 100, bytes: 1_000_000 });
        assert_eq!((whole.len(), looks), (turns, 1), "{who}");
        assert!(whole.is_sorted_by_key(|change| (change.leaf, change.chain_id.clone())));
        for looked_at in 1..=12 {
            assert_eq!(
                told(who, Enough { looked_at, bytes: 1_000_000 }).0,
                whole,
                "{who}, {looked_at} a look"
            );
        }
        for bytes in [1, 60, 400] {
            assert_eq!(told(who, Enough { looked_at: 100, bytes }).0, whole, "{who}, {bytes} bytes a look");
        }
    }
    let (whole, _) = told("root", Enough { looked_at: 100, bytes: 1_000_000 });
    let listed = edges(&world, "root", ask!(ListEdgesRequest { ended: true })).await.unwrap().edges;
    assert_eq!(whole.iter().filter(|change| change.edge.is_some()).count(), listed.len());
    for edge in listed {
        let last = whole.iter().rev().find(|change| change.chain_id == edge.chain_id).unwrap();
        assert_eq!(last.state, edge.state);
    }
}

#[tokio::test]
async fn a_watch_tells_of_what_comes_and_says_where_to_resume() {
    let (world, [grant, ..]) = World::with_chain().await;
    let from_leaf = size(&world);
    let watch = async |who: &str, from_leaf: u64| {
        graph(&world).watch_edges(from(&world, who, ask!(WatchEdgesRequest { from_leaf: from_leaf }))).await
    };
    let mut heard = watch("mallory", from_leaf).await.unwrap().into_inner();
    let first = heard.next().await.unwrap().unwrap();
    assert_eq!((first.changes, first.next_leaf, first.after_chain), (vec![], from_leaf, vec![]));
    world.contract(grant, "planner", "fetcher", rights(1, 1)).await.unwrap();
    let mine = world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    let told = heard.next().await.unwrap().unwrap();
    let edges: Vec<_> = told.changes.into_iter().filter_map(|change| change.edge).collect();
    assert_eq!(ids(&edges), [mine]);
    assert_eq!(told.next_leaf, size(&world));
    assert_eq!(refused(watch("mallory", size(&world) + 1).await), "NOT_FOUND");
    assert!(watch("mallory", size(&world)).await.is_ok(), "the twin");
}
