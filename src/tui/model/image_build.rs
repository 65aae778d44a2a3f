//! Image build that is started from the setup screen.

use super::document::{Document, DocumentRow};
use crate::{event::ImageProgress, format};

/// Longest shown part of a step: three lines on a common terminal.
const MAX_STEP_WIDTH: usize = 220;

/// Last image build: its steps and result.
#[derive(Debug, Clone, Default)]
pub struct ImageBuild {
    /// Last step of each image, in the order in which the image builds began.
    steps: Vec<ImageProgress>,
    state: ImageBuildState,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum ImageBuildState {
    /// No build was started yet.
    #[default]
    NotStarted,
    /// The build is running.
    Running,
    /// The build finished: names of all images, or the error.
    Finished(Result<Vec<String>, String>),
}

impl ImageBuild {
    /// Whether the build is running.
    pub fn is_running(&self) -> bool {
        self.state == ImageBuildState::Running
    }

    /// Starts a new build.
    pub fn start(&mut self) {
        *self = Self { steps: Vec::new(), state: ImageBuildState::Running };
    }

    /// Records the progress of an image.
    pub fn apply_step(&mut self, step: ImageProgress) {
        match self.steps.iter_mut().find(|known| known.image == step.image) {
            Some(known) => *known = step,
            None => self.steps.push(step),
        }
    }

    /// Ends the build with its result.
    pub fn finish(&mut self, end: Result<Vec<String>, String>) {
        self.state = ImageBuildState::Finished(end);
    }

    /// Document that shows the build.
    pub fn page(&self) -> Document {
        let mut rows = vec![match &self.state {
            ImageBuildState::NotStarted | ImageBuildState::Running => {
                DocumentRow::heading("building images on the hub…")
            }
            ImageBuildState::Finished(Ok(names)) if names.is_empty() => {
                DocumentRow::heading("✓ this run needs no images")
            }
            ImageBuildState::Finished(Ok(_)) => {
                DocumentRow::heading("✓ all images of this run are available")
            }
            ImageBuildState::Finished(Err(problem)) => DocumentRow::warning(format!("✗ {problem}")),
        }];
        rows.push(DocumentRow::empty());
        rows.extend(self.steps.iter().map(|step| {
            let percent =
                step.percent.map_or_else(String::new, |percent| format!("{percent} % · "));
            // A step may be a script of many lines: its beginning identifies it.
            let words = step.summary().split_whitespace().collect::<Vec<_>>().join(" ");
            let text = format!("{}  {percent}{words}", step.image);
            DocumentRow::plain(format::truncate(&text, MAX_STEP_WIDTH))
        }));
        if let ImageBuildState::Finished(Ok(names)) = &self.state {
            let made = |name: &&String| self.steps.iter().any(|step| step.image == **name);
            let current = names.iter().filter(|name| !made(name));
            rows.extend(
                current.map(|name| DocumentRow::plain(format!("{name}  already available"))),
            );
        }
        Document::images(rows)
    }
}
