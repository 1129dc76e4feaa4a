//! A cursor over a JSON text in any spelling (RFC 8259), for the pass that copies it.

use std::borrow::Cow;

use super::bounds::{BoundError, BoundErrorKind};
use crate::json::{JsonErrorKind, escape, number, scan};

/// Reads one thing after another. After an error its place is unspecified.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    /// The byte that is read next; 0, which JSON has nowhere, at the end.
    pub(super) fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes white space.
    pub(super) fn blank(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Reads this byte if it comes next; whether it did.
    pub(super) fn skip(&mut self, byte: u8) -> bool {
        let found = self.byte() == byte;
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), BoundError> {
        if self.skip(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Reads `true`, `false` or `null`.
    pub(super) fn literal(&mut self, word: &'static str) -> Result<&'static str, BoundError> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(word)
    }

    /// Reads a number and gives it as it is spelled.
    pub(super) fn number(&mut self) -> Result<&'a str, BoundError> {
        let found = number::scan(self.text.as_bytes(), self.at)
            .ok_or_else(|| self.json_error(JsonErrorKind::InvalidNumber))?;
        let text = self.text.get(self.at..found.end).unwrap_or_default();
        self.at = found.end;
        Ok(text)
    }

    /// Reads a string and gives what it says, borrowed where nothing in it is escaped.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, BoundError> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = scan::plain_end(self.text.as_bytes(), start);
        let plain = self.text.get(start..self.at).unwrap_or_default();
        if self.skip(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        while !self.skip(b'"') {
            text.push(self.escape()?);
            let start = self.at;
            self.at = scan::plain_end(self.text.as_bytes(), start);
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
        }
        Ok(Cow::Owned(text))
    }

    fn escape(&mut self) -> Result<char, BoundError> {
        if self.at >= self.text.len() {
            return Err(self.json_error(JsonErrorKind::UnexpectedEnd));
        }
        if self.byte() != b'\\' {
            return Err(self.json_error(JsonErrorKind::ControlCharacter));
        }
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let escape = escape::read(rest).map_err(|kind| self.json_error(kind))?;
        self.at += escape.length;
        Ok(escape.character)
    }

    pub(super) fn unexpected(&self) -> BoundError {
        let at_end = self.at >= self.text.len();
        self.json_error(if at_end {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::UnexpectedByte
        })
    }

    pub(super) fn json_error(&self, kind: JsonErrorKind) -> BoundError {
        self.error(BoundErrorKind::Json(kind))
    }

    pub(super) fn error(&self, kind: BoundErrorKind) -> BoundError {
        BoundError { kind, offset: self.at }
    }
}
