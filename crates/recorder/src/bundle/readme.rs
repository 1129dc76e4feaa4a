//! `README.txt`: what a bundle is and how to verify it, for a person who has never heard of Recorder.

use super::BuildRequest;
use super::selection::Selection;

/// The text. It claims nothing that the verifier does not recompute.
pub(super) fn text(request: &BuildRequest<'_>, selection: &Selection) -> String {
    format!(
        "\
This is a Recorder evidence bundle.

Stream    : {stream}
Envelopes : {envelopes}, from {segments} segment(s)
Built at  : {created_at}

Each envelope is one recorded event. Envelopes are linked by a hash chain, which is also a Merkle log
(RFC 6962), so that changing, reordering, adding or removing one changes every hash after it.

How to verify, offline, without trusting whoever gave you this file:

    recorder bundle verify THIS-FILE --trust-root TRUST-ROOT.json

The trust root holds the public keys that you trust. Get it from a source that you trust, never from
the one that gave you the bundle. Without it, verification can show that the bundle is consistent in
itself, but not who made it.

Nothing in this text is evidence. Believe only what the verifier reports.

The format is open: manifest.json lists every part with its SHA-256; segments/*/envelopes-*.jsonl hold
one canonical JSON object (RFC 8785) a line; attachments/sha256/ holds files named by their SHA-256.
",
        stream = request.stream,
        envelopes = selection.envelope_count,
        segments = selection.segments.len(),
        created_at = request.created_at,
    )
}
