//! `GET accounts?sql=…`: one selection in SQL.
//!
//! Pages are found by counting: the link to the next says how many rows come before it.

use bytes::Bytes;
use custodia_query::Related;
use custodia_query::fetchxml::{Question, RowsQuestion};
use custodia_query::odata::Applied;
use custodia_query::operator::Asker;
use custodia_query::sql_select::{SelectQuestion, depends_on_asker, parse_select};
use custodia_schema::{Guid, Table, TableId};
use http::{Response, StatusCode};

use crate::answer;
use crate::apply;
use crate::call::Call;
use crate::failure::Failure;
use crate::fetch::About;
use crate::json;
use crate::paging::page_size;
use crate::reads::separate;
use crate::rows::{Page, TakenPage};

/// The option that holds the statement.
const SQL: &str = "sql";

/// The statement of a request, if it has one. Beside it there can be no option but the place of a page.
pub(crate) fn stated<'c>(call: &'c Call<'_>) -> Result<Option<&'c str>, Failure> {
    let Some((_, text)) = call.options.iter().find(|(name, _)| name == SQL) else { return Ok(None) };
    let other = call.options.iter().find(|(name, _)| name.starts_with('$') && name != "$skiptoken");
    match other {
        Some((other, _)) => {
            Err(Failure::invalid(format!("'{other}' cannot stand beside 'sql', which is a whole query")))
        }
        None => Ok(Some(text)),
    }
}

/// Answers a statement about the rows of a table, of those that `related` leaves.
pub(crate) async fn answer(
    call: &Call<'_>,
    table: &Table,
    related: Option<Related>,
    text: &str,
) -> Result<Response<Bytes>, Failure> {
    let asker = match depends_on_asker(text) {
        true => call.asker().await?,
        false => Asker::plain(0, call.caller.acting(), Guid::nil()),
    };
    let SelectQuestion { question, top } = parse_select(&call.schema, text, &asker, call.request.limits)?;
    let skip_token = call.options.iter().find(|(name, _)| name == "$skiptoken").map(|(_, value)| value.clone());
    match question {
        Question::Groups(question) => {
            check_table(call, table, question.aggregation.rows.table)?;
            apply::answer(call, table, related, Applied { question, top, skip_token }).await
        }
        Question::Rows(mut question) => {
            check_table(call, table, question.query.table)?;
            question.query.related = related;
            let body = rows(call, table, question, top, skip_token.as_deref()).await?;
            let response = answer::json(StatusCode::OK, call.media, body);
            Ok(answer::applied(response, call.preferences.applied_to_rows(true).as_deref()))
        }
    }
}

/// The address must name the table that the statement begins with.
fn check_table(call: &Call<'_>, table: &Table, asked: TableId) -> Result<(), Failure> {
    if asked == table.id {
        return Ok(());
    }
    let asked = &call.table(asked)?.name;
    Err(Failure::invalid(format!("sql: the statement asks '{asked}', and the address '{}'", table.name)))
}

async fn rows(
    call: &Call<'_>,
    table: &Table,
    mut question: RowsQuestion,
    top: Option<u32>,
    skip_token: Option<&str>,
) -> Result<Vec<u8>, Failure> {
    let page = apply::page(call, table, top, skip_token)?;
    let skip_max = call.request.limits.skip_max;
    if page.skip > skip_max {
        let problem =
            format!("a page begins at most {skip_max} rows after the first (skip_max); add conditions instead");
        return Err(Failure::invalid(problem));
    }
    let left = page.top_left.unwrap_or(u32::MAX);
    let most = page_size(call).min(left);
    question.query.skip = page.skip;
    question.query.page_size = most.max(1);
    question.query.top = (most == 0).then_some(0);
    let plan = call.plan_fetched(&mut question).await?;
    let RowsQuestion { query, columns, .. } = &question;

    let mut out = Vec::new();
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    call.begin_body(&mut out, &format!("{}({names})", table.set_name));
    separate(&mut out);
    let about_at = out.len();
    out.extend_from_slice(b"\"value\":[");
    let sink = Page::new(&plan, out, query.page_size, false);
    let mut sink = sink.up_to(call.request.limits.answer_bytes_max);
    let found = call.organization.query(call.caller, query, &mut sink).await?;
    let TakenPage { mut out, rows, ends, .. } = sink.finish();
    out.push(b']');
    let more = ends.is_some() && left > rows;
    if more {
        out.extend_from_slice(b",\"@odata.nextLink\":");
        json::text(&mut out, &apply::next_link(call, table, &page.after(rows)));
    }
    out.push(b'}');
    let about = About { count: None, metadata_version: found.metadata_version, more, cookie: None, unasked: false };
    out.splice(about_at..about_at, about.written(call));
    Ok(out)
}
