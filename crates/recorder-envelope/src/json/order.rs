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
pub(crate) fn compare(text: &str, left: Name, right: Name) -> Ordering {
    if left.escaped || right.escaped {
        let name = |name: Name| text.get(name.start..name.end).unwrap_or_default();
        return compare_escaped(name(left), name(right));
    }
    let name = |name: Name| text.as_bytes().get(name.start..name.end).unwrap_or_default();
    compare_plain(name(left), name(right))
}

#[inline]
fn compare_plain(left: &[u8], right: &[u8]) -> Ordering {
    for (&a, &b) in left.iter().zip(right) {
        if a != b {
            return rank_byte(a).cmp(&rank_byte(b));
        }
    }
    left.len().cmp(&right.len())
}

/// Moves the lead bytes of U+E000–U+FFFF behind those of the supplementary planes.
const fn rank_byte(byte: u8) -> u8 {
    match byte {
        0xEE | 0xEF => byte + 0x10,
        _ => byte,
    }
}

/// Moves U+E000–U+FFFF behind the supplementary planes.
const fn rank_character(character: char) -> u32 {
    match character {
        '\u{e000}'..='\u{ffff}' => character as u32 + 0x11_0000,
        _ => character as u32,
    }
}

/// Decodes only where the spellings differ, so that thousands of long names with an escape in each sort as fast as others.
#[cold]
fn compare_escaped(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let shared = shared_prefix(left, right);
        match (split_character(left, shared), split_character(right, shared)) {
            (Some((a, left_rest)), Some((b, right_rest))) if a == b => {
                (left, right) = (left_rest, right_rest);
            }
            (a, b) => {
                let rank = |split: Option<(char, &str)>| split.map(|(a, _)| rank_character(a));
                return rank(a).cmp(&rank(b));
            }
        }
    }
}

/// How many bytes both names spell alike, without the part of a character or an escape that they share by chance.
fn shared_prefix(left: &str, right: &str) -> usize {
    let bytes = left.as_bytes();
    let same = bytes.iter().zip(right.as_bytes()).take_while(|(a, b)| a == b).count();
    let mut at = 0;
    while let Some(found) = bytes.get(at..same).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let start = at + found;
        at = start + escape_length(bytes.get(start..).unwrap_or_default());
        if at > same {
            return start;
        }
    }
    let boundary = (0..=same).rev().find(|&end| left.is_char_boundary(end));
    boundary.unwrap_or(0)
}

/// Names are compared only after they were read without error, so an escape here always has a length.
fn escape_length(bytes: &[u8]) -> usize {
    escape::read(bytes).map_or(1, |escape| escape.length)
}

/// The character at `at`, unescaped, and what follows its spelling; `None` at the end.
fn split_character(name: &str, at: usize) -> Option<(char, &str)> {
    let rest = name.get(at..)?;
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((first, rest.get(first.len_utf8()..)?));
    }
    let escape = escape::read(rest.as_bytes()).ok()?;
    Some((escape.character, rest.get(escape.length..)?))
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
        assert_eq!(compare(&text, left_name, right_name), expected, "{left} {right}");
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
        check_order("\\/", "/a", Ordering::Less);
        check_order("\\\\n", "\\n", Ordering::Greater);
        check_order("\\n\\u0041x", "\\n\\u0042", Ordering::Less);
        check_order("\\ud83d\\ude00b", "\\ud83d\\ude01a", Ordering::Less);
        check_order("\\/é", "\\/è", Ordering::Greater);
        check_order("\\/\\u00e9", "/é", Ordering::Equal);
        check_order("\\u0061", "a", Ordering::Equal);
    }
}
