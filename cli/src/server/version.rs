//! How a person names a model version: `2`, or `v2`.

/// Reads a version's number.
pub(super) fn version(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix('v').unwrap_or(text);
    match number.parse() {
        Ok(0) | Err(_) => Err(format!("expected a version's number from 1, found {text:?}")),
        Ok(version) => Ok(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one() {
        assert_eq!((version("2"), version("v17")), (Ok(2), Ok(17)));
        for text in ["", "v", "0", "-1", "two", "vv2", "99999999999"] {
            assert!(version(text).is_err(), "{text}");
        }
    }
}
