//! Notes of a repetition: a limited number, with an account of those that were not kept.

use crate::{format::count, record::TimedNote};

/// Maximum number of notes stored for one repetition: a server that fails under a thousand users
/// produces a thousand notes.
const MAX_NOTES: usize = 200;

/// Notes of one repetition, in the order of their arrival.
#[derive(Debug, Default)]
pub struct NoteList {
    notes: Vec<TimedNote>,
    /// Number of notes that were not kept.
    omitted: u64,
    /// Time of the last of them.
    last_omitted: f64,
}

impl NoteList {
    /// Adds a note, or counts it if there are too many.
    pub fn push(&mut self, note: TimedNote) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.omitted += 1;
            self.last_omitted = self.last_omitted.max(note.second);
        }
    }

    /// Returns the notes; the last one says how many more there were, and until when.
    pub fn into_notes(self) -> Vec<TimedNote> {
        let mut notes = self.notes;
        if let Some(from) = notes.last().map(|note| note.second).filter(|_| self.omitted > 0) {
            let (omitted, until) = (self.omitted, self.last_omitted);
            let text = if omitted == 1 {
                format!("1 more note at {until:.1} s is not in the record, which keeps {MAX_NOTES}")
            } else {
                format!(
                    "{} more notes, until {until:.1} s, are not in the record, which keeps {MAX_NOTES}",
                    count(omitted)
                )
            };
            notes.push(TimedNote { second: from, text });
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(number: usize) -> Vec<TimedNote> {
        let mut list = NoteList::default();
        for second in 0..number {
            list.push(TimedNote { second: second as f64, text: format!("note {second}") });
        }
        list.into_notes()
    }

    #[test]
    fn notes_beyond_the_limit_are_counted_and_never_end_silently() {
        assert_eq!(taken(0), []);
        let all = taken(MAX_NOTES);
        assert_eq!(all.len(), MAX_NOTES);
        assert_eq!(all.last().unwrap().text, "note 199");
        let last = |number| taken(number).pop().unwrap().text;
        assert_eq!(last(201), "1 more note at 200.0 s is not in the record, which keeps 200");
        let many = "1,000 more notes, until 1199.0 s, are not in the record, which keeps 200";
        assert_eq!(last(1_200), many);
    }
}
