//! From received bytes to a verified chain.

use biscuit_auth::{Algorithm, Biscuit};

use super::{
    chain::{Link, grant_chain_id, hop_chain_id, next_key},
    compile,
    container::{Container, HopBlock, NotRead},
    table::Table,
    terms::{GrantTerms, HopTerms},
};
use crate::{
    digest::ChainId,
    key::PublicKey,
    ledger::LeafIndex,
    limits::CHAIN_MAX_DEPTH,
    name::TrustDomain,
    payload::{Malformed, Payload, Reader},
    refusal::{Reason, Refusal},
    require, require_some,
    trust::{DomainKey, KeySet},
};

/// A token as it was received: bytes that claim something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedToken(Vec<u8>);

impl UnverifiedToken {
    /// Takes the bytes; nothing is looked at.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the blocks say before a single signature is verified: the grant, and each hop with the key
    /// that claims to have signed it. Only to be shown as such.
    pub fn peek_unverified(&self) -> Result<(GrantTerms, Vec<(PublicKey, HopTerms)>), Refusal> {
        let container = self.container()?;
        let grant = terms_in("grant", &container.authority.payload)?;
        let hops = container.hops.iter().map(|hop| Ok((hop.grantor, terms_in("hop", &hop.block.payload)?)));
        Ok((grant, hops.collect::<Result<_, Refusal>>()?))
    }

    fn container(&self) -> Result<Container, Refusal> {
        Container::read(&self.0).map_err(|why| match why {
            NotRead::Malformed(malformed) => {
                Refusal::new("TOK-001", Reason::TokenMalformed, malformed.to_string())
            }
            NotRead::TooDeep => {
                let detail = format!("It has more than {CHAIN_MAX_DEPTH} hops.");
                Refusal::new("TOK-003", Reason::ChainTooDeep, detail)
            }
        })
    }

    /// Verifies every signature back to the expected domain's capability key, then what the blocks
    /// say, then that each link is within the one before it. Time, revocation and activation are the
    /// user's to check: a chain is verified once and used often.
    pub fn verify(&self, keys: &KeySet) -> Result<Token, Refusal> {
        let container = self.container()?;
        let root = require_some!(
            "TOK-005",
            keys.capability_key(container.root_key_id),
            Reason::TokenUntrusted,
            "The domain has no capability key {}.",
            container.root_key_id
        );
        let biscuit = verify_signatures(&self.0, &root.key)?;
        let grant = read_grant(&container, keys.domain())?;
        let (ancestors, leaf) = walk(&container, &grant)?;
        let table = Table::compile(&ancestors, &leaf);
        Ok(Token {
            bytes: self.0.clone(),
            container,
            biscuit,
            minted_by: root.clone(),
            grant,
            ancestors,
            leaf,
            table,
        })
    }
}

/// A chain whose signatures, blocks and narrowing have been verified.
#[derive(Clone, Debug)]
pub struct Token {
    bytes: Vec<u8>,
    container: Container,
    biscuit: Biscuit,
    /// The capability key that signed the grant.
    minted_by: DomainKey,
    grant: GrantTerms,
    /// From the grant on; empty where the grant itself is the leaf.
    ancestors: Vec<Link>,
    leaf: Link,
    /// What all links say of a request; compiled once, because a chain is used often.
    table: Table,
}

impl Token {
    /// The bytes, to be sent on.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The grant at the root.
    pub fn grant(&self) -> &GrantTerms {
        &self.grant
    }

    /// The links from the grant to the last hop.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = &Link> {
        self.ancestors.iter().chain(std::iter::once(&self.leaf))
    }

    /// The last link: whose holder can use the token.
    pub fn leaf(&self) -> &Link {
        &self.leaf
    }

    /// What the chain says of a request, whoever makes it.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Names the whole chain.
    pub fn chain_id(&self) -> ChainId {
        self.leaf().chain_id
    }

    /// How many hops follow the grant.
    pub fn depth(&self) -> usize {
        self.container.hops.len()
    }

    /// The grant is signed by the key that was the domain's for the leaf that records it (TOK-008).
    pub fn check_granted_at(&self, leaf: LeafIndex) -> Result<(), Refusal> {
        let id = self.minted_by.id;
        let reason = Reason::TokenUntrusted;
        require!(
            "TOK-008",
            self.minted_by.covers(leaf),
            reason,
            "Capability key {id} is not for leaf {leaf}."
        );
        Ok(())
    }

    /// What can be said of that where only the chain's last leaf is known: a grant is recorded at it
    /// where the grant is all there is, and before it otherwise.
    pub(super) fn check_granted_by(&self, last: LeafIndex) -> Result<(), Refusal> {
        if self.ancestors.is_empty() {
            return self.check_granted_at(last);
        }
        let (id, began) = (self.minted_by.id, self.minted_by.first_leaf < last);
        require!("TOK-008", began, Reason::TokenUntrusted, "Capability key {id} began after leaf {last}.");
        Ok(())
    }

    /// The chain with another table than its own.
    #[cfg(test)]
    pub(super) fn with_table(self, table: Table) -> Self {
        Self { table, ..self }
    }

    pub(super) fn container(&self) -> &Container {
        &self.container
    }

    pub(super) fn biscuit(&self) -> &Biscuit {
        &self.biscuit
    }
}

/// Lets biscuit-auth verify the authority's signature, each block's, and each grantor's, strictly.
fn verify_signatures(bytes: &[u8], root: &PublicKey) -> Result<Biscuit, Refusal> {
    let untrusted = |detail: String| Refusal::new("TOK-005", Reason::TokenUntrusted, detail);
    let root = biscuit_auth::PublicKey::from_bytes(root.as_bytes(), Algorithm::Ed25519)
        .map_err(|error| untrusted(error.to_string()))?;
    Biscuit::from(bytes, root).map_err(|error| untrusted(error.to_string()))
}

fn read_grant(container: &Container, domain: &TrustDomain) -> Result<GrantTerms, Refusal> {
    let payload = &container.authority.payload;
    let grant: GrantTerms = terms_in("grant", payload)?;
    require!(
        "TOK-010",
        compile::authority_block(&grant) == *payload,
        Reason::TokenMalformed,
        "The authority block is not the one that its terms compile to."
    );
    require!("TOK-006", grant.domain == *domain, Reason::TokenUntrusted, "It is of {}.", grant.domain);
    let foreign = |principal: &crate::name::PrincipalId| principal.domain() != *domain;
    require!(
        "TOK-007",
        !foreign(&grant.originator) && !foreign(grant.holder.instance.principal()),
        Reason::TokenUntrusted,
        "The originator or the first holder is of another trust domain."
    );
    grant.extensions.check()?;
    Ok(grant)
}

/// Walks from the grant to the last hop: the links above the leaf, and the leaf.
fn walk(container: &Container, grant: &GrantTerms) -> Result<(Vec<Link>, Link), Refusal> {
    let authority = &container.authority;
    let chain_id = grant_chain_id(&grant.domain, &authority.payload);
    check_next_key(chain_id, &authority.next_key)?;
    let mut ancestors = Vec::new();
    let mut leaf =
        Link { chain_id, holder: grant.holder.clone(), rights: grant.rights.clone(), contract: None };
    for hop in &container.hops {
        let next = step(&leaf, hop)?;
        ancestors.push(std::mem::replace(&mut leaf, next));
        let principal = leaf.holder.instance.principal();
        let loops = ancestors.iter().any(|link| link.holder.instance.principal() == principal);
        require!("CHN-005", !loops, Reason::ChainLoops, "It is {principal}.");
    }
    // The proof's secret is that of the last next key: biscuit-auth has held the one to the other.
    Ok((ancestors, leaf))
}

fn step(parent: &Link, hop: &HopBlock) -> Result<Link, Refusal> {
    require!(
        "CHN-001",
        hop.grantor == parent.holder.key,
        Reason::HopNotByHolder,
        "It is signed by {}, but {} holds the right.",
        hop.grantor,
        parent.holder.instance
    );
    let payload = &hop.block.payload;
    let terms: HopTerms = terms_in("hop", payload)?;
    require!(
        "TOK-010",
        compile::hop_block(&terms) == *payload,
        Reason::TokenMalformed,
        "A hop's block is not the one that its terms compile to."
    );
    terms.extensions.check()?;
    if let Some(widening) = parent.rights.first_widening(&terms.rights) {
        return Err(Refusal::new("CHN-002", Reason::RightsWidened, format!("In this hop {widening}.")));
    }
    let chain_id = hop_chain_id(parent.chain_id, payload, &hop.grantor);
    check_next_key(chain_id, &hop.block.next_key)?;
    Ok(Link { chain_id, holder: terms.holder, rights: terms.rights, contract: Some(terms.contract) })
}

fn check_next_key(chain: ChainId, key: &PublicKey) -> Result<(), Refusal> {
    require!(
        "TOK-021",
        next_key(chain).public() == *key,
        Reason::TokenMalformed,
        "A next key is not the one that its chain id gives."
    );
    Ok(())
}

/// The payload of a block's first fact. Whether the block holds anything else is decided by
/// compiling the terms again, so nothing else is read.
fn terms_in<T: Payload>(fact: &str, block: &[u8]) -> Result<T, Refusal> {
    let malformed =
        |error: Malformed| Refusal::new("TOK-011", Reason::TokenMalformed, format!("In {fact}: {error}."));
    let bytes = first_fact_bytes(block).map_err(malformed)?;
    T::from_bytes(bytes).map_err(malformed)
}

fn first_fact_bytes(block: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(block);
    while reader.bytes(1)?.is_some() {}
    reader.stated_varint(3)?;
    let missing = |field| Malformed::Missing { field };
    let mut fact = Reader::new(reader.bytes(4)?.ok_or(missing(4))?);
    let mut predicate = Reader::new(fact.bytes(1)?.ok_or(missing(1))?);
    predicate.stated_varint(1)?;
    let mut term = Reader::new(predicate.bytes(2)?.ok_or(missing(2))?);
    term.bytes(5)?.ok_or(missing(5))
}
