//! What clients rely on, as facts, and which of them were given up on purpose.
//!
//! Every leaf of a compatibility artifact is a fact: its place and its value; a list is a set of facts. One that was
//! published and is not there any more, or has another value, is a break. `breaks.toml` says which breaks were decided,
//! and why; an entry names the value that was given up, so that it licenses one change and no other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ContractError;

/// The file that records breaks, in the directory of the contract.
pub const BREAKS: &str = "breaks.toml";

/// The record of a contract that never broke anything.
pub(crate) const EMPTY_RECORD: &str = r#"# Published facts that were given up, each with its reason; `recorder contract generate --accept-breaks` takes them.
#
# [[break]]
# artifact = "apis/sidecar.compat.json"
# fact = "/codes/some_code/status"
# was = "429"
# reason = "Why clients can bear it, in a sentence."
"#;

/// The artifacts that hold facts.
pub(crate) const COMPARED: &[&str] = &["apis/sidecar.compat.json", "config/sidecar.compat.json"];

/// Characters that a reason has at least: a word is none.
const REASON_CHARS_MIN: usize = 20;

/// Files of the contract: by their paths, their bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A fact that was published and does not hold any more.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Break {
    /// The artifact that published it.
    pub artifact: String,
    /// Its place there (RFC 6901); of a list, the place of the list and the entry.
    pub fact: String,
    /// What it was, as JSON.
    pub was: String,
    /// What it is, as JSON; none where it vanished.
    pub now: Option<String>,
}

/// One entry of the record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    artifact: String,
    fact: String,
    was: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default, rename = "break")]
    breaks: Vec<Recorded>,
}

impl Recorded {
    /// Whether this is the break that was decided.
    pub(crate) fn covers(&self, broken: &Break) -> bool {
        self.artifact == broken.artifact && self.fact == broken.fact && self.was == broken.was
    }
}

/// Reads the record among the files of a contract; none is an empty one.
///
/// # Errors
///
/// `BreaksMalformed`, also for an entry without a reason.
pub(crate) fn recorded(files: &Files) -> Result<Vec<Recorded>, ContractError> {
    let malformed = |detail: String| ContractError::BreaksMalformed { detail };
    let Some(bytes) = files.get(BREAKS) else { return Ok(Vec::new()) };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let record: Record = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for entry in &record.breaks {
        if entry.reason.trim().chars().count() < REASON_CHARS_MIN {
            let fact = &entry.fact;
            return Err(malformed(format!(
                "{fact}: a reason has at least {REASON_CHARS_MIN} characters"
            )));
        }
        if !COMPARED.contains(&entry.artifact.as_str()) {
            return Err(malformed(format!("{}: holds no facts", entry.artifact)));
        }
    }
    Ok(record.breaks)
}

/// Every fact of `old` that `new` does not keep.
///
/// # Errors
///
/// `FactsMalformed` for an artifact of `old` that is not JSON.
pub(crate) fn broken(old: &Files, new: &Files) -> Result<Vec<Break>, ContractError> {
    let mut all = Vec::new();
    for artifact in COMPARED {
        let Some(before) = old.get(*artifact) else { continue };
        let before = facts(artifact, before)?;
        let after = match new.get(*artifact) {
            Some(bytes) => facts(artifact, bytes)?,
            None => BTreeMap::new(),
        };
        for (fact, was) in before {
            let now = after.get(&fact);
            if now != Some(&was) {
                all.push(Break { artifact: (*artifact).to_owned(), fact, was, now: now.cloned() });
            }
        }
    }
    Ok(all)
}

/// The entries of the record that give up what holds all the same.
///
/// # Errors
///
/// `FactsMalformed`.
pub(crate) fn idle(record: &[Recorded], files: &Files) -> Result<Vec<String>, ContractError> {
    let mut all = Vec::new();
    for entry in record {
        let Some(bytes) = files.get(&entry.artifact) else { continue };
        if facts(&entry.artifact, bytes)?.get(&entry.fact) == Some(&entry.was) {
            all.push(entry.fact.clone());
        }
    }
    Ok(all)
}

/// Every fact of an artifact, by its place.
fn facts(path: &str, bytes: &[u8]) -> Result<BTreeMap<String, String>, ContractError> {
    let malformed = |_| ContractError::FactsMalformed { path: path.to_owned() };
    let value: Value = serde_json::from_slice(bytes).map_err(malformed)?;
    let mut facts = BTreeMap::new();
    collect(&value, String::new(), &mut facts);
    Ok(facts)
}

fn collect(value: &Value, place: String, facts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, format!("{place}/{name}"), facts);
            }
        }
        Value::Array(items) => {
            for item in items {
                facts.insert(format!("{place}/{item}"), item.to_string());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            facts.insert(place, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(compat: &str) -> Files {
        Files::from([("apis/sidecar.compat.json".to_owned(), compat.as_bytes().to_vec())])
    }

    fn breaks(old: &str, new: &str) -> Vec<String> {
        let all = broken(&files(old), &files(new)).unwrap();
        all.into_iter().map(|broken| broken.fact).collect()
    }

    #[test]
    fn what_is_added_breaks_nothing_and_what_goes_or_changes_does() {
        let old = r#"{"codes":{"a/b":{"status":400}},"enums":{"e":["x","y"]}}"#;
        assert!(
            breaks(
                old,
                r#"{"codes":{"a/b":{"status":400},"c":{}},"enums":{"e":["z","y","x"]},"n":1}"#
            )
            .is_empty()
        );
        assert_eq!(
            breaks(old, r#"{"codes":{"a/b":{"status":409}},"enums":{"e":["x","y"]}}"#),
            ["/codes/a~1b/status"]
        );
        assert_eq!(
            breaks(old, r#"{"codes":{"a/b":{"status":400}},"enums":{"e":["x"]}}"#),
            ["/enums/e/\"y\""]
        );
        assert_eq!(breaks(old, "{}").len(), 3);
        assert_eq!(broken(&files(old), &Files::new()).unwrap().len(), 3);
    }

    #[test]
    fn a_record_without_a_reason_or_of_another_form_is_refused() {
        let read =
            |text: &str| recorded(&Files::from([(BREAKS.to_owned(), text.as_bytes().to_vec())]));
        let entry = |reason: &str| {
            format!(
                "[[break]]\nartifact = \"apis/sidecar.compat.json\"\nfact = \"/a\"\nwas = \"1\"\nreason = \"{reason}\"\n"
            )
        };
        assert_eq!(read(&entry("nobody ever sent this value")).unwrap().len(), 1);
        assert!(read("# nothing\n").unwrap().is_empty());
        let other =
            entry("nobody ever sent this value").replace("sidecar.compat", "sidecar.errors");
        for refused in [
            entry("because"),
            entry(&" ".repeat(40)),
            other,
            entry("x").replace("was", "is"),
            "break = 1".to_owned(),
        ] {
            assert!(
                matches!(read(&refused), Err(ContractError::BreaksMalformed { .. })),
                "{refused}"
            );
        }
    }
}
