//! `countersign invoke`

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use countersign::{Answer, Call};
use countersign_protocol::{limits::BODY_MAX_BYTES, receipt::ActionOutcome};
use serde::Serialize;

use crate::{
    context::Context, exit::Exit, failure::Failure, input::Source, lookup::Name, output_file, table::Page,
    terminal::View, wanted::Wanted,
};

/// Have something done, by hand, under a chain that you hold.
///
/// You sign for this one use. It is recorded, and countersign explain shows it. Ask first with countersign
/// can. If the callee tried and failed, the exit code is 7.
#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The grant, contract or chain that you use.
    #[arg(value_name = "ID")]
    chain: Name,
    #[command(flatten)]
    wanted: Wanted,
    /// A body that goes with it, from a file; - is standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<Source>,
    /// Write the result to this new file instead of printing it.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    invocation: String,
    outcome: &'static str,
    cost: u64,
    by: String,
    intent_leaf: u64,
    result_leaf: u64,
    bytes: usize,
    /// In base64; absent where it was saved.
    body: Option<String>,
    saved: Option<String>,
    #[serde(skip)]
    text: Option<String>,
}

impl Invoke {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let body = match &self.body {
            Some(source) => source.read(BODY_MAX_BYTES, &mut context.terminal)?,
            None => Vec::new(),
        };
        let call = Call {
            callee: self.wanted.at.clone(),
            action: self.wanted.action.clone(),
            resource: self.wanted.resource.clone(),
            arguments: self.wanted.arguments()?,
            body,
        };
        let answer = context
            .as_person(async |agent, _| {
                let failed = |error| Failure::sdk("It was not done", &error);
                let held = agent.held(self.chain.chain(agent).await?).await.map_err(failed)?;
                agent.invoke(&held, call).await.map_err(failed)
            })
            .await?;
        let mut done = Done::from(&answer);
        if let Some(path) = &self.save {
            output_file::write(path, &answer.body)?;
            (done.body, done.text, done.saved) = (None, None, Some(path.display().to_string()));
        }
        context.terminal.show(&done)?;
        context.terminal.say(&format!("To see why it was allowed: countersign explain {}", done.invocation));
        match answer.receipt.outcome {
            ActionOutcome::Done => Ok(()),
            ActionOutcome::Failed => Err(failed_there(&done)),
        }
    }
}

fn failed_there(done: &Done) -> Failure {
    let why = format!("{} signed that it tried and failed.", done.by);
    Failure::new(Exit::Conflict, "It was not done", why, "Read its answer; what it cost is spent.")
}

impl From<&Answer> for Done {
    fn from(answer: &Answer) -> Self {
        let receipt = &answer.receipt;
        Self {
            invocation: answer.invocation.to_string(),
            outcome: match receipt.outcome {
                ActionOutcome::Done => "done",
                ActionOutcome::Failed => "failed",
            },
            cost: receipt.cost.get(),
            by: receipt.callee.to_string(),
            intent_leaf: answer.intent.get(),
            result_leaf: answer.result.get(),
            bytes: answer.body.len(),
            body: Some(STANDARD.encode(&answer.body)),
            saved: None,
            text: std::str::from_utf8(&answer.body).ok().map(str::to_owned),
        }
    }
}

impl View for Done {
    fn write(&self, page: &mut Page) {
        let size = match (&self.saved, &self.text) {
            (Some(path), _) => format!("{} bytes, in {path}", self.bytes),
            (None, Some(_)) => format!("{} bytes", self.bytes),
            (None, None) => format!("{} bytes that are no text; --save FILE keeps them", self.bytes),
        };
        page.fields(&[
            ("invocation", self.invocation.clone()),
            ("outcome", self.outcome.to_owned()),
            ("by", self.by.clone()),
            ("cost", self.cost.to_string()),
            ("recorded in leaves", format!("{} and {}", self.intent_leaf, self.result_leaf)),
            ("result", size),
        ]);
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            page.heading("Result");
            page.verbatim(text);
        }
    }
}
