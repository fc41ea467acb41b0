//! What an organisation has become of payment card numbers: by itself, in a table, in a column.

use crate::{ColumnId, TableId};

/// What becomes of a payment card number that somebody wants to store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CardPolicy {
    /// The write is refused.
    #[default]
    Block,
    /// The number is stored with its last four digits alone.
    Mask,
    /// The same, and the answer says so.
    Warn,
    /// Nothing is looked for: the value is stored as it is.
    Off,
}

impl CardPolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Block, Self::Mask, Self::Warn, Self::Off];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Mask => "mask",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }

    /// The policy of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.word() == word)
    }
}

/// One rule of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardRule {
    /// What holds where no other rule does.
    Organization(CardPolicy),
    /// What holds in a table.
    Table(TableId, CardPolicy),
    /// What holds in a column.
    Column(TableId, ColumnId, CardPolicy),
    /// The column takes payment references (brand, last four digits, token) and nothing else.
    PaymentReference(TableId, ColumnId),
}

impl CardRule {
    /// Whether two rules are about the same: of those an organisation has one.
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Organization(_), Self::Organization(_)) => true,
            (Self::Table(table, _), Self::Table(other, _)) => table == other,
            (Self::Column(table, column, _), Self::Column(other, of_other, _))
            | (Self::PaymentReference(table, column), Self::PaymentReference(other, of_other)) => {
                (table, column) == (other, of_other)
            }
            _ => false,
        }
    }
}

/// An organisation's rules. Without any, card numbers are refused everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardRules {
    rules: Vec<CardRule>,
}

impl CardRules {
    /// These rules; of several about the same the last holds.
    #[must_use]
    pub fn new(rules: Vec<CardRule>) -> Self {
        Self { rules }
    }

    /// The rules.
    #[must_use]
    pub fn all(&self) -> &[CardRule] {
        &self.rules
    }

    /// The rules with this one in the place of one about the same.
    #[must_use]
    pub fn with(mut self, rule: CardRule) -> Self {
        self = self.without(&rule);
        self.rules.push(rule);
        self
    }

    /// The rules without the one about the same.
    #[must_use]
    pub fn without(mut self, rule: &CardRule) -> Self {
        self.rules.retain(|known| !known.is_about_the_same(rule));
        self
    }

    /// What holds in a column: its own rule, else that of its table, else that of the organisation.
    #[must_use]
    pub fn policy(&self, table: TableId, column: ColumnId) -> CardPolicy {
        let find = |about: CardRule| self.rules.iter().rev().find(|rule| rule.is_about_the_same(&about));
        let of_column = find(CardRule::Column(table, column, CardPolicy::Block));
        let found = of_column.or_else(|| find(CardRule::Table(table, CardPolicy::Block)));
        match found.or_else(|| find(CardRule::Organization(CardPolicy::Block))) {
            Some(CardRule::Organization(policy) | CardRule::Table(_, policy) | CardRule::Column(_, _, policy)) => {
                *policy
            }
            Some(CardRule::PaymentReference(..)) | None => CardPolicy::Block,
        }
    }

    /// Whether a column takes payment references alone.
    #[must_use]
    pub fn is_payment_reference(&self, table: TableId, column: ColumnId) -> bool {
        self.rules.contains(&CardRule::PaymentReference(table, column))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn the_nearest_rule_holds() {
        let (table, other) = (TableId(1), TableId(2));
        let (column, beside) = (ColumnId(1), ColumnId(2));
        let rules = CardRules::default();
        assert_eq!(rules.policy(table, column), CardPolicy::Block);
        let rules = rules
            .with(CardRule::Organization(CardPolicy::Mask))
            .with(CardRule::Table(table, CardPolicy::Warn))
            .with(CardRule::Column(table, column, CardPolicy::Off));
        assert_eq!(rules.policy(table, column), CardPolicy::Off);
        assert_eq!(rules.policy(table, beside), CardPolicy::Warn);
        assert_eq!(rules.policy(other, column), CardPolicy::Mask);
        let rules = rules.with(CardRule::Column(table, column, CardPolicy::Block));
        assert_eq!((rules.policy(table, column), rules.all().len()), (CardPolicy::Block, 3));
        let rules = rules.without(&CardRule::Table(table, CardPolicy::Block));
        assert_eq!(rules.policy(table, beside), CardPolicy::Mask);
        assert!(!rules.is_payment_reference(table, column));
        assert!(rules.with(CardRule::PaymentReference(table, column)).is_payment_reference(table, column));
    }

    #[test]
    fn policies_have_words() {
        for policy in CardPolicy::ALL {
            assert_eq!(CardPolicy::of_word(policy.word()), Some(policy));
        }
        assert_eq!(CardPolicy::of_word("allow"), None);
    }
}
