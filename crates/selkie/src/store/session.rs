//! What this device has, for a transport or a package to choose by.

use std::collections::BTreeSet;

use selkie_wire::{DeviceId, Digest, SegmentNumber};

use super::database::Database;
use super::identity::{Identity, segment_number};
use crate::Error;
use crate::transport::{SegmentId, Session};

impl Database {
    /// What a transport is told of this device when a run begins.
    pub(crate) fn session(&self, identity: &Identity) -> Result<Session, Error> {
        Ok(Session {
            roster: identity.roster.clone(),
            incarnations: self.incarnations(&identity.roster)?,
            device: identity.device_id(),
            chain: self.chain(identity.device_id())?,
            signing_key: identity.device.public().signing_key,
            heads: self.heads()?,
            held: self.held_ids()?,
        })
    }

    /// The segments that are kept sealed.
    pub(crate) fn held_ids(&self) -> Result<BTreeSet<SegmentId>, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT device, number, digest FROM held")?;
        let held = statement.query_map([], |row| {
            Ok((DeviceId(row.get(0)?), segment_number(row.get(1)?), Digest(row.get(2)?)))
        })?;
        Ok(held.collect::<Result<_, _>>()?)
    }

    /// Envelopes that wait because something before them is missing, in order.
    pub(crate) fn held_envelopes(&self) -> Result<Vec<(DeviceId, SegmentNumber, Vec<u8>)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, number, bytes FROM held WHERE reason <> 'quarantine'
             ORDER BY device, number",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((DeviceId(row.get(0)?), segment_number(row.get(1)?), row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
