//! The log: one line an event on standard error, with names, counts and ids; never a payload, never a secret.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

use recorder::clock::{Clock as _, SystemClock};
use recorder_core::identity::is_forbidden;
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
            // Values are written as JSON: a text ends where its quotes do.
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{now} {} {event}{}", name(level), members.concat())
        };
        let line = visible(&line);
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// The line, with every character escaped that begins another line, is not seen, or changes how others look. Such
/// characters stand in texts of JSON only, where this is how they may be written.
pub(crate) fn visible(line: &str) -> Cow<'_, str> {
    if line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return line.into();
    }
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        if is_forbidden(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out.into()
}

/// Has panics logged by their place: what they say may hold a payload.
pub(crate) fn report_panics(settings: &LoggingSettings) {
    let log = Log::new(settings);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|it| format!("{}:{}", it.file(), it.line()));
        log.write(LogLevel::Error, "panic", &[("place", place.into())]);
    }));
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_a_second_line_or_turns_one_around() {
        let hostile = "a\nb\r\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{200b}\u{1b}[2J\u{9b}\u{7f}\u{e0041}\u{feff}é";
        let line = Value::from(hostile).to_string();
        let shown = visible(&line);
        assert!(!shown.chars().any(is_forbidden), "{shown:?}");
        let read: String = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, hostile);
        assert!(matches!(visible("plain {\"a\":1}"), Cow::Borrowed(_)));
    }
}
