//! What a comparison met.

use std::collections::BTreeMap;

use custodia_schema::PrivilegeKind;

use crate::{ColumnRight, GrantPath, Refusal, TextSight, Verdict};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A right on an existing row, asked by a user for themselves.
    Row(PrivilegeKind),
    /// A right on an existing row, asked on behalf of another user.
    OnBehalf(PrivilegeKind),
    /// A new row.
    Create,
    /// A new row on behalf of another user.
    CreateOnBehalf,
    /// Another owner.
    Assign,
    /// A share.
    Share,
    /// A lookup from one row to another.
    Link,
    /// An N:N link.
    Associate,
    /// A column in an answer.
    ReadColumn,
    /// A column in a create.
    CreateColumn,
    /// A column in an update.
    UpdateColumn,
}

impl Operation {
    /// All operations.
    pub fn all() -> impl Iterator<Item = Self> {
        let rows = PrivilegeKind::ALL.into_iter().flat_map(|kind| [Self::Row(kind), Self::OnBehalf(kind)]);
        rows.chain([
            Self::Create,
            Self::CreateOnBehalf,
            Self::Assign,
            Self::Share,
            Self::Link,
            Self::Associate,
            Self::ReadColumn,
            Self::CreateColumn,
            Self::UpdateColumn,
        ])
    }

    /// The operation on a column.
    #[must_use]
    pub fn on_column(right: ColumnRight) -> Self {
        match right {
            ColumnRight::Read => Self::ReadColumn,
            ColumnRight::Create => Self::CreateColumn,
            ColumnRight::Update => Self::UpdateColumn,
        }
    }
}

/// Counts of what a comparison met: so many questions allowed and refused, by operation, by path and by reason.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    operations: BTreeMap<Operation, [u64; 2]>,
    paths: BTreeMap<GrantPath, u64>,
    only_paths: BTreeMap<GrantPath, u64>,
    refusals: BTreeMap<Refusal, u64>,
    sights: BTreeMap<TextSight, u64>,
}

impl Coverage {
    /// Counts one verdict.
    pub fn count(&mut self, operation: Operation, verdict: &Verdict) {
        if let Some(slot) = self.operations.entry(operation).or_default().get_mut(usize::from(verdict.allowed)) {
            *slot += 1;
        }
        for path in &verdict.paths {
            *self.paths.entry(*path).or_default() += 1;
        }
        if let (1, Some(only)) = (verdict.paths.len(), verdict.paths.first()) {
            *self.only_paths.entry(*only).or_default() += 1;
        }
        for refusal in &verdict.refusals {
            *self.refusals.entry(*refusal).or_default() += 1;
        }
    }

    /// Counts a question about a masked column.
    pub fn count_sight(&mut self, sight: TextSight) {
        *self.sights.entry(sight).or_default() += 1;
    }

    /// How often a masked column was seen so.
    #[must_use]
    pub fn sight(&self, sight: TextSight) -> u64 {
        self.sights.get(&sight).copied().unwrap_or(0)
    }

    /// Adds what another comparison met.
    pub fn add(&mut self, other: &Self) {
        for (operation, [refused, allowed]) in &other.operations {
            let slot = self.operations.entry(*operation).or_default();
            *slot = [slot[0] + refused, slot[1] + allowed];
        }
        for (path, count) in &other.paths {
            *self.paths.entry(*path).or_default() += count;
        }
        for (path, count) in &other.only_paths {
            *self.only_paths.entry(*path).or_default() += count;
        }
        for (refusal, count) in &other.refusals {
            *self.refusals.entry(*refusal).or_default() += count;
        }
        for (sight, count) in &other.sights {
            *self.sights.entry(*sight).or_default() += count;
        }
    }

    /// How often an operation was allowed.
    #[must_use]
    pub fn allowed(&self, operation: Operation) -> u64 {
        self.operations.get(&operation).map_or(0, |[_, allowed]| *allowed)
    }

    /// How often an operation was refused.
    #[must_use]
    pub fn refused(&self, operation: Operation) -> u64 {
        self.operations.get(&operation).map_or(0, |[refused, _]| *refused)
    }

    /// How often a path was open.
    #[must_use]
    pub fn path(&self, path: GrantPath) -> u64 {
        self.paths.get(&path).copied().unwrap_or(0)
    }

    /// How often a path was the only open one: closing it by mistake would have been noticed.
    #[must_use]
    pub fn only_path(&self, path: GrantPath) -> u64 {
        self.only_paths.get(&path).copied().unwrap_or(0)
    }

    /// How often a reason was met.
    #[must_use]
    pub fn refusal(&self, refusal: Refusal) -> u64 {
        self.refusals.get(&refusal).copied().unwrap_or(0)
    }

    /// All questions.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.operations.values().flatten().chain(self.sights.values()).sum()
    }

    /// A table for people.
    #[must_use]
    pub fn report(&self) -> String {
        let mut lines = vec![format!("{:32} {:>10} {:>10}", "operation", "allowed", "refused")];
        for (operation, [refused, allowed]) in &self.operations {
            lines.push(format!("{:32} {allowed:>10} {refused:>10}", format!("{operation:?}")));
        }
        lines.push(format!("{:32} {:>10} {:>10}", "path", "open", "the only"));
        for (path, count) in &self.paths {
            lines.push(format!("{:32} {count:>10} {:>10}", format!("{path:?}"), self.only_path(*path)));
        }
        lines.push(format!("{:32} {:>10}", "refusal", "met"));
        for (refusal, count) in &self.refusals {
            lines.push(format!("{:32} {count:>10}", format!("{refusal:?}")));
        }
        lines.push(format!("{:32} {:>10}", "masked text", "asked"));
        for (sight, count) in &self.sights {
            lines.push(format!("{:32} {count:>10}", format!("{sight:?}")));
        }
        lines.join("\n")
    }
}
