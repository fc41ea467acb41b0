//! An operator and its values as a filter.

use custodia_schema::{Column, ColumnKind, DateBehavior, Guid, Schema, Table, TableId, Value};

use super::kind::{Operator, Take};
use super::period::{self, From, Span, To};
use super::value::{bound, day, fit, guid, wanted};
use super::{Asker, OperatorError};
use crate::odata::is_ordered;
use crate::odata::literal::Fit;
use crate::{Comparison, Direction, Exists, Filter, LikePattern, Link, LinkKind, Path};

/// Characters of a value that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// The column that is tested.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// All tables.
    pub schema: &'s Schema,
    /// The table of the column.
    pub table: &'s Table,
    /// The column.
    pub column: &'s Column,
}

/// What an operator says about the column at the end of a path. Values are texts as they are written in both languages; times
/// without an offset are the caller's.
///
/// # Errors
/// When the operator does not work on columns of that type, takes another number of values or other values.
pub fn test(
    asker: &Asker,
    subject: Subject<'_>,
    path: &Path,
    operator: Operator,
    values: &[String],
) -> Result<Filter, OperatorError> {
    let test = Test { asker, subject, path, operator };
    if !operator.takes().accepts(values.len()) {
        return Err(test.wrong_count(values.len()));
    }
    match operator.negates() {
        Some(positive) => Ok(Filter::Not(Box::new(test.filter(positive, values)?))),
        None => test.filter(operator, values),
    }
}

/// One test at work. `operator` is the one that was asked for, for messages.
struct Test<'t> {
    asker: &'t Asker,
    subject: Subject<'t>,
    path: &'t Path,
    operator: Operator,
}

impl Test<'_> {
    fn filter(&self, operator: Operator, values: &[String]) -> Result<Filter, OperatorError> {
        let first = values.first().map_or("", String::as_str);
        let second = values.get(1).map_or("", String::as_str);
        match operator {
            Operator::Null => self.stored().map(|()| Filter::IsNull(self.path.clone())),
            Operator::Compare(comparison) => self.compare(comparison, first),
            Operator::Between => {
                let from = self.compare(Comparison::GreaterOrEqual, first)?;
                Ok(Filter::And(vec![from, self.compare(Comparison::LessOrEqual, second)?]))
            }
            Operator::In => self.one_of(values),
            Operator::Like => self.like(LikePattern::parse(first)),
            Operator::Contains => self.like(LikePattern::contains(first)),
            Operator::BeginsWith => self.like(LikePattern::starts_with(first)),
            Operator::EndsWith => self.like(LikePattern::ends_with(first)),
            Operator::ContainValues => self.contain(values),
            Operator::User => self.one_of_ids(vec![self.asker.user]),
            Operator::BusinessUnit => self.one_of_ids(vec![self.asker.business_unit]),
            Operator::UserTeams => self.one_of_ids(self.asker.teams.clone()),
            Operator::UserOrTeams => self.one_of_ids(self.user_and_teams()),
            Operator::UserOrReports => self.reports(),
            Operator::UserOrReportsOrTeams => self.reports_or_teams(),
            Operator::UserLanguage => self.language(),
            Operator::Under => self.hierarchy(first, Direction::Under, false),
            Operator::UnderOrEqual => self.hierarchy(first, Direction::Under, true),
            Operator::Above => self.hierarchy(first, Direction::Above, false),
            Operator::AboveOrEqual => self.hierarchy(first, Direction::Above, true),
            Operator::On => Ok(self.within(Span::day(self.day(first)?))),
            Operator::OnOrBefore => Ok(self.within(Span::before(self.day(first)?.saturating_add(1)))),
            Operator::OnOrAfter => Ok(self.within(Span::since(self.day(first)?))),
            Operator::InFiscalYear => {
                self.behavior()?;
                Ok(self.within(period::fiscal_year(self.year(first)?, self.asker)))
            }
            Operator::InFiscalPeriod => {
                self.behavior()?;
                Ok(Filter::InPeriod {
                    path: self.path.clone(),
                    calendar: self.asker.fiscal,
                    zone: self.asker.zone.clone(),
                    period: self.period(first)?,
                })
            }
            Operator::InFiscalPeriodAndYear
            | Operator::InOrBeforeFiscalPeriodAndYear
            | Operator::InOrAfterFiscalPeriodAndYear => {
                self.behavior()?;
                let span = period::fiscal_period(operator, self.period(first)?, self.year(second)?, self.asker);
                Ok(span.map_or(Filter::False, |span| self.within(span)))
            }
            Operator::LastX(_) | Operator::NextX(_) | Operator::OlderThanX(_) => {
                self.behavior()?;
                let span = period::counted(operator, self.count(first)?, self.asker);
                Ok(span.map_or(Filter::False, |span| self.within(span)))
            }
            _ => {
                self.behavior()?;
                Ok(period::relative(operator, self.asker).map_or(Filter::False, |span| self.within(span)))
            }
        }
    }

    /// Refuses columns that no row has.
    fn stored(&self) -> Result<(), OperatorError> {
        if self.subject.column.kind.is_stored() { Ok(()) } else { Err(self.wrong_column("columns that are stored")) }
    }

    fn compare(&self, comparison: Comparison, text: &str) -> Result<Filter, OperatorError> {
        let kind = &self.subject.column.kind;
        if matches!(kind, ColumnKind::Choices { .. }) {
            return Err(
                self.wrong_column("columns with one value ('contain-values' works on columns of several choices)")
            );
        }
        self.stored()?;
        if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) && !is_ordered(kind) {
            return Err(self.wrong_column("columns whose values have an order"));
        }
        let fit = self.fit(text)?;
        Ok(compare_fit(self.path.clone(), comparison, fit))
    }

    fn fit(&self, text: &str) -> Result<Fit, OperatorError> {
        let column = self.subject.column;
        fit(self.asker, self.subject.schema, column, text).ok_or_else(|| self.wrong_value(text, wanted(&column.kind)))
    }

    fn one_of(&self, values: &[String]) -> Result<Filter, OperatorError> {
        if matches!(self.subject.column.kind, ColumnKind::Choices { .. }) {
            return Err(
                self.wrong_column("columns with one value ('contain-values' works on columns of several choices)")
            );
        }
        self.stored()?;
        let mut found = Vec::with_capacity(values.len());
        for text in values {
            // What no value of the column can equal is equal to none.
            if let Fit::Value(value) = self.fit(text)? {
                found.push(value);
            }
        }
        Ok(Filter::In { path: self.path.clone(), values: found })
    }

    fn like(&self, pattern: LikePattern) -> Result<Filter, OperatorError> {
        if !self.subject.column.kind.is_text() {
            return Err(self.wrong_column("text columns"));
        }
        Ok(Filter::Like { path: self.path.clone(), pattern })
    }

    fn contain(&self, values: &[String]) -> Result<Filter, OperatorError> {
        if !matches!(self.subject.column.kind, ColumnKind::Choices { .. }) {
            return Err(self.wrong_column("columns of several choices"));
        }
        let mut options = Vec::with_capacity(values.len());
        for text in values {
            let option = text.trim().parse();
            options.push(option.map_err(|_| self.wrong_value(text, wanted(&self.subject.column.kind)))?);
        }
        options.sort_unstable();
        options.dedup();
        Ok(Filter::ContainsAny { path: self.path.clone(), options })
    }

    fn one_of_ids(&self, ids: Vec<Guid>) -> Result<Filter, OperatorError> {
        self.id()?;
        let path = self.path.clone();
        Ok(match ids.as_slice() {
            [only] => Filter::Compare { path, operator: Comparison::Equal, value: Value::Guid(*only) },
            _ => Filter::In { path, values: ids.into_iter().map(Value::Guid).collect() },
        })
    }

    fn id(&self) -> Result<(), OperatorError> {
        match self.subject.column.kind {
            ColumnKind::Guid | ColumnKind::Lookup { .. } => Ok(()),
            _ => Err(self.wrong_column("lookups and ids")),
        }
    }

    fn user_and_teams(&self) -> Vec<Guid> {
        std::iter::once(self.asker.user).chain(self.asker.teams.iter().copied()).collect()
    }

    /// The caller and those under the caller.
    fn reports(&self) -> Result<Filter, OperatorError> {
        self.id()?;
        match self.users() {
            Some((users, parent)) if self.leads_to(users) => Ok(self.under_caller(self.path.clone(), users, parent)),
            Some(_) => Err(self.wrong_column("lookups of users and the key of users")),
            None => self.one_of_ids(vec![self.asker.user]),
        }
    }

    /// Whether the column can name a row of a table.
    fn leads_to(&self, table: TableId) -> bool {
        let Subject { table: own, column, .. } = self.subject;
        column.kind.targets().contains(&table) || (own.id == table && column.id == own.primary_id)
    }

    fn reports_or_teams(&self) -> Result<Filter, OperatorError> {
        let mut any = vec![self.reports()?, self.one_of_ids(self.asker.teams.clone())?];
        let members = self.subject.schema.table_named("teammembership");
        if let Some((users, parent)) = self.users()
            && let (Some(members), Some(table)) = (members, self.subject.schema.table(users))
            && let (Some(user), Some(team)) = (members.column("systemuserid"), members.column("teamid"))
        {
            let member = Link {
                from: 0,
                table: users,
                near: user.id,
                far: table.primary_id,
                kind: LinkKind::Inner,
                filter: Filter::True,
                fields: Vec::new(),
                order: Vec::new(),
            };
            any.push(Filter::Exists(Box::new(Exists {
                near: self.path.clone(),
                table: members.id,
                far: team.id,
                links: vec![member],
                filter: self.under_caller(Path::at(1, table.primary_id), users, parent),
            })));
        }
        Ok(Filter::Or(any))
    }

    /// The table of users and its lookup of the manager.
    fn users(&self) -> Option<(TableId, custodia_schema::ColumnId)> {
        let users = self.subject.schema.table_named("systemuser")?;
        Some((users.id, tree_parent(self.subject.schema, users)?))
    }

    fn under_caller(&self, path: Path, table: TableId, parent: custodia_schema::ColumnId) -> Filter {
        let of = self.asker.user;
        Filter::Hierarchy { path, table, parent, of, direction: Direction::Under, inclusive: true }
    }

    fn language(&self) -> Result<Filter, OperatorError> {
        let value = match self.subject.column.kind {
            ColumnKind::Integer { .. } => Value::Integer(self.asker.language),
            ColumnKind::BigInt => Value::BigInt(i64::from(self.asker.language)),
            _ => return Err(self.wrong_column("whole numbers")),
        };
        Ok(Filter::Compare { path: self.path.clone(), operator: Comparison::Equal, value })
    }

    fn hierarchy(&self, text: &str, direction: Direction, inclusive: bool) -> Result<Filter, OperatorError> {
        let Subject { schema, table, column } = self.subject;
        let tree = match &column.kind {
            ColumnKind::Guid if column.id == table.primary_id => Some(table),
            ColumnKind::Lookup { targets, .. } => match targets.as_slice() {
                [target] => schema.table(*target).map(std::sync::Arc::as_ref),
                _ => None,
            },
            _ => None,
        };
        let found = tree.and_then(|tree| tree_parent(schema, tree).map(|parent| (tree.id, parent)));
        let Some((table, parent)) = found else {
            return Err(self.wrong_column("the key of a table with a hierarchy, and lookups of one"));
        };
        let of = guid(text).ok_or_else(|| self.wrong_value(text, wanted(&ColumnKind::Guid)))?;
        Ok(Filter::Hierarchy { path: self.path.clone(), table, parent, of, direction, inclusive })
    }

    fn behavior(&self) -> Result<DateBehavior, OperatorError> {
        match self.subject.column.kind {
            ColumnKind::DateTime { behavior, .. } => Ok(behavior),
            _ => Err(self.wrong_column("dates")),
        }
    }

    fn day(&self, text: &str) -> Result<i64, OperatorError> {
        let behavior = self.behavior()?;
        day(self.asker, behavior, text).ok_or_else(|| self.wrong_value(text, "a date like 2024-02-29".to_owned()))
    }

    fn year(&self, text: &str) -> Result<i64, OperatorError> {
        let year = text.trim().parse().ok().filter(|year| (1..=9_999).contains(year));
        year.ok_or_else(|| self.wrong_value(text, "a year like 2024".to_owned()))
    }

    fn period(&self, text: &str) -> Result<u32, OperatorError> {
        let most = self.asker.fiscal.periods_of_year();
        let period = text.trim().parse().ok().filter(|period| (1..=most).contains(period));
        period.ok_or_else(|| self.wrong_value(text, format!("the number of a fiscal period from 1 to {most}")))
    }

    fn count(&self, text: &str) -> Result<i64, OperatorError> {
        let count = text.trim().parse::<i32>().ok().filter(|count| *count > 0);
        count.map(i64::from).ok_or_else(|| self.wrong_value(text, "a whole number from 1 to 2147483647".to_owned()))
    }

    /// The column's date lies in a span.
    fn within(&self, span: Span) -> Filter {
        let behavior = self.behavior().unwrap_or(DateBehavior::UserLocal);
        let compare = |operator, at| Filter::Compare {
            path: self.path.clone(),
            operator,
            value: bound(self.asker, behavior, at),
        };
        let from = match span.from {
            From::Ever => None,
            From::At(at) => Some(compare(Comparison::GreaterOrEqual, at)),
            From::After(at) => Some(compare(Comparison::Greater, at)),
        };
        let to = match span.to {
            To::Ever => None,
            To::At(at) => Some(compare(Comparison::LessOrEqual, at)),
            To::Before(at) => Some(compare(Comparison::Less, at)),
        };
        match (from, to) {
            (Some(from), Some(to)) => Filter::And(vec![from, to]),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Filter::Not(Box::new(Filter::IsNull(self.path.clone()))),
        }
    }

    fn wrong_column(&self, expected: &'static str) -> OperatorError {
        OperatorError::WrongColumn {
            operator: self.operator.name(),
            column: self.subject.column.name.clone(),
            table: self.subject.table.name.clone(),
            expected,
        }
    }

    fn wrong_count(&self, found: usize) -> OperatorError {
        OperatorError::WrongCount {
            operator: self.operator.name(),
            column: self.subject.column.name.clone(),
            table: self.subject.table.name.clone(),
            expected: Take::words(self.operator.takes()),
            found,
        }
    }

    fn wrong_value(&self, value: &str, expected: String) -> OperatorError {
        OperatorError::WrongValue {
            operator: self.operator.name(),
            column: self.subject.column.name.clone(),
            table: self.subject.table.name.clone(),
            value: value.chars().take(SHOWN_CHARACTERS_MAX).collect(),
            expected,
        }
    }
}

/// The lookup by which the rows of a table form a tree: that of its hierarchical relationship; without one, its lookup of the
/// parent in the same table (`parentsystemuserid`).
pub(crate) fn tree_parent(schema: &Schema, table: &Table) -> Option<custodia_schema::ColumnId> {
    let own = || schema.parents_of(table.id).filter(|relationship| relationship.referenced == table.id);
    let flagged = own().find(|relationship| relationship.hierarchical);
    let is_parent = |column| {
        table
            .column_by_id(column)
            .is_some_and(|column| column.name.starts_with("parent") && !column.kind.is_polymorphic())
    };
    let chosen = flagged.or_else(|| own().find(|relationship| is_parent(relationship.referencing_column)));
    chosen.map(|relationship| relationship.referencing_column)
}

/// A comparison with a literal, which may be none of the values that the column can have.
pub(crate) fn compare_fit(path: Path, operator: Comparison, fit: Fit) -> Filter {
    let any_value = |path| Filter::Not(Box::new(Filter::IsNull(path)));
    match (fit, operator) {
        (Fit::Value(value), _) => Filter::Compare { path, operator, value },
        (_, Comparison::Equal) => Filter::False,
        (_, Comparison::NotEqual) => Filter::True,
        (Fit::After(value), Comparison::Greater | Comparison::GreaterOrEqual) => {
            Filter::Compare { path, operator: Comparison::Greater, value }
        }
        (Fit::After(value), Comparison::Less | Comparison::LessOrEqual) => {
            Filter::Compare { path, operator: Comparison::LessOrEqual, value }
        }
        (Fit::AboveAll, Comparison::Less | Comparison::LessOrEqual)
        | (Fit::BelowAll, Comparison::Greater | Comparison::GreaterOrEqual) => any_value(path),
        (Fit::AboveAll, Comparison::Greater | Comparison::GreaterOrEqual)
        | (Fit::BelowAll, Comparison::Less | Comparison::LessOrEqual) => Filter::False,
    }
}
