//! Help, wrong usage, completion scripts and manual pages.

use super::Sandbox;

#[test]
fn help_says_what_the_exit_codes_mean() {
    let run = Sandbox::new().run(&["--help"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("3 evidence is invalid"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn each_command_says_what_it_takes() {
    let sandbox = Sandbox::new();
    let commands: [&[&str]; 9] = [
        &["init"],
        &["envelope", "record"],
        &["envelope", "import"],
        &["query", "envelopes"],
        &["segment"],
        &["bundle", "build"],
        &["bundle", "verify"],
        &["signer", "generate"],
        &["config", "show"],
    ];
    for command in commands {
        let run = sandbox.run(&[command, &["-h"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        insta::assert_snapshot!(command.join("-"), run.stdout);
    }
}

#[test]
fn an_unknown_command_is_wrong_usage_and_the_near_one_is_named() {
    let run = Sandbox::new().run(&["signr", "show"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn nothing_at_all_is_wrong_usage() {
    let run = Sandbox::new().run(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}

#[test]
fn every_shell_gets_a_script_with_every_command() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = sandbox.run(&["completions", shell]);
        assert_eq!(run.code, 0);
        for word in ["recorder", "init", "signer", "config"] {
            assert!(run.stdout.contains(word), "{shell} lacks {word}");
        }
        let answer = sandbox.json_ok(&["completions", shell]);
        assert_eq!(answer["script"].as_str().unwrap(), run.stdout);
    }
}

#[test]
fn manual_pages_are_written_once() {
    let sandbox = Sandbox::new();
    let answer = sandbox.json_ok(&["man", "--dir", "man"]);
    let pages = answer["pages"].as_array().unwrap();
    assert!(pages.iter().any(|page| page == "man/recorder-signer-generate.1"), "{pages:?}");
    for page in pages {
        let text = sandbox.read(page.as_str().unwrap());
        assert!(text.contains(".SH NAME"), "{page}");
    }
    assert_eq!(sandbox.json(&["man", "--dir", "man"]).0, 5);
    assert!(sandbox.run(&["man"]).stdout.contains(".TH recorder 1"));
}

#[test]
fn an_argument_that_is_refused_reaches_no_terminal_as_it_is() {
    let run = Sandbox::new().run(&["query", "envelopes", "--actor", "a\u{1b}[2J\u{202e}b"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("actor_id: must not hold"), "{}", run.stderr);
    assert!(run.stderr.contains("\\u{202e}b"), "{}", run.stderr);
    assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", run.stderr);
}
