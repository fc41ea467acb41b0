//! FetchXML: a query as XML into the query tree.
//!
//! [`Fetch::read`] reads the text, [`Fetch::resolve`] looks the names up and gives a [`Question`]; [`Fetch::print`] writes the
//! text again, and [`Fetch::of_query`] and [`Fetch::of_groups`] say a tree in this language. Neither reads anything but its input: what depends on the caller is in an
//! [`Asker`](crate::operator::Asker), which [`Fetch::depends_on_asker`] says whether a query needs.

mod aggregate;
mod document;
mod error;
mod filter;
mod print;
mod read;
mod resolve;
mod said;
mod shape;
mod write;

pub(crate) use document::{AGGREGATES, DATE_GROUPINGS, LINK_TYPES};
pub use document::{
    Aggregate, Attribute, Condition, Contents, DateGrouping, Fetch, FilterElement, LinkElement, LinkType, Sort, Test,
};
pub use error::FetchXmlError;
pub use shape::{GroupColumn, GroupValue, GroupsQuestion, Question, RowColumn, RowsQuestion};

use crate::odata::parse_moment;
use crate::operator::{Operator, Take};

impl Fetch {
    /// Whether what the query means depends on who asks it and when. True in doubt.
    #[must_use]
    pub fn depends_on_asker(&self) -> bool {
        self.contents.depends_on_asker()
    }

    /// The query without what says which page of it is asked: what all its pages have in common.
    #[must_use]
    pub fn of_all_pages(&self) -> Self {
        Self { page: None, count: None, paging_cookie: None, total: false, ..self.clone() }
    }
}

impl Contents {
    fn depends_on_asker(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.date_grouping.is_some())
            || self.filters.iter().any(FilterElement::depends_on_asker)
            || self.links.iter().any(|link| link.contents.depends_on_asker())
    }
}

impl FilterElement {
    fn depends_on_asker(&self) -> bool {
        self.tests.iter().any(|test| match test {
            Test::Condition(condition) => condition.depends_on_asker(),
            Test::Filter(filter) => filter.depends_on_asker(),
            Test::Link(link) => link.contents.depends_on_asker(),
        })
    }
}

impl Condition {
    fn depends_on_asker(&self) -> bool {
        match Operator::of_fetchxml(&self.operator) {
            // Wrong anyway.
            None | Some(Operator::Null | Operator::NotNull) => false,
            Some(Operator::Compare(_) | Operator::In | Operator::NotIn | Operator::Between | Operator::NotBetween) => {
                self.values.iter().any(|value| {
                    // A time without an offset is the caller's.
                    value.trim().get(..10).is_some_and(|date| parse_moment(date).is_some())
                })
            }
            Some(
                Operator::Like
                | Operator::NotLike
                | Operator::BeginsWith
                | Operator::NotBeginWith
                | Operator::EndsWith
                | Operator::NotEndWith
                | Operator::ContainValues
                | Operator::NotContainValues
                | Operator::Under
                | Operator::NotUnder
                | Operator::UnderOrEqual
                | Operator::Above
                | Operator::AboveOrEqual,
            ) => false,
            Some(operator) => operator.takes() != Take::Many,
        }
    }
}
