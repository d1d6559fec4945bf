//! `selkie relay`: runs the blind server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use selkie_relay::{Config, RelayError, run_blocking};
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::GOOD;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie relay serve --data ./relay --listen 127.0.0.1:7375";

const SERVE_EXAMPLES: &str = "\
Examples:
  selkie relay serve --data ./relay
  selkie relay serve --data /var/lib/selkie --origin https://relay.example --behind-proxy
  selkie relay serve --data ./relay --listen 127.0.0.1:0 --json      any free port

It prints one line with its address once it listens, and stops on Ctrl-C or SIGTERM. It stores sealed
bytes, and has no key to read them. It does not encrypt connections itself: from outside, put a
proxy with TLS in front.";

/// What `selkie relay` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve until stopped
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
}

#[derive(Args, Debug)]
struct Serve {
    /// The folder where vaults are kept; made if there is none
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7375")]
    listen: SocketAddr,
    /// An address by which devices reach this relay; may be given several times
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Say that something in front encrypts connections, so that listening beyond this machine is safe
    #[arg(long)]
    behind_proxy: bool,
    /// Stop when standard input ends: for a program that starts a relay and may itself be killed
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

/// Runs the relay.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Command::Serve(Serve { data, listen, origin, behind_proxy, end_with_stdin }) =
        arguments.command;
    let out = context.out;
    let mut config = Config::new(&data);
    config.listen = listen;
    config.origins = origin;
    config.behind_proxy = behind_proxy;
    if end_with_stdin {
        // Everything it confirmed is on disk, so that ending at once loses nothing.
        std::thread::spawn(|| {
            let _ended_or_broken = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    let mut told = Ok(());
    run_blocking(config, |address| {
        let url = format!("http://{address}");
        let value = json!({ "url": url, "data": data });
        told = out.either(&value, format!("{} {url}", out.paint(GOOD, "relay listening on")));
    })
    .map_err(|error| failure(&error))?;
    told
}

fn failure(error: &RelayError) -> Failure {
    let (exit, code) = match error {
        RelayError::DataDir { .. } => (Exit::Store, "relay_data"),
        RelayError::InUse { .. } => (Exit::Store, "relay_in_use"),
        RelayError::NotARelayDatabase { .. } => (Exit::Store, "not_a_relay_database"),
        RelayError::NewerFormat { .. } => (Exit::Store, "relay_too_new"),
        RelayError::Database { .. } => (Exit::Store, "relay_database"),
        RelayError::Listen { .. } => (Exit::Relay, "listen"),
        RelayError::Plaintext { .. } => (Exit::Refused, "plaintext"),
        RelayError::Origin { .. } => (Exit::Refused, "origin"),
        _ => (Exit::Other, "relay"),
    };
    Failure::new(exit, code, error.to_string())
}
