//! What the commands of adapters share, seen through `decision-gate`: policies, replays, contradictions, the key.

use serde_json::{Value, json};

use super::{Run, Sandbox, mode, refusal, set_mode};

/// A transcript of two calls in the source's own form, the second answered with `code`, and of more that say nothing.
fn transcript_with(code: i64, more: usize) -> String {
    let status = json!({"run_id": "run-1", "tenant_id": 1, "namespace_id": 2, "correlation_id": null,
        "requested_at": {"kind": "unix_millis", "value": 1_767_225_600_000_u64}});
    let arguments = json!({"scenario_id": "s", "request": status});
    let params = json!({"name": "scenario_status", "arguments": arguments});
    let mut exchanges = vec![
        json!({"sequence": 1, "method": "tools/list", "request": {"id": 1, "method": "tools/list"},
         "response": {"result": {"tools": []}}}),
        json!({"sequence": 2, "method": "tools/call", "request": {"id": 2, "params": params},
         "response": {"error": {"code": code, "message": "not found", "data": null}}}),
    ];
    let empty = json!({"request": {"method": "tools/list"}, "response": {"result": {}}});
    exchanges.extend(std::iter::repeat_n(empty, more));
    Value::from(exchanges).to_string()
}

fn transcript() -> String {
    transcript_with(-32004, 0)
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::unsigned();
    sandbox.write("transcript.json", transcript());
    sandbox
}

fn ingest(sandbox: &Sandbox, more: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["decision-gate", "ingest-fixture"], more].concat())
}

/// `[accepted, rejected, replayed]` and the codes.
fn counts(answer: &Value) -> ([u64; 3], Vec<&str>) {
    let count = |name: &str| answer[name].as_u64().unwrap();
    let codes = answer["anomalies"].as_array().unwrap().iter();
    let codes = codes.map(|anomaly| anomaly["code"].as_str().unwrap()).collect();
    ([count("accepted"), count("rejected"), count("replayed")], codes)
}

fn recorded(sandbox: &Sandbox) -> usize {
    let answer = sandbox.json_ok(&["query", "envelopes"]);
    answer["envelopes"].as_array().unwrap().len()
}

#[test]
fn what_is_ingested_twice_is_recorded_once() {
    let sandbox = sandbox();
    let (code, first) = ingest(&sandbox, &["transcript.json"]);
    assert_eq!((code, counts(&first)), (0, ([2, 0, 0], vec![])));
    let (code, again) = ingest(&sandbox, &["transcript.json"]);
    assert_eq!((code, counts(&again)), (0, ([0, 0, 2], vec![])));
    let mut command = sandbox.command(&["--json", "decision-gate", "ingest-fixture", "-"]);
    let piped = Run::of(command.write_stdin(transcript()));
    let piped: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!(counts(&piped), ([0, 0, 2], vec![]));
    assert_eq!(recorded(&sandbox), 2);
}

#[test]
fn what_contradicts_the_record_is_named_and_under_strict_fail_nothing_is_recorded() {
    let sandbox = sandbox();
    ingest(&sandbox, &["transcript.json"]);
    sandbox.write("other.json", transcript_with(-32001, 1));
    let (code, strict) = ingest(&sandbox, &["other.json"]);
    assert_eq!((code, counts(&strict)), (5, ([0, 3, 0], vec!["envelope_conflict"])));
    assert_eq!(strict["error"]["code"], "input_refused");
    assert_eq!(recorded(&sandbox), 2);
    let lenient = ["other.json", "--policy", "record_anomaly"];
    let (code, answer) = ingest(&sandbox, &lenient);
    assert_eq!((code, counts(&answer)), (0, ([1, 1, 1], vec!["envelope_conflict"])));
    // The contradiction is evidence, once.
    assert_eq!(recorded(&sandbox), 4);
    let (_, again) = ingest(&sandbox, &lenient);
    assert_eq!(counts(&again), ([0, 1, 2], vec!["envelope_conflict"]));
    assert_eq!(recorded(&sandbox), 4);
}

#[test]
fn the_key_of_adapters_is_its_owners_and_a_lost_one_is_not_made_anew() {
    let sandbox = sandbox();
    assert_eq!(mode(&sandbox.path("adapter.key")), 0o600);
    let before = sandbox.read("adapter.key");
    set_mode(&sandbox.path("adapter.key"), 0o640);
    assert_eq!(refusal(&ingest(&sandbox, &["transcript.json"])), (5, "permissions_too_open"));
    set_mode(&sandbox.path("adapter.key"), 0o600);
    std::fs::remove_file(sandbox.path("adapter.key")).unwrap();
    assert_eq!(refusal(&ingest(&sandbox, &["transcript.json"])), (5, "adapter_key_missing"));
    assert_eq!(recorded(&sandbox), 0);
    let (_, examined) = sandbox.json(&["doctor"]);
    let checks = examined["checks"].as_array().unwrap();
    let key = checks.iter().find(|check| check["name"] == "adapter key").unwrap();
    assert_eq!(key["state"], "fail");
    sandbox.write_secret("adapter.key", "not hex\n");
    assert_eq!(refusal(&ingest(&sandbox, &["transcript.json"])), (2, "adapter_key_invalid"));
    sandbox.write_secret("adapter.key", &before);
    assert_eq!(ingest(&sandbox, &["transcript.json"]).0, 0);
}

#[test]
fn a_key_that_nobody_named_is_made_when_it_is_first_needed() {
    let sandbox = sandbox();
    std::fs::remove_file(sandbox.path("adapter.key")).unwrap();
    sandbox.write("recorder.toml", "store = \"recorder.db\"\n");
    let run = sandbox.run(&["decision-gate", "ingest-fixture", "transcript.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("made adapter.key"), "{}", run.stderr);
    assert_eq!(mode(&sandbox.path("adapter.key")), 0o600);
    let (_, again) = ingest(&sandbox, &["transcript.json"]);
    assert_eq!(counts(&again), ([0, 0, 2], vec![]));
}

#[test]
fn a_document_that_cannot_be_read_stops_everything_by_name_under_either_policy() {
    let sandbox = sandbox();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"[{{"request":"{}"}}]"#, "x".repeat(50 << 20));
    for (text, expected) in [
        ("", "fixture_invalid"),
        ("{", "fixture_invalid"),
        ("\u{feff}[]", "fixture_invalid"),
        (&deep, "fixture_invalid"),
        (&long, "fixture_too_large"),
        (r#"{"fixture_version":"v1","fixture_version":"v1","transcript":[]}"#, "fixture_invalid"),
        (r#"{"fixture_version":"v9","transcript":[]}"#, "fixture_version_unsupported"),
        (r#"{"fixture_version":"v1","transcript":[],"more":1}"#, "fixture_invalid"),
    ] {
        sandbox.write("document.json", text);
        for policy in ["strict_fail", "record_anomaly"] {
            let (code, answer) = ingest(&sandbox, &["document.json", "--policy", policy]);
            assert_eq!((code, counts(&answer)), (5, ([0, 1, 0], vec![expected])));
        }
    }
    assert_eq!(recorded(&sandbox), 0);
}

#[test]
fn a_runpack_of_links_devices_and_odd_names_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = sandbox();
    let refused = |expected: &str, make: &dyn Fn(&std::path::Path)| {
        let pack = sandbox.path("pack");
        let _ = std::fs::remove_dir_all(&pack);
        std::fs::create_dir_all(pack.join("artifacts")).unwrap();
        std::fs::write(pack.join("manifest.json"), "{}").unwrap();
        make(&pack);
        for policy in ["strict_fail", "record_anomaly"] {
            let more = ["transcript.json", "--runpack", "pack", "--policy", policy];
            let (code, answer) = ingest(&sandbox, &more);
            assert_eq!((code, counts(&answer)), (5, ([0, 1, 0], vec![expected])), "{answer}");
        }
    };
    refused("path_unsafe", &|pack| {
        std::os::unix::fs::symlink("/etc/hostname", pack.join("artifacts/triggers.json")).unwrap();
    });
    refused("path_unsafe", &|pack| {
        std::os::unix::fs::symlink("/etc", pack.join("linked")).unwrap()
    });
    refused("path_unsafe", &|pack| {
        std::fs::hard_link(pack.join("manifest.json"), pack.join("artifacts/again.json")).unwrap();
    });
    refused("path_unsafe", &|pack| {
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, pack.join("fifo"), fifo, mode, 0).unwrap();
    });
    refused("path_unsafe", &|pack| {
        std::fs::write(pack.join(std::ffi::OsStr::from_bytes(b"artifacts/\xff.json")), "").unwrap();
    });
    refused("runpack_too_large", &|pack| {
        std::fs::File::create(pack.join("artifacts/huge.json")).unwrap().set_len(1 << 40).unwrap();
    });
    refused("runpack_too_large", &|pack| {
        for number in 0..2000 {
            std::fs::write(pack.join(format!("artifacts/{number}")), "").unwrap();
        }
    });
    refused("runpack_too_large", &|pack| {
        std::fs::create_dir_all(pack.join("a/b/c/d/e/f")).unwrap()
    });
    std::os::unix::fs::symlink("pack", sandbox.path("link")).unwrap();
    let (code, answer) = ingest(&sandbox, &["transcript.json", "--runpack", "link"]);
    assert_eq!((code, counts(&answer)), (5, ([0, 1, 0], vec!["path_unsafe"])));
    assert_eq!(recorded(&sandbox), 0);
}

#[test]
fn eight_megabytes_of_anything_are_taken_or_refused_in_bounded_memory() {
    /// Address space of the process, in KiB: program, libraries and stacks included.
    const ADDRESS_SPACE_KIB: u32 = 400 << 10;
    let sandbox = sandbox();
    let filled = |before: &str, item: &str, after: &str| {
        let count = ((8 << 20) - before.len() - after.len()) / item.len() - 1;
        format!("{before}{}{after}", item.repeat(count))
    };
    let program = assert_cmd::cargo::cargo_bin("recorder");
    for (text, expected) in [
        (filled(r#"[{"request":["#, "[],", "0]}]"), "record_invalid"),
        (filled(r#"[{"request":["#, r#"{"a":0},"#, "0]}]"), "record_invalid"),
        (filled("[", "1,", "1]"), "fixture_invalid"),
        (filled(r#"{"fixture_version":"v1","transcript":"#, "[", ""), "fixture_invalid"),
    ] {
        sandbox.write("document.json", &text);
        let script = format!(
            "ulimit -v {ADDRESS_SPACE_KIB} && exec {} --json decision-gate ingest-fixture document.json",
            program.display()
        );
        let mut command = assert_cmd::Command::new("sh");
        command.env_clear().current_dir(&sandbox.root).args(["-c", &script]);
        let run = Run::of(&mut command);
        let answer: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let (counts, codes) = counts(&answer);
        assert_eq!((run.code, counts[0]), (5, 0), "{expected}: {answer}");
        assert!(codes.contains(&expected), "{expected}: {codes:?}");
    }
    assert_eq!(recorded(&sandbox), 0);
}
