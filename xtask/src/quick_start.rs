//! The commands of the front page's section on the sidecar, run as they are written, in a directory of their own.
//!
//! Only the port is another: the usual one may be taken. Deliberately absent: the block that builds, which is cargo's
//! own; its place is taken by the same programs as this run builds them.
#![expect(clippy::disallowed_methods, reason = "works in a directory of its own below target")]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::python::{missing, target_directory};
use crate::step::{Outcome, Run, is_installed};

const SECTION: &str = "\n## Beside your application\n";

/// The port that the page names.
const PORT: &str = "8787";

/// The command after which the settings are there.
const INIT: &str = "recorder init --sidecar beside\n";

/// Runs the page's commands, or says why they were not run.
pub(crate) fn check(run: &mut Run, root: &Path) {
    if let Some(tool) = ["bash", "curl"].into_iter().find(|tool| !is_installed(tool)) {
        run.step("quick start", || missing(&format!("{tool} is not installed")));
        return;
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "recorder-cli", "--package", "recorder-sidecar"]);
    build.args(["--bin", "recorder", "--bin", "recorder-sidecar"]).current_dir(root);
    run.command("the programs of the quick start", &mut build);
    run.step("quick start", || match walk(root) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    });
}

fn walk(root: &Path) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(root.join("README.md"))?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let script = script(&page, port)?;
    let target = target_directory()?;
    let directory = target.join("quick-start");
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    println!("{script}");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = [target.join("debug")].into_iter().chain(std::env::split_paths(&paths));
    let status = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&directory)
        .env("PATH", std::env::join_paths(paths)?)
        // What verifying keeps in a home belongs to nobody here.
        .env("HOME", &directory)
        .env("XDG_STATE_HOME", directory.join("state"))
        .status()?;
    ensure!(status.success(), "the commands of README.md end with {status}");
    Ok(())
}

/// The shell blocks of the section but the first, one after the other.
fn script(page: &str, port: u16) -> anyhow::Result<String> {
    let (_, section) = page.split_once(SECTION).context("README.md has no such section")?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut blocks = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split_once("```").map_or(rest, |(block, _)| block));
    let build = blocks.next().context("the section holds no commands")?;
    ensure!(build.starts_with("cargo build "), "the first commands build no longer");
    let commands: String = blocks.collect();
    ensure!(commands.contains(INIT), "{INIT:?} is gone");
    let settings =
        format!("{INIT}printf '\\n[transport.tcp]\\nport = {PORT}\\n' >> beside/sidecar.toml\n");
    let commands = commands.replace(INIT, &settings).replace(PORT, &port.to_string());
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n");
    script.write_str(&commands)?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_from_the_section_alone_and_only_the_port_is_another() {
        let page = "## A\n```sh\nno\n```\n## Beside your application\n```sh\ncargo build x\n```\n\
                    ```sh\nrecorder init --sidecar beside\ncurl http://127.0.0.1:8787/ready\n```\n## B\n```sh\nno\n```\n";
        let script = script(page, 9).unwrap();
        let expected = "recorder init --sidecar beside\nprintf '\\n[transport.tcp]\\nport = 9\\n' >> beside/sidecar.toml\n\
                        curl http://127.0.0.1:9/ready\n";
        assert!(script.ends_with(expected), "{script}");
        assert!(super::script("## Beside your application\n", 9).is_err());
    }
}
