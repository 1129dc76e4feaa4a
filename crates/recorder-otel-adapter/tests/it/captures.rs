//! Real captures, where the machine has them: `RECORDER_CAPTURES` names the directory.
//!
//! They are not part of this repository.
#![expect(clippy::disallowed_methods, reason = "reads captures that the machine's owner put there")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recorder_envelope::adapter::{Event, Outcome, Policy};
use recorder_otel_adapter::{Coding, Door, Encoding, Refusal};
use serde_json::Value;

use crate::support::{adapter, codes};

/// The most that a capture inflates to.
const BYTES_MAX: usize = 32 << 20;

/// The captures of this source; `None`, said aloud, where there are none.
fn captures() -> Option<PathBuf> {
    let root = std::env::var_os("RECORDER_CAPTURES").map(|root| Path::new(&root).join("otel"));
    if root.is_none() {
        eprintln!("SKIPPED: RECORDER_CAPTURES names no directory of captures");
    }
    root
}

/// Maps a file as the alias for its signal would, storing what is good.
fn mapped(root: &Path, name: &str) -> Outcome {
    let wire = std::fs::read(root.join(name)).unwrap();
    let body = Coding::of_file(&wire).decode(&wire, BYTES_MAX).unwrap();
    let door = if name.contains("logs") { Door::Logs } else { Door::Traces };
    adapter(Policy::RecordAnomaly).map(&body, Encoding::of_file(&body), door).unwrap()
}

#[test]
fn every_capture_is_stored_but_for_the_one_record_that_is_wrong() {
    let Some(root) = captures() else { return };
    for (name, accepted, rejected) in [
        ("js-001-main-traces.json", 50, 1),
        ("js-002-main-logs.json", 48, 0),
        ("py-001-main-traces.bin", 45, 0),
        ("py-002-main-logs.bin", 50, 0),
    ] {
        let outcome = mapped(&root, name);
        assert_eq!((outcome.accepted, outcome.rejected), (accepted, rejected), "{name}");
        assert_eq!(outcome.problems.count() > 0, rejected > 0, "{name}: {:?}", outcome.problems);
    }
    for name in
        ["js-003-multires-traces.json", "js-006-proto-traces.bin", "js-021-envpath-traces.json"]
    {
        let outcome = mapped(&root, name);
        assert!(outcome.accepted > 0 && outcome.rejected == 0, "{name}: {:?}", outcome.problems);
    }
}

#[test]
fn a_body_that_was_sent_again_or_compressed_gives_the_same_envelopes() {
    let Some(root) = captures() else { return };
    let events = |name: &str| -> Vec<Event> { mapped(&root, name).events };
    for (one, other) in [
        ("js-018-drop-traces.json", "js-019-drop-traces.json"),
        ("js-005-gzip-traces.json", "js-005-gzip-traces.json.gz"),
    ] {
        let first = events(one);
        assert!(!first.is_empty());
        assert_eq!(first, events(other), "{one}");
    }
}

/// What the strict door for both signals makes of a body: accepted, rejected and the codes; or why it is refused.
type Judged = Result<(u64, u64, Vec<String>), String>;

fn judged(body: &str, door: Door) -> Judged {
    match adapter(Policy::RecordAnomaly).map(body.as_bytes(), Encoding::Json, door) {
        Ok(outcome) => {
            let codes = codes(&outcome).into_iter().map(str::to_owned).collect();
            Ok((outcome.accepted, outcome.rejected, codes))
        }
        Err(refusal) => Err(Refusal::code(&refusal).to_string()),
    }
}

/// Whether what is recommended for a case asks for its record to be refused.
fn asks_to_reject(recommended: &str) -> bool {
    recommended.starts_with("reject record") || recommended.contains("reject record or keep")
}

#[test]
fn every_case_has_the_outcome_that_is_recommended_for_it() {
    let Some(root) = captures() else { return };
    let lines = std::fs::read_to_string(root.join("otlp-json-cases.jsonl")).unwrap();
    let mut wrong = BTreeMap::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |member: &str| case[member].as_str().unwrap().to_owned();
        let (name, recommended) = (text("name"), text("recommended"));
        let alias = if text("signal") == "logs" { Door::Logs } else { Door::Traces };
        let found = (judged(&text("body"), alias), judged(&text("body"), Door::Ingest));
        let right = match name.as_str() {
            "empty-object" => matches!(found, (Ok((0, 0, _)), Err(_))),
            "null-array" => matches!(found, (Ok((0, 0, _)), _)),
            "snake-case-top" => matches!(found, (Err(_), Err(_))),
            "both-signals" => matches!(found, (_, Ok((0, 0, _)))),
            "one-bad-in-three" => matches!(found.0, Ok((2, 1, ref codes)) if codes.len() == 1),
            "log-id-bad" => matches!(found.0, Ok((1, 0, ref codes)) if codes.len() == 1),
            // The key that is not there is the empty one; and the year 2554 is a time like any other here.
            "attr-missing-key" | "time-u64max" => matches!(found.0, Ok((1, 0, _))),
            _ if asks_to_reject(&recommended) => {
                matches!(found.0, Ok((0, 1, ref codes)) if codes.len() == 1)
            }
            _ => matches!(found.0, Ok((1, 0, _))),
        };
        if !right {
            wrong.insert(name, format!("{found:?}, recommended: {recommended}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
