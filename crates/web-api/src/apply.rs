//! Groups of rows and what their values come to: `$apply`.
//!
//! Pages of groups are found by counting: the link to the next says which page it is.

use bytes::Bytes;
use custodia_org::Rows;
use custodia_query::Related;
use custodia_query::fetchxml::GroupsQuestion;
use custodia_query::odata::Applied;
use custodia_schema::Table;
use http::{Response, StatusCode};

use crate::answer;
use crate::call::Call;
use crate::failure::Failure;
use crate::fetch::{About, name_groups};
use crate::json;
use crate::paging::{continued, page_size};
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
    let page = page(skip_token.as_deref())?;
    aggregation.rows.related = related;
    let size = page_size(call);
    aggregation.skip = page.saturating_sub(1).saturating_mul(size);
    if aggregation.skip > aggregation.rows_max {
        return Err(Failure::invalid("$skiptoken: there are no groups so far on"));
    }
    let left = top.map_or(u32::MAX, |top| top.saturating_sub(aggregation.skip));
    aggregation.page_size = size.min(left).max(1);

    let mut found = Rows::default();
    let metadata_version = call.organization.aggregate(call.caller, &aggregation, &mut found).await?;
    let mut groups: Vec<GroupRow> = found.rows.into_iter().map(GroupRow).collect();
    let taken = size.min(left) as usize;
    let more = groups.len() > taken && left > size;
    groups.truncate(taken);
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
        json::text(&mut out, &next_link(call, page.saturating_add(1)));
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

/// The page that a token names, from 1.
pub(crate) fn page(token: Option<&str>) -> Result<u32, Failure> {
    let Some(token) = token else { return Ok(1) };
    let number = token.split_once("pagenumber=\"").and_then(|(_, rest)| rest.split_once('"'));
    number.and_then(|(number, _)| number.parse().ok()).filter(|page| *page > 1).ok_or_else(|| {
        Failure::invalid("$skiptoken: the page token is malformed; take the link to the next page as it was given")
    })
}

/// The address of a page that is found by counting.
pub(crate) fn next_link(call: &Call<'_>, page: u32) -> String {
    let token = format!("<cookie pagenumber=\"{page}\" istracking=\"False\" />");
    continued(call, call.request.path.trim_matches('/'), &call.options, &token)
}
