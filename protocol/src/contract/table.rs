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
        /// Its grantor or an admin holds it up: nothing is used under it, and nothing of it is released.
        Suspended = 6,
        /// Its holder gave it back.
        Retired = 7,
        /// A later contract between the same two took its place.
        Superseded = 8,
        /// One side ended it and says that the other broke it.
        Breached = 9,
        /// Another instance of its holder took it over, under another chain id.
        Rebound = 10,
    }
}

impl State {
    /// Each of them, in order of the codes.
    pub const ALL: &[State] = &[
        State::None,
        State::Active,
        State::Fulfilled,
        State::Expired,
        State::Revoked,
        State::Suspended,
        State::Retired,
        State::Superseded,
        State::Breached,
        State::Rebound,
    ];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Active => "ACTIVE",
            State::Fulfilled => "FULFILLED",
            State::Expired => "EXPIRED",
            State::Revoked => "REVOKED",
            State::Suspended => "SUSPENDED",
            State::Retired => "RETIRED",
            State::Superseded => "SUPERSEDED",
            State::Breached => "BREACHED",
            State::Rebound => "REBOUND",
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
            State::Suspended => false,
            State::Retired => true,
            State::Superseded => true,
            State::Breached => true,
            State::Rebound => true,
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
        /// The grantor or an admin suspended it.
        PartySuspend = 5,
        /// The grantor or an admin took its suspension back, and the other's stands.
        PartyLift = 6,
        /// The last suspension was taken back by the side whose it was.
        PartyResume = 7,
        /// The holder gave it back.
        PartyRetire = 8,
        /// The grantor or the holder declared that the other side broke it.
        PartyBreach = 9,
        /// A contract that says that it replaces this one was finalized.
        BrokerSupersede = 10,
        /// A fresh instance of its holder took it over, as the contract allows.
        PartyRebind = 11,
    }
}

impl Input {
    /// Each of them, in order of the codes.
    pub const ALL: &[Input] = &[
        Input::BrokerFinalize,
        Input::BrokerExhaust,
        Input::BrokerExpire,
        Input::PartyRevoke,
        Input::PartySuspend,
        Input::PartyLift,
        Input::PartyResume,
        Input::PartyRetire,
        Input::PartyBreach,
        Input::BrokerSupersede,
        Input::PartyRebind,
    ];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Input::BrokerFinalize => "broker.finalize",
            Input::BrokerExhaust => "broker.exhaust",
            Input::BrokerExpire => "broker.expire",
            Input::PartyRevoke => "party.revoke",
            Input::PartySuspend => "party.suspend",
            Input::PartyLift => "party.lift",
            Input::PartyResume => "party.resume",
            Input::PartyRetire => "party.retire",
            Input::PartyBreach => "party.breach",
            Input::BrokerSupersede => "broker.supersede",
            Input::PartyRebind => "party.rebind",
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
            Input::PartySuspend => Cell::Refuse(Reason::NotFound),
            Input::PartyLift => Cell::Refuse(Reason::NotFound),
            Input::PartyResume => Cell::Refuse(Reason::NotFound),
            Input::PartyRetire => Cell::Refuse(Reason::NotFound),
            Input::PartyBreach => Cell::Refuse(Reason::NotFound),
            Input::BrokerSupersede => Cell::Refuse(Reason::NotFound),
            Input::PartyRebind => Cell::Refuse(Reason::NotFound),
        },
        State::Active => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::IdAlreadyUsed),
            Input::BrokerExhaust => Cell::To { state: State::Fulfilled, round: false },
            Input::BrokerExpire => Cell::To { state: State::Expired, round: false },
            Input::PartyRevoke => Cell::To { state: State::Revoked, round: false },
            Input::PartySuspend => Cell::To { state: State::Suspended, round: false },
            Input::PartyLift => Cell::Refuse(Reason::ContractNotSuspended),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotSuspended),
            Input::PartyRetire => Cell::To { state: State::Retired, round: false },
            Input::PartyBreach => Cell::To { state: State::Breached, round: false },
            Input::BrokerSupersede => Cell::To { state: State::Superseded, round: false },
            Input::PartyRebind => Cell::To { state: State::Rebound, round: false },
        },
        State::Fulfilled => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Expired => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Revoked => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Suspended => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::IdAlreadyUsed),
            Input::BrokerExhaust => Cell::To { state: State::Fulfilled, round: false },
            Input::BrokerExpire => Cell::To { state: State::Expired, round: false },
            Input::PartyRevoke => Cell::To { state: State::Revoked, round: false },
            Input::PartySuspend => Cell::To { state: State::Suspended, round: false },
            Input::PartyLift => Cell::To { state: State::Suspended, round: false },
            Input::PartyResume => Cell::To { state: State::Active, round: false },
            Input::PartyRetire => Cell::To { state: State::Retired, round: false },
            Input::PartyBreach => Cell::To { state: State::Breached, round: false },
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractSuspended),
            Input::PartyRebind => Cell::Refuse(Reason::ContractSuspended),
        },
        State::Retired => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Superseded => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Breached => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
        State::Rebound => match input {
            Input::BrokerFinalize => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExhaust => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerExpire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRevoke => Cell::Refuse(Reason::ContractNotActive),
            Input::PartySuspend => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyLift => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyResume => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRetire => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyBreach => Cell::Refuse(Reason::ContractNotActive),
            Input::BrokerSupersede => Cell::Refuse(Reason::ContractNotActive),
            Input::PartyRebind => Cell::Refuse(Reason::ContractNotActive),
        },
    }
}
