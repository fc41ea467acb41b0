//! Every bound of the store, with its name and default.

use crate::database::CONNECTIONS_PER_DATABASE;
use crate::quota::STORAGE_UNLIMITED;
use crate::writer::WriterLimits;

/// Bounds of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds one statement may run. A list or an aggregate of a page a person waits for takes far less.
    pub statement_ms: u64,
    /// Milliseconds a transaction on PostgreSQL may stand still between two statements. A node that hangs in the middle of a
    /// write holds the organisation's head; then the server ends its transaction, so that the other nodes go on.
    pub stalled_ms: u64,
    /// Milliseconds that PostgreSQL may be silent while it is connected to, and beyond `statement_ms` for a statement; then
    /// the connection is given up.
    pub silence_ms: u64,
    /// Rows counted at most for `$count`: Dataverse's 5,000.
    pub count_max: u32,
    /// Values held at most to tell distinct rows apart: rows times their columns. The engine holds all of them at once, those
    /// of every combination with linked rows too, so that links over common values would fill the memory.
    pub distinct_values_max: u32,
    /// Writes that may wait for one organisation: at a flush of 5 ms a second's worth of batches.
    pub write_queue_max: usize,
    /// Writes in one batch: 64 clients fill 33. Imports fill it: the more rows a commit has, the fewer pages are encrypted and
    /// written for each.
    pub write_batch_max: usize,
    /// Milliseconds after which a batch of an embedded database begins no more of the requests that wait: it is committed, and
    /// the thread goes to the next organisation.
    pub write_batch_ms: u64,
    /// Milliseconds that the statements of one write may take together; then it is refused, and others go on. While it is at
    /// work no other write of its organisation is.
    pub write_ms: u64,
    /// Threads that write for all embedded databases: flushing waits, so more than one even on one core.
    pub writer_threads: usize,
    /// Long reads of all embedded databases at one time: aggregates, exact counts, long pages, and what took
    /// longer than 10 ms where it was tried. One database has half of them.
    pub long_reads_max: usize,
    /// Idle reading connections kept per embedded database.
    pub readers_max: usize,
    /// MiB of the log of changes beside an embedded database from which on reads are interrupted and begun anew, so that it can
    /// be emptied: while reads overlap it would grow without end. A snapshot for a backup is waited for.
    pub log_mebibytes_max: u32,
    /// MiB of the page caches of all open embedded databases together. One has half of it at most.
    pub caches_mebibytes: u32,
    /// Databases open at one time: for one more the least recently used is closed.
    pub open_databases_max: usize,
    /// Connections to PostgreSQL that open databases hold together, three each at most. The cluster must allow more: one is
    /// for the control database, and commands such as a backup take a few while they run.
    pub postgres_connections_max: usize,
    /// Statements that are on their way over one connection to PostgreSQL that carries reads, each read being two: while there
    /// are as many, no other read begins there, it waits.
    pub postgres_pipeline_max: usize,
    /// Milliseconds that it waits for; then it is refused.
    pub postgres_wait_ms: u64,
    /// Statements kept prepared on one connection to PostgreSQL: with one more all are let go.
    pub prepared_statements_max: usize,
    /// Milliseconds after which an open embedded database that nobody asks gives back its page caches, and all reading
    /// connections but one.
    pub rest_ms: u64,
    /// Milliseconds that a request waits for a database to be opened: while all that may be open are in use, and while it is
    /// brought up to date, which goes on when the request is refused.
    pub open_wait_ms: u64,
    /// Bytes that the database of an organisation may take unless it has a limit of its own; more are refused, but not deletes.
    pub organization_storage_bytes_max: u64,
    /// Milliseconds after which an unused database is closed.
    pub idle_close_ms: u64,
    /// Shapes of questions remembered of one organisation: with one more, the one that took the least is forgotten.
    pub noted_questions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_ms: 30_000,
            stalled_ms: 10_000,
            silence_ms: 10_000,
            count_max: 5_000,
            distinct_values_max: 1_000_000,
            write_queue_max: 10_000,
            write_batch_max: 512,
            write_batch_ms: 1_000,
            write_ms: 30_000,
            writer_threads: 2,
            long_reads_max: 4,
            readers_max: 8,
            log_mebibytes_max: 256,
            caches_mebibytes: 80,
            open_databases_max: 256,
            // A cluster allows 100 unless it is told otherwise.
            postgres_connections_max: 72,
            postgres_pipeline_max: 128,
            postgres_wait_ms: 10_000,
            prepared_statements_max: 512,
            rest_ms: 10_000,
            open_wait_ms: 10_000,
            organization_storage_bytes_max: STORAGE_UNLIMITED,
            idle_close_ms: 300_000,
            noted_questions_max: 200,
        }
    }
}

impl Limits {
    /// Databases that may be open at one time.
    pub(crate) fn databases_max(&self, postgres: bool) -> usize {
        let connected = self.postgres_connections_max / CONNECTIONS_PER_DATABASE;
        if postgres { self.open_databases_max.min(connected) } else { self.open_databases_max }.max(1)
    }

    /// Long reads that one embedded database may have at one time.
    pub(crate) fn own_long_reads_max(&self) -> usize {
        self.long_reads_max.div_ceil(2).max(1)
    }

    pub(crate) fn writer(&self) -> WriterLimits {
        WriterLimits {
            queue_max: self.write_queue_max,
            batch_max: self.write_batch_max,
            batch_ms: self.write_batch_ms,
            request_ms: self.write_ms,
        }
    }
}
