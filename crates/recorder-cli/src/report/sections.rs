//! The sections of the page, from the verdict down to how it can be done again.

use std::collections::BTreeMap;
use std::io;

use recorder_core::hash::KeyId;
use recorder_verify::{
    Authenticity, Completeness, Contents, End, Event, Form, Outcome, Severity, Time, Verdict,
};

use super::html::Html;
use super::words::{self, AnswerWords, Circumstances, Weight};
use super::{Facts, ROWS_MAX};

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
    page.repeat(html)
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
        };
        let answers = words::answers(facts.report, &here);
        Self { facts, here, answers }
    }

    fn is_invalid(&self) -> bool {
        self.facts.report.verdict() == Verdict::Invalid
    }

    fn verdict(&self, html: &mut Html<'_>) -> io::Result<()> {
        let (word, weight, meaning) = words::verdict(self.facts.report);
        html.markup(match weight {
            Weight::Good => "<div class=\"verdict good\">\n",
            Weight::Warning => "<div class=\"verdict warn\">\n",
            Weight::Bad => "<div class=\"verdict bad\">\n",
        })?;
        html.element("<p class=\"word\">", word, "</p>")?;
        html.paragraph(meaning)?;
        let required = self.facts.required.join(", ");
        match self.facts.outcome {
            Outcome::Satisfied => html.paragraph(&format!(
                "What had to be proven for this verification ({required}) is proven."
            ))?,
            Outcome::Unproven => html.element(
                "<p><strong>Not accepted:</strong> ",
                &format!("something that had to be proven ({required}) is not."),
                "</p>",
            )?,
            Outcome::Invalid => {}
        }
        html.markup("</div>\n")
    }

    fn subject(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>What was examined</h2>\n")?;
        if self.is_invalid() {
            html.paragraph(
                "As the verdict is invalid, all but the file's name and hash is what the file says of itself.",
            )?;
        }
        html.markup("<div class=\"facts\">")?;
        html.table("The file, what it was checked against, and when", &["Item", "Value"])?;
        let mut row = |name: &str, value: &str| html.row(&[name, value]);
        row("File", &self.facts.file_name)?;
        row("SHA-256 of the file", self.facts.inputs.bundle_sha256())?;
        for (name, value) in self.stated() {
            row(name, &value)?;
        }
        let none = "none was given: no signature can be attributed to anybody";
        row("SHA-256 of the trust root", self.facts.inputs.trust_root_sha256().unwrap_or(none))?;
        for head in self.facts.inputs.known_heads_sha256() {
            row("SHA-256 of a checkpoint given", head)?;
        }
        row("Verifier", concat!("recorder ", env!("CARGO_PKG_VERSION")))?;
        if let Some(time) = self.facts.verified_at {
            row("Verified at", &format!("{time}, by the clock of the machine that verified"))?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    /// What the bundle calls itself.
    fn stated(&self) -> Vec<(&'static str, String)> {
        let Some(subject) = self.facts.report.subject() else {
            let refused = "its table of contents was refused, so nothing else was read";
            return vec![("Contents", refused.to_owned())];
        };
        let form = match subject.form {
            Form::Archive => "archive (ZIP)",
            Form::Document => "document (JSON)",
        };
        let mut rows = vec![
            ("Bundle id", subject.bundle_id.to_string()),
            ("Stream: tenant", subject.stream.tenant_id.as_str().to_owned()),
            ("Stream: recorder", subject.stream.recorder_id.as_str().to_owned()),
            ("Form", form.to_owned()),
            ("Events in this file", subject.envelope_count.to_string()),
            ("Events in the log", subject.tree_size.to_string()),
        ];
        if let Some(contents) = self.facts.contents {
            let manifest = &contents.manifest;
            let selector = serde_json::to_string(&manifest.selector);
            rows.push(("Root hash of the log", manifest.root_hash.to_string()));
            rows.push(("Selection asked for", selector.unwrap_or_else(|_| "not shown".to_owned())));
            rows.push(("Built at", format!("{}, as its builder says", manifest.created_at)));
        }
        rows
    }

    fn answers(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>Five questions, answered apart</h2>\n")?;
        if self.is_invalid() {
            html.paragraph(
                "One broken answer makes the file invalid. The others say what could be told of what is readable; \
                 none of them makes up for it.",
            )?;
        }
        html.markup("<div class=\"answers\">")?;
        html.table("Each answer stands for itself", &["Question", "Answer", "What it means here"])?;
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
        html.markup("<h2>What follows from this, and what does not</h2>\n<div class=\"pair\">\n")?;
        html.markup("<section><h3>Proven</h3>\n")?;
        html.list(&self.is_proven())?;
        html.markup("</section>\n<section><h3>NOT proven</h3>\n")?;
        html.list(&self.is_not_proven())?;
        html.markup("</section>\n</div>\n")
    }

    fn is_proven(&self) -> Vec<String> {
        if self.is_invalid() {
            return vec![
                "Nothing. Single checks may have passed; they do not add up to a proof.".to_owned(),
            ];
        }
        let answers = self.facts.report.answers();
        let count = self.here.event_count;
        let mut proven = vec![match answers.authenticity {
            Authenticity::Proven => format!(
                "The {count} events in this file stand in the log with this content and in this order, and the holders \
                 of the keys below vouch for them. Since they signed, none was changed, replaced, moved or slipped in."
            ),
            Authenticity::Unproven | Authenticity::Broken => format!(
                "The {count} events in this file fit one another and the log's root hash. That shows no more than that \
                 whoever made the file made it consistently."
            ),
        }];
        if answers.completeness == Completeness::Complete {
            proven.push("No event from the beginning of the log up to its stated size is missing, and no content.".to_owned());
        }
        if answers.end == End::Proven {
            proven.push("No event was cut off at the end of the segment, or of the log, that ends with the last event here.".to_owned());
        }
        if answers.time == Time::Bounded {
            proven.push(
                "When it was recorded, within the bounds that witnesses or timestamps give."
                    .to_owned(),
            );
        }
        if !self.facts.inputs.known_heads_sha256().is_empty() && self.count_of("known_heads") > 0 {
            proven.push(
                "The log is the one whose checkpoint was given; it was not rewritten since."
                    .to_owned(),
            );
        }
        proven
    }

    fn is_not_proven(&self) -> Vec<String> {
        let mut missing: Vec<String> = Vec::new();
        if self.is_invalid() {
            missing.push("Anything that this file says: neither its events, nor their order, times or authors.".to_owned());
            missing.push("Who changed it, when, or why; and whether a genuine version exists. Ask the recorder's operator for a new one.".to_owned());
            missing.push(UNSIGNED.to_owned());
            return missing;
        }
        let weak = self.answers.iter().filter(|answer| answer.weight != Weight::Good);
        missing.extend(weak.map(|answer| answer.meaning.clone()));
        missing.extend(self.left_out());
        if self.count_of("known_heads") == 0 {
            missing.push(
                "That everybody is shown the same log. Who holds the signing key could keep a second one. A checkpoint \
                 obtained earlier, by another way, would tell (--known-head)."
                    .to_owned(),
            );
        }
        missing.extend(ALWAYS_UNPROVEN.map(str::to_owned));
        missing.push(UNSIGNED.to_owned());
        missing
    }

    fn left_out(&self) -> Vec<String> {
        let mut left_out = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                left_out.push(format!("{count} {what}"));
            }
        };
        say(
            self.count_of("payloads_withheld"),
            "events are here without their content: it was withheld or erased. Only its fingerprint is proven.",
        );
        say(self.count_of("withheld"), "attachments are named and not here.");
        say(
            self.count_of("omitted_parents"),
            "earlier events, named by events here as what they follow from, are not here.",
        );
        left_out
    }

    fn count_of(&self, name: &str) -> u64 {
        let phases = self.facts.report.phases();
        phases.iter().filter_map(|phase| phase.counts.get(name)).sum()
    }

    fn findings(&self, html: &mut Html<'_>) -> io::Result<()> {
        let findings = self.facts.report.findings();
        html.markup("<h2>Findings</h2>\n")?;
        if findings.is_empty() {
            return html.paragraph("None: no check found anything to object to.");
        }
        let columns = ["Code", "Weight", "Where", "What it means", "Detail"];
        html.table("What was found, in the order of the checks", &columns)?;
        for finding in &findings {
            let weight = match finding.severity() {
                Severity::Failure => "✗ failure",
                Severity::Warning => "! warning",
            };
            let code = finding.code();
            let place = finding.place().to_string();
            html.row(&[code.code(), weight, &place, code.meaning(), finding.detail()])?;
        }
        html.end_table()?;
        more(html, self.facts.report.finding_count(), findings.len(), "findings")
    }

    fn keys(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>Whose signatures</h2>\n")?;
        let mut signed: BTreeMap<KeyId, Vec<&str>> = BTreeMap::new();
        for key in self.facts.report.keys() {
            signed.entry(key.key_id).or_default().push(words::key_use(key.on));
        }
        if signed.is_empty() {
            return html.paragraph("No signature by a trusted key holds on anything in this file.");
        }
        if self.is_invalid() {
            html.paragraph(
                "Single signatures hold. They do not cover what failed, and do not make the file valid.",
            )?;
        }
        html.paragraph(
            "Signatures by these keys hold. That a key belongs to whom you think is not shown here: compare its id with \
             one that you have from its owner by another way.",
        )?;
        html.markup("<div class=\"hash\">")?;
        let columns = ["Key id", "Signed", "In the trust root"];
        html.table("Keys of which at least one signature holds", &columns)?;
        for (key_id, on) in &signed {
            let key = self.facts.trust_root.and_then(|root| root.key(key_id));
            html.row(&[&key_id.to_string(), &on.join("; "), &words::trust(key)])?;
        }
        html.end_table()?;
        html.markup("</div>\n")
    }

    fn phases(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2 class=\"fresh\">What was checked</h2>\n")?;
        let columns = ["Check", "What it looks at", "Counted", "Findings"];
        html.table("Seven checks, in their order", &columns)?;
        for summary in self.facts.report.phases() {
            let (name, what) = words::phase(summary.phase);
            let counts = summary.counts.iter();
            let counts: Vec<String> = counts
                .map(|(count, number)| format!("{}: {number}", words::count(summary.phase, count)))
                .collect();
            let counted = match summary.reached {
                true => counts.join("; "),
                false => "not reached".to_owned(),
            };
            let findings = match (summary.reached, summary.finding_count) {
                (false, _) => "not checked".to_owned(),
                (true, 0) => "none".to_owned(),
                (true, count) => count.to_string(),
            };
            html.row(&[name, what, &counted, &findings])?;
        }
        html.end_table()
    }

    fn segments(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>Segments</h2>\n")?;
        html.paragraph("A log is kept in segments. A sealed one is closed for ever.")?;
        let columns = ["Segment", "Events in it", "Of them here", "Sealed"];
        html.table("Segments of which events are in this file", &columns)?;
        let segments = &contents.manifest.segments;
        for segment in segments.iter().take(ROWS_MAX) {
            html.row(&[
                &segment.segment_id.to_string(),
                &segment.envelope_count.to_string(),
                &segment.included_count.to_string(),
                if segment.seal_hash.is_some() { "yes" } else { "no, still open" },
            ])?;
        }
        html.end_table()?;
        more(html, segments.len() as u64, segments.len().min(ROWS_MAX), "segments")
    }

    fn events(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2 class=\"fresh\">Events</h2>\n")?;
        html.paragraph(
            "In the order of the log. What an event contains is not shown here; it is in the file. Actor, type and claimed \
             time are what the reporting program said.",
        )?;
        html.markup("<div class=\"events\">")?;
        let columns =
            ["Position", "Recorded (recorder’s clock)", "Claimed", "Actor", "Type", "Remarks"];
        html.table("Events in this file", &columns)?;
        for event in &contents.events {
            html.row(&[
                &event.position.to_string(),
                &event.recorded_at.to_string(),
                &event.claimed_time.to_string(),
                &event.actor_id,
                &event.event_type,
                &remarks(event),
            ])?;
        }
        html.end_table()?;
        html.markup("</div>\n")?;
        more(html, self.here.event_count, contents.events.len(), "events")
    }

    fn attachments(&self, contents: &Contents, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>Attachments</h2>\n")?;
        let attachments = &contents.manifest.attachments;
        if attachments.is_empty() {
            return html.paragraph("No event in this file refers to an attachment.");
        }
        html.markup("<div class=\"hash\">")?;
        let columns = ["SHA-256", "Said to be", "Bytes", "Here"];
        html.table("Files that events refer to", &columns)?;
        for attachment in attachments.iter().take(ROWS_MAX) {
            html.row(&[
                &attachment.content_hash.to_string(),
                attachment.content_type.as_str(),
                &attachment.size_bytes.to_string(),
                if attachment.withheld { "no, withheld" } else { "yes" },
            ])?;
        }
        html.end_table()?;
        html.markup("</div>\n")?;
        more(html, attachments.len() as u64, attachments.len().min(ROWS_MAX), "attachments")
    }

    fn nothing_shown(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>Events</h2>\n")?;
        html.paragraph(
            "Not shown. The file failed verification, so what it lists as segments, events and attachments is not evidence \
             and is left out of this report.",
        )
    }

    fn repeat(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.markup("<h2>How to repeat this</h2>\n")?;
        html.paragraph(
            "Anyone who has the file and the trust root can do this again, without network access and without whoever \
             recorded the events. First compare the hash of the file with the one above:",
        )?;
        if let Some(commands) = &self.facts.commands {
            for command in commands {
                html.element("<pre>", command, "</pre>")?;
            }
        } else {
            html.paragraph("A file name cannot be shown exactly; put the real names in.")?;
            html.markup("<pre>recorder bundle verify --trust-root TRUST_ROOT FILE</pre>\n")?;
        }
        html.paragraph(
            "The same command with --verdict-transcript-output FILE writes the result as data, the same bytes on every \
             machine. A verifier by others can be written from the published evidence format alone.",
        )?;
        let limits = self.facts.limits;
        html.element(
            "<p class=\"note\">",
            &format!(
                "Verifier: recorder {}. It takes at most {} segments, {} events in an archive and {} in a document, {} bytes \
                 an attachment; beyond that it gives no verdict.",
                env!("CARGO_PKG_VERSION"),
                limits.segments_max,
                limits.archive_envelopes_max,
                limits.document_envelopes_max,
                limits.attachment_bytes_max,
            ),
            "</p>",
        )
    }
}

const UNSIGNED: &str = "This report itself: it is an unsigned page that anybody can alter. It explains a result; the result is \
                        had by repeating the verification.";

const ALWAYS_UNPROVEN: [&str; 4] = [
    "That what was recorded is true, or all that happened: only that it was recorded. A recorder keeps what programs report to it.",
    "That the named actor did it: names are given by the program that reported the event.",
    "That the signing keys were in the right hands, unless their owner says so.",
    "Anything that was recorded later than what is here.",
];

fn remarks(event: &Event) -> String {
    let mut remarks = Vec::new();
    if event.payload_withheld {
        remarks.push("content withheld".to_owned());
    }
    match event.attachment_ref_count {
        0 => {}
        1 => remarks.push("1 attachment".to_owned()),
        count => remarks.push(format!("{count} attachments")),
    }
    if event.has_signature {
        remarks.push("signed by itself".to_owned());
    }
    remarks.join("; ")
}

/// How many there are beyond those that were listed.
fn more(html: &mut Html<'_>, count: u64, listed: usize, what: &str) -> io::Result<()> {
    match count.saturating_sub(listed as u64) {
        0 => Ok(()),
        rest => html.paragraph(&format!("and {rest} more {what}, checked and not listed here.")),
    }
}
