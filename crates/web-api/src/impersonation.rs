//! Acting for another user: the headers in which a caller says for whom.

use bytes::Bytes;
use custodia_org::{Caller, Organization};
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

/// The user that the request of `caller` is to be done for, if the headers name one. What that user may do, too, is for the gate
/// to say.
///
/// # Errors
/// The whole answer, when a header is malformed or names nobody. A caller who may act for nobody else is refused alike whomever
/// the headers name, so that nobody learns who is there.
pub async fn acting_for(
    organization: &Organization,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Option<Guid>, Response<Bytes>> {
    let named = named(organization, caller, headers).await;
    named.map_err(|failure| answer::refused(&failure, organization, caller.request))
}

/// As [`acting_for`], for a request within another.
pub(crate) async fn named(
    organization: &Organization,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Option<Guid>, Failure> {
    let (user, object) = (guid(headers, BY_USER)?, guid(headers, BY_DIRECTORY_OBJECT)?);
    let found = match object {
        Some(object) => organization.find_user_by_directory_id(object).await?,
        None => None,
    };
    // Acting for oneself is acting as oneself, and needs nothing.
    let by_object = object.map(|_| found.as_ref().map(|found| found.id));
    if [user.map(Some), by_object].into_iter().flatten().any(|named| named != Some(caller.user)) {
        organization.check_acts_for_others(caller).await?;
    }
    let Some(object) = object else { return Ok(user) };
    match found {
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
