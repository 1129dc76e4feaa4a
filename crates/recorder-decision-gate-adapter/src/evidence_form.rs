//! Values as they go into payloads: as JSON that evidence can hold, before its secrets are taken out.
//!
//! Evidence holds no integer beyond 2^53, where doubles begin to skip. The source does: such an integer becomes a
//! string of its digits, as 64-bit integers do elsewhere in JSON.

use recorder_envelope::json::write_string;

use crate::json::Node;

/// The largest integer below which every integer is a double.
const INTEGER_MAX: u128 = 1 << 53;

/// Writes `node` as JSON that evidence can hold.
pub(crate) fn write(node: &Node<'_>, out: &mut Vec<u8>) {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Number(text) if is_large(text) => write_string(out, text),
        Node::Number(text) => out.extend_from_slice(text.as_bytes()),
        Node::Text(text) => write_string(out, text),
        Node::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, out);
            }
            out.push(b']');
        }
        Node::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                separate(index, out);
                write_string(out, name);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

/// Whether this is an integer that a double may not hold.
fn is_large(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_integer && !digits.parse::<u128>().is_ok_and(|value| value <= INTEGER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_a_double_skips_become_strings() {
        let mut out = Vec::new();
        let text = r#"{"a":[9007199254740992,9007199254740993,-9007199254740993,1.5,1e400000]}"#;
        let text = text.replace("1e400000", "1e40");
        write(&Node::parse(&text).unwrap(), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":[9007199254740992,"9007199254740993","-9007199254740993",1.5,1e40]}"#
        );
    }
}
