//! `man`: the manual pages, made from the same definition as the command line.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man as Page1;
use serde::Serialize;

use crate::arguments::localised;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Page};

/// Prints `recorder(1)`, or writes a page for each command.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Write one page for each command into this directory, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Pages {
    One { page: String },
    Many { pages: Vec<PathBuf> },
}

impl Answer for Pages {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        match self {
            Self::One { page: text } => page.raw(text.as_bytes()),
            Self::Many { pages } => {
                pages.iter().try_for_each(|path| page.line(&path.display().to_string()))
            }
        }
    }
}

impl Man {
    /// Prints or writes the pages.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut command = localised(context.locale());
        // Gives every command its full name and the options that all of them take.
        command.build();
        let pages = match &self.dir {
            None => {
                let page = String::from_utf8_lossy(&render(command)?).into_owned();
                Pages::One { page }
            }
            Some(directory) => {
                std::fs::create_dir_all(directory).map_err(|source| Failure::Directory {
                    path: directory.display().to_string(),
                    source,
                })?;
                let mut pages = Vec::new();
                write_pages(&command, "recorder", directory, &mut pages)?;
                Pages::Many { pages }
            }
        };
        context.output.answer(&pages)?;
        Ok(Exit::Done)
    }
}

fn render(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Page1::new(command).render(&mut page).map_err(Failure::Output)?;
    Ok(page)
}

fn write_pages(
    command: &clap::Command,
    name: &str,
    directory: &Path,
    pages: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let path = directory.join(format!("{name}.1"));
    let named: &'static str = Box::leak(name.to_owned().into_boxed_str());
    recorder_fs::write_new(&path, &render(command.clone().name(named))?)?;
    pages.push(path);
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write_pages(inner, &format!("{name}-{}", inner.get_name()), directory, pages)?;
    }
    Ok(())
}
