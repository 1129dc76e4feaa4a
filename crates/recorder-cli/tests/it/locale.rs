//! The language of what people read: how it is chosen, what never changes with it, and misuse that does not compile.

use std::process::Command;

use super::{Run, Sandbox, drafts};

const NOTICE: &str = "a machine wrote the words that follow (català)";

fn run_with(sandbox: &Sandbox, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    Run::of(sandbox.command(arguments).envs(variables.iter().copied()))
}

/// What the compiler says of a program that has the typed texts of the command, and `line`.
fn compiled(line: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/src/i18n.rs");
    let program = format!(
        "#![allow(dead_code, unused_imports, unfulfilled_lint_expectations)]\n#[path = {module:?}]\nmod i18n;\n\
         use i18n::{{Locale, say}};\nfn main() {{\nlet locale = Locale::ENGLISH;\n{line}\n}}\n"
    );
    let source = directory.path().join("main.rs");
    std::fs::write(&source, program).unwrap();
    let compiler = Command::new("rustc")
        .args(["--edition=2024", "--emit=metadata", "--crate-type=bin", "--out-dir"])
        .args([directory.path(), source.as_path()])
        .env("OUT_DIR", env!("OUT_DIR"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compiler.stderr).into_owned();
    if compiler.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_key_and_its_placeholders_compile_and_nothing_else_does() {
    // The first two show that the others fail for what they are.
    assert_eq!(compiled("let _: &'static str = say!(locale, note.unsigned);"), Ok(()));
    let filled = "let _: String = say!(locale, note.head_kept, size = 1, origin = \"x\");";
    assert_eq!(compiled(filled), Ok(()));
    for (misuse, code) in [
        ("say!(locale, note.unsinged);", "E0425"),
        ("say!(locale, notes.unsigned);", "E0433"),
        ("say!(locale, note.head_kept);", "E0423"),
        ("say!(locale, note.head_kept, origin = 1);", "E0063"),
        ("say!(locale, note.head_kept, origin = 1, sise = 2);", "E0560"),
        ("say!(locale, note.head_kept, origin = 1, size = 2, more = 3);", "E0560"),
        ("say!(locale, note.unsigned, size = 1);", "E0574"),
        ("say!(locale, note.behind_checkpoint, count = \"1\");", "E0277"),
        ("say!(\"ca\", note.unsigned);", "E0308"),
    ] {
        let said = compiled(misuse).expect_err(misuse);
        assert!(said.contains(&format!("error[{code}]")), "{misuse}: {said}");
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
