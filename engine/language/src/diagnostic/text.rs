//! Diagnostics for people: the text underlined.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{Diagnostic, Diagnostics};

/// More than this many on a terminal help nobody; the rest is counted, and `to_json` has all.
const SHOWN_MAX: usize = 100;

/// How diagnostics look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to use colours. Nothing is said by colour alone.
    pub colour: bool,
    /// Whether to draw with box characters rather than ASCII.
    pub unicode: bool,
    /// How many columns there are.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { colour: false, unicode: true, width: 100 }
    }
}

impl Diagnostic {
    /// With its place, the text underlined, and the way out.
    pub fn to_text(&self, look: Look) -> String {
        let theme = match (look.colour, look.unicode) {
            (true, true) => GraphicalTheme::unicode(),
            (true, false) => {
                GraphicalTheme { characters: miette::ThemeCharacters::ascii(), ..GraphicalTheme::unicode() }
            }
            (false, true) => GraphicalTheme::unicode_nocolor(),
            (false, false) => GraphicalTheme::none(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(look.width.max(40))
            .with_context_lines(1)
            .with_links(false);
        let mut out = String::new();
        // Writing to a text cannot fail, and a label outside of the text is shown as such by the handler.
        if handler.render_report(&mut out, self).is_err() {
            out = format!("{}: {}\n", self.code, self.message);
        }
        out
    }
}

impl Diagnostics {
    /// All of them, up to a hundred; then how many more there are.
    pub fn to_text(&self, look: Look) -> String {
        let mut out = String::new();
        for one in self.iter().take(SHOWN_MAX) {
            out.push_str(&one.to_text(look));
            out.push('\n');
        }
        if self.len() > SHOWN_MAX {
            out.push_str(&format!("… and {} more; `--output json` lists all\n", self.len() - SHOWN_MAX));
        }
        out
    }
}
