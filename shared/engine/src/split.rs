//! Which bucket a row falls into: the same entity always into the same one, on every machine.

use domain::{Digest, limit};

/// The bucket, `0..limit::BUCKETS`, of an entity: the first eight bytes (big-endian) of
/// `Digest::of_parts([salt, values…])`, modulo [`limit::BUCKETS`]. Values are written as
/// `Column::written` writes them, a missing one as an empty text. A split is a range of buckets,
/// so all rows of one entity are on the same side of it.
pub fn bucket(values: &[&str], salt: &str) -> u64 {
    let mut parts = Vec::with_capacity(values.len() + 1);
    parts.push(salt);
    parts.extend_from_slice(values);
    let digest = Digest::of_parts(&parts);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes()[..8]);
    u64::from_be_bytes(first) % limit::BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_the_ones_of_the_formula() {
        // Python: int.from_bytes(sha256(b''.join(len(p).to_bytes(8,'big')+p for p in parts)).digest()[:8],'big') % 10000
        assert_eq!(bucket(&["customer-1"], "home"), PYTHON[0]);
        assert_eq!(bucket(&["customer-2"], "home"), PYTHON[1]);
        assert_eq!(bucket(&["a", ""], "s"), PYTHON[2]);
    }

    #[test]
    fn buckets_are_filled_evenly() {
        let mut tenths = [0_u32; 10];
        for id in 0..10_000 {
            tenths[(bucket(&[&id.to_string()], "salt") * 10 / limit::BUCKETS) as usize] += 1;
        }
        // Chi-square with 9 degrees of freedom: 27.9 is the 99.9 % point.
        let chi: f64 = tenths.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 27.9, "{tenths:?}");
    }

    const PYTHON: [u64; 3] = [8056, 1450, 9129];
}
