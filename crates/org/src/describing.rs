//! Who may read descriptions of tables, and which of them are the present ones.

use std::sync::Arc;

use custodia_schema::Schema;

use crate::caller::Caller;
use crate::error::Result;
use crate::organization::Organization;

impl Organization {
    /// The tables and columns as of now and their version, for a caller who may read their descriptions: that is
    /// everybody who may do anything at all.
    ///
    /// # Errors
    /// [`crate::Error::Denied`] when the user is disabled or has no role.
    pub async fn described(&self, caller: &Caller) -> Result<(i64, Arc<Schema>)> {
        self.told_fresh(&caller.users(), || self.described_once(caller)).await
    }

    async fn described_once(&self, caller: &Caller) -> Result<(i64, Arc<Schema>)> {
        let authority = self.authority(caller).await?;
        let head = self.shared.database.head().await?;
        self.check_fresh(&authority, head.versions)?;
        if let Some(rights) = authority.acting() {
            rights.admitted()?;
        }
        let schema = self.shared.database.schema_as_of(head.versions).await?;
        Ok((schema.described_version(), schema))
    }
}
