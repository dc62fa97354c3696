//! The state machines as the specification's tables have them, written down a second time: every
//! move that is allowed, and why each other one is not.

use countersign_protocol::{
    contract, negotiation,
    payload::{Code as _, Field, Reader, Writer},
    refusal::Reason,
};

/// The allowed moves as `FROM --input→ TO`, and the refused ones as (state, reason), each in the
/// order of the codes.
macro_rules! moves {
    ($machine:ident) => {{
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        for &state in $machine::State::ALL {
            for &input in $machine::Input::ALL {
                match $machine::next(state, input) {
                    $machine::Cell::To { state: to, round } => {
                        let round = if round { " (round)" } else { "" };
                        allowed.push(format!("{} --{}→ {}{round}", state.name(), input.name(), to.name()));
                    }
                    $machine::Cell::Refuse(reason) => refused.push((state, reason)),
                }
            }
        }
        (allowed, refused)
    }};
}

#[test]
fn the_negotiation_allows_these_moves_and_no_other() {
    let (allowed, refused) = moves!(negotiation);
    assert_eq!(
        allowed,
        [
            "NONE --delegatee.request→ REQUESTED",
            "REQUESTED --delegator.offer→ OFFERED",
            "REQUESTED --delegator.reject→ TERMINATED",
            "REQUESTED --delegatee.withdraw→ TERMINATED",
            "REQUESTED --broker.deadline→ TERMINATED",
            "REQUESTED --broker.equivocation→ TERMINATED",
            "REQUESTED --broker.award→ TERMINATED",
            "OFFERED --delegatee.counter→ REQUESTED (round)",
            "OFFERED --delegatee.decline→ REQUESTED (round)",
            "OFFERED --delegatee.accept→ FINALIZED",
            "OFFERED --delegatee.reject→ TERMINATED",
            "OFFERED --delegator.withdraw→ TERMINATED",
            "OFFERED --broker.deadline→ TERMINATED",
            "OFFERED --broker.equivocation→ TERMINATED",
            "OFFERED --broker.award→ TERMINATED",
        ]
    );
    assert_eq!(allowed.len() + refused.len(), 5 * 12);
    for (state, reason) in refused {
        let unknown = state == negotiation::State::None;
        let expected = if unknown { Reason::NegotiationUnknown } else { Reason::MoveNotAllowed };
        assert_eq!(reason, expected, "{state:?}");
    }
}

#[test]
fn the_contract_allows_these_moves_and_no_other() {
    let (allowed, refused) = moves!(contract);
    assert_eq!(
        allowed,
        [
            "NONE --broker.finalize→ ACTIVE",
            "ACTIVE --broker.exhaust→ FULFILLED",
            "ACTIVE --broker.expire→ EXPIRED",
            "ACTIVE --party.revoke→ REVOKED",
            "ACTIVE --party.suspend→ SUSPENDED",
            "ACTIVE --party.retire→ RETIRED",
            "ACTIVE --party.breach→ BREACHED",
            "ACTIVE --broker.supersede→ SUPERSEDED",
            "ACTIVE --party.rebind→ REBOUND",
            "SUSPENDED --broker.exhaust→ FULFILLED",
            "SUSPENDED --broker.expire→ EXPIRED",
            "SUSPENDED --party.revoke→ REVOKED",
            "SUSPENDED --party.suspend→ SUSPENDED",
            "SUSPENDED --party.lift→ SUSPENDED",
            "SUSPENDED --party.resume→ ACTIVE",
            "SUSPENDED --party.retire→ RETIRED",
            "SUSPENDED --party.breach→ BREACHED",
        ]
    );
    assert_eq!(allowed.len() + refused.len(), 10 * 11);
    let live: Vec<_> = refused.iter().filter(|(_, reason)| *reason != Reason::ContractNotActive).collect();
    let (active, suspended) = (contract::State::Active, contract::State::Suspended);
    let of = |state| live.iter().filter(move |(it, _)| *it == state).map(|(_, reason)| *reason);
    // A second finalization: the id stands for this contract already.
    let (taken, not) = (Reason::IdAlreadyUsed, Reason::ContractNotSuspended);
    assert_eq!(of(active).collect::<Vec<_>>(), [taken, not, not]);
    assert_eq!(
        of(suspended).collect::<Vec<_>>(),
        [taken, Reason::ContractSuspended, Reason::ContractSuspended]
    );
    assert_eq!(of(contract::State::None).collect::<Vec<_>>(), [Reason::NotFound; 10]);
    let ended = refused.iter().filter(|(state, _)| state.is_terminal());
    assert_eq!(ended.count(), 7 * 11);
    assert_eq!(live.len(), 3 + 3 + 10, "whatever has ended refuses everything for that");
}

#[test]
fn nothing_leads_out_of_a_terminal_state_and_something_out_of_every_other() {
    for &state in negotiation::State::ALL {
        let leads_on = negotiation::Input::ALL
            .iter()
            .any(|&input| matches!(negotiation::next(state, input), negotiation::Cell::To { .. }));
        assert_eq!(leads_on, !state.is_terminal(), "{}", state.name());
    }
    for &state in contract::State::ALL {
        let leads_on = contract::Input::ALL
            .iter()
            .any(|&input| matches!(contract::next(state, input), contract::Cell::To { .. }));
        assert_eq!(leads_on, !state.is_terminal(), "{}", state.name());
    }
}

#[test]
fn a_state_on_the_wire_is_stated_and_known() {
    let read = |bytes: &[u8]| contract::State::take(1, &mut Reader::new(bytes));
    let mut writer = Writer::default();
    contract::State::Revoked.put(1, &mut writer);
    assert_eq!(read(&writer.into_bytes()), Ok(contract::State::Revoked));
    assert!(read(&[]).is_err(), "a state that is not stated is none");
    assert!(read(&[0x08, 0x0b]).is_err(), "no state has this code");
    assert_eq!(contract::State::from_code(0), None);
}
