//! `proof export` and `proof verify`: one envelope, one extension, and what becomes of a proof that was touched.

use serde_json::Value;

use super::{Run, Sandbox, drafts, refusal};

/// Two checkpoints, of 10 and of 30 envelopes.
fn recorded() -> Sandbox {
    let sandbox = Sandbox::initialised();
    sandbox.write("first.jsonl", drafts(0..10));
    sandbox.json_ok(&["envelope", "import", "first.jsonl"]);
    sandbox.write("head-10", sandbox.run(&["checkpoint", "show", "--sign"]).stdout);
    sandbox.write("then.jsonl", drafts(10..30));
    sandbox.json_ok(&["envelope", "import", "then.jsonl"]);
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    sandbox
}

fn key(sandbox: &Sandbox) -> String {
    sandbox.json_ok(&["signer", "show"])["public_key"].as_str().unwrap().to_owned()
}

fn export(sandbox: &Sandbox, what: &[&str], file: &str) -> Value {
    sandbox.json_ok(&[&["proof", "export", "--output", file], what].concat())
}

fn verify(sandbox: &Sandbox, file: &str, more: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["proof", "verify", file], more].concat())
}

const TRUSTED: [&str; 2] = ["--trust-root", "trust-root.json"];

/// The line of one envelope, from a document.
fn line(sandbox: &Sandbox, position: usize) -> String {
    sandbox.json_ok(&["bundle", "build", "--all", "--document", "--output", "all.json"]);
    let text = sandbox.read("all.json");
    std::fs::remove_file(sandbox.path("all.json")).unwrap();
    let from = text.match_indices("{\"actor_id\":").nth(position).unwrap().0;
    let mut depth = 0;
    let end = text[from..].char_indices().find_map(|(at, character)| {
        depth += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    });
    text[from..=from + end.unwrap()].to_owned()
}

#[test]
fn one_envelope_is_proven_to_whoever_has_the_key_and_nothing_else() {
    let sandbox = recorded();
    let exported = export(&sandbox, &["--position", "17"], "p.tlog-proof");
    assert_eq!((&exported["kind"], &exported["tree_size"]), (&"inclusion".into(), &30.into()));
    let key = key(&sandbox);
    for whom in [&["--checkpoint-key", key.as_str()], &TRUSTED] {
        let (code, answer) = verify(&sandbox, "p.tlog-proof", whom);
        assert_eq!((code, &answer["valid"], &answer["position"]), (0, &true.into(), &17.into()));
    }
    assert!(!sandbox.read("p.tlog-proof").contains("agent-1"));
    let id = super::envelope_id(17);
    export(&sandbox, &["--envelope", &id], "by-id.tlog-proof");
    assert_eq!(sandbox.read("by-id.tlog-proof"), sandbox.read("p.tlog-proof"));
    let people =
        Run::of(&mut sandbox.command(&["proof", "verify", "p.tlog-proof", TRUSTED[0], TRUSTED[1]]));
    assert!(people.stdout.starts_with("VALID\n") && people.stdout.contains("--envelope FILE"));
}

#[test]
fn the_envelope_shown_must_be_the_one_proven() {
    let sandbox = recorded();
    export(&sandbox, &["--position", "3"], "p.tlog-proof");
    let shown = line(&sandbox, 3);
    let check = |text: &str| {
        sandbox.write("line", text);
        verify(&sandbox, "p.tlog-proof", &[&TRUSTED[..], &["--envelope", "line"]].concat())
    };
    let (code, answer) = check(&shown);
    assert_eq!((code, &answer["envelope_matched"]), (0, &true.into()), "{answer}");
    assert_eq!(check(&(shown.clone() + "\n")).0, 0);
    for other in [
        line(&sandbox, 4),
        shown.replace("\"n\":3", "\"n\":4"),
        shown.replace("agent-1", "agent-2"),
        "{}".into(),
    ] {
        let (code, answer) = check(&other);
        assert_eq!(
            (code, &answer["valid"], &answer["envelope_matched"]),
            (3, &false.into(), &false.into())
        );
    }
}

#[test]
fn a_proof_that_was_touched_proves_nothing() {
    let sandbox = recorded();
    export(&sandbox, &["--position", "17"], "p.tlog-proof");
    let good = sandbox.read("p.tlog-proof");
    let lines: Vec<&str> = good.split('\n').collect();
    let hash = lines[3];
    let tampered = [
        good.replace("index 17", "index 16"),
        good.replace(hash, lines[4]),
        good.replace(&format!("{hash}\n"), ""),
        good.replace("\n30\n", "\n31\n"),
        good.replace(lines[1], "extra e30="),
        good.replace(&format!("{}\n", lines[1]), ""),
        good.replace("tlog-proof@v1", "tlog-proof@v2"),
        String::new(),
    ];
    for (number, text) in tampered.iter().enumerate() {
        assert_ne!(*text, good, "{number}");
        let name = format!("bad-{number}");
        sandbox.write(&name, text);
        let known = ["--known-head", "head-10"];
        let more: &[&str] = if text.starts_with("c2sp.org/tlog-proof@v1") { &[] } else { &known };
        let (code, answer) = verify(&sandbox, &name, &[&TRUSTED[..], more].concat());
        assert_eq!((code, &answer["valid"]), (3, &false.into()), "{number}: {answer}");
    }
}

#[test]
fn whom_to_believe_must_be_said_and_be_the_signer() {
    let sandbox = recorded();
    export(&sandbox, &["--position", "0"], "p.tlog-proof");
    assert_eq!(verify(&sandbox, "p.tlog-proof", &[]).0, 2);
    assert_eq!(verify(&sandbox, "p.tlog-proof", &["--checkpoint-key", "12"]).0, 2);
    let stranger = key(&Sandbox::initialised());
    assert_eq!(verify(&sandbox, "p.tlog-proof", &["--checkpoint-key", &stranger]).0, 3);
    let other = [&TRUSTED[..], &["--origin", "recorder.local/default/other"]].concat();
    assert_eq!(verify(&sandbox, "p.tlog-proof", &other).0, 3);
    let compromised = sandbox.read("trust-root.json").replace("\"active\"", "\"compromised\"");
    sandbox.write("compromised.json", compromised);
    assert_eq!(verify(&sandbox, "p.tlog-proof", &["--trust-root", "compromised.json"]).0, 3);
}

#[test]
fn the_log_is_proven_to_extend_a_checkpoint_that_was_kept() {
    let sandbox = recorded();
    let exported = export(&sandbox, &["--from-size", "10", "--to-size", "30"], "c.proof");
    assert_eq!((&exported["kind"], &exported["from_size"]), (&"consistency".into(), &10.into()));
    let known = [&TRUSTED[..], &["--known-head", "head-10"]].concat();
    let (code, answer) = verify(&sandbox, "c.proof", &known);
    assert_eq!((code, &answer["valid"], &answer["from_size"]), (0, &true.into(), &10.into()));
    // Without the earlier checkpoint there is nothing to compare with.
    assert_eq!(verify(&sandbox, "c.proof", &TRUSTED).0, 2);
    let good = sandbox.read("c.proof");
    for (number, text) in
        [good.replace("old 10", "old 11"), good.replace("\n30\n", "\n29\n")].iter().enumerate()
    {
        let name = format!("bad-{number}");
        sandbox.write(&name, text);
        assert_eq!(verify(&sandbox, &name, &known).0, 3, "{number}");
    }
    let other = recorded();
    sandbox.write("other-head", other.read("head-10"));
    let others = [&TRUSTED[..], &["--known-head", "other-head"]].concat();
    assert_eq!(verify(&sandbox, "c.proof", &others).0, 3);
}

#[test]
fn what_no_checkpoint_covers_is_not_proven() {
    let sandbox = recorded();
    let export =
        |what: &[&str]| sandbox.json(&[&["proof", "export", "--output", "x"], what].concat());
    assert_eq!(refusal(&export(&["--position", "30"])), (5, "not_provable"));
    assert_eq!(refusal(&export(&["--from-size", "31"])), (5, "not_provable"));
    assert_eq!(refusal(&export(&["--position", "1", "--to-size", "31"])), (5, "no_checkpoint"));
    assert_eq!(refusal(&export(&["--envelope", &super::envelope_id(99)])), (5, "not_provable"));
    assert_eq!(export(&["--position", "1", "--from-size", "2"]).0, 2);
    assert_eq!(export(&[]).0, 2);
    assert!(!sandbox.path("x").exists());
}
