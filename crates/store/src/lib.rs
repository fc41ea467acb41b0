//! Where records live: one database per organisation, SQLite or PostgreSQL, and the control database that says which
//! exist. The only crate with SQL text. It knows nothing of HTTP or of what a business does with records.
//!
//! Start at [`Store`] (all organisations), [`Database`] (one organisation's, the only way to its rows) and
//! [`Transaction`] (one request's part of a write batch).

mod aggregates;
mod ambient;
mod audit;
mod audit_filter;
mod backup;
mod change_log;
mod connection_slot;
mod container;
mod content;
mod control;
mod control_file;
mod credentials;
mod database;
mod decimal;
mod definitions;
mod derived;
mod error;
mod estimate;
mod facts;
mod head;
mod hex;
mod index_advice;
mod keys;
mod layer;
mod limits;
mod link;
mod logs;
mod migration;
mod moved_audits;
mod new_name;
mod open_databases;
mod openings;
mod own_indexes;
mod page_caches;
mod patterns;
mod pipeline;
mod postgres;
mod questions;
mod quota;
mod reading_connections;
mod replay;
mod restore;
mod row;
mod seal;
mod snapshot;
mod sql;
mod sqlite;
mod statement_count;
mod store;
mod tables;
mod threads;
mod transaction;
mod transfer;
mod unfinished;
#[cfg(any(test, feature = "witness"))]
mod witness;
mod writer;

#[cfg(test)]
extern crate self as custodia_store;
/// Unit tests stand on the same ground as those from outside.
#[cfg(test)]
#[allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[path = "../tests/store/site.rs"]
mod site;

pub use ambient::{Clock, Random, new_id};
pub use audit::{
    AuditEntry, AuditOperation, AuditPage, AuditRecord, AuditedChange, action as audit_action, decode as decode_audit,
    encode as encode_audit,
};
pub use audit_filter::AuditFilter;
pub use backup::BackupReport;
pub use change_log::{Change, ChangeKind, PayloadError, decode as decode_payload, encode as encode_payload};
pub use content::{Content, ContentHash, TableContent};
pub use control::{ORGANIZATION_NAME_MAX, Organization, OrganizationState, check_name};
pub use credentials::{EVERYBODY, REFRESH_TOKENS, SESSIONS_ENDED};
pub use database::{Database, IsStale, ReadOutcome, Reading, retry_stale};
pub use derived::SECURITY_TABLES;
pub use error::{Error, Result, with_causes};
pub use facts::{ADMINISTRATOR_PROFILE, builtin_privileges};
pub use head::{Head, Versions};
pub use index_advice::{AdviceBounds, AdvisedQuestion, IndexAdvice, IndexReport};
pub use keys::{KEY_BYTES, MalformedKey, MasterKey};
pub use limits::Limits;
pub use migration::PROGRAM_VERSION;
pub use moved_audits::MovedAudit;
pub use new_name::give_new_name;
pub use open_databases::{Keeper, WriteTotals};
pub use own_indexes::{
    IndexListed, OWN_INDEX_CHARACTERS_MAX, OWN_INDEX_COLUMNS_MAX, OWN_INDEXES_PER_TABLE_MAX, characters_of,
    is_indexable, takes_own_indexes,
};
pub use questions::{NotedQuestion, QuestionShape};
pub use quota::{OrganizationLimit, OrganizationLimits, STORAGE_UNLIMITED};
pub use restore::{RestoreReport, organization_of_backup, require_key_of_backup};
pub use row::{Restart, Row, RowSink, owned};
pub use seal::erasure::{ErasedThen, Erasure};
pub use seal::existing::SealedThen;
pub use seal::export::{AuditExport, HashedAudit, verify_export};
pub use seal::gap::{Gap, GapFacts, Prune, RestoreProof, RestoredThen};
pub use seal::published::{HeadFacts, KeyFacts, KeyRing, Line, PublicKeys, Publications, Signed};
pub use seal::verifier::{Fault, Published, Report, Subject, Verifier};
pub use seal::{Chain, Place};
pub use sql::{CompileError, Plan, ReadPolicy, RowKey, audit_id, audit_number};
pub use store::{Settings, Store};
pub use transaction::{Reached, StoredRow, Transaction, typed};
pub use writer::WriteCounters;

pub(crate) use store::Services;

/// The stored form of a multi-select: numbers joined by commas.
pub(crate) fn choices_text(options: &[i32]) -> String {
    let mut text = String::with_capacity(options.len() * 4);
    for (at, option) in options.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&option.to_string());
    }
    text
}

impl From<CompileError> for Error {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Denied(denied) => Self::Denied(denied),
            other => Self::Query(other.to_string()),
        }
    }
}
