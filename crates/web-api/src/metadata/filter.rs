//! `$filter` over descriptions: read against a type, then tested on values.
//!
//! Descriptions are not records: their properties are texts, numbers, booleans, ids, names of enumerations and values
//! with members, and nothing of a database is asked.

use custodia_query::odata::Limits;
use custodia_schema::Guid;
use serde_json::{Map, Value as Json};

use super::types::{Kind, NAMESPACE, enumeration, members_of};
use crate::failure::{Failure, code};

/// A test of one description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Compare { path: Vec<String>, comparison: Comparison, with: Literal },
    In { path: Vec<String>, list: Vec<Literal> },
    Text { path: Vec<String>, function: TextFunction, with: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFunction {
    Contains,
    StartsWith,
    EndsWith,
}

/// What a property is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    /// Texts, ids in lower case, moments as they are written, names of enumerations.
    Text(String),
}

impl Test {
    /// Reads a filter of descriptions of a type. `aliases` are the query options, for `@p`.
    pub(crate) fn read(
        kind: &'static Kind,
        text: &str,
        aliases: &[(String, String)],
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let depth_left = limits.filter_depth_max;
        let mut reader = Reader { kind, text, at: 0, aliases, limits, depth_left, tests: 0, values: 0, alias_bytes: 0 };
        let test = reader.alternatives()?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.wrong("expected 'and', 'or' or the end"));
        }
        Ok(test)
    }

    /// Whether a description passes.
    pub(crate) fn passes(&self, item: &Map<String, Json>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|test| test.passes(item)),
            Self::Or(any) => any.iter().any(|test| test.passes(item)),
            Self::Not(test) => !test.passes(item),
            Self::Compare { path, comparison, with } => compare(value(item, path), *comparison, with),
            Self::In { path, list } => {
                let value = value(item, path);
                list.iter().any(|with| compare(value, Comparison::Equal, with))
            }
            Self::Text { path, function, with } => value(item, path).as_str().is_some_and(|text| match function {
                TextFunction::Contains => text.contains(with),
                TextFunction::StartsWith => text.starts_with(with),
                TextFunction::EndsWith => text.ends_with(with),
            }),
        }
    }
}

impl Test {
    /// Whether it goes over a navigation of that name.
    pub(crate) fn goes_into(&self, navigation: &str) -> bool {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().any(|test| test.goes_into(navigation)),
            Self::Not(test) => test.goes_into(navigation),
            Self::Compare { path, .. } | Self::In { path, .. } | Self::Text { path, .. } => {
                path.first().is_some_and(|first| first == navigation)
            }
        }
    }
}

fn value<'i>(item: &'i Map<String, Json>, path: &[String]) -> &'i Json {
    let mut steps = path.iter();
    let first = steps.next().and_then(|name| item.get(name));
    steps.fold(first, |value, name| value?.get(name)).unwrap_or(&Json::Null)
}

fn compare(value: &Json, comparison: Comparison, with: &Literal) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ordering = match (value, with) {
        (Json::Null, Literal::Null) => Some(Equal),
        (Json::Bool(value), Literal::Boolean(with)) => Some(value.cmp(with)),
        (Json::Number(value), Literal::Number(with)) => value.as_f64().and_then(|value| value.partial_cmp(with)),
        (Json::String(value), Literal::Text(with)) => Some(value.as_str().cmp(with.as_str())),
        _ => None,
    };
    match comparison {
        Comparison::Equal => ordering == Some(Equal),
        Comparison::NotEqual => ordering != Some(Equal),
        Comparison::Less => ordering == Some(Less),
        Comparison::LessOrEqual => matches!(ordering, Some(Less | Equal)),
        Comparison::Greater => ordering == Some(Greater),
        Comparison::GreaterOrEqual => matches!(ordering, Some(Greater | Equal)),
    }
}

/// The type of the property that a path leads to, perhaps over a navigation that leads to one description.
fn type_of(kind: &'static Kind, path: &[String]) -> Option<&'static str> {
    let (first, rest) = path.split_first()?;
    if let Some(navigation) = kind.navigation(first).filter(|navigation| !navigation.collection) {
        return rest.first().and_then(|_| type_of(navigation.kind, rest));
    }
    let mut steps = rest.iter();
    let first = kind.property(first)?;
    steps.try_fold(first, |type_name, name| {
        members_of(type_name).find(|(known, _)| known == name).map(|(_, member)| *member)
    })
}

/// Words that a literal without quotes may be made of.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | ':' | '@' | '/')
}

struct Reader<'t> {
    kind: &'static Kind,
    text: &'t str,
    at: usize,
    aliases: &'t [(String, String)],
    limits: &'t Limits,
    depth_left: usize,
    tests: usize,
    /// In lists.
    values: usize,
    /// What aliases stand for, each use of one counted.
    alias_bytes: usize,
}

impl<'t> Reader<'t> {
    fn wrong(&self, problem: &str) -> Failure {
        let character = self.text.get(..self.at).unwrap_or(self.text).chars().count() + 1;
        Failure::invalid(format!("$filter, character {character}: {problem}"))
    }

    fn require(&self, count: usize, limit: &str, max: usize) -> Result<(), Failure> {
        if count <= max { Ok(()) } else { Err(self.wrong(&format!("more than {limit} allows, which is {max}"))) }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes a mark, after blanks.
    fn mark(&mut self, mark: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
        }
        found
    }

    /// The next word, without taking it.
    fn word(&mut self) -> &'t str {
        self.blanks();
        let rest = self.rest();
        rest.get(..rest.find(|c| !is_word(c)).unwrap_or(rest.len())).unwrap_or_default()
    }

    /// Takes a word, after blanks.
    fn keyword(&mut self, wanted: &str) -> bool {
        let found = self.word() == wanted;
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn alternatives(&mut self) -> Result<Test, Failure> {
        let first = self.conjunction()?;
        if self.word() != "or" {
            return Ok(first);
        }
        let mut any = vec![first];
        while self.keyword("or") {
            any.push(self.conjunction()?);
        }
        Ok(Test::Or(any))
    }

    fn conjunction(&mut self) -> Result<Test, Failure> {
        let first = self.single()?;
        if self.word() != "and" {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.keyword("and") {
            all.push(self.single()?);
        }
        Ok(Test::And(all))
    }

    fn single(&mut self) -> Result<Test, Failure> {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(self.wrong("too many parentheses within each other (filter_depth_max)"));
        };
        let outer = std::mem::replace(&mut self.depth_left, left);
        let test = self.single_within();
        self.depth_left = outer;
        test
    }

    fn single_within(&mut self) -> Result<Test, Failure> {
        if self.mark('(') {
            let test = self.alternatives()?;
            return if self.mark(')') { Ok(test) } else { Err(self.wrong("expected ')'")) };
        }
        if self.keyword("not") {
            return Ok(Test::Not(Box::new(self.single()?)));
        }
        for (name, function) in [
            ("contains", TextFunction::Contains),
            ("startswith", TextFunction::StartsWith),
            ("endswith", TextFunction::EndsWith),
        ] {
            if self.word() == name && self.rest().get(name.len()..).is_some_and(|after| after.starts_with('(')) {
                self.at += name.len();
                return self.text_function(function);
            }
        }
        self.tests += 1;
        self.require(self.tests, "filter_nodes_max", self.limits.filter_nodes_max)?;
        let (path, type_name) = self.path()?;
        if self.keyword("in") {
            return self.list(path, type_name);
        }
        let Some(comparison) = self.comparison() else {
            // A boolean by itself.
            return match type_name {
                "Edm.Boolean" => {
                    Ok(Test::Compare { path, comparison: Comparison::Equal, with: Literal::Boolean(true) })
                }
                _ => Err(self.wrong("expected eq, ne, gt, ge, lt, le or in")),
            };
        };
        let with = self.literal(type_name)?;
        Ok(Test::Compare { path, comparison, with })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let found = match self.word() {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 2;
        Some(found)
    }

    fn text_function(&mut self, function: TextFunction) -> Result<Test, Failure> {
        self.tests += 1;
        self.require(self.tests, "filter_nodes_max", self.limits.filter_nodes_max)?;
        let opened = self.mark('(');
        let (path, type_name) = self.path()?;
        if type_name != "Edm.String" {
            return Err(self.wrong("this function takes a property that is text"));
        }
        if !opened || !self.mark(',') {
            return Err(self.wrong("expected ','"));
        }
        let Literal::Text(with) = self.literal(type_name)? else {
            return Err(self.wrong("expected a text in quotes"));
        };
        if self.mark(')') { Ok(Test::Text { path, function, with }) } else { Err(self.wrong("expected ')'")) }
    }

    fn list(&mut self, path: Vec<String>, type_name: &'static str) -> Result<Test, Failure> {
        if !self.mark('(') {
            return Err(self.wrong("expected '('"));
        }
        let mut list = Vec::new();
        loop {
            self.values += 1;
            self.require(self.values, "in_values_max", self.limits.in_values_max)?;
            list.push(self.literal(type_name)?);
            if !self.mark(',') {
                break;
            }
        }
        if self.mark(')') { Ok(Test::In { path, list }) } else { Err(self.wrong("expected ')' or ','")) }
    }

    /// A property, or a member of one, and its type.
    fn path(&mut self) -> Result<(Vec<String>, &'static str), Failure> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.wrong("expected the name of a property"));
        }
        let path: Vec<String> = word.split('/').map(str::to_owned).collect();
        let Some(type_name) = type_of(self.kind, &path) else {
            if matches!(path.last().map(String::as_str), Some("any" | "all" | "$count")) {
                return Err(Failure::unsupported("$filter: lambdas and counts over descriptions"));
            }
            return Err(unknown_property(word, self.kind));
        };
        self.at += word.len();
        Ok((path, type_name))
    }

    fn literal(&mut self, type_name: &str) -> Result<Literal, Failure> {
        self.blanks();
        if self.rest().starts_with('\'') {
            let text = self.quoted()?;
            return self.text_literal(text, type_name);
        }
        let word = self.word();
        if word.is_empty() {
            return Err(self.wrong("expected a value"));
        }
        let after = self.at + word.len();
        if word.starts_with('@') {
            let Some((_, value)) = self.aliases.iter().find(|(name, _)| name == word) else {
                return Err(self.wrong(&format!("the parameter {word} has no value")));
            };
            self.alias_bytes += value.len();
            self.require(self.alias_bytes, "alias_bytes_max", self.limits.alias_bytes_max)?;
            let mut inner = Reader { text: value, at: 0, aliases: &[], depth_left: 1, ..*self };
            let literal = inner.literal(type_name)?;
            inner.blanks();
            if inner.at < value.len() {
                return Err(self.wrong(&format!("the parameter {word} stands for one value, and '{value}' is more")));
            }
            self.at = after;
            return Ok(literal);
        }
        if let Some(named) = word.strip_prefix(NAMESPACE)
            && self.text.get(after..).is_some_and(|rest| rest.starts_with('\''))
        {
            if named != type_name {
                return Err(self.wrong(&format!("expected a value of {type_name}, not of {named}")));
            }
            self.at = after;
            let text = self.quoted()?;
            return self.text_literal(text, type_name);
        }
        let literal = match (word, type_name) {
            ("null", _) => Literal::Null,
            ("true", "Edm.Boolean") => Literal::Boolean(true),
            ("false", "Edm.Boolean") => Literal::Boolean(false),
            (_, "Edm.Guid") => {
                Literal::Text(Guid::try_parse(word).map_err(|_| self.wrong("expected a GUID"))?.to_string())
            }
            (_, "Edm.DateTimeOffset") => Literal::Text(word.to_owned()),
            _ => {
                let number: Option<f64> = word.parse().ok().filter(|number: &f64| number.is_finite());
                match (number, enumeration(type_name)) {
                    (Some(number), None) if is_number(type_name) => Literal::Number(number),
                    (Some(number), Some(known)) => {
                        #[expect(clippy::cast_possible_truncation, reason = "members are small; others name none")]
                        let member = known.member(number as i64);
                        let member = member.ok_or_else(|| self.wrong(&format!("{type_name} has no such number")))?;
                        Literal::Text(member.to_owned())
                    }
                    _ => return Err(self.wrong(&format!("'{word}' is no value of {type_name}"))),
                }
            }
        };
        self.at = after;
        Ok(literal)
    }

    /// A text as a value of a type.
    fn text_literal(&self, text: String, type_name: &str) -> Result<Literal, Failure> {
        if let Some(known) = enumeration(type_name) {
            if let Ok(number) = text.parse::<i64>()
                && let Some(member) = known.member(number)
            {
                return Ok(Literal::Text(member.to_owned()));
            }
            return match known.members.iter().find(|(name, _)| *name == text) {
                Some(_) => Ok(Literal::Text(text)),
                None => Err(self.wrong(&format!("'{text}' is no member of {type_name}"))),
            };
        }
        match type_name {
            "Edm.Guid" => {
                let id = Guid::try_parse(&text).map_err(|_| self.wrong("expected a GUID"))?;
                Ok(Literal::Text(id.to_string()))
            }
            "Edm.String" | "Edm.DateTimeOffset" => Ok(Literal::Text(text)),
            _ => Err(self.wrong(&format!("a text is no value of {type_name}"))),
        }
    }

    /// Takes a text in quotes; two quotes stand for one.
    fn quoted(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        let mut rest = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = rest.next() {
            if c != '\'' {
                text.push(c);
            } else if rest.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                self.at += at + 1;
                return Ok(text);
            }
        }
        Err(self.wrong("the text has no end: a quote is missing"))
    }
}

/// Whether a property of this type is a number.
pub(super) fn is_number(type_name: &str) -> bool {
    matches!(type_name, "Edm.Int16" | "Edm.Int32" | "Edm.Int64" | "Edm.Decimal" | "Edm.Double")
}

/// A name that descriptions of a type do not have.
pub(crate) fn unknown_property(name: &str, kind: &Kind) -> Failure {
    let message = format!("Could not find a property named '{name}' on type '{NAMESPACE}{}'.", kind.name);
    Failure::new(http::StatusCode::BAD_REQUEST, code::NONE, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use serde_json::json;

    use super::*;
    use crate::metadata::types::ENTITY;

    fn passes(filter: &str) -> Result<bool, Failure> {
        let item = json!({
            "LogicalName": "account",
            "ObjectTypeCode": 1,
            "IsPrivate": false,
            "IsActivity": true,
            "OwnershipType": "UserOwned",
            "DataProviderId": null,
            "MetadataId": "0a9f2b1c-0000-0000-0000-00000000000f",
            "IsCustomizable": {"Value": true, "CanBeChanged": true, "ManagedPropertyLogicalName": "iscustomizable"},
        });
        let aliases =
            [("@name", "'account'"), ("@blank", " 'account' "), ("@or", "'account' or true"), ("@two", "1 2")];
        let aliases = aliases.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let test = Test::read(&ENTITY, filter, &aliases, &Limits::default())?;
        Ok(test.passes(item.as_object().unwrap()))
    }

    #[test]
    fn descriptions_are_told_apart() {
        for (filter, expected) in [
            ("LogicalName eq 'account'", true),
            ("LogicalName eq 'Account'", false),
            ("LogicalName ne 'contact'", true),
            ("LogicalName eq @name", true),
            ("LogicalName eq @blank", true),
            ("IsPrivate eq false and (LogicalName eq 'account' or LogicalName eq 'contact')", true),
            ("not (IsPrivate eq false)", false),
            ("not IsPrivate", true),
            ("IsActivity and ObjectTypeCode lt 2", true),
            ("ObjectTypeCode gt 1 or ObjectTypeCode ge 2", false),
            ("ObjectTypeCode in (3,1)", true),
            ("OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'", true),
            ("OwnershipType eq 'UserOwned'", true),
            ("OwnershipType eq 1", true),
            ("OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'8'", false),
            ("OwnershipType ne 'None'", true),
            ("IsCustomizable/Value eq true", true),
            ("DataProviderId eq null", true),
            ("DataProviderId ne 0A9F2B1C-0000-0000-0000-00000000000F", true),
            ("MetadataId eq 0A9F2B1C-0000-0000-0000-00000000000F", true),
            ("MetadataId eq '{0a9f2b1c-0000-0000-0000-00000000000f}'", true),
            ("contains(LogicalName,'cou') and startswith(LogicalName, 'acc') and endswith(LogicalName,'nt')", true),
            ("LogicalName eq 'it''s'", false),
        ] {
            assert_eq!(passes(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_where_it_stands() {
        for (filter, status, part) in [
            ("Nothing eq 1", 400, "Could not find a property named 'Nothing'"),
            ("LogicalName eq", 400, "character 15"),
            ("LogicalName eq 'x", 400, "quote"),
            ("LogicalName eq 5", 400, "no value of Edm.String"),
            ("IsPrivate eq 'x'", 400, "Edm.Boolean"),
            ("ObjectTypeCode eq 'x'", 400, "Edm.Int32"),
            ("OwnershipType eq 'Mine'", 400, "no member of OwnershipTypes"),
            ("OwnershipType eq Microsoft.Dynamics.CRM.StringFormat'Text'", 400, "not of StringFormat"),
            ("MetadataId eq x", 400, "GUID"),
            ("LogicalName", 400, "expected eq"),
            ("IsCustomizable/Nothing eq true", 400, "IsCustomizable/Nothing"),
            ("(IsPrivate eq true", 400, "')'"),
            ("IsPrivate eq true x", 400, "the end"),
            ("LogicalName eq @other", 400, "@other"),
            ("LogicalName eq @or", 400, "stands for one value"),
            ("LogicalName in (@name,@or)", 400, "stands for one value"),
            ("contains(LogicalName,@or)", 400, "stands for one value"),
            ("ObjectTypeCode eq @two", 400, "stands for one value"),
            ("Attributes/any(a:a/IsCustomAttribute)", 501, "lambdas"),
        ] {
            let failure = passes(filter).unwrap_err();
            assert_eq!(failure.status.as_u16(), status, "{filter}: {}", failure.message);
            assert!(failure.message.contains(part), "{filter}: {}", failure.message);
        }
        let deep = format!("{}IsPrivate{}", "(".repeat(500), ")".repeat(500));
        assert!(passes(&deep).unwrap_err().message.contains("filter_depth_max"));
    }
}
