//! What the story tells its processes, and what they answer: one JSON object a line, over standard
//! input and output. Secrets travel here and not in arguments, which every process of a machine sees.

use std::{error::Error, io::Write as _};

use countersign_protocol::refusal::Reason;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::scope::Scope;

/// Any error: this is a program that stops at the first one.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Start a broker with its data in this directory, and make its domain.
    Start { directory: String },
    /// Join the trust domain.
    Join { token: String },
    /// Make a join token for somebody.
    Invite { principal: String },
    /// Sign a grant.
    Grant { holder: String, scope: Scope },
    /// Answer the next request with offers that rise to `most`, out of what this chain allows.
    Delegate { chain: String, most: Scope },
    /// Offer this, whatever is asked and whatever the chain allows.
    Oversell { chain: String, scope: Scope },
    /// Ask for rights; come down to `enough` calls, one third at a time.
    Negotiate { delegator: String, scope: Scope, enough: u64, seconds: u64 },
    /// Serve the files of this repository.
    Serve,
    /// Have a file read.
    Read { chain: String, resource: String, max_bytes: i64 },
    /// Read again and again until something is refused.
    ReadOn { chain: String, resource: String },
    /// Read once, then send the very same proof again.
    Replay { chain: String, resource: String },
    /// Give the token away, as a log file or a careless agent would.
    Leak { chain: String },
    /// Use a token that somebody else holds.
    UseStolen { token: String, leaf: u64, resource: String },
    /// Say what a revocation would end, then revoke.
    Revoke { chain: String },
    /// Write the evidence of an invocation to a file.
    Explain { invocation: String, file: String },
    /// Verify such a file, with the domain's public keys and nothing else.
    Verify { bundle: String, keys: String },
    /// Replay and verify a whole ledger.
    Audit { directory: String, keys: String },
}

/// What a process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// A line for the reader of the story.
    Note(String),
    /// The command was carried out.
    Done(Value),
    /// The command was refused or went wrong.
    Failed { reason: Option<String>, text: String },
}

/// Commands as they come in.
pub(crate) struct Commands(Lines<BufReader<Stdin>>);

impl Commands {
    pub(crate) fn new() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next one; none once the story is over.
    pub(crate) async fn next(&mut self) -> Outcome<Option<Command>> {
        let line = self.0.next_line().await?;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }
}

/// Sends one message to the story.
pub(crate) fn say(message: &Message) {
    if let Ok(line) = serde_json::to_string(message) {
        // A story that has gone away hears nothing, and needs nothing.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// Sends a line for the reader.
pub(crate) fn note(text: impl Into<String>) {
    say(&Message::Note(text.into()));
}

/// Sends the end of a command.
pub(crate) fn answer(outcome: Outcome<Value>) {
    say(&match outcome {
        Ok(value) => Message::Done(value),
        Err(error) => {
            let reason = error.downcast_ref::<countersign::Error>().and_then(countersign::Error::reason);
            let refusal = error.downcast_ref::<countersign_protocol::refusal::Refusal>();
            let reason = reason.or(refusal.map(countersign_protocol::refusal::Refusal::reason));
            Message::Failed {
                reason: reason.map(|reason: Reason| reason.name().into()),
                text: error.to_string(),
            }
        }
    });
}

/// One field of an answer.
pub(crate) fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Outcome<T> {
    let field = value.get(name).cloned().ok_or_else(|| format!("the answer has no {name}: {value}"))?;
    Ok(serde_json::from_value(field)?)
}
