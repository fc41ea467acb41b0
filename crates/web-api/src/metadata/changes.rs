//! `RetrieveMetadataChanges`: descriptions that a client keeps a copy of, and whether it is still right.
//!
//! Tables are the same for as long as the version of descriptions is: a stamp of the present version is answered with
//! nothing changed, an older one with everything that the query asks for.

use bytes::Bytes;
use custodia_query::odata::ParameterValue;
use http::{Response, StatusCode};
use serde_json::{Map, Value as Json};

use super::item::describe;
use super::listing::Listing;
use super::model::{Found, Model, Source};
use super::types::{ENTITY, Kind, NAMESPACE, enumeration, members_of};
use crate::answer;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::functions::{begin, parameter};
use crate::json;

/// Filters within each other in one query.
const DEPTH_MAX: usize = 20;

/// What of descriptions of one kind is asked.
#[derive(Default)]
struct Asked {
    /// The properties; all when `None`.
    properties: Option<Vec<String>>,
    criteria: Option<Criteria>,
}

enum Criteria {
    All(Vec<Criteria>),
    Any(Vec<Criteria>),
    Condition { path: Vec<String>, operator: Operator, values: Vec<Json> },
}

#[derive(Clone, Copy)]
enum Operator {
    Equals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

/// The collections within a table's description, with the member of the query that asks for them.
const PARTS: [(&str, &str); 5] = [
    ("Attributes", "AttributeQuery"),
    ("Keys", "KeyQuery"),
    ("ManyToManyRelationships", "RelationshipQuery"),
    ("ManyToOneRelationships", "RelationshipQuery"),
    ("OneToManyRelationships", "RelationshipQuery"),
];

pub(crate) async fn answer(
    call: &Call<'_>,
    parameters: &[(String, ParameterValue)],
) -> Result<Response<Bytes>, Failure> {
    let (version, schema) = call.organization.described(call.caller).await?;
    let query = match parameter(parameters, "Query") {
        Some(ParameterValue::Json(text)) => serde_json::from_str::<Json>(text)
            .map_err(|error| Failure::invalid(format!("the parameter 'Query' is not JSON: {error}")))?,
        Some(ParameterValue::Null) | None => Json::Null,
        Some(_) => return Err(Failure::invalid("the parameter 'Query' is an EntityQueryExpression, as JSON")),
    };
    let stamp = match parameter(parameters, "ClientVersionStamp") {
        Some(ParameterValue::Text(stamp)) => Some(read_stamp(stamp, version)?),
        Some(ParameterValue::Null) | None => None,
        Some(_) => return Err(Failure::invalid("the parameter 'ClientVersionStamp' is a text")),
    };
    let model = Model { schema: &schema };
    let mut listing = Listing::new();
    if stamp != Some(version) {
        tables(model, &query, &mut listing).await?;
    }
    let mut body = begin(call, "RetrieveMetadataChangesResponse");
    body.extend_from_slice(b"\"DeletedMetadata\":null,\"EntityMetadata\":");
    body.extend_from_slice(&listing.finish());
    body.extend_from_slice(b",\"ServerVersionStamp\":");
    json::text(&mut body, &written_stamp(version));
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

pub(super) fn written_stamp(version: i64) -> String {
    format!("{version}!metadata")
}

/// The version in a stamp; it is of no later one than the present.
fn read_stamp(stamp: &str, present: i64) -> Result<i64, Failure> {
    let version = stamp.strip_suffix("!metadata").and_then(|number| number.parse::<i64>().ok());
    version.filter(|version| (0..=present).contains(version)).ok_or_else(|| {
        let message = "ClientVersionStamp: this service did not give it, or no longer knows it; ask without one.";
        Failure::new(StatusCode::BAD_REQUEST, code::EXPIRED_STAMP, message)
    })
}

async fn tables(model: Model<'_>, query: &Json, listing: &mut Listing) -> Result<(), Failure> {
    let asked = Asked::read(query, None)?;
    let mut parts = Vec::new();
    for (name, member) in PARTS {
        // Collections are shown where the properties name them, or where all are wanted and a query for them is there.
        let named = asked.properties.as_ref().map(|names| names.iter().any(|known| known == name));
        let within = query.get(member).filter(|within| !within.is_null());
        if named.unwrap_or(true) {
            parts.push((name, Asked::read(within.unwrap_or(&Json::Null), Some(name))?));
        }
    }
    for table in model.schema.tables() {
        let source = Source::Table(table);
        let Some(mut shown) = asked.shown(model, source)? else { continue };
        for (name, within) in &parts {
            shown.insert((*name).to_owned(), Json::Array(within.part(model, source, name)?));
        }
        listing.push(Json::Object(shown)).await;
    }
    Ok(())
}

/// All descriptions within another, in a collection of it: whole, each with its type and its options.
pub(super) fn part(model: Model<'_>, source: Source<'_>, name: &str) -> Result<Vec<Json>, Failure> {
    Asked::default().part(model, source, name)
}

fn typed(kind: &Kind, mut shown: Map<String, Json>) -> Map<String, Json> {
    shown.insert("@odata.type".to_owned(), Json::String(format!("#{NAMESPACE}{}", kind.name)));
    shown
}

impl Asked {
    /// Reads a query of tables, or of the part of them with that name.
    fn read(query: &Json, part: Option<&str>) -> Result<Self, Failure> {
        let properties: Option<Vec<String>> = match query.get("Properties") {
            None | Some(Json::Null) => None,
            Some(properties) if properties.get("AllProperties") == Some(&Json::Bool(true)) => None,
            Some(properties) => {
                let names = properties.get("PropertyNames").and_then(Json::as_array);
                let names = names.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
                Some(names)
            }
        };
        let criteria = match query.get("Criteria") {
            None | Some(Json::Null) => None,
            Some(criteria) => Some(Criteria::read(criteria, DEPTH_MAX)?),
        };
        if part.is_none()
            && let Some(unknown) = properties.iter().flatten().find(|name| !is_known(&ENTITY, name))
        {
            return Err(super::filter::unknown_property(unknown, &ENTITY));
        }
        Ok(Self { properties, criteria })
    }

    /// What is asked of the descriptions within another, in a collection of it.
    fn part(&self, model: Model<'_>, source: Source<'_>, name: &str) -> Result<Vec<Json>, Failure> {
        let mut items = Vec::new();
        if let Some(Found::Many(found)) = model.navigate(source, name) {
            for source in found {
                items.extend(self.shown(model, source)?.map(|shown| Json::Object(typed(source.kind(), shown))));
            }
        }
        Ok(items)
    }

    fn shown(&self, model: Model<'_>, source: Source<'_>) -> Result<Option<Map<String, Json>>, Failure> {
        let mut whole = describe(model, source);
        if let Some(criteria) = &self.criteria
            && !criteria.passes(source.kind(), &whole)?
        {
            return Ok(None);
        }
        // Options belong to a column here: there is no expansion to ask for them with.
        for name in ["OptionSet", "GlobalOptionSet"] {
            if self.properties.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
                && let Some(Found::One(found)) = model.navigate(source, name)
                && source.kind().navigation(name).is_some()
            {
                let value = found.map_or(Json::Null, |found| Json::Object(describe(model, found)));
                whole.insert(name.to_owned(), value);
            }
        }
        let Some(names) = &self.properties else { return Ok(Some(whole)) };
        let always = ["MetadataId", "LogicalName", "SchemaName"].into_iter();
        let kept = always.chain(names.iter().map(String::as_str));
        Ok(Some(kept.filter_map(|name| whole.remove_entry(name)).collect()))
    }
}

fn is_known(kind: &Kind, name: &str) -> bool {
    kind.property(name).is_some() || kind.navigation(name).is_some()
}

impl Criteria {
    fn read(criteria: &Json, depth_left: usize) -> Result<Self, Failure> {
        let wrong = |problem: &str| Err(Failure::invalid(format!("Query, Criteria: {problem}")));
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return wrong("too many filters within each other");
        };
        let mut all = Vec::new();
        let list = |name: &str| criteria.get(name).and_then(Json::as_array).into_iter().flatten();
        for condition in list("Conditions") {
            let Some(path) = condition.get("PropertyName").and_then(Json::as_str) else {
                return wrong("a condition lacks its PropertyName");
            };
            let operator = match condition.get("ConditionOperator").and_then(Json::as_str) {
                Some("Equals") | None => Operator::Equals,
                Some("NotEquals") => Operator::NotEquals,
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("GreaterThan") => Operator::GreaterThan,
                Some("LessThan") => Operator::LessThan,
                Some(other) => return wrong(&format!("there is no ConditionOperator '{other}'")),
            };
            let path = path.split(['.', '/']).map(str::to_owned).collect();
            let values = values(condition.get("Value").unwrap_or(&Json::Null));
            all.push(Self::Condition { path, operator, values });
        }
        for filter in list("Filters") {
            all.push(Self::read(filter, depth_left)?);
        }
        match criteria.get("FilterOperator").and_then(Json::as_str) {
            Some("And") | None => Ok(Self::All(all)),
            // No filter at all leaves everything.
            Some("Or") => Ok(if all.is_empty() { Self::All(all) } else { Self::Any(all) }),
            Some(other) => wrong(&format!("there is no FilterOperator '{other}'")),
        }
    }

    fn passes(&self, kind: &Kind, item: &Map<String, Json>) -> Result<bool, Failure> {
        match self {
            Self::All(all) => all.iter().try_fold(true, |passed, each| Ok(passed && each.passes(kind, item)?)),
            Self::Any(any) => any.iter().try_fold(false, |passed, each| Ok(passed || each.passes(kind, item)?)),
            Self::Condition { path, operator, values } => {
                let mut steps = path.iter();
                let first = steps.next().map(String::as_str).unwrap_or_default();
                let Some(type_name) = kind.property(first) else {
                    // Some columns do not have what others have: they fail the test.
                    if super::types::KINDS.iter().any(|known| known.property(first).is_some()) {
                        return Ok(false);
                    }
                    return Err(super::filter::unknown_property(first, kind));
                };
                let mut value = item.get(first).unwrap_or(&Json::Null);
                let mut type_name = type_name;
                for step in steps {
                    value = value.get(step).unwrap_or(&Json::Null);
                    type_name = members_of(type_name).find(|(name, _)| name == step).map_or("", |(_, name)| name);
                }
                // A managed property is compared by its value.
                if let Some(inner) = value.get("Value") {
                    value = inner;
                }
                let equals = |with: &Json| same(type_name, value, with);
                let ordered = |wanted: std::cmp::Ordering| match (value.as_f64(), values.first().and_then(Json::as_f64))
                {
                    (Some(value), Some(with)) => value.partial_cmp(&with) == Some(wanted),
                    _ => false,
                };
                Ok(match operator {
                    Operator::Equals | Operator::In => values.iter().any(equals),
                    Operator::NotEquals | Operator::NotIn => !values.iter().any(equals),
                    Operator::GreaterThan => ordered(std::cmp::Ordering::Greater),
                    Operator::LessThan => ordered(std::cmp::Ordering::Less),
                })
            }
        }
    }
}

/// The values of a condition: `{"Type": "System.String", "Value": "account"}`, bare ones, and lists of either.
fn values(value: &Json) -> Vec<Json> {
    match value {
        Json::Object(members) if members.contains_key("Value") => {
            let inner = members.get("Value").unwrap_or(&Json::Null);
            match inner {
                // Lists travel as text too.
                Json::String(text) if text.starts_with('[') => {
                    serde_json::from_str::<Vec<Json>>(text).unwrap_or_else(|_| vec![inner.clone()])
                }
                _ => values(inner),
            }
        }
        Json::Array(all) => all.iter().flat_map(values).collect(),
        value => vec![value.clone()],
    }
}

/// Whether a value is the one of a condition, which may be written as a text, and a member of an enumeration as its number.
fn same(type_name: &str, value: &Json, with: &Json) -> bool {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        value => value.to_string(),
    };
    if let Some(known) = enumeration(type_name) {
        let number = with.as_i64().or_else(|| text(with).parse().ok());
        if let Some(member) = number.and_then(|number| known.member(number)) {
            return value.as_str() == Some(member);
        }
    }
    let (value, with) = (text(value), text(with));
    match type_name {
        "Edm.Guid" | "Edm.Boolean" => value.eq_ignore_ascii_case(&with),
        _ => value == with,
    }
}
