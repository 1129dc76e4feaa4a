//! Escapes of JSON strings: what one stands for, and the one spelling RFC 8785 §3.2.2.2 gives a character.

use super::JsonErrorKind;

/// One escape as read: the character and how many bytes spelled it.
pub struct Escape {
    /// What it stands for.
    pub character: char,
    /// Bytes of its spelling.
    pub length: usize,
}

/// Reads the escape that begins `bytes` with a backslash (RFC 8259 §7).
///
/// # Errors
///
/// `InvalidEscape`, `UnexpectedEnd`, or `LoneSurrogate` for half of a pair.
pub fn read(bytes: &[u8]) -> Result<Escape, JsonErrorKind> {
    let character = match bytes.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return read_unicode(bytes),
        Some(_) => return Err(JsonErrorKind::InvalidEscape),
        None => return Err(JsonErrorKind::UnexpectedEnd),
    };
    Ok(Escape { character, length: 2 })
}

fn read_unicode(bytes: &[u8]) -> Result<Escape, JsonErrorKind> {
    let first = code_unit(bytes, 0).ok_or(JsonErrorKind::InvalidEscape)?;
    if let Some(character) = char::from_u32(first) {
        return Ok(Escape { character, length: 6 });
    }
    // `first` is a surrogate, and only a low one may follow. Were `first` low too, the sum would lie beyond U+10FFFF.
    let character = code_unit(bytes, 6)
        .filter(|second| (0xDC00..=0xDFFF).contains(second))
        .and_then(|second| char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)))
        .ok_or(JsonErrorKind::LoneSurrogate)?;
    Ok(Escape { character, length: 12 })
}

/// The UTF-16 code unit that `\uXXXX` at `at` names.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Appends the canonical spelling of one character inside a string.
pub(crate) fn write(character: char, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{c}' => b'f',
        '\r' => b'r',
        '\0'..='\u{1f}' => {
            let code = character as usize;
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]]);
            return;
        }
        _ => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Whether `spelling` is how [`write`] spells `character`, which an escape in it named.
pub(crate) fn is_canonical(spelling: &[u8], character: char) -> bool {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => spelling.len() == 2,
        '\0'..='\u{1f}' => !spelling.iter().any(u8::is_ascii_uppercase),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_canonical, read, write};

    #[test]
    fn a_spelling_is_canonical_exactly_when_it_is_the_one_written() {
        for code in 0..0x100_u32 {
            let upper = format!("\\u{code:04X}");
            let lower = format!("\\u{code:04x}");
            let character = char::from_u32(code).unwrap();
            let mut written = Vec::new();
            write(character, &mut written);
            for spelling in [upper.as_bytes(), lower.as_bytes()] {
                assert_eq!(read(spelling).ok().unwrap().character, character);
                assert_eq!(is_canonical(spelling, character), spelling == written, "{code:x}");
            }
        }
        for letter in b"\"\\/bfnrt" {
            let spelling = [b'\\', *letter];
            let character = read(&spelling).ok().unwrap().character;
            let mut written = Vec::new();
            write(character, &mut written);
            assert_eq!(is_canonical(&spelling, character), written == spelling);
        }
    }
}
