// Generated from spec/errors.toml by `cargo xtask codegen`. Do not edit.

use super::Retry;

/// A reason from the closed registry `spec/errors.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The accepted contract is not the one on offer.
    AcceptMismatch,
    /// This needs an admin of the trust domain.
    AdminRequired,
    /// An offer was accepted under this award already.
    AlreadyAwarded,
    /// The chain does not name this callee.
    AudienceMismatch,
    /// The broker is about to stop and takes nothing new.
    BrokerDraining,
    /// The budget does not cover this.
    BudgetExceeded,
    /// The budget of the current window is used up.
    BudgetWindowExceeded,
    /// The evidence does not verify.
    BundleInvalid,
    /// The callee's answer was not a valid receipt; the invocation's outcome is unknown.
    CalleeFault,
    /// The callee is not connected, or is not keeping up.
    CalleeUnavailable,
    /// The certificate of this connection has expired.
    CertificateExpired,
    /// A principal stands twice in one chain.
    ChainLoops,
    /// The chain has more hops than any verifier takes.
    ChainTooDeep,
    /// That is for another side of the contract, or for an admin.
    ChangeNotAllowed,
    /// The statement was not made by the identity that this channel authenticated.
    ChannelMismatch,
    /// No capability in the chain allows this request.
    CheckFailed,
    /// The broker's clock is behind its ledger, so it decides nothing.
    ClockWentBack,
    /// A contract in the chain is no longer active.
    ContractNotActive,
    /// Whoever asks has not suspended this.
    ContractNotSuspended,
    /// A contract in the chain is suspended.
    ContractSuspended,
    /// The callee did not answer in time; the invocation's outcome is unknown.
    DeadlineExceeded,
    /// The deadline has passed.
    DeadlinePassed,
    /// One sender signed two different moves for the same place; the negotiation has ended.
    Equivocation,
    /// A critical extension is not known here.
    ExtensionUnknown,
    /// No grant rule of the trust domain allows this grant.
    GrantNotAllowed,
    /// A hop is not signed by the holder that the hop before it names.
    HopNotByHolder,
    /// This id stands for something else already.
    IdAlreadyUsed,
    /// Two processes renewed the same identity; the instance is locked.
    InstanceForked,
    /// This instance was revoked.
    InstanceRevoked,
    /// No live instance with this identity is known.
    InstanceUnknown,
    /// The invocation was cancelled before it reached the callee: nothing was done, nothing was spent.
    InvocationCancelled,
    /// This invocation id stands for a different request.
    InvocationConflict,
    /// The invocation's id is of another time, so whether it was used before is not remembered.
    InvocationIdStale,
    /// The join token is unknown, used, expired or for someone else.
    JoinRefused,
    /// The ledger cannot be written, so nothing was done.
    LedgerUnavailable,
    /// A size or count is beyond its limit.
    LimitExceeded,
    /// Two views of the ledger contradict each other.
    LogInconsistent,
    /// This move is not allowed in this state by this role.
    MoveNotAllowed,
    /// A name is not in its normal form.
    NameNotNormal,
    /// There is no such negotiation.
    NegotiationUnknown,
    /// The chain has no activation from its home ledger.
    NotActivated,
    /// This caller is not admitted.
    NotAdmitted,
    /// There is nothing here that is available to you.
    NotAvailable,
    /// The sender is not a party to this.
    NotAParty,
    /// There is no such thing.
    NotFound,
    /// The offer expired before it was accepted.
    OfferExpired,
    /// The offer's contract does not say what the negotiation, the chain or the parties say.
    OfferMismatch,
    /// The callee had the invocation and gave no valid receipt: it may have been done.
    OutcomeUnknown,
    /// A link of the chain is not valid at this time.
    OutsideValidity,
    /// The sequence number or round is not the next one.
    OutOfSequence,
    /// A queue that is bounded is full.
    Overloaded,
    /// The grantor's own right ended or changed since the offer.
    ParentChanged,
    /// The bytes are not a payload of the strict grammar.
    PayloadMalformed,
    /// What would be revoked has changed since it was counted.
    PreviewStale,
    /// The holder's proof is outside its time.
    ProofExpired,
    /// The holder's proof does not belong to this holder and this request.
    ProofInvalid,
    /// This proof was used before.
    ProofReplayed,
    /// This chain is not for that instance to take over.
    RebindNotAllowed,
    /// The invocation completed; its body is no longer kept.
    ResultNotRetained,
    /// Only a grantor further up the chain, the holder itself or an admin can revoke this.
    RevocationNotAllowed,
    /// A link of the chain was revoked.
    Revoked,
    /// A hop allows something that the hop before it does not.
    RightsWidened,
    /// The negotiation has used all its rounds.
    RoundsExhausted,
    /// A contract of the chain asks for a signed receipt of each invocation.
    SessionNotAllowed,
    /// The session is not open, or it has ended.
    SessionOver,
    /// A signature does not verify under the key that must have made it.
    SignatureInvalid,
    /// Another move came first.
    StaleTranscript,
    /// The statement was signed too long ago, or ahead of the broker's clock.
    StatementStale,
    /// The token is not a canonical token of this profile.
    TokenMalformed,
    /// The token's signatures do not lead back to this trust domain's key.
    TokenUntrusted,
    /// This broker does not serve that trust domain.
    WrongDomain,
}

impl Reason {
    /// Every reason.
    pub const ALL: &[Reason] = &[
        Reason::AcceptMismatch,
        Reason::AdminRequired,
        Reason::AlreadyAwarded,
        Reason::AudienceMismatch,
        Reason::BrokerDraining,
        Reason::BudgetExceeded,
        Reason::BudgetWindowExceeded,
        Reason::BundleInvalid,
        Reason::CalleeFault,
        Reason::CalleeUnavailable,
        Reason::CertificateExpired,
        Reason::ChainLoops,
        Reason::ChainTooDeep,
        Reason::ChangeNotAllowed,
        Reason::ChannelMismatch,
        Reason::CheckFailed,
        Reason::ClockWentBack,
        Reason::ContractNotActive,
        Reason::ContractNotSuspended,
        Reason::ContractSuspended,
        Reason::DeadlineExceeded,
        Reason::DeadlinePassed,
        Reason::Equivocation,
        Reason::ExtensionUnknown,
        Reason::GrantNotAllowed,
        Reason::HopNotByHolder,
        Reason::IdAlreadyUsed,
        Reason::InstanceForked,
        Reason::InstanceRevoked,
        Reason::InstanceUnknown,
        Reason::InvocationCancelled,
        Reason::InvocationConflict,
        Reason::InvocationIdStale,
        Reason::JoinRefused,
        Reason::LedgerUnavailable,
        Reason::LimitExceeded,
        Reason::LogInconsistent,
        Reason::MoveNotAllowed,
        Reason::NameNotNormal,
        Reason::NegotiationUnknown,
        Reason::NotActivated,
        Reason::NotAdmitted,
        Reason::NotAvailable,
        Reason::NotAParty,
        Reason::NotFound,
        Reason::OfferExpired,
        Reason::OfferMismatch,
        Reason::OutcomeUnknown,
        Reason::OutsideValidity,
        Reason::OutOfSequence,
        Reason::Overloaded,
        Reason::ParentChanged,
        Reason::PayloadMalformed,
        Reason::PreviewStale,
        Reason::ProofExpired,
        Reason::ProofInvalid,
        Reason::ProofReplayed,
        Reason::RebindNotAllowed,
        Reason::ResultNotRetained,
        Reason::RevocationNotAllowed,
        Reason::Revoked,
        Reason::RightsWidened,
        Reason::RoundsExhausted,
        Reason::SessionNotAllowed,
        Reason::SessionOver,
        Reason::SignatureInvalid,
        Reason::StaleTranscript,
        Reason::StatementStale,
        Reason::TokenMalformed,
        Reason::TokenUntrusted,
        Reason::WrongDomain,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::AcceptMismatch => "ACCEPT_MISMATCH",
            Reason::AdminRequired => "ADMIN_REQUIRED",
            Reason::AlreadyAwarded => "ALREADY_AWARDED",
            Reason::AudienceMismatch => "AUDIENCE_MISMATCH",
            Reason::BrokerDraining => "BROKER_DRAINING",
            Reason::BudgetExceeded => "BUDGET_EXCEEDED",
            Reason::BudgetWindowExceeded => "BUDGET_WINDOW_EXCEEDED",
            Reason::BundleInvalid => "BUNDLE_INVALID",
            Reason::CalleeFault => "CALLEE_FAULT",
            Reason::CalleeUnavailable => "CALLEE_UNAVAILABLE",
            Reason::CertificateExpired => "CERTIFICATE_EXPIRED",
            Reason::ChainLoops => "CHAIN_LOOPS",
            Reason::ChainTooDeep => "CHAIN_TOO_DEEP",
            Reason::ChangeNotAllowed => "CHANGE_NOT_ALLOWED",
            Reason::ChannelMismatch => "CHANNEL_MISMATCH",
            Reason::CheckFailed => "CHECK_FAILED",
            Reason::ClockWentBack => "CLOCK_WENT_BACK",
            Reason::ContractNotActive => "CONTRACT_NOT_ACTIVE",
            Reason::ContractNotSuspended => "CONTRACT_NOT_SUSPENDED",
            Reason::ContractSuspended => "CONTRACT_SUSPENDED",
            Reason::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Reason::DeadlinePassed => "DEADLINE_PASSED",
            Reason::Equivocation => "EQUIVOCATION",
            Reason::ExtensionUnknown => "EXTENSION_UNKNOWN",
            Reason::GrantNotAllowed => "GRANT_NOT_ALLOWED",
            Reason::HopNotByHolder => "HOP_NOT_BY_HOLDER",
            Reason::IdAlreadyUsed => "ID_ALREADY_USED",
            Reason::InstanceForked => "INSTANCE_FORKED",
            Reason::InstanceRevoked => "INSTANCE_REVOKED",
            Reason::InstanceUnknown => "INSTANCE_UNKNOWN",
            Reason::InvocationCancelled => "INVOCATION_CANCELLED",
            Reason::InvocationConflict => "INVOCATION_CONFLICT",
            Reason::InvocationIdStale => "INVOCATION_ID_STALE",
            Reason::JoinRefused => "JOIN_REFUSED",
            Reason::LedgerUnavailable => "LEDGER_UNAVAILABLE",
            Reason::LimitExceeded => "LIMIT_EXCEEDED",
            Reason::LogInconsistent => "LOG_INCONSISTENT",
            Reason::MoveNotAllowed => "MOVE_NOT_ALLOWED",
            Reason::NameNotNormal => "NAME_NOT_NORMAL",
            Reason::NegotiationUnknown => "NEGOTIATION_UNKNOWN",
            Reason::NotActivated => "NOT_ACTIVATED",
            Reason::NotAdmitted => "NOT_ADMITTED",
            Reason::NotAvailable => "NOT_AVAILABLE",
            Reason::NotAParty => "NOT_A_PARTY",
            Reason::NotFound => "NOT_FOUND",
            Reason::OfferExpired => "OFFER_EXPIRED",
            Reason::OfferMismatch => "OFFER_MISMATCH",
            Reason::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Reason::OutsideValidity => "OUTSIDE_VALIDITY",
            Reason::OutOfSequence => "OUT_OF_SEQUENCE",
            Reason::Overloaded => "OVERLOADED",
            Reason::ParentChanged => "PARENT_CHANGED",
            Reason::PayloadMalformed => "PAYLOAD_MALFORMED",
            Reason::PreviewStale => "PREVIEW_STALE",
            Reason::ProofExpired => "PROOF_EXPIRED",
            Reason::ProofInvalid => "PROOF_INVALID",
            Reason::ProofReplayed => "PROOF_REPLAYED",
            Reason::RebindNotAllowed => "REBIND_NOT_ALLOWED",
            Reason::ResultNotRetained => "RESULT_NOT_RETAINED",
            Reason::RevocationNotAllowed => "REVOCATION_NOT_ALLOWED",
            Reason::Revoked => "REVOKED",
            Reason::RightsWidened => "RIGHTS_WIDENED",
            Reason::RoundsExhausted => "ROUNDS_EXHAUSTED",
            Reason::SessionNotAllowed => "SESSION_NOT_ALLOWED",
            Reason::SessionOver => "SESSION_OVER",
            Reason::SignatureInvalid => "SIGNATURE_INVALID",
            Reason::StaleTranscript => "STALE_TRANSCRIPT",
            Reason::StatementStale => "STATEMENT_STALE",
            Reason::TokenMalformed => "TOKEN_MALFORMED",
            Reason::TokenUntrusted => "TOKEN_UNTRUSTED",
            Reason::WrongDomain => "WRONG_DOMAIN",
        }
    }

    /// The gRPC status code's number.
    pub const fn grpc_code(self) -> i32 {
        match self {
            Reason::AcceptMismatch => 9,
            Reason::AdminRequired => 7,
            Reason::AlreadyAwarded => 9,
            Reason::AudienceMismatch => 7,
            Reason::BrokerDraining => 14,
            Reason::BudgetExceeded => 8,
            Reason::BudgetWindowExceeded => 8,
            Reason::BundleInvalid => 15,
            Reason::CalleeFault => 14,
            Reason::CalleeUnavailable => 14,
            Reason::CertificateExpired => 16,
            Reason::ChainLoops => 7,
            Reason::ChainTooDeep => 7,
            Reason::ChangeNotAllowed => 7,
            Reason::ChannelMismatch => 16,
            Reason::CheckFailed => 7,
            Reason::ClockWentBack => 14,
            Reason::ContractNotActive => 7,
            Reason::ContractNotSuspended => 9,
            Reason::ContractSuspended => 7,
            Reason::DeadlineExceeded => 4,
            Reason::DeadlinePassed => 9,
            Reason::Equivocation => 9,
            Reason::ExtensionUnknown => 3,
            Reason::GrantNotAllowed => 7,
            Reason::HopNotByHolder => 7,
            Reason::IdAlreadyUsed => 6,
            Reason::InstanceForked => 16,
            Reason::InstanceRevoked => 16,
            Reason::InstanceUnknown => 16,
            Reason::InvocationCancelled => 10,
            Reason::InvocationConflict => 6,
            Reason::InvocationIdStale => 9,
            Reason::JoinRefused => 16,
            Reason::LedgerUnavailable => 14,
            Reason::LimitExceeded => 3,
            Reason::LogInconsistent => 15,
            Reason::MoveNotAllowed => 9,
            Reason::NameNotNormal => 3,
            Reason::NegotiationUnknown => 5,
            Reason::NotActivated => 7,
            Reason::NotAdmitted => 16,
            Reason::NotAvailable => 5,
            Reason::NotAParty => 7,
            Reason::NotFound => 5,
            Reason::OfferExpired => 9,
            Reason::OfferMismatch => 3,
            Reason::OutcomeUnknown => 10,
            Reason::OutsideValidity => 7,
            Reason::OutOfSequence => 10,
            Reason::Overloaded => 8,
            Reason::ParentChanged => 9,
            Reason::PayloadMalformed => 3,
            Reason::PreviewStale => 10,
            Reason::ProofExpired => 7,
            Reason::ProofInvalid => 7,
            Reason::ProofReplayed => 7,
            Reason::RebindNotAllowed => 7,
            Reason::ResultNotRetained => 10,
            Reason::RevocationNotAllowed => 7,
            Reason::Revoked => 7,
            Reason::RightsWidened => 7,
            Reason::RoundsExhausted => 9,
            Reason::SessionNotAllowed => 9,
            Reason::SessionOver => 9,
            Reason::SignatureInvalid => 3,
            Reason::StaleTranscript => 10,
            Reason::StatementStale => 9,
            Reason::TokenMalformed => 3,
            Reason::TokenUntrusted => 7,
            Reason::WrongDomain => 3,
        }
    }

    /// How a caller may try again.
    pub const fn retry(self) -> Retry {
        match self {
            Reason::AcceptMismatch => Retry::Fresh,
            Reason::AdminRequired => Retry::No,
            Reason::AlreadyAwarded => Retry::No,
            Reason::AudienceMismatch => Retry::No,
            Reason::BrokerDraining => Retry::Later,
            Reason::BudgetExceeded => Retry::No,
            Reason::BudgetWindowExceeded => Retry::Later,
            Reason::BundleInvalid => Retry::No,
            Reason::CalleeFault => Retry::No,
            Reason::CalleeUnavailable => Retry::Later,
            Reason::CertificateExpired => Retry::Fresh,
            Reason::ChainLoops => Retry::No,
            Reason::ChainTooDeep => Retry::No,
            Reason::ChangeNotAllowed => Retry::No,
            Reason::ChannelMismatch => Retry::Fresh,
            Reason::CheckFailed => Retry::No,
            Reason::ClockWentBack => Retry::Later,
            Reason::ContractNotActive => Retry::No,
            Reason::ContractNotSuspended => Retry::No,
            Reason::ContractSuspended => Retry::Later,
            Reason::DeadlineExceeded => Retry::Later,
            Reason::DeadlinePassed => Retry::No,
            Reason::Equivocation => Retry::No,
            Reason::ExtensionUnknown => Retry::No,
            Reason::GrantNotAllowed => Retry::No,
            Reason::HopNotByHolder => Retry::No,
            Reason::IdAlreadyUsed => Retry::Fresh,
            Reason::InstanceForked => Retry::No,
            Reason::InstanceRevoked => Retry::No,
            Reason::InstanceUnknown => Retry::No,
            Reason::InvocationCancelled => Retry::Fresh,
            Reason::InvocationConflict => Retry::Fresh,
            Reason::InvocationIdStale => Retry::Fresh,
            Reason::JoinRefused => Retry::No,
            Reason::LedgerUnavailable => Retry::Later,
            Reason::LimitExceeded => Retry::No,
            Reason::LogInconsistent => Retry::No,
            Reason::MoveNotAllowed => Retry::No,
            Reason::NameNotNormal => Retry::No,
            Reason::NegotiationUnknown => Retry::No,
            Reason::NotActivated => Retry::No,
            Reason::NotAdmitted => Retry::No,
            Reason::NotAvailable => Retry::No,
            Reason::NotAParty => Retry::No,
            Reason::NotFound => Retry::No,
            Reason::OfferExpired => Retry::No,
            Reason::OfferMismatch => Retry::No,
            Reason::OutcomeUnknown => Retry::No,
            Reason::OutsideValidity => Retry::No,
            Reason::OutOfSequence => Retry::Fresh,
            Reason::Overloaded => Retry::Later,
            Reason::ParentChanged => Retry::No,
            Reason::PayloadMalformed => Retry::No,
            Reason::PreviewStale => Retry::Fresh,
            Reason::ProofExpired => Retry::Fresh,
            Reason::ProofInvalid => Retry::Fresh,
            Reason::ProofReplayed => Retry::Fresh,
            Reason::RebindNotAllowed => Retry::No,
            Reason::ResultNotRetained => Retry::No,
            Reason::RevocationNotAllowed => Retry::No,
            Reason::Revoked => Retry::No,
            Reason::RightsWidened => Retry::No,
            Reason::RoundsExhausted => Retry::No,
            Reason::SessionNotAllowed => Retry::No,
            Reason::SessionOver => Retry::Fresh,
            Reason::SignatureInvalid => Retry::No,
            Reason::StaleTranscript => Retry::Fresh,
            Reason::StatementStale => Retry::Fresh,
            Reason::TokenMalformed => Retry::No,
            Reason::TokenUntrusted => Retry::No,
            Reason::WrongDomain => Retry::No,
        }
    }

    /// What a stranger is told instead.
    pub const fn stranger(self) -> Reason {
        match self {
            Reason::AcceptMismatch => Reason::AcceptMismatch,
            Reason::AdminRequired => Reason::NotAvailable,
            Reason::AlreadyAwarded => Reason::AlreadyAwarded,
            Reason::AudienceMismatch => Reason::AudienceMismatch,
            Reason::BrokerDraining => Reason::BrokerDraining,
            Reason::BudgetExceeded => Reason::BudgetExceeded,
            Reason::BudgetWindowExceeded => Reason::BudgetWindowExceeded,
            Reason::BundleInvalid => Reason::BundleInvalid,
            Reason::CalleeFault => Reason::CalleeFault,
            Reason::CalleeUnavailable => Reason::CalleeUnavailable,
            Reason::CertificateExpired => Reason::NotAdmitted,
            Reason::ChainLoops => Reason::ChainLoops,
            Reason::ChainTooDeep => Reason::ChainTooDeep,
            Reason::ChangeNotAllowed => Reason::NotAvailable,
            Reason::ChannelMismatch => Reason::NotAdmitted,
            Reason::CheckFailed => Reason::CheckFailed,
            Reason::ClockWentBack => Reason::ClockWentBack,
            Reason::ContractNotActive => Reason::ContractNotActive,
            Reason::ContractNotSuspended => Reason::ContractNotSuspended,
            Reason::ContractSuspended => Reason::ContractSuspended,
            Reason::DeadlineExceeded => Reason::DeadlineExceeded,
            Reason::DeadlinePassed => Reason::DeadlinePassed,
            Reason::Equivocation => Reason::Equivocation,
            Reason::ExtensionUnknown => Reason::ExtensionUnknown,
            Reason::GrantNotAllowed => Reason::GrantNotAllowed,
            Reason::HopNotByHolder => Reason::HopNotByHolder,
            Reason::IdAlreadyUsed => Reason::IdAlreadyUsed,
            Reason::InstanceForked => Reason::NotAdmitted,
            Reason::InstanceRevoked => Reason::NotAdmitted,
            Reason::InstanceUnknown => Reason::NotAdmitted,
            Reason::InvocationCancelled => Reason::InvocationCancelled,
            Reason::InvocationConflict => Reason::InvocationConflict,
            Reason::InvocationIdStale => Reason::InvocationIdStale,
            Reason::JoinRefused => Reason::JoinRefused,
            Reason::LedgerUnavailable => Reason::LedgerUnavailable,
            Reason::LimitExceeded => Reason::LimitExceeded,
            Reason::LogInconsistent => Reason::LogInconsistent,
            Reason::MoveNotAllowed => Reason::MoveNotAllowed,
            Reason::NameNotNormal => Reason::NameNotNormal,
            Reason::NegotiationUnknown => Reason::NotAvailable,
            Reason::NotActivated => Reason::NotActivated,
            Reason::NotAdmitted => Reason::NotAdmitted,
            Reason::NotAvailable => Reason::NotAvailable,
            Reason::NotAParty => Reason::NotAvailable,
            Reason::NotFound => Reason::NotAvailable,
            Reason::OfferExpired => Reason::OfferExpired,
            Reason::OfferMismatch => Reason::OfferMismatch,
            Reason::OutcomeUnknown => Reason::OutcomeUnknown,
            Reason::OutsideValidity => Reason::OutsideValidity,
            Reason::OutOfSequence => Reason::OutOfSequence,
            Reason::Overloaded => Reason::Overloaded,
            Reason::ParentChanged => Reason::ParentChanged,
            Reason::PayloadMalformed => Reason::PayloadMalformed,
            Reason::PreviewStale => Reason::PreviewStale,
            Reason::ProofExpired => Reason::ProofExpired,
            Reason::ProofInvalid => Reason::ProofInvalid,
            Reason::ProofReplayed => Reason::ProofReplayed,
            Reason::RebindNotAllowed => Reason::NotAvailable,
            Reason::ResultNotRetained => Reason::ResultNotRetained,
            Reason::RevocationNotAllowed => Reason::NotAvailable,
            Reason::Revoked => Reason::Revoked,
            Reason::RightsWidened => Reason::RightsWidened,
            Reason::RoundsExhausted => Reason::RoundsExhausted,
            Reason::SessionNotAllowed => Reason::NotAvailable,
            Reason::SessionOver => Reason::SessionOver,
            Reason::SignatureInvalid => Reason::SignatureInvalid,
            Reason::StaleTranscript => Reason::StaleTranscript,
            Reason::StatementStale => Reason::StatementStale,
            Reason::TokenMalformed => Reason::TokenMalformed,
            Reason::TokenUntrusted => Reason::TokenUntrusted,
            Reason::WrongDomain => Reason::WrongDomain,
        }
    }

    /// A sentence that a person can act on.
    pub const fn message(self) -> &'static str {
        match self {
            Reason::AcceptMismatch => "The accepted contract is not the one on offer.",
            Reason::AdminRequired => "This needs an admin of the trust domain.",
            Reason::AlreadyAwarded => "An offer was accepted under this award already.",
            Reason::AudienceMismatch => "The chain does not name this callee.",
            Reason::BrokerDraining => "The broker is about to stop and takes nothing new.",
            Reason::BudgetExceeded => "The budget does not cover this.",
            Reason::BudgetWindowExceeded => "The budget of the current window is used up.",
            Reason::BundleInvalid => "The evidence does not verify.",
            Reason::CalleeFault => {
                "The callee's answer was not a valid receipt; the invocation's outcome is unknown."
            }
            Reason::CalleeUnavailable => "The callee is not connected, or is not keeping up.",
            Reason::CertificateExpired => "The certificate of this connection has expired.",
            Reason::ChainLoops => "A principal stands twice in one chain.",
            Reason::ChainTooDeep => "The chain has more hops than any verifier takes.",
            Reason::ChangeNotAllowed => "That is for another side of the contract, or for an admin.",
            Reason::ChannelMismatch => {
                "The statement was not made by the identity that this channel authenticated."
            }
            Reason::CheckFailed => "No capability in the chain allows this request.",
            Reason::ClockWentBack => "The broker's clock is behind its ledger, so it decides nothing.",
            Reason::ContractNotActive => "A contract in the chain is no longer active.",
            Reason::ContractNotSuspended => "Whoever asks has not suspended this.",
            Reason::ContractSuspended => "A contract in the chain is suspended.",
            Reason::DeadlineExceeded => {
                "The callee did not answer in time; the invocation's outcome is unknown."
            }
            Reason::DeadlinePassed => "The deadline has passed.",
            Reason::Equivocation => {
                "One sender signed two different moves for the same place; the negotiation has ended."
            }
            Reason::ExtensionUnknown => "A critical extension is not known here.",
            Reason::GrantNotAllowed => "No grant rule of the trust domain allows this grant.",
            Reason::HopNotByHolder => "A hop is not signed by the holder that the hop before it names.",
            Reason::IdAlreadyUsed => "This id stands for something else already.",
            Reason::InstanceForked => "Two processes renewed the same identity; the instance is locked.",
            Reason::InstanceRevoked => "This instance was revoked.",
            Reason::InstanceUnknown => "No live instance with this identity is known.",
            Reason::InvocationCancelled => {
                "The invocation was cancelled before it reached the callee: nothing was done, nothing was spent."
            }
            Reason::InvocationConflict => "This invocation id stands for a different request.",
            Reason::InvocationIdStale => {
                "The invocation's id is of another time, so whether it was used before is not remembered."
            }
            Reason::JoinRefused => "The join token is unknown, used, expired or for someone else.",
            Reason::LedgerUnavailable => "The ledger cannot be written, so nothing was done.",
            Reason::LimitExceeded => "A size or count is beyond its limit.",
            Reason::LogInconsistent => "Two views of the ledger contradict each other.",
            Reason::MoveNotAllowed => "This move is not allowed in this state by this role.",
            Reason::NameNotNormal => "A name is not in its normal form.",
            Reason::NegotiationUnknown => "There is no such negotiation.",
            Reason::NotActivated => "The chain has no activation from its home ledger.",
            Reason::NotAdmitted => "This caller is not admitted.",
            Reason::NotAvailable => "There is nothing here that is available to you.",
            Reason::NotAParty => "The sender is not a party to this.",
            Reason::NotFound => "There is no such thing.",
            Reason::OfferExpired => "The offer expired before it was accepted.",
            Reason::OfferMismatch => {
                "The offer's contract does not say what the negotiation, the chain or the parties say."
            }
            Reason::OutcomeUnknown => {
                "The callee had the invocation and gave no valid receipt: it may have been done."
            }
            Reason::OutsideValidity => "A link of the chain is not valid at this time.",
            Reason::OutOfSequence => "The sequence number or round is not the next one.",
            Reason::Overloaded => "A queue that is bounded is full.",
            Reason::ParentChanged => "The grantor's own right ended or changed since the offer.",
            Reason::PayloadMalformed => "The bytes are not a payload of the strict grammar.",
            Reason::PreviewStale => "What would be revoked has changed since it was counted.",
            Reason::ProofExpired => "The holder's proof is outside its time.",
            Reason::ProofInvalid => "The holder's proof does not belong to this holder and this request.",
            Reason::ProofReplayed => "This proof was used before.",
            Reason::RebindNotAllowed => "This chain is not for that instance to take over.",
            Reason::ResultNotRetained => "The invocation completed; its body is no longer kept.",
            Reason::RevocationNotAllowed => {
                "Only a grantor further up the chain, the holder itself or an admin can revoke this."
            }
            Reason::Revoked => "A link of the chain was revoked.",
            Reason::RightsWidened => "A hop allows something that the hop before it does not.",
            Reason::RoundsExhausted => "The negotiation has used all its rounds.",
            Reason::SessionNotAllowed => {
                "A contract of the chain asks for a signed receipt of each invocation."
            }
            Reason::SessionOver => "The session is not open, or it has ended.",
            Reason::SignatureInvalid => "A signature does not verify under the key that must have made it.",
            Reason::StaleTranscript => "Another move came first.",
            Reason::StatementStale => {
                "The statement was signed too long ago, or ahead of the broker's clock."
            }
            Reason::TokenMalformed => "The token is not a canonical token of this profile.",
            Reason::TokenUntrusted => "The token's signatures do not lead back to this trust domain's key.",
            Reason::WrongDomain => "This broker does not serve that trust domain.",
        }
    }

    /// What to do next.
    pub const fn hint(self) -> &'static str {
        match self {
            Reason::AcceptMismatch => "Accept the contract hash of the latest offer.",
            Reason::AdminRequired => "Admins are listed in the broker's configuration.",
            Reason::AlreadyAwarded => "Ask anew, under another award.",
            Reason::AudienceMismatch => "Ask for a contract whose audiences include the callee.",
            Reason::BrokerDraining => "Try again, at another broker of the domain or once this one is back.",
            Reason::BudgetExceeded => "Ask for less, or wait until reservations are settled or released.",
            Reason::BudgetWindowExceeded => "Try again in the next window.",
            Reason::BundleInvalid => "Do not rely on it; obtain the bundle again from the ledger.",
            Reason::CalleeFault => "Ask the callee's owner; the invocation settled at its reserved maximum.",
            Reason::CalleeUnavailable => "Try again with the same invocation id and a fresh proof.",
            Reason::CertificateExpired => "Renew the certificate and connect again.",
            Reason::ChainLoops => "Delegate to a principal that is not already part of the chain.",
            Reason::ChainTooDeep => "Delegate from a link that is nearer to the grant.",
            Reason::ChangeNotAllowed => {
                "A grantor or an admin suspends and resumes, a holder retires, and either side declares a breach."
            }
            Reason::ChannelMismatch => "Submit your own statements, over your own connection.",
            Reason::CheckFailed => "Compare action, resource and arguments with `countersign token inspect`.",
            Reason::ClockWentBack => "An operator must correct the clock.",
            Reason::ContractNotActive => "See the contract's state with `countersign contract show`.",
            Reason::ContractNotSuspended => {
                "A suspension is taken back by the side that made it: the grantor, or an admin."
            }
            Reason::ContractSuspended => {
                "Whoever suspended it can resume it; until then nothing is used under it."
            }
            Reason::DeadlineExceeded => "Try again with the same invocation id to learn the outcome.",
            Reason::DeadlinePassed => {
                "Begin anew, with a later deadline; compare this machine's clock with GetInfo."
            }
            Reason::Equivocation => "Both signed moves are in the ledger.",
            Reason::ExtensionUnknown => "Leave the extension out, or ask GetInfo which are supported.",
            Reason::GrantNotAllowed => {
                "An operator can add a [[grant_rule]]; without one, everything is denied."
            }
            Reason::HopNotByHolder => "Only the current holder can delegate further.",
            Reason::IdAlreadyUsed => "Make a new id.",
            Reason::InstanceForked => "Find the copy, then join as a new instance.",
            Reason::InstanceRevoked => "Join as a new instance, if the principal may still do so.",
            Reason::InstanceUnknown => "Join again: identities live as long as the process that holds them.",
            Reason::InvocationCancelled => "Invoke again under a new invocation id, with a fresh proof.",
            Reason::InvocationConflict => "Use a new invocation id for a new request.",
            Reason::InvocationIdStale => {
                "If it may have been done, ask the callee's owner; then make a new id. Compare this machine's clock with GetInfo."
            }
            Reason::JoinRefused => "Ask an admin for a new join token; each one works once.",
            Reason::LedgerUnavailable => "An operator can run `countersignd doctor`.",
            Reason::LimitExceeded => "GetInfo and spec/limits.md state every limit.",
            Reason::LogInconsistent => "Keep both checkpoints: together they prove that the log was changed.",
            Reason::MoveNotAllowed => "spec/machines/negotiation.toml lists every move.",
            Reason::NameNotNormal => {
                "Names are compared byte by byte: send them normalized, as spec/token.md says."
            }
            Reason::NegotiationUnknown => "Open one with a Request.",
            Reason::NotActivated => "Finalize the contract first; an offer alone gives no right.",
            Reason::NotAdmitted => {
                "Join the trust domain with a fresh join token, then connect with the certificate it gives you."
            }
            Reason::NotAvailable => "Check the id, and that you act as a party to it.",
            Reason::NotAParty => "Only the two parties can move.",
            Reason::NotFound => "Check the id.",
            Reason::OfferExpired => "Counter, and ask for an offer that lives longer.",
            Reason::OfferMismatch => {
                "Build the contract from the request, the parent chain and both parties' statements."
            }
            Reason::OutcomeUnknown => {
                "It settled at its reserved maximum. Ask the callee's owner before you invoke again under a new id."
            }
            Reason::OutsideValidity => "Negotiate a new contract, or wait until it begins.",
            Reason::OutOfSequence => "Count your own moves from one without a gap.",
            Reason::Overloaded => "Slow down, then try again.",
            Reason::ParentChanged => "The grantor can offer again from a right that it still holds.",
            Reason::PayloadMalformed => {
                "Encode as spec/conventions.md says: ascending fields, minimal varints, defaults absent, nothing unknown."
            }
            Reason::PreviewStale => "Preview again and confirm the new number.",
            Reason::ProofExpired => "Make a fresh proof; check this machine's clock against GetInfo.",
            Reason::ProofInvalid => {
                "Sign a proof over exactly this request with the instance key that holds the chain."
            }
            Reason::ProofReplayed => {
                "A retry needs a fresh proof with a new nonce and the same invocation id."
            }
            Reason::RebindNotAllowed => {
                "Only a newer instance of the same principal and configuration takes over, as the contract's rebind rule says."
            }
            Reason::ResultNotRetained => {
                "The receipt tells the outcome; invoke again under a new id if you need the body."
            }
            Reason::RevocationNotAllowed => "Ask one of them.",
            Reason::Revoked => "A revoked contract never works again; negotiate a new one.",
            Reason::RightsWidened => {
                "Narrow the capabilities, audiences, times or budget to within the parent's."
            }
            Reason::RoundsExhausted => "Accept, reject, or open a new negotiation.",
            Reason::SessionNotAllowed => {
                "Use Invoke; or negotiate a contract that accepts results in a session."
            }
            Reason::SessionOver => "Ask Explain what came of its requests, then open another session.",
            Reason::SignatureInvalid => {
                "Sign the DSSE encoding of the payload type and these exact bytes with the instance key."
            }
            Reason::StaleTranscript => "Read the negotiation, then answer its latest move.",
            Reason::StatementStale => "Sign a new one; compare this machine's clock with GetInfo.",
            Reason::TokenMalformed => "Use the token as the broker returned it.",
            Reason::TokenUntrusted => "Use a token whose root grant was issued by this trust domain.",
            Reason::WrongDomain => "Connect to a broker of the trust domain that is home to the grant.",
        }
    }

    /// The reason with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}
