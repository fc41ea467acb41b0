//! One request, and what the references say that it is answered.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::data::Data;
use crate::world::World;

/// Stands in an expected answer for what is there and cannot be foreseen.
pub const SOMETHING: &str = "{something}";

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Expected {
    /// 200 or 201 with at least these members. Lists are whole; null is a member that is null or not there.
    Body(Json),
    /// 200 with this text.
    Text(&'static str),
    /// 204.
    Done,
    /// 200 with parts of these statuses, as a batch is answered.
    Parts(&'static [u16]),
    /// A refusal with this status and code.
    Refused(u16, &'static str),
}

/// A request and its answer. In its texts, names in braces stand for ids.
#[derive(Clone, Debug)]
pub struct Case {
    pub method: &'static str,
    pub path: String,
    /// Options of the query string, decoded.
    pub options: Vec<(String, String)>,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: String,
    /// Asked by the user who is five hours behind.
    pub from_new_york: bool,
    pub expected: Expected,
}

impl Case {
    /// Something that is read; `target` is a path and perhaps a decoded query string.
    pub fn get(target: &str, expected: Expected) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let options = query.split('&').filter(|option| !option.is_empty()).map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            (name.to_owned(), value.to_owned())
        });
        Self {
            method: "GET",
            path: path.to_owned(),
            options: options.collect(),
            headers: Vec::new(),
            body: String::new(),
            from_new_york: false,
            expected,
        }
    }

    /// Something that is done.
    pub fn send(method: &'static str, target: &str, body: &Json, expected: Expected) -> Self {
        Self { method, body: body.to_string(), ..Self::get(target, expected) }
    }

    /// One option of a set, taken as it is.
    pub fn option(set: &str, name: &str, value: &str, expected: Expected) -> Self {
        Self { options: vec![(name.to_owned(), value.to_owned())], ..Self::get(set, expected) }
    }

    /// By another method.
    pub fn by(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// With a header.
    pub fn with(mut self, header: &'static str, value: &'static str) -> Self {
        self.headers.push((header, value));
        self
    }

    /// The request as people read it.
    pub fn shown(&self) -> String {
        let options: Vec<String> = self.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        let headers = self.headers.iter().map(|(name, value)| format!(" {name}: {value}"));
        let headers: String = headers.filter(|header| !header.contains('\n')).collect();
        let body = if self.body.starts_with('{') { format!(" {}", self.body) } else { String::new() };
        let method = if self.method == "GET" { String::new() } else { format!("{} ", self.method) };
        format!("{method}{}{query}{headers}{body}", self.path)
    }

    /// Sends the request; what is wrong with the answer, if anything is.
    pub async fn fault(&self, world: &World, data: &Data) -> Option<String> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let options = self.options.iter().map(|(name, value)| format!("{name}={}", encoded(&data.filled(value))));
        let mut target = data.filled(&self.path);
        for (position, option) in options.enumerate() {
            target.push(if position == 0 { '?' } else { '&' });
            target.push_str(&option);
        }
        let caller = if self.from_new_york { data.new_yorker.clone() } else { world.admin() };
        let answer = world.send(&caller, self.method, &target, &self.headers, &data.filled(&self.body)).await;
        let wrong = |what: &str| Some(format!("{}: {what}: {} {}", self.shown(), answer.status, answer.text()));
        match &self.expected {
            Expected::Done if answer.status == 204 => None,
            Expected::Done => wrong("not done"),
            Expected::Text(text) if answer.status == 200 && answer.text() == *text => None,
            Expected::Text(text) => wrong(&format!("not '{text}'")),
            Expected::Parts(expected) => {
                let lines = answer.text().split("HTTP/1.1 ").skip(1);
                let found: Vec<u16> = lines.map(|line| line[..3].parse().unwrap()).collect();
                if answer.status == 200 && found == *expected { None } else { wrong("other parts") }
            }
            Expected::Refused(status, code) => {
                let refused = answer.status == *status && answer.json()["error"]["code"] == *code;
                if refused { None } else { wrong(&format!("not refused with {status} {code}")) }
            }
            Expected::Body(expected) => {
                if !matches!(answer.status, 200 | 201) {
                    return wrong("refused");
                }
                let expected: Json = serde_json::from_str(&data.filled(&expected.to_string())).unwrap();
                let difference = difference("", &expected, &answer.json())?;
                wrong(&difference)
            }
        }
    }
}

/// Where an answer is not what was expected.
fn difference(at: &str, expected: &Json, found: &Json) -> Option<String> {
    let unlike = || Some(format!("at '{at}' expected {expected}"));
    match (expected, found) {
        (Json::String(text), found) if text == SOMETHING => found.is_null().then(unlike).flatten(),
        (Json::Object(members), Json::Object(others)) => members.iter().find_map(|(name, member)| {
            difference(&format!("{at}/{name}"), member, others.get(name).unwrap_or(&Json::Null))
        }),
        (Json::Array(items), Json::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .find_map(|(position, (item, other))| difference(&format!("{at}/{position}"), item, other)),
        (expected, found) if expected == found => None,
        _ => unlike(),
    }
}

/// The rows of an answer.
pub fn rows(rows: Json) -> Expected {
    Expected::Body(json!({ "value": rows }))
}

/// Rows that each show one letter under a name.
pub fn letters(name: &str, letters: &str) -> Expected {
    rows(letters.chars().map(|letter| json!({name: letter.to_string()})).collect())
}
