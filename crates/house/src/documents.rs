//! What documents and comments name exists: paths, documents, and the tests that hold the invariants.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::repository::File;
use crate::source::Source;

/// What the first part of a path in a document can be. A name that is not among these is not taken for a path.
const TOP_FOLDERS: &[&str] =
    &["crates", "web", "docs", "demo", "scripts", "tests", "bench", "fuzz", "packaging", ".ci", ".cargo", ".github"];

/// Characters that a path in a document consists of; anything else makes it a pattern, a URL or a command.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || "/._-".contains(character))
}

/// Paths in a document, between backticks or as the target of a link, that `exists` does not know.
///
/// `exists` is asked for paths from the root of the repository.
#[must_use]
pub fn missing_paths(document: &File, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (number, line) in lines_outside_code_blocks(&document.text) {
        let in_backticks = line.split('`').skip(1).step_by(2).filter_map(path_in_backticks);
        let in_links = line
            .split("](")
            .skip(1)
            .filter_map(|rest| path_in_link(rest.split(')').next().unwrap_or_default(), folder));
        for path in in_backticks.chain(in_links) {
            let known = path.as_deref().is_some_and(exists);
            if !known {
                let named = path.unwrap_or_else(|| "a path outside the repository".to_owned());
                findings.push(Finding::new(
                    &document.path,
                    number,
                    format!("{named} does not exist: mend the path or the sentence"),
                ));
            }
        }
    }
    findings
}

/// A path from the root of the repository; `None` inside if it leaves the repository; nothing if it is no path.
fn path_in_backticks(text: &str) -> Option<Option<String>> {
    let path = text.split_once(':').map_or(text, |(path, _line)| path);
    if !is_path(path) {
        return None;
    }
    if path.starts_with("../") {
        return Some(None);
    }
    let first = path.split('/').next().unwrap_or_default();
    let is_document = !path.contains('/') && path.ends_with(".md");
    let is_in_folder = path.contains('/') && TOP_FOLDERS.contains(&first);
    (is_document || is_in_folder).then(|| Some(path.trim_end_matches('/').to_owned()))
}

/// The same for the target of a link, which is seen from the folder of its document.
fn path_in_link(target: &str, folder: &str) -> Option<Option<String>> {
    let path = target.split('#').next().unwrap_or_default();
    if !is_path(path) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            if parts.pop().is_none() {
                return Some(None);
            }
        } else {
            parts.push(part);
        }
    }
    Some(Some(parts.join("/")))
}

/// Comments that name a document which `exists` does not know, or a section of one by its sign: whoever reads the code has
/// the repository and nothing else.
#[must_use]
pub fn strange_documents(source: &Source, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let is_strange = |text: &str| {
        let names_document = text
            .split(|character: char| !(character.is_alphanumeric() || "/._-:".contains(character)))
            .map(|word| word.trim_end_matches(['.', ':']))
            .any(|word| word.ends_with(".md") && !word.contains("://") && !exists(word.trim_start_matches('/')));
        names_document || text.contains('\u{a7}')
    };
    let found = source.comments.iter().filter(|comment| is_strange(&comment.text));
    found
        .map(|comment| {
            let message =
                "say it in words, or name a document of the repository (\"decision 0001.3\", \"security model 5.2\")";
            Finding::new(&source.path, source.line(comment.offset), message)
        })
        .collect()
}

/// The names of the tests in a file's code: functions that are marked as tests, and those listed for both engines.
#[must_use]
pub fn test_names(code: &str) -> Vec<&str> {
    let marked =
        ["#[test]", "#[tokio::test"].into_iter().flat_map(|mark| code.split(mark).skip(1)).filter_map(|rest| {
            let named = rest.split_once("fn ")?.1;
            Some(named.split(['(', '<']).next()?.trim())
        });
    let listed = code.split("on_both_engines!").skip(1).filter_map(|rest| rest.split(['}', ')', ']']).next());
    let listed =
        listed.flat_map(|list| list.split(|character: char| !(character.is_alphanumeric() || character == '_')));
    marked.chain(listed.filter(|name| !name.is_empty())).collect()
}

/// Lines with their numbers, without those of fenced blocks, which hold commands and their output.
fn lines_outside_code_blocks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            return None;
        }
        (!inside).then_some((index + 1, line))
    })
}

/// Invariants in the architecture that name a test which is not there, or nothing that holds them, or that repeat a number.
///
/// An invariant is a row of a table whose first cell is `I` and a number; its last cell says what holds it: tests as
/// `crate::test` between backticks, a lint, or in words what a reviewer looks at. `tests` has every test as `crate::test`.
#[must_use]
pub fn unheld_invariants(architecture: &File, tests: &BTreeSet<String>) -> Vec<Finding> {
    let mut numbers = BTreeSet::new();
    let mut findings = Vec::new();
    for (number, line) in lines_outside_code_blocks(&architecture.text) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { continue };
        let Some(invariant) = first.strip_prefix('I').and_then(|digits| digits.parse::<u32>().ok()) else { continue };
        let mut found = |message: String| findings.push(Finding::new(&architecture.path, number, message));
        if !numbers.insert(invariant) {
            found(format!("I{invariant} stands twice: numbers are never given again"));
        }
        if cells.len() < 3 || last.is_empty() {
            found(format!("I{invariant} is held by nothing: name the test or lint, or say what a reviewer looks at"));
        }
        for name in last.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
            if !name.starts_with("clippy::") && !tests.contains(name) {
                found(format!("I{invariant} is held by {name}, and there is no such test"));
            }
        }
    }
    findings
}

/// Threats in the security page that nothing holds, and tests that it names and that are not there.
///
/// A threat is a row of a table whose last column is headed `held by`. Its last cell names tests as `crate::test` between
/// backticks, or begins with `no test` and says why. `tests` has every test as `crate::test`.
#[must_use]
pub fn unheld_threats(security: &File, tests: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_table = false;
    for (number, line) in lines_outside_code_blocks(&security.text) {
        let mut found = |message: String| findings.push(Finding::new(&security.path, number, message));
        let is_test =
            |name: &&str| name.split_once("::").is_some_and(|(before, test)| !before.is_empty() && !test.is_empty());
        let named: Vec<&str> = line.split('`').skip(1).step_by(2).filter(is_test).collect();
        for name in named.iter().filter(|name| !tests.contains(**name)) {
            found(format!("{name} is named, and there is no such test"));
        }
        if !line.trim_start().starts_with('|') {
            in_table = false;
            continue;
        }
        let last = line.trim().trim_matches('|').rsplit('|').next().unwrap_or_default().trim();
        if last == "held by" {
            in_table = true;
        } else if in_table && !last.starts_with("---") {
            let holds = last.split('`').skip(1).step_by(2).any(|name| is_test(&name));
            if !holds && !last.starts_with("no test") {
                found("nothing holds this: name the test, or say 'no test' and why".to_owned());
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(path: &str, text: &str) -> Vec<usize> {
        let known = ["docs/gaps.md", "crates/store", "README.md", "crates/store/src/lib.rs"];
        let findings = missing_paths(&File::sample(path, text), &|path| known.contains(&path));
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let text = "See `docs/gaps.md`, `crates/store/` and `crates/store/src/lib.rs:12`.\nSee `docs/lost.md`.\nSee `LOST.md`.\n";
        assert_eq!(missing("README.md", text), [2, 3]);
    }

    #[test]
    fn a_link_is_seen_from_its_document() {
        let text = "[here](gaps.md) [there](../README.md#top)\n[lost](README.md)\n[out](../../x.md)\n[web](https://example.org/a.md)\n";
        assert_eq!(missing("docs/note.md", text), [2, 3]);
    }

    #[test]
    fn a_path_out_of_the_repository_is_found() {
        assert_eq!(missing("README.md", "as in `../elsewhere/notes.md`\n"), [1]);
    }

    #[test]
    fn commands_patterns_and_other_words_are_no_paths() {
        let text = "`make run`, `docs/*.md`, `tests/…`, `/api/data/v9.2/`, `application/json`, `text/plain`, `a::b`\n\
                    ```\ncat `docs/lost.md`\n```\n";
        assert_eq!(missing("README.md", text), Vec::<usize>::new());
    }

    #[test]
    fn a_comment_that_names_a_document_from_elsewhere_is_found() {
        let text = "// See docs/gaps.md.\n// See elsewhere.md.\n// As https://example.org/a.md says.\n// Rule \u{a7}3.\nlet x = \"no.md\";\n";
        let source = Source::parse(&File::sample("crates/any/src/sample.rs", text));
        let findings = strange_documents(&source, &|path| path == "docs/gaps.md");
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn tests_are_known_by_their_mark_or_their_list() {
        let code = "#[test]\nfn one() {}\nfn none() {}\n#[tokio::test(flavor = \"\")]\nasync fn two() {}\n\
                    on_both_engines! {\n    three;\n    four;\n}\non_both_engines!(five, six);\n";
        assert_eq!(test_names(code), ["one", "two", "three", "four", "five", "six"]);
    }

    #[test]
    fn a_threat_that_nothing_holds_is_found() {
        let text = "| threat | held by |\n|---|---|\n| a | `house::kept` |\n| b | `house::lost` |\n| c | no test: it is a library's |\n\
                    | d | review |\n\nSee `house::gone` and `house::kept`.\n| other | table |\n| - | - |\n| x | y |\n";
        let tests = BTreeSet::from(["house::kept".to_owned()]);
        let findings = unheld_threats(&File::sample("SECURITY.md", text), &tests);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 6, 8]);
    }

    #[test]
    fn an_invariant_that_nothing_holds_is_found() {
        let text = "| number | says | held by |\n|---|---|---|\n| I1 | a | `house::kept` |\n| I2 | b | `house::lost` |\n| I3 | c | |\n\
                    | I1 | d | review |\n| I4 | e | `clippy::disallowed_methods` |\n";
        let tests = BTreeSet::from(["house::kept".to_owned()]);
        let findings = unheld_invariants(&File::sample("ARCHITECTURE.md", text), &tests);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 5, 6]);
    }
}
