//! A bundle's members, whichever of its two forms holds them.

use crate::archive::{Archive, ArchiveReader, ReadError, refuse};
use crate::document::{Document, DocumentReader};
use crate::finding::{FindingCode, Place};
use crate::limits::VerifyLimits;
use crate::source::ReadAt;

/// An archive or a document, told apart by the first bytes.
pub(crate) enum Container<'a> {
    Archive(Archive<'a>),
    Document(Document),
}

/// Which form a bundle has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `.recorder.zip`.
    Archive,
    /// `application/vnd.recorder.bundle+json`.
    Document,
}

impl<'a> Container<'a> {
    pub(crate) fn open(source: &'a dyn ReadAt, limits: &VerifyLimits) -> Result<Self, ReadError> {
        let mut first = [0; 4];
        let count = source.read_at(0, &mut first)?;
        match &first[..count] {
            // An archive without members begins with its end record.
            b"PK\x03\x04" | b"PK\x05\x06" => Archive::open(source, limits).map(Self::Archive),
            [b'{', ..] => Document::open(source, limits).map(Self::Document),
            _ => {
                let detail = "neither a ZIP archive nor a JSON object";
                Err(refuse(FindingCode::ContainerUnrecognised, Place::Bundle, detail))
            }
        }
    }

    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Archive(_) => Form::Archive,
            Self::Document(_) => Form::Document,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Archive(archive) => archive.members().len(),
            Self::Document(document) => document.len(),
        }
    }

    pub(crate) fn name(&self, member: usize) -> &str {
        match self {
            Self::Archive(archive) => archive.members()[member].name(),
            Self::Document(document) => document.name(member),
        }
    }

    pub(crate) fn size_bytes(&self, member: usize) -> u64 {
        match self {
            Self::Archive(archive) => archive.members()[member].size_bytes(),
            Self::Document(document) => document.size_bytes(member),
        }
    }

    pub(crate) fn reader(&self, member: usize) -> MemberReader<'_> {
        match self {
            Self::Archive(archive) => {
                MemberReader::Archive(archive.reader(&archive.members()[member]))
            }
            Self::Document(document) => MemberReader::Document(document.reader(member)),
        }
    }

    /// The whole of a member that is known to be small.
    pub(crate) fn read(&self, member: usize) -> Result<Vec<u8>, ReadError> {
        let mut reader = self.reader(member);
        let mut bytes = Vec::new();
        let mut filled = 0;
        loop {
            if filled == bytes.len() {
                bytes.resize(filled + (16 << 10), 0);
            }
            match reader.read(&mut bytes[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Reads one member from its first byte to its last.
pub(crate) enum MemberReader<'a> {
    Archive(ArchiveReader<'a>),
    Document(DocumentReader<'a>),
}

impl MemberReader<'_> {
    /// Reads some bytes into `buffer`, which is not empty; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        match self {
            Self::Archive(reader) => reader.read(buffer),
            Self::Document(reader) => Ok(reader.read(buffer)),
        }
    }
}
