//! The archive and the document around the parts.

use recorder_envelope::bundle::archive::{Member, Method};
use recorder_envelope::bundle::layout;
use recorder_envelope::json::to_canonical;
use recorder_verify::FindingCode as F;
use serde_json::Value;

use super::case::{Case, LINES, plain, replace, signed, whole, with_attachments};
use crate::forge::bundle::{Members, Part};
use crate::forge::document;
use crate::forge::zip::{Entry, Field, Zip, deflate};

/// Every manipulation of the container.
pub(crate) fn cases() -> Vec<Case> {
    [names(), headers(), layouts(), ends(), data(), truncations(), members(), documents()]
        .into_iter()
        .flatten()
        .map(|case| case.trust(None))
        .collect()
}

/// The members that most cases begin with: no signature adds to what the container shows.
fn honest() -> Members {
    whole(&plain()).members()
}

/// The archive of `plain` with something changed in it.
fn rezipped(change: impl FnOnce(&mut Zip)) -> Vec<u8> {
    let mut zip = honest().zip();
    change(&mut zip);
    zip.bytes()
}

/// The archive of `plain` with a member added at its end.
fn with_member(name: &str) -> Vec<u8> {
    rezipped(|zip| {
        let part = Part { name: name.to_owned(), bytes: b"approved".to_vec() };
        zip.entries.push(Entry::of(&part));
    })
}

fn names() -> Vec<Case> {
    let rows: [(&'static str, F, &'static str, &str); 8] = [
        (
            "member-climbs",
            F::MemberName,
            "A member's name climbs out of the folder.",
            "../README.txt",
        ),
        (
            "member-climbs-inside",
            F::MemberName,
            "A member's name climbs within the folder.",
            "segments/../notes.txt",
        ),
        ("member-absolute", F::MemberName, "A member's name begins at the root.", "/etc/passwd"),
        (
            "member-with-backslash",
            F::MemberName,
            "A member's name holds a backslash.",
            "segments\\notes.txt",
        ),
        ("member-folder", F::MemberName, "A member is a folder.", "segments/"),
        ("member-repeated", F::MemberRepeated, "Two members have one name.", "README.txt"),
        (
            "member-repeated-in-another-case",
            F::MemberRepeated,
            "Two members differ in case only.",
            "readme.txt",
        ),
        (
            "member-unlisted",
            F::MemberUnknown,
            "A member is not named by the manifest.",
            "notes.txt",
        ),
    ];
    let case = |(name, meant, description, member): (_, _, _, &str)| {
        Case::reject_bytes(name, meant, description, with_member(member))
    };
    rows.map(case).into()
}

/// The place of the README in the archive of `plain`.
fn readme() -> usize {
    honest().index(layout::README)
}

/// The archive of `plain` with the README's headers changed.
fn reheaded(change: impl FnOnce(&mut Entry)) -> Vec<u8> {
    rezipped(|zip| change(&mut zip.entries[readme()]))
}

fn headers() -> Vec<Case> {
    let rows: Vec<(&'static str, F, &'static str, Vec<u8>)> = vec![
        (
            "member-encrypted",
            F::MemberEncrypted,
            "A member says that it is encrypted.",
            reheaded(|entry| entry.patch(Field::Flags, &[1, 0])),
        ),
        (
            "member-encrypted-locally",
            F::MemberEncrypted,
            "A local header says that the member is encrypted; the directory does not.",
            reheaded(|entry| entry.patch_local(Field::Flags, &[1, 0])),
        ),
        (
            "member-with-data-descriptor",
            F::ArchiveDirectoryInvalid,
            "A member says that its sizes follow its data.",
            reheaded(|entry| entry.patch(Field::Flags, &[8, 0])),
        ),
        (
            "member-named-in-utf-8",
            F::ArchiveDirectoryInvalid,
            "A member says that its name is UTF-8.",
            reheaded(|entry| entry.patch(Field::Flags, &[0, 8])),
        ),
        (
            "member-of-unknown-method",
            F::MemberMethod,
            "A member is compressed by bzip2.",
            reheaded(|entry| entry.patch(Field::Method, &[12, 0])),
        ),
        (
            "member-with-time",
            F::ArchiveDirectoryInvalid,
            "A member has a time.",
            reheaded(|entry| entry.patch(Field::Time, &[1, 0])),
        ),
        (
            "member-of-another-version",
            F::ArchiveDirectoryInvalid,
            "A member needs another version of the format.",
            reheaded(|entry| entry.patch(Field::VersionNeeded, &[63, 0])),
        ),
        (
            "local-method-differs",
            F::ArchiveHeaderMismatch,
            "A local header names another method than the directory.",
            reheaded(|entry| entry.patch_local(Field::Method, &[0, 0])),
        ),
        (
            "local-crc-differs",
            F::ArchiveHeaderMismatch,
            "A local header states another checksum than the directory.",
            reheaded(|entry| entry.patch_local(Field::Crc32, &[0; 4])),
        ),
        (
            "local-size-differs",
            F::ArchiveHeaderMismatch,
            "A local header states another size than the directory.",
            reheaded(|entry| entry.patch_local(Field::Size, &[1, 0, 0, 0])),
        ),
        (
            "local-name-differs",
            F::ArchiveHeaderMismatch,
            "A local header names the member otherwise than the directory.",
            reheaded(|entry| entry.local[30] = b'r'),
        ),
        (
            "member-with-attributes",
            F::ArchiveDirectoryInvalid,
            "A member is executable for everybody.",
            reheaded(|entry| {
                entry.central.as_mut().unwrap()[38..42].copy_from_slice(&[0, 0, 0xff, 0x81])
            }),
        ),
        (
            "member-with-comment",
            F::ArchiveDirectoryInvalid,
            "A directory entry has a comment.",
            reheaded(comment),
        ),
        (
            "member-with-extra-field",
            F::ArchiveDirectoryInvalid,
            "A member has an extra field with a time.",
            reheaded(extra_field),
        ),
        (
            "member-with-local-extra-field",
            F::ArchiveNotContiguous,
            "A local header has an extra field that the directory has not.",
            reheaded(|entry| {
                entry.patch_local(Field::ExtraLength, &[4, 0]);
                entry.local.extend([0xfe, 0xca, 0, 0]);
            }),
        ),
    ];
    let case =
        |(name, meant, description, bytes)| Case::reject_bytes(name, meant, description, bytes);
    rows.into_iter().map(case).collect()
}

fn comment(entry: &mut Entry) {
    let central = entry.central.as_mut().unwrap();
    central[32..34].copy_from_slice(&[8, 0]);
    central.extend(b"approved");
}

fn extra_field(entry: &mut Entry) {
    let field = [0x55, 0x54, 5, 0, 1, 0, 0, 0, 0];
    entry.patch(Field::ExtraLength, &[9, 0]);
    entry.local.extend(field);
    entry.central.as_mut().unwrap().extend(field);
}

fn layouts() -> Vec<Case> {
    let prefix = b"#!/bin/sh\n".to_vec();
    let unshifted = [prefix.clone(), honest().archive()].concat();
    vec![
        Case::reject_bytes(
            "bytes-before-the-archive",
            F::ContainerUnrecognised,
            "A script stands before the archive, which knows of it.",
            rezipped(|zip| zip.prefix = prefix),
        ),
        Case::reject_bytes(
            "bytes-before-the-archive-unnoticed",
            F::ContainerUnrecognised,
            "A script stands before the archive, which does not know of it.",
            unshifted,
        ),
        Case::reject_bytes(
            "archive-before-the-archive",
            F::ArchiveNotContiguous,
            "A member that the directory does not list stands before the first that it does.",
            rezipped(|zip| {
                let part = Part { name: "notes.txt".to_owned(), bytes: b"approved".to_vec() };
                zip.entries.insert(0, Entry { central: None, ..Entry::of(&part) });
            }),
        ),
        Case::reject_bytes(
            "gap-between-members",
            F::ArchiveNotContiguous,
            "Bytes stand between two members.",
            rezipped(|zip| zip.entries[1].gap = b"approved".to_vec()),
        ),
        Case::reject_bytes(
            "gap-before-the-directory",
            F::ArchiveNotContiguous,
            "Bytes stand between the last member and the directory.",
            rezipped(|zip| zip.entries.last_mut().unwrap().gap = b"approved".to_vec()),
        ),
        Case::reject_bytes(
            "members-overlap",
            F::ArchiveNotContiguous,
            "Two directory entries point to one member.",
            rezipped(|zip| zip.entries[2].stated_offset = Some(0)),
        ),
        Case::reject_bytes(
            "member-behind-the-end",
            F::ArchiveNotContiguous,
            "A directory entry points behind the end of the archive.",
            rezipped(|zip| zip.entries[2].stated_offset = Some(0x7fff_ffff)),
        ),
        Case::reject_bytes(
            "bytes-before-the-end-record",
            F::ArchiveDirectoryInvalid,
            "Bytes stand between the directory and the end record.",
            rezipped(|zip| zip.before_end = b"approved".to_vec()),
        ),
    ]
}

fn ends() -> Vec<Case> {
    let trailing = [honest().archive(), b"approved".to_vec()].concat();
    vec![
        Case::reject_bytes(
            "bytes-after-the-archive",
            F::ArchiveEndMissing,
            "Bytes stand after the end record.",
            trailing,
        ),
        Case::reject_bytes(
            "archive-with-comment",
            F::ArchiveEndMissing,
            "The archive has a comment.",
            rezipped(|zip| {
                zip.end = |end| {
                    end[20] = 8;
                    end.extend(b"approved");
                };
            }),
        ),
        Case::reject_bytes(
            "archive-twice",
            F::ArchiveDirectoryInvalid,
            "Two archives stand one after the other.",
            [honest().archive(), honest().archive()].concat(),
        ),
        Case::reject_bytes(
            "archive-on-two-disks",
            F::ArchiveEndInvalid,
            "The archive says that it is the second of two disks.",
            rezipped(|zip| zip.end = |end| end[4] = 1),
        ),
        Case::reject_bytes(
            "archive-counts-differ",
            F::ArchiveEndInvalid,
            "The end record states two different numbers of members.",
            rezipped(|zip| zip.end = |end| end[8] -= 1),
        ),
        Case::reject_bytes(
            "archive-counts-fewer",
            F::ArchiveDirectoryInvalid,
            "The end record states one member less than the directory lists.",
            rezipped(|zip| {
                zip.end = |end| {
                    end[8] -= 1;
                    end[10] -= 1;
                };
            }),
        ),
        Case::reject_bytes(
            "archive-counts-65535",
            F::ArchiveEndInvalid,
            "The end record refers to a ZIP64 record that is not there.",
            rezipped(|zip| zip.end = |end| end[8..12].fill(0xff)),
        ),
    ]
}

/// The archive of `plain` with the README's data replaced.
fn with_data(entry: impl FnOnce(&[u8]) -> Entry) -> Vec<u8> {
    let bytes = honest().bytes_mut(layout::README).clone();
    rezipped(|zip| zip.entries[readme()] = entry(&bytes))
}

fn deflated(bytes: &[u8], data: Vec<u8>) -> Entry {
    Entry::with_data(layout::README, Method::Deflate, bytes, data)
}

fn data() -> Vec<Case> {
    let bomb = vec![b'a'; 1 << 20];
    let mut bombed = whole(&plain());
    *bombed.bytes_mut(layout::README) = bomb.clone();
    let mut zip = bombed.members().zip();
    zip.entries[readme()] = deflated(&bomb, deflate(&bomb));
    let zeroes = [0; 3];
    let mut early = whole(&plain());
    *early.bytes_mut(layout::README) = zeroes.to_vec();
    let mut early = early.members().zip();
    early.entries[readme()] = deflated(&zeroes, vec![3, 2, 0]);
    let understated = with_data(|bytes| {
        let member = Member {
            name: layout::README,
            method: Method::Deflate,
            crc32: crc32fast::hash(bytes),
            size_bytes: bytes.len() as u64,
            stored_bytes: deflate(&bomb).len() as u64,
        };
        Entry::of_member(&member, deflate(&bomb))
    });
    vec![
        Case::reject_bytes(
            "member-bomb",
            F::MemberRatio,
            "A member inflates to a thousand times its size.",
            zip.bytes(),
        ),
        Case::reject_bytes(
            "member-bomb-understated",
            F::MemberDeflate,
            "A member inflates to far more than its headers state.",
            understated,
        ),
        Case::reject_bytes(
            "member-crc-wrong",
            F::MemberCrc,
            "A member's checksum is wrong in both headers.",
            reheaded(|entry| entry.patch(Field::Crc32, &[0xee; 4])),
        ),
        Case::reject_bytes(
            "member-deflate-with-trailing-bytes",
            F::MemberDeflate,
            "Bytes follow the end of a deflate stream within its member.",
            with_data(|bytes| deflated(bytes, [deflate(bytes), b"approved".to_vec()].concat())),
        ),
        Case::reject_bytes(
            "member-deflate-truncated",
            F::MemberDeflate,
            "A deflate stream lacks its last byte.",
            with_data(|bytes| {
                let mut data = deflate(bytes);
                data.pop();
                deflated(bytes, data)
            }),
        ),
        Case::reject_bytes(
            "member-deflate-copies-from-nothing",
            F::MemberDeflate,
            "A deflate stream copies from before its first byte, which some inflaters take for zeroes.",
            early.bytes(),
        ),
        Case::reject_bytes(
            "member-deflate-malformed",
            F::MemberDeflate,
            "A deflate stream begins with a block of a type that does not exist.",
            with_data(|bytes| deflated(bytes, [0xff; 20].to_vec())),
        ),
        Case::reject_bytes(
            "member-size-understated",
            F::MemberSize,
            "Both headers state one byte less than a stored member has.",
            {
                let mut members = honest();
                members.bytes_mut(layout::README).pop();
                members.archive()
            },
        ),
    ]
}

fn truncations() -> Vec<Case> {
    let archive = honest().archive();
    let cut = |bytes: usize| archive[..bytes].to_vec();
    let rows = [
        (
            "archive-without-its-last-byte",
            "The archive lacks its last byte.",
            cut(archive.len() - 1),
        ),
        (
            "archive-without-its-end-record",
            "The archive ends before its end record.",
            cut(archive.len() - 22),
        ),
        (
            "archive-cut-in-its-directory",
            "The archive ends within its directory.",
            cut(archive.len() - 100),
        ),
        ("archive-cut-in-its-first-member", "The archive ends within its first member.", cut(100)),
    ];
    let case = |(name, description, bytes)| {
        Case::reject_bytes(name, F::ArchiveEndMissing, description, bytes)
    };
    let mut cases: Vec<_> = rows.map(case).into();
    cases.extend([
        Case::reject_bytes(
            "file-empty",
            F::ContainerUnrecognised,
            "The file is empty.",
            Vec::new(),
        ),
        Case::reject_bytes(
            "file-of-another-kind",
            F::ContainerUnrecognised,
            "The file is a gzip stream.",
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        Case::reject_bytes(
            "archive-without-members",
            F::ManifestMissing,
            "The archive is an end record alone.",
            [b"PK\x05\x06".as_slice(), &[0; 18]].concat(),
        ),
    ]);
    cases
}

fn members() -> Vec<Case> {
    let mut missing = honest();
    let index = missing.index(LINES);
    missing.0.remove(index);
    let mut moved = honest();
    moved.0.swap(3, 4);
    let mut late = honest();
    let last = late.0.len() - 1;
    late.0.swap(0, last);
    let mut signature_last = whole(&signed()).members();
    let signature = signature_last.0.remove(1);
    signature_last.0.push(signature);
    vec![
        Case::reject("member-missing", F::MemberMissing, "A part is not in the archive.", &missing),
        Case::reject(
            "members-exchanged",
            F::MemberOrder,
            "Two members stand in another order than the manifest lists them.",
            &moved,
        ),
        Case::reject(
            "manifest-not-first",
            F::ManifestMissing,
            "The manifest is the last member.",
            &late,
        ),
        Case::reject(
            "manifest-signature-not-second",
            F::MemberOrder,
            "The manifest's signature is the last member.",
            &signature_last,
        ),
    ]
}

/// The document of `members`, changed before it is written.
fn redocumented(members: &Members, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = document::value_of(members);
    change(&mut value);
    to_canonical(&value).unwrap()
}

fn documents() -> Vec<Case> {
    let honest = honest();
    let text = honest.document();
    let edited = |change: fn(&mut Vec<u8>)| {
        let mut bytes = text.clone();
        change(&mut bytes);
        bytes
    };
    let attached = whole(&with_attachments()).members();
    let name = attached.0.last().unwrap().name.clone();
    let rows: Vec<(&'static str, F, &'static str, Vec<u8>)> = vec![
        (
            "document-payload-edited",
            F::PartHashMismatch,
            "A payload of a document was edited.",
            edited(|bytes| replace(bytes, b"\"amount\":101", b"\"amount\":900")),
        ),
        (
            "document-with-unknown-member",
            F::DocumentInvalid,
            "A document holds a member that none has.",
            redocumented(&honest, |value| value["note"] = "approved".into()),
        ),
        (
            "document-of-another-version",
            F::DocumentInvalid,
            "A document is of a version that does not exist.",
            redocumented(&honest, |value| value["type"] = "recorder.bundle-document/v2".into()),
        ),
        (
            "document-with-unlisted-part",
            F::MemberUnknown,
            "A document holds a part that the manifest does not name.",
            redocumented(&honest, |value| value["parts"]["notes.txt"] = "approved".into()),
        ),
        (
            "document-without-a-part",
            F::MemberMissing,
            "A document lacks a part that the manifest names.",
            redocumented(&honest, |value| {
                value["parts"].as_object_mut().unwrap().remove(LINES);
            }),
        ),
        (
            "document-without-manifest",
            F::ManifestMissing,
            "A document has no manifest.",
            redocumented(&honest, |value| {
                value["parts"].as_object_mut().unwrap().remove(layout::MANIFEST);
            }),
        ),
        (
            "document-lines-as-text",
            F::DocumentInvalid,
            "A document holds its envelopes as one text.",
            redocumented(&honest, |value| value["parts"][LINES] = "{}".into()),
        ),
        (
            "document-manifest-as-text",
            F::ManifestInvalid,
            "A document holds its manifest as a text.",
            redocumented(&honest, |value| value["parts"][layout::MANIFEST] = "{}".into()),
        ),
        (
            "document-attachment-without-padding",
            F::DocumentInvalid,
            "An attachment's base64 lacks its padding.",
            redocumented(&attached, |value| {
                let text = value["parts"][&name].as_str().unwrap().trim_end_matches('=').to_owned();
                value["parts"][&name] = text.into();
            }),
        ),
        (
            "document-attachment-in-url-alphabet",
            F::DocumentInvalid,
            "An attachment's base64 is of another alphabet.",
            redocumented(&attached, |value| value["parts"][&name] = "-_==".into()),
        ),
        (
            "document-with-a-long-name",
            F::MemberName,
            "The name of a part has 256 bytes.",
            redocumented(&honest, |value| value["parts"]["n".repeat(256)] = "".into()),
        ),
        (
            "document-with-a-name-beyond-ascii",
            F::MemberName,
            "The name of a part holds an accent.",
            redocumented(&honest, |value| value["parts"]["not\u{e9}.txt"] = "".into()),
        ),
        (
            "document-truncated",
            F::DocumentInvalid,
            "A document lacks its last byte.",
            edited(|bytes| {
                bytes.pop();
            }),
        ),
        (
            "document-with-line-feed",
            F::DocumentInvalid,
            "A document ends with a line feed.",
            edited(|bytes| bytes.push(b'\n')),
        ),
        (
            "document-with-byte-order-mark",
            F::ContainerUnrecognised,
            "A document begins with a byte order mark.",
            edited(|bytes| {
                bytes.splice(0..0, *b"\xef\xbb\xbf");
            }),
        ),
        (
            "document-with-white-space",
            F::DocumentInvalid,
            "A document holds a space.",
            edited(|bytes| replace(bytes, b"{\"parts\":", b"{\"parts\": ")),
        ),
        (
            "document-with-repeated-part",
            F::MemberRepeated,
            "A document holds a part twice.",
            edited(|bytes| {
                replace(bytes, b"\"README.txt\":", b"\"README.txt\":\"\",\"README.txt\":")
            }),
        ),
        (
            "document-followed-by-another",
            F::DocumentInvalid,
            "Two documents stand one after the other.",
            edited(|bytes| bytes.extend(bytes.clone())),
        ),
    ];
    let case = |(name, meant, description, bytes): (_, _, _, Vec<u8>)| {
        Case::reject_bytes(name, meant, description, Vec::new()).document(bytes)
    };
    rows.into_iter().map(case).collect()
}
