//! The colours of the themes that bring their own, and what terminals of fewer colours show of them.
//!
//! Every ink is one of the 256 colours of xterm, so that a theme looks the same whether a terminal
//! shows 256 colours or all of them, and has one of the sixteen beside it. A finished frame is
//! painted: what draws it knows neither the background nor how many colours there are.

use ratatui::{buffer::Buffer, style::Color};

use super::Theme;

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// Sixteen, which its owner may have changed.
    Sixteen,
    /// 256.
    #[default]
    Indexed,
    /// All of them.
    True,
}

/// What an ink is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The background.
    Ground,
    /// Text.
    Text,
    /// Words beside numbers.
    Label,
    /// Frames.
    Border,
    /// Keys, and what is measured.
    Accent,
    /// A second series.
    Second,
    /// All is well.
    Good,
    /// A reason for doubt.
    Warn,
    /// The ground of what went wrong.
    Bad,
    /// The text of what went wrong.
    OnBad,
    /// A limit, as a line.
    Limit,
    /// From few to many.
    Shade(u8),
}

/// A colour, by its number among the 256, and what stands for it where there are sixteen.
type Ink = (Role, u8, Color);

const DARK: &[Ink] = &[
    (Role::Ground, 233, Color::Black),
    (Role::Text, 253, Color::Gray),
    (Role::Label, 248, Color::Gray),
    (Role::Border, 242, Color::DarkGray),
    (Role::Accent, 80, Color::Cyan),
    (Role::Second, 176, Color::LightMagenta),
    (Role::Good, 114, Color::Green),
    (Role::Warn, 221, Color::LightYellow),
    (Role::Bad, 160, Color::Red),
    (Role::OnBad, 231, Color::White),
    (Role::Limit, 203, Color::LightRed),
    (Role::Shade(0), 24, Color::Blue),
    (Role::Shade(1), 31, Color::LightBlue),
    (Role::Shade(2), 80, Color::Cyan),
    (Role::Shade(3), 195, Color::White),
];
const LIGHT: &[Ink] = &[
    (Role::Ground, 231, Color::White),
    (Role::Text, 235, Color::Black),
    (Role::Label, 240, Color::DarkGray),
    (Role::Border, 245, Color::DarkGray),
    (Role::Accent, 25, Color::Blue),
    (Role::Second, 127, Color::Magenta),
    // The green of sixteen colours cannot be read on white.
    (Role::Good, 28, Color::Black),
    (Role::Warn, 130, Color::Red),
    (Role::Bad, 124, Color::Red),
    (Role::OnBad, 231, Color::White),
    (Role::Limit, 124, Color::Red),
    (Role::Shade(0), 153, Color::Cyan),
    (Role::Shade(1), 110, Color::LightBlue),
    (Role::Shade(2), 67, Color::Blue),
    (Role::Shade(3), 18, Color::Black),
];
const HIGH_CONTRAST: &[Ink] = &[
    (Role::Ground, 16, Color::Black),
    (Role::Text, 231, Color::White),
    (Role::Label, 231, Color::White),
    (Role::Border, 231, Color::White),
    (Role::Accent, 51, Color::LightCyan),
    (Role::Second, 213, Color::LightMagenta),
    (Role::Good, 46, Color::LightGreen),
    (Role::Warn, 226, Color::LightYellow),
    (Role::Bad, 124, Color::Red),
    (Role::OnBad, 231, Color::White),
    (Role::Limit, 203, Color::LightRed),
    (Role::Shade(0), 33, Color::LightBlue),
    (Role::Shade(1), 51, Color::LightCyan),
    (Role::Shade(2), 226, Color::LightYellow),
    (Role::Shade(3), 231, Color::White),
];

/// Where the 256 begin to be the same on every terminal: before are the sixteen.
const FIRST: u8 = 16;
/// Where the greys begin, after a cube of six by six by six.
const GREYS: u8 = 232;

impl Depth {
    /// What the environment promises.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let many = term.contains("256color");
        // GNU screen knows 256 colours at most, whatever the terminal around it has told; tmux
        // goes by the same name and knows all. The Linux console has sixteen.
        let is_screen = term.starts_with("screen") && set("TMUX").is_none();
        if term == "linux" || is_screen && !many {
            return Self::Sixteen;
        }
        if is_screen {
            return Self::Indexed;
        }
        match set("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::True,
            _ if term.contains("direct") => Self::True,
            Some(_) => Self::Indexed,
            None if many => Self::Indexed,
            None => Self::Sixteen,
        }
    }

    fn shown(self, colour: Color, inks: &[Ink]) -> Color {
        let Color::Indexed(index) = colour else { return colour };
        match self {
            Self::Indexed => colour,
            Self::True => rgb(index).map_or(colour, |[r, g, b]| Color::Rgb(r, g, b)),
            Self::Sixteen => {
                inks.iter().find(|(_, other, _)| *other == index).map_or(colour, |ink| ink.2)
            }
        }
    }
}

/// Red, green and blue of one of the 256 colours; the sixteen have none of their own.
fn rgb(index: u8) -> Option<[u8; 3]> {
    let above = index.checked_sub(FIRST)?;
    if index >= GREYS {
        return Some([8 + 10 * (index - GREYS); 3]);
    }
    let step = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
    Some([step(above / 36), step(above / 6 % 6), step(above % 6)])
}

impl Theme {
    /// Its own colours, where it has some.
    const fn inks(self) -> &'static [Ink] {
        match self {
            Self::Dark => DARK,
            Self::Light => LIGHT,
            Self::HighContrast => HIGH_CONTRAST,
            Self::Sixteen | Self::None => &[],
        }
    }

    /// Its own colour for something.
    pub(super) fn ink(self, role: Role) -> Option<Color> {
        let ink = self.inks().iter().find(|(other, ..)| *other == role)?;
        Some(Color::Indexed(ink.1))
    }

    /// Gives a finished frame the theme's own background, and the colours that the terminal has.
    pub fn paint(self, depth: Depth, buffer: &mut Buffer) {
        let (Some(text), Some(ground)) = (self.ink(Role::Text), self.ink(Role::Ground)) else {
            return;
        };
        let own = |colour: Color, instead: Color| {
            depth.shown(if colour == Color::Reset { instead } else { colour }, self.inks())
        };
        for cell in &mut buffer.content {
            cell.fg = own(cell.fg, text);
            cell.bg = own(cell.bg, ground);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    const OWN: [Theme; 3] = [Theme::Dark, Theme::Light, Theme::HighContrast];
    /// The sixteen as the VGA had them, which the Linux console still has.
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

    /// Relative luminance, as WCAG 2 defines it.
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
        for depth in [Depth::True, Depth::Indexed, Depth::Sixteen] {
            for theme in OWN {
                let ink = |role| depth.shown(theme.ink(role).expect("an ink"), theme.inks());
                let text = [
                    (Role::Text, Role::Ground),
                    (Role::Label, Role::Ground),
                    (Role::Accent, Role::Ground),
                    (Role::Second, Role::Ground),
                    (Role::Good, Role::Ground),
                    (Role::Warn, Role::Ground),
                    (Role::OnBad, Role::Bad),
                    // Selected lines are the other way round.
                    (Role::Ground, Role::Text),
                ];
                let least = if theme == Theme::HighContrast { 7.0 } else { 4.5 };
                for (front, back) in text {
                    let found = contrast(ink(front), ink(back));
                    assert!(found >= least, "{theme:?} {depth:?} {front:?}: {found:.2}");
                }
                // Lines need less.
                let bright = ink(Role::Border) != Color::DarkGray;
                let lines = [(Role::Limit, 3.0), (Role::Border, if bright { 3.0 } else { 2.5 })];
                for (line, least) in lines {
                    let found = contrast(ink(line), ink(Role::Ground));
                    assert!(found >= least, "{theme:?} {depth:?} {line:?}: {found:.2}");
                }
            }
        }
    }

    #[test]
    fn a_colour_means_one_thing_of_sixteen() {
        for theme in OWN {
            for (role, index, sixteen) in theme.inks() {
                let shown = Depth::Sixteen.shown(Color::Indexed(*index), theme.inks());
                assert_eq!(shown, *sixteen, "{theme:?} {role:?}");
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
    fn a_frame_is_painted_with_what_the_terminal_has() {
        let painted = |theme: Theme, depth: Depth| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
            buffer.set_string(1, 0, "x", theme.data());
            theme.paint(depth, &mut buffer);
            let [plain, data] = [&buffer[(0, 0)], &buffer[(1, 0)]];
            [plain.fg, plain.bg, data.fg, data.bg]
        };
        let grey = |level| Color::Rgb(level, level, level);
        let cyan = Color::Rgb(95, 215, 215);
        assert_eq!(painted(Theme::Dark, Depth::True), [grey(218), grey(18), cyan, grey(18)]);
        let indexed = [253, 233, 80, 233].map(Color::Indexed);
        assert_eq!(painted(Theme::Dark, Depth::Indexed), indexed);
        let sixteen = [Color::Gray, Color::Black, Color::Cyan, Color::Black];
        assert_eq!(painted(Theme::Dark, Depth::Sixteen), sixteen);
        let own = [Color::Reset, Color::Reset, Color::Cyan, Color::Reset];
        assert_eq!(painted(Theme::Sixteen, Depth::True), own, "the terminal's own");
        assert_eq!(painted(Theme::None, Depth::True), [Color::Reset; 4]);
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        let of = |variables: &[(&str, &str)]| {
            Depth::of(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let truecolor = ("COLORTERM", "truecolor");
        for (variables, depth) in [
            (&[][..], Depth::Sixteen),
            (&[("TERM", "xterm")], Depth::Sixteen),
            (&[("TERM", "vt100")], Depth::Sixteen),
            (&[("TERM", "xterm-256color")], Depth::Indexed),
            (&[("TERM", "xterm-256color"), truecolor], Depth::True),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "24bit")], Depth::True),
            (&[("TERM", "xterm"), ("COLORTERM", "rxvt")], Depth::Indexed),
            (&[("TERM", "xterm"), ("COLORTERM", "")], Depth::Sixteen),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "linux"), truecolor], Depth::Sixteen),
            (&[("TERM", "screen"), truecolor], Depth::Sixteen),
            (&[("TERM", "screen-256color"), truecolor], Depth::Indexed),
            (&[("TERM", "screen-256color"), truecolor, ("TMUX", "/tmp/1")], Depth::True),
            (&[("TERM", "screen"), ("TMUX", "/tmp/1")], Depth::Sixteen),
            (&[("TERM", "tmux-256color")], Depth::Indexed),
            (&[("TERM", "tmux-256color"), truecolor], Depth::True),
        ] {
            assert_eq!(of(variables), depth, "{variables:?}");
        }
    }
}
