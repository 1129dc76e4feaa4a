//! The passphrase of a key file: from a file, from an open descriptor, or asked at the terminal.
//!
//! Never from an argument's value or the environment, where other processes could read it. One line ending at
//! the end is not part of it. What is read is wiped when dropped.

use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;

use recorder_core::limits::PASSPHRASE_BYTES_MAX;
use recorder_fs::FileError;
use zeroize::Zeroizing;

use crate::i18n::{Locale, say};

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassphraseError {
    /// Its file was not read.
    #[error("the passphrase file was not read")]
    File(#[source] FileError),
    /// Its descriptor was not read.
    #[error("no passphrase could be read from descriptor {descriptor}")]
    Descriptor {
        /// Its number.
        descriptor: u32,
        /// What the system answered.
        source: io::Error,
    },
    /// There is nobody to ask.
    #[error("the key needs a passphrase, and there is no terminal to ask for it")]
    NoTerminal,
    /// Asking failed.
    #[error("the passphrase could not be asked for")]
    Prompt(#[source] io::Error),
    /// The two answers differ.
    #[error("the two passphrases differ")]
    Mismatch,
    /// Nothing, or more than a passphrase may have.
    #[error("a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")]
    Length,
}

/// Where to take the passphrase from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PassphraseSource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// A descriptor that the caller opened.
    Descriptor(u32),
    /// The person at the terminal, in their language.
    Prompt(Locale),
}

impl PassphraseSource {
    /// Reads the passphrase of an existing key.
    ///
    /// # Errors
    ///
    /// `PassphraseError`, by what failed.
    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
        let bytes = match self {
            Self::File(path) => recorder_fs::read_secret(path, PASSPHRASE_BYTES_MAX + 2)
                .map_err(PassphraseError::File)?,
            Self::Descriptor(descriptor) => read_descriptor(*descriptor)?,
            Self::Prompt(locale) => ask(say!(*locale, passphrase.ask))?,
        };
        admit(bytes)
    }

    /// Reads the passphrase of a key that is about to be written; a person types it twice.
    ///
    /// # Errors
    ///
    /// `PassphraseError`, by what failed.
    pub(crate) fn read_new(&self) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
        let Self::Prompt(locale) = *self else { return self.read() };
        let first = admit(ask(say!(locale, passphrase.ask_new))?)?;
        let second = admit(ask(say!(locale, passphrase.ask_again))?)?;
        if first == second { Ok(first) } else { Err(PassphraseError::Mismatch) }
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    if !io::stderr().is_terminal() {
        return Err(PassphraseError::NoTerminal);
    }
    let text = rpassword::prompt_password(format!("{prompt} ")).map_err(PassphraseError::Prompt)?;
    Ok(Zeroizing::new(text.into_bytes()))
}

/// Reads to the end, into a buffer that never moves, so that no copy is left behind.
fn read_descriptor(descriptor: u32) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let failed = |source| PassphraseError::Descriptor { descriptor, source };
    let mut reader: Box<dyn Read> = match descriptor {
        0 => Box::new(io::stdin().lock()),
        _ => Box::new(open_descriptor(descriptor).map_err(failed)?),
    };
    let mut bytes = Zeroizing::new(vec![0; PASSPHRASE_BYTES_MAX as usize + 3]);
    let mut length = 0;
    while length < bytes.len() {
        match reader.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the descriptor is the caller's own; `/dev/fd` is how safe code reaches it"
)]
fn open_descriptor(descriptor: u32) -> io::Result<std::fs::File> {
    std::fs::File::open(format!("/dev/fd/{descriptor}"))
}

/// Drops one line ending and checks the length.
fn admit(mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let kept = bytes
        .strip_suffix(b"\n")
        .map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(kept);
    if bytes.is_empty() || bytes.len() as u64 > PASSPHRASE_BYTES_MAX {
        return Err(PassphraseError::Length);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(bytes: &[u8]) -> Option<Vec<u8>> {
        admit(Zeroizing::new(bytes.to_vec())).ok().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn one_line_ending_is_not_part_of_a_passphrase() {
        assert_eq!(admitted(b"horse\n").unwrap(), b"horse");
        assert_eq!(admitted(b"horse\r\n").unwrap(), b"horse");
        assert_eq!(admitted(b"horse\n\n").unwrap(), b"horse\n");
        assert_eq!(admitted(b" horse \r").unwrap(), b" horse \r");
    }

    #[test]
    fn a_passphrase_is_neither_empty_nor_endless() {
        assert_eq!(admitted(b"\n"), None);
        assert_eq!(admitted(&[b'x'; 1025]), None);
        assert_eq!(admitted(&[b'x'; 1024]).unwrap().len(), 1024);
    }
}
