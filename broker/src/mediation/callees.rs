//! Who serves for which principal.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    name::{InstanceId, PrincipalId},
    refusal::{Reason, Refusal},
    require_some,
    time::Timestamp,
};
use tokio::sync::Semaphore;

use super::callee::{Callee, Place, Room, Takes};
use crate::{
    channel::{Holder, Seats},
    domain::Domain,
    limits::{CALLEE_STREAMS_MAX, CALLEE_STREAMS_PER_INSTANCE, WAITING_KIB},
};

/// The callees that have a stream open.
#[derive(Debug)]
pub(super) struct Callees {
    seats: Arc<Seats>,
    room: Arc<Semaphore>,
    /// The newest stream last.
    streams: Mutex<BTreeMap<PrincipalId, Vec<Arc<Callee>>>>,
}

impl Callees {
    pub(super) fn new() -> Self {
        Self {
            seats: Seats::new(CALLEE_STREAMS_MAX, CALLEE_STREAMS_PER_INSTANCE),
            room: Arc::new(Semaphore::new(WAITING_KIB)),
            streams: Mutex::default(),
        }
    }

    /// Adds a stream. It takes over from an older one of the same instance, which only finishes
    /// what it has.
    pub(super) fn add(&self, instance: &InstanceId, takes: Takes) -> Result<Arc<Callee>, Refusal> {
        let seat = self.seats.take(Holder::Instance(instance.clone()));
        let seat = require_some!("API-052", seat, Reason::Overloaded, "It has too many streams open.");
        let callee = Callee::new(instance.clone(), takes, seat);
        self.streams().entry(instance.principal().clone()).or_default().push(Arc::clone(&callee));
        Ok(callee)
    }

    pub(super) fn remove(&self, callee: &Arc<Callee>) {
        let mut streams = self.streams();
        if let Some(of_principal) = streams.get_mut(callee.instance().principal()) {
            of_principal.retain(|other| !Arc::ptr_eq(other, callee));
            if of_principal.is_empty() {
                streams.remove(callee.instance().principal());
            }
        }
    }

    /// A place at an instance of `principal`, and so many kilobytes: where most is free, if it has
    /// both.
    pub(super) fn reserve(
        &self,
        principal: &PrincipalId,
        kib: u32,
        now: Timestamp,
    ) -> Option<(Arc<Callee>, Place, Room)> {
        let mut callees = self.newest(principal);
        callees.iter().for_each(|callee| callee.take_back_places(now));
        callees.sort_by_cached_key(|callee| Reverse(callee.free()));
        callees.into_iter().find_map(|callee| {
            let whole = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
            let (place, room) = callee.reserve(kib, whole)?;
            Some((callee, place, room))
        })
    }

    /// A place among the sessions of an instance of `principal`: of those that have one, where most is free.
    pub(super) fn session_place(&self, principal: &PrincipalId) -> Option<(Arc<Callee>, Place)> {
        let mut callees = self.newest(principal);
        callees.sort_by_cached_key(|callee| Reverse(callee.free()));
        callees.into_iter().find_map(|callee| callee.session_place().map(|place| (callee, place)))
    }

    /// The same among its streams, with so many kilobytes for what one begins with.
    pub(super) fn reserve_stream(
        &self,
        principal: &PrincipalId,
        kib: u32,
    ) -> Option<(Arc<Callee>, Place, Room)> {
        let mut callees = self.newest(principal);
        callees.sort_by_cached_key(|callee| Reverse(callee.free()));
        callees.into_iter().find_map(|callee| {
            let whole = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
            let (place, room) = callee.reserve_stream(kib, whole)?;
            Some((callee, place, room))
        })
    }

    /// What all streams together have for content that waits for them.
    pub(super) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }

    /// Ends the streams of instances that may not act any more.
    pub(super) fn end_unadmitted(&self, domain: &Domain) {
        let all: Vec<Arc<Callee>> = self.streams().values().flatten().cloned().collect();
        let ended = domain.peek(|state, context| {
            let gone = |callee: &Arc<Callee>| !state.is_live(callee.instance(), context.now);
            all.into_iter().filter(gone).collect::<Vec<_>>()
        });
        for callee in ended {
            callee.end(Refusal::new("IDN-011", Reason::NotAdmitted, ""));
            self.remove(&callee);
        }
    }

    /// The newest stream of each instance.
    fn newest(&self, principal: &PrincipalId) -> Vec<Arc<Callee>> {
        let streams = self.streams();
        let mut seen = BTreeSet::new();
        let of_principal = streams.get(principal).into_iter().flatten().rev();
        of_principal.filter(|callee| seen.insert(callee.instance().clone())).cloned().collect()
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<PrincipalId, Vec<Arc<Callee>>>> {
        // Each change under the lock is one step.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
