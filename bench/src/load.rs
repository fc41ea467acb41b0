//! A closed loop of connections: each asks, waits for the answer and asks again, and everything is counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::http::Connection;

/// What is asked: writes the request of that number into the buffer.
pub type Requests = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// What a load gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Requests that were answered as expected; any other answer is an error of the load.
    pub requests: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How long each request took, in microseconds, in order.
    pub latencies_us: Vec<u32>,
    /// Bytes of all bodies.
    pub body_bytes: u64,
}

impl Outcome {
    /// Requests a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        as_f64(self.requests) / self.elapsed.as_secs_f64()
    }

    /// How long a request took at most, for a share of them (0.99 of all), in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, share: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let rank = (as_f64(self.latencies_us.len() as u64) * share).ceil() as usize;
        f64::from(self.latencies_us.get(rank.saturating_sub(1)).copied().unwrap_or(0)) / 1000.0
    }
}

/// A count as a number to divide by.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Asks over so many connections for that long. Requests are numbered from `first` on, across all connections.
///
/// # Errors
/// A connection that breaks, an answer of another status.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    status: u16,
    first: u64,
    requests: &Requests,
) -> Result<Outcome> {
    let next = Arc::new(AtomicU64::new(first));
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(address).await?);
    }
    let begin = Instant::now();
    let end = begin + duration;
    // Tasks of the one thread that the caller runs on: the client is meant to leave the machine to the server.
    let mut loops = JoinSet::new();
    for connection in opened {
        loops.spawn(ask_until(connection, end, status, Arc::clone(&next), Arc::clone(requests)));
    }
    let mut outcome = Outcome { requests: 0, elapsed: Duration::ZERO, latencies_us: Vec::new(), body_bytes: 0 };
    while let Some(one) = loops.join_next().await {
        let (latencies, bytes) = one??;
        outcome.requests += latencies.len() as u64;
        outcome.body_bytes += bytes;
        outcome.latencies_us.extend(latencies);
    }
    outcome.elapsed = begin.elapsed();
    outcome.latencies_us.sort_unstable();
    Ok(outcome)
}

async fn ask_until(
    mut connection: Connection,
    end: Instant,
    status: u16,
    next: Arc<AtomicU64>,
    requests: Requests,
) -> Result<(Vec<u32>, u64)> {
    let (mut latencies, mut bytes, mut request) = (Vec::with_capacity(1 << 16), 0, Vec::with_capacity(4096));
    loop {
        request.clear();
        requests(next.fetch_add(1, Ordering::Relaxed), &mut request);
        let asked = Instant::now();
        let answer = connection.ask(&request).await?;
        ensure!(answer.status == status, "expected status {status}; {}", answer.describe());
        bytes += answer.body.len() as u64;
        let answered = Instant::now();
        latencies.push(u32::try_from((answered - asked).as_micros()).unwrap_or(u32::MAX));
        if answered >= end {
            return Ok((latencies, bytes));
        }
    }
}

/// Asks each request once, over so many connections; the order is theirs.
///
/// # Errors
/// A connection that breaks, an answer of another status than 200 to 299.
pub async fn each(address: SocketAddr, connections: usize, count: u64, requests: &Requests) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut loops = JoinSet::new();
    for _ in 0..connections {
        loops.spawn(ask_each(Connection::open(address).await?, count, Arc::clone(&next), Arc::clone(requests)));
    }
    while let Some(one) = loops.join_next().await {
        one??;
    }
    Ok(())
}

async fn ask_each(mut connection: Connection, count: u64, next: Arc<AtomicU64>, requests: Requests) -> Result<()> {
    let mut request = Vec::with_capacity(4096);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        request.clear();
        requests(number, &mut request);
        let answer = connection.ask(&request).await?;
        ensure!((200..300).contains(&answer.status), "request {number}: {}", answer.describe());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn outcome(latencies_us: Vec<u32>) -> Outcome {
        let requests = latencies_us.len() as u64;
        Outcome { requests, elapsed: Duration::from_millis(500), latencies_us, body_bytes: 0 }
    }

    #[test]
    fn percentiles_are_those_of_a_sorted_list() {
        let outcome = outcome((1..=1000).map(|number| number * 1000).collect());
        assert_eq!(
            (outcome.percentile_ms(0.5), outcome.percentile_ms(0.99), outcome.percentile_ms(1.0)),
            (500.0, 990.0, 1000.0)
        );
        assert!((outcome.rate() - 2000.0).abs() < 0.001);
    }

    /// A server that answers each request with the status that stands in its path.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut received = [0; 256];
                    while let Ok(count) = stream.read(&mut received).await {
                        let Some(status) = received.get(..count).and_then(|text| text.get(5..8)) else { break };
                        let status = String::from_utf8_lossy(status);
                        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\n{{}}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn every_number_is_asked_once() {
        let address = echo().await;
        let asked = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let requests: Requests = Arc::new(move |number, request| {
            seen.lock().push(number);
            request.extend_from_slice(b"GET /200 HTTP/1.1\r\n\r\n");
        });
        each(address, 4, 50, &requests).await.unwrap();
        asked.lock().sort_unstable();
        assert_eq!(*asked.lock(), (0..50).collect::<Vec<u64>>());
        let outcome = run(address, 4, Duration::from_millis(20), 200, 1000, &requests).await.unwrap();
        assert!(outcome.requests >= 4 && outcome.latencies_us.len() as u64 == outcome.requests, "{outcome:?}");
        assert_eq!(outcome.body_bytes, 2 * outcome.requests);
        assert_eq!(asked.lock().len() as u64, 50 + outcome.requests);
    }

    #[tokio::test]
    async fn another_status_ends_the_load() {
        let address = echo().await;
        let requests: Requests = Arc::new(|_, request| request.extend_from_slice(b"GET /403 HTTP/1.1\r\n\r\n"));
        let error = run(address, 2, Duration::from_millis(20), 200, 0, &requests).await.unwrap_err();
        assert!(error.to_string().contains("expected status 200; status 403"), "{error}");
        assert!(each(address, 2, 3, &requests).await.is_err());
    }
}
