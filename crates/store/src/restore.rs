//! Bringing an organisation back from a backup: into a new organisation, or in place of the one that is there.
//!
//! The backup is copied into the data folder and proved whole first; then a new database is filled under a name of its
//! own, encrypted with a key of its own, and compared with what the backup says of itself. Only then does the control
//! database point at it. Until that moment nothing has changed, and an organisation that is replaced stays in use.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use custodia_access::{Authority, Permit};
use custodia_schema::{Guid, PrivilegeKind, Value};

use crate::backup::{copy_pages, require_complete, write_measures};
use crate::container::Container;
use crate::content::Content;
use crate::control::{Organization, OrganizationState};
use crate::credentials::{EVERYBODY, SESSIONS_ENDED};
use crate::database::{Database, off_the_worker};
use crate::head::{Head, Versions};
use crate::keys::{KEY_BYTES, MasterKey, data_key};
use crate::link::Link;
use crate::postgres::PostgresConnection;
use crate::seal::existing::of_the_platform;
use crate::seal::gap::{RestoreFacts, RestoredThen};
use crate::seal::published::KeyRing;
use crate::snapshot::Snapshot;
use crate::sql::{RowKey, internal};
use crate::sqlite::SqliteFile;
use crate::store::Store;
use crate::transaction::Transaction;
use crate::unfinished::Unfinished;
use crate::{Error, Result, audit_action};

/// What was restored, as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreReport {
    /// The organisation's name.
    pub organization: String,
    /// Its id.
    pub id: Guid,
    /// It took the place of the organisation of that name.
    pub replaced: bool,
    /// Why the database that it took the place of could not be read any more.
    pub lost: Option<String>,
    /// The last change that was in the backup.
    pub number: i64,
    /// When the backup was begun, seconds since 1970.
    pub taken: i64,
    /// The records that were in the backup.
    pub content: Content,
    /// Length of the backup.
    pub bytes: u64,
    /// How long it took.
    pub milliseconds: u64,
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.replaced { "was put back" } else { "was made from the backup" };
        writeln!(f, "organisation {} {how} as of change {}", self.organization, self.number)?;
        if let Some(why) = &self.lost {
            writeln!(
                f,
                "its database could not be read ({why}): version numbers go on above all that it can have given away, {NUMBERS_LEFT_OUT} for each restore since the backup"
            )?;
        }
        write_measures(f, &self.content, self.bytes, self.milliseconds)?;
        write!(
            f,
            "\nWhoever could sign in when the backup was taken can sign in to it again, with the password of then, and nobody \
             goes on with a token of before: 'custodia org suspend {}' closes it to everybody",
            self.organization
        )
    }
}

/// How many numbers a database is taken to give away between the moment that is known and its last one: from when its head is read
/// until it is replaced, and from its backup on if it cannot tell any more. In that time nobody writes as much. Each epoch leaves out as
/// many: two million of them stay below 2^53, up to which every client counts.
const NUMBERS_LEFT_OUT: i64 = 1 << 32;
/// How far ahead the sessions of a restored organisation are ended, in seconds: until then the last node has let go of what is
/// replaced, which gives out tokens as long as it is in use. What the new one gives out says that it is of after that. Restores that
/// follow each other sooner end them as far ahead of the last end each.
const ENDED_AHEAD_SECONDS: i64 = 3_600;

/// Refuses a backup that this master key does not open. Nothing else of it is proved.
///
/// # Errors
/// [`Error::Key`] for another master key's; [`Error::Backup`] as [`Store::restore`].
pub fn require_key_of_backup(backup: &Path, master: &MasterKey) -> Result<()> {
    let mut key = Container::open(backup)?.manifest.unwrap_key(master)?;
    key.fill(0);
    Ok(())
}

/// Id and name of the organisation that a backup says it is of. Nothing of it is proved.
///
/// # Errors
/// [`Error::Backup`] as [`Store::restore`].
pub fn organization_of_backup(backup: &Path) -> Result<(Guid, String)> {
    let manifest = Container::open(backup)?.manifest;
    Ok((manifest.organization, manifest.name))
}

/// The database that becomes an organisation's.
struct Target {
    organization: Organization,
    /// The organisation that the backup is of.
    origin: Guid,
    /// The numbers that it goes on with.
    head: Head,
    /// When the database that it replaces last ended sessions, seconds since 1970, as far as that is known.
    ended: i64,
    /// As how many restores it ends them: this one, and those that may have ended them later than is known.
    restores: i64,
    /// What its audit tells of the restore.
    told: RestoredThen,
    /// Why the database that it replaces cannot tell which numbers it has given away.
    lost: Option<String>,
}

/// What a database has given away.
enum Given {
    /// These numbers, and tokens that say they are of after the last end of sessions, seconds since 1970.
    Until { head: Head, ended: i64 },
    /// It is lost: why.
    Unknown(String),
}

impl Store {
    /// Restores the backup at `from`: as a new organisation called `name` (or as it was called), or, with `replace`, in
    /// place of the organisation of that name. Replacing throws away everything that was written since the backup. An entry
    /// of the audit tells of it, signed with the installation's key.
    ///
    /// # Errors
    /// [`Error::Backup`] for a file that is damaged, cut short or none; [`Error::Key`] for another master key's;
    /// [`Error::TooNew`] for a newer program's; [`Error::Destroyed`] for that of an organisation that was deleted here;
    /// [`Error::OrganizationName`] when the name is in use (without `replace`); [`Error::NoOrganization`] when there is
    /// nothing to replace. Nothing has changed then.
    pub async fn restore(
        &self,
        from: &Path,
        name: Option<&str>,
        replace: bool,
        ring: &KeyRing,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<RestoreReport> {
        let begun = self.services().clock.monotonic_ms();
        let _turn = self.restoring.lock().await;
        let mut backup = off_the_worker(|| Container::open(from))?;
        let mut key = backup.manifest.unwrap_key(self.master())?;
        let restored = self.restore_with(&mut backup, &mut key, (name, replace), ring, progress).await;
        key.fill(0);
        let (organization, content, replaced, lost) = restored?;
        Ok(RestoreReport {
            organization: organization.name,
            id: organization.id,
            replaced,
            lost,
            number: backup.manifest.number,
            taken: backup.manifest.taken,
            content: content.of_records(),
            bytes: backup.bytes(),
            milliseconds: self.services().clock.monotonic_ms().saturating_sub(begun),
        })
    }

    async fn restore_with(
        &self,
        backup: &mut Container,
        key: &mut [u8; KEY_BYTES],
        (name, replace): (Option<&str>, bool),
        ring: &KeyRing,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(Organization, Content, bool, Option<String>)> {
        backup.prove(key)?;
        let manifest = &backup.manifest;
        if let Some(name) = self.control().destroyed(manifest.organization).await? {
            return Err(Error::Destroyed { name });
        }
        let name = name.unwrap_or(&manifest.name).to_owned();
        // Another node may have made it or put it back since the organisations were read.
        self.control().reload().await?;
        let existing = self.replaced_by(&name, replace)?;
        if let Some(existing) = &existing {
            self.remove_spares(Some(existing.id)).await;
        }
        let expected = manifest.content()?;
        if expected.hash().to_string() != manifest.hash {
            return Err(Error::Corrupt("the backup's counts and hashes contradict each other".to_owned()));
        }

        progress("copying the backup");
        self.make_databases_folder()?;
        let source = Unfinished::beside(&self.path_of("backup"), self.new_id())?;
        off_the_worker(|| backup.extract(source.path()))?;
        progress("checking the backup");
        let found = self.checked(source.path(), key).await?;
        if let Some(difference) = found.difference(&expected) {
            return Err(Error::Corrupt(format!("the backup does not hold what it says: {difference}")));
        }
        let file = Arc::new(SqliteFile::open(source.path(), Some(data_key(key)), self.plain_files())?);
        // A backup of an older program comes forward here, before anything depends on it.
        crate::migration::bring_forward(&Link::Sqlite(Arc::clone(&file)), self.services()).await?;
        let snapshot = Arc::new(Snapshot::of_file(&file)?);
        let expected = self.everything(&snapshot).await?;

        let target = self.target(backup, name, existing.as_deref(), snapshot.head().await?, ring).await?;
        match existing {
            None => self.control().insert(&target.organization).await?,
            Some(_) => self.note_spare(&target.organization).await?,
        }
        let _held = match self.fill(&target, &snapshot, &expected, existing.is_none(), progress).await {
            Ok(held) => held,
            Err(error) => {
                match existing {
                    None => self.forget(&target.organization).await,
                    // Nothing points at it, and nobody has its key.
                    Some(_) => self.remove_orphan(&target.organization).await,
                }
                return Err(error);
            }
        };
        if let Some(old) = &existing {
            self.switch(old, &target.organization, progress).await?;
        }
        Ok((target.organization, expected, existing.is_some(), target.lost))
    }

    /// Points the control database at the new database instead of the old one.
    async fn switch(
        &self,
        old: &Organization,
        new: &Organization,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        if let Err(error) = self.note_spare(old).await {
            self.remove_orphan(new).await;
            return Err(error);
        }
        if let Err(error) = self.control().replace(old, new).await {
            // The change may have been made although it was not answered: only who knows removes one of the two.
            let now = self.control().reload().await.ok().map(|()| self.control().find_id(old.id));
            match now {
                Some(Some(now)) if now.database == new.database => {}
                Some(_) => {
                    self.remove_orphan(new).await;
                    return Err(error);
                }
                None => return Err(error),
            }
        }
        progress("removing what was replaced");
        self.forget_open(old.id);
        self.remove_orphan(old).await;
        if let Err(error) = self.control().forget_spare(&new.database, self.now_ms()).await {
            tracing::debug!(%error, "it is the organisation's now, and is looked at once more at the next start");
        }
        Ok(())
    }

    /// Notes that the database of an organisation is to be removed if it is not the organisation's: whoever is killed leaves it.
    async fn note_spare(&self, organization: &Organization) -> Result<()> {
        self.control().note_spare(&organization.database, organization.id, self.now_ms()).await
    }

    /// Removes a database that the control database does not point at.
    async fn remove_orphan(&self, organization: &Organization) {
        let database = &organization.database;
        let removed = match self.drop_database(database).await {
            Ok(()) => self.control().forget_spare(database, self.now_ms()).await,
            failed => failed,
        };
        if let Err(error) = removed {
            tracing::error!(organization.name = %organization.name, database, %error, "a database that is not used any more could not be removed: that is tried again at the next start");
        }
    }

    /// Removes the databases that restores which were killed have made or replaced: those of one organisation, or all. On
    /// PostgreSQL another node may be at it: it is connected to what it makes until that is the organisation's. No more are begun
    /// with after the time that one statement may take.
    pub(crate) async fn remove_spares(&self, organization: Option<Guid>) {
        let spares = match self.control().spares().await {
            Ok(spares) => spares,
            Err(error) => {
                tracing::warn!(%error, "what killed restores have left could not be looked for");
                return;
            }
        };
        let services = self.services();
        let ends_ms = services.clock.monotonic_ms().saturating_add(services.limits.statement_ms);
        for (database, id, noted) in spares {
            if organization.is_some_and(|wanted| wanted != id) {
                continue;
            }
            if services.clock.monotonic_ms() > ends_ms {
                tracing::warn!("removing what killed restores left takes long: the rest is for the next start");
                return;
            }
            let removed = match self.drop_spare(id, &database).await {
                Ok(true) => self.control().forget_spare(&database, noted).await,
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) => tracing::warn!(organization.id = %id, database, "what a killed restore left was removed"),
                Err(error) => {
                    tracing::warn!(organization.id = %id, database, %error, "what a restore left, or is making, was not removed");
                }
            }
        }
    }

    /// The organisation that is replaced, if one is.
    fn replaced_by(&self, name: &str, replace: bool) -> Result<Option<Arc<Organization>>> {
        crate::control::check_name(name)?;
        match (self.control().find(name), replace) {
            (Some(existing), _) if existing.state == OrganizationState::Creating => Err(self.control().taken(name, "")),
            (Some(existing), true) => {
                require_complete(&existing)?;
                Ok(Some(existing))
            }
            (Some(_), false) => Err(self.control().taken(name, "; give another name with --org, or add --replace")),
            (None, true) => Err(Error::NoOrganization(name.to_owned())),
            (None, false) => Ok(None),
        }
    }

    /// Decides what the new database is to be: whose, under which key, in which epoch, and on from which numbers.
    async fn target(
        &self,
        backup: &Container,
        name: String,
        existing: Option<&Organization>,
        head: Head,
        ring: &KeyRing,
    ) -> Result<Target> {
        let manifest = &backup.manifest;
        // Numbers that the replaced organisation gives away until it is replaced are not given again: somebody may hold a version
        // number.
        let given = match existing {
            Some(old) => Some(self.given(old).await?),
            None => None,
        };
        let id = match existing {
            Some(old) => old.id,
            None if self.control().list().iter().any(|other| other.id == manifest.organization) => self.new_id(),
            None => manifest.organization,
        };
        let epoch = existing.map_or(0, |old| old.epoch).max(manifest.epoch).max(head.versions.epoch) + 1;
        let after = |head: Head| epoch.saturating_sub(head.versions.epoch);
        let (given, ended, restores, lost) = match given {
            // On another machine it goes on as the organisation that it was: what it gave away there is not known.
            None if id == manifest.organization => (beyond(head, after(head)), 0, 1, None),
            None => (head, 0, 1, None),
            Some(Given::Until { head: given, ended }) => (beyond(given, after(given)), ended, 1, None),
            Some(Given::Unknown(why)) => {
                // It may have been restored itself since the backup, a moment ago. What a backup of another organisation says of epochs
                // tells nothing of this one's: then all of them count.
                let restores = if id == manifest.organization { after(head) } else { epoch };
                (beyond(head, restores), 0, restores, Some(why))
            }
        };
        let database = self.database_name(&name, self.new_id());
        let mut organization = self.new_organization(id, &name, &manifest.display_name, database)?;
        organization.epoch = epoch;
        organization.created = existing.map_or(manifest.created, |old| old.created);
        organization.state = existing.map_or(OrganizationState::Creating, |old| old.state);
        let facts = RestoreFacts {
            organization: id,
            epoch,
            after: head.audit_number,
            taken: manifest.taken,
            lost: lost.is_some(),
        };
        let told = RestoredThen::signed(facts, ring)?;
        let head = Head {
            number: head.number.max(given.number),
            audit_number: head.audit_number.max(given.audit_number),
            versions: Versions {
                security: head.versions.security.max(given.versions.security) + 1,
                metadata: head.versions.metadata.max(given.versions.metadata) + 1,
                epoch,
            },
            commit_time: head.commit_time.max(given.commit_time),
        };
        Ok(Target { organization, origin: manifest.organization, head, ended, restores, told, lost })
    }

    /// What an organisation's database has given away.
    ///
    /// # Errors
    /// When it cannot be read for now: only what is lost for good is gone on without.
    async fn given(&self, organization: &Organization) -> Result<Given> {
        match self.given_until_now(organization).await {
            Ok(given) => Ok(given),
            Err(error) if is_lost(&error) => {
                Ok(Given::Unknown(error.said().map_or_else(|| error.to_string(), ToString::to_string)))
            }
            Err(error) => Err(error),
        }
    }

    async fn given_until_now(&self, organization: &Organization) -> Result<Given> {
        let database = self.open_database(organization).await?;
        Ok(Given::Until { head: database.head().await?, ended: last_end(&database).await? })
    }

    /// Why an organisation's database cannot be opened any more, if it is lost: removed, damaged, or something else.
    pub async fn lost_database(&self, organization: &Organization) -> Option<String> {
        match self.given(organization).await {
            Ok(Given::Unknown(why)) => Some(why),
            // What cannot be reached for now is not lost.
            Ok(Given::Until { .. }) | Err(_) => None,
        }
    }

    /// Makes, fills and checks the new database; that of a new organisation is in use then. While somebody holds the connection to
    /// it, nobody takes it for one that was left.
    async fn fill(
        &self,
        target: &Target,
        snapshot: &Arc<Snapshot>,
        expected: &Content,
        is_new: bool,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Option<PostgresConnection>> {
        let organization = &target.organization;
        progress("filling the new database");
        let mut held = None;
        let written = match self.postgres_settings() {
            Some(_) => {
                let connection = held.insert(self.make_postgres_database(&organization.database).await?);
                if !is_new {
                    // Who looked before it was there has removed nothing, and what was noted.
                    self.note_spare(organization).await?;
                }
                crate::transfer::to_postgres(snapshot, &self.services().schema, connection, progress).await?;
                let reading = Snapshot::of_connection(self.connect_unlimited(&organization.database).await?).await?;
                self.everything(&reading).await?
            }
            None => self.copy_file(organization, snapshot).await?,
        };
        if let Some(difference) = written.difference(expected) {
            return Err(Error::Corrupt(format!("the new database is not what the backup holds: {difference}")));
        }
        progress("opening the organisation");
        let database = self.open_anew(organization, &target.head).await?;
        take_identity(&database, target.origin, organization.id).await?;
        end_sessions(&database, target.ended, target.restores).await?;
        tell_of_restore(&database, &target.told).await?;
        drop(database);
        if is_new {
            self.control().set_state(organization, OrganizationState::Active).await?;
        } else if let Some(held) = &held {
            held.run(internal::NOTHING).await?;
        }
        Ok(held)
    }

    /// The new file of an embedded database: every page is encrypted anew.
    async fn copy_file(&self, organization: &Organization, snapshot: &Snapshot) -> Result<Content> {
        let path = self.path_of(&organization.database);
        let part = Unfinished::beside(&path, self.new_id())?;
        let mut key = organization.data_key_bytes(self.master())?;
        let copied = match copy_pages(snapshot, &part, &key) {
            Ok(()) => self.checked(part.path(), &key).await,
            Err(error) => Err(error),
        };
        key.fill(0);
        let content = copied?;
        off_the_worker(|| part.publish(&path))?;
        Ok(content)
    }
}

/// Whether a database that could not be opened is gone or damaged, rather than out of reach for now.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Corrupt(_) | Error::Key(_))
        || crate::sqlite::is_file_lost(error)
        || crate::postgres::is_database_missing(error)
        || crate::postgres::is_table_missing(error)
}

/// Numbers that a database which has come to `head` does not come to in so many restores from it on: each begins an epoch, and goes
/// on from here as well.
fn beyond(head: Head, restores: i64) -> Head {
    let left_out = NUMBERS_LEFT_OUT.saturating_mul(restores);
    let beyond = |number: i64| number.saturating_add(left_out);
    Head {
        number: beyond(head.number),
        audit_number: beyond(head.audit_number),
        versions: Versions {
            security: beyond(head.versions.security),
            metadata: beyond(head.versions.metadata),
            epoch: head.versions.epoch,
        },
        commit_time: head.commit_time,
    }
}

/// A copy beside its original, or in the place of another one, is an organisation of its own: the record that stands for
/// the organisation takes the new id.
async fn take_identity(database: &Database, old: Guid, new: Guid) -> Result<()> {
    if old == new {
        return Ok(());
    }
    database
        .write(move |transaction: &mut Transaction| {
            Box::pin(async move {
                let Some(table) = transaction.schema().table_named("organization").cloned() else { return Ok(()) };
                if !transaction.has_table(table.id) {
                    return Ok(());
                }
                let Some(row) = transaction.fetch(&table, &RowKey::Id(old), &[]).await? else { return Ok(()) };
                let permit = |kind| Permit::platform(&Authority::platform("restore"), &table, kind);
                transaction.delete(permit(PrivilegeKind::Delete)?, &table, &row)?;
                let values: Vec<_> = row.values().iter().filter(|(_, value)| *value != Value::Null).cloned().collect();
                transaction.insert(permit(PrivilegeKind::Create)?, &table, new, values)?;
                Ok::<(), Error>(())
            })
        })
        .await
}

/// Whoever signed in to what is replaced, until it is, to what a copy was made of, or before the backup was taken, signs in anew: a
/// backup does not know what has been ended since. The end is known before anybody opens the new database, so that nothing of before
/// opens it for a moment.
async fn end_sessions(database: &Database, ended: i64, restores: i64) -> Result<()> {
    // The backup itself may have been taken soon after a restore.
    let ended = last_end(database).await?.max(ended);
    let ahead = ENDED_AHEAD_SECONDS.saturating_mul(restores);
    database
        .write(move |transaction: &mut Transaction| {
            let time = transaction.now().max(ended).saturating_add(ahead);
            transaction.remove_refresh_tokens();
            transaction.end_sessions_at(EVERYBODY, time);
            Box::pin(std::future::ready(Ok::<(), Error>(())))
        })
        .await
}

/// When a database last ended anybody's sessions, seconds since 1970.
async fn last_end(database: &Database) -> Result<i64> {
    let ends = database.credentials_changed_since(SESSIONS_ENDED, 0).await?;
    Ok(ends.into_iter().map(|(_, ended)| ended).max().unwrap_or(0))
}

/// The audit goes on behind the numbers that were given away: an entry says why.
async fn tell_of_restore(database: &Database, told: &RestoredThen) -> Result<()> {
    let entry = Arc::new(of_the_platform("restore", audit_action::RESTORED, told)?);
    database
        .write(move |transaction: &mut Transaction| {
            transaction.audit(&entry);
            Box::pin(std::future::ready(Ok::<(), Error>(())))
        })
        .await
}

/// The head that a restored database goes on with.
pub(crate) async fn set_head(link: &Link, head: &Head) -> Result<()> {
    link.begin().await?;
    link.execute(&internal::update_head(head)).await?;
    link.run(internal::COMMIT).await
}

#[cfg(test)]
mod tests;
