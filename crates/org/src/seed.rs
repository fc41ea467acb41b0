//! The first records of a new organisation: its root unit, its currency, the built-in roles, its first administrator.

use custodia_schema::{Decimal, Guid, PrivilegeKind, Value, builtin_roles};

use crate::caller::{Caller, SYSTEM_USER};
use crate::column_sharing::COLUMN_SHARES;
use crate::error::{Error, Result};
use crate::input::{Input, RecordInput};
use crate::masking::{MASKED_COLUMNS, MASKING_RULES};
use crate::organization::Organization;
use crate::writing::{Draft, Writing};

/// What a new organisation is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrganization {
    /// Its name for people; also of its root business unit.
    pub display_name: String,
    /// E-mail and sign-in name of its first administrator.
    pub administrator: String,
    /// First name of the administrator.
    pub first_name: String,
    /// Last name of the administrator.
    pub last_name: String,
    /// ISO code, name and symbol of the base currency.
    pub currency: (String, String, String),
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// The root business unit.
    pub unit: Guid,
    /// The first administrator.
    pub administrator: Guid,
}

impl Organization {
    /// Fills an empty database with the first records.
    ///
    /// # Errors
    /// See [`Error`]; nothing is stored then.
    pub async fn seed(&self, request: Guid, new: NewOrganization) -> Result<Seeded> {
        let schema = self.schema();
        // Statements on rights and shares join these by name: they exist from the start.
        let first = custodia_store::SECURITY_TABLES.iter().chain(&["principalobjectaccess"]);
        // But for what few organisations use: who does not, does not pay for looking into it.
        let first = first.filter(|name| ![COLUMN_SHARES, MASKING_RULES, MASKED_COLUMNS].contains(*name));
        let needed: Vec<_> = first.filter_map(|name| schema.table_named(name)).map(|table| table.id).collect();
        self.shared.database.make_tables(&needed).await?;
        let caller = Caller::platform("create organisation", request);
        let organization = self.id();
        self.in_transaction(&caller, move |writing| {
            let new = new.clone();
            Box::pin(async move { writing.seed(organization, &new).await })
        })
        .await
    }
}

impl Writing<'_> {
    async fn seed(&mut self, organization: Guid, new: &NewOrganization) -> Result<Seeded> {
        let (code, name, symbol) = &new.currency;
        let currency = self.fresh.id();
        self.make(
            "transactioncurrency",
            currency,
            &[
                ("isocurrencycode", text(code)),
                ("currencyname", text(name)),
                ("currencysymbol", text(symbol)),
                ("currencyprecision", Value::Integer(2)),
                ("exchangerate", Value::Decimal(Decimal::ONE)),
            ],
        )
        .await?;
        let currencies = self.table_named("transactioncurrency")?.id;
        let organizations = self.table_named("organization")?;
        let mut row = Draft::default();
        row.stamp(&organizations, "name", text(&new.display_name));
        row.stamp(&organizations, "basecurrencyid", Value::Lookup(currencies, currency));
        row.stamp(&organizations, "basecurrencysymbol", text(symbol));
        row.stamp(&organizations, "isauditenabled", Value::Boolean(true));
        row.stamp(&organizations, "languagecode", Value::Integer(1033));
        row.stamp(&organizations, "localeid", Value::Integer(1033));
        row.stamp(&organizations, "createdon", Value::DateTime(self.transaction.now()));
        let permit = self.platform_permit("create organisation", &organizations, PrivilegeKind::Create)?;
        self.transaction.insert(permit, &organizations, organization, row.into_values())?;

        let unit = self.fresh.id();
        self.make("businessunit", unit, &[("name", text(&new.display_name))]).await?;
        self.transaction.flush().await?;
        let units = self.table_named("businessunit")?.id;
        let in_unit = Value::Lookup(units, unit);
        self.make_user(SYSTEM_USER, "SYSTEM", "", "SYSTEM", &in_unit, true).await?;
        let administrator = self.fresh.id();
        self.make_user(administrator, &new.administrator, &new.first_name, &new.last_name, &in_unit, false).await?;
        self.transaction.flush().await?;

        let roles = self.table_named("role")?.id;
        for role in builtin_roles() {
            self.make(
                "role",
                role.root_id,
                &[
                    ("name", text(&role.name)),
                    ("businessunitid", in_unit.clone()),
                    ("roletemplateid", Value::Guid(role.template())),
                    ("parentrootroleid", Value::Lookup(roles, role.root_id)),
                    ("isinherited", Value::Integer(1)),
                ],
            )
            .await?;
        }
        let profile = custodia_store::ADMINISTRATOR_PROFILE;
        self.make("fieldsecurityprofile", profile, &[("name", text("System Administrator"))]).await?;
        let administrators = builtin_roles()
            .iter()
            .find(|role| role.is_administrator())
            .ok_or_else(|| Error::Invalid("there is no built-in administrator role".to_owned()))?;
        self.make_link("systemuserroles", &[("systemuserid", administrator), ("roleid", administrators.root_id)])?;
        self.make_link("systemuserprofiles", &[("systemuserid", administrator), ("fieldsecurityprofileid", profile)])?;
        Ok(Seeded { unit, administrator })
    }

    async fn make_user(
        &mut self,
        id: Guid,
        mail: &str,
        first: &str,
        last: &str,
        unit: &Value,
        disabled: bool,
    ) -> Result<()> {
        let given = [
            ("domainname", text(mail)),
            ("internalemailaddress", if mail.contains('@') { text(mail) } else { Value::Null }),
            ("firstname", text(first)),
            ("lastname", text(last)),
            ("businessunitid", unit.clone()),
            ("isdisabled", Value::Boolean(disabled)),
        ];
        self.make("systemuser", id, &given).await
    }

    /// A record by way of the ordinary create, in the platform's name.
    async fn make(&mut self, table: &str, id: Guid, given: &[(&str, Value)]) -> Result<()> {
        let table = self.table_named(table)?;
        let columns = given
            .iter()
            .filter_map(|(name, value)| table.column(name).map(|column| (column, value)))
            .map(|(column, value)| {
                let value = match (&column.kind, value) {
                    // A template is known by its id alone where its table holds no rows.
                    (custodia_schema::ColumnKind::Lookup { targets, .. }, Value::Guid(id)) => {
                        targets.first().map_or(Value::Null, |target| Value::Lookup(*target, *id))
                    }
                    _ => value.clone(),
                };
                (column.id, Input::Value(value))
            })
            .collect();
        self.create(RecordInput { table: table.id, id: Some(id), columns }).await.map(|_| ())
    }

    fn make_link(&mut self, intersect: &str, ids: &[(&str, Guid)]) -> Result<()> {
        let table = self.table_named(intersect)?;
        let mut row = Draft::default();
        for (name, id) in ids {
            row.stamp(&table, name, Value::Guid(*id));
        }
        let permit = self.platform_permit("create organisation", &table, PrivilegeKind::Create)?;
        let id = self.fresh.id();
        self.transaction.insert(permit, &table, id, row.into_values())?;
        Ok(())
    }
}

fn text(value: &str) -> Value {
    if value.is_empty() { Value::Null } else { Value::Text(value.to_owned()) }
}
