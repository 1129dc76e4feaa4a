//! What a verification says: `docs/spec/evidence-format.md` §15 and §16.

use recorder_verify::{FindingCode, Phase};
use serde_json::{Value, json};

use super::{boolean, list, object, of, or_null, text, words};
use crate::enumeration;

pub(super) fn shapes() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("verdict", words("The verdict.", &enumeration::verdicts())),
        ("answers", answers()),
        (
            "phase",
            words("A phase of verification.", &Phase::ALL.map(|phase| phase.name().to_owned())),
        ),
        ("finding_code", words("What is wrong or unproven.", &codes(FindingCode::ALL))),
        ("severity", words("How much it weighs.", &enumeration::severities())),
        ("finding", finding()),
        ("verify_answer", verify_answer()),
        ("inspect_answer", inspect_answer()),
        ("form", words("In which form a bundle comes.", &enumeration::forms())),
        ("transcript", transcript()),
        ("transcript_inputs", inputs()),
        ("transcript_subject", subject()),
        (
            "transcript_key",
            object(
                "A trusted key whose signature held, and on what.",
                &[
                    ("key_id", of("hash")),
                    ("on", list(json!({ "enum": ["manifest", "checkpoint", "seal", "envelope"] }))),
                ],
                &[],
            ),
        ),
        (
            "transcript_finding",
            object(
                "A finding and its place.",
                &[("code", of("finding_code")), ("place", text("Where it is."))],
                &[],
            ),
        ),
    ];
    all.extend(Phase::ALL.map(|phase| (phase_shape(phase), phase_object(phase))));
    all
}

fn codes(all: &[FindingCode]) -> Vec<String> {
    all.iter().map(|code| code.code().to_owned()).collect()
}

fn answers() -> Value {
    let all = enumeration::answers();
    let members: Vec<(&str, Value)> = all
        .iter()
        .map(|(question, answers)| (*question, words("The answer to this question.", answers)))
        .collect();
    object("The answers to the five questions.", &members, &[])
}

fn transcript() -> Value {
    let phases: Vec<Value> = Phase::ALL.map(|phase| of(phase_shape(phase))).to_vec();
    let phases = json!({ "type": "array", "prefixItems": phases, "items": false });
    let members = [
        ("answers", of("answers")),
        ("finding_count", of("whole")),
        ("inputs", of("transcript_inputs")),
        ("keys", list(of("transcript_key"))),
        ("phases", phases),
        ("subject", or_null(of("transcript_subject"))),
        ("type", json!({ "const": "recorder.verification-transcript/v1" })),
        ("verdict", of("verdict")),
    ];
    object("What a verification did.", &members, &[])
}

fn inputs() -> Value {
    let members = [
        ("bundle_sha256", of("hash")),
        ("known_heads_sha256", list(of("hash"))),
        ("limits_sha256", of("hash")),
        ("trust_root_sha256", or_null(of("hash"))),
    ];
    object("The hashes of what was looked at.", &members, &[])
}

fn subject() -> Value {
    let members = [
        ("bundle_id", of("uuid_v7")),
        ("envelope_count", of("whole")),
        ("form", of("form")),
        ("stream", of("stream")),
        ("tree_size", of("whole")),
    ];
    object("What was verified.", &members, &[])
}

fn finding() -> Value {
    let members = [
        ("code", of("finding_code")),
        ("detail", text("What is wrong, for people; never a payload.")),
        ("phase", of("phase")),
        ("place", text("Where it is.")),
        ("severity", of("severity")),
    ];
    object("Something that is wrong or unproven.", &members, &[])
}

fn verify_answer() -> Value {
    let members = [
        ("verdict", of("verdict")),
        ("answers", of("answers")),
        ("trust_root_given", boolean("Whether anybody was given to trust.")),
        ("subject", or_null(of("transcript_subject"))),
        ("findings", list(of("finding"))),
        ("finding_count", of("whole")),
    ];
    object("What the verification of a bundle found.", &members, &[])
}

fn inspect_answer() -> Value {
    let members = [
        ("attachment_count", of("whole")),
        ("bundle_id", of("uuid_v7")),
        ("created_at", of("time")),
        ("envelope_count", of("whole")),
        ("form", of("form")),
        ("has_checkpoint", boolean("Whether it has a checkpoint.")),
        ("has_signature", boolean("Whether its manifest carries a signature.")),
        ("omitted_parent_count", of("whole")),
        ("part_count", of("whole")),
        ("root_hash", of("hash")),
        ("segments", list(of("bundle_segment"))),
        ("selector", of("selector")),
        ("stream", of("stream")),
        ("tree_size", of("whole")),
        ("verified", json!({ "const": false })),
        ("withheld_count", of("whole")),
    ];
    object("What a bundle says of itself; nothing of it is verified.", &members, &[])
}

/// What a phase counts (§15).
const fn counted(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::Manifest => &["part_bytes", "parts", "segments"],
        Phase::Attachments => &["attachments", "references", "withheld"],
        Phase::Content => &["envelopes", "omitted_parents", "payloads_withheld"],
        Phase::Chain => &["gap_anchors", "links"],
        Phase::Segments => &["sealed", "segments"],
        Phase::Signatures => &["envelopes", "keys", "verified"],
        Phase::Anchors => {
            &["cosignatures", "inclusion_paths", "known_heads", "roots_recomputed", "runs"]
        }
    }
}

const fn phase_shape(phase: Phase) -> &'static str {
    match phase {
        Phase::Manifest => "phase_manifest",
        Phase::Attachments => "phase_attachments",
        Phase::Content => "phase_content",
        Phase::Chain => "phase_chain",
        Phase::Segments => "phase_segments",
        Phase::Signatures => "phase_signatures",
        Phase::Anchors => "phase_anchors",
    }
}

fn phase_object(phase: Phase) -> Value {
    let counts: Vec<(&str, Value)> =
        counted(phase).iter().map(|name| (*name, of("whole"))).collect();
    let counts = json!({ "anyOf": [object("What it counted.", &counts, &[]), { "type": "object", "maxProperties": 0 }] });
    let members = [
        ("counts", counts),
        ("finding_count", of("whole")),
        ("findings", list(of("transcript_finding"))),
        ("phase", json!({ "const": phase.name() })),
        ("reached", boolean("Whether the bundle could be looked at so far.")),
    ];
    object("What a phase did.", &members, &[])
}
