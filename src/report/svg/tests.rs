use super::*;
use crate::report::figures::{Axis, Kind, Mark, Scale, Series};

fn a_panel(kind: Kind, suspect: usize) -> Panel {
    let marks = |lift: f64| -> Vec<Mark> {
        (0..3)
            .map(|k| {
                let y = 2.0 + lift + f64::from(k);
                Mark {
                    whiskers: Some((y - 0.5, y + 0.7)),
                    interval: Some((y - 0.2, y + 0.2)),
                    n: 3,
                    suspect,
                    ..Mark::at(f64::from(k), y)
                }
            })
            .collect()
    };
    let mut x = Axis::linear("users", "");
    if kind == Kind::Bars {
        x.scale = Scale::Categories;
        x.ticks = ["100", "400", "1,000"]
            .map(String::from)
            .into_iter()
            .enumerate()
            .map(|(k, text)| (k as f64, text))
            .collect();
    }
    let series = |label: &str, style, lift| Series {
        label: label.into(),
        style,
        dashed: false,
        marks: marks(lift),
    };
    Panel {
        title: "A & B".into(),
        kind,
        x,
        y: Axis::linear("mean <latency>", "ms"),
        series: vec![series("first", 0, 0.0), series("second", 1, 0.4)],
        guides: Vec::new(),
    }
}

fn drawn(kind: Kind, suspect: usize) -> String {
    let figure_ = Figure {
        id: "x".into(),
        title: "Latency \"by\" users".into(),
        caption: String::new(),
        panels: vec![a_panel(kind, suspect)],
    };
    panel(&figure_, &figure_.panels[0]).unwrap()
}

#[test]
fn axes_have_units_and_texts_are_safe() {
    for kind in [Kind::Lines, Kind::Curves, Kind::Dots, Kind::Bars] {
        let svg = drawn(kind, 0);
        assert!(svg.contains("mean &lt;latency&gt; (ms)"), "{svg}");
        assert!(svg.contains("users") && svg.contains("first") && svg.contains("second"));
        assert!(svg.contains("aria-label=\"Latency &quot;by&quot; users, A &amp; B\""));
        assert!(svg.contains(&hex(INK)) && svg.contains(&hex(COLOURS[0])), "{svg}");
    }
    for label in ["100", "400", "1,000"] {
        assert!(drawn(Kind::Bars, 0).contains(label), "{label}");
    }
}

#[test]
fn suspect_points_are_hollow() {
    // Drawn in the paper's colour: once for the background alone, otherwise for each mark.
    let hollow = |kind, suspect| drawn(kind, suspect).matches(&hex(PAPER)).count();
    assert_eq!(hollow(Kind::Lines, 0), 1);
    assert_eq!(hollow(Kind::Lines, 1), 1 + 6);
    assert!(hollow(Kind::Bars, 1) > hollow(Kind::Bars, 0));
}

#[test]
fn without_colour_series_differ_by_marker_dash_and_hatching() {
    let svg = drawn(Kind::Lines, 0);
    assert!(svg.contains("<circle") && svg.contains("<polygon"), "{svg}");
    let strokes = |svg: &str, colour| svg.matches(&format!("stroke=\"{}\"", hex(colour))).count();
    assert!(strokes(&svg, COLOURS[1]) > strokes(&svg, COLOURS[0]), "the second line is dashed");
    let bars = drawn(Kind::Bars, 0);
    assert!(strokes(&bars, COLOURS[1]) > strokes(&bars, COLOURS[0]) + 6, "the second is hatched");
}

#[test]
fn what_is_empty_or_single_is_drawn_without_falling_over() {
    let mut empty = a_panel(Kind::Lines, 0);
    empty.series.clear();
    let mut single = a_panel(Kind::Curves, 0);
    for series in &mut single.series {
        series.marks.truncate(1);
    }
    let mut zero = a_panel(Kind::Bars, 0);
    for mark in zero.series.iter_mut().flat_map(|series| &mut series.marks) {
        *mark = Mark::at(mark.x, 0.0);
    }
    let mut logarithmic = a_panel(Kind::Curves, 0);
    logarithmic.y.scale = Scale::Log;
    let panels = vec![empty, single, zero, logarithmic];
    let all = Figure { id: "x".into(), title: "x".into(), caption: String::new(), panels };
    let svg = figure(&all).unwrap();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}
