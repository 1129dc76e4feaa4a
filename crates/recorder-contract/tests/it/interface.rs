//! The OpenAPI document: every route, header, code and example of the tables, and nothing that is not served.

use std::collections::BTreeSet;

use recorder_sidecar_api::header::IDEMPOTENCY_KEY;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::{Access, FRAMING, Operation};
use serde_json::Value;

use crate::fixture::artifact;

fn document() -> Value {
    artifact("apis/sidecar.openapi.json")
}

fn operation_object(document: &Value, operation: Operation) -> Value {
    let route = operation.route();
    document["paths"][route.path][route.method.name().to_ascii_lowercase()].clone()
}

#[test]
fn exactly_the_routes_of_the_table_are_described() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        })
        .collect();
    let listed: BTreeSet<(String, String)> = Operation::ALL
        .iter()
        .map(|operation| {
            let route = operation.route();
            (route.path.to_owned(), route.method.name().to_ascii_lowercase())
        })
        .collect();
    assert_eq!(described, listed);
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn every_code_of_a_route_stands_at_its_status_with_an_example() {
    let document = document();
    for operation in Operation::ALL {
        let object = operation_object(&document, *operation);
        for code in operation.codes() {
            if operation.is_otlp() {
                let status = operation.status_of(code).to_string();
                let content = &object["responses"][status]["content"];
                let status = &content["application/json"];
                assert_eq!(status["schema"]["$ref"], "#/components/schemas/rpc_status");
                let message = status["examples"][code.code()]["value"]["message"].as_str().unwrap();
                assert!(message.starts_with(code.code()), "{operation:?} {code:?}");
                assert!(content["application/x-protobuf"].is_object());
            }
            if operation.is_otlp() && !FRAMING.contains(&code) {
                continue;
            }
            let problem = &object["responses"][code.status().to_string()]["content"]["application/problem+json"];
            let listed =
                problem["schema"]["allOf"][1]["properties"]["code"]["enum"].as_array().unwrap();
            assert!(listed.contains(&code.code().into()), "{operation:?} {code:?}");
            let example = format!("#/components/examples/{}", code.code());
            assert_eq!(problem["examples"][code.code()]["$ref"], example.as_str());
            let example = &document["components"]["examples"][code.code()]["value"];
            assert_eq!(
                (example["code"].as_str(), &example["status"]),
                (Some(code.code()), &code.status().into())
            );
        }
        let examples: usize = object["responses"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(|response| {
                response["content"]["application/problem+json"]["examples"].as_object()
            })
            .map(serde_json::Map::len)
            .sum();
        let expected = if operation.is_otlp() { FRAMING.len() } else { operation.codes().len() };
        assert_eq!(examples, expected, "{operation:?}");
    }
    assert_eq!(
        artifact("apis/sidecar.errors.json")["codes"].as_object().unwrap().len(),
        Code::ALL.len()
    );
}

#[test]
fn headers_are_described_where_they_are_asked_for_and_given() {
    let document = document();
    let key = "#/components/parameters/idempotency_key";
    for operation in Operation::ALL {
        let (route, object) = (operation.route(), operation_object(&document, *operation));
        let parameters = object["parameters"].as_array().unwrap();
        let wants_key = parameters.iter().any(|parameter| parameter["$ref"] == key);
        assert_eq!(wants_key, operation.needs_key(), "{operation:?}");
        assert_eq!(
            object["security"].as_array().unwrap().is_empty(),
            route.access == Access::Probe
        );
        for (status, response) in object["responses"].as_object().unwrap() {
            assert!(
                response["headers"]["x-server-correlation-id"].is_object(),
                "{operation:?} {status}"
            );
            let asks_to_wait = operation.codes().iter().any(|code| {
                operation.status_of(*code).to_string() == *status && code.is_retryable()
            });
            assert!(
                !asks_to_wait || response["headers"]["retry-after"].is_object(),
                "{operation:?} {status}"
            );
            assert_eq!(status == "401", response["headers"]["www-authenticate"].is_object());
        }
        let replayed = &object["responses"]["200"]["headers"]["idempotency-replayed"];
        assert_eq!(replayed.is_object(), route.is_mutating, "{operation:?}");
    }
    assert_eq!(document["components"]["parameters"]["idempotency_key"]["name"], IDEMPOTENCY_KEY);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, into));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 100, "{}", all.len());
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn only_these_answers_promise_no_members() {
    let methods = artifact("sdk/methods.json")["methods"].clone();
    let open: Vec<&String> = methods
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, method)| {
            method["answers"].as_object().unwrap().values().any(|answer| answer["type"].is_null())
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(open, ["config", "metrics", "openapi"]);
}
