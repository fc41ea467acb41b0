//! What one organisation may use: the limits it has of its own, and the storage that its database may take.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::link::{Link, rows};
use crate::sql::{Dialect, internal};
use crate::{Error, Result};

/// Bytes from which on storage counts as unlimited and is not measured.
pub const STORAGE_UNLIMITED: u64 = 1 << 50;
/// Milliseconds for which a measure of a PostgreSQL database counts: taking it means looking at every file.
const MEASURE_COUNTS_MS: u64 = 2_000;

/// A limit that an organisation may have of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationLimit {
    /// Requests within five minutes.
    Requests,
    /// Requests at one time.
    ConcurrentRequests,
    /// Bytes that its records and everything beside them take.
    StorageBytes,
}

impl OrganizationLimit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::ConcurrentRequests, Self::StorageBytes];

    /// The word that is stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ConcurrentRequests => "concurrent-requests",
            Self::StorageBytes => "storage-bytes",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.word() == word)
    }
}

/// The limits that an organisation has of its own; in the others it is as every one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrganizationLimits {
    requests: Option<u64>,
    concurrent_requests: Option<u64>,
    storage_bytes: Option<u64>,
}

impl OrganizationLimits {
    /// Its own value of a limit, if it has one.
    #[must_use]
    pub fn get(&self, limit: OrganizationLimit) -> Option<u64> {
        match limit {
            OrganizationLimit::Requests => self.requests,
            OrganizationLimit::ConcurrentRequests => self.concurrent_requests,
            OrganizationLimit::StorageBytes => self.storage_bytes,
        }
    }

    pub(crate) fn set(&mut self, limit: OrganizationLimit, value: u64) {
        let place = match limit {
            OrganizationLimit::Requests => &mut self.requests,
            OrganizationLimit::ConcurrentRequests => &mut self.concurrent_requests,
            OrganizationLimit::StorageBytes => &mut self.storage_bytes,
        };
        *place = Some(value);
    }
}

/// The storage of one open database: what it may take, and what it was last found to take.
pub(crate) struct StorageQuota {
    bytes_max: AtomicU64,
    measured_bytes: AtomicU64,
    measured_ms: AtomicU64,
}

impl StorageQuota {
    pub(crate) fn new() -> Self {
        Self {
            bytes_max: AtomicU64::new(STORAGE_UNLIMITED),
            measured_bytes: AtomicU64::new(0),
            measured_ms: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn limit(&self, bytes_max: u64) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// The limit, if the database takes as much or more, seen from within a batch. An embedded database is measured each
    /// time, without the pages that became free; one of PostgreSQL every few seconds, with what PostgreSQL has not given
    /// back yet.
    pub(crate) async fn reached(&self, link: &Link, now_ms: u64) -> Result<Option<u64>> {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        if bytes_max >= STORAGE_UNLIMITED {
            return Ok(None);
        }
        let age_ms = now_ms.checked_sub(self.measured_ms.load(Ordering::Relaxed));
        let counts = link.dialect() == Dialect::Postgres && age_ms.is_some_and(|age| age < MEASURE_COUNTS_MS);
        if !counts {
            self.measured_bytes.store(used_bytes(link).await?, Ordering::Relaxed);
            self.measured_ms.store(now_ms, Ordering::Relaxed);
        }
        Ok((self.measured_bytes.load(Ordering::Relaxed) >= bytes_max).then_some(bytes_max))
    }
}

/// Bytes that a database takes.
async fn used_bytes(link: &Link) -> Result<u64> {
    let found = rows(link, &internal::select_used_bytes(link.dialect()), |row| row.integer(0)).await?;
    let bytes = found.first().and_then(|bytes| u64::try_from(*bytes).ok());
    bytes.ok_or_else(|| Error::Corrupt("the database does not say how large it is".to_owned()))
}
