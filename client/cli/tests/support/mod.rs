//! Running the command line in this process, and keeping what it said.

use std::{
    ffi::OsString,
    io::{self, Cursor, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use countersign_cli::{Exit, Streams};

/// What one command did.
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its one JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.exit, Exit::Ok, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The JSON document of its failure.
    pub(crate) fn failure(&self, exit: Exit) -> serde_json::Value {
        assert_eq!(self.exit, exit, "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "a failure prints no data");
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {}", self.err))
    }
}

/// Bytes that can be looked at after they were written.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a command whose sessions lie in a directory of their own beneath `home`.
pub(crate) fn run(home: &Path, input: &[u8], args: &[&str]) -> Ran {
    let home = home.join("sessions");
    let (out, err) = (Shared::default(), Shared::default());
    let program = [OsString::from("countersign"), "--home".into(), home.into()];
    let args = program.into_iter().chain(args.iter().map(OsString::from));
    let streams = Streams::plain(Cursor::new(input.to_vec()), out.clone(), err.clone());
    let exit = countersign_cli::run(args, streams);
    Ran { exit, out: out.text(), err: err.text() }
}
