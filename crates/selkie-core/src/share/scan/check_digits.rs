//! Check digits: Luhn, Verhoeff, weighted sums, remainders. All take digit values, not characters.

/// Luhn's sum (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit < 5 => digit * 2,
            (_, digit) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of digits by weights.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// The number that some digits write; for up to 18 digits.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().take(18).fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// ISO 7064 MOD 11,10.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// Verhoeff's dihedral check.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permute = |digit: u8, times: usize| {
        (0..times).fold(digit, |digit, _| PERMUTED.get(usize::from(digit)).copied().unwrap_or(0))
    };
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let sum = digits.iter().rev().enumerate();
    sum.fold(0, |sum, (at, digit)| multiply(sum, permute(*digit, at % 8))) == 0
}

/// Whether two digits each make a day and a month.
pub(super) fn is_day_and_month(day: u64, month: u64) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    /// Published examples; and every change of one digit is noticed.
    #[test]
    fn one_wrong_digit_is_noticed() {
        type Check = fn(&[u8]) -> bool;
        let checks: [(Check, &str); 4] = [
            (luhn, "79927398713"),
            (verhoeff, "2363"),
            (mod_11_10, "86095742719"),
            (luhn, "4111111111111111"),
        ];
        for (check, text) in checks {
            let right = digits(text);
            assert!(check(&right), "{text}");
            for at in 0..right.len() {
                for other in (0..10).filter(|other| *other != right[at]) {
                    let mut wrong = right.clone();
                    wrong[at] = other;
                    assert!(!check(&wrong), "{wrong:?}");
                }
            }
        }
    }
}
