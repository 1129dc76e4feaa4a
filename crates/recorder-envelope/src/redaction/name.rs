//! Names of members: which of them say that their value is secret, and which are secrets themselves.

use super::policy::{RedactionPolicy, Trigger};
use super::scan;

/// What kind of value stands under a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A string.
    String,
    /// A number, in whatever spelling.
    Number,
    /// An object or an array.
    Container,
    /// `null`, `true` or `false`, which no name makes a secret.
    Literal,
}

/// What the policy says of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameVerdict<'r> {
    /// Nothing.
    Plain,
    /// What stands under the name is removed, for this reason.
    Sensitive(&'r str),
    /// The name itself holds a secret.
    Secret(&'r str),
}

/// One half of a pair such as `{"name": "Authorization", "value": …}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PairPart {
    /// The member says what the other one is.
    Name,
    /// The member holds what is named.
    Value,
}

impl RedactionPolicy {
    pub(super) fn pair_part(&self, name: &str) -> Option<PairPart> {
        let is = |list: &[Box<str>]| list.iter().any(|listed| listed.eq_ignore_ascii_case(name));
        match () {
            () if is(&self.pair_names) => Some(PairPart::Name),
            () if is(&self.pair_values) => Some(PairPart::Value),
            () => None,
        }
    }

    pub(super) fn name(&self, name: &str, kind: Kind) -> NameVerdict<'_> {
        let mut sensitive = self.listed(name);
        let secret = self.matcher.find(name.as_bytes(), |index, start, end| {
            let (trigger, reason) = self.triggers.get(index)?;
            if matches!(trigger, Trigger::Name) && !(kind == Kind::Number && self.counts(name)) {
                sensitive = sensitive.or(Some(reason));
            }
            scan::holds(self, trigger, name, start, end).then_some(&**reason)
        });
        if let Some(reason) = secret {
            return NameVerdict::Secret(reason);
        }
        match sensitive {
            Some(reason) if kind != Kind::Literal => NameVerdict::Sensitive(reason),
            _ => NameVerdict::Plain,
        }
    }

    /// The reason of the exact name or of the prefix that the policy lists.
    fn listed(&self, name: &str) -> Option<&str> {
        let exact = self.exact.get(&name.len()).into_iter().flatten();
        if let Some(rule) = exact.into_iter().find(|rule| rule.text.eq_ignore_ascii_case(name)) {
            return Some(&rule.reason);
        }
        let first = name.as_bytes().first()?.to_ascii_lowercase();
        let begins = |text: &str| {
            name.as_bytes()
                .get(..text.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
        };
        let rule = self.prefixes.get(&first)?.iter().find(|rule| begins(&rule.text))?;
        Some(&rule.reason)
    }

    /// Whether the name is that of a count, such as `usage.output_tokens`.
    pub(super) fn counts(&self, name: &str) -> bool {
        self.counts.iter().any(|count| ends_in_words(name, count))
    }

    /// Whether an item of a list says that the next one is secret: a flag of a command line, or a header's name.
    pub(super) fn announces(&self, item: &str) -> Option<&str> {
        if self.headers.iter().any(|header| header.eq_ignore_ascii_case(item)) {
            return Some("name:header");
        }
        let flag = item.strip_prefix('-').filter(|flag| !flag.contains(['=', ' ']))?;
        match self.name(flag, Kind::String) {
            NameVerdict::Sensitive(reason) => Some(reason),
            NameVerdict::Plain | NameVerdict::Secret(_) => None,
        }
    }
}

/// Whether `name` ends in the words of `count`, however the two separate them.
fn ends_in_words(name: &str, count: &str) -> bool {
    let mut name = letters_reversed(name);
    letters_reversed(count).all(|letter| name.next() == Some(letter))
}

fn letters_reversed(text: &str) -> impl Iterator<Item = u8> {
    let bytes = text.bytes().rev();
    bytes.filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}
