//! Level 2: the files of a runpack are those that the manifest vouches for, byte for byte, and can be read.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{self, Manifest};
use crate::finding::{Code, Findings};
use crate::json::{Node, split_list};
use crate::runpack::{Kind, Runpack};
use crate::source_form;

/// The records of the artifacts that could be read, each as its text.
#[derive(Debug, Default)]
pub(crate) struct Artifacts<'a> {
    logs: BTreeMap<Kind, Vec<&'a str>>,
    objects: BTreeMap<Kind, &'a str>,
    /// Artifacts that could not be read, in whole; each counts as one record that came in.
    pub(crate) unreadable: Vec<Kind>,
}

impl<'a> Artifacts<'a> {
    /// The records of a log; `None` where it is missing or cannot be read.
    pub(crate) fn log(&self, kind: Kind) -> Option<&[&'a str]> {
        self.logs.get(&kind).map(Vec::as_slice)
    }

    /// An artifact that is one object.
    pub(crate) fn object(&self, kind: Kind) -> Option<Node<'a>> {
        self.objects.get(&kind).and_then(|text| Node::parse(text).ok())
    }
}

/// Checks the bytes of the files.
pub(crate) fn check_bytes(pack: &Runpack<'_>, manifest: &Manifest<'_>, findings: &mut Findings) {
    let mut listed = BTreeSet::new();
    for (path, hash) in &manifest.entries {
        listed.insert(path.as_str());
        match pack.files.get(path) {
            _ if !manifest::is_safe(path) => {}
            None => findings.add(Code::ArtifactMissing, place(path)),
            Some(bytes) if source_form::hex(bytes) != *hash => {
                findings.add(Code::ArtifactHashMismatch, place(path));
            }
            Some(_) => {}
        }
    }
    for path in pack.files.keys().filter(|path| !listed.contains(path.as_str())) {
        findings.add(Code::ArtifactUnlisted, place(path));
    }
}

/// A path of the runpack that is safe to name: the names of other files come from outside.
fn place(path: &str) -> &str {
    Kind::at(path).map_or("runpack", Kind::path)
}

/// Reads what the known artifacts hold.
pub(crate) fn read<'a>(pack: &'a Runpack<'_>, findings: &mut Findings) -> Artifacts<'a> {
    let mut artifacts = Artifacts::default();
    for kind in Kind::ALL {
        let Some(bytes) = pack.files.get(kind.path()) else { continue };
        if read_one(kind, bytes, &mut artifacts).is_none() {
            artifacts.unreadable.push(kind);
            findings.add(Code::ArtifactInvalid, kind.path());
        }
    }
    artifacts
}

fn read_one<'a>(kind: Kind, bytes: &'a [u8], artifacts: &mut Artifacts<'a>) -> Option<()> {
    let text = std::str::from_utf8(bytes).ok()?;
    if matches!(kind, Kind::ScenarioSpec | Kind::VerifierReport) {
        Node::parse(text).ok().filter(Node::is_object)?;
        artifacts.objects.insert(kind, text);
    } else {
        artifacts.logs.insert(kind, split_list(text).ok()?);
    }
    Some(())
}
