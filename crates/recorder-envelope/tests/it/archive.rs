//! Other people's ZIP readers open the archives that `bundle::archive` writes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use recorder_envelope::bundle::archive::{ArchiveWriter, Member, Method};

/// Says how many members there are, after checking each against its checksum.
const PYTHON_READS: &str = "\
import io, sys, zipfile
archive = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert archive.testzip() is None
print(len(archive.infolist()), archive.infolist()[-1].filename)";

/// Python's `zipfile` on the archive; `None`, said aloud, where there is no Python.
fn read_by_python(archive: &[u8]) -> Option<String> {
    let spawned = Command::new("python3")
        .args(["-c", PYTHON_READS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!("skipped: python3 is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 refuses the archive");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn python_reads_stored_and_deflated_members() {
    let mut writer = ArchiveWriter::new(Vec::new());
    let crc32 = 0x3610_a686;
    let stored =
        Member { name: "a/b.txt", method: Method::Stored, crc32, size_bytes: 5, stored_bytes: 5 };
    writer.member(&stored, &mut b"hello".as_slice()).unwrap();
    // One final block of RFC 1951, not compressed.
    let deflated = b"\x01\x05\x00\xfa\xffhello";
    let member = Member { name: "c.txt", method: Method::Deflate, stored_bytes: 10, ..stored };
    writer.member(&member, &mut deflated.as_slice()).unwrap();
    let archive = writer.finish().unwrap();
    if let Some(said) = read_by_python(&archive) {
        assert_eq!(said.trim(), "2 c.txt");
    }
}

#[test]
fn python_reads_more_members_than_16_bits_can_count() {
    let mut writer = ArchiveWriter::new(Vec::new());
    for number in 0..65_535 {
        let name = format!("{number:05}");
        let member = Member {
            name: &name,
            method: Method::Stored,
            crc32: 0,
            size_bytes: 0,
            stored_bytes: 0,
        };
        writer.member(&member, &mut std::io::empty()).unwrap();
    }
    if let Some(said) = read_by_python(&writer.finish().unwrap()) {
        assert_eq!(said.trim(), "65535 65534");
    }
}
