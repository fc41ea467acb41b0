//! What the token endpoint asks about an organisation's users, answered by the gate.

use std::net::IpAddr;
use std::sync::Arc;

use custodia_identity::{
    ApplicationFacts, Directory, Error as IdentityError, PasswordAnswer, PasswordCheck, PasswordFacts, RefreshFamily,
    StoredSecret, UserFacts,
};
use custodia_org::{Caller, CredentialKind, Error, Organization};
use custodia_schema::Guid;
use custodia_store::{Clock, Organization as Entry};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};

use crate::http::{Stranger, TooManyOpenings};
use crate::service::Service;

/// Passwords checked at one time: each takes tens of milliseconds and 19 MiB.
const CHECKS_MAX: usize = 2;
static CHECKS: Semaphore = Semaphore::const_new(CHECKS_MAX);

/// A password as it is kept.
#[derive(Serialize, Deserialize)]
pub struct StoredPassword {
    /// The hash.
    pub hash: String,
    /// When it ends, seconds since 1970.
    pub expires: Option<i64>,
}

impl StoredPassword {
    /// As bytes for the credential.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Why a directory could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The gate says why.
    #[error(transparent)]
    Gate(#[from] Error),
    /// The organisation cannot be opened.
    #[error(transparent)]
    Closed(custodia_store::Error),
    /// It is closed, and so many were opened for strangers that it stays so for now.
    #[error("too many databases were opened for those who sign in")]
    TooManyOpenings(TooManyOpenings),
}

type Answer<T> = Result<T, DirectoryError>;

/// The users of one organisation. Its database is opened when something is asked of it, not before: most of what comes to
/// nothing does so without.
pub struct OrganizationDirectory<'a> {
    service: &'a Service,
    entry: &'a Entry,
    source: Option<IpAddr>,
    stranger: Arc<Stranger>,
    request: Guid,
    organization: OnceCell<Organization>,
}

impl<'a> OrganizationDirectory<'a> {
    /// For a sign-in to an organisation, from an address where that tells clients apart, by a stranger who was let in; the
    /// request's id is for the audit.
    pub fn new(
        service: &'a Service,
        entry: &'a Entry,
        source: Option<IpAddr>,
        stranger: Stranger,
        request: Guid,
    ) -> Self {
        Self { service, entry, source, stranger: Arc::new(stranger), request, organization: OnceCell::new() }
    }

    /// The organisation, opened if strangers may have one more opened.
    ///
    /// # Errors
    /// [`DirectoryError::Closed`], [`DirectoryError::TooManyOpenings`].
    pub async fn organization(&self) -> Answer<&Organization> {
        let opened = self.organization.get_or_try_init(|| async {
            if !self.service.is_open(self.entry) {
                let now_ms = self.service.clock.monotonic_ms();
                self.service.strangers.open(self.source, now_ms).map_err(DirectoryError::TooManyOpenings)?;
            }
            self.service.organization_in_time(&self.entry.name).await.map_err(DirectoryError::Closed)
        });
        opened.await
    }

    async fn facts(&self, id: Guid) -> Answer<Option<UserFacts>> {
        let organization = self.organization().await?;
        let Some((user, tokens_not_before)) = organization.user_with_tokens(id).await? else { return Ok(None) };
        // After that: who signed in with a password that is replaced between the two readings has a token of before that.
        let kept = organization.credentials(id, CredentialKind::Password).await?.into_iter().next();
        let stored = kept.and_then(|kept| serde_json::from_slice::<StoredPassword>(&kept.secret).ok());
        Ok(Some(UserFacts {
            id,
            name: user.domain_name,
            enabled: !user.disabled,
            tokens_not_before,
            password: stored.map(|stored| PasswordFacts { hash: stored.hash, expires: stored.expires }),
        }))
    }

    fn caller(&self) -> Caller {
        Caller::platform("sign-in", self.request)
    }

    async fn kept_family(&self, id: Guid) -> Answer<Option<Vec<u8>>> {
        let kept = self.organization().await?.credentials(id, CredentialKind::RefreshToken).await?;
        Ok(kept.into_iter().next().map(|kept| kept.secret))
    }
}

impl Directory for OrganizationDirectory<'_> {
    type Error = DirectoryError;

    async fn find_user_by_name(&self, name: &str) -> Answer<Option<UserFacts>> {
        match self.organization().await?.find_user(name).await? {
            Some(user) => self.facts(user.id).await,
            None => Ok(None),
        }
    }

    async fn find_user(&self, id: Guid) -> Answer<Option<UserFacts>> {
        self.facts(id).await
    }

    async fn find_application(&self, id: Guid) -> Answer<Option<ApplicationFacts>> {
        let organization = self.organization().await?;
        let Some(user) = organization.find_application_user(id).await? else { return Ok(None) };
        let Some(user) = self.facts(user.id).await? else { return Ok(None) };
        let kept = organization.credentials(user.id, CredentialKind::ClientSecret).await?;
        let secrets =
            kept.iter().filter_map(|kept| serde_json::from_slice::<StoredSecret>(&kept.secret).ok()).collect();
        Ok(Some(ApplicationFacts { id, enabled: user.enabled, secrets, user }))
    }

    async fn check_password(&self, check: PasswordCheck) -> Answer<Result<PasswordAnswer, IdentityError>> {
        let stranger = Arc::clone(&self.stranger);
        let checked = at_a_place(&CHECKS, move || {
            let _stranger = stranger;
            check.run()
        });
        Ok(checked.await.ok_or_else(|| Error::Invalid("passwords cannot be checked now".to_owned()))?)
    }

    async fn replace_password_hash(&self, user: Guid, replaced: &str, hash: &str) -> Answer<()> {
        let kept = self.organization().await?.credentials(user, CredentialKind::Password).await?;
        let Some(kept) = kept.into_iter().next() else { return Ok(()) };
        let Ok(stored) = serde_json::from_slice::<StoredPassword>(&kept.secret) else { return Ok(()) };
        if stored.hash != replaced {
            return Ok(());
        }
        let renewed = StoredPassword { hash: hash.to_owned(), expires: stored.expires };
        let bytes = renewed.to_bytes().map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(self.organization().await?.reform_password(&self.caller(), user, kept.secret, bytes).await?)
    }

    async fn find_refresh_family(&self, id: Guid) -> Answer<Option<RefreshFamily>> {
        let kept = self.kept_family(id).await?;
        let text = kept.and_then(|kept| String::from_utf8(kept).ok());
        Ok(text.and_then(|text| RefreshFamily::from_stored(&text).ok()))
    }

    async fn add_refresh_family(&self, family: &RefreshFamily) -> Answer<()> {
        self.swap(family, None).await.map(|_| ())
    }

    async fn replace_refresh_family(&self, family: &RefreshFamily) -> Answer<bool> {
        let Some(kept) = self.kept_family(family.id).await? else { return Ok(false) };
        let before = std::str::from_utf8(&kept).ok().and_then(|text| RefreshFamily::from_stored(text).ok());
        if before.is_none_or(|before| before.generation.checked_add(1) != Some(family.generation)) {
            return Ok(false);
        }
        self.swap(family, Some(kept)).await
    }
}

/// Does blocking work at one of so many places; nothing, if it broke off. The work goes on when whoever asked for it is gone, so
/// the place is the work's own and not the asker's.
async fn at_a_place<T: Send + 'static>(
    places: &'static Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = places.acquire().await.ok()?;
    let working = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    working.await.ok()
}

impl OrganizationDirectory<'_> {
    async fn swap(&self, family: &RefreshFamily, expected: Option<Vec<u8>>) -> Answer<bool> {
        let text = family.to_stored().map_err(|error| Error::Invalid(error.to_string()))?;
        let organization = self.organization().await?;
        Ok(organization.swap_refresh_family(&self.caller(), family.id, expected, text.into_bytes()).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};

    use futures::FutureExt;

    use super::*;

    /// Work that lasts until something is sent, and how many are at it.
    fn held(working: &Arc<AtomicUsize>) -> (Sender<()>, impl FnOnce() -> usize + Send + 'static) {
        let (release, released) = channel();
        let working = Arc::clone(working);
        let work = move || {
            let present = working.fetch_add(1, Ordering::SeqCst) + 1;
            let _ = released.recv();
            working.fetch_sub(1, Ordering::SeqCst);
            present
        };
        (release, work)
    }

    #[tokio::test]
    async fn what_nobody_waits_for_keeps_its_place_until_it_is_done() {
        static PLACES: Semaphore = Semaphore::const_new(CHECKS_MAX);
        let working = Arc::new(AtomicUsize::new(0));
        let mut releases = Vec::new();
        // Many ask and go away again: the first ones are at work by then.
        for _ in 0..20 {
            let (release, work) = held(&working);
            releases.push(release);
            assert!(at_a_place(&PLACES, work).now_or_never().is_none());
        }
        assert_eq!(PLACES.available_permits(), 0);
        let (release, work) = held(&working);
        let mut last = Box::pin(at_a_place(&PLACES, work));
        assert!(last.as_mut().now_or_never().is_none());
        drop(release);
        // One of those that nobody waits for ends: its place is the last one's, beside the other at most.
        releases.remove(0);
        assert!(last.await.unwrap() <= CHECKS_MAX);
        drop(releases);
        let _all = PLACES.acquire_many(2).await.unwrap();
        assert_eq!(working.load(Ordering::SeqCst), 0);
    }
}
