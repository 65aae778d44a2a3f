//! Questions whose answers lose something: a key chooses an answer, and Enter gives it.
//!
//! No answer is given by a letter alone: pasted text, or a key meant for another window, must not delete
//! a record or stop a run.

use crate::{
    engine::steering::FaultChoice,
    server::HubKind,
    tui::{msg::Answer, preferences::RunOwner},
};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// How to stop or change the run.
    Stop,
    /// Whether to quit while a run is in progress.
    Quit,
    /// Whether to delete the selected record or profile.
    Remove,
    /// Whether to start a long run.
    Start,
    /// Whether to quit although changes to profiles are not saved.
    Unsaved,
    /// Which fault to inject into the main server, of those that servers on this kind of hub can have.
    Fault(HubKind),
}

/// A question and its chosen answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub kind: QuestionKind,
    answers: Vec<Answer>,
    chosen: usize,
}

impl Question {
    /// Asks a question; the harmless answer is chosen.
    pub fn new(kind: QuestionKind, owner: RunOwner) -> Self {
        let faults;
        let answers: &[Answer] = match (kind, owner) {
            (QuestionKind::Stop, _) => {
                &[Answer::StopAfter, Answer::StopNow, Answer::Skip, Answer::Add, Answer::GoOn]
            }
            (QuestionKind::Quit, RunOwner::Screen) => {
                &[Answer::LeaveNow, Answer::LeaveAfter, Answer::Abandon, Answer::GoOn]
            }
            // A detached run's process removes its servers without the screen.
            (QuestionKind::Quit, RunOwner::DetachedProcess) => {
                &[Answer::Detach, Answer::LeaveNow, Answer::LeaveAfter, Answer::GoOn]
            }
            (QuestionKind::Remove, _) => &[Answer::Remove, Answer::GoOn],
            (QuestionKind::Start, _) => &[Answer::Start, Answer::GoOn],
            (QuestionKind::Unsaved, _) => &[Answer::LeaveUnsaved, Answer::GoOn],
            (QuestionKind::Fault(hub), _) => {
                let on_hub = FaultChoice::on_hub(hub).into_iter().map(Answer::Inject);
                faults = on_hub.chain([Answer::GoOn]).collect::<Vec<_>>();
                &faults
            }
        };
        Self { kind, chosen: answers.len() - 1, answers: answers.to_vec() }
    }

    /// Answers, from top to bottom.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// The answer that Enter gives.
    pub fn chosen(&self) -> Answer {
        self.answers[self.chosen]
    }

    /// Chooses an answer, if it is one of this question's.
    pub fn choose(&mut self, answer: Answer) {
        self.chosen = self.answers.iter().position(|it| *it == answer).unwrap_or(self.chosen);
    }

    /// Chooses the answer `by` lines below, or above; goes around at both ends.
    pub fn step(&mut self, by: isize) {
        let count = self.answers.len().cast_signed();
        self.chosen = (self.chosen.cast_signed() + by).rem_euclid(count).cast_unsigned();
    }
}
