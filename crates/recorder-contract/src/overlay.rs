//! The bounds and patterns that the readers enforce, laid over the shapes.
//!
//! Each comes from the constant that the reader uses. A pointer that leads nowhere is an error: a shape that was renamed
//! must not lose its bounds unseen.

use recorder_core::identity::{CONTENT_TYPE_CHARS_MAX, NAME_CHARS_MAX, SHORT_NAME_CHARS_MAX};
use recorder_core::limits::{
    ATTACHMENT_BYTES_MAX, ATTACHMENT_REFS_MAX, FINDINGS_MAX, PAGE_SIZE_MAX, PARENT_IDS_MAX,
};
use recorder_envelope::dsse::DSSE_SIGNATURES_MAX;
use recorder_envelope::envelope::{POSITION_MAX, SCHEMA_VERSION};
use recorder_envelope::json::EXACT_INTEGER_MAX;
use recorder_envelope::rotation::REASON_CHARS_MAX;
use recorder_envelope::trust_root::TRUSTED_POSITION_MAX;
use recorder_sidecar_api::control_plane::DENIAL_DETAIL_CHARS_MAX;
use recorder_sidecar_api::identity::{AUTHN_METHOD_CHARS_MAX, PRINCIPAL_CHARS_MAX};
use recorder_sidecar_api::problem::TYPE_PREFIX;
use recorder_sidecar_api::wire::BATCH_REQUEST_ENVELOPES_MAX;
use serde_json::{Value, json};

use crate::ContractError;
use crate::api::CORRELATION_ID_PATTERN;
use crate::shape::Shapes;

/// A bound: the shape, the place within it (RFC 6901), the keyword and its value.
type Bound = (&'static str, &'static str, &'static str, Value);

/// Lays every bound over `shapes`.
///
/// # Errors
///
/// `MissingPointer` for a bound whose place is not there.
pub(crate) fn lay_all(shapes: &mut Shapes) -> Result<(), ContractError> {
    lay(shapes, bounds()?)
}

fn lay(shapes: &mut Shapes, bounds: Vec<Bound>) -> Result<(), ContractError> {
    for (name, pointer, keyword, value) in bounds {
        let shape = shapes.get_mut(name).and_then(|shape| shape.pointer_mut(pointer));
        let Some(Value::Object(members)) = shape else {
            return Err(ContractError::MissingPointer { pointer: format!("{name}{pointer}") });
        };
        members.insert(keyword.to_owned(), value);
    }
    Ok(())
}

fn bounds() -> Result<Vec<Bound>, ContractError> {
    let mut all = identifiers()?;
    all.extend(encodings());
    all.extend(numbers());
    all.extend(counts());
    Ok(all)
}

fn identifiers() -> Result<Vec<Bound>, ContractError> {
    const PART: &str = "[a-z0-9][a-z0-9_-]*";
    let forbidden = listed("forbidden characters")?;
    let invisible = class([forbidden.clone(), listed("white space")?].concat());
    let forbidden = class(forbidden);
    let token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
    let quoted = r#""(?:[ !#-\[\]-~]|\\[ -~])*""#;
    let media = format!(r"^{token}/{token}(?:[ \t]*;[ \t]*{token}=(?:{token}|{quoted}))*$");
    Ok(vec![
        ("name", "", "minLength", json!(1)),
        ("name", "", "maxLength", json!(NAME_CHARS_MAX)),
        (
            "name",
            "",
            "pattern",
            json!(format!("^[^{invisible}](?:[^{forbidden}]*[^{invisible}])?$")),
        ),
        ("event_type", "", "maxLength", json!(SHORT_NAME_CHARS_MAX)),
        ("event_type", "", "pattern", json!(format!(r"^{PART}(?:\.{PART})*$"))),
        ("event_type_prefix", "", "maxLength", json!(SHORT_NAME_CHARS_MAX)),
        ("event_type_prefix", "", "pattern", json!(format!(r"^{PART}(?:\.{PART})*\.?$"))),
        ("content_type", "", "maxLength", json!(CONTENT_TYPE_CHARS_MAX)),
        ("content_type", "", "pattern", json!(media)),
        ("principal", "", "pattern", json!(format!("^[!-~]{{1,{PRINCIPAL_CHARS_MAX}}}$"))),
        ("authn_method", "", "maxLength", json!(AUTHN_METHOD_CHARS_MAX)),
        ("authn_method", "", "pattern", json!(format!("^{token}$"))),
        ("request_id", "", "pattern", json!(CORRELATION_ID_PATTERN)),
        ("denial_detail", "", "maxLength", json!(DENIAL_DETAIL_CHARS_MAX)),
        ("denial_detail", "", "pattern", json!(format!("^[^{forbidden}]*$"))),
        ("rotation_reason", "", "minLength", json!(1)),
        ("rotation_reason", "", "maxLength", json!(REASON_CHARS_MAX)),
        (
            "rotation_reason",
            "",
            "pattern",
            json!(format!("^[^{forbidden}]*[^{invisible}][^{forbidden}]*$")),
        ),
        (
            "uuid_v7",
            "",
            "pattern",
            json!("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
        ),
    ])
}

fn encodings() -> Vec<Bound> {
    let hex = |digits: usize| json!(format!("^[0-9a-f]{{{digits}}}$"));
    let (year, day) = ("(?:19[7-9][0-9]|[2-9][0-9]{3})", days());
    let clock = "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    // The last of them is 2262-04-11T23:47:16.854775807Z.
    let recorded = format!(
        "(?:19[7-9][0-9]|2[01][0-9]{{2}}|22[0-5][0-9]|226[01])-{day}|2262-(?:0[13]-(?:0[1-9]|[12][0-9]|3[01])|02-(?:0[1-9]|1[0-9]|2[0-8])|04-(?:0[1-9]|1[01]))"
    );
    let problem = format!("^{TYPE_PREFIX}[a-z_]+$");
    vec![
        ("hash", "", "pattern", hex(64)),
        ("salt", "", "pattern", hex(32)),
        ("public_key", "", "pattern", hex(64)),
        ("signature_value", "", "pattern", hex(128)),
        (
            "base64",
            "",
            "pattern",
            // The bits that the last character has too many are zero.
            json!(
                "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
            ),
        ),
        ("time", "", "pattern", json!(format!(r"^{year}-{day}{clock}\.[0-9]{{9}}Z$"))),
        (
            "time_input",
            "",
            "pattern",
            json!(format!(r"^{year}-{day}{clock}(?:\.[0-9]{{1,9}})?(?:Z|\+00:00)$")),
        ),
        ("recorded_time", "", "pattern", json!(format!(r"^(?:{recorded}){clock}\.[0-9]{{9}}Z$"))),
        ("problem", "/properties/type", "pattern", json!(problem)),
    ]
}

/// Months with their days; February may have 29.
fn days() -> &'static str {
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
}

fn numbers() -> Vec<Bound> {
    vec![
        ("place", "", "minimum", json!(0)),
        ("place", "", "maximum", json!(POSITION_MAX)),
        ("whole", "", "minimum", json!(0)),
        ("size", "", "minimum", json!(0)),
        ("size_in_log", "", "minimum", json!(0)),
        ("attachment_size", "", "minimum", json!(0)),
        ("attachment_size", "", "maximum", json!(ATTACHMENT_BYTES_MAX)),
        ("schema_version", "", "const", json!(SCHEMA_VERSION)),
        ("seal_count", "", "minimum", json!(1)),
        ("seal_count", "", "maximum", json!(POSITION_MAX)),
        ("trusted_position", "", "minimum", json!(0)),
        ("trusted_position", "", "maximum", json!(TRUSTED_POSITION_MAX)),
        ("rotation_place", "", "minimum", json!(1)),
        ("rotation_place", "", "maximum", json!(POSITION_MAX)),
        ("guarded_head", "/properties/sealed_segments", "maximum", json!(EXACT_INTEGER_MAX)),
        ("guarded_head", "/properties/tree_size", "maximum", json!(EXACT_INTEGER_MAX)),
        ("admission_request", "/properties/body_bytes/anyOf/0", "minimum", json!(0)),
        ("hook", "/properties/status/anyOf/0", "minimum", json!(200)),
        ("hook", "/properties/status/anyOf/0", "maximum", json!(599)),
        ("page_size", "", "minimum", json!(1)),
        ("page_size", "", "maximum", json!(PAGE_SIZE_MAX)),
        ("inclusion_request", "/properties/tree_size/anyOf/0", "minimum", json!(0)),
        ("consistency_request", "/properties/new_size/anyOf/0", "minimum", json!(0)),
        ("problem", "/properties/status", "minimum", json!(400)),
        ("problem", "/properties/status", "maximum", json!(599)),
    ]
}

fn counts() -> Vec<Bound> {
    vec![
        ("attachment_refs", "", "maxItems", json!(ATTACHMENT_REFS_MAX)),
        ("attachment_refs", "", "uniqueItems", json!(true)),
        ("parent_ids", "", "maxItems", json!(PARENT_IDS_MAX)),
        ("parent_ids", "", "uniqueItems", json!(true)),
        ("position_range", "", "minProperties", json!(1)),
        ("time_range", "", "minProperties", json!(1)),
        ("filter_positions", "", "minProperties", json!(1)),
        ("filter_times", "", "minProperties", json!(1)),
        ("trust_root", "/properties/keys", "minItems", json!(1)),
        ("trust_root", "/properties/keys", "uniqueItems", json!(true)),
        ("manifest_signature", "/properties/signatures", "minItems", json!(1)),
        ("manifest_signature", "/properties/signatures", "maxItems", json!(DSSE_SIGNATURES_MAX)),
        ("attachments_request", "/properties/attachments", "minItems", json!(1)),
        ("attachments_request", "/properties/attachments", "maxItems", json!(ATTACHMENT_REFS_MAX)),
        ("batch_request", "/properties/envelopes", "minItems", json!(1)),
        ("batch_request", "/properties/envelopes", "maxItems", json!(BATCH_REQUEST_ENVELOPES_MAX)),
        ("phase_content", "/properties/findings", "maxItems", json!(FINDINGS_MAX)),
    ]
}

/// The page whose lists of characters are the rule for names.
const PAGE: &str = include_str!("../../../docs/spec/evidence-format.md");

/// The ranges of a list on that page, both ends included.
fn listed(name: &str) -> Result<Vec<(u32, u32)>, ContractError> {
    let missing = || ContractError::MissingPointer { pointer: format!("the list of {name}") };
    let (_, after) =
        PAGE.split_once(&format!("<!-- example: {name} -->\n```text\n")).ok_or_else(missing)?;
    let (list, _) = after.split_once("```").ok_or_else(missing)?;
    let number = |text: &str| u32::from_str_radix(text, 16).map_err(|_| missing());
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Ok((number(first)?, number(last)?))
    };
    list.split_whitespace().map(range).collect()
}

/// The inside of a character class that holds these ranges. Within the basic plane as `\uXXXX`, which every dialect
/// reads; beyond it as they are.
fn class(mut ranges: Vec<(u32, u32)>) -> String {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    let mut out = String::new();
    for (first, last) in merged {
        // Half a surrogate pair is no character.
        let first = if (0xd800..0xe000).contains(&first) { 0xe000 } else { first };
        push_character(&mut out, first);
        if last > first {
            out.push('-');
            push_character(&mut out, last);
        }
    }
    out
}

fn push_character(out: &mut String, code: u32) {
    use std::fmt::Write as _;
    match char::from_u32(code) {
        Some(character) if code >= 0x1_0000 => out.push(character),
        _ => drop(write!(out, "\\u{code:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::is_forbidden;

    use super::*;
    use crate::shape::shapes;

    #[test]
    fn a_bound_whose_place_is_gone_fails() {
        for (name, pointer) in
            [("nobody", ""), ("name", "/properties/x"), ("problem", "/properties/typo")]
        {
            let refused =
                lay(&mut shapes(), vec![(name, pointer, "minimum", json!(1))]).unwrap_err();
            assert!(
                matches!(&refused, ContractError::MissingPointer { pointer: found } if *found == format!("{name}{pointer}")),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_class_holds_what_it_must_in_ranges() {
        assert_eq!(class(vec![(0x7a, 0x7a), (0x61, 0x62), (0x63, 0x63)]), r"\u0061-\u0063\u007a");
        assert_eq!(class(vec![(0x10fffe, 0x10ffff)]), "\u{10fffe}-\u{10ffff}");
        assert_eq!(class(vec![(0xd800, 0xe010)]), r"\ue000-\ue010");
    }

    #[test]
    fn the_lists_of_the_page_are_what_the_reader_refuses() {
        let forbidden = listed("forbidden characters").unwrap();
        let white = listed("white space").unwrap();
        let holds = |ranges: &[(u32, u32)], code| {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&code))
        };
        for character in '\0'..=char::MAX {
            let code = u32::from(character);
            assert_eq!(holds(&forbidden, code), is_forbidden(character), "{code:04x}");
            assert_eq!(holds(&white, code), character.is_whitespace(), "{code:04x}");
        }
    }
}
