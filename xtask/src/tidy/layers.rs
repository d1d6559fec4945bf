//! Rules on who may use whom inside a crate: the rooms of the core, and what pure crates never touch.

use super::{Finding, is_test_file};
use crate::source::{code_only, leading_word, line_of, without_tests, words};

const CORE: &str = "crates/selkie-core/src/";
/// The rooms of the core: a later one may use an earlier one, never back.
pub const ROOMS: [&str; 9] =
    ["record", "clock", "keys", "change", "consent", "share", "seal", "merge", "sync"];
/// What every room may use and what itself uses no room.
const FREE: [&str; 2] = ["limits", "ports"];
/// Crates that do no I/O, read no clock and take no chance: the same code runs in a simulator.
const PURE: [&str; 2] = [CORE, "crates/selkie-wire/src/"];
/// Names that mean I/O, a clock or global randomness. (`HashMap` seeds itself and its order varies.)
const IMPURE: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "Instant",
    "OsRng",
    "SystemTime",
    "getrandom",
];

/// The room (or free file) that `path` belongs to; `None` outside the core and for its `lib.rs`.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(CORE)?;
    let first = inside.split('/').next()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then_some(room)
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

/// Each folder of the core is a room with a place in the order.
#[must_use]
pub fn rooms_are_known(path: &str, _text: &str) -> Vec<Finding> {
    match room_of(path) {
        Some(room) if place(room).is_none() && !FREE.contains(&room) => {
            let what = format!("`{room}` is no room of selkie-core: give it a place in ROOMS");
            vec![Finding::new(path, 1, what)]
        }
        _ => Vec::new(),
    }
}

/// A room uses only itself, earlier rooms and the free files, and says which.
#[must_use]
pub fn rooms_point_back(path: &str, text: &str) -> Vec<Finding> {
    let Some(room) = room_of(path) else { return Vec::new() };
    let code = code_only(text);
    let mut findings = Vec::new();
    for (at, used) in uses_of_root(path, &code) {
        let what = match (place(room), place(&used)) {
            _ if used == room || FREE.contains(&used.as_str()) => continue,
            (Some(here), Some(there)) if there < here => continue,
            (_, Some(_)) => format!("`{room}` uses `{used}`, a later room: rooms point back only"),
            (_, None) => format!("`crate::{used}` hides which room it is from: name the room"),
        };
        findings.push(Finding::new(path, line_of(&code, at), what));
    }
    findings
}

/// Names taken from the crate's root: by `crate::a`, `crate::{a, b::c}`, or enough `super::`.
fn uses_of_root(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut uses = Vec::new();
    for at in words(code, "crate") {
        let before = code.get(..at).unwrap_or("").trim_end();
        let rest = code.get(at + "crate".len()..).unwrap_or("").trim_start();
        if let Some(rest) = rest.strip_prefix("::").filter(|_| !before.ends_with('$')) {
            uses.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    for at in words(code, "super") {
        if code.get(..at).unwrap_or("").trim_end().ends_with("::") {
            continue;
        }
        let mut rest = code.get(at..).unwrap_or("");
        let mut steps = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            rest = next;
            steps += 1;
        }
        if steps >= module_depth(path) {
            let rooms = first_names(rest).into_iter().filter(|name| place(name).is_some());
            uses.extend(rooms.map(|name| (at, name)));
        }
    }
    uses
}

/// How many `super::` lead from a file of the core to its crate's root.
fn module_depth(path: &str) -> usize {
    let inside = path.strip_prefix(CORE).unwrap_or(path);
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") { parts - 1 } else { parts }
}

/// `a::b` → a; `{a::b, c, d::{e, f}}` → a, c, d. Macros (`name!`) are not names of rooms.
fn first_names(path: &str) -> Vec<String> {
    let path = path.trim_start();
    let Some(group) = path.strip_prefix('{') else {
        let name = leading_word(path);
        let is_macro = path.get(name.len()..).is_some_and(|rest| rest.starts_with('!'));
        return if name.is_empty() || is_macro { Vec::new() } else { vec![name.to_owned()] };
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut starts = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts = true,
            c if starts && !c.is_whitespace() => {
                names.push(leading_word(group.get(at..).unwrap_or("")).to_owned());
                starts = false;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The pure crates name nothing that does I/O, reads a clock or takes a chance of its own.
#[must_use]
pub fn pure_crates_touch_nothing(path: &str, text: &str) -> Vec<Finding> {
    if is_test_file(path) || !PURE.iter().any(|pure| path.starts_with(pure)) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let named = IMPURE.iter().flat_map(|name| words(&code, name).map(move |at| (name, at)));
    let finding = |(name, at): (&&str, usize)| {
        let what = format!("`{name}` in a pure crate: take it as an argument (see `ports`)");
        Finding::new(path, line_of(&code, at), what)
    };
    named.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(path: &str) -> String {
        format!("{CORE}{path}")
    }

    #[test]
    fn a_new_room_without_a_place_is_caught() {
        assert_eq!(rooms_are_known(&core("helpers/mod.rs"), "").len(), 1);
        assert_eq!(rooms_are_known(&core("util.rs"), "").len(), 1);
        for fine in ["lib.rs", "limits.rs", "ports.rs", "merge/mod.rs", "clock.rs"] {
            assert_eq!(rooms_are_known(&core(fine), ""), [], "{fine}");
        }
        assert_eq!(rooms_are_known("crates/selkie/src/store/mod.rs", ""), []);
    }

    #[test]
    fn a_room_that_uses_a_later_one_is_caught() {
        for (path, planted) in [
            ("record/mod.rs", "//! x\nuse crate::clock::Stamp;"),
            ("clock/hybrid.rs", "//! x\nfn f() -> crate::sync::State {}"),
            ("change/mod.rs", "//! x\nuse crate::{record, merge::{View, clock}};"),
            ("change/mod.rs", "//! x\nuse crate::{\n    seal::Sealed,\n    record,\n};"),
            ("seal/open.rs", "//! x\nuse super::super::sync::Engine;"),
            ("seal/mod.rs", "//! x\nuse super::merge::View;"),
            ("ports.rs", "//! x\nuse crate::record::Record;"),
            ("seal/mod.rs", "//! x\nuse crate::Record;"),
        ] {
            let findings = rooms_point_back(&core(path), planted);
            assert_eq!(findings.len(), 1, "{path}: {planted}: {findings:?}");
            assert_eq!(findings[0].line, 2);
        }
    }

    #[test]
    fn a_room_that_uses_itself_earlier_ones_and_ports_is_fine() {
        for (path, text) in [
            ("sync/mod.rs", "use crate::{record, clock::{Stamp, sync}, merge::*};"),
            ("clock/mod.rs", "use crate::ports::RandomSource; use crate::record::Value;"),
            ("clock/mod.rs", "use crate::clock::hybrid::Stamp;"),
            (
                "clock/mod.rs",
                "//! See [`crate::sync`].\n/* use crate::merge; */\n\"crate::merge\";",
            ),
            ("clock/mod.rs", "pub(crate) fn f() { $crate::sync::x(); crate::matches!(a) }"),
            ("keys/slots.rs", "use super::merge_slots; use super::seal::x;"),
            ("lib.rs", "pub use crate::sync::Engine;"),
        ] {
            assert_eq!(rooms_point_back(&core(path), text), [], "{path}: {text}");
        }
    }

    #[test]
    fn io_clock_and_chance_in_a_pure_crate_are_caught() {
        for name in IMPURE {
            let planted = format!("//! x\nuse {name};\n");
            assert_eq!(
                pure_crates_touch_nothing(&core("keys/mod.rs"), &planted).len(),
                1,
                "{name}"
            );
            assert_eq!(pure_crates_touch_nothing("crates/selkie-wire/src/a.rs", &planted).len(), 1);
            assert_eq!(pure_crates_touch_nothing("crates/selkie/src/a.rs", &planted), []);
            let test = format!("#[cfg(test)]\nmod tests {{ {planted} }}");
            assert_eq!(pure_crates_touch_nothing(&core("keys/mod.rs"), &test), []);
        }
    }
}
