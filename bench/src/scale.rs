//! W9: the first page against the thousandth, and few rows against many: what an answer costs must not depend on how much
//! lies behind or before it. Custodia is compared with itself here.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::custodia::{Content, Custodia, ROOT};
use crate::http::Connection;
use crate::load::as_f64;
use crate::measure::median;
use crate::work::{Ask, Work, of_custodia, questions};
use crate::world::{self, PAGE};

/// Accounts of the small world.
pub const FEW: u32 = 10_000;
/// The page that is compared with the first one, where the caller has so many.
const FAR_PAGE: u32 = 1_000;
/// Requests of a figure: their median.
const ASKED: usize = 200;
/// Requests over which the engine's work is counted.
const COUNTED: usize = 20;
/// A connection to PostgreSQL tells what it met at most once a second, at the end of a statement.
const TELLING: Duration = Duration::from_millis(1_100);

/// What was measured in a world.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled {
    /// Accounts of the world, of which the caller owns three tenths.
    pub rows: u32,
    /// How long it took to make it, in seconds.
    pub filled_s: f64,
    /// Milliseconds of a page of a city's accounts (W2).
    pub city_ms: f64,
    /// Milliseconds of the first page of all accounts by name.
    pub first_ms: f64,
    /// A page far behind: its number, and milliseconds.
    pub far: (u32, f64),
    /// Milliseconds of the exact number of accounts by an aggregate, or why there was none.
    pub count: std::result::Result<f64, String>,
    /// What the engine did for one of these.
    pub done: EngineWork,
}

/// What the engine did for one question of each kind: rows of scans and entries of indexes that PostgreSQL met, steps that
/// SQLite's virtual machine took. It goes with the rows visited and not with the machine.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct EngineWork {
    /// A page of a city.
    pub city: f64,
    /// The first page by name.
    pub first: f64,
    /// The page far behind.
    pub far: f64,
    /// The exact number, where it was told.
    pub count: Option<f64>,
}

/// Makes a world of so many accounts and asks.
///
/// # Errors
/// A program that does not start, a list that is not answered.
pub async fn measure(program: &Path, folder: &Path, postgres: Option<&str>, rows: u32) -> Result<Scaled> {
    let folder = folder.join(format!("rows-{rows}"));
    std::fs::create_dir_all(&folder)?;
    let begin = Instant::now();
    let custodia = Custodia::start(program, &folder, postgres, Content::Accounts(rows)).await?;
    let filled_s = begin.elapsed().as_secs_f64();
    let mut connection = Connection::open(custodia.server.address).await?;

    let cities: Vec<Vec<u8>> =
        questions(Work::List).iter().map(|ask: &Ask| of_custodia(ask, Work::List, ROOT, &custodia.token)).collect();
    let city_ms = times(&mut connection, &cities).await?;
    let city_done = done(&custodia, &mut connection, &cities).await?;

    let path = format!("{ROOT}accounts?$select={}&$orderby=name", crate::work::ACCOUNT_COLUMNS);
    let first = page(&path, &custodia.token);
    let first_ms = times(&mut connection, std::slice::from_ref(&first)).await?;
    let first_done = done(&custodia, &mut connection, std::slice::from_ref(&first)).await?;
    let own = (0..rows).filter(|number| world::owner_of_account(*number) == 0).count();
    let last = u32::try_from(own / PAGE as usize)?.min(FAR_PAGE);
    let mut request = first;
    for _ in 1..last {
        request = page(&next(&mut connection, &request).await?, &custodia.token);
    }
    let far = (last, times(&mut connection, std::slice::from_ref(&request)).await?);
    let far_done = done(&custodia, &mut connection, &[request]).await?;

    let count = format!("{ROOT}accounts?$apply=aggregate($count as total)").replace(' ', "%20");
    let count = page(&count, &custodia.token);
    let answer = connection.ask(&count).await?;
    let mut count_done = None;
    let count = if answer.status == 200 {
        let body: Value = serde_json::from_slice(answer.body)?;
        let total = body.pointer("/value/0/total").and_then(Value::as_u64).context("a number")?;
        ensure!(total == own as u64, "{total} accounts were counted, the caller has {own}");
        count_done = Some(done(&custodia, &mut connection, std::slice::from_ref(&count)).await?);
        Ok(times(&mut connection, &[count]).await?)
    } else {
        let body: Value = serde_json::from_slice(answer.body)?;
        Err(body.pointer("/error/message").and_then(Value::as_str).unwrap_or("no message").to_owned())
    };
    let done = EngineWork { city: city_done, first: first_done, far: far_done, count: count_done };
    Ok(Scaled { rows, filled_s, city_ms, first_ms, far, count, done })
}

/// What the engine does for one of these, on average. Before and after, one more is asked when the connection to PostgreSQL
/// may tell again: it tells what came before with it.
async fn done(custodia: &Custodia, connection: &mut Connection, requests: &[Vec<u8>]) -> Result<f64> {
    let first = requests.first().context("a question")?;
    let fence = async |connection: &mut Connection| {
        if custodia.cluster.is_some() {
            tokio::time::sleep(TELLING).await;
        }
        let answer = connection.ask(first).await?;
        ensure!(answer.status == 200, "{}", answer.describe());
        custodia.engine_work().await
    };
    let before = fence(connection).await?;
    for request in requests.iter().cycle().take(COUNTED) {
        let answer = connection.ask(request).await?;
        ensure!(answer.status == 200, "{}", answer.describe());
    }
    let after = fence(connection).await?;
    Ok(as_f64(after.saturating_sub(before)) / as_f64(COUNTED as u64 + 1))
}

fn page(path: &str, token: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\nprefer: odata.maxpagesize={PAGE}\r\n\r\n"
    )
    .into_bytes()
}

/// The address of the page after this one.
async fn next(connection: &mut Connection, request: &[u8]) -> Result<String> {
    let answer = connection.ask(request).await?;
    ensure!(answer.status == 200, "{}", answer.describe());
    let body: Value = serde_json::from_slice(answer.body)?;
    let address = body.get("@odata.nextLink").and_then(Value::as_str).context("a page after this one")?;
    let path = address.find(ROOT).and_then(|begin| address.get(begin..));
    Ok(path.context("an address of this service")?.to_owned())
}

/// Asks these again and again, one after the other; the median in milliseconds.
async fn times(connection: &mut Connection, requests: &[Vec<u8>]) -> Result<f64> {
    /// However slow the answers are, no figure takes longer.
    const LONGEST: Duration = Duration::from_secs(10);
    let (begin, mut taken) = (Instant::now(), Vec::new());
    // The first round only warms up.
    for (at, request) in requests.iter().cycle().take(requests.len() + ASKED).enumerate() {
        let asked = Instant::now();
        let answer = connection.ask(request).await?;
        ensure!(answer.status == 200, "{}", answer.describe());
        if at >= requests.len() {
            taken.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        if begin.elapsed() > LONGEST && !taken.is_empty() {
            break;
        }
    }
    Ok(median(taken))
}

/// Many rows against few, as a table.
#[must_use]
pub fn table(engine: &str, few: &Scaled, many: &Scaled) -> String {
    let count = |scaled: &Scaled| match &scaled.count {
        Ok(ms) => format!("{ms:.2}"),
        Err(why) => format!("refused: {}", why.replace('|', " ")),
    };
    let row = |scaled: &Scaled| {
        let (number, far_ms) = scaled.far;
        format!(
            "| {} | {:.0} | {:.2} | {:.2} | page {number}: {far_ms:.2} | {:.2} | {} |\n",
            scaled.rows,
            scaled.filled_s,
            scaled.city_ms,
            scaled.first_ms,
            far_ms / scaled.first_ms,
            count(scaled)
        )
    };
    let grown = as_f64(u64::from(many.rows)) / as_f64(u64::from(few.rows));
    let times = match (&few.count, &many.count) {
        (Ok(few), Ok(many)) => format!("{:.2} times", many / few),
        _ => "-".to_owned(),
    };
    format!(
        "### W9 on {engine}\n\nMedian milliseconds of one connection; the caller owns three tenths of the accounts. Aims: the \
         far page at most 1.2 times the first; {grown:.0} times the rows at most 2 times the time.\n\n\
         | accounts | made in s | W2, a city | first page by name | far page | far to first | exact count by aggregate |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n{}{}\nTo {grown:.0} times the rows: W2 {:.2} times, first page {:.2} \
         times, exact count {times}.\n\n{}",
        row(few),
        row(many),
        many.city_ms / few.city_ms,
        many.first_ms / few.first_ms,
        work_table(engine, few, many),
    )
}

/// What the engine did for each question, as a table.
fn work_table(engine: &str, few: &Scaled, many: &Scaled) -> String {
    let what = if engine == "SQLite" {
        "steps of SQLite's virtual machine, some for each row visited"
    } else {
        "rows of scans and entries of indexes that PostgreSQL visited"
    };
    let row = |scaled: &Scaled| {
        let done = &scaled.done;
        let count = done.count.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        format!("| {} | {:.0} | {:.0} | {:.0} | {count} |\n", scaled.rows, done.city, done.first, done.far)
    };
    format!(
        "For one question, {what}:\n\n| accounts | W2, a city | first page by name | far page | exact count |\n\
         | --- | --- | --- | --- | --- |\n{}{}",
        row(few),
        row(many)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_stand_beside_few() {
        let few = Scaled {
            rows: 10_000,
            filled_s: 1.0,
            city_ms: 1.0,
            first_ms: 2.0,
            far: (60, 2.2),
            count: Ok(3.0),
            done: EngineWork::default(),
        };
        let refused = Err("more than 50000 | rows".to_owned());
        let done = EngineWork { city: 700.4, first: 900.0, far: 901.0, count: None };
        let many = Scaled { rows: 1_000_000, city_ms: 1.5, count: refused, far: (1_000, 3.0), done, ..few.clone() };
        let text = table("SQLite", &few, &many);
        assert!(text.contains("| 10000 | 1 | 1.00 | 2.00 | page 60: 2.20 | 1.10 | 3.00 |\n"), "{text}");
        assert!(text.contains("page 1000: 3.00 | 1.50 | refused: more than 50000   rows |\n"), "{text}");
        assert!(text.contains("To 100 times the rows: W2 1.50 times, first page 1.00 times, exact count -."), "{text}");
        assert!(text.contains("For one question, steps of SQLite's virtual machine"), "{text}");
        assert!(text.contains("| 1000000 | 700 | 900 | 901 | - |\n"), "{text}");
    }
}
