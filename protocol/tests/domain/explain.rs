//! Evidence bundles: what honest ones prove, and that no altered one is believed.

use countersign_protocol::{
    digest::ChainId,
    domain::End,
    explain::{self, Attested, Bundle, Explanation, Proven},
    id::InvocationId,
    payload::Payload,
    refusal::Refusal,
    signed::Statement,
};

use crate::{
    invocation::{begin, chain, end, receipt},
    world::{POLICY, World, domain_key, keys},
};

/// One receipted use of alice → planner → researcher → fetcher.
fn used() -> (World, InvocationId, ChainId) {
    let (mut world, [_, _, leaf]) = chain();
    let id = done(&mut world, leaf);
    (world, id, leaf)
}

fn done(world: &mut World, leaf: ChainId) -> InvocationId {
    let (id, proof) = begin(world, "fetcher", leaf).unwrap();
    let signed = receipt(world, id, leaf, &proof, 1).sign(&world.agent("files").key);
    end(world, id, &End::Receipt(&signed)).unwrap();
    id
}

fn bundle(world: &World, id: InvocationId, chain: ChainId) -> Bundle {
    let leaves = explain::leaves(&world.state, id).unwrap();
    let entries = leaves.iter().map(|leaf| (*leaf, world.entries[leaf.get() as usize].to_bytes()));
    let activation = world.activation(chain).sign(&domain_key(202));
    let policy = Some(POLICY.to_vec());
    explain::assemble(&world.state, id, world.checkpoint(), entries.collect(), activation, policy).unwrap()
}

fn verify(bundle: &Bundle) -> Result<Explanation, Refusal> {
    Bundle::from_bytes(&bundle.to_bytes()).unwrap().verify(&keys())
}

#[test]
fn a_bundle_proves_the_whole_chain_back_to_its_originator() {
    let (mut world, id, leaf) = used();
    // The ledger goes on, and forgets the invocation as far as decisions need it.
    world.pass(1_200_000);
    world.grant(crate::world::rights(1, 1)).unwrap();
    assert!(world.state.invocation(&id).is_none());
    let explanation = verify(&bundle(&world, id, leaf)).unwrap();
    let names: Vec<_> = explanation.links.iter().map(|link| link.holder.principal().short()).collect();
    assert_eq!(explanation.originator.short(), "alice");
    assert_eq!(names, ["planner", "researcher", "fetcher"]);
    assert!(explanation.end.is_some_and(|end| end.receipt.is_some()));
    assert!(explanation.proven.contains(&Proven::WithinRights { whatever_the_arguments: true }));
    assert!(!explanation.attested.contains(&Attested::ArgumentsAllowed));
    assert!(explanation.attested.contains(&Attested::NothingRevoked));
}
