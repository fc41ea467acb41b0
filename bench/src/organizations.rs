//! Many organisations on one machine: how long a start takes, what each of them costs, how one that sleeps answers first, what
//! asking them at random costs against asking one (W8 and W10), and whether one that asks without end holds up the others.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use crate::custodia::Place;
use crate::http::Connection;
use crate::load::{Outcome, Requests, as_f64, each, run};
use crate::measure::median;
use crate::process::{Server, processor_time};
use crate::work::post;

/// What is read off an outcome.
type Figure = fn(&Outcome) -> f64;

/// Connections of W10, and of the organisation that asks without end.
const CONNECTIONS: usize = 64;
/// Commands given to the server at one time.
const COMMANDS: usize = 4;
/// Connections of the others beside a flood, and how long each waits between two questions.
const OTHERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(10);
/// What an answer is asked for at first, before a turn counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// What is measured, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    /// The server's program.
    pub program: &'p Path,
    /// A new folder, for its data.
    pub folder: &'p Path,
    /// A new database of a PostgreSQL cluster, instead of files in the folder.
    pub database: Option<&'p str>,
    /// How many organisations there are.
    pub organizations: u32,
    /// Starts, and turns of W10.
    pub repeats: u32,
    /// How long a turn takes.
    pub turn: Duration,
}

/// The requests that read an organisation's one account, by the organisation's number.
struct Questions(Vec<Vec<u8>>);

/// Measures, and tells in lines of Markdown.
///
/// # Errors
/// A program that does not start, a request that is not answered as it should be.
pub async fn measure(plan: Plan<'_>) -> Result<String> {
    let mut text = format!("### {} organisations\n\n", plan.organizations);
    let place = Place {
        program: plan.program.to_owned(),
        data: plan.folder.join("custodia"),
        database: plan.database.map(str::to_owned),
    };
    let (_, empty_kibibytes) = started(plan, &place).map(|(server, took)| (took, server.memory_kibibytes()))?;
    let empty_kibibytes = empty_kibibytes?;
    let server = started(plan, &place)?.0;
    let questions = fill(plan, &place, &server, &mut text).await?;
    drop(server);
    starts(plan, &place, &questions, empty_kibibytes, &mut text).await?;
    let (server, _) = started(plan, &place)?;
    sleeping(&server, &questions, &mut text).await?;
    at_random(plan, &server, &questions, &mut text).await?;
    beside_a_flood(plan, &server, questions, &mut text).await?;
    let kibibytes = server.memory_kibibytes()?;
    writeln!(text, "- memory at the end: {:.1} MiB", as_f64(kibibytes) / 1024.0)?;
    Ok(text)
}

/// A server on the folder, and how long it took until it said that it answers.
fn started(plan: Plan<'_>, place: &Place) -> Result<(Server, Duration)> {
    let mut serve = Command::new(plan.program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"]).arg(&place.data);
    if let Some(url) = plan.database {
        serve.args(["--database", url]);
    }
    let begun = Instant::now();
    let server = Server::start(&mut serve, &plan.folder.join("custodia.log"))?;
    Ok((server, begun.elapsed()))
}

fn name(number: u32) -> String {
    format!("many-{number}")
}

fn administrator(number: u32) -> String {
    format!("ada@{}.example", name(number))
}

/// Makes the organisations, with one account each.
async fn fill(plan: Plan<'_>, place: &Place, server: &Server, text: &mut String) -> Result<Questions> {
    let count = plan.organizations;
    let (begun, used) = (Instant::now(), processor_time(server.id())?);
    commanded(place, count, |number| {
        vec!["org".into(), "create".into(), name(number), "--admin".into(), administrator(number)]
    })
    .await?;
    let used = processor_time(server.id())?.saturating_sub(used);
    writeln!(
        text,
        "- `org create`: {:.1} ms each with {COMMANDS} at a time, {:.1} ms of the server's processor time",
        begun.elapsed().as_secs_f64() * 1e3 / f64::from(count),
        used.as_secs_f64() * 1e3 / f64::from(count),
    )?;
    let tokens = commanded(place, count, |number| {
        vec![
            "token".into(),
            "--org".into(),
            name(number),
            "--user".into(),
            administrator(number),
            "--ttl".into(),
            "1d".into(),
        ]
    })
    .await?;
    let account = |number: u32| uuid::Uuid::from_u128(u128::from(number) + 1);
    let steps: Vec<Vec<u8>> = (0..count)
        .zip(&tokens)
        .map(|(number, token)| {
            let body = json!({ "accountid": account(number).to_string(), "name": format!("Account of {number}") });
            post(&root(number), "accounts", token, &body)
        })
        .collect();
    each(server.address, OTHERS, u64::from(count), &asked_in_order(steps)).await.context("making accounts")?;
    let questions = (0..count).zip(&tokens).map(|(number, token)| {
        format!(
            "GET {}accounts({})?$select=name HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\n\r\n",
            root(number),
            account(number)
        )
        .into_bytes()
    });
    Ok(Questions(questions.collect()))
}

fn root(number: u32) -> String {
    format!("/{}/api/data/v9.2/", name(number))
}

/// Runs a command for each organisation; what each printed, without the blanks around it.
async fn commanded(place: &Place, count: u32, arguments: impl Fn(u32) -> Vec<String>) -> Result<Vec<String>> {
    let mut printed = vec![String::new(); usize::try_from(count)?];
    let mut running = JoinSet::new();
    let mut next = 0;
    while next < count || !running.is_empty() {
        if next < count && running.len() < COMMANDS {
            let (place, arguments, number) = (place.clone(), arguments(next), next);
            running.spawn_blocking(move || {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                place.run(&arguments).map(|output| (number, output))
            });
            next += 1;
            continue;
        }
        if let Some(done) = running.join_next().await {
            let (number, output) = done??;
            if let Some(place) = printed.get_mut(usize::try_from(number)?) {
                *place = output.trim().to_owned();
            }
        }
    }
    Ok(printed)
}

/// From the start of the process to its first good answer.
async fn starts(
    plan: Plan<'_>,
    place: &Place,
    questions: &Questions,
    empty_kibibytes: u64,
    text: &mut String,
) -> Result<()> {
    let (mut ready, mut answered, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        let begun = Instant::now();
        let (server, took) = started(plan, place)?;
        ready.push(took.as_secs_f64() * 1e3);
        let kibibytes = server.memory_kibibytes()?;
        let mut connection = Connection::open(server.address).await?;
        questions.ask(&mut connection, 0).await?;
        answered.push(begun.elapsed().as_secs_f64() * 1e3);
        memory.push(as_f64(kibibytes));
    }
    let idle = (median(memory.iter().copied()) - as_f64(empty_kibibytes)) / as_f64(questions.0.len() as u64);
    writeln!(
        text,
        "- from the start of the process: ready after {:.0} ms, first good answer after {:.0} ms (aim 150)",
        median(ready),
        median(answered)
    )?;
    writeln!(
        text,
        "- memory after the start: {:.1} MiB, of which {idle:.2} KiB for each organisation that sleeps (aim 4)",
        median(memory) / 1024.0
    )?;
    Ok(())
}

/// The first question to each organisation since the start, one after the other.
async fn sleeping(server: &Server, questions: &Questions, text: &mut String) -> Result<()> {
    let mut connection = Connection::open(server.address).await?;
    // The first of all makes what the whole process shares.
    questions.ask(&mut connection, 0).await?;
    let before = server.memory_kibibytes()?;
    let mut took = Vec::with_capacity(questions.0.len());
    let mut at_hundred = None;
    for number in 1..questions.0.len() {
        let asked = Instant::now();
        questions.ask(&mut connection, number).await?;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
        if number == 100 {
            at_hundred = Some(server.memory_kibibytes()?);
        }
    }
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1))).copied();
    writeln!(
        text,
        "- first answer of one that sleeps: p50 {:.2} ms, p99 {:.2} ms",
        at(50).unwrap_or(f64::NAN),
        at(99).unwrap_or(f64::NAN)
    )?;
    if let Some(at_hundred) = at_hundred {
        writeln!(
            text,
            "- memory for each that is open, with its page cache: {:.0} KiB; after all {} were asked: {:.1} MiB, {} open",
            (as_f64(at_hundred) - as_f64(before)) / 100.0,
            questions.0.len(),
            as_f64(server.memory_kibibytes()?) / 1024.0,
            server.metric("custodia_open_databases").await?,
        )?;
    }
    Ok(())
}

/// W10: one organisation and all of them, taking turns.
async fn at_random(plan: Plan<'_>, server: &Server, questions: &Questions, text: &mut String) -> Result<()> {
    let one: Requests = {
        let question = questions.0.first().cloned().unwrap_or_default();
        Arc::new(move |_, request| request.extend_from_slice(&question))
    };
    let all = questions.at_random();
    let turn = async |requests: &Requests, first: u64| {
        run(server.address, CONNECTIONS, plan.turn, 200, first, requests).await.context("W10")
    };
    run(server.address, CONNECTIONS, WARM_UP, 200, 0, &one).await?;
    run(server.address, CONNECTIONS, WARM_UP, 200, 0, &all).await?;
    let opened = server.metric("custodia_databases_opened_total").await?;
    let (mut ones, mut alls): (Vec<Outcome>, Vec<Outcome>) = (Vec::new(), Vec::new());
    for repeat in 0..plan.repeats {
        ones.push(turn(&one, 0).await?);
        alls.push(turn(&all, u64::from(repeat + 1) << 32).await?);
    }
    let asked: u64 = alls.iter().map(|outcome| outcome.requests).sum();
    let opened = server.metric("custodia_databases_opened_total").await?.saturating_sub(opened);
    let ratio = median(ones.iter().zip(&alls).map(|(one, all)| all.rate() / one.rate()));
    let middle = |outcomes: &[Outcome], figure: Figure| median(outcomes.iter().map(figure));
    let (rate, p99): (Figure, Figure) = (Outcome::rate, |outcome| outcome.percentile_ms(0.99));
    writeln!(
        text,
        "- W10, {CONNECTIONS} connections: one organisation {:.0}/s, p99 {:.1} ms; all at random {:.0}/s, p99 {:.1} ms; ratio {ratio:.2} \
         (aim 0.7); one in {:.0} requests opened a database; memory {:.1} MiB",
        middle(&ones, rate),
        middle(&ones, p99),
        middle(&alls, rate),
        middle(&alls, p99),
        as_f64(asked) / as_f64(opened.max(1)),
        as_f64(server.memory_kibibytes()?) / 1024.0,
    )?;
    Ok(())
}

/// What the others wait for while one asks over many connections without end, taking turns with when it does not.
async fn beside_a_flood(plan: Plan<'_>, server: &Server, questions: Questions, text: &mut String) -> Result<()> {
    let flood: Requests = {
        let question = questions.0.first().cloned().unwrap_or_default();
        Arc::new(move |_, request| request.extend_from_slice(&question))
    };
    // Few enough others to stay open: what waits here waits for the flood.
    let others = Arc::new(Questions(questions.0.into_iter().skip(1).take(50).collect()));
    ensure!(!others.0.is_empty(), "it takes two organisations for one to be beside the other");
    paced(server, &others, WARM_UP).await?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeats {
        alone.push(paced(server, &others, plan.turn).await?);
        let flooding = run(server.address, CONNECTIONS, plan.turn + WARM_UP, 200, 0, &flood);
        let (flooded, others) = tokio::join!(flooding, async {
            tokio::time::sleep(WARM_UP / 2).await;
            paced(server, &others, plan.turn).await
        });
        flooded?;
        beside.push(others?);
    }
    let middle = |turns: &[(f64, f64)], figure: fn(&(f64, f64)) -> f64| median(turns.iter().map(figure));
    writeln!(
        text,
        "- {OTHERS} clients of others, each asking every {} ms: alone p50 {:.2} ms, p99 {:.2} ms; beside one that asks without end over \
         {CONNECTIONS} connections p50 {:.2} ms, p99 {:.2} ms",
        PAUSE.as_millis(),
        middle(&alone, |turn| turn.0),
        middle(&alone, |turn| turn.1),
        middle(&beside, |turn| turn.0),
        middle(&beside, |turn| turn.1),
    )?;
    Ok(())
}

/// Median and p99 in milliseconds of clients that pause between questions.
async fn paced(server: &Server, questions: &Arc<Questions>, duration: Duration) -> Result<(f64, f64)> {
    let (end, next) = (Instant::now() + duration, Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..OTHERS {
        let (questions, next) = (Arc::clone(questions), Arc::clone(&next));
        let mut connection = Connection::open(server.address).await?;
        clients.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed))? % questions.0.len();
                let asked = Instant::now();
                questions.ask(&mut connection, number).await?;
                took.push(asked.elapsed().as_secs_f64() * 1e3);
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(one) = clients.join_next().await {
        took.extend(one??);
    }
    took.sort_by(f64::total_cmp);
    let last = took.len().saturating_sub(1);
    let at = |share: usize| took.get((took.len() * share / 100).min(last)).copied().unwrap_or(f64::NAN);
    Ok((at(50), at(99)))
}

fn asked_in_order(requests: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, request| {
        if let Some(asked) = usize::try_from(number).ok().and_then(|number| requests.get(number)) {
            request.extend_from_slice(asked);
        }
    })
}

impl Questions {
    async fn ask(&self, connection: &mut Connection, number: usize) -> Result<()> {
        let question = self.0.get(number).context("there is no such organisation")?;
        let answer = connection.ask(question).await?;
        ensure!(answer.status == 200, "organisation {number}: {}", answer.describe());
        Ok(())
    }

    /// Asks an organisation that follows from the request's number, and from nothing that was asked before.
    fn at_random(&self) -> Requests {
        let questions = self.0.clone();
        Arc::new(move |number, request| {
            let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^= mixed >> 27;
            let at = usize::try_from(mixed >> 16).unwrap_or(0) % questions.len().max(1);
            if let Some(question) = questions.get(at) {
                request.extend_from_slice(question);
            }
        })
    }
}
