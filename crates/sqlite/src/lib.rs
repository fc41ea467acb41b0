//! Everything around SQLite that needs a foreign function, behind a safe interface.
//!
//! - [`open`] gives a [`rusqlite::Connection`] to an encrypted (or, on request, plain) file with the settings that the
//!   service relies on: WAL, a flush per commit, page size and page MAC as frozen at creation.
//! - [`verify_build`] proves at start-up that SQLite was compiled as `.cargo/config.toml` says.
//! - [`page_cache_bytes`] tells what a connection keeps in memory.
//! - [`copy`] and [`check_integrity`] serve backup and restore.
//! - `fault` (feature `fault`) is a file layer for tests that loses unflushed writes and injects disk errors.
//! - `session` (feature `session`) reads change sets: the witness, in tests, that the change log missed nothing.
//!
//! This is the only crate in which `unsafe` is allowed. It knows nothing of records, organisations or keys beyond the
//! 32 bytes it is handed; SQL other than `PRAGMA` belongs to the store.

mod cipher;
mod connection;
mod copy;
mod error;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
mod key;
mod page_cache;
#[cfg(any(test, feature = "session"))]
pub mod session;
mod verify;

pub use connection::{Access, Checkpoints, Encryption, Options, is_cut_short, open};
pub use copy::{check_integrity, copy};
pub use error::Error;
pub use key::Key;
pub use page_cache::page_cache_bytes;
pub use rusqlite;
pub use verify::{Build, verify_build};
