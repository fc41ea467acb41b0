//! The `custodia` binary: the composition root. Everything that reads the clock, the environment or the command line is in
//! this crate; what it does is in the others.

mod ambient;
#[cfg(test)]
mod attack_surface;
mod audit;
mod audit_heads;
mod audit_keeping;
mod cards;
mod cli;
mod config;
mod demo;
mod directory;
mod duties;
mod export;
mod folder;
mod handles;
mod held_file;
mod http;
mod import;
mod indexes;
mod jobs;
mod log;
mod machine;
mod metrics;
mod naming;
mod new_file;
mod operation;
mod present;
mod protection;
mod roles;
mod serve;
mod service;
mod simulate;
mod socket;
mod timers;
mod tls;
mod turns;
mod why;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use custodia_store::OrganizationLimit;
use futures::future::BoxFuture;

use crate::cli::{
    AuditCommand, AuditOnly, CardsCommand, Cli, Command, ConfigCommand, DutiesCommand, IndexesCommand, JobCommand,
    KeyCommand, OrgCommand, Place, RolesCommand, TlsMode,
};
use crate::config::{Config, Flag};
use crate::operation::{Operation, Output};
use crate::service::Service;
use crate::socket::Owner;
use crate::timers::Timers;

/// For C code too, so that pages that the cache of one connection gives up go back to the system, or to another one; and
/// without huge pages, of which a service at rest would hold twice the memory it uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long what is still at work at the end is waited for.
const LEFT_OVER: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // What is made here is for its owner alone, also in a folder that others may enter.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("custodia: threads cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            for line in custodia_store::with_causes(error.as_ref()).lines() {
                tell(&format!("custodia: {line}"));
            }
            ExitCode::FAILURE
        }
    };
    // A command that was still at work for somebody at the socket must not hold up the end.
    runtime.shutdown_timeout(LEFT_OVER);
    log::flush();
    code
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { place, listen, ops_listen, demo, tls, tls_cert, tls_key } => {
            let mut flags = flags_of(&place);
            flags.extend(listen.map(|value| flag("listen", "--listen", value)));
            flags.extend(ops_listen.map(|value| flag("ops_listen", "--ops-listen", value)));
            flags.extend(tls.map(|TlsMode::Local| flag("tls.local", "--tls", true)));
            flags.extend(tls_cert.map(|path| flag("tls.cert", "--tls-cert", path.display().to_string())));
            flags.extend(tls_key.map(|path| flag("tls.key", "--tls-key", path.display().to_string())));
            let config = Config::load(place.config.as_deref(), flags)?;
            log::start(&config.log.filter, &config.log.format)?;
            match socket::owner(&place.data).await? {
                Owner::Ours(folder) => serve::serve(folder, config, demo).await?,
                Owner::Server(_) => bail!(
                    "another custodia process serves the data folder {}; stop it first, or give this one another --data folder",
                    place.data.display()
                ),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Org(command) => {
            let (place, operation) = match command {
                OrgCommand::Create { name, admin, display_name, place } => {
                    if !naming::is_mail_address(&admin) {
                        bail!("--admin {} is not an e-mail address", operation::one_line(&admin));
                    }
                    let display_name = display_name.unwrap_or_else(|| name.clone());
                    (place, Operation::CreateOrganization { name, display_name, administrator: admin })
                }
                OrgCommand::List { place } => (place, Operation::ListOrganizations),
                OrgCommand::Suspend { name, place } => (place, Operation::SuspendOrganization { name }),
                OrgCommand::Resume { name, place } => (place, Operation::ResumeOrganization { name }),
                OrgCommand::Limits { name, requests, concurrent_requests, storage_bytes, place } => {
                    let given = [
                        (OrganizationLimit::Requests, requests),
                        (OrganizationLimit::ConcurrentRequests, concurrent_requests),
                        (OrganizationLimit::StorageBytes, storage_bytes),
                    ];
                    let changes = given
                        .into_iter()
                        .filter_map(|(limit, value)| Some((limit.word().to_owned(), value?.value())))
                        .collect();
                    (place, Operation::LimitOrganization { name, changes })
                }
                OrgCommand::Delete { name, confirm, place } => {
                    if name != confirm {
                        bail!(
                            "--confirm {confirm} is not {name}: say the name of the organisation to be destroyed once more"
                        );
                    }
                    (place, Operation::DeleteOrganization { name })
                }
            };
            carry_out(&place, operation).await
        }
        Command::Token { place, org, user, ttl } => {
            carry_out(&place, Operation::Token { organization: org, user, lifetime_seconds: ttl }).await
        }
        Command::Password { place, org, user } => {
            carry_out(&place, Operation::ResetPassword { organization: org, user }).await
        }
        Command::Secret { place, org, user, days, replace } => {
            let operation = Operation::ClientSecret { organization: org, user, days, replace };
            carry_out(&place, operation).await
        }
        Command::Import { place, org, map, user, files } => {
            let files = files.iter().map(|file| absolute(file)).collect::<Result<_>>()?;
            carry_out(&place, Operation::Import { organization: org, user, map: absolute(&map)?, files }).await
        }
        Command::Export { place, org, table, user, columns, filter, labels, raw, mapping, to } => {
            let absolute_of = |path: Option<std::path::PathBuf>| path.map(|path| absolute(&path)).transpose();
            let to = Some(to).filter(|to| to.as_os_str() != "-");
            let request = crate::export::Request {
                table,
                user,
                columns,
                filter: absolute_of(filter)?,
                labels,
                raw,
                mapping: absolute_of(mapping)?,
                to: absolute_of(to)?,
            };
            carry_out(&place, Operation::Export { organization: org, request }).await
        }
        Command::Backup { place, org, to } => {
            if to.as_os_str() == "-" {
                bail!("a backup is written to a file, not to standard output: name one with --to");
            }
            carry_out(&place, Operation::Backup { organization: org, to: absolute(&to)? }).await
        }
        Command::Restore { place, from, org, replace, confirm } => {
            let operation = Operation::Restore { from: absolute(&from)?, organization: org, replace, confirm };
            carry_out(&place, operation).await
        }
        Command::Secure { place, org, column, off } => {
            let (table, column) = column
                .split_once('.')
                .with_context(|| format!("'{column}' is not TABLE.COLUMN, such as account.creditlimit"))?;
            let (table, column) = (table.to_owned(), column.to_owned());
            carry_out(&place, Operation::SecureColumn { organization: org, table, column, secured: !off }).await
        }
        Command::AuditTable { place, org, table, off } => {
            carry_out(&place, Operation::AuditTable { organization: org, table, audited: !off }).await
        }
        Command::Audit { command: Some(command), .. } => keep_audit(command).await,
        Command::Audit { command: None, place, org, limit, only } => {
            let AuditOnly { table, record, user, since, action } = only;
            let only = audit::Only { table, record, user, since, actions: action };
            let organization = org.unwrap_or_default();
            carry_out(&place, Operation::Audit { organization, limit, only }).await
        }
        Command::Cards(command) => {
            let (place, organization, request) = match command {
                CardsCommand::Policy { place, org, scope, policy } => {
                    (place, org, crate::cards::Request::Policy { scope, policy })
                }
                CardsCommand::Reference { place, org, column, off } => {
                    (place, org, crate::cards::Request::Reference { column, holds: !off })
                }
                CardsCommand::Scan { place, org, mask, json, from } => {
                    (place, org, crate::cards::Request::Scan { masks: mask, json, from })
                }
            };
            carry_out(&place, Operation::Cards { organization, request }).await
        }
        Command::Why { place, org, question } => {
            carry_out(&place, Operation::Why { organization: org, request: question.into_request() }).await
        }
        Command::Simulate { place, org, user, method, path } => {
            let request = crate::simulate::Request { user, method, path };
            carry_out(&place, Operation::Simulate { organization: org, request }).await
        }
        Command::Roles(RolesCommand::Lint { place, org, roles_max, administrators_max, json }) => {
            let request = crate::roles::Request { roles_max, administrators_max, json };
            carry_out(&place, Operation::LintRoles { organization: org, request }).await
        }
        Command::Duties(command) => {
            let (place, organization, request) = match command {
                DutiesCommand::Set { name, place, org, role, privilege } => {
                    (place, org, crate::duties::Request::Set { name, roles: role, privileges: privilege })
                }
                DutiesCommand::Remove { name, place, org } => (place, org, crate::duties::Request::Remove { name }),
                DutiesCommand::List { place, org } => (place, org, crate::duties::Request::List),
                DutiesCommand::Check { place, org } => (place, org, crate::duties::Request::Check),
            };
            carry_out(&place, Operation::Duties { organization, request }).await
        }
        Command::Indexes(command) => {
            let (place, organization, request) = match command {
                IndexesCommand::List { table, place, org, json } => {
                    (place, org, crate::indexes::Request::List { table, json })
                }
                IndexesCommand::Advise { place, org, rows, gain, json } => {
                    (place, org, crate::indexes::Request::Advise { rows_min: rows, gain_min: gain, json })
                }
                IndexesCommand::Add { table, columns, place, org } => {
                    (place, org, crate::indexes::Request::Add { table, columns })
                }
                IndexesCommand::Remove { table, columns, place, org } => {
                    (place, org, crate::indexes::Request::Remove { table, columns })
                }
            };
            carry_out(&place, Operation::Indexes { organization, request }).await
        }
        Command::Job(JobCommand::List { org, place }) => {
            carry_out(&place, Operation::ListJobs { organization: org }).await
        }
        Command::Job(JobCommand::Cancel { job, org, place }) => {
            carry_out(&place, Operation::CancelJob { organization: org, job }).await
        }
        Command::Key(KeyCommand::Export { place, to }) => {
            let config = Config::load(place.config.as_deref(), flags_of(&place))?;
            folder::export_key(&place.data, &config, &to)?;
            print(&format!(
                "the master key was copied to {}; keep it where this machine's loss does not reach",
                to.display()
            ))
            .context("standard output")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Key(KeyCommand::Rotate { place, end_tokens }) => {
            carry_out(&place, Operation::RotateSigningKey { end_tokens }).await
        }
        Command::Config(ConfigCommand::Check { config }) => {
            let config = Config::load(config.as_deref(), Vec::new())?;
            print(toml::to_string_pretty(&config.shown())?.trim_end()).context("standard output")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Verifies audits and what belongs to keeping them.
async fn keep_audit(command: AuditCommand) -> Result<ExitCode> {
    match command {
        AuditCommand::Verify { place, org, heads, export } => {
            let heads = heads.map(|path| absolute(&path)).transpose()?;
            if let Some(export) = export {
                audit_keeping::verify_file(&export, heads.as_deref())?;
                return Ok(ExitCode::SUCCESS);
            }
            let organization = org.unwrap_or_default();
            carry_out(&place, Operation::VerifyAudit { organization, heads }).await
        }
        AuditCommand::Export { place, org, to } => {
            let to = Some(to).filter(|to| to.as_os_str() != "-").map(|to| absolute(&to)).transpose()?;
            carry_out(&place, Operation::ExportAudit { organization: org, to }).await
        }
        AuditCommand::Prune { place, org, before, reason } => {
            carry_out(&place, Operation::PruneAudit { organization: org, before, reason }).await
        }
        AuditCommand::Erase { place, org, table, record, reason } => {
            carry_out(&place, Operation::EraseAudit { organization: org, table, record, reason }).await
        }
        AuditCommand::RotateKey { place } => carry_out(&place, Operation::RotateAuditKey).await,
    }
}

/// The keys that the flags of every command set.
fn flags_of(place: &Place) -> Vec<Flag> {
    place.database.iter().map(|value| flag("database", "--database", value.clone())).collect()
}

fn flag(key: &'static str, name: &'static str, value: impl Into<toml::Value>) -> Flag {
    Flag { key, name, value: value.into() }
}

/// Carries an operation out here, or has the server do it that owns the folder.
async fn carry_out(place: &Place, operation: Operation) -> Result<ExitCode> {
    let mut output = Terminal::default();
    let load = || Config::load(place.config.as_deref(), flags_of(place));
    folder::require_folder(&place.data, operation.makes(), load)?;
    match socket::owner(&place.data).await? {
        Owner::Server(stream) => socket::ask(stream, &operation, &mut output).await?,
        Owner::Ours(folder) => {
            let config = load()?;
            log::start("warn", &config.log.format)?;
            let service = Arc::new(Service::open(folder, config, operation.makes()).await?);
            let timers = Timers::start(&service);
            let done = operation.run(&service, &mut output).await;
            timers.end().await;
            tokio::task::spawn_blocking(move || service.store.close()).await.context("closing the databases")?;
            done?;
        }
    }
    if let Some(error) = output.lost {
        bail!("it was done, but what it says of it could not be written to standard output: {error}");
    }
    Ok(if output.refused { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// A path that means the same to the process that owns the folder.
fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("the path {}", path.display()))
}

/// A line to standard output. Whoever read it may be gone (`custodia audit | head`): that is no fault.
///
/// # Errors
/// Where it cannot be written for another reason: a full disk.
fn print(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{}", harmless(text)).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// A line to standard output of a server, which serves whether it can be written or not.
fn say(text: &str) {
    let _ = print(text);
}

/// A line to standard error, where somebody may read it.
fn tell(text: &str) {
    log::flush();
    let _ = writeln!(std::io::stderr(), "{}", harmless(text));
}

/// A text with what would steer a terminal as escapes, which are those of JSON: names in it are anybody's.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() && !matches!(character, '\n' | '\t') {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    shown
}

/// Lines to standard output, progress to standard error.
#[derive(Default)]
struct Terminal {
    refused: bool,
    /// Why a line could not be written.
    lost: Option<std::io::Error>,
}

impl Output for Terminal {
    fn line(&mut self, text: &str) {
        if let Err(error) = print(text) {
            self.lost.get_or_insert(error);
        }
    }

    fn data(&mut self, text: String) -> BoxFuture<'_, std::io::Result<()>> {
        let mut output = std::io::stdout().lock();
        let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        Box::pin(std::future::ready(written))
    }

    fn progress(&mut self, text: &str) {
        tell(text);
    }

    fn refused_rows(&mut self) {
        self.refused = true;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_do_not_steer_a_terminal() {
        assert_eq!(harmless("Zoë\tNorth\n東"), "Zoë\tNorth\n東");
        assert_eq!(harmless("\u{1b}[2Jgone\r\u{9b}\u{7f}"), "\\u001b[2Jgone\\u000d\\u009b\\u007f");
        let json = serde_json::json!({ "name": "a\u{9b}2J\u{7f}\n" });
        let shown = harmless(&json.to_string());
        assert!(!shown.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), json);
        assert_eq!(operation::one_line("x\nnobody holds it"), "x\\nnobody holds it");
    }
}
