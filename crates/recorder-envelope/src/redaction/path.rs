//! Places of a record: `/params/arguments/*/payload`, after RFC 6901 with two wildcards.
//!
//! `*` is any one name or index. A first segment `**` is any number of them.

/// A place that a policy names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PathRule {
    segments: Vec<Segment>,
    anywhere: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    Name(Box<str>),
    Any,
}

/// One step from the root of a record to the value in hand; an index is `None`.
pub(super) type Step<'a> = Option<std::borrow::Cow<'a, str>>;

impl PathRule {
    /// Reads a rule; `None` where the text is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        let anywhere = parts.first() == Some(&"**");
        if anywhere {
            parts.remove(0);
        }
        let segments: Option<Vec<Segment>> = parts.into_iter().map(Segment::parse).collect();
        segments.filter(|all| !all.is_empty()).map(|segments| Self { segments, anywhere })
    }

    /// Whether the rule names the place.
    pub(super) fn matches(&self, place: &[Step<'_>]) -> bool {
        let fits = if self.anywhere {
            place.len() >= self.segments.len()
        } else {
            place.len() == self.segments.len()
        };
        fits && self.segments.iter().rev().zip(place.iter().rev()).all(|(rule, step)| {
            match (rule, step) {
                (Segment::Any, _) => true,
                (Segment::Name(name), Some(found)) => **name == **found,
                (Segment::Name(_), None) => false,
            }
        })
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "**" => None,
            "*" => Some(Self::Any),
            name => Some(Self::Name(name.replace("~1", "/").replace("~0", "~").into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str, place: &[&str]) -> bool {
        let place: Vec<Step<'_>> =
            place.iter().map(|step| (*step != "#").then(|| (*step).into())).collect();
        PathRule::parse(rule).unwrap().matches(&place)
    }

    #[test]
    fn a_place_is_matched_from_its_root_or_from_anywhere() {
        assert!(matches("/a/b", &["a", "b"]));
        assert!(!matches("/a/b", &["x", "a", "b"]));
        assert!(matches("/**/a/b", &["x", "#", "a", "b"]));
        assert!(matches("/**/a/b", &["a", "b"]));
        assert!(matches("/a/*/c", &["a", "#", "c"]));
        assert!(matches("/a/*/c", &["a", "b", "c"]));
        assert!(!matches("/a/*/c", &["a", "c"]));
        assert!(matches("/a~1b/~0", &["a/b", "~"]));
    }

    #[test]
    fn a_rule_that_names_nothing_is_none() {
        for text in ["", "a", "/", "/a/", "/a/**", "/**", "//a"] {
            assert_eq!(PathRule::parse(text), None, "{text}");
        }
    }
}
