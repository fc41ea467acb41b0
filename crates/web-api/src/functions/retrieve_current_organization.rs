//! `RetrieveCurrentOrganization`: what the organisation is called and where it is reached.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::retrieve_version::VERSION;
use super::{Operation, begin};
use crate::answer;
use crate::failure::Failure;
use crate::json;

pub(super) async fn answer(operation: &Operation<'_>) -> Result<Response<Bytes>, Failure> {
    let call = operation.call;
    let about = call.organization.about(call.caller).await?;
    let root = call.request.service_root;
    // The organisation's own address: the service root without `api/data/v9.x/`.
    let address = root.find("/api/data/").and_then(|end| root.get(..=end)).unwrap_or(root);
    let mut body = begin(call, "RetrieveCurrentOrganizationResponse");
    body.extend_from_slice(b"\"Detail\":{\"OrganizationId\":\"");
    json::guid(&mut body, &about.id);
    body.extend_from_slice(b"\"");
    let id = about.id.to_string();
    let texts = [
        ("FriendlyName", about.display_name.as_str()),
        ("OrganizationVersion", VERSION),
        ("EnvironmentId", &id),
        ("TenantId", &id),
        ("UrlName", &about.name),
        ("UniqueName", &about.name),
        ("State", "Enabled"),
    ];
    for (name, value) in texts {
        body.push(b',');
        json::text(&mut body, name);
        body.push(b':');
        json::text(&mut body, value);
    }
    // One program on the organisation's own machines: there is no data centre to name.
    body.extend_from_slice(b",\"DatacenterId\":null,\"Geo\":null,\"Endpoints\":{\"Count\":2,\"IsReadOnly\":false,");
    body.extend_from_slice(b"\"Keys\":[\"WebApplication\",\"OrganizationDataService\"],\"Values\":[");
    json::text(&mut body, address);
    body.push(b',');
    json::text(&mut body, root);
    body.extend_from_slice(b"]}}}");
    Ok(answer::json(StatusCode::OK, call.media, body))
}
