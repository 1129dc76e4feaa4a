//! What must hold for any bytes at all; shared with the fuzz target `canonical_json`.

use recorder_envelope::json::{CanonicalPayload, JsonLimits, canonicalize, check_canonical};

/// Checks one input, whatever it is: the readers agree with each other, and nothing panics.
pub(crate) fn check_bytes(input: &[u8]) {
    let mut out = b"kept".to_vec();
    let result = canonicalize(input, &JsonLimits::PAYLOAD, &mut out);
    assert!(out.starts_with(b"kept"));
    let canonical = out.split_off(4);
    let unchanged = result.is_ok() && canonical == input;
    assert_eq!(check_canonical(input, &JsonLimits::PAYLOAD).is_ok(), unchanged);
    match result {
        Ok(()) => check_fixed_point(&canonical),
        Err(error) => {
            assert!(canonical.is_empty());
            assert!(error.offset <= input.len());
        }
    }
    let payload = CanonicalPayload::parse(input).ok();
    let object = result.is_ok() && canonical.starts_with(b"{");
    assert_eq!(payload.map(CanonicalPayload::into_bytes), object.then_some(canonical));
    assert_eq!(
        CanonicalPayload::from_canonical(input).is_ok(),
        unchanged && input.starts_with(b"{")
    );
}

/// Canonical text may not be refused or changed by reading it again: stored evidence must stay readable.
fn check_fixed_point(canonical: &[u8]) {
    let mut again = Vec::new();
    canonicalize(canonical, &JsonLimits::PAYLOAD, &mut again).unwrap();
    assert_eq!(again, canonical);
    check_canonical(canonical, &JsonLimits::PAYLOAD).unwrap();
}
