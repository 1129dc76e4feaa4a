//! `bundle verify --report`: the page for people says what the verdict says, and nothing from evidence gets out of its cell.

use std::path::Path;

use super::{Sandbox, drafts, refusal};

fn vector(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/bundles");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Verifies and gives the exit code and the page.
fn page(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String) {
    let fixed = ["bundle", "verify", "--report", "page.html", "--report-undated"];
    let run = sandbox.run(&[&fixed[..], arguments].concat());
    let page = sandbox.read("page.html");
    std::fs::remove_file(sandbox.path("page.html")).unwrap();
    (run.code, page)
}

/// Of a bundle of the corpus, copied beside its trust root so that no path of this machine is on the page.
fn corpus_page(bundle: &str, trust_root: &str) -> (i32, String) {
    let sandbox = Sandbox::new();
    let name = bundle.rsplit('/').next().unwrap();
    std::fs::copy(vector(bundle), sandbox.path(name)).unwrap();
    std::fs::copy(vector(trust_root), sandbox.path("trust-root.json")).unwrap();
    page(&sandbox, &["--trust-root", "trust-root.json", name])
}

/// What would make a browser fetch, run or follow anything.
fn assert_inert(page: &str) {
    let lower = page.to_lowercase();
    for active in
        ["http:", "https:", "src=", "href", "<script", "url(", "@import", "<iframe", "<form"]
    {
        assert!(!lower.contains(active), "{active}");
    }
    let policy = "content=\"default-src 'none'; style-src 'unsafe-inline'\"";
    assert!(page.contains(policy) && page.starts_with("<!DOCTYPE html>\n<html lang=\"en\""));
}

#[test]
fn the_page_of_a_selection_with_attachments_is_this_one() {
    let (code, page) =
        corpus_page("valid/attachments-partial.recorder.zip", "trust-roots/recorder.json");
    assert_eq!(code, 0);
    assert_inert(&page);
    insta::assert_snapshot!(page);
}

/// What stands between the tags, in lower case, and every letter else as a space.
fn read_aloud(page: &str) -> String {
    let (_, body) = page.split_once("<body>").unwrap();
    let texts = body.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text);
    let text = texts.collect::<Vec<_>>().join(" ").to_lowercase();
    let text = text.replace(|letter: char| !letter.is_ascii_lowercase(), " ");
    format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn every_word_of_the_product_that_the_page_uses_is_explained_on_it() {
    let (_, page) =
        corpus_page("valid/attachments-partial.recorder.zip", "trust-roots/recorder.json");
    let (_, glossary) = page.split_once("Words used here").unwrap();
    let said = read_aloud(&page);
    let asked = ["integrity", "authenticity", "completeness", "end", "time"];
    let mut explained = 0;
    for word in recorder_core::words::WORDS.iter().filter(|word| !asked.contains(&word.name)) {
        let row = format!("<tr><th scope=\"row\">{}</th>", word.name);
        let is_explained = glossary.contains(&row);
        explained += usize::from(is_explained);
        let forms = [format!(" {} ", word.name), format!(" {}s ", word.name)];
        let is_used = forms.iter().any(|form| said.contains(form));
        assert!(is_explained || !is_used, "{} is used and not explained", word.name);
    }
    assert!(explained > 20, "{explained}");
}

#[test]
fn what_is_shown_where_somebody_points_is_what_the_glossary_says() {
    let (_, page) =
        corpus_page("valid/attachments-partial.recorder.zip", "trust-roots/recorder.json");
    let titles: Vec<&str> = page
        .split("<abbr title=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(title, _)| title))
        .collect();
    assert!(titles.len() > 12, "{titles:?}");
    for title in titles {
        let title = title.replace("&#39;", "'");
        assert!(recorder_core::words::WORDS.iter().any(|word| word.meaning == title), "{title}");
    }
}

#[test]
fn the_same_inputs_give_the_same_page_and_a_dated_one_says_whose_clock_it_was() {
    let sandbox = Sandbox::new();
    let bundle = vector("valid/attachments-partial.recorder.zip");
    let (first, second) = (page(&sandbox, &[&bundle]), page(&sandbox, &[&bundle]));
    assert_eq!(first, second);
    assert!(!first.1.contains("Verified at"));
    sandbox.run(&["bundle", "verify", "--report", "dated.html", &bundle]);
    let dated = sandbox.read("dated.html");
    assert!(dated.contains("by the clock of the machine that verified"));
}

#[test]
fn an_invalid_bundle_is_said_to_be_so_first_and_its_events_are_not_shown() {
    let (code, page) =
        corpus_page("must-reject/chain-hash-edited.recorder.zip", "trust-roots/recorder.json");
    assert_eq!(code, 3);
    assert_inert(&page);
    let said = page.find("✗ INVALID").unwrap();
    assert!(said < page.find("What was examined").unwrap());
    assert!(page.contains("chain_hash_mismatch") && page.contains("Nothing. Single checks"));
    assert!(!page.contains("agent-") && !page.contains("<th scope=\"col\">Position"));
}

#[test]
fn text_from_evidence_and_file_names_stay_text() {
    let sandbox = Sandbox::unsigned();
    let hostile = "<script>alert(1)</script>\\\"'&<img src=x>";
    let line = drafts(0..1).replace("\"agent-1\"", &format!("\"{hostile}\""));
    sandbox.write("in.jsonl", line);
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    let name = "a'\u{202e}<b>.zip";
    sandbox.json_ok(&["bundle", "build", "--all", "--output", name]);
    let (code, page) = page(&sandbox, &[name]);
    assert_eq!(code, 4);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;img src=x&gt;")
    );
    assert!(page.contains("a&#39;\\u{202e}&lt;b&gt;.zip"));
    // What is seen would not be what is run.
    assert!(page.contains("put the real names in"));
    assert!(page.contains("NOBODY TRUSTED VOUCHES"));
}

#[test]
fn events_beyond_the_rows_are_counted() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..2_003));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "all.zip"]);
    let (_, page) = page(&sandbox, &["all.zip"]);
    assert!(
        page.contains("<th scope=\"row\">1999</th>")
            && !page.contains("<th scope=\"row\">2000</th>")
    );
    assert!(page.contains("and 3 more events, checked and not listed here."));
}

#[test]
fn a_report_never_takes_the_place_of_a_file() {
    let sandbox = Sandbox::new();
    let bundle = vector("valid/attachments.recorder.zip");
    sandbox.write("page.html", "mine");
    let run = sandbox.json(&["bundle", "verify", "--report", "page.html", &bundle]);
    assert_eq!(
        (refusal(&run), sandbox.read("page.html").as_str()),
        ((5, "already_exists"), "mine")
    );
}
