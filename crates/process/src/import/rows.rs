//! From a row of a file to what shall be stored. Pure: links are only named here, not found.

use custodia_schema::{Column, ColumnId, Guid, Value};

use super::columns::{ColumnRules, Reading};
use super::csv_file::Row;
use super::lookup::{Wanted, external_id};
use super::mapping::{Identity, Import};
use super::text::Cells;

/// What names the record of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// Its id.
    Id(Guid),
    /// Values of an alternate key, in the order of its columns.
    Alternate(Vec<Value>),
}

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub key: Key,
    pub columns: Vec<(ColumnId, Given)>,
}

/// What a row gives a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// A value; null clears.
    Value(Value),
    /// A record that has to be found.
    Link { wanted: Wanted, may_miss: bool },
}

/// Which columns are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    /// The columns that are set `later`.
    Second,
}

/// What becomes of a row before the organisation is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outline {
    Planned(Planned),
    /// The mapping leaves the row out.
    Skipped,
    /// It cannot be brought in, and why.
    Faulty(String),
}

impl Import {
    /// Reads a row. `positions` says where in the file each column is that the mapping names; `width` how many fields its
    /// header has.
    pub(super) fn plan(&self, row: &Row, positions: &[usize], width: usize, pass: Pass) -> Outline {
        let cells = Cells { record: &row.record, positions, form: self.cells };
        if row.record.len() != width {
            return Outline::Faulty(format!("the row has {} fields, the header {width}", row.record.len()));
        }
        if !self.only.iter().all(|condition| condition.holds(cells)) {
            return Outline::Skipped;
        }
        let key = match self.key(cells) {
            Ok(key) => key,
            Err(why) => return Outline::Faulty(why),
        };
        let mut columns = Vec::new();
        for rules in self.columns.iter().filter(|rules| rules.later == (pass == Pass::Second)) {
            match rules.given(cells) {
                Ok(Some(given)) => columns.push((rules.column.id, given)),
                Ok(None) => {}
                Err(why) => return Outline::Faulty(why),
            }
        }
        Outline::Planned(Planned { key, columns })
    }

    fn key(&self, cells: Cells<'_>) -> Result<Key, String> {
        match &self.identity {
            Identity::External { namespace, columns } => {
                let parts: Vec<_> = columns.iter().map(|column| cells.get(*column)).collect();
                if parts.iter().all(|part| part.is_empty()) {
                    let names =
                        columns.iter().filter_map(|at| self.sources.get(*at)).map(|source| source.name.as_str());
                    return Err(format!("the key is empty ({})", names.collect::<Vec<_>>().join(", ")));
                }
                Ok(Key::Id(external_id(*namespace, parts.iter().map(|part| part.as_ref()))))
            }
            Identity::Record { column } => {
                let text = cells.get(*column);
                match Guid::try_parse(&text) {
                    Ok(id) if id.is_nil() => Err(format!("the id `{text}` of zeros names no record")),
                    Ok(id) => Ok(Key::Id(id)),
                    Err(_) => Err(format!("the id `{text}` is not a GUID")),
                }
            }
            Identity::Alternate { columns } => {
                let rules = columns.iter().filter_map(|id| self.columns.iter().find(|rules| rules.column.id == *id));
                let values = rules.map(|rules| match rules.given(cells)? {
                    Some(Given::Value(value)) if !value.is_null() => Ok(value),
                    _ => Err(format!("{}: it belongs to the key and is empty", rules.column.name)),
                });
                values.collect::<Result<_, _>>().map(Key::Alternate)
            }
        }
    }

    /// A column that the mapping sets.
    pub(super) fn column(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().map(|rules| &rules.column).find(|column| column.id == id)
    }
}

impl ColumnRules {
    /// What a row gives the column; `None` leaves it as it is.
    fn given(&self, cells: Cells<'_>) -> Result<Option<Given>, String> {
        let Some(rule) = self.rules.iter().find(|rule| rule.when.iter().all(|condition| condition.holds(cells))) else {
            return Ok(None);
        };
        let Some(texts) = rule.text.texts(cells) else {
            return Ok(rule.clears.then_some(Given::Value(Value::Null)));
        };
        match &rule.reading {
            Reading::Link { lookup, may_miss } => {
                Ok(Some(Given::Link { wanted: Wanted { lookup: *lookup, texts }, may_miss: *may_miss }))
            }
            Reading::Value(conversion) => {
                let text = texts.first().map(String::as_str).unwrap_or_default();
                let value = conversion.read(text).map_err(|why| format!("{}: {why}", self.column.name))?;
                Ok(Some(Given::Value(value)))
            }
        }
    }
}
