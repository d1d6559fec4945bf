//! The first scenes: a relay, a phone with a vault, its records, its first sync.

use std::fs;

use selkie::{CollectionPolicy, NewVault, Unlock, Vault};

use super::memory::TAGS;
use super::relay_process::RelayProcess;
use super::search::Needle;
use super::{COLLECTION, PENGUINS, PHONE_PASSPHRASE, Stage, size_of};
use crate::commands::import::{Importer, Items};
use crate::commands::sync::report_text;
use crate::exit::Failure;
use crate::text;

impl Stage {
    pub(super) fn start_relay(&mut self) -> Result<(), Failure> {
        self.story.step("A relay starts")?;
        let relay = RelayProcess::start(&self.folder("relay"), "127.0.0.1:0")?;
        self.story
            .say("A server anyone could run. It will store sealed bytes, and never has a key.")?;
        let (url, id) = (relay.url.clone(), relay.id());
        self.relay = Some(relay);
        self.story.done(&format!("listening on {url}, as a process of its own ({id})"))
    }

    pub(super) fn make_phone(&mut self) -> Result<(), Failure> {
        self.story.step("The phone makes a vault")?;
        self.story.say(
            "One SQLite file, encrypted as a whole (SQLCipher). The passphrase opens a key slot beside it;\n\
             24 recovery words, shown once, open another. Neither ever leaves the device.",
        )?;
        fs::create_dir_all(self.folder("phone"))?;
        let unlock = Unlock::Passphrase(PHONE_PASSPHRASE);
        let NewVault { vault, recovery_words } = Vault::create(self.store("phone"), unlock)?;
        let words: Vec<&str> = recovery_words.as_str().split(' ').collect();
        let some = |from: usize, count: usize| {
            words.iter().skip(from).take(count).copied().collect::<Vec<_>>().join(" ")
        };
        self.story.aside(&format!(
            "recovery words: {} … (yours would be for your eyes only)",
            some(0, 3)
        ))?;
        self.secrets.push(Needle { what: "recovery words", text: some(0, 4) });
        self.secrets.push(Needle { what: "recovery words", text: some(words.len() - 4, 4) });
        let id: String = vault.id().to_string().chars().take(16).collect();
        self.phone = Some(vault);
        self.story.done(&format!("vault {id}…"))
    }

    pub(super) fn import(&mut self) -> Result<(), Failure> {
        self.story.step("The phone collects field data")?;
        self.story.say(
            "344 penguins measured at their nests near Palmer Station, Antarctica, 2007–2009.\n\
             Data: Gorman, Williams & Fraser 2014, the \"Palmer penguins\", CC0 1.0 (public domain).",
        )?;
        self.declare_types()?;
        let phone = self.phone()?;
        let mut importer = Importer::new(phone, COLLECTION, "id".to_owned());
        importer.import(Items::new(PENGUINS.as_bytes()), |_| {})?;
        let stored = importer.stored();
        let policy = CollectionPolicy::from_names("user_choice", "user_choice")
            .map_err(|error| Failure::refused("policy", error.to_string()))?;
        phone.set_policy(COLLECTION, policy)?;
        let [first, ..] = TAGS;
        self.tag("phone", first, 1)?;
        self.story
            .aside("policy: if two devices edit the same field apart, ask me (user_choice)")?;
        let all = stored == 344 && self.phone()?.collection(COLLECTION)?.count()? == 344;
        let records = text::counted(stored, "record");
        self.story.done(&format!("{records} stored, encrypted and durable"))?;
        self.story.prove("import", all, format!("{records} of 344 can be read back"))
    }

    pub(super) fn first_sync(&mut self) -> Result<(), Failure> {
        self.story.step("The phone syncs")?;
        self.story.say(
            "Changes become segments: compressed, padded so that sizes tell little, encrypted, signed and\n\
             chained. A relay can neither read nor forge one, nor leave one out of the chain unnoticed.",
        )?;
        let report = self.phone()?.sync(&self.url()?, &mut |_| {})?;
        let plain = text::bytes(PENGUINS.len() as u64);
        self.story.aside(&format!(
            "the records are {plain} of plain JSON; they were imported as one transaction, so as one change"
        ))?;
        self.story.done(&report_text(&report))?;
        let held = size_of(&self.folder("relay"))?;
        self.story.aside(&format!("the relay's files are {} now", text::bytes(held)))
    }
}
