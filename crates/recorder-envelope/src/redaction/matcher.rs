//! Finds many short needles in one pass, without regard to ASCII case.
//!
//! Each needle is known by its first three bytes. A window of three bytes goes over the text; a bit says whether any
//! needle begins so, which is rarely the case, and only then are needles compared. A window needs no state but
//! itself, so this costs two loads a byte, wherever in the text the needles may lie.

/// Bytes of the window, and the least that a needle has.
pub(super) const WINDOW_BYTES: usize = 3;

/// Bits for each byte of the window.
const CLASS_BITS: u32 = 5;
const WINDOWS: usize = 1 << (CLASS_BITS * WINDOW_BYTES as u32);

/// What a byte counts as in the window: its letter, or a kind of sign.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [31; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match (byte as u8).to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            b'0'..=b'9' => 26,
            b':' | b'=' => 27,
            b'/' => 28,
            b'?' | b'&' => 29,
            b'_' | b'-' | b'.' => 30,
            _ => 31,
        };
        byte += 1;
    }
    classes
}

/// The needles by how they begin.
pub(super) struct Matcher {
    begins: Box<[u64]>,
    /// Window, needle and the needle's index, sorted by window.
    needles: Vec<(usize, Box<[u8]>, usize)>,
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matcher({} needles)", self.needles.len())
    }
}

impl Matcher {
    /// Takes needles of three bytes or more; shorter ones are never found.
    pub(super) fn new<'n>(needles: impl IntoIterator<Item = &'n str>) -> Self {
        let mut begins = vec![0_u64; WINDOWS / 64].into_boxed_slice();
        let mut sorted = Vec::new();
        for (index, needle) in needles.into_iter().enumerate() {
            let needle = needle.as_bytes();
            let Some(first) = needle.first_chunk::<WINDOW_BYTES>() else { continue };
            let window = window_of(*first);
            if let Some(word) = begins.get_mut(window / 64) {
                *word |= 1 << (window % 64);
            }
            sorted.push((window, needle.into(), index));
        }
        sorted.sort();
        Self { begins, needles: sorted }
    }

    /// Calls `visit` with the index, the start and the end of each needle in `text`, in order of starts, until it gives
    /// something.
    #[inline]
    pub(super) fn find<T>(
        &self,
        text: &[u8],
        mut visit: impl FnMut(usize, usize, usize) -> Option<T>,
    ) -> Option<T> {
        let mut window = 0;
        for (last, byte) in text.iter().enumerate() {
            window = slide(window, *byte);
            if self.begins(window)
                && let Some(start) = (last + 1).checked_sub(WINDOW_BYTES)
                && let Some(found) = self.compare(text, window % WINDOWS, start, &mut visit)
            {
                return Some(found);
            }
        }
        None
    }

    /// Whether a needle begins with the window.
    #[inline]
    fn begins(&self, window: usize) -> bool {
        let window = window % WINDOWS;
        self.begins.get(window / 64).is_some_and(|word| word >> (window % 64) & 1 != 0)
    }

    #[cold]
    fn compare<T>(
        &self,
        text: &[u8],
        window: usize,
        start: usize,
        visit: &mut impl FnMut(usize, usize, usize) -> Option<T>,
    ) -> Option<T> {
        let first = self.needles.partition_point(|(other, ..)| *other < window);
        let same = self.needles.iter().skip(first).take_while(|(other, ..)| *other == window);
        for (_, needle, index) in same {
            let end = start + needle.len();
            if text.get(start..end).is_some_and(|found| found.eq_ignore_ascii_case(needle))
                && let Some(found) = visit(*index, start, end)
            {
                return Some(found);
            }
        }
        None
    }
}

/// The window one byte on; what has left it stays above the bits that count.
#[inline]
fn slide(window: usize, byte: u8) -> usize {
    window << CLASS_BITS | usize::from(CLASSES[usize::from(byte)])
}

fn window_of(bytes: [u8; WINDOW_BYTES]) -> usize {
    bytes.into_iter().fold(0, slide) % WINDOWS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_needle_is_found_wherever_it_stands(
            needles in prop::collection::vec("[a-cA-C_:0]{3,6}", 1..6), text in "[a-cA-C_:0é]{0,40}",
        ) {
            let matcher = Matcher::new(needles.iter().map(String::as_str));
            let mut found = Vec::new();
            let stopped: Option<()> = matcher.find(text.as_bytes(), |index, start, end| {
                found.push((start, end, index));
                None
            });
            prop_assert_eq!(stopped, None);
            let mut expected = Vec::new();
            for (index, needle) in needles.iter().enumerate() {
                for start in 0..text.len() {
                    let end = start + needle.len();
                    let here = text.as_bytes().get(start..end);
                    if here.is_some_and(|it| it.eq_ignore_ascii_case(needle.as_bytes())) {
                        expected.push((start, end, index));
                    }
                }
            }
            prop_assert!(found.is_sorted_by_key(|(start, ..)| *start));
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
