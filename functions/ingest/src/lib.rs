//! Ingest: an upload becomes a part, or a page that says what is wrong with it.
