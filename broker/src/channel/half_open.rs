//! Handshakes under way: bounded, and nobody can keep others out by leaving theirs open.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
};

use tokio::task::{AbortHandle, Id};

/// The handshakes under way, oldest first.
#[derive(Debug)]
pub(super) struct HalfOpen {
    max: usize,
    queue: VecDeque<(IpAddr, AbortHandle)>,
    by_source: BTreeMap<IpAddr, usize>,
}

impl HalfOpen {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), queue: VecDeque::new(), by_source: BTreeMap::new() }
    }

    /// Counts a new handshake. If there are too many, the source that holds most of them loses its
    /// oldest: a flood displaces itself, and an honest peer has the time in which a whole table
    /// of handshakes comes in.
    pub(super) fn enter(&mut self, source: IpAddr, handshake: AbortHandle) {
        if self.queue.len() >= self.max {
            self.displace();
        }
        self.queue.push_back((source, handshake));
        *self.by_source.entry(source).or_default() += 1;
    }

    /// Forgets a handshake that has ended.
    pub(super) fn leave(&mut self, id: Id) {
        if let Some(position) = self.queue.iter().position(|(_, handshake)| handshake.id() == id) {
            self.remove(position);
        }
    }

    fn displace(&mut self) {
        let busiest = self.by_source.iter().max_by_key(|(_, count)| **count).map(|(source, _)| *source);
        let position = self.queue.iter().position(|(source, _)| Some(*source) == busiest);
        if let Some(handshake) = position.and_then(|position| self.remove(position)) {
            handshake.abort();
        }
    }

    fn remove(&mut self, position: usize) -> Option<AbortHandle> {
        let (source, handshake) = self.queue.remove(position)?;
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(handshake)
    }
}

/// Where a peer is, as far as one party can hold many addresses: an IPv6 customer has a /64.
pub(crate) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test]
    async fn a_flood_displaces_its_own_oldest_and_nobody_elses() {
        let mut tasks = JoinSet::new();
        let mut half_open = HalfOpen::new(4);
        let honest = tasks.spawn(std::future::pending::<()>());
        half_open.enter(ip(1), honest.clone());
        let flood: Vec<_> = (0..100).map(|_| tasks.spawn(std::future::pending())).collect();
        for handshake in &flood {
            half_open.enter(ip(2), handshake.clone());
        }

        let mut displaced = Vec::new();
        while displaced.len() < 97 {
            displaced.push(tasks.join_next().await.unwrap().unwrap_err().id());
        }
        assert!(!displaced.contains(&honest.id()));
        assert!(flood[97..].iter().all(|kept| !displaced.contains(&kept.id())));
        assert_eq!(half_open.queue.len(), 4);
    }

    #[tokio::test]
    async fn handshakes_that_ended_are_forgotten() {
        let mut tasks = JoinSet::new();
        let mut half_open = HalfOpen::new(4);
        let handshake = tasks.spawn(async {});
        half_open.enter(ip(1), handshake.clone());
        half_open.leave(handshake.id());
        half_open.leave(handshake.id());
        assert!(half_open.queue.is_empty() && half_open.by_source.is_empty());
    }

    #[test]
    fn the_addresses_of_one_party_are_one_source() {
        let source = |text: &str| source(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:0:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
        assert_ne!(source("10.0.0.2"), source("10.0.0.1"));
    }
}
