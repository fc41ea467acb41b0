//! The gate over both engines: each test body runs on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod credentials;
mod parts;
mod records;
mod world;
