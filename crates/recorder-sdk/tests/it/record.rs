//! Recording, reading back and proving.

use recorder_sdk::prelude::*;
use recorder_sdk::{
    AppendError, EventError, PageSize, ProofFault, ProveError, QueryError, RecordError, SealError,
};

use crate::{builder, event, key};

fn recorder() -> Recorder {
    builder(StoreKind::Memory, 1).signer(key()).build().unwrap()
}

fn fault(event: Event) -> EventError {
    let recorder = recorder();
    let good = Event::new("tool.call", "agent:7", "test");
    match recorder.record_batch(vec![good, event]) {
        Err(RecordError::Event { index: 1, source }) => {
            assert_eq!(recorder.store().streams().unwrap(), [], "nothing was written");
            source
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_that_breaks_a_rule_is_refused_by_its_place_and_rule() {
    for event_type in ["", "Tool.call", "tool..call", "tool call"] {
        let refused = fault(Event::new(event_type, "agent:7", "test"));
        assert!(matches!(refused, EventError::Identity(_)), "{event_type}");
    }
    assert!(matches!(fault(Event::new("a", " ", "test")), EventError::Identity(_)));
    assert!(matches!(fault(Event::new("a", "b", "\u{200b}")), EventError::Identity(_)));
    assert!(matches!(fault(event(1).trace("")), EventError::Identity(_)));
    assert!(matches!(fault(event(1).payload([1, 2])), EventError::Payload(_)));
    let big = serde_json::json!({ "n": 9_007_199_254_740_993_u64 });
    assert!(matches!(fault(event(1).payload(big)), EventError::Payload(_)));
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(fault(event(1).payload(unwritable)), EventError::Serialize(_)));
    let id = recorder().envelope_id().unwrap();
    assert!(matches!(fault(event(1).parent(id).parent(id)), EventError::Parents(_)));
}

#[test]
fn a_payload_of_any_type_is_stored_in_canonical_form() {
    #[derive(serde::Serialize)]
    struct Refund {
        currency: &'static str,
        amount: f64,
    }
    let recorder = recorder();
    let refund = Refund { currency: "EUR", amount: 10.0 };
    let receipt = recorder.record(event(0).payload(refund)).unwrap();
    let page = recorder.query(&EnvelopeFilter::default(), None, PageSize::default()).unwrap();
    let payload = &page.envelopes[0].payload.as_ref().unwrap().payload;
    assert_eq!(payload.as_str(), r#"{"amount":10,"currency":"EUR"}"#);
    assert_eq!(page.envelopes[0].content_hash, receipt.content_hash);
}

#[test]
fn an_id_makes_repeating_safe() {
    let recorder = recorder();
    let id = recorder.envelope_id().unwrap();
    let at = "2026-11-22T00:00:00Z".parse().unwrap();
    let first = recorder.record(event(1).id(id).at(at)).unwrap();
    let again = recorder.record(event(1).id(id).at(at)).unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(again.position, first.position);
    let refused = recorder.record(event(2).id(id).at(at)).unwrap_err();
    let conflict = matches!(refused, RecordError::Append(AppendError::EnvelopeConflict { .. }));
    assert!(conflict, "{refused}");
}

#[test]
fn attachments_are_stored_with_their_event() {
    let recorder = recorder();
    let bytes = b"a log".to_vec();
    let attachment = Attachment::new("text/plain".parse().unwrap(), bytes.clone()).unwrap();
    let content_hash = attachment.reference().content_hash;
    recorder.record_with_attachments(event(1), vec![attachment]).unwrap();
    assert_eq!(recorder.store().attachment(&content_hash).unwrap(), Some(bytes));
}

#[test]
fn a_cursor_of_another_filter_is_refused() {
    let recorder = recorder();
    recorder.record_batch((0..3).map(event).collect()).unwrap();
    let one = PageSize::new(1).unwrap();
    let cursor = recorder.query(&EnvelopeFilter::default(), None, one).unwrap().next_cursor;
    let nobody = Some(std::collections::BTreeSet::new());
    let other = EnvelopeFilter { actor_ids: nobody, ..EnvelopeFilter::default() };
    let refused = recorder.query(&other, cursor.as_ref(), one).unwrap_err();
    assert!(matches!(refused, QueryError::Filter(_)), "{refused}");
}

#[test]
fn every_envelope_can_be_proven_and_no_forged_proof_holds() {
    let recorder = recorder();
    let receipts = recorder.record_batch((0..11).map(event).collect()).unwrap();
    let log_key = key().public_key();
    let other_key = SecretKey::from_seed(&[8; 32]).unwrap().public_key();
    for receipt in &receipts {
        let proof = recorder.prove(receipt.envelope_id).unwrap();
        assert_eq!((proof.index, proof.tree_size), (receipt.position, 11));
        proof.verify(&log_key).unwrap();
        assert!(matches!(proof.verify(&other_key), Err(ProofFault::Signature(_))));
        let mut moved = proof.clone();
        moved.index = (moved.index + 1) % 11;
        assert!(matches!(moved.verify(&log_key), Err(ProofFault::Path(_))));
        let mut resized = proof.clone();
        resized.tree_size = 12;
        assert!(matches!(resized.verify(&log_key), Err(ProofFault::Size)));
        let mut cut = proof;
        cut.path.pop();
        assert!(matches!(cut.verify(&log_key), Err(ProofFault::Path(_))));
    }
    let stranger = recorder.envelope_id().unwrap();
    let refused = recorder.prove(stranger).unwrap_err();
    assert!(matches!(refused, ProveError::NoSuchEnvelope { .. }), "{refused}");
}

#[test]
fn without_a_signer_there_is_no_checkpoint_and_no_proof() {
    let recorder = builder(StoreKind::Memory, 1).build().unwrap();
    assert!(matches!(recorder.seal(), Err(SealError::NoneOpen)));
    assert!(matches!(recorder.checkpoint(), Err(SealError::NothingRecorded)));
    let receipt = recorder.record(event(1)).unwrap();
    assert!(matches!(recorder.checkpoint(), Err(SealError::NoSigner)));
    let refused = recorder.prove(receipt.envelope_id).unwrap_err();
    assert!(matches!(refused, ProveError::Checkpoint(SealError::NoSigner)), "{refused}");
}
