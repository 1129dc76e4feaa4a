//! Renders what records say as canonical text: values, attributes, and the markers of what was removed.
//!
//! Members are written in their canonical order. Attributes stay an ordered list of `{key, type, value}`, 64-bit
//! integers and non-finite doubles are strings, so nothing depends on map order or on how a reader holds numbers.

use recorder_envelope::json::write_string;

use crate::bounds::Bounds;
use crate::fault::{Fault, FaultCode};
use crate::keys::{KeyClass, KeyTable, Label, Removed};
use crate::screen::Screen;

/// What of a record or resource names its actor, environment and session, as far as it may be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels([Option<Box<str>>; Label::COUNT]);

impl Labels {
    /// What an attribute said, if it was there and nothing of it was removed.
    pub(crate) fn find(&self, label: Label) -> Option<&str> {
        self.0.get(label as usize).and_then(Option::as_deref).filter(|text| !text.is_empty())
    }

    fn set(&mut self, label: Label, text: &str) {
        if let Some(place) = self.0.get_mut(label as usize) {
            *place = Some(text.into());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Default::default();
    }
}

/// What happens to a value because of the keys that it stands under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate<'s> {
    /// It is screened and shown, unless its key says that a value of its kind is removed.
    Show(Removed<'s>, Option<Label>),
    /// It is removed, for this reason, whatever it is.
    Remove(&'s str),
    /// It is inside something that will be removed as a whole: rendered as it is, to be digested.
    Raw,
}

/// Shown as far as the policy allows, under no key in particular.
pub(crate) const SHOW: Fate<'static> =
    Fate::Show(Removed { string: None, number: None, nested: None }, None);

/// The name under which a redaction policy finds the message of a span's status.
pub(crate) const STATUS_MESSAGE: &str = "status.message";

impl<'s> Fate<'s> {
    /// What becomes of a string.
    const fn of_string(self) -> Self {
        match self {
            Self::Show(Removed { string: Some(reason), .. }, _) => Self::Remove(reason),
            fate => fate,
        }
    }

    /// What becomes of an integer or a double.
    const fn of_number(self) -> Self {
        match self {
            Self::Show(Removed { number: Some(reason), .. }, _) => Self::Remove(reason),
            fate => fate,
        }
    }

    /// What becomes of an array or a list.
    const fn of_nested(self) -> Self {
        match self {
            Self::Show(Removed { nested: Some(reason), .. }, _) => Self::Remove(reason),
            fate => fate,
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
    /// The keys of the lists that are open: hash, and where each is rendered.
    seen: Vec<(u64, usize, usize)>,
}

/// An attribute list under way.
pub(crate) struct ListMark {
    first_key: usize,
    count: usize,
}

impl<'s> Renderer<'s> {
    pub(crate) fn new(screen: Screen<'s>, bounds: &'s Bounds) -> Self {
        let keys = KeyTable::default();
        Self { screen, bounds, keys, labels: Labels::default(), seen: Vec::new() }
    }

    /// Opens a list of attributes.
    pub(crate) fn open_list(&mut self, out: &mut Vec<u8>) -> ListMark {
        out.push(b'[');
        ListMark { first_key: self.seen.len(), count: 0 }
    }

    /// Writes `{"key":KEY,` and gives what becomes of the value.
    ///
    /// Attributes of a list within a value take the fate of that value when it is removed.
    pub(crate) fn open_attribute(
        &mut self,
        list: &mut ListMark,
        key: &str,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Result<Fate<'s>, Fault> {
        if list.count >= self.bounds.attributes_max {
            return Err(Fault::new(FaultCode::TooManyAttributes));
        }
        if list.count > 0 {
            out.push(b',');
        }
        list.count += 1;
        let class = self.keys.classify(key, &self.screen);
        out.extend_from_slice(b"{\"key\":");
        let start = out.len();
        self.write_key(key, &class, outer, out);
        self.refuse_repeated(list, class.hash, start, out)?;
        out.push(b',');
        Ok(match outer {
            Fate::Raw | Fate::Remove(_) => outer,
            Fate::Show(..) => Fate::Show(class.removed, class.label),
        })
    }

    fn write_key(&mut self, key: &str, class: &KeyClass<'s>, outer: Fate<'s>, out: &mut Vec<u8>) {
        match (outer, class.plain) {
            (Fate::Raw, _) | (_, true) => write_string(out, key),
            (_, false) => {
                self.screen.write_text(key, out);
            }
        }
    }

    /// Compares with every key of the list that has the same hash; canonical text has one spelling.
    fn refuse_repeated(
        &mut self,
        list: &ListMark,
        hash: u64,
        start: usize,
        out: &[u8],
    ) -> Result<(), Fault> {
        let key = out.get(start..).unwrap_or_default();
        let mine = self.seen.get(list.first_key..).unwrap_or_default();
        let repeated = mine.iter().any(|&(other, from, to)| {
            other == hash && out.get(from..to).unwrap_or_default() == key
        });
        if repeated {
            return Err(Fault::new(FaultCode::AttributeRepeated));
        }
        self.seen.push((hash, start, out.len()));
        Ok(())
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
    }

    /// Writes a string's type and value.
    pub(crate) fn string(&mut self, text: &str, fate: Fate<'s>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"type\":\"string\",\"value\":");
        match fate.of_string() {
            Fate::Raw => write_string(out, text),
            Fate::Remove(reason) => self.screen.write_removed(reason, text, out),
            Fate::Show(_, label) => {
                let whole = self.screen.write_text(text, out);
                if let (Some(label), true) = (label, whole) {
                    self.labels.set(label, text);
                }
            }
        }
    }

    /// Writes the type and value of what is not a string: `canonical` is its text.
    fn scalar(&mut self, kind: &str, canonical: &str, fate: Fate<'s>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        match fate {
            Fate::Raw | Fate::Show(..) => out.extend_from_slice(canonical.as_bytes()),
            Fate::Remove(reason) => self.screen.write_removed(reason, canonical, out),
        }
    }

    /// Writes a 64-bit integer as a string.
    pub(crate) fn integer(&mut self, value: i64, fate: Fate<'s>, out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value);
        match fate.of_number() {
            Fate::Raw | Fate::Show(..) => {
                out.extend_from_slice(b"\"type\":\"int\",\"value\":\"");
                out.extend_from_slice(digits.as_bytes());
                out.push(b'"');
            }
            removed @ Fate::Remove(_) => self.scalar("int", digits, removed, out),
        }
    }

    /// Writes a double: a number, or one of the three words that JSON has none for.
    pub(crate) fn double(&mut self, value: f64, fate: Fate<'s>, out: &mut Vec<u8>) {
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
        self.scalar("bool", if value { "true" } else { "false" }, fate, out);
    }

    /// Writes bytes as base64. Bytes over the bound of strings are removed: a part of them says nothing.
    pub(crate) fn bytes(&mut self, bytes: &[u8], fate: Fate<'s>, out: &mut Vec<u8>) {
        use base64::Engine as _;
        let fate = match fate.of_string() {
            Fate::Show(..) if bytes.len() > self.bounds.string_bytes_max => {
                Fate::Remove("bytes_too_long")
            }
            fate => fate,
        };
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        out.extend_from_slice(b"\"type\":\"bytes\",\"value\":");
        match fate {
            Fate::Remove(reason) => self.screen.write_removed(reason, &text, out),
            Fate::Show(..) => self.text(&text, out),
            Fate::Raw => write_string(out, &text),
        }
    }

    /// Writes a value that says nothing.
    pub(crate) fn empty(&mut self, out: &mut Vec<u8>) {
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
        let inner = match fate.of_nested() {
            Fate::Show(..) => SHOW,
            Fate::Remove(_) | Fate::Raw => Fate::Raw,
        };
        (out.len(), inner)
    }

    /// Ends what `open_nested` began at `start`: what is to be removed is digested as it was rendered.
    pub(crate) fn close_nested(&mut self, start: usize, fate: Fate<'s>, out: &mut Vec<u8>) {
        let Fate::Remove(reason) = fate.of_nested() else { return };
        let rendered = out.split_off(start);
        if rendered == b"[]" {
            out.extend_from_slice(&rendered);
        } else {
            self.screen.write_removed(reason, &String::from_utf8_lossy(&rendered), out);
        }
    }

    /// Writes a text that stands under a name of OTLP's own, which the policy may name.
    pub(crate) fn named_text(&mut self, name: &str, text: &str, out: &mut Vec<u8>) {
        match self.keys.classify(name, &self.screen).removed.string {
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

/// Writes a count as a number.
pub(crate) fn write_count(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes a small integer as a number.
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
