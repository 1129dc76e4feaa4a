//! Bodies that were compressed: gzip, whole, and never more of it than a body may have.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::bufread::GzDecoder;

use crate::refusal::Refusal;

/// How gzip begins (RFC 1952 §2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// How a body is coded on top of its encoding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip.
    Gzip,
}

impl Coding {
    /// Reads a `Content-Encoding`; no header is `Identity`.
    ///
    /// # Errors
    ///
    /// `ContentCoding` for anything but `gzip`, `x-gzip` and `identity`, in any case.
    pub fn from_header(value: &str) -> Result<Self, Refusal> {
        match value.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(Refusal::ContentCoding),
        }
    }

    /// Looks at how a file begins. Neither JSON nor a request in protobuf begins like gzip.
    pub fn of_file(bytes: &[u8]) -> Self {
        if bytes.starts_with(&GZIP_MAGIC) { Self::Gzip } else { Self::Identity }
    }

    /// The body without its coding.
    ///
    /// # Errors
    ///
    /// `BodyTooLarge` as soon as there are more than `bytes_max`, `Gzip` for a stream that ends early, contradicts its
    /// checksum, or has anything behind its end.
    pub fn decode(self, body: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, Refusal> {
        let too_large = Refusal::BodyTooLarge { bytes_max };
        match self {
            Self::Identity if body.len() > bytes_max => Err(too_large),
            Self::Identity => Ok(Cow::Borrowed(body)),
            Self::Gzip => {
                let mut decoder = GzDecoder::new(body);
                let mut inflated = Vec::new();
                let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
                let read = decoder.by_ref().take(bound).read_to_end(&mut inflated);
                if inflated.len() > bytes_max {
                    return Err(too_large);
                }
                read.map_err(|_| Refusal::Gzip)?;
                if !decoder.into_inner().is_empty() {
                    return Err(Refusal::Gzip);
                }
                Ok(Cow::Owned(inflated))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_whole_stream_is_inflated_up_to_the_bound_and_no_further() {
        let packed = gzip(&[b'x'; 1000]);
        assert_eq!(*Coding::Gzip.decode(&packed, 1000).unwrap(), [b'x'; 1000]);
        assert_eq!(
            Coding::Gzip.decode(&packed, 999),
            Err(Refusal::BodyTooLarge { bytes_max: 999 })
        );
        assert_eq!(Coding::of_file(&packed), Coding::Gzip);
        assert_eq!(Coding::of_file(b"{}"), Coding::Identity);
    }

    #[test]
    fn every_cut_every_flipped_trailer_and_anything_behind_is_refused() {
        let packed = gzip(b"a body of some length, so that there is something to cut");
        for end in 0..packed.len() {
            let cut = packed.get(..end).unwrap();
            assert_eq!(Coding::Gzip.decode(cut, 1000), Err(Refusal::Gzip), "{end}");
        }
        for place in packed.len() - 8..packed.len() {
            let mut wrong = packed.clone();
            wrong[place] ^= 1;
            assert_eq!(Coding::Gzip.decode(&wrong, 1000), Err(Refusal::Gzip), "{place}");
        }
        let mut longer = packed.clone();
        longer.push(0);
        assert_eq!(Coding::Gzip.decode(&longer, 1000), Err(Refusal::Gzip));
        let twice = [packed.clone(), packed].concat();
        assert_eq!(Coding::Gzip.decode(&twice, 1000), Err(Refusal::Gzip));
    }

    #[test]
    fn headers_name_codings_in_any_case() {
        assert_eq!(Coding::from_header(" GZIP ").unwrap(), Coding::Gzip);
        assert_eq!(Coding::from_header("identity").unwrap(), Coding::Identity);
        for other in ["deflate", "br", "gzip, gzip", "zstd"] {
            assert_eq!(Coding::from_header(other), Err(Refusal::ContentCoding));
        }
    }
}
