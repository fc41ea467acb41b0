//! An audit as a file that can be verified anywhere: lines of JSON, first what the database says of itself, then each entry
//! as it is stored, bytes in hexadecimal digits.

use std::io::{BufRead, Read};

use aws_lc_rs::digest::{Context, SHA256};
use custodia_schema::Guid;
use serde::{Deserialize, Serialize};

use super::gap::{GAP, Gap, gap_of};
use super::verifier::{Published, Report, Subject, Verifier};
use super::{Chain, Place, Stored};
use crate::database::Database;
use crate::row::Row;
use crate::snapshot::Snapshot;
use crate::sql::{audit_log, internal};
use crate::{Error, Result, hex};

/// The form of the file.
const VERSION: u32 = 1;
/// Entries read at a time.
const PAGE: u32 = 500;
/// The longest line that is read: values of the longest entry in hexadecimal digits.
const LINE_BYTES_MAX: u64 = 256 << 20;
/// Entries between two words about how far a verification has got.
const PROGRESS: u64 = 250_000;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Header {
    custodia_audit_export: u32,
    organization: Guid,
    epoch: i64,
    number: i64,
    chain: String,
    gap: Option<Gap>,
}

/// Any other line.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Exported {
    number: i64,
    created: i64,
    transaction: Guid,
    user: Guid,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    calling_user: Option<Guid>,
    origin: String,
    table: i64,
    row: Guid,
    operation: i64,
    action: i64,
    payload: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    salt: Option<String>,
    chain: String,
}

impl Exported {
    fn of(stored: &Stored<'_>) -> Self {
        Self {
            number: stored.number,
            created: stored.created,
            transaction: stored.transaction,
            user: stored.user,
            calling_user: stored.calling_user,
            origin: stored.origin.to_owned(),
            table: stored.table,
            row: stored.row,
            operation: stored.operation,
            action: stored.action,
            payload: hex::encode(stored.payload),
            detail: stored.detail.map(str::to_owned),
            salt: stored.salt.map(hex::encode),
            chain: stored.chain.map(|chain| chain.to_string()).unwrap_or_default(),
        }
    }
}

/// An export under way: a database's audit as of one moment.
pub struct AuditExport {
    snapshot: Snapshot,
    header: Option<Header>,
    after: i64,
}

impl AuditExport {
    /// The next lines, each with its line feed; `None` after the last.
    ///
    /// # Errors
    /// Store errors.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if let Some(header) = self.header.take() {
            return Ok(Some(line(&header)?));
        }
        let page = self
            .snapshot
            .rows(&audit_log::select_sealed_after(self.after, PAGE), |row| Some(Exported::of(&Stored::of_row(row)?)))
            .await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = last.number;
        page.iter().map(line).collect::<Result<String>>().map(Some)
    }
}

fn line(what: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string(what).map_err(|error| Error::Corrupt(error.to_string()))?;
    text.push('\n');
    Ok(text)
}

impl Database {
    /// Begins an export of the audit.
    ///
    /// # Errors
    /// Store errors.
    pub async fn export_audit(&self) -> Result<AuditExport> {
        let snapshot = self.snapshot().await?;
        let (subject, gap) = snapshot.audit_subject(self.organization()).await?;
        let place = subject.place;
        let header = Header {
            custodia_audit_export: VERSION,
            organization: subject.organization,
            epoch: subject.epoch,
            number: place.number,
            chain: place.chain.to_string(),
            gap,
        };
        // Below the first number there may be one that does not belong there.
        Ok(AuditExport { snapshot, header: Some(header), after: i64::MIN })
    }

    /// Verifies the audit as of now against heads that were published.
    ///
    /// # Errors
    /// Store errors. What is wrong with the audit is in the report.
    pub async fn verify_audit(&self, against: Published, progress: &mut (dyn FnMut(&str) + Send)) -> Result<Report> {
        let snapshot = self.snapshot().await?;
        let (subject, gap) = snapshot.audit_subject(self.organization()).await?;
        let mut verifier = Verifier::new(subject, gap, against);
        let mut sink = |row: &Row<'_>| {
            match Stored::of_row(row) {
                Some(stored) => verifier.entry(&stored),
                None => verifier.unreadable(row.integer(0), row.bytes(13).and_then(Chain::of_bytes)),
            }
            if verifier.seen().is_multiple_of(PROGRESS) {
                progress(&format!("verified {} entries", verifier.seen()));
            }
        };
        snapshot.query(&audit_log::select_sealed(), &mut sink).await?;
        Ok(verifier.finish())
    }
}

/// What [`Database::hash_audit`] hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedAudit {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub hash: Chain,
}

impl Database {
    /// Reads all that a verification reads, hashes its bytes and checks nothing: what the verifier is measured beside.
    ///
    /// # Errors
    /// Store errors.
    pub async fn hash_audit(&self) -> Result<HashedAudit> {
        let snapshot = self.snapshot().await?;
        let mut context = Context::new(&SHA256);
        let mut bytes = 0;
        let mut sink = |row: &Row<'_>| {
            let Some(stored) = Stored::of_row(row) else { return };
            let mut take = |part: &[u8]| {
                context.update(part);
                bytes += part.len() as u64;
            };
            for integer in [stored.number, stored.created, stored.table, stored.operation, stored.action] {
                take(&integer.to_le_bytes());
            }
            for id in [Some(stored.transaction), Some(stored.user), stored.calling_user, Some(stored.row)] {
                take(id.as_ref().map_or(&[], |id| id.as_bytes()));
            }
            take(stored.origin.as_bytes());
            take(stored.payload);
            take(stored.detail.unwrap_or_default().as_bytes());
            take(stored.salt.unwrap_or_default());
            take(stored.chain.as_ref().map_or(&[], Chain::as_bytes));
        };
        snapshot.query(&audit_log::select_sealed(), &mut sink).await?;
        Ok(HashedAudit { bytes, hash: Chain(super::hash_of(&context.finish())) })
    }
}

impl Snapshot {
    /// What a database says of its audit.
    async fn audit_subject(&self, organization: Guid) -> Result<(Subject, Option<Gap>)> {
        let head = self.head().await?;
        let chain = self.rows(&audit_log::select_audit_chain(), |row| Some(row.bytes(0).map(<[u8]>::to_vec))).await?;
        let chain = Chain::of_head(chain.into_iter().flatten().next().as_deref())?;
        let kept = self.rows(&internal::select_setting(GAP), |row| Some(row.bytes(0)?.to_vec())).await?;
        let place = Place { number: head.audit_number, chain };
        Ok((Subject { organization, epoch: head.versions.epoch, place }, gap_of(kept.into_iter().next())?))
    }
}

/// Verifies a file that [`Database::export_audit`] made.
///
/// # Errors
/// When the file cannot be read or its first line is not that of an export. What is wrong with the audit is in the report.
pub fn verify_export(
    mut file: impl BufRead,
    against: impl FnOnce(Guid) -> Published,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    let mut text = String::new();
    let mut number = 0_usize;
    let mut next = |text: &mut String| {
        text.clear();
        number += 1;
        let read = (&mut file).take(LINE_BYTES_MAX).read_line(text);
        let wrong = |source| Error::File { path: format!("line {number} of the export"), source };
        let read = read.map_err(wrong)?;
        if text.len() as u64 >= LINE_BYTES_MAX {
            return Err(Error::Corrupt(format!("line {number} of the export is longer than any entry")));
        }
        Ok(read > 0)
    };
    next(&mut text)?;
    let no_export = || Error::Query("the file is no export of an audit ('custodia audit export' makes one)".to_owned());
    let header: Header = serde_json::from_str(&text).map_err(|_| no_export())?;
    if header.custodia_audit_export != VERSION {
        return Err(no_export());
    }
    let chain = header.chain.parse()?;
    let place = Place { number: header.number, chain };
    let subject = Subject { organization: header.organization, epoch: header.epoch, place };
    let mut verifier = Verifier::new(subject, header.gap, against(header.organization));
    while next(&mut text)? {
        let Ok(entry) = serde_json::from_str::<Exported>(&text) else {
            verifier.unreadable(None, None);
            continue;
        };
        let bytes = |text: &String| hex::decode(text);
        let salt = entry.salt.as_ref().map(|salt| bytes(salt).unwrap_or_default());
        let payload = bytes(&entry.payload).unwrap_or_default();
        verifier.entry(&Stored {
            number: entry.number,
            created: entry.created,
            transaction: entry.transaction,
            user: entry.user,
            calling_user: entry.calling_user,
            origin: &entry.origin,
            table: entry.table,
            row: entry.row,
            operation: entry.operation,
            action: entry.action,
            payload: &payload,
            detail: entry.detail.as_deref(),
            salt: salt.as_deref(),
            chain: entry.chain.parse().ok(),
        });
        if verifier.seen().is_multiple_of(PROGRESS) {
            progress(&format!("verified {} entries", verifier.seen()));
        }
    }
    Ok(verifier.finish())
}
