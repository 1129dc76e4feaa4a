//! `bundle inspect`: what a bundle says of itself, before anything of it is verified, and said to be so.

use std::io;
use std::path::PathBuf;

use clap::Args;
use recorder_verify::{Form, Inspection, VerifyLimits, inspect};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};

/// Looks into a bundle without verifying it.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// The bundle: an archive or a document
    file: PathBuf,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Inspected(Inspection);

impl Answer for Inspected {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let bundle = &self.0;
        let locale = page.locale();
        page.pieces(&[
            (Tone::Warning, say!(locale, inspect.not_verified)),
            (Tone::Warning, ": "),
            (Tone::Plain, say!(locale, inspect.own_words)),
        ])?;
        let form = match bundle.form {
            Form::Archive => say!(locale, inspect.archive),
            Form::Document => say!(locale, inspect.document),
        };
        page.field(&label::bundle, &bundle.bundle_id.to_string())?;
        page.field(&label::form, form)?;
        page.field(&label::stream, &bundle.stream.to_string())?;
        page.field(&label::created_at, &bundle.created_at.to_string())?;
        page.field(&label::selector, &selector_text(bundle, locale))?;
        page.field(&label::envelopes, &bundle.envelope_count.to_string())?;
        page.field(&label::parents_left_out, &bundle.omitted_parent_count.to_string())?;
        page.field(&label::attachments, &bundle.attachment_count.to_string())?;
        page.field(&label::withheld, &bundle.withheld_count.to_string())?;
        page.field(&label::log_size, &bundle.tree_size.to_string())?;
        page.field(&label::log_root, &bundle.root_hash.to_string())?;
        page.field(&label::checkpoint, yes(bundle.has_checkpoint, locale))?;
        page.field(&label::manifest_signature, yes(bundle.has_signature, locale))?;
        page.line("")?;
        let header = [
            say!(locale, column.segment),
            say!(locale, column.envelopes),
            say!(locale, column.included),
            say!(locale, column.sealed),
        ];
        page.table(&header, &rows(bundle, locale))
    }
}

fn yes(is: bool, locale: Locale) -> &'static str {
    if is { say!(locale, word.yes) } else { say!(locale, word.no) }
}

fn selector_text(bundle: &Inspection, locale: Locale) -> String {
    let not_shown = |_| say!(locale, inspect.not_shown).to_owned();
    serde_json::to_string(&bundle.selector).unwrap_or_else(not_shown)
}

fn rows(bundle: &Inspection, locale: Locale) -> Vec<Vec<String>> {
    let row = |segment: &recorder_envelope::bundle::ManifestSegment| {
        vec![
            segment.segment_id.to_string(),
            segment.envelope_count.to_string(),
            segment.included_count.to_string(),
            yes(segment.seal_hash.is_some(), locale).to_owned(),
        ]
    };
    bundle.segments.iter().map(row).collect()
}

impl Inspect {
    /// Looks.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let bundle = recorder_fs::open_read(&self.file)?;
        let inspection = inspect(&bundle, &VerifyLimits::default())?;
        context.output.answer(&Inspected(inspection))?;
        Ok(Exit::Done)
    }
}
