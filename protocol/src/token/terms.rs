//! What the blocks of a token say. The Datalog beside it is compiled from this and nothing else.

use crate::{
    capability::Rights,
    code_enum,
    contract::Rebind,
    digest::{ContractHash, Digest},
    extension::Extensions,
    id::GrantId,
    key::PublicKey,
    name::{InstanceId, PrincipalId, TrustDomain},
    payload,
    signed::Signed,
};

payload! {
    /// Who may use a chain: one running copy, known by its instance key.
    pub struct Holder {
        /// The instance.
        1 => pub instance: InstanceId,
        /// Its Ed25519 key.
        2 => pub key: PublicKey,
    }
}

code_enum! {
    /// What stands behind the claim that an originator wanted a grant.
    pub enum EvidenceKind {
        /// The originator signed it with a key of its own.
        Signed = 1,
        /// The trust domain says so; shown as such everywhere.
        AssertedByDomain = 2,
    }
}

payload! {
    /// The originator's evidence.
    pub struct Evidence {
        /// Its kind.
        1 => pub kind: EvidenceKind,
        /// SHA-256 of the evidence: for `Signed`, of the originator's signed grant request.
        2 => pub digest: Digest,
    }
}

payload! {
    /// The authority block of a token: the root of a chain.
    pub struct GrantTerms {
        /// The trust domain that grants, and whose ledger is home to the chain.
        1 => pub domain: TrustDomain,
        /// The grant.
        2 => pub grant_id: GrantId,
        /// The human or organisation that everything beneath answers to.
        3 => pub originator: PrincipalId,
        /// Why the trust domain believes that the originator wants this.
        4 => pub evidence: Evidence,
        /// The first holder.
        5 => pub holder: Holder,
        /// What the holder may do.
        6 => pub rights: Rights,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

payload! {
    /// A hop: the holder before it hands narrower rights on.
    pub struct HopTerms {
        /// The next holder.
        1 => pub holder: Holder,
        /// The contract that both signed.
        2 => pub contract: ContractHash,
        /// What the next holder may do.
        3 => pub rights: Rights,
        /// Whether a fresh instance of the next holder may take the chain over.
        4 => pub rebind: Rebind,
        /// Growth.
        5 => pub extensions: Extensions,
    }
}

payload! {
    /// A rebind: another instance of the holder holds the link in its place. It says nothing of rights.
    pub struct RebindTerms {
        /// Who held the link until then: the instance that the hop names, or one that took over since.
        1 => pub from: InstanceId,
        /// Who holds it from there on.
        2 => pub holder: Holder,
        /// Digest of the evidence by which the holder was attested.
        3 => pub evidence: Digest,
        /// The grantor's signed [`RebindConsent`](crate::contract::RebindConsent), where the hop asks for it.
        4 => pub consent: Option<Signed>,
        /// Growth.
        5 => pub extensions: Extensions,
    }
}
