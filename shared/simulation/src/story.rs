//! What happened in a simulation, for people and for comparing: readable lines and their hash.

use std::collections::VecDeque;

use domain::Time;

/// The story of one simulation.
#[derive(Clone, Debug)]
pub struct Story {
    lines: VecDeque<String>,
    keep: usize,
    told: u64,
    hash: u64,
}

impl Story {
    /// A story of which the last `keep` lines are kept; its hash is of all of them.
    pub fn new(keep: usize) -> Story {
        // FNV-1a's offset basis.
        Story { lines: VecDeque::new(), keep, told: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }

    /// Adds a line.
    pub fn tell(&mut self, now: Time, line: impl AsRef<str>) {
        let text = now.to_string();
        let line = format!("{:>6} {} {}", self.told, &text[5..19], line.as_ref());
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.told += 1;
        if self.lines.len() == self.keep {
            self.lines.pop_front();
        }
        if self.keep > 0 {
            self.lines.push_back(line);
        }
    }

    /// How many lines were told.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// FNV-1a of all lines: equal histories have equal hashes.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines that were kept.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
