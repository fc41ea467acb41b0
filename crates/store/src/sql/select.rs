//! Reads: a query tree as one statement that carries the caller's rights.
//!
//! A page is read in one of two shapes. *Direct*: one SELECT in the order asked, where an index holds that order.
//! *Keys first*: a subquery finds the page's keys and ids, possibly from several arms, and the rows are fetched for
//! those alone; for sorts, for callers who reach few rows, and for places in the middle of a nullable order. Queries whose
//! pages are counted off are in `combined.rs`.

use custodia_access::{RowAccess, RowArms};
use custodia_query::{Comparison, Field, Filter, Query, Related};
use custodia_schema::{ColumnId, PrivilegeKind, Table};

use super::access::{AccessWriter, Path, Probing, primary};
use super::filter::{FilterWriter, Indexing, has_few_values};
use super::join::Joins;
use super::outputs::{Naming, Outputs, storage_of};
use super::seek::{Arm, Seek, write_name};
use super::storage::comparison_suffix;
use super::walk::expanded;
use super::writer::{Alias, Writer};
use super::{CompileError, Context, Plan, ReadPolicy, Statement, index, related};

/// A query's page as one statement. Outputs: those of [`Query`], then, where a page can continue after them
/// ([`Query::can_seek`]), the order keys that are not among the fields ([`Statement::keys`] says where each is).
/// Collections that are expanded are not part of it.
///
/// At most one row more than the page holds is returned, to show that there is a next page; with a `top` that fits
/// the page, at most `top`. Rows come in order. Where the queried table does not exist physically, none come.
///
/// # Errors
/// When a gate fails on a table that the query names, or the query does not fit the schema.
pub fn select(
    context: &Context<'_>,
    query: &Query,
    policy: &dyn ReadPolicy,
    plan: Plan,
) -> Result<Statement, CompileError> {
    let mut w = Writer::new(context.dialect);
    let question = Question::new(context, &mut w, query, policy, plan)?;
    question.write(&mut w)?;
    w.finish()
}

/// A query with everything resolved that its text depends on.
pub(crate) struct Question<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) query: &'a Query,
    pub(crate) policy: &'a dyn ReadPolicy,
    pub(crate) table: &'a Table,
    pub(crate) access: RowAccess,
    pub(crate) writer: AccessWriter<'a>,
    pub(crate) plan: Plan,
    /// What filter and order stand on.
    pub(crate) joins: Joins<'a>,
}

/// A set of rows that one SELECT finds.
#[derive(Clone, Copy)]
pub(crate) enum Source<'s> {
    /// All that the caller reaches, tested one by one.
    Tested,
    /// Those of one access path that no earlier path finds.
    Path(&'s RowArms, Path),
    /// Those of several access paths, gathered by their ids.
    Gathered(&'s RowArms, &'s [Path]),
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        w: &mut Writer,
        query: &'a Query,
        policy: &'a dyn ReadPolicy,
        plan: Plan,
    ) -> Result<Self, CompileError> {
        let table: &'a Table = context.schema.table(query.table).ok_or(CompileError::NoTable(query.table))?;
        let access = policy.rows(table, PrivilegeKind::Read)?;
        let probing = if plan == Plan::Sweep { Probing::MayHash } else { Probing::EachRow };
        let writer = AccessWriter { context, probing };
        let mut joins = Joins::new(writer, policy, w.new_alias(), table);
        joins.add_links(w, &query.links)?;
        joins.add_filter(w, &query.filter)?;
        Ok(Self { context, query, policy, table, access, writer, plan, joins })
    }

    /// The paths to take one after the other, if that is the plan and the access has any.
    pub(crate) fn union(&self) -> Option<(&RowArms, Vec<Path>)> {
        if self.plan != Plan::Union {
            return None;
        }
        let arms = match &self.access {
            RowAccess::Arms(arms) => arms,
            RowAccess::Every(all) => all.iter().find_map(|access| match access {
                RowAccess::Arms(arms) => Some(arms),
                _ => None,
            })?,
            RowAccess::All | RowAccess::Parent(_) | RowAccess::Telling(_) => return None,
        };
        let paths: Vec<Path> = self.writer.paths(self.table, arms).into_iter().flatten().collect();
        (!paths.is_empty()).then_some((arms, paths))
    }

    /// Whether no row can be found: a table does not exist yet, or the caller reaches none of its rows.
    pub(crate) fn is_empty(&self) -> bool {
        !self.context.tables.exists(self.table.id)
            || self.writer.constant(self.table, &self.access) == Some(false)
            || self.joins.is_empty()
    }

    /// ` FROM … WHERE …`: the rows of one source that match the query. `more` adds a condition.
    pub(crate) fn write_rows(
        &self,
        w: &mut Writer,
        source: Source<'_>,
        indexing: Indexing,
        more: Option<&mut dyn FnMut(&mut Writer)>,
    ) -> Result<(), CompileError> {
        let joins = &self.joins;
        w.text(" FROM ");
        joins.write_table(w, self.table, joins.root)?;
        joins.write(w)?;
        let mut conditions = Conditions::default();
        match source {
            Source::Tested if self.access == RowAccess::All => {}
            Source::Tested => {
                conditions.next(w);
                self.writer.test(w, joins.root, self.table, &self.access)?;
            }
            Source::Path(arms, path) => self.write_source(w, joins.root, arms, path, &mut conditions)?,
            Source::Gathered(arms, paths) => self.write_gathered(w, joins.root, arms, paths, &mut conditions)?,
        }
        joins.write_conditions(w, &mut conditions)?;
        if let Some(related) = &self.query.related {
            conditions.next(w);
            related::write(w, joins, related)?;
        }
        if self.query.filter != Filter::True {
            conditions.next(w);
            FilterWriter { joins, indexing }.write(w, &self.query.filter, false)?;
        }
        if let Some(more) = more {
            conditions.next(w);
            more(w);
        }
        Ok(())
    }

    /// The rows of one access path, without those of the paths before it and within what else bounds the caller.
    fn write_source(
        &self,
        w: &mut Writer,
        row: Alias,
        arms: &RowArms,
        path: Path,
        conditions: &mut Conditions,
    ) -> Result<(), CompileError> {
        conditions.next(w);
        self.writer.source_path(w, row, self.table, arms, path)?;
        for earlier in self.writer.paths(self.table, arms).into_iter().flatten().take_while(|other| *other != path) {
            conditions.next(w);
            w.text("(");
            self.writer.test_path(w, row, self.table, arms, earlier)?;
            w.text(") IS NOT TRUE");
        }
        if let RowAccess::Every(all) = &self.access {
            for access in all.iter().filter(|access| !matches!(access, RowAccess::Arms(other) if other == arms)) {
                conditions.next(w);
                self.writer.test(w, row, self.table, access)?;
            }
        }
        Ok(())
    }

    fn write(mut self, w: &mut Writer) -> Result<(), CompileError> {
        for order in &self.query.order {
            self.joins.add_path(w, &order.path)?;
        }
        if self.is_empty() {
            return self.write_nothing(w);
        }
        if !self.query.can_seek() || self.query.skip > 0 {
            return self.write_combined(w);
        }
        let seek = Seek::new(&self.joins, &self.query.order, self.query.after.as_deref())?;
        let arms = seek.arms();
        if arms.is_empty() && self.names_one_row() {
            return self.write_direct(w, seek, &arms, Indexing::Open, false);
        }
        if let Some((access, paths)) = self.union() {
            let access = access.clone();
            let selects: Vec<_> = paths.iter().map(|path| (Source::Path(&access, *path), arms.as_slice())).collect();
            return self.write_keys_first(w, seek, &selects, Indexing::Closed);
        }
        let walk = self.walk(&seek);
        // Each arm is a range of an index; where none begins with the order, one pass over the rows serves them all.
        let selects: Vec<_> = if walk.begins && arms.len() > 1 {
            arms.chunks(1).map(|arm| (Source::Tested, arm)).collect()
        } else {
            vec![(Source::Tested, arms.as_slice())]
        };
        if self.plan == Plan::Ordered && walk.holds && selects.len() == 1 {
            self.write_direct(w, seek, &arms, walk.indexing, true)
        } else {
            self.write_keys_first(w, seek, &selects, walk.indexing)
        }
    }

    /// The outputs with no row: the table does not exist yet, or the caller reaches none of its rows.
    fn write_nothing(&mut self, w: &mut Writer) -> Result<(), CompileError> {
        w.text("SELECT ");
        Outputs::new(self, None, Naming::Position).write(w)?;
        for order in self.query.order.iter().filter(|_| self.query.can_seek()) {
            let storage = storage_of(self.joins.table_of(&order.path)?, self.joins.column_of(&order.path)?)?;
            Outputs::separate(w);
            w.null(storage);
            let output = w.output(storage.output());
            w.key(output);
        }
        w.text(" WHERE FALSE");
        Ok(())
    }

    fn write_direct(
        mut self,
        w: &mut Writer,
        mut seek: Seek<'a>,
        arms: &[Arm],
        indexing: Indexing,
        ordered: bool,
    ) -> Result<(), CompileError> {
        for steps in expanded(&self.query.expand) {
            self.joins.add(w, 0, &steps)?;
        }
        w.text("SELECT ");
        Outputs::new(&self, Some(&self.joins), Naming::Position).write(w)?;
        self.write_key_outputs(w, &seek, None)?;
        self.write_rows_after(w, &mut seek, Source::Tested, arms, indexing)?;
        if ordered {
            seek.write_order(w);
            self.write_limit(w);
        }
        Ok(())
    }

    fn write_keys_first(
        self,
        w: &mut Writer,
        mut seek: Seek<'a>,
        selects: &[(Source<'_>, &[Arm])],
        indexing: Indexing,
    ) -> Result<(), CompileError> {
        let (keys, row) = (w.new_alias(), w.new_alias());
        let mut outer = Joins::new(self.writer, self.policy, row, self.table);
        for steps in expanded(&self.query.expand) {
            outer.add(w, 0, &steps)?;
        }
        w.text("SELECT ");
        Outputs::new(&self, Some(&outer), Naming::Position).write(w)?;
        self.write_key_outputs(w, &seek, Some((keys, row)))?;
        w.text(" FROM (");
        if let [(source, arms)] = selects {
            self.write_keys(w, &mut seek, *source, arms, indexing)?;
        } else {
            for (at, (source, arms)) in selects.iter().enumerate() {
                w.text(if at > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
                self.write_keys(w, &mut seek, *source, arms, indexing)?;
                w.text(") ");
                let alias = w.new_alias();
                w.alias(alias);
            }
            seek.write_order_of_names(w, None);
            self.write_limit(w);
        }
        w.text(") ");
        w.alias(keys);
        w.text(w.dialect.ordered_join());
        outer.write_table(w, self.table, row)?;
        w.text(" ON ");
        w.column(row, &primary(self.table)?.name, "");
        w.text(" = ");
        w.alias(keys);
        w.text(".");
        write_name(w, seek.keys.len().saturating_sub(1));
        outer.write(w)?;
        // The keys come in order on both engines, but SQL does not promise that a join keeps it.
        seek.write_order_of_names(w, Some(keys));
        Ok(())
    }

    /// The keys of the first rows of a source after the place.
    fn write_keys(
        &self,
        w: &mut Writer,
        seek: &mut Seek<'a>,
        source: Source<'_>,
        arms: &[Arm],
        indexing: Indexing,
    ) -> Result<(), CompileError> {
        w.text("SELECT ");
        self.write_key_columns(w, seek);
        self.write_rows_after(w, seek, source, arms, indexing)?;
        seek.write_order(w);
        self.write_limit(w);
        Ok(())
    }

    /// The rows of a source that lie in one of the arms; all of them when there is no place to continue after.
    fn write_rows_after(
        &self,
        w: &mut Writer,
        seek: &mut Seek<'a>,
        source: Source<'_>,
        arms: &[Arm],
        indexing: Indexing,
    ) -> Result<(), CompileError> {
        let mut after = |w: &mut Writer| match arms {
            [arm] => seek.write_arm(w, *arm),
            many => {
                for (at, arm) in many.iter().enumerate() {
                    w.text(if at > 0 { " OR (" } else { "((" });
                    seek.write_arm(w, *arm);
                    w.text(")");
                }
                w.text(")");
            }
        };
        let more: Option<&mut dyn FnMut(&mut Writer)> = if arms.is_empty() { None } else { Some(&mut after) };
        self.write_rows(w, source, indexing, more)
    }

    /// The sort keys, and the values behind keys of joined rows that are sorted by something else.
    fn write_key_columns(&self, w: &mut Writer, seek: &Seek<'a>) {
        seek.write_columns(w);
        for (at, key) in seek.keys.iter().enumerate() {
            if key.place.joined && key.place.column.kind.is_text() {
                w.text(", ");
                w.column(key.place.alias, &key.place.column.name, "");
                w.text(" AS ");
                write_value_name(w, at);
            }
        }
    }

    /// Outputs the order's keys where no field does. `late` names the keys' subquery and the row fetched for it.
    fn write_key_outputs(
        &self,
        w: &mut Writer,
        seek: &Seek<'a>,
        late: Option<(Alias, Alias)>,
    ) -> Result<(), CompileError> {
        for (position, order) in self.query.order.iter().enumerate() {
            let own = order.path.steps.is_empty().then_some(Field::Column(order.path.column));
            if let Some(output) = own.and_then(|own| self.query.fields.iter().position(|field| *field == own)) {
                w.key(output);
                continue;
            }
            let column = self.joins.column_of(&order.path)?;
            let storage = storage_of(self.joins.table_of(&order.path)?, column)?;
            Outputs::separate(w);
            let sorted = seek.keys.iter().enumerate().find(|(_, key)| key.position == Some(position));
            match (self.joins.place(&order.path)?, late, sorted) {
                (None, ..) => w.null(storage),
                (Some(place), None, _) => w.column(place.alias, &place.column.name, ""),
                (Some(place), Some((_, row)), _) if !place.joined => w.column(row, &place.column.name, ""),
                (Some(place), Some((keys, _)), Some((at, _))) => {
                    w.alias(keys);
                    w.text(".");
                    if comparison_suffix(place.column).is_empty() { write_name(w, at) } else { write_value_name(w, at) }
                }
                // Behind a unique key: it decides nothing.
                (Some(_), Some(_), None) => w.null(storage),
            }
            let output = w.output(storage.output());
            w.key(output);
        }
        Ok(())
    }

    pub(super) fn write_limit(&self, w: &mut Writer) {
        w.text(" LIMIT ");
        let page = u64::from(self.query.page_size.max(1));
        w.number(match self.query.top {
            Some(top) if u64::from(top) <= page => u64::from(top),
            _ => page + 1,
        });
    }

    /// Whether the filter asks for one row by its primary id.
    fn names_one_row(&self) -> bool {
        equalities(&self.query.filter).contains(&self.table.primary_id)
    }

    /// How the order asked goes with the indexes.
    fn walk(&self, seek: &Seek<'a>) -> Walk {
        let nothing = Walk { holds: false, begins: false, indexing: Indexing::Open };
        let mut equal = equalities(&self.query.filter);
        match &self.query.related {
            Some(Related::ByLookup { lookup, .. }) => equal.push(*lookup),
            // Found by its links, which have no order.
            Some(Related::ByLink { .. }) => return nothing,
            None => {}
        }
        let few_values = |id: &ColumnId| self.table.column_by_id(*id).is_some_and(has_few_values);
        let selective: Vec<ColumnId> = equal.iter().copied().filter(|id| !few_values(id)).collect();
        let choices = [(Indexing::Open, equal), (Indexing::Selective, selective)];
        let descending = seek.keys.first().is_some_and(|key| key.descending);
        let own = seek.keys.iter().take_while(|key| !key.place.joined && key.descending == descending).count();
        let ordered_by = |equal: &[ColumnId], count: usize| -> Vec<ColumnId> {
            let columns = seek.keys.iter().take(count).map(|key| key.place.column.id);
            columns.filter(|id| !equal.contains(id)).collect()
        };
        let mut begins = None;
        for (indexing, equal) in &choices {
            if own == seek.keys.len() && index::holds(self.context.schema, self.table, equal, &ordered_by(equal, own)) {
                return Walk { holds: true, begins: true, indexing: *indexing };
            }
            if begins.is_none()
                && own > 0
                && index::holds(self.context.schema, self.table, equal, &ordered_by(equal, 1))
            {
                begins = Some(Walk { holds: false, begins: true, indexing: *indexing });
            }
        }
        begins.unwrap_or(nothing)
    }
}

/// How an order goes with a table's indexes.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// An index holds the whole order.
    holds: bool,
    /// An index begins with its first key.
    begins: bool,
    /// Which conditions may draw the engine to another index.
    indexing: Indexing,
}

/// Columns of the queried table that the filter pins to one value.
fn equalities(filter: &Filter) -> Vec<ColumnId> {
    fn gather(filter: &Filter, found: &mut Vec<ColumnId>) {
        match filter {
            Filter::And(all) => all.iter().for_each(|filter| gather(filter, found)),
            Filter::Compare { path, operator: Comparison::Equal, .. } if path.row == 0 && path.steps.is_empty() => {
                found.push(path.column)
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    gather(filter, &mut found);
    found
}

/// The name of the value behind a key in a subquery.
fn write_value_name(w: &mut Writer, at: usize) {
    w.text("v");
    w.number(at as u64);
}

/// Conditions joined by AND.
#[derive(Default)]
pub(crate) struct Conditions {
    written: bool,
}

impl Conditions {
    pub(crate) fn next(&mut self, w: &mut Writer) {
        w.text(if self.written { " AND " } else { " WHERE " });
        self.written = true;
    }
}
