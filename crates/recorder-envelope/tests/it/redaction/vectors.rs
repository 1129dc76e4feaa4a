//! The vectors under `docs/spec/vectors/adapters` that say what redaction writes.

use recorder_envelope::json::CanonicalPayload;
use serde_json::{Value, json};

use super::examples::{SECRETS, keyed};
use crate::vector_file;

const ABOUT: &str = "Records as they come and the canonical JSON of what stays, under the base policy, the default bounds and the redaction key 11 (32 times).";

fn records() -> Vec<Value> {
    let mut records = vec![
        json!({ "password": "hunter2", "user": "ada" }),
        json!({ "token": 12345, "usage": { "output_tokens": 17 }, "secret": { "b": 1, "a": [true, null] } }),
        json!({ "args": "{\"cmd\":\"ls\",\"api_key\":\"hunter2\"}" }),
        json!({ "name": "Authorization", "value": "hunter2" }),
        json!({ "argv": ["run", "--access-token", "hunter2", "--verbose"] }),
        json!({ "ghp_0123456789abcdefABCDEF0123456789abcd": 1, "b": 2 }),
        json!({ "$redacted": { "reason": "posing" }, "$$truncated": 1, "$price": 2 }),
        json!({ "long": format!("{}é tail", "x".repeat(8191)) }),
    ];
    records.extend(SECRETS.iter().map(|(_, text)| json!({ "text": text })));
    records
}

#[test]
fn what_stays_is_what_the_vectors_say() {
    let redactor = keyed();
    let cases: Vec<Value> = records()
        .into_iter()
        .map(|record| {
            let mut out = Vec::new();
            redactor.begin().json(record.to_string().as_bytes(), &mut out).unwrap();
            let stays = CanonicalPayload::parse(&out).unwrap();
            json!({ "record": record, "stays": stays.as_str() })
        })
        .collect();
    vector_file::check("vectors/adapters/redaction.json", ABOUT, &cases);
}
