//! Whatever comes is named or taken, in bounded memory, and adds up.

use proptest::prelude::*;
use recorder_envelope::adapter::Policy;
use recorder_openclaw_adapter::{BOUNDS, Stream};
use serde_json::json;

use super::any_bytes::check_bytes;
use super::sample::{Setup, codes, lenient, line_of, only, refusal, run_of, strict, text};

fn tick(seq: u64) -> String {
    line_of("c1", seq, "tick", json!({ "ts": 1 }))
}

fn with_frame(frame: &str) -> String {
    let line = tick(1);
    let start = line.find("\"frame\":").unwrap() + "\"frame\":".len();
    let end = line.find(",\"gateway\"").unwrap();
    format!("{}{frame}{}", &line[..start], &line[end..])
}

/// A frame of a run whose data is `data`.
fn with_data(data: &str) -> String {
    with_frame(&format!(
        r#"{{"type":"event","event":"agent","seq":1,"payload":{{"runId":"r","agentId":"a","stream":"lifecycle","ts":1,"data":{data}}}}}"#
    ))
}

fn check_named(line: String, code: &str) {
    assert_eq!(refusal(std::slice::from_ref(&line)), [code], "{}", &line[..line.len().min(300)]);
    let outcome = lenient(&[line]);
    assert_eq!((outcome.rejected, outcome.received()), (1, 1));
    let evidence = only(&outcome, "openclaw.stream.line_rejected");
    assert_eq!(evidence["detail"]["code"], code);
}

#[test]
fn each_line_that_is_not_of_the_format_has_its_name() {
    for (line, code) in [
        ("{".to_owned(), "line_invalid"),
        ("[]".to_owned(), "line_invalid"),
        (tick(1)[..60].to_owned(), "line_invalid"),
        (tick(1).replace("input/1", "input/2"), "schema_unsupported"),
        (tick(1).replace("\"schema\"", "\"extra\":1,\"schema\""), "line_invalid"),
        (tick(1).replace("\"gateway-1\"", "\"a\\u202eb\""), "identifier_invalid"),
        (tick(1).replace("\"boot-1\"", "\"\""), "identifier_invalid"),
        (tick(1).replace("\"c1\"", &format!("\"{}\"", "c".repeat(129))), "identifier_invalid"),
        (tick(1).replace("2026-11-22T10:00:00Z", "1969-12-31T23:59:59Z"), "time_out_of_range"),
        (tick(1).replace("2026-11-22T10:00:00Z", "yesterday"), "time_out_of_range"),
        (with_frame("7"), "frame_invalid"),
        (with_frame(r#"{"type":"res","seq":1}"#), "frame_invalid"),
        (with_frame(r#"{"type":"event","event":"tick"}"#), "seq_missing"),
        (with_frame(r#"{"type":"event","event":"tick","seq":0}"#), "seq_invalid"),
        (with_frame(r#"{"type":"event","event":"tick","seq":1.5}"#), "seq_invalid"),
        (
            with_frame(r#"{"type":"event","event":"tick","seq":18446744073709551615}"#),
            "seq_invalid",
        ),
        (with_frame(r#"{"type":"event","event":"tick","seq":1,"seq":2}"#), "frame_invalid"),
        (
            with_frame(
                r#"{"type":"event","event":"agent","seq":1,"payload":{"stream":"lifecycle","data":{"phase":"start"}}}"#,
            ),
            "frame_invalid",
        ),
    ] {
        check_named(line, code);
    }
}

#[test]
fn each_frame_that_no_envelope_can_carry_has_its_name() {
    let deep =
        format!("{{\"phase\":\"model\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!("{{\"phase\":\"model\",\"x\":[{}1]}}", "1,".repeat(1024));
    let wide = format!(
        "{{\"phase\":\"model\",\"x\":{{{}\"y\":1}}}}",
        (0..256).map(|n| format!("\"a{n}\":1,")).collect::<String>()
    );
    let named = format!("{{\"phase\":\"model\",\"{}\":1}}", "n".repeat(300));
    for (line, code) in [
        (with_data(&deep), "too_deep"),
        (with_data(&many), "too_many_items"),
        (with_data(&wide), "too_many_members"),
        (with_data(&named), "name_too_long"),
        (with_data(r#"{"phase":"model","x":"\ud800"}"#), "lone_surrogate"),
        (with_data(r#"{"phase":"model","x":{"a":1,"a":2}}"#), "payload_invalid"),
        (with_data(r#"{"phase":"model","x":9007199254740993}"#), "payload_invalid"),
        (
            with_data(r#"{"phase":"model"}"#).replace("\"ts\":1", "\"ts\":253402300800000"),
            "time_out_of_range",
        ),
        (with_data(r#"{"phase":"model"}"#).replace("\"ts\":1", "\"ts\":-1"), "time_out_of_range"),
        (
            with_data(r#"{"phase":"model"}"#)
                .replace("\"agentId\":\"a\"", "\"agentId\":\"a\\u0000\""),
            "identifier_invalid",
        ),
        (
            with_data(r#"{"phase":"model"}"#).replace("\"runId\":\"r\"", "\"runId\":\" r\""),
            "identifier_invalid",
        ),
    ] {
        check_named(line, code);
    }
}

#[test]
fn times_from_1970_to_9999_are_taken() {
    for (at, time) in [
        ("0", "1970-01-01T00:00:00.000000000Z"),
        ("18446744073709", "2554-07-21T23:34:33.709000000Z"),
        ("253402300799999", "9999-12-31T23:59:59.999000000Z"),
    ] {
        let mut lines = run_of("c1", "run-1");
        lines[1] = lines[1].replace("\"ts\":1790000000000", &format!("\"ts\":{at}"));
        let outcome = strict(&lines).unwrap();
        assert_eq!(outcome.events[1].envelope.fields.claimed_time.to_string(), time);
    }
}

#[test]
fn a_line_of_fifty_megabytes_is_one_rejected_record() {
    let setup = Setup::new();
    let settings = setup.settings(Policy::RecordAnomaly);
    let mut stream = Stream::new(&settings);
    stream.push(tick(1).as_bytes());
    stream.push(b"\n{\"schema\":\"");
    let megabyte = vec![b'x'; 1 << 20];
    (0..50).for_each(|_| stream.push(&megabyte));
    stream.push(b"\n");
    stream.push(tick(2).as_bytes());
    let outcome = stream.finish().unwrap();
    assert_eq!(codes(&outcome), ["record_too_large"]);
    assert_eq!((outcome.rejected, outcome.skipped), (1, 2));
    let detail = &only(&outcome, "openclaw.stream.line_rejected")["detail"];
    assert_eq!(detail["bytes"], (50 << 20) + 11);
    let exact = format!("{}{}", tick(1), " ".repeat(BOUNDS.record_bytes_max - tick(1).len()));
    assert!(strict(std::slice::from_ref(&exact)).is_ok());
    assert_eq!(refusal(&[format!("{exact} ")]), ["record_too_large"]);
}

#[test]
fn under_a_strict_policy_nothing_is_given_away_before_the_end() {
    let setup = Setup::new();
    let settings = setup.settings(Policy::StrictFail);
    let mut stream = Stream::new(&settings);
    stream.push(text(&run_of("c1", "run-1")).as_bytes());
    assert!(stream.take_events().is_empty());
    stream.push(b"{}\n");
    assert!(stream.take_events().is_empty());
    let refused = stream.finish().unwrap_err();
    assert_eq!((refused.received, refused.problems.count()), (11, 1));
}

#[test]
fn an_empty_input_is_nothing_and_empty_lines_are_counted() {
    assert_eq!(strict(&[]).unwrap().received(), 0);
    let outcome = strict(&[String::new(), "\r".to_owned(), tick(1)]).unwrap();
    assert_eq!((outcome.skipped, outcome.received()), (3, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pieces_in_which_an_input_comes_make_no_difference(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8), strict: bool, damage in 0_usize..12,
    ) {
        let mut lines = run_of("c1", "run-1");
        if damage < lines.len() {
            lines.remove(damage);
        }
        let input = text(&lines);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let setup = Setup::new();
        let policy = if strict { Policy::StrictFail } else { Policy::RecordAnomaly };
        let settings = setup.settings(policy);
        let mut stream = Stream::new(&settings);
        let mut events = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([input.len()]) {
            stream.push(&input.as_bytes()[start..cut]);
            events.append(&mut stream.take_events());
            start = cut;
        }
        let in_pieces = stream.finish().map(|mut outcome| {
            events.append(&mut outcome.events);
            outcome.events = events;
            outcome
        });
        prop_assert_eq!(in_pieces, recorder_openclaw_adapter::map(input.as_bytes(), &settings));
    }

    #[test]
    fn any_bytes_are_taken_or_named(input in prop::collection::vec(any::<u8>(), 0..300)) {
        check_bytes(&input);
    }

    #[test]
    fn a_stream_with_changed_bytes_is_taken_or_named(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut input = text(&run_of("c1", "run-1")).into_bytes();
        for (place, byte) in changes {
            let place = place.index(input.len());
            input[place] = byte;
        }
        check_bytes(&input);
    }
}
