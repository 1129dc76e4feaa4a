//! OpenTelemetry to unsealed envelopes, redaction included, against the least that reading the same bytes can cost.
//!
//! Measured is `Adapter::map`: from the inflated body of a request to envelopes with ids, salts and canonical payloads, and
//! giving their memory back. The floor looks at every byte and keeps nothing. Not measured, on either side: inflating, and
//! what every envelope costs afterwards whatever it came from, its commitment and content hash.

use std::hint::black_box;

use anyhow::Context as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use recorder_core::identity::{ActorId, EnvironmentId};
use recorder_envelope::adapter::{Policy, RedactionKey, SaltKey};
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_otel_adapter::{Adapter, Bounds, Door, Encoding, LogBody, Settings, redaction_policy};
use serde::de::IgnoredAny;

use super::Session;
use crate::clock::Processor;
use crate::corpus::SEED;
use crate::pairs::{Pairs, Repeat, compare};
use crate::report::{Gate, Row};
use crate::service;
use crate::telemetry::{self, SPANS};

/// Different bodies that take turns.
const BODIES: u64 = 4;

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let bodies = (0..BODIES).map(|index| telemetry::bodies(SEED + index)).collect::<Vec<_>>();
    let adapter = adapter()?;
    let json = bodies.iter().map(|body| body.json.as_slice()).collect::<Vec<_>>();
    let protobuf = bodies.iter().map(|body| body.protobuf.as_slice()).collect::<Vec<_>>();
    let parse = |body: &[u8]| {
        black_box(serde_json::from_slice::<IgnoredAny>(body)?);
        Ok(())
    };
    let decode = |body: &[u8]| {
        black_box(ExportTraceServiceRequest::decode(body)?);
        Ok(())
    };
    Ok(vec![
        lane(
            session,
            "OTLP/JSON mapped, floor: serde_json IgnoredAny",
            &json,
            parse,
            Gate::AtLeast(0.35),
            |body| map(&adapter, body, Encoding::Json),
        )?,
        lane(
            session,
            "OTLP/protobuf mapped, floor: a prost decode",
            &protobuf,
            decode,
            Gate::AtLeast(0.3),
            |body| map(&adapter, body, Encoding::Protobuf),
        )?,
    ])
}

fn lane(
    session: &Session,
    name: &'static str,
    bodies: &[&[u8]],
    floor: impl Fn(&[u8]) -> anyhow::Result<()>,
    gate: Gate,
    candidate: impl Fn(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Row> {
    let mut floor = Repeat(|| bodies.iter().try_for_each(|body| floor(body)));
    let mut candidate = Repeat(|| bodies.iter().try_for_each(|body| candidate(body)));
    let pairs = Pairs { counted: if session.quick { 12 } else { 60 }, dropped: 2 };
    let measured = compare(pairs, Processor::Thread, &mut floor, &mut candidate)?;
    Ok(Row::compared(name, &measured, (BODIES * SPANS) as f64, Some(gate)))
}

fn map(adapter: &Adapter, body: &[u8], encoding: Encoding) -> anyhow::Result<()> {
    let outcome = adapter.map(body, encoding, Door::Traces)?;
    anyhow::ensure!(outcome.accepted == SPANS, "a span of the corpus is refused");
    black_box(outcome);
    Ok(())
}

fn adapter() -> anyhow::Result<Adapter> {
    let key = RedactionKey::from_hex(&[b'2'; 64]).context("a key of 64 digits")?;
    Ok(Adapter::new(Settings {
        stream: service::stream()?,
        actor_id: ActorId::new("otel:unknown")?,
        environment_id: EnvironmentId::new("bench")?,
        salt_key: SaltKey::from_hex(&[b'1'; 64]).context("a key of 64 digits")?,
        redactor: Redactor::new(redaction_policy()?, RedactionBounds::DEFAULT, Some(key)),
        log_body: LogBody::Digest,
        policy: Policy::StrictFail,
        bounds: Bounds::default(),
    })?)
}
