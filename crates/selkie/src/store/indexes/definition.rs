//! What an index is over.

use selkie_core::record::Path;
use serde_json::{Value, json};

use crate::store::query::{Field, field};
use crate::{Error, ErrorKind};

/// Fields of one index.
const FIELDS_MAX: usize = 8;
/// Numbers of one vector; `sqlite-vec` allows no more.
const DIMENSIONS_MAX: usize = 8_192;

/// How text is taken apart for searching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokenizer {
    /// Into words, without case and accents; `café` is found by `Cafe`.
    #[default]
    Words,
    /// Into every three characters in a row: finds parts of words, and text without spaces between
    /// them. Takes several times the space; what is searched for needs three characters.
    Trigrams,
}

/// A search index to declare: over which fields, and how text is taken apart.
///
/// ```
/// use selkie::{SearchIndex, Tokenizer};
/// let index = SearchIndex::new(&["title", "body.text"])?.tokenizer(Tokenizer::Trigrams);
/// assert!(SearchIndex::new(&[]).is_err());
/// # drop(index);
/// # Ok::<(), selkie::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchIndex {
    pub(super) fields: Vec<Path>,
    pub(super) tokenizer: Tokenizer,
}

impl SearchIndex {
    /// Over these fields. Arrays and objects are searched with all that is in them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no field, more than eight, or what is none.
    pub fn new(fields: &[&str]) -> Result<Self, Error> {
        Ok(Self { fields: paths(fields)?, tokenizer: Tokenizer::default() })
    }

    /// How text is taken apart.
    #[must_use]
    pub fn tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.tokenizer = tokenizer;
        self
    }
}

/// How far two vectors are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// 1 − cosine of the angle between them: 0 for the same direction, 2 for the opposite.
    #[default]
    Cosine,
    /// Euclidean distance.
    Euclidean,
    /// The sum of the differences of their numbers.
    Manhattan,
}

/// A vector index to declare: embeddings of a fixed length, from a field or given apart.
///
/// ```
/// use selkie::{Metric, VectorIndex};
/// let from_a_field = VectorIndex::of_field("embedding", 384)?;
/// let given_apart = VectorIndex::given(&["title", "text"], 384)?.metric(Metric::Euclidean);
/// assert!(VectorIndex::of_field("embedding", 0).is_err());
/// # drop((from_a_field, given_apart));
/// # Ok::<(), selkie::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorIndex {
    pub(super) dimensions: usize,
    pub(super) metric: Metric,
    pub(super) source: VectorSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VectorSource {
    Field(Path),
    Given(Vec<Path>),
}

impl VectorIndex {
    /// Vectors stand in a field of the document, as an array of so many numbers. They sync with it. A
    /// record whose field is something else is not found.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field, or a length out of bounds.
    pub fn of_field(path: &str, dimensions: usize) -> Result<Self, Error> {
        let [path] = <[Path; 1]>::try_from(paths(&[path])?).map_err(|_| no_field())?;
        Self::new(dimensions, VectorSource::Field(path))
    }

    /// Vectors are given by the app, made from these fields on this device, and stay on it. If one of
    /// the fields changes, here or by sync, the vector is forgotten, and its record listed by
    /// [`Collection::without_vector`](crate::Collection::without_vector).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no field, or a length out of bounds.
    pub fn given(made_from: &[&str], dimensions: usize) -> Result<Self, Error> {
        Self::new(dimensions, VectorSource::Given(paths(made_from)?))
    }

    fn new(dimensions: usize, source: VectorSource) -> Result<Self, Error> {
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            let message = format!("a vector has 1 to {DIMENSIONS_MAX} numbers");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Self { dimensions, metric: Metric::default(), source })
    }

    /// How distance is measured.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }
}

/// What an index is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexKind {
    /// Filters and orders on fields.
    Fields,
    /// Full-text search.
    Search,
    /// Nearest vectors.
    Vectors,
}

/// A declared index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexInfo {
    /// Its collection.
    pub collection: String,
    /// What it is for.
    pub kind: IndexKind,
    /// The fields it is over.
    pub fields: Vec<String>,
    /// Numbers of a vector; 0 for the other kinds.
    pub dimensions: usize,
    /// Whether it is complete, and so used.
    pub ready: bool,
}

/// What is declared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Definition {
    Fields(Vec<Path>),
    Search(SearchIndex),
    Vectors(VectorIndex),
}

impl Definition {
    pub(crate) fn over(fields: &[&str]) -> Result<Self, Error> {
        Ok(Self::Fields(paths(fields)?))
    }

    /// Its kind, as it is stored.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Fields(_) => "fields",
            Self::Search(_) => "search",
            Self::Vectors(_) => "vectors",
        }
    }

    pub(super) fn is_only_one(&self) -> bool {
        !matches!(self, Self::Fields(_))
    }

    pub(super) fn to_json(&self) -> String {
        let texts = |paths: &[Path]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let definition = match self {
            Self::Fields(fields) => json!({ "fields": texts(fields) }),
            Self::Search(SearchIndex { fields, tokenizer }) => {
                let name = if *tokenizer == Tokenizer::Trigrams { "trigrams" } else { "words" };
                json!({ "fields": texts(fields), "tokenizer": name })
            }
            Self::Vectors(VectorIndex { dimensions, metric, source }) => {
                let (from, fields) = match source {
                    VectorSource::Field(path) => ("field", vec![path.to_string()]),
                    VectorSource::Given(paths) => ("given", texts(paths)),
                };
                let metric = metric.name();
                json!({"dimensions": dimensions, "metric": metric, "from": from, "fields": fields})
            }
        };
        definition.to_string()
    }

    pub(super) fn read(kind: &str, definition: &str) -> Option<Self> {
        let definition: Value = serde_json::from_str(definition).ok()?;
        let fields = definition.get("fields")?.as_array()?;
        let mut fields = fields
            .iter()
            .map(|field| Path::parse(field.as_str()?))
            .collect::<Option<Vec<Path>>>()?;
        let word = |name: &str| definition.get(name).and_then(Value::as_str);
        Some(match kind {
            "fields" => Self::Fields(fields),
            "search" => {
                let tokenizer = match word("tokenizer")? {
                    "words" => Tokenizer::Words,
                    "trigrams" => Tokenizer::Trigrams,
                    _ => return None,
                };
                Self::Search(SearchIndex { fields, tokenizer })
            }
            "vectors" => {
                let source = match word("from")? {
                    "field" => VectorSource::Field(fields.pop()?),
                    "given" => VectorSource::Given(fields),
                    _ => return None,
                };
                let dimensions = definition.get("dimensions")?.as_u64()?;
                let dimensions = usize::try_from(dimensions).ok()?;
                let metric = Metric::from_name(word("metric")?)?;
                Self::Vectors(VectorIndex { dimensions, metric, source })
            }
            _ => return None,
        })
    }

    pub(super) fn info(&self, collection: String, ready: bool) -> IndexInfo {
        let (kind, paths, dimensions) = match self {
            Self::Fields(fields) => (IndexKind::Fields, fields.as_slice(), 0),
            Self::Search(index) => (IndexKind::Search, index.fields.as_slice(), 0),
            Self::Vectors(index) => {
                let paths = match &index.source {
                    VectorSource::Field(path) => core::slice::from_ref(path),
                    VectorSource::Given(paths) => paths.as_slice(),
                };
                (IndexKind::Vectors, paths, index.dimensions)
            }
        };
        let fields = paths.iter().map(ToString::to_string).collect();
        IndexInfo { collection, kind, fields, dimensions, ready }
    }
}

impl Metric {
    const NAMES: [(&'static str, Self); 3] =
        [("cosine", Self::Cosine), ("l2", Self::Euclidean), ("l1", Self::Manhattan)];

    /// Its name, as `sqlite-vec` has it.
    pub(super) fn name(self) -> &'static str {
        let known = Self::NAMES.into_iter().find(|(_, metric)| *metric == self);
        known.map_or("cosine", |(name, _)| name)
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, metric)| metric)
    }
}

fn paths(fields: &[&str]) -> Result<Vec<Path>, Error> {
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        let message = format!("an index is over 1 to {FIELDS_MAX} fields");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let paths = fields.iter().map(|text| match field(text)? {
        Field::Path(path) => Ok(path),
        Field::Id | Field::CreatedAt | Field::UpdatedAt => Err(no_field()),
    });
    paths.collect()
}

fn no_field() -> Error {
    Error::new(ErrorKind::InvalidInput, "an index is over fields of the document")
}
