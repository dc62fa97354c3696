//! Uses of a token: the holder's proof, and what every link says of the request.

mod requests;

use countersign_forge::{
    biscuit::Container,
    wire::{Message, edit},
};
use countersign_protocol::{
    capability::{Argument, Arguments, Request, Value as Argued},
    digest::{ChainId, Digest, SpkiHash},
    extension::{Criticality, Extensions},
    ledger::LeafIndex,
    payload::Payload,
    signed::{Signed, Statement},
    token::{Nonce, Proof, Via},
};
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf, activation, token,
};

const OP: &str = "use_token";
const GOOD: &str = "proof.good";

pub(super) fn fill(shelf: &mut Shelf) {
    let case = Case::new();
    let draft = shelf.accept(OP, GOOD).rule("TOK-040").because("fetcher reads a file, as every link allows.");
    case.give(draft);
    signers(shelf);
    bindings(shelf);
    times(shelf);
    forms(shelf);
    channels(shelf);
    requests::fill(shelf);
}

/// A use, and everything that is known of it.
struct Case {
    token: Container,
    holder: &'static str,
    request: Request,
    body: Vec<u8>,
    now: u64,
    via: &'static str,
    channel: SpkiHash,
}

impl Case {
    fn new() -> Self {
        Self {
            token: token::two(),
            holder: "fetcher",
            request: request("read", "file:/data/eu/q3.csv", vec![("max_bytes", Argued::Int(1000))]),
            body: b"opaque".to_vec(),
            now: cast::NOW,
            via: "broker",
            channel: channel(),
        }
    }

    /// The proof that the holder makes for this request at [`cast::NOW`].
    fn proof(&self) -> Proof {
        Proof {
            domain: "acme.example".parse().unwrap(),
            invocation_id: cast::uuid(32).parse().unwrap(),
            chain_id: ChainId::from_bytes(*self.token.chain_ids().last().unwrap()),
            activation_leaf: LeafIndex::new(107).unwrap(),
            caller: cast::instance(self.holder),
            callee: self.request.callee.clone(),
            action: self.request.action.clone(),
            resource: self.request.resource.clone(),
            arguments: self.request.arguments.digest(&self.body),
            nonce: Nonce::try_from(&[7; 16][..]).unwrap(),
            issued: cast::at(cast::NOW),
            expires: cast::at(cast::NOW + 30_000),
            via: Via::Broker,
            channel: channel(),
            extensions: Extensions::none(),
        }
    }

    fn give(&self, draft: Draft<'_>) {
        self.give_proof(draft, &self.proof().sign(&cast::key(self.holder)).to_bytes());
    }

    fn give_changed(&self, draft: Draft<'_>, change: impl FnOnce(&mut Proof)) {
        let mut proof = self.proof();
        change(&mut proof);
        self.give_proof(draft, &proof.sign(&cast::key(self.holder)).to_bytes());
    }

    fn give_proof(&self, draft: Draft<'_>, proof: &[u8]) {
        let mut context = token::context();
        context["time_ms"] = json!(self.now);
        context["via"] = json!(self.via);
        context["channel"] = json!(self.channel.to_string());
        let activated = activation::sign(&activation::of(&self.token, 107), "activation");
        let input = json!({
            "token_b64": to_base64(&self.token.bytes()),
            "activation_b64": to_base64(&activated),
            "proof_b64": to_base64(proof),
            "request": shown(&self.request),
            "body_b64": to_base64(&self.body),
        });
        draft.given(context, input);
    }
}

fn channel() -> SpkiHash {
    SpkiHash::from_bytes(Digest::of(b"fetcher's TLS key").to_array())
}

fn shown(request: &Request) -> Value {
    json!({
        "callee": request.callee.as_str(),
        "action": request.action.as_str(),
        "resource": request.resource.as_str(),
        "arguments_b64": to_base64(&request.arguments.to_bytes()),
    })
}

fn request(action: &str, resource: &str, arguments: Vec<(&str, Argued)>) -> Request {
    let arguments = arguments.into_iter();
    let arguments = arguments.map(|(name, value)| Argument { name: name.parse().unwrap(), value }).collect();
    Request {
        callee: cast::principal("files"),
        action: action.parse().unwrap(),
        resource: resource.parse().unwrap(),
        arguments: Arguments::new(arguments).unwrap(),
    }
}

fn refuse<'a>(shelf: &'a mut Shelf, id: &str, rule: &str, reason: &str, why: &str) -> Draft<'a> {
    shelf.reject(OP, &format!("proof.{id}"), GOOD).rule(rule).reason(reason).because(why)
}

/// A stolen token is of no use.
fn signers(shelf: &mut Shelf) {
    let case = Case::new();
    for (id, name, why) in [
        ("by-a-thief", "mallory", "mallory has the token and no key that it names."),
        ("by-the-first-holder", "planner", "planner is above; it does not hold the leaf."),
        ("by-the-grantor", "researcher", "researcher gave the right away."),
        ("by-the-callee", "files", "The callee makes a proof of its own."),
        ("by-the-domain", "activation", "The domain makes a proof of its own."),
    ] {
        let draft = refuse(shelf, id, "TOK-040", "PROOF_INVALID", why).flag("Theft").resigned();
        let signed = case.proof().sign(&cast::key(name)).to_bytes();
        case.give_proof(draft.at("/proof/signatures/0/key"), &signed);
    }
    let mut forged = case.proof().sign(&cast::key("mallory"));
    forged.signatures[0].key = cast::public("fetcher");
    let draft =
        refuse(shelf, "forged", "TOK-040", "PROOF_INVALID", "mallory signs in fetcher's name.").flag("Theft");
    case.give_proof(draft.at("/proof/signatures/0/signature"), &forged.to_bytes());
    let unsigned = Signed { signatures: Vec::new(), ..case.proof().sign(&cast::key("fetcher")) };
    let draft = refuse(shelf, "not-signed", "TOK-040", "PROOF_INVALID", "Nobody signed it.").flag("Theft");
    case.give_proof(draft.at("/proof/signatures/0"), &unsigned.to_bytes());
    let mut twice = case.proof().sign(&cast::key("fetcher"));
    twice.add_signature(&cast::key("planner"));
    let draft = refuse(shelf, "signed-twice", "TOK-040", "PROOF_INVALID", "planner signed as well.");
    case.give_proof(draft.at("/proof/signatures/1"), &twice.to_bytes());
}

type Change = fn(&mut Proof);

/// The id, the sentence, the field, why, and the change.
const BINDINGS: [(&str, &str, &str, &str, Change); 8] = [
    ("for-another-domain", "TOK-041", "domain", "Another domain's chain.", |p| {
        p.domain = "other.example".parse().unwrap();
    }),
    ("for-the-parent-chain", "TOK-041", "chain_id", "The chain above this one.", |p| {
        p.chain_id = ChainId::from_bytes(token::two().chain_ids()[1]);
    }),
    ("of-another-caller", "TOK-041", "caller", "Somebody else calls.", |p| {
        p.caller = cast::instance("planner");
    }),
    ("of-another-activation", "TOK-042", "activation_leaf", "Another activation of a chain.", |p| {
        p.activation_leaf = LeafIndex::new(108).unwrap();
    }),
    ("for-another-callee", "TOK-043", "callee", "Made for another service.", |p| {
        p.callee = cast::principal("mail");
    }),
    ("for-another-action", "TOK-043", "action", "Made for another action.", |p| {
        p.action = "list".parse().unwrap();
    }),
    ("for-another-resource", "TOK-043", "resource", "Made for another file.", |p| {
        p.resource = "file:/data/eu/q4.csv".parse().unwrap();
    }),
    ("for-no-arguments", "TOK-043", "arguments", "The digest of nothing.", |p| p.arguments = Digest::of(b"")),
];

/// A proof is for one request only.
fn bindings(shelf: &mut Shelf) {
    for (id, rule, field, why, change) in BINDINGS {
        let draft = refuse(shelf, id, rule, "PROOF_INVALID", why).flag("Replay").resigned();
        Case::new().give_changed(draft.at(&format!("/proof/payload/{field}")), change);
    }
    let other_body = Case::new().request.arguments.digest(b"another body");
    let other = request("read", "file:/data/eu/q3.csv", vec![("max_bytes", Argued::Int(1))]);
    let other_arguments = other.arguments.digest(&Case::new().body);
    for (id, why, digest) in [
        ("for-another-body", "Made for another body.", other_body),
        ("for-other-arguments", "Made for other arguments.", other_arguments),
    ] {
        let draft = refuse(shelf, id, "TOK-043", "PROOF_INVALID", why).flag("Replay").resigned();
        Case::new().give_changed(draft.at("/proof/payload/arguments"), |proof| proof.arguments = digest);
    }
}

fn times(shelf: &mut Shelf) {
    let at = |now: u64| Case { now, ..Case::new() };
    let draft = shelf
        .accept(OP, "proof.last-millisecond")
        .rule("TOK-046")
        .because("A millisecond before it expires.");
    at(cast::NOW + 29_999).give(draft);
    let draft =
        refuse(shelf, "expired", "TOK-046", "PROOF_EXPIRED", "At the millisecond at which it expires.");
    at(cast::NOW + 30_000).give(draft.at("/time").flag("Replay"));
    let slow_clock = |now| Case { now, token: early(), ..Case::new() };
    let draft =
        shelf.accept(OP, "proof.ahead").rule("TOK-045").because("Issued 30 s ahead of the verifier's clock.");
    slow_clock(cast::NOW - 30_000).give(draft);
    let draft =
        shelf.reject(OP, "proof.too-far-ahead", "proof.ahead").rule("TOK-045").reason("PROOF_EXPIRED");
    slow_clock(cast::NOW - 30_001).give(draft.because("One millisecond more.").at("/time").flag("Replay"));
    let draft = shelf.accept(OP, "proof.longest-life").rule("TOK-044").because("A life of 60 s.");
    Case::new().give_changed(draft, |proof| proof.expires = cast::at(cast::NOW + 60_000));
    for (id, expires, why) in [
        ("too-long-a-life", cast::NOW + 60_001, "A life of a millisecond more than 60 s."),
        ("no-life", cast::NOW, "It expires when it is issued."),
        ("life-backwards", cast::NOW - 1, "It expires before it is issued."),
    ] {
        let draft = shelf.reject(OP, &format!("proof.{id}"), "proof.longest-life").rule("TOK-044");
        let draft = draft.reason("PROOF_EXPIRED").because(why).at("/proof/payload/expires").resigned();
        Case::new().give_changed(draft.flag("Replay"), |proof| proof.expires = cast::at(expires));
    }
}

/// The chain of [`token::two`], valid for a minute longer before [`cast::NOW`].
fn early() -> Container {
    let earlier = |rights: &mut countersign_protocol::capability::Rights| {
        rights.not_before = cast::at(rights.not_before.as_millis() - 60_000);
    };
    let mut grant = cast::grant_terms();
    earlier(&mut grant.rights);
    let hops = [("planner", "researcher"), ("researcher", "fetcher")];
    (1..).zip(hops).fold(cast::minted(&grant), |token, (hop, (grantor, grantee))| {
        let mut terms = cast::hop_terms(grantee, hop);
        earlier(&mut terms.rights);
        token.hop(&terms, &cast::key(grantor))
    })
}

fn forms(shelf: &mut Shelf) {
    let case = Case::new();
    let sealed = |payload_type: &'static str, payload: Vec<u8>| {
        let mut signed = Signed { payload_type: payload_type.into(), payload, signatures: Vec::new() };
        signed.add_signature(&cast::key("fetcher"));
        signed.to_bytes()
    };
    let payload = case.proof().to_bytes();
    let draft =
        refuse(shelf, "of-another-type", "TOK-040", "PROOF_INVALID", "Signed as another kind of statement.");
    let other = sealed("application/vnd.countersign.receipt.v1", payload.clone());
    case.give_proof(draft.at("/proof/payload_type").resigned().flag("Replay"), &other);
    let draft = refuse(
        shelf,
        "with-unknown-field",
        "TOK-040",
        "PROOF_INVALID",
        "A good signature over an unknown field.",
    );
    let unknown = edit(&payload, &[], |fields| fields.push(Message::default().varint(99, 1).done()));
    case.give_proof(draft.at("/form/0").resigned().flag("Ambiguity"), &sealed(Proof::TYPE, unknown));
    let draft =
        refuse(shelf, "without-nonce", "TOK-040", "PROOF_INVALID", "A proof that could be used again.");
    let bare = edit(&payload, &[], |fields| drop(fields.remove(9)));
    case.give_proof(draft.at("/proof/payload/nonce").resigned().flag("Replay"), &sealed(Proof::TYPE, bare));
    let draft =
        refuse(shelf, "without-channel", "TOK-040", "PROOF_INVALID", "A proof that is bound to no channel.");
    let bare = edit(&payload, &[], |fields| drop(fields.remove(13)));
    case.give_proof(draft.at("/proof/payload/channel").resigned().flag("Replay"), &sealed(Proof::TYPE, bare));

    let draft = shelf.accept(OP, "proof.ignorable-extension").rule("CONV-018");
    let draft = draft.because("An extension that may be left unread.");
    case.give_changed(draft, |proof| proof.extensions = cast::extensions(Criticality::Ignorable));
    let draft = shelf.reject(OP, "proof.critical-extension", "proof.ignorable-extension").rule("CONV-018");
    let draft = draft.reason("EXTENSION_UNKNOWN").because("An extension that must be known.").resigned();
    let draft = draft.at("/proof/payload/extensions/list/0/criticality");
    case.give_changed(draft, |proof| proof.extensions = cast::extensions(Criticality::Critical));
}

fn channels(shelf: &mut Shelf) {
    let draft = refuse(
        shelf,
        "on-another-channel",
        "CHN-009",
        "PROOF_INVALID",
        "It arrives on somebody else's connection.",
    );
    let channel = SpkiHash::from_bytes(Digest::of(b"mallory's TLS key").to_array());
    Case { channel, ..Case::new() }.give(draft.at("/channel").flag("Theft"));
    let draft = refuse(
        shelf,
        "on-another-way",
        "CHN-009",
        "PROOF_INVALID",
        "Made for the broker, it arrives directly.",
    );
    Case { via: "direct", ..Case::new() }.give(draft.at("/via").flag("Replay"));
    let draft = refuse(
        shelf,
        "at-once-as-a-stream",
        "CHN-009",
        "PROOF_INVALID",
        "Made for a body that comes at once, it is to begin a stream.",
    );
    Case { via: "stream", ..Case::new() }.give(draft.at("/via").flag("Replay"));
}
