//! The types of the interface against the readers and writers of the server: what a schema requires is required, what it
//! allows is taken, and every member that is written stands in it.

use recorder_envelope::draft::Draft;
use recorder_envelope::selector::Selector;
use recorder_sidecar_api::problem::{Code, Problem};
use recorder_sidecar_api::wire;
use serde_json::{Value, json};

use crate::fixture::{artifact, takes, type_of};

fn example(operation: &str) -> Value {
    artifact("apis/sidecar.examples.json")["operations"][operation].clone()
}

/// Reads a request as the server does, envelopes and selectors included.
fn reads(operation: &str, body: &str) -> bool {
    let body = body.as_bytes();
    let draft = |text: &str| Draft::parse(text.as_bytes()).is_ok();
    match operation {
        "record_envelope" => {
            wire::read::<wire::RecordRequest<'_>>(body).is_ok_and(|r| draft(r.envelope.get()))
        }
        "record_envelope_with_attachments" => {
            wire::read::<wire::AttachmentsRequest<'_>>(body).is_ok_and(|r| draft(r.envelope.get()))
        }
        "record_batch" => wire::read::<wire::BatchRequest<'_>>(body)
            .is_ok_and(|r| r.envelopes.iter().all(|envelope| draft(envelope.get()))),
        "query_envelopes" => {
            wire::read::<wire::QueryRequest>(body).is_ok_and(|r| r.filter.into_filter().is_ok())
        }
        "prove_inclusion" => wire::read::<wire::InclusionRequest>(body).is_ok(),
        "prove_consistency" => wire::read::<wire::ConsistencyRequest>(body).is_ok(),
        "build_bundle" => wire::read::<wire::BuildRequest<'_>>(body).is_ok_and(|r| {
            r.selector.is_none_or(|selector| Selector::parse(selector.get().as_bytes()).is_ok())
        }),
        other => panic!("{other} takes no body"),
    }
}

const REQUESTS: &[(&str, &str)] = &[
    ("record_envelope", "record_request"),
    ("record_envelope_with_attachments", "attachments_request"),
    ("record_batch", "batch_request"),
    ("query_envelopes", "query_request"),
    ("prove_inclusion", "inclusion_request"),
    ("prove_consistency", "consistency_request"),
    ("build_bundle", "build_request"),
];

/// Every value that differs from `value` in one place: a member gone, `null`, of another kind, or one more.
pub(crate) fn mutants(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("\u{200b}"),
        json!([]),
        json!({}),
        json!([null]),
    ];
    all.extend(odd.iter().filter(|odd| *odd != value).cloned());
    match value {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("unknown".to_owned(), json!(1));
            all.push(Value::Object(more));
            for (name, member) in members {
                let mut fewer = members.clone();
                fewer.remove(name);
                all.push(Value::Object(fewer));
                for mutant in mutants(member) {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), mutant);
                    all.push(Value::Object(changed));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for mutant in mutants(item) {
                    let mut changed = items.clone();
                    changed[index] = mutant;
                    all.push(Value::Array(changed));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all
}

/// What the server refuses after it has read a request, and the schema says too.
fn is_checked_later(operation: &str, body: &Value) -> bool {
    let is_empty = |name: &str| body[name].as_array().is_some_and(Vec::is_empty);
    let base64 =
        |text: &Value| text.as_str().is_some_and(|text| !text.is_empty() && text.len() % 4 != 0);
    match operation {
        "record_batch" => is_empty("envelopes"),
        "record_envelope_with_attachments" => {
            is_empty("attachments") || base64(&body["attachments"][0]["data_base64"])
        }
        "query_envelopes" => body["limit"].as_u64() == Some(0),
        _ => false,
    }
}

#[test]
fn a_request_is_taken_by_the_schema_exactly_if_the_server_reads_it() {
    for (operation, name) in REQUESTS {
        let validator = type_of(name);
        let whole = example(operation)["request"].clone();
        assert!(
            reads(operation, &whole.to_string()) && takes(&validator, &whole.to_string()),
            "{operation}"
        );
        let mut taken = 0;
        for mutant in mutants(&whole) {
            let text = mutant.to_string();
            let by_schema = validator.is_valid(&mutant);
            let by_server = reads(operation, &text) && !is_checked_later(operation, &mutant);
            assert_eq!(by_schema, by_server, "{operation}: {text}");
            taken += usize::from(by_schema);
        }
        assert!(taken > 0, "{operation}");
    }
}

/// The names of the members that a value of the server's own type is written with, and that the schema has.
fn has_members(name: &str, written: &Value) {
    let types = artifact("sdk/types.json");
    let listed: Vec<&String> =
        types["types"][name]["properties"].as_object().unwrap().keys().collect();
    let mut written: Vec<&String> = written.as_object().unwrap().keys().collect();
    written.sort();
    assert_eq!(written, listed, "{name}");
}

fn receipt() -> wire::Receipt {
    let receipt = &example("record_envelope")["answers"]["201"];
    let text = |name: &str| receipt[name].as_str().unwrap();
    let moment: recorder_core::time::UtcTimestamp = text("recorded_at").parse().unwrap();
    wire::Receipt {
        envelope_id: text("envelope_id").parse().unwrap(),
        segment_id: text("segment_id").parse().unwrap(),
        sequence: 0,
        position: 0,
        recorded_at: moment.try_into().unwrap(),
        payload_commitment: serde_json::from_value(receipt["payload_commitment"].clone()).unwrap(),
        content_hash: serde_json::from_value(receipt["content_hash"].clone()).unwrap(),
        chain_hash: serde_json::from_value(receipt["chain_hash"].clone()).unwrap(),
        durability: "fsync",
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn what_the_server_writes_is_of_the_published_shape() {
    let written = serde_json::to_value(receipt()).unwrap();
    assert_eq!(written, example("record_envelope")["answers"]["201"]);
    let batch = wire::BatchAnswer { receipts: vec![receipt()] };
    assert_eq!(serde_json::to_value(batch).unwrap(), example("record_batch")["answers"]["201"]);
    let proof = &example("prove_inclusion")["answers"]["200"];
    let inclusion = wire::InclusionAnswer {
        envelope_id: read(&proof["envelope_id"]),
        position: 0,
        chain_hash: read(&proof["chain_hash"]),
        tree_size: 3,
        root_hash: read(&proof["root_hash"]),
        path: read(&proof["path"]),
        checkpoint: read(&proof["checkpoint"]),
    };
    assert_eq!(serde_json::to_value(inclusion).unwrap(), *proof);
    let proof = &example("prove_consistency")["answers"]["200"];
    let consistency = wire::ConsistencyAnswer {
        old_size: 2,
        old_root_hash: read(&proof["old_root_hash"]),
        new_size: 3,
        new_root_hash: read(&proof["new_root_hash"]),
        path: read(&proof["path"]),
        checkpoint: read(&proof["checkpoint"]),
    };
    assert_eq!(serde_json::to_value(consistency).unwrap(), *proof);
    let answer = &example("checkpoint")["answers"]["200"];
    let checkpoint = wire::CheckpointAnswer {
        tenant_id: read(&answer["tenant_id"]),
        recorder_id: read(&answer["recorder_id"]),
        tree_size: 3,
        root_hash: read(&answer["root_hash"]),
        note: read(&answer["note"]),
    };
    assert_eq!(serde_json::to_value(checkpoint).unwrap(), *answer);
    let unready = wire::ProbeAnswer {
        status: "unavailable",
        reasons: Some(vec![
            wire::NotReady::StorageUnavailable,
            wire::NotReady::RequestCapacityExhausted,
        ]),
        durability: Some("fsync"),
    };
    assert_eq!(serde_json::to_value(unready).unwrap(), example("ready")["answers"]["503"]);
}

#[test]
fn segments_pages_and_problems_have_exactly_their_members() {
    let listed = &example("list_segments")["answers"]["200"]["segments"][0];
    let moment: recorder_core::time::UtcTimestamp =
        listed["opened_at"].as_str().unwrap().parse().unwrap();
    let segment = wire::Segment {
        tenant_id: read(&listed["tenant_id"]),
        recorder_id: read(&listed["recorder_id"]),
        segment_id: read(&listed["segment_id"]),
        segment_index: 0,
        first_position: 0,
        envelope_count: 3,
        opened_at: moment.try_into().unwrap(),
        sealed_at: None,
        chain_head: read(&listed["chain_head"]),
        seal_hash: None,
    };
    let page = wire::SegmentsAnswer { segments: vec![segment.clone()], next_cursor: None };
    assert!(type_of("segments_answer").is_valid(&serde_json::to_value(&page).unwrap()));
    has_members("segment", &serde_json::to_value(segment).unwrap());
    has_members("segments_answer", &serde_json::to_value(page).unwrap());
    let empty = wire::QueryAnswer { envelopes: Vec::new(), next_cursor: Some("x".to_owned()) };
    assert!(type_of("query_answer").is_valid(&serde_json::to_value(&empty).unwrap()));
    has_members("query_answer", &serde_json::to_value(empty).unwrap());
    let validator = type_of("problem");
    for code in Code::ALL {
        let problem: Value =
            serde_json::from_slice(&Problem::new(*code, "x", "y").to_json()).unwrap();
        assert!(validator.is_valid(&problem), "{problem}");
        has_members("problem", &problem);
    }
}

#[test]
fn every_example_of_an_answer_is_of_its_type() {
    let methods = artifact("sdk/methods.json")["methods"].clone();
    let mut count = 0;
    for (name, method) in methods.as_object().unwrap() {
        for (status, answer) in method["answers"].as_object().unwrap() {
            let example = &example(name)["answers"][status];
            let Some(shape) = answer["type"].as_str() else {
                assert!(example.is_null(), "{name}: an example of what is not promised");
                continue;
            };
            let faults: Vec<String> =
                type_of(shape).iter_errors(example).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{name} {status}: {faults:?}");
            count += 1;
        }
    }
    assert!(count > 12, "{count}");
}
