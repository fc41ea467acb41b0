//! The refusals of the token endpoint (RFC 6749 section 5.2).

use serde::Serialize;

use crate::principal::Guid;
use crate::throttle::{Throttled, ThrottledSubject};

/// The `error` of a refusal. The words are RFC 6749's where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A parameter is missing, repeated or unreadable.
    InvalidRequest,
    /// The application is unknown or did not prove itself.
    InvalidClient,
    /// The password or refresh token is not good.
    InvalidGrant,
    /// The application may not use this grant.
    UnauthorizedClient,
    /// The grant is not served.
    UnsupportedGrantType,
    /// A scope names something else than this organisation.
    InvalidScope,
    /// The same of the older protocol's `resource`.
    InvalidResource,
    /// The authorisation endpoint gives out no codes.
    UnsupportedResponseType,
    /// Too many failures: later.
    TemporarilyUnavailable,
}

/// Why a request was refused, for the audit trail and the detection of intruders; a client is told less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// The request itself is at fault.
    Request,
    /// The target is not this organisation.
    Target,
    /// There is no such user.
    UnknownUser,
    /// The user has no password.
    NoPassword,
    /// The password is another.
    WrongPassword,
    /// The password is right, but its time is over.
    ExpiredPassword,
    /// The user is disabled.
    DisabledUser,
    /// There is no such application.
    UnknownApplication,
    /// The application's secret is missing or another.
    WrongSecret,
    /// The application's secret is right, but its time is over.
    ExpiredSecret,
    /// The application is disabled.
    DisabledApplication,
    /// A public application asked for a token of its own.
    PublicApplication,
    /// There is no such refresh token.
    UnknownRefreshToken,
    /// The refresh token's time is over.
    ExpiredRefreshToken,
    /// The refresh token's family was ended.
    RevokedRefreshToken,
    /// An old refresh token was used again: somebody has a copy. The family is now ended.
    ReusedRefreshToken,
    /// The refresh token belongs to another application.
    ForeignRefreshToken,
    /// The refresh token's family kept changing under other requests.
    Contention,
    /// Too many failures of this account.
    ThrottledAccount,
    /// Too many failures from this place.
    ThrottledSource,
}

impl RefusalReason {
    /// Whether the request may have been a guess, so that it counts as a failure of its place and account.
    #[must_use]
    pub fn is_guess(self) -> bool {
        match self {
            Self::UnknownUser
            | Self::NoPassword
            | Self::WrongPassword
            | Self::UnknownApplication
            | Self::WrongSecret
            | Self::UnknownRefreshToken
            | Self::ReusedRefreshToken
            | Self::ThrottledAccount
            | Self::ThrottledSource => true,
            Self::Request
            | Self::Target
            | Self::ExpiredPassword
            | Self::DisabledUser
            | Self::ExpiredSecret
            | Self::DisabledApplication
            | Self::PublicApplication
            | Self::ExpiredRefreshToken
            | Self::RevokedRefreshToken
            | Self::ForeignRefreshToken
            | Self::Contention => false,
        }
    }
}

/// An answer of the token endpoint that gives no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The `error`.
    pub code: ErrorCode,
    /// The `error_description`: one of a fixed set of sentences, never a part of the request.
    pub description: &'static str,
    /// Why, for the audit trail.
    pub reason: RefusalReason,
    /// The user it was about, if one was found.
    pub user: Option<Guid>,
    /// The application it was about, if one was found.
    pub application: Option<Guid>,
    /// The value of `Retry-After`, in seconds.
    pub retry_after_seconds: Option<i64>,
    /// Whether the application used the `Authorization` header, which then has to be answered with a challenge.
    pub used_basic: bool,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, reason: RefusalReason, description: &'static str) -> Self {
        Self { code, description, reason, user: None, application: None, retry_after_seconds: None, used_basic: false }
    }

    pub(crate) fn request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, RefusalReason::Request, description)
    }

    pub(crate) fn throttled(throttled: Throttled) -> Self {
        let reason = match throttled.subject {
            ThrottledSubject::Account => RefusalReason::ThrottledAccount,
            ThrottledSubject::Source => RefusalReason::ThrottledSource,
        };
        Self {
            retry_after_seconds: Some(throttled.retry_after_seconds),
            ..Self::new(ErrorCode::TemporarilyUnavailable, reason, "Too many failed attempts. Try again later.")
        }
    }

    pub(crate) fn of_user(self, user: Guid) -> Self {
        Self { user: Some(user), ..self }
    }

    pub(crate) fn of_application(self, application: Guid) -> Self {
        Self { application: Some(application), ..self }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code {
            ErrorCode::InvalidClient => 401,
            ErrorCode::TemporarilyUnavailable => 429,
            _ => 400,
        }
    }

    /// The value of `WWW-Authenticate`, which RFC 6749 wants when the application tried HTTP Basic and failed.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&'static str> {
        let challenged = self.used_basic && self.code == ErrorCode::InvalidClient;
        challenged.then_some("Basic realm=\"token endpoint\"")
    }

    /// The JSON body. Send it with `Cache-Control: no-store`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        refusal_body(self.code, self.description)
    }
}

impl ErrorCode {
    /// The JSON body of a refusal with that description.
    #[must_use]
    pub fn body(self, description: &str) -> Vec<u8> {
        refusal_body(self, description)
    }
}

fn refusal_body(error: ErrorCode, description: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: ErrorCode,
        error_description: &'a str,
    }
    // Two texts cannot fail to be written; an empty object is still JSON if they ever do.
    serde_json::to_vec(&Body { error, error_description: description }).unwrap_or_else(|_| b"{}".to_vec())
}
