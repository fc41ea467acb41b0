//! Empty databases of both engines to run statements on.

use std::sync::Arc;

use custodia_schema::Value;

use super::super::{Dialect, Output, Statement, create_table, internal};
use super::{compile_insert, schema, table};
use crate::Limits;
use crate::ambient::Clock;
use crate::link::Link;
use crate::postgres::{PostgresConnection, PostgresSettings};
use crate::row::Row;
use crate::sqlite::{CommitsByFile, SqliteFile, SqliteSettings};
use crate::statement_count::StatementCount;

/// One database; dropping it leaves nothing behind but, on PostgreSQL, an unused database in the test cluster.
pub(super) struct TestDatabase {
    runtime: tokio::runtime::Runtime,
    link: Link,
    _folder: tempfile::TempDir,
}

struct NoClock;

impl Clock for NoClock {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// An empty database of each engine there is, with the store's own tables and these record tables.
pub(super) fn engines(tables: &[&str]) -> Vec<TestDatabase> {
    let mut found = vec![TestDatabase::sqlite()];
    found.extend(TestDatabase::postgres());
    for database in &found {
        for sql in crate::migration::newest(database.dialect()) {
            database.run(&sql);
        }
        for name in tables {
            database.create(name);
        }
    }
    found
}

impl TestDatabase {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = SqliteSettings {
            clock: Arc::new(NoClock),
            statement_limit_ms: 60_000,
            caches: None,
            readers_max: 1,
            log_mebibytes_max: u32::MAX,
            file_layer: None,
            statements: StatementCount::default(),
            commits: CommitsByFile::default(),
        };
        let file = SqliteFile::create(&folder.path().join("test.db"), None, settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, link: Link::Sqlite(Arc::new(file)), _folder: folder }
    }

    fn postgres() -> Option<Self> {
        let url = custodia_testbed::postgres_url()?;
        let name = custodia_testbed::fresh_database_name();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let link = runtime.block_on(async {
            let limits = Limits { statement_ms: 60_000, stalled_ms: 60_000, ..Limits::default() };
            let settings = PostgresSettings::parse(&url, &limits, Arc::new(NoClock)).unwrap();
            let cluster = PostgresConnection::connect(&settings).await.unwrap();
            cluster.run(&internal::create_database(&name)).await.unwrap();
            Link::Postgres(Arc::new(PostgresConnection::connect(&settings.database(&name)).await.unwrap()))
        });
        Some(Self { runtime, link, _folder: tempfile::tempdir().unwrap() })
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.link.dialect()
    }

    /// Makes a record table as the store does.
    pub(super) fn create(&self, name: &str) {
        for sql in create_table(self.dialect(), &schema(), &table(name)) {
            self.run(&sql);
        }
    }

    pub(super) fn run(&self, sql: &str) {
        self.runtime.block_on(self.link.run(sql)).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    pub(super) fn execute(&self, statement: &Statement) -> u64 {
        self.runtime
            .block_on(self.link.execute(statement))
            .unwrap_or_else(|error| panic!("{:?}: {error:?}\n{}", self.dialect(), statement.sql))
    }

    pub(super) fn try_execute(&self, statement: &Statement) -> crate::Result<u64> {
        self.runtime.block_on(self.link.execute(statement))
    }

    pub(super) fn insert(&self, into: &str, values: &[(&str, Value)]) {
        assert_eq!(self.execute(&compile_insert(self.dialect(), into, values)), 1);
    }

    pub(super) fn each(&self, statement: &Statement, take: &mut (dyn FnMut(&Row<'_>) + Send)) {
        let mut sink = |row: &Row<'_>| take(row);
        self.runtime
            .block_on(self.link.query(statement, &mut sink))
            .unwrap_or_else(|error| panic!("{:?}: {error:?}\n{}", self.dialect(), statement.sql));
    }

    pub(super) fn rows(&self, statement: &Statement) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        self.each(statement, &mut |row| rows.push(row.to_values()));
        rows
    }

    pub(super) fn try_rows(&self, statement: &Statement) -> crate::Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        let mut sink = |row: &Row<'_>| rows.push(row.to_values());
        self.runtime.block_on(self.link.query(statement, &mut sink))?;
        Ok(rows)
    }

    /// How a statement is carried out and what work that is: the plan with, on PostgreSQL, the rows each step met, and on
    /// SQLite what it counted while the statement ran.
    pub(super) fn work(&self, statement: &Statement) -> String {
        match &self.link {
            Link::Sqlite(file) => {
                let counted = file.writer.lock().counted(statement).unwrap();
                format!("{}{counted:?}", self.explain(statement))
            }
            Link::Postgres(_) => {
                let explained = self.explain_as(
                    "EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, TIMING OFF, SUMMARY OFF) ",
                    0,
                    statement,
                );
                // How much memory a step took goes with the width of its rows.
                explained.lines().filter(|line| !line.contains("Memory")).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// The engine's plan for a statement, a line per step.
    pub(super) fn explain(&self, statement: &Statement) -> String {
        match self.dialect() {
            Dialect::Sqlite => self.explain_as("EXPLAIN QUERY PLAN ", 3, statement),
            Dialect::Postgres => self.explain_as("EXPLAIN (COSTS OFF) ", 0, statement),
        }
    }

    /// A plan whose lines stand in the output `at`, behind numbers.
    fn explain_as(&self, prefix: &str, at: usize, statement: &Statement) -> String {
        let outputs = std::iter::repeat_n(Output::Integer, at).chain([Output::Text]).collect();
        let explained = Statement {
            sql: format!("{prefix}{}", statement.sql),
            parameters: statement.parameters.clone(),
            outputs,
            ..Statement::default()
        };
        let mut lines = String::new();
        self.each(&explained, &mut |row| {
            lines.push_str(row.text(at).unwrap_or_default());
            lines.push('\n');
        });
        lines
    }
}
