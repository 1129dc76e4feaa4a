//! A verification as a page for an auditor who is no programmer: one HTML file that needs nothing but itself.
//!
//! What is not proven stands beside what is, at the same size. The same facts give the same bytes. Deliberately absent:
//! scripts, anything from elsewhere, payloads, and whatever an invalid bundle says of its events.

pub(crate) mod command;
mod html;
mod sections;

use std::io::{self, Write};

use recorder_core::time::UtcTimestamp;
use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::{Contents, Outcome, Report, TranscriptInputs, VerifyLimits};

use crate::i18n::{Locale, say};
use html::Html;

/// Rows of a list that are shown; what is beyond is counted.
pub(crate) const ROWS_MAX: usize = 2_000;

/// What a page is made of.
pub(crate) struct Facts<'a> {
    /// The language of the page.
    pub(crate) locale: Locale,
    /// The name of the bundle's file, as a person sees it.
    pub(crate) file_name: String,
    /// Hashes of what went in.
    pub(crate) inputs: &'a TranscriptInputs,
    /// Whose keys were trusted.
    pub(crate) trust_root: Option<&'a TrustRoot>,
    /// What came out.
    pub(crate) report: &'a Report,
    /// What the bundle holds; `None` where it is invalid.
    pub(crate) contents: Option<&'a Contents>,
    /// How far the verifier was allowed to go.
    pub(crate) limits: &'a VerifyLimits,
    /// What had to be proven.
    pub(crate) required: Vec<&'static str>,
    /// Whether it was.
    pub(crate) outcome: Outcome,
    /// The commands that hash the file and verify it again; `None` where names cannot be shown.
    pub(crate) commands: Option<[String; 2]>,
    /// When, by the clock of the machine that verified; `None` leaves the page without any time of its own.
    pub(crate) verified_at: Option<UtcTimestamp>,
}

/// Writes the page.
///
/// # Errors
///
/// What `out` says.
pub(crate) fn render(facts: &Facts<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut html = Html::new(out);
    html.markup("<!DOCTYPE html>\n<html lang=\"")?;
    html.text(facts.locale.tag())?;
    html.markup(concat!(
        "\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
    ))?;
    let title = say!(facts.locale, report.title);
    html.element("<title>", title, "</title>")?;
    html.markup(concat!(
        "<style>\n",
        include_str!("report/report.css"),
        "</style>\n</head>\n<body>\n<main>\n",
    ))?;
    html.element("<h1>", title, "</h1>")?;
    if facts.locale.is_by_machine() {
        for locale in [facts.locale, Locale::ENGLISH] {
            html.element("<p class=\"note\">", say!(locale, report.by_machine), "</p>")?;
        }
    }
    sections::write(facts, &mut html)?;
    html.markup("</main>\n</body>\n</html>\n")
}
