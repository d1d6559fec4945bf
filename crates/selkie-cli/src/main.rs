//! The `selkie` command: an encrypted store in a terminal, its sync, and its relay.

mod args;
mod ask;
mod commands;
mod conflict_view;
mod context;
mod demo;
mod exit;
mod field_text;
mod interrupt;
mod json;
mod json_text;
mod keystore;
mod output;
mod passphrase;
mod qr;
mod records;
mod text;
mod time_text;
mod words_out;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let context = Context::new(cli.global);
    match cli.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.reader_left => ExitCode::SUCCESS,
        Err(failure) => {
            context.out.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Help and version are printed as asked for; anything else is a command line that makes no sense.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // What `--json` would have set was not parsed; a script that gives it must get JSON all the same.
    if !is_help && std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let message = message.trim().trim_start_matches("error: ");
        Output::new(true).failure(&Failure::usage(message));
    } else {
        let _nowhere_to_say = error.print();
    }
    if is_help { ExitCode::SUCCESS } else { ExitCode::from(Exit::Usage as u8) }
}
