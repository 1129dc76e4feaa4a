//! What the sidecar says to a control plane and takes for an answer: `recorder-sidecar-api`, module `control_plane`.

use recorder_sidecar_api::route::Operation;
use serde_json::{Value, json};

use super::{boolean, integer, object, of, or_null, text, words};
use crate::enumeration;

pub(super) fn shapes() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("principal", text("A name of one word.")),
        ("authn_method", text("How somebody was recognised.")),
        ("request_id", text("The sidecar's name for a request.")),
        ("denial_detail", text("Words for the sender.")),
        ("identity", identity()),
        ("governed_operation", words("What is asked for.", &governed())),
    ];
    all.extend(messages());
    all.extend(answers());
    all
}

/// The names of the operations that a control plane is asked for.
fn governed() -> Vec<String> {
    let governed = Operation::ALL.iter().filter(|operation| operation.is_governed());
    governed.map(|operation| operation.name().to_owned()).collect()
}

fn identity() -> Value {
    let members = [
        ("tenant_id", of("name")),
        ("principal_id", of("principal")),
        ("authn_method", of("authn_method")),
        ("namespace", or_null(of("principal"))),
    ];
    object("Who asks, as the headers say it.", &members, &[])
}

fn subject(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let subject = [
        ("server_correlation_id", of("request_id")),
        ("recorder_id", of("name")),
        ("operation", of("governed_operation")),
        ("is_mutating", boolean("Whether that records.")),
        ("identity", of("identity")),
    ];
    subject.into_iter().chain(more.iter().cloned()).collect()
}

fn messages() -> Vec<(&'static str, Value)> {
    let request = subject(&[
        ("body_bytes", or_null(integer("Bytes of the body, as its sender states them."))),
        ("asserts_writer_lease", boolean("Whether the sender asserts that it holds the lease.")),
    ]);
    let hook = subject(&[
        ("boundary", words("The moment.", &enumeration::boundaries())),
        ("outcome", words("What became of the request.", &enumeration::outcomes())),
        ("status", or_null(integer("The HTTP status; null at admission."))),
        ("code", or_null(of("problem_code"))),
        ("is_replay", boolean("Whether the answer was given before.")),
    ]);
    vec![
        ("admission_request", object("The question before a request is worked on.", &request, &[])),
        ("hook", object("What a control plane is told.", &hook, &[])),
    ]
}

fn answers() -> Vec<(&'static str, Value)> {
    let word = |word: &str| json!({ "const": word });
    let null = || json!({ "type": "null" });
    let id = || ("server_correlation_id", of("request_id"));
    let lease = || {
        let words = words("What is known of the writer lease.", &enumeration::writer_leases());
        ("writer_lease", or_null(words))
    };
    let allow = object(
        "It is admitted.",
        &[id(), ("decision", word("allow"))],
        &[lease(), ("reason", null()), ("detail", null())],
    );
    let reason = words("Why.", &enumeration::denial_reasons());
    let deny = object(
        "It is not.",
        &[id(), ("decision", word("deny")), ("reason", reason)],
        &[lease(), ("detail", or_null(of("denial_detail")))],
    );
    let taken = [id(), ("boundary", words("The moment, repeated.", &enumeration::boundaries()))];
    vec![
        (
            "admission_answer",
            json!({ "description": "Whether a request is admitted.", "oneOf": [allow, deny] }),
        ),
        ("hook_answer", object("That a hook was taken.", &taken, &[])),
    ]
}
