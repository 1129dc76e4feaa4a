//! What the typed objects of the format share when they are written and read as JSON.

use recorder_core::time::RecordedAt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{self, JsonLimits, StrictError};

/// The only hash algorithm.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum HashAlgorithm {
    #[serde(rename = "sha256")]
    Sha256,
}

/// A recorded time that is accepted only as it is written: nine fractional digits and `Z`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CanonicalTime(pub(crate) RecordedAt);

impl Serialize for CanonicalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CanonicalTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::deserialize(deserializer)?;
        RecordedAt::parse_canonical(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads a member that may be null but may not be absent; serde alone would take absence for null.
pub(crate) fn required_option<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// Reads a member that is there with a value or not there at all: `null` is neither.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The JCS bytes of one of the format's own objects.
#[expect(
    clippy::expect_used,
    reason = "strings, bounded integers, arrays and objects always have a canonical form"
)]
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    json::to_canonical(value).expect("a canonical form")
}

/// Why bytes are not the canonical form of an object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Not strict JSON, or not the object that was expected.
    #[error("{0}")]
    Form(#[from] StrictError),
    /// The bytes are not the canonical form of the object that they hold.
    #[error("not in canonical form")]
    NotCanonical,
}

/// Reads an object that must be written exactly as this project writes it.
pub(crate) fn from_canonical<T>(bytes: &[u8], limits: &JsonLimits) -> Result<T, ObjectError>
where
    T: DeserializeOwned + Serialize,
{
    let value: T = json::from_strict(bytes, limits)?;
    if canonical(&value) == bytes { Ok(value) } else { Err(ObjectError::NotCanonical) }
}
