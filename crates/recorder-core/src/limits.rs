//! Every bound of the product in one place, each with its reason.
//!
//! A bound is checked before the work that it limits: a file before it is read, a document before it is
//! parsed, a bundle before it is verified. Verification's own bounds are also a policy value there.

/// Bytes of a configuration file: a large one is 4 KiB; 1 MiB cannot hurt a parser.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Bytes of one payload: evidence of an event, not a file; files are attachments.
pub const PAYLOAD_BYTES_MAX: u64 = 4 << 20;

/// Nesting of a payload: far over what people write, far under what a stack could feel.
pub const PAYLOAD_DEPTH_MAX: usize = 64;

/// Values in a payload: keeps what a parser builds within a small multiple of the bytes.
pub const PAYLOAD_NODES_MAX: usize = 100_000;

/// Bytes of a selector file.
pub const SELECTOR_BYTES_MAX: u64 = 1 << 20;

/// Nesting of `all`, `any` and `not` in a selector.
pub const SELECTOR_DEPTH_MAX: usize = 32;

/// Bytes of a trust root file: some thousands of keys.
pub const TRUST_ROOT_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a bundle document, the form that is held in memory; archives are streamed.
pub const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

/// Bytes of one attachment: held in memory once while it is hashed and stored.
pub const ATTACHMENT_BYTES_MAX: u64 = 16 << 20;

/// Bytes of a signer's key file.
pub const SIGNER_KEY_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a passphrase.
pub const PASSPHRASE_BYTES_MAX: u64 = 1 << 10;

/// Bytes of a checkpoint file: a note with a few signature lines.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 10;

/// Parents that one envelope may name.
pub const PARENT_IDS_MAX: usize = 64;

/// Attachments that one envelope may refer to.
pub const ATTACHMENT_REFS_MAX: usize = 4096;

/// Envelopes in one page of a query, unless asked otherwise.
pub const PAGE_SIZE_DEFAULT: usize = 1000;

/// Envelopes in one page of a query, at most: what a caller may hold at once.
pub const PAGE_SIZE_MAX: usize = 10_000;

/// Bytes of envelopes on a page, and one envelope more: as much as a bundle document.
pub const PAGE_BYTES_MAX: usize = 32 << 20;

/// Envelopes that one call of `append_batch` may hold: one transaction, one fsync.
pub const BATCH_ENVELOPES_MAX: usize = 4096;

/// Operations waiting for the store's writer: full is a refusal, never growing memory.
pub const STORE_QUEUE_MAX: usize = 4096;

/// Segments in one bundle.
pub const SEGMENTS_MAX: usize = 4096;

/// Envelopes in one segment: what a sealed segment may promise, and what a verifier agrees to read.
pub const SEGMENT_ENVELOPES_MAX: u64 = 100_000;

/// Envelopes in a JSON bundle document.
pub const DOCUMENT_ENVELOPES_MAX: u64 = 200_000;

/// Attachments in a JSON bundle document.
pub const DOCUMENT_ATTACHMENTS_MAX: u64 = 200_000;

/// Envelopes in a bundle archive, unless the verifier's policy says less.
pub const ARCHIVE_ENVELOPES_MAX: u64 = 100_000_000;

/// Envelopes in one part of an archive: the unit of parallel verification.
pub const PART_ENVELOPES_MAX: usize = 4096;

/// Bytes of one line of JSON in a bundle: a payload at its bound, and the envelope around it.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Inflated bytes for each stored byte: more is a bomb, and a writer stores such data instead.
pub const INFLATE_RATIO_MAX: u64 = 200;

/// The ratio from which a writer stores instead of deflating.
pub const DEFLATE_RATIO_MAX: u64 = 100;

/// Bytes of a bundle's manifest, held in memory: 4,096 segments and some 200,000 attachments.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Findings that a report names one by one; the rest are counted.
pub const FINDINGS_MAX: usize = 1000;

// Limits relate: a batch fits a segment, a segment fits a document, a payload fits a line.
const _: () = assert!(BATCH_ENVELOPES_MAX as u64 <= SEGMENT_ENVELOPES_MAX);
const _: () = assert!(SEGMENT_ENVELOPES_MAX <= DOCUMENT_ENVELOPES_MAX);
const _: () = assert!(DOCUMENT_ENVELOPES_MAX <= ARCHIVE_ENVELOPES_MAX);
const _: () = assert!(PAYLOAD_BYTES_MAX < LINE_BYTES_MAX as u64);
const _: () = assert!(PAGE_SIZE_DEFAULT <= PAGE_SIZE_MAX);
const _: () = assert!(DEFLATE_RATIO_MAX < INFLATE_RATIO_MAX);
