//! The demo's voice: numbered steps with their times, and what each proof found.

use std::time::Instant;

use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, Output};
use crate::text;

/// Prints the story as it goes; with `--json` only keeps its results.
pub struct Story {
    out: Output,
    began: Instant,
    step: u32,
    step_began: Instant,
    steps: Vec<Value>,
    proofs: Vec<Proof>,
}

struct Proof {
    name: &'static str,
    holds: bool,
    detail: String,
}

impl Story {
    /// A story that begins now.
    pub fn new(out: Output) -> Self {
        let now = Instant::now();
        Self { out, began: now, step: 0, step_began: now, steps: Vec::new(), proofs: Vec::new() }
    }

    /// Where it is printed.
    pub fn out(&self) -> &Output {
        &self.out
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) -> Result<(), Failure> {
        self.step += 1;
        self.step_began = Instant::now();
        self.steps.push(json!({ "step": self.step, "title": title }));
        self.line("")?;
        let title = self.out.paint(BOLD, format!("{:>2}  {title}", self.step));
        self.line(&title)
    }

    /// Explains.
    pub fn say(&self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.line(&format!("    {line}")))
    }

    /// Explains, in a lower voice.
    pub fn aside(&self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.line(&format!("    {}", self.out.paint(DIM, line))))
    }

    /// Says what came of the step, and how long it took.
    pub fn done(&mut self, text: &str) -> Result<(), Failure> {
        let took_ms = millis(self.step_began);
        if let Some(step) = self.steps.last_mut().and_then(Value::as_object_mut) {
            step.insert("duration_ms".to_owned(), took_ms.into());
        }
        let took = self.out.paint(DIM, format!("[{}]", text::duration(took_ms)));
        let tick = self.out.paint(GOOD, "✓");
        self.line(&format!("    {tick} {text}  {took}"))
    }

    /// Notes whether a claim holds; a false one makes the demo fail at its end.
    pub fn prove(
        &mut self,
        name: &'static str,
        holds: bool,
        detail: String,
    ) -> Result<(), Failure> {
        let mark =
            if holds { self.out.paint(GOOD, "✓") } else { self.out.paint(BAD, "✗ FAILED") };
        self.line(&format!("    {mark} {detail}"))?;
        self.proofs.push(Proof { name, holds, detail });
        Ok(())
    }

    /// Ends: a summary, and an error if anything did not hold.
    pub fn end(self, kept: Option<&std::path::Path>) -> Result<(), Failure> {
        let failed: Vec<_> = self.proofs.iter().filter(|proof| !proof.holds).collect();
        let took_ms = millis(self.began);
        if self.out.json {
            let proofs: Vec<_> = self
                .proofs
                .iter()
                .map(|proof| json!({ "name": proof.name, "holds": proof.holds, "detail": proof.detail }))
                .collect();
            self.out.value(&json!({
                "ok": failed.is_empty(),
                "duration_ms": took_ms,
                "steps": self.steps,
                "proofs": proofs,
                "kept": kept,
            }))?;
        } else if failed.is_empty() {
            let proofs = text::counted(self.proofs.len() as u64, "proof");
            self.line("")?;
            let done = self.out.paint(GOOD, format!("All {proofs} hold."));
            self.line(&format!("{done} The whole story took {}.", text::duration(took_ms)))?;
        }
        if failed.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = failed.iter().map(|proof| proof.name).collect();
        Err(Failure::new(
            crate::exit::Exit::Other,
            "proof_failed",
            format!("the demo could not prove: {}", names.join(", ")),
        )
        .help("this is a fault of Selkie; please report it with the output above"))
    }

    /// A line as it is.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        if self.out.json { Ok(()) } else { self.out.line(text) }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_does_not_hold_fails_the_story() {
        let story = |holds: bool| {
            let mut story = Story::new(Output::new(true));
            story.prove("equal", true, "the stores are equal".to_owned()).unwrap();
            story.prove("unread", holds, "nobody can read it".to_owned()).unwrap();
            story.end(None)
        };
        story(true).unwrap();
        let failure = story(false).unwrap_err();
        assert_eq!(failure.code, "proof_failed");
        assert!(failure.message.ends_with("could not prove: unread"), "{}", failure.message);
    }
}
