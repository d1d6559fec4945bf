//! What is asked of every library.

use serde_json::{Map, Value};

use crate::shape::Edit;

/// What stands on disk of one record: for Selkie its JSON and its state, for the others one blob.
#[derive(Clone, Default)]
pub struct Stored {
    /// Visible without a library.
    pub body: Vec<u8>,
    /// Everything else.
    pub state: Vec<u8>,
}

/// One replica of one library.
pub trait Peer {
    /// As in the table.
    const NAME: &'static str;
    /// An open document.
    type Open;

    /// A replica of its own identity.
    fn new(replica: usize) -> Self;
    /// Makes a record; its stored form and the change that makes it.
    fn create(&mut self, record: usize, map: &Map<String, Value>) -> (Stored, Vec<u8>);
    /// Is told that the first replica's records have been taken over as they are.
    fn seen(&mut self, _records: usize) {}
    /// Loads a record, edits a field, saves it; also the bytes to send.
    fn edit(&mut self, stored: &Stored, edit: &Edit) -> (Stored, Vec<u8>);
    /// Loads a record, takes in an edit of another replica, saves it.
    fn merge(&mut self, record: usize, stored: &Stored, delta: &[u8]) -> Stored;
    /// Keeps a record open.
    fn open(stored: &Stored) -> Self::Open;
    /// What its fields say.
    fn show(stored: &Stored) -> Vec<String>;
    /// What of an edit is counted as sent.
    fn edit_bytes(delta: &[u8]) -> &[u8] {
        delta
    }
}
