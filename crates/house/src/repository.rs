//! The files that the rules look at.

use std::path::{Path, PathBuf};

/// Folders that hold what was built, downloaded or served, not what was written.
const NOT_WRITTEN: &[&str] = &[".git", "target", "node_modules", "data"];

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default()
}

/// A text file.
#[derive(Clone, Debug)]
pub struct File {
    /// From the root of the repository, with slashes.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl File {
    /// A file that is not on disk, for the samples of the rules' own tests.
    #[must_use]
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The name of the crate that the file belongs to, as its folder has it.
    #[must_use]
    pub fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The end of the file's name after the last dot.
    #[must_use]
    pub fn extension(&self) -> &str {
        self.path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, extension)| extension)
    }
}

/// All text files of the repository, in the order of their paths.
#[must_use]
pub fn files() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !NOT_WRITTEN.iter().any(|name| entry.file_name() == *name) {
                collect(root, &path, files);
            }
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && let Ok(relative) = path.strip_prefix(root)
        {
            files.push(File { path: relative.to_string_lossy().into_owned(), text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_crate_and_kind() {
        let file = File::sample("crates/web-api/src/lib.rs", "");
        assert_eq!((file.crate_name(), file.extension()), (Some("web-api"), "rs"));
        let file = File::sample(".ci/run", "");
        assert_eq!((file.crate_name(), file.extension()), (None, ""));
    }

    #[test]
    fn the_repository_is_found_without_what_was_built() {
        let files = files();
        assert!(files.iter().any(|file| file.path == "crates/house/src/repository.rs"));
        assert!(files.iter().all(|file| !file.path.starts_with("target/") && !file.path.contains("node_modules/")));
    }
}
