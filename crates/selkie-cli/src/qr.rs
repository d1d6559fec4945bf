//! QR codes in a terminal, two modules a character.

use std::io::{self, IsTerminal as _};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::context::Context;
use crate::exit::Failure;

/// Draws a text that a camera can read; where nobody watches, prints the text itself.
pub fn show(text: &str, context: &Context) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return context.out.line(text);
    }
    match drawn(text) {
        Some(drawn) => context.out.line(drawn),
        None => context.out.line(text),
    }
}

/// Dark on light needs a light terminal; the blocks are drawn light, so that on a dark one the code has
/// its quiet zone and the right polarity, and cameras read the other polarity as well.
fn drawn(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairing_code_fits_a_small_terminal() {
        let drawn = drawn("SELKIE:AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-FF").unwrap();
        let lines: Vec<_> = drawn.lines().collect();
        assert!(lines.len() <= 22, "{}", lines.len());
        let width = lines[0].chars().count();
        assert!(width <= 60 && lines.iter().all(|line| line.chars().count() == width));
        assert!(drawn.contains('\u{2588}') && drawn.contains(' '));
    }

    #[test]
    fn what_does_not_fit_is_not_drawn() {
        assert_eq!(drawn(&"x".repeat(10_000)), None);
    }
}
