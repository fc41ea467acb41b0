//! Both sides give the same answers, or there is nothing to compare.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::http::Connection;
use crate::work::{ACCOUNT_COLUMNS, Ask, CONTACT_COLUMNS, Work, of_custodia, of_yardstick, questions};
use crate::world;

/// Questions of each work that are compared.
const COMPARED: usize = 25;

/// Asks both sides the same and compares every column that is asked for, but the moment a row was made, which each side
/// sets for itself.
///
/// # Errors
/// The first difference.
pub async fn answers(yardstick: &mut Connection, custodia: &mut Connection, token: &str) -> Result<()> {
    for work in [Work::ReadOne, Work::List, Work::ListFormatted, Work::Expand, Work::Apply, Work::FetchAggregate] {
        let asked = questions(work);
        for ask in asked.iter().step_by((asked.len() / COMPARED).max(1)) {
            let mut expected = rows(yardstick, &of_yardstick(ask)).await?;
            let request = of_custodia(ask, work, crate::custodia::ROOT, token);
            let mut found = rows(custodia, &request).await?;
            let page = match work {
                Work::ReadOne => 1,
                Work::Apply | Work::FetchAggregate => world::STAGES,
                _ => world::PAGE,
            } as usize;
            if *ask == Ask::Stages {
                // Groups come in no order that was asked for.
                for groups in [&mut expected, &mut found] {
                    groups.sort_by_key(|group| group.get(stage_of(group)).and_then(Value::as_u64));
                }
            }
            ensure!(expected.len() == page, "{}: the yardstick gave {} rows", work.name(), expected.len());
            compare(work, &expected, &found).with_context(|| format!("{} {ask:?}", work.name()))?;
        }
    }
    Ok(())
}

/// Creates one contact on each side and finds in Custodia what was sent; the yardstick's file is its own witness.
///
/// # Errors
/// A contact that is not there as it was sent.
pub async fn creation(yardstick: &mut Connection, custodia: &mut Connection, token: &str) -> Result<()> {
    let ask = questions(Work::Create).into_iter().next().context("a contact to create")?;
    let answer = yardstick.ask(&of_yardstick(&ask)).await?;
    ensure!(answer.status == 204, "the yardstick: {}", answer.describe());
    let answer = custodia.ask(&of_custodia(&ask, Work::Create, crate::custodia::ROOT, token)).await?;
    ensure!(answer.status == 204, "Custodia: {}", answer.describe());
    let location = answer.header("odata-entityid").context("the address of the new contact")?.to_owned();
    let path = location.find(crate::custodia::ROOT).and_then(|begin| location.get(begin..)).context("a path")?;
    let request = format!(
        "GET {path}?$select={CONTACT_COLUMNS},address1_line1 HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let stored = rows(custodia, request.as_bytes()).await?;
    let Ask::Contact(number) = ask else { return Ok(()) };
    let sent = crate::work::contact_fields(&world::contact(number));
    let stored = stored.first().context("the new contact")?;
    for (column, value) in &sent {
        ensure!(stored.get(column) == Some(value), "{column} is {:?}, {value} was sent", stored.get(column));
    }
    Ok(())
}

/// Changes a title and creates many contacts in each way, on both sides.
///
/// # Errors
/// A record that is not changed or made.
pub async fn writing(yardstick: &mut Connection, custodia: &mut Connection, token: &str) -> Result<()> {
    for work in [Work::Update, Work::CreateMany, Work::BatchMany] {
        let ask = questions(work).into_iter().next().context("something to write")?;
        let answer = yardstick.ask(&of_yardstick(&ask)).await?;
        ensure!(answer.status == work.status(), "the yardstick: {}", answer.describe());
        let answer = custodia.ask(&of_custodia(&ask, work, crate::custodia::ROOT, token)).await?;
        ensure!(answer.status == work.status(), "{}: {}", work.name(), answer.describe());
        let body = String::from_utf8_lossy(answer.body);
        let records = match work {
            Work::CreateMany => {
                serde_json::from_str::<Value>(&body)?.get("Ids").and_then(Value::as_array).map(Vec::len)
            }
            Work::BatchMany => Some(body.matches("HTTP/1.1 204").count()),
            _ => Some(1),
        };
        ensure!(records == Some(work.rows() as usize), "{}: {records:?} records", work.name());
    }
    Ok(())
}

/// What a group's stage is called: as its column in `$apply`, by an alias in FetchXML.
fn stage_of(group: &Map<String, Value>) -> &'static str {
    if group.contains_key("stage") { "stage" } else { "salesstage" }
}

async fn rows(connection: &mut Connection, request: &[u8]) -> Result<Vec<Map<String, Value>>> {
    let answer = connection.ask(request).await?;
    let asked = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    ensure!(answer.status == 200, "{asked}: {}", answer.describe());
    let mut whole: Value = serde_json::from_slice(answer.body).context(asked)?;
    Ok(match whole.get_mut("value").map(Value::take) {
        Some(Value::Array(rows)) => rows.into_iter().filter_map(|row| row.as_object().cloned()).collect(),
        _ => whole.as_object().cloned().into_iter().collect(),
    })
}

fn compare(work: Work, expected: &[Map<String, Value>], found: &[Map<String, Value>]) -> Result<()> {
    ensure!(expected.len() == found.len(), "the yardstick gave {} rows, Custodia {}", expected.len(), found.len());
    let (id, columns) = match work {
        Work::Expand => ("contactid", CONTACT_COLUMNS),
        Work::Apply | Work::FetchAggregate => ("salesstage", "revenue"),
        _ => ("accountid", ACCOUNT_COLUMNS),
    };
    for (expected, found) in expected.iter().zip(found) {
        for column in std::iter::once(id).chain(columns.split(',')) {
            let theirs = found.get(if column == "salesstage" { stage_of(found) } else { column });
            let ours = expected.get(if column == "_parentcustomerid_value" { "parentcustomerid" } else { column });
            ensure!(ours.is_some() && theirs.is_some(), "{column} is missing: {ours:?}, {theirs:?}");
            ensure!(
                column == "createdon" || ours.map(plain) == theirs.map(plain),
                "{column} is {ours:?} here and {theirs:?} there"
            );
        }
        if work == Work::Expand {
            let theirs = found.get("parentcustomerid_account").and_then(|account| account.get("name"));
            let ours = expected.get("accountname");
            ensure!(
                ours.is_some_and(Value::is_string) && ours == theirs,
                "the account is {ours:?} here and {theirs:?} there"
            );
        }
    }
    Ok(())
}

/// Numbers compare by what they are, not by how many zeros follow the point.
fn plain(value: &Value) -> String {
    let text = value.to_string();
    if value.is_number() && text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn row(name: &str, revenue: Value) -> Map<String, Value> {
        let columns = std::iter::once("accountid").chain(ACCOUNT_COLUMNS.split(','));
        let mut row: Map<String, Value> = columns.map(|column| (column.to_owned(), Value::Null)).collect();
        row.insert("name".to_owned(), name.into());
        row.insert("revenue".to_owned(), revenue);
        row
    }

    #[test]
    fn the_same_rows_are_the_same_however_a_number_is_written() {
        let there: Value = serde_json::from_str("100.5000").unwrap();
        assert!(compare(Work::List, &[row("a", json!(100.5))], &[row("a", there)]).is_ok());
        let there: Value = serde_json::from_str("700.00").unwrap();
        assert!(compare(Work::List, &[row("a", json!(700))], &[row("a", there)]).is_ok());
    }

    #[test]
    fn a_difference_is_found() {
        let ours = [row("a", json!(1)), row("b", json!(1))];
        assert!(compare(Work::List, &ours, &ours).is_ok());
        let error = |theirs: &[Map<String, Value>]| compare(Work::List, &ours, theirs).unwrap_err().to_string();
        assert!(error(&ours[..1]).contains("2 rows"));
        assert!(error(&[row("b", json!(1)), row("a", json!(1))]).starts_with("name is"));
        assert!(error(&[row("a", json!(1)), row("b", json!(10))]).starts_with("revenue is"));
        let mut less = row("b", json!(1));
        less.remove("opendeals");
        assert!(error(&[row("a", json!(1)), less]).starts_with("opendeals is missing"));
    }
}
