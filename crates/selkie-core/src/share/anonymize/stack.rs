//! Stack traces: their messages and paths hold what users typed and are called, so only listed
//! functions stay.

/// Lines that are looked at; a longer trace is cut.
const LINES_MAX: usize = 2000;
/// Longest name of a function or error that is kept.
const NAME_BYTES_MAX: usize = 200;

/// A line of a trace.
enum Line<'a> {
    /// A called function, and where it is in its file.
    Frame {
        function: Function<'a>,
        line: Option<&'a str>,
    },
    /// Text of the source, or an address: part of the frame before.
    OfFrame,
    /// The kind of an error, without its message.
    Error(&'a str),
    Other,
}

/// How a frame names its function.
enum Function<'a> {
    Named(&'a str),
    /// Python names the file instead of the module.
    InFile {
        file: &'a str,
        function: &'a str,
    },
}

/// A trace with nothing but the kinds of its errors and its frames whose function begins with one of
/// `prefixes`, each with its line number; `None` if the text is no trace.
///
/// Known are the traces of Python, JavaScript, Java and Kotlin, C#, Rust, Go and Apple's systems.
pub(crate) fn reduce(text: &str, prefixes: &[String]) -> Option<String> {
    if !text.contains('\n') && !text.contains("Traceback") && !text.contains(" at ") {
        return None;
    }
    let lines: Vec<Line<'_>> = text.lines().take(LINES_MAX).map(read).collect();
    let frames = lines.iter().filter(|line| matches!(line, Line::Frame { .. })).count();
    let said =
        text.contains("Traceback (most recent call last)") || text.contains("stack backtrace:");
    // One line that happens to look like a frame makes no trace.
    if frames < 2
        && !(frames == 1 && (said || lines.iter().any(|line| matches!(line, Line::Error(_)))))
    {
        return None;
    }
    let mut reduced = Vec::new();
    let mut hidden = 0_usize;
    for line in &lines {
        match line {
            Line::Frame { function, line } => match function.listed(prefixes) {
                Some(name) => {
                    push_hidden(&mut reduced, &mut hidden);
                    let at = line.map(|line| format!(":{line}")).unwrap_or_default();
                    reduced.push(format!("  at {name}{at}"));
                }
                None => hidden += 1,
            },
            Line::Error(kind) => {
                push_hidden(&mut reduced, &mut hidden);
                reduced.push((*kind).to_owned());
            }
            Line::OfFrame | Line::Other => {}
        }
    }
    push_hidden(&mut reduced, &mut hidden);
    Some(reduced.join("\n"))
}

fn push_hidden(reduced: &mut Vec<String>, hidden: &mut usize) {
    if *hidden > 0 {
        let plural = if *hidden == 1 { "" } else { "s" };
        reduced.push(format!("  … {hidden} frame{plural}"));
        *hidden = 0;
    }
}

impl Function<'_> {
    /// Its name, if one of the prefixes begins it.
    fn listed(&self, prefixes: &[String]) -> Option<String> {
        let name = match self {
            Self::Named(name) => (*name).to_owned(),
            Self::InFile { file, function } => {
                let file = file.rsplit(['/', '\\']).next().unwrap_or("");
                format!("{}.{function}", file.strip_suffix(".py").unwrap_or(file))
            }
        };
        let plain = name.len() <= NAME_BYTES_MAX && name.chars().all(is_of_name);
        (plain && prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))).then_some(name)
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:$<>*{}#/-".contains(c)
}

fn read(line: &str) -> Line<'_> {
    let trimmed = line.trim();
    python(trimmed)
        .or_else(|| at_function(trimmed))
        .or_else(|| numbered(trimmed))
        .or_else(|| firefox(trimmed))
        .or_else(|| go(line))
        .or_else(|| of_frame(line, trimmed))
        .or_else(|| error_kind(line))
        .unwrap_or(Line::Other)
}

/// `File "/srv/app/train.py", line 7, in step`.
fn python(line: &str) -> Option<Line<'_>> {
    let rest = line.strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, function),
        None => (rest, "<module>"),
    };
    Some(Line::Frame { function: Function::InFile { file, function }, line: digits(number) })
}

/// `at step (file:///app/train.js:7:3)`, `at com.example.Train.step(Train.java:7)`,
/// `at Example.Train.Step(Int32 n) in C:\Train.cs:line 7`.
fn at_function(line: &str) -> Option<Line<'_>> {
    let rest = line.strip_prefix("at ")?;
    // A place without a function, as Rust prints it under its own.
    if rest.starts_with(['.', '/', '<']) || rest.starts_with("file:") || rest.starts_with("http") {
        return Some(Line::OfFrame);
    }
    let (name, place) = rest.split_once('(')?;
    let name = name.trim().trim_start_matches("async ").trim_start_matches("new ");
    let is_name = !name.is_empty() && name.chars().all(|c| is_of_name(c) || c == ' ');
    is_name.then(|| Line::Frame { function: Function::Named(name), line: line_number(place) })
}

/// `3: app::train::step` and `3   App   0x0000000104 step + 12`.
fn numbered(line: &str) -> Option<Line<'_>> {
    let number_len =
        line.find(|c: char| !c.is_ascii_digit()).filter(|len| (1..=4).contains(len))?;
    let (_, rest) = line.split_at_checked(number_len)?;
    if let Some(name) = rest.strip_prefix(':') {
        let name = name.trim();
        let name = name
            .split_once(" - ")
            .map_or(name, |(address, name)| if address.starts_with("0x") { name } else { address });
        return name
            .contains("::")
            .then_some(Line::Frame { function: Function::Named(name), line: None });
    }
    let mut parts = rest.split_whitespace();
    let (_, address, name) = (parts.next()?, parts.next()?, parts.next()?);
    address.starts_with("0x").then_some(Line::Frame { function: Function::Named(name), line: None })
}

/// `step@https://example.com/app.js:7:3`.
fn firefox(line: &str) -> Option<Line<'_>> {
    let (name, place) = line.split_once('@')?;
    let is_place = place.contains("://") && line_number(place).is_some();
    let is_name = !name.contains(char::is_whitespace);
    (is_place && is_name)
        .then(|| Line::Frame { function: Function::Named(name), line: line_number(place) })
}

/// `main.step(0x1, 0x2)`, followed by a line that begins with a tab.
fn go(line: &str) -> Option<Line<'_>> {
    if line.starts_with('\t') && line.contains(".go:") {
        return Some(Line::OfFrame);
    }
    let (name, arguments) = line.strip_suffix(')')?.rsplit_once('(')?;
    let plain = arguments.is_empty() || arguments == "..." || arguments.contains("0x");
    let is_name = name.contains('.') && name.chars().all(is_of_name) && !line.starts_with(' ');
    (plain && is_name).then_some(Line::Frame { function: Function::Named(name), line: None })
}

fn of_frame<'a>(line: &'a str, trimmed: &str) -> Option<Line<'a>> {
    (line.starts_with("    ") && !trimmed.is_empty()).then_some(Line::OfFrame)
}

/// `ValueError: could not read …`, `Caused by: java.io.IOException: …`, `thread 'main' panicked at …`.
fn error_kind(line: &str) -> Option<Line<'_>> {
    if line.starts_with("thread '") && line.contains("panicked at") {
        return Some(Line::Error("panic"));
    }
    let line = line.strip_prefix("Caused by: ").unwrap_or(line);
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let kind = line.split_once(':').map_or(line, |(kind, _)| kind).trim_end();
    let ends = ["Error", "Exception", "Warning", "Interrupt", "Exit", "Failure"];
    let is_kind = kind.len() <= NAME_BYTES_MAX
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || "_.$".contains(c))
        && ends.iter().any(|end| kind.ends_with(end));
    is_kind.then_some(Line::Error(kind))
}

/// The first number behind a colon: `Train.java:7)`, `app.js:7:3`, `Train.cs:line 7`.
fn line_number(place: &str) -> Option<&str> {
    let numbers = place.split(':').skip(1).map(|part| part.strip_prefix("line ").unwrap_or(part));
    numbers.filter_map(digits).next()
}

/// The digits that a text begins with.
fn digits(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).filter(|digits| (1..=9).contains(&digits.len()))
}
