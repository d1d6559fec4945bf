//! The project's chores: `cargo xtask <task>`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use xtask::{bench, loc, tidy, tree};

type Task = fn(arguments: &[String]) -> Result<(), Box<dyn Error>>;

/// Name, what it does, and the task. Add a chore here.
const TASKS: [(&str, &str, Task); 4] = [
    (
        "bench",
        "measure `store` and write the result to docs/BENCHMARKS.md; with --quick only print it",
        bench::run,
    ),
    ("help", "list the tasks", help),
    ("loc", "count lines for each crate", lines_of_code),
    (
        "tidy",
        "check the repository's rules, as `cargo test` does; or those of another FOLDER",
        check_rules,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) =
        arguments.split_first().map_or(("help", &[][..]), |(n, rest)| (n.as_str(), rest));
    let Some((_, _, task)) = TASKS.iter().find(|(known, _, _)| *known == name) else {
        eprintln!("xtask: there is no task `{name}`; try `cargo xtask help`");
        return ExitCode::from(2);
    };
    match task(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn help(_: &[String]) -> Result<(), Box<dyn Error>> {
    println!("Usage: cargo xtask <task>\n");
    for (name, what, _) in TASKS {
        println!("  {name:<8} {what}");
    }
    Ok(())
}

fn lines_of_code(_: &[String]) -> Result<(), Box<dyn Error>> {
    let files = tree::files(&tree::root())?;
    print!("{}", loc::table(&loc::count(&files)));
    Ok(())
}

fn check_rules(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let root = arguments.first().map_or_else(tree::root, PathBuf::from);
    let findings = tidy::check(&tree::files(&root)?);
    findings.iter().for_each(|finding| println!("{finding}"));
    if findings.is_empty() { Ok(()) } else { Err(format!("{} findings", findings.len()).into()) }
}
