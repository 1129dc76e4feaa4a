//! What each ratio must not fall below, as it was agreed upon: a file that only grows.
//!
//! Every entry ends in the floor that is in force; a floor that is easier than the one before it says why and by
//! whom. Ratios only: what a machine does in a second is nobody's baseline. Deliberately absent: goals, which stand
//! beside what is measured.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The committed file.
#[cfg(test)]
const COMMITTED: &str = include_str!("../baseline.toml");

/// Which way a ratio may go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// More is better.
    AtLeast,
    /// Less is better.
    AtMost,
}

/// A floor, from some day on.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agreed {
    pub(crate) date: String,
    pub(crate) floor: f64,
    /// What was measured on that day.
    pub(crate) measured: f64,
    reason: Option<String>,
    author: Option<String>,
}

/// One ratio and its floors, the newest last.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ratio {
    pub(crate) lane: String,
    pub(crate) name: String,
    direction: Direction,
    history: Vec<Agreed>,
}

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ratio: Vec<Ratio>,
}

/// Every ratio by its name.
#[derive(Clone, Debug)]
pub(crate) struct Baseline(BTreeMap<String, Ratio>);

impl Baseline {
    /// Reads the file and holds it to its rules.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut ratios = BTreeMap::new();
        for ratio in file.ratio {
            ratio.check()?;
            let name = ratio.name.clone();
            anyhow::ensure!(ratios.insert(name.clone(), ratio).is_none(), "{name:?} stands twice");
        }
        Ok(Self(ratios))
    }

    /// Refuses whatever an earlier version of the file had otherwise.
    pub(crate) fn check_follows(&self, earlier: &Self) -> anyhow::Result<()> {
        for (name, before) in &earlier.0 {
            let Some(now) = self.0.get(name) else {
                anyhow::bail!("{name:?} was taken out; give it an easier floor with a reason")
            };
            anyhow::ensure!(
                (&now.lane, now.direction) == (&before.lane, before.direction)
                    && now.history.starts_with(&before.history),
                "the history of {name:?} was changed; it only grows"
            );
        }
        Ok(())
    }

    /// All entries, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ratio> {
        self.0.values()
    }
}

impl Ratio {
    /// The floor in force.
    pub(crate) fn floor(&self) -> f64 {
        self.history.last().map_or(f64::NAN, |agreed| agreed.floor)
    }

    /// Whether a measured ratio keeps to it.
    pub(crate) fn holds(&self, measured: f64) -> bool {
        !measured.is_nan() && !is_easier(self.direction, measured, self.floor())
    }

    fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        anyhow::ensure!(!self.history.is_empty(), "{name:?} has no floor");
        for agreed in &self.history {
            let is_number = agreed.floor.is_finite() && agreed.measured.is_finite();
            anyhow::ensure!(is_number, "{name:?} has a floor that is no number");
            anyhow::ensure!(is_date(&agreed.date), "{name:?}: {:?} is no date", agreed.date);
        }
        for (before, now) in self.history.iter().zip(self.history.iter().skip(1)) {
            anyhow::ensure!(before.date <= now.date, "{name:?}: the newest floor comes last");
            let is_said =
                |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
            anyhow::ensure!(
                !is_easier(self.direction, now.floor, before.floor)
                    || is_said(&now.reason) && is_said(&now.author),
                "{name:?}: {} is easier than {} and needs a reason and an author",
                now.floor,
                before.floor
            );
        }
        Ok(())
    }
}

/// Whether `value` is further than `floor` in the direction that is worse.
fn is_easier(direction: Direction, value: f64, floor: f64) -> bool {
    match direction {
        Direction::AtLeast => value < floor,
        Direction::AtMost => value > floor,
    }
}

fn is_date(text: &str) -> bool {
    let form = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(direction: &str, history: &str) -> anyhow::Result<Baseline> {
        Baseline::parse(&format!(
            "[[ratio]]\nlane = \"l\"\nname = \"n\"\ndirection = \"{direction}\"\nhistory = [{history}]"
        ))
    }

    const FIRST: &str = "{ date = \"2026-01-01\", floor = 0.5, measured = 0.6 },";

    #[test]
    fn the_committed_baseline_keeps_to_its_rules() {
        Baseline::parse(COMMITTED).unwrap();
    }

    #[test]
    fn an_easier_floor_needs_a_reason_and_an_author() {
        let second = |direction, floor: &str, more: &str| {
            let agreed =
                format!("{{ date = \"2026-01-02\", floor = {floor}, measured = 0.6{more} }}");
            with(direction, &format!("{FIRST} {agreed}"))
        };
        for (direction, harder, easier) in
            [("at_least", "0.55", "0.45"), ("at_most", "0.45", "0.55")]
        {
            assert!(second(direction, harder, "").is_ok());
            assert!(second(direction, easier, "").is_err());
            assert!(second(direction, easier, ", reason = \"r\"").is_err());
            assert!(second(direction, easier, ", author = \"a\"").is_err());
            assert!(second(direction, easier, ", reason = \" \", author = \"a\"").is_err());
            assert!(second(direction, easier, ", reason = \"r\", author = \"a\"").is_ok());
        }
    }

    #[test]
    fn history_only_grows() {
        let first = with("at_least", FIRST).unwrap();
        let more = "{ date = \"2026-01-02\", floor = 0.55, measured = 0.6 }";
        let grown = with("at_least", &format!("{FIRST} {more}")).unwrap();
        grown.check_follows(&first).unwrap();
        assert!(first.check_follows(&grown).is_err(), "a floor was taken back");
        let lowered = with("at_least", &FIRST.replace("0.5,", "0.4,")).unwrap();
        assert!(lowered.check_follows(&first).is_err(), "a floor was rewritten");
        assert!(with("at_most", FIRST).unwrap().check_follows(&first).is_err());
        let other = Baseline::parse("ratio = []").unwrap();
        assert!(other.check_follows(&first).is_err(), "a ratio was taken out");
        first.check_follows(&other).unwrap();
    }

    #[test]
    fn what_is_no_floor_is_refused() {
        for history in [
            "",
            "{ date = \"2026-01-01\", floor = nan, measured = 0.6 }",
            "{ date = \"today\", floor = 0.5, measured = 0.6 }",
            "{ date = \"2026-01-01\", floor = 0.5 }",
            "{ date = \"2026-01-02\", floor = 0.5, measured = 0.6 }, { date = \"2026-01-01\", floor = 0.6, measured = 0.6 }",
        ] {
            assert!(with("at_least", history).is_err(), "{history}");
        }
        let twice = "[[ratio]]\nlane = \"l\"\nname = \"n\"\ndirection = \"at_least\"\n\
            history = [{ date = \"2026-01-01\", floor = 0.5, measured = 0.6 }]\n";
        assert!(Baseline::parse(twice).is_ok());
        assert!(Baseline::parse(&twice.repeat(2)).is_err());
    }

    #[test]
    fn a_ratio_is_judged_by_its_newest_floor() {
        let more = "{ date = \"2026-01-02\", floor = 0.55, measured = 0.6 }";
        let baseline = with("at_least", &format!("{FIRST} {more}")).unwrap();
        let ratio = baseline.iter().next().unwrap();
        assert!(ratio.holds(0.55) && ratio.holds(9.0));
        assert!(!ratio.holds(0.54) && !ratio.holds(f64::NAN));
    }
}
