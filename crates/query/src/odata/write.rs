//! Queries and groups written as query options that read back as the same.

use std::fmt::Write as _;

use custodia_schema::{Column, ColumnKind, Guid, Table};

use super::names::{CollectionNavigation, Navigation, SingleNavigation, navigation, property_name};
use super::print::{path_text, print, unsayable};
use super::select::projection;
use crate::{Aggregation, Expand, Field, Filter, GroupBy, Measure, Order, OrderBy, Path, Query, Unsayable, Words};

/// Writes a query as decoded options, in the order `$select`, `$filter`, `$orderby`, `$top`, `$count`, `$expand`.
///
/// They read back equal (see [`super::print()`] for filters), but for what stands elsewhere in a request and is not looked at
/// here: the size and place of the page, and the row whose collection is asked for.
///
/// # Errors
/// What OData has no words for: links, distinct rows, orders by labels or names, fields without the version of their row.
pub fn write_options(words: &Words<'_>, query: &Query) -> Result<Vec<(String, String)>, Unsayable> {
    let writer = Writer { words: *words };
    let table = writer.table(query.table)?;
    let mut options = vec![("$select".to_owned(), writer.select(table, &query.fields)?)];
    options.extend(writer.rows(table, query)?);
    if query.count {
        options.push(("$count".to_owned(), "true".to_owned()));
    }
    options.extend(writer.expand(table, &query.expand)?.map(|text| ("$expand".to_owned(), text)));
    Ok(options)
}

/// Writes a question about groups as decoded options, `$apply` and `$orderby`. The size and place of the page, the greatest
/// number of rows and the row whose collection is asked for stand elsewhere and are not looked at.
///
/// # Errors
/// What OData has no words for: links, parts of dates, orders by measures, counts of values that are not distinct.
pub fn write_apply(words: &Words<'_>, question: &Aggregation) -> Result<Vec<(String, String)>, Unsayable> {
    let writer = Writer { words: *words };
    let table = writer.table(question.rows.table)?;
    if !question.rows.links.is_empty() {
        return Err(unsayable("links"));
    }
    let mut text = String::new();
    if question.rows.filter != Filter::True {
        text = format!("filter({})/", print(words, table, &question.rows.filter)?);
    }
    let mut groups = Vec::new();
    for group in &question.groups {
        let (path, end, column) = path_text(words, table, &group.path)?;
        let has_groups =
            !matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. } | ColumnKind::DateTime { .. });
        if group.by != GroupBy::Value || !has_groups {
            return Err(unsayable(format!("groups by '{}'", column.name)));
        }
        let name = match group.path.steps.as_slice() {
            [] => property_name(column).into_owned(),
            _ => format!("{}_{}", end.name, property_name(column)),
        };
        if groups.iter().any(|(_, known)| *known == name) {
            return Err(unsayable(format!("two groups called '{name}'")));
        }
        groups.push((path, name));
    }
    let mut measures = Vec::new();
    for (position, measure) in question.measures.iter().enumerate() {
        measures.push(format!("{} as m{position}", writer.measure(table, measure)?));
    }
    let grouped: Vec<&str> = groups.iter().map(|(path, _)| path.as_str()).collect();
    // Writing into a string cannot fail.
    let _ = match (grouped.is_empty(), measures.is_empty()) {
        (true, true) => return Err(unsayable("a group that nothing is told of")),
        (true, false) => write!(text, "aggregate({})", measures.join(",")),
        (false, true) => write!(text, "groupby(({}))", grouped.join(",")),
        (false, false) => write!(text, "groupby(({}),aggregate({}))", grouped.join(","), measures.join(",")),
    };
    let mut options = vec![("$apply".to_owned(), text)];
    let mut keys = Vec::new();
    for (position, descending) in &question.order {
        let Some((path, _)) = groups.get(*position) else {
            return Err(unsayable("an order of groups by what is told of them"));
        };
        keys.push(format!("{path}{}", if *descending { " desc" } else { "" }));
        if question.order.iter().filter(|(other, _)| other == position).count() > 1 {
            return Err(unsayable("an order that names a group twice"));
        }
    }
    if !keys.is_empty() {
        options.push(("$orderby".to_owned(), keys.join(",")));
    }
    Ok(options)
}

struct Writer<'w> {
    words: Words<'w>,
}

impl<'w> Writer<'w> {
    fn table(&self, id: custodia_schema::TableId) -> Result<&'w Table, Unsayable> {
        self.words.schema.table(id).map(|table| &**table).ok_or_else(|| unsayable("a table that there is not"))
    }

    /// What all the rows of a query have in common with those of an expanded collection.
    fn rows(&self, table: &'w Table, query: &Query) -> Result<Vec<(String, String)>, Unsayable> {
        if !query.links.is_empty() {
            return Err(unsayable("links"));
        }
        if query.distinct {
            return Err(unsayable("distinct rows"));
        }
        let mut options = Vec::new();
        if query.filter != Filter::True {
            options.push(("$filter".to_owned(), print(&self.words, table, &query.filter)?));
        }
        if !query.order.is_empty() {
            options.push(("$orderby".to_owned(), self.order(table, &query.order)?));
        }
        if let Some(top) = query.top {
            options.push(("$top".to_owned(), top.to_string()));
        }
        Ok(options)
    }

    fn order(&self, table: &'w Table, order: &[Order]) -> Result<String, Unsayable> {
        let mut keys = Vec::new();
        for (position, key) in order.iter().enumerate() {
            if key.by != OrderBy::Value {
                return Err(unsayable("an order by labels or names"));
            }
            let is_key = |order: &Order| order.path == Path::own(table.primary_id);
            if order.iter().take(position).any(|known| known.path == key.path || is_key(known)) {
                return Err(unsayable("sort keys that decide nothing"));
            }
            let (path, _, column) = path_text(&self.words, table, &key.path)?;
            if !super::order::can_sort(column) {
                return Err(unsayable(format!("an order by '{}'", column.name)));
            }
            keys.push(if key.descending { format!("{path} desc") } else { path });
        }
        Ok(keys.join(","))
    }

    /// The columns of `$select`: those shown besides the key and the version, or the key.
    fn select(&self, table: &Table, fields: &[Field]) -> Result<String, Unsayable> {
        let columns = columns(table, fields)?;
        check_projection(table, &columns, fields)?;
        Ok(names(&columns).join(","))
    }

    /// The value of `$expand`, if anything is expanded.
    fn expand(&self, table: &'w Table, entries: &[Expand]) -> Result<Option<String>, Unsayable> {
        let mut items: Vec<String> = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        let mut rest = entries;
        while let [first, ..] = rest {
            let (Expand::One { name, .. } | Expand::Many { name, .. }) = first;
            if known.contains(&name.as_str()) {
                return Err(unsayable(format!("'{name}' expanded twice")));
            }
            known.push(name);
            let taken = match (navigation(self.words.schema, table, name), first) {
                (Some(Navigation::Single(single)), Expand::One { .. }) => {
                    let Some((these, _)) = rest.split_at_checked(single.targets.len()) else {
                        return Err(unsayable(format!("a part of what '{name}' leads to")));
                    };
                    items.push(self.single(&single, these)?);
                    these.len()
                }
                (Some(Navigation::Collection(collection)), Expand::Many { query, .. }) => {
                    items.push(self.collection(table, &collection, query)?);
                    1
                }
                _ => return Err(unsayable(format!("an expanded '{name}', which is no navigation"))),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok((!items.is_empty()).then(|| items.join(",")))
    }

    /// A navigation to one row, with an entry for each table that it may lead to.
    fn single(&self, single: &SingleNavigation, entries: &[Expand]) -> Result<String, Unsayable> {
        let name = &single.name;
        let mut shown = Vec::new();
        let mut inner = None;
        for (target, entry) in single.targets.iter().zip(entries) {
            let far = self.table(*target)?;
            let Expand::One { name: entered, step, fields, expand } = entry else {
                return Err(unsayable(format!("a part of what '{name}' leads to")));
            };
            if entered != name || step.lookup != single.lookup || step.target != *target {
                return Err(unsayable(format!("a part of what '{name}' leads to")));
            }
            if !expand.is_empty() && entries.len() > 1 {
                return Err(unsayable(format!("what is expanded on one of the tables that '{name}' leads to")));
            }
            inner = self.expand(far, expand)?;
            shown.push((far, fields.as_slice()));
        }
        if shown.iter().all(|(far, fields)| is_reference(far, fields)) && inner.is_none() {
            return Ok(format!("{name}/$ref"));
        }
        // All the names stand in one list, and each table takes those that it has.
        let mut all: Vec<String> = Vec::new();
        for (far, fields) in &shown {
            for column in names(&columns(far, fields)?) {
                if !all.contains(&column) {
                    all.push(column);
                }
            }
        }
        for (far, fields) in &shown {
            let known = all.iter().filter_map(|name| super::property(far, name));
            check_projection(far, &known.filter(|column| column.kind.is_stored()).collect::<Vec<_>>(), fields)?;
        }
        let expand = inner.map(|text| format!(";$expand={text}")).unwrap_or_default();
        Ok(format!("{name}($select={}{expand})", all.join(",")))
    }

    /// A navigation to many rows.
    fn collection(&self, table: &Table, navigation: &CollectionNavigation, query: &Query) -> Result<String, Unsayable> {
        let name = &navigation.name;
        let far = self.table(navigation.table)?;
        if query.table != far.id || query.related != Some(navigation.of(table.id, Guid::nil())) {
            return Err(unsayable(format!("other rows than those that '{name}' leads to")));
        }
        if query.count || query.skip > 0 || query.after.is_some() {
            return Err(unsayable(format!("numbers and pages of the rows that '{name}' leads to")));
        }
        let mut options = Vec::new();
        let references = is_reference(far, &query.fields);
        if !references {
            options.push(format!("$select={}", self.select(far, &query.fields)?));
        }
        options.extend(self.rows(far, query)?.into_iter().map(|(name, value)| format!("{name}={value}")));
        match self.expand(far, &query.expand)? {
            Some(_) if references => return Err(unsayable("what is expanded on addresses")),
            inner => options.extend(inner.map(|text| format!("$expand={text}"))),
        }
        let references = if references { "/$ref" } else { "" };
        Ok(match options.is_empty() {
            true => format!("{name}{references}"),
            false => format!("{name}{references}({})", options.join(";")),
        })
    }

    /// What is told of a group, up to the name that it gets.
    fn measure(&self, table: &'w Table, measure: &Measure) -> Result<String, Unsayable> {
        let (path, name) = match measure {
            Measure::Count => return Ok("$count".to_owned()),
            Measure::CountValues { path, distinct: true } => (path, "countdistinct"),
            Measure::CountValues { .. } => return Err(unsayable("a count of values that are not distinct")),
            Measure::Sum(path) => (path, "sum"),
            Measure::Average(path) => (path, "average"),
            Measure::Least(path) => (path, "min"),
            Measure::Greatest(path) => (path, "max"),
        };
        let (text, _, column) = path_text(&self.words, table, path)?;
        if !super::apply::has_measure(column, name) {
            return Err(unsayable(format!("'{name}' of '{}'", column.name)));
        }
        Ok(format!("{text} with {name}"))
    }
}

/// The columns among fields that are not there anyway; the key where there are none.
fn columns<'t>(table: &'t Table, fields: &[Field]) -> Result<Vec<&'t Column>, Unsayable> {
    let version = table.column("versionnumber").map(|column| column.id);
    let mut columns = Vec::new();
    for field in fields {
        let Field::Column(id) = field else {
            return Err(unsayable("values that annotations show, and numbers of children"));
        };
        let column = table.column_by_id(*id).filter(|column| column.readable || column.id == table.primary_id);
        let Some(column) = column else {
            return Err(unsayable(format!("a column of '{}' that cannot be read", table.name)));
        };
        if *id != table.primary_id && Some(*id) != version {
            columns.push(column);
        }
    }
    if columns.is_empty() {
        columns.extend(table.column_by_id(table.primary_id));
    }
    Ok(columns)
}

fn names(columns: &[&Column]) -> Vec<String> {
    columns.iter().map(|column| property_name(column).into_owned()).collect()
}

/// Selecting these columns shows exactly these fields.
fn check_projection(table: &Table, columns: &[&Column], fields: &[Field]) -> Result<(), Unsayable> {
    if projection(table, Some(columns)).0 == fields {
        return Ok(());
    }
    Err(unsayable(format!("rows of '{}' without their key, version or currency", table.name)))
}

/// Nothing is shown but what an address is made of.
fn is_reference(table: &Table, fields: &[Field]) -> bool {
    fields == [Field::Column(table.primary_id)] && table.column("versionnumber").is_some()
}
