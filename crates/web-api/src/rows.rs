//! Rows into bytes.
//!
//! What a record looks like is worked out once per query, as a [`RowPlan`]: for each property the bytes of its name and
//! where its value stands. A [`Page`] takes rows from the store and writes them by that plan; nothing is kept per row.
//! Collections within a record, or within one shown with it, are read afterwards: the page remembers where they belong.

use std::sync::Arc;

use custodia_org::{Restart, Row, RowSink};
use custodia_query::odata::{ExpandShape, OWNER_ID, Shape, property_name};
use custodia_query::{Expand, Field, Path, Query};
use custodia_schema::{Column, ColumnKind, Guid, Schema, Table, TableId, Value, ValueRef};

use crate::formatted::{Formats, Formatter};
use crate::json;
use crate::media::{Media, MetadataLevel};
use crate::prefer::{ASSOCIATED_NAVIGATION, FORMATTED_VALUE, LOOKUP_LOGICAL_NAME, Preferences};

mod fetched;
mod grouped;

pub(crate) use grouped::{GroupRow, NamedAt};

/// A row's values by position.
pub(crate) trait Values {
    /// The value at a position; null where there is none.
    fn at(&self, position: usize) -> ValueRef<'_>;
}

impl Values for Row<'_> {
    fn at(&self, position: usize) -> ValueRef<'_> {
        self.get(position)
    }
}

/// What the records of an answer look like.
#[derive(Clone, Debug)]
pub(crate) struct RowPlan {
    node: Node,
    formats: Arc<Formats>,
}

/// What one record looks like, and what is shown within it.
#[derive(Clone, Debug)]
struct Node {
    record: RecordPlan,
    related: Vec<Related>,
}

/// What one record looks like: its own properties.
#[derive(Clone, Debug)]
struct RecordPlan {
    /// Position of the primary id.
    id_at: usize,
    /// Position of the version number, for the entity tag.
    version_at: Option<usize>,
    /// The addresses of the record, which are shown at the full metadata level.
    links: Option<Links>,
    /// Up to the id that users and teams have as owners, `,"ownerid":"`; one that is reached by a navigation to both says
    /// before it what it is: `,"@odata.type":"…"`.
    as_owner: Option<Vec<u8>>,
    properties: Vec<Property>,
    numbers_quoted: bool,
}

/// The addresses of a record: bytes, each with the id and `)"` after them.
type Links = Vec<Vec<u8>>;

#[derive(Clone, Debug)]
struct Property {
    /// `,"name":`
    start: Vec<u8>,
    at: usize,
    kind: Kind,
    annotations: Vec<Annotation>,
    /// It is left out where there is no value.
    only_values: bool,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As the engine gives it.
    Plain,
    /// A decimal with the digits of its column.
    Decimal { places: u8 },
    /// A 64-bit integer, which some callers want in quotes.
    Wide,
}

impl Kind {
    fn of(column: &Column) -> Self {
        match &column.kind {
            ColumnKind::Decimal { precision, .. } => Self::Decimal { places: *precision },
            ColumnKind::BigInt => Self::Wide,
            _ => Self::Plain,
        }
    }
}

#[derive(Clone, Debug)]
enum Annotation {
    Formatted {
        /// `,"name@OData.Community.Display.V1.FormattedValue":"`
        start: Vec<u8>,
        by: Formatter,
    },
    /// The same for every value.
    Fixed(Vec<u8>),
    /// By the table that a lookup points at.
    ByTable { table_at: usize, each: Vec<(i64, Vec<u8>)> },
    /// The table that another column names, after `,"name@Microsoft.Dynamics.CRM.lookuplogicalname":`.
    NamedTable { start: Vec<u8>, name_at: usize },
}

/// A navigation shown with each record.
#[derive(Clone, Debug)]
enum Related {
    /// `,"name":` and the record; of several of the same name the one that there is.
    One { start: Vec<u8>, candidates: Vec<Node> },
    /// A collection: its number among those of the plan, in the order in which they are written.
    Many { index: usize },
}

/// How far a plan has come.
struct Places {
    /// Position of the next record's first value.
    base: usize,
    /// Collections so far.
    collections: usize,
}

/// What a plan is made for.
pub(crate) struct Planning<'p> {
    pub schema: &'p Schema,
    pub service_root: &'p str,
    pub media: Media,
    pub preferences: &'p Preferences,
}

impl Planning<'_> {
    /// Works out what the records of a query look like. Adds to the query the values that annotations need.
    pub(crate) fn plan(&self, query: &mut Query, shape: &Shape) -> RowPlan {
        let wanted = Wanted::of(self.preferences);
        if let Some(table) = self.schema.table(query.table) {
            wanted.add_fields(table, shape, &mut query.fields);
        }
        self.add_fields(&wanted, &mut query.expand, &shape.expand);
        let mut places = Places { base: 0, collections: 0 };
        let record = self.record(query.table, &query.fields, shape, 0, &wanted);
        places.base += query.fields.len() + query.links.iter().map(|link| link.fields.len()).sum::<usize>();
        let related = self.related(&query.expand, &shape.expand, &mut places, &wanted);
        RowPlan { node: Node { record, related }, formats: Arc::default() }
    }

    /// Adds the values that annotations need to what is shown with a record.
    fn add_fields(&self, wanted: &Wanted, expand: &mut [Expand], shapes: &[ExpandShape]) {
        for (expand, expanded) in expand.iter_mut().zip(shapes) {
            let Expand::One { fields, expand: inner, .. } = expand else { continue };
            if let (false, Some(table)) = (expanded.references, self.schema.table(expanded.shape.table)) {
                wanted.add_fields(table, &expanded.shape, fields);
            }
            self.add_fields(wanted, inner, &expanded.shape.expand);
        }
    }

    /// What is shown within a record. The fields of each related record are followed by those of the records within it.
    fn related(&self, expand: &[Expand], shapes: &[ExpandShape], places: &mut Places, wanted: &Wanted) -> Vec<Related> {
        let mut related: Vec<Related> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (expand, expanded) in expand.iter().zip(shapes) {
            match expand {
                Expand::One { step, fields, expand: inner, .. } => {
                    let mut record = match (expanded.references, self.schema.table(step.target)) {
                        (true, Some(table)) => RecordPlan::address(self.service_root, table, places.base),
                        _ => self.record(step.target, fields, &expanded.shape, places.base, wanted),
                    };
                    let of_several = shapes.iter().filter(|other| other.name == expanded.name).count() > 1;
                    if of_several && !expanded.references {
                        record.as_owner = self.as_owner(step.target, &expanded.name);
                    }
                    places.base += fields.len();
                    let within = self.related(inner, &expanded.shape.expand, places, wanted);
                    let candidate = Node { record, related: within };
                    match related.last_mut() {
                        Some(Related::One { candidates, .. }) if names.last() == Some(&expanded.name.as_str()) => {
                            candidates.push(candidate);
                        }
                        _ => related
                            .push(Related::One { start: property_start(&expanded.name), candidates: vec![candidate] }),
                    }
                }
                Expand::Many { .. } => {
                    related.push(Related::Many { index: places.collections });
                    places.collections += 1;
                }
            }
            names.push(&expanded.name);
        }
        related
    }

    fn record(&self, table: TableId, fields: &[Field], shape: &Shape, base: usize, wanted: &Wanted) -> RecordPlan {
        let mut plan = RecordPlan {
            id_at: base,
            version_at: None,
            links: None,
            as_owner: None,
            properties: Vec::with_capacity(shape.shown.len()),
            numbers_quoted: self.media.numbers_quoted,
        };
        let Some(table) = self.schema.table(table) else { return plan };
        let at = |field: Field| fields.iter().position(|known| *known == field).map(|position| base + position);
        if self.media.metadata != MetadataLevel::None {
            plan.version_at = table.column("versionnumber").and_then(|column| at(Field::Column(column.id)));
        }
        if self.media.metadata == MetadataLevel::Full {
            plan.links = Some(self.links(table));
        }
        if table.is_principal() {
            plan.as_owner = Some(id_start(OWNER_ID));
        }
        for column in shape.shown.iter().filter_map(|id| table.column_by_id(*id)) {
            let Some(position) = at(Field::Column(column.id)) else { continue };
            plan.properties.push(self.property(&property_name(column), table, column, position, &at, wanted));
        }
        plan
    }

    fn property(
        &self,
        name: &str,
        table: &Table,
        column: &Column,
        position: usize,
        at: &dyn Fn(Field) -> Option<usize>,
        wanted: &Wanted,
    ) -> Property {
        let mut annotations = Vec::new();
        if wanted.formatted {
            let currency = table.column("transactioncurrencyid").and_then(|column| at(Field::Column(column.id)));
            let target_name = at(Field::TargetName(column.id));
            annotations.extend(Formatter::of(column, currency, target_name).map(|by| {
                let mut start = annotation_start(name, FORMATTED_VALUE);
                start.push(b'"');
                Annotation::Formatted { start, by }
            }));
        }
        if let ColumnKind::Lookup { targets, .. } = &column.kind {
            let table_at = at(Field::TargetTable(column.id));
            let mut by_target = |term: &str, text: &dyn Fn(TableId) -> Option<String>| {
                let start = annotation_start(name, term);
                let each: Vec<(i64, Vec<u8>)> = targets
                    .iter()
                    .filter_map(|target| {
                        let mut bytes = start.clone();
                        json::text(&mut bytes, &text(*target)?);
                        Some((i64::from(target.0), bytes))
                    })
                    .collect();
                match (table_at, each.as_slice()) {
                    (Some(table_at), _) => annotations.push(Annotation::ByTable { table_at, each }),
                    (None, [(_, only)]) => annotations.push(Annotation::Fixed(only.clone())),
                    (None, _) => {}
                }
            };
            if wanted.navigation {
                by_target(ASSOCIATED_NAVIGATION, &|target| {
                    self.schema
                        .parents_of(table.id)
                        .find(|parent| parent.referencing_column == column.id && parent.referenced == target)
                        .map(|parent| parent.lookup_navigation.clone())
                });
            }
            if wanted.table {
                by_target(LOOKUP_LOGICAL_NAME, &|target| self.schema.table(target).map(|table| table.name.clone()));
            }
        }
        if let (true, Some(name_at)) = (wanted.table, column.typed_by.and_then(|by| at(Field::Column(by)))) {
            let start = annotation_start(name, LOOKUP_LOGICAL_NAME);
            annotations.push(Annotation::NamedTable { start, name_at });
        }
        Property { start: property_start(name), at: position, kind: Kind::of(column), annotations, only_values: false }
    }

    /// What a record says of itself that is reached by a navigation to several tables: which of them it is of, and its id
    /// by the name that they share, which is that of the navigation.
    fn as_owner(&self, table: TableId, name: &str) -> Option<Vec<u8>> {
        let table = self.schema.table(table)?;
        let mut start = Vec::new();
        if self.media.metadata == MetadataLevel::Minimal {
            start = property_start("@odata.type");
            json::text(&mut start, &format!("#Microsoft.Dynamics.CRM.{}", table.name));
        }
        start.extend_from_slice(&id_start(name));
        Some(start)
    }

    /// The type and both addresses.
    fn links(&self, table: &Table) -> Links {
        let mut type_and_address = b",\"@odata.type\":".to_vec();
        json::text(&mut type_and_address, &format!("#Microsoft.Dynamics.CRM.{}", table.name));
        type_and_address.extend_from_slice(&address_start(self.service_root, table));
        let mut edit = property_start("@odata.editLink");
        edit.push(b'"');
        json::escaped(&mut edit, &format!("{}(", table.set_name));
        vec![type_and_address, edit]
    }
}

/// `,"name":"`
fn id_start(name: &str) -> Vec<u8> {
    let mut start = property_start(name);
    start.push(b'"');
    start
}

/// `,"@odata.id":"…/accounts(`
fn address_start(service_root: &str, table: &Table) -> Vec<u8> {
    let mut start = property_start("@odata.id");
    start.push(b'"');
    json::escaped(&mut start, &format!("{service_root}{}(", table.set_name));
    start
}

/// The annotations of values that are asked for.
struct Wanted {
    formatted: bool,
    table: bool,
    navigation: bool,
}

impl Wanted {
    fn of(preferences: &Preferences) -> Self {
        Self {
            formatted: preferences.wants(FORMATTED_VALUE),
            table: preferences.wants(LOOKUP_LOGICAL_NAME),
            navigation: preferences.wants(ASSOCIATED_NAVIGATION),
        }
    }

    /// Adds the values that annotations of the shown columns need.
    fn add_fields(&self, table: &Table, shape: &Shape, fields: &mut Vec<Field>) {
        for column in shape.shown.iter().filter_map(|id| table.column_by_id(*id)) {
            self.add_fields_of(column, true, fields);
        }
    }

    /// Adds the values that annotations of a column need; where rows are told apart by what they show (not `keyed`), none that
    /// another column holds.
    fn add_fields_of(&self, column: &Column, keyed: bool, fields: &mut Vec<Field>) {
        if let ColumnKind::Lookup { .. } = column.kind {
            if self.formatted {
                fields.push(Field::TargetName(column.id));
            }
            if (self.table || self.navigation) && column.kind.is_polymorphic() {
                fields.push(Field::TargetTable(column.id));
            }
        }
        if let (true, Some(typed_by)) = (self.table && keyed, column.typed_by) {
            fields.push(Field::Column(typed_by));
        }
    }
}

fn property_start(name: &str) -> Vec<u8> {
    let mut start = vec![b','];
    json::text(&mut start, name);
    start.push(b':');
    start
}

fn annotation_start(name: &str, term: &str) -> Vec<u8> {
    property_start(&format!("{name}@{term}"))
}

impl RecordPlan {
    /// A record of which only the address is shown.
    fn address(service_root: &str, table: &Table, id_at: usize) -> Self {
        Self {
            id_at,
            version_at: None,
            links: Some(vec![address_start(service_root, table)]),
            as_owner: None,
            properties: Vec::new(),
            numbers_quoted: false,
        }
    }
}

impl Node {
    /// Adds what the formatted values of the record and those within it need.
    fn formats_needed(&self, needed: &mut Option<FormatsNeeded>) {
        for annotation in self.record.properties.iter().flat_map(|property| &property.annotations) {
            if let Annotation::Formatted { by, .. } = annotation {
                needed.get_or_insert(FormatsNeeded { money: false }).money |= by.is_money();
            }
        }
        for related in &self.related {
            if let Related::One { candidates, .. } = related {
                candidates.iter().for_each(|candidate| candidate.formats_needed(needed));
            }
        }
    }
}

impl RowPlan {
    /// Records of which only the address is shown. The query's first field is the primary id.
    pub(crate) fn addresses(service_root: &str, table: &Table) -> Self {
        let node = Node { record: RecordPlan::address(service_root, table, 0), related: Vec::new() };
        Self { node, formats: Arc::default() }
    }

    /// Whether formatted values are shown, for which the user's settings are needed; and whether amounts of money are
    /// among them, for which currencies are.
    pub(crate) fn formats_needed(&self) -> Option<FormatsNeeded> {
        let mut needed = None;
        self.node.formats_needed(&mut needed);
        needed
    }

    /// Gives the plan what formatted values depend on.
    pub(crate) fn with_formats(self, formats: Arc<Formats>) -> Self {
        Self { formats, ..self }
    }

    /// Writes a record. Tells `gap` where collections belong that are to be read, which, and of which record.
    fn write(&self, out: &mut Vec<u8>, row: &impl Values, mut gap: impl FnMut(Gap)) {
        self.write_node(&self.node, out, row, &mut gap);
    }

    fn write_node(&self, node: &Node, out: &mut Vec<u8>, row: &impl Values, gap: &mut dyn FnMut(Gap)) {
        let start = out.len();
        self.write_properties(&node.record, out, row);
        for related in &node.related {
            match related {
                Related::One { start, candidates } => {
                    out.extend_from_slice(start);
                    let present = candidates.iter().find(|node| row.at(node.record.id_at) != ValueRef::Null);
                    match present {
                        Some(node) => self.write_node(node, out, row, gap),
                        None => out.extend_from_slice(b"null"),
                    }
                }
                Related::Many { index } => {
                    let parent = match row.at(node.record.id_at) {
                        ValueRef::Guid(id) => id,
                        _ => Guid::nil(),
                    };
                    gap(Gap { offset: out.len(), index: *index, parent });
                }
            }
        }
        close(out, start);
    }

    /// Writes properties, each with a comma before it.
    fn write_properties(&self, record: &RecordPlan, out: &mut Vec<u8>, row: &impl Values) {
        if let Some(ValueRef::Integer(version)) = record.version_at.map(|at| row.at(at)) {
            out.extend_from_slice(b",\"@odata.etag\":\"W/\\\"");
            json::integer(out, version);
            out.extend_from_slice(b"\\\"\"");
        }
        if let (Some(links), ValueRef::Guid(id)) = (&record.links, row.at(record.id_at)) {
            for before_id in links {
                out.extend_from_slice(before_id);
                json::guid(out, &id);
                out.extend_from_slice(b")\"");
            }
        }
        if let (Some(before_id), ValueRef::Guid(id)) = (&record.as_owner, row.at(record.id_at)) {
            out.extend_from_slice(before_id);
            json::guid(out, &id);
            out.push(b'"');
        }
        for property in &record.properties {
            let value = row.at(property.at);
            if value != ValueRef::Null {
                for annotation in &property.annotations {
                    self.write_annotation(annotation, out, value, row);
                }
            } else if property.only_values {
                continue;
            }
            out.extend_from_slice(&property.start);
            write_value(out, value, property.kind, record.numbers_quoted);
        }
    }

    fn write_annotation(&self, annotation: &Annotation, out: &mut Vec<u8>, value: ValueRef<'_>, row: &impl Values) {
        match annotation {
            Annotation::Formatted { start, by } => {
                let before = out.len();
                out.extend_from_slice(start);
                if by.write(out, value, &self.formats, |position| row.at(position)) {
                    out.push(b'"');
                } else {
                    out.truncate(before);
                }
            }
            Annotation::Fixed(bytes) => out.extend_from_slice(bytes),
            Annotation::ByTable { table_at, each } => {
                if let ValueRef::Integer(table) = row.at(*table_at)
                    && let Some((_, bytes)) = each.iter().find(|(target, _)| *target == table)
                {
                    out.extend_from_slice(bytes);
                }
            }
            Annotation::NamedTable { start, name_at } => {
                if let ValueRef::Text(name) = row.at(*name_at) {
                    out.extend_from_slice(start);
                    json::text(out, name);
                }
            }
        }
    }
}

/// What formatted values need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormatsNeeded {
    /// Currencies too.
    pub(crate) money: bool,
}

/// Makes an object of the properties since `start`: the comma before the first becomes the brace.
fn close(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// Writes one value of a column, as in a record.
pub(crate) fn write_column_value(out: &mut Vec<u8>, column: &Column, value: ValueRef<'_>, numbers_quoted: bool) {
    write_value(out, value, Kind::of(column), numbers_quoted);
}

fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>, kind: Kind, numbers_quoted: bool) {
    // Callers that read all numbers as floating point may have the exact ones in quotes.
    let quoted = numbers_quoted
        && matches!((kind, value), (Kind::Wide, ValueRef::Integer(_)) | (_, ValueRef::Decimal(_) | ValueRef::Money(_)));
    if quoted {
        out.push(b'"');
    }
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Boolean(true) => out.extend_from_slice(b"true"),
        ValueRef::Boolean(false) => out.extend_from_slice(b"false"),
        ValueRef::Integer(number) => json::integer(out, number),
        ValueRef::Decimal(number) => match kind {
            Kind::Decimal { places } => json::decimal(out, number, places),
            Kind::Plain | Kind::Wide => json::decimal(out, number, 0),
        },
        ValueRef::Double(number) => json::double(out, number),
        ValueRef::Money(amount) => json::money(out, amount),
        ValueRef::Text(text) => json::text(out, text),
        ValueRef::Guid(id) => {
            out.push(b'"');
            json::guid(out, &id);
            out.push(b'"');
        }
        ValueRef::DateTime(seconds) => {
            out.push(b'"');
            json::instant(out, seconds);
            out.push(b'"');
        }
        ValueRef::Date(days) => {
            out.push(b'"');
            json::date(out, i64::from(days));
            out.push(b'"');
        }
    }
    if quoted {
        out.push(b'"');
    }
}

/// A collection that belongs into a record already written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Where in the buffer.
    pub offset: usize,
    /// Which of the plan's collections, in the order in which they are written.
    pub index: usize,
    /// The record it belongs to.
    pub parent: Guid,
}

/// Takes the rows of one page and writes them into a buffer, separated by commas.
pub(crate) struct Page<'p> {
    plan: &'p RowPlan,
    out: Vec<u8>,
    start: usize,
    rows_max: u32,
    /// Bytes in `out` from which the page takes no more rows.
    bytes_max: usize,
    rows: u32,
    more: bool,
    /// Keep the values of the first and the last row: a further page may follow, whose link is made of them.
    keeps_ends: bool,
    first: Vec<Value>,
    last: Vec<Value>,
    version: Option<i64>,
    gaps: Vec<Gap>,
}

impl<'p> Page<'p> {
    /// Writes at the end of `out`, up to `rows_max` rows. `keeps_ends`: a further page may follow.
    pub(crate) fn new(plan: &'p RowPlan, out: Vec<u8>, rows_max: u32, keeps_ends: bool) -> Self {
        Self {
            plan,
            start: out.len(),
            out,
            rows_max,
            bytes_max: usize::MAX,
            rows: 0,
            more: false,
            keeps_ends,
            first: Vec::new(),
            last: Vec::new(),
            version: None,
            gaps: Vec::new(),
        }
    }

    /// The same page, ending after the row with which so many bytes are written, those before the page included. One row it
    /// takes in any case.
    pub(crate) fn up_to(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    fn is_full(&self) -> bool {
        self.rows == self.rows_max || self.rows > 0 && self.out.len() >= self.bytes_max
    }

    fn take(&mut self, row: &impl Values, ends: impl FnOnce() -> Vec<Value>) {
        if self.is_full() {
            self.more = true;
            return;
        }
        if self.rows > 0 {
            self.out.push(b',');
        } else if let Some(ValueRef::Integer(version)) = self.plan.node.record.version_at.map(|at| row.at(at)) {
            self.version = Some(version);
        }
        self.rows += 1;
        let gaps = &mut self.gaps;
        self.plan.write(&mut self.out, row, |gap| gaps.push(gap));
        // A page that may be cut off may be followed by another one whatever the query says.
        let keeps_first = self.keeps_ends || self.bytes_max < usize::MAX;
        let is_cut = self.rows < self.rows_max && self.is_full();
        if is_cut || keeps_first && self.rows == 1 || self.keeps_ends && self.rows == self.rows_max {
            let values = ends();
            if self.rows == 1 {
                self.first.clone_from(&values);
            }
            self.last = values;
        }
    }

    /// What was taken.
    pub(crate) fn finish(self) -> TakenPage {
        TakenPage {
            out: self.out,
            rows: self.rows,
            version: self.version,
            ends: self.more.then_some(Ends { first: self.first, last: self.last }),
            gaps: self.gaps,
        }
    }
}

impl RowSink for Page<'_> {
    fn row(&mut self, row: &Row<'_>) {
        self.take(row, || row.to_values());
    }
}

impl Restart for Page<'_> {
    fn restart(&mut self) {
        self.out.truncate(self.start);
        self.rows = 0;
        self.more = false;
        self.version = None;
        self.gaps.clear();
    }
}

/// The values of a page's first and last row.
pub(crate) struct Ends {
    pub first: Vec<Value>,
    pub last: Vec<Value>,
}

/// A page that was written.
pub(crate) struct TakenPage {
    /// The buffer.
    pub out: Vec<u8>,
    /// How many rows.
    pub rows: u32,
    /// The version number of the first row.
    pub version: Option<i64>,
    /// Where it begins and ends, if there are more rows than it takes.
    pub ends: Option<Ends>,
    /// Collections still to be read, in the order of their places.
    pub gaps: Vec<Gap>,
}

/// The value of a sort key as a page token takes it.
pub(crate) fn sort_key(schema: &Schema, query: &Query, path: &Path, value: Option<&Value>) -> Value {
    let table = path.steps.last().map_or(query.table, |step| step.target);
    let kind = schema.table(table).and_then(|table| table.column_by_id(path.column)).map(|column| &column.kind);
    match (kind, value) {
        // Rows give all integers in one width.
        (Some(ColumnKind::BigInt), Some(Value::BigInt(number))) => Value::BigInt(*number),
        (_, Some(Value::BigInt(number))) => i32::try_from(*number).map_or(Value::BigInt(*number), Value::Integer),
        (_, Some(value)) => value.clone(),
        (_, None) => Value::Null,
    }
}

#[cfg(test)]
mod tests;
