//! What may be removed of the audit, and how it is told: the oldest entries, and the values in one record's entries.

use std::sync::Arc;

use custodia_access::{Denied, RowAccess};
use custodia_query::Query;
use custodia_schema::{Guid, PrivilegeKind, Table, TableId, Value, column_description_id, description_id};
use custodia_store::{
    AuditEntry, AuditExport, AuditOperation, ErasedThen, Erasure, Gap, KeyRing, Prune, Published, Report, RowKey,
    audit_action,
};
use serde::Serialize;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::history::{Life, READ_HISTORY};
use crate::input::Reference;
use crate::model;
use crate::organization::Organization;
use crate::settings::decides_rights;
use crate::writing::Writing;

/// Removing the oldest entries.
const DELETE_AUDIT: &str = "prvDeleteAuditData";
/// Removing what was told of one record.
const DELETE_HISTORY: &str = "prvDeleteRecordChangeHistory";
/// Why an entry tells that a caller had them erased.
const ON_REQUEST: &str = "DeleteRecordChangeHistory";
/// The table of audit entries.
const AUDIT: &str = "audit";
/// Entries whose values are erased at one time.
const ERASED_AT_ONCE: u32 = 1_000;

impl Organization {
    /// Removes the oldest audit entries written before a moment (seconds since 1970), at most `entries_max`: the signed
    /// record, of which an entry tells; `None` when there is nothing to remove.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; store errors.
    pub async fn prune_audit(
        &self,
        caller: &Caller,
        before: i64,
        entries_max: u32,
        why: &str,
        ring: &Arc<KeyRing>,
    ) -> Result<Option<Gap>> {
        let (organization, why, ring) = (self.id(), why.to_owned(), Arc::clone(ring));
        self.in_transaction(caller, move |writing| {
            let (why, ring) = (why.clone(), Arc::clone(&ring));
            Box::pin(async move {
                writing.authority.check_privilege(DELETE_AUDIT)?;
                let prune = Prune { organization, before, entries_max, by: writing.acting(), why: &why };
                let Some(gap) = writing.transaction.prune_audit(prune, &ring).await? else { return Ok(None) };
                writing.audit_log_deleted(TableId(0), Guid::nil(), &gap)?;
                Ok(Some(gap))
            })
        })
        .await
    }

    /// Takes the values out of all audit entries of one record; that there were changes stays told, and by whom. How many
    /// entries lost their values.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; store errors.
    pub async fn erase_history(&self, caller: &Caller, table: TableId, row: Guid, why: &str) -> Result<u64> {
        let mut erased = 0;
        loop {
            let why = why.to_owned();
            let told = self
                .in_transaction(caller, move |writing| {
                    let why = why.clone();
                    Box::pin(async move {
                        writing.authority.check_privilege(DELETE_HISTORY)?;
                        let told = writing
                            .transaction
                            .erase_audit(erasure(table, row, Life::ALL, &why, ERASED_AT_ONCE))
                            .await?;
                        if told.entries > 0 {
                            writing.audit_log_deleted(table, row, &told)?;
                        }
                        Ok(told.entries)
                    })
                })
                .await?;
            erased += told as u64;
            if told < ERASED_AT_ONCE as usize {
                return Ok(erased);
            }
        }
    }

    /// Days after which the organisation wants its audit entries removed; `None`: never, also where nobody said.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit_retention_days(&self) -> Result<Option<u32>> {
        let schema = self.schema();
        let table = model::table(&schema, "organization")?;
        let query = Query::of(table, 1).showing(model::columns(table, &["auditretentionperiodv2"])?);
        let (rows, _) = self.shared.platform_rows("audit retention", &query).await?;
        // The id of the record is the first value.
        let days = rows.first().and_then(|row| row.get(1));
        Ok(match days {
            Some(Value::BigInt(days)) => u32::try_from(*days).ok().filter(|days| *days > 0),
            Some(Value::Integer(days)) => u32::try_from(*days).ok().filter(|days| *days > 0),
            _ => None,
        })
    }

    /// Verifies the audit against heads that were published.
    ///
    /// # Errors
    /// Store errors; what is wrong with the audit is in the report.
    pub async fn verify_audit(&self, against: Published, progress: &mut (dyn FnMut(&str) + Send)) -> Result<Report> {
        Ok(self.shared.database.verify_audit(against, progress).await?)
    }

    /// Begins an export of the audit, to be verified elsewhere.
    ///
    /// # Errors
    /// Store errors.
    pub async fn export_audit(&self) -> Result<AuditExport> {
        Ok(self.shared.database.export_audit().await?)
    }
}

/// Whether entries about an id are about the table itself: its switches and rules, and lists of its records that somebody
/// read or exported. No record is to be taken for it, though one may have been given that id.
fn is_of_table(table: &Table, id: Guid) -> bool {
    id.is_nil()
        || id == description_id("EntityMetadata", &table.name)
        || table.columns().iter().any(|column| id == column_description_id(table, column))
}

fn erasure(table: TableId, row: Guid, life: Life, why: &str, entries_max: u32) -> Erasure<'_> {
    Erasure { table, row, after: life.after, since: life.since, entries_max, why }
}

impl Writing<'_> {
    /// Takes the values out of the audit entries of one record that the caller may read besides: what is told of a former
    /// record of the same id stays, unless they read every row of its table. How many entries lost their values.
    ///
    /// # Errors
    /// [`crate::Error::Denied`]; [`crate::Error::NotFound`] for a record that is not there, unless the caller reads every
    /// row of its table; [`crate::Error::TooManyDependents`] for more entries than one request changes.
    pub(crate) async fn erase_record_history(&mut self, target: &Reference) -> Result<u64> {
        self.authority.check_privilege(DELETE_HISTORY)?;
        let (table, row, life) = self.check_reads_history(target).await?;
        let limit = self.shared.limits.cascade_rows;
        let part = ERASED_AT_ONCE.min(limit).max(1);
        let mut all: Option<ErasedThen> = None;
        loop {
            let told = self.transaction.erase_audit(erasure(table.id, row, life, ON_REQUEST, part)).await?;
            let is_last = told.entries < part as usize;
            let before = all.take();
            let so_far = told.entries + before.as_ref().map_or(0, |before| before.entries);
            all = Some(ErasedThen { entries: so_far, ..before.unwrap_or(told) });
            if so_far > limit as usize {
                return Err(Error::TooManyDependents { table: AUDIT.to_owned(), limit: limit as usize });
            }
            if is_last {
                break;
            }
            self.transaction.flush().await?;
        }
        match all.filter(|told| told.entries > 0) {
            Some(told) => {
                self.audit_log_deleted(table.id, row, &told)?;
                Ok(told.entries as u64)
            }
            None => Ok(0),
        }
    }

    /// That the caller may read what became of a record: its table and id, and which of the entries about that id.
    async fn check_reads_history(&mut self, target: &Reference) -> Result<(Arc<Table>, Guid, Life)> {
        self.authority.check_privilege(READ_HISTORY)?;
        let audit = self.table_named(AUDIT)?;
        self.authority.rows(&audit, PrivilegeKind::Read)?;
        let table = self.table(target.table)?;
        let access = self.authority.rows(&table, PrivilegeKind::Read)?;
        let found = self.transaction.reach(&table, &target.key, &access).await?;
        let named = match &target.key {
            RowKey::Id(id) => Some(*id),
            RowKey::Alternate(_) => found.map(|found| found.id),
        };
        // Who gave whom which rights is not theirs to erase who may: that stays with the operator.
        let is_kept = table.name == "organization" || decides_rights(&table);
        if is_kept || named.is_some_and(|id| is_of_table(&table, id)) {
            return Err(Self::missing(&table, &target.key));
        }
        match (found, &target.key) {
            (Some(found), _) if found.is_reached => {
                let life = self.life(&table, found.id, &access).await?;
                Ok((table, found.id, life))
            }
            (Some(_), _) => Err(Error::Denied(Denied::RowNotReached {
                user: self.acting(),
                right: PrivilegeKind::Read,
                table: table.name.clone(),
            })),
            (None, RowKey::Id(id)) if access == RowAccess::All => Ok((table, *id, Life::ALL)),
            (None, key) => Err(Self::missing(&table, key)),
        }
    }

    /// The entries of the present record; for those who read every row, of all that had its id.
    async fn life(&mut self, table: &Arc<Table>, id: Guid, access: &RowAccess) -> Result<Life> {
        if *access == RowAccess::All {
            return Ok(Life::ALL);
        }
        let newest = self.transaction.newest_audit(&Life::ends(table.id, id)).await?;
        let row = self.get(table, id).await?;
        Ok(Life::of(newest, table.column("createdon").map(|made| row.get(made.id))))
    }

    fn audit_log_deleted(&mut self, table: TableId, row: Guid, told: &impl Serialize) -> Result<()> {
        let detail = serde_json::to_string(told).map_err(|error| Error::Invalid(error.to_string()))?;
        self.transaction.audit(&AuditEntry {
            transaction: self.caller.request,
            user: self.acting(),
            calling_user: self.caller.acting_for.map(|_| self.caller.user),
            origin: self.caller.origin_text(),
            table,
            row,
            operation: AuditOperation::Delete,
            action: audit_action::LOG_DELETED,
            changes: Vec::new(),
            detail: Some(detail),
        });
        Ok(())
    }
}
