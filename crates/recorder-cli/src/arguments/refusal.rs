//! Why a command line was refused, in words of the catalog.
//!
//! English has the parser's own words, which JSON has too. Deliberately absent: colours.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::i18n::{Locale, say};

/// What to tell a person whose arguments were refused.
pub(crate) fn refusal(error: &Error, locale: Locale) -> String {
    if locale == Locale::ENGLISH || error.kind() == HELP_SHOWN {
        return error.render().to_string();
    }
    let mut text = format!("{}: {}\n", say!(locale, output.error), complaint(error, locale));
    let possible = context(error, ContextKind::ValidValue);
    if !possible.is_empty() {
        text.push_str(&format!("  [{}: {possible}]\n", say!(locale, usage.possible_values)));
    }
    let suggested =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    for similar in suggested.map(|kind| context(error, kind)).iter().filter(|s| !s.is_empty()) {
        let tip = say!(locale, hint.did_you_mean, name = similar);
        text.push_str(&format!("\n  {}: {tip}\n", say!(locale, output.hint)));
    }
    let usage = context(error, ContextKind::Usage);
    if !usage.is_empty() {
        let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
        text.push_str(&format!("\n{}: {usage}\n", say!(locale, usage.heading)));
    }
    text.push_str(&format!("\n{}\n", say!(locale, usage.try_help)));
    text
}

/// Nothing was given, and the help itself is the answer.
const HELP_SHOWN: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

fn complaint(error: &Error, at: Locale) -> String {
    let argument = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => say!(at, usage.unknown_argument, argument = argument),
        ErrorKind::InvalidSubcommand => {
            let name = context(error, ContextKind::InvalidSubcommand);
            say!(at, usage.unknown_command, name = name)
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            say!(at, usage.value_missing, argument = argument)
        }
        ErrorKind::InvalidValue => {
            say!(at, usage.value_invalid, value = value, argument = argument)
        }
        ErrorKind::ValueValidation => {
            say!(at, usage.value_refused, value = value, argument = argument, cause = cause)
        }
        ErrorKind::ArgumentConflict => {
            let other = context(error, ContextKind::PriorArg);
            match other == argument {
                true => say!(at, usage.repeated, argument = argument),
                false => say!(at, usage.conflict, argument = argument, other = other),
            }
        }
        ErrorKind::MissingRequiredArgument => say!(at, usage.missing, arguments = argument),
        ErrorKind::MissingSubcommand => say!(at, usage.missing_command).to_owned(),
        ErrorKind::InvalidUtf8 => say!(at, usage.not_utf8).to_owned(),
        kind => say!(at, usage.other, detail = kind),
    }
}

/// What the parser says of this kind, quoted by nobody.
fn context(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(texts)) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
