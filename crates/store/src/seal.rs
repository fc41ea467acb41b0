//! What seals the audit: a chain of hashes over all entries, in which values stand as salted commitments.
//!
//! An entry's **canonical bytes**, all integers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 16 | `custodia audit 1` |
//! | 8 each | number, created (seconds since 1970), table, operation, action, all signed |
//! | 16 each | transaction, user, row |
//! | the rest | fields, each `tag u8`, `length u32`, content; by rising tag, and one that is absent is left out |
//!
//! Fields: 1 calling user (16 bytes); 2 origin (UTF-8); 3 commitment of the detail (32 bytes); 4 commitments of the changes,
//! for each column in the order of the payload its number (`u16`) and 32 bytes. A field that comes later takes the next
//! tag: entries without it keep the bytes they have.
//!
//! A **commitment** is `SHA-256(salt ‖ value)`, where the salt is 16 random bytes of the entry, and the value the UTF-8 of
//! the detail, or of a column the bytes that the payload has of it (its number, the old value, its number, the new value).
//! Values and salt can be erased: the commitments take their place in the payload (`2`, then 1 and the detail's
//! commitment or 0, then number and commitment for each column), and the canonical bytes stay what they were.
//!
//! The **chain**: `chain(n) = SHA-256(chain(n-1) ‖ SHA-256(canonical bytes of n))`, beginning with 32 zero bytes. It is
//! computed under the locked commit head, in the order of the numbers, and stored with the entry; the last one stands at
//! the head of the database.

pub(crate) mod erasure;
pub(crate) mod existing;
pub(crate) mod export;
pub(crate) mod gap;
pub(crate) mod published;
pub(crate) mod verifier;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use custodia_schema::{ColumnId, Guid};

use crate::ambient::Random;
use crate::audit::{AuditEntry, ERASED, ERASED_COLUMN_BYTES, VALUES};
use crate::change_log::Pieces;
use crate::row::Row;
use crate::sql::{Parameter, Statement, audit_log};
use crate::{Error, hex};

pub(crate) use existing::seal_existing;

/// Length of a hash in bytes.
pub(crate) const HASH_BYTES: usize = 32;
/// Length of an entry's salt in bytes.
const SALT_BYTES: usize = 16;
/// What canonical bytes begin with: the form they have.
const LABEL: &[u8; 16] = b"custodia audit 1";
/// Where the number stands in canonical bytes.
const NUMBER: std::ops::Range<usize> = LABEL.len()..LABEL.len() + 8;

type Hash = [u8; HASH_BYTES];

/// A value of the chain: it stands for one entry and all before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Chain(Hash);

impl Chain {
    /// What the chain begins with, before the first entry.
    pub const BEGINNING: Self = Self([0; HASH_BYTES]);

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What the head of a database holds.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when that is no value of a chain.
    pub(crate) fn of_head(stored: Option<&[u8]>) -> Result<Self, Error> {
        let chain = stored.and_then(Self::of_bytes);
        chain.ok_or_else(|| Error::Corrupt("the head of the database holds no value of the audit's chain".to_owned()))
    }

    /// The value after an entry.
    fn then(&self, entry: &Hash) -> Self {
        let mut both = [0; 2 * HASH_BYTES];
        let (before, after) = both.split_at_mut(HASH_BYTES);
        before.copy_from_slice(&self.0);
        after.copy_from_slice(entry);
        Self(hash(&both))
    }

    /// The value after an entry of these canonical bytes, taken as if it had that number.
    fn then_numbered(&self, canonical: &[u8], number: i64) -> Self {
        let mut bytes = canonical.to_vec();
        set_number(&mut bytes, number);
        self.then(&hash(&bytes))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Chain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let chain = hex::decode(text).and_then(|bytes| Self::of_bytes(&bytes));
        chain.ok_or_else(|| Error::Corrupt(format!("'{text}' is not a value of an audit chain")))
    }
}

/// Where an organisation's audit stands: the last number and the chain up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The last number given to an entry; 0 before the first.
    pub number: i64,
    /// The chain up to that entry.
    pub chain: Chain,
}

/// An entry as it is stored, whatever it holds: what is sealed is the row, not what it means.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'e> {
    pub number: i64,
    pub created: i64,
    pub transaction: Guid,
    pub user: Guid,
    pub calling_user: Option<Guid>,
    pub origin: &'e str,
    pub table: i64,
    pub row: Guid,
    pub operation: i64,
    pub action: i64,
    pub payload: &'e [u8],
    pub detail: Option<&'e str>,
    pub salt: Option<&'e [u8]>,
    pub chain: Option<Chain>,
}

impl<'e> Stored<'e> {
    /// A row of `audit_log::select_sealed`; `None` when a value is missing that every entry has.
    pub(crate) fn of_row(row: &'e Row<'_>) -> Option<Self> {
        Some(Self {
            number: row.integer(0)?,
            created: row.integer(1)?,
            transaction: row.guid(2)?,
            user: row.guid(3)?,
            calling_user: row.guid(4),
            origin: row.text(5)?,
            table: row.integer(6)?,
            row: row.guid(7)?,
            operation: row.integer(8)?,
            action: row.integer(9)?,
            payload: row.bytes(10)?,
            detail: row.text(11),
            salt: row.bytes(12),
            chain: row.bytes(13).and_then(Chain::of_bytes),
        })
    }

    fn of_entry(entry: &'e AuditEntry, created: i64, payload: &'e [u8], salt: &'e [u8]) -> Self {
        Self {
            number: 0,
            created,
            transaction: entry.transaction,
            user: entry.user,
            calling_user: entry.calling_user,
            origin: &entry.origin,
            table: i64::from(entry.table.0),
            row: entry.row,
            operation: entry.operation as i64,
            action: i64::from(entry.action),
            payload,
            detail: entry.detail.as_deref(),
            salt: Some(salt),
            chain: None,
        }
    }

    /// Puts the canonical bytes into a buffer; `None` when the payload, the detail and the salt do not belong together.
    pub(crate) fn canonical(&self, bytes: &mut Vec<u8>) -> Option<()> {
        bytes.clear();
        bytes.extend_from_slice(LABEL);
        for integer in [self.number, self.created, self.table, self.operation, self.action] {
            bytes.extend_from_slice(&integer.to_le_bytes());
        }
        for id in [self.transaction, self.user, self.row] {
            bytes.extend_from_slice(id.as_bytes());
        }
        if let Some(user) = self.calling_user {
            field(bytes, 1, user.as_bytes());
        }
        field(bytes, 2, self.origin.as_bytes());
        if let Some(erased) = Erased::of(self.payload) {
            if self.salt.is_some() || self.detail.is_some() {
                return None;
            }
            if let Some(detail) = erased.detail {
                field(bytes, 3, detail);
            }
            if !erased.columns.is_empty() {
                field(bytes, 4, erased.columns);
            }
            return Some(());
        }
        if self.payload.first() != Some(&VALUES) {
            return None;
        }
        let salt = self.salt?;
        if let Some(detail) = self.detail {
            field(bytes, 3, &commitment(&mut Vec::new(), salt, [detail.as_bytes()]));
        }
        let begin = bytes.len();
        field(bytes, 4, &[]);
        let content = bytes.len();
        push_commitments(bytes, salt, self.payload)?;
        let length = u32::try_from(bytes.len() - content).ok()?;
        match length {
            0 => bytes.truncate(begin),
            _ => bytes.get_mut(begin + 1..content)?.copy_from_slice(&length.to_le_bytes()),
        }
        Some(())
    }

    /// The payload without values; `None` when they were erased already, or cannot be told apart.
    pub(crate) fn erased_payload(&self) -> Option<Vec<u8>> {
        let salt = self.salt.filter(|_| self.payload.first() == Some(&VALUES))?;
        let mut bytes = vec![ERASED];
        match self.detail {
            Some(detail) => {
                bytes.push(1);
                bytes.extend_from_slice(&commitment(&mut Vec::new(), salt, [detail.as_bytes()]));
            }
            None => bytes.push(0),
        }
        push_commitments(&mut bytes, salt, self.payload)?;
        Some(bytes)
    }
}

/// A payload whose values were erased.
pub(crate) struct Erased<'b> {
    detail: Option<&'b [u8]>,
    columns: &'b [u8],
}

impl<'b> Erased<'b> {
    /// `None` for one with values, and for one that is cut short.
    pub(crate) fn of(bytes: &'b [u8]) -> Option<Self> {
        let (detail, columns) = match bytes {
            [ERASED, 0, rest @ ..] => (None, rest),
            [ERASED, 1, rest @ ..] => rest.split_at_checked(HASH_BYTES).map(|(detail, rest)| (Some(detail), rest))?,
            _ => return None,
        };
        columns.len().is_multiple_of(ERASED_COLUMN_BYTES).then_some(Self { detail, columns })
    }

    /// Number and commitment of each column that had changed.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (ColumnId, &'b [u8])> {
        self.columns.chunks_exact(ERASED_COLUMN_BYTES).filter_map(|chunk| {
            let (number, commitment) = chunk.split_first_chunk()?;
            Some((ColumnId(u16::from_le_bytes(*number)), commitment))
        })
    }
}

fn field(bytes: &mut Vec<u8>, tag: u8, content: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(content);
}

/// Adds number and commitment of each column of a payload with values.
fn push_commitments(bytes: &mut Vec<u8>, salt: &[u8], payload: &[u8]) -> Option<()> {
    let mut salted = Vec::with_capacity(salt.len() + payload.len());
    let mut pieces = Pieces::of(payload).ok()?;
    while let Some((column, old)) = pieces.next().ok()? {
        let (same, new) = pieces.next().ok()??;
        if column != same {
            return None;
        }
        bytes.extend_from_slice(&column.0.to_le_bytes());
        bytes.extend_from_slice(&commitment(&mut salted, salt, [old, new]));
    }
    Some(())
}

/// The commitment of a value in parts. They are put together in `salted`: hashing in parts would take a context from the heap
/// for each value.
fn commitment<const PARTS: usize>(salted: &mut Vec<u8>, salt: &[u8], value: [&[u8]; PARTS]) -> Hash {
    salted.clear();
    salted.extend_from_slice(salt);
    value.iter().for_each(|part| salted.extend_from_slice(part));
    hash(salted)
}

fn hash(bytes: &[u8]) -> Hash {
    hash_of(&digest(&SHA256, bytes))
}

fn hash_of(digest: &aws_lc_rs::digest::Digest) -> Hash {
    digest.as_ref().try_into().unwrap_or_default()
}

fn set_number(canonical: &mut [u8], number: i64) {
    if let Some(place) = canonical.get_mut(NUMBER) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

/// An entry that a request is about to write. Its number and its chain value follow from those before it, so they are given
/// last, when it is certain that the entry is written.
pub(crate) struct Unsealed {
    values: Vec<Parameter>,
    canonical: Vec<u8>,
}

impl Unsealed {
    pub(crate) fn new(entry: &AuditEntry, created: i64, random: &dyn Random) -> Self {
        let payload = crate::audit::encode(&entry.changes);
        let mut salt = vec![0; SALT_BYTES];
        random.fill(&mut salt);
        let mut canonical = Vec::with_capacity(256 + entry.changes.len() * ERASED_COLUMN_BYTES);
        if Stored::of_entry(entry, created, &payload, &salt).canonical(&mut canonical).is_none() {
            // Only a payload that is not this program's has none; the verifier would tell of it.
            tracing::error!(table = %entry.table, "an audit entry cannot be sealed");
        }
        Self { values: audit_log::audit_values(created, entry, payload, salt), canonical }
    }

    /// The statement that writes the entry at the next place, which is moved on.
    pub(crate) fn sealed(mut self, place: &mut Place) -> Statement {
        place.number += 1;
        set_number(&mut self.canonical, place.number);
        place.chain = place.chain.then(&hash(&self.canonical));
        audit_log::insert_audit(self.values, place.number, &place.chain)
    }
}

#[cfg(test)]
mod tests;
