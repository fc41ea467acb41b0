//! Canaries: texts that occur nowhere else, in every text column that can be filled over the Web API.

use std::collections::BTreeMap;
use std::sync::Arc;

use custodia_schema::{Column, ColumnKind, DateBehavior, RowSecurity, Schema, Table, TextFormat, standard};
use serde_json::{Map, Value, json};

use crate::http::{Answer, Api};

/// What every canary begins with, in lower case.
pub const MARK: &str = "qzkan";

/// What was put into an organisation.
pub struct Canaries {
    /// Ids of records by set.
    pub records: BTreeMap<String, Vec<String>>,
    /// How many columns hold one.
    pub columns: usize,
    /// Tables whose record could not be made, and why.
    pub refused: BTreeMap<String, String>,
    pub schema: Arc<Schema>,
}

/// Whether an answer shows one, in whatever part of it.
pub fn shows(answer: &Answer) -> bool {
    let has = |bytes: &[u8]| {
        let lower = bytes.to_ascii_lowercase();
        lower.windows(MARK.len()).any(|window| window == MARK.as_bytes())
    };
    let headers = answer.headers.iter();
    has(&answer.body) || headers.into_iter().any(|(name, value)| has(name.as_bytes()) || has(value.as_bytes()))
}

impl Canaries {
    /// Makes a record of every table that has a set, with a canary in every text.
    pub fn put(api: &Api) -> Self {
        let schema = standard();
        let mut canaries =
            Self { records: BTreeMap::new(), columns: 0, refused: BTreeMap::new(), schema: Arc::clone(&schema) };
        let mut tables: Vec<&Arc<Table>> =
            schema.tables().iter().filter(|table| !table.set_name.is_empty() && !table.is_intersect).collect();
        // Some need records of others: those come once the others are there.
        loop {
            let before = tables.len();
            tables.retain(|table| !canaries.put_record(api, table));
            if tables.is_empty() || tables.len() == before {
                break;
            }
        }
        canaries
    }

    fn put_record(&mut self, api: &Api, table: &Arc<Table>) -> bool {
        let mut body = Map::new();
        let mut columns = 0;
        for column in table.columns().iter().filter(|column| column.creatable) {
            match &column.kind {
                ColumnKind::Text { max_length, format, .. } => {
                    if let Some(text) = canary(self.columns + columns, *max_length, *format) {
                        body.insert(column.name.clone(), Value::String(text));
                        columns += 1;
                    }
                }
                ColumnKind::Memo { max_length, .. } => {
                    let text = canary(self.columns + columns, *max_length, TextFormat::Text);
                    if let Some(text) = text.and_then(|text| definition(&column.name, text)) {
                        body.insert(column.name.clone(), Value::String(text));
                        columns += 1;
                    }
                }
                ColumnKind::Lookup { targets, .. } if table.must_be_given(column) || is_place(table, column) => {
                    let found = targets.iter().find_map(|target| {
                        let target = self.schema.table(*target)?;
                        let set = &target.set_name;
                        let id = match self.records.get(set) {
                            Some(ids) => ids[0].clone(),
                            None => first_of(api, set, &target.column_by_id(target.primary_id)?.name)?,
                        };
                        let is = |r: &&custodia_schema::OneToMany| {
                            r.referencing_column == column.id && r.referenced == target.id
                        };
                        let relationship = self.schema.parents_of(table.id).find(is)?;
                        Some((relationship.lookup_navigation.clone(), format!("/{set}({id})")))
                    });
                    let Some((navigation, address)) = found else { return false };
                    body.insert(format!("{navigation}@odata.bind"), Value::String(address));
                }
                ColumnKind::Integer { min, .. } if table.must_be_given(column) => {
                    body.insert(column.name.clone(), json!((*min).max(1)));
                }
                ColumnKind::Decimal { .. } | ColumnKind::Money { .. } | ColumnKind::Double { .. }
                    if table.must_be_given(column) =>
                {
                    body.insert(column.name.clone(), json!(1));
                }
                ColumnKind::DateTime { behavior, .. } if table.must_be_given(column) => {
                    let time = if *behavior == DateBehavior::DateOnly { "" } else { "T00:00:00Z" };
                    body.insert(column.name.clone(), json!(format!("2026-01-01{time}")));
                }
                ColumnKind::TableName if table.must_be_given(column) => {
                    body.insert(column.name.clone(), json!("account"));
                }
                ColumnKind::Choice { options, .. } if table.must_be_given(column) => {
                    body.insert(column.name.clone(), json!(options[0].value));
                }
                _ => {}
            }
        }
        let answer = api.post(&table.set_name, &Value::Object(body));
        if answer.status == 204 {
            self.refused.remove(&table.name);
            self.records.entry(table.set_name.clone()).or_default().push(answer.created_id());
            self.columns += columns;
            return true;
        }
        let why: String = answer.text().chars().take(160).collect();
        self.refused.insert(table.name.clone(), format!("{} {why}", answer.status));
        false
    }

    /// Every record, as its organisation sees it: to show that nothing was changed from elsewhere.
    pub fn state(&self, api: &Api) -> String {
        let mut state = String::new();
        for set in self.records.keys() {
            let answer = api.get(set);
            let mut answer = answer.expect(200).json();
            let rows = answer["value"].as_array_mut().unwrap();
            rows.sort_by_key(ToString::to_string);
            state.push_str(&format!("{set}: {}\n", serde_json::to_string(rows).unwrap()));
        }
        state.make_ascii_lowercase();
        state
    }
}

/// Whether a column says where a record stands: which record a line hangs on, which unit a team belongs to.
fn is_place(table: &Table, column: &Column) -> bool {
    match &table.security {
        RowSecurity::Parent { lookups } => lookups.contains(&column.id),
        RowSecurity::Unit { unit, .. } => *unit == column.id,
        _ => false,
    }
}

/// A record that the organisation has from the start.
fn first_of(api: &Api, set: &str, key: &str) -> Option<String> {
    let answer = api.get(&format!("{set}?$select={key}&$top=1"));
    if answer.status != 200 {
        return None;
    }
    Some(answer.json()["value"].as_array()?.first()?[key].as_str()?.to_owned())
}

/// The text as a column takes it that holds a question, with the canary in it; columns of layouts take none.
fn definition(column: &str, canary: String) -> Option<String> {
    match column {
        "fetchxml" => Some(format!(
            "<fetch><entity name='account'><attribute name='name'/><filter>\
             <condition attribute='name' operator='eq' value='{canary}'/></filter></entity></fetch>"
        )),
        "layoutxml" => None,
        _ => Some(canary),
    }
}

/// The canary of that number, if the column has room for one.
fn canary(number: usize, max_length: u32, format: TextFormat) -> Option<String> {
    let text = match format {
        TextFormat::Email => format!("{MARK}{number}@canary.example"),
        TextFormat::Url => format!("http://{MARK}{number}.example/"),
        _ => format!("QZkan{number}"),
    };
    let max_length = max_length as usize;
    match (text.len() <= max_length, MARK.len() <= max_length) {
        (true, _) => Some(text),
        (false, true) => Some(MARK.to_owned()),
        (false, false) => None,
    }
}
