//! How much one input may ask for, each bound with its reason.

use serde::Serialize;

/// What is admitted. The defaults are the contract; a smaller deployment lowers them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Bounds {
    /// Bytes of a body, inflated: checked before anything is parsed, and while it is inflated.
    pub body_bytes_max: usize,
    /// Records of one body: eight times what collectors send at once by default.
    pub records_max: u64,
    /// Bytes of all payloads that one body gives: a large resource beside many small records multiplies.
    pub payload_bytes_total_max: usize,
    /// Bytes of one record, resource or scope, as sent and again as rendered; an envelope is no place for a document.
    pub record_bytes_max: usize,
    /// Bytes that one string keeps; the rest is cut and digested.
    pub string_bytes_max: usize,
    /// Arrays and lists within one value.
    pub depth_max: usize,
    /// Items of one array.
    pub array_items_max: usize,
    /// Attributes of one list.
    pub attributes_max: usize,
    /// Events of one span; SDKs send 128 unless told otherwise.
    pub events_max: usize,
    /// Links of one span; SDKs send 128 unless told otherwise.
    pub links_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            records_max: 65_536,
            payload_bytes_total_max: 128 << 20,
            record_bytes_max: 256 << 10,
            string_bytes_max: 8 << 10,
            depth_max: 16,
            array_items_max: 1024,
            attributes_max: 256,
            events_max: 256,
            links_max: 256,
        }
    }
}
