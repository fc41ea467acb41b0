//! What a user signs in with. Kept beside the records, never among them: no query reaches it.

use custodia_schema::Guid;
use custodia_store::{AuditEntry, AuditOperation, EVERYBODY, REFRESH_TOKENS, SESSIONS_ENDED};

use crate::audit_detail::action;
use crate::caller::Caller;
use crate::error::Result;
use crate::identity::User;
use crate::organization::Organization;
use crate::writing::Writing;

/// The kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The hash of a password.
    Password,
    /// The hash of a client secret of an application user.
    ClientSecret,
    /// A family of refresh tokens.
    RefreshToken,
}

impl CredentialKind {
    fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ClientSecret => "client secret",
            Self::RefreshToken => REFRESH_TOKENS,
        }
    }
}

/// A credential as it is kept: hashed or sealed by whoever made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Tells several of one kind apart; empty where there is one.
    pub name: String,
    /// The kept form.
    pub secret: Vec<u8>,
    /// When it was set, seconds since 1970.
    pub changed: i64,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What was given out in the second of a commit may be older than it: it ends, too.
fn after(changed: i64) -> i64 {
    changed.saturating_add(1)
}

impl Organization {
    /// Credentials of a user of one kind.
    ///
    /// # Errors
    /// Store errors.
    pub async fn credentials(&self, user: Guid, kind: CredentialKind) -> Result<Vec<Credential>> {
        let found = self.shared.database.credentials(user, kind.word()).await?;
        Ok(found.into_iter().map(|(name, secret, changed)| Credential { name, secret, changed }).collect())
    }

    /// Whose tokens were ended since a moment, and from when on they count again: a user's, or those of
    /// [`EVERYBODY`].
    ///
    /// # Errors
    /// Store errors.
    pub async fn tokens_ended_since(&self, since: i64) -> Result<Vec<(Guid, i64)>> {
        let mut ended = Vec::new();
        for kind in [CredentialKind::Password.word(), SESSIONS_ENDED] {
            let changed = self.shared.database.credentials_changed_since(kind, since).await?;
            ended.extend(changed.into_iter().map(|(principal, changed)| (principal, after(changed))));
        }
        Ok(ended)
    }

    /// From when on tokens of a user count (seconds since 1970): those of before ended with a former password, when the user
    /// was disabled, or when the organisation was restored.
    ///
    /// # Errors
    /// Store errors.
    pub async fn tokens_not_before(&self, user: Guid) -> Result<i64> {
        let of = [(user, CredentialKind::Password.word()), (user, SESSIONS_ENDED), (EVERYBODY, SESSIONS_ENDED)];
        Ok(self.shared.database.credentials_last_changed(&of).await?.map_or(0, after))
    }

    /// A user who signs in, and from when on the user's tokens count, as [`Self::tokens_not_before`]. That is read first: who is
    /// disabled between the two readings is found so, and whose tokens end after both has one of before that.
    ///
    /// # Errors
    /// Store errors.
    pub async fn user_with_tokens(&self, id: Guid) -> Result<Option<(User, i64)>> {
        let not_before = self.tokens_not_before(id).await?;
        Ok(self.find_user_by_id(id).await?.map(|user| (user, not_before)))
    }

    /// Keeps the same password in another form, unless it was replaced meanwhile. Tokens go on.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reform_password(&self, caller: &Caller, user: Guid, replaced: Vec<u8>, secret: Vec<u8>) -> Result<()> {
        self.in_transaction(caller, move |writing| {
            let kind = CredentialKind::Password.word();
            writing.transaction.reform_credential(user, kind, replaced.clone(), secret.clone());
            Box::pin(std::future::ready(Ok(())))
        })
        .await
    }

    /// Sets a credential of a user, or with `None` removes it. The audit tells that it was done, never what.
    ///
    /// # Errors
    /// Store errors.
    pub async fn set_credential(
        &self,
        caller: &Caller,
        user: Guid,
        kind: CredentialKind,
        name: &str,
        secret: Option<Vec<u8>>,
    ) -> Result<()> {
        let name = name.to_owned();
        self.in_transaction(caller, move |writing| {
            let (name, secret) = (name.clone(), secret.clone());
            Box::pin(async move { writing.set_credential(user, kind, &name, secret).await })
        })
        .await
    }

    /// Replaces a refresh token family, or adds one with `expected` `None`, if what is kept is still `expected`; whether it
    /// was. The family's id stands for a principal here: who presents a token is not known before it is found.
    ///
    /// # Errors
    /// Store errors.
    pub async fn swap_refresh_family(
        &self,
        caller: &Caller,
        family: Guid,
        expected: Option<Vec<u8>>,
        secret: Vec<u8>,
    ) -> Result<bool> {
        self.in_transaction(caller, move |writing| {
            let (expected, secret) = (expected.clone(), secret.clone());
            Box::pin(async move {
                // Two requests that swap the same family must see each other.
                writing.transaction.claim_alone()?;
                let kind = CredentialKind::RefreshToken.word();
                let kept = writing.transaction.credentials(family, kind).await?;
                let present = kept.into_iter().next().map(|(_, secret, _)| secret);
                if present != expected {
                    return Ok(false);
                }
                writing.transaction.put_credential(family, kind, "", secret);
                Ok(true)
            })
        })
        .await
    }

    /// Writes an audit entry about access to the service: a sign-in, a token.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit_access(&self, caller: &Caller, detail: &str) -> Result<()> {
        let detail = detail.to_owned();
        self.in_transaction(caller, move |writing| {
            let detail = detail.clone();
            Box::pin(async move {
                let user = writing.acting();
                writing.audit_service(user, action::ACCESS_BY_SERVICE, &detail);
                Ok(())
            })
        })
        .await
    }
}

impl Writing<'_> {
    async fn set_credential(
        &mut self,
        user: Guid,
        kind: CredentialKind,
        name: &str,
        secret: Option<Vec<u8>>,
    ) -> Result<()> {
        let users = self.table_named("systemuser")?;
        self.get(&users, user).await?;
        let done = if secret.is_some() { "set" } else { "removed" };
        match secret {
            Some(secret) => self.transaction.put_credential(user, kind.word(), name, secret),
            None => self.transaction.remove_credential(user, kind.word(), name),
        }
        if kind == CredentialKind::Password {
            self.transaction.end_sessions(user);
        }
        // Refresh tokens change with every use; what matters of them is the sign-in, which is told of by itself.
        if kind != CredentialKind::RefreshToken {
            self.audit_service(user, action::ACCESS_BY_WEB, &format!("{} {done}", kind.word()));
        }
        Ok(())
    }

    /// An entry about the service itself: told regardless of the switches for records.
    pub(crate) fn audit_service(&mut self, user: Guid, action: i32, detail: &str) {
        let table = self.schema.table_named("systemuser").map_or(custodia_schema::TableId(0), |table| table.id);
        let entry = self.audit_entry(table, user, AuditOperation::Access, action);
        let detail = Some(custodia_inspection::masked(detail).unwrap_or_else(|| detail.to_owned()));
        self.transaction.audit(&AuditEntry { detail, ..entry });
    }
}
