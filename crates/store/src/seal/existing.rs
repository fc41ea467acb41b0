//! Sealing entries that were written before the audit was sealed: they are chained where they stand, and an entry tells
//! when that was done. What was changed before then cannot be found.

use custodia_schema::{Guid, TableId};
use serde::{Deserialize, Serialize};

use super::{Place, SALT_BYTES, Stored, Unsealed, hash};
use crate::audit::{AuditEntry, AuditOperation, action};
use crate::link::Link;
use crate::sql::{audit_log, internal};
use crate::{Error, Result, Services};

/// Entries read at a time.
const PAGE: u32 = 1_000;

/// What the entry says that tells of it, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct SealedThen {
    /// How many entries were there.
    pub entries: u64,
    /// The last number that had been given; among these some may never have been used.
    pub through: i64,
    /// The chain up to there.
    pub chain: String,
}

/// Seals the entries that are there, in the transaction of a migration.
pub(crate) async fn seal_existing(link: &Link, services: &Services) -> Result<()> {
    let mut place = Place::default();
    let mut entries = 0_u64;
    loop {
        let page = crate::link::rows(link, &audit_log::select_sealed_after(place.number, PAGE), |row| {
            let stored = Stored::of_row(row)?;
            let mut salt = vec![0; SALT_BYTES];
            services.random.fill(&mut salt);
            let mut canonical = Vec::new();
            Stored { salt: Some(&salt), ..stored }.canonical(&mut canonical)?;
            Some((stored.number, salt, hash(&canonical)))
        })
        .await?;
        if page.is_empty() {
            break;
        }
        for (number, salt, digest) in page {
            place = Place { number, chain: place.chain.then(&digest) };
            entries += 1;
            link.execute(&audit_log::update_seal(number, salt, &place.chain)).await?;
        }
    }
    let mut head = link.locked_head().await?;
    if head.audit_number == 0 {
        return Ok(());
    }
    let told = SealedThen { entries, through: head.audit_number, chain: place.chain.to_string() };
    place.number = head.audit_number;
    let created = services.clock.now_ms().div_euclid(1000).max(head.commit_time);
    let entry = of_the_platform("migration", action::SEALED, &told)?;
    link.execute(&Unsealed::new(&entry, created, services.random.as_ref()).sealed(&mut place)).await?;
    head.audit_number = place.number;
    head.commit_time = created;
    link.execute(&internal::store_head(&head, &place.chain)).await.map(drop)
}

/// An entry of the platform about the audit itself.
///
/// # Errors
/// When what it tells cannot be written as JSON.
pub(crate) fn of_the_platform(origin: &str, action: i32, told: &impl Serialize) -> Result<AuditEntry> {
    let detail = serde_json::to_string(told).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(AuditEntry {
        transaction: Guid::nil(),
        user: Guid::nil(),
        calling_user: None,
        origin: origin.to_owned(),
        table: TableId(0),
        row: Guid::nil(),
        operation: AuditOperation::Access,
        action,
        changes: Vec::new(),
        detail: Some(detail),
    })
}
