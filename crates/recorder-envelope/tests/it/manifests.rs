//! The vectors under `docs/spec/vectors/manifests`: canonical form, and the id that follows from it.

use recorder_core::hash::{PartHash, TreeHash, sha256};
use recorder_envelope::bundle::layout;
use recorder_envelope::bundle::manifest::{
    Manifest, ManifestAttachment, ManifestContent, ManifestPart, ManifestSegment,
};
use recorder_envelope::selector::Selector;
use serde_json::{Value, json};

use crate::samples::{attachment, chained, envelope_id, genesis, seal, stream};
use crate::vector_file;

fn part(name: String, bytes: &[u8]) -> ManifestPart {
    ManifestPart {
        name: name.into(),
        size_bytes: bytes.len() as u64,
        sha256: PartHash::from_bytes(sha256(&[bytes])),
    }
}

fn listed(content_type: &str, bytes: &[u8], withheld: bool) -> ManifestAttachment {
    let reference = attachment(content_type, bytes).reference().clone();
    ManifestAttachment {
        content_hash: reference.content_hash,
        content_type: reference.content_type,
        size_bytes: reference.size_bytes,
        withheld,
    }
}

/// A manifest of the shape that a selection with everything optional has.
fn selection() -> ManifestContent {
    let envelopes = chained(3);
    let root_hash = TreeHash::from_bytes([0xef; 32]);
    let seal = seal(&envelopes, root_hash);
    let mut attachments = vec![
        listed("text/plain", b"abc", false),
        listed("text/csv", b"abc", false),
        listed("a/b", b"secret", true),
    ];
    attachments.sort();
    ManifestContent {
        created_at: "2026-11-22T01:00:00Z".parse().unwrap(),
        stream: stream(),
        selector: Selector::parse(br#"{"event_type":{"equals":"tool.result"}}"#).unwrap(),
        segments: vec![ManifestSegment {
            segment_id: seal.segment_id,
            genesis_hash: seal.genesis_hash,
            seal_hash: Some(seal.hash()),
            chain_head: seal.chain_head,
            envelope_count: 3,
            included_count: 1,
            complete: false,
        }],
        envelope_count: 1,
        attachments,
        tree_size: 3,
        root_hash,
        omitted_parent_ids: vec![envelope_id(0)],
        parts: vec![
            part(layout::CHECKPOINT.into(), b"checkpoint"),
            part(layout::README.into(), b"readme"),
            part(layout::genesis(0), &genesis().to_canonical()),
            part(layout::envelopes(0, 0), b"envelopes"),
            part(layout::PROOFS.into(), b"proofs"),
        ],
    }
}

fn whole() -> ManifestContent {
    let mut content = selection();
    content.selector = Selector::everything();
    content.attachments.clear();
    content.omitted_parent_ids.clear();
    content.envelope_count = 3;
    content.segments[0].included_count = 3;
    content.segments[0].complete = true;
    content.segments[0].seal_hash = None;
    content
}

#[test]
fn manifests_have_their_published_ids() {
    let cases: Vec<Value> =
        [("a selection", selection()), ("everything of an open segment", whole())]
            .into_iter()
            .map(|(name, content)| {
                let manifest = Manifest::new(content);
                let canonical = manifest.to_canonical();
                assert_eq!(Manifest::from_canonical(&canonical).unwrap(), manifest);
                let text = String::from_utf8(canonical).unwrap();
                let id = format!("\"bundle_id\":\"{}\",", manifest.bundle_id());
                json!({
                    "name": name, "manifest": text, "without_bundle_id": text.replacen(&id, "", 1),
                    "bundle_id": manifest.bundle_id(),
                })
            })
            .collect();
    vector_file::check(
        "vectors/manifests/manifests.json",
        "Texts whose UTF-8 bytes are meant. bundle_id follows from without_bundle_id. What the manifests state need not hold.",
        &cases,
    );
}

/// One change of a good manifest each. All but those that name the id break the id too, which is not why they are refused.
const FAULTS: [(&str, &str, &str); 15] = [
    ("another bundle id", "\"bundle_id\":\"", "\"bundle_id\":\"0"),
    ("no bundle id", "\"bundle_id\":", "\"id\":"),
    ("a changed count", "\"tree_size\":3", "\"tree_size\":4"),
    ("another type", "recorder.bundle/v1", "recorder.bundle/v2"),
    ("another hash algorithm", "\"sha256\",\"omitted", "\"sha512\",\"omitted"),
    ("an unknown member", "\"envelope_count\":1,", "\"envelope_count\":1,\"extra\":0,"),
    ("white space", "\"envelope_count\":1,", "\"envelope_count\": 1,"),
    ("withheld that is false", "\"size_bytes\":3}", "\"size_bytes\":3,\"withheld\":false}"),
    ("a seal hash that is not there", ",\"seal_hash\":", ",\"seal\":"),
    ("a time of another spelling", "01:00:00.000000000Z", "01:00:00Z"),
    ("an unknown selector", "\"event_type\":{\"equals\"", "\"event\":{\"equals\""),
    ("an upper-case hash", "\"root_hash\":\"ef", "\"root_hash\":\"EF"),
    ("a number that is negative", "\"envelope_count\":1,", "\"envelope_count\":-1,"),
    ("a stream without its recorder", "\"recorder_id\":\"recorder-cli\",", ""),
    ("bytes after the object", "recorder.bundle/v1\"}", "recorder.bundle/v1\"}\n"),
];

#[test]
fn manifests_of_another_form_are_refused() {
    let good = String::from_utf8(Manifest::new(selection()).to_canonical()).unwrap();
    let mut cases = Vec::new();
    for (name, from, to) in FAULTS {
        assert!(good.contains(from), "{name}");
        let wrong = good.replacen(from, to, 1);
        assert!(Manifest::from_canonical(wrong.as_bytes()).is_err(), "{name}");
        cases.push(json!({ "name": name, "manifest": wrong }));
    }
    vector_file::check(
        "vectors/manifests/refused.json",
        "Manifests that break one rule each.",
        &cases,
    );
}
