//! Attestors: what shows that a newcomer is who it says.
//!
//! An attestor reports what it observed itself. What a process says of itself is in the statement
//! that it signs, and is held against the report.

use std::{fmt, future::Future, pin::Pin};

use countersign_protocol::{
    digest::Digest,
    join_token::JoinSecret,
    name::Word,
    refusal::{Reason, Refusal},
    require_some,
};

/// What comes of looking at evidence.
pub type Observation<'a> = Pin<Box<dyn Future<Output = Result<Digest, Refusal>> + Send + 'a>>;

/// Looks at evidence.
pub trait Attestor: fmt::Debug + Send + Sync + 'static {
    /// Its name in requests and in the ledger.
    fn name(&self) -> &Word;

    /// Looks at the evidence and gives the digest of what it establishes. The evidence may be a
    /// secret: it is neither kept nor logged.
    fn observe<'a>(&'a self, evidence: &'a [u8]) -> Observation<'a>;
}

/// Believes whoever has the secret of a join token. Whether there is such a token, for whom, and
/// whether it was used, the ledger knows.
#[derive(Debug)]
pub struct JoinTokenAttestor {
    name: Word,
}

/// The name of the attestor of join tokens.
pub const JOIN_TOKEN: &str = "join_token";

impl JoinTokenAttestor {
    /// The attestor. `None` cannot happen: the name is a word.
    pub fn new() -> Option<Self> {
        JOIN_TOKEN.parse().ok().map(|name| Self { name })
    }
}

impl Attestor for JoinTokenAttestor {
    fn name(&self) -> &Word {
        &self.name
    }

    fn observe<'a>(&'a self, evidence: &'a [u8]) -> Observation<'a> {
        Box::pin(async move {
            let secret = JoinSecret::try_from(evidence).ok();
            Ok(require_some!("IDN-040", secret, Reason::JoinRefused).digest())
        })
    }
}

/// The attestors that a broker has.
#[derive(Debug, Default)]
pub struct Attestors(Vec<Box<dyn Attestor>>);

impl Attestors {
    /// Join tokens alone.
    pub fn join_tokens() -> Self {
        let attestor = JoinTokenAttestor::new().map(|attestor| Box::new(attestor) as Box<dyn Attestor>);
        Self(attestor.into_iter().collect())
    }

    /// The attestor of that name, or the answer that a wrong token gets.
    pub fn named(&self, name: &str) -> Result<&dyn Attestor, Refusal> {
        let found = self.0.iter().find(|attestor| attestor.name().as_str() == name);
        Ok(require_some!("IDN-041", found, Reason::JoinRefused).as_ref())
    }
}
