//! Rust out of catalogs that were checked: an item for each text, so that a key or a placeholder that is not there does not compile.
//!
//! A text without placeholders becomes a static, one with placeholders a struct with a field for each; what nobody uses is
//! dead code, and reported as such. Deliberately absent: any lookup by name, but that of help, whose places clap knows.

use std::collections::BTreeMap;

use super::catalog::{COUNT, Catalog, LISTS, Piece, Provenance, Text};

/// Sections of which the texts stand in one column; its width is known for each locale.
const COLUMNS: &[&str] = &["answer", "assert_state", "check", "check_state", "label", "question"];

/// The contents of the module `texts`.
pub(crate) fn generate(catalogs: &[Catalog]) -> String {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (section, name) in catalogs.first().into_iter().flat_map(|catalog| catalog.texts.keys()) {
        sections.entry(section).or_default().push(name);
    }
    let mut code = properties(catalogs);
    for list in LISTS {
        code += &self::list(catalogs, list);
    }
    for (section, names) in sections {
        code += &format!("pub(crate) mod {section} {{\n");
        for name in names {
            let key = (section.to_owned(), name.to_owned());
            let texts: Vec<&Text> = catalogs.iter().filter_map(|c| c.texts.get(&key)).collect();
            code += &item(name, &texts);
        }
        if COLUMNS.contains(&section) {
            code += &widths(catalogs, section);
        }
        code += "}\n";
    }
    code
}

fn properties(catalogs: &[Catalog]) -> String {
    let one = |catalog: &Catalog| {
        let (tag, name) = (&catalog.tag, &catalog.name);
        let by_machine = catalog.provenance == Provenance::Machine;
        format!("Properties {{ tag: {tag:?}, name: {name:?}, by_machine: {by_machine} }}, ")
    };
    let all: String = catalogs.iter().map(one).collect();
    format!("pub(super) const LOCALES: [Properties; {}] = [{all}];\n", catalogs.len())
}

/// A list: each name and its text in every locale, sorted by name.
fn list(catalogs: &[Catalog], list: &str) -> String {
    let keys = catalogs.first().into_iter().flat_map(|catalog| catalog.lists.keys());
    let row = |key: &(String, String)| {
        let texts: Vec<&String> = catalogs.iter().filter_map(|c| c.lists.get(key)).collect();
        format!("({:?}, &{texts:?}),\n", key.1)
    };
    let rows: String = keys.filter(|(of, _)| of == list).map(row).collect();
    let name = list.to_uppercase();
    format!("pub(crate) static {name}: crate::i18n::List = crate::i18n::List(&[\n{rows}]);\n")
}

fn widths(catalogs: &[Catalog], section: &str) -> String {
    let characters = |text: &Text| -> usize {
        let of = |piece: &Piece| match piece {
            Piece::Literal(text) | Piece::Placeholder(text) => text.chars().count(),
        };
        text.other.iter().map(of).sum()
    };
    let widest = |catalog: &Catalog| {
        let texts = catalog.texts.iter().filter(|((of, _), _)| of == section);
        texts.map(|(_, text)| characters(text)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = catalogs.iter().map(widest).collect();
    format!(
        "/// Characters of the longest.\npub(crate) static WIDTH: crate::i18n::Width = crate::i18n::Width(&{widths:?});\n"
    )
}

/// One text in every locale; its documentation is what it says in English.
fn item(name: &str, texts: &[&Text]) -> String {
    let Some(english) = texts.first() else { return String::new() };
    let documentation = format!("/// ```text\n/// {}\n/// ```\n", shown(&english.other));
    let names: Vec<&str> = english.placeholders().into_iter().collect();
    let locales = texts.len();
    if names.is_empty() {
        let plain: Vec<String> = texts.iter().map(|text| literal(&text.other)).collect();
        return format!(
            "{documentation}pub(crate) static {name}: crate::i18n::Plain = crate::i18n::Plain(&{plain:?});\n"
        );
    }
    let counts = english.one.is_some();
    let field = |name: &&str| match counts && *name == COUNT {
        true => format!("pub(crate) {name}: &'a dyn crate::i18n::Count, "),
        false => format!("pub(crate) {name}: &'a dyn std::fmt::Display, "),
    };
    let fields: String = names.iter().map(field).collect();
    let form = |text: &&Text| {
        let other = pieces(&text.other, &names);
        let one = text.one.as_ref().map_or_else(|| other.clone(), |one| pieces(one, &names));
        format!("crate::i18n::Forms {{ one: {one}, other: {other} }}, ")
    };
    let forms: String = texts.iter().map(form).collect();
    let is_one = if counts { "self.count.is_one()" } else { "false" };
    let values: String = names.iter().map(|name| format!("&self.{name}, ")).collect();
    format!(
        "{documentation}pub(crate) struct {name}<'a> {{ {fields}}}\n\
         impl {name}<'_> {{\n\
         pub(crate) fn text(&self, locale: crate::i18n::Locale) -> String {{\n\
         static FORMS: [crate::i18n::Forms; {locales}] = [{forms}];\n\
         crate::i18n::fill(&FORMS, locale, {is_one}, &[{values}])\n}}\n}}\n"
    )
}

fn pieces(pieces: &[Piece], names: &[&str]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => format!("crate::i18n::Piece::Literal({text:?}), "),
        Piece::Placeholder(name) => {
            let index = names.iter().position(|known| known == name).unwrap_or_default();
            format!("crate::i18n::Piece::Value({index}), ")
        }
    };
    format!("&[{}]", pieces.iter().map(piece).collect::<String>())
}

fn literal(pieces: &[Piece]) -> String {
    let of = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Placeholder(_) => String::new(),
    };
    pieces.iter().map(of).collect()
}

fn shown(pieces: &[Piece]) -> String {
    let of = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Placeholder(name) => format!("{{{name}}}"),
    };
    pieces.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::*;

    fn generated(section: &str) -> String {
        let english = format!(
            "tag = \"en\"\nname = \"English\"\nprovenance = \"machine\"\n[texts.label]\n{section}[attack]\n[finding]\n[help]\n[word]\n[word_meaning]\n"
        );
        generate(&catalog::read(&[("en.toml", &english)]).unwrap())
    }

    #[test]
    fn a_text_becomes_a_static_and_one_with_placeholders_a_struct() {
        let code = generated("a = \"it's \\\"so\\\"\"\nb = \"{y} of {x}\"\n");
        assert!(code.contains("static a: crate::i18n::Plain"), "{code}");
        assert!(code.contains(r#"&["it's \"so\""]"#), "{code}");
        assert!(
            code.contains("struct b<'a> { pub(crate) x: &'a dyn std::fmt::Display, pub(crate) y"),
            "{code}"
        );
        assert!(code.contains("Piece::Value(1), crate::i18n::Piece::Literal(\" of \")"), "{code}");
    }

    #[test]
    fn a_text_that_counts_takes_a_number_and_has_two_forms() {
        let code = generated("a = { one = \"{count} event\", other = \"{count} events\" }\n");
        assert!(code.contains("count: &'a dyn crate::i18n::Count"), "{code}");
        assert!(code.contains("self.count.is_one()"), "{code}");
    }

    #[test]
    fn the_width_of_labels_is_that_of_the_longest_in_characters() {
        assert!(generated("a = \"xx\"\nb = \"àéç\"\n").contains("Width(&[3])"));
    }
}
