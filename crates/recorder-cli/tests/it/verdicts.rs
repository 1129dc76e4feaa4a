//! `bundle verify` and `bundle inspect`: exit codes, transcripts, and whom to believe.

use std::io::{Read as _, Seek as _, Write as _};

use serde_json::Value;

use super::{Run, Sandbox, drafts, refusal};

/// A sealed stream of 30 envelopes, bundled.
fn bundled() -> Sandbox {
    let sandbox = Sandbox::initialised();
    sandbox.write("in.jsonl", drafts(0..30));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["segment", "seal"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "all.zip"]);
    sandbox
}

fn verify(sandbox: &Sandbox, more: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["bundle", "verify", "all.zip"], more].concat())
}

const TRUSTED: [&str; 2] = ["--trust-root", "trust-root.json"];

/// Changes the byte in the middle of the file.
fn tamper(sandbox: &Sandbox) {
    let path = sandbox.path("all.zip");
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(std::io::SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(std::io::SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

#[test]
fn a_trusted_bundle_is_valid() {
    let sandbox = bundled();
    let (code, answer) = verify(&sandbox, &TRUSTED);
    assert_eq!((code, &answer["verdict"]), (0, &Value::from("valid")), "{answer}");
    insta::assert_snapshot!(answer["answers"].to_string());
    let people = sandbox.run(&["bundle", "verify", "all.zip", TRUSTED[0], TRUSTED[1]]);
    assert_eq!(people.code, 0);
    let shown: Vec<&str> =
        people.stdout.lines().filter(|line| !line.starts_with("bundle ")).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn without_a_trust_root_authenticity_is_unproven_and_the_exit_code_says_so() {
    let sandbox = bundled();
    let (code, answer) = verify(&sandbox, &[]);
    assert_eq!(code, 4);
    assert_eq!(
        (&answer["verdict"], &answer["answers"]["authenticity"]),
        (&Value::from("valid_with_warnings"), &Value::from("unproven"))
    );
    assert_eq!(answer["findings"][0]["code"], "trust_root_absent");
    assert_eq!(verify(&sandbox, &["--require", "integrity"]).0, 0);
    let people = sandbox.run(&["bundle", "verify", "all.zip"]);
    assert_eq!(people.code, 4);
    assert!(people.stdout.contains("Anyone could have made this file."), "{}", people.stdout);
}

#[test]
fn what_is_required_moves_the_line() {
    let sandbox = bundled();
    assert_eq!(verify(&sandbox, &[&TRUSTED[..], &["--require", "end"]].concat()).0, 0);
    assert_eq!(verify(&sandbox, &[&TRUSTED[..], &["--require", "time"]].concat()).0, 4);
    assert_eq!(verify(&sandbox, &["--require", "luck"]).0, 2);
}

#[test]
fn a_changed_byte_makes_it_invalid_whatever_is_required() {
    let sandbox = bundled();
    tamper(&sandbox);
    for more in [&TRUSTED[..], &[], &["--require", "integrity"]] {
        let (code, answer) = verify(&sandbox, more);
        assert_eq!((code, &answer["verdict"]), (3, &Value::from("invalid")));
        assert_eq!(answer["exit_code"], 3);
        assert!(answer["finding_count"].as_u64().unwrap() > 0);
    }
    let people = sandbox.run(&["bundle", "verify", "all.zip"]);
    assert!(people.stdout.starts_with("INVALID\n"), "{}", people.stdout);
    assert!(people.stdout.contains("Nothing that this bundle says is proven"), "{}", people.stdout);
}

#[test]
fn a_configuration_file_says_nothing_about_whom_to_believe() {
    let sandbox = bundled();
    // `init` wrote recorder.toml here, and it names the trust root.
    assert!(sandbox.read("recorder.toml").contains("trust_root"));
    assert_eq!(verify(&sandbox, &[]).1["trust_root_given"], false);
    sandbox.write("recorder.toml", "this is no configuration");
    assert_eq!(verify(&sandbox, &TRUSTED).0, 0);
    let mut command = sandbox.command(&["bundle", "verify", "all.zip"]);
    let run = Run::of(command.env("RECORDER_TRUST_ROOT", "trust-root.json"));
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn transcripts_are_the_same_bytes_with_any_number_of_threads() {
    let sandbox = bundled();
    sandbox.write("head", sandbox.run(&["checkpoint", "show"]).stdout);
    let mut transcripts = Vec::new();
    for threads in ["1", "2", "7"] {
        let name = format!("transcript-{threads}.json");
        let more = [
            &TRUSTED[..],
            &["--known-head", "head", "--threads", threads, "--verdict-transcript-output", &name],
        ]
        .concat();
        assert_eq!(verify(&sandbox, &more).0, 0);
        transcripts.push(sandbox.read(&name));
        assert_eq!(refusal(&verify(&sandbox, &more)), (5, "already_exists"));
    }
    assert!(transcripts.windows(2).all(|pair| pair[0] == pair[1]));
    let transcript: Value = serde_json::from_str(&transcripts[0]).unwrap();
    assert_eq!(transcript["type"], "recorder.verification-transcript/v1");
    tamper(&sandbox);
    let more = [&TRUSTED[..], &["--verdict-transcript-output", "invalid.json"]].concat();
    assert_eq!(verify(&sandbox, &more).0, 3);
    let transcript: Value = serde_json::from_str(&sandbox.read("invalid.json")).unwrap();
    assert_eq!(transcript["verdict"], "invalid");
}

#[test]
fn a_known_head_that_the_log_does_not_extend_breaks_it() {
    let (sandbox, other) = (bundled(), bundled());
    sandbox.write("head", other.run(&["checkpoint", "show"]).stdout);
    let (code, answer) = verify(&sandbox, &[&TRUSTED[..], &["--known-head", "head"]].concat());
    assert_eq!(code, 3, "{answer}");
}

#[test]
fn what_cannot_be_judged_is_no_verdict() {
    let sandbox = bundled();
    let missing = sandbox.json(&["bundle", "verify", "none.zip"]);
    assert_eq!(refusal(&missing), (1, "not_found"));
    assert_eq!(refusal(&verify(&sandbox, &["--trust-root", "none.json"])), (1, "not_found"));
    sandbox.write("wrong.json", "{\"type\":\"recorder.trust-root/v1\",\"keys\":[]}");
    assert_eq!(
        refusal(&verify(&sandbox, &["--trust-root", "wrong.json"])),
        (2, "trust_root_invalid")
    );
    assert_eq!(
        refusal(&verify(&sandbox, &["--known-head", "wrong.json"])),
        (2, "checkpoint_invalid")
    );
    assert_eq!(refusal(&sandbox.json(&["bundle", "verify", "."])), (1, "not_regular"));
    for (name, limit) in [("large.json", (1 << 20) + 1), ("large.note", (64 << 10) + 1)] {
        sandbox.write(name, "x".repeat(limit));
    }
    assert_eq!(refusal(&verify(&sandbox, &["--trust-root", "large.json"])), (1, "too_large"));
    assert_eq!(refusal(&verify(&sandbox, &["--known-head", "large.note"])), (1, "too_large"));
}

#[test]
fn an_inspection_says_that_nothing_is_verified() {
    let sandbox = bundled();
    let answer = sandbox.json_ok(&["bundle", "inspect", "all.zip"]);
    assert_eq!(
        (&answer["verified"], &answer["envelope_count"]),
        (&Value::from(false), &Value::from(30))
    );
    let people = sandbox.run(&["bundle", "inspect", "all.zip"]);
    assert!(people.stdout.starts_with("not verified: "), "{}", people.stdout);
    sandbox.write("no.zip", "nothing of the kind");
    assert_eq!(
        refusal(&sandbox.json(&["bundle", "inspect", "no.zip"])),
        (3, "container_unrecognised")
    );
    let (code, answer) = sandbox.json(&["bundle", "verify", "no.zip"]);
    assert_eq!((code, &answer["verdict"]), (3, &Value::from("invalid")));
}

#[test]
fn documents_and_selections_verify_too() {
    let sandbox = bundled();
    let build = ["bundle", "build", "--positions", "5..9", "--document", "--output", "part.json"];
    sandbox.json_ok(&build);
    let verify = ["bundle", "verify", "part.json", TRUSTED[0], TRUSTED[1]];
    let answer = sandbox.json_ok(&verify);
    assert_eq!(answer["answers"]["completeness"], "partial");
    assert_eq!(answer["subject"]["form"], "document");
}
