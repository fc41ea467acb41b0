//! W11: what the sealed audit and the inspection for card numbers cost. The same writes with the one or the other on and
//! off, turn by turn; then the verifier beside a bare reader that hashes the same bytes of the same rows and checks nothing.
//! Custodia is compared with itself here.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use custodia_store::{Clock, Limits, MasterKey, Published, Random, Settings, Store};

use crate::custodia::{Content, Custodia, ORGANIZATION, ROOT};
use crate::load::{as_f64, run};
use crate::measure::{Plan, median};
use crate::work::{Work, of_custodia, questions, scattered};

/// Clients that write.
const CONNECTIONS: usize = 16;
/// The table that is written.
const TABLE: &str = "contact";

/// What each write does besides, and can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The audit of the table.
    Audit,
    /// The inspection of values for payment card numbers.
    Cards,
}

impl Guard {
    /// The command that switches it.
    fn command(self, on: bool) -> Vec<&'static str> {
        match (self, on) {
            (Self::Audit, true) => vec!["audit-table", "--org", ORGANIZATION, TABLE],
            (Self::Audit, false) => vec!["audit-table", "--org", ORGANIZATION, TABLE, "--off"],
            (Self::Cards, true) => vec!["cards", "policy", "--org", ORGANIZATION, "block"],
            (Self::Cards, false) => vec!["cards", "policy", "--org", ORGANIZATION, "off"],
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Audit => "audited and not",
            Self::Cards => "audited, inspected for card numbers and not",
        }
    }
}

/// A kind of write with something it does besides, and without.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarded {
    /// The write.
    pub work: Work,
    /// What is left out.
    pub guard: Guard,
    /// Rates of the turns: with it, and without.
    pub turns: Vec<(f64, f64)>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The writes.
    pub writes: Vec<Guarded>,
    /// Entries that were verified.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds of each round: verified, and only hashed.
    pub rounds: Vec<(f64, f64)>,
}

/// Fills a server with the world, writes, and verifies what was written.
///
/// # Errors
/// A program that does not start, a request that is refused, an audit that is not whole.
pub async fn measure(program: &Path, folder: &Path, postgres: Option<&str>, plan: Plan) -> Result<Sealed> {
    let custodia = Custodia::start(program, folder, postgres, Content::World).await?;
    let mut writes = Vec::new();
    // Each turn writes records that no other one wrote.
    let mut turns_taken = 0_u64;
    custodia.place.run(&Guard::Audit.command(true))?;
    for (guard, work) in [
        (Guard::Cards, Work::Update),
        (Guard::Cards, Work::Create),
        (Guard::Audit, Work::Update),
        (Guard::Audit, Work::Create),
    ] {
        let render = |ask| of_custodia(ask, work, ROOT, &custodia.token);
        let requests = scattered(work, questions(work).iter().map(render).collect());
        let mut turns = Vec::new();
        for repeat in 0..=plan.repeats {
            let mut rates = [0.0; 2];
            // Who begins alternates.
            for turn in 0..2 {
                let on = (turn + repeat) % 2 == 0;
                custodia.place.run(&guard.command(on))?;
                turns_taken += 1;
                let first = turns_taken << 32;
                let address = custodia.server.address;
                let outcome = run(address, CONNECTIONS, plan.turn, work.status(), first, &requests).await?;
                if let Some(rate) = rates.get_mut(usize::from(!on)) {
                    *rate = outcome.rate();
                }
            }
            // The first round only warms up.
            if repeat > 0 {
                let [guarded, bare] = rates;
                turns.push((guarded, bare));
            }
        }
        writes.push(Guarded { work, guard, turns });
    }
    let data = custodia.place.data.clone();
    drop(custodia);
    let store = Store::open(Settings {
        master: MasterKey::read(&MasterKey::file_in(&data))?,
        folder: data,
        postgres: postgres.map(str::to_owned),
        limits: Limits::default(),
        schema: custodia_schema::standard(),
        clock: Arc::new(Machine(Instant::now())),
        random: Arc::new(NoRandom),
        file_layer: None,
    })
    .await?;
    let database = store.database(ORGANIZATION).await?;
    let (mut entries, mut bytes, mut rounds) = (0, 0, Vec::new());
    for _ in 0..=plan.repeats {
        let begin = Instant::now();
        let report = database.verify_audit(Published::default(), &mut |_: &str| {}).await?;
        let verified = begin.elapsed().as_secs_f64();
        ensure!(report.fault.is_none(), "the audit is whole: {:?}", report.fault);
        let begin = Instant::now();
        bytes = database.hash_audit().await?.bytes;
        rounds.push((verified, begin.elapsed().as_secs_f64()));
        entries = report.entries;
    }
    rounds.remove(0);
    drop(database);
    store.close();
    ensure!(entries > 0, "something was audited");
    Ok(Sealed { writes, entries, bytes, rounds })
}

/// The figures as a table.
///
/// # Errors
/// When there are none.
pub fn table(engine: &str, sealed: &Sealed) -> Result<String> {
    let mut text = format!(
        "**W11, the sealed audit and card numbers, {engine}**\n\n\
         | what | with | without | ratio, lowest to highest | aim |\n| --- | --- | --- | --- | --- |\n"
    );
    let row = |text: &mut String, what: &str, pairs: &[(f64, f64)], aim: &str| -> Result<()> {
        let ratios: Vec<f64> = pairs.iter().map(|(with, without)| with / without).collect();
        let least = ratios.iter().copied().reduce(f64::min).context("a turn")?;
        let most = ratios.iter().copied().reduce(f64::max).context("a turn")?;
        let with = median(pairs.iter().map(|(with, _)| *with));
        let without = median(pairs.iter().map(|(_, without)| *without));
        let ratio = median(ratios.iter().copied());
        text.push_str(&format!(
            "| {what} | {with:.0} /s | {without:.0} /s | {ratio:.2} ({least:.2} to {most:.2}) | {aim} |\n"
        ));
        Ok(())
    };
    for Guarded { work, guard, turns } in &sealed.writes {
        let aim = if *guard == Guard::Audit { "0.80" } else { "-" };
        row(&mut text, &format!("{}, {}", work.words(), guard.words()), turns, aim)?;
    }
    let entries = as_f64(sealed.entries);
    let rates: Vec<_> = sealed.rounds.iter().map(|(verified, hashed)| (entries / verified, entries / hashed)).collect();
    let what = format!("verify {} entries of {} bytes, and only hash them", sealed.entries, sealed.bytes);
    row(&mut text, &what, &rates, "0.50")?;
    Ok(text)
}

/// The machine's clock.
struct Machine(Instant);

impl Clock for Machine {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Nothing is drawn: the store is only read.
struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
