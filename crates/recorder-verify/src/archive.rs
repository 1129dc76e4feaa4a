//! A ZIP reader that accepts exactly what the writer of bundles makes, and nothing else (evidence format §7).
//!
//! Each header is taken apart only to write it again: bytes that differ from the writer's are refused, and with
//! them every comment, extra field, flag, time and attribute that could carry something unseen. Members follow
//! one another from the first byte to the directory, which the end record follows: there is no byte of the file
//! that nothing accounts for. All headers are checked before any member is read.

use std::collections::BTreeSet;

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};
use recorder_envelope::bundle::archive::{
    CENTRAL_HEADER_BYTES, CENTRAL_SIGNATURE, END_BYTES, END_SIGNATURE, FIELD16_FULL, FIELD32_FULL,
    FLAGS, LOCAL_HEADER_BYTES, LOCAL_SIGNATURE, Member, Method, ZIP64_END_BYTES,
    ZIP64_END_SIGNATURE, ZIP64_LOCATOR_BYTES, ZIP64_LOCATOR_SIGNATURE, central_header,
    end_of_archive, local_header,
};

use crate::finding::{Finding, FindingCode, Place};
use crate::limits::{VerifyError, VerifyLimits};
use crate::source::{ReadAt, read_exact_at};

/// Bytes of the longest name of a member.
pub const NAME_BYTES_MAX: usize = 255;

/// Compressed bytes that are read at once.
const INPUT_BYTES: usize = 32 << 10;

/// Bytes of the directory that are read at once.
const DIRECTORY_BUFFER_BYTES: usize = 64 << 10;

/// How far back a deflate stream copies at most.
const DISTANCE_MAX: usize = 32 << 10;

/// Stored bytes in which as many plain ones must come, or all there are.
const BEGINNING_STORED_BYTES: usize = 1 << 20;

/// Bytes of the smallest member: a local header and a name of one byte.
const MEMBER_BYTES_MIN: u64 = LOCAL_HEADER_BYTES as u64 + 1;

/// Why a container, or a member of it, was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not what a writer of bundles makes.
    #[error("{}: {}: {}", .0.place(), .0.code(), .0.detail())]
    Refused(Finding),
    /// It could not be judged.
    #[error(transparent)]
    Failed(VerifyError),
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(VerifyError::Io(error))
    }
}

impl From<VerifyError> for ReadError {
    fn from(error: VerifyError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) fn refuse(code: FindingCode, place: Place, detail: impl Into<Box<str>>) -> ReadError {
    ReadError::Refused(Finding::new(code, place, detail))
}

/// One member of an archive, as its two headers agree on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArchiveMember {
    name: Box<str>,
    method: Method,
    crc32: u32,
    size_bytes: u64,
    stored_bytes: u64,
    header_offset: u64,
}

impl ArchiveMember {
    /// Its name: relative, plain ASCII, unlike every other even in another case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes, uncompressed.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes that it takes in the archive, headers apart.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Where its local header begins.
    pub fn header_offset(&self) -> u64 {
        self.header_offset
    }

    /// Where its stored bytes begin.
    pub fn data_offset(&self) -> u64 {
        self.header_offset + local_header(&self.header(), self.header_offset).len() as u64
    }

    fn header(&self) -> Member<'_> {
        Member {
            name: &self.name,
            method: self.method,
            crc32: self.crc32,
            size_bytes: self.size_bytes,
            stored_bytes: self.stored_bytes,
        }
    }

    fn place(&self) -> Place {
        Place::Part(self.name.clone())
    }

    fn end(&self) -> Option<u64> {
        self.data_offset().checked_add(self.stored_bytes)
    }
}

/// An archive whose every header was found to be the writer's.
pub struct Archive<'a> {
    source: &'a dyn ReadAt,
    members: Vec<ArchiveMember>,
}

/// Where the directory is, as the end record says.
struct Directory {
    member_count: u64,
    offset: u64,
    size_bytes: u64,
}

impl<'a> Archive<'a> {
    /// Reads and checks all headers.
    ///
    /// # Errors
    ///
    /// `Refused` for whatever no writer of bundles makes, `Failed` where the medium or a limit says so.
    pub fn open(source: &'a dyn ReadAt, limits: &VerifyLimits) -> Result<Self, ReadError> {
        let directory = read_end(source)?;
        let members = read_directory(source, &directory)?;
        check_names(&members)?;
        check_layout(&members, &directory, limits)?;
        let archive = Self { source, members };
        archive.check_local_headers()?;
        Ok(archive)
    }

    /// The members in the order in which they stand.
    pub fn members(&self) -> &[ArchiveMember] {
        &self.members
    }

    /// Starts to read one member.
    pub fn reader(&self, member: &ArchiveMember) -> ArchiveReader<'a> {
        ArchiveReader {
            source: self.source,
            place: member.place(),
            offset: member.data_offset(),
            stored_left: member.stored_bytes,
            size_left: member.size_bytes,
            crc32: Hasher::new(),
            crc32_expected: member.crc32,
            inflate: (member.method == Method::Deflate).then(Inflate::new),
            sound: member.method == Method::Stored,
        }
    }

    fn check_local_headers(&self) -> Result<(), ReadError> {
        for member in &self.members {
            let expected = local_header(&member.header(), member.header_offset);
            let mut found = vec![0; expected.len()];
            read_exact_at(self.source, member.header_offset, &mut found)?;
            if found != expected {
                return Err(local_header_refusal(&found, member));
            }
        }
        Ok(())
    }
}

fn local_header_refusal(found: &[u8], member: &ArchiveMember) -> ReadError {
    let (code, detail) = if u32_at(found, 0) != LOCAL_SIGNATURE {
        (FindingCode::ArchiveNotContiguous, "no local header where the directory says")
    } else if u16_at(found, 6) & 1 != 0 {
        (FindingCode::MemberEncrypted, "the local header says that the member is encrypted")
    } else {
        (FindingCode::ArchiveHeaderMismatch, "the local header disagrees with the directory")
    };
    refuse(code, member.place(), detail)
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let field = bytes.get(offset..offset + 2).and_then(|field| field.try_into().ok());
    field.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..offset + 4).and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let field = bytes.get(offset..offset + 8).and_then(|field| field.try_into().ok());
    field.map_or(0, u64::from_le_bytes)
}

/// Reads the end record, and the ZIP64 ones before it, and requires that they are what the writer makes.
fn read_end(source: &dyn ReadAt) -> Result<Directory, ReadError> {
    let missing =
        || refuse(FindingCode::ArchiveEndMissing, Place::Bundle, "no end record at the end");
    let file_bytes = source.size_bytes()?;
    let end_offset = file_bytes.checked_sub(END_BYTES as u64).ok_or_else(missing)?;
    let mut end = [0; END_BYTES];
    read_exact_at(source, end_offset, &mut end)?;
    if u32_at(&end, 0) != END_SIGNATURE {
        return Err(missing());
    }
    let large = u16_at(&end, 10) == FIELD16_FULL
        || u32_at(&end, 12) == FIELD32_FULL
        || u32_at(&end, 16) == FIELD32_FULL;
    let directory = if large {
        read_zip64_end(source, end_offset)?
    } else {
        Directory {
            member_count: u16_at(&end, 10).into(),
            size_bytes: u32_at(&end, 12).into(),
            offset: u32_at(&end, 16).into(),
        }
    };
    check_end(source, &directory, file_bytes)?;
    Ok(directory)
}

fn read_zip64_end(source: &dyn ReadAt, end_offset: u64) -> Result<Directory, ReadError> {
    let invalid = || {
        refuse(FindingCode::ArchiveEndInvalid, Place::Bundle, "no ZIP64 end record before the end")
    };
    const BYTES: usize = ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES;
    let offset = end_offset.checked_sub(BYTES as u64).ok_or_else(invalid)?;
    let mut records = [0; BYTES];
    read_exact_at(source, offset, &mut records)?;
    if u32_at(&records, 0) != ZIP64_END_SIGNATURE
        || u32_at(&records, ZIP64_END_BYTES) != ZIP64_LOCATOR_SIGNATURE
    {
        return Err(invalid());
    }
    Ok(Directory {
        member_count: u64_at(&records, 32),
        size_bytes: u64_at(&records, 40),
        offset: u64_at(&records, 48),
    })
}

fn check_end(source: &dyn ReadAt, directory: &Directory, file_bytes: u64) -> Result<(), ReadError> {
    let invalid = |detail: &str| refuse(FindingCode::ArchiveEndInvalid, Place::Bundle, detail);
    let misplaced = "the directory does not reach to the end record";
    let directory_end = directory.offset.checked_add(directory.size_bytes);
    let directory_end = directory_end.ok_or_else(|| invalid(misplaced))?;
    let expected = end_of_archive(directory.member_count, directory.offset, directory.size_bytes);
    if directory_end.checked_add(expected.len() as u64) != Some(file_bytes) {
        return Err(refuse(FindingCode::ArchiveDirectoryInvalid, Place::Bundle, misplaced));
    }
    let mut found = vec![0; expected.len()];
    read_exact_at(source, directory_end, &mut found)?;
    if found == expected {
        Ok(())
    } else {
        Err(invalid(
            "the end record is not one that a writer of bundles makes; another program wrote or changed this file",
        ))
    }
}

fn read_directory(
    source: &dyn ReadAt,
    directory: &Directory,
) -> Result<Vec<ArchiveMember>, ReadError> {
    let invalid =
        |detail: &str| refuse(FindingCode::ArchiveDirectoryInvalid, Place::Bundle, detail);
    if directory.member_count > directory.offset / MEMBER_BYTES_MIN
        || directory.member_count > directory.size_bytes / CENTRAL_HEADER_BYTES as u64
    {
        return Err(invalid("more members than the file has room for"));
    }
    let mut bytes = DirectoryBytes {
        source,
        offset: directory.offset,
        left: directory.size_bytes,
        buffer: Vec::new(),
        at: 0,
    };
    let mut members = Vec::new();
    for _ in 0..directory.member_count {
        members.push(read_entry(&mut bytes)?);
    }
    if bytes.is_empty() { Ok(members) } else { Err(invalid("bytes after the last entry")) }
}

/// The directory, read in pieces.
struct DirectoryBytes<'a> {
    source: &'a dyn ReadAt,
    offset: u64,
    left: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl DirectoryBytes<'_> {
    fn is_empty(&self) -> bool {
        self.left == 0 && self.at == self.buffer.len()
    }

    /// The next `count` bytes, which stay unread; fewer where the directory ends.
    fn peek(&mut self, count: usize) -> Result<&[u8], ReadError> {
        if self.buffer.len() - self.at < count && self.left > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
            let kept = self.buffer.len();
            let room = (DIRECTORY_BUFFER_BYTES.max(count) - kept) as u64;
            let more = self.left.min(room);
            self.buffer.resize(kept + more as usize, 0);
            read_exact_at(self.source, self.offset, &mut self.buffer[kept..])?;
            self.offset += more;
            self.left -= more;
        }
        let end = self.buffer.len().min(self.at + count);
        Ok(&self.buffer[self.at..end])
    }
}

/// Reads one entry and requires that it is what the writer makes of the member that it describes.
fn read_entry(bytes: &mut DirectoryBytes<'_>) -> Result<ArchiveMember, ReadError> {
    let invalid =
        |detail: &str| refuse(FindingCode::ArchiveDirectoryInvalid, Place::Bundle, detail);
    let fixed = bytes.peek(CENTRAL_HEADER_BYTES)?;
    if fixed.len() < CENTRAL_HEADER_BYTES || u32_at(fixed, 0) != CENTRAL_SIGNATURE {
        return Err(invalid("an entry does not begin as one"));
    }
    let name_bytes = usize::from(u16_at(fixed, 28));
    let extra_bytes = usize::from(u16_at(fixed, 30));
    let entry = bytes.peek(CENTRAL_HEADER_BYTES + name_bytes + extra_bytes)?;
    let name = entry.get(CENTRAL_HEADER_BYTES..CENTRAL_HEADER_BYTES + name_bytes);
    let name = check_name(name.ok_or_else(|| invalid("an entry is cut short"))?)?;
    let member = member_of_entry(entry, name)?;
    let expected = central_header(&member.header(), member.header_offset);
    if entry != expected {
        let code = FindingCode::ArchiveDirectoryInvalid;
        let detail = "the entry is not one that a writer of bundles makes; another program wrote or changed this file";
        return Err(refuse(code, member.place(), detail));
    }
    bytes.at += expected.len();
    Ok(member)
}

/// Takes an entry apart. The ZIP64 field holds, in this order, what is full in the fixed fields.
fn member_of_entry(entry: &[u8], name: Box<str>) -> Result<ArchiveMember, ReadError> {
    let place = || Place::Part(name.clone());
    let flags = u16_at(entry, 8);
    if flags & 1 != 0 {
        return Err(refuse(FindingCode::MemberEncrypted, place(), "the member is encrypted"));
    }
    if flags != FLAGS {
        let detail = format!("flags {flags:#06x}");
        return Err(refuse(FindingCode::ArchiveDirectoryInvalid, place(), detail));
    }
    let number = u16_at(entry, 10);
    let method = Method::of_number(number).ok_or_else(|| {
        refuse(FindingCode::MemberMethod, place(), format!("compression method {number}"))
    })?;
    let mut extra = CENTRAL_HEADER_BYTES + name.len() + 4;
    let mut wide = |field: u32| {
        if field != FIELD32_FULL {
            return u64::from(field);
        }
        extra += 8;
        u64_at(entry, extra - 8)
    };
    let size_bytes = wide(u32_at(entry, 24));
    let stored_bytes = wide(u32_at(entry, 20));
    let header_offset = wide(u32_at(entry, 42));
    let crc32 = u32_at(entry, 16);
    Ok(ArchiveMember { name, method, crc32, size_bytes, stored_bytes, header_offset })
}

/// Takes a name that is relative, plain ASCII, and leads nowhere but down.
fn check_name(name: &[u8]) -> Result<Box<str>, ReadError> {
    let refused = |detail: &str| Err(refuse(FindingCode::MemberName, Place::Bundle, detail));
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return refused("a name is empty or too long");
    }
    let Some(text) = std::str::from_utf8(name).ok().filter(|name| is_plain(name)) else {
        return refused("a name holds other characters than letters, digits, dot, dash and slash");
    };
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refused("a name is absolute, climbs, or names a folder");
    }
    Ok(text.into())
}

fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/'))
}

fn check_names(members: &[ArchiveMember]) -> Result<(), ReadError> {
    let mut names = BTreeSet::new();
    for member in members {
        if !names.insert(member.name.to_ascii_lowercase()) {
            let detail = "another member has the same name, if only in another case";
            return Err(refuse(FindingCode::MemberRepeated, member.place(), detail));
        }
    }
    Ok(())
}

/// Requires that members follow one another from the first byte to the directory, and inflate within bounds.
fn check_layout(
    members: &[ArchiveMember],
    directory: &Directory,
    limits: &VerifyLimits,
) -> Result<(), ReadError> {
    let gap = |place, detail: &str| Err(refuse(FindingCode::ArchiveNotContiguous, place, detail));
    let mut next = 0;
    for member in members {
        if member.header_offset != next {
            return gap(member.place(), "the member does not begin where the one before ends");
        }
        let Some(end) = member.end().filter(|end| *end <= directory.offset) else {
            return gap(member.place(), "the member reaches into the directory");
        };
        next = end;
        check_sizes(member, limits)?;
    }
    if next == directory.offset {
        Ok(())
    } else {
        gap(Place::Bundle, "the directory does not begin where the last member ends")
    }
}

fn check_sizes(member: &ArchiveMember, limits: &VerifyLimits) -> Result<(), ReadError> {
    if member.method == Method::Stored && member.size_bytes != member.stored_bytes {
        let detail = "a stored member states two sizes";
        return Err(refuse(FindingCode::ArchiveDirectoryInvalid, member.place(), detail));
    }
    if member.size_bytes / limits.inflate_ratio_max.max(1) > member.stored_bytes {
        let detail = format!("{} bytes from {}", member.size_bytes, member.stored_bytes);
        return Err(refuse(FindingCode::MemberRatio, member.place(), detail));
    }
    Ok(())
}

/// Compressed bytes under way.
struct Inflate {
    state: Decompress,
    input: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Inflate {
    fn new() -> Self {
        Self { state: Decompress::new(false), input: Vec::new(), at: 0, ended: false }
    }
}

/// Reads one member from its first byte to its last, and checks its CRC and its sizes on the way.
pub struct ArchiveReader<'a> {
    source: &'a dyn ReadAt,
    place: Place,
    offset: u64,
    stored_left: u64,
    size_left: u64,
    crc32: Hasher,
    crc32_expected: u32,
    inflate: Option<Inflate>,
    /// Whether the deflate stream was found sound to its end, so that its bytes may be given.
    sound: bool,
}

impl ArchiveReader<'_> {
    /// Reads some bytes into `buffer`, which is not empty; 0 at the end, once all checks have passed.
    ///
    /// # Errors
    ///
    /// `Refused` where CRC, sizes or the deflate stream are wrong; `Failed` where the medium fails.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if !self.sound {
            self.require_soundness()?;
        }
        let wanted = buffer.len().min(usize::try_from(self.size_left).unwrap_or(usize::MAX));
        if wanted == 0 {
            self.finish()?;
            return Ok(0);
        }
        let count = match &self.inflate {
            None => self.read_stored(&mut buffer[..wanted])?,
            Some(_) => self.read_inflated(&mut buffer[..wanted])?,
        };
        self.crc32.update(&buffer[..count]);
        self.size_left -= count as u64;
        Ok(count)
    }

    /// Inflates once for nothing: a stream that is malformed anywhere gives no bytes, however far readers come.
    fn require_soundness(&mut self) -> Result<(), ReadError> {
        self.require_sound_beginning()?;
        let mut rehearsal = ArchiveReader {
            source: self.source,
            place: self.place.clone(),
            offset: self.offset,
            stored_left: self.stored_left,
            size_left: self.size_left,
            crc32: Hasher::new(),
            crc32_expected: self.crc32_expected,
            inflate: Some(Inflate::new()),
            sound: true,
        };
        let mut buffer = vec![0; INPUT_BYTES];
        while rehearsal.size_left > 0 {
            let wanted =
                buffer.len().min(usize::try_from(rehearsal.size_left).unwrap_or(usize::MAX));
            rehearsal.size_left -= rehearsal.read_inflated(&mut buffer[..wanted])? as u64;
        }
        rehearsal.finish_inflate()?;
        self.sound = true;
        Ok(())
    }

    /// Requires that nothing is copied from before the first byte. An inflater that is fed in pieces takes that for
    /// zeroes, where others refuse the stream; one that is told to finish at once does not. Later bytes cannot be
    /// copied from there.
    fn require_sound_beginning(&self) -> Result<(), ReadError> {
        let refused =
            |detail: &str| Err(refuse(FindingCode::MemberDeflate, self.place.clone(), detail));
        let stored = self.stored_left.min(BEGINNING_STORED_BYTES as u64);
        let mut input = vec![0; usize::try_from(stored).unwrap_or(BEGINNING_STORED_BYTES)];
        read_exact_at(self.source, self.offset, &mut input)?;
        let plain = self.size_left.min(DISTANCE_MAX as u64);
        let mut output = vec![0; usize::try_from(plain).unwrap_or(DISTANCE_MAX)];
        let mut inflate = Decompress::new(false);
        match inflate.decompress(&input, &mut output, FlushDecompress::Finish) {
            Err(_) => refused("not a deflate stream"),
            Ok(Status::StreamEnd) => Ok(()),
            Ok(_) if inflate.total_out() == plain || stored == self.stored_left => Ok(()),
            Ok(_) => refused("hardly anything in its first bytes"),
        }
    }

    fn read_stored(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let count = self.source.read_at(self.offset, buffer)?;
        if count == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        self.offset += count as u64;
        self.stored_left -= count as u64;
        Ok(count)
    }

    /// Inflates into `buffer` until there is at least one byte.
    fn read_inflated(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            let count = self.inflate_once(buffer)?;
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// One step of the inflater. Bytes that come out, that go in, or the end of the stream: there is progress.
    fn inflate_once(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let malformed =
            |place: &Place, detail: &str| refuse(FindingCode::MemberDeflate, place.clone(), detail);
        let Some(inflate) = &mut self.inflate else { return Ok(0) };
        if inflate.ended {
            return Err(malformed(&self.place, "the stream ends before the stated size"));
        }
        if inflate.at == inflate.input.len() && self.stored_left > 0 {
            let count = self.stored_left.min(INPUT_BYTES as u64);
            inflate.input.resize(count as usize, 0);
            inflate.at = 0;
            read_exact_at(self.source, self.offset, &mut inflate.input)?;
            self.offset += count;
            self.stored_left -= count;
        }
        let (before_in, before_out) = (inflate.state.total_in(), inflate.state.total_out());
        let input = &inflate.input[inflate.at..];
        let status = inflate.state.decompress(input, buffer, FlushDecompress::None);
        let status = status.map_err(|_| malformed(&self.place, "not a deflate stream"))?;
        let consumed = (inflate.state.total_in() - before_in) as usize;
        let produced = (inflate.state.total_out() - before_out) as usize;
        inflate.at += consumed;
        inflate.ended = status == Status::StreamEnd;
        if consumed == 0 && produced == 0 && !inflate.ended {
            return Err(malformed(&self.place, "the stream does not end"));
        }
        Ok(produced)
    }

    /// Requires that nothing is left: no stored byte, no byte in the stream, another CRC.
    fn finish(&mut self) -> Result<(), ReadError> {
        if self.inflate.is_some() {
            self.finish_inflate()?;
        }
        if self.crc32.clone().finalize() != self.crc32_expected {
            let detail = "the bytes do not have the stated CRC";
            return Err(refuse(FindingCode::MemberCrc, self.place.clone(), detail));
        }
        Ok(())
    }

    fn finish_inflate(&mut self) -> Result<(), ReadError> {
        let long = |place: &Place, detail: &str| {
            Err(refuse(FindingCode::MemberDeflate, place.clone(), detail))
        };
        while !self.inflate.as_ref().is_none_or(|inflate| inflate.ended) {
            if self.inflate_once(&mut [0])? > 0 {
                return long(&self.place, "the stream goes on after the stated size");
            }
        }
        let unread = self.inflate.as_ref().is_some_and(|inflate| inflate.at < inflate.input.len());
        if unread || self.stored_left > 0 {
            return long(&self.place, "bytes after the end of the stream");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use recorder_envelope::bundle::archive::ArchiveWriter;

    use super::*;

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn archive(members: &[(&str, Method, &[u8])]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new());
        for (name, method, data) in members {
            let stored = if *method == Method::Stored { data.to_vec() } else { deflated(data) };
            let member = Member {
                name,
                method: *method,
                crc32: crc32fast::hash(data),
                size_bytes: data.len() as u64,
                stored_bytes: stored.len() as u64,
            };
            writer.member(&member, &mut stored.as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn sample() -> Vec<u8> {
        let long: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        archive(&[
            ("manifest.json", Method::Stored, b"{}"),
            ("a/b.txt", Method::Deflate, &long),
            ("empty", Method::Deflate, b""),
        ])
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ReadError> {
        let archive = Archive::open(&bytes, &VerifyLimits::default())?;
        let read = |member: &ArchiveMember| {
            let (mut reader, mut out, mut buffer) = (archive.reader(member), Vec::new(), [0; 777]);
            loop {
                match reader.read(&mut buffer)? {
                    0 => return Ok(out),
                    count => out.extend_from_slice(&buffer[..count]),
                }
            }
        };
        archive.members().iter().map(read).collect()
    }

    fn code(bytes: &[u8]) -> FindingCode {
        match read_all(bytes) {
            Err(ReadError::Refused(finding)) => finding.code(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_writer_wrote_is_read_back() {
        let members = read_all(&sample()).unwrap();
        assert_eq!(
            (members[0].as_slice(), members[1].len(), members[2].len()),
            (&b"{}"[..], 100_000, 0)
        );
    }

    #[test]
    fn no_change_of_a_single_byte_changes_what_is_read() {
        let good = sample();
        let members = read_all(&good).unwrap();
        for place in 0..good.len() {
            for flip in [0x01, 0x80] {
                let mut bad = good.clone();
                bad[place] ^= flip;
                // The bits that pad a deflate stream to its last byte are nobody's.
                match read_all(&bad) {
                    Err(refused) => assert!(matches!(refused, ReadError::Refused(_)), "{place}"),
                    Ok(read) => assert_eq!(read, members, "{place}"),
                }
            }
        }
    }

    #[test]
    fn no_cut_and_no_addition_goes_unseen() {
        let good = sample();
        for length in 0..good.len() {
            assert!(read_all(&good[..length]).is_err(), "{length}");
        }
        assert_eq!(code(&[&good[..], b"x"].concat()), FindingCode::ArchiveEndMissing);
        assert_eq!(code(&[b"x", &good[..]].concat()), FindingCode::ArchiveDirectoryInvalid);
    }

    #[test]
    fn names_that_lead_elsewhere_or_repeat_are_refused() {
        for name in ["/a", "../a", "a/../b", "a//b", "a/", "a\\b", "a b", "a:b", "./a"] {
            assert_eq!(
                code(&archive(&[(name, Method::Stored, b"")])),
                FindingCode::MemberName,
                "{name}"
            );
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(code(&archive(&[(&long, Method::Stored, b"")])), FindingCode::MemberName);
        let twice = archive(&[("a/b", Method::Stored, b""), ("A/b", Method::Stored, b"")]);
        assert_eq!(code(&twice), FindingCode::MemberRepeated);
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_inflated() {
        let zeroes = vec![0; 1 << 20];
        let bomb = archive(&[("a", Method::Deflate, &zeroes)]);
        assert_eq!(code(&bomb), FindingCode::MemberRatio);
    }

    #[test]
    fn a_stream_must_end_with_its_sizes() {
        let data = b"some bytes that are not many";
        let stored = deflated(data);
        let with = |size_bytes: u64, crc: &[u8], stored: &[u8]| {
            let mut writer = ArchiveWriter::new(Vec::new());
            let member = Member {
                name: "a",
                method: Method::Deflate,
                crc32: crc32fast::hash(crc),
                size_bytes,
                stored_bytes: stored.len() as u64,
            };
            writer.member(&member, &mut &*stored).unwrap();
            writer.finish().unwrap()
        };
        assert!(read_all(&with(28, data, &stored)).is_ok());
        let longer = [&stored[..], b"\0"].concat();
        for bad in [
            with(27, &data[..27], &stored),
            with(29, data, &stored),
            with(28, data, &longer),
            with(28, data, &stored[..stored.len() - 1]),
        ] {
            assert_eq!(code(&bad), FindingCode::MemberDeflate);
        }
        assert_eq!(code(&with(28, b"other", &stored)), FindingCode::MemberCrc);
    }
}
