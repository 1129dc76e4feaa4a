//! The words, codes and settings with what they mean: as a page, and for tooltips.
//!
//! Deliberately absent: any meaning of its own. Words are explained in `recorder_core::words`, phases, answers and findings by
//! the verifier, problem codes and settings by the tables that the sidecar runs on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recorder_core::words::{Topic, WORDS};
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_config::key::Key;
use recorder_verify::{
    Authenticity, Completeness, End, FindingCode, Integrity, Phase, Question, Time,
};
use serde_json::{Value, json};

/// An answer to one of the five questions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerMeaning {
    /// Which question.
    pub question: Question,
    /// The answer, as programs write it.
    pub answer: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// The answers to one question; does not compile while one is missing.
macro_rules! answers {
    ($question:ident: $($variant:ident $word:literal),+) => {{
        let _ = |value: $question| match value { $($question::$variant)|+ => () };
        [$(AnswerMeaning {
            question: Question::$question,
            answer: $word,
            meaning: $question::$variant.meaning(),
        },)+]
    }};
}

/// Every answer to every question.
pub fn answers() -> Vec<AnswerMeaning> {
    let mut all = Vec::new();
    all.extend(answers!(Integrity: Intact "intact", Broken "broken"));
    all.extend(answers!(Authenticity: Proven "proven", Unproven "unproven", Broken "broken"));
    all.extend(answers!(Completeness: Complete "complete", Partial "partial", Broken "broken"));
    all.extend(answers!(End: Proven "proven", Open "open", Unproven "unproven"));
    all.extend(answers!(Time: Bounded "bounded", Claimed "claimed"));
    all
}

/// Every problem code of the HTTP interface and what it means.
pub fn problems() -> impl Iterator<Item = (&'static str, &'static str)> {
    Code::ALL.iter().map(|code| (code.code(), code.title()))
}

/// Every setting of the sidecar and what it is for.
pub fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    Key::ALL.iter().map(|key| (key.name(), key.spec().purpose))
}

/// The words as a table for each topic, headed at `level`.
pub fn tables(level: usize) -> String {
    let mut out = String::new();
    for topic in Topic::ALL {
        let _ = write!(out, "\n{} {}\n\n", "#".repeat(level), topic.title());
        out.push_str("| word | meaning |\n|---|---|\n");
        for word in WORDS.iter().filter(|word| word.topic == topic) {
            let _ = writeln!(out, "| {} | {} |", word.name, word.meaning);
        }
    }
    out
}

/// The words as a page, and the steps and answers of a verification.
pub(crate) fn page() -> String {
    let mut out = format!("# Glossary\n{}", tables(2));
    out.push_str("\n## The seven phases\n\n| phase | what it looks at |\n|---|---|\n");
    for phase in Phase::ALL {
        let _ = writeln!(out, "| {} | {} |", phase.name(), phase.meaning());
    }
    out.push_str("\n## The five answers\n\n| question | answer | meaning |\n|---|---|---|\n");
    for AnswerMeaning { question, answer, meaning } in answers() {
        let _ = writeln!(out, "| {} | {answer} | {meaning} |", question.name());
    }
    out
}

/// Every word, code and setting with what to show beside it.
pub(crate) fn tooltips() -> Value {
    let terms: BTreeMap<_, _> = WORDS.iter().map(|word| (word.name, word.meaning)).collect();
    let findings: BTreeMap<_, _> =
        FindingCode::ALL.iter().map(|code| (code.code(), code.meaning())).collect();
    let phases: BTreeMap<_, _> =
        Phase::ALL.iter().map(|phase| (phase.name(), phase.meaning())).collect();
    let mut answers: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for AnswerMeaning { question, answer, meaning } in self::answers() {
        answers.entry(question.name()).or_default().insert(answer, meaning);
    }
    let problems: BTreeMap<_, _> = problems().collect();
    let settings: BTreeMap<_, _> = settings().collect();
    json!({
        "answers": answers,
        "findings": findings,
        "phases": phases,
        "problems": problems,
        "settings": settings,
        "terms": terms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enumeration;

    #[test]
    fn answers_are_written_as_verdicts_write_them() {
        let mut written: Vec<(&str, String)> = Vec::new();
        for (question, answers) in enumeration::answers() {
            written.extend(answers.into_iter().map(|answer| (question, answer)));
        }
        let mut explained: Vec<(&str, String)> = answers()
            .into_iter()
            .map(|known| (known.question.name(), known.answer.to_owned()))
            .collect();
        written.sort();
        explained.sort();
        assert_eq!(explained, written);
    }

    #[test]
    fn the_architecture_has_these_words_and_no_others() {
        let page = include_str!("../../../ARCHITECTURE.md");
        let (_, words) = page.split_once("\n## Words\n").unwrap();
        let start = words.find("\n### ").unwrap();
        let end = words.rfind("|\n").unwrap() + 2;
        assert_eq!(&words[start..end], tables(3), "ARCHITECTURE.md, Words");
    }
}
