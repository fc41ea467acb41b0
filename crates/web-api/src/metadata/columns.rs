//! Descriptions of columns.

use custodia_schema::{
    Column, ColumnKind, DateBehavior, IntegerFormat, LookupFlavor, MoneyRole, RequiredLevel, Table, TextFormat,
};
use serde_json::{Number, Value as Json, json};

use super::item::{INTRODUCED, Properties, label, managed};
use super::model::Model;
use super::tables::is_custom;
use super::types::{
    BIG_INT, BOOLEAN, DATE_TIME, DECIMAL, DOUBLE, FILE, IMAGE, INTEGER, Kind, LOOKUP, MANAGED, MEMO, MONEY,
    MULTI_SELECT, PICKLIST, STATE, STATUS, STRING, TABLE_NAME, UNIQUE_IDENTIFIER,
};

/// The earliest and the latest moment that clients may send.
const MOMENTS: (&str, &str) = ("1753-01-01T00:00:00Z", "9999-12-30T23:59:59Z");

/// The largest picture or file that Dataverse lets a column have by default, in kilobytes.
const IMAGE_KILOBYTES: u32 = 10_240;
const FILE_KILOBYTES: u32 = 32_768;

/// Width and height of a thumbnail, in pixels.
const THUMBNAIL: u32 = 144;

/// The type of the description of a column.
pub(crate) fn kind_of(kind: &ColumnKind) -> &'static Kind {
    match kind {
        ColumnKind::Text { .. } => &STRING,
        ColumnKind::Memo { .. } => &MEMO,
        ColumnKind::Integer { .. } => &INTEGER,
        ColumnKind::BigInt => &BIG_INT,
        ColumnKind::Decimal { .. } => &DECIMAL,
        ColumnKind::Double { .. } => &DOUBLE,
        ColumnKind::Money { .. } => &MONEY,
        ColumnKind::Boolean { .. } => &BOOLEAN,
        ColumnKind::DateTime { .. } => &DATE_TIME,
        ColumnKind::Choice { .. } => &PICKLIST,
        ColumnKind::Choices { .. } => &MULTI_SELECT,
        ColumnKind::State { .. } => &STATE,
        ColumnKind::Status { .. } => &STATUS,
        ColumnKind::Guid => &UNIQUE_IDENTIFIER,
        ColumnKind::Lookup { .. } | ColumnKind::PartyList => &LOOKUP,
        ColumnKind::TableName => &TABLE_NAME,
        ColumnKind::Image => &IMAGE,
        ColumnKind::File => &FILE,
        ColumnKind::Managed => &MANAGED,
    }
}

/// The names of a column's type: as `AttributeType` and as `AttributeTypeName`.
fn type_names(kind: &ColumnKind) -> (&'static str, &'static str) {
    match kind {
        ColumnKind::Text { .. } => ("String", "StringType"),
        ColumnKind::Memo { .. } => ("Memo", "MemoType"),
        ColumnKind::Integer { .. } => ("Integer", "IntegerType"),
        ColumnKind::BigInt => ("BigInt", "BigIntType"),
        ColumnKind::Decimal { .. } => ("Decimal", "DecimalType"),
        ColumnKind::Double { .. } => ("Double", "DoubleType"),
        ColumnKind::Money { .. } => ("Money", "MoneyType"),
        ColumnKind::Boolean { .. } => ("Boolean", "BooleanType"),
        ColumnKind::DateTime { .. } => ("DateTime", "DateTimeType"),
        ColumnKind::Choice { .. } => ("Picklist", "PicklistType"),
        ColumnKind::Choices { .. } => ("Virtual", "MultiSelectPicklistType"),
        ColumnKind::State { .. } => ("State", "StateType"),
        ColumnKind::Status { .. } => ("Status", "StatusType"),
        ColumnKind::Guid => ("Uniqueidentifier", "UniqueidentifierType"),
        ColumnKind::Lookup { flavor: LookupFlavor::Owner, .. } => ("Owner", "OwnerType"),
        ColumnKind::Lookup { flavor: LookupFlavor::Customer, .. } => ("Customer", "CustomerType"),
        ColumnKind::Lookup { .. } => ("Lookup", "LookupType"),
        ColumnKind::PartyList => ("PartyList", "PartyListType"),
        ColumnKind::TableName => ("EntityName", "EntityNameType"),
        ColumnKind::Image => ("Virtual", "ImageType"),
        ColumnKind::File => ("Virtual", "FileType"),
        ColumnKind::Managed => ("ManagedProperty", "ManagedPropertyType"),
    }
}

pub(super) fn describe(model: Model<'_>, table: &Table, column: &Column) -> Properties {
    let name = format!("{}.{}", table.name, column.name);
    let (type_code, type_name) = type_names(&column.kind);
    let is_managed = !is_custom(table);
    let is_stored = column.kind.is_stored();
    let mut properties = vec![
        ("AttributeType", json!(type_code)),
        ("AttributeTypeName", json!({"Value": type_name})),
        ("AutoNumberFormat", json!(column.auto_number.as_deref().unwrap_or_default())),
        ("CanBeSecuredForCreate", json!(column.securable && column.creatable)),
        ("CanBeSecuredForRead", json!(column.securable && column.readable)),
        ("CanBeSecuredForUpdate", json!(column.securable && column.updatable)),
        ("CanModifyAdditionalSettings", managed("CanModifyAdditionalSettings", true)),
        ("ColumnNumber", json!(column.id.0)),
        ("DisplayName", label("AttributeMetadata", &name, column.display_name.text())),
        ("EntityLogicalName", json!(table.name)),
        ("IntroducedVersion", json!(INTRODUCED)),
        (
            "IsAuditEnabled",
            json!({
                "CanBeChanged": true,
                "ManagedPropertyLogicalName": "canmodifyauditsettings",
                "Value": column.audited,
            }),
        ),
        ("IsCustomAttribute", json!(!is_managed)),
        ("IsCustomizable", managed("IsCustomizable", true)),
        ("IsFilterable", json!(is_stored)),
        // Kept by the platform from other columns rather than given.
        ("IsLogical", json!(!column.derived_from.is_empty() || !is_stored)),
        ("IsManaged", json!(is_managed)),
        ("IsPrimaryId", json!(column.id == table.primary_id)),
        ("IsPrimaryName", json!(Some(column.id) == table.primary_name)),
        ("IsRenameable", managed("IsRenameable", true)),
        ("IsRetrievable", json!(column.readable)),
        ("IsSearchable", json!(column.kind.is_text())),
        ("IsSecured", json!(column.secured)),
        ("IsSortableEnabled", managed("IsSortableEnabled", is_stored)),
        ("IsValidForAdvancedFind", managed("IsValidForAdvancedFind", is_stored && column.readable)),
        ("IsValidForCreate", json!(column.creatable)),
        ("IsValidForForm", json!(column.readable)),
        ("IsValidForGrid", json!(column.readable && is_stored)),
        ("IsValidForRead", json!(column.readable)),
        ("IsValidForUpdate", json!(column.updatable)),
        ("IsValidODataAttribute", json!(column.readable)),
        ("LogicalName", json!(column.name)),
        (
            "RequiredLevel",
            json!({
                "CanBeChanged": column.required != RequiredLevel::System,
                "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
                "Value": required(column.required),
            }),
        ),
        ("SchemaName", json!(column.schema_name)),
    ];
    properties.extend(by_kind(model, table, column));
    properties
}

fn required(level: RequiredLevel) -> &'static str {
    match level {
        RequiredLevel::None => "None",
        RequiredLevel::Recommended => "Recommended",
        RequiredLevel::Application => "ApplicationRequired",
        RequiredLevel::System => "SystemRequired",
    }
}

/// What only columns of one type have.
fn by_kind(model: Model<'_>, table: &Table, column: &Column) -> Properties {
    // Zero: a column that holds what it was given.
    let simple = || [("SourceType", json!(0)), ("SourceTypeMask", json!(0)), ("FormulaDefinition", json!(""))];
    let mut properties: Properties = Vec::new();
    match &column.kind {
        ColumnKind::Text { max_length, format } => {
            properties.extend(simple());
            properties.extend(text_format(*format));
            // Two bytes for each character, as in Dataverse.
            properties.push(("DatabaseLength", json!(max_length.saturating_mul(2))));
            properties.push(("MaxLength", json!(max_length)));
        }
        ColumnKind::Memo { max_length, format } => {
            properties.extend(text_format(*format));
            properties.push(("MaxLength", json!(max_length)));
        }
        ColumnKind::Integer { min, max, format } => {
            properties.extend(simple());
            properties.push(("Format", json!(integer_format(*format))));
            properties.push(("MinValue", json!(min)));
            properties.push(("MaxValue", json!(max)));
        }
        ColumnKind::BigInt => {
            properties.push(("MinValue", json!(i64::MIN)));
            properties.push(("MaxValue", json!(i64::MAX)));
        }
        ColumnKind::Decimal { min, max, precision } => {
            properties.extend(simple());
            properties.push(("ImeMode", json!("Disabled")));
            properties.push(("MinValue", number(&min.normalize().to_string())));
            properties.push(("MaxValue", number(&max.normalize().to_string())));
            properties.push(("Precision", json!(precision)));
        }
        ColumnKind::Double { min, max, precision } => {
            properties.push(("ImeMode", json!("Disabled")));
            properties.push(("MinValue", json!(min)));
            properties.push(("MaxValue", json!(max)));
            properties.push(("Precision", json!(precision)));
        }
        ColumnKind::Money { min, max, precision, role } => {
            let of = match role {
                MoneyRole::Base { of } => table.column_by_id(*of),
                MoneyRole::Amount { .. } => None,
            };
            properties.extend(simple());
            properties.push(("CalculationOf", of.map_or(Json::Null, |column| json!(column.name))));
            properties.push(("ImeMode", json!("Disabled")));
            properties.push(("IsBaseCurrency", json!(of.is_some())));
            properties.push(("MinValue", number(&min.normalize().to_string())));
            properties.push(("MaxValue", number(&max.normalize().to_string())));
            properties.push(("Precision", json!(precision)));
            // As many digits as the currency has.
            properties.push(("PrecisionSource", json!(2)));
        }
        ColumnKind::Boolean { default, .. } => {
            properties.extend(simple());
            properties.push(("DefaultValue", json!(default.unwrap_or_default())));
        }
        ColumnKind::DateTime { behavior, date_only_format } => {
            let date_only = *date_only_format || *behavior == DateBehavior::DateOnly;
            properties.extend(simple());
            properties.push(("CanChangeDateTimeBehavior", managed("CanChangeDateTimeBehavior", false)));
            properties.push(("DateTimeBehavior", json!({"Value": date_behavior(*behavior)})));
            properties.push(("Format", json!(if date_only { "DateOnly" } else { "DateAndTime" })));
            properties.push(("ImeMode", json!("Auto")));
            properties.push(("MinSupportedValue", json!(MOMENTS.0)));
            properties.push(("MaxSupportedValue", json!(MOMENTS.1)));
        }
        ColumnKind::Choice { default, .. } => {
            properties.extend(simple());
            // -1: a new record has none.
            properties.push(("DefaultFormValue", json!(default.unwrap_or(-1))));
        }
        ColumnKind::Choices { .. } => {
            properties.extend(simple());
            properties.push(("DefaultFormValue", json!(-1)));
        }
        ColumnKind::State { options } => {
            let default = options.first().map(|state| state.choice.value);
            properties.push(("DefaultFormValue", json!(default)));
        }
        ColumnKind::Status { options } => {
            let default = options.first().map(|(choice, _)| choice.value);
            properties.push(("DefaultFormValue", json!(default)));
        }
        ColumnKind::Lookup { targets, flavor } => {
            let names: Vec<&str> = targets
                .iter()
                .filter_map(|target| model.schema.table(*target))
                .map(|target| target.name.as_str())
                .collect();
            let format = if *flavor == LookupFlavor::Regarding { "Regarding" } else { "None" };
            properties.push(("Format", json!(format)));
            properties.push(("Targets", json!(names)));
        }
        ColumnKind::Image => {
            properties.push(("CanStoreFullImage", json!(true)));
            properties.push(("IsPrimaryImage", json!(true)));
            properties.push(("MaxHeight", json!(THUMBNAIL)));
            properties.push(("MaxWidth", json!(THUMBNAIL)));
            properties.push(("MaxSizeInKB", json!(IMAGE_KILOBYTES)));
        }
        ColumnKind::File => properties.push(("MaxSizeInKB", json!(FILE_KILOBYTES))),
        ColumnKind::Managed => {
            properties.push(("ManagedPropertyLogicalName", json!(column.name)));
            properties.push(("ValueAttributeTypeCode", json!("Boolean")));
        }
        ColumnKind::Guid | ColumnKind::PartyList | ColumnKind::TableName => {}
    }
    properties
}

/// A number as its digits say.
fn number(digits: &str) -> Json {
    digits.parse::<Number>().map_or(Json::Null, Json::Number)
}

fn text_format(format: TextFormat) -> Properties {
    let name = match format {
        TextFormat::Text => "Text",
        TextFormat::TextArea => "TextArea",
        TextFormat::Email => "Email",
        TextFormat::Url => "Url",
        TextFormat::Phone => "Phone",
        TextFormat::TickerSymbol => "TickerSymbol",
        TextFormat::PhoneticGuide => "PhoneticGuide",
        TextFormat::RichText => "RichText",
        TextFormat::Json => "Json",
        TextFormat::VersionNumber => "VersionNumber",
    };
    // The older property knows fewer formats: there the newer ones are text.
    let older = match format {
        TextFormat::Phone | TextFormat::RichText | TextFormat::Json => "Text",
        _ => name,
    };
    vec![("Format", json!(older)), ("FormatName", json!({"Value": name})), ("ImeMode", json!("Auto"))]
}

fn integer_format(format: IntegerFormat) -> &'static str {
    match format {
        IntegerFormat::None => "None",
        IntegerFormat::Duration => "Duration",
        IntegerFormat::TimeZone => "TimeZone",
        IntegerFormat::Language => "Language",
        IntegerFormat::Locale => "Locale",
    }
}

fn date_behavior(behavior: DateBehavior) -> &'static str {
    match behavior {
        DateBehavior::UserLocal => "UserLocal",
        DateBehavior::DateOnly => "DateOnly",
        DateBehavior::TimeZoneIndependent => "TimeZoneIndependent",
    }
}
