//! A mapping file being read: properties with their places, so that every fault names file and line.

use std::borrow::Cow;
use std::ops::Range;

use rust_decimal::Decimal;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::MappingError;

pub(super) type Result<T> = std::result::Result<T, MappingError>;

/// A mapping file.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

impl<'a> Document<'a> {
    /// The file as a tree.
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| self.fault(error.span().unwrap_or(0..0), error.message().to_owned()))
    }

    /// A fault at a place of the file.
    pub fn fault(&self, span: Range<usize>, problem: impl Into<String>) -> MappingError {
        MappingError { file: self.name.to_owned(), line: self.line(span), problem: problem.into() }
    }

    /// The line a place is on, from 1.
    pub fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }
}

/// A text with its place.
pub(super) type Text = Spanned<String>;

/// The properties of one table of the file, each asked for by name. What nobody asked for is a fault.
pub(super) struct Properties<'d> {
    pub document: Document<'d>,
    pub span: Range<usize>,
    table: &'d DeTable<'d>,
    known: Vec<&'static str>,
}

impl<'d> Properties<'d> {
    pub fn new(document: Document<'d>, table: &'d DeTable<'d>, span: Range<usize>) -> Self {
        Self { document, span, table, known: Vec::new() }
    }

    /// The properties of a value that must be a table.
    pub fn of(document: Document<'d>, value: &'d Spanned<DeValue<'d>>, what: &str) -> Result<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(Self::new(document, table, value.span())),
            other => Err(document.fault(value.span(), format!("{what} is a table in braces, not {}", kind(other)))),
        }
    }

    /// A fault at the whole table.
    pub fn fault(&self, problem: impl Into<String>) -> MappingError {
        self.document.fault(self.span.clone(), problem)
    }

    /// The value of a property.
    pub fn get(&mut self, name: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(name);
        self.table.get(name)
    }

    /// A property that is a text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<Text>> {
        self.get(name).map(|value| text(self.document, value, name)).transpose()
    }

    /// A property that is a text or a list of texts; at least one.
    pub fn texts(&mut self, name: &'static str) -> Result<Option<Vec<Text>>> {
        self.get(name).map(|value| texts(self.document, value, name)).transpose()
    }

    /// A property that is `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            other => Err(self.document.fault(value.span(), format!("`{name}` is true or false, not {}", kind(other)))),
        }
    }

    /// A property that is an exact number, written as a number or as a text.
    pub fn number(&mut self, name: &'static str) -> Result<Option<Spanned<Decimal>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let written = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            DeValue::String(text) => text,
            _ => "",
        };
        match Decimal::from_str_exact(&written.replace('_', "")) {
            Ok(number) => Ok(Some(Spanned::new(value.span(), number))),
            Err(_) => Err(self.document.fault(value.span(), format!("`{name}` is a decimal number such as 0.01"))),
        }
    }

    /// A property that is a table of texts, in the order of their names.
    pub fn pairs(&mut self, name: &'static str) -> Result<Option<Vec<(Text, Text)>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let DeValue::Table(table) = value.get_ref() else {
            let problem = format!("`{name}` is a table of texts in braces, not {}", kind(value.get_ref()));
            return Err(self.document.fault(value.span(), problem));
        };
        let pairs = table.iter().map(|(from, to)| {
            let from = Spanned::new(from.span(), from.get_ref().clone().into_owned());
            Ok((from, text(self.document, to, name)?))
        });
        pairs.collect::<Result<Vec<_>>>().map(Some)
    }

    /// All properties, whatever their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'d Spanned<Cow<'d, str>>, &'d Spanned<DeValue<'d>>)> + use<'d> {
        self.table.iter()
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<()> {
        let unknown = self.table.keys().find(|name| !self.known.contains(&name.get_ref().as_ref()));
        match unknown {
            None => Ok(()),
            Some(name) => {
                let known = self.known.join("`, `");
                let problem = format!("there is no property `{}` here; there are `{known}`", name.get_ref());
                Err(self.document.fault(name.span(), problem))
            }
        }
    }
}

/// A value that must be a text. Numbers, dates and flags are refused: CSV has only texts, and `1.0` is not `1`.
pub(super) fn text<'d>(document: Document<'d>, value: &Spanned<DeValue<'d>>, name: &str) -> Result<Text> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Spanned::new(value.span(), text.clone().into_owned())),
        other => Err(document.fault(value.span(), format!("`{name}` is a text in quotes, not {}", kind(other)))),
    }
}

/// A value that must be a text or a list of texts.
pub(super) fn texts<'d>(document: Document<'d>, value: &Spanned<DeValue<'d>>, name: &str) -> Result<Vec<Text>> {
    let texts = match value.get_ref() {
        DeValue::Array(values) => values.iter().map(|value| text(document, value, name)).collect::<Result<Vec<_>>>()?,
        _ => vec![text(document, value, name)?],
    };
    if texts.is_empty() {
        return Err(document.fault(value.span(), format!("`{name}` is an empty list: name at least one")));
    }
    Ok(texts)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
