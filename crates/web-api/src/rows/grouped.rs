//! Groups that FetchXML asks for into bytes.

use std::sync::Arc;

use custodia_query::fetchxml::{GroupColumn, GroupValue};
use custodia_query::{DatePart, Fiscal, FiscalPeriods};
use custodia_schema::{ColumnKind, Value, ValueRef};

use super::{
    Annotation, Kind, Node, Planning, Property, RecordPlan, RowPlan, Values, Wanted, annotation_start, property_start,
};
use crate::formatted::Formatter;
use crate::json;
use crate::prefer::{FORMATTED_VALUE, LOOKUP_LOGICAL_NAME};

/// Where the name and the table of the records stand that a lookup of groups points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedAt {
    /// Position of the lookup.
    pub lookup: usize,
    /// Position of the name.
    pub name: usize,
    /// Position of the number of the table.
    pub table: usize,
}

/// The values of a group.
pub(crate) struct GroupRow(pub Vec<Value>);

impl Values for GroupRow {
    fn at(&self, position: usize) -> ValueRef<'_> {
        match self.0.get(position) {
            None | Some(Value::Null | Value::Choices(_)) => ValueRef::Null,
            Some(Value::Boolean(value)) => ValueRef::Boolean(*value),
            Some(Value::Integer(number)) => ValueRef::Integer(i64::from(*number)),
            Some(Value::BigInt(number)) => ValueRef::Integer(*number),
            Some(Value::Decimal(number)) => ValueRef::Decimal(*number),
            Some(Value::Double(number)) => ValueRef::Double(*number),
            Some(Value::Money(amount)) => ValueRef::Money(*amount),
            Some(Value::Text(text)) => ValueRef::Text(text),
            Some(Value::Guid(id) | Value::Lookup(_, id)) => ValueRef::Guid(*id),
            Some(Value::DateTime(seconds)) => ValueRef::DateTime(*seconds),
            Some(Value::Date(days)) => ValueRef::Date(*days),
        }
    }
}

impl Planning<'_> {
    /// Works out what groups look like. `named` says where names of lookups stand.
    pub(crate) fn plan_groups(&self, columns: &[GroupColumn], named: &[NamedAt]) -> RowPlan {
        let wanted = Wanted::of(self.preferences);
        let properties = columns.iter().filter_map(|shown| self.group_property(shown, named, &wanted)).collect();
        let numbers_quoted = self.media.numbers_quoted;
        let record =
            RecordPlan { id_at: usize::MAX, version_at: None, links: None, as_owner: None, properties, numbers_quoted };
        RowPlan { node: Node { record, related: Vec::new() }, formats: Arc::default() }
    }

    fn group_property(&self, shown: &GroupColumn, named: &[NamedAt], wanted: &Wanted) -> Option<Property> {
        let column = self.schema.table(shown.table)?.column_by_id(shown.column)?;
        let named = named.iter().find(|named| named.lookup == shown.position);
        let (kind, formatter) = match shown.kind {
            GroupValue::Value => (Kind::of(column), Formatter::of(column, None, named.map(|named| named.name))),
            GroupValue::Count => (Kind::Plain, Some(Formatter::Integer)),
            GroupValue::Part(part) => (Kind::Plain, Some(part_formatter(part))),
        };
        let mut annotations = Vec::new();
        if let Some(by) = formatter.filter(|_| wanted.formatted) {
            let mut start = annotation_start(&shown.name, FORMATTED_VALUE);
            start.push(b'"');
            annotations.push(Annotation::Formatted { start, by });
        }
        if let (ColumnKind::Lookup { targets, .. }, Some(named), true) = (&column.kind, named, wanted.table) {
            let each = targets.iter().filter_map(|target| {
                let mut bytes = annotation_start(&shown.name, LOOKUP_LOGICAL_NAME);
                json::text(&mut bytes, &self.schema.table(*target)?.name);
                Some((i64::from(target.0), bytes))
            });
            annotations.push(Annotation::ByTable { table_at: named.table, each: each.collect() });
        }
        let start = property_start(&shown.name);
        Some(Property { start, at: shown.position, kind, annotations, only_values: true })
    }
}

impl RowPlan {
    /// Writes groups, separated by commas.
    pub(crate) fn write_groups(&self, out: &mut Vec<u8>, groups: &[GroupRow]) {
        for (number, group) in groups.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            self.write(out, group, |_| {});
        }
    }
}

/// How parts of dates are shown.
fn part_formatter(part: DatePart) -> Formatter {
    match part {
        DatePart::FiscalYear(_) => Formatter::Numbered("FY"),
        DatePart::FiscalPeriod(Fiscal { periods, .. }) => Formatter::Numbered(match periods {
            FiscalPeriods::Annually => "Year ",
            FiscalPeriods::Semiannually => "Semester ",
            FiscalPeriods::Quarterly => "Quarter ",
            FiscalPeriods::Monthly => "Month ",
            FiscalPeriods::FourWeeks => "P",
        }),
        DatePart::Day | DatePart::Week | DatePart::Month | DatePart::Quarter | DatePart::Year => {
            Formatter::Numbered("")
        }
    }
}
