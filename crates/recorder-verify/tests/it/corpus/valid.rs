//! Bundles that must verify.

use recorder_envelope::attachment::Attachment;
use recorder_envelope::checkpoint::{self, Checkpoint, cosign};
use recorder_envelope::preimage;
use recorder_envelope::segment::SigningPromise;
use serde_json::{Value, json};

use super::case::{
    Case, Outcome, partial, seven, signed, signed_envelopes, split, two_segments, unsigned, whole,
    with_attachments,
};
use crate::forge::bundle::{Bundle, ManifestSigner, Selection};
use crate::forge::draft::{BEGIN_SECONDS, Draft, attachment, segment_id};
use crate::forge::keys::Holder;
use crate::forge::log::Log;

/// Every bundle that must verify.
pub(crate) fn cases() -> Vec<Case> {
    [logs(), selections(), contents(), attachments(), auditors(), signers(), documents()]
        .into_iter()
        .flatten()
        .collect()
}

fn logs() -> Vec<Case> {
    let mut heartbeats = signed();
    heartbeats.segments[0].genesis.heartbeat_seconds = 60;
    heartbeats.finish();
    let open = Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..2), Draft::range(2..4)]);
    let mut stronger = Log::new(SigningPromise::Checkpoints);
    stronger.record(SigningPromise::None, Draft::range(0..2));
    stronger.record(SigningPromise::Envelopes, Draft::range(2..4));
    stronger.finish();
    let single = Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..1)]);
    let many =
        Log::sealed(SigningPromise::Checkpoints, (0..5).map(|n| vec![Draft::new(n)]).collect());
    let mut simultaneous = signed();
    let first = simultaneous.envelope(0).place.recorded_at;
    (1..3).for_each(|number| simultaneous.envelope(number).place.recorded_at = first);
    simultaneous.finish();
    vec![
        Case::valid(
            "signed",
            "One sealed segment with signed seal, checkpoint and manifest.",
            &whole(&signed()).members(),
        ),
        Case::valid(
            "unsigned",
            "One sealed segment; nobody signs anything, nobody is trusted.",
            &whole(&unsigned()).members(),
        )
        .trust(None)
        .outcome(Outcome::Warned),
        Case::valid(
            "open-unsigned",
            "The last segment is still open; nobody signs anything.",
            &whole(&Log::open(SigningPromise::None, vec![Draft::range(0..3)])).members(),
        )
        .trust(None)
        .outcome(Outcome::Warned),
        Case::valid(
            "parts-of-few-envelopes",
            "The envelopes of a segment are in two parts, neither of them full.",
            &split(&whole(&signed()), "segments/000000/envelopes-000001.jsonl").members(),
        ),
        Case::valid(
            "signed-without-trust-root",
            "Everything is signed, and no trust root says by whom.",
            &whole(&signed()).members(),
        )
        .trust(None)
        .outcome(Outcome::Warned),
        Case::valid(
            "signed-envelopes",
            "A signature on every envelope.",
            &whole(&signed_envelopes()).members(),
        ),
        Case::valid("two-segments", "Two sealed segments.", &whole(&two_segments()).members()),
        Case::valid("five-segments", "Five segments of one envelope.", &whole(&many).members()),
        Case::valid(
            "single-envelope",
            "One envelope: the smallest bundle.",
            &whole(&single).members(),
        ),
        Case::valid(
            "open-end",
            "The last segment is still open; the checkpoint covers it.",
            &whole(&open).members(),
        ),
        Case::valid(
            "heartbeats-promised",
            "The genesis promises heartbeats.",
            &whole(&heartbeats).members(),
        ),
        Case::valid(
            "signing-strengthened",
            "The second segment promises more than the first.",
            &whole(&stronger).members(),
        ),
        Case::valid(
            "recorded-at-one-moment",
            "Three envelopes recorded at one nanosecond.",
            &whole(&simultaneous).members(),
        ),
    ]
}

fn selections() -> Vec<Case> {
    let of = |log: &Log, selector: Value| Bundle::of(log, &Selection::of(selector)).members();
    let promise = SigningPromise::Checkpoints;
    let segments =
        || Log::sealed(promise, vec![Draft::range(0..2), Draft::range(2..5), Draft::range(5..7)]);
    let mixed = Log::sealed(
        promise,
        vec![
            vec![Draft::new(0), Draft::new(1).actor("agent-8"), Draft::new(2)],
            vec![Draft::new(3).actor("agent-8"), Draft::new(4).within("trace-1", "session-1")],
        ],
    );
    let open = Log::open(promise, vec![Draft::range(0..4)]);
    let family = Log::sealed(
        promise,
        vec![vec![
            Draft::new(0),
            Draft::new(1),
            Draft::new(2).after(&[0, 1]),
            Draft::new(3).after(&[2]),
        ]],
    );
    vec![
        Case::valid(
            "partial-with-gaps",
            "A selection with gaps at both ends and in the middle.",
            &partial().members(),
        ),
        Case::valid(
            "partial-by-segment",
            "The middle one of three segments.",
            &of(&segments(), json!({ "segment": { "segment_id": segment_id(1) } })),
        ),
        Case::valid(
            "partial-first-segment",
            "The first one of three segments.",
            &of(&segments(), json!({ "segments": [segment_id(0)] })),
        ),
        Case::valid(
            "partial-run-over-segments",
            "A run that begins in one segment and ends in the next.",
            &Bundle::of(&segments(), &Selection::positions(&[(1, 4)])).members(),
        ),
        Case::valid(
            "partial-by-actor",
            "All envelopes of one actor, from two segments.",
            &of(&mixed, json!({ "actor": { "actor_id": "agent-8" } })),
        ),
        Case::valid(
            "partial-by-trace",
            "All envelopes of one trace.",
            &of(&mixed, json!({ "trace": { "trace_id": "trace-1" } })),
        ),
        Case::valid(
            "partial-of-an-open-segment",
            "A selection from a segment that is still open.",
            &Bundle::of(&open, &Selection::positions(&[(1, 3)])).members(),
        ),
        Case::valid(
            "partial-last-envelope",
            "The last envelope alone.",
            &Bundle::of(&seven(), &Selection::positions(&[(6, 7)])).members(),
        ),
        Case::valid(
            "partial-with-omitted-parents",
            "Envelopes whose parents are not all included.",
            &Bundle::of(&family, &Selection::positions(&[(2, 4)])).members(),
        ),
        Case::valid(
            "partial-unsigned",
            "A selection from a log that nobody signs.",
            &Bundle::of(
                &Log::sealed(SigningPromise::None, vec![Draft::range(0..5)]),
                &Selection::positions(&[(1, 2)]),
            )
            .members(),
        )
        .trust(None)
        .outcome(Outcome::Warned),
    ]
}

fn contents() -> Vec<Case> {
    let promise = SigningPromise::Checkpoints;
    let of = |drafts: Vec<Draft>| whole(&Log::sealed(promise, vec![drafts])).members();
    let unicode = json!({
        "\u{20ac}": "euro", "\r": "return", "\u{fb33}": "dalet", "1": "one",
        "\u{1f600}": "grin", "\u{80}": "control", "\u{f6}": "o with dots",
        "text": "\u{5317}\u{4eac} \u{202e} \u{feff} \" \\ / \u{8}\u{c}\n\t \u{1}",
        "composed": "\u{e9}", "decomposed": "e\u{301}",
    });
    let numbers = json!({
        "numbers": [0, -1, 9_007_199_254_740_991_i64, 1e21, 1e-7, 0.1, 333_333_333.333_333_3, 5e-324, 1.797_693_134_862_315_7e308],
    });
    let nested = (0..62).fold(json!([]), |inner, _| json!([inner]));
    let mut other = Log::new(promise);
    other.stream.tenant_id = "Acme & S\u{f8}nner / \u{6771}\u{4eac}".parse().unwrap();
    other.stream.recorder_id = "recorder \"1\"\\+%".parse().unwrap();
    other.record(
        promise,
        vec![Draft::new(0).actor("agent \"\u{1f916}\"").within("trace\\1", "\u{10348}")],
    );
    other.finish();
    let withheld = Selection::everything().without_payloads(&[1]);
    let repetitive = json!({ "text": "a".repeat(20_000) });
    vec![
        Case::valid(
            "unicode-payload",
            "Member names and strings from all planes, escapes, two spellings of one letter.",
            &of(vec![Draft::new(0).payload(unicode)]),
        ),
        Case::valid(
            "numbers",
            "Numbers at the edges of what a double holds.",
            &of(vec![Draft::new(0).payload(numbers)]),
        ),
        Case::valid(
            "empty-payload",
            "An empty payload.",
            &of(vec![Draft::new(0).payload(json!({}))]),
        ),
        Case::valid(
            "nested-payload",
            "A payload nested 64 deep.",
            &of(vec![Draft::new(0).payload(json!({ "a": nested }))]),
        ),
        Case::valid(
            "unicode-identifiers",
            "Identifiers with spaces, quotes, backslashes and letters of all planes.",
            &whole(&other).members(),
        )
        .trust(Some("recorder-everywhere")),
        Case::valid(
            "payload-withheld",
            "A payload is withheld: its commitment stands for it.",
            &Bundle::of(&signed(), &withheld).members(),
        ),
        Case::valid(
            "member-stored",
            "A part that would deflate by more than 100 is stored.",
            &of(vec![Draft::new(0).payload(repetitive)]),
        ),
    ]
}

/// The preimage of the first chain link of `signed`: an attachment of these bytes has a chain hash for a name.
fn chain_preimage() -> Attachment {
    let log = signed();
    let first = &log.segments[0].envelopes[0];
    let previous = preimage::chain_start(&log.segments[0].genesis.hash());
    let bytes = [
        [2].as_slice(),
        previous.as_bytes(),
        &0_u64.to_be_bytes(),
        &first.place.recorded_at.nanoseconds().to_be_bytes(),
        first.content_hash.as_bytes(),
    ]
    .concat();
    Attachment::new("application/octet-stream".parse().unwrap(), bytes).unwrap()
}

fn attachments() -> Vec<Case> {
    let hash = attachment("second").reference().content_hash;
    let withheld = Selection::everything().without_attachment(hash);
    let typed = |content_type: &str| {
        Attachment::new(content_type.parse().unwrap(), b"both".to_vec()).unwrap()
    };
    let two_types = Log::sealed(
        SigningPromise::Checkpoints,
        vec![vec![
            Draft::new(0).attach(vec![typed("text/plain; charset=\"utf-8\"")]),
            Draft::new(1).attach(vec![typed("text/markdown")]),
        ]],
    );
    let empty = Log::sealed(
        SigningPromise::Checkpoints,
        vec![vec![Draft::new(0).attach(vec![attachment("")])]],
    );
    let preimage = Log::sealed(
        SigningPromise::Checkpoints,
        vec![vec![Draft::new(0), Draft::new(1).attach(vec![chain_preimage()])]],
    );
    vec![
        Case::valid(
            "attachments",
            "Two attachments, one of which two envelopes refer to.",
            &whole(&with_attachments()).members(),
        ),
        Case::valid(
            "attachment-withheld",
            "The bytes of an attachment are withheld.",
            &Bundle::of(&with_attachments(), &withheld).members(),
        ),
        Case::valid(
            "attachment-of-two-types",
            "Two envelopes claim different media types of one attachment.",
            &whole(&two_types).members(),
        ),
        Case::valid("attachment-empty", "An attachment without bytes.", &whole(&empty).members()),
        Case::valid(
            "attachment-like-a-chain-link",
            "An attachment whose bytes are the preimage of a chain hash.",
            &whole(&preimage).members(),
        ),
        Case::valid(
            "attachments-partial",
            "A selection refers to one of two attachments.",
            &Bundle::of(&with_attachments(), &Selection::positions(&[(1, 3)])).members(),
        ),
    ]
}

fn auditors() -> Vec<Case> {
    let longer =
        Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..3), Draft::range(3..5)]);
    let mut witnessed = signed();
    let timestamp = u64::try_from(BEGIN_SECONDS).unwrap() + 60;
    let line = cosign(&witnessed.head(), "witness.example/w1", &Holder::Witness.key(), timestamp);
    let note = witnessed.signed_checkpoint().with_signature(line.unwrap()).unwrap();
    witnessed.checkpoint = Some(note.render());
    let open = Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..3)]);
    let mut other = signed();
    other.stream.tenant_id = "another".parse().unwrap();
    other.finish();
    let mut renamed = signed();
    let name = checkpoint::origin("another.example", &renamed.stream);
    let renamed_head = Checkpoint::new(name, renamed.tree_size, renamed.root).unwrap();
    renamed.checkpoint = Some(renamed_head.sign(&Holder::Recorder.key()).unwrap().render());
    let mut nothing = Log::new(SigningPromise::Checkpoints);
    nothing.finish();
    let promise = SigningPromise::Checkpoints;
    let five = Log::sealed(promise, vec![Draft::range(0..5)]);
    let first_three = Log::open(promise, vec![Draft::range(0..3)]);
    let first_four = Log::open(promise, vec![Draft::range(0..4)]);
    let gapped = Bundle::of(&five, &Selection::positions(&[(0, 2), (3, 5)]));
    vec![
        Case::valid(
            "known-head-equal-to-that-of-a-selection",
            "The auditor knows the head of the log of which the bundle is a selection.",
            &partial().members(),
        )
        .knowing(&seven()),
        Case::valid(
            "known-head-within-a-part",
            "The auditor knows the log when its one segment was open and shorter.",
            &whole(&five).members(),
        )
        .knowing(&first_three),
        Case::valid(
            "known-head-of-nothing",
            "The auditor knows the log from before its first envelope.",
            &whole(&signed()).members(),
        )
        .knowing(&nothing),
        Case::valid(
            "known-head-after-a-gap",
            "The auditor knows a head behind envelopes that the selection leaves out within a part.",
            &gapped.members(),
        )
        .knowing(&first_four)
        .outcome(Outcome::Warned),
        Case::valid(
            "known-head-under-another-name",
            "The auditor knows a head of the same stream under another log's name.",
            &whole(&signed()).members(),
        )
        .knowing(&renamed)
        .outcome(Outcome::Warned),
        Case::valid(
            "known-head-of-another-log-than-an-unsigned-one",
            "The auditor knows a head of another tenant's log; the bundle has no checkpoint.",
            &whole(&unsigned()).members(),
        )
        .knowing(&other)
        .outcome(Outcome::Warned),
        Case::valid(
            "known-head-equal",
            "The auditor knows the very checkpoint.",
            &whole(&open).members(),
        )
        .knowing(&open),
        Case::valid(
            "known-head-of-another-log",
            "The auditor knows a head of another tenant's log.",
            &whole(&signed()).members(),
        )
        .knowing(&other)
        .outcome(Outcome::Warned),
        Case::valid(
            "known-head-within-a-gap",
            "The auditor knows a head at a size that the selection cannot tell the root of.",
            &partial().members(),
        )
        .knowing(&signed())
        .outcome(Outcome::Warned),
        Case::valid(
            "witness-policy",
            "The trust root asks for a witness, whose cosignature is there.",
            &whole(&witnessed).members(),
        )
        .trust(Some("recorder-with-witness"))
        .outcome(Outcome::Warned),
        Case::valid(
            "known-head-earlier",
            "The auditor knows the log when it was shorter.",
            &whole(&longer).members(),
        )
        .knowing(&signed()),
        Case::valid(
            "witnessed",
            "A witness cosigned the checkpoint.",
            &whole(&witnessed).members(),
        ),
        Case::valid(
            "key-within-its-positions",
            "The trust root trusts the key at exactly the positions there are.",
            &whole(&signed_envelopes()).members(),
        )
        .trust(Some("recorder-from-0-until-2")),
        Case::valid(
            "key-retired",
            "The key has been retired since.",
            &whole(&signed_envelopes()).members(),
        )
        .trust(Some("recorder-retired")),
        Case::valid(
            "key-among-others",
            "The trust root holds keys of other streams too.",
            &whole(&signed()).members(),
        )
        .trust(Some("several")),
        Case::valid(
            "signed-for-an-auditor-of-another-stream",
            "The trust root holds no key of the stream that is signed.",
            &whole(&signed()).members(),
        )
        .trust(Some("other-recorder"))
        .outcome(Outcome::Warned),
        Case::valid(
            "trust-root-of-another-stream",
            "The trust root holds no key of an unsigned stream.",
            &whole(&unsigned()).members(),
        )
        .trust(Some("other-recorder"))
        .outcome(Outcome::Warned),
    ]
}

/// Logs that promise no signatures, of which one thing is signed.
fn signers() -> Vec<Case> {
    let key = Holder::Recorder.key();
    let mut manifest = whole(&unsigned());
    manifest.signer = ManifestSigner::Key(Holder::Recorder);
    let mut checkpoint = unsigned();
    checkpoint.checkpoint = Some(checkpoint.head().sign(&key).unwrap().render());
    let mut seal = unsigned();
    let signed = seal.last_segment().seal.as_mut().unwrap();
    signed.signature = Some(key.sign_seal(&signed.seal.hash()));
    let mut envelopes = unsigned();
    for envelope in &mut envelopes.last_segment().envelopes {
        let (content, chain) = (&envelope.content_hash, &envelope.chain_hash);
        envelope.signature = Some(key.sign_envelope(content, chain));
    }
    let mut each = whole(&envelopes);
    each.signer = ManifestSigner::Key(Holder::Recorder);
    let case = |name, description, bundle: &Bundle| {
        Case::valid(name, description, &bundle.members()).outcome(Outcome::Warned)
    };
    vec![
        case("manifest-signed-alone", "Nothing but the manifest is signed.", &manifest),
        case(
            "checkpoint-signed-alone",
            "Nothing but the checkpoint is signed.",
            &whole(&checkpoint),
        ),
        case("seal-signed-alone", "Nothing but the seal is signed.", &whole(&seal)),
        case("envelopes-signed-alone", "Nothing but the envelopes is signed.", &whole(&envelopes)),
        Case::valid(
            "manifest-and-envelopes-signed",
            "The manifest and each envelope are signed; there is no checkpoint.",
            &each.members(),
        ),
        case(
            "envelopes-signed-for-an-auditor-of-another-stream",
            "Each envelope is signed, and the trust root holds no key of the stream.",
            &whole(&signed_envelopes()),
        )
        .trust(Some("other-recorder")),
    ]
}

fn documents() -> Vec<Case> {
    let document = |name, description, bundle: Bundle| {
        let members = bundle.members();
        Case::valid(name, description, &members).document(members.document())
    };
    vec![
        document("document", "One sealed segment as a document.", whole(&signed())),
        document("document-partial", "A selection with gaps as a document.", partial()),
        document("document-with-attachments", "Attachments in base64.", whole(&with_attachments())),
        document("document-unsigned", "An unsigned log as a document.", whole(&unsigned()))
            .trust(None)
            .outcome(Outcome::Warned),
    ]
}
