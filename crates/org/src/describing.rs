//! Who may read descriptions of tables, and which version of them is the present one.

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organization::Organization;

impl Organization {
    /// The version of tables and columns as of now, for a caller who may read their descriptions: that is everybody who
    /// may do anything at all.
    ///
    /// # Errors
    /// [`Error::Denied`] when the user is disabled or has no role.
    pub async fn metadata_version(&self, caller: &Caller) -> Result<i64> {
        let users = caller.users();
        custodia_store::retry_stale(|| async {
            let answer = self.metadata_version_once(caller).await;
            if self.is_outdated(&users, &answer).await? {
                Err(Error::Store(custodia_store::Error::Stale))
            } else {
                answer
            }
        })
        .await
    }

    async fn metadata_version_once(&self, caller: &Caller) -> Result<i64> {
        let authority = self.authority(caller).await?;
        let head = self.shared.database.head().await?;
        self.check_fresh(&authority, head.versions)?;
        if let Some(rights) = authority.acting() {
            rights.admitted()?;
        }
        Ok(head.versions.metadata)
    }
}
