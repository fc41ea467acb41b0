//! The relationships between tables.

use std::collections::{HashMap, HashSet};

use toml::Spanned;

use super::columns::is_owner;
use super::defaults::Defaults;
use super::draft::Draft;
use super::raw::{End, ManyToManyFile, Parent};
use super::{LoadError, Source, TableIds, table_of};
use crate::{Column, ColumnId, ColumnKind, ManyToMany, OneToMany, Table, TableId};

/// Reads the 1:N relationships from the children's files, in order of the files and their lines.
pub(super) fn one_to_many(
    drafts: &[Draft<'_>],
    tables: &[Table],
    ids: &TableIds,
    defaults: &Defaults,
) -> Result<Vec<OneToMany>, LoadError> {
    let mut relationships = Vec::new();
    let mut names: HashSet<&str> = HashSet::new();
    let mut navigations = Navigations::default();
    for (draft, table) in drafts.iter().zip(tables) {
        let first = relationships.len();
        for line in &draft.file.parents {
            let relationship = read(draft, line, table, tables, ids, defaults)?;
            if !names.insert(line.get_ref().name.as_str()) {
                return Err(draft.fault(line, format!("a second relationship `{}`: rename one", relationship.name)));
            }
            navigations.add_pair(&relationship, table, tables).map_err(|problem| draft.fault(line, problem))?;
            let of_table = relationships.get(first..).unwrap_or_default();
            check_against(&relationship, of_table).map_err(|problem| draft.fault(line, problem))?;
            relationships.push(relationship);
        }
        let of_table = relationships.get(first..).unwrap_or_default();
        for (line, column) in
            draft.file.columns.iter().filter_map(|line| Some((line, table.column(&line.get_ref().name)?)))
        {
            let lacking = column.kind.targets().iter().find(|&&target| {
                !of_table.iter().any(|known| known.referencing_column == column.id && known.referenced == target)
            });
            if let Some(&target) = lacking {
                let target = table_of(tables, target).map_or("", |target| target.name.as_str());
                return Err(draft.fault(
                    line,
                    format!("`{}` may point at `{target}` but `parents` has no line for that: add one", column.name),
                ));
            }
        }
    }
    Ok(relationships)
}

fn read(
    draft: &Draft<'_>,
    line: &Spanned<Parent>,
    table: &Table,
    tables: &[Table],
    ids: &TableIds,
    defaults: &Defaults,
) -> Result<OneToMany, LoadError> {
    let raw = line.get_ref();
    let Some(column) = table.column(&raw.column) else {
        return Err(draft.fault(line, format!("there is no column `{}`: add it or correct the name", raw.column)));
    };
    let ColumnKind::Lookup { targets, .. } = &column.kind else {
        return Err(draft.fault(line, format!("`{}` is no lookup: make it one or remove the relationship", raw.column)));
    };
    let Some(&referenced) = ids.get(&raw.table) else {
        return Err(draft.fault(line, format!("there is no table `{}`: add its file or correct the name", raw.table)));
    };
    let parent = table_of(tables, referenced);
    // An activity of any type is also a row of `activitypointer`, under the same id.
    let as_activity = || ids.get("activitypointer").is_some_and(|pointer| targets.contains(pointer));
    let fits = targets.contains(&referenced) || (parent.is_some_and(|parent| parent.is_activity) && as_activity());
    if !fits {
        return Err(draft.fault(
            line,
            format!(
                "`{}` does not point at `{}`: add it to the column's targets or remove the relationship",
                raw.column, raw.table
            ),
        ));
    }
    let cascade = match raw.cascade {
        Some(words) => words.cascade(),
        None => defaults.cascade(&raw.column, &raw.table, &table.name).ok_or_else(|| {
            draft.fault(line, "no cascade, and no rule of defaults.toml fits: add cascade = { … } here or a rule there")
        })?,
    };
    let hierarchical = raw.hierarchical || defaults.is_hierarchical(&raw.name);
    if hierarchical && referenced != table.id {
        return Err(draft.fault(line, "a hierarchy leads from a table to itself: remove hierarchical"));
    }
    Ok(OneToMany {
        name: raw.name.clone(),
        referenced,
        referencing: table.id,
        referencing_column: column.id,
        cascade,
        collection_navigation: raw.collection.as_ref().unwrap_or(&raw.name).clone(),
        lookup_navigation: raw.navigation.clone().unwrap_or_else(|| navigation(table, column, &raw.table)),
        hierarchical,
    })
}

/// The name of the single value when the relationship does not state it: the module's documentation has the rule.
fn navigation(child: &Table, column: &Column, parent: &str) -> String {
    let mut name = column.name.clone();
    if is_owner(column) {
        return name;
    }
    if column.kind.is_polymorphic() {
        name.push('_');
        name.push_str(parent);
    }
    if child.is_activity {
        name.push('_');
        name.push_str(&child.name);
    }
    name
}

/// A lookup has one relationship per parent, a table one hierarchy.
fn check_against(relationship: &OneToMany, of_table: &[OneToMany]) -> Result<(), String> {
    let same = |known: &&OneToMany| {
        known.referencing_column == relationship.referencing_column && known.referenced == relationship.referenced
    };
    if let Some(known) = of_table.iter().find(same) {
        return Err(format!("`{}` already joins this lookup and that table: remove one", known.name));
    }
    if let Some(known) = of_table.iter().find(|known| known.hierarchical && relationship.hierarchical) {
        return Err(format!("`{}` is already the table's hierarchy: keep one", known.name));
    }
    Ok(())
}

/// Reads `many-to-many.toml`.
pub(super) fn many_to_many(
    source: &Source<'_>,
    tables: &[Table],
    ids: &TableIds,
    one_to_many: &[OneToMany],
) -> Result<Vec<ManyToMany>, LoadError> {
    let file: ManyToManyFile = source.parse()?;
    let mut names: HashSet<&str> = one_to_many.iter().map(|known| known.name.as_str()).collect();
    let mut navigations = Navigations::default();
    for relationship in one_to_many {
        navigations.take(relationship.referenced, &relationship.collection_navigation, None);
        navigations.take(
            relationship.referencing,
            &relationship.lookup_navigation,
            Some(relationship.referencing_column),
        );
    }
    let mut links = Vec::with_capacity(file.many_to_many.len());
    for entry in &file.many_to_many {
        let raw = entry.get_ref();
        let fault = |problem: String| source.fault(&entry.span(), problem);
        let table = |name: &str| {
            let table = ids.get(name).and_then(|&id| table_of(tables, id));
            table.ok_or_else(|| fault(format!("there is no table `{name}`: add its file or correct the name")))
        };
        let intersect = table(&raw.intersect)?;
        let first = table(&raw.first.table)?;
        let second = table(&raw.second.table)?;
        let column = |end: &End, far: &Table| -> Result<ColumnId, LoadError> {
            let column = intersect.column(&end.column).filter(|column| match &column.kind {
                ColumnKind::Guid => column.id != intersect.primary_id,
                ColumnKind::Lookup { targets, .. } => targets.contains(&far.id),
                _ => false,
            });
            let column = column.ok_or_else(|| {
                fault(format!(
                    "`{}` has no column `{}` that can hold ids of `{}`: add it or correct the name",
                    intersect.name, end.column, far.name
                ))
            })?;
            Ok(column.id)
        };
        let link = ManyToMany {
            name: raw.name.clone(),
            intersect: intersect.id,
            first: first.id,
            first_column: column(&raw.first, first)?,
            second: second.id,
            second_column: column(&raw.second, second)?,
            first_navigation: end_navigation(&raw.first, &raw.name, first.id == second.id, "Referencing"),
            second_navigation: end_navigation(&raw.second, &raw.name, first.id == second.id, "Referenced"),
        };
        if link.first_column == link.second_column {
            return Err(fault(format!("`{}` holds both ends: name two columns", raw.first.column)));
        }
        if !names.insert(&raw.name) {
            return Err(fault(format!("a second relationship `{}`: rename one", raw.name)));
        }
        for (end, name) in [(first, &link.first_navigation), (second, &link.second_navigation)] {
            navigations.add(end, name, None).map_err(fault)?;
        }
        links.push(link);
    }
    Ok(links)
}

/// The name of an end's collection when the relationship does not state it.
fn end_navigation(end: &End, relationship: &str, with_itself: bool, prefix: &str) -> String {
    match &end.navigation {
        Some(name) => name.clone(),
        None if with_itself => format!("{prefix}{relationship}"),
        None => relationship.to_owned(),
    }
}

/// The navigation names of each table: of its lookups and of the collections behind it.
#[derive(Default)]
struct Navigations(HashMap<(TableId, String), Option<ColumnId>>);

impl Navigations {
    fn add_pair(&mut self, relationship: &OneToMany, child: &Table, tables: &[Table]) -> Result<(), String> {
        let column = relationship.referencing_column;
        let shared = child.column_by_id(column).filter(|column| is_owner(column)).map(|column| column.id);
        self.add(child, &relationship.lookup_navigation, shared)?;
        match table_of(tables, relationship.referenced) {
            Some(parent) => self.add(parent, &relationship.collection_navigation, None),
            None => Ok(()),
        }
    }

    /// Takes a name of a table. `shared` is the owner column if the name is its navigation, which users and teams share.
    fn add(&mut self, table: &Table, name: &str, shared: Option<ColumnId>) -> Result<(), String> {
        if table.column(name).is_some_and(|column| !matches!(column.kind, ColumnKind::Lookup { .. })) {
            return Err(format!("navigation `{name}` is also a column of `{}`: rename it", table.name));
        }
        match self.take(table.id, name, shared) {
            Some(known) if shared.is_none() || known != shared => {
                Err(format!("`{}` already has a navigation `{name}`: rename one", table.name))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, table: TableId, name: &str, shared: Option<ColumnId>) -> Option<Option<ColumnId>> {
        self.0.insert((table, name.to_owned()), shared)
    }
}
