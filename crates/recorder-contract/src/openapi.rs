//! The HTTP interface as an OpenAPI 3.1 document: every route of the table, every header, code and example.

use recorder_sidecar_api::header::{
    AUTHN_METHOD, CORRELATION_ID, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, LEGACY_CORRELATION_ID,
    NAMESPACE, PRINCIPAL_ID, SERVER_CORRELATION_ID, TENANT_ID, WRITER_LEASE,
};
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::parameter::{Parameter, ParameterKind};
use recorder_sidecar_api::problem::{self, Code};
use recorder_sidecar_api::route::{Access, FRAMING, Operation};
use serde_json::{Map, Value, json};

use crate::api::{self, Answer, described, name};
use crate::shape::Shapes;
use crate::{ContractError, example, schema};

/// The whole document.
///
/// # Errors
///
/// `MissingShape` where an operation names a shape that is not there.
pub(crate) fn document(shapes: &Shapes) -> Result<Value, ContractError> {
    let mut paths = Map::new();
    for operation in Operation::ALL {
        let route = operation.route();
        let method = route.method.name().to_ascii_lowercase();
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[method] = operation_object(*operation);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Recorder sidecar",
            "version": "1.0.0",
            "description": "Records envelopes, proves what is recorded, and builds bundles that verify offline.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "http://127.0.0.1:8787", "description": "A sidecar beside the agent." }],
        "tags": [
            { "name": "probes", "description": "For orchestrators: no token, answered under overload." },
            { "name": "interface", "description": "For agents and operators." },
        ],
        "paths": paths,
        "components": {
            "schemas": schema::needed(shapes, &named_shapes())?,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "parameters": {
                "idempotency_key": idempotency_parameter(),
                "content_encoding": {
                    "name": "content-encoding",
                    "in": "header",
                    "required": false,
                    "description": "How the body is compressed.",
                    "schema": { "enum": ["gzip", "identity"] },
                    "example": "gzip",
                },
                "correlation_id": correlation_parameter(CORRELATION_ID, "The sender's name for the request; it comes back."),
                "request_id": correlation_parameter(LEGACY_CORRELATION_ID, "An older name of x-correlation-id."),
                "tenant_id": identity_parameter(TENANT_ID, "Under a control plane it must be there: the one tenant that the request may be about.", "name", "default"),
                "principal_id": identity_parameter(PRINCIPAL_ID, "Under a control plane it must be there: who sends the request.", "principal", "agent-7"),
                "authn_method": identity_parameter(AUTHN_METHOD, "Under a control plane it must be there: how that was found out.", "authn_method", "oidc"),
                "namespace": identity_parameter(NAMESPACE, "Under a control plane: a part of the tenant.", "principal", "refunds"),
                "writer_lease": writer_lease_parameter(),
            },
            "headers": headers(),
            "examples": examples(),
        },
    });
    point_at_components(&mut document);
    Ok(document)
}

/// Every shape that an operation names.
fn named_shapes() -> Vec<&'static str> {
    let mut all = vec![
        "problem",
        "problem_code",
        "name",
        "page_size",
        "rpc_status",
        "principal",
        "authn_method",
    ];
    for operation in Operation::ALL {
        let described = described(*operation);
        all.extend(described.request);
        all.extend(described.answers.iter().filter_map(|answer| answer.shape));
    }
    all
}

/// Definitions lie elsewhere in such a document than in a schema of its own.
fn point_at_components(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(target) if name == "$ref" => {
                        *target = target.replace("#/$defs/", "#/components/schemas/");
                    }
                    member => point_at_components(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(point_at_components),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn shape(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn operation_object(operation: Operation) -> Value {
    let route = operation.route();
    let is_probe = route.access == Access::Probe;
    let mut object = json!({
        "operationId": name(operation),
        "summary": route.summary,
        "tags": [if is_probe { "probes" } else { "interface" }],
        "parameters": parameters(operation),
        "responses": responses(operation),
        "security": if is_probe { json!([]) } else { json!([{ "token": [] }]) },
    });
    if !route.takes.is_empty() {
        object["requestBody"] = json!({ "required": true, "content": request_content(operation) });
    }
    object
}

fn parameters(operation: Operation) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let mut all: Vec<Value> = operation.parameters().iter().map(query_parameter).collect();
    if operation.needs_key() {
        all.push(reference("idempotency_key"));
    }
    if operation.is_otlp() {
        all.push(reference("content_encoding"));
    }
    all.extend([reference("correlation_id"), reference("request_id")]);
    if operation.is_governed() {
        all.extend(["tenant_id", "principal_id", "authn_method", "namespace"].map(reference));
        if operation.route().is_mutating {
            all.push(reference("writer_lease"));
        }
    }
    all.into()
}

fn query_parameter(parameter: &Parameter) -> Value {
    let (schema, example) = match parameter.kind {
        ParameterKind::TenantId => (shape("name"), json!("default")),
        ParameterKind::RecorderId => (shape("name"), json!("recorder-cli")),
        ParameterKind::PageSize => (shape("page_size"), json!(100)),
        // The second segment of the tenant "default".
        ParameterKind::Cursor => {
            (json!({ "type": "string", "minLength": 1 }), json!("MSBkZWZhdWx0"))
        }
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.purpose,
        "schema": schema,
        "example": example,
    })
}

fn idempotency_parameter() -> Value {
    json!({
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "required": true,
        "description": "Names the retry: 1 to 128 visible ASCII characters, bare or as a quoted string. Its scope is the stream. The same key with the same request gives the first answer again; with another request it is refused.",
        "schema": { "type": "string", "pattern": api::IDEMPOTENCY_KEY_PATTERN },
        "example": "order-4711-refund",
    })
}

fn identity_parameter(name: &str, description: &str, of: &str, example: &str) -> Value {
    json!({
        "name": name,
        "in": "header",
        "required": false,
        "description": description,
        "schema": shape(of),
        "example": example,
    })
}

fn writer_lease_parameter() -> Value {
    json!({
        "name": WRITER_LEASE,
        "in": "header",
        "required": false,
        "description": "Where enterprise.require_writer_lease is set it must say true: the sender asserts that it holds the writer lease.",
        "schema": { "type": "string" },
        "example": "true",
    })
}

fn correlation_parameter(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "header",
        "required": false,
        "description": description,
        "schema": { "type": "string", "pattern": api::CORRELATION_ID_PATTERN },
        "example": "request-1",
    })
}

fn headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "schema": { "type": "string" }, "example": example });
    let mut server = text("The service's name for the request.", example::CORRELATION);
    server["required"] = json!(true);
    json!({
        "server_correlation_id": server,
        "correlation_id": text("The sender's name for the request, where it gave one.", "request-1"),
        "export_replayed": { "description": "The export was recorded before.", "required": false, "schema": { "const": "true" }, "example": "true" },
        "idempotency_replayed": { "description": "The answer was given before.", "required": true, "schema": { "const": "true" }, "example": "true" },
        "retry_after": { "description": "Seconds to wait before the same request, where it may succeed later.", "required": false, "schema": { "type": "integer", "minimum": 0 }, "example": api::RETRY_AFTER_SECONDS },
        "www_authenticate": text("What is asked for (RFC 6750).", "Bearer realm=\"recorder\""),
    })
}

/// One refusal for each code.
fn examples() -> Value {
    let example = |code: &Code| {
        let example = json!({ "summary": code.title(), "value": example::problem(*code) });
        (code.code().to_owned(), example)
    };
    let all: Map<String, Value> = Code::ALL.iter().map(example).collect();
    all.into()
}

fn request_content(operation: Operation) -> Value {
    let shape_name = described(operation).request;
    let content: Map<String, Value> = operation
        .route()
        .takes
        .iter()
        .map(|media| {
            let entry = content_of(*media, shape_name, example::request(operation));
            (media.essence().to_owned(), entry)
        })
        .collect();
    content.into()
}

/// What a media type holds.
fn content_of(media: Media, shape_name: Option<&str>, example: Option<Value>) -> Value {
    match media {
        Media::Json => {
            let schema = shape_name.map_or_else(|| json!({ "type": "object" }), shape);
            let mut entry = json!({ "schema": schema });
            if let Some(example) = example {
                entry["example"] = example;
            }
            entry
        }
        Media::Zip | Media::Protobuf => json!({ "schema": {} }),
        Media::Metrics => json!({ "schema": { "type": "string" } }),
    }
}

fn responses(operation: Operation) -> Value {
    let mut all = Map::new();
    for answer in described(operation).answers {
        all.insert(answer.status.to_string(), answered(operation, &answer));
    }
    for code in operation.codes() {
        let response = all
            .entry(operation.status_of(code).to_string())
            .or_insert_with(|| json!({ "description": "Refused.", "headers": response_headers() }));
        add_refusal_headers(response, code, operation);
        if operation.is_otlp() {
            add_status(response, code);
        }
        if !operation.is_otlp() || FRAMING.contains(&code) {
            add_refusal(response, code);
        }
    }
    all.into()
}

fn response_headers() -> Value {
    json!({
        SERVER_CORRELATION_ID: header("server_correlation_id"),
        CORRELATION_ID: header("correlation_id"),
    })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn answered(operation: Operation, answer: &Answer) -> Value {
    let content: Map<String, Value> = operation
        .route()
        .gives
        .iter()
        .map(|media| {
            let example = example::answer(operation, answer.status);
            (media.essence().to_owned(), content_of(*media, answer.shape, example))
        })
        .collect();
    let mut headers = response_headers();
    if operation.route().is_mutating && answer.status == 200 {
        // What an export is answered the first time has the status of a replay.
        let kind = if operation.is_otlp() { "export_replayed" } else { "idempotency_replayed" };
        headers[IDEMPOTENCY_REPLAYED] = header(kind);
    }
    json!({ "description": answer.when, "headers": headers, "content": content })
}

fn add_refusal_headers(response: &mut Value, code: Code, operation: Operation) {
    let is_unavailable = operation.is_otlp() && operation.status_of(code) == 503;
    if code.is_retryable() || code.status() == 429 || is_unavailable {
        let mut retry = header("retry_after");
        // Of one status some codes ask for it and some do not.
        if response["headers"]["retry-after"].is_object() {
            retry = response["headers"]["retry-after"].take();
        }
        response["headers"]["retry-after"] = retry;
    }
    if code == Code::Unauthorized {
        response["headers"]["www-authenticate"] = header("www_authenticate");
    }
}

/// Adds a code to the answer of its status on OTLP, in the type of the request, with an example of its own.
fn add_status(response: &mut Value, code: Code) {
    let content = &mut response["content"];
    content[Media::Protobuf.essence()] = json!({ "schema": {} });
    let content = &mut content[Media::Json.essence()];
    if content.is_null() {
        *content = json!({ "schema": shape("rpc_status"), "examples": {} });
    }
    content["examples"][code.code()] =
        json!({ "summary": code.title(), "value": example::rpc_status(code) });
}

/// Adds a code to the answer of its status: to the codes that may stand there, with an example of its own.
fn add_refusal(response: &mut Value, code: Code) {
    let content = &mut response["content"][problem::MEDIA_TYPE];
    if content.is_null() {
        *content = json!({
            "schema": { "allOf": [shape("problem"), { "properties": { "code": { "enum": [] }, "status": { "const": code.status() } } }] },
            "examples": {},
        });
    }
    if let Some(codes) =
        content.pointer_mut("/schema/allOf/1/properties/code/enum").and_then(Value::as_array_mut)
    {
        codes.push(code.code().into());
    }
    let example = format!("#/components/examples/{}", code.code());
    content["examples"][code.code()] = json!({ "$ref": example });
}
