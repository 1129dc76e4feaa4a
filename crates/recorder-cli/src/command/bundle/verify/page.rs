//! `bundle verify --report`: the page for people, written whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use recorder_core::time::UtcTimestamp;
use recorder_fs::{Access, AtomicFile, FileError, Overwrite};
use recorder_verify::{Report, TranscriptInputs, VerifyOptions, read_contents};

use super::{Requirement, Verify};
use crate::context::Context;
use crate::failure::Failure;
use crate::report::{Facts, ROWS_MAX, command, render};

impl Verify {
    /// Writes the page, where one is asked for.
    pub(super) fn write_page(
        &self,
        context: &Context,
        bundle: &File,
        options: &VerifyOptions,
        report: &Report,
        inputs: &TranscriptInputs,
    ) -> Result<(), Failure> {
        let Some(path) = &self.report else { return Ok(()) };
        let contents = read_contents(bundle, &options.limits, report, ROWS_MAX)?;
        let facts = Facts {
            locale: context.locale(),
            file_name: file_name(&self.file),
            inputs,
            trust_root: options.trust_root.as_ref(),
            report,
            contents: contents.as_ref(),
            limits: &options.limits,
            required: self.required().into_iter().map(Requirement::name).collect(),
            outcome: report.satisfies(&self.requirements()),
            commands: self.repetition(self.trust_root_path(context).as_deref()),
            verified_at: (!self.report_undated).then(|| UtcTimestamp::from(context.now())),
        };
        let failed = |error| Failure::File(FileError::Io { path: path.clone(), source: error });
        let mut file = BufWriter::new(AtomicFile::create(path, Access::Shared)?);
        render(&facts, &mut file).and_then(|()| file.flush()).map_err(failed)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(file.commit(Overwrite::Refuse)?)
    }

    /// The hash and the verification, as commands; `None` where a name cannot be shown.
    fn repetition(&self, trust_root: Option<&Path>) -> Option<[String; 2]> {
        let mut words: Vec<OsString> = ["recorder", "bundle", "verify"].map(OsString::from).into();
        let mut option = |name: &str, value: &OsStr| {
            words.push(name.into());
            words.push(value.to_owned());
        };
        if let Some(path) = trust_root {
            option("--trust-root", path.as_os_str());
        }
        for head in &self.known_head {
            option("--known-head", head.as_os_str());
        }
        for requirement in &self.require {
            option("--require", OsStr::new(requirement.name()));
        }
        // After this, no name is taken for an option.
        option("--", self.file.as_os_str());
        let verify = command::line(words.iter().map(OsString::as_os_str))?;
        let file = self.file.as_os_str();
        let hash = command::line(["sha256sum", "--"].map(OsStr::new).into_iter().chain([file]))?;
        Some([hash, verify])
    }
}

/// The last part of a path, as far as it is text.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl Requirement {
    const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::End => "end",
            Self::Time => "time",
        }
    }
}
