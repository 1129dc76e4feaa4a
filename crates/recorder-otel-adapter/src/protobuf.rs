//! OTLP/protobuf: the messages around records are split here, each record is decoded by prost.
//!
//! Decoded messages take many times the bytes that they came as, two of which can be a whole span. So no more than one
//! record is decoded at a time, none over its bound, and one that is wrong costs no other.

mod record;
mod walk;
mod wire;

pub(crate) use walk::walk;

/// Whether the bytes are fields to their end, whatever the fields hold.
pub(crate) fn is_message(bytes: &[u8]) -> bool {
    let mut fields = wire::Fields(bytes);
    loop {
        match fields.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(wire::Broken) => return false,
        }
    }
}
