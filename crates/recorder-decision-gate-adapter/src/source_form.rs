//! The source's own canonical form, over which it computes its digests. It is RFC 8785 with two differences.
//!
//! Integers that fit into 64 bits are written digit for digit, where RFC 8785 goes through a double. And members are
//! ordered by the bytes of their quoted and escaped names, the closing quote included, where RFC 8785 orders by UTF-16.
//! The source reads decimals quickly and not always exactly, and later versions of it may read them otherwise. A digest over a
//! number of which that makes a difference agrees if it is that of either reading; else it is *doubtful*: nothing is proven,
//! neither that it was changed nor that it was not. Deliberately absent: any use of this form for evidence.

use recorder_core::hash::{ContentHash, sha256};
use recorder_envelope::json::write_string;

use crate::json::Node;

/// Significant digits that any reader of decimals keeps.
const EXACT_DIGITS: usize = 15;

/// Powers of ten that a double holds exactly.
const EXACT_EXPONENT: usize = 22;

/// How a decimal becomes a double.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    /// The nearest one.
    Nearest,
    /// As the source's parser computes it: digits beyond 64 bits dropped, then one product or quotient.
    Quick,
}

/// A digest that was recomputed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Recomputed {
    /// In lower-case hex.
    hex: String,
    /// By the other reading, where a number may be read in more than one way.
    quick_hex: Option<String>,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Agreement {
    Equal,
    Different,
    /// Different by every reading known here, over a number that may be read in yet another.
    NotRecomputable,
}

impl Recomputed {
    /// Of a value in the source's form.
    pub(crate) fn of(node: &Node<'_>) -> Self {
        let mut bytes = Vec::new();
        let exact = write(node, &mut bytes);
        let quick_hex = (!exact).then(|| {
            let mut bytes = Vec::new();
            write_as(Reading::Quick, node, &mut bytes);
            self::hex(&bytes)
        });
        Self { hex: hex(&bytes), quick_hex }
    }

    /// Of bytes as they are.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self { hex: hex(bytes), quick_hex: None }
    }

    /// Compares with a digest that the source wrote.
    pub(crate) fn compare(&self, written: &str) -> Agreement {
        match &self.quick_hex {
            _ if self.hex == written => Agreement::Equal,
            Some(quick) if quick == written => Agreement::Equal,
            Some(_) => Agreement::NotRecomputable,
            None => Agreement::Different,
        }
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    ContentHash::from_bytes(sha256(&[bytes])).to_string()
}

/// Writes `node` in the source's form; whether every number surely is what the source read.
pub(crate) fn write(node: &Node<'_>, out: &mut Vec<u8>) -> bool {
    write_as(Reading::Nearest, node, out)
}

fn write_as(reading: Reading, node: &Node<'_>, out: &mut Vec<u8>) -> bool {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Number(text) => return write_number(reading, text, out),
        Node::Text(text) => write_string(out, text),
        Node::List(items) => return write_list(reading, items, out),
        Node::Object(_) => return write_members(reading, node, out),
    }
    true
}

fn write_list(reading: Reading, items: &[Node<'_>], out: &mut Vec<u8>) -> bool {
    let mut exact = true;
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        exact &= write_as(reading, item, out);
    }
    out.push(b']');
    exact
}

fn write_members(reading: Reading, object: &Node<'_>, out: &mut Vec<u8>) -> bool {
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
        exact &= write_as(reading, value, out);
    }
    out.push(b'}');
    exact
}

fn write_number(reading: Reading, text: &str, out: &mut Vec<u8>) -> bool {
    if let Ok(integer) = text.parse::<u64>() {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        return true;
    }
    match text.parse::<i64>() {
        Ok(0) => out.push(b'0'),
        Ok(integer) => out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes()),
        Err(_) => {
            let value = match reading {
                Reading::Nearest => text.parse().unwrap_or_default(),
                Reading::Quick => quick(text),
            };
            out.extend_from_slice(ryu_js::Buffer::new().format(value).as_bytes());
            return is_exact(text);
        }
    }
    true
}

/// What the source's parser makes of a decimal: the first digits that fit into 64 bits, times or by a power of ten.
fn quick(text: &str) -> f64 {
    let (is_negative, text) =
        text.strip_prefix('-').map_or((false, text), |magnitude| (true, magnitude));
    let (mantissa, written) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (mut significand, mut exponent, mut is_full) = (0_u64, 0_i64, false);
    for (digit, is_whole) in
        whole.bytes().map(|d| (d, true)).chain(fraction.bytes().map(|d| (d, false)))
    {
        let next =
            significand.checked_mul(10).and_then(|it| it.checked_add(u64::from(digit - b'0')));
        match next.filter(|_| !is_full) {
            Some(next) => {
                significand = next;
                exponent -= i64::from(!is_whole);
            }
            None => {
                is_full = true;
                exponent += i64::from(is_whole);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "the source's parser loses it here too")]
    let value = scaled(significand as f64, exponent.saturating_add(written.parse().unwrap_or(0)));
    if is_negative { -value } else { value }
}

/// `value` times a power of ten, in steps of what a double holds.
fn scaled(mut value: f64, mut exponent: i64) -> f64 {
    const STEP: i64 = 308;
    let power = |exponent: i64| -> f64 { format!("1e{exponent}").parse().unwrap_or(f64::INFINITY) };
    if value == 0.0 {
        return value;
    }
    while exponent < -STEP && value != 0.0 {
        value /= power(STEP);
        exponent += STEP;
    }
    if exponent < 0 { value / power(-exponent.max(-STEP)) } else { value * power(exponent) }
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
    fn the_quick_reading_is_the_one_of_the_sources_parser() {
        for (text, expected) in [
            ("0.5", 0.5),
            ("-2.5e1", -25.0),
            ("1e22", 1e22),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            ("-470644293734899792191", -4.706_442_937_348_998_4e20),
            ("705214538e50", 7.052_145_380_000_001e58),
            ("941313847120.479955409670782047804", 9.413_138_471_204_801e11),
            ("74107299026101251674e-320", 7.410_729_902_610_124e-301),
            ("100000000000000000000000", 1e23),
            ("0.1", 1.0 / 10.0),
            ("123e-2", 123.0 / 100.0),
            ("1.7976931348623157e308", 17_976_931_348_623_157.0 * 1e292),
            ("5e-324", 5.0 / 1e308 / 1e16),
            ("0e-999", 0.0),
            ("0e999", 0.0),
        ] {
            assert_eq!(quick(text).to_bits(), f64::to_bits(expected), "{text}");
        }
        // Digits that do not fit are dropped, not rounded.
        assert_eq!(quick("1.99999999999999999999999"), 19_999_999_999_999_999_999_f64 / 1e19);
    }

    #[test]
    fn a_number_that_may_be_read_inexactly_leaves_a_doubt_and_no_finding() {
        let compare = |text: &str| Recomputed::of(&Node::parse(text).unwrap()).compare("00");
        assert_eq!(compare("[0.5,1e22,123456789012345]"), Agreement::Different);
        for doubtful in ["0.10000000000000001", "1e23", "1e-300", "18446744073709551616"] {
            assert_eq!(compare(doubtful), Agreement::NotRecomputable, "{doubtful}");
            let digest = |form: &str| hex(form.as_bytes());
            let node = Node::parse(doubtful).unwrap();
            for reading in [Reading::Nearest, Reading::Quick] {
                let mut form = Vec::new();
                write_as(reading, &node, &mut form);
                let form = String::from_utf8(form).unwrap();
                assert_eq!(Recomputed::of(&node).compare(&digest(&form)), Agreement::Equal);
            }
        }
        assert_eq!(Recomputed::of_bytes(b"abc").compare(&hex(b"abc")), Agreement::Equal);
    }
}
