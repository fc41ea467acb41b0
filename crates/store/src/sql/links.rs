//! Rows of other tables beside those that they are linked to.
//!
//! Inner links of the queried row are plain joins. An outer link and the inner links that hang on it form a *branch*: its
//! rows are joined among themselves, in brackets, and then as one to the row before, so that a missing partner within the
//! branch costs the branch and not the row. What a link's filter asks stands in the condition of its branch.

use custodia_access::RowAccess;
use custodia_query::{Filter, Link, LinkKind};
use custodia_schema::{Column, PrivilegeKind, Table, TableId};

use super::CompileError;
use super::access::{primary, stored};
use super::filter::{FilterWriter, Indexing};
use super::join::{Joins, Place};
use super::order::SortKeys;
use super::select::Conditions;
use super::storage::{Storage, TARGET, comparison_suffix};
use super::walk::{each_test, paths_of};
use super::writer::{Alias, Writer};

/// A linked row.
#[derive(Clone)]
pub(crate) struct LinkRow<'a> {
    link: &'a Link,
    alias: Alias,
    table: &'a Table,
    access: RowAccess,
    /// The position of the link that heads its branch; `None` where every result has it.
    branch: Option<usize>,
    /// Whether such a row can be found at all.
    found: bool,
}

impl<'a> Joins<'a> {
    /// Adds the links of a query with the joins that their filters need.
    ///
    /// # Errors
    /// When a link does not fit the schema or the caller may not read its table.
    pub(crate) fn add_links(&mut self, w: &mut Writer, links: &'a [Link]) -> Result<(), CompileError> {
        for link in links {
            self.add_link(w, link)?;
        }
        self.forsake();
        for (at, link) in links.iter().enumerate() {
            self.require_joined_before(at, link)?;
            // The filter of a first partner is asked of the candidates: see `write_first`.
            if link.kind != LinkKind::First {
                self.add_filter(w, &link.filter)?;
            }
        }
        Ok(())
    }

    fn add_link(&mut self, w: &mut Writer, link: &'a Link) -> Result<(), CompileError> {
        self.make_room()?;
        let context = self.access.context;
        let from = self.table_of_row(link.from)?;
        let table: &'a Table = context.schema.table(link.table).ok_or(CompileError::NoTable(link.table))?;
        let access = self.policy.rows(table, PrivilegeKind::Read)?;
        let (near, far) = (stored(from, link.near)?, stored(table, link.far)?);
        require_comparable(near, far)?;
        let found = context.tables.exists(table.id)
            && self.access.constant(table, &access) != Some(false)
            && self.policy.reads_column(from, near.id)
            && self.policy.reads_column(table, far.id);
        let at = self.links.len();
        let branch = match link.kind {
            LinkKind::Inner => self.branch_of(link.from),
            LinkKind::Outer | LinkKind::First => Some(at),
        };
        self.links.push(LinkRow { link, alias: w.new_alias(), table, access, branch, found });
        Ok(())
    }

    /// Rows that hang on one that cannot be found, or share its branch, cannot be found either.
    fn forsake(&mut self) {
        loop {
            let lost = |row: &LinkRow<'a>| {
                let hangs_on_nothing =
                    row.link.from.checked_sub(1).and_then(|at| self.links.get(at)).is_some_and(|from| !from.found);
                let branch_is_lost = row
                    .branch
                    .is_some_and(|branch| self.links.iter().any(|other| other.branch == Some(branch) && !other.found));
                row.found && (hangs_on_nothing || branch_is_lost)
            };
            let Some(next) = self.links.iter().position(lost) else { return };
            if let Some(row) = self.links.get_mut(next) {
                row.found = false;
            }
        }
    }

    /// Whether no result can be found, because a partner that each needs cannot.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.iter().any(|row| row.branch.is_none() && !row.found)
    }

    fn branch_of(&self, row: usize) -> Option<usize> {
        row.checked_sub(1).and_then(|at| self.links.get(at)).and_then(|row| row.branch)
    }

    /// A queried or linked row, if one can be found.
    pub(crate) fn row(&self, row: usize) -> Option<(Alias, &'a Table)> {
        match row.checked_sub(1) {
            None => Some((self.root, self.table)),
            Some(at) => self.links.get(at).filter(|row| row.found).map(|row| (row.alias, row.table)),
        }
    }

    /// The table of a queried or linked row.
    pub(crate) fn table_of_row(&self, row: usize) -> Result<&'a Table, CompileError> {
        match row.checked_sub(1) {
            None => Ok(self.table),
            Some(at) => self.links.get(at).map(|row| row.table).ok_or_else(|| CompileError::NoRelationship {
                table: self.table.name.clone(),
                why: "there are fewer linked rows than a column of one of them says",
            }),
        }
    }

    /// Whether a result may lack this row.
    pub(crate) fn may_be_missing(&self, row: usize) -> bool {
        self.branch_of(row).is_some()
    }

    /// A branch is joined where its head stands: its conditions may look only at rows that are there by then.
    fn require_joined_before(&self, at: usize, link: &Link) -> Result<(), CompileError> {
        each_test(&link.filter, &mut |test| {
            paths_of(test).try_for_each(|path| {
                self.table_of_row(path.row)?;
                let Some(other) = path.row.checked_sub(1) else { return Ok(()) };
                let branch = self.links.get(at).and_then(|row| row.branch);
                let there = match branch {
                    None => other <= at,
                    Some(head) => other < head || (other <= at && self.branch_of(path.row) == branch),
                };
                if there {
                    return Ok(());
                }
                Err(CompileError::Unanswerable("a condition of a link looks at a row that is linked later"))
            })
        })
    }

    /// ` … JOIN …` for the steps from the queried row, the linked rows and the steps from them.
    pub(crate) fn write(&self, w: &mut Writer) -> Result<(), CompileError> {
        self.write_steps(w, 0)?;
        for (at, row) in self.links.iter().enumerate().filter(|(_, row)| row.found) {
            match row.branch {
                None => {
                    w.text(" INNER JOIN ");
                    self.write_table(w, row.table, row.alias)?;
                    w.text(" ON ");
                    self.write_partner(w, row)?;
                    self.write_steps(w, at + 1)?;
                }
                Some(head) if head == at => self.write_branch(w, at, row)?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What the filters of inner links ask of each result.
    pub(crate) fn write_conditions(&self, w: &mut Writer, conditions: &mut Conditions) -> Result<(), CompileError> {
        for row in self.links.iter().filter(|row| row.branch.is_none() && row.link.filter != Filter::True) {
            conditions.next(w);
            self.write_filter(w, &row.link.filter)?;
        }
        Ok(())
    }

    fn write_filter(&self, w: &mut Writer, filter: &Filter) -> Result<(), CompileError> {
        FilterWriter { joins: self, indexing: Indexing::Open }.write(w, filter, false)
    }

    fn write_branch(&self, w: &mut Writer, at: usize, head: &LinkRow<'a>) -> Result<(), CompileError> {
        let members = || self.links.iter().enumerate().skip(at + 1).filter(|(_, row)| row.branch == Some(at));
        let alone = members().next().is_none() && !self.has_steps(at + 1);
        w.text(if alone { " LEFT JOIN " } else { " LEFT JOIN (" });
        self.write_table(w, head.table, head.alias)?;
        self.write_steps(w, at + 1)?;
        for (member, row) in members() {
            w.text(" INNER JOIN ");
            self.write_table(w, row.table, row.alias)?;
            w.text(" ON ");
            self.write_partner(w, row)?;
            self.write_steps(w, member + 1)?;
        }
        w.text(if alone { " ON " } else { ") ON " });
        if head.link.kind == LinkKind::First {
            w.column(head.alias, &primary(head.table)?.name, "");
            w.text(" = ");
            self.write_first(w, at, head)?;
        } else {
            self.write_partner(w, head)?;
            self.write_and_filter(w, &head.link.filter)?;
        }
        members().try_for_each(|(_, row)| self.write_and_filter(w, &row.link.filter))
    }

    fn write_and_filter(&self, w: &mut Writer, filter: &Filter) -> Result<(), CompileError> {
        if *filter == Filter::True {
            return Ok(());
        }
        w.text(" AND ");
        self.write_filter(w, filter)
    }

    /// That a row is a partner of the one it hangs on, and one that the caller reaches.
    fn write_partner(&self, w: &mut Writer, row: &LinkRow<'a>) -> Result<(), CompileError> {
        let from = self.table_of_row(row.link.from)?;
        let near = Place {
            alias: self.row(row.link.from).map_or(self.root, |(alias, _)| alias),
            table: from,
            column: stored(from, row.link.near)?,
            joined: false,
        };
        let far = Place { alias: row.alias, table: row.table, column: stored(row.table, row.link.far)?, joined: false };
        write_equal(w, near, far);
        if row.access != RowAccess::All {
            w.text(" AND ");
            self.access.test(w, row.alias, row.table, &row.access)?;
        }
        Ok(())
    }

    /// The id of the first partner.
    fn write_first(&self, w: &mut Writer, at: usize, head: &LinkRow<'a>) -> Result<(), CompileError> {
        let candidate = LinkRow { alias: w.new_alias(), ..head.clone() };
        let mut joins = self.without_steps();
        joins.links.truncate(at);
        joins.links.push(candidate.clone());
        joins.add_filter(w, &head.link.filter)?;
        let order = SortKeys::of_first(w, &mut joins, at + 1, &head.link.order)?;
        w.text("(SELECT ");
        w.column(candidate.alias, &primary(head.table)?.name, "");
        w.text(" FROM ");
        joins.write_table(w, head.table, candidate.alias)?;
        (0..=at + 1).try_for_each(|row| joins.write_steps(w, row))?;
        w.text(" WHERE ");
        joins.write_partner(w, &candidate)?;
        joins.write_and_filter(w, &head.link.filter)?;
        order.write(w, &joins)?;
        w.text(" LIMIT 1)");
        Ok(())
    }
}

/// Whether values of both columns can be equal.
pub(crate) fn require_comparable(left: &Column, right: &Column) -> Result<(), CompileError> {
    let comparable = match (Storage::of(&left.kind), Storage::of(&right.kind)) {
        (Some(one), Some(other)) => one.compares_with(other) && comparison_suffix(left) == comparison_suffix(right),
        _ => false,
    };
    if comparable {
        return Ok(());
    }
    Err(CompileError::Incomparable { left: left.name.clone(), right: right.name.clone() })
}

/// That the values of two columns are equal, as links are: also the table that a polymorphic lookup points into.
pub(crate) fn write_equal(w: &mut Writer, near: Place<'_>, far: Place<'_>) {
    w.column(far.alias, &far.column.name, comparison_suffix(far.column));
    w.text(" = ");
    w.column(near.alias, &near.column.name, comparison_suffix(near.column));
    let (near_varies, far_varies) = (near.column.kind.is_polymorphic(), far.column.kind.is_polymorphic());
    let (varying, fixed) = match (near_varies, far_varies) {
        (false, false) => return,
        (true, true) => {
            w.text(" AND ");
            w.column(far.alias, &far.column.name, TARGET);
            w.text(" = ");
            w.column(near.alias, &near.column.name, TARGET);
            return;
        }
        (true, false) => (near, far),
        (false, true) => (far, near),
    };
    if let Some(target) = names_rows_of(fixed.table, fixed.column) {
        w.text(" AND ");
        w.column(varying.alias, &varying.column.name, TARGET);
        w.text(" = ");
        w.number(u64::from(target.0));
    }
}

/// The one table whose rows the values of a column name, if there is one.
pub(crate) fn names_rows_of(table: &Table, column: &Column) -> Option<TableId> {
    if column.id == table.primary_id {
        return Some(table.id);
    }
    match column.kind.targets() {
        [single] => Some(*single),
        _ => None,
    }
}
