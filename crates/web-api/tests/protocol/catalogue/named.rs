//! Which parts of the protocol a request names, read off its text and not by the program's own readers.

use std::collections::BTreeSet;

use super::case::Case;

/// Words that are operators between operands, and before one.
const OPERATORS: [&str; 10] = ["eq", "ne", "gt", "ge", "lt", "le", "and", "or", "not", "in"];

impl Case {
    /// The parts that the request names.
    pub fn named(&self) -> BTreeSet<String> {
        let mut parts = BTreeSet::new();
        for (name, value) in &self.options {
            parts.insert(format!("odata.option.{name}"));
            match name.as_str() {
                "fetchXml" => fetchxml(value, &mut parts),
                "sql" => sql(value, &mut parts),
                _ => odata(value, &mut parts),
            }
        }
        for (name, value) in &self.headers {
            for preference in value.split(',').filter(|_| *name == "prefer") {
                let name = preference.split('=').next().unwrap().trim();
                parts.insert(format!("prefer.{}", name.strip_prefix("odata.").unwrap_or(name)));
            }
        }
        let area = if self.method == "POST" { "action" } else { "function" };
        let last = self.path.split('(').next().unwrap().to_owned();
        let called = self.path.split("/Microsoft.Dynamics.CRM.").nth(1).unwrap_or(&last);
        parts.insert(format!("{area}.{}", called.split('(').next().unwrap()));
        parts
    }
}

fn fetchxml(text: &str, parts: &mut BTreeSet<String>) {
    let document = roxmltree::Document::parse(text).unwrap();
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        let name = element.tag_name().name();
        parts.insert(format!("fetchxml.element.{name}"));
        for attribute in element.attributes() {
            parts.insert(format!("fetchxml.attribute.{name}.{}", attribute.name()));
            let area = match (name, attribute.name()) {
                ("condition", "operator") => "operator",
                ("link-entity", "link-type") => "link-type",
                ("attribute", "aggregate") => "aggregate",
                ("attribute", "dategrouping") => "date-grouping",
                _ => continue,
            };
            parts.insert(format!("fetchxml.{area}.{}", attribute.value()));
        }
    }
}

/// Words outside of quotes, each with the characters before and after it.
fn words(text: &str) -> Vec<(Option<char>, String, Option<char>)> {
    let mut plain = String::new();
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '\'';
        plain.push(if quoted { '\'' } else { c });
    }
    let mut found = Vec::new();
    let mut before = None;
    let mut word = String::new();
    for c in plain.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() || "_$.".contains(c) => word.push(c),
            other => {
                if !word.is_empty() {
                    found.push((before, std::mem::take(&mut word), other));
                }
                before = other;
            }
        }
    }
    found
}

fn odata(text: &str, parts: &mut BTreeSet<String>) {
    let mut last = String::new();
    for (before, word, after) in words(text) {
        let part = match (before, word.as_str(), after) {
            (_, "contains" | "startswith" | "endswith", Some('(')) => format!("odata.function.{word}"),
            (Some('/'), "any" | "all", Some('(')) => format!("odata.lambda.{word}"),
            (_, "filter" | "groupby" | "aggregate", Some('(')) => format!("odata.apply.{word}"),
            (_, function, Some('(')) if function.starts_with("Microsoft.Dynamics.CRM.") => {
                format!("odata.query-function.{}", function.trim_start_matches("Microsoft.Dynamics.CRM."))
            }
            (Some('/'), "$ref", _) => "odata.expand.$ref".to_owned(),
            (_, "$count", Some(' ')) => "odata.aggregate.$count".to_owned(),
            (_, option, Some('=')) if option.starts_with('$') => format!("odata.expand.{option}"),
            (_, operator, _) if OPERATORS.contains(&operator) => format!("odata.operator.{operator}"),
            (_, aggregate, _) if last == "with" => format!("odata.aggregate.{aggregate}"),
            _ => String::new(),
        };
        last = word;
        parts.insert(part);
    }
}

fn sql(text: &str, parts: &mut BTreeSet<String>) {
    let spaced: String =
        text.to_lowercase().chars().flat_map(|c| if "(),".contains(c) { vec![' ', c, ' '] } else { vec![c] }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let at = |position: usize| words.get(position).copied().unwrap_or_default();
    // The signs between columns that are joined, and the word between two bounds, are no operators.
    let (mut joins, mut bounds) = (false, false);
    for (position, word) in words.iter().enumerate() {
        let (before, after) = (at(position.wrapping_sub(1)), at(position + 1));
        let negated = before == "not";
        let operator = |plain: &str| format!("sql.operator.{}{plain}", if negated { "not-" } else { "" });
        let part = match *word {
            "distinct" if before == "select" => "sql.clause.distinct".to_owned(),
            "top" | "where" => format!("sql.clause.{word}"),
            "group" | "order" if after == "by" => format!("sql.clause.{word}-by"),
            "join" if before == "left" => "sql.clause.left-join".to_owned(),
            "join" => "sql.clause.join".to_owned(),
            "on" => {
                joins = true;
                continue;
            }
            "=" if joins => {
                joins = false;
                continue;
            }
            "and" if bounds => {
                bounds = false;
                continue;
            }
            "=" => operator("eq"),
            "<>" => operator("ne"),
            ">" => operator("gt"),
            ">=" => operator("ge"),
            "<" => operator("lt"),
            "<=" => operator("le"),
            "and" | "or" | "in" | "like" => operator(word),
            "between" => {
                bounds = true;
                operator("between")
            }
            "null" => operator("null"),
            "count" | "sum" | "avg" | "min" | "max" if after == "(" => format!("sql.aggregate.{word}"),
            _ => continue,
        };
        parts.insert(part);
    }
}
