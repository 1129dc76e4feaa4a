//! The second reading of a bundle: never of an invalid one, never of another than the one that was verified.

use recorder_envelope::segment::SigningPromise;
use recorder_verify::{Event, Report, Verdict, VerifyLimits, VerifyOptions, read_contents, verify};

use crate::forge::bundle::{Bundle, Selection};
use crate::forge::draft::Draft;
use crate::forge::log::Log;

/// A document, in which every byte of a line can be found.
fn document(count: u64) -> Vec<u8> {
    let log = Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..count)]);
    Bundle::of(&log, &Selection::everything()).members().document()
}

fn report(bytes: &[u8]) -> Report {
    verify(&bytes, &VerifyOptions::default(), &mut |_| {}).unwrap()
}

fn events(bytes: &[u8], report: &Report, count_max: usize) -> Vec<Event> {
    let contents = read_contents(&bytes, &VerifyLimits::default(), report, count_max);
    contents.unwrap().unwrap().events
}

/// Where the first letter of the first actor is.
fn actor(bytes: &[u8]) -> usize {
    let member = b"\"actor_id\":\"";
    bytes.windows(member.len()).position(|window| window == member).unwrap() + member.len()
}

#[test]
fn events_come_by_position_and_no_more_than_asked_for() {
    let bytes = document(7);
    let report = report(&bytes);
    let all = events(&bytes, &report, 100);
    assert!(all.iter().map(|event| event.position).eq(0..7));
    assert_eq!(events(&bytes, &report, 3), all[..3]);
    assert_eq!(events(&bytes, &report, 0), []);
}

#[test]
fn nothing_of_an_invalid_bundle_is_read() {
    let mut bytes = document(3);
    let at = actor(&bytes);
    bytes[at] ^= 1;
    let report = report(&bytes);
    assert_eq!(report.verdict(), Verdict::Invalid);
    let contents = read_contents(&bytes, &VerifyLimits::default(), &report, 10).unwrap();
    assert!(contents.is_none());
}

#[test]
fn a_bundle_that_changed_since_it_was_verified_is_not_read() {
    let verified = document(3);
    let report = report(&verified);
    let limits = VerifyLimits::default();
    for count in [1, 2, 4, 5] {
        assert!(read_contents(&document(count), &limits, &report, 10).is_err());
    }
    // The manifest is the one that was verified; an actor is another, in the first of three lines.
    let mut changed = verified;
    let at = actor(&changed);
    changed[at] ^= 1;
    assert!(read_contents(&changed, &limits, &report, 10).is_err());
    assert!(read_contents(&changed, &limits, &report, 1).is_err());
}
