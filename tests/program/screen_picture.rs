//! Draws the README's picture of the screen for `assets/screen-picture.sh`.

use std::{env, fmt::Write as _, fs};

use crate::support::{
    sandbox::Sandbox,
    terminal::{Terminal, screen_command},
};
use vt100::{Cell, Color};

const SIZE: (u16, u16) = (120, 40);
/// Width and height of a cell in units of the picture.
const CELL: (f64, f64) = (8.4, 17.0);
const MARGIN: f64 = 12.0;
const BACKGROUND: &str = "#16161e";
const FOREGROUND: &str = "#c8ccd8";
/// The first 16 colours of a terminal.
const PALETTE: [&str; 16] = [
    "#16161e", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd8",
    "#7f848e", "#ef7f88", "#a9d48a", "#f0cf8a", "#7fc1ff", "#d68ce8", "#6fc9d4", "#ffffff",
];

fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Default => default.to_owned(),
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

/// Foreground, background and weight of a cell.
fn style(cell: &Cell) -> (String, String, bool) {
    let (foreground, background) =
        (colour(cell.fgcolor(), FOREGROUND), colour(cell.bgcolor(), BACKGROUND));
    let (foreground, background) =
        if cell.inverse() { (background, foreground) } else { (foreground, background) };
    (foreground, background, cell.bold())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Draws a screen as SVG; each run of cells of one style is exactly as wide as its cells.
fn picture(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = CELL;
    let with_margins = |count: u16, size: f64| f64::from(count).mul_add(size, 2.0 * MARGIN);
    let (total_width, total_height) = (with_margins(columns, width), with_margins(rows, height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total_width:.0} {total_height:.0}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
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
            let Some((foreground, background, bold)) = first else { continue };
            let x = f64::from(start).mul_add(width, MARGIN);
            let y = f64::from(row).mul_add(height, MARGIN);
            let long = f64::from(column - start) * width;
            if background != BACKGROUND {
                writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{height}\" \
                     fill=\"{background}\"/>"
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
                 lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{foreground}\"{weight}>\
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
    let sandbox = Sandbox::with_profile(1);
    let mut command = screen_command(&sandbox);
    command.args(["--theme", "dark"]);
    command.env("COLORTERM", "truecolor");
    let mut terminal = Terminal::screen_of(command, SIZE.0, SIZE.1);
    // The first profile needs no server but the built-in broker.
    terminal.press("\r");
    terminal.wait_for_messages();
    terminal
        .wait_until("most of it is delivered", |_| terminal.delivered().is_some_and(|n| n > 700));
    fs::write(&path, picture(terminal.output().parser.screen())).unwrap();
    terminal.wait_for("Nothing lost");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
}
