//! Paths to descriptions: `EntityDefinitions(LogicalName='account')/Attributes(…)/Microsoft.Dynamics.CRM.X/OptionSet`.

use custodia_schema::Guid;
use serde_json::Value as Json;

use super::item::describe;
use super::missing;
use super::model::{Found, Model, Source};
use super::types::{Kind, NAMESPACE};
use super::view::cast_to;
use crate::failure::Failure;

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) enum Place<'s> {
    /// Any number of descriptions, all of a type or one that extends it.
    Many { kind: &'static Kind, sources: Vec<Source<'s>> },
    /// How many there are.
    Count { kind: &'static Kind, sources: Vec<Source<'s>> },
    /// One description.
    One { kind: &'static Kind, source: Source<'s> },
    /// A description that there is not.
    Nothing,
    /// The value of a property.
    Value(Json),
    /// The same, bare.
    Raw(String),
}

/// A path and what contexts call it.
#[derive(Clone, Debug)]
pub(crate) struct Resolved<'s> {
    pub place: Place<'s>,
    pub context: String,
}

/// Follows a decoded path from the service root.
pub(crate) fn resolve<'s>(model: Model<'s>, path: &str) -> Result<Resolved<'s>, Failure> {
    let mut segments = super::view::outside_parentheses(path.trim_matches('/'), '/');
    let first = segments.next().unwrap_or_default();
    let (name, key) = split_key(first)?;
    let (kind, sources) = model.set(name).ok_or_else(|| Failure::no_such_resource(name))?;
    let mut resolved = Resolved { place: Place::Many { kind, sources }, context: name.to_owned() };
    if let Some(key) = key {
        resolved = resolved.keyed(name, key)?;
    }
    for segment in segments {
        resolved = resolved.step(model, segment)?;
    }
    Ok(resolved)
}

/// A segment's name, and what stands in parentheses after it.
fn split_key(segment: &str) -> Result<(&str, Option<&str>), Failure> {
    match segment.split_once('(') {
        None => Ok((segment, None)),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(key) => Ok((name, Some(key.trim()))),
            None => Err(Failure::invalid(format!("path: '{segment}' lacks its ')'"))),
        },
    }
}

impl<'s> Resolved<'s> {
    /// The one of many with that key; `name` says of what.
    fn keyed(self, name: &str, key: &str) -> Result<Self, Failure> {
        let Place::Many { kind, sources } = self.place else {
            return Err(Failure::invalid(format!("path: '{name}' takes no key")));
        };
        let source = find(&sources, key)?.ok_or_else(|| missing(name, key))?;
        Ok(Self { place: Place::One { kind, source }, context: self.context })
    }

    fn step(self, model: Model<'s>, segment: &str) -> Result<Self, Failure> {
        let unknown = || Err(Failure::no_such_resource(segment));
        if segment == "$ref" {
            return Err(Failure::unsupported("addresses of descriptions ($ref)"));
        }
        match self.place {
            Place::Many { kind, sources } => {
                if segment == "$count" {
                    return Ok(Self { place: Place::Count { kind, sources }, context: self.context });
                }
                // A cast, perhaps with a key after it.
                let (name, key) = split_key(segment)?;
                let kind = cast_to(kind, name)?;
                let sources = sources.into_iter().filter(|source| source.kind().is(kind)).collect();
                let context = format!("{}/{name}", self.context);
                let cast = Self { place: Place::Many { kind, sources }, context };
                match key {
                    Some(key) => cast.keyed(name, key),
                    None => Ok(cast),
                }
            }
            Place::One { kind, source } => {
                if segment.starts_with(NAMESPACE) {
                    let kind = cast_to(kind, segment)?;
                    if !source.kind().is(kind) {
                        return Err(missing(segment, &source.name()));
                    }
                    let context = format!("{}/{segment}", self.context);
                    return Ok(Self { place: Place::One { kind, source }, context });
                }
                let (name, key) = split_key(segment)?;
                let context = format!("{}({})/{name}", self.context, source.id());
                if let Some(navigation) = kind.navigation(name) {
                    let place = match model.navigate(source, name) {
                        Some(Found::Many(sources)) => Place::Many { kind: navigation.kind, sources },
                        Some(Found::One(Some(source))) => Place::One { kind: navigation.kind, source },
                        Some(Found::One(None)) | None => Place::Nothing,
                    };
                    let found = Self { place, context };
                    return match key {
                        Some(key) => found.keyed(name, key),
                        None => Ok(found),
                    };
                }
                if key.is_some() || kind.property(name).is_none() {
                    return unknown();
                }
                let value = describe(model, source).remove(name).unwrap_or(Json::Null);
                Ok(Self { place: Place::Value(value), context })
            }
            Place::Value(value) => {
                let context = format!("{}/{segment}", self.context);
                let place = match (segment, value) {
                    ("$value", Json::String(text)) => Place::Raw(text),
                    ("$value", Json::Null) => Place::Nothing,
                    ("$value", value @ (Json::Bool(_) | Json::Number(_))) => Place::Raw(value.to_string()),
                    (_, Json::Object(mut members)) => match members.remove(segment) {
                        Some(member) => Place::Value(member),
                        None => return unknown(),
                    },
                    _ => return unknown(),
                };
                Ok(Self { place, context })
            }
            Place::Count { .. } | Place::Nothing | Place::Raw(_) => unknown(),
        }
    }
}

/// The description with a key: an id, bare or in quotes, or a name as `LogicalName='account'`.
fn find<'s>(sources: &[Source<'s>], key: &str) -> Result<Option<Source<'s>>, Failure> {
    let by_id = |text: &str| {
        let id = Guid::try_parse(text.trim_matches('\'')).ok();
        id.map(|id| sources.iter().find(|source| source.id() == id).copied())
    };
    if let Some(found) = by_id(key) {
        return Ok(found);
    }
    let malformed = || Failure::invalid(format!("path: the key '{key}' is neither a GUID nor a name in quotes"));
    let (property, value) = key.split_once('=').ok_or_else(malformed)?;
    let (property, value) = (property.trim(), value.trim());
    if property == "MetadataId" || sources.iter().any(|source| source.kind().id_property() == property) {
        return by_id(value).ok_or_else(malformed);
    }
    let name = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(malformed)?;
    let name = name.replace("''", "'");
    // Keys and tables are found by either of their names.
    let found = sources.iter().find(|source| match (source, property) {
        (Source::Table(table), "SchemaName") => table.schema_name == name,
        (Source::Column(_, column), "SchemaName") => column.schema_name == name,
        (Source::Key(_, key), "SchemaName") => key.name == name,
        (source, property) => source.name_property() == property && source.name() == name,
    });
    if found.is_none() && !matches!(property, "LogicalName" | "SchemaName" | "Name") {
        return Err(malformed());
    }
    Ok(found.copied())
}
