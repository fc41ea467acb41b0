//! A table file that has been read but not yet checked against the others.

use std::collections::HashMap;

use toml::Spanned;

use super::defaults::{Defaults, Place};
use super::raw::TableFile;
use super::{LoadError, Source, TableIds, columns};
use crate::{AlternateKey, Choice, Column, ColumnId, ColumnKind, Label, ListIndex, Table, TableId};

/// A table file that has been read but not yet checked against the others.
pub(super) struct Draft<'a> {
    pub source: Source<'a>,
    pub file: TableFile,
    pub id: TableId,
}

impl<'a> Draft<'a> {
    pub fn read(source: Source<'a>, defaults: &Defaults) -> Result<Self, LoadError> {
        let file: TableFile = source.parse()?;
        let name = file.name.get_ref();
        if source.name.strip_suffix(".toml") != Some(name.as_str()) {
            return Err(source.fault(
                &file.name.span(),
                format!("the table is called `{name}`: name the file `{name}.toml`, or the table like the file"),
            ));
        }
        check_name(&source, &file.name.span(), name)?;
        if file.schema.to_ascii_lowercase() != *name {
            return Err(source.fault(
                &file.name.span(),
                format!("schema name `{}` is not the logical name in mixed case: write it so", file.schema),
            ));
        }
        let code = match &file.code {
            Some(code) => Some(*code.get_ref()),
            None => defaults.of_table(name).code,
        };
        let Some(code) = code.filter(|&code| code > 0) else {
            return Err(source.fault(
                &file.name.span(),
                format!(
                    "`{name}` has no object type code: add code = NUMBER here or under [tables.{name}] in defaults.toml"
                ),
            ));
        };
        Ok(Self { source, file, id: TableId(code) })
    }

    pub fn name(&self) -> &str {
        self.file.name.get_ref()
    }

    /// The table with its columns, keys and indexes, protected as the file or the defaults say. Privileges come later:
    /// they may be another table's.
    pub fn table(
        &self,
        ids: &TableIds,
        defaults: &Defaults,
        option_sets: &HashMap<String, Vec<Choice>>,
    ) -> Result<Table, LoadError> {
        let file = &self.file;
        let columns = columns::read(self, ids, defaults, option_sets)?;
        let by_name: HashMap<String, usize> =
            columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
        let find = |name: &str| by_name.get(name).and_then(|&at| columns.get(at));

        let primary_id = self.known(&file.primary_id, find(file.primary_id.get_ref()))?;
        if primary_id.kind != ColumnKind::Guid {
            return Err(self.fault(&file.primary_id, "the primary id must be of kind guid: change the column's kind"));
        }
        if primary_id.updatable {
            return Err(self.fault(&file.primary_id, "the primary id of a row never changes: take out update = true"));
        }
        let primary_name = match &file.primary_name {
            Some(name) => {
                let column = self.known(name, find(name.get_ref()))?;
                if !column.kind.is_text() {
                    return Err(
                        self.fault(name, "the primary name must be of kind text or memo: change the column's kind")
                    );
                }
                Some(column.id)
            }
            None => None,
        };

        let mut keys = Vec::with_capacity(file.keys.len());
        for key in &file.keys {
            let raw = key.get_ref();
            if keys.iter().any(|known: &AlternateKey| known.name == raw.name) {
                return Err(self.fault(key, format!("a second key `{}`: rename or remove it", raw.name)));
            }
            let columns = self.column_list(key, &raw.columns, find)?;
            if let Some(column) = raw.columns.iter().filter_map(|name| find(name)).find(|column| column.secured) {
                return Err(self.fault(
                    key,
                    format!(
                        "key `{}` holds `{}`, which is secured: a key would give its values away",
                        raw.name, column.name
                    ),
                ));
            }
            keys.push(AlternateKey { name: raw.name.clone(), columns });
        }
        let mut list_indexes = Vec::with_capacity(file.list_indexes.len());
        for index in &file.list_indexes {
            list_indexes.push(ListIndex { columns: self.column_list(index, index.get_ref(), find)? });
        }

        let security = super::security::row_security(self, defaults, &columns, find)?;
        let switches = defaults.switches();
        let mut usual = match &file.usual {
            Some(names) => self.column_list(names, names.get_ref(), find)?,
            None => Vec::new(),
        };
        for column in switches.usual.iter().filter_map(|name| find(name)) {
            if !usual.contains(&column.id) {
                usual.push(column.id);
            }
        }
        Ok(Table {
            id: self.id,
            name: self.name().to_owned(),
            schema_name: file.schema.clone(),
            set_name: file.set.as_ref().map(|set| set.get_ref().clone()).unwrap_or_default(),
            display_name: Label(file.label.clone()),
            display_collection_name: Label(file.collection_label.clone()),
            primary_id: primary_id.id,
            primary_name,
            ownership: file.ownership,
            security,
            is_activity: file.activity,
            is_intersect: file.intersect,
            audited: file.audited.unwrap_or(switches.audited),
            reads_audited: false,
            lists_audited: false,
            optimistic_concurrency: file.optimistic_concurrency.unwrap_or(switches.optimistic_concurrency),
            change_tracking: file.change_tracking.unwrap_or(switches.change_tracking),
            has_notes: file.notes,
            has_activities: file.activities,
            privileges: Vec::new(),
            keys,
            list_indexes,
            own_indexes: Vec::new(),
            usual,
            columns,
            by_name,
        })
    }

    /// What the column of that name is to the table.
    pub fn place(&self, column: &str) -> Place {
        if self.file.primary_id.get_ref() == column {
            Place::PrimaryId
        } else if self.file.primary_name.as_ref().is_some_and(|name| name.get_ref() == column) {
            Place::PrimaryName
        } else {
            Place::Other
        }
    }

    /// A fault at a part of the file.
    pub fn fault<T>(&self, part: &Spanned<T>, problem: impl Into<String>) -> LoadError {
        self.source.fault(&part.span(), problem)
    }

    fn known<'c>(&self, name: &Spanned<String>, column: Option<&'c Column>) -> Result<&'c Column, LoadError> {
        column.ok_or_else(|| {
            self.fault(name, format!("there is no column `{}`: add it or correct the name", name.get_ref()))
        })
    }

    /// The numbers of stored columns of a key or an index: at least one, none twice.
    fn column_list<'c, T>(
        &self,
        part: &Spanned<T>,
        names: &[String],
        find: impl Fn(&str) -> Option<&'c Column>,
    ) -> Result<Vec<ColumnId>, LoadError> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let Some(column) = find(name) else {
                return Err(self.fault(part, format!("there is no column `{name}`: add it or correct the name")));
            };
            if !column.kind.is_stored() {
                return Err(self.fault(part, format!("`{name}` is not stored and cannot be indexed: take it out")));
            }
            if ids.contains(&column.id) {
                return Err(self.fault(part, format!("`{name}` stands twice: take one out")));
            }
            ids.push(column.id);
        }
        if ids.is_empty() {
            return Err(self.fault(part, "no columns: name at least one"));
        }
        Ok(ids)
    }
}

/// Gives each table's number by its name, and sees that names, numbers and set names are each used once.
pub(super) fn register(drafts: &[Draft<'_>]) -> Result<TableIds, LoadError> {
    let mut ids = TableIds::with_capacity(drafts.len());
    let mut codes: HashMap<TableId, &str> = HashMap::with_capacity(drafts.len());
    let mut sets: HashMap<&str, &str> = HashMap::with_capacity(drafts.len());
    for draft in drafts {
        if ids.insert(draft.name().to_owned(), draft.id).is_some() {
            return Err(draft.fault(&draft.file.name, format!("a second table `{}`: give one file only", draft.name())));
        }
        if let Some(other) = codes.insert(draft.id, draft.name()) {
            let span = draft.file.code.as_ref().map_or(draft.file.name.span(), Spanned::span);
            return Err(draft
                .source
                .fault(&span, format!("code {} is already `{other}`'s: give one of them another", draft.id)));
        }
        if let Some(set) = &draft.file.set
            && let Some(other) = sets.insert(set.get_ref(), draft.name())
        {
            return Err(draft.fault(set, format!("set `{}` is already `{other}`'s: rename one", set.get_ref())));
        }
    }
    Ok(ids)
}

/// A logical name: lower-case letters, digits and single underscores, a letter first.
///
/// Two underscores in a row are kept for the companions of stored columns (`name__f`, `ownerid__t`).
pub(super) fn check_name(source: &Source<'_>, span: &std::ops::Range<usize>, name: &str) -> Result<(), LoadError> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let made_well = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if starts_well && made_well && !name.contains("__") && name.len() <= 100 {
        return Ok(());
    }
    Err(source.fault(
        span,
        format!(
            "`{name}` is not a logical name: use lower-case letters, digits and single underscores, a letter first, at most 100 in all"
        ),
    ))
}
