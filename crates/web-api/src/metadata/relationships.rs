//! Descriptions of relationships.

use custodia_schema::{AssignCascade, Cascade, ColumnId, DeleteCascade, ManyToMany, MergeCascade, OneToMany, TableId};
use serde_json::{Value as Json, json};

use super::item::{INTRODUCED, Properties, label, managed};
use super::model::Model;
use super::tables::is_custom;

/// Where a list of related records stands among others, in forms.
const MENU_ORDER: u32 = 10_000;

pub(super) fn one_to_many(model: Model<'_>, relationship: &OneToMany) -> Properties {
    let mut properties = common(model, relationship.referencing, &relationship.name, "OneToManyRelationship");
    let primary_id = model.schema.table(relationship.referenced).map(|table| table.primary_id);
    let referenced = primary_id.map_or(Json::Null, |id| column_name(model, relationship.referenced, id));
    properties.extend([
        ("AssociatedMenuConfiguration", menu()),
        ("CascadeConfiguration", cascades(&relationship.cascade)),
        ("IsHierarchical", json!(relationship.hierarchical)),
        ("ReferencedAttribute", referenced),
        ("ReferencedEntity", table_name(model, relationship.referenced)),
        ("ReferencedEntityNavigationPropertyName", json!(relationship.collection_navigation)),
        ("ReferencingAttribute", column_name(model, relationship.referencing, relationship.referencing_column)),
        ("ReferencingEntity", table_name(model, relationship.referencing)),
        ("ReferencingEntityNavigationPropertyName", json!(relationship.lookup_navigation)),
        ("RelationshipBehavior", json!(1)),
    ]);
    properties
}

pub(super) fn many_to_many(model: Model<'_>, relationship: &ManyToMany) -> Properties {
    let mut properties = common(model, relationship.intersect, &relationship.name, "ManyToManyRelationship");
    properties.extend([
        ("Entity1AssociatedMenuConfiguration", menu()),
        ("Entity1IntersectAttribute", column_name(model, relationship.intersect, relationship.first_column)),
        ("Entity1LogicalName", table_name(model, relationship.first)),
        ("Entity1NavigationPropertyName", json!(relationship.first_navigation)),
        ("Entity2AssociatedMenuConfiguration", menu()),
        ("Entity2IntersectAttribute", column_name(model, relationship.intersect, relationship.second_column)),
        ("Entity2LogicalName", table_name(model, relationship.second)),
        ("Entity2NavigationPropertyName", json!(relationship.second_navigation)),
        ("IntersectEntityName", table_name(model, relationship.intersect)),
    ]);
    properties
}

fn common(model: Model<'_>, holder: TableId, name: &str, kind: &str) -> Properties {
    let is_custom = model.schema.table(holder).is_some_and(|table| is_custom(table));
    vec![
        ("IntroducedVersion", json!(INTRODUCED)),
        ("IsCustomRelationship", json!(is_custom)),
        ("IsCustomizable", managed("IsCustomizable", true)),
        ("IsManaged", json!(!is_custom)),
        ("IsValidForAdvancedFind", json!(true)),
        ("RelationshipType", json!(kind)),
        ("SchemaName", json!(name)),
        ("SecurityTypes", json!("Append")),
    ]
}

fn table_name(model: Model<'_>, table: TableId) -> Json {
    model.schema.table(table).map_or(Json::Null, |table| json!(table.name))
}

fn column_name(model: Model<'_>, table: TableId, column: ColumnId) -> Json {
    let column = model.schema.table(table).and_then(|table| table.column_by_id(column));
    column.map_or(Json::Null, |column| json!(column.name))
}

fn menu() -> Json {
    json!({
        "AvailableOffline": true,
        "Behavior": "UseCollectionName",
        "Group": "Details",
        "Icon": null,
        "IsCustomizable": true,
        "Label": label("", "", ""),
        "MenuId": null,
        "Order": MENU_ORDER,
        "QueryApi": null,
        "ViewId": "00000000-0000-0000-0000-000000000000",
    })
}

fn cascades(cascade: &Cascade) -> Json {
    let on_delete = match cascade.delete {
        DeleteCascade::RemoveLink => "RemoveLink",
        DeleteCascade::Cascade => "Cascade",
        DeleteCascade::Restrict => "Restrict",
        DeleteCascade::None => "NoCascade",
    };
    let on_merge = match cascade.merge {
        MergeCascade::Cascade => "Cascade",
        MergeCascade::None => "NoCascade",
    };
    json!({
        "Archive": on_delete,
        "Assign": assigned(cascade.assign),
        "Delete": on_delete,
        "Merge": on_merge,
        "Reparent": assigned(cascade.reparent),
        "RollupView": "NoCascade",
        "Share": assigned(cascade.share),
        "Unshare": assigned(cascade.unshare),
    })
}

fn assigned(cascade: AssignCascade) -> &'static str {
    match cascade {
        AssignCascade::None => "NoCascade",
        AssignCascade::All => "Cascade",
        AssignCascade::Active => "Active",
        AssignCascade::UserOwned => "UserOwned",
    }
}
