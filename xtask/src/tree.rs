//! The repository's text files, read from disk without git and without leaving the tree.

use std::io;
use std::path::{Path, PathBuf};

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the repository's root, with `/` between folders.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// Hidden folders that belong to the project. Every other hidden folder is a tool's own.
const HIDDEN_FOLDERS: [&str; 3] = [".cargo", ".ci", ".github"];
/// Folders with what tools make.
const MADE_FOLDERS: [&str; 3] = ["node_modules", "target", "__pycache__"];
/// What a text file's name ends with.
const TEXT_ENDINGS: [&str; 12] =
    [".rs", ".toml", ".md", ".py", ".sh", ".yml", ".yaml", ".ts", ".js", ".kt", ".swift", ".sql"];

/// The repository's root: the folder above this crate's.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every text file under `root`, ordered by path.
///
/// # Errors
/// A folder or file that cannot be read, or a text file that is not UTF-8.
pub fn files(root: &Path) -> io::Result<Vec<File>> {
    let mut found = Vec::new();
    walk(root, "", &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<File>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && belongs(&entry.path(), &name) {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() && is_text(&path) {
            let text = std::fs::read_to_string(entry.path())
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
            found.push(File { path, text });
        }
    }
    Ok(())
}

/// A build folder may have any name: cargo marks it with `CACHEDIR.TAG`, Python with `pyvenv.cfg`.
fn belongs(folder: &Path, name: &str) -> bool {
    !MADE_FOLDERS.contains(&name)
        && (!name.starts_with('.') || HIDDEN_FOLDERS.contains(&name))
        && !folder.join("CACHEDIR.TAG").exists()
        && !folder.join("pyvenv.cfg").exists()
}

fn is_text(path: &str) -> bool {
    path.starts_with(".ci/") || TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_the_manifests_and_nothing_built() {
        let files = files(&root()).unwrap();
        assert!(files.iter().any(|file| file.path == "Cargo.toml"));
        assert!(files.iter().any(|file| file.path == "xtask/src/tree.rs"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
