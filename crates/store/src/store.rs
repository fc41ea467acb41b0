//! All organisations of one installation: opens, makes, suspends and destroys their databases.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use custodia_schema::{Guid, Schema};
use custodia_sqlite::Key;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::ambient::{Clock, Random, new_id};
use crate::connection_slot::ConnectionSlot;
use crate::control::{Control, Door, Organization, OrganizationState};
use crate::control_file;
use crate::database::Database;
use crate::head::Head;
use crate::keys::MasterKey;
use crate::link::{Link, rows};
use crate::migration::{Definitions, initialise};
use crate::moved_audits::MovedAudits;
use crate::open_databases::{Keeper, OpenDatabases, WriteTotals};
use crate::openings::{Begun, Openings};
use crate::page_caches::PageCaches;
use crate::postgres::{DEFAULT_DATABASE, PostgresConnection, PostgresSettings};
use crate::quota::OrganizationLimit;
use crate::sql::{self, internal};
use crate::sqlite::{CommitsByFile, SqliteFile, SqliteSettings};
use crate::statement_count::StatementCount;
use crate::threads::WriterThreads;
use crate::unfinished::remove_unfinished;
use crate::{Error, Limits, Result};

/// Settings of a PostgreSQL cluster that must not be off: without any one of them an acknowledged write may be lost. What a
/// connection can set for itself, it sets.
const DURABLE_SETTINGS: &[&str] = &["fsync", "full_page_writes"];
/// Stands for no time limit.
const UNLIMITED_MS: u64 = u64::MAX;

/// After what time it is told that an opening takes long.
const OPENING_TOLD: Duration = Duration::from_secs(5);

/// How an installation's databases are opened.
pub struct Settings {
    /// The data folder.
    pub folder: PathBuf,
    /// `postgres://…` of a database that becomes the control database; organisations get databases of their own beside
    /// it. `None`: everything in files of the data folder.
    pub postgres: Option<String>,
    /// Wraps every other key.
    pub master: MasterKey,
    /// Bounds.
    pub limits: Limits,
    /// The standard tables.
    pub schema: Arc<Schema>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// A registered file layer that all files go through; `None` but in fault tests.
    pub file_layer: Option<&'static str>,
}

/// What every database of an installation shares.
pub(crate) struct Services {
    pub schema: Arc<Schema>,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub definitions: Definitions,
    pub audits: Arc<MovedAudits>,
    /// Leave to read much from an embedded database.
    pub long_reads: Semaphore,
}

/// All organisations of one installation.
pub struct Store {
    folder: PathBuf,
    master: MasterKey,
    random: Arc<dyn Random>,
    services: Arc<Services>,
    control: Control,
    open: OpenDatabases,
    pub(crate) openings: Openings,
    pub(crate) restoring: tokio::sync::Mutex<()>,
    engine: Engine,
}

enum Engine {
    Sqlite { settings: SqliteSettings, threads: Arc<WriterThreads> },
    Postgres { settings: PostgresSettings },
}

impl Store {
    /// Whether a data folder has an installation in files, or what is left of one.
    #[must_use]
    pub fn has_files(folder: &Path) -> bool {
        control_file::has_installation(folder)
    }

    /// Opens an installation, making its control database on first use.
    ///
    /// # Errors
    /// A wrong master key, a database that cannot be reached, a build that lacks what the store relies on; in files, a control
    /// database that is gone while other files of the installation are there.
    pub async fn open(settings: Settings) -> Result<Self> {
        let place = settings.folder.clone();
        let opened = Self::open_with(settings, true).await?;
        opened.ok_or_else(|| Error::Corrupt(format!("{}: the control database was not made", place.display())))
    }

    /// Opens an installation; `None` where there is none: no file of the control database, or no such PostgreSQL database,
    /// or one without its tables. Nothing is made then.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_existing(settings: Settings) -> Result<Option<Self>> {
        Self::open_with(settings, false).await
    }

    async fn open_with(settings: Settings, makes: bool) -> Result<Option<Self>> {
        let control_path = control_file::control_in(&settings.folder);
        // Before anything is touched.
        let has_control = settings.postgres.is_none() && control_file::require_not_lost(&settings.folder)?;
        if !makes && settings.postgres.is_none() && !has_control {
            return Ok(None);
        }
        custodia_sqlite::verify_build().map_err(|error| Error::unavailable("checking the database library", error))?;
        let limits = settings.limits;
        let services = Arc::new(Services {
            schema: settings.schema,
            limits,
            clock: Arc::clone(&settings.clock),
            random: Arc::clone(&settings.random),
            definitions: Definitions::default(),
            audits: Arc::default(),
            long_reads: Semaphore::new(limits.long_reads_max.max(1)),
        });
        remove_unfinished(&control_file::databases_in(&settings.folder));
        let room = limits.databases_max(settings.postgres.is_some());
        let (engine, door) = match &settings.postgres {
            Some(url) => {
                let postgres = PostgresSettings::parse(url, &limits, settings.clock)?;
                let connection = match makes {
                    true => PostgresConnection::connect_or_create(&postgres).await?,
                    false => match PostgresConnection::connect_existing(&postgres).await? {
                        Some(connection) => connection,
                        None => return Ok(None),
                    },
                };
                let door = Door::Server(ConnectionSlot::with(postgres.clone(), connection));
                if !makes && !door.has_tables().await? {
                    return Ok(None);
                }
                (Engine::Postgres { settings: postgres }, door)
            }
            None => {
                make_folder(&control_file::databases_in(&settings.folder))?;
                let sqlite = SqliteSettings {
                    clock: settings.clock,
                    statement_limit_ms: limits.statement_ms,
                    caches: Some(Arc::new(PageCaches::new(limits.caches_mebibytes))),
                    readers_max: limits.readers_max,
                    log_mebibytes_max: limits.log_mebibytes_max,
                    file_layer: settings.file_layer,
                    statements: StatementCount::default(),
                    commits: CommitsByFile::default(),
                };
                let mut key = settings.master.derive("control database");
                let key = Some(Key::take(&mut key));
                let control_settings = SqliteSettings { readers_max: 0, caches: None, ..sqlite.clone() };
                let file = if has_control {
                    SqliteFile::open(&control_path, key, control_settings)?
                } else {
                    // What a first start left that could not even write a page.
                    remove_if_there(&control_path)?;
                    SqliteFile::create(&control_path, key, control_settings)?
                };
                let threads = Arc::new(WriterThreads::start(limits.writer_threads)?);
                (Engine::Sqlite { settings: sqlite, threads }, Door::File(Arc::new(file)))
            }
        };
        let store = Self {
            folder: settings.folder,
            master: settings.master,
            random: settings.random,
            services,
            control: Control::open(door).await?,
            open: OpenDatabases::new(room),
            openings: Openings::default(),
            restoring: tokio::sync::Mutex::new(()),
            engine,
        };
        for (setting, value) in store.settings_that_lose_writes().await? {
            tracing::warn!(setting, value, "PostgreSQL may lose writes that it has acknowledged: set it to 'on'");
        }
        store.remove_cut_off().await;
        store.remove_spares(None).await;
        Ok(Some(store))
    }

    /// Removes the organisations that a process which was killed was making, and goes on removing those that it was
    /// removing. In PostgreSQL another node may be at it: there an operator says so.
    async fn remove_cut_off(&self) {
        if let Engine::Postgres { .. } = self.engine {
            return;
        }
        for organization in self.control.list() {
            let name = &organization.name;
            match organization.state {
                OrganizationState::Active | OrganizationState::Suspended => continue,
                OrganizationState::Creating => {
                    tracing::warn!(organization.name = %name, "an organisation was not made to its end; what there is of it is removed");
                }
                OrganizationState::Deleting => {
                    tracing::warn!(organization.name = %name, "an organisation was not removed to its end; that is done now");
                }
            }
            if let Err(error) = self.delete_organization(&organization).await {
                tracing::error!(organization.name = %name, %error, "what is left of an organisation could not be removed");
            }
        }
    }

    /// Settings of the PostgreSQL cluster under which it loses writes that it has acknowledged, each with its value;
    /// none for embedded databases, which the store opens as it needs them.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn settings_that_lose_writes(&self) -> Result<Vec<(&'static str, String)>> {
        let Some(settings) = self.postgres_settings() else { return Ok(Vec::new()) };
        let connection = PostgresConnection::connect(settings).await?;
        let mut found = Vec::new();
        for setting in DURABLE_SETTINGS {
            let value = connection.text(&sql::content::show(setting)).await?.unwrap_or_default();
            if value == "off" {
                found.push((*setting, value));
            }
        }
        Ok(found)
    }

    /// All organisations, by name.
    #[must_use]
    pub fn organizations(&self) -> Vec<Arc<Organization>> {
        self.control.list()
    }

    /// Reads the organisations again: another node may have changed them.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reload_organizations(&self) -> Result<()> {
        self.control.reload().await?;
        self.forget_replaced();
        self.limit_open_databases();
        Ok(())
    }

    /// Lets go of open databases that are no organisation's any more: another node destroyed it, or restored it into another.
    fn forget_replaced(&self) {
        self.open.forget_all_but(|| {
            self.control.list().into_iter().map(|known| (known.id, known.database.clone())).collect()
        });
    }

    /// Gives an organisation a limit of its own, or with `None` the one that every organisation has. It counts from the next
    /// request on.
    ///
    /// # Errors
    /// Store errors.
    pub async fn limit_organization(
        &self,
        organization: &Organization,
        limit: OrganizationLimit,
        value: Option<u64>,
    ) -> Result<()> {
        self.control.set_limit(organization.id, limit, value).await?;
        self.limit_open_databases();
        Ok(())
    }

    /// Tells the open databases what they may take.
    fn limit_open_databases(&self) {
        for organization in self.control.list() {
            if let Some(database) = self.open.get(organization.id) {
                database.limit_storage(self.storage_bytes_max(&organization));
            }
        }
    }

    /// Bytes that an organisation's database may take.
    #[must_use]
    pub fn storage_bytes_max(&self, organization: &Organization) -> u64 {
        let own = organization.limits.get(OrganizationLimit::StorageBytes);
        own.unwrap_or(self.services.limits.organization_storage_bytes_max)
    }

    /// The organisation of that name.
    ///
    /// # Errors
    /// [`Error::NoOrganization`].
    pub fn organization(&self, name: &str) -> Result<Arc<Organization>> {
        self.control.find(name).ok_or_else(|| Error::NoOrganization(name.to_owned()))
    }

    /// The database of an organisation that is in use, opened on first use, which takes as long as it takes once there is leave
    /// to open one more.
    ///
    /// # Errors
    /// [`Error::NoOrganization`], [`Error::OrganizationState`], store errors; [`Error::Unavailable`] where there is no leave after
    /// [`Limits::open_wait_ms`].
    pub async fn database(&self, name: &str) -> Result<Database> {
        let organization = self.organization(name)?;
        organization.require_active()?;
        self.open_database(&organization).await
    }

    /// The same for whoever cannot wait for long: opening goes on meanwhile, and the next one finds what came of it.
    ///
    /// # Errors
    /// Those of [`Self::database`]; [`Error::Unavailable`] after [`Limits::open_wait_ms`].
    pub async fn database_in_time(&self, name: &str) -> Result<Database> {
        let organization = self.organization(name)?;
        organization.require_active()?;
        let patience = Duration::from_millis(self.services.limits.open_wait_ms);
        let opened = tokio::time::timeout(patience, self.open_database(&organization)).await;
        opened.unwrap_or_else(|_| {
            if !self.openings.goes_on(organization.id) {
                return Err(self.open.no_room());
            }
            let context =
                "the database is still being opened, which takes long after an upgrade; try again later".to_owned();
            Err(Error::Unavailable { context, source: None })
        })
    }

    /// Says who is to let go of an organisation before its database is closed. Only the first one counts.
    pub fn keep_with(&self, keeper: Arc<dyn Keeper>) {
        self.open.keep_with(keeper);
    }

    /// The database of an organisation in whatever state: for making, backing up and deleting it. Whoever drops this leaves the
    /// opening to the next one.
    pub(crate) async fn open_database(&self, organization: &Organization) -> Result<Database> {
        if let Some(database) = self.open.get(organization.id) {
            return Ok(database);
        }
        let turn = self.openings.turn(organization.id);
        let mut opener = turn.place.lock().await;
        if let Some(database) = self.open.get(organization.id) {
            return Ok(database);
        }
        // What was over before somebody came may have failed for a reason that is mended by now.
        let mut is_old = opener.begun().is_some_and(|begun| begun.opened.is_finished());
        let database = loop {
            // The opening of a database that was replaced gives its leave back before another is waited for.
            let going_on = match opener.take().filter(|begun| begun.name == organization.database) {
                Some(going_on) => going_on,
                None => self.begin_opening(organization).await?,
            };
            let opened = (&mut opener.insert(going_on).opened).await;
            opener.take();
            match opened.map_err(|error| Error::unavailable("opening a database", error)).flatten() {
                Err(error) if is_old => tracing::debug!(%error, "an opening that nobody waited for had failed"),
                opened => break opened?,
            }
            is_old = false;
        };
        self.open.add(organization.id, database.clone(), organization.database.clone());
        match self.require_unchanged(organization) {
            Ok(present) => database.limit_storage(self.storage_bytes_max(&present)),
            Err(error) => {
                self.forget_open(organization.id);
                return Err(error);
            }
        }
        Ok(database)
    }

    /// An organisation as it stands now: while it was opened it may have been suspended, deleted or restored into another
    /// database, or its limit changed.
    fn require_unchanged(&self, organization: &Organization) -> Result<Arc<Organization>> {
        let present = self.organization(&organization.name)?;
        if present.database != organization.database {
            let context = format!("the organisation '{}' was replaced while it was opened", organization.name);
            return Err(Error::Unavailable { context, source: None });
        }
        if organization.state == OrganizationState::Active {
            present.require_active()?;
        }
        Ok(present)
    }

    /// Opens a database in a task: what a large one needs first may take longer than whoever opens it waits. A file has a
    /// thread of its own for it, since nothing that is done with one lets go of its thread: those of the runtime are few, and others
    /// need them. There are no more than databases may be open.
    async fn begin_opening(&self, organization: &Organization) -> Result<Begun> {
        let patience_ms = self.services.limits.open_wait_ms;
        let room = self.open.room_for_one(patience_ms, || self.openings.forget_unwanted()).await?;
        let (id, name) = (organization.id, organization.database.clone());
        let services = Arc::clone(&self.services);
        let opening: BoxFuture<'static, Result<Database>> = match &self.engine {
            Engine::Sqlite { settings, threads } => {
                let key = organization.data_key(&self.master)?;
                let (path, settings, threads) = (self.path_of(&name), settings.clone(), Arc::clone(threads));
                let runtime = Handle::current();
                let work = move || {
                    let file = Arc::new(SqliteFile::open(&path, Some(key), settings)?);
                    runtime.block_on(async move {
                        let database = Database::open_sqlite(id, file, threads, services, Some(room)).await?;
                        database.renew_definitions().await?;
                        Ok(database)
                    })
                };
                let (done, opened) = oneshot::channel();
                // What nobody waits for any more is closed here.
                let work = move || drop(done.send(work()));
                let thread = std::thread::Builder::new().name("opening".to_owned()).spawn(work);
                thread.map_err(|error| Error::unavailable("starting a thread that opens a database", error))?;
                Box::pin(async move { opened.await.map_err(|error| Error::unavailable("opening a database", error))? })
            }
            Engine::Postgres { settings } => {
                let settings = settings.database(&name);
                Box::pin(async move {
                    let database = Database::open_postgres(id, settings, services, Some(room)).await?;
                    database.renew_definitions().await?;
                    Ok(database)
                })
            }
        };
        let opened = tokio::spawn(async move {
            let mut opening = opening;
            if let Ok(opened) = tokio::time::timeout(OPENING_TOLD, opening.as_mut()).await {
                return opened;
            }
            tracing::warn!(organization.id = %id, "a database is brought up to date, which takes long");
            opening.await
        });
        Ok(Begun { name, opened })
    }

    /// Makes an organisation with an empty database, in state `Creating`: the caller fills it, then
    /// [`Self::activate`]s it.
    ///
    /// # Errors
    /// [`Error::OrganizationName`]; store errors, and then nothing is left behind.
    pub async fn create_organization(&self, name: &str, display_name: &str) -> Result<(Arc<Organization>, Database)> {
        let id = self.new_id();
        let database = self.database_name(name, id);
        let organization = self.new_organization(id, name, display_name, database)?;
        self.control.insert(&organization).await?;
        let opened = async {
            self.make_database(&organization, &organization.database).await?;
            self.open_database(&organization).await
        };
        match opened.await {
            Ok(database) => Ok((self.organization(name)?, database)),
            Err(error) => {
                self.forget(&organization).await;
                Err(error)
            }
        }
    }

    /// Makes an empty database of that name for an organisation.
    pub(crate) async fn make_database(&self, organization: &Organization, database: &str) -> Result<()> {
        match &self.engine {
            Engine::Sqlite { settings, .. } => {
                let key = organization.data_key(&self.master)?;
                let file = SqliteFile::create(&self.path_of(database), Some(key), settings.clone())?;
                initialise(&Link::Sqlite(Arc::new(file)), &self.services).await
            }
            Engine::Postgres { .. } => {
                let connection = self.make_postgres_database(database).await?;
                initialise(&Link::Postgres(Arc::new(connection)), &self.services).await
            }
        }
    }

    /// Opens a new or suspended organisation to requests.
    ///
    /// # Errors
    /// Store errors.
    pub async fn activate(&self, organization: &Organization) -> Result<()> {
        self.control.set_state(organization, OrganizationState::Active).await
    }

    /// Closes an organisation to all requests; its data stays.
    ///
    /// # Errors
    /// Store errors.
    pub async fn suspend(&self, organization: &Organization) -> Result<()> {
        self.control.set_state(organization, OrganizationState::Suspended).await?;
        self.forget_open(organization.id);
        Ok(())
    }

    /// Destroys an organisation: its database, its key, its entry. None of its backups is restored here any more; they
    /// are for whoever keeps them to remove (docs/operations/backup.md).
    ///
    /// # Errors
    /// [`Error::OrganizationState`] for one that was still being made as the caller knows it, and is in use by now. Store
    /// errors; the organisation is then in state `Deleting`, and deleting it again continues.
    pub async fn delete_organization(&self, organization: &Organization) -> Result<()> {
        // Another node may have made it to its end, or restored it into another database.
        self.control.reload().await?;
        let name = || organization.name.clone();
        let present = self.control.find_id(organization.id).ok_or_else(|| Error::NoOrganization(name()))?;
        match (organization.state, present.state) {
            (OrganizationState::Creating, OrganizationState::Creating) => {
                self.control.take_half_made(organization).await?;
            }
            (OrganizationState::Creating, state) => {
                return Err(Error::OrganizationState { name: name(), state: state.word().to_owned() });
            }
            (_, OrganizationState::Creating) => self.control.take_half_made(&present).await?,
            _ => self.control.set_state(&present, OrganizationState::Deleting).await?,
        }
        self.destroy(&present).await
    }

    /// Removes an organisation that was taken for it, with its database. None of its backups is restored here any more, if it
    /// was ever in use: of what a killed creation or restore left, a backup may come yet.
    async fn destroy(&self, organization: &Organization) -> Result<()> {
        self.forget_open(organization.id);
        self.drop_database(&organization.database).await?;
        if organization.was_in_use() {
            self.control.remember_destroyed(organization, self.now()).await?;
        }
        self.control.delete(organization).await?;
        self.remove_spares(Some(organization.id)).await;
        Ok(())
    }

    /// Removes a database that no organisation uses any more.
    pub(crate) async fn drop_database(&self, database: &str) -> Result<()> {
        match &self.engine {
            Engine::Sqlite { .. } => {
                let path = self.path_of(database);
                let mut files = ["", "-wal", "-shm", "-journal"].into_iter();
                files.try_for_each(|suffix| remove_if_there(&PathBuf::from(format!("{}{suffix}", path.display()))))
            }
            Engine::Postgres { settings } => {
                // Removing its files may take longer than a statement may.
                let server = PostgresConnection::connect(&settings.unlimited()).await?;
                server.run(&internal::drop_database(database)).await
            }
        }
    }

    /// Removes a database unless it is that organisation's; whether it is gone. Refused while somebody is connected to it, or has
    /// the organisation locked; nobody is waited for.
    pub(crate) async fn drop_spare(&self, organization: Guid, database: &str) -> Result<bool> {
        match &self.engine {
            Engine::Sqlite { .. } => {
                if self.control.find_id(organization).is_some_and(|known| known.database == database) {
                    return Ok(false);
                }
                self.drop_database(database).await?;
            }
            Engine::Postgres { settings } => {
                // Another node does not point the organisation at it meanwhile. The lock ends with the connection.
                let holding = PostgresConnection::connect(&settings.outlasting_a_statement()).await?;
                let locking = Link::Postgres(Arc::new(holding));
                locking.begin_plain().await?;
                let locked = sql::control::select_database_locked(organization);
                let present = rows(&locking, &locked, |row| Some(row.text(0)?.to_owned())).await?;
                if present.iter().any(|present| present == database) {
                    return Ok(false);
                }
                // The server would wait for them for five seconds, and let nobody else in meanwhile.
                let connected = rows(&locking, &sql::control::select_connected(database), |row| row.integer(0)).await?;
                if !connected.is_empty() {
                    let context = "somebody is connected to it".to_owned();
                    return Err(Error::Unavailable { context, source: None });
                }
                // Where its files take longer to remove than a statement may, it is removed further the next time.
                let server = PostgresConnection::connect(settings).await?;
                server.run(&internal::drop_unused_database(database)).await?;
            }
        }
        Ok(true)
    }

    /// A secret of the installation, kept sealed by the master key in the control database.
    ///
    /// # Errors
    /// [`Error::Key`] when another master key sealed it; store errors.
    pub async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let sealed = self.control.secret(name).await?;
        sealed.map(|sealed| self.master.unseal(&sealed, Guid::nil())).transpose()
    }

    /// Keeps a secret of the installation.
    ///
    /// # Errors
    /// Store errors.
    pub async fn put_secret(&self, name: &str, secret: &[u8]) -> Result<()> {
        let sealed = self.master.seal(secret, Guid::nil(), self.random.as_ref())?;
        self.control.put_secret(name, sealed).await
    }

    /// Notes that an organisation may have a job, before it is made: whoever looks for jobs later finds it, also after this
    /// process is gone.
    ///
    /// # Errors
    /// Store errors.
    pub async fn mark_jobs(&self, organization: Guid) -> Result<()> {
        self.control.mark_jobs(organization, self.services.clock.now_ms()).await
    }

    /// Organisations that may have jobs, and when that was noted last, in milliseconds since 1970.
    ///
    /// # Errors
    /// Store errors.
    pub async fn job_marks(&self) -> Result<Vec<(Guid, i64)>> {
        self.control.job_marks().await
    }

    /// Takes a mark away, unless it was renewed: the organisation has no jobs.
    ///
    /// # Errors
    /// Store errors.
    pub async fn unmark_jobs(&self, organization: Guid, marked: i64) -> Result<()> {
        self.control.unmark_jobs(organization, marked).await
    }

    /// A key of the installation for one purpose, derived from the master key.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> [u8; crate::keys::KEY_BYTES] {
        self.master.derive(purpose)
    }

    /// Closes databases that nobody has used for long; called on a timer.
    pub fn close_idle(&self) {
        self.openings.forget_unwanted();
        self.open.close_idle(self.services.clock.monotonic_ms(), self.services.limits.idle_close_ms);
    }

    /// Keeps what was asked of the open databases, where it is time; with `now` of all of them. One whose notes cannot be
    /// kept goes on noting.
    pub async fn keep_questions(&self, now: bool) {
        for database in self.open.each() {
            if let Err(error) = database.keep_questions(now).await {
                tracing::debug!(organization.id = %database.organization(), %error, "what was asked could not be kept");
            }
        }
    }

    /// What the open databases have written.
    #[must_use]
    pub fn write_totals(&self) -> WriteTotals {
        self.open.write_totals()
    }

    /// Statements sent to the engine since the installation was opened, for the control database and all organisations;
    /// transactions begun and ended are statements too.
    #[must_use]
    pub fn statements(&self) -> u64 {
        match &self.engine {
            Engine::Sqlite { settings, .. } => settings.statements.total(),
            Engine::Postgres { settings } => settings.statements.total(),
        }
    }

    /// Steps that SQLite took for the rows of statements since the installation was opened; 0 on PostgreSQL.
    #[must_use]
    pub fn sqlite_steps(&self) -> u64 {
        match &self.engine {
            Engine::Sqlite { settings, .. } => settings.statements.steps(),
            Engine::Postgres { .. } => 0,
        }
    }

    /// How many databases are open.
    #[must_use]
    pub fn open_databases(&self) -> usize {
        self.open.count()
    }

    /// How many databases were opened since the installation was, each time anew.
    #[must_use]
    pub fn databases_opened(&self) -> u64 {
        self.open.opened()
    }

    /// Moves committed pages of open embedded databases into their files, and has those rest that nobody asks; called on a
    /// timer.
    pub fn checkpoint(&self) {
        for database in self.open.each() {
            self.open.tell_of_checkpoint(database.organization(), database.checkpoint());
            if let Err(error) = database.rest_after(self.services.limits.rest_ms) {
                tracing::warn!(organization.id = %database.organization(), %error, "memory could not be given back");
            }
        }
        self.divide_caches();
    }

    /// Divides the memory for page caches anew, once a second.
    fn divide_caches(&self) {
        let Engine::Sqlite { settings, .. } = &self.engine else { return };
        let Some(caches) = settings.caches.as_ref().filter(|caches| caches.is_due(self.services.clock.monotonic_ms()))
        else {
            return;
        };
        // As they are open now: what was closed meanwhile has given its part back.
        let shares: Vec<_> = self.open.each().filter_map(|database| database.cache_share()).collect();
        caches.divide(&shares);
        for database in self.open.each() {
            if let Err(error) = database.fit_caches() {
                tracing::warn!(organization.id = %database.organization(), %error, "a page cache could not be resized");
            }
        }
    }

    /// Bytes that the page caches of open embedded databases hold, without those of connections that are at work just now.
    #[must_use]
    pub fn cache_bytes(&self) -> u64 {
        self.open.each().map(|database| database.cache_bytes()).sum()
    }

    /// Works off waiting writes and closes everything.
    pub fn close(&self) {
        if let Engine::Sqlite { threads, .. } = &self.engine {
            threads.stop();
        }
        self.checkpoint();
        self.open.close();
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.master
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// How files that are no organisation's live database are opened: the operating system's files, no pool.
    pub(crate) fn plain_files(&self) -> SqliteSettings {
        SqliteSettings {
            clock: Arc::clone(&self.services.clock),
            statement_limit_ms: UNLIMITED_MS,
            caches: None,
            readers_max: 0,
            log_mebibytes_max: u32::MAX,
            file_layer: None,
            statements: StatementCount::default(),
            commits: CommitsByFile::default(),
        }
    }

    /// Lets go of an organisation's database; whoever still has a handle is refused.
    pub(crate) fn forget_open(&self, organization: Guid) {
        self.open.forget(organization);
    }

    /// Makes the folder of the embedded databases, where backups are unpacked too.
    pub(crate) fn make_databases_folder(&self) -> Result<()> {
        make_folder(&control_file::databases_in(&self.folder))
    }

    /// The PostgreSQL server, where there is one.
    pub(crate) fn postgres_settings(&self) -> Option<&PostgresSettings> {
        match &self.engine {
            Engine::Postgres { settings } => Some(settings),
            Engine::Sqlite { .. } => None,
        }
    }

    /// A connection to one of the server's databases without a limit for its statements.
    pub(crate) async fn connect_unlimited(&self, database: &str) -> Result<PostgresConnection> {
        match &self.engine {
            Engine::Postgres { settings } => {
                PostgresConnection::connect(&settings.database(database).unlimited()).await
            }
            Engine::Sqlite { .. } => Err(Error::Query("an embedded database has no connections".to_owned())),
        }
    }

    /// Makes an empty database, without anything in it, and connects to it without a limit for statements.
    pub(crate) async fn make_postgres_database(&self, database: &str) -> Result<PostgresConnection> {
        let server = self.connect_unlimited(DEFAULT_DATABASE).await?;
        if let Some(settings) = self.postgres_settings() {
            server.create_database(database, settings).await?;
        }
        self.connect_unlimited(database).await
    }

    /// An organisation with a new key, not yet entered anywhere.
    pub(crate) fn new_organization(
        &self,
        id: Guid,
        name: &str,
        display_name: &str,
        database: String,
    ) -> Result<Organization> {
        Organization::new(id, name, display_name, self.now(), database, &self.master, self.random.as_ref())
    }

    /// Opens a database that the control database does not point at yet, and sets the head that it goes on with.
    pub(crate) async fn open_anew(&self, organization: &Organization, head: &Head) -> Result<Database> {
        let services = Arc::clone(&self.services);
        match &self.engine {
            Engine::Sqlite { settings, threads } => {
                let key = organization.data_key(&self.master)?;
                let file = SqliteFile::open(&self.path_of(&organization.database), Some(key), settings.clone())?;
                let file = Arc::new(file);
                crate::restore::set_head(&Link::Sqlite(Arc::clone(&file)), head).await?;
                // Only while it is filled and compared: it needs no leave of its own.
                let database =
                    Database::open_sqlite(organization.id, Arc::clone(&file), Arc::clone(threads), services, None);
                let database = database.await?;
                crate::migration::file_audit_anew(&Link::Sqlite(file)).await?;
                Ok(database)
            }
            Engine::Postgres { settings } => {
                let settings = settings.database(&organization.database);
                let connection = PostgresConnection::connect(&settings).await?;
                crate::restore::set_head(&Link::Postgres(Arc::new(connection)), head).await?;
                Database::open_postgres(organization.id, settings, services, None).await
            }
        }
    }

    pub(crate) fn database_name(&self, name: &str, id: Guid) -> String {
        match &self.engine {
            Engine::Sqlite { .. } => format!("{name}-{}.db", id.simple()),
            Engine::Postgres { .. } => {
                // At most 63 bytes, of which the id takes 32: it alone makes the name unique.
                let short: String = name.replace('-', "_").chars().take(20).collect();
                format!("custodia_{short}_{}", id.simple())
            }
        }
    }

    pub(crate) fn path_of(&self, database: &str) -> PathBuf {
        control_file::databases_in(&self.folder).join(database)
    }

    pub(crate) fn new_id(&self) -> Guid {
        new_id(self.services.clock.as_ref(), self.random.as_ref())
    }

    pub(crate) fn now(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.services.clock.now_ms()
    }

    /// Undoes a half-made organisation as far as possible.
    pub(crate) async fn forget(&self, organization: &Organization) {
        let undone = match self.control.take_half_made(organization).await {
            Ok(()) => self.destroy(organization).await,
            // Who removed it meanwhile may have been done before all of its database was there.
            Err(_) if self.is_abandoned(&organization.database).await => {
                self.drop_database(&organization.database).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = undone {
            tracing::error!(organization.name = %organization.name, %error, "a half-made organisation could not be removed; run 'custodia org delete'");
        }
    }

    /// Whether no organisation has that database, or is to keep it.
    async fn is_abandoned(&self, database: &str) -> bool {
        let kept = |known: &Arc<Organization>| known.database == database && known.state != OrganizationState::Deleting;
        self.control.reload().await.is_ok() && !self.control.list().iter().any(kept)
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| Error::File { path: path.display().to_string(), source }),
    }
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| Error::File { path: path.display().to_string(), source })
}
