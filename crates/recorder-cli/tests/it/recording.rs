//! `envelope record`, `segment` and `checkpoint`: receipts, attachments, and the states that refuse.

use super::{Run, Sandbox, envelope_id, refusal};

const RECORD: [&str; 8] = [
    "envelope",
    "record",
    "--event-type",
    "tool.call",
    "--actor",
    "agent-1",
    "--environment",
    "test",
];

#[test]
fn a_receipt_names_place_hashes_and_durability() {
    let sandbox = Sandbox::unsigned();
    let first = sandbox.record("{\"a\":1}", &["--trace", "t-1", "--session", "s-1"]);
    assert_eq!((first["position"].as_u64(), first["sequence"].as_u64()), (Some(0), Some(0)));
    assert_eq!(
        (first["durability"].as_str(), first["replayed"].as_bool()),
        (Some("fsync"), Some(false))
    );
    let parent = first["envelope_id"].as_str().unwrap();
    let second = sandbox.record("{\"a\":2}", &["--parent", parent]);
    assert_eq!(second["position"], 1);
    assert_eq!(second["segment_id"], first["segment_id"]);
    let found = sandbox.json_ok(&["query", "envelopes"]);
    for (receipt, envelope) in [&first, &second].iter().zip(found["envelopes"].as_array().unwrap())
    {
        for member in
            ["envelope_id", "content_hash", "chain_hash", "payload_commitment", "recorded_at"]
        {
            assert_eq!(receipt[member], envelope[member]);
        }
    }
    assert_eq!(found["envelopes"][1]["parent_ids"][0], first["envelope_id"]);
}

#[test]
fn the_payload_may_come_from_standard_input() {
    let sandbox = Sandbox::unsigned();
    let arguments = [&RECORD[..], &["--payload", "-"]].concat();
    let run = Run::of(sandbox.command(&arguments).write_stdin("{\"b\": 1e2}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("chain hash"), "{}", run.stdout);
    let found = sandbox.json_ok(&["query", "envelopes"]);
    assert_eq!(found["envelopes"][0]["payload"]["b"], 100);
}

#[test]
fn a_repetition_is_answered_with_the_first_receipt() {
    let sandbox = Sandbox::unsigned();
    let id = envelope_id(1);
    let first = sandbox.record("{\"a\":1}", &["--envelope-id", &id]);
    let again = sandbox.record("{\"a\": 1}", &["--envelope-id", &id]);
    assert_eq!(again["replayed"], true);
    assert_eq!(again["chain_hash"], first["chain_hash"]);
    sandbox.write("payload.json", "{\"a\":2}");
    let arguments = [&RECORD[..], &["--payload", "payload.json", "--envelope-id", &id]].concat();
    assert_eq!(refusal(&sandbox.json(&arguments)), (5, "envelope_conflict"));
}

#[test]
fn attachments_come_from_files_and_from_the_command_line() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("report.csv", "a,b\n1,2\n");
    sandbox.record(
        "{}",
        &[
            "--attach",
            "report.csv;text/csv; charset=utf-8",
            "--attach",
            "payload.json",
            "--attach-inline",
            "text/plain:aGVsbG8=",
        ],
    );
    let found = sandbox.json_ok(&["query", "envelopes"]);
    let mut refs: Vec<(String, u64)> = found["envelopes"][0]["attachment_refs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            (r["content_type"].as_str().unwrap().to_owned(), r["size_bytes"].as_u64().unwrap())
        })
        .collect();
    refs.sort();
    let expected =
        [("application/octet-stream", 2), ("text/csv; charset=utf-8", 8), ("text/plain", 5)];
    assert_eq!(refs, expected.map(|(kind, size)| (kind.to_owned(), size)));
}

#[test]
fn attachments_that_are_no_attachments_are_refused() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("payload.json", "{}");
    let with =
        |more: &[&str]| sandbox.json(&[&RECORD[..], &["--payload", "payload.json"], more].concat());
    assert_eq!(refusal(&with(&["--attach", "none.txt"])), (1, "not_found"));
    assert_eq!(refusal(&with(&["--attach", "payload.json;text"])), (2, "identity_invalid"));
    assert_eq!(refusal(&with(&["--attach-inline", "text/plain"])), (2, "usage"));
    assert_eq!(refusal(&with(&["--attach-inline", "text/plain:=="])), (2, "usage"));
    let twice = ["--attach-inline", "text/plain:aA==", "--attach-inline", "text/html:aA=="];
    assert_eq!(refusal(&with(&twice)), (2, "attachment_invalid"));
    let large = sandbox.write("large", "");
    std::fs::File::options().write(true).open(large).unwrap().set_len((16 << 20) + 1).unwrap();
    assert_eq!(refusal(&with(&["--attach", "large"])), (1, "too_large"));
    let mut none = RECORD.to_vec();
    none[1] = "record-with-attachments";
    none.extend(["--payload", "payload.json"]);
    assert_eq!(refusal(&sandbox.json(&none)), (2, "usage"));
    assert_eq!(
        sandbox.json_ok(&[&none[..], &["--attach", "payload.json"]].concat())["position"],
        0
    );
}

#[test]
fn what_is_no_envelope_is_refused_before_the_store_is_opened() {
    let sandbox = Sandbox::new();
    let cases = [
        ("{\"a\":1,\"a\":2}", "payload_invalid"),
        ("[]", "payload_invalid"),
        ("{\"a\":9007199254740993}", "payload_invalid"),
        ("", "payload_invalid"),
    ];
    for (payload, code) in cases {
        sandbox.write("payload.json", payload);
        let run = sandbox.json(&[&RECORD[..], &["--payload", "payload.json"]].concat());
        assert_eq!(refusal(&run), (2, code), "{payload}");
    }
    sandbox.write("payload.json", format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20)));
    let run = sandbox.json(&[&RECORD[..], &["--payload", "payload.json"]].concat());
    assert_eq!(refusal(&run), (1, "too_large"));
    let run = sandbox.json(&["envelope", "record", "--event-type", "Tool Call", "--payload", "-"]);
    assert_eq!(refusal(&run), (2, "usage"));
}

#[test]
fn a_database_is_never_made_on_the_way() {
    let sandbox = Sandbox::new();
    sandbox.write("payload.json", "{}");
    let run = sandbox.json(&[&RECORD[..], &["--payload", "payload.json"]].concat());
    assert_eq!(refusal(&run), (1, "store_not_found"));
    assert!(!sandbox.path("recorder.db").exists());
    for arguments in
        [&["query", "envelopes"][..], &["segment", "open"], &["fsck"], &["segment", "status"]]
    {
        assert_eq!(refusal(&sandbox.json(arguments)), (1, "store_not_found"), "{arguments:?}");
    }
    sandbox.write("recorder.db", "not a database, whatever its name says");
    assert_eq!(refusal(&sandbox.json(&["query", "envelopes"])).0, 5);
}

#[test]
fn a_segment_is_opened_and_sealed_once() {
    let sandbox = Sandbox::unsigned();
    assert_eq!(refusal(&sandbox.json(&["segment", "status"])), (5, "no_such_stream"));
    assert_eq!(refusal(&sandbox.json(&["segment", "seal"])), (5, "no_segment_open"));
    let opened = sandbox.json_ok(&["segment", "open"]);
    assert_eq!(refusal(&sandbox.json(&["segment", "open"])), (5, "segment_already_open"));
    assert_eq!(refusal(&sandbox.json(&["segment", "seal"])), (5, "segment_empty"));
    sandbox.record("{}", &[]);
    let sealed = sandbox.json_ok(&["segment", "seal"]);
    assert_eq!(sealed["segment_id"], opened["segment_id"]);
    assert_eq!(sealed["signed"], false);
    sandbox.record("{}", &[]);
    let status = sandbox.json_ok(&["segment", "status"]);
    assert_eq!(
        (status["envelope_count"].as_u64(), status["segment_count"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(status["last_sealed_segment"]["seal_hash"], sealed["seal_hash"]);
    let listed = sandbox.json_ok(&["segment", "list", "--limit", "1"]);
    assert_eq!(listed["next_index"], 1);
    let rest = sandbox.json_ok(&["segment", "list", "--from", "1"]);
    assert_eq!(rest["segments"][0]["segment_id"], status["open_segment"]["segment_id"]);
    assert_eq!(rest["next_index"], serde_json::Value::Null);
}

#[test]
fn a_signed_stream_is_continued_by_its_own_key_alone() {
    let sandbox = Sandbox::initialised();
    sandbox.record("{}", &[]);
    assert_eq!(refusal(&sandbox.json(&["checkpoint", "show"])), (5, "no_checkpoint"));
    let shown = sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    assert_eq!((shown["tree_size"].as_u64(), shown["covers_all"].as_bool()), (Some(1), Some(true)));
    let note = sandbox.run(&["checkpoint", "show"]).stdout;
    assert_eq!(note, shown["note"].as_str().unwrap());
    sandbox.json_ok(&["signer", "generate", "--output", "other.pem"]);
    let other = sandbox.json(&["segment", "seal", "--key", "other.pem"]);
    assert_eq!(refusal(&other), (5, "signer_mismatch"));
    sandbox.write("unsigned.toml", "store = \"recorder.db\"\n");
    sandbox.write("payload.json", "{}");
    let arguments =
        [&RECORD[..], &["--payload", "payload.json", "--config", "unsigned.toml"]].concat();
    assert_eq!(refusal(&sandbox.json(&arguments)), (5, "signer_required"));
}

#[test]
fn another_tenant_is_another_stream() {
    let sandbox = Sandbox::unsigned();
    sandbox.record("{}", &[]);
    let other = sandbox.record("{}", &["--tenant-id", "acme"]);
    assert_eq!(other["position"], 0);
    assert_eq!(sandbox.json_ok(&["fsck"])["streams"], 2);
}
