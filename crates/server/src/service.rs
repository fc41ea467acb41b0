//! One running installation: its store, its organisations, its signing keys.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use arc_swap::ArcSwap;
use custodia_identity::{
    Address, Addresses, KeySet, Password, Secret, SigningKey, StoredSecret, Throttle, TokenContent, VerifiedTokens,
    issue_token,
};
use custodia_org::{Caller, CredentialKind, NewOrganization, Organization};
use custodia_schema::Guid;
use custodia_store::{
    Clock, Database, Keeper, Organization as Entry, OrganizationLimit, OrganizationState, Random, Settings, Store,
};
use custodia_web_api::KeptQuestions;
use parking_lot::RwLock;

use crate::ambient::{RandomForIds, SystemClock, SystemRandom};
use crate::audit_heads::AuditHeads;
use crate::config::Config;
use crate::folder::{DataFolder, FoundKey, Makes};
use crate::handles::{Handle, Handles};
use crate::http::{Answers, Bodies, Strangers};
use crate::jobs::JobDesk;
use crate::metrics::Metrics;
use crate::naming;
use crate::present::Present;
use crate::protection::Protection;
use crate::turns::Turns;

/// Where the signing keys are kept in the control database.
const SIGNING_KEYS: &str = "token signing keys";
/// Beside them: how often all sessions were ended.
const SESSIONS_ERA: &str = "sessions era";
/// The address that tokens made on the command line are for, unless the configuration names a public one. A server
/// accepts it beside the address it is reached at.
const CANONICAL: &str = "http://localhost";
/// Addresses remembered; they come from `Host` headers, so there is a bound.
const ADDRESSES_MAX: usize = 1024;
/// Milliseconds between two looks for a key that a token names.
const KEYS_LOOKED_FOR_MS: u64 = 1_000;
/// Ways of showing records that are remembered, of all organisations.
const QUESTIONS_KEPT_MAX: usize = 1_024;
/// Verified tokens remembered.
const TOKENS_MAX: usize = 100_000;
/// Seconds for which a password that was made here may be used.
pub const TEMPORARY_PASSWORD_SECONDS: i64 = 7 * 86_400;

/// One running installation.
pub struct Service {
    /// Its databases.
    pub store: Arc<Store>,
    /// Its configuration.
    pub config: Config,
    /// What it counts.
    pub metrics: Metrics,
    /// What its jobs are about.
    pub jobs: Arc<JobDesk>,
    /// Where the heads of audits are published.
    pub audit_heads: AuditHeads,
    /// What each user asked for lately.
    pub protection: Protection,
    /// The memory for bodies of requests.
    pub bodies: Bodies,
    /// The memory for answers.
    pub answers: Answers,
    /// The room for those who have shown no token.
    pub strangers: Strangers,
    /// Requests of each organisation that are in the house.
    pub present: Present,
    /// Whose reads are worked on next.
    pub turns: Turns<Guid>,
    /// Tokens that were verified.
    pub tokens: VerifiedTokens,
    /// Slows down guessing.
    pub throttle: Throttle,
    /// The machine's clock.
    pub clock: Arc<SystemClock>,
    /// The machine's randomness.
    pub random: Arc<SystemRandom>,
    /// Bounds of queries.
    pub odata_limits: custodia_query::odata::Limits,
    /// Seals links to further pages; the same after a restart.
    pub page_token_key: [u8; 32],
    /// What was worked out for requests of the Web API before.
    pub questions: KeptQuestions,
    /// It was told to stop: balancers are told to send their clients elsewhere.
    pub draining: AtomicBool,
    /// Where the master key is and what losing it means, if there is no copy of it and it was not said yet.
    pub reminder: Option<String>,
    keys: ArcSwap<KeySet>,
    /// How often all sessions were ended.
    sessions_era: AtomicU32,
    /// When the keys may next be read again for a token, on the monotonic clock in milliseconds.
    keys_looked_for: AtomicU64,
    /// Held by who reads or rotates the keys: what was read before a rotation would take the place of what it made.
    changing_keys: tokio::sync::Mutex<()>,
    handles: Arc<Handles>,
    addresses: RwLock<HashMap<(Guid, String), Arc<Addresses>>>,
    canonical: Address,
    folder: DataFolder,
}

impl Service {
    /// Opens the installation of a data folder, making what the command may make of it.
    ///
    /// # Errors
    /// What the store says; a folder of another engine's installation; keys that cannot be read.
    pub async fn open(folder: DataFolder, config: Config, makes: Makes<'_>) -> Result<Self> {
        folder.require_engine(&config)?;
        let found = folder.master_key(&config, makes)?;
        if let Makes::ControlDatabaseFor(backup) = makes
            && !folder.holds_installation()
        {
            folder.require_key_of_backup(&found, backup)?;
        }
        let reminder = folder.export_reminder(&found, &config);
        let FoundKey { key: master, path: key_path, made } = found;
        let clock = Arc::new(SystemClock::start());
        let random = Arc::new(SystemRandom);
        let settings = Settings {
            folder: folder.path().to_owned(),
            postgres: (!config.database.is_empty()).then(|| config.database.clone()),
            master,
            limits: config.store_limits(),
            schema: custodia_schema::standard(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::clone(&random) as Arc<dyn Random>,
            file_layer: None,
        };
        // Where the installation of a folder has its control database is known: another one is a mistake in the address.
        let opened = match makes == Makes::Nothing || folder.is_on_postgres() {
            true => Store::open_existing(settings).await,
            false => Store::open(settings).await.map(Some),
        };
        let made_key = key_path.as_deref().filter(|_| made);
        let store = match opened {
            Ok(Some(store)) => Arc::new(store),
            Ok(None) => bail!("{}", folder.no_installation(&config)),
            Err(error) => {
                // Nothing was written with it: kept, it would be taken for the key of an installation.
                if let Some(path) = made_key.filter(|_| !folder.holds_installation()) {
                    remove_key(path)?;
                }
                return Err(of_key(error));
            }
        };
        let now = clock.now_ms().div_euclid(1000);
        let stored = match (store.secret(SIGNING_KEYS).await, made_key) {
            (Err(custodia_store::Error::Key(_)), Some(path)) => {
                remove_key(path)?;
                bail!(
                    "the PostgreSQL database holds an installation whose master key is not here: copy that key to {}",
                    path.display()
                );
            }
            (stored, _) => stored.map_err(of_key)?,
        };
        folder.mark_engine(&config)?;
        if let Some(reminder) = reminder.as_ref().filter(|_| made) {
            crate::tell(reminder);
        }
        let keys = match stored {
            Some(stored) => KeySet::from_stored(&stored).context("the token signing keys")?,
            None => {
                let keys = KeySet::new(SigningKey::generate().context("a token signing key")?, now);
                store.put_secret(SIGNING_KEYS, &keys.to_stored()?).await?;
                keys
            }
        };
        let sessions_era = stored_era(&store).await?;
        let heads_file = config.audit_heads_path(folder.path());
        let audit_heads = AuditHeads::open(&store, heads_file, random.as_ref(), now).await?;
        let base = if config.public_url.is_empty() { CANONICAL } else { &config.public_url };
        let canonical = Address::parse(base).context("public_url")?;
        let page_token_key = store.derived_key("page tokens");
        let odata_limits = custodia_query::odata::Limits { withheld: config.withheld()?, ..Default::default() };
        let service = Self {
            page_token_key,
            questions: KeptQuestions::new(QUESTIONS_KEPT_MAX),
            jobs: Arc::new(JobDesk::new(Arc::clone(&store))),
            store,
            audit_heads,
            protection: Protection::new(&config.limits),
            bodies: Bodies::new(&config.limits),
            answers: Answers::new(&config.limits, odata_limits.answer_bytes_max),
            odata_limits,
            strangers: Strangers::new(&config.limits),
            present: Present::default(),
            turns: config.turns(Arc::clone(&clock) as Arc<dyn Clock>),
            config,
            metrics: Metrics::default(),
            tokens: VerifiedTokens::new(TOKENS_MAX),
            throttle: Throttle::new(),
            clock,
            random,
            draining: AtomicBool::new(false),
            reminder: reminder.filter(|_| !made),
            keys: ArcSwap::from_pointee(keys),
            sessions_era: AtomicU32::new(sessions_era),
            keys_looked_for: AtomicU64::new(0),
            changing_keys: tokio::sync::Mutex::default(),
            handles: Arc::new(Handles::default()),
            addresses: RwLock::new(HashMap::new()),
            canonical,
            folder,
        };
        service.store.keep_with(Arc::clone(&service.handles) as Arc<dyn Keeper>);
        service.rotate_keys_if_due().await?;
        Ok(service)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a command is given to go to this installation.
    pub fn place(&self) -> String {
        self.folder.place(&self.config)
    }

    /// Tells the log where others than its owner may read the master key.
    pub fn warn_of_open_key(&self) {
        let path = self.config.master_key_path(self.folder.path());
        if let Some(mode) = crate::folder::open_mode(&path) {
            tracing::warn!(
                path = %path.display(),
                mode = format!("{mode:o}"),
                "others than its owner may read the master key: chmod 600"
            );
        }
    }

    /// Refuses a file within the data folder for a copy: it would be lost with what it is a copy of.
    ///
    /// # Errors
    /// When it is.
    pub fn require_outside(&self, copy: &Path) -> Result<()> {
        crate::folder::require_outside(copy, self.folder.path())
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.now_ms().div_euclid(1000)
    }

    /// A fresh time-ordered id.
    pub fn new_id(&self) -> Guid {
        custodia_store::new_id(self.clock.as_ref(), self.random.as_ref())
    }

    /// A fresh time-ordered id of a request.
    pub fn new_request_id(&self) -> Guid {
        custodia_store::new_id(self.clock.as_ref(), &RandomForIds)
    }

    /// The keys that tokens are signed with.
    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// How often all sessions were ended: a refresh token of an earlier era is good no more.
    pub fn sessions_era(&self) -> u32 {
        self.sessions_era.load(Ordering::Relaxed)
    }

    /// Makes a new signing key when the present one has served its time.
    ///
    /// # Errors
    /// Store errors.
    pub async fn rotate_keys_if_due(&self) -> Result<()> {
        let _only = self.changing_keys.lock().await;
        if self.keys.load().is_rotation_due(self.now()) { self.rotate_alone(false).await } else { Ok(()) }
    }

    /// Signs tokens with a new key from now on; with `end_tokens`, those given out before are good no more, refresh tokens
    /// among them.
    ///
    /// # Errors
    /// Store errors.
    pub async fn rotate_keys(&self, end_tokens: bool) -> Result<()> {
        let _only = self.changing_keys.lock().await;
        self.rotate_alone(end_tokens).await
    }

    async fn rotate_alone(&self, end_tokens: bool) -> Result<()> {
        // Another node may have rotated them a moment ago: what it added must stay.
        self.reload_alone().await?;
        let now = self.now();
        let fresh = SigningKey::generate().context("a token signing key")?;
        if end_tokens {
            // First, so that nobody refreshes what the new keys would sign.
            let era = self.sessions_era().saturating_add(1);
            self.store.put_secret(SESSIONS_ERA, &era.to_be_bytes()).await?;
            self.sessions_era.fetch_max(era, Ordering::Relaxed);
        }
        let rotated = if end_tokens { KeySet::new(fresh, now) } else { self.keys.load().rotate(fresh, now) };
        self.store.put_secret(SIGNING_KEYS, &rotated.to_stored()?).await?;
        self.keys.store(Arc::new(rotated));
        if end_tokens {
            self.tokens.clear();
        }
        tracing::info!("token signing keys were rotated");
        Ok(())
    }

    /// Reads the keys again for a token whose key is not known, at most once a second: anybody can name a key that there is
    /// not, and reading costs a hundred times what refusing does.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reload_keys_for_token(&self) -> Result<()> {
        let now = self.clock.monotonic_ms();
        let next = self.keys_looked_for.load(Ordering::Relaxed);
        let later = now.saturating_add(KEYS_LOOKED_FOR_MS);
        let is_first =
            || self.keys_looked_for.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now < next || !is_first() {
            return Ok(());
        }
        self.reload_keys().await
    }

    /// Reads the keys again: another node may have rotated them.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reload_keys(&self) -> Result<()> {
        let _only = self.changing_keys.lock().await;
        self.reload_alone().await
    }

    async fn reload_alone(&self) -> Result<()> {
        self.sessions_era.fetch_max(stored_era(&self.store).await?, Ordering::Relaxed);
        if let Some(stored) = self.store.secret(SIGNING_KEYS).await?
            && *stored != **self.keys.load().to_stored()?
        {
            self.keys.store(Arc::new(KeySet::from_stored(&stored)?));
            // A key that another node threw away ends its tokens here too.
            self.tokens.clear();
        }
        Ok(())
    }

    /// The organisation, if it is open and was asked lately which tokens have ended. Nothing is opened or read.
    pub fn at_hand(&self, entry: &Entry) -> Option<Organization> {
        let now_ms = self.clock.monotonic_ms();
        // Another node may have ended tokens.
        let known_ms = self.config.limits.housekeeping_seconds.saturating_mul(1_000);
        let known = self.handles.get(entry.id).filter(|_| entry.state == OrganizationState::Active)?;
        (now_ms.saturating_sub(known.revocations_read_ms) < known_ms).then_some(known.organization)
    }

    /// Whether the organisation's database is open.
    pub fn is_open(&self, entry: &Entry) -> bool {
        self.handles.get(entry.id).is_some()
    }

    /// The organisation of that name, in use; opened where it is not, which takes as long as it takes. For whoever works for
    /// the installation.
    ///
    /// # Errors
    /// What the store says: there is none, it is suspended, it cannot be opened.
    pub async fn organization(&self, name: &str) -> custodia_store::Result<Organization> {
        self.opened(name, self.store.database(name)).await
    }

    /// The same for whoever cannot wait for long, `limits.open_wait_ms` at most. For whoever has shown a token: strangers go
    /// through their bound (`http/strangers.rs`) first.
    ///
    /// # Errors
    /// Those of [`Self::organization`], and that opening takes long.
    pub async fn organization_in_time(&self, name: &str) -> custodia_store::Result<Organization> {
        self.opened(name, self.store.database_in_time(name)).await
    }

    async fn opened(
        &self,
        name: &str,
        database: impl Future<Output = custodia_store::Result<Database>>,
    ) -> custodia_store::Result<Organization> {
        let entry = self.store.organization(name)?;
        if let Some(organization) = self.at_hand(&entry) {
            return Ok(organization);
        }
        let now_ms = self.clock.monotonic_ms();
        let active = entry.state == OrganizationState::Active;
        let organization = match self.handles.get(entry.id).filter(|_| active) {
            Some(known) => known.organization,
            None => {
                let database = database.await.inspect_err(|error| {
                    // Without a cause it is one that was waited for in vain.
                    if active && !matches!(error, custodia_store::Error::Unavailable { source: None, .. }) {
                        self.metrics.databases_not_opened.fetch_add(1, Ordering::Relaxed);
                    }
                })?;
                let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
                let random = Arc::clone(&self.random) as Arc<dyn Random>;
                let bell = Arc::clone(&self.jobs) as Arc<dyn custodia_org::JobBell>;
                let limits = self.config.work_limits();
                Organization::with_limits(name, database, clock, random, limits, Some(bell))
            }
        };
        let now = self.now();
        let since = now.saturating_sub(custodia_identity::LIFETIME_SECONDS_MAX);
        let ended = organization.tokens_ended_since(since).await.map_err(|error| match error {
            custodia_org::Error::Store(error) => error,
            other => custodia_store::Error::Corrupt(other.to_string()),
        })?;
        // What this process revoked is in its memory; what was revoked before it started, or by another node, is read here.
        for (principal, not_before) in ended {
            if principal == custodia_store::EVERYBODY {
                self.tokens.revoke_organization(organization.id(), not_before, now);
            } else {
                self.tokens.revoke_user(organization.id(), principal, not_before, now);
            }
        }
        let organization = self.handles.keep(Handle { organization, revocations_read_ms: now_ms });
        self.jobs.opened(organization.id());
        Ok(organization)
    }

    /// The name of an organisation that a client calls by its name or by its id.
    pub fn name_of(&self, given: &str) -> String {
        let by_id = given
            .parse::<Guid>()
            .ok()
            .and_then(|id| self.store.organizations().into_iter().find(|organization| organization.id == id));
        by_id.map_or_else(|| given.to_owned(), |organization| organization.name.clone())
    }

    /// What an organisation may use of something: its own limit, or the one that every organisation has.
    pub fn limit_of(&self, organization: &Entry, limit: OrganizationLimit) -> u64 {
        let limits = &self.config.limits;
        organization.limits.get(limit).unwrap_or(match limit {
            OrganizationLimit::Requests => limits.organization_requests,
            OrganizationLimit::ConcurrentRequests => limits.organization_concurrent_requests,
            OrganizationLimit::StorageBytes => limits.organization_storage_bytes,
        })
    }

    /// Publishes the heads of audits that moved; what fails is told on the log, and done the next time.
    pub fn publish_audit_heads(&self) {
        if let Err(error) = self.audit_heads.publish(&self.store, self.now()) {
            tracing::error!(error = format!("{error:#}"), "heads of audits could not be published");
        }
    }

    /// Closes organisations that nobody has asked for long.
    pub fn release_idle(&self) {
        self.store.close_idle();
    }

    /// All addresses of an organisation: the canonical ones and those below the base the request came to.
    ///
    /// # Errors
    /// When the base is no address.
    pub fn addresses(&self, organization: &Entry, base: &str) -> Result<Arc<Addresses>> {
        let key = (organization.id, base.to_owned());
        if let Some(known) = self.addresses.read().get(&key) {
            return Ok(Arc::clone(known));
        }
        let id = organization.id.to_string();
        let bases = [Address::parse(base)?, self.canonical.clone()];
        let made = Arc::new(Addresses::new(&[&organization.name, &id], &bases, &[])?);
        let mut addresses = self.addresses.write();
        if addresses.len() >= ADDRESSES_MAX {
            addresses.clear();
        }
        addresses.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// Makes an organisation with its first records; the first administrator's password, shown once.
    ///
    /// # Errors
    /// A name that cannot be used; store errors. Nothing is left behind then.
    pub async fn create_organization(&self, name: &str, display_name: &str, administrator: &str) -> Result<Secret> {
        let (entry, database) = self.store.create_organization(name, display_name).await?;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let random = Arc::clone(&self.random) as Arc<dyn Random>;
        let organization = Organization::new(name, database, clock, random);
        let made = self.fill(&organization, display_name, administrator).await;
        drop(organization);
        let made = match made {
            Ok(secret) => self.store.activate(&entry).await.map(|()| secret).map_err(Into::into),
            Err(error) => Err(error),
        };
        match made {
            Ok(secret) => Ok(secret),
            Err(error) => {
                if let Err(left) = self.store.delete_organization(&entry).await {
                    tracing::error!(organization.name = %name, error = %left, "a half-made organisation could not be removed");
                }
                Err(error)
            }
        }
    }

    async fn fill(&self, organization: &Organization, display_name: &str, administrator: &str) -> Result<Secret> {
        let (first_name, last_name) = person_of(administrator);
        let new = NewOrganization {
            display_name: display_name.to_owned(),
            administrator: administrator.to_owned(),
            first_name,
            last_name,
            currency: ("USD".to_owned(), "US Dollar".to_owned(), "$".to_owned()),
        };
        let seeded = organization.seed(self.new_id(), new).await?;
        let secret = Secret::generate_readable(self.random.as_ref());
        self.set_password(
            organization,
            seeded.administrator,
            Password::new(secret.expose()),
            Some(TEMPORARY_PASSWORD_SECONDS),
        )
        .await?;
        Ok(secret)
    }

    /// Sets a user's password; tokens that were given out before end.
    ///
    /// # Errors
    /// Store errors.
    pub async fn set_password(
        &self,
        organization: &Organization,
        user: Guid,
        password: Password,
        lifetime_seconds: Option<i64>,
    ) -> Result<()> {
        let random = Arc::clone(&self.random);
        let hash = tokio::task::spawn_blocking(move || password.hash(random.as_ref())).await??;
        let expires = lifetime_seconds.map(|seconds| self.now().saturating_add(seconds));
        let stored = crate::directory::StoredPassword { hash, expires }.to_bytes()?;
        let caller = Caller::platform("set password", self.new_id());
        organization.set_credential(&caller, user, CredentialKind::Password, "", Some(stored)).await?;
        // By the time of the commit, which does not go back with the clock: tokens of while it was ahead end too.
        let not_before = organization.tokens_not_before(user).await?;
        self.tokens.revoke_user(organization.id(), user, not_before, self.now());
        Ok(())
    }

    /// Gives an application a new client secret; with `replace`, its others end.
    ///
    /// # Errors
    /// When there is no such user or no application signs in as it; store errors.
    pub async fn client_secret(
        &self,
        organization: &Organization,
        named: &str,
        days: u32,
        replace: bool,
    ) -> Result<ClientSecret> {
        let by_application = match named.parse::<Guid>() {
            Ok(application) => organization.find_application_user(application).await?,
            Err(_) => None,
        };
        let user = match by_application {
            Some(user) => user,
            None => naming::user(organization, named).await?,
        };
        let application = user.application.with_context(|| {
            format!("no application signs in as user '{named}': set its applicationid, then ask again")
        })?;
        let caller = Caller::platform("custodia secret", self.new_id());
        let kind = CredentialKind::ClientSecret;
        let secret = Secret::generate(self.random.as_ref());
        let stored = StoredSecret {
            digest: secret.digest(),
            expires: Some(self.now().saturating_add(i64::from(days).saturating_mul(86_400))),
        };
        let name = self.new_id().to_string();
        let others = organization.credentials(user.id, kind).await?;
        organization.set_credential(&caller, user.id, kind, &name, Some(serde_json::to_vec(&stored)?)).await?;
        for other in others.iter().filter(|_| replace) {
            organization.set_credential(&caller, user.id, kind, &other.name, None).await?;
        }
        Ok(ClientSecret { application, secret })
    }

    /// A token for a script, for a user by e-mail, domain name or id.
    ///
    /// # Errors
    /// When there is no such user or the user is disabled; a lifetime that is too long.
    pub async fn token_for(&self, organization: &Organization, user: &str, lifetime_seconds: i64) -> Result<String> {
        let name = organization.name();
        // Before anything is read: a token of somebody who was disabled since then says that it is of before.
        let now = self.now();
        let named = naming::user(organization, user).await?;
        let read_again = organization.user_with_tokens(named.id).await?;
        let (found, tokens_not_before) = read_again.with_context(|| format!("there is no user '{user}'"))?;
        if found.disabled {
            bail!("user '{user}' of organisation '{name}' is disabled");
        }
        let root = self.canonical.join(name)?;
        let content = TokenContent {
            organization: organization.id(),
            root: &root,
            version: custodia_identity::ProtocolVersion::V2,
            audience: &root,
            user: found.id,
            user_name: &found.domain_name,
            application: None,
            method: custodia_identity::SignInMethod::Operator,
            lifetime_seconds,
            tokens_not_before,
        };
        let issued = issue_token(&content, &self.keys(), self.random.as_ref(), now)?;
        let caller = Caller::platform("custodia token", self.new_id());
        let detail = format!("operator token for {} until {}", found.id, issued.principal.expires);
        organization.audit_access(&caller, &detail).await?;
        Ok(issued.text)
    }
}

/// How often all sessions of an installation were ended.
async fn stored_era(store: &Store) -> Result<u32> {
    let Some(kept) = store.secret(SESSIONS_ERA).await.map_err(of_key)? else { return Ok(0) };
    let bytes = kept.try_into().map_err(|_| anyhow!("the era of sessions in the control database is damaged"))?;
    Ok(u32::from_be_bytes(bytes))
}

/// An error in opening an installation; for a key that does not fit, with what to do.
fn of_key(error: custodia_store::Error) -> anyhow::Error {
    match error {
        custodia_store::Error::Key(_) => {
            anyhow!("{error}; put back the master key that was exported from this installation")
        }
        other => other.into(),
    }
}

fn remove_key(path: &Path) -> Result<()> {
    std::fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))
}

/// A client secret, to be shown once.
pub struct ClientSecret {
    /// The application it is for.
    pub application: Guid,
    /// The secret.
    pub secret: Secret,
}

/// First and last name out of an e-mail address: `ada.lovelace@…`.
fn person_of(mail: &str) -> (String, String) {
    let local = mail.split('@').next().unwrap_or(mail);
    let mut parts = local.split(['.', '_', '-']).filter(|part| !part.is_empty()).map(capitalised);
    let first = parts.next().unwrap_or_else(|| "First".to_owned());
    let rest: Vec<_> = parts.collect();
    if rest.is_empty() { (first, "Administrator".to_owned()) } else { (first, rest.join(" ")) }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_after_the_address() {
        assert_eq!(person_of("ada.lovelace@x.example"), ("Ada".to_owned(), "Lovelace".to_owned()));
        assert_eq!(person_of("root@x.example"), ("Root".to_owned(), "Administrator".to_owned()));
    }
}
