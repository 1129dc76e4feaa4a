//! The published vectors under `docs/spec/vectors/checkpoints`, computed apart from this crate.

use recorder_core::hash::TreeHash;
use recorder_core::identity::{RecorderId, StreamId, TenantId};
use recorder_envelope::checkpoint::{SignedCheckpoint, origin};
use recorder_envelope::note::NoteSignatureError;
use recorder_envelope::signing::PublicKey;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Valid,
    Malformed,
    NotSigned,
    BadSignature,
}

impl From<NoteSignatureError> for Outcome {
    fn from(error: NoteSignatureError) -> Self {
        match error {
            NoteSignatureError::NotSigned => Self::NotSigned,
            NoteSignatureError::Invalid => Self::BadSignature,
        }
    }
}

#[derive(Deserialize)]
struct Checkpoints {
    cases: Vec<CheckpointCase>,
}

#[derive(Deserialize)]
struct CheckpointCase {
    name: String,
    result: Outcome,
    note: String,
    public_key: String,
    origin: Option<String>,
    tree_size: Option<u64>,
    root: Option<TreeHash>,
}

#[derive(Deserialize)]
struct Cosignatures {
    cases: Vec<CosignatureCase>,
}

#[derive(Deserialize)]
struct CosignatureCase {
    name: String,
    result: Outcome,
    note: String,
    witness_name: String,
    witness_public_key: String,
    timestamp: Option<u64>,
}

#[derive(Deserialize)]
struct Origins {
    cases: Vec<OriginCase>,
}

#[derive(Deserialize)]
struct OriginCase {
    log_name: String,
    tenant_id: TenantId,
    recorder_id: RecorderId,
    origin: String,
}

fn check_checkpoint(case: &CheckpointCase) -> Outcome {
    let key = PublicKey::from_hex(&case.public_key).unwrap();
    let Ok(signed) = SignedCheckpoint::parse(case.note.as_bytes()) else {
        return Outcome::Malformed;
    };
    assert_eq!(signed.render(), case.note, "{}", case.name);
    if let Err(error) = signed.verify_log_signature(&key) {
        return error.into();
    }
    let checkpoint = signed.checkpoint();
    assert_eq!(Some(checkpoint.origin()), case.origin.as_deref(), "{}", case.name);
    assert_eq!(Some(checkpoint.tree_size()), case.tree_size, "{}", case.name);
    assert_eq!(Some(checkpoint.root()), case.root, "{}", case.name);
    Outcome::Valid
}

#[test]
fn checkpoints_come_out_as_published() {
    let vectors: Checkpoints = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/checkpoints/checkpoints.json"
    ))
    .unwrap();
    assert!(vectors.cases.len() >= 45);
    for case in &vectors.cases {
        assert_eq!(check_checkpoint(case), case.result, "{}", case.name);
    }
}

#[test]
fn cosignatures_come_out_as_published() {
    let vectors: Cosignatures = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/checkpoints/cosignatures.json"
    ))
    .unwrap();
    assert!(vectors.cases.len() >= 10);
    for case in &vectors.cases {
        let key = PublicKey::from_hex(&case.witness_public_key).unwrap();
        let signed = SignedCheckpoint::parse(case.note.as_bytes()).unwrap();
        let outcome = match signed.verify_cosignature(&case.witness_name, &key) {
            Ok(timestamp) => {
                assert_eq!(Some(timestamp), case.timestamp, "{}", case.name);
                Outcome::Valid
            }
            Err(error) => error.into(),
        };
        assert_eq!(outcome, case.result, "{}", case.name);
    }
}

#[test]
fn origins_come_out_as_published() {
    let vectors: Origins = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/checkpoints/origins.json"
    ))
    .unwrap();
    assert!(!vectors.cases.is_empty());
    for OriginCase { log_name, tenant_id, recorder_id, origin: expected } in vectors.cases {
        assert_eq!(origin(&log_name, &StreamId { tenant_id, recorder_id }), expected);
    }
}
