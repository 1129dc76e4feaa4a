//! The archive form of a bundle, honest as the format's own writer makes it, then open to change in every field.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use recorder_core::limits::DEFLATE_RATIO_MAX;
use recorder_envelope::bundle::archive::{self, ArchiveWriter, Member, Method};

use super::bundle::{Members, Part};

/// Offset of a central entry's "offset of the local header".
const CENTRAL_OFFSET_FIELD: usize = 42;

/// One member: its headers and its data.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The local header, name included.
    pub(crate) local: Vec<u8>,
    /// The data, as stored.
    pub(crate) data: Vec<u8>,
    /// Bytes that follow the data and belong to nobody.
    pub(crate) gap: Vec<u8>,
    /// The directory's entry; none leaves the member out of it.
    pub(crate) central: Option<Vec<u8>>,
    /// Where the directory says that the member is, if not where it is.
    pub(crate) stated_offset: Option<u32>,
}

impl Entry {
    /// The entry of a member of these bytes.
    pub(crate) fn of(part: &Part) -> Self {
        let deflated = deflate(&part.bytes);
        let smaller = deflated.len() < part.bytes.len();
        let bomb = part.bytes.len() as u64 > deflated.len() as u64 * DEFLATE_RATIO_MAX;
        if smaller && !bomb {
            Self::with_data(&part.name, Method::Deflate, &part.bytes, deflated)
        } else {
            Self::with_data(&part.name, Method::Stored, &part.bytes, part.bytes.clone())
        }
    }

    /// The entry of a member of these bytes, stored as `data`.
    pub(crate) fn with_data(name: &str, method: Method, bytes: &[u8], data: Vec<u8>) -> Self {
        let member = Member {
            name,
            method,
            crc32: crc32fast::hash(bytes),
            size_bytes: bytes.len() as u64,
            stored_bytes: data.len() as u64,
        };
        Self::of_member(&member, data)
    }

    /// The entry that says what `member` says.
    pub(crate) fn of_member(member: &Member<'_>, data: Vec<u8>) -> Self {
        Self {
            local: archive::local_header(member, 0),
            data,
            gap: Vec::new(),
            central: Some(archive::central_header(member, 0)),
            stated_offset: None,
        }
    }

    /// Changes a field of both headers, by its offset from "version needed", which both have.
    pub(crate) fn patch(&mut self, field: Field, value: &[u8]) {
        self.patch_local(field, value);
        self.patch_central(field, value);
    }

    /// Changes a field of the local header.
    pub(crate) fn patch_local(&mut self, field: Field, value: &[u8]) {
        let start = 4 + field as usize;
        self.local[start..start + value.len()].copy_from_slice(value);
    }

    /// Changes a field of the directory's entry.
    pub(crate) fn patch_central(&mut self, field: Field, value: &[u8]) {
        let start = 6 + field as usize;
        self.central.as_mut().unwrap()[start..start + value.len()].copy_from_slice(value);
    }
}

/// The fields that both headers share, by their offset from "version needed".
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    VersionNeeded = 0,
    Flags = 2,
    Method = 4,
    Time = 6,
    Crc32 = 10,
    Size = 18,
    ExtraLength = 24,
}

/// An archive in pieces.
#[derive(Clone)]
pub(crate) struct Zip {
    /// Bytes before the first member.
    pub(crate) prefix: Vec<u8>,
    /// The members, in order.
    pub(crate) entries: Vec<Entry>,
    /// Bytes between the directory and the end record.
    pub(crate) before_end: Vec<u8>,
    /// Changes to the end record.
    pub(crate) end: fn(&mut Vec<u8>),
}

impl Zip {
    /// The archive of these members.
    pub(crate) fn of(members: &Members) -> Self {
        let zip = Self {
            prefix: Vec::new(),
            entries: members.0.iter().map(Entry::of).collect(),
            before_end: Vec::new(),
            end: |_| {},
        };
        assert_eq!(zip.bytes(), written(members), "the pieces make the writer's archive");
        zip
    }

    /// The archive.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.prefix.clone();
        let mut directory = Vec::new();
        let mut count = 0;
        for entry in &self.entries {
            let offset = entry.stated_offset.unwrap_or(u32::try_from(bytes.len()).unwrap());
            for piece in [&entry.local, &entry.data, &entry.gap] {
                bytes.extend(piece);
            }
            if let Some(central) = &entry.central {
                let start = directory.len() + CENTRAL_OFFSET_FIELD;
                directory.extend(central);
                directory[start..start + 4].copy_from_slice(&offset.to_le_bytes());
                count += 1;
            }
        }
        let mut end = archive::end_of_archive(count, bytes.len() as u64, directory.len() as u64);
        (self.end)(&mut end);
        [bytes, directory, self.before_end.clone(), end].concat()
    }
}

/// The archive as the format's own writer makes it.
fn written(members: &Members) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new());
    for part in &members.0 {
        let entry = Entry::of(part);
        let deflated = entry.data != part.bytes;
        let member = Member {
            name: &part.name,
            method: if deflated { Method::Deflate } else { Method::Stored },
            crc32: crc32fast::hash(&part.bytes),
            size_bytes: part.bytes.len() as u64,
            stored_bytes: entry.data.len() as u64,
        };
        writer.member(&member, &mut entry.data.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// What an archive says, apart from how its deflated members are encoded: names and contents, and all bytes of the
/// file with those of deflated data blanked. `None` where a member does not inflate.
pub(crate) fn meaning(archive: &[u8]) -> Option<(Vec<Part>, Vec<u8>)> {
    let mut skeleton = archive.to_vec();
    let mut members = Vec::new();
    let mut at = 0;
    while archive.get(at..at + 4) == Some(&archive::LOCAL_SIGNATURE.to_le_bytes()) {
        let u16_at =
            |field: usize| u16::from_le_bytes([archive[at + field], archive[at + field + 1]]);
        let stored = u32::from_le_bytes(archive[at + 18..at + 22].try_into().unwrap()) as usize;
        let name_end = at + archive::LOCAL_HEADER_BYTES + usize::from(u16_at(26));
        let name = String::from_utf8(archive[at + archive::LOCAL_HEADER_BYTES..name_end].to_vec());
        let data = archive.get(name_end..name_end + stored)?;
        let bytes = if u16_at(8) == Method::Deflate.number() {
            skeleton[name_end..name_end + stored].fill(0);
            inflate(data)?
        } else {
            data.to_vec()
        };
        members.push(Part { name: name.ok()?, bytes });
        at = name_end + stored;
    }
    Some((members, skeleton))
}

fn inflate(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    DeflateDecoder::new(data).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// One raw RFC 1951 stream.
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
