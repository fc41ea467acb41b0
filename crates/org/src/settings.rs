//! An organisation's settings that operations need: its base currency, its audit switch, each user's time zone.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_access::{Authority, OrganizationOptions};
use custodia_query::Query;
use custodia_schema::{Decimal, Guid, Schema, Table, Value};
use custodia_store::{RowKey, Transaction};
use parking_lot::RwLock;

use crate::error::Result;
use crate::model;
use crate::organization::Organization;
use crate::reading::Policy;

/// Tables whose rows say who may do and see what: their changes are told of whatever the switches of these tables say.
const ALWAYS_TOLD: &[&str] = &[
    "attributemaskingrule",
    "businessunit",
    "fieldpermission",
    "fieldsecurityprofile",
    "maskingrule",
    "position",
    "principalobjectattributeaccess",
    "role",
    "sitemap",
    "systemform",
    "systemuser",
    "team",
    "teamtemplate",
];

/// Whether the rows of a table say who may do and see what: what the audit tells of them is always told, and stays.
pub(crate) fn decides_rights(table: &Table) -> bool {
    ALWAYS_TOLD.contains(&table.name.as_str())
}

/// Users whose settings are kept; beyond, all are forgotten and read again.
const USERS_KEPT_MAX: usize = 10_000;

/// What a user chose, as far as answers depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSettings {
    /// Dataverse's time zone code (85: GMT, 92: UTC).
    pub time_zone_code: i32,
    /// Language of labels.
    pub language: i32,
    /// Language and region of formats.
    pub locale: i32,
}

impl Default for UserSettings {
    fn default() -> Self {
        Self { time_zone_code: 92, language: 1033, locale: 1033 }
    }
}

/// A currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Currency {
    /// Its id.
    pub id: Guid,
    /// ISO 4217 code.
    pub code: String,
    /// Its symbol.
    pub symbol: String,
    /// Digits after the point.
    pub precision: u8,
    /// Units of it for one unit of the base currency.
    pub rate: Decimal,
}

#[derive(Default)]
pub(crate) struct SettingsCache {
    kept: RwLock<Kept>,
}

/// Valid for one security version: the tables behind it move that version.
#[derive(Default)]
struct Kept {
    version: i64,
    organization: Option<Arc<OrganizationSettings>>,
    users: HashMap<Guid, Arc<UserSettings>>,
    currencies: Option<Arc<Vec<Currency>>>,
}

/// The row of the `organization` table, as far as operations need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrganizationSettings {
    pub id: Guid,
    pub base_currency: Option<Guid>,
    pub audits: bool,
    pub options: OrganizationOptions,
    /// A record that is given away stays shared with its former owner.
    pub shares_back: bool,
    /// Reads are told of too, of the tables whose switches say so.
    pub audits_reads: bool,
}

impl SettingsCache {
    /// The organisation's settings inside a write batch.
    pub(crate) async fn organization(&self, transaction: &mut Transaction) -> Result<Arc<OrganizationSettings>> {
        let version = transaction.versions().security;
        {
            let kept = self.kept.read();
            if let (true, Some(settings)) = (kept.version == version, &kept.organization) {
                return Ok(Arc::clone(settings));
            }
        }
        let schema = Arc::clone(transaction.schema());
        let query = organization_query(&schema)?;
        let authority = Authority::platform("organisation settings");
        let rows = transaction.select(&query, &Policy(&authority)).await?;
        let settings = Arc::new(organization_of(rows.first()));
        if transaction.versions_are_committed() {
            let mut kept = self.kept.write();
            if kept.version != version {
                *kept = Kept { version, ..Kept::default() };
            }
            kept.organization = Some(Arc::clone(&settings));
        }
        Ok(settings)
    }

    /// Whether changes of a table are audited: the organisation's switch and the table's, which tables that decide who may do
    /// what do without.
    pub(crate) async fn audits(&self, transaction: &mut Transaction, table: &Table) -> Result<bool> {
        let told = table.audited || decides_rights(table);
        Ok(told && self.organization(transaction).await?.audits)
    }
}

impl Organization {
    /// A user's settings; defaults where the user has none.
    ///
    /// # Errors
    /// Store errors.
    pub async fn user_settings(&self, user: Guid) -> Result<Arc<UserSettings>> {
        let version = self.shared.database.head().await?.versions.security;
        {
            let kept = self.shared.settings.kept.read();
            if let (true, Some(settings)) = (kept.version == version, kept.users.get(&user)) {
                return Ok(Arc::clone(settings));
            }
        }
        let schema = self.schema();
        let table = model::table(&schema, "usersettings")?;
        let query = Query::of_row(table, &RowKey::Id(user)).showing(model::columns(table, &USER_SETTINGS)?);
        let (rows, head) = self.shared.platform_rows("user settings", &query).await?;
        let number = |at: usize, default| rows.first().and_then(|row| row.get(at)).and_then(small).unwrap_or(default);
        let default = UserSettings::default();
        let settings = Arc::new(UserSettings {
            time_zone_code: number(1, default.time_zone_code),
            language: number(2, default.language),
            locale: number(3, default.locale),
        });
        let mut kept = self.shared.settings.kept.write();
        if kept.version != head.versions.security || kept.users.len() >= USERS_KEPT_MAX {
            *kept = Kept { version: head.versions.security, ..Kept::default() };
        }
        kept.users.insert(user, Arc::clone(&settings));
        Ok(settings)
    }

    /// All currencies of the organisation, the base currency first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn currencies(&self) -> Result<Arc<Vec<Currency>>> {
        let version = self.shared.database.head().await?.versions.security;
        {
            let kept = self.shared.settings.kept.read();
            if let (true, Some(currencies)) = (kept.version == version, &kept.currencies) {
                return Ok(Arc::clone(currencies));
            }
        }
        let schema = self.schema();
        let (organization, _) = self.shared.platform_rows("currencies", &organization_query(&schema)?).await?;
        let base = organization_of(organization.first()).base_currency;
        let (rows, head) = self.shared.platform_rows("currencies", &currency_query(&schema)?).await?;
        let mut currencies: Vec<_> = rows.iter().filter_map(|row| currency_of(row)).collect();
        currencies.sort_by_key(|currency| (Some(currency.id) != base, currency.code.clone()));
        let currencies = Arc::new(currencies);
        // The base currency was read before: only if nothing moved since do the two belong together.
        if head.versions.security == version {
            let mut kept = self.shared.settings.kept.write();
            if kept.version != version {
                *kept = Kept { version, ..Kept::default() };
            }
            kept.currencies = Some(Arc::clone(&currencies));
        }
        Ok(currencies)
    }
}

/// Columns of a user's settings, in the order in which they are read after the id.
const USER_SETTINGS: [&str; 3] = ["timezonecode", "uilanguageid", "localeid"];
/// The same of the organisation.
const ORGANIZATION: [&str; 5] =
    ["basecurrencyid", "isauditenabled", "orgdborgsettings", "sharetopreviousowneronassign", "isreadauditenabled"];
/// The same of a currency.
const CURRENCY: [&str; 4] = ["isocurrencycode", "currencysymbol", "currencyprecision", "exchangerate"];

/// Currencies an organisation may have: ISO 4217 knows fewer than 300.
const CURRENCIES_MAX: u32 = 1_000;

fn organization_query(schema: &Schema) -> Result<Query> {
    let table = model::table(schema, "organization")?;
    Ok(Query::of(table, 1).showing(model::columns(table, &ORGANIZATION)?))
}

fn currency_query(schema: &Schema) -> Result<Query> {
    let table = model::table(schema, "transactioncurrency")?;
    Ok(Query::of(table, CURRENCIES_MAX).showing(model::columns(table, &CURRENCY)?))
}

fn organization_of(row: Option<&Vec<Value>>) -> OrganizationSettings {
    let at = |at: usize| row.and_then(|row| row.get(at));
    OrganizationSettings {
        id: at(0).and_then(Value::guid).unwrap_or_default(),
        base_currency: at(1).and_then(Value::guid),
        audits: matches!(at(2), Some(Value::Boolean(true))),
        options: OrganizationOptions::stored(match at(3) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }),
        shares_back: matches!(at(4), Some(Value::Boolean(true))),
        audits_reads: matches!(at(5), Some(Value::Boolean(true))),
    }
}

fn currency_of(row: &[Value]) -> Option<Currency> {
    let text = |at: usize| match row.get(at) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    Some(Currency {
        id: row.first()?.guid()?,
        code: text(1),
        symbol: text(2),
        precision: row.get(3).and_then(small).and_then(|n| u8::try_from(n).ok()).unwrap_or(2),
        rate: match row.get(4) {
            Some(Value::Decimal(rate)) => *rate,
            _ => Decimal::ONE,
        },
    })
}

fn small(value: &Value) -> Option<i32> {
    match value {
        Value::Integer(n) => Some(*n),
        Value::BigInt(n) => i32::try_from(*n).ok(),
        _ => None,
    }
}
