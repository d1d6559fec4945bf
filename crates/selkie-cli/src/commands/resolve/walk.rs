//! The way through open conflicts, key by key. It knows neither terminal nor store: both are a [`Desk`].

use selkie::{OpenConflict, Resolution};
use serde_json::Value;

use crate::conflict_view::Word;
use crate::exit::Failure;
use crate::text;

/// Help for `?`.
const HELP: &str = "\
1-9 take that side    n newest    o oldest    s suggestion    v type another value
k skip    u take the last answer back    q quit    ? this help
An answer is written when the next one is given, or when you quit.";

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// The return key.
    Enter,
    /// The person wants out, or is gone.
    End,
}

/// Who shows, asks and writes.
pub trait Desk {
    /// Shows a conflict, as number `at` of `count`.
    fn show(&mut self, open: &OpenConflict, at: usize, count: usize) -> Result<(), Failure>;
    /// Says something.
    fn say(&mut self, text: &str) -> Result<(), Failure>;
    /// Asks for one key.
    fn key(&mut self, question: &str) -> Result<Key, Failure>;
    /// Asks for a value in JSON; `None` if there is none, which has been said.
    fn value(&mut self) -> Result<Option<Value>, Failure>;
    /// Writes an answer; `false` if the conflict changed meanwhile, or cannot be answered so, which has
    /// been said.
    fn write(&mut self, open: &OpenConflict, answer: Resolution) -> Result<bool, Failure>;
}

/// What came of the walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Answers written.
    pub resolved: u64,
    /// Conflicts that stay open, of those that were to be asked about.
    pub left: u64,
}

impl Outcome {
    /// In a line.
    pub fn text(self) -> String {
        let Self { resolved, left } = self;
        format!("{} resolved, {left} left open", text::counted(resolved, "conflict"))
    }
}

/// An answer that may still be taken back: it is not yet written.
struct Pending {
    at: usize,
    answer: Resolution,
}

/// What a key means.
enum Step {
    Take(Resolution),
    Skip,
    Undo,
    Quit,
    Again,
}

struct Walk<'a, D> {
    open: &'a [&'a OpenConflict],
    desk: &'a mut D,
    at: usize,
    pending: Option<Pending>,
    resolved: u64,
}

/// Goes through the conflicts until they are answered or the person quits. The last answer waits
/// unwritten, so that taking it back leaves the conflict as if it had never been answered.
pub fn walk<D: Desk>(open: &[&OpenConflict], desk: &mut D) -> Result<Outcome, Failure> {
    let mut walk = Walk { open, desk, at: 0, pending: None, resolved: 0 };
    walk.go()?;
    let left = (open.len() as u64).saturating_sub(walk.resolved);
    Ok(Outcome { resolved: walk.resolved, left })
}

impl<D: Desk> Walk<'_, D> {
    fn go(&mut self) -> Result<(), Failure> {
        loop {
            let Some(open) = self.open.get(self.at).copied() else {
                if self.is_over()? {
                    return self.write_pending();
                }
                continue;
            };
            self.desk.show(open, self.at + 1, self.open.len())?;
            loop {
                match self.ask(open)? {
                    Step::Again => continue,
                    Step::Quit => return self.write_pending(),
                    Step::Skip => {
                        self.desk.say("left open")?;
                        self.at += 1;
                    }
                    Step::Undo if !self.undo()? => continue,
                    Step::Undo => {}
                    Step::Take(answer) => self.take(answer)?,
                }
                break;
            }
        }
    }

    /// At the end, the last answer may be taken back too.
    fn is_over(&mut self) -> Result<bool, Failure> {
        if self.pending.is_none() {
            return Ok(true);
        }
        match self.desk.key("all seen: Enter to finish, u to take the last answer back ")? {
            Key::Char('u' | 'U') => self.undo().map(|_| false),
            Key::Enter | Key::End | Key::Char('q' | 'Q' | ' ') => Ok(true),
            Key::Char(_) => Ok(false),
        }
    }

    fn ask(&mut self, open: &OpenConflict) -> Result<Step, Failure> {
        let sides = open.conflict.sides.len();
        let question = format!("1-{sides}, n, o, s, v, k, u, q or ? ");
        let by_word = |word: Word| word.side_of(open);
        let (side, what) = match self.desk.key(&question)? {
            Key::End | Key::Char('q' | 'Q') => return Ok(Step::Quit),
            Key::Char('k' | 'K') => return Ok(Step::Skip),
            Key::Char('u' | 'U') => return Ok(Step::Undo),
            Key::Char('v' | 'V') => {
                // Typing may be broken off hard, and should not cost the answer before.
                self.write_pending()?;
                let value = self.desk.value()?;
                return Ok(value.map_or(Step::Again, |value| Step::Take(Resolution::Value(value))));
            }
            Key::Char('?') => {
                self.desk.say(HELP)?;
                return Ok(Step::Again);
            }
            Key::Char('n' | 'N') => (by_word(Word::Newest), "there is no newest side".to_owned()),
            Key::Char('o' | 'O') => (by_word(Word::Oldest), "there is no oldest side".to_owned()),
            Key::Char('s' | 'S') => (by_word(Word::Suggested), "there is no suggestion".to_owned()),
            Key::Char(key) if key.is_ascii_digit() => {
                let number = key.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                let side = number.and_then(|number| number.checked_sub(1));
                (side.filter(|side| *side < sides), format!("there is no side {key}"))
            }
            Key::Char(_) | Key::Enter => (None, "? tells the keys".to_owned()),
        };
        match side {
            Some(side) => Ok(Step::Take(Resolution::Side(side))),
            None => self.desk.say(&what).map(|()| Step::Again),
        }
    }

    fn take(&mut self, answer: Resolution) -> Result<(), Failure> {
        self.write_pending()?;
        let what = match &answer {
            Resolution::Side(side) => format!("side {}", side + 1),
            Resolution::Value(value) => text::cut(&text::compact(value), 60),
        };
        self.desk.say(&format!("{what} it is (u takes it back)"))?;
        self.pending = Some(Pending { at: self.at, answer });
        self.at += 1;
        Ok(())
    }

    /// Goes back to the last answer, if it is not written yet.
    fn undo(&mut self) -> Result<bool, Failure> {
        let Some(Pending { at, .. }) = self.pending.take() else {
            self.desk.say("there is no answer to take back; a written one: selkie undo")?;
            return Ok(false);
        };
        self.at = at;
        Ok(true)
    }

    fn write_pending(&mut self) -> Result<(), Failure> {
        let Some(Pending { at, answer }) = self.pending.take() else { return Ok(()) };
        if let Some(open) = self.open.get(at) {
            self.resolved += u64::from(self.desk.write(open, answer)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use selkie::Suggestion;
    use serde_json::json;

    use super::*;
    use crate::conflict_view::examples;

    /// Presses keys from a script, and keeps what is written and said.
    #[derive(Default)]
    struct Scripted {
        keys: VecDeque<char>,
        values: VecDeque<Value>,
        written: Vec<(String, Resolution)>,
        shown: Vec<usize>,
        said: String,
    }

    impl Desk for Scripted {
        fn show(&mut self, _open: &OpenConflict, at: usize, _count: usize) -> Result<(), Failure> {
            self.shown.push(at);
            Ok(())
        }
        fn say(&mut self, text: &str) -> Result<(), Failure> {
            self.said.push_str(text);
            self.said.push('\n');
            Ok(())
        }
        fn key(&mut self, _question: &str) -> Result<Key, Failure> {
            Ok(match self.keys.pop_front() {
                None => Key::End,
                Some('\n') => Key::Enter,
                Some(key) => Key::Char(key),
            })
        }
        fn value(&mut self) -> Result<Option<Value>, Failure> {
            Ok(self.values.pop_front())
        }
        fn write(&mut self, open: &OpenConflict, answer: Resolution) -> Result<bool, Failure> {
            self.written.push((open.conflict.path.to_string(), answer));
            Ok(true)
        }
    }

    fn three() -> [OpenConflict; 3] {
        let values = [json!(1), json!(2)];
        let [a, mut b] = ["a", "b"].map(|field| examples::edit(field, &values));
        let answer = "oldest".to_owned();
        b.suggestion = Some(Suggestion { side: 0, answer, support: 4, of: 5 });
        [a, b, examples::delete()]
    }

    fn press(keys: &str, values: &[Value]) -> (Scripted, Outcome) {
        let open = three();
        let mut desk = Scripted {
            keys: keys.chars().collect(),
            values: values.iter().cloned().collect(),
            ..Scripted::default()
        };
        let outcome = walk(&open.iter().collect::<Vec<_>>(), &mut desk).unwrap();
        (desk, outcome)
    }

    fn check(keys: &str, values: &[Value], written: &[(&str, Resolution)]) {
        let (desk, outcome) = press(keys, values);
        let expected: Vec<_> =
            written.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        assert_eq!(desk.written, expected, "{keys:?}");
        let resolved = written.len() as u64;
        assert_eq!(outcome, Outcome { resolved, left: 3 - resolved }, "{keys:?}");
    }

    #[test]
    fn keys_answer_one_conflict_after_the_other() {
        use Resolution::Side;
        check("2n1\n", &[], &[("a", Side(1)), ("b", Side(1)), ("", Side(0))]);
        check("oskq", &[], &[("a", Side(0)), ("b", Side(0))]);
        check("kkk", &[], &[]);
        check("q", &[], &[]);
        check("", &[], &[]);
        check("v", &[json!(7)], &[("a", Resolution::Value(json!(7)))]);
    }

    #[test]
    fn quitting_or_leaving_keeps_what_was_answered() {
        for keys in ["1q", "1", "1kkq", "1kk\n"] {
            check(keys, &[], &[("a", Resolution::Side(0))]);
        }
    }

    #[test]
    fn the_last_answer_can_be_taken_back_and_was_never_written() {
        use Resolution::Side;
        check("1u2q", &[], &[("a", Side(1))]);
        check("1kkuq", &[], &[]);
        check("kk2u1\n", &[], &[("", Side(0))]);
        let (desk, _) = press("1uuq", &[]);
        assert!(desk.said.contains("no answer to take back"), "{}", desk.said);
        assert_eq!(desk.shown, [1, 2, 1]);
    }

    #[test]
    fn a_key_that_means_nothing_here_asks_again() {
        for (keys, said) in [
            ("3q", "there is no side 3"),
            ("0q", "there is no side 0"),
            ("sq", "there is no suggestion"),
            ("xq", "? tells the keys"),
            ("?q", "take the last answer back"),
            ("vq", ""),
        ] {
            let (desk, outcome) = press(keys, &[]);
            assert!(desk.said.contains(said), "{keys}: {}", desk.said);
            assert_eq!((outcome.resolved, desk.shown.as_slice()), (0, &[1][..]), "{keys}");
        }
    }
}
