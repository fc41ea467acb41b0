//! The handle of one organisation.

use std::collections::HashMap;
use std::sync::Arc;

use custodia_access::{Authority, Rights};
use custodia_schema::{Guid, Schema};
use custodia_store::{Clock, Database, Random, Transaction, new_id};
use parking_lot::RwLock;

use crate::caller::{Caller, Origin};
use crate::error::{Error, Result};
use crate::jobs::JobBell;
use crate::limits::WorkLimits;
use crate::settings::SettingsCache;

/// Users whose rights are kept; beyond, all are forgotten and read again.
const RIGHTS_KEPT_MAX: usize = 10_000;

/// One organisation. Cheap to clone; all clones share the database and what is cached.
#[derive(Clone)]
pub struct Organization {
    pub(crate) shared: Arc<Shared>,
    pub(crate) rehearses: bool,
}

pub(crate) struct Shared {
    pub database: Database,
    pub name: String,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    rights: RwLock<HashMap<Guid, Arc<Rights>>>,
    pub settings: SettingsCache,
    pub limits: WorkLimits,
    pub bell: Option<Arc<dyn JobBell>>,
}

impl Organization {
    /// The gate over one organisation's database.
    #[must_use]
    pub fn new(name: &str, database: Database, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self::with_limits(name, database, clock, random, WorkLimits::default(), None)
    }

    /// The same within limits; `bell` is rung before a job is made.
    #[must_use]
    pub fn with_limits(
        name: &str,
        database: Database,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        limits: WorkLimits,
        bell: Option<Arc<dyn JobBell>>,
    ) -> Self {
        let shared = Shared {
            database,
            name: name.to_owned(),
            clock,
            random,
            rights: RwLock::new(HashMap::new()),
            settings: SettingsCache::default(),
            limits,
            bell,
        };
        Self { shared: Arc::new(shared), rehearses: false }
    }

    /// The same organisation as a rehearsal: what its write operations would do is validated, authorised and worked out to
    /// the end, answered as if it had been done, and not stored. Reads are real.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), rehearses: true }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Guid {
        self.shared.database.organization()
    }

    /// Its name in URLs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its tables and relationships.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.shared.database.schema()
    }

    /// Its database: for backups, counters and health; records are reached through this handle's own methods.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    /// Whether nobody but the holder of this handle has one, nor any request of its at work: the database may be closed.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    /// A fresh time-ordered id.
    #[must_use]
    pub fn new_id(&self) -> Guid {
        new_id(self.shared.clock.as_ref(), self.shared.random.as_ref())
    }

    /// What a caller may do, as far as is known: a read proves it against the snapshot it reads.
    pub(crate) async fn authority(&self, caller: &Caller) -> Result<Authority> {
        if let Origin::Platform(name) = caller.origin {
            return Ok(Authority::platform(name));
        }
        let rights = self.rights(caller.user).await?;
        match caller.acting_for {
            None => Ok(Authority::user(rights)),
            Some(user) => Ok(Authority::on_behalf(rights, self.rights(user).await?)?),
        }
    }

    /// The rights of a user, read if not known.
    pub(crate) async fn rights(&self, user: Guid) -> Result<Arc<Rights>> {
        if let Some(rights) = self.shared.known_rights(user) {
            return Ok(rights);
        }
        let facts = custodia_store::retry_stale(|| self.shared.database.user_facts(user)).await?;
        let facts = facts.ok_or_else(|| Error::NotFound { table: "systemuser".to_owned(), id: user })?;
        let rights = Arc::new(Rights::build(&self.schema(), &facts));
        self.shared.keep_rights(user, &rights);
        Ok(rights)
    }

    /// Whether the answer to a read rests on rights that are not the present ones: the snapshot showed another version, or
    /// it is a refusal, for which no snapshot was read. They are forgotten then, and the read is to be done again. `users`
    /// are those whose rights were asked.
    pub(crate) async fn is_outdated<T>(&self, users: &[Guid], answer: &Result<T>) -> Result<bool> {
        let outdated = match answer {
            Err(Error::Denied(_)) => {
                let head = self.shared.database.head().await?;
                let present = u64::try_from(head.versions.security).unwrap_or(0);
                let is_present = |user: &Guid| self.shared.known_rights(*user).map(|rights| rights.security_version());
                !users.iter().all(|user| is_present(user) == Some(present))
            }
            Err(error) => custodia_store::IsStale::is_stale(error),
            Ok(_) => false,
        };
        if outdated {
            self.forget_rights(users);
        }
        Ok(outdated)
    }

    /// Has the rights of these users read again when they are needed next.
    pub(crate) fn forget_rights(&self, users: &[Guid]) {
        let mut known = self.shared.rights.write();
        users.iter().for_each(|user| drop(known.remove(user)));
    }
}

impl Shared {
    fn known_rights(&self, user: Guid) -> Option<Arc<Rights>> {
        self.rights.read().get(&user).cloned()
    }

    fn keep_rights(&self, user: Guid, rights: &Arc<Rights>) {
        let mut known = self.rights.write();
        if known.len() >= RIGHTS_KEPT_MAX {
            known.clear();
        }
        known.insert(user, Arc::clone(rights));
    }

    /// What a caller may do inside a write batch: exactly, since the head is locked.
    pub(crate) async fn authority_in(&self, transaction: &mut Transaction, caller: &Caller) -> Result<Authority> {
        if let Origin::Platform(name) = caller.origin {
            return Ok(Authority::platform(name));
        }
        let rights = self.rights_in(transaction, caller.user).await?;
        match caller.acting_for {
            None => {
                if rights.is_disabled() {
                    return Err(Error::Denied(custodia_access::Denied::Disabled { user: caller.user }));
                }
                Ok(Authority::user(rights))
            }
            Some(user) => Ok(Authority::on_behalf(rights, self.rights_in(transaction, user).await?)?),
        }
    }

    /// The rights of a user inside a write batch.
    pub(crate) async fn rights_in(&self, transaction: &mut Transaction, user: Guid) -> Result<Arc<Rights>> {
        let version = u64::try_from(transaction.versions().security).unwrap_or(0);
        if let Some(rights) = self.known_rights(user).filter(|rights| rights.security_version() == version) {
            return Ok(rights);
        }
        let facts = transaction.user_facts(user).await?;
        let facts = facts.ok_or_else(|| Error::NotFound { table: "systemuser".to_owned(), id: user })?;
        let rights = Arc::new(Rights::build(transaction.schema(), &facts));
        // Versions of a batch that is still open may be given again to other facts if it is rolled back.
        if transaction.versions_are_committed() {
            self.keep_rights(user, &rights);
        }
        Ok(rights)
    }
}
