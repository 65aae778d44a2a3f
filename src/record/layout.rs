//! Layout of a record's file: indented down to its repetitions, each of which is one line. Lines of single
//! numbers would make up more than half of the file.

use std::io;

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// Innermost nesting that is indented: `points`, a point, its `repetitions`.
const MAX_INDENTED_DEPTH: usize = 4;

/// Spaces of one level.
const INDENT: &[u8] = b"  ";

/// Writes `value` in the layout of a record.
///
/// # Errors
/// When `writer` fails.
pub fn write_json<T: Serialize>(writer: impl io::Write, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(writer, RecordFormatter::default()))
}

/// Indents the outer levels and writes the inner ones without spaces.
#[derive(Debug, Default)]
struct RecordFormatter {
    depth: usize,
    /// Whether the innermost open array or object has a value.
    has_value: bool,
}

impl RecordFormatter {
    fn begin<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn end<W: io::Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        let is_indented = self.depth <= MAX_INDENTED_DEPTH;
        self.depth -= 1;
        if self.has_value && is_indented {
            write_line_start(writer, self.depth)?;
        }
        writer.write_all(bracket)
    }

    fn begin_value<W: io::Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if self.depth <= MAX_INDENTED_DEPTH {
            write_line_start(writer, self.depth)?;
        }
        Ok(())
    }
}

fn write_line_start<W: io::Write + ?Sized>(writer: &mut W, depth: usize) -> io::Result<()> {
    writer.write_all(b"\n")?;
    (0..depth).try_for_each(|_| writer.write_all(INDENT))
}

impl Formatter for RecordFormatter {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.begin_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.begin_value(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.depth <= MAX_INDENTED_DEPTH { b": " } else { b":" })
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repetitions_are_single_lines_of_an_indented_record() {
        let value = json!({
            "points": [{ "repetitions": [{ "index": 0, "events": [] }, { "index": 1, "a": [1, 2] }] }],
            "status": "partial",
            "resumed": [],
        });
        let mut text = Vec::new();
        write_json(&mut text, &value).unwrap();
        let text = String::from_utf8(text).unwrap();
        let expected = r#"{
  "points": [
    {
      "repetitions": [
        {"events":[],"index":0},
        {"a":[1,2],"index":1}
      ]
    }
  ],
  "resumed": [],
  "status": "partial"
}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
