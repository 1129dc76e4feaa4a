//! The list of controls: where each one is, how it looks when it is out, and which tests then fail.
//!
//! Whether the list is still true of the sources is checked with every tidy run, without building anything.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The list, from the workspace's root.
pub(super) const FILE: &str = "xtask/controls.toml";

/// The page whose rows the controls stand for.
const PAGE: &str = "docs/threat-model.md";

/// One control.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    /// What it does, in a few words.
    pub(super) name: String,
    /// The first cell of its row in the threat model.
    pub(super) row: String,
    /// The file it is in.
    pub(super) file: String,
    /// Its text, which the file holds once.
    pub(super) take: String,
    /// What stands there when it is out.
    pub(super) put: String,
    /// The crate whose tests miss it.
    pub(super) package: String,
    /// Tests that fail without it; at least one must.
    pub(super) tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    control: Vec<Control>,
}

/// Reads the list.
///
/// # Errors
///
/// Fails where it is not TOML of this form.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Control>> {
    Ok(toml::from_str::<List>(text)?.control)
}

/// What is no longer true of the list, given the text of each file of the workspace.
pub(crate) fn check<'a>(text_of: impl Fn(&str) -> Option<&'a str>, sources: &str) -> Vec<String> {
    let Some(list) = text_of(FILE) else { return vec![format!("{FILE} is missing")] };
    let controls = match read(list) {
        Ok(controls) => controls,
        Err(error) => return vec![format!("{FILE}: {error}")],
    };
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for control in &controls {
        let mut find = |what: String| findings.push(format!("{FILE}: {}: {what}", control.name));
        if !names.insert(&control.name) {
            find("is there twice".to_owned());
        }
        let count = text_of(&control.file).map_or(0, |text| text.matches(&control.take).count());
        if count != 1 {
            find(format!("its text is {count} times in {}", control.file));
        }
        let row = format!("| {} |", control.row);
        if !text_of(PAGE).is_some_and(|page| page.contains(&row)) {
            find(format!("{PAGE} has no row `{}`", control.row));
        }
        for test in control.tests.iter().filter(|test| !sources.contains(&format!("fn {test}("))) {
            find(format!("there is no test {test}"));
        }
        if control.tests.is_empty() {
            find("names no test".to_owned());
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[control]]
        name = "ids are compared"
        row = "same id"
        file = "a.rs"
        take = "if a == b"
        put = "if true"
        package = "a"
        tests = ["an_id_is_taken_once"]
    "#;

    fn checked(source: &'static str, page: &'static str) -> Vec<String> {
        let text_of = |path: &str| match path {
            FILE => Some(LIST),
            PAGE => Some(page),
            "a.rs" => Some(source),
            _ => None,
        };
        check(text_of, source)
    }

    #[test]
    fn a_list_that_is_true_has_no_findings() {
        let source = "if a == b {}\nfn an_id_is_taken_once() {}";
        assert_eq!(checked(source, "| same id | compared |"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_longer_true_is_named() {
        let found = checked("if a == b {} if a == b {}", "| other | compared |");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|what| what.contains("ids are compared")), "{found:?}");
    }
}
