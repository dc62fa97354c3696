//! What a verified bundle says, for programs and for people.

use std::fmt;

use crate::{
    capability::{Amount, ResourceName, Rights},
    digest::{ChainId, ContractHash, Digest},
    domain::InvocationOutcome,
    id::{ContractId, InvocationId, SessionId},
    ledger::{Checkpoint, LeafIndex, Origin, TreeSize},
    name::{InstanceId, PrincipalId, Word},
    receipt::Receipt,
    session::SessionResult,
    stream::StreamAccount,
    time::Timestamp,
};

/// Why an invocation was allowed, who answers for it, and what came of it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The invocation.
    pub invocation_id: InvocationId,
    /// The ledger that it was held against.
    pub checkpoint: Checkpoint,
    /// Who everything answers to.
    pub originator: PrincipalId,
    /// From the grant to the link that was used; at least one.
    pub links: Vec<ExplainedLink>,
    /// Who did it.
    pub callee: InstanceId,
    /// What was to be done,
    pub action: Word,
    /// to what.
    pub resource: ResourceName,
    /// Names the arguments and the body, which only the parties have.
    pub arguments: Digest,
    /// When it was allowed.
    pub decided: Timestamp,
    /// The leaf that allowed it.
    pub intent: LeafIndex,
    /// The session in which it was asked for, if it was.
    pub session: Option<SessionId>,
    /// What came of it; nothing while it is open.
    pub end: Option<Ended>,
    /// What signatures and proofs show.
    pub proven: Vec<Proven>,
    /// What remains the broker's word.
    pub attested: Vec<Attested>,
}

/// One link of the chain.
#[derive(Clone, Debug)]
pub struct ExplainedLink {
    /// Names the chain up to and including this link.
    pub chain_id: ChainId,
    /// Who signed it away: the originator's instance, or the holder of the link before.
    pub grantor: InstanceId,
    /// Who received it, or has taken it over.
    pub holder: InstanceId,
    /// Whom the contract names, where that is not the holder.
    pub named: Option<InstanceId>,
    /// The contract that both signed; a grant has none.
    pub contract: Option<(ContractId, ContractHash)>,
    /// What it allows.
    pub rights: Rights,
    /// The leaf that made it usable.
    pub leaf: LeafIndex,
    /// When that was.
    pub at: Timestamp,
}

/// What came of an invocation.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub outcome: InvocationOutcome,
    /// The callee's word, where there is one.
    pub receipt: Option<Receipt>,
    /// The callee's word in a session, where there is one.
    pub result: Option<SessionResult>,
    /// What went each way, where it was a stream with a receipt.
    pub streamed: Option<StreamAccount>,
    /// What it cost.
    pub settled: Amount,
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// When that was.
    pub at: Timestamp,
}

/// Something that signatures and proofs show; only a broken key or hash could make it untrue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// The log itself signed the checkpoint.
    CheckpointSigned {
        /// Which log.
        origin: Origin,
        /// Its size.
        size: TreeSize,
    },
    /// Every entry is in that log.
    Logged,
    /// The domain's keys, as pinned, are in the log.
    KeysPinned,
    /// The instance signed, with the key that all else is checked against, what the domain recorded of
    /// it.
    Joined(InstanceId),
    /// The originator signed for the grant.
    Granted {
        /// The originator.
        by: InstanceId,
        /// The first holder.
        to: InstanceId,
        /// The leaf of the grant.
        leaf: LeafIndex,
    },
    /// Both signed the contract, and its holder the hop that it became.
    Contracted {
        /// Who handed the right on.
        by: InstanceId,
        /// Who received it.
        to: InstanceId,
        /// The contract.
        contract: ContractId,
        /// The leaf that finalized it.
        leaf: LeafIndex,
    },
    /// Each link is within the one before it.
    Narrowed,
    /// The domain activated the chain.
    Activated,
    /// The holder signed for exactly this use.
    Requested(InstanceId),
    /// The holder opened the session, and signed for this request together with others.
    RequestedInSession(InstanceId),
    /// The callee took the session.
    SessionAnswered(InstanceId),
    /// Every link was valid then, and names this callee, action and resource.
    WithinRights {
        /// Whether no constraint on arguments could have said no.
        whatever_the_arguments: bool,
    },
    /// What it was decided on is the beginning of the log.
    DecidedOnThisLog,
    /// By the balance that it states, the budget was not overspent.
    WithinBudget {
        /// What was reserved.
        reserved: Amount,
    },
    /// The policy of that digest is the one that is shown.
    PolicyNamed(Digest),
    /// The callee signed what came of it.
    Receipted {
        /// What it cost.
        settled: Amount,
    },
    /// It was a stream: each side signed for each of its chunks, and the receipt is for just these.
    Streamed {
        /// Bytes of the caller's chunks that the callee received,
        received: u64,
        /// and of the callee's own.
        sent: u64,
    },
    /// The callee signed for its result in a session together with others.
    ResultedInSession {
        /// What it cost.
        settled: Amount,
    },
}

/// Something that the broker says and this evidence cannot show. An audit of the whole ledger can
/// show what concerns the ledger's own content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// No link was revoked, expired or used up.
    NothingRevoked,
    /// The account stood where the INTENT says.
    BalanceBefore,
    /// Neither the proof nor the invocation was used before.
    NotReplayed,
    /// The arguments were within the constraints.
    ArgumentsAllowed,
    /// The policy and the grant rule allowed it.
    PolicyAllowed,
    /// What an attestor saw of each process.
    AttestorSaw,
    /// That the negotiations ran by the rules.
    Negotiated,
    /// The policy itself is not shown.
    PolicyNotShown(Digest),
    /// The holder of the session asked for it: no head of it covers the request.
    RequestInSession,
    /// The callee gave that result: no head of it covers the result.
    ResultInSession,
    /// No result had come yet.
    StillOpen,
    /// It was never forwarded.
    NotForwarded,
    /// It was forwarded, and no valid receipt came.
    NoReceiptCame,
}

impl Explanation {
    /// What an INTENT that was checked shows, and what it leaves open.
    pub(super) fn state_what_intent_shows(
        &mut self,
        whatever_the_arguments: bool,
        reserved: Amount,
        requested: Vec<Proven>,
    ) {
        let Checkpoint { origin, size, .. } = self.checkpoint.clone();
        let links = self.links.iter().map(|link| {
            let (by, to, leaf) = (link.grantor.clone(), link.holder.clone(), link.leaf);
            match link.contract {
                Some((contract, _)) => Proven::Contracted { by, to, contract, leaf },
                None => Proven::Granted { by, to, leaf },
            }
        });
        let mut proven = vec![Proven::CheckpointSigned { origin, size }, Proven::Logged, Proven::KeysPinned];
        proven.extend(links);
        proven.extend([Proven::Narrowed, Proven::Activated]);
        proven.extend(requested);
        proven.extend([
            Proven::WithinRights { whatever_the_arguments },
            Proven::DecidedOnThisLog,
            Proven::WithinBudget { reserved },
        ]);
        self.proven.extend(proven);
        self.attested.extend([
            Attested::NothingRevoked,
            Attested::BalanceBefore,
            Attested::NotReplayed,
            Attested::PolicyAllowed,
            Attested::AttestorSaw,
            Attested::Negotiated,
        ]);
        if !whatever_the_arguments {
            self.attested.push(Attested::ArgumentsAllowed);
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckpointSigned { origin, size } => {
                write!(f, "The log {origin} signed that it holds {size} entries with this root.")
            }
            Self::Logged => f.write_str("Every entry shown is in that log, at the place that it states."),
            Self::KeysPinned => f.write_str("The log names the keys that you pinned, and no others."),
            Self::Joined(instance) => write!(f, "{instance} signed its admission with its own key."),
            Self::Granted { by, to, leaf } => {
                write!(f, "{by} signed for the grant to {to}; it is leaf {leaf}.")
            }
            Self::Contracted { by, to, contract, leaf } => {
                write!(f, "{by} and {to} both signed contract {contract}; it is leaf {leaf}.")
            }
            Self::Narrowed => f.write_str("No link allows anything that the link before it does not."),
            Self::Activated => f.write_str("The domain activated the chain by the leaf that made it."),
            Self::Requested(caller) => write!(f, "{caller} signed for this one use, on its own channel."),
            Self::RequestedInSession(caller) => write!(
                f,
                "{caller} opened the session on its own channel, and signed for this request together with others."
            ),
            Self::SessionAnswered(callee) => write!(f, "{callee} signed that it takes the session."),
            Self::WithinRights { whatever_the_arguments: true } => f.write_str(
                "Every link was valid at that time and allows this action on this resource at this callee.",
            ),
            Self::WithinRights { whatever_the_arguments: false } => f.write_str(
                "Every link was valid at that time and allows this action on this resource at this callee, \
                 with some arguments.",
            ),
            Self::DecidedOnThisLog => f.write_str("It was decided on the entries before it, all of them."),
            Self::WithinBudget { reserved } => {
                write!(f, "{reserved} was reserved, and by the stated balance that was not too much.")
            }
            Self::PolicyNamed(digest) => write!(f, "The policy shown is the one that it names: {digest}."),
            Self::Receipted { settled } => {
                write!(f, "The callee signed for what it did, and that it cost {settled}.")
            }
            Self::Streamed { received, sent } => write!(
                f,
                "It was a stream: the caller signed for the {received} bytes that the callee received, and the \
                 callee for the {sent} that it sent, chunk by chunk."
            ),
            Self::ResultedInSession { settled } => write!(
                f,
                "The callee signed for what it did together with others, and that it cost {settled}."
            ),
        }
    }
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingRevoked => "No link was revoked, closed or used up at that time.",
            Self::BalanceBefore => "The account stood where the INTENT says that it stood.",
            Self::NotReplayed => "Neither this proof nor this invocation was used before.",
            Self::ArgumentsAllowed => {
                "The arguments were within the constraints; the log holds their digest."
            }
            Self::PolicyAllowed => "The policy allowed the grant and its use.",
            Self::AttestorSaw => "Each process was what its attestor took it for when it joined.",
            Self::Negotiated => "The negotiations ran by the rules before both sides signed.",
            Self::PolicyNotShown(digest) => return write!(f, "The policy was the one of digest {digest}."),
            Self::RequestInSession => {
                "The caller asked for it in the session; no signature of the caller covers it."
            }
            Self::ResultInSession => {
                "The callee gave that result in the session; no signature of the callee covers it."
            }
            Self::StillOpen => "It had no result when this was gathered.",
            Self::NotForwarded => "It was cancelled before it was forwarded.",
            Self::NoReceiptCame => "It was forwarded, and no valid receipt came back.",
        })
    }
}
