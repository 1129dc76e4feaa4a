//! Vector files that a test computes: the file must be what the code gives, byte for byte.
//!
//! `RECORDER_WRITE_VECTORS=1` writes the file instead, for whoever changes the cases; a difference is then
//! seen in review.

#![expect(clippy::disallowed_methods, reason = "tests read and write files of the repository")]

use std::path::PathBuf;

use serde_json::Value;

/// The path of a file under `docs/spec`.
fn path_of(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec").join(name)
}

/// The text of a file under `docs/spec`.
pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(path_of(name)).unwrap()
}

/// Compares `text` with a file under `docs/spec`, or writes it there when asked to.
pub(crate) fn check_text(name: &str, text: &str) {
    if std::env::var_os("RECORDER_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path_of(name).parent().unwrap()).unwrap();
        std::fs::write(path_of(name), text).unwrap();
    }
    let found = read(name);
    let line = found.lines().zip(text.lines()).position(|(found, computed)| found != computed);
    assert!(found == text, "{name} is not what is computed, from line {:?}", line.map(|n| n + 1));
}

/// Compares a vector file with its cases: what it is about, then one case a line.
pub(crate) fn check(name: &str, about: &str, cases: &[Value]) {
    let lines: Vec<String> = cases.iter().map(|case| format!("    {case}")).collect();
    let about = Value::from(about);
    let lines = lines.join(",\n");
    check_text(
        name,
        &ascii(&format!("{{\n  \"about\": {about},\n  \"cases\": [\n{lines}\n  ]\n}}\n")),
    );
}

/// JSON with every other character escaped: vectors hold some that must not be seen raw.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}
