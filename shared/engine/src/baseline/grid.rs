//! How are numbers counted in one pass so that bins chosen afterwards still have exact counts?
//!
//! A float's bits, read as an integer with the sign turned round, sort like the float. Cutting
//! low bits off gives a grid of cells, narrow near zero and wide far out, like the logarithmic
//! grid of a DDSketch but without a logarithm: the same on every machine. Counting starts with
//! whole values and cuts one more bit whenever more than [`CELLS_MAX`] cells are in use, so the
//! grid is as fine as the memory allows: two cells that meet differ by far less than 1 % unless
//! the data spans hundreds of binary orders of magnitude. Cells are nested, so the outcome does
//! not depend on the order of the rows, and bins that end on cells have exact counts.

/// Most cells in use: 64 KiB a column, and some four hundred cells for each of ten bins.
pub const CELLS_MAX: usize = 4096;

/// Values sorted at a time.
const PENDING_MAX: usize = 8192;

/// Counts of finite numbers on the grid.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    shift: u32,
    cells: Vec<(u64, u64)>,
    pending: Vec<u64>,
}

/// The float's place among all floats; −0 and 0 are one.
fn place(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The float at a place.
fn value(place: u64) -> f64 {
    f64::from_bits(if place >> 63 == 1 { place ^ 1 << 63 } else { !place })
}

impl Grid {
    /// Counts a number, which must be finite.
    pub fn push(&mut self, value: f64) {
        self.pending.push(place(value));
        if self.pending.len() >= PENDING_MAX {
            self.settle();
        }
    }

    /// The cells in ascending order: the least number each can hold, and its count. The second
    /// answer says whether each cell holds one value only.
    pub fn finish(mut self) -> (Vec<(f64, u64)>, Resolution) {
        self.settle();
        let resolution = if self.shift == 0 { Resolution::Values } else { Resolution::Ranges };
        let shift = self.shift;
        (self.cells.into_iter().map(|(key, count)| (value(key << shift), count)).collect(), resolution)
    }

    fn settle(&mut self) {
        self.pending.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.cells.len() + 64);
        let mut add = |key: u64, count: u64| match merged.last_mut() {
            Some(last) if last.0 == key => last.1 += count,
            _ => merged.push((key, count)),
        };
        let mut old = self.cells.iter().copied().peekable();
        for key in self.pending.drain(..).map(|place| place >> self.shift) {
            while let Some((cell, count)) = old.next_if(|cell| cell.0 <= key) {
                add(cell, count);
            }
            add(key, 1);
        }
        for (cell, count) in old {
            add(cell, count);
        }
        while merged.len() > CELLS_MAX {
            self.shift += 1;
            merged = halved(&merged);
        }
        self.cells = merged;
    }
}

fn halved(cells: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut coarse: Vec<(u64, u64)> = Vec::with_capacity(cells.len());
    for &(key, count) in cells {
        match coarse.last_mut() {
            Some(last) if last.0 == key >> 1 => last.1 += count,
            _ => coarse.push((key >> 1, count)),
        }
    }
    coarse
}

/// How fine a grid ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Every cell is one value.
    Values,
    /// A cell is a range of values.
    Ranges,
}

/// Edges that cut counted cells into at most `bins_max` bins of nearly equal counts; and the
/// counts, exact. A value that is a tenth of all rows or more gets a bin almost alone.
pub fn edges(cells: &[(f64, u64)], bins_max: usize) -> (Vec<f64>, Vec<u64>) {
    let total: u64 = cells.iter().map(|cell| cell.1).sum();
    let mut edges = Vec::new();
    let mut counts = Vec::new();
    let (mut below, mut counted, mut target) = (0_u64, 0_u64, 1_u64);
    let wanted = |target: u64| (target as u128 * u128::from(total) / bins_max as u128) as u64;
    for &(least, count) in cells {
        // Cut before this cell if that comes nearer to the target than cutting after it.
        let before = wanted(target).abs_diff(below);
        let after = wanted(target).abs_diff(below + count);
        if below > counted && (target as usize) < bins_max && before <= after {
            edges.push(least);
            counts.push(below - counted);
            counted = below;
            while (target as usize) < bins_max
                && wanted(target).abs_diff(below) <= wanted(target).abs_diff(below + count)
            {
                target += 1;
            }
        }
        below += count;
    }
    counts.push(total - counted);
    (edges, counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;

    fn grid(values: &[f64]) -> (Vec<(f64, u64)>, Resolution) {
        let mut grid = Grid::default();
        for &value in values {
            grid.push(value);
        }
        grid.finish()
    }

    #[test]
    fn few_values_are_counted_by_value() {
        let (cells, resolution) = grid(&[0.1, -0.0, 0.0, -7.5, 0.1, f64::MAX]);
        assert_eq!(cells, [(-7.5, 1), (0.0, 2), (0.1, 2), (f64::MAX, 1)]);
        assert_eq!(resolution, Resolution::Values);
    }

    #[test]
    fn the_order_of_rows_does_not_change_the_grid_and_memory_stays_bounded() {
        let mut random = Random::new(5);
        let mut values: Vec<f64> = (0..60_000).map(|_| (random.normal() * 3.0).exp() - 1.0).collect();
        let (cells, resolution) = grid(&values);
        assert!(cells.len() <= CELLS_MAX && cells.len() > CELLS_MAX / 2 && resolution == Resolution::Ranges);
        values.reverse();
        assert_eq!(grid(&values).0, cells);
        values.sort_unstable_by(f64::total_cmp);
        assert_eq!(grid(&values).0, cells);
    }

    #[test]
    fn bins_have_exact_counts_and_nearly_equal_ones() {
        let mut random = Random::new(6);
        for scale in [1e-9, 0.1, 1e12] {
            let values: Vec<f64> =
                (0..30_000).map(|_| -74.0 * scale + random.normal() * scale * 0.05).collect();
            let (edges, counts) = edges(&grid(&values).0, 10);
            assert_eq!((edges.len(), counts.len()), (9, 10));
            for (bin, count) in counts.iter().enumerate() {
                let low = if bin == 0 { f64::NEG_INFINITY } else { edges[bin - 1] };
                let high = edges.get(bin).copied().unwrap_or(f64::INFINITY);
                let exact = values.iter().filter(|value| low <= **value && **value < high).count() as u64;
                assert_eq!(exact, *count);
                assert!((2_900..=3_100).contains(count), "{counts:?}");
            }
        }
    }

    #[test]
    fn a_heavy_value_gets_its_own_bin() {
        let mut values: Vec<f64> = (1..=400).map(f64::from).collect();
        values.extend(std::iter::repeat_n(0.0, 600));
        let (edges, counts) = edges(&grid(&values).0, 10);
        assert_eq!(edges[0], 1.0);
        assert_eq!(counts, [600, 100, 100, 100, 100]);
    }

    #[test]
    fn one_value_is_one_bin_and_none_is_an_empty_one() {
        assert_eq!(edges(&grid(&[3.0; 50]).0, 10), (vec![], vec![50]));
        assert_eq!(edges(&[], 10), (vec![], vec![0]));
    }
}
