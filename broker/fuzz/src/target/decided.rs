//! What holds of every decision, whatever was decided.

use countersign_protocol::{
    audit::Audit,
    capability::Amount,
    domain::{Chain, Context, Decision, Entry, Event, State},
    key::SigningKey,
    ledger::{Checkpoint, Origin, SignedCheckpoint},
    limits::PAYLOAD_MAX_BYTES,
    payload::Payload,
    signed::Signed,
    token::{ActiveToken, UnverifiedToken},
};

use super::Verdict;
use crate::{
    grammar, keys,
    scene::{SCENE, Scene},
};

/// Reads a statement and has it decided: as it is, and signed anew by whoever `signer` says must sign it.
/// `anew` may also sign what the statement itself holds.
pub(super) fn judge(
    bytes: &[u8],
    signer: impl Fn(&Signed) -> Option<SigningKey>,
    anew: impl Fn(Signed, &SigningKey) -> Signed,
    decide: impl Fn(&State, &Context<'_>, &Signed) -> Decision,
) -> Verdict {
    let Some(signed) = grammar::read::<Signed>(bytes) else { return Verdict::Refused };
    let scene = &*SCENE;
    let verdict = settle(scene, &signed, &decide);
    assert!(verdict == Verdict::Refused || scene.knows(&signed), "nobody signed {signed:?}");
    match signer(&signed) {
        Some(key) => verdict.or(settle(scene, &anew(keys::signed_by(&signed, &key), &key), &decide)),
        None => verdict,
    }
}

/// Decides, and holds what is decided against everything that must be true of it.
pub(super) fn settle(
    scene: &Scene,
    signed: &Signed,
    decide: &impl Fn(&State, &Context<'_>, &Signed) -> Decision,
) -> Verdict {
    let state = &scene.world.state;
    let decision = scene.decide(|context| decide(state, context, signed));
    assert_eq!(decision, scene.decide(|context| decide(state, context, signed)), "decided differently");
    let events = match decision {
        Ok(events) => events,
        Err(refusal) => {
            assert!(!refusal.rule().is_empty());
            return Verdict::Refused;
        }
    };
    let Some(after) = follow(scene, events) else { return Verdict::Refused };
    // Sent again, it is answered from the state, or refused.
    let retried = scene.decide(|context| decide(&after, context, signed));
    assert!(retried.as_ref().is_ok_and(Vec::is_empty) || retried.is_err(), "decided twice: {retried:?}");
    Verdict::Accepted
}

/// The state after these events, which an audit must find nothing in. `None` where an entry is longer
/// than the ledger takes: the shell refuses that (LOG-003).
pub(super) fn follow(scene: &Scene, events: Vec<Event>) -> Option<State> {
    let (mut state, mut audit) = (scene.world.state.clone(), scene.audit.clone());
    for event in &events {
        let entry = Entry { time: scene.world.now, event: event.clone() };
        let bytes = entry.to_bytes();
        if bytes.len() > PAYLOAD_MAX_BYTES {
            return None;
        }
        assert_eq!(grammar::read::<Entry>(&bytes).as_ref(), Some(&entry));
        state = state.evolve(&entry);
        audit = audit.entry(&bytes);
    }
    check_audit(audit, &state);
    check_accounts(&state);
    events.iter().for_each(|event| check_token(&state, event));
    Some(state)
}

fn check_audit(audit: Audit, state: &State) {
    let origin = Origin::of(&countersign_forge::domain());
    let checkpoint = Checkpoint { origin, size: state.tree().size(), root: state.tree().root() };
    let report = audit.finish(&SignedCheckpoint::sign(&checkpoint, &countersign_forge::domain_key(203)));
    assert!(report.is_clean(), "an audit objects: {:?}", report.findings);
}

/// No account is overdrawn, and a parent holds exactly what its children may still use.
fn check_accounts(state: &State) {
    let chains = state.grants().map(|(_, id)| id).chain(state.contracts().map(|(_, id)| id));
    for chain in chains.filter_map(|id| state.chain(id)) {
        let account = &chain.account;
        let balance = account.balance();
        let sum = |a: Amount, b: Amount| a.plus(b).expect("no amount is that large");
        let committed = sum(sum(balance.settled, balance.open), balance.delegated);
        assert!(committed <= account.budget().ceiling, "overdrawn: {account:?}");
        let children = chain.children.iter().filter_map(|id| state.chain(id));
        let held = children.map(|child: &Chain| child.account.held()).fold(Amount::ZERO, sum);
        assert_eq!(held, balance.delegated, "what is held for children");
    }
}

/// A chain that was made has a token that verifies, and an activation that is its own.
fn check_token(state: &State, event: &Event) {
    let (chain_id, token) = match event {
        Event::GrantIssued(event) => (event.chain_id, &event.token),
        Event::ContractFinalized(event) => (event.chain_id, &event.token),
        _ => return,
    };
    let token = UnverifiedToken::from_bytes(token.clone()).verify(state.keys().unwrap());
    let token = token.expect("the token of a chain verifies");
    assert_eq!(token.chain_id(), chain_id);
    ActiveToken::new(token, state.activation(chain_id).unwrap()).expect("it is activated");
}
