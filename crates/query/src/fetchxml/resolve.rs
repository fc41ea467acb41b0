//! A [`Fetch`] into the query tree: names are looked up, links and tests put where they belong.

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{Column, ColumnId, ColumnKind, Schema, Table, TableId, fold};

use super::FetchXmlError;
use super::document::{Attribute, Contents, Fetch, LinkElement, LinkType, Sort};
use super::shape::{Question, RowColumn, RowsQuestion};
use crate::odata::{Limits, comparable, property_name};
use crate::operator::{Asker, tree_parent};
use crate::{Exists, Field, Filter, Link, LinkKind, Order, OrderBy, Path, Query, Withheld};

impl Fetch {
    /// Looks the names up, for a caller. Rows of a page are set to what the query says or the greatest page.
    ///
    /// # Errors
    /// Unknown tables and columns, links and aliases that make no sense, operators and values that do not fit.
    pub fn resolve(&self, schema: &Schema, asker: &Asker, limits: &Limits) -> Result<Question, FetchXmlError> {
        let table = table_named(schema, &self.table)?;
        let resolver = Resolver { schema, asker, fetch: self, withheld: &limits.withheld };
        let mut scope = Scope { rows: vec![Row::root(table)], links: Vec::new(), sorts: Vec::new() };
        scope.sorts.extend(self.contents.orders.iter().map(|sort| (0, sort)));
        let mut asked = vec![(0, &self.contents)];
        for link in &self.contents.links {
            resolver.join(&mut scope, 0, link, &mut asked)?;
        }
        let mut query = Query::of(table, self.count.unwrap_or(limits.page_rows_max));
        query.filter = resolver.tests(&scope, 0, &self.contents)?;
        if self.retained {
            // Nothing is archived yet.
            query.filter = Filter::False;
        }
        query.distinct = self.distinct;
        query.top = self.top;
        query.count = self.total;
        if self.aggregate {
            query.links = std::mem::take(&mut scope.links);
            return Ok(Question::Groups(resolver.groups(&scope, &asked, query, limits)?));
        }
        resolver.rows(scope, &asked, query)
    }
}

/// A row of a scope: the queried one, or that of a link.
pub(super) struct Row<'s> {
    pub(super) table: &'s Table,
    /// What it is called: its alias, or the name that it was given for want of one.
    pub(super) name: String,
    /// The alias that it was given in the query.
    alias: Option<String>,
}

impl<'s> Row<'s> {
    fn root(table: &'s Table) -> Self {
        Self { table, name: String::new(), alias: None }
    }
}

/// Rows that tests can speak of.
pub(super) struct Scope<'s, 'f> {
    pub(super) rows: Vec<Row<'s>>,
    pub(super) links: Vec<Link>,
    /// Sort keys, with the row of the element that they stand in.
    pub(super) sorts: Vec<(usize, &'f Sort)>,
}

impl<'s> Scope<'s, '_> {
    /// The row that an alias, or for want of one the name of its table, names.
    pub(super) fn row_named(&self, name: &str) -> Result<usize, FetchXmlError> {
        let by_alias = self.rows.iter().position(|row| row.alias.as_deref() == Some(name));
        let mut unaliased = self
            .rows
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, row)| row.alias.is_none() && (row.table.name == name || row.name == name));
        match (by_alias, unaliased.next(), unaliased.next()) {
            (Some(row), ..) | (None, Some((row, _)), None) => Ok(row),
            (None, None, _) => {
                Err(FetchXmlError::invalid(format!("there is no link-entity with name or alias '{name}' here")))
            }
            (None, Some(_), Some(_)) => {
                Err(FetchXmlError::invalid(format!("several links are called '{name}'; give them aliases")))
            }
        }
    }

    pub(super) fn table_of(&self, row: usize) -> Result<&'s Table, FetchXmlError> {
        self.rows.get(row).map(|row| row.table).ok_or_else(|| FetchXmlError::invalid("a link is missing"))
    }
}

pub(super) struct Resolver<'r> {
    pub(super) schema: &'r Schema,
    pub(super) asker: &'r Asker,
    pub(super) fetch: &'r Fetch,
    pub(super) withheld: &'r Withheld,
}

impl<'r> Resolver<'r> {
    /// Adds a link to a scope, and those below it. What is asked of each is added to `asked`.
    pub(super) fn join(
        &self,
        scope: &mut Scope<'r, 'r>,
        from: usize,
        element: &'r LinkElement,
        asked: &mut Vec<(usize, &'r Contents)>,
    ) -> Result<(), FetchXmlError> {
        if element.kind.is_existence() {
            // Goes into the filter of the row that it hangs on.
            return Ok(());
        }
        let (table, near, far) = self.ends(scope.table_of(from)?, element)?;
        let kind = match element.kind {
            LinkType::Outer => LinkKind::Outer,
            LinkType::First => LinkKind::First,
            _ => LinkKind::Inner,
        };
        let row = scope.rows.len();
        scope.rows.push(Row { table, name: self.row_name(scope, table, element)?, alias: element.alias.clone() });
        scope.links.push(Link {
            from,
            table: table.id,
            near,
            far,
            kind,
            filter: Filter::True,
            fields: Vec::new(),
            order: Vec::new(),
        });
        asked.push((row, &element.contents));
        let filter = self.tests(scope, row, &element.contents)?;
        let order = match kind {
            LinkKind::First => {
                let sorts = element.contents.orders.iter();
                sorts.map(|sort| self.order(scope, row, sort)).collect::<Result<Vec<_>, _>>()?
            }
            _ => {
                scope.sorts.extend(element.contents.orders.iter().map(|sort| (row, sort)));
                Vec::new()
            }
        };
        if let Some(link) = scope.links.get_mut(row - 1) {
            link.filter = filter;
            link.order = order;
        }
        for inner in &element.contents.links {
            self.join(scope, row, inner, asked)?;
        }
        Ok(())
    }

    /// The name of a link's row: its alias, or its table's name with a number.
    fn row_name(&self, scope: &Scope<'_, '_>, table: &Table, element: &LinkElement) -> Result<String, FetchXmlError> {
        let Some(alias) = &element.alias else {
            let taken = |name: &String| scope.rows.iter().any(|row| row.name == *name);
            let mut names = (scope.rows.len()..).map(|number| format!("{}{number}", table.name));
            return Ok(names.find(|name| !taken(name)).unwrap_or_default());
        };
        check_alias(alias)?;
        if scope.rows.iter().any(|row| row.name == *alias) {
            return Err(FetchXmlError::invalid(format!("the alias '{alias}' is used by several link-entity elements")));
        }
        Ok(alias.clone())
    }

    /// A test whether there are linked rows that pass.
    pub(super) fn existence(
        &self,
        near_table: &Table,
        row: usize,
        element: &'r LinkElement,
    ) -> Result<Exists, FetchXmlError> {
        let (table, near, far) = self.ends(near_table, element)?;
        let mut scope = Scope { rows: vec![Row::root(table)], links: Vec::new(), sorts: Vec::new() };
        let mut asked = vec![(0, &element.contents)];
        for inner in &element.contents.links {
            self.join(&mut scope, 0, inner, &mut asked)?;
        }
        for (_, contents) in &asked {
            let shows = contents.all_attributes || !contents.attributes.is_empty() || !contents.orders.is_empty();
            if shows {
                return Err(FetchXmlError::invalid(format!(
                    "the link to '{}' has the link-type '{}', which gives no columns: attributes and orders cannot \
                     stand within it",
                    element.table,
                    element.kind.name()
                )));
            }
        }
        let filter = self.tests(&scope, 0, &element.contents)?;
        Ok(Exists { near: Path::at(row, near), table: table.id, far, links: scope.links, filter })
    }

    /// The linked table and the columns on both ends of a link.
    fn ends(&self, near: &Table, element: &LinkElement) -> Result<(&'r Table, ColumnId, ColumnId), FetchXmlError> {
        let table = table_named(self.schema, &element.table)?;
        let (Some(from), Some(to)) = (&element.from, &element.to) else {
            if element.from.is_some() || element.to.is_some() {
                return Err(FetchXmlError::invalid(format!(
                    "the link to '{}' has only one of 'from' and 'to'",
                    element.table
                )));
            }
            let (near, far) = self.only_relationship(near, table)?;
            return Ok((table, near, far));
        };
        let far = column_named(table, from)?;
        let near_column = column_named(near, to)?;
        if !comparable(&near_column.kind, &far.kind) {
            return Err(FetchXmlError::invalid(format!(
                "'{to}' of '{}' and '{from}' of '{}' hold values of different types and cannot be linked",
                near.name, table.name
            )));
        }
        Ok((table, near_column.id, far.id))
    }

    /// The columns of the only relationship between two tables.
    fn only_relationship(&self, near: &Table, far: &Table) -> Result<(ColumnId, ColumnId), FetchXmlError> {
        let up = self.schema.parents_of(near.id).filter(|relationship| relationship.referenced == far.id);
        let up = up.map(|relationship| (relationship.referencing_column, far.primary_id));
        let down = self.schema.parents_of(far.id).filter(|relationship| relationship.referenced == near.id);
        let down = down.map(|relationship| (near.primary_id, relationship.referencing_column));
        let mut all = up.chain(down);
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (found, _) => Err(FetchXmlError::invalid(format!(
                "the link from '{}' to '{}' needs 'from' and 'to': there is {} relationship between them",
                near.name,
                far.name,
                if found.is_some() { "more than one" } else { "no" }
            ))),
        }
    }

    /// A sort key.
    fn order(&self, scope: &Scope<'r, 'r>, row: usize, sort: &Sort) -> Result<Order, FetchXmlError> {
        let row = match &sort.entity {
            Some(entity) => scope.row_named(entity)?,
            None => row,
        };
        let table = scope.table_of(row)?;
        let Some(name) = &sort.attribute else {
            let alias = sort.alias.as_deref().unwrap_or_default();
            return Err(FetchXmlError::invalid(format!(
                "the order by the alias '{alias}' is one for aggregates; expected 'attribute'"
            )));
        };
        let column = column_named(table, name)?;
        if !column.kind.is_stored() || matches!(column.kind, ColumnKind::Choices { .. }) {
            return Err(FetchXmlError::invalid(format!("the column '{name}' of '{}' cannot be sorted by", table.name)));
        }
        Ok(Order { path: Path::at(row, column.id), descending: sort.descending, by: self.order_by(column) })
    }

    /// What of a column its rows are sorted by: what people see.
    fn order_by(&self, column: &Column) -> OrderBy {
        match column.kind {
            ColumnKind::Lookup { .. } => OrderBy::Name,
            _ if self.fetch.raw_order => OrderBy::Value,
            _ => by_label(column).unwrap_or(OrderBy::Value),
        }
    }

    /// A question about rows.
    fn rows(
        &self,
        mut scope: Scope<'r, 'r>,
        asked: &[(usize, &'r Contents)],
        mut query: Query,
    ) -> Result<Question, FetchXmlError> {
        let root = scope.table_of(0)?;
        query.order = scope.sorts.iter().map(|(row, sort)| self.order(&scope, *row, sort)).collect::<Result<_, _>>()?;
        let mut outputs =
            Outputs { fields: vec![Vec::new(); scope.rows.len()], columns: Vec::new(), names: HashSet::new() };
        if !self.fetch.distinct {
            outputs.add_field(0, Field::Column(root.primary_id));
        }
        for (row, contents) in asked {
            self.show(&scope, *row, contents, &mut outputs)?;
        }
        if !self.fetch.distinct {
            outputs.add_implied(root)?;
        } else {
            let is_shown = |order: &Order| {
                let field = Field::Column(order.path.column);
                outputs.fields.get(order.path.row).is_some_and(|fields| fields.contains(&field))
            };
            if let Some(order) = query.order.iter().find(|order| !is_shown(order)) {
                let table = scope.table_of(order.path.row)?;
                let name = table.column_by_id(order.path.column).map_or("", |column| column.name.as_str());
                return Err(FetchXmlError::invalid(format!(
                    "a distinct query can only be ordered by columns that it returns; '{name}' of '{}' is none",
                    table.name
                )));
            }
        }
        let mut fields = outputs.fields.into_iter();
        query.fields = fields.next().unwrap_or_default();
        for (link, fields) in scope.links.iter_mut().zip(fields) {
            link.fields = fields;
        }
        if outputs.columns.is_empty() {
            return Err(FetchXmlError::invalid("the query returns no column"));
        }
        query.links = scope.links;
        let tables: Vec<TableId> = scope.rows.iter().map(|row| row.table.id).collect();
        Ok(Question::Rows(RowsQuestion { query, tables, columns: outputs.columns }))
    }

    /// Adds what one element shows.
    fn show(
        &self,
        scope: &Scope<'r, 'r>,
        row: usize,
        contents: &Contents,
        outputs: &mut Outputs,
    ) -> Result<(), FetchXmlError> {
        let table = scope.table_of(row)?;
        let prefix = scope.rows.get(row).map_or("", |row| row.name.as_str());
        let is_root = row == 0;
        let is_empty = contents.attributes.is_empty() && !contents.no_attributes;
        let shows_all = contents.all_attributes || (is_root && is_empty);
        let plain_name = |column: &Column| {
            if is_root { property_name(column).into_owned() } else { format!("{prefix}.{}", column.name) }
        };
        if shows_all {
            for column in table.columns().iter().filter(|column| column.readable && column.kind.is_stored()) {
                outputs.add(row, Field::Column(column.id), plain_name(column), is_root)?;
            }
        }
        for attribute in &contents.attributes {
            let column = column_named(table, &attribute.name)?;
            self.check_plain(table, attribute)?;
            if !column.kind.is_stored() {
                let what = format!("the column '{}' of '{}', which is not kept in its row,", column.name, table.name);
                return Err(FetchXmlError::Unsupported(what));
            }
            if attribute.count_children {
                let parent = tree_parent(self.schema, table).filter(|_| column.id == table.primary_id);
                let (Some(parent), Some(alias)) = (parent, &attribute.alias) else {
                    return Err(FetchXmlError::invalid(format!(
                        "'rowaggregate' of '{}' needs an alias and the key of a table with a hierarchy",
                        attribute.name
                    )));
                };
                check_alias(alias)?;
                outputs.add(row, Field::Children(parent), alias.clone(), true)?;
                continue;
            }
            let field = Field::Column(column.id);
            match &attribute.alias {
                Some(alias) => {
                    check_alias(alias)?;
                    outputs.add(row, field, alias.clone(), false)?;
                }
                None => {
                    let name = plain_name(column);
                    if !shows_all && !outputs.has(row, field, &name)? {
                        outputs.add(row, field, name, is_root)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn check_plain(&self, table: &Table, attribute: &Attribute) -> Result<(), FetchXmlError> {
        if attribute.aggregate.is_some() || attribute.group || attribute.date_grouping.is_some() {
            return Err(FetchXmlError::invalid(format!(
                "the attribute '{}' of '{}' aggregates or groups; the query needs aggregate='true'",
                attribute.name, table.name
            )));
        }
        Ok(())
    }
}

/// Values that a query gives, and what they are called.
struct Outputs {
    /// Of each row.
    fields: Vec<Vec<Field>>,
    columns: Vec<RowColumn>,
    names: HashSet<String>,
}

impl Outputs {
    fn add_field(&mut self, row: usize, field: Field) {
        if let Some(fields) = self.fields.get_mut(row)
            && !fields.contains(&field)
        {
            fields.push(field);
        }
    }

    fn add(&mut self, row: usize, field: Field, name: String, null_shown: bool) -> Result<(), FetchXmlError> {
        if !self.names.insert(name.clone()) {
            return Err(called_alike(&name));
        }
        self.add_field(row, field);
        self.columns.push(RowColumn { row, field, name, null_shown });
        Ok(())
    }

    /// Whether a column is shown by that name already. What takes the name of another one is refused: that one would be lost.
    fn has(&self, row: usize, field: Field, name: &str) -> Result<bool, FetchXmlError> {
        if !self.names.contains(name) {
            return Ok(false);
        }
        let is_same = |shown: &RowColumn| (shown.row, shown.field, shown.name.as_str()) == (row, field, name);
        if self.columns.iter().any(is_same) { Ok(true) } else { Err(called_alike(name)) }
    }

    /// The currency of amounts and the key come with the rows of the queried table.
    fn add_implied(&mut self, root: &Table) -> Result<(), FetchXmlError> {
        let shows_money = self.columns.iter().filter(|shown| shown.row == 0).any(|shown| match shown.field {
            Field::Column(column) => {
                root.column_by_id(column).is_some_and(|column| matches!(column.kind, ColumnKind::Money { .. }))
            }
            _ => false,
        });
        let currency = root.column("transactioncurrencyid").filter(|_| shows_money);
        let key = root.column_by_id(root.primary_id);
        for column in currency.into_iter().chain(key) {
            let name = property_name(column).into_owned();
            let field = Field::Column(column.id);
            if !self.has(0, field, &name)? {
                self.add(0, field, name, true)?;
            }
        }
        Ok(())
    }
}

fn called_alike(name: &str) -> FetchXmlError {
    FetchXmlError::invalid(format!("two columns of the answer are called '{name}'"))
}

pub(super) fn table_named<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table, FetchXmlError> {
    match schema.table_named(name) {
        Some(table) => Ok(table),
        None => Err(FetchXmlError::UnknownTable(name.to_owned())),
    }
}

pub(super) fn column_named<'s>(table: &'s Table, name: &str) -> Result<&'s Column, FetchXmlError> {
    let readable = table.column(name).filter(|column| column.readable || column.id == table.primary_id);
    readable.ok_or_else(|| FetchXmlError::UnknownColumn { column: name.to_owned(), table: table.name.clone() })
}

/// The order of a column's values by their labels, if they have some.
pub(super) fn by_label(column: &Column) -> Option<OrderBy> {
    let labels: Vec<(i32, &str)> = match &column.kind {
        ColumnKind::Choice { options, .. } => {
            options.iter().map(|option| (option.value, option.label.text())).collect()
        }
        ColumnKind::State { options } => {
            options.iter().map(|option| (option.choice.value, option.choice.label.text())).collect()
        }
        ColumnKind::Status { options } => {
            options.iter().map(|(option, _)| (option.value, option.label.text())).collect()
        }
        ColumnKind::Boolean { true_label, false_label, .. } => {
            vec![(0, false_label.text()), (1, true_label.text())]
        }
        _ => return None,
    };
    let mut ranked: Vec<(String, i32)> = labels.into_iter().map(|(value, label)| (fold(label), value)).collect();
    ranked.sort();
    Some(OrderBy::Label(ranked.into_iter().map(|(_, value)| value).collect::<Arc<[i32]>>()))
}

/// Letters, digits and underscores; no digit first.
pub(super) fn check_alias(alias: &str) -> Result<(), FetchXmlError> {
    let mut characters = alias.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(FetchXmlError::invalid(format!(
        "the alias '{alias}' is not valid: letters, digits and underscores are, and no digit at its beginning"
    )))
}
