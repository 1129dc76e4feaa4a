//! The source's own canonical form, over which it computes its digests. It is RFC 8785 with two differences.
//!
//! Integers that fit into 64 bits are written digit for digit, where RFC 8785 goes through a double. And members are
//! ordered by the bytes of their quoted and escaped names, the closing quote included, where RFC 8785 orders by UTF-16.
//! A number that the source may have read inexactly makes a digest *doubtful*: where it does not agree, nothing is
//! proven. Deliberately absent: any use of this form for evidence.

use recorder_core::hash::{ContentHash, sha256};
use recorder_envelope::json::write_string;

use crate::json::Node;

/// Significant digits that any reader of decimals keeps.
const EXACT_DIGITS: usize = 15;

/// Powers of ten that a double holds exactly.
const EXACT_EXPONENT: usize = 22;

/// A digest that was recomputed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Recomputed {
    /// In lower-case hex.
    hex: String,
    doubtful: bool,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Agreement {
    Equal,
    Different,
    /// Different, over a number that the source may have read otherwise.
    NotRecomputable,
}

impl Recomputed {
    /// Of a value in the source's form.
    pub(crate) fn of(node: &Node<'_>) -> Self {
        let mut bytes = Vec::new();
        let doubtful = !write(node, &mut bytes);
        Self { hex: hex(&bytes), doubtful }
    }

    /// Of bytes as they are.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self { hex: hex(bytes), doubtful: false }
    }

    /// Compares with a digest that the source wrote.
    pub(crate) fn compare(&self, written: &str) -> Agreement {
        match (self.hex == written, self.doubtful) {
            (true, _) => Agreement::Equal,
            (false, false) => Agreement::Different,
            (false, true) => Agreement::NotRecomputable,
        }
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    ContentHash::from_bytes(sha256(&[bytes])).to_string()
}

/// Writes `node` in the source's form; whether every number surely is what the source read.
pub(crate) fn write(node: &Node<'_>, out: &mut Vec<u8>) -> bool {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Number(text) => return write_number(text, out),
        Node::Text(text) => write_string(out, text),
        Node::List(items) => return write_list(items, out),
        Node::Object(_) => return write_members(node, out),
    }
    true
}

fn write_list(items: &[Node<'_>], out: &mut Vec<u8>) -> bool {
    let mut exact = true;
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        exact &= write(item, out);
    }
    out.push(b']');
    exact
}

fn write_members(object: &Node<'_>, out: &mut Vec<u8>) -> bool {
    let quoted = |name: &str| {
        let mut bytes = Vec::with_capacity(name.len() + 2);
        write_string(&mut bytes, name);
        bytes
    };
    let mut members: Vec<(Vec<u8>, &Node<'_>)> =
        object.members().iter().map(|(name, value)| (quoted(name), value)).collect();
    members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut exact = true;
    out.push(b'{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&name);
        out.push(b':');
        exact &= write(value, out);
    }
    out.push(b'}');
    exact
}

fn write_number(text: &str, out: &mut Vec<u8>) -> bool {
    if let Ok(integer) = text.parse::<u64>() {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        return true;
    }
    match text.parse::<i64>() {
        Ok(0) => out.push(b'0'),
        Ok(integer) => out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes()),
        Err(_) => {
            let value: f64 = text.parse().unwrap_or_default();
            out.extend_from_slice(ryu_js::Buffer::new().format(value).as_bytes());
            return is_exact(text);
        }
    }
    true
}

/// Whether any reader of decimals makes the same double of `text`.
fn is_exact(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
    let significant = digits.skip_while(|digit| *digit == b'0').count();
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let scale = exponent.saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
    significant <= EXACT_DIGITS && scale.unsigned_abs() <= EXACT_EXPONENT as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> String {
        let mut out = Vec::new();
        write(&Node::parse(text).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_keep_their_digits_and_floats_are_printed_as_ecmascript_does() {
        for (text, expected) in [
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551999", "18446744073709552000"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("1e21", "1e+21"),
            ("1E-7", "1e-7"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            assert_eq!(form(text), expected);
        }
    }

    #[test]
    fn members_are_ordered_by_their_quoted_names() {
        let text = "{\"a\":1,\"a!\":2,\"a b\":3,\"\\n\":4,\"Z\":5,\"\u{e000}\":6,\"\u{1f600}\":7}";
        let expected =
            "{\"Z\":5,\"\\n\":4,\"a b\":3,\"a!\":2,\"a\":1,\"\u{e000}\":6,\"\u{1f600}\":7}";
        assert_eq!(form(text), expected);
    }

    #[test]
    fn a_number_that_may_be_read_inexactly_leaves_a_doubt_and_no_finding() {
        let compare = |text: &str| Recomputed::of(&Node::parse(text).unwrap()).compare("00");
        assert_eq!(compare("[0.5,1e22,123456789012345]"), Agreement::Different);
        for doubtful in ["0.10000000000000001", "1e23", "1e-300", "18446744073709551616"] {
            assert_eq!(compare(doubtful), Agreement::NotRecomputable, "{doubtful}");
        }
        assert_eq!(Recomputed::of_bytes(b"abc").compare(&hex(b"abc")), Agreement::Equal);
    }
}
