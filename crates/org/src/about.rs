//! What an organisation says of itself.

use custodia_query::Query;
use custodia_schema::{Guid, Value};

use crate::caller::Caller;
use crate::error::Result;
use crate::model;
use crate::organization::Organization;

/// What an organisation says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its id.
    pub id: Guid,
    /// Its name in addresses.
    pub name: String,
    /// What people call it.
    pub display_name: String,
}

impl Organization {
    /// What the organisation is called.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] when the caller is disabled or has no role.
    pub async fn about(&self, caller: &Caller) -> Result<About> {
        let id = self.who_am_i(caller).await?.organization;
        let schema = self.schema();
        let table = model::table(&schema, "organization")?;
        let query = Query::of(table, 1).showing(model::columns(table, &["name"])?);
        let (rows, _) = self.shared.platform_rows("what the organisation is called", &query).await?;
        let display_name = match rows.first().and_then(|row| row.get(1)) {
            Some(Value::Text(name)) => name.clone(),
            _ => self.name().to_owned(),
        };
        Ok(About { id, name: self.name().to_owned(), display_name })
    }
}
