//! Renders what records say as canonical text: values, attributes, and the markers of what was removed.
//!
//! Members are written in their canonical order. Attributes stay an ordered list of `{key, type, value}`, 64-bit
//! integers and non-finite doubles are strings, so nothing depends on map order or on how a reader holds numbers.

use std::ops::Range;

use recorder_envelope::json::write_string;
use recorder_envelope::redaction::{Kind, NameVerdict, PairPart};

use crate::bounds::Bounds;
use crate::fault::{Fault, FaultCode};
use crate::keys::{Begun, KEY_OPENING, KeyTable, Label, Part, Slot, Under};
use crate::screen::Screen;

/// What of a record or resource names its actor, environment and session, as far as it may be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels([String; Label::COUNT]);

impl Labels {
    /// What an attribute said, if it was there and nothing of it was removed.
    pub(crate) fn find(&self, label: Label) -> Option<&str> {
        self.0.get(label as usize).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn set(&mut self, label: Label, text: &str) {
        if let Some(place) = self.0.get_mut(label as usize) {
            place.clear();
            place.push_str(text);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.iter_mut().for_each(String::clear);
    }
}

/// What happens to a value because of the keys that it stands under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate<'s> {
    /// It is screened and shown, unless its key says that a value of its kind is removed.
    Show(Under<'s>),
    /// It is an item of an array: as shown, unless the item before announced a secret.
    Item(Option<&'s str>),
    /// It is removed, for this reason, whatever it is.
    Remove(&'s str),
    /// It is inside something that will be removed as a whole: rendered as it is, to be digested.
    Raw,
}

/// How deep a value stands, and whether the attributes there are those of a record or resource itself.
///
/// What stands deeper, or in an event, a link, a scope or a body, may come from anywhere: it names nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Level {
    pub(crate) depth: usize,
    is_own: bool,
}

impl Level {
    /// The attributes of a record or resource.
    pub(crate) const OWN: Self = Self { depth: 0, is_own: true };

    /// What a part of a record says of itself, and what a scope does.
    pub(crate) const PART: Self = Self { depth: 0, is_own: false };

    /// What stands inside a value.
    pub(crate) const fn deeper(self) -> Self {
        Self { depth: self.depth + 1, is_own: false }
    }
}

/// Shown as far as the policy allows, under no key in particular.
pub(crate) const SHOW: Fate<'static> = Fate::Show(Under::NOTHING);

/// How a value begins that is a marker; no string of the input can hold its bare quotes.
const MARKED: &[u8] = b",\"value\":{\"$redacted\":";

/// The name under which a redaction policy finds the message of a span's status.
pub(crate) const STATUS_MESSAGE: &str = "status.message";

impl<'s> Fate<'s> {
    /// What becomes of an integer or a double.
    #[inline]
    fn of_number(self) -> Self {
        match self {
            Self::Show(under) => under.removed_number().map_or(self, Self::Remove),
            fate => fate,
        }
    }

    /// What becomes of a string, an array or a list.
    #[inline]
    pub(crate) fn of_other(self) -> Self {
        match self {
            Self::Show(under) => under.removed().map_or(self, Self::Remove),
            fate => fate,
        }
    }

    /// What becomes of an item of an array, given what the item before said of it.
    pub(crate) const fn of_item(self, announced: Option<&'s str>) -> Self {
        match self {
            Self::Show(_) | Self::Item(_) => Self::Item(announced),
            Self::Remove(_) | Self::Raw => self,
        }
    }
}

/// Renders the values of one body.
pub(crate) struct Renderer<'s> {
    pub(crate) screen: Screen<'s>,
    pub(crate) bounds: &'s Bounds,
    pub(crate) keys: KeyTable<'s>,
    /// What the attributes of the list at hand say of actor, environment and session.
    pub(crate) labels: Labels,
    /// Why the item after the one at hand is removed, if it is.
    pub(crate) announced: Option<&'s str>,
    /// The keys of the lists that are open: hash, and where each is rendered.
    seen: Vec<(u64, usize, usize)>,
    /// What the attribute at hand says, if it may be the name of a pair.
    pair_name: Option<Box<str>>,
    /// What kind of value was written last.
    kind: Kind,
}

/// An attribute list under way.
pub(crate) struct ListMark {
    level: Level,
    first_key: usize,
    pub(crate) count: usize,
    /// Where the key before is kept.
    pub(crate) before: usize,
    /// A bit for each key, by its hash.
    keys: u128,
    pair_name: Option<Box<str>>,
    pair_value: Option<PairValue>,
}

/// What an attribute begins with.
pub(crate) enum Begin {
    /// Something that must be read to be known.
    Unknown,
    /// This key, in so many bytes up to its value.
    Key { index: usize, length: usize },
    /// All of it, in so many bytes.
    Whole { length: usize },
}

impl ListMark {
    /// Counts one more attribute, and writes the comma before it.
    #[inline]
    fn count(&mut self, bounds: &Bounds, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.count >= bounds.attributes_max {
            return Err(Fault::new(FaultCode::TooManyAttributes));
        }
        if self.count > 0 {
            out.push(b',');
        }
        self.count += 1;
        Ok(())
    }
}

/// A value that the name of its pair may yet make a secret.
struct PairValue {
    /// Where the reader finds it again.
    place: usize,
    /// Where its type and value are rendered.
    rendered: Range<usize>,
    kind: Kind,
}

/// A value that must be rendered again, to be removed.
pub(crate) struct Again<'s> {
    /// Where the reader finds it.
    pub(crate) place: usize,
    /// What its type and value are to replace.
    pub(crate) rendered: Range<usize>,
    pub(crate) fate: Fate<'s>,
}

impl<'s> Renderer<'s> {
    pub(crate) fn new(screen: Screen<'s>, bounds: &'s Bounds) -> Self {
        Self {
            screen,
            bounds,
            keys: KeyTable::default(),
            labels: Labels::default(),
            announced: None,
            seen: Vec::new(),
            pair_name: None,
            kind: Kind::Literal,
        }
    }

    /// Opens a list of attributes.
    pub(crate) fn open_list(&mut self, level: Level, out: &mut Vec<u8>) -> ListMark {
        out.push(b'[');
        let first_key = self.seen.len();
        let before = KeyTable::START;
        ListMark { level, first_key, count: 0, before, keys: 0, pair_name: None, pair_value: None }
    }

    /// Writes `{"key":KEY,` and gives what becomes of the value, and where its like may be kept.
    ///
    /// Attributes of a list within a value take the fate of that value when it is removed.
    pub(crate) fn open_attribute(
        &mut self,
        list: &mut ListMark,
        key: &str,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Result<(Fate<'s>, Option<Slot>), Fault> {
        let place = self.keys.find(key, &self.screen);
        self.open_known(list, place, outer, out)
    }

    /// As [`open_attribute`](Self::open_attribute), for the key at a place of the table.
    #[inline]
    pub(crate) fn open_known(
        &mut self,
        list: &mut ListMark,
        place: usize,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Result<(Fate<'s>, Option<Slot>), Fault> {
        let Some(key) = self.keys.at(place) else {
            return Err(Fault::new(FaultCode::RecordTooLarge));
        };
        list.count(self.bounds, out)?;
        let start = out.len();
        let (hash, under) = (key.hash, key.under.at(list.level.is_own));
        if key.plain || outer == Fate::Raw {
            out.extend_from_slice(&key.opening);
        } else {
            out.extend_from_slice(KEY_OPENING);
            self.screen.write_text(&key.text, out);
            out.push(b',');
        }
        self.refuse_repeated(list, hash, start..out.len(), out)?;
        Ok(match outer {
            Fate::Raw | Fate::Remove(_) => (outer, None),
            Fate::Show(_) | Fate::Item(_) => (Fate::Show(under), self.keys.slot(place)),
        })
    }

    /// Begins an attribute of this list if `text` begins with it and its key came here before. One that says what it said before
    /// is written at once, where it is wanted `whole`.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        list: &mut ListMark,
        text: &[u8],
        whole: bool,
        out: &mut Vec<u8>,
    ) -> Result<Begin, Fault> {
        let begun = self.keys.begun(list.before, text, whole);
        let (index, hash, length, key_length, start) = match begun {
            None => return Ok(Begin::Unknown),
            Some(Begun::Key { index, length }) => {
                list.before = index;
                return Ok(Begin::Key { index, length });
            }
            Some(Begun::Repeated { index, hash, length, rendered, opening }) => {
                list.count(self.bounds, out)?;
                let start = out.len();
                out.extend_from_slice(rendered);
                (index, hash, length, opening, start)
            }
        };
        list.before = index;
        self.keys.repeated(index);
        self.refuse_repeated(list, hash, start..start + key_length, out)?;
        Ok(Begin::Whole { length })
    }

    /// Compares the key at `written` with every key of the list that has the same hash; canonical text has one spelling.
    #[inline]
    fn refuse_repeated(
        &mut self,
        list: &mut ListMark,
        hash: u64,
        written: Range<usize>,
        out: &[u8],
    ) -> Result<(), Fault> {
        let bit = 1 << (hash % u128::BITS as u64);
        if list.keys & bit != 0 && self.is_repeated(list, hash, written.clone(), out) {
            return Err(Fault::new(FaultCode::AttributeRepeated));
        }
        list.keys |= bit;
        self.seen.push((hash, written.start, written.end));
        Ok(())
    }

    fn is_repeated(&self, list: &ListMark, hash: u64, written: Range<usize>, out: &[u8]) -> bool {
        let key = out.get(written);
        let mine = self.seen.get(list.first_key..).unwrap_or_default();
        mine.iter().any(|&(other, from, to)| other == hash && out.get(from..to) == key)
    }

    /// Remembers what may be half of a pair: the value at hand was read at `place` and is rendered from `start` on.
    #[inline]
    pub(crate) fn note_pair(
        &mut self,
        list: &mut ListMark,
        fate: Fate<'s>,
        place: usize,
        rendered: Range<usize>,
    ) {
        match fate {
            Fate::Show(Under { part: Some(Part::Pair(PairPart::Name)), .. }) => {
                list.pair_name = self.pair_name.take();
            }
            Fate::Show(Under { part: Some(Part::Pair(PairPart::Value)), .. }) => {
                list.pair_value = Some(PairValue { place, rendered, kind: self.kind });
            }
            _ => {}
        }
    }

    /// The value of the list's pair, if its name says that it is a secret and it is shown all the same.
    pub(crate) fn settle(&self, list: &mut ListMark, out: &[u8]) -> Option<Again<'s>> {
        let (name, value) = (list.pair_name.take()?, list.pair_value.take()?);
        let NameVerdict::Sensitive(reason) = self.screen.verdict(&name, value.kind) else {
            return None;
        };
        let shown = out.get(value.rendered.clone()).unwrap_or_default();
        let is_marked = memchr::memmem::find(shown, MARKED).is_some();
        let PairValue { place, rendered, .. } = value;
        (!is_marked).then_some(Again { place, rendered, fate: Fate::Remove(reason) })
    }

    /// Closes a list of attributes.
    pub(crate) fn close_list(&mut self, list: &ListMark, out: &mut Vec<u8>) {
        self.seen.truncate(list.first_key);
        out.push(b']');
    }

    /// Forgets lists that a fault left open.
    pub(crate) fn reset(&mut self) {
        self.seen.clear();
        self.labels.clear();
        self.announced = None;
        self.pair_name = None;
    }

    /// Writes the type of a string that is removed, and its marker.
    pub(crate) fn removed_string(&mut self, reason: &str, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"type\":\"string\",\"value\":");
        self.kind = Kind::String;
        self.screen.write_removed(reason, bytes, out);
    }

    /// Writes a string's type and value.
    #[inline]
    pub(crate) fn string(&mut self, text: &str, fate: Fate<'s>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"type\":\"string\",\"value\":");
        self.kind = Kind::String;
        match fate.of_other() {
            Fate::Raw => write_string(out, text),
            Fate::Remove(reason) => self.screen.write_removed(reason, text, out),
            Fate::Item(announced) => self.item(text, announced, out),
            Fate::Show(Under { part, .. }) => {
                let whole = self.screen.write_text(text, out);
                match part {
                    Some(Part::Label(label)) if whole => self.labels.set(label, text),
                    Some(Part::Pair(PairPart::Name)) => self.pair_name = Some(text.into()),
                    _ => {}
                }
            }
        }
    }

    fn item(&mut self, text: &str, announced: Option<&'s str>, out: &mut Vec<u8>) {
        match announced {
            Some(reason) if !text.is_empty() && !text.starts_with('-') => {
                self.screen.write_removed(reason, text, out);
            }
            _ => {
                self.screen.write_text(text, out);
                self.announced = self.screen.announces(text);
            }
        }
    }

    /// Writes the type and value of what is not a string: `canonical` is its text.
    fn scalar(&mut self, kind: &str, canonical: &str, fate: Fate<'s>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        match fate {
            Fate::Raw | Fate::Show(_) | Fate::Item(_) => {
                out.extend_from_slice(canonical.as_bytes());
            }
            Fate::Remove(reason) => self.screen.write_removed(reason, canonical, out),
        }
    }

    /// Writes a 64-bit integer as a string.
    pub(crate) fn integer(&mut self, value: i64, fate: Fate<'s>, out: &mut Vec<u8>) {
        self.kind = Kind::Number;
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value);
        match fate.of_number() {
            Fate::Raw | Fate::Show(_) | Fate::Item(_) => {
                out.extend_from_slice(b"\"type\":\"int\",\"value\":\"");
                out.extend_from_slice(digits.as_bytes());
                out.push(b'"');
            }
            removed @ Fate::Remove(_) => self.scalar("int", digits, removed, out),
        }
    }

    /// Writes a double: a number, or one of the three words that JSON has none for.
    pub(crate) fn double(&mut self, value: f64, fate: Fate<'s>, out: &mut Vec<u8>) {
        self.kind = Kind::Number;
        let mut buffer = ryu_js::Buffer::new();
        let text = match value {
            value if value.is_finite() => buffer.format_finite(value),
            value if value.is_nan() => "\"NaN\"",
            value if value > 0.0 => "\"Infinity\"",
            _ => "\"-Infinity\"",
        };
        self.scalar("double", text, fate.of_number(), out);
    }

    /// Writes `true` or `false`.
    pub(crate) fn boolean(&mut self, value: bool, fate: Fate<'s>, out: &mut Vec<u8>) {
        self.kind = Kind::Literal;
        self.scalar("bool", if value { "true" } else { "false" }, fate, out);
    }

    /// Writes bytes as base64. Bytes over the bound of strings are removed: a part of them says nothing.
    pub(crate) fn bytes(&mut self, bytes: &[u8], fate: Fate<'s>, out: &mut Vec<u8>) {
        use base64::Engine as _;
        self.kind = Kind::String;
        let fate = match fate.of_other() {
            Fate::Show(_) | Fate::Item(_) if bytes.len() > self.bounds.string_bytes_max => {
                Fate::Remove("bytes_too_long")
            }
            fate => fate,
        };
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        out.extend_from_slice(b"\"type\":\"bytes\",\"value\":");
        match fate {
            Fate::Remove(reason) => self.screen.write_removed(reason, &text, out),
            Fate::Show(_) | Fate::Item(_) => self.text(&text, out),
            Fate::Raw => write_string(out, &text),
        }
    }

    /// Writes a value that says nothing.
    pub(crate) fn empty(&mut self, out: &mut Vec<u8>) {
        self.kind = Kind::Literal;
        out.extend_from_slice(b"\"type\":\"empty\",\"value\":null");
    }

    /// Begins the type and value of an array or a list; gives where the value begins and how to render what is inside.
    pub(crate) fn open_nested(
        &mut self,
        kind: &str,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> (usize, Fate<'s>) {
        out.extend_from_slice(b"\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        let inner = match fate.of_other() {
            Fate::Show(_) | Fate::Item(_) => SHOW,
            Fate::Remove(_) | Fate::Raw => Fate::Raw,
        };
        (out.len(), inner)
    }

    /// Ends what `open_nested` began at `start`: what is to be removed is digested as it was rendered.
    pub(crate) fn close_nested(&mut self, start: usize, fate: Fate<'s>, out: &mut Vec<u8>) {
        self.kind = Kind::Container;
        let Fate::Remove(reason) = fate.of_other() else { return };
        let rendered = out.split_off(start);
        if rendered == b"[]" {
            out.extend_from_slice(&rendered);
        } else {
            self.screen.write_removed(reason, &rendered, out);
        }
    }

    /// Writes a text that stands under a name of OTLP's own, which the policy may name.
    pub(crate) fn named_text(&mut self, name: &str, text: &str, out: &mut Vec<u8>) {
        let place = self.keys.find(name, &self.screen);
        match self.keys.at(place).and_then(|key| key.under.removed()) {
            Some(reason) => self.screen.write_removed(reason, text, out),
            None => self.text(text, out),
        }
    }

    /// Writes a text that has no key, such as a name or a status message; it is screened like any other.
    pub(crate) fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.screen.write_text(text, out);
    }
}

/// Writes an unsigned integer in quotes.
pub(crate) fn write_u64_string(value: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.push(b'"');
}

/// Writes a small integer as a number.
#[inline]
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    // Counts, kinds and codes hardly ever have two digits.
    if let 0..=9 = value {
        return out.push(b'0' + value as u8);
    }
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
