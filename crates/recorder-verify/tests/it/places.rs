//! Places that note a finding and that no bundle of the corpus reaches alone: each is named there, by its own words.

use recorder_envelope::bundle::archive::Method;
use recorder_envelope::bundle::layout;
use recorder_verify::{FindingCode as F, VerifyOptions, verify};
use serde_json::{Value, json};

use crate::corpus::case::{
    GENESIS_1, LINES, LINES_1, SEAL_1, partial, signed, split, two_segments, whole,
    with_attachments,
};
use crate::forge::bundle::{Bundle, Members, Selection};
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
    let none = changed(|bundle| bundle.manifest["segments"][1]["envelope_count"] = json!(0));
    check(&none, F::SegmentEmpty, "segment 1", detail);
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
    for size_bytes in [2, 4] {
        let (name, archive) = headed(|entry| {
            *entry = Entry::with_data("a", Method::Stored, b"two", b"two".to_vec());
            entry.patch(Field::Size, &[size_bytes, 0, 0, 0]);
        });
        assert_ne!(name, "a");
        let detail = "a stored member states two sizes";
        check_archive(&archive, F::ArchiveDirectoryInvalid, "a", detail);
    }
}

#[test]
fn more_members_than_there_is_room_for_before_the_directory_and_in_it() {
    let detail = "more members than the file has room for";
    let mut directory = whole(&signed()).members().zip();
    directory.end = |end| {
        end[8] += 30;
        end[10] += 30;
    };
    check_archive(&directory.bytes(), F::ArchiveDirectoryInvalid, "bundle", detail);
    let member = |name: &str| Entry::with_data(name, Method::Stored, b"", Vec::new());
    let mut before = whole(&signed()).members().zip();
    before.entries = vec![member("a"), Entry { local: Vec::new(), ..member("b") }];
    check_archive(&before.bytes(), F::ArchiveDirectoryInvalid, "bundle", detail);
}

/// A bundle with a part of each kind.
fn of_all_kinds() -> Bundle {
    let bundle = Bundle::of(&with_attachments(), &Selection::positions(&[(1, 3)]));
    let kinds = ["checkpoint", "README", "genesis", "seal", "envelopes", "proofs", "attachments"];
    assert!(kinds.iter().all(|kind| bundle.parts.iter().any(|part| part.name.contains(kind))));
    bundle
}

#[test]
fn a_member_of_any_kind_whose_bytes_have_another_checksum() {
    let members = of_all_kinds().members();
    for (index, member) in members.0.iter().enumerate() {
        let mut zip = members.zip();
        zip.entries[index].patch(Field::Crc32, &[0; 4]);
        check_archive(&zip.bytes(), F::MemberCrc, &member.name, "the bytes do not have");
    }
}

#[test]
fn a_part_of_any_kind_whose_bytes_have_another_hash_than_is_stated() {
    let bundle = of_all_kinds();
    for (index, part) in bundle.parts.iter().enumerate() {
        let mut members = bundle.members();
        members.edit_manifest(&bundle.signer, |manifest| {
            manifest["parts"][index]["sha256"] = json!("0".repeat(64));
        });
        check(&members, F::PartHashMismatch, &part.name, "the bytes have hash");
    }
}

#[test]
fn nothing_is_said_of_what_follows_a_part_that_ends_before_its_time() {
    let members = whole(&signed()).members();
    let mut zip = members.zip();
    zip.entries[members.index(LINES)].patch(Field::Crc32, &[0; 4]);
    let damaged = found(&zip.bytes());
    let long = changed(|bundle| {
        let lines = bundle.bytes_mut(LINES_1);
        lines.truncate(lines.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        lines.extend(vec![b'x'; (8 << 20) + 1]);
    });
    let bytes = members.0[members.index(LINES)].bytes.clone();
    let mut last = members.zip();
    let mut edited = bytes.clone();
    *edited.last_mut().unwrap() = b' ';
    last.entries[members.index(LINES)] = Entry::with_data(LINES, Method::Stored, &bytes, edited);
    for all in [damaged, found(&last.bytes()), found(&long.archive())] {
        let unsaid = [F::ChainHeadMismatch, F::GapAnchorMissing];
        assert!(all.iter().all(|(code, ..)| !unsaid.contains(code)), "{all:?}");
    }
}

#[test]
fn a_part_of_as_many_lines_as_there_may_be_and_of_one_more() {
    for (count, is_there) in [(4_096, false), (4_097, true)] {
        let members = changed(|bundle| *bundle.bytes_mut(LINES) = b"x\n".repeat(count));
        let report = verify(&members.archive(), &VerifyOptions::default(), &mut |_| {}).unwrap();
        assert_eq!(report.finding_counts().contains_key(&F::PartLineCount), is_there, "{count}");
    }
}

#[test]
fn a_link_after_a_segment_whose_last_line_cannot_be_read() {
    let members = changed(|bundle| {
        let lines = bundle.bytes_mut(LINES);
        lines.truncate(lines.len() - 10);
        bundle.edit_lines(LINES_1, |lines| lines[0]["chain_hash"] = json!("0".repeat(64)));
    });
    let detail = "the chain hash does not follow";
    check(&members, F::ChainHashMismatch, "segment 1, sequence 0", detail);
}

#[test]
fn parts_that_are_larger_than_any() {
    for (part, code) in [
        (GENESIS_1, F::GenesisInvalid),
        (SEAL_1, F::SealInvalid),
        (layout::CHECKPOINT, F::CheckpointMalformed),
    ] {
        let members = changed(|bundle| bundle.bytes_mut(part).resize(70_000, b' '));
        check(&members, code, part, "larger than any");
    }
    let mut members = whole(&signed()).members();
    members.bytes_mut(layout::MANIFEST_DSSE).resize(70_000, b' ');
    let detail = "larger than any signature of this manifest";
    check(&members, F::ManifestSignatureMalformed, layout::MANIFEST_DSSE, detail);
}

#[test]
fn attachments_of_another_size_than_stated_and_references_to_such() {
    for change in [-1, 1] {
        let mut listed = whole(&with_attachments());
        let size_bytes = listed.manifest["attachments"][0]["size_bytes"].as_i64().unwrap();
        listed.manifest["attachments"][0]["size_bytes"] = json!(size_bytes + change);
        let all = found(&listed.members().archive());
        let line = |(code, place, _): &(F, String, String)| {
            *code == F::AttachmentSizeMismatch && place.starts_with(LINES)
        };
        assert!(all.iter().any(line), "{all:?}");
    }
    let mut bundle = whole(&with_attachments());
    let name = bundle.parts.last().unwrap().name.clone();
    bundle.bytes_mut(&name).pop();
    let place = "manifest.json attachments[1]";
    check(&bundle.members(), F::AttachmentSizeMismatch, place, "its bytes have another size");
}

#[test]
fn proofs_that_nothing_needs_are_told_by_their_lines() {
    let mut bundle = partial();
    bundle.edit_lines(layout::PROOFS, |lines| {
        let mut gap = lines[2].clone();
        gap["after_sequence"] = json!(7);
        lines.insert(3, gap);
        let mut path = lines.last().unwrap().clone();
        path["position"] = json!(6);
        lines.push(path);
    });
    let members = bundle.members();
    let at = |line: u64| format!("{}:{line}", layout::PROOFS);
    check(&members, F::GapAnchorUnneeded, &at(4), "no envelopes are left out there");
    check(&members, F::InclusionUnneeded, &at(8), "no run of included envelopes");
}

#[test]
fn a_link_after_a_part_whose_last_line_cannot_be_read() {
    let mut bundle = split(&whole(&signed()), "segments/000000/envelopes-000001.jsonl");
    let lines = bundle.bytes_mut(LINES);
    lines.truncate(lines.len() - 10);
    let all = found(&bundle.members().archive());
    let unsaid = [F::GapAnchorMissing, F::SequenceMismatch, F::ChainHashMismatch];
    assert!(all.iter().all(|(code, ..)| !unsaid.contains(code)), "{all:?}");
}

#[test]
fn more_envelopes_than_stated_and_fewer() {
    for stated in [3, 5] {
        let members = changed(|bundle| bundle.manifest["envelope_count"] = json!(stated));
        let detail = format!("4 found, {stated} stated");
        check(&members, F::EnvelopeCountMismatch, "manifest.json", &detail);
    }
}

#[test]
fn envelopes_on_both_sides_of_a_line_that_cannot_be_read_are_two_runs() {
    let mut bundle = split(&whole(&signed()), "segments/000000/envelopes-000001.jsonl");
    bundle.bytes_mut(LINES).extend(b"x\n");
    let members = bundle.members();
    for position in [0, 1, 2] {
        let detail = "no inclusion path for this end of a run";
        check(&members, F::InclusionMissing, &format!("position {position}"), detail);
    }
}

/// How often a code is found in `partial` with its proofs changed.
fn count_of(code: F, change: impl FnOnce(&mut Vec<Value>)) -> usize {
    let mut bundle = partial();
    bundle.edit_lines(layout::PROOFS, change);
    let all = found(&bundle.members().archive());
    all.iter().filter(|(found, ..)| *found == code).count()
}

#[test]
fn a_proof_that_is_missing_hides_none_that_follow() {
    let gap = |lines: &mut Vec<Value>| drop(lines.remove(0));
    assert_eq!(count_of(F::GapAnchorMissing, gap), 1);
    assert_eq!(count_of(F::GapAnchorUnneeded, gap), 0);
    let path = |lines: &mut Vec<Value>| drop(lines.remove(3));
    assert_eq!(count_of(F::InclusionMissing, path), 1);
    assert_eq!(count_of(F::InclusionUnneeded, path), 0);
}

#[test]
fn proofs_that_are_not_read_to_their_end_have_no_hash() {
    let swap = |lines: &mut Vec<Value>| lines.swap(3, 4);
    assert_eq!(count_of(F::ProofMalformed, swap), 1);
    assert_eq!(count_of(F::PartHashMismatch, swap), 0);
}
