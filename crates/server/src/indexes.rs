//! `custodia indexes`: the indexes of an organisation's tables, those that it gives them for what its people ask, and advice
//! on which would help.

use std::sync::Arc;

use anyhow::{Context, Result};
use custodia_org::{AdviceBounds, Caller, IndexListed, IndexReport, Organization, QuestionShape};
use custodia_schema::{ColumnId, Schema, Table};
use serde::{Deserialize, Serialize};

use crate::operation::Output;
use crate::service::Service;

/// What is to be done about indexes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Request {
    /// List them.
    List {
        /// Logical name of one table; all that exist if not given.
        table: Option<String>,
        /// Tell in JSON.
        json: bool,
    },
    /// Say which would help.
    Advise {
        /// Rows that a question must meet now.
        rows_min: u64,
        /// How many times fewer it must meet then.
        gain_min: u64,
        /// Tell in JSON.
        json: bool,
    },
    /// Make one.
    Add {
        /// Logical name of the table.
        table: String,
        /// Logical names of the columns.
        columns: Vec<String>,
    },
    /// Remove one that the organisation made.
    Remove {
        /// Logical name of the table.
        table: String,
        /// Logical names of the columns.
        columns: Vec<String>,
    },
}

/// Does it.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: Request,
    output: &mut dyn Output,
) -> Result<()> {
    let caller = Caller::platform("custodia indexes", service.new_id());
    match request {
        Request::List { table, json } => list(organization, &caller, table.as_deref(), json, output).await?,
        Request::Advise { rows_min, gain_min, json } => {
            let report = organization.index_report(&caller, AdviceBounds { rows_min, gain_min }).await?;
            let schema = organization.schema();
            if json {
                advise_json(&schema, &report, output);
            } else {
                advise(organization.name(), &schema, &report, output);
            }
            if !report.advice.is_empty() || !report.unused.is_empty() {
                output.refused_rows();
            }
        }
        Request::Add { table, columns } => {
            let (table, columns) = named(organization, &table, &columns)?;
            organization.check_no_index(&caller, &table, &columns).await?;
            output.progress("making the index; nobody writes meanwhile");
            organization.add_index(&caller, table.id, columns.clone()).await?;
            output.line(&format!("table {} has an index over {} now", table.name, names(&table, &columns)));
            for secured in secured(&table, &columns) {
                output.progress(&format!(
                    "{secured} is a secured column: whoever may not read it is answered without the index, as before"
                ));
            }
        }
        Request::Remove { table, columns } => {
            let (table, columns) = named(organization, &table, &columns)?;
            organization.remove_index(&caller, table.id, columns.clone()).await?;
            output.line(&format!(
                "table {} has no index of its own over {} any more",
                table.name,
                names(&table, &columns)
            ));
        }
    }
    Ok(())
}

async fn list(
    organization: &Organization,
    caller: &Caller,
    only: Option<&str>,
    json: bool,
    output: &mut dyn Output,
) -> Result<()> {
    let schema = organization.schema();
    let tables: Vec<Arc<Table>> = match only {
        Some(name) => vec![table_named(organization, name)?],
        None => schema.tables().iter().filter(|table| organization.database().has_table(table.id)).cloned().collect(),
    };
    for table in tables {
        for index in organization.indexes(caller, table.id).await? {
            output.line(&if json { index_json(&table, &index).to_string() } else { index_line(&table, &index) });
        }
    }
    Ok(())
}

/// An index as one line: table, columns, what it is, size.
fn index_line(table: &Table, index: &IndexListed) -> String {
    // A unit is its own: its id leads the index, and ends it.
    let mut columns: Vec<ColumnId> = Vec::with_capacity(index.columns.len());
    columns.extend(index.columns.iter().enumerate().filter_map(|(at, column)| {
        let is_first = index.columns.iter().position(|other| other == column) == Some(at);
        is_first.then_some(*column)
    }));
    let mut line = format!("{}: {}", table.name, names(table, &columns));
    if index.own.is_some() {
        line.push_str(", the organisation's own");
    }
    if index.unique {
        line.push_str(", unique");
    }
    if index.only_set {
        line.push_str(", only rows that have the first");
    }
    if let Some(bytes) = index.bytes {
        line.push_str(&format!(", {} KiB", bytes.div_ceil(1024)));
    }
    line
}

fn index_json(table: &Table, index: &IndexListed) -> serde_json::Value {
    serde_json::json!({
        "table": table.name,
        "name": index.name,
        "columns": columns(table, &index.columns),
        "own": index.own.as_deref().map(|own| columns(table, own)),
        "unique": index.unique,
        "onlySet": index.only_set,
        "bytes": index.bytes,
    })
}

/// What is advised, in words.
fn advise(organization: &str, schema: &Schema, report: &IndexReport, output: &mut dyn Output) {
    for advice in &report.advice {
        let Some(table) = schema.table(advice.table) else { continue };
        let columns = columns(table, &advice.columns);
        output.line(&format!("{}: an index over {} would help", table.name, columns.join(", ")));
        for advised in &advice.questions {
            let question = &advised.question;
            output.line(&format!(
                "  {}: asked {} times, {} ms in all; each meets about {} rows now, {} then",
                shape_words(table, &question.shape),
                question.times,
                question.milliseconds,
                advised.met_now,
                advised.met_then,
            ));
            if question.scanned > 0 {
                output.line(&format!(
                    "    {} rows were passed in scans for {} that were answered",
                    question.scanned, question.answered
                ));
            }
        }
        output.line(&format!(
            "  it costs an entry for each of about {} rows; a new row is entered into {} indexes already",
            advice.rows, advice.indexes_now
        ));
        for secured in secured(table, &advice.columns) {
            output.line(&format!("  {secured} is a secured column: it helps those alone who may read it"));
        }
        output.line(&format!("  custodia indexes add --org {organization} {} {}", table.name, columns.join(" ")));
    }
    for index in &report.unused {
        let Some((table, own)) = schema.table(index.table).zip(index.own.as_deref()) else { continue };
        let columns = columns(table, own);
        output.line(&format!("{}: nothing that was asked uses the index over {}", table.name, columns.join(", ")));
        output.line(&format!("  custodia indexes remove --org {organization} {} {}", table.name, columns.join(" ")));
    }
    if report.advice.is_empty() && report.unused.is_empty() {
        output.line(&format!("{} questions are remembered, and no index would help them much", report.questions));
    }
}

/// The same as JSON, one object a line.
fn advise_json(schema: &Schema, report: &IndexReport, output: &mut dyn Output) {
    for advice in &report.advice {
        let Some(table) = schema.table(advice.table) else { continue };
        let questions: Vec<_> = advice
            .questions
            .iter()
            .map(|advised| {
                let question = &advised.question;
                let order = question.shape.order.iter().map(|(column, descending)| {
                    serde_json::json!({ "column": name(table, *column), "descending": descending })
                });
                serde_json::json!({
                    "aggregates": question.shape.aggregates,
                    "equal": columns(table, &question.shape.equal),
                    "range": columns(table, &question.shape.range),
                    "order": order.collect::<Vec<_>>(),
                    "groups": columns(table, &question.shape.groups),
                    "times": question.times,
                    "milliseconds": question.milliseconds,
                    "answered": question.answered,
                    "scanned": question.scanned,
                    "metNow": advised.met_now,
                    "metThen": advised.met_then,
                })
            })
            .collect();
        let line = serde_json::json!({
            "advice": "add",
            "table": table.name,
            "columns": columns(table, &advice.columns),
            "secured": secured(table, &advice.columns).collect::<Vec<_>>(),
            "rows": advice.rows,
            "indexesNow": advice.indexes_now,
            "questions": questions,
        });
        output.line(&line.to_string());
    }
    for index in &report.unused {
        let Some((table, own)) = schema.table(index.table).zip(index.own.as_deref()) else { continue };
        let line = serde_json::json!({ "advice": "remove", "table": table.name, "columns": columns(table, own) });
        output.line(&line.to_string());
    }
}

/// A question in words.
fn shape_words(table: &Table, shape: &QuestionShape) -> String {
    let mut words = Vec::new();
    let mut say = |what: &str, ids: &[ColumnId]| {
        if !ids.is_empty() {
            words.push(format!("{what} {}", names(table, ids)));
        }
    };
    say(if shape.aggregates { "sums where equal" } else { "list where equal" }, &shape.equal);
    say("in a range", &shape.range);
    say("grouped by", &shape.groups);
    if !shape.order.is_empty() {
        let keys = shape.order.iter().map(|(column, descending)| {
            format!("{}{}", name(table, *column), if *descending { " descending" } else { "" })
        });
        words.push(format!("ordered by {}", keys.collect::<Vec<_>>().join(", ")));
    }
    words.join(", ")
}

fn name(table: &Table, id: ColumnId) -> &str {
    table.column_by_id(id).map_or("", |column| column.name.as_str())
}

/// The table and its columns of those names.
fn named(organization: &Organization, table: &str, columns: &[String]) -> Result<(Arc<Table>, Vec<ColumnId>)> {
    let table = table_named(organization, table)?;
    let mut ids = Vec::with_capacity(columns.len());
    for name in columns {
        let column = table.column(name);
        ids.push(column.with_context(|| format!("table '{}' has no column '{name}'", table.name))?.id);
    }
    Ok((table, ids))
}

fn table_named(organization: &Organization, name: &str) -> Result<Arc<Table>> {
    let schema = organization.schema();
    schema.table_named(name).cloned().with_context(|| format!("there is no table '{name}'"))
}

fn columns<'t>(table: &'t Table, ids: &'t [ColumnId]) -> Vec<&'t str> {
    ids.iter().filter_map(|id| table.column_by_id(*id)).map(|column| column.name.as_str()).collect()
}

fn names(table: &Table, ids: &[ColumnId]) -> String {
    columns(table, ids).join(", ")
}

/// The secured ones among columns, by name.
fn secured<'t>(table: &'t Table, ids: &'t [ColumnId]) -> impl Iterator<Item = &'t str> {
    let known = ids.iter().filter_map(|id| table.column_by_id(*id));
    known.filter(|column| column.secured).map(|column| column.name.as_str())
}
