//! Reads a draft in its usual spelling in one pass: strings without escapes, no attachments, nothing wrong.
//!
//! It never says what is wrong. Where it finds anything that it does not expect it gives up, and the parser that
//! explains reads the draft again; a test holds the two to the same answers.

use recorder_core::identity::EnvelopeId;
use recorder_core::time::UtcTimestamp;

use super::Draft;
use crate::envelope::PayloadSalt;
use crate::json::{CanonicalPayload, Canonicalizer, JsonLimits};

/// The members that are texts, as they were found: absent, null, or a text.
#[derive(Default)]
struct Texts<'a> {
    actor_id: Option<Option<&'a str>>,
    claimed_time: Option<Option<&'a str>>,
    envelope_id: Option<Option<&'a str>>,
    environment_id: Option<Option<&'a str>>,
    event_type: Option<Option<&'a str>>,
    payload_salt: Option<Option<&'a str>>,
    session_id: Option<Option<&'a str>>,
    trace_id: Option<Option<&'a str>>,
}

impl<'a> Texts<'a> {
    /// The place of a member that is a text.
    fn slot(&mut self, name: &str) -> Option<&mut Option<Option<&'a str>>> {
        Some(match name {
            "actor_id" => &mut self.actor_id,
            "claimed_time" => &mut self.claimed_time,
            "envelope_id" => &mut self.envelope_id,
            "environment_id" => &mut self.environment_id,
            "event_type" => &mut self.event_type,
            "payload_salt" => &mut self.payload_salt,
            "session_id" => &mut self.session_id,
            "trace_id" => &mut self.trace_id,
            _ => return None,
        })
    }
}

/// The rest of a draft, as far as it was found.
#[derive(Default)]
struct Rest {
    schema_version: Option<u64>,
    parent_ids: Option<Vec<EnvelopeId>>,
    payload: Option<CanonicalPayload>,
    no_attachments: bool,
}

/// Reads a draft, or gives up.
pub(super) fn draft(canonicalizer: &mut Canonicalizer, bytes: &[u8]) -> Option<Draft> {
    // A draft within the payload's limit bounds its payload too.
    if bytes.len() > JsonLimits::PAYLOAD.input_bytes_max {
        return None;
    }
    let mut spotter = Spotter { text: std::str::from_utf8(bytes).ok()?, at: 0 };
    let (texts, rest) = spotter.object(canonicalizer)?;
    let id = texts.envelope_id.flatten().map(|text| EnvelopeId::parse(text.as_bytes()));
    let time = texts.claimed_time.flatten().map(UtcTimestamp::parse);
    let salt = match texts.payload_salt.flatten() {
        Some(text) => Some(PayloadSalt::from_hex(text.as_bytes())?),
        None => None,
    };
    Some(Draft {
        schema_version: rest.schema_version,
        envelope_id: id.transpose().ok()?,
        event_type: texts.event_type.flatten()?.parse().ok()?,
        actor_id: texts.actor_id.flatten()?.parse().ok()?,
        environment_id: texts.environment_id.flatten()?.parse().ok()?,
        claimed_time: time.transpose().ok()?,
        trace_id: texts.trace_id.flatten().map(str::parse).transpose().ok()?,
        session_id: texts.session_id.flatten().map(str::parse).transpose().ok()?,
        parent_ids: rest.parent_ids.unwrap_or_default(),
        payload: rest.payload?,
        payload_salt: salt,
        attachment_refs: Vec::new(),
    })
}

/// A place in the text.
struct Spotter<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Spotter<'a> {
    fn object(&mut self, canonicalizer: &mut Canonicalizer) -> Option<(Texts<'a>, Rest)> {
        let (mut texts, mut rest) = (Texts::default(), Rest::default());
        self.token(b'{')?;
        loop {
            self.skip_white_space();
            let name = self.string()?;
            self.token(b':')?;
            self.skip_white_space();
            match texts.slot(name) {
                Some(slot) if slot.is_none() => *slot = Some(self.string_or_null()?),
                Some(_) => return None,
                None => self.other(name, canonicalizer, &mut rest)?,
            }
            self.skip_white_space();
            match self.byte()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.skip_white_space();
        (self.at == self.text.len()).then_some((texts, rest))
    }

    fn other(
        &mut self,
        name: &str,
        canonicalizer: &mut Canonicalizer,
        rest: &mut Rest,
    ) -> Option<()> {
        match name {
            "payload" if rest.payload.is_none() => {
                let read = CanonicalPayload::parse_at(canonicalizer, self.text, self.at);
                let (payload, end) = read.ok()?;
                rest.payload = Some(payload);
                self.at = end;
            }
            "parent_ids" if rest.parent_ids.is_none() => rest.parent_ids = Some(self.ids()?),
            "schema_version" if rest.schema_version.is_none() => {
                self.token(b'1')?;
                rest.schema_version = Some(1);
            }
            "attachment_refs" if !rest.no_attachments => {
                self.token(b'[')?;
                self.token(b']')?;
                rest.no_attachments = true;
            }
            _ => return None,
        }
        Some(())
    }

    fn ids(&mut self) -> Option<Vec<EnvelopeId>> {
        let mut ids = Vec::new();
        self.token(b'[')?;
        self.skip_white_space();
        while self.byte()? != b']' {
            if !ids.is_empty() {
                self.token(b',')?;
                self.skip_white_space();
            }
            ids.push(EnvelopeId::parse(self.string()?.as_bytes()).ok()?);
            self.skip_white_space();
        }
        self.at += 1;
        Some(ids)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// Reads one byte after white space.
    fn token(&mut self, expected: u8) -> Option<()> {
        self.skip_white_space();
        if self.byte()? != expected {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn string_or_null(&mut self) -> Option<Option<&'a str>> {
        if self.text.get(self.at..)?.starts_with("null") {
            self.at += 4;
            return Some(None);
        }
        self.string().map(Some)
    }

    /// Reads a string in which nothing is escaped.
    fn string(&mut self) -> Option<&'a str> {
        if self.byte()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let rest = self.text.as_bytes().get(start..)?;
        let length = memchr::memchr2(b'"', b'\\', rest)?;
        let text = self.text.get(start..start + length)?;
        if rest[length] != b'"' || text.bytes().any(|byte| byte < 0x20) {
            return None;
        }
        self.at = start + length + 1;
        Some(text)
    }
}
