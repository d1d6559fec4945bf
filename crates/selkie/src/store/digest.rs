//! One digest of all records: equal on two devices that hold the same state.

use selkie_core::merge::pack;
use selkie_core::record::{RecordKey, value};
use selkie_wire::Digest;

use super::database::Database;
use super::identity::damaged;
use super::rows::Rows;
use crate::Error;

/// `selkie/1/state\0`, then for each record the digest of its names, document and registers
/// (`docs/FORMAT.md`, state digest). The document counts as CBOR: JSON text can be written in many ways.
const LABEL: &[u8] = b"selkie/1/state\0";

impl Database {
    pub(crate) fn digest(&mut self) -> Result<Digest, Error> {
        let Self { connection, cache, .. } = self;
        let names: Vec<(String, String)> = {
            let mut statement = connection.prepare(
                "SELECT c.name, r.id FROM record r JOIN collection c ON c.num = r.collection
                 WHERE c.local_only = 0 ORDER BY c.name, r.id",
            )?;
            let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            names.collect::<Result<_, _>>()?
        };
        let mut rows = Rows::new(connection, cache)?;
        let mut chain = Digest::labelled(LABEL, &[]);
        for (collection, id) in names {
            let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
            let stored = rows.load(&key)?.ok_or_else(damaged)?;
            let state = pack(&stored.registers, stored.document.as_ref());
            let document = stored.document.map(|document| value::to_bytes(&document.into_value()));
            let record = [
                Digest::of(key.collection().as_bytes()),
                Digest::of(key.id().as_bytes()),
                Digest::of(&document.unwrap_or_default()),
                Digest::of(&state),
            ];
            let parts: Vec<&[u8]> = record.iter().map(|digest| &digest.as_bytes()[..]).collect();
            chain = Digest::labelled(chain.as_bytes(), &parts);
        }
        Ok(chain)
    }
}
