//! The HTTP service under fixed loads: what recording costs beside parsing, other ways in, and other stores.
//!
//! Floor and candidate take turns in slices of some seconds, in both orders; only ratios of one round are formed.
//! The floor of a recorded request is the same request in the name of another recorder: the same process routes,
//! authenticates, reads and parses it, and answers that it is not for it.
#![expect(clippy::disallowed_methods, reason = "copies a store of its own")]

use std::path::{Path, PathBuf};

use recorder::ids::SystemIds;
use recorder::{Recorder, Submission};

use super::Session;
use crate::clock::monotonic;
use crate::corpus::{self, SEED};
use crate::load::{Load, Outcome, Pace};
use crate::machine::{others_now, resident_memory_kib};
use crate::postgres::Postgres;
use crate::report::{Gate, Row};
use crate::requests::{Spread, Traffic};
use crate::server::{self, Server};
use crate::service::{self, Signing};

/// Connections of those who record one envelope at a time.
const CONNECTIONS: u64 = 64;

/// Connections of those who record many at a time, and how many.
const BATCH_CONNECTIONS: u64 = 16;
const BATCH: u64 = 100;

/// How long, how often and how much.
struct Sizes {
    rounds: usize,
    slice_ms: u64,
    /// Requests before memory is looked at first, and last.
    memory_requests: (u64, u64),
    stored: u64,
    query_ms: u64,
}

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let sizes = if session.quick {
        Sizes {
            rounds: 1,
            slice_ms: 1000,
            memory_requests: (5000, 20_000),
            stored: 20_000,
            query_ms: 2000,
        }
    } else {
        Sizes {
            rounds: 5,
            slice_ms: 2000,
            memory_requests: (10_000, 1_000_000),
            stored: 1_000_000,
            query_ms: 4000,
        }
    };
    let before = others_now()?;
    // Removed at the end alone: what is given back to a disk keeps it from what is measured next.
    let directory = scratch(session)?;
    let mut rows = rounds(directory.path(), &sizes)?;
    let others = before.max(others_now()?);
    rows.insert(0, Row::others("sidecar: processors that others used", others));
    rows.push(memory(directory.path(), &sizes)?);
    rows.push(query(session, directory.path(), &sizes)?);
    Ok(rows)
}

/// One number of each kind for every round.
#[derive(Default)]
struct Rounds {
    parse: Vec<Outcome>,
    tcp: Vec<Outcome>,
    unix: Vec<Outcome>,
    alone: Vec<Outcome>,
    batch: Vec<Outcome>,
    library: Vec<f64>,
    postgres: Vec<f64>,
    paced: Vec<Outcome>,
    scattered: Vec<Outcome>,
}

fn rounds(directory: &Path, sizes: &Sizes) -> anyhow::Result<Vec<Row>> {
    let many = Server::start(&directory.join("many"), "")?;
    let alone = Server::start(&directory.join("alone"), "ingest.batch_max_envelopes = 1\n")?;
    let batches = Server::start(&directory.join("batches"), "")?;
    let scattered = Server::start(&directory.join("scattered"), "")?;
    let mut library = Library::create(directory.join("library.db"))?;
    let postgres = match Postgres::programs() {
        Some(programs) => Some(Postgres::start(programs, &directory.join("postgres"))?),
        None => None,
    };
    let mut rounds = Rounds::default();
    let payload = String::from_utf8(corpus::request(SEED, 0).payload)?;
    for round in 0..sizes.rounds as u64 {
        let seed = 10 * (round + 1);
        let slice = |load: Load| -> anyhow::Result<Outcome> {
            let outcome = server::run(&Load { measured_ms: sizes.slice_ms, ..load })?;
            anyhow::ensure!(outcome.refused_count() == 0, "refused: {:?}", outcome.refused);
            anyhow::ensure!(outcome.answered > 0, "nothing was answered");
            Ok(outcome)
        };
        let record = |seed| many.load(Traffic::Record, CONNECTIONS, seed);
        let parse = || slice(many.load(Traffic::Parse, CONNECTIONS, seed));
        let tcp = || slice(record(seed + 1));
        let unix = || slice(Load { target: many.unix(), ..record(seed + 2) });
        // Whatever changes slowly meets each of them early and late.
        let (parsed, recorded, by_unix) = match round % 2 {
            0 => (parse()?, tcp()?, unix()?),
            _ => {
                let by_unix = unix()?;
                let recorded = tcp()?;
                (parse()?, recorded, by_unix)
            }
        };
        let rate = 0.7 * recorded.rate();
        rounds.parse.push(parsed);
        rounds.tcp.push(recorded);
        rounds.unix.push(by_unix);
        rounds.alone.push(slice(alone.load(Traffic::Record, CONNECTIONS, seed + 3))?);
        rounds.library.push(library.rate(sizes.slice_ms)?);
        rounds.batch.push(slice(batches.load(Traffic::Batch(BATCH), BATCH_CONNECTIONS, seed + 4))?);
        if let Some(postgres) = &postgres {
            let seconds = sizes.slice_ms.div_ceil(1000);
            rounds.postgres.push(postgres.rate(CONNECTIONS, seconds, &payload)?);
        }
        rounds.paced.push(slice(Load { pace: Pace::Rate(rate), ..record(seed + 5) })?);
        let load = scattered.load(Traffic::Record, CONNECTIONS, seed + 6);
        rounds.scattered.push(slice(Load { spread: Spread::Scattered, ..load })?);
    }
    Ok(rounds.rows())
}

impl Rounds {
    fn rows(&self) -> Vec<Row> {
        let rates = |outcomes: &[Outcome]| outcomes.iter().map(Outcome::rate).collect::<Vec<_>>();
        let costs =
            |outcomes: &[Outcome]| outcomes.iter().map(Outcome::server_us_each).collect::<Vec<_>>();
        let pairs = |floor: &[f64], candidate: &[f64]| {
            floor.iter().copied().zip(candidate.iter().copied()).collect::<Vec<_>>()
        };
        let (parse, tcp) = (rates(&self.parse), rates(&self.tcp));
        let batch =
            self.batch.iter().map(|outcome| outcome.rate() * BATCH as f64).collect::<Vec<_>>();
        let mut rows = vec![
            Row::rates(
                "sidecar: recorded, floor: parsed",
                "1/s",
                &pairs(&parse, &tcp),
                Some(Gate::AtLeast(0.5)),
            ),
            Row::costs(
                "sidecar: server time, recorded over parsed",
                "us each",
                &pairs(&costs(&self.parse), &costs(&self.tcp)),
                Some(Gate::AtMost(2.2)),
            ),
            Row::rates(
                "sidecar: Unix socket, floor: TCP",
                "1/s",
                &pairs(&tcp, &rates(&self.unix)),
                Some(Gate::AtLeast(1.1)),
            ),
            Row::rates(
                "sidecar: commits of many, floor: commits of one",
                "1/s",
                &pairs(&rates(&self.alone), &tcp),
                Some(Gate::AtLeast(7.0)),
            ),
            Row::rates(
                "sidecar: batches of 100, floor: append_batch of 100",
                "1/s",
                &pairs(&self.library, &batch),
                Some(Gate::AtLeast(0.6)),
            ),
            Row::number(
                "sidecar: p99 of receipts at 70 % of the maximum",
                "ms",
                middle(self.paced.iter().map(|outcome| outcome.p99_us / 1000.0)),
                None,
                Some(Gate::AtMost(15.0)),
            ),
        ];
        let scattered = pairs(&tcp, &rates(&self.scattered));
        rows.push(Row::rates(
            "sidecar: scattered load, floor: ordered load",
            "1/s",
            &scattered,
            None,
        ));
        let name = "sidecar: 64 clients, floor: PostgreSQL";
        rows.push(match self.postgres.is_empty() {
            true => {
                eprintln!("PostgreSQL is not installed: nothing to compare with");
                Row::number(name, "1/s", f64::NAN, None, Some(Gate::AtLeast(2.5))).unjudged()
            }
            false => {
                Row::rates(name, "1/s", &pairs(&self.postgres, &tcp), Some(Gate::AtLeast(2.5)))
            }
        });
        rows
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    crate::pairs::Spread::of(values).median
}

fn scratch(session: &Session) -> anyhow::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir_in(&session.scratch)?;
    // PostgreSQL runs as a user of its own and has to get to its part of it.
    let mode = rustix::fs::Mode::from_raw_mode(0o755);
    rustix::fs::chmod(directory.path(), mode)?;
    Ok(directory)
}

/// The same engine in this process, which gets prepared envelopes.
struct Library {
    recorder: Recorder,
    next_index: u64,
}

impl Library {
    fn create(path: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { recorder: service::create(&path, Signing::Checkpoints)?, next_index: 0 })
    }

    /// Envelopes a second, appended a hundred at a time; their preparation is not timed.
    fn rate(&mut self, slice_ms: u64) -> anyhow::Result<f64> {
        let tenant = service::tenant()?;
        let (mut count, mut seconds) = (0, 0.0);
        while seconds * 1000.0 < slice_ms as f64 {
            let mut batches = Vec::new();
            for _ in 0..20 {
                let next = self.next_index..self.next_index + BATCH;
                self.next_index = next.end;
                let bodies =
                    next.map(|index| corpus::request(SEED, index).body).collect::<Vec<_>>();
                batches.push(service::prepare_batch(&bodies, &SystemIds)?);
            }
            let before = monotonic();
            for batch in batches {
                let batch: Vec<Submission> = batch;
                count += self.recorder.append_batch(&tenant, batch)?.len();
            }
            seconds += (monotonic() - before).as_secs_f64();
        }
        Ok(count as f64 / seconds)
    }
}

/// Memory of the server after many requests over that after a few.
fn memory(directory: &Path, sizes: &Sizes) -> anyhow::Result<Row> {
    let server = Server::start(&directory.join("memory"), "")?;
    let (few, many) = sizes.memory_requests;
    let held_after = |requests: u64, seed| -> anyhow::Result<f64> {
        let load = server.load(Traffic::Record, CONNECTIONS, seed);
        let measured_ms = 600_000;
        let outcome =
            server::run(&Load { requests_max: Some(requests), warmup_ms: 0, measured_ms, ..load })?;
        anyhow::ensure!(outcome.answered == requests, "{outcome:?}");
        Ok(resident_memory_kib(server.pid())? as f64 / 1024.0)
    };
    let small = held_after(few, 1)?;
    let large = held_after(many - few, 2)?;
    let name = "sidecar: memory after many requests over that after a few";
    Ok(Row::costs(name, "MiB", &[(small, large)], Some(Gate::AtMost(1.2))))
}

/// How long a query by trace takes in a large store that is written to.
fn query(session: &Session, directory: &Path, sizes: &Sizes) -> anyhow::Result<Row> {
    let place = directory.join("query");
    std::fs::create_dir_all(&place)?;
    let database = place.join("recorder.db");
    std::fs::copy(session.data.store(Signing::Checkpoints, sizes.stored)?, &database)?;
    // Or the first commit of the service would wait until all of the copy is on the disk.
    std::fs::File::open(&database)?.sync_all()?;
    let server = Server::start(&place, "")?;
    let mut rounds = Vec::new();
    for round in 0..sizes.rounds as u64 {
        let seed = 2 * round + 1;
        let writes = server.load(Traffic::Record, 16, seed);
        let measured_ms = sizes.query_ms + 2000;
        let writes = server::start(&Load { measured_ms, pace: Pace::Rate(4000.0), ..writes })?;
        let queries = server.load(Traffic::Query(sizes.stored), 4, seed + 1);
        let (pace, measured_ms) = (Pace::Rate(500.0), sizes.query_ms);
        let found = server::run(&Load { measured_ms, pace, warmup_ms: 1000, ..queries })?;
        let written = writes.finish()?;
        let refused = found.refused_count() + written.refused_count();
        anyhow::ensure!(refused == 0, "{found:?} {written:?}");
        let (asked, wrote) = (found.rate(), written.rate());
        let p99_ms = found.p99_us / 1000.0;
        eprintln!("{asked:.0} queries/s beside {wrote:.0} envelopes/s: p99 {p99_ms:.1} ms");
        rounds.push(p99_ms);
    }
    let name = "sidecar: p99 of a query by trace while envelopes come in";
    Ok(Row::number(name, "ms", middle(rounds.into_iter()), None, Some(Gate::AtMost(10.0))))
}
