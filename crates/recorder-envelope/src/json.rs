//! Canonical JSON: RFC 8785 text, read under the strict I-JSON rules of the evidence format (§2).
//!
//! Three doors. [`canonicalize`] turns any acceptable JSON text into its one canonical spelling, bytes to
//! bytes, without a tree between. [`check_canonical`] and [`CanonicalReader`] accept canonical text only, in one
//! pass and without building anything. [`ObjectWriter`] writes canonical text whose member names are known.
//! Whatever one of them produces, the others accept.
//!
//! Refused everywhere: duplicate member names at any depth (compared after unescaping), lone surrogates,
//! invalid UTF-8, a byte order mark, bytes after the value, raw control characters, numbers that a double
//! cannot hold, integers beyond ±2^53 that are not already spelled as RFC 8785 prints them, and whatever is
//! over [`JsonLimits`].
//!
//! Deliberately absent: a value tree, lenient modes, and Unicode normalisation. Noncharacters such as U+FFFF
//! pass, because RFC 8785 gives each of them exactly one spelling.

mod canonicalizer;
mod error;
pub(crate) mod escape;
pub(crate) mod number;
mod objects;
mod order;
mod payload;
mod reader;
pub(crate) mod scan;
mod typed;
mod writer;

pub use canonicalizer::{Canonicalizer, canonicalize};
pub use error::{JsonError, JsonErrorKind};
pub use escape::{Escape, read as read_escape};
pub use payload::CanonicalPayload;
pub use reader::{CanonicalReader, CanonicalString, check_canonical};
pub use scan::{append_run, plain_end};
pub use typed::{StrictError, ToCanonicalError, from_objects, from_strict, to_canonical};
pub use writer::{ArrayWriter, ObjectWriter, write_string};

/// How much work one JSON text may ask for.
///
/// A *node* is one JSON value: an object, an array, a string, a number, `true`, `false` or `null`. The outermost
/// value is a node; a member name is not. *Depth* counts the objects and arrays that are open at once: a scalar
/// alone has depth 0, the outermost object or array has depth 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JsonLimits {
    /// Largest input, in bytes, white space included.
    pub input_bytes_max: usize,
    /// Deepest nesting. More than [`JsonLimits::DEPTH_CEILING`] counts as that ceiling.
    pub depth_max: usize,
    /// Most nodes.
    pub nodes_max: usize,
}

impl JsonLimits {
    /// Nesting that no limit raises: the parsers recurse, and this keeps them far inside the smallest thread stack.
    pub const DEPTH_CEILING: usize = 128;

    /// What a payload may be (evidence format §2): 4 MiB, 64 deep, 100,000 nodes.
    pub const PAYLOAD: Self =
        Self { input_bytes_max: 4 * 1024 * 1024, depth_max: 64, nodes_max: 100_000 };

    const fn depth(&self) -> usize {
        if self.depth_max < Self::DEPTH_CEILING { self.depth_max } else { Self::DEPTH_CEILING }
    }
}

/// Largest integer up to which every integer is a double: 2^53.
pub const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Admits `input` as text within `input_bytes_max`: not too large, no byte order mark, UTF-8 throughout.
fn admit<'a>(input: &'a [u8], limits: &JsonLimits) -> Result<&'a str, JsonError> {
    if input.len() > limits.input_bytes_max {
        return Err(JsonError::new(JsonErrorKind::TooLarge, limits.input_bytes_max));
    }
    if input.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonError::new(JsonErrorKind::ByteOrderMark, 0));
    }
    std::str::from_utf8(input)
        .map_err(|error| JsonError::new(JsonErrorKind::InvalidUtf8, error.valid_up_to()))
}
