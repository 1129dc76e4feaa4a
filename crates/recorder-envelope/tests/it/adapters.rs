//! The port of adapters: derived ids and salts, policies, and counts that add up.

use proptest::prelude::*;
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{Anomaly, EnvelopeIds, Event, Intake, Policy, SaltKey};
use recorder_envelope::envelope::{PayloadSalt, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::CanonicalPayload;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::samples::{fields, hex, stream};
use crate::vector_file;

const ABOUT: &str = "Ids and salts that adapters derive. preimage: the text whose SHA-256 gives the last 74 bits. salt: under the salt key 22 (32 times).";

fn time(text: &str) -> UtcTimestamp {
    text.parse().unwrap()
}

fn derive(stream: &StreamId, adapter: &str, version: &str, at: &str, key: &str) -> EnvelopeId {
    let mut ids = EnvelopeIds::new(&adapter.parse().unwrap(), version, stream);
    ids.derive(time(at), |object| {
        object.string("record", key);
    })
}

#[test]
fn ids_and_salts_are_those_of_the_vectors() {
    let other = StreamId {
        tenant_id: "tenant \"b\"".parse().unwrap(),
        recorder_id: "Zoë".parse().unwrap(),
    };
    let salt_key = SaltKey::from_hex(&[b'2'; 64]).unwrap();
    let mut cases = Vec::new();
    for (stream, version, at, key) in [
        (stream(), "example_v1", "2026-11-22T00:14:12.5Z", "1"),
        (stream(), "example_v1", "2026-11-22T00:14:12.500999999Z", "1"),
        (stream(), "example_v1", "2026-11-22T00:14:12.5Z", "2"),
        (stream(), "example_v2", "2026-11-22T00:14:12.5Z", "1"),
        (other, "example_v1", "2026-11-22T00:14:12.5Z", "\u{e9}\n"),
        (stream(), "example_v1", "1970-01-01T00:00:00Z", ""),
        (stream(), "example_v1", "2554-07-21T23:34:33.709551615Z", "1"),
        (stream(), "example_v1", "9999-12-31T23:59:59.999999999Z", "1"),
    ] {
        let id = derive(&stream, "example-adapter", version, at, key);
        // The preimage by another way than the code's.
        let object = json!({
            "adapter_id": "example-adapter", "key": { "record": key }, "mapping_version": version,
            "recorder_id": stream.recorder_id, "tenant_id": stream.tenant_id,
        });
        let preimage = format!("recorder/id/v1\n{}", serde_jcs::to_string(&object).unwrap());
        let digest: [u8; 32] = Sha256::digest(&preimage).into();
        assert_eq!(id.as_bytes()[7], digest[1]);
        assert_eq!(id.as_bytes()[9..], digest[3..10]);
        cases.push(json!({
            "claimed_time": at, "preimage": preimage, "envelope_id": id,
            "payload_salt": hex(salt_key.salt(&id).as_bytes()),
        }));
    }
    vector_file::check("vectors/adapters/identifiers.json", ABOUT, &cases);
}

#[test]
fn an_id_says_what_it_was_derived_from_and_nothing_else() {
    let first = derive(&stream(), "a", "v1", "2026-11-22T00:00:00Z", "k");
    assert_eq!(first, derive(&stream(), "a", "v1", "2026-11-22T00:00:00.0009Z", "k"));
    for other in [
        derive(&stream(), "b", "v1", "2026-11-22T00:00:00Z", "k"),
        derive(&stream(), "a", "v2", "2026-11-22T00:00:00Z", "k"),
        derive(&stream(), "a", "v1", "2026-11-22T00:00:00Z", "l"),
        derive(&stream(), "a", "v1", "2026-11-22T00:00:00.001Z", "k"),
    ] {
        assert_ne!(first, other);
    }
}

fn event() -> Event {
    let payload = CanonicalPayload::parse(b"{}").unwrap();
    let salt = PayloadSalt::from_bytes([0; 16]);
    UnsealedEnvelope { fields: fields(1), payload: SaltedPayload { payload, salt } }.into()
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Accept,
    Reject,
    Skip,
    Note,
}

fn report(intake: &mut Intake, report: Report) {
    match report {
        Report::Accept => intake.accept(event()),
        Report::Reject => intake.reject(Anomaly::new("bad", "0", "is bad")),
        Report::Skip => intake.skip(),
        Report::Note => intake.note(Anomaly::new("gap", "0", "is missing")),
    }
}

proptest! {
    #[test]
    fn the_counts_add_up_to_what_came_in(
        reports in prop::collection::vec(
            prop::sample::select(vec![Report::Accept, Report::Reject, Report::Skip, Report::Note]), 0..200,
        ),
        strict: bool,
    ) {
        let policy = if strict { Policy::StrictFail } else { Policy::RecordAnomaly };
        let mut intake = Intake::new(policy);
        reports.iter().for_each(|it| report(&mut intake, *it));
        let records = reports.iter().filter(|it| !matches!(it, Report::Note)).count() as u64;
        let wrong = reports.iter().filter(|it| matches!(it, Report::Reject | Report::Note)).count() as u64;
        let given = intake.take_events().len();
        prop_assert!(policy == Policy::RecordAnomaly || given == 0);
        match intake.finish() {
            Ok(outcome) => {
                prop_assert!(policy == Policy::RecordAnomaly || wrong == 0);
                prop_assert_eq!(outcome.received(), records);
                prop_assert_eq!(outcome.problems.count(), wrong);
                prop_assert_eq!((outcome.events.len() + given) as u64, outcome.accepted);
            }
            Err(refused) => {
                prop_assert!(strict && wrong > 0);
                prop_assert_eq!((refused.received, refused.problems.count()), (records, wrong));
            }
        }
    }
}

#[test]
fn a_refusal_names_the_first_problems_and_counts_the_rest() {
    let mut intake = Intake::new(Policy::StrictFail);
    for number in 0..70 {
        intake.reject(Anomaly::new("bad", number, "x".repeat(1000)));
    }
    let refused = intake.finish().unwrap_err();
    assert_eq!((refused.problems.named.len(), refused.problems.more), (64, 6));
    assert_eq!(refused.problems.named[0].detail.len(), 256);
    assert!(refused.to_string().starts_with("70 problems of the input; the first: 0: xxx"));
}

#[test]
fn policies_have_the_names_of_the_configuration() {
    for (policy, name) in Policy::ALL.into_iter().zip(["strict_fail", "record_anomaly"]) {
        assert_eq!(policy.to_string(), name);
        assert_eq!(name.parse(), Ok(policy));
        assert_eq!(serde_json::to_value(policy).unwrap(), name);
    }
    assert!("strict".parse::<Policy>().is_err());
    assert_eq!(Policy::default(), Policy::StrictFail);
}
