//! `recorder-sidecar`: the HTTP service beside an application, strict at the door, durable before it answers.
//!
//! Deliberately absent: anything that records without a file of settings, and any way to change what is recorded.

mod admission;
mod answer;
mod bundles;
mod checkpoints;
mod gate;
mod handle;
mod healthcheck;
mod ingest;
mod listen;
mod log;
mod metrics;
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

use crate::service::{Service, StartOptions};

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
    /// Such as http://127.0.0.1:8787/ready
    #[arg(long, value_name = "URL", conflicts_with = "unix_socket")]
    url: Option<String>,
    /// The socket of the sidecar
    #[arg(long, value_name = "PATH")]
    unix_socket: Option<PathBuf>,
    /// The probe's path, with --unix-socket
    #[arg(long, value_name = "PATH", default_value = "/health", requires = "unix_socket")]
    path: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.command, arguments.serve.config) {
        (Some(Command::Healthcheck(asked)), _) => healthcheck(&asked),
        (None, Some(path)) => {
            let Serve { check, create, adopt_head, .. } = arguments.serve;
            serve(&path, check, StartOptions { create, adopt_head })
        }
        (None, None) => Err("--config PATH is needed; --help says what else there is".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recorder-sidecar: {error}");
            ExitCode::FAILURE
        }
    }
}

fn healthcheck(asked: &Healthcheck) -> Result<(), String> {
    match (&asked.url, &asked.unix_socket) {
        (Some(url), _) => healthcheck::tcp(url),
        (None, Some(socket)) => healthcheck::unix(socket, &asked.path),
        (None, None) => Err("--url or --unix-socket is needed".to_owned()),
    }
}

fn serve(path: &std::path::Path, check: bool, options: StartOptions) -> Result<(), String> {
    let config =
        Config::load(path).map_err(|problems| format!("{}:\n{problems}", path.display()))?;
    if config.enterprise().is_some() {
        // To serve without asking whom one was told to ask would let everybody in.
        return Err("enterprise.mode: this release asks no control plane; set it to \"disabled\""
            .to_owned());
    }
    if check {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let service = Arc::new(Service::start(config, options)?);
    runtime.block_on(listen::run(service))
}
