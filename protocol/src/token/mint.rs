//! Making tokens: the trust domain grants, a holder delegates.

use super::{
    UnverifiedToken,
    chain::{grant_chain_id, hop_chain_id},
    compile,
    container::{Container, HopBlock, KeyBytes, SealedBlock, THIRD_PARTY_SIGNATURE},
    link_key::LinkKey,
    terms::{GrantTerms, HopTerms, RebindTerms},
    verify::Token,
};
use crate::key::{PublicKey, Signature, SigningKey};

/// Signs a grant with the trust domain's capability key of that number.
pub fn mint_grant(terms: &GrantTerms, key_id: u32, capability_key: &SigningKey) -> UnverifiedToken {
    let payload = compile::authority_block(terms);
    let next = LinkKey::after(grant_chain_id(&terms.domain, &payload));
    let signature = capability_key.sign(&authority_message(&payload, next.public()));
    let authority = SealedBlock { payload, next_key: *next.public(), signature };
    let container = Container { root_key_id: key_id, authority, hops: Vec::new(), next_secret: *next.seed() };
    UnverifiedToken::from_bytes(container.write())
}

/// The holder's signature over a hop: all that an offer has to carry, since the block itself follows
/// from the contract.
pub fn sign_hop(parent: &Token, terms: &HopTerms, holder_key: &SigningKey) -> Signature {
    let payload = compile::hop_block(terms);
    holder_key.sign(&hop_message(&payload, parent.last_signature()))
}

/// Appends a hop that `grantor` signed. Nothing is checked here: the result is unverified.
pub fn append_hop(
    parent: &Token,
    terms: &HopTerms,
    grantor: PublicKey,
    grantor_signature: Signature,
) -> UnverifiedToken {
    append_signed(parent, compile::hop_block(terms), grantor, grantor_signature)
}

/// Appends a rebind to a chain that ends with a hop, signed with the trust domain's rebind key. Nothing
/// is checked here: the result is unverified.
pub fn append_rebind(hop: &Token, terms: &RebindTerms, rebind_key: &SigningKey) -> UnverifiedToken {
    let payload = compile::rebind_block(terms);
    let signature = rebind_key.sign(&hop_message(&payload, hop.last_signature()));
    append_signed(hop, payload, rebind_key.public(), signature)
}

fn append_signed(
    parent: &Token,
    payload: Vec<u8>,
    grantor: PublicKey,
    grantor_signature: Signature,
) -> UnverifiedToken {
    let grantor = grantor.to_array();
    let next = LinkKey::after(hop_chain_id(parent.chain_id(), &payload, &grantor));
    let message = block_message(&payload, next.public(), parent.last_signature(), &grantor_signature);
    let signature = LinkKey::after(parent.chain_id()).sign(&message);
    let block = SealedBlock { payload, next_key: *next.public(), signature };
    let hop = HopBlock { block, grantor, grantor_signature };
    UnverifiedToken::from_bytes(Container::append(parent.blocks(), &hop, next.seed()))
}

/// A hop of any content, as a hostile holder would make it.
#[cfg(test)]
pub(super) fn append_payload(parent: &Token, payload: Vec<u8>, grantor: &SigningKey) -> UnverifiedToken {
    let signature = grantor.sign(&hop_message(&payload, parent.last_signature()));
    append_signed(parent, payload, grantor.public(), signature)
}

/// Biscuit's authority signature, version 0.
pub(super) fn authority_message(payload: &[u8], next: &KeyBytes) -> Vec<u8> {
    [payload, &0u32.to_le_bytes(), next].concat()
}

/// Biscuit's external signature, version 1.
pub(super) fn hop_message(payload: &[u8], previous: &Signature) -> Vec<u8> {
    let version = (THIRD_PARTY_SIGNATURE as u32).to_le_bytes();
    [b"\0EXTERNAL\0\0VERSION\0", &version[..], b"\0PAYLOAD\0", payload, b"\0PREVSIG\0", previous.as_bytes()]
        .concat()
}

/// Biscuit's block signature, version 1.
pub(super) fn block_message(
    payload: &[u8],
    next: &KeyBytes,
    previous: &Signature,
    external: &Signature,
) -> Vec<u8> {
    let version = (THIRD_PARTY_SIGNATURE as u32).to_le_bytes();
    let parts: [&[u8]; 12] = [
        b"\0BLOCK\0\0VERSION\0",
        &version,
        b"\0PAYLOAD\0",
        payload,
        b"\0ALGORITHM\0",
        &0u32.to_le_bytes(),
        b"\0NEXTKEY\0",
        next,
        b"\0PREVSIG\0",
        previous.as_bytes(),
        b"\0EXTERNALSIG\0",
        external.as_bytes(),
    ];
    parts.concat()
}
