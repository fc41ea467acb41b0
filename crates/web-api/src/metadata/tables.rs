//! Descriptions of tables and their alternate keys.

use custodia_schema::{AlternateKey, ColumnKind, Level, Ownership, PrivilegeKind, Table, TableId, privilege_id};
use serde_json::{Value as Json, json};

use super::item::{INTRODUCED, Properties, label, managed};

/// The first number of tables that an organisation made itself.
const FIRST_CUSTOM_TABLE: TableId = TableId(10_000);

/// Whether an organisation made it itself.
pub(super) fn is_custom(table: &Table) -> bool {
    table.id >= FIRST_CUSTOM_TABLE
}

pub(super) fn describe(table: &Table) -> Properties {
    let name = table.name.as_str();
    let of = |part: &str| format!("{name}.{part}");
    let text = |text: &str| if text.is_empty() { Json::Null } else { json!(text) };
    let column = |id| table.column_by_id(id).map_or(Json::Null, |column| json!(column.name));
    let image = table.columns().iter().find(|column| matches!(column.kind, ColumnKind::Image));
    let is_custom = is_custom(table);
    let has_rows_of_its_own = !table.is_intersect;
    vec![
        ("ActivityTypeMask", json!(i32::from(table.is_activity))),
        ("CanBeInCustomEntityAssociation", managed("CanBeInCustomEntityAssociation", has_rows_of_its_own)),
        ("CanBeInManyToMany", managed("CanBeInManyToMany", has_rows_of_its_own)),
        ("CanBePrimaryEntityInRelationship", managed("CanBePrimaryEntityInRelationship", has_rows_of_its_own)),
        ("CanBeRelatedEntityInRelationship", managed("CanBeRelatedEntityInRelationship", has_rows_of_its_own)),
        ("CanChangeTrackingBeEnabled", managed("CanChangeTrackingBeEnabled", has_rows_of_its_own)),
        ("CanCreateAttributes", managed("CanCreateAttributes", has_rows_of_its_own)),
        ("CanCreateCharts", managed("CanCreateCharts", has_rows_of_its_own)),
        ("CanCreateForms", managed("CanCreateForms", has_rows_of_its_own)),
        ("CanCreateViews", managed("CanCreateViews", has_rows_of_its_own)),
        ("CanModifyAdditionalSettings", managed("CanModifyAdditionalSettings", has_rows_of_its_own)),
        ("ChangeTrackingEnabled", json!(table.change_tracking)),
        ("CollectionSchemaName", text(&collection_schema_name(table))),
        ("DisplayCollectionName", label("DisplayCollectionName", name, table.display_collection_name.text())),
        ("DisplayName", label("DisplayName", name, table.display_name.text())),
        ("EntitySetName", text(&table.set_name)),
        ("HasActivities", json!(table.has_activities)),
        ("HasNotes", json!(table.has_notes)),
        ("IntroducedVersion", json!(INTRODUCED)),
        ("IsActivity", json!(table.is_activity)),
        ("IsActivityParty", json!(matches!(name, "account" | "contact" | "lead" | "systemuser" | "queue"))),
        ("IsAuditEnabled", switch("canmodifyauditsettings", table.audited)),
        ("IsConnectionsEnabled", managed("IsConnectionsEnabled", false)),
        ("IsCustomEntity", json!(is_custom)),
        ("IsCustomizable", managed("IsCustomizable", has_rows_of_its_own)),
        ("IsImportable", json!(table.privilege(PrivilegeKind::Create).is_some())),
        ("IsIntersect", json!(table.is_intersect)),
        ("IsManaged", json!(!is_custom)),
        ("IsMappable", managed("IsMappable", has_rows_of_its_own)),
        ("IsOptimisticConcurrencyEnabled", json!(table.optimistic_concurrency)),
        ("IsRenameable", managed("IsRenameable", has_rows_of_its_own)),
        ("IsRetrieveAuditEnabled", json!(table.reads_audited)),
        ("IsRetrieveMultipleAuditEnabled", json!(table.lists_audited)),
        ("IsStateModelAware", json!(table.state().is_some())),
        ("IsValidForAdvancedFind", json!(has_rows_of_its_own && !table.set_name.is_empty())),
        ("LogicalCollectionName", text(&table.set_name)),
        ("LogicalName", json!(name)),
        ("ObjectTypeCode", json!(table.id.0)),
        ("OwnershipType", json!(ownership(table.ownership))),
        ("PrimaryIdAttribute", column(table.primary_id)),
        ("PrimaryImageAttribute", image.map_or(Json::Null, |column| json!(column.name))),
        ("PrimaryNameAttribute", table.primary_name.map_or(Json::Null, column)),
        ("Privileges", privileges(table)),
        ("SchemaName", json!(table.schema_name)),
        ("TableType", json!("Standard")),
        ("Description", label("Description", &of("description"), "")),
    ]
}

/// The set's name in the spelling of schema names: `Accounts`.
fn collection_schema_name(table: &Table) -> String {
    match table.set_name.strip_prefix(table.name.as_str()) {
        Some(ending) => format!("{}{ending}", table.schema_name),
        // Another plural (`opportunities`): its beginning as far as both spell the same letters.
        None => {
            let same = table.set_name.chars().zip(table.name.chars()).take_while(|(a, b)| a == b).count();
            let beginning = table.schema_name.chars().take(same);
            beginning.chain(table.set_name.chars().skip(same)).collect()
        }
    }
}

fn switch(name: &str, value: bool) -> Json {
    json!({"CanBeChanged": true, "ManagedPropertyLogicalName": name, "Value": value})
}

fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::User => "UserOwned",
        Ownership::Organization => "OrganizationOwned",
        Ownership::Business => "BusinessOwned",
        Ownership::None => "None",
    }
}

fn privileges(table: &Table) -> Json {
    let each = table.privileges.iter().map(|privilege| {
        let may_be = |level: Level| privilege.levels.contains(&level);
        json!({
            "CanBeBasic": may_be(Level::Basic),
            "CanBeDeep": may_be(Level::Deep),
            "CanBeEntityReference": false,
            "CanBeGlobal": may_be(Level::Global),
            "CanBeLocal": may_be(Level::Local),
            "CanBeParentEntityReference": false,
            "Name": privilege.name,
            "PrivilegeId": privilege_id(&privilege.name).to_string(),
            "PrivilegeType": privilege.kind.word(),
        })
    });
    Json::Array(each.collect())
}

pub(super) fn describe_key(table: &Table, key: &AlternateKey) -> Properties {
    let columns: Vec<&str> =
        key.columns.iter().filter_map(|id| table.column_by_id(*id)).map(|column| column.name.as_str()).collect();
    vec![
        ("DisplayName", label("EntityKeyMetadata", &format!("{}.{}", table.name, key.name), &key.name)),
        // Keys are built in the transaction that makes their table.
        ("EntityKeyIndexStatus", json!("Active")),
        ("EntityLogicalName", json!(table.name)),
        ("IntroducedVersion", json!(INTRODUCED)),
        ("IsCustomizable", managed("IsCustomizable", true)),
        ("IsManaged", json!(!is_custom(table))),
        ("IsSynchronous", json!(true)),
        ("KeyAttributes", json!(columns)),
        ("LogicalName", json!(key.name)),
        ("SchemaName", json!(key.name)),
    ]
}
