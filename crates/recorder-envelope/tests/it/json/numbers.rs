//! Numbers against two other canonicalisers, a million and more of them.

use recorder_envelope::json::{JsonErrorKind, JsonLimits, canonicalize};

const NUMBERS_PER_DOCUMENT: usize = 1_000;
const DOCUMENTS: usize = 1_050;

/// SplitMix64: the same numbers on every machine and in every run.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One number of the kinds that break printers: any bits, short decimals, and the edges where notation changes.
    fn double(&mut self) -> f64 {
        let value = match self.below(6) {
            0 | 1 => f64::from_bits(self.next()),
            2 => self.below(1_000_000_000) as f64 / 10_f64.powi(self.below(12) as i32),
            3 => {
                let edge = [1e-7, 1e-6, 1e20, 1e21, 1e22, 1e23, f64::MIN_POSITIVE, 9e15, 1e-5];
                let bits = edge[self.below(9) as usize].to_bits();
                f64::from_bits(bits.wrapping_add(self.below(64)).wrapping_sub(32))
            }
            4 => (1_u64 << 53).wrapping_add(self.below(4_000)).wrapping_sub(2_000) as f64,
            _ => self.next() as f64 / (1_u64 << self.below(64)) as f64,
        };
        let value = if value.is_finite() { value } else { 0.5 };
        if self.below(2) == 0 { value } else { -value }
    }

    /// Spells `value` in one of many ways; never as an integer literal, which has rules of its own.
    fn spell(&mut self, value: f64, out: &mut String) {
        use std::fmt::Write as _;
        match self.below(6) {
            0 => write!(out, "{value:e}"),
            1 => write!(out, "{value:E}"),
            2 => write!(out, "{value:.17e}"),
            3 => write!(out, "{value:?}"),
            4 if value.abs() < 1e25 => write!(out, "{value:.25}"),
            5 if value.abs() < 1e15 => write!(out, "{value:.*}", 1 + self.below(14) as usize),
            _ => write!(out, "{value:.20e}"),
        }
        .unwrap();
    }
}

#[test]
fn a_million_numbers_print_as_two_other_canonicalisers_print_them() {
    let mut generator = Generator(8785);
    let limits = JsonLimits::PAYLOAD;
    let (mut input, mut out) = (String::new(), Vec::new());
    for _ in 0..DOCUMENTS {
        input.clear();
        for index in 0..NUMBERS_PER_DOCUMENT {
            input.push(if index == 0 { '[' } else { ',' });
            let value = generator.double();
            generator.spell(value, &mut input);
        }
        input.push(']');
        out.clear();
        canonicalize(input.as_bytes(), &limits, &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_str(&input).unwrap();
        assert_eq!(out, serde_jcs::to_vec(&value).unwrap());
        assert_eq!(out, serde_json_canonicalizer::to_vec(&value).unwrap());
    }
}

#[test]
fn an_integer_literal_is_kept_or_refused_but_never_changed() {
    let mut generator = Generator(53);
    for _ in 0..50_000 {
        let centre = [1_u64 << 53, 1 << 54, 1 << 60, 10_u64.pow(16), u64::MAX - 5_000];
        let near = centre[generator.below(5) as usize] + generator.below(4_000);
        let any = generator.next() >> generator.below(64);
        let literal = if generator.below(2) == 0 { near - 2_000 } else { any };
        let sign = if literal > 0 && generator.below(2) == 0 { "-" } else { "" };
        let text = format!("{sign}{literal}");
        let value: f64 = text.parse().unwrap();
        let printed = serde_jcs::to_string(&value).unwrap();
        let mut out = Vec::new();
        let result = canonicalize(text.as_bytes(), &JsonLimits::PAYLOAD, &mut out);
        if printed == text {
            assert_eq!((result, out), (Ok(()), text.into_bytes()));
        } else {
            assert_eq!(result.unwrap_err().kind, JsonErrorKind::IntegerNotRepresentable, "{text}");
            assert!(literal > 1 << 53);
        }
    }
}
