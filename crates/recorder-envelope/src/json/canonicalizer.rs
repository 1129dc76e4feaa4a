//! Any acceptable JSON text to its canonical bytes, in one pass.
//!
//! Whatever is already spelled canonically is copied in runs, as long as they last; only white space, other
//! spellings of strings and numbers, and members out of order end a run. An object whose members arrive
//! sorted is never moved.

use std::cmp::Ordering;

use super::order::{self, Name};
use super::{JsonError, JsonErrorKind, JsonLimits, admit, escape, number, scan};

/// Appends the RFC 8785 form of `input` to `out`.
///
/// A caller with many texts keeps a [`Canonicalizer`] instead, which keeps its scratch memory.
///
/// # Errors
///
/// The first rule that `input` breaks; `out` is then as it was. Size, byte order mark and UTF-8 are looked at before the
/// grammar. A duplicate name in an object that is not sorted is found when the object ends.
pub fn canonicalize(input: &[u8], limits: &JsonLimits, out: &mut Vec<u8>) -> Result<(), JsonError> {
    Canonicalizer::new().canonicalize(input, limits, out)
}

/// Members that open objects usually hold together: room for them is taken at once.
const MEMBERS_OPEN: usize = 32;

/// Room for members that are moved, which most texts do not exceed.
const UNSORTED_BYTES: usize = 8 << 10;

/// Canonicalises text after text with the same scratch memory.
#[derive(Default)]
pub struct Canonicalizer {
    members: Vec<Member>,
    unsorted: Vec<u8>,
}

impl std::fmt::Debug for Canonicalizer {
    /// Prints no content: the scratch memory holds payload bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canonicalizer").finish_non_exhaustive()
    }
}

impl Canonicalizer {
    /// Starts without scratch memory; the first texts allocate it.
    pub const fn new() -> Self {
        Self { members: Vec::new(), unsorted: Vec::new() }
    }

    /// Appends the RFC 8785 form of `input` to `out`.
    ///
    /// # Errors
    ///
    /// As [`canonicalize`].
    pub fn canonicalize(
        &mut self,
        input: &[u8],
        limits: &JsonLimits,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let text = admit(input, limits)?;
        let start = out.len();
        out.reserve(text.len());
        self.members.clear();
        self.members.reserve(MEMBERS_OPEN);
        let result = Pass {
            text,
            bytes: input,
            at: 0,
            run_start: 0,
            out,
            scratch: self,
            nodes_left: limits.nodes_max,
            depth_left: limits.depth(),
        }
        .document();
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Appends the RFC 8785 form of the one value that begins at `start` of `text`, and gives where it ends.
    ///
    /// Size is the caller's to bound; depth and nodes count from this value.
    pub(crate) fn canonicalize_value(
        &mut self,
        text: &str,
        start: usize,
        limits: &JsonLimits,
        out: &mut Vec<u8>,
    ) -> Result<usize, JsonError> {
        self.members.clear();
        self.members.reserve(MEMBERS_OPEN);
        let mut pass = Pass {
            text,
            bytes: text.as_bytes(),
            at: start,
            run_start: start,
            out,
            scratch: self,
            nodes_left: limits.nodes_max,
            depth_left: limits.depth(),
        };
        pass.value()?;
        pass.copy_run();
        Ok(pass.at)
    }
}

/// One member of an object that is still open.
struct Member {
    /// Its name in the input.
    name: Name,
    /// Where `"name":value` lies in the output.
    start: usize,
    end: usize,
}

/// One canonicalisation under way.
struct Pass<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Input from here to `at` is canonical and not yet copied.
    run_start: usize,
    out: &'a mut Vec<u8>,
    scratch: &'a mut Canonicalizer,
    nodes_left: usize,
    depth_left: usize,
}

impl Pass<'_> {
    fn document(mut self) -> Result<(), JsonError> {
        self.skip_white_space();
        self.value()?;
        self.skip_white_space();
        if self.at < self.bytes.len() {
            return Err(JsonError::new(JsonErrorKind::TrailingBytes, self.at));
        }
        self.copy_run();
        Ok(())
    }

    fn value(&mut self) -> Result<(), JsonError> {
        let Some(nodes_left) = self.nodes_left.checked_sub(1) else {
            return Err(JsonError::new(JsonErrorKind::TooManyNodes, self.at));
        };
        self.nodes_left = nodes_left;
        match self.byte() {
            b'"' => self.string().map(drop),
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
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
        self.skip_white_space();
        read(self)?;
        self.depth_left += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), JsonError> {
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            self.skip_white_space();
            if self.take(b']') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    fn object(&mut self) -> Result<(), JsonError> {
        if self.take(b'}') {
            return Ok(());
        }
        let body = self.written();
        let first = self.scratch.members.len();
        let mut sorted = true;
        loop {
            sorted &= self.member(first)?;
            self.skip_white_space();
            if self.byte() == b'}' {
                break;
            }
            self.comma()?;
        }
        if !sorted {
            self.sort_members(first, body)?;
        }
        self.scratch.members.truncate(first);
        self.at += 1;
        Ok(())
    }

    /// Reads one member; whether its name comes after the one before it.
    fn member(&mut self, first: usize) -> Result<bool, JsonError> {
        let start = self.written();
        if self.byte() != b'"' {
            return Err(self.unexpected());
        }
        let name = self.string()?;
        let before = self.scratch.members.get(first..).and_then(<[Member]>::last);
        let order = before.map(|before| order::compare(self.text, before.name, name));
        if order == Some(Ordering::Equal) {
            return Err(JsonError::new(JsonErrorKind::DuplicateMember, name.start - 1));
        }
        self.skip_white_space();
        if !self.take(b':') {
            return Err(self.unexpected());
        }
        self.skip_white_space();
        self.value()?;
        let end = self.written();
        self.scratch.members.push(Member { name, start, end });
        Ok(order != Some(Ordering::Greater))
    }

    /// Puts the members from `first` on, written from `body` on, into order.
    fn sort_members(&mut self, first: usize, body: usize) -> Result<(), JsonError> {
        self.copy_run();
        let Canonicalizer { members, unsorted } = &mut *self.scratch;
        let members = members.get_mut(first..).unwrap_or_default();
        let text = self.text;
        members.sort_unstable_by(|a, b| {
            order::compare(text, a.name, b.name).then(a.start.cmp(&b.start))
        });
        refuse_duplicates(text, members)?;
        unsorted.clear();
        // Inner objects are sorted first. What is enough for all of the text is taken once.
        unsorted.reserve(text.len().min(UNSORTED_BYTES));
        unsorted.extend_from_slice(self.out.get(body..).unwrap_or_default());
        self.out.truncate(body);
        for member in &*members {
            if self.out.len() > body {
                self.out.push(b',');
            }
            let moved = unsorted.get(member.start - body..member.end - body);
            self.out.extend_from_slice(moved.unwrap_or_default());
        }
        Ok(())
    }

    /// Reads a string and gives where its text lies in the input.
    #[inline]
    fn string(&mut self) -> Result<Name, JsonError> {
        let start = self.at + 1;
        self.at = scan::plain_end(self.bytes, start);
        let escaped = self.byte() != b'"';
        if escaped {
            self.string_rest()?;
        }
        let end = self.at;
        self.at += 1;
        Ok(Name { start, end, escaped })
    }

    /// Goes on from the first byte of a string that is not plain to its closing quote.
    #[cold]
    fn string_rest(&mut self) -> Result<(), JsonError> {
        loop {
            match self.byte() {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                _ if self.at >= self.bytes.len() => return Err(self.unexpected()),
                _ => return Err(JsonError::new(JsonErrorKind::ControlCharacter, self.at)),
            }
            self.at = scan::plain_end(self.bytes, self.at);
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let escape = escape::read(rest).map_err(|kind| self.escape_error(kind))?;
        let spelling = rest.get(..escape.length).unwrap_or_default();
        if escape::is_canonical(spelling, escape.character) {
            self.at += escape.length;
            return Ok(());
        }
        self.copy_run();
        escape::write(escape.character, self.out);
        self.at += escape.length;
        self.run_start = self.at;
        Ok(())
    }

    fn escape_error(&self, kind: JsonErrorKind) -> JsonError {
        let at_end = kind == JsonErrorKind::UnexpectedEnd;
        JsonError::new(kind, if at_end { self.bytes.len() } else { self.at })
    }

    #[inline]
    fn number(&mut self) -> Result<(), JsonError> {
        let found = number::scan(self.bytes, self.at)
            .ok_or(JsonError::new(JsonErrorKind::InvalidNumber, self.at))?;
        if found.spelling != number::Spelling::Canonical {
            self.respell(&found)?;
        }
        self.at = found.end;
        Ok(())
    }

    fn respell(&mut self, found: &number::Number) -> Result<(), JsonError> {
        let text = self.text.get(self.at..found.end).unwrap_or_default();
        let mut buffer = ryu_js::Buffer::new();
        let canonical = number::canonical(text, found.spelling, &mut buffer)
            .map_err(|kind| JsonError::new(kind, self.at))?;
        if canonical != text {
            self.copy_run();
            self.out.extend_from_slice(canonical.as_bytes());
            self.run_start = found.end;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        for &byte in literal {
            if self.byte() != byte {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }

    fn comma(&mut self) -> Result<(), JsonError> {
        if !self.take(b',') {
            return Err(self.unexpected());
        }
        self.skip_white_space();
        Ok(())
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.byte() == byte;
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_white_space(&mut self) {
        if self.byte() <= b' ' {
            self.copy_run();
            while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
                self.at += 1;
            }
            self.run_start = self.at;
        }
    }

    /// Length of the output once the run is copied.
    #[inline]
    fn written(&self) -> usize {
        self.out.len() + (self.at - self.run_start)
    }

    #[inline]
    fn copy_run(&mut self) {
        let run = self.bytes.get(self.run_start..self.at).unwrap_or_default();
        self.out.extend_from_slice(run);
        self.run_start = self.at;
    }

    /// The byte at hand. The end reads as NUL, which no JSON text holds outside its errors.
    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        let at_end = self.at >= self.bytes.len();
        let kind =
            if at_end { JsonErrorKind::UnexpectedEnd } else { JsonErrorKind::UnexpectedByte };
        JsonError::new(kind, self.at.min(self.bytes.len()))
    }
}

/// Refuses the first name of the input that sorted `members` hold a second time.
fn refuse_duplicates(text: &str, members: &[Member]) -> Result<(), JsonError> {
    let repeated = members
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if order::compare(text, a.name, b.name).is_eq() => Some(b.name.start - 1),
            _ => None,
        })
        .min();
    repeated.map_or(Ok(()), |offset| Err(JsonError::new(JsonErrorKind::DuplicateMember, offset)))
}
