//! What stands where something was: markers, and their digests.

use std::fmt;

use hmac::digest::FixedOutputReset as _;
use hmac::{HmacReset, Mac as _};
use recorder_core::hash::encode_hex_into;
use sha2::Sha256;

use crate::adapter::RedactionKey;
use crate::json::{ObjectWriter, write_string};

/// Domains of the digests: a text, the canonical JSON of another value, a text that is kept as a pseudonym.
const TEXT: &[u8] = b"recorder/redaction/v1\ntext\n";
const JSON: &[u8] = b"recorder/redaction/v1\njson\n";
pub(super) const PSEUDONYM: &[u8] = b"recorder/redaction/v1\npseudonym\n";

/// Bytes of a digest in a label: enough to tell labels apart.
const LABEL_BYTES: usize = 16;

/// Writes markers.
pub(super) struct Marker {
    mac: Option<HmacReset<Sha256>>,
}

impl fmt::Debug for Marker {
    /// Prints nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker(..)")
    }
}

impl Marker {
    pub(super) fn new(key: Option<&RedactionKey>) -> Self {
        Self { mac: key.map(RedactionKey::mac) }
    }

    /// HMAC-SHA-256 over domain and bytes.
    pub(super) fn digest(&mut self, domain: &[u8], bytes: &[u8]) -> Option<[u8; 32]> {
        let mac = self.mac.as_mut()?;
        mac.update(domain);
        mac.update(bytes);
        Some(mac.finalize_fixed_reset().into())
    }

    pub(super) fn redacted_text(&mut self, reason: &str, text: &[u8], out: &mut Vec<u8>) {
        write_redacted(reason, text.len(), self.digest(TEXT, text), out);
    }

    pub(super) fn redacted_json(&mut self, reason: &str, canonical: &[u8], out: &mut Vec<u8>) {
        write_redacted(reason, canonical.len(), self.digest(JSON, canonical), out);
    }

    /// Bytes and digest are those of `text`, which `kept` begins, or began before its own secrets were taken out.
    pub(super) fn truncated(&mut self, text: &str, kept: &str, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        let mut inner = object.object("$truncated");
        inner.u64("bytes", text.len() as u64);
        if let Some(digest) = self.digest(TEXT, text.as_bytes()) {
            inner.hex("hmac", &digest);
        }
        inner.string("kept", kept);
        inner.finish();
        object.finish();
    }

    pub(super) fn label(&mut self, reason: &str, text: &str) -> String {
        let Some(digest) = self.digest(TEXT, text.as_bytes()) else {
            return format!("redacted:{reason}");
        };
        let mut hex = [0; LABEL_BYTES * 2];
        encode_hex_into(&digest[..LABEL_BYTES], &mut hex);
        format!("redacted:{}", String::from_utf8_lossy(&hex))
    }
}

/// Writes `{"$redacted":{"bytes","hmac","reason"}}`, piece by piece: some records are markers for the most part.
fn write_redacted(reason: &str, bytes: usize, digest: Option<[u8; 32]>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"$redacted\":{\"bytes\":");
    out.extend_from_slice(itoa::Buffer::new().format(bytes).as_bytes());
    if let Some(digest) = digest {
        let mut hex = [0; 64];
        encode_hex_into(&digest, &mut hex);
        out.extend_from_slice(b",\"hmac\":\"");
        out.extend_from_slice(&hex);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"reason\":");
    write_string(out, reason);
    out.extend_from_slice(b"}}");
}

/// Writes a member name that came from outside, so that it cannot be taken for a marker's.
pub(super) fn write_name(name: &str, out: &mut Vec<u8>) {
    let rest = name.trim_start_matches('$');
    let poses =
        rest.len() < name.len() && (rest.starts_with("redacted") || rest.starts_with("truncated"));
    let quote = out.len();
    write_string(out, name);
    if poses {
        out.insert(quote + 1, b'$');
    }
}
