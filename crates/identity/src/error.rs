//! What can go wrong here, by what the caller can do about it.

use crate::{PasswordFault, TokenFault};

/// Every failure of this crate except a refusal of the token endpoint, which is an answer
/// ([`crate::Refusal`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Answer 401: the caller has to sign in again.
    #[error("the bearer token was refused: {0}")]
    Token(#[from] TokenFault),
    /// Ask for another password.
    #[error("the password cannot be used: {0}")]
    Password(#[from] PasswordFault),
    /// Correct the configuration, or refuse the request that carried the address.
    #[error("{given:?} cannot be used as an address of this service: {why}")]
    Address {
        /// The text as it came, shortened.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Ask for another lifetime.
    #[error("a token can live 1 to {} seconds, not {asked}: name a shorter time", crate::token::LIFETIME_SECONDS_MAX)]
    Lifetime {
        /// The seconds asked for.
        asked: i64,
    },
    /// What was stored is damaged or was written by a newer program: restore it, or make it anew.
    #[error("the stored {what} cannot be read: {why}")]
    Stored {
        /// Which kind of thing was stored.
        what: &'static str,
        /// What is wrong with it; never a part of a secret.
        why: &'static str,
    },
    /// A library failed and nothing in the input explains it (no memory, say): answer 500.
    #[error("could not {what}")]
    Failed {
        /// The operation.
        what: &'static str,
    },
}
