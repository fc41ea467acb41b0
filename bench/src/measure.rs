//! Two sides take turns at the same work.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::custodia::{Custodia, ROOT};
use crate::disk;
use crate::load::{Requests, as_f64, run};
use crate::process::processor_time;
use crate::work::{Work, of_custodia, of_yardstick, questions, scattered};
use crate::yardstick::Yardstick;

/// How long each side warms up before the first turn.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long the disk is probed between two turns that write.
const PROBE: Duration = Duration::from_millis(200);

/// How it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Turns of each side.
    pub repeats: u32,
    /// How long a turn lasts.
    pub turn: Duration,
}

/// What one side did in one turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Requests a second.
    pub rate: f64,
    /// Processor time of the server for a request, in microseconds.
    pub processor_us: f64,
    /// Half of the requests took at most so long, in milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 took at most so long.
    pub p95_ms: f64,
    /// 99 of 100 took at most so long.
    pub p99_ms: f64,
    /// Bytes of a body.
    pub body_bytes: f64,
}

/// The same work on both sides, turn by turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was done.
    pub work: Work,
    /// Over how many connections.
    pub connections: usize,
    /// The yardstick's turn and Custodia's, one after the other.
    pub turns: Vec<(Turn, Turn)>,
    /// Median flushes of the disk probe, in microseconds, one for each turn that writes.
    pub flushes_us: Vec<f64>,
    /// Writes that Custodia acknowledged for each flush, if the work writes.
    pub writes_per_flush: Option<f64>,
}

/// Both sides, and where their files are.
pub struct Sides<'run> {
    /// The one.
    pub yardstick: &'run Yardstick,
    /// The other.
    pub custodia: &'run Custodia,
    /// A folder on the disk of both, for the probe.
    pub folder: &'run Path,
}

impl Sides<'_> {
    /// Lets the sides take turns.
    ///
    /// # Errors
    /// A request that is not answered as it should be.
    pub async fn compare(&self, work: Work, connections: usize, plan: Plan) -> Result<Comparison> {
        let asked = questions(work);
        let one = scattered(work, asked.iter().map(of_yardstick).collect());
        let render = |ask| of_custodia(ask, work, ROOT, &self.custodia.token);
        let other = scattered(work, asked.iter().map(render).collect());
        run(self.yardstick.server.address, connections, WARM_UP, work.status(), 0, &one).await?;
        run(self.custodia.server.address, connections, WARM_UP, work.status(), 0, &other).await?;

        let before = self.custodia.written().await?;
        let (mut turns, mut flushes_us) = (Vec::new(), Vec::new());
        for repeat in 0..plan.repeats {
            // Both ask the same numbers; who begins alternates, so that neither always comes after the other.
            let first = u64::from(repeat) << 32;
            let mut yardstick = None;
            if repeat % 2 == 0 {
                yardstick = Some(self.yardstick_turn(work, connections, plan, first, &one).await?);
            }
            if work.writes() {
                flushes_us.push(disk::flush(self.folder, PROBE)?.as_secs_f64() * 1e6);
            }
            let custodia = self.custodia_turn(work, connections, plan, first, &other).await?;
            let yardstick = match yardstick {
                Some(turn) => turn,
                None => self.yardstick_turn(work, connections, plan, first, &one).await?,
            };
            turns.push((yardstick, custodia));
        }
        let after = self.custodia.written().await?;
        let writes_per_flush = work
            .writes()
            .then(|| as_f64(after.requests - before.requests) / as_f64((after.batches - before.batches).max(1)));
        Ok(Comparison { work, connections, turns, flushes_us, writes_per_flush })
    }

    /// Memory of Custodia while 64 connections ask for lists, in MiB.
    ///
    /// # Errors
    /// A request that is not answered.
    pub async fn memory_under_load(&self, plan: Plan) -> Result<u64> {
        /// Clients of the load.
        const CONNECTIONS: usize = 64;
        let render = |ask| of_custodia(ask, Work::List, ROOT, &self.custodia.token);
        let requests = scattered(Work::List, questions(Work::List).iter().map(render).collect());
        let server = &self.custodia.server;
        let load = run(server.address, CONNECTIONS, plan.turn, Work::List.status(), 0, &requests);
        let look = async {
            tokio::time::sleep(plan.turn.mul_f64(0.9)).await;
            server.memory_mebibytes()
        };
        let (outcome, memory) = tokio::join!(load, look);
        outcome.and(memory)
    }

    async fn yardstick_turn(
        &self,
        work: Work,
        connections: usize,
        plan: Plan,
        first: u64,
        ask: &Requests,
    ) -> Result<Turn> {
        let server = &self.yardstick.server;
        let before = processor_time(server.id())?;
        let outcome =
            run(server.address, connections, plan.turn, work.status(), first, ask).await.context("the yardstick")?;
        let used = processor_time(server.id())?.saturating_sub(before);
        Ok(turn(work, &outcome, used))
    }

    async fn custodia_turn(
        &self,
        work: Work,
        connections: usize,
        plan: Plan,
        first: u64,
        ask: &Requests,
    ) -> Result<Turn> {
        let before = self.custodia.processor_time().await?;
        let address: SocketAddr = self.custodia.server.address;
        let outcome = run(address, connections, plan.turn, work.status(), first, ask).await.context("Custodia")?;
        let used = self.custodia.processor_time().await?.saturating_sub(before);
        Ok(turn(work, &outcome, used))
    }
}

/// Microseconds of processor time that the yardstick takes for an answer that says nothing: what HTTP alone costs it; or
/// what it takes for an answer of a read.
///
/// # Errors
/// A request that is not answered.
pub async fn yardstick_alone(yardstick: &Yardstick, work: Option<Work>, duration: Duration) -> Result<f64> {
    let server = &yardstick.server;
    let nothing = b"GET /nothing HTTP/1.1\r\nhost: yardstick\r\n\r\n".to_vec();
    let rendered = work.map_or_else(|| vec![nothing], |work| questions(work).iter().map(of_yardstick).collect());
    let requests = scattered(work.unwrap_or(Work::ReadOne), rendered);
    run(server.address, 16, WARM_UP, 200, 0, &requests).await?;
    let before = processor_time(server.id())?;
    let outcome = run(server.address, 16, duration, 200, 0, &requests).await?;
    let used = processor_time(server.id())?.saturating_sub(before);
    Ok(turn(Work::ReadOne, &outcome, used).processor_us)
}

/// Rates and processor time are those of records where a request makes many.
fn turn(work: Work, outcome: &crate::load::Outcome, used: Duration) -> Turn {
    let rows = f64::from(work.rows());
    Turn {
        rate: outcome.rate() * rows,
        processor_us: used.as_secs_f64() * 1e6 / as_f64(outcome.requests.max(1)) / rows,
        p50_ms: outcome.percentile_ms(0.50),
        p95_ms: outcome.percentile_ms(0.95),
        p99_ms: outcome.percentile_ms(0.99),
        body_bytes: as_f64(outcome.body_bytes) / as_f64(outcome.requests.max(1)),
    }
}

/// The middle of some figures; of an even number the mean of the two in the middle.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) } else { at(middle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median([9.0, 1.0, 5.0]) - 5.0).abs() < 1e-9);
        assert!((median([9.0, 1.0, 5.0, 6.0]) - 5.5).abs() < 1e-9);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_turn_divides_by_what_was_answered() {
        let outcome = crate::load::Outcome {
            requests: 4,
            elapsed: Duration::from_secs(2),
            latencies_us: vec![1000, 2000, 3000, 4000],
            body_bytes: 40,
        };
        let many = super::turn(Work::CreateMany, &outcome, Duration::from_micros(100));
        assert!((many.rate - 200.0).abs() < 1e-9 && (many.processor_us - 0.25).abs() < 1e-9, "{many:?}");
        let turn = turn(Work::ReadOne, &outcome, Duration::from_micros(100));
        assert!((turn.rate - 2.0).abs() < 1e-9 && (turn.processor_us - 25.0).abs() < 1e-9, "{turn:?}");
        assert!((turn.p50_ms - 2.0).abs() < 1e-9 && (turn.body_bytes - 10.0).abs() < 1e-9, "{turn:?}");
    }
}
