//! A body in chunks (RFC 9112 §7.1), without extensions and trailers: nothing else is framed the same by everyone.

/// Hexadecimal digits of a chunk's size: 4 GiB and more is a lie.
const SIZE_DIGITS_MAX: u8 = 8;

/// What became of some bytes.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// All of them belong to the body, which goes on.
    More,
    /// So many of them belong to the body, which ends there.
    Done(usize),
    /// They are not of the form.
    Refused(&'static str),
}

/// What is expected next.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Size { value: u64, digits: u8 },
    SizeLineFeed { value: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
    EndReturn,
    EndLineFeed,
}

/// Where in a body in chunks its reader stands.
pub(super) struct Chunks(Expected);

impl Chunks {
    pub(super) fn new() -> Self {
        Self(Expected::Size { value: 0, digits: 0 })
    }

    /// Reads on.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut index = 0;
        while index < bytes.len() {
            let byte = bytes[index];
            index += 1;
            self.0 = match (self.0, byte) {
                (Expected::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                    if digits == SIZE_DIGITS_MAX {
                        return Progress::Refused("a chunk is too large");
                    }
                    let digit = char::from(byte).to_digit(16).unwrap_or_default();
                    Expected::Size { value: value * 16 + u64::from(digit), digits: digits + 1 }
                }
                (Expected::Size { value, digits: 1.. }, b'\r') => Expected::SizeLineFeed { value },
                (Expected::SizeLineFeed { value: 0 }, b'\n') => Expected::EndReturn,
                (Expected::SizeLineFeed { value }, b'\n') => Expected::Data { left: value },
                (Expected::Data { left }, _) => {
                    let rest = (bytes.len() - index) as u64;
                    let skipped = (left - 1).min(rest);
                    index += skipped as usize;
                    match left - 1 - skipped {
                        0 => Expected::DataReturn,
                        left => Expected::Data { left },
                    }
                }
                (Expected::DataReturn, b'\r') => Expected::DataLineFeed,
                (Expected::DataLineFeed, b'\n') => Expected::Size { value: 0, digits: 0 },
                (Expected::EndReturn, b'\r') => Expected::EndLineFeed,
                (Expected::EndLineFeed, b'\n') => return Progress::Done(index),
                _ => return Progress::Refused("the chunks of the body are not of the plain form"),
            };
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: &[u8]) -> Progress {
        Chunks::new().advance(body)
    }

    #[test]
    fn plain_chunks_are_read_to_their_end_however_they_are_cut() {
        let body = b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nGET /";
        let length = body.len() - 5;
        assert_eq!(whole(body), Progress::Done(length));
        for cut in 1..length {
            let mut chunks = Chunks::new();
            assert_eq!(chunks.advance(&body[..cut]), Progress::More, "{cut}");
            assert_eq!(chunks.advance(&body[cut..]), Progress::Done(length - cut), "{cut}");
        }
    }

    #[test]
    fn whatever_others_may_read_otherwise_is_refused() {
        for body in [
            &b"5;a=b\r\nhello\r\n"[..],
            b"5\nhello\n",
            b"5 \r\n",
            b" 5\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n",
            b"123456789\r\n",
            b"0\r\nTrailer: x\r\n\r\n",
            b"0\r\n\n",
        ] {
            let read = whole(body);
            assert!(
                matches!(read, Progress::Refused(_)),
                "{:?}: {read:?}",
                String::from_utf8_lossy(body)
            );
        }
    }
}
