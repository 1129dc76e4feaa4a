//! serde_json's features are shared by all that is built together: one dependency can change what the others parse.
//!
//! Looks at what is shipped, the default members. `xtask` brings `unbounded_depth` in and is not among them.

use std::process::Command;

#[test]
fn no_dependency_turns_on_a_feature_of_serde_json_that_changes_what_is_read() {
    let tree = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(["tree", "--edges", "no-dev", "--invert", "serde_json"])
        .args(["--depth", "0", "--format", "{p} {f}", "--locked", "--offline"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let printed = String::from_utf8(tree.stdout).unwrap();
    assert!(printed.starts_with("serde_json v1."), "{printed}");
    assert!(printed.contains("float_roundtrip"), "{printed}");
    for feature in ["arbitrary_precision", "unbounded_depth", "preserve_order"] {
        assert!(!printed.contains(feature), "{printed}");
    }
}
