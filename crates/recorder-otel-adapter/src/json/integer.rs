//! Integers as proto3 JSON spells them: a number or a string, with a fraction or an exponent where it is integral.
//!
//! Nothing goes through a double: 2^53 and more arrive exactly or not at all.

/// Digits of the longest 64-bit integer, with room for its sign.
const DIGITS_MAX: usize = 20;

/// The exact integer that `text`, a JSON number, names; `None` when it is none or needs more than 20 digits.
pub(crate) fn integral(text: &str) -> Option<i128> {
    if text.len() <= DIGITS_MAX + 1
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    {
        return plain(text);
    }
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
        None => (text, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // How many zeros follow the significant digits; a negative number of them is a fraction.
    let zeros = exponent?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = zeros.checked_add(i64::try_from(dropped).ok()?)?;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= DIGITS_MAX)?;
    if significant.len() + zeros > DIGITS_MAX {
        return None;
    }
    let magnitude = significant.parse::<i128>().ok()? * 10_i128.pow(u32::try_from(zeros).ok()?);
    Some(if negative { -magnitude } else { magnitude })
}

/// The integer that decimal digits name, as proto3 JSON writes 64-bit integers: no sign but a minus, no leading zeros.
fn plain(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    (is_plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The unsigned integer that `bytes` name: digits and nothing else, as times are written.
#[inline]
pub(crate) fn digits_u64(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > DIGITS_MAX || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    let (mut value, mut rest) = (0_u64, bytes);
    // At most 16 digits go this way, and no 16 digits are too many for 64 bits.
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        value = value * 100_000_000 + eight_digits(u64::from_le_bytes(*eight))?;
        rest = after;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// The number that eight digits name, the first of them in the lowest byte: pairs, then fours, then all of them at once.
#[inline]
const fn eight_digits(word: u64) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let values = word ^ (ONES * b'0' as u64);
    // A byte that is no digit is over 9 now: itself over 0x7F, or made so by what 9 lacks to 0x7F.
    if (values | ((values & (ONES * 0x7F)) + ONES * (0x7F - 9))) & (ONES * 0x80) != 0 {
        return None;
    }
    let pairs = (values * 10 + (values >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integral_numbers_are_exact_however_spelled() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("5", 5),
            ("5.0", 5),
            ("1e3", 1000),
            ("1.5E1", 15),
            ("-12.340e2", -1234),
            ("9007199254740993", 9_007_199_254_740_993),
            ("18446744073709551615", 18_446_744_073_709_551_615),
            ("0.00e99999", 0),
            ("100e-2", 1),
            ("0e99999999999999999999", 0),
        ] {
            assert_eq!(integral(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_integral_or_too_long_is_none() {
        for text in [
            "",
            "-",
            "1.5",
            "1e-1",
            "1e+21",
            "1e99999999999999999999",
            "007",
            " 1",
            "1 ",
            "+1",
            "1_0",
            "0x1",
            "--1",
            "1e",
            "1.e",
            "١",
            "NaN",
        ] {
            let value = integral(text);
            assert!(value.is_none(), "{text}: {value:?}");
        }
    }

    #[test]
    fn eight_digits_at_once_are_what_each_of_them_says() {
        for length in 1..=DIGITS_MAX + 1 {
            let digits = b"1234567890123456789012".get(..length).unwrap();
            let read = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
            assert_eq!(digits_u64(digits), read(digits), "{length}");
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut digits = digits.to_vec();
                    digits[place] = byte;
                    let leads = place == 0 && (byte == b'0' && length > 1 || byte == b'+');
                    let expected = read(&digits).filter(|_| !leads);
                    assert_eq!(digits_u64(&digits), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn times_are_digits() {
        assert_eq!(digits_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(digits_u64(b"0"), Some(0));
        for text in
            ["", "18446744073709551616", "-1", " 1", "01", "1.0", "1e3", "99999999999999999999"]
        {
            assert_eq!(digits_u64(text.as_bytes()), None, "{text}");
        }
    }
}
