//! A FetchXML query as it is written: nothing is looked up yet.

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Rows at most, over all pages.
    pub top: Option<u32>,
    /// Rows of one page.
    pub count: Option<u32>,
    /// Which page, from 1.
    pub page: Option<u32>,
    /// Where the page before ended.
    pub paging_cookie: Option<String>,
    /// Also count all rows.
    pub total: bool,
    /// Equal rows once.
    pub distinct: bool,
    /// Groups of rows are asked for.
    pub aggregate: bool,
    /// Rows that may be aggregated.
    pub aggregate_limit: Option<u32>,
    /// Choices are sorted by value, not by label.
    pub raw_order: bool,
    /// Only archived rows.
    pub retained: bool,
    /// Logical name of the table asked.
    pub table: String,
    /// What is asked of it.
    pub contents: Contents,
}

/// What stands within an entity or a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The columns.
    pub attributes: Vec<Attribute>,
    /// All columns.
    pub all_attributes: bool,
    /// No column but the key.
    pub no_attributes: bool,
    /// In which order.
    pub orders: Vec<Sort>,
    /// Which rows: all of them must hold.
    pub filters: Vec<FilterElement>,
    /// Linked tables.
    pub links: Vec<LinkElement>,
}

/// A column that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Logical name.
    pub name: String,
    /// What it is called in the answer.
    pub alias: Option<String>,
    /// What the values of a group come to.
    pub aggregate: Option<Aggregate>,
    /// Rows with the same value make a group.
    pub group: bool,
    /// Not the value, but a part of its date.
    pub date_grouping: Option<DateGrouping>,
    /// Days begin in the caller's time zone, not in UTC.
    pub user_time_zone: bool,
    /// Equal values are counted once.
    pub distinct: bool,
    /// The number of rows below each row of a hierarchy.
    pub count_children: bool,
}

/// What values come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many rows.
    Count,
    /// How many values.
    CountColumn,
    /// Their sum.
    Sum,
    /// Their mean.
    Average,
    /// The least.
    Least,
    /// The greatest.
    Greatest,
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateGrouping {
    /// Day of the month.
    Day,
    /// Week of the year.
    Week,
    /// Month.
    Month,
    /// Quarter.
    Quarter,
    /// Year.
    Year,
    /// Period of the fiscal year.
    FiscalPeriod,
    /// Fiscal year.
    FiscalYear,
}

/// A sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Logical name of the column.
    pub attribute: Option<String>,
    /// Or the alias of a group or an aggregate.
    pub alias: Option<String>,
    /// The link whose column it is, if not that of the element it stands in.
    pub entity: Option<String>,
    /// Greatest first.
    pub descending: bool,
}

/// Tests that are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterElement {
    /// One of them is enough.
    pub any: bool,
    /// The tests; without one every row passes.
    pub tests: Vec<Test>,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Of a column.
    Condition(Condition),
    /// Several.
    Filter(FilterElement),
    /// Of linked rows.
    Link(LinkElement),
}

/// A test of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Logical name of the column.
    pub attribute: String,
    /// Name of the operator.
    pub operator: String,
    /// The values.
    pub values: Vec<String>,
    /// The column that it is compared with instead.
    pub value_of: Option<String>,
    /// The link whose column it is, if not that of the element it stands in.
    pub entity: Option<String>,
}

/// A linked table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkElement {
    /// Its logical name.
    pub table: String,
    /// Its column.
    pub from: Option<String>,
    /// The column of the table it is linked to that must be equal.
    pub to: Option<String>,
    /// What its rows are called.
    pub alias: Option<String>,
    /// What the link does.
    pub kind: LinkType,
    /// What is asked of it.
    pub contents: Contents,
}

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// One row for each pair; rows without a partner are left out.
    Inner,
    /// The same, but rows without a partner stay.
    Outer,
    /// Rows with a partner, each once.
    Exists,
    /// The same.
    In,
    /// Rows with their first partner, or without one.
    First,
    /// A test: a partner passes the link's filter.
    Any,
    /// A test: none does.
    NotAny,
    /// A test: there are partners, and none passes.
    All,
    /// A test: a partner passes.
    NotAll,
}

/// Names of link types; an old synonym last.
pub(crate) const LINK_TYPES: [(&str, LinkType); 10] = [
    ("inner", LinkType::Inner),
    ("outer", LinkType::Outer),
    ("exists", LinkType::Exists),
    ("in", LinkType::In),
    ("matchfirstrowusingcrossapply", LinkType::First),
    ("any", LinkType::Any),
    ("not any", LinkType::NotAny),
    ("all", LinkType::All),
    ("not all", LinkType::NotAll),
    ("natural", LinkType::Inner),
];

/// Names of aggregates.
pub(crate) const AGGREGATES: [(&str, Aggregate); 6] = [
    ("count", Aggregate::Count),
    ("countcolumn", Aggregate::CountColumn),
    ("sum", Aggregate::Sum),
    ("avg", Aggregate::Average),
    ("min", Aggregate::Least),
    ("max", Aggregate::Greatest),
];

/// Names of parts of dates.
pub(crate) const DATE_GROUPINGS: [(&str, DateGrouping); 7] = [
    ("day", DateGrouping::Day),
    ("week", DateGrouping::Week),
    ("month", DateGrouping::Month),
    ("quarter", DateGrouping::Quarter),
    ("year", DateGrouping::Year),
    ("fiscal-period", DateGrouping::FiscalPeriod),
    ("fiscal-year", DateGrouping::FiscalYear),
];

impl LinkType {
    /// It is a test, and stands in a filter.
    pub(super) fn is_test(self) -> bool {
        matches!(self, Self::Any | Self::NotAny | Self::All | Self::NotAll)
    }

    /// It leaves rows out and shows nothing.
    pub(super) fn is_existence(self) -> bool {
        matches!(self, Self::Exists | Self::In)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_in(&LINK_TYPES, self)
    }
}

impl Aggregate {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_in(&AGGREGATES, self)
    }
}

impl DateGrouping {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_in(&DATE_GROUPINGS, self)
    }
}

fn name_in<T: Copy + PartialEq>(names: &[(&'static str, T)], wanted: T) -> &'static str {
    names.iter().find(|(_, known)| *known == wanted).map_or("", |(name, _)| name)
}
