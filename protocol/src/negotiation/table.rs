// Generated from spec/machines/negotiation.toml by `cargo xtask codegen`. Do not edit.

use crate::refusal::Reason;

crate::code_enum! {
    /// A state of the negotiation.
    pub enum State {
        /// Nothing was said yet; the broker holds nothing.
        None = 1,
        /// The delegatee's request stands; it is for the delegator to answer.
        Requested = 2,
        /// The delegator's complete, signed offer stands; it is for the delegatee to answer.
        Offered = 3,
        /// Both signed the contract, and one commit made it active.
        Finalized = 4,
        /// It ended without a contract; no offer made in it is of any use.
        Terminated = 5,
    }
}

impl State {
    /// Each of them, in order of the codes.
    pub const ALL: &[State] =
        &[State::None, State::Requested, State::Offered, State::Finalized, State::Terminated];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Requested => "REQUESTED",
            State::Offered => "OFFERED",
            State::Finalized => "FINALIZED",
            State::Terminated => "TERMINATED",
        }
    }

    /// Whether nothing leads out of this state.
    pub const fn is_terminal(self) -> bool {
        match self {
            State::None => false,
            State::Requested => false,
            State::Offered => false,
            State::Finalized => true,
            State::Terminated => true,
        }
    }
}

crate::code_enum! {
    /// What moves the negotiation, and who caused it.
    pub enum Input {
        /// The delegatee asks for rights.
        DelegateeRequest = 1,
        /// The delegator signs a complete contract and its hop, and offers them.
        DelegatorOffer = 2,
        /// The delegatee answers an offer with another request.
        DelegateeCounter = 3,
        /// The delegatee turns an offer down and keeps its request.
        DelegateeDecline = 4,
        /// The delegatee signs the contract on offer.
        DelegateeAccept = 5,
        /// The delegator ends the negotiation in answer to a request.
        DelegatorReject = 6,
        /// The delegatee ends the negotiation in answer to an offer.
        DelegateeReject = 7,
        /// The delegator takes its offer back.
        DelegatorWithdraw = 8,
        /// The delegatee takes its request back.
        DelegateeWithdraw = 9,
        /// The negotiation's deadline passed.
        BrokerDeadline = 10,
        /// A party signed two different moves for the same place.
        BrokerEquivocation = 11,
        /// The delegatee accepted another offer under the same award.
        BrokerAward = 12,
    }
}

impl Input {
    /// Each of them, in order of the codes.
    pub const ALL: &[Input] = &[
        Input::DelegateeRequest,
        Input::DelegatorOffer,
        Input::DelegateeCounter,
        Input::DelegateeDecline,
        Input::DelegateeAccept,
        Input::DelegatorReject,
        Input::DelegateeReject,
        Input::DelegatorWithdraw,
        Input::DelegateeWithdraw,
        Input::BrokerDeadline,
        Input::BrokerEquivocation,
        Input::BrokerAward,
    ];

    /// The name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Input::DelegateeRequest => "delegatee.request",
            Input::DelegatorOffer => "delegator.offer",
            Input::DelegateeCounter => "delegatee.counter",
            Input::DelegateeDecline => "delegatee.decline",
            Input::DelegateeAccept => "delegatee.accept",
            Input::DelegatorReject => "delegator.reject",
            Input::DelegateeReject => "delegatee.reject",
            Input::DelegatorWithdraw => "delegator.withdraw",
            Input::DelegateeWithdraw => "delegatee.withdraw",
            Input::BrokerDeadline => "broker.deadline",
            Input::BrokerEquivocation => "broker.equivocation",
            Input::BrokerAward => "broker.award",
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
            Input::DelegateeRequest => Cell::To { state: State::Requested, round: false },
            Input::DelegatorOffer => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegateeCounter => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegateeDecline => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegateeAccept => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegatorReject => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegateeReject => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegatorWithdraw => Cell::Refuse(Reason::NegotiationUnknown),
            Input::DelegateeWithdraw => Cell::Refuse(Reason::NegotiationUnknown),
            Input::BrokerDeadline => Cell::Refuse(Reason::NegotiationUnknown),
            Input::BrokerEquivocation => Cell::Refuse(Reason::NegotiationUnknown),
            Input::BrokerAward => Cell::Refuse(Reason::NegotiationUnknown),
        },
        State::Requested => match input {
            Input::DelegateeRequest => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorOffer => Cell::To { state: State::Offered, round: false },
            Input::DelegateeCounter => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeDecline => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeAccept => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorReject => Cell::To { state: State::Terminated, round: false },
            Input::DelegateeReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeWithdraw => Cell::To { state: State::Terminated, round: false },
            Input::BrokerDeadline => Cell::To { state: State::Terminated, round: false },
            Input::BrokerEquivocation => Cell::To { state: State::Terminated, round: false },
            Input::BrokerAward => Cell::To { state: State::Terminated, round: false },
        },
        State::Offered => match input {
            Input::DelegateeRequest => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorOffer => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeCounter => Cell::To { state: State::Requested, round: true },
            Input::DelegateeDecline => Cell::To { state: State::Requested, round: true },
            Input::DelegateeAccept => Cell::To { state: State::Finalized, round: false },
            Input::DelegatorReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeReject => Cell::To { state: State::Terminated, round: false },
            Input::DelegatorWithdraw => Cell::To { state: State::Terminated, round: false },
            Input::DelegateeWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerDeadline => Cell::To { state: State::Terminated, round: false },
            Input::BrokerEquivocation => Cell::To { state: State::Terminated, round: false },
            Input::BrokerAward => Cell::To { state: State::Terminated, round: false },
        },
        State::Finalized => match input {
            Input::DelegateeRequest => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorOffer => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeCounter => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeDecline => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeAccept => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerDeadline => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerEquivocation => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerAward => Cell::Refuse(Reason::MoveNotAllowed),
        },
        State::Terminated => match input {
            Input::DelegateeRequest => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorOffer => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeCounter => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeDecline => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeAccept => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeReject => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegatorWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::DelegateeWithdraw => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerDeadline => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerEquivocation => Cell::Refuse(Reason::MoveNotAllowed),
            Input::BrokerAward => Cell::Refuse(Reason::MoveNotAllowed),
        },
    }
}
