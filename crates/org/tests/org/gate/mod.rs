//! The gate over both engines: each test body runs on SQLite and on PostgreSQL.

mod credentials;
mod parts;
mod records;
mod tracking;
