//! The invocations that are open in this process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::id::InvocationId;
use tokio::sync::watch;

use super::pending::Pending;

/// Every invocation from its decision to its end. The core bounds how many there can be.
#[derive(Debug, Default)]
pub(super) struct Open(Mutex<BTreeMap<InvocationId, Arc<Pending>>>);

impl Open {
    /// Lists an invocation; called where it is decided, so that whoever decides later finds it.
    pub(super) fn insert(&self, pending: &Arc<Pending>) {
        self.table().insert(pending.id(), Arc::clone(pending));
    }

    /// Takes an invocation off the list when the guard is dropped, and tells who waits for that.
    pub(super) fn until_ended(&self, pending: &Arc<Pending>) -> Listed<'_> {
        Listed { open: self, pending: Arc::clone(pending) }
    }

    /// Every one of them.
    pub(super) fn all(&self) -> Vec<Arc<Pending>> {
        self.table().values().cloned().collect()
    }

    /// Tells when that one has ended; `None` where it is not open here.
    pub(super) fn ended(&self, id: &InvocationId) -> Option<watch::Receiver<bool>> {
        self.table().get(id).map(|pending| pending.ended())
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<InvocationId, Arc<Pending>>> {
        // Each change under the lock is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Open::until_ended`].
#[derive(Debug)]
pub(super) struct Listed<'a> {
    open: &'a Open,
    pending: Arc<Pending>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut table = self.open.table();
        // An attempt that was not the first must not strike the first one off.
        if table.get(&self.pending.id()).is_some_and(|listed| Arc::ptr_eq(listed, &self.pending)) {
            table.remove(&self.pending.id());
        }
        drop(table);
        self.pending.set_ended();
    }
}
