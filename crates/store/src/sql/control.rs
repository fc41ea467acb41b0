//! Statements on the control database: which organisations exist, where and in what state. Both dialects number their
//! placeholders `$1`, `$2`, … in the order of first use, which SQLite takes as positions too.

use custodia_schema::{Guid, Value};

use super::{Dialect, Output, Parameter, Statement};

/// One organisation, as it is stored.
pub(crate) struct OrganizationRow<'r> {
    pub id: Guid,
    pub name: &'r str,
    pub display_name: &'r str,
    pub state: &'r str,
    pub created: i64,
    pub epoch: i64,
    pub database: &'r str,
    pub wrapped_key: Vec<u8>,
}

/// The control database's tables.
pub(crate) fn create(dialect: Dialect) -> Vec<String> {
    let (guid, bytes) = match dialect {
        Dialect::Sqlite => ("BLOB", "BLOB"),
        Dialect::Postgres => ("uuid", "bytea"),
    };
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS custodia_organization (id {guid} NOT NULL PRIMARY KEY, name text NOT NULL UNIQUE, \
             display_name text NOT NULL, state text NOT NULL, created bigint NOT NULL, epoch bigint NOT NULL, \
             database_name text NOT NULL, wrapped_key {bytes} NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS custodia_destroyed (id {guid} NOT NULL PRIMARY KEY, name text NOT NULL, \
             destroyed bigint NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS custodia_organization_limit (organization {guid} NOT NULL, name text NOT NULL, \
             value bigint NOT NULL, PRIMARY KEY (organization, name))"
        ),
        format!("CREATE TABLE IF NOT EXISTS custodia_secret (name text NOT NULL PRIMARY KEY, sealed {bytes} NOT NULL)"),
        format!(
            "CREATE TABLE IF NOT EXISTS custodia_spare_database (name text NOT NULL PRIMARY KEY, \
             organization {guid} NOT NULL, noted bigint NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS custodia_job_mark (id {guid} NOT NULL PRIMARY KEY, marked bigint NOT NULL)"
        ),
    ]
}

/// All organisations by name: id, name, display name, state, created, epoch, database, wrapped key (bytes).
pub(crate) fn select_organizations() -> Statement {
    Statement {
        sql: "SELECT id, name, display_name, state, created, epoch, database_name, wrapped_key \
              FROM custodia_organization ORDER BY name"
            .to_owned(),
        outputs: vec![
            Output::Guid,
            Output::Text,
            Output::Text,
            Output::Text,
            Output::Integer,
            Output::Integer,
            Output::Text,
            Output::Text,
        ],
        ..Statement::default()
    }
}

/// The limits that organisations have of their own: organisation, name, value.
pub(crate) fn select_limits() -> Statement {
    Statement {
        sql: "SELECT organization, name, value FROM custodia_organization_limit".to_owned(),
        outputs: vec![Output::Guid, Output::Text, Output::Integer],
        ..Statement::default()
    }
}

pub(crate) fn upsert_limit(id: Guid, name: &str, value: i64) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_organization_limit (organization, name, value) VALUES ($1, $2, $3) \
              ON CONFLICT (organization, name) DO UPDATE SET value = excluded.value"
            .to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), text(name), Parameter::Value(Value::BigInt(value))],
        ..Statement::default()
    }
}

pub(crate) fn delete_limit(id: Guid, name: &str) -> Statement {
    Statement {
        sql: "DELETE FROM custodia_organization_limit WHERE organization = $1 AND name = $2".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), text(name)],
        ..Statement::default()
    }
}

pub(crate) fn delete_limits(id: Guid) -> Statement {
    Statement {
        sql: "DELETE FROM custodia_organization_limit WHERE organization = $1".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id))],
        ..Statement::default()
    }
}

pub(crate) fn insert_organization(row: OrganizationRow<'_>) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_organization \
              (id, name, display_name, state, created, epoch, database_name, wrapped_key) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            .to_owned(),
        parameters: vec![
            Parameter::Value(Value::Guid(row.id)),
            text(row.name),
            text(row.display_name),
            text(row.state),
            Parameter::Value(Value::BigInt(row.created)),
            Parameter::Value(Value::BigInt(row.epoch)),
            text(row.database),
            Parameter::Bytes(row.wrapped_key),
        ],
        ..Statement::default()
    }
}

/// Changes the state of an organisation, if it is in the one and has the database that whoever asks knows.
pub(crate) fn update_organization_state(id: Guid, database: &str, known: &str, state: &str) -> Statement {
    Statement {
        sql: "UPDATE custodia_organization SET state = $1 WHERE id = $2 AND database_name = $3 AND state = $4"
            .to_owned(),
        parameters: vec![text(state), Parameter::Value(Value::Guid(id)), text(database), text(known)],
        ..Statement::default()
    }
}

/// Takes an organisation that is still being made, to remove it: whoever makes it cannot open it any more. The epoch 0, which
/// none has otherwise, says for as long as it is there that it was never in use.
pub(crate) fn take_half_made(id: Guid, database: &str) -> Statement {
    Statement {
        sql: "UPDATE custodia_organization SET state = 'deleting', epoch = 0 \
              WHERE id = $1 AND database_name = $2 AND state = 'creating'"
            .to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), text(database)],
        ..Statement::default()
    }
}

/// A restore gives an organisation another database with another key, and a new epoch: if it has the database that is
/// replaced, and is not being destroyed.
pub(crate) fn update_organization_place(
    id: Guid,
    replaced: &str,
    database: &str,
    epoch: i64,
    wrapped_key: Vec<u8>,
) -> Statement {
    Statement {
        sql: "UPDATE custodia_organization SET database_name = $1, epoch = $2, wrapped_key = $3 \
              WHERE id = $4 AND database_name = $5 AND state <> 'deleting'"
            .to_owned(),
        parameters: vec![
            text(database),
            Parameter::Value(Value::BigInt(epoch)),
            Parameter::Bytes(wrapped_key),
            Parameter::Value(Value::Guid(id)),
            text(replaced),
        ],
        ..Statement::default()
    }
}

/// Remembers that an organisation was destroyed, so that none of its backups is restored.
pub(crate) fn insert_destroyed(id: Guid, name: &str, destroyed: i64) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_destroyed (id, name, destroyed) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"
            .to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), text(name), Parameter::Value(Value::BigInt(destroyed))],
        ..Statement::default()
    }
}

/// The name that a destroyed organisation had.
pub(crate) fn select_destroyed(id: Guid) -> Statement {
    Statement {
        sql: "SELECT name FROM custodia_destroyed WHERE id = $1".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id))],
        outputs: vec![Output::Text],
        ..Statement::default()
    }
}

/// Only with that database: restored, an organisation has another one under the same id.
pub(crate) fn delete_organization(id: Guid, database: &str) -> Statement {
    Statement {
        sql: "DELETE FROM custodia_organization WHERE id = $1 AND database_name = $2".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), text(database)],
        ..Statement::default()
    }
}

/// Organisations that may have jobs: id, when that was noted last.
pub(crate) fn select_job_marks() -> Statement {
    Statement {
        sql: "SELECT id, marked FROM custodia_job_mark ORDER BY id".to_owned(),
        outputs: vec![Output::Guid, Output::Integer],
        ..Statement::default()
    }
}

pub(crate) fn upsert_job_mark(id: Guid, marked: i64) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_job_mark (id, marked) VALUES ($1, $2) \
              ON CONFLICT (id) DO UPDATE SET marked = excluded.marked"
            .to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), Parameter::Value(Value::BigInt(marked))],
        ..Statement::default()
    }
}

/// Only a mark that nobody renewed.
pub(crate) fn delete_job_mark(id: Guid, marked: i64) -> Statement {
    Statement {
        sql: "DELETE FROM custodia_job_mark WHERE id = $1 AND marked = $2".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id)), Parameter::Value(Value::BigInt(marked))],
        ..Statement::default()
    }
}

/// Databases that are no organisation's, or may not be: name, organisation, when that was noted last.
pub(crate) fn select_spare_databases() -> Statement {
    Statement {
        sql: "SELECT name, organization, noted FROM custodia_spare_database ORDER BY name".to_owned(),
        outputs: vec![Output::Text, Output::Guid, Output::Integer],
        ..Statement::default()
    }
}

/// The database of an organisation, which nobody changes before the end of the transaction. It fails where somebody else has it
/// locked.
pub(crate) fn select_database_locked(id: Guid) -> Statement {
    Statement {
        sql: "SELECT database_name FROM custodia_organization WHERE id = $1 FOR UPDATE NOWAIT".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id))],
        outputs: vec![Output::Text],
        ..Statement::default()
    }
}

/// A row for each client that is connected to a database of PostgreSQL; what the server itself does there counts for none.
pub(crate) fn select_connected(database: &str) -> Statement {
    Statement {
        sql: "SELECT pid FROM pg_stat_activity WHERE datname::text = $1 AND usesysid IS NOT NULL".to_owned(),
        parameters: vec![text(database)],
        outputs: vec![Output::Integer],
        ..Statement::default()
    }
}

pub(crate) fn upsert_spare_database(name: &str, organization: Guid, noted: i64) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_spare_database (name, organization, noted) VALUES ($1, $2, $3) \
              ON CONFLICT (name) DO UPDATE SET noted = excluded.noted"
            .to_owned(),
        parameters: vec![
            text(name),
            Parameter::Value(Value::Guid(organization)),
            Parameter::Value(Value::BigInt(noted)),
        ],
        ..Statement::default()
    }
}

/// Only what nobody noted again.
pub(crate) fn delete_spare_database(name: &str, noted: i64) -> Statement {
    Statement {
        sql: "DELETE FROM custodia_spare_database WHERE name = $1 AND noted <= $2".to_owned(),
        parameters: vec![text(name), Parameter::Value(Value::BigInt(noted))],
        ..Statement::default()
    }
}

pub(crate) fn select_secret(name: &str) -> Statement {
    Statement {
        sql: "SELECT sealed FROM custodia_secret WHERE name = $1".to_owned(),
        parameters: vec![text(name)],
        outputs: vec![Output::Text],
        ..Statement::default()
    }
}

pub(crate) fn upsert_secret(name: &str, sealed: Vec<u8>) -> Statement {
    Statement {
        sql: "INSERT INTO custodia_secret (name, sealed) VALUES ($1, $2) \
              ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed"
            .to_owned(),
        parameters: vec![text(name), Parameter::Bytes(sealed)],
        ..Statement::default()
    }
}

fn text(value: &str) -> Parameter {
    Parameter::Value(Value::Text(value.to_owned()))
}
