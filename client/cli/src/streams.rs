//! Where input comes from, data goes, and messages go.

use std::io::{self, BufReader, IsTerminal, Read, Write};

/// Standard input, output and error, or what a test puts in their place.
pub struct Streams {
    /// Where a secret or a file is read from that is not to be an argument.
    pub(crate) input: Box<dyn Read + Send>,
    /// Whether a person sits at the other end of the input.
    pub(crate) input_is_terminal: bool,
    /// Whether a person watches what is said.
    pub(crate) err_is_terminal: bool,
    /// Data.
    pub(crate) out: Box<dyn Write>,
    /// The same for bytes that are not ours, where they go there as they are; none for a person's eyes.
    pub(crate) raw: Option<Box<dyn Write>>,
    /// Messages.
    pub(crate) err: Box<dyn Write>,
}

impl Streams {
    /// Those of the process. Colours reach a terminal only, and not where `NO_COLOR` is set.
    pub fn standard() -> Self {
        Self {
            input_is_terminal: io::stdin().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            input: Box::new(BufReader::new(io::stdin())),
            out: Box::new(anstream::stdout()),
            raw: (!io::stdout().is_terminal()).then(|| Box::new(io::stdout()) as Box<dyn Write>),
            err: Box::new(anstream::stderr()),
        }
    }

    /// Streams without a terminal and without colours.
    pub fn plain(
        input: impl Read + Send + 'static,
        out: impl Write + 'static,
        err: impl Write + 'static,
    ) -> Self {
        Self {
            input: Box::new(input),
            input_is_terminal: false,
            err_is_terminal: false,
            out: Box::new(anstream::StripStream::new(Box::new(out) as Box<dyn Write>)),
            raw: None,
            err: Box::new(anstream::StripStream::new(Box::new(err) as Box<dyn Write>)),
        }
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams(..)")
    }
}
