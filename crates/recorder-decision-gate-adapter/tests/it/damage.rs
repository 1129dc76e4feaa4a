//! Each code of the contract, from damage of our own to a runpack that is sound; and each damage exactly its codes.

use std::collections::BTreeSet;

use recorder_decision_gate_adapter::{Input, contract};
use recorder_envelope::adapter::Policy;
use serde_json::{Value, json};

use crate::pack::{Pack, codes, document, mapped, mapped_with, runpack};

/// A damage: what it is called, what it does, what is found.
type Damage = (&'static str, fn(&mut Pack), &'static [&'static str]);

/// Damages to the runpack; the export in the transcript answers the manifest of before.
const RUNPACK: &[Damage] = &[
    ("nothing", |_| {}, &[]),
    (
        "another version",
        |pack| pack.manifest["manifest_version"] = json!("v2"),
        &["manifest_version_unsupported"],
    ),
    (
        "no version",
        |pack| drop(pack.manifest.as_object_mut().unwrap().remove("manifest_version")),
        &["manifest_version_unsupported"],
    ),
    (
        "another algorithm",
        |pack| pack.manifest["hash_algorithm"] = json!("sha512"),
        &["hash_algorithm_unsupported"],
    ),
    (
        "a digest of another algorithm",
        |pack| pack.manifest["integrity"]["root_hash"]["algorithm"] = json!("sha1"),
        &["hash_algorithm_unsupported"],
    ),
    (
        "a digest in capitals",
        |pack| capitals(&mut pack.manifest["integrity"]["root_hash"]["value"]),
        &["digest_malformed", "root_hash_mismatch"],
    ),
    ("an unknown member", |pack| pack.manifest["note"] = json!(1), &["manifest_unknown_field"]),
    (
        "an unknown member in the index",
        |pack| pack.manifest["artifacts"][3]["note"] = json!(1),
        &["manifest_unknown_field"],
    ),
    (
        "an unknown member in the list",
        |pack| pack.manifest["integrity"]["file_hashes"][3]["note"] = json!(1),
        &["manifest_unknown_field", "root_hash_mismatch"],
    ),
    (
        "a path upwards",
        |pack| add_entry(pack, "artifacts/../../x"),
        &["artifact_index_mismatch", "path_unsafe"],
    ),
    (
        "an absolute path",
        |pack| add_entry(pack, "/etc/passwd"),
        &["artifact_index_mismatch", "path_unsafe"],
    ),
    (
        "a path twice",
        |pack| add_entry(pack, "artifacts/triggers.json"),
        &["artifact_hash_mismatch", "artifact_index_mismatch", "path_duplicate"],
    ),
    (
        "a file that is nowhere",
        |pack| add_entry(pack, "artifacts/more.json"),
        &["artifact_index_mismatch", "artifact_missing"],
    ),
    (
        "an entry less",
        |pack| remove_entry(pack, 5),
        &["artifact_index_mismatch", "artifact_unlisted", "required_artifact_unlisted"],
    ),
    (
        "no report in the list",
        |pack| remove_entry(pack, 7),
        &["artifact_index_mismatch", "artifact_unlisted"],
    ),
    (
        "no entries",
        |pack| {
            pack.manifest["integrity"]["file_hashes"] = json!([]);
            pack.rehash_root();
        },
        &["artifact_index_mismatch", "artifact_unlisted", "required_artifact_unlisted"],
    ),
    (
        "entries in another order",
        |pack| {
            swap(&mut pack.manifest["integrity"]["file_hashes"], 1, 2);
            pack.rehash_root();
        },
        &["artifact_index_mismatch"],
    ),
    (
        "entries in another order under the old root",
        |pack| swap(&mut pack.manifest["integrity"]["file_hashes"], 1, 2),
        &["artifact_index_mismatch", "root_hash_mismatch"],
    ),
    (
        "another digest in the index",
        |pack| pack.manifest["artifacts"][2]["hash"]["value"] = json!("0".repeat(64)),
        &["artifact_index_mismatch"],
    ),
    (
        "another kind in the index",
        |pack| pack.manifest["artifacts"][2]["kind"] = json!("custom"),
        &["artifact_index_mismatch"],
    ),
    (
        "another root",
        |pack| pack.manifest["integrity"]["root_hash"]["value"] = json!("0".repeat(64)),
        &["root_hash_mismatch"],
    ),
    (
        "another scenario's digest",
        |pack| pack.manifest["spec_hash"]["value"] = json!("0".repeat(64)),
        &["spec_hash_mismatch"],
    ),
    ("another run", |pack| pack.manifest["run_id"] = json!("run-2"), &["identity_mismatch"]),
    ("another tenant", |pack| pack.manifest["tenant_id"] = json!(9), &["identity_mismatch"]),
    ("another time", |pack| pack.manifest["generated_at"]["value"] = json!(1), &[]),
    (
        "another namespace in the scenario",
        |pack| {
            pack.artifacts.get_mut("scenario_spec").unwrap()["namespace_id"] = json!(4);
            pack.rehash();
        },
        &["identity_mismatch"],
    ),
    (
        "another run in a submission",
        |pack| changed(pack, "submissions", 0, "/run_id", json!("x")),
        &["identity_mismatch"],
    ),
    (
        "a trigger less",
        |pack| {
            items(pack, "triggers").remove(0);
            pack.rehash();
        },
        &["decision_without_trigger", "sequence_broken"],
    ),
    (
        "a decision less",
        |pack| {
            items(pack, "decisions").remove(0);
            pack.rehash();
        },
        &["sequence_broken"],
    ),
    (
        "a decision for another trigger",
        |pack| changed(pack, "decisions", 0, "/trigger_id", json!("trigger-9")),
        &["decision_without_trigger"],
    ),
    (
        "two decisions of one trigger",
        |pack| changed(pack, "decisions", 1, "/trigger_id", json!("trigger-1")),
        &["decision_duplicate"],
    ),
    (
        "two decisions of one name",
        |pack| changed(pack, "decisions", 1, "/decision_id", json!("decision-1")),
        &["decision_duplicate"],
    ),
    (
        "another packet",
        |pack| changed(pack, "packets", 0, "/payload/value", json!(1)),
        &["content_hash_mismatch"],
    ),
    (
        "another packet, with a number that can be read in several ways",
        |pack| changed(pack, "packets", 0, "/payload/value", json!(1e23)),
        &["digest_not_recomputable"],
    ),
    (
        "another submission",
        |pack| changed(pack, "submissions", 0, "/payload/bytes", json!([1])),
        &["content_hash_mismatch"],
    ),
    (
        "another file elsewhere",
        |pack| {
            changed(
                pack,
                "submissions",
                1,
                "/payload/content_ref/content_hash/value",
                json!("0".repeat(64)),
            )
        },
        &["content_hash_mismatch"],
    ),
    (
        "a payload of no kind",
        |pack| changed(pack, "submissions", 0, "/payload/kind", json!("x")),
        &["content_hash_mismatch"],
    ),
    (
        "other evidence",
        |pack| changed(pack, "gate_evals", 0, "/evidence/0/result/value/value", json!(true)),
        &["evidence_hash_mismatch"],
    ),
    (
        "other bytes of evidence",
        |pack| changed(pack, "gate_evals", 0, "/evidence/1/result/value/value", json!([1])),
        &["evidence_hash_mismatch"],
    ),
    (
        "evidence gone",
        |pack| changed(pack, "gate_evals", 0, "/evidence/0/result/value", Value::Null),
        &["evidence_hash_mismatch"],
    ),
    (
        "evidence without a digest",
        |pack| changed(pack, "gate_evals", 0, "/evidence/0/result/evidence_hash", Value::Null),
        &["evidence_hash_mismatch"],
    ),
    (
        "a receipt for another packet",
        |pack| changed(pack, "packets", 0, "/envelope/stage_id", json!("two")),
        &["receipt_hash_mismatch"],
    ),
    (
        "a failed report",
        |pack| {
            pack.artifacts.get_mut("verifier_report").unwrap()["status"] = json!("fail");
            pack.rehash();
        },
        &["verifier_report_failed"],
    ),
    (
        "no report",
        |pack| {
            pack.artifacts.remove("verifier_report");
            pack.rehash();
        },
        &[],
    ),
    (
        "decisions that are no list",
        |pack| {
            *pack.artifacts.get_mut("decisions").unwrap() = json!({});
            pack.rehash();
        },
        &["artifact_invalid"],
    ),
    (
        "a decision that is a number",
        |pack| {
            items(pack, "decisions")[0] = json!(1);
            pack.rehash();
        },
        &["artifact_invalid", "sequence_broken"],
    ),
    (
        "a call less",
        |pack| {
            items(pack, "tool_calls").remove(0);
            pack.rehash();
        },
        &["transcript_call_unrecorded"],
    ),
    (
        "a call of another request",
        |pack| changed(pack, "tool_calls", 0, "/request_hash/value", json!("0".repeat(64))),
        &["tool_call_without_exchange", "transcript_call_unrecorded"],
    ),
    (
        "a call of another response",
        |pack| changed(pack, "tool_calls", 0, "/response_hash/value", json!("0".repeat(64))),
        &["transcript_response_mismatch"],
    ),
    (
        "a failed call of another error",
        |pack| changed(pack, "tool_calls", 1, "/error/code", json!("x")),
        &["transcript_response_mismatch"],
    ),
];

/// Damages to files that the manifest does not follow, and to the transcript: the export agrees with the manifest.
const OTHERWISE: &[Damage] = &[
    (
        "another file",
        |pack| drop(pack.raw.insert("artifacts/packets.json".into(), b"[]".to_vec())),
        &["artifact_hash_mismatch"],
    ),
    ("a file with white space", |pack| respace(pack, "triggers"), &["artifact_hash_mismatch"]),
    (
        "a file that begins with a mark",
        |pack| mark(pack, "triggers"),
        &["artifact_hash_mismatch", "artifact_invalid"],
    ),
    (
        "a file too many",
        |pack| drop(pack.raw.insert("extra".into(), vec![0])),
        &["artifact_unlisted"],
    ),
    ("a file less", |pack| drop(pack.artifacts.remove("gate_evals")), &["artifact_missing"]),
    (
        "no exchanges",
        |pack| pack.transcript.clear(),
        &["export_not_in_transcript", "tool_call_without_exchange", "transcript_empty"],
    ),
    ("a hole", |pack| drop(pack.transcript.remove(1)), &["transcript_sequence_broken"]),
    (
        "a hole that is numbered away",
        |pack| {
            pack.transcript.remove(2);
            pack.renumber();
        },
        &["tool_call_without_exchange"],
    ),
    (
        "an exchange twice",
        |pack| {
            let again = pack.transcript[2].clone();
            pack.transcript.insert(3, again);
            pack.renumber();
        },
        &["transcript_call_unrecorded"],
    ),
    (
        "no export",
        |pack| {
            pack.transcript.remove(4);
            pack.renumber();
        },
        &["export_not_in_transcript"],
    ),
    (
        "another export",
        |pack| {
            pack.transcript[4]["response"]["result"]["content"][0]["json"]["manifest"]["run_id"] =
                json!("x")
        },
        &["export_manifest_mismatch"],
    ),
    (
        "another request",
        |pack| {
            pack.transcript[2]["request"]["params"]["arguments"]["request"]["agent_id"] = json!("x")
        },
        &["tool_call_without_exchange", "transcript_call_unrecorded"],
    ),
    (
        "another request, with a number that can be read in several ways",
        |pack| {
            let request = &mut pack.transcript[2]["request"]["params"]["arguments"]["request"];
            request["agent_id"] = json!("x");
            request["note"] = json!(1e23);
        },
        &["digest_not_recomputable"],
    ),
    (
        "another response, with a number that can be read in several ways",
        |pack| {
            let answer = &mut pack.transcript[2]["response"]["result"]["content"][0]["json"];
            answer["status"] = json!("x");
            answer["note"] = json!(1e23);
        },
        &["digest_not_recomputable"],
    ),
    (
        "another response",
        |pack| {
            pack.transcript[2]["response"]["result"]["content"][0]["json"]["status"] = json!("x")
        },
        &["transcript_response_mismatch"],
    ),
    (
        "other feedback",
        |pack| {
            pack.transcript[2]["response"]["result"]["content"][0]["json"]["feedback"] = json!("x")
        },
        &[],
    ),
    (
        "a response that is a text",
        |pack| pack.transcript[2]["response"] = json!("413"),
        &["transcript_response_missing"],
    ),
    (
        "no response",
        |pack| pack.transcript[1]["response"] = Value::Null,
        &["transcript_response_missing"],
    ),
    (
        "a response to another request",
        |pack| pack.transcript[1]["response"]["id"] = json!(77),
        &["transcript_id_mismatch"],
    ),
    (
        "a response without an id",
        |pack| drop(pack.transcript[1]["response"].as_object_mut().unwrap().remove("id")),
        &["transcript_id_mismatch"],
    ),
    ("an error without an id", |pack| pack.transcript[3]["response"]["id"] = Value::Null, &[]),
    (
        "a response in the native form",
        |pack| {
            let result = pack.transcript[1]["response"]["result"].take();
            pack.transcript[1]["response"] = json!({"result": result, "error": null});
        },
        &[],
    ),
    (
        "a failed verification",
        |pack| {
            pack.transcript[5]["response"]["result"]["content"][0]["json"]["status"] = json!("fail")
        },
        &["reported_verification_failed"],
    ),
    (
        "a failed report of the export",
        |pack| {
            pack.transcript[4]["response"]["result"]["content"][0]["json"]["report"]["errors"] =
                json!(["x"])
        },
        &["reported_verification_failed"],
    ),
    (
        "a method that its request denies",
        |pack| pack.transcript[1]["method"] = json!("tools/list"),
        &["record_invalid"],
    ),
    (
        "a member that no exchange has",
        |pack| pack.transcript[1]["note"] = json!(1),
        &["record_invalid"],
    ),
    ("an exchange that is a number", |pack| pack.transcript[1] = json!(7), &["record_invalid"]),
];

fn capitals(value: &mut Value) {
    *value = json!(value.as_str().unwrap().to_uppercase());
}

fn add_entry(pack: &mut Pack, path: &str) {
    let entry = json!({"path": path, "hash": {"algorithm": "sha256", "value": "0".repeat(64)}});
    pack.manifest["integrity"]["file_hashes"].as_array_mut().unwrap().push(entry);
    pack.rehash_root();
}

fn remove_entry(pack: &mut Pack, index: usize) {
    pack.manifest["integrity"]["file_hashes"].as_array_mut().unwrap().remove(index);
    pack.rehash_root();
}

fn swap(list: &mut Value, one: usize, other: usize) {
    list.as_array_mut().unwrap().swap(one, other);
}

fn items<'p>(pack: &'p mut Pack, name: &str) -> &'p mut Vec<Value> {
    pack.artifacts.get_mut(name).unwrap().as_array_mut().unwrap()
}

fn changed(pack: &mut Pack, name: &str, index: usize, pointer: &str, value: Value) {
    *items(pack, name)[index].pointer_mut(pointer).unwrap() = value;
    pack.rehash();
}

fn respace(pack: &mut Pack, name: &str) {
    let text = serde_json::to_vec_pretty(&pack.artifacts[name]).unwrap();
    pack.raw.insert(format!("artifacts/{name}.json"), text);
}

fn mark(pack: &mut Pack, name: &str) {
    let text = serde_json::to_string(&pack.artifacts[name]).unwrap();
    pack.raw.insert(format!("artifacts/{name}.json"), format!("\u{feff}{text}").into_bytes());
}

fn found(pack: &Pack) -> BTreeSet<&'static str> {
    codes(document(&pack.fixture()))
}

#[test]
fn each_damage_to_a_runpack_is_named_and_nothing_else_is() {
    for (name, damage, expected) in RUNPACK {
        let mut pack = Pack::sample();
        let before = pack.manifest.clone();
        damage(&mut pack);
        let mut expected: BTreeSet<_> = expected.iter().copied().collect();
        if pack.manifest != before {
            expected.insert("export_manifest_mismatch");
        }
        assert_eq!(found(&pack), expected, "{name}");
        expected.remove("export_manifest_mismatch");
        pack.reexport();
        assert_eq!(found(&pack), expected, "{name}, and the export with it");
    }
}

#[test]
fn each_damage_to_files_and_to_the_transcript_is_named_and_nothing_else_is() {
    for (name, damage, expected) in OTHERWISE {
        let mut pack = Pack::sample();
        damage(&mut pack);
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(found(&pack), expected, "{name}");
    }
}

#[test]
fn a_manifest_that_is_none_is_named_and_nothing_is_concluded_from_it() {
    let pack = Pack::sample();
    let good = serde_json::to_string(&pack.manifest).unwrap();
    for bytes in [
        good.as_bytes()[..good.len() / 2].to_vec(),
        good.replacen("\"run_id\"", "\"run_id\":\"first\",\"run_id\"", 1).into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        b"[]".to_vec(),
        b"\xff".to_vec(),
        good.replacen("\"tenant_id\":2", "\"tenant_id\":0", 1).into_bytes(),
        good.replacen("offline_strict", "online", 1).into_bytes(),
        good.replacen("\"hash_algorithm\"", "\"other\"", 1).into_bytes(),
    ] {
        let fixture = pack.fixture_with(Some(bytes));
        assert_eq!(codes(document(&fixture)), BTreeSet::from(["manifest_invalid"]));
    }
    let without = pack.fixture_with(None);
    assert_eq!(codes(document(&without)), BTreeSet::from(["manifest_missing"]));
}

#[test]
fn every_code_of_the_contract_has_a_damage_here() {
    let mut covered: BTreeSet<&str> =
        RUNPACK.iter().chain(OTHERWISE).flat_map(|(_, _, codes)| codes.iter().copied()).collect();
    covered.extend(["manifest_invalid", "manifest_missing", "export_manifest_mismatch"]);
    covered.insert("fixture_version_unsupported");
    let contract = contract();
    for code in contract["codes"].as_array().unwrap() {
        if code["about"] == "input" {
            let name = code["code"].as_str().unwrap();
            assert!(covered.contains(name), "{name}");
        }
    }
}

#[test]
fn nothing_is_silently_dropped_whatever_the_damage() {
    for (name, damage, _) in RUNPACK.iter().chain(OTHERWISE) {
        let mut pack = Pack::sample();
        damage(&mut pack);
        let logs = ["triggers", "gate_evals", "decisions", "packets", "submissions", "tool_calls"];
        let files = pack.files();
        let logs = logs.iter().filter_map(|log| files.get(&format!("artifacts/{log}.json")));
        let records = logs.map(|bytes| match serde_json::from_slice::<Vec<Value>>(bytes) {
            Ok(records) => records.len(),
            Err(_) => 1,
        });
        let expected = records.sum::<usize>() + pack.transcript.len() + 1;
        let fixture = pack.fixture();
        let outcome = mapped(document(&fixture), Policy::RecordAnomaly).unwrap();
        assert_eq!(outcome.received(), expected as u64, "{name}");
        assert_eq!(outcome.skipped, 0);
        let problems = outcome.problems.count();
        assert_eq!(outcome.events.len() as u64, outcome.accepted + problems, "{name}");
        if let Err(refused) = mapped(document(&fixture), Policy::StrictFail) {
            assert_eq!(refused.received, expected as u64, "{name}");
            assert_eq!(refused.problems, outcome.problems, "{name}");
        } else {
            assert_eq!((outcome.rejected, problems), (0, 0), "{name}");
        }
    }
}

#[test]
fn one_client_among_several_need_not_have_seen_every_call() {
    let mut pack = Pack::sample();
    pack.transcript.remove(2);
    pack.renumber();
    let fixture = pack.fixture();
    let alone = mapped_with(document(&fixture), Policy::StrictFail, false);
    assert!(alone.is_err());
    assert!(mapped_with(document(&fixture), Policy::StrictFail, true).is_ok());
    pack.transcript[2]["request"]["params"]["arguments"]["request"]["submission_id"] = json!("x");
    pack.transcript[2]["response"] = json!({"jsonrpc": "2.0", "id": 4, "result": {}});
    let fixture = pack.fixture();
    let refused = mapped_with(document(&fixture), Policy::StrictFail, true).unwrap_err();
    assert_eq!(refused.problems.named[0].code, "transcript_call_unrecorded");
}

#[test]
fn a_runpack_is_checked_without_a_transcript_and_a_transcript_without_a_runpack() {
    let pack = Pack::sample();
    let manifest = serde_json::to_vec(&pack.manifest).unwrap();
    let alone = Input { document: None, runpack: Some(runpack(Some(manifest), pack.files())) };
    assert_eq!(mapped(alone, Policy::StrictFail).unwrap().accepted, 11);
    let transcript = serde_json::to_vec(&pack.transcript).unwrap();
    assert_eq!(mapped(document(&transcript), Policy::StrictFail).unwrap().accepted, 6);
    let report = json!({"spec": {}, "transcript": pack.transcript});
    let report = serde_json::to_vec(&report).unwrap();
    assert_eq!(mapped(document(&report), Policy::StrictFail).unwrap().accepted, 6);
}
