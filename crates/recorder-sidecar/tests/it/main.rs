//! The `recorder-sidecar` binary as its clients meet it: real processes, real sockets, real signals.
#![cfg(test)]
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests set up files and read the time")]

mod audit;
mod bodies;
mod client;
mod clock;
mod crowd;
mod exporters;
mod faults;
mod framing;
mod governed;
mod keys;
mod lifecycle;
mod logs;
mod metrics;
mod otel;
mod overload;
mod page;
mod plane;
mod plane_page;
mod reading;
mod recording;
mod rules;
mod sidecar;
mod storage;
mod supervision;
mod targets;
mod tls;
#[path = "../../../recorder-otel-adapter/tests/it/tools.rs"]
mod tools;
