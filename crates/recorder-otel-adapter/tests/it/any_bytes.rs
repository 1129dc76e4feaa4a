//! What holds of the adapter on any bytes whatever. The fuzz targets `otlp_json` and `otlp_protobuf` are these functions.

use recorder_core::identity::{ActorId, EnvironmentId, RecorderId, StreamId, TenantId};
use recorder_envelope::adapter::{Outcome, Policy, SaltKey};
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_otel_adapter::{
    Adapter, Bounds, Door, Encoding, LogBody, Refusal, Settings, redaction_policy,
};

/// Maps `input` as JSON: see [`check_encoding`].
pub(crate) fn check_json(input: &[u8]) {
    check_encoding(input, Encoding::Json);
}

/// Maps `input` as protobuf: see [`check_encoding`].
pub(crate) fn check_protobuf(input: &[u8]) {
    check_encoding(input, Encoding::Protobuf);
}

/// Maps `input` under both policies and through every door: no panic, counts that add up, payloads that every reader takes,
/// and strictness that stores nothing of what is not whole.
fn check_encoding(input: &[u8], encoding: Encoding) {
    let (lenient, strict) = (adapter(Policy::RecordAnomaly), adapter(Policy::StrictFail));
    for door in [Door::Ingest, Door::Traces, Door::Logs] {
        let stored = lenient.map(input, encoding, door);
        assert_eq!(
            stored,
            lenient.map(input, encoding, door),
            "the same input gave something else"
        );
        match (stored, strict.map(input, encoding, door)) {
            (Ok(stored), Ok(strict)) => {
                assert_eq!(stored.problems.count(), 0);
                assert_eq!(stored.events, strict.events);
                check_outcome(&stored);
            }
            (Ok(stored), Err(Refusal::Records(refused))) => {
                assert!(stored.problems.count() > 0);
                assert_eq!(stored.problems, refused.problems);
                assert_eq!(stored.received(), refused.received);
                check_outcome(&stored);
            }
            (Err(lenient), Err(strict)) => assert_eq!(lenient, strict),
            (lenient, strict) => panic!("{lenient:?} and {strict:?}"),
        }
    }
}

fn check_outcome(outcome: &Outcome) {
    assert_eq!(outcome.events.len() as u64, outcome.accepted + outcome.problems.count());
    let mut ids = Vec::new();
    for event in &outcome.events {
        let payload = event.envelope.payload.payload.as_bytes();
        assert_eq!(CanonicalPayload::from_canonical(payload).unwrap().as_bytes(), payload);
        ids.push(event.envelope.fields.envelope_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), outcome.events.len());
}

fn adapter(policy: Policy) -> Adapter {
    let name = "fuzz";
    Adapter::new(Settings {
        stream: StreamId {
            tenant_id: TenantId::new(name).unwrap(),
            recorder_id: RecorderId::new(name).unwrap(),
        },
        actor_id: ActorId::new(name).unwrap(),
        environment_id: EnvironmentId::new(name).unwrap(),
        salt_key: SaltKey::from_hex(&[b'1'; 64]).unwrap(),
        redactor: Redactor::new(redaction_policy().unwrap(), RedactionBounds::DEFAULT, None),
        log_body: LogBody::Redact,
        policy,
        bounds: Bounds { record_bytes_max: 4096, string_bytes_max: 64, ..Bounds::default() },
    })
    .unwrap()
}
