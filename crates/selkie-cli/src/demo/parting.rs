//! Apart and together again: edits without a network, a merge, conflicts, decisions.

use selkie::{DeviceId, ErrorKind, OpenConflict, Resolution, SideContent, Vault};
use serde_json::{Value, json};

use super::memory::{COUNTED, TAGS};
use super::relay_process::RelayProcess;
use super::{COLLECTION, Stage};
use crate::commands::conflicts::document_of;
use crate::commands::sync::report_text;
use crate::conflict_view::{self, Scene};
use crate::exit::Failure;
use crate::{text, time_text};

/// Different fields on both devices: merges by itself.
const MERGES: &str = "gentoo-042";
/// The same field on both: a conflict.
pub(super) const CLASHES: &str = "adelie-007";
/// Deleted on the phone, edited on the laptop: a conflict.
const DELETED: &str = "chinstrap-011";
/// What the laptop writes; it must turn up in no file.
pub(super) const NOTE: &str = "left flipper scarred, band replaced";
pub(super) const DELETED_NOTE: &str = "seen again at the north colony";

impl Stage {
    pub(super) fn go_offline(&mut self) -> Result<(), Failure> {
        self.story.step("The network goes away")?;
        let url = self.url()?;
        let address = self.relay.as_ref().map(|relay| relay.address().to_owned());
        if let Some(relay) = self.relay.take() {
            relay.kill();
        }
        self.story.say("The relay is killed (kill -9), so both devices are on their own.")?;
        let error = self.phone()?.sync(&url, &mut |_| {}).err();
        let is_network = error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Network);
        if let Some(error) = error {
            self.story.aside(&format!("phone, sync: {}", text::plain(&error.to_string())))?;
        }
        self.offline_address = address.unwrap_or_default();
        self.story.prove(
            "offline",
            is_network,
            "sync says plainly that there is no network; the store does not mind".to_owned(),
        )
    }

    pub(super) fn edit_apart(&mut self) -> Result<(), Failure> {
        self.story.step("Both edit, apart")?;
        let (phone, laptop) =
            (self.phone()?.collection(COLLECTION)?, self.laptop()?.collection(COLLECTION)?);
        phone.patch(MERGES, &json!({ "body_mass_g": 5750 }))?;
        laptop.patch(MERGES, &json!({ "comments": NOTE }))?;
        phone.patch(CLASHES, &json!({ "body_mass_g": 3650 }))?;
        laptop.patch(CLASHES, &json!({ "body_mass_g": 3700 }))?;
        phone.delete(DELETED)?;
        laptop.patch(DELETED, &json!({ "comments": DELETED_NOTE }))?;
        let [_, moulting, nesting] = TAGS;
        self.tag("phone", nesting, 1)?;
        self.tag("laptop", moulting, 2)?;
        self.story.say(&format!(
            "{MERGES:<14} phone: body_mass_g 5750      laptop: comments \"{NOTE}\"\n\
             {CLASHES:<14} phone: body_mass_g 3650      laptop: body_mass_g 3700\n\
             {DELETED:<14} phone: deletes it            laptop: comments \"{DELETED_NOTE}\"\n\
             {COUNTED:<14} phone: seen +1, \"{nesting}\"    laptop: seen +2, \"{moulting}\""
        ))?;
        self.story.done("eight edits, each encrypted and on disk before the call returned")
    }

    pub(super) fn meet_again(&mut self) -> Result<(), Failure> {
        self.story.step("The network is back")?;
        let relay = RelayProcess::start(&self.folder("relay"), &self.offline_address)?;
        self.story
            .say("The relay starts again on the same files; nothing it had confirmed is lost.")?;
        self.relay = Some(relay);
        self.sync("phone")?;
        self.sync("laptop")?;
        self.sync("phone")?;
        let merged = |vault: &Vault| -> Result<bool, Failure> {
            let record = vault.collection(COLLECTION)?.get(MERGES)?;
            let document = record.map(|record| record.document).unwrap_or_default();
            Ok(document.get("body_mass_g") == Some(&json!(5750))
                && document.get("comments").and_then(Value::as_str) == Some(NOTE))
        };
        let holds = merged(self.phone()?)? && merged(self.laptop()?)?;
        self.story.prove(
            "merge",
            holds,
            format!("{MERGES} merged by itself: both edits are there, on both devices"),
        )
    }

    fn sync(&self, device: &str) -> Result<(), Failure> {
        let vault = if device == "phone" { self.phone()? } else { self.laptop()? };
        let report = vault.sync(&self.url()?, &mut |_| {})?;
        self.story.say(&format!("{device:<8} {}", report_text(&report)))
    }

    pub(super) fn decide(&mut self) -> Result<(), Failure> {
        self.story.step("Two conflicts are put to a person")?;
        self.story
            .say("Both devices show the same, whichever synced first; nothing was thrown away.")?;
        let open = self.phone()?.conflicts(None)?;
        let tokens = |open: &[OpenConflict]| {
            let mut tokens: Vec<_> = open.iter().map(|open| open.token.clone()).collect();
            tokens.sort();
            tokens
        };
        let same = tokens(&open) == tokens(&self.laptop()?.conflicts(None)?);
        let name_of = |device: &DeviceId| self.name_of(&device.to_string()).to_owned();
        for conflict in &open {
            self.story.line("")?;
            let document = document_of(self.phone()?, conflict)?;
            let (document, now_ms) = (document.as_ref(), time_text::now_ms());
            let scene = Scene { name_of: &name_of, document, now_ms };
            let lines = conflict_view::lines(conflict, &scene, self.story.out());
            self.story.say(&lines.join("\n"))?;
        }
        self.story.line("")?;
        let count = open.len();
        self.story.prove(
            "conflicts",
            same && count == 2,
            format!("the same {count} conflicts are open on both devices"),
        )?;
        self.story.say("Your decisions: the laptop's weight, and the record is kept.")?;
        for conflict in &open {
            self.resolve(conflict)?;
        }
        self.sync("phone")?;
        self.sync("laptop")?;
        self.prove_decided()
    }

    /// The phone decides; the laptop learns of it by sync.
    fn resolve(&self, open: &OpenConflict) -> Result<(), Failure> {
        let wanted = |content: &SideContent| match content {
            SideContent::Value(value) => *value == json!(3700),
            content => *content == SideContent::Kept,
        };
        let side = open.conflict.sides.iter().position(|side| wanted(&side.content));
        let side = side.ok_or_else(super::not_on_stage)?;
        self.phone()?.resolve(&open.collection, &open.id, &open.token, Resolution::Side(side))?;
        let place = text::plain(&conflict_view::place(open));
        self.story.say(&format!("selkie resolve {place} --side {}", side + 1))
    }

    fn prove_decided(&mut self) -> Result<(), Failure> {
        let mut decided = true;
        for vault in [self.phone()?, self.laptop()?] {
            let records = vault.collection(COLLECTION)?;
            let field = |id: &str, name: &str| -> Result<Option<Value>, Failure> {
                Ok(records.get(id)?.and_then(|record| record.document.get(name).cloned()))
            };
            decided &= vault.conflicts(None)?.is_empty();
            decided &= field(CLASHES, "body_mass_g")? == Some(json!(3700));
            decided &= field(DELETED, "comments")? == Some(json!(DELETED_NOTE));
        }
        self.story.prove("decisions", decided, "both decisions stand on both devices".to_owned())
    }
}
