//! One step of a job that deletes: a few records, and how far the job is, in one transaction.
//!
//! A record that may not or cannot be deleted is counted and passed over. Where that cannot be told from a fault of the
//! whole step, nothing of the step is stored, and the answer names the record.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_schema::{Guid, PrivilegeKind, TableId, Value};
use custodia_store::{IsStale, RowKey};

use crate::cascade_walk::{CascadeItem, CascadeWalk, Holds};
use crate::error::{Error, Result};
use crate::input::{Precondition, Reference};
use crate::jobs::{Held, Job, JobProgress, JobTerms, progress_of};
use crate::organization::Organization;
use crate::writing::Writing;

/// Records of one query of a job to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsToDelete {
    /// The query, from 0.
    pub query: usize,
    /// The table of the records.
    pub table: TableId,
    /// Their ids in rising order.
    pub rows: Vec<Guid>,
    /// Milliseconds after which the step ends with the record at hand: no other writer of the organisation works meanwhile.
    pub step_ms: u64,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is stored; so far the job is now.
    Done(JobProgress),
    /// Nothing was done: the job was cancelled, is gone, or another node works on it.
    Lost,
}

impl Organization {
    /// Deletes records for a job, each with what goes with it.
    ///
    /// # Errors
    /// [`Error::Part`] with the place of a record that must be seen to by itself, [`Error::CascadeTooLarge`] within where
    /// too much goes with it; [`Error::Denied`] where the user of the job may do nothing any more; store errors. Nothing
    /// of the step is stored then.
    pub async fn delete_for_job(&self, job: &Job, terms: &JobTerms, step: RowsToDelete) -> Result<Stepped> {
        let (id, terms) = (job.id, *terms);
        self.in_transaction(&job.caller, move |writing| {
            let step = step.clone();
            Box::pin(async move {
                let Some(held) = writing.begin_step(id, &terms).await? else { return Ok(Stepped::Lost) };
                writing.delete_rows(&held, &terms, &step).await
            })
        })
        .await
    }

    /// Counts a record as one that cannot be deleted, for a reason, and goes on after it.
    ///
    /// # Errors
    /// Store errors.
    pub async fn pass_over_for_job(
        &self,
        job: &Job,
        terms: &JobTerms,
        query: usize,
        row: Guid,
        why: &Error,
    ) -> Result<Stepped> {
        if why.is_of_the_store() {
            tracing::warn!(job.id = %job.id, record.id = %row, error = %why, "a record of a job is passed over");
        }
        let (id, terms, reason) = (job.id, *terms, why.told_in_a_job());
        self.in_transaction(&job.caller, move |writing| {
            let reason = reason.clone();
            Box::pin(async move {
                let Some(held) = writing.begin_step(id, &terms).await? else { return Ok(Stepped::Lost) };
                let mut progress = writing.progress_in(&held, query)?;
                if progress.is_after(row) {
                    return Ok(Stepped::Done(progress));
                }
                progress.failed = progress.failed.saturating_add(1);
                progress.after = Some(row);
                writing.store_progress(&held, &terms, &progress, Some(reason))?;
                Ok(Stepped::Done(progress))
            })
        })
        .await
    }

    /// Removes the next `many` items of what a walk has found to go with a record, which is itself still to be deleted.
    /// Whether the user of the job may delete it is asked again. What no longer hangs on it by the way it was found is left:
    /// if it hangs there otherwise, it goes with the record itself.
    ///
    /// # Errors
    /// [`Error::Denied`] where the user may not delete the record any more; [`Error::Restricted`]; see [`Error`]. Nothing of
    /// the step is stored then.
    pub async fn remove_for_job(
        &self,
        job: &Job,
        terms: &JobTerms,
        root: Reference,
        walk: &CascadeWalk,
        many: usize,
    ) -> Result<Stepped> {
        let (id, terms) = (job.id, *terms);
        let (items, holds) = walk.last(many);
        self.in_transaction(&job.caller, move |writing| {
            let (root, items, holds) = (root.clone(), items.clone(), Arc::clone(&holds));
            Box::pin(async move {
                let Some(held) = writing.begin_step(id, &terms).await? else { return Ok(Stepped::Lost) };
                writing.remove_items(&root, &items, &holds).await?;
                let operations = writing.table_named(crate::jobs::BULK_DELETE_OPERATION)?;
                let progress = progress_of(&operations, &held.operation, &held.state);
                writing.store_progress(&held, &terms, &progress, None)?;
                Ok(Stepped::Done(progress))
            })
        })
        .await
    }
}

impl Writing<'_> {
    /// Makes sure that this node works on the job, and that its user may still delete in bulk.
    async fn begin_step(&mut self, job: Guid, terms: &JobTerms) -> Result<Option<Held>> {
        self.transaction.claim_alone()?;
        let held = self.hold_job(job, terms).await?;
        if held.is_some() {
            self.check_deletes_in_bulk()?;
        }
        Ok(held)
    }

    /// How far a job is, with a query that may be a later one than the last step was of.
    fn progress_in(&self, held: &Held, query: usize) -> Result<JobProgress> {
        let operations = self.table_named(crate::jobs::BULK_DELETE_OPERATION)?;
        let stored = progress_of(&operations, &held.operation, &held.state);
        let after = stored.after.filter(|_| stored.query == query);
        Ok(JobProgress { query, after, ..stored })
    }

    async fn delete_rows(&mut self, held: &Held, terms: &JobTerms, step: &RowsToDelete) -> Result<Stepped> {
        let mut progress = self.progress_in(held, step.query)?;
        let (mut reason, begun) = (None, self.shared.clock.monotonic_ms());
        for (at, row) in step.rows.iter().enumerate() {
            if at > 0 && self.shared.clock.monotonic_ms().saturating_sub(begun) >= step.step_ms {
                break;
            }
            if progress.is_after(*row) {
                // Of a step that was stored, although that was not told.
                continue;
            }
            // A record of the security model that is gone may have been what gave a right.
            let caller = self.caller.clone();
            self.authority = self.shared.authority_in(self.transaction, &caller).await?;
            match self.delete_row(&Reference::id(step.table, *row)).await {
                Ok(()) => progress.succeeded = progress.succeeded.saturating_add(1),
                // It went with another one, or somebody else deleted it.
                Err(Error::NotFound { .. }) => {}
                Err(error) if error.is_stale() => return Err(error),
                Err(error) if is_refusal(&error) && !self.transaction.has_unflushed() => {
                    progress.failed = progress.failed.saturating_add(1);
                    reason = Some(error.told_in_a_job());
                }
                Err(error) => return Err(Error::Part { at, error: Box::new(error) }),
            }
            progress.after = Some(*row);
        }
        self.store_progress(held, terms, &progress, reason)?;
        Ok(Stepped::Done(progress))
    }

    /// Deletes one record, and runs what that gathered: what fails is told of this record, and the next one sees it gone.
    async fn delete_row(&mut self, row: &Reference) -> Result<()> {
        self.cascaded = 0;
        self.delete(row, Precondition::None).await?;
        self.settle_inherited().await?;
        Ok(self.transaction.flush().await?)
    }

    async fn remove_items(&mut self, root: &Reference, items: &[CascadeItem], holds: &Holds) -> Result<()> {
        let table = self.table(root.table)?;
        let stored = self.fetch_for(&table, &root.key, PrivilegeKind::Delete).await?;
        let _checked = self.permit_on(&table, PrivilegeKind::Delete, stored.reaches(0))?;
        self.before_delete(&table, &stored).await?;
        let mut hanging = HashMap::from([((table.id, stored.id), true)]);
        for item in items {
            let last = match item {
                CascadeItem::Row { table, id } => (*table, *id),
                CascadeItem::Link { of, .. } => *of,
                CascadeItem::Unlink { from, .. } => *from,
            };
            if !self.still_hangs(last, holds, &mut hanging).await? {
                continue;
            }
            match item {
                CascadeItem::Row { table, id } => {
                    let table = self.table(*table)?;
                    if let Some(row) = self.find(&table, &RowKey::Id(*id)).await? {
                        let permit = self.platform_permit(CASCADE, &table, PrivilegeKind::Delete)?;
                        self.cascaded = 0;
                        self.remove(&table, row, permit).await?;
                    }
                }
                CascadeItem::Link { table, id, .. } => {
                    let table = self.table(*table)?;
                    if let Some(row) = self.find(&table, &RowKey::Id(*id)).await? {
                        let permit = self.platform_permit(CASCADE, &table, PrivilegeKind::Delete)?;
                        self.transaction.delete(permit, &table, &row)?;
                    }
                }
                CascadeItem::Unlink { table, id, column, from: (parents, parent) } => {
                    let table = self.table(*table)?;
                    let row = self.find(&table, &RowKey::Id(*id)).await?;
                    // It may point elsewhere by now.
                    let linked = Value::Lookup(*parents, *parent);
                    if let Some(row) = row.filter(|row| *row.get(*column) == linked) {
                        let permit = self.platform_permit(CASCADE, &table, PrivilegeKind::Write)?;
                        self.clear_link(&table, &row, *column, permit).await?;
                    }
                }
            }
            self.settle_inherited().await?;
            self.transaction.flush().await?;
        }
        Ok(())
    }

    /// Whether a record still hangs on the root of its cascade, by each of the lookups it was found by. What is known of
    /// records is kept in `hanging`, which begins with the root.
    async fn still_hangs(
        &mut self,
        record: (TableId, Guid),
        holds: &Holds,
        hanging: &mut HashMap<(TableId, Guid), bool>,
    ) -> Result<bool> {
        let (mut passed, mut next) = (Vec::new(), record);
        let hangs = loop {
            if let Some(known) = hanging.get(&next) {
                break *known;
            }
            passed.push(next);
            let Some(hold) = holds.get(&next) else { break false };
            let table = self.table(next.0)?;
            let row = self.find(&table, &RowKey::Id(next.1)).await?;
            let (parents, parent) = hold.parent;
            if row.is_none_or(|row| *row.get(hold.column) != Value::Lookup(parents, parent)) {
                break false;
            }
            next = hold.parent;
        };
        hanging.extend(passed.into_iter().map(|record| (record, hangs)));
        Ok(hangs)
    }
}

/// What goes with a record whose delete was authorised.
const CASCADE: &str = "cascade of a job";

/// Whether an error says that a record may not or cannot be deleted, and not that something else is in the way.
fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::Store(_) | Error::CascadeTooLarge { .. } | Error::TooManyDependents { .. })
}
