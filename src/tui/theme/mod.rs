//! Styles by meaning. Colours are never the only carrier: what is wrong also has a word and a sign.

mod palette;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

pub use palette::Depth;
use palette::Role;

/// The styles of one terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// The terminal's own sixteen colours, readable on whatever its background is.
    #[default]
    #[serde(rename = "16")]
    Sixteen,
    /// Its own colours on a dark background of its own.
    Dark,
    /// Its own colours on a light background of its own.
    Light,
    /// The brightest colours on black, and frames as bright as text.
    HighContrast,
    /// Bold, dim and reversed only.
    None,
}

impl Theme {
    /// All of them, with the names of the command line.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Sixteen, "16"),
        (Self::Dark, "dark"),
        (Self::Light, "light"),
        (Self::HighContrast, "high-contrast"),
        (Self::None, "none"),
    ];

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, named)| *named == name).map(|(theme, _)| *theme)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(theme, _)| *theme == self).map_or("", |(_, name)| name)
    }

    /// The theme after this one.
    #[must_use]
    pub fn next(self) -> Self {
        let here = Self::ALL.iter().position(|(theme, _)| *theme == self).unwrap_or(0);
        Self::ALL[(here + 1) % Self::ALL.len()].0
    }

    /// This theme, or none where `NO_COLOR` is set.
    #[must_use]
    pub fn shown(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let colourless = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        if colourless { Self::None } else { self }
    }

    fn colour(self, role: Role) -> Style {
        if let Some(ink) = self.ink(role) {
            return Style::new().fg(ink);
        }
        if self == Self::None {
            return Style::new();
        }
        let colour = match role {
            Role::Border => Color::DarkGray,
            Role::Accent => Color::Cyan,
            Role::Second => Color::Magenta,
            Role::Good => Color::Green,
            Role::Warn => Color::Yellow,
            Role::Bad | Role::Limit => Color::Red,
            Role::OnBad => Color::White,
            Role::Ground | Role::Text | Role::Label => Color::Reset,
            Role::Shade(shade) => {
                let shades = [Color::Blue, Color::Cyan, Color::Yellow, Color::Red];
                shades[usize::from(shade).min(shades.len() - 1)]
            }
        };
        Style::new().fg(colour)
    }

    /// Names of screens and panels. With a colour of their own: those of panels stand on frames,
    /// and would else take theirs.
    pub fn title(self) -> Style {
        Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD)
    }

    /// Frames.
    pub fn border(self) -> Style {
        self.colour(Role::Border)
    }

    /// Words beside numbers, units, axes.
    pub fn label(self) -> Style {
        match self {
            Self::Sixteen | Self::None => Style::new().fg(Color::Reset).add_modifier(Modifier::DIM),
            Self::Dark | Self::Light | Self::HighContrast => self.colour(Role::Label),
        }
    }

    /// Keys, and the pane that has them.
    pub fn accent(self) -> Style {
        self.colour(Role::Accent).add_modifier(Modifier::BOLD)
    }

    /// Bars and lines of what is measured.
    pub fn data(self) -> Style {
        self.colour(Role::Accent)
    }

    /// A second series beside [`Theme::data`].
    pub fn second(self) -> Style {
        self.colour(Role::Second)
    }

    /// All is well: quiet.
    pub fn good(self) -> Style {
        self.colour(Role::Good)
    }

    /// A reason for doubt.
    pub fn warn(self) -> Style {
        self.colour(Role::Warn).add_modifier(Modifier::BOLD)
    }

    /// Something went wrong: the brightest thing on the screen.
    pub fn bad(self) -> Style {
        match self.colour(Role::Bad).fg {
            None => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Some(red) => self.colour(Role::OnBad).bg(red).add_modifier(Modifier::BOLD),
        }
    }

    /// A limit, drawn as a line.
    pub fn bad_line(self) -> Style {
        self.colour(Role::Limit)
    }

    /// From few to many.
    pub fn shades(self) -> [Style; 4] {
        [0, 1, 2, 3].map(|shade| self.colour(Role::Shade(shade)))
    }

    /// The line that has the keys.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_shown_where_colours_are_wanted() {
        let shown = |theme: Theme, variables: &[(&str, &str)]| {
            theme.shown(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(shown(Theme::Dark, &[("TERM", "linux")]), Theme::Dark);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "1")]), Theme::None);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "")]), Theme::HighContrast);
    }

    #[test]
    fn every_theme_has_a_name_and_all_are_gone_through() {
        let mut theme = Theme::Sixteen;
        for _ in Theme::ALL {
            assert_eq!(Theme::named(theme.name()), Some(theme));
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Sixteen);
    }
}
