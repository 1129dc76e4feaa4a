//! Content stays out of evidence, and so does whatever looks like a secret, wherever a gateway puts it.

use recorder_envelope::adapter::Policy;
use serde_json::{Value, json};

use super::sample::{Setup, agent, ledger_line, lenient, line_of, only, payload, run_of, strict};

const CORE: &str = "hunter2Zx9";

fn all(lines: &[String]) -> String {
    let outcome = lenient(lines);
    let texts = outcome
        .events
        .iter()
        .map(|event| format!("{:?} {}", event.envelope.fields, payload(event)));
    format!("{} {:?}", texts.collect::<String>(), outcome.problems)
}

fn planted() -> Vec<Value> {
    let lifecycle = json!({ "phase": "model" });
    let with = |name: &str, value: Value| {
        let mut payload = agent("run-1", 1, "lifecycle", lifecycle.clone());
        payload[name] = value;
        payload
    };
    let data = |name: &str, value: Value| {
        let mut data = json!({ "phase": "start", "toolCallId": "call_9", "name": "exec" });
        data[name] = value;
        agent("run-1", 1, "tool", data)
    };
    vec![
        with("sessionKey", json!(CORE)),
        with("session", json!({ "lastMessagePreview": CORE })),
        with("unheardOf", json!(CORE)),
        with("runId", json!(format!("Bearer {CORE}0000000"))),
        with("agentId", json!(format!("ghp_{CORE}000000000"))),
        data("args", json!({ "command": CORE })),
        data("result", json!([CORE])),
        data("meta", json!(CORE)),
        data("title", json!(CORE)),
        data("password", json!(CORE)),
        data("name", json!(format!("https://a:{CORE}@example.org"))),
        data("note", json!(format!("{{\"apiKey\":\"{CORE}\"}}"))),
        data(&format!("token={CORE}"), json!(1)),
    ]
}

#[test]
fn no_planted_secret_reaches_an_envelope_or_an_anomaly() {
    for payload in planted() {
        let mut lines = run_of("c1", "run-0");
        lines.push(line_of("c1", 11, "agent", payload.clone()));
        // And as a frame that is missed, repeated and contradicted.
        lines.push(line_of("c1", 13, "agent", payload.clone()));
        lines.push(line_of("c1", 13, "agent", payload.clone()));
        lines.push(line_of("c1", 13, "tick", payload.clone()));
        let text = all(&lines);
        assert!(!text.contains(CORE), "{payload} in {text}");
    }
    let approval = json!({
        "id": "approval-2", "createdAtMs": 1,
        "request": { "command": format!("curl -H 'Authorization: Bearer {CORE}000'"), "env": { "X": CORE }, "systemRunPlan": CORE, "sessionKey": CORE },
    });
    let message = json!({ "message": { "role": "user", "content": CORE, "timestamp": 1 }, "senderE164": CORE });
    let chat = json!({ "runId": "r", "state": "final", "message": { "content": [{ "text": CORE }] }, "errorMessage": CORE });
    for (event, payload) in
        [("exec.approval.requested", approval), ("session.message", message), ("chat", chat)]
    {
        let text = all(&[line_of("c1", 1, event, payload.clone()), format!("{payload}")]);
        assert!(!text.contains(CORE), "{text}");
    }
}

#[test]
fn no_name_that_holds_a_secret_is_recorded() {
    let secret = format!("token={CORE}");
    let tick = line_of("c1", 1, "tick", json!({}));
    for line in [
        line_of(&secret, 1, "tick", json!({})),
        tick.replace("boot-1", &secret),
        tick.replace("gateway-1", &secret),
        line_of("c1", 1, &secret, json!({})),
        line_of("c1", 1, "chat", json!({ "state": secret })),
        line_of("c1", 1, "agent", agent("r", 1, &secret, json!({ "phase": secret }))),
        ledger_line(
            json!({ "eventId": secret, "action": format!("ghp_{CORE}00000000").to_lowercase(), "occurredAt": 1 }),
        ),
        ledger_line(json!({ "eventId": secret, "action": "a", "occurredAt": 1, "runId": secret })),
    ] {
        let text = all(std::slice::from_ref(&line)).to_lowercase();
        assert!(!text.contains(&CORE.to_lowercase()), "{line} in {text}");
    }
}

#[test]
fn what_was_removed_can_be_shown_with_the_key_and_without_it_leaves_nothing() {
    let outcome = strict(&run_of("c1", "run-1")).unwrap();
    let tool = only(&outcome, "openclaw.tool.started");
    let args = &tool["content"]["data"]["args"]["$redacted"];
    assert_eq!(args["reason"], "path:/agent/data/args");
    assert!(args["hmac"].is_string() && tool["session_key_hmac"].is_string());
    assert_eq!(tool["dropped_members"], 2);
    // What was approved stays, or the approval would say nothing.
    let approval = only(&outcome, "openclaw.approval.requested");
    assert_eq!(approval["content"]["request"]["command"], "tar czf out.tgz data");
    let keyless =
        Setup { redactor: recorder_openclaw_adapter::redactor(None).unwrap(), ..Setup::new() };
    let settings = keyless.settings(Policy::StrictFail);
    let input = super::sample::text(&run_of("c1", "run-1"));
    let outcome = recorder_openclaw_adapter::map(input.as_bytes(), &settings).unwrap();
    let tool = only(&outcome, "openclaw.tool.started");
    assert!(tool["content"]["data"]["args"]["$redacted"]["hmac"].is_null());
    assert!(tool["session_key_hmac"].is_null());
}
