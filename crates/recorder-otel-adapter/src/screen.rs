//! What may be shown: the redaction engine, with what OpenTelemetry's keys add to it.

use recorder_envelope::redaction::{Kind, NameVerdict, PairPart, Redaction};

/// The reason that the markers of log bodies give.
pub(crate) const LOG_BODY_REASON: &str = "log_body";

/// The reason that the markers of rejected records give.
pub(crate) const REJECTED_REASON: &str = "rejected";

/// Screens the texts of one body.
pub(crate) struct Screen<'r> {
    redaction: Redaction<'r>,
}

impl<'r> Screen<'r> {
    pub(crate) fn new(redaction: Redaction<'r>) -> Self {
        Self { redaction }
    }

    /// What the policy says of a value of this kind under this key.
    pub(crate) fn verdict(&self, key: &str, kind: Kind) -> NameVerdict<'r> {
        self.redaction.name(key, kind)
    }

    /// Why the item after this one is removed, if it is.
    pub(crate) fn announces(&self, item: &str) -> Option<&'r str> {
        self.redaction.announces(item)
    }

    /// Which half of a pair of name and value this key may stand for.
    pub(crate) fn pair_part(&self, key: &str) -> Option<PairPart> {
        self.redaction.pair_part(key)
    }

    /// Writes a text as far as it may be shown; whether that is all of it.
    pub(crate) fn write_text(&mut self, text: &str, out: &mut Vec<u8>) -> bool {
        let before = self.redaction.tally();
        self.redaction.text(text, out);
        self.redaction.tally() == before
    }

    /// Writes the marker of the text that is removed.
    pub(crate) fn write_removed(
        &mut self,
        reason: &str,
        text: impl AsRef<[u8]>,
        out: &mut Vec<u8>,
    ) {
        match text.as_ref() {
            // Nothing is nothing to hide, and that it was nothing is evidence.
            [] => out.extend_from_slice(b"\"\""),
            text => self.redaction.remove_text(reason, text, out),
        }
    }
}
