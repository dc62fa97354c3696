//! From received bytes to a verified chain.

use super::{
    chain::{Link, grant_chain_id, hop_chain_id},
    compile,
    container::{Container, HopBlock, NotRead, PROOF_BYTES},
    rebind,
    seal::{Sealed, Seals, read_key},
    table::Table,
    terms::{GrantTerms, HopTerms, RebindTerms},
};
use crate::{
    contract::Rebind,
    digest::ChainId,
    key::{PublicKey, Signature},
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

    /// The bytes, to be sent on.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What the blocks say before a single signature is verified: the grant, and each hop with the key
    /// that claims to have signed it. Only to be shown as such.
    pub fn peek_unverified(&self) -> Result<(GrantTerms, Vec<(PublicKey, Stated)>), Refusal> {
        let container = self.container()?;
        let grant = terms_in("grant", &container.authority.payload)?;
        let hops = container.hops.iter();
        let hops = hops.map(|hop| Ok((read_key(&hop.grantor)?, stated(&hop.block.payload)?)));
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
        let mut seals = Seals::begin(&container, keys.domain(), &root.key)?;
        let grant = read_grant(&container, keys.domain());
        let walk = grant.and_then(|grant| Ok((Walk::begin(&grant, seals.last())?, grant)));
        let (walk, grant) = Walk::on(walk, &mut seals, &container.hops, keys)?;
        Ok(Token::new(self.0.clone(), &container, root.clone(), grant, walk))
    }

    /// What [`Self::verify`] gives, for a token that goes on from a chain which is verified already: only
    /// what follows is verified. A token that does not go on from it is verified whole.
    pub fn verify_after(&self, parent: &Token, keys: &KeySet) -> Result<Token, Refusal> {
        if !parent.is_verified_by(keys) || !parent.is_prefix_of(self) {
            return self.verify(keys);
        }
        let container = self.container()?;
        let mut seals = Seals::after(&container, parent.chain_id(), parent.hops)?;
        let walk = Walk { ancestors: parent.ancestors.clone(), leaf: parent.leaf.clone() };
        let hops = container.hops.get(parent.hops..).unwrap_or_default();
        let (walk, grant) = Walk::on(Ok((walk, parent.grant.clone())), &mut seals, hops, keys)?;
        Ok(Token::new(self.0.clone(), &container, parent.minted_by.clone(), grant, walk))
    }

    /// The names of the chains that its blocks make in that domain, from the grant on, whoever signed them.
    pub(super) fn peek_chain_ids(&self, domain: &TrustDomain) -> Result<Vec<ChainId>, Refusal> {
        let container = self.container()?;
        let mut ids = vec![grant_chain_id(domain, &container.authority.payload)];
        for hop in &container.hops {
            let parent = ids.last().copied().into_iter();
            ids.extend(parent.map(|id| hop_chain_id(id, &hop.block.payload, &hop.grantor)));
        }
        Ok(ids)
    }
}

/// What a block after the authority says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// The right is handed on.
    Hop(HopTerms),
    /// Another instance holds it.
    Rebind(RebindTerms),
}

/// A chain whose signatures, blocks and narrowing have been verified.
#[derive(Clone, Debug)]
pub struct Token {
    bytes: Vec<u8>,
    /// What the next hop's signatures refer to.
    last_signature: Signature,
    /// How many blocks follow the authority: hops, and what was rebound.
    hops: usize,
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
    fn new(bytes: Vec<u8>, of: &Container, minted_by: DomainKey, grant: GrantTerms, walk: Walk) -> Self {
        let Walk { ancestors, leaf } = walk;
        let (table, last_signature) = (Table::compile(&ancestors, &leaf), *of.last_signature());
        Self { bytes, last_signature, hops: of.hops.len(), minted_by, grant, ancestors, leaf, table }
    }

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

    /// How many hops follow the grant; a hop that was rebound is one.
    pub fn depth(&self) -> usize {
        self.ancestors.len()
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

    /// The rebind that is its last link, if one is, is signed by the key that was the domain's for the leaf
    /// that records it (CHN-064).
    pub fn check_rebound_at(&self, leaf: LeafIndex) -> Result<(), Refusal> {
        rebind::check_signed_by(&[], &self.leaf, leaf)
    }

    /// What can be said of that where only the chain's last leaf is known: a grant is recorded at it
    /// where the grant is all there is, and before it otherwise.
    pub(super) fn check_granted_by(&self, last: LeafIndex) -> Result<(), Refusal> {
        rebind::check_signed_by(&self.ancestors, &self.leaf, last)?;
        if self.ancestors.is_empty() {
            return self.check_granted_at(last);
        }
        let (id, began) = (self.minted_by.id, self.minted_by.first_leaf < last);
        require!("TOK-008", began, Reason::TokenUntrusted, "Capability key {id} began after leaf {last}.");
        Ok(())
    }

    pub(super) fn last_signature(&self) -> &Signature {
        &self.last_signature
    }

    /// The bytes of all its blocks: what follows is the secret of the last next key.
    pub(super) fn blocks(&self) -> &[u8] {
        let blocks = self.bytes.len().saturating_sub(PROOF_BYTES);
        self.bytes.get(..blocks).unwrap_or_default()
    }

    /// Whether verifying it anew would begin at the same key.
    pub(super) fn is_verified_by(&self, keys: &KeySet) -> bool {
        let same_domain = self.grant.domain == *keys.domain();
        let mut rebound = self.links().filter_map(|link| link.rebound.as_ref());
        let same_rebinds = rebound.all(|it| keys.rebind_key(it.by.key.as_bytes()) == Some(&it.by));
        same_domain && same_rebinds && keys.capability_key(self.minted_by.id) == Some(&self.minted_by)
    }

    /// Whether those bytes begin with all of its blocks.
    pub(super) fn is_prefix_of(&self, token: &UnverifiedToken) -> bool {
        token.0.starts_with(self.blocks())
    }
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

/// The links up to here.
struct Walk {
    ancestors: Vec<Link>,
    leaf: Link,
}

impl Walk {
    fn begin(grant: &GrantTerms, sealed: Sealed) -> Result<Self, Refusal> {
        check_next_key(sealed)?;
        let (holder, rights) = (grant.holder.clone(), grant.rights.clone());
        let chain_id = sealed.chain_id;
        let leaf = Link { chain_id, holder, rights, contract: None, rebind: Rebind::Never, rebound: None };
        Ok(Self { ancestors: Vec::new(), leaf })
    }

    /// Goes on, hop after hop: its signatures, then what it says. A signature that does not hold is what
    /// is refused first, wherever it stands; so what is wrong with a block waits for the signatures of
    /// all others, and nothing after it is looked at.
    fn on<'a>(
        mut so_far: Result<(Self, GrantTerms), Refusal>,
        seals: &mut Seals<'a>,
        hops: &'a [HopBlock],
        keys: &KeySet,
    ) -> Result<(Self, GrantTerms), Refusal> {
        for hop in hops {
            let holder = so_far.as_ref().ok().map(|(walk, _)| &walk.leaf.holder.key);
            let sealed = seals.check(hop, holder)?;
            so_far = so_far.and_then(|(mut walk, grant)| {
                walk.take(hop, sealed, keys)?;
                Ok((walk, grant))
            });
        }
        seals.finish()?;
        so_far
    }

    /// One more block: a hop adds a link, a rebind takes the place of the one before it.
    fn take(&mut self, hop: &HopBlock, sealed: Sealed, keys: &KeySet) -> Result<(), Refusal> {
        if !is_rebind(&hop.block.payload) {
            return self.push(step(&self.leaf, hop, sealed)?);
        }
        let terms = read_rebind(&hop.block.payload)?;
        self.leaf = rebind::step(self.ancestors.last(), &self.leaf, (hop, sealed), terms, keys)?;
        check_next_key(sealed)
    }

    fn push(&mut self, next: Link) -> Result<(), Refusal> {
        self.ancestors.push(std::mem::replace(&mut self.leaf, next));
        let principal = self.leaf.holder.instance.principal();
        let loops = self.ancestors.iter().any(|link| link.holder.instance.principal() == principal);
        require!("CHN-005", !loops, Reason::ChainLoops, "It is {principal}.");
        Ok(())
    }
}

fn step(parent: &Link, hop: &HopBlock, sealed: Sealed) -> Result<Link, Refusal> {
    require!(
        "CHN-001",
        hop.grantor == parent.holder.key.to_array(),
        Reason::HopNotByHolder,
        "It is signed by {}, but {} holds the right.",
        hex::encode(hop.grantor),
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
    check_next_key(sealed)?;
    let HopTerms { holder, rights, contract, rebind, .. } = terms;
    let (chain_id, contract) = (sealed.chain_id, Some(contract));
    Ok(Link { chain_id, holder, rights, contract, rebind, rebound: None })
}

fn read_rebind(payload: &[u8]) -> Result<RebindTerms, Refusal> {
    let terms: RebindTerms = terms_in(compile::REBIND, payload)?;
    require!(
        "TOK-010",
        compile::rebind_block(&terms) == *payload,
        Reason::TokenMalformed,
        "A rebind's block is not the one that its terms compile to."
    );
    terms.extensions.check()?;
    Ok(terms)
}

/// What kind of block it says it is: that of its first symbol. Compiling its terms again shows whether
/// it is that.
fn is_rebind(block: &[u8]) -> bool {
    Reader::new(block).bytes(1).ok().flatten() == Some(compile::REBIND.as_bytes())
}

fn stated(block: &[u8]) -> Result<Stated, Refusal> {
    match is_rebind(block) {
        true => terms_in(compile::REBIND, block).map(Stated::Rebind),
        false => terms_in("hop", block).map(Stated::Hop),
    }
}

fn check_next_key(sealed: Sealed) -> Result<(), Refusal> {
    require!(
        "TOK-021",
        sealed.has_derived_key,
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
