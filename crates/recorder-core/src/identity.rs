//! Identifiers of the evidence format §2: UUIDs, dotted event types, printable names, media types, streams.
//!
//! An identifier is compared byte by byte and never normalised. Its errors say which rule was broken,
//! never the offending text: identifiers reach logs, their contents may not.

use std::fmt;
use std::sync::Arc;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Characters that an actor, environment, trace, session, tenant or recorder id may have.
pub const NAME_CHARS_MAX: usize = 256;

/// Characters that an event type or an adapter id may have.
pub const SHORT_NAME_CHARS_MAX: usize = 128;

/// Characters that a media type may have.
pub const CONTENT_TYPE_CHARS_MAX: usize = 255;

/// Why a text is not the identifier that it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind}: {fault}")]
pub struct IdentityError {
    /// The kind of identifier that was expected, e.g. `actor_id`.
    pub kind: &'static str,
    /// The rule that the text breaks.
    pub fault: IdentityFault,
}

/// The rule that a text breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityFault {
    /// Nothing, or white space only.
    #[error("must not be blank")]
    Blank,
    /// More characters (Unicode scalar values) than allowed.
    #[error("must have at most {chars_max} characters")]
    TooLong {
        /// The most that is allowed.
        chars_max: usize,
    },
    /// White space at the beginning or the end.
    #[error("must not begin or end with white space")]
    OuterWhiteSpace,
    /// A control, format, separator, surrogate, private-use or invisible character.
    #[error("must not hold control, format, line-separator, private-use or invisible characters")]
    ForbiddenCharacter,
    /// Not dot-separated parts of `[a-z0-9][a-z0-9_-]*`.
    #[error("must be dot-separated parts, each of a-z and 0-9, then also _ and -")]
    NotDotted,
    /// Not a lower-case hyphenated UUID.
    #[error("must be a lower-case hyphenated UUID")]
    NotUuid,
    /// A UUID of another version or variant.
    #[error("must be a UUID of version 7")]
    NotVersion7,
    /// Not an RFC 9110 media type.
    #[error("must be a media type such as text/plain")]
    NotMediaType,
}

/// Checks the rule for names: bounded, not blank, only characters that a reader can see.
fn check_name(text: &str, chars_max: usize) -> Result<(), IdentityFault> {
    if text.is_ascii() {
        return check_ascii_name(text.as_bytes(), chars_max);
    }
    if text.chars().nth(chars_max).is_some() {
        return Err(IdentityFault::TooLong { chars_max });
    }
    if text.trim().is_empty() {
        return Err(IdentityFault::Blank);
    }
    if text.trim().len() != text.len() {
        return Err(IdentityFault::OuterWhiteSpace);
    }
    if text.chars().any(is_forbidden) {
        return Err(IdentityFault::ForbiddenCharacter);
    }
    Ok(())
}

/// The same rule without tables: nearly every identifier is ASCII.
fn check_ascii_name(text: &[u8], chars_max: usize) -> Result<(), IdentityFault> {
    if text.len() > chars_max {
        return Err(IdentityFault::TooLong { chars_max });
    }
    let is_white = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    if text.iter().all(is_white) {
        return Err(IdentityFault::Blank);
    }
    if text.first().is_some_and(is_white) || text.last().is_some_and(is_white) {
        return Err(IdentityFault::OuterWhiteSpace);
    }
    // Without a branch for each byte, so that the compiler can take many at once.
    if text.iter().fold(false, |any, byte| any | byte.is_ascii_control()) {
        return Err(IdentityFault::ForbiddenCharacter);
    }
    Ok(())
}

/// Characters that cannot be told apart by looking, or that change how others look.
///
/// General categories Cc, Cf, Zl, Zp, Cs and Co, and the property `Default_Ignorable_Code_Point`.
pub fn is_forbidden(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Checks dot-separated parts, each `[a-z0-9][a-z0-9_-]*`.
fn check_dotted(text: &str, chars_max: usize) -> Result<(), IdentityFault> {
    if text.is_empty() {
        return Err(IdentityFault::Blank);
    }
    if text.len() > chars_max {
        return Err(IdentityFault::TooLong { chars_max });
    }
    let is_part = |part: &[u8]| match part {
        [first, rest @ ..] => is_dotted_start(*first) && rest.iter().all(|b| is_dotted_byte(*b)),
        [] => false,
    };
    if text.as_bytes().split(|byte| *byte == b'.').all(is_part) {
        Ok(())
    } else {
        Err(IdentityFault::NotDotted)
    }
}

fn is_dotted_start(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_dotted_byte(byte: u8) -> bool {
    is_dotted_start(byte) || byte == b'_' || byte == b'-'
}

/// Checks an RFC 9110 §8.3.1 media type: `type/subtype`, then `; name=value` parameters.
fn check_media_type(text: &str) -> Result<(), IdentityFault> {
    if text.len() > CONTENT_TYPE_CHARS_MAX {
        return Err(IdentityFault::TooLong { chars_max: CONTENT_TYPE_CHARS_MAX });
    }
    let valid = (|| {
        let (kind, rest) = take_token(text.as_bytes())?;
        let (subtype, mut rest) = take_token(rest.strip_prefix(b"/")?)?;
        if kind.is_empty() || subtype.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            rest = take_parameter(rest)?;
        }
        Some(())
    })();
    valid.ok_or(IdentityFault::NotMediaType)
}

/// Takes `OWS ";" OWS token "=" ( token / quoted-string )` and returns what follows.
fn take_parameter(text: &[u8]) -> Option<&[u8]> {
    let text = trim_ows(text).strip_prefix(b";")?;
    let (_, text) = take_token(trim_ows(text))?;
    let text = text.strip_prefix(b"=")?;
    match text.strip_prefix(b"\"") {
        Some(quoted) => take_quoted(quoted),
        None => take_token(text).map(|(_, rest)| rest),
    }
}

/// Takes an RFC 9110 token of at least one character.
fn take_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_token_byte = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let length = text.iter().take_while(|byte| is_token_byte(byte)).count();
    (length > 0).then(|| text.split_at(length))
}

/// Takes the rest of an ASCII quoted-string, its closing quote included.
fn take_quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if (0x20..0x7f).contains(escaped) => text = rest,
            [byte, rest @ ..] if (0x20..0x7f).contains(byte) && *byte != b'\\' => text = rest,
            _ => return None,
        }
    }
}

fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

// The same few names are in envelope after envelope: a clone shares its text.
macro_rules! text_identity {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` if it keeps the rules of this identifier.
            ///
            /// # Errors
            ///
            /// `IdentityError` names the rule that is broken.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, IdentityError> {
                let text = text.into();
                Self::check(&text)?;
                Ok(Self(text))
            }

            /// Checks the rules without keeping the text.
            ///
            /// # Errors
            ///
            /// `IdentityError` names the rule that is broken.
            pub fn check(text: &str) -> Result<(), IdentityError> {
                let check: fn(&str) -> Result<(), IdentityFault> = $check;
                check(text).map_err(|fault| IdentityError { kind: $kind, fault })
            }

            /// The text as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

text_identity!(
    /// What happened, as dot-separated parts: `tool.call`, `otel.span`. At most 128 characters.
    EventType,
    "event_type",
    |text| check_dotted(text, SHORT_NAME_CHARS_MAX)
);
text_identity!(
    /// Which adapter made an envelope. At most 128 characters.
    AdapterId,
    "adapter_id",
    |text| check_name(text, SHORT_NAME_CHARS_MAX)
);
text_identity!(
    /// Who acted, as the producer claims. At most 256 characters.
    ActorId,
    "actor_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// Where it happened, as the producer claims. At most 256 characters.
    EnvironmentId,
    "environment_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// The trace that an envelope belongs to. At most 256 characters.
    TraceId,
    "trace_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// The session that an envelope belongs to. At most 256 characters.
    SessionId,
    "session_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// The tenant half of a stream's name. At most 256 characters.
    TenantId,
    "tenant_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// The recorder half of a stream's name. At most 256 characters.
    RecorderId,
    "recorder_id",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// The first part of a checkpoint's origin, configured. At most 256 characters.
    LogName,
    "log_name",
    |text| check_name(text, NAME_CHARS_MAX)
);
text_identity!(
    /// An RFC 9110 media type of at most 255 characters: `text/csv; charset=utf-8`.
    ContentType,
    "content_type",
    check_media_type
);

/// The beginning of event types: `tool.` matches `tool.call` and `tool.result`.
///
/// At most 128 characters of those that an event type may hold.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct EventTypePrefix(Box<str>);

impl EventTypePrefix {
    /// Takes `text` if some event type can begin with it.
    ///
    /// # Errors
    ///
    /// `IdentityError` names the rule that is broken.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, IdentityError> {
        let text = text.into();
        // A prefix ends where it likes: after a dot, or within a part.
        let completed = format!("{text}0");
        check_dotted(&completed, SHORT_NAME_CHARS_MAX + 1)
            .and(if text.is_empty() { Err(IdentityFault::Blank) } else { Ok(()) })
            .map_err(|fault| IdentityError { kind: "event_type prefix", fault })?;
        Ok(Self(text))
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for EventTypePrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventTypePrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Box::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Characters of a hyphenated UUID.
pub const UUID_CHARS: usize = 36;

/// Reads a lower-case hyphenated UUID of version 7, variant RFC 9562.
fn parse_uuid_v7(text: &[u8]) -> Result<Uuid, IdentityFault> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    if text.len() != UUID_CHARS || HYPHENS.iter().any(|place| text[*place] != b'-') {
        return Err(IdentityFault::NotUuid);
    }
    let mut digits = [0; 32];
    let mut filled = 0;
    for byte in text {
        // A fifth hyphen leaves too few digits, which the length check below refuses.
        if *byte != b'-' && filled < digits.len() {
            digits[filled] = *byte;
            filled += 1;
        }
    }
    if filled != digits.len() {
        return Err(IdentityFault::NotUuid);
    }
    let bytes = crate::hash::decode_hex(&digits).ok_or(IdentityFault::NotUuid)?;
    check_v7(Uuid::from_bytes(bytes))
}

fn check_v7(uuid: Uuid) -> Result<Uuid, IdentityFault> {
    if uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122 {
        Ok(uuid)
    } else {
        Err(IdentityFault::NotVersion7)
    }
}

macro_rules! uuid_identity {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID of version 7.
            ///
            /// # Errors
            ///
            /// `IdentityError` for any other version or variant.
            pub fn from_uuid(uuid: Uuid) -> Result<Self, IdentityError> {
                check_v7(uuid).map(Self).map_err(|fault| IdentityError { kind: $kind, fault })
            }

            /// Takes the 16 raw bytes of a UUID of version 7.
            ///
            /// # Errors
            ///
            /// `IdentityError` for any other version or variant.
            pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdentityError> {
                Self::from_uuid(Uuid::from_bytes(bytes))
            }

            /// Parses the lower-case hyphenated form, the only one.
            ///
            /// # Errors
            ///
            /// `IdentityError` for any other text.
            pub fn parse(text: &[u8]) -> Result<Self, IdentityError> {
                parse_uuid_v7(text).map(Self).map_err(|fault| IdentityError { kind: $kind, fault })
            }

            /// The 16 raw bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The 36 characters of the hyphenated form.
            pub fn to_text(&self) -> [u8; UUID_CHARS] {
                let mut text = [0; UUID_CHARS];
                self.0.hyphenated().encode_lower(&mut text);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.0.hyphenated().encode_lower(&mut [0; UUID_CHARS]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::parse(text.as_bytes())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Box::<str>::deserialize(deserializer)?;
                Self::parse(text.as_bytes()).map_err(de::Error::custom)
            }
        }
    };
}

uuid_identity!(
    /// Names one envelope, for ever: a UUIDv7 (RFC 9562).
    EnvelopeId,
    "envelope_id"
);
uuid_identity!(
    /// Names one segment: a UUIDv7 (RFC 9562).
    SegmentId,
    "segment_id"
);
uuid_identity!(
    /// Names one bundle: UUIDv7-shaped, derived from the manifest (evidence format §7).
    BundleId,
    "bundle_id"
);

/// A stream: one tenant at one recorder, with one chain and one Merkle log.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StreamId {
    /// Whose evidence it is.
    pub tenant_id: TenantId,
    /// Which recorder seals it.
    pub recorder_id: RecorderId,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant_id, self.recorder_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> Option<IdentityFault> {
        ActorId::new(text).err().map(|error| error.fault)
    }

    #[test]
    fn names_hold_what_a_reader_can_see() {
        for good in ["a", "agent:refunds", "Zoë Müller", "東京/1", "a b", "x".repeat(256).as_str()]
        {
            assert_eq!(fault_of(good), None, "{good}");
        }
        assert_eq!(fault_of(""), Some(IdentityFault::Blank));
        assert_eq!(fault_of(" \u{3000}"), Some(IdentityFault::Blank));
        assert_eq!(fault_of(" a"), Some(IdentityFault::OuterWhiteSpace));
        assert_eq!(fault_of("a\u{2003}"), Some(IdentityFault::OuterWhiteSpace));
        assert_eq!(fault_of(&"é".repeat(257)), Some(IdentityFault::TooLong { chars_max: 256 }));
    }

    #[test]
    fn invisible_characters_are_refused_wherever_they_stand() {
        let hidden = [
            '\u{0}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{2060}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{1d173}',
            '\u{e0041}',
            '\u{f0000}',
            '\n',
            '\t',
        ];
        for character in hidden {
            let text = format!("a{character}b");
            assert_eq!(fault_of(&text), Some(IdentityFault::ForbiddenCharacter), "{character:?}");
        }
    }

    #[test]
    fn event_types_are_dotted_parts() {
        for good in ["tool.call", "otel.span", "a", "0.1-2_3", "x".repeat(128).as_str()] {
            assert!(EventType::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "Tool.call",
            "-a",
            "a._b",
            "a b",
            "é",
            "x".repeat(129).as_str(),
        ] {
            assert!(EventType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_is_the_beginning_of_some_event_type() {
        for good in ["tool", "tool.", "tool.c", "a-", "a_"] {
            assert!(EventTypePrefix::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "tool..", "Tool", "-"] {
            assert!(EventTypePrefix::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn uuids_are_version_seven_in_one_spelling() {
        let text = "01936b2e-7c00-7abc-8def-0123456789ab";
        assert_eq!(EnvelopeId::parse(text.as_bytes()).unwrap().to_string(), text);
        assert_eq!(&EnvelopeId::parse(text.as_bytes()).unwrap().to_text(), text.as_bytes());
        for bad in [
            text.to_uppercase().as_str(),
            &text.replace('-', ""),
            &format!("{{{text}}}"),
            "01936b2e-7c00-4abc-8def-0123456789ab",
            "01936b2e-7c00-7abc-cdef-0123456789ab",
            "01936b2e-7c00-7abc-8def-0123456789-b",
            "01936b2e-7c00-7abc-8def-0123456789ag",
            "",
        ] {
            assert!(EnvelopeId::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn media_types_follow_the_grammar() {
        for good in [
            "text/plain",
            "text/csv; charset=utf-8",
            "application/vnd.x+json;a=\"b c\\\"\"",
            "a/b ;c=d",
        ] {
            assert!(ContentType::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain;",
            "text/plain; charset",
            "a/b;c=",
            "a/b;c=\"d",
            "a/b\n",
        ] {
            assert!(ContentType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_cannot_bypass_the_constructor() {
        assert!(serde_json::from_str::<ActorId>("\"\"").is_err());
        assert!(serde_json::from_str::<EventType>("\"A\"").is_err());
        assert!(
            serde_json::from_str::<SegmentId>("\"01936B2E-7C00-7ABC-8DEF-0123456789AB\"").is_err()
        );
        assert!(
            serde_json::from_str::<StreamId>(r#"{"tenant_id":"a","recorder_id":"b","x":1}"#)
                .is_err()
        );
    }
}
