//! JSON as artifacts hold it: members sorted, two spaces, one line end at the end.
//!
//! The same value gives the same bytes, whatever else is compiled into the program. What is not ASCII stands as an escape,
//! so that a reader of a difference sees it; but beyond the basic plane as it is, since readers of YAML, with which many
//! tools read JSON, know no pairs of escapes.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes a value.
pub(crate) fn write(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    push(&mut out, value, 0);
    out.push('\n');
    out.into_bytes()
}

fn push(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            push_all(out, '{', sorted, '}', depth, |out, (name, value)| {
                push_string(out, name);
                out.push_str(": ");
                push(out, value, depth + 1);
            });
        }
        Value::Array(items) if !items.is_empty() => {
            push_all(out, '[', items, ']', depth, |out, value| push(out, value, depth + 1));
        }
        Value::String(text) => push_string(out, text),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

fn push_all<T>(
    out: &mut String,
    open: char,
    items: impl IntoIterator<Item = T>,
    close: char,
    depth: usize,
    mut push_one: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        push_one(out, item);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' '..='~' | '\u{10000}'..=char::MAX => out.push(character),
            _ => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back_and_needs_no_pair_of_escapes() {
        let value = json!({"b": [1, -2, 1.5, true, null, [], {}], "a": "\"\\\n\t\u{7f}\u{200b}é𝄞", "c": {"z": 1, "y": {}}});
        let bytes = write(&value);
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
        let text = std::str::from_utf8(&bytes).unwrap();
        let is_plain = |c: char| (' '..='~').contains(&c) || c == '\n' || c >= '\u{10000}';
        assert!(text.chars().all(is_plain), "{text}");
        assert!(bytes.starts_with(b"{\n  \"a\": ") && bytes.ends_with(b"}\n"));
    }
}
