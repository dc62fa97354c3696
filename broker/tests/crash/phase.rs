//! What a kill interrupted, by the evidence that it left.

use std::{collections::BTreeMap, fmt};

use countersign_protocol::{
    domain::{Event, State},
    ledger::LeafIndex,
    negotiation,
};

use crate::told::Notes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// No call was under way.
    Idle,
    /// An invocation had its INTENT, and its callee had not been asked.
    BetweenIntentAndForward,
    /// Its callee had been asked, and it had no RESULT.
    BetweenForwardAndResult,
    /// It had its RESULT, and its caller no answer.
    BetweenResultAndReply,
    /// Somebody had the next word.
    Negotiating,
    /// More calls were under way that write than had written anything.
    BeforeFlush,
    /// Something else was written that nobody had been told of.
    BetweenFlushAndReply,
    /// A snapshot of the state was being kept.
    Keeping,
    /// It was starting.
    StartUp,
}

impl Phase {
    pub(crate) const ALL: [Self; 9] = [
        Self::Idle,
        Self::BetweenIntentAndForward,
        Self::BetweenForwardAndResult,
        Self::BetweenResultAndReply,
        Self::Negotiating,
        Self::BeforeFlush,
        Self::BetweenFlushAndReply,
        Self::Keeping,
        Self::StartUp,
    ];

    /// None found yet.
    pub(crate) fn counts() -> BTreeMap<Self, u64> {
        Self::ALL.into_iter().map(|phase| (phase, 0)).collect()
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::BetweenIntentAndForward => "between INTENT and forward",
            Self::BetweenForwardAndResult => "between forward and RESULT",
            Self::BetweenResultAndReply => "between RESULT and reply",
            Self::Negotiating => "negotiating",
            Self::BeforeFlush => "before the flush",
            Self::BetweenFlushAndReply => "between flush and reply",
            Self::Keeping => "keeping a snapshot",
            Self::StartUp => "starting",
        })
    }
}

/// The phases of one kill. `events` are those on the disk since the last check, `state` is what all of
/// them fold into, and `notes` what had been told by then.
pub(crate) fn found(
    events: &[(LeafIndex, Event)],
    state: &State,
    notes: &Notes,
    (under_way, writing): (usize, usize),
) -> Vec<Phase> {
    let open: Vec<_> = state.open_invocations().map(|(id, _)| *id).collect();
    let forwarded = open.iter().filter(|id| notes.done.contains_key(id)).count();
    let talking = [negotiation::State::Requested, negotiation::State::Offered];
    let recent = events.first().map(|(leaf, _)| *leaf);
    let negotiating = state.negotiations().any(|(_, negotiation)| {
        talking.contains(&negotiation.state) && recent.is_some_and(|recent| recent <= negotiation.changed)
    });
    let untold = |of_invocations: bool| {
        let of_kind = |event: &Event| matches!(event, Event::InvocationEnded(_)) == of_invocations;
        let told = events.iter().filter(|(_, event)| of_kind(event));
        told.filter(|(leaf, event)| is_told(*leaf, event, notes) == Some(false)).count()
    };
    let (results, others) = (untold(true), untold(false));
    let mut phases = Vec::new();
    let mut add = |is: bool, phase| phases.extend(is.then_some(phase));
    add(under_way == 0, Phase::Idle);
    add(writing > open.len() + results + others, Phase::BeforeFlush);
    add(open.len() > forwarded, Phase::BetweenIntentAndForward);
    add(forwarded > 0, Phase::BetweenForwardAndResult);
    add(results > 0, Phase::BetweenResultAndReply);
    add(others > 0, Phase::BetweenFlushAndReply);
    add(under_way > 0 && negotiating, Phase::Negotiating);
    phases
}

/// Whether whoever waits for what this records was answered; none where nobody waits for one answer.
fn is_told(leaf: LeafIndex, event: &Event, notes: &Notes) -> Option<bool> {
    match event {
        Event::GrantIssued(event) => Some(notes.links.contains_key(&event.chain_id)),
        Event::Revoked(_) => Some(notes.revocations.contains_key(&leaf)),
        Event::InvocationEnded(event) if event.receipt.is_some() => {
            Some(notes.answers.contains_key(&event.invocation_id))
        }
        _ => None,
    }
}
