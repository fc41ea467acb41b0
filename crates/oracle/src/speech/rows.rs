//! What is asked of the rows, and of groups of them.

use std::sync::Arc;

use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::{Limits, Navigation, navigation};
use custodia_query::{
    Aggregation, DatePart, Expand, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Order, OrderBy, Path, Query,
    Zone,
};
use custodia_schema::{Column, ColumnId, ColumnKind, DateBehavior, Guid, Table, TableId};

use super::filter::{is_ordered, is_same_family, link};
use super::{Language, Speaker};

/// How deep filters go.
const DEPTH: usize = 4;

impl<'v> Speaker<'v> {
    fn asked(&mut self) -> Option<&'v Table> {
        let asked = self.vocabulary.tables.get(..self.vocabulary.asked)?;
        let (table, _) = self.random.pick(asked)?;
        self.vocabulary.table(*table)
    }

    /// A question about rows.
    pub(super) fn query(&mut self) -> Option<Query> {
        let table = self.asked()?;
        let mut query = match self.language {
            Language::OData => self.options(table, 2),
            Language::FetchXml => self.fetch(table),
        };
        query.page_size = *self.random.pick(&[1, 2, 3, 7, 50])?;
        if !query.can_seek() && query.page_size < 7 {
            query.page_size = 50;
        }
        match self.random.below(6) {
            0 | 1 => query.top = u32::try_from(self.random.between(1, 9)).ok(),
            2 => query.count = true,
            _ => {}
        }
        Some(query)
    }

    /// What query options ask for, also of an expanded collection.
    fn options(&mut self, table: &'v Table, depth: usize) -> Query {
        let mut query = Query { fields: self.selected(table), ..Query::of(table, 50) };
        if self.random.percent(80) {
            query.filter = self.filter(&[(0, table)], 0, DEPTH);
        }
        for _ in 0..self.random.below(4) {
            let Some((path, _, column)) = self.path(&[(0, table)], 0) else { continue };
            let is_key = |order: &Order| order.path == Path::own(table.primary_id);
            let is_last = query.order.iter().any(|known| known.path == path || is_key(known));
            if is_sorted(column) && !is_last {
                query.order.push(Order::by_value(path, self.random.percent(50)));
            }
        }
        if depth > 0 && self.random.percent(50) {
            query.expand = self.expanded(table, depth - 1);
        }
        query
    }

    /// What a `$select` of some columns shows.
    fn selected(&mut self, table: &'v Table) -> Vec<Field> {
        let version = table.column("versionnumber").map(|column| column.id);
        let mut columns: Vec<ColumnId> = vec![table.primary_id];
        columns.extend(version);
        let shown = self.some_columns(table);
        columns.extend(shown.iter().filter(|id| **id != table.primary_id && Some(**id) != version));
        self.add_currency(table, &mut columns);
        columns.into_iter().map(Field::Column).collect()
    }

    fn some_columns(&mut self, table: &Table) -> Vec<ColumnId> {
        let all = self.vocabulary.columns(table);
        let mut shown: Vec<ColumnId> = Vec::new();
        for _ in 0..self.random.below(5) {
            if let Some(column) = self.random.pick(&all)
                && !shown.contains(&column.id)
            {
                shown.push(column.id);
            }
        }
        shown
    }

    /// The currency of amounts comes with them.
    fn add_currency(&self, table: &Table, columns: &mut Vec<ColumnId>) {
        let is_amount = |id: &ColumnId| {
            table.column_by_id(*id).is_some_and(|column| matches!(column.kind, ColumnKind::Money { .. }))
        };
        if let Some(currency) = table.column("transactioncurrencyid").filter(|_| columns.iter().any(is_amount))
            && !columns.contains(&currency.id)
        {
            columns.push(currency.id);
        }
    }

    fn expanded(&mut self, table: &'v Table, depth: usize) -> Vec<Expand> {
        let mut names: Vec<&str> = Vec::new();
        let schema = self.vocabulary.schema;
        let known = |id: TableId| self.vocabulary.knows(id);
        let parents = schema.parents_of(table.id).filter(|parent| known(parent.referenced));
        names.extend(parents.map(|parent| parent.lookup_navigation.as_str()));
        if self.vocabulary.collections {
            let children = schema.children_of(table.id).filter(|child| known(child.referencing));
            names.extend(children.map(|child| child.collection_navigation.as_str()));
            for many in schema.links_of(table.id).filter(|many| known(many.intersect)) {
                names.push(if many.first == table.id { &many.first_navigation } else { &many.second_navigation });
            }
        }
        let mut taken: Vec<&str> = Vec::new();
        let mut entries = Vec::new();
        for _ in 0..self.random.between(1, 2) {
            let Some(name) = self.random.pick(&names).copied().filter(|name| !taken.contains(name)) else { continue };
            taken.push(name);
            match navigation(schema, table, name) {
                Some(Navigation::Single(single)) => {
                    let several = single.targets.len() > 1;
                    for target in &single.targets {
                        let Some(far) = self.vocabulary.table(*target) else { continue };
                        let mut fields = self.selected(far);
                        if several {
                            // One list of names is for all of them.
                            fields.truncate(2);
                        }
                        let expand = match depth > 0 && !several && self.random.percent(40) {
                            true => self.expanded(far, depth - 1),
                            false => Vec::new(),
                        };
                        if expand.is_empty() && !several && self.random.percent(15) {
                            fields.truncate(1);
                        }
                        let step = custodia_query::Step { lookup: single.lookup, target: *target };
                        entries.push(Expand::One { name: name.to_owned(), step, fields, expand });
                    }
                }
                Some(Navigation::Collection(collection)) => {
                    let Some(far) = self.vocabulary.table(collection.table) else { continue };
                    let mut query = self.options(far, depth);
                    query.related = Some(collection.of(table.id, Guid::nil()));
                    query.top = self.random.percent(30).then_some(3);
                    if query.expand.is_empty() && self.random.percent(15) {
                        query.fields.truncate(1);
                    }
                    entries.push(Expand::Many { name: name.to_owned(), query: Box::new(query) });
                }
                None => {}
            }
        }
        entries
    }

    fn fetch(&mut self, table: &'v Table) -> Query {
        let mut query = Query::of(table, 50);
        let mut rows = vec![(0, table)];
        if self.random.percent(50) {
            (query.links, rows) = self.links(table, 3, true);
        }
        query.distinct = self.random.percent(12);
        let mut columns = self.some_columns(table);
        columns.retain(|column| *column != table.primary_id);
        columns.insert(0, table.primary_id);
        if query.distinct && columns.len() > 1 && self.random.percent(50) {
            columns.remove(0);
        }
        if !query.distinct {
            self.add_currency(table, &mut columns);
        }
        query.fields = columns.into_iter().map(Field::Column).collect();
        if !query.distinct && self.random.percent(10) {
            query.fields.extend(self.children_of(table));
        }
        if self.random.percent(80) {
            query.filter = self.filter(&rows, 0, DEPTH);
        }
        let raw = self.random.percent(50);
        for _ in 0..self.random.below(4) {
            query.order.extend(self.sort(&rows, 0, raw));
        }
        if query.distinct {
            let Query { fields, links, order, .. } = &mut query;
            order.retain(|key| {
                let shown = match key.path.row.checked_sub(1) {
                    None => Some(&*fields),
                    Some(link) => links.get(link).map(|link| &link.fields),
                };
                shown.is_some_and(|shown| shown.contains(&Field::Column(key.path.column)))
            });
        }
        for link in query.links.iter_mut().filter(|link| link.kind == LinkKind::First) {
            // Labels or values decide in the whole query.
            link.order.retain(|key| key.by == OrderBy::Value || key.by == OrderBy::Name);
        }
        query
    }

    /// How many rows lie below each row of a tree.
    fn children_of(&self, table: &Table) -> Option<Field> {
        let path = Path::own(table.primary_id);
        let (operator, values) = (custodia_query::operator::Operator::Under, vec![Guid::nil().to_string()]);
        let phrase = custodia_query::Phrase { table: table.id, path, operator, values };
        match phrase.filter(self.vocabulary.schema, self.vocabulary.asker) {
            Some(Filter::Hierarchy { parent, .. }) => Some(Field::Children(parent)),
            _ => None,
        }
    }

    /// A sort key as FetchXML means it; `raw` is its `useraworderby`.
    fn sort(&mut self, rows: &super::Rows<'v>, own: usize, raw: bool) -> Option<Order> {
        let (path, table, column) = self.path(rows, own)?;
        let words = format!(
            "<fetch useraworderby='{raw}'><entity name='{}'><attribute name='{}'/><order attribute='{}'/></entity></fetch>",
            table.name, column.name, column.name
        );
        let limits = Limits::default();
        let found = Fetch::read(&words, &limits)
            .and_then(|fetch| fetch.resolve(self.vocabulary.schema, self.vocabulary.asker, &limits));
        let Ok(Question::Rows(found)) = found else { return None };
        let by = found.query.order.first()?.by.clone();
        Some(Order { path, descending: self.random.percent(50), by })
    }

    /// Columns by which a table is tied to another, or to itself.
    pub(super) fn tie(&mut self, table: &Table) -> Option<(ColumnId, TableId, ColumnId)> {
        let mut ties: Vec<(ColumnId, TableId, ColumnId)> = Vec::new();
        if self.random.percent(70) {
            for step in self.parents(table) {
                let key = self.vocabulary.table(step.target)?.primary_id;
                ties.push((step.lookup, step.target, key));
            }
            for child in self.vocabulary.schema.children_of(table.id) {
                if self.vocabulary.knows(child.referencing) {
                    ties.push((table.primary_id, child.referencing, child.referencing_column));
                }
            }
        } else {
            // Any columns of one type.
            for near in self.vocabulary.columns(table) {
                for (far_table, _) in self.vocabulary.tables {
                    let far = self.vocabulary.table(*far_table)?;
                    let same =
                        self.vocabulary.columns(far).into_iter().filter(|far| is_same_family(&near.kind, &far.kind));
                    let plain =
                        |kind: &ColumnKind| !matches!(kind, ColumnKind::Choices { .. } | ColumnKind::Memo { .. });
                    ties.extend(
                        same.filter(|far| plain(&near.kind) && plain(&far.kind))
                            .map(|far| (near.id, *far_table, far.id)),
                    );
                }
            }
        }
        self.random.pick(&ties).copied()
    }

    /// Links of a table in the order of elements within each other, with all rows that there are then.
    pub(super) fn links(&mut self, table: &'v Table, most: usize, shows: bool) -> (Vec<Link>, Vec<(usize, &'v Table)>) {
        let mut rows = vec![(0, table)];
        let mut links: Vec<Link> = Vec::new();
        // The rows that the next link may hang on.
        let mut open = vec![(0, table)];
        for _ in 0..self.random.between(1, most.max(1)) {
            let at = self.random.below(open.len());
            open.truncate(at + 1);
            let Some((from, near_table)) = open.last().copied() else { break };
            let Some((near, far_table, far)) = self.tie(near_table) else { continue };
            let Some(linked) = self.vocabulary.table(far_table) else { continue };
            let kinds = [LinkKind::Inner, LinkKind::Outer, LinkKind::First];
            let kind = self.random.pick(&kinds).copied().unwrap_or(LinkKind::Inner);
            let number = links.len() + 1;
            open.push((number, linked));
            rows.push((number, linked));
            let mut made = link((from, near), (far_table, far), kind);
            if self.random.percent(50) {
                made.filter = self.filter(&[(number, linked)], number, 1);
            }
            if kind == LinkKind::First && shows {
                for _ in 0..self.random.below(3) {
                    made.order.extend(self.sort(&[(number, linked)], number, true));
                }
            }
            if shows {
                made.fields = self.some_columns(linked).into_iter().map(Field::Column).collect();
            }
            links.push(made);
        }
        (links, rows)
    }

    /// A question about groups.
    pub(super) fn groups(&mut self) -> Option<Aggregation> {
        let table = self.asked()?;
        let mut rows = Query::of(table, 5_000);
        let mut all = vec![(0, table)];
        if self.language == Language::FetchXml && self.random.percent(40) {
            (rows.links, all) = self.links(table, 2, false);
        }
        if self.random.percent(60) {
            rows.filter = self.filter(&all, 0, 2);
        }
        let mut groups: Vec<Group> = Vec::new();
        for _ in 0..self.random.below(3) {
            let (path, _, column) = self.path(&all, 0)?;
            let by = match column.kind {
                ColumnKind::Memo { .. } | ColumnKind::Choices { .. } | ColumnKind::Double { .. } => continue,
                ColumnKind::DateTime { behavior, .. } => match self.language {
                    Language::OData => continue,
                    Language::FetchXml if self.random.percent(80) => {
                        let is_local = behavior == DateBehavior::UserLocal && self.random.percent(60);
                        let zone = if is_local { self.vocabulary.asker.zone.clone() } else { Arc::new(Zone::utc()) };
                        GroupBy::DatePart { part: self.part(), zone }
                    }
                    Language::FetchXml => GroupBy::Value,
                },
                _ => GroupBy::Value,
            };
            let group = Group { path, by };
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let mut measures = vec![Measure::Count];
        for _ in 0..self.random.below(4) {
            measures.extend(self.measure(&all));
        }
        groups.sort_by_key(|group| group.path.row);
        measures.sort_by_key(measured_row);
        let outputs = match self.language {
            Language::OData => groups.len(),
            Language::FetchXml => groups.len() + measures.len(),
        };
        let mut order: Vec<(usize, bool)> = Vec::new();
        for _ in 0..self.random.below(3) {
            let position = self.random.below(outputs);
            if position < outputs && !order.iter().any(|(known, _)| *known == position) {
                order.push((position, self.random.percent(50)));
            }
        }
        Some(Aggregation { rows, groups, measures, order, skip: 0, page_size: 5_000, rows_max: 50_000 })
    }

    fn measure(&mut self, rows: &super::Rows<'v>) -> Option<Measure> {
        let (path, _, column) = self.path(rows, 0)?;
        let is_number = matches!(
            column.kind,
            ColumnKind::Integer { .. } | ColumnKind::BigInt | ColumnKind::Decimal { .. } | ColumnKind::Money { .. }
        );
        let is_date = matches!(column.kind, ColumnKind::DateTime { .. });
        let is_told_apart =
            !matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Choices { .. } | ColumnKind::Double { .. });
        Some(match self.random.below(6) {
            0 | 1 if is_number => Measure::Sum(path),
            2 if is_number => Measure::Average(path),
            3 | 0 | 1 if is_number || is_date => Measure::Least(path),
            4 | 2 if is_number || is_date => Measure::Greatest(path),
            _ if self.language == Language::FetchXml && self.random.percent(50) => {
                Measure::CountValues { path, distinct: false }
            }
            _ if is_told_apart => Measure::CountValues { path, distinct: true },
            _ => return None,
        })
    }

    fn part(&mut self) -> DatePart {
        let fiscal = self.vocabulary.asker.fiscal;
        let parts = [
            DatePart::Day,
            DatePart::Week,
            DatePart::Month,
            DatePart::Quarter,
            DatePart::Year,
            DatePart::FiscalPeriod(fiscal),
            DatePart::FiscalYear(fiscal),
        ];
        self.random.pick(&parts).copied().unwrap_or(DatePart::Day)
    }
}

/// The row whose column a measure is of.
pub(super) fn measured_row(measure: &Measure) -> usize {
    match measure {
        Measure::Count => 0,
        Measure::CountValues { path, .. }
        | Measure::Sum(path)
        | Measure::Average(path)
        | Measure::Least(path)
        | Measure::Greatest(path) => path.row,
    }
}

/// Rows can be sorted by the column: it is no long text.
fn is_sorted(column: &Column) -> bool {
    let is_one = is_ordered(&column.kind)
        || matches!(column.kind, ColumnKind::Boolean { .. } | ColumnKind::Guid | ColumnKind::Lookup { .. });
    is_one && !matches!(column.kind, ColumnKind::Memo { .. })
}
