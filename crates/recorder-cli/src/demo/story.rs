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

fn answer_lines(report: &Report) -> Vec<AnswerLine> {
    let answers = report.answers();
    let line = |question, answer, meaning| AnswerLine { question, answer, meaning };
    vec![
        line("integrity", word(&answers.integrity), "every hash was recomputed from the bytes"),
        line(
            "authenticity",
            word(&answers.authenticity),
            "by a key of the trust root, not by one from the bundle",
        ),
        line(
            "completeness",
            word(&answers.completeness),
            "whether the whole log is here, or a selection",
        ),
        line("end", word(&answers.end), "whether something could be missing after the last event"),
        line(
            "time",
            word(&answers.time),
            "no outside witness has bounded the times; they are the recorder's claim",
        ),
    ]
}

impl Answer for Story {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.pieces(&[(Tone::Strong, "Recorder, on a real agent's trace")])?;
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
        page.line("A refund agent works through a claim: it reads the policy, adds up the charges, asks for an")?;
        page.line(
            "approval, tries to pay too much, is refused, pays what was approved. Its tool calls:",
        )?;
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
            let (tone, mark) =
                if moment.failed { (Tone::Warning, "  failed") } else { (Tone::Plain, "") };
            page.pieces(&[
                (Tone::Faint, &format!("   {}  ", time.get(11..23).unwrap_or_default())),
                (Tone::Plain, &format!("{actor:<20}")),
                (tone, &format!("{}{mark}", moment.name.trim_start_matches("execute_tool "))),
            ])?;
        }
        page.line("")
    }

    fn print_steps(&self, page: &mut Page<'_>) -> io::Result<()> {
        let key_id = self.key_id.map(|id| id.to_string()).unwrap_or_default();
        let counts =
            self.segments.iter().map(|seal| seal.envelope_count.to_string()).collect::<Vec<_>>();
        let root = self.checkpoint.lines().nth(2).unwrap_or_default();
        let steps = [
            (
                "keys",
                format!(
                    "Ed25519 key {}…, kept encrypted; a trust root names it",
                    &key_id.get(..16).unwrap_or_default()
                ),
            ),
            (
                "record",
                format!(
                    "{} spans from an OpenTelemetry exporter, {} of them with a file, in SQLite, each receipt after its fsync",
                    self.recorded, self.attachments
                ),
            ),
            (
                "seal",
                format!(
                    "{} segments of {} envelopes, each seal signed, each linked to the one before",
                    self.segments.len(),
                    counts.join(", ")
                ),
            ),
            (
                "checkpoint",
                format!(
                    "RFC 6962 tree of {}, root {root}, signed",
                    self.bundle_number("tree_size")
                ),
            ),
            (
                "bundle",
                format!(
                    "{} bytes: {} envelopes, {} attachments, proofs, manifest",
                    self.bundle_number("size_bytes"),
                    self.bundle_number("envelope_count"),
                    self.bundle_number("attachment_count")
                ),
            ),
        ];
        for (number, (name, text)) in steps.iter().enumerate() {
            page.pieces(&[
                (Tone::Strong, &format!("{}  {name:<11}", number + 1)),
                (Tone::Plain, text),
            ])?;
        }
        Ok(())
    }

    fn print_verdict(&self, page: &mut Page<'_>) -> io::Result<()> {
        let tone = if self.succeeded_honestly() { Tone::Good } else { Tone::Bad };
        page.pieces(&[
            (Tone::Strong, "6  verify     "),
            (Tone::Plain, "offline, with nothing but the bundle and the trust root: "),
            (tone, &self.verdict),
        ])?;
        page.line("")?;
        for line in &self.answers {
            page.pieces(&[
                (Tone::Plain, &format!("     {:<14}", line.question)),
                (Tone::Strong, &format!("{:<11}", line.answer)),
                (Tone::Faint, line.meaning),
            ])?;
        }
        page.line("")
    }

    fn print_attacks(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.pieces(&[
            (Tone::Strong, "7  attack     "),
            (Tone::Plain, "copies of the bundle and of the database, by somebody without the key"),
        ])?;
        page.line("")?;
        for attack in &self.attacks {
            let (tone, caught) =
                if attack.caught { (Tone::Good, "caught") } else { (Tone::Bad, "NOT CAUGHT") };
            page.pieces(&[
                (Tone::Plain, &format!("     {:<23}", attack.name)),
                (Tone::Plain, attack.story),
            ])?;
            page.pieces(&[
                (tone, &format!("       {caught}")),
                (
                    Tone::Plain,
                    &format!(" by {}, phase {}: {}", attack.layer, attack.phase, attack.code),
                ),
                (Tone::Faint, &format!("  ({})", attack.place)),
            ])?;
        }
        page.line("")
    }

    /// What the demonstration does not show.
    fn print_limits(&self, page: &mut Page<'_>) -> io::Result<()> {
        let caught = self.attacks.iter().filter(|attack| attack.caught).count();
        let tone = if self.all_caught { Tone::Good } else { Tone::Bad };
        page.pieces(&[(tone, &format!("{caught} of {} attacks caught.", self.attacks.len()))])?;
        page.line("")?;
        page.pieces(&[(Tone::Strong, "What this does not prove")])?;
        page.line("  Whoever holds the signing key can sign another history, until somebody else has seen a checkpoint.")?;
        page.line("  Nobody outside has witnessed the times. What the agent never reported was never recorded.")?;
        if let Some(kept) = &self.kept {
            page.line("")?;
            page.pieces(&[(Tone::Strong, "Kept in "), (Tone::Plain, &kept.display().to_string())])?;
            page.line("  recorder.db, refund-desk.recorder.zip, trust-root.json, signer-key.pem, signer-passphrase")?;
            page.line("  Verify it yourself: recorder bundle verify refund-desk.recorder.zip --trust-root trust-root.json")?;
        }
        Ok(())
    }
}
