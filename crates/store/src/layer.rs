//! What an organisation changes of the standard tables: which columns are secured, which tables are audited.

use std::sync::Arc;

use custodia_schema::{ColumnId, Schema, TableId};

use crate::{Error, Result};

/// The setting that lists the columns an organisation secured: six bytes each, table and column, little-endian.
pub(crate) const SECURED_COLUMNS: &str = "secured columns";
/// The setting that lists the tables whose changes an organisation audits: four bytes each, little-endian.
pub(crate) const AUDITED_TABLES: &str = "audited tables";

/// An organisation's layer over the standard tables.
#[derive(Default)]
pub(crate) struct Layer {
    /// Columns that are secured, beside those of the standard tables.
    pub secured: Vec<(TableId, ColumnId)>,
    /// Tables whose audit switch is on, beside those of the standard tables.
    pub audited: Vec<TableId>,
}

impl Layer {
    /// The standard tables as this organisation has them.
    pub(crate) fn over(&self, standard: &Arc<Schema>) -> Arc<Schema> {
        if self.secured.is_empty() && self.audited.is_empty() {
            return Arc::clone(standard);
        }
        Arc::new(standard.with_secured(&self.secured).with_audited(&self.audited))
    }
}

/// Reads the list of secured columns.
pub(crate) fn secured_of(kept: Option<Vec<u8>>) -> Result<Vec<(TableId, ColumnId)>> {
    entries(kept, "secured columns", |[a, b, c, d, e, f]: [u8; 6]| {
        (TableId(u32::from_le_bytes([a, b, c, d])), ColumnId(u16::from_le_bytes([e, f])))
    })
}

/// The list of secured columns as it is kept.
pub(crate) fn secured_bytes(secured: &[(TableId, ColumnId)]) -> Vec<u8> {
    secured.iter().flat_map(|(table, column)| table.0.to_le_bytes().into_iter().chain(column.0.to_le_bytes())).collect()
}

/// Reads the list of audited tables.
pub(crate) fn audited_of(kept: Option<Vec<u8>>) -> Result<Vec<TableId>> {
    entries(kept, "audited tables", |bytes| TableId(u32::from_le_bytes(bytes)))
}

/// The list of audited tables as it is kept.
pub(crate) fn audited_bytes(audited: &[TableId]) -> Vec<u8> {
    audited.iter().flat_map(|table| table.0.to_le_bytes()).collect()
}

/// Cuts a list into entries of a fixed length.
fn entries<const LENGTH: usize, T>(
    kept: Option<Vec<u8>>,
    what: &str,
    read: impl Fn([u8; LENGTH]) -> T,
) -> Result<Vec<T>> {
    let (whole, rest) = kept.as_deref().unwrap_or_default().as_chunks::<LENGTH>();
    if !rest.is_empty() {
        return Err(Error::Corrupt(format!("the list of {what} cannot be read")));
    }
    Ok(whole.iter().copied().map(read).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_come_back_as_they_were() {
        let secured = [(TableId(1), ColumnId(2)), (TableId(0x0102_0304), ColumnId(0x0506))];
        assert_eq!(secured_of(Some(secured_bytes(&secured))).unwrap(), secured);
        let audited = [TableId(1), TableId(0x0102_0304)];
        assert_eq!(audited_of(Some(audited_bytes(&audited))).unwrap(), audited);
        assert!(secured_of(None).unwrap().is_empty() && audited_of(None).unwrap().is_empty());
    }

    #[test]
    fn a_list_that_was_cut_is_damage() {
        assert!(matches!(secured_of(Some(vec![0; 7])), Err(Error::Corrupt(_))));
        assert!(matches!(audited_of(Some(vec![0; 6])), Err(Error::Corrupt(_))));
    }
}
