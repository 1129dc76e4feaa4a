//! What one real gateway sent to one client, and its ledger: whole it passes, damaged it is named.
//!
//! The captures are not part of this repository: `RECORDER_CAPTURES` names the directory of those that the machine has.

use std::path::Path;

use serde_json::{Value, json};

use super::sample::{codes, ledger_line, lenient, only, refusal, strict, types};

/// The values of a file of captures; `None`, said aloud, where there are none.
fn read(name: &str) -> Option<Vec<Value>> {
    let Some(root) = std::env::var_os("RECORDER_CAPTURES") else {
        eprintln!("SKIPPED: RECORDER_CAPTURES names no directory of captures");
        return None;
    };
    let text = std::fs::read_to_string(Path::new(&root).join("openclaw").join(name)).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The frames as a tap writes them: those that are events, in their order.
fn frames() -> Option<Vec<String>> {
    let capture = read("frames-tool.jsonl")?;
    let server = &capture.iter().find(|it| it["kind"] == "hello")?["frame"]["server"];
    let events = capture.iter().filter(|it| it["kind"] == "event");
    let lines = events.map(|it| {
        let at = it["at"].as_u64().unwrap();
        let (seconds, milliseconds) = ((at / 1000) as i64, (at % 1000) as u32);
        let at = recorder_core::time::UtcTimestamp::new(seconds, milliseconds * 1_000_000).unwrap();
        json!({
            "schema": "recorder.openclaw-input/1", "gateway": "gateway-1", "boot_id": server["bootId"],
            "conn_id": server["connId"], "received_at": at.to_string(), "frame": it["frame"],
        })
        .to_string()
    });
    Some(lines.collect())
}

fn with_ledger() -> Option<Vec<String>> {
    let rows = read("audit-events.jsonl")?;
    Some([frames()?, rows.into_iter().map(ledger_line).collect()].concat())
}

#[test]
fn the_real_stream_passes_without_a_false_gap() {
    let Some(lines) = frames() else { return };
    let outcome = strict(&lines).unwrap();
    assert_eq!(outcome.received(), lines.len() as u64);
    let count = |of: &str| types(&outcome).iter().filter(|it| **it == of).count();
    assert_eq!((count("openclaw.run.started"), count("openclaw.run.finished")), (2, 2));
    assert_eq!((count("openclaw.tool.started"), count("openclaw.tool.finished")), (3, 2));
    assert_eq!((count("openclaw.tool.failed"), count("openclaw.approval.resolved")), (1, 1));
    assert_eq!(only(&outcome, "openclaw.stream.closed")["detail"]["last_seq"], 87);
}

#[test]
fn the_real_ledger_agrees_with_the_real_stream() {
    let Some(lines) = with_ledger() else { return };
    let outcome = strict(&lines).unwrap();
    assert_eq!(outcome.received(), lines.len() as u64);
    let rows = types(&outcome).iter().filter(|it| it.starts_with("openclaw.ledger.")).count();
    assert_eq!(rows, 30);
    // A tool call that somebody took out of the ledger.
    let is_row = |line: &&String| !line.contains("tool_call_id") || !line.contains("259d356229cf");
    let without: Vec<String> = lines.iter().filter(is_row).cloned().collect();
    assert_eq!(refusal(&without), ["ledger_tool_missing"]);
}

#[test]
fn each_line_of_the_real_stream_is_missed_when_it_is_gone() {
    let Some(lines) = frames() else { return };
    for place in 0..lines.len() - 1 {
        let mut damaged = lines.clone();
        damaged.remove(place);
        let expected = if place == 0 { "stream_late_start" } else { "stream_gap" };
        let outcome = lenient(&damaged);
        assert_eq!(codes(&outcome)[0], expected, "line {place}");
        assert_eq!(outcome.received(), damaged.len() as u64);
    }
    let mut swapped = lines.clone();
    swapped.swap(40, 41);
    assert_eq!(refusal(&swapped), ["stream_gap", "stream_disorder"]);
    let mut repeated = lines.clone();
    repeated.insert(50, lines[49].clone());
    assert_eq!(refusal(&repeated), ["stream_repeat"]);
    assert_eq!(refusal(&lines[..60]), ["stream_incomplete"]);
}
