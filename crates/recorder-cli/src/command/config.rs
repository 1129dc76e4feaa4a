//! `config`: whether the settings hold, what they are, and where each came from.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::output::{Answer, Page, Tone};
use crate::settings::{Key, Settings, Value};

/// Looks at the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check every setting, without opening what they name
    Validate,
    /// Print every setting
    Show(Show),
}

/// Prints every setting.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Say where each value came from
    #[arg(long)]
    origin: bool,
}

#[derive(Serialize)]
struct Validated {
    valid: bool,
    config_file: Option<PathBuf>,
}

impl Answer for Validated {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let from = match &self.config_file {
            Some(path) => path.display().to_string(),
            None => say!(page.locale(), config.no_file).to_owned(),
        };
        let valid = say!(page.locale(), config.valid);
        page.pieces(&[(Tone::Good, valid), (Tone::Plain, ": "), (Tone::Plain, &from)])
    }
}

#[derive(Serialize)]
struct Shown {
    config_file: Option<PathBuf>,
    settings: BTreeMap<&'static str, Option<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<BTreeMap<&'static str, String>>,
}

impl Answer for Shown {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        let line = |key: &Key| {
            let value = self.settings.get(key.name()).and_then(Option::as_ref);
            let setting = match value {
                Some(value) => format!("{} = {value}", key.name()),
                None => format!("# {}", say!(locale, config.not_set, key = key.name())),
            };
            let origin = self.origins.as_ref().and_then(|origins| origins.get(key.name()));
            (setting, origin.map(|origin| format!("  # {origin}")))
        };
        for key in &Key::ALL {
            let (setting, origin) = line(key);
            let origin = origin.unwrap_or_default();
            page.pieces(&[(Tone::Plain, &setting), (Tone::Faint, &origin)])?;
        }
        Ok(())
    }
}

impl Config {
    /// Validates or shows.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        match self {
            Self::Validate => {
                let config_file = settings.file;
                context.output.answer(&Validated { valid: true, config_file })?;
            }
            Self::Show(show) => context.output.answer(&shown(&settings, &show))?,
        }
        Ok(Exit::Done)
    }
}

fn shown(settings: &Settings, show: &Show) -> Shown {
    let json = |value| match value {
        Value::Text(text) => serde_json::Value::from(text),
        Value::Integer(number) => serde_json::Value::from(number),
        Value::Boolean(value) => serde_json::Value::from(value),
    };
    let keys = || Key::ALL.into_iter();
    let origin = |key: Key| (key.name(), settings.origin(key).to_string());
    Shown {
        config_file: settings.file.clone(),
        settings: keys().map(|key| (key.name(), settings.value(key).map(json))).collect(),
        origins: show.origin.then(|| keys().map(origin).collect()),
    }
}
