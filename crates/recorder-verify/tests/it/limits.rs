//! Each limit of the verifier holds at its number, and one below it a bundle asks for too much.

use recorder_envelope::segment::SigningPromise;
use recorder_verify::{FindingCode as F, VerifyError, VerifyLimits, VerifyOptions, verify};
use serde_json::json;

use crate::corpus::case::{two_segments, whole, with_attachments};
use crate::forge::bundle::{Bundle, Members, Selection};
use crate::forge::draft::Draft;
use crate::forge::log::Log;

/// The codes that come out, or the name of the limit that kept the verifier from it.
fn judged(bytes: &[u8], change: impl FnOnce(&mut VerifyLimits)) -> Result<Vec<F>, &'static str> {
    let mut options = VerifyOptions::default();
    change(&mut options.limits);
    match verify(&bytes, &options, &mut |_| {}) {
        Ok(report) => Ok(report.finding_counts().keys().copied().collect()),
        Err(VerifyError::Limit { what, .. }) => Err(what),
        Err(error) => panic!("{error}"),
    }
}

/// A limit of the verifier, to be set.
type Limit = fn(&mut VerifyLimits) -> &mut u64;

fn check(bytes: &[u8], limit: Limit, held: u64, what: &'static str) {
    assert_eq!(judged(bytes, |limits| *limit(limits) = held), judged(bytes, |_| {}), "{what}");
    assert!(judged(bytes, |_| {}).is_ok(), "{what}");
    assert_eq!(judged(bytes, |limits| *limit(limits) = held - 1), Err(what));
}

fn manifest_bytes(members: &mut Members) -> u64 {
    members.bytes_mut("manifest.json").len() as u64
}

#[test]
fn what_an_archive_states_is_held_against_the_limits() {
    let mut members = whole(&two_segments()).members();
    let (archive, size_bytes) = (members.archive(), manifest_bytes(&mut members));
    check(&archive, |limits| &mut limits.segments_max, 2, "segments");
    check(&archive, |limits| &mut limits.segment_envelopes_max, 2, "envelopes a segment");
    check(&archive, |limits| &mut limits.archive_envelopes_max, 4, "envelopes");
    check(&archive, |limits| &mut limits.manifest_bytes_max, size_bytes, "manifest bytes");
}

#[test]
fn what_a_document_states_is_held_against_the_limits() {
    let document = whole(&with_attachments()).members().document();
    let size_bytes = document.len() as u64;
    check(&document, |limits| &mut limits.document_envelopes_max, 3, "envelopes");
    check(&document, |limits| &mut limits.document_attachments_max, 2, "attachments");
    check(&document, |limits| &mut limits.document_bytes_max, size_bytes, "document bytes");
}

#[test]
fn limits_of_one_form_are_not_those_of_the_other() {
    let members = whole(&with_attachments()).members();
    let no_archive = |limits: &mut VerifyLimits| limits.archive_envelopes_max = 0;
    assert!(judged(&members.document(), no_archive).is_ok());
    let no_document = |limits: &mut VerifyLimits| {
        limits.document_envelopes_max = 0;
        limits.document_attachments_max = 0;
        limits.document_bytes_max = 0;
    };
    assert!(judged(&members.archive(), no_document).is_ok());
}

#[test]
fn both_numbers_of_a_segment_are_held_against_the_limit() {
    for name in ["envelope_count", "included_count"] {
        let mut bundle = whole(&two_segments());
        bundle.manifest["segments"][1][name] = json!(1_000_000);
        let archive = bundle.members().archive();
        let small = |limits: &mut VerifyLimits| limits.segment_envelopes_max = 999_999;
        assert_eq!(judged(&archive, small), Err("envelopes a segment"), "{name}");
    }
}

#[test]
fn an_attachment_is_as_large_as_the_limit_and_not_larger() {
    let archive = whole(&with_attachments()).members().archive();
    let largest = |bytes| {
        let found = judged(&archive, |limits| limits.attachment_bytes_max = bytes).unwrap();
        found.contains(&F::AttachmentListInvalid)
    };
    assert!(!largest(6));
    assert!(largest(5));
}

#[test]
fn a_member_is_as_many_times_its_stored_bytes_as_the_limit_and_not_more() {
    let draft = Draft::new(0).payload(json!({ "text": "a".repeat(4_000) }));
    let log = Log::sealed(SigningPromise::None, vec![vec![draft]]);
    let archive = Bundle::of(&log, &Selection::everything()).members().archive();
    let refused = |ratio| {
        let found = judged(&archive, |limits| limits.inflate_ratio_max = ratio).unwrap();
        found.contains(&F::MemberRatio)
    };
    assert!(!refused(100));
    assert!(refused(1));
}
