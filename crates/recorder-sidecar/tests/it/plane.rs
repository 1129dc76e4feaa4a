//! The control plane of `examples/control-plane.rs` as a process of a test's own.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Client, PATIENCE};
use crate::sidecar::Place;

/// What the sidecar shows to it.
pub(crate) const PLANE_TOKEN: &str = "shown-to-the-plane";

/// A running control plane, killed when the test ends.
pub(crate) struct Plane {
    child: Child,
    pub(crate) address: String,
}

impl Plane {
    /// Starts one that speaks plain HTTP, somewhere on this machine.
    pub(crate) fn start() -> Self {
        Self::start_with(&["127.0.0.1:0"])
    }

    /// Starts one with arguments of a test's own.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        // Beside the tests, in whatever directory they were built.
        let tests = std::env::current_exe().unwrap();
        let program = tests.ancestors().nth(2).unwrap().join("examples/control-plane");
        assert!(
            program.is_file(),
            "`cargo build -p recorder-sidecar --examples` makes {program:?}"
        );
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim_end().to_owned() }
    }

    /// The settings of a sidecar that asks it.
    pub(crate) fn settings(&self, place: &Place) -> String {
        place.secret("plane-token", PLANE_TOKEN);
        format!(
            "probes.readiness_mode = \"storage_and_enterprise\"\n\
             enterprise.mode = \"private\"\n\
             enterprise.control_plane_url = \"http://{}/base\"\n\
             enterprise.control_plane_token_path = \"plane-token\"\n",
            self.address
        )
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream, None)
    }

    /// From now on behaves at each moment as it is told, and honestly at every other.
    pub(crate) fn behave(&self, moments: &[(&str, &str)]) {
        let told: serde_json::Map<String, Value> =
            moments.iter().map(|(moment, how)| ((*moment).to_owned(), json!(how))).collect();
        let body = Value::from(told).to_string();
        assert_eq!(self.client().post("/test/behaviour", &body).status, 200);
    }

    /// What it heard since it was asked last.
    pub(crate) fn seen(&self) -> Vec<Value> {
        let mut seen = self.client().get("/test/seen").json();
        serde_json::from_value(seen.take()).unwrap()
    }

    /// What it heard about requests.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.seen().into_iter().filter(|seen| seen["method"] == "POST").collect()
    }

    /// Waits until it has heard something of a kind, and gives all that it heard until then.
    pub(crate) fn wait_for(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        while !all.iter().any(&is_it) {
            all.extend(self.seen());
            std::thread::yield_now();
        }
        all
    }

    /// Lets go of everybody whom it holds.
    pub(crate) fn release(&self) {
        assert_eq!(self.client().post("/test/release", "{}").status, 200);
    }

    /// Waits for its end, when it was told to die.
    pub(crate) fn wait(&mut self) {
        assert_eq!(self.child.wait().unwrap().code(), Some(3));
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Headers of a request: what it is, who sends it, and its idempotency key.
pub(crate) struct Sender<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) more: Vec<(&'a str, &'a str)>,
}

impl<'a> Sender<'a> {
    pub(crate) fn of(tenant: &'a str) -> Self {
        Self { tenant, more: Vec::new() }
    }

    pub(crate) fn with(tenant: &'a str, more: &[(&'a str, &'a str)]) -> Self {
        Self { tenant, more: more.to_vec() }
    }

    fn headers(&self) -> Vec<(&'a str, &'a str)> {
        let mut headers = vec![
            ("X-Tenant-Id", self.tenant),
            ("X-Principal-Id", "agent-7"),
            ("X-Authn-Method", "oidc"),
        ];
        headers.extend(&self.more);
        headers
    }

    pub(crate) fn record(
        &self,
        client: &mut Client,
        key: &str,
        body: &str,
    ) -> crate::client::Answer {
        self.post(client, "/v1/envelopes", Some(key), body)
    }

    pub(crate) fn post(
        &self,
        client: &mut Client,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> crate::client::Answer {
        let mut headers = self.headers();
        headers.push(("Content-Type", "application/json"));
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        client.request("POST", path, &headers, body.as_bytes()).unwrap()
    }

    pub(crate) fn get(&self, client: &mut Client, path: &str) -> crate::client::Answer {
        client.request("GET", path, &self.headers(), b"").unwrap()
    }

    /// Envelopes of its tenant, from a control plane that is honest.
    pub(crate) fn count(&self, client: &mut Client) -> usize {
        let query = json!({ "tenant_id": self.tenant, "recorder_id": "sidecar:test" }).to_string();
        let found = self.post(client, "/v1/query/envelopes", None, &query);
        assert_eq!(found.status, 200, "{found:?}");
        found.json()["envelopes"].as_array().unwrap().len()
    }
}
