//! Policies, open conflicts and their answers, history; and the resolver alone.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use selkie::{CollectionPolicy, ConflictResolver, Input, OpenConflict, Resolution, Strategy};
use serde_json::{Value, json};

use crate::convert::{to_json, to_python};
use crate::errors::{invalid, raise};
use crate::json;
use crate::store::Store;

/// Sets what happens when two devices change one thing, on all devices once they have synced.
#[pyfunction]
pub fn set_policy(
    py: Python<'_>,
    store: &Store,
    collection: &str,
    policy: &str,
    on_delete: &str,
) -> PyResult<()> {
    store.run(py, |vault| {
        let current = vault.policy(collection)?;
        let named = CollectionPolicy::from_names(policy, on_delete)?;
        let policy =
            CollectionPolicy { default: named.default, on_delete: named.on_delete, ..current };
        vault.set_policy(collection, policy)
    })
}

/// The names of a collection's policy and of its rule for deletes.
#[pyfunction]
pub fn policy(py: Python<'_>, store: &Store, collection: &str) -> PyResult<(String, String)> {
    let policy = store.run(py, |vault| vault.policy(collection))?;
    Ok((policy.default.name().to_string(), policy.on_delete.name().to_string()))
}

/// The conflicts that wait for a person.
#[pyfunction]
#[pyo3(signature = (store, collection))]
pub fn conflicts<'py>(
    py: Python<'py>,
    store: &Store,
    collection: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    store.run_json(py, |vault| {
        Ok(vault.conflicts(collection)?.iter().map(json::open_conflict).collect())
    })
}

/// Writes an answer: ("side", its index) or ("value", a value).
#[pyfunction]
pub fn resolve(
    py: Python<'_>,
    store: &Store,
    collection: &str,
    id: &str,
    token: &str,
    answer: &Bound<'_, PyTuple>,
) -> PyResult<()> {
    let answer = resolution(answer.as_any())?.ok_or_else(|| invalid("that is no answer"))?;
    store.run(py, |vault| vault.resolve(collection, id, token, answer).map(drop))
}

fn resolution(answer: &Bound<'_, PyAny>) -> PyResult<Option<Resolution>> {
    if answer.is_none() {
        return Ok(None);
    }
    let (kind, content): (String, Bound<'_, PyAny>) = answer.extract()?;
    Ok(Some(match kind.as_str() {
        "side" => Resolution::Side(content.extract()?),
        _ => Resolution::Value(to_json(&content)?),
    }))
}

/// Registers the callback of a `custom:NAME` policy. One that raises leaves the conflict to a person; what it
/// raised goes where Python puts what nobody can catch.
#[pyfunction]
pub fn register_resolver(store: &Store, name: &str, callback: Py<PyAny>) -> PyResult<()> {
    store.vault()?.register_resolver(name, move |open: &OpenConflict| {
        Python::attach(|py| {
            let asked = to_python(py, &json::open_conflict(open));
            let answer = asked
                .and_then(|asked| callback.call1(py, (asked,)))
                .and_then(|answer| resolution(answer.bind(py)));
            answer.unwrap_or_else(|error| {
                error.write_unraisable(py, Some(callback.bind(py)));
                None
            })
        })
    });
    Ok(())
}

/// Answers what a machine may answer; how many conflicts that were.
#[pyfunction]
pub fn attend(py: Python<'_>, store: &Store) -> PyResult<u64> {
    store.run(py, selkie::Vault::attend)
}

/// What a record's fields were, oldest first.
#[pyfunction]
pub fn history<'py>(
    py: Python<'py>,
    store: &Store,
    collection: &str,
    id: &str,
) -> PyResult<Bound<'py, PyAny>> {
    store.run_json(py, |vault| {
        Ok(vault.history(collection, id)?.iter().map(json::history).collect())
    })
}

/// Takes back the last change of a record.
#[pyfunction]
pub fn undo(py: Python<'_>, store: &Store, collection: &str, id: &str) -> PyResult<()> {
    store.run(py, |vault| vault.undo(collection, id).map(drop))
}

/// One of the documents to merge: document, when it was written (ms), priority.
type Side<'py> = (Bound<'py, PyAny>, u64, i32);

/// Merges two documents by a strategy. `custom` answers what waits for a person.
#[pyfunction]
#[pyo3(signature = (strategy, local, remote, base, custom))]
pub fn merge<'py>(
    py: Python<'py>,
    strategy: &str,
    local: Side<'py>,
    remote: Side<'py>,
    base: Option<&Bound<'_, PyAny>>,
    custom: Option<&Bound<'_, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let policy = CollectionPolicy::from_names(strategy, "edit_wins");
    let policy = policy.map_err(|error| raise(error.into()))?;
    let resolver = ConflictResolver::new(Strategy::Policy(policy));
    let input = |(document, written_at_ms, priority): Side<'py>| {
        to_json(&document).map(|document| Input { document, written_at_ms, priority })
    };
    let base = base.map(to_json).transpose()?;
    let mut raised = None;
    let outcome =
        resolver.resolve_with(&input(local)?, &input(remote)?, base.as_ref(), |conflict| {
            let custom = custom.filter(|_| raised.is_none())?;
            let answer = to_python(py, &json::conflict(conflict))
                .and_then(|asked| custom.call1((asked,)))
                .and_then(|answer| resolution(&answer));
            match answer {
                Ok(Some(Resolution::Value(value))) => Some(value),
                Ok(Some(Resolution::Side(side))) => {
                    conflict.sides.get(side)?.content.value().cloned()
                }
                Ok(None) => None,
                Err(error) => {
                    raised = Some(error);
                    None
                }
            }
        });
    if let Some(raised) = raised {
        return Err(raised);
    }
    let outcome = outcome.map_err(|error| raise(error.into()))?;
    let decision = |decision: &selkie::Decision| {
        json!({
            "path": decision.path.to_string(),
            "candidates": decision.candidates,
            "chosen": decision.chosen,
        })
    };
    let told = json!({
        "document": outcome.document,
        "decisions": outcome.decisions.iter().map(decision).collect::<Value>(),
        "conflicts": outcome.conflicts.iter().map(json::conflict).collect::<Value>(),
    });
    to_python(py, &told)
}
