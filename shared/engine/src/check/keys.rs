//! Which keys were seen, millions of them in little memory?
//!
//! A key is kept as 128 bits of SHA-256: with [`limit::UNIQUE_KEYS_MAX`] keys the chance that two
//! different ones are taken for the same is below 10⁻²³. The tables are open-addressed: what they
//! hold is spread evenly already, so the key says its slot, and 16 bytes are all it takes.

use domain::{Digest, limit};

/// Tables of a key set: each grows by itself, so that growing never doubles the whole.
const SHARDS: usize = 256;

/// Slots of a table at its first key.
const SLOTS_MIN: usize = 16;

/// A slot without a key. The one key in 2¹²⁸ that looks like it is counted as its neighbour.
const EMPTY: u128 = 0;

/// Keys seen.
#[derive(Debug)]
pub struct KeySet {
    shards: Vec<Shard>,
    keys: usize,
}

/// Keys in the order of their homes, each as near behind its own as there was room.
#[derive(Debug, Default)]
struct Shard {
    slots: Vec<u128>,
    used: usize,
}

impl Default for KeySet {
    fn default() -> KeySet {
        KeySet { shards: (0..SHARDS).map(|_| Shard::default()).collect(), keys: 0 }
    }
}

impl KeySet {
    /// Whether the key is new. `None` where there is no room for another.
    pub fn insert(&mut self, parts: &[&str]) -> Option<bool> {
        let digest = Digest::of_parts(parts);
        let bytes = digest.bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&bytes[..16]);
        let key = u128::from_be_bytes(half).max(EMPTY + 1);
        let shard = &mut self.shards[usize::from(bytes[0])];
        shard.make_room();
        let Err(slot) = shard.find(key) else { return Some(false) };
        if self.keys == limit::UNIQUE_KEYS_MAX {
            return None;
        }
        self.keys += 1;
        shard.used += 1;
        shard.slots[slot] = key;
        Some(true)
    }
}

impl Shard {
    /// Whether the key is there; else the slot that is free for it. There must be one.
    fn find(&self, key: u128) -> Result<(), usize> {
        let slots = self.slots.len();
        // The lower half of the key as a share of the table: the upper half chose the table.
        let mut slot = ((u128::from(key as u64) * slots as u128) >> 64) as usize;
        loop {
            match self.slots[slot] {
                EMPTY => return Err(slot),
                found if found == key => return Ok(()),
                _ => slot = if slot + 1 == slots { 0 } else { slot + 1 },
            }
        }
    }

    /// Grows by an eighth when four fifths are in use: at most 22.5 bytes a key, and chains of a
    /// dozen slots. Keys lie in the order of their homes, so moving them is a walk through memory.
    fn make_room(&mut self) {
        if self.used * 5 < self.slots.len() * 4 {
            return;
        }
        let slots = (self.slots.len() + self.slots.len() / 8).max(SLOTS_MIN);
        let before = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for key in before.into_iter().filter(|key| *key != EMPTY) {
            if let Err(slot) = self.find(key) {
                self.slots[slot] = key;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_is_new_once_however_the_tables_grow() {
        let mut keys = KeySet::default();
        let mut known = BTreeSet::new();
        for step in 0..200_000_u64 {
            // Keys come again, some soon and some much later.
            let number = (step * 7_919) % 60_013;
            let (left, right) = (format!("{}", number / 100), format!("{}", number % 100));
            assert_eq!(keys.insert(&[&left, &right]), Some(known.insert(number)), "step {step}");
        }
        assert_eq!(keys.keys, 60_013);
    }

    #[test]
    fn a_table_takes_at_most_22_and_a_half_bytes_a_key() {
        let mut keys = KeySet::default();
        for number in 0..300_000 {
            keys.insert(&[&number.to_string()]);
        }
        let bytes: usize = keys.shards.iter().map(|shard| shard.slots.capacity() * size_of::<u128>()).sum();
        assert!(bytes as f64 <= 22.5 * 300_000.0, "{bytes}");
    }

    #[test]
    fn the_place_of_a_key_wraps_around_the_end_of_its_table() {
        let mut shard = Shard { slots: vec![EMPTY; 4], used: 0 };
        for key in [u128::from(u64::MAX), u128::from(u64::MAX - 1), u128::from(u64::MAX - 2)] {
            let Err(slot) = shard.find(key) else { panic!("{key} is new") };
            shard.slots[slot] = key;
            assert_eq!(shard.find(key), Ok(()));
        }
        assert_eq!(shard.slots[2], EMPTY);
        assert_eq!(shard.slots[3], u128::from(u64::MAX));
    }
}
