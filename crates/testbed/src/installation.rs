//! Finds the PostgreSQL server programs and the user who may run them.

use std::path::{Path, PathBuf};

/// The folder that Debian keeps each major version's programs under.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// Names a folder with the server programs where they are in no usual place.
const FOLDER_VARIABLE: &str = "CUSTODIA_TEST_POSTGRES_BIN";

/// The programs of one PostgreSQL version.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The folder that holds `initdb`, `pg_ctl` and `postgres`.
    pub(crate) programs: PathBuf,
}

impl Installation {
    /// Looks in the named folder, else in Debian's folders, newest version first, else on the search path.
    pub(crate) fn find() -> Option<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
            let programs = PathBuf::from(folder);
            return complete(&programs).then_some(Self { programs });
        }
        let on_search_path =
            std::env::var_os("PATH").map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>()).unwrap_or_default();
        debian_versions()
            .into_iter()
            .chain(on_search_path)
            .find(|folder| complete(folder))
            .map(|programs| Self { programs })
    }
}

/// The program folders of Debian's packages, newest version first.
fn debian_versions() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN_FOLDER)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Whether the folder holds a server, not only a client.
fn complete(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// A user that a cluster can run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user_id: u32,
    pub(crate) group_id: u32,
}

impl User {
    /// PostgreSQL refuses to run as root: gives the user to run it as instead, or nothing where the present one will do.
    pub(crate) fn instead_of_root() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        named(&accounts, "postgres").or_else(|| named(&accounts, "nobody"))
    }
}

/// The user of that name in a password file's text.
fn named(accounts: &str, name: &str) -> Option<User> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let mut numbers = fields.skip(1).map(str::parse);
        Some(User { user_id: numbers.next()?.ok()?, group_id: numbers.next()?.ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobody2:x:7:8:::\nnobody:x:65534:65533::/:/bin/false\n";
        assert_eq!(named(accounts, "nobody"), Some(User { user_id: 65534, group_id: 65533 }));
        assert_eq!(named(accounts, "postgres"), None);
    }

    #[test]
    fn a_folder_without_a_server_is_no_installation() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("initdb"), "").unwrap();
        std::fs::write(folder.path().join("pg_ctl"), "").unwrap();
        assert!(!complete(folder.path()));
        std::fs::write(folder.path().join("postgres"), "").unwrap();
        assert!(complete(folder.path()));
    }
}
