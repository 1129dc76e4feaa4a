//! `AnyValue` and `KeyValue` as JSON: rendered while they are read.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::cursor::{Cursor, Kind, Malformed, Text};
use super::integer;
use crate::fault::{FaultCode, Stop};
use crate::note::{Note, Notes};
use crate::render::{Fate, ListMark, Renderer};

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
    pub(crate) scratch: String,
    pub(crate) notes: Notes,
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
        Self { renderer, scratch: String::new(), notes: Notes::default() }
    }

    /// Forgets the record before.
    pub(crate) fn reset(&mut self) {
        self.renderer.reset();
        self.notes = Notes::default();
    }

    /// Reads a string that one record can hold.
    pub(crate) fn string<'a>(&mut self, cursor: &mut Cursor<'a>) -> Read<Text<'a>> {
        if cursor.kind()? != Kind::String {
            return Err(FaultCode::WrongKind.into());
        }
        let text = cursor.string()?;
        if text.len() > self.renderer.bounds.record_bytes_max {
            return Err(FaultCode::RecordTooLarge.into());
        }
        Ok(text)
    }

    /// Reads a list of attributes, or `null`, and renders it as an array.
    pub(crate) fn attributes(
        &mut self,
        cursor: &mut Cursor<'_>,
        depth: usize,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let mut list = self.renderer.open_list(out);
        match cursor.kind()? {
            Kind::Null => cursor.null()?,
            Kind::Array => {
                cursor.open();
                let mut index = 0;
                while cursor.item(index == 0)? {
                    self.attribute(cursor, &mut list, depth, outer, out)
                        .map_err(|stop| stop.within(index))?;
                    index += 1;
                }
            }
            _ => return Err(FaultCode::WrongKind.into()),
        }
        self.renderer.close_list(&list, out);
        Ok(())
    }

    /// Reads one `KeyValue`. Its value may stand before its key, which decides what may be shown of it.
    fn attribute(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        depth: usize,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        expect_object(cursor)?;
        let (mut fate, mut early, mut valued) = (None, None, false);
        let mut first = true;
        while let Some(name) = cursor.member(first)? {
            first = false;
            match self.name(name)? {
                b"key" => {
                    if fate.is_some() {
                        return Err(FaultCode::MemberRepeated.into());
                    }
                    fate = Some(self.key(cursor, list, outer, out)?);
                }
                b"value" => {
                    if valued || early.is_some() {
                        return Err(FaultCode::MemberRepeated.into());
                    }
                    match fate {
                        Some(fate) => {
                            self.value(cursor, depth, fate, out)
                                .map_err(|stop| stop.within("value"))?;
                            valued = true;
                        }
                        None => {
                            early = Some(cursor.position());
                            cursor.skip()?;
                        }
                    }
                }
                _ => self.unknown(cursor)?,
            }
        }
        if valued {
            out.push(b'}');
            return Ok(());
        }
        let fate = match fate {
            Some(fate) => fate,
            None => {
                self.notes.add(Note::AttributeKeyEmpty);
                self.renderer.open_attribute(list, "", outer, out)?
            }
        };
        match early {
            Some(position) => {
                let mut earlier = *cursor;
                earlier.seek(position);
                self.value(&mut earlier, depth, fate, out).map_err(|stop| stop.within("value"))?;
            }
            None => self.renderer.empty(out),
        }
        out.push(b'}');
        Ok(())
    }

    fn key(
        &mut self,
        cursor: &mut Cursor<'_>,
        list: &mut ListMark,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<Fate<'s>> {
        let key = self.string(cursor).map_err(|stop| stop.within("key"))?;
        if key.is_empty() {
            self.notes.add(Note::AttributeKeyEmpty);
        }
        let key = key.read(&mut self.scratch).map_err(|fault| fault.within("key"))?;
        Ok(self.renderer.open_attribute(list, key, outer, out)?)
    }

    /// Reads an `AnyValue`, or `null`, and renders its type and value.
    pub(crate) fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        depth: usize,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if cursor.kind()? == Kind::Null {
            cursor.null()?;
            self.renderer.empty(out);
            return Ok(());
        }
        expect_object(cursor)?;
        let (mut found, mut first) = (None, true);
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
            self.member(cursor, member, depth, fate, out)
                .map_err(|stop| stop.within(member.name()))?;
        }
        if found.is_none() {
            self.renderer.empty(out);
        }
        Ok(())
    }

    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        member: Member,
        depth: usize,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        match (member, cursor.kind()?) {
            (Member::String, Kind::String) => {
                let text = self.string(cursor)?.read(&mut self.scratch)?;
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
                let text = self.string(cursor)?.read(&mut self.scratch)?;
                let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
                let engine = if url_safe { &URL_SAFE } else { &STANDARD };
                let bytes = engine.decode(text).map_err(|_| FaultCode::Base64)?;
                self.renderer.bytes(&bytes, fate, out);
            }
            (Member::Array, Kind::Object) => self.nested(cursor, false, depth, fate, out)?,
            (Member::List, Kind::Object) => self.nested(cursor, true, depth, fate, out)?,
            _ => return Err(FaultCode::WrongKind.into()),
        }
        Ok(())
    }

    /// Reads `{"values":[…]}` of an array or a list.
    fn nested(
        &mut self,
        cursor: &mut Cursor<'_>,
        is_list: bool,
        depth: usize,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if depth >= self.renderer.bounds.depth_max {
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
                true => self.attributes(cursor, depth + 1, inner, out),
                false => self.items(cursor, depth + 1, inner, out),
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
        depth: usize,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        out.push(b'[');
        match cursor.kind()? {
            Kind::Null => cursor.null()?,
            Kind::Array => {
                cursor.open();
                let mut index = 0;
                while cursor.item(index == 0)? {
                    if index >= self.renderer.bounds.array_items_max {
                        return Err(FaultCode::ArrayTooLong.into());
                    }
                    out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
                    self.value(cursor, depth, fate, out).map_err(|stop| stop.within(index))?;
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
        let text = match cursor.kind()? {
            Kind::Number => cursor.number()?,
            Kind::String => self.string(cursor)?.read(&mut self.scratch)?,
            _ => return Err(FaultCode::WrongKind.into()),
        };
        Ok(integer::integral(text).ok_or(FaultCode::IntegerRange)?)
    }

    fn double(&mut self, cursor: &mut Cursor<'_>) -> Read<f64> {
        if cursor.kind()? == Kind::Number {
            let value = cursor.number()?.parse().map_err(|_| FaultCode::Double)?;
            return finite(value);
        }
        match self.string(cursor)?.read(&mut self.scratch)? {
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
