//! What the token endpoint asks about an organisation's users, answered by the gate.

use custodia_identity::{
    ApplicationFacts, Directory, Error as IdentityError, PasswordAnswer, PasswordCheck, PasswordFacts, RefreshFamily,
    StoredSecret, UserFacts,
};
use custodia_org::{Caller, CredentialKind, Error, Organization, User};
use custodia_schema::Guid;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// Passwords checked at one time: each takes tens of milliseconds and 19 MiB.
static CHECKS: Semaphore = Semaphore::const_new(2);

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

/// The users of one organisation.
pub struct OrganizationDirectory<'a> {
    /// The organisation.
    pub organization: &'a Organization,
    /// The request, for the audit.
    pub request: Guid,
}

impl OrganizationDirectory<'_> {
    async fn facts(&self, user: User) -> Result<UserFacts, Error> {
        let kept = self.organization.credentials(user.id, CredentialKind::Password).await?.into_iter().next();
        let stored = kept.as_ref().and_then(|kept| serde_json::from_slice::<StoredPassword>(&kept.secret).ok());
        Ok(UserFacts {
            id: user.id,
            name: user.domain_name,
            enabled: !user.disabled,
            tokens_not_before: kept.map_or(0, |kept| kept.changed),
            password: stored.map(|stored| PasswordFacts { hash: stored.hash, expires: stored.expires }),
        })
    }

    fn caller(&self) -> Caller {
        Caller::platform("sign-in", self.request)
    }

    async fn kept_family(&self, id: Guid) -> Result<Option<Vec<u8>>, Error> {
        let kept = self.organization.credentials(id, CredentialKind::RefreshToken).await?;
        Ok(kept.into_iter().next().map(|kept| kept.secret))
    }
}

impl Directory for OrganizationDirectory<'_> {
    type Error = Error;

    async fn find_user_by_name(&self, name: &str) -> Result<Option<UserFacts>, Error> {
        match self.organization.find_user(name).await? {
            Some(user) => Ok(Some(self.facts(user).await?)),
            None => Ok(None),
        }
    }

    async fn find_user(&self, id: Guid) -> Result<Option<UserFacts>, Error> {
        match self.organization.find_user_by_id(id).await? {
            Some(user) => Ok(Some(self.facts(user).await?)),
            None => Ok(None),
        }
    }

    async fn find_application(&self, id: Guid) -> Result<Option<ApplicationFacts>, Error> {
        let Some(user) = self.organization.find_application_user(id).await? else { return Ok(None) };
        let kept = self.organization.credentials(user.id, CredentialKind::ClientSecret).await?;
        let secrets =
            kept.iter().filter_map(|kept| serde_json::from_slice::<StoredSecret>(&kept.secret).ok()).collect();
        Ok(Some(ApplicationFacts { id, enabled: !user.disabled, secrets, user: self.facts(user).await? }))
    }

    async fn check_password(&self, check: PasswordCheck) -> Result<Result<PasswordAnswer, IdentityError>, Error> {
        let unavailable = |_| Error::Invalid("passwords cannot be checked now".to_owned());
        let _turn = CHECKS.acquire().await.map_err(|_| Error::Invalid("passwords cannot be checked now".to_owned()))?;
        tokio::task::spawn_blocking(move || check.run()).await.map_err(unavailable)
    }

    async fn replace_password_hash(&self, user: Guid, replaced: &str, hash: &str) -> Result<(), Error> {
        let kept = self.organization.credentials(user, CredentialKind::Password).await?;
        let Some(stored) = kept.first().and_then(|kept| serde_json::from_slice::<StoredPassword>(&kept.secret).ok())
        else {
            return Ok(());
        };
        if stored.hash != replaced {
            return Ok(());
        }
        let renewed = StoredPassword { hash: hash.to_owned(), expires: stored.expires };
        let bytes = renewed.to_bytes().map_err(|error| Error::Invalid(error.to_string()))?;
        self.organization.set_credential(&self.caller(), user, CredentialKind::Password, "", Some(bytes)).await
    }

    async fn find_refresh_family(&self, id: Guid) -> Result<Option<RefreshFamily>, Error> {
        let kept = self.kept_family(id).await?;
        let text = kept.and_then(|kept| String::from_utf8(kept).ok());
        Ok(text.and_then(|text| RefreshFamily::from_stored(&text).ok()))
    }

    async fn add_refresh_family(&self, family: &RefreshFamily) -> Result<(), Error> {
        self.swap(family, None).await.map(|_| ())
    }

    async fn replace_refresh_family(&self, family: &RefreshFamily) -> Result<bool, Error> {
        let Some(kept) = self.kept_family(family.id).await? else { return Ok(false) };
        let before = std::str::from_utf8(&kept).ok().and_then(|text| RefreshFamily::from_stored(text).ok());
        if before.is_none_or(|before| before.generation.checked_add(1) != Some(family.generation)) {
            return Ok(false);
        }
        self.swap(family, Some(kept)).await
    }
}

impl OrganizationDirectory<'_> {
    async fn swap(&self, family: &RefreshFamily, expected: Option<Vec<u8>>) -> Result<bool, Error> {
        let text = family.to_stored().map_err(|error| Error::Invalid(error.to_string()))?;
        self.organization.swap_refresh_family(&self.caller(), family.id, expected, text.into_bytes()).await
    }
}
