//! The sidecar under load: the optimised program, as it is shipped, in a process and a directory of its own.
#![expect(clippy::disallowed_methods, reason = "writes settings and secrets of its own servers")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::load::{Load, Outcome, Pace, Target};
use crate::requests::{Spread, Traffic};

/// The recorder half of every stream here, as in the stores that other lanes make.
const RECORDER_ID: &str = "recorder-bench";

/// RFC 8410, version 1, around the seed that signs the stores of other lanes.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC\n-----END PRIVATE KEY-----\n";

/// A running sidecar, ended with this value.
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
    token: String,
    address: String,
}

impl Server {
    /// Starts one in `directory`, with a new database unless one is there already.
    pub(crate) fn start(directory: &Path, more: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let token = format!("{:032x}", std::process::id());
        secret(&directory.join("token"), &token)?;
        secret(&directory.join("key.pem"), KEY)?;
        let is_new = !directory.join("recorder.db").exists();
        let config = directory.join("sidecar.toml");
        std::fs::write(&config, settings(more))?;
        let mut command = Command::new(program()?);
        command.arg("--config").arg(&config);
        command.arg(if is_new { "--create" } else { "--adopt-head" });
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(child.stderr.take().context("a child without an end")?);
        let Some(address) = listening(&mut log)? else {
            // It has ended, and has said why.
            let _ = child.wait();
            anyhow::bail!("the sidecar does not start");
        };
        // What it says later is passed on; nothing may wait for a full pipe.
        std::thread::spawn(move || {
            log.lines().map_while(Result::ok).for_each(|line| eprintln!("{line}"))
        });
        Ok(Self { child, directory, token, address })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its TCP listener.
    pub(crate) fn tcp(&self) -> Target {
        Target::Tcp(self.address.clone())
    }

    /// Its Unix socket.
    pub(crate) fn unix(&self) -> Target {
        Target::Unix(self.directory.join("socket"))
    }

    /// A load on it; each `seed` may be used once in the life of a database.
    pub(crate) fn load(&self, traffic: Traffic, connections: u64, seed: u64) -> Load {
        Load {
            target: self.tcp(),
            token: self.token.clone(),
            recorder_id: RECORDER_ID.to_owned(),
            connections,
            traffic,
            spread: Spread::Ordered,
            pace: Pace::Closed,
            warmup_ms: 300,
            measured_ms: 2000,
            requests_max: None,
            seed,
            server_pid: self.pid(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a load in a process of its own.
pub(crate) fn run(load: &Load) -> anyhow::Result<Outcome> {
    start(load)?.finish()
}

/// A load that is under way.
pub(crate) struct Running(Child);

/// Starts a load in a process of its own.
pub(crate) fn start(load: &Load) -> anyhow::Result<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", "load"]).arg(serde_json::to_string(load)?);
    Ok(Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?))
}

impl Running {
    /// Waits for its end.
    pub(crate) fn finish(self) -> anyhow::Result<Outcome> {
        let output = self.0.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "the load failed: {errors}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Where it says that it listens; what it says before is passed on, and nothing comes where it ends without.
fn listening(log: &mut impl std::io::BufRead) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    while log.read_line(&mut line)? > 0 {
        let event = serde_json::from_str::<serde_json::Value>(&line).ok();
        let address = event.filter(|event| event["event"] == "listening");
        if let Some(address) = address.and_then(|event| Some(event["tcp"].as_str()?.to_owned())) {
            return Ok(Some(address));
        }
        eprint!("{line}");
        line.clear();
    }
    Ok(None)
}

fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

/// The settings of every server here: the defaults but for where things are, and `more`.
fn settings(more: &str) -> String {
    format!(
        "config_version = 1\nrecorder.recorder_id = \"{RECORDER_ID}\"\nstorage.path = \"recorder.db\"\n\
         storage.head_guard_path = \"guard/heads\"\ntransport.mode = \"both\"\ntransport.tcp.port = 0\n\
         transport.unix.path = \"socket\"\nsecurity.token_path = \"token\"\nsigner.key_path = \"key.pem\"\n{more}"
    )
}

/// The sidecar that was built beside this program.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("recorder-sidecar");
    anyhow::ensure!(
        program.exists(),
        "{} is missing; `cargo xtask bench` builds it",
        program.display()
    );
    Ok(program)
}
