//! How the operator looks at a run: which panel has the keys, which view of the latency is chosen,
//! what the log shows, which cell of the map is selected.

use tui_input::Input;

use super::watch::Note;
use crate::{event::Level, tui::msg::Msg};

/// A panel of the live screen, in the order of Tab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Panel {
    /// The latency, in one of its views.
    #[default]
    Latency,
    /// Percentiles and events over time.
    Time,
    /// Messages and bytes per second.
    Throughput,
    /// Resources of the servers.
    Servers,
    /// The ledger, hubmark's own health, the verdict.
    Ledger,
    /// What was told.
    Log,
    /// Points × repetitions.
    Map,
}

impl Panel {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::Time,
        Self::Throughput,
        Self::Servers,
        Self::Ledger,
        Self::Log,
        Self::Map,
    ];

    /// The panel `by` places further, around the end.
    fn after(self, by: isize) -> Self {
        let here = Self::ALL.iter().position(|panel| *panel == self).unwrap_or(0);
        Self::ALL[around(here, by, Self::ALL.len())]
    }
}

/// A view of the latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// Counts over a logarithmic axis.
    #[default]
    Histogram,
    /// p50, p99 and the largest of each second.
    Percentiles,
    /// lag, ack, delivery and response over one axis.
    Durations,
    /// Delivery beside response, which is free of coordinated omission.
    Corrected,
    /// Counts over time and latency.
    Heat,
}

impl View {
    /// All of them, in the order of their keys from 1.
    pub const ALL: [Self; 5] =
        [Self::Histogram, Self::Percentiles, Self::Durations, Self::Corrected, Self::Heat];

    /// Its name on the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Percentiles => "percentiles over time",
            Self::Durations => "four durations",
            Self::Corrected => "corrected and uncorrected",
            Self::Heat => "heat map",
        }
    }

    fn after(self, by: isize) -> Self {
        let here = Self::ALL.iter().position(|view| *view == self).unwrap_or(0);
        Self::ALL[around(here, by, Self::ALL.len())]
    }
}

fn around(here: usize, by: isize, len: usize) -> usize {
    (here.cast_signed() + by).rem_euclid(len.cast_signed()).cast_unsigned()
}

/// Whether panels share the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    /// All that fit are shown.
    #[default]
    Together,
    /// The one that has the keys fills the screen.
    Alone,
}

/// What of the log is shown.
#[derive(Debug, Clone)]
pub struct LogLook {
    /// Lines that are scrolled away at the bottom.
    pub back: usize,
    /// The least level that is shown.
    pub least: Level,
    /// Only lines that hold this text, in whatever case.
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<Input>,
}

impl Default for LogLook {
    fn default() -> Self {
        Self { back: 0, least: Level::Info, filter: String::new(), typing: None }
    }
}

impl LogLook {
    /// The lines of `log` that are shown, oldest first.
    pub fn shown<'a>(&self, log: &'a [Note]) -> Vec<&'a Note> {
        let filter = self.typing.as_ref().map_or(self.filter.as_str(), Input::value).to_lowercase();
        let matches =
            |note: &&Note| note.level >= self.least && note.text.to_lowercase().contains(&filter);
        log.iter().filter(matches).collect()
    }

    /// The next level of [`LogLook::least`].
    fn sift(&mut self) {
        self.least = match self.least {
            Level::Info => Level::Warn,
            Level::Warn => Level::Error,
            Level::Error => Level::Info,
        };
        self.back = 0;
    }

    fn scroll(&mut self, by: isize, log: &[Note]) {
        let last = self.shown(log).len().saturating_sub(1);
        self.back = self.back.saturating_add_signed(by).min(last);
    }
}

/// How the operator looks at a run.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The panel that has the keys.
    pub panel: Panel,
    /// Whether it fills the screen.
    pub size: Size,
    /// The view of the latency.
    pub view: View,
    /// The log.
    pub log: LogLook,
    /// The selected cell of the map: point and repetition.
    pub cell: (usize, usize),
}

impl Look {
    /// Shows `panel` alone, or all of them again when it is alone already.
    pub fn alone(&mut self, panel: Panel) {
        self.size = match self.size {
            Size::Alone if self.panel == panel => Size::Together,
            _ => Size::Alone,
        };
        self.panel = panel;
    }

    /// Applies what concerns the look alone; `map` is the map's size, points and repetitions.
    /// Says whether it did.
    pub fn update(&mut self, msg: &Msg, log: &[Note], map: (usize, usize)) -> bool {
        if self.log.typing.is_some() {
            return self.filter(msg);
        }
        match msg {
            Msg::NextPane => self.panel = self.panel.after(1),
            Msg::PreviousPane => self.panel = self.panel.after(-1),
            Msg::View(by) => self.view = self.view.after(*by),
            Msg::ViewNumber(number) => match View::ALL.get(*number) {
                Some(view) => self.view = *view,
                None => return false,
            },
            Msg::Focus(panel) if self.panel != *panel => self.panel = *panel,
            Msg::Show(panel) | Msg::Focus(panel) => self.alone(*panel),
            Msg::Sift => self.log.sift(),
            Msg::Filter => self.log.typing = Some(Input::new(self.log.filter.clone())),
            Msg::Up | Msg::Down | Msg::Left | Msg::Right if self.panel == Panel::Map => {
                self.step(msg, map);
            }
            Msg::Up => self.log.scroll(1, log),
            Msg::Down => self.log.scroll(-1, log),
            Msg::Accept if self.panel != Panel::Map || self.size == Size::Together => {
                self.alone(self.panel);
            }
            Msg::Back if self.size == Size::Alone => self.size = Size::Together,
            _ => return false,
        }
        true
    }

    fn step(&mut self, msg: &Msg, (points, repetitions): (usize, usize)) {
        let (point, repetition) = &mut self.cell;
        match msg {
            Msg::Up => *point = point.saturating_sub(1),
            Msg::Down => *point += 1,
            Msg::Left => *repetition = repetition.saturating_sub(1),
            _ => *repetition += 1,
        }
        *point = (*point).min(points.saturating_sub(1));
        *repetition = (*repetition).min(repetitions.saturating_sub(1));
    }

    fn filter(&mut self, msg: &Msg) -> bool {
        let Some(input) = &mut self.log.typing else { return false };
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                self.log.back = 0;
            }
            Msg::Accept => {
                input.value().trim().clone_into(&mut self.log.filter);
                self.log.typing = None;
            }
            Msg::Back => self.log.typing = None,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(level: Level, text: &str) -> Note {
        Note { at: 0.0, second: None, level, text: text.to_owned() }
    }

    #[test]
    fn tab_goes_around_all_panels_and_views_in_both_directions() {
        for by in [1, -1] {
            let (mut panel, mut view) = (Panel::Latency, View::Histogram);
            for _ in Panel::ALL {
                panel = panel.after(by);
            }
            for _ in View::ALL {
                view = view.after(by);
            }
            assert_eq!((panel, view), (Panel::Latency, View::Histogram));
        }
        assert_eq!(Panel::Latency.after(-1), Panel::Map);
    }

    #[test]
    fn the_log_is_sifted_by_level_and_text_and_scrolls_within_what_is_left() {
        let log = [
            note(Level::Info, "Kafka is ready"),
            note(Level::Warn, "zookeeper is slow"),
            note(Level::Error, "kafka ended"),
        ];
        let mut look = Look::default();
        look.log.filter = "KAFKA".to_owned();
        assert_eq!(look.log.shown(&log).len(), 2);
        assert!(look.update(&Msg::Sift, &log, (1, 1)));
        assert_eq!(look.log.shown(&log)[0].text, "kafka ended");
        for _ in 0..5 {
            look.update(&Msg::Up, &log, (1, 1));
        }
        assert_eq!(look.log.back, 0, "there is one line, and it stays in sight");
    }

    #[test]
    fn the_map_s_cell_stays_on_the_map() {
        let mut look = Look { panel: Panel::Map, ..Look::default() };
        for msg in [Msg::Down, Msg::Down, Msg::Down, Msg::Right, Msg::Right, Msg::Left] {
            look.update(&msg, &[], (3, 2));
        }
        assert_eq!(look.cell, (2, 0));
    }
}
