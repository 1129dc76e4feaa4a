//! Catalogs of what the command says to people: read from TOML, and held against English before anything is built of them.
//!
//! Shared by `build.rs` and by the tests of the command, so that each refusal is tested. Whatever is wrong is named by its
//! file and key, all of it at once. Deliberately absent: plural rules other than that of English and Catalan, where one is
//! one and anything else is more; a locale that needs another brings it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::{Table, Value};

/// The locale that every other one is held against, and that JSON is written in.
pub(crate) const REQUIRED: &str = "en";

/// Bytes of one catalog file.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Texts of one catalog, help texts included.
const TEXTS_MAX: usize = 4_096;
/// Characters of one text.
const TEXT_CHARACTERS_MAX: usize = 2_000;
/// The placeholder that chooses between the forms of a text.
pub(crate) const COUNT: &str = "count";

/// Lists of texts that are looked up by names which something else has: attacks, findings, commands and their arguments, words.
pub(crate) const LISTS: [&str; 5] = ["attack", "finding", "help", "word", "word_meaning"];

/// Words that Rust keeps to itself, and that could be meant as a key.
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized",
    "use", "virtual", "where", "while", "yield",
];

/// Who vouches for the words of a catalog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Provenance {
    /// Nobody: a machine wrote them.
    Machine,
    /// A person who speaks the language read them.
    HumanReviewed,
}

/// A stretch of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// Words as they are.
    Literal(String),
    /// What the program puts in.
    Placeholder(String),
}

/// A text, in the forms that a number asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Text {
    /// The form of one; only where the text counts.
    pub(crate) one: Option<Vec<Piece>>,
    /// The form of everything else.
    pub(crate) other: Vec<Piece>,
}

/// One locale.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    /// The file that it was read from, for what is said about it.
    pub(crate) file: String,
    /// The name that users choose it by.
    pub(crate) tag: String,
    /// What the language calls itself.
    pub(crate) name: String,
    /// Who vouches for it.
    pub(crate) provenance: Provenance,
    /// Texts by section and key.
    pub(crate) texts: BTreeMap<(String, String), Text>,
    /// Texts without placeholders, by list and name.
    pub(crate) lists: BTreeMap<(String, String), String>,
}

/// What is wrong with a catalog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    file: String,
    key: String,
    pub(crate) fault: Fault,
}

/// The kinds of what can be wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    /// It is longer than any catalog.
    #[error("has over {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not TOML; duplicate keys are among the reasons.
    #[error("is not TOML: {0}")]
    Syntax(String),
    /// A member that has to be there.
    #[error("is missing, or is no text")]
    Absent,
    /// A member that no catalog has.
    #[error("is not part of a catalog")]
    Unknown,
    /// It holds more than any catalog.
    #[error("has over {TEXTS_MAX} texts")]
    TooMany,
    /// The tag is not the file's name.
    #[error("must be the file's name without .toml")]
    TagOfOtherFile,
    /// Two catalogs say that they are of one locale.
    #[error("another catalog has this tag")]
    TagRepeated,
    /// There is no English.
    #[error("the catalog `en` is required")]
    RequiredMissing,
    /// It says neither `machine` nor `human_reviewed`.
    #[error("must be `machine` or `human_reviewed`")]
    Provenance,
    /// A name that cannot be a name in Rust.
    #[error("must be lower-case letters, digits and _, and no word of Rust")]
    Name,
    /// It is neither a text nor the two forms of one.
    #[error("must be a text, or {{ one, other }}")]
    Kind,
    /// It says nothing.
    #[error("is empty")]
    Empty,
    /// It says too much.
    #[error("has over {TEXT_CHARACTERS_MAX} characters")]
    TooLong,
    /// It holds what a terminal could obey, or what nobody can see.
    #[error("must not hold the character {0:?}")]
    Character(char),
    /// Its braces do not make placeholders.
    #[error("has a brace that is no placeholder; write {{{{ for one")]
    Brace,
    /// It counts, and does not say what.
    #[error("has two forms and no {{count}}, or `one` differs in more than leaving it out")]
    Count,
    /// English has it, and it does not.
    #[error("is missing; English has it")]
    KeyMissing,
    /// It has it, and English does not.
    #[error("English does not have it")]
    KeyUnknown,
    /// It does not say what English says.
    #[error("its placeholders are {found}; those of English are {wanted}")]
    Placeholders {
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// English has two forms and it has one, or the other way round.
    #[error("must have `one` and `other` exactly if English has")]
    Forms,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, key, fault } = self;
        match key.is_empty() {
            true => write!(f, "{file}: {fault}"),
            false => write!(f, "{file}: {key}: {fault}"),
        }
    }
}

impl Text {
    /// What the program has to put in, in the order of the alphabet.
    pub(crate) fn placeholders(&self) -> BTreeSet<&str> {
        placeholders(&self.other)
    }
}

fn placeholders(pieces: &[Piece]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for piece in pieces {
        if let Piece::Placeholder(name) = piece {
            names.insert(name.as_str());
        }
    }
    names
}

/// Reads catalogs, given as file names and contents, and checks them against one another; English comes first.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub(crate) fn read(files: &[(&str, &str)]) -> Result<Vec<Catalog>, Vec<Problem>> {
    let mut problems = Vec::new();
    let read = |(file, text): &(&str, &str)| Reader { file, problems: &mut problems }.catalog(text);
    let mut catalogs: Vec<Catalog> = files.iter().filter_map(read).collect();
    if problems.is_empty() {
        catalogs.sort_by_key(|catalog| (catalog.tag != REQUIRED, catalog.tag.clone()));
        compare(&catalogs, &mut problems);
    }
    if problems.is_empty() { Ok(catalogs) } else { Err(problems) }
}

/// One file being read, and what was found wrong so far.
struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn refuse(&mut self, key: &str, fault: Fault) {
        self.problems.push(Problem { file: self.file.to_owned(), key: key.to_owned(), fault });
    }

    fn catalog(&mut self, text: &str) -> Option<Catalog> {
        if text.len() > FILE_BYTES_MAX {
            self.refuse("", Fault::TooLarge);
            return None;
        }
        let mut table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                self.refuse("", Fault::Syntax(error.to_string()));
                return None;
            }
        };
        let tag = self.line(&mut table, "tag");
        if self.file.strip_suffix(".toml") != Some(&tag) {
            self.refuse("tag", Fault::TagOfOtherFile);
        }
        let name = self.line(&mut table, "name");
        let provenance = self.provenance(&mut table);
        let texts = self.sections(&mut table);
        let lists = self.lists(&mut table);
        if texts.len() + lists.len() > TEXTS_MAX {
            self.refuse("", Fault::TooMany);
        }
        for key in table.keys() {
            self.refuse(key, Fault::Unknown);
        }
        Some(Catalog { file: self.file.to_owned(), tag, name, provenance, texts, lists })
    }

    /// A member that is one line.
    fn line(&mut self, table: &mut Table, key: &str) -> String {
        match table.remove(key) {
            Some(Value::String(text)) => {
                self.admit(key, &text, false);
                text
            }
            _ => {
                self.refuse(key, Fault::Absent);
                String::new()
            }
        }
    }

    fn provenance(&mut self, table: &mut Table) -> Provenance {
        match self.line(table, "provenance").as_str() {
            "human_reviewed" => Provenance::HumanReviewed,
            "machine" => Provenance::Machine,
            _ => {
                self.refuse("provenance", Fault::Provenance);
                Provenance::Machine
            }
        }
    }

    fn table(&mut self, table: &mut Table, key: &str) -> Table {
        match table.remove(key) {
            Some(Value::Table(table)) => table,
            _ => {
                self.refuse(key, Fault::Absent);
                Table::new()
            }
        }
    }

    fn sections(&mut self, table: &mut Table) -> BTreeMap<(String, String), Text> {
        let mut texts = BTreeMap::new();
        for (section, members) in self.table(table, "texts") {
            self.admit_name(&section, &section);
            let Value::Table(members) = members else {
                self.refuse(&section, Fault::Unknown);
                continue;
            };
            for (name, value) in members {
                let place = format!("{section}.{name}");
                self.admit_name(&place, &name);
                if let Some(text) = self.text(&place, value) {
                    texts.insert((section.clone(), name), text);
                }
            }
        }
        texts
    }

    fn lists(&mut self, table: &mut Table) -> BTreeMap<(String, String), String> {
        let mut lists = BTreeMap::new();
        for list in LISTS {
            for (name, value) in self.table(table, list) {
                let place = format!("{list}.{name}");
                match value {
                    Value::String(text) => {
                        self.admit(&place, &text, true);
                        lists.insert((list.to_owned(), name), text);
                    }
                    _ => self.refuse(&place, Fault::Absent),
                }
            }
        }
        lists
    }

    fn text(&mut self, place: &str, value: Value) -> Option<Text> {
        match value {
            Value::String(text) => Some(Text { one: None, other: self.pieces(place, &text)? }),
            Value::Table(mut forms) => {
                let one = self.line(&mut forms, "one");
                let other = self.line(&mut forms, "other");
                if !forms.is_empty() {
                    self.refuse(place, Fault::Kind);
                }
                let (one, other) = (self.pieces(place, &one)?, self.pieces(place, &other)?);
                let mut of_one = placeholders(&one);
                of_one.insert(COUNT);
                if of_one != placeholders(&other) {
                    self.refuse(place, Fault::Count);
                }
                Some(Text { one: Some(one), other })
            }
            _ => {
                self.refuse(place, Fault::Kind);
                None
            }
        }
    }

    fn pieces(&mut self, place: &str, text: &str) -> Option<Vec<Piece>> {
        self.admit(place, text, false);
        let pieces = split(text);
        let Some(pieces) = pieces else {
            self.refuse(place, Fault::Brace);
            return None;
        };
        for name in placeholders(&pieces) {
            self.admit_name(place, name);
        }
        Some(pieces)
    }

    fn admit_name(&mut self, place: &str, name: &str) {
        let is_letter = |c: char| c.is_ascii_lowercase();
        let is_plain = name.starts_with(is_letter)
            && name.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '_');
        if !is_plain || KEYWORDS.contains(&name) {
            self.refuse(place, Fault::Name);
        }
    }

    fn admit(&mut self, place: &str, text: &str, lines: bool) {
        if text.trim().is_empty() {
            self.refuse(place, Fault::Empty);
        }
        if text.chars().count() > TEXT_CHARACTERS_MAX {
            self.refuse(place, Fault::TooLong);
        }
        let is_admitted = |c: char| is_admitted(c) || lines && c == '\n';
        let refused = text.chars().find(|c| !is_admitted(*c));
        if let Some(character) = refused {
            self.refuse(place, Fault::Character(character));
        }
    }
}

/// A list of what may stand in a text, as what may not would never be complete: no control, no mark that turns the
/// direction, nothing invisible. A language that is written otherwise brings its letters.
fn is_admitted(character: char) -> bool {
    let is_latin = ('\u{c0}'..='\u{17f}').contains(&character) && character.is_alphabetic();
    character == ' '
        || character.is_ascii_graphic()
        || is_latin
        || "·’«»…–—×°✓✗€".contains(character)
}

/// The pieces of a text; `None` where a brace stands alone.
fn split(text: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut literal) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            literal.push_str(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let (name, after) = brace.strip_prefix('{')?.split_once('}')?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Placeholder(name.to_owned()));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Some(pieces)
}

/// Holds every catalog against English, which is the first.
fn compare(catalogs: &[Catalog], problems: &mut Vec<Problem>) {
    let mut refuse = |file: &str, key: &str, fault| {
        problems.push(Problem { file: file.to_owned(), key: key.to_owned(), fault });
    };
    for pair in catalogs.windows(2).filter(|pair| pair[0].tag == pair[1].tag) {
        refuse(&pair[1].file, "tag", Fault::TagRepeated);
    }
    let Some(english) = catalogs.first().filter(|catalog| catalog.tag == REQUIRED) else {
        return refuse("locales", "", Fault::RequiredMissing);
    };
    for catalog in &catalogs[1..] {
        for ((section, name), text) in &catalog.texts {
            let place = format!("{section}.{name}");
            match english.texts.get(&(section.clone(), name.clone())) {
                None => refuse(&catalog.file, &place, Fault::KeyUnknown),
                Some(wanted) => {
                    differences(wanted, text)
                        .into_iter()
                        .for_each(|fault| refuse(&catalog.file, &place, fault));
                }
            }
        }
        for (section, name) in english.texts.keys().filter(|key| !catalog.texts.contains_key(*key))
        {
            refuse(&catalog.file, &format!("{section}.{name}"), Fault::KeyMissing);
        }
        let names = |catalog: &Catalog| -> BTreeSet<(String, String)> {
            catalog.lists.keys().cloned().collect()
        };
        let (known, found) = (names(english), names(catalog));
        for (list, name) in found.difference(&known) {
            refuse(&catalog.file, &format!("{list}.{name}"), Fault::KeyUnknown);
        }
        for (list, name) in known.difference(&found) {
            refuse(&catalog.file, &format!("{list}.{name}"), Fault::KeyMissing);
        }
    }
}

fn differences(english: &Text, other: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    if english.one.is_some() != other.one.is_some() {
        faults.push(Fault::Forms);
    }
    let listed = |text: &Text| text.placeholders().into_iter().collect::<Vec<_>>().join(", ");
    if english.placeholders() != other.placeholders() {
        faults.push(Fault::Placeholders { found: listed(other), wanted: listed(english) });
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "tag = \"en\"\nname = \"English\"\nprovenance = \"human_reviewed\"\n\
        [texts.a]\nplain = \"one\"\nfilled = \"{x} and {y}\"\n\
        counted = { one = \"a finding in {x}\", other = \"{count} findings in {x}\" }\n\
        [attack]\n[finding]\n[help]\n\"bundle verify\" = \"Verify\"\n[word]\n[word_meaning]\n";

    fn catalan() -> String {
        let text = ENGLISH.replace("\"en\"", "\"ca\"").replace("human_reviewed", "machine");
        text.replace("findings", "troballes")
    }

    fn faults(english: &str, catalan: &str) -> Vec<Fault> {
        let read = read(&[("en.toml", english), ("ca.toml", catalan)]);
        read.map_or_else(|problems| problems.into_iter().map(|p| p.fault).collect(), |_| vec![])
    }

    /// What is wrong with a Catalan catalog in which `from` was replaced.
    fn changed(from: &str, to: &str) -> Vec<Fault> {
        let catalan = catalan();
        assert!(catalan.contains(from), "{from}");
        faults(ENGLISH, &catalan.replace(from, to))
    }

    #[test]
    fn catalogs_that_agree_are_read_and_english_comes_first() {
        let catalogs = read(&[("ca.toml", &catalan()), ("en.toml", ENGLISH)]).unwrap();
        let tags: Vec<&str> = catalogs.iter().map(|catalog| catalog.tag.as_str()).collect();
        assert_eq!(tags, ["en", "ca"]);
        assert_eq!(catalogs[1].provenance, Provenance::Machine);
        let filled = &catalogs[0].texts[&("a".to_owned(), "filled".to_owned())];
        assert_eq!(filled.placeholders(), BTreeSet::from(["x", "y"]));
    }

    #[test]
    fn english_is_required() {
        let alone = read(&[("ca.toml", &catalan())]).unwrap_err();
        assert_eq!(alone[0].fault, Fault::RequiredMissing);
        assert_eq!(read(&[]).unwrap_err()[0].fault, Fault::RequiredMissing);
    }

    #[test]
    fn a_tag_belongs_to_one_file_which_is_named_by_it() {
        let two = read(&[("en.toml", ENGLISH), ("en.toml", ENGLISH)]).unwrap_err();
        assert_eq!(two[0].fault, Fault::TagRepeated);
        assert_eq!(changed("tag = \"ca\"", "tag = \"en\""), [Fault::TagOfOtherFile]);
    }

    #[test]
    fn a_key_written_twice_is_no_toml() {
        let found = changed("plain = \"one\"", "plain = \"one\"\nplain = \"two\"");
        assert!(
            matches!(&found[..], [Fault::Syntax(detail)] if detail.contains("duplicate")),
            "{found:?}"
        );
    }

    #[test]
    fn a_provenance_is_one_of_two_and_never_left_out() {
        assert_eq!(changed("\"machine\"", "\"somebody\""), [Fault::Provenance]);
        let found = changed("provenance = \"machine\"\n", "");
        assert_eq!(found, [Fault::Absent, Fault::Provenance]);
    }

    #[test]
    fn no_locale_has_more_or_less_than_english() {
        assert_eq!(changed("plain = \"one\"\n", ""), [Fault::KeyMissing]);
        assert_eq!(
            changed("plain = \"one\"", "plain = \"one\"\nmore = \"x\""),
            [Fault::KeyUnknown]
        );
        let found = changed("\"bundle verify\"", "\"bundle build\"");
        assert_eq!(found, [Fault::KeyUnknown, Fault::KeyMissing]);
    }

    #[test]
    fn placeholders_are_those_of_english_in_any_order() {
        assert_eq!(changed("{x} and {y}", "{y} i {x}"), []);
        for other in ["{x}", "{x} {y} {z}", "{x} {why}", "none"] {
            let found = changed("{x} and {y}", other);
            assert!(matches!(&found[..], [Fault::Placeholders { .. }]), "{other}: {found:?}");
        }
    }

    #[test]
    fn a_text_that_counts_does_so_in_every_locale_and_says_the_count() {
        let one = "{ one = \"a finding in {x}\", other = \"{count} troballes in {x}\" }";
        assert_eq!(changed(one, "\"{count} troballes in {x}\""), [Fault::Forms]);
        for (from, to) in [("{count} ", ""), ("a finding in {x}", "a finding")] {
            assert!(changed(from, to).contains(&Fault::Count), "{from}");
        }
        assert!(changed("one = \"a finding in {x}\", ", "").contains(&Fault::Absent));
        assert!(
            changed("one = \"a finding", "few = \"z\", one = \"a finding").contains(&Fault::Kind)
        );
    }

    #[test]
    fn no_text_is_empty_endless_or_holds_what_nobody_sees() {
        assert_eq!(changed("plain = \"one\"", "plain = \" \""), [Fault::Empty]);
        let long = format!("plain = \"{}\"", "x".repeat(TEXT_CHARACTERS_MAX + 1));
        assert_eq!(changed("plain = \"one\"", &long), [Fault::TooLong]);
        for character in
            ['\u{1b}', '\u{202e}', '\u{200b}', '\u{9b}', '\u{ad}', '\u{3164}', '\n', '\t']
        {
            let escaped = format!("plain = \"one\\u{:04X}\"", character as u32);
            assert_eq!(changed("plain = \"one\"", &escaped), [Fault::Character(character)]);
        }
        assert_eq!(changed("plain = \"one\"", "plain = \"l·l, ç, à: «d’ara»\""), []);
    }

    #[test]
    fn a_brace_makes_a_placeholder_or_is_doubled() {
        for broken in ["{x} {y", "{x} {y} }", "{x} {", "{x} } {y}"] {
            assert_eq!(changed("{x} and {y}", broken)[0], Fault::Brace, "{broken}");
        }
        assert_eq!(changed("{x} and {y}", "{{ {x} }} {y}"), []);
        assert_eq!(split("{{a}}").unwrap(), [Piece::Literal("{a}".to_owned())]);
    }

    #[test]
    fn names_are_names_in_rust_too() {
        for name in ["Plain", "pla-in", "1st", "match", "_", "ú"] {
            let found = changed("plain =", &format!("\"{name}\" ="));
            assert!(found.contains(&Fault::Name) || found.contains(&Fault::KeyUnknown), "{name}");
            assert!(found.contains(&Fault::Name), "{name}: {found:?}");
        }
        assert!(changed("{y}", "{Y}").contains(&Fault::Name));
    }

    #[test]
    fn nothing_stands_in_a_catalog_that_no_catalog_has() {
        assert_eq!(changed("tag =", "author = \"x\"\ntag ="), [Fault::Unknown]);
        assert_eq!(changed("plain = \"one\"", "plain = 1"), [Fault::Kind]);
        assert_eq!(changed("\"Verify\"", "1"), [Fault::Absent]);
    }

    #[test]
    fn size_and_number_are_bounded() {
        let long = format!("{ENGLISH}#{}", "x".repeat(FILE_BYTES_MAX));
        assert_eq!(faults(&long, &catalan()), [Fault::TooLarge]);
        let many: String = (0..=TEXTS_MAX).map(|n| format!("\"{n}\" = \"x\"\n")).collect();
        assert_eq!(faults(&format!("{ENGLISH}{many}"), &catalan()), [Fault::TooMany]);
    }

    #[test]
    fn whatever_is_wrong_is_named_with_its_file_and_key() {
        let broken =
            catalan().replace("{x} and {y}", "{x}").replace("plain = \"one\"", "plain = \"\"");
        let problems = read(&[("en.toml", ENGLISH), ("ca.toml", &broken)]).unwrap_err();
        let said: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, ["ca.toml: a.plain: is empty"]);
    }
}
