//! The signatures of a container.
//!
//! For k hops there are 2k + 1: the domain's over the authority block, and for each hop its grantor's and
//! that of the link key before it. All are verified, strictly; the holder's proof is one more. What is
//! accepted is what biscuit-auth accepts, which `protocol/tests/container` shows.

use super::{
    chain::{grant_chain_id, hop_chain_id},
    container::{Container, HopBlock, KeyBytes},
    link_key::LinkKey,
    mint::{authority_message, block_message, hop_message},
};
use crate::{
    digest::ChainId,
    key::{BadSignature, PublicKey, Signature, SigningKey},
    name::TrustDomain,
    payload::Malformed,
    refusal::{Reason, Refusal},
    require,
};

/// One block, whose signatures hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    /// Names the chain up to this block, whatever the block says.
    pub(super) chain_id: ChainId,
    /// Whether the next key is the derived one.
    pub(super) has_derived_key: bool,
}

/// A chain, and the key that has to have signed the block after it.
struct Before {
    chain_id: ChainId,
    key: NextKey,
}

enum NextKey {
    Derived(LinkKey),
    /// Another one, for which no token is accepted in the end; but who signed comes first.
    Chosen(PublicKey),
}

/// Verifies all of it: the grant by the domain's key, then hop after hop.
pub(super) fn check(
    container: &Container,
    domain: &TrustDomain,
    root: &PublicKey,
) -> Result<(Sealed, Vec<Sealed>), Refusal> {
    let authority = &container.authority;
    let message = authority_message(&authority.payload, &authority.next_key);
    root.verify(&message, &authority.signature).map_err(untrusted)?;
    let key = Before::read(grant_chain_id(domain, &authority.payload), &authority.next_key)?;
    let grant = key.sealed();
    Ok((grant, check_hops(container, key, &authority.signature, &container.hops)?))
}

/// Verifies the hops that follow on a chain whose every signature was verified: all of the container but
/// for its first `known` hops.
pub(super) fn check_after(
    container: &Container,
    chain: ChainId,
    known: usize,
) -> Result<Vec<Sealed>, Refusal> {
    let last = known.checked_sub(1).and_then(|last| container.hops.get(last));
    let last = last.map_or(&container.authority, |hop| &hop.block);
    let hops = container.hops.get(known..).unwrap_or_default();
    check_hops(container, Before::read(chain, &last.next_key)?, &last.signature, hops)
}

fn check_hops<'a>(
    container: &Container,
    mut key: Before,
    mut previous: &'a Signature,
    hops: &'a [HopBlock],
) -> Result<Vec<Sealed>, Refusal> {
    let mut sealed = Vec::with_capacity(hops.len());
    for hop in hops {
        check_hop(hop, &key, previous)?;
        let chain_id = hop_chain_id(key.chain_id, &hop.block.payload, &hop.grantor);
        key = Before::read(chain_id, &hop.block.next_key)?;
        previous = &hop.block.signature;
        sealed.push(key.sealed());
    }
    check_secret(container, &key)?;
    Ok(sealed)
}

fn check_hop(hop: &HopBlock, key: &Before, previous: &Signature) -> Result<(), Refusal> {
    let HopBlock { block, grantor, grantor_signature } = hop;
    let message = block_message(&block.payload, &block.next_key, previous, grantor_signature);
    key.verify(&message, &block.signature).map_err(untrusted)?;
    let message = hop_message(&block.payload, previous);
    read_key(grantor)?.verify(&message, grantor_signature).map_err(untrusted)
}

/// The proof's secret is that of the last next key.
fn check_secret(container: &Container, last: &Before) -> Result<(), Refusal> {
    let is_its = match &last.key {
        NextKey::Derived(key) => *key.seed() == container.next_secret,
        NextKey::Chosen(key) => SigningKey::from_seed(&container.next_secret).public() == *key,
    };
    require!("TOK-005", is_its, Reason::TokenUntrusted, "The proof is not of the last next key.");
    Ok(())
}

impl Before {
    fn read(chain_id: ChainId, stated: &KeyBytes) -> Result<Self, Refusal> {
        let derived = LinkKey::after(chain_id);
        let key = match derived.public() == stated {
            true => NextKey::Derived(derived),
            false => NextKey::Chosen(read_key(stated)?),
        };
        Ok(Self { chain_id, key })
    }

    fn sealed(&self) -> Sealed {
        Sealed { chain_id: self.chain_id, has_derived_key: matches!(self.key, NextKey::Derived(_)) }
    }

    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        match &self.key {
            NextKey::Derived(key) => key.verify(message, signature),
            NextKey::Chosen(key) => key.verify(message, signature),
        }
    }
}

/// A key as it stands in a container.
pub(super) fn read_key(bytes: &KeyBytes) -> Result<PublicKey, Refusal> {
    PublicKey::try_from(&bytes[..]).map_err(|_| {
        let malformed = Malformed::Value { field: 2 };
        Refusal::new("TOK-001", Reason::TokenMalformed, malformed.to_string())
    })
}

fn untrusted(why: BadSignature) -> Refusal {
    Refusal::new("TOK-005", Reason::TokenUntrusted, why.to_string())
}
