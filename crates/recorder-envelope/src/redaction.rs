//! Takes secrets out of foreign records before anything of them becomes evidence, and bounds what is left.
//!
//! What becomes evidence cannot be taken back, so this runs before any hash (`docs/spec/adapters.md`). A [`Redactor`] is one
//! policy, its bounds and, where there is one, the key of the digests; [`Redactor::begin`] starts a [`Redaction`], the pass
//! over one record:
//!
//! - [`json`](Redaction::json) takes a JSON text of any shape and writes it without secrets;
//! - [`text`](Redaction::text) and [`member`](Redaction::member) do so for strings that an adapter has in its hands;
//! - [`remove_text`](Redaction::remove_text) and [`remove_json`](Redaction::remove_json) take out what the adapter's own
//!   contract names;
//! - [`label`](Redaction::label) is for what goes into names of the envelope and into anomalies.
//!
//! What they write is JSON, to be canonicalised by [`CanonicalPayload::parse`](crate::json::CanonicalPayload::parse), which
//! also refuses what this pass lets through: duplicate names. What was removed leaves
//! `{"$redacted":{"bytes","hmac","reason"}}`, what was cut `{"$truncated":{"bytes","hmac","kept"}}`. No input can pose as
//! either: a member name that begins like one gets another `$` in front.
//!
//! Secrets are found by the name of their member, by their place and by their shape. Whatever has none of the three
//! is not found: see the page for what that means.
//!
//! Deliberately absent: regular expressions, configuration by anything but data, and redaction of what is stored already.

mod bounds;
mod look;
mod mark;
mod matcher;
mod name;
mod path;
mod policy;
mod read;
mod scan;
mod walk;

use std::borrow::Cow;

pub use bounds::{BoundError, BoundErrorKind, Bounds};
pub use name::{Kind, NameVerdict, PairPart};
pub use policy::{RedactionPolicy, RedactionPolicyError};

use crate::adapter::RedactionKey;
use mark::Marker;

/// One policy, its bounds, and the key of its digests.
#[derive(Debug)]
pub struct Redactor {
    policy: RedactionPolicy,
    bounds: Bounds,
    key: Option<RedactionKey>,
}

impl Redactor {
    /// Takes what every pass shares. Without a key, markers carry no digest: what was removed can then never be shown.
    pub fn new(policy: RedactionPolicy, bounds: Bounds, key: Option<RedactionKey>) -> Self {
        Self { policy, bounds, key }
    }

    /// The policy.
    pub fn policy(&self) -> &RedactionPolicy {
        &self.policy
    }

    /// The bounds.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Starts a pass. One pass may serve several records: only its tally goes on.
    pub fn begin(&self) -> Redaction<'_> {
        Redaction {
            policy: &self.policy,
            bounds: &self.bounds,
            marker: Marker::new(self.key.as_ref()),
            tally: Tally::default(),
        }
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Values and names that were removed.
    pub redacted: u64,
    /// Strings that were cut.
    pub truncated: u64,
}

/// A pass over a record.
#[derive(Debug)]
pub struct Redaction<'r> {
    policy: &'r RedactionPolicy,
    bounds: &'r Bounds,
    marker: Marker,
    tally: Tally,
}

impl<'r> Redaction<'r> {
    /// What was done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// What the policy says of a member of this name that holds a value of this kind.
    pub fn name(&self, name: &str, kind: Kind) -> NameVerdict<'r> {
        self.policy.name(name, kind)
    }

    /// What is secret about a text by its shape alone, such as `value:jwt`; `None` where nothing is found.
    pub fn secret_in(&self, text: &str) -> Option<&'r str> {
        scan::secret_in(self.policy, text)
    }

    /// What an item of a list says of the next one: a flag such as `--token`, or the name of a header.
    pub fn announces(&self, item: &str) -> Option<&'r str> {
        self.policy.announces(item)
    }

    /// Which half of a pair of name and value a member of this name may be.
    pub fn pair_part(&self, name: &str) -> Option<PairPart> {
        self.policy.pair_part(name)
    }

    /// Writes a string as JSON: as it is, without the secrets in the JSON that it holds, cut, or as a marker.
    #[inline]
    pub fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.len() <= self.bounds.string_bytes_max && self.policy.glance.is_plain(text) {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        } else {
            walk::write_text(self, text, 0, out);
        }
    }

    /// As [`text`](Self::text), for the string under `name`: removed where the name is sensitive.
    pub fn member(&mut self, name: &str, text: &str, out: &mut Vec<u8>) {
        match self.policy.name(name, Kind::String) {
            NameVerdict::Sensitive(reason) if !text.is_empty() => {
                self.remove_text(reason, text, out);
            }
            NameVerdict::Sensitive(_) | NameVerdict::Secret(_) | NameVerdict::Plain => {
                self.text(text, out);
            }
        }
    }

    /// Writes the marker of a string that is removed: the bytes of its UTF-8.
    pub fn remove_text(&mut self, reason: &str, text: impl AsRef<[u8]>, out: &mut Vec<u8>) {
        self.tally.redacted += 1;
        self.marker.redacted_text(reason, text.as_ref(), out);
    }

    /// Writes the marker of a JSON value that is removed; a JSON string counts as its text.
    ///
    /// # Errors
    ///
    /// What [`json`](Self::json) refuses: a digest of something that is not JSON could not be made again.
    pub fn remove_json(
        &mut self,
        reason: &str,
        json: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BoundError> {
        walk::remove(self, reason, json, out)
    }

    /// Writes a JSON text without its secrets, or refuses it.
    ///
    /// # Errors
    ///
    /// `BoundError` names what is over the bounds or no JSON, and where; `out` is then as it was.
    pub fn json(&mut self, json: &[u8], out: &mut Vec<u8>) -> Result<(), BoundError> {
        self.json_at(&[], json, out)
    }

    /// As [`json`](Self::json), for a value that stands at `place` of what the policy's paths are about.
    ///
    /// # Errors
    ///
    /// As [`json`](Self::json).
    pub fn json_at(
        &mut self,
        place: &[&str],
        json: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BoundError> {
        walk::write_json(self, place, json, out)
    }

    /// The text itself where nothing in it is secret, else `redacted:` and as much of its digest as names it, or the reason
    /// where there is no key. For names of the envelope and for anomalies.
    pub fn label<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match self.secret_in(text) {
            None => Cow::Borrowed(text),
            Some(reason) => {
                self.tally.redacted += 1;
                Cow::Owned(self.marker.label(reason, text))
            }
        }
    }

    /// HMAC-SHA-256 of a text that is kept as a pseudonym under the redaction key; `None` without a key.
    pub fn pseudonym(&mut self, text: &str) -> Option<[u8; 32]> {
        self.marker.digest(mark::PSEUDONYM, text.as_bytes())
    }
}
