//! Help in another language: the command line as it is defined, with its texts taken from the catalog.
//!
//! A text is found by its place: `recorder bundle verify` for a command, with ` --report` or ` FILE` behind it for an
//! argument, ` = end` behind that for a value, and `*` for the command where every command takes the argument. English is
//! what stands in the code, and untouched. Deliberately absent: names of commands, flags and values, which scripts use.

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory as _};

use super::Arguments;
use crate::i18n::{Locale, say, texts};

/// The command line with its help in `locale`.
pub(crate) fn command(locale: Locale) -> Command {
    let command = Arguments::command();
    if locale == Locale::ENGLISH {
        return command;
    }
    let mut command = command;
    // Gives every command the arguments that all take, and those that the parser itself adds.
    command.build();
    let place = command.get_name().to_owned();
    translated(command, &place, locale)
}

/// A command that was built, and those below it.
fn translated(mut command: Command, place: &str, locale: Locale) -> Command {
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let usage = usage.replace("[OPTIONS]", say!(locale, usage.options_name));
    let usage = usage.replace("<COMMAND>", say!(locale, usage.command_name));
    let heading = say!(locale, usage.heading);
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{heading}: {{usage}}\n\n{{all-args}}{{after-help}}"
    );
    let about = |suffix: &str| texts::HELP.text(locale, &format!("{place}{suffix}")).to_owned();
    if command.get_about().is_some() {
        command = command.about(about(""));
    }
    if command.get_long_about().is_some() {
        command = command.long_about(about(LONG));
    }
    command
        .override_usage(usage)
        .help_template(template)
        .subcommand_help_heading(say!(locale, usage.commands))
        .mut_args(|argument| argument_translated(argument, place, locale))
        .mut_subcommands(|inner| match inner.get_name() {
            HELP => inner.about(say!(locale, usage.help_command)),
            name => {
                let place = format!("{place} {name}");
                translated(inner, &place, locale)
            }
        })
}

/// The command and the flag that the parser adds.
const HELP: &str = "help";

/// Marks the long text of a command or an argument.
const LONG: &str = " (long)";

fn argument_translated(mut argument: Arg, place: &str, locale: Locale) -> Arg {
    let place = argument_place(&argument, place);
    let heading = match argument.is_global_set() {
        true => say!(locale, usage.global_options),
        false => say!(locale, usage.options),
    };
    if !argument.is_positional() {
        argument = argument.help_heading(heading);
    }
    match argument.get_id().as_str() {
        HELP => {
            let text = say!(locale, usage.print_help);
            return argument.help(text).long_help(text);
        }
        "version" => return argument.help(say!(locale, usage.print_version)),
        _ => {}
    }
    let mut text = texts::HELP.text(locale, &place).to_owned();
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|d| d.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        text = format!("{text} [{}: {}]", say!(locale, usage.default), defaults.join(", "));
    }
    let values = argument.get_possible_values();
    let mut long = None;
    if argument.get_action().takes_values() && !values.is_empty() {
        long = values.iter().any(|value| value.get_help().is_some()).then(|| {
            format!(
                "{text}\n\n{}:\n{}",
                say!(locale, usage.possible),
                listed(&values, &place, locale)
            )
        });
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        text = format!("{text} [{}: {}]", say!(locale, usage.possible_values), names.join(", "));
    }
    let argument = argument.help(text).hide_default_value(true).hide_possible_values(true);
    match long {
        Some(long) => argument.long_help(long),
        None => argument,
    }
}

fn listed(values: &[PossibleValue], place: &str, locale: Locale) -> String {
    let line = |value: &PossibleValue| {
        let name = value.get_name();
        let place = format!("{place} = {name}");
        format!("- {name}: {}", texts::HELP.text(locale, &place))
    };
    values.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn argument_place(argument: &Arg, command: &str) -> String {
    let command = if argument.is_global_set() { "*" } else { command };
    match argument.get_long() {
        Some(long) => format!("{command} --{long}"),
        None => format!("{command} {}", argument.get_id().as_str().to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every text of the command line by its place, as the code has it.
    fn defined(command: &Command, place: &str, all: &mut BTreeMap<String, String>) {
        let mut add = |place: String, text: Option<&clap::builder::StyledStr>| {
            if let Some(text) = text {
                all.insert(place, text.to_string());
            }
        };
        add(place.to_owned(), command.get_about());
        add(format!("{place}{LONG}"), command.get_long_about());
        for argument in command.get_arguments() {
            if [HELP, "version"].contains(&argument.get_id().as_str()) {
                continue;
            }
            let place = argument_place(argument, place);
            for value in argument.get_possible_values() {
                add(format!("{place} = {}", value.get_name()), value.get_help());
            }
            assert!(argument.get_help().is_some(), "{place} says nothing");
            add(place, argument.get_help());
        }
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != HELP) {
            defined(inner, &format!("{place} {}", inner.get_name()), all);
        }
    }

    #[test]
    fn the_catalog_has_the_help_of_every_command_and_argument_and_no_other() {
        let mut command = Arguments::command();
        command.build();
        let mut wanted = BTreeMap::new();
        defined(&command, "recorder", &mut wanted);
        let mut found: BTreeMap<String, String> = texts::HELP
            .english()
            .map(|(place, text)| (place.to_owned(), text.to_owned()))
            .collect();
        let mut lines = String::new();
        for (place, text) in wanted {
            if found.remove(&place).as_deref() != Some(&*text) {
                lines.push_str(&format!("{place:?} = {text:?}\n"));
            }
        }
        let stale: Vec<String> = found.into_keys().collect();
        assert!(stale.is_empty(), "[help] of the catalogs has what no command has: {stale:?}");
        assert!(
            lines.is_empty(),
            "[help] of en.toml lacks these, and the others their words:\n{lines}"
        );
    }
}
