//! PostgreSQL of its own for a lane: the same row and indexes, committed one by one by many clients.
//!
//! Deliberately absent: tuning. It runs as it is installed, but that it listens on a socket of its own only.
#![expect(clippy::disallowed_methods, reason = "writes the script that pgbench runs")]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::fs::{Gid, Uid};

/// The row of an envelope with the indexes that the store has.
const SCHEMA: &str = "
CREATE TABLE envelopes (
  envelope_key bigint PRIMARY KEY, stream_number int NOT NULL, segment_key bigint NOT NULL, sequence int NOT NULL,
  recorded_at bigint NOT NULL, envelope_id uuid NOT NULL, event_type int NOT NULL, actor_id int NOT NULL,
  environment_id int NOT NULL, claimed_seconds bigint NOT NULL, claimed_nanoseconds int NOT NULL, trace_id text,
  session_id text, parent_ids bytea, attachment_refs text, payload_salt bytea, payload_commitment bytea NOT NULL,
  content_hash bytea NOT NULL, chain_hash bytea NOT NULL, signature bytea, payload text);
CREATE UNIQUE INDEX envelopes_by_id ON envelopes (envelope_id, stream_number);
CREATE INDEX envelopes_by_trace ON envelopes (stream_number, trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX envelopes_by_session ON envelopes (stream_number, session_id) WHERE session_id IS NOT NULL;
CREATE SEQUENCE numbers CACHE 1000;
";

/// One envelope, whose hashes need not be hashes.
const SCRIPT: &str = "
INSERT INTO envelopes
SELECT n, 1, 1, n, n, lpad(to_hex(n), 32, '0')::uuid, 1, 2, 3, n, 0, md5((n / 50)::text), 'session-' || n / 50,
  NULL, NULL, decode('00112233445566778899aabbccddeeff', 'hex'), :hash, :hash, :hash, NULL, :payload
FROM (SELECT nextval('numbers') AS n) AS number;
";

/// A running server, ended with this value.
pub(crate) struct Postgres {
    directory: PathBuf,
    programs: PathBuf,
    user: Option<(Uid, Gid)>,
    server: Child,
}

impl Postgres {
    /// Where PostgreSQL is installed, if it is, as Debian does it.
    pub(crate) fn programs() -> Option<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut found = versions
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .filter(|programs| {
                programs.join("pgbench").exists() && programs.join("initdb").exists()
            })
            .collect::<Vec<_>>();
        found.sort();
        found.pop()
    }

    /// Makes a cluster in `directory` and starts it.
    pub(crate) fn start(programs: PathBuf, directory: &Path) -> anyhow::Result<Self> {
        let user = user()?;
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        if let Some((uid, gid)) = user {
            rustix::fs::chown(&directory, Some(uid), Some(gid))?;
        }
        let command = |name: &str| as_user(programs.join(name), user);
        let data = directory.join("data");
        let mut make = command("initdb");
        make.arg("--pgdata").arg(&data).args([
            "--auth=trust",
            "--username=bench",
            "--encoding=UTF8",
        ]);
        output(&mut make)?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(&directory).args([
            "-h",
            "",
            "-c",
            "synchronous_commit=on",
        ]);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let postgres = Self { directory, programs, user, server };
        postgres.wait()?;
        std::fs::write(postgres.directory.join("insert.sql"), SCRIPT)?;
        output(postgres.client("psql").args(["--quiet", "--command", SCHEMA, "postgres"]))?;
        Ok(postgres)
    }

    /// Commits of single rows a second, by so many clients.
    pub(crate) fn rate(&self, clients: u64, seconds: u64, payload: &str) -> anyhow::Result<f64> {
        let hash = "0123456789abcdef".repeat(2);
        let mut bench = self.client("pgbench");
        bench.args(["--no-vacuum", "--protocol=prepared", "--jobs=1"]);
        bench.args([format!("--client={clients}"), format!("--time={seconds}")]);
        bench.args([
            "--define",
            &format!("payload={payload}"),
            "--define",
            &format!("hash={hash}"),
        ]);
        bench.arg("--file").arg(self.directory.join("insert.sql")).arg("postgres");
        let text = output(&mut bench)?;
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .context("pgbench tells no rate")?;
        Ok(rate.split(' ').next().unwrap_or_default().parse()?)
    }

    fn client(&self, name: &str) -> Command {
        let mut command = as_user(self.programs.join(name), self.user);
        command.arg("--host").arg(&self.directory).arg("--username=bench");
        command
    }

    fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..200 {
            let mut ready = self.client("pg_isready");
            if ready.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("PostgreSQL does not start")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: it ends at once and takes its own processes with it.
        let pid = rustix::process::Pid::from_child(&self.server);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.server.wait();
    }
}

/// PostgreSQL refuses to be run by root; its package has a user for it.
fn user() -> anyhow::Result<Option<(Uid, Gid)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.context("there is no user postgres")?.split(':').skip(2);
    let mut number =
        || -> anyhow::Result<u32> { Ok(fields.next().context("a user without numbers")?.parse()?) };
    let (uid, gid) = (number()?, number()?);
    Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid))))
}

fn as_user(program: PathBuf, user: Option<(Uid, Gid)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command.current_dir("/");
    command
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{}: {errors}", command.get_program().display());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
