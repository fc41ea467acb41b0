//! `RetrieveMetadataChanges`: descriptions that a client keeps a copy of, and whether it is still right.
//!
//! Tables are the same for as long as the version of descriptions is: a stamp of the present version is answered with
//! nothing changed, any other one with everything that the query asks for.

use std::collections::HashSet;

use bytes::Bytes;
use custodia_query::odata::{Limits, ParameterValue};
use http::{Response, StatusCode};
use serde_json::{Map, Value as Json};

use super::filter::is_number;
use super::item::describe;
use super::listing::{Listing, give_way};
use super::model::{Found, Model, Source};
use super::types::{ENTITY, KINDS, Kind, NAMESPACE, enumeration, members_of};
use crate::answer;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::functions::{begin, parameter};
use crate::json;

/// Filters within each other in one query.
const DEPTH_MAX: usize = 20;

const FILTER: &str = "MetadataFilterExpression";
const FILTER_MEMBERS: [&str; 3] = ["FilterOperator", "Conditions", "Filters"];
const CONDITION: &str = "MetadataConditionExpression";

/// What of descriptions of one kind is asked.
#[derive(Default)]
struct Asked {
    /// The properties, each once; all when `None`.
    properties: Option<Vec<String>>,
    criteria: Option<Criteria>,
}

enum Criteria {
    All(Vec<Criteria>),
    Any(Vec<Criteria>),
    Condition { path: Vec<String>, operator: Operator, values: Values },
}

/// The values of a condition, to be found among without going through them: there are ten thousand columns.
#[derive(Default)]
struct Values {
    /// As they are written, but objects and lists.
    texts: HashSet<String>,
    /// The same in lower case.
    folded: HashSet<String>,
    /// Those that may be the number of a member of an enumeration.
    numbers: HashSet<i64>,
    /// Objects: a description equals none of them unless it is the same.
    objects: Vec<Json>,
    /// The first one, which is what is compared by order.
    first: Option<f64>,
}

/// What of a query's criteria was read so far, and how much of them there may be.
struct Reading<'l> {
    limits: &'l Limits,
    conditions: usize,
    values: usize,
}

/// An object of the query, whose members are those that its type has, each of its own type or left out or null.
struct Members<'q> {
    type_name: &'static str,
    all: &'q Map<String, Json>,
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

impl Operator {
    /// Whether it asks for the order of numbers.
    fn is_ordered(self) -> bool {
        matches!(self, Self::GreaterThan | Self::LessThan)
    }
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
        Some(ParameterValue::Text(stamp)) => Some(read_stamp(stamp)?),
        Some(ParameterValue::Null) | None => None,
        Some(_) => return Err(Failure::invalid("the parameter 'ClientVersionStamp' is a text")),
    };
    let model = Model { schema: &schema };
    let mut listing = Listing::new();
    if stamp != Some(version) {
        tables(model, &query, call.request.limits, &mut listing).await?;
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

/// The version in a stamp.
fn read_stamp(stamp: &str) -> Result<i64, Failure> {
    let version = stamp.strip_suffix("!metadata").and_then(|number| number.parse::<i64>().ok());
    version.ok_or_else(|| {
        let message = "ClientVersionStamp: this service did not give it; ask without one.";
        Failure::new(StatusCode::BAD_REQUEST, code::EXPIRED_STAMP, message)
    })
}

async fn tables(model: Model<'_>, query: &Json, limits: &Limits, listing: &mut Listing) -> Result<(), Failure> {
    let nothing = Map::new();
    let query = Members::of(
        query,
        "EntityQueryExpression",
        &["Properties", "Criteria", "AttributeQuery", "RelationshipQuery", "KeyQuery", "LabelQuery"],
    )?;
    let query = query.unwrap_or(Members { type_name: "EntityQueryExpression", all: &nothing });
    let asked = Asked::read(Some(&query), None, limits)?;
    let mut parts = Vec::new();
    for (name, member) in PARTS {
        // Collections are shown where the properties name them, or where all are wanted and a query for them is there.
        let named = asked.properties.as_ref().map(|names| names.iter().any(|known| known == name));
        let within = query.object(member, "MetadataQueryExpression", &["Properties", "Criteria"])?;
        let within = Asked::read(within.as_ref(), Some(name), limits)?;
        if named.unwrap_or(true) {
            parts.push((name, within));
        }
    }
    for table in model.schema.tables() {
        let source = Source::Table(table);
        let Some(mut shown) = asked.shown(model, source)? else {
            give_way().await;
            continue;
        };
        for (name, within) in &parts {
            shown.insert((*name).to_owned(), Json::Array(within.part(model, source, name)?));
            give_way().await;
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
    fn read(query: Option<&Members<'_>>, part: Option<&str>, limits: &Limits) -> Result<Self, Failure> {
        let Some(query) = query else { return Ok(Self::default()) };
        let properties =
            match query.object("Properties", "MetadataPropertiesExpression", &["AllProperties", "PropertyNames"])? {
                None => None,
                Some(properties) => {
                    let mut names = Vec::new();
                    for name in properties.list("PropertyNames")? {
                        let Json::String(name) = name else {
                            return Err(properties.wrong("PropertyNames", "a list of texts"));
                        };
                        let is_known = match part {
                            None if !is_known(&ENTITY, name) => {
                                return Err(super::filter::unknown_property(name, &ENTITY));
                            }
                            // Columns and relationships are of several kinds.
                            _ => KINDS.iter().any(|kind| is_known(kind, name)),
                        };
                        // There are some dozens, so that this list is short.
                        if is_known && !names.contains(name) {
                            names.push(name.clone());
                        }
                    }
                    (!properties.truth("AllProperties")?.unwrap_or(false)).then_some(names)
                }
            };
        let criteria = query.object("Criteria", FILTER, &FILTER_MEMBERS)?;
        let mut reading = Reading { limits, conditions: 0, values: 0 };
        let criteria = criteria.map(|criteria| Criteria::read(&criteria, DEPTH_MAX, &mut reading)).transpose()?;
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

impl<'q> Members<'q> {
    /// The members of an object of that type; `None` for null.
    ///
    /// # Errors
    /// What is no object, or has a member that the type does not have, other than annotations.
    fn of(value: &'q Json, type_name: &'static str, known: &[&str]) -> Result<Option<Self>, Failure> {
        let all = match value {
            Json::Null => return Ok(None),
            Json::Object(all) => all,
            _ => return Err(Failure::invalid(format!("Query: an object of type '{type_name}' is wanted"))),
        };
        let is_known = |name: &str| known.contains(&name) || name == "ExtensionData" || name.contains('@');
        match all.keys().find(|name| !is_known(name)) {
            Some(name) => Err(Failure::invalid(format!("Query: '{type_name}' has no property '{name}'"))),
            None => Ok(Some(Self { type_name, all })),
        }
    }

    fn wrong(&self, name: &str, wanted: &str) -> Failure {
        Failure::invalid(format!("Query: the property '{name}' of '{}' is {wanted}", self.type_name))
    }

    fn object(&self, name: &str, type_name: &'static str, known: &[&str]) -> Result<Option<Self>, Failure> {
        Self::of(self.all.get(name).unwrap_or(&Json::Null), type_name, known)
    }

    fn list(&self, name: &str) -> Result<&'q [Json], Failure> {
        match self.all.get(name) {
            None | Some(Json::Null) => Ok(&[]),
            Some(Json::Array(all)) => Ok(all),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'q str>, Failure> {
        match self.all.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    fn truth(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.all.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }
}

impl Criteria {
    fn read(criteria: &Members<'_>, depth_left: usize, reading: &mut Reading<'_>) -> Result<Self, Failure> {
        let wrong = |problem: &str| Err(Failure::invalid(format!("Query, Criteria: {problem}")));
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return wrong("too many filters within each other");
        };
        let mut all = Vec::new();
        for condition in criteria.list("Conditions")? {
            reading.conditions += 1;
            within(reading.conditions, "conditions_max", reading.limits.conditions_max)?;
            let condition = Members::of(condition, CONDITION, &["PropertyName", "ConditionOperator", "Value"])?;
            let Some((condition, path)) = condition
                .and_then(|condition| condition.text("PropertyName").transpose().map(|path| (condition, path)))
            else {
                return wrong("a condition lacks its PropertyName");
            };
            let operator = match condition.text("ConditionOperator")? {
                Some("Equals") | None => Operator::Equals,
                Some("NotEquals") => Operator::NotEquals,
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("GreaterThan") => Operator::GreaterThan,
                Some("LessThan") => Operator::LessThan,
                Some(other) => return wrong(&format!("there is no ConditionOperator '{other}'")),
            };
            let path: Vec<_> = path?.split(['.', '/']).map(str::to_owned).collect();
            within(path.len(), "path_steps_max", reading.limits.path_steps_max)?;
            let values = values(condition.all.get("Value").unwrap_or(&Json::Null))?;
            reading.values += values.len();
            within(reading.values, "in_values_max", reading.limits.in_values_max)?;
            let values = Values::of(values);
            if operator.is_ordered() && values.first.is_none() {
                return wrong("GreaterThan and LessThan compare with a number");
            }
            all.push(Self::Condition { path, operator, values });
        }
        for filter in criteria.list("Filters")? {
            if let Some(filter) = Members::of(filter, FILTER, &FILTER_MEMBERS)? {
                // A filter without conditions is looked at like one.
                reading.conditions += 1;
                within(reading.conditions, "conditions_max", reading.limits.conditions_max)?;
                all.push(Self::read(&filter, depth_left, reading)?);
            }
        }
        match criteria.text("FilterOperator")? {
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
                    if KINDS.iter().any(|known| known.property(first).is_some()) {
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
                if operator.is_ordered() && !is_number(type_name) {
                    let path = path.join(".");
                    return Err(Failure::invalid(format!(
                        "Query, Criteria: '{path}' is no number; GreaterThan and LessThan compare numbers"
                    )));
                }
                let ordered = |wanted: std::cmp::Ordering| match (value.as_f64(), values.first) {
                    (Some(value), Some(with)) => value.partial_cmp(&with) == Some(wanted),
                    _ => false,
                };
                Ok(match operator {
                    Operator::Equals | Operator::In => values.hold(type_name, value),
                    Operator::NotEquals | Operator::NotIn => !values.hold(type_name, value),
                    Operator::GreaterThan => ordered(std::cmp::Ordering::Greater),
                    Operator::LessThan => ordered(std::cmp::Ordering::Less),
                })
            }
        }
    }
}

/// Refuses what is more than a limit allows.
fn within(count: usize, limit: &str, max: usize) -> Result<(), Failure> {
    if count <= max {
        return Ok(());
    }
    Err(Failure::invalid(format!("Query, Criteria: more than {limit} allows, which is {max}")))
}

/// The values of a condition: `{"Type": "System.String", "Value": "account"}`, bare ones, and lists of either.
fn values(value: &Json) -> Result<Vec<Json>, Failure> {
    match value {
        Json::Object(members) if members.contains_key("Value") => {
            let inner = members.get("Value").unwrap_or(&Json::Null);
            let is_list = members.get("Type").and_then(Json::as_str).is_some_and(|name| name.ends_with("[]"));
            match inner {
                // Lists travel as text too.
                Json::String(text) if is_list || text.starts_with('[') => match serde_json::from_str(text) {
                    Ok(listed) => Ok(listed),
                    Err(_) if !is_list => Ok(vec![inner.clone()]),
                    Err(_) => Err(Failure::invalid(
                        "Query, Criteria: where 'Type' is a list, 'Value' is one: [\"a\",\"b\"], itself or as a text",
                    )),
                },
                _ => values(inner),
            }
        }
        Json::Array(all) => all.iter().map(values).collect::<Result<Vec<_>, _>>().map(|all| all.concat()),
        value => Ok(vec![value.clone()]),
    }
}

impl Values {
    fn of(values: Vec<Json>) -> Self {
        let first = values.first().and_then(|value| match value {
            // Numbers are written as texts, too.
            Json::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            value => value.as_f64(),
        });
        let mut found = Self { first, ..Self::default() };
        for value in values {
            let text = match value {
                Json::Object(_) => {
                    found.objects.push(value);
                    continue;
                }
                Json::String(text) => text,
                value => value.to_string(),
            };
            found.numbers.extend(text.parse::<i64>());
            found.folded.insert(text.to_ascii_lowercase());
            found.texts.insert(text);
        }
        found
    }

    /// Whether a value is one of these, which may be written as texts, and a member of an enumeration as its number.
    fn hold(&self, type_name: &str, value: &Json) -> bool {
        let has = |text: &str| match type_name {
            "Edm.Guid" | "Edm.Boolean" => self.folded.contains(&text.to_ascii_lowercase()),
            _ => self.texts.contains(text),
        };
        match value {
            Json::Object(_) | Json::Array(_) => self.objects.contains(value),
            Json::String(text) => {
                let number = enumeration(type_name).and_then(|known| known.number(text));
                has(text) || number.is_some_and(|number| self.numbers.contains(&number))
            }
            value => has(&value.to_string()),
        }
    }
}
