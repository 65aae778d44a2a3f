use super::*;
use crate::report::figures::{Axis, AxisScale, PlotKind, PlotMark, PlotSeries};

fn a_panel(kind: PlotKind, suspect: usize) -> FigurePanel {
    let marks = |lift: f64| -> Vec<PlotMark> {
        (0..3)
            .map(|k| {
                let y = 2.0 + lift + f64::from(k);
                PlotMark {
                    whiskers: Some((y - 0.5, y + 0.7)),
                    interval: Some((y - 0.2, y + 0.2)),
                    n: 3,
                    suspect,
                    ..PlotMark::at(f64::from(k), y)
                }
            })
            .collect()
    };
    let mut x = Axis::linear("users", "");
    if kind == PlotKind::Bars {
        x.scale = AxisScale::Categories;
        x.ticks = ["100", "400", "1,000"]
            .map(String::from)
            .into_iter()
            .enumerate()
            .map(|(k, text)| (k as f64, text))
            .collect();
    }
    let series = |label: &str, style, lift| PlotSeries {
        label: label.into(),
        style,
        dashed: false,
        marks: marks(lift),
    };
    FigurePanel {
        title: "A & B".into(),
        kind,
        x,
        y: Axis::linear("mean <latency>", "ms"),
        series: vec![series("first", 0, 0.0), series("second", 1, 0.4)],
        reference_lines: Vec::new(),
    }
}

fn drawn(kind: PlotKind, suspect: usize) -> String {
    let figure_ = Figure {
        id: "x".into(),
        title: "Latency \"by\" users".into(),
        caption: String::new(),
        panels: vec![a_panel(kind, suspect)],
    };
    draw_single_panel(&figure_, &figure_.panels[0]).unwrap()
}

#[test]
fn axes_have_units_and_texts_are_safe() {
    for kind in [PlotKind::Lines, PlotKind::Curves, PlotKind::Dots, PlotKind::Bars] {
        let svg = drawn(kind, 0);
        assert!(svg.contains("mean &lt;latency&gt; (ms)"), "{svg}");
        assert!(svg.contains("users") && svg.contains("first") && svg.contains("second"));
        assert!(svg.contains("aria-label=\"Latency &quot;by&quot; users, A &amp; B\""));
        assert!(svg.contains(&hex(INK)) && svg.contains(&hex(SERIES_COLOURS[0])), "{svg}");
    }
    for label in ["100", "400", "1,000"] {
        assert!(drawn(PlotKind::Bars, 0).contains(label), "{label}");
    }
}

#[test]
fn suspect_points_are_hollow() {
    // Drawn in the paper's colour: once for the background alone, otherwise for each mark.
    let hollow = |kind, suspect| drawn(kind, suspect).matches(&hex(PAPER)).count();
    assert_eq!(hollow(PlotKind::Lines, 0), 1);
    assert_eq!(hollow(PlotKind::Lines, 1), 1 + 6);
    assert!(hollow(PlotKind::Bars, 1) > hollow(PlotKind::Bars, 0));
}

#[test]
fn without_colour_series_differ_by_marker_dash_and_hatching() {
    let svg = drawn(PlotKind::Lines, 0);
    assert!(svg.contains("<circle") && svg.contains("<polygon"), "{svg}");
    let strokes = |svg: &str, colour| svg.matches(&format!("stroke=\"{}\"", hex(colour))).count();
    assert!(
        strokes(&svg, SERIES_COLOURS[1]) > strokes(&svg, SERIES_COLOURS[0]),
        "the second line is dashed"
    );
    let bars = drawn(PlotKind::Bars, 0);
    assert!(
        strokes(&bars, SERIES_COLOURS[1]) > strokes(&bars, SERIES_COLOURS[0]) + 6,
        "the second is hatched"
    );
}

#[test]
fn empty_and_single_point_panels_are_drawn_without_nan() {
    let mut empty = a_panel(PlotKind::Lines, 0);
    empty.series.clear();
    let mut single = a_panel(PlotKind::Curves, 0);
    for series in &mut single.series {
        series.marks.truncate(1);
    }
    let mut zero = a_panel(PlotKind::Bars, 0);
    for mark in zero.series.iter_mut().flat_map(|series| &mut series.marks) {
        *mark = PlotMark::at(mark.x, 0.0);
    }
    let mut logarithmic = a_panel(PlotKind::Curves, 0);
    logarithmic.y.scale = AxisScale::Log;
    let panels = vec![empty, single, zero, logarithmic];
    let all = Figure { id: "x".into(), title: "x".into(), caption: String::new(), panels };
    let svg = draw_figure(&all).unwrap();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}
