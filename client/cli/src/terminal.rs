//! What a command says: data in the form that was asked for, and messages beside it.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{
    drawing::Drawing, exit::Exit, failure::Failure, json, limits::LINE_MAX_BYTES, streams::Streams,
    table::Page,
};

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people. It may change.
    #[default]
    Table,
    /// The same with more columns, and nothing shortened.
    Wide,
    /// For programs: one document, whose field names stay. A failure is one on standard error.
    Json,
    /// For programs: the elements of a list, each on a line of its own.
    Jsonl,
    /// For people: what came of what.
    Tree,
    /// For Graphviz.
    Dot,
    /// For Mermaid.
    Mermaid,
}

impl Format {
    /// Whether only what can be drawn has this form.
    pub(crate) fn is_drawn(self) -> bool {
        matches!(self, Self::Tree | Self::Dot | Self::Mermaid)
    }

    fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// Data that a command prints: its fields as JSON, and a page for people.
pub(crate) trait View: Serialize {
    /// The field that holds the elements, where it is a list.
    const ROWS: Option<&'static str> = None;

    /// Writes it down for people.
    fn write(&self, page: &mut Page);

    /// The same with all there is.
    fn write_wide(&self, page: &mut Page) {
        self.write(page);
    }

    /// The graph in it, where there is one.
    fn drawing(&self) -> Option<Drawing> {
        None
    }
}

/// The streams and the form of one run.
pub(crate) struct Terminal {
    pub(crate) streams: Streams,
    pub(crate) format: Format,
}

const RED: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();

impl Terminal {
    /// Prints data.
    pub(crate) fn show(&mut self, view: &impl View) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json::document(view)?,
            Format::Jsonl => json::lines(view)?,
            Format::Table | Format::Tree => written(|page| view.write(page)),
            Format::Wide => written(|page| view.write_wide(page)),
            Format::Dot => view.drawing().map(|drawing| drawing.dot()).unwrap_or_default(),
            Format::Mermaid => view.drawing().map(|drawing| drawing.mermaid()).unwrap_or_default(),
        };
        self.print(&text)
    }

    /// Prints text that is data as it stands.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let out = &mut self.streams.out;
        written_out(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// Prints what others wrote as it comes: to a file or a program as it is, to a person so that it cannot act
    /// on the terminal.
    pub(crate) fn pass_on(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.streams.raw {
            Some(raw) => written_out(raw.write_all(bytes).and_then(|()| raw.flush())),
            None => {
                let text = String::from_utf8_lossy(bytes);
                let lines: Vec<String> = text.split('\n').map(printable).collect();
                self.print(&lines.join("\n"))
            }
        }
    }

    /// Shows a person something that is not data, beside what it will be asked.
    pub(crate) fn note(&mut self, heading: &str, fields: &[(&str, String)]) {
        let text = written(|page| {
            page.heading(heading);
            page.fields(fields);
        });
        let _ = write!(self.streams.err, "{text}");
    }

    /// What a person types; nothing where the input has ended.
    pub(crate) fn read_line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = Vec::new();
        let mut byte = [0];
        let input = &mut self.streams.input;
        while line.len() < LINE_MAX_BYTES {
            match input.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) => {
                    let next = "Check where standard input comes from.";
                    return Err(Failure::usage("Nothing could be read", format!("{error}."), next));
                }
            }
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    /// Tells a person something that is not data. Nobody may be listening.
    pub(crate) fn say(&mut self, message: &str) {
        let _ = writeln!(self.streams.err, "{message}");
    }

    /// Prints help or a version, or says what was typed wrong.
    pub(crate) fn explain_usage(&mut self, error: &clap::Error) -> Exit {
        let (text, streams) = (error.render(), &mut self.streams);
        let (stream, exit) =
            if error.use_stderr() { (&mut streams.err, Exit::Usage) } else { (&mut streams.out, Exit::Ok) };
        let _ = write!(stream, "{}", text.ansi());
        exit
    }

    /// Tells of a failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if self.format.is_json()
            && let Ok(document) = json::document(failure)
        {
            let _ = write!(self.streams.err, "{document}");
            return;
        }
        let Failure { what, why, next, .. } = failure;
        let what = printable(what);
        let rule = match (failure.reason, &failure.rule) {
            (Some(reason), Some(rule)) => format!(" [{reason}, {}]", printable(rule)),
            (Some(reason), None) => format!(" [{reason}]"),
            _ => String::new(),
        };
        let err = &mut self.streams.err;
        let _ = writeln!(err, "{RED}error:{RED:#} {what}{rule}");
        let _ = writeln!(err, "{BOLD}why:{BOLD:#}   {}", printable(why));
        let _ = writeln!(err, "{BOLD}next:{BOLD:#}  {}", printable(next));
    }
}

fn written_out(written: io::Result<()>) -> Result<(), Failure> {
    written.or_else(|error| match error.kind() {
        // The reader has seen enough.
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::new(
            Exit::Unavailable,
            "The output cannot be written",
            format!("{error}."),
            "Check where it goes to.",
        )),
    })
}

fn written(write: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::default();
    write(&mut page);
    page.into_text()
}

/// Text that others wrote, so that it cannot move the cursor or pass for another line.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() || is_invisible(char) { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}

/// Characters that reorder or hide the text around them.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_up_to_its_limit() {
        let lines = |input: String| {
            let streams = Streams::plain(io::Cursor::new(input.into_bytes()), io::sink(), io::sink());
            let mut terminal = Terminal { streams, format: Format::Table };
            std::iter::from_fn(|| terminal.read_line().unwrap()).map(|line| line.len()).collect::<Vec<_>>()
        };
        assert_eq!(lines("offer\nno".to_owned()), [5, 2]);
        assert_eq!(lines("x".repeat(LINE_MAX_BYTES - 1) + "\ny"), [LINE_MAX_BYTES - 1, 1]);
        assert_eq!(lines("x".repeat(LINE_MAX_BYTES + 1)), [LINE_MAX_BYTES, 1]);
    }

    #[test]
    fn text_of_others_cannot_act_on_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d");
        assert_eq!(printable("résumé ✓"), "résumé ✓");
    }
}
