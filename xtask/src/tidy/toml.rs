//! Reads the few parts of a `Cargo.toml` that the rules ask about. Not a TOML parser.

use std::collections::BTreeMap;

/// What the rules ask about one `Cargo.toml`.
#[derive(Debug, Default)]
pub struct Manifest {
    /// `package.name`.
    pub package: Option<String>,
    /// Whether it is a package and a workspace of its own (a fuzz crate), outside of ours.
    pub is_own_workspace: bool,
    /// Whether it says `[lints] workspace = true`.
    pub has_workspace_lints: bool,
    /// Every dependency of every table.
    pub dependencies: Vec<Dependency>,
    /// Section headers with their 1-based lines.
    pub sections: Vec<(String, usize)>,
}

/// Which table a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]`, also of a target.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
    /// `[build-dependencies]`.
    Build,
    /// `[workspace.dependencies]`.
    Workspace,
}

/// One dependency.
#[derive(Debug)]
pub struct Dependency {
    /// Its table.
    pub kind: Kind,
    /// Its key.
    pub name: String,
    /// The crate it names: its key, or `package = "…"`.
    pub package: String,
    /// 1-based line.
    pub line: usize,
    /// Its settings; a bare string is `version`.
    pub spec: Spec,
}

/// A dependency's settings, as written and without quotes.
#[derive(Debug, Default)]
pub struct Spec(BTreeMap<String, String>);

impl Spec {
    /// The setting `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

impl Manifest {
    /// Reads `text`. What it does not understand it leaves out; cargo itself refuses bad files.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        for (line, statement) in statements(text) {
            if let Some(header) = statement.strip_prefix('[') {
                section = header.trim_end_matches(']').trim_start_matches('[').trim().to_owned();
                manifest.sections.push((section.clone(), line));
            } else if let Some((key, value)) = statement.split_once('=') {
                manifest.take(&section, key.trim(), value.trim(), line);
            }
        }
        let is_workspace = |(name, _): &(String, usize)| name == "workspace";
        manifest.is_own_workspace =
            manifest.package.is_some() && manifest.sections.iter().any(is_workspace);
        manifest
    }

    fn take(&mut self, section: &str, key: &str, value: &str, line: usize) {
        match (section, key) {
            ("package", "name") => self.package = Some(unquoted(value)),
            ("lints", "workspace") => self.has_workspace_lints = value == "true",
            _ => {}
        }
        if let Some(kind) = table(section) {
            let (name, setting) = key.split_once('.').unwrap_or((key, ""));
            self.add(kind, name, setting, value, line);
        } else if let Some((outer, name)) = section.rsplit_once('.')
            && let Some(kind) = table(outer)
        {
            self.add(kind, name, key, value, line);
        }
    }

    fn add(&mut self, kind: Kind, name: &str, setting: &str, value: &str, line: usize) {
        let name = unquoted(name);
        let known = self.dependencies.iter().position(|d| d.kind == kind && d.name == name);
        let at = known.unwrap_or(self.dependencies.len());
        if known.is_none() {
            let package = name.clone();
            self.dependencies.push(Dependency { kind, name, package, line, spec: Spec::default() });
        }
        let Some(dependency) = self.dependencies.get_mut(at) else { return };
        let settings = &mut dependency.spec.0;
        if let Some(inline) = value.strip_prefix('{').filter(|_| setting.is_empty()) {
            let pairs = top_level_parts(inline.trim_end_matches('}'));
            let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
            settings.extend(pairs.map(|(key, value)| (key.trim().to_owned(), unquoted(value))));
        } else {
            let setting = if setting.is_empty() { "version" } else { setting };
            settings.insert(setting.to_owned(), unquoted(value));
        }
        if let Some(package) = settings.get("package") {
            dependency.package.clone_from(package);
        }
    }
}

fn table(section: &str) -> Option<Kind> {
    match section.rsplit('.').next() {
        Some("dependencies") if section == "workspace.dependencies" => Some(Kind::Workspace),
        Some("dependencies") => Some(Kind::Normal),
        Some("dev-dependencies") => Some(Kind::Dev),
        Some("build-dependencies") => Some(Kind::Build),
        _ => None,
    }
}

/// Statements with their first lines: comments gone, values over several lines joined.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        match found.last_mut().filter(|_| open) {
            Some((_, statement)) => statement.push_str(line),
            None if line.is_empty() => continue,
            None => found.push((at + 1, line.to_owned())),
        }
        open = found.last().is_some_and(|(_, statement)| nesting(statement) > 0);
    }
    found
}

fn without_comment(line: &str) -> &str {
    let end = outside_quotes(line).find(|(_, c)| *c == '#').map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or(line)
}

fn nesting(text: &str) -> usize {
    outside_quotes(text).fold(0, |depth, (_, c)| match c {
        '[' | '{' => depth + 1,
        ']' | '}' => depth.saturating_sub(1),
        _ => depth,
    })
}

/// `text` cut at the commas that stand in no quotes and no brackets.
fn top_level_parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in outside_quotes(text).filter(|(_, c)| *c == ',') {
        if nesting(text.get(..at).unwrap_or("")) == 0 {
            parts.push(text.get(from..at).unwrap_or(""));
            from = at + 1;
        }
    }
    parts.push(text.get(from..).unwrap_or(""));
    parts
}

fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    text.char_indices().filter(move |(_, c)| {
        match quote {
            Some(open) if open == *c => quote = None,
            None if *c == '"' || *c == '\'' => quote = Some(*c),
            None => return true,
            Some(_) => {}
        }
        false
    })
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let text = r#"
            [package]
            name = "x" # not "y"
            [lints]
            workspace = true
            [workspace.dependencies]
            a = "1 # 2"
            b = { version = "2", features = [
                "c", # d
                "e",
            ], package = "real-b" }
            [dependencies]
            f.workspace = true
            [target.'cfg(any(unix, windows))'.dependencies]
            g = { workspace = true, default-features = false }
            [dev-dependencies.h]
            version = "3"
            git = "https://h"
        "#;
        let manifest = Manifest::parse(text);
        let read: Vec<_> =
            manifest.dependencies.iter().map(|d| (d.kind, d.name.as_str(), d.line)).collect();
        let expected = [
            (Kind::Workspace, "a", 7),
            (Kind::Workspace, "b", 8),
            (Kind::Normal, "f", 13),
            (Kind::Normal, "g", 15),
            (Kind::Dev, "h", 17),
        ];
        assert_eq!(read, expected);
        let spec = |at: usize, key| manifest.dependencies[at].spec.get(key);
        assert_eq!((spec(0, "version"), spec(1, "version")), (Some("1 # 2"), Some("2")));
        assert_eq!(manifest.dependencies[1].package, "real-b");
        assert_eq!((spec(2, "workspace"), spec(3, "workspace")), (Some("true"), Some("true")));
        assert_eq!((spec(4, "version"), spec(4, "git")), (Some("3"), Some("https://h")));
        assert_eq!(manifest.package.as_deref(), Some("x"));
        assert!(manifest.has_workspace_lints && !manifest.is_own_workspace);
    }
}
