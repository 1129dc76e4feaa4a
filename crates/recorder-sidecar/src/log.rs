//! The log: one line an event on standard error, with names, counts and ids; never a payload, never a secret.

use std::io::Write as _;

use recorder::clock::{Clock as _, SystemClock};
use recorder_sidecar_config::config::{LogLevel, LoggingSettings};
use serde_json::{Map, Value};

/// Where events go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    level: LogLevel,
    is_json: bool,
}

impl Log {
    /// As the settings say.
    pub(crate) fn new(settings: &LoggingSettings) -> Self {
        Self { level: settings.level, is_json: settings.is_json }
    }

    /// Whether events of this level are written.
    pub(crate) fn takes(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// Writes one event.
    pub(crate) fn write(&self, level: LogLevel, event: &str, members: &[(&str, Value)]) {
        if !self.takes(level) {
            return;
        }
        let now = SystemClock.now();
        let line = if self.is_json {
            let mut line = Map::new();
            line.insert("time".to_owned(), now.to_string().into());
            line.insert("level".to_owned(), name(level).into());
            line.insert("event".to_owned(), event.into());
            line.extend(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            Value::Object(line).to_string()
        } else {
            // Values are written as JSON, so that no control character reaches a terminal.
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{now} {} {event}{}", name(level), members.concat())
        };
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}
