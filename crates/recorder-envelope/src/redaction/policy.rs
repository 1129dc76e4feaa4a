//! A redaction policy: data, versioned, read strictly, and compiled once.
//!
//! Every policy stands on the base that comes with this crate and only adds to it, so that no adapter can forget what
//! all of them must find.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::look::Glance;
use super::matcher::{Matcher, WINDOW_BYTES};
use super::path::PathRule;
use crate::json::{JsonLimits, StrictError, from_strict};

/// The base policy, as shipped.
const BASE: &[u8] = include_bytes!("base.json");

/// Separators between the words of a name. `apiKey` and `APIKEY` have none: case is ignored.
const SEPARATORS: [&str; 5] = ["", "_", "-", ".", " "];

/// Why a policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum RedactionPolicyError {
    /// Not strict JSON, or not a policy.
    #[error("not a redaction policy: {0}")]
    Form(#[source] StrictError),
    /// The policy stands on another base than the one that this program has.
    #[error("the policy stands on the base {found:?}; this program has {expected:?}")]
    Base {
        /// The base that it names.
        found: Box<str>,
        /// The base that there is.
        expected: Box<str>,
    },
    /// A rule that matches everything, or nothing.
    #[error("the rule {rule:?} of {list} is malformed, or shorter than three bytes")]
    Rule {
        /// The list that it stands in.
        list: &'static str,
        /// The rule.
        rule: Box<str>,
    },
}

/// A policy as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Box<str>,
    base: Option<Box<str>>,
    #[serde(default)]
    names: Names,
    #[serde(default)]
    paths: Vec<Box<str>>,
    #[serde(default)]
    structures: Vec<Structure>,
    #[serde(default)]
    tokens: Vec<TokenRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Names {
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
    patterns: Vec<Box<str>>,
    counts: Vec<Box<str>>,
    query: Vec<Box<str>>,
    headers: Vec<Box<str>>,
    pairs: Pairs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pairs {
    names: Vec<Box<str>>,
    values: Vec<Box<str>>,
}

/// A secret that is known by its form.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
enum Structure {
    Assignment,
    Basic,
    Bearer,
    Jwt,
    PemPrivateKey,
    UrlUserinfo,
}

/// A secret that is known by how it begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRule {
    name: Box<str>,
    prefixes: Vec<Box<str>>,
    alphabet: Alphabet,
    chars_min: usize,
}

/// What a secret goes on with after its prefix.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Alphabet {
    Alphanumeric,
    Base64url,
}

/// What a needle may be the beginning of.
#[derive(Debug)]
pub(super) enum Trigger {
    /// A sensitive name.
    Name,
    /// A sensitive name of a URL's query, with the `?` or `&` before it and the `=` after.
    Query,
    Token {
        prefix: Box<str>,
        alphabet: Alphabet,
        chars_min: usize,
    },
    Basic,
    Bearer,
    Jwt,
    Pem,
    Userinfo,
}

/// A name or the beginning of one, with the reason that its markers give.
#[derive(Debug)]
pub(super) struct NameRule {
    pub(super) text: Box<str>,
    pub(super) reason: Box<str>,
}

/// A compiled redaction policy.
#[derive(Debug)]
pub struct RedactionPolicy {
    version: Box<str>,
    pub(super) exact: BTreeMap<usize, Vec<NameRule>>,
    pub(super) prefixes: BTreeMap<u8, Vec<NameRule>>,
    pub(super) counts: Vec<Box<str>>,
    pub(super) headers: Vec<Box<str>>,
    pub(super) pair_names: Vec<Box<str>>,
    pub(super) pair_values: Vec<Box<str>>,
    pub(super) paths: Vec<(PathRule, Box<str>)>,
    pub(super) assignment: bool,
    pub(super) matcher: Matcher,
    pub(super) glance: Glance,
    pub(super) triggers: Vec<(Trigger, Box<str>)>,
}

impl RedactionPolicy {
    /// The base alone.
    ///
    /// # Errors
    ///
    /// None that a test has not excluded: the base is part of the program.
    pub fn base() -> Result<Self, RedactionPolicyError> {
        Self::compile(vec![read(BASE)?])
    }

    /// Reads a policy that stands on the base.
    ///
    /// # Errors
    ///
    /// `RedactionPolicyError` names what is wrong; a policy is taken whole or not at all.
    pub fn parse(document: &[u8]) -> Result<Self, RedactionPolicyError> {
        let base = read(BASE)?;
        let own = read(document)?;
        if own.base.as_ref() != Some(&base.version) {
            let found = own.base.unwrap_or_default();
            return Err(RedactionPolicyError::Base { found, expected: base.version });
        }
        Self::compile(vec![base, own])
    }

    /// The base policy as it is written, for contracts.
    pub const fn base_document() -> &'static [u8] {
        BASE
    }

    /// The version, as payloads name it.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn compile(documents: Vec<Document>) -> Result<Self, RedactionPolicyError> {
        let mut rules = Rules::default();
        let mut version = Box::default();
        for document in documents {
            version = document.version.clone();
            rules.add(document)?;
        }
        Ok(rules.finish(version))
    }
}

fn read(document: &[u8]) -> Result<Document, RedactionPolicyError> {
    from_strict(document, &JsonLimits::PAYLOAD).map_err(RedactionPolicyError::Form)
}

/// The rules of several documents, being gathered.
#[derive(Default)]
struct Rules {
    exact: BTreeMap<usize, Vec<NameRule>>,
    prefixes: BTreeMap<u8, Vec<NameRule>>,
    counts: Vec<Box<str>>,
    headers: Vec<Box<str>>,
    pairs: Pairs,
    paths: Vec<(PathRule, Box<str>)>,
    assignment: bool,
    needles: Vec<String>,
    triggers: Vec<(Trigger, Box<str>)>,
}

impl Rules {
    fn add(&mut self, document: Document) -> Result<(), RedactionPolicyError> {
        let names = document.names;
        for text in names.exact {
            let reason = format!("name:{}", check("names.exact", &text)?).into();
            self.exact.entry(text.len()).or_default().push(NameRule { text, reason });
        }
        for text in names.prefixes {
            let reason = format!("name:{}*", check("names.prefixes", &text)?).into();
            let first = text.as_bytes().first().map_or(0, u8::to_ascii_lowercase);
            self.prefixes.entry(first).or_default().push(NameRule { text, reason });
        }
        for text in &names.patterns {
            let reason = format!("name:*{}*", check("names.patterns", text)?);
            let words: Vec<&str> = text.split('_').collect();
            let joined: std::collections::BTreeSet<String> =
                SEPARATORS.iter().map(|separator| words.join(separator)).collect();
            for needle in joined {
                self.push(needle, Trigger::Name, &reason);
            }
        }
        for text in &names.query {
            let reason = format!("query:{text}");
            for first in ["?", "&"] {
                self.push(format!("{first}{text}="), Trigger::Query, &reason);
            }
        }
        self.counts.extend(names.counts);
        self.headers.extend(names.headers);
        self.pairs.names.extend(names.pairs.names);
        self.pairs.values.extend(names.pairs.values);
        for text in document.paths {
            let rule = PathRule::parse(&text).ok_or_else(|| malformed("paths", &text))?;
            self.paths.push((rule, format!("path:{text}").into()));
        }
        document.structures.into_iter().for_each(|structure| self.add_structure(structure));
        document.tokens.into_iter().try_for_each(|rule| self.add_token(rule))
    }

    fn add_structure(&mut self, structure: Structure) {
        match structure {
            Structure::Assignment => self.assignment = true,
            Structure::Basic => self.push("basic ".to_owned(), Trigger::Basic, "value:basic"),
            Structure::Bearer => self.push("bearer ".to_owned(), Trigger::Bearer, "value:bearer"),
            Structure::Jwt => self.push("eyj".to_owned(), Trigger::Jwt, "value:jwt"),
            Structure::PemPrivateKey => {
                self.push("private key".to_owned(), Trigger::Pem, "value:pem_private_key");
            }
            Structure::UrlUserinfo => {
                self.push("://".to_owned(), Trigger::Userinfo, "value:url_userinfo");
            }
        }
    }

    fn add_token(&mut self, rule: TokenRule) -> Result<(), RedactionPolicyError> {
        let reason = format!("value:{}", rule.name);
        for prefix in rule.prefixes {
            check("tokens", &prefix)?;
            let needle = prefix.to_string();
            let TokenRule { alphabet, chars_min, .. } = rule;
            self.push(needle, Trigger::Token { prefix, alphabet, chars_min }, &reason);
        }
        Ok(())
    }

    fn push(&mut self, needle: String, trigger: Trigger, reason: &str) {
        self.needles.push(needle);
        self.triggers.push((trigger, reason.into()));
    }

    fn finish(self, version: Box<str>) -> RedactionPolicy {
        let triggers = self.triggers.iter().map(|(trigger, _)| trigger);
        let needles = self.needles.iter().map(String::as_str);
        let glance = Glance::new(triggers.zip(needles), self.assignment);
        RedactionPolicy {
            version,
            exact: self.exact,
            prefixes: self.prefixes,
            counts: self.counts,
            headers: self.headers,
            pair_names: self.pairs.names,
            pair_values: self.pairs.values,
            paths: self.paths,
            assignment: self.assignment,
            matcher: Matcher::new(self.needles.iter().map(String::as_str)),
            glance,
            triggers: self.triggers,
        }
    }
}

/// A rule of a byte or two would take most names and texts.
fn check<'t>(list: &'static str, rule: &'t str) -> Result<&'t str, RedactionPolicyError> {
    if rule.len() < WINDOW_BYTES { Err(malformed(list, rule)) } else { Ok(rule) }
}

fn malformed(list: &'static str, rule: &str) -> RedactionPolicyError {
    RedactionPolicyError::Rule { list, rule: rule.into() }
}
