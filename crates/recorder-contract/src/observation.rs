//! What operators watch, as data: the metrics, and what the sidecar records of itself.

use recorder_sidecar_api::audit::{Event, TENANT, WINDOW_SECONDS};
use recorder_sidecar_api::metric::Metric;
use serde_json::{Map, Value, json};

/// Every metric: kind, labels, meaning.
pub(crate) fn metrics() -> Value {
    let metrics: Map<String, Value> = Metric::ALL
        .iter()
        .map(|metric| {
            let (kind, labels, help) = (metric.kind().name(), metric.labels(), metric.help());
            (metric.name().to_owned(), json!({ "help": help, "kind": kind, "labels": labels }))
        })
        .collect();
    json!({ "metrics": metrics })
}

/// Every event of the sidecar's own stream: when it is recorded, and what its payload holds.
pub(crate) fn events() -> Value {
    let events: Map<String, Value> = Event::ALL
        .iter()
        .map(|event| {
            let members: Map<String, Value> = event
                .members()
                .iter()
                .map(|(name, purpose)| ((*name).to_owned(), (*purpose).into()))
                .collect();
            let entry = json!({
                "members": members,
                "occasion": event.occasion().name(),
                "summary": event.summary(),
            });
            (event.event_type().to_owned(), entry)
        })
        .collect();
    json!({ "events": events, "tenant_id": TENANT, "window_seconds": WINDOW_SECONDS })
}
