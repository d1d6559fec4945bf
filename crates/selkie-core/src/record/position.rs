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

/// As many positions as wanted, in order, between two others: at the end of a list they count on, so
/// that a list which only grows keeps short positions; within it they are spread evenly.
#[must_use]
pub fn positions_between(before: Option<&str>, after: Option<&str>, count: usize) -> Vec<String> {
    let mut positions = Vec::with_capacity(count);
    match after {
        None => {
            let mut last = before.map(str::to_owned);
            for _ in 0..count {
                let next = match &last {
                    Some(last) => position_after(last),
                    None => position_between(None, None),
                };
                positions.push(next.clone());
                last = Some(next);
            }
        }
        Some(after) => spread(before, after, count, &mut positions),
    }
    positions
}

fn spread(before: Option<&str>, after: &str, count: usize, out: &mut Vec<String>) {
    let Some(others) = count.checked_sub(1) else { return };
    let middle = position_between(before, Some(after));
    spread(before, &middle, others / 2, out);
    out.push(middle.clone());
    spread(Some(&middle), after, others - others / 2, out);
}

/// Digits that are counted with at the end of a list: 62⁴ positions before they grow.
const COUNTED_DIGITS: usize = 4;

/// The next position at the end of a list: the last one counted on.
fn position_after(last: &str) -> String {
    let mut digits: Vec<usize> = last.bytes().map(digit).collect();
    let len = digits.len().next_multiple_of(COUNTED_DIGITS).max(COUNTED_DIGITS);
    digits.resize(len, 0);
    if digits.iter().all(|digit| *digit == DIGITS.len() - 1) {
        digits.resize(len + COUNTED_DIGITS, 0);
    }
    loop {
        for digit in digits.iter_mut().rev() {
            *digit += 1;
            if *digit < DIGITS.len() {
                break;
            }
            *digit = 0;
        }
        // There must always be room before a position.
        if digits.last() != Some(&0) {
            break;
        }
    }
    digits.into_iter().filter_map(|at| DIGITS.get(at).copied()).map(char::from).collect()
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
    fn a_list_that_only_grows_keeps_short_positions() {
        let mut positions = positions_between(None, None, 50_000);
        positions.extend(positions_between(positions.last().cloned().as_deref(), None, 50_000));
        assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(positions.iter().all(|position| position.len() <= 4 && !position.ends_with('0')));
        for last in ["z", "zzzz", "zzzzz", "Vzzz", "1", "V00000001"] {
            assert!(position_after(last).as_str() > last, "{last}");
        }
    }

    #[test]
    fn many_positions_within_a_list_are_spread() {
        for (before, after) in
            [(None, "V"), (Some("V"), "W"), (Some("V001"), "V002"), (None, "0001")]
        {
            let positions = positions_between(before, Some(after), 10_000);
            assert_eq!(positions.len(), 10_000);
            assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(before.is_none_or(|before| before < positions[0].as_str()));
            assert!(positions.iter().all(|position| position.as_str() < after));
            assert!(positions.iter().all(|position| position.len() <= 9), "{before:?} {after}");
        }
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
