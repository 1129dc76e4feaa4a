//! `envelope import`: what is accepted, replayed and rejected adds up, whatever the input does.

use serde_json::Value;

use super::{Run, Sandbox, draft, drafts, refusal};

fn sums(answer: &Value) -> (u64, u64, u64) {
    let count = |member: &str| answer[member].as_u64().unwrap();
    (count("accepted"), count("replayed"), count("rejected"))
}

fn codes(answer: &Value) -> Vec<String> {
    let anomalies = answer["anomalies"].as_array().unwrap().iter();
    anomalies
        .map(|a| format!("{} {}", a["path"].as_str().unwrap(), a["code"].as_str().unwrap()))
        .collect()
}

fn stored(sandbox: &Sandbox) -> usize {
    let found = sandbox.json_ok(&["query", "envelopes", "--limit", "10000"]);
    found["envelopes"].as_array().unwrap().len()
}

/// One line for each way a line can be wrong, between lines that are right.
fn faulty() -> String {
    let lines = [
        draft(1),
        "{\"event_type\":\"tool.call\"".to_owned(),
        draft(2).replace("{\"n\":2}", "{\"n\":2,\"n\":3}"),
        draft(3).replace("tool.call", "Tool Call"),
        draft(4).replace("\"payload\"", "\"paylod\""),
        draft(5).replace("agent-1", "agent\\u202e1"),
        draft(1).replace("agent-1", "agent-2"),
        draft(6).replace("\"payload\"", "\"schema_version\":2,\"payload\""),
        draft(7).replace(
            "\"payload\"",
            &format!("\"attachment_refs\":[{{\"content_hash\":\"{}\",\"content_type\":\"text/plain\",\"size_bytes\":1}}],\"payload\"", "ab".repeat(32)),
        ),
        draft(8).replace("{\"n\":8}", &format!("{{\"n\":\"{}\"}}", "x".repeat(9 << 20))),
        String::new(),
        draft(9),
    ];
    lines.map(|line| line + "\n").concat()
}

#[test]
fn an_import_that_is_repeated_adds_nothing() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..700));
    let first = sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    assert_eq!(first.to_string(), r#"{"accepted":700,"anomalies":[],"rejected":0,"replayed":0}"#);
    sandbox.write("in.jsonl", drafts(0..900));
    let again = sandbox.json_ok(&["envelope", "import", "in.jsonl", "--batch", "7"]);
    assert_eq!(sums(&again), (200, 700, 0));
    assert_eq!(stored(&sandbox), 900);
}

#[test]
fn drafts_without_salt_or_time_are_recognised_by_what_they_say() {
    let sandbox = Sandbox::unsigned();
    let bare: String = drafts(0..20)
        .lines()
        .map(|line| {
            let mut draft: Value = serde_json::from_str(line).unwrap();
            let draft = draft.as_object_mut().unwrap();
            draft.remove("payload_salt");
            draft.remove("claimed_time");
            serde_json::to_string(draft).unwrap() + "\n"
        })
        .collect();
    sandbox.write("in.jsonl", &bare);
    assert_eq!(sums(&sandbox.json_ok(&["envelope", "import", "in.jsonl"])), (20, 0, 0));
    assert_eq!(sums(&sandbox.json_ok(&["envelope", "import", "in.jsonl"])), (0, 20, 0));
    sandbox.write("in.jsonl", bare.replace("\"n\":7}", "\"n\":70}"));
    let policy = ["envelope", "import", "in.jsonl", "--policy", "record_anomaly"];
    let answer = sandbox.json_ok(&policy);
    assert_eq!(
        (sums(&answer), codes(&answer)),
        ((0, 19, 1), vec!["line 8 envelope_conflict".to_owned()])
    );
}

#[test]
fn strict_fail_records_nothing_of_a_file_with_one_wrong_line_and_names_them_all() {
    let sandbox = Sandbox::unsigned();
    sandbox.json_ok(&["segment", "open"]);
    sandbox.write("in.jsonl", faulty());
    let (code, answer) = sandbox.json(&["envelope", "import", "in.jsonl"]);
    assert_eq!((code, sums(&answer)), (5, (0, 0, 11)));
    assert_eq!(answer["error"]["code"], "import_refused");
    insta::assert_snapshot!(codes(&answer).join("\n"));
    assert_eq!(stored(&sandbox), 0);
    let run = sandbox.run(&["envelope", "import", "in.jsonl"]);
    assert_eq!(run.code, 5);
    assert!(run.stdout.contains("line 3, byte "), "{}", run.stdout);
}

#[test]
fn strict_fail_stops_a_pipe_at_the_first_wrong_line_and_counts_what_follows_it() {
    let sandbox = Sandbox::unsigned();
    let import = ["--json", "envelope", "import", "-"];
    let input = drafts(0..5) + "{}\n" + &drafts(5..9);
    let run = Run::of(sandbox.command(&import).write_stdin(input));
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, sums(&answer)), (5, (5, 0, 1 + 4)));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("5 records are recorded, 5 are not"), "{message}");
    assert_eq!(stored(&sandbox), 5);
}

#[test]
fn the_place_of_a_wrong_line_is_given_once_and_a_byte_order_mark_is_named() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", format!("\u{feff}{}\n[1]\n{{\"x\":1}}\n", draft(1)));
    let (code, answer) = sandbox.json(&["envelope", "import", "in.jsonl"]);
    assert_eq!((code, sums(&answer)), (5, (0, 0, 3)));
    assert_eq!(
        codes(&answer),
        ["line 1 byte_order_mark", "line 2, byte 0 draft_form", "line 3, byte 3 draft_form"]
    );
    for anomaly in answer["anomalies"].as_array().unwrap() {
        assert!(!anomaly["detail"].as_str().unwrap().contains(" at line "), "{anomaly}");
    }
}

#[test]
fn a_draft_is_an_object_and_no_array_of_its_members() {
    let sandbox = Sandbox::unsigned();
    let id = super::envelope_id(1);
    let members = serde_json::json!([
        1,
        id,
        "tool.call",
        "a",
        "e",
        "2026-11-22T00:00:00Z",
        null,
        null,
        [],
        {},
        "00".repeat(16),
        []
    ]);
    sandbox.write("in.jsonl", members.to_string());
    let (code, answer) = sandbox.json(&["envelope", "import", "in.jsonl"]);
    assert_eq!((code, sums(&answer)), (5, (0, 0, 1)));
    assert!(answer["anomalies"][0]["detail"].as_str().unwrap().contains("expected an object"));
}

#[test]
fn record_anomaly_records_the_rest_and_what_was_lost() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", faulty());
    let import = ["envelope", "import", "in.jsonl", "--policy", "record_anomaly"];
    let answer = sandbox.json_ok(&import);
    assert_eq!(sums(&answer), (2, 0, 9));
    insta::assert_snapshot!(codes(&answer).join("\n"));
    let lost = ["query", "envelopes", "--event-type", "system.import.anomaly"];
    let anomalies = sandbox.json_ok(&lost);
    let anomalies = anomalies["envelopes"].as_array().unwrap();
    assert_eq!(anomalies.len(), 9);
    assert_eq!(anomalies[0]["payload"]["line"], 2);
    // The same import again finds everything recorded, anomalies too.
    assert_eq!(sums(&sandbox.json_ok(&import)), (0, 2, 9));
    assert_eq!(stored(&sandbox), 11);
}

#[test]
fn an_event_that_verifiers_take_keys_from_is_refused_under_either_policy() {
    let sandbox = Sandbox::unsigned();
    let reserved = draft(2).replace("\"tool.call\"", "\"system.adapter.key_rotated\"");
    assert_ne!(reserved, draft(2));
    sandbox.write("in.jsonl", [draft(1), reserved, draft(3)].join("\n"));
    let (code, answer) = sandbox.json(&["envelope", "import", "in.jsonl"]);
    assert_eq!((code, codes(&answer)), (5, vec!["line 2 event_type_reserved".to_owned()]));
    assert_eq!(stored(&sandbox), 0);
    let policy = ["envelope", "import", "in.jsonl", "--policy", "record_anomaly"];
    let answer = sandbox.json_ok(&policy);
    assert_eq!(sums(&answer), (2, 0, 1));
    assert_eq!(codes(&answer), ["line 2 event_type_reserved"]);
}

#[test]
fn a_draft_that_stands_twice_is_a_replay_and_one_that_changed_is_none() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", [draft(1), draft(1), draft(2)].join("\n"));
    assert_eq!(sums(&sandbox.json_ok(&["envelope", "import", "in.jsonl"])), (2, 1, 0));
    let other = draft(3).replace("{\"n\":3}", "{\"n\":30}");
    let timeless = draft(4).replace("\"claimed_time\":\"2026-11-22T00:00:00Z\",", "");
    let input = [draft(4), draft(3), other, timeless, draft(5)].join("\n");
    sandbox.write("in.jsonl", &input);
    let (code, answer) = sandbox.json(&["envelope", "import", "in.jsonl"]);
    assert_eq!((code, sums(&answer)), (5, (0, 0, 5)));
    assert_eq!(codes(&answer), ["line 3 envelope_conflict"]);
    let import = ["--json", "envelope", "import", "-", "--policy", "record_anomaly"];
    let run = Run::of(sandbox.command(&import).write_stdin(input));
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, sums(&answer)), (0, (3, 1, 1)));
    assert_eq!(codes(&answer), ["line 3 envelope_conflict"]);
}

#[test]
fn every_receipt_is_written_in_the_order_of_the_input() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..30));
    let import = ["envelope", "import", "in.jsonl", "--receipts", "receipts.jsonl", "--batch", "4"];
    sandbox.json_ok(&import);
    let receipts = sandbox.read("receipts.jsonl");
    let positions: Vec<u64> = receipts
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64().unwrap())
        .collect();
    assert_eq!(positions, (0..30).collect::<Vec<_>>());
    assert_eq!(refusal(&sandbox.json(&import)), (5, "already_exists"));
    assert_eq!(sandbox.read("receipts.jsonl"), receipts);
}

#[test]
fn what_has_no_id_would_be_recorded_again_and_that_is_said() {
    let sandbox = Sandbox::unsigned();
    let line = r#"{"event_type":"a","actor_id":"b","environment_id":"c","payload":{}}"#;
    sandbox.write("in.jsonl", format!("{line}\n{line}\n"));
    let run = sandbox.run(&["envelope", "import", "in.jsonl"]);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("2 records had no envelope_id"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["--quiet", "envelope", "import", "in.jsonl"]).stderr, "");
    assert_eq!(stored(&sandbox), 4);
}

#[test]
fn an_empty_input_is_no_fault() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", "\n \n");
    assert_eq!(sums(&sandbox.json_ok(&["envelope", "import", "in.jsonl"])), (0, 0, 0));
    assert_eq!(refusal(&sandbox.json(&["envelope", "import", "none.jsonl"])), (1, "not_found"));
}
