//! Archives at the bounds of what the reader takes: large ones, long names, and streams that end where input does.

use std::collections::BTreeMap;
use std::io;

use recorder_envelope::bundle::archive::{
    ArchiveWriter, Member, Method, ZIP64_END_BYTES, central_header, end_of_archive, local_header,
};
use recorder_verify::archive::{Archive, ReadError};
use recorder_verify::{FindingCode as F, ReadAt, VerifyError, VerifyLimits, VerifyOptions, verify};

use crate::corpus::case::{whole, with_attachments};
use crate::forge::zip::deflate;

/// Bytes of a member that no 32-bit field holds.
const LARGE_BYTES: u64 = u32::MAX as u64 + 10;

/// What nothing deflates: the bytes of a xorshift generator.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn member<'a>(name: &'a str, method: Method, bytes: &[u8], stored: &[u8]) -> Member<'a> {
    Member {
        name,
        method,
        crc32: crc32fast::hash(bytes),
        size_bytes: bytes.len() as u64,
        stored_bytes: stored.len() as u64,
    }
}

/// The archive of members with the bytes that they take in it.
fn archive(members: &[(Member<'_>, &[u8])]) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new());
    for (member, stored) in members {
        writer.member(member, &mut &**stored).unwrap();
    }
    writer.finish().unwrap()
}

/// The archive of one deflated member of these bytes.
fn deflated(bytes: &[u8], stream: &[u8]) -> Vec<u8> {
    archive(&[(member("a", Method::Deflate, bytes, stream), stream)])
}

/// Reads every member, `step` bytes at a time.
fn read_all(bytes: &[u8], step: usize) -> Result<Vec<Vec<u8>>, ReadError> {
    let archive = Archive::open(&bytes, &VerifyLimits::default())?;
    let mut all = Vec::new();
    for member in archive.members() {
        let (mut reader, mut read, mut buffer) =
            (archive.reader(member), Vec::new(), vec![0; step]);
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                count => read.extend_from_slice(&buffer[..count]),
            }
        }
        all.push(read);
    }
    Ok(all)
}

fn refusal<T>(result: Result<T, ReadError>) -> (F, String) {
    match result {
        Err(ReadError::Refused(finding)) => (finding.code(), finding.detail().to_owned()),
        Err(ReadError::Failed(error)) => panic!("{error}"),
        Ok(_) => panic!("it was read"),
    }
}

/// Pieces of a file that is zeroes everywhere else.
struct Sparse {
    pieces: BTreeMap<u64, Vec<u8>>,
    size_bytes: u64,
}

impl ReadAt for Sparse {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap();
        let count = left.min(buffer.len());
        buffer[..count].fill(0);
        for (start, piece) in &self.pieces {
            for (at, byte) in (*start..).zip(piece) {
                if let Some(index) = at.checked_sub(offset).filter(|index| *index < count as u64) {
                    buffer[usize::try_from(index).unwrap()] = *byte;
                }
            }
        }
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.size_bytes)
    }
}

/// An archive of a member that no 32-bit field holds, and a small one after it; its end record may be another's.
fn large(end: impl FnOnce(&mut Vec<u8>)) -> Sparse {
    let zeroes = Member {
        name: "zeroes",
        method: Method::Stored,
        crc32: 7,
        size_bytes: LARGE_BYTES,
        stored_bytes: LARGE_BYTES,
    };
    let small = member("small", Method::Stored, b"abc", b"abc");
    let first = local_header(&zeroes, 0);
    let offset = first.len() as u64 + LARGE_BYTES;
    let second = [local_header(&small, offset), b"abc".to_vec()].concat();
    let directory = [central_header(&zeroes, 0), central_header(&small, offset)].concat();
    let directory_offset = offset + second.len() as u64;
    let mut end_record = end_of_archive(2, directory_offset, directory.len() as u64);
    end(&mut end_record);
    let tail = [second, directory, end_record].concat();
    let size_bytes = offset + tail.len() as u64;
    Sparse { pieces: BTreeMap::from([(0, first), (offset, tail)]), size_bytes }
}

#[test]
fn an_archive_of_more_than_four_gibibytes_is_read() {
    let source = large(|_| {});
    let archive = Archive::open(&source, &VerifyLimits::default()).unwrap();
    let [zeroes, small] = archive.members() else { panic!("two members") };
    assert_eq!((zeroes.name(), zeroes.size_bytes()), ("zeroes", LARGE_BYTES));
    assert_eq!((zeroes.stored_bytes(), zeroes.header_offset()), (LARGE_BYTES, 0));
    assert_eq!((small.name(), small.size_bytes()), ("small", 3));
    let mut buffer = [0; 8];
    assert_eq!(archive.reader(small).read(&mut buffer).unwrap(), 3);
    assert_eq!(&buffer[..3], b"abc");
}

#[test]
fn the_large_end_records_begin_as_such() {
    for (at, detail) in [(0, "no ZIP64 end record"), (ZIP64_END_BYTES, "no ZIP64 end record")] {
        for flip in [0x01, 0x80] {
            let source = large(|end| end[at + 3] ^= flip);
            let (code, found) = refusal(Archive::open(&source, &VerifyLimits::default()));
            assert_eq!(code, F::ArchiveEndInvalid);
            assert!(found.starts_with(detail), "{found}");
        }
    }
}

#[test]
fn a_directory_that_is_larger_than_what_is_read_of_it_at_once_is_read() {
    let names: Vec<_> =
        (0..2_500).map(|number| format!("folder/with_a-name/{number:05}")).collect();
    let members: Vec<_> = names
        .iter()
        .map(|name| {
            (member(name, Method::Stored, name.as_bytes(), name.as_bytes()), name.as_bytes())
        })
        .collect();
    let read = read_all(&archive(&members), 64).unwrap();
    assert!(read.iter().map(Vec::as_slice).eq(names.iter().map(String::as_bytes)));
}

#[test]
fn a_name_may_have_as_many_bytes_as_a_name_may_have_and_no_more() {
    let of = |length| archive(&[(member(&"n".repeat(length), Method::Stored, b"", b""), b"")]);
    assert_eq!(read_all(&of(255), 8).unwrap(), [b""]);
    assert_eq!(refusal(read_all(&of(256), 8)).0, F::MemberName);
}

#[test]
fn members_that_are_larger_than_any_buffer_are_read_however_they_are_stored() {
    let bytes = noise(1_500_000);
    let stream = deflate(&bytes);
    assert!(stream.len() > 1 << 20, "{}", stream.len());
    let archive = archive(&[
        (member("deflated", Method::Deflate, &bytes, &stream), &stream),
        (member("stored", Method::Stored, &bytes, &bytes), &bytes),
    ]);
    for step in [1_000, 100_000, 2_000_000] {
        let read = read_all(&archive, step).unwrap();
        assert!(read.iter().all(|member| *member == bytes), "{step}");
    }
}

/// Bytes of what the inflater is fed at once.
const INPUT_BYTES: usize = 32 << 10;

/// A deflate stream of one block that is not compressed.
fn one_block(bytes: &[u8]) -> Vec<u8> {
    [&[1], &block(bytes)[1..]].concat()
}

/// A block that is not compressed, and not the last.
fn block(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), bytes].concat()
}

#[test]
fn nothing_follows_a_stream_wherever_it_ends_in_the_input() {
    let expected = (F::MemberDeflate, "bytes after the end of the stream".to_owned());
    for length in INPUT_BYTES - 20..INPUT_BYTES + 5 {
        let bytes = noise(length);
        for stream in [one_block(&bytes), [block(&bytes), one_block(b"")].concat()] {
            assert_eq!(read_all(&deflated(&bytes, &stream), 4_096).unwrap(), [&*bytes]);
            for more in [1, 100] {
                let followed = [&stream[..], &noise(more)].concat();
                let read = read_all(&deflated(&bytes, &followed), 4_096);
                assert_eq!(refusal(read), expected, "{length}, {more}");
            }
        }
    }
}

#[test]
fn a_stream_that_says_nothing_for_a_while_is_read() {
    let bytes = noise(1_000);
    let padded = [block(b"").repeat(10_000), one_block(&bytes)].concat();
    assert_eq!(read_all(&deflated(&bytes, &padded), 4_096).unwrap(), [bytes.as_slice()]);
}

#[test]
fn a_stream_that_is_unsound_at_its_end_gives_no_byte() {
    let bytes = noise(1_000);
    let archive = deflated(&bytes, &[&deflate(&bytes)[..], b"x"].concat());
    let source = archive.as_slice();
    let archive = Archive::open(&source, &VerifyLimits::default()).unwrap();
    let mut reader = archive.reader(&archive.members()[0]);
    assert_eq!(refusal(reader.read(&mut [0; 8])).0, F::MemberDeflate);
}

#[test]
fn a_stream_that_begins_with_a_mebibyte_of_empty_blocks_is_refused() {
    let bytes = noise(1_000);
    let empty = block(b"").repeat((1 << 20) / 5 + 1);
    let padded = deflated(&bytes, &[&empty[..], &one_block(&bytes)].concat());
    let expected = (F::MemberDeflate, "hardly anything in its first bytes".to_owned());
    assert_eq!(refusal(read_all(&padded, 4_096)), expected);
}

#[test]
fn a_member_does_not_lie_in_another() {
    let inner = member("inner", Method::Stored, b"abc", b"abc");
    let outer_bytes = |offset: u64| [local_header(&inner, offset), b"abc".to_vec()].concat();
    let length = outer_bytes(0).len() as u64;
    let shape = Member {
        size_bytes: length,
        stored_bytes: length,
        ..member("outer", Method::Stored, b"", b"")
    };
    let inner_offset = local_header(&shape, 0).len() as u64;
    let bytes = outer_bytes(inner_offset);
    let outer = member("outer", Method::Stored, &bytes, &bytes);
    let members = [local_header(&outer, 0), bytes.clone()].concat();
    let directory = [central_header(&outer, 0), central_header(&inner, inner_offset)].concat();
    let end = end_of_archive(2, members.len() as u64, directory.len() as u64);
    let nested = [members, directory, end].concat();
    assert_eq!(refusal(read_all(&nested, 64)).0, F::ArchiveNotContiguous);
}

/// A file that gives nothing from some byte on, whatever size it claims.
struct Cut<'a> {
    bytes: &'a [u8],
    from: u64,
}

impl ReadAt for Cut<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.from..self.from + 4).contains(&offset) {
            Ok(0)
        } else {
            self.bytes.read_at(offset, buffer)
        }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.bytes.size_bytes()
    }
}

#[test]
fn a_medium_that_gives_less_of_a_member_than_there_is_fails() {
    let archive = archive(&[(member("a", Method::Stored, b"abcd", b"abcd"), b"abcd")]);
    let source = Cut { bytes: &archive, from: 31 };
    let archive = Archive::open(&source, &VerifyLimits::default()).unwrap();
    let read = archive.reader(&archive.members()[0]).read(&mut [0; 8]);
    assert!(matches!(read, Err(ReadError::Failed(_))), "{read:?}");
}

#[test]
fn a_medium_that_fails_gives_no_report_wherever_it_fails() {
    let archive = whole(&with_attachments()).members().archive();
    let source = archive.as_slice();
    let opened = Archive::open(&source, &VerifyLimits::default()).unwrap();
    for member in opened.members() {
        let source = Cut { bytes: &archive, from: member.data_offset() };
        let judged = verify(&source, &VerifyOptions::default(), &mut |_| {});
        assert!(matches!(judged, Err(VerifyError::Io(_))), "{}", member.name());
    }
}
