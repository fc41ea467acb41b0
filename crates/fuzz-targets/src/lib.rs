//! Everything that reads what strangers send, called as production calls it, with any bytes: a function a target, which
//! returns when all is well and panics when a property is broken.
//!
//! Two programs run them: `fuzz/fuzz_targets/target.rs` under libFuzzer, which looks for inputs that reach new code (`scripts/fuzz`), and the test
//! `kept` of this crate, which gives them every input that was kept, and those with a few things changed (`make test`).
//!
//! What holds of every input: no panic, no overflow, no hang, no fault of the service (an answer of 500), an error that says
//! something and where; what a parser took and a writer can write reads back as the same; numbers and dates come back.
//!
//! Start at [`TARGETS`]. A target never reads clock or randomness, and its answer depends on its input alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support for tests: a broken property ends the run"
)]

mod backup;
mod card_numbers;
mod definitions;
mod http_message;
mod import;
mod logs;
mod page_token;
mod parser;
mod pattern;
mod questions;
mod requests;
mod sign_in;
mod world;

pub use parser::{Fuzzed, PARSERS, Parser, Sender};

/// A target: gives a parser any bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its inputs below `fuzz/corpus`.
    pub name: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "access_token", run: sign_in::access_token },
    Target { name: "address", run: sign_in::address },
    Target { name: "audit_files", run: logs::audit_files },
    Target { name: "audit_record", run: logs::audit_record },
    Target { name: "backup_manifest", run: backup::manifest },
    Target { name: "batch", run: requests::batch },
    Target { name: "card_numbers", run: card_numbers::card_numbers_of },
    Target { name: "change_record", run: logs::change_record },
    Target { name: "csv_mapping", run: import::mapping },
    Target { name: "csv_rows", run: import::rows },
    Target { name: "definitions", run: definitions::definitions },
    Target { name: "fetchxml", run: questions::fetchxml },
    Target { name: "odata_apply", run: questions::odata_apply },
    Target { name: "odata_options", run: questions::odata_options },
    Target { name: "odata_path", run: questions::odata_path },
    Target { name: "page_token", run: page_token::page_token },
    Target { name: "pattern", run: pattern::pattern },
    Target { name: "record_body", run: requests::record_body },
    Target { name: "request", run: requests::request },
    Target { name: "sql_select", run: questions::sql_select },
    Target { name: "stored_credential", run: sign_in::stored_credential },
    Target { name: "token_request", run: sign_in::token_request },
];

/// Removes what the targets keep on disk: the organisation that requests are sent to. No target runs after it.
pub fn clean_up() {
    world::clean_up();
}
