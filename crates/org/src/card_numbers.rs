//! Payment card numbers: what becomes of them when somebody wants to store one, and the rules that say so.
//!
//! Every value that a caller gives passes [`Writing::inspected`] before it is used for anything. What holds in which column
//! stands in the schema, as an organisation's layer over the standard tables.

use custodia_inspection::{PaymentReference, file_text, file_text_of, holds_card_number, masked};
use custodia_schema::{
    CardPolicy, CardRule, Column, ColumnId, ColumnKind, Decimal, Guid, PrivilegeKind, Table, TableId, Value, ValueRef,
    description_id,
};
use custodia_store::{AuditEntry, AuditOperation, AuditedChange, RowKey};
use rust_decimal::prelude::ToPrimitive;

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::customization::CUSTOMIZE;
use crate::error::{Error, Fault, Result};
use crate::organization::Organization;
use crate::writing::{Draft, Writing, fault};

/// Columns that may hold a file as base64, by their logical names: a text file is inspected as the text it is.
const FILE_BODIES: [&str; 3] = ["documentbody", "body", "content"];
/// The least number that has as many digits as a card number.
const NUMBER_MIN: u64 = 100_000_000_000;
/// Beyond this, binary floating point has gaps between whole numbers: no card number comes through as it was.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// What the audit says of a record whose numbers were masked where they stood.
const WHY_MASKED: &str = "card numbers masked";
/// Characters that a column of payment references must have room for.
const REFERENCE_LENGTH_MIN: u32 = 32;

/// Why a value is refused. It says nothing of the value.
const WHY: &str = "it holds a payment card number, which this organisation does not store: leave it out; what may be kept of a \
     payment is brand, last four digits and the payment gateway's token (docs/cards.md)";

/// What was found in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// No card number.
    Clean,
    /// A text with one or more, and what it is without: stars for their digits but the last four.
    Text(String),
    /// It is one: a number has no digits that could be left out.
    Number,
}

/// What masking the card numbers of a record came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordMasked {
    /// Columns that were masked.
    pub masked: Vec<ColumnId>,
    /// Columns that hold one as before, because they are no texts or the policy is not to look for any.
    pub left: Vec<ColumnId>,
}

impl Organization {
    /// Makes a rule for payment card numbers, in the place of one about the same, or takes it away.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to customise; [`Error::Invalid`] for a table or column that there is not, or that
    /// cannot have the rule.
    pub async fn set_card_rule(&self, caller: &Caller, rule: CardRule, holds: bool) -> Result<()> {
        self.in_transaction(caller, move |writing| Box::pin(async move { writing.set_card_rule(rule, holds).await }))
            .await?;
        Ok(self.shared.database.reload_metadata().await?)
    }
}

impl Organization {
    /// Masks the card numbers that a record holds, whoever may change it and whatever its state. Columns whose policy is not to
    /// look for any are left as they are. The audit tells of it without the numbers.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to customise; store errors. A record that is gone is none.
    pub async fn mask_card_numbers(&self, caller: &Caller, table: TableId, id: Guid) -> Result<RecordMasked> {
        self.in_transaction(caller, move |writing| Box::pin(async move { writing.mask_card_numbers(table, id).await }))
            .await
    }

    /// Whether a table exists in the database: it is made when somebody first uses it, so that there are no records of one
    /// that does not.
    #[must_use]
    pub fn is_used(&self, table: TableId) -> bool {
        self.shared.database.has_table(table)
    }
}

impl Writing<'_> {
    async fn mask_card_numbers(&mut self, table: TableId, id: Guid) -> Result<RecordMasked> {
        self.authority.check_privilege(CUSTOMIZE)?;
        let table = self.table(table)?;
        let mut done = RecordMasked::default();
        let Some(stored) = self.find(&table, &RowKey::Id(id)).await? else { return Ok(done) };
        let mut changes = Draft::default();
        for (column, value) in stored.values() {
            let Some(column) = table.column_by_id(*column) else { continue };
            let is_off = self.schema.card_rules().policy(table.id, column.id) == CardPolicy::Off;
            match inspect(column, borrowed(value)) {
                Inspection::Clean => {}
                Inspection::Text(masked) if !is_off => {
                    changes.set(column.id, Value::Text(masked));
                    done.masked.push(column.id);
                }
                Inspection::Text(_) | Inspection::Number => done.left.push(column.id),
            }
        }
        if changes.is_empty() {
            return Ok(done);
        }
        let changed = changes.iter().map(|(column, new)| AuditedChange {
            column,
            old: stored.get(column).clone(),
            new: new.clone(),
        });
        let changed = changed.collect();
        self.stamp_modified(&table, &mut changes);
        let permit = self.platform_permit(WHY_MASKED, &table, PrivilegeKind::Write)?;
        self.transaction.update(permit, &table, id, changes.into_values())?;
        let detail = Some(WHY_MASKED.to_owned());
        self.audit(&table, id, AuditOperation::Update, action::UPDATE, changed, detail).await?;
        Ok(done)
    }

    async fn set_card_rule(&mut self, rule: CardRule, holds: bool) -> Result<()> {
        self.authority.check_privilege(CUSTOMIZE)?;
        let about = self.named(&rule)?;
        // Another request of the same batch may be about to change the same list.
        self.transaction.claim_alone()?;
        let rules = self.transaction.card_rules().await?;
        let rules = if holds { rules.with(rule) } else { rules.without(&rule) };
        self.transaction.set_card_rules(&rules);
        let state = match rule {
            _ if !holds => "rule removed",
            CardRule::Organization(policy) | CardRule::Table(_, policy) | CardRule::Column(_, _, policy) => {
                policy.word()
            }
            CardRule::PaymentReference(..) => "payment references only",
        };
        let (table, row) = self.told_on(&rule)?;
        let entry = self.audit_entry(table, row, AuditOperation::Update, action::CARD_RULE);
        self.transaction.audit(&AuditEntry { detail: Some(format!("card numbers in {about}: {state}")), ..entry });
        Ok(())
    }

    /// What an entry about a rule is about: the organisation, or the description of a table or column.
    fn told_on(&self, rule: &CardRule) -> Result<(TableId, Guid)> {
        Ok(match *rule {
            CardRule::Organization(_) => (self.table_named("organization")?.id, self.shared.database.organization()),
            CardRule::Table(table, _) => (table, description_id("EntityMetadata", &self.table(table)?.name)),
            CardRule::Column(table, ..) | CardRule::PaymentReference(table, _) => {
                (table, description_id("AttributeMetadata", &self.named(rule)?))
            }
        })
    }

    /// What a rule is about, in words, if there can be such a rule.
    fn named(&self, rule: &CardRule) -> Result<String> {
        let (table, column) = match *rule {
            CardRule::Organization(_) => return Ok("the organisation".to_owned()),
            CardRule::Table(table, _) => return Ok(self.table(table)?.name.clone()),
            CardRule::Column(table, column, _) | CardRule::PaymentReference(table, column) => (table, column),
        };
        let table = self.table(table)?;
        let found = table.column_by_id(column);
        let found =
            found.ok_or_else(|| Error::Invalid(format!("table '{}' has no column number {column}", table.name)))?;
        let fits = match (rule, &found.kind) {
            (CardRule::PaymentReference(..), ColumnKind::Text { max_length, .. }) => {
                *max_length >= REFERENCE_LENGTH_MIN && (found.creatable || found.updatable)
            }
            (CardRule::PaymentReference(..), _) => false,
            _ => true,
        };
        if !fits {
            return Err(Error::Invalid(format!(
                "column '{}' of table '{}' cannot take payment references: that takes a text of {REFERENCE_LENGTH_MIN} \
                 characters or more that callers may set",
                found.name, table.name
            )));
        }
        Ok(format!("{}.{}", table.name, found.name))
    }

    /// The value as it may be stored: as it is, without the card numbers in it, or not at all.
    pub(crate) fn inspected(&mut self, table: &Table, column: &Column, value: Value) -> Result<Value> {
        let rules = self.schema.card_rules();
        if rules.is_payment_reference(table.id, column.id) {
            return match &value {
                Value::Text(text) => PaymentReference::read(text)
                    .map(|_| value.clone())
                    .map_err(|error| fault(table, column, Fault::Type, error.to_string())),
                _ => Ok(value),
            };
        }
        let inspection = inspect(column, borrowed(&value));
        if inspection == Inspection::Clean {
            return Ok(value);
        }
        match (rules.policy(table.id, column.id), inspection) {
            (CardPolicy::Off, _) => Ok(value),
            (CardPolicy::Mask, Inspection::Text(masked)) => Ok(Value::Text(masked)),
            (CardPolicy::Warn, Inspection::Text(masked)) => {
                self.masked = true;
                Ok(Value::Text(masked))
            }
            _ => Err(fault(table, column, Fault::CardNumber, WHY)),
        }
    }

    /// The same of a value that the platform put together from others.
    pub(crate) fn composed(&mut self, table: &Table, column: ColumnId, value: Value) -> Result<Value> {
        match table.column_by_id(column) {
            Some(column) => self.inspected(table, column, value),
            None => Ok(value),
        }
    }

    /// Refuses a text that holds a card number wherever they are not stored as they are. For texts that mean something else
    /// when they are masked.
    pub(crate) fn require_no_card_number(&self, table: &Table, column: &str, text: &str) -> Result<()> {
        let Some(column) = table.column(column).filter(|_| holds_card_number(text)) else { return Ok(()) };
        match self.schema.card_rules().policy(table.id, column.id) {
            CardPolicy::Off => Ok(()),
            CardPolicy::Block | CardPolicy::Mask | CardPolicy::Warn => {
                Err(fault(table, column, Fault::CardNumber, WHY))
            }
        }
    }

    /// A change as the audit may tell of it: a number that was stored before it was forbidden is not told of.
    pub(crate) fn told_without_numbers(&self, table: &Table, change: AuditedChange) -> AuditedChange {
        let Some(column) = table.column_by_id(change.column) else { return change };
        let is_off = || self.schema.card_rules().policy(table.id, column.id) == CardPolicy::Off;
        let told = |value: Value| match inspect(column, borrowed(&value)) {
            Inspection::Text(masked) if !is_off() => Value::Text(masked),
            Inspection::Number if !is_off() => Value::Null,
            _ => value,
        };
        AuditedChange { column: change.column, old: told(change.old), new: told(change.new) }
    }
}

/// Looks into a value for card numbers.
#[must_use]
pub fn inspect(column: &Column, value: ValueRef<'_>) -> Inspection {
    let ValueRef::Text(text) = value else {
        return match digits(value) {
            Some(digits) if holds_card_number(&digits) => Inspection::Number,
            _ => Inspection::Clean,
        };
    };
    if let Some(text) = masked(text) {
        return Inspection::Text(text);
    }
    let file = FILE_BODIES.contains(&column.name.as_str()).then(|| file_text(text)).flatten();
    file.as_deref().and_then(masked).map_or(Inspection::Clean, |text| Inspection::Text(file_text_of(&text)))
}

/// The digits of a whole number that is long enough to be a card's.
fn digits(value: ValueRef<'_>) -> Option<String> {
    let whole = match value {
        ValueRef::Integer(number) => number.unsigned_abs(),
        ValueRef::Decimal(number) => whole_of(&number)?,
        ValueRef::Money(amount) => whole_of(&amount.to_decimal())?,
        ValueRef::Double(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => number.abs() as u64,
        _ => return None,
    };
    (whole >= NUMBER_MIN).then(|| whole.to_string())
}

/// A number without its sign, if it is whole.
fn whole_of(number: &Decimal) -> Option<u64> {
    number.fract().is_zero().then(|| number.abs().normalize()).and_then(|number| number.to_u64())
}

/// A value that could hold a card number, as rows give it; null for others.
fn borrowed(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Text(text) => ValueRef::Text(text),
        Value::BigInt(number) => ValueRef::Integer(*number),
        Value::Decimal(number) => ValueRef::Decimal(*number),
        Value::Double(number) => ValueRef::Double(*number),
        Value::Money(amount) => ValueRef::Money(*amount),
        _ => ValueRef::Null,
    }
}
