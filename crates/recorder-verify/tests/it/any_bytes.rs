//! What holds of the verifier on any bytes whatever. The fuzz target `bundle` is this function.

use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::{Verdict, VerifyOptions, verify};

/// The trust root of the forged logs.
const TRUST_ROOT: &[u8] =
    include_bytes!("../../../../docs/spec/vectors/bundles/trust-roots/recorder.json");

/// Verifies `input` on one thread and on two: no panic, one result, and `valid` only without a finding.
pub(crate) fn check_bytes(input: &[u8]) {
    let bundle = input.to_vec();
    let trust_root = TrustRoot::parse(TRUST_ROOT).ok();
    let options = VerifyOptions { trust_root, ..VerifyOptions::default() };
    let threaded = VerifyOptions { threads: 2, ..options.clone() };
    let one = verify(&bundle, &options, &mut |_| {});
    let two = verify(&bundle, &threaded, &mut |_| {});
    match (one, two) {
        (Ok(one), Ok(two)) => {
            assert_eq!(one.findings(), two.findings());
            assert_eq!((one.verdict(), one.answers()), (two.verdict(), two.answers()));
            assert_eq!(one.phases(), two.phases());
            assert!(one.verdict() != Verdict::Valid || one.finding_count() == 0);
        }
        (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
        _ => panic!("the number of threads decides whether a bundle can be judged"),
    }
}
