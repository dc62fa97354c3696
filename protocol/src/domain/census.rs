//! How much of each kind a domain remembers.

use super::State;

/// Numbers for whoever watches a domain grow. Each is told in constant time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Entries in the ledger.
    pub entries: u64,
    /// Revocations so far.
    pub epoch: u64,
    /// Instances that ever were.
    pub instances: usize,
    /// Grants that ever were.
    pub grants: usize,
    /// Contracts that ever were.
    pub contracts: usize,
    /// Negotiations that are open, or ended not long ago.
    pub negotiations: usize,
    /// Invocations that are open, or ended not long ago.
    pub invocations: usize,
    /// Sessions that are open, or ended not long ago.
    pub sessions: usize,
    /// Proofs whose repetition would be noticed.
    pub nonces: usize,
}

impl State {
    /// Counts what there is.
    pub fn census(&self) -> Census {
        Census {
            entries: self.tree.size().get(),
            epoch: self.epoch,
            instances: self.instances.len(),
            grants: self.grants.len(),
            contracts: self.contracts.len(),
            negotiations: self.negotiations.len(),
            invocations: self.invocations.len(),
            sessions: self.sessions.len(),
            nonces: self.nonces.len(),
        }
    }
}
