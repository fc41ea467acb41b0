//! Amounts in base currency: every amount of a record has a companion, the amount divided by the record's exchange rate.

use std::sync::Arc;

use custodia_schema::{ColumnKind, Decimal, Guid, Money, MoneyRole, Table, TableId, Value};
use custodia_store::RowKey;

use crate::error::{Error, Fault, Result};
use crate::writing::{Draft, Writing, fault};

impl Writing<'_> {
    /// Gives a record with amounts its currency and rate where it has none, and computes the companions. `row` is the
    /// whole row as it will be; what is computed goes into it and into `changes`.
    pub(crate) async fn settle_amounts(
        &mut self,
        table: &Arc<Table>,
        row: &mut Draft,
        changes: &mut Draft,
    ) -> Result<()> {
        let amounts: Vec<_> = table
            .columns()
            .iter()
            .filter_map(|column| match column.kind {
                ColumnKind::Money { role: MoneyRole::Amount { base }, .. } => Some((column.id, base)),
                _ => None,
            })
            .collect();
        let (Some(currency), Some(rate)) = (table.column("transactioncurrencyid"), table.column("exchangerate")) else {
            return Ok(());
        };
        let currency_changed = changes.contains(currency.id);
        let amount_changed = amounts.iter().any(|(amount, _)| changes.contains(*amount));
        if !currency_changed && !amount_changed {
            return Ok(());
        }
        let present = row.get(currency.id).and_then(Value::guid);
        let id = match present {
            Some(id) => id,
            None if amounts.iter().all(|(amount, _)| row.get(*amount).is_none_or(Value::is_null)) => return Ok(()),
            None => {
                let settings = self.shared.settings.organization(self.transaction).await?;
                let base = settings.base_currency;
                base.ok_or_else(|| {
                    fault(
                        table,
                        currency,
                        Fault::Required,
                        "an amount needs a currency and the organisation has no base currency",
                    )
                })?
            }
        };
        // As Dataverse: the rate of the moment when the currency was set; later changes of the rate touch no record.
        let kept = match row.get(rate.id) {
            Some(Value::Decimal(kept)) if !currency_changed && present.is_some() => Some(*kept),
            _ => None,
        };
        let used = match kept {
            Some(kept) => kept,
            None => self.rate_of(id).await?,
        };
        let mut put = |column, value: Value| {
            row.set(column, value.clone());
            changes.set(column, value);
        };
        if present.is_none() {
            let target = currency.kind.targets().first().copied().unwrap_or(TableId(0));
            put(currency.id, Value::Lookup(target, id));
        }
        put(rate.id, Value::Decimal(used));
        for (amount, base) in amounts {
            let Some(base) = base else { continue };
            let value = match row.get(amount) {
                Some(Value::Money(money)) => {
                    let converted = money.to_decimal().checked_div(used).and_then(Money::from_decimal);
                    let column = table.column_by_id(amount);
                    converted.map(Value::Money).ok_or_else(|| match column {
                        Some(column) => {
                            fault(table, column, Fault::OutOfRange, "the amount in base currency does not fit")
                        }
                        None => Error::Invalid("an amount in base currency does not fit".to_owned()),
                    })?
                }
                _ => Value::Null,
            };
            row.set(base, value.clone());
            changes.set(base, value);
        }
        Ok(())
    }

    /// The exchange rate of a currency.
    async fn rate_of(&mut self, currency: Guid) -> Result<Decimal> {
        let table = self.table_named("transactioncurrency")?;
        let row = self.find(&table, &RowKey::Id(currency)).await?;
        let row = row.ok_or_else(|| Error::NotFound { table: table.name.clone(), id: currency })?;
        match table.column("exchangerate").map(|column| row.get(column.id)) {
            Some(Value::Decimal(rate)) if !rate.is_zero() => Ok(*rate),
            _ => Ok(Decimal::ONE),
        }
    }
}
