//! What the demonstration has to tell: as JSON, and as a page that is worth reading.

use std::io;
use std::path::PathBuf;

use recorder::bundle::Built;
use recorder::fsck::FsckReport;
use recorder::{Receipt, SealReceipt};
use recorder_core::hash::KeyId;
use recorder_core::identity::StreamId;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::signing::PublicKey;
use recorder_store::{ReadError, Store, StoredCheckpoint};
use recorder_verify::{Report, Severity, Verdict};
use serde::Serialize;
use serde_json::json;

use super::trace::Event;
use crate::i18n::{Locale, say, texts};
use crate::output::{Answer, Page, Tone};

/// One step of the agent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moment {
    time: UtcTimestamp,
    actor: String,
    name: String,
    failed: bool,
    attachments: usize,
}

impl Moment {
    pub(super) fn of(event: &Event) -> Self {
        Self {
            time: event.envelope.fields.claimed_time,
            actor: event.envelope.fields.actor_id.to_string(),
            name: event.name.clone(),
            failed: event.failed,
            attachments: event.attachments.len(),
        }
    }
}

/// What became of one attack.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AttackOutcome {
    name: &'static str,
    story: &'static str,
    caught: bool,
    /// Who caught it: the bundle's verifier or the store's own check.
    layer: &'static str,
    verdict: String,
    phase: String,
    code: String,
    place: String,
    finding_count: u64,
}

impl AttackOutcome {
    pub(super) fn of_report(name: &'static str, story: &'static str, report: &Report) -> Self {
        let findings = report.findings();
        let failure = findings.iter().find(|finding| finding.severity() == Severity::Failure);
        Self {
            name,
            story,
            caught: report.verdict() == Verdict::Invalid,
            layer: "bundle verify",
            verdict: word(&report.verdict()),
            phase: failure.map_or_else(String::new, |finding| finding.phase().name().to_owned()),
            code: failure.map_or_else(String::new, |finding| finding.code().code().to_owned()),
            place: failure.map_or_else(String::new, |finding| finding.place().to_string()),
            finding_count: report.finding_count(),
        }
    }

    pub(super) fn of_fsck(name: &'static str, story: &'static str, report: &FsckReport) -> Self {
        let finding = report.findings.first();
        Self {
            name,
            story,
            caught: !report.is_clean(),
            layer: "fsck",
            verdict: if report.is_clean() { "clean" } else { "corrupt" }.to_owned(),
            phase: "whole read".to_owned(),
            code: finding.map_or_else(String::new, |finding| finding.detail.clone()),
            place: finding.map_or_else(String::new, |finding| finding.place.clone()),
            finding_count: report.finding_count,
        }
    }
}

/// The seals of a stream, as receipts.
pub(super) fn seals(store: &dyn Store, stream: &StreamId) -> Result<Vec<SealReceipt>, ReadError> {
    let receipt = |signed: recorder_envelope::segment::SignedSeal| SealReceipt {
        segment_id: signed.seal.segment_id,
        envelope_count: signed.seal.envelope_count,
        chain_head: signed.seal.chain_head,
        seal_hash: signed.seal.hash(),
        tree_size: signed.seal.tree_size,
        root_hash: signed.seal.root_hash,
        signed: signed.signature.is_some(),
    };
    let segments = store.segments(stream, 0..u64::MAX)?;
    Ok(segments.into_iter().filter_map(|segment| segment.seal).map(receipt).collect())
}

/// What the story is made of.
pub(super) struct Parts {
    pub(super) directory: PathBuf,
    pub(super) stream: StreamId,
    pub(super) public_key: Option<PublicKey>,
    pub(super) moments: Vec<Moment>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) seals: Vec<SealReceipt>,
    pub(super) checkpoint: StoredCheckpoint,
    pub(super) built: Built,
    pub(super) report: Report,
    pub(super) attacks: Vec<AttackOutcome>,
}

/// The whole demonstration.
#[derive(Serialize)]
pub(crate) struct Story {
    /// Where everything is, if it was kept.
    pub(crate) kept: Option<PathBuf>,
    stream: StreamId,
    key_id: Option<KeyId>,
    #[serde(skip)]
    moments: Vec<Moment>,
    recorded: usize,
    attachments: usize,
    last_receipt: Option<Receipt>,
    segments: Vec<SealReceipt>,
    checkpoint: String,
    bundle: serde_json::Value,
    verdict: String,
    answers: Vec<AnswerLine>,
    attacks: Vec<AttackOutcome>,
    all_caught: bool,
}

/// One of the five questions.
#[derive(Serialize)]
struct AnswerLine {
    question: &'static str,
    answer: String,
    meaning: &'static str,
}

impl Story {
    pub(super) fn new(parts: Parts) -> Self {
        let verdict = parts.report.verdict();
        let built = &parts.built;
        Self {
            kept: Some(parts.directory),
            stream: parts.stream,
            key_id: parts.public_key.map(|key| key.key_id()),
            recorded: parts.receipts.len(),
            attachments: parts.moments.iter().map(|moment| moment.attachments).sum(),
            last_receipt: parts.receipts.last().cloned(),
            moments: parts.moments,
            segments: parts.seals,
            checkpoint: parts.checkpoint.note,
            bundle: json!({
                "bundle_id": built.bundle_id,
                "envelope_count": built.envelope_count,
                "segment_count": built.segment_count,
                "attachment_count": built.attachment_count,
                "tree_size": built.tree_size,
                "size_bytes": built.size_bytes,
            }),
            verdict: word(&verdict),
            answers: answer_lines(&parts.report),
            all_caught: verdict == Verdict::Valid
                && parts.attacks.iter().all(|attack| attack.caught),
            attacks: parts.attacks,
        }
    }

    fn succeeded_honestly(&self) -> bool {
        self.verdict == word(&Verdict::Valid)
    }

    /// Whether the honest bundle is valid and every attack was caught.
    pub(crate) fn succeeded(&self) -> bool {
        self.all_caught
    }

    fn bundle_number(&self, member: &str) -> u64 {
        self.bundle.get(member).and_then(serde_json::Value::as_u64).unwrap_or_default()
    }
}

/// The stable word for an answer or a verdict.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

impl AnswerLine {
    fn asked(&self, at: Locale) -> &'static str {
        match self.question {
            "integrity" => say!(at, question.integrity),
            "authenticity" => say!(at, question.authenticity),
            "completeness" => say!(at, question.completeness),
            "end" => say!(at, question.end),
            _ => say!(at, question.time),
        }
    }

    fn meaning(&self, at: Locale) -> &'static str {
        match self.question {
            "integrity" => say!(at, demo.integrity),
            "authenticity" => say!(at, demo.authenticity),
            "completeness" => say!(at, demo.completeness),
            "end" => say!(at, demo.end),
            _ => say!(at, demo.time),
        }
    }
}

/// The number and the name of a step.
fn step(number: usize, at: Locale) -> String {
    let names = [
        say!(at, demo.step_keys),
        say!(at, demo.step_record),
        say!(at, demo.step_seal),
        say!(at, demo.step_checkpoint),
        say!(at, demo.step_bundle),
        say!(at, demo.step_verify),
        say!(at, demo.step_attack),
    ];
    let width = 1 + names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    format!("{number}  {:<width$}", names[number - 1])
}

fn answer_lines(report: &Report) -> Vec<AnswerLine> {
    let answers = report.answers();
    let line = |question, answer| {
        let line = AnswerLine { question, answer, meaning: "" };
        AnswerLine { meaning: line.meaning(Locale::ENGLISH), ..line }
    };
    vec![
        line("integrity", word(&answers.integrity)),
        line("authenticity", word(&answers.authenticity)),
        line("completeness", word(&answers.completeness)),
        line("end", word(&answers.end)),
        line("time", word(&answers.time)),
    ]
}

impl Answer for Story {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.pieces(&[(Tone::Strong, say!(page.locale(), demo.title))])?;
        page.line("")?;
        self.print_agent(page)?;
        self.print_steps(page)?;
        self.print_verdict(page)?;
        self.print_attacks(page)?;
        self.print_limits(page)
    }
}

impl Story {
    /// What the agent did, in its own words.
    fn print_agent(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        page.line(say!(locale, demo.agent))?;
        page.line(say!(locale, demo.agent_goes_on))?;
        page.line("")?;
        let mut steps = self
            .moments
            .iter()
            .filter(|moment| moment.name.starts_with("execute_tool"))
            .collect::<Vec<_>>();
        steps.sort_by_key(|moment| moment.time);
        for moment in steps {
            let time = moment.time.to_string();
            let actor = moment.actor.trim_start_matches("otel:agent:");
            let (tone, mark) = match moment.failed {
                true => (Tone::Warning, format!("  {}", say!(locale, demo.failed))),
                false => (Tone::Plain, String::new()),
            };
            page.pieces(&[
                (Tone::Faint, &format!("   {}  ", time.get(11..23).unwrap_or_default())),
                (Tone::Plain, &format!("{actor:<20}")),
                (tone, &format!("{}{mark}", moment.name.trim_start_matches("execute_tool "))),
            ])?;
        }
        page.line("")
    }

    fn print_steps(&self, page: &mut Page<'_>) -> io::Result<()> {
        let at = page.locale();
        let key_id = self.key_id.map(|id| id.to_string()).unwrap_or_default();
        let sizes =
            self.segments.iter().map(|seal| seal.envelope_count.to_string()).collect::<Vec<_>>();
        let root = self.checkpoint.lines().nth(2).unwrap_or_default();
        let id = key_id.get(..16).unwrap_or_default();
        let number = |member| self.bundle_number(member);
        let (count, sizes) = (self.segments.len(), sizes.join(", "));
        let texts = [
            say!(at, demo.keys, id = id),
            say!(at, demo.record, count = self.recorded, files = self.attachments),
            say!(at, demo.seal, count = count, sizes = sizes),
            say!(at, demo.checkpoint, size = number("tree_size"), root = root),
            say!(
                at,
                demo.bundle,
                bytes = number("size_bytes"),
                envelopes = number("envelope_count"),
                attachments = number("attachment_count")
            ),
        ];
        for (number, text) in (1..).zip(&texts) {
            page.pieces(&[(Tone::Strong, &step(number, at)), (Tone::Plain, text)])?;
        }
        Ok(())
    }

    fn print_verdict(&self, page: &mut Page<'_>) -> io::Result<()> {
        let tone = if self.succeeded_honestly() { Tone::Good } else { Tone::Bad };
        let at = page.locale();
        page.pieces(&[
            (Tone::Strong, &step(6, at)),
            (Tone::Plain, say!(at, demo.verify)),
            (Tone::Plain, ": "),
            (tone, &self.verdict),
        ])?;
        page.line("")?;
        for line in &self.answers {
            page.pieces(&[
                (Tone::Plain, "     "),
                (Tone::Plain, &texts::question::WIDTH.pad(at, line.asked(at), 2)),
                (Tone::Strong, &format!("{:<11}", line.answer)),
                (Tone::Faint, line.meaning(at)),
            ])?;
        }
        page.line("")
    }

    fn print_attacks(&self, page: &mut Page<'_>) -> io::Result<()> {
        let at = page.locale();
        page.pieces(&[(Tone::Strong, &step(7, at)), (Tone::Plain, say!(at, demo.attack))])?;
        page.line("")?;
        for attack in &self.attacks {
            let (tone, caught) = match attack.caught {
                true => (Tone::Good, say!(at, demo.caught)),
                false => (Tone::Bad, say!(at, demo.not_caught)),
            };
            let by = say!(
                at,
                demo.caught_by,
                layer = attack.layer,
                phase = attack.phase,
                code = attack.code
            );
            let name = format!("demo {}", attack.name);
            page.pieces(&[
                (Tone::Plain, &format!("     {:<23}", attack.name)),
                (Tone::Plain, texts::ATTACK.text(at, &name)),
            ])?;
            page.pieces(&[
                (tone, &format!("       {caught}")),
                (Tone::Plain, &format!(" {by}")),
                (Tone::Faint, &format!("  ({})", attack.place)),
            ])?;
        }
        page.line("")
    }

    /// What the demonstration does not show.
    fn print_limits(&self, page: &mut Page<'_>) -> io::Result<()> {
        let caught = self.attacks.iter().filter(|attack| attack.caught).count();
        let tone = if self.all_caught { Tone::Good } else { Tone::Bad };
        let (at, count) = (page.locale(), self.attacks.len());
        page.pieces(&[(tone, &say!(at, demo.caught_count, caught = caught, count = count))])?;
        page.line("")?;
        page.pieces(&[(Tone::Strong, say!(at, demo.limits))])?;
        page.line(&format!("  {}", say!(at, demo.limit_key)))?;
        page.line(&format!("  {}", say!(at, demo.limit_time)))?;
        if let Some(kept) = &self.kept {
            page.line("")?;
            let path = kept.display().to_string();
            page.pieces(&[
                (Tone::Strong, say!(at, demo.kept)),
                (Tone::Plain, " "),
                (Tone::Plain, &path),
            ])?;
            page.line("  recorder.db, refund-desk.recorder.zip, trust-root.json, signer-key.pem, signer-passphrase")?;
            let command =
                "recorder bundle verify refund-desk.recorder.zip --trust-root trust-root.json";
            page.line(&format!("  {}", say!(at, demo.verify_yourself, command = command)))?;
        }
        Ok(())
    }
}
