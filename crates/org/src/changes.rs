//! Several changes in one transaction: all of them or none.
//!
//! One change of a list sees what those before it wrote, and is authorised as a request of its own: with the rights as the
//! changes before it left them, and for its own caller.

use custodia_access::RightsMask;
use custodia_schema::Guid;
use custodia_store::IsStale;
use futures::future::BoxFuture;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::input::{Precondition, RecordInput, Reference};
use crate::jobs::BulkDelete;
use crate::link::LinkRequest;
use crate::merge::MergeRequest;
use crate::organization::Organization;
use crate::record_team::RecordTeamMember;
use crate::roles::RoleChange;
use crate::share::Sharing;
use crate::writing::{Upserted, Writing, Written};

/// One change of records, as it can stand in a list of others.
#[derive(Clone, Debug)]
pub enum Change {
    /// Makes a record; see [`Organization::create`].
    Create(RecordInput),
    /// Changes a record that exists; see [`Organization::update`].
    Update {
        /// The record.
        target: Reference,
        /// What changes.
        input: RecordInput,
        /// What must hold of it.
        when: Precondition,
    },
    /// Changes a record or makes it; see [`Organization::upsert`].
    Upsert {
        /// The record.
        target: Reference,
        /// What it shall hold.
        input: RecordInput,
        /// What must hold of it.
        when: Precondition,
    },
    /// Removes a record; see [`Organization::delete`].
    Delete {
        /// The record.
        target: Reference,
        /// What must hold of it.
        when: Precondition,
    },
    /// Links two records; see [`Organization::associate`].
    Associate(LinkRequest),
    /// Takes a link away; see [`Organization::disassociate`].
    Disassociate(LinkRequest),
    /// Links several pairs, of which some may be linked already; see [`Organization::associate_all`].
    AssociateAll(Vec<LinkRequest>),
    /// Takes several links away; see [`Organization::disassociate_all`].
    DisassociateAll(Vec<LinkRequest>),
    /// Adds rights to those a record is shared with; see [`Organization::grant_access`].
    Grant(Reference, Guid, RightsMask),
    /// Replaces the rights a record is shared with; see [`Organization::modify_access`].
    Modify(Reference, Guid, RightsMask),
    /// Takes a share away; see [`Organization::revoke_access`].
    Revoke(Reference, Guid),
    /// Adds a user to the access team of a record; see [`Organization::add_to_record_team`].
    AddToRecordTeam(RecordTeamMember),
    /// Takes a user out of it; see [`Organization::remove_from_record_team`].
    RemoveFromRecordTeam(RecordTeamMember),
    /// Changes the privileges of a role; see [`Organization::change_role`].
    Role(Guid, RoleChange),
    /// Merges two records; see [`MergeRequest`].
    Merge(MergeRequest),
    /// Takes the values out of the audit entries of a record that the caller may read the history of.
    EraseHistory(Reference),
    /// Makes a job that deletes records in steps, of this id; see [`BulkDelete`].
    BulkDelete(Guid, BulkDelete),
    /// Several, in this order.
    All(Vec<Change>),
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A record was made or changed.
    Written(Written),
    /// A record was made or changed, whichever was needed.
    Upserted(Upserted),
    /// So many audit entries lost their values.
    Erased(u64),
    /// Done; there is nothing to tell.
    Done,
    /// What each of several did, in their order.
    All(Vec<Changed>),
}

impl Changed {
    /// Whether payment card numbers were left out of any of it, and the caller is to be told.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        match self {
            Self::Written(written) | Self::Upserted(Upserted { written, .. }) => written.masked,
            Self::Erased(_) | Self::Done => false,
            Self::All(all) => all.iter().any(Self::is_masked),
        }
    }
}

impl Change {
    /// Records and links that it names to be changed; what goes with them is not counted.
    fn records(&self) -> usize {
        match self {
            Self::AssociateAll(requests) | Self::DisassociateAll(requests) => requests.len(),
            Self::Role(_, RoleChange::Add(privileges) | RoleChange::Replace(privileges)) => privileges.len(),
            Self::All(changes) => changes.iter().map(Self::records).fold(0, usize::saturating_add),
            _ => 1,
        }
    }

    /// Whether a job comes of it.
    pub(crate) fn makes_a_job(&self) -> bool {
        match self {
            Self::BulkDelete(..) => true,
            Self::All(changes) => changes.iter().any(Self::makes_a_job),
            _ => false,
        }
    }
}

impl Organization {
    /// Makes one change.
    ///
    /// # Errors
    /// See [`Error`]; nothing is stored then. [`Error::Part`] where one of several failed.
    pub async fn change(&self, caller: &Caller, change: Change) -> Result<Changed> {
        self.require_few(change.records())?;
        if matches!(change, Change::BulkDelete(..)) {
            self.check_may_delete_in_bulk(caller).await?;
        }
        if change.makes_a_job() {
            self.announce().await?;
        }
        let change = self.with_ids(change);
        self.in_transaction(caller, move |writing| {
            let change = change.clone();
            Box::pin(async move { writing.change(change).await })
        })
        .await
    }

    /// Makes several changes, each for its own caller, in one transaction: all of them or none.
    ///
    /// # Errors
    /// [`Error::Part`] with the place of the one that failed; see [`Error`]. Nothing is stored then.
    pub async fn change_all(&self, changes: Vec<(Caller, Change)>) -> Result<Vec<Changed>> {
        let mut many = 0_usize;
        for (at, (_, change)) in changes.iter().enumerate() {
            many = many.saturating_add(change.records());
            self.require_few(many).map_err(|error| part(at, error))?;
        }
        let Some((first, change)) = changes.first() else { return Ok(Vec::new()) };
        let first = first.clone();
        // Changes before a job may be what gives its caller the right.
        if matches!(change, Change::BulkDelete(..)) {
            self.check_may_delete_in_bulk(&first).await.map_err(|error| part(0, error))?;
        }
        if changes.iter().any(|(_, change)| change.makes_a_job()) {
            self.announce().await?;
        }
        let changes: Vec<_> = changes.into_iter().map(|(caller, change)| (caller, self.with_ids(change))).collect();
        self.in_transaction(&first, move |writing| {
            let changes = changes.clone();
            Box::pin(async move { writing.change_in_order(changes).await })
        })
        .await
    }

    /// Refuses more changes than one request makes: while it writes, no other of the organisation does.
    fn require_few(&self, many: usize) -> Result<()> {
        let limit = self.shared.limits.change_records as usize;
        if many > limit { Err(Error::TooManyChanges { limit }) } else { Ok(()) }
    }

    /// Draws the ids of records that are made, so that a second run of the request makes the same.
    fn with_ids(&self, change: Change) -> Change {
        let drawn = |input: RecordInput| input.with_id(|| self.new_id());
        match change {
            Change::Create(input) => Change::Create(drawn(input)),
            Change::Upsert { target, input, when } => Change::Upsert { target, input: drawn(input), when },
            Change::All(changes) => Change::All(changes.into_iter().map(|change| self.with_ids(change)).collect()),
            other => other,
        }
    }
}

impl Writing<'_> {
    async fn change(&mut self, change: Change) -> Result<Changed> {
        let done = |()| Changed::Done;
        match change {
            Change::Create(input) => self.create(input).await.map(Changed::Written),
            Change::Update { target, input, when } => self.update(&target, input, when).await.map(Changed::Written),
            Change::Upsert { target, input, when } => {
                let fresh = input.id.unwrap_or_else(|| self.fresh.id());
                self.upsert(&target, input, when, fresh).await.map(Changed::Upserted)
            }
            Change::Delete { target, when } => self.delete(&target, when).await.map(done),
            Change::Associate(request) => self.associate(&request).await.map(done),
            Change::Disassociate(request) => self.disassociate(&request).await.map(done),
            Change::AssociateAll(requests) => self.associate_all(&requests).await.map(done),
            Change::DisassociateAll(requests) => self.disassociate_all(&requests).await.map(done),
            Change::Grant(target, principal, rights) => {
                self.share(&target, principal, Sharing::Grant(rights)).await.map(done)
            }
            Change::Modify(target, principal, rights) => {
                self.share(&target, principal, Sharing::Modify(rights)).await.map(done)
            }
            Change::Revoke(target, principal) => self.share(&target, principal, Sharing::Revoke).await.map(done),
            Change::AddToRecordTeam(member) => {
                let id = self.add_to_record_team(&member).await?;
                Ok(Changed::Written(Written { id, version: 0, masked: false }))
            }
            Change::RemoveFromRecordTeam(member) => {
                let id = self.remove_from_record_team(&member).await?;
                Ok(Changed::Written(Written { id, version: 0, masked: false }))
            }
            Change::Role(role, change) => self.change_role(role, &change).await.map(done),
            Change::Merge(request) => self.merge(request).await.map(done),
            Change::EraseHistory(target) => self.erase_record_history(&target).await.map(Changed::Erased),
            Change::BulkDelete(job, request) => self.bulk_delete(job, &request).await.map(Changed::Written),
            Change::All(changes) => {
                let caller = self.caller.clone();
                let changes = changes.into_iter().map(|change| (caller.clone(), change)).collect();
                self.change_in_order(changes).await.map(Changed::All)
            }
        }
    }

    /// Makes one change after the other. Boxed, since a list may stand in a list.
    fn change_in_order(&mut self, changes: Vec<(Caller, Change)>) -> BoxFuture<'_, Result<Vec<Changed>>> {
        Box::pin(async move {
            let last = changes.len().saturating_sub(1);
            let mut done = Vec::with_capacity(changes.len());
            for (at, (caller, change)) in changes.into_iter().enumerate() {
                let changed = self.change_within(caller, change, at < last).await;
                done.push(changed.map_err(|error| part(at, error))?);
            }
            Ok(done)
        })
    }

    /// Makes one change of several; where others follow, its writes are run, so that they see them and errors are its own.
    async fn change_within(&mut self, caller: Caller, change: Change, others_follow: bool) -> Result<Changed> {
        self.authority = self.shared.authority_in(self.transaction, &caller).await?;
        self.caller = caller;
        let changed = self.change(change).await?;
        if others_follow {
            self.settle_inherited().await?;
            self.transaction.flush().await?;
        }
        Ok(changed)
    }
}

/// Says which of several changes failed. What is only to be run again is no failure of any.
fn part(at: usize, error: Error) -> Error {
    if error.is_stale() { error } else { Error::Part { at, error: Box::new(error) } }
}
