//! `glossary`: every word, phase, answer and code is explained, in the words that the pages and the report have.

use std::collections::BTreeSet;

use recorder_core::words::{self, WORDS};
use serde_json::{Value, json};

use super::{Sandbox, refusal};

fn entries(arguments: &[&str]) -> Vec<Value> {
    let answer = Sandbox::new().json_ok(&[&["glossary"], arguments].concat());
    answer["entries"].as_array().unwrap().clone()
}

#[test]
fn every_word_of_the_product_is_explained_and_all_that_tooltips_have_with_all() {
    let told: Vec<(String, String)> = entries(&[])
        .iter()
        .filter(|entry| entry["kind"] == "word")
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (text("name"), text("meaning"))
        })
        .collect();
    let words: Vec<_> =
        WORDS.iter().map(|word| (word.name.to_owned(), word.meaning.to_owned())).collect();
    assert_eq!(told, words);

    let tooltips = &recorder_contract::artifacts().unwrap()["tooltips.json"];
    let tooltips: Value = serde_json::from_slice(tooltips).unwrap();
    let mut wanted = BTreeSet::new();
    for (kind, list) in tooltips.as_object().unwrap() {
        for (name, meaning) in list.as_object().unwrap() {
            match meaning {
                Value::String(meaning) => {
                    let kind = if kind == "terms" { "word" } else { kind.trim_end_matches('s') };
                    wanted.insert((kind.to_owned(), name.clone(), meaning.clone()));
                }
                answers => {
                    wanted.extend(answers.as_object().unwrap().iter().map(|(_, meaning)| {
                        let meaning = meaning.as_str().unwrap().to_owned();
                        ("answer".to_owned(), name.clone(), meaning)
                    }))
                }
            }
        }
    }
    let told: BTreeSet<_> = entries(&["--all"])
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            let name = if entry["kind"] == "answer" { "question" } else { "name" };
            (text("kind"), text(name), text("meaning"))
        })
        .collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_word_is_found_as_people_type_it_and_a_code_by_its_name() {
    let root = words::meaning("trust root").unwrap();
    for typed in [&["trust", "root"][..], &["trust root"], &["Trust-Root"], &["trust_root"]] {
        let found = entries(typed);
        assert_eq!(found[0], json!({"kind": "word", "name": "trust root", "meaning": root}));
    }
    let found = entries(&["seal", "chain_hash_mismatch"]);
    assert_eq!((found[0]["name"].as_str(), found.len()), (Some("seal"), 2));
    assert_eq!(found[1]["kind"], "finding");
    // Two questions have an answer of this name.
    let found = entries(&["unproven"]);
    let questions: Vec<_> = found.iter().map(|entry| entry["question"].as_str().unwrap()).collect();
    assert_eq!(questions, ["authenticity", "end"]);
    let catalan = Sandbox::new().run(&["--locale", "ca", "glossary", "arrel", "de", "confiança"]);
    assert!(catalan.stdout.starts_with("arrel de confiança  El fitxer"), "{}", catalan.stdout);
}

#[test]
fn a_word_that_is_not_known_is_refused_and_the_near_one_is_named() {
    let run = Sandbox::new().json(&["glossary", "checkpiont"]);
    assert_eq!(refusal(&run), (2, "word_unknown"));
    assert!(run.1["error"]["hint"].as_str().unwrap().contains("checkpoint"));
}

#[test]
fn people_read_the_words_by_topic() {
    let run = Sandbox::new().run(&["glossary"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let place = |text: &str| run.stdout.find(text).unwrap();
    assert!(place("What is recorded\n  event") < place("How its order is kept\n  tenant"));
    assert!(place("The seven phases\n  1. Table") < place("The five answers\n  integrity: intact"));
    assert!(!run.stdout.contains("chain_hash_mismatch") && run.stdout.contains("--all"));
}
