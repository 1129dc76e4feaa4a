//! The sections of the page, from the verdict down to how it can be done again.

use std::collections::BTreeMap;
use std::io;

use recorder_core::hash::KeyId;
use recorder_verify::{
    Authenticity, Completeness, Contents, End, Event, Form, Outcome, Severity, Time, Verdict,
};

use super::html::{Html, Named};
use super::{Facts, ROWS_MAX};
use crate::i18n::{Locale, say, texts};
use crate::words::{self, AnswerWords, Circumstances, Weight};

/// The words of the glossary that stand on the page, in the order in which one explains the next.
const WORDS: &[&str] = &[
    "event",
    "actor",
    "payload",
    "envelope",
    "attachment",
    "tenant",
    "recorder",
    "stream",
    "segment",
    "genesis",
    "seal",
    "position",
    "link",
    "chain",
    "log",
    "root",
    "head",
    "bundle",
    "selector",
    "manifest",
    "part",
    "archive",
    "document",
    "withheld",
    "hash",
    "key",
    "signature",
    "checkpoint",
    "trust root",
    "known head",
    "witness",
    "phase",
    "finding",
    "verdict",
    "transcript",
];

/// Writes all sections.
pub(crate) fn write(facts: &Facts<'_>, html: &mut Html<'_>) -> io::Result<()> {
    let page = Page::new(facts);
    page.verdict(html)?;
    page.subject(html)?;
    page.answers(html)?;
    page.proven(html)?;
    page.findings(html)?;
    page.keys(html)?;
    page.phases(html)?;
    match facts.contents {
        Some(contents) => {
            page.segments(contents, html)?;
            page.events(contents, html)?;
            page.attachments(contents, html)?;
        }
        None => page.nothing_shown(html)?,
    }
    page.repeat(html)?;
    page.words(html)
}

struct Page<'a> {
    facts: &'a Facts<'a>,
    here: Circumstances,
    answers: [AnswerWords; 5],
}

impl<'a> Page<'a> {
    fn new(facts: &'a Facts<'a>) -> Self {
        let subject = facts.report.subject();
        let here = Circumstances {
            trust_root_given: facts.trust_root.is_some(),
            event_count: subject.map_or(0, |subject| subject.envelope_count),
            tree_size: subject.map_or(0, |subject| subject.tree_size),
            locale: facts.locale,
        };
        let answers = words::answers(facts.report.answers(), &here);
        Self { facts, here, answers }
    }

    fn is_invalid(&self) -> bool {
        self.facts.report.verdict() == Verdict::Invalid
    }

    fn verdict(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        let (word, weight, meaning) = words::verdict(self.facts.report, self.facts.locale);
        html.markup(match weight {
            Weight::Good => "<div class=\"verdict good\">\n",
            Weight::Warning => "<div class=\"verdict warn\">\n",
            Weight::Bad => "<div class=\"verdict bad\">\n",
        })?;
        html.element("<p class=\"word\">", word, "</p>")?;
        html.paragraph(meaning)?;
        let required = self.facts.required.join(", ");
        match self.facts.outcome {
            Outcome::Satisfied => {
                html.paragraph(&say!(at, report.required_proven, required = required))?
            }
            Outcome::Unproven => {
                html.markup("<p><strong>")?;
                html.text(say!(at, report.not_accepted))?;
                let text = say!(at, report.required_unproven, required = required);
                html.element("</strong> ", &text, "</p>")?;
            }
            Outcome::Invalid => {}
        }
        html.markup("</div>\n")
    }

    fn subject(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.examined), "</h2>")?;
        if self.is_invalid() {
            html.paragraph(say!(at, report.examined_invalid))?;
        }
        html.markup("<div class=\"facts\">")?;
        let columns = [say!(at, report.item).into(), say!(at, report.value).into()];
        html.table(say!(at, report.facts), &columns)?;
        let mut row = |name: Named<'_>, value: &str| html.named_row(&name, &[value]);
        row(say!(at, report.file).into(), &self.facts.file_name)?;
        row(self.named(say!(at, report.file_hash), "hash"), self.facts.inputs.bundle_sha256())?;
        for (name, value) in self.stated() {
            row(name, &value)?;
        }
        let none = say!(at, report.no_trust_root);
        let trust_root = self.facts.inputs.trust_root_sha256().unwrap_or(none);
        row(self.named(say!(at, report.trust_root_hash), "trust root"), trust_root)?;
        for head in self.facts.inputs.known_heads_sha256() {
            row(self.named(say!(at, report.head_hash), "checkpoint"), head)?;
        }
        row(say!(at, report.verifier).into(), concat!("recorder ", env!("CARGO_PKG_VERSION")))?;
        if let Some(time) = self.facts.verified_at {
            let time = say!(at, report.by_verifiers_clock, time = time);
            row(say!(at, report.verified_at).into(), &time)?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    /// What the bundle calls itself.
    fn stated(&self) -> Vec<(Named<'static>, String)> {
        let at = self.facts.locale;
        let Some(subject) = self.facts.report.subject() else {
            let refused = say!(at, report.contents_refused).to_owned();
            return vec![(say!(at, report.contents).into(), refused)];
        };
        let form = match subject.form {
            Form::Archive => say!(at, report.form_archive),
            Form::Document => say!(at, report.form_document),
        };
        let mut rows = vec![
            (self.named(say!(at, report.bundle_id), "bundle"), subject.bundle_id.to_string()),
            (
                self.named(say!(at, report.stream_tenant), "tenant"),
                subject.stream.tenant_id.as_str().to_owned(),
            ),
            (
                self.named(say!(at, report.stream_recorder), "recorder"),
                subject.stream.recorder_id.as_str().to_owned(),
            ),
            (say!(at, report.form).into(), form.to_owned()),
            (self.named(say!(at, report.events_here), "event"), subject.envelope_count.to_string()),
            (self.named(say!(at, report.events_in_log), "log"), subject.tree_size.to_string()),
        ];
        if let Some(contents) = self.facts.contents {
            let manifest = &contents.manifest;
            let selector = serde_json::to_string(&manifest.selector);
            rows.push((
                self.named(say!(at, report.log_root), "root"),
                manifest.root_hash.to_string(),
            ));
            let not_shown = |_| say!(at, report.not_shown).to_owned();
            rows.push((
                self.named(say!(at, report.selection), "selector"),
                selector.unwrap_or_else(not_shown),
            ));
            let built = say!(at, report.by_builder, time = manifest.created_at);
            rows.push((say!(at, report.built_at).into(), built));
        }
        rows
    }

    fn answers(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.five), "</h2>")?;
        if self.is_invalid() {
            html.paragraph(say!(at, report.five_invalid))?;
        }
        html.markup("<div class=\"answers\">")?;
        let columns =
            [say!(at, report.question), say!(at, report.answer), say!(at, report.means_here)]
                .map(Named::from);
        html.table(say!(at, report.each_stands), &columns)?;
        for answer in &self.answers {
            html.element("<tr><th scope=\"row\">", answer.question, "</th>")?;
            let (open, sign) = match answer.weight {
                Weight::Good => ("<td class=\"value good\">", "✓ "),
                Weight::Warning => ("<td class=\"value warn\">", "! "),
                Weight::Bad => ("<td class=\"value bad\">", "✗ "),
            };
            html.markup(open)?;
            html.text(sign)?;
            html.element("", answer.value, "</td>")?;
            html.element("<td>", &answer.meaning, "</td></tr>")?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    fn proven(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.follows), "</h2>")?;
        html.markup("<div class=\"pair\">\n<section>")?;
        html.element("<h3>", say!(at, report.proven), "</h3>")?;
        html.list(&self.is_proven())?;
        html.markup("</section>\n<section>")?;
        html.element("<h3>", say!(at, report.unproven), "</h3>")?;
        html.list(&self.is_not_proven())?;
        html.markup("</section>\n</div>\n")
    }

    fn is_proven(&self) -> Vec<String> {
        let at = self.facts.locale;
        if self.is_invalid() {
            return vec![say!(at, report.proven_nothing).to_owned()];
        }
        let answers = self.facts.report.answers();
        let count = self.here.event_count;
        let mut proven = vec![match answers.authenticity {
            Authenticity::Proven => say!(at, report.proven_authentic, count = count),
            Authenticity::Unproven | Authenticity::Broken => {
                say!(at, report.proven_consistent, count = count)
            }
        }];
        if answers.completeness == Completeness::Complete {
            proven.push(say!(at, report.proven_complete).to_owned());
        }
        if answers.end == End::Proven {
            proven.push(say!(at, report.proven_end).to_owned());
        }
        if answers.time == Time::Bounded {
            proven.push(say!(at, report.proven_time).to_owned());
        }
        if !self.facts.inputs.known_heads_sha256().is_empty() && self.count_of("known_heads") > 0 {
            proven.push(say!(at, report.proven_same_log).to_owned());
        }
        proven
    }

    fn is_not_proven(&self) -> Vec<String> {
        let at = self.facts.locale;
        let mut missing: Vec<String> = Vec::new();
        if self.is_invalid() {
            missing.push(say!(at, report.invalid_all).to_owned());
            missing.push(say!(at, report.invalid_who).to_owned());
            missing.push(say!(at, report.unsigned).to_owned());
            return missing;
        }
        let weak = self.answers.iter().filter(|answer| answer.weight != Weight::Good);
        missing.extend(weak.map(|answer| answer.meaning.clone()));
        missing.extend(self.left_out());
        if self.count_of("known_heads") == 0 {
            missing.push(say!(at, report.same_for_all).to_owned());
        }
        missing.extend(always_unproven(at).map(str::to_owned));
        missing.push(say!(at, report.unsigned).to_owned());
        missing
    }

    fn left_out(&self) -> Vec<String> {
        let at = self.facts.locale;
        let mut left_out = Vec::new();
        let mut say = |name: &str, words: &dyn Fn(u64) -> String| {
            let count = self.count_of(name);
            if count > 0 {
                left_out.push(words(count));
            }
        };
        say("payloads_withheld", &|count| say!(at, report.left_payloads, count = count));
        say("withheld", &|count| say!(at, report.left_attachments, count = count));
        say("omitted_parents", &|count| say!(at, report.left_parents, count = count));
        left_out
    }

    fn count_of(&self, name: &str) -> u64 {
        let phases = self.facts.report.phases();
        phases.iter().filter_map(|phase| phase.counts.get(name)).sum()
    }

    fn findings(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        let findings = self.facts.report.findings();
        html.element("<h2>", say!(at, report.findings), "</h2>")?;
        if findings.is_empty() {
            return html.paragraph(say!(at, report.findings_none));
        }
        let columns = [
            self.named(say!(at, report.code), "finding"),
            say!(at, report.weight).into(),
            say!(at, report.place).into(),
            say!(at, report.meaning).into(),
            say!(at, report.detail).into(),
        ];
        html.table(say!(at, report.findings_caption), &columns)?;
        for finding in &findings {
            let weight = match finding.severity() {
                Severity::Failure => say!(at, report.failure),
                Severity::Warning => say!(at, report.warning),
            };
            let code = finding.code();
            let place = finding.place().to_string();
            let meaning = texts::FINDING.text(at, code.code());
            html.row(&[code.code(), weight, &place, meaning, finding.detail()])?;
        }
        html.end_table()?;
        let rest = beyond(self.facts.report.finding_count(), findings.len());
        more(html, rest.map(|rest| say!(at, report.more_findings, count = rest)))
    }

    fn keys(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.signatures), "</h2>")?;
        let mut signed: BTreeMap<KeyId, Vec<&str>> = BTreeMap::new();
        for key in self.facts.report.keys() {
            signed.entry(key.key_id).or_default().push(words::key_use(key.on, at));
        }
        if signed.is_empty() {
            return html.paragraph(say!(at, report.signatures_none));
        }
        if self.is_invalid() {
            html.paragraph(say!(at, report.signatures_invalid))?;
        }
        html.paragraph(say!(at, report.signatures_hold))?;
        html.markup("<div class=\"hash\">")?;
        let columns = [
            self.named(say!(at, report.key_id), "key"),
            self.named(say!(at, report.signed), "signature"),
            self.named(say!(at, report.in_trust_root), "trust root"),
        ];
        html.table(say!(at, report.keys_caption), &columns)?;
        for (key_id, on) in &signed {
            let key = self.facts.trust_root.and_then(|root| root.key(key_id));
            html.row(&[&key_id.to_string(), &on.join("; "), words::trust(key, at)])?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    fn phases(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2 class=\"fresh\">", say!(at, report.checked), "</h2>")?;
        let columns = [
            self.named(say!(at, report.check), "phase"),
            say!(at, report.looks_at).into(),
            say!(at, report.counted).into(),
            self.named(say!(at, report.findings), "finding"),
        ];
        html.table(say!(at, report.phases_caption), &columns)?;
        for summary in self.facts.report.phases() {
            let (name, what) = words::phase(summary.phase, at);
            let counts = summary.counts.iter();
            let counts: Vec<String> = counts
                .map(|(count, number)| {
                    format!("{}: {number}", words::count(summary.phase, count, at))
                })
                .collect();
            let counted = match summary.reached {
                true => counts.join("; "),
                false => say!(at, report.not_reached).to_owned(),
            };
            let findings = match (summary.reached, summary.finding_count) {
                (false, _) => say!(at, report.not_checked).to_owned(),
                (true, 0) => say!(at, report.none).to_owned(),
                (true, count) => count.to_string(),
            };
            html.row(&[name, what, &counted, &findings])?;
        }
        html.end_table()
    }

    fn segments(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.segments), "</h2>")?;
        html.paragraph(say!(at, report.segments_about))?;
        let columns = [
            self.named(say!(at, report.segment), "segment"),
            say!(at, report.events_in_it).into(),
            say!(at, report.of_them_here).into(),
            self.named(say!(at, report.sealed), "seal"),
        ];
        html.table(say!(at, report.segments_caption), &columns)?;
        let segments = &contents.manifest.segments;
        for segment in segments.iter().take(ROWS_MAX) {
            html.row(&[
                &segment.segment_id.to_string(),
                &segment.envelope_count.to_string(),
                &segment.included_count.to_string(),
                if segment.seal_hash.is_some() {
                    say!(at, report.yes)
                } else {
                    say!(at, report.still_open)
                },
            ])?;
        }
        html.end_table()?;
        let rest = beyond(segments.len() as u64, ROWS_MAX);
        more(html, rest.map(|rest| say!(at, report.more_segments, count = rest)))
    }

    fn events(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2 class=\"fresh\">", say!(at, report.events), "</h2>")?;
        html.paragraph(say!(at, report.events_about))?;
        html.markup("<div class=\"events\">")?;
        let columns = [
            self.named(say!(at, report.position), "position"),
            say!(at, report.recorded).into(),
            say!(at, report.claimed).into(),
            self.named(say!(at, report.actor), "actor"),
            say!(at, report.event_type).into(),
            say!(at, report.remarks).into(),
        ];
        html.table(say!(at, report.events_here), &columns)?;
        for event in &contents.events {
            html.row(&[
                &event.position.to_string(),
                &event.recorded_at.to_string(),
                &event.claimed_time.to_string(),
                &event.actor_id,
                &event.event_type,
                &remarks(event, at),
            ])?;
        }
        html.end_table()?;
        html.markup("</div>\n")?;
        let rest = beyond(self.here.event_count, contents.events.len());
        more(html, rest.map(|rest| say!(at, report.more_events, count = rest)))
    }

    fn attachments(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.attachments), "</h2>")?;
        let attachments = &contents.manifest.attachments;
        if attachments.is_empty() {
            return html.paragraph(say!(at, report.attachments_none));
        }
        html.markup("<div class=\"hash\">")?;
        let columns = [
            self.named("SHA-256", "hash"),
            say!(at, report.said_to_be).into(),
            say!(at, report.bytes).into(),
            say!(at, report.here).into(),
        ];
        html.table(say!(at, report.attachments_caption), &columns)?;
        for attachment in attachments.iter().take(ROWS_MAX) {
            html.row(&[
                &attachment.content_hash.to_string(),
                attachment.content_type.as_str(),
                &attachment.size_bytes.to_string(),
                if attachment.withheld { say!(at, report.withheld) } else { say!(at, report.yes) },
            ])?;
        }
        html.end_table()?;
        html.markup("</div>\n")?;
        let rest = beyond(attachments.len() as u64, ROWS_MAX);
        more(html, rest.map(|rest| say!(at, report.more_attachments, count = rest)))
    }

    fn nothing_shown(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.events), "</h2>")?;
        html.paragraph(say!(at, report.nothing_shown))
    }

    /// A text with the meaning of the word that it shows.
    fn named(&self, text: &'static str, word: &str) -> Named<'static> {
        Named { text, meaning: texts::WORD_MEANING.found(self.facts.locale, word) }
    }

    fn words(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2 class=\"fresh\">", say!(at, report.words), "</h2>")?;
        html.paragraph(say!(at, report.words_about))?;
        html.markup("<div class=\"facts words\">")?;
        let columns = [say!(at, report.word).into(), say!(at, report.meaning).into()];
        html.table(say!(at, report.words_caption), &columns)?;
        for word in WORDS {
            html.row(&[texts::WORD.text(at, word), texts::WORD_MEANING.text(at, word)])?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    fn repeat(&self, html: &mut Html<'_>) -> io::Result<()> {
        let at = self.facts.locale;
        html.element("<h2>", say!(at, report.repeat), "</h2>")?;
        html.paragraph(say!(at, report.repeat_about))?;
        if let Some(commands) = &self.facts.commands {
            for command in commands {
                html.element("<pre>", command, "</pre>")?;
            }
        } else {
            html.paragraph(say!(at, report.name_not_shown))?;
            html.markup("<pre>recorder bundle verify --trust-root TRUST_ROOT FILE</pre>\n")?;
        }
        html.paragraph(say!(at, report.transcript))?;
        let limits = self.facts.limits;
        html.element(
            "<p class=\"note\">",
            &say!(
                at,
                report.limits,
                version = env!("CARGO_PKG_VERSION"),
                segments = limits.segments_max,
                archive = limits.archive_envelopes_max,
                document = limits.document_envelopes_max,
                bytes = limits.attachment_bytes_max,
            ),
            "</p>",
        )
    }
}

/// What no verification of a bundle shows.
fn always_unproven(at: Locale) -> [&'static str; 4] {
    [
        say!(at, report.not_true),
        say!(at, report.not_actor),
        say!(at, report.not_right_hands),
        say!(at, report.not_later),
    ]
}

fn remarks(event: &Event, at: Locale) -> String {
    let mut remarks = Vec::new();
    if event.payload_withheld {
        remarks.push(say!(at, report.remark_withheld).to_owned());
    }
    let count = event.attachment_ref_count;
    if count > 0 {
        remarks.push(say!(at, report.remark_attachments, count = count));
    }
    if event.has_signature {
        remarks.push(say!(at, report.remark_signed).to_owned());
    }
    remarks.join("; ")
}

/// How many there are beyond those that were listed, if any are.
fn beyond(count: u64, listed: usize) -> Option<u64> {
    Some(count.saturating_sub(listed as u64)).filter(|rest| *rest > 0)
}

/// Says so.
fn more(html: &mut Html<'_>, text: Option<String>) -> io::Result<()> {
    text.map_or(Ok(()), |text| html.paragraph(&text))
}
