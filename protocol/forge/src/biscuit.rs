//! Biscuits by hand: any block, signed by any key, linked well or badly.

use countersign_protocol::{
    key::{PublicKey, SigningKey},
    name::TrustDomain,
    token::{
        GrantTerms, HopTerms, RebindTerms, Token, UnverifiedToken, append_hop, append_rebind, mint_grant,
        sign_hop,
    },
    trust::KeySet,
};
use sha2::{Digest as _, Sha256};

use crate::{
    cast::{domain_key, keys},
    ed25519::{public, sign, sign_with_nonce},
    terms::grant_terms,
    wire::{Message, dig, scan},
};

/// A container, field by field; nothing keeps its parts consistent.
#[derive(Clone)]
pub struct Container {
    /// The domain that its chain ids are of. No field says so.
    pub domain: TrustDomain,
    /// The number of the key that the authority block claims.
    pub root_key_id: u64,
    /// The grant's block.
    pub authority: Block,
    /// The hops' blocks.
    pub hops: Vec<Hop>,
    /// The seed of the last next key.
    pub next_secret: [u8; 32],
}

/// A block and what links it.
#[derive(Clone)]
pub struct Block {
    /// Its content.
    pub payload: Vec<u8>,
    /// The key that signs the block after it.
    pub next_key: [u8; 32],
    /// By the next key before it, or by the root.
    pub signature: [u8; 64],
}

/// A block that a holder added.
#[derive(Clone)]
pub struct Hop {
    /// As every block.
    pub block: Block,
    /// Whose it says that it is.
    pub grantor: [u8; 32],
    /// By that grantor, if all is well.
    pub grantor_signature: [u8; 64],
}

/// A hop that is to be appended.
pub struct Step {
    /// The block's content.
    pub payload: Vec<u8>,
    /// Whose key signs it, and
    pub signer: SigningKey,
    /// whose it says it is.
    pub named: PublicKey,
    /// The seed of the next key, where it is not the derived one.
    pub next: Option<[u8; 32]>,
}

impl Step {
    /// As it should be, if that is the holder's key.
    pub fn new(payload: Vec<u8>, signer: &SigningKey) -> Self {
        Self { payload, signer: signer.clone(), named: signer.public(), next: None }
    }
}

impl Container {
    /// An authority block that this key signs, linked to `next` or to the derived key.
    pub fn root(payload: Vec<u8>, domain: &TrustDomain, signer: &SigningKey, next: Option<[u8; 32]>) -> Self {
        let next = next.unwrap_or_else(|| next_seed(&grant_chain_id(domain, &payload)));
        let next_key = public(&next);
        let signature = sign(&signer.to_seed(), &authority_message(&payload, &next_key));
        let authority = Block { payload, next_key, signature };
        Self { domain: domain.clone(), root_key_id: 1, authority, hops: Vec::new(), next_secret: next }
    }

    /// The grant of `terms`, signed by that key.
    pub fn grant(terms: &GrantTerms, signer: &SigningKey) -> Self {
        Self::root(grant_block(terms), &terms.domain, signer, None)
    }

    /// The parts of a well-formed token, whoever signed them.
    pub fn read(domain: &TrustDomain, token: &[u8]) -> Self {
        let (fields, rest) = scan(token);
        assert!(rest.is_empty(), "it is a whole token");
        let hops = fields.iter().filter(|field| field.number == 3).map(|field| Hop {
            block: Block::read(field.value),
            grantor: array(dig(field.value, &[(4, 0), (2, 0), (2, 0)])),
            grantor_signature: array(dig(field.value, &[(4, 0), (1, 0)])),
        });
        Self {
            domain: domain.clone(),
            root_key_id: fields[0].integer,
            authority: Block::read(dig(token, &[(2, 0)])),
            hops: hops.collect(),
            next_secret: array(dig(token, &[(4, 0), (1, 0)])),
        }
    }

    /// A hop of `terms` by that grantor, as it should be.
    pub fn hop(self, terms: &HopTerms, grantor: &SigningKey) -> Self {
        self.step(&Step::new(hop_block(terms), grantor))
    }

    /// A rebind of `terms` by that key, as it should be if it is the domain's.
    pub fn rebind(self, terms: &RebindTerms, signer: &SigningKey) -> Self {
        self.step(&Step::new(rebind_block(terms), signer))
    }

    /// Any hop.
    pub fn step(mut self, step: &Step) -> Self {
        let previous = self.last_signature();
        let grantor = step.named.to_array();
        let chain = hop_chain_id(&self.chain_ids().pop().unwrap(), &step.payload, &grantor);
        let next = step.next.unwrap_or_else(|| next_seed(&chain));
        let next_key = public(&next);
        let grantor_signature = sign(&step.signer.to_seed(), &hop_message(&step.payload, &previous));
        let message = block_message(&step.payload, &next_key, &previous, &grantor_signature);
        let signature = sign(&self.next_secret, &message);
        let block = Block { payload: step.payload.clone(), next_key, signature };
        self.hops.push(Hop { block, grantor, grantor_signature });
        self.next_secret = next;
        self
    }

    /// Puts a hop that was signed for another place behind the last one here. The link is made anew,
    /// which anyone can; the grantor's signature is the one that it gave.
    pub fn splice(mut self, hop: &Hop) -> Self {
        let (mut hop, before) = (hop.clone(), self.last_signature());
        let chain = hop_chain_id(self.chain_ids().last().unwrap(), &hop.block.payload, &hop.grantor);
        let next = next_seed(&chain);
        hop.block.next_key = public(&next);
        let message = block_message(&hop.block.payload, &hop.block.next_key, &before, &hop.grantor_signature);
        hop.block.signature = sign(&self.next_secret, &message);
        self.hops.push(hop);
        self.next_secret = next;
        self
    }

    /// Another valid link to the last hop. The key that makes it is public by design, and Ed25519 leaves
    /// its signer free in the choice of the nonce: so anyone can give one signed chain other bytes.
    pub fn sealed_anew(mut self) -> Self {
        let last = self.hops.pop().unwrap();
        let (before, parent) = (self.last_signature(), self.chain_ids().pop().unwrap());
        let Block { payload, next_key, signature } = last.block;
        let message = block_message(&payload, &next_key, &before, &last.grantor_signature);
        let other = sign_with_nonce(&next_seed(&parent), &message, 7);
        assert_ne!(other, signature, "an honest link has another nonce");
        self.hops.push(Hop { block: Block { payload, next_key, signature: other }, ..last });
        self
    }

    /// From the grant to the last hop, computed apart from the core.
    pub fn chain_ids(&self) -> Vec<[u8; 32]> {
        let mut ids = vec![grant_chain_id(&self.domain, &self.authority.payload)];
        for hop in &self.hops {
            ids.push(hop_chain_id(ids.last().unwrap(), &hop.block.payload, &hop.grantor));
        }
        ids
    }

    /// What the next block's signatures refer to.
    pub fn last_signature(&self) -> [u8; 64] {
        self.hops.last().map_or(self.authority.signature, |hop| hop.block.signature)
    }

    /// The token.
    pub fn bytes(&self) -> Vec<u8> {
        let mut token = Message::default().varint(1, self.root_key_id).message(2, self.authority.message());
        for hop in &self.hops {
            let external = Message::default().bytes(1, &hop.grantor_signature).message(2, key(&hop.grantor));
            token = token.message(3, hop.block.message().message(4, external).varint(5, 1));
        }
        token.message(4, Message::default().bytes(1, &self.next_secret)).done()
    }

    /// The token that the core sees.
    pub fn verified(&self, keys: &KeySet) -> Token {
        UnverifiedToken::from_bytes(self.bytes()).verify(keys).unwrap()
    }
}

impl Block {
    fn read(block: &[u8]) -> Self {
        Self {
            payload: dig(block, &[(1, 0)]).to_vec(),
            next_key: array(dig(block, &[(2, 0), (2, 0)])),
            signature: array(dig(block, &[(3, 0)])),
        }
    }

    fn message(&self) -> Message {
        Message::default().bytes(1, &self.payload).message(2, key(&self.next_key)).bytes(3, &self.signature)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

fn key(public: &[u8; 32]) -> Message {
    Message::default().varint(1, 0).bytes(2, public)
}

/// The block that the terms of a grant compile to.
pub fn grant_block(terms: &GrantTerms) -> Vec<u8> {
    dig(mint_grant(terms, 1, &domain_key(201)).as_bytes(), &[(2, 0), (1, 0)]).to_vec()
}

/// The block that the terms of a hop compile to; it does not depend on the chain before it.
pub fn hop_block(terms: &HopTerms) -> Vec<u8> {
    let parent = mint_grant(&grant_terms(), 1, &domain_key(201)).verify(&keys()).unwrap();
    let signature = sign_hop(&parent, terms, &domain_key(201));
    let token = append_hop(&parent, terms, domain_key(201).public(), signature);
    dig(token.as_bytes(), &[(3, 0), (1, 0)]).to_vec()
}

/// The block that the terms of a rebind compile to.
pub fn rebind_block(terms: &RebindTerms) -> Vec<u8> {
    let parent = mint_grant(&grant_terms(), 1, &domain_key(201)).verify(&keys()).unwrap();
    let token = append_rebind(&parent, terms, &domain_key(204));
    dig(token.as_bytes(), &[(3, 0), (1, 0)]).to_vec()
}

/// CONV-021.
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let prefixed = |part: &[u8]| [&(part.len() as u64).to_be_bytes(), part].concat();
    let parts: Vec<u8> = parts.iter().flat_map(|part| prefixed(part)).collect();
    Sha256::digest([prefixed(tag.as_bytes()), parts].concat()).into()
}

fn grant_chain_id(domain: &TrustDomain, payload: &[u8]) -> [u8; 32] {
    tagged_hash("countersign grant v1", &[domain.as_str().as_bytes(), payload])
}

/// The id of a chain, by that of its parent.
pub fn hop_chain_id(parent: &[u8; 32], payload: &[u8], grantor: &[u8; 32]) -> [u8; 32] {
    tagged_hash("countersign hop v1", &[parent, payload, grantor])
}

/// The seed of the key that links the next hop: public, by TOK-021.
pub fn next_seed(chain: &[u8; 32]) -> [u8; 32] {
    tagged_hash("countersign next key v1", &[chain])
}

/// What an authority block's signature is over.
pub fn authority_message(payload: &[u8], next: &[u8; 32]) -> Vec<u8> {
    [payload, &[0; 4], next].concat()
}

/// What a grantor's signature is over.
pub fn hop_message(payload: &[u8], previous: &[u8; 64]) -> Vec<u8> {
    [b"\0EXTERNAL\0\0VERSION\0\x01\0\0\0\0PAYLOAD\0", payload, b"\0PREVSIG\0", previous].concat()
}

/// What the signature of a hop's block is over.
pub fn block_message(payload: &[u8], next: &[u8; 32], previous: &[u8; 64], external: &[u8]) -> Vec<u8> {
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
