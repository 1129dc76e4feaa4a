//! What the manifest says of the bundle, and attachments.

use recorder_envelope::attachment::Attachment;
use recorder_envelope::bundle::layout;
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{
    Case, LINES, Outcome, partial, replace, signed, split, two_segments, whole, with_attachments,
};
use crate::forge::bundle::{Bundle, ManifestSigner, Members, Part, Selection, sign_manifest};
use crate::forge::draft::{Draft, attachment, segment_id};
use crate::forge::keys::Holder;
use crate::forge::log::Log;

/// Every manipulation of the manifest and of attachments.
pub(crate) fn cases() -> Vec<Case> {
    [forms(), counts(), parts(), limits(), attachment_bytes(), attachment_lists()]
        .into_iter()
        .flatten()
        .collect()
}

const INSIDER: ManifestSigner = ManifestSigner::Key(Holder::Recorder);

/// `signed` with its manifest changed, named and signed by an insider.
fn restated(change: impl FnOnce(&mut Value)) -> Members {
    let mut members = whole(&signed()).members();
    members.edit_manifest(&INSIDER, change);
    members
}

/// `signed` with the manifest's bytes changed and signed as they are.
fn rewritten(change: impl FnOnce(&mut Vec<u8>)) -> Members {
    let mut members = whole(&signed()).members();
    let bytes = members.bytes_mut(layout::MANIFEST);
    change(bytes);
    let dsse = sign_manifest(&bytes.clone(), &INSIDER).unwrap();
    *members.bytes_mut(layout::MANIFEST_DSSE) = dsse;
    members
}

fn forms() -> Vec<Case> {
    let wrong_id = rewritten(|bytes| {
        crate::forge::bundle::edit_json(bytes, |manifest| {
            manifest["bundle_id"] = json!(segment_id(9));
        });
    });
    let mut removed = whole(&signed()).members();
    removed.0.remove(0);
    vec![
        Case::reject(
            "manifest-with-unknown-member",
            F::ManifestInvalid,
            "The manifest holds a member that no manifest has.",
            &restated(|manifest| manifest["reviewed_by"] = "auditor".into()),
        ),
        Case::reject(
            "manifest-of-another-version",
            F::ManifestInvalid,
            "The manifest is of a version that does not exist.",
            &restated(|manifest| manifest["type"] = "recorder.bundle/v2".into()),
        ),
        Case::reject(
            "manifest-of-another-hash",
            F::ManifestInvalid,
            "The manifest names another hash algorithm.",
            &restated(|manifest| manifest["hash_algorithm"] = "md5".into()),
        ),
        Case::reject(
            "manifest-with-negative-count",
            F::ManifestInvalid,
            "The manifest states -1 envelopes.",
            &restated(|manifest| manifest["envelope_count"] = (-1).into()),
        ),
        Case::reject(
            "manifest-segment-with-unknown-member",
            F::ManifestInvalid,
            "A segment of the manifest holds a member that none has.",
            &restated(|manifest| manifest["segments"][0]["trusted"] = true.into()),
        ),
        Case::reject(
            "manifest-with-unknown-selector",
            F::ManifestInvalid,
            "The manifest states a selector that does not exist.",
            &restated(|manifest| manifest["selector"] = json!({ "everything": [] })),
        ),
        Case::reject(
            "manifest-with-short-time",
            F::ManifestNotCanonical,
            "The manifest's time has no fractional digits.",
            &rewritten(|bytes| {
                replace(
                    bytes,
                    b"T00:00:00.000000000Z\",\"envelope_count\"",
                    b"T00:00:00Z\",\"envelope_count\"",
                )
            }),
        ),
        Case::reject(
            "manifest-with-line-feed",
            F::ManifestNotCanonical,
            "The manifest ends with a line feed.",
            &rewritten(|bytes| bytes.push(b'\n')),
        ),
        Case::reject(
            "manifest-with-repeated-member",
            F::ManifestInvalid,
            "The manifest holds a member twice.",
            &rewritten(|bytes| {
                replace(
                    bytes,
                    b"\"envelope_count\":3",
                    b"\"envelope_count\":3,\"envelope_count\":3",
                )
            }),
        ),
        Case::reject(
            "manifest-truncated",
            F::ManifestInvalid,
            "The manifest lacks its last byte.",
            &rewritten(|bytes| {
                bytes.pop();
            }),
        ),
        Case::reject(
            "bundle-id-wrong",
            F::BundleIdMismatch,
            "The bundle has a name that does not follow from its manifest.",
            &wrong_id,
        ),
        Case::reject(
            "manifest-removed",
            F::ManifestMissing,
            "The archive has no manifest.",
            &removed,
        ),
    ]
}

fn counts() -> Vec<Case> {
    let mut called_complete = partial().members();
    called_complete
        .edit_manifest(&INSIDER, |manifest| manifest["segments"][0]["complete"] = true.into());
    let mut smaller = partial().members();
    smaller
        .edit_manifest(&INSIDER, |manifest| manifest["segments"][0]["envelope_count"] = 6.into());
    vec![
        Case::reject(
            "envelope-count-lied",
            F::EnvelopeCountMismatch,
            "The manifest states one envelope more than there are.",
            &restated(|manifest| manifest["envelope_count"] = 4.into()),
        ),
        Case::reject(
            "included-count-lied",
            F::IncludedCountMismatch,
            "The manifest states that fewer envelopes of a segment are included than there are.",
            &restated(|manifest| manifest["segments"][0]["included_count"] = 2.into()),
        ),
        Case::reject(
            "segment-count-lied",
            F::SealMismatch,
            "The manifest states that a segment holds fewer envelopes than its seal says.",
            &smaller,
        ),
        Case::reject(
            "selection-called-complete",
            F::CompleteFlagMismatch,
            "A segment of which envelopes are left out is called complete.",
            &called_complete,
        ),
        Case::reject(
            "whole-called-selection",
            F::CompleteFlagMismatch,
            "A segment of which everything is included is called a selection.",
            &restated(|manifest| manifest["segments"][0]["complete"] = false.into()),
        ),
    ]
}

fn parts() -> Vec<Case> {
    let mut unknown = whole(&signed());
    unknown.parts.push(Part { name: "notes.txt".to_owned(), bytes: b"approved".to_vec() });
    let mut misnumbered = whole(&signed());
    for part in &mut misnumbered.parts {
        part.name = part.name.replace("segments/000000", "segments/000001");
    }
    let mut skipped = whole(&two_segments());
    skipped.parts.retain(|part| !part.name.starts_with("segments/000001"));
    let mut reordered = whole(&signed());
    reordered.parts.swap(1, 2);
    let mut second = whole(&signed());
    for part in &mut second.parts {
        part.name = part.name.replace("envelopes-000000", "envelopes-000001");
    }
    let mut readme = whole(&signed()).members();
    readme.bytes_mut(layout::README)[0] = b'e';
    vec![
        Case::reject(
            "part-hash-wrong",
            F::PartHashMismatch,
            "The manifest states another hash than a part has.",
            &restated(|manifest| {
                manifest["parts"][2]["sha256"] = manifest["parts"][1]["sha256"].clone();
            }),
        ),
        Case::reject(
            "readme-edited",
            F::PartHashMismatch,
            "A letter of the README was changed.",
            &readme,
        ),
        Case::reject(
            "part-size-wrong",
            F::MemberSize,
            "The manifest states another size than a part has.",
            &restated(|manifest| manifest["parts"][1]["size_bytes"] = 1.into()),
        ),
        Case::reject(
            "part-of-unknown-kind",
            F::PartList,
            "The manifest lists a part that no bundle has.",
            &unknown.members(),
        ),
        Case::reject(
            "part-listed-twice",
            F::PartList,
            "The manifest lists a part twice.",
            &restated(|manifest| {
                let parts = manifest["parts"].as_array_mut().unwrap();
                parts.insert(1, parts[1].clone());
            }),
        ),
        Case::reject(
            "parts-of-an-unlisted-segment",
            F::PartList,
            "The parts of the one segment are numbered as the second's.",
            &misnumbered.members(),
        ),
        Case::reject(
            "parts-of-a-segment-missing",
            F::PartList,
            "The manifest lists a segment of which there is no part.",
            &skipped.members(),
        ),
        Case::reject(
            "parts-reordered",
            F::PartList,
            "The manifest lists parts in another order.",
            &reordered.members(),
        ),
        Case::reject(
            "part-of-envelopes-under-another-segment",
            F::PartList,
            "The second part of a segment's envelopes is named as one of the segment after it.",
            &split(&whole(&signed()), "segments/000001/envelopes-000001.jsonl").members(),
        ),
        Case::reject(
            "part-number-skips",
            F::PartList,
            "The first part of envelopes is numbered as the second.",
            &second.members(),
        ),
    ]
}

fn limits() -> Vec<Case> {
    let claim = |count: u64| {
        move |manifest: &mut Value| {
            manifest["envelope_count"] = count.into();
            manifest["segments"][0]["envelope_count"] = count.into();
            manifest["segments"][0]["included_count"] = count.into();
        }
    };
    vec![
        Case::reject(
            "billion-envelopes-claimed",
            F::EnvelopeCountMismatch,
            "The manifest claims a thousand million envelopes.",
            &restated(claim(1_000_000_000)),
        )
        .outcome(Outcome::Limit("envelopes a segment")),
    ]
}

/// The names of the parts that hold "first" and "second".
fn attachment_names() -> (String, String) {
    let name = |text| layout::attachment(&attachment(text).reference().content_hash);
    (name("first"), name("second"))
}

fn attachment_bytes() -> Vec<Case> {
    let (first, second) = attachment_names();
    let mut edited = whole(&with_attachments());
    edited.bytes_mut(&first)[0] = b'F';
    let mut exchanged = whole(&with_attachments());
    let bytes = exchanged.bytes_mut(&first).clone();
    *exchanged.bytes_mut(&first) = std::mem::replace(exchanged.bytes_mut(&second), bytes);
    let mut longer = whole(&with_attachments());
    longer.bytes_mut(&first).push(b'!');
    let mut missing = whole(&with_attachments());
    missing.remove(&second);
    let mut unlisted = whole(&signed());
    unlisted.parts.push(Part { name: first.clone(), bytes: b"first".to_vec() });
    let selection =
        Selection::everything().without_attachment(attachment("second").reference().content_hash);
    let mut withheld = Bundle::of(&with_attachments(), &selection);
    let honest = whole(&with_attachments());
    withheld.parts.clone_from(&honest.parts);
    vec![
        Case::reject(
            "attachment-edited",
            F::AttachmentHashMismatch,
            "A byte of an attachment was changed; the manifest states the new part.",
            &edited.members(),
        ),
        Case::reject(
            "attachments-exchanged",
            F::AttachmentHashMismatch,
            "Two attachments exchanged bytes.",
            &exchanged.members(),
        ),
        Case::reject(
            "attachment-longer",
            F::AttachmentSizeMismatch,
            "A byte was added to an attachment.",
            &longer.members(),
        ),
        Case::reject(
            "attachment-missing",
            F::AttachmentBytesMissing,
            "The manifest lists an attachment as present and it is not there.",
            &missing.members(),
        ),
        Case::reject(
            "attachment-unlisted",
            F::AttachmentBytesUnlisted,
            "An attachment is there that the manifest does not list.",
            &unlisted.members(),
        ),
        Case::reject(
            "attachment-withheld-and-present",
            F::AttachmentBytesUnlisted,
            "An attachment is called withheld and its bytes are there.",
            &withheld.members(),
        ),
    ]
}

/// `with_attachments` with its list of attachments changed.
fn relisted(change: impl FnOnce(&mut Vec<Value>)) -> Bundle {
    let mut bundle = whole(&with_attachments());
    change(bundle.manifest["attachments"].as_array_mut().unwrap());
    bundle
}

/// A bundle that lists one attachment with two types, with that list changed.
fn of_two_types(change: impl FnOnce(&mut Vec<Value>)) -> Bundle {
    let typed = |media: &str| {
        Attachment::new(media.parse().unwrap(), attachment("first").bytes().to_vec()).unwrap()
    };
    let drafts = vec![
        Draft::new(0).attach(vec![typed("text/markdown")]),
        Draft::new(1).attach(vec![typed("text/plain")]),
    ];
    let mut bundle = whole(&Log::sealed(SigningPromise::Checkpoints, vec![drafts]));
    let list = bundle.manifest["attachments"].as_array_mut().unwrap();
    assert_eq!(list.len(), 2);
    change(list);
    bundle
}

/// `with_attachments` with a reference of its first envelope changed and everything recomputed by an insider.
fn referring(change: impl FnOnce(&mut Log)) -> Members {
    let mut log = with_attachments();
    let listed = whole(&log).manifest["attachments"].clone();
    change(&mut log);
    log.recompute_content();
    log.finish();
    let mut bundle = whole(&log);
    bundle.manifest["attachments"] = listed;
    bundle.members()
}

fn attachment_lists() -> Vec<Case> {
    let (_, second) = attachment_names();
    let unreferenced = attachment("third");
    let mut third = relisted(|list| {
        list.push(json!(unreferenced.reference()));
        list.sort_by_key(|entry| entry["content_hash"].to_string());
    });
    third.parts.push(Part {
        name: layout::attachment(&unreferenced.reference().content_hash),
        bytes: unreferenced.bytes().to_vec(),
    });
    let from = third.parts.iter().position(|part| part.name.starts_with("attachments/")).unwrap();
    third.parts[from..].sort_by(|one, other| one.name.cmp(&other.name));
    let mut forgotten = relisted(|list| {
        list.retain(|entry| !second.ends_with(entry["content_hash"].as_str().unwrap()));
    });
    forgotten.remove(&second);
    let refs = |size_bytes: u64| {
        move |log: &mut Log| {
            let mut refs: Vec<_> = log.envelope(1).fields.attachment_refs.as_slice().to_vec();
            refs[0].size_bytes = size_bytes;
            log.envelope(1).fields.attachment_refs = refs.try_into().unwrap();
        }
    };
    vec![
        Case::reject(
            "attachment-unreferenced",
            F::AttachmentUnreferenced,
            "The manifest lists an attachment to which no envelope refers.",
            &third.members(),
        ),
        Case::reject(
            "attachment-forgotten",
            F::AttachmentRefUnlisted,
            "An envelope refers to an attachment that the manifest neither lists nor calls withheld.",
            &forgotten.members(),
        ),
        Case::reject(
            "attachment-size-lied",
            F::AttachmentSizeMismatch,
            "The manifest states another size of an attachment than it has.",
            &relisted(|list| list[0]["size_bytes"] = 9.into()).members(),
        ),
        Case::reject(
            "attachment-reference-size-lied",
            F::AttachmentSizeMismatch,
            "An insider recorded a reference with another size than the attachment has.",
            &referring(refs(9)),
        ),
        Case::reject(
            "attachment-type-lied",
            F::AttachmentRefUnlisted,
            "The manifest states another media type of an attachment than the envelopes.",
            &relisted(|list| list[0]["content_type"] = "text/html".into()).members(),
        ),
        Case::reject(
            "attachments-unordered",
            F::AttachmentListInvalid,
            "The manifest's attachments are not sorted.",
            &relisted(|list| list.swap(0, 1)).members(),
        ),
        Case::reject(
            "attachment-listed-twice",
            F::AttachmentListInvalid,
            "The manifest lists an attachment twice.",
            &relisted(|list| list.insert(1, list[0].clone())).members(),
        ),
        Case::reject(
            "attachment-of-two-sizes",
            F::AttachmentListInvalid,
            "The manifest states two sizes of an attachment, one with each of its types.",
            &of_two_types(|list| list[1]["size_bytes"] = 9.into()).members(),
        ),
        Case::reject(
            "attachment-withheld-and-not",
            F::AttachmentListInvalid,
            "The manifest calls an attachment withheld with one of its types and present with the other.",
            &of_two_types(|list| list[1]["withheld"] = true.into()).members(),
        ),
        Case::reject(
            "attachment-reference-edited",
            F::ContentHashMismatch,
            "The media type of a reference was edited in an envelope.",
            &{
                let mut bundle = whole(&with_attachments());
                bundle.edit_lines(LINES, |lines| {
                    lines[1]["attachment_refs"][0]["content_type"] = "text/html".into();
                });
                bundle.members()
            },
        ),
    ]
}
