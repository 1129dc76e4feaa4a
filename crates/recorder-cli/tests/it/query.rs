//! `query envelopes`: filters, pages, and what a terminal gets to see of evidence.

use super::{Sandbox, drafts, refusal};

#[test]
fn pages_follow_one_another_and_cursors_belong_to_their_query() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..25));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    let mut positions = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut arguments = vec!["query", "envelopes", "--limit", "10"];
        arguments.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor.as_str()]));
        let page = sandbox.json_ok(&arguments);
        let envelopes = page["envelopes"].as_array().unwrap();
        positions.extend(envelopes.iter().map(|e| e["position"].as_u64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(positions, (0..25).collect::<Vec<_>>());
    let cursor = cursor.unwrap();
    let foreign = ["query", "envelopes", "--actor", "x", "--cursor", &cursor];
    assert_eq!(refusal(&sandbox.json(&foreign)), (2, "filter_invalid"));
    for wrong in [&["--cursor", "xyz"][..], &["--limit", "0"], &["--limit", "10001"]] {
        let run = sandbox.json(&[&["query", "envelopes"], wrong].concat());
        assert_eq!(refusal(&run), (2, "filter_invalid"));
    }
    assert_eq!(sandbox.json(&["query", "envelopes", "--positions", "3..3"]).0, 2);
}

#[test]
fn each_condition_narrows() {
    let sandbox = Sandbox::unsigned();
    let first = sandbox.record("{}", &["--trace", "t-1", "--claimed-time", "2026-01-01T00:00:00Z"]);
    sandbox.json_ok(&["segment", "seal"]);
    let second =
        sandbox.record("{}", &["--session", "s-1", "--claimed-time", "2026-02-01T00:00:00Z"]);
    sandbox.write("payload.json", "{}");
    let third = sandbox.json_ok(&[
        "envelope",
        "record",
        "--event-type",
        "tool.result",
        "--actor",
        "agent-2",
        "--environment",
        "live",
        "--payload",
        "payload.json",
    ]);
    let id =
        |receipt: &serde_json::Value, member: &str| receipt[member].as_str().unwrap().to_owned();
    let cases: [(&[&str], &[u64]); 14] = [
        (&["--trace", "t-1"], &[0]),
        (&["--session", "s-1"], &[1]),
        (&["--actor", "agent-2"], &[2]),
        (&["--actor", "agent-2", "--actor", "agent-1"], &[0, 1, 2]),
        (&["--environment", "live"], &[2]),
        (&["--event-type", "tool.call"], &[0, 1]),
        (&["--event-type-prefix", "tool."], &[0, 1, 2]),
        (&["--event-type", "tool.call", "--trace", "t-1"], &[0]),
        (&["--positions", "1.."], &[1, 2]),
        (&["--positions", "..1"], &[0]),
        (&["--to", "2026-02-01T00:00:00Z"], &[0]),
        (&["--from", "2026-02-01T00:00:00Z", "--to", "2026-03-01T00:00:00Z"], &[1]),
        (&["--segment", &id(&first, "segment_id")], &[0]),
        (&["--envelope-id", &id(&third, "envelope_id")], &[2]),
    ];
    for (conditions, expected) in cases {
        let found = sandbox.json_ok(&[&["query", "envelopes"], conditions].concat());
        let positions =
            found["envelopes"].as_array().unwrap().iter().map(|e| e["position"].as_u64().unwrap());
        assert_eq!(positions.collect::<Vec<_>>(), expected, "{conditions:?}");
    }
    let recorded = id(&second, "recorded_at");
    let found = sandbox.json_ok(&["query", "envelopes", "--recorded-to", &recorded]);
    assert_eq!(found["envelopes"].as_array().unwrap().len(), 1);
    assert_eq!(sandbox.run(&["query", "envelopes", "--trace", "none"]).stdout, "nothing matches\n");
}

#[test]
fn a_table_shows_whole_ids_in_columns() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..2));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    let run = sandbox.run(&["query", "envelopes"]);
    let lines: Vec<String> = run
        .stdout
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let untimed = |text: &str| {
                if text.ends_with('Z') { "[TIME]".to_owned() } else { text.to_owned() }
            };
            columns.into_iter().map(untimed).collect::<Vec<_>>().join("|")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(!run.stdout.contains('\u{1b}'), "no colours off a terminal");
}

#[test]
fn text_from_evidence_cannot_drive_a_terminal() {
    let sandbox = Sandbox::unsigned();
    // Payloads may hold anything; errors that quote a line, too.
    sandbox.write("in.jsonl", "{\"a\u{9b}2J\u{202e}\":1}\n");
    let run = sandbox.run(&["envelope", "import", "in.jsonl"]);
    assert_eq!(run.code, 5);
    assert!(run.stdout.contains("a\\u{9b}2J\\u{202e}"), "{:?}", run.stdout);
    assert!(!run.stdout.contains(['\u{9b}', '\u{202e}']), "{:?}", run.stdout);
}
