//! The desk of a person at a terminal, and of the store that is open there.

use std::io::{self, Write as _};

use console::{Key as Pressed, Term};
use selkie::{ErrorKind, OpenConflict, Resolution, Vault};
use serde_json::Value;

use super::walk::{self, Key};
use crate::commands::conflicts;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{BAD, BOLD};
use crate::{ask, json};

/// A terminal and a store.
pub struct Desk<'a> {
    vault: &'a Vault,
    context: &'a Context,
    terminal: Term,
}

impl<'a> Desk<'a> {
    /// The terminal that this process runs in.
    pub fn new(vault: &'a Vault, context: &'a Context) -> Self {
        Self { vault, context, terminal: Term::stderr() }
    }
}

impl walk::Desk for Desk<'_> {
    fn show(&mut self, open: &OpenConflict, at: usize, count: usize) -> Result<(), Failure> {
        let out = &self.context.out;
        out.line(format!("\n{}", out.paint(BOLD, format!("conflict {at} of {count}"))))?;
        let lines = conflicts::lines(self.vault, open, self.context)?;
        // The last line says what to type in a shell; here the question does.
        lines.iter().take(lines.len().saturating_sub(1)).try_for_each(|line| out.line(line))
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.context.out.line(text)
    }

    fn key(&mut self, question: &str) -> Result<Key, Failure> {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question}")?;
        stderr.flush()?;
        // Ctrl-C comes as a key: it ends like q, and leaves no terminal without echo behind.
        let key = loop {
            match self.terminal.read_key_raw()? {
                Pressed::Char('\u{4}') | Pressed::CtrlC | Pressed::Escape | Pressed::Unknown => {
                    break Key::End;
                }
                Pressed::Char(key) => break Key::Char(key),
                Pressed::Enter => break Key::Enter,
                _ => {}
            }
        };
        writeln!(stderr)?;
        Ok(key)
    }

    fn value(&mut self) -> Result<Option<Value>, Failure> {
        let typed = ask::line("value in JSON: ")?.unwrap_or_default();
        match json::parse(typed.as_bytes()) {
            Ok(value) => Ok(Some(value)),
            Err(failure) => self.say(&failure.message).map(|()| None),
        }
    }

    fn write(&mut self, open: &OpenConflict, answer: Resolution) -> Result<bool, Failure> {
        match self.vault.resolve(&open.collection, &open.id, &open.token, answer) {
            Ok(record) => {
                self.say(&super::done(open, record.as_ref(), self.context))?;
                Ok(true)
            }
            // One answer that cannot be is no reason to end the walk.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Stale | ErrorKind::NotFound | ErrorKind::InvalidInput
                ) =>
            {
                self.say(&self.context.out.paint(BAD, format!("left open: {error}")))?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}
