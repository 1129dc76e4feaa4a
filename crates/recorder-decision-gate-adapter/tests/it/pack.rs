//! A small runpack with its transcript, consistent in every digest, and what the adapter makes of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use recorder_core::identity::{ActorId, RecorderId, StreamId, TenantId};
use recorder_decision_gate_adapter::{Input, Runpack, Settings, map, redactor};
use recorder_envelope::adapter::{Outcome, Policy, RedactionKey, Refused, SaltKey};

/// Maps with keys and names that never change.
pub(crate) fn mapped(input: Input<'_>, policy: Policy) -> Result<Outcome, Refused> {
    mapped_with(input, policy, false)
}

/// Maps, perhaps beside other clients.
pub(crate) fn mapped_with(
    input: Input<'_>,
    policy: Policy,
    others_may_call: bool,
) -> Result<Outcome, Refused> {
    let stream = StreamId {
        tenant_id: TenantId::new("acme").unwrap(),
        recorder_id: RecorderId::new("recorder-1").unwrap(),
    };
    let salt_key = SaltKey::from_hex(&[b'1'; 64]).unwrap();
    let redactor = redactor(RedactionKey::from_hex(&[b'2'; 64])).unwrap();
    let settings = Settings {
        policy,
        stream: &stream,
        salt_key: &salt_key,
        redactor: &redactor,
        client: ActorId::new("client").unwrap(),
        others_may_call,
    };
    map(input, &settings)
}

/// The codes of a refusal; none where nothing is wrong.
pub(crate) fn codes(input: Input<'_>) -> BTreeSet<&'static str> {
    match mapped(input, Policy::StrictFail) {
        Ok(outcome) => {
            assert_eq!(outcome.problems.count(), 0);
            BTreeSet::new()
        }
        Err(refused) => refused.problems.named.iter().map(|anomaly| anomaly.code).collect(),
    }
}

/// A document alone.
pub(crate) fn document(bytes: &[u8]) -> Input<'_> {
    Input { document: Some(bytes), runpack: None }
}

/// Files as a runpack.
pub(crate) fn runpack(
    manifest: Option<Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
) -> Runpack<'static> {
    Runpack {
        manifest: manifest.map(Cow::Owned),
        files: files.into_iter().map(|(path, bytes)| (path, Cow::Owned(bytes))).collect(),
    }
}
