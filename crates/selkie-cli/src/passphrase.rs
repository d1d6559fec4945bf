//! What opens a store: read from a prompt, a file or a file descriptor, never from the command line
//! or the environment, where every other program of the machine could read it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use selkie::Unlock;
use zeroize::{Zeroize as _, Zeroizing};

use crate::exit::{Exit, Failure};

/// Longest passphrase or list of recovery words, in bytes.
const SECRET_BYTES_MAX: usize = 4 * 1024;

/// Where the passphrase comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct SecretSource {
    /// Read the passphrase from FILE (a newline at its end is not part of it)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    passphrase_file: Option<PathBuf>,

    /// Read the passphrase from the open file descriptor N
    #[arg(long, global = true, value_name = "N", help_heading = "Global options")]
    passphrase_fd: Option<u32>,

    /// Open the store with the recovery words in FILE instead of the passphrase
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    recovery_words: Option<PathBuf>,

    /// Open the store with the key that `selkie unlock --remember` keeps in the system's keystore
    #[arg(long, global = true, help_heading = "Global options")]
    pub keystore: bool,
}

/// What opens a store; wiped from memory when dropped.
pub enum Secret {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// The 24 words shown when the vault was made.
    RecoveryWords(Zeroizing<String>),
}

impl Secret {
    /// As the library takes it.
    pub fn unlock(&self) -> Unlock<'_> {
        match self {
            Self::Passphrase(passphrase) => Unlock::Passphrase(passphrase),
            Self::RecoveryWords(words) => Unlock::RecoveryWords(words),
        }
    }
}

impl SecretSource {
    /// The secret of a store that exists.
    pub fn read(&self) -> Result<Secret, Failure> {
        self.check()?;
        if let Some(path) = &self.recovery_words {
            let words = read_file(path)?;
            // A file of words may have them on several lines.
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            return Ok(Secret::RecoveryWords(Zeroizing::new(words)));
        }
        match self.given()? {
            Some(passphrase) => Ok(Secret::Passphrase(passphrase)),
            None => Ok(Secret::Passphrase(prompt("Passphrase: ")?)),
        }
    }

    /// The passphrase of a store that is about to be made: typed twice.
    pub fn read_new(&self) -> Result<Secret, Failure> {
        self.check()?;
        if self.recovery_words.is_some() {
            return Err(Failure::usage("a new store needs a passphrase, not recovery words"));
        }
        if let Some(passphrase) = self.given()? {
            return Ok(Secret::Passphrase(passphrase));
        }
        prompt_twice().map(Secret::Passphrase)
    }

    /// One source at most. (The parser does not compare options before and after the command's name.)
    pub fn check(&self) -> Result<(), Failure> {
        let given = [
            self.passphrase_file.is_some(),
            self.passphrase_fd.is_some(),
            self.recovery_words.is_some(),
            self.keystore,
        ];
        if given.into_iter().filter(|is_given| *is_given).count() > 1 {
            let message = "give one of --passphrase-file, --passphrase-fd, --recovery-words and \
                           --keystore";
            return Err(Failure::usage(message));
        }
        Ok(())
    }

    fn given(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => read_file(path).map(Some),
            (None, Some(number)) => {
                read_file(&PathBuf::from(format!("/dev/fd/{number}"))).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// Recovery words, from a file or typed without being shown.
pub fn read_words(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(path) => read_file(path),
        None => prompt("Recovery words: "),
    }
}

/// A passphrase to take another's place, from a file or typed twice.
pub fn read_another(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(path) => read_file(path),
        None => prompt_twice(),
    }
}

fn prompt_twice() -> Result<Zeroizing<String>, Failure> {
    let first = prompt("New passphrase: ")?;
    let again = prompt("The same again: ")?;
    if *first != *again {
        let failure = Failure::refused("passphrases_differ", "the two passphrases differ");
        return Err(failure.help("nothing was changed; run the command again"));
    }
    Ok(first)
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    from_reader(file).map_err(|failure| failure.at(path.display()))
}

/// The whole text, less one newline at its end.
fn from_reader(reader: impl io::Read) -> Result<Zeroizing<String>, Failure> {
    // All the room at once: a buffer that grows leaves copies of its content behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 2));
    reader.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > SECRET_BYTES_MAX {
        let message = format!("longer than {SECRET_BYTES_MAX} bytes; is it the right file?");
        return Err(Failure::refused("secret_too_long", message));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        Failure::refused("secret_not_utf8", "not UTF-8 text")
    })?;
    not_empty(Zeroizing::new(text))
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = rpassword::prompt_password(text).map_err(|error| {
        let message = format!("there is no terminal to ask for the passphrase ({error})");
        Failure::new(Exit::Usage, "no_terminal", message)
            .help("use --passphrase-file FILE or --passphrase-fd N")
    })?;
    not_empty(Zeroizing::new(typed))
}

fn not_empty(secret: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    if secret.is_empty() {
        return Err(Failure::refused("secret_empty", "the passphrase is empty"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        for (bytes, secret) in [
            ("tea at four", "tea at four"),
            ("tea at four\n", "tea at four"),
            ("tea at four\r\n", "tea at four"),
            (" tea\n\n", " tea\n"),
        ] {
            assert_eq!(from_reader(bytes.as_bytes()).unwrap().as_str(), secret);
        }
    }

    #[test]
    fn what_cannot_be_a_passphrase_is_refused() {
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        for (bytes, code) in [
            (&b""[..], "secret_empty"),
            (b"\n", "secret_empty"),
            (b"\xff\xfe", "secret_not_utf8"),
            (long.as_bytes(), "secret_too_long"),
        ] {
            let failure = from_reader(bytes).unwrap_err();
            assert_eq!((failure.code.as_ref(), failure.exit), (code, Exit::Refused));
        }
    }
}
