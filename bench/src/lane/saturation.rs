//! How much the HTTP service takes: the offered load rises until receipts come late or requests are refused.
//!
//! Requests are sent when they are due, whether or not the ones before them were answered, so that a service that
//! falls behind is seen to. What it sustains is a number of this machine; the ratio to what its own clients get
//! out of it by waiting for each answer is not.

use serde::Serialize;

use super::Session;
use crate::load::{Load, Outcome, Pace};
use crate::machine::others_now;
use crate::report::Row;
use crate::requests::Traffic;
use crate::server::{self, Server};

/// Connections that requests are spread over: more than are ever busy below the knee.
const CONNECTIONS: u64 = 256;

/// A 99th percentile from which on receipts come late.
const LATE_MS: f64 = 15.0;

/// The share of requests that may be refused, and the share of the offered load that must be answered.
const REFUSED_MAX: f64 = 0.001;
const ANSWERED_MIN: f64 = 0.97;

/// The first load and the steps in which it rises, as shares of what waiting clients get.
const FIRST: f64 = 0.3;
const STEP: f64 = 0.1;
const LAST: f64 = 2.0;

/// How often the place between the last good and the first bad load is halved.
const HALVINGS: usize = 2;

/// What the lane found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Capacity {
    /// Answers a second at the highest load that was good.
    max_sustainable_rps: f64,
    /// The lowest load that was not.
    knee: Option<Step>,
    /// Answers a second that waiting clients get.
    closed_loop_rps: f64,
    steps: Vec<Step>,
}

/// One load and how it went.
#[derive(Clone, Debug, Serialize)]
struct Step {
    offered_rps: f64,
    answered_rps: f64,
    refused_share: f64,
    p50_ms: f64,
    p99_ms: f64,
    bent_by: Option<Bend>,
}

/// What a load that is too much shows in.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bend {
    Refused,
    Late,
    Behind,
}

/// Measures the lane.
pub(crate) fn run(session: &Session) -> anyhow::Result<(Vec<Row>, Capacity)> {
    let slice_ms = if session.quick { 1000 } else { 3000 };
    let others = others_now()?;
    let directory = tempfile::tempdir_in(&session.scratch)?;
    let server = Server::start(&directory.path().join("saturation"), "")?;
    let mut ramp = Ramp { server, slice_ms, seed: 1, steps: Vec::new() };
    let closed = ramp.closed()?;
    let (mut good, mut bad) = (0.0, None);
    let mut share = FIRST;
    while bad.is_none() && share <= LAST {
        match ramp.step(share * closed)? {
            None => good = share,
            Some(_) => bad = Some(share),
        }
        share += STEP;
    }
    for _ in 0..HALVINGS {
        let Some(limit) = bad else { break };
        let middle = (good + limit) / 2.0;
        match ramp.step(middle * closed)? {
            None => good = middle,
            Some(_) => bad = Some(middle),
        }
    }
    let capacity = ramp.capacity(closed);
    let name = "saturation: sustained at a rate, floor: clients that wait";
    let others = others.max(others_now()?);
    let rows = vec![
        Row::others("saturation: processors that others used", others),
        Row::rates(name, "1/s", &[(closed, capacity.max_sustainable_rps)], None),
    ];
    Ok((rows, capacity))
}

struct Ramp {
    server: Server,
    slice_ms: u64,
    seed: u64,
    steps: Vec<Step>,
}

impl Ramp {
    fn run(&mut self, connections: u64, pace: Pace) -> anyhow::Result<Outcome> {
        self.seed += 1;
        let load = self.server.load(Traffic::Record, connections, self.seed);
        server::run(&Load { pace, measured_ms: self.slice_ms, ..load })
    }

    fn closed(&mut self) -> anyhow::Result<f64> {
        Ok(self.run(64, Pace::Closed)?.rate())
    }

    /// Offers a load until two tries agree on it: a disk that stands still for a moment is no limit of the service.
    fn step(&mut self, offered_rps: f64) -> anyhow::Result<Option<Bend>> {
        let mut seen = [false; 2];
        loop {
            let step = self.attempt(offered_rps)?;
            let bent_by = step.bent_by;
            if std::mem::replace(&mut seen[usize::from(bent_by.is_some())], true) {
                self.steps.push(step);
                return Ok(bent_by);
            }
        }
    }

    fn attempt(&mut self, offered_rps: f64) -> anyhow::Result<Step> {
        let outcome = self.run(CONNECTIONS, Pace::Rate(offered_rps))?;
        let refused_share = outcome.refused_count() as f64
            / (outcome.answered + outcome.refused_count()).max(1) as f64;
        let (answered_rps, p99_ms) = (outcome.rate(), outcome.p99_us / 1000.0);
        let bent_by = if refused_share > REFUSED_MAX {
            Some(Bend::Refused)
        } else if p99_ms.is_nan() || p99_ms > LATE_MS {
            Some(Bend::Late)
        } else if answered_rps < ANSWERED_MIN * offered_rps {
            Some(Bend::Behind)
        } else {
            None
        };
        let p50_ms = outcome.p50_us / 1000.0;
        let step = Step { offered_rps, answered_rps, refused_share, p50_ms, p99_ms, bent_by };
        eprintln!(
            "{offered_rps:.0}/s offered: {answered_rps:.0}/s, p99 {p99_ms:.1} ms {bent_by:?}"
        );
        Ok(step)
    }

    fn capacity(self, closed_loop_rps: f64) -> Capacity {
        let (bad, good): (Vec<&Step>, Vec<&Step>) =
            self.steps.iter().partition(|step| step.bent_by.is_some());
        let sustained = good.iter().map(|step| step.answered_rps);
        let max_sustainable_rps = sustained.fold(0.0, f64::max);
        let lowest = |a: &&&Step, b: &&&Step| a.offered_rps.total_cmp(&b.offered_rps);
        let knee = bad.iter().min_by(lowest).map(|step| (*step).clone());
        Capacity { max_sustainable_rps, knee, closed_loop_rps, steps: self.steps }
    }
}
