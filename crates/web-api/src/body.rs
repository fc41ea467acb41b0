//! Bodies of requests: JSON, read without a tree.
//!
//! An object is a list of names with the raw text of their values, so that a number keeps the digits it was written with.
//! Each value is read when its column is known.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Members of one object at most: more than any table has columns and their annotations.
const MEMBERS_MAX: usize = 10_000;

/// An object: names in the order given, each once.
pub(crate) struct Object<'b> {
    members: Vec<(String, Json<'b>)>,
}

/// A value as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'b>(&'b str);

/// A value is of another type than was asked for. It is no `None`: a member that is wrong never counts as one that is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mistyped<'b>(Json<'b>);

impl Mistyped<'_> {
    /// Says so of the member of that name.
    pub(crate) fn of(self, name: &str, expected: &str) -> Failure {
        Failure::body(format!("'{name}' is {}; {expected} was expected", self.0.noun()))
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonKind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl JsonKind {
    /// What it is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'b> Object<'b> {
    /// Reads a whole body. An empty one is no object.
    pub(crate) fn read(body: &'b [u8]) -> Result<Self, Failure> {
        Self::text(body)?
            .map_or_else(|| Err(Failure::body("the body is empty; expected an object in JSON")), Self::parse)
    }

    /// Reads the parameters of an action. An empty body has none: clients send nothing where nothing is to be said.
    pub(crate) fn read_parameters(body: &'b [u8]) -> Result<Self, Failure> {
        Self::text(body)?.map_or_else(|| Self::parse("{}"), Self::parse)
    }

    /// The text of a body; `None` where there is nothing but blanks.
    fn text(body: &'b [u8]) -> Result<Option<&'b str>, Failure> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Failure::body(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
        Ok(Some(text.trim_start_matches('\u{feff}')).filter(|text| !text.trim().is_empty()))
    }

    fn parse(text: &'b str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::body(format!("the body cannot be read: {error}")))
    }

    /// The members in the order given.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Json<'b>)> {
        self.members.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Json<'b>> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The member of that name that an operation cannot do without.
    pub(crate) fn need(&self, name: &str) -> Result<Json<'b>, Failure> {
        self.get(name).ok_or_else(|| Failure::body(format!("the body lacks '{name}'")))
    }

    /// The member of that name; none where it is null, which says as much as leaving it out.
    pub(crate) fn given(&self, name: &str) -> Option<Json<'b>> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// The text under that name, if it is given.
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<String>, Failure> {
        self.given(name).map(|value| value.text_as(name)).transpose()
    }

    /// True or false under that name, if it is given.
    pub(crate) fn boolean_of(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.given(name).map(|value| value.boolean_as(name)).transpose()
    }

    /// The object under that name that an operation cannot do without.
    pub(crate) fn need_object(&self, name: &str) -> Result<Self, Failure> {
        let value = self.need(name)?;
        value.object()?.ok_or_else(|| Mistyped(value).of(name, "an object"))
    }

    /// The list of objects under that name that an operation cannot do without.
    pub(crate) fn need_objects(&self, name: &str) -> Result<Vec<Self>, Failure> {
        let value = self.need(name)?;
        let list = value.list()?.ok_or_else(|| Mistyped(value).of(name, "a list of objects"))?;
        let object = |(at, value): (usize, Json<'b>)| {
            value.object()?.ok_or_else(|| Mistyped(value).of(&format!("{name}[{at}]"), "an object"))
        };
        list.into_iter().enumerate().map(object).collect()
    }

    /// The text under that name that an operation cannot do without.
    pub(crate) fn need_text(&self, name: &str) -> Result<String, Failure> {
        self.need(name)?.text_as(name)
    }
}

impl<'b> Json<'b> {
    /// What it is. What stands here was read as JSON already, so the first character tells.
    pub(crate) fn kind(self) -> JsonKind {
        match self.0.bytes().next() {
            Some(b'n') | None => JsonKind::Null,
            Some(b't' | b'f') => JsonKind::Boolean,
            Some(b'"') => JsonKind::Text,
            Some(b'[') => JsonKind::List,
            Some(b'{') => JsonKind::Object,
            Some(_) => JsonKind::Number,
        }
    }

    /// Whether it is null.
    pub(crate) fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// What it is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self.kind() {
            JsonKind::Text if self.text().is_err() => {
                "a text with a lone surrogate (such as \\ud800), which is no character"
            }
            kind => kind.noun(),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Result<bool, Mistyped<'b>> {
        match self.0 {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Mistyped(self)),
        }
    }

    /// `true` or `false`, of the member of that name.
    pub(crate) fn boolean_as(self, name: &str) -> Result<bool, Failure> {
        self.boolean().map_err(|mistyped| mistyped.of(name, "true or false"))
    }

    /// A number, as it was written.
    pub(crate) fn number(self) -> Result<&'b str, Mistyped<'b>> {
        if self.kind() == JsonKind::Number { Ok(self.0) } else { Err(Mistyped(self)) }
    }

    /// A whole number from nought on, of the member of that name.
    pub(crate) fn natural_as(self, name: &str) -> Result<u32, Failure> {
        let number = self.number().ok().and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| {
            let found = self.number().unwrap_or(self.noun());
            Failure::body(format!("'{name}' is {found}; a whole number from 0 to {} was expected", u32::MAX))
        })
    }

    /// A text.
    pub(crate) fn text(self) -> Result<String, Mistyped<'b>> {
        if self.kind() != JsonKind::Text {
            return Err(Mistyped(self));
        }
        // What was read as JSON already holds lone surrogates at worst, which are no text.
        serde_json::from_str(self.0).map_err(|_| Mistyped(self))
    }

    /// A text, of the member of that name.
    pub(crate) fn text_as(self, name: &str) -> Result<String, Failure> {
        self.text().map_err(|mistyped| mistyped.of(name, "a text"))
    }

    /// An object; `None` when it is something else.
    pub(crate) fn object(self) -> Result<Option<Object<'b>>, Failure> {
        if self.kind() != JsonKind::Object {
            return Ok(None);
        }
        serde_json::from_str(self.0).map(Some).map_err(misread)
    }

    /// A list of objects; `None` when it is something else.
    pub(crate) fn objects(self) -> Result<Option<Vec<Object<'b>>>, Failure> {
        if self.kind() != JsonKind::List {
            return Ok(None);
        }
        serde_json::from_str(self.0).map(Some).map_err(misread)
    }

    /// A list of whatever; `None` when it is something else.
    pub(crate) fn list(self) -> Result<Option<Vec<Self>>, Failure> {
        if self.kind() != JsonKind::List {
            return Ok(None);
        }
        let list: Result<Vec<&'b RawValue>, _> = serde_json::from_str(self.0);
        let list = list.map_err(misread)?;
        Ok(Some(list.into_iter().map(|value| Json(value.get())).collect()))
    }

    /// A list of texts; `None` when it is something else.
    pub(crate) fn texts(self) -> Result<Option<Vec<String>>, Failure> {
        if self.kind() != JsonKind::List {
            return Ok(None);
        }
        serde_json::from_str(self.0).map(Some).map_err(misread)
    }

    /// A list without members.
    pub(crate) fn is_empty_list(self) -> bool {
        let inner = self.0.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|inner| inner.trim().is_empty())
    }
}

/// Why a value within a body cannot be read. Its places are left out: they are counted from the value's own beginning.
fn misread(error: serde_json::Error) -> Failure {
    let error = error.to_string();
    let problem = error.rsplit_once(" at line ").map_or(error.as_str(), |(problem, _)| problem);
    Failure::body(format!("the body cannot be read: {problem}"))
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, Json<'de>)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.len() >= MEMBERS_MAX {
                return Err(A::Error::custom(format!("an object has more than {MEMBERS_MAX} members")));
            }
            // Which of the two would count is not for us to guess.
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("'{name}' is given twice")));
            }
            let value: &RawValue = map.next_value()?;
            members.push((name, Json(value.get())));
        }
        Ok(Object { members })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn members_keep_their_order_and_their_digits() {
        let body = br#" {"a": 1.50000000000000000000000001, "b" : "x\n\u00fc", "c":null,"d":[ ],"e":{"f":true}} "#;
        let object = Object::read(body).unwrap();
        let names: Vec<_> = object.members().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
        assert_eq!(object.get("a").unwrap().number().unwrap(), "1.50000000000000000000000001");
        assert_eq!(object.get("b").unwrap().text().unwrap(), "x\nü");
        assert!(object.get("c").unwrap().is_null());
        assert!(object.get("d").unwrap().is_empty_list());
        assert_eq!(object.need_object("e").unwrap().boolean_of("f").unwrap(), Some(true));
        assert!(object.get("x").is_none());
        assert!(object.get("a").unwrap().text().is_err() && object.get("b").unwrap().number().is_err());
    }

    #[test]
    fn a_member_is_absent_or_wrong_or_a_value() {
        let object =
            Object::read(br#"{"null":null,"text":"true","number":1,"yes":true,"parts":1.0,"less":-1}"#).unwrap();
        for absent in ["null", "none"] {
            assert_eq!((object.text_of(absent).unwrap(), object.boolean_of(absent).unwrap()), (None, None));
        }
        assert_eq!(object.text_of("text").unwrap().as_deref(), Some("true"));
        assert_eq!(object.boolean_of("yes").unwrap(), Some(true));
        assert_eq!(object.get("number").unwrap().natural_as("number").unwrap(), 1);
        for (failure, expected) in [
            (object.boolean_of("text").unwrap_err(), "'text' is a text; true or false was expected"),
            (object.boolean_of("number").unwrap_err(), "'number' is a number; true or false was expected"),
            (object.text_of("number").unwrap_err(), "'number' is a number; a text was expected"),
            (object.get("text").unwrap().natural_as("text").unwrap_err(), "'text' is a text; a whole number"),
            (object.get("parts").unwrap().natural_as("parts").unwrap_err(), "'parts' is 1.0; a whole number"),
            (object.get("less").unwrap().natural_as("less").unwrap_err(), "'less' is -1; a whole number"),
        ] {
            assert_eq!((failure.status.as_u16(), failure.code), (400, 0x8004_8d19));
            assert!(failure.message.starts_with(expected), "{}", failure.message);
        }
    }

    #[test]
    fn what_cannot_be_read_within_a_body_is_told_without_a_place_of_its_own() {
        let object = Object::read(br#"{"a":[{},null],"b":[1],"c":"x","d":[{"x":1,"x":2}],"e":[[]]}"#).unwrap();
        let told = |name: &str| object.need_objects(name).map(|_| ()).unwrap_err().message;
        assert_eq!(told("a"), "'a[1]' is null; an object was expected");
        assert_eq!(told("b"), "'b[0]' is a number; an object was expected");
        assert_eq!(told("c"), "'c' is a text; a list of objects was expected");
        assert_eq!(told("d"), "the body cannot be read: 'x' is given twice");
        assert_eq!(told("e"), "'e[0]' is a list; an object was expected");
        let texts = object.get("b").unwrap().texts().unwrap_err().message;
        assert_eq!(texts, "the body cannot be read: invalid type: integer `1`, expected a string");
    }

    #[test]
    fn bodies_that_cannot_be_read_are_refused_with_a_reason() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let cases: [(&[u8], &str); 9] = [
            (b"", "empty"),
            (b" \n", "empty"),
            (b"[1]", "an object"),
            (b"{\"a\":1", "line 1 column 6"),
            (b"{\"a\":1,}", "line 1"),
            (b"{\"a\":1,\"b\":2,\"a\":3}", "'a' is given twice"),
            (b"{\"a\":01}", "line 1"),
            (b"{\"a\":\"\xff\"}", "byte 6"),
            (b"{\"a\":1} x", "trailing"),
        ];
        for (body, expected) in cases {
            let Err(failure) = Object::read(body) else { panic!("{body:?}") };
            assert_eq!((failure.status.as_u16(), failure.code), (400, 0x8004_8d19));
            assert!(failure.message.contains(expected), "{}", failure.message);
        }
        // Depth costs nothing: what is inside is not looked at.
        let _ = Object::read(deep.as_bytes()).map(|object| object.get("a").map(Json::kind));
        let surrogate = Object::read(br#"{"a":"\ud800"}"#).unwrap();
        assert!(surrogate.text_of("a").unwrap_err().message.contains("lone surrogate"));
    }
}
