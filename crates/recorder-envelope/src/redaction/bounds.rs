//! How large one record may be. Over a bound it is refused; only strings are cut, and say so.

use serde::{Deserialize, Serialize};

use crate::json::{JsonError, JsonErrorKind};

/// What one record may ask for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Bytes of a record as it came. Bounds the work of a pass.
    pub record_bytes_max: usize,
    /// Bytes of UTF-8 of a string that is kept. Longer ones are cut at a character.
    pub string_bytes_max: usize,
    /// Bytes of UTF-8 of a member name.
    pub name_bytes_max: usize,
    /// Objects and arrays that are open at once.
    pub depth_max: usize,
    /// Items of one array.
    pub items_max: usize,
    /// Members of one object, and attributes of one record.
    pub members_max: usize,
}

impl Bounds {
    /// What an adapter takes unless its contract says otherwise: far above real records, far below what a payload may be.
    pub const DEFAULT: Self = Self {
        record_bytes_max: 256 << 10,
        string_bytes_max: 8 << 10,
        name_bytes_max: 256,
        depth_max: 16,
        items_max: 1024,
        members_max: 256,
    };
}

/// Why a record was refused. Holds and prints nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct BoundError {
    /// What is wrong.
    pub kind: BoundErrorKind,
    /// Where, in bytes from the start of the JSON text.
    pub offset: usize,
}

/// What can be wrong with a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BoundErrorKind {
    /// Over `record_bytes_max`.
    #[error("the record is larger than the bound")]
    RecordTooLarge,
    /// Over `depth_max`.
    #[error("nested deeper than the bound")]
    TooDeep,
    /// Over `items_max`.
    #[error("an array has more items than the bound")]
    TooManyItems,
    /// Over `members_max`.
    #[error("an object has more members than the bound")]
    TooManyMembers,
    /// Over `name_bytes_max`.
    #[error("a member name is longer than the bound")]
    NameTooLong,
    /// No JSON.
    #[error("{0}")]
    Json(JsonErrorKind),
}

impl BoundErrorKind {
    /// The stable name, for anomalies.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RecordTooLarge => "record_too_large",
            Self::TooDeep => "too_deep",
            Self::TooManyItems => "too_many_items",
            Self::TooManyMembers => "too_many_members",
            Self::NameTooLong => "name_too_long",
            Self::Json(kind) => kind.code(),
        }
    }
}

impl From<JsonError> for BoundError {
    fn from(error: JsonError) -> Self {
        let kind = match error.kind {
            JsonErrorKind::TooDeep => BoundErrorKind::TooDeep,
            kind => BoundErrorKind::Json(kind),
        };
        Self { kind, offset: error.offset }
    }
}
