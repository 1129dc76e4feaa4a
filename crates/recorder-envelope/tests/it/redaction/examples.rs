//! One secret of each kind in each place where secrets were seen, and texts that only look like one.

use recorder_envelope::adapter::RedactionKey;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::redaction::{Bounds, RedactionPolicy, Redactor, Tally};

pub(crate) fn redactor() -> Redactor {
    Redactor::new(RedactionPolicy::base().unwrap(), Bounds::DEFAULT, None)
}

pub(crate) fn keyed() -> Redactor {
    let key = RedactionKey::from_hex(&[b'1'; 64]).unwrap();
    Redactor::new(RedactionPolicy::base().unwrap(), Bounds::DEFAULT, Some(key))
}

/// The canonical text of what stays of `json`, and what was done.
fn cleaned(json: &str) -> (String, Tally) {
    let redactor = redactor();
    let mut pass = redactor.begin();
    let mut out = Vec::new();
    pass.json(json.as_bytes(), &mut out).unwrap();
    (CanonicalPayload::parse(&out).unwrap().as_str().to_owned(), pass.tally())
}

/// Texts that hold a secret, by the reason that is expected.
pub(crate) const SECRETS: &[(&str, &str)] = &[
    ("value:bearer", "authenticate with Bearer abcdef0123456789 please"),
    ("value:basic", "curl -H 'X: Basic dXNlcjpwYXNzd29yZA=='"),
    ("value:jwt", "x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"),
    ("value:pem_private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
    ("value:pem_private_key", "-----BEGIN PRIVATE KEY-----"),
    ("value:url_userinfo", "postgres://admin:hunter2@db.example/prod"),
    ("value:url_userinfo", "git clone https://0123456789abcdef0123@example.org/x"),
    ("value:aws", "key AKIAIOSFODNN7EXAMPLE in use"),
    ("value:github", "ghp_0123456789abcdefABCDEF0123456789abcd"),
    ("value:github", "(github_pat_11ABCDEFG0123456789_abcdef)"),
    ("value:gitlab", "glpat-0123456789abcdefghij"),
    ("value:google", "AIzaSyA-0123456789abcdefghijklmnopqrstu"),
    ("value:npm", "npm_0123456789abcdefghijklmnopqrstuvwxyz"),
    ("value:sk", "sk-ant-api03-0123456789abcdef"),
    ("value:sk", "OPENAI is sk-proj-abcdefghijklmnopqrstuvwx."),
    ("value:slack", "xoxb-1234567890-abcdefghij"),
    ("value:stripe", "sk_live_0123456789abcdef"),
    ("query:sig", "https://x.example/a?sv=2024&sig=abcdefgh%3D"),
    ("name:*token*", "run --token hunter2 now"),
    ("name:*token*", "--token=hunter2"),
    ("name:*token*", "[\"--access-token\", \"hunter2\""),
    ("name:*passw*", "PGPASSWORD=hunter2 psql"),
    ("name:*passw*", "db: { \"password\" : \"hunter2\" , "),
    ("name:*passw*", "{\\\"password\\\":\\\"hunter2\\\"}"),
    ("name:*api_key*", "apiKey: hunter2"),
    ("name:*api_key*", "X-API-Key: hunter2"),
    ("name:*authorization*", "Authorization: hunter2"),
    ("name:*cookie*", "Set-Cookie: id=hunter2"),
    ("name:*secret*", "client%5Fsecret%3Dhunter2"),
    ("name:*passw*", "cGFzc3dvcmQ9aHVudGVyMiBhbmQgbW9yZQ=="),
    ("name:*secret*", "secrets: [\"a\"]"),
];

/// Texts that hold none.
const HARMLESS: &[&str] = &[
    "",
    "GET",
    "the token was refused",
    "risk-assessment-of-the-quarter-2026",
    "used 12 tokens",
    "max_tokens: 4096",
    "usage.output_tokens=12",
    "password: null",
    "api_key=***",
    "token::Token and secret::Secret",
    "basic understanding of bearer documents",
    "ssh://git@example.org/repository.git",
    "https://example.org/a?b=c&d=e#f",
    "-----BEGIN CERTIFICATE-----",
    "019a4f00-0000-7000-8000-000000000001",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "eyJ is how they begin. Some of them. Not this",
];

#[test]
fn each_kind_of_secret_is_found_by_its_shape() {
    let redactor = redactor();
    let pass = redactor.begin();
    for (reason, text) in SECRETS {
        assert_eq!(pass.secret_in(text), Some(*reason), "{text}");
    }
}

#[test]
fn texts_that_only_look_like_secrets_stay() {
    let redactor = redactor();
    let pass = redactor.begin();
    for text in HARMLESS {
        assert_eq!(pass.secret_in(text), None, "{text}");
    }
}

#[test]
fn a_value_goes_with_the_name_that_it_stands_under() {
    for name in
        ["token", "accessToken", "X-Api-Key", "api_key", "API.KEY", "dbPassword", "sessionKey"]
    {
        let (text, tally) = cleaned(&format!(r#"{{"{name}":"x","ok":1}}"#));
        assert!(text.contains(r#"{"$redacted":{"bytes":1,"reason":"name:*"#), "{text}");
        assert_eq!(tally, Tally { redacted: 1, truncated: 0 });
        let (text, _) = cleaned(&format!(r#"{{"{name}":{{"a":["hunter2"]}}}}"#));
        assert!(!text.contains("hunter2"), "{text}");
    }
    for kept in [
        r#"{"input_tokens":7,"totalTokens":8,"tokenCount":9}"#,
        r#"{"hasPassword":true,"secret":null,"token":""}"#,
        r#"{"cookies":[],"credentials":{}}"#,
    ] {
        let (text, tally) = cleaned(kept);
        assert_eq!((text.len(), tally), (kept.len(), Tally::default()), "{text}");
    }
}

#[test]
fn names_in_values_count_as_names() {
    for json in [
        r#"{"name":"Authorization","value":"hunter2"}"#,
        r#"{"value":{"stringValue":"hunter2"},"key":"db.password"}"#,
        r#"{"rawHeaders":["Cookie","hunter2"]}"#,
        r#"{"argv":["run","--api-key","hunter2"]}"#,
    ] {
        let (text, tally) = cleaned(json);
        assert!(!text.contains("hunter2") && tally.redacted == 1, "{text}");
    }
    let (text, _) = cleaned(r#"{"name":"input_tokens","value":7}"#);
    assert_eq!(text, r#"{"name":"input_tokens","value":7}"#);
}

#[test]
fn json_in_strings_keeps_what_is_not_secret() {
    let (text, tally) = cleaned(r#"{"args":"{\"cmd\":\"ls\",\"password\":\"hunter2\"}"}"#);
    let kept = r#"{\"cmd\":\"ls\",\"password\":{\"$redacted\":{\"bytes\":7,\"reason\":\"name:*passw*\"}}}"#;
    assert_eq!(text, format!(r#"{{"args":"{kept}"}}"#));
    assert_eq!(tally.redacted, 1);
    let twice = r#"{"a":"\"{\\\"token\\\":\\\"hunter2\\\",\\\"b\\\":1}\""}"#;
    assert!(!cleaned(twice).0.contains("hunter2"));
}

#[test]
fn no_input_can_pose_as_a_marker() {
    let (text, tally) =
        cleaned(r#"{"$redacted":{"bytes":1},"$$truncated":2,"$redacted.1":3,"$other":4}"#);
    assert_eq!(text, r#"{"$$$truncated":2,"$$redacted":{"bytes":1},"$$redacted.1":3,"$other":4}"#);
    assert_eq!(tally, Tally::default());
}

#[test]
fn a_secret_that_is_a_name_takes_its_member_along() {
    let (text, tally) = cleaned(r#"{"a":1,"ghp_0123456789abcdefABCDEF0123456789abcd":"x"}"#);
    assert_eq!(text, r#"{"$redacted.2":{"$redacted":{"bytes":48,"reason":"value:github"}},"a":1}"#);
    assert_eq!(tally.redacted, 1);
}

#[test]
fn a_long_string_is_cut_at_a_character_and_searched_before() {
    let redactor = keyed();
    let mut pass = redactor.begin();
    let long = format!("{}é{}", "x".repeat(8191), "y".repeat(100));
    let mut out = Vec::new();
    pass.text(&long, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with(r#"{"$truncated":{"bytes":8293,"hmac":""#), "{}", &text[..80]);
    assert!(text.ends_with(r#"xxx"}}"#));
    let mut out = Vec::new();
    pass.text(&format!("{} token=hunter2", "x".repeat(8188)), &mut out);
    assert!(out.starts_with(b"{\"$redacted\""));
}
