//! Every vector of the format that is accepted is of its shape, and those refused for their shape are not.

use jsonschema::Validator;
use serde_json::Value;

use crate::fixture::{artifact, cases, repository, schema, takes, text, vectors};

fn member<'v>(case: &'v Value, name: &str) -> &'v str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"))
}

fn accepts_all(validator: &Validator, path: &str, name: &str) {
    let cases = cases(path);
    assert!(!cases.is_empty());
    for case in cases {
        let text = member(&case, name);
        let value: Value = serde_json::from_str(text).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{path}: {text}: {faults:?}");
    }
}

/// Refuses every case but those whose fault no schema sees; and sees none of those.
fn refuses(validator: &Validator, path: &str, name: &str, unseen: &[&str]) {
    for case in cases(path) {
        let (about, text) = (member(&case, "name"), member(&case, name));
        assert_eq!(takes(validator, text), unseen.contains(&about), "{path}: {about}: {text}");
    }
}

#[test]
fn envelopes() {
    let schema = schema("envelope");
    accepts_all(&schema, "envelopes/sealed.json", "line");
    for line in vectors("selectors/envelopes.json")["cases"].as_array().unwrap() {
        assert!(takes(&schema, line.as_str().unwrap()), "{line}");
    }
    let unseen = [
        "white space",
        "members in another order",
        "a member twice",
        "an escape that is not needed",
        "an escaped slash",
        "a schema version with a fraction",
        "parents out of order",
        "a position in exponent notation",
        "bytes after the object",
    ];
    refuses(&schema, "envelopes/refused-lines.json", "line", &unseen);
}

#[test]
fn geneses_and_seals() {
    let (genesis, seal) = (schema("genesis"), schema("seal"));
    accepts_all(&genesis, "segments/geneses.json", "genesis");
    accepts_all(&seal, "segments/seals.json", "part");
    let unseen = [
        "a fraction",
        "members out of order",
        "white space",
        "an escape that is not needed",
        "bytes after the object",
    ];
    for case in cases("segments/refused.json") {
        let schema = if member(&case, "part") == "genesis.json" { &genesis } else { &seal };
        let about = member(&case, "name");
        assert_eq!(takes(schema, member(&case, "text")), unseen.contains(&about), "{about}");
    }
}

#[test]
fn manifests() {
    let schema = schema("manifest");
    accepts_all(&schema, "manifests/manifests.json", "manifest");
    let unseen = ["a changed count", "white space", "bytes after the object"];
    refuses(&schema, "manifests/refused.json", "manifest", &unseen);
}

#[test]
fn selectors() {
    let schema = schema("selector");
    // What a schema cannot see: an order within a range, a fraction that is zero, a member twice.
    let unseen = [
        r#"{"positions":{"from":9,"to":9}}"#,
        r#"{"positions":{"from":9,"to":8}}"#,
        r#"{"positions":{"from":1.0}}"#,
        r#"{"all":[],"all":[]}"#,
    ];
    for case in cases("selectors/selectors.json") {
        let text = member(&case, "selector");
        let expected = !case["canonical"].is_null() || unseen.contains(&text);
        assert_eq!(takes(&schema, text), expected, "{text}");
    }
}

#[test]
fn rotations() {
    let schema = schema("rotation");
    for case in cases("signatures/rotations.json") {
        let (result, text) = (member(&case, "result"), member(&case, "payload"));
        let is_taken = takes(&schema, text);
        match result {
            "valid" | "old_key_refuses" | "same_key" => assert!(is_taken, "{result}: {text}"),
            // Keys, sums and proofs are beyond a schema; forms, ranges and reasons are not.
            "range" | "reason" => assert!(!is_taken, "{result}: {text}"),
            _ => {}
        }
    }
}

#[test]
fn identifiers_and_times() {
    let check = |kind: &str, text: &str| {
        let mut document = artifact("schemas/envelope.json");
        document["$ref"] = format!("#/$defs/{kind}").into();
        document["$defs"] = artifact("schemas/draft.json")["$defs"].clone();
        document["$defs"][kind] = artifact("schemas/envelope.json")["$defs"][kind].clone();
        if document["$defs"][kind].is_null() {
            document["$defs"][kind] = artifact("schemas/draft.json")["$defs"][kind].clone();
        }
        jsonschema::draft202012::new(&document).unwrap().is_valid(&text.into())
    };
    for case in cases("envelopes/identifiers.json") {
        let (text, taken) = (member(&case, "text"), case["refused"].is_null());
        let kind = match member(&case, "kind") {
            "actor_id" => "name",
            "envelope_id" => "uuid_v7",
            kind @ ("event_type" | "content_type") => kind,
            _ => continue,
        };
        assert_eq!(check(kind, text), taken, "{kind}: {text:?}");
    }
    // Days that a month does not have in that year, and the last seconds of nanoseconds, are beyond a pattern.
    for case in cases("envelopes/times.json") {
        let text = member(&case, "text");
        if text.starts_with("2026-02-29") {
            continue;
        }
        assert_eq!(check("time_input", text), case["refused"].is_null(), "{text}");
        assert_eq!(check("time", text), case["is_canonical"] == true, "{text}");
        if !text.starts_with("2262-04-11T23:47:16") {
            let fits = case["is_canonical"] == true && !case["recorded_at_hex"].is_null();
            assert_eq!(check("recorded_time", text), fits, "{text}");
        }
    }
}

#[test]
fn trust_roots() {
    let schema = schema("trust-root");
    for name in
        recorder_fs::file_names(&repository("docs/spec/vectors/bundles/trust-roots"), 1000).unwrap()
    {
        let text = text(&format!("docs/spec/vectors/bundles/trust-roots/{name}"));
        assert!(takes(&schema, &text), "{name}");
    }
    let key = r#"{"key_id":"34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e","public_key":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","status":"active","streams":["*"]}"#;
    let root = |keys: &str| format!(r#"{{"keys":[{keys}],"type":"recorder.trust-root/v1"}}"#);
    let changed = |from: &str, to: &str| {
        assert!(key.contains(from));
        root(&key.replace(from, to))
    };
    let refused = [
        root(""),
        root(&format!("{key},{key}")),
        changed("active", "trusted"),
        changed(r#"["*"]"#, "[]"),
        changed(r#"["*"]"#, r#"["*","*"]"#),
        changed(r#"["*"]"#, r#"[{"tenant_id":"a"}]"#),
        changed(r#""status""#, r#""valid_from_position":null,"status""#),
        changed(r#""status""#, r#""valid_from_position":-1,"status""#),
        root(key).replace("\"type\"", "\"witness_policy\":null,\"type\""),
        root(key).replace("\"type\"", "\"x\":1,\"type\""),
    ];
    for text in refused {
        let by_reader = recorder_envelope::trust_root::TrustRoot::parse(text.as_bytes());
        assert!(by_reader.is_err() && !takes(&schema, &text), "{text}");
    }
}

#[test]
fn documents_and_the_transcripts_of_their_verification() {
    let (document, transcript) = (schema("bundle-document"), schema("transcript"));
    let folder = "docs/spec/vectors/bundles/valid";
    let names = recorder_fs::file_names(&repository(folder), 10_000).unwrap();
    let documents: Vec<_> = names.iter().filter(|name| name.ends_with(".recorder.json")).collect();
    assert!(documents.len() >= 3, "{documents:?}");
    for name in documents {
        assert!(takes(&document, &text(&format!("{folder}/{name}"))), "{name}");
    }
    for (folder, step) in [(folder, 1), ("docs/spec/vectors/bundles/must-reject", 7)] {
        let names = recorder_fs::file_names(&repository(folder), 10_000).unwrap();
        for name in names.iter().filter(|name| !name.ends_with(".expected.json")).step_by(step) {
            let Some(bytes) = transcript_of(&format!("{folder}/{name}")) else { continue };
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let faults: Vec<String> =
                transcript.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
    }
}

/// The transcript of a verification without a trust root; none where a limit allows no verdict.
fn transcript_of(path: &str) -> Option<Vec<u8>> {
    use recorder_verify::{Transcript, TranscriptInputs, VerifyOptions, verify};
    let source = recorder_fs::read_bounded(&repository(path), 64 << 20).unwrap();
    let options = VerifyOptions::default();
    let report = verify(&source, &options, &mut |_| {}).ok()?;
    let inputs = TranscriptInputs::new(&source, None, &[], &options.limits).unwrap();
    Some(Transcript::new(&report, &inputs).unwrap().as_bytes().to_vec())
}
