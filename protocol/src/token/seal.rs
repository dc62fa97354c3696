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

/// Goes through a container, from block to block.
pub(super) struct Seals<'a> {
    container: &'a Container,
    before: Before,
    previous: &'a Signature,
}

impl<'a> Seals<'a> {
    /// Verifies the authority block.
    pub(super) fn begin(
        container: &'a Container,
        domain: &TrustDomain,
        root: &PublicKey,
    ) -> Result<Self, Refusal> {
        let authority = &container.authority;
        let message = authority_message(&authority.payload, &authority.next_key);
        root.verify(&message, &authority.signature).map_err(untrusted)?;
        let before = Before::read(grant_chain_id(domain, &authority.payload), &authority.next_key)?;
        Ok(Self { container, before, previous: &authority.signature })
    }

    /// Begins behind a chain of so many hops, whose every signature was verified.
    pub(super) fn after(container: &'a Container, chain: ChainId, known: usize) -> Result<Self, Refusal> {
        let last = known.checked_sub(1).and_then(|last| container.hops.get(last));
        let last = last.map_or(&container.authority, |hop| &hop.block);
        let before = Before::read(chain, &last.next_key)?;
        Ok(Self { container, before, previous: &last.signature })
    }

    /// The block that was verified last.
    pub(super) fn last(&self) -> Sealed {
        let has_derived_key = matches!(self.before.key, NextKey::Derived(_));
        Sealed { chain_id: self.before.chain_id, has_derived_key }
    }

    /// Verifies the next hop. Its grantor should be the holder of the link before it, whose key is known;
    /// whoever it is, the grantor has to have signed.
    pub(super) fn check(&mut self, hop: &'a HopBlock, holder: Option<&PublicKey>) -> Result<Sealed, Refusal> {
        let HopBlock { block, grantor, grantor_signature } = hop;
        let message = block_message(&block.payload, &block.next_key, self.previous, grantor_signature);
        self.before.verify(&message, &block.signature).map_err(untrusted)?;
        let message = hop_message(&block.payload, self.previous);
        let key = match holder.filter(|holder| holder.as_bytes() == grantor) {
            Some(holder) => *holder,
            None => read_key(grantor)?,
        };
        key.verify(&message, grantor_signature).map_err(untrusted)?;
        let chain_id = hop_chain_id(self.before.chain_id, &block.payload, grantor);
        self.before = Before::read(chain_id, &block.next_key)?;
        self.previous = &block.signature;
        Ok(self.last())
    }

    /// The proof's secret is that of the last next key.
    pub(super) fn finish(&self) -> Result<(), Refusal> {
        let secret = &self.container.next_secret;
        let is_its = match &self.before.key {
            NextKey::Derived(key) => key.seed() == secret,
            NextKey::Chosen(key) => SigningKey::from_seed(secret).public() == *key,
        };
        require!("TOK-005", is_its, Reason::TokenUntrusted, "The proof is not of the last next key.");
        Ok(())
    }
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

impl Before {
    fn read(chain_id: ChainId, stated: &KeyBytes) -> Result<Self, Refusal> {
        let derived = LinkKey::after(chain_id);
        let key = match derived.public() == stated {
            true => NextKey::Derived(derived),
            false => NextKey::Chosen(read_key(stated)?),
        };
        Ok(Self { chain_id, key })
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
