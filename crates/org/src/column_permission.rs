//! What profiles say of single columns (security model 3.5).

use std::sync::Arc;

use custodia_schema::{Table, Value};
use custodia_store::StoredRow;

use crate::error::{Error, Fault, Result};
use crate::writing::{Draft, Writing, fault};

/// The table of column permissions.
pub(crate) const COLUMN_PERMISSIONS: &str = "fieldpermission";
/// What a permission is without which it says nothing: of whom, and of which column.
const NAMING: [&str; 3] = ["fieldsecurityprofileid", "entityname", "attributelogicalname"];

impl Writing<'_> {
    /// That a column permission may be as it is to be: it opens a column, so that the caller needs to have every one open,
    /// and says which column to whom.
    pub(crate) fn before_column_permission(
        &self,
        table: &Arc<Table>,
        stored: Option<&StoredRow>,
        changes: &Draft,
    ) -> Result<()> {
        self.authority.check_opens_columns()?;
        for column in NAMING.iter().filter_map(|name| table.column(name)) {
            if changes.or_stored(table, stored, &column.name).is_null() {
                return Err(fault(table, column, Fault::Required, "a value is required"));
            }
        }
        let text = |name: &str| match changes.or_stored(table, stored, name) {
            Value::Text(text) => text,
            _ => String::new(),
        };
        let (of, name) = (text("entityname"), text("attributelogicalname"));
        match self.schema.table_named(&of).and_then(|table| table.column(&name)) {
            Some(_) => Ok(()),
            None => Err(Error::Invalid(format!(
                "there is no column '{name}' in a table '{of}': 'entityname' and 'attributelogicalname' name one by logical names"
            ))),
        }
    }
}
