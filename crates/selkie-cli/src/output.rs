//! Where results go: standard output, as text for people or as one JSON value a line.

use std::io::{self, IsTerminal as _, Write as _};

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;

use crate::exit::Failure;

/// A heading or a name.
pub const BOLD: Style = Style::new().bold();
/// Something of little weight.
pub const DIM: Style = Style::new().dimmed();
/// It went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Needs a look.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Not as on the other side.
pub const DIFFERS: Style = AnsiColor::Yellow.on_default().underline();
/// It failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What can be typed.
pub const TYPED: Style = AnsiColor::Cyan.on_default();

/// What a command prints to.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// One JSON value a line instead of text.
    pub json: bool,
    stdout_colour: bool,
    stderr_colour: bool,
}

impl Output {
    /// Colour only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
    pub fn new(json: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            json,
            stdout_colour: !unwanted && !json && io::stdout().is_terminal(),
            stderr_colour: !unwanted && !json && io::stderr().is_terminal(),
        }
    }

    /// Whether a person watches standard error, so that progress and questions make sense.
    pub fn is_watched(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// A line of text on standard output.
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(io::stdout().lock(), "{}", text.as_ref())?;
        Ok(())
    }

    /// A JSON value on a line of standard output, there at once even in a pipe.
    pub fn value(&self, value: &Value) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{value}")?;
        stdout.flush()?;
        Ok(())
    }

    /// The JSON value, or the text, whichever was asked for.
    pub fn either(&self, value: &Value, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.json { self.value(value) } else { self.line(text) }
    }

    /// A line for the person, beside the results; nothing with `--json`.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            to_stderr(text.as_ref());
        }
    }

    /// A warning, on standard error.
    pub fn warn(&self, text: impl AsRef<str>) {
        let label = paint(self.stderr_colour, WARNING, "warning:");
        to_stderr(&format!("{label} {}", text.as_ref()));
    }

    /// Text in a style, if standard output takes colour.
    pub fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        paint(self.stdout_colour, style, text.as_ref())
    }

    /// Text in a style, if standard error takes colour.
    pub fn paint_note(&self, style: Style, text: impl AsRef<str>) -> String {
        paint(self.stderr_colour, style, text.as_ref())
    }

    /// Tells why the command stopped, on standard error.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            to_stderr(&failure.to_json().to_string());
            return;
        }
        let label = paint(self.stderr_colour, BAD, "error:");
        to_stderr(&format!("{label} {}", failure.message));
        if let Some(help) = &failure.help {
            let label = paint(self.stderr_colour, TYPED, "help:");
            to_stderr(&format!("{label} {help}"));
        }
    }
}

fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Standard error may be closed; there is nowhere left to say so.
fn to_stderr(text: &str) {
    let _nowhere_to_say = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_is_closed_again_and_absent_without_colour() {
        assert_eq!(paint(false, BAD, "error:"), "error:");
        let painted = paint(true, BAD, "error:");
        assert!(painted.starts_with("\x1b[") && painted.ends_with("\x1b[0m"), "{painted:?}");
    }
}
