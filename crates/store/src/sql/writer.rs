//! Appends SQL text and gathers what is bound to it.

use std::sync::Arc;

use custodia_access::Mask;
use custodia_schema::{Guid, Value};

use super::dialect::push_number;
use super::storage::{Storage, is_plain, physical};
use super::{CompileError, Dialect, Output, Parameter, Statement};

/// Values that may be bound to one statement: SQLite takes 32,766, PostgreSQL twice as many.
const PARAMETERS_MAX: usize = 32_766;

/// Columns that one result may have: SQLite takes 2,000, PostgreSQL 1,664 with those that only sort.
const COLUMNS_MAX: usize = 1_600;

/// Characters of all text patterns of one question that have to be looked for at every place of a text
/// ([`custodia_query::LikePattern::sought`]). A matcher may need the length of the text times theirs for a row, and PostgreSQL's
/// is not interrupted meanwhile. SQL Server takes 4,000 in one pattern.
pub(crate) const PATTERN_CHARACTERS_MAX: usize = 10_000;

/// A table's name within one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias(pub(crate) u32);

/// A bound parameter that may be named again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    position: usize,
    storage: Storage,
}

/// Refuses results with more columns than an engine takes.
///
/// # Errors
/// [`CompileError::TooLarge`] for them.
pub(crate) fn require_columns(columns: usize) -> Result<(), CompileError> {
    if columns > COLUMNS_MAX {
        return Err(CompileError::TooLarge { what: "columns", limit: COLUMNS_MAX });
    }
    Ok(())
}

/// A statement being written.
pub(crate) struct Writer {
    pub(crate) dialect: Dialect,
    statement: Statement,
    aliases: u32,
    /// The caller, bound once however often a statement asks who that is.
    user: Option<(Guid, Bound)>,
    /// Values that were bound as the primary id of the row asked for.
    row_ids: usize,
    /// Characters of text patterns that were written so far.
    pattern_characters: usize,
}

impl Writer {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let sql = String::with_capacity(1024);
        Self {
            dialect,
            statement: Statement { sql, ..Statement::default() },
            aliases: 0,
            user: None,
            row_ids: 0,
            pattern_characters: 0,
        }
    }

    pub(crate) fn finish(self) -> Result<Statement, CompileError> {
        if self.statement.parameters.len() > PARAMETERS_MAX {
            return Err(CompileError::TooLarge { what: "values", limit: PARAMETERS_MAX });
        }
        if self.pattern_characters > PATTERN_CHARACTERS_MAX {
            return Err(CompileError::TooLarge { what: "characters in text patterns", limit: PATTERN_CHARACTERS_MAX });
        }
        require_columns(self.statement.outputs.len())?;
        Ok(self.statement)
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.statement.sql.push_str(text);
    }

    /// Counts what a text pattern looks for.
    pub(crate) fn count_pattern(&mut self, characters: usize) {
        self.pattern_characters = self.pattern_characters.saturating_add(characters);
    }

    pub(crate) fn number(&mut self, number: u64) {
        push_number(&mut self.statement.sql, number);
    }

    /// A number that may be negative.
    pub(crate) fn integer(&mut self, number: i64) {
        if number < 0 {
            self.text("-");
        }
        self.number(number.unsigned_abs());
    }

    pub(crate) fn identifier(&mut self, name: &str) {
        Dialect::push_identifier(&mut self.statement.sql, name);
    }

    /// A column's physical name with a suffix, without the table.
    pub(crate) fn name(&mut self, name: &str, suffix: &str) {
        if is_plain(name, suffix) {
            self.text("\"");
            self.text(name);
            self.text(suffix);
            self.text("\"");
        } else {
            self.identifier(&physical(name, suffix));
        }
    }

    /// A name for one more table of the statement.
    pub(crate) fn new_alias(&mut self) -> Alias {
        let alias = Alias(self.aliases);
        self.aliases += 1;
        alias
    }

    pub(crate) fn alias(&mut self, alias: Alias) {
        self.text("t");
        self.number(u64::from(alias.0));
    }

    /// `"table" tN`.
    pub(crate) fn table(&mut self, name: &str, alias: Alias) {
        self.identifier(name);
        self.text(" ");
        self.alias(alias);
    }

    /// `tN."column"`.
    pub(crate) fn column(&mut self, alias: Alias, name: &str, suffix: &str) {
        self.alias(alias);
        self.text(".");
        self.name(name, suffix);
    }

    /// Binds a value and names it.
    pub(crate) fn value(&mut self, value: Value, storage: Storage) {
        let bound = self.bind(value, storage);
        self.bound(bound);
    }

    /// Binds a value without naming it yet.
    pub(crate) fn bind(&mut self, value: Value, storage: Storage) -> Bound {
        self.statement.parameters.push(Parameter::Value(value));
        Bound { position: self.statement.parameters.len(), storage }
    }

    /// Names a bound value.
    pub(crate) fn bound(&mut self, bound: Bound) {
        self.dialect.push_placeholder(&mut self.statement.sql, bound.position, bound.storage);
    }

    pub(crate) fn guid(&mut self, id: Guid) {
        self.value(Value::Guid(id), Storage::Guid);
    }

    /// Binds and names the primary id of the row asked for.
    pub(crate) fn row_id(&mut self, id: Value) {
        self.row_ids += 1;
        self.statement.row = (self.row_ids == 1).then_some(self.statement.parameters.len());
        self.value(id, Storage::Guid);
    }

    /// Names the caller, bound once.
    pub(crate) fn user(&mut self, id: Guid) {
        let bound = match self.user {
            Some((known, bound)) if known == id => bound,
            _ => {
                let bound = self.bind(Value::Guid(id), Storage::Guid);
                self.user = Some((id, bound));
                bound
            }
        };
        self.bound(bound);
    }

    /// Ids, bound, separated by commas, in brackets.
    pub(crate) fn guids(&mut self, ids: &[Guid]) {
        self.text("(");
        for (at, id) in ids.iter().enumerate() {
            if at > 0 {
                self.text(", ");
            }
            self.guid(*id);
        }
        self.text(")");
    }

    /// A null of a type.
    pub(crate) fn null(&mut self, storage: Storage) {
        self.text("NULL");
        if self.dialect == Dialect::Postgres {
            self.text("::");
            self.text(storage.postgres());
        }
    }

    /// Declares the next output column; its position.
    pub(crate) fn output(&mut self, output: Output) -> usize {
        self.statement.outputs.push(output);
        self.statement.outputs.len() - 1
    }

    /// Declares the next output column as one that is shown masked; its position.
    pub(crate) fn masked_output(&mut self, mask: Arc<Mask>) -> usize {
        let at = self.output(Output::Masked);
        self.statement.masks.push((at, mask));
        at
    }

    /// Declares where the key of the next order entry is found.
    pub(crate) fn key(&mut self, output: usize) {
        self.statement.keys.push(output);
    }

    /// Takes back all outputs declared: they were those of a subquery.
    pub(crate) fn forget_outputs(&mut self) {
        self.statement.outputs.clear();
        self.statement.masks.clear();
    }

    pub(crate) fn outputs(&self) -> usize {
        self.statement.outputs.len()
    }
}
