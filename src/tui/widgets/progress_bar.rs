//! Horizontal bars: progress bar and gauge.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

const EIGHTH_BLOCKS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Returns a bar of `width` columns filled to `share`; without a share it is empty.
pub fn progress_bar(share: Option<f64>, width: u16, full: Style, track: Style) -> Line<'static> {
    let width = usize::from(width);
    let eighths = (share.unwrap_or(0.0).clamp(0.0, 1.0) * width as f64 * 8.0).floor() as usize;
    let part = EIGHTH_BLOCKS[eighths % 8];
    let rest = width - eighths / 8 - usize::from(!part.is_empty());
    Line::from(vec![
        Span::styled(format!("{}{part}", "█".repeat(eighths / 8)), full),
        Span::styled("░".repeat(rest), track),
    ])
}

/// Returns a bar of `width` columns filled to `now`, with marks at target and peak.
///
/// A full bar is the largest of the three values.
pub fn gauge(
    now: Option<f64>,
    target: Option<f64>,
    peak: Option<f64>,
    width: u16,
    [full, track, mark]: [Style; 3],
) -> Line<'static> {
    let whole = [now, target, peak].into_iter().flatten().fold(0.0, f64::max);
    let share = |value: f64| if whole > 0.0 { value / whole } else { 0.0 };
    let mut line = progress_bar(now.map(share), width, full, track);
    // A mark at the end of the bar would be redundant, and is dropped below.
    let place = |value: f64| (share(value) * f64::from(width)).round() as usize;
    let marks = [target, peak].into_iter().flatten().map(place);
    let columns: Vec<(String, Style)> = line
        .spans
        .iter()
        .flat_map(|span| span.content.chars().map(|symbol| (symbol.to_string(), span.style)))
        .collect();
    let marked: Vec<usize> = marks.filter(|place| *place < usize::from(width)).collect();
    line.spans = columns
        .into_iter()
        .enumerate()
        .map(|(place, (symbol, style))| {
            if marked.contains(&place) {
                Span::styled("┃", mark)
            } else {
                Span::styled(symbol, style)
            }
        })
        .collect();
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bar_grows_by_eighths() {
        let bar = |share| progress_bar(Some(share), 4, Style::new(), Style::new()).to_string();
        assert_eq!(bar(0.0), "░░░░");
        assert_eq!(bar(0.5), "██░░");
        assert_eq!(bar(0.6), "██▍░");
        assert_eq!(bar(1.0), "████");
    }

    #[test]
    fn a_gauge_shows_target_and_peak_where_they_are_not_at_its_end() {
        let plain = [Style::new(); 3];
        let gauge = |now, target, peak| gauge(now, target, peak, 8, plain).to_string();
        assert_eq!(gauge(Some(4.0), Some(8.0), None), "████░░░░");
        assert_eq!(gauge(Some(4.0), Some(6.0), Some(8.0)), "████░░┃░");
        assert_eq!(gauge(Some(8.0), Some(4.0), None), "████┃███");
        assert_eq!(gauge(None, None, None), "░░░░░░░░");
    }

    proptest! {
        #[test]
        fn a_gauge_is_always_as_wide_as_asked(
            now in prop::option::of(0.0..1e9_f64),
            target in prop::option::of(0.0..1e9_f64),
            peak in prop::option::of(0.0..1e9_f64),
            width in 0_u16..100,
        ) {
            let line = gauge(now, target, peak, width, [Style::new(); 3]);
            prop_assert_eq!(line.width(), usize::from(width));
        }


        #[test]
        fn a_bar_is_always_as_wide_as_asked(share in -1.0..2.0_f64, width in 0_u16..300) {
            let bar = progress_bar(Some(share), width, Style::new(), Style::new());
            prop_assert_eq!(bar.width(), usize::from(width));
        }
    }
}
