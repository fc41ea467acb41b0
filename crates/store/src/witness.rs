//! The change log held against what SQLite itself saw change (decision 0001.1). For tests.

use std::collections::{BTreeMap, HashMap};

use custodia_schema::{ColumnId, Guid, Table, TableId, Value, fold};
use custodia_sqlite::session::{self, Operation};
use rusqlite::types::Value as Raw;

use crate::change_log::{Change, ChangeKind};
use crate::database::Database;
use crate::sql::content::{Layout, Part};
use crate::sqlite::{SqliteFile, raw_value};
use crate::{Error, Result};

type Values = BTreeMap<ColumnId, Value>;

/// What a stretch of the log did to a row in all.
enum Net {
    Made(Values),
    Changed(Values),
    Removed,
    /// Made and removed again.
    Nothing,
    /// Removed and made again.
    Remade(Values),
}

impl Database {
    /// Has SQLite watch, from now on, what changes in the record tables of an embedded database.
    ///
    /// # Errors
    /// When the database is not an embedded one, or SQLite refuses.
    pub fn watch(&self) -> Result<()> {
        let file = self.watched_file()?;
        session::watch(file.writer.lock().raw(), |table| !table.starts_with("custodia_"))
            .map_err(|error| Error::unavailable("watching a database", error))
    }

    /// Where the changes after number `after` of the log and what SQLite saw since [`Self::watch`] (or since the last
    /// call) contradict each other, in words; and how many rows both tell of. Nothing may be written meanwhile.
    ///
    /// # Errors
    /// When nobody watches; store errors.
    pub async fn contradictions(&self, after: i64) -> Result<(Vec<String>, usize)> {
        let seen = session::take_changes(self.watched_file()?.writer.lock().raw())
            .map_err(|error| Error::unavailable("asking SQLite what changed", error))?;
        let schema = self.schema();
        let mut logged = net(self.changes(after, u32::MAX).await?);
        let mut found = Vec::new();
        let mut agreed = 0;
        for change in seen {
            let Some(table) = schema.table_named(&change.table) else { continue };
            let key = match change.key().as_slice() {
                [Raw::Blob(bytes)] => Guid::from_slice(bytes).unwrap_or_default(),
                _ => Guid::nil(),
            };
            let before = found.len();
            match logged.remove(&(table.id, key)) {
                Some(net) => compare(table, key, &net, &change, &mut found),
                None => {
                    found.push(format!("{} {key}: {:?} that the log does not tell of", table.name, change.operation))
                }
            }
            agreed += usize::from(found.len() == before);
        }
        for ((table, row), net) in logged {
            let Some(table) = schema.table(table) else { continue };
            let seen_nothing_rightly = match net {
                Net::Nothing => true,
                // The version number of a row changes with each write of it.
                Net::Changed(_) | Net::Remade(_) => table.column("versionnumber").is_none(),
                Net::Made(_) | Net::Removed => false,
            };
            if !seen_nothing_rightly {
                found.push(format!("{} {row}: the log tells of a change that SQLite did not see", table.name));
            }
        }
        Ok((found, agreed))
    }

    fn watched_file(&self) -> Result<&SqliteFile> {
        let file = self.sqlite_file().map(AsRef::as_ref);
        file.ok_or_else(|| Error::Query("only an embedded database can be watched".to_owned()))
    }
}

/// The log's changes, row by row.
fn net(changes: Vec<Change>) -> HashMap<(TableId, Guid), Net> {
    let mut rows: HashMap<(TableId, Guid), Net> = HashMap::new();
    for change in changes.into_iter().filter(|change| change.kind != ChangeKind::CreateTable) {
        let key = (change.table, change.row);
        let values: Values = change.values.into_iter().collect();
        let over = |mut earlier: Values| {
            earlier.extend(values.clone());
            earlier
        };
        let now = match (rows.remove(&key), change.kind) {
            (None | Some(Net::Nothing), ChangeKind::Insert) => Net::Made(values),
            (Some(Net::Removed), ChangeKind::Insert) => Net::Remade(values),
            (Some(Net::Made(earlier)), ChangeKind::Update) => Net::Made(over(earlier)),
            (Some(Net::Remade(earlier)), ChangeKind::Update) => Net::Remade(over(earlier)),
            (Some(Net::Changed(earlier)), ChangeKind::Update) => Net::Changed(over(earlier)),
            (Some(Net::Made(_)), ChangeKind::Delete) => Net::Nothing,
            (_, ChangeKind::Delete) => Net::Removed,
            (_, _) => Net::Changed(values),
        };
        rows.insert(key, now);
    }
    rows
}

fn compare(table: &Table, row: Guid, net: &Net, seen: &session::Change, found: &mut Vec<String>) {
    let (values, whole) = match (net, seen.operation) {
        (Net::Made(values), Operation::Insert) | (Net::Remade(values), Operation::Update) => (values, true),
        (Net::Changed(values), Operation::Update) => (values, false),
        (Net::Removed, Operation::Delete) => return,
        _ => {
            found.push(format!("{} {row}: the log tells of another change than {:?}", table.name, seen.operation));
            return;
        }
    };
    let layout = Layout::made(table);
    if layout.columns.len() != seen.new.len() {
        found.push(format!("{} has {} columns, not {}", table.name, seen.new.len(), layout.columns.len()));
        return;
    }
    for (column, new) in layout.columns.iter().zip(&seen.new) {
        let (Part::Value(number) | Part::Fold(number) | Part::Target(number)) = column.part;
        let logged = values.get(&ColumnId(number));
        let told = whole || logged.is_some();
        let value = logged.unwrap_or(&Value::Null);
        let expected = match column.part {
            Part::Value(_) => raw_value(value),
            Part::Fold(_) => match value {
                Value::Text(text) => Raw::Text(fold(text)),
                _ => Raw::Null,
            },
            Part::Target(_) => match value {
                Value::Lookup(target, _) => Raw::Integer(i64::from(target.0)),
                _ => Raw::Null,
            },
        };
        // What SQLite does not show is as it was before.
        let Some(new) = new else { continue };
        if !told {
            found.push(format!("{} {row}: column {} changed and the log does not tell", table.name, column.name));
        } else if *new != expected {
            found.push(format!("{} {row}: column {} is {new:?}, the log tells {expected:?}", table.name, column.name));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::site::{Dice, Engine, Site, Step, account, random_history, table, values, write};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_log_tells_of_every_change_and_of_no_other() {
        let site = Site::new(Engine::Sqlite).await;
        let database = site.organization("demo").await;
        database.watch().unwrap();
        let rounds = 4 * custodia_testbed::effort();
        let mut compared = 0;
        for seed in 0..u64::from(rounds) {
            let before = database.head().await.unwrap().number;
            random_history(&database, 40, &Dice::new(seed)).await;
            let (found, agreed) = database.contradictions(before).await.unwrap();
            assert_eq!(found, Vec::<String>::new());
            compared += agreed;
        }
        assert!(compared > 15 * rounds as usize, "{compared} rows compared");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_bypasses_the_log_is_found() {
        let site = Site::new(Engine::Sqlite).await;
        let database = site.organization("demo").await;
        let (one, two) = (Guid::from_u128(1), Guid::from_u128(2));
        write(&database, vec![account(&database, one, "A"), account(&database, two, "B")]).await.unwrap();
        database.watch().unwrap();
        let accounts = table(&database, "account");
        let name = |name: &str| values(&accounts, &[("name", Value::Text(name.into()))]);
        let run = |sql: &str| database.sqlite_file().unwrap().writer.lock().run(sql).unwrap();
        let before = database.head().await.unwrap().number;
        let mut next = before;
        for (bypass, expected) in [
            ("UPDATE account SET fax = '1' WHERE name = 'A'", "that the log does not tell of"),
            ("DELETE FROM account WHERE name = 'B'", "that the log does not tell of"),
        ] {
            run(bypass);
            let (found, agreed) = database.contradictions(next).await.unwrap();
            assert!(found.len() == 1 && found[0].contains(expected) && agreed == 0, "{found:?}");
        }
        for (bypass, expected) in [
            ("UPDATE account SET fax = '2'", "column fax changed"),
            ("UPDATE account SET name__f = 'other'", "column name__f is"),
            ("UPDATE account SET name = 'other'", "column name is"),
            (
                "UPDATE custodia_change SET tableid = 2 WHERE number = (SELECT max(number) FROM custodia_change)",
                "did not see",
            ),
        ] {
            write(&database, vec![Step::Update(accounts.clone(), one, name(expected))]).await.unwrap();
            run(bypass);
            let (found, _) = database.contradictions(next).await.unwrap();
            assert!(found.iter().any(|text| text.contains(expected)), "{bypass}: {found:?}");
            next = database.head().await.unwrap().number;
        }
    }
}
