//! What envelopes say: payloads, members, spellings, ids and parents.

use recorder_core::hash::PayloadCommitment;
use recorder_envelope::envelope::PayloadSalt;
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode as F;
use serde_json::json;

use super::case::{Case, LINES, plain, replace, signed, unsigned, whole};
use crate::forge::bundle::{Bundle, Members, Selection};
use crate::forge::draft::{Draft, canonical_payload, envelope_id};
use crate::forge::keys::Holder;
use crate::forge::log::{Log, Recompute};

/// Every manipulation of content.
pub(crate) fn cases() -> Vec<Case> {
    let spelled = [spellings(), bytes(), identifiers()];
    let spelled = spelled.into_iter().flatten().map(|case| case.trust(None));
    let recorded = [payloads(), fields(), repeated_ids(), parents()];
    recorded.into_iter().flatten().chain(spelled).collect()
}

/// The amount of the second transfer is changed.
fn pay_more(log: &mut Log) {
    let payload = json!({ "amount": 901, "tool": "transfer" });
    log.envelope(1).payload.as_mut().unwrap().payload = canonical_payload(&payload);
}

fn payload_edited(level: Recompute) -> Members {
    Bundle::tampered(&signed(), &Selection::everything(), level, pay_more)
}

fn payloads() -> Vec<Case> {
    // Nobody signs the log; the auditor noted its head and signed the note.
    let mut noted = unsigned();
    noted.checkpoint = Some(noted.head().sign(&Holder::Witness.key()).unwrap().render());
    let mut unsigned_rewrite = unsigned();
    pay_more(&mut unsigned_rewrite);
    unsigned_rewrite.recompute(Recompute::Chain);
    vec![
        Case::reject(
            "payload-edited",
            F::PartHashMismatch,
            "A payload was edited, and nothing else.",
            &payload_edited(Recompute::Nothing),
        ),
        Case::reject(
            "payload-edited-manifest-restated",
            F::CommitmentMismatch,
            "A payload was edited; the manifest states the new part.",
            &payload_edited(Recompute::Manifest),
        ),
        Case::reject(
            "payload-edited-content-rehashed",
            F::ChainHashMismatch,
            "A payload was edited; commitment and content hash were recomputed.",
            &payload_edited(Recompute::Content),
        ),
        Case::reject(
            "payload-edited-rechained",
            F::CheckpointSignatureInvalid,
            "A payload was edited; chain, seal and root were recomputed to the end. The old signatures were kept.",
            &payload_edited(Recompute::Chain),
        ),
        Case::reject(
            "payload-edited-signed-by-attacker",
            F::KeyUnknown,
            "A payload was edited; everything was recomputed and signed with the attacker's own key.",
            &payload_edited(Recompute::AttackerKey),
        ),
        Case::reject(
            "payload-edited-signed-by-insider",
            F::KnownHeadMismatch,
            "A payload was edited; everything was recomputed and signed with the recorder's key. Only a head that is known from before tells.",
            &payload_edited(Recompute::RealKey),
        )
        .knowing(&signed()),
        Case::reject(
            "unsigned-log-rewritten",
            F::KnownHeadMismatch,
            "A log that nobody signs was rewritten from the first changed payload on. Only a head that is known from before tells.",
            &whole(&unsigned_rewrite).members(),
        )
        .trust(None)
        .knowing(&noted),
        Case::reject(
            "payloads-exchanged",
            F::CommitmentMismatch,
            "Two envelopes exchanged payloads and salts.",
            &edited(signed(), |log| {
                let first = log.envelope(0).payload.take();
                let second = std::mem::replace(&mut log.envelope(1).payload, first);
                log.envelope(0).payload = second;
            }),
        ),
        Case::reject(
            "salt-edited",
            F::CommitmentMismatch,
            "A payload's salt was edited.",
            &edited(signed(), |log| {
                let payload = log.envelope(1).payload.as_mut().unwrap();
                payload.salt = PayloadSalt::from_bytes([0xee; 16]);
            }),
        ),
        Case::reject(
            "withheld-payload-recommitted",
            F::ContentHashMismatch,
            "A payload is withheld, and the commitment to it was replaced.",
            &edited(signed(), |log| {
                log.envelope(1).payload = None;
                log.envelope(1).payload_commitment = PayloadCommitment::from_bytes([0xee; 32]);
            }),
        ),
    ]
}

/// A log that was changed without recomputing a hash, exported and signed by an insider.
fn edited(mut log: Log, change: impl FnOnce(&mut Log)) -> Members {
    change(&mut log);
    whole(&log).members()
}

fn fields() -> Vec<Case> {
    vec![
        Case::reject(
            "actor-edited",
            F::ContentHashMismatch,
            "The actor of an envelope was edited.",
            &edited(signed(), |log| log.envelope(1).fields.actor_id = "agent-8".parse().unwrap()),
        ),
        Case::reject(
            "claimed-time-edited",
            F::ContentHashMismatch,
            "The claimed time of an envelope was edited.",
            &edited(signed(), |log| {
                log.envelope(1).fields.claimed_time =
                    "2020-01-01T00:00:00.000000000Z".parse().unwrap();
            }),
        ),
        Case::reject(
            "trace-removed",
            F::ContentHashMismatch,
            "An envelope was taken out of its trace.",
            &edited(
                Log::sealed(
                    SigningPromise::Checkpoints,
                    vec![vec![Draft::new(0).within("trace-1", "session-1")]],
                ),
                |log| log.envelope(0).fields.trace_id = None,
            ),
        ),
        Case::reject(
            "content-hash-edited",
            F::ContentHashMismatch,
            "The stated content hash was replaced by another envelope's.",
            &edited(signed(), |log| {
                log.envelope(1).content_hash = log.envelope(2).content_hash;
            }),
        ),
    ]
}

/// The lines of the first segment with a text replaced, and everything after it restated.
fn respelled(from: &str, to: &str) -> Members {
    respelled_bytes(from.as_bytes(), to.as_bytes())
}

fn respelled_bytes(from: &[u8], to: &[u8]) -> Members {
    let mut bundle = whole(&plain());
    replace(bundle.bytes_mut(LINES), from, to);
    bundle.members()
}

fn spellings() -> Vec<Case> {
    let rows: [(&'static str, F, &'static str, &str, &str); 20] = [
        (
            "line-with-white-space",
            F::LineNotCanonical,
            "A space stands after a colon.",
            "\"amount\":101",
            "\"amount\": 101",
        ),
        (
            "line-members-reordered",
            F::LineNotCanonical,
            "Two members of a payload stand in another order.",
            "\"amount\":101,\"tool\":\"transfer\"",
            "\"tool\":\"transfer\",\"amount\":101",
        ),
        (
            "number-with-fraction-zero",
            F::LineNotCanonical,
            "101 is spelled 101.0.",
            "\"amount\":101",
            "\"amount\":101.0",
        ),
        (
            "number-with-exponent",
            F::LineNotCanonical,
            "101 is spelled 1.01e2.",
            "\"amount\":101",
            "\"amount\":1.01e2",
        ),
        (
            "number-minus-zero",
            F::LineNotCanonical,
            "A number is spelled -0.",
            "\"amount\":101",
            "\"amount\":-0",
        ),
        (
            "number-underflows",
            F::LineNotCanonical,
            "A number is spelled 1e-999, which a double reads as 0.",
            "\"amount\":101",
            "\"amount\":1e-999",
        ),
        (
            "number-overflows",
            F::LineMalformed,
            "A number is 1e400, which no double holds.",
            "\"amount\":101",
            "\"amount\":1e400",
        ),
        (
            "number-not-a-double",
            F::LineMalformed,
            "An integer is 9007199254740993, which doubles round to 9007199254740992.",
            "\"amount\":101",
            "\"amount\":9007199254740993",
        ),
        (
            "number-not-a-number",
            F::LineMalformed,
            "A number is NaN.",
            "\"amount\":101",
            "\"amount\":NaN",
        ),
        (
            "member-repeated-in-payload",
            F::LineMalformed,
            "A payload holds one member twice; readers differ on which counts.",
            "\"amount\":101",
            "\"amount\":1,\"amount\":101",
        ),
        (
            "member-repeated-by-escape",
            F::LineMalformed,
            "A payload holds one member twice, once with an escaped letter.",
            "\"amount\":101",
            "\"amount\":101,\"\\u0061mount\":1",
        ),
        (
            "letter-escaped",
            F::LineNotCanonical,
            "A letter is escaped that need not be.",
            "\"transfer\"",
            "\"tr\\u0061nsfer\"",
        ),
        (
            "lone-surrogate",
            F::LineMalformed,
            "A string holds half a surrogate pair.",
            "\"transfer\"",
            "\"transfer\\ud800\"",
        ),
        (
            "unknown-member",
            F::LineMalformed,
            "An envelope holds a member that no envelope has.",
            ",\"schema_version\"",
            ",\"reviewed_by\":\"auditor\",\"schema_version\"",
        ),
        (
            "member-left-out",
            F::LineMalformed,
            "An envelope lacks its session_id, which is null and not absent.",
            "\"session_id\":null,",
            "",
        ),
        (
            "schema-version-2",
            F::LineMalformed,
            "An envelope is of a version that does not exist.",
            "\"schema_version\":1",
            "\"schema_version\":2",
        ),
        (
            "payload-not-an-object",
            F::LineMalformed,
            "A payload is an array.",
            "{\"amount\":101,\"tool\":\"transfer\"}",
            "[101]",
        ),
        (
            "payload-without-salt",
            F::LineMalformed,
            "A payload stands there and its salt is null.",
            "\"payload_salt\":\"01010101010101010101010101010101\"",
            "\"payload_salt\":null",
        ),
        (
            "hash-in-upper-case",
            F::LineMalformed,
            "A salt has upper-case digits.",
            "\"payload_salt\":\"01010101010101010101010101010101\"",
            "\"payload_salt\":\"0A010101010101010101010101010101\"",
        ),
        (
            "recorded-at-without-nanoseconds",
            F::LineMalformed,
            "A recorded time has no fractional digits.",
            "\"recorded_at\":\"2026-11-22T00:00:01.000000000Z\"",
            "\"recorded_at\":\"2026-11-22T00:00:01Z\"",
        ),
    ];
    let case = |(name, meant, description, from, to)| {
        Case::reject(name, meant, description, &respelled(from, to))
    };
    rows.map(case).into()
}

/// The lines of the first segment, changed as bytes.
fn rewritten(change: impl FnOnce(&mut Vec<u8>)) -> Members {
    let mut bundle = whole(&plain());
    change(bundle.bytes_mut(LINES));
    bundle.members()
}

fn bytes() -> Vec<Case> {
    let deep = format!("\"tool\":{}{}", "[".repeat(70), "]".repeat(70));
    vec![
        Case::reject(
            "byte-order-mark",
            F::LineMalformed,
            "A part of envelopes begins with a byte order mark.",
            &rewritten(|bytes| {
                bytes.splice(0..0, *b"\xef\xbb\xbf");
            }),
        ),
        Case::reject(
            "overlong-utf-8",
            F::LineMalformed,
            "A slash is encoded in two bytes.",
            &respelled_bytes(b"\"transfer\"", b"\"transfer\xc0\xaf\""),
        ),
        Case::reject(
            "carriage-return",
            F::LineNotCanonical,
            "A line ends with a carriage return before its line feed.",
            &respelled("}\n", "}\r\n"),
        ),
        Case::reject(
            "last-line-feed-missing",
            F::LineUnterminated,
            "The last line has no line feed.",
            &rewritten(|bytes| {
                bytes.pop();
            }),
        ),
        Case::reject(
            "blank-line",
            F::LineMalformed,
            "A blank line stands between two envelopes.",
            &respelled("}\n", "}\n\n"),
        ),
        Case::reject(
            "part-without-lines",
            F::PartLineCount,
            "A part of envelopes holds nothing at all.",
            &rewritten(Vec::clear),
        ),
        Case::reject(
            "payload-too-deep",
            F::LineMalformed,
            "A payload is nested deeper than 64.",
            &respelled("\"tool\":\"transfer\"", &deep),
        ),
        Case::reject(
            "line-is-not-json",
            F::LineMalformed,
            "A line is no JSON.",
            &respelled("{\"actor_id\"", "#{\"actor_id\""),
        ),
    ]
}

fn identifiers() -> Vec<Case> {
    let rows: [(&'static str, &'static str, &str, &str); 9] = [
        (
            "identifier-turns-direction",
            "An actor's id holds U+202E, which turns the text that follows.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-\u{202e}7\"",
        ),
        (
            "identifier-with-zero-width",
            "An actor's id holds U+200B, which nobody sees.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-7\u{200b}\"",
        ),
        (
            "identifier-with-tag",
            "An actor's id holds U+E0041, which nobody sees.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-7\u{e0041}\"",
        ),
        (
            "identifier-with-filler",
            "An actor's id holds U+3164, which looks like a space.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-7\u{3164}\"",
        ),
        (
            "identifier-blank",
            "An actor's id is empty.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"\"",
        ),
        (
            "identifier-with-trailing-space",
            "An actor's id ends with a space.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-7 \"",
        ),
        (
            "identifier-with-control",
            "An actor's id holds an escaped line feed.",
            "\"actor_id\":\"agent-7\"",
            "\"actor_id\":\"agent-7\\n\"",
        ),
        (
            "event-type-in-upper-case",
            "An event type has a capital letter.",
            "\"event_type\":\"tool.call\"",
            "\"event_type\":\"Tool.call\"",
        ),
        (
            "envelope-id-not-version-7",
            "An envelope's id is a UUID of version 4.",
            "\"envelope_id\":\"01936b2e-7c0e-7000",
            "\"envelope_id\":\"01936b2e-7c0e-4000",
        ),
    ];
    let case = |(name, description, from, to)| {
        Case::reject(name, F::IdentifierInvalid, description, &respelled(from, to))
    };
    rows.map(case).into()
}

fn repeated_ids() -> Vec<Case> {
    let promise = SigningPromise::Checkpoints;
    let within = Log::sealed(promise, vec![vec![Draft::new(0), Draft::new(1), Draft::new(0)]]);
    let across = Log::sealed(promise, vec![Draft::range(0..2), vec![Draft::new(1)]]);
    vec![
        Case::reject(
            "envelope-id-repeated",
            F::EnvelopeRepeated,
            "An insider recorded two envelopes of one id in a segment.",
            &whole(&within).members(),
        ),
        Case::reject(
            "envelope-id-repeated-across-segments",
            F::EnvelopeRepeated,
            "An insider recorded two envelopes of one id in two segments.",
            &whole(&across).members(),
        ),
    ]
}

/// Position 2 of a log in which it names parents 0 and 1.
fn with_omitted_parents() -> Bundle {
    let drafts = vec![Draft::new(0), Draft::new(1), Draft::new(2).after(&[0, 1])];
    let log = Log::sealed(SigningPromise::Checkpoints, vec![drafts]);
    Bundle::of(&log, &Selection::positions(&[(2, 3)]))
}

fn omitting(parents: &[u64]) -> Members {
    let mut bundle = with_omitted_parents();
    let ids: Vec<_> = parents.iter().map(|number| envelope_id(*number)).collect();
    bundle.manifest["omitted_parent_ids"] = json!(ids);
    bundle.members()
}

fn parents() -> Vec<Case> {
    let mut present = whole(&Log::sealed(
        SigningPromise::Checkpoints,
        vec![vec![Draft::new(0), Draft::new(1).after(&[0])]],
    ));
    present.manifest["omitted_parent_ids"] = json!([envelope_id(0)]);
    let drafts = vec![Draft::new(1), Draft::new(2).after(&[1]), Draft::new(3).after(&[0])];
    let mut concealed = whole(&Log::sealed(SigningPromise::Checkpoints, vec![drafts]));
    concealed.manifest["omitted_parent_ids"] = json!([]);
    vec![
        Case::reject(
            "omitted-parent-concealed-behind-another",
            F::ParentUnlisted,
            "One envelope names a parent that is there, the next one a parent that is missing from omitted_parent_ids.",
            &concealed.members(),
        ),
        Case::reject(
            "omitted-parent-concealed",
            F::ParentUnlisted,
            "A parent that the bundle does not hold is missing from omitted_parent_ids.",
            &omitting(&[0]),
        ),
        Case::reject(
            "omitted-parent-invented",
            F::OmittedParentUnnamed,
            "omitted_parent_ids names an envelope that is nobody's parent.",
            &omitting(&[0, 1, 9]),
        ),
        Case::reject(
            "omitted-parent-present",
            F::OmittedParentPresent,
            "omitted_parent_ids names an envelope that the bundle holds.",
            &present.members(),
        ),
        Case::reject(
            "omitted-parents-unordered",
            F::OmittedParentsUnordered,
            "omitted_parent_ids is not sorted.",
            &omitting(&[1, 0]),
        ),
        Case::reject(
            "omitted-parent-repeated",
            F::OmittedParentsUnordered,
            "omitted_parent_ids names one parent twice.",
            &omitting(&[0, 0, 1]),
        ),
    ]
}
