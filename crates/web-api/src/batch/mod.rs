//! `$batch`: many requests in one. Those of a change set are all done or none; each of the others is a request of its own.
//!
//! Every request in it is read, authorised and answered by the code that does so for requests that come alone.

mod change_set;
mod multipart;
mod reply;

use bytes::Bytes;
use custodia_org::{Caller, Organization};
use custodia_query::odata::below_root;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use self::multipart::{Part, PartRequest, boundary, cost_in_parts, parts};
use self::reply::{Multipart, PartReply};
use crate::answer;
use crate::call::{ApiRequest, Call, Earlier};
use crate::entrance::Shape;
use crate::failure::{Failure, code};
use crate::header::{encoding_refused, single};
use crate::impersonation;
use crate::memory::NoMemory;
use crate::routes;

/// Operations in one batch, those in its change sets included: as many as Dataverse takes.
const OPERATIONS_MAX: usize = 1_000;

/// The name of a part, for other parts that refer to it.
const CONTENT_ID: &str = "content-id";

/// Whether a path below the service root is that of a batch.
pub(crate) fn is_batch(path: &str) -> bool {
    matches!(path.trim_matches('/'), "$batch" | "%24batch")
}

/// What it takes to read the body of a request, where `cost` says what it takes to read some bytes: of a batch one part is read
/// at a time, a change set as one; any other body is read as a whole.
pub fn reading_cost(path: &str, headers: &HeaderMap, body: &[u8], cost: impl Fn(&[u8]) -> usize) -> usize {
    let sent = single(headers, &CONTENT_TYPE).unwrap_or_default().unwrap_or_default();
    match boundary(sent).filter(|_| is_batch(path)) {
        Some(Ok(boundary)) => cost_in_parts(body, &boundary, OPERATIONS_MAX, cost),
        Some(Err(_)) => 0,
        None => cost(body),
    }
}

/// Answers a batch.
///
/// # Errors
/// When nothing of it can be read: then nothing of it was done.
pub(crate) async fn answer(
    organization: &Organization,
    caller: &Caller,
    request: &ApiRequest<'_>,
) -> Result<Response<Bytes>, Failure> {
    if !Shape::Batch.knows(request.method) {
        return Err(Shape::Batch.wrong_method(request.method));
    }
    let call = Call::read(organization, caller, request)?;
    routes::check_version(&call)?;
    let sent = single(request.headers, &CONTENT_TYPE)?.unwrap_or_default();
    let Some(boundary) = boundary(sent) else {
        let message = format!("Content-Type of a batch is '{sent}'; expected multipart/mixed;boundary=…");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::UNREADABLE_BODY, message));
    };
    let parts = parts(&request.body, &boundary?, OPERATIONS_MAX)?;
    let batch = Batch { organization, caller, outer: request };
    let mut out = Multipart::begin("batchresponse", organization.new_id());
    let (mut status, mut retry_after) = (StatusCode::OK, None);
    let mut left = OPERATIONS_MAX;
    let mut is_begun = false;
    for part in &parts {
        let replies = if out.len() >= request.limits.answer_bytes_max {
            // What was not done is said, rather than done without an answer.
            batch.failed(&answer_is_full(), content_id(&part.headers))
        } else {
            batch.part(part, &mut left).await
        };
        let failed = replies.failed();
        let has_written = replies.have_written();
        let asked_to_come_again = replies.retry_after();
        match replies {
            Replies::One { reply, .. } => out.part(&reply),
            Replies::ChangeSet(replies) => out.change_set(organization.new_id(), &replies),
        }
        if let Some(failed) = failed
            && !call.preferences.continue_on_error
        {
            status = outer_status(failed, is_begun || has_written);
            retry_after = asked_to_come_again.filter(|_| status == failed);
            break;
        }
        is_begun |= has_written;
    }
    let (content_type, body) = out.finish();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    let applied = call.preferences.continue_on_error.then_some("odata.continue-on-error");
    Ok(answer::applied(response, applied))
}

/// The status of a batch that ended at a failure. Clients read the parts of an answer with 400; any other status of a wrong
/// request they would take for one of the batch itself. What asks them to come again they would send again as a whole: that is
/// said only of a batch that changed nothing.
fn outer_status(failed: StatusCode, is_begun: bool) -> StatusCode {
    let of_the_request = failed.is_client_error() && failed != StatusCode::TOO_MANY_REQUESTS;
    if of_the_request || is_begun { StatusCode::BAD_REQUEST } else { failed }
}

fn answer_is_full() -> Failure {
    let message = "This request was not done: the answer to the batch is full. Send it in another batch.";
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID_REQUEST, message)
}

fn no_memory(why: NoMemory) -> Failure {
    match why {
        NoMemory::Now => Failure::busy(
            "This request was not done: there is no memory for its answer now. Take the other answers first, or ask for less at \
             one time.",
        ),
        NoMemory::Ever => Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            code::INVALID_REQUEST,
            "This request was not done: with its answer, those of this batch take more memory than those to one user may. Send \
             it in another batch, or ask for less at one time.",
        ),
    }
}

/// What a part of a batch is answered with.
enum Replies {
    /// The answer to one request, or the failure of a change set; whether it is one that changes something.
    One { reply: PartReply, writes: bool },
    /// The answers to the requests of a change set.
    ChangeSet(Vec<PartReply>),
}

impl Replies {
    /// The status of a failure.
    fn failed(&self) -> Option<StatusCode> {
        match self {
            Self::One { reply, .. } => {
                Some(reply.status()).filter(|status| status.is_client_error() || status.is_server_error())
            }
            Self::ChangeSet(_) => None,
        }
    }

    /// When it is worth while to ask again, where something failed for now.
    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::One { reply, .. } => reply.retry_after().cloned(),
            Self::ChangeSet(_) => None,
        }
    }

    /// Whether something was changed, or may have been.
    fn have_written(&self) -> bool {
        match self {
            Self::One { writes, reply } => *writes && reply.may_be_done(),
            Self::ChangeSet(_) => true,
        }
    }
}

/// A batch at work.
struct Batch<'b> {
    organization: &'b Organization,
    caller: &'b Caller,
    outer: &'b ApiRequest<'b>,
}

/// A request of a batch, with what it takes from the batch.
struct Inner {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    caller: Caller,
    content_id: Option<String>,
}

impl Inner {
    /// The request as one that came alone.
    fn request<'r>(&'r self, outer: &'r ApiRequest<'r>) -> ApiRequest<'r> {
        ApiRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: self.body.clone(),
            service_root: outer.service_root,
            limits: outer.limits,
            page_token_key: outer.page_token_key,
            questions: outer.questions,
            turns: outer.turns,
            memory: outer.memory,
        }
    }
}

impl Batch<'_> {
    /// Does one part; `left` is how many operations the batch may still have.
    async fn part(&self, part: &Part, left: &mut usize) -> Replies {
        let content_id = content_id(&part.headers);
        let sent = match single(&part.headers, &CONTENT_TYPE) {
            Ok(sent) => sent.unwrap_or_default(),
            Err(failure) => return self.failed(&failure, content_id),
        };
        if let Some(boundary) = boundary(sent) {
            let done = match boundary {
                Ok(boundary) => self.change_set(part, &boundary, left).await,
                Err(failure) => Err((failure, content_id)),
            };
            return match done {
                Ok(replies) => Replies::ChangeSet(replies),
                Err((failure, content_id)) => self.failed(&failure, content_id),
            };
        }
        match self.operation(part, left).await {
            Ok((response, writes)) => Replies::One { reply: PartReply::of(response, content_id), writes },
            Err(failure) => self.failed(&failure, content_id),
        }
    }

    /// What a part is answered with whose request has no id of its own, or never began; a change set that failed too, of which
    /// all may be done.
    fn failed(&self, failure: &Failure, content_id: Option<String>) -> Replies {
        let reply = PartReply::failure(failure, self.organization, self.caller, content_id);
        Replies::One { reply, writes: true }
    }

    /// Does a request that stands by itself: its answer, and whether it is one that changes something.
    async fn operation(&self, part: &Part, left: &mut usize) -> Result<(Response<Bytes>, bool), Failure> {
        take(left)?;
        let inner = self.inner(part, &[]).await?;
        let request = inner.request(self.outer);
        let _turn = match self.outer.turns.take(request.method) {
            Some(turn) => Some(turn.await),
            None => None,
        };
        let writes = !matches!(*request.method, Method::GET | Method::HEAD);
        let memory = self.outer.memory;
        if writes {
            memory.has_room().map_err(no_memory)?;
        }
        let response = routes::handle_alone(self.organization, &inner.caller, &request).await;
        // What was only read may be asked for again; what was done is told.
        if !writes {
            memory.take(response.body().len()).map_err(no_memory)?;
        }
        Ok((response, writes))
    }

    /// Reads the request in a part. `earlier` is what it may refer to.
    async fn inner(&self, part: &Part, earlier: &[Earlier]) -> Result<Inner, Failure> {
        holds_request(part)?;
        let PartRequest { method, target, headers: sent, body } = part.request()?;
        if let Some(message) = [&part.headers, &sent].into_iter().find_map(encoding_refused) {
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::UNREADABLE_BODY, message));
        }
        let (path, query) = address(&target, self.outer.service_root, earlier)?;
        let content_id = match named(&part.headers)? {
            Some(name) => Some(name),
            None => named(&sent)?,
        };
        let caller = self.caller_of(&sent).await?;
        let headers = self.with_inherited(sent)?;
        Ok(Inner { method, path, query, headers, body, caller, content_id })
    }

    /// Who a request is done for. Headers that name a user stand for those of the batch.
    async fn caller_of(&self, sent: &HeaderMap) -> Result<Caller, Failure> {
        let mut caller = self.caller.clone();
        if impersonation::HEADERS.iter().any(|name| sent.contains_key(*name)) {
            caller.acting_for = impersonation::named(self.organization, &caller, sent).await?;
        }
        Ok(caller)
    }

    /// The headers of a request with those that it takes from the batch: its own win.
    fn with_inherited(&self, mut sent: HeaderMap) -> Result<HeaderMap, Failure> {
        if sent.get(AUTHORIZATION).is_some_and(|own| Some(own) != self.outer.headers.get(AUTHORIZATION)) {
            return Err(Failure::invalid("a request in a batch has the token of the batch, and no other"));
        }
        for (name, value) in self.outer.headers {
            if name.as_str().starts_with("mscrm.") && !sent.contains_key(name) {
                sent.append(name, value.clone());
            }
        }
        Ok(sent)
    }
}

fn take(left: &mut usize) -> Result<(), Failure> {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            Ok(())
        }
        None => Err(Failure::invalid(format!("a batch has at most {OPERATIONS_MAX} operations"))),
    }
}

/// Refuses a part that is said to hold something else than a request.
fn holds_request(part: &Part) -> Result<(), Failure> {
    let sent = single(&part.headers, &CONTENT_TYPE)?.unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/http") {
        let message = format!("Content-Type of a part is '{media_type}'; expected application/http or a change set");
        return Err(Failure::invalid(message));
    }
    let encoding = single(&part.headers, "content-transfer-encoding")?;
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "binary" | "8bit" | "7bit") => Ok(()),
        Some(other) => {
            Err(Failure::invalid(format!("Content-Transfer-Encoding of a part is '{other}'; expected binary")))
        }
    }
}

/// The name of a request within its change set, for the answer; one that cannot be read is refused by [`Batch::inner`].
fn content_id(headers: &HeaderMap) -> Option<String> {
    named(headers).unwrap_or_default()
}

fn named(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    Ok(single(headers, CONTENT_ID)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

/// The path below the service root and the query of an address, which may begin with the `Content-ID` of an earlier request.
fn address(target: &str, service_root: &str, earlier: &[Earlier]) -> Result<(String, String), Failure> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = below_root(path, service_root) else {
        return Err(Failure::invalid(format!("'{path}' points outside this organisation")));
    };
    let path = path.trim_start_matches('/');
    let path = match path.strip_prefix('$').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        Some((name, rest)) if !matches!(name, "metadata" | "batch") => {
            let found = earlier.iter().rev().find(|earlier| earlier.content_id == name);
            let found = found.ok_or_else(|| {
                Failure::invalid(format!("'${name}': no earlier request of this change set has that Content-ID"))
            })?;
            if rest.is_empty() { found.path.clone() } else { format!("{}/{rest}", found.path) }
        }
        _ => path.to_owned(),
    };
    Ok((path, query.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use custodia_org::Reference;
    use custodia_schema::{Guid, TableId};

    use super::*;

    #[test]
    fn addresses_come_in_every_form() {
        let earlier = [Earlier {
            content_id: "1".to_owned(),
            record: Reference::id(TableId(1), Guid::from_u128(1)),
            path: "accounts(1)".to_owned(),
        }];
        let root = "https://crm.example:8443/demo/api/data/v9.2/";
        let cases = [
            ("https://crm.example:8443/demo/api/data/v9.2/accounts?$top=1", Some(("accounts", "$top=1"))),
            ("https://CRM.example:8443/demo/api/data/v9.1/accounts", Some(("accounts", ""))),
            ("/demo/api/data/v9.2/accounts?a?b", Some(("accounts", "a?b"))),
            ("/api/data/v9.2/accounts", Some(("accounts", ""))),
            ("/accounts", Some(("accounts", ""))),
            ("accounts", Some(("accounts", ""))),
            ("$1", Some(("accounts(1)", ""))),
            ("/$1/name?x", Some(("accounts(1)/name", "x"))),
            ("https://crm.example:8443/demo/api/data/v9.2/$1/name", Some(("accounts(1)/name", ""))),
            ("$metadata", Some(("$metadata", ""))),
            ("$2", None),
            ("$11", None),
            ("https://crm.example:8443/other/api/data/v9.2/accounts", None),
            ("https://elsewhere.example/demo/api/data/v9.2/accounts", None),
        ];
        for (target, expected) in cases {
            let found = address(target, root, &earlier).ok();
            assert_eq!(found.as_ref().map(|(path, query)| (path.as_str(), query.as_str())), expected, "{target}");
        }
    }
}
