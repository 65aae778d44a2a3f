//! Text on the screen is never cut without a sign: views and widgets draw it by `src/tui/text.rs`, which puts `…` in
//! place of what does not fit.

use crate::sources::sources;

/// Names by which text is drawn without a sign, and files that may use them: `text.rs` itself, the panel that fits its
/// titles, and the message of a terminal that is too small for a view, which wraps.
const SILENT: &[(&str, &[&str])] = &[
    ("Paragraph", &["tui/text.rs", "tui/view/too_small.rs"]),
    ("Block", &["tui/view/parts.rs"]),
    ("set_stringn", &[]),
    ("set_line", &[]),
    ("set_span", &[]),
];

/// Widgets of text that only `text.rs` renders.
const TEXT_WIDGETS: &[&str] = &["Line", "Span", "Text"];

#[test]
fn text_on_the_screen_is_drawn_so_that_a_cut_has_a_sign() {
    let mut wrong = Vec::new();
    let drawn = sources().iter().filter(|source| source.path.starts_with("tui"));
    let mut files = 0;
    for source in drawn {
        files += 1;
        let path = source.path.display().to_string();
        for (name, allowed) in SILENT {
            if source.identifiers.iter().any(|it| it == name) && !allowed.contains(&path.as_str()) {
                wrong.push(format!("{path}: {name}"));
            }
        }
        let code: String = source.code.split_whitespace().collect();
        for widget in TEXT_WIDGETS {
            if code.contains(&format!("render_widget({widget}::")) {
                wrong.push(format!("{path}: render_widget({widget})"));
            }
        }
    }
    assert!(files > 50, "the screen's files were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
