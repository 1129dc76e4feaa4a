//! Generated documents: every spelling of one tree has one canonical form, and it is the oracle's.

use std::collections::BTreeMap;

use proptest::prelude::*;
use recorder_envelope::json::{JsonErrorKind, JsonLimits, canonicalize};
use serde_json::Value;

use super::properties::check_bytes;

/// Characters that differ in how they are escaped, encoded or ordered.
fn text() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(
        "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} !\"#/09AZ[\\]az\u{7f}\u{80}éö€\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}😀\u{10ffff}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let character = prop_oneof![4 => tricky, 1 => any::<char>()];
    prop::collection::vec(character, 0..12).prop_map(String::from_iter)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-1_000_000_i64..1_000_000).prop_map(Value::from),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Spells a tree with whatever white space, escapes and order the choices give.
struct Speller<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    out: String,
}

impl<'a> Speller<'a> {
    fn spell(tree: &Value, choices: &'a [u8]) -> String {
        let mut speller = Self { choices: choices.iter().cycle(), out: String::new() };
        speller.value(tree);
        speller.out
    }

    fn choose(&mut self, bound: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(*choice) % bound)
    }

    fn space(&mut self) {
        let space = ["", "", "", " ", "\n", "\t\r", "   "][self.choose(7)];
        self.out.push_str(space);
    }

    fn value(&mut self, tree: &Value) {
        self.space();
        match tree {
            Value::String(text) => self.string(text),
            Value::Array(items) => self.list('[', items, ']', Self::value),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                let middle = self.choose(members.len().max(1));
                members.rotate_left(middle);
                if self.choose(2) == 0 {
                    members.reverse();
                }
                self.list('{', &members, '}', |speller, (name, value)| {
                    speller.space();
                    speller.string(name);
                    speller.space();
                    speller.out.push(':');
                    speller.value(value);
                });
            }
            Value::Number(number) => self.number(number),
            Value::Null | Value::Bool(_) => self.out.push_str(&tree.to_string()),
        }
        self.space();
    }

    fn list<T>(&mut self, open: char, items: &[T], close: char, spell: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            spell(self, item);
        }
        if items.is_empty() {
            self.space();
        }
        self.out.push(close);
    }

    fn number(&mut self, number: &serde_json::Number) {
        let value = number.as_f64().unwrap();
        let spelling = match self.choose(3) {
            0 if number.is_i64() => number.to_string(),
            1 => format!("{value:.17e}"),
            _ => format!("{value:E}"),
        };
        self.out.push_str(&spelling);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let must = matches!(character, '\0'..='\u{1f}' | '"' | '\\');
            match self.choose(4) {
                0 if !must => self.out.push(character),
                1 if character == '/' => self.out.push_str("\\/"),
                2 | 3 if !must => self.out.push(character),
                choice => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let upper = format!("\\u{unit:04X}");
                        let lower = format!("\\u{unit:04x}");
                        self.out.push_str(if choice < 2 { &upper } else { &lower });
                    }
                }
            }
        }
        self.out.push('"');
    }
}

/// Bytes that change the meaning of what stands around them.
const INSERTED: &[u8] = b"\"\\{}[]:,0-. eE\x1fu";

fn canonical(input: &[u8]) -> Result<Vec<u8>, JsonErrorKind> {
    let mut out = Vec::new();
    canonicalize(input, &JsonLimits::PAYLOAD, &mut out).map_err(|error| error.kind)?;
    Ok(out)
}

/// Both ways: what we accept the oracle prints alike, and what we refuse it refuses too, but for our own rules.
fn check_against_oracle(input: &[u8]) {
    use JsonErrorKind::{
        ByteOrderMark, DuplicateMember, IntegerNotRepresentable, TooDeep, TooLarge, TooManyNodes,
    };
    let value: Option<Value> = serde_json::from_slice(input).ok();
    match canonical(input) {
        Ok(out) => assert_eq!(Some(out), value.map(|value| serde_jcs::to_vec(&value).unwrap())),
        Err(
            ByteOrderMark
            | DuplicateMember
            | IntegerNotRepresentable
            | TooDeep
            | TooLarge
            | TooManyNodes,
        ) => {}
        Err(kind) => assert!(value.is_none(), "{}", kind.code()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_spelling_of_a_tree_has_the_oracles_canonical_form(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let spelled = Speller::spell(&tree, &choices);
        let expected = serde_jcs::to_vec(&tree).unwrap();
        prop_assert_eq!(canonical(spelled.as_bytes()), Ok(expected));
        check_bytes(spelled.as_bytes());
    }

    #[test]
    fn a_mutated_document_is_judged_alike_by_every_reader(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 1..20),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4),
        start_canonical in any::<bool>(),
    ) {
        let mut bytes = if start_canonical {
            serde_jcs::to_vec(&tree).unwrap()
        } else {
            Speller::spell(&tree, &choices).into_bytes()
        };
        for (place, edit, byte) in edits {
            let at = place.index(bytes.len() + 1);
            match edit {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, INSERTED[usize::from(byte) % INSERTED.len()]),
                _ => bytes.truncate(at),
            }
        }
        check_bytes(&bytes);
        check_against_oracle(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_bytes(&bytes);
        check_against_oracle(&bytes);
    }

    #[test]
    fn texts_of_json_bytes_are_judged_as_the_oracle_judges_them(
        text in "[\\[\\]{}:,\"\\\\ \\n0-9eE.+truefalsn-]{0,24}",
    ) {
        check_bytes(text.as_bytes());
        check_against_oracle(text.as_bytes());
    }

    #[test]
    fn a_repeated_name_is_refused_wherever_it_stands(
        members in prop::collection::btree_map(text(), tree(), 1..8),
        repeated in any::<prop::sample::Index>(),
        choices in prop::collection::vec(any::<u8>(), 1..50),
        wrapped in any::<bool>(),
    ) {
        let names: Vec<&String> = members.keys().collect();
        let again = BTreeMap::from([(names[repeated.index(names.len())].clone(), Value::Null)]);
        let first = Speller::spell(&Value::Object(members.clone().into_iter().collect()), &choices);
        let second = Speller::spell(&Value::Object(again.into_iter().collect()), &choices);
        let first = first.trim_end().strip_suffix('}').unwrap();
        let second = second.trim_start().strip_prefix('{').unwrap();
        let object = format!("{first},{second}");
        let text = if wrapped { format!("[{{\"x\":{object}}}]") } else { object };
        prop_assert_eq!(canonical(text.as_bytes()), Err(JsonErrorKind::DuplicateMember));
    }
}
