//! A sidecar under a control plane that is honest, lies, hangs or dies: whatever is not a clear yes is a no.

use recorder_sidecar_api::audit::Event;
use recorder_sidecar_api::route::Operation;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::audit::payloads;
use crate::client::Answer;
use crate::plane::{PLANE_TOKEN, Plane, Sender};
use crate::sidecar::{Place, Sidecar, TOKEN, body};
use crate::tls::issue;

/// Every way of not answering a question.
const NO_ANSWERS: &[&str] = &[
    "hang",
    "close",
    "garbage",
    "half",
    "half_head",
    "dripping",
    "no_json",
    "no_type",
    "html",
    "two_types",
    "compressed",
    "redirect",
    "huge",
    "huge_head",
    "endless",
    "status_201",
    "status_204",
    "status_401",
    "status_403",
    "status_500",
    "{}",
    "[]",
    "null",
];

struct Governed {
    place: Place,
    plane: Plane,
    sidecar: Sidecar,
}

impl Governed {
    fn start(more: &str) -> Self {
        let (place, plane) = (Place::new(), Plane::start());
        let sidecar = place.start(&format!("{}{more}", plane.settings(&place)));
        Self { place, plane, sidecar }
    }

    fn record(&self, key: &str) -> Answer {
        Sender::of("acme").record(&mut self.sidecar.client(), key, &body("acme", "payload-text"))
    }

    fn count(&self) -> usize {
        Sender::of("acme").count(&mut self.sidecar.client())
    }

    /// Whether it is ready, and all that it says is wrong.
    fn ready(&self) -> (u16, Value) {
        let answer = self.sidecar.client_with(None).get("/ready");
        (answer.status, answer.json()["reasons"].clone())
    }

    /// Waits until it is ready or not, as the control plane's last answer to a probe counts for a moment.
    fn wait_until_ready(&self, is_ready: bool) {
        while (self.ready().0 == 200) != is_ready {
            std::thread::yield_now();
        }
    }
}

fn moments(seen: &[Value]) -> Vec<&str> {
    let moment = |seen: &'_ Value| match seen["body"]["boundary"].as_str() {
        None => "asked",
        Some("admission") => "told of admission",
        Some(_) => "told of result",
    };
    seen.iter().map(moment).collect()
}

const ALL_MOMENTS: [&str; 3] = ["asked", "told of admission", "told of result"];

#[test]
fn a_request_is_asked_for_told_of_recorded_and_told_of_again() {
    let governed = Governed::start("");
    let recorded = governed.record("k");
    assert_eq!(recorded.status, 201, "{recorded:?}");
    let told = governed.plane.told();
    assert_eq!(moments(&told), ALL_MOMENTS);
    let id = &recorded.headers["x-server-correlation-id"];
    for seen in &told {
        assert_eq!(seen["authorization"], format!("Bearer {PLANE_TOKEN}"));
        assert_eq!(seen["body"]["server_correlation_id"], id.as_str());
        // Neither what is recorded nor what senders show is any of its business.
        let text = seen.to_string();
        assert!(!text.contains("payload-text") && !text.contains(TOKEN), "{text}");
    }
    assert_eq!(told[2]["body"]["status"], 201);
    let again = governed.record("k");
    assert!(again.is_replay());
    assert_eq!((again.status, again.json()), (200, recorded.json()));
    let told = governed.plane.told();
    assert_eq!(
        (&told[2]["body"]["is_replay"], &told[2]["body"]["status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(governed.count(), 1);
    assert!(governed.sidecar.stop().success());
}

#[test]
fn whatever_is_no_answer_admits_nothing() {
    let governed = Governed::start("");
    for how in NO_ANSWERS {
        governed.plane.behave(&[("admission", how)]);
        governed.plane.told();
        let refused = governed.record(how);
        assert_eq!(refused.code(), "control_plane_unavailable", "{how}");
        assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (503, "1"));
        let told = governed.plane.told();
        assert_eq!(moments(&told), ["asked"], "{how}");
        governed.plane.behave(&[]);
        governed.plane.release();
    }
    assert_eq!(governed.count(), 0);
    // It is well again, and so is the sidecar; keys that were refused are free.
    assert_eq!(governed.record(NO_ANSWERS[0]).status, 201);
    assert_eq!(governed.count(), 1);
}

#[test]
fn an_answer_that_is_not_to_the_question_admits_nothing() {
    let governed = Governed::start("");
    for how in [
        r#"{"server_correlation_id":"0-0","decision":"allow"}"#,
        r#"{"decision":"allow"}"#,
        r#"{"server_correlation_id":"$ID","decision":"allow","also":1}"#,
        r#"{"server_correlation_id":"$ID","decision":"deny","decision":"allow"}"#,
        r#"{"server_correlation_id":"$ID","decision":{"allow":null}}"#,
        r#"{"server_correlation_id":"$ID","decision":"allow","reason":"quota"}"#,
        r#"{"server_correlation_id":"$ID","decision":"deny"}"#,
        r#"{"server_correlation_id":"$ID","decision":"Allow"}"#,
        r#"{"server_correlation_id":"$ID","decision":"allow"} "#,
    ]
    .map(|how| if how.ends_with(' ') { format!("{how}x") } else { how.to_owned() })
    {
        governed.plane.behave(&[("admission", &how)]);
        assert_eq!(governed.record("k").code(), "control_plane_unavailable", "{how}");
        governed.plane.behave(&[("hook_admission", &how)]);
        assert_eq!(governed.record("k").code(), "hook_export_failed", "{how}");
    }
    governed.plane.behave(&[]);
    assert_eq!(governed.count(), 0);
}

#[test]
fn a_denial_is_told_with_its_reason_and_a_quota_is_one() {
    let governed = Governed::start("");
    for (how, detail) in [
        (r#""reason":"policy""#, "policy"),
        (r#""reason":"quota","detail":"1,000 of 1,000 a day""#, "quota: 1,000 of 1,000 a day"),
    ] {
        let how = format!(r#"{{"server_correlation_id":"$ID","decision":"deny",{how}}}"#);
        governed.plane.behave(&[("admission", &how)]);
        governed.plane.told();
        let denied = governed.record("k");
        assert_eq!((denied.status, denied.code().as_str()), (403, "control_plane_denied"));
        assert_eq!(
            (&denied.json()["detail"], &denied.json()["retryable"]),
            (&json!(detail), &json!(false))
        );
        assert_eq!(moments(&governed.plane.told()), ["asked"]);
    }
    governed.plane.behave(&[]);
    assert_eq!(governed.count(), 0);
}

#[test]
fn a_hook_that_is_not_taken_at_admission_stops_the_request() {
    let governed = Governed::start("");
    for how in NO_ANSWERS {
        governed.plane.behave(&[("hook_admission", how)]);
        governed.plane.told();
        let refused = governed.record(how);
        assert_eq!((refused.status, refused.code().as_str()), (503, "hook_export_failed"), "{how}");
        assert_eq!(moments(&governed.plane.told()), ALL_MOMENTS[..2], "{how}");
        governed.plane.behave(&[]);
        governed.plane.release();
    }
    assert_eq!(governed.count(), 0);
}

#[test]
fn a_hook_that_is_not_taken_at_the_result_withholds_the_receipt_until_the_request_is_repeated() {
    let governed = Governed::start("");
    for how in NO_ANSWERS {
        governed.plane.behave(&[("hook_result", how)]);
        let refused = governed.record(how);
        assert_eq!((refused.status, refused.code().as_str()), (503, "hook_export_failed"), "{how}");
        assert_eq!(refused.headers["retry-after"], "1");
        governed.plane.behave(&[]);
        governed.plane.release();
    }
    // All of them are recorded, each once, and each repetition brings the receipt.
    assert_eq!(governed.count(), NO_ANSWERS.len());
    for how in NO_ANSWERS {
        let again = governed.record(how);
        assert_eq!((again.status, again.is_replay()), (200, true), "{how}");
    }
    assert_eq!(governed.count(), NO_ANSWERS.len());
}

#[test]
fn a_read_that_could_not_be_told_gives_nothing_and_a_refusal_stays_one() {
    let governed = Governed::start("");
    governed.record("k");
    governed.plane.behave(&[("hook_result", "status_500")]);
    let mut client = governed.sidecar.client();
    let query = json!({ "tenant_id": "acme", "recorder_id": "sidecar:test" }).to_string();
    let withheld = Sender::of("acme").post(&mut client, "/v1/query/envelopes", None, &query);
    assert_eq!(withheld.code(), "hook_export_failed");
    let wrong = Sender::of("acme").record(&mut client, "l", "{}");
    assert_eq!(wrong.code(), "bad_request");
    governed.plane.behave(&[]);
    governed.plane.told();
    Sender::of("acme").record(&mut client, "l", "{}");
    let told = governed.plane.told();
    assert_eq!(told[2]["body"]["outcome"], "refused");
    assert_eq!(
        (&told[2]["body"]["code"], &told[2]["body"]["status"]),
        (&json!("bad_request"), &json!(400))
    );
}

#[test]
fn a_control_plane_that_dies_closes_the_sidecar_and_one_that_returns_opens_it() {
    let mut governed = Governed::start("");
    assert_eq!(governed.record("before").status, 201);
    governed.wait_until_ready(true);
    governed.plane.behave(&[("admission", "die")]);
    assert_eq!(governed.record("dying").code(), "control_plane_unavailable");
    governed.plane.wait();
    assert_eq!(governed.record("dead").code(), "control_plane_unavailable");
    governed.wait_until_ready(false);
    assert_eq!(governed.ready(), (503, json!(["enterprise_unavailable"])));
    for probe in ["/health", "/startup"] {
        assert_eq!(governed.sidecar.client_with(None).get(probe).status, 200);
    }
    assert_eq!(governed.sidecar.client().get("/metrics").status, 200);
    let address = governed.plane.address.clone();
    governed.plane = Plane::start_with(&[&address]);
    governed.wait_until_ready(true);
    assert_eq!(governed.record("after").status, 201);
    governed.plane.behave(&[("hook_result", "die")]);
    assert_eq!(governed.record("cut").code(), "hook_export_failed");
    governed.plane.wait();
    governed.plane = Plane::start_with(&[&address]);
    let again = governed.record("cut");
    assert_eq!((again.status, again.is_replay()), (200, true));
    assert_eq!(governed.count(), 3);
}

#[test]
fn readiness_asks_the_control_plane_and_cannot_be_used_to_flood_it() {
    let governed = Governed::start("");
    for how in
        ["hang", "close", "garbage", "half", "redirect", "status_204", "status_503", "endless"]
    {
        governed.plane.behave(&[("health", how)]);
        governed.wait_until_ready(false);
        assert_eq!(governed.ready(), (503, json!(["enterprise_unavailable"])), "{how}");
        governed.plane.behave(&[]);
        governed.plane.release();
        governed.wait_until_ready(true);
    }
    governed.plane.seen();
    let probes = 200;
    for _ in 0..probes {
        assert_eq!(governed.ready().0, 200);
    }
    let asked = governed.plane.seen();
    assert!(asked.iter().all(|seen| seen["path"] == "/base/health" && seen["method"] == "GET"));
    assert!(asked.len() < probes / 2, "{} questions for {probes} probes", asked.len());
}

#[test]
fn without_an_identity_nobody_is_asked_and_nothing_is_done() {
    let governed = Governed::start("");
    let mut client = governed.sidecar.client();
    let whole = [("X-Tenant-Id", "acme"), ("X-Principal-Id", "p"), ("X-Authn-Method", "oidc")];
    let mut wrong: Vec<Vec<(&str, &str)>> = (0..3)
        .map(|missing| {
            let others = whole.iter().enumerate().filter(|(index, _)| *index != missing);
            others.map(|(_, header)| *header).collect()
        })
        .collect();
    let long = "a".repeat(257);
    for (index, value) in [
        (0, ""),
        (0, &long),
        (1, ""),
        (1, "a b"),
        (1, "a, b"),
        (1, &long),
        (2, ""),
        (2, "oidc, mtls"),
        (2, "a/b"),
    ] {
        let mut headers = whole.to_vec();
        headers[index].1 = value;
        wrong.push(headers);
    }
    wrong.push([&whole[..], &[("X-Namespace", "")]].concat());
    wrong.push([&whole[..], &[("X-Namespace", "a b")]].concat());
    for headers in wrong {
        let json = [("Content-Type", "application/json"), ("Idempotency-Key", "k")];
        let all = [&headers[..], &json].concat();
        let sent = body("acme", "a");
        let refused = client.request("POST", "/v1/envelopes", &all, sent.as_bytes()).unwrap();
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "identity_invalid"),
            "{headers:?}"
        );
        let refused = client.request("GET", "/v1/segments", &headers, b"").unwrap();
        assert_eq!(refused.code(), "identity_invalid", "{headers:?}");
    }
    for (name, value) in [whole[0], whole[1], whole[2], ("X-Namespace", "n")] {
        let twice = [(name, value), (name, value)];
        let refused =
            governed.sidecar.client().request("GET", "/v1/segments", &twice, b"").unwrap();
        assert_eq!(refused.code(), "bad_request", "{name} twice");
    }
    // Nor is anybody asked for somebody without the token.
    let mut stranger = governed.sidecar.client_with(Some("wrong"));
    assert_eq!(Sender::of("acme").get(&mut stranger, "/v1/segments").code(), "unauthorized");
    assert_eq!(governed.plane.told(), Vec::<Value>::new());
    assert_eq!(governed.count(), 0);
}

/// A request for an operation about a tenant; none for those that are about no tenant.
fn about(operation: Operation, tenant: &str) -> Option<(String, String)> {
    let stream =
        |more: &str| format!(r#"{{"tenant_id":"{tenant}","recorder_id":"sidecar:test"{more}}}"#);
    let envelope = crate::sidecar::envelope("a");
    let text = match operation {
        Operation::RecordEnvelope => body(tenant, "a"),
        Operation::RecordWithAttachments => stream(&format!(
            r#","envelope":{envelope},"attachments":[{{"content_type":"text/plain","data_base64":"YQ=="}}]"#
        )),
        Operation::RecordBatch => stream(&format!(r#","envelopes":[{envelope}]"#)),
        Operation::QueryEnvelopes | Operation::BuildBundle => stream(""),
        Operation::ProveInclusion => {
            stream(r#","envelope_id":"01936b2e-7c00-7abc-8def-000000000001""#)
        }
        Operation::ProveConsistency => stream(r#","old_size":1"#),
        Operation::ListSegments | Operation::ActiveSegments | Operation::Checkpoint => {
            let path = operation.route().path;
            return Some((format!("{path}?tenant_id={tenant}"), String::new()));
        }
        // What comes through these doors is of the tenant that the settings name.
        Operation::IngestOtel | Operation::ExportTraces => r#"{"resourceSpans":[]}"#.to_owned(),
        Operation::ExportLogs => r#"{"resourceLogs":[]}"#.to_owned(),
        // Bundles are brought along by the sender; settings, counts and probes are about no tenant.
        Operation::OpenApi
        | Operation::VerifyBundle
        | Operation::InspectBundle
        | Operation::Config
        | Operation::Metrics
        | Operation::Health
        | Operation::Startup
        | Operation::Ready => return None,
    };
    Some((operation.route().path.to_owned(), text))
}

/// The code of a refusal, whether it is a problem or, as exporters want it, a status.
fn code(answer: &Answer) -> String {
    match answer.headers["content-type"].as_str() {
        "application/json" => {
            let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
            message.split(':').next().unwrap_or_default().to_owned()
        }
        _ => answer.code(),
    }
}

#[test]
fn nobody_touches_another_tenants_stream() {
    let governed = Governed::start("");
    governed.record("k");
    let other = Sender::of("other");
    let mut client = governed.sidecar.client();
    for operation in Operation::ALL {
        let Some((path, text)) = about(*operation, "acme") else { continue };
        let key = operation.needs_key().then_some("other-key");
        let refused = match text.is_empty() {
            true => other.get(&mut client, &path),
            false => other.post(&mut client, &path, key, &text),
        };
        assert_eq!((refused.status, code(&refused).as_str()), (409, "stream_mismatch"), "{path}");
        let told = governed.plane.told();
        assert_eq!(told.last().unwrap()["body"]["code"], "stream_mismatch", "{path}");
    }
    assert_eq!(governed.count(), 1);
    let segments = |sender: &Sender<'_>, client: &mut _, path: &str| {
        sender.get(client, path).json()["segments"].as_array().unwrap().len()
    };
    for path in ["/v1/segments", "/v1/segments/active"] {
        assert_eq!(segments(&other, &mut client, path), 0, "{path}");
        assert_eq!(segments(&Sender::of("acme"), &mut client, path), 1, "{path}");
    }
}

#[test]
fn whatever_is_served_below_v1_is_asked_for_and_nothing_else_is() {
    let governed = Governed::start("");
    let mut client = governed.sidecar.client();
    let denied = r#"{"server_correlation_id":"$ID","decision":"deny","reason":"policy"}"#;
    governed.plane.behave(&[("admission", denied)]);
    governed.plane.seen();
    for operation in Operation::ALL {
        let (path, text) = about(*operation, "acme")
            .unwrap_or_else(|| (operation.route().path.to_owned(), "{}".to_owned()));
        let key = operation.needs_key().then_some("k");
        let answer = match operation.route().takes.is_empty() {
            true => Sender::of("acme").get(&mut client, &path),
            false => Sender::of("acme").post(&mut client, &path, key, &text),
        };
        let told = governed.plane.told();
        if operation.is_governed() {
            assert_eq!(code(&answer), "control_plane_denied", "{path}");
            assert_eq!(told.len(), 1, "{path}");
            assert_eq!(told[0]["body"]["operation"], operation.name());
        } else {
            assert!(answer.status == 200 && told.is_empty(), "{path}: {answer:?}");
        }
    }
}

#[test]
fn exporters_are_asked_for_like_everybody_else_and_what_they_repeat_is_recorded_once() {
    let governed = Governed::start("otel.tenant_id = \"acme\"\n");
    let mut client = governed.sidecar.client();
    let span = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a","kind":1,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000000001"}]}]}]}"#;
    let mut export = || Sender::of("acme").post(&mut client, "/v1/traces", None, span);
    governed.plane.behave(&[("admission", "status_500")]);
    let refused = export();
    assert_eq!((refused.status, code(&refused).as_str()), (503, "control_plane_unavailable"));
    governed.plane.behave(&[("hook_result", "status_500")]);
    let refused = export();
    assert_eq!((refused.status, code(&refused).as_str()), (503, "hook_export_failed"));
    governed.plane.behave(&[]);
    assert_eq!(export().status, 200);
    assert_eq!(governed.count(), 1);
    let unnamed = governed.sidecar.client().post("/v1/traces", span);
    assert_eq!((unnamed.status, code(&unnamed).as_str()), (400, "identity_invalid"));
}

#[test]
fn where_the_lease_is_required_it_is_asserted_by_the_sender_and_confirmed_by_the_control_plane() {
    let governed = Governed::start("enterprise.require_writer_lease = true\n");
    let mut client = governed.sidecar.client();
    for more in
        [&[][..], &[("X-Recorder-Writer-Lease", "false")], &[("X-Recorder-Writer-Lease", "TRUE")]]
    {
        let refused = Sender::with("acme", more).record(&mut client, "k", &body("acme", "a"));
        assert_eq!((refused.status, refused.code().as_str()), (409, "writer_lease_required"));
    }
    assert_eq!(
        governed.plane.told(),
        Vec::<Value>::new(),
        "who does not even assert it is not asked for"
    );
    let holder = Sender::with("acme", &[("X-Recorder-Writer-Lease", "true")]);
    for how in [
        r#"{"server_correlation_id":"$ID","decision":"allow","writer_lease":"not_held"}"#,
        r#"{"server_correlation_id":"$ID","decision":"allow"}"#,
    ] {
        governed.plane.behave(&[("admission", how)]);
        let refused = holder.record(&mut client, "k", &body("acme", "a"));
        assert_eq!(refused.code(), "writer_lease_required", "{how}");
        assert_eq!(moments(&governed.plane.told()), ["asked"]);
    }
    governed.plane.behave(&[]);
    // Reading needs no lease.
    assert_eq!(governed.count(), 0);
    assert_eq!(holder.record(&mut client, "k", &body("acme", "a")).status, 201);
    assert_eq!(governed.count(), 1);
}

#[test]
fn the_token_for_the_control_plane_is_read_again_and_never_shown() {
    let governed = Governed::start("logging.level = \"debug\"\n");
    governed.plane.behave(&[("admission", "status_401")]);
    assert_eq!(governed.record("k").code(), "control_plane_unavailable");
    let failed = governed.sidecar.wait_for("control_plane_failed").to_string();
    assert!(failed.contains("401") && failed.contains("record_envelope"), "{failed}");
    assert!(!failed.contains(PLANE_TOKEN) && !failed.contains("payload-text"), "{failed}");
    let shown = Sender::of("acme");
    governed.plane.behave(&[]);
    let settings = shown.get(&mut governed.sidecar.client(), "/v1/config");
    assert!(!String::from_utf8_lossy(&settings.body).contains(PLANE_TOKEN));
    governed.place.secret("plane-token", "next-token");
    governed.sidecar.signal(Signal::HUP);
    governed.sidecar.wait_for("reloaded");
    governed.plane.told();
    assert_eq!(governed.record("k").status, 201);
    assert!(governed.plane.told().iter().all(|seen| seen["authorization"] == "Bearer next-token"));
    // What cannot be read changes nothing.
    std::fs::remove_file(governed.place.path("plane-token")).unwrap();
    governed.sidecar.signal(Signal::HUP);
    assert_eq!(governed.sidecar.wait_for("reload_failed")["file"], "control_plane");
    assert_eq!(governed.record("l").status, 201);
    // Both times are in the evidence.
    let Governed { place, sidecar, .. } = governed;
    assert!(sidecar.stop().success());
    let recorded = payloads(&mut place.start("").client(), Event::Reloaded);
    let outcomes = recorded.iter().map(|payload| payload["control_plane"].as_str().unwrap());
    assert!(outcomes.eq(["replaced", "failed"]), "{recorded:?}");
    assert_eq!(recorded.last().unwrap()["failures"], 1);
}

#[test]
fn whoever_goes_away_leaves_a_request_that_is_told_to_its_end() {
    let governed = Governed::start("");
    governed.plane.behave(&[("hook_admission", "hold")]);
    let mut client = governed.sidecar.client();
    // An answer that is not read makes the end of this connection a reset.
    let probe = client.rendered("GET", "/health", &[], b"");
    let headers = [
        ("X-Tenant-Id", "acme"),
        ("X-Principal-Id", "p"),
        ("X-Authn-Method", "oidc"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ];
    let request = client.rendered("POST", "/v1/envelopes", &headers, body("acme", "a").as_bytes());
    client.send(&[probe, request].concat()).unwrap();
    governed.plane.wait_for(|seen| seen["body"]["boundary"] == "admission");
    drop(client);
    // The sidecar has met the reset once it has answered somebody who came later.
    governed.sidecar.client().get("/health");
    governed.plane.release();
    let told = governed.plane.wait_for(|seen| seen["body"]["boundary"] == "result");
    assert!(
        ["succeeded", "refused"]
            .contains(&told.last().unwrap()["body"]["outcome"].as_str().unwrap())
    );
}

#[test]
fn connections_to_the_control_plane_are_used_again() {
    let governed = Governed::start("");
    for n in 0..20 {
        assert_eq!(governed.record(&n.to_string()).status, 201);
    }
    let told = governed.plane.told();
    assert_eq!(told.len(), 60);
    let mut connections: Vec<_> = told.iter().map(|seen| seen["connection"].as_u64()).collect();
    connections.sort_unstable();
    connections.dedup();
    assert!(connections.len() <= 20, "{} connections", connections.len());
}

/// A sidecar that asks over TLS, a control plane with a certificate for `name`, and the directory of both.
fn over_tls(name: &str) -> (Place, Plane, Sidecar) {
    let place = Place::new();
    let (authority, certificate, key) = issue(name);
    place.secret("plane-ca.pem", &authority);
    place.secret("plane.pem", &certificate);
    place.secret("plane-key.pem", &key);
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let plane = Plane::start_with(&["127.0.0.1:0", &path("plane.pem"), &path("plane-key.pem")]);
    let port = plane.address.rsplit(':').next().unwrap();
    let settings = plane
        .settings(&place)
        .replace(&format!("http://{}", plane.address), &format!("https://localhost:{port}"));
    let sidecar =
        place.start(&format!("{settings}enterprise.control_plane_ca_path = \"plane-ca.pem\"\n"));
    (place, plane, sidecar)
}

#[test]
fn a_control_plane_shows_a_certificate_of_an_issuer_that_the_settings_name() {
    let (place, _plane, sidecar) = over_tls("localhost");
    let record =
        |key: &str| Sender::of("acme").record(&mut sidecar.client(), key, &body("acme", "a"));
    assert_eq!(record("a").status, 201);
    // Another issuer is trusted from now on, who did not sign it.
    place.secret("plane-ca.pem", &issue("localhost").0);
    sidecar.signal(Signal::HUP);
    sidecar.wait_for("reloaded");
    assert_eq!(record("b").code(), "control_plane_unavailable");
    let failed = sidecar.wait_for("control_plane_failed").to_string();
    assert!(failed.contains("invalid peer certificate"), "{failed}");
}

#[test]
fn a_certificate_for_another_name_is_none() {
    let (_place, _plane, sidecar) = over_tls("elsewhere.example");
    let refused = Sender::of("acme").record(&mut sidecar.client(), "a", &body("acme", "a"));
    assert_eq!(refused.code(), "control_plane_unavailable");
    let failed = sidecar.wait_for("control_plane_failed").to_string();
    assert!(failed.contains("certificate not valid for name"), "{failed}");
}

#[test]
fn many_at_once_are_all_asked_for_and_all_recorded() {
    let governed = Governed::start("limits.max_in_flight = 8\nlimits.request_timeout_ms = 30000\n");
    std::thread::scope(|scope| {
        for n in 0..32 {
            let governed = &governed;
            scope.spawn(move || {
                for m in 0..5 {
                    assert_eq!(governed.record(&format!("{n}-{m}")).status, 201);
                }
            });
        }
    });
    assert_eq!(governed.plane.told().len(), 3 * 160);
    assert_eq!(governed.count(), 160);
}

#[test]
fn without_a_control_plane_nobody_asks_for_these_headers() {
    let place = Place::new();
    let sidecar = place.start("");
    let sender = Sender::with("other", &[("X-Namespace", "a/b")]);
    let mut client = sidecar.client();
    assert_eq!(sender.record(&mut client, "k", &body("acme", "a")).status, 201);
}
