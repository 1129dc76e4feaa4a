//! Secrets planted anywhere in a record: none comes out, in no spelling.

use proptest::prelude::*;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::redaction::{RedactionPolicy, Redactor};
use serde_json::{Map, Value, json};

use super::examples::keyed;

/// What every planted secret holds and nothing else does.
const CORE: &str = "hunter2Zx9";

/// Names under which whatever stands is secret.
const NAMES: &[&str] = &[
    "token",
    "refreshToken",
    "client_secret",
    "PASSWORD",
    "x-api-key",
    "Authorization",
    "set-cookie",
    "awsCredentials",
    "private.key",
    "sessionKey",
    "accessKeyId",
    "Connection String",
    "userPassphrase",
];

/// Texts around the secret that give it away without a name. Each puts the core where the `#` stands.
const SHAPES: &[&str] = &[
    "Authorization: Bearer #0000000000",
    "Bearer #0000000000",
    "eyJ#0000000.eyJ#0000000.#",
    "password=#",
    "--token #",
    "-----BEGIN EC PRIVATE KEY-----\n#",
    "https://user:#@example.org/",
    "ghp_#0000000000000000",
    "sk-#00000000000000000",
    "glpat-#0000000000",
    "https://a.example/?sig=#",
    "export API_KEY=#",
    "{\"secret\": [\"#\"",
    "say \\\"token\\\":\\\"#\\\"",
    "curl -H 'Cookie: a=#'",
    "client%5Fsecret=#",
    "xoxb-#",
    "sk_live_#",
];

fn shaped() -> impl Strategy<Value = String> {
    prop::sample::select(SHAPES).prop_map(|shape| shape.replace('#', CORE))
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z é\\\\\"]{0,40}".prop_map(Value::from),
    ]
}

fn within(leaf: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-f]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any JSON, with no secret meant.
pub(crate) fn tree() -> impl Strategy<Value = Value> {
    within(plain().boxed())
}

/// A value that gives a secret away.
fn secret() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(NAMES);
    let hidden = within(prop_oneof![Just(json!(CORE)), plain()].boxed());
    prop_oneof![
        shaped().prop_map(Value::from),
        // Under a name, however deep.
        (name.clone(), hidden).prop_map(|(name, hidden)| json!({ name: [hidden, CORE] })),
        (name.clone(), Just(CORE)).prop_map(|(name, core)| json!({ name: core })),
        // As a name, as a pair, as two items.
        shaped().prop_map(|text| Value::Object(Map::from_iter([(text, json!(1))]))),
        name.clone().prop_map(|name| json!({ "value": CORE, "name": name })),
        name.clone().prop_map(|name| json!({ "key": name, "value": { "stringValue": CORE } })),
        Just(json!(["Set-Cookie", CORE])),
        Just(json!(["run", "--api-key", CORE, "x"])),
    ]
}

/// A secret anywhere in a record, also in JSON in a string, in base64 and in percent-encoding.
fn planted() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => secret(),
        2 => secret().prop_map(|value| Value::from(value.to_string())),
        1 => secret().prop_map(|value| Value::from(Value::from(value.to_string()).to_string())),
        1 => shaped().prop_map(|text| Value::from(base64(text.as_bytes()))),
        4 => plain(),
    ];
    within(leaf.boxed()).prop_map(|value| json!({ "record": value }))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// No spelling of the core that a reader of the output could undo without the key.
fn assert_clean(out: &str) {
    assert!(!out.contains(CORE), "{out}");
    for shift in 0..3 {
        let text = format!("{}{CORE}", "\0".repeat(shift));
        let encoded = base64(text.as_bytes());
        // The characters that depend on nothing but the core.
        let inner = &encoded[(shift * 8).div_ceil(6)..encoded.trim_end_matches('=').len() - 2];
        assert!(!out.contains(inner), "{out}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_planted_secret_survives(record in planted()) {
        for redactor in [keyed(), super::examples::redactor()] {
            let mut out = Vec::new();
            let mut pass = redactor.begin();
            match pass.json(record.to_string().as_bytes(), &mut out) {
                Ok(()) => {
                    assert_clean(&String::from_utf8(out.clone()).unwrap());
                    let payload = CanonicalPayload::parse(&out).unwrap();
                    prop_assert!(pass.tally().redacted > 0 || !record.to_string().contains(CORE));
                    assert_clean(payload.as_str());
                }
                Err(error) => assert_clean(&format!("{error} {error:?}")),
            }
        }
    }

    #[test]
    fn a_label_shows_no_secret(text in shaped()) {
        for redactor in [keyed(), super::examples::redactor()] {
            assert_clean(&redactor.begin().label(&text));
        }
    }

    #[test]
    fn what_the_adapter_removes_is_gone(record in tree(), reason in "[a-z]{1,8}") {
        let record = json!({ "a": record, "b": CORE }).to_string();
        let redactor = keyed();
        let mut out = Vec::new();
        redactor.begin().remove_json(&reason, record.as_bytes(), &mut out).unwrap();
        assert_clean(&String::from_utf8(out).unwrap());
    }
}

#[test]
fn a_path_takes_what_no_name_and_no_shape_gives_away() {
    let policy = r#"{"version":"x_v1","base":"recorder_redaction_base_v1","paths":["/**/result/value","/a/*/b","/list/*"]}"#;
    let policy = RedactionPolicy::parse(policy.as_bytes()).unwrap();
    let redactor = Redactor::new(policy, recorder_envelope::redaction::Bounds::DEFAULT, None);
    let record = json!({
        "a": [{ "b": true }, { "c": 1 }],
        "log": [{ "result": { "value": CORE, "lane": "x" } }],
        "text": json!({ "result": { "value": CORE } }).to_string(),
        "result": { "value": null },
        "list": [CORE, [CORE], null],
    });
    let mut out = Vec::new();
    let mut pass = redactor.begin();
    pass.json(record.to_string().as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_clean(&out);
    assert_eq!(pass.tally().redacted, 5, "{out}");
    assert!(out.contains(r#""value":null"#) && out.contains(r#""lane":"x""#), "{out}");
    let mut out = Vec::new();
    redactor.begin().json_at(&["a", "0"], br#"{"b":1}"#, &mut out).unwrap();
    assert!(out.starts_with(br#"{"b":{"$redacted""#));
}
