//! Payment card numbers among what is stored already: found, told of without the number, and masked where that is asked.
//!
//! Start at [`Scan`]. What is looked at and what masking leaves behind is described in `docs/cards.md`. Records are read
//! through the gate in pages, each continuing behind the last record of the one before; where a scan was stopped it goes on
//! from the place that it told last.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use custodia_org::{Caller, Inspection, Organization, Restart, Row, RowSink, inspect};
use custodia_query::{Field, Query};
use custodia_schema::{CardPolicy, Column, ColumnId, ColumnKind, Guid, Schema, Table, Value};
use serde::Serialize;

/// Records read by one statement: their texts are looked at one by one, what is found is kept until the page is through.
const PAGE_ROWS: u32 = 200;

/// A place among all records: behind a record of a table, or before its first. Tables come in the order of their names, records
/// in that of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Logical name of the table.
    pub table: String,
    /// The last record that was looked at.
    pub after: Option<Guid>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "{}/{after}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// A text is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place is written TABLE or TABLE/ID, as the scan told it")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (table, after) = match text.split_once('/') {
            Some((table, after)) => (table, Some(after.parse().map_err(|_| PlaceError)?)),
            None => (text, None),
        };
        if table.is_empty() {
            return Err(PlaceError);
        }
        Ok(Self { table: table.to_owned(), after })
    }
}

/// What became of a value that holds a card number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Became {
    /// It stays: nobody asked for more, or it cannot be masked, or the policy of its column is not to look.
    Left,
    /// It has the last four digits now.
    Masked,
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "left as it is",
            Self::Masked => "masked",
        })
    }
}

/// A value that holds a card number. The number is never told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Logical name of the table.
    pub table: String,
    /// The record.
    pub record: Guid,
    /// Logical name of the column.
    pub column: String,
    /// The word of the policy that holds there.
    pub policy: &'static str,
    /// What became of it.
    pub became: Became,
}

/// What a scan came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tables that were looked at.
    pub tables: u64,
    /// Records that were looked at.
    pub records: u64,
    /// Values that hold a card number.
    pub found: u64,
    /// Those of them that were masked.
    pub masked: u64,
}

/// Is told what a scan finds.
pub trait Listener: Send {
    /// A value that holds a card number.
    fn found(&mut self, finding: &Finding);
    /// All records up to here have been looked at, and masked where that was asked.
    fn advanced(&mut self, place: &Place, counts: &Counts);
}

/// A scan could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no table of that name.
    #[error("there is no table '{0}' to go on from")]
    Table(String),
    /// The gate refused, or the store failed.
    #[error("the scan stopped; it goes on from {place}")]
    Gate {
        /// Where to go on.
        place: Place,
        /// Why.
        source: Box<custodia_org::Error>,
    },
}

/// A look at all records for card numbers.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Whether what is found is masked.
    pub masks: bool,
    /// Where to begin; at the first table if not given.
    pub from: Option<Place>,
}

impl Scan {
    /// Looks at every record that there is from the place on, in the name of a caller who may read all of them.
    ///
    /// # Errors
    /// [`Error`]; what was done until then stays done.
    pub async fn run(
        &self,
        organization: &Organization,
        caller: &Caller,
        listener: &mut dyn Listener,
    ) -> Result<Counts, Error> {
        let schema = organization.schema();
        if let Some(from) = self.from.as_ref().filter(|from| schema.table_named(&from.table).is_none()) {
            return Err(Error::Table(from.table.clone()));
        }
        let begins = |table: &Table| self.from.as_ref().is_none_or(|from| table.name >= from.table);
        let mut counts = Counts::default();
        for table in schema.tables().iter().filter(|table| begins(table) && organization.is_used(table.id)) {
            let after = self.from.as_ref().filter(|from| from.table == table.name).and_then(|from| from.after);
            let mut work = Work { organization, caller, schema: &schema, table, masks: self.masks };
            work.table(after, &mut counts, listener).await?;
        }
        Ok(counts)
    }
}

/// One table at work.
struct Work<'w> {
    organization: &'w Organization,
    caller: &'w Caller,
    schema: &'w Schema,
    table: &'w Arc<Table>,
    masks: bool,
}

impl Work<'_> {
    async fn table(
        &mut self,
        mut after: Option<Guid>,
        counts: &mut Counts,
        listener: &mut dyn Listener,
    ) -> Result<(), Error> {
        let columns: Vec<&Column> = self.table.columns().iter().filter(|column| could_hold(column)).collect();
        if columns.is_empty() {
            return Ok(());
        }
        counts.tables += 1;
        loop {
            let place = Place { table: self.table.name.clone(), after };
            let gate = |source| Error::Gate { place: place.clone(), source: Box::new(source) };
            let mut page = Page { columns: &columns, taken: 0, has_more: false, last: None, found: Vec::new() };
            let mut query = Query::of(self.table, PAGE_ROWS);
            query.fields.extend(columns.iter().map(|column| Field::Column(column.id)));
            query.after = after.map(|after| vec![Value::Guid(after)]);
            self.organization.query(self.caller, &query, &mut page).await.map_err(gate)?;
            let (taken, has_more, last) = (page.taken, page.has_more, page.last);
            for (record, held) in page.found {
                self.record(record, &held, counts, listener).await.map_err(gate)?;
            }
            counts.records += taken;
            after = last.or(after);
            listener.advanced(&Place { table: self.table.name.clone(), after }, counts);
            if !has_more || last.is_none() {
                return Ok(());
            }
        }
    }

    /// Tells of a record, and masks it where that is asked.
    async fn record(
        &self,
        record: Guid,
        held: &[ColumnId],
        counts: &mut Counts,
        listener: &mut dyn Listener,
    ) -> custodia_org::Result<()> {
        let masked = match self.masks {
            true => self.organization.mask_card_numbers(self.caller, self.table.id, record).await?.masked,
            false => Vec::new(),
        };
        for column in held {
            let is_masked = masked.contains(column);
            counts.found += 1;
            counts.masked += u64::from(is_masked);
            listener.found(&Finding {
                table: self.table.name.clone(),
                record,
                column: self.table.column_by_id(*column).map_or_else(String::new, |column| column.name.clone()),
                policy: self.policy(*column).word(),
                became: if is_masked { Became::Masked } else { Became::Left },
            });
        }
        Ok(())
    }

    fn policy(&self, column: ColumnId) -> CardPolicy {
        self.schema.card_rules().policy(self.table.id, column)
    }
}

/// Whether values of a column can be card numbers.
fn could_hold(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnKind::Text { .. }
            | ColumnKind::Memo { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Double { .. }
            | ColumnKind::Money { .. }
    )
}

/// Looks at the rows of a page.
struct Page<'p> {
    columns: &'p [&'p Column],
    taken: u64,
    has_more: bool,
    last: Option<Guid>,
    /// Records with the columns that hold a card number.
    found: Vec<(Guid, Vec<ColumnId>)>,
}

impl RowSink for Page<'_> {
    fn row(&mut self, row: &Row<'_>) {
        if self.taken == u64::from(PAGE_ROWS) {
            self.has_more = true;
            return;
        }
        self.taken += 1;
        self.last = row.guid(0);
        let Some(record) = self.last else { return };
        let holds = |(at, column): &(usize, &&Column)| inspect(column, row.get(*at)) != Inspection::Clean;
        let held: Vec<_> = (1..).zip(self.columns).filter(holds).map(|(_, column)| column.id).collect();
        if !held.is_empty() {
            self.found.push((record, held));
        }
    }
}

impl Restart for Page<'_> {
    fn restart(&mut self) {
        *self = Self { columns: self.columns, taken: 0, has_more: false, last: None, found: Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn places_come_back_as_they_are_told() {
        let id = Guid::from_u128(7);
        for place in [Place { table: "account".into(), after: None }, Place { table: "lead".into(), after: Some(id) }] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert!(["", "/x", "account/x"].iter().all(|text| text.parse::<Place>().is_err()));
    }
}
