//! `selkie index`: the indexes of this device's store.

use clap::{Args, Subcommand, ValueEnum};
use selkie::{IndexInfo, IndexKind, Metric, SearchIndex, Tokenizer, VectorIndex};
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::BOLD;
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie index list
  selkie index add penguins species body_mass_g
  selkie index add notes --search title text
  selkie index add notes --vectors embedding --dimensions 384
  selkie index remove notes --search

An index is local to this store, and kept in step by every write.";

const LIST: &str = "Examples:\n  selkie index list notes";
const ADD: &str = "Examples:\n  selkie index add penguins species body_mass_g";
const REMOVE: &str = "Examples:\n  selkie index remove penguins species body_mass_g";

/// What `selkie index` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List indexes
    #[command(after_help = LIST)]
    List {
        /// Only those of this collection
        collection: Option<String>,
    },
    /// Build an index
    #[command(after_help = ADD)]
    Add {
        #[command(flatten)]
        which: Which,
        /// How text is taken apart, with --search
        #[arg(long, value_enum, default_value = "words", value_name = "HOW")]
        tokenizer: TokenizerName,
        /// Numbers of a vector, with --vectors
        #[arg(long, value_name = "N", requires = "vectors")]
        dimensions: Option<usize>,
        /// How distance is measured, with --vectors
        #[arg(long, value_enum, default_value = "cosine", value_name = "HOW")]
        metric: MetricName,
    },
    /// Remove an index
    #[command(after_help = REMOVE)]
    Remove {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Args, Debug)]
struct Which {
    /// The collection
    collection: String,
    /// The fields it is over
    field: Vec<String>,
    /// For full-text search
    #[arg(long)]
    search: bool,
    /// For nearest vectors
    #[arg(long, conflicts_with = "search")]
    vectors: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TokenizerName {
    Words,
    Trigrams,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MetricName {
    Cosine,
    Euclidean,
    Manhattan,
}

/// Lists, adds or removes.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    match arguments.action {
        Action::List { collection } => {
            let indexes = match collection {
                Some(collection) => vault.collection(&collection)?.indexes()?,
                None => vault.indexes()?,
            };
            if indexes.is_empty() {
                context.out.note("there are no indexes");
            }
            indexes.iter().try_for_each(|index| show(index, context))
        }
        Action::Add { which, tokenizer, dimensions, metric } => {
            let collection = vault.collection(&which.collection)?;
            let fields: Vec<&str> = which.field.iter().map(String::as_str).collect();
            if which.vectors {
                let [field] = fields.as_slice() else {
                    return Err(Failure::usage("vectors stand in one field; name it"));
                };
                let dimensions = dimensions
                    .ok_or_else(|| Failure::usage("say how many --dimensions a vector has"))?;
                let metric = match metric {
                    MetricName::Cosine => Metric::Cosine,
                    MetricName::Euclidean => Metric::Euclidean,
                    MetricName::Manhattan => Metric::Manhattan,
                };
                let index = VectorIndex::of_field(field, dimensions)?.metric(metric);
                collection.ensure_vectors(&index)?;
            } else if which.search {
                let tokenizer = match tokenizer {
                    TokenizerName::Words => Tokenizer::Words,
                    TokenizerName::Trigrams => Tokenizer::Trigrams,
                };
                collection.ensure_search(&SearchIndex::new(&fields)?.tokenizer(tokenizer))?;
            } else {
                collection.ensure_index(&fields)?;
            }
            vault.finish_indexes()?;
            collection.indexes()?.iter().try_for_each(|index| show(index, context))
        }
        Action::Remove { which } => {
            let collection = vault.collection(&which.collection)?;
            let fields: Vec<&str> = which.field.iter().map(String::as_str).collect();
            let removed = match (which.search, which.vectors) {
                (true, _) => collection.drop_search()?,
                (_, true) => collection.drop_vectors()?,
                _ => collection.drop_index(&fields)?,
            };
            if removed {
                return Ok(());
            }
            let message = format!("there is no such index of {}", text::plain(&which.collection));
            Err(Failure::new(Exit::NotFound, "index_not_found", message)
                .help("list what there is with: selkie index list"))
        }
    }
}

fn show(index: &IndexInfo, context: &Context) -> Result<(), Failure> {
    let kind = match index.kind {
        IndexKind::Search => "search",
        IndexKind::Vectors => "vectors",
        _ => "fields",
    };
    let value = json!({
        "collection": index.collection,
        "kind": kind,
        "fields": index.fields,
        "dimensions": index.dimensions,
        "ready": index.ready,
    });
    let name = context.out.paint(BOLD, text::plain(&index.collection));
    let state = if index.ready { "" } else { "  (being built)" };
    let fields = text::plain(&index.fields.join(", "));
    context.out.either(&value, format!("{name}  {kind}  {fields}{state}"))
}
