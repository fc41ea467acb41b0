//! Users, teams and roles as somebody names them at the command line.

use anyhow::{Result, bail};
use custodia_org::{Organization, User};
use custodia_schema::Guid;

/// A user by e-mail address, domain name or id.
///
/// # Errors
/// Where there is none, or several.
pub async fn user(org: &Organization, name: &str) -> Result<User> {
    let by_id = match name.parse() {
        Ok(id) => org.find_user_by_id(id).await?,
        Err(_) => None,
    };
    // Applications go by an id that is not the one of their user.
    let found = match by_id {
        Some(found) => vec![found],
        None => org.find_users(name).await?,
    };
    only("user", name, found)
}

/// A team by name or id.
///
/// # Errors
/// Where there is none of that name, or several.
pub async fn team(org: &Organization, name: &str) -> Result<Guid> {
    match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => only("team", name, org.find_teams(name).await?),
    }
}

/// A role by name or id.
///
/// # Errors
/// Where there is none of that name, or several.
pub async fn role(org: &Organization, name: &str) -> Result<Guid> {
    match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => only("role", name, org.find_roles(name).await?),
    }
}

/// The one that was found.
fn only<T>(kind: &str, name: &str, found: Vec<T>) -> Result<T> {
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => bail!("there is no {kind} '{name}'"),
        (Some(_), Some(_)) => bail!("there are several {kind}s '{name}': use the id"),
    }
}

/// Whether a text can be an e-mail address: one `@` with something on both sides, and nothing that is blank or not shown.
pub fn is_mail_address(text: &str) -> bool {
    let is_plain = !text.chars().any(|character| character.is_whitespace() || character.is_control());
    let parts = text.split_once('@');
    is_plain && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}
