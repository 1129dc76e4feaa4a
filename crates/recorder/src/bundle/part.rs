//! One part of a bundle: its name, hash and sizes, and where its bytes wait.

use std::io::{self, Read, SeekFrom, Write};

use flate2::write::DeflateEncoder;
use recorder_core::hash::PartHash;
use recorder_core::limits::DEFLATE_RATIO_MAX;
use recorder_envelope::bundle::ManifestPart;
use recorder_envelope::bundle::archive::{Member, Method};
use recorder_envelope::preimage;
use sha2::{Digest as _, Sha256};

use super::{Compression, Spool};

/// Where a part's bytes wait.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    /// As they are, from this offset of the spool.
    Spooled {
        offset: u64,
    },
    /// As they are, and deflated.
    Deflated {
        offset: u64,
        deflated_offset: u64,
        deflated_bytes: u64,
    },
}

/// A part that is ready to be put in a bundle.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) size_bytes: u64,
    sha256: PartHash,
    crc32: u32,
    pub(super) bytes: Bytes,
}

impl Part {
    /// A small part.
    pub(super) fn in_memory(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            size_bytes: bytes.len() as u64,
            sha256: preimage::part_hash(&bytes),
            crc32: crc32fast::hash(&bytes),
            bytes: Bytes::Memory(bytes),
        }
    }

    /// How the manifest lists it.
    pub(super) fn listed(&self) -> ManifestPart {
        ManifestPart {
            name: self.name.as_str().into(),
            size_bytes: self.size_bytes,
            sha256: self.sha256,
        }
    }

    /// How an archive holds it.
    pub(super) fn member(&self) -> Member<'_> {
        let (method, stored_bytes) = match self.bytes {
            Bytes::Memory(_) | Bytes::Spooled { .. } => (Method::Stored, self.size_bytes),
            Bytes::Deflated { deflated_bytes, .. } => (Method::Deflate, deflated_bytes),
        };
        Member {
            name: &self.name,
            method,
            crc32: self.crc32,
            size_bytes: self.size_bytes,
            stored_bytes,
        }
    }

    /// Reads the bytes as an archive holds them.
    pub(super) fn stored<'a>(&'a self, spool: &'a mut dyn Spool) -> io::Result<Box<dyn Read + 'a>> {
        let (offset, length) = match &self.bytes {
            Bytes::Memory(bytes) => return Ok(Box::new(bytes.as_slice())),
            Bytes::Spooled { offset } => (*offset, self.size_bytes),
            Bytes::Deflated { deflated_offset, deflated_bytes, .. } => {
                (*deflated_offset, *deflated_bytes)
            }
        };
        spool.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(spool.take(length)))
    }

    /// Reads the bytes as they are.
    pub(super) fn plain<'a>(&'a self, spool: &'a mut dyn Spool) -> io::Result<Box<dyn Read + 'a>> {
        let offset = match &self.bytes {
            Bytes::Memory(bytes) => return Ok(Box::new(bytes.as_slice())),
            Bytes::Spooled { offset } | Bytes::Deflated { offset, .. } => *offset,
        };
        spool.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(spool.take(self.size_bytes)))
    }
}

/// Writes one part to the end of the spool. Small writes are gathered, so that hashing and writing see large ones.
pub(super) struct PartWriter {
    name: String,
    offset: u64,
    size_bytes: u64,
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    gathered: Vec<u8>,
}

/// Bytes that are gathered before they are hashed and written.
const GATHERED_BYTES: usize = 128 << 10;

impl PartWriter {
    pub(super) fn start(name: String, spool: &mut dyn Spool) -> io::Result<Self> {
        let offset = spool.seek(SeekFrom::End(0))?;
        Ok(Self {
            name,
            offset,
            size_bytes: 0,
            sha256: Sha256::new(),
            crc32: crc32fast::Hasher::new(),
            gathered: Vec::with_capacity(GATHERED_BYTES * 2),
        })
    }

    /// Lets `render` append bytes to the part.
    pub(super) fn append(
        &mut self,
        spool: &mut dyn Spool,
        render: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        render(&mut self.gathered);
        if self.gathered.len() >= GATHERED_BYTES { self.flush(spool) } else { Ok(()) }
    }

    fn flush(&mut self, spool: &mut dyn Spool) -> io::Result<()> {
        self.sha256.update(&self.gathered);
        self.crc32.update(&self.gathered);
        self.size_bytes += self.gathered.len() as u64;
        spool.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    pub(super) fn finish(
        mut self,
        compression: Compression,
        spool: &mut dyn Spool,
    ) -> io::Result<Part> {
        self.flush(spool)?;
        let plain = Bytes::Spooled { offset: self.offset };
        let bytes = match compression {
            Compression::Stored => plain,
            Compression::Deflate => deflate(self.offset, self.size_bytes, spool)?.unwrap_or(plain),
        };
        Ok(Part {
            name: self.name,
            size_bytes: self.size_bytes,
            sha256: PartHash::from_bytes(self.sha256.finalize().into()),
            crc32: self.crc32.finalize(),
            bytes,
        })
    }
}

/// Deflates a spooled part to the end of the spool; `None` where that does not pay, or pays suspiciously well.
fn deflate(offset: u64, size_bytes: u64, spool: &mut dyn Spool) -> io::Result<Option<Bytes>> {
    let deflated_offset = spool.seek(SeekFrom::End(0))?;
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    let mut chunk = vec![0; GATHERED_BYTES];
    let (mut read, mut deflated_bytes) = (0, 0);
    while read < size_bytes {
        let length = chunk.len().min(usize::try_from(size_bytes - read).unwrap_or(usize::MAX));
        spool.seek(SeekFrom::Start(offset + read))?;
        spool.read_exact(&mut chunk[..length])?;
        encoder.write_all(&chunk[..length])?;
        read += length as u64;
        deflated_bytes += drain(encoder.get_mut(), deflated_offset + deflated_bytes, spool)?;
    }
    let mut rest = encoder.finish()?;
    deflated_bytes += drain(&mut rest, deflated_offset + deflated_bytes, spool)?;
    let pays =
        deflated_bytes < size_bytes && size_bytes / deflated_bytes.max(1) <= DEFLATE_RATIO_MAX;
    Ok(pays.then_some(Bytes::Deflated { offset, deflated_offset, deflated_bytes }))
}

/// Moves what was deflated so far to `offset` of the spool.
fn drain(deflated: &mut Vec<u8>, offset: u64, spool: &mut dyn Spool) -> io::Result<u64> {
    spool.seek(SeekFrom::Start(offset))?;
    spool.write_all(deflated)?;
    let length = deflated.len() as u64;
    deflated.clear();
    Ok(length)
}
