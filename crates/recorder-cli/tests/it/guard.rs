//! The head guard through the binary: what was put back is named, refused with exit 5, and left as it is.

use super::{Run, Sandbox, draft, drafts, mode, refusal};

const DATABASE: [&str; 3] = ["recorder.db", "recorder.db-wal", "recorder.db-shm"];

fn import(sandbox: &Sandbox, numbers: std::ops::Range<u64>) -> (i32, serde_json::Value) {
    sandbox.write("in.jsonl", drafts(numbers));
    sandbox.json(&["envelope", "import", "in.jsonl"])
}

fn import_ok(sandbox: &Sandbox, numbers: std::ops::Range<u64>) {
    let (code, answer) = import(sandbox, numbers);
    assert_eq!(code, 0, "{answer}");
}

/// Copies the database as it stands into `directory`.
fn keep(sandbox: &Sandbox, directory: &str) {
    std::fs::create_dir_all(sandbox.path(directory)).unwrap();
    for name in DATABASE {
        if sandbox.path(name).exists() {
            std::fs::copy(sandbox.path(name), sandbox.path(directory).join(name)).unwrap();
        }
    }
}

/// Puts the database back as it was when it was kept in `directory`.
fn put_back(sandbox: &Sandbox, directory: &str) {
    for name in DATABASE {
        let _ = std::fs::remove_file(sandbox.path(name));
        let kept = sandbox.path(directory).join(name);
        if kept.exists() {
            std::fs::copy(kept, sandbox.path(name)).unwrap();
        }
    }
}

fn guard_files(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(sandbox.path("guard/heads")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect()
}

fn count(sandbox: &Sandbox) -> usize {
    let found = sandbox.json_ok(&["query", "envelopes", "--limit", "10000"]);
    found["envelopes"].as_array().unwrap().len()
}

#[test]
fn a_database_that_was_put_back_is_refused_by_every_command_that_writes() {
    let sandbox = Sandbox::initialised();
    assert_eq!(mode(&sandbox.path("guard/heads")), 0o700);
    import_ok(&sandbox, 0..3);
    sandbox.json_ok(&["segment", "seal"]);
    keep(&sandbox, "old");
    import_ok(&sandbox, 3..5);
    sandbox.json_ok(&["segment", "seal"]);
    keep(&sandbox, "new");
    put_back(&sandbox, "old");
    sandbox.write("payload.json", "{}");
    sandbox.write("in.jsonl", draft(9));
    let record = ["envelope", "record", "--event-type", "a", "--actor", "a", "--environment", "t"];
    for arguments in [
        &[&record[..], &["--payload", "payload.json"]].concat()[..],
        &["envelope", "import", "in.jsonl"],
        &["segment", "open"],
        &["segment", "seal"],
        &["checkpoint", "show", "--sign"],
        &["--adopt-head", "segment", "open"],
    ] {
        assert_eq!(refusal(&sandbox.json(arguments)), (5, "head_rolled_back"), "{arguments:?}");
    }
    let run = sandbox.run(&["segment", "open"]);
    let says = "rolled back: the guard has seen 5 envelopes, the database holds 3";
    assert!(run.stderr.contains(says), "{}", run.stderr);
    // Those that only read say so too, and nothing was written.
    let (code, fsck) = sandbox.json(&["fsck"]);
    assert_eq!((code, &fsck["clean"]), (3, &false.into()), "{fsck}");
    assert!(fsck["findings"][0]["detail"].as_str().unwrap().contains("rolled back"), "{fsck}");
    let (code, doctor) = sandbox.json(&["doctor"]);
    let checks = doctor["checks"].as_array().unwrap();
    let guard = checks.iter().find(|check| check["name"] == "head guard").unwrap();
    assert_eq!((code, &guard["state"]), (1, &"fail".into()), "{doctor}");
    assert_eq!(count(&sandbox), 3);
    put_back(&sandbox, "new");
    import_ok(&sandbox, 5..6);
    assert_eq!(sandbox.json_ok(&["fsck"])["head_guard_compared"], true);
}

#[test]
fn in_strict_mode_not_one_acknowledged_envelope_can_be_cut_off() {
    let sandbox = Sandbox::unsigned();
    let strict = |arguments: &[&str]| {
        let arguments = [&["--json"], arguments].concat();
        Run::of(sandbox.command(&arguments).env("RECORDER_HEAD_GUARD", "strict"))
    };
    sandbox.write("1.jsonl", draft(1));
    sandbox.write("2.jsonl", draft(2));
    assert_eq!(strict(&["envelope", "import", "1.jsonl"]).code, 0);
    keep(&sandbox, "old");
    assert_eq!(strict(&["envelope", "import", "2.jsonl"]).code, 0);
    put_back(&sandbox, "old");
    let run = strict(&["envelope", "import", "2.jsonl"]);
    assert_eq!(run.code, 5, "{}", run.stdout);
    assert!(run.stdout.contains("head_rolled_back"), "{}", run.stdout);
}

#[test]
fn another_database_of_the_same_stream_is_refused_as_forked() {
    let (sandbox, other) = (Sandbox::unsigned(), Sandbox::unsigned());
    import_ok(&sandbox, 0..3);
    sandbox.json_ok(&["segment", "seal"]);
    import_ok(&other, 5..9);
    for name in DATABASE {
        let _ = std::fs::remove_file(sandbox.path(name));
    }
    std::fs::copy(other.path("recorder.db"), sandbox.path("recorder.db")).unwrap();
    assert_eq!(refusal(&import(&sandbox, 3..4)), (5, "head_forked"));
    std::fs::remove_file(sandbox.path("recorder.db")).unwrap();
    let fresh = Sandbox::unsigned();
    std::fs::copy(fresh.path("recorder.db"), sandbox.path("recorder.db")).unwrap();
    assert_eq!(refusal(&import(&sandbox, 3..4)), (5, "head_rolled_back"));
}

#[test]
fn a_missing_guard_is_adopted_only_when_told_to_and_the_log_says_so() {
    let sandbox = Sandbox::initialised();
    import_ok(&sandbox, 0..3);
    for path in guard_files(&sandbox) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(refusal(&import(&sandbox, 3..4)), (5, "head_guard_missing"));
    std::fs::remove_dir_all(sandbox.path("guard")).unwrap();
    let refused = import(&sandbox, 3..4);
    assert_eq!(refusal(&refused), (5, "head_guard_missing"));
    assert!(refused.1["error"]["hint"].as_str().unwrap().contains("--adopt-head"), "{refused:?}");
    sandbox.json_ok(&["--adopt-head", "envelope", "import", "in.jsonl"]);
    let adopted = "system.recorder.head_adopted";
    let found = sandbox.json_ok(&["query", "envelopes", "--event-type", adopted]);
    assert_eq!(found["envelopes"][0]["position"], 3);
    assert_eq!(found["envelopes"][0]["payload"]["tree_size"], 3);
    import_ok(&sandbox, 4..5);
    assert_eq!(count(&sandbox), 6);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "x.zip"]);
    let verify = ["bundle", "verify", "x.zip", "--trust-root", "trust-root.json"];
    assert_eq!(sandbox.json_ok(&verify)["answers"]["authenticity"], "proven");
}

#[test]
fn a_guard_that_cannot_be_believed_is_refused() {
    let sandbox = Sandbox::unsigned();
    import_ok(&sandbox, 0..3);
    sandbox.json_ok(&["--tenant-id", "other", "segment", "open"]);
    let files = guard_files(&sandbox);
    let honest = std::fs::read(&files[0]).unwrap();
    std::fs::copy(&files[1], &files[0]).unwrap();
    assert_eq!(refusal(&import(&sandbox, 3..4)), (5, "head_guard_invalid"));
    std::fs::write(&files[0], &honest[1..]).unwrap();
    assert_eq!(refusal(&import(&sandbox, 3..4)), (5, "head_guard_invalid"));
    std::fs::write(&files[0], &honest).unwrap();
    super::set_mode(&files[0], 0o666);
    assert_eq!(refusal(&import(&sandbox, 3..4)), (1, "head_guard_failed"));
    super::set_mode(&files[0], 0o600);
    import_ok(&sandbox, 3..4);
}

#[test]
fn without_a_guard_nothing_is_refused_and_every_run_says_so() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", draft(1));
    let mut command = sandbox.command(&["envelope", "import", "in.jsonl"]);
    let run = Run::of(command.env("RECORDER_HEAD_GUARD", "off"));
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("the head guard is off"), "{}", run.stderr);
    assert!(guard_files(&sandbox).is_empty());
}

#[test]
fn the_guard_lies_beside_the_configuration_or_where_it_is_told_to() {
    let sandbox = Sandbox::new();
    let path = |environment: &[(&str, &str)], config: &str| {
        let arguments = ["--json", "config", "show", "--config", config];
        let run = Run::of(sandbox.command(&arguments).envs(environment.iter().copied()));
        let shown: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        shown["settings"]["head_guard_path"].as_str().unwrap().to_owned()
    };
    sandbox.write("etc/a.toml", "store = \"/data/x.db\"\n");
    sandbox.write("etc/b.toml", "head_guard_path = \"safe\"\n");
    assert_eq!(path(&[], "etc/a.toml"), "etc/guard/heads");
    assert_eq!(path(&[], "etc/b.toml"), "etc/safe");
    assert_eq!(path(&[("RECORDER_HEAD_GUARD_PATH", "/elsewhere")], "etc/b.toml"), "/elsewhere");
}
