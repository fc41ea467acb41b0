//! The text of a statement into its parts, of which all are known.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, OrderByExpr, OrderByKind,
    OrderBySort, Query as Statement, Select, SelectFlavor, SelectItem, SetExpr, Statement as AnyStatement, TableAlias,
    TableFactor, TableWithJoins, Top, TopQuantity, Value,
};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::Withheld;
use crate::odata::{Limits, ODataError, Place};

/// Parentheses within each other. Those of conditions are few; each takes its share of the stack.
const DEPTH_MAX: usize = 50;

/// Marks and key words of a statement for each condition that there may be: an operator, `and`, two parentheses.
const MARKS_PER_CONDITION: usize = 4;

/// A table of a statement.
pub(super) struct TableName {
    pub(super) name: Ident,
    pub(super) alias: Option<Ident>,
}

/// A joined table.
pub(super) struct Joined {
    pub(super) table: TableName,
    /// Rows without a partner stay.
    pub(super) outer: bool,
    /// The columns that must be equal.
    pub(super) left: Expr,
    pub(super) right: Expr,
}

/// A statement in its parts.
pub(super) struct Parts {
    pub(super) shown: Vec<(Expr, Option<Ident>)>,
    pub(super) table: TableName,
    pub(super) joins: Vec<Joined>,
    pub(super) condition: Option<Expr>,
    pub(super) groups: Vec<Expr>,
    /// What to order by, and whether greatest first.
    pub(super) order: Vec<(Expr, bool)>,
    pub(super) distinct: bool,
    pub(super) top: Option<u32>,
}

impl Parts {
    fn refuse_withheld(&self, withheld: &Withheld) -> Result<(), ODataError> {
        let clauses = [
            ("distinct", self.distinct),
            ("top", self.top.is_some()),
            ("join", self.joins.iter().any(|joined| !joined.outer)),
            ("left-join", self.joins.iter().any(|joined| joined.outer)),
            ("where", self.condition.is_some()),
            ("group-by", !self.groups.is_empty()),
            ("order-by", !self.order.is_empty()),
        ];
        match clauses.iter().find(|(name, is_there)| *is_there && withheld.has("sql.clause", name)) {
            Some((name, _)) => Err(invalid(format!("this service has no '{}'", name.replace('-', " ")))),
            None => Ok(()),
        }
    }
}

/// A refusal.
pub(super) fn invalid(problem: impl Into<String>) -> ODataError {
    ODataError::Invalid { place: place(0), problem: problem.into() }
}

/// A character of the first line of a statement, from 1; 0 for the statement as a whole.
pub(super) fn place(character: usize) -> Place {
    Place { part: "sql".to_owned(), character }
}

/// A refusal of something that a word of the statement says.
pub(super) fn invalid_at(at: &Ident, problem: impl Into<String>) -> ODataError {
    let start = at.span.start;
    let character = if start.line == 1 { usize::try_from(start.column).unwrap_or_default() } else { 0 };
    ODataError::Invalid { place: place(character), problem: problem.into() }
}

fn unsupported(what: &str) -> ODataError {
    invalid(format!("{what} is not supported; one plain selection from tables and inner or left joins is"))
}

/// Reads a statement.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Parts, ODataError> {
    let wrong = |problem: &dyn std::fmt::Display| invalid(format!("the statement cannot be read: {problem}"));
    let tokens = Tokenizer::new(&MsSqlDialect {}, text).tokenize_with_location().map_err(|error| wrong(&error))?;
    let marks = tokens.iter().filter(|token| is_mark(&token.token)).count();
    let marks_max = limits.conditions_max.saturating_mul(MARKS_PER_CONDITION);
    if marks > marks_max {
        return Err(invalid(format!(
            "the statement has {marks} key words and signs; at most {marks_max} are read (conditions_max times \
             {MARKS_PER_CONDITION})"
        )));
    }
    let mut parser = Parser::new(&MsSqlDialect {}).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|error| wrong(&error))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(AnyStatement::Query(statement)), true) => {
            let parts = parts(*statement)?;
            parts.refuse_withheld(&limits.withheld)?;
            Ok(parts)
        }
        (Some(_), true) => Err(invalid("only a selection can be asked")),
        _ => Err(invalid("exactly one statement is expected")),
    }
}

/// Whether a token is neither a value, nor a name, nor what stands between those of a list.
fn is_mark(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != sqlparser::keywords::Keyword::NoKeyword,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::NationalStringLiteral(_) => false,
        Token::Comma | Token::Whitespace(_) => false,
        _ => true,
    }
}

fn parts(statement: Statement) -> Result<Parts, ODataError> {
    // Every part is named: what the parser learns to read must be decided on here.
    let Statement {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = statement;
    let SetExpr::Select(select) = *body else { return Err(unsupported("a union, a list of values or the like")) };
    let extras = [
        (with.is_some(), "a statement before the selection"),
        (limit_clause.is_some() || fetch.is_some(), "a limit other than 'top'"),
        (!locks.is_empty() || for_clause.is_some(), "a lock or a form of the answer"),
        (
            settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty(),
            "an extension of another service",
        ),
    ];
    refuse(&extras)?;
    let order = match order_by {
        None => Vec::new(),
        Some(order) => match (order.kind, order.interpolate) {
            (OrderByKind::Expressions(keys), None) => keys.into_iter().map(sort_key).collect::<Result<_, _>>()?,
            _ => return Err(unsupported("this order")),
        },
    };
    selection(*select, order)
}

fn sort_key(key: OrderByExpr) -> Result<(Expr, bool), ODataError> {
    let OrderByExpr { expr, options, with_fill } = key;
    let descending = match options.sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(_)) => return Err(unsupported("an order by an operator")),
    };
    refuse(&[(options.nulls_first.is_some() || with_fill.is_some(), "a place for missing values")])?;
    Ok((expr, descending))
}

fn selection(select: Select, order: Vec<(Expr, bool)>) -> Result<Parts, ODataError> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    refuse(&[
        (having.is_some(), "'having'"),
        (into.is_some(), "'into'"),
        (flavor != SelectFlavor::Standard, "a selection without columns"),
        (!named_window.is_empty() || qualify.is_some(), "a window"),
        (
            !optimizer_hints.is_empty()
                || select_modifiers.is_some()
                || exclude.is_some()
                || value_table_mode.is_some(),
            "a hint or a modifier",
        ),
        (
            !lateral_views.is_empty() || prewhere.is_some() || !connect_by.is_empty(),
            "a lateral view, a hierarchy or the like",
        ),
        (!cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty(), "an extension of another service"),
    ])?;
    let groups = match group_by {
        GroupByExpr::Expressions(groups, modifiers) if modifiers.is_empty() => groups,
        _ => return Err(unsupported("this grouping")),
    };
    let distinct = match distinct {
        None | Some(Distinct::All) => false,
        Some(Distinct::Distinct) => true,
        Some(Distinct::On(_)) => return Err(unsupported("'distinct' on some columns")),
    };
    let shown = projection
        .into_iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(shown) => Ok((shown, None)),
            SelectItem::ExprWithAlias { expr, alias } => Ok((expr, Some(alias))),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                Err(invalid("'*' is not supported; name the columns"))
            }
            SelectItem::ExprWithAliases { .. } => Err(unsupported("a value with several names")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut tables = from.into_iter();
    let (Some(TableWithJoins { relation, joins }), None) = (tables.next(), tables.next()) else {
        return Err(invalid("exactly one table is expected after 'from', others are joined"));
    };
    Ok(Parts {
        shown,
        table: table(relation)?,
        joins: joins.into_iter().map(joined).collect::<Result<_, _>>()?,
        condition: selection,
        groups,
        order,
        distinct,
        top: top.map(first_rows).transpose()?,
    })
}

fn first_rows(top: Top) -> Result<u32, ODataError> {
    let problem = || invalid("expected a whole number after 'top'");
    refuse(&[(top.with_ties || top.percent, "'top' with ties or per cent")])?;
    match top.quantity {
        Some(TopQuantity::Constant(rows)) => u32::try_from(rows).map_err(|_| problem()),
        Some(TopQuantity::Expr(Expr::Value(value))) => match value.value {
            Value::Number(digits, false) => digits.parse().map_err(|_| problem()),
            _ => Err(problem()),
        },
        _ => Err(problem()),
    }
}

fn table(factor: TableFactor) -> Result<TableName, ODataError> {
    let TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Err(unsupported("a selection within another, or a function as a table,"));
    };
    refuse(&[
        (args.is_some() || with_ordinality || json_path.is_some(), "a function as a table"),
        (!with_hints.is_empty() || !index_hints.is_empty(), "a hint"),
        (version.is_some() || !partitions.is_empty() || sample.is_some(), "a part or a version of a table"),
    ])?;
    let alias = match alias {
        None => None,
        Some(TableAlias { name, columns, at, .. }) if columns.is_empty() && at.is_none() => Some(name),
        Some(_) => return Err(unsupported("a table with names for its columns")),
    };
    Ok(TableName { name: only_name(name)?, alias })
}

fn only_name(name: ObjectName) -> Result<Ident, ODataError> {
    let mut parts = name.0.iter().map(|part| part.as_ident());
    match (parts.next().flatten(), parts.next()) {
        (Some(name), None) => Ok(name.clone()),
        _ => Err(invalid("the logical name of a table is expected, without anything before it")),
    }
}

fn joined(join: Join) -> Result<Joined, ODataError> {
    let Join { relation, global, join_operator } = join;
    let (outer, constraint) = match join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (false, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (true, constraint),
        _ => return Err(unsupported("a join that is neither inner nor left")),
    };
    refuse(&[(global, "an extension of another service")])?;
    let JoinConstraint::On(mut on) = constraint else { return Err(unsupported("a join without 'on'")) };
    while let Expr::Nested(inner) = on {
        on = *inner;
    }
    match on {
        Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::Eq, right } => {
            Ok(Joined { table: table(relation)?, outer, left: *left, right: *right })
        }
        _ => Err(invalid("a join needs 'on' with one column of each table, and '=' between them")),
    }
}

fn refuse(extras: &[(bool, &str)]) -> Result<(), ODataError> {
    match extras.iter().find(|(present, _)| *present) {
        Some((_, what)) => Err(unsupported(what)),
        None => Ok(()),
    }
}
