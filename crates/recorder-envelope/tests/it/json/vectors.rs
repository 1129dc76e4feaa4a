//! The published vectors under `docs/spec/vectors/json`.

use recorder_envelope::json::{
    CanonicalReader, JsonErrorKind, JsonLimits, canonicalize, check_canonical,
};
use serde::Deserialize;

use super::properties::check_bytes;

const CANONICAL: &str = include_str!("../../../../../docs/spec/vectors/json/canonical.json");
const REFUSED: &str = include_str!("../../../../../docs/spec/vectors/json/refused.json");

#[derive(Deserialize)]
struct Accepted {
    cases: Vec<AcceptedCase>,
    numbers: Vec<NumberCase>,
}

#[derive(Deserialize)]
struct AcceptedCase {
    name: String,
    input: String,
    output: String,
}

#[derive(Deserialize)]
struct NumberCase {
    ieee754: String,
    output: String,
}

#[derive(Deserialize)]
struct Refused {
    cases: Vec<RefusedCase>,
}

#[derive(Deserialize)]
struct RefusedCase {
    name: String,
    input: Option<String>,
    input_hex: Option<String>,
    code: String,
    offset: usize,
    #[serde(default)]
    limits: RefusedLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedLimits {
    input_bytes_max: Option<usize>,
    depth_max: Option<usize>,
    nodes_max: Option<usize>,
}

impl RefusedCase {
    fn bytes(&self) -> Vec<u8> {
        let Some(hex) = &self.input_hex else {
            return self.input.clone().unwrap().into_bytes();
        };
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn limits(&self) -> JsonLimits {
        let payload = JsonLimits::PAYLOAD;
        JsonLimits {
            input_bytes_max: self.limits.input_bytes_max.unwrap_or(payload.input_bytes_max),
            depth_max: self.limits.depth_max.unwrap_or(payload.depth_max),
            nodes_max: self.limits.nodes_max.unwrap_or(payload.nodes_max),
        }
    }
}

fn canonical(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    canonicalize(input, &JsonLimits::PAYLOAD, &mut out).unwrap();
    out
}

#[test]
fn every_accepted_vector_has_its_output() {
    let vectors: Accepted = serde_json::from_str(CANONICAL).unwrap();
    assert!(vectors.cases.len() >= 100);
    for case in vectors.cases {
        let out = canonical(case.input.as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), case.output, "{}", case.name);
        check_bytes(case.input.as_bytes());
        check_bytes(case.output.as_bytes());
    }
}

#[test]
fn every_double_of_the_rfc_prints_as_the_rfc_prints_it() {
    let vectors: Accepted = serde_json::from_str(CANONICAL).unwrap();
    assert!(vectors.numbers.len() >= 24);
    for case in vectors.numbers {
        let double = f64::from_bits(u64::from_str_radix(&case.ieee754, 16).unwrap());
        for input in [format!("{double:e}"), format!("{double:.20e}"), format!("{double:.400}")] {
            assert_eq!(canonical(input.as_bytes()), case.output.as_bytes(), "{}", case.ieee754);
        }
    }
}

#[test]
fn every_refused_vector_is_refused_with_its_code_at_its_offset() {
    let vectors: Refused = serde_json::from_str(REFUSED).unwrap();
    assert!(vectors.cases.len() >= 150);
    for case in vectors.cases {
        let (input, limits) = (case.bytes(), case.limits());
        let mut out = b"kept".to_vec();
        let error = canonicalize(&input, &limits, &mut out).expect_err(&case.name);
        assert_eq!((error.kind.code(), error.offset), (&*case.code, case.offset), "{}", case.name);
        assert_eq!(out, b"kept", "{}", case.name);
        check_canonical(&input, &limits).expect_err(&case.name);
        check_bytes(&input);
    }
}

#[test]
fn every_kind_that_an_input_alone_can_cause_has_a_vector() {
    let vectors: Refused = serde_json::from_str(REFUSED).unwrap();
    for kind in JsonErrorKind::ALL {
        let elsewhere = [JsonErrorKind::NotAnObject, JsonErrorKind::NotCanonical].contains(&kind);
        let covered = vectors.cases.iter().any(|case| case.code == kind.code());
        assert_eq!(covered, !elsewhere, "{}", kind.code());
    }
}

#[test]
fn another_spelling_is_refused_where_it_stands() {
    for (input, kind, offset) in [
        (" {}", JsonErrorKind::NotCanonical, 0),
        ("{} ", JsonErrorKind::NotCanonical, 2),
        ("{}\nx", JsonErrorKind::TrailingBytes, 2),
        ("[1, 2]", JsonErrorKind::NotCanonical, 3),
        (r#"{"a" :1}"#, JsonErrorKind::NotCanonical, 4),
        (r#"{"b":1,"a":2}"#, JsonErrorKind::NotCanonical, 7),
        (r#"{"a":1,"a":2}"#, JsonErrorKind::DuplicateMember, 7),
        (r#"["\u0061"]"#, JsonErrorKind::NotCanonical, 2),
        (r#"["\/"]"#, JsonErrorKind::NotCanonical, 2),
        (r#"["\u000A"]"#, JsonErrorKind::NotCanonical, 2),
        (r#"["\u001F"]"#, JsonErrorKind::NotCanonical, 2),
        ("[1.0]", JsonErrorKind::NotCanonical, 1),
        ("[-0]", JsonErrorKind::NotCanonical, 1),
        ("[1e2]", JsonErrorKind::NotCanonical, 1),
        ("[0.0000001]", JsonErrorKind::NotCanonical, 1),
        ("{\"\u{ffff}\":1,\"\u{10000}\":2}", JsonErrorKind::NotCanonical, 9),
    ] {
        let error = check_canonical(input.as_bytes(), &JsonLimits::PAYLOAD).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{input}");
    }
}

#[test]
fn limits_admit_what_lies_on_them() {
    let exact = JsonLimits { input_bytes_max: 9, depth_max: 2, nodes_max: 4 };
    let input = br#"[{},1,"a"]"#;
    let nine = br#"[{},1,""]"#;
    for (bytes, admitted) in [(&input[..], false), (&nine[..], true)] {
        assert_eq!(canonicalize(bytes, &exact, &mut Vec::new()).is_ok(), admitted);
        assert_eq!(check_canonical(bytes, &exact).is_ok(), admitted);
    }
    for tight in [JsonLimits { depth_max: 1, ..exact }, JsonLimits { nodes_max: 3, ..exact }] {
        assert!(canonicalize(nine, &tight, &mut Vec::new()).is_err());
        assert!(check_canonical(nine, &tight).is_err());
    }
}

#[test]
fn no_limit_lifts_the_depth_ceiling() {
    let limits = JsonLimits { depth_max: usize::MAX, ..JsonLimits::PAYLOAD };
    for (depth, admitted) in [(128, true), (129, false), (100_000, false)] {
        let input = ["[".repeat(depth), "]".repeat(depth)].concat();
        assert_eq!(check_canonical(input.as_bytes(), &limits).is_ok(), admitted);
        let result = canonicalize(input.as_bytes(), &limits, &mut Vec::new());
        assert_eq!(result.is_ok(), admitted);
    }
}

#[test]
fn a_line_of_known_members_is_read_in_place() {
    let line = br#"{"flag":true,"name":"a\nb","none":null,"payload":{"x":[1,{}]},"size":-7,"total":9007199254740992}"#;
    let mut reader = CanonicalReader::new(line, &JsonLimits::PAYLOAD).unwrap();
    reader.expect(br#"{"flag":"#).unwrap();
    assert!(reader.bool().unwrap());
    reader.expect(br#","name":"#).unwrap();
    let name = reader.string().unwrap();
    assert_eq!((name.as_raw(), name.plain(), &*name.unescaped()), (r"a\nb", None, "a\nb"));
    reader.expect(br#","none":"#).unwrap();
    assert_eq!(reader.null_or(CanonicalReader::u64).unwrap(), None);
    reader.expect(br#","payload":"#).unwrap();
    assert_eq!(reader.object_within(&JsonLimits::PAYLOAD).unwrap(), br#"{"x":[1,{}]}"#);
    reader.expect(br#","size":"#).unwrap();
    assert_eq!(reader.i64().unwrap(), -7);
    assert!(reader.take(br#","total":"#) && !reader.take(b"x"));
    assert_eq!(reader.null_or(CanonicalReader::u64).unwrap(), Some(1 << 53));
    assert_eq!(reader.peek(), Some(b'}'));
    reader.expect(b"}").unwrap();
    assert_eq!((reader.peek(), reader.position()), (None, line.len()));
    reader.finish().unwrap();
}

#[test]
fn a_value_has_limits_of_its_own_inside_a_longer_line() {
    let line = br#"{"payload":{"x":[1,2]},"rest":[[[]]]}"#;
    let inner = JsonLimits { input_bytes_max: 11, depth_max: 2, nodes_max: 4 };
    let read = |limits: &JsonLimits| {
        let mut reader = CanonicalReader::new(line, &JsonLimits::PAYLOAD).unwrap();
        reader.expect(br#"{"payload":"#).unwrap();
        reader.object_within(limits).map_err(|error| (error.kind, error.offset))
    };
    assert_eq!(read(&inner), Ok(&br#"{"x":[1,2]}"#[..]));
    let tight = JsonLimits { input_bytes_max: 10, ..inner };
    assert_eq!(read(&tight), Err((JsonErrorKind::TooLarge, 21)));
    assert_eq!(read(&JsonLimits { depth_max: 1, ..inner }), Err((JsonErrorKind::TooDeep, 16)));
    assert_eq!(read(&JsonLimits { nodes_max: 3, ..inner }), Err((JsonErrorKind::TooManyNodes, 19)));
}

#[test]
fn typed_integers_are_exact_or_refused() {
    use JsonErrorKind::{
        IntegerNotRepresentable, InvalidNumber, NotCanonical, UnexpectedByte, UnexpectedEnd,
    };
    for (input, unsigned, signed) in [
        ("0", Ok(0), Ok(0)),
        ("-0", Err(UnexpectedByte), Err(NotCanonical)),
        ("-5", Err(UnexpectedByte), Ok(-5)),
        ("01", Err(InvalidNumber), Err(InvalidNumber)),
        ("-", Err(UnexpectedByte), Err(InvalidNumber)),
        ("1.5", Err(UnexpectedByte), Err(UnexpectedByte)),
        ("1e3", Err(UnexpectedByte), Err(UnexpectedByte)),
        ("\"1\"", Err(UnexpectedByte), Err(UnexpectedByte)),
        (" 1", Err(NotCanonical), Err(NotCanonical)),
        ("", Err(UnexpectedEnd), Err(UnexpectedEnd)),
        ("9007199254740994", Err(IntegerNotRepresentable), Err(IntegerNotRepresentable)),
        ("99999999999999999999", Err(IntegerNotRepresentable), Err(IntegerNotRepresentable)),
        ("-9007199254740992", Err(UnexpectedByte), Ok(-(1 << 53))),
    ] {
        let reader = || CanonicalReader::new(input.as_bytes(), &JsonLimits::PAYLOAD).unwrap();
        assert_eq!(reader().u64().map_err(|error| error.kind), unsigned, "{input}");
        assert_eq!(reader().i64().map_err(|error| error.kind), signed, "{input}");
    }
}

#[test]
fn a_wrong_member_is_refused_at_its_first_wrong_byte() {
    let mut reader = CanonicalReader::new(br#"{"actor":1}"#, &JsonLimits::PAYLOAD).unwrap();
    let error = reader.expect(br#"{"actor_id":"#).unwrap_err();
    assert_eq!((error.kind, error.offset), (JsonErrorKind::UnexpectedByte, 7));
    let mut reader = CanonicalReader::new(br#"{"act"#, &JsonLimits::PAYLOAD).unwrap();
    let error = reader.expect(br#"{"actor_id":"#).unwrap_err();
    assert_eq!((error.kind, error.offset), (JsonErrorKind::UnexpectedEnd, 5));
}

#[test]
fn errors_name_the_place_and_never_the_content() {
    let error = canonicalize(br#"{"secret":1,"secret":2}"#, &JsonLimits::PAYLOAD, &mut Vec::new());
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "duplicate member name at byte 12");
    assert!(!format!("{error:?}").contains("secret"));
}
