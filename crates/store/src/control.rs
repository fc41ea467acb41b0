//! The control database: which organisations exist, in what state, and where their databases are. It is the truth that
//! the machinery starts from; everything about customers' records is elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use custodia_schema::Guid;

use crate::ambient::Random;
use crate::connection_slot::ConnectionSlot;
use crate::keys::{KEY_BYTES, MasterKey};
use crate::link::{Link, rows};
use crate::quota::{OrganizationLimit, OrganizationLimits};
use crate::sql::control as statements;
use crate::sqlite::SqliteFile;
use crate::{Error, Result};

/// Longest name of an organisation, in characters: it is part of host names and of database names.
pub const ORGANIZATION_NAME_MAX: usize = 40;

/// Names that routes of the service itself use, now or later: no organisation may take them.
const RESERVED_NAMES: &[&str] =
    &["service", "status", "trust", "health", "metrics", "api", "assets", "oauth2", "admin", "www"];

/// Whether an organisation can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationState {
    /// Being made: its database is not complete yet.
    Creating,
    /// In use.
    Active,
    /// Closed to all requests until it is resumed; its data stays.
    Suspended,
    /// Its data is being destroyed.
    Deleting,
}

impl OrganizationState {
    /// The word that is stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Creating, Self::Active, Self::Suspended, Self::Deleting].into_iter().find(|state| state.word() == word)
    }
}

/// An organisation as the control database knows it.
#[derive(Clone)]
pub struct Organization {
    /// Its id.
    pub id: Guid,
    /// Its name in URLs and commands.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// Whether it can be used.
    pub state: OrganizationState,
    /// When it was made, seconds since 1970.
    pub created: i64,
    /// Grows when it is restored, moved or failed over; 0 of one that is removed before it was in use.
    pub epoch: i64,
    /// The file, or the PostgreSQL database, that holds its records.
    pub database: String,
    /// What it may use, where that is not what every organisation may.
    pub limits: OrganizationLimits,
    wrapped_key: Vec<u8>,
}

impl std::fmt::Debug for Organization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Organization").field("name", &self.name).field("state", &self.state).finish_non_exhaustive()
    }
}

/// How the control database is reached.
pub(crate) enum Door {
    /// Its file.
    File(Arc<SqliteFile>),
    /// Its server, by a connection that is replaced when it broke.
    Server(ConnectionSlot),
}

impl Door {
    async fn link(&self) -> Result<Link> {
        match self {
            Self::File(file) => {
                file.require_in_place()?;
                Ok(Link::Sqlite(Arc::clone(file)))
            }
            Self::Server(connection) => Ok(Link::Postgres(connection.connected().await?)),
        }
    }

    /// Moves what was changed from the log into the file: without the control database nothing else can be read, and its file
    /// may be all that is left of it. A change is durable before that.
    fn empty_log(&self) {
        if let Self::File(file) = self
            && let Err(error) = file.empty_log()
        {
            tracing::warn!(%error, "the log of the control database could not be moved into its file");
        }
    }

    /// Whether it leads to a control database, not to a PostgreSQL database in which nobody made its tables.
    pub(crate) async fn has_tables(&self) -> Result<bool> {
        let link = self.link().await?;
        match rows(&link, &statements::select_organizations(), |_| Some(())).await {
            Ok(_) => Ok(true),
            Err(error) if crate::postgres::is_table_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The control database of an installation, with its organisations in memory.
pub(crate) struct Control {
    door: Door,
    one_at_a_time: tokio::sync::Mutex<()>,
    known: ArcSwap<HashMap<String, Arc<Organization>>>,
}

impl Control {
    /// Takes over a control database, making its tables in an empty one.
    pub(crate) async fn open(door: Door) -> Result<Self> {
        let link = door.link().await?;
        for sql in statements::create(link.dialect()) {
            link.run(&sql).await?;
        }
        door.empty_log();
        let this =
            Self { door, one_at_a_time: tokio::sync::Mutex::new(()), known: ArcSwap::from_pointee(HashMap::new()) };
        this.reload().await?;
        Ok(this)
    }

    /// Reads the organisations again: another node may have changed them.
    pub(crate) async fn reload(&self) -> Result<()> {
        let _turn = self.one_at_a_time.lock().await;
        self.reload_in_turn().await
    }

    async fn reload_in_turn(&self) -> Result<()> {
        let link = self.door.link().await?;
        let mut limits: HashMap<Guid, OrganizationLimits> = HashMap::new();
        let own = rows(&link, &statements::select_limits(), |row| {
            Some((row.guid(0)?, OrganizationLimit::of_word(row.text(1)?), u64::try_from(row.integer(2)?).ok()?))
        })
        .await?;
        for (id, limit, value) in own {
            // A limit that only a newer program knows is that program's to keep.
            if let Some(limit) = limit {
                limits.entry(id).or_default().set(limit, value);
            }
        }
        let found = rows(&link, &statements::select_organizations(), |row| {
            let id = row.guid(0)?;
            Some(Organization {
                id,
                limits: limits.get(&id).copied().unwrap_or_default(),
                name: row.text(1)?.to_owned(),
                display_name: row.text(2)?.to_owned(),
                state: OrganizationState::of_word(row.text(3)?)?,
                created: row.integer(4)?,
                epoch: row.integer(5)?,
                database: row.text(6)?.to_owned(),
                wrapped_key: row.bytes(7)?.to_vec(),
            })
        })
        .await?;
        let known = found.into_iter().map(|found| (found.name.clone(), Arc::new(found))).collect();
        self.known.store(Arc::new(known));
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Organization>> {
        self.known.load().get(name).cloned()
    }

    pub(crate) fn find_id(&self, id: Guid) -> Option<Arc<Organization>> {
        self.known.load().values().find(|known| known.id == id).cloned()
    }

    /// All organisations, by name.
    pub(crate) fn list(&self) -> Vec<Arc<Organization>> {
        let mut all: Vec<_> = self.known.load().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Enters a new organisation in state `Creating`.
    pub(crate) async fn insert(&self, organization: &Organization) -> Result<()> {
        let row = statements::OrganizationRow {
            id: organization.id,
            name: &organization.name,
            display_name: &organization.display_name,
            state: organization.state.word(),
            created: organization.created,
            epoch: organization.epoch,
            database: &organization.database,
            wrapped_key: organization.wrapped_key.clone(),
        };
        match self.change(statements::insert_organization(row)).await {
            Err(Error::DuplicateKey { .. }) => {
                // It may be another node's.
                self.reload().await?;
                Err(self.taken(&organization.name, ""))
            }
            inserted => inserted.map(drop),
        }
    }

    /// Refuses a name that an organisation has, as it is known now; `otherwise` says what else may be done where that one is
    /// complete.
    pub(crate) fn taken(&self, name: &str, otherwise: &str) -> Error {
        let why = match self.find(name).map(|known| known.state) {
            Some(OrganizationState::Creating) => format!(
                "an organisation of that name is being made, or was not made to its end: then type 'custodia org delete {name} \
                 --confirm {name}' first"
            ),
            None => "another node has made an organisation of that name or id meanwhile".to_owned(),
            Some(_) => format!("an organisation of that name exists{otherwise}"),
        };
        Error::OrganizationName { name: name.to_owned(), why }
    }

    /// Changes the state of an organisation that is as it is known to be. Refused, where another node has changed it.
    pub(crate) async fn set_state(&self, known: &Organization, state: OrganizationState) -> Result<()> {
        let (before, after) = (known.state.word(), state.word());
        let changed =
            self.change(statements::update_organization_state(known.id, &known.database, before, after)).await?;
        self.require_changed(changed, known)
    }

    /// Takes an organisation that is still being made, so that it can be removed and never comes into use.
    pub(crate) async fn take_half_made(&self, known: &Organization) -> Result<()> {
        let taken = self.change(statements::take_half_made(known.id, &known.database)).await?;
        self.require_changed(taken, known)
    }

    /// Points an organisation at another database, with another key, in another epoch.
    pub(crate) async fn replace(&self, old: &Organization, new: &Organization) -> Result<()> {
        let key = new.wrapped_key.clone();
        let place = statements::update_organization_place(old.id, &old.database, &new.database, new.epoch, key);
        let changed = self.change(place).await?;
        self.require_changed(changed, old)
    }

    /// Refuses where no row was changed, with what became of the organisation.
    fn require_changed(&self, changed: u64, known: &Organization) -> Result<()> {
        if changed > 0 {
            return Ok(());
        }
        let name = known.name.clone();
        match self.find_id(known.id) {
            None => Err(Error::NoOrganization(name)),
            Some(present) if present.database == known.database => {
                Err(Error::OrganizationState { name, state: present.state.word().to_owned() })
            }
            Some(_) => {
                let context = format!("organisation '{name}' was restored into another database meanwhile; try again");
                Err(Error::Unavailable { context, source: None })
            }
        }
    }

    /// Remembers for good that an organisation was destroyed.
    pub(crate) async fn remember_destroyed(&self, organization: &Organization, when: i64) -> Result<()> {
        self.change(statements::insert_destroyed(organization.id, &organization.name, when)).await.map(drop)
    }

    /// The name of the destroyed organisation of that id, if one was.
    pub(crate) async fn destroyed(&self, id: Guid) -> Result<Option<String>> {
        let _turn = self.one_at_a_time.lock().await;
        let link = self.door.link().await?;
        Ok(rows(&link, &statements::select_destroyed(id), |row| Some(row.text(0)?.to_owned())).await?.pop())
    }

    /// Gives an organisation a limit of its own, or takes it away.
    pub(crate) async fn set_limit(&self, id: Guid, limit: OrganizationLimit, value: Option<u64>) -> Result<()> {
        let value = value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
        let changed = self.change(match value {
            Some(value) => statements::upsert_limit(id, limit.word(), value),
            None => statements::delete_limit(id, limit.word()),
        });
        changed.await.map(drop)
    }

    /// Removes the entry of an organisation whose database is removed, and what is noted of it.
    pub(crate) async fn delete(&self, organization: &Organization) -> Result<()> {
        let id = organization.id;
        if self.change(statements::delete_organization(id, &organization.database)).await? == 0 {
            // Another node was at it, too; what has that id now is another one.
            return Ok(());
        }
        self.change(statements::delete_limits(id)).await?;
        for (_, marked) in self.job_marks().await?.into_iter().filter(|(known, _)| *known == id) {
            self.unmark_jobs(id, marked).await?;
        }
        Ok(())
    }

    /// A sealed secret of the installation, such as the token signing keys.
    pub(crate) async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let _turn = self.one_at_a_time.lock().await;
        let link = self.door.link().await?;
        Ok(rows(&link, &statements::select_secret(name), |row| row.bytes(0).map(<[u8]>::to_vec)).await?.pop())
    }

    pub(crate) async fn put_secret(&self, name: &str, sealed: Vec<u8>) -> Result<()> {
        self.change(statements::upsert_secret(name, sealed)).await.map(drop)
    }

    /// Organisations that may have jobs, and when that was noted last.
    pub(crate) async fn job_marks(&self) -> Result<Vec<(Guid, i64)>> {
        let _turn = self.one_at_a_time.lock().await;
        let link = self.door.link().await?;
        rows(&link, &statements::select_job_marks(), |row| Some((row.guid(0)?, row.integer(1)?))).await
    }

    pub(crate) async fn mark_jobs(&self, id: Guid, marked: i64) -> Result<()> {
        self.note(statements::upsert_job_mark(id, marked)).await
    }

    pub(crate) async fn unmark_jobs(&self, id: Guid, marked: i64) -> Result<()> {
        self.note(statements::delete_job_mark(id, marked)).await
    }

    /// Notes a database of an organisation that is to be removed if it is not the organisation's.
    pub(crate) async fn note_spare(&self, database: &str, organization: Guid, noted: i64) -> Result<()> {
        self.note(statements::upsert_spare_database(database, organization, noted)).await
    }

    /// What was noted so, and when last.
    pub(crate) async fn spares(&self) -> Result<Vec<(String, Guid, i64)>> {
        let _turn = self.one_at_a_time.lock().await;
        let link = self.door.link().await?;
        let spare = |row: &crate::Row<'_>| Some((row.text(0)?.to_owned(), row.guid(1)?, row.integer(2)?));
        rows(&link, &statements::select_spare_databases(), spare).await
    }

    /// The database is gone, unless somebody noted it again.
    pub(crate) async fn forget_spare(&self, database: &str, noted: i64) -> Result<()> {
        self.note(statements::delete_spare_database(database, noted)).await
    }

    /// Changes what does not tell which organisations there are.
    async fn note(&self, statement: crate::sql::Statement) -> Result<()> {
        let _turn = self.one_at_a_time.lock().await;
        self.change_in_turn(&statement).await.map(drop)
    }

    /// Changes which organisations there are; how many rows were changed.
    async fn change(&self, statement: crate::sql::Statement) -> Result<u64> {
        let _turn = self.one_at_a_time.lock().await;
        let changed = self.change_in_turn(&statement).await?;
        self.reload_in_turn().await?;
        Ok(changed)
    }

    async fn change_in_turn(&self, statement: &crate::sql::Statement) -> Result<u64> {
        let changed = self.door.link().await?.execute(statement).await?;
        self.door.empty_log();
        Ok(changed)
    }
}

impl Organization {
    /// A new organisation with a fresh data key, not yet entered anywhere.
    pub(crate) fn new(
        id: Guid,
        name: &str,
        display_name: &str,
        created: i64,
        database: String,
        master: &MasterKey,
        random: &dyn Random,
    ) -> Result<Self> {
        check_name(name)?;
        let mut key = [0; KEY_BYTES];
        random.fill(&mut key);
        let wrapped_key = master.seal(&key, id, random)?;
        key.fill(0);
        Ok(Self {
            id,
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            state: OrganizationState::Creating,
            created,
            epoch: 1,
            database,
            limits: OrganizationLimits::default(),
            wrapped_key,
        })
    }

    /// The data key, unwrapped.
    pub(crate) fn data_key(&self, master: &MasterKey) -> Result<custodia_sqlite::Key> {
        let mut bytes = self.data_key_bytes(master)?;
        Ok(custodia_sqlite::Key::take(&mut bytes))
    }

    /// The data key's bytes, for who needs more than to open a file; wiped by them.
    pub(crate) fn data_key_bytes(&self, master: &MasterKey) -> Result<[u8; KEY_BYTES]> {
        crate::keys::key_bytes(master.unseal(&self.wrapped_key, self.id)?)
    }

    /// The wrapped key as text, for a backup.
    pub(crate) fn wrapped_key_text(&self) -> String {
        crate::hex::encode(&self.wrapped_key)
    }

    /// Whether it was ever in use.
    pub(crate) fn was_in_use(&self) -> bool {
        self.state != OrganizationState::Creating && self.epoch > 0
    }

    /// Refuses unless the organisation is in use.
    ///
    /// # Errors
    /// [`Error::OrganizationState`].
    pub fn require_active(&self) -> Result<()> {
        match self.state {
            OrganizationState::Active => Ok(()),
            state => Err(Error::OrganizationState { name: self.name.clone(), state: state.word().to_owned() }),
        }
    }
}

/// Names are part of URLs, host names and database names.
///
/// # Errors
/// [`Error::OrganizationName`] saying what a name must look like.
pub fn check_name(name: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::OrganizationName { name: name.to_owned(), why: why.to_owned() });
    if RESERVED_NAMES.contains(&name) {
        return refuse("the name is reserved for the service itself");
    }
    let shape = name.len() <= ORGANIZATION_NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !shape {
        return refuse("use 1 to 40 lower-case letters, digits and hyphens, a letter first and no hyphen last");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_urls_and_reserved_ones_are_refused() {
        for good in ["demo", "a", "north-9", &"x".repeat(40)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "9a", "Demo", "a_b", "a-", "-a", "../x", "service", "www", "é", &"x".repeat(41)] {
            assert!(matches!(check_name(bad), Err(Error::OrganizationName { .. })), "{bad}");
        }
    }
}
