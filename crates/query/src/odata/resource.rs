//! Resource paths: `accounts(…)/primarycontactid/$ref` into the table, key and navigation they name.

use custodia_schema::{Column, ColumnId, Guid, Schema, Table, TableId, Value};
use percent_encoding::percent_decode_str;

use super::filter::alias_literal;
use super::hint::hint_of_set;
use super::lexer::{Lexer, Token};
use super::literal::{Fit, Literal, expected};
use super::names::{Navigation, navigation, owner_id, property};
use super::{Limits, ODataError, Place};
use crate::RowKey;

/// The namespace of the protocol's own functions, actions and types.
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// Sets of the metadata, which are answered by other means than records.
const DEFINITION_SETS: [&str; 6] = [
    "EntityDefinitions",
    "RelationshipDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
    "sdkmessages",
    "sdkmessagefilters",
];

/// What a path names.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// The service root itself.
    ServiceDocument,
    /// `$metadata`.
    Metadata,
    /// `$batch`.
    Batch,
    /// `EntityDefinitions…` and its like: the decoded path, whole.
    Definitions {
        /// The path.
        path: String,
    },
    /// `accounts`.
    Collection {
        /// Its table.
        table: TableId,
    },
    /// `accounts/$count`.
    CollectionCount {
        /// Its table.
        table: TableId,
    },
    /// `accounts(…)`.
    Record {
        /// Its table.
        table: TableId,
        /// What names it.
        key: RowKey,
    },
    /// `accounts(…)/name`. The column may be one that is not stored.
    Property {
        /// The record's table.
        table: TableId,
        /// What names the record.
        key: RowKey,
        /// The column.
        column: ColumnId,
        /// It was asked for by the name that the ids of users and teams have as owners.
        as_owner: bool,
    },
    /// `accounts(…)/name/$value`. The column may be one that is not stored.
    PropertyValue {
        /// The record's table.
        table: TableId,
        /// What names the record.
        key: RowKey,
        /// The column.
        column: ColumnId,
    },
    /// `accounts(…)/primarycontactid` and what may follow it.
    Related {
        /// The table of the record that is navigated from.
        table: TableId,
        /// What names that record.
        key: RowKey,
        /// The navigation.
        navigation: Navigation,
        /// What of it is asked.
        part: RelatedPart,
    },
    /// A function or an action, known or not: `WhoAmI()`, `accounts(…)/Microsoft.Dynamics.CRM.F(…)`.
    Operation {
        /// What it is called on.
        binding: Binding,
        /// Its name without namespace.
        name: String,
        /// Its parameters in order, aliases replaced by their values.
        parameters: Vec<(String, ParameterValue)>,
    },
}

/// What of a navigation is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum RelatedPart {
    /// The related record or records.
    Records,
    /// Their addresses: `/$ref`.
    References,
    /// How many there are: `/$count`. Only of collections.
    Count,
    /// One record of a collection: `(id)`.
    Record(RowKey),
    /// The address of one record of a collection: `(id)/$ref`.
    Reference(RowKey),
}

/// What a function or an action is called on.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// Nothing.
    Unbound,
    /// A set.
    Collection(TableId),
    /// A record.
    Record(TableId, RowKey),
}

/// A parameter's value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// A number, as its digits were written.
    Number(String),
    /// A quoted text.
    Text(String),
    /// A bare GUID.
    Guid(Guid),
    /// A bare date or instant, in UTC seconds since 1970.
    Moment(i64),
    /// `Microsoft.Dynamics.CRM.EndpointAccessType'Default'`.
    Enum {
        /// Name of the type without namespace.
        type_name: String,
        /// The member or members, as written.
        member: String,
    },
    /// `{'@odata.id':'accounts(…)'}`: the address, for [`parse_reference`].
    Reference(String),
    /// Any other object or list, as written.
    Json(String),
}

/// A record as another names it: in `@odata.bind`, `@odata.id`, `$id`.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordReference {
    /// The table.
    pub table: TableId,
    /// What names the record.
    pub key: RowKey,
}

/// Reads a path below the service root, as received: percent-encoded, with or without a slash at either end.
///
/// `options` are the decoded query options; aliases in keys and parameters take their values from them.
///
/// # Errors
/// [`ODataError::UnknownSegment`] where the path names nothing; see [`ODataError`] for the others.
pub fn parse_resource(
    schema: &Schema,
    path: &str,
    options: &[(String, String)],
    limits: &Limits,
) -> Result<Resource, ODataError> {
    let start = Place { part: "path".to_owned(), character: 1 };
    if path.len() > limits.query_bytes_max {
        return Err(ODataError::TooMuch { place: start, limit: "query_bytes_max", max: limits.query_bytes_max });
    }
    let Ok(decoded) = percent_decode_str(path).decode_utf8() else {
        let problem = "expected text in UTF-8, percent-encoded".to_owned();
        return Err(ODataError::Invalid { place: start, problem });
    };
    Reader { schema, options, lexer: Lexer::new("path", decoded.trim_matches('/')) }.resource()
}

/// Reads the address of a record: `accounts(…)`, `/accounts(…)`, with an alternate key, or the whole URL below
/// `service_root` (`http://host/org/api/data/v9.2/`; scheme and host in any case, any version from 9.0 to 9.2).
///
/// # Errors
/// An address that is malformed, names no record, or points outside the service root.
pub fn parse_reference(
    schema: &Schema,
    text: &str,
    service_root: &str,
    limits: &Limits,
) -> Result<RecordReference, ODataError> {
    let problem = |problem: &str| ODataError::Invalid {
        place: Place { part: "reference".to_owned(), character: 1 },
        problem: problem.to_owned(),
    };
    let Some(relative) = below_root(text.trim(), service_root) else {
        return Err(problem("the address points outside this organisation; expected one like /accounts(…)"));
    };
    match parse_resource(schema, relative, &[], limits) {
        Ok(Resource::Record { table, key }) => Ok(RecordReference { table, key }),
        // What comes first is then read as a function, a number or a key: what was expected is an address.
        Err(ODataError::Invalid { place, problem }) => {
            let set = relative.trim_start_matches('/').split(['/', '(']).next().unwrap_or_default();
            let set = schema.table_of_set(set).map_or("accounts", |table| &table.set_name);
            let expected = format!("expected an address like /{set}(GUID)");
            let problem = if relative.contains('(') { format!("{problem}; {expected}") } else { expected };
            Err(ODataError::Invalid { place, problem })
        }
        Err(error) => Err(error),
        _ => Err(problem("the address names no record; expected one like /accounts(…)")),
    }
}

/// What of an address stands below the service root; `None` when it points elsewhere. An address that is relative to the
/// root is given back as it is.
#[must_use]
pub fn below_root<'t>(text: &'t str, service_root: &str) -> Option<&'t str> {
    let (root_host, root_path) = split_host(service_root.trim_end_matches('/'));
    let (host, path) = split_host(text);
    if let Some(host) = host
        && !root_host.is_some_and(|root_host| root_host.eq_ignore_ascii_case(host))
    {
        return None;
    }
    // The root without its version: `/org/api/data/v9.`
    let unversioned = root_path.strip_suffix(|c: char| c.is_ascii_digit()).unwrap_or(root_path);
    // Some clients build host-relative addresses as if the host were the organisation's own.
    let hosts_own = if host.is_none() { "/api/data/v9." } else { unversioned };
    for root in [unversioned, hosts_own] {
        if let Some(rest) = path.strip_prefix(root).and_then(|rest| rest.strip_prefix(['0', '1', '2']))
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return Some(rest);
        }
    }
    (host.is_none() && !is_another_root(path)).then_some(path)
}

/// Whether a path is one below the service root of another organisation: `/another/api/data/v9.2/accounts`.
fn is_another_root(path: &str) -> bool {
    let mut segments = path.split('/');
    let (first, _organization) = (segments.next(), segments.next());
    first == Some("")
        && segments.next() == Some("api")
        && segments.next() == Some("data")
        && segments.next().is_some_and(|version| version.starts_with("v9."))
}

/// Scheme and host of a URL, if it has them, and the rest.
fn split_host(url: &str) -> (Option<&str>, &str) {
    let Some(scheme_end) = url.find("://") else { return (None, url) };
    // A quoted key value may hold an address: then the text before is no scheme.
    if !url.get(..scheme_end).is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return (None, url);
    }
    let after = scheme_end + 3;
    let host_end = url.get(after..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| after + at);
    (url.get(..host_end), url.get(host_end..).unwrap_or_default())
}

struct Reader<'r, 't> {
    schema: &'r Schema,
    options: &'r [(String, String)],
    lexer: Lexer<'t>,
}

impl<'t> Reader<'_, 't> {
    fn resource(mut self) -> Result<Resource, ODataError> {
        let (first, at) = match self.lexer.next()? {
            (Token::End, _) => return Ok(Resource::ServiceDocument),
            (Token::Word(first), at) => (first, at),
            (_, at) => return Err(self.lexer.invalid(at, "expected the name of a set, a function or an action")),
        };
        if DEFINITION_SETS.contains(&first) {
            return Ok(Resource::Definitions { path: format!("{first}{}", self.lexer.rest()) });
        }
        if let "$metadata" | "$batch" = first {
            self.end()?;
            return Ok(if first == "$batch" { Resource::Batch } else { Resource::Metadata });
        }
        if first.is_empty() || first.starts_with('$') {
            return Err(self.unknown(at, first));
        }
        let Some(table) = self.schema.table_of_set(first) else {
            return self.operation(Binding::Unbound, first, at);
        };
        let table: &Table = table;
        match self.lexer.next()? {
            (Token::End, _) => Ok(Resource::Collection { table: table.id }),
            (Token::Open, _) => {
                let key = self.key(table)?;
                self.after_record(table, key)
            }
            (Token::Slash, _) => match self.lexer.next()? {
                (Token::Word("$count"), _) => {
                    self.end()?;
                    Ok(Resource::CollectionCount { table: table.id })
                }
                (Token::Word(name), at) => match self.qualified(name, at)? {
                    Some(name) => self.operation(Binding::Collection(table.id), name, at),
                    None => Err(self.unknown(at, name)),
                },
                (_, at) => Err(self.lexer.invalid(at, "expected $count or a function after '/'")),
            },
            (_, at) => Err(self.lexer.invalid(at, "expected '(', '/' or the end")),
        }
    }

    fn after_record(mut self, table: &Table, key: RowKey) -> Result<Resource, ODataError> {
        let (name, at) = match self.lexer.next()? {
            (Token::End, _) => return Ok(Resource::Record { table: table.id, key }),
            (Token::Slash, _) => match self.lexer.next()? {
                (Token::Word(name), at) => (name, at),
                (_, at) => return Err(self.lexer.invalid(at, "expected a name after '/'")),
            },
            (_, at) => return Err(self.lexer.invalid(at, "expected '/' or the end")),
        };
        if let Some(name) = self.qualified(name, at)? {
            return self.operation(Binding::Record(table.id, key), name, at);
        }
        if let Some(column) = property(table, name) {
            return self.after_property(table.id, key, column, owner_id(table, name).is_some());
        }
        match navigation(self.schema, table, name) {
            Some(navigation) => self.after_navigation(table.id, key, navigation),
            None => Err(self.unknown(at, name)),
        }
    }

    fn after_property(
        mut self,
        table: TableId,
        key: RowKey,
        column: &Column,
        as_owner: bool,
    ) -> Result<Resource, ODataError> {
        let column = column.id;
        match self.lexer.next()? {
            (Token::End, _) => Ok(Resource::Property { table, key, column, as_owner }),
            (Token::Slash, _) => match self.lexer.next()? {
                (Token::Word("$value"), _) => {
                    self.end()?;
                    Ok(Resource::PropertyValue { table, key, column })
                }
                (_, at) => Err(self.unknown(at, self.lexer.slice(at, self.lexer.at()))),
            },
            (_, at) => Err(self.lexer.invalid(at, "expected '/$value' or the end")),
        }
    }

    fn after_navigation(mut self, table: TableId, key: RowKey, navigation: Navigation) -> Result<Resource, ODataError> {
        let far = match &navigation {
            Navigation::Collection(collection) => self.schema.table(collection.table),
            Navigation::Single(_) => None,
        };
        let (mut token, mut at) = self.lexer.next()?;
        let mut part = RelatedPart::Records;
        if token == Token::Open {
            let Some(far) = far else {
                return Err(self.lexer.invalid(at, "this navigation leads to one record at most and takes no key"));
            };
            let related = self.key(far)?;
            (token, at) = self.lexer.next()?;
            part = RelatedPart::Record(related);
        }
        match token {
            Token::End => {}
            Token::Slash => {
                let (token, at) = self.lexer.next()?;
                part = match (part, token) {
                    (RelatedPart::Record(related), Token::Word("$ref")) => RelatedPart::Reference(related),
                    (RelatedPart::Records, Token::Word("$ref")) => RelatedPart::References,
                    (RelatedPart::Records, Token::Word("$count")) if far.is_some() => RelatedPart::Count,
                    (_, Token::Word(name)) if !name.starts_with('$') => {
                        return Err(self.lexer.unsupported(at, format!("'{name}' below a navigation")));
                    }
                    _ => return Err(self.unknown(at, self.lexer.slice(at, self.lexer.at()))),
                };
                self.end()?;
            }
            _ => return Err(self.lexer.invalid(at, "expected '(', '/$ref', '/$count' or the end")),
        }
        Ok(Resource::Related { table, key, navigation, part })
    }

    /// The bare name of a qualified operation; `None` for an unqualified name.
    fn qualified(&self, name: &'t str, at: usize) -> Result<Option<&'t str>, ODataError> {
        match name.strip_prefix(NAMESPACE) {
            Some(bare) if self.schema.table_named(bare).is_some() => {
                Err(self.lexer.unsupported(at, format!("the type '{name}' in a path")))
            }
            bare => Ok(bare.filter(|bare| !bare.is_empty())),
        }
    }

    fn operation(mut self, binding: Binding, name: &str, at: usize) -> Result<Resource, ODataError> {
        let name = name.strip_prefix(NAMESPACE).unwrap_or(name);
        if name.is_empty() || name.contains('.') {
            return Err(self.unknown_operation(&binding, at, name));
        }
        let parameters = match self.lexer.next()? {
            (Token::End, _) => Vec::new(),
            (Token::Open, _) => {
                // A set that does not exist, addressed by a key, is no operation.
                let parameters = self.parameters(&binding, name, at)?;
                self.end()?;
                parameters
            }
            _ => return Err(self.unknown_operation(&binding, at, name)),
        };
        Ok(Resource::Operation { binding, name: name.to_owned(), parameters })
    }

    fn parameters(
        &mut self,
        binding: &Binding,
        operation: &str,
        at: usize,
    ) -> Result<Vec<(String, ParameterValue)>, ODataError> {
        let mut parameters: Vec<(String, ParameterValue)> = Vec::new();
        loop {
            let (name, name_at) = match self.lexer.next()? {
                (Token::Close, _) if parameters.is_empty() => return Ok(parameters),
                (Token::Word(name), name_at) => (name, name_at),
                _ => return Err(self.unknown_operation(binding, at, operation)),
            };
            let (Token::Equals, _) = self.lexer.next()? else {
                return Err(self.unknown_operation(binding, at, operation));
            };
            if parameters.iter().any(|(known, _)| known == name) {
                return Err(self.lexer.invalid(name_at, format!("the parameter '{name}' is given twice")));
            }
            let value = self.parameter()?;
            parameters.push((name.to_owned(), value));
            match self.lexer.next()? {
                (Token::Comma, _) => {}
                (Token::Close, _) => return Ok(parameters),
                (_, at) => return Err(self.lexer.invalid(at, "expected ',' or ')'")),
            }
        }
    }

    fn parameter(&mut self) -> Result<ParameterValue, ODataError> {
        let mut ahead = self.lexer;
        let Ok((Token::Alias(name), at)) = ahead.next() else {
            return parameter_value(&mut self.lexer);
        };
        self.lexer = ahead;
        let text = self.alias(name, at)?;
        let mut inner = Lexer::new(name, text);
        let value = parameter_value(&mut inner)?;
        inner.end_after("the value")?;
        Ok(value)
    }

    fn alias(&self, name: &str, at: usize) -> Result<&str, ODataError> {
        match self.options.iter().find(|(alias, _)| alias == name) {
            Some((_, text)) => Ok(text),
            None => {
                let problem = format!("the parameter alias '{name}' has no value; expected '{name}=…' after '?'");
                Err(self.lexer.invalid(at, problem))
            }
        }
    }

    /// Reads a key up to and with its closing parenthesis.
    fn key(&mut self, table: &Table) -> Result<RowKey, ODataError> {
        let (token, at) = self.lexer.next()?;
        let mut ahead = self.lexer;
        if let Token::Word(name) = token
            && ahead.next()?.0 == Token::Equals
        {
            return self.named_key(table, name, at);
        }
        let id = self.key_literal(&token, at)?.guid();
        let Some(id) = id else {
            let problem = format!("expected the GUID of a row of {} or the columns of a key", table.name);
            return Err(self.lexer.invalid(at, problem));
        };
        match self.lexer.next()? {
            (Token::Close, _) => Ok(RowKey::Id(id)),
            (_, at) => Err(self.lexer.invalid(at, "expected ')'")),
        }
    }

    /// Reads `a='x',b=2)`; the first name has been taken already.
    fn named_key(&mut self, table: &Table, first: &'t str, first_at: usize) -> Result<RowKey, ODataError> {
        let mut values: Vec<(ColumnId, Value)> = Vec::new();
        let (mut name, mut at) = (first, first_at);
        loop {
            let (Token::Equals, _) = self.lexer.next()? else {
                return Err(self.lexer.invalid(self.lexer.at(), format!("expected '=' after '{name}'")));
            };
            let Some(column) = property(table, name).filter(|column| column.kind.is_stored()) else {
                return Err(super::path::unknown_column(&self.lexer, at, name, table));
            };
            if values.iter().any(|(known, _)| *known == column.id) {
                return Err(self.lexer.invalid(at, format!("'{name}' is given twice")));
            }
            let (token, value_at) = self.lexer.next()?;
            let literal = self.key_literal(&token, value_at)?;
            let Some(Fit::Value(value)) = literal.fit(&column.kind) else {
                let problem = format!("'{name}' is {}; expected {}", literal.noun(), expected(&column.kind));
                return Err(self.lexer.invalid(value_at, problem));
            };
            values.push((column.id, value));
            match self.lexer.next()? {
                (Token::Comma, _) => {}
                (Token::Close, _) => break,
                (_, at) => return Err(self.lexer.invalid(at, "expected ',' or ')'")),
            }
            match self.lexer.next()? {
                (Token::Word(next), next_at) => (name, at) = (next, next_at),
                (_, at) => return Err(self.lexer.invalid(at, "expected the name of a column")),
            }
        }
        if let [(column, value)] = values.as_slice()
            && *column == table.primary_id
            && let Some(id) = value.guid()
        {
            return Ok(RowKey::Id(id));
        }
        for key in table.keys.iter().filter(|key| key.columns.len() == values.len()) {
            let ordered: Option<Vec<_>> =
                key.columns.iter().map(|column| values.iter().find(|(named, _)| named == column).cloned()).collect();
            if let Some(ordered) = ordered {
                return Ok(RowKey::Alternate(ordered));
            }
        }
        Err(self.lexer.invalid(first_at, format!("the named columns are no key of {}", table.name)))
    }

    fn key_literal(&self, token: &Token<'_>, at: usize) -> Result<Literal, ODataError> {
        match token {
            Token::Alias(name) => alias_literal(name, self.alias(name, at)?),
            token => Literal::of(token).ok_or_else(|| self.lexer.invalid(at, "expected a value")),
        }
    }

    fn end(&mut self) -> Result<(), ODataError> {
        match self.lexer.next()? {
            (Token::End, _) => Ok(()),
            (Token::Slash, at) => {
                let rest = self.lexer.rest();
                Err(self.unknown(at, rest.split('/').next().unwrap_or(rest)))
            }
            (_, at) => Err(self.lexer.invalid(at, "expected the end")),
        }
    }

    fn unknown(&self, at: usize, segment: &str) -> ODataError {
        ODataError::UnknownSegment { place: self.lexer.place(at), segment: segment.to_owned(), hint: String::new() }
    }

    /// As [`Self::unknown`], of a segment that could have been a set.
    fn unknown_operation(&self, binding: &Binding, at: usize, segment: &str) -> ODataError {
        let hint = match binding {
            Binding::Unbound => hint_of_set(self.schema, segment),
            Binding::Collection(_) | Binding::Record(..) => String::new(),
        };
        ODataError::UnknownSegment { place: self.lexer.place(at), segment: segment.to_owned(), hint }
    }
}

/// Reads a value: a literal, an enumeration's member, an object or a list.
fn parameter_value(lexer: &mut Lexer<'_>) -> Result<ParameterValue, ODataError> {
    lexer.skip_blanks();
    let start = lexer.at();
    let first = lexer.rest().chars().next();
    let token = match first {
        Some('[' | '"') => None,
        // A brace begins a GUID or an object.
        Some('{') => {
            let mut ahead = *lexer;
            ahead.next().ok().filter(|(token, _)| matches!(token, Token::Guid(_))).map(|(token, _)| {
                *lexer = ahead;
                token
            })
        }
        _ => Some(lexer.next()?.0),
    };
    let Some(token) = token else {
        let end = lexer.end_of_stretch(&[',', ')']);
        let text = lexer.slice(start, end).trim_end();
        lexer.go_to(end);
        return match first {
            Some('"') => unquoted(text)
                .map(ParameterValue::Text)
                .ok_or_else(|| lexer.invalid(start, "this quoted text has no end; expected another \"")),
            _ if !text.ends_with(['}', ']']) => Err(lexer.invalid(start, "this object or list has no end")),
            _ => Ok(match reference(text) {
                Some(address) => ParameterValue::Reference(address),
                None => ParameterValue::Json(text.to_owned()),
            }),
        };
    };
    Ok(match token {
        Token::Word("null") => ParameterValue::Null,
        Token::Word("true") => ParameterValue::Boolean(true),
        Token::Word("false") => ParameterValue::Boolean(false),
        Token::Number(number) => ParameterValue::Number(number.text().to_owned()),
        Token::Text(text) => ParameterValue::Text(text),
        Token::Guid(id) => ParameterValue::Guid(id),
        Token::Moment(moment) => ParameterValue::Moment(moment.seconds),
        Token::Word(type_name) if type_name.contains('.') => match lexer.next()? {
            (Token::Text(member), _) => ParameterValue::Enum {
                type_name: type_name.strip_prefix(NAMESPACE).unwrap_or(type_name).to_owned(),
                member,
            },
            (_, at) => return Err(lexer.invalid(at, "expected the quoted member of an enumeration")),
        },
        _ => return Err(lexer.invalid(start, "expected a value")),
    })
}

/// A text in double quotes, without them.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}

/// The address in an object of which it is the only member: `{'@odata.id':'…'}`, in quotes of either kind.
fn reference(text: &str) -> Option<String> {
    let (name, rest) = quoted(text.strip_prefix('{')?.strip_suffix('}')?.trim())?;
    let (address, rest) = quoted(rest.trim_start().strip_prefix(':')?.trim_start())?;
    (name == "@odata.id" && rest.trim().is_empty()).then(|| address.to_owned())
}

/// A text in quotes at the start, without them, and what follows. A quote of the other kind may stand inside.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (inside, rest) = text.get(1..)?.split_once(quote)?;
    (!inside.contains('\\')).then_some((inside, rest))
}
