//! `fsck`: the whole read of a database: every envelope, segment, tile, checkpoint and attachment re-derived.

use std::io;

use clap::Args;
use recorder::fsck::{self, Finding, FsckReport};
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::TrustRoot;
use recorder_store::Store;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;
use crate::settings::Settings;

/// Reads everything.
#[derive(Args, Debug)]
pub(crate) struct Fsck {}

#[derive(Serialize)]
pub(super) struct Checked {
    /// Whether nothing is wrong.
    pub(super) clean: bool,
    signatures_checked: bool,
    head_guard_compared: bool,
    /// What was read, and what is wrong with it.
    #[serde(flatten)]
    pub(super) report: FsckReport,
}

impl Answer for Checked {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let (report, locale) = (&self.report, page.locale());
        for finding in &report.findings {
            let place = format!("{}: ", finding.place);
            page.pieces(&[(Tone::Bad, &place), (Tone::Plain, &finding.detail)])?;
        }
        let listed = report.findings.len() as u64;
        if report.finding_count > listed {
            page.line(&say!(locale, word.more, count = report.finding_count - listed))?;
        }
        page.field(&label::streams, &report.streams.to_string())?;
        page.field(&label::segments, &report.segments.to_string())?;
        page.field(&label::envelopes, &report.envelopes.to_string())?;
        if report.payloads_erased > 0 {
            let erased = say!(locale, fsck.erased, count = report.payloads_erased);
            page.toned_field(Tone::Warning, &label::erased, &erased)?;
        }
        page.field(&label::attachments, &report.attachments.to_string())?;
        page.field(&label::signatures, &report.signatures.to_string())?;
        if report.signatures_unchecked > 0 {
            let unchecked = say!(locale, fsck.unchecked, count = report.signatures_unchecked);
            page.toned_field(Tone::Warning, &label::signatures, &unchecked)?;
        }
        let guard = match self.head_guard_compared {
            true => say!(locale, fsck.guard_compared),
            false => say!(locale, word.none),
        };
        page.field(&label::head_guard, guard)?;
        if self.clean {
            let word = say!(locale, fsck.clean);
            page.pieces(&[
                (Tone::Good, word),
                (Tone::Good, ": "),
                (Tone::Plain, self.meaning(locale)),
            ])
        } else {
            let (word, meaning) = (say!(locale, fsck.corrupt), say!(locale, fsck.means_corrupt));
            page.pieces(&[(Tone::Bad, word), (Tone::Bad, ": "), (Tone::Plain, meaning)])
        }
    }
}

impl Checked {
    fn meaning(&self, locale: Locale) -> &'static str {
        match self.signatures_checked {
            true => say!(locale, fsck.means_clean),
            false => say!(locale, fsck.means_clean_unsigned),
        }
    }
}

impl Fsck {
    /// Reads everything and names all that is wrong.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let checked = check(context, &context.settings()?)?;
        let clean = checked.clean;
        context.output.answer(&checked)?;
        Ok(if clean { Exit::Done } else { Exit::Invalid })
    }
}

/// Reads everything that the settings name.
pub(super) fn check(context: &Context, settings: &Settings) -> Result<Checked, Failure> {
    let keys = trusted_keys(settings)?;
    let store = context.reader(settings)?;
    let mut report = {
        let progress = Progress::count(&context.output, say!(context.locale(), fsck.progress));
        fsck::fsck(&*store, &keys, &mut |envelopes| progress.set(envelopes))?
    };
    let head_guard_compared = compare_heads(context, settings, &*store, &mut report)?;
    let (clean, signatures_checked) = (report.is_clean(), !keys.is_empty());
    Ok(Checked { clean, signatures_checked, head_guard_compared, report })
}

/// Adds what the head guard has seen otherwise; says whether there is a guard.
fn compare_heads(
    context: &Context,
    settings: &Settings,
    store: &dyn Store,
    report: &mut FsckReport,
) -> Result<bool, Failure> {
    let compared = match context.compare_with_guard(settings, store, None) {
        Ok(None) => return Ok(false),
        Ok(Some(compared)) => compared,
        // The whole read has named it.
        Err(Failure::Open(recorder::OpenError::Corrupt(_))) if !report.is_clean() => {
            return Ok(false);
        }
        Err(failure) => return Err(failure),
    };
    for problem in compared.problems.iter().chain(&compared.missing) {
        report.finding_count += 1;
        let place = "head guard".to_owned();
        report.findings.push(Finding { place, detail: problem.to_string() });
    }
    Ok(true)
}

/// The keys of the trust root that the settings name.
fn trusted_keys(settings: &Settings) -> Result<Vec<PublicKey>, Failure> {
    let Some(path) = &settings.trust_root else { return Ok(Vec::new()) };
    let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
    let root = TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)?;
    Ok(root.keys().iter().map(|key| *key.public_key()).collect())
}
