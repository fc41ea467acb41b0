//! Masking rules and the columns that have one (security model 8.6).

use std::sync::Arc;

use custodia_access::Mask;
use custodia_schema::{Table, Value};
use custodia_store::StoredRow;

use crate::error::{Error, Result, refusal};
use crate::writing::{Draft, Writing};

/// The table of rules.
pub(crate) const MASKING_RULES: &str = "maskingrule";
/// The table of columns that have one.
pub(crate) const MASKED_COLUMNS: &str = "attributemaskingrule";

impl Writing<'_> {
    /// That a masking rule, or the column that has it, may be as it is to be: whoever changes one decides who reads what.
    pub(crate) fn before_masking(&self, table: &Arc<Table>, stored: Option<&StoredRow>, changes: &Draft) -> Result<()> {
        self.authority.check_opens_columns()?;
        let text = |name: &str| match changes.or_stored(table, stored, name) {
            Value::Text(text) => text,
            _ => String::new(),
        };
        if table.name == MASKING_RULES {
            let rule = Mask::new(&text("regularexpression"), &text("maskedcharacter"));
            return rule.map(drop).map_err(|error| Error::Invalid(format!("the masking rule cannot be used: {error}")));
        }
        let (of, name) = (text("entityname"), text("attributelogicalname"));
        let masked = self.schema.table_named(&of).and_then(|table| table.column(&name));
        match masked {
            Some(column) if column.secured && column.kind.is_text() => Ok(()),
            Some(column) if column.kind.is_text() => Err(Error::refused(
                refusal::COLUMN_NOT_SECURED,
                format!("column '{name}' of table '{of}' is not secured; only secured columns are masked"),
            )),
            Some(_) => {
                Err(Error::Invalid(format!("column '{name}' of table '{of}' is no text; only texts are masked")))
            }
            None => Err(Error::Invalid("'entityname' and 'attributelogicalname' name no column".to_owned())),
        }
    }
}
