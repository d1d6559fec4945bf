//! Places where devices meet.

use std::path::{Path, PathBuf};

use selkie::Vault;
use selkie::transport::{Folder, MemoryRelay, Transport};
use selkie_relay::{Background, Config};
use tempfile::TempDir;

/// A place that can lose what it holds.
pub trait Place {
    /// What it is remembered under.
    fn address(&self) -> String;
    fn connect(&self, vault: &Vault) -> Box<dyn Transport>;
    /// Loses everything.
    fn wipe(&mut self);
    /// Keeps what it holds now, for [`restore`](Self::restore).
    fn back_up(&mut self);
    /// Goes back to what it held then.
    fn restore(&mut self);
}

pub struct HttpRelay {
    relay: Option<Background>,
    address: std::net::SocketAddr,
    data: TempDir,
    kept: TempDir,
}

impl HttpRelay {
    pub fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let relay = Background::start(Config::new(data.path())).unwrap();
        let address = relay.address();
        Self { relay: Some(relay), address, data, kept: tempfile::tempdir().unwrap() }
    }

    /// Changes what is on its disk while it is stopped.
    fn stopped(&mut self, change: impl FnOnce(&Path, &Path)) {
        self.relay.take().unwrap().stop().unwrap();
        change(self.data.path(), self.kept.path());
        let mut config = Config::new(self.data.path());
        config.listen = self.address;
        self.relay = Some(Background::start(config).unwrap());
    }
}

impl Place for HttpRelay {
    fn address(&self) -> String {
        format!("http://{}", self.address)
    }
    fn connect(&self, vault: &Vault) -> Box<dyn Transport> {
        vault.transport(&self.address()).unwrap()
    }
    fn wipe(&mut self) {
        self.stopped(|data, _| empty(data));
    }
    fn back_up(&mut self) {
        self.stopped(copy);
    }
    fn restore(&mut self) {
        self.stopped(|data, kept| {
            empty(data);
            copy(kept, data);
        });
    }
}

pub struct SharedFolder {
    pub folder: TempDir,
    kept: TempDir,
}

impl SharedFolder {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), kept: tempfile::tempdir().unwrap() }
    }

    /// Where a device's files are.
    pub fn device(&self, vault: &Vault) -> PathBuf {
        let vaults = self.folder.path().join("v1").join(vault.id().to_string());
        vaults.join("d").join(vault.status().unwrap().chain.to_string())
    }
}

impl Place for SharedFolder {
    fn address(&self) -> String {
        Folder::new(self.folder.path()).address()
    }
    fn connect(&self, vault: &Vault) -> Box<dyn Transport> {
        vault.transport(&self.address()).unwrap()
    }
    fn wipe(&mut self) {
        empty(self.folder.path());
    }
    fn back_up(&mut self) {
        copy(self.folder.path(), self.kept.path());
    }
    fn restore(&mut self) {
        empty(self.folder.path());
        copy(self.kept.path(), self.folder.path());
    }
}

pub struct Memory {
    relay: MemoryRelay,
    kept: MemoryRelay,
}

impl Memory {
    pub fn new() -> Self {
        Self { relay: MemoryRelay::new(), kept: MemoryRelay::new() }
    }
}

impl Place for Memory {
    fn address(&self) -> String {
        "memory".to_owned()
    }
    fn connect(&self, vault: &Vault) -> Box<dyn Transport> {
        Box::new(self.relay.connect(vault.device_id()))
    }
    fn wipe(&mut self) {
        self.relay.wipe();
    }
    fn back_up(&mut self) {
        self.kept = self.relay.backup();
    }
    fn restore(&mut self) {
        self.relay = self.kept.backup();
    }
}

fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
