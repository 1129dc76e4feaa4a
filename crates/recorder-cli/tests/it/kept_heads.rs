//! What an auditor's own copy of the program remembers between bundles.

use super::{Sandbox, drafts, refusal, set_mode};

const HEADS: &str = "home/.local/state/recorder/heads";

/// A recorder of three envelopes, and bundles of it before and after two more.
fn audited() -> Sandbox {
    let sandbox = Sandbox::initialised();
    for (numbers, bundle) in [(0..3, "old.zip"), (3..5, "new.zip")] {
        sandbox.write("in.jsonl", drafts(numbers));
        sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
        sandbox.json_ok(&["segment", "seal"]);
        sandbox.json_ok(&["bundle", "build", "--all", "--output", bundle]);
    }
    sandbox
}

fn verify(sandbox: &Sandbox, bundle: &str, more: &[&str]) -> (i32, serde_json::Value) {
    let arguments = ["bundle", "verify", bundle, "--trust-root", "trust-root.json"];
    sandbox.json(&[&arguments[..], more].concat())
}

fn codes(answer: &serde_json::Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Sizes of the kept heads.
fn kept(sandbox: &Sandbox) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(sandbox.path(HEADS)) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let heads = paths.filter(|path| path.extension().is_some_and(|it| it == "checkpoint"));
    let note = |path| std::fs::read_to_string(path).unwrap();
    heads.map(|path| note(path).lines().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn the_newest_authentic_head_is_kept_and_an_older_bundle_is_named() {
    let sandbox = audited();
    assert_eq!(verify(&sandbox, "old.zip", &[]).0, 0);
    assert_eq!(kept(&sandbox), ["3"]);
    let (code, answer) = verify(&sandbox, "new.zip", &[]);
    assert_eq!((code, &answer["verdict"]), (0, &"valid".into()), "{answer}");
    assert_eq!(kept(&sandbox), ["5"]);
    let (code, answer) = verify(&sandbox, "old.zip", &[]);
    assert_eq!((code, codes(&answer)), (0, vec!["kept_head_ahead"]));
    assert_eq!(answer["verdict"], "valid_with_warnings");
    assert_eq!(answer["answers"]["end"], "unproven");
    assert_eq!(kept(&sandbox), ["5"]);
    assert_eq!(verify(&sandbox, "old.zip", &["--require", "end"]).0, 4);
    // A head that is given is a demand.
    let head = std::fs::read_dir(sandbox.path(HEADS)).unwrap().map(|entry| entry.unwrap().path());
    let head = head.into_iter().find(|path| path.extension().is_some()).unwrap();
    let (code, answer) = verify(&sandbox, "old.zip", &["--known-head", head.to_str().unwrap()]);
    assert_eq!((code, &answer["verdict"]), (3, &"invalid".into()));
}

#[test]
fn a_fork_is_invalid_to_who_saw_the_other_side() {
    let sandbox = audited();
    assert_eq!(verify(&sandbox, "new.zip", &[]).0, 0);
    // The same key and names, another history: an insider starts over.
    for name in ["recorder.db", "recorder.db-wal", "recorder.db-shm"] {
        let _ = std::fs::remove_file(sandbox.path(name));
    }
    std::fs::remove_dir_all(sandbox.path("guard")).unwrap();
    std::fs::copy(Sandbox::unsigned().path("recorder.db"), sandbox.path("recorder.db")).unwrap();
    sandbox.write("in.jsonl", drafts(10..17));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "fork.zip"]);
    let (code, answer) = verify(&sandbox, "fork.zip", &[]);
    assert_eq!((code, codes(&answer)), (3, vec!["known_head_mismatch"]));
    assert_eq!(kept(&sandbox), ["5"]);
    assert_eq!(verify(&sandbox, "fork.zip", &["--no-keep-heads"]).0, 0);
}

#[test]
fn what_is_not_authentic_is_not_kept() {
    let sandbox = audited();
    assert_eq!(sandbox.json(&["bundle", "verify", "new.zip"]).0, 4);
    assert_eq!(verify(&sandbox, "new.zip", &["--no-keep-heads"]).0, 0);
    let other = Sandbox::initialised();
    let root = other.path("trust-root.json").display().to_string();
    assert_eq!(sandbox.json(&["bundle", "verify", "new.zip", "--trust-root", &root]).0, 3);
    assert!(kept(&sandbox).is_empty());
}

#[test]
fn a_kept_head_that_was_changed_is_refused_and_not_overlooked() {
    let sandbox = audited();
    assert_eq!(verify(&sandbox, "new.zip", &[]).0, 0);
    let entries = std::fs::read_dir(sandbox.path(HEADS)).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|it| it == "checkpoint")).unwrap();
    let note = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, note.replacen("\n5\n", "\n4\n", 1)).unwrap();
    assert_eq!(refusal(&verify(&sandbox, "new.zip", &[])), (5, "kept_head_invalid"));
    set_mode(&path, 0o644);
    assert_eq!(refusal(&verify(&sandbox, "new.zip", &[])), (5, "permissions_too_open"));
}

/// A fork by the first key, from before it was rotated away, of a recorder whose later heads an auditor saw.
#[test]
fn a_fork_by_a_key_that_was_rotated_away_is_named_by_the_heads_of_the_next() {
    let sandbox = audited();
    std::fs::copy(sandbox.path("trust-root.json"), sandbox.path("old-root.json")).unwrap();
    for name in ["recorder.db", "recorder.db-wal", "recorder.db-shm", "recorder.toml"] {
        if sandbox.path(name).exists() {
            std::fs::copy(sandbox.path(name), sandbox.path(&format!("{name}.before"))).unwrap();
        }
    }
    sandbox.json_ok(&["signer", "rotate"]);
    sandbox.write("in.jsonl", drafts(5..8));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["segment", "seal"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "rotated.zip"]);
    // The auditor has the first key alone, and follows the rotation.
    let by_old =
        |bundle: &str| sandbox.json(&["bundle", "verify", bundle, "--trust-root", "old-root.json"]);
    assert_eq!(by_old("rotated.zip").0, 0);
    let followers = std::fs::read_dir(sandbox.path(HEADS)).unwrap().map(|it| it.unwrap().path());
    let follower =
        followers.into_iter().find(|it| it.extension().is_some_and(|it| it == "rotated"));
    let follower = follower.expect("the head of the second key is kept");
    assert_eq!(by_old("rotated.zip").1["verdict"], "valid");
    // Whoever has the first key goes on from before the rotation, as if there had been none.
    for name in ["recorder.db", "recorder.db-wal", "recorder.db-shm", "recorder.toml"] {
        let _ = std::fs::remove_file(sandbox.path(name));
        if sandbox.path(&format!("{name}.before")).exists() {
            std::fs::copy(sandbox.path(&format!("{name}.before")), sandbox.path(name)).unwrap();
        }
    }
    std::fs::remove_dir_all(sandbox.path("guard")).unwrap();
    sandbox.write("in.jsonl", drafts(20..30));
    sandbox.json_ok(&["--adopt-head", "envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["segment", "seal"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "fork.zip"]);
    let (code, answer) = by_old("fork.zip");
    assert_eq!((code, codes(&answer)), (3, vec!["known_head_mismatch"]), "{answer}");
    // Nobody else's key is taken for the follower.
    let kept = std::fs::read_to_string(&follower).unwrap();
    let digit = if kept.starts_with('0') { "1" } else { "0" };
    std::fs::write(&follower, format!("{digit}{}", &kept[1..])).unwrap();
    assert_eq!(refusal(&by_old("fork.zip")), (5, "kept_head_invalid"));
}
