//! The ways in which the broker lies. Each is one fault in an otherwise honest answer.

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    // --- at enrolment
    /// The certificate is for another instance.
    CertificateOfAnother,
    /// The certificate is for another key.
    CertificateForAnotherKey,
    /// The bundle holds the keys of another domain.
    KeysOfAnotherDomain,
    /// The bundle's log is signed for by a key that is not the domain's.
    LogKeyOfAnother,
    /// The bundle has another authority than the pinned one.
    OtherAuthority,
    /// Beside the pinned authority, the bundle has that of another domain.
    ForeignAuthorityBeside,
    /// Other keys, which those before did not sign.
    KeysThatDoNotFollow,
    /// Its keys follow from those before, for a ledger that goes on from a backup.
    KeysOfARestoredLedger,

    // --- at renewal
    /// A renewal that was recorded is said to have come too late.
    RenewalSaidTooLate,

    // --- about instances
    /// Another instance's statement, true as such.
    StatementOfAnother,
    /// The right name with another key.
    StatementWithOtherKey,
    /// A join token that pins another authority.
    JoinTokenForOtherAuthority,

    // --- about chains
    /// Another chain's token, true as such.
    TokenOfAnother,
    /// A token with one bit changed.
    TokenAltered,
    /// No activation.
    ActivationMissing,
    /// The activation of another chain, true as such.
    ActivationOfAnother,
    /// An activation that the domain's key did not sign.
    ActivationForged,
    /// The grant is for other rights than were signed.
    GrantAltered,
    /// A change is said to have been of another chain.
    ChangeOfAnother,

    // --- about contracts
    /// Terms that were not signed.
    ContractAltered,
    /// The grantee's signature is missing.
    ContractSignedByOne,
    /// Another contract of the same parties, signed by both.
    ContractOfAnother,
    /// The ledger holds something else at the leaf that is told.
    ContractNotLogged,
    /// What the new holder of a chain signed is not told.
    RebindKeptBack,
    /// Another chain is said to have been taken over.
    RebindOfAnother,

    // --- about negotiations
    /// A move is left out.
    MoveDropped,
    /// A move is changed.
    MoveAltered,
    /// The state is not what the moves lead to.
    StateInvented,
    /// The negotiation is said to have led to another chain.
    ChainInvented,

    // --- about receipts
    /// Signed by another key in the callee's name.
    ReceiptForged,
    /// A true receipt of another invocation.
    ReceiptOfAnother,
    /// Another result than the callee signed for.
    ResultAltered,

    // --- in sessions
    /// The answer is not the callee's.
    SessionAnswerForged,
    /// The answer to another opening, true as such.
    SessionAnswerOfAnother,
    /// A request that the caller did not make.
    RequestForged,
    /// Another body than the caller sent.
    RequestBodyAltered,
    /// A request comes twice.
    RequestReplayed,
    /// Two requests change places.
    RequestsReordered,
    /// The first request is left out.
    RequestDropped,
    /// The caller's head, signed by another.
    RequestsSignedByAnother,
    /// A result that the callee did not give.
    SessionResultForged,
    /// Another body than the callee gave.
    SessionResultAltered,
    /// The callee's head, signed by another.
    ResultsSignedByAnother,
    /// The callee's head is left out.
    HeadLeftOut,

    // --- in streams
    /// The stream is said to be with someone else.
    StreamOfAnotherCallee,
    /// The caller's first chunk is left out.
    StreamChunkDropped,
    /// Another chunk than the caller sent.
    StreamChunkAltered,
    /// A chunk that is signed by another.
    StreamChunkForged,
    /// A chunk comes twice.
    StreamChunkReplayed,
    /// The callee's first chunk is left out.
    StreamResultDropped,
    /// Another chunk than the callee sent.
    StreamResultAltered,
    /// A chunk of the callee's, signed by another.
    StreamResultForged,
    /// None of the result comes, and then the receipt.
    StreamCutShort,

    // --- about the ledger
    /// A checkpoint that an earlier one contradicts, at the same size.
    RootReplaced,
    /// A larger ledger that does not contain the one seen before.
    SplitView,
    /// A true checkpoint of earlier, after a later one.
    RolledBack,
    /// A checkpoint that the log's key did not sign.
    CheckpointForged,
    /// A true checkpoint with as many signatures of others as fit.
    CheckpointCrowded,
    /// Evidence with one bit changed.
    EvidenceAltered,
    /// Evidence of another invocation.
    EvidenceOfAnother,

    // --- to the callee
    /// The body is not the one that the holder signed for.
    ForwardedBodyAltered,
    /// The chain was never activated.
    ForwardedWithoutActivation,
    /// The proof is by someone who does not hold the chain.
    ForwardedProofForged,
    /// The same invocation twice.
    ForwardedTwice,
    /// The invocation before once more, with each new one.
    ForwardedAgain,

    // --- about revocations
    /// The feed goes back to an earlier epoch.
    RevocationsRolledBack,
}
