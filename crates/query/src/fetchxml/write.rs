//! The query tree into a [`Fetch`] that is looked up as the same tree.

use custodia_schema::{Column, ColumnKind, DateBehavior, Table, TableId};

use super::document::{
    Aggregate, Attribute, Condition, Contents, DateGrouping, Fetch, FilterElement, LinkElement, LinkType, Sort, Test,
};
use super::said::{all_pass, both_set, operators};
use crate::operator::{Operator, tree_parent};
use crate::{
    Aggregation, Comparison, DatePart, Exists, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Order, OrderBy,
    Path, Query, Unsayable, Words, Zone,
};

/// Rows of a page and of `top` that the language takes.
const ROWS_MAX: u32 = 5_000;

impl Fetch {
    /// A query as FetchXML. It is looked up as the same query, but for lists of one test and none, which become that test and
    /// the test that every row passes; and for the place of the page and the row whose collection is asked for, which stand
    /// elsewhere in a request and are not looked at.
    ///
    /// # Errors
    /// What FetchXML has no words for: steps over lookups (it has links), expansions, negations without an operator, values
    /// that the column's type does not have, links in another order than that of elements within each other.
    pub fn of_query(words: &Words<'_>, query: &Query) -> Result<Self, Unsayable> {
        let writer = Writer { words: *words };
        let scope = Scope::of(words, query.table, &query.links)?;
        if !query.expand.is_empty() {
            return Err(unsayable("expanded records"));
        }
        let mut contents = writer.contents(&scope, 0, &query.filter)?;
        let root = scope.table(0)?;
        writer.show(root, 0, &query.fields, &mut contents)?;
        if !query.distinct {
            check_key_and_currency(root, &query.fields)?;
        }
        contents.no_attributes = contents.attributes.is_empty();
        let shows = !query.fields.is_empty() || query.links.iter().any(|link| !link.fields.is_empty());
        if !shows {
            return Err(unsayable("rows without a column"));
        }
        contents.orders = writer.orders(&scope, 0, &query.order)?;
        let is_shown = |order: &Order| {
            let fields = match order.path.row.checked_sub(1) {
                None => query.fields.as_slice(),
                Some(link) => query.links.get(link).map_or(&[][..], |link| link.fields.as_slice()),
            };
            fields.contains(&Field::Column(order.path.column))
        };
        if query.distinct && !query.order.iter().all(is_shown) {
            return Err(unsayable("an order of distinct rows by what they do not show"));
        }
        let all = query.order.iter().chain(query.links.iter().flat_map(|link| &link.order));
        Ok(Self { contents, raw_order: writer.is_raw(&scope, all)?, ..writer.rows(query)? })
    }

    /// A question about groups as FetchXML. The place of the page and the row whose collection is asked for stand elsewhere in
    /// a request and are not looked at.
    ///
    /// # Errors
    /// What FetchXML has no words for: see [`Self::of_query`], and groups and measures in another order than that of the
    /// elements they stand in.
    pub fn of_groups(words: &Words<'_>, question: &Aggregation) -> Result<Self, Unsayable> {
        let writer = Writer { words: *words };
        let rows = &question.rows;
        let scope = Scope::of(words, rows.table, &rows.links)?;
        let mut contents = writer.contents(&scope, 0, &rows.filter)?;
        if rows.links.iter().any(|link| !link.fields.is_empty()) {
            return Err(unsayable("columns of linked rows beside groups"));
        }
        let mut last = 0;
        for (position, group) in question.groups.iter().enumerate() {
            writer.in_turn(&mut last, group.path.row)?;
            let attribute = writer.group(&scope, position, group)?;
            into_row(&scope, &mut contents, last, attribute);
        }
        last = 0;
        for (position, measure) in question.measures.iter().enumerate() {
            let attribute = match measure {
                Measure::Count => Attribute {
                    aggregate: Some(Aggregate::Count),
                    ..attribute(&column_name(scope.table(last)?, scope.table(last)?.primary_id)?)
                },
                Measure::CountValues { path, distinct } => {
                    writer.in_turn(&mut last, path.row)?;
                    Attribute { distinct: *distinct, ..writer.measure(&scope, path, Aggregate::CountColumn)? }
                }
                Measure::Sum(path) => writer.ordered_measure(&scope, &mut last, path, Aggregate::Sum)?,
                Measure::Average(path) => writer.ordered_measure(&scope, &mut last, path, Aggregate::Average)?,
                Measure::Least(path) => writer.ordered_measure(&scope, &mut last, path, Aggregate::Least)?,
                Measure::Greatest(path) => writer.ordered_measure(&scope, &mut last, path, Aggregate::Greatest)?,
            };
            let attribute = Attribute { alias: Some(format!("m{position}")), ..attribute };
            into_row(&scope, &mut contents, last, attribute);
        }
        if question.groups.is_empty() && question.measures.is_empty() {
            return Err(unsayable("groups that nothing is told of"));
        }
        for (position, descending) in &question.order {
            let alias = match position.checked_sub(question.groups.len()) {
                None => format!("g{position}"),
                Some(measure) => format!("m{measure}"),
            };
            contents.orders.push(Sort { attribute: None, alias: Some(alias), entity: None, descending: *descending });
        }
        let links = rows.links.iter().flat_map(|link| &link.order);
        let raw_order = writer.is_raw(&scope, links)?;
        Ok(Self {
            contents,
            raw_order,
            aggregate: true,
            aggregate_limit: Some(question.rows_max),
            count: Some(question.page_size),
            ..writer.rows(rows)?
        })
    }
}

fn unsayable(what: impl Into<String>) -> Unsayable {
    Unsayable { language: "FetchXML", what: what.into() }
}

/// The rows that tests can speak of: the queried one, then those of the links.
struct Scope<'q> {
    tables: Vec<&'q Table>,
    links: &'q [Link],
}

impl<'q> Scope<'q> {
    fn of(words: &Words<'q>, table: TableId, links: &'q [Link]) -> Result<Self, Unsayable> {
        let mut tables = Vec::new();
        for id in std::iter::once(table).chain(links.iter().map(|link| link.table)) {
            tables.push(
                words.schema.table(id).map(|table| &**table).ok_or_else(|| unsayable("a table that there is not"))?,
            );
        }
        let scope = Self { tables, links };
        let mut met = 0;
        scope.walk(0, &mut met);
        if met == links.len() { Ok(scope) } else { Err(unsayable("links that do not follow the one they hang on")) }
    }

    /// Counts the links in the order of elements within each other, as far as that is their own.
    fn walk(&self, from: usize, met: &mut usize) {
        while self.links.get(*met).is_some_and(|link| link.from == from) {
            *met += 1;
            self.walk(*met, met);
        }
    }

    fn table(&self, row: usize) -> Result<&'q Table, Unsayable> {
        self.tables.get(row).copied().ok_or_else(|| unsayable("a link that there is not"))
    }

    /// The links that hang on a row, and their numbers.
    fn below(&self, row: usize) -> impl Iterator<Item = (usize, &'q Link)> {
        self.links.iter().enumerate().filter(move |(_, link)| link.from == row).map(|(at, link)| (at + 1, link))
    }

    /// The table that a path leads to, if it makes no steps.
    fn end(&self, path: &Path) -> Option<&'q Table> {
        path.steps.is_empty().then(|| self.tables.get(path.row).copied()).flatten()
    }
}

fn alias(row: usize) -> String {
    format!("l{row}")
}

struct Writer<'w> {
    words: Words<'w>,
}

impl Writer<'_> {
    /// What a query says besides what stands in its elements.
    fn rows(&self, query: &Query) -> Result<Fetch, Unsayable> {
        let table = self.words.schema.table(query.table).map_or("", |table| table.name.as_str());
        if query.top.is_some_and(|top| !(1..=ROWS_MAX).contains(&top)) || query.page_size > ROWS_MAX {
            return Err(unsayable("so many rows"));
        }
        if query.top.is_some() && query.count {
            return Err(unsayable("'top' beside the number of all rows"));
        }
        Ok(Fetch {
            top: query.top,
            count: query.top.is_none().then_some(query.page_size),
            page: None,
            paging_cookie: None,
            total: query.count,
            distinct: query.distinct,
            aggregate: false,
            aggregate_limit: None,
            raw_order: false,
            retained: false,
            table: table.to_owned(),
            contents: Contents::default(),
        })
    }

    /// The element of a row: its filters, and the links that hang on it.
    fn contents(&self, scope: &Scope<'_>, row: usize, filter: &Filter) -> Result<Contents, Unsayable> {
        let mut contents = Contents::default();
        let tests: &[Filter] = match filter {
            Filter::True => &[],
            Filter::And(parts) if all_pass(parts).is_none() && both_set(parts).is_none() => parts,
            other => std::slice::from_ref(other),
        };
        // What there must be besides stands beside the filters, behind which it is read.
        let beside = tests.iter().rev().take_while(|test| matches!(test, Filter::Exists(_))).count();
        let (tests, existing) = tests.split_at(tests.len() - beside);
        match (tests, existing) {
            ([], _) => {}
            (_, []) => contents.filters.push(self.element(scope, row, filter)?),
            _ => {
                for test in tests {
                    contents.filters.push(self.element(scope, row, test)?);
                }
            }
        }
        for (number, link) in scope.below(row) {
            contents.links.push(self.link(scope, number, link)?);
        }
        for test in existing {
            if let Filter::Exists(exists) = test {
                contents.links.push(self.existence(scope, row, exists, LinkType::Exists)?);
            }
        }
        Ok(contents)
    }

    fn link(&self, scope: &Scope<'_>, row: usize, link: &Link) -> Result<LinkElement, Unsayable> {
        let table = scope.table(row)?;
        let near = scope.table(link.from)?;
        let mut contents = self.contents(scope, row, &link.filter)?;
        self.show(table, row, &link.fields, &mut contents)?;
        if link.kind == LinkKind::First {
            contents.orders = self.orders(scope, row, &link.order)?;
        } else if !link.order.is_empty() {
            return Err(unsayable("an order of partners of which all are shown"));
        }
        Ok(LinkElement {
            table: table.name.clone(),
            from: Some(column_name(table, link.far)?),
            to: Some(column_name(near, link.near)?),
            alias: Some(alias(row)),
            kind: match link.kind {
                LinkKind::Inner => LinkType::Inner,
                LinkKind::Outer => LinkType::Outer,
                LinkKind::First => LinkType::First,
            },
            contents,
        })
    }

    /// A link that only tests.
    fn existence(
        &self,
        scope: &Scope<'_>,
        row: usize,
        exists: &Exists,
        kind: LinkType,
    ) -> Result<LinkElement, Unsayable> {
        if exists.near.row != row || !exists.near.steps.is_empty() {
            return Err(unsayable("a test of rows that hang on another row than that of the element"));
        }
        if exists.links.iter().any(|link| !link.fields.is_empty() || !link.order.is_empty()) {
            return Err(unsayable("columns and orders of rows that are only tested"));
        }
        let within = Scope::of(&self.words, exists.table, &exists.links)?;
        let table = within.table(0)?;
        Ok(LinkElement {
            table: table.name.clone(),
            from: Some(column_name(table, exists.far)?),
            to: Some(column_name(scope.table(row)?, exists.near.column)?),
            alias: None,
            kind,
            contents: self.contents(&within, 0, &exists.filter)?,
        })
    }

    /// A filter element that says what a filter says.
    fn element(&self, scope: &Scope<'_>, row: usize, filter: &Filter) -> Result<FilterElement, Unsayable> {
        match self.test(scope, row, filter)? {
            Test::Filter(element) => Ok(element),
            test => Ok(FilterElement { any: false, tests: vec![test] }),
        }
    }

    fn test(&self, scope: &Scope<'_>, row: usize, filter: &Filter) -> Result<Test, Unsayable> {
        let phrase = self.words.phrase(filter, |path| scope.end(path).map(|table| table.id));
        if let Some(phrase) = phrase
            && let Some(name) = phrase.operator.fetchxml_name()
        {
            let values = phrase.values.clone();
            return self.condition(scope, row, &phrase.path, name, values).map(Test::Condition);
        }
        let list = |any: bool, parts: &[Filter]| {
            let tests = parts.iter().map(|part| self.test(scope, row, part)).collect::<Result<Vec<_>, _>>()?;
            Ok(Test::Filter(FilterElement { any, tests }))
        };
        match filter {
            Filter::True => list(false, &[]),
            Filter::Or(parts) if parts.is_empty() => self.never(scope, row),
            Filter::Or(parts) => list(true, parts),
            Filter::And(parts) => {
                if let Some(exists) = all_pass(parts) {
                    return self.existence(scope, row, exists, LinkType::All).map(Test::Link);
                }
                if let Some((left, right)) = both_set(parts) {
                    return self.columns(scope, row, (left, Comparison::NotEqual, right)).map(Test::Condition);
                }
                list(false, parts)
            }
            Filter::False => self.never(scope, row),
            Filter::Exists(exists) => self.existence(scope, row, exists, LinkType::Any).map(Test::Link),
            Filter::CompareColumns { left, operator, right } if *operator != Comparison::NotEqual => {
                self.columns(scope, row, (left, *operator, right)).map(Test::Condition)
            }
            Filter::Not(inner) => match &**inner {
                Filter::Exists(exists) => self.existence(scope, row, exists, LinkType::NotAny).map(Test::Link),
                _ => self.leaf(scope, row, filter).map(Test::Condition),
            },
            _ => self.leaf(scope, row, filter).map(Test::Condition),
        }
    }

    /// A test that no row passes: a whole number is no half.
    fn never(&self, scope: &Scope<'_>, row: usize) -> Result<Test, Unsayable> {
        let table = scope.table(row)?;
        let whole = table.columns().iter().find(|column| {
            column.readable
                && matches!(column.kind, ColumnKind::BigInt | ColumnKind::Integer { .. } | ColumnKind::State { .. })
        });
        let Some(column) = whole else {
            return Err(unsayable(format!("a test that no row of '{}' passes", table.name)));
        };
        let condition = self.condition(scope, row, &Path::at(row, column.id), "eq", vec!["0.5".to_owned()])?;
        Ok(Test::Condition(condition))
    }

    /// A test of one column by an operator that says exactly this.
    fn leaf(&self, scope: &Scope<'_>, row: usize, filter: &Filter) -> Result<Condition, Unsayable> {
        let Some((path, operators)) = operators(filter) else {
            return Err(unsayable("this test, or its negation"));
        };
        let Some(table) = scope.end(path) else {
            return Err(unsayable("steps over lookups"));
        };
        for (operator, values) in operators {
            if let Some(name) = operator.fetchxml_name()
                && self.words.says(table, path, operator, &values, filter)
            {
                return self.condition(scope, row, path, name, values);
            }
        }
        let column = table.column_by_id(path.column).map_or("", |column| column.name.as_str());
        Err(unsayable(format!("this test of '{column}', or its negation")))
    }

    /// A column compared with a column.
    fn columns(
        &self,
        scope: &Scope<'_>,
        row: usize,
        (left, operator, right): (&Path, Comparison, &Path),
    ) -> Result<Condition, Unsayable> {
        let (Some(table), Some(other)) = (scope.end(left), scope.end(right)) else {
            return Err(unsayable("steps over lookups"));
        };
        let name = column_name(other, right.column)?;
        let value_of = match right.row {
            same if same == left.row => name,
            0 => return Err(unsayable("a column of a link compared with one of the queried row")),
            link => format!("{}.{name}", alias(link)),
        };
        let kinds = (table.column_by_id(left.column), other.column_by_id(right.column));
        let comparable =
            matches!(kinds, (Some(left), Some(right)) if crate::odata::comparable(&left.kind, &right.kind));
        let Some(operator) = Operator::Compare(operator).fetchxml_name().filter(|_| comparable) else {
            return Err(unsayable("columns of different types compared"));
        };
        let condition = self.condition(scope, row, left, operator, Vec::new())?;
        Ok(Condition { value_of: Some(value_of), ..condition })
    }

    fn condition(
        &self,
        scope: &Scope<'_>,
        row: usize,
        path: &Path,
        operator: &str,
        values: Vec<String>,
    ) -> Result<Condition, Unsayable> {
        let Some(table) = scope.end(path) else {
            return Err(unsayable("steps over lookups"));
        };
        let entity = match path.row {
            same if same == row => None,
            _ if row != 0 => return Err(unsayable("a test of another row than that of the link it stands in")),
            link => Some(alias(link)),
        };
        if !values.iter().all(|value| value.chars().all(is_xml)) {
            return Err(unsayable("a text with a control character"));
        }
        let attribute = column_name(table, path.column)?;
        Ok(Condition { attribute, operator: operator.to_owned(), values, value_of: None, entity })
    }

    /// Adds the columns that an element shows.
    fn show(&self, table: &Table, row: usize, fields: &[Field], contents: &mut Contents) -> Result<(), Unsayable> {
        for (position, field) in fields.iter().enumerate() {
            if fields.iter().take(position).any(|known| known == field) {
                return Err(unsayable("a column shown twice"));
            }
            contents.attributes.push(match field {
                Field::Column(column) => attribute(&column_name(table, *column)?),
                Field::Children(lookup) if tree_parent(self.words.schema, table) == Some(*lookup) => Attribute {
                    count_children: true,
                    alias: Some(format!("children{row}")),
                    ..attribute(&column_name(table, table.primary_id)?)
                },
                _ => return Err(unsayable("values that annotations show")),
            });
        }
        Ok(())
    }

    fn orders(&self, scope: &Scope<'_>, row: usize, order: &[Order]) -> Result<Vec<Sort>, Unsayable> {
        let mut sorts = Vec::new();
        for key in order {
            let Some(table) = scope.end(&key.path) else {
                return Err(unsayable("steps over lookups"));
            };
            sorts.push(Sort {
                attribute: Some(column_name(table, key.path.column)?),
                alias: None,
                entity: (key.path.row != row).then(|| alias(key.path.row)),
                descending: key.descending,
            });
            if key.path.row == 0 && row != 0 {
                return Err(unsayable("an order of partners by the queried row"));
            }
        }
        Ok(sorts)
    }

    /// Whether choices are sorted by value: all of them, or none.
    fn is_raw<'o>(&self, scope: &Scope<'_>, orders: impl Iterator<Item = &'o Order>) -> Result<bool, Unsayable> {
        let mut raw = None;
        for order in orders {
            let column = scope.end(&order.path).and_then(|table| table.column_by_id(order.path.column));
            let Some(column) = column.filter(|column| !matches!(column.kind, ColumnKind::Choices { .. })) else {
                return Err(unsayable("an order by several options"));
            };
            let by_label = super::resolve::by_label(column);
            let asked = match (&order.by, by_label) {
                (OrderBy::Name, None) if matches!(column.kind, ColumnKind::Lookup { .. }) => continue,
                (OrderBy::Value, None) if !matches!(column.kind, ColumnKind::Lookup { .. }) => continue,
                (OrderBy::Value, Some(_)) => true,
                (by, Some(labels)) if *by == labels => false,
                _ => return Err(unsayable(format!("this order by '{}'", column.name))),
            };
            if raw.is_some_and(|raw| raw != asked) {
                return Err(unsayable("orders by labels and by values of choices together"));
            }
            raw = Some(asked);
        }
        Ok(raw.unwrap_or(false))
    }

    /// Groups, and measures, are told in the order of the elements that they stand in.
    fn in_turn(&self, last: &mut usize, row: usize) -> Result<(), Unsayable> {
        if row < *last {
            return Err(unsayable("groups and measures in another order than their links"));
        }
        *last = row;
        Ok(())
    }

    fn group(&self, scope: &Scope<'_>, position: usize, group: &Group) -> Result<Attribute, Unsayable> {
        let (table, column) = self.column(scope, &group.path)?;
        if matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. }) {
            return Err(unsayable(format!("groups by '{}'", column.name)));
        }
        let plain = Attribute {
            group: true,
            alias: Some(format!("g{position}")),
            ..attribute(&column_name(table, column.id)?)
        };
        let GroupBy::DatePart { part, zone } = &group.by else { return Ok(plain) };
        let ColumnKind::DateTime { behavior, .. } = column.kind else {
            return Err(unsayable(format!("parts of dates of '{}'", column.name)));
        };
        let is_local = behavior == DateBehavior::UserLocal;
        let user_time_zone = match **zone == Zone::utc() {
            _ if is_local && *zone == self.words.asker.zone => true,
            true => !is_local,
            false => return Err(unsayable("another time zone than the caller's")),
        };
        let fiscal = self.words.asker.fiscal;
        let grouping = match part {
            DatePart::Day => DateGrouping::Day,
            DatePart::Week => DateGrouping::Week,
            DatePart::Month => DateGrouping::Month,
            DatePart::Quarter => DateGrouping::Quarter,
            DatePart::Year => DateGrouping::Year,
            DatePart::FiscalPeriod(calendar) if *calendar == fiscal => DateGrouping::FiscalPeriod,
            DatePart::FiscalYear(calendar) if *calendar == fiscal => DateGrouping::FiscalYear,
            _ => return Err(unsayable("another calendar than the organisation's")),
        };
        Ok(Attribute { date_grouping: Some(grouping), user_time_zone, ..plain })
    }

    fn ordered_measure(
        &self,
        scope: &Scope<'_>,
        last: &mut usize,
        path: &Path,
        aggregate: Aggregate,
    ) -> Result<Attribute, Unsayable> {
        self.in_turn(last, path.row)?;
        self.measure(scope, path, aggregate)
    }

    fn measure(&self, scope: &Scope<'_>, path: &Path, aggregate: Aggregate) -> Result<Attribute, Unsayable> {
        let (table, column) = self.column(scope, path)?;
        let is_number = super::aggregate::is_number(&column.kind);
        let fits = match aggregate {
            Aggregate::Sum | Aggregate::Average => is_number,
            Aggregate::Least | Aggregate::Greatest => is_number || matches!(column.kind, ColumnKind::DateTime { .. }),
            Aggregate::Count | Aggregate::CountColumn => true,
        };
        if !fits {
            return Err(unsayable(format!("'{}' of '{}'", aggregate.name(), column.name)));
        }
        Ok(Attribute { aggregate: Some(aggregate), ..attribute(&column_name(table, column.id)?) })
    }

    fn column<'q>(&self, scope: &Scope<'q>, path: &Path) -> Result<(&'q Table, &'q Column), Unsayable> {
        let Some(table) = scope.end(path) else {
            return Err(unsayable("steps over lookups"));
        };
        let column = table.column_by_id(path.column).filter(|column| column.kind.is_stored());
        column.map(|column| (table, column)).ok_or_else(|| unsayable("a column that is not kept in its row"))
    }
}

/// Puts an attribute into the element of a row.
fn into_row(scope: &Scope<'_>, root: &mut Contents, row: usize, attribute: Attribute) {
    let mut way = Vec::new();
    let mut at = row;
    while let Some(link) = at.checked_sub(1).and_then(|link| scope.links.get(link)) {
        way.push(at);
        at = link.from;
    }
    let mut contents = root;
    for number in way.into_iter().rev() {
        let name = alias(number);
        let Some(found) = contents.links.iter_mut().find(|link| link.alias.as_ref() == Some(&name)) else { return };
        contents = &mut found.contents;
    }
    contents.attributes.push(attribute);
}

/// Rows of the queried table show their key first, and the currency of their amounts.
fn check_key_and_currency(table: &Table, fields: &[Field]) -> Result<(), Unsayable> {
    let shows = |column| fields.contains(&Field::Column(column));
    let has_amount = fields.iter().any(|field| {
        matches!(field, Field::Column(id) if table.column_by_id(*id).is_some_and(|column| matches!(column.kind, ColumnKind::Money { .. })))
    });
    let currency = table.column("transactioncurrencyid").filter(|_| has_amount);
    if fields.first() != Some(&Field::Column(table.primary_id)) || currency.is_some_and(|column| !shows(column.id)) {
        return Err(unsayable(format!("rows of '{}' without their key or currency", table.name)));
    }
    Ok(())
}

/// The name of a column that can be read and is kept in its row.
fn column_name(table: &Table, id: custodia_schema::ColumnId) -> Result<String, Unsayable> {
    let column = table.column_by_id(id).filter(|column| column.readable || column.id == table.primary_id);
    match column.filter(|column| column.kind.is_stored()) {
        Some(column) => Ok(column.name.clone()),
        None => Err(unsayable(format!("a column of '{}' that cannot be read", table.name))),
    }
}

fn attribute(name: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        alias: None,
        aggregate: None,
        group: false,
        date_grouping: None,
        user_time_zone: true,
        distinct: false,
        count_children: false,
    }
}

/// Whether a character can stand in XML.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
