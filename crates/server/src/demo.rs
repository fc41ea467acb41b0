//! `--demo`: the organisations demo and demo2 with real sample data, made on first start; who can sign in stands in
//! `DIR/demo.json`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use custodia_org::{Caller, CredentialKind, Organization};
use custodia_process::demo::{DEMO, DEMO2, DemoReport, PasswordError, PasswordSetter, fill_demo, fill_demo2};
use custodia_process::import::Advance;
use custodia_schema::Guid;
use custodia_store::{Clock, OrganizationState, Random};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::directory::StoredPassword;
use crate::service::Service;

/// Sign-in name of the demonstrations' first administrator.
const ADMINISTRATOR: &str = "admin@demo.example";
/// How often progress is told, in milliseconds.
const PROGRESS_MS: u64 = 2_000;

/// Stands where the password of a person stood who has another one by now.
const REPLACED: &str = "(by 'custodia password')";

/// What stands in `demo.json`.
#[derive(Serialize, Deserialize)]
struct Demo {
    org: String,
    url: String,
    users: Vec<Person>,
}

#[derive(Serialize, Deserialize)]
struct Person {
    user: String,
    password: String,
    role: String,
}

/// Makes what is missing of the demonstrations and tells who can sign in.
///
/// # Errors
/// Store errors; files that cannot be written.
pub async fn make(service: &Arc<Service>, url: &str) -> Result<()> {
    for name in [DEMO, DEMO2] {
        let path = file_of(service.folder(), name);
        // One that a killed start left half made is gone by now; on PostgreSQL another node may be making it, and an operator
        // is told what to do.
        let known = service.store.organization(name).ok();
        let exists = known.is_some_and(|known| known.state != OrganizationState::Creating);
        if !exists {
            service.create_organization(name, title_of(name), ADMINISTRATOR).await?;
        }
        let known = exists.then(|| std::fs::read(&path).ok()).flatten();
        let mut demo = match known.and_then(|bytes| serde_json::from_slice::<Demo>(&bytes).ok()) {
            Some(demo) => demo,
            None => {
                let report = fill(service, name).await?;
                let users = report
                    .users
                    .into_iter()
                    .map(|user| Person { user: user.user, password: user.password, role: user.role })
                    .collect();
                Demo { org: name.to_owned(), url: String::new(), users }
            }
        };
        demo.url = format!("{url}/{name}/");
        crate::tls::write_private(&path, serde_json::to_string_pretty(&demo)?.as_bytes())?;
        crate::say(&format!("organisation {name}: {}", demo.url));
        // Somebody may have suspended it, and the others are served all the same.
        let organization = match service.organization(name).await {
            Ok(organization) => organization,
            Err(error) => {
                crate::say(&format!("  {error}"));
                continue;
            }
        };
        for person in &demo.users {
            let replaced = is_password_replaced(&organization, &person.user).await?;
            let password = if replaced { REPLACED } else { &person.password };
            crate::say(&format!("  {:<38} {password:<26} {}", person.user, person.role));
        }
    }
    Ok(())
}

/// Whether somebody gave a person of the demonstration another password: only those made by `custodia password` end.
async fn is_password_replaced(organization: &Organization, user: &str) -> Result<bool> {
    let Some(user) = organization.find_user(user).await? else { return Ok(false) };
    let kept = organization.credentials(user.id, CredentialKind::Password).await?;
    let stored = kept.first().map(|kept| serde_json::from_slice::<StoredPassword>(&kept.secret));
    Ok(stored.transpose()?.is_some_and(|stored| stored.expires.is_some()))
}

async fn fill(service: &Arc<Service>, name: &str) -> Result<DemoReport> {
    let organization = service.organization(name).await?;
    let found = organization.find_user(ADMINISTRATOR).await?;
    let administrator = found.with_context(|| {
        format!(
            "organisation '{name}' has no user {ADMINISTRATOR}: it was not made by --demo; leave --demo out or use another --data"
        )
    })?;
    let caller = Caller::user(administrator.id, service.new_id());
    let passwords = Passwords { service: Arc::clone(service), organization: organization.clone() };
    let mut told = 0;
    let mut progress = |advance: &Advance<'_>| {
        let now = service.clock.monotonic_ms();
        if now.saturating_sub(told) >= PROGRESS_MS {
            told = now;
            let Advance { file, rows_done, rows_total, .. } = advance;
            crate::tell(&format!("filling {name}: {file} {rows_done} of {rows_total} rows"));
        }
    };
    let report = if name == DEMO {
        fill_demo(&organization, &caller, &passwords, &mut progress).await?
    } else {
        fill_demo2(&organization, &caller, &passwords, &mut progress).await?
    };
    Ok(report)
}

fn title_of(name: &str) -> &'static str {
    if name == DEMO { "Demo" } else { "Demo Two" }
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Sets the passwords of the demonstrations' people.
struct Passwords {
    service: Arc<Service>,
    organization: Organization,
}

impl PasswordSetter for Passwords {
    fn fill(&self, buffer: &mut [u8]) {
        Random::fill(self.service.random.as_ref(), buffer);
    }

    fn set<'a>(&'a self, user: Guid, password: &'a str) -> BoxFuture<'a, Result<(), PasswordError>> {
        Box::pin(async move {
            let password = custodia_identity::Password::new(password);
            self.service.set_password(&self.organization, user, password, None).await.map_err(Into::into)
        })
    }
}
