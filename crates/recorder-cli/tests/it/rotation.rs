//! `signer rotate` through the binary: files, exit codes, every interruption, and what verifiers say afterwards.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Run, Sandbox, drafts, mode, refusal};

const KILLS: u64 = 24;
const TENANTS: [&str; 3] = ["default", "second", "third"];
const DATABASE: [&str; 3] = ["recorder.db", "recorder.db-wal", "recorder.db-shm"];

fn import(sandbox: &Sandbox, tenant: &str, numbers: std::ops::Range<u64>) {
    sandbox.write("in.jsonl", drafts(numbers));
    sandbox.json_ok(&["--tenant-id", tenant, "envelope", "import", "in.jsonl"]);
}

fn copy(sandbox: &Sandbox, from: &str, to: &str) {
    std::fs::copy(sandbox.path(from), sandbox.path(to)).unwrap();
}

/// A bundle of everything, and the verdict of a verifier with this trust root; then the codes of all findings.
fn verdict(sandbox: &Sandbox, bundle: &str, trust_root: &str) -> (String, Vec<String>) {
    let arguments = ["bundle", "verify", bundle, "--no-keep-heads", "--trust-root", trust_root];
    let (_, report) = sandbox.json(&arguments);
    let codes = report["findings"].as_array().unwrap();
    let codes = codes.iter().map(|it| it["code"].as_str().unwrap().to_owned());
    (report["verdict"].as_str().unwrap().to_owned(), codes.collect())
}

fn build(sandbox: &Sandbox, output: &str) {
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", output]);
}

/// A directory with plaintext keys, which open at once, and three streams.
fn quick() -> Sandbox {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["init", "--no-signer"]).code, 0);
    let config = "# Ours.\nstore = \"recorder.db\"\nprofile = \"standard\"\n\n[signer]\nkey_path = \"k0.pem\"   # the first\n";
    sandbox.write("recorder.toml", config);
    sandbox.json_ok(&["signer", "generate", "--plaintext"]);
    for tenant in TENANTS {
        import(&sandbox, tenant, 0..3);
    }
    sandbox
}

#[test]
fn a_rotation_leaves_everything_as_it_has_to_be() {
    let sandbox = Sandbox::initialised();
    import(&sandbox, "default", 0..3);
    build(&sandbox, "before.zip");
    copy(&sandbox, "trust-root.json", "old-root.json");
    let answer = sandbox.json_ok(&["signer", "rotate", "--reason", "a new year"]);
    let rotated = &answer["rotated"][0];
    assert_eq!(rotated["stream"], "default/recorder-cli");
    assert_eq!(
        (rotated["epoch"].as_u64(), rotated["effective_position"].as_u64()),
        (Some(1), Some(4))
    );
    assert_eq!(rotated["new_key_id"], answer["key"]["key_id"]);
    assert_eq!(mode(&sandbox.path("recorder-key-2.pem")), 0o600);
    assert!(sandbox.read("recorder-key-2.pem").contains("ENCRYPTED"));
    assert!(sandbox.read("recorder.toml").contains("key_path = \"recorder-key-2.pem\""));
    // Everything goes on by itself.
    import(&sandbox, "default", 3..5);
    sandbox.json_ok(&["segment", "seal"]);
    sandbox.json_ok(&["proof", "export", "--position", "1", "--output", "p.tlog-proof"]);
    let proof = ["proof", "verify", "p.tlog-proof", "--trust-root", "trust-root.json"];
    assert_eq!(sandbox.json_ok(&proof)["valid"], true);
    assert_eq!(sandbox.json_ok(&["fsck"])["clean"], true);
    assert_eq!(sandbox.json_ok(&["doctor"])["healthy"], true);
    assert_eq!(sandbox.json_ok(&["assurance", "trust-root"])["holds"], true);
    assert_eq!(sandbox.json_ok(&["assurance", "gates"])["holds"], true);
    build(&sandbox, "after.zip");
    // Who has the old trust root follows the rotation; who has the new one needs it not.
    let valid = ("valid".to_owned(), Vec::new());
    assert_eq!(verdict(&sandbox, "after.zip", "old-root.json"), valid);
    assert_eq!(verdict(&sandbox, "after.zip", "trust-root.json"), valid);
    assert_eq!(verdict(&sandbox, "before.zip", "trust-root.json"), valid);
    check_trust_root(&sandbox);
}

/// The old key is bounded, and the new one alone does not vouch for what the old one sealed.
fn check_trust_root(sandbox: &Sandbox) {
    let mut root: Value = serde_json::from_str(&sandbox.read("trust-root.json")).unwrap();
    let keys = root["keys"].as_array().unwrap().clone();
    let said = |key: &Value| {
        let position = |name: &str| key[name].as_u64();
        let bounds = (position("valid_from_position"), position("valid_until_position"));
        (key["status"].as_str().unwrap().to_owned(), bounds)
    };
    assert_eq!(said(&keys[0]), ("retired".to_owned(), (None, Some(3))));
    assert_eq!(said(&keys[1]), ("active".to_owned(), (Some(4), None)));
    // A key whose time is over is none that signs.
    let mut over = serde_json::json!({ "type": root["type"], "keys": root["keys"] });
    over["keys"][1]["valid_until_position"] = 6.into();
    let kept = sandbox.read("trust-root.json");
    sandbox.write("trust-root.json", over.to_string());
    let (code, asserted) = sandbox.json(&["assurance", "trust-root"]);
    assert_eq!(code, 5, "{asserted}");
    sandbox.write("trust-root.json", kept);
    root["keys"].as_array_mut().unwrap().remove(0);
    sandbox.write("new-root.json", root.to_string());
    let (verdict, codes) = verdict(sandbox, "after.zip", "new-root.json");
    assert_eq!(verdict, "invalid");
    assert!(codes.contains(&"key_unknown".to_owned()), "{codes:?}");
}

#[test]
fn people_are_told_what_was_done_and_what_is_left() {
    let sandbox = quick();
    let run = sandbox.run(&["signer", "rotate", "--plaintext"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for says in
        ["rotated default/recorder-cli: from position 4 on, epoch 1", "Next steps", "Add this key"]
    {
        assert!(run.stdout.contains(says), "{}", run.stdout);
    }
    let config = "# Ours.\nstore = \"recorder.db\"\nprofile = \"standard\"\n\n[signer]\nkey_path = \"k0-2.pem\"   # the first\n";
    assert_eq!(sandbox.read("recorder.toml"), config, "nothing but the value is changed");
}

#[test]
fn a_rotation_that_is_repeated_rotates_nothing() {
    let sandbox = quick();
    let rotate = ["signer", "rotate", "--plaintext", "--new-key", "k1.pem"];
    assert_eq!(sandbox.json_ok(&rotate)["rotated"].as_array().unwrap().len(), 3);
    let again = sandbox.json_ok(&rotate);
    assert!(again["rotated"].as_array().unwrap().is_empty(), "{again}");
    // As after a crash before the configuration was changed.
    let by_flag = [&["--key", "k0.pem"], &rotate[..]].concat();
    let again = sandbox.json_ok(&by_flag);
    assert_eq!(again["rotated_before"].as_array().unwrap().len(), 3);
    assert_eq!(
        again["config"]["to_write"]["signer.key_path"],
        sandbox.path("k1.pem").to_str().unwrap()
    );
    assert_eq!(rotation_count(&sandbox, "default"), 1);
    // The old key opens nothing, and does not come back.
    assert_eq!(
        refusal(&sandbox.json(&["--key", "k0.pem", "segment", "open"])),
        (5, "signer_replaced")
    );
    let back = ["signer", "rotate", "--new-key", "k0.pem"];
    assert_eq!(refusal(&sandbox.json(&back)), (5, "key_returns"));
    sandbox.json_ok(&["signer", "generate", "--plaintext", "--output", "other.pem"]);
    let other = ["--key", "other.pem", "signer", "rotate", "--new-key", "k9.pem", "--plaintext"];
    assert_eq!(refusal(&sandbox.json(&other)), (5, "key_not_in_force"));
    assert_eq!(
        refusal(&sandbox.json(&["--key", "other.pem", "segment", "open"])),
        (5, "signer_mismatch")
    );
}

#[test]
fn the_new_key_may_have_a_passphrase_of_its_own() {
    let sandbox = Sandbox::initialised();
    import(&sandbox, "default", 0..1);
    sandbox.write_secret("passphrase-2", "another one entirely\n");
    // A flag that names the old passphrase once does not keep its setting from being the new one's.
    let old = ["--passphrase-file", "passphrase"];
    let rotate =
        [&old[..], &["signer", "rotate", "--new-passphrase-file", "passphrase-2"]].concat();
    assert_eq!(sandbox.json_ok(&rotate)["config"]["updated"], true);
    assert!(
        sandbox.read("recorder.toml").contains("passphrase-2\""),
        "{}",
        sandbox.read("recorder.toml")
    );
    import(&sandbox, "default", 1..2);
    let by_descriptor = ["--passphrase-fd", "0", "signer", "rotate"];
    let run = Run::of(sandbox.command(&by_descriptor).write_stdin("another one entirely"));
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.stderr.contains("--new-passphrase-fd"), "{}", run.stderr);
}

#[test]
fn without_the_old_key_nobody_is_trusted_who_is_not_named() {
    let sandbox = Sandbox::initialised();
    import(&sandbox, "default", 0..3);
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    copy(&sandbox, "trust-root.json", "old-root.json");
    std::fs::remove_file(sandbox.path("recorder-key.pem")).unwrap();
    assert_eq!(refusal(&sandbox.json(&["signer", "rotate"])).0, 1);
    assert_eq!(refusal(&sandbox.json(&["signer", "rotate", "--break-glass"])), (2, "usage"));
    let answer = sandbox.json_ok(&["signer", "rotate", "--break-glass", "--reason", "disk lost"]);
    assert_eq!(answer["break_glass"], true);
    import(&sandbox, "default", 3..5);
    build(&sandbox, "after.zip");
    assert_eq!(verdict(&sandbox, "after.zip", "trust-root.json").0, "valid");
    let (verdict, codes) = verdict(&sandbox, "after.zip", "old-root.json");
    assert_eq!(verdict, "invalid");
    assert!(codes.contains(&"key_unknown".to_owned()), "{codes:?}");
    assert_eq!(sandbox.json_ok(&["fsck"])["clean"], true);
}

#[test]
fn a_database_from_before_the_rotation_is_rolled_back_under_either_key() {
    let sandbox = quick();
    for tenant in TENANTS {
        sandbox.json_ok(&["--tenant-id", tenant, "segment", "seal"]);
    }
    for name in DATABASE.iter().filter(|name| sandbox.path(name).exists()) {
        copy(&sandbox, name, &format!("{name}.old"));
    }
    sandbox.json_ok(&["signer", "rotate", "--plaintext", "--new-key", "k1.pem"]);
    for name in DATABASE {
        let _ = std::fs::remove_file(sandbox.path(name));
        if sandbox.path(&format!("{name}.old")).exists() {
            copy(&sandbox, &format!("{name}.old"), name);
        }
    }
    for arguments in [
        &["segment", "open"][..],
        &["--key", "k0.pem", "segment", "open"],
        &["--key", "k0.pem", "signer", "rotate", "--new-key", "k1.pem"],
        &["--key", "k0.pem", "signer", "rotate", "--new-key", "k2.pem", "--plaintext"],
        &[
            "signer",
            "rotate",
            "--break-glass",
            "--reason",
            "x",
            "--new-key",
            "k3.pem",
            "--plaintext",
        ],
    ] {
        assert_eq!(refusal(&sandbox.json(arguments)), (5, "head_rolled_back"), "{arguments:?}");
    }
}

fn rotation_count(sandbox: &Sandbox, tenant: &str) -> usize {
    let arguments =
        ["--tenant-id", tenant, "query", "envelopes", "--event-type", "system.adapter.key_rotated"];
    sandbox.json_ok(&arguments)["envelopes"].as_array().unwrap().len()
}

/// Starts a rotation and kills it after some moments.
fn rotate_and_kill(sandbox: &Sandbox, new_key: &str, spins: u64) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("recorder"))
        .args(["--json", "signer", "rotate", "--plaintext", "--new-key", new_key])
        .env_clear()
        .env("HOME", sandbox.path("home"))
        .current_dir(&sandbox.root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..spins {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_rotation_that_was_killed_is_finished_by_the_next() {
    let sandbox = quick();
    let (mut spins, mut met) = (8_000_000_u64, BTreeSet::new());
    // Where the first stream was not reached, later; where the last was, earlier: in between are the moments that
    // count.
    let (mut early, mut late) = (0, 2 * spins);
    for kill in 0..KILLS {
        let new_key = format!("k{}.pem", kill + 1);
        rotate_and_kill(&sandbox, &new_key, spins);
        let (_, opened) = sandbox.json(&["segment", "open"]);
        let code = opened["error"]["code"].as_str().unwrap_or("-").to_owned();
        let config = sandbox.read("recorder.toml");
        // The last thing that a rotation does is to name its key in the configuration.
        let moment = if config.contains(&new_key) { "done" } else { code.as_str() };
        met.insert(moment.to_owned());
        match moment {
            "rotation_unfinished" => {}
            "signer_replaced" | "done" => (early, late) = (early.min(spins / 2), spins),
            _ => (early, late) = (spins, late.max(spins + spins / 4)),
        }
        spins = early + (late - early) / 2;
        let known = ["-", "segment_already_open", "signer_replaced", "rotation_unfinished"];
        assert!(known.contains(&code.as_str()), "{opened}");
        // A key file that was cut in the middle of its making does not exist.
        let before = format!("k{kill}.pem");
        let key = if config.contains(&new_key) { &new_key } else { &before };
        let finish =
            ["--key", key, "signer", "rotate", "--plaintext", "--new-key", new_key.as_str()];
        sandbox.json_ok(&finish);
        sandbox.write("recorder.toml", config.replace(&before, &new_key));
        for tenant in TENANTS {
            let count = rotation_count(&sandbox, tenant) as u64;
            assert_eq!(count, kill + 1, "{tenant} after kill {kill}");
        }
        import(&sandbox, "default", 10 + kill..11 + kill);
    }
    // Which of them, the machine decides; the commits one by one are the engine's tests.
    assert!(met.len() > 1, "every kill met the same moment: {met:?}");
    assert_eq!(sandbox.json_ok(&["fsck"])["clean"], true);
}
