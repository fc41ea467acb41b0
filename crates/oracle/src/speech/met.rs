//! What questions were made of.

use std::collections::BTreeMap;

use custodia_query::{
    Aggregation, Comparison, Expand, Field, Filter, GroupBy, Link, LinkKind, Measure, OrderBy, Path, Query,
};

/// How often each part of questions was met.
#[derive(Clone, Debug, Default)]
pub struct Met {
    counts: BTreeMap<String, usize>,
}

impl Met {
    /// One more of something.
    pub fn note(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// How often something was met.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Those of these that were met less often.
    #[must_use]
    pub fn rarer<'n>(&self, names: &[&'n str], least: usize) -> Vec<(&'n str, usize)> {
        names.iter().map(|name| (*name, self.count(name))).filter(|(_, count)| *count < least).collect()
    }

    /// All parts of a question about rows.
    pub fn query(&mut self, query: &Query) {
        self.filter(&query.filter);
        self.fields(&query.fields);
        self.links(&query.links);
        if query.distinct {
            self.note("distinct");
        }
        if query.top.is_some() {
            self.note("top");
        }
        if query.count {
            self.note("count of all");
        }
        for order in &query.order {
            self.path(&order.path);
            self.note(match order.by {
                OrderBy::Value => "order by value",
                OrderBy::Label(_) => "order by label",
                OrderBy::Name => "order by name",
            });
            if order.descending {
                self.note("descending");
            }
        }
        query.expand.iter().for_each(|entry| self.expand(entry));
    }

    /// All parts of a question about groups.
    pub fn groups(&mut self, question: &Aggregation) {
        self.filter(&question.rows.filter);
        self.links(&question.rows.links);
        for group in &question.groups {
            self.path(&group.path);
            self.note(match group.by {
                GroupBy::Value => "group",
                GroupBy::DatePart { .. } => "part of a date",
            });
        }
        for measure in &question.measures {
            self.note(match measure {
                Measure::Count => "count",
                Measure::CountValues { distinct: false, .. } => "count of values",
                Measure::CountValues { distinct: true, .. } => "count of distinct values",
                Measure::Sum(_) => "sum",
                Measure::Average(_) => "average",
                Measure::Least(_) => "least",
                Measure::Greatest(_) => "greatest",
            });
        }
        if !question.order.is_empty() {
            self.note("order of groups");
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            if matches!(field, Field::Children(_)) {
                self.note("number of children");
            }
        }
    }

    fn links(&mut self, links: &[Link]) {
        for link in links {
            self.note(match link.kind {
                LinkKind::Inner => "inner link",
                LinkKind::Outer => "outer link",
                LinkKind::First => "first link",
            });
            if link.from > 0 {
                self.note("link of a link");
            }
            if link.filter != Filter::True {
                self.note("filter of a link");
            }
            self.filter(&link.filter);
            self.fields(&link.fields);
        }
    }

    fn expand(&mut self, entry: &Expand) {
        match entry {
            Expand::One { fields, expand, .. } => {
                self.note(if fields.len() == 1 { "address of one" } else { "expanded one" });
                if !expand.is_empty() {
                    self.note("expand in an expand");
                }
                expand.iter().for_each(|inner| self.expand(inner));
            }
            Expand::Many { query, .. } => {
                self.note(if query.fields.len() == 1 { "addresses of many" } else { "expanded many" });
                self.query(query);
            }
        }
    }

    fn path(&mut self, path: &Path) {
        if path.row > 0 {
            self.note("column of a linked row");
        }
        match path.steps.len() {
            0 => {}
            1 => self.note("one step"),
            _ => self.note("two steps"),
        }
    }

    fn filter(&mut self, filter: &Filter) {
        self.note(match filter {
            Filter::True => "true",
            Filter::False => "false",
            Filter::And(_) => "and",
            Filter::Or(_) => "or",
            Filter::Not(_) => "not",
            Filter::Compare { operator, .. } => match operator {
                Comparison::Equal => "equal",
                Comparison::NotEqual => "not equal",
                Comparison::Less => "less",
                Comparison::LessOrEqual => "less or equal",
                Comparison::Greater => "greater",
                Comparison::GreaterOrEqual => "greater or equal",
            },
            Filter::CompareColumns { .. } => "columns",
            Filter::IsNull(_) => "null",
            Filter::In { .. } => "in",
            Filter::Like { .. } => "like",
            Filter::ContainsAny { .. } => "contains any",
            Filter::InPeriod { .. } => "period",
            Filter::Hierarchy { .. } => "hierarchy",
            Filter::Exists(exists) if !exists.links.is_empty() => "exists with links",
            Filter::Exists(_) => "exists",
        });
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| self.filter(part)),
            Filter::Not(inner) => self.filter(inner),
            Filter::Compare { path, .. }
            | Filter::IsNull(path)
            | Filter::In { path, .. }
            | Filter::Like { path, .. }
            | Filter::ContainsAny { path, .. }
            | Filter::InPeriod { path, .. }
            | Filter::Hierarchy { path, .. } => self.path(path),
            Filter::CompareColumns { left, right, .. } => {
                self.path(left);
                self.path(right);
            }
            Filter::Exists(exists) => {
                self.path(&exists.near);
                self.links(&exists.links);
                self.filter(&exists.filter);
            }
            Filter::True | Filter::False => {}
        }
    }
}
