//! Every source file says what it is for, and is compiled.

use crate::finding::Finding;
use crate::repository::File;
use crate::source::Source;

/// A file that does not open with a module comment. Tests beside their code need none: their names say it.
#[must_use]
pub fn without_purpose(file: &File) -> Option<Finding> {
    if file.path.ends_with("/tests.rs") {
        return None;
    }
    let opens_well = file
        .text
        .lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty())
        .is_some_and(|line| line.strip_prefix("//!").is_some_and(|purpose| !purpose.trim().is_empty()));
    (!opens_well).then(|| {
        Finding::new(
            &file.path,
            1,
            "a file opens with `//!` and says what it is for, what it never does and where to start",
        )
    })
}

/// Files of one crate that no other file of it declares as a module, so that the compiler never sees them.
#[must_use]
pub fn never_compiled(sources: &[Source]) -> Vec<Finding> {
    sources
        .iter()
        .filter_map(|source| {
            let module = module_name(&source.path)?;
            let declaration = format!("mod {module};");
            let declared = sources.iter().any(|other| other.find_in_code(&declaration).next().is_some());
            (!declared).then(|| {
                let message =
                    format!("no file of its crate has `mod {module};`: declare the module or delete the file");
                Finding::new(&source.path, 1, message)
            })
        })
        .collect()
}

/// The module that a file holds; nothing for the root of a library or program.
fn module_name(path: &str) -> Option<&str> {
    let inside = path.split_once("/src/")?.1.strip_suffix(".rs")?;
    if matches!(inside, "lib" | "main") || inside.starts_with("bin/") {
        return None;
    }
    let mut parts = inside.rsplit('/');
    match parts.next() {
        Some("mod") => parts.next(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_purpose_is_found() {
        for text in ["use a;\n", "", "// a comment\n", "//!\nuse a;\n", "/// of the next item\nfn f() {}\n"] {
            assert!(without_purpose(&File::sample("a.rs", text)).is_some(), "{text}");
        }
        assert_eq!(without_purpose(&File::sample("a.rs", "\n//! What it is for.\n")), None);
        assert_eq!(without_purpose(&File::sample("crates/a/src/one/tests.rs", "use super::*;\n")), None);
    }

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let source = |path: &str, text: &str| Source::parse(&File::sample(path, text));
        let sources = [
            source("crates/a/src/lib.rs", "mod one;\n// mod two;\n"),
            source("crates/a/src/one.rs", "mod inner;"),
            source("crates/a/src/one/inner.rs", ""),
            source("crates/a/src/two.rs", ""),
            source("crates/a/src/bin/tool.rs", ""),
        ];
        let found: Vec<String> = never_compiled(&sources).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["crates/a/src/two.rs"]);
    }
}
