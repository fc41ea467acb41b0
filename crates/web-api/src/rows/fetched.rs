//! Rows that FetchXML asks for into bytes: columns of several rows side by side, under the names that the query gives them.

use std::sync::Arc;

use custodia_query::fetchxml::RowsQuestion;
use custodia_query::{Field, Query};
use custodia_schema::{ColumnKind, Table};

use super::{Kind, Node, Planning, Property, RecordPlan, RowPlan, Wanted, property_start};
use crate::media::MetadataLevel;

impl Planning<'_> {
    /// Works out what the rows of a question look like. Adds to its query the values that annotations need.
    pub(crate) fn plan_fetched(&self, question: &mut RowsQuestion) -> RowPlan {
        let wanted = Wanted::of(self.preferences);
        // Equal rows are told by what they show: nothing may come beside it that tells them apart.
        let keyed = !question.query.distinct;
        self.add_needed(question, &wanted, keyed);
        let RowsQuestion { query, tables, columns } = question;

        let fields_of: Vec<&[Field]> = std::iter::once(query.fields.as_slice())
            .chain(query.links.iter().map(|link| link.fields.as_slice()))
            .collect();
        let bases = fields_of.iter().scan(0, |next, fields| {
            let base = *next;
            *next += fields.len();
            Some(base)
        });
        let rows: Vec<(usize, &[Field])> = bases.zip(fields_of.iter().copied()).collect();
        let position = |row: usize, field: Field| {
            let (base, fields) = rows.get(row)?;
            fields.iter().position(|known| *known == field).map(|position| base + position)
        };

        let root = tables.first().and_then(|table| self.schema.table(*table));
        let version = root.and_then(|table| table.column("versionnumber"));
        let shows_links = keyed && self.media.metadata == MetadataLevel::Full;
        let mut record = RecordPlan {
            id_at: 0,
            version_at: version
                .filter(|_| keyed && self.media.metadata != MetadataLevel::None)
                .and_then(|column| position(0, Field::Column(column.id))),
            links: root.filter(|_| shows_links).map(|table| self.links(table)),
            as_owner: None,
            properties: Vec::with_capacity(columns.len()),
            numbers_quoted: self.media.numbers_quoted,
        };
        for shown in columns.iter() {
            let Some(at) = position(shown.row, shown.field) else { continue };
            let table = tables.get(shown.row).and_then(|table| self.schema.table(*table));
            let column = match (shown.field, table) {
                (Field::Column(column), Some(table)) => table.column_by_id(column).map(|column| (table, column)),
                _ => None,
            };
            let only_values = !shown.null_shown;
            let property = match column {
                Some((table, column)) => {
                    // An amount whose currency is not known is not shown as one of the base currency.
                    let currency = table.column("transactioncurrencyid").map(|currency| Field::Column(currency.id));
                    let knows_currency = currency.is_none_or(|currency| position(shown.row, currency).is_some());
                    let formatted = wanted.formatted && (knows_currency || !has_currency(table, &column.kind));
                    let wanted = Wanted { formatted, ..wanted };
                    let at_field = |field: Field| position(shown.row, field);
                    Property { only_values, ..self.property(&shown.name, table, column, at, &at_field, &wanted) }
                }
                None => Property {
                    start: property_start(&shown.name),
                    at,
                    kind: Kind::Plain,
                    annotations: Vec::new(),
                    only_values,
                },
            };
            record.properties.push(property);
        }
        RowPlan { node: Node { record, related: Vec::new() }, formats: Arc::default() }
    }

    /// Adds the values that annotations and entity tags need.
    fn add_needed(&self, question: &mut RowsQuestion, wanted: &Wanted, keyed: bool) {
        for shown in &question.columns {
            let table = question.tables.get(shown.row).and_then(|table| self.schema.table(*table));
            let (Field::Column(column), Some(table)) = (shown.field, table) else { continue };
            let Some(column) = table.column_by_id(column) else { continue };
            let mut needed = Vec::new();
            wanted.add_fields_of(column, keyed, &mut needed);
            if keyed && wanted.formatted && has_currency(table, &column.kind) {
                needed.extend(table.column("transactioncurrencyid").map(|currency| Field::Column(currency.id)));
            }
            for field in needed {
                add_field(&mut question.query, shown.row, field);
            }
        }
        let root = question.tables.first().and_then(|table| self.schema.table(*table));
        if let Some(version) = root.and_then(|table| table.column("versionnumber")).filter(|_| keyed) {
            add_field(&mut question.query, 0, Field::Column(version.id));
        }
    }
}

/// Whether a value is an amount in a currency that its row tells.
fn has_currency(table: &Table, kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Money { .. }) && table.column("transactioncurrencyid").is_some()
}

fn add_field(query: &mut Query, row: usize, field: Field) {
    let fields = match row.checked_sub(1) {
        None => Some(&mut query.fields),
        Some(link) => query.links.get_mut(link).map(|link| &mut link.fields),
    };
    if let Some(fields) = fields
        && !fields.contains(&field)
    {
        fields.push(field);
    }
}
