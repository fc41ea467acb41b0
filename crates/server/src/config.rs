//! The configuration: one TOML file, every key also as an environment variable `CUSTODIA_…`, flags above both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custodia_store::Clock;
use serde::{Deserialize, Serialize};

mod bounds;
mod load;

pub use load::Flag;

use crate::machine;
use crate::turns::Turns;

/// Reads of embedded databases worked on at one time, for each processor.
const READS_PER_PROCESSOR: usize = 4;
/// Long reads of embedded databases at one time, for each processor; one organisation has half of them.
const LONG_READS_PER_PROCESSOR: usize = 2;
/// Databases that may be open where memory or files are few.
const OPEN_DATABASES_LEAST: usize = 64;
/// Files that an open embedded database has on average: two for each connection, and one that they share.
const FILES_PER_DATABASE: usize = 8;
/// Reads that are on their way to PostgreSQL at one time.
const READS_ON_THEIR_WAY: usize = 64;

/// The whole configuration with its defaults.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients connect: address and port, port 0 picks one.
    pub listen: String,
    /// Where health and metrics are asked; keep it on a private interface.
    pub ops_listen: String,
    /// `postgres://…` of the control database; empty: everything in files of the data folder.
    pub database: String,
    /// `https://…` under which clients reach the service through a proxy; empty: as they address it.
    pub public_url: String,
    /// Trust the last `X-Forwarded-Proto` and `X-Forwarded-Host` and the last address of `X-Forwarded-For`; only behind a proxy that
    /// sets them.
    pub trust_forwarded: bool,
    /// File of the master key; empty: `master.key` in the data folder.
    pub master_key_file: String,
    /// Parts of the protocol and of its query languages that are refused as if there were none, separated by blanks:
    /// `odata.lambda.any function.RetrieveVersion`; `docs/api-coverage.md` has their names.
    pub withheld: String,
    /// TLS.
    pub tls: Tls,
    /// What is logged.
    pub log: Log,
    /// How audits are sealed and kept.
    pub audit: Audit,
    /// Bounds.
    pub limits: Limits,
    /// The file that this was read from, as it was named.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// TLS of the client listener.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Make a certificate authority of its own in the data folder.
    pub local: bool,
    /// Certificate chain in PEM.
    pub cert: String,
    /// Private key in PEM.
    pub key: String,
}

/// How audits are sealed and kept.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// File that the heads of audits are published in; empty: `audit-heads.jsonl` in the data folder. Best on another machine,
    /// where those who look after this one cannot change it.
    pub heads_file: String,
    /// Seconds between two publications.
    pub heads_seconds: u64,
    /// Entries that retention removes in one request.
    pub prune_entries: u32,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives like `info,custodia_store=debug`.
    pub filter: String,
    /// `text` or `json`.
    pub format: String,
}

/// Bounds. Each is answered with a clear error when it is hit.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Records and links that one request changes by name, in a change set, an action on many or within each other; more is
    /// refused.
    pub change_records: u32,
    /// Records that one request removes, unlinks or gives away through cascades; more is refused, and a delete is work for a
    /// job.
    pub cascade_rows: u32,
    /// Jobs of one organisation that wait or run; more are refused.
    pub open_jobs: u32,
    /// Bytes of values and words that a page of a record's history holds; the rest is told with the next page.
    pub history_bytes: usize,
    /// Entries of one record that a page of its history is looked for in, or that are counted; with more, it is refused.
    pub history_entries: usize,
    /// Teams, shares and permissions each that an explanation of a right goes through; with more, nothing is explained.
    pub explained_rows: u32,
    /// Roles that one question supposes to be held or not; more are refused.
    pub supposed_roles: usize,
    /// Records of one table of the security model that are looked over at once; with more, nothing is looked over.
    pub looked_over_rows: u32,
    /// Rules that separate duties, in one organisation; another one is refused.
    pub duty_rules: usize,
    /// Active forms of one table; another one is refused.
    pub table_forms: u32,
    /// Views of one table that a user is told of, of the organisation and of the user so many each.
    pub table_views: u32,
    /// Indexes of an organisation's own on one table; another one is refused.
    pub own_indexes: usize,
    /// Bytes of a form, view or site map; more is refused when it is stored.
    pub definition_bytes: usize,
    /// Elements of one within each other.
    pub definition_depth: usize,
    /// Elements and texts of one.
    pub definition_nodes: u32,
    /// Jobs that one node works on at the same time.
    pub running_jobs: usize,
    /// Jobs of one organisation that are worked on at the same time, on all nodes together.
    pub organization_running_jobs: usize,
    /// Records that a job deletes in one step.
    pub job_step_rows: usize,
    /// Milliseconds after which a step of a job ends with the record at hand.
    pub job_step_ms: u64,
    /// Seconds after which the jobs of a node that is gone are taken up by another one.
    pub job_lease_seconds: u32,
    /// Times that a job is taken up, or a step of it tried, without getting on; then it has failed.
    pub job_tries: u32,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's target (path and query).
    pub target_bytes: usize,
    /// Bytes of the bodies of all requests at work and of what they are parsed into; more are answered 503.
    pub bodies_bytes: usize,
    /// The same, of one organisation. 0: a quarter of them, or what the longest body of plain text takes.
    pub organization_bodies_bytes: usize,
    /// The same, of one user; a body that takes more alone is answered 413. 0: an eighth, or what the longest body of plain
    /// text takes.
    pub user_bodies_bytes: usize,
    /// Bytes of all answers that are not sent yet; reads whose answers take more are answered 503. Those of up to 64 KiB may
    /// take half as much again, beyond which every request is answered so.
    pub answers_bytes: usize,
    /// The same, of one organisation. 0: a quarter of them, or what the longest answer takes.
    pub organization_answers_bytes: usize,
    /// The same, of one user; a read whose answer takes more alone is answered 413. 0: an eighth, or what the longest answer
    /// takes.
    pub user_answers_bytes: usize,
    /// Seconds a client may take to send a request's body.
    pub body_seconds: u64,
    /// Seconds a client may take to take an answer.
    pub answer_seconds: u64,
    /// Seconds a TLS handshake may take.
    pub handshake_seconds: u64,
    /// Seconds a request may take.
    pub request_seconds: u64,
    /// Seconds a client may take to send a request's head.
    pub head_seconds: u64,
    /// Requests worked on at one time; more are answered 503.
    pub concurrent_requests: usize,
    /// Requests at one time of those who have shown no token: sign-ins are answered 503 beyond.
    pub strangers: usize,
    /// The same, of one address.
    pub address_strangers: usize,
    /// Databases that sign-ins have opened within a minute, of organisations that nobody uses at that time; more are answered
    /// 503. Who shows a token has one opened at any time.
    pub strangers_openings: u32,
    /// The same, of one address.
    pub address_strangers_openings: u32,
    /// Requests of one HTTP/2 connection at one time; the client is told.
    pub streams: u32,
    /// Requests at work and answers that HTTP/2 clients have not taken yet, of all connections; of each the first four are
    /// answered all the same, more 503.
    pub exchanges: usize,
    /// Requests of one user within five minutes; more are answered 429.
    pub user_requests: u64,
    /// Seconds that the requests of one user may take together within five minutes; then they are answered 429.
    pub user_seconds: u64,
    /// Requests of one user worked on at one time; more are answered 429.
    pub user_concurrent_requests: u64,
    /// Requests of one organisation within five minutes, unless it has a limit of its own; more are answered 429.
    pub organization_requests: u64,
    /// Requests of one organisation at one time, unless it has a limit of its own; more are answered 429.
    pub organization_concurrent_requests: u64,
    /// Bytes of one organisation's database, unless it has a limit of its own; then only deletes and reads are done.
    pub organization_storage_bytes: u64,
    /// Reads worked on at one time; of more, organisations have their turns, and one holds at most three quarters. 0: so
    /// many as are good for the engine.
    pub reads_at_once: usize,
    /// Long reads of embedded databases at one time: aggregates, exact counts, long pages, and what took longer
    /// than 10 ms where it was tried; one organisation has half of them. 0: two for each processor.
    pub long_reads: usize,
    /// Connections at one time; more wait to be accepted.
    pub connections: usize,
    /// Connections of one address at one time; more are closed. Not counted behind a proxy (`trust_forwarded`, `public_url`).
    pub address_connections: usize,
    /// Milliseconds a statement may run.
    pub statement_ms: u64,
    /// Milliseconds that the statements of one write may take together; then it alone is refused.
    pub write_ms: u64,
    /// Milliseconds a transaction on PostgreSQL may stand still before the server ends it, so that a node which hangs does
    /// not hold up the others.
    pub stalled_ms: u64,
    /// Milliseconds that PostgreSQL may be silent while it is connected to, and beyond `statement_ms` for a statement.
    pub silence_ms: u64,
    /// Writes that may wait for one organisation.
    pub write_queue: usize,
    /// Threads that write for all embedded databases.
    pub writer_threads: usize,
    /// MiB of the log of changes beside an embedded database from which on reads are interrupted and begun anew, so that it can
    /// be emptied.
    pub log_mebibytes: u32,
    /// MiB of the page caches of all open embedded databases together; divided by use, and one has half of it at most.
    pub caches_mebibytes: u32,
    /// Databases open at one time; for one more the least recently used is closed. 0: as many as memory and open files are good
    /// for, at least 64.
    pub open_databases: usize,
    /// Seconds after which an open database that nobody asks gives back its page caches.
    pub rest_seconds: u64,
    /// Milliseconds a request waits for its organisation to be opened: while as many as may be open are in use, and while the
    /// database is brought up to date, which goes on when the request is refused.
    pub open_wait_ms: u64,
    /// Connections to PostgreSQL that open databases hold together, three each at most.
    pub postgres_connections: usize,
    /// Statements that are on their way over one of the two connections to PostgreSQL that carry the reads of a database, each
    /// read being two: while there are as many, no other read begins there, it waits.
    pub postgres_pipeline: usize,
    /// Milliseconds that a read waits for that; then it is answered 503.
    pub postgres_wait_ms: u64,
    /// Statements kept prepared on one connection to PostgreSQL; with one more all are let go.
    pub prepared_statements: usize,
    /// Seconds after which an unused database is closed.
    pub idle_close_seconds: u64,
    /// Shapes of questions remembered of one organisation, for advice on indexes.
    pub noted_questions: usize,
    /// Seconds between two looks at what other nodes changed: organisations, signing keys, passwords that ended tokens.
    pub housekeeping_seconds: u64,
    /// Seconds for which a service that was told to stop answers as before, but says that it is not ready: so long a balancer
    /// has to send its clients elsewhere.
    pub drain_seconds: u64,
    /// Seconds that running requests have to end when the service stops.
    pub shutdown_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            ops_listen: "127.0.0.1:0".to_owned(),
            database: String::new(),
            public_url: String::new(),
            trust_forwarded: false,
            master_key_file: String::new(),
            withheld: String::new(),
            tls: Tls::default(),
            log: Log::default(),
            audit: Audit::default(),
            limits: Limits::default(),
            file: None,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { heads_file: String::new(), heads_seconds: 300, prune_entries: 10_000 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: "text".to_owned() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let store = custodia_store::Limits::default();
        let organization = custodia_org::WorkLimits::default();
        Self {
            change_records: organization.change_records,
            cascade_rows: organization.cascade_rows,
            open_jobs: organization.open_jobs,
            history_bytes: organization.history_bytes,
            history_entries: organization.history_entries,
            explained_rows: organization.explained_rows,
            supposed_roles: organization.supposed_roles,
            looked_over_rows: organization.looked_over_rows,
            duty_rules: organization.duty_rules,
            table_forms: organization.table_forms,
            table_views: organization.table_views,
            own_indexes: organization.own_indexes,
            definition_bytes: organization.definitions.definition_bytes_max,
            definition_depth: organization.definitions.definition_depth_max,
            definition_nodes: organization.definitions.definition_nodes_max,
            running_jobs: 4,
            organization_running_jobs: 1,
            job_step_rows: 50,
            job_step_ms: 50,
            job_lease_seconds: 60,
            job_tries: 10,
            body_bytes: 16 << 20,
            target_bytes: 32 << 10,
            bodies_bytes: 512 << 20,
            organization_bodies_bytes: 0,
            user_bodies_bytes: 0,
            answers_bytes: 1 << 30,
            organization_answers_bytes: 0,
            user_answers_bytes: 0,
            body_seconds: 60,
            answer_seconds: 120,
            handshake_seconds: 10,
            request_seconds: 120,
            head_seconds: 30,
            concurrent_requests: 1_000,
            // Two passwords are checked at one time: these wait for seconds.
            strangers: 100,
            address_strangers: 50,
            strangers_openings: 600,
            address_strangers_openings: 120,
            streams: 100,
            exchanges: 16_384,
            // A program that runs for itself on this machine does not reach these; a shared one sets what it can give.
            user_requests: 100_000_000,
            user_seconds: 100_000,
            user_concurrent_requests: 1_000,
            organization_requests: 1_000_000_000,
            organization_concurrent_requests: 500,
            organization_storage_bytes: store.organization_storage_bytes_max,
            reads_at_once: 0,
            long_reads: 0,
            connections: 10_000,
            address_connections: 1_000,
            statement_ms: store.statement_ms,
            write_ms: store.write_ms,
            stalled_ms: store.stalled_ms,
            silence_ms: store.silence_ms,
            write_queue: store.write_queue_max,
            writer_threads: store.writer_threads,
            log_mebibytes: store.log_mebibytes_max,
            caches_mebibytes: store.caches_mebibytes,
            open_databases: 0,
            rest_seconds: store.rest_ms / 1000,
            open_wait_ms: store.open_wait_ms,
            postgres_connections: store.postgres_connections_max,
            postgres_pipeline: store.postgres_pipeline_max,
            postgres_wait_ms: store.postgres_wait_ms,
            prepared_statements: store.prepared_statements_max,
            idle_close_seconds: store.idle_close_ms / 1000,
            noted_questions: store.noted_questions_max,
            housekeeping_seconds: 60,
            drain_seconds: 0,
            shutdown_seconds: 10,
        }
    }
}

/// Databases that may be open at one time where nobody said how many: an eighth of the memory for those that rest, which take
/// less than a MiB each, and as many as half of the files that may be open are enough for.
fn open_databases(memory_mebibytes: Option<usize>, files: usize) -> usize {
    let by_memory = memory_mebibytes.map_or(OPEN_DATABASES_LEAST, |memory| memory / 8);
    by_memory.min(files / 2 / FILES_PER_DATABASE).max(OPEN_DATABASES_LEAST)
}

impl Config {
    /// What contradicts itself: the key, and why its value cannot be used. Numbers are within their bounds by then.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (key, value) in [("listen", &self.listen), ("ops_listen", &self.ops_listen)] {
            if value.parse::<SocketAddr>().is_err() {
                faults.push((key, format!("\"{value}\" is not an address and port, such as 127.0.0.1:8080")));
            }
        }
        if self.tls.cert.is_empty() != self.tls.key.is_empty() {
            let (given, missing) =
                if self.tls.key.is_empty() { ("tls.cert", "tls.key") } else { ("tls.key", "tls.cert") };
            faults.push((given, format!("a certificate and its key belong together: set {missing} too")));
        }
        if self.tls.local && !self.tls.cert.is_empty() {
            faults.push(("tls.local", "a certificate is given by tls.cert too: use one of the two".to_owned()));
        }
        let filter = &self.log.filter;
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(filter) {
            faults.push(("log.filter", format!("\"{filter}\" is no filter: {error}")));
        } else if !names_levels(filter) {
            let why = format!(
                "\"{filter}\" names no level: use error, warn, info, debug or trace, or directives like \
                 info,custodia_store=debug"
            );
            faults.push(("log.filter", why));
        }
        if !matches!(self.log.format.as_str(), "text" | "json") {
            faults.push(("log.format", format!("\"{}\" is neither \"text\" nor \"json\"", self.log.format)));
        }
        if !self.database.is_empty()
            && !self.database.starts_with("postgres://")
            && !self.database.starts_with("postgresql://")
        {
            faults.push(("database", "it must begin with postgres:// or be empty".to_owned()));
        }
        if !self.public_url.is_empty() && custodia_identity::Address::parse(&self.public_url).is_err() {
            faults.push(("public_url", format!("\"{}\" is not an http or https address", self.public_url)));
        }
        if let Err(unknown) = self.withheld() {
            faults.push(("withheld", unknown.to_string()));
        }
        let Limits { bodies_bytes, body_bytes, .. } = self.limits;
        if bodies_bytes < body_bytes {
            let why = format!("less than limits.body_bytes, {body_bytes}: not one body of that length would be taken");
            faults.push(("limits.bodies_bytes", why));
        }
        faults
    }

    /// The configuration to be shown: without the password of the database.
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        if let Some((before, password)) = self.database.split_once("password=") {
            let after = password.find('&').and_then(|end| password.get(end..)).unwrap_or("");
            shown.database = format!("{before}password=…{after}");
        }
        if let Some((user, password)) = user_part(&self.database).and_then(|part| part.split_once(':')) {
            shown.database = self.database.replacen(&format!("{user}:{password}@"), &format!("{user}:…@"), 1);
        }
        shown
    }

    /// The parts that are withheld.
    ///
    /// # Errors
    /// A name that no part has.
    pub fn withheld(&self) -> Result<custodia_query::Withheld, custodia_web_api::UnknownPart> {
        custodia_web_api::withhold(self.withheld.split_whitespace())
    }

    /// The store's bounds.
    pub fn store_limits(&self) -> custodia_store::Limits {
        custodia_store::Limits {
            statement_ms: self.limits.statement_ms,
            write_ms: self.limits.write_ms,
            stalled_ms: self.limits.stalled_ms,
            silence_ms: self.limits.silence_ms,
            write_queue_max: self.limits.write_queue,
            writer_threads: self.limits.writer_threads,
            long_reads_max: match self.limits.long_reads {
                0 => machine::processors().saturating_mul(LONG_READS_PER_PROCESSOR),
                given => given,
            },
            log_mebibytes_max: self.limits.log_mebibytes,
            caches_mebibytes: self.limits.caches_mebibytes,
            open_databases_max: match self.limits.open_databases {
                0 => open_databases(machine::memory_mebibytes(), machine::open_files()),
                given => given,
            },
            rest_ms: self.limits.rest_seconds.saturating_mul(1000),
            open_wait_ms: self.limits.open_wait_ms,
            postgres_connections_max: self.limits.postgres_connections,
            postgres_pipeline_max: self.limits.postgres_pipeline,
            postgres_wait_ms: self.limits.postgres_wait_ms,
            prepared_statements_max: self.limits.prepared_statements,
            organization_storage_bytes_max: self.limits.organization_storage_bytes,
            idle_close_ms: self.limits.idle_close_seconds.saturating_mul(1000),
            noted_questions_max: self.limits.noted_questions,
            ..custodia_store::Limits::default()
        }
    }

    /// Whether clients come through a proxy, so that all connections are of few addresses.
    pub fn is_behind_proxy(&self) -> bool {
        self.trust_forwarded || !self.public_url.is_empty()
    }

    /// Whether addresses tell one client from another: behind a proxy that nobody is told to trust all come from one, and what
    /// is counted for it would be taken from everybody by anybody.
    pub fn tells_clients_apart(&self) -> bool {
        self.trust_forwarded || !self.is_behind_proxy()
    }

    /// The bounds of one organisation.
    pub fn work_limits(&self) -> custodia_org::WorkLimits {
        let limits = &self.limits;
        let definitions = custodia_org::DefinitionLimits {
            definition_bytes_max: limits.definition_bytes,
            definition_depth_max: limits.definition_depth,
            definition_nodes_max: limits.definition_nodes,
        };
        custodia_org::WorkLimits {
            change_records: limits.change_records,
            cascade_rows: limits.cascade_rows,
            open_jobs: limits.open_jobs,
            history_bytes: limits.history_bytes,
            history_entries: limits.history_entries,
            explained_rows: limits.explained_rows,
            supposed_roles: limits.supposed_roles,
            looked_over_rows: limits.looked_over_rows,
            duty_rules: limits.duty_rules,
            table_forms: limits.table_forms,
            table_views: limits.table_views,
            own_indexes: limits.own_indexes,
            definitions,
        }
    }

    /// The places at which reads are worked on. An embedded database is read by the processors here; PostgreSQL reads by
    /// itself, and what is asked of it is best on its way early.
    pub fn turns<K: Eq + std::hash::Hash + Copy>(&self, clock: Arc<dyn Clock>) -> Turns<K> {
        let places = match (self.limits.reads_at_once, self.database.is_empty()) {
            (0, true) => machine::processors().saturating_mul(READS_PER_PROCESSOR),
            (0, false) => READS_ON_THEIR_WAY,
            (given, _) => given,
        };
        Turns::new(places, places.saturating_mul(3).div_ceil(4), clock)
    }

    /// The file that heads of audits are published in.
    pub fn audit_heads_path(&self, folder: &Path) -> PathBuf {
        let file = match self.audit.heads_file.as_str() {
            "" => folder.join("audit-heads.jsonl"),
            given => PathBuf::from(given),
        };
        // It is told to people, who may be in another folder.
        std::path::absolute(&file).unwrap_or(file)
    }

    /// The file of the master key.
    pub fn master_key_path(&self, folder: &Path) -> PathBuf {
        if self.master_key_file.is_empty() {
            custodia_store::MasterKey::file_in(folder)
        } else {
            PathBuf::from(&self.master_key_file)
        }
    }
}

/// Whether each directive of a filter is a level or gives one to something. A word alone would be taken for a part of the
/// program, and nothing be logged of the others.
fn names_levels(filter: &str) -> bool {
    let is_level =
        |word: &str| word.eq_ignore_ascii_case("off") || word.parse::<tracing::Level>().is_ok_and(|_| !word.is_empty());
    // A comma within the fields of a span parts no directives: what has brackets was checked when it was parsed.
    filter.split(',').map(str::trim).all(|part| part.contains(['=', '[', ']', '{', '}']) || is_level(part))
}

/// `user:password` of `postgres://user:password@host/…`.
fn user_part(database: &str) -> Option<&str> {
    let (_, rest) = database.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once('@').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_databases_are_open_as_memory_and_files_are_good_for() {
        assert_eq!(open_databases(Some(24 * 1024), 1 << 20), 3_072);
        assert_eq!(open_databases(Some(24 * 1024), 20_000), 1_250);
        assert_eq!(open_databases(Some(2 * 1024), 20_000), 256);
        assert_eq!(open_databases(Some(256), 1_024), OPEN_DATABASES_LEAST);
        assert_eq!(open_databases(None, usize::MAX), OPEN_DATABASES_LEAST);
        assert!(Config::default().store_limits().open_databases_max >= OPEN_DATABASES_LEAST);
        let mut config = Config::default();
        config.limits.open_databases = 7;
        assert_eq!(config.store_limits().open_databases_max, 7);
    }
}
