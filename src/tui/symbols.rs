//! Symbols that every terminal can show: what a font or a locale lacks is replaced in the finished
//! frame, so that nothing else has to know.

use ratatui::buffer::Buffer;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Symbols {
    /// Braille, blocks, lines, letters of all kinds.
    #[default]
    All,
    /// What the fonts of the Linux console have: lines and whole or half blocks.
    Console,
    /// ASCII.
    Ascii,
}

/// Dots of a braille pattern by height, from the top: bits of the code point.
const BRAILLE_ROWS: [u32; 4] = [0b0000_1001, 0b0001_0010, 0b0010_0100, 0b1100_0000];

impl Symbols {
    /// What the environment promises: ASCII where the locale is set and is not UTF-8, the
    /// console's symbols on the Linux console.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        match (unicode, set("TERM").as_deref()) {
            (false, _) => Self::Ascii,
            (true, Some("linux")) => Self::Console,
            (true, _) => Self::All,
        }
    }

    /// Replaces in a finished frame what cannot be shown.
    pub fn fold(self, buffer: &mut Buffer) {
        if self == Self::All {
            return;
        }
        for cell in &mut buffer.content {
            let symbol = cell.symbol();
            if symbol.is_ascii() || (self == Self::Console && on_console(symbol)) {
                continue;
            }
            let replaced = symbol.chars().next().map_or(' ', |first| self.replace(first));
            cell.set_char(replaced);
        }
    }

    fn replace(self, symbol: char) -> char {
        match symbol {
            '\u{2800}'..='\u{28ff}' => braille(symbol as u32 - 0x2800),
            '▁' | '▂' if self == Self::Ascii => '_',
            '▁' | '▂' | '▃' | '▅' if self == Self::Console => '▄',
            '▆' | '▇' if self == Self::Console => '█',
            '▃' | '▄' | '░' | '·' | '•' => '.',
            '▅' | '▆' | '○' => 'o',
            '▋' | '▊' | '▉' if self == Self::Console => '▌',
            '▏' | '▎' | '▍' if self == Self::Console => ' ',
            '▇' | '█' | '▓' | '▋' | '▊' | '▉' => '#',
            '▏' | '▎' | '▍' | '▌' => ':',
            '▒' | '±' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => {
                '+'
            }
            '─' | '–' | '−' => '-',
            '│' | '┃' => '|',
            '▸' | '→' | '▶' => '>',
            '◂' | '←' | '≤' => '<',
            '▾' | '↓' => 'v',
            '▴' | '↑' | '▲' => '^',
            '✓' => '=',
            '✗' | '×' => 'x',
            '●' => '*',
            '…' => '~',
            'µ' => 'u',
            '°' => '\'',
            _ => '?',
        }
    }
}

/// A sign at the height of the pattern's dots.
fn braille(dots: u32) -> char {
    let rows: Vec<usize> = (0..4).filter(|row| dots & BRAILLE_ROWS[*row] != 0).collect();
    match rows.as_slice() {
        [] => ' ',
        [0] => '\'',
        [1 | 2] | [1, 2] => '-',
        [3] => '.',
        _ => ':',
    }
}

fn on_console(symbol: &str) -> bool {
    const HAS: &str = "─│┌┐└┘├┤┬┴┼░▒▓█▄▌·µ°±×";
    HAS.contains(symbol)
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn folded(symbols: Symbols, text: &str) -> String {
        let width = text.chars().count() as u16;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        for (x, symbol) in (0..).zip(text.chars()) {
            buffer[(x, 0)].set_char(symbol);
        }
        symbols.fold(&mut buffer);
        (0..width).map(|x| buffer[(x, 0)].symbol()).collect()
    }

    #[test]
    fn what_a_terminal_lacks_is_replaced_and_the_rest_stays() {
        let text = "┌─┬│ 2.1 µs ✓ ▁▄█ ⠤⠁⣀⡇ …";
        assert_eq!(folded(Symbols::All, text), text);
        assert_eq!(folded(Symbols::Ascii, text), "+-+| 2.1 us = _.# -'.: ~");
        assert_eq!(folded(Symbols::Console, text), "┌─┬│ 2.1 µs = ▄▄█ -'.: ~");
    }

    #[test]
    fn the_environment_says_what_can_be_shown() {
        let of = |variables: &[(&str, &str)]| {
            Symbols::of(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), Symbols::All);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]), Symbols::All);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), Symbols::Ascii);
        assert_eq!(of(&[("LANG", "C.utf8"), ("TERM", "linux")]), Symbols::Console);
    }
}
