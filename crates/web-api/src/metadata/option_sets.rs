//! Descriptions of options.

use custodia_schema::{Choice, Column, ColumnKind, Label, Table};
use serde_json::{Value as Json, json};

use super::item::{INTRODUCED, Properties, label, managed};
use super::model::{Source, shared_name};
use super::tables::is_custom;
use super::types::NAMESPACE;

pub(super) fn describe(source: Source<'_>, table: &Table, column: &Column) -> Properties {
    let name = source.name();
    let is_shared = shared_name(column).is_some();
    let is_managed = !is_custom(table);
    let kind = match column.kind {
        ColumnKind::Boolean { .. } => "Boolean",
        ColumnKind::State { .. } => "State",
        ColumnKind::Status { .. } => "Status",
        _ => "Picklist",
    };
    let mut properties = vec![
        ("DisplayName", label("OptionSetMetadata", &name, column.display_name.text())),
        ("IntroducedVersion", json!(INTRODUCED)),
        ("IsCustomOptionSet", json!(!is_managed)),
        ("IsCustomizable", managed("IsCustomizable", true)),
        ("IsGlobal", json!(is_shared)),
        ("IsManaged", json!(is_managed)),
        ("Name", json!(name)),
        ("OptionSetType", json!(kind)),
    ];
    match &column.kind {
        ColumnKind::Boolean { true_label, false_label, .. } => {
            properties.push(("FalseOption", option(&name, 0, false_label, None)));
            properties.push(("TrueOption", option(&name, 1, true_label, None)));
        }
        _ => properties.push(("Options", Json::Array(options(&name, column)))),
    }
    properties
}

/// The options of a column, in display order.
fn options(set: &str, column: &Column) -> Vec<Json> {
    let plain = |choice: &Choice| option(set, choice.value, &choice.label, None);
    match &column.kind {
        ColumnKind::Choice { options, .. } | ColumnKind::Choices { options, .. } => options.iter().map(plain).collect(),
        ColumnKind::State { options } => options
            .iter()
            .map(|state| {
                let more = json!({
                    "@odata.type": format!("#{NAMESPACE}StateOptionMetadata"),
                    "DefaultStatus": state.default_status,
                    "InvariantName": state.choice.label.text(),
                });
                option(set, state.choice.value, &state.choice.label, Some(more))
            })
            .collect(),
        ColumnKind::Status { options } => options
            .iter()
            .map(|(choice, state)| {
                let more = json!({
                    "@odata.type": format!("#{NAMESPACE}StatusOptionMetadata"),
                    "State": state,
                    "TransitionData": null,
                });
                option(set, choice.value, &choice.label, Some(more))
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn option(set: &str, value: i32, text: &Label, more: Option<Json>) -> Json {
    let mut option = json!({
        "Color": null,
        "Description": label("", "", ""),
        "ExternalValue": "",
        "HasChanged": null,
        "IsHidden": false,
        "IsManaged": true,
        "Label": label("OptionMetadata", &format!("{set}.{value}"), text.text()),
        "MetadataId": null,
        "ParentValues": [],
        "Tag": null,
        "Value": value,
    });
    if let (Json::Object(option), Some(Json::Object(more))) = (&mut option, more) {
        option.extend(more);
    }
    option
}
