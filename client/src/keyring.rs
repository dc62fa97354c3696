//! The domain's keys, as this agent knows them: those that it began with, and what has followed from them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use countersign_protocol::{
    payload::Payload,
    signed::Signed,
    trust::{KeyRotation, KeySet},
};
use countersign_wire::v1::{self, identity_client::IdentityClient};

use crate::{
    agent::Agent,
    bundle::Bundle,
    error::{About, Error, deceived},
};

/// Keys, and whether they may have changed. They change only while no broker runs: whoever opens a
/// connection asks.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: ArcSwap<KeySet>,
    /// Connections to the broker so far,
    opened: Arc<AtomicU64>,
    /// and how many there had been when the broker was last asked.
    asked: AtomicU64,
    turn: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// Keys that were believed when so many of those connections had been opened.
    pub(crate) fn new(keys: KeySet, opened: Arc<AtomicU64>, asked: u64) -> Self {
        let (keys, asked) = (ArcSwap::from_pointee(keys), AtomicU64::new(asked));
        Self { keys, opened, asked, turn: tokio::sync::Mutex::default() }
    }

    pub(crate) fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// How many connections there have been, if the broker was not asked since the last one.
    fn unasked(&self) -> Option<u64> {
        let opened = self.opened.load(Ordering::Acquire);
        (self.asked.load(Ordering::Acquire) < opened).then_some(opened)
    }

    /// Goes on to the keys that the broker names now, if the keys known here lead there (IDN-124).
    fn follow(&self, now: &KeySet, rotations: &[Vec<u8>]) -> Result<(), Error> {
        let bad = |why: String| deceived(About::Bundle, why);
        let mut known = KeySet::clone(&self.keys());
        for bytes in rotations {
            let signed = Signed::from_bytes(bytes).map_err(|error| bad(error.to_string()))?;
            let claimed: KeyRotation = signed.peek_unverified().map_err(|error| bad(error.to_string()))?;
            // What led to the keys that are known was followed, or believed, before.
            if !known.continues(&claimed.keys) {
                known = known.follow(&signed).map_err(|refusal| bad(refusal.to_string()))?.0;
            }
        }
        // Whatever was known of the other ledger after the backup is not in this one.
        if known.origin() != self.keys().origin() {
            return Err(bad(format!("the ledger goes on from a backup as {}: join anew", known.origin())));
        }
        if known != *now {
            return Err(bad("it names other keys for the domain than it did".into()));
        }
        self.keys.store(Arc::new(known));
        Ok(())
    }
}

impl Agent {
    /// Asks for the domain's keys where a new connection was opened since, because there may be another
    /// broker at its end. If it cannot be asked now, it is asked later.
    pub(crate) async fn know_keys(&self) -> Result<(), Error> {
        let ring = &self.inner.keyring;
        if ring.unasked().is_none() {
            return Ok(());
        }
        let _turn = ring.turn.lock().await;
        let Some(opened) = ring.unasked() else { return Ok(()) };
        let request = v1::GetBundleRequest { trust_domain: self.domain().to_string() };
        let call = async |channel, request| IdentityClient::new(channel).get_bundle(request).await;
        let Ok(reply) = self.inner.connection.call("ask for the domain's keys", request, call).await else {
            return Ok(());
        };
        let told = reply.bundle.ok_or_else(|| deceived(About::Bundle, "there is none"))?;
        let rotations = told.rotations.clone();
        let now = Bundle::read(told, self.domain(), self.inner.pinned)?;
        ring.follow(&now.keys, &rotations)?;
        ring.asked.store(opened, Ordering::Release);
        self.inner.keep()
    }
}
