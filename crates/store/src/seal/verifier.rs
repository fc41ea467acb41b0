//! Checking an audit: every entry against the chain, the whole against what the database says of itself and against heads
//! that were published, and the first entry named that is not as it was written.
//!
//! Entries are taken one after the other, and no more is kept than those that do not fit. After one that does not, the
//! chain goes on from the value that is stored with it, so that what was done can be told: a value changed is one entry
//! that does not fit, two that were exchanged fit in each other's place, one that was put between others makes room by
//! giving the later ones other numbers.

use std::collections::HashMap;
use std::fmt;

use custodia_schema::Guid;

use super::erasure::ErasedThen;
use super::existing::SealedThen;
use super::gap::{Gap, RestoreProof, RestoredThen};
use super::published::{HeadFacts, PublicKeys};
use super::{Chain, Erased, Place, Stored, hash};
use crate::audit::action;

/// Entries that do not fit and are looked at closely: beyond, only the first is told of.
const SUSPECTS_MAX: usize = 64;
/// Numbers left out that are told one by one.
const HOLES_MAX: usize = 1_024;

/// What a database says of its audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The organisation.
    pub organization: Guid,
    /// Its epoch.
    pub epoch: i64,
    /// The last number and chain value.
    pub place: Place,
}

/// What was published of an organisation's audit.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Its heads, by their numbers.
    pub heads: Vec<HeadFacts>,
    /// Keys that gap records and restores are signed with.
    pub keys: PublicKeys,
}

/// What is wrong, with the first entry that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An entry is not what was sealed.
    Changed {
        /// Its number.
        number: i64,
    },
    /// The chain value stored with an entry is not the one it had; the entry is.
    SealChanged {
        /// Its number.
        number: i64,
    },
    /// Entries are missing.
    Removed {
        /// The first.
        from: i64,
        /// The last.
        through: i64,
    },
    /// An entry stands where none was written.
    Inserted {
        /// Its number.
        number: i64,
    },
    /// Two entries stand in each other's place.
    Exchanged {
        /// The first of the two.
        number: i64,
        /// The other.
        with: i64,
    },
    /// An entry stands in the place of another one.
    Moved {
        /// The place.
        number: i64,
        /// Where the entry that belongs there stands.
        to: i64,
    },
    /// The last entries are missing.
    EndRemoved {
        /// The first that is missing.
        from: i64,
        /// The last number that there must be.
        through: i64,
        /// When a published head named it, seconds since 1970; `None` when the database itself does.
        published: Option<i64>,
    },
    /// The whole chain was written anew: it holds in itself, but is not the one that was published.
    Rewritten {
        /// The last entry of which a published head fits; 0 for none.
        after: i64,
        /// The first of which one does not.
        until: i64,
        /// When that was published, seconds since 1970.
        published: i64,
    },
    /// The database names another end of the chain than its last entry has.
    EndChanged {
        /// The number of the last entry.
        number: i64,
    },
    /// Values were erased, and no entry tells of it.
    Erased {
        /// The entry.
        number: i64,
    },
    /// An entry tells of a restore under a signature that is not the installation's.
    Restore {
        /// The entry.
        number: i64,
    },
    /// The oldest entries are missing, and the gap record does not account for it.
    Gap {
        /// The last number that is missing.
        number: i64,
        /// What is wrong with the record.
        why: &'static str,
    },
}

impl Fault {
    /// The first entry that is not as it was written.
    #[must_use]
    pub fn number(&self) -> i64 {
        match self {
            Self::Changed { number }
            | Self::SealChanged { number }
            | Self::Inserted { number }
            | Self::Exchanged { number, .. }
            | Self::Moved { number, .. }
            | Self::EndChanged { number }
            | Self::Erased { number }
            | Self::Restore { number }
            | Self::Gap { number, .. }
            | Self::Removed { from: number, .. }
            | Self::EndRemoved { from: number, .. } => *number,
            Self::Rewritten { after, .. } => after.saturating_add(1),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |f: &mut fmt::Formatter<'_>, from: &i64, through: &i64| match from == through {
            true => write!(f, "entry {from} is missing"),
            false => write!(f, "entries {from} to {through} are missing"),
        };
        match self {
            Self::Changed { number } => {
                write!(f, "entry {number} was changed (or the one before it, together with what seals it)")
            }
            Self::SealChanged { number } => write!(f, "the chain value stored with entry {number} was changed"),
            Self::Removed { from, through } => many(f, from, through),
            Self::Inserted { number } => write!(f, "entry {number} was inserted"),
            Self::Exchanged { number, with } => write!(f, "entries {number} and {with} were exchanged"),
            Self::Moved { number, to } => write!(f, "entry {number} was moved to the place of entry {to}"),
            Self::EndRemoved { from, through, published } => {
                many(f, from, through)?;
                f.write_str(if published.is_some() {
                    ": a published head names the last"
                } else {
                    ": the database itself names the last"
                })
            }
            Self::Rewritten { after, until, .. } => write!(
                f,
                "the chain was written anew from an entry between {} and {until} on: it fits the head published of {after} \
                 and not that of {until}",
                after.saturating_add(1)
            ),
            Self::EndChanged { number } => {
                write!(f, "the database names another end of the chain than entry {number}, the last one, has")
            }
            Self::Erased { number } => write!(f, "the values of entry {number} were erased, and no entry tells of it"),
            Self::Restore { number } => {
                write!(f, "entry {number} tells of a restore, and the signature under it does not fit")
            }
            Self::Gap { number, why } => write!(f, "entries up to {number} are missing: {why}"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The organisation.
    pub organization: Guid,
    /// Its epoch.
    pub epoch: i64,
    /// Entries looked at.
    pub entries: u64,
    /// Where the entries begin: after this number, behind a gap record or at 0.
    pub begin: i64,
    /// The last entry and its chain value.
    pub last: Place,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
    /// Published heads that fit.
    pub heads: usize,
    /// The last of them: what follows is not protected.
    pub protected: Option<HeadFacts>,
    /// Published heads of entries that a restore threw away: each with the restore.
    pub lost: Vec<(HeadFacts, RestoredThen)>,
    /// Published heads of entries that retention removed, which cannot be compared any more.
    pub behind_gap: usize,
    /// The latest gap record.
    pub gap: Option<Gap>,
    /// Whether its signature was checked: a key must be known for it.
    pub gap_checked: bool,
    /// Entries that were there before the audit was sealed, and when they were, seconds since 1970.
    pub sealed_then: Option<(SealedThen, i64)>,
    /// Restores that entries tell of, and who says so.
    pub restores: Vec<(RestoredThen, RestoreProof)>,
    /// Entries whose values were erased.
    pub erased: u64,
}

/// An entry that does not fit.
struct Suspect {
    number: i64,
    before: Chain,
    stored: Option<Chain>,
    computed: Option<Chain>,
    canonical: Option<Vec<u8>>,
}

impl Suspect {
    /// The chain value if this were the entry of that place.
    fn at(&self, before: &Chain, number: i64) -> Option<Chain> {
        self.canonical.as_ref().map(|canonical| before.then_numbered(canonical, number))
    }

    /// The chain value there, if this entry belongs in the place of another one: rows may have been moved with what seals
    /// them or without.
    fn belongs(&self, before: &Chain, place: &Self) -> Option<Chain> {
        let value = self.at(before, place.number);
        value.filter(|_| value == place.stored || value == self.stored)
    }
}

/// Numbers without entries.
struct Hole {
    from: i64,
    through: i64,
}

/// A published head and whether it fits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Open,
    Fits,
    Differs,
    BehindGap,
}

/// A verification under way: takes the entries in the order in which they stand.
pub struct Verifier {
    subject: Subject,
    gap: Option<Gap>,
    keys: PublicKeys,
    heads: Vec<(HeadFacts, Comparison)>,
    next_head: usize,
    begin: Place,
    last: Place,
    seen: u64,
    canonical: Vec<u8>,
    stray: Option<i64>,
    suspects: Vec<Suspect>,
    holes: Vec<Hole>,
    told_gap: Option<Gap>,
    sealed_then: Option<(SealedThen, i64)>,
    restores: Vec<(RestoredThen, i64)>,
    erased: u64,
    /// The last entry of each record whose values were erased.
    erased_of: HashMap<(i64, Guid), i64>,
    /// Up to where entries tell that values of a record were.
    told_erased_of: HashMap<(i64, Guid), i64>,
}

impl Verifier {
    /// Begins, with what the database says of itself and the gap record it has.
    #[must_use]
    pub(crate) fn new(subject: Subject, gap: Option<Gap>, published: Published) -> Self {
        let begin = gap.as_ref().and_then(|gap| gap.facts.place()).unwrap_or_default();
        let mut heads: Vec<_> = published.heads.into_iter().map(|head| (head, Comparison::Open)).collect();
        heads.sort_by_key(|(head, _)| head.number);
        let mut verifier = Self {
            subject,
            gap,
            keys: published.keys,
            heads,
            next_head: 0,
            begin,
            last: begin,
            seen: 0,
            canonical: Vec::with_capacity(1_024),
            stray: None,
            suspects: Vec::new(),
            holes: Vec::new(),
            told_gap: None,
            sealed_then: None,
            restores: Vec::new(),
            erased: 0,
            erased_of: HashMap::new(),
            told_erased_of: HashMap::new(),
        };
        verifier.compare_heads();
        verifier
    }

    /// Entries taken so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes the next entry.
    pub(crate) fn entry(&mut self, stored: &Stored<'_>) {
        let mut canonical = std::mem::take(&mut self.canonical);
        let readable = stored.canonical(&mut canonical).is_some();
        self.canonical = canonical;
        if self.step(stored.number, stored.chain, readable) {
            self.heed(stored);
        }
    }

    /// Takes an entry that has not even the form of one.
    pub(crate) fn unreadable(&mut self, number: Option<i64>, chain: Option<Chain>) {
        self.step(number.unwrap_or(self.last.number.saturating_add(1)), chain, false);
    }

    /// Whether the entry stands in a place that there is.
    fn step(&mut self, number: i64, stored: Option<Chain>, readable: bool) -> bool {
        self.seen += 1;
        if number <= self.last.number || number > self.subject.place.number {
            self.stray = Some(self.stray.map_or(number, |stray| stray.min(number)));
            return false;
        }
        if number > self.last.number.saturating_add(1) && self.holes.len() < HOLES_MAX {
            self.holes.push(Hole { from: self.last.number.saturating_add(1), through: number.saturating_sub(1) });
        }
        let before = self.last.chain;
        let computed = readable.then(|| before.then(&hash(&self.canonical)));
        if (computed.is_none() || computed != stored) && self.suspects.len() < SUSPECTS_MAX {
            let canonical = readable.then(|| self.canonical.clone());
            self.suspects.push(Suspect { number, before, stored, computed, canonical });
        }
        self.last = Place { number, chain: stored.or(computed).unwrap_or(before) };
        self.compare_heads();
        true
    }

    /// Compares the published heads of the place that was reached.
    fn compare_heads(&mut self) {
        while let Some((head, comparison)) = self.heads.get_mut(self.next_head) {
            if head.number > self.last.number {
                return;
            }
            *comparison = match head.number {
                number if number < self.begin.number => Comparison::BehindGap,
                number if number == self.last.number && head.chain() == Some(self.last.chain) => Comparison::Fits,
                _ => Comparison::Differs,
            };
            self.next_head += 1;
        }
    }

    /// Notes what entries tell of the audit itself.
    fn heed(&mut self, stored: &Stored<'_>) {
        if Erased::of(stored.payload).is_some() {
            self.erased += 1;
            self.erased_of.insert((stored.table, stored.row), stored.number);
        }
        let Some(detail) = stored.detail else { return };
        if stored.action == i64::from(action::LOG_DELETED) {
            if let Ok(gap) = serde_json::from_str::<Gap>(detail) {
                self.told_gap = Some(gap);
            } else if let Ok(told) = serde_json::from_str::<ErasedThen>(detail) {
                self.told_erased_of.insert((stored.table, stored.row), told.through.min(stored.number));
            }
        } else if stored.action == i64::from(action::SEALED) {
            self.sealed_then = serde_json::from_str(detail).ok().map(|told| (told, stored.created));
        } else if stored.action == i64::from(action::RESTORED)
            && let Ok(told) = serde_json::from_str(detail)
        {
            self.restores.push((told, stored.number));
        }
    }

    /// Ends the verification.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let restores: Vec<RestoredThen> = {
            let former = self.gap.iter().flat_map(|gap| gap.facts.restores.iter().cloned());
            former.chain(self.restores.iter().map(|(told, _)| told.clone())).collect()
        };
        let mut lost = Vec::new();
        let (organization, keys) = (self.subject.organization, &self.keys);
        let is_signed = |restore: &RestoredThen| restore.proof(organization, keys) == RestoreProof::Signed;
        self.heads.retain(|(head, comparison)| {
            let by = restores.iter().find(|restore| {
                restore.epoch > head.epoch
                    && restore.after < head.number
                    // Whoever writes the database can say that there was a restore, but not sign it.
                    && (!head.restores_signed || is_signed(restore))
            });
            match (comparison, by) {
                (Comparison::Open | Comparison::Differs, Some(restore)) => {
                    lost.push((head.clone(), restore.clone()));
                    false
                }
                _ => true,
            }
        });
        let gap = self.gap_fault();
        let fault = self.first_fault(gap);
        let fitting = |comparison| self.heads.iter().filter(move |(_, found)| *found == comparison);
        Report {
            organization: self.subject.organization,
            epoch: self.subject.epoch,
            entries: self.seen,
            begin: self.begin.number,
            last: self.last,
            fault,
            heads: fitting(Comparison::Fits).count(),
            protected: fitting(Comparison::Fits).next_back().map(|(head, _)| head.clone()),
            lost,
            behind_gap: fitting(Comparison::BehindGap).count(),
            gap_checked: self.gap.as_ref().is_some_and(|gap| self.keys.has(&gap.key)),
            gap: self.gap.clone(),
            sealed_then: self.sealed_then.clone(),
            restores: self.restores.iter().map(|(told, _)| (told.clone(), self.proof(told))).collect(),
            erased: self.erased,
        }
    }

    fn proof(&self, told: &RestoredThen) -> RestoreProof {
        told.proof(self.subject.organization, &self.keys)
    }

    /// Whether the gap record accounts for the entries that are missing at the beginning.
    fn gap_fault(&self) -> Option<Fault> {
        let gap = self.gap.as_ref()?;
        let number = gap.facts.through;
        let why = if gap.facts.place().is_none() {
            "the gap record cannot be read"
        } else if gap.facts.organization != self.subject.organization {
            "the gap record is another organisation's"
        } else if self.told_gap.as_ref() != Some(gap) {
            "no sealed entry tells of it"
        } else if self.keys.has(&gap.key) && self.keys.check(gap).is_err() {
            "the signature of the gap record does not fit"
        } else if !self.keys.is_empty() && !self.keys.has(&gap.key) {
            "a key that was never published signed the gap record"
        } else {
            return None;
        };
        Some(Fault::Gap { number, why })
    }

    fn first_fault(&self, gap: Option<Fault>) -> Option<Fault> {
        let mut faults: Vec<Fault> = gap.into_iter().collect();
        faults.extend(self.stray.map(|number| Fault::Inserted { number }));
        let unexplained = |hole: &&Hole| !self.is_explained(hole);
        let missing = self.holes.iter().find(unexplained);
        faults.extend(missing.map(|hole| Fault::Removed { from: hole.from, through: hole.through }));
        let suspect = self.suspect_fault();
        let chain_holds = suspect.is_none() && faults.is_empty();
        faults.extend(suspect);
        let end = self.subject.place;
        if end.number > self.last.number {
            let (from, through) = (self.last.number.saturating_add(1), end.number);
            faults.push(Fault::EndRemoved { from, through, published: None });
        } else if chain_holds && end.chain != self.last.chain {
            faults.push(Fault::EndChanged { number: end.number });
        }
        faults.extend(self.erased_untold());
        let forged = self.restores.iter().find(|(told, _)| self.proof(told) == RestoreProof::Forged);
        faults.extend(forged.map(|(_, number)| Fault::Restore { number: *number }));
        faults.extend(self.published_fault(faults.is_empty()));
        faults.into_iter().min_by_key(Fault::number)
    }

    /// Numbers that no entry ever had: before the audit was sealed a refused request could leave some, and a restored
    /// organisation goes on behind those that it had given away. The chain goes on over these.
    fn is_explained(&self, hole: &Hole) -> bool {
        if self.suspects.iter().any(|suspect| suspect.number == hole.through.saturating_add(1)) {
            return false;
        }
        let sealed = self.sealed_then.as_ref().is_some_and(|(told, _)| hole.through <= told.through);
        sealed
            || self
                .restores
                .iter()
                .any(|(told, number)| told.after < hole.from && hole.through == number.saturating_sub(1))
    }

    /// What was done to the first entry that does not fit.
    fn suspect_fault(&self) -> Option<Fault> {
        let first = self.suspects.first()?;
        let number = first.number;
        // What stands behind missing entries cannot fit.
        if self.holes.iter().any(|hole| hole.through == number.saturating_sub(1) && !self.is_explained(hole)) {
            return Some(Fault::Changed { number });
        }
        let next = self.suspects.get(1).filter(|next| next.number == number.saturating_add(1));
        for other in self.suspects.iter().skip(1) {
            let Some(there) = other.belongs(&first.before, first) else { continue };
            // Beside each other, the second goes on from what the first truly was.
            let before = if other.number == number.saturating_add(1) { there } else { other.before };
            return Some(if first.belongs(&before, other).is_some() {
                Fault::Exchanged { number, with: other.number }
            } else if other.number == number.saturating_add(1) {
                Fault::Inserted { number }
            } else {
                Fault::Moved { number, to: other.number }
            });
        }
        if let (Some(computed), Some(next)) = (first.computed, next)
            && next.at(&computed, next.number) == next.stored
        {
            return Some(Fault::SealChanged { number });
        }
        if first.computed == Some(self.subject.place.chain) && number == self.last.number {
            return Some(Fault::SealChanged { number });
        }
        if let (Some(stored), Some(next)) = (first.stored, next)
            && next.at(&stored, next.number.saturating_add(1)) == next.stored
        {
            return Some(Fault::Removed { from: number, through: number });
        }
        Some(Fault::Changed { number })
    }

    fn erased_untold(&self) -> Option<Fault> {
        let told = |key: &(i64, Guid)| self.told_erased_of.get(key).copied().unwrap_or(0);
        let untold = self.erased_of.iter().filter(|(key, number)| told(key) < **number);
        untold.map(|(_, number)| *number).min().map(|number| Fault::Erased { number })
    }

    /// What published heads say against the chain; that it was written anew only where it holds in itself.
    fn published_fault(&self, whole: bool) -> Option<Fault> {
        let mut after = self.begin.number;
        for (head, comparison) in &self.heads {
            match comparison {
                Comparison::Fits => after = head.number,
                Comparison::Differs if whole => {
                    return Some(Fault::Rewritten { after, until: head.number, published: head.time });
                }
                Comparison::Open => {
                    let from = self.last.number.saturating_add(1);
                    return Some(Fault::EndRemoved { from, through: head.number, published: Some(head.time) });
                }
                _ => {}
            }
        }
        None
    }
}
