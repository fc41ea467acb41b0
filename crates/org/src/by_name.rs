//! Roles and teams by name, and the names of roles by id; users are found in `identity.rs`.

use custodia_query::{Filter, Query};
use custodia_schema::{Guid, Value};
use custodia_store::RowKey;

use crate::error::Result;
use crate::model;
use crate::organization::Organization;

/// Rows of one name that are looked at: a role has a copy in every business unit below its own.
const NAMED_MAX: u32 = 20_000;

impl Organization {
    /// The roles of that name, each by the topmost one where there are copies.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_roles(&self, name: &str) -> Result<Vec<Guid>> {
        let found = self.named_rows("role", name, Some("parentrootroleid")).await?;
        Ok(found.into_iter().filter(|(id, root)| root.is_none_or(|root| root == *id)).map(|(id, _)| id).collect())
    }

    /// The name of a role; its id where it is gone.
    ///
    /// # Errors
    /// Store errors.
    pub async fn role_name(&self, role: Guid) -> Result<String> {
        let schema = self.schema();
        let table = model::table(&schema, "role")?;
        let query = Query::of_row(table, &RowKey::Id(role)).showing([model::column(table, "name")?]);
        let (rows, _) = self.shared.platform_rows("find by name", &query).await?;
        Ok(match rows.first().and_then(|row| row.get(1)) {
            Some(Value::Text(name)) => name.clone(),
            _ => role.to_string(),
        })
    }

    /// The teams of that name.
    ///
    /// # Errors
    /// Store errors.
    pub async fn find_teams(&self, name: &str) -> Result<Vec<Guid>> {
        Ok(self.named_rows("team", name, None).await?.into_iter().map(|(id, _)| id).collect())
    }

    async fn named_rows(&self, table: &str, name: &str, shown: Option<&str>) -> Result<Vec<(Guid, Option<Guid>)>> {
        let schema = self.schema();
        let table = model::table(&schema, table)?;
        let filter = Filter::equal(model::column(table, "name")?, Value::Text(name.to_owned()));
        let shown = shown.map(|shown| model::column(table, shown)).transpose()?;
        let query = Query { filter, ..Query::of(table, NAMED_MAX) }.showing(shown);
        let (rows, _) = self.shared.platform_rows("find by name", &query).await?;
        let row = |row: &Vec<Value>| Some((row.first()?.guid()?, row.get(1).and_then(Value::guid)));
        Ok(rows.iter().filter_map(row).collect())
    }
}
