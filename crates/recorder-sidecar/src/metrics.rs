//! Counts for Prometheus (text format 0.0.4). Labels are routes, statuses and codes: their number is fixed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use recorder_sidecar_api::problem::Code;

use crate::service::Service;

/// Counts of requests.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By path and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    refusals: BTreeMap<Code, u64>,
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn count(&self, path: &'static str, status: u16, code: Option<Code>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((path, status)).or_default() += 1;
        if let Some(code) = code {
            *counts.refusals.entry(code).or_default() += 1;
        }
    }
}

/// Everything that is counted.
pub(crate) fn render(service: &Service) -> String {
    let mut out = String::new();
    {
        let counts = service.metrics.0.lock().unwrap_or_else(PoisonError::into_inner);
        head(&mut out, "recorder_requests_total", "counter", "Answered requests.");
        for ((path, status), count) in &counts.requests {
            let _ = writeln!(
                out,
                "recorder_requests_total{{path=\"{path}\",status=\"{status}\"}} {count}"
            );
        }
        head(&mut out, "recorder_refusals_total", "counter", "Refused requests by problem code.");
        for (code, count) in &counts.refusals {
            let _ = writeln!(out, "recorder_refusals_total{{code=\"{}\"}} {count}", code.code());
        }
    }
    let observed = service.ingest.observed();
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = read(&observed.commit_micros) as f64 / 1e6;
    let numbers = [
        (
            "recorder_envelopes_total",
            "counter",
            "Recorded envelopes.",
            read(&observed.envelopes) as f64,
        ),
        ("recorder_commits_total", "counter", "Commits.", read(&observed.commits) as f64),
        ("recorder_commit_seconds_total", "counter", "Time that commits took.", seconds),
        (
            "recorder_writer_queue",
            "gauge",
            "Requests that wait for the writer.",
            read(&observed.waiting) as f64,
        ),
        (
            "recorder_admission_queue",
            "gauge",
            "Requests that wait for a place.",
            service.admission.waiting_count() as f64,
        ),
        (
            "recorder_streams_uncovered",
            "gauge",
            "Streams that hold more than their newest checkpoint covers.",
            observed.dirty_count() as f64,
        ),
        (
            "integrity_rpo_seconds",
            "gauge",
            "How long the oldest envelope has waited for a signed checkpoint.",
            observed.uncovered_for().as_secs_f64(),
        ),
        (
            "recorder_writer_latched",
            "gauge",
            "1 when the writer has stopped.",
            f64::from(u8::from(observed.latched.load(Ordering::Acquire))),
        ),
    ];
    for (name, kind, help, value) in numbers {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "{name} {value}");
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
