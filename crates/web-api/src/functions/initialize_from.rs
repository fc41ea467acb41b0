//! `InitializeFrom`: a new record prefilled from the one it will hang on. Nothing is stored.
//!
//! The mapping has no settings yet: columns of the same logical name and type are taken over, and the link to the record
//! they come from (docs/api.md).

use bytes::Bytes;
use custodia_org::{Restart, Row, RowSink};
use custodia_query::odata::ParameterValue;
use custodia_query::{Field, Query};
use custodia_schema::{Column, ColumnKind, OneToMany, Schema, Table, ValueRef};
use http::{Response, StatusCode};

use super::Operation;
use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::input::type_name;
use crate::json;
use crate::rows::write_column_value;

/// Columns that a new record has for itself, whatever the other one holds.
const OWN: &[&str] = &[
    "importsequencenumber",
    "masterid",
    "overriddencreatedon",
    "ownerid",
    "processid",
    "stageid",
    "statecode",
    "statuscode",
    "timezoneruleversionnumber",
    "traversedpath",
    "utcconversiontimezonecode",
];

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let moniker = operation.reference("EntityMoniker")?;
    let source = call.table(moniker.table)?;
    let target = target_table(operation)?;
    let parent = parent_link(&call.schema, source, target)
        .ok_or_else(|| Failure::invalid(format!("no record of '{}' hangs on one of '{}'", target.name, source.name)))?;
    let settable = settable(operation)?;
    let skips_parent = skips_parent(operation)?;
    let pairs: Vec<Pair<'_>> = target
        .columns()
        .iter()
        .filter(|column| settable(column) && column.id != parent.referencing_column)
        .filter_map(|column| Pair::of(&call.schema, source, target, column))
        .collect();

    let mut query = Query::of_row(source, &moniker.key);
    query.fields.extend(pairs.iter().map(|pair| Field::Column(pair.from.id)));
    let mut sink = Prefill { call, pairs: &pairs, found: None };
    call.organization.query(call.caller, &query, &mut sink).await?;
    let Some((id, values)) = sink.found else {
        return Err(call.organization.explain_missing(call.caller, source, &moniker.key).await.into());
    };

    let mut body = Vec::new();
    call.begin_body(&mut body, &format!("{}/$entity", target.set_name));
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    body.extend_from_slice(b"\"@odata.type\":");
    json::text(&mut body, &format!("#Microsoft.Dynamics.CRM.{}", target.name));
    body.extend_from_slice(&values);
    if !skips_parent {
        write_link(&mut body, &parent.lookup_navigation, source, &id);
    }
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

fn target_table<'c>(operation: &'c Operation<'_>) -> Result<&'c Table, Failure> {
    match operation.parameter("TargetEntityName") {
        Some(ParameterValue::Text(name)) => operation
            .call
            .schema
            .table_named(type_name(name))
            .map(|table| &**table)
            .ok_or_else(|| Failure::invalid(format!("TargetEntityName: there is no table '{name}'"))),
        _ => Err(Failure::invalid("InitializeFrom takes the parameter TargetEntityName, the logical name of a table")),
    }
}

/// Which columns are to be filled, from `TargetFieldType`.
fn settable(operation: &Operation<'_>) -> Result<fn(&Column) -> bool, Failure> {
    let kind = match operation.parameter("TargetFieldType") {
        None => "All",
        Some(ParameterValue::Enum { member, .. } | ParameterValue::Text(member) | ParameterValue::Number(member)) => {
            member
        }
        Some(_) => "",
    };
    Ok(match kind {
        // What is not settable on create would be refused or passed over when the record is sent.
        "All" | "0" | "ValidForCreate" | "1" => |column: &Column| column.creatable,
        "ValidForUpdate" | "2" => |column: &Column| column.creatable && column.updatable,
        "ValidForRead" | "3" => |column: &Column| column.creatable && column.readable,
        _ => {
            let message = "TargetFieldType is one of All, ValidForCreate, ValidForUpdate and ValidForRead";
            return Err(Failure::invalid(message));
        }
    })
}

/// Whether the link to the source is left out, from `SkipParentalRelationshipMapping`.
fn skips_parent(operation: &Operation<'_>) -> Result<bool, Failure> {
    match operation.parameter("SkipParentalRelationshipMapping") {
        None | Some(ParameterValue::Null) => Ok(false),
        Some(ParameterValue::Boolean(skips)) => Ok(*skips),
        Some(_) => Err(Failure::invalid("SkipParentalRelationshipMapping is true or false")),
    }
}

/// The relationship by which a new record hangs on the one it is prefilled from. Of several, the one that says so most
/// plainly.
fn parent_link<'s>(schema: &'s Schema, source: &Table, target: &Table) -> Option<&'s OneToMany> {
    let names = [
        "parentcustomerid".to_owned(),
        "customerid".to_owned(),
        format!("parent{}id", source.name),
        format!("{}id", source.name),
        "regardingobjectid".to_owned(),
        "objectid".to_owned(),
    ];
    let lookup = |relationship: &OneToMany| target.column_by_id(relationship.referencing_column);
    let links: Vec<_> = schema
        .parents_of(target.id)
        .filter(|relationship| relationship.referenced == source.id)
        .filter(|relationship| lookup(relationship).is_some_and(|column| column.creatable && !is_own(column)))
        .collect();
    let named = names.iter().find_map(|name| {
        links.iter().find(|relationship| lookup(relationship).is_some_and(|column| column.name == *name))
    });
    named.or(links.first()).copied()
}

fn is_own(column: &Column) -> bool {
    OWN.contains(&column.name.as_str())
}

/// A column and the one of the other table that it is filled from.
struct Pair<'s> {
    from: &'s Column,
    to: &'s Column,
    /// For a link: its navigation, and the table it leads to.
    link: Option<(&'s str, &'s Table)>,
}

impl<'s> Pair<'s> {
    fn of(schema: &'s Schema, source: &'s Table, target: &'s Table, to: &'s Column) -> Option<Self> {
        let from = source.column(&to.name).filter(|from| from.readable && from.kind.is_stored())?;
        let names = [(source, from), (target, to)];
        let is_key =
            |(table, column): (&Table, &Column)| column.id == table.primary_id || Some(column.id) == table.primary_name;
        if is_own(to) || !to.kind.is_stored() || names.into_iter().any(is_key) {
            return None;
        }
        let pair = Self { from, to, link: None };
        match (&from.kind, &to.kind) {
            (ColumnKind::Lookup { targets: one, .. }, ColumnKind::Lookup { targets: other, .. }) => {
                // A link that may lead to several tables says too little by its id alone.
                let [far] = other.as_slice() else { return None };
                let relationship = schema
                    .parents_of(target.id)
                    .find(|link| link.referencing_column == to.id && link.referenced == *far)?;
                let link = Some((relationship.lookup_navigation.as_str(), &**schema.table(*far)?));
                (one == other).then_some(Self { link, ..pair })
            }
            (ColumnKind::Text { .. }, ColumnKind::Text { .. }) | (ColumnKind::Memo { .. }, ColumnKind::Memo { .. }) => {
                Some(pair)
            }
            // Ids are of the record itself.
            (ColumnKind::Guid, _) => None,
            (one, other) => (one == other).then_some(pair),
        }
    }

    /// Whether a text fits where it is put.
    fn fits(&self, value: ValueRef<'_>) -> bool {
        match (&self.to.kind, value) {
            (ColumnKind::Text { max_length, .. } | ColumnKind::Memo { max_length, .. }, ValueRef::Text(text)) => {
                text.chars().count() <= *max_length as usize
            }
            _ => true,
        }
    }
}

/// Takes the row as members of the new record, each after a comma.
struct Prefill<'p> {
    call: &'p Call<'p>,
    pairs: &'p [Pair<'p>],
    found: Option<(custodia_schema::Guid, Vec<u8>)>,
}

impl RowSink for Prefill<'_> {
    fn row(&mut self, row: &Row<'_>) {
        let mut out = Vec::new();
        for (at, pair) in self.pairs.iter().enumerate() {
            let value = row.get(at + 1);
            if value == ValueRef::Null || row.is_masked(at + 1) || !pair.fits(value) {
                continue;
            }
            match (pair.link, row.guid(at + 1)) {
                (Some((navigation, table)), Some(id)) => write_link(&mut out, navigation, table, &id),
                (Some(_), None) => {}
                (None, _) => {
                    out.push(b',');
                    json::text(&mut out, &pair.to.name);
                    out.push(b':');
                    write_column_value(&mut out, pair.to, value, self.call.media.numbers_quoted);
                }
            }
        }
        self.found = Some((row.guid(0).unwrap_or_default(), out));
    }
}

impl Restart for Prefill<'_> {
    fn restart(&mut self) {
        self.found = None;
    }
}

fn write_link(out: &mut Vec<u8>, navigation: &str, table: &Table, id: &custodia_schema::Guid) {
    out.push(b',');
    json::text(out, &format!("{navigation}@odata.bind"));
    out.push(b':');
    json::text(out, &format!("/{}({id})", table.set_name));
}
