//! Groups of rows and what their values come to: `$apply`.
//!
//! Pages of groups are found by counting: the link to the next says how many groups come before it.

use bytes::Bytes;
use custodia_org::Rows;
use custodia_query::Related;
use custodia_query::fetchxml::GroupsQuestion;
use custodia_query::odata::{Applied, CountedPage};
use custodia_schema::Table;
use http::{Response, StatusCode};

use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::fetch::{About, name_groups};
use crate::json;
use crate::paging::{continued, counted_page, counted_token, page_size};
use crate::reads::separate;
use crate::rows::GroupRow;

/// Answers what is applied to the rows of a table, of those that `related` leaves.
pub(crate) async fn answer(
    call: &Call<'_>,
    table: &Table,
    related: Option<Related>,
    applied: Applied,
) -> Result<Response<Bytes>, Failure> {
    let Applied { question: GroupsQuestion { mut aggregation, columns }, top, skip_token } = applied;
    let page = page(call, table, top, skip_token.as_deref())?;
    aggregation.rows.related = related;
    aggregation.skip = page.skip;
    let left = page.top_left.unwrap_or(u32::MAX);
    let most = page_size(call).min(left);
    aggregation.page_size = most.max(1);

    let mut found = Rows::default();
    let metadata_version = call.organization.aggregate(call.caller, &aggregation, &mut found).await?;
    let mut groups: Vec<GroupRow> = found.rows.into_iter().map(GroupRow).collect();
    let more = groups.len() > most as usize && left > most;
    groups.truncate(most as usize);
    let named = name_groups(call, &columns, &mut groups).await?;
    let plan = call.plan_groups(&columns, &named).await?;

    let mut out = Vec::new();
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    call.begin_body(&mut out, &format!("{}({names})", table.set_name));
    separate(&mut out);
    out.extend_from_slice(&About { count: None, metadata_version, more, cookie: None, unasked: false }.written(call));
    out.extend_from_slice(b"\"value\":[");
    plan.write_groups(&mut out, &groups);
    out.push(b']');
    if more {
        out.extend_from_slice(b",\"@odata.nextLink\":");
        json::text(&mut out, &next_link(call, table, &page.after(most)));
    }
    out.push(b'}');
    let bytes_max = call.request.limits.answer_bytes_max;
    if out.len() > bytes_max {
        let problem = format!(
            "the groups of this page are more than {bytes_max} bytes (answer_bytes_max); ask for fewer by odata.maxpagesize"
        );
        return Err(Failure::invalid(problem));
    }
    let response = answer::json(StatusCode::OK, call.media, out);
    Ok(answer::applied(response, call.preferences.applied_to_rows(true).as_deref()))
}

/// The page that the request asks for, of a query with that `$top`: the first, or the one that a token leads to.
pub(crate) fn page(
    call: &Call<'_>,
    table: &Table,
    top: Option<u32>,
    token: Option<&str>,
) -> Result<CountedPage, Failure> {
    let Some(token) = token else { return Ok(CountedPage::first(top)) };
    let page = counted_page(call, table.id, &call.options, token)?;
    Ok(CountedPage { top_left: top.and(page.top_left), ..page })
}

/// The address of a page that is found by counting.
pub(crate) fn next_link(call: &Call<'_>, table: &Table, page: &CountedPage) -> String {
    let token = counted_token(call, table.id, &call.options, page);
    continued(call, call.request.path.trim_matches('/'), &call.options, &token)
}
