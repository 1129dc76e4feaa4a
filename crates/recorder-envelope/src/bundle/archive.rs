//! The deterministic ZIP writer of bundle archives (evidence format §7; PKWARE APPNOTE 6.3).
//!
//! The same members give the same bytes everywhere: headers hold nothing but names, sizes and checksums. Sizes
//! are known before a member is written, so the writer streams: no seeking, no data descriptors. A strict reader
//! needs no second description of the layout: [`local_header`], [`central_header`] and [`end_of_archive`] give the
//! only bytes that it may find.
//!
//! Deliberately absent: compression and checksums, which the caller brings; times, attributes, comments and extra
//! fields other than ZIP64's.

use std::io::{self, Read, Write};

/// First bytes of a local header.
pub const LOCAL_SIGNATURE: u32 = 0x0403_4b50;

/// First bytes of a central directory entry.
pub const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;

/// First bytes of the end record.
pub const END_SIGNATURE: u32 = 0x0605_4b50;

/// First bytes of the ZIP64 end record.
pub const ZIP64_END_SIGNATURE: u32 = 0x0606_4b50;

/// First bytes of the ZIP64 end locator.
pub const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;

/// Bytes of a local header before the name.
pub const LOCAL_HEADER_BYTES: usize = 30;

/// Bytes of a central directory entry before the name.
pub const CENTRAL_HEADER_BYTES: usize = 46;

/// Bytes of the end record, which has no comment.
pub const END_BYTES: usize = 22;

/// Bytes of the ZIP64 end record.
pub const ZIP64_END_BYTES: usize = 56;

/// Bytes of the ZIP64 end locator.
pub const ZIP64_LOCATOR_BYTES: usize = 20;

/// Made by version 4.5 of the specification on MS-DOS, whatever made it: the host would be a fingerprint.
pub const VERSION_MADE_BY: u16 = 45;

/// Version 2.0 reads a member: deflate, folders in names.
pub const VERSION_NEEDED: u16 = 20;

/// Version 4.5 reads a member or an archive with ZIP64 fields.
pub const VERSION_NEEDED_ZIP64: u16 = 45;

/// No encryption, no data descriptor; names are ASCII, so that none needs the UTF-8 bit.
pub const FLAGS: u16 = 0;

/// Midnight.
pub const DOS_TIME: u16 = 0;

/// 1980-01-01, the first day that MS-DOS knows.
pub const DOS_DATE: u16 = 0x0021;

/// Header of the ZIP64 extra field.
pub const ZIP64_EXTRA_ID: u16 = 0x0001;

/// What stands in a 32-bit field whose value is in the ZIP64 extra field; values from here on do not fit.
pub const FIELD32_FULL: u32 = u32::MAX;

/// What stands in the end record's 16-bit counts when the ZIP64 end record holds the count.
pub const FIELD16_FULL: u16 = u16::MAX;

/// How a member's bytes are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// As they are.
    Stored,
    /// As one raw RFC 1951 stream.
    Deflate,
}

impl Method {
    /// The number of the method in both headers.
    pub const fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
        }
    }

    /// The method of that number; archives have no others.
    pub const fn of_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// What the headers say of one member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member<'a> {
    /// Its name: ASCII, at most 65,535 bytes.
    pub name: &'a str,
    /// How its bytes are stored.
    pub method: Method,
    /// CRC-32 of its bytes, uncompressed. The writer takes the caller's word.
    pub crc32: u32,
    /// Its bytes, uncompressed.
    pub size_bytes: u64,
    /// The bytes that it takes in the archive, headers apart.
    pub stored_bytes: u64,
}

impl Member<'_> {
    /// Sizes go into the ZIP64 field as a pair, as local headers demand.
    const fn has_large_size(&self) -> bool {
        self.size_bytes >= FIELD32_FULL as u64 || self.stored_bytes >= FIELD32_FULL as u64
    }

    /// Both headers of a member name one version, so the offset counts even in the local one.
    const fn version_needed(&self, offset: u64) -> u16 {
        if self.has_large_size() || offset >= FIELD32_FULL as u64 {
            VERSION_NEEDED_ZIP64
        } else {
            VERSION_NEEDED
        }
    }

    fn check(&self) -> io::Result<()> {
        let fits = self.name.len() <= usize::from(u16::MAX);
        if self.name.is_empty() || !self.name.is_ascii() || !fits {
            return Err(invalid("a member's name is 1 to 65,535 ASCII characters"));
        }
        if self.method == Method::Stored && self.size_bytes != self.stored_bytes {
            return Err(invalid("a stored member takes as many bytes as it has"));
        }
        Ok(())
    }
}

/// The local header of `member` at `offset`, name and ZIP64 field included.
pub fn local_header(member: &Member<'_>, offset: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(LOCAL_HEADER_BYTES + member.name.len());
    put32(&mut header, LOCAL_SIGNATURE);
    let extra = zip64_extra(member, None);
    put_common(&mut header, member, offset, extra.len());
    header.extend_from_slice(member.name.as_bytes());
    header.extend_from_slice(&extra);
    header
}

/// The central directory entry of `member`, whose local header is at `offset`; name and ZIP64 field included.
pub fn central_header(member: &Member<'_>, offset: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(CENTRAL_HEADER_BYTES + member.name.len());
    put32(&mut header, CENTRAL_SIGNATURE);
    put16(&mut header, VERSION_MADE_BY);
    let extra = zip64_extra(member, Some(offset));
    put_common(&mut header, member, offset, extra.len());
    // No comment, disk 0, no internal attributes.
    header.extend_from_slice(&[0; 6]);
    // No external attributes either.
    put32(&mut header, 0);
    put32(&mut header, field32(offset));
    header.extend_from_slice(member.name.as_bytes());
    header.extend_from_slice(&extra);
    header
}

/// What follows the central directory: the end record, before it the ZIP64 ones where a number does not fit.
pub fn end_of_archive(member_count: u64, directory_offset: u64, directory_bytes: u64) -> Vec<u8> {
    let mut end = Vec::with_capacity(ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES + END_BYTES);
    let large = member_count >= u64::from(FIELD16_FULL)
        || directory_offset >= u64::from(FIELD32_FULL)
        || directory_bytes >= u64::from(FIELD32_FULL);
    if large {
        put_zip64_end(&mut end, member_count, directory_offset, directory_bytes);
    }
    put32(&mut end, END_SIGNATURE);
    // This disk is disk 0, and so is the directory's.
    put32(&mut end, 0);
    let count = u16::try_from(member_count).unwrap_or(FIELD16_FULL);
    put16(&mut end, count);
    put16(&mut end, count);
    put32(&mut end, field32(directory_bytes));
    put32(&mut end, field32(directory_offset));
    // No comment.
    put16(&mut end, 0);
    end
}

fn put_zip64_end(
    end: &mut Vec<u8>,
    member_count: u64,
    directory_offset: u64,
    directory_bytes: u64,
) {
    put32(end, ZIP64_END_SIGNATURE);
    // The record's own size leaves out its first twelve bytes.
    put64(end, ZIP64_END_BYTES as u64 - 12);
    put16(end, VERSION_MADE_BY);
    put16(end, VERSION_NEEDED_ZIP64);
    put64(end, 0);
    put64(end, member_count);
    put64(end, member_count);
    put64(end, directory_bytes);
    put64(end, directory_offset);
    put32(end, ZIP64_LOCATOR_SIGNATURE);
    put32(end, 0);
    put64(end, directory_offset + directory_bytes);
    put32(end, 1);
}

/// From "version needed" to the length of the extra field: the same in both headers.
fn put_common(header: &mut Vec<u8>, member: &Member<'_>, offset: u64, extra_bytes: usize) {
    put16(header, member.version_needed(offset));
    put16(header, FLAGS);
    put16(header, member.method.number());
    put16(header, DOS_TIME);
    put16(header, DOS_DATE);
    put32(header, member.crc32);
    let large = member.has_large_size();
    put32(header, if large { FIELD32_FULL } else { field32(member.stored_bytes) });
    put32(header, if large { FIELD32_FULL } else { field32(member.size_bytes) });
    put16(header, u16::try_from(member.name.len()).unwrap_or(u16::MAX));
    put16(header, u16::try_from(extra_bytes).unwrap_or(u16::MAX));
}

/// The ZIP64 extra field, or nothing where all fits: both sizes, then the offset (central directory only).
fn zip64_extra(member: &Member<'_>, offset: Option<u64>) -> Vec<u8> {
    let mut values = Vec::new();
    if member.has_large_size() {
        put64(&mut values, member.size_bytes);
        put64(&mut values, member.stored_bytes);
    }
    if let Some(offset) = offset.filter(|offset| *offset >= u64::from(FIELD32_FULL)) {
        put64(&mut values, offset);
    }
    if values.is_empty() {
        return values;
    }
    let mut extra = Vec::with_capacity(4 + values.len());
    put16(&mut extra, ZIP64_EXTRA_ID);
    put16(&mut extra, u16::try_from(values.len()).unwrap_or(u16::MAX));
    extra.extend_from_slice(&values);
    extra
}

fn field32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(FIELD32_FULL)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Bytes that are copied at once.
const PIECE_BYTES: usize = 128 << 10;

/// Writes an archive from its first byte to its last: members contiguous from offset 0, then the directory.
///
/// What was written is no archive until `finish` has returned. After an error every further call fails.
pub struct ArchiveWriter<W: Write> {
    inner: W,
    offset: u64,
    member_count: u64,
    directory: Vec<u8>,
    piece: Vec<u8>,
    failed: bool,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive at the writer's next byte.
    pub fn new(inner: W) -> Self {
        let (directory, piece) = (Vec::new(), Vec::new());
        Self { inner, offset: 0, member_count: 0, directory, piece, failed: false }
    }

    /// Writes the next member: its header, then exactly `stored_bytes` bytes of `data`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name that is not ASCII or sizes that contradict the method, `UnexpectedEof` where
    /// `data` gives fewer bytes, `InvalidData` where it gives more; else what the reader or the writer says.
    pub fn member(&mut self, member: &Member<'_>, data: &mut dyn Read) -> io::Result<()> {
        self.latched(|writer| writer.write_member(member, data))
    }

    /// Writes the directory and the end record, flushes, and gives the writer back.
    ///
    /// # Errors
    ///
    /// What the writer says, or that an earlier call failed.
    pub fn finish(mut self) -> io::Result<W> {
        self.latched(|writer| {
            writer.inner.write_all(&writer.directory)?;
            let bytes = writer.directory.len() as u64;
            let end = end_of_archive(writer.member_count, writer.offset, bytes);
            writer.inner.write_all(&end)?;
            writer.inner.flush()
        })?;
        Ok(self.inner)
    }

    // Half a member cannot be taken back, and a directory that leaves it out would leave a gap.
    fn latched(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write to the archive failed"));
        }
        self.failed = true;
        step(self)?;
        self.failed = false;
        Ok(())
    }

    fn write_member(&mut self, member: &Member<'_>, data: &mut dyn Read) -> io::Result<()> {
        member.check()?;
        let header = local_header(member, self.offset);
        let taken = (header.len() as u64).checked_add(member.stored_bytes);
        let end = taken.and_then(|taken| self.offset.checked_add(taken));
        let end = end.ok_or(invalid("the archive is longer than 2^64 bytes"))?;
        self.inner.write_all(&header)?;
        self.copy(data, member.stored_bytes)?;
        if io::copy(&mut data.take(1), &mut io::sink())? != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the member's data is long"));
        }
        self.directory.extend_from_slice(&central_header(member, self.offset));
        self.offset = end;
        self.member_count += 1;
        Ok(())
    }

    /// Copies exactly `count` bytes, in pieces that are large enough for a file on either side.
    fn copy(&mut self, data: &mut dyn Read, count: u64) -> io::Result<()> {
        let mut data = data.take(count);
        self.piece.resize(PIECE_BYTES, 0);
        loop {
            let read = match data.read(&mut self.piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.inner.write_all(&self.piece[..read])?;
        }
        if data.limit() == 0 {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the member's data is short"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: Member<'_> = Member {
        name: "a.txt",
        method: Method::Stored,
        crc32: 0x3610_a686,
        size_bytes: 5,
        stored_bytes: 5,
    };

    fn archive(members: &[(Member<'_>, &[u8])]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new());
        for (member, data) in members {
            writer.member(member, &mut &**data).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn every_byte_of_a_small_archive_is_known() {
        let hex = concat!(
            "504b03041400000000000000210086a610360500000005000000",
            "05000000612e74787468656c6c6f",
            "504b01022d001400000000000000210086a61036050000000500000005000000000000000000000000000000",
            "0000612e747874",
            "504b0506000000000100010033000000280000000000",
        );
        assert_eq!(faster_hex::hex_string(&archive(&[(GREETING, b"hello")])), hex);
    }

    #[test]
    fn an_empty_archive_is_its_end_record() {
        assert_eq!(archive(&[]), [b"PK\x05\x06".as_slice(), &[0; 18]].concat());
    }

    #[test]
    fn data_must_have_the_length_that_was_announced() {
        for (data, kind) in [
            (b"hell".as_slice(), io::ErrorKind::UnexpectedEof),
            (b"hello!".as_slice(), io::ErrorKind::InvalidData),
        ] {
            let mut writer = ArchiveWriter::new(Vec::new());
            let mut reader = data;
            assert_eq!(writer.member(&GREETING, &mut reader).unwrap_err().kind(), kind);
            assert!(writer.member(&GREETING, &mut b"hello".as_slice()).is_err());
            assert!(writer.finish().is_err());
        }
    }

    #[test]
    fn names_and_sizes_that_no_header_can_say_are_refused() {
        let long = "a".repeat(65_536);
        for member in [
            Member { name: "é", ..GREETING },
            Member { name: "", ..GREETING },
            Member { name: &long, ..GREETING },
            Member { size_bytes: 6, ..GREETING },
        ] {
            let mut writer = ArchiveWriter::new(Vec::new());
            let refused = writer.member(&member, &mut b"hello".as_slice()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        }
    }

    /// Counts all bytes and keeps those of short writes, which the headers are.
    #[derive(Default)]
    struct Headers {
        written: u64,
        headers: Vec<u8>,
    }

    impl Write for Headers {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written += bytes.len() as u64;
            if bytes.len() < 512 {
                self.headers.extend_from_slice(bytes);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Bytes without end, whatever the buffer held: nobody looks at them.
    struct Anything;

    impl Read for Anything {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
    }

    #[test]
    fn what_does_not_fit_32_bits_stands_in_zip64_fields() {
        let size_bytes = 5 << 30;
        let large = Member { name: "l", size_bytes, stored_bytes: size_bytes, ..GREETING };
        let mut writer = ArchiveWriter::new(Headers::default());
        writer.member(&large, &mut Anything.take(size_bytes)).unwrap();
        writer.member(&GREETING, &mut b"hello".as_slice()).unwrap();
        let Headers { written, headers } = writer.finish().unwrap();

        let (first, second) = (local_header(&large, 0), local_header(&GREETING, size_bytes + 51));
        assert_eq!(first.len(), LOCAL_HEADER_BYTES + 1 + 20);
        assert_eq!(first[4], 45);
        assert_eq!(first[18..26], [0xff; 8]);
        let sizes = [size_bytes.to_le_bytes(), size_bytes.to_le_bytes()].concat();
        assert_eq!(first[31..], [[1, 0, 16, 0].as_slice(), &sizes].concat());
        // The small member after it: only its offset is large, only the directory says so.
        assert_eq!((second[4], second.len()), (45, LOCAL_HEADER_BYTES + 5));
        let entry = central_header(&GREETING, size_bytes + 51);
        let offset = (size_bytes + 51).to_le_bytes();
        assert_eq!(entry[51..], [[1, 0, 8, 0].as_slice(), &offset].concat());

        let directory = [central_header(&large, 0), entry].concat();
        let directory_offset = size_bytes + 51 + 35 + 5;
        let end = end_of_archive(2, directory_offset, directory.len() as u64);
        assert_eq!(end.len(), ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES + END_BYTES);
        assert_eq!(headers, [first, second, b"hello".to_vec(), directory, end].concat());
        assert_eq!(written, size_bytes + headers.len() as u64);
    }

    #[test]
    fn the_zip64_end_record_begins_with_the_first_number_that_does_not_fit() {
        assert_eq!(end_of_archive(65_534, 0xffff_fffe, 0xffff_fffe).len(), END_BYTES);
        for (count, offset, bytes) in [(65_535, 0, 0), (0, 0xffff_ffff, 0), (0, 0, 0xffff_ffff)] {
            assert!(end_of_archive(count, offset, bytes).len() > END_BYTES);
        }
    }
}
