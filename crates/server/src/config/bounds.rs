//! The least and the most that each number of the configuration may be. They are looked at while a value is still known with
//! the place where it was set, and before it is put into a type that may be too narrow for it.

use custodia_store::STORAGE_UNLIMITED;

/// The longest target that the HTTP library reads at all.
const TARGET_BYTES_MAX: i64 = 65_000;
/// A year in seconds: added to any moment, it is still one.
const SECONDS_MAX: i64 = 31_536_000;
/// A week in milliseconds: PostgreSQL counts the time of its statements in 32 bits.
const MS_MAX: i64 = 604_800_000;
/// Rows, entries and other things that are counted one by one.
const COUNT_MAX: i64 = 100_000_000;
/// What is worked on or held at one time.
const AT_ONCE_MAX: i64 = 1_000_000;
/// Threads, and reads that have a thread each.
const THREADS_MAX: i64 = 1_024;
/// Requests of five minutes.
const REQUESTS_MAX: i64 = 1_000_000_000_000;
/// Bytes of one thing that is held in memory as a whole: 1 GiB.
const BYTES_MAX: i64 = 1 << 30;
/// Bytes of many of them: 1 TiB.
const ALL_BYTES_MAX: i64 = 1 << 40;
/// The same in MiB.
const MEBIBYTES_MAX: i64 = 1 << 20;
/// Bytes below which nothing fits: no sign-in, no question.
const BYTES_LEAST: i64 = 64;

/// What a number of the configuration may be.
pub struct Bounds {
    /// Its key.
    pub key: &'static str,
    /// With less nothing works.
    pub least: i64,
    /// With more the server would not work, or the number means nothing any more.
    pub most: i64,
}

const fn bounds(key: &'static str, least: i64, most: i64) -> Bounds {
    Bounds { key, least, most }
}

/// Those of every number.
pub const BOUNDS: &[Bounds] = &[
    bounds("audit.heads_seconds", 1, SECONDS_MAX),
    bounds("audit.prune_entries", 1, AT_ONCE_MAX),
    bounds("limits.change_records", 1, AT_ONCE_MAX),
    bounds("limits.cascade_rows", 1, AT_ONCE_MAX),
    bounds("limits.open_jobs", 1, custodia_org::JOBS_READ_MAX as i64),
    bounds("limits.history_bytes", 1, BYTES_MAX),
    bounds("limits.history_entries", 1, COUNT_MAX),
    bounds("limits.explained_rows", 1, AT_ONCE_MAX),
    bounds("limits.supposed_roles", 1, 10_000),
    bounds("limits.looked_over_rows", 1, COUNT_MAX),
    bounds("limits.duty_rules", 1, 10_000),
    bounds("limits.table_forms", 1, 10_000),
    bounds("limits.table_views", 1, 10_000),
    bounds("limits.own_indexes", 1, 1_000),
    bounds("limits.definition_bytes", BYTES_LEAST, BYTES_MAX),
    bounds("limits.definition_depth", 1, 256),
    bounds("limits.definition_nodes", 1, COUNT_MAX),
    bounds("limits.running_jobs", 1, THREADS_MAX),
    bounds("limits.organization_running_jobs", 1, THREADS_MAX),
    bounds("limits.job_step_rows", 1, 10_000),
    bounds("limits.job_step_ms", 0, MS_MAX),
    bounds("limits.job_lease_seconds", 1, SECONDS_MAX),
    bounds("limits.job_tries", 1, AT_ONCE_MAX),
    bounds("limits.body_bytes", BYTES_LEAST, BYTES_MAX),
    bounds("limits.target_bytes", BYTES_LEAST, TARGET_BYTES_MAX),
    bounds("limits.bodies_bytes", 1, ALL_BYTES_MAX),
    bounds("limits.organization_bodies_bytes", 0, ALL_BYTES_MAX),
    bounds("limits.user_bodies_bytes", 0, ALL_BYTES_MAX),
    bounds("limits.answers_bytes", 1 << 20, ALL_BYTES_MAX),
    bounds("limits.organization_answers_bytes", 0, ALL_BYTES_MAX),
    bounds("limits.user_answers_bytes", 0, ALL_BYTES_MAX),
    bounds("limits.body_seconds", 1, SECONDS_MAX),
    bounds("limits.answer_seconds", 1, SECONDS_MAX),
    bounds("limits.handshake_seconds", 1, SECONDS_MAX),
    bounds("limits.request_seconds", 1, SECONDS_MAX),
    bounds("limits.head_seconds", 1, SECONDS_MAX),
    bounds("limits.concurrent_requests", 1, AT_ONCE_MAX),
    bounds("limits.strangers", 1, AT_ONCE_MAX),
    bounds("limits.address_strangers", 1, AT_ONCE_MAX),
    bounds("limits.strangers_openings", 1, AT_ONCE_MAX),
    bounds("limits.address_strangers_openings", 1, AT_ONCE_MAX),
    bounds("limits.streams", 1, AT_ONCE_MAX),
    bounds("limits.exchanges", 1, AT_ONCE_MAX),
    bounds("limits.user_requests", 1, REQUESTS_MAX),
    bounds("limits.user_seconds", 1, REQUESTS_MAX),
    bounds("limits.user_concurrent_requests", 1, AT_ONCE_MAX),
    bounds("limits.organization_requests", 1, REQUESTS_MAX),
    bounds("limits.organization_concurrent_requests", 1, AT_ONCE_MAX),
    bounds("limits.organization_storage_bytes", 1, STORAGE_UNLIMITED as i64),
    bounds("limits.reads_at_once", 0, AT_ONCE_MAX),
    bounds("limits.long_reads", 0, THREADS_MAX),
    bounds("limits.connections", 1, AT_ONCE_MAX),
    bounds("limits.address_connections", 1, AT_ONCE_MAX),
    bounds("limits.statement_ms", 1, MS_MAX),
    bounds("limits.write_ms", 1, MS_MAX),
    bounds("limits.stalled_ms", 1, MS_MAX),
    bounds("limits.silence_ms", 1, MS_MAX),
    bounds("limits.write_queue", 1, AT_ONCE_MAX),
    bounds("limits.writer_threads", 1, THREADS_MAX),
    bounds("limits.log_mebibytes", 1, MEBIBYTES_MAX),
    bounds("limits.caches_mebibytes", 1, MEBIBYTES_MAX),
    bounds("limits.open_databases", 0, AT_ONCE_MAX),
    bounds("limits.rest_seconds", 0, SECONDS_MAX),
    bounds("limits.open_wait_ms", 0, MS_MAX),
    bounds("limits.postgres_connections", 1, AT_ONCE_MAX),
    bounds("limits.postgres_pipeline", 1, AT_ONCE_MAX),
    bounds("limits.postgres_wait_ms", 0, MS_MAX),
    bounds("limits.prepared_statements", 1, AT_ONCE_MAX),
    bounds("limits.idle_close_seconds", 0, SECONDS_MAX),
    bounds("limits.noted_questions", 1, AT_ONCE_MAX),
    bounds("limits.housekeeping_seconds", 1, SECONDS_MAX),
    bounds("limits.drain_seconds", 0, SECONDS_MAX),
    bounds("limits.shutdown_seconds", 0, SECONDS_MAX),
];

impl Bounds {
    /// Why a value cannot be used, if it cannot.
    pub fn fault(&self, value: i64) -> Option<String> {
        if value == 0 && self.least > 0 {
            Some("0 would let nothing through".to_owned())
        } else if value < self.least {
            Some(format!("at least {} are needed", self.least))
        } else if value > self.most {
            Some(format!("at most {} are possible", self.most))
        } else {
            None
        }
    }
}
