//! A token's last block sealed anew. The key that seals it is public by design, and Ed25519 leaves its
//! signer free in the choice of the nonce: so anyone can give one signed hop other bytes.

use countersign_protocol::{
    digest::{ChainId, tagged_hash},
    key::SigningKey,
};
use curve25519_dalek::{constants::ED25519_BASEPOINT_POINT, scalar::Scalar};
use sha2::{Digest as _, Sha512};

/// The token of a chain whose last link is beneath `parent`, with another seal on its last block.
pub(super) fn sealed_anew(token: &[u8], parent: ChainId) -> Vec<u8> {
    let fields = fields(token);
    let blocks: Vec<&[u8]> = fields.iter().filter(|(number, _)| *number == 3).map(|(_, it)| *it).collect();
    let last = *blocks.last().expect("the chain has a hop");
    let before = match blocks.len() {
        1 => fields.iter().find(|(number, _)| *number == 2).expect("an authority block").1,
        hops => blocks[hops - 2],
    };
    let (payload, next_key, seal) = (field(last, 1), field(field(last, 2), 2), field(last, 3));
    let message = [
        b"\0BLOCK\0\0VERSION\0".as_slice(),
        &1u32.to_le_bytes(),
        b"\0PAYLOAD\0",
        payload,
        b"\0ALGORITHM\0",
        &0u32.to_le_bytes(),
        b"\0NEXTKEY\0",
        next_key,
        b"\0PREVSIG\0",
        field(before, 3),
        b"\0EXTERNALSIG\0",
        field(field(last, 4), 1),
    ]
    .concat();
    let seed = tagged_hash("countersign next key v1", &[parent.as_bytes()]);
    let public = SigningKey::from_seed(&seed).public();
    let other = sign_with_nonce(&seed, public.as_bytes(), &message, 7);
    assert_ne!(other.as_slice(), seal);
    let at = token.windows(seal.len()).rposition(|window| window == seal).expect("its seal is in it");
    let mut token = token.to_vec();
    token[at..at + other.len()].copy_from_slice(&other);
    token
}

/// An Ed25519 signature as RFC 8032 has it, but for the nonce.
fn sign_with_nonce(seed: &[u8; 32], public: &[u8], message: &[u8], nonce: u64) -> [u8; 64] {
    let expanded = Sha512::digest(seed);
    let mut secret: [u8; 32] = expanded[..32].try_into().unwrap();
    secret[0] &= 248;
    secret[31] = secret[31] & 63 | 64;
    let nonce = Scalar::from(nonce);
    let point = (ED25519_BASEPOINT_POINT * nonce).compress();
    let challenge = Sha512::new().chain_update(point.as_bytes()).chain_update(public).chain_update(message);
    let challenge = Scalar::from_bytes_mod_order_wide(&challenge.finalize().into());
    let response = nonce + challenge * Scalar::from_bytes_mod_order(secret);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(point.as_bytes());
    signature[32..].copy_from_slice(response.as_bytes());
    signature
}

/// The length-delimited fields of a protobuf message; others are passed over.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = varint(&mut bytes);
        if key & 7 == 2 {
            let (value, rest) = bytes.split_at(length as usize);
            found.push((key >> 3, value));
            bytes = rest;
        }
    }
    found
}

fn field(bytes: &[u8], number: u64) -> &[u8] {
    fields(bytes).into_iter().find(|(found, _)| *found == number).expect("the field is there").1
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}
