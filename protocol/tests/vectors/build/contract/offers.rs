//! Offers: a contract says what the negotiation, the chain and the parties say, or is none.

use countersign_protocol::{
    contract::ContractBody,
    digest::{ChainId, Digest, TranscriptHash, TreeHash},
    extension::Criticality,
    ledger::TreeSize,
    negotiation::Move,
    payload::Bounded,
    signed::{Statement, sign_detached},
};
use serde_json::json;

use super::{Draft, Shelf, Talk, World, cast, give_move};

const OP: &str = "order_move";
const GOOD: &str = "contract.offer";

pub(super) fn fill(shelf: &mut Shelf) {
    let stage = Stage::new();
    let draft =
        shelf.accept(OP, GOOD).rule("CTR-010").because("planner offers researcher what it asked for.");
    stage.give(draft.output(json!({ "events": ["Moved"] })), |_| ());
    places(shelf, &stage);
    parties(shelf, &stage);
    rights(shelf, &stage);
    signatures(shelf, &stage);
    extensions(shelf, &stage);
    later(shelf);
}

/// The ledger before the offer, and the negotiation that it belongs to.
struct Stage {
    world: World,
    talk: Talk,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        let talk = Talk::request(&mut world, "planner", "researcher", 1);
        Self { world, talk }
    }

    /// An offer of a changed contract: everything is signed anew by planner.
    fn give(&self, draft: Draft<'_>, change: impl FnOnce(&mut ContractBody)) {
        self.give_move(draft, change, |_| ());
    }

    fn give_move(
        &self,
        draft: Draft<'_>,
        change: impl FnOnce(&mut ContractBody),
        change_move: impl FnOnce(&mut Move),
    ) {
        let mut body = self.talk.body(&self.world);
        change(&mut body);
        let mut made = self.talk.offer(&self.world, &body);
        change_move(&mut made);
        give_move(draft, &self.world, cast::NOW, "planner", &made.sign(&cast::key("planner")));
    }
}

fn refuse<'a>(shelf: &'a mut Shelf, id: &str, rule: &str, reason: &str, why: &str) -> Draft<'a> {
    shelf.reject(OP, &format!("contract.offer-{id}"), GOOD).rule(rule).reason(reason).because(why)
}

type Change = fn(&mut ContractBody);

/// The id, the sentence, the field of the contract, why, and the change.
type Fault = (&'static str, &'static str, &'static str, &'static str, Change);

fn refuse_each(shelf: &mut Shelf, stage: &Stage, reason: &str, faults: &[Fault]) {
    for (id, rule, field, why, change) in faults {
        let draft = refuse(shelf, id, rule, reason, why).resigned().flag("PrivilegeEscalation");
        stage.give(draft.at(&format!("/move/payload/offer/contract/{field}")), change);
    }
}

/// What the contract says other than the negotiation or the chain does.
fn places(shelf: &mut Shelf, stage: &Stage) {
    let mismatches: [Fault; 8] = [
        ("of-another-domain", "CTR-003", "domain", "Another domain.", |b| {
            b.domain = "other.example".parse().unwrap();
        }),
        ("of-another-negotiation", "CTR-003", "negotiation_id", "Of another negotiation.", |b| {
            b.negotiation_id = cast::uuid(99).parse().unwrap();
        }),
        ("of-another-transcript", "CTR-004", "transcript", "Something else was said before.", |b| {
            b.transcript = TranscriptHash::from_bytes([1; 32]);
        }),
        ("of-another-purpose", "CTR-007", "purpose", "For something else.", |b| {
            b.purpose = Digest::of(b"x");
        }),
        ("of-another-originator", "CTR-011", "originator", "Somebody else would answer for it.", |b| {
            b.originator = cast::principal("planner");
        }),
        ("of-another-grant", "CTR-011", "grant_id", "Another grant.", |b| {
            b.grant_id = cast::uuid(99).parse().unwrap();
        }),
        ("too-deep", "CTR-011", "depth", "It would be the first hop.", |b| b.depth = 2),
        ("not-deep", "CTR-011", "depth", "It would be the first hop.", |b| b.depth = 0),
    ];
    refuse_each(shelf, stage, "OFFER_MISMATCH", &mismatches);
    let unknown: Fault = ("of-an-unknown-chain", "CTR-008", "parent", "A chain that nobody knows.", |b| {
        b.parent = ChainId::from_bytes([1; 32]);
    });
    refuse_each(shelf, stage, "PARENT_CHANGED", &[unknown]);
    let seen: [Fault; 2] = [
        ("that-saw-another-root", "LOG-020", "seen/root", "planner saw another ledger.", |b| {
            b.seen.root = TreeHash::from_bytes([1; 32]);
        }),
        ("that-saw-a-longer-ledger", "LOG-020", "seen/size", "planner saw more than there is.", |b| {
            b.seen.size = TreeSize::new(1000).unwrap();
        }),
    ];
    refuse_each(shelf, stage, "LOG_INCONSISTENT", &seen);
}

/// Parties that are not those on record.
fn parties(shelf: &mut Shelf, stage: &Stage) {
    let mismatches: [Fault; 7] = [
        ("grantor-is-another-copy", "CTR-005", "grantor/instance", "Another copy of planner.", |b| {
            b.grantor.instance = cast::instance("planner-copy");
        }),
        ("grantor-is-somebody-else", "CTR-005", "grantor/instance", "alice is named, planner signs.", |b| {
            b.grantor.instance = cast::instance("alice");
        }),
        ("grantor-with-another-key", "CTR-005", "grantor/key", "A key that planner does not have.", |b| {
            b.grantor.key = cast::public("mallory");
        }),
        ("grantor-reconfigured", "CTR-005", "grantor/configuration", "Another model, the same key.", |b| {
            b.grantor.configuration = Digest::of(b"x");
        }),
        ("grantee-is-somebody-else", "CTR-006", "grantee/instance", "fetcher, who asked for nothing.", |b| {
            b.grantee.instance = cast::instance("fetcher");
        }),
        ("grantee-with-another-key", "CTR-006", "grantee/key", "A key that researcher does not have.", |b| {
            b.grantee.key = cast::public("mallory");
        }),
        ("grantee-reconfigured", "CTR-006", "grantee/configuration", "Another model, the same key.", |b| {
            b.grantee.configuration = Digest::of(b"x");
        }),
    ];
    refuse_each(shelf, stage, "OFFER_MISMATCH", &mismatches);
}

/// Rights that have ended, or that planner does not have.
fn rights(shelf: &mut Shelf, stage: &Stage) {
    let ended: Fault = ("that-has-ended", "CTR-012", "rights/not_after", "It ends now.", |b| {
        b.rights.not_after = cast::at(cast::NOW);
    });
    refuse_each(shelf, stage, "OUTSIDE_VALIDITY", &[ended]);
    let wider: [Fault; 3] = [
        (
            "of-a-wider-resource",
            "CHN-002",
            "rights/capabilities/0/resource",
            "More than planner holds.",
            |b| {
                let limit = cast::constraint("max_bytes", cast::range(1, 4096));
                let capability = cast::capability("file:/**", &["read"], vec![limit]);
                b.rights.capabilities = Bounded::new(vec![capability]).unwrap();
            },
        ),
        ("of-a-higher-ceiling", "CHN-002", "rights/budget/ceiling", "More calls than planner has.", |b| {
            b.rights.budget.ceiling = cast::amount(501);
        }),
        ("of-as-many-delegations", "CHN-002", "rights/delegations_left", "As many as planner has.", |b| {
            b.rights.delegations_left = 3;
        }),
    ];
    refuse_each(shelf, stage, "RIGHTS_WIDENED", &wider);
}

fn signatures(shelf: &mut Shelf, stage: &Stage) {
    let contract_signature = "/move/payload/offer/contract_signature";
    let draft = refuse(shelf, "forged", "CONV-030", "SIGNATURE_INVALID", "mallory signed the contract.");
    stage.give_move(
        draft.at(contract_signature).flag("Forgery"),
        |_| (),
        |made| {
            let offer = made.offer.as_mut().unwrap();
            offer.contract_signature =
                sign_detached(ContractBody::TYPE, &offer.contract, &cast::key("mallory"));
        },
    );
    let draft = refuse(
        shelf,
        "signed-as-another-type",
        "CONV-030",
        "SIGNATURE_INVALID",
        "planner signed the same bytes as a move.",
    );
    stage.give_move(
        draft.at(contract_signature).flag("Replay"),
        |_| (),
        |made| {
            let offer = made.offer.as_mut().unwrap();
            offer.contract_signature = sign_detached(Move::TYPE, &offer.contract, &cast::key("planner"));
        },
    );
    let hop = "/move/payload/offer/hop_signature";
    let draft = refuse(shelf, "with-a-forged-hop", "TOK-005", "TOKEN_UNTRUSTED", "mallory signed the hop.");
    let terms = stage.talk.body(&stage.world).hop_terms();
    let forged = stage.talk.hop_signature(&stage.world, &terms, "mallory");
    stage.give_move(
        draft.at(hop).flag("Forgery"),
        |_| (),
        |made| made.offer.as_mut().unwrap().hop_signature = forged,
    );
    let draft = refuse(
        shelf,
        "with-another-contracts-hop",
        "TOK-005",
        "TOKEN_UNTRUSTED",
        "planner's signature over another hop.",
    );
    let mut other = terms;
    other.contract = countersign_protocol::digest::ContractHash::from_bytes([9; 32]);
    let moved = stage.talk.hop_signature(&stage.world, &other, "planner");
    stage.give_move(
        draft.at(hop).flag("Replay"),
        |_| (),
        |made| made.offer.as_mut().unwrap().hop_signature = moved,
    );
    let draft = refuse(
        shelf,
        "that-has-expired",
        "NEG-018",
        "OFFER_EXPIRED",
        "An offer that cannot be accepted any more.",
    );
    stage.give_move(
        draft.at("/move/payload/offer/expires").resigned(),
        |_| (),
        |made| {
            made.offer.as_mut().unwrap().expires = cast::at(cast::NOW);
        },
    );
}

fn extensions(shelf: &mut Shelf, stage: &Stage) {
    let twin = "contract.offer-with-an-ignorable-extension";
    let draft = shelf.accept(OP, twin).rule("CONV-018").because("An extension that may be left unread.");
    let draft = draft.output(json!({ "events": ["Moved"] }));
    stage.give(draft, |body| body.extensions = cast::extensions(Criticality::Ignorable));
    let draft = shelf.reject(OP, "contract.offer-with-a-critical-extension", twin).rule("CONV-018");
    let draft = draft.reason("EXTENSION_UNKNOWN").because("An extension that must be known.").resigned();
    let draft = draft.at("/move/payload/offer/contract/extensions/list/0/criticality");
    stage.give(draft, |body| body.extensions = cast::extensions(Criticality::Critical));
}

/// Offers over a ledger in which something has happened.
fn later(shelf: &mut Shelf) {
    let mut revoked = Stage::new();
    let (body, seen) = (revoked.talk.body(&revoked.world), revoked.world.seen());
    revoked.world.revoke_grant();
    let draft =
        refuse(shelf, "of-a-revoked-chain", "CTR-008", "PARENT_CHANGED", "alice revoked the grant before.");
    let last = revoked.world.entries.len() - 1;
    let draft = draft.at(&format!("/ledger/{last}")).flag("PrivilegeEscalation");
    revoked.give(draft, |changed| (*changed, changed.seen) = (body, seen));

    let mut world = World::new();
    let first = Talk::request(&mut world, "planner", "researcher", 1);
    let contract = first.body(&world);
    first.record_contract(&mut world, &contract);
    let held = world.state.contract(&contract.contract_id).unwrap();
    let talk = Talk::request(&mut world, "planner", "fetcher", 2);
    let stage = Stage { world, talk };
    let twin = "contract.second-offer";
    let narrow: Change = |body| body.rights.budget.ceiling = cast::amount(100);
    let draft = shelf.accept(OP, twin).rule("CTR-013").because("planner offers fetcher what is left.");
    stage.give(draft.output(json!({ "events": ["Moved"] })), narrow);
    let offer = "/move/payload/offer/contract";
    let draft = shelf.reject(OP, "contract.second-offer-under-the-first-id", twin).rule("CTR-013");
    let draft = draft.reason("ID_ALREADY_USED").because("The id of a contract that exists.").resigned();
    stage.give(draft.at(&format!("{offer}/contract_id")).flag("Replay"), |body| {
        narrow(body);
        body.contract_id = contract.contract_id;
    });
    let draft = shelf.reject(OP, "contract.second-offer-of-a-chain-given-away", twin).rule("CTR-009");
    let draft = draft.reason("PARENT_CHANGED").because("planner offers what researcher holds.").resigned();
    stage.give(draft.at(&format!("{offer}/parent")).flag("PrivilegeEscalation"), |body| {
        narrow(body);
        body.parent = held;
    });
}
