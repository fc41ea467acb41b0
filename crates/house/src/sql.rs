//! SQL text stands in `store` only.

use crate::finding::Finding;
use crate::source::Source;

/// The crates that may hold SQL: the store, the leaf with SQLite's foreign functions, and what tests and measures them.
const MAY: &[&str] = &["store", "sqlite", "testbed", "bench", "house"];

/// Statements in SQL. Of an English sentence none begins like this.
const BEGINNINGS: &[&[&str]] = &[
    &["SELECT"],
    &["INSERT", "INTO"],
    &["INSERT", "OR"],
    &["REPLACE", "INTO"],
    &["UPDATE", "*", "SET"],
    &["DELETE", "FROM"],
    &["WITH", "*", "AS"],
    &["WITH", "RECURSIVE"],
    &["CREATE", "TABLE"],
    &["CREATE", "INDEX"],
    &["CREATE", "UNIQUE"],
    &["CREATE", "DATABASE"],
    &["CREATE", "SCHEMA"],
    &["CREATE", "ROLE"],
    &["ALTER", "TABLE"],
    &["ALTER", "DATABASE"],
    &["DROP", "TABLE"],
    &["DROP", "INDEX"],
    &["DROP", "DATABASE"],
    &["ATTACH", "DATABASE"],
    &["PRAGMA"],
    &["SAVEPOINT"],
    &["RELEASE"],
    &["BEGIN"],
    &["COMMIT"],
    &["ROLLBACK"],
    &["VACUUM"],
    &["EXPLAIN"],
];

/// Parts of a statement, as SQL keywords are written: in capitals, between blanks.
const PARTS: &[&str] = &[
    "WHERE ",
    "ORDER BY ",
    "GROUP BY ",
    "LEFT JOIN ",
    "INNER JOIN ",
    "CROSS JOIN ",
    "UNION ALL",
    " LIMIT ",
    " IS NULL",
    " EXISTS (",
];

/// SQL in the string literals of a crate that may not hold any.
#[must_use]
pub fn findings(crate_name: &str, source: &Source) -> Vec<Finding> {
    if MAY.contains(&crate_name) {
        return Vec::new();
    }
    source
        .literals
        .iter()
        .filter(|literal| !source.is_test(literal.offset) && is_sql(&literal.text))
        .map(|literal| {
            let message =
                "SQL text stands in `store` only: say what is wanted in `query` terms, or add a function to `store`";
            Finding::new(&source.path, source.line(literal.offset), message)
        })
        .collect()
}

/// Whether a text is SQL or a part of it.
fn is_sql(text: &str) -> bool {
    BEGINNINGS.iter().any(|words| begins_with(text, words)) || PARTS.iter().any(|part| text.contains(part))
}

/// Whether the text's first words are these; `*` is any word.
fn begins_with(text: &str, words: &[&str]) -> bool {
    let mut present = text.split_whitespace();
    words.iter().all(|word| present.next().is_some_and(|present| *word == "*" || *word == present))
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
    fn a_statement_is_found_anywhere_but_in_store() {
        let text = "fn f() {\n    run(\"SELECT name FROM account\");\n}\n";
        assert_eq!(lines("org", text), [2]);
        assert_eq!(lines("store", text), Vec::<usize>::new());
    }

    #[test]
    fn statements_and_parts_are_sql() {
        for text in [
            "\n   SELECT\n name",
            "INSERT INTO account VALUES (?)",
            "UPDATE account SET name = $1",
            "DELETE FROM account",
            "WITH reachable AS (SELECT 1)",
            "CREATE UNIQUE INDEX a ON b (c)",
            "PRAGMA journal_mode = WAL",
            "BEGIN IMMEDIATE",
            " WHERE a = ?1",
            "{column} IS NULL",
        ] {
            assert!(is_sql(text), "{text}");
        }
    }

    #[test]
    fn sentences_and_other_words_are_not_sql() {
        for text in [
            "Select a record first",
            "update the record, then set its state",
            "DELETE",
            "UPDATE is no verb of HTTP",
            "WITH care",
            "$select=name&$orderby=name",
            "a commit was rolled back",
            "PRAGMATIC",
        ] {
            assert!(!is_sql(text), "{text}");
        }
    }

    #[test]
    fn tests_may_speak_sql() {
        assert_eq!(lines("org", "#[cfg(test)]\nmod tests { const A: &str = \"SELECT 1\"; }\n"), Vec::<usize>::new());
    }
}
