//! What documents point at, and what no file may hold: paths of one machine, other registries.
//!
//! Deliberately absent: links to the web, which would make the check depend on a network.

use super::tree::Files;

/// Directories a path in a document may start with; any other word with a slash is not a path.
const TOPS: &[&str] = &[
    ".ci",
    ".cargo",
    "bench",
    "crates",
    "docker",
    "docs",
    "examples",
    "fuzz",
    "sdk",
    "system-tests",
    "xtask",
];

/// Roots that mean somebody's machine, in two parts so that this file may hold them.
const MACHINE_ROOTS: &[(&str, &str)] = &[("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];

/// Settings that point a package manager elsewhere, in two parts so that this file may hold them.
const REGISTRY_SETTINGS: &[(&str, &str)] =
    &[("index", "-url"), ("replace", "-with"), ("registry", "-mirror")];

/// The page that names the test of each control.
const THREAT_MODEL: &str = "docs/threat-model.md";

/// The only place that a Cargo.lock may name.
const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Data is as it was found, and may tell of other machines.
const DATA: &[&str] = &[".json", ".jsonl", ".ndjson", ".txt", ".lock"];

/// Names each broken reference, machine path and foreign registry.
pub(super) fn check(files: &Files) -> Vec<String> {
    let mut findings = unknown_tests(files);
    for (path, text) in files {
        let Some(text) = text else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let found = check_line(path, line, files);
            findings.extend(found.into_iter().map(|what| format!("{path}:{number}: {what}")));
        }
    }
    findings
}

/// Long names in the threat model are tests, and are somewhere in the sources.
fn unknown_tests(files: &Files) -> Vec<String> {
    let Some(Some(page)) = files.get(THREAT_MODEL) else { return Vec::new() };
    let is_name = |word: &str| {
        word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let names = page.split('`').skip(1).step_by(2).filter(|word| word.len() > 20 && is_name(word));
    let is_source = |path: &str| path.ends_with(".rs") || path.ends_with(".py");
    let holds = |name: &str| {
        let text = |(path, text): (&String, &Option<String>)| {
            is_source(path) && text.as_ref().is_some_and(|text| text.contains(name))
        };
        files.iter().any(text)
    };
    let gone = names.filter(|name| !holds(name));
    gone.map(|name| format!("{THREAT_MODEL}: there is no test {name}")).collect()
}

fn check_line(path: &str, line: &str, files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    if is_document(path) {
        let gone = references(line).filter(|reference| !exists(reference, files));
        findings.extend(gone.map(|reference| format!("`{reference}` does not exist")));
    }
    if path.ends_with("Cargo.lock") && line.starts_with("source = ") && line != REGISTRY {
        findings.push(format!("another registry: {line}"));
    }
    if !DATA.iter().any(|data| path.ends_with(data)) {
        let joined = |(start, end): &(&str, &str)| format!("{start}{end}");
        let machine = MACHINE_ROOTS.iter().map(joined).filter(|root| holds_absolute(line, root));
        findings.extend(machine.map(|root| format!("{root} is a path of one machine")));
        let settings = REGISTRY_SETTINGS.iter().map(joined).filter(|key| line.contains(key));
        findings.extend(settings.map(|key| format!("{key} points at another registry")));
    }
    findings
}

fn is_document(path: &str) -> bool {
    let is_page = ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"].contains(&path);
    is_page || (path.starts_with("docs/") && path.ends_with(".md"))
}

/// What stands between backticks and looks like a path of this repository.
fn references(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/*".contains(c));
        let top = word.split_once('/').map(|(top, _)| top);
        is_plain && top.is_some_and(|top| TOPS.contains(&top))
    })
}

/// Whether a file has this path, or starts with it; a `*` stands for anything from there on.
fn exists(reference: &str, files: &Files) -> bool {
    let (prefix, is_open) = match reference.split_once('*') {
        Some((prefix, _)) => (prefix.to_owned(), true),
        None => (format!("{}/", reference.trim_end_matches('/')), false),
    };
    let is_there =
        files.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix));
    is_there || (!is_open && files.contains_key(reference))
}

/// Whether `root` starts a path here and does not continue one.
fn holds_absolute(line: &str, root: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || "._-/}>~".contains(c);
    line.match_indices(root).any(|(start, _)| !line[..start].ends_with(continues))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let present = ("crates/a/src/lib.rs".to_owned(), Some(String::new()));
        check(&Files::from([present, (path.to_owned(), Some(text.to_owned()))]))
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        assert_eq!(found("README.md", "see `crates/b` and `docs/none.md`").len(), 2);
        assert_eq!(found("docs/deep/page.md", "see `crates/a/src/li`").len(), 1);
        assert_eq!(found("docs/page.md", "see `crates/b/*.rs`").len(), 1);
    }

    #[test]
    fn paths_that_exist_and_words_with_a_slash_are_left_alone() {
        let text = "`crates/a/src/lib.rs` `crates/a/` `crates/*/src` `application/json` crates/b";
        assert!(found("README.md", text).is_empty(), "{:?}", found("README.md", text));
    }

    #[test]
    fn a_path_of_one_machine_is_found_outside_data() {
        for (start, end) in MACHINE_ROOTS {
            let line = format!("open(\"{start}{end}x\")");
            assert_eq!(found("crates/a/src/b.rs", &line).len(), 1, "{line}");
            assert!(found("examples/real.jsonl", &line).is_empty(), "{line}");
            assert!(found("crates/a/src/b.rs", &format!("a{start}{end}x")).is_empty(), "{line}");
        }
    }

    #[test]
    fn another_registry_is_found() {
        let line = "source = \"registry+https://crates.example/index\"";
        assert_eq!(found("Cargo.lock", line).len(), 1);
        assert_eq!(found("fuzz/Cargo.lock", "source = \"git+https://example.org/x\"").len(), 1);
        assert!(found("Cargo.lock", REGISTRY).is_empty());
        for (start, end) in REGISTRY_SETTINGS {
            assert_eq!(found("pyproject.toml", &format!("{start}{end} = 1")).len(), 1);
        }
    }
}
