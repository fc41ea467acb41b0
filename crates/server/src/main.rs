//! The `custodia` binary: the composition root. Everything that reads the clock, the environment or the command line is in
//! this crate; what it does is in the others.

mod ambient;
mod audit;
mod cli;
mod config;
mod demo;
mod directory;
mod folder;
mod http;
mod import;
mod metrics;
mod operation;
mod serve;
mod service;
mod socket;
mod tls;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::cli::{Cli, Command, ConfigCommand, KeyCommand, OrgCommand, Place, TlsMode};
use crate::config::Config;
use crate::folder::{DataFolder, Owned};
use crate::operation::{Operation, Output};
use crate::service::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("custodia: threads cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("custodia: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { place, listen, ops_listen, demo, tls, tls_cert, tls_key } => {
            let mut config = load(&place)?;
            config.listen = listen.unwrap_or(config.listen);
            config.ops_listen = ops_listen.unwrap_or(config.ops_listen);
            config.tls.local |= matches!(tls, Some(TlsMode::Local));
            if let (Some(cert), Some(key)) = (tls_cert, tls_key) {
                config.tls.cert = cert.display().to_string();
                config.tls.key = key.display().to_string();
            }
            config.check()?;
            log(&config.log)?;
            let folder = DataFolder::take_alone(&place.data)?;
            serve::serve(folder, config, demo).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Org(command) => {
            let (place, operation) = match command {
                OrgCommand::Create { name, admin, display_name, place } => {
                    if !admin.contains('@') {
                        bail!("--admin {admin} is not an e-mail address");
                    }
                    let display_name = display_name.unwrap_or_else(|| name.clone());
                    (place, Operation::CreateOrganization { name, display_name, administrator: admin })
                }
                OrgCommand::List { place } => (place, Operation::ListOrganizations),
                OrgCommand::Suspend { name, place } => (place, Operation::SuspendOrganization { name }),
                OrgCommand::Resume { name, place } => (place, Operation::ResumeOrganization { name }),
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
        Command::Import { place, org, map, user, files } => {
            let files = files.iter().map(|file| absolute(file)).collect::<Result<_>>()?;
            carry_out(&place, Operation::Import { organization: org, user, map: absolute(&map)?, files }).await
        }
        Command::Backup { place, org, to } => {
            carry_out(&place, Operation::Backup { organization: org, to: absolute(&to)? }).await
        }
        Command::Restore { place, from, org, replace } => {
            carry_out(&place, Operation::Restore { from: absolute(&from)?, organization: org, replace }).await
        }
        Command::Secure { place, org, column, off } => {
            let (table, column) = column
                .split_once('.')
                .with_context(|| format!("'{column}' is not TABLE.COLUMN, such as account.creditlimit"))?;
            let (table, column) = (table.to_owned(), column.to_owned());
            carry_out(&place, Operation::SecureColumn { organization: org, table, column, secured: !off }).await
        }
        Command::Audit { place, org, limit, table, record } => {
            carry_out(&place, Operation::Audit { organization: org, limit, table, record }).await
        }
        Command::Key(KeyCommand::Export { place, to }) => {
            let config = load(&place)?;
            let key = custodia_store::MasterKey::read(&config.master_key_path(&place.data))?;
            key.write_new(&to).context("the copy of the master key")?;
            println!("the master key was copied to {}; keep it where this machine's loss does not reach", to.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Config(ConfigCommand::Check { config }) => {
            let config = Config::load(config.as_deref())?;
            print!("{}", toml::to_string_pretty(&config)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The configuration with the flags that every command has.
fn load(place: &Place) -> Result<Config> {
    let mut config = Config::load(place.config.as_deref())?;
    if let Some(database) = &place.database {
        config.database.clone_from(database);
    }
    config.check()?;
    Ok(config)
}

/// Carries an operation out here, or has the server do it that owns the folder.
async fn carry_out(place: &Place, operation: Operation) -> Result<ExitCode> {
    let mut output = Terminal { refused: false };
    match DataFolder::take(&place.data)? {
        Owned::Running => socket::ask(&place.data, &operation, &mut output).await?,
        Owned::Ours(folder) => {
            let config = load(place)?;
            log(&config::Log { filter: "warn".to_owned(), format: config.log.format.clone() })?;
            let service = Service::open(folder, config).await?;
            let done = operation.run(&service, &mut output).await;
            tokio::task::spawn_blocking(move || service.store.close()).await.context("closing the databases")?;
            done?;
        }
    }
    Ok(if output.refused { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// A path that means the same to the process that owns the folder.
fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("the path {}", path.display()))
}

fn log(log: &config::Log) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&log.filter)
        .with_context(|| format!("log.filter = \"{}\"", log.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if log.format == "json" {
        builder.json().init()
    } else {
        builder.init()
    }
    Ok(())
}

/// Lines to standard output, progress to standard error.
struct Terminal {
    refused: bool,
}

impl Output for Terminal {
    fn line(&mut self, text: &str) {
        println!("{text}");
    }

    fn progress(&mut self, text: &str) {
        eprintln!("{text}");
    }

    fn refused_rows(&mut self) {
        self.refused = true;
    }
}
