//! Images that are made from the setup screen.

use super::opened::{Opened, Tone, row};
use crate::{event::ImageStep, format};

/// Columns of a line at the smallest size.
const WIDTH: usize = 74;

/// The images of the plan that was asked for last.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// The last step of each, in the order in which they began.
    steps: Vec<ImageStep>,
    state: State,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    /// Nobody asked yet.
    #[default]
    Never,
    /// They are being made.
    On,
    /// All of these are there now, or why not.
    Over(Result<Vec<String>, String>),
}

impl Images {
    /// Whether they are being made.
    pub fn are_made(&self) -> bool {
        self.state == State::On
    }

    /// Begins.
    pub fn begin(&mut self) {
        *self = Self { steps: Vec::new(), state: State::On };
    }

    /// Takes a step.
    pub fn step(&mut self, step: ImageStep) {
        match self.steps.iter_mut().find(|known| known.image == step.image) {
            Some(known) => *known = step,
            None => self.steps.push(step),
        }
    }

    /// It is over.
    pub fn end(&mut self, end: Result<Vec<String>, String>) {
        self.state = State::Over(end);
    }

    /// The page that shows them.
    pub fn page(&self) -> Opened {
        let mut rows = vec![match &self.state {
            State::Never | State::On => row(Tone::Head, "images are made on the hub…"),
            State::Over(Ok(names)) if names.is_empty() => {
                row(Tone::Head, "✓ this run needs no images")
            }
            State::Over(Ok(_)) => row(Tone::Head, "✓ all images of this run are there"),
            State::Over(Err(problem)) => row(Tone::Doubt, format!("✗ {problem}")),
        }];
        rows.push(row(Tone::Plain, ""));
        rows.extend(self.steps.iter().map(|step| {
            let percent =
                step.percent.map_or_else(String::new, |percent| format!("{percent} % · "));
            // A step may be a script of many lines: its beginning tells which it is.
            let words = step.words().split_whitespace().collect::<Vec<_>>().join(" ");
            let text = format!("{}  {percent}{words}", step.image);
            row(Tone::Plain, format::fit(&text, WIDTH))
        }));
        if let State::Over(Ok(names)) = &self.state {
            let made = |name: &&String| self.steps.iter().any(|step| step.image == **name);
            let current = names.iter().filter(|name| !made(name));
            rows.extend(current.map(|name| row(Tone::Plain, format!("{name}  was there already"))));
        }
        Opened::images(rows)
    }
}
