//! The vectors under `docs/spec/vectors/envelopes`: values, hashes and lines of envelopes.

use recorder_core::hash::{ChainHash, PayloadCommitment};
use recorder_core::identity::{
    ActorId, AdapterId, BundleId, ContentType, EnvelopeId, EventType, IdentityError, IdentityFault,
};
use recorder_core::time::{RecordedAt, TimeError, UtcTimestamp};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{ParentIds, SealedEnvelope};
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::preimage;
use serde_json::{Value, json};

use crate::samples::{
    attachment, envelope_id, fields, hex, key, line_of, link_preimage, place, prepared, view_of,
};
use crate::vector_file;

/// Envelopes that between them use every member and every kind of character.
fn sealed_envelopes() -> Vec<(&'static str, SealedEnvelope)> {
    let previous = previous();
    let plain = prepared(fields(0), "{}").seal(place(0), &previous);
    let mut full = fields(1);
    full.actor_id = "Zo\u{eb} \"Q\" M\\\u{fc}ller".parse().unwrap();
    full.environment_id = "\u{6771}\u{4eac}/1 \u{1f680}".parse().unwrap();
    full.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap());
    full.session_id = Some("s\u{e9}ance 7".parse().unwrap());
    full.parent_ids = ParentIds::sorted(vec![envelope_id(9), envelope_id(3)]).unwrap();
    let refs = ["text/plain; charset=\"a\\\"b\"", "application/json"]
        .iter()
        .zip([b"abc".as_slice(), b"{}"])
        .map(|(kind, bytes)| attachment(kind, bytes).reference().clone());
    full.attachment_refs = AttachmentRefs::sorted(refs.collect()).unwrap();
    let text = r#"{"text":"tab\t quote\" slash/ \u00e9 \u20ac \ud83d\ude00 \u0001 \u007f \u2028","list":[1,2.50,1e30,-0,null,true,{"b":1,"a":[]}],"\ud83d\ude00":1,"\ufb33":2}"#;
    let full = prepared(full, text).seal(place(4711), &previous);
    let mut withheld = full.clone();
    withheld.payload = None;
    let mut signed = plain.clone();
    signed.signature = Some(key().sign_envelope(&plain.content_hash, &plain.chain_hash));
    let mut far = place((1 << 40) - 1);
    far.recorded_at = RecordedAt::from_nanoseconds(i64::MAX).unwrap();
    let far = prepared(fields(2), "{\"n\":9007199254740992}").seal(far, &previous);
    vec![
        ("an empty payload and nothing optional", plain),
        ("every member, escapes and characters from all planes", full),
        ("the same with its payload withheld", withheld),
        ("signed", signed),
        ("the last place and the last moment", far),
    ]
}

fn previous() -> ChainHash {
    ChainHash::from_bytes([0xab; 32])
}

fn sealed_case(name: &str, envelope: &SealedEnvelope) -> Value {
    let payload = envelope.payload.as_ref();
    json!({
        "name": name,
        "payload": payload.map(|salted| salted.payload.as_str()),
        "payload_salt": payload.map(|salted| hex(salted.salt.as_bytes())),
        "payload_commitment": envelope.payload_commitment,
        "hashable_view": view_of(envelope),
        "content_hash": envelope.content_hash,
        "previous": previous(),
        "chain_preimage": hex(&link_preimage(envelope, &previous())),
        "chain_hash": envelope.chain_hash,
        "line": line_of(envelope),
    })
}

#[test]
fn sealed_envelopes_are_the_published_ones() {
    let mut cases = Vec::new();
    for (name, envelope) in sealed_envelopes() {
        let line = line_of(&envelope);
        let read = EnvelopeLine::parse(line.as_bytes()).unwrap();
        assert_eq!(read.computed_content_hash(), envelope.content_hash, "{name}");
        assert_eq!(read.computed_chain_hash(&previous()), envelope.chain_hash, "{name}");
        assert_eq!(read.to_sealed().unwrap(), envelope, "{name}");
        cases.push(sealed_case(name, &envelope));
    }
    vector_file::check(
        "vectors/envelopes/sealed.json",
        "payload, hashable_view and line are text whose UTF-8 bytes are meant. previous is the chain hash (or genesis hash) that the envelope follows; chain_preimage is hex. line has no line end.",
        &cases,
    );
}

/// One change of a good line each, and the rule that it breaks.
const LINE_FAULTS: [(&str, &str, &str); 30] = [
    ("white space", "{\"actor_id\"", "{ \"actor_id\""),
    ("an unknown member", "\"event_type\"", "\"event\":1,\"event_type\""),
    ("a missing member", "\"session_id\":\"s\u{e9}ance 7\",", ""),
    (
        "members in another order",
        "\"position\":4711,\"recorded_at\":\"2026-11-22T00:14:13.000004711Z\"",
        "\"recorded_at\":\"2026-11-22T00:14:13.000004711Z\",\"position\":4711",
    ),
    ("a member twice", "\"schema_version\":1", "\"schema_version\":1,\"schema_version\":1"),
    ("an escape that is not needed", "tool.call", "tool.c\\u0061ll"),
    ("an escaped slash", "/1", "\\/1"),
    ("upper-case hex in a hash", "abcdef", "ABCDEF"),
    ("another schema version", "\"schema_version\":1", "\"schema_version\":2"),
    ("a schema version with a fraction", "\"schema_version\":1", "\"schema_version\":1.0"),
    ("an upper-case event type", "tool.call", "tool.Call"),
    ("an identifier with a control character", "s\u{e9}ance", "s\\u0001ance"),
    ("an identifier with a zero-width space", "s\u{e9}ance", "s\u{200b}ance"),
    ("an identifier that ends with white space", "\u{e9}ance 7", "\u{e9}ance 7 "),
    (
        "a parent of UUID version 4",
        "019a4f00-0000-7000-8000-000000000003",
        "019a4f00-0000-4000-8000-000000000003",
    ),
    (
        "an upper-case UUID",
        "019a4f00-0000-7000-8000-000000000009",
        "019A4F00-0000-7000-8000-000000000009",
    ),
    (
        "parents out of order",
        "\"019a4f00-0000-7000-8000-000000000003\",\"019a4f00-0000-7000-8000-000000000009\"",
        "\"019a4f00-0000-7000-8000-000000000009\",\"019a4f00-0000-7000-8000-000000000003\"",
    ),
    (
        "a parent twice",
        "\"019a4f00-0000-7000-8000-000000000009\"]",
        "\"019a4f00-0000-7000-8000-000000000003\"]",
    ),
    ("a time with fewer digits", "12.500000000Z", "12.5Z"),
    ("a time with an offset", "12.500000000Z", "12.500000000+00:00"),
    (
        "a recorded time beyond 2262",
        "2026-11-22T00:14:13.000004711Z",
        "2263-01-01T00:00:00.000000000Z",
    ),
    ("a position of 2^40", "\"position\":4711", "\"position\":1099511627776"),
    ("a negative position", "\"position\":4711", "\"position\":-1"),
    ("a position in exponent notation", "\"position\":4711", "\"position\":4.711e3"),
    ("a payload without its salt", "\"000102030405060708090a0b0c0d0e0f\"", "null"),
    ("a salt of 15 bytes", "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e"),
    ("a payload that is an array", "\"payload\":{\"list\":", "\"payload\":[{\"list\":"),
    ("an attachment of more than 16 MiB", "\"size_bytes\":3", "\"size_bytes\":16777217"),
    ("an attachment without a media type", "application/json", "json"),
    ("bytes after the object", "4736\"}", "4736\"} "),
];

#[test]
fn lines_of_another_form_are_refused() {
    let mut cases = Vec::new();
    let envelopes = sealed_envelopes();
    let (_, envelope) = &envelopes[1];
    let mut envelope = envelope.clone();
    // Known digits, so that a case can change them; form is all that is looked at here.
    envelope.payload_commitment =
        PayloadCommitment::from_bytes([0xab, 0xcd, 0xef, 1].repeat(8).try_into().unwrap());
    let good = line_of(&envelope);
    EnvelopeLine::parse(good.as_bytes()).unwrap();
    for (name, from, to) in LINE_FAULTS {
        assert!(good.contains(from), "{name}");
        let line = good.replacen(from, to, 1);
        let error = EnvelopeLine::parse(line.as_bytes()).expect_err(name);
        cases.push(json!({ "name": name, "line": line, "offset": error.offset }));
    }
    vector_file::check(
        "vectors/envelopes/refused-lines.json",
        "Lines that break one rule of form each, whatever their hashes. offset is the byte at which this implementation notices; others may notice elsewhere.",
        &cases,
    );
}

type Check = fn(&str) -> Result<(), IdentityError>;

/// The kinds of identifier, and how each is checked.
const KINDS: [(&str, Check); 6] = [
    ("actor_id", ActorId::check),
    ("adapter_id", AdapterId::check),
    ("bundle_id", |text| BundleId::parse(text.as_bytes()).map(drop)),
    ("content_type", ContentType::check),
    ("envelope_id", |text| EnvelopeId::parse(text.as_bytes()).map(drop)),
    ("event_type", EventType::check),
];

/// Characters that a name may not hold, wherever they stand.
const HIDDEN: [char; 33] = [
    '\u{0}',
    '\u{85}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{17b4}',
    '\u{180b}',
    '\u{180e}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{2028}',
    '\u{2029}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{3164}',
    '\u{e000}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{fff0}',
    '\u{fff9}',
    '\u{1bca0}',
    '\u{1d173}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e0fff}',
    '\u{f0000}',
    '\u{10fffd}',
    '\u{600}',
    '\u{110bd}',
];

const NAMES: [&str; 21] = [
    "a",
    "agent:refunds",
    "Zo\u{eb} M\u{fc}ller",
    "\u{6771}\u{4eac}",
    "a b",
    "\u{1f680}",
    "e\u{301}",
    "\u{378}",
    "\u{fffd}",
    "\u{ffff}",
    "",
    " ",
    "\u{3000}",
    " a",
    "a ",
    "a\u{2003}",
    "\u{a0}a",
    "a\tb",
    "a\nb",
    "\u{b}a",
    "a\u{7f}",
];

const EVENT_TYPES: [&str; 18] = [
    "a",
    "tool.call",
    "otel.span",
    "0",
    "a-b_c.1",
    "a.0-",
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "A",
    "-a",
    "_a",
    "a.-b",
    "a b",
    "a/b",
    "\u{e9}",
];

const UUIDS: [&str; 12] = [
    "019a4f00-0000-7000-8000-000000000000",
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "",
    "019A4F00-0000-7000-8000-000000000000",
    "019a4f0000007000800000000000000a",
    "{019a4f00-0000-7000-8000-000000000000}",
    "019a4f00-0000-4000-8000-000000000000",
    "019a4f00-0000-7000-c000-000000000000",
    "019a4f00-0000-7000-0000-000000000000",
    "019a4f00-0000-7000-8000-00000000000",
    "019a4f00-0000-7000-8000-00000000000g",
    "019a4f00--000-7000-8000-000000000000",
];

const CONTENT_TYPES: [&str; 24] = [
    "text/plain",
    "text/csv; charset=utf-8",
    "text/csv;charset=utf-8",
    "a/b \t;\tc=\"d \\\" e\"",
    "application/vnd.x+json",
    "A/B",
    "x/y;a=\"\"",
    "",
    "text",
    "text/",
    "/plain",
    "text/plain;",
    "text/plain; charset",
    "text/plain; charset=",
    "text/plain; charset =utf-8",
    "text/plain ",
    " text/plain",
    "text/pl ain",
    "a/b;c=\"d",
    "a/b;c=\"\\\u{1}\"",
    "a/b;c=\u{e9}",
    "a/b;c=\"\u{e9}\"",
    "a/b/c",
    "*/*;q=1,a/b",
];

/// Texts at the bounds of their length: kind, character, how often.
const LENGTHS: [(&str, &str, usize); 10] = [
    ("actor_id", "x", 256),
    ("actor_id", "x", 257),
    ("actor_id", "\u{e9}", 256),
    ("actor_id", "\u{e9}", 257),
    ("actor_id", "\u{1f680}", 256),
    ("adapter_id", "x", 128),
    ("adapter_id", "x", 129),
    ("adapter_id", "\u{e9}", 129),
    ("event_type", "x", 128),
    ("event_type", "x", 129),
];

fn identifiers() -> Vec<(&'static str, String)> {
    let lists: [(&str, &[&str]); 5] = [
        ("actor_id", &NAMES),
        ("event_type", &EVENT_TYPES),
        ("envelope_id", &UUIDS),
        ("bundle_id", &UUIDS[..7]),
        ("content_type", &CONTENT_TYPES),
    ];
    let listed = lists
        .into_iter()
        .flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, (*text).to_owned())));
    let hidden = HIDDEN.into_iter().map(|character| ("actor_id", format!("a{character}b")));
    let lengths = LENGTHS.into_iter().map(|(kind, text, count)| (kind, text.repeat(count)));
    let long_types = [253, 254].map(|count| ("content_type", format!("a/{}", "x".repeat(count))));
    listed.chain(hidden).chain(lengths).chain(long_types).collect()
}

/// The rule's name in the vectors.
fn rule(fault: IdentityFault) -> &'static str {
    match fault {
        IdentityFault::Blank => "blank",
        IdentityFault::TooLong { .. } => "too_long",
        IdentityFault::OuterWhiteSpace => "outer_white_space",
        IdentityFault::ForbiddenCharacter => "forbidden_character",
        IdentityFault::NotDotted => "not_dotted",
        IdentityFault::NotUuid => "not_uuid",
        IdentityFault::NotVersion7 => "not_version_7",
        IdentityFault::NotMediaType => "not_media_type",
    }
}

#[test]
fn identifiers_are_taken_or_refused_as_published() {
    let cases: Vec<Value> = identifiers()
        .into_iter()
        .map(|(kind, text)| {
            let check = KINDS.iter().find(|(name, _)| *name == kind).unwrap().1;
            let fault = check(&text).err().map(|error| rule(error.fault));
            json!({ "kind": kind, "text": text, "refused": fault })
        })
        .collect();
    assert!(KINDS.iter().all(|(kind, _)| cases.iter().any(|case| case["kind"] == *kind)));
    vector_file::check(
        "vectors/envelopes/identifiers.json",
        "refused is null, or the rule that the text breaks first. actor_id stands for environment_id, trace_id, session_id, tenant_id, recorder_id and log_name; envelope_id for segment_id and bundle_id.",
        &cases,
    );
}

const TIMES: [&str; 34] = [
    "1970-01-01T00:00:00.000000000Z",
    "2026-11-22T00:14:13.000000000Z",
    "2026-11-22T00:14:13Z",
    "2026-11-22T00:14:13.5Z",
    "2026-11-22T00:14:13.123456789Z",
    "2026-11-22T00:14:13+00:00",
    "2026-11-22T00:14:13.5+00:00",
    "2024-02-29T23:59:59.999999999Z",
    "2000-02-29T00:00:00.000000000Z",
    "2262-04-11T23:47:16.854775807Z",
    "2262-04-11T23:47:16.854775808Z",
    "9999-12-31T23:59:59.999999999Z",
    "",
    "2026-11-22",
    "2026-11-22T00:14Z",
    "2026-11-22 00:14:13Z",
    "2026-11-22t00:14:13Z",
    "2026-11-22T00:14:13z",
    "2026-11-22T00:14:13",
    "2026-11-22T00:14:13.Z",
    "2026-11-22T00:14:13,5Z",
    "2026-11-22T00:14:13.1234567890Z",
    "2026-11-22T00:14:13-00:00",
    "2026-11-22T01:14:13+01:00",
    "2026-11-22T00:14:13+0000",
    "2026-11-22T00:14:60Z",
    "2026-11-22T23:59:60Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T00:60:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-28T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "+2026-11-22T00:14:13Z",
    "2026-11-22T00:14:13.000000000Z ",
];

fn time_rule(error: TimeError) -> &'static str {
    match error {
        TimeError::NotRfc3339 => "not_rfc3339",
        TimeError::NotUtc => "not_utc",
        TimeError::LeapSecond => "leap_second",
        TimeError::OutOfRange => "out_of_range",
        TimeError::BeyondNanoseconds => "beyond_nanoseconds",
    }
}

#[test]
fn times_are_taken_or_refused_as_published() {
    let cases: Vec<Value> = TIMES
        .iter()
        .map(|text| {
            let moment = UtcTimestamp::parse(text);
            let recorded = moment.ok().and_then(|moment| RecordedAt::try_from(moment).ok());
            json!({
                "text": text,
                "refused": moment.err().map(time_rule),
                "canonical": moment.ok().map(|moment| moment.to_string()),
                "is_canonical": UtcTimestamp::parse_canonical(text.as_bytes()).is_ok(),
                "recorded_at_hex": recorded.map(|at| hex(&at.nanoseconds().to_be_bytes())),
            })
        })
        .collect();
    vector_file::check(
        "vectors/envelopes/times.json",
        "refused is null or the rule that a producer's text breaks; canonical is what evidence then holds. Evidence holds only texts with is_canonical. recorded_at_hex is the time as i64be nanoseconds; null where it does not fit.",
        &cases,
    );
}

#[test]
fn a_commitment_depends_on_every_byte_of_salt_and_payload() {
    let base = preimage::payload_commitment(&[0; 16], b"{}");
    assert_ne!(base, preimage::payload_commitment(&[1; 16], b"{}"));
    assert_ne!(base, preimage::payload_commitment(&[0; 16], b"{\"a\":1}"));
}
