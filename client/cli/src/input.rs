//! Reading what a command is given: a file, or standard input as `-`.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use countersign_protocol::limits::STREAM_CHUNK_MAX_BYTES;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::{failure::Failure, limits::PIECES_AHEAD, terminal::Terminal};

/// A file, or `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl Source {
    /// Everything in it, of which there may be at most `limit` bytes.
    pub(crate) fn read(&self, limit: usize, terminal: &mut Terminal) -> Result<Vec<u8>, Failure> {
        let read = match self {
            Self::Stdin => read_to(&mut terminal.streams.input, limit),
            Self::File(path) => File::open(path).and_then(|mut file| read_to(&mut file, limit)),
        };
        let bytes = read.map_err(|error| self.unreadable(&error))?;
        if bytes.len() > limit {
            let why = format!("It has more than {limit} bytes.");
            return Err(Failure::usage(
                format!("{} was not read", self.name()),
                why,
                "Check which file it is.",
            ));
        }
        Ok(bytes)
    }

    /// It as it comes, read by a thread of its own: whoever types it may take their time.
    pub(crate) fn pieces(
        &self,
        terminal: &mut Terminal,
    ) -> Result<mpsc::Receiver<Result<Vec<u8>, Failure>>, Failure> {
        let mut reader: Box<dyn Read + Send> = match self {
            Self::Stdin => std::mem::replace(&mut terminal.streams.input, Box::new(io::empty())),
            Self::File(path) => Box::new(File::open(path).map_err(|error| self.unreadable(&error))?),
        };
        let (pieces, read) = mpsc::channel(PIECES_AHEAD);
        let source = self.clone();
        // Nobody waits for it at the end: it may be in the middle of a read that never ends.
        std::thread::spawn(move || {
            let mut buffer = vec![0; STREAM_CHUNK_MAX_BYTES];
            loop {
                let piece = match reader.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) => Ok(buffer.get(..length).unwrap_or_default().to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(source.unreadable(&error)),
                };
                let ends = piece.is_err();
                if pieces.blocking_send(piece).is_err() || ends {
                    return;
                }
            }
        });
        Ok(read)
    }

    /// A secret of one line. On a terminal, it is not shown while it is typed.
    pub(crate) fn read_secret(
        &self,
        what: &str,
        limit: usize,
        terminal: &mut Terminal,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if *self != Self::Stdin || !terminal.streams.input_is_terminal {
            // One more for the line's end.
            return self.read(limit + 1, terminal).map(Zeroizing::new);
        }
        terminal.say(&format!("Paste {what} and press Enter; it is not shown."));
        let quiet = Quiet::begin();
        let line = read_line(&mut terminal.streams.input, limit + 1);
        drop(quiet);
        line.map_err(|error| self.unreadable(&error))
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "Standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        let next = "Check that the file is there and may be read.";
        Failure::usage(format!("{} cannot be read", self.name()), format!("{error}."), next)
    }
}

/// Text that was read from a file of that name.
pub(crate) fn text(bytes: Vec<u8>, path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| {
        let what = format!("{} was not understood", path.display());
        Failure::usage(what, "It is not UTF-8 text.", "Check which file it is.")
    })
}

/// One byte more than the limit shows that it is exceeded.
fn read_to(reader: &mut dyn Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_line(reader: &mut dyn Read, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Reserved at once: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    let mut byte = [0];
    while line.len() < limit && reader.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    Ok(line)
}

/// Turns the terminal's echo off until it is dropped.
struct Quiet(Option<Termios>);

impl Quiet {
    fn begin() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let turned_off = tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).is_ok();
        Self(turned_off.then_some(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
