//! The page for those who write a control plane says what is true: its settings hold, its messages are sent, its answers
//! are taken.

use serde_json::Value;

use crate::plane::{Plane, Sender};
use crate::sidecar::{Place, Sidecar, body};

const PAGE: &str = include_str!("../../../../docs/control-plane.md");

/// The id that the page's messages have.
const ID: &str = "2f8a1c9d04b7e653-0";

/// The JSON of the example that is called so.
fn example(name: &str) -> String {
    let (_, after) = PAGE.split_once(&format!("<!-- example: {name} -->\n```json\n")).unwrap();
    after.split_once("```").unwrap().0.trim().to_owned()
}

/// A sidecar with the settings of the page, but for where its control plane is.
fn start(place: &Place, plane: &Plane) -> Sidecar {
    let (_, after) = PAGE.split_once("```toml\n").unwrap();
    let (settings, _) = after.split_once("```").unwrap();
    assert!(settings.contains("https://control.example/recorder"));
    let settings = settings
        .replace("https://control.example/recorder", &format!("http://{}/base", plane.address))
        .lines()
        .filter(|line| !line.starts_with("control_plane_ca_path"))
        .collect::<Vec<_>>()
        .join("\n");
    place.secret("control-plane-token", "t");
    place.start(&format!("{settings}\n"))
}

const HEADERS: &[(&str, &str)] = &[("X-Namespace", "refunds"), ("X-Recorder-Writer-Lease", "true")];

#[test]
fn the_messages_of_the_page_are_those_that_are_sent() {
    let (place, plane) = (Place::new(), Plane::start());
    let sidecar = start(&place, &plane);
    let sender = Sender::with("acme", HEADERS);
    assert_eq!(sender.record(&mut sidecar.client(), "k", &body("acme", "a")).status, 201);
    let told = plane.told();
    assert_eq!(told.len(), 3);
    for (seen, name) in
        told.into_iter().zip(["admission request", "hook at admission", "hook at result"])
    {
        let mut sent = seen["body"].clone();
        sent["server_correlation_id"] = ID.into();
        assert_eq!(sent, serde_json::from_str::<Value>(&example(name)).unwrap(), "{name}");
    }
}

#[test]
fn the_answers_of_the_page_are_taken() {
    let (place, plane) = (Place::new(), Plane::start());
    let sidecar = start(&place, &plane);
    let sender = Sender::with("acme", HEADERS);
    let mut client = sidecar.client();
    let mut answered = |moment: &str, name: &str| {
        plane.behave(&[(moment, &example(name).replace(ID, "$ID"))]);
        sender.record(&mut client, &name.replace(" ", "-"), &body("acme", "a"))
    };
    assert_eq!(answered("admission", "allow").status, 201);
    let denied = answered("admission", "deny");
    assert_eq!(denied.code(), "control_plane_denied");
    assert_eq!(denied.json()["detail"], "quota: 1,000 of 1,000 envelopes today");
    assert_eq!(answered("admission", "no lease").code(), "writer_lease_required");
    assert_eq!(answered("hook_result", "hook answer").status, 201);
    // The same answer at the other moment is to another question.
    assert_eq!(answered("hook_admission", "hook answer").code(), "hook_export_failed");
}

#[test]
fn every_example_of_the_page_is_one_of_these() {
    assert_eq!(PAGE.matches("<!-- example: ").count(), PAGE.matches("```json").count());
    assert_eq!(PAGE.matches("```json").count(), 7);
}
