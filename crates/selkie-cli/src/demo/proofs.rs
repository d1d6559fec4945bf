//! The last scenes: both stores are equal, nothing readable lies anywhere, and what the relay holds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::holdings::{self, Segment};
use super::memory::TAGS;
use super::parting::{DELETED_NOTE, NOTE};
use super::search::{Hit, Needle, Search, base64, files_below, hex};
use super::{COLLECTION, LAPTOP_PASSPHRASE, PENGUINS, PHONE_PASSPHRASE, Stage};
use crate::commands::list::each_record;
use crate::exit::Failure;
use crate::output::{BAD, BOLD, GOOD};
use crate::{records, text};

/// Shorter text turns up in random bytes by chance.
const NEEDLE_BYTES_MIN: usize = 6;
/// One record in so many gives its id to the search; a spelling of each would slow it down.
const EVERY: usize = 20;

impl Stage {
    pub(super) fn prove_equal(&mut self) -> Result<(), Failure> {
        self.story.step("Both stores are equal")?;
        let (phone, laptop) =
            (self.phone()?.digest()?.to_string(), self.laptop()?.digest()?.to_string());
        let short = |digest: &str| text::cut(digest, 41);
        self.story.say(&format!("phone   {}\nlaptop  {}", short(&phone), short(&laptop)))?;
        self.story.prove(
            "equal",
            phone == laptop,
            "the digests of both stores are the same".to_owned(),
        )
    }

    pub(super) fn search_everywhere(&mut self) -> Result<(), Failure> {
        self.story.step("No plaintext, anywhere")?;
        let mut needles = needles();
        needles.append(&mut self.secrets.clone());
        let search = Search::new(&needles);
        self.story.say(&format!(
            "Every byte of every file, searched for {} texts: names of fields, species, ids, comments,\n\
             passphrases, recovery words, the pairing code; as text, UTF-16, hexadecimal and base64.",
            needles.len()
        ))?;

        // The control: the same search must find every text in what is not encrypted.
        let mut plain = self.export()?;
        for Needle { text, .. } in &self.secrets {
            plain.push_str(text);
            plain.push('\n');
        }
        let plain = plain.as_bytes();
        let controls = [plain.to_vec(), hex(plain).into_bytes(), base64(plain).into_bytes()];
        let finds_all = |control: &&Vec<u8>| {
            let found: BTreeSet<_> =
                search.in_bytes(control).iter().map(|hit| hit.needle).collect();
            found.len() == needles.len()
        };
        let works = controls.iter().filter(finds_all).count() == controls.len();
        self.story.prove(
            "control",
            works,
            format!(
                "the search itself works: in an unencrypted copy, held in memory, it finds all {}",
                needles.len()
            ),
        )?;
        for (folder, what) in
            [("relay", "relay"), ("phone", "phone's store"), ("laptop", "laptop's store")]
        {
            self.search_folder(folder, what, &search, &needles)?;
        }
        Ok(())
    }

    fn search_folder(
        &mut self,
        folder: &'static str,
        what: &str,
        search: &Search,
        needles: &[Needle],
    ) -> Result<(), Failure> {
        let files = files_below(&self.folder(folder))?;
        let size: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let hits: Vec<_> =
            files.iter().map(|(path, bytes)| (path, search.in_bytes(bytes))).collect();
        let count: usize = hits.iter().map(|(_, hits)| hits.len()).sum();
        let (count_text, files_text) =
            (text::counted(count as u64, "hit"), text::counted(files.len() as u64, "file"));
        let has_something = size > 0;
        self.story.prove(
            match folder {
                "relay" => "relay reads nothing",
                "phone" => "phone at rest",
                _ => "laptop at rest",
            },
            count == 0 && has_something,
            format!("{what}: {count_text} in {files_text}, {}", text::bytes(size)),
        )?;
        for (path, hits) in hits {
            for Hit { needle, encoding } in hits.iter().take(3) {
                let found = needles.get(*needle).map_or("?", |needle| needle.what);
                let line = format!("{}: {found}, as {encoding}", path.display());
                self.story.say(&self.story.out().paint(BAD, line))?;
            }
        }
        Ok(())
    }

    /// What `selkie export --plain` would write; it never touches the disk.
    fn export(&self) -> Result<String, Failure> {
        let mut export = String::new();
        each_record(self.phone()?, COLLECTION, None, u64::MAX, |record| {
            export.push_str(&records::to_json(COLLECTION, record).to_string());
            export.push('\n');
            Ok(())
        })?;
        Ok(export)
    }

    pub(super) fn show_holdings(&mut self) -> Result<(), Failure> {
        self.story.step("What the relay has")?;
        let files: Vec<(PathBuf, Vec<u8>)> = files_below(&self.folder("relay"))?;
        let segments = holdings::segments(&files);
        self.story.say("Sealed segments, as anyone with its disk sees them:")?;
        for segment in &segments {
            let Segment { device, number, size_bytes, .. } = segment;
            let name = self.name_of(device);
            let (short, size) = (text::cut(device, 9), text::bytes(*size_bytes as u64));
            self.story.say(&format!("{name:<7} {short}  segment {number:<2} {size:>10}"))?;
        }
        if let Some(Segment { ciphertext, .. }) = segments.first() {
            let bytes: Vec<_> = ciphertext.iter().map(|byte| format!("{byte:02x}")).collect();
            self.story.say(&format!("the first one begins    {}", bytes.join(" ")))?;
        }
        let devices: BTreeSet<_> = segments.iter().map(|segment| &segment.device).collect();
        let size: usize = segments.iter().map(|segment| segment.size_bytes).sum();
        let both = devices.len() == 2;
        self.story.prove(
            "holdings",
            both,
            format!(
                "{} of {}, {}: who, when and how much; never what",
                text::counted(segments.len() as u64, "segment"),
                text::counted(devices.len() as u64, "device"),
                text::bytes(size as u64),
            ),
        )?;
        let out = *self.story.out();
        self.story.line("")?;
        self.story.line(&out.paint(BOLD, "Try it yourself"))?;
        self.story.line(&format!("  {}", out.paint(GOOD, "selkie init && selkie --help")))
    }
}

/// Texts that are in the records, and so in a plain export.
fn needles() -> Vec<Needle> {
    let mut seen = BTreeSet::new();
    let mut needles = Vec::new();
    let mut add = |what: &'static str, text: &str| {
        if text.len() >= NEEDLE_BYTES_MIN && text.is_ascii() && seen.insert(text.to_owned()) {
            needles.push(Needle { what, text: text.to_owned() });
        }
    };
    add("the collection's name", COLLECTION);
    add("an edit", NOTE);
    add("an edit", DELETED_NOTE);
    TAGS.iter().for_each(|tag| add("a tag", tag));
    for (at, line) in PENGUINS.lines().enumerate() {
        let Ok(Value::Object(record)) = serde_json::from_str(line) else { continue };
        record.keys().for_each(|field| add("a field's name", field));
        for (field, value) in &record {
            let Some(value) = value.as_str() else { continue };
            match field.as_str() {
                "species" => add("a species", value),
                "scientific_name" => add("a scientific name", value),
                "island" => add("an island", value),
                "id" if at % EVERY == 0 => add("a record's id", value),
                _ => {}
            }
        }
    }
    needles
}

/// What protects the stores, and must lie in no file either.
pub(super) fn passphrases() -> Vec<Needle> {
    let needle = |text: &str| Needle { what: "a passphrase", text: text.to_owned() };
    vec![needle(PHONE_PASSPHRASE), needle(LAPTOP_PASSPHRASE)]
}
