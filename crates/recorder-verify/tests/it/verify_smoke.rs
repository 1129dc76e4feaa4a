//! Honest bundles of a forged log verify, in both forms, alike on any number of threads.

use recorder_envelope::segment::SigningPromise;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot};
use recorder_verify::{
    Authenticity, Completeness, End, Integrity, Report, Verdict, VerifyOptions, verify,
};

use crate::forge::bundle::{Bundle, Selection};
use crate::forge::draft::{self, Draft};
use crate::forge::keys::{Holder, trust_root};
use crate::forge::log::Log;

fn trusting() -> VerifyOptions {
    let key = Holder::Recorder.trusted(&draft::stream(), KeyStatus::Active);
    let trust_root = TrustRoot::parse(&trust_root(vec![key])).unwrap();
    VerifyOptions { trust_root: Some(trust_root), ..VerifyOptions::default() }
}

fn check(bytes: &[u8], options: &VerifyOptions) -> Report {
    let report = verify(&bytes, options, &mut |_| {}).unwrap();
    for threads in [2, 3] {
        let options = VerifyOptions { threads, ..options.clone() };
        let again = verify(&bytes, &options, &mut |_| {}).unwrap();
        assert_eq!(again.findings(), report.findings());
        assert_eq!(again.phases(), report.phases());
        assert_eq!(again.answers(), report.answers());
    }
    report
}

fn log() -> Log {
    Log::sealed(
        SigningPromise::Checkpoints,
        vec![Draft::range(0..5), Draft::range(5..8), Draft::range(8..12)],
    )
}

#[test]
fn a_whole_signed_log_is_valid_in_both_forms() {
    let members = Bundle::of(&log(), &Selection::everything()).members();
    for bytes in [members.archive(), members.document()] {
        let report = check(&bytes, &trusting());
        assert_eq!(report.findings(), []);
        assert_eq!(report.verdict(), Verdict::Valid);
        let answers = report.answers();
        assert_eq!(answers.completeness, Completeness::Complete);
        assert_eq!(answers.end, End::Proven);
    }
}

#[test]
fn a_selection_is_partial_and_tied_by_paths() {
    for ranges in
        [&[(0, 3)][..], &[(1, 2), (4, 7)], &[(3, 12)], &[(5, 8)], &[(11, 12)], &[(0, 1), (2, 3)]]
    {
        let members = Bundle::of(&log(), &Selection::positions(ranges)).members();
        for bytes in [members.archive(), members.document()] {
            let report = check(&bytes, &trusting());
            assert_eq!(report.findings(), [], "{ranges:?}");
            let answers = report.answers();
            assert_eq!(answers.integrity, Integrity::Intact);
            assert_eq!(answers.authenticity, Authenticity::Proven);
            assert_eq!(answers.completeness, Completeness::Partial);
        }
    }
}
