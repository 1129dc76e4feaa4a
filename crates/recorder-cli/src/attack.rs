//! Manipulations of evidence, each done to a copy, and who notices.
//!
//! The list says of each what its author would need, and what stops it: the format's own hashes and rules, a
//! signature, or only something kept where the author cannot write. Nothing is touched but copies in a temporary
//! directory. Deliberately absent: attacks on machines and services around the evidence.

pub(crate) mod bundle;
pub(crate) mod database;
pub(crate) mod forgery;
pub(crate) mod judge;
mod rotation;
pub(crate) mod target;
pub(crate) mod victim;

use recorder_envelope::signing::SecretKey;
use serde::Serialize;

use crate::failure::Failure;
use crate::i18n::{Locale, say};
use forgery::{Forgery, ForgeryError, Members};
use judge::Catch;
use target::Target;
use victim::Victim;

/// Who could do it, by what they need.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Needs {
    /// A copy of the bundle on its way.
    File,
    /// Write access to the disk that the database is on.
    Disk,
    /// The signing key too.
    Key,
}

impl Needs {
    /// For people.
    pub(crate) fn who(self, locale: Locale) -> &'static str {
        match self {
            Self::File => say!(locale, attack.outsider),
            Self::Disk => say!(locale, attack.disk),
            Self::Key => say!(locale, attack.key),
        }
    }
}

/// What stops it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoppedBy {
    /// The format's hashes and rules, whoever signed.
    Rules,
    /// A signature by a trusted key; evidence that nobody signed needs a witness for it.
    Signatures,
    /// What the head guard keeps outside the database, or a witness.
    HeadGuard,
    /// A head that somebody holds who has not the key; the head guard only where its author cannot reach it.
    Witness,
}

impl StoppedBy {
    /// Whether only something outside stops it, in evidence that is signed by a trusted key or is not.
    pub(crate) fn needs_witness(self, signed: bool) -> bool {
        match self {
            Self::Rules => false,
            Self::Signatures => !signed,
            Self::HeadGuard | Self::Witness => true,
        }
    }
}

/// The keys in an attacker's hands.
pub(crate) struct Hands<'a> {
    /// One made for the attack.
    pub(crate) own: &'a SecretKey,
    /// The one that signed the evidence, where the attacker stole it.
    pub(crate) stolen: Option<&'a SecretKey>,
}

/// How it is done.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// To the values in a bundle, which is then put together to fit.
    Bundle(fn(&mut Forgery, &Hands<'_>) -> Result<(), ForgeryError>),
    /// To the members of a bundle's archive.
    Members(fn(&mut Members) -> Result<(), ForgeryError>),
    /// To the bytes of a bundle's archive.
    Archive(fn(&mut Vec<u8>) -> Result<(), ForgeryError>),
    /// To the database, by SQL with `{first}`, `{middle}`, `{last}` and `{stream}` in it.
    Sql(&'static str),
    /// To the database.
    Database(fn(&mut Victim, &Hands<'_>) -> Result<(), ForgeryError>),
}

impl Deed {
    fn is_on_database(self) -> bool {
        matches!(self, Self::Sql(_) | Self::Database(_))
    }
}

/// One manipulation.
pub(crate) struct Attack {
    /// Its stable name.
    pub(crate) name: &'static str,
    /// What is done, for a person.
    pub(crate) story: &'static str,
    /// Who could do it.
    pub(crate) needs: Needs,
    /// What stops it.
    pub(crate) stopped_by: StoppedBy,
    deed: Deed,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Attack> {
    bundle::ATTACKS.iter().chain(database::ATTACKS)
}

/// What became of one.
#[derive(Debug, Serialize)]
pub(crate) struct AttackReport {
    name: &'static str,
    story: &'static str,
    needs: Needs,
    stopped_by: StoppedBy,
    /// Whether only something outside can catch it in this evidence.
    pub(crate) needs_witness: bool,
    /// Whether it could be done to this evidence.
    pub(crate) performed: bool,
    /// Why not.
    pub(crate) not_performed_because: Option<String>,
    /// Whether the evidence alone gave it away.
    pub(crate) caught: bool,
    /// What did.
    #[serde(flatten)]
    pub(crate) catch: Catch,
    /// What the head guard noticed that had seen the honest database; `None` where it did not have to be asked.
    pub(crate) head_guard: Option<Answered>,
    /// What somebody noticed who knew the honest head; `None` where nobody had to be asked.
    pub(crate) witness: Option<Answered>,
}

/// What something that was kept elsewhere shows.
#[derive(Debug, Serialize)]
pub(crate) struct Answered {
    /// Whether it shows the manipulation.
    pub(crate) caught: bool,
    /// How.
    #[serde(flatten)]
    pub(crate) catch: Catch,
}

impl From<Option<Catch>> for Answered {
    fn from(catch: Option<Catch>) -> Self {
        Self { caught: catch.is_some(), catch: catch.unwrap_or_default() }
    }
}

/// Who noticed a manipulation that was performed.
#[derive(Default)]
pub(crate) struct Noticed {
    /// What the evidence alone showed.
    pub(crate) alone: Option<Catch>,
    /// What the head guard showed, where it was asked.
    pub(crate) head_guard: Option<Option<Catch>>,
    /// What a kept head showed, where it was asked for.
    pub(crate) witness: Option<Option<Catch>>,
}

impl AttackReport {
    fn new(attack: &'static Attack, signed: bool) -> Self {
        Self {
            name: attack.name,
            story: attack.story,
            needs: attack.needs,
            stopped_by: attack.stopped_by,
            needs_witness: attack.stopped_by.needs_witness(signed),
            performed: false,
            not_performed_because: None,
            caught: false,
            catch: Catch::default(),
            head_guard: None,
            witness: None,
        }
    }

    fn skipped(self, reason: impl Into<String>) -> Self {
        Self { not_performed_because: Some(reason.into()), ..self }
    }

    /// The attack's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it went unnoticed where the evidence itself should have shown it.
    pub(crate) fn slipped_through(&self) -> bool {
        self.performed && !self.caught && !self.needs_witness
    }
}

/// Performs one attack on a copy of `target`.
///
/// # Errors
///
/// `Failure` where the copy could not be made, attacked or judged; that something could not be done to this
/// evidence is an answer.
pub(crate) fn perform(attack: &'static Attack, target: &Target) -> Result<AttackReport, Failure> {
    let report = AttackReport::new(attack, target.signed());
    let hands = match (attack.needs, target.key()) {
        (Needs::Key, None) => return Ok(report.skipped("the signing key is not here")),
        (Needs::Key, Some(_)) if !target.signed() => {
            return Ok(report.skipped("no trusted key signed this evidence"));
        }
        (Needs::Key, stolen @ Some(_)) => Hands { own: target.own_key(), stolen },
        (Needs::File | Needs::Disk, _) => Hands { own: target.own_key(), stolen: None },
    };
    let outcome = if attack.deed.is_on_database() {
        target.attack_database(attack.deed, &hands, report.needs_witness)
    } else {
        target.attack_bundle(attack.deed, &hands, report.needs_witness)
    };
    match outcome {
        Ok(noticed) => Ok(AttackReport {
            performed: true,
            caught: noticed.alone.is_some(),
            catch: noticed.alone.unwrap_or_default(),
            head_guard: noticed.head_guard.map(Answered::from),
            witness: noticed.witness.map(Answered::from),
            ..report
        }),
        Err(AttackError::Forgery(ForgeryError::Absent(what))) => Ok(report.skipped(what)),
        Err(AttackError::Forgery(error)) => {
            Err(Failure::Attack(format!("{}: {error}", attack.name)))
        }
        Err(AttackError::Failure(failure)) => Err(failure),
    }
}

/// Why an attack has no outcome.
#[derive(Debug)]
pub(crate) enum AttackError {
    /// It was not done.
    Forgery(ForgeryError),
    /// It could not be judged.
    Failure(Failure),
}

impl From<ForgeryError> for AttackError {
    fn from(error: ForgeryError) -> Self {
        Self::Forgery(error)
    }
}

impl From<Failure> for AttackError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_attack_has_its_own_name_and_says_what_it_does() {
        let names = all().map(|attack| attack.name).collect::<BTreeSet<_>>();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 40, "{}", names.len());
        assert!(all().all(|attack| attack.story.len() > 10 && !attack.story.ends_with('.')));
    }

    #[test]
    fn the_catalog_has_the_story_of_every_attack_and_no_other() {
        let stories = all().map(|attack| (attack.name, attack.story)).collect::<BTreeSet<_>>();
        let listed = crate::i18n::texts::ATTACK.english();
        let listed = listed.filter(|(name, _)| !name.starts_with("demo "));
        assert_eq!(stories, listed.collect::<BTreeSet<_>>());
    }

    #[test]
    fn only_a_bundle_on_its_way_is_in_an_outsiders_hands() {
        for attack in all() {
            assert!(
                attack.needs != Needs::File || !attack.deed.is_on_database(),
                "{}",
                attack.name
            );
        }
    }
}
