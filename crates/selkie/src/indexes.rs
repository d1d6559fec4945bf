//! Indexes of a collection: declared by an app's code, kept on this device, built in the background.

use crate::store::indexes::{Definition, list, search, similar, without_vector};
use crate::store::{IndexInfo, Neighbour, Search, SearchHit, SearchIndex, Similar, VectorIndex};
use crate::{Collection, Error};
#[cfg(doc)]
use crate::{ErrorKind, Vault};

impl Collection {
    /// Declares an index over one field or several, for filters and orders on them. An app calls this
    /// each time it starts; the first time, the index is built in the background, and used once it is
    /// complete. It is local to this device.
    ///
    /// An index helps where its first fields are compared with `=` or `IN`, and the one after them with
    /// `=`, `<`, `>`, `~`, or is the order. It holds the values in full, so it is for short ones.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no fields, more than eight, or what is none; and beyond 32 indexes
    /// of one collection. [`ErrorKind::Busy`], [`ErrorKind::DiskFull`], [`ErrorKind::Storage`].
    pub fn ensure_index(&self, fields: &[&str]) -> Result<(), Error> {
        self.ensure(&Definition::over(fields)?)
    }

    /// Declares the full-text index; a collection has one, and another definition takes its place.
    ///
    /// # Errors
    /// As [`ensure_index`](Self::ensure_index).
    pub fn ensure_search(&self, index: &SearchIndex) -> Result<(), Error> {
        self.ensure(&Definition::Search(index.clone()))
    }

    /// Declares the vector index; a collection has one, and another definition takes its place.
    ///
    /// # Errors
    /// As [`ensure_index`](Self::ensure_index).
    pub fn ensure_vectors(&self, index: &VectorIndex) -> Result<(), Error> {
        self.ensure(&Definition::Vectors(index.clone()))
    }

    fn ensure(&self, definition: &Definition) -> Result<(), Error> {
        let to_fill = self.vault().database().declare_index(self.name(), definition)?;
        if to_fill { self.vault().go_on_building() } else { Ok(()) }
    }

    /// Drops an index over fields; whether it was there.
    ///
    /// # Errors
    /// As [`ensure_index`](Self::ensure_index).
    pub fn drop_index(&self, fields: &[&str]) -> Result<bool, Error> {
        self.vault().database().drop_index(self.name(), &Definition::over(fields)?)
    }

    /// Drops the full-text index; whether there was one.
    ///
    /// # Errors
    /// As [`ensure_index`](Self::ensure_index).
    pub fn drop_search(&self) -> Result<bool, Error> {
        self.vault().database().drop_the_one(self.name(), "search")
    }

    /// Drops the vector index, and with it vectors that were given apart; whether there was one.
    ///
    /// # Errors
    /// As [`ensure_index`](Self::ensure_index).
    pub fn drop_vectors(&self) -> Result<bool, Error> {
        self.vault().database().drop_the_one(self.name(), "vectors")
    }

    /// The indexes of this collection.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn indexes(&self) -> Result<Vec<IndexInfo>, Error> {
        self.vault().read(|sql| list(sql, Some(self.name())))
    }

    /// Full-text search: the records that have what somebody typed, best first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without a search index, [`ErrorKind::Busy`] while it is being built,
    /// [`ErrorKind::InvalidInput`], [`ErrorKind::Storage`].
    pub fn search(&self, wanted: &Search) -> Result<Vec<SearchHit>, Error> {
        self.vault().read(|sql| search(sql, self.name(), wanted))
    }

    /// The records nearest to a vector or to another record, nearest first. Every vector is looked at:
    /// exact, and fast up to some ten thousands.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without a vector index, or for a record without a vector;
    /// [`ErrorKind::Busy`] while the index is being built; [`ErrorKind::InvalidInput`] for a vector of
    /// another length; [`ErrorKind::Storage`].
    pub fn similar(&self, wanted: &Similar) -> Result<Vec<Neighbour>, Error> {
        self.vault().read(|sql| similar(sql, self.name(), wanted))
    }

    /// Gives vectors of records, by id, to an index that was declared with
    /// [`VectorIndex::given`]. All of them are kept, or none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a record that is not there; [`ErrorKind::InvalidInput`] for a vector
    /// of another length, or an index that takes its vectors from a field; [`ErrorKind::Storage`].
    pub fn give_vectors(&self, vectors: &[(&str, &[f32])]) -> Result<(), Error> {
        self.vault().database().give_vectors(self.name(), vectors)
    }

    /// The ids of records that have no vector in the index: new ones, ones whose text has changed, ones
    /// that came by sync. By id, at most so many.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without a vector index, [`ErrorKind::Busy`], [`ErrorKind::Storage`].
    pub fn without_vector(&self, limit: u64) -> Result<Vec<String>, Error> {
        self.vault().read(|sql| without_vector(sql, self.name(), limit))
    }
}
