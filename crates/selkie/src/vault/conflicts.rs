//! The vault's rules, conflicts and history.

use std::sync::{Arc, PoisonError};

use selkie_core::merge::{CollectionPolicy, Policy, Resolution};
use selkie_core::record::{Document, RecordKey, Schema};

use super::Vault;
#[cfg(doc)]
use crate::Collection;
use crate::collection::Record;
use crate::status::{HistoryEntry, OpenConflict, Preference, UniqueClash};
use crate::store::{Resolver, answer, check_collection_name, validator_of};
use crate::{Error, ErrorKind};

impl Vault {
    /// The conflict policy of a collection.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn policy(&self, collection: &str) -> Result<CollectionPolicy, Error> {
        self.database().policy(collection)
    }

    /// Sets the conflict policy of a collection, on all devices once they have synced.
    ///
    /// # Errors
    /// As [`Collection::put`].
    pub fn set_policy(&self, collection: &str, policy: CollectionPolicy) -> Result<(), Error> {
        check_collection_name(collection)?;
        let device = self.inner.device;
        let events = self.database().set_policy(device, collection, policy, self.now_ms())?;
        self.tell(&events);
        Ok(())
    }

    /// The schema of a collection.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn schema(&self, collection: &str) -> Result<Schema, Error> {
        self.database().schema(collection)
    }

    /// Sets the schema of a collection, on all devices once they have synced. Documents that are
    /// there already are not rewritten; a field takes its new type when it is next written.
    ///
    /// # Errors
    /// As [`Collection::put`].
    pub fn set_schema(&self, collection: &str, schema: Schema) -> Result<(), Error> {
        check_collection_name(collection)?;
        validator_of(&schema)?;
        let device = self.inner.device;
        let events = self.database().set_schema(device, collection, schema, self.now_ms())?;
        self.tell(&events);
        Ok(())
    }

    /// The conflicts that wait for a person, oldest first; of one collection, or all.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn conflicts(&self, collection: Option<&str>) -> Result<Vec<OpenConflict>, Error> {
        self.database().conflicts(collection)
    }

    /// Registers the callback of a `custom:NAME` policy. It is asked about each conflict under that
    /// policy and may answer it, as a machine's resolution; what it leaves open waits for a person.
    pub fn register_resolver(
        &self,
        name: &str,
        resolver: impl Fn(&OpenConflict) -> Option<Resolution> + Send + Sync + 'static,
    ) {
        let mut resolvers = self.inner.resolvers.write().unwrap_or_else(PoisonError::into_inner);
        resolvers.insert(name.to_owned(), Arc::new(resolver));
    }

    /// Answers the conflicts that a machine may answer: by a registered callback, by what a person has
    /// answered before where the policy allows it, and by what is shown once the deadline is near.
    /// Every run of sync does this too; an app that seldom syncs calls it now and then. Returns how
    /// many were answered.
    ///
    /// # Errors
    /// As [`Collection::put`].
    pub fn attend(&self) -> Result<u64, Error> {
        let (device, now_ms) = (self.inner.device, self.now_ms());
        let open = self.conflicts(None)?;
        let mut settled = 0;
        for open in open {
            let policy = self.policy(&open.collection)?;
            let resolver = match policy.at(&open.conflict.path) {
                Policy::Custom(name) => self.resolver(name),
                _ => None,
            };
            let answer = answer(&open, &policy, device, resolver.as_deref(), now_ms);
            let Some(answer) = answer else { continue };
            let events = self.database().settle(device, &open, &answer, now_ms)?;
            settled += u64::from(!events.is_empty());
            self.tell(&events);
        }
        self.expire()?;
        self.database().tend(device, now_ms)?;
        // What is asked of SQLite is only quicker for it; if another process is in the way, next time.
        let _next_time = self.database().optimize();
        Ok(settled)
    }

    /// Deletes the records that have expired by their collection's policy
    /// ([`CollectionPolicy::expire_after_ms`]); how many. Every run of sync does this too. A record
    /// expires on the device that wrote it last, and a day later on all others.
    ///
    /// # Errors
    /// As [`Collection::put`].
    pub fn expire(&self) -> Result<u64, Error> {
        let (deleted, events) = self.database().expire(self.inner.device, self.now_ms())?;
        self.tell(&events);
        Ok(deleted)
    }

    fn resolver(&self, name: &str) -> Option<Arc<Resolver>> {
        let resolvers = self.inner.resolvers.read().unwrap_or_else(PoisonError::into_inner);
        resolvers.get(name).cloned()
    }

    /// How a person has answered conflicts so far: what suggestions are made of.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn preferences(&self) -> Result<Vec<Preference>, Error> {
        self.database().preferences()
    }

    /// Forgets how a person has answered, on all devices; whether anything was known.
    ///
    /// # Errors
    /// As [`Collection::put`].
    pub fn forget_preference(&self, id: &str) -> Result<bool, Error> {
        self.transaction(|transaction| transaction.preferences().delete(id))
    }

    /// The unique values that several records have, each written on a device that could not know of
    /// the others. Edit or delete the records to settle it.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn unique_clashes(&self) -> Result<Vec<UniqueClash>, Error> {
        self.database().unique_clashes()
    }

    /// What a record's fields were, who wrote them, what replaced them, and why; oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing is known of it.
    pub fn history(&self, collection: &str, id: &str) -> Result<Vec<HistoryEntry>, Error> {
        self.database().history(&RecordKey::new(collection, id)?)
    }

    /// Takes back the last change of a record, wherever it was made: an ordinary write of what was
    /// there before. Returns the record after it, `None` if it was not there before.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing is known of it.
    pub fn undo(&self, collection: &str, id: &str) -> Result<Option<Record>, Error> {
        let before = self.database().before_last_change(&RecordKey::new(collection, id)?)?;
        self.bring_back(collection, id, before)
    }

    /// Brings a record back to what it was at a time (in milliseconds since 1970, UTC), as far as its
    /// history is kept: an ordinary write.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing is known of it, or no longer.
    pub fn restore(&self, collection: &str, id: &str, at_ms: u64) -> Result<Option<Record>, Error> {
        let kept_ms = self.policy(collection)?.history_ms;
        if at_ms < self.now_ms().saturating_sub(kept_ms) {
            // What was overwritten before is forgotten: half a document is worse than none.
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("history is kept for {} days only", kept_ms / (24 * 60 * 60 * 1000)),
            ));
        }
        let then = self.database().at_time(&RecordKey::new(collection, id)?, at_ms)?;
        self.bring_back(collection, id, then)
    }

    fn bring_back(
        &self,
        collection: &str,
        id: &str,
        document: Option<Document>,
    ) -> Result<Option<Record>, Error> {
        self.transaction(|transaction| {
            let records = transaction.collection(collection)?;
            match document {
                Some(document) => records.put(id, &document.into_value()).map(Some),
                None => records.delete(id).map(|_| None),
            }
        })
    }

    /// Writes a person's answer to a conflict. Exactly what `token` named is replaced; what arrived
    /// since stays, as a new conflict. Returns the record after it.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] if nothing of what was shown is there any more: show it anew.
    pub fn resolve(
        &self,
        collection: &str,
        id: &str,
        token: &str,
        resolution: Resolution,
    ) -> Result<Option<Record>, Error> {
        let key = RecordKey::new(collection, id)?;
        let mut database = self.database();
        let events = database.resolve(self.inner.device, &key, token, resolution, self.now_ms())?;
        let record = database.read_record(collection, id)?;
        drop(database);
        self.tell(&events);
        Ok(record)
    }
}
