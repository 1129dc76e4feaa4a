//! Features that change what the product computes, read from the tree as it is built without tests.
//!
//! Cargo unites features over the whole tree, so a dependency anywhere can switch one on. Without
//! `float_roundtrip` a number may be re-read as another one; the others change what is accepted or
//! in which order it is kept. Deliberately absent: features that only add code.

use std::path::Path;
use std::process::Command;

/// A dependency, what it must be built with, and what it must not.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (
        "serde_json",
        &["float_roundtrip"],
        &["arbitrary_precision", "unbounded_depth", "preserve_order"],
    ),
    ("rusqlite", &["bundled"], &["load_extension"]),
    ("libsqlite3-sys", &["bundled"], &[]),
];

/// Asks cargo for the tree: a line per package, `name|feature,feature`.
///
/// # Errors
///
/// Fails when cargo does.
pub(super) fn read(root: &Path) -> anyhow::Result<String> {
    let line = "tree --workspace --exclude xtask --exclude recorder-bench --edges normal,build \
                --prefix none --format {p}|{f}";
    let asked = Command::new("cargo").args(line.split_whitespace()).current_dir(root).output()?;
    anyhow::ensure!(
        asked.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&asked.stderr)
    );
    Ok(String::from_utf8(asked.stdout)?)
}

/// Names each feature that is missing or forbidden, and each package that is not there.
pub(super) fn check(tree: &str) -> Vec<String> {
    RULES.iter().flat_map(|rule| check_rule(tree, rule)).collect()
}

fn check_rule(tree: &str, (package, required, refused): &(&str, &[&str], &[&str])) -> Vec<String> {
    let mut findings = Vec::new();
    let mut is_there = false;
    for line in tree.lines().filter(|line| line.split(' ').next() == Some(package)) {
        is_there = true;
        let features = line.split_once('|').map_or("", |(_, features)| features);
        // Cargo marks a package that it has shown already.
        let has = |wanted: &str| {
            features.trim_end_matches(" (*)").split(',').any(|feature| feature == wanted)
        };
        findings
            .extend(required.iter().filter(|f| !has(f)).map(|f| format!("{package}: {f} is off")));
        findings.extend(refused.iter().filter(|f| has(f)).map(|f| format!("{package}: {f} is on")));
    }
    if !is_there {
        findings.push(format!("{package}: not in the tree; drop its rule if that is meant"));
    }
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "serde_json v1.0.1|default,float_roundtrip,std\nrusqlite v0.41.1|bundled\n\
                        libsqlite3-sys v1.0.0|bundled (*)\n";

    #[test]
    fn a_tree_as_it_must_be_has_no_findings() {
        assert!(check(GOOD).is_empty(), "{:?}", check(GOOD));
    }

    #[test]
    fn a_required_feature_that_is_off_is_found() {
        let found = check(&GOOD.replace("float_roundtrip,", ""));
        assert_eq!(found, ["serde_json: float_roundtrip is off"]);
    }

    #[test]
    fn a_refused_feature_that_is_on_is_found() {
        for feature in ["arbitrary_precision", "unbounded_depth", "preserve_order"] {
            let found = check(&GOOD.replace("default", feature));
            assert_eq!(found, [format!("serde_json: {feature} is on")]);
        }
    }

    #[test]
    fn a_package_that_left_the_tree_is_found() {
        assert_eq!(check(&GOOD.replace("rusqlite", "other")).len(), 1);
    }
}
