//! Where the configuration comes from: the defaults, above them one TOML file, above it the environment, above that the
//! command line. Every fault is found in one go, and told with where it stands.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use custodia_store::MasterKey;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::bounds::BOUNDS;
use crate::ambient::{environment, environment_names};
use crate::cli::{CONFIG_VARIABLE, DATA_VARIABLE};
use crate::folder::KEY_VARIABLE;

/// Begins the names of all variables.
const PREFIX: &str = "CUSTODIA";
/// How like a name must be to be what was meant, from 0 to 1: one letter of six may differ.
const LIKENESS_MIN: f64 = 0.8;

/// What a variable of the environment holds, if it is set.
type Variable<'v> = dyn Fn(&str) -> Result<Option<String>> + 'v;

/// A key that the command line sets.
pub struct Flag {
    /// The key, such as `tls.cert`.
    pub key: &'static str,
    /// The flag, as it is typed.
    pub name: &'static str,
    /// Its value.
    pub value: toml::Value,
}

impl Config {
    /// The configuration in force.
    ///
    /// # Errors
    /// Every fault that was found, one a line, each with its line in the file, its variable or its flag.
    pub fn load(file: Option<&Path>, flags: Vec<Flag>) -> Result<Self> {
        let names = environment_names();
        let config = Self::load_with(file, &environment, &names, flags)?;
        Ok(Self { file: file.map(Path::to_owned), ..config })
    }

    fn load_with(file: Option<&Path>, variable: &Variable<'_>, names: &[String], flags: Vec<Flag>) -> Result<Self> {
        let defaults = toml::Table::try_from(Self::default()).context("the defaults cannot be written down")?;
        let mut layers =
            Layers { table: defaults.clone(), origins: HashMap::new(), faults: Vec::new(), faulty: Vec::new() };
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
            layers.file(&defaults, &path.display().to_string(), &text);
        }
        let mut known = Vec::new();
        layers.environment(&defaults, "", PREFIX, variable, &mut known);
        // What else is read: a master key that is passed over would be followed by a new one.
        known.extend([KEY_VARIABLE, DATA_VARIABLE, CONFIG_VARIABLE].map(str::to_owned));
        let sections = defaults.iter().filter(|(_, value)| value.is_table());
        let sections: Vec<_> = sections.map(|(key, _)| format!("{PREFIX}_{}_", key.to_uppercase())).collect();
        layers.unknown_variables(names, &known, &sections);
        for flag in flags {
            layers.set(flag.key, flag.value, flag.name.to_owned());
        }
        layers.bounds(&defaults);
        // It is no key of the file, but without it nothing starts either.
        match variable(KEY_VARIABLE) {
            Ok(Some(text)) => {
                layers.faults.extend(MasterKey::parse(&text).err().map(|why| format!("{KEY_VARIABLE}: {why}")));
            }
            Ok(None) => {}
            Err(error) => layers.faults.push(error.to_string()),
        }
        let Layers { table, origins, mut faults, faulty } = layers;
        match toml::Value::Table(table).try_into::<Self>() {
            // A key whose value could not be read has its default, of which nothing is to be said.
            Ok(config) => {
                let contradictions =
                    config.contradictions().into_iter().filter(|(key, _)| !faulty.iter().any(|f| f == key));
                faults.extend(contradictions.map(|(key, why)| match origins.get(key) {
                    Some(origin) => format!("{origin}: {key}: {why}"),
                    None => format!("{key}: {why}"),
                }));
                if faults.is_empty() {
                    return Ok(config);
                }
            }
            Err(error) => faults
                .push(format!("the configuration does not fit together: {}", error.to_string().replace('\n', " "))),
        }
        bail!(faults.join("\n"))
    }
}

struct Layers {
    table: toml::Table,
    /// Where a key's value comes from, unless it is the default.
    origins: HashMap<String, String>,
    faults: Vec<String>,
    /// Keys whose values could not be read.
    faulty: Vec<String>,
}

impl Layers {
    fn set(&mut self, key: &str, value: toml::Value, origin: String) {
        let mut table = &mut self.table;
        let (path, last) = key.rsplit_once('.').map_or(("", key), |(path, last)| (path, last));
        for step in path.split('.').filter(|step| !step.is_empty()) {
            let entry = table.entry(step).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let toml::Value::Table(inner) = entry else { return };
            table = inner;
        }
        table.insert(last.to_owned(), value);
        self.origins.insert(key.to_owned(), origin);
    }

    fn file(&mut self, defaults: &toml::Table, path: &str, text: &str) {
        let line_of = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let (table, mut errors) = DeTable::parse_recoverable(text);
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        errors.sort_by_key(place);
        for error in &errors {
            let line = line_of(place(error));
            let what_to_do =
                quoted(text, line).map_or_else(String::new, |line| format!(": texts stand in quotes: {line}"));
            self.faults.push(format!("{path}:{line}: {}{what_to_do}", error.message().replace('\n', " ")));
        }
        if errors.is_empty() {
            self.file_table(defaults, "", table.get_ref(), &|at| format!("{path}:{}", line_of(at)));
        }
    }

    fn file_table(
        &mut self,
        defaults: &toml::Table,
        prefix: &str,
        table: &DeTable<'_>,
        origin_at: &dyn Fn(usize) -> String,
    ) {
        // In the order of the file, for whoever works the faults off.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let origin = origin_at(name.span().start);
            let key = format!("{prefix}{}", name.get_ref());
            match (defaults.get(name.get_ref().as_ref()), value.get_ref()) {
                (None, _) => {
                    let known: Vec<_> = defaults.keys().map(String::as_str).collect();
                    self.faults.push(format!("{origin}: there is no key {key}; there are {}", known.join(", ")));
                }
                (Some(toml::Value::Table(inner)), DeValue::Table(found)) => {
                    self.file_table(inner, &format!("{key}."), found, origin_at);
                }
                (Some(default), found) => match converted(default, found) {
                    Ok(value) => self.set(&key, value, origin),
                    Err(wanted) => {
                        self.faults.push(format!("{origin}: {key} takes {wanted}, not {}", as_written(found)));
                        self.faulty.push(key);
                    }
                },
            }
        }
    }

    /// Puts set variables over what is there: `CUSTODIA_LIMITS_BODY_BYTES` is `limits.body_bytes`. `known` gets the names of all
    /// variables that there are.
    fn environment(
        &mut self,
        defaults: &toml::Table,
        prefix: &str,
        variable_prefix: &str,
        variable: &Variable<'_>,
        known: &mut Vec<String>,
    ) {
        for (name, default) in defaults {
            let (key, variable_name) =
                (format!("{prefix}{name}"), format!("{variable_prefix}_{}", name.to_uppercase()));
            if let toml::Value::Table(inner) = default {
                self.environment(inner, &format!("{key}."), &variable_name, variable, known);
                continue;
            }
            known.push(variable_name.clone());
            let text = match variable(&variable_name) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(error) => {
                    self.faults.push(error.to_string());
                    self.faulty.push(key);
                    continue;
                }
            };
            let value = match default {
                toml::Value::Integer(_) => text.parse().ok().filter(|number| *number >= 0).map(toml::Value::Integer),
                toml::Value::Boolean(_) => text.parse().ok().map(toml::Value::Boolean),
                _ => Some(toml::Value::String(text.clone())),
            };
            match value {
                Some(value) => self.set(&key, value, variable_name),
                None => {
                    self.faults.push(format!("{variable_name}: {key} takes {}, not \"{text}\"", wanted(default)));
                    self.faulty.push(key);
                }
            }
        }
    }

    /// Refuses numbers beyond their bounds, of which the default is left.
    fn bounds(&mut self, defaults: &toml::Table) {
        for bounds in BOUNDS {
            let Some(value) = number(&self.table, bounds.key) else { continue };
            let (Some(why), Some(default)) = (bounds.fault(value), number(defaults, bounds.key)) else { continue };
            let origin = self.origins.get(bounds.key).map_or_else(String::new, |origin| format!("{origin}: "));
            self.faults.push(format!("{origin}{}: {why}", bounds.key));
            self.faulty.push(bounds.key.to_owned());
            self.set(bounds.key, default.into(), String::new());
        }
    }

    /// Refuses variables that look as if they set something and set nothing: those of a section, and those that are like a
    /// key. Other programs, clients and Kubernetes have variables that begin with `CUSTODIA_`, too.
    fn unknown_variables(&mut self, names: &[String], known: &[String], sections: &[String]) {
        let mut unknown: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
        unknown.sort();
        for name in unknown {
            let what_to_do = match alike(name, known) {
                Some(meant) => format!("did you mean {meant}?"),
                None if sections.iter().any(|section| name.starts_with(section)) => {
                    "'custodia config check' without it shows all keys".to_owned()
                }
                None => continue,
            };
            self.faults.push(format!("{name}: there is no such variable; {what_to_do}"));
        }
    }
}

/// A number of a table, by its key.
fn number(table: &toml::Table, key: &str) -> Option<i64> {
    let (section, name) = key.split_once('.')?;
    table.get(section)?.get(name)?.as_integer()
}

/// The variable that was most likely meant, if any is like it.
fn alike<'n>(given: &str, names: &'n [String]) -> Option<&'n str> {
    let key = |name: &str| name.strip_prefix(PREFIX).map(str::to_owned);
    let given = key(given)?;
    let rated = names.iter().map(|name| {
        let likeness = key(name).map_or(0.0, |key| strsim::normalized_damerau_levenshtein(&given, &key));
        (likeness, name.as_str())
    });
    let (likeness, name) = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= LIKENESS_MIN).then_some(name)
}

/// A line `key = value` whose value is neither quoted nor of another type, as it should have been written.
fn quoted(text: &str, line: usize) -> Option<String> {
    let (key, value) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    let value = value.split('#').next().unwrap_or(value).trim();
    let bare = !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '\\']);
    let other = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
    // An address has a password in it, most of the time.
    let value = if key.trim() == "database" || value.contains("://") { "…" } else { value };
    (bare && !other).then(|| format!("{} = \"{value}\"", key.trim()))
}

/// A value as its reader knows it from the file.
fn as_written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
        other => other.type_str().to_owned(),
    }
}

/// The value, if it is of the default's type; else what that type is called.
fn converted(default: &toml::Value, found: &DeValue<'_>) -> Result<toml::Value, &'static str> {
    let value = match (default, found) {
        (toml::Value::Integer(_), DeValue::Integer(number)) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
            parsed.filter(|number| *number >= 0).map(toml::Value::Integer)
        }
        (toml::Value::Boolean(_), DeValue::Boolean(switch)) => Some(toml::Value::Boolean(*switch)),
        (toml::Value::String(_), DeValue::String(text)) => Some(toml::Value::String(text.to_string())),
        _ => None,
    };
    value.ok_or_else(|| wanted(default))
}

fn wanted(default: &toml::Value) -> &'static str {
    match default {
        toml::Value::Integer(_) => "a whole number from 0 on",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Table(_) => "a table",
        _ => "a text in quotes",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> Result<Config, Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let find = |name: &str| Ok(variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()));
        let names: Vec<_> = variables.iter().map(|(name, _)| (*name).to_owned()).collect();
        Config::load_with(Some(file.path()), &find, &names, flags).map_err(|error| {
            let path = file.path().display().to_string();
            format!("{error:#}").lines().map(|line| line.replace(&path, "FILE")).collect()
        })
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "listen = 8080\nspeed = 3\n\n[limits]\nbody_bytez = 3\nconnections = -1\ncaches_mebibytes = 1_000\n[log]\nformat = 'xml'\nfilter = 'loud'\n";
        let faults =
            load(text, &[("CUSTODIA_LIMITS_WRITE_QUEUE", "many"), ("CUSTODIA_LIMITS_BODY_BYTEZ", "7")], Vec::new());
        let faults = faults.unwrap_err();
        let begin = [
            "FILE:1: listen takes a text in quotes, not 8080",
            "FILE:2: there is no key speed; there are ",
            "FILE:5: there is no key limits.body_bytez; there are ",
            "FILE:6: limits.connections takes a whole number from 0 on, not -1",
            "CUSTODIA_LIMITS_WRITE_QUEUE: limits.write_queue takes a whole number from 0 on, not \"many\"",
            "CUSTODIA_LIMITS_BODY_BYTEZ: there is no such variable; did you mean CUSTODIA_LIMITS_BODY_BYTES?",
            "FILE:10: log.filter: \"loud\" names no level",
            "FILE:9: log.format: \"xml\" is neither",
        ];
        assert_eq!(faults.len(), begin.len(), "{faults:#?}");
        for (fault, begin) in faults.iter().zip(begin) {
            assert!(fault.starts_with(begin), "{fault}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_lines() {
        let faults = load("listen = \n[limits\nbody_bytes = 3\n", &[], Vec::new()).unwrap_err();
        assert!(
            faults[0].starts_with("FILE:1: ") && faults.iter().any(|fault| fault.starts_with("FILE:2: ")),
            "{faults:?}"
        );
    }

    #[test]
    fn a_text_without_quotes_is_shown_with_them() {
        let faults = load("listen = 127.0.0.1:8080 # here\n", &[], Vec::new()).unwrap_err();
        let quoted = ": texts stand in quotes: listen = \"127.0.0.1:8080\"";
        assert!(faults[0].starts_with("FILE:1: ") && faults[0].ends_with(quoted), "{faults:?}");
        for address in ["postgres://u:hidden@h/d", "postgres:/u:hidden@h/d", "host=h user=u password=hidden"] {
            let faults = load(&format!("database = {address}\n"), &[], Vec::new()).unwrap_err();
            assert!(!faults.is_empty() && !faults.concat().contains("hidden"), "{faults:?}");
        }
    }

    #[test]
    fn variables_that_set_nothing_are_refused_and_those_of_others_are_not() {
        let others = ["CUSTODIA_TOKEN", "CUSTODIA_TEST_X", "CUSTODIA_SERVICE_HOST", "CUSTODIA_PORT", "CUSTODIA_BIN"];
        let others: Vec<_> = others.into_iter().chain(["CUSTODIAN", "CUSTODIA_DATA"]).map(|name| (name, "x")).collect();
        assert!(load("", &others, Vec::new()).is_ok());
        let wrong = [
            ("CUSTODIA_LIMIT_BODY_BYTES", "9"),
            ("CUSTODIA_LISTN", "x"),
            ("CUSTODIA_LIMITS_XYZ", "x"),
            ("CUSTODIA_MASTERKEY", "x"),
        ];
        let faults = load("", &wrong, Vec::new()).unwrap_err();
        let expected = [
            "CUSTODIA_LIMITS_XYZ: there is no such variable; 'custodia config check' without it shows all keys",
            "CUSTODIA_LIMIT_BODY_BYTES: there is no such variable; did you mean CUSTODIA_LIMITS_BODY_BYTES?",
            "CUSTODIA_LISTN: there is no such variable; did you mean CUSTODIA_LISTEN?",
            "CUSTODIA_MASTERKEY: there is no such variable; did you mean CUSTODIA_MASTER_KEY?",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn limits_that_let_nothing_through_and_filters_without_a_level_are_refused() {
        let text = "[limits]\nbody_bytes = 63\ntarget_bytes = 63\ndefinition_bytes = 9\nstrangers = 0\n";
        let faults = load(text, &[], Vec::new()).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:#?}");
        assert!(faults.iter().any(|fault| fault == "FILE:2: limits.body_bytes: at least 64 are needed"), "{faults:#?}");
        assert!(faults.iter().any(|fault| fault.ends_with("limits.strangers: 0 would let nothing through")));
        for filter in ["loud", "", "info,custodia_store", "info,custodia_store=loud"] {
            assert!(load(&format!("[log]\nfilter = '{filter}'\n"), &[], Vec::new()).is_err(), "{filter}");
        }
        for filter in ["info", "WARN", "off", "info,custodia_store=debug", "warn,[request{id}]=trace"] {
            let loaded = load(&format!("[log]\nfilter = '{filter}'\n"), &[], Vec::new());
            assert!(loaded.is_ok(), "{filter}: {loaded:?}");
        }
    }

    #[test]
    fn every_number_has_bounds_and_is_told_with_its_place_beyond_them() {
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        let numbers: Vec<_> = defaults
            .iter()
            .filter_map(|(section, value)| Some((section, value.as_table()?)))
            .flat_map(|(section, table)| table.iter().map(move |(name, value)| (section, name, value)))
            .filter(|(.., value)| value.is_integer())
            .map(|(section, name, _)| (format!("{section}.{name}"), format!("[{section}]\n{name} = ")))
            .collect();
        assert!(numbers.len() > 50 && numbers.len() == BOUNDS.len());
        for (key, line) in &numbers {
            let bounds = BOUNDS.iter().find(|bounds| bounds.key == key).unwrap();
            for beyond in [bounds.most + 1, i64::from(u32::MAX) + bounds.most, i64::MAX] {
                let faults = load(&format!("{line}{beyond}\n"), &[], Vec::new()).unwrap_err();
                assert_eq!(faults, [format!("FILE:2: {key}: at most {} are possible", bounds.most)]);
            }
            let none = load(&format!("{line}0\n"), &[], Vec::new());
            match bounds.least {
                0 => assert!(none.is_ok(), "{none:?}"),
                _ => assert_eq!(none.unwrap_err()[0], format!("FILE:2: {key}: 0 would let nothing through")),
            }
        }
        // All at once, each with its variable.
        let variables: Vec<_> = numbers
            .iter()
            .map(|(key, _)| (format!("CUSTODIA_{}", key.replace('.', "_").to_uppercase()), i64::MAX.to_string()))
            .collect();
        let given: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let faults = load("", &given, Vec::new()).unwrap_err();
        assert_eq!(faults.len(), numbers.len(), "{faults:#?}");
        for (name, _) in variables {
            assert!(faults.iter().any(|fault| fault.starts_with(&format!("{name}: "))), "{name}");
        }
    }

    #[test]
    fn a_master_key_that_is_none_is_told_and_not_shown() {
        let faults = load("listen = 8080\n", &[("CUSTODIA_MASTER_KEY", "abc")], Vec::new()).unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:#?}");
        assert_eq!(faults[1], "CUSTODIA_MASTER_KEY: a master key is 64 hexadecimal digits");
        assert!(load("", &[("CUSTODIA_MASTER_KEY", &"5c".repeat(32))], Vec::new()).is_ok());
    }

    #[test]
    fn contradictions_are_told_with_where_they_come_from() {
        let flag = Flag { key: "tls.cert", name: "--tls-cert", value: "chain.pem".into() };
        let faults =
            load("listen = 'nowhere'\n[limits]\nconnections = 0\n", &[("CUSTODIA_LOG_FORMAT", "xml")], vec![flag]);
        let faults = faults.unwrap_err();
        for begin in [
            "FILE:1: listen: \"nowhere\" is not an address and port",
            "--tls-cert: tls.cert: a certificate and its key belong together: set tls.key too",
            "CUSTODIA_LOG_FORMAT: log.format: \"xml\" is neither",
            "FILE:3: limits.connections: 0 would let nothing through",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(begin)), "{begin}: {faults:#?}");
        }
        assert_eq!(faults.len(), 4);
    }

    #[test]
    fn flags_stand_above_variables_and_those_above_the_file() {
        let text = "[limits]\nbody_bytes = 1024\nconnections = 0x10\ntarget_bytes = 300\n";
        let variables =
            [("CUSTODIA_LIMITS_BODY_BYTES", "2000"), ("CUSTODIA_TRUST_FORWARDED", "true"), ("CUSTODIA_TEST_X", "1")];
        let flag = Flag { key: "limits.target_bytes", name: "--target", value: 400.into() };
        let config = load(text, &variables, vec![flag]).unwrap();
        let limits = &config.limits;
        assert_eq!((limits.body_bytes, limits.connections, limits.target_bytes), (2_000, 16, 400));
        assert!(config.trust_forwarded);
    }

    #[test]
    fn the_defaults_are_good_and_can_be_read_back() {
        let text = toml::to_string_pretty(&Config::default()).unwrap();
        assert_eq!(load(&text, &[], Vec::new()).unwrap(), Config::default());
    }

    #[test]
    fn a_password_is_not_shown() {
        for (given, shown) in [
            ("postgres://anna:se:cr@et@db.example:5432/custodia", "postgres://anna:…@db.example:5432/custodia"),
            ("postgres://anna@db.example/custodia", "postgres://anna@db.example/custodia"),
            ("postgres:///custodia?host=/run/postgresql", "postgres:///custodia?host=/run/postgresql"),
            ("", ""),
        ] {
            let config = Config { database: given.to_owned(), ..Config::default() };
            assert_eq!(config.shown().database, shown);
        }
    }
}
