//! From a verified chain to a permitted use of it.

use std::sync::Arc;

use super::{
    proof::{self, Presentation, Proof, Via},
    verify::Token,
};
use crate::{
    capability::Request,
    code_enum,
    digest::{ChainId, Digest, SpkiHash},
    ledger::{LeafIndex, Origin},
    name::TrustDomain,
    payload,
    refusal::{Reason, Refusal},
    require, require_some,
    signed::{Signed, Statement},
    time::Timestamp,
    trust::KeySet,
};

code_enum! {
    /// What activated a chain.
    pub enum ActivatedBy {
        /// The leaf that records the grant.
        Grant = 1,
        /// The leaf that finalized the contract.
        Contract = 2,
        /// The leaf by which another instance of the holder took over.
        Rebind = 3,
    }
}

payload! {
    /// The home ledger's statement that a chain is usable: its contract was finalized, its grant
    /// issued. An offer's hop has none, so it is worth nothing.
    pub struct Activation {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The chain.
        2 => pub chain_id: ChainId,
        /// What made it usable.
        3 => pub activated_by: ActivatedBy,
        /// The contract's hash, or the digest of the originator's signed grant request.
        4 => pub subject: Digest,
        /// The leaf that records it.
        5 => pub leaf: LeafIndex,
        /// The log that holds the leaf.
        6 => pub origin: Origin,
    }
}

impl Statement for Activation {
    const TYPE: &'static str = "application/vnd.countersign.activation.v1";
}

impl Activation {
    /// Opens a signed activation with the key that was the domain's for its leaf (CHN-020), of the log that the
    /// keys are of (CHN-023).
    pub fn open(signed: &Signed, keys: &KeySet) -> Result<Self, Refusal> {
        let refused = |detail: String| Refusal::new("CHN-020", Reason::NotActivated, detail);
        let claimed: Self = signed.peek_unverified().map_err(|error| refused(error.to_string()))?;
        let key = require_some!(
            "CHN-020",
            keys.activation_key(claimed.leaf),
            Reason::NotActivated,
            "No activation key covers leaf {}.",
            claimed.leaf
        );
        let activation: Self = signed.open(&[key]).map_err(|error| refused(error.to_string()))?;
        // A leaf's number means nothing without its log: the domain's key may have signed for a copy.
        let (origin, reason) = (&activation.origin, Reason::NotActivated);
        require!("CHN-023", *origin == keys.origin(), reason, "It is of the log {origin}.");
        Ok(activation)
    }
}

/// A verified chain that its home ledger has activated.
#[derive(Clone, Debug)]
pub struct ActiveToken {
    token: Arc<Token>,
    activation: Activation,
}

impl ActiveToken {
    /// Joins a chain and its activation.
    pub fn new(token: impl Into<Arc<Token>>, activation: Activation) -> Result<Self, Refusal> {
        let token = token.into();
        let reason = Reason::NotActivated;
        require!("CHN-021", activation.domain == token.grant().domain, reason, "It is of another domain.");
        require!("CHN-021", activation.chain_id == token.chain_id(), reason, "It is of another chain.");
        let leaf = token.leaf();
        let subject = match (activation.activated_by, leaf.contract, &leaf.rebound) {
            (ActivatedBy::Contract, Some(contract), None)
            | (ActivatedBy::Rebind, Some(contract), Some(_)) => Digest::from_bytes(contract.to_array()),
            (ActivatedBy::Grant, None, None) => token.grant().evidence.digest,
            _ => return Err(Refusal::new("CHN-022", reason, "It is of another kind of link.")),
        };
        require!("CHN-022", activation.subject == subject, reason, "It is of another contract or grant.");
        token.check_granted_by(activation.leaf)?;
        Ok(Self { token, activation })
    }

    /// The chain.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Its activation.
    pub fn activation(&self) -> &Activation {
        &self.activation
    }

    /// Decides one use of the chain: the holder's proof, then every link's time, audience and
    /// capabilities. Revocation, replay and budget are the ledger's to decide.
    pub fn permit(&self, presented: &Presentation<'_>, now: Timestamp) -> Result<Permit, Refusal> {
        let proof = proof::check(&self.token, self.activation.leaf, presented, now)?;
        self.allows(presented.request, now)?;
        Ok(Permit {
            chain: self.token.links().map(|link| link.chain_id).collect(),
            proof,
            proof_digest: presented.proof.digest(),
            request: presented.request.clone(),
        })
    }

    /// What the chain says of a request, whoever makes it.
    ///
    /// The table decides alone. The Datalog of the blocks would say the same: that is shown for the table,
    /// not asked on each use.
    pub fn allows(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        self.token.table().decide(request, now)
    }

    /// Decides a use of the past as far as the ledger recorded it: the proof, and every link's time,
    /// audience, actions and resources. Arguments are not in the ledger; whether a constraint could
    /// have depended on them is part of the answer.
    pub fn recheck(&self, proof: &Signed, then: Timestamp) -> Result<Recorded, Refusal> {
        let proof = proof::check_holder(&self.token, self.activation.leaf, proof, then)?;
        let whatever_the_arguments = self.token.table().decide_without_arguments(&proof, then)?;
        Ok(Recorded { proof, whatever_the_arguments })
    }
}

/// A use of the past that its record supports.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The holder's proof.
    pub proof: Proof,
    /// Whether every link allows it without a look at the arguments.
    pub whatever_the_arguments: bool,
}

/// A use of a chain that proof and table allow. Only [`ActiveToken::permit`] makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    chain: Vec<ChainId>,
    proof: Proof,
    proof_digest: Digest,
    request: Request,
}

impl Permit {
    /// The chain ids from the grant to the leaf.
    pub fn chain(&self) -> &[ChainId] {
        &self.chain
    }

    /// The holder's proof.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Names the signed proof.
    pub fn proof_digest(&self) -> Digest {
        self.proof_digest
    }

    /// What was permitted.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Holds the proof against the channel on which it arrived (CHN-009).
    pub fn check_channel(&self, via: Via, channel: SpkiHash) -> Result<(), Refusal> {
        self.proof.check_channel(via, channel)
    }
}
