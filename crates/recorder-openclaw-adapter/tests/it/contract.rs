//! The contract says what the code does.

use std::collections::BTreeSet;

use recorder_openclaw_adapter::contract;

#[test]
fn every_code_that_the_code_has_is_in_the_contract() {
    let sources = [
        include_str!("../../src/frame.rs"),
        include_str!("../../src/ledger.rs"),
        include_str!("../../src/line.rs"),
        include_str!("../../src/map.rs"),
        include_str!("../../src/stream.rs"),
    ]
    .concat();
    let contract = contract();
    let codes: BTreeSet<&str> = contract["codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code["code"].as_str().unwrap())
        .collect();
    for code in &codes {
        assert!(sources.contains(&format!("\"{code}\"")), "{code} is in the contract alone");
    }
    for after in ["Rejected::new(\"", "Rejected::new(\n                \"", "Anomaly::new(\""] {
        for found in sources.split(after).skip(1) {
            let code = found.split('"').next().unwrap();
            assert!(codes.contains(code), "{code} is not in the contract");
        }
    }
}

#[test]
fn the_contract_names_versions_bounds_and_every_kind_of_event() {
    let contract = contract();
    assert_eq!(contract["mapping_version"], "openclaw_recorder_v1");
    assert_eq!(contract["redaction_policy_version"], "openclaw_redaction_v1");
    assert_eq!(contract["bounds"]["record_bytes_max"], 1 << 20);
    assert!(contract["event_types"]["frames"].as_array().unwrap().len() > 15);
}
