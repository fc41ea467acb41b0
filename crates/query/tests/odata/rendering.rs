//! Trees as short texts that a test can compare: names instead of numbers, everything else as it is.

use custodia_query::{Expand, Field, Filter, Order, Path, Query, Related};
use custodia_schema::{Guid, Table, TableId};

use crate::world::schema;

fn table_of(id: TableId) -> &'static Table {
    schema().table(id).unwrap()
}

pub(crate) fn path(table: &Table, path: &Path) -> String {
    path_in(&[table], path)
}

/// `rows` are the tables of the rows that a path may start at.
pub(crate) fn path_in(rows: &[&Table], path: &Path) -> String {
    let mut table = rows[path.row];
    let mut text = if path.row > 0 { format!("{}:", path.row) } else { String::new() };
    for step in &path.steps {
        let lookup = table.column_by_id(step.lookup).unwrap();
        table = table_of(step.target);
        text.push_str(&format!("{}>{}.", lookup.name, table.name));
    }
    text.push_str(&table.column_by_id(path.column).unwrap().name);
    text
}

pub(crate) fn filter(table: &Table, tree: &Filter) -> String {
    filter_in(&[table], tree)
}

pub(crate) fn filter_in(table: &[&Table], tree: &Filter) -> String {
    let filter = filter_in;
    let path = path_in;
    let list = |parts: &[Filter]| parts.iter().map(|part| filter(table, part)).collect::<Vec<_>>().join(", ");
    match tree {
        Filter::True => "True".into(),
        Filter::False => "False".into(),
        Filter::And(parts) => format!("And({})", list(parts)),
        Filter::Or(parts) => format!("Or({})", list(parts)),
        Filter::Not(inner) => format!("Not({})", filter(table, inner)),
        Filter::Compare { path: column, operator, value } => {
            format!("{} {operator:?} {value:?}", path(table, column))
        }
        Filter::CompareColumns { left, operator, right } => {
            format!("{} {operator:?} column {}", path(table, left), path(table, right))
        }
        Filter::IsNull(column) => format!("IsNull({})", path(table, column)),
        Filter::In { path: column, values } => format!("{} In {values:?}", path(table, column)),
        Filter::Like { path: column, pattern } => format!("{} Like {pattern:?}", path(table, column)),
        Filter::ContainsAny { path: column, options } => format!("{} ContainsAny {options:?}", path(table, column)),
        Filter::InPeriod { path: column, period, .. } => format!("{} InPeriod {period}", path(table, column)),
        Filter::Hierarchy { path: column, table: tree, parent, of, direction, inclusive } => {
            let tree = table_of(*tree);
            let parent = &tree.column_by_id(*parent).unwrap().name;
            let or_equal = if *inclusive { "OrEqual" } else { "" };
            format!("{} {direction:?}{or_equal} {of} by {}.{parent}", path(table, column), tree.name)
        }
        Filter::Exists(exists) => {
            let far = table_of(exists.table);
            let mut rows = vec![far];
            let mut text = format!(
                "Exists({}.{} = {}",
                far.name,
                far.column_by_id(exists.far).unwrap().name,
                path(table, &exists.near)
            );
            for link in &exists.links {
                let linked = table_of(link.table);
                let near = &rows[link.from].column_by_id(link.near).unwrap().name;
                let far = &linked.column_by_id(link.far).unwrap().name;
                text.push_str(&format!(" {:?} {}.{far} = {}:{near}", link.kind, linked.name, link.from));
                assert_eq!(link.filter, Filter::True);
                rows.push(linked);
            }
            format!("{text} where {})", filter(&rows, &exists.filter))
        }
    }
}

pub(crate) fn order(table: &Table, keys: &[Order]) -> String {
    keys.iter()
        .map(|key| format!("{}{}", path(table, &key.path), if key.descending { " desc" } else { "" }))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn fields(table: &Table, fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| match field {
            Field::Column(column) => table.column_by_id(*column).unwrap().name.clone(),
            other => format!("{other:?}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn expand(table: &Table, entry: &Expand) -> String {
    match entry {
        Expand::One { name, step, fields: shown, expand: within } => {
            let far = table_of(step.target);
            let lookup = &table.column_by_id(step.lookup).unwrap().name;
            let mut text = format!("One {name} {lookup}>{} [{}]", far.name, fields(far, shown));
            for entry in within {
                text.push_str(&format!(" with ({})", expand(far, entry)));
            }
            text
        }
        Expand::Many { name, query } => format!("Many {name} {}", self::query(query)),
    }
}

pub(crate) fn query(query: &Query) -> String {
    let table = table_of(query.table);
    let related = match &query.related {
        None => String::new(),
        Some(Related::ByLookup { lookup, parent, parent_table }) => {
            assert_eq!(*parent, Guid::nil());
            format!(" where {} is a row of {}", table.column_by_id(*lookup).unwrap().name, table_of(*parent_table).name)
        }
        Some(Related::ByLink { relationship, queried_is_second, .. }) => format!(
            " linked by {} as {}",
            schema().many_to_many()[relationship.0 as usize].name,
            if *queried_is_second { "second" } else { "first" }
        ),
    };
    let mut text = format!("{}{related} [{}]", table.name, fields(table, &query.fields));
    if query.filter != Filter::True {
        text.push_str(&format!(" filter {}", filter(table, &query.filter)));
    }
    if !query.order.is_empty() {
        text.push_str(&format!(" order {}", order(table, &query.order)));
    }
    if let Some(top) = query.top {
        text.push_str(&format!(" top {top}"));
    }
    if query.count {
        text.push_str(" count");
    }
    for entry in &query.expand {
        text.push_str(&format!(" expand {}", expand(table, entry)));
    }
    text
}
