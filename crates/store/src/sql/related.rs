//! Rows on the far side of one row's relationship.

use custodia_query::Related;
use custodia_schema::{ColumnId, Guid, Schema, TableId};

use super::CompileError;
use super::access::{primary, stored};
use super::filter::constant;
use super::join::Joins;
use super::storage::TARGET;
use super::writer::Writer;

/// The condition that ties the queried rows to the row they hang on.
pub(crate) fn write(w: &mut Writer, joins: &Joins<'_>, related: &Related) -> Result<(), CompileError> {
    match related {
        Related::ByLookup { lookup, parent, parent_table } => by_lookup(w, joins, *lookup, *parent, *parent_table),
        Related::ByLink { parent, .. } => by_link(w, joins, related, *parent),
    }
}

/// The intersect table of a link and its columns for the queried and the other side.
pub(crate) struct LinkEnds {
    pub(crate) intersect: TableId,
    queried: TableId,
    other: TableId,
    near: ColumnId,
    far: ColumnId,
}

/// The ends of a [`Related::ByLink`]; `None` for lookups and for relationships that the schema does not have.
pub(crate) fn link_ends(schema: &Schema, related: &Related) -> Option<LinkEnds> {
    let Related::ByLink { relationship, queried_is_second, .. } = related else { return None };
    let link = schema.many_to_many().get(usize::try_from(relationship.0).ok()?)?;
    let (queried, near, other, far) = if *queried_is_second {
        (link.second, link.second_column, link.first, link.first_column)
    } else {
        (link.first, link.first_column, link.second, link.second_column)
    };
    Some(LinkEnds { intersect: link.intersect, queried, other, near, far })
}

fn by_lookup(
    w: &mut Writer,
    joins: &Joins<'_>,
    lookup: ColumnId,
    parent: Guid,
    parent_table: TableId,
) -> Result<(), CompileError> {
    let column = stored(joins.table, lookup)?;
    if !joins.policy.reads_column(joins.table, lookup) {
        constant(w, false);
        return Ok(());
    }
    w.column(joins.root, &column.name, "");
    w.text(" = ");
    w.guid(parent);
    if column.kind.is_polymorphic() {
        w.text(" AND ");
        w.column(joins.root, &column.name, TARGET);
        w.text(" = ");
        w.number(u64::from(parent_table.0));
    }
    Ok(())
}

/// By IN, so that SQLite finds the few linked rows first instead of asking each row for its links.
fn by_link(w: &mut Writer, joins: &Joins<'_>, related: &Related, parent: Guid) -> Result<(), CompileError> {
    let context = joins.access.context;
    let link = link_ends(context.schema, related).filter(|link| link.queried == joins.table.id).ok_or_else(|| {
        CompileError::NoRelationship {
            table: joins.table.name.clone(),
            why: "no such many-to-many relationship ends there",
        }
    })?;
    let intersect = context.schema.table(link.intersect).ok_or(CompileError::NoTable(link.intersect))?;
    if !context.tables.exists(intersect.id) {
        constant(w, false);
        return Ok(());
    }
    let row = w.new_alias();
    w.column(joins.root, &primary(joins.table)?.name, "");
    w.text(" IN (SELECT ");
    w.column(row, &stored(intersect, link.near)?.name, "");
    w.text(" FROM ");
    w.table(&intersect.name, row);
    w.text(" WHERE ");
    w.column(row, &stored(intersect, link.far)?.name, "");
    w.text(" = ");
    w.guid(parent);
    // Where an end may be in several tables, an id alone does not tell which record it is.
    for (end, table) in [(link.near, link.queried), (link.far, link.other)] {
        let column = stored(intersect, end)?;
        if column.kind.is_polymorphic() {
            w.text(" AND ");
            w.column(row, &column.name, TARGET);
            w.text(" = ");
            w.number(u64::from(table.0));
        }
    }
    w.text(")");
    Ok(())
}
