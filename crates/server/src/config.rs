//! The configuration: one TOML file, every key also as an environment variable `CUSTODIA_…`, flags above both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::ambient::environment;

/// The whole configuration with its defaults.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients connect: address and port, port 0 picks one.
    pub listen: String,
    /// Where health and metrics are asked; keep it on a private interface.
    pub ops_listen: String,
    /// `postgres://…` of the control database; empty: everything in files of the data folder.
    pub database: String,
    /// `https://…` under which clients reach the service through a proxy; empty: as they address it.
    pub public_url: String,
    /// Trust `X-Forwarded-Proto` and `X-Forwarded-Host`; only behind a proxy that sets them.
    pub trust_forwarded: bool,
    /// File of the master key; empty: `master.key` in the data folder.
    pub master_key_file: String,
    /// TLS.
    pub tls: Tls,
    /// What is logged.
    pub log: Log,
    /// Bounds.
    pub limits: Limits,
}

/// TLS of the client listener.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Make a certificate authority of its own in the data folder.
    pub local: bool,
    /// Certificate chain in PEM.
    pub cert: String,
    /// Private key in PEM.
    pub key: String,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives like `info,custodia_store=debug`.
    pub filter: String,
    /// `text` or `json`.
    pub format: String,
}

/// Bounds. Each is answered with a clear error when it is hit.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's target (path and query).
    pub target_bytes: usize,
    /// Seconds a request may take.
    pub request_seconds: u64,
    /// Seconds a client may take to send a request's head.
    pub head_seconds: u64,
    /// Requests worked on at one time; more are answered 503.
    pub concurrent_requests: usize,
    /// Connections at one time; more wait to be accepted.
    pub connections: usize,
    /// Milliseconds a statement may run.
    pub statement_ms: u64,
    /// Writes that may wait for one organisation.
    pub write_queue: usize,
    /// Threads that write for all embedded databases.
    pub writer_threads: usize,
    /// Page cache of one connection to an embedded database, in KiB.
    pub cache_kibibytes: u32,
    /// Databases kept open.
    pub open_databases: usize,
    /// Seconds after which an unused database is closed.
    pub idle_close_seconds: u64,
    /// Seconds that running requests have to end when the service stops.
    pub shutdown_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            ops_listen: "127.0.0.1:0".to_owned(),
            database: String::new(),
            public_url: String::new(),
            trust_forwarded: false,
            master_key_file: String::new(),
            tls: Tls::default(),
            log: Log::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: "text".to_owned() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let store = custodia_store::Limits::default();
        Self {
            body_bytes: 16 << 20,
            target_bytes: 64 << 10,
            request_seconds: 120,
            head_seconds: 30,
            concurrent_requests: 1_000,
            connections: 10_000,
            statement_ms: store.statement_ms,
            write_queue: store.write_queue_max,
            writer_threads: store.writer_threads,
            cache_kibibytes: store.cache_kibibytes,
            open_databases: store.open_databases_max,
            idle_close_seconds: store.idle_close_ms / 1000,
            shutdown_seconds: 10,
        }
    }
}

impl Config {
    /// The file, if one is given, with environment variables above it.
    ///
    /// # Errors
    /// Every fault found in the file or a variable, each with its line or name.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                // Typed first, so that a fault is told with its line.
                toml::from_str::<Self>(&text).map_err(|error| anyhow::anyhow!("{}:{error}", path.display()))?;
                text.parse().map_err(|error| anyhow::anyhow!("{}:{error}", path.display()))?
            }
        };
        let defaults = toml::Table::try_from(Self::default()).context("the defaults cannot be written down")?;
        overlay(&mut table, &defaults, "CUSTODIA", &environment)?;
        let config: Self = toml::Value::Table(table).try_into().context("the configuration does not fit together")?;
        config.check()?;
        Ok(config)
    }

    /// Finds what contradicts itself.
    ///
    /// # Errors
    /// All contradictions, one per line.
    pub fn check(&self) -> Result<()> {
        let mut faults = Vec::new();
        for (key, value) in [("listen", &self.listen), ("ops_listen", &self.ops_listen)] {
            if value.parse::<SocketAddr>().is_err() {
                faults.push(format!("{key} = \"{value}\" is not an address and port, such as 127.0.0.1:8080"));
            }
        }
        if self.tls.cert.is_empty() != self.tls.key.is_empty() {
            faults.push("tls.cert and tls.key belong together: give both or neither".to_owned());
        }
        if self.tls.local && !self.tls.cert.is_empty() {
            faults.push(
                "tls.local makes its own certificate: leave tls.cert and tls.key empty, or switch it off".to_owned(),
            );
        }
        if !matches!(self.log.format.as_str(), "text" | "json") {
            faults.push(format!("log.format = \"{}\" is neither \"text\" nor \"json\"", self.log.format));
        }
        if !self.database.is_empty()
            && !self.database.starts_with("postgres://")
            && !self.database.starts_with("postgresql://")
        {
            faults.push("database must begin with postgres:// or be empty".to_owned());
        }
        if !self.public_url.is_empty() && custodia_identity::Address::parse(&self.public_url).is_err() {
            faults.push(format!("public_url = \"{}\" is not an http or https address", self.public_url));
        }
        for (key, value) in [
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.target_bytes", self.limits.target_bytes),
            ("limits.concurrent_requests", self.limits.concurrent_requests),
            ("limits.connections", self.limits.connections),
            ("limits.write_queue", self.limits.write_queue),
            ("limits.writer_threads", self.limits.writer_threads),
            ("limits.open_databases", self.limits.open_databases),
        ] {
            if value == 0 {
                faults.push(format!("{key} = 0 would let nothing through"));
            }
        }
        if faults.is_empty() { Ok(()) } else { bail!(faults.join("\n")) }
    }

    /// The store's bounds.
    pub fn store_limits(&self) -> custodia_store::Limits {
        custodia_store::Limits {
            statement_ms: self.limits.statement_ms,
            write_queue_max: self.limits.write_queue,
            writer_threads: self.limits.writer_threads,
            cache_kibibytes: self.limits.cache_kibibytes,
            open_databases_max: self.limits.open_databases,
            idle_close_ms: self.limits.idle_close_seconds.saturating_mul(1000),
            ..custodia_store::Limits::default()
        }
    }

    /// The file of the master key.
    pub fn master_key_path(&self, folder: &Path) -> PathBuf {
        if self.master_key_file.is_empty() {
            custodia_store::MasterKey::file_in(folder)
        } else {
            PathBuf::from(&self.master_key_file)
        }
    }
}

/// Puts set variables over the table: `CUSTODIA_LIMITS_BODY_BYTES` is `limits.body_bytes`.
fn overlay(
    table: &mut toml::Table,
    defaults: &toml::Table,
    prefix: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<()> {
    for (key, default) in defaults {
        let name = format!("{prefix}_{}", key.to_uppercase());
        if let toml::Value::Table(inner) = default {
            let entry = table.entry(key.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(entry) = entry {
                overlay(entry, inner, &name, variable)?;
            }
            continue;
        }
        let Some(text) = variable(&name) else { continue };
        let value = match default {
            toml::Value::Integer(_) => {
                let number = text.parse().map_err(|_| anyhow::anyhow!("{name}={text} is not a whole number"))?;
                toml::Value::Integer(number)
            }
            toml::Value::Boolean(_) => {
                let switch = text.parse().map_err(|_| anyhow::anyhow!("{name}={text} is neither true nor false"))?;
                toml::Value::Boolean(switch)
            }
            _ => toml::Value::String(text),
        };
        table.insert(key.clone(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let file = write("listen = \"127.0.0.1:1\"\n\n[limits]\nbody_bytez = 3\n");
        let error = format!("{:#}", Config::load(Some(file.path())).unwrap_err());
        assert!(error.contains("line 4") && error.contains("body_bytez"), "{error}");
    }

    #[test]
    fn contradictions_are_all_named() {
        let config =
            Config { listen: "nowhere".into(), tls: Tls { cert: "a".into(), ..Tls::default() }, ..Config::default() };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("listen") && error.contains("tls.key"), "{error}");
    }

    #[test]
    fn variables_stand_above_the_file() {
        let mut table: toml::Table = "[limits]\nbody_bytes = 1\n".parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        let variable = |name: &str| match name {
            "CUSTODIA_LIMITS_BODY_BYTES" => Some("7".to_owned()),
            "CUSTODIA_TRUST_FORWARDED" => Some("true".to_owned()),
            _ => None,
        };
        overlay(&mut table, &defaults, "CUSTODIA", &variable).unwrap();
        let config: Config = toml::Value::Table(table).try_into().unwrap();
        assert_eq!((config.limits.body_bytes, config.trust_forwarded), (7, true));
        let wrong = |name: &str| (name == "CUSTODIA_LIMITS_BODY_BYTES").then(|| "many".to_owned());
        let error = overlay(&mut toml::Table::new(), &defaults, "CUSTODIA", &wrong).unwrap_err();
        assert!(error.to_string().contains("CUSTODIA_LIMITS_BODY_BYTES=many"));
    }
}
