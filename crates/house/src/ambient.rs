//! Only `server` reads the clock, the environment and randomness.
//!
//! Clippy bans the calls where it understands their types (`clippy.toml`); this looks at the text too, which covers code that
//! a build leaves out, and sees to it that nobody gives himself leave of the ban.

use crate::finding::Finding;
use crate::source::Source;

/// The crates that may: the composition root, and what tests and measures it.
const MAY: &[&str] = &["server", "testbed", "bench", "house"];

/// What is ambient, and what to do instead.
const AMBIENT: &[(&str, &str)] = &[
    ("SystemTime::now", "take the time, or the clock, as a parameter"),
    ("Instant::now", "take the time, or the clock, as a parameter"),
    ("Timestamp::now", "take the time, or the clock, as a parameter"),
    ("Zoned::now", "take the time, or the clock, as a parameter"),
    ("TimeZone::system", "take the user's time zone as a parameter"),
    ("Uuid::now_v7", "make the id from the caller's id source"),
    ("Uuid::new_v4", "make the id from the caller's id source"),
    ("SystemRandom::new", "take the random source as a parameter"),
    ("rand::fill", "take the random source as a parameter"),
    ("rand::rng", "take the random source as a parameter"),
    ("rand::random", "take the random source as a parameter"),
    ("OsRng", "take the random source as a parameter"),
    ("from_os_rng", "take the random source as a parameter"),
    ("getrandom", "take the random source as a parameter"),
    ("env::var", "take the setting as a parameter"),
    ("env::var_os", "take the setting as a parameter"),
    ("env::vars", "take the settings as parameters"),
    ("env::vars_os", "take the settings as parameters"),
    ("env::args", "take the setting as a parameter"),
    ("env::args_os", "take the setting as a parameter"),
    ("env::current_dir", "take the folder as a parameter"),
    ("env::temp_dir", "take the folder as a parameter"),
];

/// The lints that hold the same ban.
const LINTS: &[&str] = &["clippy::disallowed_methods", "clippy::disallowed_types"];

/// Reads of the clock, the environment or randomness in a crate that may not, and leaves of the ban.
#[must_use]
pub fn findings(crate_name: &str, source: &Source) -> Vec<Finding> {
    // Cargo speaks to a build script through the environment; nothing of it is in the program.
    if MAY.contains(&crate_name) || is_build_script(&source.path) {
        return Vec::new();
    }
    let reads = AMBIENT.iter().flat_map(|(word, instead)| {
        source.find_in_code(word).map(move |offset| (offset, format!("only `server` calls {word}: {instead}")))
    });
    let leaves = LINTS.iter().flat_map(|lint| {
        source.find_in_code(lint).map(move |offset| {
            (offset, format!("nobody but `server` is given leave of {lint}: take a parameter instead"))
        })
    });
    reads
        .chain(leaves)
        .filter(|(offset, _)| !source.is_test(*offset))
        .map(|(offset, message)| Finding::new(&source.path, source.line(offset), message))
        .collect()
}

/// Whether the file is a crate's build script.
fn is_build_script(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>().as_slice(), ["crates", _, "build.rs"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::File;

    fn lines(crate_name: &str, text: &str) -> Vec<usize> {
        let source = Source::parse(&File::sample("crates/any/src/sample.rs", text));
        findings(crate_name, &source).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_read_of_the_clock_is_found_anywhere_but_in_server() {
        let text = "fn f() {\n    let now = std::time::SystemTime::now();\n}\n";
        assert_eq!(lines("store", text), [2]);
        assert_eq!(lines("server", text), Vec::<usize>::new());
    }

    #[test]
    fn each_ambient_word_is_found() {
        for (word, _) in AMBIENT {
            assert_eq!(lines("org", &format!("let x = a::{word}();")), [1], "{word}");
        }
    }

    #[test]
    fn a_leave_of_the_lint_is_found() {
        assert_eq!(lines("org", "#[expect(clippy::disallowed_methods, reason = \"no\")]\nfn f() {}"), [1]);
    }

    #[test]
    fn a_build_script_may_ask_cargo() {
        let source = |path: &str| Source::parse(&File::sample(path, "fn main() { std::env::var_os(\"OUT_DIR\"); }"));
        assert_eq!(findings("schema", &source("crates/schema/build.rs")), []);
        assert_eq!(findings("schema", &source("crates/schema/src/build.rs")).len(), 1);
    }

    #[test]
    fn words_in_comments_literals_and_tests_are_left() {
        let text = "// SystemTime::now\nlet a = \"env::var\"; let b = env!(\"CARGO\"); clock.now();\nmy_env::variable();\n\
                    #[cfg(test)]\nmod tests { fn f() { std::env::var(\"A\"); } }\n";
        assert_eq!(lines("store", text), Vec::<usize>::new());
    }
}
