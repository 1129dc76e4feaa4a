//! What a run is asked to do.

use std::path::PathBuf;

/// How to call the program.
pub(crate) const USAGE: &str = "\
recorder-bench: the evidence core against floors measured in the same process

  --quick          small sizes, to try things out
  --gate           exit with 1 when a gate fails or the session is invalid
  --only LANE      only this lane; may be given more than once
  --output FILE    where the JSON goes (default: target/bench/latest.json)
  --data-dir DIR   where stores and archives are kept (default: target/bench-data)
  --help           this text";

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
    /// Reads the command line; `None` when only help was asked for.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<Self>> {
        let mut parsed = Self {
            quick: false,
            gate: false,
            only: Vec::new(),
            output: PathBuf::from("target/bench/latest.json"),
            data_directory: PathBuf::from("target/bench-data"),
        };
        let mut arguments = arguments;
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
                "--help" | "-h" => return Ok(None),
                _ => anyhow::bail!("{argument} is unknown\n\n{USAGE}"),
            }
        }
        Ok(Some(parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Option<Arguments>> {
        Arguments::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn flags_and_values_are_read() {
        let parsed =
            parse(&["--quick", "--only", "ingest", "--output", "x.json"]).unwrap().unwrap();
        assert!(parsed.quick && !parsed.gate);
        assert_eq!((parsed.only, parsed.output), (vec!["ingest".to_owned()], "x.json".into()));
    }

    #[test]
    fn unknown_flags_and_missing_values_are_refused() {
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--output"]).is_err());
        assert!(parse(&["--help"]).unwrap().is_none());
    }
}
