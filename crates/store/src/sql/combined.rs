//! Rows that no page can continue after: linked ones, distinct ones, orders by labels and names, and places in a list
//! that are counted off.
//!
//! Such a read is one SELECT over all its tables, sorted and cut. Where the caller reaches few rows of the queried table
//! they are gathered by an IN, so that the engine begins with them.

use custodia_access::{RowAccess, RowArms};
use custodia_query::Order;

use super::access::{Path, primary};
use super::define::{ROW_NUMBER, has_row_numbers};
use super::filter::Indexing;
use super::order::{SortKeys, write_direction};
use super::outputs::{Naming, Outputs};
use super::select::{Conditions, Question, Source};
use super::writer::{Alias, Writer, require_columns};
use super::{CompileError, Dialect};

impl<'a> Question<'a> {
    /// The statement for a query that no page can continue after.
    pub(super) fn write_combined(mut self, w: &mut Writer) -> Result<(), CompileError> {
        if self.query.after.is_some() {
            return Err(CompileError::Unanswerable("rows in this order have no place to continue after"));
        }
        for steps in super::walk::expanded(&self.query.expand) {
            self.joins.add(w, 0, &steps)?;
        }
        if self.query.distinct {
            return self.write_distinct(w);
        }
        let query = self.query;
        let order = SortKeys::of_query(w, &mut self.joins, &query.order)?;
        w.text("SELECT ");
        Outputs::new(&self, Some(&self.joins), Naming::Position).write(w)?;
        self.write_combined_rows(w)?;
        order.write(w, &self.joins)?;
        self.write_limit(w);
        self.write_skip(w);
        Ok(())
    }

    /// ` FROM … WHERE …`: all rows of the query, with what is linked to each.
    pub(super) fn write_combined_rows(&self, w: &mut Writer) -> Result<(), CompileError> {
        match self.union() {
            Some((arms, paths)) => self.write_rows(w, Source::Gathered(arms, &paths), Indexing::Open, None),
            None => self.write_rows(w, Source::Tested, Indexing::Open, None),
        }
    }

    /// Equal results once: texts are equal by fold, and the least of them is shown.
    fn write_distinct(mut self, w: &mut Writer) -> Result<(), CompileError> {
        let query = self.query;
        query.order.iter().try_for_each(|order| self.require_shown(order))?;
        let order = SortKeys::given(w, &mut self.joins, &query.order)?;
        let rows = w.new_alias();
        w.text("WITH ");
        w.alias(rows);
        w.text(" AS (SELECT ");
        let folded = self.write_distinct_rows(w, &order)?;
        w.text(") SELECT ");
        let outputs = w.outputs();
        for at in 0..outputs {
            if at > 0 {
                w.text(", ");
            }
            let is_folded = folded.contains(&at);
            w.text(if is_folded { "min(o" } else { "o" });
            w.number(at as u64);
            w.text(if is_folded { ")" } else { "" });
        }
        w.text(" FROM ");
        w.alias(rows);
        let directions = order.directions();
        write_groups(w, outputs, &folded, directions.len());
        w.text(" ORDER BY ");
        for (at, descending) in directions.iter().enumerate() {
            w.text("k");
            w.number(at as u64);
            write_direction(w, *descending, true);
            w.text(", ");
        }
        for at in 0..outputs {
            if at > 0 {
                w.text(", ");
            }
            write_group(w, at, &folded);
            write_direction(w, false, true);
        }
        self.write_limit(w);
        self.write_skip(w);
        Ok(())
    }

    /// `…outputs and keys… FROM … WHERE …`: the results that are to be told apart; which outputs are texts.
    fn write_distinct_rows(&self, w: &mut Writer, order: &SortKeys<'a, '_>) -> Result<Vec<usize>, CompileError> {
        let mut outputs = Outputs::new(self, Some(&self.joins), Naming::Name);
        outputs.write(w)?;
        if w.outputs() == 0 {
            return Err(CompileError::Unanswerable("distinct rows show at least one column"));
        }
        order.write_columns(w, &self.joins)?;
        self.write_combined_rows(w)?;
        let folded = outputs.folded();
        require_columns(w.outputs() + folded.len())?;
        Ok(folded)
    }

    /// `SELECT … GROUP BY …`: one row for each distinct result, for counting them.
    pub(super) fn write_distinct_to_count(&mut self, w: &mut Writer) -> Result<(), CompileError> {
        for steps in super::walk::expanded(&self.query.expand) {
            self.joins.add(w, 0, &steps)?;
        }
        let order = SortKeys::given(w, &mut self.joins, &[])?;
        w.text("SELECT 1 FROM (SELECT ");
        let folded = self.write_distinct_rows(w, &order)?;
        w.text(") ");
        let rows = w.new_alias();
        w.alias(rows);
        write_groups(w, w.outputs(), &folded, 0);
        w.forget_outputs();
        Ok(())
    }

    /// Distinct results have nothing but what they show.
    fn require_shown(&self, order: &Order) -> Result<(), CompileError> {
        let shown = order.path.steps.is_empty() && Outputs::shows(self, order.path.row, order.path.column);
        if shown {
            return Ok(());
        }
        Err(CompileError::Unanswerable("distinct rows can only be sorted by columns that they show"))
    }

    /// The rows that some access paths find, and within what else bounds the caller.
    pub(super) fn write_gathered(
        &self,
        w: &mut Writer,
        row: Alias,
        arms: &RowArms,
        paths: &[Path],
        conditions: &mut Conditions,
    ) -> Result<(), CompileError> {
        conditions.next(w);
        // Found by their ids, rows of SQLite take a look into the index of ids each, and lie here and there. A table that is read
        // through a subquery has no numbers.
        let is_plain = self.policy.shared_columns(self.table).is_empty();
        let by_number = w.dialect == Dialect::Sqlite && is_plain && has_row_numbers(self.table);
        let found_by = if by_number { ROW_NUMBER } else { primary(self.table)?.name.as_str() };
        w.column(row, found_by, "");
        w.text(" IN (");
        for (at, path) in paths.iter().enumerate() {
            let source = w.new_alias();
            w.text(if at > 0 { " UNION ALL SELECT " } else { "SELECT " });
            w.column(source, found_by, "");
            w.text(" FROM ");
            w.table(&self.table.name, source);
            w.text(" WHERE ");
            self.writer.source_path(w, source, self.table, arms, *path)?;
        }
        w.text(")");
        if let RowAccess::Every(all) = &self.access {
            for access in all.iter().filter(|access| !matches!(access, RowAccess::Arms(other) if other == arms)) {
                conditions.next(w);
                self.writer.test(w, row, self.table, access)?;
            }
        }
        Ok(())
    }

    fn write_skip(&self, w: &mut Writer) {
        if self.query.skip > 0 {
            w.text(" OFFSET ");
            w.number(u64::from(self.query.skip));
        }
    }
}

/// ` GROUP BY …`: over the outputs in the form in which they are compared, and over the keys.
fn write_groups(w: &mut Writer, outputs: usize, folded: &[usize], keys: usize) {
    w.text(" GROUP BY ");
    for at in 0..outputs {
        if at > 0 {
            w.text(", ");
        }
        write_group(w, at, folded);
    }
    for at in 0..keys {
        w.text(", k");
        w.number(at as u64);
    }
}

fn write_group(w: &mut Writer, at: usize, folded: &[usize]) {
    w.text(if folded.contains(&at) { "f" } else { "o" });
    w.number(at as u64);
}
