//! Runs a benchmark and puts what it prints into `docs/BENCHMARKS.md`, between that benchmark's marks.

use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::tree;

/// Benchmarks by name, with the crate that holds each.
const BENCHES: [(&str, &str); 2] = [("store", "selkie"), ("sync", "selkie")];
const PAGE: &str = "docs/BENCHMARKS.md";
/// A part of the work, to see whether all is well: printed, never written down.
const QUICK: &str = "--quick";

/// Runs `cargo bench` for the benchmark that `arguments` name.
///
/// # Errors
/// An unknown name, a benchmark that fails, or a page without its marks.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let known = || BENCHES.map(|(name, _)| name).join(", ");
    let (name, package) = BENCHES
        .into_iter()
        .find(|(name, _)| arguments.first().is_some_and(|wanted| wanted == name))
        .ok_or_else(|| format!("name a benchmark: {}", known()))?;
    let quick = match arguments.get(1..).unwrap_or_default() {
        [] => false,
        [option] if option == QUICK => true,
        _ => return Err(format!("the one option is {QUICK}").into()),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["bench", "--locked", "--package", package, "--bench", name]);
    if quick {
        command.args(["--", QUICK]);
    }
    let output = command.current_dir(tree::root()).stderr(Stdio::inherit()).output()?;
    let table = String::from_utf8(output.stdout)?;
    if !output.status.success() || table.is_empty() {
        return Err(format!("the benchmark {name} failed").into());
    }
    print!("{table}");
    if !quick {
        let page = tree::root().join(PAGE);
        let text = std::fs::read_to_string(&page)?;
        let marks = format!("{PAGE} lacks the marks of {name}");
        std::fs::write(&page, put_between_marks(&text, name, &table).ok_or(marks)?)?;
        println!("written to {PAGE}");
    }
    Ok(())
}

/// `page` with `table` in place of what stands between the marks of `name`.
fn put_between_marks(page: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- bench {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", table.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before_and_nothing_else() {
        let page = "a\n<!-- bench x -->\nold\n<!-- end x -->\nz\n";
        let once = put_between_marks(page, "x", "new\n").unwrap();
        assert_eq!(once, "a\n<!-- bench x -->\n\nnew\n\n<!-- end x -->\nz\n");
        assert_eq!(put_between_marks(&once, "x", "new\n").as_ref(), Some(&once));
        assert_eq!(put_between_marks(page, "y", "new\n"), None);
    }

    #[test]
    fn what_is_no_benchmark_is_refused() {
        for arguments in [&[][..], &["stor"], &["store", "--fast"], &["store", QUICK, "x"]] {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            assert!(run(&arguments).is_err(), "{arguments:?}");
        }
    }
}
