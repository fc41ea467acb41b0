//! What the service counts, as Prometheus text. Names of organisations and users never appear.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::service::Service;

/// Upper bounds of the request duration histogram, in milliseconds.
const DURATION_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 10_000];

/// Counters of one process.
#[derive(Default)]
pub struct Metrics {
    statuses: [AtomicU64; 5],
    durations: [AtomicU64; DURATION_BOUNDS_MS.len() + 1],
    duration_ms_total: AtomicU64,
    /// Requests refused because too many were running, or too many answers were not taken.
    pub overloaded: AtomicU64,
    /// Connections closed because their address has as many as it may.
    pub connections_refused: AtomicU64,
    /// Requests refused because their organisation had reached a limit of its own.
    pub organizations_limited: AtomicU64,
    /// Requests running now.
    pub running: AtomicU64,
    /// Databases of organisations in use that did not open, each time anew; those that were waited for in vain are not counted.
    pub databases_not_opened: AtomicU64,
    /// Tokens given out.
    pub tokens_issued: AtomicU64,
    /// Sign-ins refused.
    pub sign_ins_refused: AtomicU64,
}

impl Metrics {
    /// Counts one answered request.
    pub fn answered(&self, status: u16, duration_ms: u64) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        if let Some(count) = self.statuses.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let bucket =
            DURATION_BOUNDS_MS.iter().position(|bound| duration_ms <= *bound).unwrap_or(DURATION_BOUNDS_MS.len());
        if let Some(count) = self.durations.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.duration_ms_total.fetch_add(duration_ms, Ordering::Relaxed);
    }
}

/// All metrics of a service as Prometheus text.
pub fn render(service: &Service) -> String {
    let mut text = String::with_capacity(2_048);
    let metrics = &service.metrics;
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    text.push_str("# HELP custodia_http_requests_total Requests answered, by class of status.\n");
    text.push_str("# TYPE custodia_http_requests_total counter\n");
    for (at, count) in metrics.statuses.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "custodia_http_requests_total{{status=\"{}xx\"}} {}", at + 1, load(count));
    }
    text.push_str("# HELP custodia_http_request_duration_seconds Time from head to answer.\n");
    text.push_str("# TYPE custodia_http_request_duration_seconds histogram\n");
    let mut total = 0;
    for (at, count) in metrics.durations.iter().enumerate() {
        total += load(count);
        #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
        let bound =
            DURATION_BOUNDS_MS.get(at).map_or_else(|| "+Inf".to_owned(), |ms| (*ms as f64 / 1000.0).to_string());
        let _ = writeln!(text, "custodia_http_request_duration_seconds_bucket{{le=\"{bound}\"}} {total}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a sum for averages")]
    let seconds = load(&metrics.duration_ms_total) as f64 / 1000.0;
    let _ = writeln!(text, "custodia_http_request_duration_seconds_sum {seconds}");
    let _ = writeln!(text, "custodia_http_request_duration_seconds_count {total}");
    let writes = service.store.write_totals();
    for (name, kind, help, value) in [
        ("custodia_http_requests_running", "gauge", "Requests running now.", load(&metrics.running)),
        (
            "custodia_http_requests_overloaded_total",
            "counter",
            "Requests refused because too many ran, or too many answers were not taken.",
            load(&metrics.overloaded),
        ),
        (
            "custodia_connections_refused_total",
            "counter",
            "Connections closed because their address has as many as it may.",
            load(&metrics.connections_refused),
        ),
        (
            "custodia_http_requests_limited_total",
            "counter",
            "Requests refused because their organisation had reached a limit.",
            load(&metrics.organizations_limited),
        ),
        (
            "custodia_reads_waiting",
            "gauge",
            "Reads waiting for the turn of their organisation.",
            service.turns.waiting() as u64,
        ),
        ("custodia_tokens_issued_total", "counter", "Tokens given out.", load(&metrics.tokens_issued)),
        ("custodia_sign_ins_refused_total", "counter", "Sign-ins refused.", load(&metrics.sign_ins_refused)),
        ("custodia_open_databases", "gauge", "Databases open now.", service.store.open_databases() as u64),
        (
            "custodia_page_cache_bytes",
            "gauge",
            "Bytes in page caches of embedded databases, of connections that lie idle.",
            service.store.cache_bytes(),
        ),
        ("custodia_databases_opened_total", "counter", "Databases opened.", service.store.databases_opened()),
        (
            "custodia_databases_not_opened_total",
            "counter",
            "Times that a database did not open: it is missing, damaged, or of another key or program.",
            load(&metrics.databases_not_opened),
        ),
        (
            "custodia_organizations",
            "gauge",
            "Organisations of the installation.",
            service.store.organizations().len() as u64,
        ),
        (
            "custodia_statements_total",
            "counter",
            "Statements sent to the databases, ends of transactions too.",
            service.store.statements(),
        ),
        (
            "custodia_sqlite_steps_total",
            "counter",
            "Steps that SQLite took for the rows of statements.",
            service.store.sqlite_steps(),
        ),
        ("custodia_write_batches_total", "counter", "Write batches committed, one flush each.", writes.batches),
        ("custodia_write_requests_total", "counter", "Requests whose writes were committed.", writes.requests),
        ("custodia_write_retries_total", "counter", "Write batches run a second time.", writes.retries),
        ("custodia_jobs_waiting", "gauge", "Jobs that wait, as this node saw last.", service.jobs.waiting()),
        ("custodia_jobs_running", "gauge", "Jobs that this node works on.", load(&service.jobs.running)),
        (
            "custodia_jobs_succeeded_total",
            "counter",
            "Jobs that this node brought through.",
            load(&service.jobs.succeeded),
        ),
        ("custodia_jobs_failed_total", "counter", "Jobs that failed on this node.", load(&service.jobs.failed)),
        ("custodia_job_steps_total", "counter", "Steps of jobs that this node did.", load(&service.jobs.steps)),
        ("custodia_writes_waiting", "gauge", "Write requests waiting.", writes.waiting),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    text
}
