//! Statements whose bytes were written by hand, each signed with the very key that should sign it; and
//! good ones that were changed on their way.

use countersign_forge::{
    Speaks, Talk, World, attested,
    envelope::resign_bytes,
    principal, receipt, rights,
    wire::{Message, edit},
};
use countersign_protocol::{
    contract::{ChangeKind, Side},
    digest::{Digest, SpkiHash},
    domain::{Decision, End},
    extension::{Criticality, Extension, Extensions},
    key::SigningKey,
    negotiation::{Move, MoveKind},
    payload::Payload,
    refusal::Reason,
    signed::{Signed, Statement, sign_detached},
    time::Lifetime,
    token::Presentation,
};

use crate::invocation::{begin, chain, request};

type Decide<'a> = Box<dyn Fn(&World, &Signed) -> Result<(), Reason> + 'a>;

/// A good statement, the key that it is signed with, the decision about it, and what a malformed one
/// is refused for.
struct Case<'a> {
    what: &'static str,
    good: Signed,
    key: SigningKey,
    decide: Decide<'a>,
    reason: Reason,
}

fn told(decision: Decision) -> Result<(), Reason> {
    decision.map(drop).map_err(|refusal| refusal.reason())
}

/// One of every kind that a decision opens.
fn cases() -> (World, Vec<Case<'static>>) {
    let (mut world, [_, _, leaf]) = chain();
    let (open, proof) = begin(&mut world, "fetcher", leaf).unwrap();
    let talk = Talk::new(&mut world, "planner", "mallory");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let (secret, who) = (Digest::of(b"another copy"), principal("planner"));
    let expires = world.now.plus(Lifetime::from_millis(60_000));
    world.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
    let (copy, join) = world.stage().newcomer(&who, SpkiHash::from_bytes([8; 32]), secret);
    let seen = attested(&copy, secret);
    let (alice, planner) = (world.agent("alice"), world.agent("planner"));
    let (fetcher, files) = (world.agent("fetcher"), world.agent("files"));
    let (by_alice, by_planner) = (alice.actor(), planner.actor());
    let (revoker, mover) = (alice.actor(), planner.actor());

    let granted = world.stage().grant_request(rights(1, 1));
    let renewed = world.stage().renewal("planner");
    let revoked = world.stage().revocation("alice", Some(leaf), None, 1);
    let retired = world.stage().change("fetcher", Side::Holder, leaf, ChangeKind::Retire);
    let changer = fetcher.actor();
    let rejects = Speaks { id: talk.id, sender: "planner", audience: "mallory" };
    let moved = world.stage().bare_move(rejects, MoveKind::Reject);
    let id = world.invocation_id();
    let used = world.stage().proof("fetcher", leaf, id, &request());
    let done = receipt(&files, &proof, b"content", world.now);
    let malformed = Reason::PayloadMalformed;
    let case = |what, good: Signed, key: &SigningKey, decide: Decide<'static>, reason| Case {
        what,
        good,
        key: key.clone(),
        decide,
        reason,
    };
    let cases = vec![
        case(
            "join",
            join.sign(&copy.key),
            &copy.key,
            Box::new(move |world, join| {
                told(world.judge(|state, context| state.decide_join(context, join, &seen)))
            }),
            malformed,
        ),
        case(
            "renewal",
            renewed.sign(&planner.key),
            &planner.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_renew(context, &by_planner, signed)))
            }),
            malformed,
        ),
        case(
            "grant",
            granted.sign(&alice.key),
            &alice.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_grant(context, &by_alice, signed)))
            }),
            malformed,
        ),
        case(
            "move",
            moved.sign(&planner.key),
            &planner.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_move(context, &mover, signed)))
            }),
            malformed,
        ),
        case(
            "revocation",
            revoked.sign(&alice.key),
            &alice.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_revoke(context, &revoker, signed)))
            }),
            malformed,
        ),
        case(
            "change",
            retired.sign(&fetcher.key),
            &fetcher.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_change(context, &changer, signed)))
            }),
            malformed,
        ),
        case(
            "proof",
            used.sign(&fetcher.key),
            &fetcher.key,
            Box::new(move |world, proof| {
                let presented = Presentation { proof, request: &request(), body: b"" };
                let permit = world.active(leaf).permit(&presented, world.now);
                permit.map(drop).map_err(|refusal| refusal.reason())
            }),
            Reason::ProofInvalid,
        ),
        case(
            "receipt",
            done.sign(&files.key),
            &files.key,
            Box::new(move |world, signed| {
                told(world.judge(|state, context| state.decide_end(context, open, &End::Receipt(signed))))
            }),
            Reason::CalleeFault,
        ),
    ];
    (world, cases)
}

/// Attack lines 12 and 13: what is signed is the bytes, and they have one form.
#[test]
fn a_good_signature_makes_no_malformed_statement_good() {
    type Edit = fn(&[u8]) -> Vec<u8>;
    let edits: [(&str, Edit); 7] = [
        ("an unknown field", |bytes| [bytes, &Message::default().varint(99, 1).done()].concat()),
        ("a field twice", |bytes| edit(bytes, &[], |fields| fields.insert(1, fields[0].clone()))),
        ("fields in another order", |bytes| edit(bytes, &[], |fields| fields.swap(0, 1))),
        ("a field too few", |bytes| edit(bytes, &[], |fields| drop(fields.remove(0)))),
        ("a trailing byte", |bytes| [bytes, &[0]].concat()),
        ("a float", |bytes| [bytes, &[0x9d, 0x06, 0, 0, 0x66, 0x3f]].concat()),
        ("a double", |bytes| [bytes, &[0x99, 0x06, 0, 0, 0, 0, 0, 0, 0xec, 0x3f]].concat()),
    ];
    let (world, cases) = cases();
    for Case { what, good, key, decide, reason } in &cases {
        assert_eq!(decide(&world, good), Ok(()), "{what}: the twin");
        for (fault, edit) in edits {
            let bad = Signed::from_bytes(&resign_bytes(good, &[key], edit)).unwrap();
            assert_eq!(decide(&world, &bad), Err(*reason), "{what} with {fault}");
        }
        let enveloped = [good.to_bytes(), vec![0]].concat();
        assert!(Signed::from_bytes(&enveloped).is_err(), "{what} with a byte after its envelope");
        let empty = resign_bytes(good, &[key], |_| Vec::new());
        assert!(Signed::from_bytes(&empty).is_err(), "{what} that says nothing");
    }
}

fn ignorable() -> Extensions {
    let extension =
        Extension { id: "later".parse().unwrap(), criticality: Criticality::Ignorable, bytes: vec![1] };
    Extensions::new(vec![extension]).unwrap()
}

/// Attack line 19: whoever carries a statement cannot take away an extension that its reader may ignore.
#[test]
fn an_extension_cannot_be_stripped_on_the_way() {
    let (mut world, _) = chain();
    let talk = Talk::new(&mut world, "planner", "mallory");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let bare = talk.bare(&mut world, "planner", MoveKind::Reject);
    let signed = Move { extensions: ignorable(), ..bare.clone() }.sign(&world.agent("planner").key);
    let stripped = Signed { payload: bare.to_bytes(), ..signed.clone() };
    assert_eq!(world.submit("planner", &stripped), Err(Reason::SignatureInvalid));
    assert!(world.submit("planner", &signed).is_ok(), "the twin");
}

/// Attack line 19: a contract that names no algorithm, or one that is not spoken, binds nobody, although
/// its grantor signed just that.
#[test]
fn a_contract_cannot_be_signed_by_another_algorithm() {
    const ALGORITHM: u64 = 21;
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(5, 4)).unwrap();
    let body = talk.body(&mut world, grant, rights(5, 4));
    let key = world.agent("planner").key;
    let stated = Message::default().varint(ALGORITHM, 1).done();
    let offered = |world: &mut World, algorithm: Option<u64>| {
        let mut made = talk.offered(world, &body);
        let offer = made.offer.as_mut().unwrap();
        let field = algorithm.map(|code| Message::default().varint(ALGORITHM, code).done());
        offer.contract = edit(&offer.contract, &[], |fields| {
            let position = fields.iter().position(|field| *field == stated).unwrap();
            fields.splice(position..=position, field);
        });
        let contract_type = countersign_protocol::contract::ContractBody::TYPE;
        offer.contract_signature = sign_detached(contract_type, &offer.contract, &key);
        talk.send(world, "planner", &made).map(|events| events.len())
    };
    for algorithm in [None, Some(0), Some(2), Some(255)] {
        assert_eq!(offered(&mut world, algorithm), Err(Reason::PayloadMalformed), "{algorithm:?}");
    }
    assert_eq!(offered(&mut world, Some(1)), Ok(1), "the twin");
}
