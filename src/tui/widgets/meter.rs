//! A horizontal bar.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `width` columns, `share` of it full; the rest is a dim track. Without a share the
/// whole is track.
pub fn meter(share: Option<f64>, width: u16, full: Style, track: Style) -> Line<'static> {
    let width = usize::from(width);
    let eighths = (share.unwrap_or(0.0).clamp(0.0, 1.0) * width as f64 * 8.0).floor() as usize;
    let part = EIGHTHS[eighths % 8];
    let rest = width - eighths / 8 - usize::from(!part.is_empty());
    Line::from(vec![
        Span::styled(format!("{}{part}", "█".repeat(eighths / 8)), full),
        Span::styled("░".repeat(rest), track),
    ])
}

/// A bar of `width` columns in which a mark shows where the target is. Full is the largest of
/// target, present and highest value.
pub fn gauge(
    now: Option<f64>,
    target: Option<f64>,
    peak: Option<f64>,
    width: u16,
    [full, track, mark]: [Style; 3],
) -> Line<'static> {
    let whole = [now, target, peak].into_iter().flatten().fold(0.0, f64::max);
    let share = |value: f64| if whole > 0.0 { value / whole } else { 0.0 };
    let mut line = meter(now.map(share), width, full, track);
    // What lies at the very end needs no mark.
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
        let bar = |share| meter(Some(share), 4, Style::new(), Style::new()).to_string();
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
            let bar = meter(Some(share), width, Style::new(), Style::new());
            prop_assert_eq!(bar.width(), usize::from(width));
        }
    }
}
