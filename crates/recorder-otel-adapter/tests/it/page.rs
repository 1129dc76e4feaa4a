//! The examples of `docs/adapters/otel.md` are what the adapter takes and gives.

use recorder_otel_adapter::contract;
use serde_json::Value;

use crate::support::{payload, strict};

const PAGE: &str = include_str!("../../../../docs/adapters/otel.md");

/// The fenced block after `<!-- example: NAME -->`.
fn example(name: &str) -> &'static str {
    let block = PAGE.split(&format!("<!-- example: {name} -->\n```")).nth(1).unwrap();
    block.split_once('\n').unwrap().1.split("\n```").next().unwrap()
}

#[test]
fn the_body_of_the_page_gives_the_attributes_of_the_page() {
    let outcome = strict(example("body")).unwrap();
    let [event] = &outcome.events[..] else { panic!("{}", outcome.events.len()) };
    let shown = example("attributes").lines().map(serde_json::from_str);
    let shown = shown.collect::<Result<Vec<Value>, _>>().unwrap();
    assert_eq!(payload(event)["span"]["attributes"], Value::Array(shown));
}

#[test]
fn every_code_and_event_type_that_the_page_names_is_of_the_contract() {
    let contract = serde_json::to_string(&contract()).unwrap();
    let mut named = 0;
    for word in PAGE.split('`').skip(1).step_by(2).filter(|word| word.starts_with("otel_")) {
        assert!(contract.contains(&format!("\"{word}\"")), "{word}");
        named += 1;
    }
    assert!(named >= 3, "{named}");
}
