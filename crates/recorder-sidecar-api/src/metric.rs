//! Every metric, once: name, kind, labels, meaning. Names are those of the Prometheus text format, units the base ones.
//!
//! The values of labels are few and known beforehand: nothing that a sender chooses becomes one.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Counts of values up to bounds, their sum and their number.
    Histogram,
}

impl Kind {
    /// As it stands after `# TYPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($variant:ident = $name:literal $kind:ident $labels:expr, $help:literal;)+) => {
        /// A metric of the sidecar.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Metric {
            $(#[doc = $help] $variant,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are given.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How it behaves.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The names of its labels, without the `le` of histograms.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => $labels,)+ }
            }

            /// What it counts.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
}

metrics! {
    BuildInfo = "recorder_build_info" Gauge &["version"], "1, with the program's version.";
    DurabilityInfo = "recorder_durability_info" Gauge &["durability"], "1, with what a receipt promises.";
    StartTime = "process_start_time_seconds" Gauge &[], "When the process started, in seconds since 1970.";
    Requests = "recorder_requests_total" Counter &["route", "status"], "Answered requests; route none is whatever is not served.";
    Refusals = "recorder_refusals_total" Counter &["code"], "Refused requests by problem code.";
    RequestDuration = "recorder_request_duration_seconds" Histogram &["class"], "Time from the head of a request to its answer, by kind of route.";
    RequestsInFlight = "recorder_requests_in_flight" Gauge &[], "Requests that are worked on.";
    RequestsInFlightMax = "recorder_requests_in_flight_max" Gauge &[], "How many may be: limits.max_in_flight.";
    RequestsWaiting = "recorder_requests_waiting" Gauge &[], "Requests that wait for a place.";
    RequestsWaitingMax = "recorder_requests_waiting_max" Gauge &[], "How many may: limits.max_queued_requests.";
    BodyBytesHeld = "recorder_body_bytes_held" Gauge &[], "Bytes of bodies in memory.";
    BodyBytesHeldMax = "recorder_body_bytes_held_max" Gauge &[], "How many may be.";
    WriterQueue = "recorder_writer_queue_requests" Gauge &[], "Requests that wait for the writer.";
    WriterQueueCapacity = "recorder_writer_queue_capacity_requests" Gauge &[], "How many may: ingest.queue_capacity.";
    WriterLatched = "recorder_writer_latched" Gauge &[], "1 when the writer has stopped for good.";
    Envelopes = "recorder_envelopes_total" Counter &[], "Envelopes that were recorded for clients.";
    BatchEnvelopes = "recorder_batch_envelopes" Histogram &[], "Envelopes that were committed together.";
    CommitDuration = "recorder_commit_duration_seconds" Histogram &[], "Time that commits took.";
    UncoveredStreams = "recorder_uncovered_streams" Gauge &[], "Streams that hold more than their newest checkpoint covers.";
    UncoveredEnvelopes = "recorder_uncovered_envelopes" Gauge &[], "The checkpoint lag: envelopes that no checkpoint covers.";
    IntegrityRpo = "integrity_rpo_seconds" Gauge &[], "How old the oldest envelope is that no checkpoint covers; 0 when there is none.";
    AuthFailures = "recorder_auth_failures_total" Counter &["credential"], "Requests without a valid token.";
    AuditEnvelopes = "recorder_audit_envelopes_total" Counter &["event"], "Envelopes in the stream of the tenant system.";
    AuditUnattributed = "recorder_audit_unattributed_total" Counter &[], "Requests without a valid token whose senders no envelope names, since they were too many.";
    AuditUnrecorded = "recorder_audit_unrecorded" Gauge &[], "Requests without a valid token that are in no envelope yet.";
    AuditErrors = "recorder_audit_errors_total" Counter &[], "Attempts to record in the stream of the tenant system that failed.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_say_unit_and_kind() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let (name, kind) = (metric.name(), metric.kind());
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(
                !name.ends_with("_count") && !name.ends_with("_sum") && !name.ends_with("_bucket")
            );
            assert!(!name.contains("_ms") && !name.contains("micros"), "{name}");
            assert!(!metric.labels().contains(&"le"));
        }
    }

    #[test]
    fn help_needs_no_escapes() {
        for metric in Metric::ALL {
            let help = metric.help();
            assert!(help.ends_with('.') && !help.contains(['\\', '\n', '|']), "{help}");
        }
    }
}
