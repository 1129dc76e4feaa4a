//! Texts of many records, one behind the other: pages that are given away and given back as wholes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::draft::Frame;

/// Bytes of a page, but for one that holds a single payload that is larger. All of a page stays in memory while one of its
/// payloads does.
const PAGE_BYTES: usize = 64 << 10;

/// The pages of one resource.
#[derive(Default)]
pub(crate) struct Pages {
    /// Those that are full, without the ones that were given back.
    full: VecDeque<Arc<String>>,
    /// How many were given back.
    gone: usize,
    /// The one that is written.
    open: String,
}

/// A record in a page.
#[derive(Debug)]
pub(crate) struct Written {
    /// Which page.
    pub(crate) page: u32,
    /// Where its payload begins and ends: the record itself where it was not framed.
    all: (u32, u32),
    /// Where the record begins and ends.
    record: (u32, u32),
}

impl Written {
    /// Where the record is.
    pub(crate) fn record(&self) -> Range<usize> {
        self.record.0 as usize..self.record.1 as usize
    }

    /// Where its payload is, if it was framed.
    pub(crate) fn framed(&self) -> Option<Range<usize>> {
        (self.all != self.record).then_some(self.all.0 as usize..self.all.1 as usize)
    }
}

impl Pages {
    /// Writes a record, in its frame if it has one.
    pub(crate) fn write(&mut self, record: &str, frame: Option<&Frame>) -> Written {
        let bytes = frame.map_or(record.len(), |frame| frame.payload_bytes(record.len()));
        if !self.open.is_empty() && self.open.len() + bytes > PAGE_BYTES {
            self.turn(String::with_capacity(PAGE_BYTES));
        }
        self.make_room(bytes);
        let start = self.open.len();
        let record_start = match frame {
            Some(frame) => {
                frame.write(record, &mut self.open);
                start + frame.record_start()
            }
            None => {
                self.open.push_str(record);
                start
            }
        };
        // No payload has more than 4 MiB, and so no page.
        Written {
            page: (self.gone + self.full.len()) as u32,
            all: (start as u32, self.open.len() as u32),
            record: (record_start as u32, (record_start + record.len()) as u32),
        }
    }

    /// Makes the page large enough for what comes next, and no larger than a page unless that alone is.
    fn make_room(&mut self, bytes: usize) {
        let needed = self.open.len() + bytes;
        if needed > self.open.capacity() {
            let wanted = (2 * needed).min(PAGE_BYTES).max(needed);
            self.open.reserve_exact(wanted - self.open.len());
        }
    }

    /// Ends the last page.
    pub(crate) fn end(&mut self) {
        self.open.shrink_to_fit();
        self.turn(String::new());
    }

    /// Ends the page that is written and goes on with the next one.
    fn turn(&mut self, next: String) {
        self.full.push_back(Arc::new(std::mem::replace(&mut self.open, next)));
    }

    /// A page that is ended; those before it are given back.
    pub(crate) fn page(&mut self, page: u32) -> Option<&Arc<String>> {
        while self.gone < page as usize {
            self.full.pop_front()?;
            self.gone += 1;
        }
        self.full.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Notes;
    use crate::signal::Signal;

    #[test]
    fn what_was_written_is_found_in_its_page_and_pages_before_it_are_given_back() {
        let frame = Frame::new(Signal::Traces, "\"mapping\":{}", Notes::default(), "{}", "{}");
        let records = [1, 30_000, 30_000, 30_000, 200_000, 5].map(|length| "x".repeat(length));
        let mut pages = Pages::default();
        let written = records.each_ref().map(|record| pages.write(record, Some(&frame)));
        let plain = pages.write("plain", None);
        pages.end();
        assert_eq!(written.each_ref().map(|it| it.page), [0, 0, 0, 1, 2, 3]);
        for (record, written) in records.iter().zip(written) {
            let text = pages.page(written.page).unwrap();
            assert!(text.capacity() <= PAGE_BYTES.max(frame.payload_bytes(record.len())));
            assert_eq!(text.get(written.record()), Some(&**record));
            let mut payload = String::new();
            frame.write(record, &mut payload);
            assert_eq!(text.get(written.framed().unwrap()), Some(&*payload));
        }
        assert_eq!((plain.page, plain.framed()), (3, None));
        assert_eq!(pages.page(3).unwrap().get(plain.record()), Some("plain"));
        assert!(pages.page(0).is_some_and(|text| {
            !text.starts_with(
                "{\"mapping\":{},\"notes\":[],\"resource\":{},\"scope\":{},\"span\":x}",
            )
        }));
        assert_eq!(pages.page(4), None);
    }
}
