//! Tests whether there is a linked row.

use custodia_access::RowAccess;
use custodia_query::{Exists, Filter};
use custodia_schema::{PrivilegeKind, Table};

use super::CompileError;
use super::access::stored;
use super::filter::{FilterWriter, Indexing, constant};
use super::join::{Joins, Place};
use super::links::{require_comparable, write_equal};
use super::select::Conditions;
use super::writer::Writer;

impl FilterWriter<'_, '_> {
    /// Whether a row linked to this one passes a filter, itself and with rows beside it. All of them are of those that the
    /// caller reaches, and what may not be read of them is null.
    pub(super) fn exists(&self, w: &mut Writer, exists: &Exists, negated: bool) -> Result<(), CompileError> {
        let writer = self.joins.access;
        let context = writer.context;
        let table: &Table = context.schema.table(exists.table).ok_or(CompileError::NoTable(exists.table))?;
        let access = self.joins.policy.rows(table, PrivilegeKind::Read)?;
        let far = stored(table, exists.far)?;
        require_comparable(self.joins.column_of(&exists.near)?, far)?;
        let mut beyond = Joins::new(writer, self.joins.policy, w.new_alias(), table);
        beyond.add_links(w, &exists.links)?;
        beyond.add_filter(w, &exists.filter)?;
        let may_be = context.tables.exists(table.id)
            && writer.constant(table, &access) != Some(false)
            && self.joins.policy.reads_column(table, far.id)
            && !beyond.is_empty();
        let Some(near) = self.joins.place(&exists.near)?.filter(|_| may_be) else {
            constant(w, negated);
            return Ok(());
        };
        w.text(if negated { "NOT EXISTS (SELECT 1 FROM " } else { "EXISTS (SELECT 1 FROM " });
        beyond.write_table(w, table, beyond.root)?;
        beyond.write(w)?;
        let mut conditions = Conditions::default();
        conditions.next(w);
        write_equal(w, near, Place { alias: beyond.root, table, column: far, joined: false });
        if access != RowAccess::All {
            conditions.next(w);
            writer.test(w, beyond.root, table, &access)?;
        }
        beyond.write_conditions(w, &mut conditions)?;
        if exists.filter != Filter::True {
            conditions.next(w);
            FilterWriter { joins: &beyond, indexing: Indexing::Open }.write(w, &exists.filter, false)?;
        }
        w.text(")");
        Ok(())
    }
}
