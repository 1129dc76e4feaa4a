//! Bodies made to exhaust whoever reads them: named refusals, and bounded memory, measured in a process of its own.
#![expect(clippy::disallowed_methods, reason = "reads what the kernel says of its own process")]

use std::io::Write as _;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use recorder_envelope::adapter::Policy;
use recorder_otel_adapter::{Adapter, Bounds, Coding, Door, Encoding, Refusal};

use crate::support::{adapter, attribute, check, codes, lenient, settings, span, traces};

#[test]
fn depth_costs_a_record_and_no_stack() {
    let deep =
        |open: &str, close: &str, depth: usize| open.repeat(depth) + close.repeat(depth).as_str();
    let unknown = format!(r#"{{"future":{}}}"#, deep("[", "]", 100_000));
    let skipped = lenient(&traces(&[attribute(&unknown)]));
    assert_eq!((skipped.accepted, skipped.rejected), (1, 0));
    let nested = r#"{"arrayValue":{"values":["#.repeat(100_000) + "{}" + &"]}}".repeat(100_000);
    let outcome = lenient(&traces(&[attribute(&nested), span("")]));
    assert_eq!((outcome.accepted, codes(&outcome)), (1, vec!["otel_too_deep"]));
    let body = deep("[", "]", 1_000_000);
    let refused = adapter(Policy::RecordAnomaly).map(body.as_bytes(), Encoding::Json, Door::Ingest);
    assert!(matches!(refused, Err(Refusal::Shape { .. })), "{refused:?}");
}

#[test]
fn a_string_of_fifty_megabytes_is_refused_by_the_size_of_its_body_or_of_its_record() {
    let body = traces(&[attribute(&format!(r#"{{"stringValue":"{}"}}"#, "x".repeat(50 << 20)))]);
    let refused = adapter(Policy::RecordAnomaly).map(body.as_bytes(), Encoding::Json, Door::Ingest);
    assert_eq!(refused.unwrap_err(), Refusal::BodyTooLarge { bytes_max: 32 << 20 });
    let mut settings = settings(Policy::RecordAnomaly);
    settings.bounds.body_bytes_max = 64 << 20;
    let adapter = Adapter::new(settings).unwrap();
    let outcome = adapter.map(body.as_bytes(), Encoding::Json, Door::Ingest).unwrap();
    check(&outcome);
    assert_eq!((outcome.accepted, codes(&outcome)), (0, vec!["otel_record_too_large"]));
}

#[test]
fn more_records_or_larger_payloads_than_one_body_may_give_are_refused() {
    let many = |count: usize| traces(&vec!["{}".to_owned(); count]);
    let bound = Bounds::default().records_max;
    let refused = |body: &str| {
        adapter(Policy::RecordAnomaly).map(body.as_bytes(), Encoding::Json, Door::Ingest)
    };
    assert_eq!(refused(&many(65_537)), Err(Refusal::TooManyRecords { records_max: bound }));
    // A large resource beside many small spans: each payload holds a copy of it.
    let large = format!(
        r#"[{{"resource":{{"attributes":[{{"key":"a","value":{{"arrayValue":{{"values":[{}]}}}}}}]}},"scopeSpans""#,
        vec![r#"{"stringValue":"0123456789012345678901234567890123456789"}"#; 1024].join(",")
    );
    let body = traces(&vec![span(""); 3000]).replace(r#"[{"scopeSpans""#, &large);
    assert!(matches!(refused(&body), Err(Refusal::PayloadsTooLarge { .. })));
}

#[test]
fn arrays_events_and_links_are_bounded() {
    let items = |count: usize| {
        format!(r#"{{"arrayValue":{{"values":[{}]}}}}"#, vec!["{}"; count].join(","))
    };
    assert_eq!(lenient(&traces(&[attribute(&items(1024))])).accepted, 1);
    assert_eq!(codes(&lenient(&traces(&[attribute(&items(1025))]))), ["otel_array_too_long"]);
    let events =
        |count: usize| traces(&[span(&format!(r#","events":[{}]"#, vec!["{}"; count].join(",")))]);
    assert_eq!(lenient(&events(256)).accepted, 1);
    assert_eq!(codes(&lenient(&events(257))), ["otel_too_many_events"]);
}

/// What the child process is to do, by the name of the attack.
const ATTACK: &str = "RECORDER_TEST_ATTACK";

/// The attacks, each on a body of 8 MiB or one that would inflate to more.
const ATTACKS: [&str; 10] = [
    "bomb",
    "brackets",
    "records",
    "scopes",
    "string",
    "escapes",
    "keys",
    "resource",
    "protobuf_records",
    "protobuf_scopes",
];

/// The body itself included, which is there twice while it is built.
const PEAK_MIB_MAX: u64 = 80;

#[test]
fn hostile_bodies_of_full_size_cost_bounded_memory() {
    let exe = std::env::current_exe().unwrap();
    for attack in ATTACKS {
        let child = Command::new(&exe)
            .args([
                "--exact",
                "hostile::attack_in_a_process_of_its_own",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ATTACK, attack)
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        assert!(child.status.success(), "{attack}: {output}");
        let peak = output.lines().find_map(|line| line.split_once("peak_kib=")).unwrap().1;
        let peak_mib = peak.trim().parse::<u64>().unwrap() / 1024;
        println!("{attack}: {peak_mib} MiB");
        assert!(peak_mib < PEAK_MIB_MAX, "{attack}: {peak_mib} MiB");
    }
}

#[test]
fn attack_in_a_process_of_its_own() {
    let attack = std::env::var(ATTACK).unwrap_or_else(|_| "brackets".to_owned());
    let full = 8 << 20;
    let json = |unit: &str, open: &str, close: &str| {
        format!("{open}{}{close}", unit.repeat((full - 200) / unit.len()).trim_end_matches(','))
    };
    let refused = match attack.as_str() {
        "bomb" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let zeros = vec![b' '; 1 << 20];
            (0..256).for_each(|_| encoder.write_all(&zeros).unwrap());
            let bomb = encoder.finish().unwrap();
            Coding::Gzip.decode(&bomb, full).map(|_| ()).unwrap_err().code()
        }
        "brackets" => code(Encoding::Json, json("[", r#"{"other":"#, "").as_bytes()),
        "records" => code(
            Encoding::Json,
            json("{},", r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#, "]}]}]}").as_bytes(),
        ),
        "scopes" => code(
            Encoding::Json,
            json("{},", r#"{"resourceSpans":[{"scopeSpans":["#, "]}]}").as_bytes(),
        ),
        "string" => one_value(&json("x", r#"{"stringValue":""#, r#""}"#)),
        "escapes" => one_value(&json(r"\n", r#"{"stringValue":""#, r#""}"#)),
        "keys" => {
            // Each record has a key of its own, as long as one that is kept may be.
            let key = |index| format!(r#"[{{"key":"{index:0>90}","value":{{"intValue":1}}}}]"#);
            let record = |index| span(&format!(r#","attributes":{}"#, key(index)));
            let records = (0..full / 400).map(record).collect::<Vec<_>>();
            code(Encoding::Json, traces(&records).as_bytes())
        }
        "resource" => {
            // Of a large resource and many small records, payloads are made that are larger than the body by far.
            let value = format!(r#"{{"stringValue":"{}"}}"#, "x".repeat(8000));
            let attribute = |index| format!(r#"{{"key":"{index}","value":{value}}}"#);
            let attributes = (0..20).map(attribute).collect::<Vec<_>>().join(",");
            let resource = format!(r#"[{{"resource":{{"attributes":[{attributes}]}},"#);
            let records = vec![span(""); full / 400];
            let body = traces(&records).replacen("[{", &resource, 1);
            let mut settings = settings(Policy::RecordAnomaly);
            settings.bounds.payload_bytes_total_max = 16 << 20;
            code_of(&Adapter::new(settings).unwrap(), Encoding::Json, body.as_bytes())
        }
        "protobuf_records" => code(Encoding::Protobuf, &nested(&[0x12, 0x00], 3)),
        "protobuf_scopes" => code(Encoding::Protobuf, &nested(&[0x12, 0x00], 2)),
        other => panic!("no attack {other}"),
    };
    let expected = match attack.as_str() {
        "bomb" => "otel_body_too_large",
        "brackets" => "otel_json",
        "resource" => "otel_payloads_too_large",
        "scopes" | "string" | "escapes" | "keys" | "protobuf_scopes" => "stored",
        _ => "otel_too_many_records",
    };
    assert_eq!(refused, expected);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    println!("peak_kib={}", peak.trim().trim_end_matches(" kB"));
}

fn code(encoding: Encoding, body: &[u8]) -> &'static str {
    code_of(&adapter(Policy::RecordAnomaly), encoding, body)
}

fn code_of(adapter: &Adapter, encoding: Encoding, body: &[u8]) -> &'static str {
    let mapped = adapter.map(body, encoding, Door::Traces);
    mapped.map_or_else(|refusal| refusal.code(), |_| "stored")
}

/// Maps a span whose one attribute is too large to be kept.
fn one_value(value: &str) -> &'static str {
    code(Encoding::Json, traces(&[attribute(value)]).as_bytes())
}

/// Fields of a few bytes, as many as a body holds, within as many messages.
fn nested(field: &[u8], levels: usize) -> Vec<u8> {
    let mut body = field.repeat((4 << 20) - 16);
    for level in 1..levels {
        let mut length = body.len();
        let mut outer = vec![if level + 1 == levels { 0x0A } else { 0x12 }];
        while length >= 0x80 {
            outer.push(length as u8 & 0x7F | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend_from_slice(&body);
        body = outer;
    }
    body
}
