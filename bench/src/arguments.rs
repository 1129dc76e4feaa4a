//! What a run is asked to do.

use std::path::PathBuf;

/// How to call the program.
pub(crate) const USAGE: &str = "\
recorder-bench: what things cost, as ratios to floors measured in the same run

  --quick          small sizes, to try things out
  --gate           exit with 1 when a gate fails or the session is invalid
  --only LANE      only this lane; may be given more than once
  --output DIR     where each lane's report goes, as LANE.json (default: target/bench)
  --data-dir DIR   where stores and archives are kept (default: target/bench-data)
  --help           this text

recorder-bench gate: the reports against bench/baseline.toml, and that against its committed versions

  --reports DIR    where the reports are (default: target/bench)
  --complete       fail where a ratio of the baseline was not measured";

/// What the program is asked to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Say how it is called.
    Help,
    /// Run lanes.
    Measure(Arguments),
    /// Judge reports.
    Gate {
        /// Where they are.
        reports: PathBuf,
        /// Whether every ratio must have been measured.
        complete: bool,
    },
}

/// What a run is asked to do.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    pub(crate) gate: bool,
    pub(crate) only: Vec<String>,
    pub(crate) output: PathBuf,
    pub(crate) data_directory: PathBuf,
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Task> {
        let mut arguments = arguments.peekable();
        if arguments.next_if(|argument| argument == "gate").is_some() {
            return gate(arguments);
        }
        let mut parsed = Self {
            quick: false,
            gate: false,
            only: Vec::new(),
            output: PathBuf::from("target/bench"),
            data_directory: PathBuf::from("target/bench-data"),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| anyhow::anyhow!("{argument} needs a value\n\n{USAGE}"))
            };
            match argument.as_str() {
                "--quick" => parsed.quick = true,
                "--gate" => parsed.gate = true,
                "--only" => parsed.only.push(value()?),
                "--output" => parsed.output = value()?.into(),
                "--data-dir" => parsed.data_directory = value()?.into(),
                "--help" | "-h" => return Ok(Task::Help),
                _ => anyhow::bail!("{argument} is unknown\n\n{USAGE}"),
            }
        }
        Ok(Task::Measure(parsed))
    }
}

fn gate(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Task> {
    let (mut reports, mut complete) = (PathBuf::from("target/bench"), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--reports" => {
                let value = arguments.next();
                reports = value.ok_or_else(|| anyhow::anyhow!("{argument} needs a value"))?.into();
            }
            "--complete" => complete = true,
            "--help" | "-h" => return Ok(Task::Help),
            _ => anyhow::bail!("{argument} is unknown\n\n{USAGE}"),
        }
    }
    Ok(Task::Gate { reports, complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Task> {
        Arguments::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn flags_and_values_are_read() {
        let Task::Measure(parsed) =
            parse(&["--quick", "--only", "ingest", "--output", "x"]).unwrap()
        else {
            panic!("it is asked to measure")
        };
        assert!(parsed.quick && !parsed.gate);
        assert_eq!((parsed.only, parsed.output), (vec!["ingest".to_owned()], "x".into()));
        let gate = parse(&["gate", "--complete", "--reports", "y"]).unwrap();
        assert!(matches!(gate, Task::Gate { reports, complete: true } if reports.ends_with("y")));
    }

    #[test]
    fn unknown_flags_and_missing_values_are_refused() {
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--output"]).is_err());
        assert!(parse(&["gate", "--quick"]).is_err());
        assert!(matches!(parse(&["--help"]).unwrap(), Task::Help));
    }
}
