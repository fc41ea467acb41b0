//! The outside libraries are those that `deny.toml` lets in, from where it lets them come.
//!
//! `cargo deny` knows more, licences and advisories among it, but is not on every machine; bans and sources are cheap enough
//! to hold on every run.

use toml::{Table, Value};

use crate::finding::Finding;
use crate::repository::File;

/// Where Cargo says a library comes from when it comes from the public registry.
const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Banned libraries among the ones that are built. `built` has a line a library, its name first, as `cargo tree` prints it.
#[must_use]
pub fn banned(deny: &File, built: &str) -> Vec<Finding> {
    let parsed: Table = match deny.text.parse() {
        Ok(parsed) => parsed,
        Err(error) => return vec![Finding::new(&deny.path, 1, error.message())],
    };
    let bans = parsed.get("bans").and_then(|bans| bans.get("deny")).and_then(Value::as_array);
    bans.into_iter()
        .flatten()
        // Let in as a dependency of some: which of them brings it, only cargo-deny can say.
        .filter(|ban| ban.get("wrappers").is_none())
        .filter_map(|ban| {
            let name = ban.get("crate").and_then(Value::as_str)?;
            built.lines().find(|line| line.split_whitespace().next() == Some(name))?;
            let line =
                deny.text.lines().position(|line| line.contains(&format!("\"{name}\""))).map_or(1, |index| index + 1);
            let reason = ban.get("reason").and_then(Value::as_str).unwrap_or("it is banned");
            Some(Finding::new(
                &deny.path,
                line,
                format!("{name} is built all the same: {reason}. `cargo tree -i {name}` says for whom"),
            ))
        })
        .collect()
}

/// Libraries in a Cargo lock file that come from elsewhere than the public registry.
#[must_use]
pub fn foreign_sources(lock: &File) -> Vec<Finding> {
    lines_with(lock, "source = ", |line| !line.contains(&format!("\"{PUBLIC_REGISTRY}\"")))
        .map(|line| Finding::new(&lock.path, line, "libraries come from crates.io: publish it there, or do without"))
        .collect()
}

/// Addresses of one machine's registry in an npm lock file.
#[must_use]
pub fn named_hosts(lock: &File) -> Vec<Finding> {
    lines_with(lock, "\"resolved\":", |_| true)
        .map(|line| {
            let message = "a lock file names no registry's address: set omit-lockfile-registry-resolved=true in .npmrc and lock again";
            Finding::new(&lock.path, line, message)
        })
        .collect()
}

fn lines_with<'file>(
    file: &'file File,
    beginning: &'file str,
    wrong: impl Fn(&str) -> bool + 'file,
) -> impl Iterator<Item = usize> + 'file {
    file.text
        .lines()
        .enumerate()
        .filter(move |(_, line)| line.trim_start().starts_with(beginning) && wrong(line))
        .map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_library_that_is_built_is_found() {
        let deny = File::sample(
            "deny.toml",
            "[bans]\ndeny = [\n{ crate = \"ring\", reason = \"one crypto library\" },\n{ crate = \"time\", wrappers = [\"x\"] },\n]\n",
        );
        let found = banned(&deny, "serde v1.0.0\nring v0.17.0\ntime v0.3.0\n");
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
        assert_eq!(banned(&deny, "serde v1.0.0\nring-like v1.0.0\n"), []);
    }

    #[test]
    fn a_library_from_elsewhere_is_found() {
        let lock = format!(
            "name = \"a\"\nsource = \"{PUBLIC_REGISTRY}\"\nname = \"b\"\nsource = \"git+https://example.org/b\"\n"
        );
        let found = foreign_sources(&File::sample("Cargo.lock", &lock));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn an_address_in_a_lock_file_is_found() {
        let lock = "{\n  \"version\": \"1\",\n  \"resolved\": \"https://example.org/a.tgz\"\n}\n";
        assert_eq!(named_hosts(&File::sample("package-lock.json", lock)).len(), 1);
        assert_eq!(named_hosts(&File::sample("package-lock.json", "{ \"version\": \"1\" }\n")), []);
    }
}
