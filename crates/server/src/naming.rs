//! Users, teams and roles as somebody names them at the command line.

use anyhow::{Context, Result};
use custodia_org::{Organization, User};
use custodia_schema::Guid;

/// A user by e-mail address, domain name or id.
///
/// # Errors
/// Where there is none, or several.
pub async fn user(org: &Organization, name: &str) -> Result<User> {
    let found = match name.parse() {
        Ok(id) => org.find_user_by_id(id).await?,
        Err(_) => org.find_user(name).await?,
    };
    found.with_context(|| format!("there is no user '{name}' (or several): use the id"))
}

/// A team by name or id.
///
/// # Errors
/// Where there is none of that name, or several.
pub async fn team(org: &Organization, name: &str) -> Result<Guid> {
    let found = match name.parse() {
        Ok(id) => Some(id),
        Err(_) => org.find_team(name).await?,
    };
    found.with_context(|| format!("there is no team '{name}' (or several): use the id"))
}

/// A role by name or id.
///
/// # Errors
/// Where there is none of that name, or several.
pub async fn role(org: &Organization, name: &str) -> Result<Guid> {
    let found = match name.parse() {
        Ok(id) => Some(id),
        Err(_) => org.find_role(name).await?,
    };
    found.with_context(|| format!("there is no role '{name}' (or several): use the id"))
}
