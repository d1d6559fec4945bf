//! Open conflicts, and the policies that make them.

use std::sync::Arc;

use selkie_core::merge::{
    CollectionPolicy, ConflictToken, POLICY_COLLECTION, Resolution, ResolveError,
    SCHEMA_COLLECTION, resolve, view,
};
use selkie_core::record::{Document, RecordKey, Schema};
use selkie_wire::DeviceId;

use super::attention::learn;
use super::database::Database;
use super::identity::{damaged, from_sql};
use super::rows::Rows;
use crate::Error;
use crate::status::OpenConflict;
use crate::watch::Event;

impl Database {
    /// All open conflicts, oldest first.
    pub(crate) fn conflicts(
        &mut self,
        collection: Option<&str>,
    ) -> Result<Vec<OpenConflict>, Error> {
        let Self { connection, cache, .. } = self;
        let mut rows = Rows::new(connection, cache)?;
        let places: Vec<(String, String, Vec<u8>, i64)> = {
            let mut statement = connection.prepare_cached(
                "SELECT c.name, r.id, f.path, f.since FROM conflict f
                 JOIN record r ON r.num = f.record JOIN collection c ON c.num = r.collection
                 WHERE ?1 IS NULL OR c.name = ?1 ORDER BY f.since, c.name, r.id, f.path",
            )?;
            let places = statement.query_map([collection], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            places.collect::<Result<_, _>>()?
        };
        let mut conflicts = Vec::with_capacity(places.len());
        for (collection, id, path, since) in places {
            let key = RecordKey::new(collection, id).map_err(|_| damaged())?;
            let stored = rows.load(&key)?.ok_or_else(damaged)?;
            let policy = rows.policy(key.collection())?;
            let shown = view(&stored.registers, &policy);
            let open =
                shown.conflicts.into_iter().find(|conflict| conflict.path.as_bytes() == path);
            let Some(conflict) = open else { continue };
            let since_ms = from_sql(since);
            conflicts.push(OpenConflict {
                collection: key.collection().to_owned(),
                id: key.id().to_owned(),
                token: conflict.token().to_string(),
                conflict,
                since_ms,
                deadline_ms: since_ms.saturating_add(policy.deadline_ms),
                suggestion: None,
            });
        }
        for open in &mut conflicts {
            open.suggestion = self.suggest(&open.collection, &open.conflict)?;
        }
        Ok(conflicts)
    }

    pub(crate) fn conflict_count(&self) -> Result<u64, Error> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM conflict", [], |row| row.get(0))?;
        Ok(from_sql(count))
    }

    /// Writes a person's answer.
    pub(crate) fn resolve(
        &mut self,
        device: DeviceId,
        key: &RecordKey,
        token: &str,
        resolution: Resolution,
        now_ms: u64,
    ) -> Result<Vec<Event>, Error> {
        let token: ConflictToken = token.parse()?;
        let ((), events) = self.write(device, now_ms, |transaction| {
            let mut answered = None;
            transaction.resolve(key, |stored, shown| {
                let open = shown.conflicts.iter().find(|conflict| conflict.path == *token.path());
                let open = open.ok_or_else(|| Error::from(ResolveError::Stale))?;
                answered = Some(open.clone());
                Ok(resolve(&stored.registers, open, &token, resolution.clone())?)
            })?;
            match answered {
                Some(open) => learn(transaction, key.collection(), &open, &resolution),
                None => Ok(()),
            }
        })?;
        Ok(events)
    }

    pub(crate) fn policy(&mut self, collection: &str) -> Result<CollectionPolicy, Error> {
        let Self { connection, cache, .. } = self;
        Ok(Arc::unwrap_or_clone(Rows::new(connection, cache)?.policy(collection)?))
    }

    /// Stores a policy as the next version, for every device.
    pub(crate) fn set_policy(
        &mut self,
        device: DeviceId,
        collection: &str,
        mut policy: CollectionPolicy,
        now_ms: u64,
    ) -> Result<Vec<Event>, Error> {
        policy.version = self.policy(collection)?.version.saturating_add(1);
        self.set_rules(device, (POLICY_COLLECTION, collection), policy.to_document(), now_ms)
    }

    fn set_rules(
        &mut self,
        device: DeviceId,
        (system, collection): (&str, &str),
        rules: Document,
        now_ms: u64,
    ) -> Result<Vec<Event>, Error> {
        let (_, events) = self.write(device, now_ms, |transaction| {
            transaction.system_collection(system).put(collection, &rules.into_value())
        })?;
        Ok(events)
    }

    pub(crate) fn schema(&mut self, collection: &str) -> Result<Schema, Error> {
        let Self { connection, cache, .. } = self;
        Ok(Arc::unwrap_or_clone(Rows::new(connection, cache)?.schema(collection)?))
    }

    /// Stores a schema as the next version, for every device.
    pub(crate) fn set_schema(
        &mut self,
        device: DeviceId,
        collection: &str,
        mut schema: Schema,
        now_ms: u64,
    ) -> Result<Vec<Event>, Error> {
        schema.version = self.schema(collection)?.version.saturating_add(1);
        self.set_rules(device, (SCHEMA_COLLECTION, collection), schema.to_document(), now_ms)
    }
}
