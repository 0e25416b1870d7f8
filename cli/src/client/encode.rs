//! How names become parts of a request's address.

/// A path segment or query value in which every byte that could mean something else is escaped
/// as `%XX`.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// A path whose segments are escaped and whose slashes stay.
pub(crate) fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_could_end_a_segment_or_begin_a_query_is_escaped() {
        for (text, encoded) in [
            ("home-insurance", "home-insurance"),
            ("q 1.csv", "q%201.csv"),
            ("a/b", "a%2Fb"),
            ("50%?#&+", "50%25%3F%23%26%2B"),
            ("é\u{202e}", "%C3%A9%E2%80%AE"),
            ("as_of=2026-01-31T00:00:00.000Z", "as_of%3D2026-01-31T00%3A00%3A00.000Z"),
        ] {
            assert_eq!(segment(text), encoded);
        }
    }

    #[test]
    fn a_path_keeps_its_slashes() {
        assert_eq!(path("parts/taxi/1f/q 1.csv"), "parts/taxi/1f/q%201.csv");
    }
}
