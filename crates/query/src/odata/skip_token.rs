//! `$skiptoken`: where a page ended, in Dataverse's cookie form, sealed so that it cannot be made or moved.
//!
//! `<cookie pagenumber="2" pagingcookie="X" istracking="False" />`, where X, percent-decoded twice, is
//! `<cookie page="1" tag="…"><name last="B" first="A" /><accountid last="{…}" first="{…}" /></cookie>`.
//! The inner cookie alone, as clients send it back in FetchXML, is read too. The tag covers the inner cookie, the
//! query and the caller.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;

use custodia_schema::{ColumnKind, DateBehavior, Decimal, Guid, Money, Schema, TableId, Value};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::lexer::parse_guid;
use crate::{Path, Query, SeekKey};

/// The first words under the tag: tags of another form never count here.
const LABEL: &str = "custodia skip token 1";

/// What stands in place of keys where a page is found by counting, around the number of rows before it. A key has `last` or
/// `lastnull` behind its name, so that this is none.
const ROWS_BEFORE: &str = "<rows before=\"";
const ROWS_END: &str = "\" />";

/// How much of a text stands in `first`, which is for show: nothing reads it.
const FIRST_CHARACTERS_MAX: usize = 40;

/// Where a page ended.
#[derive(Clone, Debug, PartialEq)]
pub struct SkipToken {
    /// The page to be read next, from 2.
    pub page_number: u32,
    /// Rows still to be given of the query's `$top`, if it has one.
    pub top_left: Option<u32>,
    /// One value per sort key as the caller was shown it (null where masked), then the primary id: of the page's last
    /// row. Links as [`Value::Guid`].
    pub last: Vec<SeekKey>,
}

/// Where a page begins that is found by counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedPage {
    /// Which page, from 1.
    pub number: u32,
    /// Rows before it: pages need not be of one size.
    pub skip: u32,
    /// Rows still to be given of the query's `$top`, if it has one.
    pub top_left: Option<u32>,
}

impl CountedPage {
    /// The first page of a query, with its `$top`.
    #[must_use]
    pub fn first(top: Option<u32>) -> Self {
        Self { number: 1, skip: 0, top_left: top }
    }

    /// The page after this one, which has so many rows.
    #[must_use]
    pub fn after(&self, rows: u32) -> Self {
        Self {
            number: self.number.saturating_add(1),
            skip: self.skip.saturating_add(rows),
            top_left: self.top_left.map(|top| top.saturating_sub(rows)),
        }
    }
}

/// What a token is good for, besides its place: nobody else and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct SkipTokenBinding<'a> {
    /// Who asks.
    pub caller: Guid,
    /// The path asked, below the service root.
    pub path: &'a str,
    /// The decoded query options. `$skiptoken` among them is disregarded, and so is their order.
    pub options: &'a [(String, String)],
}

/// Why a page token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipTokenError {
    /// It has not the form of one.
    #[error("the page token is malformed; take the link to the next page as it was given")]
    Malformed,
    /// It was changed, made for another query or another caller, or not made here.
    #[error("the page token belongs to another query or another user; take the link to the next page as it was given")]
    NotGenuine,
}

impl SkipToken {
    /// Writes the token; `first` are the keys of the page's first row. `sign` is a keyed one-way function (a MAC).
    ///
    /// # Errors
    /// [`SkipTokenError::Malformed`] when the keys are not one per sort key of `query` and the primary id, or not of
    /// their types.
    pub fn encode(
        &self,
        schema: &Schema,
        query: &Query,
        first: &[SeekKey],
        binding: &SkipTokenBinding<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 32],
    ) -> Result<String, SkipTokenError> {
        let keys = key_columns(schema, query).ok_or(SkipTokenError::Malformed)?;
        let page = self.page_number.checked_sub(1).ok_or(SkipTokenError::Malformed)?;
        if self.last.len() != keys.len() || first.len() != keys.len() {
            return Err(SkipTokenError::Malformed);
        }
        let mut elements = String::new();
        for (key, (last, first)) in keys.iter().zip(self.last.iter().zip(first)) {
            let _ = write!(elements, "<{}", key.name);
            attribute(&mut elements, "last", last, key.kind).ok_or(SkipTokenError::Malformed)?;
            attribute(&mut elements, "first", &shortened(first), key.kind).ok_or(SkipTokenError::Malformed)?;
            elements.push_str(" />");
        }
        let sealed = Sealed { page, top_left: self.top_left, elements: &elements };
        Ok(sealed.write(query.table, binding, sign))
    }

    /// Writes the token of a page that is found by counting, from the second on: it says how many rows come before it instead of
    /// a place, and is good for no other query of `table` and no other caller either.
    #[must_use]
    pub fn encode_counted(
        page: &CountedPage,
        table: TableId,
        binding: &SkipTokenBinding<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 32],
    ) -> String {
        let elements = format!("{ROWS_BEFORE}{}{ROWS_END}", page.skip);
        let sealed = Sealed { page: page.number.saturating_sub(1), top_left: page.top_left, elements: &elements };
        sealed.write(table, binding, sign)
    }

    /// Reads what [`Self::encode_counted`] wrote for the same query and caller.
    ///
    /// # Errors
    /// See [`SkipTokenError`].
    pub fn decode_counted(
        text: &str,
        table: TableId,
        binding: &SkipTokenBinding<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 32],
    ) -> Result<CountedPage, SkipTokenError> {
        let inner = inner_cookie(text.trim()).ok_or(SkipTokenError::Malformed)?;
        let sealed = Sealed::genuine(&inner, table, binding, sign)?;
        sealed.open_counted().ok_or(SkipTokenError::Malformed)
    }

    /// Reads a token that was given for the same query and caller.
    ///
    /// # Errors
    /// See [`SkipTokenError`].
    pub fn decode(
        text: &str,
        schema: &Schema,
        query: &Query,
        binding: &SkipTokenBinding<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 32],
    ) -> Result<Self, SkipTokenError> {
        let inner = inner_cookie(text.trim()).ok_or(SkipTokenError::Malformed)?;
        Sealed::genuine(&inner, query.table, binding, sign)?.open(schema, query).ok_or(SkipTokenError::Malformed)
    }

    /// Whether a text is a paging cookie without a seal, which says only which page it is of: of a page that is found by
    /// counting, or of Dataverse. Clients send it as it came, or what stands in it with both, one or none of its encodings left.
    ///
    /// It is looked at as text and never parsed, since nothing in it is used and anybody may send it: the time it takes grows
    /// with its length alone.
    #[must_use]
    pub fn is_unsealed(text: &str) -> bool {
        let mut text = Cow::Borrowed(text.trim());
        // What stands in it is encoded twice.
        for _ in 0..=3 {
            let inner = match outermost_tag(&text) {
                Some(tag) => match tag.split_once(" pagingcookie=").map(|(_, value)| quoted(value)) {
                    Some(Some(inner)) => inner.to_owned(),
                    Some(None) => return false,
                    None => return !tag.contains(" tag="),
                },
                None => match percent_decode_str(&text).decode_utf8() {
                    Ok(decoded) => decoded.into_owned(),
                    Err(_) => return false,
                },
            };
            text = Cow::Owned(inner);
        }
        false
    }
}

/// The tag that begins a cookie, from its name on; `None` for what is no cookie.
fn outermost_tag(text: &str) -> Option<&str> {
    let after = text
        .strip_prefix("<cookie")
        .filter(|after| after.starts_with(|next: char| next.is_ascii_whitespace() || matches!(next, '>' | '/')))?;
    let (tag, rest) = after.split_once('>')?;
    (if rest.is_empty() { tag.ends_with('/') } else { rest.ends_with("</cookie>") }).then_some(tag)
}

/// What stands between the quotes at the beginning of a text.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    Some(text.strip_prefix(quote)?.split_once(quote)?.0)
}

/// What stands under the tag.
struct Sealed<'t> {
    page: u32,
    top_left: Option<u32>,
    elements: &'t str,
}

impl<'t> Sealed<'t> {
    /// Takes an inner cookie apart, into what is sealed and its tag.
    fn read(inner: &'t str) -> Option<(Self, &'t str)> {
        let body = inner.strip_prefix("<cookie page=\"")?.strip_suffix("</cookie>")?;
        let (page, body) = body.split_once('"')?;
        let (top_left, body) = match body.strip_prefix(" left=\"") {
            Some(body) => {
                let (left, body) = body.split_once('"')?;
                (Some(left.parse().ok()?), body)
            }
            None => (None, body),
        };
        let (tag, elements) = body.strip_prefix(" tag=\"")?.split_once("\">")?;
        Some((Self { page: page.parse().ok()?, top_left, elements }, tag))
    }

    /// Takes an inner cookie apart whose tag is that of what it says. The tag is checked before anything under it is looked at.
    fn genuine(
        inner: &'t str,
        table: TableId,
        binding: &SkipTokenBinding<'_>,
        sign: &dyn Fn(&[u8]) -> [u8; 32],
    ) -> Result<Self, SkipTokenError> {
        let (sealed, tag) = Self::read(inner).ok_or(SkipTokenError::Malformed)?;
        match equal_in_constant_time(tag.as_bytes(), hex(&sign(&sealed.message(table, binding))).as_bytes()) {
            true => Ok(sealed),
            false => Err(SkipTokenError::NotGenuine),
        }
    }

    /// Writes the token, with the tag of what it says.
    fn write(&self, table: TableId, binding: &SkipTokenBinding<'_>, sign: &dyn Fn(&[u8]) -> [u8; 32]) -> String {
        let Self { page, top_left, elements } = self;
        let tag = hex(&sign(&self.message(table, binding)));
        let left = top_left.map(|left| format!(" left=\"{left}\"")).unwrap_or_default();
        let inner = format!("<cookie page=\"{page}\"{left} tag=\"{tag}\">{elements}</cookie>");
        let once = utf8_percent_encode(&inner, NON_ALPHANUMERIC).to_string();
        format!(
            "<cookie pagenumber=\"{}\" pagingcookie=\"{}\" istracking=\"False\" />",
            page.saturating_add(1),
            utf8_percent_encode(&once, NON_ALPHANUMERIC)
        )
    }

    /// The bytes the tag is made of. Every part stands behind its length and only the options vary in number, so no two
    /// tokens share them.
    fn message(&self, table: TableId, binding: &SkipTokenBinding<'_>) -> Vec<u8> {
        let mut options: Vec<&(String, String)> =
            binding.options.iter().filter(|(name, _)| name != "$skiptoken").collect();
        options.sort_unstable();
        let mut message = Vec::new();
        let mut part = |bytes: &[u8]| {
            message.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            message.extend_from_slice(bytes);
        };
        part(LABEL.as_bytes());
        part(binding.caller.as_bytes());
        part(&table.0.to_be_bytes());
        part(binding.path.trim_matches('/').as_bytes());
        for (name, value) in options {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        part(&self.page.to_be_bytes());
        part(self.top_left.map(u32::to_be_bytes).as_ref().map_or(&[], <[u8; 4]>::as_slice));
        part(self.elements.as_bytes());
        message
    }

    fn open_counted(&self) -> Option<CountedPage> {
        let skip = self.elements.strip_prefix(ROWS_BEFORE)?.strip_suffix(ROWS_END)?.parse().ok()?;
        Some(CountedPage { number: self.page.checked_add(1)?, skip, top_left: self.top_left })
    }

    fn open(&self, schema: &Schema, query: &Query) -> Option<SkipToken> {
        let mut last = Vec::new();
        let mut rest = self.elements;
        for key in key_columns(schema, query)? {
            let element = rest.strip_prefix('<')?.strip_prefix(key.name.as_str())?;
            if let Some(after) = element.strip_prefix(" lastnull=\"1\"") {
                last.push(Value::Null);
                rest = after;
            } else {
                let (text, after) = element.strip_prefix(" last=\"")?.split_once('"')?;
                last.push(value(&unescaped(text)?, key.kind)?);
                rest = after;
            }
            rest = rest.split_once(" />")?.1;
        }
        if !rest.is_empty() {
            return None;
        }
        Some(SkipToken { page_number: self.page.checked_add(1)?, top_left: self.top_left, last })
    }
}

/// A sort key: its name in the cookie, and its type.
struct KeyColumn<'s> {
    name: String,
    kind: &'s ColumnKind,
}

/// The sort keys of a query, with the primary id at the end.
fn key_columns<'s>(schema: &'s Schema, query: &Query) -> Option<Vec<KeyColumn<'s>>> {
    let primary = Path::own(schema.table(query.table)?.primary_id);
    query
        .order
        .iter()
        .map(|order| &order.path)
        .chain([&primary])
        .map(|path| {
            let mut table = schema.table(query.table)?;
            let mut name = String::new();
            for step in &path.steps {
                let _ = write!(name, "{}.", table.column_by_id(step.lookup)?.name);
                table = schema.table(step.target)?;
            }
            let column = table.column_by_id(path.column)?;
            name.push_str(&column.name);
            Some(KeyColumn { name, kind: &column.kind })
        })
        .collect()
}

/// The inner cookie of a token in either form.
fn inner_cookie(text: &str) -> Option<String> {
    if text.starts_with("<cookie page=") {
        return Some(text.to_owned());
    }
    let attributes = text.strip_prefix("<cookie")?.strip_suffix("/>")?;
    let (_, after) = attributes.split_once(" pagingcookie=\"")?;
    let (twice, _) = after.split_once('"')?;
    let once = percent_decode_str(twice).decode_utf8().ok()?;
    Some(percent_decode_str(&once).decode_utf8().ok()?.into_owned())
}

/// Writes a key's value as an attribute; `None` when it is not of the key's type.
fn attribute(text: &mut String, name: &str, key: &SeekKey, kind: &ColumnKind) -> Option<()> {
    if key.is_null() {
        let _ = write!(text, " {name}null=\"1\"");
        return Some(());
    }
    let _ = write!(text, " {name}=\"");
    // Writing into a string cannot fail.
    let _ = match (kind, key) {
        (ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName, Value::Text(value)) => {
            escape(text, value);
            Ok(())
        }
        (ColumnKind::Boolean { .. } | ColumnKind::Managed, Value::Boolean(value)) => {
            write!(text, "{}", u8::from(*value))
        }
        (
            ColumnKind::Integer { .. }
            | ColumnKind::Choice { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. },
            Value::Integer(value),
        ) => write!(text, "{value}"),
        (ColumnKind::BigInt, Value::BigInt(value)) => write!(text, "{value}"),
        (ColumnKind::Decimal { .. }, Value::Decimal(value)) => write!(text, "{value}"),
        (ColumnKind::Double { .. }, Value::Double(value)) => write!(text, "{value:?}"),
        (ColumnKind::Money { .. }, Value::Money(value)) => write!(text, "{}", value.0),
        (ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. }, Value::Date(value)) => {
            write!(text, "{value}")
        }
        (
            ColumnKind::DateTime { behavior: DateBehavior::UserLocal | DateBehavior::TimeZoneIndependent, .. },
            Value::DateTime(value),
        ) => write!(text, "{value}"),
        (ColumnKind::Guid | ColumnKind::Lookup { .. }, Value::Guid(id) | Value::Lookup(_, id)) => {
            write!(text, "{{{:X}}}", id.hyphenated())
        }
        _ => return None,
    };
    text.push('"');
    Some(())
}

/// Reads what [`attribute`] wrote.
fn value(text: &str, kind: &ColumnKind) -> Option<Value> {
    Some(match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName => Value::Text(text.to_owned()),
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Value::Boolean(text == "1"),
        ColumnKind::Integer { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => Value::Integer(text.parse().ok()?),
        ColumnKind::BigInt => Value::BigInt(text.parse().ok()?),
        ColumnKind::Decimal { .. } => Value::Decimal(Decimal::from_str(text).ok()?),
        ColumnKind::Double { .. } => Value::Double(text.parse().ok()?),
        ColumnKind::Money { .. } => Value::Money(Money(text.parse().ok()?)),
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Value::Date(text.parse().ok()?),
        ColumnKind::DateTime { .. } => Value::DateTime(text.parse().ok()?),
        ColumnKind::Guid | ColumnKind::Lookup { .. } => Value::Guid(parse_guid(text)?),
        ColumnKind::Choices { .. } | ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => return None,
    })
}

/// A key of the first row, which nothing reads, cut to a bearable length.
fn shortened(key: &SeekKey) -> SeekKey {
    match key {
        Value::Text(text) => Value::Text(text.chars().take(FIRST_CHARACTERS_MAX).collect()),
        other => other.clone(),
    }
}

/// Writes a text as the value of an XML attribute. Control characters become references, so that nothing on the way
/// normalises them.
fn escape(target: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => target.push_str("&amp;"),
            '<' => target.push_str("&lt;"),
            '>' => target.push_str("&gt;"),
            '"' => target.push_str("&quot;"),
            control if control.is_control() => {
                let _ = write!(target, "&#{};", u32::from(control));
            }
            other => target.push(other),
        }
    }
}

/// Reads what [`escape`] wrote.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = after.split_once(';')?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => char::from_u32(number.strip_prefix('#')?.parse().ok()?)?,
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Compares in a time that depends on the lengths only.
fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |difference, (one, other)| difference | (one ^ other));
    left.len() == right.len() && std::hint::black_box(difference) == 0
}
