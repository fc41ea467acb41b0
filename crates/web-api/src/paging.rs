//! Pages: where one ends, and the link to the next.

use custodia_query::Query;
use custodia_query::odata::{CountedPage, SkipToken, SkipTokenError, query_string};
use custodia_schema::{Schema, TableId, Value};
use percent_encoding::percent_decode_str;

use crate::call::Call;
use crate::failure::Failure;
use crate::rows::{Ends, sort_key};

/// The option that says where a page begins.
pub(crate) const SKIP_TOKEN: &str = "$skiptoken";

/// One page of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging<'p> {
    /// The collection's path below the service root, percent-encoded.
    pub path: &'p str,
    /// The options that the collection is asked with.
    pub options: &'p [(String, String)],
    /// Which page, from 1.
    pub page_number: u32,
}

impl<'p> Paging<'p> {
    /// Sets up a query for the page that the request asks for.
    ///
    /// # Errors
    /// A page token that is malformed or was given to another caller or for another query.
    pub(crate) fn begin(call: &'p Call<'_>, query: &mut Query, skip_token: Option<&str>) -> Result<Self, Failure> {
        query.page_size = page_size(call);
        if call.preferences.page_rows.is_some() {
            // Who asks for pages wants to go through all of them.
            query.top = None;
        }
        let mut paging = Self { path: call.request.path.trim_matches('/'), options: &call.options, page_number: 1 };
        if let Some(text) = skip_token {
            let path = decoded(paging.path);
            let binding = call.binding(&path, paging.options);
            let token = SkipToken::decode(text, &call.schema, query, &binding, &|message| call.sign(message))?;
            query.after = Some(token.last);
            if query.top.is_some() {
                query.top = token.top_left;
            }
            paging.page_number = token.page_number;
        }
        Ok(paging)
    }

    /// The address of the page after the one that ends there. `keys` are the positions of the sort keys in a row, `rows`
    /// is how many rows the page has.
    pub(crate) fn next_link(
        &self,
        call: &Call<'_>,
        query: &Query,
        keys: &[usize],
        ends: &Ends,
        rows: u32,
    ) -> Result<String, Failure> {
        let schema = &call.schema;
        let place = |row: &[Value]| place(schema, query, keys, row);
        let token = SkipToken {
            page_number: self.page_number.saturating_add(1),
            top_left: query.top.map(|top| top.saturating_sub(rows)),
            last: place(&ends.last),
        };
        let path = decoded(self.path);
        let binding = call.binding(&path, self.options);
        let text = token.encode(schema, query, &place(&ends.first), &binding, &|message| call.sign(message))?;
        Ok(continued(call, self.path, self.options, &text))
    }

    /// The address of the first page.
    pub(crate) fn link(&self, call: &Call<'_>) -> String {
        let options = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        format!("{}{}?{}", call.request.service_root, self.path, query_string(options))
    }
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The token of a page that is found by counting, of what is asked of a table with these options.
pub(crate) fn counted_token(
    call: &Call<'_>,
    table: TableId,
    options: &[(String, String)],
    page: &CountedPage,
) -> String {
    let path = decoded(call.request.path);
    SkipToken::encode_counted(page, table, &call.binding(&path, options), &|message| call.sign(message))
}

/// The page that such a token leads to.
pub(crate) fn counted_page(
    call: &Call<'_>,
    table: TableId,
    options: &[(String, String)],
    token: &str,
) -> Result<CountedPage, SkipTokenError> {
    let path = decoded(call.request.path);
    SkipToken::decode_counted(token, table, &call.binding(&path, options), &|message| call.sign(message))
}

/// The address of what is asked at a path with some options, from the place on that a page token says.
pub(crate) fn continued(call: &Call<'_>, path: &str, options: &[(String, String)], token: &str) -> String {
    let kept = options.iter().filter(|(name, _)| name != SKIP_TOKEN);
    let all = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain([(SKIP_TOKEN, token)]);
    format!("{}{path}?{}", call.request.service_root, query_string(all))
}

/// The place of a row in the order of a query that can seek. `keys` are the positions of the sort keys in a row.
pub(crate) fn place(schema: &Schema, query: &Query, keys: &[usize], row: &[Value]) -> Vec<Value> {
    let sorted = query.order.iter().zip(keys);
    let mut place: Vec<Value> =
        sorted.map(|(order, position)| sort_key(schema, query, &order.path, row.get(*position))).collect();
    // The primary id is the first field of every such query.
    place.push(row.first().cloned().unwrap_or(Value::Null));
    place
}

/// Rows of a page, of the collection that is asked for and of those within its records.
pub(crate) fn page_size(call: &Call<'_>) -> u32 {
    call.preferences.page_rows.unwrap_or(call.request.limits.page_rows_max).max(1)
}

/// Whether a page after the first is possible.
pub(crate) fn may_continue(query: &Query) -> bool {
    query.top.is_none_or(|top| top > query.page_size)
}
