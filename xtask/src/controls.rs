//! `cargo xtask controls`: takes each control of the threat model out, one at a time, and sees its tests go red.
//!
//! The list is `xtask/controls.toml`. What is changed is a copy of the workspace under `target/controls`; the
//! workspace itself is only read. Deliberately absent: mutations that nobody chose, which tell of lines and not of controls.

#![expect(clippy::disallowed_methods, reason = "reads the workspace's own files")]

mod copy;
mod list;

use copy::{Verdict, WorkspaceCopy};

pub(crate) use list::check;

/// Which controls to take out.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only controls whose name holds one of these words.
    words: Vec<String>,
}

/// Takes the controls out one after the other.
///
/// # Errors
///
/// Fails when the list is not true of the workspace, when a test fails with every control in place, or when no test fails
/// with one out.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = crate::root()?;
    let mut controls = list::read(&std::fs::read_to_string(root.join(list::FILE))?)?;
    if !arguments.words.is_empty() {
        controls.retain(|control| arguments.words.iter().any(|word| control.name.contains(word)));
    }
    anyhow::ensure!(!controls.is_empty(), "no control has such a name");
    let copy = WorkspaceCopy::make(&root)?;
    let mut unseen = Vec::new();
    for (number, control) in (1..).zip(&controls) {
        println!("\n=== {number} of {}: {} ===", controls.len(), control.name);
        let verdict = copy.take_out(control)?;
        println!("{verdict}");
        if verdict != Verdict::Seen {
            unseen.push(format!("{}: {verdict}", control.name));
        }
    }
    println!("\ncontrols: {} taken out, {} missed", controls.len(), controls.len() - unseen.len());
    anyhow::ensure!(unseen.is_empty(), "not shown:\n{}", unseen.join("\n"));
    Ok(())
}
