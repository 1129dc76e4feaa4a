//! Splits a part into lines through a bounded buffer, hashing what passes.

use recorder_core::hash::PartHash;
use recorder_core::limits::LINE_BYTES_MAX;
use sha2::{Digest as _, Sha256};

use crate::archive::ReadError;
use crate::container::MemberReader;

/// Bytes of the buffer, unless a line is longer.
const BUFFER_BYTES: usize = 128 << 10;

/// What comes next of a part.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Next<'a> {
    /// A line, without its line end.
    Line(&'a [u8]),
    /// Bytes after the last line end.
    Unterminated(&'a [u8]),
    /// A line that is longer than any; what follows it is not read.
    TooLong,
    /// Nothing.
    End,
}

/// The lines of one part.
pub(crate) struct Lines<'a> {
    reader: MemberReader<'a>,
    hasher: Sha256,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(reader: MemberReader<'a>) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { reader, hasher: Sha256::new(), buffer, start: 0, end: 0, ended: false }
    }

    /// The next line.
    pub(crate) fn next_line(&mut self) -> Result<Next<'_>, ReadError> {
        let mut searched = self.start;
        loop {
            if let Some(length) = line_end(&self.buffer[searched..self.end]) {
                let line = self.start..searched + length;
                self.start = line.end + 1;
                return Ok(Next::Line(&self.buffer[line]));
            }
            if self.ended {
                let rest = self.start..self.end;
                self.start = self.end;
                return Ok(if rest.is_empty() {
                    Next::End
                } else {
                    Next::Unterminated(&self.buffer[rest])
                });
            }
            if self.end - self.start > LINE_BYTES_MAX {
                return Ok(Next::TooLong);
            }
            searched = self.end - self.start;
            self.fill()?;
            searched += self.start;
        }
    }

    /// The hash of the whole part, once its end was reached.
    pub(crate) fn finish(self) -> PartHash {
        PartHash::from_bytes(self.hasher.finalize().into())
    }

    /// Makes room, moving what is unread to the front, and reads on.
    fn fill(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let length = (self.buffer.len() * 2).min(LINE_BYTES_MAX + 1);
            self.buffer.resize(length, 0);
        }
        let count = self.reader.read(&mut self.buffer[self.end..])?;
        self.hasher.update(&self.buffer[self.end..self.end + count]);
        self.end += count;
        self.ended = count == 0;
        Ok(())
    }
}

/// Where the first line end is. Blocks are searched without branches, so that the compiler can use wide registers.
fn line_end(bytes: &[u8]) -> Option<usize> {
    const BLOCK_BYTES: usize = 64;
    let mut offset = 0;
    for block in bytes.chunks(BLOCK_BYTES) {
        if block.iter().fold(false, |found, byte| found | (*byte == b'\n')) {
            return block.iter().position(|byte| *byte == b'\n').map(|at| offset + at);
        }
        offset += block.len();
    }
    None
}

/// The hash of a part whose bytes are of no further interest.
pub(crate) fn hash_of(mut reader: MemberReader<'_>) -> Result<PartHash, ReadError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(PartHash::from_bytes(hasher.finalize().into()));
        }
        hasher.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_end_is_found_wherever_it_is() {
        for length in 0..200 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(line_end(&bytes), None);
            for at in 0..length {
                bytes[at] = b'\n';
                assert_eq!(line_end(&bytes), Some(at));
                bytes[at] = b'a';
            }
        }
    }
}
