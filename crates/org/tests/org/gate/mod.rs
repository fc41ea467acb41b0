//! The gate over both engines: each test body runs on SQLite and on PostgreSQL.

mod card_numbers;
mod chains;
mod credentials;
mod definitions;
mod indexes;
mod parts;
mod records;
mod tracking;
