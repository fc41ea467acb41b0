//! What a row shows.

use custodia_access::RowAccess;
use custodia_query::{Expand, Field, Step};
use custodia_schema::{Column, ColumnId, ColumnKind, PrivilegeKind, Table};

use super::CompileError;
use super::access::{primary, stored};
use super::join::Joins;
use super::names::write_target_name;
use super::select::Question;
use super::storage::{Storage, TARGET, comparison_suffix};
use super::writer::{Alias, Writer};

/// How outputs are told apart by what stands around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// They are the statement's own.
    Position,
    /// They are columns of a subquery: `o0`, `o1`, …; texts also with the form in which they are compared, as `f0`, ….
    Name,
}

/// Writes what the rows of a question show.
pub(crate) struct Outputs<'q, 'a> {
    question: &'q Question<'a>,
    /// The rows; `None` when there are none.
    rows: Option<&'q Joins<'a>>,
    naming: Naming,
    /// The outputs that have a form of their own for comparing.
    folded: Vec<usize>,
}

impl<'q, 'a> Outputs<'q, 'a> {
    pub(crate) fn new(question: &'q Question<'a>, rows: Option<&'q Joins<'a>>, naming: Naming) -> Self {
        Self { question, rows, naming, folded: Vec::new() }
    }

    /// The outputs that also came in the form in which they are compared.
    pub(crate) fn folded(self) -> Vec<usize> {
        self.folded
    }

    pub(crate) fn separate(w: &mut Writer) {
        if w.outputs() > 0 {
            w.text(", ");
        }
    }

    /// The fields of the queried row, of the linked rows and of the related ones.
    pub(crate) fn write(&mut self, w: &mut Writer) -> Result<(), CompileError> {
        let query = self.question.query;
        let row = self.rows.map(|rows| rows.root);
        query.fields.iter().try_for_each(|field| self.write_field(w, row, self.question.table, *field))?;
        for (at, link) in query.links.iter().enumerate() {
            let table = self.question.joins.table_of_row(at + 1)?;
            let row = self.rows.and_then(|rows| rows.row(at + 1)).map(|(alias, _)| alias);
            link.fields.iter().try_for_each(|field| self.write_field(w, row, table, *field))?;
        }
        self.write_expands(w, &query.expand, &mut Vec::new())
    }

    fn write_expands(&mut self, w: &mut Writer, expand: &[Expand], above: &mut Vec<Step>) -> Result<(), CompileError> {
        for entry in expand {
            let Expand::One { step, fields, expand, .. } = entry else { continue };
            let table = self.question.context.schema.table(step.target).ok_or(CompileError::NoTable(step.target))?;
            above.push(*step);
            let row = match self.rows {
                Some(rows) => rows.row_after(0, above).map(|(alias, _)| alias),
                None => {
                    self.question.policy.rows(table, PrivilegeKind::Read)?;
                    None
                }
            };
            fields.iter().try_for_each(|field| self.write_field(w, row, table, *field))?;
            self.write_expands(w, expand, above)?;
            above.pop();
        }
        Ok(())
    }

    fn write_field(
        &mut self,
        w: &mut Writer,
        row: Option<Alias>,
        table: &Table,
        field: Field,
    ) -> Result<(), CompileError> {
        Self::separate(w);
        let (Field::Column(id) | Field::TargetTable(id) | Field::TargetName(id) | Field::Children(id)) = field;
        let column = stored(table, id)?;
        let readable = self.question.policy.reads_column(table, id);
        let storage = match field {
            Field::Column(_) => storage_of(table, column)?,
            Field::TargetTable(_) => Storage::Integer,
            Field::TargetName(_) => Storage::Text,
            Field::Children(_) => Storage::BigInt,
        };
        if !matches!(field, Field::Column(_)) && !matches!(column.kind, ColumnKind::Lookup { .. }) {
            return Err(CompileError::NoRelationship { table: table.name.clone(), why: "the column is no lookup" });
        }
        // What is told apart or sorted is told by its value: there it stays hidden.
        let mask = match (field, self.naming) {
            (Field::Column(_), Naming::Position) if !readable && storage == Storage::Text => {
                self.question.policy.mask(table, id)
            }
            _ => None,
        };
        if let (Some(row), Some(mask)) = (row, mask) {
            w.column(row, &column.name, "");
            w.masked_output(mask);
            return Ok(());
        }
        let Some(row) = row.filter(|_| readable || matches!(field, Field::Children(_))) else {
            w.null(storage);
            self.end_field(w, storage, None);
            return Ok(());
        };
        match (field, column.kind.targets()) {
            (Field::Column(_), _) => {
                w.column(row, &column.name, "");
                let text = Some((row, column)).filter(|_| !comparison_suffix(column).is_empty());
                self.end_field(w, storage, text);
                return Ok(());
            }
            (Field::TargetTable(_), [single]) => {
                w.text("CASE WHEN ");
                w.column(row, &column.name, "");
                w.text(" IS NOT NULL THEN ");
                w.number(u64::from(single.0));
                w.text(" END");
            }
            (Field::TargetTable(_), _) => w.column(row, &column.name, TARGET),
            (Field::TargetName(_), _) => {
                let rows = self.rows.unwrap_or(&self.question.joins);
                write_target_name(w, rows, row, column, false)?;
            }
            (Field::Children(_), _) => self.write_children(w, row, table, column, readable)?,
        }
        self.end_field(w, storage, None);
        Ok(())
    }

    fn end_field(&mut self, w: &mut Writer, storage: Storage, text: Option<(Alias, &Column)>) {
        let at = w.output(storage.output());
        if self.naming == Naming::Position {
            return;
        }
        w.text(" AS o");
        w.number(at as u64);
        if let Some((row, column)) = text {
            self.folded.push(at);
            w.text(", ");
            w.column(row, &column.name, comparison_suffix(column));
            w.text(" AS f");
            w.number(at as u64);
        }
    }

    /// How many rows that the caller reaches point at the row. A lookup that may not be read points nowhere.
    fn write_children(
        &self,
        w: &mut Writer,
        row: Alias,
        table: &Table,
        lookup: &Column,
        readable: bool,
    ) -> Result<(), CompileError> {
        if !lookup.kind.targets().contains(&table.id) {
            return Err(CompileError::NoRelationship {
                table: table.name.clone(),
                why: "the column does not point at rows of its own table",
            });
        }
        let access = self.question.policy.rows(table, PrivilegeKind::Read)?;
        if !readable {
            w.text("0");
            return Ok(());
        }
        let child = w.new_alias();
        w.text("(SELECT count(*) FROM ");
        self.question.joins.write_table(w, table, child)?;
        w.text(" WHERE ");
        w.column(child, &lookup.name, "");
        w.text(" = ");
        w.column(row, &primary(table)?.name, "");
        if lookup.kind.is_polymorphic() {
            w.text(" AND ");
            w.column(child, &lookup.name, TARGET);
            w.text(" = ");
            w.number(u64::from(table.id.0));
        }
        if access != RowAccess::All {
            w.text(" AND ");
            self.question.writer.test(w, child, table, &access)?;
        }
        w.text(")");
        Ok(())
    }

    /// Whether a column of a queried (0) or linked row is shown.
    pub(crate) fn shows(question: &Question<'_>, row: usize, column: ColumnId) -> bool {
        let fields = match row.checked_sub(1) {
            None => Some(&question.query.fields),
            Some(at) => question.query.links.get(at).map(|link| &link.fields),
        };
        fields.is_some_and(|fields| fields.contains(&Field::Column(column)))
    }
}

/// How a column's values are kept.
pub(crate) fn storage_of(table: &Table, column: &Column) -> Result<Storage, CompileError> {
    Storage::of(&column.kind).ok_or_else(|| CompileError::NoColumn { table: table.name.clone(), column: column.id })
}
