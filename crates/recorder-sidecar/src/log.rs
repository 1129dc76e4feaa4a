//! The log: one line an event on standard error, with names, counts and ids; never a payload, never a secret.
//!
//! A thread of its own writes it: somebody who stops reading it holds up no request. Lines that it cannot take meanwhile
//! are counted, and the count is the next line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use recorder::clock::{Clock as _, SystemClock};
use recorder_core::identity::is_forbidden;
use recorder_sidecar_config::config::{LogLevel, LoggingSettings};
use serde_json::{Map, Value};
use tokio::time::Instant;

/// Lines that wait to be written.
const LINES_MAX: usize = 4096;

/// How long the end of the process waits for lines to be written, and how often it looks.
const END_TIMEOUT: Duration = Duration::from_secs(1);
const END_PAUSE: Duration = Duration::from_millis(5);

/// The way to the thread that writes; nobody writes before it has started but who has an event.
static WRITER: OnceLock<SyncSender<Item>> = OnceLock::new();

/// Lines that found no room on the way.
static LOST: AtomicU64 = AtomicU64::new(0);

/// What the thread is given.
enum Item {
    Line(String),
    /// Dropped when everything before it is written.
    End(SyncSender<()>),
}

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
        let line = self.line(level, event, members);
        let Some(writer) = WRITER.get() else { return print(&line) };
        if writer.try_send(Item::Line(line)).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn line(&self, level: LogLevel, event: &str, members: &[(&str, Value)]) -> String {
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
        match visible(&line) {
            Cow::Owned(escaped) => escaped,
            Cow::Borrowed(_) => line,
        }
    }

    /// Has lines written by a thread of their own, up to the end of what is returned.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(self) -> std::io::Result<Started> {
        let (writer, items) = sync_channel(LINES_MAX);
        let run = move || self.print_all(&items);
        std::thread::Builder::new().name("sidecar-log".to_owned()).spawn(run)?;
        // There is one process, and it starts once.
        let _ = WRITER.set(writer);
        Ok(Started)
    }

    fn print_all(self, items: &Receiver<Item>) {
        for item in items {
            let lost = LOST.swap(0, Ordering::Relaxed);
            if lost > 0 && self.takes(LogLevel::Warn) {
                print(&self.line(LogLevel::Warn, "log_lines_lost", &[("count", lost.into())]));
            }
            match item {
                Item::Line(line) => print(&line),
                Item::End(done) => drop(done),
            }
        }
    }
}

fn print(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A log whose lines a thread writes. Its end waits for them, but not for ever.
#[must_use = "lines that wait are lost with the process"]
pub(crate) struct Started;

impl Drop for Started {
    fn drop(&mut self) {
        let Some(writer) = WRITER.get() else { return };
        let until = Instant::now() + END_TIMEOUT;
        let (done, ended) = sync_channel(0);
        let mut end = Item::End(done);
        while let Err(TrySendError::Full(back)) = writer.try_send(end) {
            if Instant::now() >= until {
                return;
            }
            end = back;
            std::thread::sleep(END_PAUSE);
        }
        // It ends without a word, or it takes too long.
        let _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
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
pub(crate) mod tests {
    use recorder_sidecar_config::Config;

    use super::*;

    /// As the defaults say.
    pub(crate) fn log() -> Log {
        let text = "config_version = 1\n[storage]\npath = \"a\"\nhead_guard_path = \"b\"\n[security]\nmode = \"open\"\n[signer]\nenabled = false\n";
        let config = Config::parse(text, std::path::Path::new("/nowhere")).unwrap();
        Log::new(config.logging())
    }

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
