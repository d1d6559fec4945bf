//! The command line: what is common to all commands. Each command's own arguments stand in its file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use selkie::transport::Folder;

use crate::commands::{
    anonymize, confirm_deletions, conflicts, delete, demo, devices, doctor, explain, export,
    fingerprint, get, history, import, index, init, invite, join, list, lock, package, passphrase,
    patch, policy, preferences, put, query, recover, relay, resolve, restore, revoke, rotate,
    schema, search, similar, sql, status, sync, undo, unlock, words,
};
use crate::context::Context;
use crate::exit::{EXIT_CODES, Failure};
use crate::passphrase::SecretSource;

const AFTER_HELP: &str = "\
Examples:
  selkie demo                                    see it all work, in a few seconds
  selkie init                                    make a store, protected by a passphrase
  selkie put notes milk '{\"title\": \"Milk\"}'      write a record
  selkie query notes 'title ~ M'                 find records
  selkie sync --relay https://relay.example      exchange changes with your other devices";

/// An encrypted store that works offline and syncs through servers that can read nothing.
#[derive(Parser, Debug)]
#[command(name = "selkie", version, max_term_width = 100)]
#[command(after_help = AFTER_HELP, after_long_help = format!("{AFTER_HELP}\n\n{EXIT_CODES}"))]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub struct Global {
    /// The store's file [default: selkie/vault.db in your data folder]
    #[arg(
        long,
        global = true,
        env = "SELKIE_STORE",
        hide_env_values = true,
        value_name = "PATH",
        help_heading = "Global options"
    )]
    pub store: Option<PathBuf>,

    /// Print JSON, one value a line, instead of text
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    /// Where the passphrase comes from.
    #[command(flatten)]
    pub secret: SecretSource,
}

/// Which relay, for the commands that talk to one.
#[derive(Args, Debug)]
pub struct RelayUrl {
    /// The relay's address
    #[arg(long = "relay", env = "SELKIE_RELAY", hide_env_values = true, value_name = "URL")]
    pub url: String,
}

/// Where devices meet, for the commands that exchange changes.
#[derive(Args, Debug)]
pub struct Meeting {
    /// The relay's address
    #[arg(
        long,
        env = "SELKIE_RELAY",
        hide_env_values = true,
        value_name = "URL",
        required_unless_present = "folder"
    )]
    relay: Option<String>,
    /// A folder that your devices share (Syncthing, iCloud Drive, a stick), instead of a relay
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Meeting {
    /// The address, as the library takes it. A folder has one address wherever a command is run.
    pub fn address(&self) -> Result<String, Failure> {
        let Some(folder) = &self.folder else { return Ok(self.relay.clone().unwrap_or_default()) };
        let path = std::path::absolute(folder).map_err(|error| Failure::file(folder, &error))?;
        if path.to_str().is_none() {
            return Err(Failure::usage("the folder's path is not valid text"));
        }
        Ok(Folder::new(path).address())
    }
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $module:ident,)*) => {
        /// One command, with its arguments.
        #[derive(Subcommand, Debug)]
        pub enum Command {
            $($(#[$doc])* #[command(after_help = $module::EXAMPLES)] $name($module::Arguments),)*
        }

        impl Command {
            /// Does what was asked.
            pub fn run(self, context: &Context) -> Result<(), Failure> {
                match self {
                    $(Self::$name(arguments) => $module::run(arguments, context),)*
                }
            }
        }
    };
}

commands! {
    /// See it all work: two devices, a relay, a conflict, and what the relay can read
    Demo = demo,
    /// Make a vault and its store on this device
    Init = init,
    /// Write a record
    Put = put,
    /// Show a record
    Get = get,
    /// Change some fields of a record (JSON Merge Patch, RFC 7396)
    Patch = patch,
    /// Delete a record
    Delete = delete,
    /// List the records of a collection, or all collections
    List = list,
    /// Find records by their fields
    Query = query,
    /// Search the text of records
    Search = search,
    /// Find the records nearest to another one, or to a vector
    Similar = similar,
    /// Show how a query would be answered
    Explain = explain,
    /// List, build or remove indexes
    Index = index,
    /// Read records with SQL
    Sql = sql,
    /// Show who changed what of a record, when, what lost and why
    History = history,
    /// Take back the last change of a record
    Undo = undo,
    /// Bring a record back to what it was at a time
    Restore = restore,
    /// Read records from a file or standard input
    Import = import,
    /// Write all records as plain text
    Export = export,
    /// Show or set what happens when two devices edit the same thing; check what is shared with others
    Policy = policy,
    /// Show or set which fields are sets, counters or lists, and what documents must meet
    Schema = schema,
    /// Take what sounds or looks personal out of any JSON
    Anonymize = anonymize,
    /// Add another device to the vault: shows a code to type there
    Invite = invite,
    /// Make this device part of a vault, with a code from another device
    Join = join,
    /// Exchange changes with the other devices, through a relay or a shared folder
    Sync = sync,
    /// Exchange changes by files: by mail, on a stick, or any other way
    Package = package,
    /// Show what the store holds and how its sync stands
    Status = status,
    /// Look for what may be wrong, and say what to do
    Doctor = doctor,
    /// Agree to deletions by another device that were held because they take too much
    ConfirmDeletions = confirm_deletions,
    /// Show what two devices edited differently, side by side
    Conflicts = conflicts,
    /// Decide conflicts: one, all alike, or one after the other with single keys
    Resolve = resolve,
    /// Show or forget how you have answered conflicts: what suggestions are made of
    Preferences = preferences,
    /// List the vault's devices
    Devices = devices,
    /// Remove a device from the vault: it gets nothing new
    Revoke = revoke,
    /// Use new keys for everything that is sent from now on
    Rotate = rotate,
    /// Make this device part of a vault with nothing but its recovery words
    Recover = recover,
    /// Change the passphrase of the store on this device
    Passphrase = passphrase,
    /// Replace the vault's recovery words, or let them open this store
    Words = words,
    /// Show words that are equal on devices that know the same members
    Fingerprint = fingerprint,
    /// Check the passphrase; with --remember, let the system's keystore open the store
    Unlock = unlock,
    /// Let the system's keystore open the store no longer
    Lock = lock,
    /// Run a relay, a server that stores what it cannot read
    Relay = relay,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_of_itself() {
        fn check(command: &clap::Command, called: &str) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n"), "{called}");
            assert!(help.lines().skip(1).any(|line| line.contains(called)), "{called}");
            for below in command.get_subcommands() {
                check(below, &format!("{called} {}", below.get_name()));
            }
        }
        check(&Cli::command(), "selkie");
    }

    #[test]
    fn no_argument_takes_a_passphrase() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!matches!(name, "passphrase" | "password" | "key"), "{name}");
                let env = argument.get_env().map(|name| name.to_string_lossy().into_owned());
                assert!(!env.is_some_and(|env| env.contains("PASS")), "{name}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
