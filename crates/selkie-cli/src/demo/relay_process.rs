//! A real relay beside the demo: another process, ended whatever happens. If the demo itself is killed,
//! the relay's standard input ends, and with it the relay.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::exit::{Exit, Failure};

/// A relay process; killed when dropped.
pub struct RelayProcess {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl RelayProcess {
    /// Starts this very program as a relay, and waits until it listens.
    pub fn start(data: &Path, listen: &str) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args([
            "relay",
            "serve",
            "--json",
            "--end-with-stdin",
            "--listen",
            listen,
            "--data",
        ]);
        command.arg(data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut relay = Self { child: command.spawn()?, url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = relay.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let ready: Option<Value> = serde_json::from_str(&line).ok();
        let url = ready.as_ref().and_then(|ready| ready.get("url")).and_then(Value::as_str);
        let Some(url) = url else {
            return Err(Failure::new(Exit::Relay, "relay_start", "the relay did not start")
                .help("see why with: selkie relay serve --data DIR --listen 127.0.0.1:0"));
        };
        relay.url = url.to_owned();
        Ok(relay)
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Ends it at once, as a power cut would: no farewell, no tidying up.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself; either way it must not be left as a zombie.
        let _ended_already = self.child.kill();
        let _collected = self.child.wait();
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        self.end();
    }
}
