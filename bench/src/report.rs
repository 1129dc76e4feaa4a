//! The table that a person reads and the JSON that a pipeline compares.

use std::fmt;

use serde::Serialize;

use crate::lane::Lane;
use crate::lane::saturation::Capacity;
use crate::machine::Machine;
use crate::pairs::{Measured, Spread};

/// What a row must reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gate {
    /// The judged number must not be smaller.
    AtLeast(f64),
    /// The judged number must not be larger.
    AtMost(f64),
    /// A check of the session itself, such as the pair A/A: where it lies elsewhere the session says nothing.
    Within(f64, f64),
}

/// What a row says about its gate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    /// Nothing is asked of it, or the machine was too busy for what is.
    Unjudged,
}

/// Median and quartiles of a ratio.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    median: f64,
    first_quartile: f64,
    third_quartile: f64,
}

impl From<Spread> for Ratio {
    fn from(spread: Spread) -> Self {
        let Spread { first_quartile, median, third_quartile } = spread;
        Self { median, first_quartile, third_quartile }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    unit: &'static str,
    /// What the candidate costs or gives, in `unit`.
    value: f64,
    /// The same of the floor.
    floor: Option<f64>,
    /// Floor over candidate, by processor time.
    processor_ratio: Option<Ratio>,
    /// Floor over candidate, on the wall.
    wall_ratio: Option<Ratio>,
    pairs: usize,
    /// The number that the gate looks at.
    judged: f64,
    gate: Option<Gate>,
    outcome: Outcome,
}

impl Row {
    /// A comparison of blocks that hold `items` each, judged by processor time.
    pub(crate) fn compared(
        name: &'static str,
        measured: &Measured,
        items: f64,
        gate: Option<Gate>,
    ) -> Self {
        let judged = measured.processor_ratio();
        Self {
            name,
            unit: "us each",
            value: measured.candidate_seconds() * 1e6 / items,
            floor: Some(measured.floor_seconds() * 1e6 / items),
            processor_ratio: Some(judged.into()),
            wall_ratio: Some(measured.wall_ratio().into()),
            pairs: measured.count(),
            judged: judged.median,
            gate,
            outcome: outcome(judged.median, gate),
        }
    }

    /// Rates of floor and candidate, round by round; judged by how much of the floor's the candidate reaches.
    pub(crate) fn rates(
        name: &'static str,
        unit: &'static str,
        rounds: &[(f64, f64)],
        gate: Option<Gate>,
    ) -> Self {
        let ratio = Spread::of(rounds.iter().map(|(floor, candidate)| candidate / floor));
        let value = Spread::of(rounds.iter().map(|(_, candidate)| *candidate)).median;
        let floor = Spread::of(rounds.iter().map(|(floor, _)| *floor)).median;
        Self {
            wall_ratio: Some(ratio.into()),
            pairs: rounds.len(),
            judged: ratio.median,
            outcome: outcome(ratio.median, gate),
            ..Self::number(name, unit, value, Some(floor), gate)
        }
    }

    /// Costs of floor and candidate, round by round; judged by how often the candidate's holds the floor's.
    pub(crate) fn costs(
        name: &'static str,
        unit: &'static str,
        rounds: &[(f64, f64)],
        gate: Option<Gate>,
    ) -> Self {
        Self::rates(name, unit, rounds, gate)
    }

    /// A number without pairs: `value` is judged against `gate`, `floor` stands beside it.
    pub(crate) fn number(
        name: &'static str,
        unit: &'static str,
        value: f64,
        floor: Option<f64>,
        gate: Option<Gate>,
    ) -> Self {
        Self {
            name,
            unit,
            value,
            floor,
            processor_ratio: None,
            wall_ratio: None,
            pairs: 0,
            judged: value,
            gate,
            outcome: outcome(value, gate),
        }
    }

    /// Judges the ratio on the wall instead: for work whose point is to use more than one processor.
    pub(crate) fn by_wall(mut self) -> Self {
        self.judged = self.wall_ratio.map_or(f64::NAN, |ratio| ratio.median);
        self.outcome = outcome(self.judged, self.gate);
        self
    }

    /// How busy others kept the machine: work that waits for a disk and for other processes tells nothing then.
    pub(crate) fn others(name: &'static str, processors: f64) -> Self {
        Self::number(name, "cores", processors, None, Some(Gate::Within(-1.0, 0.25)))
    }

    /// Takes the judgement back.
    pub(crate) fn unjudged(mut self) -> Self {
        self.outcome = Outcome::Unjudged;
        self
    }

    fn is_session_check(&self) -> bool {
        matches!(self.gate, Some(Gate::Within(..)))
    }
}

fn outcome(judged: f64, gate: Option<Gate>) -> Outcome {
    let holds = match gate {
        None => return Outcome::Unjudged,
        Some(Gate::AtLeast(least)) => judged >= least,
        Some(Gate::AtMost(most)) => judged <= most,
        Some(Gate::Within(least, most)) => (least..=most).contains(&judged),
    };
    if holds { Outcome::Pass } else { Outcome::Fail }
}

/// Everything that one lane tells.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    lane: &'static str,
    workload: &'static str,
    machine: Machine,
    /// Whether small sizes were used; such a run is for trying things out.
    quick: bool,
    seed: u64,
    corpus_version: u64,
    /// Whether the session's own checks held.
    session_valid: bool,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<Capacity>,
}

impl Report {
    /// Of what `lane` found.
    pub(crate) fn new(
        lane: &Lane,
        machine: Machine,
        quick: bool,
        rows: Vec<Row>,
        capacity: Option<Capacity>,
    ) -> Self {
        let even = |row: &Row| !row.is_session_check() || row.outcome == Outcome::Pass;
        Self {
            lane: lane.name,
            workload: lane.workload,
            machine,
            quick,
            seed: crate::corpus::SEED,
            corpus_version: crate::corpus::CORPUS_VERSION,
            session_valid: rows.iter().all(even),
            rows,
            capacity,
        }
    }

    /// The lane that it is of.
    pub(crate) fn lane(&self) -> &'static str {
        self.lane
    }

    /// Whether the session is valid and every gate that was judged holds.
    pub(crate) fn holds(&self) -> bool {
        self.session_valid && self.rows.iter().all(|row| row.outcome != Outcome::Fail)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}: {}\n{}\n", self.lane, self.workload, self.machine)?;
        writeln!(
            f,
            "{:<58} {:>10} {:>10}  {:<8} {:>22} {:>7}  {:<12} ",
            "", "value", "floor", "unit", "processor ratio (IQR)", "wall", "gate"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        if !self.session_valid {
            writeln!(f, "\nThe session is invalid: one of its own checks did not hold.")?;
        }
        if self.quick {
            writeln!(f, "\nSmall sizes (--quick): good for trying things out, not for judging.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.processor_ratio.map(|ratio| {
            format!("{:.3} ({:.3}-{:.3})", ratio.median, ratio.first_quartile, ratio.third_quartile)
        });
        let wall = self.wall_ratio.map(|ratio| format!("{:.3}", ratio.median));
        let gate = match self.gate {
            None => String::new(),
            Some(Gate::AtLeast(least)) => format!(">= {least}"),
            Some(Gate::AtMost(most)) => format!("<= {most}"),
            Some(Gate::Within(least, most)) => format!("{least}..{most}"),
        };
        let outcome = match (self.outcome, self.gate) {
            (Outcome::Pass, _) => "pass",
            (Outcome::Fail, _) => "FAIL",
            (Outcome::Unjudged, Some(_)) => "unjudged",
            (Outcome::Unjudged, None) => "",
        };
        write!(
            f,
            "{:<58} {:>10} {:>10}  {:<8} {:>22} {:>7}  {:<12} {outcome}",
            self.name,
            number(self.value),
            self.floor.map(number).unwrap_or_default(),
            self.unit,
            ratio.unwrap_or_default(),
            wall.unwrap_or_default(),
            gate,
        )
    }
}

/// Four significant digits, more or less.
fn number(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_judged_by_the_number_that_it_names() {
        let judge = |value, gate| Row::number("", "", value, None, Some(gate)).outcome;
        assert_eq!(judge(0.65, Gate::AtLeast(0.65)), Outcome::Pass);
        assert_eq!(judge(0.64, Gate::AtLeast(0.65)), Outcome::Fail);
        assert_eq!(judge(1.61, Gate::AtMost(1.6)), Outcome::Fail);
        assert_eq!(judge(f64::NAN, Gate::AtLeast(0.0)), Outcome::Fail);
        assert_eq!(judge(1.0, Gate::Within(0.95, 1.05)), Outcome::Pass);
        assert_eq!(judge(0.9, Gate::Within(0.95, 1.05)), Outcome::Fail);
    }
}
