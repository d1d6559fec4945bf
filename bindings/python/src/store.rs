//! A store and its records.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use selkie::{Error, Filter, Query, Transaction, Vault};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::convert::{to_json, to_python};
use crate::errors::{closed, forked, invalid, raise};
use crate::json;
use crate::key::Key;

/// One open store. Safe to use from several threads: the interpreter is let go of while a call is under way.
#[pyclass(frozen, module = "selkie._selkie")]
pub struct Store {
    vault: Mutex<Option<Vault>>,
    process: u32,
    recovery_words: Option<Zeroizing<String>>,
}

impl Store {
    pub fn new(vault: Vault, recovery_words: Option<&str>) -> Self {
        let recovery_words = recovery_words.map(|words| Zeroizing::new(words.to_owned()));
        Self { vault: Mutex::new(Some(vault)), process: std::process::id(), recovery_words }
    }

    /// The vault, if it may be used here and now.
    pub fn vault(&self) -> PyResult<Vault> {
        // First: in a forked child the mutex may be held by a thread that does not exist there.
        if self.process != std::process::id() {
            return Err(forked());
        }
        let vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault.clone().ok_or_else(closed)
    }

    /// Does something with the vault while other Python threads run.
    pub fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Vault) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let vault = self.vault()?;
        py.detach(move || work(&vault)).map_err(raise)
    }

    /// As [`run`](Self::run), for what ends as JSON.
    pub fn run_json<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&Vault) -> Result<Value, Error> + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.run(py, work)?)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Closing the parent's connection from a child would meddle with its files.
            std::mem::forget(std::mem::take(&mut self.vault));
        }
    }
}

#[pymethods]
impl Store {
    /// Opens a store, or makes it. `mode`: open, create, or either.
    #[staticmethod]
    #[pyo3(signature = (path, user_key, recovery_words, mode))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        user_key: Option<&Bound<'_, PyAny>>,
        recovery_words: Option<&str>,
        mode: &str,
    ) -> PyResult<Self> {
        let key = Key::new(user_key, recovery_words)?;
        let create = match mode {
            "open" => false,
            "create" => true,
            "either" => !path.exists(),
            _ => return Err(invalid("mode is open, create or either")),
        };
        if create {
            let new = py.detach(|| Vault::create(&path, key.unlock())).map_err(raise)?;
            return Ok(Self::new(new.vault, Some(new.recovery_words.as_str())));
        }
        let vault = py.detach(|| Vault::open(&path, key.unlock())).map_err(raise)?;
        Ok(Self::new(vault, None))
    }

    /// Closes the files and wipes the key, for all that still use this store.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            return Err(forked());
        }
        let vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner).take();
        vault.map_or(Ok(()), |vault| py.detach(move || vault.lock()).map_err(raise))
    }

    #[getter]
    fn closed(&self) -> bool {
        self.vault().is_err()
    }

    #[getter]
    fn recovery_words(&self) -> Option<&str> {
        self.recovery_words.as_ref().map(|words| words.as_str())
    }

    #[getter]
    fn vault_id(&self) -> PyResult<String> {
        Ok(self.vault()?.id().to_string())
    }

    #[getter]
    fn device_id(&self) -> PyResult<String> {
        Ok(self.vault()?.device_id().to_string())
    }

    fn put(
        &self,
        py: Python<'_>,
        collection: &str,
        id: &str,
        document: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let document = to_json(document)?;
        self.run(py, |vault| vault.collection(collection)?.put(id, &document).map(drop))
    }

    fn insert(
        &self,
        py: Python<'_>,
        collection: &str,
        document: &Bound<'_, PyAny>,
    ) -> PyResult<String> {
        let document = to_json(document)?;
        self.run(py, |vault| Ok(vault.collection(collection)?.insert(&document)?.id))
    }

    fn patch(
        &self,
        py: Python<'_>,
        collection: &str,
        id: &str,
        patch: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let patch = to_json(patch)?;
        self.run(py, |vault| vault.collection(collection)?.patch(id, &patch).map(drop))
    }

    fn delete(&self, py: Python<'_>, collection: &str, id: &str) -> PyResult<bool> {
        self.run(py, |vault| vault.collection(collection)?.delete(id))
    }

    fn document<'py>(
        &self,
        py: Python<'py>,
        collection: &str,
        id: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let record = self.run(py, |vault| vault.collection(collection)?.get(id))?;
        record.map(|record| to_python(py, &record.document)).transpose()
    }

    fn record<'py>(
        &self,
        py: Python<'py>,
        collection: &str,
        id: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run_json(py, |vault| {
            Ok(vault.collection(collection)?.get(id)?.map_or(Value::Null, json::record))
        })
    }

    fn count(&self, py: Python<'_>, collection: &str) -> PyResult<u64> {
        self.run(py, |vault| vault.collection(collection)?.count())
    }

    /// A page of records in order of id.
    #[pyo3(signature = (collection, limit, after))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        collection: &str,
        limit: Option<u64>,
        after: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run_json(py, |vault| {
            let page = selkie::Page { limit, after };
            let records = vault.collection(collection)?.list(&page)?;
            Ok(records.into_iter().map(json::record).collect())
        })
    }

    /// Records that match `filter` (text) and `equal` (a value for each path).
    #[pyo3(signature = (collection, filter, equal, order_by, limit))]
    fn query<'py>(
        &self,
        py: Python<'py>,
        collection: &str,
        filter: Option<&str>,
        equal: Option<&Bound<'_, PyDict>>,
        order_by: Vec<String>,
        limit: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let equal = equal.map_or(Ok(Value::Null), |equal| to_json(equal.as_any()))?;
        self.run_json(py, |vault| {
            let query = build_query(filter, &equal, &order_by, limit)?;
            let records = vault.collection(collection)?.query(&query)?;
            Ok(records.into_iter().map(json::record).collect())
        })
    }

    fn sql<'py>(
        &self,
        py: Python<'py>,
        statement: &str,
        parameters: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Value::Array(parameters) = to_json(parameters)? else {
            return Err(invalid("the parameters are a list"));
        };
        self.run_json(py, |vault| {
            let answer = vault.sql(statement, &parameters)?;
            Ok(serde_json::json!({ "columns": answer.columns, "rows": answer.rows }))
        })
    }

    /// Writes of several records as one change. Each is (put, patch or delete; collection; id; document).
    fn write(&self, py: Python<'_>, writes: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut steps = Vec::new();
        for step in writes.try_iter()? {
            let (what, collection, id, document): (String, String, String, Bound<'_, PyAny>) =
                step?.extract()?;
            steps.push((what, collection, id, to_json(&document)?));
        }
        self.run(py, |vault| {
            vault.transaction(|transaction| {
                steps.iter().try_for_each(|step| write_one(transaction, step))
            })
        })
    }

    fn keep_local(&self, py: Python<'_>, collection: &str) -> PyResult<()> {
        self.run(py, |vault| vault.collection(collection)?.keep_local())
    }

    fn change_passphrase(&self, py: Python<'_>, old: &Bound<'_, PyAny>, new: &str) -> PyResult<()> {
        let (old, new) = (Key::new(Some(old), None)?, Zeroizing::new(new.to_owned()));
        self.run(py, |vault| vault.change_passphrase(old.unlock(), &new))
    }

    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.run(py, Vault::digest)?.to_string())
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.run_json(py, |vault| vault.status().map(|status| json::status(&status)))
    }
}

fn build_query(
    filter: Option<&str>,
    equal: &Value,
    order_by: &[String],
    limit: Option<u64>,
) -> Result<Query, Error> {
    let mut query = Query::new();
    if let Some(filter) = filter {
        query = query.filter(Filter::parse(filter)?);
    }
    for (path, value) in equal.as_object().into_iter().flatten() {
        query = query.filter(Filter::equal(path, value.clone())?);
    }
    for path in order_by {
        query = match path.strip_prefix('-') {
            Some(path) => query.descending(path)?,
            None => query.ascending(path)?,
        };
    }
    Ok(match limit {
        Some(limit) => query.limit(limit),
        None => query,
    })
}

fn write_one(
    transaction: &Transaction<'_>,
    (what, collection, id, document): &(String, String, String, Value),
) -> Result<(), Error> {
    let records = transaction.collection(collection)?;
    match what.as_str() {
        "put" => records.put(id, document).map(drop),
        "patch" => records.patch(id, document).map(drop),
        _ => records.delete(id).map(drop),
    }
}
