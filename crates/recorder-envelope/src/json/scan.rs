//! Finds the end of the plain run of a JSON string, eight bytes at a time, and 32 in long runs.
//!
//! Knows nothing of UTF-8: the text was validated before, and no byte of a multi-byte character looks like a
//! quote, a backslash or a control character.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The first index at or after `at` of a quote, a backslash or a byte below 0x20; the length when there is none.
#[inline]
pub fn plain_end(bytes: &[u8], at: usize) -> usize {
    // Most strings end within two words.
    let mut at = at;
    for _ in 0..2 {
        let Some((chunk, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) else {
            return tail_end(bytes, at);
        };
        let special = special_bytes(u64::from_le_bytes(*chunk));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    long_end(bytes, at)
}

/// Bytes that are copied at once where a run is short.
const SHORT_BYTES: usize = 32;

/// Appends the run of `bytes` from `start` to `end`. Most are short, so more is copied than is wanted, and taken back: that
/// needs no look at the length.
#[inline]
pub fn append_run(out: &mut Vec<u8>, bytes: &[u8], start: usize, end: usize) {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = end.saturating_sub(start);
    match rest.first_chunk::<SHORT_BYTES>() {
        Some(chunk) if length <= SHORT_BYTES => {
            let before = out.len();
            out.extend_from_slice(chunk);
            out.truncate(before + length);
        }
        _ => out.extend_from_slice(rest.get(..length).unwrap_or_default()),
    }
}

/// Goes on where a run is long.
fn long_end(bytes: &[u8], mut at: usize) -> usize {
    let is_special = |byte: &u8| u8::from((*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'));
    // Without a branch for each byte, so that the compiler can take all of them at once.
    let has_special = |chunk: &[u8; 32]| chunk.iter().fold(0, |any, byte| any | is_special(byte));
    while bytes.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|it| has_special(it) == 0) {
        at += 32;
    }
    while let Some((chunk, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let special = special_bytes(u64::from_le_bytes(*chunk));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    tail_end(bytes, at)
}

/// Looks at what is left byte by byte.
#[inline]
fn tail_end(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// Sets the high bit of each special byte. Borrows can set bits above the first special byte, never below it,
/// so the lowest set bit is exact.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::{append_run, plain_end};

    #[test]
    fn every_byte_value_at_every_place_of_a_word_is_classified_alike() {
        for byte in 0..=u8::MAX {
            for place in 0..99 {
                let mut bytes = [b'a'; 99];
                bytes[place] = byte;
                let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(
                    plain_end(&bytes, 0),
                    if special { place } else { 99 },
                    "{byte} at {place}"
                );
            }
        }
    }

    #[test]
    fn a_run_is_appended_and_nothing_beside_it() {
        let bytes = (0..99).collect::<Vec<u8>>();
        for start in 0..=bytes.len() {
            for end in start..=bytes.len() {
                let mut out = b"before".to_vec();
                append_run(&mut out, &bytes, start, end);
                assert_eq!(out, [b"before", &bytes[start..end]].concat());
            }
        }
    }

    #[test]
    fn the_first_of_two_special_bytes_wins() {
        for first in [0x00, 0x1F, b'"', b'\\'] {
            for second in [0x00, 0x1F, b'"', b'\\', 0x21, 0x5D, 0x20, 0x80, 0xFF] {
                let bytes = [0x21, 0x80, first, second, first, 0x23, 0x5B, 0x20];
                assert_eq!(plain_end(&bytes, 0), 2);
            }
        }
    }
}
