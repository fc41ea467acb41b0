//! Change tracking: a list that ends in a link, and what changed since at that link.
//!
//! A token is a moment: a number of the commit head, when it was, and the epoch of the organisation. The moment of a list
//! is taken before its first page is read, and every page of it leads to that one; so a row that changes while the pages
//! are read is in the changes, whichever page it was on. A page of changes goes on from the number that the page before
//! it reached.

use std::collections::HashMap;

use bytes::Bytes;
use custodia_org::{Moment, Restart, Row, RowSink, Rows, TRACKED_SECONDS, TableChanges};
use custodia_query::odata::{Parsed, query_string};
use custodia_query::{Field, Filter, Order, Path, Query};
use custodia_schema::{ColumnId, Guid, Table, Value, ValueRef};
use http::{Response, StatusCode};

use crate::answer;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::json;
use crate::paging::{Paging, may_continue, page_size};
use crate::reads::{COUNT_MAX, asked, separate};
use crate::rows::{Page, RowPlan, TakenPage};

/// The option that holds the moment from which changes are asked.
const DELTA_TOKEN: &str = "$deltatoken";

/// The option that holds the moment of a list on the links between its pages. It is sealed with them.
const BEGAN: &str = "trackingbegan";

/// Options that leave out or rearrange rows: what changed among the rest could not be told.
const REFUSED: [&str; 13] = [
    "$filter",
    "$orderby",
    "$expand",
    "$top",
    "$skip",
    "$apply",
    "$compute",
    "$search",
    "$count",
    "fetchXml",
    "savedQuery",
    "userQuery",
    "sql",
];

/// Changes that one page tells of: their ids are parameters of one statement.
const PAGE_CHANGES_MAX: u32 = 2_000;

/// Whether changes are asked for, or that they be tracked.
pub(crate) fn is_asked(call: &Call<'_>) -> bool {
    call.preferences.track_changes || delta_token(call).is_some()
}

fn delta_token<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    call.options.iter().find(|(name, _)| name == DELTA_TOKEN).map(|(_, value)| value.as_str())
}

/// Answers a list whose changes are to be tracked, or the changes of one.
pub(crate) async fn collection(call: &Call<'_>, table: &Table, related: bool) -> Result<Response<Bytes>, Failure> {
    let version = check(call, table, related)?;
    let body = match delta_token(call) {
        Some(token) => changes(call, table, version, read_moment(token)?).await?,
        None => list(call, table).await?,
    };
    let mut applied = Vec::from(["odata.track-changes".to_owned()]);
    applied.extend(call.preferences.applied_to_rows(true));
    let response = answer::json(StatusCode::OK, call.media, body);
    Ok(answer::applied(response, call.preferences.track_changes.then(|| applied.join(",")).as_deref()))
}

/// Answers how many changes there are since a moment, as far as a count goes.
pub(crate) async fn count(call: &Call<'_>, table: &Table, related: bool) -> Result<Response<Bytes>, Failure> {
    let version = check(call, table, related)?;
    let Some(token) = delta_token(call) else {
        return Err(Failure::invalid("$count of changes takes the $deltatoken that they are counted from"));
    };
    let mut from = read_moment(token)?;
    let mut count = 0_u64;
    loop {
        let found = changes_after(call, table, from, PAGE_CHANGES_MAX).await?;
        count += found.removed.len() as u64;
        if !found.written.is_empty() {
            let mut query = Query::of(table, PAGE_CHANGES_MAX).showing([version]);
            query.filter = ids(table, &found.written);
            let mut rows = Rows::default();
            call.organization.query(call.caller, &query, &mut rows).await?;
            let is_last = |row: &Vec<Value>| match (row.first().and_then(Value::guid), row.get(1)) {
                (Some(id), Some(Value::BigInt(version))) => found.written.get(&id) == Some(version),
                _ => false,
            };
            count += rows.rows.iter().filter(|row| is_last(row)).count() as u64;
        }
        if !found.more || count >= COUNT_MAX {
            break;
        }
        from = found.up_to;
    }
    let mut body = Vec::new();
    json::natural(&mut body, count.min(COUNT_MAX));
    Ok(answer::text(body))
}

/// That changes of this can be told; the column that says when a row changed last.
fn check(call: &Call<'_>, table: &Table, related: bool) -> Result<ColumnId, Failure> {
    if related {
        return Err(Failure::invalid("changes are tracked of whole sets, not of the records that belong to another"));
    }
    let version = table.column("versionnumber").filter(|_| table.change_tracking);
    let Some(version) = version else {
        let message = format!("Change tracking is not enabled for the table '{}'.", table.name);
        return Err(Failure::invalid(message));
    };
    let refused = call.options.iter().find(|(name, _)| REFUSED.contains(&name.as_str()));
    if let Some((name, _)) = refused {
        return Err(Failure::invalid(format!("'{name}' cannot stand beside change tracking, which is of whole sets")));
    }
    Ok(version.id)
}

/// A page of the whole list; the last one ends in the link to its changes.
async fn list(call: &Call<'_>, table: &Table) -> Result<Vec<u8>, Failure> {
    let is_first = !call.options.iter().any(|(name, _)| name == "$skiptoken");
    let mut options = call.options.clone();
    if is_first {
        options.retain(|(name, _)| name != BEGAN);
        // Before the rows are read: they hold every change up to this moment, and perhaps some after it, which are then
        // told twice.
        let began = call.organization.present_moment(call.caller, table.id).await?;
        options.push((BEGAN.to_owned(), written_moment(began)));
    }
    let call = &with_options(call, options);
    let began = call.options.iter().find(|(name, _)| name == BEGAN).map(|(_, value)| value.clone());
    let began = began.ok_or_else(|| Failure::invalid("$skiptoken: it was given for another query"))?;

    let Parsed { mut query, shape, skip_token } = asked(call, table).await?;
    let paging = Paging::begin(call, &mut query, skip_token.as_deref())?;
    let plan = call.plan(&mut query, &shape).await?;
    let mut out = Vec::new();
    begin(call, &mut out, &format!("{}{}", table.set_name, shape.context(&call.schema)));
    let mut sink =
        Page::new(&plan, out, query.page_size, may_continue(&query)).up_to(call.request.limits.answer_bytes_max);
    let found = call.organization.query(call.caller, &query, &mut sink).await?;
    let TakenPage { mut out, rows, ends, .. } = sink.finish();
    match ends {
        Some(ends) => {
            out.extend_from_slice(b"],\"@odata.nextLink\":");
            json::text(&mut out, &paging.next_link(call, &query, &found.keys, &ends, rows)?);
        }
        None => {
            out.extend_from_slice(b"],\"@odata.deltaLink\":");
            json::text(&mut out, &link(call, &began));
        }
    }
    out.push(b'}');
    Ok(out)
}

/// A page of changes.
async fn changes(call: &Call<'_>, table: &Table, version: ColumnId, from: Moment) -> Result<Vec<u8>, Failure> {
    let found = changes_after(call, table, from, page_size(call).min(PAGE_CHANGES_MAX)).await?;
    let options = call.options.iter().filter(|(name, _)| name != DELTA_TOKEN && name != BEGAN).cloned();
    let call = &with_options(call, options.collect());
    let Parsed { mut query, shape, skip_token } = asked(call, table).await?;
    if skip_token.is_some() {
        return Err(Failure::invalid("$skiptoken cannot stand beside $deltatoken"));
    }
    let plan = call.plan(&mut query, &shape).await?;
    let mut out = Vec::new();
    begin(call, &mut out, &format!("{}{}/$delta", table.set_name, shape.context(&call.schema)));
    let start = out.len();
    let mut up_to = found.up_to;
    let mut more = found.more;
    if !found.written.is_empty() {
        let (written, reached) = changed_rows(call, table, query, &plan, version, &found.written, out).await?;
        out = written;
        if let Some(number) = reached {
            // The answer took no more rows: what comes after them is for the next page.
            up_to = Moment { number, seconds: from.seconds, ..up_to };
            more = true;
        }
    }
    for (_, id) in found.removed.iter().filter(|(number, _)| *number <= up_to.number) {
        if out.len() > start {
            out.push(b',');
        }
        let context = format!("{}$metadata#{}/$deletedEntity", call.request.service_root, table.set_name);
        out.extend_from_slice(b"{\"@odata.context\":");
        json::text(&mut out, &context);
        out.extend_from_slice(b",\"id\":\"");
        json::guid(&mut out, id);
        out.extend_from_slice(b"\",\"reason\":\"deleted\"}");
    }
    out.extend_from_slice(if more { b"],\"@odata.nextLink\":" } else { b"],\"@odata.deltaLink\":" });
    json::text(&mut out, &link(call, &written_moment(up_to)));
    out.push(b'}');
    Ok(out)
}

/// Writes those of the changed rows that the caller may read and that did not change again: then they come later. In the
/// order of their changes; if the answer takes no more of them, up to which number it did.
async fn changed_rows(
    call: &Call<'_>,
    table: &Table,
    mut query: Query,
    plan: &RowPlan,
    version: ColumnId,
    written: &HashMap<Guid, i64>,
    out: Vec<u8>,
) -> Result<(Vec<u8>, Option<i64>), Failure> {
    query.filter = ids(table, written);
    query.order = vec![Order::by_value(Path::own(version), false)];
    query.page_size = PAGE_CHANGES_MAX;
    let field = Field::Column(version);
    let version_at = query.fields.iter().position(|known| *known == field).unwrap_or_else(|| {
        query.fields.push(field);
        query.fields.len() - 1
    });
    let page = Page::new(plan, out, PAGE_CHANGES_MAX, false).up_to(call.request.limits.answer_bytes_max);
    let mut sink = LastChanges { page, written, version_at, numbers: Vec::new() };
    call.organization.query(call.caller, &query, &mut sink).await?;
    let TakenPage { out, rows, .. } = sink.page.finish();
    let rows = rows as usize;
    let reached =
        if rows < sink.numbers.len() { rows.checked_sub(1).and_then(|last| sink.numbers.get(last)) } else { None };
    Ok((out, reached.copied()))
}

/// Rows that are as one of the changes left them.
struct LastChanges<'p> {
    page: Page<'p>,
    written: &'p HashMap<Guid, i64>,
    version_at: usize,
    /// The numbers of the rows that were handed on.
    numbers: Vec<i64>,
}

impl RowSink for LastChanges<'_> {
    fn row(&mut self, row: &Row<'_>) {
        if let (ValueRef::Guid(id), ValueRef::Integer(version)) = (row.get(0), row.get(self.version_at))
            && self.written.get(&id) == Some(&version)
        {
            self.numbers.push(version);
            self.page.row(row);
        }
    }
}

impl Restart for LastChanges<'_> {
    fn restart(&mut self) {
        self.numbers.clear();
        self.page.restart();
    }
}

async fn changes_after(call: &Call<'_>, table: &Table, from: Moment, limit: u32) -> Result<TableChanges, Failure> {
    let found = call.organization.changes_after(call.caller, table.id, from, limit).await?;
    found.ok_or_else(|| {
        let days = TRACKED_SECONDS / (24 * 60 * 60);
        let message = format!(
            "$deltatoken: what changed since is not known. Tokens are good for {days} days, and not after the organisation \
             was moved or restored; read the whole set again."
        );
        Failure::new(StatusCode::GONE, code::EXPIRED_STAMP, message)
    })
}

fn ids(table: &Table, written: &HashMap<Guid, i64>) -> Filter {
    let mut values: Vec<Guid> = written.keys().copied().collect();
    values.sort_unstable();
    Filter::In { path: Path::own(table.primary_id), values: values.into_iter().map(Value::Guid).collect() }
}

/// Begins a body up to its first row.
fn begin(call: &Call<'_>, out: &mut Vec<u8>, context: &str) {
    call.begin_body(out, context);
    separate(out);
    out.extend_from_slice(b"\"value\":[");
}

/// The same request with other query options.
fn with_options<'r>(call: &Call<'r>, options: Vec<(String, String)>) -> Call<'r> {
    Call {
        organization: call.organization,
        caller: call.caller,
        request: call.request,
        schema: std::sync::Arc::clone(&call.schema),
        options,
        preferences: call.preferences.clone(),
        media: call.media,
        earlier: call.earlier,
    }
}

/// The address of what changed since a moment, with what else was asked.
fn link(call: &Call<'_>, moment: &str) -> String {
    let dropped = [DELTA_TOKEN, BEGAN, "$skiptoken"];
    let kept = call.options.iter().filter(|(name, _)| !dropped.contains(&name.as_str()));
    let all = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain([(DELTA_TOKEN, moment)]);
    format!("{}{}?{}", call.request.service_root, call.request.path.trim_matches('/'), query_string(all))
}

fn written_moment(moment: Moment) -> String {
    format!("{}!{}!{}", moment.number, moment.seconds, moment.epoch)
}

fn read_moment(token: &str) -> Result<Moment, Failure> {
    let mut parts = token.split('!').map(str::parse::<i64>);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(number)), Some(Ok(seconds)), Some(Ok(epoch)), None) => Ok(Moment { number, epoch, seconds }),
        _ => Err(Failure::invalid("$deltatoken: this service did not give it; take one from an @odata.deltaLink")),
    }
}
