//! `selkie preferences`: how you have answered conflicts so far, which is what suggestions are made of.

use clap::Args;
use selkie::Preference;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{BOLD, GOOD};
use crate::text;

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  selkie preferences
  selkie preferences --forget penguins/body_mass_g/concurrent_edit

They are suggestions only, until a policy lets them answer: selkie policy penguins --learned on";

/// What `selkie preferences` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Forget the answers of this id, on all devices
    #[arg(long, value_name = "ID")]
    forget: Option<String>,
}

/// Lists them, or forgets one.
pub fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let vault = context.open()?;
    let out = &context.out;
    if let Some(id) = arguments.forget {
        if !vault.forget_preference(&id)? {
            let message = format!("no preference is called {}", text::plain(&id));
            return Err(Failure::new(Exit::NotFound, "preference_not_found", message)
                .help("list them with: selkie preferences"));
        }
        let done = out.paint(GOOD, format!("forgot {}", text::plain(&id)));
        return out.either(&json!({ "preference": id, "forgotten": true }), done);
    }
    let known = vault.preferences()?;
    if known.is_empty() {
        out.note("no conflict has been answered yet");
    }
    for Preference { id, answers } in &known {
        let counts: Map<String, Value> =
            answers.iter().map(|(answer, count)| (answer.clone(), (*count).into())).collect();
        let told: Vec<_> = answers
            .iter()
            .map(|(answer, count)| format!("{answer} {}", text::count(*count)))
            .collect();
        let name = out.paint(BOLD, text::plain(id));
        let line = format!("{name}  {}", told.join(", "));
        out.either(&json!({ "preference": id, "answers": counts }), line)?;
    }
    Ok(())
}
