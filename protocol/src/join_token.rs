//! Join tokens: all that a newcomer is given, and all that it needs to find its broker and be let in.
//!
//! The text is a secret for as long as the token lives. It travels by a way of its own, never in a
//! log, and never as an argument of a command.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    capability::Text,
    digest::Digest,
    limits::JOIN_TOKEN_MAX_BYTES,
    name::{PrincipalId, TrustDomain},
    payload,
    payload::Payload,
};

/// What the text of every join token begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "csjoin1_";

/// The secret of a join token. The ledger holds its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinSecret([u8; 32]);

impl JoinSecret {
    /// Draws a new one.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// SHA-256 of the secret: what a [`JoinStatement`](crate::identity::JoinStatement) has as evidence.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The 32 bytes, for the attestor.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for JoinSecret {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl Drop for JoinSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret(..)")
    }
}

crate::blob!(JoinSecret);

payload! {
    /// A join token.
    pub struct JoinToken {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// Who may join with it, once.
        2 => pub principal: PrincipalId,
        /// Where its brokers let newcomers in, as `host:port`.
        3 => pub enrolment: Text,
        /// Where they serve instances, as `host:port`.
        4 => pub broker: Text,
        /// SHA-256 of the certificate of the domain's authority, in DER: whoever answers must have
        /// been certified by it.
        5 => pub authority: Digest,
        /// The secret.
        6 => pub secret: JoinSecret,
    }
    valid_if JoinToken::is_of_its_domain;
}

impl JoinToken {
    fn is_of_its_domain(&self) -> bool {
        self.principal.domain() == self.domain
    }

    /// The text that the newcomer is given.
    pub fn to_text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.to_bytes());
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
        Zeroizing::new(format!("{PREFIX}{}", *encoded))
    }
}

/// The text is no join token. It is not repeated here: it may be a secret that was pasted badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a join token: it begins with {PREFIX} and is copied whole, without spaces or line breaks")]
pub struct NotAJoinToken;

impl FromStr for JoinToken {
    type Err = NotAJoinToken;

    fn from_str(text: &str) -> Result<Self, NotAJoinToken> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAJoinToken)?;
        if encoded.len() > JOIN_TOKEN_MAX_BYTES {
            return Err(NotAJoinToken);
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| NotAJoinToken)?);
        Self::from_bytes(&bytes).map_err(|_| NotAJoinToken)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn token() -> JoinToken {
        JoinToken {
            domain: "acme.example".parse().unwrap(),
            principal: "spiffe://acme.example/agent/planner".parse().unwrap(),
            enrolment: "127.0.0.1:7444".parse().unwrap(),
            broker: "127.0.0.1:7443".parse().unwrap(),
            authority: Digest::of(b"certificate"),
            secret: JoinSecret::generate(&mut StdRng::seed_from_u64(1)),
        }
    }

    #[test]
    fn the_text_reads_back() {
        assert_eq!(token().to_text().parse(), Ok(token()));
    }

    #[test]
    fn what_was_copied_badly_is_no_token() {
        let text = token().to_text();
        for bad in [&text[1..], &text[..text.len() - 1], &format!("{} ", *text), &format!("{}=", *text), ""] {
            assert_eq!(bad.parse::<JoinToken>(), Err(NotAJoinToken), "{bad}");
        }
    }

    #[test]
    fn a_token_for_another_domain_is_no_token() {
        let foreign = JoinToken { domain: "evil.example".parse().unwrap(), ..token() };
        assert_eq!(foreign.to_text().parse::<JoinToken>(), Err(NotAJoinToken));
    }

    #[test]
    fn the_secret_does_not_print_itself() {
        assert!(format!("{:?}", token()).contains("JoinSecret(..)"));
    }
}
