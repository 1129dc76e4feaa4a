//! Writes canonical text whose shape the caller knows: hash preimages and rendered lines.
//!
//! The caller names the members in ascending order; debug builds check that, so one test of a writer proves its order
//! for good. Nothing is allocated but the growth of the output.

use super::{EXACT_INTEGER_MAX, escape, scan};

/// Appends `text` as a canonical JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let end = scan::plain_end(bytes, at);
        scan::append_run(out, bytes, at, end);
        let Some(&special) = bytes.get(end) else { break };
        escape::write(char::from(special), out);
        at = end + 1;
    }
    out.push(b'"');
}

/// An object under way. Dropped without [`finish`](Self::finish), it leaves the output without its brace.
#[must_use = "an object ends with finish()"]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The name written last; empty before the first.
    last: &'static str,
    empty: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Opens an object at the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, last: "", empty: true }
    }

    /// Writes a string member, escaping `value`.
    #[inline]
    pub fn string(&mut self, name: &'static str, value: &str) -> &mut Self {
        write_string(self.name(name), value);
        self
    }

    /// Writes a string member, or `null` for `None`.
    pub fn string_or_null(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.string(name, value),
            None => self.null(name),
        }
    }

    /// Writes `bytes` as a string of lower-case hex digits.
    #[inline]
    pub fn hex(&mut self, name: &'static str, bytes: &[u8]) -> &mut Self {
        write_hex(self.name(name), bytes);
        self
    }

    /// Writes an unsigned integer, which must not exceed 2^53: the readers refuse what lies beyond.
    #[inline]
    pub fn u64(&mut self, name: &'static str, value: u64) -> &mut Self {
        write_u64(self.name(name), value);
        self
    }

    /// Writes an integer, which must not lie beyond ±2^53: the readers refuse what does.
    pub fn i64(&mut self, name: &'static str, value: i64) -> &mut Self {
        let out = self.name(name);
        if value < 0 {
            out.push(b'-');
        }
        write_u64(out, value.unsigned_abs());
        self
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.raw(name, if value { b"true" } else { b"false" })
    }

    /// Writes `null`.
    pub fn null(&mut self, name: &'static str) -> &mut Self {
        self.raw(name, b"null")
    }

    /// Writes a value that is canonical text already, such as a payload.
    #[inline]
    pub fn raw(&mut self, name: &'static str, canonical: &[u8]) -> &mut Self {
        self.name(name).extend_from_slice(canonical);
        self
    }

    /// Opens an object as a member. Finish it before the next member.
    pub fn object(&mut self, name: &'static str) -> ObjectWriter<'_> {
        ObjectWriter::new(self.name(name))
    }

    /// Opens an array as a member. Finish it before the next member.
    pub fn array(&mut self, name: &'static str) -> ArrayWriter<'_> {
        ArrayWriter::new(self.name(name))
    }

    /// Closes the object.
    #[inline]
    pub fn finish(self) {
        self.out.push(b'}');
    }

    #[inline]
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        debug_assert!(
            self.empty || self.last.encode_utf16().lt(name.encode_utf16()),
            "{name} does not come after {}",
            self.last
        );
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.last = name;
        debug_assert_eq!(scan::plain_end(name.as_bytes(), 0), name.len(), "{name} needs an escape");
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }
}

/// An array under way. Dropped without [`finish`](Self::finish), it leaves the output without its bracket.
#[must_use = "an array ends with finish()"]
pub struct ArrayWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> ArrayWriter<'a> {
    /// Opens an array at the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Writes a string item, escaping `value`.
    pub fn string(&mut self, value: &str) -> &mut Self {
        write_string(self.item(), value);
        self
    }

    /// Writes `bytes` as a string of lower-case hex digits.
    pub fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        write_hex(self.item(), bytes);
        self
    }

    /// Writes an unsigned integer, which must not exceed 2^53: the readers refuse what lies beyond.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        write_u64(self.item(), value);
        self
    }

    /// Writes an item that is canonical text already.
    pub fn raw(&mut self, canonical: &[u8]) -> &mut Self {
        self.item().extend_from_slice(canonical);
        self
    }

    /// Opens an object as an item. Finish it before the next item.
    pub fn object(&mut self) -> ObjectWriter<'_> {
        ObjectWriter::new(self.item())
    }

    /// Closes the array.
    #[inline]
    pub fn finish(self) {
        self.out.push(b']');
    }

    fn item(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }
}

#[inline]
fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    recorder_core::hash::encode_hex_into(bytes, out.get_mut(start..).unwrap_or_default());
    out.push(b'"');
}

#[inline]
fn write_u64(out: &mut Vec<u8>, value: u64) {
    debug_assert!(value <= EXACT_INTEGER_MAX, "{value} is beyond 2^53");
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{ObjectWriter, write_string};
    use crate::json::{JsonLimits, check_canonical};

    #[test]
    fn what_is_written_is_canonical() {
        let mut out = b"prefix".to_vec();
        let mut object = ObjectWriter::new(&mut out);
        object.i64("a", -5).bool("b", true).null("c").hex("d", &[0xAB, 0x01]);
        let mut array = object.array("e");
        array.string("x").u64(1 << 53).raw(b"{}").hex(&[0xFF]);
        array.object().finish();
        array.finish();
        let mut inner = object.object("f");
        inner.string_or_null("g", Some("\u{1}\"")).string_or_null("h", None);
        inner.finish();
        object.u64("i", 0);
        object.finish();
        let text = out.strip_prefix(b"prefix").unwrap();
        let expected = r#"{"a":-5,"b":true,"c":null,"d":"ab01","e":["x",9007199254740992,{},"ff",{}],"f":{"g":"\u0001\"","h":null},"i":0}"#;
        assert_eq!(text, expected.as_bytes());
        check_canonical(text, &JsonLimits::PAYLOAD).unwrap();
    }

    #[test]
    fn every_character_is_written_as_the_readers_want_it() {
        let mut all = String::from("é€😀\u{ffff}");
        all.extend((0..0x80_u8).map(char::from));
        let mut out = Vec::new();
        write_string(&mut out, &all);
        check_canonical(&out, &JsonLimits::PAYLOAD).unwrap();
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "does not come after")]
    fn a_name_out_of_order_is_caught_in_debug_builds() {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        object.null("envelope_id").null("environment_id");
        object.null("b");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "does not come after")]
    fn a_repeated_name_is_caught_in_debug_builds() {
        ObjectWriter::new(&mut Vec::new()).null("a").null("a");
    }
}
