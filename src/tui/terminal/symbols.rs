//! Replacement of symbols that the terminal cannot show, by its locale or font. Replacing them in the
//! finished frame frees all other code from caring about it.

use ratatui::buffer::Buffer;

/// Symbols that a terminal can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Symbols {
    /// All of Unicode: braille, blocks, lines, letters.
    #[default]
    Unicode,
    /// Symbols in the fonts of the Linux console: lines and whole or half blocks.
    Console,
    /// ASCII only.
    Ascii,
}

/// Bits of a braille code point for each row of dots, from the top.
const BRAILLE_ROWS: [u32; 4] = [0b0000_1001, 0b0001_0010, 0b0010_0100, 0b1100_0000];

impl Symbols {
    /// Detects the symbols from the environment: ASCII if the locale is set and is not UTF-8, the
    /// console's symbols on the Linux console.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        match (unicode, set("TERM").as_deref()) {
            (false, _) => Self::Ascii,
            (true, Some("linux")) => Self::Console,
            (true, _) => Self::Unicode,
        }
    }

    /// Replaces the symbols of a finished frame that cannot be shown.
    pub fn substitute(self, buffer: &mut Buffer) {
        if self == Self::Unicode {
            return;
        }
        for cell in &mut buffer.content {
            let symbol = cell.symbol();
            if symbol.is_ascii() || (self == Self::Console && is_console_symbol(symbol)) {
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
            '▇' | '█' | '▓' | '▋' | '▊' | '▉' | '■' => '#',
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
            '✓' | '═' => '=',
            '✗' | '×' => 'x',
            '●' => '*',
            '△' => 'A',
            '□' => 'H',
            '◆' => '@',
            '◇' => 'Q',
            '…' => '~',
            'µ' => 'u',
            '°' => '\'',
            _ => '?',
        }
    }
}

/// Returns an ASCII character at the height of the pattern's dots.
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

fn is_console_symbol(symbol: &str) -> bool {
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
        symbols.substitute(&mut buffer);
        (0..width).map(|x| buffer[(x, 0)].symbol()).collect()
    }

    #[test]
    fn missing_symbols_are_replaced_and_the_rest_stays() {
        let text = "┌─┬│ 2.1 µs ✓ ▁▄█ ⠤⠁⣀⡇ …";
        assert_eq!(folded(Symbols::Unicode, text), text);
        assert_eq!(folded(Symbols::Ascii, text), "+-+| 2.1 us = _.# -'.: ~");
        assert_eq!(folded(Symbols::Console, text), "┌─┬│ 2.1 µs = ▄▄█ -'.: ~");
    }

    #[test]
    fn the_marks_of_series_remain_different_in_ascii() {
        let marks = "●○▲△■□◆◇";
        for symbols in [Symbols::Ascii, Symbols::Console] {
            let mut shown: Vec<char> = folded(symbols, marks).chars().collect();
            shown.sort_unstable();
            shown.dedup();
            assert_eq!(shown.len(), marks.chars().count(), "{shown:?}");
            assert!(!shown.contains(&'?'), "{shown:?}");
        }
    }

    #[test]
    fn symbols_are_detected_from_the_environment() {
        let of = |variables: &[(&str, &str)]| {
            Symbols::detect(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), Symbols::Unicode);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]), Symbols::Unicode);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), Symbols::Ascii);
        assert_eq!(of(&[("LANG", "C.utf8"), ("TERM", "linux")]), Symbols::Console);
    }
}
