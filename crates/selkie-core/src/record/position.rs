//! Positions in a list: text between any two of which there is another.

/// Digits in order; the first is the least.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A position strictly between two others; `None` stands for the end of the list on that side.
///
/// Positions compare as bytes and never end in `0`, so there is always room before one. Two devices
/// that insert at the same place make the same position; the elements' names then decide.
///
/// ```
/// use selkie_core::record::position_between;
/// let first = position_between(None, None);
/// let second = position_between(Some(&first), None);
/// let between = position_between(Some(&first), Some(&second));
/// assert!(first < between && between < second);
/// ```
#[must_use]
pub fn position_between(before: Option<&str>, after: Option<&str>) -> String {
    let low: Vec<usize> = before.unwrap_or_default().bytes().map(digit).collect();
    let high: Option<Vec<usize>> = after.map(|after| after.bytes().map(digit).collect());
    // Positions that are not in order (equal ones among them) leave no room: go behind the first.
    let high = high.filter(|high| low < *high);
    let mut out = Vec::new();
    let mut bounded = high.is_some();
    for at in 0.. {
        let least = low.get(at).copied().unwrap_or(0);
        let most = match &high {
            Some(high) if bounded => high.get(at).copied().unwrap_or(0),
            _ => DIGITS.len(),
        };
        if most > least + 1 {
            out.push((least + most) / 2);
            break;
        }
        out.push(least);
        // One digit below the bound: from here on there is none.
        bounded = bounded && most == least;
    }
    out.into_iter().filter_map(|at| DIGITS.get(at).copied()).map(char::from).collect()
}

fn digit(byte: u8) -> usize {
    DIGITS.iter().position(|digit| *digit == byte).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_room_between() {
        let mut positions = vec![position_between(None, None)];
        let mut state = 7u64;
        for _ in 0..2_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % (positions.len() + 1);
            let before = at.checked_sub(1).map(|before| positions[before].as_str());
            let after = positions.get(at).map(String::as_str);
            let new = position_between(before, after);
            assert!(before.is_none_or(|before| before < new.as_str()), "{before:?} {new}");
            assert!(after.is_none_or(|after| new.as_str() < after), "{new} {after:?}");
            assert!(!new.ends_with('0'));
            positions.insert(at, new);
        }
        assert!(positions.iter().map(String::len).max().unwrap() < 32);
    }

    #[test]
    fn appending_and_prepending_stay_short() {
        let (mut last, mut first) = (position_between(None, None), position_between(None, None));
        for _ in 0..100 {
            last = position_between(Some(&last), None);
            first = position_between(None, Some(&first));
        }
        assert!(last.len() <= 24 && first.len() <= 24, "{last} {first}");
    }
}
