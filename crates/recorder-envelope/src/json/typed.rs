//! Typed objects that are rarely read or written: manifests, trust roots, policies.
//!
//! The hot paths do not come here. Their lines go through [`CanonicalReader`](super::CanonicalReader) and
//! [`ObjectWriter`](super::ObjectWriter). Payloads never do: no tree of values is built from them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::{JsonError, JsonLimits, canonicalize};

/// Our own objects are bounded by what they are built from, not by what their text may be.
const OWN_OBJECT: JsonLimits = JsonLimits {
    input_bytes_max: usize::MAX,
    depth_max: JsonLimits::DEPTH_CEILING,
    nodes_max: usize::MAX,
};

/// Why a value has no canonical text.
#[derive(Debug, thiserror::Error)]
pub enum ToCanonicalError {
    /// The type cannot be serialised as JSON.
    #[error("the value cannot be serialised")]
    Serialize(#[source] serde_json::Error),
    /// What it serialises to breaks a rule of canonical JSON, such as an integer beyond 2^53.
    #[error("the value has no canonical form")]
    Json(#[source] JsonError),
}

/// Why a text is not the typed object that it should be.
#[derive(Debug, thiserror::Error)]
pub enum StrictError {
    /// The text is not strict JSON, or over the limits.
    #[error("not strict JSON: {0}")]
    Json(#[source] JsonError),
    /// The text is strict JSON of another shape. The cause names line, column and member, and may quote a value.
    #[error("unexpected shape: {0}")]
    Schema(#[source] serde_json::Error),
}

/// The canonical text of `value`.
///
/// serde_json writes a float that is not finite as `null`; types given here hold no floats.
///
/// # Errors
///
/// `Serialize` for maps whose keys are not strings and the like, `Json` for integers beyond 2^53.
pub fn to_canonical(value: &impl Serialize) -> Result<Vec<u8>, ToCanonicalError> {
    let text = serde_json::to_vec(value).map_err(ToCanonicalError::Serialize)?;
    let mut canonical = Vec::new();
    canonicalize(&text, &OWN_OBJECT, &mut canonical).map_err(ToCanonicalError::Json)?;
    Ok(canonical)
}

/// Reads a `T` from strict JSON in any spelling; with `deny_unknown_fields` on `T`, nothing in it goes unread.
///
/// # Errors
///
/// `Json` for whatever [`canonicalize`] refuses, so duplicates never reach `T`; `Schema` for what `T` refuses.
pub fn from_strict<T: DeserializeOwned>(
    bytes: &[u8],
    limits: &JsonLimits,
) -> Result<T, StrictError> {
    canonicalize(bytes, limits, &mut Vec::new()).map_err(StrictError::Json)?;
    from_objects(bytes).map_err(StrictError::Schema)
}

/// Reads a `T`, every struct of it from an object, never from an array of its members. One pass, and `T` may borrow.
///
/// What serde's own readers let pass still passes: a map, and whatever `T` keeps as text, may hold duplicates. Text
/// is for the reader of that text; where `T` has a map, [`from_strict`] is the door.
///
/// # Errors
///
/// What `T` refuses, and bytes after the value.
pub fn from_objects<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{StrictError, ToCanonicalError, from_strict, to_canonical};
    use crate::json::{JsonErrorKind, JsonLimits};

    #[derive(Debug, serde::Deserialize, serde::Serialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        size: u64,
        name: String,
    }

    fn check_read(text: &str) -> Result<Sample, StrictError> {
        from_strict(text.as_bytes(), &JsonLimits::PAYLOAD)
    }

    #[test]
    fn members_are_written_sorted_and_read_in_any_order() {
        let sample = Sample { size: 1, name: "é\n".into() };
        let text = to_canonical(&sample).unwrap();
        assert_eq!(text, r#"{"name":"é\n","size":1}"#.as_bytes());
        assert_eq!(check_read(r#" {"size":1, "name":"\u00e9\n"} "#).unwrap(), sample);
    }

    #[test]
    fn duplicates_are_refused_before_the_type_sees_them() {
        let refused = check_read(r#"{"size":1,"name":"a","siz\u0065":2}"#).unwrap_err();
        let StrictError::Json(error) = refused else { panic!("{refused}") };
        assert_eq!((error.kind, error.offset), (JsonErrorKind::DuplicateMember, 21));
    }

    #[test]
    fn another_shape_is_a_schema_error() {
        for text in
            ["[]", r#"{"name":"a"}"#, r#"{"name":"a","size":1,"x":0}"#, r#"{"name":1,"size":1}"#]
        {
            assert!(matches!(check_read(text), Err(StrictError::Schema(_))), "{text}");
        }
    }

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "snake_case")]
    enum Choice {
        One { sample: Sample },
        Many(Vec<Sample>),
    }

    #[test]
    fn a_struct_is_an_object_at_every_depth_and_no_array_of_its_members() {
        let read = |text: &str| from_strict::<Choice>(text.as_bytes(), &JsonLimits::PAYLOAD);
        for taken in
            [r#"{"one":{"sample":{"name":"a","size":1}}}"#, r#"{"many":[{"name":"a","size":1}]}"#]
        {
            assert!(read(taken).is_ok(), "{taken}");
        }
        for refused in [
            r#"{"one":[{"name":"a","size":1}]}"#,
            r#"{"one":{"sample":[1,"a"]}}"#,
            r#"{"many":[[1,"a"]]}"#,
        ] {
            assert!(matches!(read(refused), Err(StrictError::Schema(_))), "{refused}");
        }
        assert!(matches!(check_read(r#"[1,"a"]"#), Err(StrictError::Schema(_))));
    }

    #[test]
    fn an_integer_beyond_doubles_is_not_rounded() {
        let sample = Sample { size: u64::MAX, name: String::new() };
        let refused = to_canonical(&sample).unwrap_err();
        let ToCanonicalError::Json(error) = refused else { panic!("{refused}") };
        assert_eq!(error.kind, JsonErrorKind::IntegerNotRepresentable);
    }

    #[test]
    fn a_map_without_string_keys_has_no_text() {
        let map = BTreeMap::from([(vec![1], 1)]);
        assert!(matches!(to_canonical(&map), Err(ToCanonicalError::Serialize(_))));
    }
}
