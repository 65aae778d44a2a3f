//! Draws panels with `plotters`: coordinates and mesh from the library, marks from this module.

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext},
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Rectangle, Text},
    prelude::Cartesian2d,
    style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle},
};

use super::{
    colours::{GRID, INK, PAPER, SERIES_COLOURS},
    ticks::{self, AxisCoord},
};
use crate::report::figures::{FigurePanel, PlotKind, PlotMark, PlotSeries, ReferenceLine};

/// Error of drawing a figure.
#[derive(Debug, thiserror::Error)]
#[error("a figure could not be drawn: {0}")]
pub struct DrawError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for DrawError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

type SvgArea<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type SvgChart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<AxisCoord, AxisCoord>>;
type Pixel = (i32, i32);

/// Height of text in drawing pixels.
const TEXT_HEIGHT: i32 = 26;
/// Height of a legend line in drawing pixels.
const LEGEND_LINE_HEIGHT: i32 = 34;
/// Radius of a round marker in drawing pixels.
const MARKER_RADIUS: i32 = 9;

const fn rgb((red, green, blue): (u8, u8, u8)) -> RGBColor {
    RGBColor(red, green, blue)
}

/// Converts a number of characters to pixel arithmetic; labels are far shorter than `i32::MAX`.
fn columns(characters: usize) -> i32 {
    i32::try_from(characters).unwrap_or(0)
}

fn text_style(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&rgb(INK))
}

/// Draws `panels` into a grid of `(rows, columns)` and returns the SVG.
pub fn draw_panels(
    panels: &[&FigurePanel],
    size: (u32, u32),
    grid: (usize, usize),
) -> Result<String, DrawError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&rgb(PAPER))?;
        for (panel, area) in panels.iter().zip(root.split_evenly(grid)) {
            draw_panel(panel, &area)?;
        }
        root.present()?;
    }
    Ok(text)
}

fn draw_panel(panel: &FigurePanel, area: &SvgArea<'_>) -> Result<(), DrawError> {
    let width = area.dim_in_pixel().0.cast_signed();
    let mut top = 12;
    if !panel.title.is_empty() {
        area.draw(&Text::new(panel.title.clone(), (20, top), text_style(TEXT_HEIGHT + 2)))?;
        top += LEGEND_LINE_HEIGHT + 4;
    }
    top = draw_legend(panel, area, top, width)?;
    area.draw(&Text::new(panel.y.title_with_unit(), (20, top + 2), text_style(TEXT_HEIGHT - 2)))?;
    top += LEGEND_LINE_HEIGHT;
    let (x, y) = (ticks::horizontal_axis(panel), ticks::vertical_axis(panel));
    let longest = y.labels.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1);
    let mut chart: SvgChart<'_> = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(28)
        .margin_bottom(10)
        .x_label_area_size(78)
        .y_label_area_size(34 + columns(longest) * 14)
        .build_cartesian_2d(x.clone(), y.clone())?;
    draw_mesh(&mut chart, panel, &x, &y)?;
    for guide in &panel.reference_lines {
        draw_reference_line(&chart, area, guide, (&x, &y))?;
    }
    draw_marks(&chart, area, panel, (&x, &y))
}

/// Draws a dashed line across the panel, with its label at the end.
fn draw_reference_line(
    chart: &SvgChart<'_>,
    area: &SvgArea<'_>,
    guide: &ReferenceLine,
    (x, y): (&AxisCoord, &AxisCoord),
) -> Result<(), DrawError> {
    let origin = area.get_base_pixel();
    let pixel = |at: (f64, f64)| {
        let (px, py) = chart.backend_coord(&at);
        (px - origin.0, py - origin.1)
    };
    let (from, to) = if guide.is_vertical {
        let place = x.position(guide.at);
        (pixel((place, y.range.1)), pixel((place, y.range.0)))
    } else {
        let place = y.position(guide.at);
        (pixel((x.range.0, place)), pixel((x.range.1, place)))
    };
    draw_dashed_line(area, &[from, to], rgb(INK).stroke_width(2), 10, 8)?;
    let length = columns(guide.label.chars().count()) * (TEXT_HEIGHT / 2);
    let corner = match (guide.is_vertical, guide.label_before) {
        (true, true) => (from.0 - length - 6, from.1 + 4),
        (true, false) => (from.0 + 8, from.1 + 4),
        (false, true) => (to.0 - length, to.1 + 4),
        (false, false) => (to.0 - length, to.1 - TEXT_HEIGHT - 2),
    };
    area.draw(&Text::new(guide.label.clone(), corner, text_style(TEXT_HEIGHT - 4)))?;
    Ok(())
}

fn draw_mesh(
    chart: &mut SvgChart<'_>,
    panel: &FigurePanel,
    x: &AxisCoord,
    y: &AxisCoord,
) -> Result<(), DrawError> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(rgb(GRID))
        .light_line_style(rgb(GRID))
        .axis_style(rgb(INK))
        .label_style(text_style(TEXT_HEIGHT))
        .axis_desc_style(text_style(TEXT_HEIGHT))
        .x_labels(x.labels.len())
        .y_labels(y.labels.len())
        .x_desc(panel.x.title_with_unit())
        .draw()?;
    Ok(())
}

/// Draws legend entries side by side, wrapping at `width`; returns the top of the next line.
fn draw_legend(
    panel: &FigurePanel,
    area: &SvgArea<'_>,
    top: i32,
    width: i32,
) -> Result<i32, DrawError> {
    let (mut x, mut y) = (20, top);
    for series in &panel.series {
        let needed = 74 + columns(series.label.chars().count()) * (TEXT_HEIGHT / 2);
        if x > 20 && x + needed > width {
            (x, y) = (20, y + LEGEND_LINE_HEIGHT);
        }
        let middle = y + TEXT_HEIGHT / 2;
        let colour = colour(series);
        match panel.kind {
            PlotKind::Bars => {
                draw_bar(area, (x, middle - 10), (x + 46, middle + 10), series, false)?;
            }
            PlotKind::Lines | PlotKind::Curves => {
                draw_line(area, &[(x, middle), (x + 50, middle)], series, 4)?;
            }
            PlotKind::Dots => {}
        }
        if matches!(panel.kind, PlotKind::Lines | PlotKind::Dots) {
            draw_marker(area, (x + 25, middle), series.style, colour, false)?;
        }
        area.draw(&Text::new(series.label.clone(), (x + 60, y), text_style(TEXT_HEIGHT)))?;
        x += needed;
    }
    Ok(y + if panel.series.is_empty() { 0 } else { LEGEND_LINE_HEIGHT + 4 })
}

fn colour(series: &PlotSeries) -> RGBColor {
    rgb(SERIES_COLOURS[series.style % SERIES_COLOURS.len()])
}

fn draw_marks(
    chart: &SvgChart<'_>,
    area: &SvgArea<'_>,
    panel: &FigurePanel,
    (x, y): (&AxisCoord, &AxisCoord),
) -> Result<(), DrawError> {
    let origin = area.get_base_pixel();
    let pixel = |place: f64, value: f64| -> Pixel {
        let value = y.position(value).clamp(y.range.0, y.range.1);
        let (px, py) = chart.backend_coord(&(place, value));
        (px - origin.0, py - origin.1)
    };
    let count = panel.series.len();
    for (place, series) in panel.series.iter().enumerate() {
        let shift = series_offset(panel.kind, place, count);
        let at = |mark: &PlotMark, value: f64| {
            let (px, py) = pixel(x.position(mark.x) + shift.0, value);
            (px + shift.1, py)
        };
        if panel.kind == PlotKind::Bars {
            draw_bars(area, series, count, &at, &pixel)?;
        }
        if matches!(panel.kind, PlotKind::Lines | PlotKind::Curves) {
            let path: Vec<_> = series.marks.iter().map(|mark| at(mark, mark.y)).collect();
            draw_line(area, &path, series, if panel.kind == PlotKind::Curves { 4 } else { 3 })?;
            if let ([only], PlotKind::Curves) = (&path[..], panel.kind) {
                draw_marker(area, *only, series.style, colour(series), false)?;
            }
        }
        if panel.kind == PlotKind::Curves {
            continue;
        }
        for mark in &series.marks {
            draw_whiskers(
                area,
                mark,
                &at,
                if panel.kind == PlotKind::Bars { rgb(INK) } else { colour(series) },
            )?;
            if panel.kind != PlotKind::Bars {
                draw_marker(
                    area,
                    at(mark, mark.y),
                    series.style,
                    colour(series),
                    mark.suspect > 0,
                )?;
            }
        }
    }
    Ok(())
}

/// Returns the horizontal offset of a series, which keeps series from hiding each other: as a fraction of
/// a category, and in pixels.
fn series_offset(kind: PlotKind, place: usize, count: usize) -> (f64, i32) {
    let middle = place as f64 - (count as f64 - 1.0) / 2.0;
    match kind {
        PlotKind::Bars => (middle * 0.8 / count.max(1) as f64, 0),
        PlotKind::Lines => (0.0, (middle * 16.0) as i32),
        PlotKind::Curves | PlotKind::Dots => (0.0, 0),
    }
}

fn draw_bars(
    area: &SvgArea<'_>,
    series: &PlotSeries,
    count: usize,
    at: &dyn Fn(&PlotMark, f64) -> Pixel,
    pixel: &dyn Fn(f64, f64) -> Pixel,
) -> Result<(), DrawError> {
    let category = pixel(1.0, 0.0).0 - pixel(0.0, 0.0).0;
    let half = (f64::from(category) * 0.37 / count.max(1) as f64).max(2.0) as i32;
    for mark in &series.marks {
        let (top, bottom) = (at(mark, mark.y), at(mark, 0.0));
        let corners = ((top.0 - half, top.1), (bottom.0 + half, bottom.1));
        draw_bar(area, corners.0, corners.1, series, mark.suspect > 0)?;
    }
    Ok(())
}

/// Draws a bar: filled, hatched for every other series, hollow with a dashed outline when suspect.
fn draw_bar(
    area: &SvgArea<'_>,
    (left, one): Pixel,
    (right, other): Pixel,
    series: &PlotSeries,
    suspect: bool,
) -> Result<(), DrawError> {
    let (top, bottom) = (one.min(other), one.max(other));
    let colour = colour(series);
    let corners = [(left, top), (right, bottom)];
    let hatched = series.style % 2 == 1;
    let inside = if suspect || hatched { rgb(PAPER) } else { colour };
    area.draw(&Rectangle::new(corners, inside.filled()))?;
    if hatched && !suspect {
        let (width, height) = (right - left, bottom - top);
        for offset in (8..width + height).step_by(12) {
            let from = if offset <= height {
                (left, top + offset)
            } else {
                (left + offset - height, bottom)
            };
            let to =
                if offset <= width { (left + offset, top) } else { (right, top + offset - width) };
            area.draw(&PathElement::new(vec![from, to], colour.stroke_width(4)))?;
        }
    }
    let outline = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    if suspect {
        draw_dashed_line(area, &outline, colour.stroke_width(3), 10, 8)
    } else {
        area.draw(&PathElement::new(outline.to_vec(), colour.stroke_width(3)))?;
        Ok(())
    }
}

/// Draws the whiskers of the repetitions (thin) and the interval of their mean (thick).
fn draw_whiskers(
    area: &SvgArea<'_>,
    mark: &PlotMark,
    at: &dyn Fn(&PlotMark, f64) -> Pixel,
    colour: RGBColor,
) -> Result<(), DrawError> {
    if mark.n < 2 {
        return Ok(());
    }
    if let Some((low, high)) = mark.interval {
        // Pale, so that the whiskers remain visible on top.
        let thick = colour.mix(0.4).stroke_width(12);
        area.draw(&PathElement::new(vec![at(mark, low), at(mark, high)], thick))?;
    }
    if let Some((low, high)) = mark.whiskers {
        let (low, high) = (at(mark, low), at(mark, high));
        let thin = colour.stroke_width(3);
        area.draw(&PathElement::new(vec![low, high], thin))?;
        for (x, y) in [low, high] {
            area.draw(&PathElement::new(vec![(x - 10, y), (x + 10, y)], thin))?;
        }
    }
    Ok(())
}

/// Draws a line with the dash pattern of the series.
fn draw_line(
    area: &SvgArea<'_>,
    path: &[Pixel],
    series: &PlotSeries,
    width: u32,
) -> Result<(), DrawError> {
    let style = colour(series).stroke_width(width);
    let (on, off) = match (series.dashed, series.style % 3) {
        (true, _) => (5, 7),
        (false, 1) => (22, 9),
        (false, 2) => (12, 6),
        (false, _) => {
            if path.len() > 1 {
                area.draw(&PathElement::new(path.to_vec(), style))?;
            }
            return Ok(());
        }
    };
    draw_dashed_line(area, path, style, on, off)
}

/// Draws a dashed line along `path`, its pattern continuous across the path's corners.
fn draw_dashed_line(
    area: &SvgArea<'_>,
    path: &[Pixel],
    style: ShapeStyle,
    on: i32,
    off: i32,
) -> Result<(), DrawError> {
    let (on, period) = (f64::from(on), f64::from(on + off));
    let mut along = 0.0;
    let mut dash: Vec<Pixel> = Vec::new();
    for pair in path.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (x1 - x0).hypot(y1 - y0);
        let point = |at: f64| {
            let share = if length > 0.0 { at / length } else { 0.0 };
            ((x0 + (x1 - x0) * share).round() as i32, (y0 + (y1 - y0) * share).round() as i32)
        };
        let mut at = 0.0;
        while at < length {
            let phase = along % period;
            let drawing = phase < on;
            let step =
                (if drawing { on - phase } else { period - phase }).min(length - at).max(1e-3);
            if drawing {
                if dash.is_empty() {
                    dash.push(point(at));
                }
                dash.push(point(at + step));
                if phase + step >= on - 1e-6 {
                    area.draw(&PathElement::new(std::mem::take(&mut dash), style))?;
                }
            }
            at += step;
            along += step;
        }
    }
    if dash.len() > 1 {
        area.draw(&PathElement::new(dash, style))?;
    }
    Ok(())
}

/// Draws a marker whose shape identifies the series without colour; hollow when suspect.
fn draw_marker(
    area: &SvgArea<'_>,
    (x, y): Pixel,
    style: usize,
    colour: RGBColor,
    hollow: bool,
) -> Result<(), DrawError> {
    let outline = colour.stroke_width(3);
    let fill = if hollow { rgb(PAPER) } else { colour }.filled();
    let corners: Vec<Pixel> = match style % 4 {
        0 => {
            area.draw(&Circle::new((x, y), MARKER_RADIUS, fill))?;
            area.draw(&Circle::new((x, y), MARKER_RADIUS, outline))?;
            return Ok(());
        }
        1 => vec![(-8, -8), (8, -8), (8, 8), (-8, 8)],
        2 => vec![(0, -11), (10, 8), (-10, 8)],
        _ => vec![(0, -12), (11, 0), (0, 12), (-11, 0)],
    };
    let mut corners: Vec<Pixel> = corners.into_iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    area.draw(&Polygon::new(corners.clone(), fill))?;
    corners.push(corners[0]);
    area.draw(&PathElement::new(corners, outline))?;
    Ok(())
}
