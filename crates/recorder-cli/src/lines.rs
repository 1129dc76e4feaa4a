//! JSON Lines from a stream of any length: one bounded line in memory at a time.
//!
//! Lines of white space only are no records. A line over the bound is skipped to its end, so that what follows it
//! can still be read.

use std::io::{self, BufRead};

/// One record, or the place of one that is too long to be one.
pub(crate) struct Line<'a> {
    /// Counted from 1, blank lines included.
    pub(crate) number: u64,
    /// The bytes without the line's end; `None` when there are more than the bound.
    pub(crate) bytes: Option<&'a [u8]>,
}

/// Reads lines of at most `bytes_max`.
pub(crate) struct Lines<R> {
    reader: R,
    bytes_max: usize,
    number: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `reader`.
    pub(crate) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max, number: 0, offset: 0, buffer: Vec::new() }
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.buffer.clear();
            let Some(fits) = self.read_line()? else { return Ok(None) };
            self.number += 1;
            let is_blank = self.buffer.iter().all(|byte| b" \t\r".contains(byte));
            if !fits {
                return Ok(Some(Line { number: self.number, bytes: None }));
            }
            if !is_blank {
                return Ok(Some(Line { number: self.number, bytes: Some(&self.buffer) }));
            }
        }
    }

    /// Reads to the end and counts the records that are left.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub(crate) fn count_rest(&mut self) -> io::Result<u64> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Reads one line into the buffer; says whether all of it fits, and `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        let (mut fits, mut any) = (true, false);
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let line = &available[..end.unwrap_or(available.len())];
            if fits && self.buffer.len() + line.len() <= self.bytes_max {
                self.buffer.extend_from_slice(line);
            } else {
                fits = false;
            }
            let used = line.len() + usize::from(end.is_some());
            self.offset += used as u64;
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], capacity: usize) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(capacity, text), 5);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let text = line.bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
            found.push((line.number, text));
        }
        assert_eq!(lines.offset(), text.len() as u64);
        found
    }

    #[test]
    fn lines_keep_their_numbers_and_long_ones_are_skipped_to_their_end() {
        for capacity in [1, 2, 7, 100] {
            let found = read(b"abc\n\n \t\r\n123456789\n12345\r\n12345\nxy", capacity);
            let expected = [
                (1, Some("abc".to_owned())),
                (4, None),
                (5, None),
                (6, Some("12345".to_owned())),
                (7, Some("xy".to_owned())),
            ];
            assert_eq!(found, expected, "capacity {capacity}");
        }
    }

    #[test]
    fn an_empty_input_has_no_lines() {
        assert_eq!(read(b"", 4), []);
        assert_eq!(read(b"\n\n", 4), []);
    }
}
