//! The language of what people read: how it is chosen, what never changes with it, and misuse that does not compile.

use std::process::Command;

use super::{Run, Sandbox, drafts};

const NOTICE: &str = "a machine wrote the words that follow (català)";

fn run_with(sandbox: &Sandbox, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    Run::of(sandbox.command(arguments).envs(variables.iter().copied()))
}

/// The codes of the errors in a program of these lines, by a compiler that has the typed texts of the command.
fn errors_in(lines: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/src/i18n.rs");
    let start = format!(
        "#![allow(warnings)] #[path = {module:?}] mod i18n; use i18n::{{Locale, say}}; \
         fn main() {{ let locale = Locale::ENGLISH; "
    );
    let program = directory.path().join("main.rs");
    std::fs::write(&program, start + &lines.join(" ") + " }").unwrap();
    let compiler = Command::new("rustc")
        .args(["--edition=2024", "--emit=metadata", "--crate-type=bin", "--error-format=short"])
        .args([std::path::Path::new("--out-dir"), directory.path(), &program])
        .env("OUT_DIR", env!("OUT_DIR"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compiler.stderr).into_owned();
    let code = |line: &str| Some(line.split_once("error[")?.1.split_once(']')?.0.to_owned());
    let mut codes: Vec<String> = said.lines().filter_map(code).collect();
    assert_eq!(compiler.status.success(), codes.is_empty(), "{said}");
    codes.sort();
    codes
}

#[test]
fn a_key_and_its_placeholders_compile_and_nothing_else_does() {
    // Without these, the others could fail for any reason.
    let uses = [
        "let _: &'static str = say!(locale, note.unsigned);",
        "let _: String = say!(locale, note.head_kept, size = 1, origin = \"x\");",
        "let _: String = say!(locale, note.behind_checkpoint, count = 1_u64);",
    ];
    assert_eq!(errors_in(&uses), [""; 0]);
    // A compiler that cannot find a name does not look at types.
    let names = [
        ("say!(locale, note.head_kept);", "E0423"),
        ("say!(locale, note.unsinged);", "E0425"),
        ("say!(locale, notes.unsigned);", "E0433"),
        ("say!(locale, note.unsigned, size = 1);", "E0574"),
    ];
    let types = [
        ("say!(locale, note.head_kept, origin = 1);", "E0063"),
        ("say!(locale, note.behind_checkpoint, count = \"1\");", "E0277"),
        ("say!(\"ca\", note.unsigned);", "E0308"),
        ("say!(locale, note.head_kept, origin = 1, size = 2, more = 3);", "E0560"),
        ("say!(locale, note.head_kept, origin = 1, sise = 2);", "E0560"),
    ];
    for misuses in [&names[..], &types] {
        let (lines, codes): (Vec<&str>, Vec<&str>) = misuses.iter().copied().unzip();
        assert_eq!(errors_in(&lines), codes);
    }
}

#[test]
fn the_flag_wins_over_the_environment_as_posix_orders_it() {
    let sandbox = Sandbox::unsigned();
    let says_catalan = |variables: &[(&str, &str)], more: &[&str]| {
        let arguments = [&["segment", "seal"], more].concat();
        let run = run_with(&sandbox, variables, &arguments);
        assert_ne!(run.code, 0);
        run.stderr.contains("no hi ha cap clau de signatura configurada")
    };
    assert!(!says_catalan(&[], &[]));
    assert!(says_catalan(&[], &["--locale", "ca"]));
    assert!(says_catalan(&[("LANG", "ca_ES.UTF-8")], &[]));
    assert!(!says_catalan(&[("LANG", "ca_ES.UTF-8")], &["--locale=en"]));
    assert!(!says_catalan(&[("LANG", "ca_ES.UTF-8"), ("LC_ALL", "C")], &[]));
    assert!(says_catalan(&[("LC_MESSAGES", "ca@valencia"), ("LANG", "en")], &[]));
    assert!(!says_catalan(&[("LANG", "tlh")], &[]));
}

#[test]
fn a_locale_that_is_not_there_is_wrong_usage_where_it_was_asked_for() {
    let run = Sandbox::new().run(&["config", "validate", "--locale", "cat"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("en, ca") && run.stderr.contains("'ca'"), "{}", run.stderr);
}

#[test]
fn what_a_machine_translated_says_so_once_to_people_who_want_notes() {
    let sandbox = Sandbox::new();
    let notices = |arguments: &[&str]| sandbox.run(arguments).stderr.matches(NOTICE).count();
    assert_eq!(notices(&["config", "validate", "--locale", "ca"]), 1);
    assert_eq!(notices(&["config", "validate", "--locale", "en"]), 0);
    assert_eq!(notices(&["config", "validate", "--locale", "ca", "--quiet"]), 0);
    assert_eq!(notices(&["config", "validate", "--locale", "ca", "--json"]), 0);
}

#[test]
fn labels_stay_in_one_column_as_wide_as_the_longest() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..1));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    for (locale, label) in [("en", "envelopes"), ("ca", "sobres")] {
        let shown = sandbox.run(&["segment", "status", "--locale", locale]).stdout;
        let column = |line: &str| {
            let value = line.find("  ").unwrap();
            line[..value].chars().count() + line[value..].chars().take_while(|c| *c == ' ').count()
        };
        let columns: Vec<usize> = shown.lines().filter(|l| l.contains("  ")).map(column).collect();
        assert!(shown.lines().any(|line| line.starts_with(label)), "{shown}");
        assert!(columns.len() > 3 && columns.iter().all(|at| *at == columns[0]), "{shown}");
    }
}

/// A recorder with something of everything: sealed segments, bundles good and bad, proofs, an input that is refused.
fn furnished() -> Sandbox {
    let sandbox = Sandbox::initialised();
    sandbox.write("in.jsonl", drafts(0..4));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["segment", "seal"]);
    sandbox.json_ok(&["bundle", "build", "--all", "--output", "all.zip"]);
    let part = ["bundle", "build", "--positions", "1..2", "--output", "part.zip"];
    sandbox.json_ok(&part);
    let mut bytes = std::fs::read(sandbox.path("all.zip")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    sandbox.write("broken.zip", &bytes);
    sandbox.write("empty.zip", "nothing");
    sandbox.write("wrong.jsonl", drafts(0..1) + "{}\n[]\n");
    sandbox.write("wrong.toml", "stroe = 1\n");
    let proof = ["proof", "export", "--position", "1", "--output", "one.tlog-proof"];
    sandbox.json_ok(&proof);
    sandbox
}

/// Calls that change nothing, so that they can be made again in another language. All of them answer or are refused.
fn calls() -> Vec<Vec<&'static str>> {
    let lines = "attack --list|assurance startup|assurance trust-root|assurance gates|bundle inspect all.zip|\
        bundle inspect empty.zip|bundle verify all.zip|bundle verify all.zip --trust-root trust-root.json|\
        bundle verify broken.zip|bundle verify part.zip --trust-root trust-root.json|bundle verify empty.zip|\
        bundle verify all.zip --require time|bundle verify missing.zip|checkpoint show|config show --origin|\
        config validate|--config wrong.toml config validate|--config wrong.ini config validate|doctor|\
        --store missing.db doctor|--store missing.db fsck|envelope import wrong.jsonl|\
        envelope record --event-type a.b --actor a --environment t --payload missing.json|fsck|init|\
        proof verify one.tlog-proof --trust-root trust-root.json|proof verify in.jsonl --trust-root trust-root.json|\
        proof export --position 99 --output two|query envelopes|query envelopes --limit 2|\
        query envelopes --actor nobody|query envelopes --cursor x|query envelopes --limit 0|segment list|\
        segment list --limit 1|segment seal|segment status|signer show|--profile standard signer show|\
        --key missing.pem signer show|--tenant-id other segment status|bundle build --all --output all.zip|\
        bundle build --actor nobody --output none.zip|completions bash|glossary|glossary seal|glossary frobnicate|frobnicate|bundle verify|config show --nope";
    lines.split('|').map(|line| line.split_whitespace().collect()).collect()
}

/// What may differ from one call to the next: times, and the head that the guard moved to.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| word.contains("2026-") && word.contains('T') && word.contains(':');
    let words =
        text.split([' ', '"', '\n']).filter(|word| !is_time(word) && !word.ends_with("MiB"));
    words.filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
}

#[test]
fn json_is_the_same_in_every_language() {
    let sandbox = furnished();
    for call in calls() {
        let run = |locale| {
            let arguments = [&["--json", "--locale", locale], call.as_slice()].concat();
            let run = sandbox.run(&arguments);
            (run.code, without_times(&run.stdout), without_times(&run.stderr))
        };
        let (english, catalan) = (run("en"), run("ca"));
        assert_eq!(english, catalan, "{call:?}");
    }
    let help = |locale| sandbox.run(&["--json", "--locale", locale, "bundle", "verify", "--help"]);
    assert_eq!(help("en").stdout, help("ca").stdout);
}

/// The words of a catalog's texts between their placeholders, as far as they are long enough to be told from a detail.
fn phrases(locale: &str) -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/i18n/locales");
    let text = std::fs::read_to_string(format!("{directory}/{locale}.toml")).unwrap();
    let catalog: toml::Table = text.parse().unwrap();
    let mut phrases = Vec::new();
    let mut pending: Vec<&toml::Value> = catalog.values().collect();
    while let Some(value) = pending.pop() {
        match value {
            toml::Value::Table(table) => pending.extend(table.values()),
            toml::Value::String(text) => {
                let text = text.replace("{{", "(").replace("}}", ")");
                let outside = text.split(['{', '}']).step_by(2).map(str::trim);
                phrases.extend(outside.filter(|part| part.len() > 14).map(str::to_owned));
            }
            _ => {}
        }
    }
    phrases.sort();
    phrases.dedup();
    phrases
}

#[test]
fn no_english_of_the_catalog_is_said_to_whoever_chose_catalan() {
    let catalan = phrases("ca");
    let english: Vec<String> =
        phrases("en").into_iter().filter(|phrase| !catalan.contains(phrase)).collect();
    assert!(english.len() > 500, "{}", english.len());
    let sandbox = furnished();
    let mut spoken = 0;
    for call in calls() {
        for more in [&[][..], &["--help"]] {
            let run = sandbox.run(&[&["--locale", "ca"], call.as_slice(), more].concat());
            let said = run.stderr.lines().filter(|line| !line.starts_with(NOTICE));
            let said = said.chain(run.stdout.lines()).collect::<Vec<_>>().join("\n");
            let leak = english.iter().find(|phrase| said.contains(phrase.as_str()));
            assert_eq!(leak, None, "{call:?} {more:?}: {said}");
            spoken += catalan.iter().filter(|phrase| said.contains(phrase.as_str())).count();
        }
    }
    assert!(spoken > 200, "{spoken}");
}

#[test]
fn the_report_for_auditors_is_in_their_language_and_says_who_wrote_it() {
    let sandbox = furnished();
    for (locale, title) in [("en", "Verification report"), ("ca", "Informe de verificació")] {
        for bundle in ["all", "broken"] {
            let (file, page) = (format!("{bundle}.zip"), format!("{bundle}-{locale}.html"));
            sandbox.run(&["bundle", "verify", &file, "--report", &page, "--locale", locale]);
            let page = sandbox.read(&page);
            assert!(page.contains(&format!("<html lang=\"{locale}\" dir=\"ltr\">")), "{page}");
            assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
            assert_eq!(page.contains("A machine wrote the words of this page"), locale == "ca");
        }
    }
    let catalan = phrases("ca");
    for bundle in ["all", "broken"] {
        let page = sandbox.read(&format!("{bundle}-ca.html")).replace("&#39;", "'");
        let words = phrases("en").into_iter().filter(|phrase| !catalan.contains(phrase));
        let leak = words.filter(|phrase| !phrase.starts_with("A machine wrote the words"));
        assert_eq!(leak.into_iter().find(|phrase| page.contains(phrase.as_str())), None);
    }
}

#[test]
fn what_is_recorded_is_in_english_whoever_records_it() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("wrong.jsonl", "{}\n");
    let import =
        ["--locale", "ca", "envelope", "import", "wrong.jsonl", "--policy", "record_anomaly"];
    assert_eq!(sandbox.run(&import).code, 0);
    let recorded = sandbox.json_ok(&["query", "envelopes"]).to_string();
    assert!(recorded.contains("system.import.anomaly"), "{recorded}");
    assert!(recorded.contains("missing field"), "{recorded}");
}
