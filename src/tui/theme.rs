//! Styles by meaning. Colours are the terminal's own sixteen, and never the only carrier: what is
//! wrong also has a word and a sign.

use ratatui::style::{Color, Modifier, Style};

/// The styles of one terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// With colours.
    Colour,
    /// Without: bold, dim and reversed only.
    Plain,
}

#[expect(
    clippy::unused_self,
    reason = "every style is asked of a theme, whether it differs or not"
)]
impl Theme {
    /// The theme for this process's environment: no colours where `NO_COLOR` is set.
    pub fn from_environment() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Plain,
            _ => Self::Colour,
        }
    }

    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Colour => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    /// Names of screens and panels.
    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Frames.
    pub fn border(self) -> Style {
        self.colour(Color::DarkGray)
    }

    /// Words beside numbers, units, axes.
    pub fn label(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Keys, and the pane that has them.
    pub fn accent(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Bars and lines of what is measured.
    pub fn data(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// A second series beside [`Theme::data`].
    pub fn second(self) -> Style {
        self.colour(Color::Magenta)
    }

    /// All is well: quiet.
    pub fn good(self) -> Style {
        self.colour(Color::Green)
    }

    /// A reason for doubt.
    pub fn warn(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// Something went wrong: the brightest thing on the screen.
    pub fn bad(self) -> Style {
        match self {
            Self::Colour => {
                Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
            }
            Self::Plain => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }

    /// A limit, drawn as a line.
    pub fn bad_line(self) -> Style {
        self.colour(Color::Red)
    }

    /// From few to many.
    pub fn shades(self) -> [Style; 4] {
        [Color::Blue, Color::Cyan, Color::Yellow, Color::White].map(|colour| self.colour(colour))
    }

    /// The line that has the keys.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
