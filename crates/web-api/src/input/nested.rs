//! Records within a record that is made: those it points at are made before it, those that hang on it after it.

use custodia_org::{Change, Input, LinkRequest, RecordInput, Reference};
use custodia_query::RowKey;
use custodia_query::odata::{CollectionNavigation, SingleNavigation, Tie};
use custodia_schema::{ColumnId, Guid, Table};

use super::{BIND, Reader, check_own_address, given_id, table_of_type};
use crate::body::{Json, Object};
use crate::call::Call;
use crate::failure::Failure;
use crate::links::{expect_table, relationship_name};

/// Records and links of one request that makes a record with others within it: as many as one batch may have operations.
const RECORDS_MAX: usize = 1_000;

/// Records within each other: far deeper than relationships lead, far less than would exhaust the stack.
const DEPTH_MAX: usize = 10;

/// A record to be made, and all that is made with it, in order.
pub(crate) struct NewRecords {
    pub changes: Vec<Change>,
    /// The place of the record itself among them.
    pub main: usize,
    /// Its id.
    pub id: Guid,
}

impl NewRecords {
    /// All of it as one change.
    pub(crate) fn into_change(self) -> Change {
        let mut changes = self.changes;
        match (changes.len(), changes.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                changes.extend(last);
                Change::All(changes)
            }
        }
    }
}

/// What is made beside the record that a reader reads.
pub(super) struct Nested<'n> {
    /// The id that the record will have.
    own: Guid,
    before: Vec<Change>,
    after: Vec<Change>,
    depth: usize,
    /// What the request may still make.
    left: &'n mut usize,
}

/// The members of a body as a new record of `table` and what is within it. `given` are links that the request makes
/// beside its body.
///
/// # Errors
/// As [`super::record_input`]; more records, or deeper in each other, than one request may make.
pub(crate) fn new_records(
    call: &Call<'_>,
    table: &Table,
    object: &Object<'_>,
    numbers_quoted: bool,
    given: Vec<(ColumnId, Input)>,
) -> Result<NewRecords, Failure> {
    let mut left = RECORDS_MAX;
    read(call, table, object, numbers_quoted, given, 0, &mut left)
}

fn read(
    call: &Call<'_>,
    table: &Table,
    object: &Object<'_>,
    numbers_quoted: bool,
    given: Vec<(ColumnId, Input)>,
    depth: usize,
    left: &mut usize,
) -> Result<NewRecords, Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::invalid(format!("records are within each other more than {DEPTH_MAX} deep")));
    }
    take(left)?;
    let id = given_id(table, object)?.filter(|id| !id.is_nil());
    check_own_address(call, table, object, id.map(RowKey::Id).as_ref())?;
    let own = id.unwrap_or_else(|| call.organization.new_id());
    let nested = Nested { own, before: Vec::new(), after: Vec::new(), depth, left };
    let mut reader = Reader { call, table, numbers_quoted, columns: Vec::new(), nested: Some(nested) };
    for (column, input) in given {
        reader.set(column, input)?;
    }
    for (name, value) in object.members() {
        reader.member(name, value)?;
    }
    let Reader { columns, nested, .. } = reader;
    let (mut changes, after) = nested.map(|nested| (nested.before, nested.after)).unwrap_or_default();
    let main = changes.len();
    changes.push(Change::Create(RecordInput { table: table.id, id: Some(own), columns }));
    changes.extend(after);
    Ok(NewRecords { changes, main, id: own })
}

fn take(left: &mut usize) -> Result<(), Failure> {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            Ok(())
        }
        None => Err(Failure::invalid(format!("one request makes at most {RECORDS_MAX} records and links"))),
    }
}

/// Says that a record is not changed together with others.
fn only_new(name: &str) -> Failure {
    Failure::invalid(format!(
        "'{name}': other records are made and linked within a record only when it is made (POST); write them by themselves"
    ))
}

impl Reader<'_> {
    /// Makes the record that a lookup points at, and points at it.
    pub(super) fn make_parent(&mut self, single: &SingleNavigation, object: &Object<'_>) -> Result<(), Failure> {
        let (call, numbers_quoted) = (self.call, self.numbers_quoted);
        let Some(nested) = &mut self.nested else { return Err(only_new(&single.name)) };
        let named = object.text_of("@odata.type")?;
        let table = match (single.targets.as_slice(), named) {
            ([target], _) => call.schema.table(*target).map(|table| &**table),
            (_, Some(named)) => table_of_type(&call.schema, &named).filter(|table| single.targets.contains(&table.id)),
            (_, None) => None,
        };
        let table = table.ok_or_else(|| {
            Failure::body(format!("'{}' may be of several types: say which as @odata.type", single.name))
        })?;
        let made = read(call, table, object, numbers_quoted, Vec::new(), nested.depth + 1, nested.left)
            .map_err(|failure| within(&single.name, failure))?;
        nested.before.extend(made.changes);
        self.set(single.lookup, Input::Link(Reference::id(table.id, made.id)))
    }

    /// Makes or links the records of a collection.
    pub(super) fn make_children(
        &mut self,
        navigation: &CollectionNavigation,
        objects: &[Object<'_>],
    ) -> Result<(), Failure> {
        let (call, numbers_quoted) = (self.call, self.numbers_quoted);
        let Some(nested) = &mut self.nested else { return Err(only_new(&navigation.name)) };
        let far = call.table(navigation.table)?;
        let own = Reference::id(self.table.id, nested.own);
        for object in objects {
            if let Some(other) = call.linked(&navigation.name, object)? {
                take(nested.left)?;
                nested.after.push(link(call, self.table, navigation, own.clone(), other)?);
                continue;
            }
            let given = match navigation.tie {
                Tie::Lookup { lookup } => vec![(lookup, Input::Link(own.clone()))],
                Tie::Link { .. } => Vec::new(),
            };
            let made = read(call, far, object, numbers_quoted, given, nested.depth + 1, nested.left)
                .map_err(|failure| within(&navigation.name, failure))?;
            nested.after.extend(made.changes);
            if let Tie::Link { .. } = navigation.tie {
                take(nested.left)?;
                let other = Reference::id(far.id, made.id);
                nested.after.push(link(call, self.table, navigation, own.clone(), other)?);
            }
        }
        Ok(())
    }

    /// Links records that exist to the one that is made.
    pub(super) fn bind_children(&mut self, navigation: &CollectionNavigation, value: Json<'_>) -> Result<(), Failure> {
        let call = self.call;
        let Some(nested) = &mut self.nested else { return Err(only_new(&navigation.name)) };
        let addresses = value.texts()?.ok_or_else(|| {
            let found = value.noun();
            Failure::body(format!("'{}@{BIND}' is {found}; expected a list of addresses", navigation.name))
        })?;
        let own = Reference::id(self.table.id, nested.own);
        for address in addresses {
            take(nested.left)?;
            let other = call.reference(&address)?;
            nested.after.push(link(call, self.table, navigation, own.clone(), other)?);
        }
        Ok(())
    }
}

fn link(
    call: &Call<'_>,
    table: &Table,
    navigation: &CollectionNavigation,
    record: Reference,
    other: Reference,
) -> Result<Change, Failure> {
    expect_table(call, &navigation.name, &[navigation.table], &other)?;
    let relationship = relationship_name(&call.schema, table.id, navigation)
        .ok_or_else(|| Failure::no_such_resource(&navigation.name))?
        .to_owned();
    Ok(Change::Associate(LinkRequest { record, relationship, other }))
}

/// Says where within the body a failure is.
fn within(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("in '{name}': {}", failure.message), ..failure }
}
