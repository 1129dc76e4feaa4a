//! What evidence is made of: `docs/spec/evidence-format.md` §2 to §14.

use serde_json::{Value, json};

use super::{boolean, integer, list, object, of, or_null, text, words};
use crate::enumeration;

type Shape = (&'static str, Value);

pub(super) fn shapes() -> Vec<Shape> {
    let mut all = scalars();
    all.extend(envelopes());
    all.extend(segments());
    all.extend(selectors());
    all.extend(bundles());
    all.extend(trust());
    all
}

fn scalars() -> Vec<Shape> {
    vec![
        ("uuid_v7", text("A UUID of version 7 in lower case.")),
        ("name", text("A name: 1 to 256 characters that can be seen, no white space at its ends.")),
        ("event_type", text("Parts joined by dots.")),
        ("event_type_prefix", text("What an event type begins with.")),
        ("content_type", text("A media type (RFC 9110).")),
        ("hash", text("SHA-256 in lower-case hexadecimal digits.")),
        ("salt", text("16 bytes in lower-case hexadecimal digits.")),
        ("public_key", text("An Ed25519 public key in lower-case hexadecimal digits.")),
        ("signature_value", text("An Ed25519 signature in lower-case hexadecimal digits.")),
        ("time", text("UTC with nine fractional digits, as evidence has it.")),
        ("time_input", text("UTC with 0 to 9 fractional digits, as producers may write it.")),
        (
            "recorded_time",
            text("UTC with nine fractional digits that is also a number of nanoseconds."),
        ),
        ("place", integer("A position, sequence, index or count.")),
        ("whole", integer("A whole number from 0.")),
        ("size", integer("A number of bytes.")),
        ("base64", text("Bytes in base64 (RFC 4648 section 4, with padding).")),
        (
            "payload",
            json!({ "type": "object", "description": "What happened, in the producer's own words. Committed to, not contained." }),
        ),
    ]
}

fn envelopes() -> Vec<Shape> {
    let attachment_ref = [
        ("content_hash", of("hash")),
        ("content_type", of("content_type")),
        ("size_bytes", of("attachment_size")),
    ];
    let signature = [
        ("algorithm", json!({ "const": "ed25519" })),
        ("key_id", of("hash")),
        ("value", of("signature_value")),
    ];
    vec![
        ("attachment_size", integer("Bytes of an attachment.")),
        (
            "attachment_ref",
            object("An attachment that an envelope refers to.", &attachment_ref, &[]),
        ),
        ("signature", object("A signature.", &signature, &[])),
        ("attachment_refs", list(of("attachment_ref"))),
        ("parent_ids", list(of("uuid_v7"))),
        (
            "schema_version",
            json!({ "type": "integer", "description": "The version of the envelope's schema." }),
        ),
        ("envelope", envelope()),
        ("draft", draft()),
    ]
}

fn envelope() -> Value {
    let members = [
        ("actor_id", of("name")),
        ("attachment_refs", of("attachment_refs")),
        ("chain_hash", of("hash")),
        ("claimed_time", of("time")),
        ("content_hash", of("hash")),
        ("envelope_id", of("uuid_v7")),
        ("environment_id", of("name")),
        ("event_type", of("event_type")),
        ("parent_ids", of("parent_ids")),
        ("payload", or_null(of("payload"))),
        ("payload_commitment", of("hash")),
        ("payload_salt", or_null(of("salt"))),
        ("position", of("place")),
        ("recorded_at", of("recorded_time")),
        ("schema_version", of("schema_version")),
        ("segment_id", of("uuid_v7")),
        ("sequence", of("place")),
        ("session_id", or_null(of("name"))),
        ("signature", or_null(of("signature"))),
        ("trace_id", or_null(of("name"))),
    ];
    let mut envelope = object("One recorded event, as a line of evidence.", &members, &[]);
    let is_null = |name: &str, kind: &str| json!({ "properties": { name: { "type": kind } } });
    envelope["if"] = is_null("payload", "null");
    envelope["then"] = is_null("payload_salt", "null");
    envelope["else"] = is_null("payload_salt", "string");
    envelope
}

fn draft() -> Value {
    let required = [
        ("event_type", of("event_type")),
        ("actor_id", of("name")),
        ("environment_id", of("name")),
        ("payload", of("payload")),
    ];
    let optional = [
        ("schema_version", or_null(of("schema_version"))),
        ("envelope_id", or_null(of("uuid_v7"))),
        ("claimed_time", or_null(of("time_input"))),
        ("trace_id", or_null(of("name"))),
        ("session_id", or_null(of("name"))),
        ("parent_ids", of("parent_ids")),
        ("payload_salt", or_null(of("salt"))),
        ("attachment_refs", of("attachment_refs")),
    ];
    object(
        "One event as a producer hands it in. What is left out, the recorder fills in.",
        &required,
        &optional,
    )
}

fn segments() -> Vec<Shape> {
    let predecessor =
        [("chain_head", of("hash")), ("seal_hash", of("hash")), ("segment_id", of("uuid_v7"))];
    let genesis = [
        ("first_position", of("place")),
        ("hash_algorithm", of("hash_algorithm")),
        ("heartbeat_seconds", of("place")),
        ("opened_at", of("recorded_time")),
        ("predecessor", or_null(of("predecessor"))),
        ("recorder_id", of("name")),
        ("segment_id", of("uuid_v7")),
        ("segment_index", of("place")),
        ("signing", of("signing_promise")),
        ("tenant_id", of("name")),
        ("type", json!({ "const": "recorder.segment-genesis/v1" })),
    ];
    let seal = [
        ("chain_head", of("hash")),
        ("envelope_count", of("seal_count")),
        ("first_envelope_id", of("uuid_v7")),
        ("genesis_hash", of("hash")),
        ("last_envelope_id", of("uuid_v7")),
        ("reason", of("seal_reason")),
        ("root_hash", of("hash")),
        ("sealed_at", of("recorded_time")),
        ("segment_id", of("uuid_v7")),
        ("tree_size", of("seal_count")),
        ("type", json!({ "const": "recorder.segment-seal/v1" })),
    ];
    let signed = [("seal", of("seal_object")), ("signature", or_null(of("signature")))];
    vec![
        ("hash_algorithm", json!({ "const": "sha256" })),
        (
            "signing_promise",
            words("What a stream promises about signatures.", &enumeration::signing_promises()),
        ),
        ("seal_reason", words("Why a segment was sealed.", &enumeration::seal_reasons())),
        ("seal_count", integer("At least one envelope.")),
        ("predecessor", object("The segment before, and how it ended.", &predecessor, &[])),
        ("genesis", object("How a segment begins.", &genesis, &[])),
        ("seal_object", object("How a segment ended.", &seal, &[])),
        ("seal", object("A seal and the recorder's signature of it.", &signed, &[])),
    ]
}

fn selectors() -> Vec<Shape> {
    let one = |name: &str, shape: Value| object("", &[(name, shape)], &[]);
    let named = |name: &str, member: &str, shape: Value| one(name, one(member, shape));
    let choices = vec![
        named("segment", "segment_id", of("uuid_v7")),
        one("segments", list(of("uuid_v7"))),
        one("positions", of("position_range")),
        one("envelopes", list(of("uuid_v7"))),
        named("trace", "trace_id", of("name")),
        named("session", "session_id", of("name")),
        named("actor", "actor_id", of("name")),
        named("event_type", "equals", of("event_type")),
        named("event_type", "prefix", of("event_type_prefix")),
        one("claimed_time", of("time_range")),
        one("all", list(of("selector"))),
        one("any", list(of("selector"))),
        one("not", of("selector")),
    ];
    let choices: Vec<Value> = choices.into_iter().map(without_descriptions).collect();
    let range = |description: &str, end: Value| {
        object(description, &[], &[("from", end.clone()), ("to", end)])
    };
    vec![
        (
            "selector",
            json!({ "description": "Which envelopes of a stream are meant.", "oneOf": choices }),
        ),
        (
            "position_range",
            range("Positions from one, which is included, to one that is not.", of("whole")),
        ),
        (
            "time_range",
            range("Times from one, which is included, to one that is not.", of("time_input")),
        ),
    ]
}

/// Removes the empty descriptions of objects that say what they are by their one member.
fn without_descriptions(mut shape: Value) -> Value {
    if let Some(members) = shape.as_object_mut() {
        if members.get("description").is_some_and(|text| text == "") {
            members.remove("description");
        }
        if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
            for property in properties.values_mut() {
                *property = without_descriptions(property.take());
            }
        }
    }
    shape
}

fn bundles() -> Vec<Shape> {
    let part = [("name", of("part_name")), ("sha256", of("hash")), ("size_bytes", of("size"))];
    let attachment = [
        ("content_hash", of("hash")),
        ("content_type", of("content_type")),
        ("size_bytes", of("size")),
    ];
    let withheld = [("withheld", json!({ "const": true }))];
    let segment = [
        ("chain_head", of("hash")),
        ("complete", boolean("Whether the bundle holds all of it.")),
        ("envelope_count", of("whole")),
        ("genesis_hash", of("hash")),
        ("included_count", of("whole")),
        ("seal_hash", or_null(of("hash"))),
        ("segment_id", of("uuid_v7")),
    ];
    let gap = [
        ("after_sequence", of("whole")),
        ("chain_hash", of("hash")),
        ("kind", json!({ "const": "gap" })),
        ("segment_id", of("uuid_v7")),
    ];
    let inclusion = [
        ("kind", json!({ "const": "inclusion" })),
        ("path", list(of("hash"))),
        ("position", of("whole")),
    ];
    vec![
        ("part_name", text("The name of a part.")),
        ("bundle_part", object("A part of a bundle.", &part, &[])),
        ("bundle_attachment", object("An attachment of a bundle.", &attachment, &withheld)),
        ("bundle_segment", object("A segment of which the bundle holds something.", &segment, &[])),
        (
            "gap_anchor",
            object("Where the chain resumes after envelopes that are left out.", &gap, &[]),
        ),
        ("inclusion_path", object("That an envelope is in the log.", &inclusion, &[])),
        ("proof_line", json!({ "oneOf": [of("gap_anchor"), of("inclusion_path")] })),
        (
            "stream",
            object("A stream.", &[("recorder_id", of("name")), ("tenant_id", of("name"))], &[]),
        ),
        ("manifest", manifest()),
        ("manifest_signature", manifest_signature()),
        ("bundle_document", bundle_document()),
    ]
}

fn manifest() -> Value {
    let members = [
        ("attachments", list(of("bundle_attachment"))),
        ("bundle_id", of("uuid_v7")),
        ("created_at", of("time")),
        ("envelope_count", of("whole")),
        ("hash_algorithm", of("hash_algorithm")),
        ("omitted_parent_ids", list(of("uuid_v7"))),
        ("parts", list(of("bundle_part"))),
        ("root_hash", of("hash")),
        ("segments", list(of("bundle_segment"))),
        ("selector", of("selector")),
        ("stream", of("stream")),
        ("tree_size", of("whole")),
        ("type", json!({ "const": "recorder.bundle/v1" })),
    ];
    object("What a bundle holds.", &members, &[])
}

fn manifest_signature() -> Value {
    let entry = object("A signature.", &[("keyid", of("hash")), ("sig", of("base64"))], &[]);
    let members = [
        ("payload", of("base64")),
        ("payloadType", json!({ "const": recorder_envelope::dsse::MANIFEST_PAYLOAD_TYPE })),
        ("signatures", list(entry)),
    ];
    object("The signature of a manifest (DSSE).", &members, &[])
}

fn bundle_document() -> Value {
    let parts = json!({
        "type": "object",
        "description": "Each part by its name.",
        "properties": { "manifest.json": of("manifest"), "manifest.dsse.json": of("manifest_signature") },
        "required": ["manifest.json"],
        "patternProperties": {
            "^segments/[0-9]{6,}/genesis\\.json$": of("genesis"),
            "^segments/[0-9]{6,}/seal\\.json$": of("seal"),
            "^segments/[0-9]{6,}/envelopes-[0-9]{6,}\\.jsonl$": list(of("envelope")),
            "^proofs/000000\\.jsonl$": list(of("proof_line")),
            "^attachments/sha256/[0-9a-f]{64}$": of("base64"),
            "^(checkpoint|README\\.txt)$": { "type": "string" },
        },
        "additionalProperties": false,
    });
    let members = [("parts", parts), ("type", json!({ "const": "recorder.bundle-document/v1" }))];
    object("A bundle as one JSON document.", &members, &[])
}

fn trust() -> Vec<Shape> {
    let key = [
        ("key_id", of("hash")),
        ("public_key", of("public_key")),
        ("status", of("key_status")),
        ("streams", of("trusted_streams")),
    ];
    let bounds = [
        ("valid_from_position", of("trusted_position")),
        ("valid_until_position", of("trusted_position")),
    ];
    let root =
        [("keys", list(of("trusted_key"))), ("type", json!({ "const": "recorder.trust-root/v1" }))];
    let policy = [("witness_policy", text("The text of a C2SP tlog-policy."))];
    let streams = json!({ "oneOf": [
        { "type": "array", "prefixItems": [{ "const": "*" }], "items": false, "minItems": 1 },
        { "type": "array", "items": of("stream"), "minItems": 1, "uniqueItems": true },
    ] });
    let head = [
        ("note", or_null(text("The checkpoint, where one was signed."))),
        ("origin", text("The origin of the log.")),
        ("root_hash", of("hash")),
        ("sealed_segments", of("whole")),
        ("tree_size", of("whole")),
        ("type", json!({ "const": "recorder.guarded-head/v1" })),
    ];
    vec![
        ("key_status", words("What has become of a key.", &enumeration::key_statuses())),
        ("trusted_position", integer("A position, included.")),
        ("trusted_streams", streams),
        ("trusted_key", object("A key and where it is trusted.", &key, &bounds)),
        ("trust_root", object("Which keys an auditor believes.", &root, &policy)),
        (
            "guarded_head",
            object("The last head of a log, kept apart from the database.", &head, &[]),
        ),
        ("rotation_reason", text("Why the key is replaced.")),
        ("rotation_place", integer("An epoch, or the position of the rotation.")),
        ("rotation", rotation()),
    ]
}

fn rotation() -> Value {
    let required = [
        ("effective_position", of("rotation_place")),
        ("epoch", of("rotation_place")),
        ("new_key_id", of("hash")),
        ("new_public_key", of("public_key")),
        ("old_key_id", of("hash")),
        ("predecessor_seal_hash", of("hash")),
        ("proof_new", of("signature")),
        ("reason", of("rotation_reason")),
        ("recorder_id", of("name")),
        ("tenant_id", of("name")),
    ];
    let optional = [("proof_old", of("signature"))];
    object("The payload of an event that replaces the signing key.", &required, &optional)
}
