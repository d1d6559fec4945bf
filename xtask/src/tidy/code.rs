//! Rules for Rust files: each says its job, is short, has short functions, and prints nothing.

use super::{Finding, is_test_file};
use crate::source::{code_only, functions, line_of, lines_outside_tests, without_tests, words};

/// Lines a file may have outside of its tests.
pub const FILE_LINES_MAX: usize = 400;
/// Lines a function may have, from `fn` to closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Code that ends inside other people's apps. Only programs with a terminal of their own may print.
const LIBRARIES: [&str; 5] = [
    "crates/selkie/",
    "crates/selkie-core/",
    "crates/selkie-relay/",
    "crates/selkie-wire/",
    "bindings/",
];
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// A file opens with `//!`: its job in one or two lines.
#[must_use]
pub fn file_opens_with_its_job(path: &str, text: &str) -> Vec<Finding> {
    let says_it = text.strip_prefix("//!").and_then(|rest| rest.lines().next());
    if says_it.is_some_and(|job| !job.trim().is_empty()) {
        return Vec::new();
    }
    vec![Finding::new(path, 1, "the first line is not `//!` with the file's job")]
}

/// A file has at most [`FILE_LINES_MAX`] lines, its tests not counted.
#[must_use]
pub fn file_is_short(path: &str, text: &str) -> Vec<Finding> {
    let lines = lines_outside_tests(&code_only(text));
    if is_test_file(path) || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![Finding::new(
        path,
        1,
        format!("{lines} lines; at most {FILE_LINES_MAX}, tests not counted"),
    )]
}

/// A function has at most [`FUNCTION_LINES_MAX`] lines.
#[must_use]
pub fn functions_are_short(path: &str, text: &str) -> Vec<Finding> {
    if is_test_file(path) {
        return Vec::new();
    }
    let too_long = functions(&code_only(text)).into_iter().filter(|f| f.lines > FUNCTION_LINES_MAX);
    let finding = |f: crate::source::Function| {
        let what = format!("`{}` has {} lines; at most {FUNCTION_LINES_MAX}", f.name, f.lines);
        Finding::new(path, f.line, what)
    };
    too_long.map(finding).collect()
}

/// A library writes nothing to the terminal: what it holds is plaintext, and logs outlive it.
#[must_use]
pub fn library_does_not_print(path: &str, text: &str) -> Vec<Finding> {
    let is_program = path.ends_with("/src/main.rs") || path.contains("/src/bin/");
    let is_library = LIBRARIES.iter().any(|library| path.starts_with(library)) && !is_program;
    if is_test_file(path) || !is_library {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut findings = Vec::new();
    for name in PRINTING {
        for at in words(&code, name) {
            if code.get(at + name.len()..).is_some_and(|rest| rest.starts_with('!')) {
                let what = format!("`{name}!` in a library: return the value, or tell an observer");
                findings.push(Finding::new(path, line_of(&code, at), what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_say_its_job_is_caught() {
        for planted in ["", "\n//! late\n", "// plain\n", "use a;\n//! x", "//!\nfn f() {}"] {
            assert_eq!(file_opens_with_its_job("a.rs", planted).len(), 1, "{planted}");
        }
        assert_eq!(file_opens_with_its_job("a.rs", "//! Its job.\n"), []);
    }

    #[test]
    fn a_long_file_is_caught_and_its_tests_are_not_counted() {
        let code = "// a line\n".repeat(FILE_LINES_MAX);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// a test\n".repeat(500));
        assert_eq!(file_is_short("src/a.rs", &format!("{code}{tests}")), []);
        assert_eq!(file_is_short("src/a.rs", &format!("{tests}{code}one more\n")).len(), 1);
        assert_eq!(file_is_short("tests/it/a.rs", &format!("{code}one more\n")), []);
    }

    #[test]
    fn a_long_function_is_caught_and_a_test_is_not() {
        let of_lines = |lines: usize| format!("fn long() {{\n{}}}\n", " x();\n".repeat(lines - 2));
        assert_eq!(functions_are_short("src/a.rs", &of_lines(FUNCTION_LINES_MAX)), []);
        let planted = format!("//! x\n{}", of_lines(FUNCTION_LINES_MAX + 1));
        assert_eq!(functions_are_short("src/a.rs", &planted)[0].line, 2);
        let test = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", of_lines(200));
        assert_eq!(functions_are_short("src/a.rs", &test), []);
    }

    #[test]
    fn printing_in_a_library_is_caught_and_in_a_comment_test_or_the_command_is_not() {
        for name in PRINTING {
            let planted = format!("//! x\nfn f() {{ {name}!(\"{{body}}\") }}\n");
            assert_eq!(library_does_not_print("crates/selkie-core/src/a.rs", &planted)[0].line, 2);
            assert_eq!(library_does_not_print("crates/selkie-cli/src/list.rs", &planted), []);
            assert_eq!(library_does_not_print("crates/selkie-relay/src/main.rs", &planted), []);
            let test = format!("#[cfg(test)]\nmod tests {{ {planted} }}");
            assert_eq!(library_does_not_print("crates/selkie/src/a.rs", &test), []);
            let comment = format!("/// {name}!(\"x\")\nfn f() {{ \"{name}!()\" }}");
            assert_eq!(library_does_not_print("crates/selkie/src/a.rs", &comment), []);
        }
    }
}
