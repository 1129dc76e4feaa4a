//! One step of a longer run: a header, its output as it comes, how it ended and how long it took.
//!
//! Deliberately absent: stopping at the first failure. A run names everything that is wrong.
#![expect(clippy::disallowed_methods, reason = "durations are shown to people and decide nothing")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// How a step ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It did what it was to do.
    Passed,
    /// It found something, or could not run.
    Failed(String),
    /// It did not run, and why.
    Skipped(String),
}

/// Tests that ran, by result.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TestCounts {
    /// Tests that held.
    pub(crate) passed: u64,
    /// Tests that did not, or timed out.
    pub(crate) failed: u64,
    /// Tests that did not run.
    pub(crate) skipped: u64,
}

/// The steps so far, in order.
#[derive(Default)]
pub(crate) struct Run {
    steps: Vec<(String, Outcome, Duration)>,
    tests: TestCounts,
}

impl Run {
    /// Runs `command` as the step `name`, passes its output on and counts the tests it reports.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        let mut tests = TestCounts::default();
        self.step(name, || {
            let line = shown(command);
            println!("$ {line}");
            match run_counting(command, &mut tests) {
                Ok(true) => Outcome::Passed,
                Ok(false) => Outcome::Failed(format!("`{line}` failed")),
                Err(error) => Outcome::Failed(format!("`{line}` did not run: {error:#}")),
            }
        });
        self.tests.add(tests);
    }

    /// Runs `work` as the step `name`.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        println!("\n=== {name} ===");
        let start = Instant::now();
        let outcome = work();
        self.steps.push((name.to_owned(), outcome, start.elapsed()));
    }

    /// Prints a line per step and one for all tests.
    ///
    /// # Errors
    ///
    /// Fails when any step did.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!("\n=== summary ===");
        for (name, outcome, duration) in &self.steps {
            let (mark, why) = match outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Failed(why) => ("FAILED", format!(": {why}")),
                Outcome::Skipped(why) => ("SKIPPED", format!(": {why}")),
            };
            println!("{mark:<8}{:>7.1} s  {name}{why}", duration.as_secs_f64());
        }
        let TestCounts { passed, failed, skipped } = self.tests;
        println!("tests: {passed} passed, {failed} failed, {skipped} skipped");
        let failures = self.steps.iter().filter(|(_, end, _)| matches!(end, Outcome::Failed(_)));
        let count = failures.count();
        anyhow::ensure!(count == 0, "{count} of {} steps failed", self.steps.len());
        Ok(())
    }
}

impl TestCounts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads the totals in a line of nextest or of the standard harness; any other line has none.
    fn in_line(line: &str) -> Self {
        let summary =
            line.trim_start().strip_prefix("Summary [").and_then(|rest| rest.split_once("run:"));
        let totals = match (summary, line.split_once("test result: ")) {
            (Some((_, totals)), _) => totals,
            (None, Some((_, totals))) => totals.split_once(". ").map_or("", |(_, counts)| counts),
            (None, None) => return Self::default(),
        };
        let count_of = |word: &str| -> u64 {
            let mut parts = totals.split([',', ';']).map(str::trim);
            let found = parts.find_map(|part| part.strip_suffix(word)?.trim().parse().ok());
            found.unwrap_or(0)
        };
        let passed = totals
            .split([',', ';'])
            .find_map(|part| part.trim().split_once(" passed")?.0.parse().ok())
            .unwrap_or(0);
        Self {
            passed,
            failed: count_of("failed") + count_of("timed out"),
            skipped: count_of("skipped") + count_of("ignored"),
        }
    }
}

/// Whether `program` can be started, by asking its version.
pub(crate) fn is_installed(program: &str) -> bool {
    let asked =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end; true when it succeeded.
fn run_counting(command: &mut Command, tests: &mut TestCounts) -> anyhow::Result<bool> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let (out, err) = std::thread::scope(|scope| {
        let out = scope.spawn(|| forward(stdout, std::io::stdout()));
        let err = forward(stderr, std::io::stderr());
        (out.join(), err)
    });
    tests.add(err?);
    tests.add(out.map_err(|_| anyhow::anyhow!("the reader of standard output panicked"))??);
    Ok(child.wait()?.success())
}

/// Passes lines on as they come and adds up the totals among them.
fn forward(from: impl Read, mut to: impl Write) -> std::io::Result<TestCounts> {
    let mut tests = TestCounts::default();
    for line in BufReader::new(from).split(b'\n') {
        let line = line?;
        tests.add(TestCounts::in_line(&String::from_utf8_lossy(&line)));
        to.write_all(&line)?;
        to.write_all(b"\n")?;
    }
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_nextest_are_read() {
        let line = "     Summary [   0.327s] 40 tests run: 37 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(TestCounts::in_line(line), TestCounts { passed: 37, failed: 3, skipped: 4 });
    }

    #[test]
    fn totals_of_the_standard_harness_are_read() {
        let line = "test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(TestCounts::in_line(line), TestCounts { passed: 7, failed: 1, skipped: 2 });
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(TestCounts::in_line("3 passed, 4 failed"), TestCounts::default());
    }

    #[test]
    fn a_run_with_a_failed_step_fails_and_one_with_a_skipped_step_does_not() {
        let mut run = Run::default();
        run.step("skipped", || Outcome::Skipped("not here".to_owned()));
        run.finish().unwrap();
        let mut run = Run::default();
        run.step("failed", || Outcome::Failed("wrong".to_owned()));
        run.step("passed", || Outcome::Passed);
        assert!(run.finish().is_err());
    }
}
