//! `attack`: every manipulation is noticed by whom its documentation says, over signed and over unsigned evidence.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Sandbox, envelope_id, refusal};

/// The page that lists the attacks.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/attacks.md");

/// What cannot be done to the demonstration, which is too short for a full tile and sealed to its end; and who notices.
const NOT_IN_THE_DEMONSTRATION: [(&str, &str); 2] =
    [("tile", "startup, store_corrupt"), ("rewrite_open", "head guard, head_forked")];

fn demonstration() -> Sandbox {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["demo", "--keep", "kept"]).code, 0);
    sandbox
}

/// A database that nobody signed: three segments, more envelopes than a tile has room for, an attachment.
fn unsigned() -> Sandbox {
    let sandbox = Sandbox::unsigned();
    for segment in 0..2 {
        let lines: String = (segment * 150..(segment + 1) * 150).map(draft).collect();
        sandbox.write("drafts.jsonl", lines);
        sandbox.json_ok(&["envelope", "import", "drafts.jsonl"]);
        sandbox.json_ok(&["segment", "seal"]);
    }
    sandbox.write("letter.txt", "Dear claimant");
    for number in 0..3 {
        sandbox.record(&format!(r#"{{"last":{number}}}"#), &["--attach", "letter.txt"]);
    }
    sandbox
}

fn draft(number: u64) -> String {
    let id = envelope_id(number);
    format!(
        r#"{{"envelope_id":"{id}","event_type":"tool.call","actor_id":"agent-1","environment_id":"test","claimed_time":"2026-11-22T00:00:00Z","trace_id":"trace-{}","session_id":"session","payload":{{"n":{number}}},"payload_salt":"{number:032x}"}}"#,
        number % 7
    ) + "\n"
}

fn text<'a>(report: &'a Value, member: &str) -> &'a str {
    report[member].as_str().unwrap_or_default()
}

fn reports(answer: &Value) -> BTreeMap<&str, &Value> {
    let reports = answer["attacks"].as_array().unwrap();
    reports.iter().map(|report| (text(report, "name"), report)).collect()
}

/// Every attack that was performed is noticed: by the evidence itself, or, if it says so, by a kept head.
fn check_all_noticed(answer: &Value) {
    for (name, report) in reports(answer) {
        if report["performed"] == false {
            assert!(!text(report, "not_performed_because").is_empty(), "{name}");
            continue;
        }
        if report["needs_witness"] == false {
            assert_eq!(report["caught"], true, "{name}: {report}");
            assert!(
                !text(report, "layer").is_empty() && !text(report, "code").is_empty(),
                "{name}"
            );
            continue;
        }
        assert_eq!(report["caught"], false, "{name} needs no witness: {report}");
        let (guard, witness) = (&report["head_guard"], &report["witness"]);
        let is_database = !name.starts_with("bundle_");
        assert_eq!(guard["caught"] == true, is_database, "{name}: {report}");
        // A seal is no part of the log, so a head does not tell that one is gone.
        assert_eq!(witness["caught"], name != "segment_last_reopened", "{name}: {report}");
    }
}

fn files(sandbox: &Sandbox, directory: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(sandbox.path(directory)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn over_the_demonstration_every_attack_is_noticed_and_the_original_is_left_alone() {
    let sandbox = demonstration();
    let before = files(&sandbox, "kept");
    let answer = sandbox.json_ok(&["attack", "kept"]);
    assert_eq!(files(&sandbox, "kept"), before);
    assert_eq!((&answer["signed"], &answer["slipped_through"]), (&true.into(), &0.into()));
    check_all_noticed(&answer);
    for (name, report) in reports(&answer) {
        assert_eq!(
            report["performed"],
            NOT_IN_THE_DEMONSTRATION.iter().all(|(absent, _)| *absent != name),
            "{name}: {report}"
        );
    }
    check_page(&answer);
}

/// The page says of each attack what happened to it.
fn check_page(answer: &Value) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let rows: BTreeSet<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = answer["attacks"].as_array().unwrap().iter().map(row).collect();
    let expected_set: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(rows, expected_set, "the table should be\n{}", expected.join("\n"));
}

/// Who notices what cannot be done to the demonstration.
fn elsewhere(name: &str) -> &'static str {
    NOT_IN_THE_DEMONSTRATION.iter().find(|(absent, _)| *absent == name).map_or("-", |(_, by)| by)
}

fn layer_and_code(catch: &Value) -> String {
    format!("{}, {}", text(catch, "layer"), text(catch, "code"))
}

fn row(report: &Value) -> String {
    let who = match text(report, "needs") {
        "file" => "outsider with the file",
        "disk" => "insider with the disk",
        _ => "insider with the key",
    };
    let (catch, outside) = match text(report, "stopped_by") {
        "head_guard" => (&report["head_guard"], "yes, or the head guard"),
        "witness" => (&report["witness"], "yes"),
        "signatures" => (report, "if unsigned"),
        _ => (report, "no"),
    };
    let parts = ["layer", "phase", "code"].map(|part| text(catch, part));
    let by = match report["performed"] == true {
        true => parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        false => elsewhere(text(report, "name")).to_owned(),
    };
    format!("| `{}` | {} | {who} | {by} | {outside} |", text(report, "name"), text(report, "story"))
}

#[test]
fn over_an_unsigned_database_every_attack_is_noticed_or_needs_a_witness() {
    let sandbox = unsigned();
    let answer = sandbox.json_ok(&["attack", "recorder.db"]);
    assert_eq!((&answer["signed"], &answer["slipped_through"]), (&false.into(), &0.into()));
    check_all_noticed(&answer);
    let reports = reports(&answer);
    assert_eq!(layer_and_code(reports["tile"]), elsewhere("tile"));
    assert_eq!(layer_and_code(&reports["rewrite_open"]["head_guard"]), elsewhere("rewrite_open"));
    for (name, report) in reports {
        let by_key = report["needs"] == "key";
        assert!(!by_key || report["performed"] == false, "{name}: nobody signed this");
    }
}

#[test]
fn a_database_whose_end_no_checkpoint_covers_yet_is_attacked_all_the_same() {
    let sandbox = Sandbox::initialised();
    sandbox.write("drafts.jsonl", (0..5).map(draft).collect::<String>());
    sandbox.json_ok(&["envelope", "import", "drafts.jsonl", "--passphrase-file", "passphrase"]);
    let key = ["--key", "recorder-key.pem", "--passphrase-file", "passphrase"];
    let answer = sandbox.json_ok(
        &[&["attack", "recorder.db", "--trust-root", "trust-root.json"], &key[..]].concat(),
    );
    check_all_noticed(&answer);
    let reports = reports(&answer);
    assert_eq!(reports["older_copy"]["head_guard"]["code"], "head_rolled_back");
    assert_eq!(reports["older_copy"]["witness"]["code"], "known_head_ahead");
    assert_eq!(layer_and_code(&reports["rewrite_open"]["head_guard"]), elsewhere("rewrite_open"));
    assert_eq!(reports["rewrite_insider"]["performed"], true);
    assert_eq!(reports["rewrite_unpromised"]["code"], "envelope_unvouched");
}

#[test]
fn without_the_key_what_takes_it_is_skipped_in_the_open() {
    let sandbox = demonstration();
    for evidence in ["kept/refund-desk.recorder.zip", "kept/recorder.db"] {
        let arguments = ["attack", evidence, "--trust-root", "kept/trust-root.json"];
        let answer = sandbox.json_ok(&arguments);
        for (name, report) in reports(&answer) {
            if report["needs"] == "key" {
                assert_eq!(report["performed"], false, "{name}");
                assert_eq!(
                    report["not_performed_because"], "the signing key is not here",
                    "{name}"
                );
            }
        }
        assert!(answer["performed"].as_u64().unwrap() > 30, "{evidence}");
    }
}

#[test]
fn evidence_that_is_broken_already_is_not_attacked() {
    let sandbox = demonstration();
    let bundle = sandbox.path("kept/refund-desk.recorder.zip");
    let mut bytes = std::fs::read(&bundle).unwrap();
    let place = bytes.windows(8).position(|window| window == b"escalate").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let arguments =
        ["attack", "kept/refund-desk.recorder.zip", "--trust-root", "kept/trust-root.json"];
    let run = sandbox.json(&arguments);
    assert_eq!(refusal(&run), (3, "evidence_unsound"));
    assert_eq!(refusal(&sandbox.json(&["attack", "nowhere"])), (1, "not_found"));
}

#[test]
fn the_list_names_what_is_performed() {
    let sandbox = demonstration();
    let listed = sandbox.json_ok(&["attack", "--list"]);
    let performed = sandbox.json_ok(&["attack", "kept/refund-desk.recorder.zip"]);
    let (listed, performed) = (reports(&listed), reports(&performed));
    assert!(listed.len() >= 40);
    assert_eq!(listed.keys().collect::<Vec<_>>(), performed.keys().collect::<Vec<_>>());
    assert!(sandbox.run(&["attack", "--list"]).stdout.contains("older_copy"));
}
