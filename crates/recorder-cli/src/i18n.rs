//! What the command says to people, in the locale that they chose.
//!
//! The texts come from `i18n/locales`, checked and made into items by `build.rs`; `say!` puts them together. A key or a
//! placeholder that is not there does not compile, and none is missing in any locale, so nothing falls back at run time.
//! JSON, evidence and whatever else programs read are always in English. Deliberately absent: any dependency of this
//! crate's, so that tests can compile this file alone and see misuse refused.

use std::fmt::{Display, Write as _};

/// One item for each text, by section.
#[expect(non_camel_case_types, non_upper_case_globals, reason = "an item has the name of its key")]
pub(crate) mod texts {
    use super::Properties;

    include!(concat!(env!("OUT_DIR"), "/texts.rs"));
}

/// What is known of a locale.
pub(crate) struct Properties {
    tag: &'static str,
    name: &'static str,
    by_machine: bool,
}

/// One of the languages that there is a catalog of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Locale(usize);

impl Locale {
    /// The language of JSON, and of whoever chose none.
    pub(crate) const ENGLISH: Self = Self(0);

    /// Every locale, English first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..texts::LOCALES.len()).map(Self)
    }

    /// The locale of this tag.
    pub(crate) fn by_tag(tag: &str) -> Option<Self> {
        Self::all().find(|locale| locale.tag() == tag)
    }

    /// The locale that the environment asks for, as POSIX has it: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is
    /// set and not empty, without territory, encoding and variant. English where it names a locale that is not there.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).unwrap_or_default();
        let language = value.split(['_', '.', '@', '-']).next().unwrap_or_default();
        Self::by_tag(&language.to_ascii_lowercase()).unwrap_or(Self::ENGLISH)
    }

    /// The tag, such as `ca`.
    pub(crate) fn tag(self) -> &'static str {
        texts::LOCALES[self.0].tag
    }

    /// What the language calls itself.
    pub(crate) fn name(self) -> &'static str {
        texts::LOCALES[self.0].name
    }

    /// Whether a machine wrote the catalog and nobody reviewed it.
    pub(crate) fn is_by_machine(self) -> bool {
        texts::LOCALES[self.0].by_machine
    }
}

/// A text without placeholders.
pub(crate) struct Plain(pub(crate) &'static [&'static str]);

impl Plain {
    /// What it says.
    pub(crate) fn text(&self, locale: Locale) -> &'static str {
        self.0[locale.0]
    }
}

/// Texts that are looked up by names which another list has; tests hold the two lists against each other.
pub(crate) struct List(pub(crate) &'static [(&'static str, &'static [&'static str])]);

impl List {
    /// The text of this name. A name without one stands for itself, in sight.
    pub(crate) fn text<'a>(&self, locale: Locale, name: &'a str) -> &'a str {
        self.found(locale, name).unwrap_or(name)
    }

    /// The text of this name, if there is one.
    pub(crate) fn found(&self, locale: Locale, name: &str) -> Option<&'static str> {
        let found = self.0.binary_search_by_key(&name, |(known, _)| known).ok()?;
        Some(self.0[found].1[locale.0])
    }

    /// Every name with its English, for tests.
    #[cfg(test)]
    pub(crate) fn english(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().map(|(name, texts)| (*name, texts[0]))
    }
}

/// Characters of the longest text of a section.
pub(crate) struct Width(pub(crate) &'static [usize]);

impl Width {
    /// Such a text, and `gap` spaces after the longest of them.
    pub(crate) fn pad(&self, locale: Locale, text: &str, gap: usize) -> String {
        let width = self.0[locale.0] + gap;
        format!("{text:<width$}")
    }
}

/// A number that chooses the form of a text.
pub(crate) trait Count: Display {
    /// Whether it is exactly one.
    fn is_one(&self) -> bool;
}

macro_rules! counts {
    ($($number:ty),+) => {
        $(impl Count for $number {
            fn is_one(&self) -> bool {
                *self == 1
            }
        })+
    };
}

counts!(u32, u64, usize);

/// A stretch of a text.
pub(crate) enum Piece {
    /// Words.
    Literal(&'static str),
    /// The placeholder of this number.
    Value(usize),
}

/// The forms of a text in one locale.
pub(crate) struct Forms {
    /// Where it counts, and counts one.
    pub(crate) one: &'static [Piece],
    /// Else.
    pub(crate) other: &'static [Piece],
}

/// A text with its placeholders filled in.
pub(crate) fn fill(
    forms: &[Forms],
    locale: Locale,
    is_one: bool,
    values: &[&dyn Display],
) -> String {
    let Forms { one, other } = &forms[locale.0];
    let mut text = String::new();
    for piece in *if is_one { one } else { other } {
        match piece {
            Piece::Literal(words) => text.push_str(words),
            // Writing to a string does not fail.
            Piece::Value(index) => drop(write!(text, "{}", values[*index])),
        }
    }
    text
}

/// A text in a locale: `say!(locale, section.key)` is a `&'static str`, `say!(locale, section.key, name = value)` a `String`.
macro_rules! say {
    ($locale:expr, $section:ident . $key:ident $(,)?) => {
        $crate::i18n::texts::$section::$key.text($locale)
    };
    ($locale:expr, $section:ident . $key:ident, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::i18n::texts::$section::$key { $($name: &$value),+ }.text($locale)
    };
}
pub(crate) use say;

#[cfg(test)]
#[path = "../i18n/catalog.rs"]
mod catalog;
#[cfg(test)]
#[path = "../i18n/generate.rs"]
mod generate;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> &'static str {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Locale::of_environment(value).tag()
    }

    #[test]
    fn the_environment_chooses_as_posix_says() {
        assert_eq!(chosen(&[]), "en");
        for value in ["ca", "ca_ES", "ca_ES.UTF-8", "ca_ES.UTF-8@valencia", "ca@valencia", "ca-AD"]
        {
            assert_eq!(chosen(&[("LANG", value)]), "ca", "{value}");
        }
        for value in ["C", "POSIX", "C.UTF-8", "en_GB.UTF-8", "eu_ES", "cat", "", "../ca"] {
            assert_eq!(chosen(&[("LANG", value)]), "en", "{value}");
        }
        assert_eq!(chosen(&[("LC_ALL", "C"), ("LANG", "ca")]), "en");
        assert_eq!(chosen(&[("LC_ALL", ""), ("LC_MESSAGES", "ca"), ("LANG", "en")]), "ca");
    }

    #[test]
    fn the_catalog_has_the_meaning_of_every_finding_and_no_other() {
        let codes = recorder_verify::FindingCode::ALL.iter();
        let known: BTreeSet<_> = codes.map(|code| (code.code(), code.meaning())).collect();
        assert_eq!(known, texts::FINDING.english().collect());
    }

    #[test]
    fn a_name_without_a_text_stands_for_itself() {
        assert_eq!(texts::FINDING.text(Locale::ENGLISH, "no such finding"), "no such finding");
    }

    #[test]
    fn no_text_holds_what_is_escaped_on_the_way_out() {
        for locale in Locale::all() {
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/i18n/locales");
            let path = format!("{directory}/{}.toml", locale.tag());
            let bytes = recorder_fs::read_bounded(std::path::Path::new(&path), 1 << 20).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let forbidden = |c: &char| *c != '\n' && recorder_core::identity::is_forbidden(*c);
            assert_eq!(text.chars().find(forbidden), None, "{}", locale.tag());
        }
    }
}
