//! Where a bundle's bytes come from: anything that gives the bytes at an offset.
//!
//! Opening files is for the caller, who knows which paths to follow. Two reads of one offset give the same bytes:
//! whoever lets a bundle change while it is verified has verified neither version.

use std::fs::File;
use std::io;

/// A bundle's bytes, readable from many threads at once.
pub trait ReadAt: Sync {
    /// Reads some bytes at `offset` into `buffer`; 0 at the end.
    ///
    /// # Errors
    ///
    /// What the medium says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are.
    ///
    /// # Errors
    ///
    /// What the medium says.
    fn size_bytes(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::os::unix::fs::FileExt::read_at(self, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buffer)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.as_slice().size_bytes()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        (**self).size_bytes()
    }
}

/// Fills `buffer` from `offset`.
///
/// # Errors
///
/// `UnexpectedEof` where the source ends before, which it does not within its own size.
pub(crate) fn read_exact_at(
    source: &dyn ReadAt,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = source.read_at(offset, buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += count as u64;
        buffer = &mut buffer[count..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_gives_what_lies_at_an_offset_and_no_more() {
        let bytes = b"abcdef".to_vec();
        let mut buffer = [0; 4];
        assert_eq!(ReadAt::read_at(&bytes, 4, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer[..2], b"ef");
        assert_eq!(ReadAt::read_at(&bytes, u64::MAX, &mut buffer).unwrap(), 0);
        assert!(read_exact_at(&bytes, 3, &mut buffer).is_err());
        read_exact_at(&bytes, 2, &mut buffer).unwrap();
        assert_eq!(&buffer, b"cdef");
    }
}
