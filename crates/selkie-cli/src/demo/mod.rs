//! The demo: two devices, one relay that can read nothing, a conflict, and proofs.
//!
//! In: nothing but a terminal. Out: a story that a person reads in half a minute, with claims that are
//! checked while it is told. What never happens here: a claim without a check.

mod beginning;
mod holdings;
mod meeting;
mod memory;
mod parting;
mod proofs;
mod relay_process;
mod search;
mod story;

use std::path::{Path, PathBuf};

use selkie::Vault;

use crate::exit::Failure;
use crate::output::{BOLD, DIM, Output};

use relay_process::RelayProcess;
use story::Story;

/// 344 penguins, measured at their nests.
const PENGUINS: &str = include_str!("../../data/penguins.ndjson");
const COLLECTION: &str = "penguins";
const PHONE_PASSPHRASE: &str = "low tide below the skerries";
const LAPTOP_PASSPHRASE: &str = "a lantern over the sound";

/// Everything that is on stage. Dropped in order: the relay ends before its folder goes.
struct Stage {
    story: Story,
    relay: Option<RelayProcess>,
    phone: Option<Vault>,
    laptop: Option<Vault>,
    /// Words that must not lie in any file, beside the records: passphrases, recovery words, the code.
    secrets: Vec<search::Needle>,
    /// Where the relay listened before the network went away.
    offline_address: String,
    root: PathBuf,
}

/// Plays it. With `keep`, the files stay.
pub fn play(out: Output, keep: bool) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("selkie-demo-").tempdir()?;
    let root = folder.path().to_owned();
    // Kept from the beginning: a demo that fails is the one whose files are wanted.
    let _folder = if keep {
        let _path = folder.keep();
        None
    } else {
        Some(folder)
    };
    let mut stage = Stage {
        story: Story::new(out),
        relay: None,
        phone: None,
        laptop: None,
        secrets: proofs::passphrases(),
        offline_address: String::new(),
        root: root.clone(),
    };
    stage.play()?;
    let Stage { story, relay, phone, laptop, .. } = stage;
    drop((phone, laptop, relay));
    if keep {
        story.line(&format!("\nThe files are in {}", root.display()))?;
    }
    story.end(keep.then_some(root.as_path()))
}

impl Stage {
    fn play(&mut self) -> Result<(), Failure> {
        let out = *self.story.out();
        self.story.line(&out.paint(
            BOLD,
            "Selkie: your data is sealed at sea, and itself only on your own shore.",
        ))?;
        let intro = "A phone, a laptop, and a server between them that can read nothing. Everything below is real.";
        self.story.line(&out.paint(DIM, intro))?;
        self.start_relay()?;
        self.make_phone()?;
        self.import()?;
        self.first_sync()?;
        self.join_laptop()?;
        self.go_offline()?;
        self.edit_apart()?;
        self.meet_again()?;
        self.add_up()?;
        self.decide()?;
        self.remember()?;
        self.prove_equal()?;
        self.search_everywhere()?;
        self.show_holdings()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder of one device's store.
    fn store(&self, device: &str) -> PathBuf {
        self.folder(device).join("vault.db")
    }

    fn url(&self) -> Result<String, Failure> {
        let relay = self.relay.as_ref().ok_or_else(not_on_stage)?;
        Ok(relay.url.clone())
    }

    fn phone(&self) -> Result<&Vault, Failure> {
        self.phone.as_ref().ok_or_else(not_on_stage)
    }

    fn laptop(&self) -> Result<&Vault, Failure> {
        self.laptop.as_ref().ok_or_else(not_on_stage)
    }

    /// Names a device by its role.
    fn name_of(&self, device: &str) -> &'static str {
        let is = |vault: &Option<Vault>| {
            vault.as_ref().is_some_and(|vault| vault.device_id().to_string() == device)
        };
        if is(&self.phone) {
            "phone"
        } else if is(&self.laptop) {
            "laptop"
        } else {
            "unknown device"
        }
    }
}

fn not_on_stage() -> Failure {
    Failure::new(crate::exit::Exit::Other, "demo", "a scene of the demo came before its actors")
}

/// How many bytes the files below a folder have.
fn size_of(folder: &Path) -> Result<u64, Failure> {
    let files = search::files_below(folder)?;
    Ok(files.iter().map(|(_, bytes)| bytes.len() as u64).sum())
}
