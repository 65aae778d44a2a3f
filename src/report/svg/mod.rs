//! Figures as SVG: legible in black and white (markers, dashes, hatching), in colours distinguishable
//! with colour blindness, without embedded fonts or external files.
//!
//! Every colour is one of [`INK`], [`GRID`], [`PAPER`] and [`SERIES_COLOURS`] as a presentation
//! attribute, so that a page may recolour a figure by a style sheet.

mod colours;
mod draw;
mod ticks;

pub use colours::{GRID, INK, PAPER, SERIES_COLOURS, hex};
pub use draw::DrawError;

use maud::Render;

use super::figures::{Figure, FigurePanel};

/// Width of a panel in drawing pixels: twice the displayed size, so that positions are fine enough.
const PANEL_WIDTH: u32 = 880;
/// Height of a panel in drawing pixels.
const PANEL_HEIGHT: u32 = 580;

/// Draws a whole figure, its panels side by side (more than two in two columns).
///
/// # Errors
/// When the plotting library fails, which is a bug worth reporting.
pub fn draw_figure(figure: &Figure) -> Result<String, DrawError> {
    let columns = figure.panels.len().clamp(1, 2);
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let size = (PANEL_WIDTH * columns as u32, PANEL_HEIGHT * rows as u32);
    let panels: Vec<_> = figure.panels.iter().collect();
    let drawn = draw::draw_panels(&panels, size, (rows, columns))?;
    Ok(add_title(&drawn, &figure.title))
}

/// Draws one panel of a figure.
///
/// # Errors
/// As [`draw_figure`].
pub fn draw_single_panel(figure: &Figure, panel: &FigurePanel) -> Result<String, DrawError> {
    let drawn = draw::draw_panels(&[panel], (PANEL_WIDTH, PANEL_HEIGHT), (1, 1))?;
    let title = if panel.title.is_empty() {
        figure.title.clone()
    } else {
        format!("{}, {}", figure.title, panel.title)
    };
    Ok(add_title(&drawn, &title))
}

/// Adds a title for screen readers and for tools that list images.
fn add_title(svg: &str, title: &str) -> String {
    let title = title.render().into_string();
    match svg.split_once('>') {
        Some((head, rest)) => {
            format!("{head} role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>{rest}")
        }
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests;
