//! The part of the terminal that is drawn again and again, below the lines that stay.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The frame on standard error.
#[derive(Default)]
pub(crate) struct Live {
    /// None while nothing is drawn.
    bar: Option<ProgressBar>,
}

impl Live {
    /// Draws a frame in place of the one before.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        self.bar.get_or_insert_with(bar).set_message(lines.join("\n"));
    }

    /// Lets something print above the frame.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the frame away, until the next one is drawn.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
