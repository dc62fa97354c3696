//! Evidence that everyone made together: whatever the broker logs in place of what was, all parties
//! sign anew, so that nothing is wrong but the one thing. Each check must hold by itself.

use countersign_forge::{START_MS, World, domain_key, envelope::resign, principal, rights};
use countersign_protocol::{
    contract::ContractBody,
    digest::{ChainId, Digest},
    domain::{Entry, Event},
    grant::GrantRequest,
    ledger::LeafIndex,
    payload::Payload,
    receipt::Receipt,
    time::Timestamp,
    token::{Activation, GrantTerms, Proof, Token, append_hop, mint_grant, sign_hop},
};

use crate::{
    explain::{bundle, relogged, see_again, used},
    forged::{Change, contract, end, forged, grant, intent, proof_digest, refused},
};

/// An id that nothing has.
const OTHER_ID: &str = "01a3185c-5000-7000-8000-000000000000";

fn granted(world: &World) -> Token {
    world.token(*world.state.grants().next().unwrap().1)
}

/// The contract changed, and everything that follows from it made anew: hop, token, activation, proof
/// and receipt.
fn conspired(change: Change<ContractBody>) -> Option<&'static str> {
    conspired_by(change, 0)
}

/// The same, with an activation that names a leaf so many before the contract's, and a proof for it.
fn conspired_by(change: Change<ContractBody>, before: u64) -> Option<&'static str> {
    let (world, id, leaf) = used();
    let made = world.state.chain(&leaf).unwrap().leaf.get();
    let activated = LeafIndex::new(made - before).unwrap();
    let mut entries = world.entries.clone();
    let (chain, subject) = contracted(&world, &mut entries, change);
    let [researcher, files] = ["researcher", "files"].map(|name| world.agent(name).key);
    intent(&mut entries, |event| {
        event.chain[1] = chain;
        resign(&mut event.proof, &[&researcher], |proof: &mut Proof| {
            (proof.chain_id, proof.activation_leaf) = (chain, activated);
        });
    });
    let proof = proof_digest(&entries);
    end(&mut entries, |event| {
        let receipt = event.receipt.as_mut().unwrap();
        resign(receipt, &[&files], |receipt: &mut Receipt| {
            (receipt.chain_id, receipt.proof) = (chain, proof);
        });
    });
    let mut ledger: Vec<Vec<u8>> = entries.iter().map(Payload::to_bytes).collect();
    see_again(&mut ledger);
    let mut bundle = relogged(&bundle(&world, id, leaf), &ledger);
    resign(&mut bundle.activation, &[&domain_key(202)], |activation: &mut Activation| {
        (activation.chain_id, activation.subject, activation.leaf) = (chain, subject, activated);
    });
    refused(&bundle)
}

/// Both sign the changed contract, planner its hop; the entry holds the token and names its chain.
fn contracted(world: &World, entries: &mut [Entry], change: Change<ContractBody>) -> (ChainId, Digest) {
    let (planner, researcher) = (world.agent("planner").key, world.agent("researcher").key);
    let (parent, mut made) = (granted(world), None);
    contract(entries, |event| {
        resign(&mut event.contract, &[&planner, &researcher], |body: &mut ContractBody| {
            change(world, body);
            let terms = body.hop_terms();
            let hop = sign_hop(&parent, &terms, &planner);
            event.token = append_hop(&parent, &terms, planner.public(), hop).as_bytes().to_vec();
            event.chain_id = terms.chain_id(parent.chain_id(), &planner.public());
            made = Some((event.chain_id, Digest::from_bytes(body.hash().to_array())));
        });
    });
    made.unwrap()
}

#[test]
fn a_contract_fits_its_chain_whoever_signed_it() {
    assert_eq!(conspired(|_, _| ()), None, "the twin");
    assert_eq!(conspired(|_, body| body.purpose = Digest::of(b"another")), None, "it is theirs to say");
    let changes: [(&str, Change<ContractBody>); 8] = [
        ("domain", |_, body| body.domain = "other.example".parse().unwrap()),
        ("negotiation", |_, body| body.negotiation_id = OTHER_ID.parse().unwrap()),
        ("grantor", |w, body| body.grantor = w.agent("alice").party()),
        ("configuration", |_, body| body.grantee.configuration = Digest::of(b"another model")),
        ("parent", |_, body| body.parent = ChainId::from_bytes([1; 32])),
        ("originator", |_, body| body.originator = principal("root")),
        ("grant", |_, body| body.grant_id = OTHER_ID.parse().unwrap()),
        ("depth", |_, body| body.depth = 2),
    ];
    for (what, change) in changes {
        assert_eq!(conspired(change), Some("LOG-038"), "{what}");
    }
}

/// The leaf before the contract's is that of the accept: no contract yet.
#[test]
fn an_activation_names_the_leaf_that_made_its_link() {
    assert_eq!(conspired_by(|_, _| (), 0), None, "the twin");
    assert_eq!(conspired_by(|_, _| (), 1), Some("LOG-040"));
}

/// Both sign narrower terms after the fact; the token stays the wide one, whatever the entry calls it.
#[test]
fn a_token_is_the_one_that_its_contract_becomes() {
    let forged = |narrowed: bool| {
        forged(|world, entries| {
            let (planner, researcher) = (world.agent("planner").key, world.agent("researcher").key);
            let (parent, mut chain) = (granted(world), None);
            contract(entries, |event| {
                resign(&mut event.contract, &[&planner, &researcher], |body: &mut ContractBody| {
                    if narrowed {
                        body.rights = rights(99, 4);
                    }
                    event.chain_id = body.hop_terms().chain_id(parent.chain_id(), &planner.public());
                });
                chain = Some(event.chain_id);
            });
            intent(entries, |event| event.chain[1] = chain.unwrap());
        })
    };
    assert_eq!(forged(false), None, "the twin");
    assert_eq!(forged(true), Some("LOG-038"));
}

#[test]
fn an_entry_names_the_chain_of_its_token() {
    let renamed = forged(|_, entries| {
        let other = ChainId::from_bytes([1; 32]);
        contract(entries, |event| event.chain_id = other);
        intent(entries, |event| event.chain[1] = other);
    });
    assert_eq!(renamed, Some("LOG-038"));
}

/// alice signs another request after the fact, and the entry calls the grant what that would make it.
#[test]
fn a_grants_token_is_the_one_that_was_asked_for() {
    let asked = |calls| {
        forged(|world, entries| {
            let (alice, token) = (world.agent("alice").key, granted(world));
            grant(entries, |event| {
                resign(&mut event.request, &[&alice], |request: &mut GrantRequest| {
                    request.rights = rights(calls, 5);
                });
                let mut terms: GrantTerms = token.grant().clone();
                (terms.rights, terms.evidence.digest) = (rights(calls, 5), event.request.digest());
                event.chain_id = terms.chain_id();
            });
        })
    };
    assert_eq!(asked(500), None, "the twin");
    assert_eq!(asked(501), Some("LOG-037"));
}

#[test]
fn nothing_begins_when_it_is_over() {
    let end = Timestamp::new(START_MS + 3_600_000).unwrap();
    let late = forged(|_, entries| from(entries, |event| matches!(event, Event::ContractFinalized(_)), end));
    assert_eq!(late, Some("LOG-038"));
    let late = forged(|world, entries| {
        from(entries, |event| matches!(event, Event::GrantIssued(_)), end);
        let (alice, token) = (world.agent("alice").key, granted(world));
        grant(entries, |event| {
            resign(&mut event.request, &[&alice], |request: &mut GrantRequest| request.issued = end);
            let mut terms: GrantTerms = token.grant().clone();
            terms.evidence.digest = event.request.digest();
            event.token = mint_grant(&terms, 1, &domain_key(201)).as_bytes().to_vec();
            event.chain_id = terms.chain_id();
        });
    });
    assert_eq!(late, Some("LOG-037"));
}

/// Dates the first entry of a kind, and all after it, to `at`.
fn from(entries: &mut [Entry], kind: fn(&Event) -> bool, at: Timestamp) {
    let first = entries.iter().position(|entry| kind(&entry.event)).unwrap();
    entries[first..].iter_mut().for_each(|entry| entry.time = at);
}
