//! `bundle build`: what is selected, where it is written, and that the same selection gives the same bytes.

use super::{Sandbox, drafts, refusal};

const AT: [&str; 2] = ["--created-at", "2026-11-22T00:00:00Z"];

fn with_drafts(sandbox: Sandbox, count: u64) -> Sandbox {
    sandbox.write("in.jsonl", drafts(0..count));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox
}

fn build(sandbox: &Sandbox, output: &str, more: &[&str]) -> serde_json::Value {
    sandbox.json_ok(&[&["bundle", "build", "--output", output], more].concat())
}

#[test]
fn the_same_selection_gives_the_same_bytes() {
    let sandbox = with_drafts(Sandbox::initialised(), 30);
    for form in [&[][..], &["--deflate"], &["--document"]] {
        let all = [&["--all"], &AT[..], form].concat();
        let (one, two) = (build(&sandbox, "one", &all), build(&sandbox, "two", &all));
        assert_eq!((&one["sha256"], &one["bundle_id"]), (&two["sha256"], &two["bundle_id"]));
        let bytes = std::fs::read(sandbox.path("one")).unwrap();
        assert_eq!(bytes, std::fs::read(sandbox.path("two")).unwrap());
        assert_eq!(one["size_bytes"].as_u64().unwrap(), bytes.len() as u64);
        assert_eq!(one["checkpointed"], true);
        std::fs::remove_file(sandbox.path("one")).unwrap();
        std::fs::remove_file(sandbox.path("two")).unwrap();
    }
}

#[test]
fn flags_and_selector_files_select_alike() {
    let sandbox = with_drafts(Sandbox::unsigned(), 30);
    sandbox.record("{}", &["--trace", "t-1"]);
    let count =
        |name: &str, more: &[&str]| build(&sandbox, name, more)["envelope_count"].as_u64().unwrap();
    assert_eq!(count("a", &["--all"]), 31);
    assert_eq!(count("b", &["--positions", "5..15"]), 10);
    assert_eq!(count("c", &["--trace", "t-1"]), 1);
    assert_eq!(count("d", &["--actor", "agent-1", "--positions", "..3"]), 3);
    assert_eq!(count("e", &["--event-type-prefix", "tool."]), 31);
    assert_eq!(count("f", &["--to", "2026-11-22T00:00:00.000000001Z"]), 30);
    sandbox.write(
        "selector.json",
        r#"{"any":[{"positions":{"from":5,"to":15}},{"trace":{"trace_id":"t-1"}}]}"#,
    );
    assert_eq!(count("g", &["--selector", "selector.json"]), 11);
}

#[test]
fn a_selection_that_is_none_is_refused() {
    let sandbox = with_drafts(Sandbox::unsigned(), 3);
    let refused = |more: &[&str]| {
        let run = sandbox.json(&[&["bundle", "build", "--output", "x.zip"], more].concat());
        assert!(!sandbox.path("x.zip").exists());
        (run.0, refusal(&run).1.to_owned())
    };
    assert_eq!(refused(&[]), (2, "usage".to_owned()));
    assert_eq!(refused(&["--all", "--trace", "t"]), (2, "usage".to_owned()));
    assert_eq!(refused(&["--trace", "none"]), (5, "nothing_selected".to_owned()));
    assert_eq!(refused(&["--all", "--tenant-id", "nobody"]), (5, "no_such_stream".to_owned()));
    sandbox.write("selector.json", r#"{"sement":{}}"#);
    assert_eq!(refused(&["--selector", "selector.json"]), (2, "selector_invalid".to_owned()));
    sandbox.write("selector.json", " ".repeat((1 << 20) + 1));
    assert_eq!(refused(&["--selector", "selector.json"]), (1, "too_large".to_owned()));
}

#[test]
fn a_bundle_replaces_a_file_only_by_force() {
    let sandbox = with_drafts(Sandbox::unsigned(), 3);
    sandbox.write("x.zip", "mine");
    let arguments = ["bundle", "build", "--all", "--output", "x.zip"];
    assert_eq!(refusal(&sandbox.json(&arguments)), (5, "already_exists"));
    assert_eq!(sandbox.read("x.zip"), "mine");
    sandbox.json_ok(&[&arguments[..], &["--force"]].concat());
    assert!(std::fs::read(sandbox.path("x.zip")).unwrap().starts_with(b"PK"));
}

#[test]
fn an_unsigned_bundle_says_that_nobody_vouches_for_it() {
    let sandbox = with_drafts(Sandbox::unsigned(), 3);
    let run = sandbox.run(&["bundle", "build", "--all", "--output", "x.zip"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("nobody vouches for this bundle"), "{}", run.stdout);
}

#[test]
fn a_log_size_gives_the_same_bytes_while_the_log_grows() {
    let sandbox = with_drafts(Sandbox::initialised(), 10);
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    let selection = [&["--positions", "2..5", "--log-size", "10"], &AT[..]].concat();
    let before = build(&sandbox, "before.zip", &selection);
    sandbox.record("{}", &[]);
    let after = build(&sandbox, "after.zip", &selection);
    assert_eq!((&before["sha256"], &before["tree_size"]), (&after["sha256"], &after["tree_size"]));
    let newest = build(&sandbox, "newest.zip", &[&["--positions", "2..5"], &AT[..]].concat());
    assert_eq!(newest["tree_size"], 11);
    let beyond = ["bundle", "build", "--all", "--output", "x.zip", "--log-size", "12"];
    assert_eq!(refusal(&sandbox.json(&beyond)), (5, "beyond_log"));
}
