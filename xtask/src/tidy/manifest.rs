//! Rules for `Cargo.toml` files: crate edges, versions, and a reason for every dependency.

use super::Finding;
use super::toml::{Dependency, Kind, Manifest};
use crate::tree::File;

/// Which crates of ours a crate may depend on. An edge stands exactly where a promise stands
/// (`ARCHITECTURE.md`): the relay sees no key type, the core does no I/O, bindings hold no logic.
const EDGES: [(&str, &[&str]); 11] = [
    ("selkie-wire", &[]),
    ("selkie-core", &["selkie-wire"]),
    ("selkie", &["selkie-core", "selkie-wire"]),
    ("selkie-relay", &["selkie-wire"]),
    ("selkie-cli", &["selkie", "selkie-relay"]),
    ("selkie-ffi", &["selkie"]),
    ("selkie-node", &["selkie"]),
    ("selkie-python", &["selkie"]),
    // These three are for developers; nobody may depend on them.
    ("selkie-sim", &["selkie-core", "selkie-wire"]),
    ("selkie-fuzz", &["selkie-core", "selkie-wire"]),
    (
        "xtask",
        &["selkie", "selkie-cli", "selkie-core", "selkie-relay", "selkie-sim", "selkie-wire"],
    ),
];

/// What opens sealed bytes or makes keys: a relay must not be able to.
const READS: [&str; 10] = [
    "aes",
    "aes-gcm",
    "argon2",
    "aws-lc-rs",
    "bip39",
    "chacha20poly1305",
    "hkdf",
    "hpke",
    "ring",
    "x25519-dalek",
];
/// What touches a disk, a network, a terminal, a clock or the system's randomness.
const TOUCHES: [&str; 12] = [
    "axum",
    "getrandom",
    "hyper",
    "indicatif",
    "rand",
    "reqwest",
    "rpassword",
    "rusqlite",
    "tempfile",
    "time",
    "tokio",
    "ureq",
];
/// Crates that may not use a list of foreign crates, and the promise that would break.
const FOREIGN: [(&str, &[&str], &str); 4] = [
    ("selkie-wire", &READS, "a relay that depends on this crate could read"),
    ("selkie-wire", &TOUCHES, "this crate is pure"),
    ("selkie-core", &TOUCHES, "this crate is pure"),
    ("selkie-relay", &READS, "a relay must not be able to read"),
];

/// A crate depends on ours only along `EDGES`, and on no foreign crate that breaks its promise.
#[must_use]
pub fn crate_edges_are_drawn(path: &str, text: &str) -> Vec<Finding> {
    let manifest = Manifest::parse(text);
    let Some(name) = manifest.package.as_deref().filter(|_| !manifest.is_own_workspace) else {
        return Vec::new();
    };
    let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == name) else {
        return vec![Finding::new(
            path,
            1,
            format!("`{name}` has no line in EDGES: draw its edges"),
        )];
    };
    let ours = |to: &str| EDGES.iter().any(|(known, _)| *known == to) || to.starts_with("selkie");
    let mut findings = Vec::new();
    for dependency in manifest.dependencies.iter().filter(|d| d.kind != Kind::Dev) {
        let to = dependency.package.as_str();
        if ours(to) && !allowed.contains(&to) {
            let what =
                format!("`{name}` may not depend on `{to}` (allowed: {})", allowed.join(", "));
            findings.push(Finding::new(path, dependency.line, what));
        }
        for (_, _, why) in
            FOREIGN.iter().filter(|(from, list, _)| *from == name && list.contains(&to))
        {
            let what = format!("`{name}` may not depend on `{to}`: {why}");
            findings.push(Finding::new(path, dependency.line, what));
        }
    }
    findings
}

/// No git dependency, no `*` version, no patched registry: what was reviewed is what is built.
#[must_use]
pub fn versions_are_pinned_down(path: &str, text: &str) -> Vec<Finding> {
    let manifest = Manifest::parse(text);
    let mut findings = Vec::new();
    for Dependency { name, line, spec, .. } in &manifest.dependencies {
        if spec.get("git").is_some() {
            findings.push(Finding::new(
                path,
                *line,
                format!("`{name}` comes from git: use a release"),
            ));
        }
        if spec.get("version").is_some_and(|version| version.contains('*')) {
            findings.push(Finding::new(path, *line, format!("`{name}` has version `*`: name one")));
        }
    }
    for (section, line) in &manifest.sections {
        if section.starts_with("patch") || section.starts_with("replace") {
            findings.push(Finding::new(
                path,
                *line,
                format!("[{section}] swaps a dependency's source"),
            ));
        }
    }
    findings
}

/// A crate takes its dependencies from the workspace, so that each has one version and one reason.
#[must_use]
pub fn workspace_keeps_the_versions(path: &str, text: &str) -> Vec<Finding> {
    let manifest = Manifest::parse(text);
    if manifest.is_own_workspace {
        return Vec::new();
    }
    let members = manifest.dependencies.iter().filter(|d| d.kind != Kind::Workspace);
    let own = members.filter(|d| d.spec.get("workspace") != Some("true"));
    own.map(|d| Finding::new(path, d.line, format!("`{}`: write `workspace = true`", d.name)))
        .collect()
}

/// A crate takes its lints from the workspace; without the line, none of them is on.
#[must_use]
pub fn lints_are_on(path: &str, text: &str) -> Vec<Finding> {
    let manifest = Manifest::parse(text);
    if manifest.package.is_none() || manifest.is_own_workspace || manifest.has_workspace_lints {
        return Vec::new();
    }
    vec![Finding::new(path, 1, "`[lints] workspace = true` is missing")]
}

const ROOT: &str = "Cargo.toml";
const REASONS: &str = "docs/DEPENDENCIES.md";

/// Every foreign workspace dependency is used, and has a row in `docs/DEPENDENCIES.md`; every row is one.
#[must_use]
pub fn dependencies_are_explained(files: &[File]) -> Vec<Finding> {
    let text_of =
        |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let Some(root) = text_of(ROOT).map(Manifest::parse) else { return Vec::new() };
    let reasons = text_of(REASONS).unwrap_or("");
    let used: Vec<String> = files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .flat_map(|file| Manifest::parse(&file.text).dependencies)
        .map(|dependency| dependency.name)
        .collect();

    let foreign: Vec<&Dependency> = root
        .dependencies
        .iter()
        .filter(|d| d.kind == Kind::Workspace && d.spec.get("path").is_none())
        .collect();
    let rows: Vec<(usize, &str)> = reasons
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.strip_prefix("| `")?.split_once('`')?.0)))
        .collect();

    let mut findings = Vec::new();
    for Dependency { name, line, .. } in &foreign {
        if !rows.iter().any(|(_, row)| row == name) {
            findings.push(Finding::new(ROOT, *line, format!("`{name}` has no row in {REASONS}")));
        }
        if !used.contains(name) {
            findings.push(Finding::new(ROOT, *line, format!("`{name}` is used by no crate")));
        }
    }
    for (at, (line, row)) in rows.iter().enumerate() {
        if !foreign.iter().any(|d| d.name == *row) {
            findings.push(Finding::new(REASONS, *line, format!("`{row}` is no dependency")));
        }
        if rows.iter().take(at).any(|(_, earlier)| earlier == row) {
            findings.push(Finding::new(REASONS, *line, format!("`{row}` has two rows")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!(
            "[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n[dependencies]\n{dependencies}\n"
        )
    }

    #[test]
    fn an_edge_that_breaks_a_promise_is_caught() {
        for (name, planted) in [
            ("selkie-relay", "selkie-core.workspace = true"),
            ("selkie-relay", "chacha20poly1305.workspace = true"),
            ("selkie-core", "rusqlite.workspace = true"),
            ("selkie-core", "rng = { workspace = true, package = \"getrandom\" }"),
            ("selkie-core", "selkie = { workspace = true, optional = true }"),
            ("selkie", "selkie-sim.workspace = true"),
            (
                "selkie-wire",
                "serde.workspace = true\n[target.'cfg(unix)'.dependencies]\ntokio.workspace = true",
            ),
            ("selkie-wire", "[build-dependencies]\nselkie-core.workspace = true"),
            ("selkie-cli", "[dependencies.selkie-core]\nworkspace = true"),
            ("selkie-new", ""),
        ] {
            assert_eq!(
                crate_edges_are_drawn("a", &manifest(name, planted)).len(),
                1,
                "{name}: {planted}"
            );
        }
        let fine = "selkie-wire.workspace = true\nsha2.workspace = true\n[dev-dependencies]\ntokio.workspace = true";
        assert_eq!(crate_edges_are_drawn("a", &manifest("selkie-core", fine)), []);
    }

    #[test]
    fn git_star_and_patch_are_caught() {
        for planted in [
            "[workspace.dependencies]\na = { git = \"https://x\", rev = \"1\" }",
            "[dependencies]\na = \"*\"",
            "[dev-dependencies]\na = { version = \"1.*\" }",
            "[dependencies.a]\nversion = \"*\"",
            "[patch.crates-io]\na = { path = \"a\" }",
        ] {
            assert_eq!(versions_are_pinned_down("a", planted).len(), 1, "{planted}");
        }
        assert_eq!(versions_are_pinned_down("a", "[dependencies]\ngit = \"1\" # *"), []);
    }

    #[test]
    fn a_version_beside_the_workspace_is_caught() {
        for planted in ["a = \"1\"", "a = { version = \"1\" }", "a = { path = \"../a\" }"] {
            assert_eq!(
                workspace_keeps_the_versions("a", &manifest("x", planted)).len(),
                1,
                "{planted}"
            );
        }
        assert_eq!(workspace_keeps_the_versions("a", "[workspace.dependencies]\na = \"1\""), []);
        let fine = "a.workspace = true\nb = { workspace = true, features = [\"c\"] }";
        assert_eq!(workspace_keeps_the_versions("a", &manifest("x", fine)), []);
    }

    #[test]
    fn missing_lints_are_caught() {
        assert_eq!(
            lints_are_on("a", "[package]\nname = \"x\"\n[lints.rust]\na = \"warn\"").len(),
            1
        );
        assert_eq!(lints_are_on("a", &manifest("x", "")), []);
        assert_eq!(lints_are_on("a", "[workspace]\nmembers = []"), []);
    }

    #[test]
    fn a_dependency_without_a_reason_or_a_use_is_caught_and_a_stale_row_too() {
        let check = |workspace: &str, member: &str, rows: &str| {
            let file = |path: &str, text: String| File { path: path.to_owned(), text };
            let root = format!(
                "[workspace]\n[workspace.dependencies]\nours = {{ path = \"o\" }}\n{workspace}"
            );
            let files = [
                file(ROOT, root),
                file("crates/x/Cargo.toml", manifest("x", member)),
                file(REASONS, rows.to_owned()),
            ];
            dependencies_are_explained(&files)
                .into_iter()
                .map(|f| f.what)
                .collect::<Vec<_>>()
                .join("; ")
        };
        let uses = "a.workspace = true";
        assert_eq!(check("a = \"1\"", uses, "| `a` | why |"), "");
        assert!(check("a = \"1\"", uses, "").contains("no row"));
        assert!(check("a = \"1\"", "", "| `a` | why |").contains("used by no crate"));
        assert!(check("", "", "| `a` | why |").contains("no dependency"));
        assert!(check("a = \"1\"", uses, "| `a` | x |\n| `a` | y |").contains("two rows"));
    }
}
