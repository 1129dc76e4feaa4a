//! The benchmark of the evidence core: what it costs, as a ratio to what it cannot cost less than.
//!
//! Floor and candidate run side by side, block by block in the order A B B A, over data made before the clock
//! starts; the service runs in a process of its own, under load from another. Every lane writes a report, and `gate`
//! holds the reports against the committed baseline. Deliberately absent: absolute promises, which belong to a
//! machine, and any part in tests, which no timing may decide.

mod arguments;
mod baseline;
mod clock;
mod corpus;
mod data;
mod decision_gate;
mod floor_archive;
mod floor_database;
mod gate;
mod lane;
mod load;
mod machine;
mod pairs;
mod postgres;
mod report;
mod requests;
mod server;
mod service;
mod telemetry;
mod verification;

use std::process::ExitCode;

use arguments::{Arguments, Task};
use data::Data;
use lane::{Found, Session};
use machine::Machine;
use report::Report;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == "child").is_some() {
        return lane::memory::child(arguments).map(|()| ExitCode::SUCCESS);
    }
    let holds = match Arguments::parse(arguments)? {
        Task::Help => {
            println!("{}", arguments::USAGE);
            true
        }
        Task::Gate { reports, complete } => gate::run(&reports, complete)?,
        Task::Measure(arguments) => {
            let reports = measure(&arguments)?;
            !arguments.gate || reports.iter().all(Report::holds)
        }
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(arguments: &Arguments) -> anyhow::Result<Vec<Report>> {
    let scratch = arguments.data_directory.join("scratch");
    std::fs::create_dir_all(&scratch)?;
    std::fs::create_dir_all(&arguments.output)?;
    let data = Data::at(arguments.data_directory.clone())?;
    let session = Session { quick: arguments.quick, scratch, data };
    let mut reports = Vec::new();
    for lane in &lane::ALL {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == lane.name) {
            eprintln!("{} ...", lane.name);
            let machine = Machine::look(&session.scratch)?;
            let Found { rows, capacity } = (lane.run)(&session)?;
            let report = Report::new(lane, machine, session.quick, rows, capacity);
            print!("{report}");
            write(arguments, &report)?;
            reports.push(report);
        }
    }
    anyhow::ensure!(!reports.is_empty(), "no such lane; there are: {}", lane::names());
    Ok(reports)
}

#[expect(clippy::disallowed_methods, reason = "writes where the caller said")]
fn write(arguments: &Arguments, report: &Report) -> anyhow::Result<()> {
    let path = arguments.output.join(format!("{}.json", report.lane()));
    Ok(std::fs::write(path, serde_json::to_vec_pretty(report)?)?)
}
