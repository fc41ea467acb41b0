//! What a caller gives for a record: JSON members into columns and links.

use custodia_org::{Input, RecordInput, Reference};
use custodia_query::RowKey;
use custodia_query::odata::{
    Navigation, OWNER_ID, SingleNavigation, navigation, owner_id, parse_moment, parse_reference,
};
use custodia_schema::{Column, ColumnId, ColumnKind, DateBehavior, Decimal, Guid, Money, Schema, Table, Value};
use http::StatusCode;
use serde_json::value::RawValue;

mod nested;

use nested::Nested;
pub(crate) use nested::{NewRecords, new_records};

use crate::body::{Json, JsonKind, Object};
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::json::DAY_SECONDS;
use crate::links::expect_table;
use crate::metadata::csdl::ACTIVITIES;
use crate::time_zone;

/// The column in which a user chooses a time zone.
const TIME_ZONE_OF_USER: (&str, &str) = ("usersettings", "timezonecode");

/// What names a link in a body.
const BIND: &str = "odata.bind";

/// The members of a body as the columns of a record of `table`. Annotations are passed over.
///
/// # Errors
/// Members that the table does not have or that are of another type; records within the record, which only
/// [`new_records`] takes.
pub(crate) fn record_input(
    call: &Call<'_>,
    table: &Table,
    object: &Object<'_>,
    numbers_quoted: bool,
) -> Result<RecordInput, Failure> {
    let id = given_id(table, object)?.filter(|id| !id.is_nil());
    let mut reader = Reader { call, table, numbers_quoted, columns: Vec::new(), nested: None };
    for (name, value) in object.members() {
        reader.member(name, value)?;
    }
    Ok(RecordInput { table: table.id, id, columns: reader.columns })
}

struct Reader<'r> {
    call: &'r Call<'r>,
    table: &'r Table,
    numbers_quoted: bool,
    columns: Vec<(ColumnId, Input)>,
    /// What is made beside the record; `None` where it is changed and not made.
    nested: Option<Nested<'r>>,
}

impl Reader<'_> {
    fn member(&mut self, name: &str, value: Json<'_>) -> Result<(), Failure> {
        match name.split_once('@') {
            Some(("", "odata.type")) => self.check_type(value),
            Some((navigation, BIND)) => self.bind(navigation, value),
            Some(_) => Ok(()),
            None => self.property(name, value),
        }
    }

    /// A type, if it is said, must be the table's; null says as much as leaving it out.
    fn check_type(&self, value: Json<'_>) -> Result<(), Failure> {
        if value.is_null() {
            return Ok(());
        }
        check_type(self.table, &value.text_as("@odata.type")?)
    }

    fn bind(&mut self, name: &str, value: Json<'_>) -> Result<(), Failure> {
        match navigation(&self.call.schema, self.table, name) {
            Some(Navigation::Single(single)) => {
                let input = if value.is_null() {
                    Input::Value(Value::Null)
                } else {
                    let text = value.text().map_err(|mistyped| {
                        mistyped.of(&format!("{name}@{BIND}"), "the address of a record, or null,")
                    })?;
                    Input::Link(self.reference(&single, &text)?)
                };
                self.set(single.lookup, input)
            }
            Some(Navigation::Collection(collection)) => self.bind_children(&collection, value),
            None => Err(self.undeclared(name)),
        }
    }

    fn reference(&self, single: &SingleNavigation, text: &str) -> Result<Reference, Failure> {
        let reference = self.call.reference(text)?;
        if single.targets.contains(&reference.table) {
            return Ok(reference);
        }
        let targets: Vec<&str> = single
            .targets
            .iter()
            .filter_map(|target| self.call.schema.table(*target))
            .map(|table| table.set_name.as_str())
            .collect();
        let message =
            format!("'{}' cannot point at '{text}'; expected a record of {}", single.name, targets.join(" or "));
        Err(Failure::new(StatusCode::BAD_REQUEST, code::UNREADABLE_BODY, message))
    }

    fn property(&mut self, name: &str, value: Json<'_>) -> Result<(), Failure> {
        let table = self.table;
        if let Some(navigation) = navigation(&self.call.schema, table, name) {
            return self.navigation(name, navigation, value);
        }
        let logical = name.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value"));
        if let Some(column) = logical.and_then(|logical| table.column(logical))
            && matches!(column.kind, ColumnKind::Lookup { .. })
        {
            let how = how_to_link(&self.call.schema, self.table, column);
            return Err(Failure::body(format!("'{name}' cannot be written; {how}")));
        }
        let column = table.column(name).filter(|column| !matches!(column.kind, ColumnKind::Lookup { .. }));
        let Some(column) = column.or_else(|| owner_id(table, name)) else {
            let lookup = table.column(name).filter(|column| matches!(column.kind, ColumnKind::Lookup { .. }));
            let hint = lookup
                .map(|lookup| {
                    format!(" A lookup is no property: {}.", how_to_link(&self.call.schema, self.table, lookup))
                })
                .unwrap_or_default();
            return Err(Failure::invalid(format!(
                "Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'.{hint}",
                table.name
            )));
        };
        if !column.kind.is_stored() {
            return Err(Failure::unsupported(format!("writing column '{name}' of table '{}'", table.name)));
        }
        // The id is read of the whole object: see `given_id`.
        if column.id == table.primary_id {
            return Ok(());
        }
        let value = column_value(table, column, value, self.numbers_quoted)?;
        self.set(column.id, Input::Value(value))
    }

    /// A navigation without `@odata.bind`: null clears a link, an address in an object sets it.
    fn navigation(&mut self, name: &str, navigation: Navigation, value: Json<'_>) -> Result<(), Failure> {
        match (navigation, value.kind()) {
            (Navigation::Single(single), JsonKind::Null) => self.set(single.lookup, Input::Value(Value::Null)),
            (Navigation::Single(single), JsonKind::Object) => {
                let Some(object) = value.object()? else { return Ok(()) };
                match self.call.linked(name, &object)? {
                    Some(reference) => {
                        expect_table(self.call, name, &single.targets, &reference)?;
                        self.set(single.lookup, Input::Link(reference))
                    }
                    None => self.make_parent(&single, &object),
                }
            }
            (Navigation::Collection(_), JsonKind::List) if value.is_empty_list() => Ok(()),
            (Navigation::Collection(collection), JsonKind::List) => {
                let objects = value.objects()?.unwrap_or_default();
                self.make_children(&collection, &objects)
            }
            (navigation, kind) => {
                let expected = match navigation {
                    Navigation::Single(single) => {
                        let column = self.table.column_by_id(single.lookup);
                        let how = column.map(|column| how_to_link(&self.call.schema, self.table, column));
                        format!("null or an object was expected; {}", how.unwrap_or_default())
                    }
                    Navigation::Collection(_) => "a list was expected".to_owned(),
                };
                Err(Failure::body(format!("'{name}' is {}; {expected}", kind.noun())))
            }
        }
    }

    /// Sets a column. A link to one table and null for another stand for the same column: the link counts.
    fn set(&mut self, column: ColumnId, input: Input) -> Result<(), Failure> {
        let is_null = |input: &Input| matches!(input, Input::Value(Value::Null));
        match self.columns.iter_mut().find(|(known, _)| *known == column) {
            None => self.columns.push((column, input)),
            Some((_, known)) if is_null(known) => *known = input,
            Some(_) if is_null(&input) => {}
            Some(_) => {
                let name = self.table.column_by_id(column).map_or("", |column| &column.name);
                return Err(Failure::body(format!("column '{name}' is given two values")));
            }
        }
        Ok(())
    }

    fn undeclared(&self, name: &str) -> Failure {
        let lookup = self.table.column(name).filter(|column| matches!(column.kind, ColumnKind::Lookup { .. }));
        let hint = lookup
            .map(|lookup| format!(" A lookup is no property: {}.", how_to_link(&self.call.schema, self.table, lookup)))
            .unwrap_or_default();
        Failure::body(format!(
            "An undeclared property '{name}' was found: 'Microsoft.Dynamics.CRM.{}' has no navigation of that name.{hint}",
            self.table.name
        ))
    }
}

impl Call<'_> {
    /// Reads the address of a record, as bodies and queries give it.
    pub(crate) fn reference(&self, text: &str) -> Result<Reference, Failure> {
        if let Some(content_id) = text.trim().trim_start_matches('/').strip_prefix('$') {
            let earlier = self.earlier.iter().rev().find(|earlier| earlier.content_id == content_id);
            return earlier.map(|earlier| earlier.record.clone()).ok_or_else(|| {
                Failure::invalid(format!("'{text}': no earlier request of this change set has that Content-ID"))
            });
        }
        let found = parse_reference(&self.schema, text, self.request.service_root, self.request.limits)?;
        Ok(Reference { table: found.table, key: found.key })
    }

    /// The record whose address an object has. A type and a primary id beside it are that record's.
    pub(crate) fn addressed(&self, object: &Object<'_>) -> Result<Reference, Failure> {
        let address = object.need_text("@odata.id")?;
        let reference = self.reference(&address)?;
        let table = self.table(reference.table)?;
        if let Some(said) = object.text_of("@odata.type")?
            && !is_addressed_as(&self.schema, table, &said)
        {
            return Err(other_type(table, &said));
        }
        check_id_beside(table, object, &address, &reference)?;
        Ok(reference)
    }

    /// The record that an object within a record links, if it has an address: nothing of it is changed there.
    fn linked(&self, name: &str, object: &Object<'_>) -> Result<Option<Reference>, Failure> {
        if object.get("@odata.id").is_none() {
            return Ok(None);
        }
        let reference = self.addressed(object)?;
        let table = self.table(reference.table)?;
        let says_which = |member: &str| match member.split_once('@') {
            Some((_, annotation)) => annotation != BIND,
            None => {
                table.column_by_id(table.primary_id).is_some_and(|column| column.name == member)
                    || (member == OWNER_ID && owner_id(table, OWNER_ID).is_some())
            }
        };
        match object.members().find(|(member, _)| !says_which(member)) {
            Some((member, _)) => Err(Failure::body(format!(
                "'{name}' links a record by '@odata.id', and '{member}' would change it: write that record by itself"
            ))),
            None => Ok(Some(reference)),
        }
    }

    /// The record that an object in the body of an action stands for: by its address, or by type and primary id.
    pub(crate) fn referenced(&self, name: &str, object: &Object<'_>) -> Result<Reference, Failure> {
        if object.given("@odata.id").is_some() {
            return self.addressed(object);
        }
        let named = object.need_text("@odata.type")?;
        let table = table_of_type(&self.schema, &named)
            .ok_or_else(|| Failure::body(format!("'{name}': there is no type '{named}'")))?;
        let id = given_id(table, object)?.ok_or_else(|| {
            let id_name = table.column_by_id(table.primary_id).map_or("", |column| &column.name);
            Failure::body(format!("'{name}' lacks a GUID in '{id_name}'"))
        })?;
        Ok(Reference { table: table.id, key: RowKey::Id(id) })
    }
}

/// That the address which the body of a record says of itself, if it does, is that of the record which is written: what was read
/// of one is sent back to the same. A new one has none but by the id it is given. Of a record that is addressed by an alternate key
/// nothing tells which id it has.
pub(crate) fn check_own_address(
    call: &Call<'_>,
    table: &Table,
    object: &Object<'_>,
    key: Option<&RowKey>,
) -> Result<(), Failure> {
    let Some(address) = object.text_of("@odata.id")? else { return Ok(()) };
    let said = call.reference(&address)?;
    let is_same = match (key, &said.key) {
        (Some(RowKey::Alternate(_)), RowKey::Id(_)) => true,
        (key, said) => key == Some(said),
    };
    if is_same && said.table == table.id {
        return Ok(());
    }
    Err(Failure::body(format!("'@odata.id' is '{address}', and another record is written: leave the address out")))
}

/// How a lookup is set, for messages: by its navigations, each with a set that it leads to.
pub(crate) fn how_to_link(schema: &Schema, table: &Table, lookup: &Column) -> String {
    if !lookup.creatable && !lookup.updatable {
        return "the service alone sets it".to_owned();
    }
    let mut ways: Vec<(&str, &str)> = Vec::new();
    for parent in schema.parents_of(table.id).filter(|parent| parent.referencing_column == lookup.id) {
        let set = schema.table(parent.referenced).map_or("", |table| &table.set_name);
        // One that leads to users and teams alike is told of once.
        if !ways.iter().any(|(name, _)| *name == parent.lookup_navigation) {
            ways.push((&parent.lookup_navigation, set));
        }
    }
    let ways: Vec<_> = ways.iter().map(|(name, set)| format!("\"{name}@{BIND}\": \"/{set}(GUID)\"")).collect();
    format!("link with {}", ways.join(" or "))
}

/// The name of a type without its namespace.
pub(crate) fn type_name(text: &str) -> &str {
    let text = text.trim().trim_start_matches('#');
    text.strip_prefix("Microsoft.Dynamics.CRM.").or_else(|| text.strip_prefix("mscrm.")).unwrap_or(text)
}

/// That a type, which a body says, is the table's.
fn check_type(table: &Table, said: &str) -> Result<(), Failure> {
    if type_name(said) == table.name { Ok(()) } else { Err(other_type(table, said)) }
}

fn other_type(table: &Table, said: &str) -> Failure {
    Failure::body(format!("@odata.type is '{said}'; expected Microsoft.Dynamics.CRM.{}", table.name))
}

/// Whether a type may be said of a record that is addressed in a table's set: the table's own, one that it extends, or that of
/// an activity, each of which also stands in the set of all.
fn is_addressed_as(schema: &Schema, table: &Table, said: &str) -> bool {
    match type_name(said) {
        "crmbaseentity" => true,
        "principal" => table.is_principal(),
        ACTIVITIES => table.is_activity || table.name == ACTIVITIES,
        name => {
            name == table.name
                || (table.name == ACTIVITIES && schema.table_named(name).is_some_and(|table| table.is_activity))
        }
    }
}

/// That an object names one record: the primary id beside its address is the same one. Beside the columns of an alternate key
/// nothing tells whether it is, so none is taken. One of zeros says nothing.
pub(crate) fn check_id_beside(
    table: &Table,
    object: &Object<'_>,
    address: &str,
    reference: &Reference,
) -> Result<(), Failure> {
    let Some(id) = given_id(table, object)?.filter(|id| !id.is_nil()) else { return Ok(()) };
    match reference.key {
        RowKey::Id(addressed) if addressed == id => Ok(()),
        RowKey::Id(_) => Err(Failure::body(format!(
            "'@odata.id' is '{address}', and the primary id another one: give one of the two"
        ))),
        RowKey::Alternate(_) => Err(Failure::body(format!(
            "'@odata.id' is '{address}': a primary id beside an alternate key is not taken: give one of the two"
        ))),
    }
}

fn table_of_type<'s>(schema: &'s Schema, text: &str) -> Option<&'s Table> {
    schema.table_named(type_name(text)).map(|table| &**table)
}

/// The primary id that an object gives, also one of zeros, which clients send where they have none. Users and teams may give
/// theirs under the name that it has of owners, too.
///
/// # Errors
/// What is no GUID; two that are not the same one: neither counts more.
pub(crate) fn given_id(table: &Table, object: &Object<'_>) -> Result<Option<Guid>, Failure> {
    let Some(column) = table.column_by_id(table.primary_id) else { return Ok(None) };
    let read = |name: &str| match object.given(name) {
        Some(value) => column_value(table, column, value, false).map(|value| value.guid()),
        None => Ok(None),
    };
    let (own, as_owner) = (read(&column.name)?, owner_id(table, OWNER_ID).map_or(Ok(None), |_| read(OWNER_ID))?);
    match (own, as_owner) {
        (Some(one), Some(other)) if one != other => {
            Err(Failure::body(format!("the primary id is given two values, as '{}' and as '{OWNER_ID}'", column.name)))
        }
        _ => Ok(own.or(as_owner)),
    }
}

/// A value as its column takes it. Ranges, lengths and options are checked where records are written.
///
/// # Errors
/// A value of another type, and a number that no column of the type can hold.
pub(crate) fn column_value(
    table: &Table,
    column: &Column,
    json: Json<'_>,
    numbers_quoted: bool,
) -> Result<Value, Failure> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let mismatch = |expected: &str| {
        Failure::body(format!(
            "column '{}' of table '{}' is given {}; {expected} was expected",
            column.name,
            table.name,
            json.noun()
        ))
    };
    // Exact numbers may come in quotes where the sender said so.
    let quoted = if numbers_quoted { json.text().ok().filter(|text| is_number(text)) } else { None };
    let exact_number = || json.number().ok().or(quoted.as_deref());
    let out_of_range = || {
        let number = exact_number().unwrap_or_default();
        let message = format!("column '{}' of table '{}': {number} is out of range", column.name, table.name);
        Failure::new(StatusCode::BAD_REQUEST, code::OUT_OF_RANGE, message)
    };
    Ok(match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text(json.text().map_err(|_| mismatch("a text"))?),
        ColumnKind::TableName => Value::Text(json.text().map_err(|_| mismatch("the logical name of a table"))?),
        ColumnKind::Integer { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => {
            let number = json.number().map_err(|_| mismatch("a whole number"))?;
            let whole = whole_number(number).ok_or_else(|| mismatch("a whole number"))?;
            let whole = i32::try_from(whole).map_err(|_| out_of_range())?;
            if (table.name.as_str(), column.name.as_str()) == TIME_ZONE_OF_USER && !time_zone::is_known(whole) {
                return Err(Failure::new(
                    StatusCode::BAD_REQUEST,
                    code::OUT_OF_RANGE,
                    format!("there is no time zone {whole}; give one of Dataverse's numbers, such as 92 for UTC"),
                ));
            }
            Value::Integer(whole)
        }
        ColumnKind::BigInt => {
            let number = exact_number().ok_or_else(|| mismatch("a whole number"))?;
            let whole = whole_number(number).ok_or_else(|| mismatch("a whole number"))?;
            Value::BigInt(i64::try_from(whole).map_err(|_| out_of_range())?)
        }
        ColumnKind::Decimal { .. } => {
            let number = exact_number().ok_or_else(|| mismatch("a number"))?;
            Value::Decimal(decimal(number).ok_or_else(out_of_range)?)
        }
        ColumnKind::Money { .. } => {
            let number = exact_number().ok_or_else(|| mismatch("a number"))?;
            Value::Money(decimal(number).and_then(Money::from_decimal).ok_or_else(out_of_range)?)
        }
        ColumnKind::Double { .. } => {
            let number = json.number().ok().and_then(|number| number.parse::<f64>().ok());
            let number = number.ok_or_else(|| mismatch("a number"))?;
            if !number.is_finite() {
                return Err(out_of_range());
            }
            Value::Double(number)
        }
        ColumnKind::Boolean { .. } | ColumnKind::Managed => {
            Value::Boolean(json.boolean().map_err(|_| mismatch("true or false"))?)
        }
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => {
            let days = json.text().ok().and_then(|text| days(text.trim()));
            Value::Date(days.ok_or_else(|| mismatch("a date like \"2024-02-29\""))?)
        }
        ColumnKind::DateTime { .. } => {
            let seconds = json.text().ok().and_then(|text| parse_moment(text.trim()));
            Value::DateTime(seconds.ok_or_else(|| mismatch("a date and time like \"2024-02-29T10:00:00Z\""))?)
        }
        ColumnKind::Choices { .. } => {
            let options = json.text().ok().and_then(|text| options(&text));
            Value::Choices(options.ok_or_else(|| mismatch("the numbers of options joined by commas, as a text,"))?)
        }
        ColumnKind::Guid | ColumnKind::Lookup { .. } => {
            let id = json.text().ok().and_then(|text| Guid::try_parse(text.trim()).ok());
            Value::Guid(id.ok_or_else(|| mismatch("a GUID"))?)
        }
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => {
            return Err(Failure::unsupported(format!("writing column '{}'", column.name)));
        }
    })
}

/// Whether a text is a number as JSON writes it, and nothing besides.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// A number without a fraction, whatever its form; `None` for others.
fn whole_number(text: &str) -> Option<i128> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let exact = decimal(text)?.normalize();
    (exact.scale() == 0).then(|| exact.mantissa())
}

/// An exact number; `None` where it has more digits before the point than one can have.
fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { text.parse().ok() }
}

/// The numbers of options, sorted and each once; `None` when there is something else among them.
fn options(text: &str) -> Option<Vec<i32>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut options = text.split(',').map(|option| option.trim().parse().ok()).collect::<Option<Vec<i32>>>()?;
    options.sort_unstable();
    options.dedup();
    Some(options)
}

/// A date in days since 1970; a time of day is taken only if it is midnight.
fn days(text: &str) -> Option<i32> {
    let seconds = parse_moment(text)?;
    (seconds.rem_euclid(DAY_SECONDS) == 0).then(|| i32::try_from(seconds.div_euclid(DAY_SECONDS)).ok()).flatten()
}

#[cfg(test)]
mod tests;
