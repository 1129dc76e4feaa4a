//! The schema of guarded heads against the reader of them: both take what is one, and refuse what is none.

use jsonschema::Validator;
use recorder::guard::GuardedHead;
use recorder_core::hash::TreeHash;
use recorder_envelope::checkpoint::Checkpoint;
use recorder_envelope::signing::SecretKey;

use crate::fixture::{schema, takes};

const ORIGIN: &str = "recorder.local/a/b";

fn birth() -> String {
    String::from_utf8(GuardedHead::birth(ORIGIN.to_owned()).to_json().unwrap()).unwrap()
}

/// The file of a head that has a checkpoint.
fn signed() -> String {
    let root = TreeHash::from_bytes([9; 32]);
    let key = SecretKey::from_seed(&[7; 32]).unwrap();
    let note = Checkpoint::new(ORIGIN, 7, root).unwrap().sign(&key).unwrap().render();
    let note = serde_json::to_string(&note).unwrap();
    format!(
        r#"{{"note":{note},"origin":"{ORIGIN}","root_hash":"{root}","sealed_segments":2,"tree_size":7,"type":"recorder.guarded-head/v1"}}"#
    )
}

fn is_read(text: &str) -> bool {
    GuardedHead::parse("x", text.as_bytes()).is_ok()
}

fn check(schema: &Validator, text: &str, expected: bool) {
    assert_eq!((is_read(text), takes(schema, text)), (expected, expected), "{text}");
}

#[test]
fn what_is_a_guarded_head_is_taken_by_both() {
    let schema = schema("guarded-head");
    let unsigned = signed();
    let note = unsigned.find(",\"origin\"").unwrap();
    let unsigned = format!("{{\"note\":null{}", &unsigned[note..]);
    let largest = unsigned.replace("\"tree_size\":7", "\"tree_size\":9007199254740992");
    let largest = largest.replace("_segments\":2", "_segments\":9007199254740992");
    for text in [birth(), signed(), unsigned, largest] {
        check(&schema, &text, true);
    }
}

#[test]
fn what_has_another_shape_is_refused_by_both() {
    let schema = schema("guarded-head");
    let changes = [
        ("\"tree_size\":7", "\"tree_size\":-1"),
        ("\"tree_size\":7", "\"tree_size\":\"7\""),
        ("\"tree_size\":7", "\"tree_size\":7.5"),
        ("\"tree_size\":7", "\"tree_size\":null"),
        ("\"tree_size\":7", "\"tree_size\":9007199254740993"),
        ("\"tree_size\":7", "\"tree_size\":18446744073709551616"),
        ("\"tree_size\":7,", ""),
        ("\"sealed_segments\":2", "\"sealed_segments\":9007199254740993"),
        ("\"sealed_segments\":2", "\"sealed_segments\":[]"),
        ("\"sealed_segments\":2,", ""),
        ("\"origin\":\"recorder.local/a/b\"", "\"origin\":1"),
        ("\"origin\":\"recorder.local/a/b\",", ""),
        ("\"note\":\"", "\"note\":1,\"x\":\""),
        ("0909\"", "09090\""),
        ("0909\"", "090\""),
        ("0909\"", "090A\""),
        ("\"type\":", "\"unknown\":0,\"type\":"),
        ("guarded-head/v1", "guarded-head/v2"),
        (",\"type\":\"recorder.guarded-head/v1\"", ""),
        ("}", ""),
    ];
    for (from, to) in changes {
        let text = signed().replacen(from, to, 1);
        assert_ne!(text, signed(), "{from}");
        check(&schema, &text, false);
    }
    check(&schema, &birth().replace("\"note\":null,", ""), false);
    for text in ["", "null", "[]", "{}"] {
        check(&schema, text, false);
    }
}

#[test]
fn what_no_schema_sees_is_refused_by_the_reader() {
    let schema = schema("guarded-head");
    let changes = [
        // Against its own checkpoint, and a checkpoint that is none.
        ("\"tree_size\":7", "\"tree_size\":8"),
        ("0909\"", "0908\""),
        ("\"origin\":\"recorder.local/a/b\"", "\"origin\":\"recorder.local/a/c\""),
        ("\"note\":\"", "\"note\":\"x"),
        // Another spelling.
        ("\"tree_size\":7", "\"tree_size\":7.0"),
        ("\"tree_size\":7", "\"tree_size\":7,\"tree_size\":7"),
        ("{", "{ "),
        ("}", "}\n"),
    ];
    for (from, to) in changes {
        let text = signed().replacen(from, to, 1);
        assert_ne!(text, signed(), "{from}");
        assert_eq!((is_read(&text), takes(&schema, &text)), (false, true), "{text}");
    }
    // A log of nothing has one root.
    let text = birth().replace("e3b0", "e3b1");
    assert_eq!((is_read(&text), takes(&schema, &text)), (false, true), "{text}");
}
