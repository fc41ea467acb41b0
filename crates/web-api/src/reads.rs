//! Reading: collections, single records, properties, addresses and counts.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use custodia_org::{RecordQuestion, Restart, Row, RowSink, Rows};
use custodia_query::odata::{
    CollectionNavigation, ExpandShape, OWNER_ID, Parsed, RelatedPart, SingleNavigation, depends_on_asker, parse_apply,
    parse_options, parse_record_options, property_name,
};
use custodia_query::operator::Asker;
use custodia_query::{Expand, Field, Query, Related, RowKey};
use custodia_schema::{Column, ColumnId, Guid, Table, TableId, Value, ValueRef};
use http::{Response, StatusCode};

use crate::answer;
use crate::apply;
use crate::call::Call;
use crate::entrance::Shape;
use crate::etag::known_version;
use crate::failure::Failure;
use crate::fetch::{self, Stated};
use crate::json;
use crate::kept::ShownRecord;
use crate::media::MetadataLevel;
use crate::paging::{Paging, may_continue, page_size};
use crate::prefer::{METADATA_VERSION, TOTAL_COUNT, TOTAL_COUNT_EXCEEDED};
use crate::rows::{Gap, Page, RowPlan, TakenPage, write_column_value};
use crate::sql_select;
use crate::tracking;

/// The most that a count says, as in Dataverse.
pub(crate) const COUNT_MAX: u64 = 5_000;

/// Bytes that a row of an answer often takes: a guess, so that buffers seldom grow.
const ROW_BYTES: u32 = 512;

/// Rows that room is made for before they are read.
const ROOM_ROWS_MAX: u32 = 64;

/// What the query options of a request ask for.
pub(crate) async fn asked(call: &Call<'_>, table: &Table) -> Result<Parsed, Failure> {
    let asker = asker(call).await?;
    Ok(parse_options(&call.schema, table, &call.options, call.request.limits, asker.as_ref())?)
}

/// Who asks, if what the query options say may depend on it.
async fn asker(call: &Call<'_>) -> Result<Option<Asker>, Failure> {
    match depends_on_asker(&call.options) {
        true => call.asker().await.map(Some),
        false => Ok(None),
    }
}

/// `GET accounts`, and `GET accounts(…)/contact_customer_accounts` with what ties the rows to that record.
pub(crate) async fn collection(
    call: &Call<'_>,
    table: &Table,
    related: Option<Related>,
) -> Result<Response<Bytes>, Failure> {
    if tracking::is_asked(call) {
        return tracking::collection(call, table, related.is_some()).await;
    }
    if let Some(stated) = Stated::of(call)? {
        return fetch::answer(call, table, related, stated).await;
    }
    if let Some(text) = sql_select::stated(call)? {
        return sql_select::answer(call, table, related, text).await;
    }
    let who = asker(call).await?;
    if let Some(mut applied) = parse_apply(&call.schema, table, &call.options, call.request.limits, who.as_ref())? {
        // Who asks for pages wants to go through all of them.
        applied.top = applied.top.filter(|_| call.preferences.page_rows.is_none());
        return apply::answer(call, table, related, applied).await;
    }
    let Parsed { mut query, shape, skip_token } =
        parse_options(&call.schema, table, &call.options, call.request.limits, who.as_ref())?;
    query.related = related;
    let paging = Paging::begin(call, &mut query, skip_token.as_deref())?;
    let plan = call.plan(&mut query, &shape).await?;
    let children = Children::of(call, query.table, &query.expand, &shape.expand).await?;
    let context = format!("{}{}", table.set_name, shape.context(&call.schema));
    let body = page(call, &query, &plan, children, &paging, &context).await?;
    let response = answer::json(StatusCode::OK, call.media, body);
    Ok(answer::applied(response, call.preferences.applied_to_rows(true).as_deref()))
}

/// `GET accounts(…)/contact_customer_accounts/$ref`: the addresses of a collection's records.
async fn addresses(call: &Call<'_>, table: &Table, related: Related) -> Result<Response<Bytes>, Failure> {
    let Parsed { mut query, skip_token, .. } = asked(call, table).await?;
    query.related = Some(related);
    query.fields = vec![Field::Column(table.primary_id)];
    query.expand = Vec::new();
    let paging = Paging::begin(call, &mut query, skip_token.as_deref())?;
    let plan = RowPlan::addresses(call.request.service_root, table);
    let body = page(call, &query, &plan, Children::default(), &paging, "Collection($ref)").await?;
    let response = answer::json(StatusCode::OK, call.media, body);
    Ok(answer::applied(response, call.preferences.applied_to_rows(true).as_deref()))
}

/// Reads one page of a collection into a whole body.
async fn page(
    call: &Call<'_>,
    query: &Query,
    plan: &RowPlan,
    children: Children,
    paging: &Paging<'_>,
    context: &str,
) -> Result<Vec<u8>, Failure> {
    let rows_expected = query.page_size.min(query.top.unwrap_or(query.page_size)).min(ROOM_ROWS_MAX);
    let mut out = Vec::with_capacity((rows_expected * ROW_BYTES + ROW_BYTES) as usize);
    call.begin_body(&mut out, context);
    separate(&mut out);
    let about_at = out.len();
    out.extend_from_slice(b"\"value\":[");

    let sink = Page::new(plan, out, query.page_size, may_continue(query));
    let mut sink = sink.up_to(call.request.limits.answer_bytes_max);
    let found = call.organization.query(call.caller, query, &mut sink).await?;
    let TakenPage { out, rows, ends, gaps, .. } = sink.finish();
    let mut out = children.fill(call, out, &gaps).await?;
    out.push(b']');
    if let Some(ends) = ends {
        out.extend_from_slice(b",\"@odata.nextLink\":");
        json::text(&mut out, &paging.next_link(call, query, &found.keys, &ends, rows)?);
    }
    out.push(b'}');
    // What is said about the whole collection stands before its rows, and is known only now.
    let about = about_collection(call, found.count, found.metadata_version);
    if !about.is_empty() {
        out.splice(about_at..about_at, about);
    }
    Ok(out)
}

/// Separates the next member of an object from what is before it.
pub(crate) fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

/// The annotations of a collection, each with a comma after it.
fn about_collection(call: &Call<'_>, count: Option<u64>, metadata_version: i64) -> Vec<u8> {
    let mut about = Vec::new();
    let mut annotation = |wanted: bool, term: &str, value: &str| {
        if wanted {
            about.extend_from_slice(format!("\"@{term}\":{value},").as_bytes());
        }
    };
    let wants = |term: &str| call.preferences.wants(term);
    // Dataverse says -1 where nothing was counted.
    let total = count.map_or("-1".to_owned(), |count| count.min(COUNT_MAX).to_string());
    let exceeded = count.is_some_and(|count| count > COUNT_MAX).to_string();
    annotation(wants(TOTAL_COUNT), TOTAL_COUNT, &total);
    annotation(wants(TOTAL_COUNT_EXCEEDED), TOTAL_COUNT_EXCEEDED, &exceeded);
    annotation(wants(METADATA_VERSION), METADATA_VERSION, &format!("\"{metadata_version}\""));
    annotation(count.is_some(), "odata.count", &total);
    about
}

/// Collections within the records of a page, in the order of the plan's.
#[derive(Default)]
struct Children {
    each: Vec<Child>,
}

/// A collection within each record of a page.
struct Child {
    name: String,
    query: Query,
    plan: RowPlan,
    /// The collections within its own records.
    children: Children,
    /// Where the first page of one record's collection continues, but for the record's address.
    options: Vec<(String, String)>,
    parent_set: String,
    /// What follows the name in the address of the collection.
    part: &'static str,
}

/// How much an answer still takes.
struct Room {
    /// Bytes of the answer that are not in the buffer at hand.
    taken: usize,
    /// Collections that may still be read.
    collections: usize,
}

/// Work that calls itself.
type Recursion<'f, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'f>>;

impl Children {
    /// Works out what the collections expanded on records of a table, and on those shown with them, look like.
    fn of<'f>(
        call: &'f Call<'_>,
        table: TableId,
        expands: &'f [Expand],
        shapes: &'f [ExpandShape],
    ) -> Recursion<'f, Self> {
        Box::pin(async move {
            let mut each = Vec::new();
            for (expand, expanded) in expands.iter().zip(shapes) {
                match expand {
                    Expand::One { step, expand, .. } => {
                        each.extend(Self::of(call, step.target, expand, &expanded.shape.expand).await?.each);
                    }
                    Expand::Many { query, .. } => each.push(Child::of(call, table, query, expanded).await?),
                }
            }
            Ok(Self { each })
        })
    }

    fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Reads the collections of the records in a whole answer and puts each where it belongs.
    async fn fill(mut self, call: &Call<'_>, page: Vec<u8>, gaps: &[Gap]) -> Result<Vec<u8>, Failure> {
        let mut room = Room { taken: 0, collections: call.request.limits.collections_max };
        self.fill_in(call, page, gaps, &mut room).await
    }

    fn fill_in<'f>(
        &'f mut self,
        call: &'f Call<'_>,
        page: Vec<u8>,
        gaps: &'f [Gap],
        room: &'f mut Room,
    ) -> Recursion<'f, Vec<u8>> {
        Box::pin(async move {
            if gaps.is_empty() {
                return Ok(page);
            }
            let mut out = Vec::with_capacity(page.len() * 2);
            let mut copied = 0;
            for gap in gaps {
                out.extend_from_slice(page.get(copied..gap.offset).unwrap_or_default());
                copied = gap.offset;
                if let Some(child) = self.each.get_mut(gap.index) {
                    out = child.read(call, out, gap.parent, room).await?;
                }
            }
            out.extend_from_slice(page.get(copied..).unwrap_or_default());
            Ok(out)
        })
    }
}

impl Child {
    async fn of(call: &Call<'_>, parent: TableId, query: &Query, expanded: &ExpandShape) -> Result<Self, Failure> {
        let mut query = Query::clone(query);
        query.page_size = page_size(call);
        let plan = match expanded.references {
            true => RowPlan::addresses(call.request.service_root, call.table(query.table)?),
            false => call.plan(&mut query, &expanded.shape).await?,
        };
        let children = Children::of(call, query.table, &query.expand, &expanded.shape.expand).await?;
        let mut options = expanded.options.clone();
        // Every link has them: those alone that it needs.
        let is_named = |alias: &str| expanded.options.iter().any(|(_, value)| value.contains(alias));
        options.extend(call.options.iter().filter(|(name, _)| name.starts_with('@') && is_named(name)).cloned());
        Ok(Self {
            name: expanded.name.clone(),
            query,
            plan,
            children,
            options,
            parent_set: call.table(parent)?.set_name.clone(),
            part: if expanded.references { "/$ref" } else { "" },
        })
    }

    /// Writes the collection of one record at the end of `out`.
    async fn read(
        &mut self,
        call: &Call<'_>,
        mut out: Vec<u8>,
        record: Guid,
        room: &mut Room,
    ) -> Result<Vec<u8>, Failure> {
        match &mut self.query.related {
            Some(Related::ByLookup { parent, .. } | Related::ByLink { parent, .. }) => *parent = record,
            None => {}
        }
        let path = format!("{}({record})/{}{}", self.parent_set, self.name, self.part);
        let paging = Paging { path: &path, options: &self.options, page_number: 1 };
        let bytes_max = call.request.limits.answer_bytes_max;
        let is_full = room.collections == 0 || room.taken + out.len() >= bytes_max;
        out.push(b',');
        json::text(&mut out, &self.name);
        out.extend_from_slice(b":[");
        if is_full {
            // The answer takes no more: the collection is to be asked for by itself.
            out.push(b']');
            self.continues(&mut out, &paging.link(call));
            // Links take room too, where there are many or long ones.
            if room.taken + out.len() > bytes_max.saturating_mul(2) {
                let problem = format!(
                    "the links to what is expanded are more than {bytes_max} bytes (answer_bytes_max) beside the records; ask for fewer by odata.maxpagesize"
                );
                return Err(Failure::invalid(problem));
            }
            return Ok(out);
        }
        room.collections -= 1;
        // What has collections of its own is put together apart: filling them in moves all that the buffer holds.
        let mut before = if self.children.is_empty() { Vec::new() } else { std::mem::take(&mut out) };
        room.taken += before.len();
        let sink = Page::new(&self.plan, out, self.query.page_size, may_continue(&self.query));
        let mut sink = sink.up_to(bytes_max.saturating_sub(room.taken));
        let found = call.organization.query(call.caller, &self.query, &mut sink).await?;
        let TakenPage { out, rows, ends, gaps, .. } = sink.finish();
        let out = self.children.fill_in(call, out, &gaps, room).await?;
        room.taken -= before.len();
        let mut out = match before.is_empty() {
            true => out,
            false => {
                before.extend_from_slice(&out);
                before
            }
        };
        out.push(b']');
        if let Some(ends) = ends {
            self.continues(&mut out, &paging.next_link(call, &self.query, &found.keys, &ends, rows)?);
        }
        Ok(out)
    }

    fn continues(&self, out: &mut Vec<u8>, link: &str) {
        out.push(b',');
        json::text(out, &format!("{}@odata.nextLink", self.name));
        out.push(b':');
        json::text(out, link);
    }
}

/// `GET accounts/$count`, and of a collection of one record.
pub(crate) async fn count(
    call: &Call<'_>,
    table: &Table,
    related: Option<Related>,
) -> Result<Response<Bytes>, Failure> {
    if tracking::is_asked(call) {
        return tracking::count(call, table, related.is_some()).await;
    }
    let Parsed { mut query, .. } = asked(call, table).await?;
    query.related = related;
    query.fields = vec![Field::Column(table.primary_id)];
    query.expand = Vec::new();
    query.order = Vec::new();
    query.top = None;
    query.page_size = 1;
    query.count = true;
    let found = call.organization.query(call.caller, &query, &mut Rows::default()).await?;
    let mut body = Vec::new();
    json::natural(&mut body, found.count.unwrap_or_default().min(COUNT_MAX));
    Ok(answer::text(body))
}

/// `GET accounts(…)`, and of a record of a collection with what ties it to the record it was navigated from.
pub(crate) async fn record(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    related: Option<Related>,
) -> Result<Response<Bytes>, Failure> {
    let reading = RecordReading::prepare(call, table).await?;
    let known = if reading.children.is_empty() { known_version(call.request.headers)? } else { None };
    let is_related = related.is_some();
    match reading.read(call, table, key, related).await? {
        None if is_related => {
            // There may be such a record, only not there.
            record_id(call, table, key).await?;
            Err(Failure::not_found(format!("The {} record is not among those of this record", table.name)))
        }
        None => Err(call.organization.explain_missing(call.caller, table, key).await.into()),
        Some((_, version)) if version.is_some() && version == known => Ok(answer::empty(StatusCode::NOT_MODIFIED)),
        Some((body, _)) => {
            let response = answer::json(StatusCode::OK, call.media, body);
            Ok(answer::applied(response, call.preferences.applied_to_rows(false).as_deref()))
        }
    }
}

/// How one record is to be shown: worked out before a write, so that a wrong `$select` does not come to light after it.
pub(crate) struct RecordReading {
    shown: Arc<ShownRecord>,
    children: Children,
}

impl RecordReading {
    /// Reads `$select` and `$expand`.
    pub(crate) async fn prepare(call: &Call<'_>, table: &Table) -> Result<Self, Failure> {
        if let Some(shown) = call.request.questions.get(call, table.id) {
            return Ok(Self { shown, children: Children::default() });
        }
        let asker = asker(call).await?;
        let Parsed { mut query, shape, .. } =
            parse_record_options(&call.schema, table, &call.options, call.request.limits, asker.as_ref())?;
        query.page_size = 1;
        query.top = Some(1);
        let plan = call.plan(&mut query, &shape).await?;
        let children = Children::of(call, query.table, &query.expand, &shape.expand).await?;
        let context = format!("{}{}/$entity", table.set_name, shape.context(&call.schema));
        let depends_on_caller = asker.is_some() || plan.formats_needed().is_some();
        let shown = Arc::new(ShownRecord { question: RecordQuestion::new(table, query), plan, context });
        if !depends_on_caller && children.is_empty() {
            call.request.questions.keep(call, table.id, &shown);
        }
        Ok(Self { shown, children })
    }

    /// The record as a whole body and its version; `None` when there is none that the caller may see.
    pub(crate) async fn read(
        self,
        call: &Call<'_>,
        table: &Table,
        key: &RowKey,
        related: Option<Related>,
    ) -> Result<Option<(Vec<u8>, Option<i64>)>, Failure> {
        let ShownRecord { question, plan, context } = &*self.shown;
        let mut out = Vec::with_capacity(ROW_BYTES as usize * 4);
        let says_context = call.media.metadata != MetadataLevel::None;
        if says_context {
            call.begin_body(&mut out, context);
        }
        let start = out.len();
        let mut sink = Page::new(plan, out, 1, false);
        match (key, related) {
            (RowKey::Id(id), None) => call.organization.record(call.caller, question, *id, &mut sink).await?,
            (_, related) => {
                let query = Query { filter: key.filter(table), related, ..question.query().clone() };
                call.organization.query(call.caller, &query, &mut sink).await?
            }
        };
        let TakenPage { mut out, rows, version, gaps, .. } = sink.finish();
        if rows == 0 {
            return Ok(None);
        }
        // The record goes on where the context began: its brace becomes a comma.
        if says_context && let Some(brace) = out.get_mut(start) {
            *brace = b',';
        }
        Ok(Some((self.children.fill(call, out, &gaps).await?, version)))
    }
}

/// Some values of one row, the primary id first.
///
/// # Errors
/// When the row is not there, or the caller may not see it.
pub(crate) async fn row_values(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    values: &[Field],
) -> Result<Vec<Value>, Failure> {
    let mut query = Query::of_row(table, key);
    query.fields.extend_from_slice(values);
    only_row(call, table, key, &query).await
}

/// What a question for one record shows of it.
async fn only_row(call: &Call<'_>, table: &Table, key: &RowKey, query: &Query) -> Result<Vec<Value>, Failure> {
    let mut rows = Rows::default();
    call.organization.query(call.caller, query, &mut rows).await?;
    match rows.rows.into_iter().next() {
        Some(row) => Ok(row),
        None => Err(call.organization.explain_missing(call.caller, table, key).await.into()),
    }
}

/// The id of a record that the caller may see.
pub(crate) async fn record_id(call: &Call<'_>, table: &Table, key: &RowKey) -> Result<Guid, Failure> {
    let row = row_values(call, table, key, &[]).await?;
    Ok(row.first().and_then(Value::guid).unwrap_or_default())
}

/// `GET accounts(…)/primarycontactid` and `GET accounts(…)/contact_customer_accounts`, and what may follow them.
pub(crate) async fn single_navigation(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
    part: &RelatedPart,
) -> Result<Response<Bytes>, Failure> {
    let Some((target, id)) = related_record(call, table, key, navigation).await? else {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    };
    let target = Arc::clone(call.table(target)?);
    match part {
        RelatedPart::References => {
            let mut body = Vec::new();
            call.begin_body(&mut body, "$ref");
            separate(&mut body);
            body.extend_from_slice(b"\"@odata.id\":");
            json::text(&mut body, &call.address(&target, id));
            body.push(b'}');
            Ok(answer::json(StatusCode::OK, call.media, body))
        }
        _ => record(call, &target, &RowKey::Id(id), None).await,
    }
}

/// The record that a lookup of one row points at; `None` when it points at none, or at one that this navigation does
/// not lead to. Of activities by their type, one that the caller may not read is none, as with `$expand`.
async fn related_record(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &SingleNavigation,
) -> Result<Option<(TableId, Guid)>, Failure> {
    if let Some(step) = navigation.step_of_type(table) {
        let fields = vec![Field::Column(call.table(step.target)?.primary_id)];
        let mut query = Query::of_row(table, key);
        query.expand = vec![Expand::One { name: navigation.name.clone(), step, fields, expand: Vec::new() }];
        let row = only_row(call, table, key, &query).await?;
        return Ok(row.get(1).and_then(Value::guid).map(|id| (step.target, id)));
    }
    let polymorphic = table.column_by_id(navigation.lookup).is_some_and(|column| column.kind.is_polymorphic());
    let mut fields = vec![Field::Column(navigation.lookup)];
    if polymorphic {
        fields.push(Field::TargetTable(navigation.lookup));
    }
    let row = row_values(call, table, key, &fields).await?;
    let Some(id) = row.get(1).and_then(Value::guid) else { return Ok(None) };
    let target = match row.get(2) {
        Some(Value::BigInt(number)) => u32::try_from(*number).ok().map(TableId),
        Some(Value::Integer(number)) => u32::try_from(*number).ok().map(TableId),
        _ => navigation.targets.first().copied(),
    };
    Ok(target.filter(|target| navigation.targets.contains(target)).map(|target| (target, id)))
}

/// A collection of one record, and what may follow it.
pub(crate) async fn collection_navigation(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    navigation: &CollectionNavigation,
    part: &RelatedPart,
) -> Result<Response<Bytes>, Failure> {
    let parent = record_id(call, table, key).await?;
    let related = navigation.of(table.id, parent);
    let far = Arc::clone(call.table(navigation.table)?);
    match part {
        RelatedPart::Records => collection(call, &far, Some(related)).await,
        RelatedPart::Count => count(call, &far, Some(related)).await,
        RelatedPart::References => addresses(call, &far, related).await,
        RelatedPart::Record(key) => record(call, &far, key, Some(related)).await,
        RelatedPart::Reference(_) => Err(Shape::ReferenceOfRelated.wrong_method(call.request.method)),
    }
}

/// `GET accounts(…)/name`; of the id of a user or team perhaps `as_owner`.
pub(crate) async fn property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
    as_owner: bool,
) -> Result<Response<Bytes>, Failure> {
    let column = stored(table, column)?;
    let Some(value) = property_value(call, table, key, column).await? else {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    };
    let mut body = Vec::new();
    let name = if as_owner { Cow::Borrowed(OWNER_ID) } else { property_name(column) };
    call.begin_body(&mut body, &format!("{}({})/{name}", table.set_name, value.id));
    separate(&mut body);
    body.extend_from_slice(b"\"value\":");
    body.extend_from_slice(&value.json);
    body.push(b'}');
    Ok(answer::json(StatusCode::OK, call.media, body))
}

/// `GET accounts(…)/name/$value`.
pub(crate) async fn raw_property(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: ColumnId,
) -> Result<Response<Bytes>, Failure> {
    let column = stored(table, column)?;
    match property_value(call, table, key, column).await? {
        Some(value) => Ok(answer::text(value.raw)),
        None => Ok(answer::empty(StatusCode::NO_CONTENT)),
    }
}

fn stored(table: &Table, column: ColumnId) -> Result<&Column, Failure> {
    let column = table.column_by_id(column).ok_or_else(|| Failure::no_such_resource(&column.to_string()))?;
    if column.kind.is_stored() {
        return Ok(column);
    }
    Err(Failure::unsupported(format!("column '{}', which holds a file or a picture,", column.name)))
}

/// A property of one record that has a value.
struct PropertyValue {
    id: Guid,
    json: Vec<u8>,
    raw: Vec<u8>,
}

async fn property_value(
    call: &Call<'_>,
    table: &Table,
    key: &RowKey,
    column: &Column,
) -> Result<Option<PropertyValue>, Failure> {
    let query = Query::of_row(table, key).showing([column.id]);
    let mut sink = PropertySink { column, numbers_quoted: call.media.numbers_quoted, found: None };
    call.organization.query(call.caller, &query, &mut sink).await?;
    match sink.found {
        Some(found) => Ok(found),
        None => Err(call.organization.explain_missing(call.caller, table, key).await.into()),
    }
}

/// Takes the one property of one row.
struct PropertySink<'c> {
    column: &'c Column,
    numbers_quoted: bool,
    /// The row, if there is one; its value, if it has one.
    found: Option<Option<PropertyValue>>,
}

impl RowSink for PropertySink<'_> {
    fn row(&mut self, row: &Row<'_>) {
        let value = row.get(1);
        if value == ValueRef::Null {
            self.found = Some(None);
            return;
        }
        let mut json = Vec::new();
        write_column_value(&mut json, self.column, value, self.numbers_quoted);
        let raw = match value {
            ValueRef::Text(text) => text.as_bytes().to_vec(),
            _ => json.iter().copied().filter(|byte| *byte != b'"').collect(),
        };
        self.found = Some(Some(PropertyValue { id: row.guid(0).unwrap_or_default(), json, raw }));
    }
}

impl Restart for PropertySink<'_> {
    fn restart(&mut self) {
        self.found = None;
    }
}
