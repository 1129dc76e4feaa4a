//! Every manipulation of a stream has its name, and a stream that nobody touched has none.

use proptest::prelude::*;
use serde_json::json;

use super::sample::{codes, lenient, line_of, only, payload, refusal, run_of, strict, types};

const KEPT: [&str; 10] = [
    "openclaw.stream.opened",
    "openclaw.run.started",
    "openclaw.tool.started",
    "openclaw.approval.requested",
    "openclaw.approval.resolved",
    "openclaw.tool.finished",
    "openclaw.message.outbound",
    "openclaw.run.finished",
    "openclaw.chat.final",
    "openclaw.stream.closed",
];

#[test]
fn a_whole_stream_passes_and_says_what_it_left_out() {
    let outcome = strict(&run_of("c1", "run-1")).unwrap();
    assert_eq!(types(&outcome), KEPT);
    assert_eq!((outcome.accepted, outcome.rejected, outcome.skipped), (8, 0, 2));
    let closed = only(&outcome, "openclaw.stream.closed");
    let skipped =
        json!([{ "count": 1, "event": "agent.assistant" }, { "count": 1, "event": "tick" }]);
    assert_eq!(closed["detail"]["skipped"], skipped);
    assert_eq!(
        (&closed["detail"]["frames"], &closed["detail"]["missing"]),
        (&json!(10), &json!(0))
    );
}

#[test]
fn what_was_begun_is_the_parent_of_what_ends_it() {
    let outcome = strict(&run_of("c1", "run-1")).unwrap();
    let fields = |index: usize| &outcome.events[index].envelope.fields;
    for (began, ended) in [(1, 7), (2, 5), (3, 4)] {
        assert_eq!(fields(ended).parent_ids.as_slice(), [fields(began).envelope_id]);
    }
    assert_eq!(fields(4).actor_id.as_str(), "openclaw:operator:operator-ui");
    assert_eq!(fields(1).actor_id.as_str(), "openclaw:agent:main");
    assert_eq!(fields(1).trace_id.as_ref().unwrap().as_str(), "run-1");
    assert_eq!(fields(3).trace_id.as_ref().unwrap().as_str(), "run-1");
    assert_eq!(fields(1).environment_id.as_str(), "gateway-1");
    assert_eq!(fields(2).claimed_time.to_string(), "2026-09-21T14:13:20.002000000Z");
}

#[test]
fn a_deleted_line_is_a_gap_with_what_is_missing() {
    let mut lines = run_of("c1", "run-1");
    lines.remove(2);
    assert_eq!(refusal(&lines), ["stream_gap"]);
    let outcome = lenient(&lines);
    let gap = only(&outcome, "openclaw.stream.gap");
    let detail = &gap["detail"];
    assert_eq!(
        (&detail["expected"], &detail["received"], &detail["missing"]),
        (&json!(3), &json!(4), &json!(1))
    );
    // It stands where it was found, and what comes after it is recorded.
    assert_eq!(types(&outcome)[2], "openclaw.stream.gap");
    assert_eq!((outcome.accepted, outcome.rejected, outcome.skipped), (8, 0, 1));
}

#[test]
fn swapped_lines_are_out_of_order() {
    let mut lines = run_of("c1", "run-1");
    lines.swap(3, 4);
    assert_eq!(refusal(&lines), ["stream_gap", "stream_disorder"]);
    let outcome = lenient(&lines);
    assert_eq!(only(&outcome, "openclaw.stream.disorder")["detail"]["received"], 4);
    assert_eq!((outcome.accepted, outcome.rejected), (8, 0));
}

#[test]
fn a_repeated_line_and_a_contradicting_one_are_told_apart() {
    let mut lines = run_of("c1", "run-1");
    lines.insert(4, lines[3].clone());
    assert_eq!(refusal(&lines), ["stream_repeat"]);
    let outcome = lenient(&lines);
    only(&outcome, "openclaw.stream.repeat");
    assert_eq!((outcome.accepted, outcome.rejected, outcome.skipped), (8, 1, 2));
    lines[4] = lines[4].replace("exec", "read");
    assert_eq!(refusal(&lines), ["stream_equivocation"]);
    let outcome = lenient(&lines);
    let detail = &only(&outcome, "openclaw.stream.equivocation")["detail"];
    assert!(detail["first_frame_hmac"].is_string() && detail["frame_hmac"].is_string());
    assert_ne!(detail["first_frame_hmac"], detail["frame_hmac"]);
    assert_eq!((outcome.accepted, outcome.rejected, outcome.skipped), (8, 1, 2));
}

#[test]
fn a_cut_leaves_open_what_was_begun() {
    for (kept, runs, tools, approvals) in [(8, 1, 0, 0), (6, 1, 1, 0), (5, 1, 1, 1), (2, 1, 0, 0)] {
        let lines = &run_of("c1", "run-1")[..kept];
        assert_eq!(refusal(lines), ["stream_incomplete"]);
        let detail = only(&lenient(lines), "openclaw.stream.incomplete")["detail"].clone();
        assert_eq!(detail["runs"], runs);
        assert_eq!((&detail["tools"], &detail["approvals"]), (&json!(tools), &json!(approvals)));
        assert_eq!(detail["open"].as_array().unwrap().len() as i32, runs + tools + approvals);
        assert_eq!(detail["open"][0]["id"], "run-1");
    }
}

#[test]
fn a_cut_beginning_is_a_late_start() {
    let lines = &run_of("c1", "run-1")[1..];
    assert_eq!(refusal(lines), ["stream_late_start"]);
    let outcome = lenient(lines);
    only(&outcome, "openclaw.stream.late_start");
    assert_eq!(only(&outcome, "openclaw.stream.opened")["detail"]["joined_late"], true);
}

#[test]
fn a_reconnect_is_a_new_epoch_that_names_the_one_before() {
    let lines = [run_of("c1", "run-1"), run_of("c2", "run-2")].concat();
    let outcome = strict(&lines).unwrap();
    let opened: Vec<_> =
        outcome.events.iter().filter(|event| super::sample::event_type(event) == KEPT[0]).collect();
    assert_eq!(payload(opened[0])["detail"]["previous"], json!(null));
    let previous = json!({ "boot_id": "boot-1", "conn_id": "c1", "last_seq": 10 });
    assert_eq!(payload(opened[1])["detail"]["previous"], previous);
    // What was open when the first one broke off is not closed by the second.
    let lines = [run_of("c1", "run-1")[..6].to_vec(), run_of("c2", "run-1")].concat();
    assert_eq!(refusal(&lines), ["stream_incomplete"]);
    // Two taps of the same gateway, their lines mixed, are two streams.
    let (first, second) = (run_of("c1", "run-1"), run_of("c2", "run-2"));
    let mixed: Vec<String> = first.into_iter().zip(second).flat_map(|(a, b)| [a, b]).collect();
    assert_eq!(strict(&mixed).unwrap().accepted, 16);
}

#[test]
fn more_than_is_tracked_is_said() {
    let begin = |seq: u64| {
        let data = json!({ "phase": "start" });
        line_of(
            "c1",
            seq,
            "agent",
            super::sample::agent(&format!("run-{seq}"), 1, "lifecycle", data),
        )
    };
    let lines: Vec<String> = (1..=4100).map(begin).collect();
    let outcome = lenient(&lines);
    assert_eq!(codes(&outcome), ["too_many_open", "stream_incomplete"]);
    assert_eq!(only(&outcome, "openclaw.stream.incomplete")["detail"]["runs"], 4096);
    // One connection more than is tracked ends the one that was quiet longest.
    let lines: Vec<String> = (0..65)
        .map(|connection| line_of(&format!("c{connection}"), 1, "tick", json!({})))
        .collect();
    let outcome = strict(&lines).unwrap();
    let closed = types(&outcome).iter().position(|it| *it == "openclaw.stream.closed").unwrap();
    assert_eq!(closed, 64);
    assert_eq!(payload(&outcome.events[closed])["connection"]["conn_id"], "c0");
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Delete,
    Swap,
    Repeat,
}

proptest! {
    #[test]
    fn no_damage_goes_unnamed(
        place in 0_usize..9,
        damage in prop::sample::select(vec![Damage::Delete, Damage::Swap, Damage::Repeat]),
    ) {
        let mut lines = run_of("c1", "run-1");
        match damage {
            Damage::Delete => drop(lines.remove(place)),
            Damage::Swap => lines.swap(place, place + 1),
            Damage::Repeat => lines.insert(place + 1, lines[place].clone()),
        }
        let count = lines.len() as u64;
        prop_assert!(!refusal(&lines).is_empty());
        let outcome = lenient(&lines);
        prop_assert!(!codes(&outcome).is_empty());
        prop_assert_eq!(outcome.received(), count);
        prop_assert_eq!(outcome.accepted + outcome.rejected + outcome.skipped, count);
    }
}
