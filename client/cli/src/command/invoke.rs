//! `countersign invoke`

use std::{io::Write as _, path::PathBuf, pin::pin};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use countersign::{Answer, Call, InvokedStream, Streamed};
use countersign_protocol::{capability::Request, limits::BODY_MAX_BYTES, receipt::ActionOutcome};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    context::Context, exit::Exit, failure::Failure, input::Source, limits::STREAM_WITHIN, lookup::Name,
    output_file, table::Page, terminal::View, wanted::Wanted,
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
    /// Send the body, which is standard input unless --body names another, and print the result piece by
    /// piece as they come. Each piece is signed for. Your session is in use until it ends.
    #[arg(long)]
    stream: bool,
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
        if self.stream {
            return self.run_stream(context).await;
        }
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

impl Invoke {
    /// Sends and prints as it comes. What came of it is data where the result is saved, and else a message.
    async fn run_stream(self, context: &mut Context) -> Result<(), Failure> {
        let request = Request {
            callee: self.wanted.at.clone(),
            action: self.wanted.action.clone(),
            resource: self.wanted.resource.clone(),
            arguments: self.wanted.arguments()?,
        };
        let mut file = self.save.as_deref().map(output_file::create).transpose()?;
        let body = self.body.as_ref().unwrap_or(&Source::Stdin).pieces(&mut context.terminal)?;
        let (streamed, whole) = context
            .as_person(async |agent, terminal| {
                let failed = |error| Failure::sdk("It was not done", &error);
                let held = agent.held(self.chain.chain(agent).await?).await.map_err(failed)?;
                let stream = agent.invoke_stream(&held, request, STREAM_WITHIN).await.map_err(failed)?;
                exchange(stream, body, |piece| match (&mut file, &self.save) {
                    (Some(file), Some(path)) => {
                        file.write_all(piece).map_err(|error| output_file::unwritten(path, &error))
                    }
                    _ => terminal.pass_on(piece),
                })
                .await
            })
            .await?;
        if let (Some(file), Some(path)) = (&file, &self.save) {
            file.sync_all().map_err(|error| output_file::unwritten(path, &error))?;
        }
        let done = Done { saved: self.save.map(|path| path.display().to_string()), ..Done::from(&streamed) };
        match done.saved {
            Some(_) => context.terminal.show(&done)?,
            None => context.terminal.note("", &done.fields()),
        }
        if !whole {
            context.terminal.say("The callee was done before it had received the whole body.");
        }
        context.terminal.say(&format!("To see why it was allowed: countersign explain {}", done.invocation));
        match streamed.receipt.outcome {
            ActionOutcome::Done => Ok(()),
            ActionOutcome::Failed => Err(failed_there(&done)),
        }
    }
}

/// Sends what is read and prints what comes until the callee's receipt is here. Gives also whether the callee
/// received all of it.
async fn exchange(
    stream: InvokedStream,
    mut body: mpsc::Receiver<Result<Vec<u8>, Failure>>,
    mut print: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(Streamed, bool), Failure> {
    let failed = |error| Failure::sdk("It was not done", &error);
    let InvokedStream { mut upload, mut download, end, .. } = stream;
    let mut send = pin!(async {
        while let Some(piece) = body.recv().await {
            // Where the stream has ended, its end says why.
            if upload.send(&piece?).await.is_err() {
                return Ok(());
            }
        }
        let _ = upload.finish().await;
        Ok(())
    });
    let mut receive = pin!(async {
        while let Some(piece) = download.next().await {
            print(&piece.map_err(failed)?)?;
        }
        end.verified().await.map_err(failed)
    });
    let mut sends = true;
    loop {
        tokio::select! {
            // A callee may be done while more would be typed.
            streamed = &mut receive => {
                let streamed = streamed?;
                let is_whole = streamed.is_whole;
                return Ok((streamed, is_whole));
            }
            sent = &mut send, if sends => {
                sent?;
                sends = false;
            }
        }
    }
}

fn failed_there(done: &Done) -> Failure {
    let why = format!("{} signed that it tried and failed.", done.by);
    Failure::new(Exit::Conflict, "It was not done", why, "Read its answer; what it cost is spent.")
}

impl From<&Streamed> for Done {
    fn from(streamed: &Streamed) -> Self {
        let receipt = &streamed.receipt;
        Self {
            invocation: streamed.invocation.to_string(),
            outcome: told(receipt.outcome),
            cost: receipt.cost.get(),
            by: receipt.callee.to_string(),
            intent_leaf: streamed.intent.get(),
            result_leaf: streamed.result.get(),
            // No more than memory has.
            bytes: usize::try_from(streamed.account.sent.bytes).unwrap_or(usize::MAX),
            body: None,
            saved: None,
            text: None,
        }
    }
}

fn told(outcome: ActionOutcome) -> &'static str {
    match outcome {
        ActionOutcome::Done => "done",
        ActionOutcome::Failed => "failed",
    }
}

impl From<&Answer> for Done {
    fn from(answer: &Answer) -> Self {
        let receipt = &answer.receipt;
        Self {
            invocation: answer.invocation.to_string(),
            outcome: told(receipt.outcome),
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

impl Done {
    fn fields(&self) -> [(&'static str, String); 6] {
        let size = match (&self.saved, &self.text) {
            (Some(path), _) => format!("{} bytes, in {path}", self.bytes),
            (None, Some(_)) => format!("{} bytes", self.bytes),
            (None, None) if self.body.is_none() => format!("{} bytes", self.bytes),
            (None, None) => format!("{} bytes that are no text; --save FILE keeps them", self.bytes),
        };
        [
            ("invocation", self.invocation.clone()),
            ("outcome", self.outcome.to_owned()),
            ("by", self.by.clone()),
            ("cost", self.cost.to_string()),
            ("recorded in leaves", format!("{} and {}", self.intent_leaf, self.result_leaf)),
            ("result", size),
        ]
    }
}

impl View for Done {
    fn write(&self, page: &mut Page) {
        page.fields(&self.fields());
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            page.heading("Result");
            page.verbatim(text);
        }
    }
}
