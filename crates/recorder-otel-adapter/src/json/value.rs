//! `AnyValue` and `KeyValue` as JSON: rendered while they are read.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::cursor::{Cursor, Kind, Malformed, Text};
use super::integer;
use super::order::Orders;
use crate::fault::{FaultCode, Stop};
use crate::note::{Note, Notes};
use crate::render::{Begin, Fate, Level, ListMark, Renderer};

/// What one step of reading gives.
pub(crate) type Read<T> = Result<T, Stop<Malformed>>;

impl From<Malformed> for Stop<Malformed> {
    fn from(malformed: Malformed) -> Self {
        Self::Body(malformed)
    }
}

/// Padding is optional in proto3 JSON, and the bits behind the last byte are not always zero.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Reads the values of one record.
pub(crate) struct Values<'s> {
    pub(crate) renderer: Renderer<'s>,
    /// Where strings are unescaped.
    pub(crate) scratch: Vec<u8>,
    pub(crate) notes: Notes,
    /// In which order members came.
    pub(super) orders: Orders,
    /// Bytes of the longest string that one record can hold, as spelled.
    pub(crate) bytes_max: usize,
}

/// What was read of one `KeyValue`.
#[derive(Clone, Copy, Default)]
struct Seen<'s> {
    /// What becomes of the value, once there is a key.
    fate: Option<Fate<'s>>,
    /// Where a value stands that came before the key.
    early: Option<usize>,
    /// Whether the value is rendered.
    valued: bool,
}

/// The one member of an `AnyValue` that is set.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Member {
    String,
    Bool,
    Int,
    Double,
    Bytes,
    Array,
    List,
}

impl Member {
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"stringValue" => Some(Self::String),
            b"boolValue" => Some(Self::Bool),
            b"intValue" => Some(Self::Int),
            b"doubleValue" => Some(Self::Double),
            b"bytesValue" => Some(Self::Bytes),
            b"arrayValue" => Some(Self::Array),
            b"kvlistValue" => Some(Self::List),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::String => "stringValue",
            Self::Bool => "boolValue",
            Self::Int => "intValue",
            Self::Double => "doubleValue",
            Self::Bytes => "bytesValue",
            Self::Array => "arrayValue",
            Self::List => "kvlistValue",
        }
    }
}

impl<'s> Values<'s> {
    pub(crate) fn new(renderer: Renderer<'s>) -> Self {
        let bytes_max = renderer.bounds.record_bytes_max;
        Self {
            renderer,
            scratch: Vec::new(),
            notes: Notes::default(),
            orders: Orders::default(),
            bytes_max,
        }
    }

    /// Forgets the record before.
    pub(crate) fn reset(&mut self) {
        self.renderer.reset();
        self.notes = Notes::default();
    }

    /// Reads a list of attributes, or `null`, and renders it as an array.
    pub(crate) fn attributes(
        &mut self,
        cursor: &mut Cursor<'_>,
        level: Level,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let mut list = self.renderer.open_list(level, out);
        match cursor.kind()? {
            Kind::Null => cursor.null()?,
            Kind::Array => {
                cursor.open();
                let mut index = 0;
                while cursor.item(index == 0)? {
                    self.attribute(cursor, &mut list, level, outer, out)
                        .map_err(|stop| stop.within(index))?;
                    index += 1;
                }
            }
            _ => return Err(FaultCode::WrongKind.into()),
        }
        if let Some(again) = self.renderer.settle(&mut list, out) {
            let (mut earlier, mut removed, notes) = (*cursor, Vec::new(), self.notes);
            earlier.seek(again.place);
            self.value(&mut earlier, level, again.fate, &mut removed)?;
            out.splice(again.rendered, removed);
            self.notes = notes;
        }
        self.renderer.close_list(&list, out);
        Ok(())
    }

    /// Reads one `KeyValue`, first as SDKs spell it.
    fn attribute(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        level: Level,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        // Deeper values may be too deep where the same ones are not elsewhere.
        let whole = level.depth == 0;
        let rendered_from = out.len() + usize::from(list.count > 0);
        let index = match self.renderer.begin(list, cursor.ahead(), whole, out)? {
            Begin::Whole { length } => {
                cursor.seek(cursor.position() + length);
                return Ok(());
            }
            Begin::Key { index, length } => {
                cursor.seek(cursor.position() + length);
                Some(index)
            }
            Begin::Unknown => self.usual_key(cursor, list),
        };
        if let Some(index) = index {
            let (fate, slot) = self.renderer.open_known(list, index, outer, out)?;
            let spelled_from = cursor.position();
            // Noted apart: what the record says already must not hide that this value says it too.
            let before = std::mem::take(&mut self.notes);
            self.valued(cursor, list, level, fate, out)?;
            let noted = std::mem::replace(&mut self.notes, before);
            self.notes.merge(noted);
            if cursor.take(b"}") {
                out.push(b'}');
                if let Some(slot) = slot.filter(|_| whole && noted == Notes::default()) {
                    let rendered = out.get(rendered_from..).unwrap_or_default();
                    self.renderer.keys.keep(slot, cursor.since(spelled_from), rendered);
                }
                return Ok(());
            }
            let seen = Seen { fate: Some(fate), valued: true, ..Seen::default() };
            return self.attribute_members(cursor, list, level, outer, seen, out);
        }
        expect_object(cursor)?;
        self.attribute_members(cursor, list, level, outer, Seen::default(), out)
    }

    /// Reads a key that is spelled as SDKs do, up to its value, and gives its index; else stays where it is.
    fn usual_key(&mut self, cursor: &mut Cursor<'_>, list: &mut ListMark) -> Option<usize> {
        let start = cursor.position();
        if cursor.take(b"{\"key\":\"")
            && let Some(key) = cursor.plain_rest()
            && !key.is_empty()
            && key.len() <= self.bytes_max
            && cursor.take(b",\"value\":")
        {
            let index = self.renderer.keys.find(key, &self.renderer.screen);
            self.renderer.keys.expect(list.before, index);
            list.before = index;
            return Some(index);
        }
        cursor.seek(start);
        None
    }

    /// Reads the members of a `KeyValue` that are left. Its value may stand before its key, which decides what may be shown
    /// of it.
    fn attribute_members(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        level: Level,
        outer: Fate<'s>,
        mut seen: Seen<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let mut first = seen.fate.is_none();
        while let Some(name) = cursor.member(first)? {
            first = false;
            match self.name(name)? {
                b"key" => {
                    if seen.fate.is_some() {
                        return Err(FaultCode::MemberRepeated.into());
                    }
                    seen.fate = Some(self.key(cursor, list, outer, out)?);
                }
                b"value" => {
                    if seen.valued || seen.early.is_some() {
                        return Err(FaultCode::MemberRepeated.into());
                    }
                    match seen.fate {
                        Some(fate) => {
                            self.valued(cursor, list, level, fate, out)?;
                            seen.valued = true;
                        }
                        None => {
                            seen.early = Some(cursor.position());
                            cursor.skip()?;
                        }
                    }
                }
                _ => self.unknown(cursor)?,
            }
        }
        if !seen.valued {
            self.early_value(*cursor, list, level, outer, seen, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Renders the value of an attribute that has no key, or whose key came after it, or that has none.
    fn early_value(
        &mut self,
        mut cursor: Cursor<'_>,
        list: &mut ListMark,
        level: Level,
        outer: Fate<'s>,
        seen: Seen<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let fate = match seen.fate {
            Some(fate) => fate,
            None => {
                self.notes.add(Note::AttributeKeyEmpty);
                self.renderer.open_attribute(list, "", outer, out)?.0
            }
        };
        match seen.early {
            Some(position) => {
                cursor.seek(position);
                self.valued(&mut cursor, list, level, fate, out)
            }
            None => {
                self.renderer.empty(out);
                Ok(())
            }
        }
    }

    /// Reads the value of an attribute whose key is written.
    #[inline]
    fn valued(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let (place, start) = (cursor.position(), out.len());
        self.value(cursor, level, fate, out).map_err(|stop| stop.within("value"))?;
        self.renderer.note_pair(list, fate, place, start..out.len());
        Ok(())
    }

    fn key(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<Fate<'s>> {
        let key = cursor.text(&mut self.scratch, self.bytes_max);
        let key = key.map_err(|stop| stop.within("key"))?;
        if key.is_empty() {
            self.notes.add(Note::AttributeKeyEmpty);
        }
        Ok(self.renderer.open_attribute(list, key, outer, out)?.0)
    }

    /// Reads an `AnyValue`, or `null`, and renders its type and value.
    pub(crate) fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let mut found = self.usual(cursor, level, fate, out)?;
        if found.is_some() && cursor.take(b"}") {
            return Ok(());
        }
        if found.is_none() {
            if cursor.kind()? == Kind::Null {
                cursor.null()?;
                self.renderer.empty(out);
                return Ok(());
            }
            expect_object(cursor)?;
        }
        let mut first = found.is_none();
        while let Some(name) = cursor.member(first)? {
            first = false;
            let Some(member) = Member::of(self.name(name)?) else {
                self.unknown(cursor)?;
                continue;
            };
            if cursor.kind()? == Kind::Null {
                cursor.null()?;
                if matches!(member, Member::Double) {
                    // How some SDKs write NaN and the infinities.
                    self.notes.add(Note::DoubleUnset);
                }
                continue;
            }
            if let Some(found) = found {
                let repeated = found == member;
                let code =
                    if repeated { FaultCode::MemberRepeated } else { FaultCode::ValueAmbiguous };
                return Err(code.into());
            }
            found = Some(member);
            self.member(cursor, member, level, fate, out)
                .map_err(|stop| stop.within(member.name()))?;
        }
        if found.is_none() {
            self.renderer.empty(out);
        }
        Ok(())
    }

    /// Reads the first member of an `AnyValue` where it is spelled as SDKs do.
    #[inline]
    fn usual(
        &mut self,
        cursor: &mut Cursor<'_>,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<Option<Member>> {
        if cursor.take(b"{\"stringValue\":\"") {
            self.string_rest(cursor, fate, out)
                .map_err(|stop| stop.within(Member::String.name()))?;
            return Ok(Some(Member::String));
        }
        let start = cursor.position();
        if cursor.take(b"{\"intValue\":") {
            if cursor.is_at_digits() {
                let read = self.member(cursor, Member::Int, level, fate, out);
                read.map_err(|stop| stop.within(Member::Int.name()))?;
                return Ok(Some(Member::Int));
            }
            cursor.seek(start);
        }
        Ok(None)
    }

    /// Reads what is left of a string value whose opening quote was taken.
    #[inline]
    fn string_rest(
        &mut self,
        cursor: &mut Cursor<'_>,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if let Fate::Remove(reason) = fate.of_other() {
            let bytes = cursor.rest_bytes(&mut self.scratch, self.bytes_max)?;
            self.renderer.removed_string(reason, bytes, out);
        } else {
            let text = cursor.rest(&mut self.scratch, self.bytes_max)?;
            self.renderer.string(text, fate, out);
        }
        Ok(())
    }

    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        member: Member,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        match (member, cursor.kind()?) {
            (Member::String, Kind::String) => {
                let text = cursor.text(&mut self.scratch, self.bytes_max)?;
                self.renderer.string(text, fate, out);
            }
            (Member::Bool, Kind::Boolean) => {
                self.renderer.boolean(cursor.boolean()?, fate, out);
            }
            (Member::Int, Kind::Number | Kind::String) => {
                let value = self.integer(cursor)?;
                let value = i64::try_from(value).map_err(|_| FaultCode::IntegerRange)?;
                self.renderer.integer(value, fate, out);
            }
            (Member::Double, Kind::Number | Kind::String) => {
                let value = self.double(cursor)?;
                self.renderer.double(value, fate, out);
            }
            (Member::Bytes, Kind::String) => {
                let text = cursor.text(&mut self.scratch, self.bytes_max)?;
                let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
                let engine = if url_safe { &URL_SAFE } else { &STANDARD };
                let bytes = engine.decode(text).map_err(|_| FaultCode::Base64)?;
                self.renderer.bytes(&bytes, fate, out);
            }
            (Member::Array, Kind::Object) => self.nested(cursor, false, level, fate, out)?,
            (Member::List, Kind::Object) => self.nested(cursor, true, level, fate, out)?,
            _ => return Err(FaultCode::WrongKind.into()),
        }
        Ok(())
    }

    /// Reads `{"values":[…]}` of an array or a list.
    fn nested(
        &mut self,
        cursor: &mut Cursor<'_>,
        is_list: bool,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if level.depth >= self.renderer.bounds.depth_max {
            return Err(FaultCode::TooDeep.into());
        }
        let (start, inner) =
            self.renderer.open_nested(if is_list { "kvlist" } else { "array" }, fate, out);
        cursor.open();
        let (mut found, mut first) = (false, true);
        while let Some(name) = cursor.member(first)? {
            first = false;
            if self.name(name)? != b"values" {
                self.unknown(cursor)?;
                continue;
            }
            if found {
                return Err(FaultCode::MemberRepeated.into());
            }
            found = true;
            match is_list {
                true => self.attributes(cursor, level.deeper(), inner, out),
                false => self.items(cursor, level.deeper(), inner, out),
            }
            .map_err(|stop| stop.within("values"))?;
        }
        if !found {
            out.extend_from_slice(b"[]");
        }
        self.renderer.close_nested(start, fate, out);
        Ok(())
    }

    fn items(
        &mut self,
        cursor: &mut Cursor<'_>,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        out.push(b'[');
        match cursor.kind()? {
            Kind::Null => cursor.null()?,
            Kind::Array => {
                cursor.open();
                let (mut index, mut announced) = (0, None);
                while cursor.item(index == 0)? {
                    if index >= self.renderer.bounds.array_items_max {
                        return Err(FaultCode::ArrayTooLong.into());
                    }
                    out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
                    self.value(cursor, level, fate.of_item(announced), out)
                        .map_err(|stop| stop.within(index))?;
                    announced = self.renderer.announced.take();
                    out.push(b'}');
                    index += 1;
                }
            }
            _ => return Err(FaultCode::WrongKind.into()),
        }
        out.push(b']');
        Ok(())
    }

    /// Reads an integer, written as a number or as a string.
    pub(crate) fn integer(&mut self, cursor: &mut Cursor<'_>) -> Read<i128> {
        if let Some(value) = cursor.few_digits() {
            return Ok(value.into());
        }
        let text = match cursor.kind()? {
            Kind::Number => cursor.number()?,
            Kind::String => cursor.text(&mut self.scratch, self.bytes_max)?,
            _ => return Err(FaultCode::WrongKind.into()),
        };
        Ok(integer::integral(text).ok_or(FaultCode::IntegerRange)?)
    }

    fn double(&mut self, cursor: &mut Cursor<'_>) -> Read<f64> {
        if cursor.kind()? == Kind::Number {
            let value = cursor.number()?.parse().map_err(|_| FaultCode::Double)?;
            return finite(value);
        }
        match cursor.text(&mut self.scratch, self.bytes_max)? {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text => {
                // What Rust takes and JSON does not: a sign, a point at an end, other words.
                let mut number = Cursor::new(text);
                let is_number = number.number().is_ok() && number.position() == text.len();
                let value = text.parse().ok().filter(|_| is_number).ok_or(FaultCode::Double)?;
                finite(value)
            }
        }
    }

    /// A member's name, to be told from others.
    #[inline]
    pub(crate) fn name<'t>(&'t mut self, name: Text<'t>) -> Read<&'t [u8]> {
        match name.plain() {
            Some(plain) => Ok(plain),
            None => Ok(name.read(&mut self.scratch)?.as_bytes()),
        }
    }

    /// Moves past a member that OTLP does not have, and counts it.
    #[cold]
    pub(crate) fn unknown(&mut self, cursor: &mut Cursor<'_>) -> Read<()> {
        self.notes.unknown_fields += 1;
        Ok(cursor.skip()?)
    }
}

/// A number beyond all doubles is a number that cannot be kept.
fn finite(value: f64) -> Read<f64> {
    if value.is_finite() { Ok(value) } else { Err(FaultCode::Double.into()) }
}

/// Opens the object that must stand here.
pub(crate) fn expect_object(cursor: &mut Cursor<'_>) -> Read<()> {
    match cursor.kind()? {
        Kind::Object => {
            cursor.open();
            Ok(())
        }
        _ => Err(FaultCode::WrongKind.into()),
    }
}
