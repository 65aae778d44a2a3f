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

    proptest! {
        #[test]
        fn a_bar_is_always_as_wide_as_asked(share in -1.0..2.0_f64, width in 0_u16..300) {
            let bar = meter(Some(share), width, Style::new(), Style::new());
            prop_assert_eq!(bar.width(), usize::from(width));
        }
    }
}
