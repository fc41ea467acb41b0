//! Acting for another user: the headers in which a caller says for whom.

use bytes::Bytes;
use custodia_org::Organization;
use custodia_schema::Guid;
use http::{HeaderMap, Response, StatusCode};

use crate::answer;
use crate::failure::{Failure, code};
use crate::header::single;

/// The user by id.
const BY_USER: &str = "mscrmcallerid";
/// The user by the id in the directory it is federated from.
const BY_DIRECTORY_OBJECT: &str = "callerobjectid";

/// Both.
pub(crate) const HEADERS: [&str; 2] = [BY_USER, BY_DIRECTORY_OBJECT];

/// The user that the request is to be done for, if the headers name one. Whether the caller may is for the gate to say.
///
/// # Errors
/// The whole answer, when a header is malformed or names nobody.
pub async fn acting_for(
    organization: &Organization,
    headers: &HeaderMap,
    request: Guid,
) -> Result<Option<Guid>, Response<Bytes>> {
    named(organization, headers).await.map_err(|failure| answer::refused(&failure, organization, request))
}

/// As [`acting_for`], for a request within another.
pub(crate) async fn named(organization: &Organization, headers: &HeaderMap) -> Result<Option<Guid>, Failure> {
    let (user, object) = (guid(headers, BY_USER)?, guid(headers, BY_DIRECTORY_OBJECT)?);
    let Some(object) = object else { return Ok(user) };
    match organization.find_user_by_directory_id(object).await? {
        Some(found) if user.is_some_and(|user| user != found.id) => {
            Err(Failure::invalid("MSCRMCallerID and CallerObjectId name different users"))
        }
        Some(found) => Ok(Some(found.id)),
        None => {
            let message = format!("CallerObjectId: no user has the directory id {object}");
            Err(Failure::new(StatusCode::FORBIDDEN, code::MAY_NOT_ACT, message))
        }
    }
}

/// The GUID in a header; none in an empty one.
fn guid(headers: &HeaderMap, name: &str) -> Result<Option<Guid>, Failure> {
    match single(headers, name)? {
        None | Some("") => Ok(None),
        Some(text) => {
            let id =
                Guid::try_parse(text).map_err(|_| Failure::invalid(format!("{name} is '{text}'; expected a GUID")))?;
            Ok(Some(id))
        }
    }
}
