//! Entries of a ledger, as an auditor and a restarting broker read them.

use countersign_forge::domain_key;
use countersign_protocol::{
    domain::{Entry, State},
    ledger::{Checkpoint, Origin, SignedCheckpoint},
    negotiation::Move,
    payload::Payload,
};

use super::{Seed, Verdict, seeds_of};
use crate::{
    grammar,
    scene::{SCENE, statements_in},
    wire::Field,
};

/// A message whose fields are entries. They are folded after the scene's ledger, and from the beginning;
/// no fold may fail. What an audit does not object to was signed by whoever must have signed it.
pub(super) fn entries(input: &[u8]) -> Verdict {
    let Some(fields) = Field::read_all(input) else { return Verdict::Refused };
    let mut read = Vec::new();
    for bytes in fields.iter().filter_map(Field::as_bytes) {
        read.extend(grammar::read::<Entry>(bytes).map(|entry| (entry, bytes)));
    }
    let from_the_start = read.iter().fold(State::default(), |state, (entry, _)| state.evolve(entry));
    assert_eq!(from_the_start.tree().size().get(), read.len() as u64);
    let (mut state, mut audit) = (SCENE.world.state.clone(), SCENE.audit.clone());
    for (entry, bytes) in &read {
        state = state.evolve(entry);
        audit = audit.entry(bytes);
    }
    let origin = Origin::of(&countersign_forge::domain());
    let checkpoint = Checkpoint { origin, size: state.tree().size(), root: state.tree().root() };
    let report = audit.finish(&SignedCheckpoint::sign(&checkpoint, &domain_key(203)));
    if read.is_empty() || !report.is_clean() {
        return Verdict::Refused;
    }
    for signed in read.iter().flat_map(|(entry, _)| statements_in(&entry.event)) {
        assert!(SCENE.knows(&signed), "an audit does not object to what nobody signed: {signed:?}");
    }
    Verdict::Accepted
}

pub(super) fn seeds() -> Vec<Seed> {
    let ledger: Vec<Field> =
        SCENE.world.entries.iter().map(|entry| Field::of_bytes(1, &entry.to_bytes())).collect();
    let each = ledger.iter().enumerate().map(|(leaf, entry)| {
        (format!("scene.leaf-{leaf:02}"), Field::write_all(std::slice::from_ref(entry)))
    });
    let next = next_decisions()
        .into_iter()
        .enumerate()
        .map(|(number, events)| (format!("scene.next-{number:02}"), events));
    let whole = ("scene.whole".to_owned(), Field::write_all(&ledger));
    seeds_of(each.chain(next).chain([whole]))
}

/// What each of the scene's fresh moves would lead to.
fn next_decisions() -> Vec<Vec<u8>> {
    let moves = SCENE.statements::<Move>();
    let decided = moves.iter().filter_map(|signed| {
        let made: Move = signed.peek_unverified().ok()?;
        let actor = SCENE.agent(&made.sender)?.actor();
        let events = SCENE.decide(|context| SCENE.world.state.decide_move(context, &actor, signed)).ok()?;
        let entries = events.into_iter().map(|event| Entry { time: SCENE.world.now, event });
        let fields: Vec<Field> = entries.map(|entry| Field::of_bytes(1, &entry.to_bytes())).collect();
        (!fields.is_empty()).then(|| Field::write_all(&fields))
    });
    decided.collect()
}
