//! JSON as the source writes it, read strictly into a tree that borrows from the text.
//!
//! Strict: member names are unique, surrogates come in pairs, nothing follows the value, and what is read is bounded in
//! depth and in values. Unlike evidence, the source's numbers may be any: each stays as it was written, so
//! that its digests can be recomputed. Deliberately absent: a parser of untrusted size; callers bound the text first.

use std::borrow::Cow;

/// Objects and arrays open at once, as many as the source's own reader takes.
const DEPTH_MAX: usize = 127;

/// Values in one tree. A value takes some hundred bytes at most, so a tree stays under 64 MiB.
const VALUES_MAX: u32 = 1 << 19;

/// Parts that a text is split into. A record of the source has some hundred bytes, so this is far more than any list has.
pub(crate) const PARTS_MAX: usize = 1 << 16;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// In the order of the text.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Why a text is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct JsonFault {
    what: &'static str,
    offset: usize,
}

impl std::fmt::Display for JsonFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

impl<'a> Node<'a> {
    /// Reads one value and nothing else.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonFault> {
        let mut reader = Reader::new(text);
        let node = reader.value(true, 0)?;
        reader.finish()?;
        Ok(node)
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.members().iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// A member of an object, but for one that is `null`.
    pub(crate) fn given(&self, name: &str) -> Option<&Node<'a>> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// A member some objects down.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node<'a>> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The members; none where this is no object.
    pub(crate) fn members(&self) -> &[(Cow<'a, str>, Node<'a>)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Option<&[Node<'a>]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The characters of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a member.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// An integer written without fraction and exponent.
    pub(crate) fn integer<T: std::str::FromStr>(&self) -> Option<T> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// The members of an object, each value as its text; names are unique.
pub(crate) fn split_object(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, JsonFault> {
    let mut reader = Reader::new(text);
    reader.white();
    let mut members = Vec::new();
    reader.byte(b'{', "expected an object")?;
    reader.members(|reader, name| {
        reader.check_parts(members.len())?;
        members.push((name, reader.skip()?));
        Ok(())
    })?;
    reader.finish()?;
    check_names(members.iter().map(|(name, _)| name.as_ref()), 0)?;
    Ok(members)
}

/// The items of a list, each as its text.
pub(crate) fn split_list(text: &str) -> Result<Vec<&str>, JsonFault> {
    let mut reader = Reader::new(text);
    reader.white();
    let mut items = Vec::new();
    reader.byte(b'[', "expected a list")?;
    reader.items(|reader| {
        reader.check_parts(items.len())?;
        items.push(reader.skip()?);
        Ok(())
    })?;
    reader.finish()?;
    Ok(items)
}

/// The first value of a text, and what follows it.
pub(crate) fn split_first(text: &str) -> Result<(&str, &str), JsonFault> {
    let mut reader = Reader::new(text);
    let first = reader.skip()?;
    Ok((first, text.get(reader.at..).unwrap_or_default()))
}

/// Refuses a name that stands twice.
fn check_names<'n>(names: impl Iterator<Item = &'n str>, offset: usize) -> Result<(), JsonFault> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(JsonFault { what: "a member name stands twice", offset }),
        false => Ok(()),
    }
}

/// A cursor over the text.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    values_left: u32,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, values_left: VALUES_MAX }
    }

    fn fault(&self, what: &'static str) -> JsonFault {
        JsonFault { what, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&mut self, byte: u8, what: &'static str) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn finish(&mut self) -> Result<(), JsonFault> {
        self.white();
        if self.at == self.text.len() { Ok(()) } else { Err(self.fault("bytes follow the value")) }
    }

    fn check_parts(&self, count: usize) -> Result<(), JsonFault> {
        if count < PARTS_MAX { Ok(()) } else { Err(self.fault("too many parts")) }
    }

    /// Reads a value without keeping it.
    fn skip(&mut self) -> Result<&'a str, JsonFault> {
        self.white();
        let start = self.at;
        self.value(false, 0)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Reads a value; one that is not kept is `Null`.
    fn value(&mut self, keep: bool, depth: usize) -> Result<Node<'a>, JsonFault> {
        self.white();
        if keep {
            let left = self.values_left.checked_sub(1);
            self.values_left = left.ok_or_else(|| self.fault("too many values"))?;
        }
        match self.peek() {
            Some(b'{') => self.object(keep, depth),
            Some(b'[') => self.array(keep, depth),
            Some(b'"') => self.string(keep).map(Node::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Node::Number),
            Some(b't') => self.word("true").map(|()| Node::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Node::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Node::Null),
            Some(_) => Err(self.fault("expected a value")),
            None => Err(self.fault("the text ends too early")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonFault> {
        if !self.text.as_bytes().get(self.at..).unwrap_or_default().starts_with(word.as_bytes()) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn object(&mut self, keep: bool, depth: usize) -> Result<Node<'a>, JsonFault> {
        if depth == DEPTH_MAX {
            return Err(self.fault("nested too deeply"));
        }
        let start = self.at;
        self.at += 1;
        let mut members = Vec::new();
        self.members(|reader, name| {
            let value = reader.value(keep, depth + 1)?;
            if keep {
                members.push((name, value));
            }
            Ok(())
        })?;
        check_names(members.iter().map(|(name, _)| name.as_ref()), start)?;
        members.shrink_to_fit();
        Ok(Node::Object(members))
    }

    fn array(&mut self, keep: bool, depth: usize) -> Result<Node<'a>, JsonFault> {
        if depth == DEPTH_MAX {
            return Err(self.fault("nested too deeply"));
        }
        self.at += 1;
        let mut items = Vec::new();
        self.items(|reader| {
            let value = reader.value(keep, depth + 1)?;
            if keep {
                items.push(value);
            }
            Ok(())
        })?;
        items.shrink_to_fit();
        Ok(Node::List(items))
    }

    /// Reads members up to the end of the object; the cursor stands before each value when `read` is called.
    fn members(
        &mut self,
        mut read: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), JsonFault>,
    ) -> Result<(), JsonFault> {
        self.white();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.white();
            let name = self.string(true)?;
            self.white();
            self.byte(b':', "expected a colon")?;
            read(self, name)?;
            self.white();
            if self.take(b'}') {
                return Ok(());
            }
            self.byte(b',', "expected a comma or the end of the object")?;
        }
    }

    fn items(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), JsonFault>,
    ) -> Result<(), JsonFault> {
        self.white();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            read(self)?;
            self.white();
            if self.take(b']') {
                return Ok(());
            }
            self.byte(b',', "expected a comma or the end of the list")?;
        }
    }

    fn string(&mut self, keep: bool) -> Result<Cow<'a, str>, JsonFault> {
        self.byte(b'"', "expected a string")?;
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(self.text.get(start..self.at - 1).unwrap_or_default()));
        }
        let mut text = String::new();
        let mut plain_start = start;
        loop {
            if keep {
                text.push_str(self.text.get(plain_start..self.at).unwrap_or_default());
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    if keep {
                        text.push(character);
                    }
                }
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("the text ends inside a string")),
            }
            plain_start = self.at;
            self.plain();
        }
    }

    /// Moves to the next quote, backslash or control character.
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
        self.at += rest.iter().take_while(is_plain).count();
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        self.at += 1;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.escaped_unit(),
            _ => return Err(self.fault("no such escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn escaped_unit(&mut self) -> Result<char, JsonFault> {
        let first = self.hex()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.fault("no such escape"));
        }
        let lone = self.fault("half of a surrogate pair");
        if first >= 0xDC00 || !self.take(b'\\') || self.peek() != Some(b'u') {
            return Err(lone);
        }
        let second = self.hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(lone)
    }

    /// Reads `uXXXX`.
    fn hex(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at + 1..self.at + 5).unwrap_or_default();
        let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
        let unit = unit.ok_or_else(|| self.fault("no such escape"))?;
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<&'a str, JsonFault> {
        let start = self.at;
        self.take(b'-');
        let integer = self.digits();
        let zero = self.text.as_bytes().get(self.at - integer) == Some(&b'0');
        if integer == 0 || (zero && integer > 1) {
            return Err(self.fault("no such number"));
        }
        let fraction = self.take(b'.');
        if fraction && self.digits() == 0 {
            return Err(self.fault("no such number"));
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.fault("no such number"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let short = !exponent && text.len() < 300;
        if !short && !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(self.fault("a number that no double holds"));
        }
        Ok(text)
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Node::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_json_is_named_with_its_place() {
        assert_eq!(refused(""), "the text ends too early at byte 0");
        assert_eq!(refused("[1,]"), "expected a value at byte 3");
        assert_eq!(refused("[1 2]"), "expected a comma or the end of the list at byte 3");
        assert_eq!(refused("{\"a\":1,\"\\u0061\":2}"), "a member name stands twice at byte 0");
        assert_eq!(refused("\"\\ud800\""), "half of a surrogate pair at byte 7");
        assert_eq!(refused("\"\\udc00\\ud800\""), "half of a surrogate pair at byte 7");
        assert_eq!(refused("\"a\u{1}\""), "a control character in a string at byte 2");
        assert_eq!(refused("01"), "no such number at byte 2");
        assert_eq!(refused("1e999"), "a number that no double holds at byte 5");
        assert_eq!(refused("{} {}"), "bytes follow the value at byte 3");
        assert_eq!(refused("\u{feff}{}"), "expected a value at byte 0");
    }

    #[test]
    fn nesting_and_values_are_bounded() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Node::parse(&deep(127)).is_ok());
        assert_eq!(refused(&deep(128)), "nested too deeply at byte 127");
        assert_eq!(refused(&"[".repeat(100_000)), "nested too deeply at byte 127");
        assert!(split_list(&format!("[{}]", "[".repeat(100_000))).is_err());
        let many = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert!(refused(&many(1 << 19)).starts_with("too many values"));
        assert!(Node::parse(&many((1 << 19) - 1)).is_ok());
        assert_eq!(split_list(&many(1 << 16)).unwrap().len(), 1 << 16);
        assert!(split_list(&many((1 << 16) + 1)).is_err());
    }

    #[test]
    fn parts_of_a_text_are_found_without_a_tree() {
        let text = r#" {"a": [1, {"b":"}"}], "c":"\"" } "#;
        let members = split_object(text).unwrap();
        assert_eq!(members, [("a".into(), r#"[1, {"b":"}"}]"#), ("c".into(), r#""\"""#)]);
        assert_eq!(split_list(members[0].1).unwrap(), ["1", r#"{"b":"}"}"#]);
        assert!(split_object(r#"{"a":1,"a":2}"#).is_err());
        assert_eq!(split_first("{} \n{}").unwrap(), ("{}", " \n{}"));
    }

    #[test]
    fn escapes_are_replaced() {
        let node = Node::parse(r#""a\u00e9\ud83d\ude00\/\n""#).unwrap();
        assert_eq!(node.text(), Some("a\u{e9}\u{1f600}/\n"));
    }
}
