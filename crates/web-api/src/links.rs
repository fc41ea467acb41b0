//! Links between records: `$ref` below a navigation.

use bytes::Bytes;
use custodia_org::{Error, Input, LinkRequest, Reference};
use custodia_query::RowKey;
use custodia_query::odata::{CollectionNavigation, SingleNavigation, Tie};
use custodia_schema::{Schema, Table, TableId, Value};
use http::{Response, StatusCode};

use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::failure::Failure;
use crate::media::Media;
use crate::writes;

/// `PUT accounts(…)/primarycontactid/$ref`.
pub(crate) async fn put_single(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
) -> Result<Response<Bytes>, Failure> {
    let reference = body_reference(call)?;
    expect_table(call, &navigation.name, &navigation.targets, &reference)?;
    writes::set(call, table, key, navigation.lookup, Input::Link(reference)).await
}

/// `DELETE accounts(…)/primarycontactid/$ref`.
pub(crate) async fn delete_single(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
) -> Result<Response<Bytes>, Failure> {
    writes::set(call, table, key, navigation.lookup, Input::Value(Value::Null)).await
}

/// `POST accounts(…)/contact_customer_accounts/$ref`.
pub(crate) async fn add(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
) -> Result<Response<Bytes>, Failure> {
    let other = body_reference(call)?;
    let request = link_request(call, table, key, navigation, other)?;
    match call.organization.associate(call.caller, request).await {
        Ok(()) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        // What is unique about a link is not a key of a table.
        Err(error @ Error::DuplicateKey { .. }) => Err(Failure::already_there(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE accounts(…)/contact_customer_accounts(…)/$ref`; without the second key, `$id` says which.
pub(crate) async fn remove(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
    other: Option<&RowKey>,
) -> Result<Response<Bytes>, Failure> {
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
    call.organization.disassociate(call.caller, request).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The record in `{"@odata.id": "…"}`.
fn body_reference(call: &Call<'_>) -> Result<Reference, Failure> {
    Media::sent_numbers_are_quoted(call.request.headers)?;
    let address = Object::read(&call.request.body)?.need_text("@odata.id")?;
    call.reference(&address)
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

fn relationship_name<'s>(schema: &'s Schema, table: TableId, navigation: &CollectionNavigation) -> Option<&'s str> {
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

fn expect_table(call: &Call<'_>, name: &str, targets: &[TableId], reference: &Reference) -> Result<(), Failure> {
    if targets.contains(&reference.table) {
        return Ok(());
    }
    let sets: Vec<&str> =
        targets.iter().filter_map(|target| call.schema.table(*target)).map(|table| table.set_name.as_str()).collect();
    Err(Failure::body(format!("'{name}' leads to records of {} only", sets.join(" or "))))
}
