//! The format's page lists every finding code as the code defines it, and no other.

use recorder_verify::FindingCode;

const PAGE: &str = include_str!("../../../../docs/spec/evidence-format.md");

#[test]
fn the_page_and_the_code_list_the_same_findings() {
    let section = PAGE.split("\n## 16. Findings").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let listed: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let severity = |code: &FindingCode| format!("{:?}", code.severity()).to_lowercase();
    let expected = FindingCode::ALL.iter().map(|code| {
        let (phase, question) = (code.phase().name(), code.question().name());
        let severity = severity(code);
        format!("| `{code}` | {phase} | {question} | {severity} | {} |", code.meaning())
    });
    assert_eq!(listed, expected.collect::<Vec<_>>());
}
