//! `ed25519-edge-cases.json`: signatures at which Ed25519 verifiers disagree, made here from the curve itself.
//!
//! Each case is valid or not by how it is made. Two judges must agree with that: this crate, and the
//! rule of the format page written out in `holds_strictly`.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use recorder_core::hash::decode_hex;
use recorder_core::signature::SIGNATURE_BYTES;
use recorder_envelope::signing::PublicKey;
use serde_json::json;
use sha2::{Digest as _, Sha512};

use crate::vector_file;

/// The order of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Encodings of small-order points that are not the canonical ones: `-0`, `p` and `p + 1` as y.
const ODD_SMALL_ORDER: [&str; 6] = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// A point of large order whose y is written as `p + 3`.
const ODD_LARGE_ORDER: &str = "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

struct Case {
    name: String,
    valid: bool,
    public_key: Vec<u8>,
    message: String,
    signature: Vec<u8>,
}

/// An encoded point, and the multiple of the base point in it.
#[derive(Clone, Copy)]
struct Encoded {
    bytes: [u8; 32],
    torsion: EdwardsPoint,
    scalar: Scalar,
}

impl Encoded {
    /// `scalar × B + torsion`, canonically encoded.
    fn new(scalar: Scalar, torsion: EdwardsPoint) -> Self {
        let bytes = (EdwardsPoint::mul_base(&scalar) + torsion).compress().to_bytes();
        Self { bytes, torsion, scalar }
    }

    /// A point of small order in the encoding given.
    fn small(bytes: [u8; 32]) -> Self {
        let torsion = CompressedEdwardsY(bytes).decompress().unwrap();
        assert!(torsion.is_small_order());
        Self { bytes, torsion, scalar: Scalar::ZERO }
    }
}

/// A scalar that nobody chose.
fn scalar(label: &str) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest(label).into())
}

/// `SHA-512(R ‖ A ‖ message)`, reduced.
fn challenge(r: &[u8], a: &[u8], message: &str) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(a).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&digest.finalize().into())
}

/// Signs the first message for which `S × B = R + k × A` holds, or does not; `S` is as the equation asks but for torsion.
fn signed(name: &str, key: Encoded, nonce: Encoded, equation_holds: bool, valid: bool) -> Case {
    let mut messages = (0..).map(|number| format!("{name} #{number}"));
    let holds = |message: &str| {
        let k = challenge(&nonce.bytes, &key.bytes, message);
        (nonce.torsion + key.torsion * k).is_identity()
    };
    let message = messages.find(|message| holds(message) == equation_holds).unwrap();
    let s = nonce.scalar + challenge(&nonce.bytes, &key.bytes, &message) * key.scalar;
    let signature = [nonce.bytes, s.to_bytes()].concat();
    Case { name: name.to_owned(), valid, public_key: key.bytes.to_vec(), message, signature }
}

fn small_order_encodings() -> Vec<Encoded> {
    let canonical = EIGHT_TORSION.map(|point| point.compress().to_bytes());
    let odd = ODD_SMALL_ORDER.map(|text| decode_hex(text.as_bytes()).unwrap());
    canonical.into_iter().chain(odd).map(Encoded::small).collect()
}

/// Keys, nonces, or both of small order: with such a key one signature fits many messages.
fn small_order_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let honest = Encoded::new(scalar("key"), EIGHT_TORSION[0]);
    let nonce = Encoded::new(scalar("nonce"), EIGHT_TORSION[0]);
    for (index, small) in small_order_encodings().into_iter().enumerate() {
        cases.push(signed(&format!("small-order key {index}"), small, nonce, true, false));
        let holds = small.torsion.is_identity();
        cases.push(signed(&format!("small-order R {index}"), honest, small, holds, false));
        let both = format!("small-order key and R {index}, S zero");
        let identity = Encoded::small(EIGHT_TORSION[0].compress().to_bytes());
        cases.push(signed(&both, small, identity, true, false));
    }
    cases
}

/// Points with a small-order part: the equation without cofactor decides.
fn mixed_order_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let honest = Encoded::new(scalar("key"), EIGHT_TORSION[0]);
    for (index, torsion) in EIGHT_TORSION.into_iter().enumerate().skip(1) {
        let key = Encoded::new(scalar(&format!("mixed key {index}")), torsion);
        let plain = Encoded::new(scalar(&format!("nonce {index}")), EIGHT_TORSION[0]);
        let mixed = Encoded::new(scalar(&format!("mixed nonce {index}")), -torsion);
        let of = |what: &str| format!("{what}, torsion {index}");
        cases.push(signed(&of("mixed-order key, equation holds"), key, plain, true, true));
        cases.push(signed(
            &of("mixed-order key, only 8 times the equation"),
            key,
            plain,
            false,
            false,
        ));
        cases.push(signed(
            &of("mixed-order R, only 8 times the equation"),
            honest,
            mixed,
            false,
            false,
        ));
        cases.push(signed(&of("mixed-order key and R, equation holds"), key, mixed, true, true));
        cases.push(signed(&of("mixed-order key and R, only 8 times"), key, mixed, false, false));
    }
    cases
}

/// Adds the group's order to `S` as often as asked.
fn malleate(signature: &mut [u8], times: u16) {
    let mut carry = 0;
    for (byte, addend) in signature[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(addend) * times;
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
}

fn changed(name: &str, change: impl FnOnce(&mut Case)) -> Case {
    let key = Encoded::new(scalar("key"), EIGHT_TORSION[0]);
    let nonce = Encoded::new(scalar("nonce"), EIGHT_TORSION[0]);
    let mut case = signed(name, key, nonce, true, false);
    change(&mut case);
    case
}

/// `S` that is not the least one.
fn scalar_cases() -> Vec<Case> {
    let mut cases: Vec<Case> = (1..=14)
        .map(|times| {
            changed(&format!("S plus {times} times the order"), |case| {
                malleate(&mut case.signature, times)
            })
        })
        .collect();
    cases.push(changed("S is the order", |case| case.signature[32..].copy_from_slice(&ORDER)));
    cases.push(changed("S is zero", |case| case.signature[32..].fill(0)));
    cases.push(changed("S is all ones", |case| case.signature[32..].fill(0xff)));
    for bit in [0x20, 0x40, 0x80] {
        cases.push(changed(&format!("S with bit {bit:#04x} of its last byte"), |case| {
            case.signature[63] |= bit
        }));
    }
    cases
}

/// Good signatures, and what is left of one after damage.
fn plain_cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        (0..8).map(|n| changed(&format!("honest {n}"), |case| case.valid = true)).collect();
    cases.push(changed("another message", |case| case.message.push('x')));
    cases.push(changed("R and S change places", |case| case.signature.rotate_left(32)));
    cases.push(changed("R negated", |case| case.signature[31] ^= 0x80));
    cases.push(changed("key negated", |case| case.public_key[31] ^= 0x80));
    cases.push(changed("all zero", |case| case.signature.fill(0)));
    let odd: [u8; 32] = decode_hex(ODD_LARGE_ORDER.as_bytes()).unwrap();
    cases.push(changed("R of large order with y beyond p", |case| {
        case.signature[..32].copy_from_slice(&odd)
    }));
    cases
        .push(changed("key of large order with y beyond p", |case| case.public_key = odd.to_vec()));
    cases.push(changed("R that is no point", |case| {
        case.signature[..32].fill(0);
        case.signature[0] = 2;
    }));
    cases.push(changed("key that is no point", |case| {
        case.public_key = [vec![2], vec![0; 31]].concat();
    }));
    for length in [0, 32, 63] {
        cases.push(changed(&format!("cut to {length} bytes"), |case| {
            case.signature.truncate(length)
        }));
    }
    cases.push(changed("one byte more", |case| case.signature.push(0)));
    cases.push(changed("key of 31 bytes", |case| case.public_key.truncate(31)));
    cases.push(changed("key of 33 bytes", |case| case.public_key.push(0)));
    cases
}

fn cases() -> Vec<Case> {
    [plain_cases(), scalar_cases(), small_order_cases(), mixed_order_cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// A canonically encoded point that is not of small order.
fn sound_point(bytes: &[u8]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY::from_slice(bytes).ok()?.decompress()?;
    (point.compress().as_bytes() == bytes && !point.is_small_order()).then_some(point)
}

/// The strict rule, in the words of the format page.
fn holds_strictly(case: &Case) -> Option<()> {
    let signature: [u8; SIGNATURE_BYTES] = case.signature.as_slice().try_into().ok()?;
    let (r, s) = signature.split_at(32);
    let key = sound_point(&case.public_key)?;
    let nonce = sound_point(r)?;
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
    let k = challenge(r, &case.public_key, &case.message);
    (EdwardsPoint::mul_base(&s) == nonce + key * k).then_some(())
}

fn holds_here(case: &Case) -> bool {
    let (Ok(key), Ok(value)) =
        (case.public_key.as_slice().try_into(), case.signature.as_slice().try_into())
    else {
        return false;
    };
    PublicKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(case.message.as_bytes(), value).is_ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn both_judges_accept_exactly_the_strict_signatures() {
    for case in cases() {
        assert_eq!(
            holds_strictly(&case).is_some(),
            case.valid,
            "by the written rule: {}",
            case.name
        );
        assert_eq!(holds_here(&case), case.valid, "by this crate: {}", case.name);
    }
}

#[test]
fn the_published_edge_cases_are_those_that_are_made_here() {
    let made: Vec<_> = cases()
        .iter()
        .map(|case| {
            json!({
                "name": case.name, "valid": case.valid, "public_key": hex(&case.public_key),
                "message": case.message, "signature": hex(&case.signature),
            })
        })
        .collect();
    assert_eq!(made.iter().filter(|case| case["valid"] == true).count(), 22);
    vector_file::check(
        "vectors/signatures/ed25519-edge-cases.json",
        "Signatures at which Ed25519 verifiers disagree. valid is the strict rule of the evidence format. public_key and signature are hex, message is text.",
        &made,
    );
}
