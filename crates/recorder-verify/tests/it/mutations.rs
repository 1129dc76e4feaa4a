//! No change of a valid bundle verifies: every byte of every part and of every header is committed to, and every value
//! is checked.
//!
//! One freedom is left, and it says nothing: a deflate stream can be written in several ways that inflate to the same
//! bytes, for instance in the bits that pad its end. Bundles that differ in nothing else are one bundle.

use proptest::prelude::*;
use proptest::sample::Index;
use recorder_envelope::bundle::layout;
use recorder_envelope::json::to_canonical;
use serde_json::Value;

use crate::corpus::case::{
    Case, Form, Outcome, partial, signed_envelopes, two_segments, whole, with_attachments,
};
use crate::corpus::judge::judge;
use crate::corpus::{trust_root, valid_cases};
use crate::forge::bundle::Bundle;
use crate::forge::zip::meaning;

/// Bundles whose verdict is `valid`.
fn valid() -> Vec<Case> {
    valid_cases().into_iter().filter(|case| case.outcome == Outcome::Valid).collect()
}

fn verdict(case: &Case, bytes: &[u8]) -> Option<String> {
    let trust_root = case.trust_root.map(trust_root);
    judge(bytes, trust_root, case.known_head.as_deref(), 1).verdict
}

/// Whether changed bytes verify, although they say something else.
fn is_deceived(case: &Case, bytes: &[u8]) -> bool {
    if verdict(case, bytes).as_deref() != Some("valid") {
        return false;
    }
    case.form == Form::Document || meaning(bytes) != meaning(&case.bytes)
}

#[test]
fn no_changed_byte_of_the_smallest_bundle_verifies() {
    let cases = valid();
    let case = cases.iter().find(|case| case.name == "single-envelope").unwrap();
    let mut bytes = case.bytes.clone();
    for index in 0..bytes.len() {
        bytes[index] ^= 1;
        assert!(!is_deceived(case, &bytes), "byte {index}");
        bytes[index] ^= 1;
    }
    assert_eq!(verdict(case, &bytes).as_deref(), Some("valid"));
}

#[test]
fn no_changed_byte_of_any_bundle_verifies() {
    let cases = valid();
    let mutation = (any::<Index>(), any::<Index>(), 1..=u8::MAX);
    proptest!(ProptestConfig::with_cases(400), |((case, at, flip) in mutation)| {
        let case = case.get(&cases);
        let mut bytes = case.bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(!is_deceived(case, &bytes), "{}: byte {at} ^ {flip}", case.name);
    });
}

#[test]
fn no_bundle_with_bytes_cut_repeated_or_inserted_verifies() {
    let cases = valid();
    let mutation = (any::<Index>(), any::<Index>(), any::<Index>(), 0_u8..3);
    proptest!(ProptestConfig::with_cases(200), |((case, from, to, kind) in mutation)| {
        let case = case.get(&cases);
        let (from, to) = (from.index(case.bytes.len()), to.index(case.bytes.len()));
        let (from, to) = (from.min(to), from.max(to) + 1);
        let mut bytes = case.bytes.clone();
        match kind {
            0 => drop(bytes.drain(from..to)),
            1 => bytes.splice(to..to, case.bytes[from..to].to_vec()).for_each(drop),
            _ => bytes.insert(from, 0),
        }
        prop_assert!(!is_deceived(case, &bytes), "{}: {from}..{to}, {kind}", case.name);
    });
}

/// Every value inside `value`, by the pointer that leads to it.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(member, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// Another value of the same kind, or one member or item fewer.
fn changed(value: &Value, choice: Index) -> Value {
    match value {
        Value::Null => Value::Bool(false),
        Value::Bool(flag) => Value::Bool(!flag),
        Value::Number(number) => number.as_u64().map_or(0, |number| number ^ 1).into(),
        Value::String(text) => changed_text(text, choice).into(),
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(members) if members.is_empty() => Value::Null,
        Value::Array(items) => {
            let mut items = items.clone();
            items.remove(choice.index(items.len()));
            items.into()
        }
        Value::Object(members) => {
            let mut members = members.clone();
            let name = members.keys().nth(choice.index(members.len())).unwrap().clone();
            members.remove(&name);
            members.into()
        }
    }
}

/// The text with one character changed, so that it often stays what it was: hex, a time, an id.
fn changed_text(text: &str, choice: Index) -> String {
    if text.is_empty() {
        return "0".to_owned();
    }
    let mut characters: Vec<char> = text.chars().collect();
    let at = choice.index(characters.len());
    characters[at] = if characters[at] == '0' { '1' } else { '0' };
    characters.into_iter().collect()
}

/// Changes one value of one JSON part, and gives what it was before.
fn change_a_value(bundle: &mut Bundle, part: Index, node: Index, choice: Index) -> String {
    let parts: Vec<_> = (0..bundle.parts.len())
        .filter(|index| bundle.parts[*index].name.contains(".json"))
        .collect();
    let part = &mut bundle.parts[*part.get(&parts)];
    let text = String::from_utf8(part.bytes.clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut root = Value::Array(lines);
    let mut found = Vec::new();
    pointers(&root, "", &mut found);
    let pointer = node.get(&found[1..]).clone();
    let target = root.pointer_mut(&pointer).unwrap();
    *target = changed(target, choice);
    let line_end: &[u8] = if part.name.ends_with(".jsonl") { b"\n" } else { b"" };
    part.bytes = root
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|line| [to_canonical(line).unwrap(), line_end.to_vec()].concat())
        .collect();
    format!("{}{pointer}", part.name)
}

#[test]
fn no_changed_value_verifies_even_when_an_insider_signs_the_manifest() {
    let bundles =
        [whole(&signed_envelopes()), whole(&two_segments()), whole(&with_attachments()), partial()];
    let trust_root = trust_root("recorder");
    let mutation = (any::<Index>(), any::<Index>(), any::<Index>(), any::<Index>());
    proptest!(ProptestConfig::with_cases(400), |((bundle, part, node, choice) in mutation)| {
        let mut bundle: Bundle = bundle.get(&bundles).clone();
        let what = change_a_value(&mut bundle, part, node, choice);
        let judgement = judge(&bundle.members().archive(), Some(trust_root), None, 1);
        prop_assert_ne!(judgement.verdict.as_deref(), Some("valid"), "{}", what);
    });
}

#[test]
fn no_changed_value_of_a_manifest_verifies_without_the_key() {
    let bundle = whole(&two_segments());
    let trust_root = trust_root("recorder");
    let carried = bundle.carried();
    let mutation = (any::<Index>(), any::<Index>());
    proptest!(ProptestConfig::with_cases(150), |((node, choice) in mutation)| {
        let mut members = bundle.members();
        let manifest: Value = serde_json::from_slice(members.bytes_mut(layout::MANIFEST)).unwrap();
        let mut found = Vec::new();
        pointers(&manifest, "", &mut found);
        // The id is derived from the others, so changing it alone changes nothing.
        found.retain(|pointer| !pointer.is_empty() && pointer != "/bundle_id");
        let pointer = node.get(&found).clone();
        members.edit_manifest(&carried, |manifest| {
            let target = manifest.pointer_mut(&pointer).unwrap();
            *target = changed(target, choice);
        });
        let judgement = judge(&members.archive(), Some(trust_root), None, 1);
        prop_assert_ne!(judgement.verdict.as_deref(), Some("valid"), "{}", pointer);
    });
}
