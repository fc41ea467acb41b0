//! Who is there: passwords, applications' secrets, signing keys, access and refresh tokens, and the rules of the token
//! endpoint. No SQL, no HTTP server, no clock and no randomness of its own: times come in as seconds since 1970, random
//! bytes from a [`RandomSource`].
//!
//! A program signs in through [`TokenEndpoint::answer`], which asks a [`Directory`] for facts, slows down guessing
//! with a [`Throttle`] and signs with a [`KeySet`]. A request is recognised by [`VerifiedTokens::authenticate`], which
//! gives a [`Principal`]. What the [`Principal`] may do is not decided here: that the user is enabled and has rights is
//! found out afresh for each request, in the organisation's own database.

mod address;
mod challenge;
mod directory;
mod discovery;
mod error;
mod grants;
mod key_set;
mod password;
mod principal;
mod random;
mod refresh;
mod refusal;
mod secret;
mod throttle;
mod token;
mod token_request;
mod token_response;
mod verified_tokens;

pub use address::{ADDRESS_BYTES_MAX, Address, Addresses, ProtocolVersion};
pub use challenge::{bearer_token, www_authenticate};
pub use directory::{ApplicationFacts, Directory, PasswordFacts, UserFacts};
pub use discovery::{AUTHORIZATION_REFUSAL, Served, discovery_document};
pub use error::Error;
pub use grants::{GrantError, GrantKind, Granted, TokenEndpoint};
pub use key_set::{KEYS_MAX, KeySet, ROTATION_SECONDS, SigningKey};
pub use password::{
    HASH_BYTES, HASH_LANES, HASH_MEMORY_KIB, HASH_PASSES, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN,
    PASSWORD_DIFFERENT_CHARACTERS_MIN, Password, PasswordAnswer, PasswordCheck, PasswordFault, SALT_BYTES,
};
pub use principal::{Guid, Principal, SignInMethod};
pub use random::RandomSource;
pub use refresh::{
    FAMILY_SECONDS_MAX, FirstSignIn, IDLE_SECONDS_MAX, Presented, REPEAT_SECONDS, RefreshFamily, RefreshToken,
};
pub use refusal::{ErrorCode, Refusal, RefusalReason};
pub use secret::{SECRET_BYTES, Secret, SecretAnswer, SecretDigest, StoredSecret};
pub use throttle::{
    ACCOUNT_BACK_OFF, AccountName, Attempt, BackOff, COUNTED_MAX, FAMILIAR_SECONDS, SOURCE_BACK_OFF, Throttle,
    Throttled, ThrottledSubject,
};
pub use token::{
    IssuedToken, LEEWAY_SECONDS, LIFETIME_SECONDS, LIFETIME_SECONDS_MAX, TOKEN_BYTES_MAX, TokenContent, TokenFault,
    TokenUse, issue_token, verify_token,
};
pub use token_request::{FORM_BYTES_MAX, TokenRequest};
pub use token_response::TokenResponse;
pub use verified_tokens::{REVOCATIONS_MAX, TOKENS_MAX, VerifiedTokens};

#[cfg(test)]
mod tests;
