//! The library's one error, as one of the exceptions of `selkie.errors`.

use pyo3::prelude::*;

/// The exception for an error of the library.
pub fn raise(error: selkie::Error) -> PyErr {
    new(error.code(), &error.to_string(), error.retry_after_ms())
}

/// What the caller handed over cannot be accepted.
pub fn invalid(message: &str) -> PyErr {
    new("invalid_input", message, None)
}

/// The store was closed by the app.
pub fn closed() -> PyErr {
    new("closed", "the store is closed; open it again", None)
}

/// An object that can be used once was used again.
pub fn used() -> PyErr {
    new("pairing", "this invitation is used; make a new one", None)
}

/// The process was forked with an open store in it: two processes with one connection damage the file.
pub fn forked() -> PyErr {
    let message = "this store was opened before the process forked; open it again in the child";
    new("forked", message, None)
}

fn new(code: &str, message: &str, retry_after_ms: Option<u64>) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("selkie.errors")
            .and_then(|errors| errors.getattr("from_code")?.call1((code, message, retry_after_ms)));
        made.map_or_else(|error| error, PyErr::from_value)
    })
}
