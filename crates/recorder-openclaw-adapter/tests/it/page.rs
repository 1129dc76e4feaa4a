//! The examples of `docs/adapters/openclaw.md` are what the adapter takes and gives.

use serde_json::Value;

use super::sample::{only, strict};

const PAGE: &str = include_str!("../../../../docs/adapters/openclaw.md");

/// The fenced block after `<!-- example: NAME -->`.
fn example(name: &str) -> &'static str {
    let block = PAGE.split(&format!("<!-- example: {name} -->\n```")).nth(1).unwrap();
    block.split_once('\n').unwrap().1.split("\n```").next().unwrap()
}

#[test]
fn the_lines_of_the_page_give_the_envelope_of_the_page() {
    let lines: Vec<String> = example("input").lines().map(str::to_owned).collect();
    let outcome = strict(&lines).unwrap();
    assert_eq!(outcome.received(), lines.len() as u64);
    let shown: Value = serde_json::from_str(example("payload")).unwrap();
    assert_eq!(only(&outcome, "openclaw.approval.resolved"), shown);
}

#[test]
fn every_code_is_explained_on_the_page() {
    let contract = recorder_openclaw_adapter::contract();
    for code in contract["codes"].as_array().unwrap() {
        let code = code["code"].as_str().unwrap();
        assert!(PAGE.contains(&format!("`{code}`")), "{code}");
    }
    for kind in contract["event_types"]["frames"].as_array().unwrap() {
        let event_type = kind["event_type"].as_str().unwrap();
        assert!(PAGE.contains(&format!("`{event_type}`")), "{event_type}");
    }
}
