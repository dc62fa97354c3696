//! The terms that grantor and grantee both sign.

use crate::{
    capability::Rights,
    code_enum,
    digest::{ChainId, ContractHash, Digest, TranscriptHash, TreeHash},
    extension::Extensions,
    id::{ContractId, GrantId, NegotiationId},
    key::PublicKey,
    ledger::TreeSize,
    name::{InstanceId, PrincipalId, TrustDomain},
    payload,
    payload::Payload,
    refusal::Refusal,
    signed::{Algorithm, Statement},
    time::Lifetime,
    token::{Holder, HopTerms},
};

code_enum! {
    /// The version of the contract's format.
    pub enum ContractVersion {
        /// This one.
        V1 = 1,
    }
}

code_enum! {
    /// Whether a fresh instance of the grantee may take the chain over. There is no default.
    pub enum Rebind {
        /// Never: the right ends with the process that holds it.
        Never = 1,
        /// If the grantor signs for it, too.
        GrantorConsent = 2,
        /// If the trust domain attests it: same principal, same configuration.
        Domain = 3,
    }
}

code_enum! {
    /// What a callee sees of the chain above the caller. There is no default.
    pub enum Disclosure {
        /// Every link.
        Full = 1,
    }
}

code_enum! {
    /// Whether the right can be used without the broker. There is no default.
    pub enum Offline {
        /// Every use is mediated.
        Forbidden = 1,
    }
}

code_enum! {
    /// What makes an invocation complete. There is no default.
    pub enum Acceptance {
        /// The callee's signed receipt.
        SignedReceipt = 1,
        /// That, or its result in a session, which it signs for together with others (SES-010).
        SessionResult = 2,
    }
}

code_enum! {
    /// What an invocation with an unknown outcome costs. There is no default.
    pub enum FailurePolicy {
        /// What was reserved for it.
        SettleReserved = 1,
    }
}

payload! {
    /// One side of a contract.
    pub struct Party {
        /// The running copy that signs.
        1 => pub instance: InstanceId,
        /// Its key.
        2 => pub key: PublicKey,
        /// Digest of what it was configured with: model, prompt, tools. Another configuration is
        /// another party.
        3 => pub configuration: Digest,
    }
}

payload! {
    /// The last checkpoint that a party saw and verified: by signing it, each party witnesses the
    /// log for the other.
    pub struct SeenCheckpoint {
        /// The log's size.
        1 => pub size: TreeSize,
        /// Its root.
        2 => pub root: TreeHash,
    }
}

payload! {
    /// A contract. Its hash is the hash of these bytes.
    pub struct ContractBody {
        /// The format.
        1 => pub version: ContractVersion,
        /// The contract.
        2 => pub contract_id: ContractId,
        /// The negotiation that led to it.
        3 => pub negotiation_id: NegotiationId,
        /// Everything that was said before the offer.
        4 => pub transcript: TranscriptHash,
        /// The home of the chain.
        5 => pub domain: TrustDomain,
        /// Who hands the right on.
        6 => pub grantor: Party,
        /// Who receives it.
        7 => pub grantee: Party,
        /// Who everything beneath the grant answers to.
        8 => pub originator: PrincipalId,
        /// The grant at the root.
        9 => pub grant_id: GrantId,
        /// The chain that the grantor holds.
        10 => pub parent: ChainId,
        /// The number of the hop that this contract becomes; the first is one.
        11 => pub depth: u32,
        /// What the grantee may do: the same message as in the hop.
        12 => pub rights: Rights,
        /// Whether another instance may take over.
        13 => pub rebind: Rebind,
        /// What callees see.
        14 => pub disclosure: Disclosure,
        /// How old the newest revocation state may be on which a use is decided.
        15 => pub max_staleness: Lifetime,
        /// Whether the broker can be left out.
        16 => pub offline: Offline,
        /// Digest of what it is for; the text stays with the parties.
        17 => pub purpose: Digest,
        /// What completes an invocation.
        18 => pub acceptance: Acceptance,
        /// What a failed one costs.
        19 => pub failure: FailurePolicy,
        /// The last checkpoint that the grantor saw; the grantee's is in its Accept.
        20 => pub seen: SeenCheckpoint,
        /// How both sign.
        21 => pub algorithm: Algorithm,
        /// The contract between the same two, under the same chain, that ends when this one begins.
        22 => pub replaces: Option<ContractId>,
        /// Growth.
        23 => pub extensions: Extensions,
    }
}

impl Statement for ContractBody {
    const TYPE: &'static str = "application/vnd.countersign.contract.v1";
}

impl ContractBody {
    /// Names the contract by its content (CTR-002).
    pub fn hash(&self) -> ContractHash {
        hash_of(&self.to_bytes())
    }

    /// The hop that this contract becomes. It follows from the contract, so the two cannot differ
    /// (CTR-010).
    pub fn hop_terms(&self) -> HopTerms {
        HopTerms {
            holder: Holder { instance: self.grantee.instance.clone(), key: self.grantee.key },
            contract: self.hash(),
            rights: self.rights.clone(),
            rebind: self.rebind,
            extensions: Extensions::none(),
        }
    }

    /// Refuses terms beyond this version.
    pub fn check_extensions(&self) -> Result<(), Refusal> {
        self.extensions.check()
    }
}

/// The hash of a contract's bytes as they were signed.
pub fn hash_of(body: &[u8]) -> ContractHash {
    ContractHash::from_bytes(Digest::of(body).to_array())
}
