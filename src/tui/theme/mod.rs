//! Styles by meaning. Colour is never the only cue: every problem also has a text and a sign.

mod palette;

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};
use serde::Deserialize;

pub use palette::ColourDepth;
use palette::{ColourRole, Palette};

use super::terminal::Background;

/// Set of styles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// The terminal's sixteen colours.
    #[default]
    #[serde(rename = "16")]
    Sixteen,
    /// The same on a light background: no yellow, green and cyan, which are unreadable there.
    #[serde(skip)]
    SixteenOnLight,
    /// Fixed colours on a dark background.
    Dark,
    /// Fixed colours on a light background.
    Light,
    /// Bright colours on black, with borders as bright as text.
    HighContrast,
    /// No colours: bold, dim and reversed only.
    None,
}

impl Theme {
    /// All themes, with their names on the command line.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Sixteen, "16"),
        (Self::Dark, "dark"),
        (Self::Light, "light"),
        (Self::HighContrast, "high-contrast"),
        (Self::None, "none"),
    ];

    /// Returns the theme with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, named)| *named == name).map(|(theme, _)| *theme)
    }

    /// Returns the theme's name.
    pub fn name(self) -> &'static str {
        let chosen = self.on(Background::Dark);
        Self::ALL.iter().find(|(theme, _)| *theme == chosen).map_or("", |(_, name)| name)
    }

    /// Returns this theme on a terminal with that background, which only the terminal's own colours depend
    /// on.
    #[must_use]
    pub const fn on(self, background: Background) -> Self {
        match (self, background) {
            (Self::Sixteen, Background::Light) => Self::SixteenOnLight,
            (Self::SixteenOnLight, Background::Dark) => Self::Sixteen,
            (other, _) => other,
        }
    }

    /// Returns the next theme, cyclically.
    #[must_use]
    pub fn next(self) -> Self {
        let chosen = self.on(Background::Dark);
        let here = Self::ALL.iter().position(|(theme, _)| *theme == chosen).unwrap_or(0);
        Self::ALL[(here + 1) % Self::ALL.len()].0
    }

    /// Returns this theme, or [`Theme::None`] if the variable `NO_COLOR` is set.
    #[must_use]
    pub fn respecting_no_color(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let colourless = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        if colourless { Self::None } else { self }
    }

    /// Returns the theme's fixed colours.
    const fn palette(self) -> Palette {
        match self {
            Self::Dark => Palette::DARK,
            Self::Light => Palette::LIGHT,
            Self::HighContrast => Palette::HIGH_CONTRAST,
            Self::Sixteen | Self::SixteenOnLight | Self::None => Palette::EMPTY,
        }
    }

    /// Applies the theme's background to a finished frame, and converts its colours to the terminal's.
    pub fn paint(self, depth: ColourDepth, buffer: &mut Buffer) {
        self.palette().paint(depth, buffer);
    }

    fn role_style(self, role: ColourRole) -> Style {
        if let Some(colour) = self.palette().colour(role) {
            return Style::new().fg(colour);
        }
        if self == Self::None {
            return Style::new();
        }
        if self == Self::SixteenOnLight {
            return Style::new().fg(sixteen_on_light(role));
        }
        let colour = match role {
            ColourRole::Border => Color::DarkGray,
            ColourRole::Accent => Color::Cyan,
            ColourRole::Second => Color::Magenta,
            ColourRole::Good => Color::Green,
            ColourRole::Warn => Color::Yellow,
            ColourRole::BadBackground | ColourRole::LimitLine => Color::Red,
            ColourRole::BadText => Color::White,
            ColourRole::Background | ColourRole::Text | ColourRole::Label => Color::Reset,
            ColourRole::Shade(shade) => {
                let shades = [Color::Blue, Color::Cyan, Color::Yellow, Color::Red];
                shades[usize::from(shade).min(shades.len() - 1)]
            }
        };
        Style::new().fg(colour)
    }

    /// Titles of screens and panels; with an explicit colour, because titles on borders would take theirs.
    pub fn title(self) -> Style {
        Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD)
    }

    /// Borders of panels.
    pub fn border(self) -> Style {
        self.role_style(ColourRole::Border)
    }

    /// Labels beside numbers, units, axes.
    pub fn label(self) -> Style {
        match self {
            Self::Sixteen | Self::SixteenOnLight | Self::None => {
                Style::new().fg(Color::Reset).add_modifier(Modifier::DIM)
            }
            Self::Dark | Self::Light | Self::HighContrast => self.role_style(ColourRole::Label),
        }
    }

    /// Keys, and the focused panel.
    pub fn accent(self) -> Style {
        self.role_style(ColourRole::Accent).add_modifier(Modifier::BOLD)
    }

    /// Bars and lines of measured data.
    pub fn data(self) -> Style {
        self.role_style(ColourRole::Accent)
    }

    /// Second series beside [`Theme::data`].
    pub fn second_data(self) -> Style {
        self.role_style(ColourRole::Second)
    }

    /// Success; inconspicuous.
    pub fn good(self) -> Style {
        self.role_style(ColourRole::Good)
    }

    /// Warning.
    pub fn warn(self) -> Style {
        self.role_style(ColourRole::Warn).add_modifier(Modifier::BOLD)
    }

    /// Error; the most conspicuous style.
    pub fn bad(self) -> Style {
        match self.role_style(ColourRole::BadBackground).fg {
            None => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Some(red) => self.role_style(ColourRole::BadText).bg(red).add_modifier(Modifier::BOLD),
        }
    }

    /// Line of a limit.
    pub fn limit_line(self) -> Style {
        self.role_style(ColourRole::LimitLine)
    }

    /// Shades of a heat map, from few to many.
    pub fn shades(self) -> [Style; 4] {
        [0, 1, 2, 3].map(|shade| self.role_style(ColourRole::Shade(shade)))
    }

    /// Selected line.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Returns the terminal's colour for a purpose on a light background.
fn sixteen_on_light(role: ColourRole) -> Color {
    match role {
        ColourRole::Border => Color::DarkGray,
        ColourRole::Accent => Color::Blue,
        ColourRole::Second => Color::Magenta,
        ColourRole::Warn | ColourRole::BadBackground | ColourRole::LimitLine => Color::Red,
        ColourRole::BadText => Color::White,
        ColourRole::Good | ColourRole::Background | ColourRole::Text | ColourRole::Label => {
            Color::Reset
        }
        ColourRole::Shade(shade) => {
            let shades = [Color::DarkGray, Color::Blue, Color::Magenta, Color::Red];
            shades[usize::from(shade).min(shades.len() - 1)]
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn no_color_disables_colours() {
        let shown = |theme: Theme, variables: &[(&str, &str)]| {
            theme.respecting_no_color(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(shown(Theme::Dark, &[("TERM", "linux")]), Theme::Dark);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "1")]), Theme::None);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "")]), Theme::HighContrast);
    }

    #[test]
    fn every_theme_has_a_name_and_is_reached_by_next() {
        let mut theme = Theme::Sixteen;
        for _ in Theme::ALL {
            assert_eq!(Theme::from_name(theme.name()), Some(theme));
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Sixteen);
    }

    #[test]
    fn the_terminals_colours_are_readable_on_a_light_background() {
        let light = Theme::Sixteen.on(Background::Light);
        assert_eq!((light.name(), light.next()), ("16", Theme::Dark));
        assert_eq!(light.on(Background::Dark), Theme::Sixteen);
        assert_eq!(Theme::Dark.on(Background::Light), Theme::Dark, "it sets its own background");
        let styles = [
            light.border(),
            light.accent(),
            light.data(),
            light.second_data(),
            light.good(),
            light.warn(),
            light.limit_line(),
        ];
        // xterm's colours with a contrast below 3 on white.
        let pale = [
            Color::Yellow,
            Color::LightYellow,
            Color::Green,
            Color::LightGreen,
            Color::Cyan,
            Color::LightCyan,
            Color::Gray,
            Color::White,
        ];
        for style in styles.into_iter().chain(light.shades()) {
            assert!(style.fg.is_none_or(|colour| !pale.contains(&colour)), "{style:?}");
        }
    }

    #[test]
    fn a_frame_is_painted_with_what_the_terminal_has() {
        let painted = |theme: Theme, depth: ColourDepth| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
            buffer.set_string(1, 0, "x", theme.data());
            theme.paint(depth, &mut buffer);
            let [plain, data] = [&buffer[(0, 0)], &buffer[(1, 0)]];
            [plain.fg, plain.bg, data.fg, data.bg]
        };
        let grey = |level| Color::Rgb(level, level, level);
        let cyan = Color::Rgb(95, 215, 215);
        assert_eq!(
            painted(Theme::Dark, ColourDepth::TrueColour),
            [grey(218), grey(18), cyan, grey(18)]
        );
        let indexed = [253, 233, 80, 233].map(Color::Indexed);
        assert_eq!(painted(Theme::Dark, ColourDepth::Indexed256), indexed);
        let sixteen = [Color::Gray, Color::Black, Color::Cyan, Color::Black];
        assert_eq!(painted(Theme::Dark, ColourDepth::Sixteen), sixteen);
        let own = [Color::Reset, Color::Reset, Color::Cyan, Color::Reset];
        assert_eq!(painted(Theme::Sixteen, ColourDepth::TrueColour), own, "the terminal's own");
        assert_eq!(painted(Theme::None, ColourDepth::TrueColour), [Color::Reset; 4]);
    }
}
