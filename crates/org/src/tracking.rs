//! What changed in a table since a moment, for whoever keeps a copy of it.
//!
//! A moment is a number of the commit head. Numbers are given while the head is locked, and the head is read before the
//! changes up to it are: so there is none below a moment that comes to light after it.

use std::collections::HashMap;

use custodia_schema::{Guid, PrivilegeKind, TableId};
use custodia_store::ChangeKind;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organization::Organization;

/// Seconds that a moment is answered for: seven days, as in Dataverse.
pub const TRACKED_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Numbers of the change log that one request goes through: as many as an engine reads in a tenth of a second. The
/// numbers of all tables are in one order, so that a table in which little happens lies far apart in it.
const SWEPT_MAX: i64 = 100_000;

/// A moment in the history of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The last number given to a change.
    pub number: i64,
    /// Changes when the organisation is moved or restored: what was numbered before need not have happened.
    pub epoch: i64,
    /// When it was, in seconds since 1970.
    pub seconds: i64,
}

/// Rows of a table that changed after a moment, as far as one request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChanges {
    /// Rows that were made or changed last, and the number of that change: the version that the row then had. Some are
    /// beyond what the caller may read.
    pub written: HashMap<Guid, i64>,
    /// Rows that were removed last, and the number of that change, in its order.
    pub removed: Vec<(i64, Guid)>,
    /// Everything up to this moment was gone through.
    pub up_to: Moment,
    /// There is more to go through.
    pub more: bool,
}

impl Organization {
    /// The present moment, for a caller who may read the table: what is read afterwards holds every change up to it.
    ///
    /// # Errors
    /// [`Error::Denied`] when the Read gate fails on the table; store errors.
    pub async fn present_moment(&self, caller: &Caller, table: TableId) -> Result<Moment> {
        self.told_fresh(&caller.users(), || self.present_moment_once(caller, table)).await
    }

    async fn present_moment_once(&self, caller: &Caller, table: TableId) -> Result<Moment> {
        let authority = self.authority(caller).await?;
        let head = self.shared.database.head().await?;
        self.check_fresh(&authority, head.versions)?;
        let schema = self.schema();
        let table = schema.table(table).ok_or_else(|| Error::Invalid("there is no such table".to_owned()))?;
        authority.rows(table, PrivilegeKind::Read)?;
        let seconds = self.shared.clock.now_ms().div_euclid(1_000);
        Ok(Moment { number: head.number, epoch: head.versions.epoch, seconds })
    }

    /// What changed in a table after a moment, at most `limit` changes of it. Only numbers and ids: the rows are read
    /// as rows are, so that nobody sees more of them than otherwise.
    ///
    /// `None` for a moment that is too long ago, or of another epoch, or not yet: there is no telling what changed since.
    ///
    /// Who may read any rows of the table is told the ids of all that were removed: whose they were is no longer known.
    ///
    /// # Errors
    /// [`Error::Denied`] when the Read gate fails on the table; store errors.
    pub async fn changes_after(
        &self,
        caller: &Caller,
        table: TableId,
        after: Moment,
        limit: u32,
    ) -> Result<Option<TableChanges>> {
        let present = self.present_moment(caller, table).await?;
        let is_known = after.epoch == present.epoch
            && (0..=present.number).contains(&after.number)
            && present.seconds.saturating_sub(after.seconds) <= TRACKED_SECONDS;
        if !is_known {
            return Ok(None);
        }
        let end = present.number.min(after.number.saturating_add(SWEPT_MAX));
        let changes = self.shared.database.table_changes(table, after.number, end, limit).await?;
        let is_cut = u32::try_from(changes.len()).is_ok_and(|found| found >= limit);
        let reached = if is_cut { changes.last().map_or(end, |(number, _, _)| *number) } else { end };
        let mut last: HashMap<Guid, (i64, ChangeKind)> = HashMap::new();
        for (number, kind, row) in &changes {
            last.insert(*row, (*number, *kind));
        }
        let mut removed: Vec<(i64, Guid)> = Vec::new();
        let mut written = HashMap::new();
        for (row, (number, kind)) in last {
            match kind {
                ChangeKind::Insert | ChangeKind::Update => drop(written.insert(row, number)),
                ChangeKind::Delete => removed.push((number, row)),
                ChangeKind::CreateTable => {}
            }
        }
        removed.sort_unstable();
        // A moment on the way is as old as the one it was begun from: the whole walk has seven days.
        let more = reached < present.number;
        let seconds = if more { after.seconds } else { present.seconds };
        Ok(Some(TableChanges {
            written,
            removed,
            up_to: Moment { number: reached, epoch: present.epoch, seconds },
            more,
        }))
    }
}
