//! Statements on the store's own tables (`custodia_…`): the commit head, the two logs, derived memberships, and the
//! transaction verbs. Both dialects number placeholders `$1`, `$2`, … in the order of first use, which SQLite takes
//! as positions too.

use custodia_schema::{Guid, TableId, Value};

use super::storage::Storage;
use super::{Dialect, Output, Parameter, Statement};
use crate::head::Head;
use crate::migration::Programs;
use crate::seal::Chain;

pub(crate) const BEGIN: &str = "BEGIN";
pub(crate) const COMMIT: &str = "COMMIT";
pub(crate) const ROLLBACK: &str = "ROLLBACK";
pub(crate) const SAVEPOINT: &str = "SAVEPOINT request";
pub(crate) const RELEASE: &str = "RELEASE SAVEPOINT request";
pub(crate) const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT request; RELEASE SAVEPOINT request";

/// The head: number, audit number, security, metadata and epoch versions, commit time.
pub(crate) const HEAD: &str =
    "SELECT number, audit_number, security_version, metadata_version, epoch, commit_time FROM custodia_head";
/// The same, locked until the end of the transaction.
pub(crate) const HEAD_LOCKED: &str = "SELECT number, audit_number, security_version, metadata_version, epoch, commit_time \
     FROM custodia_head FOR UPDATE";

/// The head with the chain value of the last audit entry, for a batch of writes: two databases differ in the lock alone.
pub(crate) const HEAD_SEALED: &str = "SELECT number, audit_number, security_version, metadata_version, epoch, commit_time, audit_chain FROM custodia_head";
/// The same, locked until the end of the transaction, and the number by which PostgreSQL knows that transaction.
pub(crate) const HEAD_SEALED_LOCKED: &str = "SELECT number, audit_number, security_version, metadata_version, epoch, \
     commit_time, audit_chain, pg_current_xact_id()::text::bigint FROM custodia_head FOR UPDATE";

/// What became of a transaction of PostgreSQL: `committed`, `aborted` or `in progress`.
pub(crate) fn transaction_status(transaction: i64) -> String {
    format!("SELECT pg_xact_status('{transaction}')")
}

/// Bytes of the present PostgreSQL database.
pub(crate) const POSTGRES_SIZE: &str = "SELECT pg_database_size(current_database())";

/// Bytes that a database takes: of a file, the pages in use as this transaction sees them; of a PostgreSQL database, its
/// files.
pub(crate) fn select_used_bytes(dialect: Dialect) -> Statement {
    let sql = match dialect {
        Dialect::Sqlite => {
            "SELECT (page_count - freelist_count) * page_size \
             FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
        }
        Dialect::Postgres => POSTGRES_SIZE,
    };
    Statement { sql: sql.to_owned(), outputs: vec![Output::Integer], ..Statement::default() }
}

/// The store's own tables in an empty database of an organisation.
pub(crate) fn create(dialect: Dialect) -> Vec<String> {
    // SQLite keeps rows under a key that is spelled INTEGER, and only so, without a second index.
    let (big, guid, bytes, fill, narrow) = match dialect {
        Dialect::Sqlite => ("INTEGER", "BLOB", "BLOB", "", " WITHOUT ROWID"),
        Dialect::Postgres => ("bigint", "uuid", "bytea", " WITH (fillfactor = 10)", ""),
    };
    vec![
        // One row that every commit rewrites; on PostgreSQL the spare room keeps its versions on one page.
        format!(
            "CREATE TABLE custodia_head (id integer NOT NULL PRIMARY KEY, number bigint NOT NULL, \
             audit_number bigint NOT NULL, security_version bigint NOT NULL, metadata_version bigint NOT NULL, \
             epoch bigint NOT NULL, commit_time bigint NOT NULL, oldest_reader bigint NOT NULL, \
             oldest_writer bigint NOT NULL, fold_version bigint NOT NULL, format bigint NOT NULL){fill}"
        ),
        format!(
            "CREATE TABLE custodia_table (id {big} NOT NULL PRIMARY KEY, number bigint NOT NULL, \
             definition bigint NOT NULL)"
        ),
        format!(
            "CREATE TABLE custodia_member (userid {guid} NOT NULL, principalid {guid} NOT NULL, \
             PRIMARY KEY (userid, principalid)){narrow}"
        ),
        "CREATE UNIQUE INDEX custodia_member_of ON custodia_member (principalid, userid)".to_owned(),
        format!(
            "CREATE TABLE custodia_unit_closure (ancestor {guid} NOT NULL, descendant {guid} NOT NULL, \
             PRIMARY KEY (ancestor, descendant)){narrow}"
        ),
        "CREATE UNIQUE INDEX custodia_unit_closure_up ON custodia_unit_closure (descendant, ancestor)".to_owned(),
        format!(
            "CREATE TABLE custodia_change (number {big} NOT NULL PRIMARY KEY, commit_time bigint NOT NULL, \
             kind integer NOT NULL, tableid bigint NOT NULL, rowid_ {guid} NOT NULL, payload {bytes} NOT NULL)"
        ),
        format!(
            "CREATE TABLE custodia_audit (number {big} NOT NULL PRIMARY KEY, created bigint NOT NULL, \
             transactionid {guid} NOT NULL, userid {guid} NOT NULL, callinguserid {guid}, origin text NOT NULL, \
             tableid bigint NOT NULL, rowid_ {guid} NOT NULL, operation integer NOT NULL, action integer NOT NULL, \
             payload {bytes} NOT NULL, detail text)"
        ),
        "CREATE INDEX custodia_audit_row ON custodia_audit (tableid, rowid_, number)".to_owned(),
        format!(
            "CREATE TABLE custodia_credential (principalid {guid} NOT NULL, kind text NOT NULL, name text NOT NULL, \
             secret {bytes} NOT NULL, changed bigint NOT NULL, PRIMARY KEY (principalid, kind, name))"
        ),
        format!("CREATE TABLE custodia_setting (name text NOT NULL PRIMARY KEY, value {bytes} NOT NULL)"),
    ]
}

/// The store's own tables with their columns, which a copy of an organisation consists of beside its records.
///
/// Content hashes number the columns by their place here, so later formats add columns at the end only.
pub(crate) const TABLES: &[(&str, &[(&str, Storage)])] = &[
    (
        "custodia_head",
        &[
            ("id", Storage::Integer),
            ("number", Storage::BigInt),
            ("audit_number", Storage::BigInt),
            ("security_version", Storage::BigInt),
            ("metadata_version", Storage::BigInt),
            ("epoch", Storage::BigInt),
            ("commit_time", Storage::BigInt),
            ("oldest_reader", Storage::BigInt),
            ("oldest_writer", Storage::BigInt),
            ("fold_version", Storage::BigInt),
            ("format", Storage::BigInt),
            ("audit_chain", Storage::Bytes),
        ],
    ),
    ("custodia_table", &[("id", Storage::BigInt), ("number", Storage::BigInt), ("definition", Storage::BigInt)]),
    ("custodia_member", &[("userid", Storage::Guid), ("principalid", Storage::Guid)]),
    ("custodia_unit_closure", &[("ancestor", Storage::Guid), ("descendant", Storage::Guid)]),
    (
        "custodia_change",
        &[
            ("number", Storage::BigInt),
            ("commit_time", Storage::BigInt),
            ("kind", Storage::Integer),
            ("tableid", Storage::BigInt),
            ("rowid_", Storage::Guid),
            ("payload", Storage::Bytes),
        ],
    ),
    (
        "custodia_audit",
        &[
            ("number", Storage::BigInt),
            ("created", Storage::BigInt),
            ("transactionid", Storage::Guid),
            ("userid", Storage::Guid),
            ("callinguserid", Storage::Guid),
            ("origin", Storage::Text),
            ("tableid", Storage::BigInt),
            ("rowid_", Storage::Guid),
            ("operation", Storage::Integer),
            ("action", Storage::Integer),
            ("payload", Storage::Bytes),
            ("detail", Storage::Text),
            ("salt", Storage::Bytes),
            ("chain", Storage::Bytes),
        ],
    ),
    (
        "custodia_credential",
        &[
            ("principalid", Storage::Guid),
            ("kind", Storage::Text),
            ("name", Storage::Text),
            ("secret", Storage::Bytes),
            ("changed", Storage::BigInt),
        ],
    ),
    ("custodia_setting", &[("name", Storage::Text), ("value", Storage::Bytes)]),
    ("custodia_shared", &[("tableid", Storage::BigInt)]),
    ("custodia_manager_closure", &[("above", Storage::Guid), ("below", Storage::Guid), ("distance", Storage::Integer)]),
    (
        "custodia_position_closure",
        &[("above", Storage::Guid), ("below", Storage::Guid), ("distance", Storage::Integer)],
    ),
];

/// The head row of an empty database.
pub(crate) fn insert_head(commit_time: i64) -> Statement {
    statement(
        "INSERT INTO custodia_head (id, number, audit_number, security_version, metadata_version, epoch, commit_time, \
         oldest_reader, oldest_writer, fold_version, format) VALUES (1, 0, 0, 1, 1, 1, $1, 1, 1, $2, 1)",
        vec![number(commit_time), number(i64::from(custodia_schema::FOLD_VERSION))],
    )
}

/// Stores the moved head with the chain value of the last audit entry; goes out with the last writes of a batch.
pub(crate) fn store_head(head: &Head, chain: &Chain) -> Statement {
    statement(
        "UPDATE custodia_head SET number = $1, audit_number = $2, security_version = $3, metadata_version = $4, \
         epoch = $5, commit_time = $6, audit_chain = $7",
        vec![
            number(head.number),
            number(head.audit_number),
            number(head.versions.security),
            number(head.versions.metadata),
            number(head.versions.epoch),
            number(head.commit_time),
            Parameter::Bytes(chain.as_bytes().to_vec()),
        ],
    )
}

/// Sets the numbers that a database goes on with; the audit's chain stays.
pub(crate) fn update_head(head: &Head) -> Statement {
    statement(
        "UPDATE custodia_head SET number = $1, audit_number = $2, security_version = $3, metadata_version = $4, \
         epoch = $5, commit_time = $6",
        vec![
            number(head.number),
            number(head.audit_number),
            number(head.versions.security),
            number(head.versions.metadata),
            number(head.versions.epoch),
            number(head.commit_time),
        ],
    )
}

/// Format, oldest program that may read, oldest that may write, fold version.
pub(crate) fn select_programs() -> Statement {
    read(
        "SELECT format, oldest_reader, oldest_writer, fold_version FROM custodia_head",
        Vec::new(),
        &[Output::Integer; 4],
    )
}

pub(crate) fn update_programs(programs: &Programs) -> Statement {
    statement(
        "UPDATE custodia_head SET format = $1, oldest_reader = $2, oldest_writer = $3",
        [programs.format, programs.oldest_reader, programs.oldest_writer].map(|n| number(i64::from(n))).into(),
    )
}

/// Makes statements compiled before out of date.
pub(crate) const NEXT_METADATA_VERSION: &str = "UPDATE custodia_head SET metadata_version = metadata_version + 1";

/// The metadata version: which tables there are, which columns are secured, and of which tables rows are shared.
pub(crate) fn select_metadata_version() -> Statement {
    read("SELECT metadata_version FROM custodia_head", Vec::new(), &[Output::Integer])
}

/// Numbers of the tables that exist.
pub(crate) fn select_tables() -> Statement {
    read("SELECT id FROM custodia_table", Vec::new(), &[Output::Integer])
}

pub(crate) fn insert_table(table: TableId, made_at: i64, definition: i64) -> Statement {
    statement(
        "INSERT INTO custodia_table (id, number, definition) VALUES ($1, $2, $3)",
        vec![number(i64::from(table.0)), number(made_at), number(definition)],
    )
}

/// Numbers of the tables of which some row was ever shared.
pub(crate) fn select_shared_tables() -> Statement {
    read("SELECT tableid FROM custodia_shared", Vec::new(), &[Output::Integer])
}

pub(crate) fn insert_shared_table(table: TableId) -> Statement {
    statement(
        "INSERT INTO custodia_shared (tableid) VALUES ($1) ON CONFLICT (tableid) DO NOTHING",
        vec![number(i64::from(table.0))],
    )
}

/// Notes of which tables some row is shared. Of those that are there already nobody knows, so they count as shared.
pub(crate) fn create_shared(dialect: Dialect) -> Vec<String> {
    let big = match dialect {
        Dialect::Sqlite => "INTEGER",
        Dialect::Postgres => "bigint",
    };
    vec![
        format!("CREATE TABLE custodia_shared (tableid {big} NOT NULL PRIMARY KEY)"),
        "INSERT INTO custodia_shared (tableid) SELECT id FROM custodia_table".to_owned(),
    ]
}

/// The closures that hierarchy security stands on. They are filled when it is switched on.
pub(crate) fn create_chains(dialect: Dialect) -> Vec<String> {
    let (guid, narrow) = match dialect {
        Dialect::Sqlite => ("BLOB", " WITHOUT ROWID"),
        Dialect::Postgres => ("uuid", ""),
    };
    let create = |closure: &str| {
        [
            format!(
                "CREATE TABLE {closure} (above {guid} NOT NULL, below {guid} NOT NULL, distance integer NOT NULL, \
                 PRIMARY KEY (above, below)){narrow}"
            ),
            format!("CREATE UNIQUE INDEX {closure}_up ON {closure} (below, above)"),
        ]
    };
    RECORD_CHAINS.iter().flat_map(|chain| create(chain.closure)).collect()
}

/// Numbers of the tables that exist, each with the number of the definition it was made with.
pub(crate) fn select_definitions() -> Statement {
    read("SELECT id, definition FROM custodia_table", Vec::new(), &[Output::Integer; 2])
}

pub(crate) fn update_definition(table: TableId, definition: i64) -> Statement {
    statement(
        "UPDATE custodia_table SET definition = $1 WHERE id = $2",
        vec![number(definition), number(i64::from(table.0))],
    )
}

/// The fixed part of a change record.
pub(crate) struct ChangeRecord {
    pub number: i64,
    pub commit_time: i64,
    pub kind: i32,
    pub table: TableId,
    pub row: Guid,
}

pub(crate) fn insert_change(record: &ChangeRecord, payload: Vec<u8>) -> Statement {
    statement(
        "INSERT INTO custodia_change (number, commit_time, kind, tableid, rowid_, payload) VALUES ($1, $2, $3, $4, $5, $6)",
        vec![
            number(record.number),
            number(record.commit_time),
            small(record.kind),
            number(i64::from(record.table.0)),
            guid(record.row),
            Parameter::Bytes(payload),
        ],
    )
}

/// Changes after a number, in order: number, commit time, kind, table, row, payload (bytes).
pub(crate) fn select_changes(after: i64, limit: u32) -> Statement {
    read(
        "SELECT number, commit_time, kind, tableid, rowid_, payload FROM custodia_change WHERE number > $1 \
         ORDER BY number LIMIT $2",
        vec![number(after), number(i64::from(limit))],
        &[Output::Integer, Output::Integer, Output::Integer, Output::Integer, Output::Guid, Output::Text],
    )
}

/// Changes of the rows of one table between two numbers, the second included, in order: number, kind, row.
pub(crate) fn select_table_changes(table: TableId, after: i64, up_to: i64, limit: u32) -> Statement {
    read(
        "SELECT number, kind, rowid_ FROM custodia_change WHERE number > $1 AND number <= $2 AND tableid = $3 \
         ORDER BY number LIMIT $4",
        vec![number(after), number(up_to), number(i64::from(table.0)), number(i64::from(limit))],
        &[Output::Integer, Output::Integer, Output::Guid],
    )
}

pub(crate) fn insert_member(user: Guid, principal: Guid) -> Statement {
    statement(
        "INSERT INTO custodia_member (userid, principalid) VALUES ($1, $2) ON CONFLICT (userid, principalid) DO NOTHING",
        vec![guid(user), guid(principal)],
    )
}

pub(crate) fn delete_member(user: Guid, principal: Guid) -> Statement {
    statement("DELETE FROM custodia_member WHERE userid = $1 AND principalid = $2", vec![guid(user), guid(principal)])
}

pub(crate) fn delete_members_of(user: Guid) -> Statement {
    statement("DELETE FROM custodia_member WHERE userid = $1", vec![guid(user)])
}

/// A new unit: itself, and below everything its parent is below.
pub(crate) fn insert_unit(unit: Guid, parent: Option<Guid>) -> Vec<Statement> {
    let mut statements = vec![statement(
        "INSERT INTO custodia_unit_closure (ancestor, descendant) VALUES ($1, $2)",
        vec![guid(unit), guid(unit)],
    )];
    statements.extend(parent.map(|parent| hang(unit, parent)));
    statements
}

pub(crate) fn delete_unit(unit: Guid) -> Statement {
    statement("DELETE FROM custodia_unit_closure WHERE descendant = $1", vec![guid(unit)])
}

/// A unit and all below it move under another parent.
pub(crate) fn move_unit(unit: Guid, parent: Guid) -> Vec<Statement> {
    vec![
        statement(
            "DELETE FROM custodia_unit_closure WHERE descendant IN \
             (SELECT descendant FROM custodia_unit_closure WHERE ancestor = $1) \
             AND ancestor NOT IN (SELECT descendant FROM custodia_unit_closure WHERE ancestor = $2)",
            vec![guid(unit), guid(unit)],
        ),
        hang(unit, parent),
    ]
}

/// Everything at or above `parent` is above everything at or below `unit`.
fn hang(unit: Guid, parent: Guid) -> Statement {
    statement(
        "INSERT INTO custodia_unit_closure (ancestor, descendant) SELECT up.ancestor, down.descendant \
         FROM custodia_unit_closure up CROSS JOIN custodia_unit_closure down WHERE up.descendant = $1 AND down.ancestor = $2",
        vec![guid(parent), guid(unit)],
    )
}

/// A tree of records whose closure is kept while hierarchy security is on.
pub(crate) struct RecordChain {
    closure: &'static str,
    /// The table of the records.
    pub(crate) table: &'static str,
    id: &'static str,
    /// The lookup of the record above.
    pub(crate) parent: &'static str,
}

/// Users under their managers, positions under positions.
pub(crate) const RECORD_CHAINS: [RecordChain; 2] = [
    RecordChain {
        closure: "custodia_manager_closure",
        table: "systemuser",
        id: "systemuserid",
        parent: "parentsystemuserid",
    },
    RecordChain {
        closure: "custodia_position_closure",
        table: "position",
        id: "positionid",
        parent: "parentpositionid",
    },
];

/// That hierarchy security is switched on: the closures are empty otherwise.
const HAS_HIERARCHY: &str = "EXISTS (SELECT 1 FROM organization WHERE ishierarchicalsecuritymodelenabled)";

/// Steps that filling a closure follows, so that records that stand above themselves end it too.
const CHAIN_STEPS_MAX: u32 = 100;

impl RecordChain {
    /// Fills the closure anew from the records; empties it where hierarchy security is off.
    pub(crate) fn fill(&self) -> Vec<Statement> {
        let Self { closure, table, id, parent } = self;
        let fill = format!(
            "INSERT INTO {closure} (above, below, distance) WITH RECURSIVE up(above, below, distance) AS \
             (SELECT r.{parent}, r.{id}, 1 FROM {table} r WHERE r.{parent} IS NOT NULL AND {HAS_HIERARCHY} \
             UNION SELECT r.{parent}, up.below, up.distance + 1 FROM up JOIN {table} r ON r.{id} = up.above \
             WHERE r.{parent} IS NOT NULL AND up.distance < {CHAIN_STEPS_MAX}) \
             SELECT above, below, min(distance) FROM up WHERE above <> below GROUP BY above, below"
        );
        vec![statement(&format!("DELETE FROM {closure}"), Vec::new()), statement(&fill, Vec::new())]
    }

    /// Takes a record, with all below it, from under those above it.
    pub(crate) fn detach(&self, record: Guid) -> Statement {
        let Self { closure, .. } = self;
        let sql = format!(
            "DELETE FROM {closure} WHERE (below = $1 OR below IN (SELECT below FROM {closure} WHERE above = $2)) \
             AND above <> $3 AND above NOT IN (SELECT below FROM {closure} WHERE above = $4)"
        );
        statement(&sql, vec![guid(record); 4])
    }

    /// Puts a record, with all below it, under another one and all above that.
    pub(crate) fn attach(&self, record: Guid, parent: Guid) -> Statement {
        let Self { closure, table, id, .. } = self;
        let sql = format!(
            "INSERT INTO {closure} (above, below, distance) \
             SELECT up.above, down.below, up.distance + down.distance + 1 \
             FROM (SELECT r.{id} AS above, 0 AS distance FROM {table} r WHERE r.{id} = $1 \
             UNION ALL SELECT c.above, c.distance FROM {closure} c WHERE c.below = $2) up \
             CROSS JOIN (SELECT r.{id} AS below, 0 AS distance FROM {table} r WHERE r.{id} = $3 \
             UNION ALL SELECT c.below, c.distance FROM {closure} c WHERE c.above = $4) down \
             WHERE up.above <> down.below AND {HAS_HIERARCHY} ON CONFLICT (above, below) DO NOTHING"
        );
        statement(&sql, vec![guid(parent), guid(parent), guid(record), guid(record)])
    }

    /// Removes a record that is gone.
    pub(crate) fn remove(&self, record: Guid) -> Vec<Statement> {
        let Self { closure, .. } = self;
        let gone = format!("DELETE FROM {closure} WHERE above = $1 OR below = $2");
        vec![self.detach(record), statement(&gone, vec![guid(record), guid(record)])]
    }
}

pub(crate) fn upsert_credential(principal: Guid, kind: &str, name: &str, secret: Vec<u8>, changed: i64) -> Statement {
    statement(
        "INSERT INTO custodia_credential (principalid, kind, name, secret, changed) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (principalid, kind, name) DO UPDATE SET secret = excluded.secret, changed = excluded.changed",
        vec![guid(principal), text(kind), text(name), Parameter::Bytes(secret), number(changed)],
    )
}

pub(crate) fn delete_credential(principal: Guid, kind: &str, name: &str) -> Statement {
    statement(
        "DELETE FROM custodia_credential WHERE principalid = $1 AND kind = $2 AND name = $3",
        vec![guid(principal), text(kind), text(name)],
    )
}

/// Sets a credential without a name or a secret whose time is after that of the same kind of this principal and of `besides`.
pub(crate) fn end_sessions(kind: &str, principal: Guid, besides: Guid, now: i64) -> Statement {
    statement(
        "INSERT INTO custodia_credential (principalid, kind, name, secret, changed) VALUES ($1, $2, $3, $4, \
         (SELECT CASE WHEN max(changed) >= $5 THEN max(changed) + 1 ELSE $6 END FROM custodia_credential \
         WHERE kind = $7 AND principalid IN ($8, $9))) \
         ON CONFLICT (principalid, kind, name) DO UPDATE SET changed = excluded.changed",
        vec![
            guid(principal),
            text(kind),
            text(""),
            Parameter::Bytes(Vec::from(*b"-")),
            number(now),
            number(now),
            text(kind),
            guid(principal),
            guid(besides),
        ],
    )
}

/// The same credential in another form, unless it is another one by now.
pub(crate) fn reform_credential(principal: Guid, kind: &str, replaced: Vec<u8>, secret: Vec<u8>) -> Statement {
    statement(
        "UPDATE custodia_credential SET secret = $1 WHERE principalid = $2 AND kind = $3 AND secret = $4",
        vec![Parameter::Bytes(secret), guid(principal), text(kind), Parameter::Bytes(replaced)],
    )
}

/// All credentials of one kind.
pub(crate) fn delete_credentials(kind: &str) -> Statement {
    statement("DELETE FROM custodia_credential WHERE kind = $1", vec![text(kind)])
}

/// When credentials were set, each given by its principal and its kind: changed.
pub(crate) fn select_credential_times(of: &[(Guid, &str)]) -> Statement {
    let each = |place: usize| format!("(principalid = ${} AND kind = ${})", 2 * place + 1, 2 * place + 2);
    let any: Vec<_> = (0..of.len()).map(each).collect();
    let parameters = of.iter().flat_map(|(principal, kind)| [guid(*principal), text(kind)]).collect();
    read(&format!("SELECT changed FROM custodia_credential WHERE {}", any.join(" OR ")), parameters, &[Output::Integer])
}

/// Credentials of one kind of a principal: name, secret (bytes), changed.
pub(crate) fn select_credentials(principal: Guid, kind: &str) -> Statement {
    read(
        "SELECT name, secret, changed FROM custodia_credential WHERE principalid = $1 AND kind = $2 ORDER BY name",
        vec![guid(principal), text(kind)],
        &[Output::Text, Output::Text, Output::Integer],
    )
}

/// Credentials of one kind that were set since a moment: principal, changed.
pub(crate) fn select_changed_credentials(kind: &str, since: i64) -> Statement {
    read(
        "SELECT principalid, changed FROM custodia_credential WHERE kind = $1 AND changed >= $2",
        vec![text(kind), number(since)],
        &[Output::Guid, Output::Integer],
    )
}

pub(crate) fn upsert_setting(name: &str, value: Vec<u8>) -> Statement {
    statement(
        "INSERT INTO custodia_setting (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        vec![text(name), Parameter::Bytes(value)],
    )
}

/// One setting: its value (bytes).
pub(crate) fn select_setting(name: &str) -> Statement {
    read("SELECT value FROM custodia_setting WHERE name = $1", vec![text(name)], &[Output::Text])
}

/// Milliseconds between two looks of the server at whether the client of a statement is still there. A cancel that comes
/// before the server has begun with a statement ends nothing, and what was sent before the connection was closed would be
/// worked off for nobody.
const CLIENT_LOOKS_MS: u64 = 1_000;

/// What a page costs the planner that is read in order, and one that is not, beside 0.01 for a row: they are in memory, as those of
/// a CRM that is at work mostly are. PostgreSQL takes planning for cheap, and so plans a list anew each time where it believes
/// its pages dear: half of what the list takes, since its tables are wide.
const PAGE_COST: &str = "0.1";
const RANDOM_PAGE_COST: &str = "0.2";

/// What a new connection to PostgreSQL is told. A commit is answered when it is durable, whatever is set for the cluster, the
/// database or the user; how many more servers are to have it then stays theirs to say. So does what pages cost, once they say it.
pub(crate) fn postgres_session(statement_limit_ms: u64, stalled_limit_ms: u64) -> String {
    format!(
        "SET statement_timeout = {statement_limit_ms}; SET client_connection_check_interval = {CLIENT_LOOKS_MS}; \
         SET idle_in_transaction_session_timeout = {stalled_limit_ms}; SET jit = off; SET client_min_messages = warning; \
         SET plan_cache_mode = auto; SET timezone = 'UTC'; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SELECT set_config('seq_page_cost', '{PAGE_COST}', false), set_config('random_page_cost', '{RANDOM_PAGE_COST}', false) \
         FROM pg_settings WHERE name IN ('seq_page_cost', 'random_page_cost') AND source = 'default' HAVING count(*) = 2"
    )
}

/// `name` is one of ours: letters, digits and underscores.
pub(crate) fn create_database(name: &str) -> String {
    format!(
        "CREATE DATABASE \"{}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
        name.replace('"', "")
    )
}

/// Shows that a connection still stands.
pub(crate) const NOTHING: &str = "SELECT 1";

/// Whoever is connected to it is cut off.
pub(crate) fn drop_database(name: &str) -> String {
    format!("{} WITH (FORCE)", drop_unused_database(name))
}

/// Refused while somebody is connected to it.
pub(crate) fn drop_unused_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS \"{}\"", name.replace('"', ""))
}

pub(super) fn statement(sql: &str, parameters: Vec<Parameter>) -> Statement {
    Statement { sql: sql.to_owned(), parameters, ..Statement::default() }
}

pub(super) fn read(sql: &str, parameters: Vec<Parameter>, outputs: &[Output]) -> Statement {
    Statement { sql: sql.to_owned(), parameters, outputs: outputs.to_vec(), ..Statement::default() }
}

pub(super) fn number(n: i64) -> Parameter {
    Parameter::Value(Value::BigInt(n))
}

pub(super) fn small(n: i32) -> Parameter {
    Parameter::Value(Value::Integer(n))
}

pub(super) fn guid(id: Guid) -> Parameter {
    Parameter::Value(Value::Guid(id))
}

pub(super) fn text(value: &str) -> Parameter {
    Parameter::Value(Value::Text(value.to_owned()))
}
