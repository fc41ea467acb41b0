//! Sends the questions of one asker, one by one and in a batch, and compares what is answered with what is expected.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use custodia_oracle::{Asker, World, WorldTable};
use custodia_org::Caller;
use custodia_schema::Guid;
use custodia_web_api::{ApiRequest, KeptQuestions, Limits, handle};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value as Json;

use crate::cases::{Case, Row, cases, changed_accounts};
use crate::security::stage::Stage;

const ROOT: &str = "https://crm.example/demo/api/data/v9.2/";

/// How often one question was asked, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Answered with at least one row.
    pub with_rows: u64,
    /// Answered, and the secured column that it is about is closed to the asker.
    pub closed: u64,
    /// Refused.
    pub refused: u64,
    /// It is about a secured column.
    pub asks_for_secured: bool,
}

/// The moment before a world was stored.
pub struct Changes {
    link: String,
}

impl Changes {
    /// Where what changed since is asked for.
    pub fn link(&self) -> &str {
        &self.link
    }

    pub async fn begin(stage: &Stage) -> Self {
        let admin = Caller::user(stage.seeded.administrator, Guid::from_u128(2));
        let headers = [("prefer", "odata.track-changes")];
        let (status, body) =
            send(stage, &admin, "GET", "accounts?$select=name,creditlimit", &headers, String::new()).await;
        assert_eq!(status, 200, "{body}");
        let body: Json = serde_json::from_str(&body).unwrap();
        Self { link: body["@odata.deltaLink"].as_str().unwrap().strip_prefix(ROOT).unwrap().to_owned() }
    }
}

/// Asks everything there is in the name of an asker.
pub async fn ask_everything(
    stage: &Arc<Stage>,
    world: &World,
    asker: Asker,
    turn: usize,
    changes: &Changes,
    asked: &mut BTreeMap<&'static str, Asked>,
) -> Vec<String> {
    let mut all = cases(world, asker, turn);
    all.push(changed_accounts(world, asker, &changes.link));
    let mut differences = Vec::new();
    let mut answers = Vec::new();
    for case in &all {
        let caller = stage.caller(asker);
        let answer = send(stage, &caller, "GET", &case.target, &[], String::new()).await;
        let counted = asked.entry(case.name).or_default();
        counted.asks_for_secured |= case.closed.is_some();
        match &case.expected {
            None => counted.refused += 1,
            Some(rows) => {
                counted.with_rows += u64::from(!rows.is_empty());
                counted.closed += u64::from(case.closed == Some(true));
            }
        }
        if let Some(found) = differs(case, &answer) {
            differences.push(format!(
                "world {}, {asker:?}, {}: {}\n  expected {:?}\n  {found}",
                world.seed, case.name, case.target, case.expected
            ));
        }
        answers.push(answer);
    }
    // The same questions as parts of one request: each is authorised for itself, and answered the same.
    let parts: String = all
        .iter()
        .map(|case| format!("--b\r\nContent-Type: application/http\r\n\r\nGET {} HTTP/1.1\r\n\r\n\r\n", case.target))
        .collect();
    let headers = [("content-type", "multipart/mixed;boundary=b"), ("prefer", "odata.continue-on-error")];
    let (status, body) =
        send(stage, &stage.caller(asker), "POST", "$batch", &headers, format!("{parts}--b--\r\n")).await;
    if status == 200 {
        for (case, (status, single), part) in all
            .iter()
            .zip(&answers)
            .zip(body.split("HTTP/1.1 ").skip(1))
            .map(|((case, single), part)| (case, single, part))
        {
            // Refusals are told by their status.
            let same_body = *status >= 400 || part.contains(single.as_str());
            if !(part.starts_with(&status.to_string()) && same_body) {
                differences.push(format!("world {}, {asker:?}, {} in a batch:\n  {part}", world.seed, case.name));
            }
        }
        let parts = body.split("HTTP/1.1 ").count() - 1;
        if parts != all.len() {
            differences.push(format!("world {}, {asker:?}: {parts} parts of {}", world.seed, all.len()));
        }
    } else if all.iter().any(|case| case.expected.is_some()) {
        differences.push(format!("world {}, {asker:?}: a batch is answered {status}: {body}", world.seed));
    }
    differences
}

/// How an answer differs from what is expected.
fn differs(case: &Case, (status, body): &(u16, String)) -> Option<String> {
    match &case.expected {
        None => (*status != 403).then(|| format!("answered {status} {body}")),
        Some(expected) => {
            if *status != 200 {
                return Some(format!("answered {status} {body}"));
            }
            let body: Json = serde_json::from_str(body).unwrap();
            let single = std::slice::from_ref(&body);
            let rows = body["value"].as_array().map_or(single, Vec::as_slice);
            let mut found: Vec<Row> = rows.iter().map(|row| case.shown(row)).collect();
            let mut expected = expected.clone();
            if !case.is_ordered {
                found.sort();
                expected.sort();
            }
            (found != expected).then(|| format!("answered {found:?}"))
        }
    }
}

/// Shared by all worlds and users, so that what one was answered must not show in what another is.
static QUESTIONS: LazyLock<KeptQuestions> = LazyLock::new(|| KeptQuestions::new(1_024));

pub async fn send(
    stage: &Stage,
    caller: &Caller,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let limits = Limits::default();
    let request = ApiRequest {
        method: &method,
        path,
        query,
        headers: &headers,
        body: Bytes::from(body),
        service_root: ROOT,
        limits: &limits,
        page_token_key: &[7; 32],
        questions: &QUESTIONS,
        turns: &custodia_web_api::AtOnce,
        memory: &custodia_web_api::Unbounded,
    };
    let answer = handle(&stage.org, caller, &request).await;
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().to_vec()).unwrap())
}

/// Whether one of the tables is refused as a whole; `None` when the world has no row to tell by.
pub fn refuses_any(world: &World, asker: Asker, tables: &[WorldTable]) -> Option<bool> {
    let refused: Option<Vec<bool>> = tables.iter().map(|table| world.refuses_list(asker, *table)).collect();
    refused.map(|refused| refused.contains(&true))
}
