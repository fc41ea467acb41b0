//! What an organisation changes of the standard tables: which columns are secured, which tables are audited, what becomes of
//! payment card numbers, and which indexes there are besides.

use std::sync::Arc;

use custodia_schema::{AuditSwitch, CardPolicy, CardRule, CardRules, ColumnId, Schema, TableId};

use crate::{Error, Result};

/// The setting that lists the columns an organisation secured: six bytes each, table and column, little-endian.
pub(crate) const SECURED_COLUMNS: &str = "secured columns";
/// The setting that lists the tables whose changes an organisation audits: four bytes each, little-endian.
pub(crate) const AUDITED_TABLES: &str = "audited tables";
/// The setting that lists an organisation's rules for payment card numbers: eight bytes each, what it is about, table, column
/// and policy, little-endian.
pub(crate) const CARD_RULES: &str = "card rules";

/// The setting that lists the switches of the audit that an organisation set: eight bytes each, what it is of, table, column
/// (0 where it is of a table), on or off; little-endian.
pub(crate) const AUDIT_SWITCHES: &str = "audit switches";

/// The setting that lists the indexes an organisation made: for each the table (four bytes), how many columns (one) and the
/// columns (two each), little-endian.
pub(crate) const OWN_INDEXES: &str = "own indexes";

/// An index of an organisation's own: its table and leading columns.
pub(crate) type OwnIndex = (TableId, Vec<ColumnId>);

/// An organisation's layer over the standard tables.
#[derive(Default)]
pub(crate) struct Layer {
    /// Columns that are secured, beside those of the standard tables.
    pub secured: Vec<(TableId, ColumnId)>,
    /// Tables whose audit switch is on, beside those of the standard tables.
    pub audited: Vec<TableId>,
    /// What becomes of payment card numbers.
    pub card_rules: CardRules,
    /// Switches of the audit as the organisation set them; they count where `audited` says otherwise.
    pub switches: Vec<(AuditSwitch, bool)>,
    /// Indexes beside those of the standard tables, by their leading columns.
    pub indexes: Vec<OwnIndex>,
}

impl Layer {
    /// The standard tables as this organisation has them.
    pub(crate) fn over(&self, standard: &Arc<Schema>) -> Arc<Schema> {
        let lists = self.secured.is_empty() && self.audited.is_empty() && self.switches.is_empty();
        if lists && self.indexes.is_empty() && self.card_rules.all().is_empty() {
            return Arc::clone(standard);
        }
        let layered = standard.with_secured(&self.secured).with_audited(&self.audited);
        let layered = layered.with_audit_switches(&self.switches).with_own_indexes(&self.indexes);
        Arc::new(layered.with_card_rules(self.card_rules.clone()))
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

/// Reads the switches of the audit. Those of a kind that a later program made are passed over.
pub(crate) fn switches_of(kept: Option<Vec<u8>>) -> Result<Vec<(AuditSwitch, bool)>> {
    let read = entries(kept, "audit switches", |[kind, a, b, c, d, e, f, on]: [u8; 8]| {
        let (table, column) = (TableId(u32::from_le_bytes([a, b, c, d])), ColumnId(u16::from_le_bytes([e, f])));
        let switch = match kind {
            0 => AuditSwitch::Table(table),
            1 => AuditSwitch::Column(table, column),
            2 => AuditSwitch::Reads(table),
            3 => AuditSwitch::Lists(table),
            _ => return None,
        };
        Some((switch, on != 0))
    })?;
    Ok(read.into_iter().flatten().collect())
}

/// The switches of the audit as they are kept.
pub(crate) fn switches_bytes(switches: &[(AuditSwitch, bool)]) -> Vec<u8> {
    let bytes = |(switch, on): &(AuditSwitch, bool)| {
        let (kind, column) = match switch {
            AuditSwitch::Table(_) => (0, ColumnId(0)),
            AuditSwitch::Column(_, column) => (1, *column),
            AuditSwitch::Reads(_) => (2, ColumnId(0)),
            AuditSwitch::Lists(_) => (3, ColumnId(0)),
        };
        let ([a, b, c, d], [e, f]) = (switch.table().0.to_le_bytes(), column.0.to_le_bytes());
        [kind, a, b, c, d, e, f, u8::from(*on)]
    };
    switches.iter().flat_map(bytes).collect()
}

/// Reads the rules for payment card numbers. A rule of a later program is damage: not to know one must not open anything.
pub(crate) fn card_rules_of(kept: Option<Vec<u8>>) -> Result<CardRules> {
    let read = entries(kept, "card rules", |[about, a, b, c, d, e, f, policy]: [u8; 8]| {
        let (table, column) = (TableId(u32::from_le_bytes([a, b, c, d])), ColumnId(u16::from_le_bytes([e, f])));
        let policy = CardPolicy::ALL.into_iter().find(|known| policy_code(*known) == policy)?;
        match about {
            0 => Some(CardRule::Organization(policy)),
            1 => Some(CardRule::Table(table, policy)),
            2 => Some(CardRule::Column(table, column, policy)),
            3 => Some(CardRule::PaymentReference(table, column)),
            _ => None,
        }
    })?;
    let rules: Option<Vec<_>> = read.into_iter().collect();
    rules.map(CardRules::new).ok_or_else(|| Error::Corrupt("the list of card rules cannot be read".to_owned()))
}

/// The rules for payment card numbers as they are kept.
pub(crate) fn card_rules_bytes(rules: &CardRules) -> Vec<u8> {
    let bytes = |rule: &CardRule| {
        let (about, table, column, policy) = match *rule {
            CardRule::Organization(policy) => (0, TableId(0), ColumnId(0), policy),
            CardRule::Table(table, policy) => (1, table, ColumnId(0), policy),
            CardRule::Column(table, column, policy) => (2, table, column, policy),
            CardRule::PaymentReference(table, column) => (3, table, column, CardPolicy::Block),
        };
        let mut bytes = vec![about];
        bytes.extend(table.0.to_le_bytes());
        bytes.extend(column.0.to_le_bytes());
        bytes.push(policy_code(policy));
        bytes
    };
    rules.all().iter().flat_map(bytes).collect()
}

/// The stored number of a policy: never given to another one.
fn policy_code(policy: CardPolicy) -> u8 {
    match policy {
        CardPolicy::Block => 0,
        CardPolicy::Mask => 1,
        CardPolicy::Warn => 2,
        CardPolicy::Off => 3,
    }
}

/// Reads the list of an organisation's own indexes.
pub(crate) fn own_indexes_of(kept: Option<Vec<u8>>) -> Result<Vec<OwnIndex>> {
    let kept = kept.unwrap_or_default();
    let mut rest = kept.as_slice();
    let mut indexes = Vec::new();
    while !rest.is_empty() {
        let (index, after) = own_index_of(rest)
            .ok_or_else(|| Error::Corrupt("the list of the organisation's own indexes cannot be read".to_owned()))?;
        indexes.push(index);
        rest = after;
    }
    Ok(indexes)
}

/// The first index of a list, and what comes after it.
fn own_index_of(bytes: &[u8]) -> Option<(OwnIndex, &[u8])> {
    let (table, rest) = bytes.split_first_chunk::<4>()?;
    let (many, rest) = rest.split_first()?;
    let (columns, rest) = rest.split_at_checked(usize::from(*many).checked_mul(2)?)?;
    let columns = columns.as_chunks::<2>().0.iter().map(|column| ColumnId(u16::from_le_bytes(*column)));
    Some(((TableId(u32::from_le_bytes(*table)), columns.collect()), rest))
}

/// The list of an organisation's own indexes as it is kept.
pub(crate) fn own_indexes_bytes(indexes: &[OwnIndex]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (table, columns) in indexes {
        bytes.extend(table.0.to_le_bytes());
        bytes.push(u8::try_from(columns.len()).unwrap_or(u8::MAX));
        bytes.extend(columns.iter().flat_map(|column| column.0.to_le_bytes()));
    }
    bytes
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
        assert_eq!(audited_of(Some(vec![1, 0, 0, 0, 4, 3, 2, 1])).unwrap(), [TableId(1), TableId(0x0102_0304)]);
        assert!(secured_of(None).unwrap().is_empty() && audited_of(None).unwrap().is_empty());
        let (table, column) = secured[1];
        let mut rules = vec![CardRule::PaymentReference(table, column)];
        for policy in CardPolicy::ALL {
            rules.extend([CardRule::Organization(policy), CardRule::Table(table, policy)]);
            rules.push(CardRule::Column(table, column, policy));
        }
        let rules = CardRules::new(rules);
        assert_eq!(card_rules_of(Some(card_rules_bytes(&rules))).unwrap(), rules);
        assert_eq!(card_rules_of(None).unwrap(), CardRules::default());
        let switches = [
            (AuditSwitch::Table(table), true),
            (AuditSwitch::Column(table, column), false),
            (AuditSwitch::Reads(table), true),
            (AuditSwitch::Lists(TableId(1)), false),
        ];
        assert_eq!(switches_of(Some(switches_bytes(&switches))).unwrap(), switches);
        assert!(switches_of(Some(vec![9; 8])).unwrap().is_empty());
        let indexes = [(TableId(1), vec![ColumnId(2)]), (table, vec![column, ColumnId(0x0102), ColumnId(3)])];
        assert_eq!(own_indexes_of(Some(own_indexes_bytes(&indexes))).unwrap(), indexes);
        assert!(own_indexes_of(None).unwrap().is_empty());
    }

    #[test]
    fn a_list_that_was_cut_is_damage() {
        assert!(matches!(secured_of(Some(vec![0; 7])), Err(Error::Corrupt(_))));
        assert!(matches!(audited_of(Some(vec![0; 6])), Err(Error::Corrupt(_))));
        assert!(matches!(card_rules_of(Some(vec![0; 7])), Err(Error::Corrupt(_))));
        assert!(matches!(card_rules_of(Some(vec![9; 8])), Err(Error::Corrupt(_))));
        let index = own_indexes_bytes(&[(TableId(1), vec![ColumnId(2)])]);
        for length in 1..index.len() {
            let cut = index.iter().copied().take(length).collect();
            assert!(matches!(own_indexes_of(Some(cut)), Err(Error::Corrupt(_))), "{length}");
        }
    }
}
