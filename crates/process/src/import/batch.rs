//! A batch of rows becomes records: links are found, what exists is read, what differs is written, many requests at once.

use std::collections::{HashMap, HashSet};
use std::io;

use custodia_org::{Caller, Input, Organization, Precondition, RecordInput, Reference, RowKey, Rows, StoreError};
use custodia_query::Query;
use custodia_schema::{Column, ColumnId, ColumnKind, Guid, Ownership, Value, fold};
use futures::StreamExt;

use super::columns::IMPORT_ALONE;
use super::convert::is_same;
use super::csv_file::Row;
use super::lookup::{Finder, Found, Wanted, any_of};
use super::mapping::{Identity, Import};
use super::rows::{Given, Key, Outline, Pass, Planned};

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    Unchanged,
    Skipped,
    Failed(String),
}

/// Rows, by their places in the batch, that are about to make or change a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intended {
    pub creating: Vec<u32>,
    pub updating: Vec<u32>,
}

/// Why no more rows can be brought in for now.
#[derive(Debug)]
pub(super) enum Halt {
    Gate(custodia_org::Error),
    Journal(io::Error),
}

impl From<custodia_org::Error> for Halt {
    fn from(error: custodia_org::Error) -> Self {
        Self::Gate(error)
    }
}

/// Brings batches in.
pub(super) struct Writer<'a> {
    pub organization: &'a Organization,
    pub caller: &'a Caller,
    pub import: &'a Import,
    /// Requests under way at the same time.
    pub in_flight: usize,
    pub finder: Finder,
}

/// A row whose links are found.
struct Resolved {
    key: Key,
    /// The key as something that can be looked up and compared.
    key_text: String,
    columns: Vec<(ColumnId, Value)>,
    /// Of the columns that are links, what the row says of their records.
    links: Vec<(ColumnId, Guid, Wanted)>,
}

/// A record as it is.
struct Existing {
    id: Guid,
    /// In the order of [`Writer::compared`].
    values: Vec<Value>,
}

/// One request.
enum Request {
    Create { at: usize, key: RowKey, columns: Vec<(ColumnId, Input)> },
    Update { at: usize, id: Guid, columns: Vec<(ColumnId, Input)> },
}

impl Writer<'_> {
    /// Brings rows in; gives their outcomes in the same order. `before_write` is told what is about to be written, before
    /// it is; it may be told several times, and adds up.
    pub async fn bring_in(
        &mut self,
        rows: &[Row],
        positions: &[usize],
        width: usize,
        pass: Pass,
        before_write: &mut (dyn FnMut(&Intended) -> io::Result<()> + Send),
    ) -> Result<Vec<Outcome>, Halt> {
        let outlines: Vec<_> = rows.iter().map(|row| self.import.plan(row, positions, width, pass)).collect();
        let mut outcomes = vec![Outcome::Unchanged; rows.len()];
        let resolved = self.resolve(outlines, &mut outcomes).await?;

        // Rows of the same record go one after the other, the others together.
        let mut last: HashMap<&str, usize> = HashMap::new();
        let mut pending: Vec<usize> = (0..rows.len()).collect();
        while !pending.is_empty() {
            let mut wave: Vec<(usize, &Resolved)> = Vec::new();
            let mut taken: HashSet<&str> = HashSet::new();
            let mut rest = Vec::new();
            for at in pending {
                let Some(Some(row)) = resolved.get(at) else { continue };
                let key = row.key_text.as_str();
                let before = last.get(key).copied();
                let repeats = before.and_then(|at| resolved.get(at)).and_then(Option::as_ref);
                if taken.contains(key) {
                    rest.push(at);
                } else if repeats.is_some_and(|earlier| earlier.columns == row.columns) {
                    let outcome = match before.and_then(|at| outcomes.get(at)) {
                        Some(Outcome::Failed(why)) => Outcome::Failed(why.clone()),
                        _ => Outcome::Unchanged,
                    };
                    put(&mut outcomes, at, outcome);
                } else {
                    taken.insert(key);
                    wave.push((at, row));
                }
            }
            self.write(&wave, pass, &mut outcomes, before_write).await?;
            last.extend(wave.iter().map(|(at, row)| (row.key_text.as_str(), *at)));
            pending = rest;
        }
        Ok(outcomes)
    }

    /// Finds the links of all rows.
    async fn resolve(
        &mut self,
        outlines: Vec<Outline>,
        outcomes: &mut [Outcome],
    ) -> Result<Vec<Option<Resolved>>, Halt> {
        let links = |planned: &Planned| {
            let links = planned.columns.iter().filter_map(|(_, given)| match given {
                Given::Link { wanted, .. } => Some(wanted.clone()),
                Given::Value(_) => None,
            });
            links.collect::<Vec<_>>()
        };
        let wanted = outlines.iter().flat_map(|outline| match outline {
            Outline::Planned(planned) => links(planned),
            _ => Vec::new(),
        });
        let found = self.finder.find(self.organization, self.caller, &self.import.lookups, wanted.collect()).await?;
        let resolved = outlines.into_iter().enumerate().map(|(at, outline)| match outline {
            Outline::Skipped => {
                put(outcomes, at, Outcome::Skipped);
                None
            }
            Outline::Faulty(why) => {
                put(outcomes, at, Outcome::Failed(why));
                None
            }
            Outline::Planned(planned) => match self.linked(planned, &found) {
                Ok(resolved) => Some(resolved),
                Err(why) => {
                    put(outcomes, at, Outcome::Failed(why));
                    None
                }
            },
        });
        Ok(resolved.collect())
    }

    fn linked(&self, planned: Planned, found: &HashMap<Wanted, Found>) -> Result<Resolved, String> {
        let mut columns = Vec::with_capacity(planned.columns.len());
        let mut links = Vec::new();
        for (column, given) in planned.columns {
            match given {
                Given::Value(value) => columns.push((column, value)),
                Given::Link { wanted, may_miss } => {
                    let table = self.import.lookups.get(wanted.lookup).map(|lookup| lookup.table);
                    match (found.get(&wanted), table) {
                        (Some(Found::Record(id)), Some(table)) => {
                            columns.push((column, Value::Lookup(table, *id)));
                            links.push((column, *id, wanted));
                        }
                        _ if may_miss => {}
                        (Some(Found::Not(why)), _) => return Err(format!("{}: {why}", self.name_of(column))),
                        _ => return Err(format!("{}: the record was not looked for", self.name_of(column))),
                    }
                }
            }
        }
        Ok(Resolved { key_text: key_text(&planned.key), key: planned.key, columns, links })
    }

    fn name_of(&self, column: ColumnId) -> &str {
        self.import.column(column).map_or("", |column| column.name.as_str())
    }

    /// Writes rows of different records, all at once.
    async fn write(
        &self,
        wave: &[(usize, &Resolved)],
        pass: Pass,
        outcomes: &mut [Outcome],
        before_write: &mut (dyn FnMut(&Intended) -> io::Result<()> + Send),
    ) -> Result<(), Halt> {
        let existing = self.existing(wave).await?;
        let compared = self.compared();
        let mut requests = Vec::with_capacity(wave.len());
        let mut intended = Intended::default();
        for (at, row) in wave {
            let number = u32::try_from(*at).unwrap_or(u32::MAX);
            match existing.get(&row.key_text) {
                // A row that failed in the first pass has nothing to be completed.
                None if pass == Pass::Second => {}
                None => {
                    intended.creating.push(number);
                    // A cell that clears its column clears what a new record would have of itself, too.
                    let columns = row.columns.iter().filter(|(column, value)| {
                        !value.is_null() || self.import.column(*column).is_some_and(has_default)
                    });
                    let key = self.row_key(&row.key);
                    requests.push(Request::Create { at: *at, key, columns: inputs(columns) });
                }
                Some(existing) => {
                    let changed = row.columns.iter().filter(|(column, value)| {
                        let stored = compared.iter().position(|known| known == column);
                        let stored = stored.and_then(|at| existing.values.get(at));
                        stored.is_some_and(|stored| !is_same(value, stored))
                    });
                    let columns = inputs(changed);
                    if !columns.is_empty() {
                        intended.updating.push(number);
                        requests.push(Request::Update { at: *at, id: existing.id, columns });
                    }
                }
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        before_write(&intended).map_err(Halt::Journal)?;
        let answers: Vec<_> = futures::stream::iter(requests)
            .map(|request| self.send(request))
            .buffer_unordered(self.in_flight.max(1))
            .collect()
            .await;
        for (at, answer) in answers {
            match answer {
                Ok(outcome) => put(outcomes, at, outcome),
                Err(error) => {
                    let row = wave.iter().find(|(number, _)| *number == at).map(|(_, row)| *row);
                    put(outcomes, at, Outcome::Failed(self.fault_of_row(row, error)?));
                }
            }
        }
        Ok(())
    }

    async fn send(&self, request: Request) -> (usize, custodia_org::Result<Outcome>) {
        let table = self.import.table.id;
        match request {
            Request::Create { at, key, columns } => {
                let id = match key {
                    RowKey::Id(id) => Some(id),
                    RowKey::Alternate(_) => None,
                };
                let input = RecordInput { table, id, columns };
                // It was not there a moment ago, so this is one look less than an upsert.
                match self.organization.create(self.caller, input.clone()).await {
                    Ok(_) => (at, Ok(Outcome::Created)),
                    // Made meanwhile, such as by what was under way yet of an import that was cut off.
                    Err(error) if is_there(&key, &error) => {
                        let target = Reference { table, key };
                        let answer = self.organization.upsert(self.caller, target, input, Precondition::None).await;
                        (at, answer.map(|upserted| if upserted.created { Outcome::Created } else { Outcome::Updated }))
                    }
                    Err(error) => (at, Err(error)),
                }
            }
            Request::Update { at, id, columns } => {
                let input = RecordInput { table, id: Some(id), columns };
                let target = Reference::id(table, id);
                let answer = self.organization.update(self.caller, target, input, Precondition::Exists).await;
                (at, answer.map(|_| Outcome::Updated))
            }
        }
    }

    /// The columns of the table that name a row's record.
    fn key_columns(&self) -> &[ColumnId] {
        match &self.import.identity {
            Identity::External { .. } | Identity::Record { .. } => std::slice::from_ref(&self.import.table.primary_id),
            Identity::Alternate { columns } => columns,
        }
    }

    /// A key as the gate takes it.
    fn row_key(&self, key: &Key) -> RowKey {
        match key {
            Key::Id(id) => RowKey::Id(*id),
            Key::Alternate(values) => {
                RowKey::Alternate(self.key_columns().iter().copied().zip(values.iter().cloned()).collect())
            }
        }
    }

    /// Why a row is not brought in, in words.
    ///
    /// # Errors
    /// The store is not available, or not for this organisation: that is no fault of the row.
    fn fault_of_row(&self, row: Option<&Resolved>, error: custodia_org::Error) -> Result<String, Halt> {
        match error {
            // Some links are not looked up: where they lead, the gate finds out.
            custodia_org::Error::NotFound { id, .. } => {
                let link = row.and_then(|row| row.links.iter().find(|(_, target, _)| *target == id));
                let told = link.and_then(|(column, _, wanted)| {
                    let lookup = self.import.lookups.get(wanted.lookup)?;
                    Some(format!("{}: {}", self.name_of(*column), lookup.nothing_for(wanted)))
                });
                Ok(told.unwrap_or_else(|| error.to_string()))
            }
            // Activities of all kinds have their ids from one set.
            custodia_org::Error::Store(StoreError::DuplicateId { table, id }) if table != self.import.table.id => {
                let advice = match self.import.identity {
                    Identity::External { .. } => {
                        ": another import made it of the same key under the same `name`; give each table's mapping a `name` of \
                         its own"
                    }
                    Identity::Record { .. } | Identity::Alternate { .. } => "",
                };
                Ok(format!("a record of another kind has the id {id} already{advice}"))
            }
            custodia_org::Error::Store(error @ (StoreError::DuplicateId { .. } | StoreError::TooLargeNumber)) => {
                Ok(error.to_string())
            }
            error @ custodia_org::Error::Store(_) => Err(Halt::Gate(error)),
            error => Ok(error.to_string()),
        }
    }

    /// The columns in which a record may come to differ from its row. What is set only when a record is made does not count.
    fn compared(&self) -> Vec<ColumnId> {
        let of_business = self.import.table.ownership == Ownership::Business;
        let columns = self.import.columns.iter().map(|rules| &rules.column);
        columns
            .filter(|column| column.readable)
            .filter(|column| column.updatable || of_business || IMPORT_ALONE.contains(&column.name.as_str()))
            .map(|column| column.id)
            .collect()
    }

    /// The records there are, by the text of their key.
    async fn existing(&self, wave: &[(usize, &Resolved)]) -> Result<HashMap<String, Existing>, Halt> {
        if wave.is_empty() {
            return Ok(HashMap::new());
        }
        let table = &self.import.table;
        let key_columns = self.key_columns();
        let keys: Vec<Vec<Value>> = wave
            .iter()
            .map(|(_, row)| match &row.key {
                Key::Id(id) => vec![Value::Guid(*id)],
                Key::Alternate(values) => values.clone(),
            })
            .collect();
        let compared = self.compared();
        let filter = any_of(key_columns, &keys);
        let query = Query { filter, ..Query::of(table, u32::try_from(keys.len()).unwrap_or(u32::MAX)) }
            .showing(key_columns.iter().copied().chain(compared.iter().copied()));
        let mut rows = Rows::default();
        self.organization.query(self.caller, &query, &mut rows).await?;
        let mut existing = HashMap::with_capacity(rows.rows.len());
        for row in rows.rows {
            let mut values = row.into_iter();
            let Some(id) = values.next().as_ref().and_then(Value::guid) else { continue };
            let key: Vec<_> = values.by_ref().take(key_columns.len()).collect();
            let key = match &self.import.identity {
                Identity::External { .. } | Identity::Record { .. } => Key::Id(id),
                Identity::Alternate { .. } => Key::Alternate(key),
            };
            existing.insert(key_text(&key), Existing { id, values: values.collect() });
        }
        Ok(existing)
    }
}

/// Whether a record of that key has been made meanwhile.
fn is_there(key: &RowKey, error: &custodia_org::Error) -> bool {
    use custodia_org::Error::{Duplicate, DuplicateKey, Store};
    match key {
        RowKey::Id(_) => matches!(error, Duplicate { .. } | Store(StoreError::DuplicateId { .. })),
        RowKey::Alternate(_) => matches!(error, DuplicateKey { .. }),
    }
}

/// Whether a new record has a value in a column that it was not given.
fn has_default(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Choice { default: Some(_), .. } | ColumnKind::Boolean { .. })
}

fn put(outcomes: &mut [Outcome], at: usize, outcome: Outcome) {
    if let Some(place) = outcomes.get_mut(at) {
        *place = outcome;
    }
}

fn inputs<'v>(columns: impl Iterator<Item = &'v (ColumnId, Value)>) -> Vec<(ColumnId, Input)> {
    columns.map(|(column, value)| (*column, Input::Value(value.clone()))).collect()
}

/// A key as text: the same for keys that name the same record.
fn key_text(key: &Key) -> String {
    match key {
        Key::Id(id) => id.to_string(),
        Key::Alternate(values) => {
            let parts = values.iter().map(|value| match value {
                Value::Text(text) => fold(text),
                Value::Integer(number) => number.to_string(),
                Value::BigInt(number) => number.to_string(),
                Value::Guid(id) | Value::Lookup(_, id) => id.to_string(),
                other => format!("{other:?}"),
            });
            parts.collect::<Vec<_>>().join("\u{1f}")
        }
    }
}
