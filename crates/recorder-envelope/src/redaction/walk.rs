//! One pass over a JSON text, from the text that came to the text that stays.
//!
//! Reads by the grammar of RFC 8259, so that nothing is copied that was not understood. Numbers and member order stay
//! as they came: canonical form is made afterwards.

use std::borrow::Cow;

use super::bounds::{BoundError, BoundErrorKind};
use super::mark::write_name;
use super::name::{Kind, NameVerdict, PairPart};
use super::path::Step;
use super::read::Reader;
use super::{Redaction, scan};
use crate::json::{Canonicalizer, JsonErrorKind, JsonLimits, write_string};

/// Strings of JSON in strings of JSON that are read; what lies deeper is searched as plain text.
const LEVELS_MAX: u8 = 4;

/// Depth of the JSON in a string, whatever the bounds say of the record's own: it is kept as text.
const NESTED_DEPTH_MAX: usize = 64;

/// Shorter strings are not read as JSON.
const NESTED_BYTES_MIN: usize = 8;

/// Writes the value that all of `json` is.
pub(super) fn write_json(
    redaction: &mut Redaction<'_>,
    place: &[&str],
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BoundError> {
    let text = admit(redaction, json)?;
    let steps = place.iter().map(|step| Some(Cow::Borrowed(*step))).collect();
    let (start, tally) = (out.len(), redaction.tally);
    let depth_left = redaction.bounds.depth_max.min(JsonLimits::DEPTH_CEILING);
    let walk = Walk { redaction, read: Reader { text, at: 0 }, depth_left, level: 0, place: steps };
    let result = walk.document(out);
    if result.is_err() {
        out.truncate(start);
        redaction.tally = tally;
    }
    result
}

/// Writes the marker of the value that all of `json` is.
pub(super) fn remove(
    redaction: &mut Redaction<'_>,
    reason: &str,
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BoundError> {
    let text = admit(redaction, json)?;
    let start = out.len();
    let depth_left = redaction.bounds.depth_max.min(JsonLimits::DEPTH_CEILING);
    let mut walk =
        Walk { redaction, read: Reader { text, at: 0 }, depth_left, level: 0, place: Vec::new() };
    walk.read.blank();
    let result = walk.remove(reason, out).and_then(|()| walk.finish());
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn admit<'a>(redaction: &Redaction<'_>, json: &'a [u8]) -> Result<&'a str, BoundError> {
    let bytes_max = redaction.bounds.record_bytes_max;
    if json.len() > bytes_max {
        return Err(BoundError { kind: BoundErrorKind::RecordTooLarge, offset: bytes_max });
    }
    std::str::from_utf8(json).map_err(|error| BoundError {
        kind: BoundErrorKind::Json(JsonErrorKind::InvalidUtf8),
        offset: error.valid_up_to(),
    })
}

/// Writes a string: with the JSON that it holds, as a marker, cut, or as it is.
pub(super) fn write_text(redaction: &mut Redaction<'_>, text: &str, level: u8, out: &mut Vec<u8>) {
    write_text_at(redaction, text, level, &[], out);
}

fn write_text_at(
    redaction: &mut Redaction<'_>,
    text: &str,
    level: u8,
    place: &[Step<'_>],
    out: &mut Vec<u8>,
) {
    match nested(redaction, text, level, place) {
        Some(Some(cleaned)) => write_bounded(redaction, text, &cleaned, level, out),
        Some(None) => write_bounded(redaction, text, text, level, out),
        None => match scan::secret_in(redaction.policy, text) {
            Some(reason) => redaction.remove_text(reason, text, out),
            None => write_bounded(redaction, text, text, level, out),
        },
    }
}

/// The JSON that a string holds, without its secrets: `None` where it holds none, `Some(None)` where it has no secret.
fn nested(
    redaction: &mut Redaction<'_>,
    text: &str,
    level: u8,
    place: &[Step<'_>],
) -> Option<Option<String>> {
    // Hardly any text ends so.
    if !matches!(
        text.as_bytes().last(),
        Some(b'}' | b']' | b'"' | b' ' | b'\t' | b'\n' | b'\r' | 0x0C)
    ) {
        return None;
    }
    let trimmed = text.trim_ascii().as_bytes();
    let ends = (trimmed.first()?, trimmed.last()?);
    let is_json = matches!(ends, (b'{', b'}') | (b'[', b']') | (b'"', b'"'));
    if !is_json || level >= LEVELS_MAX || trimmed.len() < NESTED_BYTES_MIN {
        return None;
    }
    let tally = redaction.tally;
    let mut cleaned = Vec::with_capacity(text.len());
    let place = place.to_vec();
    let walk = Walk {
        redaction,
        read: Reader { text, at: 0 },
        depth_left: NESTED_DEPTH_MAX,
        level: level + 1,
        place,
    };
    if walk.document(&mut cleaned).is_err() {
        redaction.tally = tally;
        return None;
    }
    if redaction.tally == tally {
        return Some(None);
    }
    String::from_utf8(cleaned).ok().map(Some)
}

/// Writes `kept`, which is what stays of `text`, or as much of it as the bound allows.
fn write_bounded(
    redaction: &mut Redaction<'_>,
    text: &str,
    kept: &str,
    level: u8,
    out: &mut Vec<u8>,
) {
    let bytes_max = redaction.bounds.string_bytes_max;
    // Strings inside a string are bounded by the outer one.
    if level > 0 || kept.len() <= bytes_max {
        write_string(out, kept);
        return;
    }
    let cut = kept.get(..kept.floor_char_boundary(bytes_max)).unwrap_or_default();
    redaction.tally.truncated += 1;
    redaction.marker.truncated(text, cut, out);
}

/// A place in a JSON text, and how much further it may nest.
struct Walk<'a, 's, 'r> {
    redaction: &'s mut Redaction<'r>,
    read: Reader<'a>,
    depth_left: usize,
    level: u8,
    place: Vec<Step<'a>>,
}

/// What one object has shown of itself as `{"name": …, "value": …}`.
#[derive(Default)]
struct Pair<'a> {
    name: Option<Cow<'a, str>>,
    /// Where the value stands in the input, and what was written for it.
    value: Option<(std::ops::Range<usize>, std::ops::Range<usize>, Kind)>,
}

impl<'a, 'r> Walk<'a, '_, 'r> {
    fn document(mut self, out: &mut Vec<u8>) -> Result<(), BoundError> {
        self.value(out)?;
        self.finish()
    }

    fn finish(&mut self) -> Result<(), BoundError> {
        self.read.blank();
        if self.read.at < self.read.text.len() {
            return Err(self.read.json_error(JsonErrorKind::TrailingBytes));
        }
        Ok(())
    }

    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), BoundError> {
        self.read.blank();
        if let Some(reason) = self.path_reason() {
            return self.remove(reason, out);
        }
        match self.read.byte() {
            b'"' => {
                let text = self.read.string()?;
                write_text_at(self.redaction, &text, self.level, &self.place, out);
                Ok(())
            }
            b'{' => self.nested(out, Self::object),
            b'[' => self.nested(out, Self::array),
            b'-' | b'0'..=b'9' => copy(self.read.number()?, out),
            b't' => copy(self.read.literal("true")?, out),
            b'f' => copy(self.read.literal("false")?, out),
            b'n' => copy(self.read.literal("null")?, out),
            _ => Err(self.read.unexpected()),
        }
    }

    /// The reason of the path that names this place; `null` stays, for it says nothing.
    fn path_reason(&self) -> Option<&'r str> {
        let paths = &self.redaction.policy.paths;
        if paths.is_empty() || self.read.byte() == b'n' {
            return None;
        }
        paths.iter().find(|(rule, _)| rule.matches(&self.place)).map(|(_, reason)| &**reason)
    }

    fn nested(
        &mut self,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), BoundError>,
    ) -> Result<(), BoundError> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.read.error(BoundErrorKind::TooDeep));
        };
        self.depth_left = depth_left;
        self.read.at += 1;
        read(self, out)?;
        self.depth_left += 1;
        Ok(())
    }

    fn array(&mut self, out: &mut Vec<u8>) -> Result<(), BoundError> {
        out.push(b'[');
        self.read.blank();
        let mut count = 0;
        let mut announced = None;
        while !(count == 0 && self.read.skip(b']')) {
            count += 1;
            if self.level == 0 && count > self.redaction.bounds.items_max {
                return Err(self.read.error(BoundErrorKind::TooManyItems));
            }
            self.place.push(None);
            announced = self.item(announced, out)?;
            self.place.pop();
            self.read.blank();
            if self.read.skip(b']') {
                break;
            }
            self.read.expect(b',')?;
            out.push(b',');
        }
        out.push(b']');
        Ok(())
    }

    /// One item; gives what it says of the next one.
    fn item(
        &mut self,
        announced: Option<&'r str>,
        out: &mut Vec<u8>,
    ) -> Result<Option<&'r str>, BoundError> {
        self.read.blank();
        if self.read.byte() != b'"' || self.path_reason().is_some() {
            self.value(out)?;
            return Ok(None);
        }
        let text = self.read.string()?;
        match announced {
            Some(reason) if !text.is_empty() && !text.starts_with('-') => {
                self.redaction.remove_text(reason, &*text, out);
                Ok(None)
            }
            _ => {
                write_text_at(self.redaction, &text, self.level, &self.place, out);
                Ok(self.redaction.policy.announces(&text))
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>) -> Result<(), BoundError> {
        out.push(b'{');
        self.read.blank();
        let mut count = 0;
        let mut pair = Pair::default();
        while !(count == 0 && self.read.skip(b'}')) {
            count += 1;
            if self.level == 0 && count > self.redaction.bounds.members_max {
                return Err(self.read.error(BoundErrorKind::TooManyMembers));
            }
            self.member(count, &mut pair, out)?;
            self.read.blank();
            if self.read.skip(b'}') {
                break;
            }
            self.read.expect(b',')?;
            out.push(b',');
        }
        out.push(b'}');
        self.settle(pair, out)
    }

    fn member(
        &mut self,
        index: usize,
        pair: &mut Pair<'a>,
        out: &mut Vec<u8>,
    ) -> Result<(), BoundError> {
        self.read.blank();
        let start = self.read.at;
        let name = self.read.string()?;
        if self.level == 0 && name.len() > self.redaction.bounds.name_bytes_max {
            return Err(BoundError { kind: BoundErrorKind::NameTooLong, offset: start });
        }
        self.read.blank();
        self.read.expect(b':')?;
        self.read.blank();
        let kind = self.kind();
        let verdict = self.redaction.policy.name(&name, kind);
        if let NameVerdict::Secret(reason) = verdict {
            return self.remove_member(index, start, reason, out);
        }
        write_name(&name, out);
        out.push(b':');
        let (value, written) = (self.read.at, out.len());
        self.place.push(Some(name.clone()));
        if let Some(reason) = self.path_reason() {
            self.remove(reason, out)?;
        } else {
            match verdict {
                NameVerdict::Sensitive(reason) if !self.is_empty_value() => {
                    self.remove(reason, out)?
                }
                _ => self.value(out)?,
            }
        }
        self.place.pop();
        self.note(pair, &name, value, written..out.len(), kind);
        Ok(())
    }

    /// Remembers what may make a pair of name and value.
    fn note(
        &self,
        pair: &mut Pair<'a>,
        name: &str,
        value: usize,
        written: std::ops::Range<usize>,
        kind: Kind,
    ) {
        match self.redaction.policy.pair_part(name) {
            Some(PairPart::Name) if kind == Kind::String => {
                let mut again = Reader { at: value, ..self.read };
                pair.name = again.string().ok();
            }
            Some(PairPart::Value) => pair.value = Some((value..self.read.at, written, kind)),
            Some(PairPart::Name) | None => {}
        }
    }

    /// Takes the value of a pair out again when its name turned out to be sensitive.
    fn settle(&mut self, pair: Pair<'a>, out: &mut Vec<u8>) -> Result<(), BoundError> {
        let (Some(name), Some((value, written, kind))) = (pair.name, pair.value) else {
            return Ok(());
        };
        let NameVerdict::Sensitive(reason) = self.redaction.policy.name(&name, kind) else {
            return Ok(());
        };
        let is_marked =
            out.get(written.clone()).is_some_and(|it| it.starts_with(b"{\"$redacted\":"));
        let end = std::mem::replace(&mut self.read.at, value.start);
        if !is_marked && !self.is_empty_value() {
            let mut marker = Vec::new();
            self.remove(reason, &mut marker)?;
            out.splice(written, marker);
        }
        self.read.at = end;
        Ok(())
    }

    /// Removes a member whose name is a secret, with its value: the digest is that of an object with this member alone.
    fn remove_member(
        &mut self,
        index: usize,
        start: usize,
        reason: &'r str,
        out: &mut Vec<u8>,
    ) -> Result<(), BoundError> {
        let mut canonical = Vec::new();
        self.canonical(&mut canonical)?;
        let member = self.read.text.get(start..self.read.at).unwrap_or_default();
        let mut object = Vec::new();
        let limits = JsonLimits { depth_max: self.depth_left + 1, ..self.limits() };
        let whole = format!("{{{member}}}");
        Canonicalizer::new().canonicalize(whole.as_bytes(), &limits, &mut object)?;
        self.redaction.tally.redacted += 1;
        write_string(out, &format!("$redacted.{index}"));
        out.push(b':');
        self.redaction.marker.redacted_json(reason, &object, out);
        Ok(())
    }

    /// Writes the marker of the value that stands here, and moves past it.
    fn remove(&mut self, reason: &str, out: &mut Vec<u8>) -> Result<(), BoundError> {
        if self.read.byte() == b'"' {
            let text = self.read.string()?;
            self.redaction.remove_text(reason, &*text, out);
            return Ok(());
        }
        let mut canonical = Vec::new();
        self.canonical(&mut canonical)?;
        self.redaction.tally.redacted += 1;
        self.redaction.marker.redacted_json(reason, &canonical, out);
        Ok(())
    }

    /// The canonical text of the value that stands here, and past it.
    fn canonical(&mut self, canonical: &mut Vec<u8>) -> Result<(), BoundError> {
        let limits = self.limits();
        let Reader { text, at } = self.read;
        self.read.at = Canonicalizer::new().canonicalize_value(text, at, &limits, canonical)?;
        Ok(())
    }

    fn limits(&self) -> JsonLimits {
        let depth_max = self.depth_left;
        JsonLimits { input_bytes_max: usize::MAX, depth_max, nodes_max: usize::MAX }
    }

    fn kind(&self) -> Kind {
        match self.read.byte() {
            b'"' => Kind::String,
            b'{' | b'[' => Kind::Container,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => Kind::Literal,
        }
    }

    /// Whether `""`, `[]`, `{}` or a literal stands here: a name makes a secret of none of them.
    fn is_empty_value(&self) -> bool {
        let rest = self.read.text.as_bytes().get(self.read.at..).unwrap_or_default();
        let empty: [&[u8]; 3] = [b"\"\"", b"[]", b"{}"];
        self.kind() == Kind::Literal || empty.iter().any(|empty| rest.starts_with(empty))
    }
}

fn copy(text: &str, out: &mut Vec<u8>) -> Result<(), BoundError> {
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
