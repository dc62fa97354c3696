// Generated from spec/machines/contract.toml by `cargo xtask codegen`. Do not edit.

use crate::refusal::Reason;

crate::code_enum! {
    /// A state of the contract.
    pub enum State {
        /// There is no such contract.
        None = 1,
        /// Signed by both, activated, and in force within its times.
        Active = 2,
        /// Its budget is used up.
        Fulfilled = 3,
        /// Its time is over.
        Expired = 4,
        /// Someone entitled to it took it back.
        Revoked = 5,
    }
}

impl State {
    /// Each of them, in order of the codes.
    pub const ALL: &[State] = &[State::None, State::Active, State::Fulfilled, State::Expired, State::Revoked];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Active => "ACTIVE",
            State::Fulfilled => "FULFILLED",
            State::Expired => "EXPIRED",
            State::Revoked => "REVOKED",
        }
    }

    /// Whether nothing leads out of this state.
    pub const fn is_terminal(self) -> bool {
        match self {
            State::None => false,
            State::Active => false,
            State::Fulfilled => true,
            State::Expired => true,
            State::Revoked => true,
        }
    }
}

crate::code_enum! {
    /// What moves the contract, and who caused it.
    pub enum Input {
        /// A negotiation was finalized: both signatures hold and the activation is signed.
        BrokerFinalize = 1,
        /// The last of the budget was settled.
        BrokerExhaust = 2,
        /// The end of its validity passed.
        BrokerExpire = 3,
        /// A grantor further up the chain, the holder or an admin revoked it.
        PartyRevoke = 4,
    }
}

impl Input {
    /// Each of them, in order of the codes.
    pub const ALL: &[Input] =
        &[Input::BrokerFinalize, Input::BrokerExhaust, Input::BrokerExpire, Input::PartyRevoke];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Input::BrokerFinalize => "broker.finalize",
            Input::BrokerExhaust => "broker.exhaust",
            Input::BrokerExpire => "broker.expire",
            Input::PartyRevoke => "party.revoke",
        }
    }
}

/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The input is allowed.
    To {
        /// The state that follows.
        state: State,
        /// Whether it uses one of the rounds.
        round: bool,
    },
    /// The input changes nothing, and this is why.
    Refuse(Reason),
}

/// What follows from an input in a state.
pub const fn next(state: State, input: Input) -> Cell {
    match state {
        State::None => match input {
            Input::BrokerFinalize => Cell::To { state: State::Active, round: false },
            Input::BrokerExhaust => Cell::Refuse(Reason::NotFound),
            Input::BrokerExpire => Cell::Refuse(Reason::NotFound),
            Input::PartyRevoke => Cell::Refuse(Reason::NotFound),
        },
        State::Active => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::IdAlreadyUsed),
            Input::BrokerExhaust => Cell::To { state: State::Fulfilled, round: false },
            Input::BrokerExpire => Cell::To { state: State::Expired, round: false },
            Input::PartyRevoke => Cell::To { state: State::Revoked, round: false },
        },
        State::Fulfilled => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Expired => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Revoked => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
        },
    }
}
