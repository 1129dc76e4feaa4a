//! Text that a terminal may see: no control, bidirectional, format or invisible character passes.
//!
//! Evidence is written by those it is evidence about. Each forbidden character becomes the escape by which
//! Rust names it, so that a reader sees that it is there. Deliberately absent: line breaking and widths.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use recorder_core::identity::is_forbidden;

/// One line of text with every forbidden character spelled out, line breaks included.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || !text.chars().any(is_forbidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_forbidden(character) {
            escaped.extend(character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether nothing but the line breaks of `text` would be spelled out.
pub(crate) fn is_clean(text: &str) -> bool {
    !text.chars().any(|character| character != '\n' && is_forbidden(character))
}

/// JSON as it is, but for forbidden characters, which become `\u` escapes: the same document.
///
/// They can only stand inside strings, where such an escape means the character itself.
pub(crate) struct TerminalFormatter;

impl serde_json::ser::Formatter for TerminalFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_json_fragment(writer, fragment)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_json_fragment(writer, fragment)
    }
}

fn write_json_fragment<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    if !fragment.chars().any(is_forbidden) {
        return writer.write_all(fragment.as_bytes());
    }
    let mut escaped = String::with_capacity(fragment.len() + 16);
    for character in fragment.chars() {
        if is_forbidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    writer.write_all(escaped.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(line("plain, and à la carte"), "plain, and à la carte");
        assert_eq!(line("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(line("a\nb\rc\td"), "a\\u{a}b\\u{d}c\\u{9}d");
        assert_eq!(line("evil\u{202e}fdp.exe"), "evil\\u{202e}fdp.exe");
        assert_eq!(line("c1\u{9b}2J tag\u{e0041}"), "c1\\u{9b}2J tag\\u{e0041}");
    }

    #[test]
    fn json_for_a_terminal_is_the_same_document() {
        let value = serde_json::json!({"a\u{202e}": "\u{9b}2J \u{e0041} \n é"});
        let raw = serde_json::value::to_raw_value(&value).unwrap();
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, TerminalFormatter);
        [serde_json::value::to_raw_value(&value).unwrap(), raw].serialize(&mut serializer).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.chars().any(is_forbidden), "{text}");
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap()[0], value);
    }
}
