//! Biscuits by hand: any block, signed by any key, linked well or badly.

use countersign_protocol::{
    token::{GrantTerms, HopTerms, Token, UnverifiedToken, append_hop, mint_grant, sign_hop},
    trust::KeySet,
};
use ed25519_dalek::{Signer as _, SigningKey};

use super::{
    cast,
    wire::{Message, dig},
};

/// A container, field by field; nothing keeps its parts consistent.
#[derive(Clone)]
pub(crate) struct Container {
    pub(crate) root_key_id: u64,
    pub(crate) authority: Block,
    pub(crate) hops: Vec<Hop>,
    pub(crate) next_secret: [u8; 32],
}

#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) payload: Vec<u8>,
    pub(crate) next_key: [u8; 32],
    pub(crate) signature: [u8; 64],
}

#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) block: Block,
    pub(crate) grantor: [u8; 32],
    pub(crate) grantor_signature: [u8; 64],
}

/// A hop that is to be appended.
pub(crate) struct Step {
    pub(crate) payload: Vec<u8>,
    /// Whose key signs it, and
    pub(crate) signer: &'static str,
    /// whose it says it is.
    pub(crate) named: &'static str,
    /// The seed of the next key, where it is not the derived one.
    pub(crate) next: Option<[u8; 32]>,
}

impl Step {
    pub(crate) fn new(payload: Vec<u8>, signer: &'static str) -> Self {
        Self { payload, signer, named: signer, next: None }
    }
}

impl Container {
    /// An authority block that this key signs, linked to `next` or to the derived key.
    pub(crate) fn root(payload: Vec<u8>, domain: &str, signer: &str, next: Option<[u8; 32]>) -> Self {
        let chain = tagged_hash("countersign grant v1", &[domain.as_bytes(), &payload]);
        let next = next.unwrap_or_else(|| next_seed(&chain));
        let next_key = public(&next);
        let signature = sign(&cast::seed(signer), &authority_message(&payload, &next_key));
        let authority = Block { payload, next_key, signature };
        Self { root_key_id: 1, authority, hops: Vec::new(), next_secret: next }
    }

    /// The grant of `terms`, as the domain makes it.
    pub(crate) fn grant(terms: &GrantTerms) -> Self {
        Self::root(grant_block(terms), terms.domain.as_str(), "capability", None)
    }

    /// A hop of `terms` by that grantor, as it should be.
    pub(crate) fn hop(self, terms: &HopTerms, grantor: &'static str) -> Self {
        self.step(&Step::new(hop_block(terms), grantor))
    }

    pub(crate) fn step(mut self, step: &Step) -> Self {
        let previous = self.last_signature();
        let grantor = *cast::public(step.named).as_bytes().first_chunk().unwrap();
        let chain = hop_chain_id(&self.chain_ids().pop().unwrap(), &step.payload, &grantor);
        let next = step.next.unwrap_or_else(|| next_seed(&chain));
        let next_key = public(&next);
        let grantor_signature = sign(&cast::seed(step.signer), &hop_message(&step.payload, &previous));
        let message = block_message(&step.payload, &next_key, &previous, &grantor_signature);
        let signature = sign(&self.next_secret, &message);
        let block = Block { payload: step.payload.clone(), next_key, signature };
        self.hops.push(Hop { block, grantor, grantor_signature });
        self.next_secret = next;
        self
    }

    /// From the grant to the last hop, computed apart from the core.
    pub(crate) fn chain_ids(&self) -> Vec<[u8; 32]> {
        let domain = "acme.example";
        let mut ids =
            vec![tagged_hash("countersign grant v1", &[domain.as_bytes(), &self.authority.payload])];
        for hop in &self.hops {
            ids.push(hop_chain_id(ids.last().unwrap(), &hop.block.payload, &hop.grantor));
        }
        ids
    }

    pub(crate) fn last_signature(&self) -> [u8; 64] {
        self.hops.last().map_or(self.authority.signature, |hop| hop.block.signature)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut token = Message::default().varint(1, self.root_key_id).message(2, self.authority.message());
        for hop in &self.hops {
            let external = Message::default().bytes(1, &hop.grantor_signature).message(2, key(&hop.grantor));
            token = token.message(3, hop.block.message().message(4, external).varint(5, 1));
        }
        token.message(4, Message::default().bytes(1, &self.next_secret)).done()
    }

    /// The token that the core sees.
    pub(crate) fn verified(&self, keys: &KeySet) -> Token {
        UnverifiedToken::from_bytes(self.bytes()).verify(keys).unwrap()
    }
}

impl Block {
    fn message(&self) -> Message {
        Message::default().bytes(1, &self.payload).message(2, key(&self.next_key)).bytes(3, &self.signature)
    }
}

fn key(public: &[u8; 32]) -> Message {
    Message::default().varint(1, 0).bytes(2, public)
}

/// The block that the terms of a grant compile to.
pub(crate) fn grant_block(terms: &GrantTerms) -> Vec<u8> {
    dig(mint_grant(terms, 1, &cast::key("capability")).as_bytes(), &[(2, 0), (1, 0)]).to_vec()
}

/// The block that the terms of a hop compile to; it does not depend on the chain before it.
pub(crate) fn hop_block(terms: &HopTerms) -> Vec<u8> {
    let parent = mint_grant(&cast::grant_terms(), 1, &cast::key("capability"));
    let parent = parent.verify(&cast::key_set()).unwrap();
    let signature = sign_hop(&parent, terms, &cast::key("planner"));
    let token = append_hop(&parent, terms, cast::public("planner"), signature);
    dig(token.as_bytes(), &[(3, 0), (1, 0)]).to_vec()
}

pub(crate) fn sign(seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(seed).sign(message).to_bytes()
}

pub(crate) fn public(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// CONV-021.
pub(crate) fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let prefixed = |part: &[u8]| [&(part.len() as u64).to_be_bytes(), part].concat();
    let parts: Vec<u8> = parts.iter().flat_map(|part| prefixed(part)).collect();
    cast::sha256(&[prefixed(tag.as_bytes()), parts].concat())
}

pub(crate) fn hop_chain_id(parent: &[u8; 32], payload: &[u8], grantor: &[u8; 32]) -> [u8; 32] {
    tagged_hash("countersign hop v1", &[parent, payload, grantor])
}

pub(crate) fn next_seed(chain: &[u8; 32]) -> [u8; 32] {
    tagged_hash("countersign next key v1", &[chain])
}

/// What an authority block's signature is over.
pub(crate) fn authority_message(payload: &[u8], next: &[u8; 32]) -> Vec<u8> {
    [payload, &[0; 4], next].concat()
}

/// What a grantor's signature is over.
pub(crate) fn hop_message(payload: &[u8], previous: &[u8; 64]) -> Vec<u8> {
    [b"\0EXTERNAL\0\0VERSION\0\x01\0\0\0\0PAYLOAD\0", payload, b"\0PREVSIG\0", previous].concat()
}

/// What the signature of a hop's block is over.
pub(crate) fn block_message(
    payload: &[u8],
    next: &[u8; 32],
    previous: &[u8; 64],
    external: &[u8],
) -> Vec<u8> {
    let parts: [&[u8]; 8] = [
        b"\0BLOCK\0\0VERSION\0\x01\0\0\0\0PAYLOAD\0",
        payload,
        b"\0ALGORITHM\0\0\0\0\0\0NEXTKEY\0",
        next,
        b"\0PREVSIG\0",
        previous,
        b"\0EXTERNALSIG\0",
        external,
    ];
    parts.concat()
}
