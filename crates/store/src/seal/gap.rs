//! Gap records: what tells, signed, that the oldest part of an audit was removed.
//!
//! The latest record stands in the database beside the audit, so that the verifier knows where to begin, and each is the
//! detail of an entry of the audit. A record that no sealed entry repeats counts for nothing.

use custodia_schema::Guid;
use serde::{Deserialize, Serialize};

use super::published::{Facts, KeyRing, PublicKeys, Signed};
use super::{Chain, Place};
use crate::audit::action;
use crate::sql::{audit_filing, audit_log};
use crate::transaction::Transaction;
use crate::{Error, Result};

/// The setting that holds the latest gap record.
pub(crate) const GAP: &str = "audit gap";

/// A restore, as its audit entry tells of it. What signs it is missing where an older program restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredThen {
    /// The epoch that began with it.
    pub epoch: i64,
    /// The last entry that was in the backup.
    pub after: i64,
    /// When the backup was taken, seconds since 1970.
    pub taken: i64,
    /// The database that was replaced could not be read any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The organisation that it was restored to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Guid>,
    /// The key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its signature in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// What is signed of a restore.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RestoreFacts {
    pub organization: Guid,
    pub epoch: i64,
    pub after: i64,
    pub taken: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Facts for RestoreFacts {
    const LABEL: &'static str = "custodia audit restore 1";
}

/// What is known of who said that there was a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreProof {
    /// A key of the installation signed it.
    Signed,
    /// Nobody did: an older program restored, or somebody only says that there was a restore.
    Unsigned,
    /// A key did that is not known here.
    UnknownKey,
    /// It was signed for another organisation, of which this one may be a copy.
    OtherOrganization,
    /// The signature does not fit what it stands under.
    Forged,
}

impl RestoredThen {
    /// What an entry is to tell of a restore.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn signed(facts: RestoreFacts, ring: &KeyRing) -> Result<Self> {
        let signed = ring.sign(facts)?;
        let RestoreFacts { organization, epoch, after, taken, lost } = signed.facts;
        let organization = Some(organization);
        Ok(Self { epoch, after, taken, lost, organization, key: Some(signed.key), signature: Some(signed.signature) })
    }

    /// Who said so, as far as keys of an organisation's audit tell.
    #[must_use]
    pub(crate) fn proof(&self, of: Guid, keys: &PublicKeys) -> RestoreProof {
        let (Some(organization), Some(key), Some(signature)) = (self.organization, &self.key, &self.signature) else {
            return RestoreProof::Unsigned;
        };
        if !keys.has(key) {
            return RestoreProof::UnknownKey;
        }
        let facts =
            RestoreFacts { organization, epoch: self.epoch, after: self.after, taken: self.taken, lost: self.lost };
        match keys.check(&Signed { facts, key: key.clone(), signature: signature.clone() }) {
            Err(_) => RestoreProof::Forged,
            Ok(()) if organization != of => RestoreProof::OtherOrganization,
            Ok(()) => RestoreProof::Signed,
        }
    }
}

/// A part of the audit that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapFacts {
    /// The organisation.
    pub organization: Guid,
    /// The first number that was removed.
    pub from: i64,
    /// The last.
    pub through: i64,
    /// The chain before the first.
    pub before: String,
    /// The chain up to the last.
    pub after: String,
    /// When, seconds since 1970.
    pub time: i64,
    /// Who.
    pub by: Guid,
    /// Why.
    pub why: String,
    /// What removed entries told of restores, of former gaps too: the verifier needs it for heads that were published before.
    pub restores: Vec<RestoredThen>,
}

impl Facts for GapFacts {
    const LABEL: &'static str = "custodia audit gap 1";
}

/// A signed gap record.
pub type Gap = Signed<GapFacts>;

impl GapFacts {
    /// The chain up to the last entry that was removed.
    #[must_use]
    pub fn after(&self) -> Option<Chain> {
        self.after.parse().ok()
    }

    /// Where the entries that are left begin.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        Some(Place { number: self.through, chain: self.after()? })
    }
}

/// Reads a gap record as it is kept.
pub(crate) fn gap_of(kept: Option<Vec<u8>>) -> Result<Option<Gap>> {
    let read = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes).map_err(|error| Error::Corrupt(format!("the gap record of the audit: {error}")))
    };
    kept.map(read).transpose()
}

/// What is to be removed, and what is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Prune<'p> {
    /// The organisation.
    pub organization: Guid,
    /// Entries written before this moment, seconds since 1970.
    pub before: i64,
    /// Entries removed at once; the rest is for the next time.
    pub entries_max: u32,
    /// Who removes them.
    pub by: Guid,
    /// Why.
    pub why: &'p str,
}

impl Transaction {
    /// Removes the oldest entries of the audit, at most so many: the signed record, which the caller's entry of
    /// [`crate::audit_action::LOG_DELETED`] is to have as its detail; `None` when there is nothing to remove.
    ///
    /// # Errors
    /// Store errors; [`Error::Stale`] when other requests run beside this one.
    pub async fn prune_audit(&mut self, prune: Prune<'_>, ring: &KeyRing) -> Result<Option<Gap>> {
        self.claim_alone()?;
        let former = gap_of(self.audit_gap().await?)?;
        let begin = former.as_ref().and_then(|gap| gap.facts.place()).unwrap_or_default();
        let last = self
            .internal_rows(&audit_log::select_last_before(prune.before, prune.entries_max), |row| {
                Some(Place { number: row.integer(0)?, chain: Chain::of_bytes(row.bytes(1)?)? })
            })
            .await?;
        let Some(last) = last.first().copied() else { return Ok(None) };
        let told = self
            .internal_rows(&audit_log::select_audit_details(action::RESTORED, last.number), |row| {
                Some(row.text(0).map(str::to_owned))
            })
            .await?;
        let mut restores = former.map_or_else(Vec::new, |gap| gap.facts.restores);
        restores.extend(told.iter().flatten().filter_map(|detail| serde_json::from_str(detail).ok()));
        let gap = ring.sign(GapFacts {
            organization: prune.organization,
            from: begin.number + 1,
            through: last.number,
            before: begin.chain.to_string(),
            after: last.chain.to_string(),
            time: self.now(),
            by: prune.by,
            why: prune.why.to_owned(),
            restores,
        })?;
        if let Some(statement) = audit_filing::forget_entries(self.dialect(), last.number) {
            self.internal(statement);
        }
        self.internal(audit_log::delete_audit(last.number));
        let kept = serde_json::to_vec(&gap).map_err(|error| Error::Corrupt(error.to_string()))?;
        self.put_setting(GAP, kept);
        Ok(Some(gap))
    }
}
