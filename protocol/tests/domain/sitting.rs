//! Explaining requests of sessions: what signatures show of them, and what only the broker says.

use countersign_protocol::{
    capability::Amount,
    domain::{InvocationOutcome, SessionCause},
    explain::{Attested, Bundle, Explanation, Proven},
    id::InvocationId,
    session::Side,
};

use crate::{
    explain::{bundle, verify},
    invocation::request,
    session::Sitting,
};

/// Three requests with their results, of which both sides have signed for the first two.
pub(crate) fn used() -> Sitting {
    let mut sitting = Sitting::begin(10);
    for _ in 0..2 {
        sitting.ask().unwrap();
        sitting.tell(1).unwrap();
    }
    sitting.sign(Side::Caller).unwrap();
    sitting.sign(Side::Callee).unwrap();
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    sitting
}

pub(crate) fn shown(sitting: &Sitting, seq: u64) -> Bundle {
    bundle(&sitting.world, InvocationId::in_session(sitting.id(), seq), sitting.chain)
}

fn explained(sitting: &Sitting, seq: u64) -> Explanation {
    verify(&shown(sitting, seq)).unwrap()
}

#[test]
fn what_both_sides_signed_for_is_proven() {
    let sitting = used();
    for seq in [1, 2] {
        let explanation = explained(&sitting, seq);
        let caller = sitting.world.agent("planner").id;
        assert!(explanation.proven.contains(&Proven::RequestedInSession(caller)), "{seq}");
        let settled = Amount::new(1).unwrap();
        assert!(explanation.proven.contains(&Proven::ResultedInSession { settled }), "{seq}");
        assert!(!explanation.attested.contains(&Attested::RequestInSession));
        assert!(!explanation.attested.contains(&Attested::ResultInSession));
        let end = explanation.end.unwrap();
        assert_eq!((end.outcome, end.result.unwrap().seq), (InvocationOutcome::InSession, seq));
        assert_eq!(explanation.session, Some(sitting.id()));
        assert_eq!(explanation.resource, request().resource);
    }
}

/// A tail that was uncovered when the session ended stays so.
#[test]
fn a_tail_that_nobody_signed_for_is_session_attested() {
    let mut sitting = used();
    sitting.end(SessionCause::CallerLeft).unwrap();
    let explanation = explained(&sitting, 3);
    assert!(explanation.attested.contains(&Attested::RequestInSession));
    assert!(explanation.attested.contains(&Attested::ResultInSession));
    assert!(!explanation.proven.iter().any(|it| matches!(it, Proven::RequestedInSession(_))));
    assert!(!explanation.proven.iter().any(|it| matches!(it, Proven::ResultedInSession { .. })));
}

#[test]
fn what_is_open_or_unknown_is_said_to_be_so_and_a_late_result_is_shown() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    assert!(explained(&sitting, 1).attested.contains(&Attested::StillOpen));
    let id = InvocationId::in_session(sitting.id(), 1);
    let end = countersign_protocol::domain::End::Unknown;
    sitting.world.decide(|state, context| state.decide_end(context, id, &end)).unwrap();
    assert!(explained(&sitting, 1).attested.contains(&Attested::NoReceiptCame));
    sitting.tell(0).unwrap();
    sitting.sign(Side::Callee).unwrap();
    let explanation = explained(&sitting, 1);
    assert!(explanation.attested.contains(&Attested::NoReceiptCame));
    assert!(explanation.proven.contains(&Proven::ResultedInSession { settled: Amount::ZERO }));
}
