//! Bin: the range that a number lies in, instead of the number.

use serde_json::{Number, Value};

use crate::record::value::canonicalise;
use crate::share::policy::{Kind, Node, Reader};

const EDGES_MAX: usize = 64;

/// Sends `<100`, `100..300` or `>=300`. A range holds its lower edge and not its upper one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bin {
    /// Strictly ascending, finite.
    edges: Vec<f64>,
}

impl Bin {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let wanted = "1 to 64 numbers, each above the one before";
        let Kind::Array(items) = &node.kind else {
            rule.wrong(node, "bin", wanted);
            return None;
        };
        let edges: Option<Vec<f64>> = items.iter().map(Node::as_number).collect();
        let fits = |edges: &Vec<f64>| {
            (1..=EDGES_MAX).contains(&edges.len()) && edges.is_sorted_by(|low, high| low < high)
        };
        let edges = edges.filter(fits);
        if edges.is_none() {
            rule.wrong(node, "bin", wanted);
        }
        edges.map(|edges| Self { edges })
    }

    pub(super) fn to_value(&self) -> Value {
        self.edges.iter().map(|edge| number(*edge)).collect()
    }

    pub(super) fn apply(&self, value: &Value) -> Option<Value> {
        let x = value.as_f64()?;
        // What `keep` would not send has no range either, or binning would not be narrower.
        canonicalise(&mut value.clone(), 1).ok()?;
        let above = self.edges.partition_point(|edge| *edge <= x);
        let low = above.checked_sub(1).and_then(|at| self.edges.get(at));
        let label = match (low, self.edges.get(above)) {
            (None, Some(high)) => format!("<{}", number(*high)),
            (Some(low), Some(high)) => format!("{}..{}", number(*low), number(*high)),
            (Some(low), None) => format!(">={}", number(*low)),
            (None, None) => return None,
        };
        Some(label.into())
    }

    /// Fewer of the same edges: each range is a union of older ones.
    pub(super) fn is_narrowing_of(&self, older: &Self) -> bool {
        self.edges.iter().all(|edge| older.edges.contains(edge))
    }
}

/// An edge as JSON: whole numbers without a point.
fn number(edge: f64) -> Value {
    let mut value = Number::from_f64(edge).map_or(Value::Null, Value::Number);
    // A finite number is canonical whatever its size.
    let _infallible = canonicalise(&mut value, 1);
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_becomes_its_range() {
        let bin = Bin { edges: vec![-0.5, 100.0, 300.0] };
        for (value, label) in [
            (json!(-1), "<-0.5"),
            (json!(-0.5), "-0.5..100"),
            (json!(99.9), "-0.5..100"),
            (json!(100), "100..300"),
            (json!(300), ">=300"),
            (json!(1u64 << 52), ">=300"),
        ] {
            assert_eq!(bin.apply(&value), Some(label.into()), "{value}");
        }
        for value in [json!("100"), json!(true), json!(null), json!([1]), json!(u64::MAX)] {
            assert_eq!(bin.apply(&value), None, "{value}");
        }
    }
}
