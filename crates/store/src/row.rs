//! A row as an engine gives it, read by position.

use std::sync::Arc;

use custodia_access::Mask;
use custodia_schema::{Decimal, Guid, Money, Value, ValueRef};

use crate::sql::Output;
use crate::{Error, Result};

/// One row of a running statement. Borrowed from the engine: read it, do not keep it.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    source: Source<'a>,
    outputs: &'a [Output],
    /// What shows of the outputs that are masked, by position; those that are not here do not show.
    masked: &'a [(usize, Option<String>)],
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// Takes the rows of a read, one by one. Writing into a buffer is the intended use.
pub trait RowSink: Send {
    /// Takes one row.
    fn row(&mut self, row: &Row<'_>);
}

impl<F: FnMut(&Row<'_>) + Send> RowSink for F {
    fn row(&mut self, row: &Row<'_>) {
        self(row);
    }
}

/// A sink that can begin anew: the rows that it took came from a read that was given up, or no longer fit the caller's rights.
pub trait Restart: RowSink {
    /// Throws away every row taken so far.
    fn restart(&mut self);
}

/// Gathers in memory what is made of each row: for the few rows that the store itself needs.
pub(crate) struct Gathered<T, R> {
    read: R,
    found: Vec<T>,
    damaged: bool,
}

/// What is made of a row depends on nothing but the row: they may come anew.
impl<T, R: Fn(&Row<'_>) -> Option<T>> Gathered<T, R> {
    pub(crate) fn by(read: R) -> Self {
        Self { read, found: Vec::new(), damaged: false }
    }

    /// What was made of the rows.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when nothing could be made of one of them.
    pub(crate) fn finish(self) -> Result<Vec<T>> {
        if self.damaged {
            return Err(Error::Corrupt("a row of the store's own tables cannot be read".to_owned()));
        }
        Ok(self.found)
    }
}

impl<T: Send, R: Fn(&Row<'_>) -> Option<T> + Send> RowSink for Gathered<T, R> {
    fn row(&mut self, row: &Row<'_>) {
        match (self.read)(row) {
            Some(value) => self.found.push(value),
            None => self.damaged = true,
        }
    }
}

impl<T: Send, R: Fn(&Row<'_>) -> Option<T> + Send> Restart for Gathered<T, R> {
    fn restart(&mut self) {
        self.found.clear();
        self.damaged = false;
    }
}

/// Takes the number that a count answers with.
#[derive(Default)]
pub(crate) struct Number(pub Option<i64>);

impl RowSink for Number {
    fn row(&mut self, row: &Row<'_>) {
        self.0 = row.integer(0);
    }
}

impl Restart for Number {
    fn restart(&mut self) {
        self.0 = None;
    }
}

/// Counts the rows that it hands on.
pub(crate) struct Counting<'s> {
    sink: &'s mut dyn Restart,
    pub rows: u64,
}

impl<'s> Counting<'s> {
    pub(crate) fn new(sink: &'s mut dyn Restart) -> Self {
        Self { sink, rows: 0 }
    }
}

impl RowSink for Counting<'_> {
    fn row(&mut self, row: &Row<'_>) {
        self.rows += 1;
        self.sink.row(row);
    }
}

impl Restart for Counting<'_> {
    fn restart(&mut self) {
        self.rows = 0;
        self.sink.restart();
    }
}

/// Hands on the groups of an aggregation, as long as they were not made of too many rows: how many there were stands beside
/// each.
pub(crate) struct Groups<'s> {
    sink: &'s mut dyn Restart,
    rows_max: u32,
    /// Rows that the groups were made of.
    pub rows: i64,
    /// Groups handed on.
    pub answered: u64,
}

impl<'s> Groups<'s> {
    pub(crate) fn new(sink: &'s mut dyn Restart, rows_max: u32) -> Self {
        Self { sink, rows_max, rows: 0, answered: 0 }
    }

    /// Whether there were more rows than may be aggregated.
    pub(crate) fn is_of_too_many(&self) -> bool {
        self.rows > i64::from(self.rows_max)
    }
}

impl RowSink for Groups<'_> {
    fn row(&mut self, row: &Row<'_>) {
        self.rows = row.len().checked_sub(1).and_then(|last| row.integer(last)).unwrap_or(i64::MAX);
        if !self.is_of_too_many() {
            self.answered += 1;
            self.sink.row(&row.without_last());
        }
    }
}

impl Restart for Groups<'_> {
    fn restart(&mut self) {
        (self.rows, self.answered) = (0, 0);
        self.sink.restart();
    }
}

/// Hands rows on with what shows of their masked outputs.
pub(crate) struct Masking<'s> {
    masks: &'s [(usize, Arc<Mask>)],
    sink: &'s mut dyn Restart,
}

impl<'s> Masking<'s> {
    pub(crate) fn new(masks: &'s [(usize, Arc<Mask>)], sink: &'s mut dyn Restart) -> Self {
        Self { masks, sink }
    }
}

impl RowSink for Masking<'_> {
    fn row(&mut self, row: &Row<'_>) {
        let shown = |(at, mask): &(usize, Arc<Mask>)| match row.stored(*at, Output::Text) {
            ValueRef::Text(text) => (*at, Some(mask.apply(text))),
            _ => (*at, None),
        };
        let masked: Vec<_> = self.masks.iter().map(shown).collect();
        self.sink.row(&Row { source: row.source, outputs: row.outputs, masked: &masked });
    }
}

impl Restart for Masking<'_> {
    fn restart(&mut self) {
        self.sink.restart();
    }
}

impl<'a> Row<'a> {
    pub(crate) fn sqlite(row: &'a rusqlite::Row<'a>, outputs: &'a [Output]) -> Self {
        Self { source: Source::Sqlite(row), outputs, masked: &[] }
    }

    pub(crate) fn postgres(row: &'a tokio_postgres::Row, outputs: &'a [Output]) -> Self {
        Self { source: Source::Postgres(row), outputs, masked: &[] }
    }

    /// The row without its last value.
    pub(crate) fn without_last(&self) -> Self {
        Self { outputs: self.outputs.split_last().map_or(&[], |(_, before)| before), ..*self }
    }

    /// How many values the row has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether the row has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// The value at a position; null where there is none or where the stored bytes do not fit the column's type
    /// (the integrity check of `custodia backup` reports such rows).
    #[must_use]
    pub fn get(&self, at: usize) -> ValueRef<'_> {
        let Some(output) = self.outputs.get(at) else { return ValueRef::Null };
        if *output == Output::Masked {
            let shown = self.masked.iter().find(|(of, _)| *of == at).and_then(|(_, shown)| shown.as_deref());
            return shown.map_or(ValueRef::Null, ValueRef::Text);
        }
        self.stored(at, *output)
    }

    /// The value at a position as it is stored.
    fn stored(&self, at: usize, output: Output) -> ValueRef<'_> {
        match &self.source {
            Source::Sqlite(row) => sqlite_value(row, at, output),
            Source::Postgres(row) => postgres_value(row, at, output),
        }
    }

    /// Whether the value at a position is shown masked: it is then no value of the record.
    #[must_use]
    pub fn is_masked(&self, at: usize) -> bool {
        self.outputs.get(at) == Some(&Output::Masked)
    }

    /// The GUID at a position, if there is one.
    #[must_use]
    pub fn guid(&self, at: usize) -> Option<Guid> {
        match self.get(at) {
            ValueRef::Guid(id) => Some(id),
            _ => None,
        }
    }

    /// The integer at a position, if there is one.
    #[must_use]
    pub fn integer(&self, at: usize) -> Option<i64> {
        match self.get(at) {
            ValueRef::Integer(n) => Some(n),
            _ => None,
        }
    }

    /// The text at a position, if there is one.
    #[must_use]
    pub fn text(&self, at: usize) -> Option<&str> {
        match self.get(at) {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes at a position, for the store's own tables.
    pub(crate) fn bytes(&self, at: usize) -> Option<&[u8]> {
        match &self.source {
            Source::Sqlite(row) => match row.get_ref(at) {
                Ok(rusqlite::types::ValueRef::Blob(bytes)) => Some(bytes),
                _ => None,
            },
            Source::Postgres(row) => row.try_get::<_, Option<&[u8]>>(at).ok().flatten(),
        }
    }

    /// Whether nothing is stored at a position. [`Self::get`] is null also for bytes that are no value.
    pub(crate) fn is_null(&self, at: usize) -> bool {
        match &self.source {
            Source::Sqlite(row) => matches!(row.get_ref(at), Ok(rusqlite::types::ValueRef::Null)),
            Source::Postgres(row) => matches!(row.try_get::<_, Option<crate::postgres::Anything>>(at), Ok(None)),
        }
    }

    /// All values, owned. `Integer` outputs become [`Value::BigInt`]; callers that know the column narrow them.
    #[must_use]
    pub fn to_values(&self) -> Vec<Value> {
        (0..self.outputs.len()).map(|at| owned(self.get(at))).collect()
    }
}

/// The owned form of a borrowed value; integers stay wide.
#[must_use]
pub fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Boolean(b) => Value::Boolean(b),
        ValueRef::Integer(n) => Value::BigInt(n),
        ValueRef::Decimal(d) => Value::Decimal(d),
        ValueRef::Double(d) => Value::Double(d),
        ValueRef::Money(m) => Value::Money(m),
        ValueRef::Text(text) => Value::Text(text.to_owned()),
        ValueRef::Guid(id) => Value::Guid(id),
        ValueRef::DateTime(seconds) => Value::DateTime(seconds),
        ValueRef::Date(days) => Value::Date(days),
    }
}

fn sqlite_value<'r>(row: &'r rusqlite::Row<'_>, at: usize, output: Output) -> ValueRef<'r> {
    use rusqlite::types::ValueRef as Raw;
    let Ok(raw) = row.get_ref(at) else { return ValueRef::Null };
    match (output, raw) {
        (Output::Boolean, Raw::Integer(n)) => ValueRef::Boolean(n != 0),
        (Output::Integer, Raw::Integer(n)) => ValueRef::Integer(n),
        (Output::Money, Raw::Integer(n)) => ValueRef::Money(Money(n)),
        (Output::DateTime, Raw::Integer(n)) => ValueRef::DateTime(n),
        (Output::Date, Raw::Integer(n)) => i32::try_from(n).map_or(ValueRef::Null, ValueRef::Date),
        (Output::Double, Raw::Real(d)) => ValueRef::Double(d),
        #[expect(clippy::cast_precision_loss, reason = "SQLite keeps whole doubles as integers of at most 2^53")]
        (Output::Double, Raw::Integer(n)) => ValueRef::Double(n as f64),
        (Output::Text, Raw::Text(bytes)) => std::str::from_utf8(bytes).map_or(ValueRef::Null, ValueRef::Text),
        (Output::Guid, Raw::Blob(bytes)) => Guid::from_slice(bytes).map_or(ValueRef::Null, ValueRef::Guid),
        (Output::Decimal, Raw::Blob(bytes)) => crate::decimal::decode(bytes).map_or(ValueRef::Null, ValueRef::Decimal),
        _ => ValueRef::Null,
    }
}

fn postgres_value<'r>(row: &'r tokio_postgres::Row, at: usize, output: Output) -> ValueRef<'r> {
    use crate::postgres::{Days, Seconds};
    fn read<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r tokio_postgres::Row, at: usize) -> Option<T> {
        row.try_get::<_, Option<T>>(at).ok().flatten()
    }
    let value = match output {
        Output::Boolean => read::<bool>(row, at).map(ValueRef::Boolean),
        Output::Integer => read::<crate::postgres::AnyInteger>(row, at).map(|n| ValueRef::Integer(n.0)),
        Output::Money => read::<crate::postgres::AnyInteger>(row, at).map(|n| ValueRef::Money(Money(n.0))),
        Output::Decimal => read::<Decimal>(row, at).map(ValueRef::Decimal),
        Output::Double => read::<f64>(row, at).map(ValueRef::Double),
        Output::Text => read::<&str>(row, at).map(ValueRef::Text),
        Output::Masked => None,
        Output::Guid => read::<Guid>(row, at).map(ValueRef::Guid),
        Output::DateTime => read::<Seconds>(row, at).map(|s| ValueRef::DateTime(s.0)),
        Output::Date => read::<Days>(row, at).map(|d| ValueRef::Date(d.0)),
    };
    value.unwrap_or(ValueRef::Null)
}
