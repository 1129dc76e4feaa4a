//! Policies are read strictly, and only add to the base.

use recorder_envelope::redaction::{Kind, NameVerdict, RedactionPolicy, RedactionPolicyError};

fn parse(members: &str) -> Result<RedactionPolicy, RedactionPolicyError> {
    let text = format!(r#"{{"version":"x_v1","base":"recorder_redaction_base_v1"{members}}}"#);
    RedactionPolicy::parse(text.as_bytes())
}

#[test]
fn a_policy_adds_to_the_base() {
    let policy =
        parse(r#","names":{"exact":["gen_ai.input.messages"],"prefixes":["llm.input_messages."]}"#)
            .unwrap();
    assert_eq!(policy.version(), "x_v1");
    let redactor = recorder_envelope::redaction::Redactor::new(
        policy,
        recorder_envelope::redaction::Bounds::DEFAULT,
        None,
    );
    let pass = redactor.begin();
    let verdict = |name| pass.name(name, Kind::String);
    assert_eq!(
        verdict("gen_ai.input.messages"),
        NameVerdict::Sensitive("name:gen_ai.input.messages")
    );
    assert_eq!(
        verdict("LLM.input_messages.0"),
        NameVerdict::Sensitive("name:llm.input_messages.*")
    );
    assert_eq!(verdict("llm.input_messages"), NameVerdict::Plain);
    assert_eq!(verdict("my.token"), NameVerdict::Sensitive("name:*token*"));
}

#[test]
fn a_policy_that_says_less_than_it_seems_to_is_refused() {
    for members in [
        r#","names":{"exact":[""]}"#,
        r#","names":{"prefixes":["x"]}"#,
        r#","names":{"patterns":["ab"]}"#,
        r#","paths":["a/b"]"#,
        r#","paths":["/**"]"#,
        r#","names":{"exakt":["abc"]}"#,
        r#","structures":["regex"]"#,
        r#","tokens":[{"name":"x","prefixes":["a"],"alphabet":"base64url","chars_min":1}]"#,
        r#","version":"y""#,
    ] {
        assert!(parse(members).is_err(), "{members}");
    }
    let other =
        RedactionPolicy::parse(br#"{"version":"x_v1","base":"recorder_redaction_base_v0"}"#);
    assert!(matches!(other, Err(RedactionPolicyError::Base { .. })));
    let none = RedactionPolicy::parse(br#"{"version":"x_v1"}"#);
    assert!(matches!(none, Err(RedactionPolicyError::Base { .. })));
}
