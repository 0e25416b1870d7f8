//! Who decides what happens next: a seed, or an enumeration of everything that can.

/// Picks numbers. Everything a simulation leaves open is picked here and nowhere else, so the
/// same picks give the same history. 0 is always the plainest pick: nothing goes wrong, and nobody
/// does anything odd. Histories are made shorter by it; see [`crate::shrink`].
pub trait Choose {
    /// A number below `n`; 0 where `n` is 0 or 1.
    fn pick(&mut self, n: usize) -> usize;

    /// Whether something happens that happens `per_mille` times in a thousand.
    fn chance(&mut self, per_mille: usize) -> bool {
        per_mille > 0 && self.pick(1_000) >= 1_000_usize.saturating_sub(per_mille)
    }
}

/// Picks by a seed: SplitMix64, whose published constants these are.
#[derive(Clone, Debug)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// The picks of a seed.
    pub fn new(seed: u64) -> Seeded {
        Seeded { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Choose for Seeded {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        // The bias of the remainder is below one in 2^40 for the small numbers asked for here.
        (self.next() % n as u64) as usize
    }
}

/// Hands on another's picks, and writes them down.
pub struct Recorded<'a> {
    inner: &'a mut dyn Choose,
    /// What was picked so far.
    pub picks: Vec<usize>,
}

impl<'a> Recorded<'a> {
    /// Writes down what another picks.
    pub fn new(inner: &'a mut dyn Choose) -> Recorded<'a> {
        Recorded { inner, picks: Vec::new() }
    }
}

impl Choose for Recorded<'_> {
    fn pick(&mut self, n: usize) -> usize {
        let picked = self.inner.pick(n);
        if n > 1 {
            self.picks.push(picked);
        }
        picked
    }
}

/// Picks what was written down, and 0 after its end.
#[derive(Clone, Debug)]
pub struct Replayed<'a> {
    picks: std::slice::Iter<'a, usize>,
}

impl<'a> Replayed<'a> {
    /// Picks these.
    pub fn new(picks: &'a [usize]) -> Replayed<'a> {
        Replayed { picks: picks.iter() }
    }
}

impl Choose for Replayed<'_> {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        // Where other picks before it lead elsewhere, a pick may be of fewer than it was.
        self.picks.next().map_or(0, |picked| picked % n)
    }
}

/// Enumerates every sequence of picks: run, then [`Exhaustive::advance`], until it says that all
/// were tried. The run must be a function of the picks.
#[derive(Clone, Debug, Default)]
pub struct Exhaustive {
    /// What was picked at each place, and of how many.
    picks: Vec<(usize, usize)>,
    place: usize,
}

impl Exhaustive {
    /// Goes on to the next sequence; false where all were tried.
    pub fn advance(&mut self) -> bool {
        self.picks.truncate(self.place);
        self.place = 0;
        while let Some((picked, of)) = self.picks.pop() {
            if picked + 1 < of {
                self.picks.push((picked + 1, of));
                return true;
            }
        }
        false
    }
}

impl Choose for Exhaustive {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        if self.place == self.picks.len() {
            self.picks.push((0, n));
        }
        let (picked, of) = self.picks[self.place];
        assert_eq!(of, n, "the run is not a function of its picks");
        self.place += 1;
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_picks_the_published_numbers() {
        // The first outputs of SplitMix64 for seed 1234567, as its reference implementation
        // prints them.
        let mut seeded = Seeded::new(1_234_567);
        let found: Vec<u64> = (0..3).map(|_| seeded.next()).collect();
        assert_eq!(found, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn what_was_written_down_is_picked_again() {
        let mut seeded = Seeded::new(7);
        let mut recorded = Recorded::new(&mut seeded);
        let first: Vec<usize> = [10, 1, 3, 1_000].into_iter().map(|n| recorded.pick(n)).collect();
        let picks = recorded.picks;
        assert_eq!(picks.len(), 3, "there is nothing to pick among one");
        let mut replayed = Replayed::new(&picks);
        let second: Vec<usize> = [10, 1, 3, 1_000, 50].into_iter().map(|n| replayed.pick(n)).collect();
        assert_eq!(second, [first, vec![0]].concat());
        assert!(!Replayed::new(&[]).chance(999), "nothing goes wrong by itself");
        assert!(Replayed::new(&[999]).chance(1));
    }

    #[test]
    fn an_enumeration_tries_every_sequence_once() {
        let mut exhaustive = Exhaustive::default();
        let mut tried = Vec::new();
        loop {
            let first = exhaustive.pick(2);
            let second = if first == 1 { exhaustive.pick(3) } else { 0 };
            tried.push((first, second));
            if !exhaustive.advance() {
                break;
            }
        }
        assert_eq!(tried, [(0, 0), (1, 0), (1, 1), (1, 2)]);
    }
}
