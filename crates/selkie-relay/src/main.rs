//! `selkie-relay DATA_DIR [ADDRESS]`: the relay alone, in a program that holds no cipher at all.
//! `selkie relay serve` has more options.

use std::process::ExitCode;

use selkie_relay::{Config, Log, run_blocking};

const USAGE: &str = "usage: selkie-relay DATA_DIR [ADDRESS]\n\
    \n  DATA_DIR  where vaults are kept\n  ADDRESS   where to listen (127.0.0.1:7375)";
const ADDRESS: &str = "127.0.0.1:7375";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let data_dir = arguments.next().filter(|first| !first.to_string_lossy().starts_with('-'));
    let address = arguments.next().unwrap_or_else(|| ADDRESS.into());
    let listen = address.to_str().and_then(|text| text.parse().ok());
    let (Some(data_dir), Some(listen), None) = (data_dir, listen, arguments.next()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut config = Config::new(data_dir);
    config.listen = listen;
    config.log = Log::from_fn(|line| eprintln!("selkie-relay: {line}"));
    match run_blocking(config, |address| println!("listening on http://{address}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("selkie-relay: {error}");
            ExitCode::FAILURE
        }
    }
}
