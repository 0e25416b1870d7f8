//! How a history that goes wrong is made as short and as plain as it can be.

/// Makes a sequence of picks shorter and plainer, as long as it still `fails`: runs of picks are
/// left out or made 0, long runs first. `fails` plays some picks, and answers those that were used
/// where it still goes wrong. At most `plays_max` sequences are played.
pub fn shrink(
    picks: Vec<usize>,
    plays_max: usize,
    mut fails: impl FnMut(&[usize]) -> Option<Vec<usize>>,
) -> Vec<usize> {
    let mut best = picks;
    let mut plays = 0;
    loop {
        let before = best.clone();
        let mut size = (best.len() / 2).max(1);
        while size > 0 {
            let mut from = 0;
            while from < best.len() {
                let to = (from + size).min(best.len());
                let without = [&best[..from], &best[to..]].concat();
                let mut plain = best.clone();
                plain[from..to].fill(0);
                let mut shrunk = false;
                for tried in [without, plain] {
                    if plays == plays_max {
                        return best;
                    }
                    if !is_simpler(&tried, &best) {
                        continue;
                    }
                    plays += 1;
                    if let Some(used) = fails(&tried).filter(|used| is_simpler(used, &best)) {
                        best = used;
                        shrunk = true;
                        break;
                    }
                }
                if !shrunk {
                    from = to;
                }
            }
            size /= 2;
        }
        if best == before {
            return best;
        }
    }
}

/// Whether picks are fewer than others, or as many and smaller.
fn is_simpler(picks: &[usize], than: &[usize]) -> bool {
    let weight = |picks: &[usize]| (picks.len(), picks.iter().sum::<usize>());
    weight(picks) < weight(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_takes_to_fail_is_left_and_nothing_else() {
        // It goes wrong where a 7 is followed, at any distance, by a 3.
        let fails = |picks: &[usize]| {
            let seven = picks.iter().position(|pick| *pick == 7)?;
            let three = picks[seven..].iter().position(|pick| *pick == 3)?;
            Some(picks[..=seven + three].to_vec())
        };
        let picks: Vec<usize> = (0..200).map(|place| place * 31 % 11).collect();
        assert_eq!(shrink(picks.clone(), 10_000, fails), [7, 3]);
        assert!(shrink(picks.clone(), 0, fails) == picks, "no play, no change");
    }
}
