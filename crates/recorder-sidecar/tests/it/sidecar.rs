//! A sidecar of a test's own: a directory, a process, and ways to reach and end it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::client::{Client, PATIENCE};

pub(crate) const TOKEN: &str = "secret-token";

/// The binary under test.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_recorder-sidecar"))
}

/// Where sidecars live.
pub(crate) struct Place {
    _directory: tempfile::TempDir,
    pub(crate) root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let place = Self { _directory: directory, root };
        place.secret("token", TOKEN);
        place.secret("otel-key", &"07".repeat(32));
        // RFC 8410, version 1, around the seed of thirty-two sevens.
        place.secret(
            "key.pem",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n",
        );
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes the settings: what every test needs, and `more`.
    pub(crate) fn configure(&self, more: &str) -> PathBuf {
        let given = |key: &str| more.contains(key);
        let mut text = String::from("config_version = 1\n");
        for (key, value) in [
            ("recorder.recorder_id", "\"sidecar:test\""),
            ("storage.path", "\"recorder.db\""),
            ("storage.head_guard_path", "\"guard/heads\""),
            ("transport.tcp.port", "0"),
            ("security.token_path", "\"token\""),
            ("signer.key_path", "\"key.pem\""),
            ("signer.checkpoint_interval_ms", "50"),
            ("otel.key_path", "\"otel-key\""),
        ] {
            if !given(key) {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text.push_str(more);
        let path = self.path("sidecar.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts a sidecar and waits until it listens.
    pub(crate) fn start(&self, more: &str) -> Sidecar {
        Sidecar::start(&self.configure(more), &["--create"])
    }
}

/// A running sidecar, killed when the test ends.
pub(crate) struct Sidecar {
    child: Child,
    pub(crate) address: Option<String>,
    unix: Option<PathBuf>,
    /// Lines of its log after it listens.
    log: Mutex<Receiver<serde_json::Value>>,
}

impl Sidecar {
    pub(crate) fn start(config: &Path, flags: &[&str]) -> Self {
        let mut command = binary();
        command.arg("--config").arg(config).args(flags);
        Self::run(command)
    }

    /// Starts a sidecar through a shell that sets up the process first.
    pub(crate) fn start_with(script: &str, config: &Path) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_recorder-sidecar"));
        command.arg("--config").arg(config);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = follow(child.stderr.take().unwrap());
        let started = log.recv_timeout(PATIENCE).expect("the sidecar says what it does");
        assert_eq!(started["event"], "listening", "{started}");
        let text = |name: &str| started[name].as_str().map(str::to_owned);
        Self {
            child,
            address: text("tcp"),
            unix: text("unix").map(PathBuf::from),
            log: Mutex::new(log),
        }
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.as_ref().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A client, if the sidecar still listens.
    pub(crate) fn try_client(&self) -> std::io::Result<Client> {
        let stream = TcpStream::connect(self.address.as_ref().unwrap())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client::new(stream, Some(TOKEN)))
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.tcp(), Some(TOKEN))
    }

    pub(crate) fn client_with(&self, token: Option<&str>) -> Client {
        Client::new(self.tcp(), token)
    }

    pub(crate) fn unix_client(&self) -> Client {
        let stream = UnixStream::connect(self.unix.as_ref().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream, Some(TOKEN))
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGKILL, and the end of the process.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the end of the process.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap()
    }

    /// The next line of the log about `event`.
    pub(crate) fn wait_for(&self, event: &str) -> serde_json::Value {
        loop {
            let line = self
                .log
                .lock()
                .unwrap()
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no {event}"));
            if line["event"] == event {
                return line;
            }
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(stderr: ChildStderr) -> Receiver<serde_json::Value> {
    let (lines, log) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let parsed = serde_json::from_str(&line).unwrap_or(serde_json::Value::String(line));
            if lines.send(parsed).is_err() {
                return;
            }
        }
    });
    log
}

/// An envelope that says `text`, to be recorded for `tenant`.
pub(crate) fn body(tenant: &str, text: &str) -> String {
    format!(
        r#"{{"tenant_id":"{tenant}","recorder_id":"sidecar:test","envelope":{}}}"#,
        envelope(text)
    )
}

/// An envelope that says `text`.
pub(crate) fn envelope(text: &str) -> String {
    format!(
        r#"{{"event_type":"tool.call","actor_id":"agent","environment_id":"test","trace_id":"trace","payload":{{"text":{}}}}}"#,
        serde_json::Value::from(text)
    )
}

/// An envelope with an id and a time of its own, so that a repetition says the same.
pub(crate) fn named(id: u64, text: &str) -> String {
    let envelope = envelope(text);
    format!(
        r#"{{"envelope_id":"01936b2e-7c00-7abc-8def-{id:012x}","claimed_time":"2026-11-22T00:00:00Z",{}"#,
        &envelope[1..]
    )
}

impl Sidecar {
    /// The end of a process that was told to stop.
    pub(crate) fn stop_after_signal(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
