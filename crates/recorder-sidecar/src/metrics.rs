//! Counts for Prometheus (text format 0.0.4), in atomics only: to count waits for nobody.
//!
//! Everything of `recorder_sidecar_api::metric` is given and nothing else. Counters whose labels are codes, events or
//! credentials are there from the start; of routes and statuses those that were answered.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use recorder::clock::{Clock as _, SystemClock};
use recorder_core::time::RecordedAt;
use recorder_sidecar_api::audit::Event;
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::metric::Metric;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::{Access, Operation};
use tokio::time::Instant;

use crate::audit::Credential;
use crate::service::Service;

/// The route under which requests are counted that ask for nothing that is served.
pub(crate) const NO_ROUTE: &str = "none";

/// Statuses that are no problem's.
const SUCCESSES: [u16; 3] = [200, 201, 202];

/// Upper bounds of times, in microseconds.
pub(crate) const MICROS_BOUNDS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// Upper bounds of envelopes that are committed together.
pub(crate) const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/// Values counted up to bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub(crate) fn observe(&self, value: u64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        self.counts[index].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts the microseconds since `began`.
    pub(crate) fn observe_since(&self, began: Instant) {
        self.observe(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
}

/// Kinds of routes whose times are comparable.
#[derive(Clone, Copy, Debug)]
enum Class {
    Probe,
    Record,
    Bundle,
    Read,
    None,
}

impl Class {
    const ALL: [Self; 5] = [Self::Probe, Self::Record, Self::Bundle, Self::Read, Self::None];

    fn of(operation: Option<Operation>) -> Self {
        let Some(operation) = operation else { return Self::None };
        let route = operation.route();
        match (route.access, route.is_mutating) {
            (Access::Probe, _) => Self::Probe,
            (_, true) => Self::Record,
            _ if route.takes.contains(&Media::Zip) || route.gives.contains(&Media::Zip) => {
                Self::Bundle
            }
            _ => Self::Read,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Record => "record",
            Self::Bundle => "bundle",
            Self::Read => "read",
            Self::None => NO_ROUTE,
        }
    }
}

/// Counts of requests.
#[derive(Debug)]
pub(crate) struct Metrics {
    started_at: RecordedAt,
    /// Sorted; what is counted under a status that is not here is counted under the first that is greater.
    statuses: Vec<u16>,
    /// By route and status.
    requests: Box<[AtomicU64]>,
    refusals: Box<[AtomicU64]>,
    durations: [Histogram; Class::ALL.len()],
}

fn zeroes(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let problems = Code::ALL.iter().map(|code| code.status());
        let mut statuses: Vec<u16> = SUCCESSES.into_iter().chain(problems).collect();
        statuses.sort_unstable();
        statuses.dedup();
        Self {
            started_at: SystemClock.now(),
            requests: zeroes((Operation::ALL.len() + 1) * statuses.len()),
            statuses,
            refusals: zeroes(Code::ALL.len()),
            durations: Class::ALL.map(|_| Histogram::new(MICROS_BOUNDS)),
        }
    }

    /// Counts an answer to a request whose head came at `began`.
    pub(crate) fn count(
        &self,
        operation: Option<Operation>,
        status: u16,
        code: Option<Code>,
        began: Instant,
    ) {
        let route = operation.map_or(Operation::ALL.len(), |operation| operation as usize);
        let place = self.statuses.partition_point(|known| *known < status);
        let place = place.min(self.statuses.len() - 1);
        self.requests[route * self.statuses.len() + place].fetch_add(1, Ordering::Relaxed);
        if let Some(code) = code {
            self.refusals[code as usize].fetch_add(1, Ordering::Relaxed);
        }
        self.durations[Class::of(operation) as usize].observe_since(began);
    }
}

/// Everything that is counted.
pub(crate) fn render(service: &Service) -> String {
    let mut page = Page::default();
    for metric in Metric::ALL {
        page.begin(*metric);
        write(service, *metric, &mut page);
    }
    page.text
}

fn write(service: &Service, metric: Metric, page: &mut Page) {
    let limits = service.config.limits();
    let (observed, admission) = (service.ingest.observed(), &service.admission);
    let audit = service.audit.counts();
    match metric {
        Metric::BuildInfo => page.sample(&[env!("CARGO_PKG_VERSION")], 1),
        Metric::DurabilityInfo => page.sample(&[service.recorder.store().durability()], 1),
        Metric::StartTime => page.sample(&[], seconds(service.metrics.started_at)),
        Metric::Requests => write_requests(&service.metrics, page),
        Metric::Refusals => {
            for (code, count) in Code::ALL.iter().zip(&service.metrics.refusals) {
                page.sample(&[code.code()], count.load(Ordering::Relaxed));
            }
        }
        Metric::RequestDuration => {
            for (class, histogram) in Class::ALL.iter().zip(&service.metrics.durations) {
                page.histogram(&[class.name()], histogram, 1e6);
            }
        }
        Metric::RequestsInFlight => page.sample(&[], limits.max_in_flight - admission.free_count()),
        Metric::RequestsInFlightMax => page.sample(&[], limits.max_in_flight),
        Metric::RequestsWaiting => page.sample(&[], admission.waiting_count()),
        Metric::RequestsWaitingMax => page.sample(&[], limits.max_queued_requests),
        Metric::BodyBytesHeld => page.sample(&[], admission.held_bytes().0),
        Metric::BodyBytesHeldMax => page.sample(&[], admission.held_bytes().1),
        Metric::WriterQueue => page.sample(&[], observed.waiting.load(Ordering::Relaxed)),
        Metric::WriterQueueCapacity => page.sample(&[], service.config.ingest().queue_capacity),
        Metric::WriterLatched => {
            page.sample(&[], u8::from(observed.latched.load(Ordering::Acquire)));
        }
        Metric::Envelopes => page.sample(&[], observed.envelopes.load(Ordering::Relaxed)),
        Metric::BatchEnvelopes => page.histogram(&[], &observed.batch_envelopes, 1.0),
        Metric::CommitDuration => page.histogram(&[], &observed.commit_micros, 1e6),
        Metric::UncoveredStreams => page.sample(&[], observed.lag().streams),
        Metric::UncoveredEnvelopes => page.sample(&[], observed.lag().envelopes),
        Metric::IntegrityRpo => page.sample(&[], observed.lag().oldest.as_secs_f64()),
        Metric::AuthFailures => {
            for credential in Credential::ALL {
                page.sample(&[credential.name()], audit.failures(credential));
            }
        }
        Metric::AuditEnvelopes => {
            for event in Event::ALL {
                page.sample(&[event.event_type()], audit.envelopes(*event));
            }
        }
        Metric::AuditUnattributed => page.sample(&[], audit.unattributed.load(Ordering::Relaxed)),
        Metric::AuditUnrecorded => page.sample(&[], audit.unrecorded()),
        Metric::AuditErrors => page.sample(&[], audit.errors.load(Ordering::Relaxed)),
    }
}

fn write_requests(metrics: &Metrics, page: &mut Page) {
    let routes = Operation::ALL.iter().map(|operation| operation.route().path).chain([NO_ROUTE]);
    for (route, counts) in routes.zip(metrics.requests.chunks(metrics.statuses.len())) {
        for (status, count) in metrics.statuses.iter().zip(counts) {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => page.sample(&[route, &status.to_string()], count),
            }
        }
    }
}

fn seconds(moment: RecordedAt) -> f64 {
    moment.nanoseconds() as f64 / 1e9
}

/// The text, as it grows.
#[derive(Default)]
struct Page {
    text: String,
    metric: Option<Metric>,
}

impl Page {
    fn begin(&mut self, metric: Metric) {
        let (name, kind) = (metric.name(), metric.kind().name());
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help());
        self.metric = Some(metric);
    }

    /// One sample with the values of its labels.
    fn sample(&mut self, values: &[&str], value: impl std::fmt::Display) {
        self.line("", values, None, value);
    }

    /// A histogram; the sum and the bounds are divided by `unit`.
    fn histogram(&mut self, values: &[&str], histogram: &Histogram, unit: f64) {
        let mut count = 0;
        let bounds = histogram.bounds.iter().map(|bound| (*bound as f64 / unit).to_string());
        let bounds = bounds.chain(["+Inf".to_owned()]);
        for (bound, counted) in bounds.zip(&histogram.counts) {
            count += counted.load(Ordering::Relaxed);
            self.line("_bucket", values, Some(&bound), count);
        }
        self.line("_sum", values, None, histogram.sum.load(Ordering::Relaxed) as f64 / unit);
        self.line("_count", values, None, count);
    }

    fn line(
        &mut self,
        suffix: &str,
        values: &[&str],
        bound: Option<&str>,
        value: impl std::fmt::Display,
    ) {
        let Some(metric) = self.metric else { return };
        let names = metric.labels().iter().copied().chain(bound.map(|_| "le"));
        let labels = names.zip(values.iter().copied().chain(bound));
        let labels: Vec<String> =
            labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", metric.name());
    }
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_under_the_first_bound_that_is_not_less() {
        let histogram = Histogram::new(&[1, 2, 4]);
        for value in [0, 1, 2, 3, 4, 5, 100] {
            histogram.observe(value);
        }
        let mut page = Page::default();
        page.begin(Metric::BatchEnvelopes);
        page.histogram(&[], &histogram, 1.0);
        let samples: Vec<&str> = page.text.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "recorder_batch_envelopes_bucket{le=\"1\"} 2",
                "recorder_batch_envelopes_bucket{le=\"2\"} 3",
                "recorder_batch_envelopes_bucket{le=\"4\"} 5",
                "recorder_batch_envelopes_bucket{le=\"+Inf\"} 7",
                "recorder_batch_envelopes_sum 115",
                "recorder_batch_envelopes_count 7",
            ]
        );
    }

    #[test]
    fn values_of_labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }

    #[test]
    fn every_status_of_the_contract_is_counted_under_itself() {
        let metrics = Metrics::new();
        for status in Code::ALL.iter().map(|code| code.status()).chain(SUCCESSES) {
            assert!(metrics.statuses.binary_search(&status).is_ok(), "{status}");
        }
    }
}
