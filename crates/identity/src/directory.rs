//! What the token endpoint asks about users and applications of one organisation.

use std::future::Future;

use crate::principal::Guid;
use crate::{Error, PasswordAnswer, PasswordCheck, RefreshFamily, StoredSecret};

/// A user as far as signing in goes.
#[derive(Clone, Debug)]
pub struct UserFacts {
    /// The system user's id.
    pub id: Guid,
    /// The sign-in name, for people who look into tokens.
    pub name: String,
    /// Whether the user may sign in at all.
    pub enabled: bool,
    /// The password, if the user has one.
    pub password: Option<PasswordFacts>,
    /// Tokens issued before (seconds since 1970) are revoked: set when the password changes, when the user is
    /// disabled, when an administrator ends all sessions.
    pub tokens_not_before: i64,
}

/// A user's password as it is stored.
#[derive(Clone)]
pub struct PasswordFacts {
    /// The hash, see [`crate::Password::hash`].
    pub hash: String,
    /// When it ends, in seconds since 1970: a first password handed out by an administrator does.
    pub expires: Option<i64>,
}

impl std::fmt::Debug for PasswordFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordFacts").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// An application that programs sign in as.
#[derive(Clone, Debug)]
pub struct ApplicationFacts {
    /// The client id.
    pub id: Guid,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// Its secrets. Without any it is a public client: it cannot prove itself, and only people sign in through it.
    pub secrets: Vec<StoredSecret>,
    /// The system user that the application acts as (`systemuser.applicationid`).
    pub user: UserFacts,
}

/// The users, applications and refresh families of one organisation. Its errors mean "could not be found out", never
/// "does not exist".
pub trait Directory: Send + Sync {
    /// Why something could not be found out.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The user who goes by that e-mail address or domain name, compared as the store compares text; `None` also when
    /// several do. Disabled users are found.
    fn find_user_by_name(&self, name: &str) -> impl Future<Output = Result<Option<UserFacts>, Self::Error>> + Send;

    /// The user with that id. Disabled users are found.
    fn find_user(&self, id: Guid) -> impl Future<Output = Result<Option<UserFacts>, Self::Error>> + Send;

    /// The application with that client id. Disabled ones are found.
    fn find_application(&self, id: Guid) -> impl Future<Output = Result<Option<ApplicationFacts>, Self::Error>> + Send;

    /// Runs the check on a thread that may block, a bounded number at a time ([`PasswordCheck::run`]).
    fn check_password(
        &self,
        check: PasswordCheck,
    ) -> impl Future<Output = Result<Result<PasswordAnswer, Error>, Self::Error>> + Send;

    /// Stores a new hash of the same password, if the stored one is still `replaced`.
    fn replace_password_hash(
        &self,
        user: Guid,
        replaced: &str,
        hash: &str,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The family of refresh tokens with that id.
    fn find_refresh_family(&self, id: Guid) -> impl Future<Output = Result<Option<RefreshFamily>, Self::Error>> + Send;

    /// Stores a new family.
    fn add_refresh_family(&self, family: &RefreshFamily) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Stores a changed family if the stored one has the generation just before; `false` if it has another, since
    /// somebody else changed it.
    fn replace_refresh_family(&self, family: &RefreshFamily) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}
