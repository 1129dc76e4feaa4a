//! The document: the same parts in one canonical JSON object, for HTTP and small exports.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_core::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_ENVELOPES_MAX};
use recorder_envelope::json;
use recorder_store::Store;

use super::{BuildError, BuildRequest, Built, Spool, assemble};

/// Builds a document of at most 32 MiB and writes it to `out`.
///
/// # Errors
///
/// `DocumentTooLarge`, and as for an archive.
pub fn write_document(
    store: &dyn Store,
    request: &BuildRequest<'_>,
    spool: &mut dyn Spool,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Built, BuildError> {
    let assembled = assemble(store, request, spool, progress)?;
    let too_large = BuildError::DocumentTooLarge { size_bytes_max: DOCUMENT_BYTES_MAX };
    let content = assembled.manifest.content();
    let parts_bytes = content.parts.iter().map(|part| part.size_bytes).sum::<u64>();
    if parts_bytes > DOCUMENT_BYTES_MAX || content.envelope_count > DOCUMENT_ENVELOPES_MAX {
        return Err(too_large);
    }
    let mut members = BTreeMap::new();
    for part in &assembled.members {
        let mut bytes = Vec::new();
        part.plain(spool)?.read_to_end(&mut bytes)?;
        members.insert(part.name.as_str(), embedded(&part.name, &bytes));
    }
    let document = render(&members);
    if document.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(too_large);
    }
    out.write_all(&document)?;
    Ok(assembled.built(document.len() as u64))
}

/// How a part stands in the document: JSON as itself, lines as an array, text as a string, bytes as base64.
fn embedded(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    if name.ends_with(".jsonl") {
        out.push(b'[');
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            out.extend_from_slice(if index == 0 { b"" } else { b"," });
            out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        }
        out.push(b']');
    } else if name.ends_with(".json") {
        out.extend_from_slice(bytes);
    } else if name.starts_with("attachments/") {
        json::write_string(&mut out, &STANDARD.encode(bytes));
    } else {
        json::write_string(&mut out, &String::from_utf8_lossy(bytes));
    }
    out
}

/// `{"parts":{…},"type":…}`; names are ASCII, so their byte order is that of RFC 8785.
fn render(members: &BTreeMap<&str, Vec<u8>>) -> Vec<u8> {
    let mut out = b"{\"parts\":{".to_vec();
    for (index, (name, value)) in members.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"" } else { b"," });
        json::write_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.extend_from_slice(b"},\"type\":\"recorder.bundle-document/v1\"}");
    out
}
