//! Words, symbols and colours of states. A colour never says anything alone: the word is always there.

use console::Style;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

/// What a state means to the person who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It went badly.
    Bad,
    /// It goes on.
    Active,
    /// Somebody is waited for.
    Asks,
    /// Nothing to look at.
    Quiet,
}

impl Paint {
    /// No colours.
    pub(crate) const PLAIN: Self = Self { on: false };

    /// For standard error: terminals only, unless `NO_COLOR` is set.
    pub(crate) fn stderr() -> Self {
        Self { on: console::colors_enabled_stderr() }
    }

    /// The same for standard output.
    pub(crate) fn stdout() -> Self {
        Self { on: console::colors_enabled() }
    }

    /// A text in the colour of a tone.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let style = Style::new();
        self.apply(
            match tone {
                Tone::Good => style.green(),
                Tone::Bad => style.red().bold(),
                Tone::Active => style.cyan(),
                Tone::Asks => style.yellow().bold(),
                Tone::Quiet => style.dim(),
            },
            text,
        )
    }

    /// A text that is to be seen first.
    pub(crate) fn bold(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    /// A text that is to be seen last.
    pub(crate) fn dim(self, text: &str) -> String {
        self.apply(Style::new().dim(), text)
    }

    fn apply(self, style: Style, text: &str) -> String {
        if self.on { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }
}

/// The tone and symbol of a state of a run, a step or an undo, by its word.
pub(crate) fn look(word: &str) -> (Tone, &'static str) {
    match word {
        "succeeded" => (Tone::Good, "✓"),
        "undone" | "rolled_back" => (Tone::Good, "↶"),
        "failed" | "stuck" => (Tone::Bad, "✗"),
        "cancelled" => (Tone::Bad, "■"),
        "running" | "starting" => (Tone::Active, "▶"),
        "retrying" => (Tone::Active, "↻"),
        "rolling_back" | "undoing" => (Tone::Active, "↶"),
        "waiting" | "no engine" => (Tone::Asks, "?"),
        "paused" => (Tone::Asks, "‖"),
        "skipped" => (Tone::Quiet, "–"),
        _ => (Tone::Quiet, "·"),
    }
}

/// A state with its symbol, padded to a width in columns.
pub(crate) fn state(paint: Paint, word: &str, width: usize) -> String {
    let (tone, symbol) = look(word);
    paint.tone(tone, &super::text::pad(&format!("{symbol} {}", word.replace('_', " ")), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_there_with_and_without_colours() {
        assert_eq!(state(Paint::PLAIN, "rolled_back", 16), "↶ rolled back   ");
        let coloured = state(Paint { on: true }, "failed", 0);
        assert!(coloured.contains("✗ failed") && coloured.starts_with('\x1b'), "{coloured:?}");
    }
}
