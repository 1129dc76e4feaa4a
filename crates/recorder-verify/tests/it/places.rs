//! Places that note a finding and that no bundle of the corpus reaches alone: each is named there, by its own words.

use recorder_envelope::bundle::archive::Method;
use recorder_envelope::bundle::layout;
use recorder_verify::{FindingCode as F, VerifyOptions, verify};
use serde_json::json;

use crate::corpus::case::{GENESIS_1, LINES, LINES_1, signed, two_segments, whole};
use crate::forge::bundle::{Bundle, Members};
use crate::forge::draft::segment_id;
use crate::forge::zip::{Entry, Field, Zip};

/// What is found, by code and place, with its detail.
fn found(archive: &[u8]) -> Vec<(F, String, String)> {
    let report = verify(&archive, &VerifyOptions::default(), &mut |_| {}).unwrap();
    let told = |finding: &recorder_verify::Finding| {
        (finding.code(), finding.place().to_string(), finding.detail().to_owned())
    };
    report.findings().iter().map(told).collect()
}

fn check(members: &Members, code: F, place: &str, detail: &str) {
    check_archive(&members.archive(), code, place, detail);
}

fn check_archive(archive: &[u8], code: F, place: &str, detail: &str) {
    let all = found(archive);
    let is_there = all
        .iter()
        .any(|(found, at, about)| *found == code && at == place && about.starts_with(detail));
    assert!(is_there, "{code} at {place}: {detail}: {all:?}");
}

fn changed(change: impl FnOnce(&mut Bundle)) -> Members {
    let mut bundle = whole(&two_segments());
    change(&mut bundle);
    bundle.members()
}

#[test]
fn a_manifest_that_states_no_envelopes() {
    let members = changed(|bundle| bundle.manifest["envelope_count"] = json!(0));
    check(&members, F::BundleEmpty, "manifest.json", "the manifest states no envelopes");
}

#[test]
fn a_segment_that_is_empty_by_its_numbers_and_one_by_its_parts() {
    let stated = changed(|bundle| bundle.manifest["segments"][1]["included_count"] = json!(0));
    let detail = "the manifest states a segment without envelopes";
    check(&stated, F::SegmentEmpty, "segment 1", detail);
    let taken = changed(|bundle| bundle.remove(LINES_1));
    check(&taken, F::SegmentEmpty, "segment 1", "the bundle holds no envelope of it");
}

#[test]
fn an_attachment_that_is_larger_than_any_may_be() {
    let members = changed(|bundle| {
        bundle.manifest["attachments"] = json!([{
            "content_hash": "0".repeat(64), "content_type": "a/b",
            "size_bytes": (16 << 20) + 1, "withheld": true,
        }]);
    });
    let place = "manifest.json attachments[0]";
    check(&members, F::AttachmentListInvalid, place, "larger than any attachment may be");
}

#[test]
fn a_genesis_of_another_segment_and_one_that_begins_too_early() {
    let other = segment_id(9);
    let members = changed(|bundle| {
        bundle.edit_json(GENESIS_1, |genesis| genesis["segment_id"] = json!(other));
    });
    let detail = format!("the genesis is of segment {other}");
    check(&members, F::SegmentIdMismatch, GENESIS_1, &detail);
    let members = changed(|bundle| {
        bundle.edit_json(GENESIS_1, |genesis| genesis["first_position"] = json!(0));
    });
    check(&members, F::SegmentOrder, "segment 1", "it begins before the segments before it");
}

#[test]
fn a_manifest_signature_that_does_not_follow_the_manifest() {
    let mut members = whole(&signed()).members();
    let at = members.index(layout::MANIFEST_DSSE);
    let signature = members.0.remove(at);
    members.0.push(signature);
    check(&members, F::MemberOrder, layout::MANIFEST_DSSE, "it follows the manifest");
}

#[test]
fn a_line_that_is_longer_than_any() {
    let members = changed(|bundle| *bundle.bytes_mut(LINES) = vec![b'x'; (8 << 20) + 1]);
    let place = format!("{LINES}:1");
    check(&members, F::LineTooLong, &place, "the rest of the part was not read");
}

/// A good archive with the headers of its second member changed: what the first begins with tells archives apart.
fn headed(change: impl FnOnce(&mut Entry)) -> (String, Vec<u8>) {
    let members = whole(&signed()).members();
    let mut zip = Zip::of(&members);
    change(&mut zip.entries[1]);
    (members.0[1].name.clone(), zip.bytes())
}

#[test]
fn a_directory_entry_that_does_not_begin_as_one() {
    let (_, archive) = headed(|entry| entry.central.as_mut().unwrap()[0] = b'p');
    let detail = "an entry does not begin as one";
    check_archive(&archive, F::ArchiveDirectoryInvalid, "bundle", detail);
}

#[test]
fn a_member_without_a_local_header() {
    let (name, archive) = headed(|entry| entry.local[0] = b'p');
    let detail = "no local header where the directory says";
    check_archive(&archive, F::ArchiveNotContiguous, &name, detail);
}

#[test]
fn a_stored_member_of_two_sizes() {
    let (name, archive) = headed(|entry| {
        *entry = Entry::with_data("a", Method::Stored, b"two", b"two".to_vec());
        entry.patch(Field::Size, &[2, 0, 0, 0]);
    });
    assert_ne!(name, "a");
    check_archive(&archive, F::ArchiveDirectoryInvalid, "a", "a stored member states two sizes");
}
