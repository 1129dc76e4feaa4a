//! Rust files: their opening words, unfinished work, the length of functions, forgotten tests.
//!
//! Deliberately absent: layout and style, which rustfmt and clippy check.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::tree::Files;

/// Longer functions are refused, so that short ones cannot grow past it.
const FUNCTION_LINES_MAX: usize = 70;

/// Words that mark unfinished work, in two parts so that this file may hold them.
const UNFINISHED: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("todo", "!"),
    ("unimplemented", "!"),
    ("#[ig", "nore"),
];

/// Names each rule that a Rust file breaks.
pub(super) fn check(files: &Files) -> Vec<String> {
    let mut findings = check_test_modules(files);
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        match text {
            Some(text) => findings.extend(check_file(path, text)),
            None => findings.push(format!("{path}: not UTF-8")),
        }
    }
    findings
}

fn check_file(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !text.starts_with("//! ") {
        findings.push(format!("{path}:1: does not open with `//!` and what the file promises"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let marks = UNFINISHED.iter().map(|(start, end)| format!("{start}{end}"));
        let found = marks.into_iter().filter(|mark| contains_word(line, mark));
        findings.extend(found.map(|mark| format!("{path}:{number}: {mark} marks unfinished work")));
    }
    match syn::parse_file(text) {
        Ok(parsed) => findings.extend(long_functions(path, &parsed)),
        Err(error) => findings.push(format!("{path}: does not parse: {error}")),
    }
    findings
}

/// Whether `word` stands in `line` with no letter, digit or underscore touching it.
fn contains_word(line: &str, word: &str) -> bool {
    let touches = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        !before.ends_with(touches) && (word.ends_with('!') || !after.starts_with(touches))
    })
}

fn long_functions(path: &str, file: &syn::File) -> Vec<String> {
    let mut visitor = Functions { path, findings: Vec::new() };
    visitor.visit_file(file);
    visitor.findings
}

/// Walks every function with a body, nested ones and methods included.
struct Functions<'a> {
    path: &'a str,
    findings: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let (path, name) = (self.path, &signature.ident);
            let found =
                format!("{path}:{first}: {name} has {lines} lines, over {FUNCTION_LINES_MAX}");
            self.findings.push(found);
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

/// One test binary a crate, `tests/it/main.rs`; a file that it does not list would never run.
fn check_test_modules(files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files.keys().filter(|path| path.ends_with(".rs")) {
        let Some((package, name)) = path.split_once("/tests/") else { continue };
        let Some(inside) = name.strip_prefix("it/") else {
            if !name.contains('/') {
                findings.push(format!("{path}: move it to {package}/tests/it, one binary a crate"));
            }
            continue;
        };
        let module = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
        let main = files.get(&format!("{package}/tests/it/main.rs")).and_then(Option::as_ref);
        let declares = |line: &str| line.trim() == format!("mod {module};");
        if inside != "main.rs" && !main.is_some_and(|main| main.lines().any(declares)) {
            findings
                .push(format!("{path}: {package}/tests/it/main.rs does not list `mod {module};`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Files::from([(path.to_owned(), Some(text.to_owned()))]))
    }

    #[test]
    fn a_file_without_its_promise_is_found() {
        assert!(found("a.rs", "//! Promise.\nfn f() {}\n").is_empty());
        assert_eq!(found("a.rs", "fn f() {}\n").len(), 1);
        assert_eq!(found("a.rs", "\n//! Late.\n").len(), 1);
    }

    #[test]
    fn unfinished_work_is_found_and_longer_words_are_not() {
        for (start, end) in UNFINISHED {
            let text = format!("//! Promise.\n// {start}{end}\n");
            assert_eq!(found("a.rs", &text).len(), 1, "{text}");
        }
        assert!(found("a.rs", "//! Promise.\n// METODOS and XXXL stay.\n").is_empty());
    }

    #[test]
    fn a_function_of_one_line_too_many_is_found_wherever_it_stands() {
        let body = |lines: usize| format!("fn f() {{\n{}}}", "f();\n".repeat(lines - 2));
        for (open, close) in
            [("", ""), ("impl A {\n", "}"), ("trait A {\n", "}"), ("fn g() {\n", "}")]
        {
            let with = |lines| format!("//! Promise.\n{open}{}{close}\n", body(lines));
            let nested = usize::from(open.starts_with("fn"));
            assert!(found("a.rs", &with(FUNCTION_LINES_MAX - nested)).is_empty(), "{open}");
            assert_eq!(found("a.rs", &with(FUNCTION_LINES_MAX + 1)).len(), 1 + nested, "{open}");
        }
    }

    #[test]
    fn a_forgotten_test_file_and_a_second_binary_are_found() {
        let file = |path: &str, text: &str| (path.to_owned(), Some(text.to_owned()));
        let main = file("crates/a/tests/it/main.rs", "//! Tests.\nmod listed;\n");
        let listed = file("crates/a/tests/it/listed.rs", "//! Listed.\n");
        let forgotten = file("crates/a/tests/it/forgotten.rs", "//! Forgotten.\n");
        let second = file("crates/a/tests/second.rs", "//! Second.\n");
        assert!(check(&Files::from([main.clone(), listed.clone()])).is_empty());
        assert_eq!(check(&Files::from([main.clone(), listed, forgotten])).len(), 1);
        assert_eq!(check(&Files::from([main, second])).len(), 1);
    }
}
