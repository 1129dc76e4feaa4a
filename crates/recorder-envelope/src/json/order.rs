//! The order of member names: UTF-16 code units of the unescaped text (RFC 8785 §3.2.3).
//!
//! UTF-8 bytes order code points, and UTF-16 differs from that in one place only: characters from U+10000 up
//! (lead byte 0xF0 and above) sort before U+E000–U+FFFF (lead bytes 0xEE and 0xEF). So the first byte that
//! differs decides, and no name is decoded unless it holds an escape.

use std::cmp::Ordering;

use super::escape;

/// Where a member name lies in a text, without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

/// Compares two well-formed names of one text.
#[inline]
pub(crate) fn compare(text: &[u8], left: Name, right: Name) -> Ordering {
    let left_bytes = text.get(left.start..left.end).unwrap_or_default();
    let right_bytes = text.get(right.start..right.end).unwrap_or_default();
    if left.escaped || right.escaped {
        return compare_escaped(left_bytes, right_bytes);
    }
    compare_plain(left_bytes, right_bytes)
}

#[inline]
fn compare_plain(left: &[u8], right: &[u8]) -> Ordering {
    for (&a, &b) in left.iter().zip(right) {
        if a != b {
            return rank(a).cmp(&rank(b));
        }
    }
    left.len().cmp(&right.len())
}

/// Moves the lead bytes of U+E000–U+FFFF behind those of the supplementary planes.
const fn rank(byte: u8) -> u8 {
    match byte {
        0xEE | 0xEF => byte + 0x10,
        _ => byte,
    }
}

#[cold]
fn compare_escaped(left: &[u8], right: &[u8]) -> Ordering {
    Units::new(left).cmp(Units::new(right))
}

/// The UTF-8 bytes of an escaped name after unescaping, ranked.
struct Units<'a> {
    rest: &'a [u8],
    /// Bytes of the escape just read, still to be given out, last first.
    pending: [u8; 4],
    pending_count: usize,
}

impl<'a> Units<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, pending: [0; 4], pending_count: 0 }
    }
}

impl Iterator for Units<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some(last) = self.pending_count.checked_sub(1) {
            self.pending_count = last;
            return self.pending.get(last).map(|&byte| rank(byte));
        }
        let (&first, tail) = self.rest.split_first()?;
        if first != b'\\' {
            self.rest = tail;
            return Some(rank(first));
        }
        // Names are compared only after they were read without error.
        let escape = escape::read(self.rest).ok()?;
        self.rest = self.rest.get(escape.length..).unwrap_or_default();
        let length = escape.character.encode_utf8(&mut self.pending).len();
        self.pending.get_mut(..length)?.reverse();
        self.pending_count = length;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Name, compare};

    fn check_order(left: &str, right: &str, expected: Ordering) {
        let text = format!("{left}{right}");
        let start = left.len();
        let left_name = Name { start: 0, end: start, escaped: left.contains('\\') };
        let right_name = Name { start, end: text.len(), escaped: right.contains('\\') };
        assert_eq!(compare(text.as_bytes(), left_name, right_name), expected, "{left} {right}");
    }

    #[test]
    fn names_order_as_their_utf16_code_units_do() {
        let characters = [
            '\0',
            '\u{1f}',
            '"',
            '/',
            '0',
            '\\',
            'a',
            '\u{7f}',
            '\u{80}',
            '\u{7ff}',
            '\u{800}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fb33}',
            '\u{ffff}',
            '\u{10000}',
            '\u{1f600}',
            '\u{10ffff}',
        ];
        for a in characters {
            for b in characters {
                let units = |c: char| c.encode_utf16(&mut [0; 2]).to_vec();
                let escaped = |c: char| -> String {
                    units(c).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                };
                let expected = units(a).cmp(&units(b));
                check_order(&escaped(a), &escaped(b), expected);
                if !matches!(a, '\\') {
                    check_order(&format!("x{a}"), &format!("x{}", escaped(b)), expected);
                    if !matches!(b, '\\') {
                        check_order(&format!("x{a}"), &format!("x{b}"), expected);
                    }
                }
            }
        }
        check_order("a", "ab", Ordering::Less);
        check_order("\\u0061", "a", Ordering::Equal);
    }
}
