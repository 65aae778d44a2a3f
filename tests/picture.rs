//! The README's picture of the screen, from the program itself. See `assets/screen-picture.sh`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod terminal;

use std::{env, fmt::Write as _, fs};

use terminal::{Folders, Terminal, hubmark};
use vt100::{Cell, Color};

const SIZE: (u16, u16) = (120, 40);
/// Size of a cell, in the picture's own units.
const CELL: (f64, f64) = (8.4, 17.0);
const MARGIN: f64 = 12.0;
const PAPER: &str = "#16161e";
const INK: &str = "#c8ccd8";
/// The first 16 colours of a terminal.
const PALETTE: [&str; 16] = [
    "#16161e", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd8",
    "#7f848e", "#ef7f88", "#a9d48a", "#f0cf8a", "#7fc1ff", "#d68ce8", "#6fc9d4", "#ffffff",
];

fn colour(colour: Color, usual: &str) -> String {
    match colour {
        Color::Default => usual.to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Idx(number @ 0..16) => PALETTE[usize::from(number)].to_owned(),
        Color::Idx(number @ 16..232) => {
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let number = number - 16;
            let (red, green, blue) = (number / 36, number / 6 % 6, number % 6);
            format!("#{:02x}{:02x}{:02x}", level(red), level(green), level(blue))
        }
        Color::Idx(number) => {
            let grey = 8 + 10 * (number - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

/// Ink, paper and weight of a cell.
fn style(cell: &Cell) -> (String, String, bool) {
    let (ink, paper) = (colour(cell.fgcolor(), INK), colour(cell.bgcolor(), PAPER));
    let (ink, paper) = if cell.inverse() { (paper, ink) } else { (ink, paper) };
    (ink, paper, cell.bold())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A screen as SVG: each run of cells in one style exactly as wide as its cells.
fn picture(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = CELL;
    let whole = |count: u16, each: f64| f64::from(count).mul_add(each, 2.0 * MARGIN);
    let (all, tall) = (whole(columns, width), whole(rows, height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all:.0} {tall:.0}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let of = |column: u16| screen.cell(row, column).map(style);
            let first = of(column);
            let mut text = String::new();
            let start = column;
            while column < columns && of(column) == first {
                let shown = screen.cell(row, column).map_or("", Cell::contents);
                text.push_str(if shown.is_empty() { " " } else { shown });
                column += 1;
            }
            let Some((ink, paper, bold)) = first else { continue };
            let x = f64::from(start).mul_add(width, MARGIN);
            let y = f64::from(row).mul_add(height, MARGIN);
            let long = f64::from(column - start) * width;
            if paper != PAPER {
                writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{height}\" \
                     fill=\"{paper}\"/>"
                )
                .unwrap();
            }
            if text.trim().is_empty() {
                continue;
            }
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{long:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{ink}\"{weight}>\
                 {}</text>",
                y + 13.0,
                escaped(&text)
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}

#[test]
#[ignore = "writes the README's picture: assets/screen-picture.sh"]
fn the_screen_of_a_run_is_drawn() {
    let Some(path) = env::var_os("HUBMARK_PICTURE") else { return };
    let folders = Folders::new(1);
    let mut command = hubmark(&folders);
    command.args(["--theme", "dark"]);
    command.env("COLORTERM", "truecolor");
    let mut terminal = Terminal::open(command, SIZE.0, SIZE.1);
    terminal.wait("q quit");
    // The first profile needs nothing but this program.
    terminal.press("\r");
    terminal.wait_for_messages();
    terminal.until("most of it is delivered", |_| terminal.delivered().is_some_and(|n| n > 700));
    fs::write(&path, picture(terminal.seen().parser.screen())).unwrap();
    terminal.wait("Nothing lost");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
}
