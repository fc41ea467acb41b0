//! `docs/api-coverage.md`, which is written from the catalogue.
//!
//! After a change of it: `cargo test -p custodia-web-api --test protocol write_the_coverage -- --ignored`, then read the diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::case::Expected;
use super::row::{Proof, Row};
use super::rows;

/// What stands before the tables.
const INTRODUCTION: &str = "\
# What the protocol has, part by part

Written from the catalogue of cases in `crates/web-api/tests/protocol/catalogue`; a test fails where this page is not what the
catalogue says. `docs/api.md` tells the same in sentences.

Each part has a case: a request whose answer is asserted on both engines, or a test by its file (of
`crates/web-api/tests/protocol` unless its path is given) and name. In requests, names in braces stand for ids and `…` for
showing one column of the rows found and ordering them by it.

Parts in **bold** can be withheld by the setting `withheld`, which takes the name of the area, a point and the name of the
part: `odata.function.contains`. A part that is withheld is refused as if there were none. A test withholds a random sample of
parts, one at a time, and sees that the cases that name the part fail and that no other case of its area does.

Answers: **yes**, it is there; **501**, it is not there yet; other numbers, it is refused as the protocol wants it; **no**, it is
not there, and no request is answered differently for it.
";

/// Titles of areas, by the beginning of their parts, in the order of the page.
const AREAS: [(&str, &str); 36] = [
    ("fetchxml.element", "FetchXML: elements"),
    ("fetchxml.attribute", "FetchXML: attributes"),
    ("fetchxml.operator", "FetchXML: operators"),
    ("fetchxml.link-type", "FetchXML: link types"),
    ("fetchxml.aggregate", "FetchXML: aggregates"),
    ("fetchxml.date-grouping", "FetchXML: parts of dates"),
    ("fetchxml.rule", "FetchXML: what holds of whole queries"),
    ("odata.operator", "OData: operators"),
    ("odata.function", "OData: functions"),
    ("odata.query-function", "OData: query functions"),
    ("odata.lambda", "OData: tests of collections"),
    ("odata.literal", "OData: values"),
    ("odata.filter", "OData: other parts of filters"),
    ("odata.option", "OData: options"),
    ("odata.expand", "OData: within `$expand`"),
    ("odata.apply", "OData: within `$apply`"),
    ("odata.aggregate", "OData: aggregates"),
    ("sql.clause", "`?sql=`: clauses"),
    ("sql.operator", "`?sql=`: conditions"),
    ("sql.aggregate", "`?sql=`: aggregates"),
    ("sql", "`?sql=`: what holds of it"),
    ("url", "Addresses and methods"),
    ("prefer", "Preferences"),
    ("header", "Other headers"),
    ("annotation", "Annotations"),
    ("paging", "Pages"),
    ("record", "Records"),
    ("batch", "Batches"),
    ("changes", "Change tracking"),
    ("function", "Functions"),
    ("action", "Actions"),
    ("operation", "Operations in general"),
    ("metadata", "Descriptions"),
    ("sign-in", "Sign-in"),
    ("limit", "Limits"),
    ("error", "Errors"),
];

/// The area of a part, and its name in it.
fn area_of(part: &str) -> (&'static str, &str) {
    let fits = AREAS.iter().filter_map(|(area, _)| {
        let rest = part.strip_prefix(area)?;
        let name = rest.strip_prefix('.').or_else(|| rest.strip_prefix(' '))?;
        Some((*area, name))
    });
    fits.max_by_key(|(area, _)| area.len()).unwrap_or_else(|| panic!("'{part}' belongs to no area"))
}

/// The page.
fn page() -> String {
    let mut tables: BTreeMap<&str, Vec<(String, Row)>> = BTreeMap::new();
    for row in rows() {
        let (area, name) = area_of(&row.part);
        tables.entry(area).or_default().push((name.to_owned(), row.clone()));
    }
    let withheld: BTreeSet<String> = custodia_web_api::parts().into_iter().collect();
    let mut page = INTRODUCTION.to_owned();
    for (area, title) in &AREAS {
        let mut table = tables.remove(area).unwrap_or_else(|| panic!("the area '{area}' has no part"));
        table.sort_by(|(left, _), (right, _)| left.cmp(right));
        write!(page, "\n## {title}\n\n| {area} | case | answer |\n| --- | --- | --- |\n").unwrap();
        for (name, row) in table {
            let (case, mut answer) = match &row.proof {
                Proof::Tested(test) => (test.to_string(), "yes".to_owned()),
                Proof::Missing => (String::new(), "no".to_owned()),
                Proof::Asked(case) => {
                    let answer = match &case.expected {
                        Expected::Refused(status, code) => format!("{status} `{code}`"),
                        _ => "yes".to_owned(),
                    };
                    let shown: String = case.shown().split_whitespace().collect::<Vec<_>>().join(" ");
                    (format!("`` {} ``", shorter(&shown)), answer)
                }
            };
            if !row.remark.is_empty() {
                write!(answer, ": {}", row.remark).unwrap();
            }
            let name = if withheld.contains(&row.part) { format!("**{name}**") } else { name };
            writeln!(page, "| {name} | {} | {answer} |", case.replace('|', "\\|")).unwrap();
        }
    }
    page
}

/// A request that fits into a table.
fn shorter(whole: &str) -> String {
    let mut text = whole.to_owned();
    for (set, table, column) in [("accounts", "account", "accountnumber"), ("tasks", "task", "subject")] {
        let shown = format!("<attribute name='{column}' alias='n'/><order attribute='{column}'/>");
        text = text.replace(&shown, "…");
        text = text.replace(&format!("{set}?$select={column}&$orderby={column}&"), &format!("{set}?…&"));
        text = text.replace(&format!("{set}?fetchXml=<fetch><entity name='{table}'>…"), &format!("{set}?fetchXml=…"));
        text = text.replace("</entity></fetch>", "…");
    }
    // Where nothing else is left, that is what the case is about.
    if text.contains("……") {
        text = whole.to_owned();
    }
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api-coverage.md")
}

#[test]
fn the_page_is_what_the_catalogue_says() {
    let written = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(written == page(), "docs/api-coverage.md is not what the catalogue says: write it as this file tells");
}

#[test]
#[ignore = "rewrites the page after an intended change"]
fn write_the_coverage() {
    std::fs::write(file(), page()).unwrap();
}
