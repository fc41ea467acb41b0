//! Queries made from a seed, each such as one of the languages can say: so that what is written, read and answered can be
//! compared over thousands of them.
//!
//! [`Vocabulary::query`] and [`Vocabulary::groups`] make one; [`linked`] and [`linked_groups`] say the same without steps and
//! expansions, as FetchXML must; [`Met`] counts what was met.

mod filter;
mod met;
mod rows;
mod twin;

use custodia_query::odata::Limits;
use custodia_query::operator::{Asker, Operator};
use custodia_query::{Aggregation, Phrase, Query};
use custodia_schema::{Column, ColumnId, Schema, Table, TableId, Value};

pub use met::Met;
pub use twin::{linked, linked_groups};

use crate::random::Random;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Query options.
    OData,
    /// FetchXML.
    FetchXml,
}

/// What may be spoken of.
#[derive(Clone, Copy)]
pub struct Vocabulary<'v> {
    /// The schema.
    pub schema: &'v Schema,
    /// Who asks.
    pub asker: &'v Asker,
    /// The tables, each with the columns that are asked for.
    pub tables: &'v [(TableId, Vec<ColumnId>)],
    /// How many of the tables, from the first on, are asked; the others are only reached.
    pub asked: usize,
    /// Whether collections may be expanded.
    pub collections: bool,
    /// A value of a column, never null, from any number. Links are plain ids.
    pub value: &'v dyn Fn(u64, &Table, &Column) -> Value,
}

/// A question, and the operators in it that it is written with.
#[derive(Clone, Debug)]
pub struct Saying<T> {
    /// The question.
    pub question: T,
    /// Its operators.
    pub phrases: Vec<Phrase>,
}

impl<'v> Vocabulary<'v> {
    /// A question about rows; `None` where nothing comes to mind. Most can be said in the language; its writer tells which
    /// cannot.
    #[must_use]
    pub fn query(&self, language: Language, seed: u64) -> Option<Saying<Query>> {
        let mut speaker = self.speaker(language, seed);
        let question = speaker.query()?;
        Some(Saying { question, phrases: speaker.phrases })
    }

    /// A question about groups; `None` where nothing comes to mind.
    #[must_use]
    pub fn groups(&self, language: Language, seed: u64) -> Option<Saying<Aggregation>> {
        let mut speaker = self.speaker(language, seed);
        let question = speaker.groups()?;
        Some(Saying { question, phrases: speaker.phrases })
    }

    fn speaker(&self, language: Language, seed: u64) -> Speaker<'v> {
        let operators = Operator::all().filter(|operator| match language {
            Language::OData => operator.function_name().is_some(),
            Language::FetchXml => operator.fetchxml_name().is_some(),
        });
        let (operators, random) = (operators.collect(), Random::new(seed));
        Speaker { vocabulary: *self, language, operators, random, phrases: Vec::new() }
    }

    fn table(&self, id: TableId) -> Option<&'v Table> {
        self.schema.table(id).map(|table| &**table)
    }

    fn knows(&self, id: TableId) -> bool {
        self.tables.iter().any(|(known, _)| *known == id)
    }

    fn columns(&self, table: &Table) -> Vec<&'v Column> {
        let Some(found) = self.table(table.id) else { return Vec::new() };
        let ids = self.tables.iter().filter(|(known, _)| *known == table.id).flat_map(|(_, columns)| columns);
        ids.filter_map(|id| found.column_by_id(*id)).collect()
    }
}

/// Somebody who makes a question up.
struct Speaker<'v> {
    vocabulary: Vocabulary<'v>,
    language: Language,
    /// Those that the language has names for.
    operators: Vec<Operator>,
    random: Random,
    phrases: Vec<Phrase>,
}

/// Rows that a part of a question may look at: their numbers with their tables.
type Rows<'v> = [(usize, &'v Table)];

/// Generated questions are larger than people's.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        query_bytes_max: 10_000_000,
        filter_nodes_max: 10_000,
        joins_max: 1_000,
        links_max: 1_000,
        expand_max: 1_000,
        conditions_max: 10_000,
        fetchxml_depth_max: 200,
        fetchxml_nodes_max: 1_000_000,
        ..Limits::default()
    }
}
