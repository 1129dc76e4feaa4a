//! The contract as data: complete, and what the code does.

use std::collections::BTreeSet;

use recorder_otel_adapter::{FaultCode, contract};

#[test]
fn the_contract_names_every_code_once_and_the_policy_that_is_compiled_in() {
    let contract = serde_json::to_value(contract()).unwrap();
    let anomalies = contract["anomalies"].as_array().unwrap();
    let codes = anomalies.iter().map(|it| it["code"].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(codes.len(), FaultCode::ALL.len());
    assert!(codes.iter().all(|code| code.starts_with("otel_")));
    let policy = recorder_otel_adapter::redaction_policy().unwrap();
    assert_eq!(contract["redaction_policy"]["version"], policy.version());
    assert_eq!(contract["mapping_version"], recorder_otel_adapter::MAPPING_VERSION);
    assert_eq!(contract["bounds"]["body_bytes_max"], 32 << 20);
    assert_eq!(contract["event_types"]["log"].as_array().unwrap().len(), 7);
}

#[test]
fn refusals_and_anomalies_share_no_code() {
    let contract = serde_json::to_value(contract()).unwrap();
    let refusals = contract["refusals"].as_array().unwrap();
    let refusals = refusals.iter().map(|code| code.as_str().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(refusals.len(), recorder_otel_adapter::Refusal::CODES.len());
    assert!(FaultCode::ALL.iter().all(|code| !refusals.contains(code.code())));
}
