//! OpenTelemetry traces and logs as evidence: OTLP/JSON and OTLP/protobuf to unsealed envelopes and anomalies.
//!
//! A pure function: the same body gives the same ids, times, salts and payloads, so that a retry is a replay and an auditor
//! can redo the mapping. Secrets are taken out before anything is hashed. One record that is wrong costs no other.
//!
//! Deliberately absent: a clock, a store, randomness, HTTP, and metrics.

mod adapter;
mod assemble;
mod bounds;
mod contract;
mod door;
mod draft;
mod fault;
mod given;
mod group;
mod inflate;
mod json;
mod keys;
mod names;
mod note;
pub mod otlp;
mod pages;
mod protobuf;
mod record;
mod refusal;
mod render;
mod screen;
mod settings;
mod signal;

pub use adapter::Adapter;
pub use bounds::Bounds;
pub use contract::{Contract, contract};
pub use door::{Door, Encoding};
pub use fault::FaultCode;
pub use inflate::Coding;
pub use names::ANOMALY_EVENT_TYPE;
pub use refusal::Refusal;
pub use settings::{LogBody, REDACTION_POLICY, Settings, redaction_policy};
pub use signal::Signal;

/// The adapter's name, as payloads give it.
pub const ADAPTER_ID: &str = "otel";

/// The version of the mapping: any change of any byte that it gives is another version.
pub const MAPPING_VERSION: &str = "recorder_otel_v3";
