//! The benchmark of the evidence core: what it costs, as a ratio to what it cannot cost less than.
//!
//! Floor and candidate run in one process, block by block in the order A B B A, over data made before the clock
//! starts. Ratios of processor time are what the gates look at; ratios on the wall stand beside them. Deliberately
//! absent: absolute promises, which belong to a machine, and any part in tests, which no timing may decide.

mod arguments;
mod clock;
mod corpus;
mod data;
mod decision_gate;
mod floor_archive;
mod floor_database;
mod lane;
mod machine;
mod pairs;
mod report;
mod service;
mod telemetry;
mod verification;

use std::process::ExitCode;

use arguments::Arguments;
use data::Data;
use lane::Session;
use machine::Machine;
use report::Report;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == "child").is_some() {
        return lane::memory::child(arguments).map(|()| ExitCode::SUCCESS);
    }
    let Some(arguments) = Arguments::parse(arguments)? else {
        println!("{}", arguments::USAGE);
        return Ok(ExitCode::SUCCESS);
    };
    let report = measure(&arguments)?;
    print!("{report}");
    write(&arguments, &report)?;
    let failed = arguments.gate && !report.holds();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let scratch = arguments.data_directory.join("scratch");
    std::fs::create_dir_all(&scratch)?;
    let data = Data::at(arguments.data_directory.clone())?;
    let machine = Machine::look(&scratch)?;
    let session = Session { quick: arguments.quick, scratch, data };
    let mut rows = Vec::new();
    for (name, run) in lane::ALL {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == name) {
            eprintln!("{name} ...");
            rows.extend(run(&session)?);
        }
    }
    anyhow::ensure!(!rows.is_empty(), "no such lane; there are: {}", lane::names());
    Ok(Report::new(machine, arguments.quick, rows))
}

#[expect(clippy::disallowed_methods, reason = "writes where the caller said")]
fn write(arguments: &Arguments, report: &Report) -> anyhow::Result<()> {
    if let Some(directory) = arguments.output.parent() {
        std::fs::create_dir_all(directory)?;
    }
    Ok(std::fs::write(&arguments.output, serde_json::to_vec_pretty(report)?)?)
}
