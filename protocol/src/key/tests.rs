use curve25519_dalek::{constants::EIGHT_TORSION, edwards::EdwardsPoint, scalar::Scalar};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha512};

use super::*;

/// What the library's strict verification says.
fn strict(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else { return false };
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
}

/// What ours says, of a key that is one.
fn ours(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = PublicKey::try_from(&key[..]) else { return false };
    key.verify(message, &Signature(*signature)).is_ok()
}

#[test]
fn the_encodings_of_small_order_are_those_of_the_curve() {
    let mut torsion = EIGHT_TORSION.map(|point| point.compress().0);
    let mut listed = SMALL_ORDER;
    torsion.sort_unstable();
    listed.sort_unstable();
    assert_eq!(torsion, listed);
}

/// A signature whose commitment and key carry torsion, with the challenge of what is on the wire: it
/// verifies without a cofactor where the torsion cancels out, which it does for some messages.
fn twisted(rng: &mut StdRng, message: &[u8], on_key: usize, on_commitment: usize) -> ([u8; 32], [u8; 64]) {
    let (secret, nonce) = (Scalar::from(rng.r#gen::<u64>()), Scalar::from(rng.r#gen::<u64>()));
    let key = (EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[on_key]).compress();
    let commitment = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[on_commitment]).compress();
    let hash = Sha512::new().chain_update(commitment.0).chain_update(key.0).chain_update(message);
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let response = (nonce + challenge * secret).to_bytes();
    (key.0, [commitment.0, response].concat().try_into().unwrap())
}

/// Attack line 13: whatever is signed with, and however it is encoded, the answer is that of strict
/// verification.
#[test]
fn our_verification_accepts_what_strict_verification_accepts() {
    let mut rng = StdRng::seed_from_u64(13);
    let (mut accepted, mut refused) = (0, 0);
    let mut check = |key: &[u8; 32], message: &[u8], signature: &[u8; 64]| {
        let expected = strict(key, message, signature) && is_reduced(key);
        assert_eq!(
            ours(key, message, signature),
            expected,
            "{} {}",
            hex::encode(key),
            hex::encode(signature)
        );
        *if expected { &mut accepted } else { &mut refused } += 1;
    };
    // Torsion on either, on both, on none.
    for round in 0..64u8 {
        for on_key in 0..8 {
            for on_commitment in 0..8 {
                let message = [round, on_key as u8, on_commitment as u8];
                let (key, signature) = twisted(&mut rng, &message, on_key, on_commitment);
                check(&key, &message, &signature);
            }
        }
    }
    // Keys and commitments of small order, in every encoding that they have, with any response.
    let lax = |encoding: [u8; 32]| {
        let mut other = encoding;
        other[31] ^= 0x80;
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xed_u8.wrapping_add(encoding[0]), 0x7f | (encoding[31] & 0x80));
        [encoding, other, beyond]
    };
    for key in SMALL_ORDER.into_iter().flat_map(lax) {
        for commitment in SMALL_ORDER.into_iter().flat_map(lax) {
            for response in [Scalar::ZERO, Scalar::ONE] {
                let signature = [commitment, response.to_bytes()].concat().try_into().unwrap();
                check(&key, b"small", &signature);
            }
        }
    }
    // Of a good key: a commitment of small order and the response that fits it.
    for commitment in SMALL_ORDER.into_iter().flat_map(lax) {
        let secret = Scalar::from(rng.r#gen::<u64>());
        let key = EdwardsPoint::mul_base(&secret).compress().0;
        let hash = Sha512::new().chain_update(commitment).chain_update(key).chain_update(b"small");
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let signature = [commitment, (challenge * secret).to_bytes()].concat().try_into().unwrap();
        check(&key, b"small", &signature);
    }
    // Each bit of key, message and signature; a response beyond the group's order.
    let signing = SigningKey::from_seed(&[7; 32]);
    let (key, message) = (signing.public().to_array(), *b"a message");
    let signature = signing.sign(&message).0;
    check(&key, &message, &signature);
    check(&key, &message, &countersign_forge::ed25519::plus_order(signature));
    for bit in 0..8 * (32 + 9 + 64) {
        let mut all = [&key[..], &message, &signature].concat();
        all[bit / 8] ^= 1 << (bit % 8);
        check(all[..32].try_into().unwrap(), &all[32..41], all[41..].try_into().unwrap());
    }
    assert!(accepted > 64 && refused > 1000, "{accepted} accepted, {refused} refused");
}

/// What was held against the compressed point before: the same keys are keys.
#[test]
fn a_key_has_one_encoding() {
    let mut rng = StdRng::seed_from_u64(14);
    let mut high = [0xff; 32];
    let random = (0..2_000).map(|_| rng.r#gen::<[u8; 32]>()).collect::<Vec<_>>();
    let edges = (0..=255).flat_map(|first| {
        [0x7f, 0xff, 0x7e].map(|last| {
            (high[0], high[31]) = (first, last);
            high
        })
    });
    let mut keys = 0;
    for bytes in random.into_iter().chain(edges.collect::<Vec<_>>()).chain(SMALL_ORDER) {
        let one_encoding = ed25519_dalek::VerifyingKey::from_bytes(&bytes)
            .is_ok_and(|key| !key.is_weak() && key.to_edwards().compress().0 == bytes);
        assert_eq!(PublicKey::try_from(&bytes[..]).is_ok(), one_encoding, "{}", hex::encode(bytes));
        keys += u32::from(one_encoding);
    }
    assert!(keys > 500);
}
