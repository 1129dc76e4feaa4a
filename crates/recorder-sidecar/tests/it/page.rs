//! The operator's page says what is true: its settings hold, its requests are answered, its codes are those of the table.

use recorder_envelope::key_file::write_encrypted;
use recorder_envelope::signing::SecretKey;
use recorder_sidecar_api::audit::{Event, Occasion, PEERS_MAX, WINDOW_SECONDS};
use recorder_sidecar_api::metric::Metric;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;

use crate::sidecar::Place;

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sidecar.md")).unwrap()
}

/// The text of each fenced block of `language`, with the last route that was named before it.
fn blocks(page: &str, language: &str) -> Vec<(String, String)> {
    let fence = format!("```{language}\n");
    let starts = page.match_indices(&fence).map(|(start, _)| start);
    starts
        .map(|start| {
            let route = page[..start].rsplit("`POST ").next().unwrap().split('`').next().unwrap();
            let text = page[start + fence.len()..].split("```").next().unwrap();
            (route.to_owned(), text.to_owned())
        })
        .collect()
}

#[test]
fn the_settings_and_requests_of_the_page_work() {
    let place = Place::new();
    place.secret("recorder-token", "secret-token");
    place.secret("adapter.key", &"07".repeat(32));
    let key = SecretKey::from_seed(&[7; 32]).unwrap();
    place.secret(
        "recorder-key.pem",
        &write_encrypted(&key, b"a passphrase of one's own", &[1; 16], &[2; 16]).unwrap(),
    );
    place.secret("recorder-key-passphrase", "a passphrase of one's own\n");
    let settings = blocks(&page(), "toml");
    let text = format!("{}\n[transport.tcp]\nport = 0\n", settings[0].1);
    std::fs::write(place.path("page.toml"), text).unwrap();
    let sidecar = crate::sidecar::Sidecar::start(&place.path("page.toml"), &["--create"]);
    let mut client = sidecar.client();
    let requests = blocks(&page(), "json");
    assert_eq!(requests.len(), 5);
    for (number, (route, body)) in requests.iter().enumerate() {
        let answer = client.record(route, &number.to_string(), body).unwrap();
        assert!(
            [200, 201].contains(&answer.status),
            "{route}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}

#[test]
fn every_route_and_every_code_stands_on_the_page() {
    let page = page();
    for operation in Operation::ALL {
        assert!(page.contains(operation.route().path), "{}", operation.route().path);
    }
    for code in Code::ALL {
        let row = format!("| `{}` | {} | {} |", code.code(), code.status(), code.title());
        assert!(page.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn the_description_that_is_served_is_the_one_that_is_published() {
    let place = Place::new();
    let sidecar = place.start("");
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generated/apis/sidecar.openapi.json");
    let served = sidecar.client().get("/openapi.json");
    assert_eq!((served.status, served.headers["content-type"].as_str()), (200, "application/json"));
    assert!(served.body == std::fs::read(path).unwrap());
    assert_eq!(sidecar.client_with(None).get("/openapi.json").status, 401);
}

/// Lines of the page that begin as a row about a name.
fn rows<'a>(page: &'a str, prefix: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(prefix)).collect()
}

#[test]
fn every_event_and_every_metric_stands_on_the_page_and_no_other() {
    let page = page();
    let events = Event::ALL.iter().map(|event| {
        let when = match event.occasion() {
            Occasion::Start => "at a start",
            Occasion::Counted => "at once, then once a window",
            Occasion::Window => "once a window",
            Occasion::Stop => "at a stop",
        };
        format!("| `{}` | {when} | {} |", event.event_type(), event.summary())
    });
    assert_eq!(rows(&page, "| `system."), events.collect::<Vec<_>>());
    let metrics = Metric::ALL.iter().map(|metric| {
        let labels: Vec<_> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name(), metric.kind().name(), metric.help());
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    });
    let (begin, end) = (page.find("## Metrics").unwrap(), page.find("## Log").unwrap());
    assert_eq!(rows(&page[begin..end], "| `"), metrics.collect::<Vec<_>>());
    assert!(page.contains(&format!("A window is {WINDOW_SECONDS} seconds")));
    assert!(page.contains(&format!("the first {PEERS_MAX} are named")));
}
