//! What holds of the adapter on any bytes whatever. The fuzz target `decision_gate` is this function.

use recorder_core::identity::{ActorId, RecorderId, StreamId, TenantId};
use recorder_decision_gate_adapter::{Input, Runpack, Settings, map, redactor};
use recorder_envelope::adapter::{Outcome, Policy, RedactionKey, Refused, SaltKey};

/// Maps `input` as a document, and as a manifest beside an artifact: no panic, the same twice, and every record counted.
pub(crate) fn check_bytes(input: &[u8]) {
    let as_document = || Input { document: Some(input), runpack: None };
    check(&as_document);
    let half = input.len() / 2;
    let files = [("artifacts/triggers.json", 0), ("artifacts/tool_calls.json", half)];
    let files = files.map(|(path, from)| (path.to_owned(), input[from..].into()));
    let runpack = Runpack { manifest: Some(input.into()), files: files.into() };
    check(&|| Input { document: Some(b"[]"), runpack: Some(runpack.clone()) });
}

fn check<'a>(input: &dyn Fn() -> Input<'a>) {
    let strict = mapped(input(), Policy::StrictFail);
    assert_eq!(strict, mapped(input(), Policy::StrictFail));
    match (strict, mapped(input(), Policy::RecordAnomaly)) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict, lenient);
            assert_eq!((strict.rejected, strict.problems.count()), (0, 0));
            assert_eq!(strict.events.len() as u64, strict.accepted);
        }
        (Err(strict), Ok(lenient)) => {
            assert_eq!(strict.problems, lenient.problems);
            assert_eq!(strict.received, lenient.received());
            assert!(strict.problems.count() > 0 && lenient.rejected <= strict.problems.count());
        }
        (Err(strict), Err(lenient)) => assert_eq!(strict, lenient),
        (Ok(_), Err(refused)) => assert_eq!(refused.received, 0, "only the lenient policy refuses"),
    }
}

fn mapped(input: Input<'_>, policy: Policy) -> Result<Outcome, Refused> {
    let stream = StreamId {
        tenant_id: TenantId::new("acme").unwrap(),
        recorder_id: RecorderId::new("recorder-1").unwrap(),
    };
    let salt_key = SaltKey::from_hex(&[b'1'; 64]).unwrap();
    let redactor = redactor(RedactionKey::from_hex(&[b'2'; 64])).unwrap();
    let client = ActorId::new("client").unwrap();
    let (stream, salt_key, redactor) = (&stream, &salt_key, &redactor);
    map(input, &Settings { policy, stream, salt_key, redactor, client, others_may_call: false })
}
