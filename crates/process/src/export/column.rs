//! A column of the file: what of a record it shows.

use std::collections::HashMap;

use custodia_query::Field;
use custodia_schema::{Column, ColumnKind, Schema, ValueRef};

use super::cell::Cell;
use super::plan::Style;

/// What the name of the record that a link points at is shown under, behind the link's own name.
pub(super) const NAME: &str = ".name";
/// The same for its table, where it may be in one of several.
pub(super) const TABLE: &str = ".table";

/// A column of the file.
#[derive(Clone, Debug)]
pub(super) struct FileColumn {
    /// Its name in the first line.
    pub header: String,
    /// What it shows.
    pub field: Field,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Cell(Cell),
    /// Tables by number.
    Tables(HashMap<i64, String>),
}

impl FileColumn {
    /// What the file shows of a column of the table: a link's id, table and name.
    pub fn all_of(schema: &Schema, column: &Column, style: Style) -> Vec<Self> {
        let value = Self {
            header: column.name.clone(),
            field: Field::Column(column.id),
            form: Form::Cell(Cell::of(column, style)),
        };
        let ColumnKind::Lookup { targets, .. } = &column.kind else { return vec![value] };
        let mut shown = vec![value];
        if column.kind.is_polymorphic() {
            let tables = targets.iter().filter_map(|id| schema.table(*id));
            let names = tables.map(|table| (i64::from(table.id.0), table.name.clone())).collect();
            shown.push(Self {
                header: format!("{}{TABLE}", column.name),
                field: Field::TargetTable(column.id),
                form: Form::Tables(names),
            });
        }
        shown.push(Self {
            header: format!("{}{NAME}", column.name),
            field: Field::TargetName(column.id),
            form: Form::Cell(Cell::text(style)),
        });
        shown
    }

    /// Writes a value of the column.
    pub fn write(&self, value: ValueRef<'_>, into: &mut String) {
        match (&self.form, value) {
            (Form::Cell(cell), value) => cell.write(value, into),
            (Form::Tables(names), ValueRef::Integer(number)) => {
                into.push_str(names.get(&number).map_or("", String::as_str));
            }
            (Form::Tables(_), _) => {}
        }
    }
}
