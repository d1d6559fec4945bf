//! How a command ends: exit codes, and errors that say what to do.

use std::borrow::Cow;
use std::io;

use selkie::{Error, ErrorKind};
use serde_json::{Value, json};

/// What scripts may rely on; `selkie --help` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Anything without a code of its own.
    Other = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// No such store, collection, record or conflict.
    NotFound = 3,
    /// Wrong passphrase, recovery words or key.
    WrongKey = 4,
    /// The store cannot be used: damaged, newer, full, busy.
    Store = 5,
    /// The network, the relay or the other device.
    Relay = 6,
    /// Input refused, or a conflict that changed meanwhile.
    Refused = 7,
}

/// The part of `selkie --help` about exit codes.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  another error
  2  the command line cannot be understood
  3  not found: no such store, collection, record or conflict
  4  wrong passphrase or recovery words
  5  the store cannot be used: damaged, written by a newer version, disk full, or busy
  6  the network, the relay or the other device
  7  input refused, or the conflict changed since it was shown";

/// Why a command stopped.
#[derive(Debug)]
pub struct Failure {
    /// The process's exit code.
    pub exit: Exit,
    /// Stable name of the problem, for scripts.
    pub code: Cow<'static, str>,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Nobody reads our output any more (`selkie list … | head`): stop, but this is no error.
    pub reader_left: bool,
}

impl Failure {
    /// A failure with a stable code and a message.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: Cow::Borrowed(code),
            message: message.into(),
            help: None,
            reader_left: false,
        }
    }

    /// The command line asks for what does not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Input that cannot be stored.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says where it happened, before the message.
    #[must_use]
    pub fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// A file of the user's that cannot be read or written.
    pub fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let (exit, code) = match error.kind() {
            io::ErrorKind::NotFound => (Exit::NotFound, "file_not_found"),
            io::ErrorKind::AlreadyExists => (Exit::Refused, "file_exists"),
            _ => (Exit::Other, "file"),
        };
        Self::new(exit, code, format!("{}: {error}", path.display()))
    }

    /// As `--json` prints it.
    pub fn to_json(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "help": self.help } })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::WrongKey => Exit::WrongKey,
            ErrorKind::Storage
            | ErrorKind::DiskFull
            | ErrorKind::Busy
            | ErrorKind::TooNew
            | ErrorKind::Locked => Exit::Store,
            ErrorKind::Network
            | ErrorKind::Relay
            | ErrorKind::Pairing
            | ErrorKind::Incomplete
            | ErrorKind::Fork
            | ErrorKind::Unauthorized => Exit::Relay,
            ErrorKind::InvalidInput | ErrorKind::AlreadyExists | ErrorKind::Stale => Exit::Refused,
            _ => Exit::Other,
        };
        let mut failure = Self::new(exit, error.code(), error.to_string());
        failure.help = help_for(error.kind()).map(str::to_owned);
        failure
    }
}

fn help_for(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::WrongKey => {
            "nothing was changed; try again (the device that made the vault also opens with \
             --recovery-words FILE)"
        }
        ErrorKind::DiskFull => "free some space and run the command again",
        ErrorKind::Busy => "run the command again when the other program is done",
        ErrorKind::TooNew => "the store is unharmed; use the newer version of selkie",
        ErrorKind::Network => "check the address and the network, then run the command again",
        ErrorKind::Stale => "see what is open now with: selkie conflicts",
        ErrorKind::Pairing => "nothing was changed; begin again with: selkie invite",
        _ => return None,
    })
}

impl From<io::Error> for Failure {
    /// Standard input or output failed; files are reported by [`Failure::file`].
    fn from(error: io::Error) -> Self {
        let mut failure = Self::new(Exit::Other, "io", format!("input or output: {error}"));
        failure.reader_left = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_exit_code() {
        for exit in [
            Exit::Other,
            Exit::Usage,
            Exit::NotFound,
            Exit::WrongKey,
            Exit::Store,
            Exit::Relay,
            Exit::Refused,
        ] {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }

    #[test]
    fn a_failure_says_where_and_what_to_do_in_json_too() {
        let failure = Failure::refused("not_an_object", "no object").at("line 3").help("fix it");
        let json = failure.to_json();
        assert_eq!(json["error"]["code"], "not_an_object");
        assert_eq!(json["error"]["message"], "line 3: no object");
        assert_eq!(json["error"]["help"], "fix it");
    }
}
