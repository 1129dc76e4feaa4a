//! `recorder-sidecar`: the HTTP service beside an application, strict at the door, durable before it answers.
//!
//! Deliberately absent: anything that records without a file of settings, and any way to change what is recorded.

mod admission;
mod answer;
mod audit;
mod bundles;
mod checkpoints;
mod control_plane;
mod gate;
mod handle;
mod healthcheck;
mod ingest;
mod listen;
mod log;
mod metrics;
mod otel;
mod parameters;
mod probes;
mod reading;
mod recording;
mod refusal;
mod service;
mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use recorder_sidecar_config::Config;
use recorder_sidecar_config::tls::ClientTlsFiles;

use crate::healthcheck::Target;
use crate::service::{Service, StartOptions};

/// Requests are made on one thread and freed on another; `docs/adr/0026-the-sidecar-allocates-with-mimalloc.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records what an application sends over HTTP.
#[derive(Parser)]
#[command(name = "recorder-sidecar", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// Serving, which is what happens without a command.
#[derive(Args)]
struct Serve {
    /// The settings, in TOML
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Check the settings and every file that they name, then stop
    #[arg(long, requires = "config")]
    check: bool,
    /// Make the database if it is missing
    #[arg(long, requires = "config")]
    create: bool,
    /// Take streams whose guarded heads are missing as they are, and record that
    #[arg(long, requires = "config")]
    adopt_head: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Ask a probe of a sidecar on this machine
    #[command(arg_required_else_help = true)]
    Healthcheck(Healthcheck),
}

#[derive(Args)]
struct Healthcheck {
    /// Such as http://127.0.0.1:8787/ready or https://localhost:8787/ready
    #[arg(long, value_name = "URL", required_unless_present = "unix_socket")]
    url: Option<String>,
    /// The certificate of whoever issued the sidecar's, with https
    #[arg(long, value_name = "PATH", requires = "url")]
    ca_cert: Option<PathBuf>,
    /// A certificate to show, where the sidecar asks for one
    #[arg(long, value_name = "PATH", requires_all = ["ca_cert", "client_key"])]
    client_cert: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "PATH", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// The socket of the sidecar
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    unix_socket: Option<PathBuf>,
    /// The probe's path, with --unix-socket
    #[arg(long, value_name = "PATH", default_value = "/health", requires = "unix_socket")]
    path: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.command, arguments.serve.config) {
        (Some(Command::Healthcheck(asked)), _) => healthcheck::ask(asked.target()),
        (None, Some(path)) => {
            let Serve { check, create, adopt_head, .. } = arguments.serve;
            serve(&path, check, StartOptions { create, adopt_head })
        }
        (None, None) => Err("--config PATH is needed; --help says what else there is".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Paths and texts of settings are in it: lines are kept, whatever else is not seen is escaped.
            error.lines().for_each(|line| eprintln!("recorder-sidecar: {}", log::visible(line)));
            ExitCode::FAILURE
        }
    }
}

impl Healthcheck {
    fn target(self) -> Target {
        match self.unix_socket {
            Some(socket) => Target::Unix { socket, path: self.path },
            None => {
                let own = self.client_cert.zip(self.client_key);
                let tls =
                    self.ca_cert.map(|ca_path| ClientTlsFiles { ca_path: Some(ca_path), own });
                // Without either of them the arguments were refused.
                Target::Url { url: self.url.unwrap_or_default(), tls }
            }
        }
    }
}

fn serve(path: &std::path::Path, check: bool, options: StartOptions) -> Result<(), String> {
    let config =
        Config::load(path).map_err(|problems| format!("{}:\n{problems}", path.display()))?;
    if check {
        return Ok(());
    }
    log::report_panics(config.logging());
    let _log = log::Log::new(config.logging()).start().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let reload_signal = runtime.block_on(async { listen::reload_signal() });
    let service = Arc::new(Service::start(config, options, runtime.handle())?);
    runtime.block_on(listen::run(service, reload_signal.map_err(|error| error.to_string())?))
}
