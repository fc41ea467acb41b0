//! Groups and what their values come to.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{Column, ColumnKind, DateBehavior, Table};

use super::FetchXmlError;
use super::document::{Aggregate, Attribute, Contents, DateGrouping};
use super::resolve::{Resolver, Scope, check_alias, column_named};
use super::shape::{GroupColumn, GroupValue, GroupsQuestion};
use crate::odata::Limits;
use crate::{Aggregation, DatePart, Group, GroupBy, Measure, Path, Query, Zone};

impl<'r> Resolver<'r> {
    /// A question about groups of the rows of a query.
    pub(super) fn groups(
        &self,
        scope: &Scope<'r, 'r>,
        asked: &[(usize, &'r Contents)],
        rows: Query,
        limits: &Limits,
    ) -> Result<GroupsQuestion, FetchXmlError> {
        let mut asked_for = AskedFor::default();
        for (row, contents) in asked {
            let table = scope.table_of(*row)?;
            if contents.all_attributes {
                return Err(FetchXmlError::invalid(format!(
                    "'all-attributes' of '{}' cannot stand in an aggregate query",
                    table.name
                )));
            }
            for attribute in &contents.attributes {
                let column = column_named(table, &attribute.name)?;
                self.add(&mut asked_for, *row, table, column, attribute)?;
            }
        }
        let AskedFor { groups, measures, group_columns, measure_columns, order_of_columns, .. } = asked_for;
        if order_of_columns.is_empty() {
            return Err(FetchXmlError::invalid("an aggregate query needs an attribute that aggregates or groups"));
        }
        let mut group_columns = group_columns.into_iter();
        let mut measure_columns = measure_columns
            .into_iter()
            .map(|column| GroupColumn { position: column.position + groups.len(), ..column });
        let columns: Vec<GroupColumn> = order_of_columns
            .into_iter()
            .filter_map(|is_group| if is_group { group_columns.next() } else { measure_columns.next() })
            .collect();
        let mut order = Vec::new();
        for (row, sort) in &scope.sorts {
            let Some(alias) = &sort.alias else {
                return Err(FetchXmlError::invalid(format!(
                    "the order by '{}' of '{}' needs an 'alias' instead of an 'attribute' in an aggregate query",
                    sort.attribute.as_deref().unwrap_or_default(),
                    scope.table_of(*row)?.name
                )));
            };
            let Some(column) = columns.iter().find(|column| column.name == *alias) else {
                return Err(FetchXmlError::invalid(format!("there is no alias '{alias}' to order by")));
            };
            order.push((column.position, sort.descending));
        }
        let page_size = rows.top.unwrap_or(rows.page_size);
        let rows_max = self.fetch.aggregate_limit.unwrap_or(limits.aggregate_rows_max);
        let aggregation = Aggregation { rows, groups, measures, order, skip: 0, page_size, rows_max };
        Ok(GroupsQuestion { aggregation, columns })
    }

    fn add(
        &self,
        asked: &mut AskedFor,
        row: usize,
        table: &Table,
        column: &Column,
        attribute: &Attribute,
    ) -> Result<(), FetchXmlError> {
        let refused = |problem: &str| {
            Err(FetchXmlError::invalid(format!("the attribute '{}' of '{}' {problem}", attribute.name, table.name)))
        };
        let Some(alias) = &attribute.alias else { return refused("needs an alias in an aggregate query") };
        check_alias(alias)?;
        if !asked.names.insert(alias.clone()) {
            return Err(FetchXmlError::invalid(format!("two columns of the answer are called '{alias}'")));
        }
        if attribute.count_children {
            return refused("has a 'rowaggregate', which cannot stand in an aggregate query");
        }
        if !column.kind.is_stored() {
            return refused("is not kept in its row and can neither be aggregated nor grouped");
        }
        let path = Path::at(row, column.id);
        let named = |position: usize, kind: GroupValue| GroupColumn {
            position,
            name: alias.clone(),
            table: table.id,
            column: column.id,
            kind,
        };
        match (attribute.aggregate, attribute.group) {
            (Some(_), true) => refused("both aggregates and groups"),
            (None, false) => refused("neither aggregates nor groups, in an aggregate query"),
            (Some(aggregate), false) => {
                let is_number = is_number(&column.kind);
                let is_date = matches!(column.kind, ColumnKind::DateTime { .. });
                let (measure, kind) = match aggregate {
                    Aggregate::Count => (Measure::Count, GroupValue::Count),
                    Aggregate::CountColumn => {
                        (Measure::CountValues { path, distinct: attribute.distinct }, GroupValue::Count)
                    }
                    Aggregate::Sum if is_number => (Measure::Sum(path), GroupValue::Value),
                    Aggregate::Average if is_number => (Measure::Average(path), GroupValue::Value),
                    Aggregate::Least if is_number || is_date => (Measure::Least(path), GroupValue::Value),
                    Aggregate::Greatest if is_number || is_date => (Measure::Greatest(path), GroupValue::Value),
                    _ => return refused(&format!("cannot be aggregated by '{}': its type has none", aggregate.name())),
                };
                asked.measure_columns.push(named(asked.measures.len(), kind));
                asked.measures.push(measure);
                asked.order_of_columns.push(false);
                Ok(())
            }
            (None, true) => {
                if matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. }) {
                    return refused("cannot be grouped by: its type has no groups");
                }
                let (by, kind) = match attribute.date_grouping {
                    None => (GroupBy::Value, GroupValue::Value),
                    Some(grouping) => {
                        let ColumnKind::DateTime { behavior, .. } = column.kind else {
                            return refused("has a 'dategrouping' and is no date");
                        };
                        let part = self.part(grouping);
                        let local = attribute.user_time_zone && behavior == DateBehavior::UserLocal;
                        let zone = if local { self.asker.zone.clone() } else { Arc::new(Zone::utc()) };
                        (GroupBy::DatePart { part, zone }, GroupValue::Part(part))
                    }
                };
                asked.group_columns.push(named(asked.groups.len(), kind));
                asked.groups.push(Group { path, by });
                asked.order_of_columns.push(true);
                Ok(())
            }
        }
    }

    fn part(&self, grouping: DateGrouping) -> DatePart {
        match grouping {
            DateGrouping::Day => DatePart::Day,
            DateGrouping::Week => DatePart::Week,
            DateGrouping::Month => DatePart::Month,
            DateGrouping::Quarter => DatePart::Quarter,
            DateGrouping::Year => DatePart::Year,
            DateGrouping::FiscalPeriod => DatePart::FiscalPeriod(self.asker.fiscal),
            DateGrouping::FiscalYear => DatePart::FiscalYear(self.asker.fiscal),
        }
    }
}

/// What was asked for so far. Positions of measures do not count the groups yet.
#[derive(Default)]
struct AskedFor {
    groups: Vec<Group>,
    measures: Vec<Measure>,
    group_columns: Vec<GroupColumn>,
    measure_columns: Vec<GroupColumn>,
    /// Whether each column, in the order of the document, is a group.
    order_of_columns: Vec<bool>,
    names: HashSet<String>,
}

pub(super) fn is_number(kind: &ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Double { .. }
            | ColumnKind::Money { .. }
    )
}
