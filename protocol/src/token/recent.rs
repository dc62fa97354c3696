//! What was used of late, and no more of it than there is room for.

use std::{collections::BTreeMap, mem};

/// A bounded memory in two halves. When the younger one is full, the older one is dropped and the younger
/// one takes its place; what is used moves to the younger one. So what was not used for long goes first,
/// and nothing is counted or linked on each use.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: Half<K, V>,
    old: Half<K, V>,
    room: usize,
}

#[derive(Debug)]
struct Half<K, V> {
    entries: BTreeMap<K, (V, usize)>,
    weight: usize,
}

impl<K: Copy + Ord, V: Clone> Recent<K, V> {
    /// Room for that much, in whatever the weights are in. One entry may go beyond it.
    pub fn new(room: usize) -> Self {
        Self { young: Half::default(), old: Half::default(), room }
    }

    /// What is remembered under that key.
    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.entries.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = self.old.remove(key)?;
        self.insert(*key, value.clone(), weight);
        Some(value)
    }

    /// Remembers it, in place of what was remembered under that key.
    pub fn insert(&mut self, key: K, value: V, weight: usize) {
        self.old.remove(&key);
        self.young.remove(&key);
        self.young.weight += weight;
        self.young.entries.insert(key, (value, weight));
        if self.young.weight > self.room / 2 {
            self.old = mem::take(&mut self.young);
        }
    }

    /// The weight of all that is remembered.
    pub fn weight(&self) -> usize {
        self.young.weight + self.old.weight
    }
}

impl<K: Ord, V> Half<K, V> {
    fn remove(&mut self, key: &K) -> Option<(V, usize)> {
        let (value, weight) = self.entries.remove(key)?;
        self.weight -= weight;
        Some((value, weight))
    }
}

impl<K, V> Default for Half<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), weight: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_long_makes_room() {
        let mut recent = Recent::new(60);
        recent.insert(0, "used", 10);
        recent.insert(1, "not used", 10);
        for key in 2..40 {
            recent.insert(key, "another", 10);
            assert!(recent.weight() <= 60 + 10, "{}", recent.weight());
            assert_eq!(recent.get(&0), Some("used"), "after {key}");
        }
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&39), Some("another"));
    }

    #[test]
    fn there_is_one_value_for_each_key() {
        let mut recent = Recent::new(100);
        for (key, value) in [(1, "first"), (2, "other"), (1, "second")] {
            recent.insert(key, value, 30);
        }
        assert_eq!((recent.get(&1), recent.weight()), (Some("second"), 60));
    }
}
