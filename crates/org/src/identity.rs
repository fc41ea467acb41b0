//! Who a caller is in this organisation, and who somebody who signs in is.

use custodia_query::{Filter, Query};
use custodia_schema::{Guid, Value};

use crate::caller::Caller;
use crate::error::Result;
use crate::model;
use crate::organization::Organization;

/// What `WhoAmI` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhoAmI {
    /// The user in whose name the caller acts.
    pub user: Guid,
    /// The user's business unit.
    pub unit: Guid,
    /// The organisation.
    pub organization: Guid,
}

/// A user, as sign-in finds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: Guid,
    /// Sign-in name.
    pub domain_name: String,
    /// Full name.
    pub full_name: String,
    /// It may not sign in.
    pub disabled: bool,
    /// The application that signs in as this user.
    pub application: Option<Guid>,
}

impl Organization {
    /// Who the caller is.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] when the user is disabled or has no role.
    pub async fn who_am_i(&self, caller: &Caller) -> Result<WhoAmI> {
        let unit = self.told_fresh(&caller.users(), || self.unit_once(caller)).await?;
        Ok(WhoAmI { user: caller.acting(), unit, organization: self.id() })
    }

    /// The unit of the user in whose name the caller acts, who must be admitted.
    async fn unit_once(&self, caller: &Caller) -> Result<Guid> {
        let authority = self.authority(caller).await?;
        let head = self.shared.database.head().await?;
        self.check_fresh(&authority, head.versions)?;
        let Some(rights) = authority.acting() else { return Ok(Guid::nil()) };
        rights.admitted()?;
        Ok(rights.unit())
    }

    /// The user whose domain name or e-mail address is this, compared without case and accents.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_user(&self, name: &str) -> Result<Option<User>> {
        let mut found = self.find_users(name).await?.into_iter();
        // Two users with one address: neither is meant.
        Ok(found.next().filter(|_| found.next().is_none()))
    }

    /// The same, with two of those who share an e-mail address where nobody is meant alone.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_users(&self, name: &str) -> Result<Vec<User>> {
        let mut several = Vec::new();
        for column in ["domainname", "internalemailaddress"] {
            let found = self.find_users_by(column, Value::Text(name.to_owned())).await?;
            match found.len() {
                0 => {}
                1 => return Ok(found),
                _ => several = found,
            }
        }
        Ok(several)
    }

    /// The user with that id.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_user_by_id(&self, id: Guid) -> Result<Option<User>> {
        Ok(self.find_users_by("systemuserid", Value::Guid(id)).await?.into_iter().next())
    }

    /// The user that an application signs in as.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_application_user(&self, application: Guid) -> Result<Option<User>> {
        Ok(self.find_users_by("applicationid", Value::Guid(application)).await?.into_iter().next())
    }

    /// The user with this id in the directory it is federated from.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_user_by_directory_id(&self, object: Guid) -> Result<Option<User>> {
        Ok(self.find_users_by("azureactivedirectoryobjectid", Value::Guid(object)).await?.into_iter().next())
    }

    async fn find_users_by(&self, column: &str, value: Value) -> Result<Vec<User>> {
        let schema = self.schema();
        let table = model::table(&schema, "systemuser")?;
        let filter = Filter::equal(model::column(table, column)?, value);
        let shown = model::columns(table, &["domainname", "fullname", "isdisabled", "applicationid"])?;
        // Two are enough to know that no single one is meant.
        let query = Query { filter, top: Some(2), ..Query::of(table, 2) }.showing(shown);
        let (rows, _) = self.shared.platform_rows("find user", &query).await?;
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        Ok(rows
            .iter()
            .filter_map(|row| {
                Some(User {
                    id: row.first()?.guid()?,
                    domain_name: text(row.get(1)),
                    full_name: text(row.get(2)),
                    disabled: matches!(row.get(3), Some(Value::Boolean(true))),
                    application: row.get(4).and_then(Value::guid),
                })
            })
            .collect())
    }
}
