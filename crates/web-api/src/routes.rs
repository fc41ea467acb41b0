//! Which code answers which path and method.

use std::sync::Arc;

use bytes::Bytes;
use custodia_org::{Caller, Organization};
use custodia_query::odata::{Navigation, RelatedPart, Resource, parse_resource};
use http::{Method, Response, StatusCode};

use crate::answer;
use crate::batch;
use crate::call::{ApiRequest, Call};
use crate::entrance::Shape;
use crate::failure::Failure;
use crate::functions;
use crate::header::single;
use crate::json;
use crate::links;
use crate::metadata;
use crate::prepared::PreparedWrite;
use crate::reads;
use crate::writes;

/// The header in which a client says which version of the protocol its request is written in.
const ODATA_VERSION: &str = "odata-version";

/// The option by which a request asks for clear values of masked columns.
const UNMASKED: &str = "UnMaskedData=true";

/// Answers one request of a caller. Every answer, also that to a request that fails, is complete: status, headers, and
/// a body in JSON where there is one.
pub async fn handle(organization: &Organization, caller: &Caller, request: &ApiRequest<'_>) -> Response<Bytes> {
    if !batch::is_batch(request.path) {
        return handle_alone(organization, caller, request).await;
    }
    let response = batch::answer(organization, caller, request).await;
    whole(response, organization, caller)
}

/// The same for a request that is no batch.
pub(crate) async fn handle_alone(
    organization: &Organization,
    caller: &Caller,
    request: &ApiRequest<'_>,
) -> Response<Bytes> {
    let response = answer(organization, caller, request).await;
    whole(response, organization, caller)
}

/// The answer to a request of a caller, with all that every answer has.
pub(crate) fn whole(
    response: Result<Response<Bytes>, Failure>,
    organization: &Organization,
    caller: &Caller,
) -> Response<Bytes> {
    match response {
        Ok(response) => answer::finished(response, caller.request),
        Err(failure) => answer::refused(&failure, organization, caller.request),
    }
}

async fn answer(
    organization: &Organization,
    caller: &Caller,
    request: &ApiRequest<'_>,
) -> Result<Response<Bytes>, Failure> {
    let in_clear;
    let caller = if asks_in_clear(request) {
        in_clear = Caller { unmasks: true, ..caller.clone() };
        &in_clear
    } else {
        caller
    };
    let call = Call::read(organization, caller, request)?;
    check_version(&call)?;
    let resource = parse_resource(&call.schema, request.path, &call.options, request.limits)?;
    match prepare(&call, &resource).await? {
        Some(write) => write.perform(&call).await,
        None => route(&call, resource).await,
    }
}

/// Whether a request asks for clear values of masked columns.
fn asks_in_clear(request: &ApiRequest<'_>) -> bool {
    request.query.split('&').any(|option| option.eq_ignore_ascii_case(UNMASKED))
}

/// Reads a request that writes; `None` for one that reads, and for methods that the resource does not know.
pub(crate) async fn prepare(call: &Call<'_>, resource: &Resource) -> Result<Option<PreparedWrite>, Failure> {
    if !Shape::of(resource).knows(call.request.method) {
        return Ok(None);
    }
    let write = match (resource, call.request.method) {
        (Resource::Collection { table }, &Method::POST) => writes::create(call, call.table(*table)?).await?,
        (Resource::Record { table, key }, &Method::PATCH) => writes::update(call, call.table(*table)?, key).await?,
        (Resource::Record { table, key }, &Method::DELETE) => writes::delete(call, call.table(*table)?, key)?,
        (Resource::Property { table, key, column, .. }, &Method::PUT) => {
            writes::put_property(call, call.table(*table)?, key, *column)?
        }
        (Resource::Property { table, key, column, .. }, &Method::DELETE) => {
            writes::delete_property(call, call.table(*table)?, key, *column)?
        }
        (Resource::Related { table, key, navigation, part }, method) => {
            let table = call.table(*table)?;
            match (navigation, part, method) {
                (Navigation::Single(to), RelatedPart::References, &Method::PUT) => {
                    links::put_single(call, table, key, to)?
                }
                (Navigation::Single(to), RelatedPart::References, &Method::DELETE) => {
                    links::delete_single(call, table, key, to)?
                }
                (Navigation::Collection(to), RelatedPart::Records, &Method::POST) => {
                    writes::create_related(call, table, key, to).await?
                }
                (Navigation::Collection(to), RelatedPart::References, &Method::POST) => {
                    links::add(call, table, key, to)?
                }
                (Navigation::Collection(to), RelatedPart::References, &Method::DELETE) => {
                    links::remove(call, table, key, to, None)?
                }
                (Navigation::Collection(to), RelatedPart::Reference(other), &Method::DELETE) => {
                    links::remove(call, table, key, to, Some(other))?
                }
                _ => return Ok(None),
            }
        }
        (Resource::Operation { binding, name, parameters }, &Method::POST) => {
            functions::prepare(call, binding, name, parameters).await?
        }
        _ => return Ok(None),
    };
    Ok(Some(write))
}

/// Another version of the protocol would be misunderstood.
pub(crate) fn check_version(call: &Call<'_>) -> Result<(), Failure> {
    match single(call.request.headers, ODATA_VERSION)? {
        None | Some("4.0" | "4.01" | "4") => Ok(()),
        _ => Err(Failure::invalid("OData-Version: this service speaks version 4.0")),
    }
}

async fn route(call: &Call<'_>, resource: Resource) -> Result<Response<Bytes>, Failure> {
    let method = call.request.method;
    let shape = Shape::of(&resource);
    let wrong_method = || Err(shape.wrong_method(method));
    if !shape.knows(method) {
        return wrong_method();
    }
    match resource {
        Resource::ServiceDocument => match *method {
            Method::GET => Ok(service_document(call)),
            _ => wrong_method(),
        },
        Resource::Metadata => match *method {
            Method::GET => metadata::csdl::answer(call).await,
            _ => wrong_method(),
        },
        Resource::Batch => Err(Failure::invalid("a batch cannot stand within a batch")),
        Resource::Definitions { path } => metadata::answer(call, &path).await,
        Resource::Collection { table } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::collection(call, &table, None).await,
                _ => wrong_method(),
            }
        }
        Resource::CollectionCount { table } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::count(call, &table, None).await,
                _ => wrong_method(),
            }
        }
        Resource::Record { table, key } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::record(call, &table, &key, None).await,
                _ => wrong_method(),
            }
        }
        Resource::Property { table, key, column, as_owner } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::property(call, &table, &key, column, as_owner).await,
                _ => wrong_method(),
            }
        }
        Resource::PropertyValue { table, key, column } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::raw_property(call, &table, &key, column).await,
                _ => wrong_method(),
            }
        }
        Resource::Related { table, key, navigation: Navigation::Single(navigation), part } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::single_navigation(call, &table, &key, &navigation, &part).await,
                _ => wrong_method(),
            }
        }
        Resource::Related { table, key, navigation: Navigation::Collection(navigation), part } => {
            let table = Arc::clone(call.table(table)?);
            match *method {
                Method::GET => reads::collection_navigation(call, &table, &key, &navigation, &part).await,
                _ => wrong_method(),
            }
        }
        Resource::Operation { binding, name, parameters } => functions::call(call, &binding, &name, &parameters).await,
    }
}

/// `GET` of the service root: the sets there are.
fn service_document(call: &Call<'_>) -> Response<Bytes> {
    let mut body = Vec::new();
    call.begin_body(&mut body, "");
    // The context of the service document is the metadata itself, without a fragment.
    if body.ends_with(b"#\"") {
        body.truncate(body.len() - 2);
        body.extend_from_slice(b"\",");
    }
    body.extend_from_slice(b"\"value\":[");
    let mut separator: &[u8] = b"";
    for table in call.schema.tables().iter().filter(|table| !table.set_name.is_empty()) {
        body.extend_from_slice(separator);
        body.extend_from_slice(b"{\"name\":");
        json::text(&mut body, &table.set_name);
        body.extend_from_slice(b",\"kind\":\"EntitySet\",\"url\":");
        json::text(&mut body, &table.set_name);
        body.push(b'}');
        separator = b",";
    }
    body.extend_from_slice(b"]}");
    answer::json(StatusCode::OK, call.media, body)
}
