//! Display settings of a run: focused panel, latency view, filter of the log, selected cell of the map.

use tui_input::Input;

use super::repetition::LogLine;
use crate::{
    event::LogLevel,
    tui::{
        live_panel::{LatencyView, LivePanel, PanelSize},
        msg::Msg,
    },
};

/// Display settings of the log.
#[derive(Debug, Clone)]
pub struct LogDisplay {
    /// Number of newest lines that are scrolled out of view at the bottom.
    pub scrolled_lines: usize,
    /// Least level that is shown.
    pub min_level: LogLevel,
    /// Text that shown lines contain, without regard to case.
    pub filter: String,
    /// Text field of the filter while it is open.
    pub typing: Option<Input>,
}

impl Default for LogDisplay {
    fn default() -> Self {
        Self { scrolled_lines: 0, min_level: LogLevel::Info, filter: String::new(), typing: None }
    }
}

impl LogDisplay {
    /// Shown lines of `log`, oldest first.
    pub fn shown<'a>(&self, log: &'a [LogLine]) -> Vec<&'a LogLine> {
        let filter = self.typing.as_ref().map_or(self.filter.as_str(), Input::value).to_lowercase();
        let matches = |line: &&LogLine| {
            line.level >= self.min_level && line.text.to_lowercase().contains(&filter)
        };
        log.iter().filter(matches).collect()
    }

    /// Switches to the next least level.
    fn cycle_level(&mut self) {
        self.min_level = match self.min_level {
            LogLevel::Info => LogLevel::Warn,
            LogLevel::Warn => LogLevel::Error,
            LogLevel::Error => LogLevel::Info,
        };
        self.scrolled_lines = 0;
    }

    fn scroll(&mut self, by: isize, log: &[LogLine]) {
        let last = self.shown(log).len().saturating_sub(1);
        self.scrolled_lines = self.scrolled_lines.saturating_add_signed(by).min(last);
    }
}

/// Display settings of a run.
#[derive(Debug, Clone, Default)]
pub struct LiveDisplay {
    /// Focused panel.
    pub panel: LivePanel,
    /// Whether the focused panel fills the screen.
    pub size: PanelSize,
    /// View of the latency.
    pub view: LatencyView,
    /// Display settings of the log.
    pub log: LogDisplay,
    /// Selected cell of the map: point and repetition.
    pub cell: (usize, usize),
    /// Number of lines of the ledger that are scrolled out of view at the top.
    pub ledger_line: usize,
}

/// Largest number of lines by which the ledger is scrolled; more than it has.
const MAX_LEDGER_LINE: usize = 100;

impl LiveDisplay {
    /// Maximizes `panel`, or shows all panels again if it is already maximized.
    pub fn toggle_maximized(&mut self, panel: LivePanel) {
        self.size = match self.size {
            PanelSize::Maximized if self.panel == panel => PanelSize::Shared,
            _ => PanelSize::Maximized,
        };
        self.panel = panel;
    }

    /// Applies a message that only concerns the display; `map` is the map's size: points, repetitions.
    /// Returns whether the message was handled.
    pub fn update(&mut self, msg: &Msg, log: &[LogLine], map: (usize, usize)) -> bool {
        if self.log.typing.is_some() {
            return self.update_filter(msg);
        }
        match msg {
            Msg::NextPane => self.panel = self.panel.after(1),
            Msg::PreviousPane => self.panel = self.panel.after(-1),
            Msg::View(by) => self.view = self.view.after(*by),
            Msg::ViewNumber(number) => match LatencyView::ALL.get(*number) {
                Some(view) => self.view = *view,
                None => return false,
            },
            Msg::Focus(panel) if self.panel != *panel => self.panel = *panel,
            Msg::ToggleMaximized(panel) | Msg::Focus(panel) => self.toggle_maximized(*panel),
            Msg::CycleLogLevel => self.log.cycle_level(),
            Msg::Filter => self.log.typing = Some(Input::new(self.log.filter.clone())),
            Msg::Up | Msg::Down | Msg::Left | Msg::Right if self.panel == LivePanel::Map => {
                self.move_cell(msg, map);
            }
            Msg::Up | Msg::Down if self.panel == LivePanel::Ledger => {
                let by = if matches!(msg, Msg::Up) { -1 } else { 1 };
                self.ledger_line = self.ledger_line.saturating_add_signed(by).min(MAX_LEDGER_LINE);
            }
            Msg::Up => self.log.scroll(1, log),
            Msg::Down => self.log.scroll(-1, log),
            Msg::Accept if self.panel != LivePanel::Map || self.size == PanelSize::Shared => {
                self.toggle_maximized(self.panel);
            }
            Msg::Back if self.size == PanelSize::Maximized => self.size = PanelSize::Shared,
            _ => return false,
        }
        true
    }

    fn move_cell(&mut self, msg: &Msg, (points, repetitions): (usize, usize)) {
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

    fn update_filter(&mut self, msg: &Msg) -> bool {
        let Some(input) = &mut self.log.typing else { return false };
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                self.log.scrolled_lines = 0;
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

    fn line(level: LogLevel, text: &str) -> LogLine {
        LogLine { at: 0.0, second: None, level, text: text.to_owned() }
    }

    #[test]
    fn the_log_is_filtered_by_level_and_text_and_scrolls_within_the_shown_lines() {
        let log = [
            line(LogLevel::Info, "Kafka is ready"),
            line(LogLevel::Warn, "zookeeper is slow"),
            line(LogLevel::Error, "kafka ended"),
        ];
        let mut display = LiveDisplay::default();
        display.log.filter = "KAFKA".to_owned();
        assert_eq!(display.log.shown(&log).len(), 2);
        assert!(display.update(&Msg::CycleLogLevel, &log, (1, 1)));
        assert_eq!(display.log.shown(&log)[0].text, "kafka ended");
        for _ in 0..5 {
            display.update(&Msg::Up, &log, (1, 1));
        }
        assert_eq!(display.log.scrolled_lines, 0, "the only line stays visible");
    }

    #[test]
    fn the_map_s_cell_stays_on_the_map() {
        let mut display = LiveDisplay { panel: LivePanel::Map, ..LiveDisplay::default() };
        for msg in [Msg::Down, Msg::Down, Msg::Down, Msg::Right, Msg::Right, Msg::Left] {
            display.update(&msg, &[], (3, 2));
        }
        assert_eq!(display.cell, (2, 0));
    }
}
