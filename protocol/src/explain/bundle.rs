//! The bundle as it is sent and stored.

use crate::{
    digest::TreeHash,
    id::InvocationId,
    ledger::{InclusionProof, LeafIndex, SignedCheckpoint, TreeSize},
    limits::{BUNDLE_ENTRIES_MAX, BUNDLE_MAX_BYTES},
    payload,
    payload::Bounded,
    signed::Signed,
};

payload! {
    /// An entry as the ledger holds it, and the way from it to the checkpoint's root.
    pub struct ProvenEntry {
        /// Its place.
        1 => pub leaf: LeafIndex,
        /// Its bytes.
        2 => pub entry: Vec<u8>,
        /// The siblings from the leaf upwards, in the tree of the bundle's checkpoint.
        3 => pub path: Vec<TreeHash>,
    }
}

impl ProvenEntry {
    /// The proof that it stands in a ledger of that size.
    pub(super) fn inclusion(&self, size: TreeSize) -> InclusionProof {
        InclusionProof { index: self.leaf, size, path: self.path.clone() }
    }
}

payload! {
    /// Everything that is needed to check one invocation, with nothing but the domain's public keys.
    pub struct Bundle {
        /// The invocation.
        1 => pub invocation_id: InvocationId,
        /// The ledger's own statement of its size and root.
        2 => pub checkpoint: SignedCheckpoint,
        /// The domain's keys, the INTENT and, once there is one, the RESULT; the grant and each
        /// contract of the chain; the admission of the originator's instance, of each holder and of the
        /// callee; where it is a request in a session, the session's opening and answer, and what each
        /// side said from there on up to its first head that covers it. In ascending order of their leaves, each once, and nothing else.
        3 => pub entries: Bounded<ProvenEntry, 1, BUNDLE_ENTRIES_MAX>,
        /// The activation of the chain's last link.
        4 => pub activation: Signed,
        /// The policy whose digest the INTENT names, where the broker still has it.
        5 => pub policy: Option<Vec<u8>>,
    }
    valid_if Bundle::leaves_ascend;
    at_most BUNDLE_MAX_BYTES;
}

impl Bundle {
    fn leaves_ascend(&self) -> bool {
        self.entries.is_sorted_by(|a, b| a.leaf < b.leaf)
    }
}
