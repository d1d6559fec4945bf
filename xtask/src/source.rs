//! Reads Rust text just well enough for the rules: which characters are code, which lines are tests.

use std::ops::Range;

/// `text` with comments, strings and character literals blanked, line for line.
///
/// Rules on code look at this, so a word in a comment or a string never counts as code.
#[must_use]
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.chars().next_back().is_some_and(is_word);
        let blanked = not_code_len(rest, after_word);
        let (skipped, kept) =
            rest.split_at_checked(blanked.max(first.len_utf8())).unwrap_or((rest, ""));
        if blanked == 0 {
            code.push(first);
        } else {
            code.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = kept;
    }
    code
}

/// Bytes of the comment, string or character literal that `rest` opens with; 0 if it opens with code.
fn not_code_len(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if !after_word && let Some(len) = raw_string_len(rest) {
        return len;
    }
    match rest.chars().next() {
        Some('"') => quoted_len(rest, '"'),
        Some('\'') if is_char_literal(rest) => quoted_len(rest, '\''),
        _ => 0,
    }
}

fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth -= 1;
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, and with `b` or `c` before; `None` for anything else, such as `r#type`.
fn raw_string_len(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let text = body.trim_start_matches('#');
    let hashes = body.get(..body.len() - text.len())?;
    let text = text.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let len = text.find(&end).map_or(text.len(), |at| at + end.len());
    Some(rest.len() - text.len() + len)
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// Whether `c` may stand inside a Rust name.
#[must_use]
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name that `text` opens with; empty if it opens with something else.
#[must_use]
pub fn leading_word(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

/// Where `word` stands in `text` with no name character before or after it.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|head| head.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The 1-based number of the line that byte `at` is on.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |head| head.matches('\n').count() + 1)
}

/// Byte ranges of items that only tests see: `#[cfg(test)]` and what follows it.
///
/// `code` must come from [`code_only`].
#[must_use]
pub fn test_spans(code: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(mark) {
            let item = code
                .get(start..)
                .and_then(|tail| tail.find(']'))
                .map_or(start, |at| start + at + 1);
            spans.push(start..item_end(code, item));
        }
    }
    spans.sort_by_key(|span| span.start);
    spans
}

/// `code` with the items of [`test_spans`] blanked, line for line.
#[must_use]
pub fn without_tests(code: &str) -> String {
    let spans = test_spans(code);
    code.char_indices()
        .map(|(at, c)| {
            let tested = c != '\n' && spans.iter().any(|span| span.contains(&at));
            if tested { ' ' } else { c }
        })
        .collect()
}

/// Lines of `code` outside of [`test_spans`].
#[must_use]
pub fn lines_outside_tests(code: &str) -> usize {
    let in_tests = |span: &Range<usize>| code.get(span.clone()).unwrap_or("").lines().count();
    code.lines().count() - test_spans(code).iter().map(in_tests).sum::<usize>()
}

/// The byte after the item that begins at `from`: after its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut nesting = 0_usize;
    for (offset, c) in code.get(from..).unwrap_or("").char_indices() {
        match c {
            '(' | '[' => nesting += 1,
            ')' | ']' => nesting = nesting.saturating_sub(1),
            ';' if nesting == 0 => return from + offset + 1,
            '{' if nesting == 0 => return brace_end(code, from + offset),
            _ => {}
        }
    }
    code.len()
}

/// The byte after the brace that closes the one at `open`.
fn brace_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, c) in code.get(open..).unwrap_or("").char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + offset + 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The 1-based line of its `fn`.
    pub line: usize,
    /// Lines from its `fn` to its closing brace.
    pub lines: usize,
}

/// Every function with a body outside of tests. `code` must come from [`code_only`].
#[must_use]
pub fn functions(code: &str) -> Vec<Function> {
    let tests = test_spans(code);
    let outside_tests = |at: &usize| !tests.iter().any(|span| span.contains(at));
    words(code, "fn")
        .filter(outside_tests)
        .filter_map(|at| {
            let name = leading_word(code.get(at + 2..)?.trim_start());
            let item = code.get(at..item_end(code, at))?;
            let has_body = !name.is_empty() && item.ends_with('}');
            has_body.then(|| Function {
                name: name.to_owned(),
                line: line_of(code, at),
                lines: item.matches('\n').count() + 1,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_not_code() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" y") z"#, "f(        ) z"),
            ("r#\"a\"b\"# + br\"x\" c", "         +       c"),
            ("'x' '\\'' 'a: &'b str", "         'a: &'b str"),
            ("b'\"' + \"'\"", "b    +    "),
            ("for_r\"x\"", "for_r   "),
            ("r#type é \"é\" x", "r#type é     x"),
        ] {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn tests_are_cut_out_and_what_follows_them_stays() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { {} }\n}\nfn c() {}\n";
        assert_eq!(without_tests(code).replace(' ', ""), "fna(){}\n\n\n\n\nfnc(){}\n");
        assert_eq!(lines_outside_tests(code), 2);
        for code in ["#[cfg(test)]\nmod tests;\nkept", "#[cfg(test)] use a::[u8; 2];\n\nkept"] {
            assert_eq!(without_tests(code).trim(), "kept");
        }
    }

    #[test]
    fn functions_are_measured_from_fn_to_closing_brace() {
        let code = "fn a<T>(x: [u8; 2])\nwhere\n  T: Fn() {\n {}\n}\ntrait X { fn b(); }\ntype F = fn(u8);\n";
        let found = functions(code);
        assert_eq!(found, [Function { name: "a".to_owned(), line: 1, lines: 5 }]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("fn fnx xfn (fn)", "fn").collect::<Vec<_>>(), [0, 12]);
    }
}
