//! Aggregating records: one statement that carries the caller's rights.

use custodia_query::Aggregation;
use custodia_store::Restart;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organization::Organization;
use crate::read_auditing::Counted;
use crate::reading::{Policy, QUERY_TRIES};

/// The code clients know for more records than may be aggregated at once.
pub const TOO_MANY_AGGREGATED: u32 = 0x8004_e023;

impl Organization {
    /// Reads the groups of an aggregation over the rows that the caller may see into `sink`, which is restarted when rights
    /// change meanwhile. What the caller may not read of a row counts as null. One group more than
    /// `aggregation.page_size` is handed over when there are further ones. The metadata version of the snapshot.
    ///
    /// # Errors
    /// [`Error::Denied`] when the Read gate fails on a table that the aggregation names; [`Error::Refused`] with
    /// [`TOO_MANY_AGGREGATED`] when more rows match than `aggregation.rows_max`; store errors.
    pub async fn aggregate<S: Restart>(&self, caller: &Caller, aggregation: &Aggregation, sink: &mut S) -> Result<i64> {
        let sink = &mut Counted::new(sink);
        let mut last = self.aggregate_once(caller, aggregation, sink).await;
        for _ in 0..QUERY_TRIES {
            if !self.is_outdated(&caller.users(), &last).await? {
                break;
            }
            sink.restart();
            self.shared.database.reload_metadata().await?;
            last = self.aggregate_once(caller, aggregation, sink).await;
        }
        let version = last?;
        self.tell_groups(caller, aggregation, sink).await?;
        Ok(version)
    }

    async fn aggregate_once(&self, caller: &Caller, aggregation: &Aggregation, sink: &mut dyn Restart) -> Result<i64> {
        let authority = self.authority(caller).await?;
        let read = self.shared.database.aggregate(aggregation, &Policy(&authority), sink).await;
        match read {
            Ok(head) => {
                self.check_fresh(&authority, head.versions)?;
                Ok(self.shared.database.schema().described_version())
            }
            // How many rows there are is said of those that the caller may still see.
            Err(error @ custodia_store::Error::TooManyRows { .. }) => {
                self.check_fresh(&authority, self.shared.database.head().await?.versions)?;
                Err(Error::refused(TOO_MANY_AGGREGATED, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
