//! The two streams: one answer on standard output, everything else on standard error.
//!
//! Under `--json` the answer is one JSON document, on failure paths too. Whatever reaches a terminal is escaped
//! here and nowhere else, so no command can forget it. A reader that stops reading is no error.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::escape;
use crate::failure::Failure;
use crate::i18n::texts::label;
use crate::i18n::{Locale, Plain, say};

/// What a command has to say, as JSON (its serialisation) and as lines for people.
pub(crate) trait Answer: Serialize {
    /// Writes the lines for people.
    fn print(&self, page: &mut Page<'_>) -> io::Result<()>;
}

/// How a piece of a line looks where colours are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    /// As the rest.
    Plain,
    /// A heading or a name.
    Strong,
    /// Less important.
    Faint,
    /// Proven, done.
    Good,
    /// Unproven, to be looked at.
    Warning,
    /// Broken, failed.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Lines for people, escaped and perhaps coloured.
pub(crate) struct Page<'a> {
    out: &'a mut dyn Write,
    colour: bool,
    locale: Locale,
}

impl<'a> Page<'a> {
    /// Writes to `out`.
    pub(crate) fn new(out: &'a mut dyn Write, colour: bool, locale: Locale) -> Self {
        Self { out, colour, locale }
    }

    /// The language of what is written.
    pub(crate) fn locale(&self) -> Locale {
        self.locale
    }

    /// One line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.pieces(&[(Tone::Plain, text)])
    }

    /// One line of several pieces.
    pub(crate) fn pieces(&mut self, pieces: &[(Tone, &str)]) -> io::Result<()> {
        for (tone, text) in pieces {
            let text = escape::line(text);
            if self.colour && *tone != Tone::Plain {
                let style = tone.style();
                write!(self.out, "{style}{text}{style:#}")?;
            } else {
                self.out.write_all(text.as_bytes())?;
            }
        }
        self.out.write_all(b"\n")
    }

    /// Several lines, each escaped.
    pub(crate) fn block(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| self.line(line))
    }

    /// Text of this program's own that is not lines for people, such as a script.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// A name and its value, the values in one column.
    pub(crate) fn field(&mut self, label: &Plain, value: &str) -> io::Result<()> {
        self.toned_field(Tone::Faint, label, value)
    }

    /// As `field`, with the name in a tone of its own.
    pub(crate) fn toned_field(&mut self, tone: Tone, label: &Plain, value: &str) -> io::Result<()> {
        let label = label::WIDTH.pad(self.locale, label.text(self.locale), 1);
        self.pieces(&[(tone, &label), (Tone::Plain, value)])
    }

    /// Rows in columns as wide as their widest cell.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| escape::line(cell).into_owned()).collect())
            .collect();
        let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
        self.pieces(&[(Tone::Strong, &padded(&header, &widths))])?;
        rows.iter().try_for_each(|row| self.line(&padded(row, &widths)))
    }
}

fn padded(cells: &[String], widths: &[usize]) -> String {
    let line: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    line.join("  ").trim_end().to_owned()
}

/// Where answers, notes and failures go.
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    locale: Locale,
    notice: Cell<Option<&'static str>>,
}

#[derive(Serialize)]
struct Noticed<'a, T: Serialize> {
    #[serde(flatten)]
    answer: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'static str>,
}

#[derive(Serialize)]
struct FailureDocument<'a> {
    error: FailureObject<'a>,
}

#[derive(Serialize)]
struct FailureObject<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    exit_code: u8,
}

impl Output {
    /// Answers as JSON, which is always in English, or for people; `quiet` leaves out notes and progress.
    pub(crate) fn new(json: bool, quiet: bool, locale: Locale) -> Self {
        let locale = if json { Locale::ENGLISH } else { locale };
        Self { json, quiet, locale, notice: Cell::new(None) }
    }

    /// The language of what is said.
    pub(crate) fn locale(&self) -> Locale {
        self.locale
    }

    /// Says, in that language and in English, if nobody vouches for the words that are about to come.
    pub(crate) fn announce_locale(&self) {
        if self.locale.is_by_machine() {
            for locale in [self.locale, Locale::ENGLISH] {
                self.note(&say!(locale, locale.by_machine, language = self.locale.name()));
            }
        }
    }

    /// Whether a person may watch progress on standard error.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.json && !self.quiet && io::stderr().is_terminal()
    }

    /// Has every answer carry `notice` from now on.
    pub(crate) fn set_notice(&self, notice: &'static str) {
        if self.notice.replace(Some(notice)).is_none() {
            self.warn(notice);
        }
    }

    /// Writes the one answer of this run.
    pub(crate) fn answer(&self, answer: &impl Answer) -> Result<(), Failure> {
        let written = if self.json {
            self.write_json(answer)
        } else {
            let stdout = io::stdout();
            let mut out = io::BufWriter::new(stdout.lock());
            let mut page = Page::new(&mut out, colour_on(&stdout), self.locale);
            answer.print(&mut page).and_then(|()| out.flush())
        };
        forgive_closed_pipe(written).map_err(Failure::Output)
    }

    /// Says something in passing.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.diagnose(&[(Tone::Faint, text)]);
        }
    }

    /// Says something that should not be missed.
    pub(crate) fn warn(&self, text: &str) {
        self.prefixed(Tone::Warning, say!(self.locale, output.warning), text);
    }

    /// Says why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let class = failure.class();
        let message = failure.message(self.locale);
        let advice = class.advice(self.locale);
        if self.json {
            let error = FailureObject {
                code: class.code,
                message: &message,
                hint: advice.as_deref(),
                exit_code: class.exit.code(),
            };
            // Nobody is left to tell when standard output fails.
            let _ = self.write_json(&FailureDocument { error });
            return;
        }
        self.prefixed(Tone::Bad, say!(self.locale, output.error), &message);
        if let Some(advice) = &advice {
            self.prefixed(Tone::Strong, say!(self.locale, output.hint), advice);
        }
    }

    fn prefixed(&self, tone: Tone, prefix: &str, text: &str) {
        self.diagnose(&[(tone, prefix), (tone, ": "), (Tone::Plain, text)]);
    }

    /// Says, on lines of its own, what was wrong with the arguments.
    pub(crate) fn complain(&self, text: &str) {
        let stderr = io::stderr();
        // Nobody is left to tell when standard error fails.
        let _ = Page::new(&mut stderr.lock(), false, self.locale).block(text);
    }

    fn diagnose(&self, pieces: &[(Tone, &str)]) {
        let stderr = io::stderr();
        let colour = colour_on(&stderr);
        // Nobody is left to tell when standard error fails.
        let _ = Page::new(&mut stderr.lock(), colour, self.locale).pieces(pieces);
    }

    fn write_json<T: Serialize>(&self, answer: &T) -> io::Result<()> {
        let stdout = io::stdout();
        let document = Noticed { answer, notice: self.notice.get() };
        let mut out = io::BufWriter::new(stdout.lock());
        if stdout.is_terminal() {
            let formatter = escape::TerminalFormatter;
            document.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))?;
        } else {
            serde_json::to_writer(&mut out, &document)?;
        }
        out.write_all(b"\n")?;
        out.flush()
    }
}

/// Colours are for terminals whose user has not said `NO_COLOR` (<https://no-color.org>).
fn colour_on(stream: &impl io::IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !refused && !dumb
}

fn forgive_closed_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(colour: bool, print: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        print(&mut Page::new(&mut bytes, colour, Locale::ENGLISH)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn pieces_are_escaped_whether_coloured_or_not() {
        let pieces = [(Tone::Bad, "a\u{1b}b"), (Tone::Plain, "\u{202e}c")];
        assert_eq!(printed(false, |page| page.pieces(&pieces)), "a\\u{1b}b\\u{202e}c\n");
        let coloured = printed(true, |page| page.pieces(&pieces));
        assert!(coloured.contains("a\\u{1b}b") && coloured.starts_with('\u{1b}'), "{coloured:?}");
    }

    #[test]
    fn columns_are_as_wide_as_what_is_shown() {
        let rows = [vec!["a\nb".to_owned(), "x".to_owned()], vec!["c".to_owned(), "y".to_owned()]];
        let table = printed(false, |page| page.table(&["id", "name"], &rows));
        assert_eq!(table, "id       name\na\\u{a}b  x\nc        y\n");
    }
}
