//! `bundle verify`: five answers and one verdict on a bundle, offline, by what the auditor brings along.
//!
//! No configuration file is read: whom to believe must not depend on the directory that a bundle was unpacked in.
//! What is not proven is said as plainly as what is.

mod page;

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use recorder_core::limits::{CHECKPOINT_BYTES_MAX, TRUST_ROOT_BYTES_MAX};
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::{
    Answers, Finding, Outcome, PhaseSummary, Report, Requirements, Severity, Subject, Transcript,
    TranscriptInputs, UsedKey, Verdict, VerifyOptions, verify,
};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::{answer, label, question};
use crate::i18n::{Locale, say, texts};
use crate::kept_heads::KeptHeads;
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;
use crate::words::{self, AnswerWords, Circumstances, Weight};

/// Names the trust root, as `--trust-root` does.
const TRUST_ROOT_VARIABLE: &str = "RECORDER_TRUST_ROOT";

/// Threads beyond which a bundle is not verified faster.
const THREADS_MAX: u16 = 256;

/// Verifies a bundle. Exits with 0 if it is valid and everything required is proven, 3 if it is invalid, 4 if it is
/// valid and something required is not proven.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The bundle: an archive or a document
    file: PathBuf,
    /// The keys that you believe; from whoever runs the recorder, by another way than the bundle
    #[arg(long, value_name = "FILE")]
    trust_root: Option<PathBuf>,
    /// A checkpoint of the log that you hold from elsewhere; may be repeated
    #[arg(long, value_name = "FILE")]
    known_head: Vec<PathBuf>,
    /// Neither compare with the heads of bundles that were verified here before, nor keep this one's
    #[arg(long)]
    no_keep_heads: bool,
    /// What must be proven; may be repeated [default: integrity and authenticity]
    #[arg(long, value_name = "WHAT", value_enum)]
    require: Vec<Requirement>,
    /// Write the transcript, the same bytes on every machine, to this new file
    #[arg(long, value_name = "FILE")]
    verdict_transcript_output: Option<PathBuf>,
    /// Write a report for people, one HTML page that needs nothing else, to this new file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Leave the time of this verification out of the report: the same inputs then give the same bytes
    #[arg(long, requires = "report")]
    report_undated: bool,
    /// Threads [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(THREADS_MAX)))]
    threads: Option<u16>,
}

/// What can be required.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Requirement {
    /// That nothing was changed; always required
    Integrity,
    /// That trusted keys vouch for all of it
    Authenticity,
    /// That nothing is missing after the last envelope
    End,
    /// That somebody else vouches for when
    Time,
}

#[derive(Serialize)]
struct Verified {
    verdict: Verdict,
    answers: Answers,
    required: Vec<Requirement>,
    satisfied: bool,
    exit_code: u8,
    trust_root_given: bool,
    subject: Option<Subject>,
    findings: Vec<Finding>,
    finding_count: u64,
    keys: Vec<UsedKey>,
    phases: Vec<PhaseSummary>,
    #[serde(skip)]
    file: String,
}

/// A trust root and the bytes that it was read from.
type TrustRootFile = (TrustRoot, Vec<u8>);

impl Verify {
    /// Verifies, writes the transcript, and says what came out.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.refuse_existing_outputs()?;
        let trust_root = self.trust_root(context)?;
        let heads = self.known_head.iter().map(|path| read_head(path));
        let heads: Vec<(SignedCheckpoint, Vec<u8>)> = heads.collect::<Result<_, _>>()?;
        let kept = match (&trust_root, self.no_keep_heads) {
            (Some((root, _)), false) => KeptHeads::open(&context.environment, root)?,
            _ => None,
        };
        let options = VerifyOptions {
            trust_root: trust_root.as_ref().map(|(root, _)| root.clone()),
            known_heads: heads.iter().map(|(head, _)| head.clone()).collect(),
            kept_heads: kept.as_ref().map(KeptHeads::heads).unwrap_or_default(),
            threads: self.threads.map_or_else(processors, usize::from),
            ..VerifyOptions::default()
        };
        let bundle = recorder_fs::open_read(&self.file)?;
        let report = run_with_progress(context, &bundle, &options)?;
        if self.verdict_transcript_output.is_some() || self.report.is_some() {
            let trust_root = trust_root.as_ref().map(|(_, bytes)| bytes.as_slice());
            let mut heads: Vec<&[u8]> = heads.iter().map(|(_, bytes)| bytes.as_slice()).collect();
            // A kept head that changes nothing is no input: the transcript is the same wherever it is written.
            if let (true, Some(kept), Some(subject)) =
                (report.heads_doubted(), &kept, report.subject())
            {
                heads.extend(kept.notes_of(&subject.stream));
            }
            let inputs = TranscriptInputs::new(&bundle, trust_root, &heads, &options.limits)?;
            self.write_transcript(&report, &inputs)?;
            self.write_page(context, &bundle, &options, &report, &inputs)?;
        }
        if let Some(kept) = kept {
            kept.keep(context, &report);
        }
        let verified = self.concluded(&report, trust_root.is_some());
        context.output.answer(&verified)?;
        Ok(exit(report.satisfies(&self.requirements())))
    }

    fn refuse_existing_outputs(&self) -> Result<(), Failure> {
        let outputs = [&self.verdict_transcript_output, &self.report];
        match outputs.into_iter().flatten().find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(Failure::Exists { what: path.display().to_string() }),
            None => Ok(()),
        }
    }

    fn write_transcript(&self, report: &Report, inputs: &TranscriptInputs) -> Result<(), Failure> {
        let Some(path) = &self.verdict_transcript_output else { return Ok(()) };
        Ok(recorder_fs::write_new(path, Transcript::new(report, inputs)?.as_bytes())?)
    }

    fn trust_root_path(&self, context: &Context) -> Option<PathBuf> {
        let variable = context.environment.value(TRUST_ROOT_VARIABLE).map(PathBuf::from);
        self.trust_root.clone().or(variable)
    }

    fn trust_root(&self, context: &Context) -> Result<Option<TrustRootFile>, Failure> {
        let Some(path) = self.trust_root_path(context) else { return Ok(None) };
        let bytes = recorder_fs::read_bounded(&path, TRUST_ROOT_BYTES_MAX)?;
        let root = TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)?;
        Ok(Some((root, bytes)))
    }

    fn required(&self) -> Vec<Requirement> {
        match self.require.as_slice() {
            [] => vec![Requirement::Integrity, Requirement::Authenticity],
            given => given.to_vec(),
        }
    }

    fn requirements(&self) -> Requirements {
        let required = self.required();
        let requires = |what| required.contains(&what);
        Requirements {
            authenticity: requires(Requirement::Authenticity),
            end: requires(Requirement::End),
            time: requires(Requirement::Time),
        }
    }

    fn concluded(&self, report: &Report, trust_root_given: bool) -> Verified {
        let outcome = report.satisfies(&self.requirements());
        Verified {
            verdict: report.verdict(),
            answers: *report.answers(),
            required: self.required(),
            satisfied: outcome == Outcome::Satisfied,
            exit_code: exit(outcome).code(),
            trust_root_given,
            subject: report.subject().cloned(),
            findings: report.findings(),
            finding_count: report.finding_count(),
            keys: report.keys(),
            phases: report.phases(),
            file: self.file.display().to_string(),
        }
    }
}

fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Satisfied => Exit::Done,
        Outcome::Unproven => Exit::Unproven,
        Outcome::Invalid => Exit::Invalid,
    }
}

fn processors() -> usize {
    let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    count.min(usize::from(THREADS_MAX))
}

fn read_head(path: &Path) -> Result<(SignedCheckpoint, Vec<u8>), Failure> {
    let bytes = recorder_fs::read_bounded(path, CHECKPOINT_BYTES_MAX)?;
    let head = SignedCheckpoint::parse(&bytes).map_err(Failure::Checkpoint)?;
    Ok((head, bytes))
}

fn run_with_progress(
    context: &Context,
    bundle: &File,
    options: &VerifyOptions,
) -> Result<Report, Failure> {
    // A second pass over the ids counts its bytes again; the bar then stays where it is.
    let size_bytes = bundle.metadata().map_err(Failure::Input)?.len();
    let progress =
        Progress::bytes(&context.output, say!(context.locale(), verify.progress), Some(size_bytes));
    Ok(verify(bundle, options, &mut |now| {
        let share = u128::from(size_bytes) * u128::from(now.done_bytes);
        let done = share / u128::from(now.total_bytes.max(1));
        progress.set(u64::try_from(done).unwrap_or(size_bytes).min(size_bytes));
    })?)
}

impl Verified {
    fn answers(&self, locale: Locale) -> [AnswerWords; 5] {
        let here = Circumstances {
            trust_root_given: self.trust_root_given,
            event_count: self.subject.as_ref().map_or(0, |subject| subject.envelope_count),
            tree_size: self.subject.as_ref().map_or(0, |subject| subject.tree_size),
            locale,
        };
        words::answers(&self.answers, &here)
    }

    fn print_subject(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::file, &self.file)?;
        let Some(subject) = &self.subject else {
            let refused = say!(page.locale(), verify.manifest_refused);
            return page.field(&label::bundle, refused);
        };
        page.field(&label::bundle, &subject.bundle_id.to_string())?;
        page.field(&label::stream, &subject.stream.to_string())?;
        page.field(&label::envelopes, &subject.envelope_count.to_string())?;
        page.field(&label::log_size, &subject.tree_size.to_string())
    }

    fn print_findings(&self, page: &mut Page<'_>) -> io::Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        page.line("")?;
        page.pieces(&[(
            Tone::Strong,
            &say!(page.locale(), verify.findings, count = self.finding_count),
        )])?;
        for finding in &self.findings {
            let tone = match finding.severity() {
                Severity::Failure => Tone::Bad,
                Severity::Warning => Tone::Warning,
            };
            let place = format!("  {}, {}", finding.phase().name(), finding.place());
            page.pieces(&[
                (Tone::Plain, "  "),
                (tone, finding.code().code()),
                (Tone::Faint, &place),
            ])?;
            let meaning = texts::FINDING.text(page.locale(), finding.code().code());
            page.line(&format!("      {meaning} ({})", finding.detail()))?;
        }
        let listed = self.findings.len() as u64;
        match self.finding_count.saturating_sub(listed) {
            0 => Ok(()),
            rest => page.line(&format!("  {}", say!(page.locale(), word.more, count = rest))),
        }
    }

    fn print_unproven(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        page.line("")?;
        if self.verdict == Verdict::Invalid {
            return page.pieces(&[(Tone::Strong, say!(locale, verify.nothing_proven))]);
        }
        page.pieces(&[(Tone::Strong, say!(locale, verify.not_proven))])?;
        let answers = self.answers(locale);
        for answer in answers.iter().filter(|answer| answer.weight == Weight::Warning) {
            let question = words::question(answer.of, locale);
            page.line(&format!("  {question}: {}", answer.meaning))?;
        }
        page.line(&format!("  {}", say!(locale, verify.truth_not_proven)))
    }
}

impl Answer for Verified {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        let (tone, word) = match self.verdict {
            Verdict::Valid => (Tone::Good, say!(locale, verdict.valid)),
            Verdict::ValidWithWarnings => {
                (Tone::Warning, say!(locale, verdict.valid_with_warnings))
            }
            Verdict::Invalid => (Tone::Bad, say!(locale, verdict.invalid)),
        };
        page.pieces(&[(tone, word)])?;
        self.print_subject(page)?;
        page.line("")?;
        for words in self.answers(locale) {
            let question = question::WIDTH.pad(locale, words::question(words.of, locale), 2);
            let value = answer::WIDTH.pad(locale, words.value, 2);
            page.pieces(&[
                (Tone::Strong, "  "),
                (Tone::Strong, &question),
                (words.weight.tone(), &value),
                (Tone::Plain, &words.meaning),
            ])?;
        }
        self.print_findings(page)?;
        self.print_unproven(page)?;
        if !self.satisfied && self.verdict != Verdict::Invalid {
            page.line("")?;
            page.pieces(&[
                (Tone::Warning, say!(locale, verify.not_accepted)),
                (Tone::Warning, ": "),
                (Tone::Plain, say!(locale, verify.required_unproven)),
            ])?;
        }
        Ok(())
    }
}
