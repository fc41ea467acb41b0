//! Filters.

use custodia_query::operator::{Asker, Operator, Take};
use custodia_query::{Comparison, Direction, Exists, Filter, LikePattern, Link, LinkKind, Path, Phrase, Step};
use custodia_schema::{Column, ColumnKind, Table, TableId, Value};

use super::{Language, Rows, Speaker};

/// Operators and columns tried until one goes with the other.
const TRIES: usize = 12;

impl<'v> Speaker<'v> {
    /// A filter of the element of row `own`, which may look at `rows`.
    pub(super) fn filter(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Filter {
        if depth > 0 {
            match self.random.below(10) {
                0 | 1 => return Filter::And(self.several(rows, own, depth)),
                2 | 3 => return Filter::Or(self.several(rows, own, depth)),
                4 | 5 => return self.negation(rows, own, depth),
                6 if self.random.percent(30) => return Filter::True,
                6 if self.random.percent(30) => return Filter::False,
                7 => {
                    if let Some(exists) = self.exists(rows, own, depth) {
                        return exists;
                    }
                }
                _ => {}
            }
        }
        self.leaf(rows, own)
    }

    fn several(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Vec<Filter> {
        (0..self.random.between(2, 3)).map(|_| self.filter(rows, own, depth - 1)).collect()
    }

    /// OData negates everything, FetchXML has operators that do.
    fn negation(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Filter {
        let inner = match self.language {
            Language::OData => self.filter(rows, own, depth - 1),
            Language::FetchXml if self.random.percent(30) => match self.exists(rows, own, depth) {
                Some(exists @ Filter::Exists(_)) => exists,
                Some(other) => return other,
                None => self.leaf(rows, own),
            },
            Language::FetchXml => self.leaf(rows, own),
        };
        let has_operator = match &inner {
            Filter::IsNull(_) | Filter::In { .. } | Filter::Like { .. } | Filter::ContainsAny { .. } => true,
            Filter::Exists(_) => true,
            Filter::Hierarchy { direction, inclusive, .. } => *direction == Direction::Under && !inclusive,
            _ => false,
        };
        if self.language == Language::OData || has_operator { Filter::Not(Box::new(inner)) } else { inner }
    }

    /// A column that a part of a question may look at: some steps away in OData, of a row in FetchXML.
    pub(super) fn path(&mut self, rows: &Rows<'v>, own: usize) -> Option<(Path, &'v Table, &'v Column)> {
        let near: Vec<_> = rows.iter().filter(|(row, _)| own == 0 || *row == own).copied().collect();
        let (row, mut table) = *self.random.pick(&near)?;
        let mut steps = Vec::new();
        if self.language == Language::OData {
            for _ in 0..self.random.weighted(&[(7, 0), (2, 1), (1, 2)])? {
                let parents: Vec<Step> = self.parents(table);
                let Some(step) = self.random.pick(&parents) else { break };
                steps.push(*step);
                table = self.vocabulary.table(step.target)?;
            }
        }
        let columns = self.vocabulary.columns(table);
        let column = *self.random.pick(&columns)?;
        Some((Path { row, steps, column: column.id }, table, column))
    }

    /// The lookups of a table that lead to known ones.
    pub(super) fn parents(&self, table: &Table) -> Vec<Step> {
        let parents = self.vocabulary.schema.parents_of(table.id);
        let known = parents.filter(|parent| {
            self.vocabulary.knows(parent.referenced)
                && self.vocabulary.columns(table).iter().any(|column| column.id == parent.referencing_column)
        });
        known.map(|parent| Step { lookup: parent.referencing_column, target: parent.referenced }).collect()
    }

    pub(super) fn value(&mut self, table: &Table, column: &Column) -> Value {
        let number = self.random.guid().as_u64_pair().0;
        (self.vocabulary.value)(number, table, column)
    }

    fn leaf(&mut self, rows: &Rows<'v>, own: usize) -> Filter {
        let special = match self.random.below(10) {
            0..=2 => self.operator(rows, own),
            3 => self.columns_compared(rows, own),
            4 => self.hierarchy(rows, own),
            5 if self.random.percent(40) => self.period_or_options(rows, own),
            _ => None,
        };
        special.or_else(|| self.plain(rows, own)).unwrap_or(Filter::True)
    }

    fn comparison(&mut self, column: &Column) -> Comparison {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let all = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
        let possible = if is_ordered(&column.kind) { all.as_slice() } else { &[Equal, NotEqual] };
        self.random.pick(possible).copied().unwrap_or(Equal)
    }

    fn plain(&mut self, rows: &Rows<'v>, own: usize) -> Option<Filter> {
        let (path, table, column) = self.path(rows, own)?;
        let kind = &column.kind;
        Some(match self.random.below(10) {
            0 => Filter::IsNull(path),
            1 | 2 => {
                let least = usize::from(self.language == Language::FetchXml && !is_whole(kind));
                let count = self.random.between(least, 3);
                Filter::In { path, values: (0..count).map(|_| self.value(table, column)).collect() }
            }
            3..=5 if kind.is_text() => {
                let Value::Text(text) = self.value(table, column) else { return None };
                Filter::Like { path, pattern: self.pattern(&text) }
            }
            3..=5 if matches!(kind, ColumnKind::Choices { .. }) => {
                let Value::Choices(options) = self.value(table, column) else { return None };
                Filter::ContainsAny { path, options }
            }
            _ if self.language == Language::FetchXml && matches!(kind, ColumnKind::Choices { .. }) => {
                Filter::IsNull(path)
            }
            _ => Filter::Compare { operator: self.comparison(column), value: self.value(table, column), path },
        })
    }

    fn pattern(&mut self, text: &str) -> LikePattern {
        match self.random.below(6) {
            0 => LikePattern::starts_with(text),
            1 => LikePattern::ends_with(text),
            2 => LikePattern::contains(text),
            3 => LikePattern::parse(text),
            4 => LikePattern::parse(&format!("{text}%[a-f]_")),
            _ => LikePattern::parse(&format!("%[^{text}]%")),
        }
    }

    fn columns_compared(&mut self, rows: &Rows<'v>, own: usize) -> Option<Filter> {
        for _ in 0..TRIES {
            let (left, _, column) = self.path(rows, own)?;
            let (right, _, other) = self.path(rows, own)?;
            let named = self.language == Language::OData || left.row == right.row || right.row > 0;
            if !named || !is_same_family(&column.kind, &other.kind) {
                continue;
            }
            let operator = self.comparison(column);
            let compared = Filter::CompareColumns { left: left.clone(), operator, right: right.clone() };
            if self.language == Language::OData || operator != Comparison::NotEqual {
                return Some(compared);
            }
            let both_null = Filter::And(vec![Filter::IsNull(left), Filter::IsNull(right)]);
            return Some(Filter::And(vec![compared, Filter::Not(Box::new(both_null))]));
        }
        None
    }

    fn hierarchy(&mut self, rows: &Rows<'v>, own: usize) -> Option<Filter> {
        let operators =
            [Operator::Under, Operator::NotUnder, Operator::UnderOrEqual, Operator::Above, Operator::AboveOrEqual];
        for _ in 0..TRIES {
            let (path, table, column) = self.path(rows, own)?;
            let operator = *self.random.pick(&operators)?;
            if !matches!(column.kind, ColumnKind::Guid | ColumnKind::Lookup { .. }) {
                continue;
            }
            let Value::Guid(of) = self.value(table, column) else { continue };
            let phrase = Phrase { table: table.id, path, operator, values: vec![of.to_string()] };
            // Not kept as a phrase: the tree still knows what it says.
            let said = phrase.filter(self.vocabulary.schema, self.vocabulary.asker);
            if said.is_some() {
                return said;
            }
        }
        None
    }

    /// A fiscal period of whichever year, or options of which one is chosen.
    fn period_or_options(&mut self, rows: &Rows<'v>, own: usize) -> Option<Filter> {
        for _ in 0..TRIES {
            let (path, table, column) = self.path(rows, own)?;
            match column.kind {
                ColumnKind::DateTime { .. } => {
                    let Asker { zone, fiscal, .. } = self.vocabulary.asker;
                    let period = self.random.between(1, usize::try_from(fiscal.periods_of_year()).ok()?);
                    let period = u32::try_from(period).ok()?;
                    return Some(Filter::InPeriod { path, calendar: *fiscal, zone: zone.clone(), period });
                }
                ColumnKind::Choices { .. } => {
                    let Value::Choices(options) = self.value(table, column) else { continue };
                    return Some(Filter::ContainsAny { path, options });
                }
                _ => {}
            }
        }
        None
    }

    /// A test by an operator that the language has a name for.
    fn operator(&mut self, rows: &Rows<'v>, own: usize) -> Option<Filter> {
        for _ in 0..TRIES {
            let operator = *self.random.pick(&self.operators)?;
            let (path, table, column) = self.path(rows, own)?;
            let Some(values) = self.operands(operator, table, column) else { continue };
            let phrase = Phrase { table: table.id, path, operator, values };
            if let Some(filter) = phrase.filter(self.vocabulary.schema, self.vocabulary.asker) {
                self.phrases.push(phrase);
                return Some(filter);
            }
        }
        None
    }

    fn operands(&mut self, operator: Operator, table: &Table, column: &Column) -> Option<Vec<String>> {
        let is_date = matches!(column.kind, ColumnKind::DateTime { .. });
        let periods = usize::try_from(self.vocabulary.asker.fiscal.periods_of_year()).ok()?;
        let year = |speaker: &mut Self| speaker.random.between(2023, 2025).to_string();
        let period = |speaker: &mut Self| speaker.random.between(1, periods).to_string();
        let date = |speaker: &mut Self| {
            let dates = [
                "2024-02-29",
                "2024-03-31T00:30:00Z",
                "2024-12-31 23:30:00",
                "2025-01-01T00:00:00+01:00",
                "0001-01-01",
            ];
            speaker.random.pick(&dates).map(|date| (*date).to_owned())
        };
        Some(match operator {
            Operator::On | Operator::NotOn | Operator::OnOrBefore | Operator::OnOrAfter => vec![date(self)?],
            Operator::LastX(_) | Operator::NextX(_) | Operator::OlderThanX(_) => {
                vec![self.random.between(1, 60).to_string()]
            }
            Operator::InFiscalYear => vec![year(self)],
            Operator::InFiscalPeriod => vec![period(self)],
            Operator::InFiscalPeriodAndYear
            | Operator::InOrBeforeFiscalPeriodAndYear
            | Operator::InOrAfterFiscalPeriodAndYear => vec![period(self), year(self)],
            _ => {
                let count = match operator.takes() {
                    Take::None => 0,
                    Take::One => 1,
                    Take::Two => 2,
                    Take::Many => self.random.between(1, 3),
                };
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(if is_date { date(self)? } else { text(&self.value(table, column))? });
                }
                values
            }
        })
    }

    /// A test of rows beyond, or the one that there are some and none passes.
    fn exists(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Option<Filter> {
        let exists = match self.language {
            Language::OData => self.collection(rows, own, depth)?,
            Language::FetchXml => self.partners(rows, own, depth)?,
        };
        let bare = Exists { links: Vec::new(), filter: Filter::True, ..exists.clone() };
        let exists = Filter::Exists(Box::new(exists));
        Some(match (self.language, self.random.below(4)) {
            (Language::FetchXml, 0) => Filter::And(vec![Filter::Exists(Box::new(bare)), Filter::Not(Box::new(exists))]),
            _ => exists,
        })
    }

    /// Rows of a navigation to many.
    fn collection(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Option<Exists> {
        let (mut near, table, _) = self.path(rows, own)?;
        near.column = table.primary_id;
        let schema = self.vocabulary.schema;
        let mut all: Vec<(Exists, usize, TableId)> = Vec::new();
        for child in schema.children_of(table.id).filter(|child| self.vocabulary.knows(child.referencing)) {
            let (near, far, links) = (near.clone(), child.referencing_column, Vec::new());
            let exists = Exists { near, table: child.referencing, far, links, filter: Filter::True };
            all.push((exists, 0, child.referencing));
        }
        for many in schema.links_of(table.id).filter(|many| self.vocabulary.knows(many.intersect)) {
            let (here, there, far) = match many.first == table.id {
                true => (many.first_column, many.second_column, many.second),
                false => (many.second_column, many.first_column, many.first),
            };
            let key = self.vocabulary.table(far)?.primary_id;
            let link = link((0, there), (far, key), LinkKind::Inner);
            let exists = Exists {
                near: near.clone(),
                table: many.intersect,
                far: here,
                links: vec![link],
                filter: Filter::True,
            };
            all.push((exists, 1, far));
        }
        let (mut exists, row, far) = self.random.pick(&all)?.clone();
        if self.random.percent(80) {
            let far = self.vocabulary.table(far)?;
            exists.filter = self.filter(&[(row, far)], row, depth.saturating_sub(1).min(2));
        }
        Some(exists)
    }

    /// Rows that are equal in some column.
    fn partners(&mut self, rows: &Rows<'v>, own: usize, depth: usize) -> Option<Exists> {
        let (_, table) = *rows.iter().find(|(row, _)| *row == own)?;
        let (near, far_table, far) = self.tie(table)?;
        let beyond = self.vocabulary.table(far_table)?;
        let (links, within) = match self.random.below(3) {
            0 => self.links(beyond, depth.saturating_sub(1).min(2), false),
            _ => (Vec::new(), vec![(0, beyond)]),
        };
        let filter = self.filter(&within, 0, depth.saturating_sub(1).min(2));
        Some(Exists { near: Path::at(own, near), table: far_table, far, links, filter })
    }
}

pub(super) fn link(
    (from, near): (usize, custodia_schema::ColumnId),
    (table, far): (TableId, custodia_schema::ColumnId),
    kind: LinkKind,
) -> Link {
    Link { from, table, near, far, kind, filter: Filter::True, fields: Vec::new(), order: Vec::new() }
}

fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::Guid(id) => id.to_string(),
        Value::Choices(options) => options.first()?.to_string(),
        _ => return None,
    })
}

fn is_whole(kind: &ColumnKind) -> bool {
    family(kind) == "whole"
}

pub(super) fn is_same_family(one: &ColumnKind, other: &ColumnKind) -> bool {
    family(one) == family(other)
}

pub(super) fn is_ordered(kind: &ColumnKind) -> bool {
    matches!(family(kind), "whole" | "decimal" | "double" | "money" | "moment" | "day" | "text")
}

/// Columns of one family hold values that can be compared.
fn family(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => "text",
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => "whole",
        ColumnKind::Decimal { .. } => "decimal",
        ColumnKind::Double { .. } => "double",
        ColumnKind::Money { .. } => "money",
        ColumnKind::Boolean { .. } => "boolean",
        ColumnKind::DateTime { behavior: custodia_schema::DateBehavior::DateOnly, .. } => "day",
        ColumnKind::DateTime { .. } => "moment",
        ColumnKind::Guid | ColumnKind::Lookup { .. } => "id",
        ColumnKind::Choices { .. } => "options",
        ColumnKind::TableName => "table",
        _ => "other",
    }
}
