//! Bundles that a hostile broker forges with every key of its domain, and hostile parties with their
//! own: each differs from an accepted one in one thing, and is signed anew wherever it can be.

use countersign_forge::{World, domain, domain_key, envelope::resign, principal, rights};
use countersign_protocol::{
    capability::Amount,
    contract::ContractBody,
    digest::Digest,
    domain::{
        ContractFinalized, Entry, Event, GrantIssued, InstanceAdmitted, Intent, InvocationEnded,
        InvocationOutcome,
    },
    explain::{Bundle, ProvenEntry},
    grant::GrantRequest,
    identity::JoinStatement,
    key::SigningKey,
    ledger::{Checkpoint, LeafIndex, Origin, SignedCheckpoint},
    payload::{Bounded, Payload},
    receipt::Receipt,
    refusal::Reason,
    token::{Activation, Proof, UnverifiedToken, Via, append_hop, mint_grant, sign_hop},
};

use crate::explain::{bundle, ledger, relogged, see_again, used, verify};

/// One change to an otherwise good thing.
pub(crate) type Change<T> = fn(&World, &mut T);

/// The rule under which a bundle about a changed ledger is refused.
pub(crate) fn forged(change: impl FnOnce(&World, &mut Vec<Entry>)) -> Option<&'static str> {
    let (world, id, leaf) = used();
    let mut entries = world.entries.clone();
    change(&world, &mut entries);
    let mut ledger: Vec<Vec<u8>> = entries.iter().map(Payload::to_bytes).collect();
    see_again(&mut ledger);
    refused(&relogged(&bundle(&world, id, leaf), &ledger))
}

/// The rule under which a bundle that was changed afterwards is refused.
fn altered(change: impl FnOnce(&World, &mut Bundle)) -> Option<&'static str> {
    let (world, id, leaf) = used();
    let mut bundle = bundle(&world, id, leaf);
    change(&world, &mut bundle);
    refused(&bundle)
}

pub(crate) fn refused(bundle: &Bundle) -> Option<&'static str> {
    let refusal = verify(bundle).err()?;
    assert_eq!(refusal.reason(), Reason::BundleInvalid, "{refusal}");
    Some(refusal.rule())
}

macro_rules! editor {
    ($name:ident, $event:ident) => {
        /// Changes the one entry of this kind; of admissions, planner's.
        pub(crate) fn $name(entries: &mut [Entry], change: impl FnOnce(&mut $event)) {
            let planner = |event: &Event| match event {
                Event::InstanceAdmitted(event) => event.statement.instance.principal().short() == "planner",
                _ => true,
            };
            let found = entries.iter_mut().find_map(|entry| match &mut entry.event {
                event if !planner(event) => None,
                Event::$event(event) => Some(event),
                _ => None,
            });
            change(found.unwrap());
        }
    };
}
editor!(admission, InstanceAdmitted);
editor!(grant, GrantIssued);
editor!(contract, ContractFinalized);
editor!(intent, Intent);
editor!(end, InvocationEnded);

#[test]
fn nothing_changed_is_accepted() {
    assert_eq!(forged(|_, _| ()), None);
    assert_eq!(altered(|_, _| ()), None);
}

#[test]
fn a_checkpoint_is_the_logs_own() {
    let sign = |origin: &'static str, seed| {
        move |_: &World, bundle: &mut Bundle| {
            let Checkpoint { size, root, .. } = *bundle.checkpoint.peek_unverified();
            let checkpoint = Checkpoint { origin: origin.parse().unwrap(), size, root };
            bundle.checkpoint = SignedCheckpoint::sign(&checkpoint, &domain_key(seed));
        }
    };
    assert_eq!(altered(sign("acme.example/ledger", 203)), None, "the twin");
    assert_eq!(altered(sign("acme.example/ledger", 202)), Some("LOG-032"), "by another key");
    assert_eq!(altered(sign("acme.example/other", 203)), Some("LOG-032"), "of another log");
}

#[test]
fn the_entries_are_those_needed_and_no_others() {
    let edit = |change: fn(&mut Vec<ProvenEntry>)| {
        altered(|_, bundle| {
            let mut entries = bundle.entries.to_vec();
            change(&mut entries);
            bundle.entries = Bounded::new(entries).unwrap();
        })
    };
    let (world, id, leaf) = used();
    let count = bundle(&world, id, leaf).entries.len();
    for missing in 0..count - 1 {
        let dropped = altered(|_, bundle| {
            let mut entries = bundle.entries.to_vec();
            entries.remove(missing);
            bundle.entries = Bounded::new(entries).unwrap();
        });
        assert_eq!(dropped, Some("LOG-034"), "without the entry at {missing}");
    }
    // Without its end an invocation is open, as far as this bundle can tell; it says so.
    assert_eq!(edit(|entries| drop(entries.pop())), None);
    assert_eq!(edit(|entries| entries[1].path = Vec::new()), Some("LOG-033"));
    // More than is needed, each truly in the log: a join token, others' admissions, a move.
    for extra in [1, 2, 10, 17] {
        let added = altered(|world, bundle| {
            let (leaf, size) = (LeafIndex::new(extra).unwrap(), world.state.tree().size());
            let entry = ledger(world)[extra as usize].clone();
            let path = world.state.tree().inclusion(leaf, size).unwrap();
            let mut entries = bundle.entries.to_vec();
            entries.push(ProvenEntry { leaf, entry, path });
            entries.sort_by_key(|entry| entry.leaf);
            bundle.entries = Bounded::new(entries).unwrap();
        });
        assert_eq!(added, Some("LOG-034"), "leaf {extra}");
    }
    // Twice is not a bundle at all.
    let mut twice = bundle(&world, id, leaf);
    let entries = [twice.entries.to_vec(), vec![twice.entries[count - 1].clone()]].concat();
    twice.entries = Bounded::new(entries).unwrap();
    assert!(Bundle::from_bytes(&twice.to_bytes()).is_err());
}

#[test]
fn an_admission_is_signed_with_the_key_that_it_records() {
    let mallory = || SigningKey::from_seed(&[9; 32]);
    let join = |change: fn(&mut JoinStatement)| {
        forged(|world, entries| {
            let key = world.agent("planner").key;
            admission(entries, |event| resign(&mut event.join, &[&key], change));
        })
    };
    assert_eq!(join(|_| ()), None, "the twin");
    let cases: [fn(&mut JoinStatement); 6] = [
        |join| join.domain = "other.example".parse().unwrap(),
        |join| join.key = SigningKey::from_seed(&[9; 32]).public(),
        |join| join.spki = countersign_protocol::digest::SpkiHash::from_bytes([0; 32]),
        |join| join.configuration = Digest::of(b"another model"),
        |join| join.evidence = Digest::of(b"another token"),
        |join| join.issued = join.issued.plus(countersign_protocol::time::Lifetime::from_millis(30_001)),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        assert_eq!(join(change), Some("LOG-036"), "case {number}");
    }
    let signed_by = |key: SigningKey| {
        forged(move |_, entries| {
            admission(entries, |event| resign::<JoinStatement>(&mut event.join, &[&key], |_| ()));
        })
    };
    assert_eq!(signed_by(mallory()), Some("LOG-036"));
    // A domain can impersonate its own principals, but not in what they signed with another key.
    let impersonated = forged(|_, entries| {
        let key = mallory();
        admission(entries, |event| {
            event.statement.key = key.public();
            resign::<JoinStatement>(&mut event.join, &[&key], |join| join.key = key.public());
        });
    });
    assert_eq!(impersonated, Some("LOG-037"));
}

#[test]
fn a_grant_is_what_its_originator_signed() {
    let request = |by: &str, change: Change<GrantRequest>| {
        forged(|world, entries| {
            let key = world.agent(by).key;
            grant(entries, |event| resign(&mut event.request, &[&key], |request| change(world, request)));
        })
    };
    assert_eq!(request("alice", |_, _| ()), None, "the twin");
    assert_eq!(request("mallory", |_, _| ()), Some("LOG-037"), "by another key");
    assert_eq!(request("alice", |_, r| r.rights = rights(501, 5)), Some("LOG-037"), "not the token");
    assert_eq!(request("alice", |w, r| r.holder = w.agent("researcher").id), Some("LOG-037"));
    assert_eq!(request("alice", |_, r| r.domain = "other.example".parse().unwrap()), Some("LOG-037"));
    let minted = |seed, change: fn(&mut countersign_protocol::token::GrantTerms)| {
        forged(|_, entries| {
            grant(entries, |event| {
                let token = UnverifiedToken::from_bytes(event.token.clone());
                let mut terms = token.verify(&countersign_forge::keys()).unwrap().grant().clone();
                change(&mut terms);
                event.token = mint_grant(&terms, 1, &domain_key(seed)).as_bytes().to_vec();
                event.chain_id = terms.chain_id();
            });
        })
    };
    assert_eq!(minted(201, |_| ()), None, "the twin");
    assert_eq!(minted(202, |_| ()), Some("LOG-037"), "by another key of the domain");
    assert_eq!(minted(201, |terms| terms.rights = rights(501, 5)), Some("LOG-037"), "more than was asked");
    assert_eq!(minted(201, |terms| terms.originator = principal("root")), Some("LOG-037"));
}

#[test]
fn a_contract_is_what_both_signed_and_what_the_hop_says() {
    let signed_by = |names: &[&str], change: Change<ContractBody>| {
        forged(|world, entries| {
            let keys: Vec<SigningKey> = names.iter().map(|name| world.agent(name).key).collect();
            let keys: Vec<&SigningKey> = keys.iter().collect();
            contract(entries, |event| resign(&mut event.contract, &keys, |body| change(world, body)));
        })
    };
    let both = ["planner", "researcher"];
    assert_eq!(signed_by(&both, |_, _| ()), None, "the twin");
    let signers: [&[&str]; 5] = [
        &["planner"],
        &["researcher", "planner"],
        &["planner", "planner"],
        &["mallory", "researcher"],
        &["planner", "researcher", "mallory"],
    ];
    for names in signers {
        assert_eq!(signed_by(names, |_, _| ()), Some("LOG-038"), "{names:?}");
    }
    let changes: [(&str, Change<ContractBody>); 8] = [
        ("rights", |_, body| body.rights = rights(99, 4)),
        ("grantor", |w, body| body.grantor = w.agent("alice").party()),
        ("configuration", |_, body| body.grantee.configuration = Digest::of(b"another model")),
        ("depth", |_, body| body.depth = 2),
        ("originator", |_, body| body.originator = principal("root")),
        ("domain", |_, body| body.domain = "other.example".parse().unwrap()),
        ("purpose", |_, body| body.purpose = Digest::of(b"another")),
        ("parent", |_, body| body.parent = countersign_protocol::digest::ChainId::from_bytes([1; 32])),
    ];
    for (what, change) in changes {
        assert_eq!(signed_by(&both, change), Some("LOG-038"), "{what}");
    }
}

/// Both parties sign a wider contract after the fact and the broker logs it; the hop in it is real.
#[test]
fn a_wider_hop_is_refused_even_where_both_signed_it() {
    let widened = |rights| {
        forged(|world, entries| {
            let (planner, researcher) = (world.agent("planner").key, world.agent("researcher").key);
            let parent = world.state.grants().next().map(|(_, chain)| world.token(*chain)).unwrap();
            let mut made = None;
            contract(entries, |event| {
                resign(&mut event.contract, &[&planner, &researcher], |body: &mut ContractBody| {
                    body.rights = rights;
                    let terms = body.hop_terms();
                    let hop = sign_hop(&parent, &terms, &planner);
                    let token = append_hop(&parent, &terms, planner.public(), hop);
                    event.token = token.as_bytes().to_vec();
                    event.chain_id = terms.chain_id(parent.chain_id(), &planner.public());
                });
                made = Some(event.chain_id);
            });
            intent(entries, |event| event.chain[1] = made.unwrap());
        })
    };
    assert_eq!(widened(rights(501, 4)), Some("LOG-038"));
    // Within the grant it is another chain: one that was not activated.
    assert_eq!(widened(rights(99, 4)), Some("LOG-040"));
}

#[test]
fn an_activation_is_the_domains_for_this_chain_by_this_leaf() {
    let signed = |seed, change: Change<Activation>| {
        altered(|world, bundle| {
            let key = domain_key(seed);
            resign(&mut bundle.activation, &[&key], |activation| change(world, activation));
        })
    };
    assert_eq!(signed(202, |_, _| ()), None, "the twin");
    assert_eq!(signed(203, |_, _| ()), Some("LOG-040"), "by another key");
    let changes: [(&str, Change<Activation>); 5] = [
        ("leaf", |_, activation| activation.leaf = LeafIndex::ZERO),
        ("log", |_, activation| activation.origin = "acme.example/other".parse::<Origin>().unwrap()),
        ("subject", |_, activation| activation.subject = Digest::of(b"another contract")),
        ("domain", |_, activation| activation.domain = "other.example".parse().unwrap()),
        ("kind", |_, activation| activation.activated_by = countersign_protocol::token::ActivatedBy::Grant),
    ];
    for (what, change) in changes {
        assert_eq!(signed(202, change), Some("LOG-040"), "{what}");
    }
}

#[test]
fn an_intent_says_what_proof_chain_and_account_say() {
    let with =
        |change: Change<Intent>| forged(|world, entries| intent(entries, |event| change(world, event)));
    assert_eq!(with(|_, _| ()), None, "the twin");
    let changes: [(&str, Change<Intent>, &str); 14] = [
        ("invocation", |w, i| i.invocation_id = next_id(w), "LOG-041"),
        ("missing link", |_, i| i.chain.truncate(1), "LOG-040"),
        ("no chain", |_, i| i.chain.clear(), "LOG-040"),
        ("other grant", |_, i| i.chain[0] = i.chain[1], "LOG-041"),
        ("link too many", |_, i| i.chain.push(i.chain[1]), "LOG-034"),
        ("originator", |_, i| i.originator = principal("root"), "LOG-041"),
        ("callee", |w, i| i.callee = w.agent("planner").id, "LOG-041"),
        ("size", |_, i| i.seen_size = i.seen_size.plus(1).unwrap(), "LOG-041"),
        ("approval", |_, i| i.approvals.push(Digest::of(b"by nobody")), "LOG-041"),
        ("reserve", |_, i| i.reserved = Amount::new(2).unwrap(), "LOG-042"),
        ("reserve and balance", |_, i| (i.reserved, i.after.open) = (two(), two()), "LOG-042"),
        ("balance", |_, i| i.after.open = Amount::new(2).unwrap(), "LOG-042"),
        ("settled", |_, i| i.after.settled = Amount::new(1).unwrap(), "LOG-042"),
        ("account", |_, i| i.previous = LeafIndex::ZERO, "LOG-042"),
    ];
    for (what, change, rule) in changes {
        assert_eq!(with(change), Some(rule), "{what}");
    }
    let overspent = with(|_, intent| {
        intent.before.settled = Amount::new(100).unwrap();
        intent.after.settled = Amount::new(100).unwrap();
    });
    assert_eq!(overspent, Some("LOG-042"));
    let wrapped = with(|_, intent| {
        intent.before.open = Amount::new(i64::MAX as u64).unwrap();
        intent.after.open = Amount::ZERO;
    });
    assert_eq!(wrapped, Some("LOG-042"));
}

fn two() -> Amount {
    Amount::new(2).unwrap()
}

fn next_id(world: &World) -> countersign_protocol::id::InvocationId {
    let mut rng = rand::rngs::mock::StepRng::new(3, 7);
    countersign_protocol::id::InvocationId::new(world.now, &mut rng)
}

#[test]
fn what_an_intent_was_decided_on_is_the_log_before_it() {
    let (world, id, leaf) = used();
    let mut entries = world.entries.clone();
    let whole = world.state.tree().root();
    intent(&mut entries, |intent| intent.seen_root = whole);
    let ledger: Vec<Vec<u8>> = entries.iter().map(Payload::to_bytes).collect();
    assert_eq!(refused(&relogged(&bundle(&world, id, leaf), &ledger)), Some("LOG-041"));
}

#[test]
fn a_proof_is_the_holders_own_for_this_use() {
    let signed_by = |name: &str, change: Change<Proof>| {
        forged(|world, entries| {
            let key = world.agent(name).key;
            intent(entries, |event| resign(&mut event.proof, &[&key], |proof| change(world, proof)));
            // The receipt is for the new proof, so that it is not what fails.
            let digest = proof_digest(entries);
            let files = world.agent("files").key;
            end(entries, |event| {
                let receipt = event.receipt.as_mut().unwrap();
                resign(receipt, &[&files], |receipt: &mut Receipt| receipt.proof = digest);
            });
        })
    };
    assert_eq!(signed_by("researcher", |_, _| ()), None, "the twin");
    for name in ["planner", "files", "mallory"] {
        assert_eq!(signed_by(name, |_, _| ()), Some("LOG-041"), "{name}");
    }
    let changes: [(&str, Change<Proof>); 11] = [
        ("domain", |_, proof| proof.domain = "other.example".parse().unwrap()),
        ("invocation", |w, proof| proof.invocation_id = next_id(w)),
        ("chain", |w, proof| proof.chain_id = *w.state.grants().next().unwrap().1),
        ("activation", |_, proof| proof.activation_leaf = LeafIndex::ZERO),
        ("caller", |w, proof| proof.caller = w.agent("planner").id),
        ("callee", |_, proof| proof.callee = principal("planner")),
        ("action", |_, proof| proof.action = "write".parse().unwrap()),
        ("resource", |_, proof| proof.resource = "file:/etc/passwd".parse().unwrap()),
        ("channel", |w, proof| proof.channel = w.agent("planner").spki),
        ("way", |_, proof| proof.via = Via::Direct),
        ("time", |_, proof| proof.expires = proof.issued),
    ];
    for (what, change) in changes {
        assert_eq!(signed_by("researcher", change), Some("LOG-041"), "{what}");
    }
}

pub(crate) fn proof_digest(entries: &[Entry]) -> Digest {
    let intent = |entry: &Entry| match &entry.event {
        Event::Intent(intent) => Some(intent.proof.digest()),
        _ => None,
    };
    entries.iter().find_map(intent).unwrap()
}

#[test]
fn a_receipt_is_the_callees_own_for_this_use() {
    let signed_by = |name: &str, change: Change<Receipt>| {
        forged(|world, entries| {
            let key = world.agent(name).key;
            end(entries, |event| {
                resign(event.receipt.as_mut().unwrap(), &[&key], |receipt| change(world, receipt));
            });
        })
    };
    assert_eq!(signed_by("files", |_, _| ()), None, "the twin");
    assert_eq!(signed_by("mallory", |_, _| ()), Some("LOG-043"));
    let changes: [(&str, Change<Receipt>); 6] = [
        ("domain", |_, receipt| receipt.domain = "other.example".parse().unwrap()),
        ("invocation", |w, receipt| receipt.invocation_id = next_id(w)),
        ("chain", |w, receipt| receipt.chain_id = *w.state.grants().next().unwrap().1),
        ("proof", |_, receipt| receipt.proof = Digest::of(b"another")),
        ("callee", |w, receipt| receipt.callee = w.agent("planner").id),
        ("cost", |_, receipt| receipt.cost = Amount::ZERO),
    ];
    for (what, change) in changes {
        assert_eq!(signed_by("files", change), Some("LOG-043"), "{what}");
    }
    let ends: [(&str, Change<InvocationEnded>); 5] = [
        ("no receipt", |_, event| event.receipt = None),
        ("unknown", |_, event| event.outcome = InvocationOutcome::Unknown),
        ("unknown for nothing", |_, event| unreceipted(event, InvocationOutcome::Unknown, Amount::ZERO)),
        ("cancelled for a price", |_, event| unreceipted(event, InvocationOutcome::Cancelled, event.settled)),
        ("settled", |_, event| event.settled = Amount::ZERO),
    ];
    for (what, change) in ends {
        assert_eq!(
            forged(|world, entries| end(entries, |event| change(world, event))),
            Some("LOG-043"),
            "{what}"
        );
    }
}

fn unreceipted(event: &mut InvocationEnded, outcome: InvocationOutcome, settled: Amount) {
    (event.receipt, event.outcome, event.settled) = (None, outcome, settled);
}

/// The callee asks for more than was reserved, and the broker settles it.
#[test]
fn a_receipt_cannot_cost_more_than_was_reserved() {
    let costing = |cost| {
        forged(|world, entries| {
            let key = world.agent("files").key;
            end(entries, |event| {
                let receipt = event.receipt.as_mut().unwrap();
                resign(receipt, &[&key], |receipt: &mut Receipt| receipt.cost = cost);
                event.settled = cost;
            });
        })
    };
    assert_eq!(costing(Amount::ZERO), None, "the twin: it may ask for less");
    assert_eq!(costing(two()), Some("LOG-043"));
}

#[test]
fn keys_policy_and_order_are_what_they_should_be() {
    let other = altered(|_, bundle| bundle.policy = Some(b"allow everything".to_vec()));
    assert_eq!(other, Some("LOG-044"));
    assert_eq!(altered(|_, bundle| bundle.policy = None), None, "it may be gone; the explanation says so");
    let republished = forged(|_, entries| {
        let public = |seed| domain_key(seed).public();
        let keys = countersign_protocol::trust::KeySet::new(
            domain(),
            public(9),
            public(202),
            public(203),
            public(204),
        );
        let Event::KeysPublished(event) = &mut entries[0].event else { panic!() };
        event.keys = keys.unwrap();
    });
    assert_eq!(republished, Some("LOG-035"));
    let back = forged(|_, entries| {
        let last = entries.last_mut().unwrap();
        last.time = countersign_protocol::time::Timestamp::new(countersign_forge::START_MS - 1).unwrap();
    });
    assert_eq!(back, Some("LOG-034"));
    let swapped = forged(|_, entries| entries.swap(19, 20));
    assert_eq!(swapped, Some("LOG-039"), "used before it was made");
    let swapped = forged(|_, entries| entries.swap(15, 19));
    assert_eq!(swapped, Some("LOG-039"), "older than its parent");
    let swapped = forged(|_, entries| {
        entries.swap(20, 21);
        intent(entries, |intent| intent.seen_size = intent.seen_size.plus(1).unwrap());
    });
    assert_eq!(swapped, Some("LOG-043"), "ended before it began");
    let swapped = forged(|world, entries| {
        let planner = world.state.instance(&world.agent("planner").id).unwrap().admitted;
        entries.swap(planner.get() as usize, 15);
    });
    assert_eq!(swapped, Some("LOG-034"), "granted to whom nobody had admitted yet");
}
