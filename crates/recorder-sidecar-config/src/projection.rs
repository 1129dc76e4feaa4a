//! What follows from the table of settings: JSON Schema, annotated example, compatibility table, documentation.
//!
//! Every text is deterministic. Deliberately absent: relations between settings, which a schema cannot say; the
//! program's `--check` does.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::key::{Key, Kind, Literal, Preset, Spec};

/// JSON Schema 2020-12 of the file's form.
pub fn schema() -> Value {
    let mut root = object();
    for key in Key::ALL {
        insert(&mut root, key.name(), *key);
    }
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "recorder-sidecar configuration".into();
    root
}

fn object() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {} })
}

fn insert(table: &mut Value, path: &str, key: Key) {
    let Some((first, rest)) = path.split_once('.') else {
        table["properties"][path] = property(&key.spec());
        if matches!(key.spec().preset, Preset::Required { .. }) {
            let required = table["required"].as_array().cloned().unwrap_or_default();
            let required: Vec<Value> = required.into_iter().chain([path.into()]).collect();
            table["required"] = required.into();
        }
        return;
    };
    if table["properties"].get(first).is_none() {
        table["properties"][first] = object();
    }
    insert(&mut table["properties"][first], rest, key);
}

fn property(spec: &Spec) -> Value {
    let mut property = match spec.kind {
        Kind::Text | Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
    };
    property["description"] = spec.purpose.into();
    if let Preset::Value(literal) = spec.preset {
        property["default"] = value(literal);
    }
    property
}

fn value(literal: Literal) -> Value {
    match literal {
        Literal::Text(text) => text.into(),
        Literal::Integer(value) => value.into(),
        Literal::Boolean(value) => value.into(),
    }
}

/// A file that sets everything to its default and says what it is for; what has no default stands as a comment.
pub fn example() -> String {
    let mut out = String::from("# recorder-sidecar: every setting with its default.\n");
    let mut table = "";
    for key in Key::ALL {
        if key.table() != table {
            table = key.table();
            // An optional table begins as a comment, since it would otherwise be set.
            let _ = write!(out, "\n[{table}]\n");
        }
        let Spec { preset, kind, purpose, .. } = key.spec();
        let _ = writeln!(out, "# {purpose}");
        if let Some(values) = allowed(kind) {
            let _ = writeln!(out, "# {values}");
        }
        let (comment, literal) = match preset {
            Preset::Required { example } => ("", example),
            Preset::Absent { example } => ("# ", example),
            Preset::Value(literal) => ("", literal),
        };
        let _ = writeln!(out, "{comment}{} = {}", key.leaf(), value(literal));
    }
    out
}

fn allowed(kind: Kind) -> Option<String> {
    match kind {
        Kind::Text | Kind::Path | Kind::Boolean => None,
        Kind::Integer { min, max } if min == max => Some(format!("Only {min}.")),
        Kind::Integer { min, max } => Some(format!("{min} to {max}.")),
        Kind::Choice(words) => Some(format!("{}.", words.join(" | "))),
    }
}

/// What a release may not take away unnoticed: every setting with its kind and default.
pub fn compat() -> Value {
    let mut settings = Map::new();
    for key in Key::ALL {
        let spec = key.spec();
        let mut entry = match spec.kind {
            Kind::Text => json!({ "kind": "text" }),
            Kind::Path => json!({ "kind": "path" }),
            Kind::Integer { min, max } => {
                json!({ "kind": "integer", "minimum": min, "maximum": max })
            }
            Kind::Boolean => json!({ "kind": "boolean" }),
            Kind::Choice(words) => json!({ "kind": "choice", "words": words }),
        };
        match spec.preset {
            Preset::Required { .. } => entry["required"] = true.into(),
            Preset::Absent { .. } => {}
            Preset::Value(literal) => entry["default"] = value(literal),
        }
        settings.insert(spec.name.to_owned(), entry);
    }
    json!({ "config_version": 1, "settings": settings })
}

/// The settings as a Markdown page, one table for each table of the file.
pub fn markdown() -> String {
    let mut out = String::from("# Settings of the sidecar\n");
    let mut table = None;
    for key in Key::ALL {
        if table != Some(key.table()) {
            table = Some(key.table());
            let title = if key.table().is_empty() {
                "Top level".to_owned()
            } else {
                format!("`[{}]`", key.table())
            };
            let _ = write!(
                out,
                "\n## {title}\n\n| setting | values | default | purpose |\n|---|---|---|---|\n"
            );
        }
        let spec = key.spec();
        let values = match spec.kind {
            Kind::Text => "text".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Boolean => "`true`, `false`".to_owned(),
            Kind::Integer { min, max } if min == max => format!("{min}"),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
        };
        let preset = match spec.preset {
            Preset::Required { .. } => "must be set".to_owned(),
            Preset::Absent { .. } => "none".to_owned(),
            Preset::Value(literal) => format!("`{}`", value(literal)),
        };
        let _ = writeln!(out, "| `{}` | {values} | {preset} | {} |", key.leaf(), spec.purpose);
    }
    out
}
