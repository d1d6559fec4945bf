//! What is fuzzed: each function takes any bytes and must neither panic nor take more than its bounds.
//!
//! `fuzz/` runs them under cargo-fuzz; a test of this crate replays every input kept in `fuzz/corpus`. In:
//! bytes as they come from a relay, a folder, a file or a person. Out: nothing. What never happens here:
//! a check that the parser itself should make. Where a parser gives something back, its own writer must
//! make the same bytes of it: one value has one encoding.

use selkie_core::change::{Change, ChangeNumber, Dot};
use selkie_core::keys::{KeySlots, PairingCode, RecoveryCode};
use selkie_core::merge::unpack;
use selkie_core::record::{Document, Path};
use selkie_core::seal::SegmentBody;
use selkie_wire::package::read_package;
use selkie_wire::relay::{
    ChallengeRequest, PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
    TokenRequest,
};
use selkie_wire::{DeviceId, Envelope, Roster, RosterEntry, cbor};

/// A parser and its name; the name is that of its folder in `fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 10] = [
    ("envelope", envelope),
    ("roster", roster),
    ("segment_body", segment_body),
    ("change", change),
    ("packed_state", packed_state),
    ("key_slots", key_slots),
    ("codes", codes),
    ("relay_messages", relay_messages),
    ("package", package),
    ("path", path),
];

/// An envelope keeps its bytes.
pub fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::parse(bytes.to_vec()) {
        assert_eq!(envelope.bytes(), bytes);
        let header = envelope.header().to_bytes();
        assert_eq!(Some(&header[..]), bytes.get(..header.len()));
        let _signed = envelope.verify(&[1; 32]);
    }
}

/// One roster entry, and entries in a row, each behind its length in two bytes.
pub fn roster(bytes: &[u8]) {
    let _one = RosterEntry::parse(bytes.to_vec());
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
        entries.push(entry.to_vec());
        rest = after;
    }
    let _all = Roster::from_entries(entries);
}

/// A segment's body has one encoding.
pub fn segment_body(bytes: &[u8]) {
    if let Ok(body) = SegmentBody::from_cbor(bytes) {
        assert_eq!(body.to_cbor().map(|again| again.to_vec()), Ok(bytes.to_vec()));
    }
}

/// A change that is read writes a change that reads the same.
pub fn change(bytes: &[u8]) {
    let dot = Dot { device: DeviceId([1; 16]), number: ChangeNumber(1) };
    if let Ok(change) = Change::from_bytes(dot, bytes) {
        assert_eq!(Change::from_bytes(dot, &change.to_bytes()), Ok(change));
    }
}

/// A record's state beside nothing, and beside a document.
pub fn packed_state(bytes: &[u8]) {
    let _deleted = unpack(bytes, None);
    if let Ok(document) = Document::from_json(r#"{"a":1,"b":{"c":[2]}}"#) {
        let _shown = unpack(bytes, Some(&document));
    }
}

/// A key-slot file that is read is written as it was.
pub fn key_slots(bytes: &[u8]) {
    if let Ok(slots) = KeySlots::parse(bytes) {
        assert_eq!(*slots.to_bytes(), *bytes);
    }
}

/// What people type: pairing codes and recovery words.
pub fn codes(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(code) = PairingCode::parse(text) {
        assert!(PairingCode::parse(&code.text()).is_ok_and(|again| *again.text() == *code.text()));
    }
    let _words = RecoveryCode::from_words(text);
}

/// Everything a relay reads, and everything it answers.
pub fn relay_messages(bytes: &[u8]) {
    fn once<T>(bytes: &[u8])
    where
        T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()> + core::fmt::Debug + PartialEq,
    {
        if let Ok(message) = cbor::decode::<T>(bytes) {
            assert_eq!(cbor::decode::<T>(&cbor::encode(&message)).as_ref(), Ok(&message));
        }
    }
    once::<ChallengeRequest>(bytes);
    once::<TokenRequest>(bytes);
    once::<RosterEntries>(bytes);
    once::<PushRequest>(bytes);
    once::<PushResponse>(bytes);
    once::<PullRequest>(bytes);
    once::<PullResponse>(bytes);
}

/// A sync package.
pub fn package(bytes: &[u8]) {
    let _content = read_package(bytes);
}

/// A path, as bytes and as people type it.
pub fn path(bytes: &[u8]) {
    if let Some(path) = Path::from_bytes(bytes) {
        assert_eq!(path.as_bytes(), bytes);
        assert!(path.components().count() <= bytes.len());
    }
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Some(path) = Path::parse(text)
    {
        assert_eq!(Path::parse(&path.to_string()), Some(path));
    }
}
