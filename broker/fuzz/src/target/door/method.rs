//! The methods, and messages that they would answer.

use countersign_forge::{principal, session::session_opening};
use countersign_protocol::{
    capability::Arguments,
    contract::ChangeRequest,
    grant::GrantRequest,
    identity::{JoinStatement, RenewStatement},
    negotiation::Move,
    payload::Payload,
    receipt::Receipt,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    token::Proof,
};

use super::{CALLERS, broker::Broker};
use crate::{
    scene::{BODY, JOIN_SECRET, SCENE, request},
    target::Seed,
    wire::Field,
};

/// A method and what matters of it here.
pub(super) struct Method {
    pub(super) name: &'static str,
    /// The field that holds a signed statement of the caller's.
    pub(super) statement: Option<u64>,
    /// Whether it shows something of the parties of a chain or negotiation.
    pub(super) is_private: bool,
    /// Whether it lists what the caller is a party to.
    pub(super) is_list: bool,
}

const fn method(name: &'static str) -> Method {
    Method { name, statement: None, is_private: false, is_list: false }
}

impl Method {
    const fn with_statement(self, field: u64) -> Self {
        Self { statement: Some(field), ..self }
    }

    const fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    const fn list(self) -> Self {
        Self { is_list: true, ..self }
    }
}

/// All of them, in the order in which the first byte selects one.
pub(super) const METHODS: [Method; 32] = [
    method("Grants/IssueGrant").with_statement(2),
    method("Grants/ListGrants").list(),
    method("Activations/GetActivation").private(),
    method("Negotiations/SubmitMove").with_statement(2),
    method("Negotiations/GetNegotiation").private(),
    method("Negotiations/ListNegotiations").list(),
    method("Negotiations/WatchNegotiations"),
    method("Contracts/GetContract").private(),
    method("Contracts/ListContracts").list(),
    method("Revocations/PreviewRevocation"),
    method("Revocations/Revoke").with_statement(2),
    method("Revocations/WatchRevocations"),
    method("Enrolment/Join"),
    method("Identity/Renew").with_statement(2),
    method("Identity/GetBundle"),
    method("Identity/CreateJoinToken").private(),
    method("Identity/GetInstance"),
    method("Identity/ListInstances").private(),
    method("Info/GetInfo"),
    method("Ledger/GetCheckpoint"),
    method("Ledger/ListEntries").private(),
    method("Ledger/ProveInclusion"),
    method("Ledger/ProveConsistency"),
    method("Ledger/Explain").private(),
    method("Mediation/Invoke").with_statement(3),
    method("Mediation/Serve"),
    method("Mediation/OpenSession"),
    method("Mediation/InvokeStream").with_statement(3),
    method("Contracts/ChangeContract").with_statement(2),
    method("Contracts/ListRebindable"),
    method("Contracts/RebindContract").with_statement(2),
    method("Contracts/ConsentToRebind").with_statement(2),
];

/// For each method a message that it knows what to do with, from someone who may ask.
pub(super) fn seeds() -> Vec<Seed> {
    let [_, first, leaf] = SCENE.chains;
    let mut seeds = Vec::new();
    let mut add = |caller: &str, name: &str, fields: &[Field]| {
        let method = METHODS.iter().position(|method| method.name == name).unwrap() as u8;
        let by = CALLERS.iter().position(|known| *known == caller).unwrap() as u8;
        let domain = Field::of_bytes(1, b"acme.example");
        let message = Field::write_all(&[&[domain], fields].concat());
        seeds.push(Seed { name: format!("{name}.{caller}"), bytes: [&[method, by], &message[..]].concat() });
    };
    let text = |number, text: &str| Field::of_bytes(number, text.as_bytes());
    let id = |number, id: countersign_protocol::digest::ChainId| Field::of_bytes(number, id.as_bytes());
    let state = &SCENE.world.state;
    let (contract, _) = state.contracts().next().unwrap();
    let (talk, _) = state.negotiations().next().unwrap();
    for (caller, name, fields) in [
        ("planner", "Grants/ListGrants", vec![Field::varint(2, 10)]),
        ("planner", "Activations/GetActivation", vec![id(2, first)]),
        ("mallory", "Activations/GetActivation", vec![id(2, first)]),
        ("researcher", "Negotiations/GetNegotiation", vec![text(2, &talk.to_string())]),
        ("mallory", "Negotiations/GetNegotiation", vec![text(2, &talk.to_string())]),
        ("planner", "Negotiations/ListNegotiations", vec![Field::varint(2, 2)]),
        ("planner", "Negotiations/WatchNegotiations", vec![Field::varint(2, 20)]),
        ("planner", "Contracts/GetContract", vec![text(2, &contract.to_string())]),
        ("mallory", "Contracts/GetContract", vec![text(2, &contract.to_string())]),
        ("planner", "Contracts/ListContracts", vec![id(2, first), Field::varint(3, 1)]),
        ("researcher", "Contracts/ListRebindable", vec![Field::varint(2, 1)]),
        ("researcher", "Revocations/PreviewRevocation", vec![id(2, leaf), Field::varint(4, 1)]),
        ("planner", "Revocations/WatchRevocations", vec![Field::varint(2, 3)]),
        ("planner", "Identity/GetBundle", vec![]),
        (
            "root",
            "Identity/CreateJoinToken",
            vec![text(2, "spiffe://acme.example/agent/x"), Field::varint(3, 60_000)],
        ),
        ("mallory", "Identity/GetInstance", vec![text(2, SCENE.world.agent("planner").id.as_str())]),
        ("root", "Identity/ListInstances", vec![Field::varint(2, 3)]),
        ("mallory", "Info/GetInfo", vec![]),
        ("mallory", "Ledger/GetCheckpoint", vec![]),
        ("root", "Ledger/ListEntries", vec![Field::varint(2, 1), Field::varint(3, 5)]),
        ("mallory", "Ledger/ProveInclusion", vec![Field::varint(2, 3), Field::varint(3, 20)]),
        ("mallory", "Ledger/ProveConsistency", vec![Field::varint(2, 3), Field::varint(3, 20)]),
        ("fetcher", "Ledger/Explain", vec![text(2, &SCENE.ended.to_string())]),
        ("mallory", "Ledger/Explain", vec![text(2, &SCENE.ended.to_string())]),
    ] {
        add(caller, name, &fields);
    }
    fn next<T: Statement>() -> Vec<Field> {
        vec![Field::of_bytes(2, &SCENE.statements::<T>().pop().unwrap().to_bytes())]
    }
    for signed in SCENE.statements::<Move>().iter().rev().take(9) {
        let made: Move = signed.peek_unverified().unwrap();
        add(
            made.sender.principal().short(),
            "Negotiations/SubmitMove",
            &[Field::of_bytes(2, &signed.to_bytes())],
        );
    }
    add("alice", "Grants/IssueGrant", &next::<GrantRequest>());
    add("root", "Revocations/Revoke", &next::<RevokeRequest>());
    add("planner", "Contracts/ChangeContract", &next::<ChangeRequest>());
    let mut world = SCENE.world.clone();
    let signed = |statement: Signed| vec![Field::of_bytes(2, &statement.to_bytes())];
    let asked = world.stage().rebind_request("researcher", first);
    add("researcher", "Contracts/RebindContract", &signed(asked.sign(&world.agent("researcher").key)));
    let word = world.stage().rebind_consent("planner", first, "researcher");
    add("planner", "Contracts/ConsentToRebind", &signed(word.sign(&world.agent("planner").key)));
    add("planner", "Identity/Renew", &next::<RenewStatement>());
    let join = next::<JoinStatement>();
    let evidence = [text(3, "join_token"), Field::of_bytes(4, &JOIN_SECRET)];
    add("mallory", "Enrolment/Join", &[&join[..], &evidence].concat());
    let proof = SCENE.statements::<Proof>().pop().unwrap();
    let arguments: Arguments = request().arguments;
    let invoke = [
        Field::of_bytes(2, SCENE.active[2].token().as_bytes()),
        Field::of_bytes(3, &proof.to_bytes()),
        Field::of_bytes(4, &arguments.to_bytes()),
        Field::of_bytes(5, BODY),
    ];
    add("fetcher", "Mediation/Invoke", &invoke);
    let begins = [
        Field::of_bytes(2, SCENE.active[2].token().as_bytes()),
        Field::of_bytes(3, &proof.to_bytes()),
        Field::of_bytes(4, &arguments.to_bytes()),
    ];
    add("fetcher", "Mediation/InvokeStream", &begins);
    let receipt = SCENE.statements::<Receipt>().pop().unwrap().to_bytes();
    let answer =
        [text(1, &SCENE.open.to_string()), Field::of_bytes(2, &receipt), Field::of_bytes(3, b"content")];
    add("files", "Mediation/Serve", &[Field::varint(2, 4)]);
    let (fetcher, mut world) = (SCENE.world.agent("fetcher"), SCENE.world.clone());
    let (now, files) = (world.now, principal("files"));
    let opening = session_opening(&world.state, &mut world.rng, now, &fetcher, leaf, &files);
    let opening = opening.sign(&fetcher.key).to_bytes();
    let token = world.state.chain(&leaf).unwrap().token.clone();
    let opens = [Field::of_bytes(2, &token), Field::of_bytes(3, &opening)];
    add("fetcher", "Mediation/OpenSession", &opens);
    // What the broker itself says about where the next page begins.
    let listing = METHODS.iter().find(|method| method.name == "Grants/ListGrants").unwrap();
    let domain = Field::of_bytes(1, b"acme.example");
    let page = Broker::call(listing, "root", &Field::write_all(&[domain, Field::varint(2, 1)]));
    let token = page.message.and_then(|page| Some(Field::find_bytes(&page, 2)?.to_vec()));
    add("root", "Grants/ListGrants", &[Field::varint(2, 1), Field::of_bytes(3, &token.unwrap_or_default())]);
    add("files", "Mediation/Serve", &[Field::varint(2, 4), Field::message(3, &answer)]);
    seeds
}
