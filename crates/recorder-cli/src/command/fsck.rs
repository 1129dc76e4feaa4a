//! `fsck`: the whole read of a database: every envelope, segment, tile, checkpoint and attachment re-derived.

use std::io;

use clap::Args;
use recorder::fsck::{self, FsckReport};
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::TrustRoot;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;
use crate::settings::Settings;

/// Reads everything.
#[derive(Args, Debug)]
pub(crate) struct Fsck {}

#[derive(Serialize)]
struct Checked {
    clean: bool,
    signatures_checked: bool,
    #[serde(flatten)]
    report: FsckReport,
}

impl Answer for Checked {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let report = &self.report;
        for finding in &report.findings {
            let place = format!("{}: ", finding.place);
            page.pieces(&[(Tone::Bad, &place), (Tone::Plain, &finding.detail)])?;
        }
        let listed = report.findings.len() as u64;
        if report.finding_count > listed {
            page.line(&format!("and {} more", report.finding_count - listed))?;
        }
        page.field("streams", &report.streams.to_string())?;
        page.field("segments", &report.segments.to_string())?;
        page.field("envelopes", &report.envelopes.to_string())?;
        page.field("attachments", &report.attachments.to_string())?;
        page.field("signatures", &report.signatures.to_string())?;
        if self.clean {
            page.pieces(&[(Tone::Good, "clean: "), (Tone::Plain, self.meaning())])
        } else {
            page.pieces(&[
                (Tone::Bad, "corrupt: "),
                (Tone::Plain, "what is stored does not follow from its own hashes"),
            ])
        }
    }
}

impl Checked {
    fn meaning(&self) -> &'static str {
        match self.signatures_checked {
            true => "every hash, link and signature of a trusted key holds",
            false => {
                "every hash and link holds; signatures were not checked, as no trust root is configured"
            }
        }
    }
}

impl Fsck {
    /// Reads everything and names all that is wrong.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let keys = trusted_keys(&settings)?;
        let store = context.reader(&settings)?;
        let report = {
            let progress = Progress::count(&context.output, "envelopes checked");
            fsck::fsck(&*store, &keys, &mut |envelopes| progress.set(envelopes))?
        };
        let clean = report.is_clean();
        let signatures_checked = !keys.is_empty();
        context.output.answer(&Checked { clean, signatures_checked, report })?;
        Ok(if clean { Exit::Done } else { Exit::Invalid })
    }
}

/// The keys of the trust root that the settings name.
fn trusted_keys(settings: &Settings) -> Result<Vec<PublicKey>, Failure> {
    let Some(path) = &settings.trust_root else { return Ok(Vec::new()) };
    let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
    let root = TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)?;
    Ok(root.keys().iter().map(|key| *key.public_key()).collect())
}
