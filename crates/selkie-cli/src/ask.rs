//! Questions to the person at the terminal, or to the script on standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::exit::Failure;

/// Longest line that an answer may have.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks a person on standard error, and reads one line of standard input; `None` at its end. A script
/// knows what it is asked, and reads standard error for errors only.
pub fn line(question: &str) -> Result<Option<String>, Failure> {
    if io::stdin().is_terminal() {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question}")?;
        stderr.flush()?;
    }
    let mut answer = String::new();
    let read = io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut answer)?;
    Ok((read > 0).then(|| answer.trim().to_owned()))
}

/// Asks until the answer is yes or no; no answer is no.
pub fn yes_or_no(question: &str) -> Result<bool, Failure> {
    loop {
        match line(&format!("{question} [y/n] "))?.as_deref() {
            None => return Ok(false),
            Some(answer) if answer.eq_ignore_ascii_case("y") => return Ok(true),
            Some(answer) if answer.eq_ignore_ascii_case("yes") => return Ok(true),
            Some(answer) if answer.eq_ignore_ascii_case("n") => return Ok(false),
            Some(answer) if answer.eq_ignore_ascii_case("no") => return Ok(false),
            Some(_) => {}
        }
    }
}

/// Whether a person can answer.
pub fn is_person_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
