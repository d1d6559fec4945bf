//! The command explains itself.

use crate::support::{run, selkie};

const COMMANDS: [&str; 41] = [
    "doctor",
    "confirm-deletions",
    "search",
    "similar",
    "explain",
    "index",
    "sql",
    "anonymize",
    "init",
    "put",
    "get",
    "patch",
    "delete",
    "list",
    "query",
    "import",
    "export",
    "policy",
    "invite",
    "join",
    "sync",
    "package",
    "status",
    "conflicts",
    "resolve",
    "devices",
    "relay",
    "history",
    "undo",
    "restore",
    "schema",
    "preferences",
    "demo",
    "revoke",
    "rotate",
    "recover",
    "passphrase",
    "words",
    "fingerprint",
    "unlock",
    "lock",
];

fn help(arguments: &[&str]) -> String {
    let mut command = selkie();
    command.args(arguments);
    let done = run(command, b"");
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

#[test]
fn help_of_every_command_has_an_example() {
    for name in COMMANDS {
        let text = help(&[name, "--help"]);
        let examples = text.split_once("Examples:").unwrap_or_else(|| panic!("{name}: {text}")).1;
        assert!(examples.contains(&format!("selkie {name}")), "{name}: {text}");
    }
    assert!(help(&["relay", "serve", "--help"]).contains("selkie relay serve --data"));
}

#[test]
fn help_lists_the_commands_and_exit_codes() {
    let text = help(&["--help"]);
    for name in COMMANDS {
        assert!(text.contains(&format!("\n  {name}")), "{name}: {text}");
    }
    for code in 0..=7 {
        assert!(text.contains(&format!("\n  {code}  ")), "{code}: {text}");
    }
}

#[test]
fn a_command_line_without_sense_is_a_usage_error_in_both_forms() {
    for arguments in
        [&["fly"][..], &["get", "notes"], &["put"], &["sync"], &["list", "--limit", "x"]]
    {
        let mut command = selkie();
        command.args(arguments);
        let done = run(command, b"");
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
        let mut command = selkie();
        command.args(arguments).arg("--json");
        let done = run(command, b"");
        assert_eq!((done.code, done.error_code().as_str()), (2, "usage"), "{arguments:?}");
    }
}
