//! What the two sides of a session sign.

use super::EphemeralKey;
use crate::{
    code_enum,
    digest::{ChainId, Digest, SessionLink, SpkiHash},
    extension::Extensions,
    id::SessionId,
    ledger::LeafIndex,
    limits::{SESSION_SIGN_EVERY_MAX, SESSION_SIGN_WITHIN_MAX_MS, SESSION_SIGN_WITHIN_MIN_MS},
    name::{InstanceId, PrincipalId, TrustDomain},
    payload,
    signed::Statement,
    time::{Lifetime, Timestamp},
    token::Nonce,
};

payload! {
    /// The caller's proof for a whole session: the only one that it makes.
    pub struct SessionOpening {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The session.
        2 => pub session_id: SessionId,
        /// The chain that is used.
        3 => pub chain_id: ChainId,
        /// The leaf that activated it.
        4 => pub activation_leaf: LeafIndex,
        /// Who calls.
        5 => pub caller: InstanceId,
        /// Who is called, by every request.
        6 => pub callee: PrincipalId,
        /// The caller's half of the key agreement.
        7 => pub key: EphemeralKey,
        /// Each side signs its head at the latest after so many links,
        8 => pub sign_every: u32,
        /// and so long after the first link that its last head does not cover.
        9 => pub sign_within: Lifetime,
        /// Used once.
        10 => pub nonce: Nonce,
        /// When it was signed.
        11 => pub issued: Timestamp,
        /// From when on nothing can be opened with it.
        12 => pub expires: Timestamp,
        /// The TLS key of the caller's end of the channel.
        13 => pub channel: SpkiHash,
        /// Growth.
        14 => pub extensions: Extensions,
    }
    valid_if SessionOpening::is_valid;
}

impl Statement for SessionOpening {
    const TYPE: &'static str = "application/vnd.countersign.session-opening.v1";
}

impl SessionOpening {
    fn is_valid(&self) -> bool {
        let within = SESSION_SIGN_WITHIN_MIN_MS..=SESSION_SIGN_WITHIN_MAX_MS;
        (1..=SESSION_SIGN_EVERY_MAX).contains(&self.sign_every)
            && within.contains(&self.sign_within.as_millis())
    }
}

payload! {
    /// The callee's word that it verified the opening and takes the session.
    pub struct SessionAnswer {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The session.
        2 => pub session_id: SessionId,
        /// Digest of the signed opening.
        3 => pub opening: Digest,
        /// Who answers.
        4 => pub callee: InstanceId,
        /// The callee's half of the key agreement.
        5 => pub key: EphemeralKey,
        /// When.
        6 => pub answered: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for SessionAnswer {
    const TYPE: &'static str = "application/vnd.countersign.session-answer.v1";
}

code_enum! {
    /// Whose links a head is of.
    pub enum Side {
        /// The requests, which the caller signs.
        Caller = 1,
        /// The results, which the callee signs.
        Callee = 2,
    }
}

payload! {
    /// One side's signature over everything that it has said so far in a session.
    pub struct SessionHead {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The session.
        2 => pub session_id: SessionId,
        /// Whose.
        3 => pub side: Side,
        /// How many links there are.
        4 => pub count: u64,
        /// The last of them.
        5 => pub link: SessionLink,
        /// When it was signed.
        6 => pub signed: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for SessionHead {
    const TYPE: &'static str = "application/vnd.countersign.session-head.v1";
}
