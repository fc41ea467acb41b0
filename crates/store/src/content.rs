//! What a database holds, as numbers that two copies can be compared by, whatever engine they are on.
//!
//! Each row is hashed over its table's name and its columns' numbers and values; a table's hash is the sum of its rows'
//! hashes, so that no order of rows is needed. Nulls are left out: a column that an older schema does not have yet says
//! as much as one that holds nothing. So are folds, which follow from their texts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use custodia_schema::{Schema, Table, TableId, Value};

use crate::change_log::encode_value;
use crate::database::Database;
use crate::row::{Row, owned};
use crate::snapshot::Snapshot;
use crate::sql::audit_view::is_view;
use crate::sql::content::{Layout, Part, select_columns};
use crate::sql::storage::Storage;
use crate::{Error, Result};

/// Length of a hash in bytes.
const HASH_BYTES: usize = 32;
/// The tag of bytes of the store's own tables; the change log's tags are those below.
const BYTES_TAG: u8 = 0xff;
/// Derived tables: they follow from the records of the security model.
const DERIVED: &[&str] = &["custodia_member", "custodia_unit_closure"];

/// A hash over content. Equal content gives equal hashes on both engines.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ContentHash([u8; HASH_BYTES]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        crate::hex::decode(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::Corrupt(format!("'{text}' is not a content hash")))
    }
}

/// One table's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableContent {
    /// The table's name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// Their hash.
    pub hash: ContentHash,
}

/// The content of a database as of one moment: its tables by name, empty ones left out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Content {
    tables: Vec<TableContent>,
}

impl Content {
    /// Puts tables together.
    pub(crate) fn of(tables: impl IntoIterator<Item = TableContent>) -> Self {
        let mut tables: Vec<_> = tables.into_iter().filter(|table| table.rows > 0).collect();
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        Self { tables }
    }

    /// The tables that have rows, by name.
    #[must_use]
    pub fn tables(&self) -> &[TableContent] {
        &self.tables
    }

    /// Only the tables of records, without the store's own.
    pub(crate) fn of_records(mut self) -> Self {
        self.tables.retain(|table| !table.table.starts_with("custodia_"));
        self
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// One hash over all tables.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut context = Context::new(&SHA256);
        for table in &self.tables {
            context.update(table.table.as_bytes());
            context.update(&[0]);
            context.update(&table.rows.to_le_bytes());
            context.update(&table.hash.0);
        }
        ContentHash(bytes_of(&context.finish()))
    }

    /// The first difference to another content, in words; `None` when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let find = |content: &Self, name: &str| content.tables.iter().find(|table| table.table == name).cloned();
        let mut names: Vec<_> = self.tables.iter().chain(&other.tables).map(|table| table.table.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().find_map(|name| {
            let (here, there) = (find(self, name), find(other, name));
            if here == there {
                return None;
            }
            let rows = |side: &Option<TableContent>| side.as_ref().map_or(0, |table| table.rows);
            Some(if rows(&here) == rows(&there) {
                format!("table {name}: {} rows with other values", rows(&here))
            } else {
                format!("table {name}: {} rows and {} rows", rows(&here), rows(&there))
            })
        })
    }
}

impl Database {
    /// The content of all record tables, as of one moment. Reads every row.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a row holds bytes that are no value of their column; store errors.
    pub async fn content(&self) -> Result<Content> {
        let snapshot = self.snapshot().await?;
        let layouts = records(&self.schema(), &snapshot.tables().await?)?;
        snapshot.content(layouts).await
    }

    /// The content of the tables that follow from records (memberships, the unit tree), as of one moment.
    ///
    /// # Errors
    /// As [`Self::content`].
    pub async fn derived_content(&self) -> Result<Content> {
        let layouts = Layout::internal().into_iter().filter(|layout| DERIVED.contains(&layout.name.as_str())).collect();
        self.snapshot().await?.content(layouts).await
    }
}

/// The physical tables of records.
pub(crate) fn records(schema: &Schema, tables: &[TableId]) -> Result<Vec<Layout>> {
    let known = tables.iter().map(|id| {
        schema.table(*id).ok_or_else(|| {
            Error::Corrupt(format!("table {id} is not one that this program knows; a newer program made it"))
        })
    });
    // What only shows other tables is there when they are.
    let has_rows = |table: &Arc<Table>| !is_view(table);
    known
        .filter(|table| table.as_ref().map_or(true, |table| has_rows(table)))
        .map(|table| Ok(Layout::of(table?)))
        .collect()
}

impl Snapshot {
    /// The content of these tables.
    pub(crate) async fn content(&self, layouts: Vec<Layout>) -> Result<Content> {
        let mut tables = Vec::with_capacity(layouts.len());
        for layout in layouts {
            let present =
                self.rows(&select_columns(self.dialect(), &layout.name), |row| Some(row.text(0)?.to_owned())).await?;
            let layout = layout.compared(&present);
            if layout.columns.is_empty() {
                continue;
            }
            let mut tally = Tally::new(&layout);
            self.query(&layout.select(), &mut |row: &Row<'_>| tally.row(row)).await?;
            tables.push(tally.finish()?);
        }
        Ok(Content::of(tables))
    }
}

/// Sums up the rows of a table.
pub(crate) struct Tally<'l> {
    layout: &'l Layout,
    rows: u64,
    sum: Sum,
    bytes: Vec<u8>,
    damage: Option<String>,
}

impl<'l> Tally<'l> {
    pub(crate) fn new(layout: &'l Layout) -> Self {
        Self { layout, rows: 0, sum: Sum::default(), bytes: Vec::with_capacity(512), damage: None }
    }

    /// Takes a row of [`Layout::select`].
    pub(crate) fn row(&mut self, row: &Row<'_>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(self.layout.name.as_bytes());
        for (at, column) in self.layout.columns.iter().enumerate() {
            let (number, part) = match column.part {
                Part::Value(number) => (number, 0),
                Part::Target(number) => (number, 1),
                Part::Fold(_) => continue,
            };
            let place = self.bytes.len();
            self.bytes.push(0);
            self.bytes.extend_from_slice(&number.to_le_bytes());
            self.bytes.push(part);
            let there = match column.storage {
                Storage::Bytes => row.bytes(at).map(|bytes| {
                    self.bytes.push(BYTES_TAG);
                    self.bytes.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                    self.bytes.extend_from_slice(bytes);
                }),
                _ => match canonical(owned(row.get(at))) {
                    Value::Null => None,
                    value => {
                        encode_value(&mut self.bytes, &value);
                        Some(())
                    }
                },
            };
            if there.is_none() {
                self.bytes.truncate(place);
                if !row.is_null(at) {
                    self.damage = Some(format!(
                        "table {}: column {} of a row holds bytes that are no value of its type",
                        self.layout.name, column.name
                    ));
                }
            }
        }
        self.rows += 1;
        self.sum.add(&bytes_of(&digest(&SHA256, &self.bytes)));
    }

    pub(crate) fn finish(self) -> Result<TableContent> {
        match self.damage {
            Some(damage) => Err(Error::Corrupt(damage)),
            None => Ok(TableContent { table: self.layout.name.clone(), rows: self.rows, hash: self.sum.hash() }),
        }
    }
}

/// The one form of values that compare as equal.
fn canonical(value: Value) -> Value {
    match value {
        // One engine keeps the digits as they were written, the other the number.
        Value::Decimal(decimal) if decimal.is_zero() => Value::Decimal(custodia_schema::Decimal::ZERO),
        Value::Decimal(decimal) => Value::Decimal(decimal.normalize()),
        // SQLite keeps no sign of zero.
        Value::Double(0.0) => Value::Double(0.0),
        other => other,
    }
}

fn bytes_of(digest: &aws_lc_rs::digest::Digest) -> [u8; HASH_BYTES] {
    digest.as_ref().try_into().unwrap_or_default()
}

/// A sum of hashes as whole numbers modulo 2^256: equal rows add up, where XOR would cancel them.
#[derive(Default)]
struct Sum([u64; 4]);

impl Sum {
    fn add(&mut self, hash: &[u8; HASH_BYTES]) {
        let mut carry = false;
        for (limb, bytes) in self.0.iter_mut().zip(hash.chunks_exact(8)) {
            let other = bytes.try_into().map_or(0, u64::from_le_bytes);
            let (sum, over) = limb.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_again;
        }
    }

    fn hash(&self) -> ContentHash {
        let mut bytes = [0; HASH_BYTES];
        for (place, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&limb.to_le_bytes());
        }
        ContentHash(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sums_need_no_order_carry_over_and_do_not_cancel() {
        let hashes: Vec<[u8; HASH_BYTES]> = (0..50_u8)
            .map(|n| bytes_of(&digest(&SHA256, &[n])))
            .chain([[0xff; HASH_BYTES], [0xff; HASH_BYTES]])
            .collect();
        let sum = |order: &mut dyn Iterator<Item = &[u8; HASH_BYTES]>| {
            let mut sum = Sum::default();
            order.for_each(|hash| sum.add(hash));
            sum.hash()
        };
        let forward = sum(&mut hashes.iter());
        assert_eq!(forward, sum(&mut hashes.iter().rev()));
        assert_ne!(forward, sum(&mut hashes.iter().skip(1)));
        assert_ne!(forward, sum(&mut hashes.iter().take(50)), "two equal rows are not none");
        let mut one_less = Sum([u64::MAX; 4]);
        let mut one = [0; HASH_BYTES];
        one[0] = 1;
        one_less.add(&one);
        assert_eq!(one_less.0, [0; 4], "the carry runs through all limbs");
    }

    #[test]
    fn equal_values_have_one_form() {
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        assert_eq!(canonical(decimal("1.50")), canonical(decimal("1.5")));
        let bytes = |value: Value| {
            let mut bytes = Vec::new();
            encode_value(&mut bytes, &canonical(value));
            bytes
        };
        assert_eq!(bytes(decimal("1.50")), bytes(decimal("1.5")));
        assert_eq!(bytes(decimal("-0.00")), bytes(decimal("0")));
        assert_eq!(bytes(Value::Double(-0.0)), bytes(Value::Double(0.0)));
        assert_ne!(bytes(Value::Double(-1.0)), bytes(Value::Double(1.0)));
    }

    #[test]
    fn a_difference_is_named() {
        let table = |name: &str, rows, hash| TableContent { table: name.into(), rows, hash: ContentHash([hash; 32]) };
        let content = Content::of([table("account", 2, 1), table("contact", 1, 1), table("lead", 0, 0)]);
        assert_eq!(content.tables().len(), 2);
        assert_eq!(content.rows(), 3);
        assert_eq!(content.difference(&content), None);
        let fewer = Content::of([table("account", 1, 1), table("contact", 1, 1)]);
        assert_eq!(content.difference(&fewer).unwrap(), "table account: 2 rows and 1 rows");
        let other = Content::of([table("account", 2, 1), table("contact", 1, 2)]);
        assert_eq!(content.difference(&other).unwrap(), "table contact: 1 rows with other values");
        assert_ne!(content.hash(), other.hash());
        assert_eq!(content.hash().to_string().parse::<ContentHash>().unwrap(), content.hash());
    }
}
