//! What users sign in with, and when what they were given for it ended: rows beside the records.

use custodia_schema::Guid;

use crate::Result;
use crate::database::Database;
use crate::sql::internal;
use crate::transaction::Transaction;

/// The kind of a family of refresh tokens; the family's id stands for its principal.
pub const REFRESH_TOKENS: &str = "refresh token";
/// The kind of what tells when everything that was given out to a user, or to [`EVERYBODY`], was ended. It is no credential and
/// keeps nothing but its time.
pub const SESSIONS_ENDED: &str = "sessions ended";
/// Stands for all users of an organisation.
pub const EVERYBODY: Guid = Guid::nil();

impl Database {
    /// Credentials of one kind of a principal: name, kept form, when set.
    ///
    /// # Errors
    /// Store errors.
    pub async fn credentials(&self, principal: Guid, kind: &str) -> Result<Vec<(String, Vec<u8>, i64)>> {
        self.internal_rows(&internal::select_credentials(principal, kind), |row| {
            Some((row.text(0)?.to_owned(), row.bytes(1)?.to_vec(), row.integer(2)?))
        })
        .await
    }

    /// Principals whose credential of one kind was set since a moment, and when.
    ///
    /// # Errors
    /// Store errors.
    pub async fn credentials_changed_since(&self, kind: &str, since: i64) -> Result<Vec<(Guid, i64)>> {
        let statement = internal::select_changed_credentials(kind, since);
        self.internal_rows(&statement, |row| Some((row.guid(0)?, row.integer(1)?))).await
    }

    /// When the latest of some credentials was set, each given by its principal and its kind; nothing, if there is none.
    ///
    /// # Errors
    /// Store errors.
    pub async fn credentials_last_changed(&self, of: &[(Guid, &str)]) -> Result<Option<i64>> {
        let rows = self.internal_rows(&internal::select_credential_times(of), |row| row.integer(0)).await?;
        Ok(rows.into_iter().max())
    }
}

impl Transaction {
    /// Credentials of one kind of a principal, as of before this request's unflushed writes: name, kept form, when set.
    ///
    /// # Errors
    /// Store errors.
    pub async fn credentials(&mut self, principal: Guid, kind: &str) -> Result<Vec<(String, Vec<u8>, i64)>> {
        self.internal_rows(&internal::select_credentials(principal, kind), |row| {
            Some((row.text(0)?.to_owned(), row.bytes(1)?.to_vec(), row.integer(2)?))
        })
        .await
    }

    /// Keeps a credential, replacing one of the same name.
    pub fn put_credential(&mut self, principal: Guid, kind: &str, name: &str, secret: Vec<u8>) {
        let changed = self.now();
        self.internal(internal::upsert_credential(principal, kind, name, secret, changed));
    }

    /// Forgets a credential.
    pub fn remove_credential(&mut self, principal: Guid, kind: &str, name: &str) {
        self.internal(internal::delete_credential(principal, kind, name));
    }

    /// Keeps a credential in another form, if it still has the one that is replaced. When it was set stays: it is the same
    /// credential, and what was given out for it goes on.
    pub fn reform_credential(&mut self, principal: Guid, kind: &str, replaced: Vec<u8>, secret: Vec<u8>) {
        self.internal(internal::reform_credential(principal, kind, replaced, secret));
    }

    /// Ends everything that was given out to a user, or to [`EVERYBODY`], until this commit. Its time is after that of the last
    /// end: what was given out since then, in the same second or while the clock is behind, says that it is of after that one.
    pub fn end_sessions(&mut self, principal: Guid) {
        self.end_sessions_at(principal, self.now());
    }

    /// The same until a moment that may lie ahead: what is given out from now on says that it is of after that.
    pub(crate) fn end_sessions_at(&mut self, principal: Guid, time: i64) {
        self.internal(internal::end_sessions(SESSIONS_ENDED, principal, EVERYBODY, time));
    }

    /// Forgets all families of refresh tokens.
    pub(crate) fn remove_refresh_tokens(&mut self) {
        self.internal(internal::delete_credentials(REFRESH_TOKENS));
    }
}
