//! Which record a link points at: found by what a row says of it.

use std::collections::{HashMap, HashSet};

use custodia_org::{Caller, Organization, Rows};
use custodia_query::{Filter, Path, Query};
use custodia_schema::{ColumnId, ColumnKind, Guid, Schema, TableId, Value, fold};

/// Found records that are kept in mind; beyond, all are forgotten and asked for again.
const KNOWN_MAX: usize = 100_000;
/// Records asked for in one query.
const ASKED_MAX: usize = 100;
/// Rows taken of one query. More records than this with the few names asked for are looked at name by name.
const PAGE: u32 = 500;

/// How a record is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The table it is in.
    pub table: TableId,
    pub find: Find,
    /// In words: `account by name`.
    pub description: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// The text is its GUID.
    Id,
    /// By the key of another mapping, whose namespace this is.
    Mapping(Guid),
    /// By the values of columns. Each list names a record on its own; they are tried in order.
    Columns(Vec<Vec<ColumnId>>),
}

impl Lookup {
    /// That no record is what a row says, in words.
    pub fn nothing_for(&self, wanted: &Wanted) -> String {
        format!("there is no record for `{}` ({})", wanted.texts.join("`, `"), self.description)
    }
}

/// A record asked for: a lookup of the mapping, by its number, and the texts of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub lookup: usize,
    pub texts: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Record(Guid),
    /// Nothing, or too much; in words.
    Not(String),
}

/// Finds records, many at once, and remembers those it found. What it did not find may be made meanwhile, so that is asked
/// again.
#[derive(Default)]
pub(super) struct Finder {
    known: HashMap<Wanted, Guid>,
}

impl Finder {
    /// Finds all that are wanted.
    ///
    /// # Errors
    /// What the gate answers: the caller may not read the table, the store is not available.
    pub async fn find(
        &mut self,
        organization: &Organization,
        caller: &Caller,
        lookups: &[Lookup],
        wanted: Vec<Wanted>,
    ) -> custodia_org::Result<HashMap<Wanted, Found>> {
        let schema = organization.schema();
        let mut found: HashMap<Wanted, Found> = HashMap::new();
        let mut unknown: HashMap<usize, Vec<Wanted>> = HashMap::new();
        for wanted in wanted.into_iter().collect::<HashSet<_>>() {
            let Some(lookup) = lookups.get(wanted.lookup) else { continue };
            match (&lookup.find, self.known.get(&wanted)) {
                (_, Some(id)) => {
                    found.insert(wanted, Found::Record(*id));
                }
                (Find::Id, _) => {
                    let text = wanted.texts.first().map(String::as_str).unwrap_or_default();
                    let id = Guid::try_parse(text).map(Found::Record);
                    let id = id.unwrap_or_else(|_| Found::Not(format!("`{text}` is not a GUID")));
                    found.insert(wanted, id);
                }
                (Find::Mapping(namespace), _) => {
                    let id = external_id(*namespace, wanted.texts.iter().map(String::as_str));
                    found.insert(wanted, Found::Record(id));
                }
                (Find::Columns(_), _) => unknown.entry(wanted.lookup).or_default().push(wanted),
            }
        }
        for (number, mut wanted) in unknown {
            let Some(lookup) = lookups.get(number) else { continue };
            let Find::Columns(ways) = &lookup.find else { continue };
            for columns in ways {
                for part in wanted.chunks(ASKED_MAX) {
                    let ids = ask(organization, caller, &schema, lookup.table, columns, part).await?;
                    for (wanted, found_ids) in part.iter().zip(ids) {
                        let outcome = match *found_ids.as_slice() {
                            [] => continue,
                            [id] => Found::Record(id),
                            _ => Found::Not(format!(
                                "there are several records for `{}` ({}): it must name one",
                                wanted.texts.join("`, `"),
                                lookup.description
                            )),
                        };
                        found.insert(wanted.clone(), outcome);
                    }
                }
                wanted.retain(|wanted| !found.contains_key(wanted));
            }
            for wanted in wanted {
                let why = lookup.nothing_for(&wanted);
                found.insert(wanted, Found::Not(why));
            }
        }
        self.remember(&found);
        Ok(found)
    }

    fn remember(&mut self, found: &HashMap<Wanted, Found>) {
        if self.known.len() + found.len() > KNOWN_MAX {
            self.known.clear();
        }
        for (wanted, found) in found {
            if let Found::Record(id) = found {
                self.known.insert(wanted.clone(), *id);
            }
        }
    }
}

/// The id of the record that a mapping makes of a row: the same for the same key for ever.
pub(super) fn external_id<'t>(namespace: Guid, key: impl Iterator<Item = &'t str>) -> Guid {
    let key = key.collect::<Vec<_>>().join("\u{1f}");
    Guid::new_v5(&namespace, key.as_bytes())
}

/// The ids of the records whose columns hold these texts, for each of those wanted.
async fn ask(
    organization: &Organization,
    caller: &Caller,
    schema: &Schema,
    table: TableId,
    columns: &[ColumnId],
    wanted: &[Wanted],
) -> custodia_org::Result<Vec<Vec<Guid>>> {
    let Some(table) = schema.table(table) else { return Ok(vec![Vec::new(); wanted.len()]) };
    let kinds: Vec<_> = columns.iter().filter_map(|id| table.column_by_id(*id)).map(|column| &column.kind).collect();
    let keys: Vec<Option<Vec<Value>>> = wanted
        .iter()
        .map(|wanted| kinds.iter().zip(&wanted.texts).map(|(kind, text)| key_value(kind, text)).collect())
        .collect();
    let mut tests: Vec<Vec<Value>> = Vec::new();
    for key in keys.iter().flatten() {
        if !tests.iter().any(|known| is_same_key(known, key)) {
            tests.push(key.clone());
        }
    }
    if tests.is_empty() {
        return Ok(vec![Vec::new(); wanted.len()]);
    }

    let mut query =
        Query { filter: any_of(columns, &tests), ..Query::of(table, PAGE) }.showing(columns.iter().copied());
    let mut rows = Rows::default();
    organization.query(caller, &query, &mut rows).await?;
    if rows.rows.len() > PAGE as usize {
        // Many records of the same names: two of each are enough to know that it names no single one.
        let mut all = Rows::default();
        query.page_size = 2;
        for test in &tests {
            query.filter = any_of(columns, std::slice::from_ref(test));
            let mut rows = Rows::default();
            organization.query(caller, &query, &mut rows).await?;
            all.rows.append(&mut rows.rows);
        }
        rows = all;
    }
    let ids = keys.iter().map(|key| {
        let Some(key) = key else { return Vec::new() };
        let matching = rows.rows.iter().filter(|row| row.get(1..).is_some_and(|stored| is_same_key(stored, key)));
        matching.filter_map(|row| row.first().and_then(Value::guid)).take(2).collect()
    });
    Ok(ids.collect())
}

/// Rows that have one of these keys.
pub(super) fn any_of(columns: &[ColumnId], keys: &[Vec<Value>]) -> Filter {
    if let &[column] = columns {
        let values = keys.iter().filter_map(|key| key.first().cloned()).collect();
        return Filter::In { path: Path::own(column), values };
    }
    let equal = |(column, value): (&ColumnId, &Value)| Filter::equal(*column, value.clone());
    Filter::Or(keys.iter().map(|key| Filter::And(columns.iter().zip(key).map(equal).collect())).collect())
}

/// Whether two keys name the same record: texts are compared by fold, as the store does.
pub(super) fn is_same_key(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Value::Text(a), Value::Text(b)) => fold(a) == fold(b),
            (Value::Integer(a), Value::BigInt(b)) | (Value::BigInt(b), Value::Integer(a)) => i64::from(*a) == *b,
            (Value::Lookup(_, a) | Value::Guid(a), Value::Lookup(_, b) | Value::Guid(b)) => a == b,
            (a, b) => a == b,
        })
}

/// Whether records may be found by a column of this type.
pub(super) fn is_key_kind(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Text { .. } | ColumnKind::Integer { .. } | ColumnKind::BigInt | ColumnKind::Guid)
}

/// A text as a value to find records by; `None` if no record can have it.
fn key_value(kind: &ColumnKind, text: &str) -> Option<Value> {
    match kind {
        ColumnKind::Text { .. } => Some(Value::Text(text.to_owned())),
        ColumnKind::Integer { .. } => text.parse().ok().map(Value::Integer),
        ColumnKind::BigInt => text.parse().ok().map(Value::BigInt),
        ColumnKind::Guid => Guid::try_parse(text).ok().map(Value::Guid),
        _ => None,
    }
}
