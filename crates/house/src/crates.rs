//! The crates stand on each other in one direction, and each knows only what it should.

use toml::{Table, Value};

use crate::finding::Finding;
use crate::repository::File;

/// A crate of the workspace and the ones it may stand on.
struct Place {
    name: &'static str,
    stands_on: &'static [&'static str],
    /// What its tests are about, beyond that.
    tests: &'static [&'static str],
}

/// The crates that tests of every crate may use.
const TEST_SUPPORT: &[&str] = &["testbed", "oracle"];

/// Every crate has a place.
const PLACES: &[Place] = &[
    Place { name: "schema", stands_on: &[], tests: &[] },
    Place { name: "inspection", stands_on: &[], tests: &[] },
    Place { name: "query", stands_on: &["schema"], tests: &[] },
    Place { name: "access", stands_on: &["schema", "query"], tests: &[] },
    Place { name: "interface", stands_on: &["schema"], tests: &["query"] },
    Place { name: "sqlite", stands_on: &[], tests: &[] },
    Place { name: "store", stands_on: &["schema", "query", "access", "interface", "sqlite"], tests: &[] },
    Place {
        name: "org",
        stands_on: &["schema", "inspection", "query", "access", "interface", "store"],
        tests: &["sqlite"],
    },
    Place { name: "process", stands_on: &["schema", "inspection", "query", "org"], tests: &["store"] },
    Place { name: "identity", stands_on: &[], tests: &[] },
    Place {
        name: "web-api",
        stands_on: &["schema", "inspection", "query", "access", "interface", "org"],
        tests: &["store"],
    },
    Place {
        name: "server",
        stands_on: &["schema", "query", "access", "store", "org", "process", "identity", "web-api"],
        tests: &["fuzz-targets", "house"],
    },
    Place { name: "testbed", stands_on: &[], tests: &[] },
    Place { name: "oracle", stands_on: &["schema", "query"], tests: &["access", "store", "org"] },
    Place { name: "house", stands_on: &[], tests: &[] },
    Place {
        name: "fuzz-targets",
        stands_on: &[
            "schema",
            "inspection",
            "query",
            "access",
            "interface",
            "store",
            "org",
            "process",
            "identity",
            "web-api",
            "oracle",
        ],
        tests: &["house"],
    },
    Place {
        name: "bench",
        stands_on: &[
            "schema", "query", "access", "sqlite", "store", "org", "process", "identity", "web-api", "testbed",
        ],
        tests: &[],
    },
];

/// A kind of outside library, and the only crates that may know it.
struct Kept {
    libraries: &'static [&'static str],
    by: &'static [&'static str],
    because: &'static str,
}

/// What each crate knows nothing of, said the other way round: who alone knows it.
const KEPT: &[Kept] = &[
    Kept {
        libraries: &["rusqlite", "libsqlite3-sys", "tokio-postgres", "tokio-postgres-rustls", "postgres-types"],
        by: &["store", "sqlite", "bench"],
        because: "only `store` talks to a database: add a function to it",
    },
    Kept {
        libraries: &["aws-lc-sys"],
        by: &["sqlite"],
        because: "foreign functions belong in `sqlite`: use aws-lc-rs",
    },
    Kept {
        libraries: &["http"],
        by: &["web-api", "server", "bench", "fuzz-targets"],
        because: "only `web-api` and `server` know HTTP",
    },
    Kept {
        libraries: &["axum", "axum-server", "hyper", "hyper-util", "tower", "tower-http", "reqwest"],
        by: &["server", "bench"],
        because: "only `server` listens and calls over HTTP",
    },
    Kept {
        libraries: &["clap", "figment", "mimalloc", "tracing-subscriber"],
        by: &["server", "bench"],
        because: "only `server` is configured and sets the process up",
    },
    Kept {
        libraries: &["tokio", "futures", "async-trait"],
        by: &["store", "org", "process", "web-api", "server", "bench", "fuzz-targets"],
        because: "this crate does no I/O: it is pure functions over what it is handed",
    },
];

/// Sections whose crates become part of what is built, and those that only its tests use.
const BUILT: &[&str] = &["dependencies", "build-dependencies"];
const TESTED: &str = "dev-dependencies";

/// Edges of the workspace that go against the direction, libraries in the wrong crate, lints that are not those of the house.
#[must_use]
pub fn findings(manifest: &File) -> Vec<Finding> {
    let name = manifest.crate_name().unwrap_or_default();
    let parsed: Table = match manifest.text.parse() {
        Ok(parsed) => parsed,
        Err(error) => return vec![Finding::new(&manifest.path, 1, error.message())],
    };
    let at = |needle: &str| line_of(&manifest.text, needle);
    let Some(place) = PLACES.iter().find(|place| place.name == name) else {
        let message = "this crate has no place among the others: add it to PLACES in crates/house/src/crates.rs and to ARCHITECTURE.md";
        return vec![Finding::new(&manifest.path, 1, message)];
    };

    let mut findings = Vec::new();
    for (dependency, for_tests_only) in dependencies(&parsed) {
        let mut found = |message: String| findings.push(Finding::new(&manifest.path, at(&dependency), message));
        if let Some(other) = dependency.strip_prefix("custodia-") {
            let for_tests = place.tests.contains(&other) || TEST_SUPPORT.contains(&other);
            let allowed = place.stands_on.contains(&other) || (for_tests_only && for_tests);
            if !allowed {
                found(format!("`{name}` does not stand on `{other}`: move what is needed to a crate above both"));
            }
        } else if !for_tests_only {
            for kept in
                KEPT.iter().filter(|kept| kept.libraries.contains(&dependency.as_str()) && !kept.by.contains(&name))
            {
                found(format!("`{name}` knows nothing of {dependency}: {}", kept.because));
            }
        }
    }
    let takes_lints =
        parsed.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) == Some(true);
    if !takes_lints && name != "sqlite" {
        let message = "the lints of the house are not on: add `[lints] workspace = true`";
        findings.push(Finding::new(&manifest.path, at("[lints"), message));
    }
    findings
}

/// The names of all dependencies, of every platform, and whether only tests use them.
fn dependencies(manifest: &Table) -> Vec<(String, bool)> {
    let of_platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables: Vec<&Table> = std::iter::once(manifest).chain(of_platforms.filter_map(Value::as_table)).collect();
    let section = |name: &str, for_tests_only: bool| -> Vec<(String, bool)> {
        let sections = tables.iter().filter_map(|table| table.get(name).and_then(Value::as_table));
        sections.flat_map(Table::keys).map(|dependency| (dependency.clone(), for_tests_only)).collect()
    };
    let mut all: Vec<(String, bool)> = BUILT.iter().flat_map(|name| section(name, false)).collect();
    all.extend(section(TESTED, true));
    all
}

/// The line, from 1, that begins with a text; the first line if none does.
fn line_of(text: &str, beginning: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(beginning)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(crate_name: &str, text: &str) -> Vec<String> {
        let manifest = File::sample(&format!("crates/{crate_name}/Cargo.toml"), text);
        findings(&manifest).iter().map(Finding::to_string).collect()
    }

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn an_edge_against_the_direction_is_found() {
        let text = format!("{LINTS}[dependencies]\ncustodia-query.workspace = true\ncustodia-store.workspace = true\n");
        let found = of("access", &text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/access/Cargo.toml:5: `access` does not stand on `store`"), "{found:?}");
        assert_eq!(of("org", &text), Vec::<String>::new());
    }

    #[test]
    fn a_library_in_the_wrong_crate_is_found_on_every_platform() {
        let text = format!("{LINTS}[target.'cfg(unix)'.dependencies]\nrusqlite = \"1\"\n");
        assert!(of("org", &text)[0].contains("only `store` talks to a database"));
        assert_eq!(of("store", &text), Vec::<String>::new());
        assert!(of("access", &format!("{LINTS}[dependencies]\ntokio.workspace = true\n"))[0].contains("does no I/O"));
        assert!(of("org", &format!("{LINTS}[dependencies]\nhttp.workspace = true\n"))[0].contains("know HTTP"));
    }

    #[test]
    fn tests_may_use_the_testbed_and_any_library_but_no_crate_below() {
        let tests =
            |dependency: &str| of("schema", &format!("{LINTS}[dev-dependencies]\n{dependency}.workspace = true\n"));
        assert_eq!(tests("custodia-testbed"), Vec::<String>::new());
        assert_eq!(tests("custodia-oracle"), Vec::<String>::new());
        assert_eq!(tests("tokio"), Vec::<String>::new());
        assert_eq!(tests("custodia-org").len(), 1);
        assert_eq!(of("schema", &format!("{LINTS}[dependencies]\ncustodia-testbed.workspace = true\n")).len(), 1);
    }

    #[test]
    fn the_oracle_is_compared_with_the_real_rules_and_does_not_use_them() {
        let section = |section: &str| of("oracle", &format!("{LINTS}[{section}]\ncustodia-access.workspace = true\n"));
        assert_eq!(section("dev-dependencies"), Vec::<String>::new());
        assert_eq!(section("dependencies").len(), 1);
    }

    #[test]
    fn a_crate_without_place_or_lints_is_found() {
        assert!(of("helpers", LINTS)[0].contains("has no place"));
        assert!(of("org", "[lints.rust]\nunsafe_code = \"allow\"\n")[0].contains("lints of the house are not on"));
        assert_eq!(of("sqlite", "[lints.rust]\nunsafe_code = \"allow\"\n"), Vec::<String>::new());
    }
}
