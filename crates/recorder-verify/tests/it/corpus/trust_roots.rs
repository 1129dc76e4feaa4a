//! The trust roots that the corpus is verified against.

use recorder_core::identity::StreamId;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};

use crate::forge::draft::stream;
use crate::forge::keys::{Holder, trust_root};

/// Every trust root: its name and its file.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let own = |status| Holder::Recorder.trusted(&stream(), status);
    let within =
        |from, until| trust_root(vec![own(KeyStatus::Active).within(from, until).unwrap()]);
    let elsewhere = StreamId { recorder_id: "recorder-2".parse().unwrap(), ..stream() };
    let other = Holder::OtherRecorder.trusted(&elsewhere, KeyStatus::Active);
    let public_key = Holder::Recorder.key().public_key();
    let everywhere = TrustedKey::new(public_key, TrustedStreams::All, KeyStatus::Active).unwrap();
    let next_key = |status| Holder::RecorderNext.trusted(&stream(), status);
    let rotated = trust_root(vec![
        own(KeyStatus::Retired).within(None, Some(1)).unwrap(),
        next_key(KeyStatus::Active).within(Some(2), None).unwrap(),
    ]);
    let glass = trust_root(vec![own(KeyStatus::Active), next_key(KeyStatus::Active)]);
    let only_next = trust_root(vec![next_key(KeyStatus::Active)]);
    let policy = "witness w1 witness.example/w1\nquorum w1\n".to_owned();
    let witnessed = TrustRoot::new(vec![own(KeyStatus::Active)], Some(policy)).unwrap();
    vec![
        ("recorder-with-witness", witnessed.to_json().unwrap()),
        ("recorder-rotated", rotated),
        ("recorder-and-next", glass),
        ("recorder-next", only_next),
        ("recorder", trust_root(vec![own(KeyStatus::Active)])),
        ("recorder-retired", trust_root(vec![own(KeyStatus::Retired)])),
        ("recorder-compromised", trust_root(vec![own(KeyStatus::Compromised)])),
        ("recorder-everywhere", trust_root(vec![everywhere])),
        ("recorder-from-2", within(Some(2), None)),
        ("recorder-until-1", within(None, Some(1))),
        ("recorder-from-0-until-2", within(Some(0), Some(2))),
        (
            "recorder-of-another-stream",
            trust_root(vec![Holder::Recorder.trusted(&elsewhere, KeyStatus::Active)]),
        ),
        ("other-recorder", trust_root(vec![other.clone()])),
        ("several", trust_root(vec![other, own(KeyStatus::Active)])),
    ]
}
