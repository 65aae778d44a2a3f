//! Figures as SVG: legible in black and white (markers, dashes, hatching), in colours that the
//! colour-blind tell apart, without fonts or files of their own.
//!
//! Every colour is one of [`INK`], [`FAINT`], [`PAPER`] and [`COLOURS`] as a presentation
//! attribute, so that a page may recolour a figure by a style sheet.

mod draw;
mod ticks;

pub use draw::DrawError;

use super::figures::{Figure, Panel};

/// Text and axes.
pub const INK: (u8, u8, u8) = (0x1f, 0x24, 0x28);
/// Grid lines.
pub const FAINT: (u8, u8, u8) = (0xd8, 0xdc, 0xe0);
/// Background, and the inside of hollow marks.
pub const PAPER: (u8, u8, u8) = (0xfe, 0xfe, 0xfe);
/// One for each series, from the palette of Okabe and Ito (2008), which keeps its differences
/// under the common kinds of colour blindness; in an order in which neighbours differ in
/// brightness, too.
pub const COLOURS: [(u8, u8, u8); 6] = [
    (0x00, 0x5f, 0x9e),
    (0xe0, 0x8f, 0x00),
    (0x00, 0x9e, 0x73),
    (0xb2, 0x3a, 0x48),
    (0x56, 0xb4, 0xe9),
    (0x8a, 0x63, 0xb0),
];

/// Pixels of a panel: twice the size in which it is read, so that positions are fine enough.
const WIDTH: u32 = 880;
const HEIGHT: u32 = 580;

/// The whole figure, its panels side by side (more than two in two columns).
///
/// # Errors
/// When the plotting library refuses, which is a bug worth a report.
pub fn figure(figure: &Figure) -> Result<String, DrawError> {
    let columns = figure.panels.len().clamp(1, 2);
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let size = (WIDTH * columns as u32, HEIGHT * rows as u32);
    let panels: Vec<_> = figure.panels.iter().collect();
    let drawn = draw::panels(&panels, size, (rows, columns))?;
    Ok(named(&drawn, &figure.title))
}

/// One panel.
///
/// # Errors
/// As [`figure`].
pub fn panel(figure: &Figure, panel: &Panel) -> Result<String, DrawError> {
    let drawn = draw::panels(&[panel], (WIDTH, HEIGHT), (1, 1))?;
    let title = if panel.title.is_empty() {
        figure.title.clone()
    } else {
        format!("{}, {}", figure.title, panel.title)
    };
    Ok(named(&drawn, &title))
}

/// `#rrggbb`, as it stands in the drawing.
pub fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Adds a title for those who listen to a page, and for tools that list pictures.
fn named(svg: &str, title: &str) -> String {
    let title = super::html::escape(title);
    match svg.split_once('>') {
        Some((head, rest)) => {
            format!("{head} role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>{rest}")
        }
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests;
