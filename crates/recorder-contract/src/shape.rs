//! What objects are made of: members, which of them must be there, what refers to what.
//!
//! One list of definitions, from which the schemas of evidence and the components of the HTTP interface are taken.
//! Bounds and patterns are not here: `overlay` lays those of the code over it.

mod control_plane;
mod evidence;
mod verdict;
mod wire;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Shapes by name. References are `#/$defs/<name>`.
pub(crate) type Shapes = BTreeMap<&'static str, Value>;

/// Every shape, without bounds.
pub(crate) fn shapes() -> Shapes {
    let mut shapes = Shapes::new();
    shapes.extend(evidence::shapes());
    shapes.extend(verdict::shapes());
    shapes.extend(wire::shapes());
    shapes.extend(control_plane::shapes());
    shapes
}

type Members<'a> = &'a [(&'a str, Value)];

/// An object of exactly these members.
fn object(description: &str, required: Members<'_>, optional: Members<'_>) -> Value {
    let all = required.iter().chain(optional);
    let properties: Map<String, Value> =
        all.map(|(name, shape)| ((*name).to_owned(), shape.clone())).collect();
    let mut object = json!({
        "type": "object",
        "description": description,
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        object["required"] = required.iter().map(|(name, _)| *name).collect();
    }
    object
}

/// What the definition of that name is.
fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The same, or `null`.
fn or_null(shape: Value) -> Value {
    json!({ "anyOf": [shape, { "type": "null" }] })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn integer(description: &str) -> Value {
    json!({ "type": "integer", "description": description })
}

fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

/// The words of an enumeration, each as the code writes it.
fn words(description: &str, words: &[String]) -> Value {
    json!({ "type": "string", "description": description, "enum": words })
}
