//! Cuts a stream into the texts of single JSON values, each with its line: JSON lines or one array.

use std::io::{self, BufRead};

use crate::exit::Failure;
use crate::json::TEXT_BYTES_MAX;

/// One value's text, not yet parsed.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Its JSON text.
    pub text: Vec<u8>,
}

/// The values of a stream, one after the other; never more than one of them in memory.
pub struct Items<R> {
    reader: R,
    line: u64,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing but white space so far.
    Unknown,
    /// A value a line.
    Lines,
    /// Inside an array, before a value (`after_value`: behind one).
    Array { after_value: bool },
    /// Behind the array's end.
    Ended,
}

impl<R: BufRead> Items<R> {
    /// Reads from the beginning of a stream.
    pub fn new(reader: R) -> Self {
        Self { reader, line: 1, form: Form::Unknown }
    }

    /// The next value, or `None` at the proper end.
    ///
    /// # Errors
    /// For a failing stream, an array that is not one, and a value that is too long. What lies
    /// between the commas of an array, or on a line, is for the JSON parser to judge.
    pub fn next(&mut self) -> Result<Option<Item>, Failure> {
        if self.form == Form::Unknown {
            self.skip_byte_order_mark()?;
            match self.peek_past_space()? {
                Some(b'[') => {
                    self.take_byte()?;
                    self.form = Form::Array { after_value: false };
                }
                _ => self.form = Form::Lines,
            }
        }
        match self.form {
            Form::Array { after_value } => self.next_of_array(after_value),
            Form::Ended => self.end(),
            Form::Lines | Form::Unknown => self.next_line(),
        }
    }

    fn next_line(&mut self) -> Result<Option<Item>, Failure> {
        // White space includes the ends of empty lines.
        if self.peek_past_space()?.is_none() {
            return Ok(None);
        }
        let mut item = Item { line: self.line, text: Vec::new() };
        while let Some(byte) = self.take_byte()? {
            if byte == b'\n' {
                break;
            }
            item.push(byte)?;
        }
        Ok(Some(item))
    }

    fn next_of_array(&mut self, after_value: bool) -> Result<Option<Item>, Failure> {
        match self.peek_past_space()? {
            Some(b']') => {
                self.take_byte()?;
                self.form = Form::Ended;
                return self.end();
            }
            Some(b',') if after_value => {
                self.take_byte()?;
                if self.peek_past_space()? == Some(b']') {
                    return Err(self.broken("a comma before the end of the array"));
                }
            }
            Some(_) if after_value => return Err(self.broken("no comma between two values")),
            Some(_) => {}
            None => return Err(self.broken("the array has no end: the file may be cut off")),
        }
        self.form = Form::Array { after_value: true };
        self.value_of_array().map(Some)
    }

    /// Everything up to the comma or bracket that ends the value.
    fn value_of_array(&mut self) -> Result<Item, Failure> {
        let mut item = Item { line: self.line, text: Vec::new() };
        let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
        while let Some(byte) = self.peek()? {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b',' | b']' | b'}' if depth == 0 => return Ok(item),
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.take_byte()?;
            item.push(byte)?;
        }
        Err(self.broken("the array has no end: the file may be cut off"))
    }

    fn end(&mut self) -> Result<Option<Item>, Failure> {
        match self.peek_past_space()? {
            None => Ok(None),
            Some(_) => Err(self.broken("something follows the end of the array")),
        }
    }

    fn broken(&self, what: &str) -> Failure {
        Failure::refused("invalid_json", what).at(format!("line {}", self.line))
    }

    /// Some editors of one platform begin UTF-8 files with it; JSON does not know it.
    fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        // A mark cut in two by the reads of a pipe is left for the parser to refuse.
        if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
        }
        Ok(())
    }

    fn peek_past_space(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.take_byte()?;
        }
        Ok(None)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.reader.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }
}

impl Item {
    fn push(&mut self, byte: u8) -> Result<(), Failure> {
        if self.text.len() == TEXT_BYTES_MAX {
            let message = format!("a record of more than {} MiB", TEXT_BYTES_MAX >> 20);
            return Err(Failure::refused("document_too_long", message)
                .at(format!("line {}", self.line))
                .help("a document may have 2 MiB"));
        }
        self.text.push(byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, String)>, String> {
        let mut items = Items::new(text.as_bytes());
        let mut read = Vec::new();
        loop {
            match items.next() {
                Ok(Some(item)) => {
                    let text = String::from_utf8(item.text).unwrap();
                    read.push((item.line, text.trim().to_owned()));
                }
                Ok(None) => return Ok(read),
                Err(failure) => return Err(failure.message),
            }
        }
    }

    #[test]
    fn lines_and_arrays_give_the_same_values() {
        let expected = |lines: [u64; 3]| {
            let texts = [r#"{"a":"],}\"["}"#, r#"{"b":[{"c":1},2]}"#, "3"];
            Ok(lines.into_iter().zip(texts.map(str::to_owned)).collect::<Vec<_>>())
        };
        for (text, lines) in [
            ("{\"a\":\"],}\\\"[\"}\n{\"b\":[{\"c\":1},2]}\n3", [1, 2, 3]),
            ("\u{feff}\n\n{\"a\":\"],}\\\"[\"}\r\n\n{\"b\":[{\"c\":1},2]}\r\n3\r\n\r\n", [3, 5, 6]),
            ("[{\"a\":\"],}\\\"[\"},{\"b\":[{\"c\":1},2]},3]", [1, 1, 1]),
            (" [\n  {\"a\":\"],}\\\"[\"}\n , {\"b\":[{\"c\":1},2]},\n3\n]\n", [2, 3, 4]),
        ] {
            assert_eq!(read(text), expected(lines), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_no_value_and_no_error() {
        for text in ["", "\n \n", "[]", " [ ] \n"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn a_broken_array_is_refused_with_its_line() {
        for (text, message) in [
            ("[{}\n,{}", "line 2: the array has no end: the file may be cut off"),
            ("[", "line 1: the array has no end: the file may be cut off"),
            ("[{\"a\": \"\n", "line 2: the array has no end: the file may be cut off"),
            ("[{},\n]", "line 2: a comma before the end of the array"),
            ("[{}]\n[{}]", "line 2: something follows the end of the array"),
        ] {
            assert_eq!(read(text).unwrap_err(), message, "{text:?}");
        }
        // These are values that the parser refuses: nothing is skipped in silence.
        assert_eq!(read("[{} {}]").unwrap()[0].1, "{} {}");
        assert_eq!(read("[,{}]").unwrap()[0].1, "");
        assert_eq!(read("[{}}]").unwrap_err(), "line 1: no comma between two values");
    }

    #[test]
    fn a_value_without_end_does_not_fill_the_memory() {
        for begin in ["", "["] {
            let endless = io::BufReader::new(io::Read::chain(begin.as_bytes(), io::repeat(b'"')));
            let failure = Items::new(endless).next().unwrap_err();
            assert_eq!(failure.code, "document_too_long");
        }
    }
}
