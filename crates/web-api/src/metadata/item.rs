//! One description as a value: every property of its type, and what values of properties are made of.

use custodia_schema::description_id;
use serde_json::{Map, Value as Json, json};

use super::model::{Model, Source};
use super::types::Kind;
use super::{columns, managed_properties, option_sets, relationships, sdk_messages, tables};

/// The language of all labels: English, the base language.
pub(crate) const LANGUAGE: i32 = 1033;

/// The version that everything standard came with.
pub(super) const INTRODUCED: &str = "1.0.0.0";

/// Properties that say something; the others of a type have the empty value of their own type.
pub(super) type Properties = Vec<(&'static str, Json)>;

/// Describes something: a value for each property of its type.
pub(crate) fn describe(model: Model<'_>, source: Source<'_>) -> Map<String, Json> {
    let given = match source {
        Source::Table(table) => tables::describe(table),
        Source::Column(table, column) => columns::describe(model, table, column),
        Source::Key(table, key) => tables::describe_key(table, key),
        Source::OneToMany(relationship) => relationships::one_to_many(model, relationship),
        Source::ManyToMany(relationship) => relationships::many_to_many(model, relationship),
        Source::OptionSet(table, column) => option_sets::describe(source, table, column),
        Source::ManagedProperty(property) => managed_properties::describe(property),
        Source::Message(message) => sdk_messages::describe(message),
        Source::MessageFilter(table, message) => sdk_messages::describe_filter(table, message),
    };
    complete(source.kind(), source, given)
}

fn complete(kind: &'static Kind, source: Source<'_>, given: Properties) -> Map<String, Json> {
    let mut all: Map<String, Json> = kind
        .chain()
        .flat_map(|kind| kind.properties)
        .map(|(name, type_name)| ((*name).to_owned(), empty(name, type_name)))
        .collect();
    all.insert(kind.id_property().to_owned(), json!(source.id().to_string()));
    for (name, value) in given {
        debug_assert!(all.contains_key(name), "{} has no {name}", kind.name);
        all.insert(name.to_owned(), value);
    }
    all
}

/// The value of a property that nothing is said about.
fn empty(name: &str, type_name: &str) -> Json {
    match type_name {
        // Whether it changed is said of changes only.
        "Edm.Boolean" if name != "HasChanged" => json!(false),
        "BooleanManagedProperty" => managed(name, false),
        "Label" => label("", "", ""),
        _ if type_name.starts_with("Collection(") => json!([]),
        _ => Json::Null,
    }
}

/// A text for people; `what` and `name` say of what, for the id of the text. An empty text is none.
pub(super) fn label(what: &str, name: &str, text: &str) -> Json {
    if text.is_empty() {
        return json!({"LocalizedLabels": [], "UserLocalizedLabel": null});
    }
    let localized = json!({
        "HasChanged": null,
        "IsManaged": true,
        "Label": text,
        "LanguageCode": LANGUAGE,
        "MetadataId": description_id("LocalizedLabel", &format!("{what}:{name}")).to_string(),
    });
    json!({"LocalizedLabels": [localized], "UserLocalizedLabel": localized})
}

/// A switch that a publisher may take away: here nobody does, so that it can be changed wherever it is on.
pub(super) fn managed(name: &str, value: bool) -> Json {
    json!({
        "CanBeChanged": value,
        "ManagedPropertyLogicalName": name.to_ascii_lowercase(),
        "Value": value,
    })
}
