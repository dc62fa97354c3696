//! Acceptances: the commit that makes a contract.

use countersign_protocol::{
    contract::ContractBody,
    digest::{ContractHash, TreeHash},
    negotiation::Accept,
    payload::Payload,
    signed::{Statement, sign_detached},
};
use serde_json::json;

use super::{Draft, Shelf, Talk, World, cast, give_move};

const OP: &str = "order_move";
const GOOD: &str = "contract.accept";

pub(super) fn fill(shelf: &mut Shelf) {
    let stage = Stage::new(|_| ());
    let draft = shelf.accept(OP, GOOD).rule("CTR-010").because("researcher accepts what planner offers.");
    stage.give(draft.output(finalized()), cast::NOW, |_| ());
    contents(shelf, &stage);
    times(shelf, &stage);
    certificates(shelf);
    meanwhile(shelf);
}

fn finalized() -> serde_json::Value {
    json!({ "events": ["Moved", "ContractFinalized"] })
}

/// The ledger with an offer in it.
struct Stage {
    world: World,
    body: ContractBody,
    accept: countersign_protocol::negotiation::Move,
}

impl Stage {
    fn new(change: fn(&mut ContractBody)) -> Self {
        let mut world = World::new();
        let talk = Talk::request(&mut world, "planner", "researcher", 1);
        let mut body = talk.body(&world);
        change(&mut body);
        talk.record_offer(&mut world, &body);
        let accept = talk.accept(&world, &body);
        Self { world, body, accept }
    }

    fn give(&self, draft: Draft<'_>, now: u64, change: impl FnOnce(&mut Accept)) {
        let mut made = self.accept.clone();
        change(made.accept.as_mut().unwrap());
        give_move(draft, &self.world, now, "researcher", &made.sign(&cast::key("researcher")));
    }
}

fn refuse<'a>(shelf: &'a mut Shelf, id: &str, rule: &str, reason: &str, why: &str) -> Draft<'a> {
    shelf.reject(OP, &format!("contract.accept-{id}"), GOOD).rule(rule).reason(reason).because(why)
}

fn contents(shelf: &mut Shelf, stage: &Stage) {
    let draft =
        refuse(shelf, "of-another-contract", "NEG-015", "ACCEPT_MISMATCH", "The hash of another contract.");
    stage.give(draft.at("/move/payload/accept/contract").resigned(), cast::NOW, |accept| {
        accept.contract = ContractHash::from_bytes([1; 32]);
    });
    let signature = "/move/payload/accept/contract_signature";
    let contract = stage.body.to_bytes();
    for (id, payload_type, name, why) in [
        ("forged", ContractBody::TYPE, "mallory", "mallory signed the contract in researcher's place."),
        ("by-the-grantor", ContractBody::TYPE, "planner", "planner signed for both."),
        (
            "signed-as-another-type",
            countersign_protocol::negotiation::Move::TYPE,
            "researcher",
            "researcher signed the same bytes as a move.",
        ),
    ] {
        let signed = sign_detached(payload_type, &contract, &cast::key(name));
        let draft = refuse(shelf, id, "CONV-030", "SIGNATURE_INVALID", why).at(signature).flag("Forgery");
        stage.give(draft, cast::NOW, |accept| accept.contract_signature = signed);
    }
    let draft = refuse(
        shelf,
        "that-saw-another-root",
        "LOG-020",
        "LOG_INCONSISTENT",
        "researcher saw another ledger.",
    );
    let draft = draft.at("/move/payload/accept/seen/root").resigned().flag("LogTampering");
    stage.give(draft, cast::NOW, |accept| accept.seen.root = TreeHash::from_bytes([1; 32]));
}

fn times(shelf: &mut Shelf, stage: &Stage) {
    let draft = shelf.accept(OP, "contract.accept-at-the-last-moment").rule("NEG-014").output(finalized());
    stage.give(draft.because("A millisecond before the offer expires."), cast::NOW + 59_999, |_| ());
    let draft = refuse(
        shelf,
        "too-late",
        "NEG-014",
        "OFFER_EXPIRED",
        "At the millisecond at which the offer expires.",
    );
    stage.give(draft.at("/time"), cast::NOW + 60_000, |_| ());
    let short = Stage::new(|body| body.rights.not_after = cast::at(cast::NOW + 50_000));
    let twin = "contract.accept-of-a-short-contract";
    let draft = shelf.accept(OP, twin).rule("CTR-012").output(finalized());
    short.give(draft.because("A contract that ends in a millisecond."), cast::NOW + 49_999, |_| ());
    let draft = shelf.reject(OP, "contract.accept-of-an-ended-contract", twin).rule("CTR-012");
    let draft = draft.reason("OUTSIDE_VALIDITY").because("A contract that ends now.").at("/time");
    short.give(draft, cast::NOW + 50_000, |_| ());
}

/// Whoever has stopped renewing takes part in nothing new.
fn certificates(shelf: &mut Shelf) {
    let mut stage = Stage::new(|_| ());
    stage.world.renew("researcher", 20_000);
    let twin = "contract.accept-before-its-certificate-expires";
    let draft = shelf.accept(OP, twin).rule("NEG-022").output(finalized());
    let why = "researcher's newest certificate ends in a millisecond.";
    stage.give(draft.because(why), cast::NOW + 19_999, |_| ());
    let draft = shelf.reject(OP, "contract.accept-after-its-certificate-expired", twin).rule("NEG-022");
    let draft =
        draft.reason("CERTIFICATE_EXPIRED").because("researcher's newest certificate ended.").at("/time");
    stage.give(draft, cast::NOW + 20_000, |_| ());

    let mut stage = Stage::new(|_| ());
    stage.world.renew("planner", 20_000);
    let twin = "contract.accept-before-the-grantor-expires";
    let draft = shelf.accept(OP, twin).rule("NEG-019").output(finalized());
    let why = "planner's newest certificate ends in a millisecond.";
    stage.give(draft.because(why), cast::NOW + 19_999, |_| ());
    let draft = shelf.reject(OP, "contract.accept-after-the-grantor-expired", twin).rule("NEG-019");
    let draft = draft.reason("PARENT_CHANGED").because("planner's newest certificate ended.").at("/time");
    stage.give(draft, cast::NOW + 20_000, |_| ());
}

/// What was recorded between offer and acceptance.
fn meanwhile(shelf: &mut Shelf) {
    let mut revoked = Stage::new(|_| ());
    revoked.world.revoke_grant();
    let last = revoked.world.entries.len() - 1;
    let draft = refuse(
        shelf,
        "after-a-revocation",
        "CTR-008",
        "PARENT_CHANGED",
        "alice revoked the grant before it.",
    );
    let draft = draft.at(&format!("/ledger/{last}")).flag("PrivilegeEscalation");
    revoked.give(draft, cast::NOW, |_| ());

    let mut gone = Stage::new(|_| ());
    gone.world.revoke_planner();
    let draft =
        refuse(shelf, "of-a-grantor-that-is-gone", "NEG-019", "PARENT_CHANGED", "planner ended before it.");
    let draft = draft.at(&format!("/ledger/{last}")).flag("PrivilegeEscalation");
    gone.give(draft, cast::NOW, |_| ());

    let sibling = |change: fn(&mut ContractBody, &ContractBody)| {
        let mut stage = Stage::new(|_| ());
        let talk = Talk::request(&mut stage.world, "planner", "fetcher", 2);
        let mut body = talk.body(&stage.world);
        change(&mut body, &stage.body);
        talk.record_contract(&mut stage.world, &body);
        stage
    };
    let draft = shelf.accept(OP, "contract.accept-beside-a-sibling").rule("CTR-020").output(finalized());
    let fitting = sibling(|body, _| body.rights.budget.ceiling = cast::amount(100));
    fitting.give(draft.because("100 of 500 calls went to a sibling; 400 are left."), cast::NOW, |_| ());
    let draft = refuse(
        shelf,
        "beyond-the-parents-budget",
        "CTR-020",
        "BUDGET_EXCEEDED",
        "400 of 500 calls went to a sibling; 400 more are asked.",
    );
    let draft = draft.at("/ledger/12").flag("PrivilegeEscalation");
    sibling(|_, _| ()).give(draft, cast::NOW, |_| ());
    let draft = refuse(
        shelf,
        "under-a-siblings-id",
        "CTR-013",
        "ID_ALREADY_USED",
        "A sibling took the contract's id.",
    );
    let namesake = sibling(|body, first| {
        body.rights.budget.ceiling = cast::amount(100);
        body.contract_id = first.contract_id;
    });
    namesake.give(draft.at("/ledger/12").flag("Replay"), cast::NOW, |_| ());
}
