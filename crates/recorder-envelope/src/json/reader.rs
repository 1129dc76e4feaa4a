//! Reads canonical text and nothing else, without building anything.
//!
//! [`CanonicalReader`] is what the fixed-schema line readers of this crate stand on: naming the members in
//! their order checks schema and canonical form in the same pass. [`check_canonical`] is that pass for a text of unknown
//! shape. Both accept exactly what [`canonicalize`](super::canonicalize) would leave as it is.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::order::{self, Name};
use super::{EXACT_INTEGER_MAX, JsonError, JsonErrorKind, JsonLimits, admit, escape, number, scan};

/// Accepts `input` exactly when canonicalising it under `limits` would give `input` again.
///
/// # Errors
///
/// The first rule that `input` breaks. JSON that is merely spelled otherwise is `NotCanonical`, a name that
/// repeats the one just before it `DuplicateMember`.
pub fn check_canonical(input: &[u8], limits: &JsonLimits) -> Result<(), JsonError> {
    let mut reader = CanonicalReader::new(input, limits)?;
    reader.value()?;
    reader.finish()
}

/// A cursor over canonical text.
///
/// Each method reads one thing at the cursor and moves past it. After an error the cursor's place is
/// unspecified; a reader that failed is thrown away.
pub struct CanonicalReader<'a> {
    text: &'a str,
    at: usize,
    limits: JsonLimits,
    nodes_left: usize,
    depth_left: usize,
}

impl std::fmt::Debug for CanonicalReader<'_> {
    /// Prints the place, never the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CanonicalReader").field("position", &self.at).finish_non_exhaustive()
    }
}

/// A string as it stands in canonical text.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct CanonicalString<'a> {
    /// Without quotes, escapes as written.
    raw: &'a str,
    escaped: bool,
}

impl std::fmt::Debug for CanonicalString<'_> {
    /// Prints the length, never the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CanonicalString").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

impl<'a> CanonicalString<'a> {
    /// The text between the quotes, escapes as written.
    pub const fn as_raw(&self) -> &'a str {
        self.raw
    }

    /// The text itself when nothing in it is escaped, as no identifier, digest or time is.
    pub const fn plain(&self) -> Option<&'a str> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// The text with its escapes replaced; borrowed when there are none.
    pub fn unescaped(&self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some((plain, _)) = rest.split_once('\\') {
            text.push_str(plain);
            rest = rest.get(plain.len()..).unwrap_or_default();
            // The reader that made this string has read every escape in it before.
            let Ok(escape) = escape::read(rest.as_bytes()) else { break };
            text.push(escape.character);
            rest = rest.get(escape.length..).unwrap_or_default();
        }
        text.push_str(rest);
        Cow::Owned(text)
    }
}

impl<'a> CanonicalReader<'a> {
    /// Starts at the first byte of `input`.
    ///
    /// # Errors
    ///
    /// `TooLarge`, `ByteOrderMark` or `InvalidUtf8`.
    pub fn new(input: &'a [u8], limits: &JsonLimits) -> Result<Self, JsonError> {
        let text = admit(input, limits)?;
        Ok(Self { text, at: 0, limits: *limits, nodes_left: 0, depth_left: 0 })
    }

    /// Offset in bytes of what is read next.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The byte that is read next; `None` at the end.
    pub fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    /// The text from `start`, an earlier [`position`](Self::position), up to here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes().get(start..self.at).unwrap_or_default()
    }

    /// Reads exactly these bytes, such as `{"actor_id":`.
    ///
    /// # Errors
    ///
    /// `UnexpectedByte` at the first byte that differs, `UnexpectedEnd` if there is none.
    #[inline]
    pub fn expect(&mut self, literal: &'static [u8]) -> Result<(), JsonError> {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(literal) {
            self.at += literal.len();
            return Ok(());
        }
        self.at +=
            rest.iter().zip(literal).take_while(|(found, expected)| found == expected).count();
        Err(self.unexpected())
    }

    /// Reads these bytes if they come next; whether they did.
    #[inline]
    pub fn take(&mut self, literal: &'static [u8]) -> bool {
        let found = self.bytes().get(self.at..).is_some_and(|rest| rest.starts_with(literal));
        self.at += if found { literal.len() } else { 0 };
        found
    }

    /// Reads a string.
    ///
    /// # Errors
    ///
    /// `UnexpectedByte` for anything else, `NotCanonical` for an escape that RFC 8785 spells otherwise.
    #[inline]
    pub fn string(&mut self) -> Result<CanonicalString<'a>, JsonError> {
        let name = self.quoted()?;
        let raw = self.text.get(name.start..name.end).unwrap_or_default();
        Ok(CanonicalString { raw, escaped: name.escaped })
    }

    /// Reads an integer from 0 to 2^53.
    ///
    /// # Errors
    ///
    /// `UnexpectedByte` for anything but digits, `InvalidNumber` for a leading zero, `IntegerNotRepresentable` beyond
    /// 2^53, where a double no longer holds every integer.
    pub fn u64(&mut self) -> Result<u64, JsonError> {
        if !self.byte().is_ascii_digit() {
            return Err(self.unexpected());
        }
        self.integer_magnitude(self.at, self.at)
    }

    /// Reads an integer from −2^53 to 2^53.
    ///
    /// # Errors
    ///
    /// As [`u64`](Self::u64); `NotCanonical` for `-0`.
    pub fn i64(&mut self) -> Result<i64, JsonError> {
        let start = self.at;
        let negative = self.byte() == b'-';
        if !negative && !self.byte().is_ascii_digit() {
            return Err(self.unexpected());
        }
        let magnitude = self.integer_magnitude(start, start + usize::from(negative))?;
        if negative && magnitude == 0 {
            return Err(JsonError::new(JsonErrorKind::NotCanonical, start));
        }
        let magnitude = i64::try_from(magnitude)
            .map_err(|_| JsonError::new(JsonErrorKind::IntegerNotRepresentable, start))?;
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// Reads the number at `start`, whose digits begin at `digits`.
    fn integer_magnitude(&mut self, start: usize, digits: usize) -> Result<u64, JsonError> {
        let found = number::scan(self.bytes(), start)
            .ok_or(JsonError::new(JsonErrorKind::InvalidNumber, start))?;
        let text = self.text.get(digits..found.end).unwrap_or_default();
        if let Some(place) = text.bytes().position(|byte| !byte.is_ascii_digit()) {
            return Err(JsonError::new(JsonErrorKind::UnexpectedByte, digits + place));
        }
        self.at = found.end;
        text.parse()
            .ok()
            .filter(|magnitude| *magnitude <= EXACT_INTEGER_MAX)
            .ok_or(JsonError::new(JsonErrorKind::IntegerNotRepresentable, start))
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    ///
    /// `UnexpectedByte` for anything else.
    pub fn bool(&mut self) -> Result<bool, JsonError> {
        if self.byte() == b't' {
            return self.expect(b"true").map(|()| true);
        }
        self.expect(b"false").map(|()| false)
    }

    /// Reads `null` as `None`, or what `read` reads.
    ///
    /// # Errors
    ///
    /// Those of `read`, and `UnexpectedByte` for a word that only begins like `null`.
    #[inline]
    pub fn null_or<T, E: From<JsonError>>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if self.byte() == b'n' {
            self.expect(b"null")?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// Reads any canonical value under the reader's own limits and gives its bytes.
    ///
    /// Nodes and depth count from here: the value is its own outermost one.
    ///
    /// # Errors
    ///
    /// As [`check_canonical`].
    pub fn value(&mut self) -> Result<&'a [u8], JsonError> {
        let limits = self.limits;
        self.value_within(&limits)
    }

    /// Reads any canonical value under `limits`, such as a payload inside a longer line, and gives its bytes.
    ///
    /// # Errors
    ///
    /// As [`check_canonical`].
    pub fn value_within(&mut self, limits: &JsonLimits) -> Result<&'a [u8], JsonError> {
        let start = self.at;
        self.nodes_left = limits.nodes_max;
        self.depth_left = limits.depth();
        self.any()?;
        let value = self.since(start);
        if value.len() > limits.input_bytes_max {
            return Err(JsonError::new(JsonErrorKind::TooLarge, start + limits.input_bytes_max));
        }
        Ok(value)
    }

    /// Reads a canonical object under `limits` and gives its bytes.
    ///
    /// # Errors
    ///
    /// `NotAnObject` for any other value, else as [`check_canonical`].
    pub fn object_within(&mut self, limits: &JsonLimits) -> Result<&'a [u8], JsonError> {
        if matches!(self.byte(), b'"' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
            return Err(JsonError::new(JsonErrorKind::NotAnObject, self.at));
        }
        self.value_within(limits)
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// `NotCanonical` if only white space is left, else `TrailingBytes` if anything is.
    pub fn finish(self) -> Result<(), JsonError> {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let blank = rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let kind = if blank { JsonErrorKind::NotCanonical } else { JsonErrorKind::TrailingBytes };
        Err(JsonError::new(kind, self.at))
    }

    fn any(&mut self) -> Result<(), JsonError> {
        let Some(nodes_left) = self.nodes_left.checked_sub(1) else {
            return Err(JsonError::new(JsonErrorKind::TooManyNodes, self.at));
        };
        self.nodes_left = nodes_left;
        match self.byte() {
            b'"' => self.quoted().map(drop),
            b'{' => self.nested(Self::members),
            b'[' => self.nested(Self::items),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.expect(b"true"),
            b'f' => self.expect(b"false"),
            b'n' => self.expect(b"null"),
            _ => Err(self.unexpected()),
        }
    }

    #[inline]
    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(JsonError::new(JsonErrorKind::TooDeep, self.at));
        };
        self.depth_left = depth_left;
        self.at += 1;
        read(self)?;
        self.depth_left += 1;
        Ok(())
    }

    fn items(&mut self) -> Result<(), JsonError> {
        if self.skip(b']') {
            return Ok(());
        }
        loop {
            self.any()?;
            if self.skip(b']') {
                return Ok(());
            }
            if !self.skip(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn members(&mut self) -> Result<(), JsonError> {
        if self.skip(b'}') {
            return Ok(());
        }
        let mut before = None;
        loop {
            before = Some(self.name_after(before)?);
            if !self.skip(b':') {
                return Err(self.unexpected());
            }
            self.any()?;
            if self.skip(b'}') {
                return Ok(());
            }
            if !self.skip(b',') {
                return Err(self.unexpected());
            }
        }
    }

    #[inline]
    fn name_after(&mut self, before: Option<Name>) -> Result<Name, JsonError> {
        let name = self.quoted()?;
        let kind = match before.map(|before| order::compare(self.text, before, name)) {
            None | Some(Ordering::Less) => return Ok(name),
            Some(Ordering::Equal) => JsonErrorKind::DuplicateMember,
            Some(Ordering::Greater) => JsonErrorKind::NotCanonical,
        };
        Err(JsonError::new(kind, name.start - 1))
    }

    #[inline]
    fn quoted(&mut self) -> Result<Name, JsonError> {
        if self.byte() != b'"' {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        self.at = scan::plain_end(self.bytes(), start);
        let escaped = self.byte() != b'"';
        if escaped {
            self.quoted_rest()?;
        }
        let end = self.at;
        self.at += 1;
        Ok(Name { start, end, escaped })
    }

    /// Goes on from the first byte of a string that is not plain to its closing quote.
    #[cold]
    fn quoted_rest(&mut self) -> Result<(), JsonError> {
        loop {
            match self.byte() {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                _ if self.at >= self.text.len() => return Err(self.unexpected()),
                _ => return Err(JsonError::new(JsonErrorKind::ControlCharacter, self.at)),
            }
            self.at = scan::plain_end(self.bytes(), self.at);
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        let escape = escape::read(rest).map_err(|kind| {
            let at_end = kind == JsonErrorKind::UnexpectedEnd;
            JsonError::new(kind, if at_end { self.text.len() } else { self.at })
        })?;
        let spelling = rest.get(..escape.length).unwrap_or_default();
        if !escape::is_canonical(spelling, escape.character) {
            return Err(JsonError::new(JsonErrorKind::NotCanonical, self.at));
        }
        self.at += escape.length;
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<(), JsonError> {
        let found = number::scan(self.bytes(), self.at)
            .ok_or(JsonError::new(JsonErrorKind::InvalidNumber, self.at))?;
        if found.spelling != number::Spelling::Canonical {
            self.spelled(&found)?;
        }
        self.at = found.end;
        Ok(())
    }

    fn spelled(&self, found: &number::Number) -> Result<(), JsonError> {
        let text = self.text.get(self.at..found.end).unwrap_or_default();
        let mut buffer = ryu_js::Buffer::new();
        let canonical = number::canonical(text, found.spelling, &mut buffer)
            .map_err(|kind| JsonError::new(kind, self.at))?;
        if canonical != text {
            return Err(JsonError::new(JsonErrorKind::NotCanonical, self.at));
        }
        Ok(())
    }

    #[inline]
    fn skip(&mut self, byte: u8) -> bool {
        let found = self.byte() == byte;
        self.at += usize::from(found);
        found
    }

    #[inline]
    const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The byte at hand. The end reads as NUL, which no JSON text holds outside its errors.
    #[inline]
    fn byte(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        let kind = match self.peek() {
            None => JsonErrorKind::UnexpectedEnd,
            Some(b' ' | b'\t' | b'\n' | b'\r') => JsonErrorKind::NotCanonical,
            Some(_) => JsonErrorKind::UnexpectedByte,
        };
        JsonError::new(kind, self.at.min(self.text.len()))
    }
}
