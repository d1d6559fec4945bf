//! Geo: the middle of the grid cell that a position lies in.

use serde_json::{Number, Value, json};

use crate::share::policy::{Node, Reader};

const GRID_KM_MAX: i64 = 1000;
/// Kilometres a degree of latitude.
const DEGREE_KM: f64 = 111.195;

/// Sends the centre of a cell some kilometres wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geo {
    grid_km: u32,
}

impl Geo {
    pub(super) fn read(node: &Node, rule: &mut Reader<'_, '_>) -> Option<Self> {
        let mut table = Reader::new(node, "`geo`", rule.problems())?;
        let grid = table.required("grid_km");
        let grid = table.integer(grid, "grid_km", 1, GRID_KM_MAX);
        table.finish();
        Some(Self { grid_km: u32::try_from(grid?).ok()? })
    }

    pub(crate) fn of_km(grid_km: u32) -> Self {
        Self { grid_km: grid_km.clamp(1, 1000) }
    }

    pub(super) fn to_value(self) -> Value {
        json!({ "grid_km": self.grid_km })
    }

    /// Rows of equal height; in each, columns as wide as the row is high at its middle.
    pub(crate) fn apply(self, value: &Value) -> Option<Value> {
        let (lat, lon) = position_of(value)?;
        let rows = (180.0 * DEGREE_KM / f64::from(self.grid_km)).ceil();
        let height = 180.0 / rows;
        let row = ((lat + 90.0) / height).floor().min(rows - 1.0);
        let middle = (row + 0.5) * height - 90.0;
        let columns = (360.0 * cosine_of_degrees(middle) / height).floor().max(1.0);
        let width = 360.0 / columns;
        let column = ((lon + 180.0) / width).floor().min(columns - 1.0);
        let centre = (column + 0.5) * width - 180.0;
        Some(json!({ "lat": rounded(middle)?, "lon": rounded(centre)? }))
    }
}

/// A position: an object with latitude and longitude, or the text `lat,lon`. An array is none, since
/// some write latitude first and others longitude.
pub(crate) fn position_of(value: &Value) -> Option<(f64, f64)> {
    let (lat, lon) = match value {
        Value::Object(map) => {
            let named = |names: &[&str]| {
                let mut found = map
                    .iter()
                    .filter(|(key, _)| names.contains(&key.to_ascii_lowercase().as_str()));
                let (_, value) = found.next()?;
                found.next().is_none().then(|| value.as_f64())?
            };
            (named(&["lat", "latitude"])?, named(&["lon", "lng", "long", "longitude"])?)
        }
        Value::String(text) => {
            let (lat, lon) = text.split_once(',')?;
            (lat.trim().parse().ok()?, lon.trim().parse().ok()?)
        }
        _ => return None,
    };
    ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some((lat, lon))
}

/// Three decimals, 0.1 km: what a cell is named by must not hang on the last bit of a division.
fn rounded(degrees: f64) -> Option<Value> {
    Number::from_f64((degrees * 1000.0).round() / 1000.0).map(Value::Number)
}

/// The cosine by its series: additions and products only, which every machine rounds alike, while
/// libraries differ in the last bit.
fn cosine_of_degrees(degrees: f64) -> f64 {
    let x = degrees.abs() * (core::f64::consts::PI / 180.0);
    let square = x * x;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..=12 {
        let n = f64::from(n);
        term *= -square / ((2.0 * n - 1.0) * (2.0 * n));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_becomes_the_middle_of_its_cell_and_stays_near() {
        for grid_km in [1, 50, 1000] {
            let geo = Geo { grid_km };
            for (lat, lon) in
                [(48.8566, 2.3522), (-90.0, 180.0), (90.0, -180.0), (0.0, 0.0), (71.2, -179.99)]
            {
                let cell = geo.apply(&json!({"latitude": lat, "lng": lon})).unwrap();
                let (mid_lat, mid_lon) = position_of(&cell).unwrap();
                let km = (mid_lat - lat).abs() * DEGREE_KM;
                assert!(km <= f64::from(grid_km) / 2.0 + 0.1, "{grid_km} {cell}");
                let shrunk = cosine_of_degrees(mid_lat);
                let km = (mid_lon - lon).abs() * DEGREE_KM * shrunk;
                assert!(km <= f64::from(grid_km) * 1.6 + 0.1, "{grid_km} {cell}");
            }
        }
    }

    #[test]
    fn neighbours_share_a_cell_in_whatever_spelling() {
        let geo = Geo { grid_km: 50 };
        let cell = geo.apply(&json!({"lat": 48.85, "lon": 2.35}));
        assert_eq!(geo.apply(&json!({"lon": 2.3501, "lat": 48.8501})), cell);
        assert_eq!(geo.apply(&json!("48.85, 2.35")), cell);
        for value in
            [json!([48.85, 2.35]), json!({"lat": 91, "lon": 0}), json!({"lat": 1}), json!("x")]
        {
            assert_eq!(geo.apply(&value), None, "{value}");
        }
    }

    #[test]
    fn the_series_is_a_cosine() {
        for degrees in -90..=90 {
            let degrees = f64::from(degrees);
            assert!((cosine_of_degrees(degrees) - degrees.to_radians().cos()).abs() < 1e-12);
        }
    }
}
