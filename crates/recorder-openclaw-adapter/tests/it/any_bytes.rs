//! What holds of the adapter on any bytes whatever. The fuzz target `openclaw` is this function.

use recorder_core::identity::StreamId;
use recorder_envelope::adapter::{Policy, RedactionKey, SaltKey};
use recorder_openclaw_adapter::{Settings, map, redactor};

/// Maps one input under both policies: nothing panics, each line is reported once, and strict gives all or nothing.
pub(crate) fn check_bytes(input: &[u8]) {
    let stream = StreamId {
        tenant_id: "default".parse().unwrap(),
        recorder_id: "recorder-cli".parse().unwrap(),
    };
    let salt_key = SaltKey::from_hex(&[b'2'; 64]).unwrap();
    let redactor = redactor(RedactionKey::from_hex(&[b'1'; 64])).unwrap();
    let settings =
        |policy| Settings { policy, stream: &stream, salt_key: &salt_key, redactor: &redactor };
    let ends = input.split(|byte| *byte == b'\n').count() as u64;
    let lines = ends - u64::from(input.is_empty() || input.ends_with(b"\n"));
    let lenient = map(input, &settings(Policy::RecordAnomaly)).unwrap();
    assert_eq!(lenient.received(), lines);
    assert_eq!(lenient.accepted + lenient.rejected + lenient.skipped, lines);
    assert!(lenient.rejected <= lenient.problems.count());
    let records = lenient
        .events
        .iter()
        .filter(|event| !event.envelope.fields.event_type.as_str().starts_with("openclaw.stream."));
    assert_eq!(records.count() as u64, lenient.accepted);
    match map(input, &settings(Policy::StrictFail)) {
        Ok(strict) => assert_eq!(strict, lenient),
        Err(refused) => {
            assert_eq!(refused.received, lines);
            assert_eq!(refused.problems, lenient.problems);
        }
    }
    assert_eq!(map(input, &settings(Policy::RecordAnomaly)).unwrap(), lenient);
}
