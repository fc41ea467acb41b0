//! `$metadata`: tables, relationships, operations and the types of descriptions in the schema language of OData (CSDL 4.0),
//! for programs that generate clients.
//!
//! Everything it names is declared in it, and every `Partner` is one both ways: two navigations that are not each other's
//! only counterpart have none. It is written once for a schema snapshot and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use custodia_query::odata::{OWNER_ID, property_name};
use custodia_schema::{Column, ColumnKind, DateBehavior, Schema, Table, TableId};
use http::{HeaderValue, Response, header::CONTENT_TYPE};

use super::types::{COMPLEX_TYPES, ENUMERATIONS, KINDS, Kind, Property};
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;

/// Documents kept, over all organisations: nearly all have the standard tables and share one.
const KEPT_MAX: usize = 8;

/// Documents by the snapshot they describe, and whether they are annotated.
static KEPT: Mutex<Vec<(Weak<Schema>, bool, Bytes)>> = Mutex::new(Vec::new());

/// Operations and the types of their parameters and results. Those of one row are bound to its type.
const OPERATIONS: &str = include_str!("operations.xml");

/// The annotation that clients prefer who want the document annotated; `*` fits it.
const DESCRIPTION: &str = "Org.OData.Core.V1.Description";

/// Answers `$metadata`, annotated where the address or a preference asks for it: clients do either.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
    let (_, schema) = call.organization.described(call.caller).await?;
    let preferred = call.preferences.wants(DESCRIPTION);
    let annotated = preferred || call.options.iter().any(|(name, value)| name == "annotations" && value == "true");
    let mut response = Response::new(document(&schema, annotated));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(answer::applied(response, call.preferences.applied_to_rows(false).filter(|_| preferred).as_deref()))
}

/// The document of a snapshot, written if it is not there yet.
fn document(schema: &Arc<Schema>, annotated: bool) -> Bytes {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|(known, _, _)| known.strong_count() > 0);
    let found = kept.iter().find(|(known, form, _)| *form == annotated && known.as_ptr() == Arc::as_ptr(schema));
    if let Some((_, _, document)) = found {
        return document.clone();
    }
    let document = Bytes::from(Writer { schema, annotated, xml: String::new() }.document());
    if kept.len() >= KEPT_MAX {
        kept.remove(0);
    }
    kept.push((Arc::downgrade(schema), annotated, document.clone()));
    document
}

/// A navigation as it is declared.
struct Declared {
    /// The type it leads to, without namespace.
    target: String,
    collection: bool,
    partner: Option<String>,
    /// The property that holds the id, and the property of the target that it is.
    constraint: Option<(String, String)>,
    /// The set its records are in.
    set: Option<String>,
}

/// Whether a function, in any form that it is declared in, has a parameter of that name beside what it is bound to.
pub(crate) fn has_parameter(function: &str, parameter: &str) -> bool {
    let begins = format!("<Function Name=\"{function}\"");
    let declared = format!("<Parameter Name=\"{parameter}\"");
    let forms = OPERATIONS.split("</Function>").filter_map(|text| text.split_once(&begins).map(|(_, form)| form));
    parameter != "entity" && forms.into_iter().any(|form| form.contains(&declared))
}

struct Writer<'s> {
    schema: &'s Schema,
    annotated: bool,
    xml: String,
}

impl<'s> Writer<'s> {
    fn document(mut self) -> String {
        let navigations = self.navigations();
        self.line("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        self.line("<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">");
        if self.annotated {
            self.reference("https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml", "Core");
        }
        self.line("<edmx:DataServices>");
        self.line(
            "<Schema Namespace=\"Microsoft.Dynamics.CRM\" Alias=\"mscrm\" \
             xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
        );
        self.line("<EntityType Name=\"crmbaseentity\" Abstract=\"true\" />");
        self.line("<EntityType Name=\"principal\" BaseType=\"mscrm.crmbaseentity\" Abstract=\"true\">");
        let _ = writeln!(self.xml, "<Property Name=\"{OWNER_ID}\" Type=\"Edm.Guid\" Nullable=\"false\" />");
        self.line("</EntityType>");
        // A type stands after the one it extends.
        let base_first = self.schema.tables().iter().filter(|table| table.name == ACTIVITIES);
        let others = self.schema.tables().iter().filter(|table| table.name != ACTIVITIES);
        for table in base_first.chain(others) {
            self.table(table, &navigations);
        }
        for kind in KINDS {
            self.kind(kind);
        }
        self.types();
        self.xml.push_str(OPERATIONS.trim_end());
        self.xml.push('\n');
        self.container(&navigations);
        self.line("</Schema>");
        self.line("</edmx:DataServices>");
        self.line("</edmx:Edmx>");
        self.xml
    }

    fn line(&mut self, text: &str) {
        self.xml.push_str(text);
        self.xml.push('\n');
    }

    fn reference(&mut self, address: &str, alias: &str) {
        let namespace = address.rsplit('/').next().unwrap_or_default().trim_end_matches(".xml");
        // Writing into a string cannot fail, here and below.
        let _ = writeln!(
            self.xml,
            "<edmx:Reference Uri=\"{address}\"><edmx:Include Namespace=\"{namespace}\" Alias=\"{alias}\" /></edmx:Reference>"
        );
    }

    /// The columns that a type declares itself: readable ones that have values, but for those of its base.
    fn own_columns(&self, table: &'s Table) -> impl Iterator<Item = &'s Column> {
        let base = self.base_table(table);
        table
            .columns()
            .iter()
            .filter(|column| column.readable && column.kind.is_stored())
            .filter(move |column| base.is_none_or(|base| !base.column(&column.name).is_some_and(is_declared)))
    }

    /// The table whose type an activity's extends.
    fn base_table(&self, table: &Table) -> Option<&'s Table> {
        if table.is_activity && table.name != ACTIVITIES {
            self.schema.table_named(ACTIVITIES).map(|table| &**table)
        } else {
            None
        }
    }

    /// All navigations by table and name.
    fn navigations(&self) -> BTreeMap<TableId, BTreeMap<String, Declared>> {
        let mut all: BTreeMap<TableId, BTreeMap<String, Declared>> = BTreeMap::new();
        for table in self.schema.tables() {
            let mut own: BTreeMap<String, Declared> = BTreeMap::new();
            self.single_navigations(table, &mut own);
            self.collections(table, &mut own);
            all.insert(table.id, own);
        }
        // What the base of an activity declares is the activity's too.
        if let Some(activities) = self.schema.table_named(ACTIVITIES) {
            let inherited: BTreeSet<String> =
                all.get(&activities.id).into_iter().flatten().map(|(name, _)| name.clone()).collect();
            for table in self.schema.tables().iter().filter(|table| self.base_table(table).is_some()) {
                if let Some(own) = all.get_mut(&table.id) {
                    own.retain(|name, _| !inherited.contains(name));
                }
            }
        }
        self.pair(&mut all);
        all
    }

    fn single_navigations(&self, table: &Table, own: &mut BTreeMap<String, Declared>) {
        for parent in self.schema.parents_of(table.id) {
            let Some(target) = self.schema.table(parent.referenced) else { continue };
            let Some(column) = table.column_by_id(parent.referencing_column) else { continue };
            if parent.lookup_navigation.is_empty() || !column.readable {
                continue;
            }
            match own.get_mut(&parent.lookup_navigation) {
                // Several tables: their common base.
                Some(known) => {
                    let known_table = self.schema.table_named(&known.target);
                    let both_principals = target.is_principal()
                        && known_table.map_or(known.target == "principal", |table| table.is_principal());
                    let common = if both_principals { "principal" } else { "crmbaseentity" };
                    *known = Declared {
                        target: common.to_owned(),
                        collection: false,
                        partner: None,
                        constraint: None,
                        set: None,
                    };
                }
                None => {
                    let key = target.column_by_id(target.primary_id).map(|key| key.name.clone());
                    let partner =
                        (!parent.collection_navigation.is_empty()).then(|| parent.collection_navigation.clone());
                    own.insert(
                        parent.lookup_navigation.clone(),
                        Declared {
                            target: target.name.clone(),
                            collection: false,
                            partner,
                            constraint: key.map(|key| (property_name(column).into_owned(), key)),
                            set: (!target.set_name.is_empty()).then(|| target.set_name.clone()),
                        },
                    );
                }
            }
        }
    }

    fn collections(&self, table: &Table, own: &mut BTreeMap<String, Declared>) {
        let mut declare = |name: &str, far: TableId, partner: &str| {
            let Some(far) = self.schema.table(far) else { return };
            if name.is_empty() || own.contains_key(name) {
                return;
            }
            own.insert(
                name.to_owned(),
                Declared {
                    target: far.name.clone(),
                    collection: true,
                    partner: (!partner.is_empty()).then(|| partner.to_owned()),
                    constraint: None,
                    set: (!far.set_name.is_empty()).then(|| far.set_name.clone()),
                },
            );
        };
        for child in self.schema.children_of(table.id) {
            declare(&child.collection_navigation, child.referencing, &child.lookup_navigation);
        }
        for link in self.schema.links_of(table.id) {
            if link.first == table.id {
                declare(&link.first_navigation, link.second, &link.second_navigation);
            }
            if link.second == table.id {
                declare(&link.second_navigation, link.first, &link.first_navigation);
            }
        }
    }

    /// Takes away partners that are not each other's.
    fn pair(&self, all: &mut BTreeMap<TableId, BTreeMap<String, Declared>>) {
        let mut alone = Vec::new();
        for (table, own) in all.iter() {
            let Some(own_type) = self.schema.table(*table).map(|table| table.name.as_str()) else { continue };
            for (name, declared) in own {
                let Some(partner) = &declared.partner else { continue };
                let far = self.schema.table_named(&declared.target).and_then(|far| all.get(&far.id));
                let back = far.and_then(|far| far.get(partner));
                let is_mutual = back.is_some_and(|back| back.partner.as_ref() == Some(name) && back.target == own_type);
                if !is_mutual {
                    alone.push((*table, name.clone()));
                }
            }
        }
        for (table, name) in alone {
            if let Some(declared) = all.get_mut(&table).and_then(|own| own.get_mut(&name)) {
                declared.partner = None;
            }
        }
    }

    fn table(&mut self, table: &'s Table, navigations: &BTreeMap<TableId, BTreeMap<String, Declared>>) {
        let base = match self.base_table(table) {
            Some(_) => ACTIVITIES,
            None if table.is_principal() => "principal",
            None => "crmbaseentity",
        };
        let _ = writeln!(self.xml, "<EntityType Name=\"{}\" BaseType=\"mscrm.{base}\">", table.name);
        let key = table.column_by_id(table.primary_id);
        if let Some(key) = key.filter(|_| base != ACTIVITIES) {
            let _ = writeln!(self.xml, "<Key><PropertyRef Name=\"{}\" /></Key>", key.name);
        }
        let columns: Vec<&Column> = self.own_columns(table).collect();
        for column in columns {
            self.property(table, column);
        }
        for (name, declared) in navigations.get(&table.id).into_iter().flatten() {
            self.navigation(name, declared, false);
        }
        if self.annotated {
            self.annotation("Core.Description", table.display_name.text());
        }
        self.line("</EntityType>");
    }

    fn property(&mut self, table: &Table, column: &Column) {
        let facets = match &column.kind {
            ColumnKind::Text { max_length, .. } | ColumnKind::Memo { max_length, .. } => {
                format!(" MaxLength=\"{max_length}\"")
            }
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => " Scale=\"variable\"".to_owned(),
            _ if column.id == table.primary_id => " Nullable=\"false\"".to_owned(),
            _ => String::new(),
        };
        let _ = write!(
            self.xml,
            "<Property Name=\"{}\" Type=\"{}\"{facets}",
            property_name(column),
            edm_type(&column.kind)
        );
        if !self.annotated {
            self.line(" />");
            return;
        }
        self.line(">");
        self.annotation("Core.Description", column.display_name.text());
        if !column.creatable && !column.updatable {
            self.line(
                "<Annotation Term=\"Core.Permissions\"><EnumMember>Core.Permission/Read</EnumMember></Annotation>",
            );
        }
        self.line("</Property>");
    }

    fn navigation(&mut self, name: &str, declared: &Declared, contained: bool) {
        let target = &declared.target;
        let of = if declared.collection { format!("Collection(mscrm.{target})") } else { format!("mscrm.{target}") };
        let _ = write!(self.xml, "<NavigationProperty Name=\"{name}\" Type=\"{of}\"");
        if let Some(partner) = &declared.partner {
            let _ = write!(self.xml, " Partner=\"{partner}\"");
        }
        if contained {
            self.xml.push_str(" ContainsTarget=\"true\"");
        }
        match &declared.constraint {
            None => self.line(" />"),
            Some((property, referenced)) => {
                let _ = writeln!(
                    self.xml,
                    "><ReferentialConstraint Property=\"{property}\" ReferencedProperty=\"{referenced}\" />\
                     </NavigationProperty>"
                );
            }
        }
    }

    fn annotation(&mut self, term: &str, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.xml, "<Annotation Term=\"{term}\" String=\"{}\" />", escaped(text));
        }
    }

    fn kind(&mut self, kind: &'static Kind) {
        let _ = write!(self.xml, "<EntityType Name=\"{}\"", kind.name);
        if let Some(base) = kind.base {
            let _ = write!(self.xml, " BaseType=\"mscrm.{}\"", base.name);
        }
        self.line(if kind.is_abstract { " Abstract=\"true\">" } else { ">" });
        if let Some((id, _)) = kind.properties.iter().find(|(name, _)| *name == kind.id_property()) {
            let _ = writeln!(self.xml, "<Key><PropertyRef Name=\"{id}\" /></Key>");
        }
        self.members(kind.properties, Some(kind.id_property()));
        for navigation in kind.navigations {
            let declared = Declared {
                target: navigation.kind.name.to_owned(),
                collection: navigation.collection,
                partner: None,
                constraint: None,
                set: None,
            };
            // Shared option sets stand by themselves; everything else is part of what leads to it.
            self.navigation(navigation.name, &declared, navigation.name != "GlobalOptionSet");
        }
        self.line("</EntityType>");
    }

    fn members(&mut self, members: &[Property], id: Option<&str>) {
        for (name, type_name) in members {
            let facets = match *type_name {
                "Edm.Guid" if id == Some(*name) => " Nullable=\"false\"",
                "Edm.Decimal" => " Scale=\"variable\"",
                _ => "",
            };
            let _ = writeln!(self.xml, "<Property Name=\"{name}\" Type=\"{}\"{facets} />", qualified(type_name));
        }
    }

    fn types(&mut self) {
        for complex in COMPLEX_TYPES {
            let _ = write!(self.xml, "<ComplexType Name=\"{}\"", complex.name);
            if let Some(base) = complex.base {
                let _ = write!(self.xml, " BaseType=\"mscrm.{base}\"");
            }
            self.line(">");
            // The id of a part may be missing.
            for (name, type_name) in complex.members {
                let _ = writeln!(self.xml, "<Property Name=\"{name}\" Type=\"{}\" />", qualified(type_name));
            }
            self.line("</ComplexType>");
        }
        for enumeration in ENUMERATIONS {
            let flags = if enumeration.is_flags { " IsFlags=\"true\"" } else { "" };
            let _ = writeln!(self.xml, "<EnumType Name=\"{}\"{flags}>", enumeration.name);
            for (name, value) in enumeration.members {
                let _ = writeln!(self.xml, "<Member Name=\"{name}\" Value=\"{value}\" />");
            }
            self.line("</EnumType>");
        }
    }

    fn container(&mut self, navigations: &BTreeMap<TableId, BTreeMap<String, Declared>>) {
        self.line("<EntityContainer Name=\"System\">");
        for table in self.schema.tables().iter().filter(|table| !table.set_name.is_empty()) {
            let _ = writeln!(self.xml, "<EntitySet Name=\"{}\" EntityType=\"mscrm.{}\">", table.set_name, table.name);
            for (name, declared) in navigations.get(&table.id).into_iter().flatten() {
                if let Some(set) = &declared.set {
                    let _ = writeln!(self.xml, "<NavigationPropertyBinding Path=\"{name}\" Target=\"{set}\" />");
                }
            }
            self.line("</EntitySet>");
        }
        for (set, kind) in [
            ("EntityDefinitions", "EntityMetadata"),
            ("GlobalOptionSetDefinitions", "OptionSetMetadataBase"),
            ("ManagedPropertyDefinitions", "ManagedPropertyMetadata"),
            ("RelationshipDefinitions", "RelationshipMetadataBase"),
            ("sdkmessagefilters", "sdkmessagefilter"),
            ("sdkmessages", "sdkmessage"),
        ] {
            let _ = writeln!(self.xml, "<EntitySet Name=\"{set}\" EntityType=\"mscrm.{kind}\" />");
        }
        // What is bound to nothing is imported under its own name.
        for line in OPERATIONS.lines().filter(|line| !line.contains("IsBound=\"true\"")) {
            for element in ["Function", "Action"] {
                let name = line.trim_start().strip_prefix(&format!("<{element} Name=\""));
                if let Some(name) = name.and_then(|rest| rest.split('"').next()) {
                    let _ = writeln!(self.xml, "<{element}Import Name=\"{name}\" {element}=\"mscrm.{name}\" />");
                }
            }
        }
        self.line("</EntityContainer>");
    }
}

/// The table in which every activity stands once more: the base of their types.
pub(crate) const ACTIVITIES: &str = "activitypointer";

/// Whether the type of a table declares a column.
fn is_declared(column: &Column) -> bool {
    column.readable && column.kind.is_stored()
}

/// The protocol's type of a column's values.
fn edm_type(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => "Edm.Int32",
        ColumnKind::BigInt => "Edm.Int64",
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => "Edm.Decimal",
        ColumnKind::Double { .. } => "Edm.Double",
        ColumnKind::Boolean { .. } | ColumnKind::Managed => "Edm.Boolean",
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => "Edm.Date",
        ColumnKind::DateTime { .. } => "Edm.DateTimeOffset",
        ColumnKind::Guid | ColumnKind::Lookup { .. } | ColumnKind::File => "Edm.Guid",
        ColumnKind::Image => "Edm.Binary",
        ColumnKind::Text { .. }
        | ColumnKind::Memo { .. }
        | ColumnKind::Choices { .. }
        | ColumnKind::TableName
        | ColumnKind::PartyList => "Edm.String",
    }
}

/// A type's name with the namespace's alias.
fn qualified(type_name: &str) -> String {
    match type_name.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => format!("Collection({})", qualified(inner)),
        None if type_name.starts_with("Edm.") => type_name.to_owned(),
        None => format!("mscrm.{type_name}"),
    }
}

/// A text as it stands in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::OPERATIONS;
    use crate::functions::{ACTIONS, Bound, FUNCTIONS};

    #[test]
    fn every_operation_that_is_answered_is_declared() {
        for (element, operations) in [("Function", FUNCTIONS), ("Action", ACTIONS)] {
            for (name, bound, _) in operations {
                let bound = if *bound == Bound::Nothing { "" } else { " IsBound=\"true\"" };
                let declared = format!("<{element} Name=\"{name}\"{bound}>");
                assert!(OPERATIONS.lines().any(|line| line == declared), "{declared}");
            }
        }
    }
}
