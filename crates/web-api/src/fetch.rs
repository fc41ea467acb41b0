//! FetchXML: `GET accounts?fetchXml=…`, and stored views by `savedQuery=` and `userQuery=`.

use std::collections::HashMap;

use bytes::Bytes;
use custodia_org::{Error, Rows};
use custodia_query::fetchxml::{Fetch, FetchXmlError, GroupColumn, GroupValue, GroupsQuestion, Question, RowsQuestion};
use custodia_query::odata::{CountedPage, SkipToken, SkipTokenBinding, SkipTokenError};
use custodia_query::operator::Asker;
use custodia_query::{Field, Filter, Path, Query, Related, RowKey};
use custodia_schema::{Guid, Table, TableId, Value};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer;
use crate::call::Call;
use crate::failure::{Failure, code};
use crate::json;
use crate::paging::{self, SKIP_TOKEN, continued, may_continue, place};
use crate::prefer::{
    FORMATTED_VALUE, LOOKUP_LOGICAL_NAME, METADATA_VERSION, MORE_RECORDS, PAGING_COOKIE, TOTAL_COUNT,
    TOTAL_COUNT_EXCEEDED,
};
use crate::reads::separate;
use crate::rows::{Ends, GroupRow, NamedAt, Page, TakenPage};

/// The most that a count says, as in Dataverse.
const COUNT_MAX: u64 = 5_000;

/// Records whose names are read by one statement.
const NAMES_AT_ONCE: usize = 1_000;

/// The option that holds a query.
const FETCH_XML: &str = "fetchXml";

/// Options that name a stored view, and the tables that the views are in.
const STORED: [(&str, &str); 2] = [("savedQuery", "savedquery"), ("userQuery", "userquery")];

/// Options that are a whole query of another language.
const WHOLE: [&str; 4] = [FETCH_XML, "savedQuery", "userQuery", "sql"];

/// Refuses whole queries that would be passed over, since the answer would hold records that nobody asked for: a name in
/// another case would be an option that no service knows, and of two queries one would not be asked.
pub(crate) fn check_whole_queries(options: &[(String, String)]) -> Result<(), Failure> {
    let mut first = None;
    for (name, _) in options {
        let Some(known) = WHOLE.iter().find(|known| known.eq_ignore_ascii_case(name)) else { continue };
        if name != known {
            return Err(Failure::invalid(format!("the option '{name}' is written '{known}'")));
        }
        if let Some(first) = first.replace(known) {
            return Err(Failure::invalid(format!("'{known}' cannot stand beside '{first}', which is a whole query")));
        }
    }
    Ok(())
}

/// What the query options say instead of OData's.
pub(crate) enum Stated<'c> {
    /// The query itself.
    Text(&'c str),
    /// The view of that table with that id, from the page on that a link to it says.
    Stored(&'static str, Guid, Option<&'c str>),
}

impl<'c> Stated<'c> {
    /// Looks for such an option. Beside it there can be no other, but of a view the place of a page.
    pub(crate) fn of(call: &'c Call<'_>) -> Result<Option<Self>, Failure> {
        let table_of = |name: &str| STORED.iter().find(|(option, _)| *option == name).map(|(_, table)| *table);
        let is_one = |name: &str| name == FETCH_XML || table_of(name).is_some();
        let Some((name, value)) = call.options.iter().find(|(name, _)| is_one(name)) else { return Ok(None) };
        let token = call.options.iter().find(|(other, _)| other == SKIP_TOKEN && table_of(name).is_some());
        let mut others = call.options.iter().filter(|(other, _)| other != name && other.starts_with('$'));
        if let Some((other, _)) = others.find(|(other, _)| token.is_none() || other != SKIP_TOKEN) {
            return Err(match table_of(name) {
                Some(_) => Failure::unsupported(format!("'{other}' beside '{name}'")),
                None => Failure::invalid(format!("'{other}' cannot stand beside '{name}', which is a whole query")),
            });
        }
        match table_of(name) {
            None => Ok(Some(Self::Text(value))),
            Some(table) => match Guid::try_parse(value.trim()) {
                Ok(id) => Ok(Some(Self::Stored(table, id, token.map(|(_, token)| token.as_str())))),
                Err(_) => Err(Failure::invalid(format!("{name}: '{value}' is not the id of a view"))),
            },
        }
    }
}

/// Answers a query over the rows of a table, of those that `related` leaves.
pub(crate) async fn answer(
    call: &Call<'_>,
    table: &Table,
    related: Option<Related>,
    stated: Stated<'_>,
) -> Result<Response<Bytes>, Failure> {
    let limits = call.request.limits;
    let (fetch, pages) = match stated {
        Stated::Text(text) => (Fetch::read(text, limits)?, Pages::Stated),
        Stated::Stored(views, id, token) => {
            (Fetch::read(&stored(call, views, id).await?, limits)?, Pages::Linked(token))
        }
    };
    if call.schema.table_named(&fetch.table).is_none() {
        return Err(FetchXmlError::UnknownTable(fetch.table).into());
    }
    if fetch.table != table.name {
        let message = format!(
            "The entity '{}' of the FetchXML is not the one that the address asks, which is '{}'.",
            fetch.table, table.name
        );
        return Err(Failure::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message));
    }
    let asker = match fetch.depends_on_asker() {
        true => call.asker().await?,
        false => Asker::plain(0, call.caller.acting(), Guid::nil()),
    };
    let body = match fetch.resolve(&call.schema, &asker, limits)? {
        Question::Rows(mut question) => {
            question.query.related = related;
            rows(call, table, &fetch, question, pages).await?
        }
        Question::Groups(mut question) => {
            question.aggregation.rows.related = related;
            groups(call, table, &fetch, question, pages).await?
        }
    };
    let response = answer::json(StatusCode::OK, call.media, body);
    Ok(answer::applied(response, call.preferences.applied_to_rows(takes_preferred_size(&fetch)).as_deref()))
}

/// How a query goes from page to page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages<'c> {
    /// The caller states the page in the query, with the cookie of the one before.
    Stated,
    /// By links, since the caller states no query: from the first page on, or from the one that the token of a link says.
    Linked(Option<&'c str>),
}

impl Pages<'_> {
    /// Whether nothing says that there are pages at all: who states no size would take the first one for the whole.
    fn are_untold(self, fetch: &Fetch) -> bool {
        self == Self::Stated && fetch.count.is_none()
    }

    /// The end of a body whose rows are written: with the link to the page after that one, where there is one and links are how
    /// pages are reached. `token` is what leads there.
    fn write_end(self, call: &Call<'_>, out: &mut Vec<u8>, more: bool, token: impl FnOnce() -> String) {
        out.push(b']');
        if more && matches!(self, Self::Linked(_)) {
            out.extend_from_slice(b",\"@odata.nextLink\":");
            json::text(out, &continued(call, call.request.path.trim_matches('/'), &call.options, &token()));
        }
        out.push(b'}');
    }
}

/// The query of a stored view that the caller may read.
async fn stored(call: &Call<'_>, views: &str, id: Guid) -> Result<String, Failure> {
    let gone = || Failure::not_found(format!("{views} With Id = {id} Does Not Exist"));
    let table = call.schema.table_named(views).ok_or_else(gone)?;
    let text = table.column("fetchxml").ok_or_else(gone)?;
    let mut found = Rows::default();
    let query = Query::of_row(table, &RowKey::Id(id)).showing([text.id]);
    call.organization.query(call.caller, &query, &mut found).await?;
    match found.rows.into_iter().next().ok_or_else(gone)?.into_iter().nth(1) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(Failure::invalid(format!("the view {id} has no FetchXML"))),
    }
}

/// Whether the query leaves the size of its pages to the caller's preference.
fn takes_preferred_size(fetch: &Fetch) -> bool {
    fetch.count.is_none() && fetch.top.is_none()
}

/// Rows of one page: what the query says, else what the caller prefers.
fn page_size(call: &Call<'_>, fetch: &Fetch, most: u32) -> u32 {
    let preferred = call.preferences.page_rows.filter(|_| takes_preferred_size(fetch));
    preferred.unwrap_or(most).min(call.request.limits.page_rows_max).max(1)
}

/// The page that a query states, which is found by counting: all before it are of that size.
fn stated_page(fetch: &Fetch, page_size: u32) -> CountedPage {
    let number = fetch.page.unwrap_or(1);
    CountedPage { number, skip: number.saturating_sub(1).saturating_mul(page_size), top_left: None }
}

/// Rows before a page that is found by counting.
fn passed_over(call: &Call<'_>, page: &CountedPage) -> Result<u32, Failure> {
    let most = call.request.limits.skip_max;
    let CountedPage { number, skip, .. } = *page;
    if skip <= most {
        return Ok(skip);
    }
    let message = format!(
        "Page {number} begins after {skip} rows; without a paging cookie that leads to it, pages are found up to {most} \
         rows (skip_max)."
    );
    Err(Failure::new(StatusCode::BAD_REQUEST, code::SENSELESS_FETCHXML, message))
}

async fn rows(
    call: &Call<'_>,
    table: &Table,
    fetch: &Fetch,
    mut question: RowsQuestion,
    pages: Pages<'_>,
) -> Result<Vec<u8>, Failure> {
    question.query.page_size = page_size(call, fetch, question.query.page_size);
    let cookies = Cookies::of(call, table, fetch);
    let (page, last) = cookies.begin(call, table, fetch, &question.query, pages)?;
    question.query.after = last;
    question.query.skip = passed_over(call, &page)?;
    let plan = call.plan_fetched(&mut question).await?;
    let RowsQuestion { query, columns, .. } = &question;

    let mut out = Vec::new();
    let context = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    call.begin_body(&mut out, &format!("{}({context})", table.set_name));
    separate(&mut out);
    let about_at = out.len();
    out.extend_from_slice(b"\"value\":[");
    let sink = Page::new(&plan, out, query.page_size, may_continue(query));
    let mut sink = sink.up_to(call.request.limits.answer_bytes_max);
    let found = call.organization.query(call.caller, query, &mut sink).await?;
    let TakenPage { mut out, rows, ends, .. } = sink.finish();
    let cookie = match &ends {
        // Pages that callers count must all be of one size.
        Some(_) if pages == Pages::Stated && !seals(query) && rows < query.page_size => return Err(too_long()),
        Some(ends) => cookies.write(call, query, page.number, &found.keys, ends)?,
        None => None,
    };
    pages.write_end(call, &mut out, ends.is_some(), || match &cookie {
        Some(cookie) if seals(query) => cookie.clone(),
        _ => write_counted(call, table, fetch, &page.after(rows)),
    });
    let about = About {
        count: found.count,
        metadata_version: found.metadata_version,
        more: ends.is_some(),
        cookie,
        unasked: pages.are_untold(fetch),
    };
    out.splice(about_at..about_at, about.written(call));
    Ok(out)
}

async fn groups(
    call: &Call<'_>,
    table: &Table,
    fetch: &Fetch,
    mut question: GroupsQuestion,
    pages: Pages<'_>,
) -> Result<Vec<u8>, Failure> {
    let GroupsQuestion { aggregation, columns } = &mut question;
    aggregation.page_size = page_size(call, fetch, aggregation.page_size);
    let page = match pages {
        Pages::Linked(Some(token)) => read_counted(call, table, fetch, token)?,
        _ => stated_page(fetch, aggregation.page_size),
    };
    aggregation.skip = passed_over(call, &page)?;
    let mut found = Rows::default();
    let metadata_version = call.organization.aggregate(call.caller, aggregation, &mut found).await?;
    let mut groups: Vec<GroupRow> = found.rows.into_iter().map(GroupRow).collect();
    let most = aggregation.page_size;
    let more = groups.len() > most as usize && fetch.top.is_none();
    groups.truncate(most as usize);
    let named = name_groups(call, columns, &mut groups).await?;
    let plan = call.plan_groups(columns, &named).await?;

    let mut out = Vec::new();
    let context = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    call.begin_body(&mut out, &format!("{}({context})", table.set_name));
    separate(&mut out);
    out.extend_from_slice(
        &About { count: None, metadata_version, more, cookie: None, unasked: pages.are_untold(fetch) }.written(call),
    );
    out.extend_from_slice(b"\"value\":[");
    plan.write_groups(&mut out, &groups);
    pages.write_end(call, &mut out, more, || write_counted(call, table, fetch, &page.after(most)));
    if out.len() > call.request.limits.answer_bytes_max {
        return Err(too_long());
    }
    Ok(out)
}

/// Adds to groups by a lookup the names and tables of the records that it points at, if the caller wants them: of those that
/// the caller may read.
pub(crate) async fn name_groups(
    call: &Call<'_>,
    columns: &[GroupColumn],
    groups: &mut [GroupRow],
) -> Result<Vec<NamedAt>, Failure> {
    let mut named = Vec::new();
    if !call.preferences.wants(FORMATTED_VALUE) && !call.preferences.wants(LOOKUP_LOGICAL_NAME) {
        return Ok(named);
    }
    for shown in columns.iter().filter(|shown| shown.kind == GroupValue::Value) {
        let column = call.table(shown.table)?.column_by_id(shown.column);
        let targets = column.map_or(&[][..], |column| column.kind.targets());
        if targets.is_empty() {
            continue;
        }
        let id_of = |group: &GroupRow| group.0.get(shown.position).and_then(Value::guid);
        let mut names: HashMap<Guid, (Value, TableId)> = HashMap::new();
        let mut ids: Vec<Guid> = groups.iter().filter_map(id_of).collect();
        ids.sort_unstable();
        ids.dedup();
        for target in targets {
            let unknown: Vec<Guid> = ids.iter().copied().filter(|id| !names.contains_key(id)).collect();
            for some in unknown.chunks(NAMES_AT_ONCE) {
                read_names(call, call.table(*target)?, some, &mut names).await?;
            }
        }
        let width = groups.iter().map(|group| group.0.len()).max().unwrap_or_default();
        for group in groups.iter_mut() {
            let found = id_of(group).and_then(|id| names.get(&id));
            let (name, table) = match found {
                Some((name, table)) => (name.clone(), Value::BigInt(i64::from(table.0))),
                None => (Value::Null, Value::Null),
            };
            group.0.extend([name, table]);
        }
        named.push(NamedAt { lookup: shown.position, name: width, table: width + 1 });
    }
    Ok(named)
}

async fn read_names(
    call: &Call<'_>,
    table: &Table,
    ids: &[Guid],
    names: &mut HashMap<Guid, (Value, TableId)>,
) -> Result<(), Failure> {
    let mut query = Query::of(table, u32::try_from(ids.len()).unwrap_or(u32::MAX)).showing(table.primary_name);
    query.filter =
        Filter::In { path: Path::own(table.primary_id), values: ids.iter().copied().map(Value::Guid).collect() };
    let mut found = Rows::default();
    match call.organization.query(call.caller, &query, &mut found).await {
        Ok(_) => {}
        // Who may not read the table at all sees no names of its records.
        Err(Error::Denied(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for row in found.rows {
        let mut values = row.into_iter();
        if let Some(id) = values.next().as_ref().and_then(Value::guid) {
            names.insert(id, (values.next().unwrap_or(Value::Null), table.id));
        }
    }
    Ok(())
}

fn too_long() -> Failure {
    let message = "The rows of this page are more bytes than one answer takes; ask for fewer rows by 'count'.";
    Failure::new(StatusCode::BAD_REQUEST, code::SENSELESS_FETCHXML, message)
}

/// What is said about an answer besides its rows.
pub(crate) struct About {
    pub count: Option<u64>,
    pub metadata_version: i64,
    pub more: bool,
    pub cookie: Option<String>,
    /// That there are more rows is told also to who does not ask for it, with the cookie.
    pub unasked: bool,
}

impl About {
    /// The annotations that the caller wants, each with a comma after it.
    pub(crate) fn written(&self, call: &Call<'_>) -> Vec<u8> {
        let mut about = Vec::new();
        let mut annotation = |term: &str, value: &str| {
            let about_more = term == PAGING_COOKIE || term == MORE_RECORDS;
            if call.preferences.wants(term) || (about_more && self.more && self.unasked) {
                about.extend_from_slice(format!("\"@{term}\":{value},").as_bytes());
            }
        };
        // Dataverse says -1 where nothing was counted.
        annotation(TOTAL_COUNT, &self.count.map_or("-1".to_owned(), |count| count.min(COUNT_MAX).to_string()));
        annotation(TOTAL_COUNT_EXCEEDED, &self.count.is_some_and(|count| count > COUNT_MAX).to_string());
        annotation(METADATA_VERSION, &format!("\"{}\"", self.metadata_version));
        if let Some(cookie) = &self.cookie {
            let mut text = Vec::new();
            json::text(&mut text, cookie);
            annotation(PAGING_COOKIE, &String::from_utf8_lossy(&text));
        }
        annotation(MORE_RECORDS, &self.more.to_string());
        about
    }
}

/// Whether the cookie of a page says the place where it ended: of one that was found by counting no keys are known.
fn seals(query: &Query) -> bool {
    query.can_seek() && query.skip == 0
}

/// Cookies of the pages of one query: good for its caller and for nothing else.
struct Cookies {
    path: String,
    options: Vec<(String, String)>,
}

impl Cookies {
    fn of(call: &Call<'_>, table: &Table, fetch: &Fetch) -> Self {
        let path = match call.request.path.trim_matches('/') {
            "" => table.set_name.clone(),
            path => path.to_owned(),
        };
        Self { path, options: vec![(FETCH_XML.to_owned(), fetch.of_all_pages().print())] }
    }

    /// Which page is asked for, and the row that it comes after; none where it is found by counting the rows before it.
    fn begin(
        &self,
        call: &Call<'_>,
        table: &Table,
        fetch: &Fetch,
        query: &Query,
        pages: Pages<'_>,
    ) -> Result<(CountedPage, Option<Vec<Value>>), Failure> {
        let by_place = |number| CountedPage { number, ..CountedPage::first(None) };
        if let Pages::Linked(Some(token)) = pages {
            return match read_counted(call, table, fetch, token) {
                Err(_) if query.can_seek() => {
                    let token = self.sealed(call, query, token).map_err(misled_by_link)?;
                    Ok((by_place(token.page_number), Some(token.last)))
                }
                counted => Ok((counted?, None)),
            };
        }
        let page = stated_page(fetch, query.page_size);
        let found = match fetch.paging_cookie.as_deref() {
            Some(cookie) if page.number > 1 => self.read(call, query, cookie)?,
            _ => None,
        };
        Ok(match found {
            Some((number, last)) if number == page.number => (by_place(number), Some(last)),
            _ => (page, None),
        })
    }

    fn binding(&self, call: &Call<'_>) -> SkipTokenBinding<'_> {
        SkipTokenBinding { caller: call.caller.acting(), path: &self.path, options: &self.options }
    }

    /// The page that a cookie leads to, and the place where it begins; none where it says only which page it is of.
    fn read(&self, call: &Call<'_>, query: &Query, cookie: &str) -> Result<Option<(u32, Vec<Value>)>, Failure> {
        let error = match query.can_seek() {
            true => match self.sealed(call, query, cookie) {
                Ok(token) => return Ok(Some((token.page_number, token.last))),
                Err(error) => error,
            },
            false => SkipTokenError::Malformed,
        };
        if error == SkipTokenError::Malformed && SkipToken::is_unsealed(cookie) {
            return Ok(None);
        }
        Err(misled(error))
    }

    fn sealed(&self, call: &Call<'_>, query: &Query, cookie: &str) -> Result<SkipToken, SkipTokenError> {
        SkipToken::decode(cookie, &call.schema, query, &self.binding(call), &|message| call.sign(message))
    }

    /// The cookie of a page, which leads to the next. None where rows have no key, or are in the order of a linked table.
    fn write(
        &self,
        call: &Call<'_>,
        query: &Query,
        page: u32,
        keys: &[usize],
        ends: &Ends,
    ) -> Result<Option<String>, Failure> {
        let schema = &call.schema;
        if seals(query) {
            let last = place(schema, query, keys, &ends.last);
            let token = SkipToken { page_number: page.saturating_add(1), top_left: None, last };
            let first = place(schema, query, keys, &ends.first);
            let sign = |message: &[u8]| call.sign(message);
            return Ok(Some(token.encode(schema, query, &first, &self.binding(call), &sign)?));
        }
        let Some(table) = schema.table(query.table) else { return Ok(None) };
        let key = query.fields.iter().position(|field| *field == Field::Column(table.primary_id));
        let (Some(key), Some(column)) = (key, table.column_by_id(table.primary_id)) else { return Ok(None) };
        if query.order.iter().any(|order| order.path.row > 0) {
            return Ok(None);
        }
        // It says only which page this is: such pages are found by counting.
        let id = |row: &[Value]| row.get(key).and_then(Value::guid).unwrap_or_default();
        let inner = format!(
            "<cookie page=\"{page}\"><{name} last=\"{{{last:X}}}\" first=\"{{{first:X}}}\" /></cookie>",
            name = column.name,
            last = id(&ends.last).hyphenated(),
            first = id(&ends.first).hyphenated(),
        );
        let once = utf8_percent_encode(&inner, NON_ALPHANUMERIC).to_string();
        let twice = utf8_percent_encode(&once, NON_ALPHANUMERIC);
        let next = page.saturating_add(1);
        Ok(Some(format!("<cookie pagenumber=\"{next}\" pagingcookie=\"{twice}\" istracking=\"False\" />")))
    }
}

/// What the token of a page that is found by counting is of: a query, with the size of pages that it states.
fn counted_options(fetch: &Fetch) -> [(String, String); 1] {
    [(FETCH_XML.to_owned(), Fetch { count: fetch.count, ..fetch.of_all_pages() }.print())]
}

/// The token of a page of a stored view, where pages are found by counting.
fn write_counted(call: &Call<'_>, table: &Table, fetch: &Fetch, page: &CountedPage) -> String {
    paging::counted_token(call, table.id, &counted_options(fetch), page)
}

/// The page that such a token leads to.
fn read_counted(call: &Call<'_>, table: &Table, fetch: &Fetch, token: &str) -> Result<CountedPage, Failure> {
    paging::counted_page(call, table.id, &counted_options(fetch), token).map_err(misled_by_link)
}

/// Says that the token of a link leads nowhere.
fn misled_by_link(error: SkipTokenError) -> Failure {
    match error {
        SkipTokenError::Malformed => error.into(),
        SkipTokenError::NotGenuine => misled(error),
    }
}

/// Says that a cookie leads nowhere.
fn misled(error: SkipTokenError) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, code::SENSELESS_FETCHXML, format!("paging-cookie: {error}"))
}
