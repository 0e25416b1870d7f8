//! Local: the adapters of one machine: a directory, SQLite, files and webhooks.
