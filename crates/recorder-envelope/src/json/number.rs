//! Numbers: the grammar of RFC 8259 §6 and the spelling of RFC 8785 §3.2.2.3.
//!
//! Most numbers in practice need no floating point: up to fifteen significant digits in plain notation name a
//! double that no other such decimal names, so the text is already the shortest one (a double holds any
//! decimal of fifteen digits). Everything else goes through std's exact parser and the ECMAScript printer.

use super::JsonErrorKind;

/// Significant decimal digits that every double keeps.
const EXACT_DIGITS: usize = 15;

/// A number as found in the text.
pub(crate) struct Number {
    /// Index after its last byte.
    pub(crate) end: usize,
    pub(crate) spelling: Spelling,
}

/// What the digits alone tell about a number's canonical form.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Spelling {
    /// The text is its own canonical form.
    Canonical,
    /// `-0`.
    NegativeZero,
    /// No fraction, no exponent, sixteen digits or more.
    LongInteger,
    /// Only the double tells.
    Float,
}

/// Reads the number that starts at `start`; `None` when the grammar has no such number.
#[inline]
pub(crate) fn scan(bytes: &[u8], start: usize) -> Option<Number> {
    let negative = bytes.get(start) == Some(&b'-');
    let integer_start = start + usize::from(negative);
    let integer_end = digits_end(bytes, integer_start);
    let integer_digits = integer_end - integer_start;
    let zero = bytes.get(integer_start) == Some(&b'0');
    if integer_digits == 0 || (zero && integer_digits > 1) {
        return None;
    }
    if matches!(bytes.get(integer_end), Some(b'.' | b'e' | b'E')) {
        return scan_float(bytes, integer_end, integer_digits, zero);
    }
    let spelling = match integer_digits {
        1 if zero && negative => Spelling::NegativeZero,
        ..=EXACT_DIGITS => Spelling::Canonical,
        _ => Spelling::LongInteger,
    };
    Some(Number { end: integer_end, spelling })
}

/// Continues after the integer part at a point or an exponent.
fn scan_float(bytes: &[u8], at: usize, integer_digits: usize, zero: bool) -> Option<Number> {
    let mut at = at;
    let mut spelling = Spelling::Float;
    if bytes.get(at) == Some(&b'.') {
        let fraction = bytes.get(at + 1..digits_end(bytes, at + 1))?;
        if fraction.is_empty() {
            return None;
        }
        at += 1 + fraction.len();
        if integer_digits + fraction.len() <= EXACT_DIGITS && plain_fraction(fraction, zero) {
            spelling = Spelling::Canonical;
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        at = digits_end(bytes, exponent);
        if at == exponent {
            return None;
        }
        spelling = Spelling::Float;
    }
    Some(Number { end: at, spelling })
}

/// Whether the printer would keep this fraction: no trailing zero, and not below 10^-6, where it turns to exponents.
fn plain_fraction(fraction: &[u8], zero: bool) -> bool {
    fraction.last() != Some(&b'0') && (!zero || fraction.iter().take(6).any(|&digit| digit != b'0'))
}

#[inline]
fn digits_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The canonical spelling of `text`, a number that [`scan`] found with `spelling`.
pub(crate) fn canonical<'a>(
    text: &'a str,
    spelling: Spelling,
    buffer: &'a mut ryu_js::Buffer,
) -> Result<&'a str, JsonErrorKind> {
    match spelling {
        Spelling::Canonical => return Ok(text),
        Spelling::NegativeZero => return Ok("0"),
        Spelling::LongInteger | Spelling::Float => {}
    }
    let value: f64 = text.parse().map_err(|_| JsonErrorKind::InvalidNumber)?;
    if !value.is_finite() {
        return Err(JsonErrorKind::NumberNotFinite);
    }
    let printed = buffer.format_finite(value);
    // Rounding an integer would store another number than the producer wrote. Sixteen digits up to 2^53 print as they are.
    if spelling == Spelling::LongInteger && printed != text {
        return Err(JsonErrorKind::IntegerNotRepresentable);
    }
    Ok(printed)
}
