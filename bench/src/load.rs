//! The load: a process of its own that keeps connections busy, or keeps to a rate, and says what came back when.
//!
//! Requests are built before the clock starts; what makes each one new (key, id, trace) is written over in place.
//! At a rate, a request's time runs from the moment at which it was due: waiting for a connection counts.
//! Deliberately absent: anything that the server could not tell from a plain client.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::clock::{monotonic, process_time};
use crate::machine::ProcessTime;
use crate::requests::{Requests, Spread, Traffic};

/// Where the server listens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Tcp(String),
    Unix(PathBuf),
}

/// When the next request is sent.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// When the one before it on its connection was answered.
    Closed,
    /// So many a second, on whatever connection is free.
    Rate(f64),
}

/// What a load is to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) token: String,
    pub(crate) recorder_id: String,
    pub(crate) connections: u64,
    pub(crate) traffic: Traffic,
    pub(crate) spread: Spread,
    pub(crate) pace: Pace,
    pub(crate) warmup_ms: u64,
    pub(crate) measured_ms: u64,
    /// The end, whatever the clock says; for loads that are counted.
    pub(crate) requests_max: Option<u64>,
    /// What makes this load's keys, ids and traces its own.
    pub(crate) seed: u64,
    /// The process whose time is looked at.
    pub(crate) server_pid: u32,
}

/// What came of it, between the warm-up and the end.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) seconds: f64,
    /// Requests that were answered as they should be.
    pub(crate) answered: u64,
    /// Others by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// Processor seconds of the server.
    pub(crate) server_seconds: f64,
    /// Processor seconds of the load itself.
    pub(crate) own_seconds: f64,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    /// Microseconds of the server's processors an answer.
    pub(crate) fn server_us_each(&self) -> f64 {
        self.server_seconds * 1e6 / self.answered as f64
    }

    /// Requests that were answered otherwise.
    pub(crate) fn refused_count(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// What the child does: reads a load, runs it, prints its outcome.
pub(crate) fn child(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let load: Load = serde_json::from_str(&arguments.next().context("load needs a description")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, run(load))?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// What all connections of a load share.
struct Shared {
    load: Load,
    began: Duration,
    /// Requests that were begun.
    begun: Cell<u64>,
    latencies_us: RefCell<Vec<u32>>,
    refused: RefCell<BTreeMap<u16, u64>>,
}

impl Shared {
    fn elapsed(&self) -> Duration {
        monotonic().saturating_sub(self.began)
    }

    fn warmup(&self) -> Duration {
        Duration::from_millis(self.load.warmup_ms)
    }

    fn end(&self) -> Duration {
        self.warmup() + Duration::from_millis(self.load.measured_ms)
    }

    /// The number of the next request and when it is due; none after the end.
    fn next(&self) -> Option<(u64, Duration)> {
        let number = self.begun.get();
        let due = match self.load.pace {
            Pace::Closed => self.elapsed(),
            Pace::Rate(rate) => Duration::from_secs_f64(number as f64 / rate),
        };
        let is_over = due >= self.end() || self.load.requests_max.is_some_and(|max| number >= max);
        self.begun.set(number + 1);
        (!is_over).then_some((number, due))
    }

    fn note(&self, due: Duration, status: u16) {
        let now = self.elapsed();
        if due < self.warmup() || now > self.end() {
            return;
        }
        match status == self.load.traffic.status() {
            true => self.latencies_us.borrow_mut().push((now - due).as_micros() as u32),
            false => *self.refused.borrow_mut().entry(status).or_default() += 1,
        }
    }
}

async fn run(load: Load) -> anyhow::Result<Outcome> {
    let mut connections = Vec::new();
    for number in 0..load.connections {
        connections.push((Requests::new(&load, number), connect(&load.target).await?));
    }
    let shared = Rc::new(Shared {
        load,
        began: monotonic(),
        begun: Cell::default(),
        latencies_us: RefCell::default(),
        refused: RefCell::default(),
    });
    let tasks = connections.into_iter().map(|(requests, connection)| {
        tokio::task::spawn_local(exchange(Rc::clone(&shared), requests, connection))
    });
    let tasks = tasks.collect::<Vec<_>>();
    tokio::time::sleep(shared.warmup()).await;
    let server = ProcessTime::of(shared.load.server_pid)?;
    let (own, before) = (process_time(), monotonic());
    let last = Duration::from_millis(shared.load.measured_ms);
    let finished = tokio::time::timeout(last, all(tasks)).await;
    let (own_seconds, seconds) =
        ((process_time() - own).as_secs_f64(), (monotonic() - before).as_secs_f64());
    let server_seconds = server.since()?;
    if let Ok(finished) = finished {
        finished?;
    }
    let refused = shared.refused.take();
    let latencies = shared.latencies_us.take();
    let answered = latencies.len() as u64;
    let outcome =
        Outcome { seconds, answered, refused, server_seconds, own_seconds, ..Outcome::default() };
    Ok(with_latencies(outcome, latencies))
}

async fn all(tasks: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>) -> anyhow::Result<()> {
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn with_latencies(outcome: Outcome, mut latencies_us: Vec<u32>) -> Outcome {
    latencies_us.sort_unstable();
    let at = |share: f64| {
        let place = (share * latencies_us.len() as f64) as usize;
        latencies_us
            .get(place.min(latencies_us.len().saturating_sub(1)))
            .map_or(f64::NAN, |us| f64::from(*us))
    };
    Outcome { p50_us: at(0.5), p90_us: at(0.9), p99_us: at(0.99), max_us: at(1.0), ..outcome }
}

/// Both kinds of socket.
trait Connection: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection for S {}

async fn connect(target: &Target) -> anyhow::Result<Box<dyn Connection>> {
    Ok(match target {
        Target::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Target::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Sends requests on one connection, one at a time, until the load is over.
async fn exchange(
    shared: Rc<Shared>,
    mut requests: Requests,
    mut connection: Box<dyn Connection>,
) -> anyhow::Result<()> {
    let mut answer = Answer::default();
    while let Some((number, due)) = shared.next() {
        if let Some(early) = due.checked_sub(shared.elapsed()).filter(|early| !early.is_zero()) {
            tokio::time::sleep(early).await;
        }
        connection.write_all(requests.make(number)).await?;
        let status = answer.read(&mut connection).await?;
        shared.note(due, status);
    }
    Ok(())
}

/// Reads answers; keeps its buffer from one to the next.
#[derive(Default)]
struct Answer {
    buffer: Vec<u8>,
}

impl Answer {
    /// Takes one answer to its end and gives its status.
    async fn read(&mut self, connection: &mut Box<dyn Connection>) -> anyhow::Result<u16> {
        self.buffer.clear();
        let mut length = None;
        loop {
            let count = connection.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(count > 0, "the server closed a connection");
            if length.is_none() {
                length = answer_length(&self.buffer)?;
            }
            if length.is_some_and(|length| self.buffer.len() >= length) {
                break;
            }
        }
        let status = self.buffer.get(9..12).context("an answer without a status")?;
        Ok(std::str::from_utf8(status)?.parse()?)
    }
}

/// The length of the answer that begins here, once its head is there.
fn answer_length(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let name = b"\r\ncontent-length: ";
    let place = memchr::memmem::find(&bytes[..head], name).context("an answer without a length")?;
    let digits = bytes[place + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    let body = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    Ok(Some(head + 4 + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let head = b"HTTP/1.1 201 Created\r\ncontent-length: 12\r\nx: y\r\n\r\n";
        assert_eq!(answer_length(head).unwrap(), Some(head.len() + 12));
        assert_eq!(answer_length(&head[..30]).unwrap(), None);
        assert!(answer_length(b"HTTP/1.1 201 Created\r\n\r\n").is_err());
    }

    #[test]
    fn percentiles_are_of_all_answers() {
        let outcome = with_latencies(Outcome::default(), (1..=1000).rev().collect());
        assert_eq!((outcome.p50_us, outcome.p99_us, outcome.max_us), (501.0, 991.0, 1000.0));
        assert!(with_latencies(Outcome::default(), Vec::new()).p99_us.is_nan());
    }
}
