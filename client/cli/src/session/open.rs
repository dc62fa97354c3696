//! Going on as the person whose session it is.

use std::sync::Arc;

use countersign::{Agent, Options};
use countersign_protocol::digest::Digest;

use super::{SessionFile, file::Lock, home::unusable};
use crate::{
    exit::Exit,
    failure::Failure,
    limits::{RENEWAL_ATTEMPTS, RENEWAL_PAUSE},
};

/// What configures a person's instance: nothing but this program. It has no version, because an
/// instance keeps its configuration through an upgrade.
const CONFIGURATION: &[u8] = b"countersign command line";

/// A session that this command has to itself.
#[derive(Debug)]
pub(crate) struct Session {
    agent: Agent,
    file: SessionFile,
    lock: Lock,
}

impl Session {
    /// Takes what is kept and goes on with it. Whatever is renewed meanwhile is kept at once. Must be
    /// called within a Tokio runtime.
    pub(crate) fn open(file: SessionFile) -> Result<Self, Failure> {
        let lock = file.lock()?;
        let Some(kept) = file.read(&lock)? else {
            return Err(Failure::new(
                Exit::Denied,
                format!("There is no session in {}", file.domain()),
                format!("{} does not exist.", file.path().display()),
                "Run countersign join with a join token from an admin of the trust domain.",
            ));
        };
        let agent = Agent::danger_import(&kept, options(&file));
        let agent = agent.map_err(|error| {
            Failure::sdk(format!("The session in {} cannot go on", file.domain()), &error)
        })?;
        Ok(Self { agent, file, lock })
    }

    /// A session that has just begun.
    pub(crate) fn begin(agent: Agent, file: SessionFile, lock: Lock) -> Self {
        Self { agent, file, lock }
    }

    /// Who acts.
    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Where it lies.
    pub(crate) fn file(&self) -> &SessionFile {
        &self.file
    }

    /// Waits for a renewal that is due, but not for ever.
    pub(crate) async fn settle(&self) {
        for _ in 0..RENEWAL_ATTEMPTS {
            if !self.agent.renewal_is_due() {
                return;
            }
            tokio::time::sleep(RENEWAL_PAUSE).await;
        }
    }

    /// Keeps what this command has learned, such as the newest checkpoint that it saw, for the next.
    pub(crate) fn close(self) -> Result<(), Failure> {
        let export = self.agent.danger_export();
        let export = export.map_err(|error| Failure::sdk("The session cannot be kept", &error))?;
        let kept = self.file.replace(&export);
        drop(self.lock);
        kept.map_err(|error| unusable(self.file.path(), &error))
    }
}

/// How a person's agent is made. Its keys are written to the session's file whenever they are about
/// to be renewed, so that a crash in between does not look like a copy of the identity.
pub(crate) fn options(file: &SessionFile) -> Options {
    let mut options = Options::new(Digest::of(CONFIGURATION));
    let file = file.clone();
    options.danger_keep = Some(Arc::new(move |bytes: &[u8]| file.replace(bytes)));
    options
}
