//! Fixed colours of themes, and their conversion for terminals with fewer colours.
//!
//! Every colour of a palette is one of xterm's 256 colours, so that a theme looks the same with 256
//! colours and with true colour, and has a substitute among the sixteen colours. Colours are converted in
//! the finished frame: drawing code needs to know neither the background nor the number of colours.

use ratatui::{buffer::Buffer, style::Color};

/// Number of colours that a terminal shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColourDepth {
    /// Sixteen colours, which the user may have changed.
    Sixteen,
    /// xterm's 256 colours.
    #[default]
    Indexed256,
    /// 24-bit colour.
    TrueColour,
}

/// Purpose of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourRole {
    /// Background.
    Background,
    /// Text.
    Text,
    /// Labels beside numbers.
    Label,
    /// Borders of panels.
    Border,
    /// Keys, and measured data.
    Accent,
    /// Second series.
    Second,
    /// Success.
    Good,
    /// Warning.
    Warn,
    /// Background of an error.
    BadBackground,
    /// Text of an error.
    BadText,
    /// Line of a limit.
    LimitLine,
    /// Shade of a heat map, 0 (few) to 3 (many).
    Shade(u8),
}

/// Purpose, number among the 256 colours, and substitute among the sixteen colours.
type PaletteEntry = (ColourRole, u8, Color);

/// Fixed colours of a theme; empty for a theme that uses the terminal's own.
#[derive(Debug, Clone, Copy)]
pub struct Palette(&'static [PaletteEntry]);

const DARK: &[PaletteEntry] = &[
    (ColourRole::Background, 233, Color::Black),
    (ColourRole::Text, 253, Color::Gray),
    (ColourRole::Label, 248, Color::Gray),
    (ColourRole::Border, 242, Color::DarkGray),
    (ColourRole::Accent, 80, Color::Cyan),
    (ColourRole::Second, 176, Color::LightMagenta),
    (ColourRole::Good, 114, Color::Green),
    (ColourRole::Warn, 221, Color::LightYellow),
    (ColourRole::BadBackground, 160, Color::Red),
    (ColourRole::BadText, 231, Color::White),
    (ColourRole::LimitLine, 203, Color::LightRed),
    (ColourRole::Shade(0), 24, Color::Blue),
    (ColourRole::Shade(1), 31, Color::LightBlue),
    (ColourRole::Shade(2), 80, Color::Cyan),
    (ColourRole::Shade(3), 195, Color::White),
];
const LIGHT: &[PaletteEntry] = &[
    (ColourRole::Background, 231, Color::White),
    (ColourRole::Text, 235, Color::Black),
    (ColourRole::Label, 240, Color::DarkGray),
    (ColourRole::Border, 245, Color::DarkGray),
    (ColourRole::Accent, 25, Color::Blue),
    (ColourRole::Second, 127, Color::Magenta),
    // Green of the sixteen colours is unreadable on white.
    (ColourRole::Good, 28, Color::Black),
    (ColourRole::Warn, 130, Color::Red),
    (ColourRole::BadBackground, 124, Color::Red),
    (ColourRole::BadText, 231, Color::White),
    (ColourRole::LimitLine, 124, Color::Red),
    (ColourRole::Shade(0), 153, Color::Cyan),
    (ColourRole::Shade(1), 110, Color::LightBlue),
    (ColourRole::Shade(2), 67, Color::Blue),
    (ColourRole::Shade(3), 18, Color::Black),
];
const HIGH_CONTRAST: &[PaletteEntry] = &[
    (ColourRole::Background, 16, Color::Black),
    (ColourRole::Text, 231, Color::White),
    (ColourRole::Label, 231, Color::White),
    (ColourRole::Border, 231, Color::White),
    (ColourRole::Accent, 51, Color::LightCyan),
    (ColourRole::Second, 213, Color::LightMagenta),
    (ColourRole::Good, 46, Color::LightGreen),
    (ColourRole::Warn, 226, Color::LightYellow),
    (ColourRole::BadBackground, 124, Color::Red),
    (ColourRole::BadText, 231, Color::White),
    (ColourRole::LimitLine, 203, Color::LightRed),
    (ColourRole::Shade(0), 33, Color::LightBlue),
    (ColourRole::Shade(1), 51, Color::LightCyan),
    (ColourRole::Shade(2), 226, Color::LightYellow),
    (ColourRole::Shade(3), 231, Color::White),
];

/// First of the 256 colours that is the same on every terminal; those before are the sixteen colours.
const FIRST_CUBE_COLOUR: u8 = 16;
/// First grey, after the colour cube of 6 × 6 × 6.
const FIRST_GREY: u8 = 232;

impl ColourDepth {
    /// Detects the number of colours from environment variables.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let many = term.contains("256color");
        // GNU screen supports at most 256 colours, regardless of COLORTERM from the terminal around it;
        // tmux may have the same TERM and supports true colour. The Linux console has sixteen.
        let is_screen = term.starts_with("screen") && set("TMUX").is_none();
        if term == "linux" || is_screen && !many {
            return Self::Sixteen;
        }
        if is_screen {
            return Self::Indexed256;
        }
        match set("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::TrueColour,
            _ if term.contains("direct") => Self::TrueColour,
            Some(_) => Self::Indexed256,
            None if many => Self::Indexed256,
            None => Self::Sixteen,
        }
    }
}

/// Returns red, green and blue of one of the 256 colours; `None` for the sixteen, which have no fixed values.
fn rgb(index: u8) -> Option<[u8; 3]> {
    let above = index.checked_sub(FIRST_CUBE_COLOUR)?;
    if index >= FIRST_GREY {
        return Some([8 + 10 * (index - FIRST_GREY); 3]);
    }
    let step = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
    Some([step(above / 36), step(above / 6 % 6), step(above % 6)])
}

impl Palette {
    /// Colours on a dark background.
    pub const DARK: Self = Self(DARK);
    /// Colours on a light background.
    pub const LIGHT: Self = Self(LIGHT);
    /// Bright colours on black.
    pub const HIGH_CONTRAST: Self = Self(HIGH_CONTRAST);
    /// No fixed colours.
    pub const EMPTY: Self = Self(&[]);

    /// Returns the colour for a role; `None` if the palette is empty.
    pub fn colour(self, role: ColourRole) -> Option<Color> {
        let (_, index, _) = self.0.iter().find(|(other, ..)| *other == role)?;
        Some(Color::Indexed(*index))
    }

    /// Converts a colour of the palette to one that the terminal shows.
    fn convert(self, colour: Color, depth: ColourDepth) -> Color {
        let Color::Indexed(index) = colour else { return colour };
        match depth {
            ColourDepth::Indexed256 => colour,
            ColourDepth::TrueColour => {
                rgb(index).map_or(colour, |[red, green, blue]| Color::Rgb(red, green, blue))
            }
            ColourDepth::Sixteen => {
                let entry = self.0.iter().find(|(_, other, _)| *other == index);
                entry.map_or(colour, |(_, _, sixteen)| *sixteen)
            }
        }
    }

    /// Applies text colour and background to a finished frame, and converts its colours to the
    /// terminal's; an empty palette changes nothing.
    pub fn paint(self, depth: ColourDepth, buffer: &mut Buffer) {
        let (Some(text), Some(background)) =
            (self.colour(ColourRole::Text), self.colour(ColourRole::Background))
        else {
            return;
        };
        let convert = |colour: Color, default: Color| {
            self.convert(if colour == Color::Reset { default } else { colour }, depth)
        };
        for cell in &mut buffer.content {
            cell.fg = convert(cell.fg, text);
            cell.bg = convert(cell.bg, background);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALETTES: [(Palette, &str); 3] = [
        (Palette::DARK, "dark"),
        (Palette::LIGHT, "light"),
        (Palette::HIGH_CONTRAST, "high contrast"),
    ];
    /// The sixteen colours of the VGA, which the Linux console still uses.
    const VGA: [(Color, [u8; 3]); 16] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [170, 0, 0]),
        (Color::Green, [0, 170, 0]),
        (Color::Yellow, [170, 85, 0]),
        (Color::Blue, [0, 0, 170]),
        (Color::Magenta, [170, 0, 170]),
        (Color::Cyan, [0, 170, 170]),
        (Color::Gray, [170, 170, 170]),
        (Color::DarkGray, [85, 85, 85]),
        (Color::LightRed, [255, 85, 85]),
        (Color::LightGreen, [85, 255, 85]),
        (Color::LightYellow, [255, 255, 85]),
        (Color::LightBlue, [85, 85, 255]),
        (Color::LightMagenta, [255, 85, 255]),
        (Color::LightCyan, [85, 255, 255]),
        (Color::White, [255, 255, 255]),
    ];

    /// Returns the relative luminance as defined by WCAG 2.
    fn luminance(colour: Color) -> f64 {
        let parts = match colour {
            Color::Rgb(r, g, b) => [r, g, b],
            Color::Indexed(index) => rgb(index).expect("a colour of its own"),
            other => VGA.iter().find(|(named, _)| *named == other).expect("one of sixteen").1,
        };
        let linear = parts.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: Color, b: Color) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_of_every_theme_can_be_read_on_its_background() {
        assert!((contrast(Color::Black, Color::White) - 21.0).abs() < 0.01);
        for depth in [ColourDepth::TrueColour, ColourDepth::Indexed256, ColourDepth::Sixteen] {
            for (palette, name) in PALETTES {
                let colour = |role| palette.convert(palette.colour(role).expect("a colour"), depth);
                let text = [
                    (ColourRole::Text, ColourRole::Background),
                    (ColourRole::Label, ColourRole::Background),
                    (ColourRole::Accent, ColourRole::Background),
                    (ColourRole::Second, ColourRole::Background),
                    (ColourRole::Good, ColourRole::Background),
                    (ColourRole::Warn, ColourRole::Background),
                    (ColourRole::BadText, ColourRole::BadBackground),
                    // Selected lines are reversed.
                    (ColourRole::Background, ColourRole::Text),
                ];
                let least = if name == "high contrast" { 7.0 } else { 4.5 };
                for (front, back) in text {
                    let found = contrast(colour(front), colour(back));
                    assert!(found >= least, "{name} {depth:?} {front:?}: {found:.2}");
                }
                // Lines need less contrast.
                let bright = colour(ColourRole::Border) != Color::DarkGray;
                let lines = [
                    (ColourRole::LimitLine, 3.0),
                    (ColourRole::Border, if bright { 3.0 } else { 2.5 }),
                ];
                for (line, least) in lines {
                    let found = contrast(colour(line), colour(ColourRole::Background));
                    assert!(found >= least, "{name} {depth:?} {line:?}: {found:.2}");
                }
            }
        }
    }

    #[test]
    fn a_colour_means_one_thing_of_sixteen() {
        for (palette, name) in PALETTES {
            for (role, index, sixteen) in palette.0 {
                let shown = palette.convert(Color::Indexed(*index), ColourDepth::Sixteen);
                assert_eq!(shown, *sixteen, "{name} {role:?}");
            }
        }
    }

    #[test]
    fn numbers_of_colours_are_those_of_xterm() {
        assert_eq!(rgb(15), None);
        assert_eq!(rgb(16), Some([0, 0, 0]));
        assert_eq!(rgb(80), Some([95, 215, 215]));
        assert_eq!(rgb(196), Some([255, 0, 0]));
        assert_eq!(rgb(231), Some([255, 255, 255]));
        assert_eq!(rgb(232), Some([8, 8, 8]));
        assert_eq!(rgb(255), Some([238, 238, 238]));
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        let of = |variables: &[(&str, &str)]| {
            ColourDepth::detect(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let truecolor = ("COLORTERM", "truecolor");
        for (variables, depth) in [
            (&[][..], ColourDepth::Sixteen),
            (&[("TERM", "xterm")], ColourDepth::Sixteen),
            (&[("TERM", "vt100")], ColourDepth::Sixteen),
            (&[("TERM", "xterm-256color")], ColourDepth::Indexed256),
            (&[("TERM", "xterm-256color"), truecolor], ColourDepth::TrueColour),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "24bit")], ColourDepth::TrueColour),
            (&[("TERM", "xterm"), ("COLORTERM", "rxvt")], ColourDepth::Indexed256),
            (&[("TERM", "xterm"), ("COLORTERM", "")], ColourDepth::Sixteen),
            (&[("TERM", "xterm-direct")], ColourDepth::TrueColour),
            (&[("TERM", "linux"), truecolor], ColourDepth::Sixteen),
            (&[("TERM", "screen"), truecolor], ColourDepth::Sixteen),
            (&[("TERM", "screen-256color"), truecolor], ColourDepth::Indexed256),
            (
                &[("TERM", "screen-256color"), truecolor, ("TMUX", "/tmp/1")],
                ColourDepth::TrueColour,
            ),
            (&[("TERM", "screen"), ("TMUX", "/tmp/1")], ColourDepth::Sixteen),
            (&[("TERM", "tmux-256color")], ColourDepth::Indexed256),
            (&[("TERM", "tmux-256color"), truecolor], ColourDepth::TrueColour),
        ] {
            assert_eq!(of(variables), depth, "{variables:?}");
        }
    }
}
