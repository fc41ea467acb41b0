//! The token endpoint: which request gets which token (RFC 6749 sections 4.3, 4.4 and 6).

use std::net::IpAddr;

use crate::address::{Address, Addresses};
use crate::directory::{ApplicationFacts, Directory, PasswordFacts, UserFacts};
use crate::principal::{Guid, Principal, SignInMethod};
use crate::refresh::{FirstSignIn, Presented, RefreshFamily, RefreshToken};
use crate::refusal::{ErrorCode, Refusal, RefusalReason};
use crate::secret::{SecretAnswer, StoredSecret};
use crate::throttle::{AccountName, Attempt, Throttle};
use crate::token::{LIFETIME_SECONDS, TokenContent, issue_token};
use crate::token_request::{Target, TokenForm, TokenRequest};
use crate::token_response::TokenResponse;
use crate::{Error, KeySet, Password, PasswordAnswer, PasswordCheck, RandomSource};

/// A longer user name is not looked up: 64 bytes, an `@` and 255 bytes are the longest e-mail address.
const USER_NAME_BYTES_MAX: usize = 320;
/// How often a refresh is tried when other requests change its family at the same moment. The second try meets a
/// repeated or an old token, and neither of those is changed again.
const REFRESH_TRIES_MAX: usize = 3;

const WRONG_PASSWORD: &str = "The user name or the password is wrong.";
const WRONG_CLIENT: &str = "The application is not known or its secret is wrong.";
const WRONG_REFRESH_TOKEN: &str = "The refresh token is not valid. Sign in again.";

/// The token endpoint of one organisation, for one request.
pub struct TokenEndpoint<'a, D> {
    /// Users, applications and refresh families of the organisation.
    pub directory: &'a D,
    /// What tokens are signed with.
    pub keys: &'a KeySet,
    /// Slows down guessing; one for the whole process.
    pub throttle: &'a Throttle,
    /// Randomness fit for keys.
    pub random: &'a dyn RandomSource,
    /// The organisation of the request's address.
    pub organization: Guid,
    /// Counts how often all sessions of the installation were ended: those begun before have no part in the present era.
    pub era: u32,
    /// The root under which the request came; tokens are issued in its name. One of `addresses`.
    pub root: &'a Address,
    /// All addresses of the organisation.
    pub addresses: &'a Addresses,
}

/// A token was given.
#[derive(Debug)]
pub struct Granted {
    /// What to answer.
    pub response: TokenResponse,
    /// Who signed in, for the audit trail.
    pub principal: Principal,
    /// By which grant.
    pub kind: GrantKind,
}

/// The grants that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// `password`
    Password,
    /// `client_credentials`
    ClientCredentials,
    /// `refresh_token`
    RefreshToken,
}

/// No token was given.
#[derive(Debug, thiserror::Error)]
pub enum GrantError<E: std::error::Error + 'static> {
    /// The request was refused: answer with it.
    #[error("{}", .0.description)]
    Refused(Refusal),
    /// The directory could not be asked: answer 503.
    #[error("the directory could not be asked")]
    Directory(#[source] E),
    /// Something here failed, see [`Error`]: answer 500.
    #[error("the token could not be made")]
    Failed(#[source] Error),
}

impl<E: std::error::Error> From<Refusal> for GrantError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: std::error::Error> From<Error> for GrantError<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

type Answer<D, T> = Result<T, GrantError<<D as Directory>::Error>>;

/// An application as it came.
enum Client {
    /// It did not name itself.
    Absent,
    /// It named itself; the id, if there is such an application. Nothing was proved.
    Named(Option<Guid>),
    /// It proved itself with its secret.
    Proved(ApplicationFacts),
}

impl Client {
    fn proved_id(&self) -> Option<Guid> {
        match self {
            Self::Proved(application) => Some(application.id),
            Self::Absent | Self::Named(_) => None,
        }
    }
}

impl<D: Directory> TokenEndpoint<'_, D> {
    /// Answers one request at the time `now` (seconds since 1970).
    ///
    /// An application that is not registered may name itself in the password and refresh grants, as scripts written
    /// for other services do; it counts for nothing. One that has secrets has to prove itself in every grant.
    ///
    /// # Errors
    /// [`GrantError`]; a refusal is an answer like any other.
    pub async fn answer(&self, request: &TokenRequest<'_>, now: i64) -> Answer<D, Granted> {
        if !self.addresses.has_root(self.root) {
            let why = "it is not a root of the organisation";
            return Err(Error::Address { given: self.root.to_string(), why }.into());
        }
        let form = TokenForm::read(request)?;
        let kind = grant_kind(form.grant_type.as_deref())?;
        let target = form.target(request.version, self.root, self.addresses)?;
        let asked = Asked { request, form: &form, target: &target, now };
        let mut attempt = self.begin(request.source, now)?;
        let outcome = match kind {
            GrantKind::Password => self.password(&asked, &mut attempt).await,
            GrantKind::ClientCredentials => self.client_credentials(&asked).await,
            GrantKind::RefreshToken => self.refresh_token(&asked).await,
        };
        match &outcome {
            Ok(_) => self.throttle.succeed(attempt, now),
            // Dropped: it stays counted.
            Err(GrantError::Refused(refusal)) if refusal.reason.is_guess() => drop(attempt),
            Err(_) => self.throttle.withdraw(attempt),
        }
        outcome
    }

    fn begin(&self, source: Option<IpAddr>, now: i64) -> Result<Attempt, Refusal> {
        self.throttle.begin(source, now).map_err(Refusal::throttled)
    }

    async fn password(&self, asked: &Asked<'_>, attempt: &mut Attempt) -> Answer<D, Granted> {
        let (Some(name), Some(password)) = (&asked.form.username, &asked.form.password) else {
            return Err(Refusal::request("username and password are required.").into());
        };
        let client = self.client(asked).await?;
        let name = name.trim();
        // No record has a text with the null character, and not every database can be asked for one.
        let user = if name.len() > USER_NAME_BYTES_MAX || name.contains('\0') {
            None
        } else {
            self.directory.find_user_by_name(name).await.map_err(GrantError::Directory)?
        };
        let account = user.as_ref().map_or(AccountName::Unknown(name), |user| AccountName::Known(user.id));
        self.throttle.name_account(attempt, self.organization, account, asked.now).map_err(|throttled| {
            let refusal = Refusal::throttled(throttled);
            user.as_ref().map_or(refusal.clone(), |user| refusal.of_user(user.id))
        })?;

        let stored = user.as_ref().and_then(|user| user.password.as_ref());
        let check = PasswordCheck::new(Password::new(password), stored.map(|stored| stored.hash.as_str()), self.random);
        let answer = self.directory.check_password(check).await.map_err(GrantError::Directory)??;
        let user = self.right_user(user.as_ref(), answer, asked.now).await?;

        let client_id = client.proved_id();
        let (text, principal) = self.issue(asked, user, client_id, SignInMethod::Password)?;
        let refresh_token = if asked.target.offline_access {
            let sign_in = FirstSignIn {
                organization: self.organization,
                era: self.era,
                user: user.id,
                application: client_id,
                method: SignInMethod::Password,
                audience: asked.target.audience.as_str().to_owned(),
            };
            let (family, token) = RefreshFamily::begin(sign_in, self.random, principal.issued);
            self.directory.add_refresh_family(&family).await.map_err(GrantError::Directory)?;
            Some(token)
        } else {
            None
        };
        Ok(asked.granted(GrantKind::Password, text, principal, refresh_token))
    }

    /// The user, if the password was right and may be used. What is wrong with the account is told only to who knows
    /// the password.
    async fn right_user<'u>(
        &self,
        user: Option<&'u UserFacts>,
        answer: PasswordAnswer,
        now: i64,
    ) -> Answer<D, &'u UserFacts> {
        let refuse = |reason, description| Refusal::new(ErrorCode::InvalidGrant, reason, description);
        let Some(user) = user else {
            return Err(refuse(RefusalReason::UnknownUser, WRONG_PASSWORD).into());
        };
        let Some(PasswordFacts { hash, expires }) = &user.password else {
            return Err(refuse(RefusalReason::NoPassword, WRONG_PASSWORD).of_user(user.id).into());
        };
        let PasswordAnswer::Right { replacement } = answer else {
            return Err(refuse(RefusalReason::WrongPassword, WRONG_PASSWORD).of_user(user.id).into());
        };
        if !user.enabled {
            let refusal = refuse(RefusalReason::DisabledUser, "The account is disabled. Ask an administrator.");
            return Err(refusal.of_user(user.id).into());
        }
        if expires.is_some_and(|expires| now >= expires) {
            let refusal = refuse(RefusalReason::ExpiredPassword, "The password has expired. Ask for a new one.");
            return Err(refusal.of_user(user.id).into());
        }
        if let Some(replacement) = replacement {
            self.directory.replace_password_hash(user.id, hash, &replacement).await.map_err(GrantError::Directory)?;
        }
        Ok(user)
    }

    async fn client_credentials(&self, asked: &Asked<'_>) -> Answer<D, Granted> {
        let application = match self.client(asked).await? {
            Client::Proved(application) => application,
            Client::Absent => return Err(Refusal::request("client_id and client_secret are required.").into()),
            Client::Named(None) => return Err(refuse_client(asked, RefusalReason::UnknownApplication).into()),
            Client::Named(Some(id)) => {
                let description = "A public application cannot sign in as itself.";
                let reason = RefusalReason::PublicApplication;
                return Err(Refusal::new(ErrorCode::UnauthorizedClient, reason, description).of_application(id).into());
            }
        };
        let user = &application.user;
        if !user.enabled {
            let (code, reason) = (ErrorCode::UnauthorizedClient, RefusalReason::DisabledUser);
            let refusal = Refusal::new(code, reason, "The user that the application acts as is disabled.");
            return Err(refusal.of_user(user.id).of_application(application.id).into());
        }
        let (text, principal) = self.issue(asked, user, Some(application.id), SignInMethod::ClientSecret)?;
        Ok(asked.granted(GrantKind::ClientCredentials, text, principal, None))
    }

    async fn refresh_token(&self, asked: &Asked<'_>) -> Answer<D, Granted> {
        let Some(presented) = &asked.form.refresh_token else {
            return Err(Refusal::request("refresh_token is required.").into());
        };
        let client = self.client(asked).await?;
        let unknown = || refuse_refresh(RefusalReason::UnknownRefreshToken);
        let token = RefreshToken::parse(presented).ok_or_else(unknown)?;
        for _ in 0..REFRESH_TRIES_MAX {
            let found = self.directory.find_refresh_family(token.family()).await.map_err(GrantError::Directory)?;
            let family = found.ok_or_else(unknown)?;
            // Before anything is changed: another application must neither use up nor end the family.
            let is_elsewhere = family.organization.is_some_and(|organization| organization != self.organization);
            if is_elsewhere || family.application != client.proved_id() {
                return Err(refuse_refresh(RefusalReason::ForeignRefreshToken).of_user(family.user).into());
            }
            // Another node may know of an era before this one does.
            if family.era < self.era {
                return Err(refuse_refresh(RefusalReason::RevokedRefreshToken).of_user(family.user).into());
            }
            let (successor, change) = match family.present(&token, self.random, asked.now) {
                Presented::Rotated { family, successor } => (Ok(successor), Some(family)),
                Presented::Repeated { successor } => (Ok(successor), None),
                Presented::Reused { family } => (Err(RefusalReason::ReusedRefreshToken), Some(family)),
                Presented::Revoked => (Err(RefusalReason::RevokedRefreshToken), None),
                Presented::Expired => (Err(RefusalReason::ExpiredRefreshToken), None),
            };
            let user = self.directory.find_user(family.user).await.map_err(GrantError::Directory)?;
            let user = match (&successor, user) {
                (Ok(_), Some(user)) => Some(still_signed_in(user, &family)?),
                (Ok(_), None) => return Err(refuse_refresh(RefusalReason::UnknownUser).of_user(family.user).into()),
                (Err(_), _) => None,
            };
            if let Some(change) = change
                && !self.directory.replace_refresh_family(&change).await.map_err(GrantError::Directory)?
            {
                continue;
            }
            let successor = successor.map_err(|reason| refuse_refresh(reason).of_user(family.user))?;
            let Some(user) = user else { return Err(unknown().into()) };
            let (text, principal) = self.issue(asked, &user, family.application, family.method)?;
            return Ok(asked.granted(GrantKind::RefreshToken, text, principal, Some(successor)));
        }
        let (code, reason) = (ErrorCode::TemporarilyUnavailable, RefusalReason::Contention);
        let refusal = Refusal::new(code, reason, "The refresh token is in use by other requests. Try again.");
        Err(Refusal { retry_after_seconds: Some(1), ..refusal }.into())
    }

    async fn client(&self, asked: &Asked<'_>) -> Answer<D, Client> {
        let Some(presented) = &asked.form.client else { return Ok(Client::Absent) };
        let found = match Guid::try_parse(&presented.id) {
            Ok(id) => self.directory.find_application(id).await.map_err(GrantError::Directory)?,
            Err(_) => None,
        };
        let (application, secret) = match (found, &presented.secret) {
            (None, None) => return Ok(Client::Named(None)),
            (None, Some(_)) => return Err(refuse_client(asked, RefusalReason::UnknownApplication).into()),
            (Some(application), secret) => (application, secret),
        };
        let refuse = |reason| refuse_client(asked, reason).of_application(application.id);
        let proved = match secret {
            Some(secret) => match StoredSecret::check_any(&application.secrets, secret, asked.now) {
                SecretAnswer::Right => true,
                SecretAnswer::Wrong => return Err(refuse(RefusalReason::WrongSecret).into()),
                SecretAnswer::Expired => {
                    let description = "The application's secret has expired.";
                    return Err(Refusal { description, ..refuse(RefusalReason::ExpiredSecret) }.into());
                }
            },
            None if application.secrets.is_empty() => false,
            None => return Err(refuse(RefusalReason::WrongSecret).into()),
        };
        if !application.enabled {
            let description = "The application is disabled.";
            return Err(Refusal { description, ..refuse(RefusalReason::DisabledApplication) }.into());
        }
        Ok(if proved { Client::Proved(application) } else { Client::Named(Some(application.id)) })
    }

    fn issue(
        &self,
        asked: &Asked<'_>,
        user: &UserFacts,
        application: Option<Guid>,
        method: SignInMethod,
    ) -> Result<(String, Principal), Error> {
        let content = TokenContent {
            organization: self.organization,
            root: self.root,
            version: asked.request.version,
            audience: &asked.target.audience,
            user: user.id,
            user_name: &user.name,
            application,
            method,
            lifetime_seconds: LIFETIME_SECONDS,
            tokens_not_before: user.tokens_not_before,
        };
        let issued = issue_token(&content, self.keys, self.random, asked.now)?;
        Ok((issued.text, issued.principal))
    }
}

/// A request as far as it was understood.
struct Asked<'a> {
    request: &'a TokenRequest<'a>,
    form: &'a TokenForm,
    target: &'a Target,
    now: i64,
}

impl Asked<'_> {
    fn granted(
        &self,
        kind: GrantKind,
        access_token: String,
        principal: Principal,
        refresh_token: Option<RefreshToken>,
    ) -> Granted {
        let response = TokenResponse {
            version: self.request.version,
            access_token,
            issued: self.now,
            lifetime_seconds: LIFETIME_SECONDS,
            audience: self.target.audience.clone(),
            scope: self.target.scope.clone(),
            refresh_token: refresh_token.map(|token| token.expose()),
        };
        Granted { response, principal, kind }
    }
}

fn grant_kind(grant_type: Option<&str>) -> Result<GrantKind, Refusal> {
    match grant_type {
        Some("password") => Ok(GrantKind::Password),
        Some("client_credentials") => Ok(GrantKind::ClientCredentials),
        Some("refresh_token") => Ok(GrantKind::RefreshToken),
        Some(_) => Err(Refusal::new(
            ErrorCode::UnsupportedGrantType,
            RefusalReason::Request,
            "The grants served are password, client_credentials and refresh_token.",
        )),
        None => Err(Refusal::request("grant_type is required. Send a form (application/x-www-form-urlencoded).")),
    }
}

fn refuse_client(asked: &Asked<'_>, reason: RefusalReason) -> Refusal {
    let used_basic = asked.form.client.as_ref().is_some_and(|client| client.used_basic);
    Refusal { used_basic, ..Refusal::new(ErrorCode::InvalidClient, reason, WRONG_CLIENT) }
}

fn refuse_refresh(reason: RefusalReason) -> Refusal {
    Refusal::new(ErrorCode::InvalidGrant, reason, WRONG_REFRESH_TOKEN)
}

/// The user, if what has happened since the sign-in leaves it standing.
fn still_signed_in(user: UserFacts, family: &RefreshFamily) -> Result<UserFacts, Refusal> {
    if !user.enabled {
        return Err(refuse_refresh(RefusalReason::DisabledUser).of_user(user.id));
    }
    if family.signed_in < user.tokens_not_before {
        return Err(refuse_refresh(RefusalReason::RevokedRefreshToken).of_user(user.id));
    }
    Ok(user)
}

#[cfg(test)]
mod tests;
