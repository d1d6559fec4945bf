//! Python's values to JSON and back: the one place where it is done.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

use crate::errors::invalid;

/// Deeper than any document may be; a list that contains itself ends here.
const LEVELS_MAX: usize = 64;

/// A Python value as JSON. `None`, `bool`, `int`, `float`, `str`, `list`, `tuple` and `dict` have one meaning
/// there; everything else is refused, for a guess would be stored.
pub fn to_json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    at_level(value, 0)
}

fn at_level(value: &Bound<'_, PyAny>, level: usize) -> PyResult<Value> {
    if level > LEVELS_MAX {
        return Err(invalid("the document has more than 16 levels, or contains itself"));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str().map(Value::from).map_err(|_| invalid("a text is not valid Unicode"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    // Before int: to Python, True is one.
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if value.cast::<PyInt>().is_ok() {
        let whole = value.extract::<i64>().map(Value::from);
        return whole.map_err(|_| invalid("whole numbers go up to ±(2^53 − 1); use a text"));
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        let number = Number::from_f64(float.value()).map(Value::Number);
        return number.ok_or_else(|| invalid("a document cannot hold NaN or an infinity"));
    }
    if let Ok(map) = value.cast::<PyDict>() {
        return map_at_level(map, level).map(Value::Object);
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list
            .iter()
            .map(|item| at_level(&item, level + 1))
            .collect::<PyResult<_>>()
            .map(Value::Array);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return tuple
            .iter()
            .map(|item| at_level(&item, level + 1))
            .collect::<PyResult<_>>()
            .map(Value::Array);
    }
    let kind = value.get_type().name()?;
    Err(invalid(&format!(
        "a document holds None, bool, int, float, str, list and dict; convert the {kind} first"
    )))
}

fn map_at_level(map: &Bound<'_, PyDict>, level: usize) -> PyResult<Map<String, Value>> {
    let mut object = Map::new();
    for (key, item) in map.iter() {
        let Ok(name) = key.cast::<PyString>() else {
            return Err(invalid("the keys of a document are texts (str)"));
        };
        let name = name.to_str().map_err(|_| invalid("a key is not valid Unicode"))?;
        object.insert(name.to_owned(), at_level(&item, level + 1)?);
    }
    Ok(object)
}

/// JSON as a Python value.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.into_pyobject(py)?.into_any(),
            (None, Some(whole)) => whole.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => {
            let map = PyDict::new(py);
            for (name, item) in object {
                map.set_item(name, to_python(py, item)?)?;
            }
            map.into_any()
        }
    })
}
