//! Links between records: `$ref` below a navigation.

use custodia_org::{Change, Input, LinkRequest, Reference};
use custodia_query::RowKey;
use custodia_query::odata::{CollectionNavigation, SingleNavigation, Tie};
use custodia_schema::{Schema, Table, TableId, Value};

use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::media::Media;
use crate::prepared::{Answering, PreparedWrite};
use crate::writes;

/// `PUT accounts(…)/primarycontactid/$ref`.
pub(crate) fn put_single(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
) -> Result<PreparedWrite, Failure> {
    let reference = body_reference(call)?;
    expect_table(call, &navigation.name, &navigation.targets, &reference)?;
    writes::set(call, table, key, navigation.lookup, Input::Link(reference))
}

/// `DELETE accounts(…)/primarycontactid/$ref`.
pub(crate) fn delete_single(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
) -> Result<PreparedWrite, Failure> {
    writes::set(call, table, key, navigation.lookup, Input::Value(Value::Null))
}

/// `POST accounts(…)/contact_customer_accounts/$ref`.
pub(crate) fn add(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
) -> Result<PreparedWrite, Failure> {
    let other = body_reference(call)?;
    let request = link_request(call, table, key, navigation, other)?;
    Ok(PreparedWrite { change: Change::Associate(request), record: None, answering: Answering::Linked })
}

/// `DELETE accounts(…)/contact_customer_accounts(…)/$ref`; without the second key, `$id` says which.
pub(crate) fn remove(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
    other: Option<&RowKey>,
) -> Result<PreparedWrite, Failure> {
    let other = match other {
        Some(key) => Reference { table: navigation.table, key: key.clone() },
        None => {
            let id = call.options.iter().find(|(name, _)| name == "$id");
            let Some((_, address)) = id else {
                return Err(Failure::invalid("which link? Give the record's key before /$ref, or its address as $id"));
            };
            call.reference(address)?
        }
    };
    let request = link_request(call, table, key, navigation, other)?;
    Ok(PreparedWrite::done(Change::Disassociate(request)))
}

/// The record in `{"@odata.id": "…"}`.
fn body_reference(call: &Call<'_>) -> Result<Reference, Failure> {
    Media::sent_numbers_are_quoted(call.request.headers)?;
    call.addressed(&Object::read(&call.request.body)?)
}

fn link_request(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
    other: Reference,
) -> Result<LinkRequest, Failure> {
    expect_table(call, &navigation.name, &[navigation.table], &other)?;
    let relationship = relationship_name(&call.schema, table.id, navigation)
        .ok_or_else(|| Failure::no_such_resource(&navigation.name))?
        .to_owned();
    Ok(LinkRequest { record: Reference { table: table.id, key: key.clone() }, relationship, other })
}

/// The relationship that a navigation of a table follows.
pub(crate) fn relationship_name<'s>(
    schema: &'s Schema,
    table: TableId,
    navigation: &CollectionNavigation,
) -> Option<&'s str> {
    match navigation.tie {
        Tie::Lookup { lookup } => schema
            .children_of(table)
            .find(|child| child.referencing == navigation.table && child.referencing_column == lookup)
            .map(|child| child.name.as_str()),
        Tie::Link { relationship, .. } => {
            let position = usize::try_from(relationship.0).ok()?;
            schema.many_to_many().get(position).map(|link| link.name.as_str())
        }
    }
}

/// Refuses a record that the navigation cannot lead to.
pub(crate) fn expect_table(
    call: &Call<'_>,
    name: &str,
    targets: &[TableId],
    reference: &Reference,
) -> Result<(), Failure> {
    if targets.contains(&reference.table) {
        return Ok(());
    }
    let sets: Vec<&str> =
        targets.iter().filter_map(|target| call.schema.table(*target)).map(|table| table.set_name.as_str()).collect();
    Err(Failure::body(format!("'{name}' leads to records of {} only", sets.join(" or "))))
}
