//! The answer to "who is there".

use serde::{Deserialize, Serialize};

/// The 16-byte id of a record, an organisation or a token.
pub type Guid = uuid::Uuid;

/// Who signed in, in which organisation, how, and for how long. Small and `Copy`: a request carries it by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The organisation the token was issued in; it opens no other.
    pub organization: Guid,
    /// The system user on whose behalf requests run. For an application it is the application's own user.
    pub user: Guid,
    /// The application, if it proved itself with its secret. An application that only named itself is not here.
    pub application: Option<Guid>,
    /// How the sign-in was proved; a refreshed token keeps the method of the first sign-in.
    pub method: SignInMethod,
    /// The token's own id, for the audit trail.
    pub token_id: Guid,
    /// When the token was issued, in seconds since 1970. Tokens issued before a user's or an organisation's
    /// `not_before` are revoked.
    pub issued: i64,
    /// When the token ends, in seconds since 1970.
    pub expires: i64,
}

/// How a sign-in was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignInMethod {
    /// A password.
    #[serde(rename = "pwd")]
    Password,
    /// An application's secret.
    #[serde(rename = "client_secret")]
    ClientSecret,
    /// An operator with the master key at hand (`custodia token`).
    #[serde(rename = "operator")]
    Operator,
}
