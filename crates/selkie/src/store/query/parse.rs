//! Reads filters as people type them, and says where one stops being a filter.

use serde_json::Value;

use super::filter::{Expression, Field, NOT_COMPARABLE, Operator, Test, check_operand, is_scalar};
use crate::{Error, ErrorKind};

/// Parentheses and `NOT`s inside each other.
const DEPTH_MAX: usize = 64;

/// What is wrong, and at which byte.
struct Bad(&'static str, usize);

pub(super) fn parse(text: &str) -> Result<Expression, Error> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let parsed = parser.any().and_then(|expression| {
        parser.skip_space();
        if parser.rest().is_empty() {
            return Ok(expression);
        }
        Err(Bad("a parenthesis closes that none has opened", parser.at))
    });
    parsed.map_err(|Bad(why, at)| {
        let character = text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        Error::new(
            ErrorKind::InvalidInput,
            format!("{why}, at character {character}; write a filter like: title = Milk"),
        )
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    /// A word in capitals that stands alone.
    fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let found = starts_with_word(self.rest(), word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn any(&mut self) -> Result<Expression, Bad> {
        let mut parts = vec![self.all()?];
        while self.take_word("OR") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Bad> {
        let mut parts = vec![self.one()?];
        while self.take_word("AND") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn one(&mut self) -> Result<Expression, Bad> {
        self.skip_space();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Bad("the filter is nested too deeply", self.at));
        }
        let one = if self.take_word("NOT") {
            self.one().map(|one| Expression::Not(Box::new(one)))
        } else if self.take("(") {
            self.any().and_then(|inner| {
                self.skip_space();
                match self.take(")") {
                    true => Ok(inner),
                    false => Err(Bad("a parenthesis is not closed", self.at)),
                }
            })
        } else {
            self.test()
        };
        self.depth -= 1;
        one
    }

    fn test(&mut self) -> Result<Expression, Bad> {
        let start = self.at;
        let name = self.field_text().trim();
        if name.is_empty() {
            return Err(Bad("the filter names no field", start));
        }
        let field = Field::parse(name).map_err(|why| Bad(why, start))?;
        self.skip_space();
        let at = self.at;
        let test = if starts_with_word(self.rest(), "IN") || starts_with_word(self.rest(), "in") {
            self.at += 2;
            self.list()?
        } else if self.take("~") {
            let at = self.at;
            let Value::String(prefix) = self.value()? else {
                return Err(Bad("only text has a beginning", at));
            };
            Test::Prefix(prefix)
        } else if let Some((sign, operator)) =
            Operator::SIGNS.into_iter().find(|(sign, _)| self.rest().starts_with(sign))
        {
            self.at += sign.len();
            self.skip_space();
            let at = self.at;
            let value = self.value()?;
            check_operand(operator, &value).map_err(|why| Bad(why, at))?;
            Test::Compare(operator, value)
        } else if self.rest().starts_with('!') {
            return Err(Bad("the filter has no comparison", at));
        } else {
            Test::Exists
        };
        Ok(Expression::Test(field, test))
    }

    /// Everything up to a sign, a word that joins, or the end of a group; quoted keys are whole.
    fn field_text(&mut self) -> &'t str {
        let rest = self.rest();
        let (mut quoted, mut escaped) = (false, false);
        let mut end = rest.len();
        for (at, character) in rest.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '=' | '!' | '<' | '>' | '~' | '(' | ')' if !quoted => {
                    end = at;
                    break;
                }
                _ if !quoted && character.is_whitespace() => {
                    let next = rest.get(at..).unwrap_or_default().trim_start();
                    let list = next.strip_prefix("in").or_else(|| next.strip_prefix("IN"));
                    let is_list = list.is_some_and(|rest| rest.trim_start().starts_with('('));
                    if is_list || starts_with_word(next, "IN") || joins(next) {
                        end = at;
                        break;
                    }
                }
                _ => {}
            }
        }
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A value goes on to a word that joins, the end of its group, or the end: text needs no quotes.
    fn value(&mut self) -> Result<Value, Bad> {
        self.skip_space();
        let rest = self.rest();
        let quoted_end = quoted_len(rest).filter(|end| ends_a_value(rest.get(*end..)));
        let end = quoted_end.unwrap_or_else(|| bare_len(rest, false));
        self.at += end;
        Ok(value_of(rest.get(..end).unwrap_or_default().trim()))
    }

    fn list(&mut self) -> Result<Test, Bad> {
        self.skip_space();
        if !self.take("(") {
            return Err(Bad("a list of values stands in parentheses", self.at));
        }
        let mut values = Vec::new();
        loop {
            self.skip_space();
            let (rest, at) = (self.rest(), self.at);
            let end = quoted_len(rest).unwrap_or_else(|| bare_len(rest, true));
            let value = value_of(rest.get(..end).unwrap_or_default().trim());
            if !is_scalar(&value) {
                return Err(Bad(NOT_COMPARABLE, at));
            }
            self.at += end;
            values.push(value);
            self.skip_space();
            if self.take(")") {
                return Ok(Test::In(values));
            }
            if !self.take(",") {
                return Err(Bad("a comma or parenthesis is missing", self.at));
            }
        }
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(one) if parts.is_empty() => one,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let rest = text.strip_prefix(word);
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '(')
    })
}

fn joins(text: &str) -> bool {
    starts_with_word(text, "AND") || starts_with_word(text, "OR")
}

/// Whether a value in quotes may end before `rest`.
fn ends_a_value(rest: Option<&str>) -> bool {
    let rest = rest.unwrap_or_default();
    let next = rest.trim_start();
    next.is_empty() || next.starts_with(')') || (next.len() < rest.len() && joins(next))
}

/// The length of a JSON string at the beginning.
fn quoted_len(text: &str) -> Option<usize> {
    if !text.starts_with('"') {
        return None;
    }
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    strings.next()?.ok()?;
    Some(strings.byte_offset())
}

/// The length of a value without quotes. Parentheses in it come in pairs.
fn bare_len(text: &str, in_list: bool) -> usize {
    let mut open = 0usize;
    for (at, character) in text.char_indices() {
        let ends = match character {
            '(' => {
                open += 1;
                false
            }
            ')' if open > 0 => {
                open -= 1;
                false
            }
            ')' => true,
            ',' => in_list && open == 0,
            _ if character.is_whitespace() => {
                !in_list && joins(text.get(at..).unwrap_or_default().trim_start())
            }
            _ => false,
        };
        if ends {
            return at;
        }
    }
    text.len()
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
