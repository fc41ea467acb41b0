//! The switches of descriptions that a publisher may take away.

use serde_json::json;

use super::item::{Properties, label};

/// One of them.
#[derive(Debug)]
pub(crate) struct ManagedProperty {
    /// Its logical name.
    pub name: &'static str,
    /// What a person sees.
    pub label: &'static str,
    /// What it is about: the description that holds it.
    pub of: &'static str,
}

/// All that descriptions here have, in order of their names.
pub(crate) static ALL: &[ManagedProperty] = &[
    about_tables("canbeincustomentityassociation", "Can Be In Custom Table Association"),
    about_tables("canbeinmanytomany", "Can Be In Many-To-Many"),
    about_tables("canbeprimaryentityinrelationship", "Can Be Primary Table In Relationship"),
    about_tables("canberelatedentityinrelationship", "Can Be Related Table In Relationship"),
    about_columns("canbesecuredforcreate", "Can Be Secured For Create"),
    about_tables("canchangehierarchicalrelationship", "Can Change Hierarchical Relationship"),
    about_tables("canchangetrackingbeenabled", "Can Change Tracking Be Enabled"),
    about_tables("cancreateattributes", "Can Create Columns"),
    about_tables("cancreatecharts", "Can Create Charts"),
    about_tables("cancreateforms", "Can Create Forms"),
    about_tables("cancreateviews", "Can Create Views"),
    about_tables("canmodifyadditionalsettings", "Can Modify Additional Settings"),
    about_columns("canmodifyrequirementlevelsettings", "Can Modify Requirement Level"),
    about_tables("isauditenabled", "Is Audit Enabled"),
    about_tables("isconnectionsenabled", "Is Connections Enabled"),
    about_tables("iscustomizable", "Is Customizable"),
    about_tables("isduplicatedetectionenabled", "Is Duplicate Detection Enabled"),
    about_tables("ismappable", "Is Mappable"),
    about_tables("isrenameable", "Is Renameable"),
    about_tables("isvalidforqueue", "Is Valid For Queue"),
];

const fn about_tables(name: &'static str, label: &'static str) -> ManagedProperty {
    ManagedProperty { name, label, of: "Entity" }
}

const fn about_columns(name: &'static str, label: &'static str) -> ManagedProperty {
    ManagedProperty { name, label, of: "Attribute" }
}

pub(super) fn describe(property: &ManagedProperty) -> Properties {
    vec![
        ("DisplayName", label("ManagedPropertyMetadata", property.name, property.label)),
        ("EnablesEntityName", json!(property.of)),
        ("IntroducedVersion", json!("1.0.0.0")),
        ("LogicalName", json!(property.name)),
        ("ManagedPropertyType", json!("Operation")),
    ]
}
