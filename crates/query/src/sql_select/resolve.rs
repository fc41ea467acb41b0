//! The parts of a statement into a question: names are looked up, joins become links.

use custodia_schema::{Column, ColumnKind, Schema, Table, TableId};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident};

use super::statement::{Joined, Parts, TableName, invalid, invalid_at, place, read};
use crate::fetchxml::{GroupColumn, GroupValue, GroupsQuestion, Question, RowColumn, RowsQuestion};
use crate::odata::{Limits, ODataError, comparable, parse_moment, property_name};
use crate::operator::Asker;
use crate::{Aggregation, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Order, Path, Query};

/// Texts longer than this are no sort keys.
const SORTED_LENGTH_MAX: u32 = 4_000;

/// What a statement asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectQuestion {
    /// Rows or groups. Pages are not set.
    pub question: Question,
    /// Rows or groups at most, over all pages.
    pub top: Option<u32>,
}

/// Whether what a statement says may depend on who asks it: a time in it without an offset is the caller's.
#[must_use]
pub fn depends_on_asker(text: &str) -> bool {
    text.split('\'').any(|piece| piece.trim().get(..10).is_some_and(|date| parse_moment(date).is_some()))
}

/// Reads a statement and looks its names up.
///
/// # Errors
/// What is not one plain selection, unknown tables and columns, values that do not fit, more than [`Limits`] allow.
pub fn parse_select(schema: &Schema, text: &str, asker: &Asker, limits: &Limits) -> Result<SelectQuestion, ODataError> {
    let parts = read(text, limits)?;
    let mut resolver =
        Resolver { schema, asker, limits, rows: Vec::new(), links: Vec::new(), conditions: 0, values: 0 };
    resolver.table(&parts.table)?;
    for join in &parts.joins {
        resolver.join(join)?;
    }
    let filter = match &parts.condition {
        Some(condition) => resolver.filter(condition)?,
        None => Filter::True,
    };
    let aggregates = parts.shown.iter().any(|(shown, _)| matches!(shown, Expr::Function(_)));
    let top = parts.top;
    let question = if aggregates || !parts.groups.is_empty() {
        Question::Groups(resolver.groups(parts, filter)?)
    } else {
        Question::Rows(resolver.shown(parts, filter)?)
    };
    Ok(SelectQuestion { question, top })
}

/// A table of the statement, and what it is called there.
struct Row<'s> {
    table: &'s Table,
    name: String,
}

/// Looks names up.
pub(super) struct Resolver<'s> {
    pub(super) schema: &'s Schema,
    pub(super) asker: &'s Asker,
    pub(super) limits: &'s Limits,
    rows: Vec<Row<'s>>,
    links: Vec<Link>,
    /// Conditions so far, and values of lists.
    pub(super) conditions: usize,
    pub(super) values: usize,
}

impl<'s> Resolver<'s> {
    pub(super) fn too_much(&self, limit: &'static str, max: usize) -> ODataError {
        ODataError::TooMuch { place: place(0), limit, max }
    }

    fn table(&mut self, named: &TableName) -> Result<&'s Table, ODataError> {
        let Some(table) = self.schema.table_named(&named.name.value.to_ascii_lowercase()) else {
            let problem = format!("there is no table '{}'; logical names are expected", named.name.value);
            return Err(invalid_at(&named.name, problem));
        };
        let name = named.alias.as_ref().unwrap_or(&named.name);
        if self.rows.iter().any(|row| row.name.eq_ignore_ascii_case(&name.value)) {
            return Err(invalid_at(name, format!("two tables are called '{}'", name.value)));
        }
        self.rows.push(Row { table, name: name.value.clone() });
        Ok(table)
    }

    fn join(&mut self, join: &Joined) -> Result<(), ODataError> {
        if self.links.len() >= self.limits.links_max {
            return Err(self.too_much("links_max", self.limits.links_max));
        }
        let table = self.table(&join.table)?;
        let new = self.rows.len() - 1;
        let (left, right) = (self.column(&join.left)?, self.column(&join.right)?);
        let ((from, _, near), (_, _, far)) = match (left.0 == new, right.0 == new) {
            (true, false) => (right, left),
            (false, true) => (left, right),
            _ => return Err(invalid("a join needs one column of the joined table and one of a table before it")),
        };
        if !comparable(&near.kind, &far.kind) {
            let problem =
                format!("'{}' and '{}' hold values of different types and cannot be joined", near.name, far.name);
            return Err(invalid(problem));
        }
        self.links.push(Link {
            from,
            table: table.id,
            near: near.id,
            far: far.id,
            kind: if join.outer { LinkKind::Outer } else { LinkKind::Inner },
            filter: Filter::True,
            fields: Vec::new(),
            order: Vec::new(),
        });
        Ok(())
    }

    /// The column that a name means, and the number and table of its row.
    pub(super) fn column(&self, named: &Expr) -> Result<(usize, &'s Table, &'s Column), ODataError> {
        let (of, name) = match named {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [of, name] => (Some(of), name),
                _ => return Err(invalid("expected a column as 'column' or 'table.column'")),
            },
            Expr::Nested(inner) => return self.column(inner),
            _ => return Err(invalid("expected a column; expressions are not supported")),
        };
        let mut found = Vec::new();
        let mut of_is_known = false;
        for (row, Row { table, name: called }) in self.rows.iter().enumerate() {
            if of.is_some_and(|of| !of.value.eq_ignore_ascii_case(called)) {
                continue;
            }
            of_is_known = true;
            if let Some(column) = column_named(table, &name.value) {
                found.push((row, *table, column));
            }
        }
        match (found.as_slice(), of) {
            ([only], _) => {
                if !only.2.kind.is_stored() {
                    let problem = format!("the column '{}' is not kept in its row and cannot be asked for", name.value);
                    return Err(invalid_at(name, problem));
                }
                Ok(*only)
            }
            ([], Some(of)) if !of_is_known => Err(invalid_at(of, format!("no table is called '{}'", of.value))),
            ([], _) => Err(ODataError::UnknownProperty {
                place: place(0),
                name: name.value.clone(),
                table: self
                    .rows
                    .iter()
                    .find(|row| of.is_none_or(|of| of.value.eq_ignore_ascii_case(&row.name)))
                    .map_or_else(String::new, |row| row.table.name.clone()),
                hint: String::new(),
            }),
            (_, _) => {
                Err(invalid_at(name, format!("'{}' is a column of several tables; name one before it", name.value)))
            }
        }
    }

    /// What a column is called where it has no name of its own.
    fn plain_name(&self, row: usize, column: &Column) -> String {
        match self.rows.get(row) {
            Some(joined) if row > 0 => format!("{}.{}", joined.name, column.name),
            _ => property_name(column).into_owned(),
        }
    }

    /// A question about rows.
    fn shown(mut self, parts: Parts, filter: Filter) -> Result<RowsQuestion, ODataError> {
        let Some(root) = self.rows.first().map(|row| row.table) else { return Err(invalid("a table is missing")) };
        let mut fields: Vec<Vec<Field>> = vec![Vec::new(); self.rows.len()];
        let mut columns: Vec<RowColumn> = Vec::new();
        let implied = (!parts.distinct).then_some(root.primary_id);
        if let (Some(key), Some(of_root)) = (implied, fields.first_mut()) {
            of_root.push(Field::Column(key));
        }
        for (shown, alias) in &parts.shown {
            let (row, _, column) = self.column(shown)?;
            let name = match alias {
                Some(alias) => alias_name(alias)?,
                None => self.plain_name(row, column),
            };
            if columns.iter().any(|known| known.name == name) {
                return Err(invalid(format!("two values would be called '{name}'")));
            }
            let field = Field::Column(column.id);
            if let Some(of_row) = fields.get_mut(row)
                && !of_row.contains(&field)
            {
                of_row.push(field);
            }
            columns.push(RowColumn { row, field, name, null_shown: true });
        }
        if let Some(key) = implied.and_then(|key| root.column_by_id(key)) {
            let field = Field::Column(key.id);
            let is_shown = columns.iter().any(|shown| shown.row == 0 && shown.field == field);
            if !is_shown && !columns.iter().any(|shown| shown.name == key.name) {
                columns.push(RowColumn { row: 0, field, name: key.name.clone(), null_shown: true });
            }
        }
        let mut order: Vec<Order> = Vec::new();
        for (key, descending) in &parts.order {
            let by_name = match key {
                Expr::Identifier(name) => columns.iter().find(|shown| shown.name.eq_ignore_ascii_case(&name.value)),
                _ => None,
            };
            let path = match by_name {
                Some(RowColumn { row, field: Field::Column(column), .. }) => Path::at(*row, *column),
                _ => {
                    let (row, _, column) = self.column(key)?;
                    Path::at(row, column.id)
                }
            };
            self.check_sorted(&path)?;
            let is_shown =
                columns.iter().any(|shown| shown.row == path.row && shown.field == Field::Column(path.column));
            if parts.distinct && !is_shown {
                return Err(invalid("distinct rows can only be ordered by columns that are shown"));
            }
            if !order.iter().any(|known| known.path == path) {
                order.push(Order::by_value(path, *descending));
            }
        }
        if order.len() > self.limits.order_keys_max {
            return Err(self.too_much("order_keys_max", self.limits.order_keys_max));
        }
        let mut fields = fields.into_iter();
        let of_root = fields.next().unwrap_or_default();
        for (link, fields) in self.links.iter_mut().zip(fields) {
            link.fields = fields;
        }
        let tables: Vec<TableId> = self.rows.iter().map(|row| row.table.id).collect();
        let query = Query {
            fields: of_root,
            links: self.links,
            filter,
            distinct: parts.distinct,
            order,
            ..Query::of(root, self.limits.page_rows_max.max(1))
        };
        Ok(RowsQuestion { query, tables, columns })
    }

    fn check_sorted(&self, path: &Path) -> Result<(), ODataError> {
        let column = self.rows.get(path.row).and_then(|row| row.table.column_by_id(path.column));
        match column.map(|column| (&column.kind, &column.name)) {
            Some((ColumnKind::Choices { .. }, name)) => Err(invalid(format!("rows cannot be ordered by '{name}'"))),
            Some((ColumnKind::Memo { max_length, .. }, name)) if *max_length > SORTED_LENGTH_MAX => {
                Err(invalid(format!("rows cannot be ordered by '{name}': it holds texts too long to sort by")))
            }
            _ => Ok(()),
        }
    }

    /// A question about groups.
    fn groups(self, parts: Parts, filter: Filter) -> Result<GroupsQuestion, ODataError> {
        let Some(root) = self.rows.first().map(|row| row.table) else { return Err(invalid("a table is missing")) };
        if parts.distinct {
            return Err(invalid("'distinct' beside groups is not supported"));
        }
        let mut groups: Vec<Group> = Vec::new();
        for grouped in &parts.groups {
            let (row, _, column) = self.column(grouped)?;
            if matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. }) {
                return Err(invalid(format!("rows cannot be grouped by '{}'", column.name)));
            }
            let group = Group { path: Path::at(row, column.id), by: GroupBy::Value };
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let mut measures: Vec<Measure> = Vec::new();
        let mut columns: Vec<GroupColumn> = Vec::new();
        if parts.shown.len() + groups.len() > self.limits.group_columns_max {
            return Err(self.too_much("group_columns_max", self.limits.group_columns_max));
        }
        for (shown, alias) in &parts.shown {
            let column = match shown {
                Expr::Function(function) => {
                    let (measure, table, column, kind, plain) = self.measure(function, root)?;
                    let name = alias.as_ref().map_or(Ok(plain), alias_name)?;
                    let position = groups.len() + measures.len();
                    measures.push(measure);
                    GroupColumn { position, name, table: table.id, column: column.id, kind }
                }
                _ => {
                    let (row, table, column) = self.column(shown)?;
                    let path = Path::at(row, column.id);
                    let Some(position) = groups.iter().position(|group| group.path == path) else {
                        let problem = format!("'{}' is neither grouped by nor an aggregate", column.name);
                        return Err(invalid(problem));
                    };
                    let name = alias.as_ref().map_or_else(|| Ok(self.plain_name(row, column)), alias_name)?;
                    GroupColumn { position, name, table: table.id, column: column.id, kind: GroupValue::Value }
                }
            };
            if columns.iter().any(|known| known.name == column.name) {
                return Err(invalid(format!("two values would be called '{}'", column.name)));
            }
            columns.push(column);
        }
        let mut order: Vec<(usize, bool)> = Vec::new();
        for (key, descending) in &parts.order {
            let by_name = match key {
                Expr::Identifier(name) => columns.iter().find(|shown| shown.name.eq_ignore_ascii_case(&name.value)),
                _ => None,
            };
            let position = match (by_name, key) {
                (Some(shown), _) => shown.position,
                (None, Expr::Function(function)) => {
                    let (measure, ..) = self.measure(function, root)?;
                    let at = measures.iter().position(|known| *known == measure);
                    groups.len() + at.ok_or_else(|| invalid("groups are ordered by aggregates that are shown"))?
                }
                (None, key) => {
                    let (row, _, column) = self.column(key)?;
                    let path = Path::at(row, column.id);
                    groups.iter().position(|group| group.path == path).ok_or_else(|| {
                        invalid(format!("groups cannot be ordered by '{}', which is not grouped by", column.name))
                    })?
                }
            };
            if !order.iter().any(|(known, _)| *known == position) {
                order.push((position, *descending));
            }
        }
        let page_size = self.limits.page_rows_max.max(1);
        let rows = Query { filter, links: self.links, ..Query::of(root, page_size) };
        let rows_max = self.limits.aggregate_rows_max;
        let aggregation = Aggregation { rows, groups, measures, order, skip: 0, page_size, rows_max };
        Ok(GroupsQuestion { aggregation, columns })
    }

    /// An aggregate, the column that it is of, and what it is called for want of a name.
    fn measure(
        &self,
        function: &Function,
        root: &'s Table,
    ) -> Result<(Measure, &'s Table, &'s Column, GroupValue, String), ODataError> {
        let called = function.name.to_string().to_ascii_lowercase();
        let plain_call = !function.uses_odbc_syntax
            && function.parameters == FunctionArguments::None
            && function.within_group.is_empty()
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.over.is_none();
        let arguments = match &function.args {
            FunctionArguments::List(list) if plain_call && list.clauses.is_empty() => list,
            _ => return Err(invalid(format!("this use of '{called}' is not supported"))),
        };
        let distinct = arguments.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let argument = match arguments.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if called == "count" && !distinct => {
                if self.limits.withheld.has("sql.aggregate", "count") {
                    return Err(invalid("this service has no aggregate 'count'"));
                }
                let key = root.column_by_id(root.primary_id).ok_or_else(|| invalid("a key is missing"))?;
                return Ok((Measure::Count, root, key, GroupValue::Count, called));
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => argument,
            _ => return Err(invalid(format!("'{called}' takes one column"))),
        };
        let (row, table, column) = self.column(argument)?;
        let path = Path::at(row, column.id);
        let is_number = matches!(
            column.kind,
            ColumnKind::Integer { .. }
                | ColumnKind::BigInt
                | ColumnKind::Decimal { .. }
                | ColumnKind::Double { .. }
                | ColumnKind::Money { .. }
        );
        let is_date = matches!(column.kind, ColumnKind::DateTime { .. });
        let (measure, kind, fits) = match called.as_str() {
            withheld if self.limits.withheld.has("sql.aggregate", withheld) => {
                return Err(invalid(format!("this service has no aggregate '{withheld}'")));
            }
            "count" => {
                let told_apart = !matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. });
                (Measure::CountValues { path, distinct }, GroupValue::Count, told_apart || !distinct)
            }
            "sum" => (Measure::Sum(path), GroupValue::Value, is_number && !distinct),
            "avg" => (Measure::Average(path), GroupValue::Value, is_number && !distinct),
            "min" => (Measure::Least(path), GroupValue::Value, is_number || is_date),
            "max" => (Measure::Greatest(path), GroupValue::Value, is_number || is_date),
            _ => {
                let problem = format!("there is no aggregate '{called}'; expected count, sum, avg, min or max");
                return Err(invalid(problem));
            }
        };
        if !fits {
            return Err(invalid(format!("'{called}' does not work on '{}'", column.name)));
        }
        let plain = format!("{called}_{}", column.name);
        Ok((measure, table, column, kind, plain))
    }
}

/// The column of that name, in any case: a logical name, or that of a lookup's property.
fn column_named<'s>(table: &'s Table, name: &str) -> Option<&'s Column> {
    let name = name.to_ascii_lowercase();
    let lookup = name.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value"));
    let column = table
        .column(&name)
        .or_else(|| lookup.and_then(|name| table.column(name)).filter(|column| !column.kind.targets().is_empty()));
    column.filter(|column| column.readable || column.id == table.primary_id)
}

/// A name for a value: what can be a property, and is no annotation.
fn alias_name(alias: &Ident) -> Result<String, ODataError> {
    let mut characters = alias.value.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(alias.value.clone());
    }
    Err(invalid_at(alias, format!("the name '{}' is not valid: letters, digits and underscores are", alias.value)))
}
