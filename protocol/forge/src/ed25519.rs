//! Ed25519 by seeds and bytes: signatures over anything, and those that no honest signer makes.

use curve25519_dalek::{edwards::EdwardsPoint, scalar::Scalar};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha512};

/// A plain signature over these bytes, with nothing around them.
pub fn sign(seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(seed).sign(message).to_bytes()
}

/// The public key of a seed.
pub fn public(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// A valid signature that is not the one that RFC 8032 derives: its nonce is of the signer's choosing.
pub fn sign_with_nonce(seed: &[u8; 32], message: &[u8], nonce: u64) -> [u8; 64] {
    let expanded: [u8; 64] = Sha512::digest(seed).into();
    let clamped = curve25519_dalek::scalar::clamp_integer(*expanded.first_chunk().unwrap());
    let (secret, nonce) = (Scalar::from_bytes_mod_order(clamped), Scalar::from(nonce));
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let hash = Sha512::new().chain_update(commitment.0).chain_update(public(seed));
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
    [commitment.0, (nonce + challenge * secret).to_bytes()].concat().try_into().unwrap()
}

/// S + L in place of S, where S is below 2^252: what a lax verifier takes for the same signature.
pub fn plus_order(mut signature: [u8; 64]) -> [u8; 64] {
    const ORDER: [u8; 32] = *b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10";
    let mut carry = 0u16;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    signature
}
