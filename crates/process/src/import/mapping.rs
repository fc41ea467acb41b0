//! A mapping file, read and checked against the schema.

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, Schema, Table};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use toml::de::DeValue;

use super::columns::{self, ColumnRules};
use super::date_pattern;
use super::document::{Document, Properties, Result, Text};
use super::error::MappingError;
use super::lookup::Lookup;
use super::text::{CellForm, Condition, Test};

#[cfg(test)]
mod tests;

/// Under which the namespaces of all mappings are made. Never changes: the ids of imported records follow from it.
const NAMESPACE: Guid = Guid::from_u128(0x6b1c_70a4_3f0d_4d52_9a5e_2f6f_1f0c_8e11);

/// A mapping file that fits the schema.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) file: String,
    pub(super) digest: [u8; 32],
    pub(super) table: Arc<Table>,
    pub(super) identity: Identity,
    pub(super) delimiter: u8,
    pub(super) cells: CellForm,
    pub(super) only: Vec<Condition>,
    pub(super) columns: Vec<ColumnRules>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) sources: Vec<SourceColumn>,
}

/// What names the record of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// An id made of these columns of the file.
    External { namespace: Guid, columns: Vec<usize> },
    /// The id in this column of the file.
    Record { column: usize },
    /// These columns of the table: an alternate key.
    Alternate { columns: Vec<ColumnId> },
}

/// A column of the file that the mapping names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceColumn {
    pub name: String,
    /// Where it is named first.
    pub line: usize,
}

/// What the rules of columns are read with.
pub(super) struct Context<'d> {
    pub document: Document<'d>,
    pub schema: &'d Schema,
    pub table: Arc<Table>,
    pub zone: Option<TimeZone>,
    pub clears: bool,
    pub sources: Vec<SourceColumn>,
    pub lookups: Vec<Lookup>,
}

impl Import {
    /// Reads a mapping file. `file` is its name for messages.
    ///
    /// # Errors
    /// The first fault found, with its line: unknown tables, columns, options, properties, patterns; rules that do not fit
    /// their column's type.
    pub fn load(schema: &Schema, text: &str, file: &str) -> std::result::Result<Self, MappingError> {
        let document = Document { name: file, text };
        let root = document.parse()?;
        let mut root = Properties::new(document, root.get_ref(), root.span());

        let name = required(&mut root, "name")?;
        if !is_name(name.get_ref()) {
            let problem = "`name` is made of a to z, 0 to 9 and `-`: it is part of the ids of imported records";
            return Err(document.fault(name.span(), problem));
        }
        let table = required(&mut root, "table")?;
        let Some(found) = schema.table_named(table.get_ref()) else {
            let problem = format!("there is no table `{}`: give its logical name, such as `account`", table.get_ref());
            return Err(document.fault(table.span(), problem));
        };
        if found.is_intersect {
            let problem = format!("`{}` holds links between records, which cannot be imported", table.get_ref());
            return Err(document.fault(table.span(), problem));
        }
        let zone = match root.text("time_zone")? {
            Some(name) => Some(time_zone(document, &name)?),
            None => None,
        };
        let clears = clears(document, root.text("empty")?)?.unwrap_or(false);
        let delimiter = delimiter(document, root.text("delimiter")?)?;
        let cells = cell_form(document, root.text("cells")?)?;

        let mut context = Context {
            document,
            schema,
            table: Arc::clone(found),
            zone,
            clears,
            sources: Vec::new(),
            lookups: Vec::new(),
        };
        let only = context.conditions(&mut root, "only")?;
        let key = root.texts("key")?;
        let alternate = root.text("match")?;
        let id = root.text("id")?;
        let columns = match root.get("columns") {
            Some(columns) => columns::read(&mut context, columns)?,
            None => return Err(root.fault("`columns` is missing: say what the columns of the table take")),
        };
        let identity = match (key, alternate, id) {
            (Some(key), None, None) => Identity::External {
                namespace: namespace(name.get_ref()),
                columns: key.iter().map(|column| context.source(column)).collect(),
            },
            (None, Some(key), None) => context.alternate(&key, &columns)?,
            (None, None, Some(column)) => Identity::Record { column: context.source(&column) },
            (None, None, None) => {
                let problem = "`key` is missing: name the columns of the file that tell one row from another, or give `match`, \
                               an alternate key of the table, so that running the import again brings nothing in twice";
                return Err(root.fault(problem));
            }
            (key, alternate, id) => {
                let places = key.iter().flatten().chain(&alternate).chain(&id);
                let place = places.map(Text::span).next().unwrap_or(0..0);
                return Err(document.fault(place, "`key`, `match` and `id` exclude each other: keep one"));
            }
        };
        root.finish()?;

        Ok(Self {
            file: file.to_owned(),
            digest: Sha256::digest(text.as_bytes()).into(),
            table: context.table,
            identity,
            delimiter,
            cells,
            only,
            columns,
            lookups: context.lookups,
            sources: context.sources,
        })
    }

    /// The table that rows are brought into.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Whether files are read a second time.
    pub(super) fn has_second_pass(&self) -> bool {
        self.columns.iter().any(|column| column.later)
    }
}

/// Whether a mapping can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(is_plain)
}

/// The namespace of the ids that a mapping of that name makes.
pub(super) fn namespace(mapping: &str) -> Guid {
    Guid::new_v5(&NAMESPACE, mapping.as_bytes())
}

fn required(root: &mut Properties<'_>, name: &'static str) -> Result<Text> {
    root.text(name)?.ok_or_else(|| root.fault(format!("`{name}` is missing")))
}

/// The time zone of that name.
pub(super) fn time_zone(document: Document<'_>, name: &Text) -> Result<TimeZone> {
    date_pattern::time_zone(name.get_ref()).ok_or_else(|| {
        let problem =
            format!("there is no time zone `{}`: give an IANA name such as `America/New_York`", name.get_ref());
        document.fault(name.span(), problem)
    })
}

/// Whether an empty cell clears what a record has.
pub(super) fn clears(document: Document<'_>, empty: Option<Text>) -> Result<Option<bool>> {
    let Some(empty) = empty else { return Ok(None) };
    match empty.get_ref().as_str() {
        "keep" => Ok(Some(false)),
        "clear" => Ok(Some(true)),
        other => {
            let problem = format!("`empty` is `keep` (an empty cell leaves what there is) or `clear`, not `{other}`");
            Err(document.fault(empty.span(), problem))
        }
    }
}

fn delimiter(document: Document<'_>, delimiter: Option<Text>) -> Result<u8> {
    let Some(delimiter) = delimiter else { return Ok(b',') };
    match delimiter.get_ref().as_bytes() {
        &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
        _ => Err(document.fault(delimiter.span(), "`delimiter` is one character such as `,` `;` or a tab")),
    }
}

fn cell_form(document: Document<'_>, form: Option<Text>) -> Result<CellForm> {
    let Some(form) = form else { return Ok(CellForm::default()) };
    match form.get_ref().as_str() {
        "trimmed" => Ok(CellForm::Trimmed),
        "exact" => Ok(CellForm::Exact),
        "guarded" => Ok(CellForm::Guarded),
        other => {
            let problem = format!(
                "`cells` is `trimmed` (without the blanks around them), `exact` or `guarded` (as `custodia export` writes \
                 them), not `{other}`"
            );
            Err(document.fault(form.span(), problem))
        }
    }
}

impl Context<'_> {
    /// The number of a column of the file.
    pub fn source(&mut self, name: &Text) -> usize {
        if let Some(at) = self.sources.iter().position(|source| source.name == *name.get_ref()) {
            return at;
        }
        let line = self.document.line(name.span());
        self.sources.push(SourceColumn { name: name.get_ref().clone(), line });
        self.sources.len() - 1
    }

    /// Conditions, all of which must hold: one in braces or a list of them.
    pub fn conditions(&mut self, properties: &mut Properties<'_>, name: &'static str) -> Result<Vec<Condition>> {
        let Some(value) = properties.get(name) else { return Ok(Vec::new()) };
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let mut conditions = Vec::with_capacity(values.len());
        for value in values {
            let mut properties = Properties::of(properties.document, value, &format!("`{name}`"))?;
            let column = properties.text("column")?;
            let column = column.ok_or_else(|| properties.fault("a condition names its `column` of the file"))?;
            let plain = |texts: Vec<Text>| texts.into_iter().map(Text::into_inner).collect();
            let tests = [
                properties.texts("is")?.map(|texts| Test::Is(plain(texts))),
                properties.texts("is_not")?.map(|texts| Test::IsNot(plain(texts))),
                properties.flag("empty")?.map(Test::Empty),
            ];
            let mut tests = tests.into_iter().flatten();
            let (Some(test), None) = (tests.next(), tests.next()) else {
                return Err(properties.fault("a condition has one of `is`, `is_not` and `empty`"));
            };
            properties.finish()?;
            conditions.push(Condition { column: self.source(&column), test });
        }
        Ok(conditions)
    }

    /// The identity by an alternate key of the table, all of whose columns every row gives.
    fn alternate(&self, name: &Text, columns: &[ColumnRules]) -> Result<Identity> {
        let fault = |problem: String| self.document.fault(name.span(), problem);
        let Some(key) = self.table.keys.iter().find(|key| key.name == *name.get_ref()) else {
            let known: Vec<_> = self.table.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(fault(format!(
                "`{}` is no alternate key of `{}` (there is {known}): use `key`",
                name.get_ref(),
                self.table.name
            )));
        };
        for id in &key.columns {
            let rules = columns.iter().find(|rules| rules.column.id == *id);
            let given = rules.is_some_and(|rules| !rules.later && rules.is_of_row_alone());
            if !given {
                let column = self.table.column_by_id(*id).map_or("", |column| &column.name);
                return Err(fault(format!(
                    "`{column}` belongs to the key `{}`: give it in `columns`, not `later` and not by a lookup",
                    name.get_ref()
                )));
            }
        }
        Ok(Identity::Alternate { columns: key.columns.clone() })
    }
}
