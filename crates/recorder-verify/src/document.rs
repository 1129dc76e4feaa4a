//! A bundle as one canonical JSON document, at most 32 MiB (evidence format §7).
//!
//! The bytes of each part are what an archive would hold: an object as it stands, the items of an array as lines,
//! a text unescaped, an attachment out of base64. So one manifest serves both forms.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use recorder_envelope::json::{CanonicalReader, CanonicalString, JsonError, JsonLimits};

use crate::archive::{NAME_BYTES_MAX, ReadError, refuse};
use crate::finding::{FindingCode, Place};
use crate::limits::{VerifyError, VerifyLimits, within};
use crate::source::{ReadAt, read_exact_at};

/// How the document ends, after the last part.
const END: &[u8] = b"},\"type\":\"recorder.bundle-document/v1\"}";

/// What the names of attachments begin with.
const ATTACHMENTS: &str = "attachments/";

/// Nesting of a payload in its envelope in its part.
const DEPTH_MAX: usize = JsonLimits::PAYLOAD.depth_max + 2;

/// One part of a document.
struct DocumentMember {
    name: Box<str>,
    size_bytes: u64,
    value: Value,
}

/// Where a part's bytes are.
enum Value {
    /// These bytes of the document.
    Object(Range<usize>),
    /// These, each followed by a line end.
    Lines(Vec<Range<usize>>),
    /// Decoded.
    Bytes(Vec<u8>),
}

/// A document, read into memory and taken apart.
pub(crate) struct Document {
    bytes: Vec<u8>,
    members: Vec<DocumentMember>,
}

impl Document {
    /// Reads the document and requires its canonical form.
    pub(crate) fn open(source: &dyn ReadAt, limits: &VerifyLimits) -> Result<Self, ReadError> {
        let size_bytes = source.size_bytes()?;
        within("document bytes", size_bytes, limits.document_bytes_max)?;
        let length = usize::try_from(size_bytes)
            .map_err(|_| VerifyError::Defect("a document larger than memory"))?;
        let mut bytes = vec![0; length];
        read_exact_at(source, 0, &mut bytes)?;
        let members = read_parts(&bytes).map_err(|fault| match fault {
            Fault::Json(error) => {
                refuse(FindingCode::DocumentInvalid, Place::Bundle, error.to_string())
            }
            Fault::Refused(error) => error,
        })?;
        Ok(Self { bytes, members })
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.members[index].name
    }

    pub(crate) fn size_bytes(&self, index: usize) -> u64 {
        self.members[index].size_bytes
    }

    pub(crate) fn reader(&self, index: usize) -> DocumentReader<'_> {
        let pieces = match &self.members[index].value {
            Value::Object(range) => Pieces::Whole(&self.bytes[range.clone()]),
            Value::Bytes(bytes) => Pieces::Whole(bytes),
            Value::Lines(lines) => Pieces::Lines { text: &self.bytes, lines },
        };
        DocumentReader { pieces, at: 0 }
    }
}

enum Pieces<'a> {
    Whole(&'a [u8]),
    Lines { text: &'a [u8], lines: &'a [Range<usize>] },
}

/// Reads one part from its first byte to its last.
pub(crate) struct DocumentReader<'a> {
    pieces: Pieces<'a>,
    /// How much of the first piece was read.
    at: usize,
}

impl DocumentReader<'_> {
    /// Reads some bytes into `buffer`; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        match &mut self.pieces {
            Pieces::Whole(bytes) => {
                let count = copy(&bytes[self.at..], buffer);
                self.at += count;
                count
            }
            Pieces::Lines { text, lines } => {
                let mut filled = 0;
                while let Some((line, rest)) = lines.split_first() {
                    let count = copy(&text[line.start + self.at..line.end], &mut buffer[filled..]);
                    filled += count;
                    self.at += count;
                    if filled == buffer.len() {
                        break;
                    }
                    buffer[filled] = b'\n';
                    filled += 1;
                    (self.at, *lines) = (0, rest);
                }
                filled
            }
        }
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

enum Fault {
    Json(JsonError),
    Refused(ReadError),
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

fn read_parts(bytes: &[u8]) -> Result<Vec<DocumentMember>, Fault> {
    let limits =
        JsonLimits { input_bytes_max: bytes.len(), depth_max: DEPTH_MAX, nodes_max: bytes.len() };
    let mut json = CanonicalReader::new(bytes, &limits)?;
    json.expect(b"{\"parts\":{")?;
    let mut members: Vec<DocumentMember> = Vec::new();
    while !json.take(END) {
        if !members.is_empty() {
            json.expect(b",")?;
        }
        let name = member_name(json.string()?, members.last())?;
        json.expect(b":")?;
        members.push(read_member(name, &mut json)?);
    }
    json.finish()?;
    Ok(members)
}

/// Takes a name that is longer than none and comes after the last one, as canonical form demands.
fn member_name(
    text: CanonicalString<'_>,
    last: Option<&DocumentMember>,
) -> Result<Box<str>, Fault> {
    let refused = |code, detail: &str| Err(Fault::Refused(refuse(code, Place::Bundle, detail)));
    let Some(name) = text.plain().filter(|name| name.is_ascii() && name.len() <= NAME_BYTES_MAX)
    else {
        return refused(FindingCode::MemberName, "a name is not plain ASCII, or too long");
    };
    match last.map(|last| name.cmp(&last.name)) {
        None | Some(std::cmp::Ordering::Greater) => Ok(name.into()),
        Some(std::cmp::Ordering::Equal) => {
            refused(FindingCode::MemberRepeated, "a name stands twice")
        }
        Some(std::cmp::Ordering::Less) => {
            refused(FindingCode::DocumentInvalid, "names are not in canonical order")
        }
    }
}

fn read_member(name: Box<str>, json: &mut CanonicalReader<'_>) -> Result<DocumentMember, Fault> {
    let start = json.position();
    let (value, size_bytes) = if name.ends_with(".jsonl") {
        let lines = read_lines(json)?;
        let size_bytes = lines.iter().map(|line| line.len() as u64 + 1).sum();
        (Value::Lines(lines), size_bytes)
    } else if name.ends_with(".json") {
        let length = json.value()?.len();
        (Value::Object(start..start + length), length as u64)
    } else {
        let text = json.string()?;
        let bytes = if name.starts_with(ATTACHMENTS) {
            decode(&name, text)?
        } else {
            text.unescaped().into_owned().into_bytes()
        };
        let size_bytes = bytes.len() as u64;
        (Value::Bytes(bytes), size_bytes)
    };
    Ok(DocumentMember { name, size_bytes, value })
}

fn read_lines(json: &mut CanonicalReader<'_>) -> Result<Vec<Range<usize>>, Fault> {
    json.expect(b"[")?;
    let mut lines = Vec::new();
    while !json.take(b"]") {
        if !lines.is_empty() {
            json.expect(b",")?;
        }
        let start = json.position();
        json.value()?;
        lines.push(start..json.position());
    }
    Ok(lines)
}

fn decode(name: &str, text: CanonicalString<'_>) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text.as_raw()).map_err(|_| {
        let place = Place::Part(name.into());
        Fault::Refused(refuse(FindingCode::DocumentInvalid, place, "not canonical base64"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = concat!(
        r#"{"parts":{"README.txt":"a\n\"b\"","attachments/sha256/x":"YWJj","manifest.json":{"a":1},"#,
        r#""segments/x.jsonl":[{"a":1},{"b":[2]}]},"type":"recorder.bundle-document/v1"}"#
    );

    fn parts(text: &str) -> Result<Vec<(String, Vec<u8>)>, FindingCode> {
        let bytes = text.as_bytes().to_vec();
        let document =
            Document::open(&bytes, &VerifyLimits::default()).map_err(|error| match error {
                ReadError::Refused(finding) => finding.code(),
                ReadError::Failed(error) => panic!("{error}"),
            })?;
        let part = |index| {
            let (mut reader, mut part, mut buffer) = (document.reader(index), Vec::new(), [0; 3]);
            loop {
                match reader.read(&mut buffer) {
                    0 => break,
                    count => part.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(part.len() as u64, document.size_bytes(index));
            (document.name(index).to_owned(), part)
        };
        Ok((0..document.len()).map(part).collect())
    }

    #[test]
    fn parts_have_the_bytes_that_an_archive_would_hold() {
        let parts = parts(GOOD).unwrap();
        let bytes: Vec<_> = parts.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(bytes, [&b"a\n\"b\""[..], b"abc", b"{\"a\":1}", b"{\"a\":1}\n{\"b\":[2]}\n"]);
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for (from, to) in [
            ("{\"parts\"", "{ \"parts\""),
            ("}}", "}} "),
            ("document/v1", "document/v2"),
            ("\"type\"", "\"extra\":1,\"type\""),
            ("YWJj", "YWJ"),
            ("YWJj", "YWJj="),
            ("{\"b\":[2]}", "{\"b\":[2.0]}"),
            ("README.txt", "zzz"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            if bad == GOOD {
                continue;
            }
            assert_eq!(parts(&bad), Err(FindingCode::DocumentInvalid), "{to}");
        }
        let twice = GOOD.replacen("\"attach", "\"README.txt\":\"\",\"attach", 1);
        assert_eq!(parts(&twice), Err(FindingCode::MemberRepeated));
        let name = GOOD.replacen("README.txt", "R\\u000ax", 1).replace("\\u000a", "\\n");
        assert_eq!(parts(&name), Err(FindingCode::MemberName));
    }
}
