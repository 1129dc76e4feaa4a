//! Why a JSON text is refused, and at which byte.
//!
//! Neither type holds or prints a byte of the input: payloads are evidence, and errors end up in logs.

/// A refusal: what is wrong and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Offset in bytes from the start of the input. A value, a name or an escape is named by its first byte,
    /// a text that stops too early by its length.
    pub offset: usize,
}

impl JsonError {
    pub(crate) const fn new(kind: JsonErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// What can be wrong with a JSON text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum JsonErrorKind {
    /// The input has more bytes than the limit; the offset is the limit.
    #[error("the text is larger than the limit")]
    TooLarge,
    /// The input begins with U+FEFF (RFC 8259 §8.1).
    #[error("byte order mark")]
    ByteOrderMark,
    /// The input is not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// The input stops inside a value, or is empty.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A byte stands where the grammar, or the reader's schema, has another.
    #[error("unexpected byte")]
    UnexpectedByte,
    /// Something other than white space follows the value.
    #[error("bytes after the value")]
    TrailingBytes,
    /// A backslash is followed by none of the escapes of RFC 8259 §7.
    #[error("invalid escape")]
    InvalidEscape,
    /// A `\u` escape names half of a surrogate pair (RFC 7493 §2.1).
    #[error("lone surrogate")]
    LoneSurrogate,
    /// A string holds a raw character below U+0020.
    #[error("control character in a string")]
    ControlCharacter,
    /// Digits, sign, point and exponent do not form a number of RFC 8259 §6.
    #[error("invalid number")]
    InvalidNumber,
    /// The number is larger than any double.
    #[error("number is not finite as a double")]
    NumberNotFinite,
    /// An integer beyond ±2^53 that is not the RFC 8785 spelling of a double, or that a typed reader cannot hold exactly.
    #[error("integer cannot be represented exactly")]
    IntegerNotRepresentable,
    /// An object names one member twice (RFC 7493 §2.3); the offset is the later name.
    #[error("duplicate member name")]
    DuplicateMember,
    /// Objects and arrays are nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// The text holds more values than the limit.
    #[error("too many values")]
    TooManyNodes,
    /// The value is not an object where only an object will do.
    #[error("not an object")]
    NotAnObject,
    /// The text is JSON but not spelled as RFC 8785 prints it.
    #[error("not canonical")]
    NotCanonical,
}

impl JsonErrorKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 17] = [
        Self::TooLarge,
        Self::ByteOrderMark,
        Self::InvalidUtf8,
        Self::UnexpectedEnd,
        Self::UnexpectedByte,
        Self::TrailingBytes,
        Self::InvalidEscape,
        Self::LoneSurrogate,
        Self::ControlCharacter,
        Self::InvalidNumber,
        Self::NumberNotFinite,
        Self::IntegerNotRepresentable,
        Self::DuplicateMember,
        Self::TooDeep,
        Self::TooManyNodes,
        Self::NotAnObject,
        Self::NotCanonical,
    ];

    /// The stable name of this kind, for problem documents, findings and vectors.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::ByteOrderMark => "byte_order_mark",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::UnexpectedEnd => "unexpected_end",
            Self::UnexpectedByte => "unexpected_byte",
            Self::TrailingBytes => "trailing_bytes",
            Self::InvalidEscape => "invalid_escape",
            Self::LoneSurrogate => "lone_surrogate",
            Self::ControlCharacter => "control_character",
            Self::InvalidNumber => "invalid_number",
            Self::NumberNotFinite => "number_not_finite",
            Self::IntegerNotRepresentable => "integer_not_representable",
            Self::DuplicateMember => "duplicate_member",
            Self::TooDeep => "too_deep",
            Self::TooManyNodes => "too_many_nodes",
            Self::NotAnObject => "not_an_object",
            Self::NotCanonical => "not_canonical",
        }
    }
}
