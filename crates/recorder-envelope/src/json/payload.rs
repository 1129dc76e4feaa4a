//! A payload: one canonical JSON object, owned.
//!
//! There is no way to hold one that is not canonical, is not an object, or is over the payload limits. Equality is equality
//! of bytes, which canonical form makes equality of content.

use std::ops::Range;
use std::sync::Arc;

use super::{CanonicalReader, Canonicalizer, JsonError, JsonErrorKind, JsonLimits};

/// The canonical text of a payload object (evidence format §2).
#[derive(Clone)]
pub struct CanonicalPayload(Text);

/// Where the text is.
#[derive(Clone)]
enum Text {
    /// In memory of its own.
    Own(Box<str>),
    /// Among the texts of others that were made together.
    Among(Arc<String>, Range<usize>),
}

impl PartialEq for CanonicalPayload {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for CanonicalPayload {}

impl CanonicalPayload {
    /// Canonicalises `input` under [`JsonLimits::PAYLOAD`].
    ///
    /// # Errors
    ///
    /// `NotAnObject` for any other value, else as [`canonicalize`](super::canonicalize).
    pub fn parse(input: &[u8]) -> Result<Self, JsonError> {
        Self::parse_with(&mut Canonicalizer::new(), input)
    }

    /// As [`parse`](Self::parse), with the scratch memory of `canonicalizer`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(canonicalizer: &mut Canonicalizer, input: &[u8]) -> Result<Self, JsonError> {
        let mut canonical = Vec::new();
        canonicalizer.canonicalize(input, &JsonLimits::PAYLOAD, &mut canonical)?;
        if !canonical.starts_with(b"{") {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let offset = input.iter().position(|byte| !blank(byte)).unwrap_or(0);
            return Err(JsonError::new(JsonErrorKind::NotAnObject, offset));
        }
        // `1e20` is canonical in 21 digits, so a text within the limit may have a form that no reader would take.
        let bytes_max = JsonLimits::PAYLOAD.input_bytes_max;
        if canonical.len() > bytes_max {
            return Err(JsonError::new(JsonErrorKind::TooLarge, bytes_max));
        }
        Self::own(canonical)
    }

    /// Canonicalises the object that begins at `start` of `text`, which is within the size limit as a whole; gives
    /// where the object ends too.
    pub(crate) fn parse_at(
        canonicalizer: &mut Canonicalizer,
        text: &str,
        start: usize,
    ) -> Result<(Self, usize), JsonError> {
        let bytes_max = JsonLimits::PAYLOAD.input_bytes_max;
        if text.as_bytes().get(start) != Some(&b'{') {
            return Err(JsonError::new(JsonErrorKind::NotAnObject, start));
        }
        let mut canonical = Vec::with_capacity(text.len() - start);
        let limits = &JsonLimits::PAYLOAD;
        let end = canonicalizer.canonicalize_value(text, start, limits, &mut canonical)?;
        if end - start > bytes_max || canonical.len() > bytes_max {
            return Err(JsonError::new(JsonErrorKind::TooLarge, bytes_max));
        }
        Ok((Self::own(canonical)?, end))
    }

    /// Takes bytes that must already be canonical, and only checks them.
    ///
    /// # Errors
    ///
    /// `NotAnObject` for any other value, else as [`check_canonical`](super::check_canonical).
    pub fn from_canonical(bytes: impl Into<Vec<u8>>) -> Result<Self, JsonError> {
        let bytes = bytes.into();
        let mut reader = CanonicalReader::new(&bytes, &JsonLimits::PAYLOAD)?;
        reader.object_within(&JsonLimits::PAYLOAD)?;
        reader.finish()?;
        Self::own(bytes)
    }

    /// Takes an object that the writers of this module wrote, and checks its size alone.
    ///
    /// For mappings that write thousands of payloads of one shape: they answer for canonical form, depth and nodes, which
    /// debug builds check, and so does every test. Whatever came from outside goes through [`parse`](Self::parse).
    ///
    /// # Errors
    ///
    /// `TooLarge`, and `NotAnObject` for what no writer writes.
    pub fn written(text: String) -> Result<Self, JsonError> {
        Self::check_written(&text)?;
        Ok(Self(Text::Own(text.into_boxed_str())))
    }

    /// As [`written`](Self::written), for one of many that were written into the same text. All of it stays in memory while one
    /// of them does, so such a text is not made larger than a page or some.
    ///
    /// # Errors
    ///
    /// As [`written`](Self::written); `NotAnObject`, too, where the text has no such range.
    pub fn written_among(text: &Arc<String>, range: Range<usize>) -> Result<Self, JsonError> {
        Self::check_written(text.get(range.clone()).unwrap_or_default())?;
        Ok(Self(Text::Among(Arc::clone(text), range)))
    }

    fn check_written(text: &str) -> Result<(), JsonError> {
        let bytes_max = JsonLimits::PAYLOAD.input_bytes_max;
        if text.len() > bytes_max {
            return Err(JsonError::new(JsonErrorKind::TooLarge, bytes_max));
        }
        if !(text.starts_with('{') && text.ends_with('}')) {
            return Err(JsonError::new(JsonErrorKind::NotAnObject, 0));
        }
        debug_assert_eq!(Self::from_canonical(text.as_bytes()).map(|_| ()), Ok(()));
        Ok(())
    }

    fn own(canonical: Vec<u8>) -> Result<Self, JsonError> {
        String::from_utf8(canonical).map(|text| Self(Text::Own(text.into_boxed_str()))).map_err(
            |error| {
                let offset = error.utf8_error().valid_up_to();
                JsonError::new(JsonErrorKind::InvalidUtf8, offset)
            },
        )
    }

    /// The canonical bytes, as hashed and stored.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    /// The canonical text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Own(text) => text,
            // Whoever made it has looked.
            Text::Among(text, range) => text.get(range.clone()).unwrap_or_default(),
        }
    }

    /// Gives the canonical bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Text::Own(text) => text.into_string().into_bytes(),
            Text::Among(..) => self.as_bytes().to_vec(),
        }
    }
}

impl std::fmt::Debug for CanonicalPayload {
    /// Prints the length, never the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CanonicalPayload({} bytes)", self.as_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::CanonicalPayload;
    use crate::json::{JsonError, JsonErrorKind};

    #[test]
    fn a_payload_is_canonical_whatever_spelled_it() {
        let payload = CanonicalPayload::parse(b" { \"b\" : 1.0, \"a\" : [ ] } ").unwrap();
        assert_eq!(payload.as_str(), r#"{"a":[],"b":1}"#);
        assert_eq!(CanonicalPayload::from_canonical(payload.as_bytes()).unwrap(), payload);
        assert_eq!(payload.into_bytes(), br#"{"a":[],"b":1}"#);
    }

    #[test]
    fn anything_but_an_object_is_no_payload() {
        for text in ["[]", "\"{}\"", "1", "null", "true"] {
            let refused = JsonError { kind: JsonErrorKind::NotAnObject, offset: 0 };
            assert_eq!(CanonicalPayload::parse(text.as_bytes()), Err(refused));
            assert_eq!(CanonicalPayload::from_canonical(text), Err(refused));
        }
        let padded = CanonicalPayload::parse(b"\n\t []").unwrap_err();
        assert_eq!(padded, JsonError { kind: JsonErrorKind::NotAnObject, offset: 3 });
    }

    #[test]
    fn canonical_bytes_are_taken_as_they_are_or_not_at_all() {
        let refused = CanonicalPayload::from_canonical(br#"{"b":1,"a":2}"#).unwrap_err();
        assert_eq!(refused, JsonError { kind: JsonErrorKind::NotCanonical, offset: 7 });
        assert!(CanonicalPayload::from_canonical("{}\n").is_err());
    }

    #[test]
    fn a_payload_among_others_is_the_same_as_one_of_its_own() {
        let text = Arc::new(r#"{"a":1}{"b":"é"}x"#.to_owned());
        let among = |range| CanonicalPayload::written_among(&text, range);
        let own = CanonicalPayload::written(r#"{"b":"é"}"#.to_owned()).unwrap();
        let second = among(7..17).unwrap();
        assert_eq!((second.as_str(), second.clone()), (own.as_str(), own.clone()));
        assert_ne!(among(0..7).unwrap(), own);
        assert_eq!(second.into_bytes(), own.into_bytes());
        let refused = JsonError { kind: JsonErrorKind::NotAnObject, offset: 0 };
        // Beyond the text, inside a character, no object, nothing.
        for range in [7..99, 7..14, 7..18, 7..7] {
            assert_eq!(among(range), Err(refused));
        }
    }

    #[test]
    fn a_payload_that_its_canonical_form_takes_over_the_limit_is_refused() {
        let numbers = vec!["1e20"; 90_000].join(",");
        let padding = "x".repeat((3 << 20) - numbers.len());
        let text = format!(r#"{{"a":"{padding}","b":[{numbers}]}}"#);
        let refused = JsonError { kind: JsonErrorKind::TooLarge, offset: 4 << 20 };
        assert_eq!(CanonicalPayload::parse(text.as_bytes()), Err(refused));
    }

    #[test]
    fn debug_output_holds_no_content() {
        let payload = CanonicalPayload::parse(br#"{"secret":1}"#).unwrap();
        assert_eq!(format!("{payload:?}"), "CanonicalPayload(12 bytes)");
    }
}
