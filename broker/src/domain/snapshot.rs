//! Snapshots of the state: a start goes on from one instead of folding every entry again.
//!
//! Whoever can write the ledger's directory could put any state there, and a state is where *not
//! revoked* and *not used* come from. So a snapshot is sealed with a key that is not in that
//! directory, over what it is of: the domain, the size and root of the log, and the fold. The engine
//! vouches for the log. Whatever is wrong with a snapshot, the whole log is folded instead.

use aws_lc_rs::hmac;
use bytes::{BufMut as _, Bytes};
use countersign_protocol::{
    domain::{FOLD_VERSION, State},
    key::SigningKey,
    name::TrustDomain,
    payload::Malformed,
};
use countersign_store::{Head, Recalled, Snapshot};
use thiserror::Error;

/// What the key of the seals is derived for, and nothing else.
const PURPOSE: &[u8] = b"countersign snapshot of the state v1";
const SEAL_BYTES: usize = 32;

/// Why a snapshot is not gone on from.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    #[error("it is of fold {0}, and this is fold {FOLD_VERSION}")]
    OtherFold(u32),
    #[error("it does not have this broker's seal")]
    NotSealed,
    #[error("it is no state: {0}")]
    NoState(#[from] Malformed),
}

/// Seals snapshots, and knows its seal again.
pub(super) struct Sealer(hmac::Key);

impl Sealer {
    /// Derives the key from one that is kept apart from the ledger, and with which anything could be
    /// granted anyway.
    pub(super) fn new(capability: &SigningKey) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &*capability.to_seed());
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, PURPOSE).as_ref()))
    }

    /// Seals what [`State::to_snapshot`] made of the log up to that head.
    pub(super) fn seal(&self, domain: &TrustDomain, head: Head, state: &[u8]) -> Snapshot {
        self.seal_as(FOLD_VERSION, domain, head, state)
    }

    /// As a broker with that fold does.
    pub(super) fn seal_as(&self, version: u32, domain: &TrustDomain, head: Head, state: &[u8]) -> Snapshot {
        let seal = hmac::sign(&self.0, &sealed(version, domain, head, state));
        let mut bytes = Vec::with_capacity(4 + SEAL_BYTES + state.len());
        bytes.put_u32(version);
        bytes.put_slice(seal.as_ref());
        bytes.put_slice(state);
        Snapshot { head, bytes: Bytes::from(bytes) }
    }

    /// The state, if this key sealed it for that domain and that log under this fold.
    pub(super) fn open(&self, domain: &TrustDomain, recalled: Recalled) -> Result<State, Unusable> {
        let Recalled { snapshot: Snapshot { head, bytes }, tree } = recalled;
        let (version, rest) = bytes.split_first_chunk().ok_or(Unusable::NotSealed)?;
        let version = u32::from_be_bytes(*version);
        if version != FOLD_VERSION {
            return Err(Unusable::OtherFold(version));
        }
        let (seal, state) = rest.split_at_checked(SEAL_BYTES).ok_or(Unusable::NotSealed)?;
        let message = sealed(version, domain, head, state);
        hmac::verify(&self.0, &message, seal).map_err(|_| Unusable::NotSealed)?;
        Ok(State::from_snapshot(state, tree)?)
    }
}

/// What the seal covers. All but the state has a fixed length or is preceded by it.
fn sealed(version: u32, domain: &TrustDomain, head: Head, state: &[u8]) -> Vec<u8> {
    let domain = domain.as_str().as_bytes();
    let mut message = Vec::with_capacity(4 + 8 + domain.len() + 8 + 32 + state.len());
    message.put_u32(version);
    message.put_u64(domain.len() as u64);
    message.put_slice(domain);
    message.put_u64(head.size.get());
    message.put_slice(head.root.as_bytes());
    message.put_slice(state);
    message
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{digest::TreeHash, ledger::Tree};

    use super::*;

    fn domain(name: &str) -> TrustDomain {
        name.parse().unwrap()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn recalled(change: impl FnOnce(&mut Snapshot)) -> Recalled {
        let (state, tree) = (State::default(), Tree::default());
        let head = Head { size: tree.size(), root: tree.root() };
        let mut snapshot =
            Sealer::new(&key(1)).seal(&domain("prod.acme.example"), head, &state.to_snapshot());
        change(&mut snapshot);
        Recalled { snapshot, tree }
    }

    fn opened(recalled: Recalled) -> Result<State, Unusable> {
        Sealer::new(&key(1)).open(&domain("prod.acme.example"), recalled)
    }

    #[test]
    fn what_was_sealed_is_the_state() {
        assert_eq!(opened(recalled(|_| ())).unwrap(), State::default());
    }

    #[test]
    fn a_snapshot_is_of_one_domain_log_and_key() {
        let other_root = recalled(|snapshot| snapshot.head.root = TreeHash::from_bytes([1; 32]));
        assert!(matches!(opened(other_root), Err(Unusable::NotSealed)));
        let other_size = recalled(|snapshot| snapshot.head.size = snapshot.head.size.plus(1).unwrap());
        assert!(matches!(opened(other_size), Err(Unusable::NotSealed)));
        let other_domain = Sealer::new(&key(1)).open(&domain("dev.acme.example"), recalled(|_| ()));
        assert!(matches!(other_domain, Err(Unusable::NotSealed)));
        let other_key = Sealer::new(&key(2)).open(&domain("prod.acme.example"), recalled(|_| ()));
        assert!(matches!(other_key, Err(Unusable::NotSealed)));
    }

    #[test]
    fn a_changed_bit_anywhere_or_a_cut_breaks_it() {
        let length = recalled(|_| ()).snapshot.bytes.len();
        for at in 0..length {
            let flip = |snapshot: &mut Snapshot| {
                let mut bytes = snapshot.bytes.to_vec();
                bytes[at] ^= 1;
                snapshot.bytes = bytes.into();
            };
            assert!(opened(recalled(flip)).is_err(), "byte {at}");
            assert!(opened(recalled(|snapshot| snapshot.bytes.truncate(at))).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn another_fold_is_told_from_a_broken_seal() {
        let older = recalled(|snapshot| {
            let mut bytes = snapshot.bytes.to_vec();
            bytes[..4].copy_from_slice(&(FOLD_VERSION + 1).to_be_bytes());
            snapshot.bytes = bytes.into();
        });
        assert!(matches!(opened(older), Err(Unusable::OtherFold(version)) if version == FOLD_VERSION + 1));
    }
}
