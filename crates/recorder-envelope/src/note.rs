//! C2SP `signed-note`: text, and the lines of those who sign it.
//!
//! Parsed strictly and written back byte for byte, signature lines that nobody here knows included:
//! those are other parties' statements, and not ours to drop. What a text means is its reader's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_core::hash::sha256;
use recorder_core::limits::CHECKPOINT_BYTES_MAX;
use recorder_core::signature::SIGNATURE_BYTES;

use crate::signing::{PublicKey, SecretKey};

/// Signature lines in one note: what the specification asks a reader to take, and a log with fifteen witnesses.
pub const NOTE_SIGNATURES_MAX: usize = 16;

/// The algorithm byte of an Ed25519 signature over the note's text.
pub const ALGORITHM_ED25519: u8 = 0x01;

/// The algorithm byte of a timestamped Ed25519 cosignature (C2SP `tlog-cosignature`).
pub const ALGORITHM_COSIGNATURE: u8 = 0x04;

const KEY_HASH_BYTES: usize = 4;
const LINE_PREFIX: &str = "\u{2014} ";

/// Why bytes are not a signed note.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteError {
    /// More bytes than a note may have.
    #[error("a note has at most {CHECKPOINT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8, or a control character other than the newline.
    #[error("a note is UTF-8 without control characters but newlines")]
    NotText,
    /// The text does not end in a newline, or no blank line and signatures follow it.
    #[error("a note is text, a blank line and signature lines, each ended by a newline")]
    Shape,
    /// A key name is empty or holds white space or a plus.
    #[error("a key name is not empty and holds neither white space nor a plus")]
    KeyName,
    /// A signature line is not an em dash, a name and canonical base64 of at least five bytes.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Counted from 0.
        line: usize,
    },
    /// More than `NOTE_SIGNATURES_MAX` signature lines.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

/// Why a note is not vouched for by a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteSignatureError {
    /// No signature line carries the key's name and hash.
    #[error("the note is not signed by the key")]
    NotSigned,
    /// A line carries the key's name and hash, and does not hold.
    #[error("the key's signature on the note does not hold")]
    Invalid,
}

/// The four bytes by which a signature line names its key: `SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key)[:4]`.
pub fn key_hash(name: &str, algorithm: u8, public_key: &[u8]) -> [u8; KEY_HASH_BYTES] {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[algorithm], public_key]);
    [a, b, c, d]
}

/// Whether `name` may name a key: not empty, no Unicode white space, no plus, no control character.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name.chars().any(|character| {
            character.is_whitespace() || character == '+' || character.is_control()
        })
}

/// One signature line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoteSignature {
    name: String,
    key_hash: [u8; KEY_HASH_BYTES],
    value: Vec<u8>,
}

impl NoteSignature {
    /// A line by the key `name` with this hash.
    ///
    /// # Errors
    ///
    /// `KeyName` for a bad name, `SignatureLine` for an empty signature.
    pub fn new(
        name: impl Into<String>,
        key_hash: [u8; KEY_HASH_BYTES],
        value: Vec<u8>,
    ) -> Result<Self, NoteError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(NoteError::KeyName);
        }
        if value.is_empty() {
            return Err(NoteError::SignatureLine { line: 0 });
        }
        Ok(Self { name, key_hash, value })
    }

    /// Signs `text` as the Ed25519 key called `name`.
    ///
    /// # Errors
    ///
    /// `KeyName` for a bad name.
    pub fn sign(text: &str, name: &str, key: &SecretKey) -> Result<Self, NoteError> {
        let hash = key_hash(name, ALGORITHM_ED25519, key.public_key().as_bytes());
        Self::new(name, hash, key.sign(text.as_bytes()).to_vec())
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash that, with the name, tells which key and algorithm signed.
    pub const fn key_hash(&self) -> [u8; KEY_HASH_BYTES] {
        self.key_hash
    }

    /// What the key's algorithm made of the text.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    fn parse(line_index: usize, line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::SignatureLine { line: line_index };
        let (name, encoded) = line
            .strip_prefix(LINE_PREFIX)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed)?;
        let (hash, value) = bytes.split_first_chunk().ok_or(malformed)?;
        match Self::new(name, *hash, value.to_vec()) {
            Err(NoteError::SignatureLine { .. }) => Err(malformed),
            result => result,
        }
    }

    fn render(&self) -> String {
        let encoded = STANDARD.encode([&self.key_hash, self.value.as_slice()].concat());
        format!("{LINE_PREFIX}{} {encoded}\n", self.name)
    }
}

/// A text and its signature lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Joins a text and the signatures on it, in that order.
    ///
    /// # Errors
    ///
    /// `NotText` for control characters, `Shape` where the text does not end in a newline or nobody
    /// signs it, `TooManySignatures`, `TooLarge`.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        check_text(&text)?;
        if signatures.is_empty() {
            return Err(NoteError::Shape);
        }
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let note = Self { text, signatures };
        if note.render().len() as u64 > CHECKPOINT_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        Ok(note)
    }

    /// Reads a signed note. `render` gives the same bytes back.
    ///
    /// # Errors
    ///
    /// `NoteError`, by what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() as u64 > CHECKPOINT_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(whole)?;
        // The text keeps its own newline; the last blank line is the separator.
        let separator = whole.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, lines) = (&whole[..=separator], &whole[separator + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if lines.split('\n').nth(NOTE_SIGNATURES_MAX).is_some() {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(index, line)| NoteSignature::parse(index, line))
            .collect::<Result<_, _>>()?;
        Self::new(text.to_owned(), signatures)
    }

    /// The note as it is stored and sent.
    pub fn render(&self) -> String {
        let lines: String = self.signatures.iter().map(NoteSignature::render).collect();
        format!("{}\n{lines}", self.text)
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in the order in which they stand.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the Ed25519 signature of the key called `name`. Lines of other keys are ignored.
    ///
    /// # Errors
    ///
    /// `NotSigned` where no line is by that key; `Invalid` where one of those that are does not hold.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<(), NoteSignatureError> {
        for signature in self.signatures_by(name, ALGORITHM_ED25519, key)? {
            let value: &[u8; SIGNATURE_BYTES] =
                signature.value().try_into().map_err(|_| NoteSignatureError::Invalid)?;
            key.verify_strict(self.text.as_bytes(), value)
                .map_err(|_| NoteSignatureError::Invalid)?;
        }
        Ok(())
    }

    /// The lines by one key and algorithm, of which there is at least one.
    pub(crate) fn signatures_by(
        &self,
        name: &str,
        algorithm: u8,
        key: &PublicKey,
    ) -> Result<Vec<&NoteSignature>, NoteSignatureError> {
        let hash = key_hash(name, algorithm, key.as_bytes());
        let lines: Vec<_> = self
            .signatures
            .iter()
            .filter(|signature| signature.name == name && signature.key_hash == hash)
            .collect();
        if lines.is_empty() { Err(NoteSignatureError::NotSigned) } else { Ok(lines) }
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::NotText);
    }
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::Shape) }
}

#[cfg(test)]
mod tests {
    use signed_note::{StandardSigner, StandardVerifier, VerifierList};

    use super::*;

    // The example of the specification.
    const EXAMPLE: &str = "This is an example message.\n\n\
        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    const EXAMPLE_KEY: &str = "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    fn example_key() -> PublicKey {
        let bytes = STANDARD.decode(EXAMPLE_KEY).unwrap();
        assert_eq!(bytes[0], ALGORITHM_ED25519);
        PublicKey::from_bytes(bytes[1..].try_into().unwrap()).unwrap()
    }

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32]).unwrap()
    }

    fn signed(text: &str) -> Note {
        let signature = NoteSignature::sign(text, "example.com/log", &key(1)).unwrap();
        Note::new(text.to_owned(), vec![signature]).unwrap()
    }

    #[test]
    fn the_published_note_verifies_under_its_published_key() {
        let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.verify("example.com/foo", &example_key()), Ok(()));
        assert_eq!(note.signatures()[0].key_hash(), [0x53, 0x0d, 0x90, 0x3a]);
        assert_eq!(
            key_hash("example.com/foo", ALGORITHM_ED25519, example_key().as_bytes()),
            [0x53, 0x0d, 0x90, 0x3a]
        );
        assert_eq!(note.render(), EXAMPLE);
    }

    #[test]
    fn a_text_may_hold_blank_lines() {
        let text = "first\n\nsecond\n\n";
        let rendered = signed(text).render();
        assert_eq!(Note::parse(rendered.as_bytes()).unwrap().text(), text);
    }

    #[test]
    fn an_independent_implementation_verifies_what_is_signed_here() {
        let note = signed("text\n");
        let name = "example.com/log";
        let public_key = key(1).public_key();
        let hash = key_hash(name, ALGORITHM_ED25519, public_key.as_bytes());
        let encoded = STANDARD.encode([&[1], public_key.as_bytes().as_slice()].concat());
        let verifier_key = format!("{name}+{}+{encoded}", faster_hex::hex_string(&hash));
        let verifier = StandardVerifier::new(&verifier_key).unwrap();
        let theirs = signed_note::Note::from_bytes(note.render().as_bytes()).unwrap();
        theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    }

    #[test]
    fn what_an_independent_implementation_signs_verifies_here() {
        let name = "example.com/log";
        let public_key = key(1).public_key();
        let hash = key_hash(name, ALGORITHM_ED25519, public_key.as_bytes());
        let encoded = STANDARD.encode([&[1][..], &[1; 32]].concat());
        let signer_key = format!("PRIVATE+KEY+{name}+{}+{encoded}", faster_hex::hex_string(&hash));
        let signer = StandardSigner::new(&signer_key).unwrap();
        let mut theirs = signed_note::Note::new(b"text\n", &[]).unwrap();
        theirs.add_sigs(&[&signer]).unwrap();
        assert_eq!(theirs.to_bytes(), signed("text\n").render().into_bytes());
    }

    #[test]
    fn malformed_notes_are_refused() {
        let line = "— a AAAAAAA=\n";
        for (bytes, error) in [
            (String::new(), NoteError::Shape),
            ("\n".to_owned(), NoteError::Shape),
            ("text\n".to_owned(), NoteError::Shape),
            (format!("text\n{line}"), NoteError::Shape),
            ("text\n\n".to_owned(), NoteError::Shape),
            (format!("text\n\n{line}\n"), NoteError::Shape),
            (format!("text\n\n{}", line.trim_end()), NoteError::Shape),
            (format!("te\u{0}xt\n\n{line}"), NoteError::NotText),
            (format!("te\rxt\n\n{line}"), NoteError::NotText),
            (format!("te\txt\n\n{line}"), NoteError::NotText),
            ("text\n\n- a AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n—a AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            (format!("text\n\n{line}— a\n"), NoteError::SignatureLine { line: 1 }),
            ("text\n\n— a AAAAAA==\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n— a AAAAAAB=\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n— a AAAAAAA\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n— a AAAAAAA= \n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n— a b AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 0 }),
            ("text\n\n—  AAAAAAA=\n".to_owned(), NoteError::KeyName),
            ("text\n\n— a+b AAAAAAA=\n".to_owned(), NoteError::KeyName),
            ("text\n\n— a\u{2003}b AAAAAAA=\n".to_owned(), NoteError::KeyName),
            (format!("text\n\n{}", line.repeat(17)), NoteError::TooManySignatures),
            (format!("{}\n\n{line}", "x".repeat(64 << 10)), NoteError::TooLarge),
        ] {
            assert_eq!(Note::parse(bytes.as_bytes()).unwrap_err(), error, "{bytes:?}");
        }
        assert_eq!(Note::parse(b"\xff\n\n").unwrap_err(), NoteError::NotText);
        assert!(Note::parse(format!("text\n\n{}", line.repeat(16)).as_bytes()).is_ok());
    }

    #[test]
    fn lines_of_unknown_keys_are_kept_and_ignored() {
        let rendered = format!("{}— witness.example AAAAAAAB\n", signed("text\n").render());
        let note = Note::parse(rendered.as_bytes()).unwrap();
        assert_eq!(note.render(), rendered);
        assert_eq!(note.verify("example.com/log", &key(1).public_key()), Ok(()));
    }

    #[test]
    fn a_note_by_somebody_else_is_not_signed() {
        let note = signed("text\n");
        let refused = Err(NoteSignatureError::NotSigned);
        assert_eq!(note.verify("example.com/log", &key(2).public_key()), refused);
        assert_eq!(note.verify("example.com/other", &key(1).public_key()), refused);
    }

    #[test]
    fn one_false_line_by_the_key_spoils_the_note() {
        let good = NoteSignature::sign("text\n", "example.com/log", &key(1)).unwrap();
        let other = NoteSignature::sign("other\n", "example.com/log", &key(1)).unwrap();
        let short = NoteSignature::new("example.com/log", good.key_hash(), vec![0; 63]).unwrap();
        for wrong in [other, short] {
            let note = Note::new("text\n".to_owned(), vec![good.clone(), wrong]).unwrap();
            let refused = note.verify("example.com/log", &key(1).public_key());
            assert_eq!(refused, Err(NoteSignatureError::Invalid));
        }
    }
}
