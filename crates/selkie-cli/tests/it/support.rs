//! Devices and relays for the tests: real processes, with folders of their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub const PASSPHRASE: &str = "seals sleep under water";

/// What a finished command left.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The JSON values on standard output, one a line.
    pub fn values(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The code of the error object on standard error; the last line there.
    pub fn error_code(&self) -> String {
        let last = self.stderr.lines().last().unwrap_or_else(|| panic!("no error: {self:?}"));
        let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{self:?}"));
        let object = &error["error"];
        assert!(!object["message"].as_str().unwrap().is_empty(), "{error}");
        object["code"].as_str().unwrap().to_owned()
    }
}

/// The command, without anything of the surroundings that could change it.
pub fn selkie() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selkie"));
    command.env_remove("SELKIE_STORE").env_remove("SELKIE_RELAY").env_remove("NO_COLOR");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, with `input` on standard input.
pub fn run(mut command: Command, input: &[u8]) -> Done {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command may end without reading what it is given; then the pipe is closed, and that is fine.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with a store or a place for one, and its passphrase in a file.
pub struct Device {
    folder: TempDir,
}

impl Device {
    /// A device without a store.
    pub fn without_store() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        Self { folder }
    }

    /// A device with a new vault.
    pub fn new() -> Self {
        let device = Self::without_store();
        let words = device.path("words");
        device.ok(&["init", "--recovery-words-file", words.to_str().unwrap()]);
        device
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("vault.db")
    }

    /// A file with the given content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The command on this device's store, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = selkie();
        command.arg("--store").arg(self.store());
        command.arg("--passphrase-file").arg(self.path("passphrase"));
        command.args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        run(self.command(arguments), b"")
    }

    pub fn run_with(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Done {
        run(self.command(arguments), input.as_ref())
    }

    /// Runs, must succeed, and returns standard output.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.stdout
    }

    /// Runs with `--json`, must succeed, and returns the values.
    #[track_caller]
    pub fn values(&self, arguments: &[&str]) -> Vec<Value> {
        let done = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.values()
    }

    /// The only value.
    #[track_caller]
    pub fn value(&self, arguments: &[&str]) -> Value {
        let mut values = self.values(arguments);
        assert_eq!(values.len(), 1, "{arguments:?}: {values:?}");
        values.remove(0)
    }

    /// Runs with `--json`, must fail, and returns the exit code and the error's code.
    #[track_caller]
    pub fn error(&self, arguments: &[&str]) -> (i32, String) {
        let done = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(done.stdout, "", "{arguments:?}");
        (done.code, done.error_code())
    }

    /// Equal on devices that hold the same.
    pub fn digest(&self) -> String {
        self.value(&["status", "--digest"])["digest"].as_str().unwrap().to_owned()
    }
}

/// A command that is under way; killed when dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Waits for the next line of standard output, which must be JSON.
    pub fn next_value(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}, {}", self.stderr()))
    }

    /// Types a line.
    pub fn answer(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for its end; the exit code, and what it wrote to standard error.
    pub fn end(mut self) -> (i32, String) {
        drop(self.stdin.take());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.stderr())
    }

    /// Is told to stop, as ^C does; its exit code, and what it wrote to standard error.
    pub fn interrupt(self) -> (i32, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.end()
    }

    fn stderr(&mut self) -> String {
        let stderr = self.child.stderr.take().unwrap();
        std::io::read_to_string(stderr).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _collected = self.child.wait();
    }
}

/// A relay process on a free port.
pub struct Relay {
    _process: Running,
    pub url: String,
    pub data: TempDir,
}

impl Relay {
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (process, url) = serve(data.path());
        Self { _process: process, url, data }
    }
}

/// Starts a relay and waits until it listens.
pub fn serve(data: &Path) -> (Running, String) {
    let mut command = selkie();
    command.args(["relay", "serve", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut process = Running::start(command);
    let ready = process.next_value();
    (process, ready["url"].as_str().unwrap().to_owned())
}

/// A server that reads a request's beginning, answers each connection with the same bytes, and closes
/// it.
pub fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { break };
            let mut begun = [0; 1024];
            let _client_may_leave = std::io::Read::read(&mut connection, &mut begun);
            let _client_may_leave = connection.write_all(bytes);
        }
    });
    url
}

/// Makes `laptop` part of `phone`'s vault, by the pairing code; fails the test if it does not work.
pub fn join(phone: &Device, laptop: &Device, relay: &str) {
    let (mut inviting, code) = invite(phone, relay);
    let mut joining = Running::start(laptop.command(&["join", "--relay", relay, "--json"]));
    joining.answer(&code);
    let digits = [inviting.next_value(), joining.next_value()];
    assert_eq!(digits[0]["digits"], digits[1]["digits"]);
    inviting.answer("y");
    joining.answer("y");
    assert_eq!(inviting.next_value()["event"], "added");
    assert_eq!(joining.next_value()["event"], "joined");
    assert_eq!(joining.next_value()["event"], "synced");
    assert_eq!(inviting.end().0, 0);
    assert_eq!(joining.end().0, 0);
}

/// An invitation that waits, and its code.
pub fn invite(device: &Device, relay: &str) -> (Running, String) {
    let mut inviting = Running::start(device.command(&["invite", "--relay", relay, "--json"]));
    let code = inviting.next_value();
    assert_eq!(code["event"], "code");
    (inviting, code["code"].as_str().unwrap().to_owned())
}

/// Two devices that edited `birds/a` (mass), `birds/b` (mass, note) and deleted `birds/c` apart.
pub fn apart() -> (Relay, Device, Device) {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    for id in ["a", "b", "c"] {
        phone.ok(&["put", "birds", id, r#"{"mass": 4000, "note": ""}"#]);
    }
    phone.ok(&["policy", "birds", "--conflicts", "user_choice", "--on-delete", "user_choice"]);
    join(&phone, &laptop, &relay.url);
    phone.ok(&["patch", "birds", "a", r#"{"mass": 4100}"#]);
    laptop.ok(&["patch", "birds", "a", r#"{"mass": 4200}"#]);
    phone.ok(&["patch", "birds", "b", r#"{"mass": 4100}"#]);
    laptop.ok(&["patch", "birds", "b", r#"{"note": "ringed"}"#]);
    phone.ok(&["delete", "birds", "c"]);
    laptop.ok(&["patch", "birds", "c", r#"{"note": "seen"}"#]);
    sync(&relay, [&phone, &laptop, &phone]);
    (relay, phone, laptop)
}

/// Syncs one after the other.
pub fn sync<const N: usize>(relay: &Relay, devices: [&Device; N]) {
    for device in devices {
        device.ok(&["sync", "--relay", &relay.url]);
    }
}
