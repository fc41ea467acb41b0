//! Paths over single-valued navigations to a column: `parentaccountid/primarycontactid/lastname`.

use custodia_schema::{Column, ColumnId, ColumnKind, Schema, Table};

use super::hint::hint_of_column;
use super::lexer::{Lexer, Token};
use super::names::{CollectionNavigation, Navigation, SingleNavigation, navigation, property};
use super::{Limits, ODataError};
use crate::{Path, Step};

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) enum Goal<'s> {
    /// A stored column.
    Column(Path, &'s Column),
    /// A navigation to one row, which can only be told from null. The path is null when there is no such row.
    Row(Path),
    /// `any` or `all` on a navigation to many rows; what is in its parentheses is still to be read.
    Rows(Box<Rows>),
}

/// A collection that a test is made on.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// The primary id of the row it belongs to.
    pub(super) near: Path,
    pub(super) navigation: CollectionNavigation,
    /// `all`; otherwise `any`.
    pub(super) all: bool,
}

/// Reads paths from one table, and counts what they cost.
pub(super) struct PathReader<'s> {
    pub(super) schema: &'s Schema,
    pub(super) limits: &'s Limits,
    pub(super) table: &'s Table,
    /// The row of the question that paths start at.
    row: usize,
    /// Which rows those are: each collection that is tested has other ones.
    scope: usize,
    scopes: usize,
    /// A lookup at the end of a path goes by its logical name.
    logical: bool,
    /// Every different sequence of steps used in each scope: each is a join.
    joins: Vec<(usize, Vec<Step>)>,
}

/// Where paths started before a collection was entered.
pub(super) struct Around<'s> {
    table: &'s Table,
    row: usize,
    scope: usize,
}

impl<'s> PathReader<'s> {
    pub(super) fn new(schema: &'s Schema, limits: &'s Limits, table: &'s Table) -> Self {
        Self { schema, limits, table, row: 0, scope: 0, scopes: 0, logical: false, joins: Vec::new() }
    }

    /// Paths start at the rows of another table from here on, which are row `row` of the test made on them.
    pub(super) fn enter(
        &mut self,
        lexer: &Lexer<'_>,
        at: usize,
        table: &'s Table,
        row: usize,
    ) -> Result<Around<'s>, ODataError> {
        let around = Around { table: self.table, row: self.row, scope: self.scope };
        self.scopes += 1;
        (self.table, self.row, self.scope) = (table, row, self.scopes);
        // Reaching the rows is a join of its own.
        self.join(lexer, at, &[])?;
        Ok(around)
    }

    /// Paths start again where they did before.
    pub(super) fn leave(&mut self, around: &Around<'s>) {
        (self.table, self.row, self.scope) = (around.table, around.row, around.scope);
    }

    /// As [`Self::read`], but a lookup at the end also goes by its logical name.
    pub(super) fn read_logical<'t>(
        &mut self,
        lexer: &mut Lexer<'t>,
        first: &'t str,
        first_at: usize,
    ) -> Result<Goal<'s>, ODataError> {
        self.logical = true;
        let goal = self.read(lexer, first, first_at);
        self.logical = false;
        goal
    }

    /// Reads a path whose first name has been taken from the lexer already.
    pub(super) fn read<'t>(
        &mut self,
        lexer: &mut Lexer<'t>,
        first: &'t str,
        first_at: usize,
    ) -> Result<Goal<'s>, ODataError> {
        let mut table = self.table;
        let mut steps: Vec<Step> = Vec::new();
        let (mut name, mut at) = (first, first_at);
        loop {
            let mut ahead = *lexer;
            if ahead.next()?.0 != Token::Slash {
                return self.end(lexer, table, steps, name, at);
            }
            let (Token::Word(next), next_at) = ahead.next()? else {
                return Err(lexer.invalid(ahead.at(), "expected the name of a column or navigation after '/'"));
            };
            if name.contains('.') || next.contains('.') {
                let what = format!("'{}'", if next.contains('.') { next } else { name });
                return Err(lexer.unsupported(if next.contains('.') { next_at } else { at }, what));
            }
            let single = match navigation(self.schema, table, name) {
                Some(Navigation::Single(single)) => single,
                Some(Navigation::Collection(navigation))
                    if matches!(next, "any" | "all") && !self.limits.withheld.has("odata.lambda", next) =>
                {
                    lexer.go_to(ahead.at());
                    let near = self.path_to(steps, table.primary_id);
                    return Ok(Goal::Rows(Box::new(Rows { near, navigation, all: next == "all" })));
                }
                Some(Navigation::Collection(_)) if next == "$count" => {
                    return Err(
                        lexer.invalid(next_at, "'$count' of a collection is not supported in a filter or an order")
                    );
                }
                Some(Navigation::Collection(_)) => {
                    let problem = format!("'{name}' is a collection; expected '/any(…)' or '/all(…)' after it");
                    return Err(lexer.invalid(at, problem));
                }
                None if property(table, name).is_some() => {
                    return Err(lexer.invalid(at, format!("'{name}' is a column; nothing can be reached through it")));
                }
                None => return Err(unknown(lexer, at, name, &table.name)),
            };
            if steps.len() >= self.limits.path_steps_max {
                return Err(lexer.too_much(at, "path_steps_max", self.limits.path_steps_max));
            }
            let lookup = table.column_by_id(single.lookup);
            if single.targets.len() > 1 && lookup.is_some_and(|lookup| lookup.name == next) {
                // The one property that a user and a team share under one name is their id: `ownerid/ownerid`.
                let Some(lookup) = lookup else { return Err(unknown(lexer, next_at, next, "principal")) };
                lexer.go_to(ahead.at());
                return Ok(Goal::Column(self.finish(lexer, at, steps, lookup)?, lookup));
            }
            table = self.target(lexer, &single, next, next_at)?;
            steps.push(Step { lookup: single.lookup, target: table.id });
            self.join(lexer, at, &steps)?;
            lexer.go_to(ahead.at());
            (name, at) = (next, next_at);
        }
    }

    /// The table a navigation leads to, given the name that follows.
    fn target(
        &self,
        lexer: &Lexer<'_>,
        single: &SingleNavigation,
        next: &str,
        next_at: usize,
    ) -> Result<&'s Table, ODataError> {
        let tables = single.targets.iter().filter_map(|id| self.schema.table(*id));
        let mut known = tables.map(|table| &**table).filter(|table| {
            single.targets.len() == 1
                || property(table, next).is_some()
                || navigation(self.schema, table, next).is_some()
        });
        match (known.next(), known.next()) {
            (Some(table), None) => Ok(table),
            (None, _) => Err(unknown(lexer, next_at, next, "principal")),
            (Some(one), Some(other)) => {
                let problem = format!(
                    "'{}' leads to {} and to {}, and both have '{next}'; go through a lookup that leads to one of them",
                    single.name, one.name, other.name
                );
                Err(lexer.invalid(next_at, problem))
            }
        }
    }

    fn end(
        &mut self,
        lexer: &Lexer<'_>,
        table: &'s Table,
        mut steps: Vec<Step>,
        name: &str,
        at: usize,
    ) -> Result<Goal<'s>, ODataError> {
        let logical = self.logical.then(|| table.column(name)).flatten().filter(|column| column.readable);
        if let Some(column) = property(table, name).or(logical) {
            return Ok(Goal::Column(self.finish(lexer, at, steps, column)?, column));
        }
        match navigation(self.schema, table, name) {
            Some(Navigation::Single(single)) => {
                let polymorphic = table.column_by_id(single.lookup).is_some_and(|lookup| lookup.kind.is_polymorphic());
                let typed = polymorphic || single.step_of_type(table).is_some();
                let column = match (typed, single.targets.as_slice()) {
                    // Null also when the lookup points at another table, or at an activity of another type.
                    (true, [target]) => {
                        steps.push(Step { lookup: single.lookup, target: *target });
                        self.join(lexer, at, &steps)?;
                        self.schema.table(*target).map_or(single.lookup, |target| target.primary_id)
                    }
                    _ => single.lookup,
                };
                Ok(Goal::Row(self.path_to(steps, column)))
            }
            Some(Navigation::Collection(_)) => {
                Err(lexer.invalid(at, format!("'{name}' is a collection; expected '/any(…)' or '/all(…)' after it")))
            }
            None => Err(unknown_column(lexer, at, name, table)),
        }
    }

    fn finish(&self, lexer: &Lexer<'_>, at: usize, steps: Vec<Step>, column: &Column) -> Result<Path, ODataError> {
        if !column.kind.is_stored() {
            return Err(lexer.unsupported(at, format!("column '{}'", column.name)));
        }
        Ok(self.path_to(steps, column.id))
    }

    fn path_to(&self, steps: Vec<Step>, column: ColumnId) -> Path {
        Path { row: self.row, steps, column }
    }

    fn join(&mut self, lexer: &Lexer<'_>, at: usize, steps: &[Step]) -> Result<(), ODataError> {
        if !self.joins.iter().any(|(scope, known)| *scope == self.scope && known == steps) {
            if self.joins.len() >= self.limits.joins_max {
                return Err(lexer.too_much(at, "joins_max", self.limits.joins_max));
            }
            self.joins.push((self.scope, steps.to_vec()));
        }
        Ok(())
    }
}

/// The table has no such property.
pub(super) fn unknown(lexer: &Lexer<'_>, at: usize, name: &str, table: &str) -> ODataError {
    let (name, table) = (name.to_owned(), table.to_owned());
    ODataError::UnknownProperty { place: lexer.place(at), name, table, hint: String::new() }
}

/// The table has no such property where a column is meant.
pub(super) fn unknown_column(lexer: &Lexer<'_>, at: usize, name: &str, table: &Table) -> ODataError {
    let hint = hint_of_column(table, name);
    ODataError::UnknownProperty { place: lexer.place(at), name: name.to_owned(), table: table.name.clone(), hint }
}

/// Whether rows can be ordered by a column, and its values be compared as less or greater.
pub(crate) fn is_ordered(kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::Text { .. }
        | ColumnKind::Memo { .. }
        | ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Decimal { .. }
        | ColumnKind::Double { .. }
        | ColumnKind::Money { .. }
        | ColumnKind::DateTime { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => true,
        ColumnKind::Boolean { .. }
        | ColumnKind::Choices { .. }
        | ColumnKind::Guid
        | ColumnKind::Lookup { .. }
        | ColumnKind::TableName
        | ColumnKind::PartyList
        | ColumnKind::Image
        | ColumnKind::File
        | ColumnKind::Managed => false,
    }
}
