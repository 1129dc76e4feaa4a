//! The messages of a control plane: what the sidecar writes is of the published shape, and of answers the schemas take
//! exactly those that the sidecar does.

use recorder_core::identity::RecorderId;
use recorder_sidecar_api::control_plane::{
    Admission, AdmissionRequest, Boundary, Hook, Outcome, Subject,
};
use recorder_sidecar_api::header::NAMESPACE;
use recorder_sidecar_api::identity::Identity;
use recorder_sidecar_api::route::Operation;
use serde_json::{Value, json};

use crate::fixture::schema;
use crate::wire::mutants;

const ID: &str = "0af7651916cd43dd-1";

fn subject(operation: Operation, namespace: Option<&'static [u8]>) -> Subject {
    let identity = Identity::read(|name| if name == NAMESPACE { namespace } else { Some(b"a") });
    Subject {
        server_correlation_id: ID.to_owned(),
        recorder_id: RecorderId::new("sidecar:local").unwrap(),
        operation: operation.name(),
        is_mutating: operation.route().is_mutating,
        identity: identity.unwrap(),
    }
}

#[test]
fn every_message_is_of_its_shape() {
    let (question, told) = (schema("control-plane-admission"), schema("control-plane-hook"));
    for operation in Operation::ALL {
        let subject = subject(*operation, operation.route().is_mutating.then_some(b"team"));
        for body_bytes in [None, Some(0), Some(u64::MAX)] {
            let asked =
                AdmissionRequest { subject: &subject, body_bytes, asserts_writer_lease: true };
            let asked = serde_json::to_value(asked).unwrap();
            assert_eq!(question.is_valid(&asked), operation.is_governed(), "{asked}");
        }
        for (boundary, outcome, status, code) in [
            (Boundary::Admission, Outcome::Admitted, None, None),
            (Boundary::Result, Outcome::Succeeded, Some(201), None),
            (Boundary::Result, Outcome::Refused, Some(409), Some("stream_mismatch")),
            (Boundary::Result, Outcome::Unknown, Some(503), Some("commit_outcome_unknown")),
        ] {
            let hook =
                Hook { subject: &subject, boundary, outcome, status, code, is_replay: false };
            let hook = serde_json::to_value(hook).unwrap();
            assert_eq!(told.is_valid(&hook), operation.is_governed(), "{hook}");
        }
    }
}

/// An id of another form is another's, which the schema cannot know.
fn is_astray(answer: &Value) -> bool {
    answer["server_correlation_id"].as_str().is_some_and(|id| id != ID)
}

#[test]
fn an_answer_is_taken_by_the_schema_exactly_if_the_sidecar_takes_it() {
    let published = schema("control-plane-admission-answer");
    let mut taken = 0;
    for whole in [
        json!({ "server_correlation_id": ID, "decision": "allow", "writer_lease": "held" }),
        json!({ "server_correlation_id": ID, "decision": "allow", "reason": "quota" }),
        json!({ "server_correlation_id": ID, "decision": "allow", "detail": "words" }),
        json!({ "server_correlation_id": ID, "decision": "deny", "reason": "quota", "detail": "words" }),
        json!({ "server_correlation_id": ID, "decision": "deny", "reason": "policy", "writer_lease": "not_held" }),
        json!({ "server_correlation_id": ID, "decision": "deny", "detail": "words" }),
        json!({ "server_correlation_id": ID, "decision": "deny", "reason": "policy", "detail": "a".repeat(512) }),
        json!({ "server_correlation_id": ID, "decision": "deny", "reason": "policy", "detail": "a".repeat(513) }),
    ] {
        for answer in mutants(&whole).into_iter().chain([whole]) {
            if is_astray(&answer) {
                continue;
            }
            let by_sidecar = Admission::parse(answer.to_string().as_bytes(), ID).is_ok();
            assert_eq!(published.is_valid(&answer), by_sidecar, "{answer}");
            taken += usize::from(by_sidecar);
        }
    }
    assert!(taken > 10, "{taken}");
}

#[test]
fn a_hooks_answer_is_taken_by_the_schema_exactly_if_the_sidecar_takes_it() {
    let published = schema("control-plane-hook-answer");
    let subject = subject(Operation::RecordEnvelope, None);
    for boundary in [Boundary::Admission, Boundary::Result] {
        let hook = Hook {
            subject: &subject,
            boundary,
            outcome: Outcome::Admitted,
            status: None,
            code: None,
            is_replay: false,
        };
        let whole = json!({ "server_correlation_id": ID, "boundary": boundary });
        for answer in mutants(&whole).into_iter().chain([whole]) {
            if is_astray(&answer) {
                continue;
            }
            let by_sidecar = hook.check_answer(answer.to_string().as_bytes()).is_ok();
            assert_eq!(published.is_valid(&answer), by_sidecar, "{answer}");
        }
    }
}
