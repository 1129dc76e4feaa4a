//! A place in a JSON text, and what can be read there: strings, numbers, literals, and any value skipped whole.
//!
//! Skipping knows brackets and quotes and neither escapes nor depth; what is read is held to all rules.

use recorder_envelope::json::{JsonErrorKind, append_run, plain_end, read_escape};

use crate::fault::{Fault, FaultCode, Stop};

/// The text stops being JSON at this byte, and with it every record after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) offset: usize,
}

/// A string as it stands in the text, without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    /// Whether something in it is not plain: an escape, or a character that no string may hold.
    special: bool,
}

impl<'a> Text<'a> {
    /// The string itself, borrowed unless something is escaped.
    pub(crate) fn read<'s>(self, scratch: &'s mut Vec<u8>) -> Result<&'s str, Fault>
    where
        'a: 's,
    {
        if !self.special {
            return Ok(self.raw);
        }
        scratch.clear();
        unescape(self.raw, scratch)?;
        as_text(scratch)
    }

    /// The bytes when nothing is escaped, to tell member names apart.
    pub(crate) fn plain(self) -> Option<&'a [u8]> {
        (!self.special).then_some(self.raw.as_bytes())
    }

    /// Bytes as spelled.
    pub(crate) fn len(self) -> usize {
        self.raw.len()
    }
}

/// Replaces escapes; pairs of surrogates become one character, a lone one is a fault.
fn unescape(raw: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    loop {
        let end = plain_end(bytes, at);
        append_run(out, bytes, at, end);
        match bytes.get(end) {
            None => return Ok(()),
            Some(b'\\') => at = end + unescape_one(bytes.get(end..).unwrap_or_default(), out)?,
            Some(_) => return Err(Fault::new(FaultCode::StringCharacter)),
        }
    }
}

/// Reads the escape that begins `bytes` and gives its length.
fn unescape_one(bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
    let escape = read_escape(bytes).map_err(|kind| match kind {
        JsonErrorKind::LoneSurrogate => Fault::new(FaultCode::LoneSurrogate),
        _ => Fault::new(FaultCode::StringEscape),
    })?;
    out.extend_from_slice(escape.character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(escape.length)
}

/// What was unescaped is UTF-8, as what it was read from.
fn as_text(unescaped: &[u8]) -> Result<&str, Fault> {
    simdutf8::basic::from_utf8(unescaped).map_err(|_| Fault::new(FaultCode::StringCharacter))
}

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// A place in the text.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes back, or forward, to where it stood before.
    pub(crate) fn seek(&mut self, position: usize) {
        self.at = position;
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_white_space();
        self.at >= self.text.len()
    }

    /// The byte at hand. The end reads as NUL, which no JSON text holds outside its strings.
    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Moves past `literal` if it stands right here. SDKs write no white space and the same members in the same order, so
    /// whole pieces of punctuation and names can be taken at once; what is spelled otherwise is read step by step.
    #[inline(always)]
    pub(crate) fn take<const LENGTH: usize>(&mut self, literal: &[u8; LENGTH]) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let found = rest.first_chunk() == Some(literal);
        self.at += if found { LENGTH } else { 0 };
        found
    }

    /// As [`take`](Self::take), for a literal text.
    #[inline(always)]
    pub(crate) fn take_text(&mut self, literal: &'static str) -> bool {
        let found = self.ahead().starts_with(literal.as_bytes());
        self.at += if found { literal.len() } else { 0 };
        found
    }

    /// What is left of the text.
    #[inline]
    pub(crate) fn ahead(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// What `read` makes of a string that stands right here and has exactly this many bytes, all of which `read` must know for
    /// plain; else stays where it is.
    #[inline]
    pub(crate) fn exactly<T>(
        &mut self,
        length: usize,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let string = self.ahead().get(..length + 2)?;
        let read = read(string.strip_prefix(b"\"")?.strip_suffix(b"\"")?)?;
        self.at += string.len();
        Some(read)
    }

    /// Reads a number that stands right here and is nothing but up to nine digits; else stays where it is.
    #[inline]
    pub(crate) fn few_digits(&mut self) -> Option<u32> {
        let ahead = self.ahead();
        let mut value = 0;
        for (count, byte) in ahead.iter().take(10).enumerate() {
            match byte {
                b'0'..=b'9' if count < 9 => value = 10 * value + u32::from(byte - b'0'),
                b',' | b'}' if count > 0 && (count == 1 || ahead.first() != Some(&b'0')) => {
                    self.at += count;
                    return Some(value);
                }
                _ => return None,
            }
        }
        None
    }

    /// Whether a number or a string stands right here.
    #[inline]
    pub(crate) fn is_at_digits(&self) -> bool {
        matches!(self.byte(), b'"' | b'-' | b'0'..=b'9')
    }

    /// Reads what is left of a string whose opening quote was taken, if nothing in it is special.
    #[inline]
    pub(crate) fn plain_rest(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let end = plain_end(bytes, self.at);
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        let plain = self.text.get(self.at..end);
        self.at = end + 1;
        plain
    }

    /// Reads a string with its escapes, and no longer than this in its spelling.
    #[inline]
    pub(crate) fn text<'s>(
        &mut self,
        scratch: &'s mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<&'s str, Stop<Malformed>>
    where
        'a: 's,
    {
        if self.kind()? != Kind::String {
            return Err(FaultCode::WrongKind.into());
        }
        self.open();
        self.rest(scratch, bytes_max)
    }

    /// Reads what is left of a string whose opening quote was taken, in one pass.
    #[inline]
    pub(crate) fn rest<'s>(
        &mut self,
        scratch: &'s mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<&'s str, Stop<Malformed>>
    where
        'a: 's,
    {
        let start = self.at;
        match self.plain_rest() {
            Some(plain) if plain.len() <= bytes_max => Ok(plain),
            Some(_) => Err(FaultCode::RecordTooLarge.into()),
            None => Ok(as_text(self.escaped(start, scratch, bytes_max)?)?),
        }
    }

    /// As [`rest`](Self::rest), for whoever needs no more than the bytes.
    #[inline]
    pub(crate) fn rest_bytes<'s>(
        &mut self,
        scratch: &'s mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<&'s [u8], Stop<Malformed>>
    where
        'a: 's,
    {
        let start = self.at;
        match self.plain_rest() {
            Some(plain) if plain.len() <= bytes_max => Ok(plain.as_bytes()),
            Some(_) => Err(FaultCode::RecordTooLarge.into()),
            None => self.escaped(start, scratch, bytes_max),
        }
    }

    /// Reads a string with its escapes into `scratch`; where that cannot be done, says why.
    fn escaped<'s>(
        &mut self,
        start: usize,
        scratch: &'s mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<&'s [u8], Stop<Malformed>>
    where
        'a: 's,
    {
        if self.unescaped(start, scratch, bytes_max).is_some() {
            return Ok(scratch);
        }
        self.at = start - 1;
        let text = self.string()?;
        if text.len() > bytes_max {
            return Err(FaultCode::RecordTooLarge.into());
        }
        Ok(text.read(scratch)?.as_bytes())
    }

    /// Reads and unescapes at once, as long as nothing is wrong.
    fn unescaped(&mut self, start: usize, scratch: &mut Vec<u8>, bytes_max: usize) -> Option<()> {
        let bytes = self.text.as_bytes();
        scratch.clear();
        let mut at = start;
        loop {
            let end = plain_end(bytes, at);
            if end - start > bytes_max {
                return None;
            }
            append_run(scratch, bytes, at, end);
            at = match (bytes.get(end)?, bytes.get(end + 1)) {
                (b'"', _) => {
                    self.at = end + 1;
                    return Some(());
                }
                (b'\\', Some(b'"')) => {
                    scratch.push(b'"');
                    end + 2
                }
                (b'\\', Some(b'n')) => {
                    scratch.push(b'\n');
                    end + 2
                }
                (b'\\', Some(_)) => end + unescape_one(bytes.get(end..)?, scratch).ok()?,
                _ => return None,
            };
        }
    }

    #[cold]
    fn malformed<T>(&self) -> Result<T, Malformed> {
        Err(Malformed { offset: self.at })
    }

    /// What stands here, after white space.
    #[inline]
    pub(crate) fn kind(&mut self) -> Result<Kind, Malformed> {
        self.skip_white_space();
        match self.byte() {
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b'"' => Ok(Kind::String),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b't' | b'f' => Ok(Kind::Boolean),
            b'n' => Ok(Kind::Null),
            _ => self.malformed(),
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.byte() != byte {
            return self.malformed();
        }
        self.at += 1;
        Ok(())
    }

    /// Opens an object or array whose bracket stands here.
    #[inline]
    pub(crate) fn open(&mut self) {
        self.at += 1;
    }

    /// The name of the next member, its colon read too; `None` once the object is closed. `first` is true for
    /// the first call only.
    #[inline]
    pub(crate) fn member(&mut self, first: bool) -> Result<Option<Text<'a>>, Malformed> {
        if self.take(b"}") {
            return Ok(None);
        }
        let start = self.at;
        let is_open = if first { self.take(b"\"") } else { self.take(b",\"") };
        if is_open
            && let Some(raw) = self.plain_rest()
            && self.take(b":")
        {
            return Ok(Some(Text { raw, special: false }));
        }
        self.at = start;
        self.spaced_member(first)
    }

    /// As [`member`](Self::member), with whatever may stand between.
    fn spaced_member(&mut self, first: bool) -> Result<Option<Text<'a>>, Malformed> {
        self.skip_white_space();
        match self.byte() {
            b'}' => {
                self.at += 1;
                return Ok(None);
            }
            b',' if !first => {
                self.at += 1;
                self.skip_white_space();
            }
            b'"' if first => {}
            _ => return self.malformed(),
        }
        let name = self.string()?;
        self.skip_white_space();
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// Whether another item follows; false once the array is closed. `first` is true for the first call only.
    #[inline]
    pub(crate) fn item(&mut self, first: bool) -> Result<bool, Malformed> {
        self.skip_white_space();
        match self.byte() {
            b']' => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !first => {
                self.at += 1;
                self.skip_white_space();
                // A comma promises an item.
                if self.byte() == b']' {
                    return self.malformed();
                }
            }
            _ if first => {}
            _ => return self.malformed(),
        }
        Ok(true)
    }

    /// Reads a string; its escapes are read when its text is.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Malformed> {
        self.expect(b'"')?;
        let (start, bytes) = (self.at, self.text.as_bytes());
        let mut special = false;
        loop {
            self.at = plain_end(bytes, self.at);
            match self.byte() {
                b'"' => break,
                b'\\' => self.at += 2,
                _ if self.at >= bytes.len() => return self.malformed(),
                _ => self.at += 1,
            }
            special = true;
        }
        let raw = self.since(start);
        self.at += 1;
        Ok(Text { raw, special })
    }

    /// Reads the text of a number (RFC 8259 §6).
    pub(crate) fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.skip_digits(),
            _ => return self.malformed(),
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.some_digits()?;
        }
        Ok(self.since(start))
    }

    #[inline]
    fn skip_digits(&mut self) {
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Malformed> {
        if !self.byte().is_ascii_digit() {
            return self.malformed();
        }
        self.skip_digits();
        Ok(())
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Malformed> {
        let value = self.byte() == b't';
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Reads `null`.
    pub(crate) fn null(&mut self) -> Result<(), Malformed> {
        self.literal("null")
    }

    fn literal(&mut self, literal: &str) -> Result<(), Malformed> {
        if !self.text.as_bytes().get(self.at..).is_some_and(|t| t.starts_with(literal.as_bytes())) {
            return self.malformed();
        }
        self.at += literal.len();
        Ok(())
    }

    /// Moves past one value, however deep, without recursion: a bit for each open bracket.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        let mut open = Brackets::default();
        loop {
            let opened = self.skip_opening(&mut open)?;
            if !opened && !self.skip_closings(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar, or an opening bracket and, in an object, the first name; whether a value must follow.
    fn skip_opening(&mut self, open: &mut Brackets) -> Result<bool, Malformed> {
        match self.kind()? {
            Kind::Object => {
                self.open();
                let named = self.member(true)?.is_some();
                if named {
                    open.push(true);
                }
                Ok(named)
            }
            Kind::Array => {
                self.open();
                let filled = self.item(true)?;
                if filled {
                    open.push(false);
                }
                Ok(filled)
            }
            Kind::String => self.string().map(|_| false),
            Kind::Number => self.number().map(|_| false),
            Kind::Boolean => self.boolean().map(|_| false),
            Kind::Null => self.null().map(|()| false),
        }
    }

    /// After a value: closes what ends here; whether another value follows.
    fn skip_closings(&mut self, open: &mut Brackets) -> Result<bool, Malformed> {
        while let Some(is_object) = open.last() {
            let more = if is_object { self.member(false)?.is_some() } else { self.item(false)? };
            if more {
                return Ok(true);
            }
            open.pop();
        }
        Ok(false)
    }
}

/// The kinds of the brackets that are open, a bit each: a body of nothing but brackets needs an eighth of its size.
#[derive(Default)]
struct Brackets {
    /// Bits of the innermost ones.
    word: u64,
    /// How many of them there are.
    bits: u32,
    full: Vec<u64>,
}

impl Brackets {
    fn push(&mut self, is_object: bool) {
        if self.bits == u64::BITS {
            self.full.push(self.word);
            self.bits = 0;
        }
        self.word = self.word << 1 | u64::from(is_object);
        self.bits += 1;
    }

    fn last(&self) -> Option<bool> {
        (self.bits > 0).then_some(self.word & 1 == 1)
    }

    fn pop(&mut self) {
        self.word >>= 1;
        self.bits -= 1;
        if self.bits == 0
            && let Some(word) = self.full.pop()
        {
            (self.word, self.bits) = (word, u64::BITS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<usize, usize> {
        let mut cursor = Cursor::new(text);
        cursor.skip().map(|()| cursor.position()).map_err(|error| error.offset)
    }

    #[test]
    fn what_is_skipped_is_what_a_json_parser_takes() {
        for text in
            ["{}", "[]", "[1,-2.5e+3,\"a\\\"b\",null,true,{\"a\":[{}]}]", " {\"a\" : [ 1 , 2 ] }"]
        {
            assert_eq!(skip(text), Ok(text.len()), "{text}");
        }
        for text in [
            "",
            "{",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "[}",
            "{]",
            "[1}",
            "\"",
            "\"\\",
            "\"\\\"",
            "01x",
            "-",
            "1.",
            "1e",
            "tru",
            "nul",
            "+1",
            ".5",
            "[1 2]",
        ] {
            let refused = skip(text);
            let whole = refused.is_err() || refused != Ok(text.len());
            assert!(whole, "{text}");
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        for depth in [63, 64, 65, 128, 129, 100_000] {
            let text = "[{\"a\":".repeat(depth) + "1" + &"}]".repeat(depth);
            assert_eq!(skip(&text), Ok(text.len()));
            let crossed = "[{\"a\":".repeat(depth) + "1" + &"]}".repeat(depth);
            assert_eq!(skip(&crossed), Err(depth * 6 + 1));
        }
    }

    #[test]
    fn strings_are_unescaped_or_refused() {
        let read = |json: &str| {
            let mut cursor = Cursor::new(json);
            let text = cursor.string().unwrap();
            assert_eq!(cursor.position(), json.len());
            let mut scratch = Vec::new();
            let read = text.read(&mut scratch).map(str::to_owned).map_err(|fault| fault.code);
            let mut cursor = Cursor::new(json);
            assert!(cursor.take(b"\""));
            match cursor.rest(&mut Vec::new(), json.len()) {
                Ok(at_once) => assert_eq!(Ok(at_once), read.as_deref()),
                Err(Stop::Record(fault)) => assert_eq!(Some(&fault.code), read.as_ref().err()),
                Err(Stop::Body(_)) => panic!("{json}"),
            }
            assert_eq!(cursor.position(), json.len());
            read
        };
        assert_eq!(read(r#""plain é""#).unwrap(), "plain é");
        assert_eq!(
            read(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#).unwrap(),
            "\"\\/\u{8}\u{c}\n\r\té😀"
        );
        assert_eq!(read(r#""\ud83d""#), Err(FaultCode::LoneSurrogate));
        assert_eq!(read(r#""\ude00\ud83d""#), Err(FaultCode::LoneSurrogate));
        assert_eq!(read(r#""\ud83d\u0041""#), Err(FaultCode::LoneSurrogate));
        assert_eq!(read(r#""\x""#), Err(FaultCode::StringEscape));
        assert_eq!(read(r#""\u12g4""#), Err(FaultCode::StringEscape));
        assert_eq!(read("\"a\u{1}b\""), Err(FaultCode::StringCharacter));
    }
}
