//! What the command line asks of an installation: carried out here, or by the server that owns the data folder.

use std::path::Path;

use anyhow::{Context, Result, bail};
use custodia_store::{OrganizationLimit, OrganizationState};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::folder::Makes;
use crate::naming;
use crate::service::{Service, TEMPORARY_PASSWORD_SECONDS};

/// A command on an installation.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Operation {
    /// Make an organisation.
    CreateOrganization {
        /// Its name in URLs.
        name: String,
        /// Its name for people.
        display_name: String,
        /// E-mail of its first administrator.
        administrator: String,
    },
    /// List the organisations.
    ListOrganizations,
    /// Close an organisation to requests.
    SuspendOrganization {
        /// Its name.
        name: String,
    },
    /// Open a suspended organisation.
    ResumeOrganization {
        /// Its name.
        name: String,
    },
    /// Show what an organisation may use, after these changes.
    LimitOrganization {
        /// Its name.
        name: String,
        /// Words of limits, each with its own value or, without, as configured.
        changes: Vec<(String, Option<u64>)>,
    },
    /// Destroy an organisation.
    DeleteOrganization {
        /// Its name.
        name: String,
    },
    /// Make a token.
    Token {
        /// The organisation.
        organization: String,
        /// E-mail, domain name or id.
        user: String,
        /// How long it lives.
        lifetime_seconds: i64,
    },
    /// Give a user a new temporary password.
    ResetPassword {
        /// The organisation.
        organization: String,
        /// E-mail, domain name or id.
        user: String,
    },
    /// Give an application a client secret.
    ClientSecret {
        /// The organisation.
        organization: String,
        /// The application's id, or name or e-mail address of its user.
        user: String,
        /// Days it is good for.
        days: u32,
        /// End the other secrets.
        replace: bool,
    },
    /// Sign tokens with a new key.
    RotateSigningKey {
        /// Tokens given out before are good no more.
        end_tokens: bool,
    },
    /// List audit entries.
    Audit {
        /// The organisation.
        organization: String,
        /// How many, newest first.
        limit: u32,
        /// Which.
        only: crate::audit::Only,
    },
    /// Verify an audit.
    VerifyAudit {
        /// The organisation.
        organization: String,
        /// Published heads; the own ones if not given.
        heads: Option<std::path::PathBuf>,
    },
    /// Write an audit to a file.
    ExportAudit {
        /// The organisation.
        organization: String,
        /// The file to make; the output of the command if not given.
        to: Option<std::path::PathBuf>,
    },
    /// Remove the oldest audit entries.
    PruneAudit {
        /// The organisation.
        organization: String,
        /// Those written before this moment, seconds since 1970.
        before: i64,
        /// Why.
        reason: String,
    },
    /// Erase the values of a record's audit entries.
    EraseAudit {
        /// The organisation.
        organization: String,
        /// Logical name of the table.
        table: String,
        /// The record.
        record: uuid::Uuid,
        /// Why.
        reason: String,
    },
    /// Sign heads of audits with a new key.
    RotateAuditKey,
    /// List the jobs of an organisation that have not ended.
    ListJobs {
        /// The organisation.
        organization: String,
    },
    /// Cancel a job.
    CancelJob {
        /// The organisation.
        organization: String,
        /// The job.
        job: uuid::Uuid,
    },
    /// Copy an organisation into a file.
    Backup {
        /// The organisation.
        organization: String,
        /// The file to make.
        to: std::path::PathBuf,
    },
    /// Bring an organisation back from a file.
    Restore {
        /// The file.
        from: std::path::PathBuf,
        /// The name it shall have; its own if not given.
        organization: Option<String>,
        /// Take the place of an organisation that exists.
        replace: bool,
        /// Its name once more, if it is another one than the backup is of.
        confirm: Option<String>,
    },
    /// Switch column security of a column on or off.
    SecureColumn {
        /// The organisation.
        organization: String,
        /// Logical name of the table.
        table: String,
        /// Logical name of the column.
        column: String,
        /// On or off.
        secured: bool,
    },
    /// Switch the audit of a table on or off.
    AuditTable {
        /// The organisation.
        organization: String,
        /// Logical name of the table.
        table: String,
        /// On or off.
        audited: bool,
    },
    /// Rules for payment card numbers, and a look at what is stored.
    Cards {
        /// The organisation.
        organization: String,
        /// What.
        request: crate::cards::Request,
    },
    /// Tell why somebody may do something.
    Why {
        /// The organisation.
        organization: String,
        /// Who, and what.
        request: crate::why::Request,
    },
    /// Try a request out with somebody's rights.
    Simulate {
        /// The organisation.
        organization: String,
        /// As whom, and what.
        request: crate::simulate::Request,
    },
    /// Look over who may do what.
    LintRoles {
        /// The organisation.
        organization: String,
        /// How.
        request: crate::roles::Request,
    },
    /// Rules of what nobody is to hold together.
    Duties {
        /// The organisation.
        organization: String,
        /// What.
        request: crate::duties::Request,
    },
    /// The indexes of an organisation.
    Indexes {
        /// The organisation.
        organization: String,
        /// What.
        request: crate::indexes::Request,
    },
    /// Import CSV files.
    Import {
        /// The organisation.
        organization: String,
        /// The user in whose name records are made.
        user: Option<String>,
        /// The mapping file.
        map: std::path::PathBuf,
        /// The files.
        files: Vec<std::path::PathBuf>,
    },
    /// Export records of a table as CSV.
    Export {
        /// The organisation.
        organization: String,
        /// What, and where to.
        request: crate::export::Request,
    },
}

/// What to do about an installation in which nobody has anything to use yet.
pub fn no_organization(service: &Service) -> String {
    let place = service.place();
    // The address may hold a password; a file that was given most likely has it.
    let database = match service.config.database.is_empty() || service.config.file.is_some() {
        true => "",
        false => " --database postgres://…",
    };
    format!("There is no organisation yet: custodia org create NAME --admin EMAIL {place}{database}")
}

/// Where an operation writes what it has to say.
pub trait Output: Send {
    /// A line of the answer.
    fn line(&mut self, text: &str);
    /// A part of an answer that is data, not words. Done when there is room for the next.
    fn data(&mut self, text: String) -> BoxFuture<'_, std::io::Result<()>>;
    /// How far long work has got, on standard error.
    fn progress(&mut self, text: &str);
    /// The work is done, but some rows were refused, something was found, or the answer is no: the exit code says so.
    fn refused_rows(&mut self);
}

/// A name within a line: one with line breaks could pass for lines of the answer.
pub fn one_line(name: &str) -> String {
    name.replace('\n', "\\n")
}

impl Operation {
    /// What it makes in a folder in which nothing is yet.
    pub fn makes(&self) -> Makes<'_> {
        match self {
            Self::CreateOrganization { .. } => Makes::Installation,
            Self::Restore { from, .. } => Makes::ControlDatabaseFor(from),
            _ => Makes::Nothing,
        }
    }

    /// Whether it ends when whoever gave it goes away, as it does where no server carries it out: what loses nothing by being
    /// given once more. The others are done to their end, since what is half done would be in the way.
    pub fn ends_with_its_giver(&self) -> bool {
        matches!(
            self,
            Self::Import { .. }
                | Self::Export { .. }
                | Self::Audit { .. }
                | Self::VerifyAudit { .. }
                | Self::ExportAudit { .. }
                | Self::Cards { .. }
                | Self::Why { .. }
                | Self::Simulate { .. }
                | Self::LintRoles { .. }
        )
    }

    /// Carries the operation out.
    ///
    /// # Errors
    /// Why it was not done, as a person can act on it.
    pub async fn run(self, service: &Service, output: &mut dyn Output) -> Result<()> {
        match self {
            Self::CreateOrganization { name, display_name, administrator } => {
                let password = service.create_organization(&name, &display_name, &administrator).await?;
                output.line(&format!("organisation {name} was made"));
                output.line(&format!("administrator {administrator}"));
                tell_password(password.expose(), "", output);
            }
            Self::ListOrganizations => {
                // Another node may have made some a moment ago.
                service.store.reload_organizations().await?;
                let organizations = service.store.organizations();
                if organizations.is_empty() {
                    output.progress(&no_organization(service));
                }
                for organization in organizations {
                    output.line(&format!(
                        "{:<40} {:<10} {} {}",
                        organization.name,
                        organization.state.word(),
                        organization.id,
                        one_line(&organization.display_name)
                    ));
                }
            }
            Self::SuspendOrganization { name } => {
                let organization = service.store.organization(&name)?;
                if organization.state != OrganizationState::Active {
                    bail!("organisation '{name}' is {}, not active", organization.state.word());
                }
                service.store.suspend(&organization).await?;
                output.line(&format!("organisation {name} is suspended; 'custodia org resume {name}' opens it again"));
            }
            Self::ResumeOrganization { name } => {
                let organization = service.store.organization(&name)?;
                if organization.state != OrganizationState::Suspended {
                    bail!("organisation '{name}' is {}, not suspended", organization.state.word());
                }
                service.store.activate(&organization).await?;
                output.line(&format!("organisation {name} is active"));
            }
            Self::LimitOrganization { name, changes } => limit_organization(service, &name, changes, output).await?,
            Self::DeleteOrganization { name } => {
                let organization = service.store.organization(&name)?;
                if organization.state == OrganizationState::Active
                    && let Some(why) = service.store.lost_database(&organization).await
                {
                    bail!(
                        "the database of organisation '{name}' does not open ({why}), and once it is destroyed none of its \
                         backups is restored here; 'custodia restore --from BACKUP --org {name} --replace' puts it back. To \
                         destroy it all the same, type 'custodia org suspend {name}' first"
                    );
                }
                service.store.delete_organization(&organization).await?;
                if organization.state == OrganizationState::Creating {
                    output
                        .line(&format!("what there was of organisation {name} is removed; it was not made to its end"));
                } else {
                    output.line(&format!("organisation {name} was destroyed with its key"));
                    output.line(&format!(
                        "No backup that was taken of it (id {}) is restored here any more; remove those where they are kept \
                         (docs/operations/backup.md). Backups of one that it was a copy of are not meant.",
                        organization.id
                    ));
                }
            }
            Self::Token { organization, user, lifetime_seconds } => {
                let organization = service.organization(&organization).await?;
                output.line(&service.token_for(&organization, &user, lifetime_seconds).await?);
            }
            Self::ResetPassword { organization, user } => {
                let organization = service.organization(&organization).await?;
                let found = person(&organization, &user).await?;
                let password = custodia_identity::Secret::generate_readable(service.random.as_ref());
                let typed = custodia_identity::Password::new(password.expose());
                service.set_password(&organization, found.id, typed, Some(TEMPORARY_PASSWORD_SECONDS)).await?;
                tell_password(password.expose(), " Tokens given out before have ended.", output);
            }
            Self::ClientSecret { organization, user, days, replace } => {
                let organization = service.organization(&organization).await?;
                let made = service.client_secret(&organization, &user, days, replace).await?;
                output.line(&format!("client id {}", made.application));
                output.line(&format!("client secret {}", made.secret.expose()));
                output.line(&format!("The secret is good for {days} days; it is not shown again."));
            }
            Self::RotateSigningKey { end_tokens } => {
                service.rotate_keys(end_tokens).await?;
                let before = if end_tokens { "are refused now" } else { "stay good until they end" };
                output.line(&format!("tokens are signed with a new key; those given out before {before}"));
            }
            Self::Audit { organization, limit, only } => {
                let organization = service.organization(&organization).await?;
                crate::audit::list(&organization, limit, &only, output).await?;
            }
            Self::VerifyAudit { organization, heads } => {
                let organization = service.organization(&organization).await?;
                crate::audit_keeping::verify(service, &organization, heads.as_deref(), output).await?;
            }
            Self::ExportAudit { organization, to } => {
                let organization = service.organization(&organization).await?;
                crate::audit_keeping::export(service, &organization, to.as_deref(), output).await?;
            }
            Self::PruneAudit { organization, before, reason } => {
                let organization = service.organization(&organization).await?;
                let progress = &mut |text: &str| output.progress(text);
                let removed = crate::audit_keeping::prune(service, &organization, before, &reason, progress).await?;
                output.line(&match removed {
                    0 => "no audit entry is that old".to_owned(),
                    1 => "1 audit entry was removed; a signed record tells of it".to_owned(),
                    _ => format!("{removed} audit entries were removed; a signed record tells of it"),
                });
            }
            Self::EraseAudit { organization, table, record, reason } => {
                let organization = service.organization(&organization).await?;
                let schema = organization.schema();
                let table = schema.table_named(&table).with_context(|| format!("there is no table '{table}'"))?.id;
                let caller = custodia_org::Caller::platform("custodia audit", service.new_id());
                let erased = organization.erase_history(&caller, table, record, &reason).await?;
                output.line(&match erased {
                    0 => "no audit entry of that record holds values".to_owned(),
                    1 => "the values of 1 audit entry were erased; an entry tells of it".to_owned(),
                    _ => format!("the values of {erased} audit entries were erased; an entry tells of it"),
                });
            }
            Self::RotateAuditKey => {
                let now = service.now();
                let key = service.audit_heads.rotate(&service.store, service.random.as_ref(), now).await?;
                output.line(&format!("heads of audits are signed with key {key} from now on"));
            }
            Self::ListJobs { organization } => {
                let organization = service.organization(&organization).await?;
                let jobs = organization.open_jobs().await?;
                if jobs.is_empty() {
                    output.progress(&format!("organisation {} has no open job", organization.name()));
                }
                for job in jobs {
                    output.line(&crate::jobs::line(&job, service.now()));
                }
            }
            Self::CancelJob { organization, job } => {
                let organization = service.organization(&organization).await?;
                let caller = custodia_org::Caller::platform("custodia job", service.new_id());
                if !organization.cancel_job(&caller, job).await? {
                    bail!(
                        "organisation '{}' has no open job {job}; 'custodia job list' shows them",
                        organization.name()
                    );
                }
                output.line(&format!("job {job} is cancelled; it ends with the step at hand"));
            }
            Self::Backup { organization, to } => {
                service.require_outside(&to)?;
                let report = service.store.backup(&organization, &to, &mut |text: &str| output.progress(text)).await?;
                output.line(&report.to_string());
            }
            Self::Restore { from, organization, replace, confirm } => {
                if replace {
                    require_meant(service, &from, organization.as_deref(), confirm.as_deref())?;
                }
                // Another node may have changed the keys.
                service.audit_heads.reload(&service.store).await?;
                let ring = service.audit_heads.ring();
                let report = service
                    .store
                    .restore(&from, organization.as_deref(), replace, &ring, &mut |text: &str| output.progress(text))
                    .await?;
                service.jobs.restored();
                output.line(&report.to_string());
            }
            Self::SecureColumn { organization, table, column, secured } => {
                let organization = service.organization(&organization).await?;
                let schema = organization.schema();
                let found = schema.table_named(&table).with_context(|| format!("there is no table '{table}'"))?;
                let named =
                    found.column(&column).with_context(|| format!("table '{table}' has no column '{column}'"))?;
                let caller = custodia_org::Caller::platform("custodia column", service.new_id());
                organization.secure_column(&caller, found.id, named.id, secured).await?;
                let state = if secured { "on: only field security profiles open the column now" } else { "off" };
                output.line(&format!("column security of {table}.{column} is {state}"));
            }
            Self::AuditTable { organization, table, audited } => {
                let organization = service.organization(&organization).await?;
                let schema = organization.schema();
                let found = schema.table_named(&table).with_context(|| format!("there is no table '{table}'"))?;
                let caller = custodia_org::Caller::platform("custodia audit-table", service.new_id());
                organization.audit_table(&caller, found.id, audited).await?;
                let state = if audited { "on" } else { "off" };
                output.line(&format!("the audit of {table} is {state}"));
            }
            Self::Cards { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::cards::run(service, &organization, request, output).await?;
            }
            Self::Why { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::why::run(service, &organization, &request, output).await?;
            }
            Self::Simulate { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::simulate::run(service, &organization, &request, output).await?;
            }
            Self::LintRoles { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::roles::run(service, &organization, &request, output).await?;
            }
            Self::Duties { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::duties::run(service, &organization, request, output).await?;
            }
            Self::Indexes { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::indexes::run(service, &organization, request, output).await?;
            }
            Self::Import { organization, user, map, files } => {
                let organization = service.organization(&organization).await?;
                crate::import::run(service, &organization, user.as_deref(), &map, &files, output).await?;
            }
            Self::Export { organization, request } => {
                let organization = service.organization(&organization).await?;
                crate::export::run(service, &organization, &request, output).await?;
            }
        }
        Ok(())
    }
}

/// Shows a password that was just made.
fn tell_password(password: &str, besides: &str, output: &mut dyn Output) {
    let days = TEMPORARY_PASSWORD_SECONDS / 86_400;
    // Scripts look for these words.
    output.line(&format!("temporary password {password}"));
    output.line(&format!(
        "It is not shown again. It may be used for {days} days, then 'custodia password' gives another.{besides} Programs use a \
         client secret ('custodia secret')."
    ));
}

/// The user of that name, who is given a password. Applications, which go by an id of their own, have none.
async fn person(organization: &custodia_org::Organization, named: &str) -> Result<custodia_org::User> {
    let error = match naming::user(organization, named).await {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    if let Ok(application) = named.parse()
        && organization.find_application_user(application).await?.is_some()
    {
        bail!(
            "{named} is an application: programs use a client secret, 'custodia secret --org {} --user {named}' makes one",
            organization.name()
        );
    }
    Err(error)
}

/// The user of that name, or else the platform under the name of a command.
pub async fn caller(
    service: &Service,
    organization: &custodia_org::Organization,
    user: Option<&str>,
    command: &'static str,
) -> Result<custodia_org::Caller> {
    let Some(name) = user else { return Ok(custodia_org::Caller::platform(command, service.new_id())) };
    let found = naming::user(organization, name).await?;
    Ok(custodia_org::Caller::user(found.id, service.new_id()))
}

/// Refuses to replace an organisation by the backup of another one, unless it was named once more.
fn require_meant(service: &Service, from: &Path, organization: Option<&str>, confirm: Option<&str>) -> Result<()> {
    let (origin, its_name) = custodia_store::organization_of_backup(from)?;
    let name = organization.unwrap_or(&its_name);
    let replaced = service.store.organization(name)?;
    match confirm {
        Some(confirm) if confirm != name => {
            bail!("--confirm {confirm} is not {name}: say the name of the organisation to be replaced once more")
        }
        None if replaced.id != origin => bail!(
            "the backup is of another organisation, {its_name} ({origin}), not of {name} ({}): what {name} holds would be lost. \
             If that is meant, add --confirm {name}",
            replaced.id
        ),
        _ => Ok(()),
    }
}

async fn limit_organization(
    service: &Service,
    name: &str,
    changes: Vec<(String, Option<u64>)>,
    output: &mut dyn Output,
) -> Result<()> {
    let organization = service.store.organization(name)?;
    let find = |word: &str| OrganizationLimit::ALL.into_iter().find(|limit| limit.word() == word);
    let changes: Vec<_> = changes
        .into_iter()
        .map(|(word, value)| Ok((find(&word).with_context(|| format!("there is no limit '{word}'"))?, value)))
        .collect::<Result<_>>()?;
    for (limit, value) in changes {
        service.store.limit_organization(&organization, limit, value).await?;
    }
    let organization = service.store.organization(name)?;
    for limit in OrganizationLimit::ALL {
        let origin = if organization.limits.get(limit).is_some() { "its own" } else { "as configured" };
        output.line(&format!("{:<20} {:>20} {origin}", limit.word(), service.limit_of(&organization, limit)));
    }
    Ok(())
}
