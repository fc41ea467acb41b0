//! `$select`: which columns are shown.

use custodia_schema::{Column, ColumnId, ColumnKind, Table};

use super::ODataError;
use super::lexer::{Lexer, Token};
use super::names::{owner_id, property};
use super::path::{unknown, unknown_column};
use super::shape::Shape;
use crate::Field;

/// The names of a `$select`, not yet looked up: an expanded owner is looked up in two tables.
pub(super) struct Selection<'t> {
    lexer: Lexer<'t>,
    /// Names and where they start; `None` for all.
    names: Option<Vec<(&'t str, usize)>>,
}

impl<'t> Selection<'t> {
    /// Everything; `lexer` says where.
    pub(super) fn everything(lexer: Lexer<'t>) -> Self {
        Self { lexer, names: None }
    }

    /// Reads the whole of `lexer`. Nothing at all, or a `*` among the names, is everything.
    pub(super) fn read(mut lexer: Lexer<'t>) -> Result<Self, ODataError> {
        let mut ahead = lexer;
        if ahead.next()?.0 == Token::End {
            return Ok(Self::everything(lexer));
        }
        let mut names = Vec::new();
        let mut all = false;
        loop {
            match lexer.next()? {
                (Token::Star, _) => all = true,
                (Token::Word(name), at) => names.push((name, at)),
                (_, at) => return Err(lexer.invalid(at, "expected the name of a column or '*'")),
            }
            match lexer.next()? {
                (Token::Comma, _) => {}
                (Token::End, _) => break,
                (_, at) => return Err(lexer.invalid(at, "expected ',' or the end")),
            }
        }
        Ok(Self { lexer, names: (!all).then_some(names) })
    }

    /// Whether the id of a record of a table that owns others is asked for by the name that it has as an owner's.
    pub(super) fn names_owner_id(&self, table: &Table) -> bool {
        self.names.iter().flatten().any(|(name, _)| owner_id(table, name).is_some())
    }

    /// Looks the names up in a table. The id of an owner by that name is not among the columns: it stands in each row anyway.
    pub(super) fn columns<'s>(&self, table: &'s Table) -> Result<Option<Vec<&'s Column>>, ODataError> {
        let Some(names) = &self.names else { return Ok(None) };
        let mut columns: Vec<&Column> = Vec::with_capacity(names.len());
        for (name, at) in names {
            if owner_id(table, name).is_some() {
                continue;
            }
            let Some(column) = property(table, name) else {
                return Err(unknown_column(&self.lexer, *at, name, table));
            };
            if !column.kind.is_stored() {
                return Err(self.lexer.unsupported(*at, format!("column '{name}'")));
            }
            if !columns.iter().any(|known| known.id == column.id) {
                columns.push(column);
            }
        }
        Ok(Some(columns))
    }

    /// Looks the names up in the tables an owner may be of. `id_name` is the name of the owner's id in all of them.
    /// A name must be known in one of them at least.
    pub(super) fn columns_of_owner<'s>(
        &self,
        tables: &[&'s Table],
        id_name: &str,
    ) -> Result<Vec<Option<Vec<&'s Column>>>, ODataError> {
        let mut all: Vec<Option<Vec<&Column>>> =
            tables.iter().map(|_| self.names.as_ref().map(|_| Vec::new())).collect();
        for (name, at) in self.names.iter().flatten() {
            // The id stands in each of them anyway.
            if *name == id_name {
                continue;
            }
            let mut known = false;
            for (table, columns) in tables.iter().zip(all.iter_mut()) {
                let column = property(table, name).filter(|column| column.kind.is_stored());
                if let (Some(column), Some(columns)) = (column, columns) {
                    known = true;
                    if !columns.iter().any(|before| before.id == column.id) {
                        columns.push(column);
                    }
                }
            }
            if !known {
                return Err(unknown(&self.lexer, *at, name, "principal"));
            }
        }
        Ok(all)
    }
}

/// What to read and what to show for selected columns; all readable stored ones for `None`.
///
/// The fields are the primary id, then the version number if the table has one (for the entity tag), then the rest of
/// what is shown.
pub(super) fn projection(table: &Table, selected: Option<&[&Column]>) -> (Vec<Field>, Shape) {
    let shown: Vec<ColumnId> = match selected {
        None => table
            .columns()
            .iter()
            .filter(|column| column.readable && column.kind.is_stored())
            .map(|column| column.id)
            .collect(),
        Some(columns) => {
            let mut shown: Vec<ColumnId> = columns.iter().map(|column| column.id).collect();
            let currency = columns
                .iter()
                .any(|column| matches!(column.kind, ColumnKind::Money { .. }))
                .then(|| table.column("transactioncurrencyid"))
                .flatten();
            for implied in currency.map(|column| column.id).into_iter().chain([table.primary_id]) {
                if !shown.contains(&implied) {
                    shown.push(implied);
                }
            }
            shown
        }
    };
    let version = table.column("versionnumber").map(|column| column.id);
    let mut fields = Vec::with_capacity(shown.len() + 2);
    fields.push(Field::Column(table.primary_id));
    fields.extend(version.map(Field::Column));
    fields.extend(
        shown.iter().filter(|id| **id != table.primary_id && Some(**id) != version).map(|id| Field::Column(*id)),
    );
    let shape = Shape {
        table: table.id,
        selected: selected.map(|columns| columns.iter().map(|column| column.id).collect()),
        as_owner: false,
        shown,
        expand: Vec::new(),
    };
    (fields, shape)
}
