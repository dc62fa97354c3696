//! `countersign verify`

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::limits::BUNDLE_MAX_BYTES;

use crate::{
    context::Context, evidence, failure::Failure, input::Source, keys, terminal::Terminal,
    view::ExplanationView,
};

/// Check the evidence of one invocation, with nothing but the domain's public keys.
///
/// No network and no session are used. What signatures and the log prove stands apart from what
/// remains the broker's word. If anything in the evidence was altered, the exit code is 5, and the
/// failing rule of the specification is named.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The bundle, as countersign explain --bundle wrote it; - is standard input.
    #[arg(value_name = "BUNDLE")]
    bundle: Source,
    /// The domain's public keys, which you got by a way that you trust.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// States that no broker is asked. None ever is.
    #[arg(long)]
    offline: bool,
}

impl Verify {
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let view = self.explanation(&mut context.terminal)?;
        context.terminal.show(&view)
    }

    fn explanation(&self, terminal: &mut Terminal) -> Result<ExplanationView, Failure> {
        let keys = keys::read(&self.keys, terminal)?;
        let bytes = self.bundle.read(BUNDLE_MAX_BYTES, terminal)?;
        Ok(ExplanationView::from(&evidence::verify(&bytes, &keys)?))
    }
}
