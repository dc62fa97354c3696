//! The keys with which Biscuit links blocks.
//!
//! Both halves are public (TOK-021), so a signature by one of them proves nothing of its signer; it is
//! verified all the same, because a token whose links do not hold is none to any reader of Biscuit. With
//! the private half at hand that is cheaper. Where A = aB,
//!
//! ```text
//! sB - kA = (s - ka)B
//! ```
//!
//! holds for each s and k: A is in the group that B makes, whatever its clamped private scalar is. So the
//! commitment that a signature must have is one multiplication of the base point, which has tables, and
//! the same signatures are accepted.

use curve25519_dalek::{
    edwards::EdwardsPoint,
    scalar::{Scalar, clamp_integer},
};
use sha2::{Digest as _, Sha512};

use super::container::KeyBytes;
use crate::{
    digest::{ChainId, tagged_hash},
    key::{BadSignature, Signature, SigningKey},
};

/// The key that signs the block after a chain.
pub(super) struct LinkKey {
    seed: KeyBytes,
    secret: Scalar,
    public: KeyBytes,
}

impl LinkKey {
    /// Both halves follow from the chain's id.
    pub(super) fn after(chain: ChainId) -> Self {
        let seed = tagged_hash("countersign next key v1", &[chain.as_bytes()]);
        // RFC 8032, 5.1.5.
        let [expanded, _] = halves(Sha512::digest(seed).into());
        let secret = Scalar::from_bytes_mod_order(clamp_integer(expanded));
        Self { seed, secret, public: EdwardsPoint::mul_base(&secret).compress().to_bytes() }
    }

    pub(super) fn seed(&self) -> &KeyBytes {
        &self.seed
    }

    pub(super) fn public(&self) -> &KeyBytes {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        SigningKey::from_seed(&self.seed).sign(message)
    }

    /// What [`crate::key::PublicKey::verify`] says of this key's public half.
    pub(super) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        signature.check_commitment()?;
        let [commitment, response] = halves(signature.to_array());
        let response = Option::<Scalar>::from(Scalar::from_canonical_bytes(response)).ok_or(BadSignature)?;
        let challenge = self.challenge(&commitment, message);
        let expected = EdwardsPoint::mul_base(&(response - challenge * self.secret));
        if expected.compress().to_bytes() == commitment { Ok(()) } else { Err(BadSignature) }
    }

    fn challenge(&self, commitment: &KeyBytes, message: &[u8]) -> Scalar {
        let hash = Sha512::new().chain_update(commitment).chain_update(self.public).chain_update(message);
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    }
}

fn halves(bytes: [u8; 64]) -> [[u8; 32]; 2] {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    let (low, high) = bytes.split_at(32);
    first.copy_from_slice(low);
    second.copy_from_slice(high);
    [first, second]
}

#[cfg(test)]
mod tests {
    use countersign_forge::ed25519::{plus_order, sign_with_nonce};

    use super::*;
    use crate::key::PublicKey;

    /// Attack line 13: the private half changes no answer.
    #[test]
    fn a_link_is_verified_as_by_its_public_half() {
        for number in 0..8 {
            let link = LinkKey::after(ChainId::from_bytes([number; 32]));
            let public = PublicKey::try_from(&link.public()[..]).unwrap();
            let message = [number; 40];
            let signature = link.sign(&message);
            let bytes = signature.to_array();
            assert_eq!(link.public, SigningKey::from_seed(&link.seed).public().to_array());
            assert!(link.verify(&message, &signature).is_ok());
            let mut refused = 0;
            let mut same = |message: &[u8], signature: [u8; 64]| {
                let signature = Signature::try_from(&signature[..]).unwrap();
                let by_public = public.verify(message, &signature);
                assert_eq!(link.verify(message, &signature), by_public, "{signature:?}");
                refused += u32::from(by_public.is_err());
            };
            same(&message, sign_with_nonce(link.seed(), &message, 7));
            same(&message, plus_order(bytes));
            same(&[9; 40], bytes);
            // The response that makes the expected commitment the neutral point, which is of small order.
            let mut neutral = [0; 32];
            neutral[0] = 1;
            let response = (link.challenge(&neutral, &message) * link.secret).to_bytes();
            same(&message, [neutral, response].concat().try_into().unwrap());
            for bit in 0..8 * 64 {
                let mut flipped = bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                same(&message, flipped);
            }
            assert_eq!(refused, 3 + 8 * 64, "all but the one with another nonce");
        }
    }
}
