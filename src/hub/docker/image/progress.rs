//! Progress of building and pulling images, parsed from the engine's messages.

use std::collections::{HashMap, VecDeque};

use bollard::models::ProgressDetail;

use crate::{hub::docker::api_call::strip_control_characters, units::Bytes};

/// Lines of a build's output in its error.
const FAILURE_LINES: usize = 15;

/// Follows the text output of the classic builder.
#[derive(Debug, Default)]
pub struct BuildProgress {
    /// Output after the last line break.
    partial: String,
    last_lines: VecDeque<String>,
    step: Option<BuildStep>,
    /// Bytes fetched so far, from the output of the instructions.
    fetched: u64,
}

/// One running instruction of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildStep {
    /// Number, from 1.
    number: u32,
    /// Total number of instructions.
    count: u32,
    /// Text of the instruction.
    text: String,
}

impl BuildStep {
    /// Parses a line like `Step 3/9 : RUN apt-get update`.
    fn parse(line: &str) -> Option<Self> {
        let (count, text) = line.strip_prefix("Step ")?.split_once(" : ")?;
        let (number, of) = count.split_once('/')?;
        Some(Self { number: number.parse().ok()?, count: of.parse().ok()?, text: text.to_owned() })
    }

    /// Returns the share of completed steps, in percent.
    pub fn percent(&self) -> Option<u8> {
        let behind = u64::from(self.number.checked_sub(1)?) * 100;
        u8::try_from(behind.checked_div(u64::from(self.count))?).ok().filter(|&p| p <= 100)
    }
}

impl std::fmt::Display for BuildStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {}/{} {}", self.number, self.count, self.text)
    }
}

impl BuildProgress {
    /// Adds a piece of output; returns the step that began in it, if any.
    pub fn push_output(&mut self, piece: &str) -> Option<BuildStep> {
        self.partial.push_str(piece);
        let mut begun = None;
        while let Some(end) = self.partial.find('\n') {
            let rest = self.partial.split_off(end + 1);
            let line = strip_control_characters(&std::mem::replace(&mut self.partial, rest));
            if let Some(step) = BuildStep::parse(&line) {
                begun = Some(step);
            }
            self.fetched = self.fetched.saturating_add(parse_fetched_bytes(&line).unwrap_or(0));
            self.push_line(line);
        }
        if begun.is_some() {
            self.step.clone_from(&begun);
        }
        begun
    }

    /// Returns the bytes that the instructions fetched so far, according to their output; `None`
    /// before the first.
    pub fn fetched(&self) -> Option<Bytes> {
        (self.fetched > 0).then_some(Bytes(self.fetched))
    }

    /// Returns the engine's error with the current step and the last lines of output.
    pub fn failure_text(mut self, error: &str) -> String {
        let partial = strip_control_characters(&std::mem::take(&mut self.partial));
        self.push_line(partial);
        let mut text = match self.step {
            Some(step) => format!("{step}: {}", error.trim()),
            None => error.trim().to_owned(),
        };
        for line in self.last_lines {
            text.push_str("\n  ");
            text.push_str(&line);
        }
        text
    }

    fn push_line(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if self.last_lines.len() == FAILURE_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line);
    }
}

/// Parses the size of a fetched file from a line of output: apt's `Get:7 http://… [1,234 kB]` and
/// Maven's `Downloaded from central: https://… (1.2 MB at 3.4 MB/s)`. Both use powers of 1,000.
fn parse_fetched_bytes(line: &str) -> Option<u64> {
    let size = if line.starts_with("Get:") {
        line.strip_suffix(']')?.rsplit_once('[')?.1
    } else {
        line.contains("Downloaded from ").then(|| line.rsplit_once('('))??.1.split_once(" at ")?.0
    };
    let (number, unit) = size.trim().split_once(' ')?;
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    let number: f64 = number.replace(',', "").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * factor) as u64)
}

/// Follows the layers of an image during a pull.
#[derive(Debug, Default)]
pub struct PullProgress {
    layers: HashMap<String, Layer>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Layer {
    fetched: u64,
    size: u64,
    done: bool,
}

impl PullProgress {
    /// Adds one message; returns whether the progress changed.
    pub fn update(
        &mut self,
        id: Option<&str>,
        status: Option<&str>,
        detail: Option<&ProgressDetail>,
    ) -> bool {
        let (Some(id), Some(status)) = (id, status) else { return false };
        // The first message has the image's tag as its ID.
        if status.starts_with("Pulling from") {
            return false;
        }
        let layer = self.layers.entry(id.to_owned()).or_default();
        let bytes = |value: Option<i64>| value.and_then(|bytes| u64::try_from(bytes).ok());
        match status {
            "Downloading" => {
                layer.fetched = bytes(detail.and_then(|d| d.current)).unwrap_or(layer.fetched);
                layer.size = bytes(detail.and_then(|d| d.total)).unwrap_or(layer.size);
            }
            "Download complete" | "Extracting" => layer.fetched = layer.size,
            "Pull complete" | "Already exists" => {
                layer.fetched = layer.size;
                layer.done = true;
            }
            _ => {}
        }
        true
    }

    /// Returns a text like `pulling 4 of 7 layers`.
    pub fn step(&self) -> String {
        let done = self.layers.values().filter(|layer| layer.done).count();
        format!("pulling {done} of {} layers", self.layers.len())
    }

    /// Returns the fetched share of the bytes known so far, in percent.
    pub fn percent(&self) -> Option<u8> {
        let (fetched, size) = self.bytes();
        u8::try_from(fetched.saturating_mul(100).checked_div(size)?).ok().map(|p| p.min(100))
    }

    /// Returns the fetched and the total bytes of the layers known so far; `None` before the first.
    pub fn fetched(&self) -> Option<(Bytes, Bytes)> {
        let (fetched, size) = self.bytes();
        (size > 0).then_some((Bytes(fetched), Bytes(size)))
    }

    fn bytes(&self) -> (u64, u64) {
        self.layers.values().fold((0, 0), |(fetched, size), layer| {
            (fetched + layer.fetched.min(layer.size), size + layer.size)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_recognised_across_pieces_of_output() {
        let mut build = BuildProgress::default();
        assert_eq!(
            build.push_output("Step 1/4 : FROM debian\n ---> 3798a71d416d\nSte"),
            BuildStep::parse("Step 1/4 : FROM debian")
        );
        let step = build.push_output("p 2/4 : RUN apt-get update\n").unwrap();
        assert_eq!(
            (step.to_string().as_str(), step.percent()),
            ("step 2/4 RUN apt-get update", Some(25))
        );
        assert_eq!(build.push_output("Get:1 http://example\n"), None);
        assert_eq!(BuildStep::parse("Step x/4 : RUN"), None);
        assert_eq!(BuildStep::parse("Step 3/0 : RUN").unwrap().percent(), None);
    }

    #[test]
    fn a_failure_carries_the_step_and_the_last_lines() {
        let mut build = BuildProgress::default();
        build.push_output("Step 2/3 : RUN make\n");
        for number in 0..30 {
            build.push_output(&format!("\u{1b}[91mline {number}\u{1b}[0m\n\n"));
        }
        build.push_output("make: *** no rule");
        let text =
            build.failure_text("The command '/bin/sh -c make' returned a non-zero code: 2\n");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "step 2/3 RUN make: The command '/bin/sh -c make' returned a non-zero code: 2"
        );
        assert_eq!(lines.len(), 1 + FAILURE_LINES);
        assert_eq!((lines[1], *lines.last().unwrap()), ("  line 16", "  make: *** no rule"));
    }

    #[test]
    fn layers_and_bytes_are_counted() {
        let mut pull = PullProgress::default();
        let mut take = |id: &str, status: &str, bytes: Option<(i64, i64)>| {
            let detail = bytes.map(|(current, total)| ProgressDetail {
                current: Some(current),
                total: Some(total),
            });
            pull.update(Some(id), Some(status), detail.as_ref())
        };
        assert!(!take("10.4.17", "Pulling from library/mariadb", None));
        assert!(take("a", "Already exists", None));
        assert!(take("b", "Pulling fs layer", None));
        assert!(take("b", "Downloading", Some((5_000_000, 20_000_000))));
        assert!(take("c", "Downloading", Some((1_000_000, 4_000_000))));
        assert!(take("c", "Download complete", None));
        assert_eq!(pull.step(), "pulling 1 of 3 layers");
        assert_eq!(pull.fetched(), Some((Bytes(9_000_000), Bytes(24_000_000))));
        assert_eq!(pull.percent(), Some(37));
        assert_eq!(PullProgress::default().percent(), None);
        assert_eq!(PullProgress::default().fetched(), None);
    }

    #[test]
    fn fetched_bytes_are_parsed_from_output_of_apt_and_maven() {
        let cases = [
            ("Get:1 http://mirror.example/debian bookworm InRelease [151 kB]", Some(151_000)),
            ("Get:12 http://x y amd64 libc6 amd64 2.36-9 [2,758 kB]", Some(2_758_000)),
            ("Get:3 http://x y amd64 tiny all 1 [908 B]", Some(908)),
            (
                "Downloaded from central: https://x/kafka_2.13-2.8.0.jar (4.9 MB at 12 MB/s)",
                Some(4_900_000),
            ),
            ("[INFO] Downloaded from central: https://x/y.pom (1.5 kB at 30 kB/s)", Some(1_500)),
            ("Hit:2 http://mirror.example/debian bookworm InRelease", None),
            ("Fetched 9,220 kB in 1s (7,712 kB/s)", None),
            ("Get:3 nothing", None),
            ("Get:3 [x kB]", None),
        ];
        for (line, expected) in cases {
            assert_eq!(parse_fetched_bytes(line), expected, "{line}");
        }
        let mut build = BuildProgress::default();
        assert_eq!(build.fetched(), None);
        build.push_output("Get:1 x [1 kB]\nGet:2 y [2 kB");
        assert_eq!(build.fetched(), Some(Bytes(1_000)));
        build.push_output("]\n");
        assert_eq!(build.fetched(), Some(Bytes(3_000)));
    }

    proptest! {
        #[test]
        fn no_output_breaks_the_count(line in "(Get:|Downloaded from )?[ -~]*") {
            let _ = parse_fetched_bytes(&line);
        }
    }
}
