//! The container: its one encoding, its signatures, and which key is its root.

use countersign_forge::{
    biscuit::{self, Container, Step},
    ed25519,
    wire::{Message, edit, long_varint, varint},
};
use countersign_protocol::payload::Writer;

use super::{
    super::super::cast, GRANT, ONE, Shelf, TWO, accept, give, grant, malformed, one, two, untrusted,
};

pub(super) fn fill(shelf: &mut Shelf) {
    encoding(shelf);
    numbers(shelf);
    sizes(shelf);
    roots(shelf);
    signatures(shelf);
    splices(shelf);
    next_keys(shelf);
}

fn encoding(shelf: &mut Shelf) {
    let bytes = one().bytes();
    let unknown = Message::default().varint(9, 1).done();
    for (id, why, changed) in [
        ("unknown-field", "A field after the last one.", edit(&bytes, &[], |f| f.push(unknown.clone()))),
        (
            "unknown-field-in-a-block",
            "An unknown field of a block.",
            edit(&bytes, &[(3, 0)], |f| f.push(unknown.clone())),
        ),
        (
            "unknown-field-in-a-key",
            "An unknown field of a public key.",
            edit(&bytes, &[(2, 0), (2, 0)], |f| f.push(unknown.clone())),
        ),
        (
            "unknown-field-in-the-proof",
            "An unknown field beside the next secret.",
            edit(&bytes, &[(4, 0)], |f| f.push(unknown.clone())),
        ),
        ("authority-twice", "A second authority block.", edit(&bytes, &[], |f| f.insert(2, f[1].clone()))),
        ("secret-twice", "A second next secret.", edit(&bytes, &[(4, 0)], |f| f.push(f[0].clone()))),
        (
            "descending-fields",
            "The root key's number after the authority block.",
            edit(&bytes, &[], |f| f.swap(0, 1)),
        ),
        (
            "long-varint",
            "The root key's number in two bytes.",
            edit(&bytes, &[], |f| f[0] = [varint(8), long_varint(1)].concat()),
        ),
        ("trailing-byte", "A byte after the last field.", [bytes.clone(), vec![0]].concat()),
    ] {
        let draft = malformed(shelf, id, ONE, "TOK-001", why).at("/form/0").flag("Malleability");
        give(draft, &changed);
    }
    let draft = malformed(
        shelf,
        "first-party-block",
        ONE,
        "TOK-004",
        "A block that does not say who delegated: whoever has the token can append it.",
    );
    give(draft.at("/token/blocks/1").flag("Forgery").resigned(), &first_party());
    let draft =
        malformed(shelf, "sealed", GRANT, "TOK-004", "A final signature in place of the next secret.");
    let sealed =
        edit(&grant().bytes(), &[(4, 0)], |f| f[0] = Message::default().bytes(2, &seal(&grant())).done());
    give(draft.at("/token/next_secret"), &sealed);
    let draft = malformed(shelf, "no-proof", GRANT, "TOK-001", "No next secret.").at("/token/next_secret");
    give(draft, &edit(&grant().bytes(), &[], |f| drop(f.pop())));
    let draft = malformed(shelf, "no-root-key-id", GRANT, "TOK-001", "No number of the root key.");
    give(draft.at("/token/root_key_id"), &edit(&grant().bytes(), &[], |f| drop(f.remove(0))));
}

/// The hop of [`one`] as a first-party block, linked as Biscuit does.
fn first_party() -> Vec<u8> {
    let mut token = one();
    let before = token.authority.signature;
    let (next, secret) = (token.hops[0].block.next_key, grant().next_secret);
    let message = biscuit::block_message(&token.hops[0].block.payload, &next, &before, &[]);
    let end = message.len() - b"\0EXTERNALSIG\0".len();
    token.hops[0].block.signature = ed25519::sign(&secret, &message[..end]);
    edit(&token.bytes(), &[(3, 0)], |fields| drop(fields.remove(3)))
}

/// Biscuit's final signature, version 0.
fn seal(token: &Container) -> [u8; 64] {
    let block = &token.authority;
    let message = [&block.payload[..], &[0; 4], &block.next_key, &block.signature].concat();
    ed25519::sign(&token.next_secret, &message)
}

/// Algorithms, versions and keys.
fn numbers(shelf: &mut Shelf) {
    let bytes = one().bytes();
    let algorithm =
        |path: &[(u64, usize)]| edit(&bytes, path, |f| f[0] = Message::default().varint(1, 1).done());
    let draft = malformed(shelf, "other-algorithm", ONE, "TOK-001", "A next key that says it is of P-256.");
    give(draft.at("/token/blocks/0/next_key_algorithm"), &algorithm(&[(2, 0), (2, 0)]));
    let draft = malformed(
        shelf,
        "grantor-of-another-algorithm",
        ONE,
        "TOK-001",
        "A grantor's key that says it is of P-256.",
    );
    give(draft.at("/token/blocks/1/grantor_algorithm"), &algorithm(&[(3, 0), (4, 0), (2, 0)]));
    let draft = malformed(
        shelf,
        "old-signature-version",
        ONE,
        "TOK-001",
        "A hop signed the way of version 0, which binds less.",
    );
    let version =
        |version: u64| edit(&bytes, &[(3, 0)], |f| f[4] = Message::default().varint(5, version).done());
    give(draft.at("/token/blocks/1/signature_version"), &version(0));
    let identity = [&[1u8][..], &[0; 31]].concat();
    let draft = malformed(
        shelf,
        "small-order-grantor",
        ONE,
        "TOK-001",
        "A grantor's key under which anyone can sign.",
    );
    let small =
        edit(&bytes, &[(3, 0), (4, 0), (2, 0)], |f| f[1] = Message::default().bytes(2, &identity).done());
    give(draft.at("/token/blocks/1").flag("Forgery"), &small);
}

fn sizes(shelf: &mut Shelf) {
    let many = |hops: u64| {
        let mut terms = cast::grant_terms();
        terms.rights.delegations_left = 16;
        (1..=hops).fold(cast::minted(&terms), |token, hop| {
            let names = [GRANTORS[hop as usize - 1], GRANTORS[hop as usize]];
            let mut terms = cast::hop_terms(names[1], 1);
            terms.rights = cast::grant_terms().rights;
            terms.rights.delegations_left = 16u64.saturating_sub(hop) as u32;
            token.hop(&terms, &cast::key(names[0]))
        })
    };
    accept(shelf, "token.sixteen-hops", "TOK-003", "As many hops as a token may have.", &many(16));
    let draft =
        malformed(shelf, "seventeen-hops", "token.sixteen-hops", "TOK-003", "One hop more.").resigned();
    give(draft.at("/token/blocks/17").reason("CHAIN_TOO_DEEP").flag("Exhaustion"), &many(17).bytes());
    let draft = malformed(shelf, "too-large", GRANT, "TOK-002", "28,673 bytes, the last of them junk.")
        .flag("Exhaustion");
    let bytes = grant().bytes();
    let padding = vec![0xff; 28_673 - bytes.len()];
    give(draft.at("/form/0"), &[bytes, padding].concat());
    let draft = malformed(shelf, "block-too-large", ONE, "TOK-101", "A hop whose content has 8,193 bytes.")
        .flag("Exhaustion");
    let payload = biscuit::hop_block(&cast::hop_terms("researcher", 1));
    let room = 8_193 - payload.len() - 3;
    let mut context = Writer::default();
    context.bytes(2, &vec![b'x'; room]);
    let padded = [payload, context.into_bytes()].concat();
    assert_eq!(padded.len(), 8_193);
    give(draft.at("/token/blocks/1/added").resigned(), &super::hop_with(padded).bytes());
}

/// planner and sixteen agents after it, and one more.
const GRANTORS: [&str; 18] = [
    "planner", "agent-01", "agent-02", "agent-03", "agent-04", "agent-05", "agent-06", "agent-07",
    "agent-08", "agent-09", "agent-10", "agent-11", "agent-12", "agent-13", "agent-14", "agent-15",
    "agent-16", "agent-17",
];

fn roots(shelf: &mut Shelf) {
    let terms = cast::grant_terms();
    let signed_by = |signer: &str| {
        Container::root(biscuit::grant_block(&terms), &cast::domain(), &cast::key(signer), None)
    };
    let draft = untrusted(shelf, "self-made-root", GRANT, "TOK-005", "A root that nobody pinned.");
    give(draft.at("/token/blocks/0/signature").resigned(), &signed_by("self-made-root").bytes());
    let draft = untrusted(
        shelf,
        "root-of-another-purpose",
        GRANT,
        "TOK-005",
        "The domain's activation key signed the grant.",
    );
    give(draft.at("/token/blocks/0/signature").resigned(), &signed_by("activation").bytes());
    let draft =
        untrusted(shelf, "root-by-the-originator", GRANT, "TOK-005", "alice signed the grant herself.");
    give(draft.at("/token/blocks/0/signature").resigned(), &signed_by("alice").bytes());
    let draft = untrusted(
        shelf,
        "unknown-root-key-id",
        GRANT,
        "TOK-005",
        "A number that the domain's keys do not have.",
    );
    give(draft.at("/token/root_key_id"), &Container { root_key_id: 2, ..grant() }.bytes());
    let old = Container { root_key_id: 7, ..signed_by("capability-old") };
    accept(shelf, "token.old-root-key", "TOK-005", "A grant under a key that was in use before.", &old);
    let draft = untrusted(
        shelf,
        "number-of-another-root-key",
        "token.old-root-key",
        "TOK-005",
        "The number of the domain's other capability key.",
    );
    give(draft.at("/token/root_key_id"), &Container { root_key_id: 1, ..old.clone() }.bytes());

    let foreign = |change: fn(&mut countersign_protocol::token::GrantTerms)| {
        let mut terms = cast::grant_terms();
        change(&mut terms);
        cast::minted(&terms).bytes()
    };
    let draft = untrusted(
        shelf,
        "grant-of-another-domain",
        GRANT,
        "TOK-006",
        "Our key signed what another domain grants.",
    );
    let bytes = foreign(|terms| terms.domain = "other.example".parse().unwrap());
    give(draft.at("/token/blocks/0/terms/domain").resigned(), &bytes);
    let draft = untrusted(
        shelf,
        "foreign-originator",
        GRANT,
        "TOK-007",
        "Somebody of another domain answers for it.",
    );
    let bytes = foreign(|terms| terms.originator = "spiffe://other.example/human/alice".parse().unwrap());
    give(draft.at("/token/blocks/0/terms/originator").resigned(), &bytes);
    let draft =
        untrusted(shelf, "foreign-first-holder", GRANT, "TOK-007", "Somebody of another domain holds it.");
    let bytes = foreign(|terms| {
        let uuid = cast::uuid(1);
        terms.holder.instance = format!("spiffe://other.example/agent/planner/i/{uuid}").parse().unwrap();
    });
    give(draft.at("/token/blocks/0/terms/holder/instance").resigned(), &bytes);
}

fn signatures(shelf: &mut Shelf) {
    let with = |change: fn(&mut Container)| {
        let mut token = two();
        change(&mut token);
        token.bytes()
    };
    let draft = untrusted(
        shelf,
        "signature-of-another-grant",
        GRANT,
        "TOK-005",
        "The domain's signature over a grant with another end.",
    );
    let mut terms = cast::grant_terms();
    terms.rights.not_after = cast::at(cast::NOW + 7_200_000);
    let mut changed = grant();
    changed.authority.signature = cast::minted(&terms).authority.signature;
    give(draft.at("/token/blocks/0/signature"), &changed.bytes());
    let draft =
        untrusted(shelf, "signature-flipped", GRANT, "TOK-005", "One bit of the authority's signature.");
    let mut flipped = grant();
    flipped.authority.signature[63] ^= 1;
    give(draft.at("/token/blocks/0/signature"), &flipped.bytes());
    let draft = untrusted(
        shelf,
        "grantor-signature-by-a-stranger",
        TWO,
        "TOK-005",
        "mallory signs in researcher's name.",
    );
    let mut step = Step::new(biscuit::hop_block(&cast::hop_terms("fetcher", 2)), &cast::key("mallory"));
    step.named = cast::public("researcher");
    give(draft.at("/token/blocks/2/grantor_signature"), &one().step(&step).bytes());
    let draft = untrusted(
        shelf,
        "link-signature-by-a-stranger",
        TWO,
        "TOK-005",
        "The last block is not signed by the next key before it.",
    );
    let bytes = with(|token| {
        let before = token.hops[0].block.signature;
        let hop = &mut token.hops[1];
        let message =
            biscuit::block_message(&hop.block.payload, &hop.block.next_key, &before, &hop.grantor_signature);
        hop.block.signature = ed25519::sign(&cast::seed("mallory"), &message);
    });
    give(draft.at("/token/blocks/2/signature"), &bytes);
    let draft = untrusted(
        shelf,
        "secret-of-another-key",
        TWO,
        "TOK-005",
        "A next secret that does not belong to the last next key.",
    );
    give(draft.at("/token/next_secret"), &with(|token| token.next_secret = cast::seed("link")));
    let draft =
        untrusted(shelf, "secret-of-the-parent", TWO, "TOK-005", "The next secret of the chain above.");
    let parent = one().next_secret;
    give(draft.at("/token/next_secret"), &Container { next_secret: parent, ..two() }.bytes());
}

/// Hops in other places than they were made for.
fn splices(shelf: &mut Shelf) {
    let mut narrow = cast::grant_terms();
    narrow.rights.budget.ceiling = cast::amount(499);
    let made_for = cast::minted(&narrow).hop(&cast::hop_terms("researcher", 1), &cast::key("planner"));
    let draft = untrusted(
        shelf,
        "hop-onto-a-wider-grant",
        ONE,
        "TOK-005",
        "A hop that planner signed for a narrower grant of its own.",
    );
    give(
        draft.flag("Replay").at("/token/blocks/1/grantor_signature"),
        &grant().splice(&made_for.hops[0]).bytes(),
    );
    let draft = untrusted(
        shelf,
        "hop-of-another-chain",
        TWO,
        "TOK-005",
        "A hop that researcher signed for another contract of the same rights.",
    );
    let mut other = cast::hop_terms("researcher", 1);
    other.contract = countersign_protocol::digest::ContractHash::from_bytes([9; 32]);
    let other = grant()
        .hop(&other, &cast::key("planner"))
        .hop(&cast::hop_terms("fetcher", 2), &cast::key("researcher"));
    give(draft.flag("Replay").at("/token/blocks/2/grantor_signature"), &one().splice(&other.hops[1]).bytes());
    let draft = untrusted(
        shelf,
        "middle-hop-dropped",
        TWO,
        "TOK-005",
        "The second hop directly on the grant: no signature before it fits.",
    );
    let mut dropped = two();
    dropped.hops.remove(0);
    give(draft.at("/token/blocks").flag("PrivilegeEscalation"), &dropped.bytes());
    let draft = untrusted(shelf, "hops-swapped", TWO, "TOK-005", "The hops in the other order.");
    let mut swapped = two();
    swapped.hops.swap(0, 1);
    give(draft.at("/token"), &swapped.bytes());
    let draft = untrusted(shelf, "hop-repeated", TWO, "TOK-005", "The last hop twice.");
    let mut repeated = two();
    repeated.hops.push(repeated.hops[1].clone());
    give(draft.at("/token/blocks/3"), &repeated.bytes());
}

/// The link keys are derived and public: a token that holds a secret is another format.
fn next_keys(shelf: &mut Shelf) {
    let next = Some(cast::seed("link"));
    let draft =
        malformed(shelf, "next-key-chosen", GRANT, "TOK-021", "A next key that is not the derived one.");
    let token = Container::root(
        biscuit::grant_block(&cast::grant_terms()),
        &cast::domain(),
        &cast::key("capability"),
        next,
    );
    give(draft.at("/token/blocks/0/next_key").resigned(), &token.bytes());
    let draft = malformed(
        shelf,
        "next-key-chosen-in-a-hop",
        ONE,
        "TOK-021",
        "A hop whose next key is not the derived one.",
    );
    let step = Step {
        next,
        ..Step::new(biscuit::hop_block(&cast::hop_terms("researcher", 1)), &cast::key("planner"))
    };
    give(draft.at("/token/blocks/1/next_key").resigned(), &grant().step(&step).bytes());
}
