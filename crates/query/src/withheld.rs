//! Parts of the languages and of the protocol that a service does not offer.
//!
//! What is asked of data can be made narrower than the program would answer: a part that is withheld is refused as one that there
//! is not. Readers look here where they look a name up, so that a part is withheld wherever it may stand.

use crate::fetchxml::{AGGREGATES, DATE_GROUPINGS, LINK_TYPES};
use crate::operator::Operator;

/// The parts that are withheld, each by its whole name: `fetchxml.operator.like`, `odata.function.contains`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld(Vec<String>);

impl Withheld {
    /// These parts. A name that no reader looks up withholds nothing: whoever takes names from people compares them with
    /// [`language_parts`] and with those of the protocol.
    pub fn of(parts: impl IntoIterator<Item = String>) -> Self {
        Self(parts.into_iter().collect())
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the part of that name is, among those of an area: `has("fetchxml.operator", "like")`.
    #[must_use]
    pub fn has(&self, area: &str, name: &str) -> bool {
        self.0.iter().any(|part| part.strip_prefix(area).and_then(|rest| rest.strip_prefix('.')) == Some(name))
    }
}

/// Elements of FetchXML without which a query can still be one.
const FETCHXML_ELEMENTS: [&str; 8] =
    ["attribute", "all-attributes", "no-attrs", "order", "filter", "condition", "value", "link-entity"];

/// Attributes of FetchXML that change what a query means and that it can do without.
const FETCHXML_ATTRIBUTES: [&str; 29] = [
    "fetch.top",
    "fetch.count",
    "fetch.page",
    "fetch.paging-cookie",
    "fetch.returntotalrecordcount",
    "fetch.distinct",
    "fetch.aggregate",
    "fetch.aggregatelimit",
    "fetch.useraworderby",
    "fetch.datasource",
    "attribute.alias",
    "attribute.aggregate",
    "attribute.groupby",
    "attribute.dategrouping",
    "attribute.usertimezone",
    "attribute.distinct",
    "attribute.rowaggregate",
    "order.attribute",
    "order.alias",
    "order.descending",
    "order.entityname",
    "filter.type",
    "condition.value",
    "condition.valueof",
    "condition.entityname",
    "link-entity.from",
    "link-entity.to",
    "link-entity.alias",
    "link-entity.link-type",
];

/// Words between operands of `$filter`, and before one.
const ODATA_OPERATORS: [&str; 10] = ["eq", "ne", "gt", "ge", "lt", "le", "and", "or", "not", "in"];

/// Functions of `$filter`.
const ODATA_FUNCTIONS: [&str; 3] = ["contains", "startswith", "endswith"];

/// Tests of collections.
const ODATA_LAMBDAS: [&str; 2] = ["any", "all"];

/// What may stand within the parentheses of `$expand`, and behind a name in it.
const ODATA_EXPAND_OPTIONS: [&str; 7] = ["$select", "$filter", "$orderby", "$top", "$expand", "$levels", "$ref"];

/// Steps of `$apply`.
const ODATA_APPLY: [&str; 3] = ["filter", "groupby", "aggregate"];

/// What `$apply` tells of groups.
const ODATA_AGGREGATES: [&str; 6] = ["sum", "average", "min", "max", "countdistinct", "$count"];

/// Parts of a selection in SQL.
const SQL_CLAUSES: [&str; 7] = ["distinct", "top", "join", "left-join", "where", "group-by", "order-by"];

/// Tests of a selection in SQL.
const SQL_OPERATORS: [&str; 16] = [
    "eq",
    "ne",
    "gt",
    "ge",
    "lt",
    "le",
    "and",
    "or",
    "in",
    "not-in",
    "between",
    "not-between",
    "like",
    "not-like",
    "null",
    "not-null",
];

/// What a selection in SQL tells of groups.
const SQL_AGGREGATES: [&str; 5] = ["count", "sum", "avg", "min", "max"];

/// The names of all parts of the languages that can be withheld.
#[must_use]
pub fn language_parts() -> Vec<String> {
    let mut parts = Vec::new();
    let mut area = |area: &str, names: &mut dyn Iterator<Item = &'static str>| {
        parts.extend(names.map(|name| format!("{area}.{name}")));
    };
    area("fetchxml.element", &mut FETCHXML_ELEMENTS.into_iter());
    area("fetchxml.attribute", &mut FETCHXML_ATTRIBUTES.into_iter());
    // Its old spelling is no operator of its own, and has a name of its own.
    area("fetchxml.operator", &mut Operator::all().filter_map(Operator::fetchxml_name).chain(["neq"]));
    area("fetchxml.link-type", &mut LINK_TYPES.iter().map(|(name, _)| *name));
    area("fetchxml.aggregate", &mut AGGREGATES.iter().map(|(name, _)| *name));
    area("fetchxml.date-grouping", &mut DATE_GROUPINGS.iter().map(|(name, _)| *name));
    area("odata.operator", &mut ODATA_OPERATORS.into_iter());
    area("odata.function", &mut ODATA_FUNCTIONS.into_iter());
    area("odata.query-function", &mut Operator::all().filter_map(Operator::function_name));
    area("odata.lambda", &mut ODATA_LAMBDAS.into_iter());
    area("odata.expand", &mut ODATA_EXPAND_OPTIONS.into_iter());
    area("odata.apply", &mut ODATA_APPLY.into_iter());
    area("odata.aggregate", &mut ODATA_AGGREGATES.into_iter());
    area("sql.clause", &mut SQL_CLAUSES.into_iter());
    area("sql.operator", &mut SQL_OPERATORS.into_iter());
    area("sql.aggregate", &mut SQL_AGGREGATES.into_iter());
    parts
}
