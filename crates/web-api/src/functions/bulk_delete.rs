//! `BulkDelete`: a job that deletes what queries find.

use bytes::Bytes;
use custodia_org::{BulkDelete, Change, query_limits};
use custodia_query::fetchxml::{Fetch, FetchXmlError, Question};
use custodia_query::odata::parse_moment;
use custodia_query::operator::Asker;
use custodia_schema::Guid;
use http::{Response, StatusCode};

use super::{Operation, begin};
use crate::answer;
use crate::body::Object;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::json;
use crate::prepared::{Answering, PreparedWrite};
use crate::query_expression;

/// Queries of one job.
const QUERIES_MAX: usize = 50;
/// Bytes of all queries of one job together: as long as the column that keeps them.
const QUERY_BYTES_MAX: usize = 1 << 20;
/// Characters of a job's name, as its column has them.
const NAME_MAX: usize = 256;

/// Members that say nothing here: mail is not sent, and the others have no meaning without it.
const PASSED_OVER: [&str; 4] = ["ToRecipients", "CCRecipients", "SourceImportId", "@odata.type"];

/// Reads the call.
pub(super) async fn prepare(operation: &Operation<'_>, body: &Object<'_>) -> Result<PreparedWrite, Failure> {
    let call = operation.call;
    let mut request = BulkDelete { name: "Bulk delete".to_owned(), queries: Vec::new(), start: None };
    let mut runs_now = false;
    for (member, value) in body.members() {
        let is_given = !value.is_null();
        match member {
            "QuerySet" => request.queries = queries(call, &body.need_objects("QuerySet")?).await?,
            "JobName" if is_given => request.name = name(&body.need_text(member)?)?,
            "StartDateTime" if is_given => request.start = start(&body.need_text(member)?)?,
            "RecurrencePattern" if is_given && !body.need_text(member)?.trim().is_empty() => {
                return Err(Failure::unsupported("a RecurrencePattern of BulkDelete"));
            }
            "RunNow" => runs_now = body.boolean_of(member)?.unwrap_or(false),
            "SendEmailNotification" if body.boolean_of(member)?.unwrap_or(false) => {
                return Err(Failure::unsupported("SendEmailNotification of BulkDelete"));
            }
            "JobName" | "StartDateTime" | "RecurrencePattern" | "SendEmailNotification" => {}
            known if PASSED_OVER.contains(&known) => {}
            unknown => return Err(Failure::body(format!("BulkDelete has no parameter '{unknown}'"))),
        }
    }
    if request.queries.is_empty() {
        return Err(Failure::body("'QuerySet' is missing or empty; BulkDelete needs at least one query"));
    }
    if runs_now {
        request.start = None;
    }
    let job = call.organization.new_id();
    Ok(PreparedWrite { change: Change::BulkDelete(job, request), record: None, answering: Answering::Job(job) })
}

/// The answer once the job is made.
pub(crate) fn made(call: &Call<'_>, job: Guid) -> Response<Bytes> {
    let mut body = begin(call, "BulkDeleteResponse");
    body.extend_from_slice(b"\"JobId\":\"");
    json::guid(&mut body, &job);
    body.extend_from_slice(b"\"}");
    answer::json(StatusCode::OK, call.media, body)
}

/// The queries in FetchXML. They are looked up here once, so that what makes no sense is refused and not found by the job.
async fn queries(call: &Call<'_>, given: &[Object<'_>]) -> Result<Vec<String>, Failure> {
    if given.len() > QUERIES_MAX {
        let message = format!("'QuerySet' has {} queries; at most {QUERIES_MAX} are taken", given.len());
        return Err(Failure::invalid(message));
    }
    let limits = custodia_query::odata::Limits { withheld: call.request.limits.withheld.clone(), ..query_limits() };
    let (mut queries, mut bytes) = (Vec::with_capacity(given.len()), 0);
    for (at, query) in given.iter().enumerate() {
        let within = |failure: Failure| Failure { message: format!("QuerySet[{at}]: {}", failure.message), ..failure };
        let text = query_expression::read(query, &limits).map_err(within)?.print();
        let fetch = Fetch::read(&text, &limits).map_err(|error| within(error.into()))?;
        let asker = match fetch.depends_on_asker() {
            true => call.asker().await?,
            false => Asker::plain(0, call.caller.acting(), Guid::nil()),
        };
        let question = fetch.resolve(&call.schema, &asker, &limits);
        if let Question::Groups(_) = question.map_err(|error: FetchXmlError| within(error.into()))? {
            return Err(within(Failure::invalid("groups cannot be deleted")));
        }
        bytes += text.len();
        if bytes > QUERY_BYTES_MAX {
            let message = format!("the queries are longer than {QUERY_BYTES_MAX} bytes together; make several jobs");
            return Err(Failure::invalid(message));
        }
        queries.push(text);
    }
    Ok(queries)
}

fn name(text: &str) -> Result<String, Failure> {
    let length = text.chars().count();
    if length > NAME_MAX {
        let message = format!("'JobName' has {length} characters; at most {NAME_MAX} are taken");
        return Err(Failure::new(StatusCode::BAD_REQUEST, code::TOO_LONG, message));
    }
    Ok(text.to_owned())
}

fn start(text: &str) -> Result<Option<i64>, Failure> {
    let moment = parse_moment(text.trim());
    let wrong = || {
        Failure::body(format!(
            "'StartDateTime' is '{text}'; a date and time like \"2024-02-29T10:00:00Z\" was expected"
        ))
    };
    moment.map(Some).ok_or_else(wrong)
}
